/* SPDX-License-Identifier: Apache-2.0 */
/* horizon.h - how far a process is, in one word that others read: "whatever I still publish has a
 * time of at least so much". What the time is, its users say (tickbus/market/clock.h: that of the
 * market); the word never falls, and UINT64_MAX says that nothing more comes.
 *
 *    writer                                   reader
 *    publish messages                         look at the horizon        (A2)
 *    raise the horizon           (A1)         then take what is on the ring
 *
 * In this order the reader has every message with a time below the horizon that it saw: what it
 * then does not find, does not come any more.
 *
 * A reader that can go on only when a horizon has risen may sleep: it watches the horizon with its
 * waiter (wait.h), and the writer wakes it. A writer that nobody waits for pays a store and a load.
 */
#ifndef TICKBUS_HORIZON_H
#define TICKBUS_HORIZON_H

#include <stddef.h>

#include <tickbus/atomic.h>
#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TBUS_HORIZON_END UINT64_MAX /* nothing more comes */

/* In shared memory. Written by: its owner (`at`, `last`); sleepers set `waiting`, whoever clears it
 * rings `bell`. Two lines, so that a reader that goes to sleep does not disturb those that look. */
typedef struct tbus_horizon {
    tbus_atomic_u64_t at;   /*   0 */
    tbus_atomic_u64_t last; /*   8 with TBUS_HORIZON_END: what `at` was before */
    uint8_t pad0[48];
    tbus_atomic_u32_t waiting; /*  64 1: somebody sleeps until `at` rises */
    tbus_atomic_u32_t bell;    /*  68 what they sleep on */
    /*  72 1: somebody has slept until it rose, and its owner executes a fence from then on, so that
     * no sleeper need call membarrier(2) again (wait.h). Stays */
    tbus_atomic_u32_t fence_wanted;
    uint8_t pad1[52];
} tbus_horizon_t;

TBUS_STATIC_ASSERT(sizeof(tbus_horizon_t) == 128);
TBUS_STATIC_ASSERT(offsetof(tbus_horizon_t, at) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_horizon_t, last) == 8);
TBUS_STATIC_ASSERT(offsetof(tbus_horizon_t, pad0) == 16);
TBUS_STATIC_ASSERT(offsetof(tbus_horizon_t, waiting) == 64);
TBUS_STATIC_ASSERT(offsetof(tbus_horizon_t, bell) == 68);
TBUS_STATIC_ASSERT(offsetof(tbus_horizon_t, fence_wanted) == 72);
TBUS_STATIC_ASSERT(offsetof(tbus_horizon_t, pad1) == 76);

/* A horizon as one of its readers sees it. Belongs to one thread. */
typedef struct tbus_horizon_view {
    tbus_horizon_t *shared; /* not owned; NULL: there is none */
    uint64_t seen;          /* as last looked at */
    /* the reader has nothing to do before it rises: its waiter may sleep until then */
    bool awaited;
    bool fence_wanted; /* our waiter has seen to it that its owner executes a fence */
    bool ours;         /* it is raised by the reader's own process: there is nothing to wake for */
} tbus_horizon_view_t;

/* Not for callers: execute a fence, and wake those that sleep on it. */
void tbus_horizon_wake(tbus_horizon_t *horizon);

/* The owner: raise it to `at`, after all messages with an earlier time were published, and wake
 * nobody yet. Nothing happens when it is there already. Hot; no system call. */
TBUS_INLINE void tbus_horizon_raise_quietly(tbus_horizon_t *horizon, uint64_t at)
{
    if (at <= tbus_load_relaxed_u64(&horizon->at)) /* hint: only we write it */
        return;
    /* A1 pairs A2 (tbus_horizon_look): else a reader sees how far we are and not yet the messages
     * that we sent before, and goes past them. */
    tbus_store_release_u64(&horizon->at, at);
}

/* The owner: wake who sleeps until it rises, if anybody does. Call it after raising it quietly, at
 * the latest before doing nothing. `fence`: the host lacks membarrier(2) (wake.h). Hot; a system
 * call only when somebody sleeps. */
TBUS_INLINE void tbus_horizon_ring(tbus_horizon_t *horizon, bool fence)
{
    /* A3 pairs A4 (tbus_waiter_park): our store comes before our look at the two words; the
     * sleeper's membarrier(2) takes the place of a fence, until we see that it wants one of us.
     * Else the sleeper misses the store, we miss its bits, and it sleeps on. */
    if (TBUS_UNLIKELY(fence))
        tbus_fence_full();   /* A3, on a host without membarrier(2) */
    tbus_compiler_barrier(); /* A3 */
    if (TBUS_UNLIKELY(tbus_load_relaxed_u32(&horizon->waiting) |
                      tbus_load_relaxed_u32(&horizon->fence_wanted)))
        tbus_horizon_wake(horizon);
}

/* The owner: both. */
TBUS_INLINE void tbus_horizon_raise(tbus_horizon_t *horizon, uint64_t at, bool fence)
{
    if (at <= tbus_load_relaxed_u64(&horizon->at)) /* hint: only we write it */
        return;
    tbus_horizon_raise_quietly(horizon, at);
    tbus_horizon_ring(horizon, fence);
}

/* The owner: nothing more comes. */
TBUS_INLINE void tbus_horizon_end(tbus_horizon_t *horizon, bool fence)
{
    uint64_t at = tbus_load_relaxed_u64(&horizon->at); /* hint: only we write it */
    if (at == TBUS_HORIZON_END)
        return;
    tbus_store_relaxed_u64(&horizon->last, at); /* seen with the end: A1 */
    tbus_horizon_raise(horizon, TBUS_HORIZON_END, fence);
}

/* A reader that has seen the end: how far it was before. */
TBUS_INLINE uint64_t tbus_horizon_last(const tbus_horizon_view_t *view)
{
    return view->shared ? tbus_load_relaxed_u64(&view->shared->last) : 0; /* A2 came before */
}

/* A reader: how far it is, or what is known already when there is none. */
TBUS_INLINE uint64_t tbus_horizon_look(tbus_horizon_view_t *view)
{
    if (TBUS_LIKELY(view->shared != NULL))
        /* A2 pairs A1 (tbus_horizon_raise): what was sent before is on the rings. */
        view->seen = tbus_load_acquire_u64(&view->shared->at);
    return view->seen;
}

#ifdef __cplusplus
}
#endif
#endif
