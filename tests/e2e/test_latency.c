/* SPDX-License-Identifier: Apache-2.0 */
/* busctl latency: what it says of a run hangs together, whatever the host had it take. */
#include "tests/e2e/running_bus.h"

#include <signal.h>

#define LATENCY                                                                                    \
    "--feed", "synth:seed=3,symbols=4", "--rate", "20k", "--for", "200ms", "--wait", "park",       \
        "--json"

static json_t *result_of(const fixture_t *f)
{
    json_error_t error;
    json_t *report = json_loads(f->start.out, 0, &error);
    if (!report)
        fail_msg("no JSON: %s; stderr: %s", error.text, f->start.err);
    return report;
}

static int64_t integer(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

static const json_t *hop_of(const json_t *report, const char *name)
{
    size_t i;
    const json_t *hop;
    json_array_foreach(json_object_get(report, "hops"), i,
                       hop) if (strcmp(json_string_value(json_object_get(hop, "name")), name) ==
                                0) return hop;
    fail_msg("no hop %s", name);
    return NULL;
}

static const char *const path[] = {"publish", "seen", "decide", "risk", "execute", "report"};

static void every_message_is_measured_and_percentiles_rise(void **state)
{
    static const char *const keys[] = {"p50", "p90", "p99", "p99_9", "p99_99", "max"};
    fixture_t *f = *state;
    assert_int_equal(run(f, "latency", LATENCY, NULL), 0);
    json_t *report = result_of(f);
    int64_t messages = (int64_t)number(json_object_get(report, "summary"), "feed", "messages");
    assert_true(messages > 0);
    assert_int_equal(integer(hop_of(report, "publish"), "count"), messages);
    assert_int_equal(integer(hop_of(report, "seen"), "count"), messages);
    assert_int_equal(integer(hop_of(report, "tick_to_seen"), "count"), messages);
    int64_t answered = integer(hop_of(report, "tick_to_report"), "count");
    assert_true(answered > 0);
    for (size_t i = 2; i < 6; i++)
        assert_int_equal(integer(hop_of(report, path[i]), "count"), answered);
    for (size_t i = 0; i < 6; i++)
        for (size_t k = 1; k < sizeof keys / sizeof *keys; k++) {
            const json_t *hop = hop_of(report, path[i]);
            if (!json_is_null(json_object_get(hop, keys[k])))
                assert_true(integer(hop, keys[k - 1]) <= integer(hop, keys[k]));
        }
    json_decref(report);
}

/* Memory is taken before the schedule begins. (Sanitizers' allocators do not count.) */
static void no_stage_allocates_while_it_is_measured(void **state)
{
    fixture_t *f = *state;
    size_t i;
    const json_t *stage;
    assert_int_equal(run(f, "latency", LATENCY, "--floor", "none", NULL), 0);
    json_t *report = result_of(f);
    const json_t *stages = json_object_get(json_object_get(report, "summary"), "stages");
    assert_true(json_array_size(stages) >= 4);
    json_array_foreach(stages, i, stage) assert_int_equal(integer(stage, "hot_allocations"), 0);
    json_decref(report);
}

static void hops_of_the_worst_messages_and_means_add_up(void **state)
{
    fixture_t *f = *state;
    size_t i;
    const json_t *message;
    double means = 0;
    assert_int_equal(run(f, "latency", LATENCY, NULL), 0);
    json_t *report = result_of(f);
    assert_true(json_array_size(json_object_get(report, "worst")) > 0);
    json_array_foreach(json_object_get(report, "worst"), i, message)
    {
        int64_t sum = 0;
        for (size_t k = 0; k < 6; k++)
            sum += integer(message, path[k]);
        assert_int_equal(sum, integer(message, "total"));
    }
    for (size_t k = 0; k < 6; k++)
        means += json_number_value(json_object_get(hop_of(report, path[k]), "mean_answered"));
    double total = json_number_value(json_object_get(hop_of(report, "tick_to_report"), "mean"));
    assert_true(means > total * (1 - 1e-9) && means < total * (1 + 1e-9));
    json_decref(report);
}

/* No pipeline takes ten million a second: the first line says so, and --strict fails. */
static void a_run_that_could_not_keep_up_says_so_first(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(
        run(f, "latency", "--rate", "100M", "--for", "50ms", "--wait", "park", "--strict", NULL),
        1);
    assert_memory_equal(f->start.out, "DID NOT KEEP UP", 15);
    assert_non_null(strstr(f->start.err, "did not keep up"));
    assert_non_null(strstr(f->start.out, "were due when the time was over and never went out"));
}

static void a_feed_that_ends_before_the_time_is_over_says_so_first(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "latency", "--feed", "synth:messages=2000", "--rate", "20k", "--for",
                         "2s", "--wait", "park", "--floor", "none", NULL),
                     0);
    const char *line_end = strchr(f->start.out, '\n');
    const char *said = strstr(f->start.out, "OF 2.0 S, WHEN THE FEED HAD NO MORE");
    assert_true(said && line_end && said < line_end);
}

static void
the_floor_is_measured_before_and_after_and_all_hops_are_told_as_its_multiples(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "latency", LATENCY, NULL), 0);
    json_t *report = result_of(f);
    const json_t *floor = json_object_get(report, "floor");
    const json_t *slices = json_object_get(floor, "slices");
    assert_int_equal(json_array_size(slices), 2);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(json_string_value(json_object_get(json_array_get(slices, i), "when")),
                            i ? "after" : "before");
    const json_t *ratios = json_object_get(floor, "ratios");
    for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
        const json_t *hop = hop_of(report, path[i]), *line = json_object_get(floor, "paced_line");
        double ratio = json_real_value(json_object_get(json_object_get(ratios, path[i]), "p50"));
        double expected = (double)integer(hop, "p50") / (double)integer(line, "p50");
        assert_true(ratio > 0.999 * expected && ratio < 1.001 * expected);
    }
    json_decref(report);
}

/* A subscriber of our own is connected to a gateway, unless told not to. */
static void the_gateway_has_figures_because_somebody_is_connected(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "latency", LATENCY, "--floor", "none", "--for", "1s", "--gateway",
                         "127.0.0.1:0", NULL),
                     0);
    json_t *report = result_of(f);
    assert_true(integer(hop_of(report, "gateway"), "count") > 0);
    json_decref(report);
    program_clear(&f->start);
    assert_int_equal(run(f, "latency", LATENCY, "--floor", "none", "--no-subscriber", "--gateway",
                         "127.0.0.1:0", NULL),
                     0);
    report = result_of(f);
    json_t *note = json_array_get(json_object_get(report, "notes"), 0);
    assert_non_null(strstr(json_string_value(note), "nobody was connected to the gateway"));
    json_decref(report);
}

/* In market time, recorded, each stage in a process of its own; and then as that was recorded. */
static void what_is_beside_the_path_is_measured_where_it_is_on(void **state)
{
    fixture_t *f = *state;
    char directory[SCRATCH_PATH_MAX], journal[SCRATCH_PATH_MAX + 8], arrival[128];
    scratch_create(directory);
    snprintf(journal, sizeof journal, "%s/j", directory);
    snprintf(arrival, sizeof arrival, "recorded:journal:%s", journal);
    int code = run(f, "latency", LATENCY, "--floor", "none", "--layout", "split", "--set",
                   "venue.clock=market", "--journal", journal, NULL);
    json_t *report = code == 0 ? result_of(f) : NULL;
    if (code == 0)
        code = run(f, "latency", "--feed", "synth:seed=4", "--arrival", arrival, "--speed", "2x",
                   "--for", "300ms", "--floor", "none", "--wait", "park", "--json", NULL);
    json_t *again = code == 0 ? result_of(f) : NULL;
    scratch_remove(directory);
    assert_int_equal(code, 0);
    int64_t messages = integer(hop_of(report, "publish"), "count");
    assert_true(messages > 0);
    assert_int_equal(integer(hop_of(report, "record"), "count"), messages);
    assert_int_equal(integer(hop_of(report, "wait_horizon"), "count"), messages);
    assert_true(integer(hop_of(report, "wait_horizon"), "max") <=
                integer(hop_of(report, "seen"), "max"));
    assert_true(integer(hop_of(again, "publish"), "count") > 0);
    assert_true(json_is_false(json_object_get(again, "feed_ended"))); /* times come in laps */
    assert_string_equal(json_string_value(json_object_get(again, "arrival")), arrival);
    json_decref(report);
    json_decref(again);
}

static void out_leaves_samples_and_the_report(void **state)
{
    fixture_t *f = *state;
    char directory[SCRATCH_PATH_MAX], name[SCRATCH_PATH_MAX + 16];
    size_t bytes;
    scratch_create(directory);
    int code = run(f, "latency", LATENCY, "--out", directory, NULL);
    snprintf(name, sizeof name, "%s/report.json", directory);
    char *report = file_read(name, &bytes);
    snprintf(name, sizeof name, "%s/samples.bin", directory);
    char *samples = file_read(name, &bytes);
    json_t *printed = result_of(f);
    bool good = code == 0 && report && samples && memcmp(samples, "tbsample", 8) == 0 &&
                json_object_get(printed, "hops");
    json_decref(printed);
    free(report);
    free(samples);
    scratch_remove(directory);
    assert_true(good);
}

/* `busctl latency --compare` with these, and no name of a bus. */
static int compare(fixture_t *f, const char *a, const char *b, const char *option)
{
    const char *const arguments[] = {TICKBUS_BUSCTL, "latency", "--compare", a, b, option, NULL};
    program_clear(&f->start);
    memcpy(f->argv, arguments, sizeof arguments);
    f->start = (program_t){.argv = f->argv};
    return program_run(&f->start);
}

/* The same directory twice: nothing differs, and a page is drawn. */
static void what_out_left_is_compared_and_drawn(void **state)
{
    fixture_t *f = *state;
    char directory[SCRATCH_PATH_MAX], name[SCRATCH_PATH_MAX + 16];
    size_t bytes, i;
    const json_t *hop;
    scratch_create(directory);
    assert_int_equal(run(f, "latency", LATENCY, "--out", directory, NULL), 0);
    snprintf(name, sizeof name, "%s/report.html", directory);
    char *page = file_read(name, &bytes);
    snprintf(name, sizeof name, "%s/percentiles.svg", directory);
    char *picture = file_read(name, &bytes);
    int code = compare(f, directory, directory, "--json");
    scratch_remove(directory);
    bool drawn = page && strstr(page, "</html>") && picture && strstr(picture, "</svg>");
    free(page);
    free(picture);
    assert_true(drawn);
    assert_int_equal(code, 0);
    json_t *verdict = result_of(f);
    assert_string_equal(json_string_value(json_object_get(verdict, "verdict")), "cannot_tell");
    json_array_foreach(json_object_get(verdict, "hops"), i, hop)
    {
        const json_t *p50 = json_object_get(hop, "p50");
        assert_string_equal(json_string_value(json_object_get(p50, "verdict")), "cannot_tell");
    }
    json_decref(verdict);
    assert_int_equal(compare(f, "/nowhere/at/all", directory, NULL), 1);
    assert_non_null(strstr(f->start.err, "/nowhere/at/all"));
    assert_int_equal(compare(f, "A", NULL, NULL), 2);
    assert_int_equal(compare(f, "A", "B", "--strict"), 2);
}

/* Else a rate is taken for a change of the code. */
static void what_two_runs_differ_in_beside_latency_is_told_when_they_are_compared(void **state)
{
    fixture_t *f = *state;
    char a[SCRATCH_PATH_MAX], b[SCRATCH_PATH_MAX];
    scratch_create(a);
    scratch_create(b);
    int code = run(f, "latency", LATENCY, "--floor", "none", "--out", a, NULL);
    if (code == 0)
        code = run(f, "latency", LATENCY, "--floor", "none", "--out", b, "--rate", "30k",
                   "--arrival", "poisson", NULL);
    if (code == 0)
        code = compare(f, a, a, "--json");
    json_t *same = code == 0 ? result_of(f) : NULL;
    if (code == 0)
        code = compare(f, a, b, "--json");
    json_t *differ = code == 0 ? result_of(f) : NULL;
    if (code == 0)
        code = compare(f, a, b, NULL);
    scratch_remove(a);
    scratch_remove(b);
    assert_int_equal(code, 0);
    assert_true(json_is_array(json_object_get(same, "differ_in")));
    assert_int_equal(json_array_size(json_object_get(same, "differ_in")), 0);
    static const char *const expected[] = {"rate", "arrivals"};
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(json_string_value(json_object_get(
                                json_array_get(json_object_get(differ, "differ_in"), i), "what")),
                            expected[i]);
    assert_non_null(strstr(f->start.out, "differ in more than their latency: rate (20000 and 3"));
    json_decref(same);
    json_decref(differ);
}

static void wrong_options_are_usage(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "latency", "--rate", "fast", NULL), 2);
    assert_non_null(strstr(f->start.err, "--rate"));
    assert_int_equal(run(f, "latency", "--rat", "5", NULL), 2);
    assert_int_equal(run(f, "latency", "extra", NULL), 2);
    assert_int_equal(run(f, "latency", "--arrival", "poisson", "--speed", "2x", NULL), 2);
    assert_non_null(strstr(f->start.err, "--arrival poisson and --speed exclude each other"));
}

/* `status` finds it by its name; a signal ends it, and what came until then is told. */
static void the_bus_is_reached_while_it_runs(void **state)
{
    fixture_t *f = *state;
    f->argv[0] = TICKBUS_BUSCTL;
    const char *const arguments[] = {"latency", "--name", f->bus, "--rate", "5k", "--for",
                                     "60s",     "--wait", "park", "--json", NULL};
    memcpy(f->argv + 1, arguments, sizeof arguments);
    f->start = (program_t){.argv = f->argv};
    assert_true(program_start(&f->start));
    json_decref(wait_for(f, 500));
    kill(f->start.pid, SIGINT);
    program_wait(&f->start);
    assert_int_equal(f->start.exit_code, 0);
    json_t *report = result_of(f);
    assert_true(integer(hop_of(report, "seen"), "count") >= 500);
    json_decref(report);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_message_is_measured_and_percentiles_rise),
        TEST(no_stage_allocates_while_it_is_measured),
        TEST(hops_of_the_worst_messages_and_means_add_up),
        TEST(a_run_that_could_not_keep_up_says_so_first),
        TEST(a_feed_that_ends_before_the_time_is_over_says_so_first),
        TEST(the_floor_is_measured_before_and_after_and_all_hops_are_told_as_its_multiples),
        TEST(the_gateway_has_figures_because_somebody_is_connected),
        TEST(what_is_beside_the_path_is_measured_where_it_is_on),
        TEST(out_leaves_samples_and_the_report),
        TEST(what_out_left_is_compared_and_drawn),
        TEST(what_two_runs_differ_in_beside_latency_is_told_when_they_are_compared),
        TEST(wrong_options_are_usage),
        TEST(the_bus_is_reached_while_it_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
