/* SPDX-License-Identifier: Apache-2.0 */
/* board.h - what a bridge shows of itself: to which stream it publishes, how far each topic is,
 * what was refused, sent again or lost. As a stage, it is the control block of the kind `bridge` in
 * the directory of the bus ("bridge.board"); beside a bus, a file that `busctl bridge` keeps in the
 * run directory (tools/run/bridge_board.h). `busctl bridge --status`, `status` and the summary read
 * it there, and whoever is started in the place of a bridge that died goes on from it.
 *
 * Written by: the bridge, some ten times a second. A note has a version of its own, as on the board
 * of a gateway (feedsim/gateway/board.h).
 */
#ifndef TICKBUS_FEEDSIM_BRIDGE_BOARD_H
#define TICKBUS_FEEDSIM_BRIDGE_BOARD_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/atomic.h>

#include "feedsim/gateway/board.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BRIDGE_BOARD_BLOCK  GATEWAY_BOARD_BLOCK /* of the kind; in the directory "bridge.board" */
#define BRIDGE_TOPICS_MAX   8u
#define BRIDGE_STREAM_WORDS 8u  /* of the stream's name; a longer one is cut */
#define BRIDGE_SERVER_WORDS 16u /* of the server's URL */

/* Counts since the bridge was started first, those of bridges that died among them but for what
 * they had not written yet. */
#define BRIDGE_TOTALS(X)                                                                           \
    X(published, "messages sent to the server, those sent again among them")                       \
    X(published_bytes, "bytes of their payloads")                                                  \
    X(acknowledged, "messages of which the server has said that the stream has them")              \
    X(resent, "messages sent again, since the stream did not have them")                           \
    X(refusals, "times that the stream took no more: somebody else's message, a limit, a loss")    \
    X(asked, "times that the stream was asked how far it is")                                      \
    X(connects, "connections made")                                                                \
    X(disconnects, "connections lost")                                                             \
    X(lost, "messages that could not be read any more; the stream says so in their place")         \
    X(read_errors, "attempts to read a topic that failed")                                         \
    X(starts, "bridges started")

enum bridge_total {
#define X(name, text) BRIDGE_TOTAL_##name,
    BRIDGE_TOTALS(X)
#undef X
        BRIDGE_TOTALS_COUNT
};

typedef struct bridge_board_topic {
    tbus_atomic_u64_t name[GATEWAY_TEXT_WORDS]; /*  0 */
    /* On the topic: the first that the stream is not known to have; 0: not asked yet. */
    tbus_atomic_u64_t unacknowledged_seq; /* 24 */
    tbus_atomic_u64_t lag_messages;       /* 32 on the topic, and not known to be in the stream */
    tbus_atomic_u64_t lost;               /* 40 of the topic, by the bridges of this bus */
    tbus_atomic_u64_t ended;              /* 48 1: the stream has the topic's end */
} bridge_board_topic_t;

typedef struct bridge_board {
    tbus_atomic_u32_t pid;                         /*   0 of the bridge that wrote last */
    tbus_atomic_u32_t connected;                   /*   4 1: to `server` */
    tbus_atomic_u32_t state;                       /*   8 enum bridge_state */
    tbus_atomic_u32_t topics_count;                /*  12 */
    tbus_atomic_u64_t updated_ns;                  /*  16 CLOCK_MONOTONIC of the last writing */
    tbus_atomic_u64_t session_name[2];             /*  24 10 characters, then zeros */
    tbus_atomic_u64_t stream[BRIDGE_STREAM_WORDS]; /*  40 "": not known yet */
    tbus_atomic_u64_t server[BRIDGE_SERVER_WORDS]; /* 104 it is connected to; else, is to be */
    tbus_atomic_u64_t in_flight;                   /* 232 messages */
    tbus_atomic_u64_t lag_ns;                      /* 240 age of the oldest not acknowledged */
    tbus_atomic_u64_t stream_sequence;             /* 248 of the last one known to be there */
    tbus_atomic_u64_t stream_bytes;    /* 256 of the stream, when it was asked last: at the end */
    tbus_atomic_u64_t stream_messages; /* 264 likewise */
    tbus_atomic_u64_t totals[16];      /* 272 enum bridge_total */
    tbus_atomic_u64_t note_version;    /* 400 what happened last; as a gateway's */
    tbus_atomic_u64_t note[GATEWAY_NOTE_WORDS];     /* 408 */
    bridge_board_topic_t topics[BRIDGE_TOPICS_MAX]; /* 536 */
    uint8_t pad[40];                                /* 984 */
} bridge_board_t;

TBUS_STATIC_ASSERT(BRIDGE_TOTALS_COUNT <= 16);
TBUS_STATIC_ASSERT(sizeof(bridge_board_topic_t) == 56);
TBUS_STATIC_ASSERT(offsetof(bridge_board_topic_t, unacknowledged_seq) == 24);
TBUS_STATIC_ASSERT(offsetof(bridge_board_topic_t, lag_messages) == 32);
TBUS_STATIC_ASSERT(offsetof(bridge_board_topic_t, lost) == 40);
TBUS_STATIC_ASSERT(offsetof(bridge_board_topic_t, ended) == 48);
TBUS_STATIC_ASSERT(offsetof(bridge_board_t, updated_ns) == 16);
TBUS_STATIC_ASSERT(offsetof(bridge_board_t, session_name) == 24);
TBUS_STATIC_ASSERT(offsetof(bridge_board_t, stream) == 40);
TBUS_STATIC_ASSERT(offsetof(bridge_board_t, server) == 104);
TBUS_STATIC_ASSERT(offsetof(bridge_board_t, in_flight) == 232);
TBUS_STATIC_ASSERT(offsetof(bridge_board_t, lag_ns) == 240);
TBUS_STATIC_ASSERT(offsetof(bridge_board_t, stream_sequence) == 248);
TBUS_STATIC_ASSERT(offsetof(bridge_board_t, stream_bytes) == 256);
TBUS_STATIC_ASSERT(offsetof(bridge_board_t, stream_messages) == 264);
TBUS_STATIC_ASSERT(offsetof(bridge_board_t, totals) == 272);
TBUS_STATIC_ASSERT(offsetof(bridge_board_t, note_version) == 400);
TBUS_STATIC_ASSERT(offsetof(bridge_board_t, note) == 408);
TBUS_STATIC_ASSERT(offsetof(bridge_board_t, topics) == 536);
TBUS_STATIC_ASSERT(offsetof(bridge_board_t, pad) == 984);
TBUS_STATIC_ASSERT(sizeof(bridge_board_t) == 1024);

#ifdef __cplusplus
}
#endif
#endif
