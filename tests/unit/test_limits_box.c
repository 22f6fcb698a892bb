/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "risk/limits_box.h"

/* Figures that tell of which set they are. */
static risk_limits_t set_of(uint32_t n)
{
    return (risk_limits_t){.max_order_qty = n,
                           .max_order_notional_e4 = UINT64_C(100000000000) + n,
                           .collar_bps = n + 1,
                           .collar_e4 = n + 2,
                           .position_max = UINT64_C(1) << 40 | n,
                           .gross_notional_max_e4 = UINT64_MAX - n,
                           .orders_per_second = n + 3,
                           .open_orders_max = n + 4,
                           .messages_per_second = n + 5,
                           .reference_qty = n + 6,
                           .loss_max_e4 = UINT64_MAX - 2 * (uint64_t)n,
                           .test_symbols = n + 7};
}

static void assert_is_a_set(const risk_limits_t *got)
{
    risk_limits_t whole = set_of(got->max_order_qty);
    assert_int_equal(got->max_order_notional_e4, whole.max_order_notional_e4);
    assert_int_equal(got->collar_bps, whole.collar_bps);
    assert_int_equal(got->collar_e4, whole.collar_e4);
    assert_int_equal(got->position_max, whole.position_max);
    assert_true(got->gross_notional_max_e4 == whole.gross_notional_max_e4);
    assert_int_equal(got->orders_per_second, whole.orders_per_second);
    assert_int_equal(got->open_orders_max, whole.open_orders_max);
    assert_int_equal(got->messages_per_second, whole.messages_per_second);
    assert_int_equal(got->reference_qty, whole.reference_qty);
    assert_true(got->loss_max_e4 == whole.loss_max_e4);
    assert_int_equal(got->test_symbols, whole.test_symbols);
}

static void what_was_put_in_is_taken_out_once(void **state)
{
    (void)state;
    limits_box_t box = {0};
    risk_limits_t in = set_of(7), got;
    uint64_t seen = 0;
    assert_false(limits_box_take(&box, &seen, &got)); /* nothing was ever put in */
    limits_box_put(&box, &in);
    assert_true(limits_box_take(&box, &seen, &got));
    assert_is_a_set(&got);
    assert_int_equal(got.max_order_qty, 7);
    assert_false(limits_box_take(&box, &seen, &got));
    for (uint32_t n = 8; n < 10; n++) {
        in = set_of(n);
        limits_box_put(&box, &in);
    }
    assert_true(limits_box_take(&box, &seen, &got)); /* the last one alone */
    assert_int_equal(got.max_order_qty, 9);
    assert_false(limits_box_take(&box, &seen, &got));
}

#define SETS 200000u

static void *put_many(void *context)
{
    for (uint32_t n = 1; n <= SETS; n++) {
        risk_limits_t in = set_of(n);
        limits_box_put((limits_box_t *)context, &in);
    }
    return NULL;
}

static void a_set_that_is_being_written_is_never_taken_in_parts(void **state)
{
    (void)state;
    static limits_box_t box;
    pthread_t writer;
    risk_limits_t got;
    uint64_t seen = 0;
    uint32_t last = 0;
    assert_int_equal(pthread_create(&writer, NULL, put_many, &box), 0);
    while (last < SETS) {
        if (!limits_box_take(&box, &seen, &got))
            continue;
        assert_is_a_set(&got);
        assert_true(got.max_order_qty > last);
        last = got.max_order_qty;
    }
    pthread_join(writer, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_in_is_taken_out_once),
        cmocka_unit_test(a_set_that_is_being_written_is_never_taken_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
