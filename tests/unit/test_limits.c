/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "risk/limits.h"

static void limits_by_default_are_valid(void **state)
{
    (void)state;
    risk_limits_t limits;
    tbus_params_defaults(&risk_limits_params, &limits);
    assert_int_equal(risk_limits_check(&limits, NULL), 0);
}

static void assert_wrong(risk_limits_t limits, const char *field)
{
    tbus_error_t err = {0};
    assert_int_equal(risk_limits_check(&limits, &err), -TBUS_ECONFIG);
    assert_int_equal(err.code, -TBUS_ECONFIG);
    char named[64];
    snprintf(named, sizeof(named), "risk.%s is ", field);
    if (strstr(err.text, named) != err.text)
        fail_msg("'%s' does not name %s", err.text, field);
}

#define WITH(field, value)                                                                         \
    ({                                                                                             \
        risk_limits_t with;                                                                        \
        tbus_params_defaults(&risk_limits_params, &with);                                          \
        with.field = (value);                                                                      \
        with;                                                                                      \
    })

static void limits_of_zero_that_would_reject_everything_are_refused_by_name(void **state)
{
    (void)state;
    assert_wrong(WITH(max_order_qty, 0), "max_order_qty");
    assert_wrong(WITH(max_order_notional_e4, 0), "max_order_notional_e4");
    assert_wrong(WITH(position_max, 0), "position_max");
    assert_wrong(WITH(gross_notional_max_e4, 0), "gross_notional_max_e4");
    assert_wrong(WITH(orders_per_second, 0), "orders_per_second");
    assert_wrong(WITH(open_orders_max, 0), "open_orders_max");
    assert_wrong(WITH(messages_per_second, 0), "messages_per_second");
    assert_wrong(WITH(reference_qty, 0), "reference_qty");
    assert_wrong(WITH(loss_max_e4, 0), "loss_max_e4");
}

static void limits_beyond_their_range_are_refused_by_name(void **state)
{
    (void)state;
    assert_wrong(WITH(collar_bps, RISK_COLLAR_BPS_LIMIT + 1), "collar_bps");
    assert_wrong(WITH(position_max, (uint64_t)INT64_MAX + 1), "position_max");
    assert_wrong(WITH(orders_per_second, RISK_RATE_LIMIT + 1), "orders_per_second");
    assert_wrong(WITH(open_orders_max, RISK_OPEN_ORDERS_LIMIT + 1), "open_orders_max");
}

static void amounts_are_read_with_all_their_bits(void **state)
{
    (void)state;
    const uint64_t wide = UINT64_C(1) << 32; /* nothing below */
    const risk_limits_t good[] = {WITH(max_order_notional_e4, wide), WITH(position_max, wide),
                                  WITH(gross_notional_max_e4, wide), WITH(loss_max_e4, wide)};
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        tbus_error_t err = {0};
        if (risk_limits_check(&good[i], &err) != 0)
            fail_msg("%s", err.text);
    }
}

static void limits_at_the_ends_of_their_ranges_are_valid(void **state)
{
    (void)state;
    risk_limits_t least = {1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0};
    assert_int_equal(risk_limits_check(&least, NULL), 0);
    risk_limits_t most = {UINT32_MAX,
                          UINT64_MAX,
                          RISK_COLLAR_BPS_LIMIT,
                          UINT32_MAX,
                          INT64_MAX,
                          UINT64_MAX,
                          RISK_RATE_LIMIT,
                          RISK_OPEN_ORDERS_LIMIT,
                          RISK_RATE_LIMIT,
                          UINT32_MAX,
                          UINT64_MAX,
                          RISK_TEST_SYMBOLS_ALLOW};
    assert_int_equal(risk_limits_check(&most, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_by_default_are_valid),
        cmocka_unit_test(limits_of_zero_that_would_reject_everything_are_refused_by_name),
        cmocka_unit_test(limits_beyond_their_range_are_refused_by_name),
        cmocka_unit_test(amounts_are_read_with_all_their_bits),
        cmocka_unit_test(limits_at_the_ends_of_their_ranges_are_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
