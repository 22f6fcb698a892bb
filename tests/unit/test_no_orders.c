/* SPDX-License-Identifier: Apache-2.0 */
/* Does a pipeline know that nobody in it will ever send an order? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/config/config.h"

/* With these settings, a NULL behind the last. */
static bool has_no_orders(const char *const *settings)
{
    static config_t config;
    tbus_error_t err = {0};
    config_defaults(&config);
    for (; *settings; settings += 2)
        if (config_set(&config, settings[0], settings[1], &err) != 0)
            fail_msg("%s=%s: %s", settings[0], settings[1], err.text);
    return config_has_no_orders(&config);
}

static void a_strategy_that_is_called_for_nothing_sends_no_orders(void **state)
{
    (void)state;
    assert_true(has_no_orders((const char *const[]){"strategy.name", "null", NULL}));
    assert_false(has_no_orders((const char *const[]){"strategy.name", "quote", NULL}));
    assert_false(has_no_orders((const char *const[]){"strategy.name", "script", NULL}));
}

static void one_that_may_is_enough(void **state)
{
    (void)state;
    assert_false(
        has_no_orders((const char *const[]){"strategy.name", "null", "stages.second.kind",
                                            "strategy", "stages.second.name", "quote", NULL}));
}

static void whoever_may_publish_from_outside_may_send_orders(void **state)
{
    (void)state;
    assert_false(has_no_orders((const char *const[]){"strategy.name", "null",
                                                     "topics.orders.publish", "everybody", NULL}));
    assert_true(has_no_orders(
        (const char *const[]){"strategy.name", "null", "topics.md.gate", "everybody", NULL}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_strategy_that_is_called_for_nothing_sends_no_orders),
        cmocka_unit_test(one_that_may_is_enough),
        cmocka_unit_test(whoever_may_publish_from_outside_may_send_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
