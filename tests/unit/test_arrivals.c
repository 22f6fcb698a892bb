/* SPDX-License-Identifier: Apache-2.0 */
/* The schedule of a feed apart from its messages: times of another file, and messages that are
 * ready beforehand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feedsim/arrivals.h"
#include "feedsim/itch/binaryfile_writer.h"
#include "feedsim/itch/itch.h"
#include "feedsim/source/prepared.h"
#include "feedsim/source/source.h"
#include "tests/support/program.h"

#define TICKS 3000u

typedef struct fixture {
    char directory[SCRATCH_PATH_MAX];
    char path[SCRATCH_PATH_MAX + 16];
    tick_t *a, *b; /* TICK_LEN_MAX bytes */
} fixture_t;

static int set_up(void **state)
{
    static fixture_t f;
    scratch_create(f.directory);
    snprintf(f.path, sizeof f.path, "%s/feed.itch", f.directory);
    f.a = aligned_alloc(64, (TICK_LEN_MAX + 63) / 64 * 64);
    f.b = aligned_alloc(64, (TICK_LEN_MAX + 63) / 64 * 64);
    *state = &f;
    return f.a && f.b ? 0 : -1;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    free(f->a);
    free(f->b);
    scratch_remove(f->directory);
    return 0;
}

static feed_source_t *open_source(const char *spec)
{
    feed_source_t *source;
    tbus_error_t err = {0};
    if (feed_source_open(spec, FEED_CLOCK_MARKET, &source, &err) != 0)
        fail_msg("%s", err.text);
    return source;
}

/* System events, S, at these times. */
static void write_times(const fixture_t *f, const uint64_t *times_ns, size_t count)
{
    FILE *out = fopen(f->path, "we");
    assert_non_null(out);
    for (size_t i = 0; i < count; i++) {
        uint8_t message[12] = {'S'};
        for (int k = 0; k < 6; k++)
            message[5 + k] = (uint8_t)(times_ns[i] >> (40 - 8 * k));
        message[11] = 'O';
        const uint8_t length[2] = {0, sizeof message};
        assert_int_equal(fwrite(length, 1, 2, out), 2);
        assert_int_equal(fwrite(message, 1, sizeof message, out), sizeof message);
    }
    assert_int_equal(fclose(out), 0);
}

static feed_arrivals_t read_times(const fixture_t *f, uint64_t span_ns, uint64_t gap_ns_max)
{
    char spec[SCRATCH_PATH_MAX + 32];
    feed_arrivals_t a;
    tbus_error_t err = {0};
    snprintf(spec, sizeof spec, "itch:%s", f->path);
    if (feed_arrivals_read(spec, span_ns, gap_ns_max, &a, &err) != 0)
        fail_msg("%s", err.text);
    return a;
}

static void times_begin_at_zero_and_never_fall(void **state)
{
    static const uint64_t times_ns[] = {5000, 5100, 5050, 7000, 7000};
    static const uint64_t expected[] = {0, 100, 100, 2000, 2000};
    fixture_t *f = *state;
    write_times(f, times_ns, 5);
    feed_arrivals_t a = read_times(f, UINT64_MAX, FEED_TIME_NONE);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(feed_arrivals_next(&a), expected[i]);
    feed_arrivals_clear(&a);
    feed_arrivals_clear(&a); /* accepts one that is empty */
}

/* As far apart as two of them are on average; a lap takes 10 ms at least. */
static void behind_the_last_time_they_begin_anew(void **state)
{
    static const uint64_t times_ns[] = {5000000, 5100000, 25000000}, same_ns[] = {8, 8};
    static const uint64_t lap[] = {0, 100000, 20000000};
    fixture_t *f = *state;
    write_times(f, times_ns, 3);
    feed_arrivals_t a = read_times(f, UINT64_MAX, FEED_TIME_NONE);
    for (uint64_t i = 0; i < 3000; i++)
        assert_int_equal(feed_arrivals_next(&a), i / 3 * 30000000 + lap[i % 3]);
    feed_arrivals_clear(&a);
    write_times(f, same_ns, 2);
    a = read_times(f, UINT64_MAX, FEED_TIME_NONE);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(feed_arrivals_next(&a), i / 2 * UINT64_C(10000000));
    feed_arrivals_clear(&a);
}

static void no_more_is_read_than_the_span_and_gaps_are_shortened(void **state)
{
    static const uint64_t times_ns[] = {1000, 2000, 900000, 901000, 950000};
    fixture_t *f = *state;
    uint64_t time_ns = 0;
    write_times(f, times_ns, 5);
    feed_arrivals_t a = read_times(f, 899999, FEED_TIME_NONE);
    assert_int_equal(a.count, 3);
    feed_arrivals_clear(&a);
    a = read_times(f, UINT64_MAX, 10000);
    assert_int_equal(a.count, 5);
    for (unsigned i = 0; i < 5; i++)
        time_ns = feed_arrivals_next(&a);
    assert_int_equal(time_ns, 1000 + 10000 + 1000 + 10000);
    feed_arrivals_clear(&a);
}

/* A day of a market begins with a message at 03:00 and the next some minutes later: the first
 * message again and again would be a schedule that nobody recorded. */
static void behind_what_was_read_nothing_is_due_before_the_files_own_next_time(void **state)
{
    static const uint64_t times_ns[] = {1000, 2000, 3600000000000};
    fixture_t *f = *state;
    write_times(f, times_ns, 3);
    feed_arrivals_t a = read_times(f, 1000000000, FEED_TIME_NONE);
    assert_int_equal(a.count, 2);
    (void)feed_arrivals_next(&a);
    (void)feed_arrivals_next(&a);
    assert_int_equal(feed_arrivals_next(&a), 3600000000000 - 1000);
    feed_arrivals_clear(&a);
}

static void arrivals_begin_at_the_place_that_is_named(void **state)
{
    static const uint64_t times_ns[] = {1000, 60000000000, 60000000500, 60000000700};
    fixture_t *f = *state;
    char spec[SCRATCH_PATH_MAX + 64], own[SCRATCH_PATH_MAX + 32];
    feed_arrivals_t a;
    tbus_error_t err = {0};
    write_times(f, times_ns, 4);
    snprintf(spec, sizeof spec, "itch:%s@00:01", f->path);
    assert_int_equal(feed_arrivals_read(spec, UINT64_MAX, FEED_TIME_NONE, &a, &err), 0);
    assert_int_equal(a.count, 3);
    assert_int_equal(feed_arrivals_next(&a), 0);
    assert_int_equal(feed_arrivals_next(&a), 500);
    feed_arrivals_clear(&a);
    snprintf(spec, sizeof spec, "itch:%s@00:02", f->path);
    assert_int_equal(feed_arrivals_read(spec, UINT64_MAX, FEED_TIME_NONE, &a, &err), -TBUS_ECONFIG);
    assert_non_null(strstr(err.text, "at or after 00:02"));
    snprintf(own, sizeof own, "%s@00:01", f->path); /* its own name ends so */
    assert_int_equal(rename(f->path, own), 0);
    snprintf(spec, sizeof spec, "itch:%s", own);
    assert_int_equal(feed_arrivals_read(spec, UINT64_MAX, FEED_TIME_NONE, &a, &err), 0);
    assert_int_equal(a.count, 4);
    feed_arrivals_clear(&a);
}

static void a_file_without_times_or_none_at_all_is_refused(void **state)
{
    fixture_t *f = *state;
    char spec[SCRATCH_PATH_MAX + 32];
    feed_arrivals_t a;
    tbus_error_t err = {0};
    bool named;
    snprintf(spec, sizeof spec, "itch:%s", f->path);
    assert_true(feed_arrivals_read(spec, UINT64_MAX, FEED_TIME_NONE, &a, &err) < 0);
    write_times(f, NULL, 0);
    assert_true(feed_arrivals_read(spec, UINT64_MAX, FEED_TIME_NONE, &a, &err) < 0);
    assert_int_equal(feed_arrivals_named("recorded:", spec, sizeof spec, &named, &err),
                     -TBUS_ECONFIG);
    assert_int_equal(feed_arrivals_named("recorded:/x/y", spec, sizeof spec, &named, &err), 0);
    assert_true(named);
    assert_string_equal(spec, "itch:/x/y");
    assert_int_equal(feed_arrivals_named("recorded:journal:/x", spec, sizeof spec, &named, &err),
                     0);
    assert_string_equal(spec, "journal:/x");
    assert_int_equal(feed_arrivals_named("poisson", spec, sizeof spec, &named, &err), 0);
    assert_false(named);
}

/* Both give the same, remark by remark. */
static void assert_same(fixture_t *f, feed_source_t *prepared, feed_source_t *plain)
{
    for (;;) {
        size_t bytes = 0, plain_bytes = 0;
        int rc = feed_source_next(prepared, f->a, &bytes);
        assert_int_equal(feed_source_next(plain, f->b, &plain_bytes), rc);
        assert_int_equal(prepared->messages, plain->messages);
        if (rc != FEED_SOURCE_TICK) {
            assert_string_equal(prepared->error.text, plain->error.text);
            assert_string_equal(prepared->note.text, plain->note.text);
            return;
        }
        assert_int_equal(bytes, plain_bytes);
        assert_memory_equal(f->a, f->b, bytes);
        assert_int_equal(prepared->time_ns, plain->time_ns);
        assert_int_equal(prepared->seq, plain->seq);
        assert_int_equal(prepared->tick_type, plain->tick_type);
        assert_int_equal(prepared->tick_message_bytes, plain->tick_message_bytes);
        assert_int_equal(prepared->warm_up, plain->warm_up);
    }
}

static void a_prepared_source_gives_what_the_source_would_have(void **state)
{
    static const uint64_t counts[] = {1, TICKS / 2, TICKS, 10 * (uint64_t)TICKS};
    fixture_t *f = *state;
    char spec[64];
    snprintf(spec, sizeof spec, "synth:seed=5,messages=%u", TICKS);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        feed_source_t *plain = open_source(spec), *prepared;
        assert_int_equal(feed_source_prepare(open_source(spec), counts[i], &prepared, NULL), 0);
        assert_same(f, prepared, plain);
        assert_int_equal(feed_source_unprepared(prepared),
                         counts[i] < TICKS ? TICKS - counts[i] : 0);
        assert_int_equal(feed_source_unprepared(plain), 0);
        feed_source_close(prepared);
        feed_source_close(plain);
    }
}

static void an_error_of_the_source_comes_after_what_was_prepared(void **state)
{
    static const uint64_t times_ns[] = {1000, 2000, 3000};
    fixture_t *f = *state;
    char spec[SCRATCH_PATH_MAX + 32];
    size_t bytes;
    write_times(f, times_ns, 3);
    char *whole = file_read(f->path, &bytes);
    assert_true(file_write(f->path, whole, bytes - 3)); /* torn */
    free(whole);
    snprintf(spec, sizeof spec, "itch:%s", f->path);
    feed_source_t *plain = open_source(spec), *prepared;
    assert_int_equal(feed_source_prepare(open_source(spec), 100, &prepared, NULL), 0);
    assert_same(f, prepared, plain);
    assert_true(plain->error.text[0] != 0 || plain->note.text[0] != 0);
    feed_source_close(prepared);
    feed_source_close(plain);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(times_begin_at_zero_and_never_fall),
        TEST(behind_the_last_time_they_begin_anew),
        TEST(no_more_is_read_than_the_span_and_gaps_are_shortened),
        TEST(behind_what_was_read_nothing_is_due_before_the_files_own_next_time),
        TEST(arrivals_begin_at_the_place_that_is_named),
        TEST(a_file_without_times_or_none_at_all_is_refused),
        TEST(a_prepared_source_gives_what_the_source_would_have),
        TEST(an_error_of_the_source_comes_after_what_was_prepared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
