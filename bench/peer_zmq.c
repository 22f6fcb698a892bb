/* SPDX-License-Identifier: Apache-2.0 */
/* peer_zmq.c - ZeroMQ over ipc: PAIR one to one, XPUB that blocks instead of dropping
 * (ZMQ_XPUB_NODROP) to each of its SUBs. */
#include <stdio.h>
#include <unistd.h>

#include "bench/contest.h"
#include "tools/ipc/leftovers.h"

#if BENCH_HAS_ZMQ
#include <zmq.h>

typedef struct zmq_side {
    contest_message_t message;
    void *socket;
} zmq_side_t;

static bool can(const contest_trial_t *t)
{
    return t->kind != CONTEST_COMPETING && t->burst == 1 && t->bytes == 56 &&
           t->task != CONTEST_PUBLISH;
}

static void must(int status, const char *what)
{
    if (status < 0)
        contest_fail(what, zmq_strerror(zmq_errno()));
}

static void endpoint(const contest_trial_t *t, char *out_name, size_t bytes)
{
    snprintf(out_name, bytes, "ipc://%s/zmq", t->leftovers->directory);
}

CONTEST_INLINE bool put(void *side, const void *message, size_t bytes)
{
    must(zmq_send(((zmq_side_t *)side)->socket, message, bytes, 0), "zmq_send");
    return true;
}
CONTEST_INLINE const void *get(void *side, size_t bytes)
{
    zmq_side_t *s = side;
    if (zmq_recv(s->socket, &s->message, bytes, 0) != (int)bytes)
        contest_fail("zmq_recv", "a message of another length");
    return &s->message;
}

static void run_side(contest_trial_t *t, void *shared, unsigned index)
{
    (void)shared; /* a context does not survive a fork: each side makes its own */
    char name[128];
    bool first = index == 0, broadcast = t->kind == CONTEST_BROADCAST && t->task == CONTEST_STREAM;
    int type = !broadcast ? ZMQ_PAIR : first ? ZMQ_XPUB : ZMQ_SUB;
    void *context = zmq_ctx_new();
    zmq_side_t side = {.socket = zmq_socket(context, type)};
    endpoint(t, name, sizeof name);
    int room = (int)t->slots, yes = 1;
    must(zmq_setsockopt(side.socket, ZMQ_SNDHWM, &room, sizeof room), "ZMQ_SNDHWM");
    must(zmq_setsockopt(side.socket, ZMQ_RCVHWM, &room, sizeof room), "ZMQ_RCVHWM");
    if (first) {
        if (broadcast) {
            must(zmq_setsockopt(side.socket, ZMQ_XPUB_NODROP, &yes, sizeof yes), "ZMQ_XPUB_NODROP");
            /* Tell us of every subscriber, not just of every new subscription. */
            must(zmq_setsockopt(side.socket, ZMQ_XPUB_VERBOSE, &yes, sizeof yes),
                 "ZMQ_XPUB_VERBOSE");
        }
        unlink(name + strlen("ipc://"));
        must(zmq_bind(side.socket, name), "zmq_bind");
        for (unsigned i = 0; broadcast && i < t->takers; i++)
            must(zmq_recv(side.socket, &side.message, sizeof side.message, 0), "subscription");
    } else {
        if (broadcast)
            must(zmq_setsockopt(side.socket, ZMQ_SUBSCRIBE, "", 0), "ZMQ_SUBSCRIBE");
        must(zmq_connect(side.socket, name), "zmq_connect"); /* tries until there is somebody */
    }
    contest_loops(t, index, &side, put, get, contest_done_nothing);
    zmq_close(side.socket); /* lingers until all is sent */
    zmq_ctx_term(context);
}

const contest_peer_t peer_zmq = {.name = "ZeroMQ ipc",
                                 .package = "libzmq3-dev",
                                 .kernel = true,
                                 .slowness = 40,
                                 .can = can,
                                 .side = run_side};
#else
const contest_peer_t peer_zmq = {.name = "ZeroMQ ipc", .package = "libzmq3-dev"};
#endif
