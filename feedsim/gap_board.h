/* SPDX-License-Identifier: Apache-2.0 */
/* gap_board.h - which messages of the feed were lost on their way here, in shared memory: the
 * control block of the kind `feed` in the directory of the bus ("feed.gaps"), so that `status` and
 * the summary name each range.
 *
 *    head    how many gaps and messages there were, in all
 *    gaps    the first FEED_GAPS_MAX of them, ascending: from..to by the feed's own numbers
 *
 * Written by: the feed, before the message that follows the gap is published. Only ever longer.
 */
#ifndef TICKBUS_FEEDSIM_GAP_BOARD_H
#define TICKBUS_FEEDSIM_GAP_BOARD_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/atomic.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FEED_GAP_BLOCK "gaps" /* of the kind; in the directory "feed.gaps" */
#define FEED_GAPS_MAX  2048u

typedef struct feed_gap {
    tbus_atomic_u64_t from;
    tbus_atomic_u64_t to; /* the last that is missing */
} feed_gap_t;

typedef struct feed_gap_board {
    tbus_atomic_u64_t count;        /*  0 gaps, also those that found no room below */
    tbus_atomic_u64_t messages;     /*  8 in them */
    feed_gap_t gaps[FEED_GAPS_MAX]; /* 16 */
} feed_gap_board_t;

TBUS_STATIC_ASSERT(sizeof(feed_gap_t) == 16);
TBUS_STATIC_ASSERT(offsetof(feed_gap_board_t, messages) == 8);
TBUS_STATIC_ASSERT(offsetof(feed_gap_board_t, gaps) == 16);
TBUS_STATIC_ASSERT(sizeof(feed_gap_board_t) == 16 + 16 * FEED_GAPS_MAX);

/* The messages from..to are lost. By the feed alone. */
void feed_gap_board_add(feed_gap_board_t *board, uint64_t from, uint64_t to);

/* How many gaps can be read. Any process. */
static inline uint32_t feed_gap_board_count(const feed_gap_board_t *board)
{
    /* FG2 pairs FG1 (feed_gap_board_add): else a gap is read that is not there yet. */
    uint64_t count = tbus_load_acquire_u64(&board->count);
    return count < FEED_GAPS_MAX ? (uint32_t)count : FEED_GAPS_MAX;
}

#ifdef __cplusplus
}
#endif
#endif
