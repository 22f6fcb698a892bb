/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "feedsim/timeline.h"

#define S    UINT64_C(1000000000)
#define HOUR (3600 * S)
#define NONE FEED_TIME_NONE

static feed_timeline_t timeline(uint64_t from_ns, uint64_t to_ns, uint64_t gap_ns)
{
    feed_timeline_t t;
    feed_timeline_init(&t, true, from_ns, to_ns, gap_ns);
    return t;
}

static uint64_t put(feed_timeline_t *t, uint64_t time_ns)
{
    uint64_t at_ns;
    feed_timeline_next(t, time_ns, &at_ns);
    return at_ns;
}

static enum feed_window window(feed_timeline_t *t, uint64_t time_ns)
{
    uint64_t at_ns;
    return feed_timeline_next(t, time_ns, &at_ns);
}

static uint64_t time_of(const char *text)
{
    uint64_t ns;
    tbus_error_t err = {0};
    if (feed_time_parse(text, &ns, &err) != 0)
        fail_msg("%s", err.text);
    return ns;
}

static void midnight_is_passed_as_any_other_second(void **state)
{
    (void)state;
    feed_timeline_t t = timeline(NONE, NONE, NONE);
    assert_int_equal(put(&t, time_of("23:59:59.5")), 24 * HOUR - S / 2);
    assert_int_equal(put(&t, 0), 24 * HOUR);
    assert_int_equal(put(&t, S), 24 * HOUR + S);
    /* one of the day before that comes late, and on */
    assert_int_equal(put(&t, time_of("23:59:59.9")), 24 * HOUR - S / 10);
    assert_int_equal(put(&t, 2 * S), 24 * HOUR + 2 * S);
    /* a whole day of it */
    assert_int_equal(put(&t, 12 * HOUR), 36 * HOUR);
    assert_int_equal(put(&t, time_of("23:58")), 48 * HOUR - 120 * S);
    assert_int_equal(put(&t, time_of("00:01")), 48 * HOUR + 60 * S);
}

static void each_further_day_comes_after_the_one_before_it(void **state)
{
    (void)state;
    feed_timeline_t t = timeline(NONE, NONE, NONE);
    for (uint64_t day = 0; day < 5; day++) {
        assert_int_equal(put(&t, time_of("09:30")), (24 * day) * HOUR + time_of("09:30"));
        assert_int_equal(put(&t, time_of("16:00")), (24 * day + 16) * HOUR);
    }
}

static void disorder_is_no_new_day(void **state)
{
    (void)state;
    feed_timeline_t t = timeline(NONE, NONE, NONE);
    assert_int_equal(put(&t, 12 * HOUR), 12 * HOUR);
    assert_int_equal(put(&t, 9 * HOUR), 9 * HOUR); /* three hours back, and no more */
    assert_int_equal(put(&t, 12 * HOUR + 1), 12 * HOUR + 1);
    assert_int_equal(put(&t, 9 * HOUR), 33 * HOUR); /* more */
}

static void times_that_are_not_of_day_have_no_midnight(void **state)
{
    (void)state;
    feed_timeline_t t;
    feed_timeline_init(&t, false, NONE, NONE, NONE);
    assert_int_equal(put(&t, 30 * HOUR), 30 * HOUR);
    assert_int_equal(put(&t, 2 * HOUR), 2 * HOUR);
}

static void the_window_opens_at_from_for_good_and_ends_at_to(void **state)
{
    (void)state;
    feed_timeline_t t = timeline(time_of("09:30"), time_of("16:00"), NONE);
    assert_int_equal(window(&t, NONE), FEED_BEFORE);
    assert_int_equal(window(&t, time_of("07:00")), FEED_BEFORE);
    assert_int_equal(window(&t, time_of("09:29:59.999999999")), FEED_BEFORE);
    assert_int_equal(window(&t, NONE), FEED_BEFORE);
    assert_int_equal(window(&t, time_of("09:30")), FEED_WITHIN);
    assert_int_equal(window(&t, time_of("09:29:59")), FEED_WITHIN); /* late */
    assert_int_equal(window(&t, NONE), FEED_WITHIN);
    assert_int_equal(window(&t, time_of("15:59:59.999999999")), FEED_WITHIN);
    assert_int_equal(window(&t, time_of("16:00")), FEED_BEHIND);
    assert_int_equal(window(&t, NONE), FEED_BEHIND);
}

static void a_night_session_is_asked_for_by_its_times_of_day(void **state)
{
    (void)state;
    feed_timeline_t t = timeline(time_of("23:00"), time_of("01:00"), NONE);
    assert_int_equal(window(&t, time_of("22:00")), FEED_BEFORE);
    assert_int_equal(window(&t, time_of("23:30")), FEED_WITHIN);
    assert_int_equal(window(&t, time_of("00:30")), FEED_WITHIN);
    assert_int_equal(window(&t, time_of("01:00")), FEED_BEHIND);
    t = timeline(time_of("01:00"), NONE, NONE);
    assert_int_equal(window(&t, time_of("22:00")), FEED_BEFORE);
    assert_int_equal(window(&t, time_of("00:59")), FEED_BEFORE);
    assert_int_equal(window(&t, time_of("01:00")), FEED_WITHIN);
    t = timeline(time_of("33:30"), NONE, NONE); /* of the second day */
    assert_int_equal(window(&t, time_of("10:00")), FEED_BEFORE);
    assert_int_equal(window(&t, time_of("09:00")), FEED_BEFORE);
    assert_int_equal(window(&t, time_of("16:00")), FEED_BEFORE);
    assert_int_equal(window(&t, time_of("09:29")), FEED_BEFORE);
    assert_int_equal(window(&t, time_of("09:30")), FEED_WITHIN);
}

static void a_file_that_begins_shortly_after_from_is_within_at_once(void **state)
{
    (void)state;
    feed_timeline_t t = timeline(time_of("07:00"), NONE, NONE);
    assert_int_equal(window(&t, time_of("09:30")), FEED_WITHIN);
}

static void longer_gaps_are_shortened_and_the_night_between_two_days_is_one(void **state)
{
    (void)state;
    feed_timeline_t t = timeline(NONE, NONE, 60 * S);
    assert_int_equal(put(&t, time_of("10:00")), 10 * HOUR);
    assert_int_equal(put(&t, time_of("10:01")), 10 * HOUR + 60 * S); /* no longer than that */
    assert_int_equal(put(&t, time_of("16:00")), 10 * HOUR + 120 * S);
    assert_int_equal(put(&t, time_of("16:00:01")), 10 * HOUR + 121 * S);
    assert_int_equal(put(&t, time_of("09:30")), 10 * HOUR + 181 * S);
    /* disorder after a gap: before the latest, never after it, never below zero */
    assert_true(put(&t, time_of("09:29")) <= 10 * HOUR + 181 * S);
    t = timeline(NONE, NONE, S);
    assert_int_equal(put(&t, 0), 0);
    assert_int_equal(put(&t, 10 * HOUR), S);
    assert_true(put(&t, 7 * HOUR + 1) <= S);
    assert_int_equal(put(&t, 10 * HOUR + 1), S + 1);
}

static void times_and_durations_are_read_exactly_or_refused(void **state)
{
    (void)state;
    uint64_t ns = 7;
    tbus_error_t err;
    assert_int_equal(time_of("00:00"), 0);
    assert_int_equal(time_of("9:30"), 34200 * S);
    assert_int_equal(time_of("09:30:01.000000001"), 34201 * S + 1);
    assert_int_equal(time_of("09:35:00.5"), 34500 * S + S / 2);
    assert_int_equal(time_of("25:00"), 25 * HOUR);
    static const char *const wrong[] = {"",
                                        "9",
                                        "0930",
                                        "09:3",
                                        "09:60",
                                        "09:30:",
                                        "09:30:60",
                                        "09:30:1",
                                        "-9:30",
                                        " 09:30",
                                        "09:30 ",
                                        "09:30:01.",
                                        "1000:00",
                                        "09.30",
                                        "9:30pm",
                                        "09:30.5",
                                        "09:30:01.0000000001",
                                        ":30",
                                        "09::30"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (feed_time_parse(wrong[i], &ns, &err) != -TBUS_ECONFIG)
            fail_msg("\"%s\" was taken", wrong[i]);
        assert_non_null(strstr(err.text, wrong[i]));
    }
    assert_int_equal(ns, 7);
    static const struct {
        const char *text;
        uint64_t ns;
    } right[] = {{"1ns", 1},      {"500ms", S / 2}, {"1.5s", 3 * S / 2}, {"10s", 10 * S},
                 {"2m", 120 * S}, {"1h", HOUR},     {"0.5us", 500}};
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_int_equal(feed_duration_parse(right[i].text, &ns, &err), 0);
        assert_int_equal(ns, right[i].ns);
    }
    static const char *const no_duration[] = {"",   "1",   "s",   "0s",   "-1s",
                                              "1d", "1 s", "1s ", "0.1ns"};
    for (size_t i = 0; i < sizeof(no_duration) / sizeof(no_duration[0]); i++)
        assert_int_equal(feed_duration_parse(no_duration[i], &ns, &err), -TBUS_ECONFIG);
}

static void a_place_is_a_time_or_the_number_of_a_tick(void **state)
{
    static const char *const wrong[] = {
        "seq:", "seq:0", "seq:-1", "seq:1x", "seq: 1", "SEQ:1", "seq:18446744073709551616"};
    (void)state;
    uint64_t ns = 1, seq = 1;
    assert_int_equal(feed_place_parse("seq:18446744073709551615", &ns, &seq, NULL), 0);
    assert_true(ns == FEED_TIME_NONE && seq == UINT64_MAX);
    assert_int_equal(feed_place_parse("00:00:01", &ns, &seq, NULL), 0);
    assert_true(ns == UINT64_C(1000000000) && seq == 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(feed_place_parse(wrong[i], &ns, &seq, NULL), -TBUS_ECONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_a_time_or_the_number_of_a_tick),
        cmocka_unit_test(midnight_is_passed_as_any_other_second),
        cmocka_unit_test(each_further_day_comes_after_the_one_before_it),
        cmocka_unit_test(disorder_is_no_new_day),
        cmocka_unit_test(times_that_are_not_of_day_have_no_midnight),
        cmocka_unit_test(the_window_opens_at_from_for_good_and_ends_at_to),
        cmocka_unit_test(a_night_session_is_asked_for_by_its_times_of_day),
        cmocka_unit_test(a_file_that_begins_shortly_after_from_is_within_at_once),
        cmocka_unit_test(longer_gaps_are_shortened_and_the_night_between_two_days_is_one),
        cmocka_unit_test(times_and_durations_are_read_exactly_or_refused),
    };
    return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
