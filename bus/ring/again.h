/* SPDX-License-Identifier: Apache-2.0 */
/* again.h - rings that promise TBUS_AT_LEAST_ONCE: telling the consumers that messages wait to be
 * taken again. Internal to bus/ring: repair.c finds such messages, and a consumer that leaves
 * (subscriber.c) may leave one behind.
 */
#ifndef TICKBUS_BUS_RING_AGAIN_H
#define TICKBUS_BUS_RING_AGAIN_H

#include <tickbus/ring.h>

/* If messages wait to be taken again, make every consumer look for them: at its next peek, or when
 * it wakes. Does nothing on other rings. Cold. */
void tbus_call_again(tbus_ring_t *ring);

#endif
