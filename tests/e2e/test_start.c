/* SPDX-License-Identifier: Apache-2.0 */
/* A run from its start to its end, and the command line. */
#include "tests/e2e/running_bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

/* --- a run from its start to its end */

static void without_any_flag_it_runs_the_synthetic_feed_and_says_what_happened(void **state)
{
    fixture_t *f = *state;
    const char *const argv[] = {TICKBUS_BUSCTL, "start", NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    static const char *const parts[] = {"bus 'tickbus', ran for",
                                        "messages/s\n             from synth",
                                        "books ",
                                        "orders ",
                                        "tick to order",
                                        "md ",
                                        "layout "};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_text_holds(p.out, parts[i]);
    assert_text_holds(p.err, "pages");
    assert_null(strchr(p.err, '\r')); /* progress is for terminals */
    program_clear(&p);
    assert_int_equal(files_in_run_directory(f), 0);
}

static void both_layouts_give_a_complete_summary(void **state)
{
    fixture_t *f = *state;
    static const char *const keys[] = {
        "name",   "source",    "duration_s", "feed",   "topics",    "orders", "books",
        "risk",   "executor",  "journal",    "pnl_e4", "positions", "pages",  "latency_ns",
        "layout", "processes", "stages",     "errors", "venue",     "digests"};
    static const char *const orders[] = {"sent", "accepted", "rejected", "filled", "cancelled"};
    static const char *const books[] = {"symbols", "live_orders", "unknown_order_refs",
                                        "executed_shares", "bbo_changes"};
    static const char *const ranks[] = {"p50", "p99", "p99_9", "max", "count"};
    for (int split = 0; split < 2; split++) {
        const char *layout = split ? "split" : "fused";
        char journal[128];
        snprintf(journal, sizeof journal, "%s/%s", f->runtime, layout);
        assert_int_equal(
            run(f, "start", SHORT_FEED, "--json", "--layout", layout, "--journal", journal, NULL),
            0);
        json_t *summary = final_object(f);
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (!json_object_get(summary, keys[i]))
                fail_msg("no %s", keys[i]);
        for (size_t i = 0; i < 5; i++) {
            assert_true(
                json_is_integer(json_object_get(json_object_get(summary, "orders"), orders[i])));
            assert_true(
                json_is_integer(json_object_get(json_object_get(summary, "books"), books[i])));
            const json_t *latency = json_object_get(summary, "latency_ns");
            assert_true(number(latency, "tick_to_order", ranks[i]) > 0);
            assert_true(number(latency, "tick_to_report", ranks[i]) > 0);
        }
        assert_complete(summary);
        assert_string_equal(json_string_value(json_object_get(summary, "layout")), layout);
        assert_int_equal(json_array_size(json_object_get(summary, "processes")), split ? 5 : 2);
        assert_int_equal(number(summary, "feed", "messages"), 20000);
        assert_true(number(summary, "orders", "sent") > 0);
        assert_int_equal(number(summary, "orders", "sent"),
                         number(summary, "orders", "accepted") +
                             number(summary, "orders", "rejected"));
        assert_int_equal(number(summary, "orders", "accepted"),
                         number(summary, "orders", "filled") +
                             number(summary, "orders", "cancelled"));
        const json_t *topics = json_object_get(summary, "topics");
        assert_int_equal(number(topics, "md", "published"), 20000);
        assert_int_equal(
            number(summary, "journal", "records"),
            number(topics, "md", "published") + number(topics, "bbo", "published") +
                number(topics, "orders", "published") + number(topics, "approved", "published") +
                number(topics, "judged", "published") + number(topics, "reports", "published") +
                number(topics, "events", "published"));
        json_decref(summary);
    }
}

static void the_smallest_rings_change_nothing_in_what_is_decided(void **state)
{
    fixture_t *f = *state;
    char first[200] = "";
    for (int small = 0; small < 2; small++) {
        char journal[128];
        snprintf(journal, sizeof journal, "%s/%d", f->runtime, small);
        const char *slots = small ? "64" : "16384";
        char set[5][40];
        static const char *const topics[] = {"md", "bbo", "orders", "judged", "reports"};
        for (int i = 0; i < 5; i++)
            snprintf(set[i], sizeof set[i], "topics.%s.slots=%s", topics[i], slots);
        assert_int_equal(run(f, "start", SHORT_FEED, "--json", "--layout", "fused", "--journal",
                             journal, "--set", set[0], "--set", set[1], "--set", set[2], "--set",
                             set[3], "--set", set[4], NULL),
                         0);
        json_t *summary = final_object(f);
        assert_complete(summary);
        char *decided =
            json_dumps(json_object_get(summary, "orders"), JSON_COMPACT | JSON_SORT_KEYS);
        if (small)
            assert_string_equal(decided, first);
        snprintf(first, sizeof first, "%s", decided);
        free(decided);
        json_decref(summary);
    }
}

/* Runs, and says this much and no more; "": nothing. */
static void assert_notes(fixture_t *f, const char *clock, const char *note)
{
    json_t *summary = final_object(f);
    const json_t *notes = json_object_get(summary, "notes");
    const json_t *venue = json_object_get(summary, "venue");
    assert_string_equal(json_string_value(json_object_get(venue, "clock")), clock);
    assert_int_equal(json_array_size(notes), *note != 0);
    if (*note) {
        assert_text_holds(json_string_value(json_array_get(notes, 0)), note);
        assert_text_holds(f->start.err, note);
    }
    json_decref(summary);
}

static void what_depends_on_the_host_is_said_to_by_start_and_by_replay(void **state)
{
    static const struct {
        const char *recorded;
        const char *replayed;
        const char *start_says;
        const char *replay_says;
    } table[] = {
        {"market", "market", "", ""},
        {"market", "host", "", "depend on this host"},
        {"host", "market", "depend on this host", "are not those of the session"},
        {"host", "host", "depend on this host", "depend on this host"},
    };
    fixture_t *f = *state;
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        char recorded[40], replayed[40], journal[128];
        snprintf(recorded, sizeof recorded, "venue.clock=%s", table[i].recorded);
        snprintf(replayed, sizeof replayed, "venue.clock=%s", table[i].replayed);
        snprintf(journal, sizeof journal, "%s/%u", f->runtime, i);
        assert_int_equal(run(f, "start", SHORT_FEED, "--pace", "max", "--journal", journal,
                             "--json", "--set", recorded, NULL),
                         0);
        assert_notes(f, table[i].recorded, table[i].start_says);
        assert_int_equal(
            run(f, "replay", journal, "--wait", "park", "--json", "--set", replayed, NULL), 0);
        assert_notes(f, table[i].replayed, table[i].replay_says);
    }
}

static void for_ends_a_feed_that_would_go_on(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "start", ENDLESS_FEED, "--for", "300ms", "--json", NULL), 0);
    json_t *summary = final_object(f);
    assert_complete(summary);
    assert_true(number(summary, "feed", "messages") > 0);
    assert_true(json_real_value(json_object_get(summary, "duration_s")) >= 0.3);
    json_decref(summary);
}

static void a_replay_of_a_fused_run_sends_the_same_orders(void **state)
{
    fixture_t *f = *state;
    char journal[128];
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    assert_int_equal(
        run(f, "start", SHORT_FEED, "--layout", "fused", "--json", "--journal", journal, NULL), 0);
    json_t *live = final_object(f);
    assert_int_equal(run(f, "replay", journal, "--layout", "fused", "--json", NULL), 0);
    json_t *again = final_object(f);
    assert_complete(again);
    assert_true(json_equal(json_object_get(live, "orders"), json_object_get(again, "orders")));
    assert_true(json_equal(json_object_get(live, "books"), json_object_get(again, "books")));
    assert_true(
        json_equal(json_object_get(live, "positions"), json_object_get(again, "positions")));
    json_decref(live);
    json_decref(again);
}

static char fed[SCRATCH_PATH_MAX + 16]; /* file for the child to open as */
static int fed_as;

static void open_fed(void)
{
    dup2(open(fed, O_RDONLY), fed_as);
}

static void the_feed_may_be_a_descriptor_that_we_were_started_with(void **state)
{
    static const struct {
        const char *source;
        int fd;
    } ways[] = {{"itch:/dev/stdin", 0}, {"itch:/dev/fd/0", 0}, {"itch:/dev/fd/63", 63}};
    fixture_t *f = *state;
    char journal[128];
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    snprintf(fed, sizeof fed, "%s/fed.itch", f->runtime);
    assert_int_equal(run(f, "start", SHORT_FEED, "--journal", journal, NULL), 0);
    const char *const make[] = {TICKBUS_BUSCTL, "journal", "export", journal, "--topic", "md",
                                "--format",     "itch",    "-o",     fed,     NULL};
    program_t p = {.argv = make};
    assert_int_equal(program_run(&p), 0);
    program_clear(&p);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        fed_as = ways[i].fd;
        const char *const start[] = {TICKBUS_BUSCTL, "start",  "--name", f->bus,         "--wait",
                                     "park",         "--json", "--feed", ways[i].source, NULL};
        p = (program_t){.argv = start, .in_child = open_fed};
        if (program_run(&p) != 0)
            fail_msg("%s: %s", ways[i].source, p.err);
        json_t *summary = json_loads(p.out, 0, NULL);
        assert_int_equal(number(summary, "feed", "messages"), 20000);
        json_decref(summary);
        program_clear(&p);
    }
}

static void close_standard_streams(void)
{
    for (int fd = 0; fd < 3; fd++)
        close(fd);
}

static void with_its_standard_streams_closed_it_runs_and_writes_to_nobody_elses_file(void **state)
{
    fixture_t *f = *state;
    char journal[128];
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    const char *const start[] = {TICKBUS_BUSCTL, "start", SHORT_FEED, "--name",           f->bus,
                                 "--journal",    journal, "--set",    "layout.pin=false", NULL};
    program_t p = {.argv = start, .in_child = close_standard_streams};
    assert_int_equal(program_run(&p), 1); /* for want of a place to write the summary to */
    program_clear(&p);
    const char *const info[] = {TICKBUS_BUSCTL, "journal", "info", journal, "--json", NULL};
    p = (program_t){.argv = info};
    assert_int_equal(program_run(&p), 0);
    json_t *inventory = json_loads(p.out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(inventory, "end")), "closed");
    assert_int_equal(json_integer_value(json_object_get(inventory, "schema")), 1);
    assert_int_equal(json_array_size(json_object_get(inventory, "command")), 5);
    json_t *topics = json_object_get(inventory, "topics");
    assert_int_equal(number(topics, "md", "records"), 20000);
    assert_int_equal(number(topics, "md", "type_version"), 1);
    json_t *orders = json_object_get(topics, "orders");
    assert_string_equal(json_string_value(json_object_get(orders, "type")), "order");
    assert_string_equal(json_string_value(json_object_get(orders, "ring")), "mpmc");
    json_decref(inventory);
    program_clear(&p);
}

static void a_replay_of_a_torn_journal_says_that_it_was_torn(void **state)
{
    fixture_t *f = *state;
    char journal[128], segment[160];
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    snprintf(segment, sizeof segment, "%s/00000001.tbj", journal);
    assert_int_equal(run(f, "start", SHORT_FEED, "--journal", journal, NULL), 0);
    assert_int_equal(run(f, "replay", journal, "--json", NULL), 0);
    json_t *whole = final_object(f);
    assert_int_equal(json_array_size(json_object_get(whole, "notes")), 0);
    json_decref(whole);

    struct stat is;
    assert_int_equal(stat(segment, &is), 0);
    assert_int_equal(truncate(segment, is.st_size - 3), 0);
    assert_int_equal(run(f, "replay", journal, "--json", NULL), 0);
    json_t *torn = final_object(f);
    assert_complete(torn);
    const char *note = json_string_value(json_array_get(json_object_get(torn, "notes"), 0));
    assert_non_null(note);
    assert_text_holds(note, "is torn");
    assert_text_holds(note, journal);
    json_decref(torn);
    assert_int_equal(run(f, "replay", journal, NULL), 0);
    assert_text_holds(f->start.err, "note: the journal in ");
    assert_text_holds(f->start.out, "  notes      the journal in ");
}

/* --- the command line */

static void what_cannot_be_understood_is_a_usage_error_with_a_hint(void **state)
{
    (void)state;
    static const char *const lines[][6] = {
        {NULL},
        {"strat", NULL},
        {"--nope", NULL},
        {"start", "--nope", NULL},
        {"start", "here", NULL},
        {"start", "--feed", NULL},
        {"start", "--feed", "ouch:x", NULL},
        {"start", "--pace", "fast", NULL},
        {"start", "--layout", "fuse", NULL},
        {"start", "--name", "a/b", NULL},
        {"start", "--for", "10", NULL},
        {"start", "--set", "topics.md.slots", NULL},
        {"start", "--set", "topics.md.slots=3", NULL},
        {"replay", NULL},
        {"replay", "a", "b", NULL},
        {"replay", "a", "--feed", "synth", NULL},
        {"tap", NULL},
        {"tap", "md", "--count", "0", NULL},
        {"tap", "md", "--from", "then", NULL},
        {"stop", "now", NULL},
        {"status", "--jason", NULL},
        {"halt", NULL},
        {"halt", "for", "lunch", NULL},
        {"halt", "--raison", "typed wrong", NULL},
        {"resume", NULL},
        {"resume", "--reason", "", NULL},
        {"resume", "--reason", "two\nlines", NULL},
        {"resume", "--reason", "\xff", NULL},
        {"config", NULL},
        {"config", "show", "x", NULL},
        {"config", "check", NULL},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *argv[8] = {TICKBUS_BUSCTL};
        for (size_t k = 0; lines[i][k]; k++)
            argv[k + 1] = lines[i][k];
        program_t p = {.argv = argv};
        if (program_run(&p) != 2)
            fail_msg("busctl %s %s: %d %s", argv[1], argv[1] ? argv[2] : "", p.exit_code, p.err);
        assert_text_holds(p.err, "--help");
        const char *first_end = strchr(p.err, '\n'); /* what is wrong, and where help is */
        assert_true(first_end && strchr(first_end + 1, '\n') == p.err + strlen(p.err) - 1);
        assert_string_equal(p.out, "");
        program_clear(&p);
    }
}

static void every_verb_has_help_with_an_example(void **state)
{
    (void)state;
    static const char *const verbs[] = {"start", "replay",  "stop",   "status", "halt", "resume",
                                        "tap",   "journal", "config", "ipc",    NULL};
    for (size_t i = 0; verbs[i]; i++) {
        const char *const argv[] = {TICKBUS_BUSCTL, verbs[i], "--help", NULL};
        program_t p = {.argv = argv};
        assert_int_equal(program_run(&p), 0);
        assert_text_holds(p.out, "example: busctl ");
        if (strcmp(verbs[i], "replay") == 0) /* it takes no made up feed, nor the pace of one */
            assert_null(strstr(p.out, "synth"));
        assert_string_equal(p.err, "");
        program_clear(&p);
    }
    const char *const help[] = {TICKBUS_BUSCTL, "--help", NULL};
    program_t p = {.argv = help};
    assert_int_equal(program_run(&p), 0);
    for (size_t i = 0; verbs[i]; i++)
        assert_text_holds(p.out, verbs[i]);
    program_clear(&p);
    const char *const version[] = {TICKBUS_BUSCTL, "--version", NULL};
    p = (program_t){.argv = version};
    assert_int_equal(program_run(&p), 0);
    assert_text_holds(p.out, "tickbus");
    program_clear(&p);
}

static void the_configuration_shown_can_be_run(void **state)
{
    fixture_t *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/tickbus.yaml", f->runtime);
    const char *const show[] = {TICKBUS_BUSCTL, "config", "show", SHORT_FEED,
                                "--name",       f->bus,   NULL};
    program_t p = {.argv = show};
    assert_int_equal(program_run(&p), 0);
    assert_true(file_write(path, p.out, p.out_bytes));
    program_clear(&p);
    const char *const check[] = {TICKBUS_BUSCTL, "config", "check", path, NULL};
    p = (program_t){.argv = check};
    assert_int_equal(program_run(&p), 0);
    program_clear(&p);
    const char *const start[] = {TICKBUS_BUSCTL, "start", "-c", path, "--json", NULL};
    p = (program_t){.argv = start};
    assert_int_equal(program_run(&p), 0);
    json_t *summary = json_loads(p.out, 0, NULL);
    assert_int_equal(number(summary, "feed", "messages"), 20000);
    assert_string_equal(json_string_value(json_object_get(summary, "name")), f->bus);
    json_decref(summary);
    program_clear(&p);

    const char *const show_json[] = {TICKBUS_BUSCTL, "config", "show", "--json", "-c", path, NULL};
    p = (program_t){.argv = show_json};
    assert_int_equal(program_run(&p), 0);
    json_t *shown = json_loads(p.out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json_object_get(shown, "bus"), "name")),
                        f->bus);
    json_decref(shown);
    program_clear(&p);

    assert_true(file_write(path, "bus:\n  name: 5 5\n", 17));
    p = (program_t){.argv = start};
    assert_int_equal(program_run(&p), 1);
    assert_text_holds(p.err, "tickbus.yaml:2:9: bus.name is '5 5'");
    program_clear(&p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_any_flag_it_runs_the_synthetic_feed_and_says_what_happened),
        TEST(both_layouts_give_a_complete_summary),
        TEST(the_smallest_rings_change_nothing_in_what_is_decided),
        TEST(what_depends_on_the_host_is_said_to_by_start_and_by_replay),
        TEST(for_ends_a_feed_that_would_go_on),
        TEST(a_replay_of_a_fused_run_sends_the_same_orders),
        TEST(a_replay_of_a_torn_journal_says_that_it_was_torn),
        TEST(the_feed_may_be_a_descriptor_that_we_were_started_with),
        TEST(with_its_standard_streams_closed_it_runs_and_writes_to_nobody_elses_file),
        TEST(what_cannot_be_understood_is_a_usage_error_with_a_hint),
        TEST(every_verb_has_help_with_an_example),
        TEST(the_configuration_shown_can_be_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
