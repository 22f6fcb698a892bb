/* SPDX-License-Identifier: Apache-2.0 */
/* acts.h - what is done to a stage from outside its inputs: halted, reduced to closing orders,
 * resumed, its limits changed.
 * The stage takes each at one place between its inputs, and says on the topic `events` at which
 * (tickbus/msg/event.h), so that its decisions can be repeated from what was recorded.
 *
 *    kill switch ----> acts_changed? ----> acts_take: `halted` and `reducing` change; HALT, REDUCE
 *                                          or RESUME is published
 *    new limits -----> (the stage) ------> acts_tell_limits
 *
 * A stage asks acts_changed before each input that depends on it, and obeys `halted` and
 * `reducing`, never the switch itself: between two messages on `events` its state is the same for
 * every input. What finds no room on the topic is kept; a stage is never held up by it.
 *
 * Where a recording is repeated (bus/market/recorded.h), acts come from there, each at the place at
 * which it was taken, and nothing comes from the switch.
 *
 * Part of risk/stage.h and risk/venue/executor.h.
 */
#ifndef TICKBUS_RISK_ACTS_H
#define TICKBUS_RISK_ACTS_H

#include <tickbus/msg/event.h>
#include <tickbus/outlet.h>
#include <tickbus/stage.h>

#include "bus/market/recorded.h"
#include "risk/kill_switch.h"

typedef struct acts {
    kill_switch_t *kill_switch; /* in the directory of the bus */
    tbus_stage_t *stage;        /* not owned */
    tbus_outlet_t events;
    uint8_t from;                    /* EVENT_FROM_... */
    bool halted;                     /* as this stage has taken it */
    bool reducing;                   /* likewise */
    uint32_t throws;                 /* generation of the last halt that was taken */
    uint32_t reductions;             /* ... and of the last reduction */
    uint32_t releases;               /* number of the last release that was taken */
    const recorded_acts_t *recorded; /* to be repeated; NULL: acts come from outside. Not owned */
    uint32_t repeated;               /* how many of them were taken */
    uint32_t resumes;                /* releases that were taken, from outside or repeated */
} acts_t;

/* Where a stage is in its inputs. */
typedef struct acts_place {
    uint64_t position; /* inputs taken other than ticks */
    uint64_t md_seq;
    uint64_t market_ns;
} acts_place_t;

/* Find the kill switch and join `events`. -TBUS_ENOTFOUND: the bus lacks one of them; -ENOMEM, and
 * what tbus_stage_join_publisher returns. Cold. */
int acts_join(acts_t *acts, tbus_stage_t *stage, uint8_t from, tbus_error_t *err);
/* Accepts one that is all zeros. */
void acts_leave(acts_t *acts);

/* The next act that is recorded and due at `place`; NULL: none is. */
static inline const recorded_act_t *acts_due(const acts_t *acts, const acts_place_t *place)
{
    if (acts->repeated == acts->recorded->count)
        return NULL;
    const recorded_act_t *act = &acts->recorded->acts[acts->repeated];
    return act->position <= place->position && act->md_seq <= place->md_seq ? act : NULL;
}

/* Was the switch thrown or released since, or may a recorded act be due? Hot. */
static inline bool acts_changed(const acts_t *acts)
{
    if (TBUS_UNLIKELY(acts->recorded != NULL))
        return acts->repeated != acts->recorded->count;
    const kill_switch_t *k = acts->kill_switch;
    /* hint: acts_take looks again. */
    return tbus_load_relaxed_u32(&k->halt.generation) != acts->throws ||
           tbus_load_relaxed_u32(&k->reduction.generation) != acts->reductions ||
           tbus_load_relaxed_u32(&k->releases) != acts->releases;
}

/* Take what has changed, before the next input: `halted` and `reducing` are what holds from here
 * on. Reductions are told by risk alone: nothing changes for the executor. Not where acts are
 * repeated. */
void acts_take(acts_t *acts, const acts_place_t *place);

/* Repeat a recorded act: HALT, REDUCE or RESUME. */
void acts_repeat(acts_t *acts, uint8_t kind);

/* Say that strategy `number` has its own loss latched from here on, and what the kill switch says
 * of that (kill_switch_look_why). */
void acts_tell_strategy(acts_t *acts, uint32_t number, const acts_place_t *place);

/* Say that the limits put in as set `number` hold from here on. */
void acts_tell_limits(acts_t *acts, uint32_t number, const acts_place_t *place);

/* Say that the feed ended at this place (EVENT_END). */
void acts_tell_end(acts_t *acts, const acts_place_t *place);

/* The stage ends: wait until a throw that somebody has begun is complete, at most some ms. True:
 * then acts_take finds something. Cold. */
bool acts_wait(const acts_t *acts);

/* Publish what was kept. Returns how many messages went out. */
static inline uint32_t acts_flush(acts_t *acts)
{
    return TBUS_UNLIKELY(acts->events.kept) ? tbus_outlet_flush(&acts->events) : 0;
}

#endif
