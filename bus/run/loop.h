/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - what the loop of a process and the stages that go in step share. Private to bus/run.
 *
 * Stages in step follow the same driving input, their first subscriber. They go through it
 * together, tick by tick: the first takes one, each behind it takes that one too if the first did;
 * then, if that caused anything (an order, a report), they have further turns without a new tick
 * until nothing moves any more. So what a stage has seen when it takes a tick depends on the ticks
 * before it and on nothing else: not on how fast the feed is, nor on the other processes. That is
 * what makes a fused run repeatable.
 */
#ifndef TICKBUS_BUS_RUN_LOOP_H
#define TICKBUS_BUS_RUN_LOOP_H

#include <tickbus/stage.h>

/* Where the stages that go in step are. Zero at the start. */
typedef struct tbus_step {
    uint32_t at;      /* whose turn it is, counted from step_first */
    uint32_t took;    /* messages of the driving input that it has taken in this turn: 0 or 1 */
    uint32_t led;     /* what the first took, which the others are to take */
    uint32_t settled; /* rounds without a new tick since the last one with */
    bool settling;    /* this round takes none */
    bool moved;       /* something else than ticks moved in this round */
} tbus_step_t;

/* A stage's turn is: obey, poll. Those in step obey before a batch of turns. */
void tbus_loop_obey(tbus_loop_t *loop, uint32_t stage, enum tbus_command *obeyed);
/* Mark a stage whose poll told `work` as failed, when that is negative, or else as done. Returns
 * `work`. */
int tbus_loop_end(tbus_loop_t *loop, uint32_t stage, int work);
/* Work done, 0, or the negative error. */
static inline int tbus_loop_poll(tbus_loop_t *loop, uint32_t stage, uint32_t budget)
{
    tbus_stage_t *polled = loop->stages[stage];
    int work = polled->ops->poll(polled, budget);
    return TBUS_LIKELY(work >= 0 && !polled->source_done) ? work : tbus_loop_end(loop, stage, work);
}

/* Turns of the stages that go in step: up to the loop's budget of rounds, until one has to wait or
 * a round finds nothing to do. A turn that waits is taken up again where it was left, so that it
 * comes to the same as one that did not have to. All obey before the first of them. Work done, 0,
 * or the negative error. */
int tbus_loop_turns_in_step(tbus_loop_t *loop, enum tbus_command *obeyed, tbus_step_t *step);

static inline bool tbus_loop_in_step(const tbus_loop_t *loop, uint32_t stage)
{
    return stage >= loop->step_first && stage < loop->step_first + loop->step_count;
}

#endif
