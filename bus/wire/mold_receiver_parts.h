/* SPDX-License-Identifier: Apache-2.0 */
/* mold_receiver_parts.h - a receiver of MoldUDP64 inside, for the three files that it is made of:
 *
 *    mold_receiver.c        its memory; sessions; what comes in, up to the packet in hand
 *    mold_receiver_tell.c   from the packet in hand and the store to what is told
 *    mold_receiver_ask.c    how long a hole is waited for, and when it is asked for
 *
 * Nobody else includes it. */
#ifndef TICKBUS_WIRE_MOLD_RECEIVER_PARTS_H
#define TICKBUS_WIRE_MOLD_RECEIVER_PARTS_H

#include "bus/wire/mold_holes.h"
#include "bus/wire/mold_line.h"
#include "bus/wire/mold_receiver.h"
#include "bus/wire/mold_store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The packet that was taken and is not told, kept or dropped in full yet. */
typedef struct hand {
    bool full;
    bool begins; /* another session */
    uint32_t line;
    mold_packet_t packet;
    const uint8_t *at; /* of the message `sequence` */
    uint64_t sequence; /* of its messages, the next one to be looked at */
    uint64_t end;      /* one more than its last */
    uint64_t top;      /* what was known to have been sent before it came */
    bool any_new, any_known;
} hand_t;

struct mold_receiver {
    mold_receiver_config_t config;
    uint64_t now_ns;
    uint64_t expected;   /* told next; 0: no session yet */
    uint64_t top;        /* everything before it was sent */
    uint64_t give_up_to; /* what is missing before it is a gap */
    uint64_t release;    /* was handed out from the store; 0: nothing was */
    hand_t hand;
    mold_store_t store;
    mold_holes_t holes;
    bool waiting; /* for mold_receiver_begin */
    bool session_untold;
    bool ended; /* an end of session has come */
    bool end_told;
    bool has_previous;
    uint8_t session[MOLD_SESSION_BYTES];
    uint8_t previous[MOLD_SESSION_BYTES];
    uint64_t begin;        /* of this session, the first that is wanted */
    uint64_t final;        /* ended: one more than its last */
    uint64_t heard_ns;     /* of this session */
    bool fresh;            /* no packet of it was looked at */
    uint64_t far;          /* the sequence of the last packet that was far ahead; 0: none was */
    uint32_t ask_now;      /* requests that may wait for answers, as it stands */
    uint32_t ask_messages; /* that an answer is thought to have room for */
    uint64_t halved_ns;    /* when `ask_now` was, last */
    uint64_t answered_ns;  /* when an answer has brought something that was asked for */
    mold_line_t lines[MOLD_LINES_MAX];
    mold_counts_t counts;
};

static inline uint64_t mold_later(uint64_t since_ns, uint64_t after_ns)
{
    return after_ns < MOLD_NEVER - since_ns ? since_ns + after_ns : MOLD_NEVER;
}

static inline void mold_receiver_set_now(mold_receiver_t *r, uint64_t now_ns)
{
    r->now_ns = now_ns > r->now_ns ? now_ns : r->now_ns;
}

/* ---- mold_receiver.c ---- */

/* The session of that packet is the one at hand; `first`: the message that is wanted, 0: that of
 * the packet. */
void mold_receiver_open_session(mold_receiver_t *r, const mold_packet_t *packet, uint64_t first);

/* A packet of the session at hand. */
enum mold_fault mold_receiver_take_packet(mold_receiver_t *r, uint32_t line,
                                          const mold_packet_t *packet);

/* Is there room in the window for sequence..end-1? */
bool mold_receiver_fits_window(const mold_receiver_t *r, uint64_t sequence, uint64_t end);

/* Bytes of `count` messages with their lengths, from `at` on. */
size_t mold_blocks_bytes(const uint8_t *at, uint64_t count);

/* ---- mold_receiver_ask.c ---- */

/* When to ask for what is missing since now; and for what is left of a hole into which `line` has
 * brought something. */
uint64_t mold_receiver_ask_ns(const mold_receiver_t *r);
uint64_t mold_receiver_ask_on_ns(const mold_receiver_t *r, uint32_t line);

/* From the first hole on all is to be given up before that sequence; 0: the first is not. */
uint64_t mold_receiver_lost_to(const mold_receiver_t *r);

/* That answer has come, and has not filled anything yet. */
void mold_receiver_answered(mold_receiver_t *r, const mold_packet_t *packet);

#ifdef __cplusplus
}
#endif
#endif
