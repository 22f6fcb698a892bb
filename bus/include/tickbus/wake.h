/* SPDX-License-Identifier: Apache-2.0 */
/* wake.h - waking the processes that sleep on a ring.
 *
 * A sleeper sets its bit in the ring's `sleepers` (a publisher that waits for room:
 * `pubs_waiting`), looks at the ring once more, and sleeps on its *bell*, a futex word. wait.h has
 * the whole protocol. Whoever stores a message looks at `sleepers` after the store and calls these
 * functions only if somebody sleeps, or does so often. While all are awake nobody pays for a system
 * call or a fence.
 */
#ifndef TICKBUS_WAKE_H
#define TICKBUS_WAKE_H

#include <tickbus/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ring the bells of the subscribers whose bits are set in `sleepers`, and clear these bits. One
 * system call each. */
void tbus_ring_wake(tbus_ring_shared_t *shared, uint32_t sleepers);

/* For a publisher that has stored a message and seen somebody's bit in `sleepers` or
 * `fences_wanted`: execute a fence, look at `sleepers` again, and ring the bells. */
void tbus_ring_look_again(tbus_ring_shared_t *shared);

/* Ring the bell of the publishers that wait for room, if there are any. */
void tbus_ring_wake_publishers(tbus_ring_shared_t *shared);

/* Nudge: execute a fence, and ring the bells of all sleepers of this ring, whatever they wait
 * for. */
void tbus_ring_nudge(tbus_ring_t *ring);

/* Register this process so that the membarrier(2) of other processes reaches it. False: the kernel
 * does not have it, and publishers must execute a fence instead. Any thread; a system call the
 * first time. */
bool tbus_membarrier_register(void);

#ifdef __cplusplus
}
#endif
#endif
