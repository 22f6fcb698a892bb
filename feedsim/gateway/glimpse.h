/* SPDX-License-Identifier: Apache-2.0 */
/* glimpse.h - the books of a topic of ticks as they are at a moment, for those who join late: a
 * *shot*, the messages of a GLIMPSE session as packets that are ready to be sent.
 *
 *    ring, journal -- tbus_history --> market view + keeper --- take ---> shot
 *                                      (tickbus/market/market.h,          blocks of packets, shared
 *                                       bus/market/standing.h)            by those who come soon
 *
 * A shot holds, in ITCH 5.0 layout (NASDAQ, "GLIMPSE 5.0", section 4):
 *
 *    what holds of the session and of each stock: S, V, W, R, H, h, Y, K, J, as they came
 *    every live order as an A, in the order in which the orders were added (bus/market/snapshot.h)
 *    G, end of snapshot:   type 1 'G', sequence 20: ASCII digits, right aligned, padded with spaces
 *
 * The sequence is that of the first message, as the gateway of the topic numbers them, that is not
 * in the shot: whoever asks that for it has everything. At the end of the feed it is the last one
 * plus 1.
 *
 * To take a shot is one step, of some 0.1 us for each order. So several who log in within 5 ms get
 * the same one, and there are at most GLIMPSE_SHOTS at a time: more than that get the newest.
 *
 * The books are right if every tick of the topic was seen. If one was lost, or the topic's
 * beginning cannot be had, there is no shot, and glimpse_why says so.
 *
 * One thread. Holds nobody up.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_GLIMPSE_H
#define TICKBUS_FEEDSIM_GATEWAY_GLIMPSE_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/bus.h>
#include <tickbus/market/market.h>

#include "feedsim/gateway/block.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GLIMPSE_SHOTS     4u
#define GLIMPSE_END_BYTES 21u /* of the message G */

typedef struct glimpse_shot {
    uint64_t seq;      /* what G says */
    uint64_t count;    /* messages in it, numbered from 1; G is the last */
    uint64_t taken_ns; /* CLOCK_MONOTONIC */
    uint32_t users;    /* who still gets it */
    uint32_t blocks_count;
    uint32_t blocks_made;     /* kept for the next shot */
    gateway_block_t **blocks; /* owned */
} glimpse_shot_t;

typedef struct glimpse glimpse_t;

/* Empty books. Memory: books of these limits, which are touched now and may take a second; 64 bytes
 * for each order of orders_max as snapshots fill them, and 42 for each order of a shot. Errors of
 * market_create. Cold. */
int glimpse_create(const market_limits_t *limits, glimpse_t **out_glimpse, tbus_error_t *err);

/* Follow `topic`, whose messages are ticks, from its first message on. Once. `bus`, `journal`: as
 * for tbus_history_open; must outlive it. -TBUS_EKIND: no ticks; else as tbus_history_open. Cold,
 * and quick: without a journal the ring must still have the first message. */
int glimpse_follow(glimpse_t *g, tbus_bus_t *bus, const char *journal, const char *topic,
                   tbus_error_t *err);
void glimpse_destroy(glimpse_t *g); /* accepts NULL */

/* Apply up to `messages` of what has come. Returns how many there were; negative: the journal
 * cannot be read, in err; asked again, it is tried again. Hot. */
int glimpse_turn(glimpse_t *g, uint32_t messages, tbus_error_t *err);

/* Sequences and time for glimpse_take; a shot is not let go while somebody uses it. NULL: there is
 * none to be had, glimpse_why. */
glimpse_shot_t *glimpse_take(glimpse_t *g, uint64_t now_ns);
void glimpse_release(glimpse_shot_t *shot);

/* The block that holds message `seq` of a shot; NULL: it has no such message. */
const gateway_block_t *glimpse_block(const glimpse_shot_t *shot, uint64_t seq);

/* Why there is no shot: as the end of a sentence; "" while there is one. */
const char *glimpse_why(const glimpse_t *g);

/* Is it behind the topic, as far as it knows? Then a shot is right, and old. */
bool glimpse_is_behind(const glimpse_t *g);

#ifdef __cplusplus
}
#endif
#endif
