/* SPDX-License-Identifier: Apache-2.0 */
/* synth_halts.h - the halts of a synthetic day: which stock, when, and what is said about each.
 *
 *    H P  (LUDP)  pause for volatility, five minutes      H H  (T1)  news pending, 20 minutes
 *    J            the collar of its auction
 *    H Q          orders are put and pulled, nothing trades: the last minute
 *    C N ... Q    the cross that reopens it (synth_cross.h)
 *    H T          trading goes on
 *
 * Drawn before the day begins: one for each six stocks and one more, at most SYNTH_HALTS_MAX,
 * between 09:45 and 15:30. What is said about each: ITCH 5.0, sections 1.2.2 (H) and 1.2.7 (J).
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_SYNTH_HALTS_H
#define TICKBUS_FEEDSIM_SYNTH_SYNTH_HALTS_H

#include <stdbool.h>
#include <stdint.h>

#include "feedsim/synth/random.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SYNTH_HALTS_MAX 64u

enum synth_halt_step {
    SYNTH_HALT_BEGINS, /* H P or H H */
    SYNTH_HALT_COLLAR, /* J; of a pause alone */
    SYNTH_HALT_QUOTES, /* H Q */
    SYNTH_HALT_CROSS,  /* C N, Q */
    SYNTH_HALT_ENDS,   /* H T */
    SYNTH_HALT_OVER
};

typedef struct synth_halt {
    uint64_t due_ns; /* of its next step */
    uint32_t stock;  /* index */
    uint8_t step;    /* enum synth_halt_step */
    bool pause;      /* else news */
} synth_halt_t;

typedef struct synth_halts {
    uint64_t due_ns; /* of the first step of all; UINT64_MAX: none is left */
    uint32_t count;
    uint32_t open; /* have begun and not ended */
    synth_halt_t halts[SYNTH_HALTS_MAX];
} synth_halts_t;

void synth_halts_plan(synth_halts_t *h, random_state_t *random, uint32_t stocks);

/* The one whose step is due first; due_ns is not UINT64_MAX. */
synth_halt_t *synth_halts_first(synth_halts_t *h);

/* That step was made: on to the next one. */
void synth_halts_step(synth_halts_t *h, synth_halt_t *halt);

/* It does not take place. It has not begun. */
void synth_halts_drop(synth_halts_t *h, synth_halt_t *halt);

/* Messages that one takes beside those of its cross that are C. */
static inline uint32_t synth_halt_messages(const synth_halt_t *halt)
{
    return halt->pause ? 5 : 4;
}

#ifdef __cplusplus
}
#endif
#endif
