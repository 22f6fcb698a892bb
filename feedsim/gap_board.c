/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gap_board.h"

void feed_gap_board_add(feed_gap_board_t *board, uint64_t from, uint64_t to)
{
    uint64_t count = tbus_load_relaxed_u64(&board->count);
    if (count < FEED_GAPS_MAX) {
        tbus_store_relaxed_u64(&board->gaps[count].from, from);
        tbus_store_relaxed_u64(&board->gaps[count].to, to);
    }
    tbus_add_own_u64(&board->messages, to - from + 1);
    /* FG1 pairs FG2 (feed_gap_board_count): else a reader sees the count before the gap. */
    tbus_store_release_u64(&board->count, count + 1);
}
