/* SPDX-License-Identifier: Apache-2.0 */
/* arrivals.h - when the messages that answer other messages come, and about which stock: the
 * self-exciting part of a market.
 *
 *    intensity of part k:   x_k / tau_k, halved every half_ns;  each message adds gain_k to x_k
 *
 *    ARRIVALS_FAST      answers of machines, within a millisecond
 *    ARRIVALS_MEDIUM    tens of milliseconds
 *    ARRIVALS_SLOW      seconds: people, and orders that are sent in pieces
 *    ARRIVALS_MOOD      a minute: a stock is in demand
 *    ARRIVALS_BURST     milliseconds; only arrivals_burst() excites it
 *
 * A Hawkes process (Hawkes 1971; in its form of clusters: Hawkes and Oakes 1974) with exponential
 * kernels on several scales, which together come near the slow decay that was measured in markets
 * (Hardiman, Bercot and Bouchaud 2013; Bacry, Mastromatteo and Muzy 2015: a market is close to
 * critical, most of its events answer others). Each message brings 0.86 further ones on average.
 * Waiting times are drawn exactly, by inversion (Dassios and Zhao 2013).
 *
 * Which stock a message is about: that of a message that excited the part, drawn so that each
 * weighs what is left of its excitement. A part remembers four of them, each drawn so, a burst its
 * eight stocks.
 *
 * What comes without a cause is none of its business: feedsim/synth/dayline.h. Integers only, no
 * allocation, a few tens of ns a message.
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_ARRIVALS_H
#define TICKBUS_FEEDSIM_SYNTH_ARRIVALS_H

#include <stdint.h>

#include "feedsim/synth/random.h"

#ifdef __cplusplus
extern "C" {
#endif

enum arrivals_kind {
    ARRIVALS_FAST,
    ARRIVALS_MEDIUM,
    ARRIVALS_SLOW,
    ARRIVALS_MOOD,
    ARRIVALS_BURST,
    ARRIVALS_PARTS
};
#define ARRIVALS_NONE    ARRIVALS_PARTS /* no part: without a cause */
#define ARRIVALS_PARENTS 8u

#define ARRIVALS_BURST_HALF_NS UINT64_C(2000000)

typedef struct arrivals_part {
    uint64_t expected_q32; /* x: messages that it will still bring if nothing excites it again */
    uint64_t due_ns;       /* of its next message; UINT64_MAX: none */
    uint32_t parents[ARRIVALS_PARENTS]; /* stocks */
} arrivals_part_t;

typedef struct arrivals {
    uint64_t now_ns; /* of the last message */
    uint64_t due_ns; /* of the first part whose message comes; UINT64_MAX: none will */
    unsigned next;   /* that part; ARRIVALS_NONE */
    arrivals_part_t parts[ARRIVALS_PARTS];
} arrivals_t;

/* Nothing is excited. */
void arrivals_reset(arrivals_t *a, uint64_t now_ns);

/* The stock that the next message of this part is about. */
uint32_t arrivals_stock(const arrivals_t *a, unsigned part, random_state_t *random);

/* A message about `stock` happened, as the next one of `part` or without a cause. `now_ns` is not
 * before the last one. */
void arrivals_happened(arrivals_t *a, uint64_t now_ns, unsigned part, uint32_t stock,
                       random_state_t *random);

/* Within some ms `count` messages more about these stocks, and what answers them. At the time of
 * the last message. */
void arrivals_burst(arrivals_t *a, uint32_t count, const uint32_t stocks[ARRIVALS_PARENTS],
                    random_state_t *random);

#ifdef __cplusplus
}
#endif
#endif
