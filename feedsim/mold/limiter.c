/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/mold/limiter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)
#define WAYS      8u /* places that an address may have */
#define SETS_LOG2 10u
#define SETS      (1u << SETS_LOG2)
_Static_assert(SETS *WAYS == MOLDOUT_ADDRESSES_MAX, "each place belongs to one set");

int moldout_limiter_create(uint32_t rate, uint32_t burst, moldout_limiter_t *out_limiter,
                           tbus_error_t *err)
{
    moldout_limiter_t l = {.seed = hash_seed_random()};
    if (rate)
        l.interval_ns = SECOND_NS / rate;
    l.depth_ns = l.interval_ns * burst;
    l.buckets = calloc(MOLDOUT_ADDRESSES_MAX, sizeof *l.buckets);
    if (!l.buckets)
        return tbus_fail(err, -ENOMEM, "no memory for the addresses that ask for packets again");
    *out_limiter = l;
    return 0;
}

void moldout_limiter_destroy(moldout_limiter_t *l)
{
    free(l->buckets);
    *l = (moldout_limiter_t){0};
}

/* The address's own bucket, or the one of its places that is nearest to being full. */
static moldout_bucket_t *find(const moldout_limiter_t *l, const uint8_t address[16])
{
    uint64_t words[2];
    memcpy(words, address, sizeof words);
    uint64_t hash = seeded_hash(&l->seed, seeded_hash(&l->seed, words[0]) ^ words[1]);
    moldout_bucket_t *set = &l->buckets[(hash >> (64 - SETS_LOG2)) * WAYS];
    moldout_bucket_t *fullest = set;
    for (uint32_t i = 0; i < WAYS; i++) {
        if (set[i].full_ns && memcmp(set[i].address, address, sizeof set[i].address) == 0)
            return &set[i];
        if (set[i].full_ns < fullest->full_ns)
            fullest = &set[i];
    }
    memcpy(fullest->address, address, sizeof fullest->address);
    fullest->full_ns = 0;
    return fullest;
}

bool moldout_limiter_take(moldout_limiter_t *l, const uint8_t address[16], uint64_t now_ns)
{
    if (!l->interval_ns)
        return true;
    moldout_bucket_t *b = find(l, address);
    uint64_t from_ns = b->full_ns > now_ns ? b->full_ns : now_ns;
    if (from_ns + l->interval_ns > now_ns + l->depth_ns)
        return false;
    b->full_ns = from_ns + l->interval_ns;
    return true;
}
