/* SPDX-License-Identifier: Apache-2.0 */
/* synth_flow.h - trading in made-up symbols, one message at a time.
 *
 * Each symbol has a fair price that wanders, one cent at a time, within a band. Owners put orders
 * around it, and pull, cut and replace them; incoming orders execute against the best level of the
 * other side, oldest order first, one fill a message. When the fair price has passed the best level
 * of a side, that level is pulled or taken: so the touch follows it.
 *
 * What synth_plain.h promises of books and references is kept here. Used by
 * feedsim/synth/synth_plain.c alone.
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_SYNTH_FLOW_H
#define TICKBUS_FEEDSIM_SYNTH_SYNTH_FLOW_H

#include <stdint.h>

#include <tickbus/msg/tick.h>
#include "feedsim/synth/ladder.h"
#include "feedsim/synth/random.h"
#include "feedsim/synth/synth_admin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SYNTH_OPEN_NS  (UINT64_C(34200) * 1000000000) /* 09:30:00 */
#define SYNTH_START_NS (SYNTH_OPEN_NS - 500000000)
#define SYNTH_CLOSE_NS (UINT64_C(57600) * 1000000000) /* 16:00:00 */

typedef struct synth_symbol {
    char name[8];
    uint16_t locate;
    uint32_t base_px_e4; /* of level 0 of the ladder; a level is one cent */
    uint32_t target;     /* live orders that it tends to */
    int fair;            /* level */
    int trend;           /* -1, +1: where the fair price last went */
    uint64_t paired;     /* shares for the next cross */
    ladder_t ladder;
} synth_symbol_t;

/* An incoming order that is being executed. */
typedef struct synth_sweep {
    synth_symbol_t *symbol;
    enum ladder_side side; /* of the resting orders */
    int limit;             /* level */
    uint32_t qty;          /* shares left; 0: none is under way */
    uint32_t fills;        /* that it may still get */
} synth_sweep_t;

typedef struct synth_flow {
    random_state_t random;
    uint64_t now_ns; /* exchange time */
    uint64_t ref;    /* last order reference given out */
    uint64_t match;  /* last match number */
    synth_sweep_t sweep;
} synth_flow_t;

void synth_flow_init(synth_flow_t *f, uint64_t seed);

/* `locate` below 1000: it makes the name too. */
void synth_symbol_init(synth_symbol_t *symbol, synth_flow_t *f, uint16_t locate);

/* Let some time pass. */
void synth_flow_advance(synth_flow_t *f);

/* The next message of trading. Between two calls no book may be changed. */
void synth_flow_trade(synth_flow_t *f, synth_symbol_t *symbols, uint32_t count, tick_t *out);

/* For messages beside trading: stamp (NULL: about no stock), price of a level, a plausible
 * quantity. */
synth_stamp_t synth_flow_stamp(const synth_flow_t *f, const synth_symbol_t *symbol);
uint32_t synth_symbol_px(const synth_symbol_t *symbol, int level);
uint32_t synth_flow_qty(synth_flow_t *f);

#ifdef __cplusplus
}
#endif
#endif
