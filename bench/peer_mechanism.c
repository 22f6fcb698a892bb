/* SPDX-License-Identifier: Apache-2.0 */
/* peer_mechanism.c - contestants that `busctl ipc` has already: its mechanisms
 * (tools/ipc/mechanisms), one system call to send and one to take, which sleeps. The futex is the
 * bound of what sleeps.
 */
#include "bench/contest.h"
#include "tools/ipc/mechanism.h"

/* What the sides share; each copies it, and takes its own ends. */
typedef struct mechanism_trial {
    const ipc_mechanism_t *mechanism;
    ipc_session_t session;
} mechanism_trial_t;

typedef struct mechanism_side {
    contest_message_t message; /* where one arrives that does not stay where it is */
    mechanism_trial_t trial;
} mechanism_side_t;

static bool can(const contest_trial_t *t)
{
    return t->kind == CONTEST_PAIR && t->burst == 1 && t->bytes == 56 && t->task != CONTEST_PUBLISH;
}
static bool can_sleep(const contest_trial_t *t)
{
    return t->task == CONTEST_ROUND_TRIP && t->poll == CONTEST_SLEEPING && t->kind == CONTEST_PAIR;
}

static void *open_mechanism(contest_trial_t *t, const char *name)
{
    static mechanism_trial_t trial; /* the process of a trial opens one, once */
    tbus_error_t err;
    trial.mechanism = ipc_mechanism_find(name);
    trial.session = (ipc_session_t){
        .message_bytes = t->bytes, .one_way = t->task == CONTEST_STREAM, .leftovers = t->leftovers};
    if (trial.mechanism->setup(&trial.session, &err) < 0) {
        trial.mechanism->cleanup(&trial.session);
        contest_fail(name, err.text);
    }
    return &trial;
}
static void *open_pipe(contest_trial_t *t)
{
    return open_mechanism(t, "pipe");
}
static void *open_socket(contest_trial_t *t)
{
    return open_mechanism(t, "unix_stream");
}
static void *open_queue(contest_trial_t *t)
{
    return open_mechanism(t, "posix_mq");
}
static void *open_futex(contest_trial_t *t)
{
    return open_mechanism(t, "shm_futex");
}
static void close_mechanism(contest_trial_t *t, void *shared)
{
    (void)t;
    mechanism_trial_t *trial = shared;
    trial->mechanism->cleanup(&trial->session);
}

static void must(int status, const char *what)
{
    if (status < 0)
        contest_fail(what, status == IPC_END_OF_FILE ? "end of file" : strerror(-status));
}
CONTEST_INLINE bool put(void *side, const void *message, size_t bytes)
{
    (void)bytes;
    mechanism_trial_t *trial = &((mechanism_side_t *)side)->trial;
    must(trial->mechanism->send(&trial->session, message), "send");
    return true;
}
CONTEST_INLINE const void *get(void *side, size_t bytes)
{
    (void)bytes;
    const void *message = NULL;
    mechanism_trial_t *trial = &((mechanism_side_t *)side)->trial;
    must(trial->mechanism->receive(&trial->session, &message), "receive");
    return message;
}

static void run_side(contest_trial_t *t, void *shared, unsigned index)
{
    tbus_error_t err;
    mechanism_side_t side = {.trial = *(const mechanism_trial_t *)shared};
    ipc_session_t *session = &side.trial.session;
    session->role = index == 0 ? IPC_CLIENT : IPC_SERVER;
    session->buffer = (unsigned char *)&side.message;
    contest_must(side.trial.mechanism->open(session, &err), side.trial.mechanism->name, err.text);
    contest_loops(t, index, &side, put, get, contest_done_nothing);
    if (side.trial.mechanism->close)
        side.trial.mechanism->close(session);
}

#define MECHANISM_PEER(label, slower_by, may, opener)                                              \
    {                                                                                              \
        .name = label, .kernel = true, .slowness = slower_by, .can = may, .open = opener,          \
        .side = run_side, .close = close_mechanism                                                 \
    }
const contest_peer_t peer_pipe = MECHANISM_PEER("pipe", 20, can, open_pipe);
const contest_peer_t peer_unix_socket = MECHANISM_PEER("Unix socket", 20, can, open_socket);
const contest_peer_t peer_posix_queue = MECHANISM_PEER("POSIX queue", 20, can, open_queue);
const contest_peer_t peer_raw_futex = MECHANISM_PEER("raw futex", 10, can_sleep, open_futex);
