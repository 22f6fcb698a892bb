/* SPDX-License-Identifier: Apache-2.0 */
/* wake.h - the bells of a ring: who rings them, and what makes it safe to look for sleepers without
 * a fence.
 *
 * A sleeper sets its bit in the ring's `sleepers` (a publisher that waits for room:
 * `pubs_waiting`), looks at the ring once more, and sleeps on its bell, a futex word of its own
 * (wait.h has all of it). Whoever stores a message looks at that word after the store and comes
 * here only if somebody sleeps: nobody pays for a system call while all are awake.
 */
#ifndef TICKBUS_WAKE_H
#define TICKBUS_WAKE_H

#include <tickbus/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ring the bells of the subscribers whose bits are set, and clear those bits. A system call for
 * each. */
void tbus_ring_wake(tbus_ring_shared_t *shared, uint32_t sleepers);

/* Ring the bell of the publishers that wait for room, if any does. */
void tbus_ring_wake_publishers(tbus_ring_shared_t *shared);

/* Ring every sleeper's bell, whatever it waits for. */
void tbus_ring_nudge(tbus_ring_t *ring);

/* Have other processes' membarrier(2) reach this one. False: the kernel has none, and whoever
 * publishes must pay a fence instead. Any thread; a system call the first time. */
bool tbus_membarrier_register(void);

#ifdef __cplusplus
}
#endif
#endif
