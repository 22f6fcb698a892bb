/* SPDX-License-Identifier: Apache-2.0 */
/* contest.h - one task, done by tickbus, by the bare hardware and by its peers under the same
 * rules.
 *
 *    round trip   side 0 sends, side 1 answers, one message in flight
 *    stream       senders send without a pause, takers take; kinds: one to one, each message to
 *                 one of several takers, each message to every taker
 *
 * A contestant is one struct of functions in a file of its own (peer_*.c, peer_*.cc). A trial is
 * one repetition of one contestant: its sides run as pinned processes, or as pinned threads of one
 * process where a queue cannot live in shared memory. The loops below are the same for all: a
 * contestant brings `put`, `get` and `done`, and they are inlined, so that nothing stands between a
 * queue and its messages.
 *
 * A message of number n begins with up to seven fresh words n, n + 1 .. (a tick that has just been
 * decoded); what follows is old. Its taker reads and adds up every word, and the sums are checked.
 */
#ifndef TICKBUS_BENCH_CONTEST_H
#define TICKBUS_BENCH_CONTEST_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tickbus/atomic.h>
#include <tickbus/clock.h>

#include "tools/measure/ticks.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONTEST_SIDES_MAX    4u
#define CONTEST_BYTES_MAX    4096u
#define CONTEST_LARGE_BYTES  65536u /* messages from here on: for who says that it can */
#define CONTEST_LARGE_MAX    1048576u
#define CONTEST_MEMORY_BYTES (size_t)(8u << 20)
#define CONTEST_SAMPLES_MAX  200000u
#define CONTEST_PARTS        16u
#define CONTEST_BURST        32u

enum contest_task { CONTEST_ROUND_TRIP, CONTEST_STREAM, CONTEST_PUBLISH };
enum contest_kind { CONTEST_PAIR, CONTEST_COMPETING, CONTEST_BROADCAST };
enum contest_poll {
    CONTEST_NAKED,    /* look again at once */
    CONTEST_PAUSED,   /* 8 x PAUSE between looks */
    CONTEST_YIELDING, /* more sides than CPUs: 8 x PAUSE, now and then sched_yield(2) */
    CONTEST_SLEEPING, /* get sleeps in the kernel */
};

/* What is to be done, and what came of it; shared by all processes of a trial. */
typedef struct contest_trial {
    enum contest_task task;
    enum contest_kind kind;
    enum contest_poll poll;
    uint32_t bytes; /* of a message: 32, 56, 64, 256, 1024, 4096, 65536 or 1048576 */
    uint32_t slots; /* room for so many messages; a power of two */
    uint32_t burst; /* messages at a time, 1 or CONTEST_BURST */
    uint32_t senders, takers;
    uint32_t warm_up; /* round trips, or messages of each taker, before the measured ones */
    uint32_t count;   /* round trips, or messages of each taker */
    int cpus[CONTEST_SIDES_MAX];
    /* raw lines move on with it: a line's address makes up to a fifth of the difference */
    unsigned repetition;
    void *memory; /* CONTEST_MEMORY_BYTES, shared, in the best pages there are */
    /* For what needs a name in the file system or elsewhere: its directory. Not owned. */
    struct ipc_leftovers *leftovers;

    tbus_atomic_u32_t met; /* sides that have come to a meeting, all meetings together */
    struct {
        uint64_t began_ns, ended_ns, sum;
        uint64_t part_ticks[CONTEST_PARTS]; /* what each part of a taker's stream took */
    } sides[CONTEST_SIDES_MAX];             /* senders first */
    uint32_t ticks[CONTEST_SAMPLES_MAX];
} contest_trial_t;

typedef struct contest_peer {
    const char *name;
    const char *package; /* Debian package that it is built from; NULL: none */
    bool threads;        /* its sides must be threads of one process */
    bool kernel;         /* enters the kernel for every message */
    uint32_t slowness;   /* its trials are shorter by this factor, so that a run ends */
    /* NULL: was not built, the package was missing. False: cannot do this task. */
    bool (*can)(const contest_trial_t *trial);
    /* In the process that will start the sides; returns what they share. NULL: nothing. */
    void *(*open)(contest_trial_t *trial);
    void (*side)(contest_trial_t *trial, void *shared, unsigned side);
    void (*close)(contest_trial_t *trial, void *shared); /* may be NULL */
    bool large; /* moves messages of CONTEST_LARGE_BYTES and more */
} contest_peer_t;

/* Each in its own file. */
extern const contest_peer_t peer_raw;                          /* peer_raw.c */
extern const contest_peer_t peer_tickbus, peer_tickbus_park;   /* peer_tickbus.c */
extern const contest_peer_t peer_ck;                           /* peer_ck.c */
extern const contest_peer_t peer_rte;                          /* peer_rte.c */
extern const contest_peer_t peer_boost_spsc, peer_boost_queue; /* peer_boost.cc */
extern const contest_peer_t peer_moodycamel;                   /* peer_moodycamel.cc */
extern const contest_peer_t peer_zmq;                          /* peer_zmq.c */
extern const contest_peer_t peer_nng;                          /* peer_nng.c */
extern const contest_peer_t peer_iceoryx;                      /* peer_iceoryx.c */
/* peer_mechanism.c */
extern const contest_peer_t peer_raw_futex, peer_pipe, peer_unix_socket, peer_posix_queue;

/* Run one trial. 0; -EINTR: a signal came (sides_hold_signals); another negative error: it failed
 * or took longer than `seconds`, which stands on stderr by now, and *out_why says how in short. */
int contest_run(const contest_peer_t *peer, contest_trial_t *trial, unsigned seconds,
                const char **out_why);

/* A message that is too large for the stack: one side's, of a process that has no other. Only its
 * first words are fresh; contest_message_t is its beginning. */
extern uint64_t contest_large[CONTEST_LARGE_MAX / 8];

/* All sides meet here before the first message; a contestant whose messages would vanish with their
 * sender has its sides meet once more after the last. */
void contest_meet(contest_trial_t *trial);

/* A contestant that cannot go on: leaves the reason and ends the process, so that the trial has
 * failed. */
void contest_fail(const char *what, const char *why) __attribute__((noreturn));
void contest_must(int status, const char *what, const char *why); /* fails if status < 0 */

/* For contestants with a queue from one to one: which of them a side puts into and takes from. Two
 * of them make a round trip, one for each taker a broadcast; otherwise all meet at number 0. */
typedef struct contest_lanes {
    unsigned outs, out[CONTEST_SIDES_MAX], in;
} contest_lanes_t;
contest_lanes_t contest_lanes_of(const contest_trial_t *trial, unsigned index);

/* ---- the loops ---- */

#define CONTEST_INLINE static inline __attribute__((always_inline))

typedef bool (*contest_put_t)(void *side, const void *message, size_t bytes); /* false: full */
typedef const void *(*contest_get_t)(void *side, size_t bytes);               /* NULL: empty */
/* with what get returned */
typedef void (*contest_done_t)(void *side);

typedef struct contest_message {
    uint64_t words[CONTEST_BYTES_MAX / 8];
} __attribute__((aligned(64))) contest_message_t;

CONTEST_INLINE size_t contest_fresh(size_t bytes)
{
    return bytes / 8 < 7 ? bytes / 8 : 7;
}
CONTEST_INLINE void contest_fill(contest_message_t *message, size_t bytes, uint64_t n)
{
    for (size_t i = 0; i < contest_fresh(bytes); i++)
        message->words[i] = n + i;
}
static inline void contest_prefill(void *message, size_t bytes)
{
    for (size_t i = 0; i < bytes / 8; i++)
        ((uint64_t *)message)[i] = i;
}
CONTEST_INLINE uint64_t contest_sum_of(size_t bytes, uint64_t n)
{
    uint64_t fresh = contest_fresh(bytes), words = bytes / 8;
    return fresh * n + words * (words - 1) / 2;
}

typedef uint64_t contest_pair_t __attribute__((vector_size(16)));

CONTEST_INLINE uint64_t contest_sum(const void *message, size_t bytes)
{
    const unsigned char *from = (const unsigned char *)message;
    if (bytes <= 64) {
        uint64_t total = 0;
        for (size_t i = 0; i < bytes / 8; i++) {
            uint64_t word;
            memcpy(&word, from + 8 * i, 8);
            total += word;
        }
        return total;
    }
    contest_pair_t sums[4] = {{0, 0}, {0, 0}, {0, 0}, {0, 0}};
    for (size_t i = 0; i < bytes; i += 64)
        for (size_t k = 0; k < 4; k++) {
            contest_pair_t pair;
            memcpy(&pair, from + i + 16 * k, 16);
            sums[k] += pair;
        }
    contest_pair_t all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    return all[0] + all[1];
}

CONTEST_INLINE void contest_wait(enum contest_poll poll, uint32_t *looks)
{
    if (poll == CONTEST_NAKED)
        return;
    for (unsigned i = 0; i < 8; i++)
        tbus_pause();
    if (poll == CONTEST_YIELDING && ++*looks % 16 == 0)
        sched_yield();
}

CONTEST_INLINE void contest_send_one(const contest_trial_t *t, void *side,
                                     contest_message_t *message, size_t bytes, uint64_t n,
                                     contest_put_t put)
{
    uint32_t looks = 0;
    contest_fill(message, bytes, n);
    while (!put(side, message, bytes))
        contest_wait(t->poll == CONTEST_NAKED ? CONTEST_PAUSED : t->poll, &looks);
}
CONTEST_INLINE uint64_t contest_take_one(const contest_trial_t *t, void *side, size_t bytes,
                                         contest_get_t get, contest_done_t done)
{
    const void *message;
    uint32_t looks = 0;
    while (!(message = get(side, bytes)))
        contest_wait(t->poll, &looks);
    uint64_t sum = contest_sum(message, bytes);
    done(side);
    return sum;
}

CONTEST_INLINE void contest_ping(contest_trial_t *t, void *side, contest_message_t *message,
                                 size_t bytes, contest_put_t put, contest_get_t get,
                                 contest_done_t done)
{
    uint64_t before = tbus_clock_ticks(), wrong = 0;
    for (uint64_t n = 1; n <= (uint64_t)t->warm_up + t->count; n++) {
        contest_send_one(t, side, message, bytes, n, put);
        wrong |= contest_take_one(t, side, bytes, get, done) ^ contest_sum_of(bytes, n);
        uint64_t now = tbus_clock_ticks();
        if (n > t->warm_up)
            t->ticks[n - t->warm_up - 1] =
                now - before > UINT32_MAX ? UINT32_MAX : (uint32_t)(now - before);
        before = now;
    }
    if (wrong)
        contest_fail("round trip", "a message arrived damaged");
}
CONTEST_INLINE void contest_pong(contest_trial_t *t, void *side, contest_message_t *message,
                                 size_t bytes, contest_put_t put, contest_get_t get,
                                 contest_done_t done)
{
    uint64_t wrong = 0;
    for (uint64_t n = 1; n <= (uint64_t)t->warm_up + t->count; n++) {
        wrong |= contest_take_one(t, side, bytes, get, done) ^ contest_sum_of(bytes, n);
        contest_send_one(t, side, message, bytes, n, put);
    }
    if (wrong)
        contest_fail("round trip", "a message arrived damaged");
}
CONTEST_INLINE void contest_send(contest_trial_t *t, void *side, contest_message_t *message,
                                 size_t bytes, contest_put_t put)
{
    uint64_t total = (uint64_t)t->warm_up + t->count;
    if (t->kind == CONTEST_COMPETING)
        total = total * t->takers / t->senders;
    for (uint64_t n = 1; n <= total; n++)
        contest_send_one(t, side, message, bytes, n, put);
}
CONTEST_INLINE void contest_take(contest_trial_t *t, unsigned index, void *side, size_t bytes,
                                 contest_get_t get, contest_done_t done)
{
    uint64_t sum = 0;
    for (uint64_t n = t->warm_up; n; n--)
        sum += contest_take_one(t, side, bytes, get, done);
    t->sides[index].began_ns = tbus_clock_ns();
    for (unsigned part = 0; part < CONTEST_PARTS; part++) {
        uint64_t began = tbus_clock_ticks();
        for (uint64_t n = t->count / CONTEST_PARTS; n; n--)
            sum += contest_take_one(t, side, bytes, get, done);
        t->sides[index].part_ticks[part] = tbus_clock_ticks() - began;
    }
    t->sides[index].ended_ns = tbus_clock_ns();
    t->sides[index].sum = sum;
}

CONTEST_INLINE void contest_loops_with(contest_trial_t *t, unsigned index, void *side,
                                       contest_message_t *message, size_t bytes, contest_put_t put,
                                       contest_get_t get, contest_done_t done)
{
    contest_meet(t);
    if (t->task == CONTEST_ROUND_TRIP && index == 0)
        contest_ping(t, side, message, bytes, put, get, done);
    else if (t->task == CONTEST_ROUND_TRIP)
        contest_pong(t, side, message, bytes, put, get, done);
    else if (index < t->senders)
        contest_send(t, side, message, bytes, put);
    else
        contest_take(t, index, side, bytes, get, done);
}
CONTEST_INLINE void contest_loops_sized(contest_trial_t *t, unsigned index, void *side,
                                        size_t bytes, contest_put_t put, contest_get_t get,
                                        contest_done_t done)
{
    contest_message_t message;
    contest_prefill(&message, sizeof message);
    contest_loops_with(t, index, side, &message, bytes, put, get, done);
}

/* What a contestant's side calls once it is connected. The size of a message is a constant to the
 * compiler, as it would be to a user. */
CONTEST_INLINE void contest_loops(contest_trial_t *t, unsigned index, void *side, contest_put_t put,
                                  contest_get_t get, contest_done_t done)
{
    switch (t->bytes) {
    case 32:
        contest_loops_sized(t, index, side, 32, put, get, done);
        break;
    case 56:
        contest_loops_sized(t, index, side, 56, put, get, done);
        break;
    case 64:
        contest_loops_sized(t, index, side, 64, put, get, done);
        break;
    case 256:
        contest_loops_sized(t, index, side, 256, put, get, done);
        break;
    case 1024:
        contest_loops_sized(t, index, side, 1024, put, get, done);
        break;
    case 4096:
        contest_loops_sized(t, index, side, 4096, put, get, done);
        break;
    case 65536:
    case CONTEST_LARGE_MAX:
        contest_prefill(contest_large, t->bytes);
        contest_loops_with(t, index, side, (contest_message_t *)(void *)contest_large, t->bytes,
                           put, get, done);
        break;
    default:
        contest_fail("trial", "no such size of message");
    }
}
CONTEST_INLINE void contest_done_nothing(void *side)
{
    (void)side;
}

#ifdef __cplusplus
}
#endif
#endif
