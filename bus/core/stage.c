/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/stage.h>

#include <stdio.h>
#include <string.h>

#define HEARTBEAT_TURNS                                                                                      \
    1024u /* turns between two heartbeats of a busy loop; an idle one beats whenever it looks at the clock   \
             anyway */

int tbus_stage_subscribe(tbus_stage_t *stage, const char *topic, const char *name, tbus_subscriber_t *out,
                         tbus_error_t *err)
{
    tbus_ring_t *ring = tbus_bus_ring(stage->bus, topic);
    if (!ring)
        return tbus_fail(err, -TBUS_ENOTFOUND, "stage '%s': the bus has no topic '%s'", stage->name, topic);
    if (stage->subscribers_count == TBUS_STAGE_RINGS_MAX)
        return tbus_fail(err, -TBUS_EFULL, "stage '%s' subscribes more than %u topics", stage->name,
                         TBUS_STAGE_RINGS_MAX);
    int code = tbus_subscriber_join(ring, name, stage->owner, out, err);
    if (code == 0)
        stage->subscribers[stage->subscribers_count++] = out;
    return code;
}

int tbus_stage_publish(tbus_stage_t *stage, const char *topic, tbus_publisher_t *out, tbus_error_t *err)
{
    tbus_ring_t *ring = tbus_bus_ring(stage->bus, topic);
    if (!ring)
        return tbus_fail(err, -TBUS_ENOTFOUND, "stage '%s': the bus has no topic '%s'", stage->name, topic);
    if (stage->publishers_count == TBUS_STAGE_RINGS_MAX)
        return tbus_fail(err, -TBUS_EFULL, "stage '%s' publishes more than %u topics", stage->name,
                         TBUS_STAGE_RINGS_MAX);
    int code = tbus_publisher_join(ring, stage->owner, out, err);
    if (code == 0)
        stage->publishers[stage->publishers_count++] = out;
    return code;
}

static tbus_participant_t *block(const tbus_loop_t *loop, uint32_t i)
{
    return tbus_participant(loop->bus, loop->stages[i]->owner);
}

static void set_state(const tbus_loop_t *loop, uint32_t i, enum tbus_participant_state state)
{
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
}

/* Nothing to do in a whole pass: make everything exact for onlookers, then count the pass (tbus_bus_quiescent
 * reads in that order). */
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

static int fail_stage(const tbus_loop_t *loop, uint32_t i, int code)
{
    tbus_stage_t *stage = loop->stages[i];
    if (!stage->error.code)
        tbus_fail(&stage->error, code, "stage '%s': %s", stage->name, tbus_strerror(code));
    keep_reason(block(loop, i), &stage->error);
    set_state(loop, i, TBUS_FAIL);
    return code;
}

/* One stage's turn: obey, poll. Work done, 0, or the negative error. */
static int turn(tbus_loop_t *loop, uint32_t i, enum tbus_command *obeyed, uint32_t budget)
{
    tbus_stage_t *stage = loop->stages[i];
    tbus_participant_t *p = block(loop, i);
    enum tbus_command command = (enum tbus_command)tbus_load_acquire_u32(&p->command);
    if (orphaned(loop) && command < TBUS_CMD_WIND_DOWN) {
        /* Nobody supervises any more: no order is to pass, no input to be taken; what is in flight is drained
         * and recorded. */
        tbus_store_relaxed_u32(&loop->bus->directory->halted, 1);
        command = TBUS_CMD_WIND_DOWN;
    }
    if (command >= TBUS_CMD_WIND_DOWN && *obeyed < TBUS_CMD_WIND_DOWN && stage->ops->wind_down)
        stage->ops->wind_down(stage);
    *obeyed = command;
    bool was_done = stage->source_done;
    int work = stage->ops->poll(stage, budget);
    if (work >= 0 && stage->source_done && (!was_done || tbus_load_relaxed_u32(&p->state) == TBUS_RUN)) {
        if (stage->error.code)
            keep_reason(p, &stage->error);
        set_state(loop, i, TBUS_DONE);
    }
    return work;
}

/* Where stages that go in step are. */
typedef struct step {
    uint32_t at;   /* whose turn it is, counted from step_first */
    uint32_t took; /* messages of the driving input that it has taken in this turn */
    uint32_t led;  /* those that the first took: what the others are to take */
} step_t;

static bool in_step(const tbus_loop_t *loop, uint32_t i)
{
    return i >= loop->step_first && i < loop->step_first + loop->step_count;
}

/* Is it a stage of this very step that leaves no room, by having a whole ring unread? Told from our own handles:
 * how far other processes are must not matter. */
static bool waits_for_step(const tbus_loop_t *loop, const tbus_publisher_t *p)
{
    uint64_t published =
        p->ring.several_publishers ? tbus_ring_published(&p->ring) : p->position - p->ring.first_seq;
    for (uint32_t i = loop->step_first; in_step(loop, i); i++)
        for (uint32_t k = 0; k < loop->stages[i]->subscribers_count; k++) {
            const tbus_subscriber_t *s = loop->stages[i]->subscribers[k];
            if (s->ring.shared == p->ring.shared && published - s->consumed >= p->ring.slot_count)
                return true;
        }
    return false;
}

/* The stage in turn waits for room. Holding the others still would be for ever if it is one of them that has to
 * make it: then they take what they have, but nothing new from the driving input. */
static int let_others_make_room(tbus_loop_t *loop, uint32_t waiting, enum tbus_command *obeyed)
{
    const tbus_stage_t *stage = loop->stages[waiting];
    bool ours = false;
    int work = 0;
    for (uint32_t k = 0; k < stage->publishers_count; k++)
        ours |= waits_for_step(loop, stage->publishers[k]);
    for (uint32_t i = loop->step_first; ours && in_step(loop, i); i++) {
        int done = i == waiting ? 0 : turn(loop, i, &obeyed[i], 0);
        if (done < 0)
            return fail_stage(loop, i, done);
        work += done;
    }
    return work;
}

/* Turns of the stages that go in step, until one has to wait or all had one. A turn that waits is taken up again
 * where it was left, so that it comes to the same as one that did not have to. */
static int turns_in_step(tbus_loop_t *loop, enum tbus_command *obeyed, step_t *step)
{
    int work = 0;
    for (uint32_t polled = 0; polled < loop->step_count; polled++) {
        uint32_t i = loop->step_first + step->at;
        const tbus_subscriber_t *driving = loop->stages[i]->subscribers[0];
        uint32_t share = step->at == 0 ? loop->budget : step->led;
        uint64_t before = driving->consumed;
        int done = turn(loop, i, &obeyed[i], share - step->took);
        if (done < 0)
            return fail_stage(loop, i, done);
        work += done;
        step->took += (uint32_t)(driving->consumed - before);
        if (loop->stages[i]->pending || (step->at != 0 && step->took < share)) {
            done = let_others_make_room(loop, i, obeyed);
            return done < 0 ? done : work + done;
        }
        if (step->at == 0)
            step->led = step->took;
        step->took = 0;
        step->at = (step->at + 1) % loop->step_count;
    }
    return work;
}

/* Every stage's turn once. Work done, 0, or the negative error of the stage that failed. */
static int pass(tbus_loop_t *loop, enum tbus_command *obeyed, step_t *step)
{
    int work = 0;
    for (uint32_t i = 0; i < loop->stages_count; i++) {
        int done;
        if (in_step(loop, i)) {
            done = turns_in_step(loop, obeyed, step);
            i += loop->step_count - 1;
        } else {
            done = turn(loop, i, &obeyed[i], loop->budget);
            if (done < 0)
                fail_stage(loop, i, done);
        }
        if (done < 0)
            return done;
        work |= done;
    }
    return work;
}

static uint64_t next_deadline_ns(const tbus_loop_t *loop)
{
    uint64_t next = TBUS_STAGE_NO_DEADLINE;
    for (uint32_t i = 0; i < loop->stages_count; i++) {
        const tbus_stage_t *stage = loop->stages[i];
        uint64_t at = stage->ops->deadline_ns ? stage->ops->deadline_ns(stage) : TBUS_STAGE_NO_DEADLINE;
        if (at < next)
            next = at;
    }
    return next;
}

static bool all_told(const tbus_loop_t *loop, enum tbus_command command)
{
    for (uint32_t i = 0; i < loop->stages_count; i++)
        if (tbus_load_acquire_u32(&block(loop, i)->command) < (uint32_t)command)
            return false;
    return true;
}

/* READY, then hold still until every stage of this process may run. False: told to stop before that. */
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

static void watch_rings(tbus_loop_t *loop)
{
    loop->waiter.heal = heal_bus;
    loop->waiter.heal_context = loop->bus;
    for (uint32_t i = 0; i < loop->stages_count; i++) {
        tbus_stage_t *stage = loop->stages[i];
        for (uint32_t k = 0; k < stage->subscribers_count; k++)
            tbus_waiter_watch_subscriber(&loop->waiter, stage->subscribers[k]);
        for (uint32_t k = 0; k < stage->publishers_count; k++)
            tbus_waiter_watch_publisher(&loop->waiter, stage->publishers[k]);
    }
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
            set_state(loop, i, TBUS_HALT);
        }
    }
    return first_error;
}

int tbus_loop_run(tbus_loop_t *loop)
{
    enum tbus_command obeyed[TBUS_PARTICIPANTS_MAX] = {TBUS_CMD_HOLD};
    step_t step = {0};
    watch_rings(loop);
    if (!wait_for_start(loop))
        return finish_stages(loop);
    uint64_t allocated_before = loop->allocated_bytes ? loop->allocated_bytes() : 0;
    for (uint32_t turns = 0;; turns++) {
        int work = pass(loop, obeyed, &step);
        if (work < 0)
            return work;
        if (turns % HEARTBEAT_TURNS == 0)
            beat(loop);
        if (work) {
            tbus_waiter_found(&loop->waiter);
            continue;
        }
        rest(loop);
        if (all_told(loop, TBUS_CMD_STOP) || orphaned(loop))
            break;
        uint64_t parks = loop->waiter.parks;
        tbus_waiter_idle(&loop->waiter, next_deadline_ns(loop));
        if (loop->waiter.parks != parks)
            beat(loop);
    }
    if (loop->allocated_bytes)
        for (uint32_t i = 0; i < loop->stages_count; i++)
            tbus_store_relaxed_u64(&block(loop, i)->hot_allocations,
                                   loop->allocated_bytes() - allocated_before);
    beat(loop);
    return finish_stages(loop);
}

static uint32_t topics_count(const tbus_bus_t *bus)
{
    return bus->directory->topics_count;
}

/* Everything published was taken by every gating subscriber, as last flushed. *out_sum: messages published on
 * all topics. */
static bool all_taken(tbus_bus_t *bus, uint64_t *out_sum)
{
    uint64_t sum = 0;
    for (uint32_t t = 0; t < topics_count(bus); t++) {
        const tbus_ring_t *ring = &bus->rings[t];
        uint64_t published = tbus_ring_published(ring);
        sum += published;
        uint64_t by_consumers = 0;
        bool competing = false;
        for (uint32_t i = 0; i < TBUS_RING_SUBS_MAX; i++) {
            const tbus_ring_sub_t *sub = &ring->shared->subs[i];
            if (tbus_load_acquire_u32(&sub->state) == TBUS_SUB_VACANT)
                continue;
            uint64_t taken = tbus_load_relaxed_u64(&sub->consumed) + tbus_load_relaxed_u64(&sub->tombs);
            if (sub->role == TBUS_CONSUMER) {
                by_consumers += taken;
                competing = true;
            } else if (taken != published) {
                return false;
            }
        }
        if (competing && by_consumers != published)
            return false;
    }
    *out_sum = sum;
    return true;
}

static bool counts_quiet(uint32_t state)
{
    return state == TBUS_RUN || state == TBUS_DONE;
}

bool tbus_bus_quiescent(tbus_bus_t *bus, tbus_quiescence_t *state)
{
    uint64_t sum = 0;
    if (state->armed) {
        for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++) {
            const tbus_participant_t *p = &bus->directory->participants[i];
            if (!counts_quiet(tbus_load_relaxed_u32(&p->state)))
                continue;
            /* Q2 pairs Q1 (rest). Two more: the first may have begun before the earlier look. */
            if (tbus_load_acquire_u64(&p->quiet) < state->quiet[i] + 2)
                return false;
        }
        if (all_taken(bus, &sum) && sum == state->published_sum)
            return true;
    }
    state->armed = all_taken(bus, &sum);
    state->published_sum = sum;
    for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++)
        state->quiet[i] = tbus_load_acquire_u64(&bus->directory->participants[i].quiet);
    return false;
}
