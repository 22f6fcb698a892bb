/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/dayline.h"

#include "feedsim/synth/exponential.h"

#define HALF_HOUR_NS UINT64_C(1800000000000)

/* From midnight on. */
static const uint8_t weights[48] = {1,  1,  1,  1,  1,  1,  1, 1, 1, 1, 1, 1, 2, 3, 4,  6,
                                    9,  14, 30, 24, 15, 11, 9, 8, 7, 6, 6, 6, 7, 8, 10, 20,
                                    12, 4,  2,  1,  1,  1,  1, 1, 1, 1, 1, 1, 1, 1, 1,  1};

static uint64_t end_of_slot(uint64_t now_ns)
{
    return (now_ns / HALF_HOUR_NS + 1) * HALF_HOUR_NS;
}

static uint64_t weight_at(uint64_t now_ns)
{
    return weights[now_ns / HALF_HOUR_NS % 48];
}

void dayline_begin(dayline_t *d, uint64_t from_ns, uint64_t to_ns)
{
    *d = (dayline_t){.now_ns = from_ns, .to_ns = to_ns};
    for (uint64_t now_ns = from_ns; now_ns < to_ns;) {
        uint64_t end_ns = end_of_slot(now_ns);
        end_ns = end_ns < to_ns ? end_ns : to_ns;
        d->left += (end_ns - now_ns) * weight_at(now_ns);
        now_ns = end_ns;
    }
}

uint64_t dayline_next(dayline_t *d, uint32_t events, random_state_t *random)
{
    /* Mean one: 7/8 of a half and 1/8 of nine halves. */
    uint64_t gap_q24 = exponential_of_q32(random_next(random)) >> 9;
    if (random_chance(random, 1, 8))
        gap_q24 *= 9;
    /* gap / (events + gap), in Q32: always below one */
    uint64_t share_q32 = (gap_q24 << 32) / (((uint64_t)events << 24) + gap_q24);
    uint64_t gap = (uint64_t)((unsigned __int128)d->left * share_q32 >> 32);
    d->left -= gap;
    for (;;) {
        uint64_t end_ns = end_of_slot(d->now_ns), weight = weight_at(d->now_ns);
        uint64_t slot = (end_ns - d->now_ns) * weight;
        if (gap < slot || end_ns >= d->to_ns) {
            d->now_ns += gap / weight;
            return d->now_ns;
        }
        gap -= slot;
        d->now_ns = end_ns;
    }
}
