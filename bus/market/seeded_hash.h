/* SPDX-License-Identifier: Apache-2.0 */
/* seeded_hash.h - a hash whose values nobody outside this process can foretell.
 *
 * Order references, order ids and prices are chosen by others. With a hash that they know they
 * could choose thousands with one value, and every search would walk over all of them. So each
 * table has a seed of its own. What a table is asked for does not depend on the seed: nothing goes
 * over the entries of a table in the order of their hashes. Private to bus/market, risk and
 * feedsim/mold.
 */
#ifndef TICKBUS_MARKET_SEEDED_HASH_H
#define TICKBUS_MARKET_SEEDED_HASH_H

#include <stdint.h>

typedef struct hash_seed {
    uint64_t mix;
    uint64_t factor; /* odd */
} hash_seed_t;

/* Cold; a system call. */
hash_seed_t hash_seed_random(void);

/* A one-to-one mapping of 64 bits; take the high ones. The first product spreads runs of keys
 * evenly, whatever the seed; the second one decides, by random bits, what falls together. */
static inline uint64_t seeded_hash(const hash_seed_t *seed, uint64_t key)
{
    uint64_t x = (key ^ seed->mix) * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 32;
    return x * seed->factor;
}

#endif
