/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/measure/noise.h"

static void stolen_time_is_read_from_the_line_of_all_cpus(void **state)
{
    (void)state;
    noise_mark_t mark;
    assert_true(noise_parse("cpu  100 20 30 400 5 6 7 32 9 1\ncpu0 1 2 3 4 5 6 7 8 9 10\n", &mark));
    assert_int_equal(mark.ticks_all, 600); /* what guests had is in user and nice already */
    assert_int_equal(mark.ticks_stolen, 32);
    assert_false(noise_parse("", &mark));
    assert_false(noise_parse("cpu0 1 2 3 4 5 6 7 8\n", &mark));
    assert_false(noise_parse("cpu 1 2 3 4\n", &mark)); /* a kernel before 2.6.11 */
    assert_int_equal(mark.ticks_all, 600);
}

static void a_quiet_machine_is_not_accused(void **state)
{
    (void)state;
    const uint64_t second = UINT64_C(1000000000);
    noise_t quiet = {.known = true, .steal_share = 0.005, .involuntary_switches = 150};
    assert_false(noise_is_loud(&quiet, 2 * second));
    noise_t stolen = {.known = true, .steal_share = 0.02};
    assert_true(noise_is_loud(&stolen, second));
    noise_t pushed = {.known = true, .involuntary_switches = 500};
    assert_true(noise_is_loud(&pushed, 2 * second));
    assert_false(noise_is_loud(&pushed, 10 * second));
    noise_t unknown = {0};
    assert_false(noise_is_loud(&unknown, second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stolen_time_is_read_from_the_line_of_all_cpus),
        cmocka_unit_test(a_quiet_machine_is_not_accused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
