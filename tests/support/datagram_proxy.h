/* SPDX-License-Identifier: Apache-2.0 */
/* datagram_proxy.h - a UDP proxy on loopback that loses, doubles and reorders datagrams as it is
 * told: between a sender and a receiver that know nothing of it.
 *
 *    sender --> [ port | faults ] --> `to_port`
 *    sender <-- [ no faults     ] <-- whoever is at `to_port`: answers go to who sent last
 *
 * What happens to a datagram depends on the seed and on its number alone, from 0 in the order in
 * which they come: a run with the same seed and the same datagrams has the same faults.
 *
 * It runs in a thread of its own; start and stop it from one thread. */
#ifndef TICKBUS_TESTS_DATAGRAM_PROXY_H
#define TICKBUS_TESTS_DATAGRAM_PROXY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct datagram_proxy datagram_proxy_t;

#define DATAGRAM_PROXY_MILLION 1000000u

typedef struct datagram_plan {
    uint64_t seed;
    uint32_t lose_ppm; /* of a million datagrams, as the next ones */
    uint32_t double_ppm;
    uint32_t reorder_ppm;
    uint32_t reorder_by; /* one that is reordered goes out behind so many later ones */
    /* All datagrams of `burst_count` from number `burst_at` on are lost; and again after each
     * `burst_every`, 0: once. */
    uint64_t burst_at;
    uint64_t burst_count;
    uint64_t burst_every;
} datagram_plan_t;

typedef struct datagram_counts {
    uint64_t received;
    uint64_t passed; /* copies among them */
    uint64_t lost;
    uint64_t doubled;
    uint64_t reordered;
} datagram_counts_t;

/* Pass datagrams on to `to_port` of 127.0.0.1. `group` NULL: those that come to *out_port of
 * loopback; else those of a group, "239.1.2.3", at port *out_port, which the caller sets. NULL:
 * there is no socket or no thread. */
datagram_proxy_t *datagram_proxy_start(const datagram_plan_t *plan, const char *group,
                                       uint16_t to_port, uint16_t *out_port);

/* The next `count` datagrams are lost, from any thread. */
void datagram_proxy_lose(datagram_proxy_t *proxy, uint64_t count);

/* So far: exact when nothing is under way. */
datagram_counts_t datagram_proxy_counts(const datagram_proxy_t *proxy);

/* Passes on what it holds back, and ends. Accepts NULL. */
void datagram_proxy_stop(datagram_proxy_t *proxy);

#endif
