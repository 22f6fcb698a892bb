/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/supervisor_parts.h"

#include <signal.h>
#include <stdio.h>

/* Whoever was told to stop may take its time: the recorder syncs its journal then, and how long
 * that may last is known where it is waited for. */
static bool is_watched(supervisor_t *s, uint32_t index)
{
    return s->processes[index].pid && !s->processes[index].ended &&
           !supervisor_told_to_stop(s, index);
}

static void look(supervisor_t *s, uint32_t index, uint64_t now_ns)
{
    stall_t *stall = &s->stalls[index];
    const layout_process_t *plan = &s->layout.processes[index];
    stall_sight_t sight = {.now_ns = now_ns};
    for (uint32_t i = 0; i < plan->stages_count; i++) {
        const tbus_participant_t *p = supervisor_participant(s, plan->stages[i]);
        sight.pulse += tbus_load_relaxed_u64(&p->heartbeat) + tbus_load_relaxed_u32(&p->state) +
                       tbus_load_relaxed_u32(&p->command);
    }
    if (sight.pulse == stall->last.pulse)
        stall_look(s->processes[index].pid, &sight);
    stall_see(stall, &sight);
}

/* Its name as in `blame`, and what the others wait for. */
static void raise_alarm(supervisor_t *s, uint32_t index, const backlog_t *held, uint32_t held_count)
{
    static const char *const ways[] = {
        [STALL_STOPPED] = "is stopped, by SIGSTOP or a debugger",
        [STALL_ASLEEP] = "hangs asleep in the kernel",
        [STALL_BUSY] = "is busy with something that does not end",
    };
    const stall_t *stall = &s->stalls[index];
    char waiting[300];
    backlog_text(held, held_count, waiting, sizeof waiting);
    supervisor_note(s, "stage%s '%s' (process %d) %s, for %.1f s now; it holds up: %s",
                    s->layout.processes[index].stages_count > 1 ? "s" : "",
                    s->processes[index].name, (int)s->processes[index].pid, ways[stall->how],
                    (double)(stall->last.now_ns - stall->since_ns) / 1e9, waiting);
}

/* By the user's policy only. From here on it goes as with any stage that dies: its end is seen when
 * the kernel says that it is over. */
static void kill_overdue(supervisor_t *s, uint32_t index)
{
    uint32_t limit_ms = s->request->options->config.supervisor.stall_ms_max;
    if (!limit_ms || s->stalls[index].still_ns < limit_ms * UINT64_C(1000000) ||
        s->stall_killed[index])
        return;
    s->stall_killed[index] = true;
    supervisor_complain(
        s, "'%s' (process %d) has stood still for %u ms (supervisor.stall_ms_max): killed",
        s->processes[index].name, (int)s->processes[index].pid, limit_ms);
    kill(s->processes[index].pid, SIGKILL); /* not reaped yet: the number is still its own */
}

static void judge(supervisor_t *s, uint32_t index)
{
    const stall_t *stall = &s->stalls[index];
    summary_stall_t *alarm = &s->run.stalls[index];
    bool known = alarm->how != STALL_NONE;
    backlog_t held[BACKLOG_MAX];
    uint32_t held_count = stall_is_long(stall) ? backlog_held_by(&s->pipeline.bus, index, held) : 0;
    /* Nobody is stopped by itself; who is asleep or busy is left alone until somebody waits for
     * it. */
    if (stall_is_long(stall) && (stall->how == STALL_STOPPED || held_count)) {
        *alarm = (summary_stall_t){stall->how, stall->since_ns};
        if (!known)
            raise_alarm(s, index, held, held_count);
        kill_overdue(s, index);
    } else if (known) {
        *alarm = (summary_stall_t){STALL_NONE, 0};
        supervisor_say(s, "'%s' (process %d) goes on", s->processes[index].name,
                       (int)s->processes[index].pid);
    }
}

void supervisor_watch_stalls(supervisor_t *s)
{
    uint64_t now_ns = tbus_clock_ns();
    if (now_ns - s->stalls_looked_ns < STALL_LOOK_NS)
        return;
    s->stalls_looked_ns = now_ns;
    for (uint32_t i = 0; i < s->layout.processes_count; i++) {
        if (is_watched(s, i)) {
            look(s, i, now_ns);
            judge(s, i);
        } else {
            s->run.stalls[i] = (summary_stall_t){STALL_NONE, 0};
        }
    }
}
