/* SPDX-License-Identifier: Apache-2.0 */
/* mold_listener.h - a receiver of MoldUDP64 for tests: it keeps every message by its sequence, in
 * whatever order they come, and asks for those that it has not got. A packet that is malformed, of
 * another session, or that has other bytes for a sequence than an earlier one ends the test. */
#ifndef TICKBUS_TESTS_MOLD_LISTENER_H
#define TICKBUS_TESTS_MOLD_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/wire/mold.h"

typedef struct mold_listener {
    int fd;
    uint16_t port;
    bool has_session;
    uint8_t session[MOLD_SESSION_BYTES];
    uint64_t next; /* one more than the highest sequence that was heard of; 0: of none */
    uint64_t messages;
    uint64_t copies; /* messages that came again, with the same bytes */
    uint64_t packets;
    uint64_t heartbeats;
    uint64_t ends;
    size_t bytes_max; /* of the largest datagram */
    uint64_t room;
    uint8_t **message; /* by sequence: its length in two bytes, big endian, and the message; NULL:
                          not there. Owned */
} mold_listener_t;

/* At any port of loopback; or of a group at `port`, by the loopback interface. Ends the test when
 * there is no socket. */
void mold_listener_open(mold_listener_t *l);
void mold_listener_join(mold_listener_t *l, const char *group, uint16_t port);
void mold_listener_close(mold_listener_t *l);

/* Take what has come. Returns the packets. */
unsigned mold_listener_take(mold_listener_t *l);

/* The first sequence from `from` on that it has heard of and has not got; 0: none. */
uint64_t mold_listener_missing(const mold_listener_t *l, uint64_t from);

/* Ask the server at that port of loopback for `count` messages. The answer comes as all else. */
void mold_listener_ask(const mold_listener_t *l, uint16_t port, uint64_t seq, uint16_t count);

/* All messages one behind the other, as a BinaryFILE has them. To be freed. */
uint8_t *mold_listener_file(const mold_listener_t *l, size_t *out_bytes);

#endif
