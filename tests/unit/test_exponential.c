/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feedsim/synth/arrivals.h"
#include "feedsim/synth/exponential.h"
#include "feedsim/synth/random.h"

#define ONE_Q32 4294967296.0

static void assert_near(double value, double wanted, double off)
{
    if (!(fabs(value - wanted) <= off))
        fail_msg("%.9f is not %.9f", value, wanted);
}

static void logarithms_powers_and_waiting_times_are_those_of_libm(void **state)
{
    (void)state;
    random_state_t random;
    random_seed(&random, 1);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t x = random_next(&random) >> random_below(&random, 64) | 1;
        assert_near((double)exponential_log2_q32(x) / ONE_Q32, log2((double)x), 5e-5);
        assert_near((double)exponential_of_q32(x) / ONE_Q32, 64 * M_LN2 - log((double)x), 5e-5);
        uint64_t halvings_q32 = random_next(&random) >> 30;
        double left = (double)exponential_decay(UINT64_C(1) << 62, halvings_q32);
        assert_near(left / 0x1p62, exp2(-(double)halvings_q32 / ONE_Q32), 5e-5);
    }
    assert_int_equal(exponential_log2_q32(1), 0);
    assert_int_equal(exponential_decay(12345, 0), 12345);
    assert_int_equal(exponential_decay(UINT64_MAX, UINT64_C(64) << 32), 0);
}

static void a_logarithm_never_falls(void **state)
{
    (void)state;
    uint64_t last = 0;
    for (uint64_t x = 1; x < UINT64_MAX / 3; x += x / 50000 + 1) {
        uint64_t now = exponential_log2_q32(x);
        assert_true(now >= last);
        last = now;
    }
}

/* Of one message without a cause come, with all that answers them, 1 / (1 - 0.86) on average; and
 * all are about its stock. */
static void a_message_brings_as_many_as_its_branching_says(void **state)
{
    (void)state;
    random_state_t random;
    random_seed(&random, 2);
    arrivals_t a;
    arrivals_reset(&a, 0);
    uint64_t now_ns = 0, messages = 0;
    for (unsigned cause = 0; cause < 20000; cause++) {
        now_ns += UINT64_C(1000000000000); /* all is quiet by then */
        for (unsigned part = ARRIVALS_NONE;;) {
            messages++;
            arrivals_happened(&a, now_ns, part, cause, &random);
            if (a.next == ARRIVALS_NONE)
                break;
            part = a.next;
            assert_true(a.due_ns >= now_ns);
            assert_int_equal(arrivals_stock(&a, part, &random), cause);
            now_ns = a.due_ns;
        }
    }
    assert_near((double)messages / 20000, 1 / 0.14, 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logarithms_powers_and_waiting_times_are_those_of_libm),
        cmocka_unit_test(a_logarithm_never_falls),
        cmocka_unit_test(a_message_brings_as_many_as_its_branching_says),
    };
    return cmocka_run_group_tests_name("exponential", tests, NULL, NULL);
}
