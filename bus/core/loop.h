/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - what the loop of a process and the stages that go in step share. Private to bus/core.
 *
 * Stages in step follow the same driving input, their first subscriber. They go through it together, tick by tick: the first takes up to the
 * loop's budget, each behind it takes exactly what the first took; then, if that caused anything (an order, a report), they have
 * further turns without a new tick until nothing moves any more. So what a stage has seen when it takes a tick depends on the ticks
 * before it and on nothing else: not on how fast the feed is, nor on the other processes. That is what makes a fused run repeatable.
 */
#ifndef TICKBUS_CORE_LOOP_H
#define TICKBUS_CORE_LOOP_H

#include <tickbus/stage.h>

/* Where the stages that go in step are. Zero at the start. */
typedef struct tbus_step {
    uint32_t at;      /* whose turn it is, counted from step_first */
    uint32_t took;    /* messages of the driving input that it has taken in this turn */
    uint32_t led;     /* those that the first took: what the others are to take */
    uint32_t settled; /* rounds without a new tick since the last one with */
    bool settling;    /* this round takes none */
    bool moved;       /* something else than ticks moved in this round */
} tbus_step_t;

/* One stage's turn: obey, poll. Work done, 0, or the negative error; a stage that failed is marked as such. */
int tbus_loop_turn(tbus_loop_t *loop, uint32_t stage, enum tbus_command *obeyed, uint32_t budget);

/* Turns of the stages that go in step, until one has to wait or all had one. A turn that waits is taken up again where it was left, so
 * that it comes to the same as one that did not have to. Work done, 0, or the negative error. */
int tbus_loop_turns_in_step(tbus_loop_t *loop, enum tbus_command *obeyed, tbus_step_t *step);

static inline bool tbus_loop_in_step(const tbus_loop_t *loop, uint32_t stage)
{
    return stage >= loop->step_first && stage < loop->step_first + loop->step_count;
}

#endif
