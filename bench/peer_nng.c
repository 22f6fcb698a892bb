/* SPDX-License-Identifier: Apache-2.0 */
/* peer_nng.c - nng over ipc: pair one to one. (Its pub drops what a subscriber does not take in
 * time, so it takes no part in broadcasts.) */
#include <stdio.h>
#include <unistd.h>

#include "bench/contest.h"
#include "tools/ipc/leftovers.h"

#if BENCH_HAS_NNG
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>

typedef struct nng_side {
    contest_message_t message;
    nng_socket socket;
} nng_side_t;

static bool can(const contest_trial_t *t)
{
    return t->kind == CONTEST_PAIR && t->burst == 1 && t->bytes == 56 && t->task != CONTEST_PUBLISH;
}

static void must(int status, const char *what)
{
    if (status != 0)
        contest_fail(what, nng_strerror(status));
}

CONTEST_INLINE bool put(void *side, const void *message, size_t bytes)
{
    must(nng_send(((nng_side_t *)side)->socket, (void *)(uintptr_t)message, bytes, 0), "nng_send");
    return true;
}
CONTEST_INLINE const void *get(void *side, size_t bytes)
{
    nng_side_t *s = side;
    size_t got = bytes;
    must(nng_recv(s->socket, &s->message, &got, 0), "nng_recv");
    return &s->message;
}

static void run_side(contest_trial_t *t, void *shared, unsigned index)
{
    (void)shared; /* its threads do not survive a fork: each side makes its own socket */
    char name[128];
    nng_side_t side;
    snprintf(name, sizeof name, "ipc://%s/nng", t->leftovers->directory);
    must(nng_pair0_open(&side.socket), "nng_pair0_open");
    must(nng_socket_set_int(side.socket, NNG_OPT_SENDBUF, (int)t->slots), "NNG_OPT_SENDBUF");
    must(nng_socket_set_int(side.socket, NNG_OPT_RECVBUF, (int)t->slots), "NNG_OPT_RECVBUF");
    if (index == 0) {
        unlink(name + strlen("ipc://"));
        must(nng_listen(side.socket, name, NULL, 0), "nng_listen");
        side.message.words[0] = 0;
        put(&side, &side.message, 8); /* waits for the other */
    } else {
        must(nng_socket_set_ms(side.socket, NNG_OPT_RECONNMINT, 1), "NNG_OPT_RECONNMINT");
        must(nng_dial(side.socket, name, NULL, NNG_FLAG_NONBLOCK), "nng_dial");
        get(&side, 8);
    }
    contest_loops(t, index, &side, put, get, contest_done_nothing);
    contest_meet(t); /* closing throws away what is not sent yet */
    nng_close(side.socket);
}

const contest_peer_t peer_nng = {.name = "nng ipc",
                                 .package = "libnng-dev",
                                 .kernel = true,
                                 .slowness = 100,
                                 .can = can,
                                 .side = run_side};
#else
const contest_peer_t peer_nng = {.name = "nng ipc", .package = "libnng-dev"};
#endif
