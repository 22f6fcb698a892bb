/* SPDX-License-Identifier: Apache-2.0 */
/* member.h - what joining, leaving and burying have in common. Private to bus/run. */
#ifndef TICKBUS_BUS_RUN_MEMBER_H
#define TICKBUS_BUS_RUN_MEMBER_H

#include <tickbus/bus.h>

/* Repair what `owner` holds on every ring, take it off the topics on which it published, and wake
 * whoever sleeps there. Requires that nobody uses the number: the caller holds its life lock, or
 * buries it. Returns how many slots and places were repaired. */
int tbus_participant_clear(tbus_bus_t *bus, uint32_t owner);

/* The one publisher of topic `index` may have died in the middle of storing how far it is, and then
 * nobody can join behind it. Put that right as its successor would, for a moment in the name of
 * `owner`, who lives and does not publish there. False: the publisher is not proven dead. */
bool tbus_topic_mend_end(tbus_bus_t *bus, uint32_t owner, uint32_t index);

/* Does this process hold the participant number in the handle? (Not a child of the one that joined:
 * the life lock stays with the parent.) */
bool tbus_bus_is_member(const tbus_bus_t *bus);

/* Give up the number and what it holds, at the end. Nothing, if this process holds none. */
void tbus_bus_leave(tbus_bus_t *bus);

#endif
