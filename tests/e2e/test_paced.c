/* SPDX-License-Identifier: Apache-2.0 */
/* When a paced feed puts its messages out, judged by the times for which they were intended: over
 * midnight, with a journal's two clocks, from a time to a time, and in a gap. */
#include "tests/e2e/running_bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS   UINT64_C(1000000)
#define S    (1000 * MS)
#define HOUR (3600 * S)

#define MESSAGES_MAX 32

/* A BinaryFILE of system events at the given times. */
static void write_events(const char *path, const uint64_t *times_ns, size_t count)
{
    uint8_t bytes[MESSAGES_MAX * 14] = {0};
    for (size_t i = 0; i < count; i++) {
        uint8_t *frame = bytes + i * 14;
        frame[1] = 12;
        frame[2] = 'S';
        for (unsigned k = 0; k < 6; k++)
            frame[7 + k] = (uint8_t)(times_ns[i] >> (40 - 8 * k));
        frame[13] = 'Q';
    }
    assert_true(file_write(path, bytes, count * 14));
}

/* For when the messages of md in this journal were intended, since the first. */
static size_t read_intended(const char *journal, uint64_t out_ns[MESSAGES_MAX])
{
    const char *const argv[] = {TICKBUS_BUSCTL, "journal",  "export", journal, "--topic",
                                "md",           "--format", "jsonl",  NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    size_t count = 0;
    uint64_t first_ns = 0;
    for (char *rest = p.out, *line; (line = strsep(&rest, "\n")) != NULL && *line;) {
        json_t *message = json_loads(line, 0, NULL);
        uint64_t ns = (uint64_t)json_integer_value(json_object_get(message, "intended_ns"));
        json_decref(message);
        assert_true(count < MESSAGES_MAX);
        first_ns = count ? first_ns : ns;
        out_ns[count++] = ns - first_ns;
    }
    program_clear(&p);
    return count;
}

typedef struct session {
    fixture_t *f;
    char input[SCRATCH_PATH_MAX + 32];
    char feed[SCRATCH_PATH_MAX + 40];
    char journal[SCRATCH_PATH_MAX + 32];
    char again[SCRATCH_PATH_MAX + 32]; /* of a replay */
} session_t;

static session_t make_session(fixture_t *f, const uint64_t *times_ns, size_t count)
{
    session_t s = {.f = f};
    snprintf(s.input, sizeof s.input, "%s/input.itch", f->runtime);
    snprintf(s.feed, sizeof s.feed, "itch:%s", s.input);
    snprintf(s.journal, sizeof s.journal, "%s/journal", f->runtime);
    snprintf(s.again, sizeof s.again, "%s/again", f->runtime);
    write_events(s.input, times_ns, count);
    return s;
}

#define QUIETLY "--pages", "small", "--wait", "park", "--layout", "fused"

static void assert_apart(const uint64_t *intended_ns, size_t i, uint64_t ns)
{
    if (intended_ns[i] != ns)
        fail_msg("message %zu: %llu ns after the first instead of %llu", i,
                 (unsigned long long)intended_ns[i], (unsigned long long)ns);
}

static void messages_on_both_sides_of_midnight_keep_their_distances(void **state)
{
    fixture_t *f = *state;
    static const uint64_t times[] = {
        24 * HOUR - 100 * MS, 24 * HOUR - 50 * MS, 0, 50 * MS, 24 * HOUR - 1 * MS, 100 * MS};
    session_t s = make_session(f, times, 6);
    assert_int_equal(run(f, "start", "--feed", s.feed, "--pace", "realtime", QUIETLY, "--journal",
                         s.journal, NULL),
                     0);
    uint64_t at[MESSAGES_MAX];
    assert_int_equal(read_intended(s.journal, at), 6);
    assert_apart(at, 1, 50 * MS);
    assert_apart(at, 2, 100 * MS);
    assert_apart(at, 3, 150 * MS);
    assert_apart(at, 4, 150 * MS); /* late: with the one before it */
    assert_apart(at, 5, 200 * MS);
}

static void a_replay_goes_by_the_clock_of_the_market_or_as_it_was_recorded(void **state)
{
    fixture_t *f = *state;
    static const uint64_t times[] = {9 * HOUR, 9 * HOUR + 100 * MS, 9 * HOUR + 300 * MS};
    session_t s = make_session(f, times, 3);
    uint64_t at[MESSAGES_MAX];
    assert_int_equal(run(f, "start", "--feed", s.feed, QUIETLY, "--journal", s.journal, NULL), 0);
    assert_int_equal(
        run(f, "replay", s.journal, "--pace", "realtime", QUIETLY, "--journal", s.again, NULL), 0);
    assert_int_equal(read_intended(s.again, at), 3);
    assert_apart(at, 1, 100 * MS);
    assert_apart(at, 2, 300 * MS);
    char other[SCRATCH_PATH_MAX + 32];
    snprintf(other, sizeof other, "%s/other", f->runtime);
    assert_int_equal(run(f, "replay", s.journal, "--pace", "0.01x", "--clock", "recorded", QUIETLY,
                         "--journal", other, NULL),
                     0);
    assert_int_equal(read_intended(other, at), 3);
    /* They were recorded one after another, at some time of the host's. */
    assert_true(at[1] != 100 * 100 * MS && at[2] != 300 * 100 * MS);
    assert_true(at[1] <= at[2]);
}

static void from_and_to_and_skip_gaps_say_what_is_waited_for(void **state)
{
    fixture_t *f = *state;
    static const uint64_t times[] = {4 * HOUR,           8 * HOUR,
                                     10 * HOUR,          10 * HOUR + 20 * MS,
                                     14 * HOUR,          14 * HOUR + 20 * MS,
                                     15 * HOUR + 500 * S};
    session_t s = make_session(f, times, 7);
    assert_int_equal(run(f, "start", "--feed", s.feed, "--pace", "realtime", "--from", "09:30",
                         "--to", "15:00", "--skip-gaps", "50ms", QUIETLY, "--journal", s.journal,
                         "--json", NULL),
                     0);
    json_t *summary = final_object(f);
    assert_complete(summary);
    assert_int_equal(number(summary, "feed", "messages"), 6);
    json_decref(summary);
    uint64_t at[MESSAGES_MAX];
    assert_int_equal(read_intended(s.journal, at), 6);
    assert_apart(at, 3, at[2] + 20 * MS);
    assert_apart(at, 4, at[2] + 70 * MS);
    assert_apart(at, 5, at[2] + 90 * MS);
    assert_int_equal(run(f, "start", "--feed", s.feed, "--from", "9.30", NULL), 2);
    assert_text_holds(f->start.err, "HH:MM");
    assert_int_equal(run(f, "start", "--feed", s.feed, "--skip-gaps", "long", NULL), 2);
    assert_text_holds(f->start.err, "10s");
    assert_int_equal(run(f, "start", "--feed", s.feed, QUIETLY, "--from", "16:00", NULL), 0);
    assert_text_holds(f->start.err, "ended before the place that --from names");
}

static void in_a_long_gap_status_says_when_the_next_message_is_due(void **state)
{
    fixture_t *f = *state;
    static const uint64_t times[] = {4 * HOUR, 9 * HOUR + 1800 * S};
    session_t s = make_session(f, times, 2);
    json_t *summary = begin(f, 1, "--feed", s.feed, "--pace", "realtime", QUIETLY, NULL);
    while (!json_is_string(json_object_get(json_object_get(summary, "feed"), "next_at"))) {
        json_decref(summary);
        summary = wait_for(f, 1);
    }
    const json_t *feed = json_object_get(summary, "feed");
    double next_s = json_real_value(json_object_get(feed, "next_in_s"));
    assert_true(next_s > 0 && next_s <= 5.5 * 3600);
    assert_string_equal(json_string_value(json_object_get(feed, "next_at")), "09:30:00.000");
    assert_true(json_is_real(json_object_get(feed, "progress")));
    json_decref(summary);
    const char *const argv[] = {TICKBUS_BUSCTL, "status", "--name", f->bus, NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    assert_text_holds(p.out, "the next message is due in 5 h ");
    assert_text_holds(p.out, "at 09:30:00.000");
    program_clear(&p);
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(messages_on_both_sides_of_midnight_keep_their_distances),
        CASE(a_replay_goes_by_the_clock_of_the_market_or_as_it_was_recorded),
        CASE(from_and_to_and_skip_gaps_say_what_is_waited_for),
        CASE(in_a_long_gap_status_says_when_the_next_message_is_due),
    };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
