/* SPDX-License-Identifier: Apache-2.0 */
/* mold_receiver.h - the receiver's side of MoldUDP64 as a state machine: datagrams of one or two
 * lines and times go in; messages in order, gaps, and requests for what is missing come out. It has
 * no socket, no clock, and no memory but what it is given.
 *
 *    line A  --+
 *    line B  --+--> arbitration --> [ store: what came too early ] --> messages 1, 2, 3 ...
 *    replies --+        |                                              gap 17..19, given up
 *                       +--> requests, with back-off
 *
 * Both lines carry the same session with the same sequences. Whichever copy comes first is taken,
 * the other one is a duplicate; of a packet that is known in part the rest is taken. What comes
 * behind a hole is kept until the hole is filled or given up. A hole is seen by the packet, the
 * heartbeat or the end of session that shows a sequence beyond it.
 *
 *    A hole that is larger than a packet is asked for piece by piece, several at a time: an answer
 *    is one packet, and one after another would take a round trip each. How many messages a piece
 *    has is learned from the answers; how many requests wait for one grows with each answer up to
 *    `ask_window`, and is halved when one has to be made again. What comes twice is a duplicate.
 *
 *    A hole is given up, and told as one gap or several, exactly (from..to), when
 *      - no requests are made: `reorder_packets` packets from beyond it have come on each line, so
 *        that no line can be expected to bring it; or it is `hold_ns` old;
 *      - requests are made: all `tries` of them went without an answer; and if none at all has come
 *        since the first of them, so is what adjoins it, which waited to be asked for;
 *      - none are, and there is no room to keep what comes behind it; or mold_receiver_flush was
 *        called.
 *    Where requests are made, packets without room are left out, and asked for when there is: so a
 *    receiver that begins far behind catches up as fast as answers come, whatever the lines bring.
 *    A message that comes after it was given up counts as a duplicate: nothing is told twice.
 *
 *    for each datagram:
 *        mold_receiver_take(r, line, datagram, bytes, now);
 *        while (mold_receiver_next(r, &event)) ...                all of them, before the next take
 *    and at mold_receiver_deadline(r):
 *        mold_receiver_tick(r, now);
 *        while (mold_receiver_next(r, &event)) ...
 *        while (mold_receiver_request(r, now, request)) send 20 bytes
 *
 * States of a session:
 *
 *    WAITING --first packet--> OPEN --end, and all before it told--> ENDED --other session--> OPEN
 *
 * Another session is taken when the one at hand has ended, or when nothing was heard of it for
 * `silent_ns`; before that its packets are foreign, and so are those of the session before (a line
 * that is behind). When it begins, what is left of the old one is told first, holes as gaps.
 *
 * A packet that is more than MOLD_FAR_MESSAGES ahead of all others is taken when a second one from
 * about there confirms it, and refused before: else one that is false would end the feed with a gap
 * up to there. The first packet of a session is believed.
 *
 * Progress: mold_receiver_take and _next do a bounded amount of work: for each message of the
 * packet and each sequence told, plus MOLD_HOLES_MAX. Hot: no system call, no allocation.
 *
 * Times are nanoseconds of one clock that does not go back; a capture's is as good as the host's.
 * One thread. Stands on bus/wire/mold.h; next on the data path: who decodes the messages.
 */
#ifndef TICKBUS_WIRE_MOLD_RECEIVER_H
#define TICKBUS_WIRE_MOLD_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/wire/mold.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOLD_LINES_MAX        2u
#define MOLD_REPLIES          2u /* in the place of a line: answers to requests */
#define MOLD_HOLES_MAX        64u
#define MOLD_ASK_WINDOW_MAX   16u /* fewer than there are holes */
#define MOLD_ASK_MESSAGES     64u /* in a request, at first */
#define MOLD_ASK_MESSAGES_MIN 8u
#define MOLD_ASK_MESSAGES_MAX 1024u
#define MOLD_FAR_MESSAGES                                                                          \
    (UINT64_C(1) << 26) /* an edited capture of an exchange leaves out 4 million */
#define MOLD_NEVER UINT64_MAX

typedef struct mold_receiver mold_receiver_t;

typedef struct mold_receiver_config {
    uint32_t lines; /* 1 or 2 */
    /* whose packets are taken, alone; all zeros and `session_given` false: the first that comes */
    bool session_given;
    uint8_t session[MOLD_SESSION_BYTES];
    /* the first message that is wanted; 0: the first that comes. Of later sessions it is 1 */
    uint64_t first;
    bool wait; /* tell nothing before mold_receiver_begin: a snapshot is on its way */
    uint32_t window_messages; /* what may be kept lies within so many sequences; a power of two */
    size_t store_bytes;       /* and takes so many bytes; at least MOLD_STORE_BYTES_MIN */
    uint32_t reorder_packets; /* 1..65535 */
    uint64_t hold_ns;         /* MOLD_NEVER: however long it takes */
    uint64_t silent_ns;
    /* requests; tries 0: none are made */
    uint32_t tries;
    uint64_t ask_ns;       /* from the moment when a hole is seen to the first request */
    uint64_t ask_on_ns;    /* from an answer that was not all to the request for the rest: a server
                              may answer with several packets */
    uint64_t retry_ns;     /* from the first to the second; each further wait is twice as long */
    uint64_t retry_ns_max; /* but not longer than this */
    /* requests that may wait for their answers, 1..MOLD_ASK_WINDOW_MAX; 1: one for each hole */
    uint32_t ask_window;
} mold_receiver_config_t;

/* At least twice what the largest datagram takes. */
#define MOLD_STORE_BYTES_MIN ((size_t)256 << 10)

/* For feeds that are received; lines, session, first and tries are to be filled in. `ask_ns` leaves
 * the other line time: where both are well kept, they are some ten microseconds apart. */
#define MOLD_RECEIVER_USUAL                                                                        \
    {                                                                                              \
        .lines = 1, .first = 1, .window_messages = 1u << 17, .store_bytes = (size_t)16 << 20,      \
        .reorder_packets = 16, .hold_ns = UINT64_C(50000000), .silent_ns = UINT64_C(5000000000),   \
        .tries = 0, .ask_ns = UINT64_C(1000000), .ask_on_ns = UINT64_C(50000),                     \
        .retry_ns = UINT64_C(10000000), .retry_ns_max = UINT64_C(1000000000), .ask_window = 16     \
    }

enum mold_event_kind {
    MOLD_EVENT_SESSION = 0, /* a session begins: `session`; `sequence` of its first message */
    MOLD_EVENT_MESSAGE,     /* `sequence`, `data`, `bytes`, `line`, `time_ns` */
    MOLD_EVENT_GAP,         /* `sequence`..`last` are given up */
    MOLD_EVENT_END          /* the session is over, and all of it was told; `sequence` is one more
                               than that of its last message */
};

typedef struct mold_event {
    enum mold_event_kind kind;
    uint32_t line;    /* that brought it: 0, 1 or MOLD_REPLIES */
    uint64_t time_ns; /* when that was; of a gap and an end, when they were decided */
    uint64_t sequence;
    uint64_t last;
    /* in the datagram or in the store: valid until the next call for this receiver */
    const uint8_t *data;
    size_t bytes;
    const uint8_t *session; /* MOLD_SESSION_BYTES; valid as long as the receiver */
} mold_event_t;

/* What came over one line. */
typedef struct mold_line_counts {
    uint64_t packets; /* with messages, of this session */
    uint64_t heartbeats;
    uint64_t messages;   /* in them */
    uint64_t first;      /* of those, which no other line had brought before */
    uint64_t duplicates; /* that this very line had brought before */
    uint64_t lost;       /* that it has not brought, up to the highest that it has shown */
    uint64_t refused;    /* packets */
} mold_line_counts_t;

typedef struct mold_counts {
    mold_line_counts_t lines[MOLD_LINES_MAX + 1]; /* MOLD_REPLIES: `lost` is not counted */
    uint64_t faults[MOLD_FAULTS];                 /* packets that were refused, by why */
    uint64_t foreign;                             /* packets of other sessions */
    uint64_t before;                              /* messages before the first that is wanted */
    uint64_t messages;                            /* told */
    uint64_t duplicates;                          /* messages that were known, on any line */
    uint64_t cut;                                 /* packets that were known in part */
    uint64_t reordered;                           /* messages that came behind a later one */
    uint64_t left_out;                            /* packets without room, to be asked for */
    uint64_t kept_max;                            /* most messages in the store at a time */
    uint64_t gaps;
    uint64_t lost; /* messages in them */
    uint64_t requests;
    uint64_t ends; /* end-of-session packets; a session's end is told once */
} mold_counts_t;

/* Bytes for a receiver; 0: bad arguments. Cold. */
size_t mold_receiver_footprint(const mold_receiver_config_t *config);

/* In the caller's memory, of that many bytes, aligned to 64. NULL: bad arguments. All of it is
 * written: no page fault comes later. Cold. */
mold_receiver_t *mold_receiver_format(void *memory, const mold_receiver_config_t *config);

/* A datagram from `line`. MOLD_GOOD, also when nothing in it is new; else why it was refused, which
 * is counted. Requires that mold_receiver_next said that there is no more. The datagram must stay
 * until it says so again. Hot. */
enum mold_fault mold_receiver_take(mold_receiver_t *r, uint32_t line, const uint8_t *datagram,
                                   size_t bytes, uint64_t now_ns);

/* Wait again, as at first: what comes is kept, the oldest of it dropped when there is no room. What
 * is at hand is kept by the next call of mold_receiver_next. Cold. */
void mold_receiver_wait(mold_receiver_t *r);

/* Of a receiver that waits: begin with message `sequence`, which follows the snapshot. What was
 * kept from before it is dropped; what is missing from there on is a hole. Cold. */
void mold_receiver_begin(mold_receiver_t *r, uint64_t sequence, uint64_t now_ns);

/* What is to be told next. False: nothing now. Hot. */
bool mold_receiver_next(mold_receiver_t *r, mold_event_t *out_event);

/* Messages that are told next, one behind the other in the datagram at hand, so that the usual ones
 * need no event each. */
typedef struct mold_run {
    const uint8_t *blocks; /* to be gone through with mold_next */
    uint64_t sequence;     /* of the first */
    uint64_t count;
} mold_run_t;

/* False: what is told next is no such message, if there is anything; ask mold_receiver_next.
 * Nothing has changed. Hot. */
bool mold_receiver_peek(const mold_receiver_t *r, mold_run_t *out_run);

/* The first `count` of that run, at least 1, have been looked at; `at`: where the next one's blocks
 * would be. As if mold_receiver_next had told them. Hot. */
void mold_receiver_took(mold_receiver_t *r, uint64_t count, const uint8_t *at);

/* So late it is. Hot. */
void mold_receiver_tick(mold_receiver_t *r, uint64_t now_ns);

/* Is a request due? Then it is written, counted as sent, and how long to wait for it begins. Call
 * again until it says false. Hot. */
bool mold_receiver_request(mold_receiver_t *r, uint64_t now_ns,
                           uint8_t out_request[MOLD_HEADER_BYTES]);

/* When mold_receiver_tick or _request has something to do if nothing comes; MOLD_NEVER. */
uint64_t mold_receiver_deadline(const mold_receiver_t *r);

/* Nothing more will come: all holes are given up. mold_receiver_next tells what is left. */
void mold_receiver_flush(mold_receiver_t *r);

/* The sequence that is told next: of everything before it, it is told. 0: nothing has come yet. */
uint64_t mold_receiver_expected(const mold_receiver_t *r);

/* The session at hand, or the one that was given: MOLD_SESSION_BYTES, valid as long as the
 * receiver. NULL: nothing has come, and none was given. */
const uint8_t *mold_receiver_session(const mold_receiver_t *r);

/* Is something missing before what is known to have been sent? */
bool mold_receiver_behind(const mold_receiver_t *r);

/* Valid as long as the receiver. */
const mold_counts_t *mold_receiver_counts(const mold_receiver_t *r);

#ifdef __cplusplus
}
#endif
#endif
