/* SPDX-License-Identifier: Apache-2.0 */
/* source_mold_parts.h - a feed of MoldUDP64 inside, for the three files that it is made of:
 *
 *    source_mold.c        a turn: sockets, the receiver, ticks
 *    source_mold_heal.c   snapshots, at a late start and after a gap
 *    source_mold_open.c   from the spec to sockets and a receiver
 *
 * Nobody else includes it. */
#ifndef TICKBUS_FEEDSIM_SOURCE_SOURCE_MOLD_PARTS_H
#define TICKBUS_FEEDSIM_SOURCE_SOURCE_MOLD_PARTS_H

#include "bus/wire/mold_receiver.h"
#include "feedsim/source/mold_counters.h"
#include "feedsim/source/mold_snapshot.h"
#include "feedsim/source/mold_socket.h"
#include "feedsim/source/mold_spec.h"
#include "feedsim/source/source.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SOURCE_MOLD_MS      UINT64_C(1000000)
#define SOURCE_MOLD_SOCKETS (MOLD_LINES_MAX + 1)

/* What is to be done about books that lack messages, where there is a server of snapshots. */
enum heal {
    HEAL_NOTHING = 0,
    HEAL_WANTED, /* at heal_at_ns */
    HEAL_RUNS,   /* the snapshot comes; the lines are kept */
    HEAL_ENDS    /* all of it was told but its end */
};

typedef struct source_mold {
    feed_source_t base;
    mold_spec_t spec;
    uint32_t sockets_count;
    /* the lines; then that of requests, if there is one */
    mold_socket_t *sockets[SOURCE_MOLD_SOCKETS];
    uint32_t in_hand;  /* whose datagrams are gone through */
    uint64_t now_ns;   /* of the last look at the sockets */
    uint64_t heard_ns; /* when the last good packet came; 0: none has */
    mold_receiver_t *receiver;
    const mold_counts_t *counts;
    mold_snapshot_t *snapshot; /* NULL: none is wanted */
    bool snapshot_comes;       /* it is not complete */
    uint32_t snapshot_turn;
    uint64_t snapshot_until_ns; /* it has failed if it is not complete then */
    uint64_t snapshot_end;      /* complete, and of a session that the line has not shown yet; 0 */
    uint32_t looks;             /* at the sockets, in this turn */
    enum heal heal;
    uint64_t heal_at_ns;
    uint64_t heal_again_ns; /* from one that failed to the next */
    uint64_t heal_from;     /* the first message that was not told before it */
    uint64_t last_event_ns;
    bool event_held; /* a batch stopped before it */
    mold_event_t event;
    bool ended;
    int lost; /* the error that follows when what is there has been told; 0: none */
    mold_shown_t shown;
} source_mold_t;

/* ---- source_mold.c ---- */

extern const feed_source_ops_t source_mold_ops;

/* Go on. False: nothing now, or enough for this turn: then no datagram is at hand. */
bool source_mold_step(source_mold_t *s);

/* The next event, into s->event. False: none now. */
bool source_mold_next_event(source_mold_t *s);

/* A gap as the next tick. What `next` returns. */
int source_mold_put_gap(source_mold_t *s, tick_t *buffer, size_t *out_bytes, uint64_t from,
                        uint64_t to);

/* ---- source_mold_heal.c ---- */

/* The books lack something. */
void source_mold_want_snapshot(source_mold_t *s);

/* Until when a snapshot that is asked for now may come. */
uint64_t source_mold_snapshot_until(const source_mold_t *s);

/* Is it time to go on with healing? */
static inline bool source_mold_heals_now(const source_mold_t *s)
{
    return s->heal == HEAL_ENDS ||
           (s->heal == HEAL_WANTED && s->now_ns >= s->heal_at_ns && !s->event_held && !s->lost);
}

/* Requires that. What `next` returns; FEED_SOURCE_LATER: there is no snapshot now, and messages go
 * on. */
int source_mold_heal(source_mold_t *s, tick_t *buffer, size_t *out_bytes);

/* Go on with the lines, which are kept, and take the next message of the snapshot.
 * FEED_SOURCE_LATER: nothing now, or it is complete. */
int source_mold_next_of_snapshot(source_mold_t *s, tick_t *buffer, size_t *out_bytes);

#ifdef __cplusplus
}
#endif
#endif
