/* SPDX-License-Identifier: Apache-2.0 */
/* inputs.h - by the clock of the host: in which order a stage took its inputs.
 *
 * Nothing but the host decides there whether a report comes before or after a tick. So that a
 * session can be repeated, each stage that decides says on the topic `inputs` (EVENT_TAKEN,
 * tickbus/msg/event.h) what it takes that is not the next tick, and after which tick: a message for
 * each report, order and wind-down, none for a tick. Who repeats the session takes its inputs in
 * the order that was recorded.
 *
 * By the clock of the market the messages themselves say it, and nothing is published.
 *
 * Belongs to bus/market/drive.h, which keeps one for each stage.
 */
#ifndef TICKBUS_MARKET_INPUTS_H
#define TICKBUS_MARKET_INPUTS_H

#include <stdint.h>

#include <tickbus/msg/event.h>
#include <tickbus/outlet.h>
#include <tickbus/stage.h>

typedef struct recorded_input {
    uint64_t md_seq; /* the last tick taken before it */
    uint64_t which;  /* a report: its sequence; an order: number of its strategy */
    uint32_t what;   /* EVENT_INPUT_... */
    uint32_t pad;
} recorded_input_t;

/* Of one stage, in their order. */
typedef struct recorded_inputs {
    uint8_t from;    /* EVENT_FROM_... */
    uint32_t number; /* of a strategy; else 0 */
    uint64_t count;
    recorded_input_t *inputs;
} recorded_inputs_t;

typedef struct inputs {
    tbus_outlet_t out; /* without a publisher: nothing is told */
    uint8_t from;
    uint32_t number;
    const recorded_inputs_t *recorded; /* to be repeated; NULL: inputs are taken as they come */
    uint64_t repeated;
    tbus_atomic_u64_t *left; /* a counter: INPUTS_LEFT */
} inputs_t;

/* Of a stage that repeats and has been told to wind down: inputs that did not come. */
#define INPUTS_LEFT "inputs.left"

/* Join `inputs`, where the bus has it. `recorded`: may be NULL; then nothing is joined. Errors of
 * tbus_outlet_create and tbus_stage_join_publisher. Cold. */
int inputs_join(inputs_t *inputs, tbus_stage_t *stage, uint8_t from, uint32_t number,
                const recorded_inputs_t *recorded, tbus_error_t *err);
/* Accepts one that is all zeros. */
void inputs_leave(inputs_t *inputs);

/* It is taken now, after tick `md_seq`. Hot. */
void inputs_tell(inputs_t *inputs, const tbus_stage_t *stage, uint32_t what, uint64_t which,
                 uint64_t md_seq);

/* Nothing more is repeated. */
void inputs_leave_off(inputs_t *inputs);

/* What is to be taken next; NULL: nothing but ticks is left. */
static inline const recorded_input_t *inputs_next(const inputs_t *inputs)
{
    const recorded_inputs_t *r = inputs->recorded;
    return inputs->repeated < r->count ? &r->inputs[inputs->repeated] : NULL;
}

#endif
