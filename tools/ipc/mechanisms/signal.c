/* SPDX-License-Identifier: Apache-2.0 */
/* signal.c - real-time signals: sigqueue(3) to the peer, which blocks the signal and takes it with
 * sigwaitinfo(2). They queue, unlike the old ones; what they carry, one int, is no payload. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <tickbus/atomic.h>

#include "tools/ipc/shared_block.h"

#define BLOCK_BYTES 4096u

typedef struct signals {
    tbus_atomic_u32_t *pids; /* by role, in shared memory */
    pid_t peer;
    sigset_t set;
} signals_t;

static int signal_setup(ipc_session_t *s, tbus_error_t *err)
{
    signals_t *m = (signals_t *)calloc(1, sizeof *m);
    if (!m)
        return tbus_fail(err, -ENOMEM, "signal: no memory");
    s->state = m;
    m->pids = (tbus_atomic_u32_t *)ipc_shared_block_new("signal", BLOCK_BYTES, err);
    return m->pids ? 0 : -ENOMEM;
}

static int signal_open(ipc_session_t *s, tbus_error_t *err)
{
    signals_t *m = (signals_t *)s->state;
    sigemptyset(&m->set);
    sigaddset(&m->set, SIGRTMIN);
    if (sigprocmask(SIG_BLOCK, &m->set, NULL) < 0)
        return tbus_fail(err, -errno, "signal: sigprocmask: %s", strerror(errno));
    /* P5 pairs P6: the signal is blocked before the peer may send it. Else it kills us. */
    tbus_store_release_u32(&m->pids[s->role], (uint32_t)getpid());
    /* P6 pairs P5 */
    while (!(m->peer = (pid_t)tbus_load_acquire_u32(&m->pids[!s->role])))
        sched_yield();
    return 0;
}

static int signal_send(ipc_session_t *s, const void *message)
{
    (void)message;
    const signals_t *m = (const signals_t *)s->state;
    while (ipc_call(s, sigqueue(m->peer, SIGRTMIN, (union sigval){.sival_int = 1})) < 0) {
        if (errno != EAGAIN)
            return -errno;
        /* the user's queue is full: RLIMIT_SIGPENDING. Nothing tells when there is room. */
        sched_yield();
        s->syscalls++;
    }
    return 0;
}

static int signal_receive(ipc_session_t *s, const void **out_message)
{
    (void)out_message;
    const signals_t *m = (const signals_t *)s->state;
    while (ipc_call(s, sigwaitinfo(&m->set, NULL)) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static void signal_cleanup(ipc_session_t *s)
{
    signals_t *m = (signals_t *)s->state;
    if (!m)
        return;
    ipc_shared_block_free(m->pids, BLOCK_BYTES);
    free(m);
    s->state = NULL;
}

static void signal_limits(char *text, size_t text_bytes)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_SIGPENDING, &limit);
    snprintf(text, text_bytes,
             "%llu signals queued a user (RLIMIT_SIGPENDING), real-time signals %d..%d",
             (unsigned long long)limit.rlim_cur, SIGRTMIN, SIGRTMAX);
}

const ipc_mechanism_t ipc_signal = {
    .name = "signal",
    .what = "real-time signals, sigqueue and sigwaitinfo",
    .family = "signalling",
    .scope = "host",
    .bound = "RLIMIT_SIGPENDING, a user",
    .persistence = "until the receiver ends",
    .typical_use = "stop, reload, child ended",
    .in_tickbus =
        "stop (SIGINT, SIGTERM), reload of risk limits (SIGHUP), summary so far (SIGUSR1)",
    .transfers_data = false,
    .sleeps = true,
    .synchronises = true,
    .setup = signal_setup,
    .open = signal_open,
    .send = signal_send,
    .receive = signal_receive,
    .cleanup = signal_cleanup,
    .limits = signal_limits,
};
