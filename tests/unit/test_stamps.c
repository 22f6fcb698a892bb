/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/msg/order.h>

#include "bus/market/order_row.h"
#include "bus/run/stamps.h"

#define MESSAGES 8u

static int set_up(void **state)
{
    static tbus_stamps_t stamps;
    tbus_stamps_spec_t spec = {.messages = MESSAGES, .answers = MESSAGES, .streams = 2};
    assert_int_equal(tbus_stamps_create(&spec, &stamps, NULL), 0);
    *state = &stamps;
    return 0;
}

static int tear_down(void **state)
{
    tbus_stamps_destroy(*state);
    tbus_stamps_destroy(*state); /* accepts one that is empty */
    return 0;
}

static uint64_t at(const tbus_stamps_t *s, enum tbus_stamp column, uint64_t row)
{
    return tbus_load_relaxed_u64(&s->columns[column][row]);
}

static uint64_t lost(const tbus_stamps_t *s, enum tbus_stamp column)
{
    return tbus_load_relaxed_u64(&s->shared->columns[column].lost);
}

static void what_a_child_stamps_is_seen_by_its_parent(void **state)
{
    const tbus_stamps_t *s = *state;
    tbus_store_relaxed_u64(&s->shared->first_seq, 100);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        tbus_stamps_touch(s);
        tbus_stamps_message(s, TBUS_STAMP_TAKEN, 103, 77);
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(at(s, TBUS_STAMP_TAKEN, 3), 77);
}

static void messages_before_the_first_that_counts_leave_nothing(void **state)
{
    const tbus_stamps_t *s = *state;
    tbus_stamps_message(s, TBUS_STAMP_TAKEN, 1, 5); /* none counts yet */
    tbus_store_relaxed_u64(&s->shared->first_seq, 100);
    tbus_stamps_message(s, TBUS_STAMP_TAKEN, 99, 5);
    for (uint64_t row = 0; row < MESSAGES; row++)
        assert_int_equal(at(s, TBUS_STAMP_TAKEN, row), 0);
    assert_int_equal(lost(s, TBUS_STAMP_TAKEN), 0);
}

static void what_finds_no_room_is_counted(void **state)
{
    const tbus_stamps_t *s = *state;
    tbus_store_relaxed_u64(&s->shared->first_seq, 1);
    tbus_stamps_message(s, TBUS_STAMP_TAKEN, MESSAGES, 5);
    tbus_stamps_message(s, TBUS_STAMP_TAKEN, MESSAGES + 1, 5);
    tbus_stamps_message(s, TBUS_STAMP_TAKEN, MESSAGES + 2, 5);
    assert_int_equal(at(s, TBUS_STAMP_TAKEN, MESSAGES - 1), 5);
    assert_int_equal(lost(s, TBUS_STAMP_TAKEN), 2);
}

static void a_column_that_is_not_kept_takes_nothing_and_loses_nothing(void **state)
{
    const tbus_stamps_t *s = *state;
    assert_int_equal(s->rows[TBUS_STAMP_RECORDED], 0);
    tbus_stamps_put(s, TBUS_STAMP_RECORDED, 0, 5);
    assert_int_equal(lost(s, TBUS_STAMP_RECORDED), 0);
}

static void no_two_messages_of_strategies_share_a_row(void **state)
{
    const tbus_stamps_t *s = *state;
    uint64_t rows[8], count = 0;
    for (unsigned strategy = 1; strategy <= 2; strategy++)
        for (unsigned number = 1; number <= 2; number++)
            for (int kind = ORDER_NEW; kind <= ORDER_CANCEL; kind++) {
                order_t order = {.order_id = ORDER_ID(strategy, number), .kind = (uint64_t)kind};
                rows[count++] = order_row(s, &order);
            }
    for (unsigned i = 0; i < count; i++) {
        assert_true(rows[i] < MESSAGES);
        for (unsigned k = 0; k < i; k++)
            assert_int_not_equal(rows[i], rows[k]);
    }
    order_t order = {.order_id = ORDER_ID(3, 1), .kind = ORDER_NEW};
    assert_true(order_row(s, &order) == ORDER_ROW_NONE);
}

static void a_report_leads_to_the_message_that_it_answers(void **state)
{
    const tbus_stamps_t *s = *state;
    order_t sent = {.order_id = ORDER_ID(1, 2), .kind = ORDER_NEW};
    order_t cancel = {.order_id = ORDER_ID(1, 2), .kind = ORDER_CANCEL};
    report_t report = {.order_id = ORDER_ID(1, 2), .kind = REPORT_ACCEPTED};
    assert_int_equal(report_row(s, &report), order_row(s, &sent));
    report.kind = REPORT_REJECTED;
    assert_int_equal(report_row(s, &report), order_row(s, &sent));
    report.kind = REPORT_CANCEL_REJECTED;
    assert_int_equal(report_row(s, &report), order_row(s, &cancel));
    report.kind = REPORT_CANCELLED;
    report.reason = REASON_USER_CANCEL;
    assert_int_equal(report_row(s, &report), order_row(s, &cancel));
    report.reason = REASON_IOC_UNFILLED;
    assert_true(report_row(s, &report) == ORDER_ROW_NONE);
    report.kind = REPORT_FILLED;
    assert_true(report_row(s, &report) == ORDER_ROW_NONE);
}

static void tables_of_nothing_are_refused(void **state)
{
    tbus_stamps_t stamps;
    tbus_error_t err = {0};
    tbus_stamps_spec_t spec = {.streams = 1};
    (void)state;
    assert_int_not_equal(tbus_stamps_create(&spec, &stamps, &err), 0);
    assert_true(err.text[0] != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_child_stamps_is_seen_by_its_parent, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(messages_before_the_first_that_counts_leave_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_finds_no_room_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_column_that_is_not_kept_takes_nothing_and_loses_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_two_messages_of_strategies_share_a_row, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_report_leads_to_the_message_that_it_answers, set_up,
                                        tear_down),
        cmocka_unit_test(tables_of_nothing_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
