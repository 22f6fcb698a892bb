/* SPDX-License-Identifier: Apache-2.0 */
/* repair.h - giving back what a dead participant held: its claims, the messages that it had taken,
 * and its place on a ring.
 *
 * Every process that may write to a ring can repair it, at any time, while other participants go
 * on. Repair needs proof of death (bus.h) and is idempotent: a repairer may be killed at any point,
 * and the next one does the rest. Cold.
 */
#ifndef TICKBUS_REPAIR_H
#define TICKBUS_REPAIR_H

#include <tickbus/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Clean up after a participant that is proven dead. Its claims become tombs. A message that it had
 * taken is freed and counted in doubt; with TBUS_AT_LEAST_ONCE it waits to be taken again. Returns
 * how many slots and places were repaired. No other process may take over the number before this
 * returns, as with tbus_ring_heal. (A repairer that is killed between mending a slot and counting
 * it leaves the count one short.) On a ring that is mapped read-only, or for a number that is not
 * in 1..255, 0. */
int tbus_ring_repair(tbus_ring_t *ring, uint32_t dead_owner);

/* Find the owners of claims, of taken messages and of places on this ring, ask `dead` about each of
 * them, and repair after those that are dead. `dead` returns true only with proof, never by a
 * guess, and makes sure that the number is not taken over before heal returns: else the first claim
 * of its new owner would be repaired as if it were the dead one's. If messages wait to be taken
 * again, the consumers are told once more, because the process that left them may have died before
 * it told them. Returns how many slots and places were repaired. Every process that may write to
 * the ring can call it at any time; a waiter does when something blocks it (wait.h). Cold. */
typedef bool (*tbus_dead_t)(void *context, uint32_t owner);
int tbus_ring_heal(tbus_ring_t *ring, tbus_dead_t dead, void *context);

#ifdef __cplusplus
}
#endif
#endif
