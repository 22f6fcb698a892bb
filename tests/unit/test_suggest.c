/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tools/show/suggest.h"

static const char *nearest(const char *given, const char *list)
{
    static char text[128];
    suggestion_t suggestion = {.given = given};
    suggest_consider_list(&suggestion, list);
    suggest_text(&suggestion, text, sizeof text);
    return text;
}

static void a_slip_of_the_finger_is_told(void **state)
{
    (void)state;
    static const char verbs[] = "start, replay, stop, status, halt, resume, tap";
    assert_string_equal(nearest("sart", verbs), "; did you mean 'start'?");   /* left out */
    assert_string_equal(nearest("sttart", verbs), "; did you mean 'start'?"); /* added */
    assert_string_equal(nearest("half", verbs), "; did you mean 'halt'?");    /* changed */
    assert_string_equal(nearest("hatl", verbs), "; did you mean 'halt'?");    /* swapped */
    assert_string_equal(nearest("resmue", verbs), "; did you mean 'resume'?");
    assert_string_equal(nearest("aapl", "MSFT, AAPL"), "; did you mean 'AAPL'?");
    assert_string_equal(nearest("FuSeD", "fuse|fused"), "; did you mean 'fused'?");
    assert_string_equal(nearest("fuse", "auto|split|fused"), "; did you mean 'fused'?");
}

static void what_is_near_nothing_gets_no_suggestion(void **state)
{
    (void)state;
    assert_string_equal(nearest("banana", "start, stop, tap"), "");
    assert_string_equal(nearest("", "tap"), "");
    assert_string_equal(nearest("xyz", "tap"), ""); /* all letters differ */
    char longest[400];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_string_equal(nearest(longest, "tap"), "");
}

static void the_nearest_of_several_wins_and_the_first_of_equals(void **state)
{
    (void)state;
    assert_string_equal(nearest("stat", "stop, status, start"), "; did you mean 'start'?");
    assert_string_equal(nearest("boot", "book, root"), "; did you mean 'book'?");
}

static void an_option_is_compared_by_its_name_alone(void **state)
{
    (void)state;
    static const struct option options[] = {
        {"feed", required_argument, NULL, 1}, {"json", no_argument, NULL, 2}, {0}};
    char text[64];
    suggest_option("--fed=x", options, text, sizeof text);
    assert_string_equal(text, "; did you mean --feed?");
    suggest_option("--jason", options, text, sizeof text);
    assert_string_equal(text, "; did you mean --json?");
    suggest_option("-x", options, text, sizeof text);
    assert_string_equal(text, "");
    suggest_option("--feed", options, text, sizeof text); /* known: only its argument is missing */
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_of_the_finger_is_told),
        cmocka_unit_test(what_is_near_nothing_gets_no_suggestion),
        cmocka_unit_test(the_nearest_of_several_wins_and_the_first_of_equals),
        cmocka_unit_test(an_option_is_compared_by_its_name_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
