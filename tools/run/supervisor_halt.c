/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/supervisor_parts.h"

#include <stdio.h>
#include <unistd.h>

#include "tools/control/members.h"
#include "tools/control/orphans.h"
#include "tools/run/standing_halt.h"
#include "tools/show/outcome.h"

/* What was left of a bus whose supervisor has died is recorded, and ends. */
#define LEFT_OVER_NS UINT64_C(2000000000)

/* An operator's halt stands until it is resumed, whatever becomes of this run. */
static void let_it_stand(supervisor_t *s, const kill_switch_state_t *state)
{
    standing_halt_t halt = {.time_ns = state->thrown_ns, .actor = {state->uid, state->pid}};
    tbus_error_t why = {0};
    snprintf(halt.reason, sizeof halt.reason, "%s", state->reason);
    if (standing_halt_set(&s->dir, s->request->options->config.bus.name, &halt, &why) < 0)
        supervisor_complain(s, "%s: the halt will not outlive this run", why.text);
}

void supervisor_obey_standing_halt(supervisor_t *s)
{
    kill_switch_t *kill_switch = s->pipeline.kill_switch;
    standing_halt_t halt;
    if (!supervisor_stages(s) || kill_switch_thrown(kill_switch) ||
        !standing_halt_look(&s->dir, s->request->options->config.bus.name, &halt))
        return;
    kill_switch_throw_as(kill_switch, KILL_BY_OPERATOR, halt.actor, halt.reason);
    supervisor_nudge(s);
    s->halt_stands = true;
}

void supervisor_watch_halt(supervisor_t *s)
{
    kill_switch_t *kill_switch = s->pipeline.kill_switch;
    kill_switch_beat(kill_switch, tbus_clock_ns());
    supervisor_obey_standing_halt(s);
    uint32_t generation = kill_switch_generation(kill_switch);
    if (generation == 0 || generation == s->halt)
        return;
    kill_switch_state_t state;
    kill_switch_look(kill_switch, &state);
    s->halt = generation;
    if (state.by == KILL_BY_SILENCE)
        supervisor_complain(s, "halted by its own stages: %s; `%s resume` when that is mended",
                            state.reason, outcome_program());
    else if (s->halt_stands)
        supervisor_note(s, "risk halted, as it was before: %s; `%s resume` when that is mended",
                        state.reason, outcome_program());
    else
        supervisor_note(s, "risk halted: %s", state.reason);
    if (state.by == KILL_BY_OPERATOR && !s->halt_stands)
        let_it_stand(s, &state);
    s->halt_stands = false;
}

void supervisor_halt(supervisor_t *s, kill_switch_actor_t actor, const char *reason)
{
    if (!supervisor_stages(s))
        return;
    kill_switch_throw_as(s->pipeline.kill_switch, KILL_BY_OPERATOR, actor, reason);
    supervisor_nudge(s);
    supervisor_watch_halt(s);
}

void supervisor_write_members(supervisor_t *s)
{
    const tbus_bus_t *bus = &s->pipeline.bus;
    const char *name = s->request->options->config.bus.name;
    tbus_error_t why = {0};
    members_t members = {.count = 1, .list[0] = {.pid = getpid(), .name = "supervisor"}};
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
