/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "strategy/causes.h"
#include "tests/support/memory_in_use.h"

#define NONE   UINT64_MAX
#define PLACES 64u /* the smallest queue */

static causes_t make(uint32_t messages_max, uint32_t ticks_max)
{
    causes_t causes;
    assert_int_equal(causes_create(&causes, messages_max, ticks_max), 0);
    assert_int_equal(causes_first(&causes, 0), NONE);
    return causes;
}

static void a_message_is_a_cause_until_it_is_answered_and_the_oldest_is_answered_first(void **state)
{
    (void)state;
    causes_t causes = make(1, 1);
    causes_answered(&causes); /* an answer to nothing takes nothing away from what follows */
    causes_sent(&causes, 50);
    causes_sent(&causes, 70);
    assert_int_equal(causes_first(&causes, 0), 50);
    assert_int_equal(causes_first(&causes, 1000), 50); /* it may still be on its way */
    causes_answered(&causes);
    assert_int_equal(causes_first(&causes, 0), 70);
    causes_answered(&causes);
    assert_int_equal(causes_first(&causes, 0), NONE);
    causes_destroy(&causes);
}

static void as_many_messages_as_were_promised_may_be_unanswered_again_and_again(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {PLACES, PLACES + 1, 200};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        causes_t causes = make(sizes[i], 1);
        uint64_t sent = 0, answered = 0;
        for (unsigned turn = 0; turn < 5; turn++) {
            while (sent - answered < sizes[i])
                causes_sent(&causes, ++sent);
            while (answered + turn < sent) { /* so that the queue goes round at other places */
                assert_int_equal(causes_first(&causes, NONE - 1), ++answered);
                causes_answered(&causes);
            }
        }
        causes_destroy(&causes);
    }
}

static void a_tick_is_a_cause_until_the_executor_has_gone_past_it(void **state)
{
    (void)state;
    causes_t causes = make(1, 1);
    causes_exposed(&causes, 100);
    causes_exposed(&causes, 100);
    causes_exposed(&causes, 103);
    assert_int_equal(causes_first(&causes, 0), 100);
    assert_int_equal(causes_first(&causes, 100), 100);
    assert_int_equal(causes_first(&causes, 101), 103);
    assert_int_equal(causes_first(&causes, 103), 103);
    assert_int_equal(causes_first(&causes, 104), NONE);
    assert_int_equal(causes_first(&causes, NONE), NONE);
    causes_destroy(&causes);
}

static void the_earlier_of_a_message_and_a_tick_is_the_first_cause(void **state)
{
    (void)state;
    causes_t causes = make(1, 1);
    causes_sent(&causes, 80);
    causes_exposed(&causes, 60);
    causes_exposed(&causes, 90);
    assert_int_equal(causes_first(&causes, 0), 60);
    assert_int_equal(causes_first(&causes, 61), 80);
    causes_answered(&causes);
    assert_int_equal(causes_first(&causes, 61), 90);
    causes_destroy(&causes);
}

static void with_nothing_open_or_unanswered_no_tick_is_a_cause(void **state)
{
    (void)state;
    causes_t causes = make(1, 1);
    causes_sent(&causes, 80);
    causes_exposed(&causes, 60);
    causes_closed(&causes); /* what is on its way may open again */
    assert_int_equal(causes_first(&causes, 0), 60);
    causes_answered(&causes);
    causes_closed(&causes);
    assert_int_equal(causes_first(&causes, 0), NONE);
    causes_exposed(&causes, 70);
    assert_int_equal(causes_first(&causes, 0), 70);
    causes_destroy(&causes);
}

static void a_broken_trade_is_a_cause_though_nothing_is_open(void **state)
{
    (void)state;
    causes_t causes;
    assert_int_equal(causes_create(&causes, 4, 4), 0);
    causes_broken(&causes, 1000);
    causes_closed(&causes);
    assert_int_equal(causes_first(&causes, 1000), 1000);
    assert_int_equal(causes_first(&causes, 1001), UINT64_MAX); /* the executor has gone past it */
    causes_exposed(&causes, 2000);
    causes_closed(&causes);
    assert_int_equal(causes_first(&causes, 1500), UINT64_MAX);
    causes_destroy(&causes);
}

static void ticks_that_found_no_room_are_causes_up_to_the_last_of_them(void **state)
{
    (void)state;
    causes_t causes = make(1, PLACES);
    for (uint64_t i = 0; i < PLACES; i++)
        causes_exposed(&causes, 100 + 2 * i);
    assert_int_equal(causes_first(&causes, 51), 100); /* there was room for all of them */
    causes_exposed(&causes, 300);
    causes_exposed(&causes, 310);
    assert_int_equal(causes_first(&causes, 51), 51); /* they may lie anywhere */
    assert_int_equal(causes_first(&causes, 110), 110);
    assert_int_equal(causes_first(&causes, 111), 111);
    causes_exposed(&causes, 400); /* room again */
    assert_int_equal(causes_first(&causes, 310), 310);
    assert_int_equal(causes_first(&causes, 311), 400);
    assert_int_equal(causes_first(&causes, 401), NONE);
    for (uint64_t i = 0; i <= PLACES; i++)
        causes_exposed(&causes, 500 + i);
    assert_int_equal(causes_first(&causes, 564), 564);
    causes_closed(&causes);
    assert_int_equal(causes_first(&causes, 564), NONE);
    causes_destroy(&causes);
}

static void causes_take_the_memory_that_they_are_said_to_need(void **state)
{
    (void)state;
    assert_int_equal(causes_footprint(0, PLACES), 2 * PLACES * sizeof(uint64_t));
    assert_int_equal(causes_footprint(PLACES + 1, 1), 3 * PLACES * sizeof(uint64_t));
    assert_int_equal(causes_footprint(1, 2 * PLACES + 1), 5 * PLACES * sizeof(uint64_t));
    if (memory_in_use() == 0)
        skip();
    static const uint32_t sizes[][2] = {{1000000, 1}, {1, 1000000}};
    for (unsigned i = 0; i < 2; i++) {
        size_t before = memory_in_use();
        causes_t causes = make(sizes[i][0], sizes[i][1]);
        size_t took = memory_in_use() - before;
        causes_destroy(&causes);
        assert_null(causes.unanswered.times);
        assert_true(memory_is_near(memory_in_use(), before));
        assert_true(memory_is_near(took, causes_footprint(sizes[i][0], sizes[i][1])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_message_is_a_cause_until_it_is_answered_and_the_oldest_is_answered_first),
        cmocka_unit_test(as_many_messages_as_were_promised_may_be_unanswered_again_and_again),
        cmocka_unit_test(a_tick_is_a_cause_until_the_executor_has_gone_past_it),
        cmocka_unit_test(the_earlier_of_a_message_and_a_tick_is_the_first_cause),
        cmocka_unit_test(with_nothing_open_or_unanswered_no_tick_is_a_cause),
        cmocka_unit_test(a_broken_trade_is_a_cause_though_nothing_is_open),
        cmocka_unit_test(ticks_that_found_no_room_are_causes_up_to_the_last_of_them),
        cmocka_unit_test(causes_take_the_memory_that_they_are_said_to_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
