/* SPDX-License-Identifier: Apache-2.0 */
/* bbo is left out of a run until somebody can read it, and nothing else of the run changes. */
#include "tests/e2e/running_bus.h"

#include <signal.h>
#include <string.h>

#include <tickbus/tickbus.h>
#include <tickbus/msg/bbo.h>

/* Few enough for the ring of bbo to keep all of it. */
#define SMALL_FEED "--feed", "synth:seed=3,messages=5000", "--wait", "park"
/* Slow enough for the ring to keep all of it for longer than a test may take. */
#define SLOW_FEED                                                                                  \
    "--feed", "synth:seed=3,messages=100000000", "--pace", "2000/s", "--wait", "park", "--set",    \
        "topics.bbo.slots=262144"

static uint64_t published(const json_t *summary)
{
    return number(json_object_get(summary, "topics"), "bbo", "published");
}

static bool is_left_out(const json_t *summary)
{
    const json_t *bbo = json_object_get(json_object_get(summary, "topics"), "bbo");
    const json_t *left_out = json_object_get(bbo, "left_out");
    assert_true(json_is_boolean(left_out));
    return json_is_true(left_out);
}

static void assert_left_out(const json_t *summary)
{
    assert_complete(summary);
    assert_true(is_left_out(summary));
    assert_int_equal(published(summary), 0);
}

static void assert_all_there(const json_t *summary)
{
    assert_complete(summary);
    assert_false(is_left_out(summary));
    assert_true(published(summary) > 0);
    assert_int_equal(published(summary), number(summary, "books", "bbo_changes"));
}

/* The digests of a run, and of `bbo` that it is one of something. To be json_decref'ed. */
static json_t *digests(const json_t *summary)
{
    json_t *all = json_object_get(summary, "digests");
    assert_string_not_equal(json_string_value(json_object_get(all, "bbo")), "0000000000000000");
    return json_incref(all);
}

/* A recorded run of the small feed, in a directory of the fixture: *out_journal. Its summary is to
 * be json_decref'ed. */
static json_t *record(fixture_t *f, char *out_journal, size_t bytes)
{
    snprintf(out_journal, bytes, "%s/journal", f->runtime);
    assert_int_equal(run(f, "start", SMALL_FEED, "--json", "--journal", out_journal, NULL), 0);
    json_t *summary = final_object(f);
    program_clear(&f->start);
    return summary;
}

static void a_run_that_nobody_reads_decides_what_a_recorded_one_does(void **state)
{
    fixture_t *f = *state;
    char journal[128];
    json_t *summary = record(f, journal, sizeof journal);
    assert_all_there(summary);
    json_t *recorded = digests(summary);
    json_decref(summary);
    for (int way = 0; way < 3; way++) {
        if (way == 2) /* the recording, put back on rings that nobody reads */
            assert_int_equal(
                run(f, "replay", journal, "--pace", "max", "--wait", "park", "--json", NULL), 0);
        else
            assert_int_equal(
                run(f, "start", SMALL_FEED, "--json", "--layout", way ? "split" : "fused", NULL),
                0);
        summary = final_object(f);
        assert_left_out(summary);
        json_t *left_out = digests(summary);
        assert_true(json_equal(left_out, recorded));
        json_decref(left_out);
        json_decref(summary);
        program_clear(&f->start);
    }
    json_decref(recorded);
    assert_int_equal(run(f, "start", SMALL_FEED, NULL), 0); /* and says so in words */
    assert_text_holds(f->start.out, "nobody: left out");
}

static void a_recording_is_repeated_with_its_bbo(void **state)
{
    fixture_t *f = *state;
    char journal[128];
    json_t *summary = record(f, journal, sizeof journal);
    char compared[64];
    snprintf(compared, sizeof compared, "\"bbo\": %u", (unsigned)published(summary));
    json_decref(summary);
    const char *const argv[] = {TICKBUS_BUSCTL, "replay", journal, "--verify", "--json", NULL};
    program_t verify = {.argv = argv};
    assert_int_equal(program_run(&verify), 0);
    assert_text_holds(verify.out, compared);
    program_clear(&verify);
}

/* Numbered from 1, without a hole. */
static void expect_first_lines(const fixture_t *f, unsigned count)
{
    char wanted[16];
    unsigned lines = 0;
    snprintf(wanted, sizeof wanted, "%u", count);
    const char *const argv[] = {TICKBUS_BUSCTL, "tap",     "bbo",  "--name", f->bus, "--from",
                                "oldest",       "--count", wanted, "--json", NULL};
    program_t tap = {.argv = argv};
    assert_int_equal(program_run(&tap), 0);
    assert_string_equal(tap.err, "");
    for (char *line = strtok(tap.out, "\n"); line; line = strtok(NULL, "\n")) {
        json_t *message = json_loads(line, 0, NULL);
        assert_int_equal(json_integer_value(json_object_get(message, "seq")), ++lines);
        assert_true(json_integer_value(json_object_get(message, "md_seq")) > 0);
        json_decref(message);
    }
    assert_int_equal(lines, count);
    program_clear(&tap);
}

/* To ask for `status` opens nothing: the bus has been asked since it began. */
static void a_tap_has_the_changes_from_when_it_came(void **state)
{
    fixture_t *f = *state;
    json_t *summary = begin(f, 500, SLOW_FEED, "--json", NULL);
    assert_true(is_left_out(summary));
    assert_int_equal(published(summary), 0);
    json_decref(summary);
    expect_first_lines(f, 20);
    summary = ask(f, "status", NULL);
    assert_false(is_left_out(summary));
    assert_true(published(summary) >= 20);
    json_decref(summary);
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
    summary = final_object(f);
    assert_complete(summary);
    assert_true(published(summary) < number(summary, "books", "bbo_changes"));
    json_decref(summary);
}

static void a_program_that_opens_the_bus_has_the_changes_from_when_it_came(void **state)
{
    fixture_t *f = *state;
    tbus_bus_t bus;
    tbus_observer_t bbo;
    _Alignas(8) unsigned char message[64];
    size_t bytes;
    uint64_t seq, lost;
    json_decref(begin(f, 500, SLOW_FEED, "--json", NULL));
    assert_int_equal(tbus_bus_open(f->bus, "onlooker", 0, &bus, NULL), 0);
    assert_int_equal(tbus_bus_observer(&bus, "bbo", TBUS_FROM_OLDEST, &bbo, NULL), 0);
    for (uint64_t i = 1; i <= 20; i++) {
        assert_int_equal(tbus_observe_wait(&bus, &bbo, message, &bytes, &seq, &lost, TBUS_FOREVER),
                         TBUS_TAKEN);
        assert_int_equal(bytes, sizeof(bbo_t));
        assert_int_equal(seq, i);
    }
    tbus_bus_close(&bus);
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
    json_t *summary = final_object(f);
    assert_complete(summary);
    assert_true(published(summary) < number(summary, "books", "bbo_changes"));
    json_decref(summary);
}

static void a_run_that_is_held_keeps_all_for_those_who_come_when_it_has_ended(void **state)
{
    fixture_t *f = *state;
    launch(f, SMALL_FEED, "--hold", "--json", NULL);
    json_t *summary = wait_in_state(f, "holding", 0);
    assert_false(is_left_out(summary));
    unsigned count = (unsigned)published(summary);
    json_decref(summary);
    assert_true(count > 0);
    expect_first_lines(f, count);
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
    summary = final_object(f);
    assert_all_there(summary);
    json_decref(summary);
}

static void a_place_that_is_let_to_others_has_all_from_the_start(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(
        run(f, "start", SMALL_FEED, "--json", "--set", "topics.bbo.gate=everybody", NULL), 0);
    json_t *summary = final_object(f);
    assert_all_there(summary);
    json_decref(summary);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_run_that_nobody_reads_decides_what_a_recorded_one_does),
        TEST(a_recording_is_repeated_with_its_bbo),
        TEST(a_tap_has_the_changes_from_when_it_came),
        TEST(a_program_that_opens_the_bus_has_the_changes_from_when_it_came),
        TEST(a_run_that_is_held_keeps_all_for_those_who_come_when_it_has_ended),
        TEST(a_place_that_is_let_to_others_has_all_from_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
