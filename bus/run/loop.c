/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/stage.h>

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "bus/run/gaps.h"

/* Turns between two heartbeats of a busy loop; an idle one beats whenever it has slept. */
#define HEARTBEAT_TURNS 1024u
/* A stalled process does not sleep when its next deadline is nearer than this: a sleep takes some
 * tens of microseconds longer than it should. */
#define STALLED_NS_MIN UINT64_C(100000)

static tbus_participant_t *block(const tbus_loop_t *loop, uint32_t i)
{
    return tbus_participant(loop->bus, loop->stages[i]->owner);
}

static void set_state(const tbus_loop_t *loop, uint32_t i, enum tbus_participant_state state)
{
    /* O1 pairs O2 (the supervisor): else the state is seen before the reason and the counts. */
    tbus_store_release_u32(&block(loop, i)->state, state);
}

static void keep_reason(tbus_participant_t *p, const tbus_error_t *error)
{
    snprintf(p->reason, sizeof p->reason, "%s", error->text);
}

static bool orphaned(const tbus_loop_t *loop)
{
    return loop->orphaned && tbus_load_relaxed_u32(loop->orphaned);
}

static void beat(const tbus_loop_t *loop)
{
    uint64_t now_ns = tbus_clock_ns();
    for (uint32_t i = 0; i < loop->stages_count; i++) {
        tbus_store_relaxed_u64(&block(loop, i)->heartbeat, now_ns);
        tbus_store_relaxed_u64(&block(loop, i)->parks, loop->waiter.parks);
    }
    if (loop->on_beat)
        loop->on_beat(loop->beat_context, now_ns);
}

/* Nothing to do in a whole pass: make everything exact for onlookers, then count the pass
 * (tbus_bus_quiescent reads in that order). */
static void rest(const tbus_loop_t *loop)
{
    for (uint32_t i = 0; i < loop->stages_count; i++) {
        tbus_stage_t *stage = loop->stages[i];
        for (uint32_t k = 0; k < stage->publishers_count; k++)
            tbus_publisher_flush(stage->publishers[k]);
        for (uint32_t k = 0; k < stage->subscribers_count; k++)
            tbus_subscriber_flush(stage->subscribers[k]);
    }
    for (uint32_t i = 0; i < loop->stages_count; i++)
        if (!loop->stages[i]->pending) {
            tbus_participant_t *p = block(loop, i);
            /* Q1 pairs Q2 (tbus_bus_quiescent). */
            tbus_store_release_u64(&p->quiet, tbus_load_relaxed_u64(&p->quiet) + 1);
        }
}

static bool may_leave(const tbus_loop_t *loop)
{
    return !loop->may_leave || loop->may_leave(loop->leave_context);
}

/* Its source has ended: whoever watches may know. */
static void end_source(const tbus_loop_t *loop, uint32_t i)
{
    const tbus_stage_t *stage = loop->stages[i];
    tbus_participant_t *p = block(loop, i);
    if (tbus_load_relaxed_u32(&p->state) == TBUS_RUN) {
        if (stage->error.code)
            keep_reason(p, &stage->error);
        set_state(loop, i, TBUS_DONE);
    }
}

/* An orphan tells the others that it takes nothing from outside any more. */
static void end_sources(const tbus_loop_t *loop)
{
    for (uint32_t i = 0; i < loop->stages_count; i++)
        end_source(loop, i);
}

/* Each stage has had a turn since it was to wind down. The supervisor may die between the turn and
 * the look at whether it has. */
static bool wound_down(const tbus_loop_t *loop, const enum tbus_command *obeyed)
{
    for (uint32_t i = 0; i < loop->stages_count; i++)
        if (obeyed[i] < TBUS_CMD_WIND_DOWN)
            return false;
    return true;
}

static int fail_stage(const tbus_loop_t *loop, uint32_t i, int code)
{
    tbus_stage_t *stage = loop->stages[i];
    if (!stage->error.code)
        tbus_fail(&stage->error, code, "stage '%s': %s", stage->name, tbus_strerror(code));
    keep_reason(block(loop, i), &stage->error);
    set_state(loop, i, TBUS_FAIL);
    return code;
}

static void obey(tbus_loop_t *loop, uint32_t i, enum tbus_command *obeyed)
{
    tbus_stage_t *stage = loop->stages[i];
    /* H2 pairs H1 (supervisor_command). */
    enum tbus_command command = (enum tbus_command)tbus_load_acquire_u32(&block(loop, i)->command);
    if (orphaned(loop) && command < TBUS_CMD_WIND_DOWN) {
        /* Nobody supervises any more: no input is to be taken, what is in flight is drained and
         * recorded. What else must not happen now, on_orphaned knows. */
        if (loop->on_orphaned)
            loop->on_orphaned(loop->orphaned_context);
        command = TBUS_CMD_WIND_DOWN;
    }
    if (command >= TBUS_CMD_WIND_DOWN && *obeyed < TBUS_CMD_WIND_DOWN && stage->ops->wind_down)
        stage->ops->wind_down(stage);
    *obeyed = command;
}

/* How many stages from `first` on are polled together. */
static uint32_t together(const tbus_loop_t *loop, uint32_t first)
{
    const tbus_stage_ops_t *ops = loop->stages[first]->ops;
    uint32_t count = 1;
    while (ops->poll_together && first + count < loop->stages_count &&
           loop->stages[first + count]->ops->poll_together == ops->poll_together)
        count++;
    return count;
}

/* Work done, 0, or the negative error of the stage *failed, counted from `first`. */
static int poll_group(tbus_loop_t *loop, uint32_t first, uint32_t count, uint32_t *failed)
{
    tbus_stage_t **stages = &loop->stages[first];
    *failed = 0;
    return stages[0]->ops->poll_together
               ? stages[0]->ops->poll_together(stages, count, loop->budget, failed)
               : stages[0]->ops->poll(stages[0], loop->budget);
}

/* May all of these wait? */
static bool may_wait(const tbus_loop_t *loop, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++)
        if (!loop->stages[i]->yields)
            return false;
    return true;
}

/* Does one of these wait for a moment that is near? Who gives the CPU to others between two looks
 * (TBUS_WAIT_YIELD) does so then, too: else they would have none where each message is near. */
static bool imminent(const tbus_loop_t *loop, uint32_t first, uint32_t count)
{
    bool any = false;
    for (uint32_t i = first; i < first + count; i++)
        any |= loop->stages[i]->imminent;
    return any && loop->waiter.mode != TBUS_WAIT_YIELD;
}

/* Every stage's turn once, but for those that yield to one before them (*out_soon). Work done, 0,
 * or the negative error of the stage that failed. */
static int pass(tbus_loop_t *loop, enum tbus_command *obeyed, bool *out_soon)
{
    int work = 0;
    bool soon = false;
    for (uint32_t first = 0, count; first < loop->stages_count; first += count) {
        uint32_t failed;
        count = together(loop, first);
        for (uint32_t i = first; i < first + count; i++)
            obey(loop, i, &obeyed[i]);
        if (soon && may_wait(loop, first, count))
            continue;
        int done = poll_group(loop, first, count, &failed);
        if (TBUS_UNLIKELY(done < 0))
            return fail_stage(loop, first + failed, done);
        for (uint32_t i = first; i < first + count; i++)
            if (TBUS_UNLIKELY(loop->stages[i]->source_done))
                end_source(loop, i);
        work |= done;
        soon |= imminent(loop, first, count);
    }
    *out_soon = soon;
    return work;
}

static uint64_t next_deadline_ns(const tbus_loop_t *loop)
{
    uint64_t next = TBUS_STAGE_NO_DEADLINE;
    for (uint32_t i = 0; i < loop->stages_count; i++) {
        const tbus_stage_t *stage = loop->stages[i];
        uint64_t at =
            stage->ops->deadline_ns ? stage->ops->deadline_ns(stage) : TBUS_STAGE_NO_DEADLINE;
        if (at < next)
            next = at;
    }
    return next;
}

static bool all_told(const tbus_loop_t *loop, enum tbus_command command)
{
    for (uint32_t i = 0; i < loop->stages_count; i++)
        /* H2 pairs H1 (supervisor_command). */
        if (tbus_load_acquire_u32(&block(loop, i)->command) < (uint32_t)command)
            return false;
    return true;
}

/* READY, then hold still until every stage of this process may run. False: told to stop before
 * that. */
static bool wait_for_start(tbus_loop_t *loop)
{
    for (uint32_t i = 0; i < loop->stages_count; i++)
        set_state(loop, i, TBUS_READY);
    while (!all_told(loop, TBUS_CMD_RUN)) {
        if (orphaned(loop))
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    if (all_told(loop, TBUS_CMD_STOP))
        return false;
    for (uint32_t i = 0; i < loop->stages_count; i++)
        set_state(loop, i, TBUS_RUN);
    return true;
}

static void heal_bus(void *context)
{
    tbus_bus_heal((tbus_bus_t *)context);
}

/* A ring that the waiter does not watch could not wake this process: then it must not start. */
static int watch_rings(tbus_loop_t *loop)
{
    loop->waiter.heal = heal_bus;
    loop->waiter.heal_context = loop->bus;
    for (uint32_t i = 0; i < loop->stages_count; i++) {
        tbus_stage_t *stage = loop->stages[i];
        int code = 0;
        for (uint32_t k = 0; code == 0 && k < stage->subscribers_count; k++)
            code = tbus_waiter_watch_subscriber(&loop->waiter, stage->subscribers[k]);
        for (uint32_t k = 0; code == 0 && k < stage->publishers_count; k++)
            code = tbus_waiter_watch_publisher(&loop->waiter, stage->publishers[k]);
        if (code < 0) {
            tbus_fail(
                &stage->error, code,
                "stage '%s': with it one process subscribes to, or publishes on, more than %u "
                "rings; spread the stages over more processes (--layout split)",
                stage->name, TBUS_WAITER_RINGS_MAX);
            return fail_stage(loop, i, code);
        }
    }
    return 0;
}

/* Every stage of the bus is there: those of this process find the ones that they wait for. */
static int start_stages(tbus_loop_t *loop)
{
    for (uint32_t i = 0; i < loop->stages_count; i++) {
        tbus_stage_t *stage = loop->stages[i];
        int code = stage->ops->start ? stage->ops->start(stage) : 0;
        for (uint32_t k = 0; code == 0 && k < stage->horizons_count; k++)
            code = tbus_waiter_watch_horizon(&loop->waiter, stage->horizons[k]);
        if (code < 0)
            return fail_stage(loop, i, code);
    }
    return 0;
}

/* Somebody declared a participant of this process dead, while it was stopped: what it published
 * since is not there, and nothing more will be. */
static int find_stale(const tbus_loop_t *loop)
{
    for (uint32_t i = 0; i < loop->stages_count; i++)
        for (uint32_t k = 0; k < loop->stages[i]->publishers_count; k++) {
            const tbus_publisher_t *p = loop->stages[i]->publishers[k];
            if (TBUS_UNLIKELY(p->error != 0)) {
                tbus_fail(&loop->stages[i]->error, p->error, "stage '%s', topic '%s': %s",
                          loop->stages[i]->name, p->ring.shared->name, tbus_strerror(p->error));
                return fail_stage(loop, i, p->error);
            }
        }
    return 0;
}

static int finish_stages(const tbus_loop_t *loop)
{
    int first_error = 0;
    rest(loop);
    for (uint32_t i = 0; i < loop->stages_count; i++) {
        tbus_stage_t *stage = loop->stages[i];
        int code = stage->ops->finish ? stage->ops->finish(stage) : 0;
        if (code < 0) {
            fail_stage(loop, i, code);
            first_error = first_error ? first_error : code;
        } else {
            if (stage->error.text[0] && !block(loop, i)->reason[0])
                keep_reason(block(loop, i), &stage->error);
            set_state(loop, i, TBUS_HALT);
        }
    }
    return first_error;
}

static inline void watch(tbus_loop_t *loop, enum tbus_turn turn, int work)
{
    if (TBUS_UNLIKELY(loop->gap_watch))
        tbus_gap_watch_turn(loop->gap_watch, loop, turn, work);
}

/* Between two passes that found nothing. */
static void idle(tbus_loop_t *loop)
{
    tbus_stage_t *stage = loop->stages[0];
    if (loop->stages_count == 1 && stage->ops->sleep && loop->waiter.mode == TBUS_WAIT_PARK &&
        !stage->pending && !stage->source_done) {
        loop->waiter.parks++;
        stage->ops->sleep(stage, next_deadline_ns(loop));
        return;
    }
    uint64_t deadline_ns = next_deadline_ns(loop);
    if (TBUS_UNLIKELY(tbus_loop_is_stalled(loop))) {
        uint64_t now_ns = tbus_clock_ns();
        if (deadline_ns > now_ns + STALLED_NS_MIN) {
            tbus_waiter_park(&loop->waiter, now_ns, deadline_ns);
            return;
        }
    }
    tbus_waiter_idle(&loop->waiter, deadline_ns);
}

int tbus_loop_run(tbus_loop_t *loop)
{
    enum tbus_command obeyed[TBUS_PARTICIPANTS_MAX] = {TBUS_CMD_HOLD};
    if (loop->stages_count > TBUS_PARTICIPANTS_MAX)
        return -EINVAL;
    int code = watch_rings(loop);
    if (code < 0)
        return code;
    if (!wait_for_start(loop))
        return finish_stages(loop);
    code = start_stages(loop);
    if (code < 0)
        return code;
    uint64_t allocated_before = loop->allocated_bytes ? loop->allocated_bytes() : 0;
    for (uint32_t turns = 0;; turns++) {
        bool soon = false;
        int work = pass(loop, obeyed, &soon);
        if (work < 0)
            return work;
        if (turns % HEARTBEAT_TURNS == 0)
            beat(loop);
        if (turns % HEARTBEAT_TURNS == 0 || !(work || soon)) {
            int stale = find_stale(loop);
            if (stale < 0)
                return stale;
        }
        if (work) {
            tbus_waiter_found(&loop->waiter);
            watch(loop, TBUS_TURN_WORKED, work);
            continue;
        }
        if (soon) {
            tbus_pause();
            watch(loop, TBUS_TURN_WORKED, 0);
            continue;
        }
        rest(loop);
        watch(loop, TBUS_TURN_IDLE, 0);
        bool ends = orphaned(loop) && wound_down(loop, obeyed);
        if (ends)
            end_sources(loop);
        if (all_told(loop, TBUS_CMD_STOP) || (ends && may_leave(loop)))
            break;
        /* No input comes any more, and the run may be held like this for hours: what is still in
         * flight may take a wake-up, and a CPU that is kept busy gains nothing. */
        if (wound_down(loop, obeyed))
            loop->waiter.mode = TBUS_WAIT_PARK;
        uint64_t parks = loop->waiter.parks;
        idle(loop);
        if (loop->waiter.parks != parks) {
            watch(loop, TBUS_TURN_SLEPT, 0);
            beat(loop);
        }
    }
    if (loop->allocated_bytes)
        for (uint32_t i = 0; i < loop->stages_count; i++)
            tbus_store_relaxed_u64(&block(loop, i)->hot_allocations,
                                   loop->allocated_bytes() - allocated_before);
    beat(loop);
    return finish_stages(loop);
}
