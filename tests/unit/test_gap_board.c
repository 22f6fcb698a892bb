/* SPDX-License-Identifier: Apache-2.0 */
/* The gaps of a feed, as its board keeps them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "feedsim/gap_board.h"

static feed_gap_board_t board;

static void gaps_are_kept_in_their_order(void **state)
{
    (void)state;
    memset(&board, 0, sizeof board);
    assert_int_equal(feed_gap_board_count(&board), 0);
    feed_gap_board_add(&board, 5, 5);
    feed_gap_board_add(&board, 7, 16);
    assert_int_equal(feed_gap_board_count(&board), 2);
    assert_int_equal(tbus_load_relaxed_u64(&board.gaps[0].from), 5);
    assert_int_equal(tbus_load_relaxed_u64(&board.gaps[0].to), 5);
    assert_int_equal(tbus_load_relaxed_u64(&board.gaps[1].from), 7);
    assert_int_equal(tbus_load_relaxed_u64(&board.gaps[1].to), 16);
    assert_int_equal(tbus_load_relaxed_u64(&board.messages), 11);
}

static void those_beyond_its_room_are_counted(void **state)
{
    (void)state;
    memset(&board, 0, sizeof board);
    for (uint64_t i = 0; i < FEED_GAPS_MAX + 10; i++)
        feed_gap_board_add(&board, 3 * i + 1, 3 * i + 2);
    assert_int_equal(feed_gap_board_count(&board), FEED_GAPS_MAX);
    assert_int_equal(tbus_load_relaxed_u64(&board.count), FEED_GAPS_MAX + 10);
    assert_int_equal(tbus_load_relaxed_u64(&board.messages), 2 * (FEED_GAPS_MAX + 10));
    assert_int_equal(tbus_load_relaxed_u64(&board.gaps[FEED_GAPS_MAX - 1].from),
                     3 * (FEED_GAPS_MAX - 1) + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_are_kept_in_their_order),
        cmocka_unit_test(those_beyond_its_room_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
