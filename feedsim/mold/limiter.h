/* SPDX-License-Identifier: Apache-2.0 */
/* limiter.h - what an address may have of a re-request server: requests, and bytes of answers.
 *
 * A request of 20 bytes brings an answer of 1,400, to an address that anybody can write into a
 * datagram: seventy times what it costs who forges it. So bytes are limited, and not requests
 * alone:
 *
 *    receiver   an address and a port      half of what its address has, so that no receiver can
 *                                          take all from another one behind the same address
 *    address    all receivers behind it    `requests_rate` and `bytes_rate` a second, and a burst
 *                                          at once
 *    total      all addresses              `total_rate` bytes a second
 *
 * Addresses of loopback have no limit of bytes: no packet from elsewhere can bear one.
 *
 * A request is let through while there is credit for it; the bytes of its answer are charged when
 * they are known, and may bring a debt that is waited for. A bucket is kept as the time at which it
 * will be full again (the generic cell rate algorithm of ATM, ITU-T I.371): one that is full is
 * like one that was never used. So when an address finds no place, the one that is nearest to being
 * full is forgotten, which lets its owner have a little more than it should, and nobody less. Which
 * addresses share their places cannot be foretold.
 *
 * All memory is taken when it is made. One thread.
 */
#ifndef TICKBUS_FEEDSIM_MOLD_LIMITER_H
#define TICKBUS_FEEDSIM_MOLD_LIMITER_H

#include <stdint.h>

#include <tickbus/error.h>

#include "bus/market/seeded_hash.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOLDOUT_ADDRESSES_MAX 8192u /* that are kept at a time, and as many receivers */
#define MOLDOUT_RATE_MAX      10000000u
#define MOLDOUT_BURST_MAX     10000000u
#define MOLDOUT_BYTES_MAX     (UINT64_C(1) << 34)

typedef struct moldout_limits {
    uint32_t requests_rate;  /* a second of an address, at most MOLDOUT_RATE_MAX; 0: no limit */
    uint32_t requests_burst; /* 1 to MOLDOUT_BURST_MAX */
    uint64_t bytes_rate;     /* of answers a second to an address; 0: no limit. As the others at
                                most MOLDOUT_BYTES_MAX */
    uint64_t bytes_burst;
    uint64_t total_rate; /* bytes a second to all of them, and at once; 0: no limit */
} moldout_limits_t;

typedef struct moldout_bucket {
    uint8_t address[16];       /* IPv6, as gateway_peer_address has it */
    uint64_t port;             /* of a receiver; of an address 0 */
    uint64_t requests_full_ns; /* when it is full again; 0: it always was */
    uint64_t bytes_full_ns;
} moldout_bucket_t;

/* Of requests, or of bytes. */
typedef struct moldout_rate {
    uint64_t per_second; /* 0: no limit */
    uint64_t depth_ns;   /* that fills an empty bucket */
} moldout_rate_t;

typedef struct moldout_limiter {
    moldout_rate_t requests;
    moldout_rate_t bytes;
    moldout_rate_t total;
    uint64_t total_full_ns;
    hash_seed_t seed;
    moldout_bucket_t *addresses; /* MOLDOUT_ADDRESSES_MAX; owned, as the next */
    moldout_bucket_t *receivers;
} moldout_limiter_t;

/* -ENOMEM. Cold. */
int moldout_limiter_create(const moldout_limits_t *limits, moldout_limiter_t *out_limiter,
                           tbus_error_t *err);
void moldout_limiter_destroy(moldout_limiter_t *l); /* accepts one that is all zeros */

enum moldout_limited {
    MOLDOUT_ALLOWED = 0,
    MOLDOUT_LIMITED = 1,    /* its receiver or address has had enough */
    MOLDOUT_LIMITED_ALL = 2 /* all together have */
};

/* May this receiver make a request now? When it may, it has. `now_ns` does not go back. */
enum moldout_limited moldout_limiter_take(moldout_limiter_t *l, const uint8_t address[16],
                                          uint16_t port, uint64_t now_ns);

/* An answer of `bytes` bytes goes there. */
void moldout_limiter_charge(moldout_limiter_t *l, const uint8_t address[16], uint16_t port,
                            uint32_t bytes, uint64_t now_ns);

#ifdef __cplusplus
}
#endif
#endif
