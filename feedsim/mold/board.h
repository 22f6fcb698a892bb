/* SPDX-License-Identifier: Apache-2.0 */
/* board.h - what a sender of MoldUDP64 shows of itself in shared memory: where it sends, how far it
 * is, what it could not send, what was asked of it. It is the control block of the kind `mold` in
 * the directory of the bus ("mold.board"): `status` and the summary read it there, and whoever is
 * started in the place of a sender that died goes on from it.
 *
 * Written by: the sender, some ten times a second, and `next_seq` with each packet that went out. A
 * note has a version of its own, as on the board of a gateway (feedsim/gateway/board.h).
 */
#ifndef TICKBUS_FEEDSIM_MOLD_BOARD_H
#define TICKBUS_FEEDSIM_MOLD_BOARD_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/atomic.h>

#include "feedsim/gateway/board.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOLDOUT_BOARD_BLOCK GATEWAY_BOARD_BLOCK /* of the kind; in the directory "mold.board" */
#define MOLDOUT_TEXT_WORDS  16u                 /* of an address */

/* Counts since the sender was started first, those of senders that died among them but for what
 * they had not written yet. */
#define MOLDOUT_TOTALS(X)                                                                          \
    X(packets, "packets sent, heartbeats and ends not among them")                                 \
    X(messages, "messages in them")                                                                \
    X(bytes, "bytes of those datagrams")                                                           \
    X(heartbeats, "packets that say that there was nothing to send")                               \
    X(ends, "packets that say that the session is over")                                           \
    X(unsent, "packets that the kernel did not take: what is in them can be requested")            \
    X(unsent_messages, "messages in them")                                                         \
    X(too_large, "of them those that are larger than the kernel lets out: see mold.payload_max")   \
    X(blocked, "times that the kernel had no room and was tried again")                            \
    X(refused, "times that the host it sends to said that nobody listens there")                   \
    X(lost, "messages that could not be read any more, or fit no datagram: a gap")                 \
    X(requests, "requests received")                                                               \
    X(answers, "packets sent in answer")                                                           \
    X(answer_messages, "messages in them")                                                         \
    X(answer_bytes, "bytes of those datagrams")                                                    \
    X(answers_unsent, "answers that the kernel did not take")                                      \
    X(limited, "requests not answered: more than a receiver or an address may make, or be sent")   \
    X(limited_total, "requests not answered: more than all together may be sent")                  \
    X(busy, "requests not answered: too many wait for the journal")                                \
    X(gone, "requests not answered: what they ask for cannot be read any more")                    \
    X(fault_length, "requests that do not have 20 bytes")                                          \
    X(fault_session, "requests of another session")                                                \
    X(fault_sequence, "requests of a sequence that is 0, or not sent yet")                         \
    X(fault_count, "requests of no message")                                                       \
    X(backfill_messages, "messages of the past that were read")                                    \
    X(backfill_errors, "attempts to read the past that failed")                                    \
    X(starts, "senders started")

enum moldout_total {
#define X(name, text) MOLDOUT_TOTAL_##name,
    MOLDOUT_TOTALS(X)
#undef X
        MOLDOUT_TOTALS_COUNT
};

typedef struct moldout_board {
    tbus_atomic_u32_t pid;                       /*   0 of the sender that wrote last */
    tbus_atomic_u32_t requests_port;             /*   4 UDP; 0: no requests */
    tbus_atomic_u64_t updated_ns;                /*   8 CLOCK_MONOTONIC of the last writing */
    tbus_atomic_u64_t next_seq;                  /*  16 first that was not sent; 0: none was */
    tbus_atomic_u64_t session_name[2];           /*  24 10 characters, then zeros */
    tbus_atomic_u64_t topic[GATEWAY_TEXT_WORDS]; /*  40 */
    tbus_atomic_u64_t to[MOLDOUT_TEXT_WORDS];    /*  64 ADDRESS:PORT */
    tbus_atomic_u64_t totals[32];                /* 192 enum moldout_total */
    tbus_atomic_u64_t note_version;              /* 448 what happened last; as a gateway's */
    tbus_atomic_u64_t note[GATEWAY_NOTE_WORDS];  /* 456 */
    uint8_t pad[56];                             /* 584 */
} moldout_board_t;

TBUS_STATIC_ASSERT(MOLDOUT_TOTALS_COUNT <= 32);
TBUS_STATIC_ASSERT(offsetof(moldout_board_t, pid) == 0);
TBUS_STATIC_ASSERT(offsetof(moldout_board_t, requests_port) == 4);
TBUS_STATIC_ASSERT(offsetof(moldout_board_t, updated_ns) == 8);
TBUS_STATIC_ASSERT(offsetof(moldout_board_t, next_seq) == 16);
TBUS_STATIC_ASSERT(offsetof(moldout_board_t, session_name) == 24);
TBUS_STATIC_ASSERT(offsetof(moldout_board_t, topic) == 40);
TBUS_STATIC_ASSERT(offsetof(moldout_board_t, to) == 64);
TBUS_STATIC_ASSERT(offsetof(moldout_board_t, totals) == 192);
TBUS_STATIC_ASSERT(offsetof(moldout_board_t, note_version) == 448);
TBUS_STATIC_ASSERT(offsetof(moldout_board_t, note) == 456);
TBUS_STATIC_ASSERT(sizeof(moldout_board_t) == 640);

#ifdef __cplusplus
}
#endif
#endif
