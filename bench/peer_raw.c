/* SPDX-License-Identifier: Apache-2.0 */
/* peer_raw.c - the bound: what the cache line itself can do, with nothing else around it. It is the
 * stamp ring of tools/ipc/stamp_ring.h, filled as fast as is known.
 *
 *    round trip   a ring of one slot in each direction: a stamp and the message on as few lines as
 *                 hold them
 *    stream       slots stored whole from registers, the stamp last
 *
 * (The bound for sleeping, a futex: peer_mechanism.c.)
 */
#include "bench/contest.h"
#include "tools/ipc/stamp_ring.h"

#define LINE          64u
#define ROUND_TRIP_AT 4096u /* round trips: where the first line may lie */

static bool raw_can(const contest_trial_t *t)
{
    return t->kind != CONTEST_COMPETING && t->burst == 1 && t->task != CONTEST_PUBLISH &&
           t->poll != CONTEST_SLEEPING;
}

static void *raw_open(contest_trial_t *t)
{
    memset(t->memory, 0,
           t->task == CONTEST_STREAM ? ipc_stamp_ring_bytes(t->bytes, t->slots, t->takers)
                                     : (1u << 20) + 2 * ipc_stamp_ring_slot_bytes(t->bytes));
    return t->memory;
}

typedef uint64_t half_line_t __attribute__((vector_size(32), may_alias, aligned(8)));

/* Up to 56 bytes of a message are fresh and come from registers; the rest is old and moves in
 * vectors. What is fastest for the fresh ones was tried out: of 32 bytes three words in one vector,
 * behind the old stamp; of more, word by word, in atomic stores, which the compiler cannot gather
 * into vectors. The other way round each is a fifth slower. */
CONTEST_INLINE void raw_store(tbus_atomic_u64_t *slot, const void *message, size_t bytes,
                              uint64_t old_stamp)
{
    const uint64_t *w = (const uint64_t *)message;
    const unsigned char *from = (const unsigned char *)message;
    unsigned char *to = (unsigned char *)(slot + 1);
    if (bytes == 32)
        *(half_line_t *)(void *)slot = (half_line_t){old_stamp, w[0], w[1], w[2]};
    for (size_t i = bytes == 32 ? 3 : 0; i < contest_fresh(bytes); i++)
        tbus_store_relaxed_u64(&slot[1 + i], w[i]);
    for (size_t at = 56; at < bytes; at += 32)
        if (bytes - at >= 32)
            *(half_line_t *)(void *)(to + at) = *(const half_line_t *)(const void *)(from + at);
        else
            *(uint64_t *)(void *)(to + at) = *(const uint64_t *)(const void *)(from + at);
}

typedef struct raw_side {
    ipc_stamp_ring_t out, in;
} raw_side_t;

CONTEST_INLINE bool raw_put(void *side, const void *message, size_t bytes)
{
    ipc_stamp_ring_t *out = &((raw_side_t *)side)->out;
    tbus_atomic_u64_t *slot = ipc_stamp_ring_room(out);
    if (!slot)
        return false;
    raw_store(slot, message, bytes, out->position);
    ipc_stamp_ring_stamp(out, slot);
    return true;
}
CONTEST_INLINE const void *raw_get(void *side, size_t bytes)
{
    (void)bytes;
    return ipc_stamp_ring_look(&((raw_side_t *)side)->in);
}
CONTEST_INLINE void raw_done(void *side)
{
    ipc_stamp_ring_t *in = &((raw_side_t *)side)->in;
    ipc_stamp_ring_pass(in);
    ipc_stamp_ring_give_back(in);
}

/* Of one slot, without progress: the answer says that there is room. */
CONTEST_INLINE ipc_stamp_ring_t one_slot(unsigned char *at, size_t bytes)
{
    ipc_stamp_ring_t ring = ipc_stamp_ring_join(at, bytes, 1, 0, 0);
    ring.edge = ring.each = IPC_STAMP_RING_NEVER;
    return ring;
}

CONTEST_INLINE void raw_loops(contest_trial_t *t, void *shared, unsigned index)
{
    unsigned char *memory = shared;
    raw_side_t side;
    if (t->task == CONTEST_ROUND_TRIP) {
        /* Steps of an odd number of lines: another set in every cache, another slice of the last
         * one. */
        unsigned char *there = memory + ROUND_TRIP_AT + t->repetition * 1237u % 8000u * LINE;
        unsigned char *back = there + ipc_stamp_ring_slot_bytes(t->bytes) + 4 * LINE;
        side.out = one_slot(index == 0 ? there : back, t->bytes);
        side.in = one_slot(index == 0 ? back : there, t->bytes);
    } else {
        unsigned taker = index < t->senders ? 0 : index - t->senders;
        side.out = side.in = ipc_stamp_ring_join(memory, t->bytes, t->slots, t->takers, taker);
    }
    contest_loops(t, index, &side, raw_put, raw_get, raw_done);
}

static void raw_plain(contest_trial_t *t, void *shared, unsigned index)
{
    raw_loops(t, shared, index);
}
#if defined(__x86_64__)
__attribute__((target("avx"))) static void raw_avx(contest_trial_t *t, void *shared, unsigned index)
{
    raw_loops(t, shared, index);
}
#endif
static void raw_side(contest_trial_t *t, void *shared, unsigned index)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx")) {
        raw_avx(t, shared, index);
        return;
    }
#endif
    raw_plain(t, shared, index);
}

const contest_peer_t peer_raw = {.name = "raw lines",
                                 .large = true,
                                 .slowness = 1,
                                 .can = raw_can,
                                 .open = raw_open,
                                 .side = raw_side};
