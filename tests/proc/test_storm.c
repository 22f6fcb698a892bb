/* SPDX-License-Identifier: Apache-2.0 */
/* A thousand kills in a whole bus under load (tests/support/storm.h). TICKBUS_SEED repeats one;
 * `storm` runs more of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tests/support/storm.h"

static void a_thousand_kills_under_load_lose_double_and_stop_nothing(void **state)
{
    (void)state;
    const char *seed = getenv("TICKBUS_SEED");
    storm_options_t options = {.seed = seed ? strtoull(seed, NULL, 0) : 1,
                               .kills = 1000,
                               .kills_per_world = 125,
                               .pages = TBUS_PAGES_SMALL};
    storm_result_t r;
    bool fine = storm_run(&options, &r);
    print_message(
        "  seed %llu: %u kills, %u of them in the act, %llu stops, %llu messages, %llu tombs, %llu "
        "in doubt, %llu delivered again, %llu repairs\n",
        (unsigned long long)options.seed, r.kills, r.in_the_act, (unsigned long long)r.stops,
        (unsigned long long)r.published, (unsigned long long)r.tombs,
        (unsigned long long)r.in_doubt, (unsigned long long)r.redelivered,
        (unsigned long long)r.heals);
    if (!fine)
        fail_msg("%s", r.fault);
    assert_true(r.kills >= options.kills);
    assert_true(r.in_the_act > 0);
    assert_true(r.published > 100 * (uint64_t)r.kills); /* it was under load */
    assert_true(r.tombs > 0 && r.in_doubt > 0 && r.redelivered > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_kills_under_load_lose_double_and_stop_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
