/* SPDX-License-Identifier: Apache-2.0 */
/* again.h - where the promise is TBUS_AT_LEAST_ONCE: calling out that messages wait to be taken
 * again. Internal to bus/ring: repair.c, which finds them, and subscriber.c, which leaves some
 * behind.
 */
#ifndef TICKBUS_BUS_RING_AGAIN_H
#define TICKBUS_BUS_RING_AGAIN_H

#include <tickbus/ring.h>

/* At least once: if messages wait to be taken again every consumer looks for them, now or when it
 * wakes. Cold. */
void tbus_call_again(tbus_ring_t *ring);

#endif
