/* SPDX-License-Identifier: Apache-2.0 */
/* message_type.h - the types of messages on the topics, by the names that the bus directory and the
 * journal have for them: "tick", "bbo", "order", "report",
 * "event".
 *
 * Both carry the version of the layout beside the name (TICK_VERSION and its like). What comes from
 * a journal or from shared memory is never trusted to be what its topic says: ask whether the
 * length fits first.
 *
 * Private to this tree: the public headers of the messages are tickbus/msg/.
 */
#ifndef TICKBUS_MSG_MESSAGE_TYPE_H
#define TICKBUS_MSG_MESSAGE_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/msg/tick.h>

enum message_id {
    MESSAGE_UNKNOWN = 0,
    MESSAGE_TICK = 1,
    MESSAGE_BBO = 2,
    MESSAGE_ORDER = 3,
    MESSAGE_REPORT = 4,
    MESSAGE_EVENT = 5
};

typedef struct message_type {
    const char *name;
    enum message_id id;
    uint32_t version;   /* of the layout that this build has */
    uint32_t oldest;    /* the oldest that it reads */
    uint32_t bytes_min; /* of a message */
    uint32_t bytes_max;
} message_type_t;

/* NULL: none of them. */
const message_type_t *message_type(const char *name);

/* Which of them a message of that type and length is. MESSAGE_UNKNOWN: it is of another type, or of
 * a length that its type does not have. */
enum message_id message_identify(const char *type_name, size_t bytes);

/* Can this build read messages of that version? Version 0 (unknown: an older journal) is read as
 * version 1. */
bool message_type_reads(const message_type_t *type, uint32_t version);

/* A tick of any length as a tick_t: of a shorter one the rest is zeros, of a longer one it is left
 * out. Requires a message that is MESSAGE_TICK by its length. */
tick_t message_tick(const void *message, size_t bytes);

#endif
