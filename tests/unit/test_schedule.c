/* SPDX-License-Identifier: Apache-2.0 */
/* When the messages of a run will be wanted is known before, as the feed will want them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/program.h"
#include "tools/latency/run.h"
#include "tools/latency/schedule.h"
#include "tools/show/outcome.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static run_spec_t spec; /* large */

/* The configuration keeps the words, and cuts them. */
static const config_t *parse(char **words)
{
    static char copies[16][SCRATCH_PATH_MAX + 32];
    char *argv[17] = {0};
    int argc = 0;
    for (; words[argc]; argc++) {
        assert_true(argc < 16);
        snprintf(copies[argc], sizeof copies[argc], "%s", words[argc]);
        argv[argc] = copies[argc];
    }
    assert_int_equal(run_spec_parse(argc, argv, &spec), OUTCOME_OK);
    return &spec.start.config;
}
#define PARSE(...) parse((char *[]){"latency", __VA_ARGS__, NULL})

static uint64_t *make(const config_t *config, uint64_t span_ns, uint64_t *out_count)
{
    uint64_t *due_ns;
    tbus_error_t err = {0};
    if (schedule_make(config, span_ns, UINT64_MAX, &due_ns, out_count, &err) < 0)
        fail_msg("%s", err.text);
    return due_ns;
}

static void a_rate_is_known_to_the_message_and_so_are_bursts(void **state)
{
    (void)state;
    uint64_t count, *due_ns = make(PARSE("--rate", "1k"), 10 * MS, &count);
    assert_int_equal(count, 11);
    assert_int_equal(due_ns[0], 0);
    assert_int_equal(due_ns[10], 10 * MS);
    free(due_ns);
    due_ns = make(PARSE("--rate", "1k", "--arrival", "burst:4"), 10 * MS, &count);
    assert_int_equal(count, 12);
    assert_int_equal(due_ns[3], 0);
    assert_int_equal(due_ns[4], 4 * MS);
    free(due_ns);
    due_ns = make(PARSE("--rate", "1k", "--arrival", "poisson:5"), S, &count);
    assert_in_range(count, 900, 1100);
    free(due_ns);
}

/* ITCH messages S at these times, as itch:FILE or recorded:FILE. */
static char *file_of(const char *directory, const char *scheme, const uint64_t *times_ns, size_t n)
{
    static char text[SCRATCH_PATH_MAX + 32];
    char bytes[14 * 16] = {0};
    for (size_t i = 0; i < n; i++) {
        char *m = bytes + 14 * i;
        m[1] = 12;
        m[2] = 'S';
        for (int k = 0; k < 6; k++)
            m[7 + k] = (char)(times_ns[i] >> (40 - 8 * k));
        m[13] = 'O';
    }
    snprintf(text, sizeof text, "%s:%s/f", scheme, directory);
    assert_true(file_write(strchr(text, ':') + 1, bytes, 14 * n));
    return text;
}

static void recorded_times_come_in_laps_and_those_of_a_feed_once(void **state)
{
    (void)state;
    static const uint64_t times_ns[] = {S, S + 10 * MS, S + 40 * MS};
    char directory[SCRATCH_PATH_MAX];
    uint64_t count, *due_ns;
    scratch_create(directory);
    char *text = file_of(directory, "recorded", times_ns, 3);
    due_ns = make(PARSE("--arrival", text, "--speed", "2x"), 100 * MS, &count);
    /* 0 5 20 | 30 35 50 | 60 65 80 | 90 95 */
    assert_int_equal(count, 11);
    assert_in_range(due_ns[10], 95 * MS - 10, 95 * MS);
    free(due_ns);
    text = file_of(directory, "itch", times_ns, 3);
    due_ns = make(PARSE("--feed", text, "--speed", "2x"), 100 * MS, &count);
    assert_int_equal(count, 3);
    free(due_ns);
    scratch_remove(directory);
}

/* Three messages in 60 ms are 50 a second. */
static void recorded_arrivals_go_as_fast_as_makes_the_rate(void **state)
{
    (void)state;
    static const uint64_t times_ns[] = {S, S + 10 * MS, S + 40 * MS};
    char directory[SCRATCH_PATH_MAX];
    double factor;
    uint64_t count, *due_ns;
    scratch_create(directory);
    char *text = file_of(directory, "recorded", times_ns, 3);
    assert_int_equal(schedule_speed(text, 5000, &factor, NULL), 0);
    assert_true(fabs(factor - 100) < 1e-9);
    assert_int_equal(schedule_speed(text, 1e12, &factor, NULL), -TBUS_ECONFIG);
    due_ns = make(PARSE("--arrival", text, "--rate", "5k"), S, &count);
    assert_in_range(count, 4998, 5001);
    free(due_ns);
    scratch_remove(directory);
}

static void what_is_read_only_once_or_in_part_is_not_known(void **state)
{
    (void)state;
    uint64_t count, *due_ns = make(PARSE("--set", "feed.pace=max"), S, &count);
    assert_true(due_ns == NULL && count == 0);
    due_ns = make(PARSE("--feed", "itch:-", "--speed", "1x"), S, &count);
    assert_true(due_ns == NULL && count == 0);
    due_ns = make(PARSE("--speed", "1x", "--set", "feed.from=10:00"), S, &count);
    assert_true(due_ns == NULL && count == 0);
}

static void a_made_up_feed_lasts_as_long_as_the_run(void **state)
{
    (void)state;
    static const char *const rates[] = {"100k", "300k", "1k"};
    static const uint64_t least[] = {3000000, 9000000, 1000000};
    for (size_t i = 0; i < 3; i++) {
        PARSE("--rate", (char *)rates[i], "--for", "30s", "--set", "feed.prepare=0");
        const char *messages = strstr(config_source(&spec.start.config), "messages=");
        assert_true((messages ? strtoull(messages + 9, NULL, 10) : 1000000) >= least[i]);
        assert_true(spec.messages >= (i == 2 ? 30000 : least[i]));
    }
    PARSE("--speed", "3x", "--for", "30s", "--feed", "synth:seed=2");
    assert_string_equal(config_source(&spec.start.config), "synth:seed=2,messages=4500000");
    PARSE("--rate", "100k", "--for", "30s", "--feed", "synth:messages=5000");
    assert_string_equal(config_source(&spec.start.config), "synth:messages=5000");
    PARSE("--rate", "100k", "--for", "30s", "--feed", "journal:/nowhere");
    assert_string_equal(config_source(&spec.start.config), "journal:/nowhere");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_is_known_to_the_message_and_so_are_bursts),
        cmocka_unit_test(recorded_times_come_in_laps_and_those_of_a_feed_once),
        cmocka_unit_test(recorded_arrivals_go_as_fast_as_makes_the_rate),
        cmocka_unit_test(what_is_read_only_once_or_in_part_is_not_known),
        cmocka_unit_test(a_made_up_feed_lasts_as_long_as_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
