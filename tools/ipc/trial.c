/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/trial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "tools/ipc/trial_child.h"
#include "tools/measure/process_state.h"
#include "tools/measure/sides.h"

#define GRACE_NS UINT64_C(20000000000)
#define MS       UINT64_C(1000000)

/* One trial, as its parent has it, and as both children get it. */
typedef struct pair {
    const ipc_trial_spec_t *spec;
    ipc_session_t *session; /* of the parent */
    ipc_trial_area_t *area;
    sides_t sides;
} pair_t;

static uint64_t grace_ns(const pair_t *pair)
{
    return pair->spec->grace_ns ? pair->spec->grace_ns : GRACE_NS;
}

ipc_trial_area_t *ipc_trial_area_new(void)
{
    void *memory = mmap(NULL, sizeof(ipc_trial_area_t), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    ipc_trial_area_t *area = (ipc_trial_area_t *)memory;
    ipc_pattern_fill(area->pattern);
    return area;
}

void ipc_trial_area_free(ipc_trial_area_t *area)
{
    if (area)
        munmap(area, sizeof *area);
}

static void area_reset(ipc_trial_area_t *area)
{
    memset(area->sides, 0, sizeof area->sides);
    memset(&area->roundtrips, 0, sizeof area->roundtrips);
    tbus_store_relaxed_u64(&area->last, IPC_NOT_YET);
    tbus_store_relaxed_u32(&area->killed, 0);
}

static int child(side_t *me, void *context)
{
    const pair_t *pair = context;
    ipc_session_t mine = *pair->session;
    if (mine.leftovers)
        close(mine.leftovers->objects_fd); /* the lock on them is the parent's */
    mine.role = (enum ipc_role)me->index;
    mine.buffer = pair->area->buffers[me->index];
    return ipc_child_run(me, pair->spec, &mine, pair->area);
}

static int start(pair_t *pair, tbus_error_t *err)
{
    sides_spec_t spec = {.what = pair->spec->mechanism->name,
                         .count = 2,
                         .names = {[IPC_CLIENT] = "client", [IPC_SERVER] = "server"},
                         .cpus = {pair->spec->cpus[0], pair->spec->cpus[1]},
                         .run = child,
                         .context = pair};
    return sides_start(&spec, &pair->sides, err);
}

static void collect(const pair_t *pair, ipc_trial_result_t *out)
{
    const ipc_side_t *client = &pair->area->sides[IPC_CLIENT];
    const ipc_side_t *server = &pair->area->sides[IPC_SERVER];
    bool roundtrip = pair->spec->kind == IPC_ROUNDTRIP;
    out->messages = client->messages * (roundtrip ? 2 : 1);
    out->elapsed_ns = (roundtrip ? client->end_ns : server->end_ns) - client->begin_ns;
    out->cpu_ns = client->cpu_ns + server->cpu_ns;
    out->syscalls = client->syscalls + server->syscalls;
    out->context_switches = client->context_switches + server->context_switches;
    if (roundtrip)
        out->roundtrips = pair->area->roundtrips;
}

static int measure(pair_t *pair, ipc_trial_result_t *out, tbus_error_t *err)
{
    uint64_t overdue_ns = tbus_clock_ns() + pair->spec->duration_ns + grace_ns(pair);
    int code = sides_await_end(&pair->sides, overdue_ns, err);
    if (code == -ETIMEDOUT)
        return tbus_fail(err, code, "%s: hung, messages of %zu bytes", pair->spec->mechanism->name,
                         pair->spec->message_bytes);
    if (code == 0)
        collect(pair, out);
    return code;
}

/* False: it runs, could run, is stopped or is gone; its CPU time may stand still in all of them,
 * when it does not get a CPU. */
static bool sleeps(pid_t pid)
{
    return process_state_is(pid, "S");
}

static uint64_t cpu_time_of_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec ts;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ts) != 0)
        return 0;
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

#define WATCHES_MAX                                                                                \
    40 /* a sender that is never refused gets through IPC_DEATH_SENDS_MAX long before */

/* Watch the client until its call returns, or it has slept for a while, or done nothing but burn
 * its CPU. 1: it returned. A watch in which it could have run and got no CPU says nothing, and does
 * not count. */
static int watch_client(pair_t *pair, ipc_trial_result_t *out, tbus_error_t *err)
{
    const ipc_side_t *client = &pair->area->sides[IPC_CLIENT];
    uint64_t burnt_ns = 0; /* since the last message was taken */
    pid_t pid = pair->sides.pids[IPC_CLIENT];
    uint64_t cpu_ns = cpu_time_of_ns(pid);
    uint64_t taken = tbus_load_relaxed_u64(&client->taken);
    uint64_t overdue_ns = tbus_clock_ns() + grace_ns(pair);
    int returned = 0;
    for (int i = 0; i < WATCHES_MAX && !returned && tbus_clock_ns() < overdue_ns;) {
        returned = sides_await_stage(&pair->sides, IPC_CLIENT, IPC_STAGE_CALLED,
                                     tbus_clock_ns() + IPC_DEATH_WATCH_NS, err);
        uint64_t cpu_before_ns = cpu_ns;
        uint64_t taken_before = taken;
        cpu_ns = cpu_time_of_ns(pid);
        taken = tbus_load_relaxed_u64(&client->taken);
        burnt_ns = taken == taken_before ? burnt_ns + cpu_ns - cpu_before_ns : 0;
        bool ran = cpu_ns != cpu_before_ns;
        if ((!ran && sleeps(pid)) || burnt_ns >= IPC_DEATH_WATCH_NS)
            break;
        i += ran;
    }
    out->death_spun = burnt_ns >= IPC_DEATH_WATCH_NS / 2;
    return returned;
}

/* Kill the server when both are where they should be, and see what the client makes of it. */
static int watch_death(pair_t *pair, ipc_trial_result_t *out, tbus_error_t *err)
{
    uint64_t start_ns = tbus_clock_ns() + grace_ns(pair);
    for (unsigned role = 0; role < 2; role++) {
        int there = sides_await_stage(&pair->sides, role, IPC_STAGE_WAITING, start_ns, err);
        if (there < 0)
            return there;
        if (!there)
            return tbus_fail(err, -ETIMEDOUT, "%s: hung before its peer was killed",
                             pair->spec->mechanism->name);
    }
    /* Let the client reach its receive. */
    int code = sides_sleep(&pair->sides, tbus_clock_ns() + 2 * MS, err);
    if (code < 0)
        return code;
    uint64_t killed_ns = tbus_clock_ns();
    /* And reaped, so that its pid is gone too: some mechanisms look for that. */
    sides_kill(&pair->sides, IPC_SERVER);
    sides_reap(&pair->sides, IPC_SERVER);
    /* S9 pairs S10 (trial_child.c): else the client sends to a server that is not dead yet. */
    tbus_store_release_u32(&pair->area->killed, 1);
    int returned = watch_client(pair, out, err);
    if (returned < 0)
        return returned;
    const ipc_side_t *client = &pair->area->sides[IPC_CLIENT];
    out->death_returned = returned;
    out->death_code = client->code;
    out->death_ns = returned && client->end_ns > killed_ns ? client->end_ns - killed_ns : 0;
    out->death_accepted = tbus_load_relaxed_u64(&client->taken);
    return 0;
}

int ipc_trial_run(const ipc_trial_spec_t *spec, ipc_leftovers_t *leftovers, ipc_trial_area_t *area,
                  ipc_trial_result_t *out_result, tbus_error_t *err)
{
    ipc_session_t session = {.message_bytes = spec->message_bytes,
                             .one_way = spec->kind == IPC_STREAM,
                             .leftovers = leftovers};
    pair_t pair = {.spec = spec, .session = &session, .area = area};
    ipc_trial_result_t result = {0};
    area_reset(area);
    int code = spec->mechanism->setup(&session, err);
    if (code == 0)
        code = start(&pair, err);
    if (code == 0) {
        if (spec->mechanism->release)
            spec->mechanism->release(&session);
        bool death = spec->kind == IPC_DEATH_RECEIVE || spec->kind == IPC_DEATH_SEND;
        code = death ? watch_death(&pair, &result, err) : measure(&pair, &result, err);
    }
    sides_finish(&pair.sides);
    spec->mechanism->cleanup(&session);
    if (code < 0)
        return code;
    *out_result = result;
    return 0;
}
