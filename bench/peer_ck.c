/* SPDX-License-Identifier: Apache-2.0 */
/* peer_ck.c - Concurrency Kit's ring, messages stored by value (CK_RING_PROTOTYPE): SPSC one to
 * one, MPMC competing; for broadcast a ring for each taker. */
#include "bench/contest.h"

#if BENCH_HAS_CK
#include <ck_ring.h>

#define SIZED(n)                                                                                   \
    struct ck_message_##n {                                                                        \
        unsigned char bytes[n];                                                                    \
    };                                                                                             \
    CK_RING_PROTOTYPE(m##n, ck_message_##n)
SIZED(32)
SIZED(56)
SIZED(64)
SIZED(256)
SIZED(1024)
SIZED(4096)

typedef struct lane {
    struct ck_ring ring;
    unsigned char pad[64];
    void *buffer;
} __attribute__((aligned(128))) lane_t;

typedef struct ck_side {
    contest_message_t message;
    lane_t *out[CONTEST_SIDES_MAX], *in;
    uint32_t outs, next; /* broadcast: rings, and which has this message next */
} ck_side_t;

static bool can(const contest_trial_t *t)
{
    return t->burst == 1 && t->poll != CONTEST_SLEEPING && t->task != CONTEST_PUBLISH;
}

/* Round trips: ring 0 there, ring 1 back. Else: one for each broadcast taker, or one for all. */
static void *open_rings(contest_trial_t *t)
{
    lane_t *lanes = t->memory;
    unsigned char *buffers = (unsigned char *)t->memory + 4096;
    for (unsigned i = 0; i < CONTEST_SIDES_MAX; i++) {
        if ((size_t)t->slots * t->bytes * (i + 1) > CONTEST_MEMORY_BYTES - 4096)
            break;
        ck_ring_init(&lanes[i].ring, t->slots);
        lanes[i].buffer = buffers + (size_t)t->slots * t->bytes * i;
    }
    return lanes;
}

#define ENQUEUE(kind, n)                                                                           \
    case n:                                                                                        \
        return ck_ring_enqueue_##kind##_m##n(&lane->ring, lane->buffer,                            \
                                             (struct ck_message_##n *)(uintptr_t)message)
#define DEQUEUE(kind, n)                                                                           \
    case n:                                                                                        \
        return ck_ring_dequeue_##kind##_m##n(&lane->ring, lane->buffer, message)
#define ALL_SIZES(what, kind)                                                                      \
    switch (bytes) {                                                                               \
        what(kind, 32);                                                                            \
        what(kind, 56);                                                                            \
        what(kind, 64);                                                                            \
        what(kind, 256);                                                                           \
        what(kind, 1024);                                                                          \
        what(kind, 4096);                                                                          \
    }                                                                                              \
    return false

CONTEST_INLINE bool enqueue_single(lane_t *lane, const void *message, size_t bytes)
{
    ALL_SIZES(ENQUEUE, spsc);
}
CONTEST_INLINE bool dequeue_single(lane_t *lane, void *message, size_t bytes)
{
    ALL_SIZES(DEQUEUE, spsc);
}
CONTEST_INLINE bool enqueue_several(lane_t *lane, const void *message, size_t bytes)
{
    ALL_SIZES(ENQUEUE, mpmc);
}
CONTEST_INLINE bool dequeue_several(lane_t *lane, void *message, size_t bytes)
{
    ALL_SIZES(DEQUEUE, mpmc);
}

CONTEST_INLINE bool put_single(void *side, const void *message, size_t bytes)
{
    ck_side_t *s = side;
    for (; s->next < s->outs; s->next++)
        if (!enqueue_single(s->out[s->next], message, bytes))
            return false;
    s->next = 0;
    return true;
}
CONTEST_INLINE const void *get_single(void *side, size_t bytes)
{
    ck_side_t *s = side;
    return dequeue_single(s->in, &s->message, bytes) ? &s->message : NULL;
}
CONTEST_INLINE bool put_several(void *side, const void *message, size_t bytes)
{
    ck_side_t *s = side;
    return enqueue_several(s->out[0], message, bytes);
}
CONTEST_INLINE const void *get_several(void *side, size_t bytes)
{
    ck_side_t *s = side;
    return dequeue_several(s->in, &s->message, bytes) ? &s->message : NULL;
}

static void run_side(contest_trial_t *t, void *shared, unsigned index)
{
    lane_t *lanes = shared;
    contest_lanes_t mine = contest_lanes_of(t, index);
    ck_side_t side = {.outs = mine.outs, .in = &lanes[mine.in]};
    for (unsigned i = 0; i < mine.outs; i++)
        side.out[i] = &lanes[mine.out[i]];
    if (t->kind == CONTEST_COMPETING)
        contest_loops(t, index, &side, put_several, get_several, contest_done_nothing);
    else
        contest_loops(t, index, &side, put_single, get_single, contest_done_nothing);
}

const contest_peer_t peer_ck = {.name = "ck_ring",
                                .package = "libck-dev",
                                .threads = true,
                                .slowness = 2,
                                .can = can,
                                .open = open_rings,
                                .side = run_side};
#else
const contest_peer_t peer_ck = {.name = "ck_ring", .package = "libck-dev"};
#endif
