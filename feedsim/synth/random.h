/* SPDX-License-Identifier: Apache-2.0 */
/* random.h - numbers that look random and are the same for the same seed on every host:
 * xoshiro256++ 1.0, its state filled by splitmix64 (prng.di.unimi.it describes both). Integers
 * only, no floating point. Not for secrets.
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_RANDOM_H
#define TICKBUS_FEEDSIM_SYNTH_RANDOM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct random_state {
    uint64_t word[4];
} random_state_t;

static inline uint64_t random_rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void random_seed(random_state_t *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        r->word[i] = z ^ (z >> 31);
    }
}

static inline uint64_t random_next(random_state_t *r)
{
    uint64_t *s = r->word;
    uint64_t result = random_rotate_left(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = random_rotate_left(s[3], 45);
    return result;
}

/* 0 .. limit - 1; uneven by less than limit / 2^32. */
static inline uint32_t random_below(random_state_t *r, uint32_t limit)
{
    return (uint32_t)(((random_next(r) >> 32) * limit) >> 32);
}

/* True `count` times in `of`, on average. */
static inline int random_chance(random_state_t *r, uint32_t count, uint32_t of)
{
    return random_below(r, of) < count;
}

#ifdef __cplusplus
}
#endif
#endif
