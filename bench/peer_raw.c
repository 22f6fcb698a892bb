/* SPDX-License-Identifier: Apache-2.0 */
/* peer_raw.c - the bounds: what the cache line and the futex themselves can do, with nothing else
 * around them.
 *
 *    round trip   a stamp and the message on as few lines as hold them, one place in each direction
 *    stream       places stored whole from registers, the stamp last; takers tell their progress every sixteenth
 *                 of the places
 *    futex        a word stored, FUTEX_WAKE; FUTEX_WAIT until it has changed
 */
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/contest.h"

#define LINE          64u
#define ROUND_TRIP_AT 4096u /* round trips: where the first line may lie */

typedef struct raw_head {
    struct {
        tbus_atomic_u64_t progress;
        uint8_t pad[120];
    } takers[CONTEST_SIDES_MAX];
} raw_head_t;

typedef struct raw_side {
    unsigned char *out, *in; /* first place */
    raw_head_t *head;
    uint64_t sent, taken, room_end;
    uint64_t mask;   /* places - 1; round trips have one place */
    uint64_t stride; /* bytes of a place: whole lines */
    uint64_t each;   /* progress is told every so many */
    uint32_t takers, taker;
} raw_side_t;

static bool raw_can(const contest_trial_t *t)
{
    return t->kind != CONTEST_COMPETING && t->burst == 1 && t->task != CONTEST_PUBLISH &&
           t->poll != CONTEST_SLEEPING;
}

static void *raw_open(contest_trial_t *t)
{
    size_t stride = (t->bytes + 8 + LINE - 1) / LINE * LINE;
    memset(t->memory, 0,
           t->task == CONTEST_STREAM ? sizeof(raw_head_t) + stride * t->slots : 1u << 20);
    return t->memory;
}

/* The first 56 bytes of a message are fresh and come from registers; the rest is old and moves in
 * vectors. */
typedef uint64_t half_line_t __attribute__((vector_size(32), may_alias, aligned(8)));

CONTEST_INLINE void raw_store(unsigned char *place, const void *message, size_t bytes,
                              uint64_t stamp)
{
    const uint64_t *w = (const uint64_t *)message;
    half_line_t *to = (half_line_t *)(void *)place;
    uint64_t old = stamp - 1; /* anything but the new stamp */
    if (bytes >= 56) {
        to[0] = (half_line_t){old, w[0], w[1], w[2]};
        to[1] = (half_line_t){w[3], w[4], w[5], w[6]};
    } else {
        to[0] = (half_line_t){old, w[0], w[1], w[2]};
        ((uint64_t *)(void *)place)[4] = w[3];
    }
    for (size_t at = 64; at < bytes + 8; at += 32) {
        const half_line_t *from =
            (const half_line_t *)(const void *)((const unsigned char *)message + at - 8);
        if (bytes + 8 - at >= 32)
            *(half_line_t *)(void *)(place + at) = *from;
        else
            *(uint64_t *)(void *)(place + at) = *(const uint64_t *)(const void *)from;
    }
    tbus_store_release_u64((tbus_atomic_u64_t *)(void *)place, stamp);
}

CONTEST_INLINE bool raw_put(void *side, const void *message, size_t bytes)
{
    raw_side_t *s = side;
    if (s->sent == s->room_end) {
        uint64_t slowest = tbus_load_acquire_u64(&s->head->takers[0].progress);
        for (uint32_t i = 1; i < s->takers; i++) {
            uint64_t progress = tbus_load_acquire_u64(&s->head->takers[i].progress);
            if (progress < slowest)
                slowest = progress;
        }
        s->room_end = slowest + s->mask + 1;
        if (s->sent == s->room_end)
            return false;
    }
    raw_store(s->out + (s->sent & s->mask) * s->stride, message, bytes, s->sent + 1);
    s->sent++;
    return true;
}
CONTEST_INLINE const void *raw_get(void *side, size_t bytes)
{
    (void)bytes;
    raw_side_t *s = side;
    const unsigned char *place = s->in + (s->taken & s->mask) * s->stride;
    if (tbus_load_acquire_u64((const tbus_atomic_u64_t *)(const void *)place) != s->taken + 1)
        return NULL;
    return place + 8;
}
CONTEST_INLINE void raw_done(void *side)
{
    raw_side_t *s = side;
    s->taken++;
    if (s->taken % s->each == 0)
        tbus_store_release_u64(&s->head->takers[s->taker].progress, s->taken);
}

CONTEST_INLINE void raw_loops(contest_trial_t *t, void *shared, unsigned index)
{
    size_t stride = (t->bytes + 8 + LINE - 1) / LINE * LINE;
    unsigned char *memory = shared;
    raw_side_t side = {.head = shared,
                       .stride = stride,
                       .takers = t->takers,
                       .room_end = UINT64_MAX,
                       .each = UINT64_MAX};
    if (t->task == CONTEST_ROUND_TRIP) {
        /* Steps of an odd number of lines: another set in every cache, another slice of the last
         * one. */
        unsigned char *there = memory + ROUND_TRIP_AT + t->repetition * 1237u % 8000u * LINE;
        unsigned char *back = there + stride + 4 * LINE;
        side.out = index == 0 ? there : back;
        side.in = index == 0 ? back : there;
    } else {
        side.out = side.in = memory + sizeof(raw_head_t);
        side.mask = t->slots - 1;
        side.room_end = t->slots;
        side.each = t->slots / 16;
        side.taker = index - t->senders;
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

const contest_peer_t peer_raw = {
    .name = "raw lines", .slowness = 1, .can = raw_can, .open = raw_open, .side = raw_side};

/* ---- futex ---- */

typedef struct futex_place {
    tbus_atomic_u32_t word;
    uint8_t pad[60];
    unsigned char message[CONTEST_BYTES_MAX];
} futex_place_t;

typedef struct futex_side {
    futex_place_t *out, *in;
    uint32_t sent, taken;
} futex_side_t;

static bool futex_can(const contest_trial_t *t)
{
    return t->task == CONTEST_ROUND_TRIP && t->poll == CONTEST_SLEEPING && t->kind == CONTEST_PAIR;
}
static void *futex_open(contest_trial_t *t)
{
    memset(t->memory, 0, 2 * sizeof(futex_place_t));
    return t->memory;
}
CONTEST_INLINE bool futex_put(void *side, const void *message, size_t bytes)
{
    futex_side_t *s = side;
    memcpy(s->out->message, message, bytes);
    tbus_store_release_u32(&s->out->word, ++s->sent);
    syscall(SYS_futex, &s->out->word, FUTEX_WAKE, 1, NULL, NULL, 0);
    return true;
}
CONTEST_INLINE const void *futex_get(void *side, size_t bytes)
{
    (void)bytes;
    futex_side_t *s = side;
    while (tbus_load_acquire_u32(&s->in->word) == s->taken)
        syscall(SYS_futex, &s->in->word, FUTEX_WAIT, s->taken, NULL, NULL, 0);
    s->taken++;
    return s->in->message;
}
static void futex_side(contest_trial_t *t, void *shared, unsigned index)
{
    futex_place_t *places = shared;
    futex_side_t side = {.out = &places[index], .in = &places[1 - index]};
    contest_loops(t, index, &side, futex_put, futex_get, contest_done_nothing);
}

const contest_peer_t peer_raw_futex = {.name = "raw futex",
                                       .kernel = true,
                                       .slowness = 10,
                                       .can = futex_can,
                                       .open = futex_open,
                                       .side = futex_side};
