/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/trial.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "tools/ipc/trial_child.h"
#include "tools/measure/process_state.h"

#define GRACE_NS UINT64_C(20000000000)
#define MS       UINT64_C(1000000)

typedef struct pair {
    const ipc_trial_spec_t *spec;
    ipc_trial_area_t *area;
    pid_t pids[2]; /* 0: not started, or reaped */
    int fds[2];    /* pidfds, or -1 */
    int status[2];
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

/* What a child must undo of its parent: its signal handling, its lock on the leftovers, its life
 * without an owner. */
static void become_child(ipc_session_t *session, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_IGN); /* a peer that is gone shows as EPIPE */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (session->leftovers)
        close(session->leftovers->objects_fd);
}

static int start(pair_t *pair, const ipc_session_t *session, enum ipc_role role, tbus_error_t *err)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return tbus_fail(err, -errno, "cannot start a process: %s", strerror(errno));
    if (pid == 0) {
        ipc_session_t mine = *session;
        become_child(&mine, parent);
        mine.role = role;
        mine.buffer = pair->area->buffers[role];
        _exit(ipc_child_run(pair->spec, &mine, pair->area));
    }
    pair->pids[role] = pid;
    pair->fds[role] = pidfd_open(pid, 0);
    return pair->fds[role] < 0
               ? tbus_fail(err, -errno, "pidfd_open: %s (Linux 5.3 has it)", strerror(errno))
               : 0;
}

static void reap(pair_t *pair, enum ipc_role role)
{
    if (!pair->pids[role])
        return;
    while (waitpid(pair->pids[role], &pair->status[role], 0) < 0 && errno == EINTR) {
    }
    pair->pids[role] = 0;
    if (pair->fds[role] >= 0)
        close(pair->fds[role]);
    pair->fds[role] = -1;
}

static void kill_and_reap(pair_t *pair, enum ipc_role role)
{
    if (pair->pids[role])
        kill(pair->pids[role], SIGKILL);
    reap(pair, role);
}

/* Sleep until a child ends (and reap it), or until `until_ns`. Lets SIGINT and SIGTERM in. -EINTR:
 * one came. */
static int sleep_until(pair_t *pair, uint64_t until_ns)
{
    struct pollfd fds[2] = {{.fd = pair->fds[0], .events = POLLIN},
                            {.fd = pair->fds[1], .events = POLLIN}};
    uint64_t now_ns = tbus_clock_ns();
    uint64_t ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec timeout = {.tv_sec = (time_t)(ns / 1000000000),
                               .tv_nsec = (long)(ns % 1000000000)};
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    sigdelset(&mask, SIGINT);
    sigdelset(&mask, SIGTERM);
    if (ppoll(fds, 2, &timeout, &mask) < 0)
        return -errno;
    for (int role = 0; role < 2; role++)
        if (fds[role].revents)
            reap(pair, role);
    return 0;
}

static const char *role_name(int role)
{
    return role == IPC_CLIENT ? "client" : "server";
}

/* Why did this child end, if not well? 0: it ended well, or has not ended. */
static int child_error(const pair_t *pair, int role, tbus_error_t *err)
{
    const ipc_side_t *side = &pair->area->sides[role];
    const char *name = pair->spec->mechanism->name;
    if (tbus_load_acquire_u32(&side->stage) == IPC_STAGE_FAILED)
        return tbus_fail(err, side->code ? side->code : -EIO, "%s: the %s: %s", name,
                         role_name(role), side->text);
    if (!pair->pids[role] && WIFSIGNALED(pair->status[role]))
        return tbus_fail(err, -ECHILD, "%s: the %s was killed by signal %d", name, role_name(role),
                         WTERMSIG(pair->status[role]));
    return 0;
}

/* The error of whoever failed first: what happened to the other may only be the consequence. */
static int first_error(const pair_t *pair, tbus_error_t *err)
{
    const ipc_side_t *sides = pair->area->sides;
    bool both = tbus_load_acquire_u32(&sides[0].stage) == IPC_STAGE_FAILED &&
                tbus_load_acquire_u32(&sides[1].stage) == IPC_STAGE_FAILED;
    int first = both && sides[1].end_ns < sides[0].end_ns;
    int code = child_error(pair, first, err);
    return code < 0 ? code : child_error(pair, !first, err);
}

static int await_end(pair_t *pair, tbus_error_t *err)
{
    uint64_t overdue_ns = tbus_clock_ns() + pair->spec->duration_ns + grace_ns(pair);
    while (pair->pids[0] || pair->pids[1]) {
        if (sleep_until(pair, overdue_ns) < 0)
            return tbus_fail(err, -EINTR, "interrupted");
        int code = first_error(pair, err);
        if (code < 0)
            return code;
        if ((pair->pids[0] || pair->pids[1]) && tbus_clock_ns() >= overdue_ns)
            return tbus_fail(err, -ETIMEDOUT, "%s: hung, messages of %zu bytes",
                             pair->spec->mechanism->name, pair->spec->message_bytes);
    }
    return 0;
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
    int code = await_end(pair, err);
    if (code == 0)
        collect(pair, out);
    return code;
}

/* Wait until a child has come so far, looking every 200 us. */
static int await_stage(pair_t *pair, int role, enum ipc_stage stage, uint64_t until_ns,
                       tbus_error_t *err)
{
    for (;;) {
        int code = child_error(pair, role, err);
        if (code < 0)
            return code;
        uint64_t now_ns = tbus_clock_ns();
        if (tbus_load_acquire_u32(&pair->area->sides[role].stage) >= stage)
            return 1;
        if (now_ns >= until_ns)
            return 0;
        if (sleep_until(pair, now_ns + MS / 5) < 0)
            return tbus_fail(err, -EINTR, "interrupted");
    }
}

/* False: it runs, could run, is stopped or is gone; its CPU time may stand still in all of them,
 * when it does not get a CPU. */
static bool sleeps(pid_t pid)
{
    char state;
    uint64_t cpu_ns;
    return process_state(pid, &state, &cpu_ns) && state == 'S';
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
    uint64_t cpu_ns = cpu_time_of_ns(pair->pids[IPC_CLIENT]);
    uint64_t taken = tbus_load_relaxed_u64(&client->taken);
    uint64_t overdue_ns = tbus_clock_ns() + grace_ns(pair);
    int returned = 0;
    for (int i = 0; i < WATCHES_MAX && !returned && tbus_clock_ns() < overdue_ns;) {
        returned = await_stage(pair, IPC_CLIENT, IPC_STAGE_CALLED,
                               tbus_clock_ns() + IPC_DEATH_WATCH_NS, err);
        uint64_t cpu_before_ns = cpu_ns;
        uint64_t taken_before = taken;
        cpu_ns = cpu_time_of_ns(pair->pids[IPC_CLIENT]);
        taken = tbus_load_relaxed_u64(&client->taken);
        burnt_ns = taken == taken_before ? burnt_ns + cpu_ns - cpu_before_ns : 0;
        bool ran = cpu_ns != cpu_before_ns;
        if ((!ran && sleeps(pair->pids[IPC_CLIENT])) || burnt_ns >= IPC_DEATH_WATCH_NS)
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
    for (int role = 0; role < 2; role++) {
        int there = await_stage(pair, role, IPC_STAGE_WAITING, start_ns, err);
        if (there < 0)
            return there;
        if (!there)
            return tbus_fail(err, -ETIMEDOUT, "%s: hung before its peer was killed",
                             pair->spec->mechanism->name);
    }
    if (sleep_until(pair, tbus_clock_ns() + 2 * MS) < 0) /* let the client reach its receive */
        return tbus_fail(err, -EINTR, "interrupted");
    uint64_t killed_ns = tbus_clock_ns();
    /* reaped, as by a parent that does its duty: its pid is gone too */
    kill_and_reap(pair, IPC_SERVER);
    pair->status[IPC_SERVER] = 0;
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
    pair_t pair = {.spec = spec, .area = area, .fds = {-1, -1}};
    ipc_session_t session = {.message_bytes = spec->message_bytes,
                             .one_way = spec->kind == IPC_STREAM,
                             .leftovers = leftovers};
    ipc_trial_result_t result = {0};
    area_reset(area);
    int code = spec->mechanism->setup(&session, err);
    if (code == 0)
        code = start(&pair, &session, IPC_SERVER, err);
    if (code == 0)
        code = start(&pair, &session, IPC_CLIENT, err);
    if (code == 0) {
        if (spec->mechanism->release)
            spec->mechanism->release(&session);
        bool death = spec->kind == IPC_DEATH_RECEIVE || spec->kind == IPC_DEATH_SEND;
        code = death ? watch_death(&pair, &result, err) : measure(&pair, &result, err);
    }
    kill_and_reap(&pair, IPC_CLIENT);
    kill_and_reap(&pair, IPC_SERVER);
    spec->mechanism->cleanup(&session);
    if (code < 0)
        return code;
    *out_result = result;
    return 0;
}
