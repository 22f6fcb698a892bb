/* SPDX-License-Identifier: Apache-2.0 */
/* limiter.h - how many requests an address may make: a token bucket for each, in a table that does
 * not grow.
 *
 * A request of 20 bytes brings an answer of 1,400, to an address that anybody can write into a
 * datagram. So an address has `burst` requests at once and `rate` a second from then on, whatever
 * its port; what is beyond is not answered.
 *
 * A bucket is kept as the time at which it will be full again (the generic cell rate algorithm of
 * ATM, ITU-T I.371): one that is full is like one that was never used. So when an address finds no
 * place, the one that is nearest to being full is forgotten, which lets its owner have a little
 * more than it should, and nobody less. Which addresses share their places cannot be foretold.
 *
 * All memory is taken when it is made. One thread.
 */
#ifndef TICKBUS_FEEDSIM_MOLD_LIMITER_H
#define TICKBUS_FEEDSIM_MOLD_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "bus/market/seeded_hash.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOLDOUT_ADDRESSES_MAX 8192u /* that are kept at a time */
#define MOLDOUT_RATE_MAX      10000000u
#define MOLDOUT_BURST_MAX     10000000u

typedef struct moldout_bucket {
    uint8_t address[16]; /* IPv6, as gateway_peer_address has it */
    uint64_t full_ns;    /* when it is full again; 0: nobody's */
} moldout_bucket_t;

typedef struct moldout_limiter {
    uint64_t interval_ns; /* that fills in one request; 0: no limit */
    uint64_t depth_ns;    /* that fills an empty bucket */
    hash_seed_t seed;
    moldout_bucket_t *buckets; /* MOLDOUT_ADDRESSES_MAX; owned */
} moldout_limiter_t;

/* `rate` requests a second at most MOLDOUT_RATE_MAX, 0: no limit; `burst` of 1 to
 * MOLDOUT_BURST_MAX. -ENOMEM. Cold. */
int moldout_limiter_create(uint32_t rate, uint32_t burst, moldout_limiter_t *out_limiter,
                           tbus_error_t *err);
void moldout_limiter_destroy(moldout_limiter_t *l); /* accepts one that is all zeros */

/* May this address make a request now? It then has. `now_ns` does not go back. */
bool moldout_limiter_take(moldout_limiter_t *l, const uint8_t address[16], uint64_t now_ns);

#ifdef __cplusplus
}
#endif
#endif
