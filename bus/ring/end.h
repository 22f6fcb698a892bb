/* SPDX-License-Identifier: Apache-2.0 */
/* end.h - where a ring with one publisher ends, as its slots tell. For a publisher that succeeds
 * another one, and for an observer that finds the tail in the header half stored. Internal to
 * bus/ring.
 */
#ifndef TICKBUS_BUS_RING_END_H
#define TICKBUS_BUS_RING_END_H

#include <tickbus/ring.h>

/* Position and sequence of the message after the newest one in the slots. Where no slot within half
 * a ring of the tail holds a message, they are those of the tail. False: then these two do not
 * belong together either. They are exact while nobody publishes. Cold: looks at every slot. */
bool tbus_ring_find_end(const tbus_ring_t *ring, uint64_t *out_position, uint64_t *out_seq);

#endif
