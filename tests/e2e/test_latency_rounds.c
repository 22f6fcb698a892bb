/* SPDX-License-Identifier: Apache-2.0 */
/* busctl latency, many runs in one command. What they find is up to the host; that they find
 * nothing in a thing and itself is not: LATENCY_AA=100 makes so many comparisons, of 8 rounds each
 * (a quarter of an hour). LATENCY_LADDER=1 climbs a ladder (half a minute). */
#include "tests/e2e/running_bus.h"

#include <dirent.h>
#include <sys/wait.h>

#include "tools/verbs.h"

#define LOAD                                                                                       \
    "--feed", "synth:seed=3,symbols=4", "--rate", "20k", "--for", "150ms", "--wait", "park",       \
        "--json"

static json_t *result_of(const fixture_t *f)
{
    json_error_t error;
    json_t *report = json_loads(f->start.out, 0, &error);
    if (!report)
        fail_msg("no JSON: %s; stderr: %s", error.text, f->start.err);
    return report;
}

static const char *string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Two rounds can tell nothing, whatever they find: so that is what is said. */
static void rounds_in_turns_are_compared_and_too_few_tell_nothing(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(
        run(f, "latency", LOAD, "--rounds", "2", "--ab", "--layout fused", "--layout split", NULL),
        0);
    json_t *verdict = result_of(f);
    assert_string_equal(string(verdict, "verdict"), "cannot_tell");
    assert_int_equal(json_integer_value(json_object_get(verdict, "rounds")), 2);
    assert_int_equal(json_integer_value(json_object_get(verdict, "rounds_min")), 8);
    const json_t *floor = json_object_get(verdict, "floor"), *side;
    const char *name;
    json_object_foreach((json_t *)floor, name, side)
        assert_int_equal(json_array_size(json_object_get(side, "slices")), 2);
    const json_t *rounds = json_object_get(verdict, "judged_rounds");
    assert_int_equal(json_array_size(json_object_get(rounds, "a")), 2);
    assert_int_equal(json_array_size(json_object_get(rounds, "b")), 2);
    assert_true(json_number_value(json_object_get(verdict, "seconds")) > 0.6);
    const json_t *untouched = json_object_get(verdict, "untouched");
    assert_string_equal(string(untouched, "verdict"), "cannot_tell");
    assert_int_equal(
        json_array_size(json_object_get(json_object_get(untouched, "judged_rounds"), "a")), 2);
    json_decref(verdict);
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

/* Else so many rounds and no more can be run, and each keeps the memory of its bus. */
static void a_run_leaves_nothing_open_in_the_process_that_makes_many(void **state)
{
    const fixture_t *f = *state;
    pid_t pid = fork();
    if (pid == 0) {
        unsigned open_after[2];
        for (unsigned run = 0; run < 2; run++) {
            const char *words[] = {"test latency", LOAD, "--floor", "none", "--name", f->bus, NULL};
            if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr) ||
                verb_latency(sizeof words / sizeof *words - 1, (char **)(uintptr_t)words) != 0)
                _exit(2);
            open_after[run] = open_descriptors();
        }
        _exit(open_after[0] == open_after[1] ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void what_is_wrong_on_one_side_is_said_and_ends_it(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "latency", LOAD, "--rounds", "2", "--ab", "", "--no-such-thing", NULL),
                     2);
    assert_non_null(strstr(f->start.err, "--no-such-thing"));
}

/* Else whoever stops a ladder waits for all its rates. A feed of 30 s is at work when the signal
 * comes. */
static void a_signal_ends_the_run_and_all_that_were_to_follow(void **state)
{
    static const char *const modes[][2] = {{"--ladder", NULL}, {"--until-ci", "0.1%"}};
    fixture_t *f = *state;
    for (size_t i = 0; i < 2; i++) {
        launch_verb(f, "latency", "--rate", "1k", "--for", "30s", "--wait", "park", "--floor",
                    "none", "--json", modes[i][0], modes[i][1], NULL);
        json_decref(wait_for(f, 1));
        assert_int_equal(kill(f->start.pid, SIGINT), 0);
        program_wait(&f->start);
        json_t *report = result_of(f);
        if (i == 0) {
            assert_int_equal(f->start.exit_code, 0);
            const json_t *ladder = json_object_get(report, "ladder");
            assert_int_equal(json_array_size(json_object_get(ladder, "rungs")), 0);
        } else {
            assert_int_equal(f->start.exit_code, 1);
            assert_non_null(strstr(f->start.err, "stopped after"));
            assert_true(json_is_true(json_object_get(report, "stopped")));
        }
        json_decref(report);
    }
}

static void rounds_that_are_stopped_end_with_those_that_were_made(void **state)
{
    fixture_t *f = *state;
    launch_verb(f, "latency", "--rate", "1k", "--for", "30s", "--wait", "park", "--floor", "none",
                "--json", "--rounds", "2", "--ab", "", "", NULL);
    json_decref(wait_for(f, 1));
    assert_int_equal(kill(f->start.pid, SIGINT), 0);
    program_wait(&f->start);
    json_t *verdict = result_of(f);
    assert_int_equal(json_integer_value(json_object_get(verdict, "rounds")), 0);
    assert_string_equal(string(verdict, "verdict"), "cannot_tell");
    json_decref(verdict);
}

/* Before the first message: what cannot be kept is not measured for minutes. */
static void a_directory_that_cannot_be_written_is_refused_before_anything_is_measured(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "latency", LOAD, "--out", "/dev/null", NULL), 1);
    assert_non_null(strstr(f->start.err, "/dev/null: Not a directory"));
    assert_string_equal(f->start.out, "");
}

/* To within all of it: one run or two, and known, or told that it is not. */
static void a_run_until_p99_is_known_says_how_well_it_is(void **state)
{
    fixture_t *f = *state;
    int code = run(f, "latency", LOAD, "--until-ci", "100%", "--max", "400ms", NULL);
    json_t *report = result_of(f);
    const json_t *until = json_object_get(report, "until_ci");
    assert_non_null(until);
    bool known = json_is_true(json_object_get(until, "known"));
    assert_int_equal(code, known ? 0 : 1);
    assert_true(known || strstr(f->start.err, "cannot be measured here"));
    json_decref(report);
}

static void a_thing_and_itself_are_hardly_ever_told_apart(void **state)
{
    fixture_t *f = *state;
    const char *text = getenv("LATENCY_AA");
    unsigned comparisons = text ? (unsigned)atoi(text) : 0, apart = 0;
    if (!comparisons)
        skip();
    for (unsigned i = 0; i < comparisons; i++) {
        assert_int_equal(run(f, "latency", "--rate", "50k", "--for", "500ms", "--json", "--rounds",
                             "8", "--ab", "", "", NULL),
                         0);
        json_t *verdict = result_of(f);
        apart += strcmp(string(verdict, "verdict"), "cannot_tell") != 0;
        json_decref(verdict);
    }
    print_message("%u of %u told apart\n", apart, comparisons);
    assert_true(apart <= (comparisons + 19) / 20);
}

static void a_ladder_finds_a_knee_and_reports_half_of_it(void **state)
{
    fixture_t *f = *state;
    if (!getenv("LATENCY_LADDER"))
        skip();
    assert_int_equal(run(f, "latency", "--ladder", "--for", "500ms", "--json", NULL), 0);
    json_t *report = result_of(f);
    const json_t *ladder = json_object_get(report, "ladder");
    double knee = json_number_value(json_object_get(ladder, "knee"));
    double target = json_number_value(json_object_get(json_object_get(report, "rate"), "target"));
    assert_true(json_array_size(json_object_get(ladder, "rungs")) > 1);
    assert_true(target > 0.49 * knee && target < 0.51 * knee);
    json_decref(report);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rounds_in_turns_are_compared_and_too_few_tell_nothing),
        TEST(a_run_leaves_nothing_open_in_the_process_that_makes_many),
        TEST(what_is_wrong_on_one_side_is_said_and_ends_it),
        TEST(a_signal_ends_the_run_and_all_that_were_to_follow),
        TEST(rounds_that_are_stopped_end_with_those_that_were_made),
        TEST(a_directory_that_cannot_be_written_is_refused_before_anything_is_measured),
        TEST(a_run_until_p99_is_known_says_how_well_it_is),
        TEST(a_thing_and_itself_are_hardly_ever_told_apart),
        TEST(a_ladder_finds_a_knee_and_reports_half_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
