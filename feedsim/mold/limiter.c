/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/mold/limiter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS    UINT64_C(1000000000)
#define WAYS         8u /* places that an address may have */
#define SETS_LOG2    10u
#define SETS         (1u << SETS_LOG2)
#define DEPTH_NS_MAX (86400 * SECOND_NS) /* a burst for whole days is as good as none */
#define SHARE        2u /* of a receiver in what its address has: one part in so many */
_Static_assert(SETS *WAYS == MOLDOUT_ADDRESSES_MAX, "each place belongs to one set");
_Static_assert(MOLDOUT_BYTES_MAX <= UINT64_MAX / SECOND_NS, "see cost_ns");

static uint64_t cost_ns(const moldout_rate_t *rate, uint64_t units)
{
    return units * SECOND_NS / rate->per_second;
}

static moldout_rate_t rate_of(uint64_t per_second, uint64_t burst)
{
    moldout_rate_t rate = {.per_second = per_second};
    rate.depth_ns = per_second ? cost_ns(&rate, burst) : 0;
    if (rate.depth_ns > DEPTH_NS_MAX)
        rate.depth_ns = DEPTH_NS_MAX;
    return rate;
}

int moldout_limiter_create(const moldout_limits_t *limits, moldout_limiter_t *out_limiter,
                           tbus_error_t *err)
{
    moldout_limiter_t l = {.seed = hash_seed_random(),
                           .requests = rate_of(limits->requests_rate, limits->requests_burst),
                           .bytes = rate_of(limits->bytes_rate, limits->bytes_burst),
                           .total = rate_of(limits->total_rate, limits->total_rate)};
    l.addresses = calloc(MOLDOUT_ADDRESSES_MAX, sizeof *l.addresses);
    l.receivers = calloc(MOLDOUT_ADDRESSES_MAX, sizeof *l.receivers);
    if (!l.addresses || !l.receivers) {
        moldout_limiter_destroy(&l);
        return tbus_fail(err, -ENOMEM, "no memory for the addresses that ask for packets again");
    }
    *out_limiter = l;
    return 0;
}

void moldout_limiter_destroy(moldout_limiter_t *l)
{
    free(l->addresses);
    free(l->receivers);
    *l = (moldout_limiter_t){0};
}

/* --- buckets --- */

static uint64_t full_ns(const moldout_bucket_t *b)
{
    return b->requests_full_ns > b->bytes_full_ns ? b->requests_full_ns : b->bytes_full_ns;
}

/* Its own bucket, or the one of its places that is nearest to being full. */
static moldout_bucket_t *find(const moldout_limiter_t *l, moldout_bucket_t *buckets,
                              const uint8_t address[16], uint64_t port)
{
    uint64_t words[2];
    memcpy(words, address, sizeof words);
    uint64_t hash = seeded_hash(&l->seed, seeded_hash(&l->seed, words[0]) ^ words[1]);
    hash = seeded_hash(&l->seed, hash ^ port);
    moldout_bucket_t *set = &buckets[(hash >> (64 - SETS_LOG2)) * WAYS];
    moldout_bucket_t *fullest = set;
    for (uint32_t i = 0; i < WAYS; i++) {
        if (full_ns(&set[i]) && set[i].port == port &&
            memcmp(set[i].address, address, sizeof set[i].address) == 0)
            return &set[i];
        if (full_ns(&set[i]) < full_ns(fullest))
            fullest = &set[i];
    }
    *fullest = (moldout_bucket_t){.port = port};
    memcpy(fullest->address, address, sizeof fullest->address);
    return fullest;
}

/* Is there credit for that much, or is it full? */
static bool has(const moldout_rate_t *rate, uint64_t full, uint64_t need_ns, uint64_t now_ns)
{
    uint64_t from_ns = full > now_ns ? full : now_ns;
    if (need_ns > rate->depth_ns)
        need_ns = rate->depth_ns;
    return rate->per_second == 0 || from_ns + need_ns <= now_ns + rate->depth_ns;
}

static void charge(uint64_t *full, uint64_t need_ns, uint64_t now_ns)
{
    *full = (*full > now_ns ? *full : now_ns) + need_ns;
}

/* Of this host alone: a packet from elsewhere that says so is thrown away by the kernel. */
static bool is_loopback(const uint8_t address[16])
{
    static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t v6[16] = {[15] = 1};
    return (memcmp(address, v4, sizeof v4) == 0 && address[12] == 127) ||
           memcmp(address, v6, sizeof v6) == 0;
}

/* --- requests --- */

enum moldout_limited moldout_limiter_take(moldout_limiter_t *l, const uint8_t address[16],
                                          uint16_t port, uint64_t now_ns)
{
    moldout_bucket_t *a = find(l, l->addresses, address, 0);
    moldout_bucket_t *r = find(l, l->receivers, address, port);
    uint64_t need_ns = l->requests.per_second ? cost_ns(&l->requests, 1) : 0;
    if (!has(&l->requests, a->requests_full_ns, need_ns, now_ns) ||
        !has(&l->requests, r->requests_full_ns, SHARE * need_ns, now_ns))
        return MOLDOUT_LIMITED;
    if (!is_loopback(address)) {
        if (!has(&l->bytes, a->bytes_full_ns, 1, now_ns) ||
            !has(&l->bytes, r->bytes_full_ns, 1, now_ns))
            return MOLDOUT_LIMITED;
        if (!has(&l->total, l->total_full_ns, 1, now_ns))
            return MOLDOUT_LIMITED_ALL;
    }
    if (l->requests.per_second) {
        charge(&a->requests_full_ns, need_ns, now_ns);
        charge(&r->requests_full_ns, SHARE * need_ns, now_ns);
    }
    return MOLDOUT_ALLOWED;
}

void moldout_limiter_charge(moldout_limiter_t *l, const uint8_t address[16], uint16_t port,
                            uint32_t bytes, uint64_t now_ns)
{
    if (is_loopback(address))
        return;
    if (l->bytes.per_second) {
        uint64_t need_ns = cost_ns(&l->bytes, bytes);
        charge(&find(l, l->addresses, address, 0)->bytes_full_ns, need_ns, now_ns);
        charge(&find(l, l->receivers, address, port)->bytes_full_ns, SHARE * need_ns, now_ns);
    }
    if (l->total.per_second)
        charge(&l->total_full_ns, cost_ns(&l->total, bytes), now_ns);
}
