/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/sides.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "tools/measure/host.h"

#define LOOK_EACH_NS UINT64_C(200000)
/* After a failure we wait so long for others that end, to tell the cause from its consequences. */
#define SETTLE_NS UINT64_C(20000000)

/* Written by: its side. */
typedef struct record {
    tbus_atomic_u32_t stage;
    tbus_atomic_u32_t failed; /* what follows is complete */
    int code;
    uint64_t failed_ns;
    char reason[SIDES_REASON_MAX];
} __attribute__((aligned(128))) record_t;

struct sides_shared {
    record_t records[SIDES_MAX];
    tbus_atomic_u32_t come __attribute__((aligned(128))); /* to a meeting, all meetings together */
};

/* ---- in a side */

#define YIELDS 64
#define NAP_NS 50000

void sides_meet_at(tbus_atomic_u32_t *come, uint32_t count)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};
    /* S5 pairs S6 below: else a side leaves the meeting and does not see what another one wrote
     * before it came. */
    tbus_fence_full();
    uint32_t all = (tbus_fetch_add_relaxed_u32(come, 1) / count + 1) * count;
    for (int looks = 0; tbus_load_relaxed_u32(come) < all; looks++) {
        if (looks < YIELDS)
            sched_yield();
        else
            nanosleep(&nap, NULL); /* the others are busy: leave them the CPU */
    }
    tbus_fence_full(); /* S6 pairs S5 above */
}

void sides_meet(side_t *me)
{
    sides_meet_at(&me->shared->come, me->count);
}

void sides_enter(side_t *me, uint32_t stage)
{
    /* S1 pairs S2 (sides_await_stage): else the parent reads figures that are not complete. */
    tbus_store_release_u32(&me->shared->records[me->index].stage, stage);
}

int sides_fail(side_t *me, int code, const char *format, ...)
{
    record_t *mine = &me->shared->records[me->index];
    if (tbus_load_relaxed_u32(&mine->failed))
        return code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(mine->reason, sizeof mine->reason, format, arguments);
    va_end(arguments);
    mine->code = code;
    mine->failed_ns = tbus_clock_ns();
    /* S3 pairs S4 (has_reason): else the parent reads a reason that is not complete. */
    tbus_store_release_u32(&mine->failed, 1);
    return code;
}

static void become_side(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(1);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_IGN); /* a peer that is gone shows as EPIPE */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int live(side_t *me, const sides_spec_t *spec)
{
    int cpu = spec->cpus[me->index];
    int code = cpu == SIDES_ANYWHERE ? 0 : host_pin(cpu);
    if (code < 0)
        return sides_fail(me, code, "cannot run on CPU %d: %s", cpu, strerror(-code));
    code = spec->run(me, spec->context);
    return code < 0 ? sides_fail(me, code, "%s", strerror(-code)) : 0;
}

/* ---- in the parent */

static int start_one(sides_t *s, unsigned side, tbus_error_t *err)
{
    const char *what = s->spec.what ? s->spec.what : "trial";
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return tbus_fail(err, -errno, "%s: cannot start a process: %s", what, strerror(errno));
    if (pid == 0) {
        become_side(parent);
        side_t me = {.shared = s->shared, .index = side, .count = s->spec.count};
        _exit(live(&me, &s->spec) < 0);
    }
    s->pids[side] = pid;
    s->pidfds[side] = pidfd_open(pid, 0);
    if (s->pidfds[side] < 0)
        return tbus_fail(err, -errno, "%s: pidfd_open: %s (Linux 5.3 has it)", what,
                         strerror(errno));
    return 0;
}

int sides_start(const sides_spec_t *spec, sides_t *out_sides, tbus_error_t *err)
{
    *out_sides = (sides_t){.spec = *spec};
    if (spec->count == 0 || spec->count > SIDES_MAX)
        return tbus_fail(err, -EINVAL, "a trial of %u processes: 1 to %u can be", spec->count,
                         SIDES_MAX);
    for (unsigned i = 0; i < SIDES_MAX; i++)
        out_sides->pidfds[i] = -1;
    void *memory = mmap(NULL, sizeof(struct sides_shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        return tbus_fail(err, -errno, "no memory for the processes of a trial: %s",
                         strerror(errno));
    out_sides->shared = (struct sides_shared *)memory;
    int code = 0;
    for (unsigned i = 0; i < spec->count && code == 0; i++)
        code = start_one(out_sides, i, err);
    if (code < 0)
        sides_finish(out_sides);
    return code;
}

void sides_kill(sides_t *s, unsigned side)
{
    if (!s->pids[side])
        return;
    s->killed[side] = true;
    kill(s->pids[side], SIGKILL);
}

void sides_reap(sides_t *s, unsigned side)
{
    if (!s->pids[side])
        return;
    while (waitpid(s->pids[side], &s->status[side], 0) < 0 && errno == EINTR) {
    }
    s->pids[side] = 0;
    if (s->pidfds[side] >= 0)
        close(s->pidfds[side]);
    s->pidfds[side] = -1;
}

void sides_finish(sides_t *s)
{
    if (!s->shared)
        return;
    for (unsigned i = 0; i < s->spec.count; i++)
        sides_kill(s, i);
    for (unsigned i = 0; i < s->spec.count; i++)
        sides_reap(s, i);
    munmap(s->shared, sizeof *s->shared);
    s->shared = NULL;
}

static bool any_lives(const sides_t *s)
{
    for (unsigned i = 0; i < s->spec.count; i++)
        if (s->pids[i])
            return true;
    return false;
}

/* Lets SIGINT and SIGTERM in while it sleeps. */
int sides_sleep(sides_t *s, uint64_t until_ns, tbus_error_t *err)
{
    struct pollfd fds[SIDES_MAX];
    for (unsigned i = 0; i < s->spec.count; i++)
        fds[i] = (struct pollfd){.fd = s->pidfds[i], .events = POLLIN};
    uint64_t now_ns = tbus_clock_ns();
    uint64_t ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec timeout = {.tv_sec = (time_t)(ns / UINT64_C(1000000000)),
                               .tv_nsec = (long)(ns % UINT64_C(1000000000))};
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    sigdelset(&mask, SIGINT);
    sigdelset(&mask, SIGTERM);
    if (ppoll(fds, s->spec.count, &timeout, &mask) < 0)
        return errno == EINTR ? tbus_fail(err, -EINTR, "interrupted")
                              : tbus_fail(err, -errno, "ppoll: %s", strerror(errno));
    for (unsigned i = 0; i < s->spec.count; i++)
        if (fds[i].revents)
            sides_reap(s, i);
    return 0;
}

/* Who an error is about: "pipe: the client", "pipe: side 2", or "pipe" when it is the only side and
 * has no name. */
typedef struct subject {
    char text[128];
} subject_t;

static subject_t name_of(const sides_t *s, unsigned side)
{
    subject_t name;
    if (s->spec.names[side])
        snprintf(name.text, sizeof name.text, "the %s", s->spec.names[side]);
    else
        snprintf(name.text, sizeof name.text, "side %u", side + 1);
    return name;
}

static subject_t subject_of(const sides_t *s, unsigned side)
{
    subject_t subject = name_of(s, side);
    if (s->spec.what && s->spec.count == 1 && !s->spec.names[side])
        snprintf(subject.text, sizeof subject.text, "%s", s->spec.what);
    else if (s->spec.what)
        snprintf(subject.text, sizeof subject.text, "%.60s: %.60s", s->spec.what,
                 name_of(s, side).text);
    return subject;
}

static bool has_reason(const sides_t *s, unsigned side)
{
    return tbus_load_acquire_u32(&s->shared->records[side].failed); /* S4 pairs S3 (sides_fail) */
}
static bool crashed(const sides_t *s, unsigned side)
{
    return !s->pids[side] && !s->killed[side] && WIFSIGNALED(s->status[side]);
}
static bool failed(const sides_t *s, unsigned side)
{
    return has_reason(s, side) || (!s->pids[side] && !s->killed[side] && s->status[side] != 0);
}

/* What went wrong with one side, in words; 0: nothing. */
static int failure_of(const sides_t *s, unsigned side, tbus_error_t *err)
{
    const record_t *record = &s->shared->records[side];
    subject_t subject = subject_of(s, side);
    if (crashed(s, side))
        return tbus_fail(err, -ECHILD, "%s was killed by signal %d", subject.text,
                         WTERMSIG(s->status[side]));
    if (has_reason(s, side))
        return tbus_fail(err, record->code < 0 ? record->code : -EIO, "%s: %s", subject.text,
                         record->reason);
    if (failed(s, side))
        return tbus_fail(err, -ECHILD, "%s ended with exit status %d and gave no reason",
                         subject.text, WEXITSTATUS(s->status[side]));
    return 0;
}

/* Whose failure is the cause? `count` when nobody has failed. */
static unsigned first_failure(const sides_t *s)
{
    unsigned first = s->spec.count;
    for (unsigned i = 0; i < s->spec.count; i++)
        if (crashed(s, i))
            return i;
    for (unsigned i = 0; i < s->spec.count; i++)
        if (has_reason(s, i) && (first == s->spec.count || s->shared->records[i].failed_ns <
                                                               s->shared->records[first].failed_ns))
            first = i;
    for (unsigned i = 0; i < s->spec.count && first == s->spec.count; i++)
        if (failed(s, i))
            first = i;
    return first;
}

/* The failure that is the cause, in words; 0: nobody has failed. */
static int any_failure(sides_t *s, tbus_error_t *err)
{
    if (first_failure(s) == s->spec.count)
        return 0;
    uint64_t until_ns = tbus_clock_ns() + SETTLE_NS;
    while (any_lives(s) && tbus_clock_ns() < until_ns)
        if (sides_sleep(s, until_ns, err) < 0)
            break;
    return failure_of(s, first_failure(s), err);
}

static int overdue(const sides_t *s, tbus_error_t *err)
{
    char names[SIDES_REASON_MAX] = "";
    size_t at = 0;
    for (unsigned i = 0; i < s->spec.count; i++)
        if (s->pids[i] && at < sizeof names)
            at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", at ? " and " : "",
                                   (at ? name_of(s, i) : subject_of(s, i)).text);
    return tbus_fail(err, -ETIMEDOUT, "%s did not end in time", names);
}

int sides_await_end(sides_t *s, uint64_t until_ns, tbus_error_t *err)
{
    for (;;) {
        int code = any_failure(s, err);
        if (code < 0 || !any_lives(s))
            return code;
        if (tbus_clock_ns() >= until_ns)
            return overdue(s, err);
        code = sides_sleep(s, until_ns, err);
        if (code < 0)
            return code;
    }
}

int sides_await_stage(sides_t *s, unsigned side, uint32_t stage, uint64_t until_ns,
                      tbus_error_t *err)
{
    for (;;) {
        /* S2 pairs S1 (sides_enter) */
        if (tbus_load_acquire_u32(&s->shared->records[side].stage) >= stage)
            return 1;
        int code = failure_of(s, side, err);
        if (code < 0)
            return code;
        if (!s->pids[side])
            return tbus_fail(err, -ECHILD, "%s ended too early", subject_of(s, side).text);
        uint64_t now_ns = tbus_clock_ns();
        if (now_ns >= until_ns)
            return 0;
        uint64_t look_ns = now_ns + LOOK_EACH_NS;
        code = sides_sleep(s, look_ns < until_ns ? look_ns : until_ns, err);
        if (code < 0)
            return code;
    }
}

int sides_run(const sides_spec_t *spec, uint64_t limit_ns, tbus_error_t *err)
{
    sides_t sides;
    int code = sides_start(spec, &sides, err);
    if (code < 0)
        return code;
    code = sides_await_end(&sides, tbus_clock_ns() + limit_ns, err);
    sides_finish(&sides);
    return code;
}

/* ---- signals */

static const int stopping[2] = {SIGINT, SIGTERM};

static void note_signal(int signal_number)
{
    (void)signal_number;
}

void sides_hold_signals(sides_signals_t *out_before)
{
    sigset_t set;
    struct sigaction action = {.sa_handler = note_signal};
    sigemptyset(&set);
    for (int i = 0; i < 2; i++) {
        sigaddset(&set, stopping[i]);
        sigaction(stopping[i], &action, &out_before->actions[i]);
    }
    sigprocmask(SIG_BLOCK, &set, &out_before->mask);
}

void sides_restore_signals(const sides_signals_t *before)
{
    for (int i = 0; i < 2; i++)
        sigaction(stopping[i], &before->actions[i], NULL);
    sigprocmask(SIG_SETMASK, &before->mask, NULL);
}
