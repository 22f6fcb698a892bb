/* SPDX-License-Identifier: Apache-2.0 */
/* backlog.h - what on the rings is waiting for whom: messages that a subscriber has not taken,
 * claims that a publisher has not committed. Told from shared memory, whatever becomes of the
 * processes; up to a sixteenth of a ring late while they are busy (ring.h: progress).
 */
#ifndef TICKBUS_TOOLS_RUN_BACKLOG_H
#define TICKBUS_TOOLS_RUN_BACKLOG_H

#include <tickbus/bus.h>

#define BACKLOG_MAX 32u

/* One thing that is waiting. */
typedef struct backlog {
    char topic[TBUS_NAME_MAX];
    /* who has not taken `messages`; "": they were claimed, and nobody can pass them */
    char subscriber[TBUS_NAME_MAX];
    uint64_t messages;
} backlog_t;

/* Messages published and not taken by `sub`. Consumers share a topic's messages, so what one of
 * them has still to take is what all of them have. */
uint64_t backlog_of(const tbus_ring_t *ring, const tbus_ring_sub_t *sub);

/* All that is waiting for the stages of one process of the layout (tbus_participant_t.process).
 * Returns how many. Looks at every slot of the rings of several publishers; cold. */
uint32_t backlog_held_by(const tbus_bus_t *bus, uint32_t process, backlog_t out[BACKLOG_MAX]);

/* Stages that share a process stand still together: keep of each topic the subscriber that is
 * furthest behind, and the claims. Returns how many are left. */
uint32_t backlog_by_topic(backlog_t *held, uint32_t count);

/* "md 5,123 behind" or "reports 1 claimed". */
#define BACKLOG_ITEM_MAX 64u
void backlog_item(const backlog_t *held, char out_text[BACKLOG_ITEM_MAX]);

/* All of it by topic, "md 5,123 behind, reports 1 claimed", or "nothing yet". */
void backlog_text(const backlog_t *held, uint32_t count, char *out_text, size_t bytes);

#endif
