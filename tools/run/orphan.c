/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/orphan.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <tickbus/msg/event.h>
#include <tickbus/publisher.h>

#include "tools/control/orphans.h"
#include "tools/run/standing.h"

#define NAME_MAX_BYTES 80u

static bool records(const orphan_t *o)
{
    const layout_process_t *plan = &o->pipeline->layout->processes[o->process];
    for (uint32_t i = 0; i < plan->stages_count; i++)
        if (o->pipeline->stages[plan->stages[i]].instance->kind->traits & TBUS_KIND_RECORDS)
            return true;
    return false;
}

/* A stage of another process that lives; NULL: there is none. */
static const char *somebody_else(const orphan_t *o)
{
    for (uint32_t i = 0; i < o->pipeline->stages_count; i++) {
        const pipeline_stage_t *stage = &o->pipeline->stages[i];
        if (tbus_participant(&o->pipeline->bus, stage->owner)->process != o->process &&
            tbus_participant_alive(&o->pipeline->bus, stage->owner) == 1)
            return stage->instance->name;
    }
    return NULL;
}

/* As the first stage of this process, which has joined for its own topics already; events may not
 * be among them. */
static void tell(const orphan_t *o)
{
    const pipeline_stage_t *stage =
        &o->pipeline->stages[o->pipeline->layout->processes[o->process].stages[0]];
    tbus_ring_t *ring = tbus_bus_ring(&o->pipeline->bus, EVENT_TOPIC);
    tbus_publisher_t publisher;
    char text[EVENT_TEXT_MAX];
    if (!ring || tbus_publisher_join(ring, stage->owner, &publisher, NULL) < 0)
        return;
    event_message_t message = {.event = {.time_ns = tbus_clock_realtime_ns(),
                                         .sent_ns = tbus_bus_now_ns(&o->pipeline->bus),
                                         .uid = (uint32_t)geteuid(),
                                         .pid = (uint32_t)getpid(),
                                         .number = o->drained ? EVENT_ORPHAN_DRAINED : 0,
                                         .kind = EVENT_ORPHAN,
                                         .from = EVENT_FROM_STAGE}};
    layout_process_name(o->pipeline->layout, o->process, text, sizeof text);
    const char *left = somebody_else(o);
    if (records(o) && left) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, ", which has waited for %s in vain", left);
    }
    const char *rest = text;
    uint32_t bytes = event_put_text(&message, &rest);
    /* The recorder makes room, if it lives; if not, nobody reads it. */
    for (unsigned turns = 0; turns < 100; turns++) {
        if (tbus_publish_try(&publisher, &message, bytes) != TBUS_FULL)
            break;
        usleep(1000);
    }
    tbus_publisher_leave(&publisher);
}

/* Has every stage that lives been told to wind down, and come to rest once since? */
static bool all_wound_down(const orphan_t *o)
{
    for (uint32_t i = 0; i < o->pipeline->stages_count; i++) {
        uint32_t owner = o->pipeline->stages[i].owner;
        /* O2 pairs O1 (set_state): what it has published before is seen. */
        if (tbus_load_acquire_u32(&tbus_participant(&o->pipeline->bus, owner)->state) == TBUS_RUN &&
            tbus_participant_alive(&o->pipeline->bus, owner) == 1)
            return false;
    }
    return true;
}

/* Nothing is under way any more. */
static bool drained(orphan_t *o)
{
    if (!o->drained && all_wound_down(o))
        o->drained = tbus_bus_quiescent(&o->pipeline->bus, &o->quiescence);
    return o->drained;
}

/* Nothing has been taken for as long as anybody waits. */
static bool waits_in_vain(orphan_t *o)
{
    uint64_t now_ns = tbus_clock_ns(), taken = tbus_bus_taken(&o->pipeline->bus);
    if (!o->since_ns || taken != o->taken)
        o->since_ns = now_ns;
    o->taken = taken;
    return now_ns - o->since_ns >= ORPHAN_WAIT_NS;
}

bool orphan_may_leave(void *context)
{
    orphan_t *o = context;
    bool waits = !drained(o) || (records(o) && somebody_else(o));
    if (waits && !waits_in_vain(o))
        return false;
    if (o->told)
        return true;
    tell(o);
    o->told = true;
    return !records(o); /* its own message is still to be recorded */
}

/* What risk has latched for a loss, and no supervisor has seen. */
static void let_loss_stand(const pipeline_t *pipeline)
{
    kill_switch_state_t state;
    tbus_rundir_t dir;
    if (!pipeline->stands || tbus_rundir_open(false, &dir, NULL) < 0)
        return;
    kill_switch_look_reduction(pipeline->kill_switch, &state);
    standing_t standing = standing_of(&state);
    if (state.thrown && state.by == KILL_BY_LOSS)
        (void)standing_set(&dir, pipeline->bus.directory->name, STANDING_REDUCTION, &standing,
                           NULL);
    for (uint32_t left = kill_switch_latched(pipeline->kill_switch); left != 0; left &= left - 1) {
        char section[KILL_SWITCH_SECTION_MAX], latch[STANDING_LATCH_MAX];
        kill_switch_look_why(pipeline->kill_switch, (uint32_t)__builtin_ctz(left), section, &state);
        standing = standing_of(&state);
        (void)standing_set(&dir, pipeline->bus.directory->name,
                           standing_of_strategy(section, latch), &standing, NULL);
    }
    tbus_rundir_close(&dir);
}

void orphan_note(const orphan_t *orphan, int code)
{
    let_loss_stand(orphan->pipeline);
    char name[NAME_MAX_BYTES], text[TBUS_ERROR_TEXT_MAX];
    layout_process_name(orphan->pipeline->layout, orphan->process, name, sizeof name);
    if (code < 0)
        snprintf(text, sizeof text, "%s (process %d) has failed after its supervisor had died: %s",
                 name, (int)getpid(), tbus_strerror(code));
    else
        snprintf(text, sizeof text, "%s (process %d) has ended, as its supervisor had died", name,
                 (int)getpid());
    orphans_note(orphan->pipeline->bus.directory->name, text);
}
