/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/acts.h"

#include <stdio.h>
#include <time.h>

/* Messages that are kept while the topic has no room. One more is left out, which the numbers of
 * those that follow tell. */
#define EVENTS_KEPT_MAX 32u

/* Who has begun to throw the switch may have lost its CPU. */
#define FINAL_LOOKS   100u
#define FINAL_LOOK_NS 200000

int acts_join(acts_t *acts, tbus_stage_t *stage, uint8_t from, tbus_error_t *err)
{
    acts->stage = stage;
    acts->from = from;
    int code = kill_switch_find(stage->bus, &acts->kill_switch, err);
    if (code == 0)
        code = tbus_outlet_create(&acts->events, EVENTS_KEPT_MAX, EVENT_BYTES_MAX, err);
    if (code == 0)
        code = tbus_stage_join_publisher(stage, EVENT_TOPIC, &acts->events.publisher, err);
    return code;
}

void acts_leave(acts_t *acts)
{
    tbus_outlet_destroy(&acts->events);
}

static event_t event_at(const acts_t *acts, uint8_t kind, const acts_place_t *place)
{
    return (event_t){.sent_ns = tbus_bus_now_ns(acts->stage->bus),
                     .position = place->position,
                     .md_seq = place->md_seq,
                     .market_ns = place->market_ns,
                     .kind = kind,
                     .from = acts->from};
}

static void tell(acts_t *acts, const event_t *event, const char *text)
{
    event_message_t message = {.event = *event};
    do {
        uint32_t bytes = event_put_text(&message, &text);
        tbus_outlet_send(&acts->events, &message, bytes);
    } while (*text);
}

/* HALT or REDUCE. */
static void tell_throw(acts_t *acts, uint8_t kind, const kill_switch_state_t *state,
                       const acts_place_t *place)
{
    event_t event = event_at(acts, kind, place);
    event.time_ns = state->thrown_ns;
    event.uid = state->uid;
    event.pid = state->pid;
    event.number = state->generation;
    event.by = (uint8_t)state->by; /* the numbers of both are the same */
    tell(acts, &event, state->reason);
}

static void tell_resume(acts_t *acts, const kill_switch_release_t *release,
                        const acts_place_t *place)
{
    event_t event = event_at(acts, EVENT_RESUME, place);
    event.time_ns = release->time_ns;
    event.uid = release->uid;
    event.pid = release->pid;
    event.number = release->number;
    tell(acts, &event, release->reason);
}

TBUS_STATIC_ASSERT((int)KILL_BY_NOBODY == (int)EVENT_BY_NONE);
TBUS_STATIC_ASSERT((int)KILL_BY_OPERATOR == (int)EVENT_BY_OPERATOR);
TBUS_STATIC_ASSERT((int)KILL_BY_SUPERVISOR == (int)EVENT_BY_SUPERVISOR);
TBUS_STATIC_ASSERT((int)KILL_BY_ORPHAN == (int)EVENT_BY_ORPHAN);
TBUS_STATIC_ASSERT((int)KILL_BY_SILENCE == (int)EVENT_BY_SILENCE);
TBUS_STATIC_ASSERT((int)KILL_BY_LOSS == (int)EVENT_BY_LOSS);

/* Is there a throw of this latch that was not taken yet? One that is not complete yet is taken the
 * next time. */
static bool is_new(const kill_switch_state_t *state, uint32_t taken, bool released)
{
    return state->generation != taken && (state->thrown || released);
}

void acts_take(acts_t *acts, const acts_place_t *place)
{
    kill_switch_release_t release;
    kill_switch_state_t halt, reduction;
    kill_switch_look_release(acts->kill_switch, &release); /* first: see kill_switch_release */
    kill_switch_look(acts->kill_switch, &halt);
    kill_switch_look_reduction(acts->kill_switch, &reduction);
    bool released = release.number != acts->releases;
    bool halted = is_new(&halt, acts->throws, released);
    bool reduced = is_new(&reduction, acts->reductions, released);
    bool tells_reductions = acts->from == EVENT_FROM_RISK;
    if (halted || released)
        acts->halted = halt.thrown;
    if (reduced || released)
        acts->reducing = reduction.thrown;
    /* Of several acts since the last look the last ones are told, in the order that leads to what
     * holds now: who repeats them must come to the same. RESUME ends both; a reduction that stands
     * behind it is told again. */
    if (halted && !halt.thrown)
        tell_throw(acts, EVENT_HALT, &halt, place);
    if (reduced && !reduction.thrown && tells_reductions)
        tell_throw(acts, EVENT_REDUCE, &reduction, place);
    if (released)
        tell_resume(acts, &release, place);
    if (halted && halt.thrown)
        tell_throw(acts, EVENT_HALT, &halt, place);
    if ((reduced || released) && reduction.thrown && tells_reductions)
        tell_throw(acts, EVENT_REDUCE, &reduction, place);
    acts->resumes += released;
    acts->releases = release.number;
    acts->throws = halted ? halt.generation : acts->throws;
    acts->reductions = reduced ? reduction.generation : acts->reductions;
}

void acts_repeat(acts_t *acts, uint8_t kind)
{
    bool resumes = kind == EVENT_RESUME;
    acts->halted = kind == EVENT_HALT || (acts->halted && !resumes);
    acts->reducing = kind == EVENT_REDUCE || (acts->reducing && !resumes);
    acts->resumes += resumes;
}

void acts_tell_strategy(acts_t *acts, uint32_t number, const acts_place_t *place)
{
    kill_switch_state_t why;
    char section[KILL_SWITCH_SECTION_MAX];
    char text[KILL_SWITCH_SECTION_MAX + 2 + KILL_SWITCH_REASON_MAX];
    event_t event = event_at(acts, EVENT_STRATEGY_REDUCE, place);
    kill_switch_look_why(acts->kill_switch, number, section, &why);
    event.time_ns = why.since_ns;
    event.uid = why.uid;
    event.pid = why.pid;
    event.number = number;
    event.by = EVENT_BY_LOSS;
    snprintf(text, sizeof text, "%s: %s", section, why.reason);
    tell(acts, &event, text);
}

void acts_tell_limits(acts_t *acts, uint32_t number, const acts_place_t *place)
{
    event_t event = event_at(acts, EVENT_LIMITS, place);
    event.number = number;
    tell(acts, &event, "");
}

void acts_tell_end(acts_t *acts, const acts_place_t *place)
{
    event_t event = event_at(acts, EVENT_END, place);
    tell(acts, &event, "");
}

/* A throw that is begun has its generation before its word. */
static bool is_complete(const kill_switch_state_t *state, uint32_t taken)
{
    return state->thrown || state->generation == taken;
}

bool acts_wait(const acts_t *acts)
{
    kill_switch_state_t halt, reduction;
    if (acts->recorded || !acts->kill_switch || !acts_changed(acts))
        return false;
    for (unsigned looks = 0; looks < FINAL_LOOKS; looks++) {
        kill_switch_look(acts->kill_switch, &halt);
        kill_switch_look_reduction(acts->kill_switch, &reduction);
        if (is_complete(&halt, acts->throws) && is_complete(&reduction, acts->reductions))
            break;
        nanosleep(&(struct timespec){.tv_nsec = FINAL_LOOK_NS}, NULL);
    }
    return true;
}
