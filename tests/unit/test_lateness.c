/* SPDX-License-Identifier: Apache-2.0 */
/* Who is late, told from counts of what is published and done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/run/lateness.h"

#define MS    UINT64_C(1000000)
#define LIMIT (500 * MS)

/* A look every 50 ms at two topics. */
typedef struct looks {
    lateness_t l;
    uint64_t now_ns;
    lateness_counts_t counts[2];
} looks_t;

static bool look_after(looks_t *at, uint64_t ms)
{
    at->now_ns += ms * MS;
    lateness_see(&at->l, at->now_ns, at->counts, 2, LIMIT);
    return at->l.late;
}

/* How many looks until it is called late; 0: not within `count`. */
static unsigned looks_until_late(looks_t *at, unsigned count)
{
    for (unsigned i = 1; i <= count; i++)
        if (look_after(at, 50))
            return i;
    return 0;
}

static void who_is_done_with_all_is_never_late(void **state)
{
    (void)state;
    looks_t at = {.now_ns = 1};
    for (unsigned i = 0; i < 100; i++) {
        at.counts[0].published = at.counts[0].done = i * 10;
        assert_false(look_after(&at, 50));
        assert_int_equal(at.l.behind_ns, 0);
    }
}

static void who_stands_still_is_late_past_the_limit_and_no_longer_when_all_is_done(void **state)
{
    (void)state;
    looks_t at = {.now_ns = 1, .counts = {{100, 100}, {8, 7}}};
    assert_int_equal(looks_until_late(&at, 100), 12); /* the first one only sees that it waits */
    assert_int_equal(at.l.behind_ns, 550 * MS);
    at.counts[1].done = 8;
    assert_false(look_after(&at, 50));
    assert_int_equal(at.l.behind_ns, 0);
}

static void who_is_behind_and_keeps_up_is_not_late(void **state)
{
    (void)state;
    looks_t at = {.now_ns = 1};
    for (unsigned i = 0; i < 100; i++) {
        at.counts[0].published = 1000 + i * 10;
        at.counts[0].done = 1000 + i * 10 - 60; /* 300 ms */
        assert_false(look_after(&at, 50));
        assert_true(at.l.behind_ns <= 350 * MS);
    }
}

/* What is waited for comes again and again, each time too late: that is one alarm, not many. */
static void who_is_always_too_far_behind_is_late_all_the_time(void **state)
{
    (void)state;
    looks_t at = {.now_ns = 1};
    bool was_late = false;
    for (unsigned i = 0; i < 200; i++) {
        at.counts[0].published = 1000 + i * 10;
        at.counts[0].done = 1000 + i * 10 - 200; /* a second */
        look_after(&at, 50);
        assert_true(at.l.late || !was_late);
        was_late |= at.l.late;
    }
    assert_true(was_late);
    for (unsigned i = 200; i < 220; i++) { /* and now in 200 ms */
        at.counts[0].published = 1000 + i * 10;
        at.counts[0].done = 1000 + i * 10 - 40;
        look_after(&at, 50);
    }
    assert_false(at.l.late);
}

static void a_look_that_comes_late_accuses_nobody_else(void **state)
{
    (void)state;
    looks_t at = {.now_ns = 1, .counts = {{100, 90}}};
    look_after(&at, 50);
    assert_false(look_after(&at, 60000));
    assert_int_equal(at.l.behind_ns, LATENESS_LOOK_NS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_done_with_all_is_never_late),
        cmocka_unit_test(who_stands_still_is_late_past_the_limit_and_no_longer_when_all_is_done),
        cmocka_unit_test(who_is_behind_and_keeps_up_is_not_late),
        cmocka_unit_test(who_is_always_too_far_behind_is_late_all_the_time),
        cmocka_unit_test(a_look_that_comes_late_accuses_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
