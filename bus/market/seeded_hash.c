/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/seeded_hash.h"

#include <sys/random.h>
#include <unistd.h>

#include <tickbus/clock.h>

hash_seed_t hash_seed_random(void)
{
    hash_seed_t seed;
    /* A host that has no random bits yet: what others are least likely to know. */
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (hash_seed_t){.mix = tbus_clock_ns() * UINT64_C(0x9e3779b97f4a7c15),
                             .factor = (uint64_t)(uintptr_t)&seed * (uint64_t)getpid()};
    seed.factor |= 1;
    return seed;
}
