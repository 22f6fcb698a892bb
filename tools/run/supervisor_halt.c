/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/supervisor_parts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/control/members.h"
#include "tools/control/orphans.h"
#include "tools/run/last_session.h"
#include "tools/run/standing.h"
#include "tools/show/outcome.h"

/* What was left of a bus whose supervisor has died is recorded, and ends. */
#define LEFT_OVER_NS UINT64_C(2000000000)

/* What an operator has thrown stands until it is resumed, whatever becomes of this run. */
static void let_it_stand(supervisor_t *s, const char *latch, const standing_t *standing)
{
    tbus_error_t why = {0};
    if (standing_set(&s->dir, s->request->options->config.bus.name, latch, standing, &why) < 0)
        supervisor_complain(s, "%s: it will not outlive this run", why.text);
}

/* True: a file stands, and nothing is thrown that would do what it says; or it was empty when that
 * was thrown, and says by now why. */
static bool is_to_be_thrown(supervisor_t *s, const char *latch, bool thrown, bool *unsaid,
                            standing_t *out_standing)
{
    if (thrown && !*unsaid)
        return false;
    bool stands = standing_look(&s->dir, s->request->options->config.bus.name, latch, out_standing);
    *unsaid = stands && out_standing->unsaid;
    return stands && (!thrown || !*unsaid);
}

void supervisor_obey_standing(supervisor_t *s)
{
    kill_switch_t *kill_switch = s->pipeline.kill_switch;
    standing_t standing;
    if (!supervisor_stages(s) || !s->pipeline.stands)
        return;
    if (is_to_be_thrown(s, STANDING_HALT, kill_switch_thrown(kill_switch), &s->halt_unsaid,
                        &standing)) {
        kill_switch_throw_as(kill_switch, KILL_BY_OPERATOR, standing_actor(&standing),
                             standing.reason);
        s->halt_stands = true;
        supervisor_nudge(s);
    }
    if (is_to_be_thrown(s, STANDING_REDUCTION, kill_switch_reduces(kill_switch),
                        &s->reduction_unsaid, &standing)) {
        kill_switch_reduce_as(kill_switch, standing.by, standing_actor(&standing), standing.reason);
        s->reduction_stands = true;
        supervisor_nudge(s);
    }
}

static void watch_halt(supervisor_t *s)
{
    kill_switch_state_t state;
    kill_switch_look(s->pipeline.kill_switch, &state);
    if (!state.thrown || state.generation == s->halt)
        return;
    s->halt = state.generation;
    if (state.by == KILL_BY_SILENCE)
        supervisor_complain(s, "halted by its own stages: %s; `%s resume` when that is mended",
                            state.reason, outcome_program());
    else if (s->halt_stands)
        supervisor_note(s, "risk halted, as it was before: %s; `%s resume` when that is mended",
                        state.reason, outcome_program());
    else
        supervisor_note(s, "risk halted: %s", state.reason);
    standing_t standing = standing_of(&state);
    if (state.by == KILL_BY_OPERATOR && s->pipeline.stands && !s->halt_stands)
        let_it_stand(s, STANDING_HALT, &standing);
    s->halt_stands = false;
}

/* What a replay loses stops nothing but the replay. */
static void watch_reduction(supervisor_t *s)
{
    kill_switch_state_t state;
    kill_switch_look_reduction(s->pipeline.kill_switch, &state);
    if (!state.thrown || state.generation == s->reduction)
        return;
    s->reduction = state.generation;
    supervisor_note(s, "risk lets only closing orders pass%s: %s; `%s resume` when that is mended",
                    s->reduction_stands ? ", as it was before" : "", state.reason,
                    outcome_program());
    standing_t standing = standing_of(&state);
    if (s->pipeline.stands && !s->reduction_stands)
        let_it_stand(s, STANDING_REDUCTION, &standing);
    s->reduction_stands = false;
}

/* ---- strategies that have lost what they may by themselves */

static void watch_strategies(supervisor_t *s)
{
    uint32_t latched = kill_switch_latched(s->pipeline.kill_switch);
    uint32_t before = kill_switch_latched_before(s->pipeline.kill_switch);
    for (uint32_t left = latched & ~s->latched; left != 0; left &= left - 1) {
        uint32_t number = (uint32_t)__builtin_ctz(left);
        char section[KILL_SWITCH_SECTION_MAX], latch[STANDING_LATCH_MAX];
        bool as_before = before >> number & 1;
        kill_switch_state_t why;
        kill_switch_look_why(s->pipeline.kill_switch, number, section, &why);
        supervisor_note(s,
                        "%s lets only its own closing orders pass%s: %s; `%s resume` when that is "
                        "mended",
                        section, as_before ? ", as it was before" : "", why.reason,
                        outcome_program());
        standing_t standing = standing_of(&why);
        if (s->pipeline.stands && !as_before)
            let_it_stand(s, standing_of_strategy(section, latch), &standing);
    }
    s->latched = latched;
}

/* Which strategies begin latched, before there are stages. One that has no limits of its own any
 * more cannot be held to them: then the bus is. */
static void begin_strategies(supervisor_t *s)
{
    const char *name = s->request->options->config.bus.name;
    uint32_t latched = 0;
    for (uint32_t i = 0; i < s->pipeline.stages_count; i++) {
        const pipeline_stage_t *stage = &s->pipeline.stages[i];
        char section[CONFIG_PATH_MAX], latch[STANDING_LATCH_MAX], reason[KILL_SWITCH_REASON_MAX];
        standing_t standing;
        config_instance_section(stage->instance, section);
        if (!(stage->instance->kind->traits & TBUS_KIND_TRADES) ||
            !standing_look(&s->dir, name, standing_of_strategy(section, latch), &standing))
            continue;
        strategy_limits_t limits = strategy_limits_of(stage->instance->kind->params,
                                                      config_instance_values(stage->instance));
        if (strategy_limits_any(&limits)) {
            latched |= UINT32_C(1) << stage->number;
            kill_switch_tell_why(s->pipeline.kill_switch, stage->number, section,
                                 standing_actor(&standing), standing.reason);
            continue;
        }
        snprintf(reason, sizeof reason, "%s: %.120s; and it has no limits of its own now", section,
                 standing.reason);
        kill_switch_reduce_as(s->pipeline.kill_switch, KILL_BY_LOSS, standing_actor(&standing),
                              reason);
    }
    kill_switch_begin_latched(s->pipeline.kill_switch, latched);
}

static int clear_strategies(supervisor_t *s, tbus_error_t *err)
{
    int code = 0;
    for (uint32_t i = 0; code == 0 && i < s->pipeline.stages_count; i++) {
        const pipeline_stage_t *stage = &s->pipeline.stages[i];
        char section[CONFIG_PATH_MAX], latch[STANDING_LATCH_MAX];
        config_instance_section(stage->instance, section);
        if (stage->instance->kind->traits & TBUS_KIND_TRADES)
            code = standing_clear(&s->dir, s->request->options->config.bus.name,
                                  standing_of_strategy(section, latch), err);
    }
    return code;
}

/* ---- what was recorded */

/* A file that is there already says it as it was thrown. */
static void take(supervisor_t *s, const last_session_t *last, const char *latch,
                 const last_latch_t *of, const char *what)
{
    standing_t standing;
    if (!of->thrown ||
        standing_look(&s->dir, s->request->options->config.bus.name, latch, &standing))
        return;
    standing = of->how;
    last_session_reason(last, &standing);
    supervisor_note(s, "the last session of this bus, recorded in %s, ended %s", last->directory,
                    what);
    let_it_stand(s, latch, &standing);
}

/* 1: *out_last is how the session ended that this run continues; 0: it continues none. */
static int look_for_last(const supervisor_t *s, last_session_t *out_last, tbus_error_t *err)
{
    const start_options_t *options = s->request->options;
    const char *journal = config_journal(&options->config), *from = options->continues;
    const char *name = options->config.bus.name;
    if (from && strcmp(from, "none") == 0)
        return 0;
    if (from)
        return last_session_read(from, name, out_last, err);
    return *journal ? last_session_find(journal, name, out_last, err) : 0;
}

static int take_last(supervisor_t *s, tbus_error_t *err)
{
    char latch[STANDING_LATCH_MAX];
    last_session_t last;
    int code = look_for_last(s, &last, err);
    if (code <= 0)
        return code;
    take(s, &last, STANDING_HALT, &last.halt,
         last.uncertain ? "nobody knows how, and so counts as halted" : "halted");
    take(s, &last, STANDING_REDUCTION, &last.reduction, "with closing orders only");
    for (uint32_t i = 0; i < last.strategies_count; i++)
        take(s, &last, standing_of_strategy(last.strategies[i].section, latch),
             &last.strategies[i].latch, "with a strategy that had lost what it may");
    return 0;
}

int supervisor_take_over(supervisor_t *s, tbus_error_t *err)
{
    if (!s->pipeline.stands || !supervisor_stages(s))
        return 0;
    int code = take_last(s, err);
    begin_strategies(s);
    return code;
}

void supervisor_watch_halt(supervisor_t *s)
{
    kill_switch_beat(s->pipeline.kill_switch, tbus_clock_ns());
    supervisor_obey_standing(s);
    watch_halt(s);
    watch_reduction(s);
    watch_strategies(s);
}

void supervisor_halt(supervisor_t *s, kill_switch_actor_t actor, const char *reason)
{
    if (!supervisor_stages(s))
        return;
    kill_switch_throw_as(s->pipeline.kill_switch, KILL_BY_OPERATOR, actor, reason);
    supervisor_nudge(s);
    supervisor_watch_halt(s);
}

void supervisor_reduce(supervisor_t *s, kill_switch_actor_t actor, const char *reason)
{
    kill_switch_reduce_as(s->pipeline.kill_switch, KILL_BY_OPERATOR, actor, reason);
    supervisor_nudge(s);
    supervisor_watch_halt(s);
}

int supervisor_resume(supervisor_t *s, bool reduced, kill_switch_actor_t actor, const char *reason,
                      tbus_error_t *err)
{
    kill_switch_t *kill_switch = s->pipeline.kill_switch;
    const char *name = s->request->options->config.bus.name;
    /* First: no order that opens a position is to pass in between. */
    if (reduced)
        supervisor_reduce(s, actor, reason);
    /* What stands for other runs than this rehearsal is not its business. */
    int code = s->pipeline.stands ? standing_clear(&s->dir, name, STANDING_HALT, err) : 0;
    if (code == 0 && !reduced && s->pipeline.stands)
        code = standing_clear(&s->dir, name, STANDING_REDUCTION, err);
    if (code == 0 && s->pipeline.stands)
        code = clear_strategies(s, err);
    if (code < 0)
        return code;
    if (reduced)
        kill_switch_release_halt(kill_switch, actor, reason);
    else
        kill_switch_release(kill_switch, actor, reason);
    supervisor_nudge(s);
    supervisor_note(s, reduced ? "risk resumed for closing orders: %s" : "risk resumed: %s",
                    reason);
    return 0;
}

void supervisor_write_members(supervisor_t *s)
{
    const tbus_bus_t *bus = &s->pipeline.bus;
    const char *name = s->request->options->config.bus.name;
    tbus_error_t why = {0};
    members_t members = {.rehearses = s->request->rehearses,
                         .count = 1,
                         .list[0] = {.pid = getpid(), .name = "supervisor"}};
    for (uint32_t i = 0; i < s->layout.processes_count && members.count < MEMBERS_MAX; i++) {
        if (!s->processes[i].pid)
            continue;
        member_t *member = &members.list[members.count++];
        member->pid = s->processes[i].pid;
        snprintf(member->name, sizeof member->name, "%s", s->processes[i].name);
    }
    members.fds[members.fds_count++] = bus->directory_segment.fd;
    for (uint32_t i = 0; i < bus->topics_count; i++)
        members.fds[members.fds_count++] = bus->topic_segments[i].fd;
    if (members_write(&s->dir, name, &members, &why) < 0)
        supervisor_say(s, "%s: while this supervisor is stopped or stuck, `%s halt` will not work",
                       why.text, outcome_program());
}

static void show_orphan(void *context, const char *text)
{
    supervisor_say(context, "of the supervisor before: %s", text);
}

int supervisor_expect_nobody(supervisor_t *s, tbus_error_t *err)
{
    const char *name = s->request->options->config.bus.name;
    uint64_t deadline_ns = tbus_clock_ns() + LEFT_OVER_NS;
    members_t members;
    if (members_read(&s->dir, name, &members, NULL) < 0) {
        orphans_take(&s->dir, name, show_orphan, s);
        return 0;
    }
    for (uint32_t i = 0; i < members.count; i++) {
        while (member_lives(&members.list[i], &members, name) && tbus_clock_ns() < deadline_ns)
            usleep(10000);
        if (member_lives(&members.list[i], &members, name))
            return tbus_fail(err, -TBUS_EEXISTS,
                             "'%s' (process %d) of a bus '%s' whose supervisor has died is still "
                             "there; end it (kill -9 %d), or start this one under another --name",
                             members.list[i].name, (int)members.list[i].pid, name,
                             (int)members.list[i].pid);
    }
    members_remove(&s->dir, name);
    orphans_take(&s->dir, name, show_orphan, s);
    return 0;
}
