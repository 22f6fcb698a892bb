/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/reach.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <tickbus/clock.h>
#include <tickbus/wake.h>

#include "risk/stage.h"
#include "risk/venue/executor.h"
#include "tools/measure/process_state.h"

/* For so long a stage may take to obey, which it does within microseconds. */
#define ANSWER_NS         UINT64_C(100000000)
#define ANSWER_STARVED_NS UINT64_C(1000000000)
#define LOOK_NS           1000000

/* The participant that the supervisor made for the stage of that kind. 0: this bus has none. */
static uint32_t find_stage(tbus_bus_t *bus, const tbus_kind_t *kind)
{
    for (uint32_t owner = 1; owner <= TBUS_PARTICIPANTS_MAX; owner++) {
        const tbus_participant_t *p = tbus_participant(bus, owner);
        if (tbus_load_relaxed_u32(&p->state) != TBUS_VACANT && !p->from_outside &&
            strncmp(p->name, kind->section, sizeof p->name) == 0)
            return owner;
    }
    return 0;
}

int reach_open(const char *name, reach_t *out_reach, tbus_error_t *err)
{
    reach_t reach = {0};
    if (name && (strlen(name) >= sizeof reach.name || strchr(name, '/')))
        return -EINVAL; /* client_ask says so */
    int code = tbus_rundir_open(false, &reach.dir, err);
    if (code < 0)
        return code;
    if (name)
        memcpy(reach.name, name, strlen(name) + 1);
    else if ((code = rundir_only(&reach.dir, reach.name, err)) < 0)
        code = members_only(&reach.dir, reach.name, err);
    if (code == 0)
        code = members_read(&reach.dir, reach.name, &reach.members, err);
    if (code == 0)
        code = members_attach(&reach.members, reach.name, &reach.bus, err);
    if (code < 0) {
        tbus_rundir_close(&reach.dir);
        return code;
    }
    code = kill_switch_find(&reach.bus, &reach.kill_switch, err);
    if (code < 0) {
        tbus_bus_close(&reach.bus);
        tbus_rundir_close(&reach.dir);
        return code;
    }
    reach.executor = find_stage(&reach.bus, &executor_kind);
    reach.risk = find_stage(&reach.bus, &risk_kind);
    *out_reach = reach;
    return 0;
}

void reach_close(reach_t *reach)
{
    tbus_bus_close(&reach->bus);
    tbus_rundir_close(&reach->dir);
}

/* Wake all stages, so that they look at the kill switch. */
static void nudge(reach_t *reach)
{
    for (uint32_t i = 0; i < reach->bus.topics_count; i++)
        if (reach->bus.rings[i].shared) /* else nobody is left who sleeps there */
            tbus_ring_nudge(&reach->bus.rings[i]);
}

pid_t reach_pid(reach_t *reach, uint32_t owner)
{
    return owner ? (pid_t)tbus_participant(&reach->bus, owner)->pid : 0;
}

bool reach_has_ended(reach_t *reach, uint32_t owner)
{
    return reach_pid(reach, owner) != 0 && tbus_participant_alive(&reach->bus, owner) == 0;
}

static bool is_starved(reach_t *reach, uint32_t owner)
{
    return reach_pid(reach, owner) != 0 && process_state_is(reach_pid(reach, owner), "R");
}

void reach_await(reach_t *reach, uint32_t owner, bool (*is_done)(reach_t *reach, void *context),
                 void *context)
{
    uint64_t since_ns = tbus_clock_ns(), starved_ns = since_ns;
    for (;;) {
        nudge(reach);
        bool done = is_done(reach, context);
        uint64_t now_ns = tbus_clock_ns();
        if (is_starved(reach, owner)) /* between two turns it may look asleep */
            starved_ns = now_ns;
        if (done || reach_has_ended(reach, owner) || now_ns - since_ns > ANSWER_STARVED_NS ||
            now_ns - starved_ns > ANSWER_NS)
            return;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
}

const char *reach_process_text(pid_t pid)
{
    char state;
    uint64_t cpu_ns;
    if (!process_state(pid, &state, &cpu_ns))
        return "gone";
    return state == 'T' || state == 't'   ? "stopped"
           : state == 'Z' || state == 'X' ? "dead"
           : state == 'D'                 ? "waiting for a device"
                                          : "running";
}

bool reach_is_left_over(const char *name)
{
    tbus_rundir_t dir;
    members_t members;
    if (!name || strlen(name) >= TBUS_NAME_MAX || strchr(name, '/') ||
        tbus_rundir_open(false, &dir, NULL) < 0)
        return false;
    bool left = !rundir_is_live(&dir, name, NULL) &&
                members_read(&dir, name, &members, NULL) == 0 && !members.rehearses &&
                !members_any_lives(&members, name);
    tbus_rundir_close(&dir);
    return left;
}
