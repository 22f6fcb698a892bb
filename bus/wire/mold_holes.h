/* SPDX-License-Identifier: Apache-2.0 */
/* mold_holes.h - what a receiver of MoldUDP64 misses, as ranges of sequences in ascending order.
 *
 *    told | hole | kept | hole | kept ... | top
 *
 * The list is short and has an end. Where there are more holes than it has room for, its last one
 * reaches over what is kept between them: every sequence that is missing lies in a hole, and a hole
 * may hold some that are not. So it says what to wait for and what to ask for; what is missing
 * exactly, the store knows (mold_store.h).
 *
 * Part of bus/wire/mold_receiver.c.
 */
#ifndef TICKBUS_WIRE_MOLD_HOLES_H
#define TICKBUS_WIRE_MOLD_HOLES_H

#include "bus/wire/mold_receiver.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mold_hole {
    uint64_t from;
    uint64_t to;       /* one more than its last */
    uint64_t since_ns; /* it was seen, or something came into it */
    uint64_t due_ns;   /* the next request; after the last one, when that has gone unanswered */
    uint64_t asked_ns; /* the first of them */
    uint32_t tries;    /* requests since then */
    uint32_t passes[MOLD_LINES_MAX]; /* packets from beyond it, by line */
} mold_hole_t;

typedef struct mold_holes {
    uint32_t count;
    mold_hole_t at[MOLD_HOLES_MAX];
} mold_holes_t;

/* from..to-1 is missing; behind all others. */
void mold_holes_add(mold_holes_t *h, uint64_t from, uint64_t to, uint64_t now_ns, uint64_t due_ns);

/* The same, before all others. */
void mold_holes_add_front(mold_holes_t *h, uint64_t from, uint64_t to, uint64_t now_ns,
                          uint64_t due_ns);

/* from..to-1 is missing, behind all others; where it adjoins the last one that becomes longer, and
 * waits for nothing anew. */
void mold_holes_extend(mold_holes_t *h, uint64_t from, uint64_t to, uint64_t now_ns,
                       uint64_t due_ns);

/* Holes with some of from..to-1 in them begin to wait anew. */
void mold_holes_renew(mold_holes_t *h, uint64_t from, uint64_t to, uint64_t now_ns,
                      uint64_t due_ns);

/* from..to-1 has come. What is left of a hole begins to wait anew. */
void mold_holes_fill(mold_holes_t *h, uint64_t from, uint64_t to, uint64_t now_ns, uint64_t due_ns);

/* The hole becomes two that adjoin, of which the second begins with `sequence`; both wait as it
 * did. False: there is no room, and nothing has changed. */
bool mold_holes_split(mold_holes_t *h, uint32_t at, uint64_t sequence);

/* A packet that begins with `sequence` has come over `line`. */
void mold_holes_pass(mold_holes_t *h, uint32_t line, uint64_t sequence);

/* Everything before `expected` was told. */
void mold_holes_told(mold_holes_t *h, uint64_t expected);

#ifdef __cplusplus
}
#endif
#endif
