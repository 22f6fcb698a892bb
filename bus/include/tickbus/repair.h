/* SPDX-License-Identifier: Apache-2.0 */
/* repair.h - what becomes of what the dead held: their claims, the messages they had taken, their
 * places on a ring.
 *
 * Anybody who may write on a ring can repair it, at any time and beside the living. Repair needs
 * proof of death (bus.h has it) and is idempotent, so that a repairer that is killed itself does no
 * harm. Cold.
 */
#ifndef TICKBUS_REPAIR_H
#define TICKBUS_REPAIR_H

#include <tickbus/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Clean up after a participant that is proven dead: its claims become tombs, what it had taken is
 * freed and counted in doubt, or, where the promise is TBUS_AT_LEAST_ONCE, waits to be taken again.
 * Returns how many slots were repaired. Nobody may take the number up before it returns, as with
 * tbus_ring_heal. Idempotent; may run beside living participants and may itself be killed at any
 * point (killed between mending a slot and counting it, it leaves the count one short). */
int tbus_ring_repair(tbus_ring_t *ring, uint32_t dead_owner);

/* Look for participants that died while others wait for them: owners of claims, of taken messages
 * and of subscribers' places are asked after with `dead`, and each one that is gets repaired.
 * `dead` answers true only with proof, never by a guess, and sees to it that the number is not
 * taken up again before heal returns: else the successor's first claim would be buried as the dead
 * one's. Messages that wait to be taken again are called out once more, as whoever left them there
 * may have died before it did. Returns how many slots and places were repaired. Anybody who can
 * write may call it, at any time; a waiter does when something is in its way (wait.h). Cold. */
typedef bool (*tbus_dead_t)(void *context, uint32_t owner);
int tbus_ring_heal(tbus_ring_t *ring, tbus_dead_t dead, void *context);

#ifdef __cplusplus
}
#endif
#endif
