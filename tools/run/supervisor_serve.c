/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that serve who is outside (TBUS_KIND_SERVES): the run does not fail with one of them,
 * which is started again. */
#include "tools/run/supervisor_parts.h"

#include <unistd.h>

#include "tools/show/bridge.h"
#include "tools/show/gateway.h"
#include "tools/show/mold.h"

/* From one start to the next, at least; doubled each time that it ended within a second, up to the
 * second figure, and to the third while it cannot even be made. */
#define AGAIN_NS        UINT64_C(20000000)
#define AGAIN_NS_MAX    UINT64_C(500000000)
#define NOT_MADE_NS_MAX UINT64_C(5000000000)
#define STEADY_NS       UINT64_C(1000000000)
#define NOT_MADE_MAX    5u /* times in a row, then it is given up */
#define SAID_MAX        5u /* deaths that are said one by one */
#define ENDS_MAX        5u /* times that one is started to give out the rest */
#define NEVER_NS        UINT64_MAX

static bool serves(const supervisor_t *s, uint32_t index)
{
    return supervisor_is(s, s->layout.processes[index].stages[0], TBUS_KIND_SERVES);
}

static tbus_participant_t *participant(const supervisor_t *s, uint32_t index)
{
    return supervisor_participant(s, s->layout.processes[index].stages[0]);
}

/* How long to wait with the next start. */
static uint64_t pause_ns(const service_t *service)
{
    uint64_t pause = AGAIN_NS, limit = service->not_made ? NOT_MADE_NS_MAX : AGAIN_NS_MAX;
    for (uint32_t i = 1; i < service->short_lives && pause < limit; i++)
        pause *= 2;
    return pause < limit ? pause : limit;
}

static void tell(supervisor_t *s, uint32_t index, bool given_up)
{
    const service_t *service = &s->services[index];
    const tbus_participant_t *p = participant(s, index);
    char how[80];
    process_end_text(&s->processes[index], how, sizeof how);
    /* O2 pairs O1 (set_state in loop.c): its reason is there. */
    bool failed = tbus_load_acquire_u32(&p->state) == TBUS_FAIL;
    const char *reason = failed ? p->reason : how;
    int length = failed ? (int)sizeof p->reason - 1 : (int)sizeof how - 1;
    if (given_up)
        supervisor_complain(s,
                            "'%s' could not be started %u times in a row and is given up, the run "
                            "goes on without it: %.*s",
                            s->processes[index].name, service->not_made, length, reason);
    else if (service->deaths <= SAID_MAX)
        supervisor_say(s, "'%s' (process %d): %.*s; it is started again%s",
                       s->processes[index].name, (int)s->processes[index].pid, length, reason,
                       service->deaths == SAID_MAX ? " (and so from now on, without a word)" : "");
}

static void start_again(supervisor_t *s, uint32_t index)
{
    service_t *service = &s->services[index];
    process_t *process = &s->processes[index];
    tbus_participant_t *p = participant(s, index);
    tbus_error_t why = {0};
    if (process->log_fd >= 0)
        close(process->log_fd);
    service->started_ns = tbus_clock_ns();
    service->again_ns = NEVER_NS;
    s->stalls[index] = (stall_t){0};
    s->stall_killed[index] = false;
    p->reason[0] = 0;
    tbus_store_release_u32(&p->state, TBUS_BOOT); /* O1 pairs O2: the reason is gone */
    if (process_start(&s->pipeline, index, process, &why) < 0) {
        supervisor_say(s, "%s; it is tried again", why.text);
        service->again_ns = service->started_ns + AGAIN_NS_MAX;
        return;
    }
    service->starts++;
    s->run.restarts[index] = service->starts;
    supervisor_write_members(s);
}

/* Has it to give out, at the end, all that there is? A kind that counts what it could not. */
static bool gives_out_the_rest(const supervisor_t *s, uint32_t index)
{
    uint32_t stage = s->layout.processes[index].stages[0];
    return s->running_since_ns && s->pipeline.stages[stage].instance->kind->errors_counter;
}

/* One that died in the middle of its end: another gives out the rest, some times over. */
static void end_again(supervisor_t *s, uint32_t index)
{
    char how[80];
    process_end_text(&s->processes[index], how, sizeof how);
    bool again = !s->gives_up && s->services[index].ends++ < ENDS_MAX;
    if (!again)
        supervisor_complain(s, "'%s' (process %d) %s before it had given out everything",
                            s->processes[index].name, (int)s->processes[index].pid, how);
    else
        start_again(s, index);
}

void supervisor_serve_the_rest(supervisor_t *s, uint32_t index)
{
    if (serves(s, index) && gives_out_the_rest(s, index) && s->processes[index].ended &&
        s->services[index].again_ns != NEVER_NS)
        start_again(s, index);
}

bool supervisor_serve_again(supervisor_t *s, uint32_t index)
{
    service_t *service = &s->services[index];
    uint64_t now_ns = tbus_clock_ns();
    if (!serves(s, index) || (!s->running_since_ns && !supervisor_told_to_stop(s, index)))
        return false; /* at the start its reason is one for not starting at all */
    service->deaths++;
    /* O2 pairs O1 (set_state in loop.c) */
    uint32_t state = tbus_load_acquire_u32(&participant(s, index)->state);
    bool short_lived = now_ns - service->started_ns < STEADY_NS;
    bool was_made = state >= TBUS_READY && (state != TBUS_FAIL || !short_lived);
    service->short_lives = short_lived ? service->short_lives + 1 : 0;
    service->not_made = was_made ? 0 : service->not_made + 1;
    bool given_up = service->not_made >= NOT_MADE_MAX;
    if (!supervisor_told_to_stop(s, index))
        tell(s, index, given_up);
    service->again_ns = given_up ? NEVER_NS : now_ns + pause_ns(service);
    if (supervisor_told_to_stop(s, index) && gives_out_the_rest(s, index))
        end_again(s, index);
    return true;
}

/* Where it listens, once: the configuration may have said port 0, which is any. */
static void tell_ports(supervisor_t *s, uint32_t index)
{
    const char *stage = s->layout.stages[s->layout.processes[index].stages[0]].name;
    char text[200];
    if (s->services[index].ports_told ||
        (!gateway_ports_text(&s->pipeline.bus, stage, text, sizeof text) &&
         !mold_ports_text(&s->pipeline.bus, stage, text, sizeof text) &&
         !bridge_ports_text(&s->pipeline.bus, stage, text, sizeof text)))
        return;
    s->services[index].ports_told = true;
    supervisor_say(s, "%s: %s", stage, text);
}

void supervisor_watch_services(supervisor_t *s)
{
    uint64_t now_ns = 0;
    for (uint32_t i = 0; i < s->layout.processes_count; i++) {
        if (!serves(s, i))
            continue;
        if (!s->running_since_ns)
            continue; /* one that has ended is not started again: the run does not begin */
        tell_ports(s, i);
        if (!s->processes[i].ended || supervisor_told_to_stop(s, i))
            continue;
        now_ns = now_ns ? now_ns : tbus_clock_ns();
        if (now_ns >= s->services[i].again_ns)
            start_again(s, i);
    }
}
