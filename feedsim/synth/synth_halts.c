/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/synth_halts.h"

#include <string.h>

#define SECOND_NS UINT64_C(1000000000)
#define FIRST_NS  (35100 * SECOND_NS) /* 09:45 */
#define LAST_NS   (55800 * SECOND_NS) /* 15:30 */

static void find_first(synth_halts_t *h)
{
    h->due_ns = UINT64_MAX;
    for (uint32_t i = 0; i < h->count; i++)
        if (h->halts[i].due_ns < h->due_ns)
            h->due_ns = h->halts[i].due_ns;
}

void synth_halts_plan(synth_halts_t *h, random_state_t *random, uint32_t stocks)
{
    memset(h, 0, sizeof *h);
    uint32_t count = 1 + stocks / 6;
    h->count = count < SYNTH_HALTS_MAX ? count : SYNTH_HALTS_MAX;
    for (uint32_t i = 0; i < h->count; i++) {
        synth_halt_t *halt = &h->halts[i];
        uint64_t ms = random_below(random, (uint32_t)((LAST_NS - FIRST_NS) / 1000000));
        halt->due_ns = FIRST_NS + ms * 1000000 + random_below(random, 1000000);
        halt->stock = random_below(random, stocks);
        halt->pause = random_chance(random, 3, 4);
    }
    find_first(h);
}

synth_halt_t *synth_halts_first(synth_halts_t *h)
{
    for (uint32_t i = 0; i < h->count; i++)
        if (h->halts[i].due_ns == h->due_ns)
            return &h->halts[i];
    return NULL;
}

static uint64_t time_to_next(const synth_halt_t *halt)
{
    switch (halt->step) {
    case SYNTH_HALT_COLLAR:
        return 70000;
    case SYNTH_HALT_QUOTES:
        return (halt->pause ? 240 : 1140) * SECOND_NS;
    case SYNTH_HALT_CROSS:
        return 60 * SECOND_NS;
    default:
        return 20000;
    }
}

void synth_halts_step(synth_halts_t *h, synth_halt_t *halt)
{
    h->open += halt->step == SYNTH_HALT_BEGINS;
    halt->step++;
    if (halt->step == SYNTH_HALT_COLLAR && !halt->pause)
        halt->step++;
    h->open -= halt->step == SYNTH_HALT_OVER;
    halt->due_ns = halt->step == SYNTH_HALT_OVER ? UINT64_MAX : halt->due_ns + time_to_next(halt);
    find_first(h);
}

void synth_halts_drop(synth_halts_t *h, synth_halt_t *halt)
{
    halt->step = SYNTH_HALT_OVER;
    halt->due_ns = UINT64_MAX;
    find_first(h);
}
