/* SPDX-License-Identifier: Apache-2.0 */
/* A feed that begins in mid-session: what comes before the place is for the books alone, and what
 * is decided behind it does not depend on how the books were made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dirent.h>
#include <stdbool.h>

#include <cmocka.h>
#include <jansson.h>

#include <tickbus/journal.h>
#include <tickbus/msg/bbo.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/tick.h>

#include "tests/support/program.h"

#define FEED     "synth:seed=5,symbols=8,messages=12000"
#define MESSAGES 12000u
#define PLACE    7000u

enum { ARGUMENTS_MAX = 48, PATH_BYTES = SCRATCH_PATH_MAX + 32 };

typedef struct fixture {
    char scratch[SCRATCH_PATH_MAX];
    char name[32];
    char whole[PATH_BYTES]; /* journals */
    char part[PATH_BYTES];
    program_t busctl;
} fixture_t;

static int setup(void **state)
{
    static fixture_t f;
    f = (fixture_t){0};
    scratch_create_runtime(f.scratch);
    snprintf(f.name, sizeof f.name, "warm-%d", (int)getpid());
    snprintf(f.whole, sizeof f.whole, "%s/whole", f.scratch);
    snprintf(f.part, sizeof f.part, "%s/part", f.scratch);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    program_clear(&f->busctl);
    return scratch_remove_runtime(f->scratch) ? -1 : 0;
}

/* A strategy that quotes all symbols, and often; and books that are made in no time. */
static const char *const eager[] = {
    "--set", "strategy.symbols_auto=8",     "--set", "strategy.requote_ns_min=20000",
    "--set", "books.orders_max=8192",       "--set", "books.levels_max=8192",
    "--set", "journal.segment_bytes=65536", NULL};

/* busctl VERB WHAT and these arguments, which end with NULL. */
static void run(fixture_t *f, const char *verb, const char *what, ...)
{
    const char *argv[ARGUMENTS_MAX] = {TICKBUS_BUSCTL, verb};
    size_t count = 2;
    va_list more;
    va_start(more, what);
    for (const char *at = what; at; at = va_arg(more, const char *)) {
        assert_true(count < ARGUMENTS_MAX - 1);
        argv[count++] = at;
    }
    va_end(more);
    argv[count] = NULL;
    program_clear(&f->busctl);
    f->busctl = (program_t){.argv = argv};
    if (program_run(&f->busctl) != 0)
        fail_msg("%s %s: exit code %d: %s", verb, what, f->busctl.exit_code, f->busctl.err);
}

/* What was decided, as text: digests, profit, counts of what became of orders. */
static char *decided(const fixture_t *f)
{
    json_t *summary = json_loads(f->busctl.out, 0, NULL);
    assert_non_null(summary);
    json_t *parts =
        json_pack("{s:O,s:O,s:O,s:O}", "digests", json_object_get(summary, "digests"), "pnl_e4",
                  json_object_get(summary, "pnl_e4"), "orders", json_object_get(summary, "orders"),
                  "positions", json_object_get(summary, "positions"));
    assert_non_null(parts);
    char *text = json_dumps(parts, JSON_SORT_KEYS);
    json_decref(parts);
    json_decref(summary);
    return text;
}

#define EAGER                                                                                      \
    eager[0], eager[1], eager[2], eager[3], eager[4], eager[5], eager[6], eager[7], eager[8],      \
        eager[9], "--json", "--name", f->name

static void expect_same(char *got, const char *wanted)
{
    assert_string_equal(got, wanted);
    free(got);
}

/* What a journal holds of md: sequences without a gap from *out_first on, those before `place` for
 * warming up; and that orders and best prices answer none of these. Returns how many orders. */
static uint64_t check_recording(const char *directory, uint64_t place, uint64_t *out_first)
{
    tbus_journal_reader_t *reader;
    tbus_journal_record_t record;
    tbus_error_t why = {0};
    uint64_t next = 0, orders = 0;
    assert_int_equal(tbus_journal_reader_open(directory, &reader, &why), 0);
    const tbus_journal_info_t *info = tbus_journal_reader_info(reader);
    *out_first = 0;
    while (tbus_journal_reader_next(reader, &record, &why) > 0) {
        const char *type = info->topics[record.topic].type;
        if (strcmp(type, "tick") == 0) {
            tick_t tick;
            memcpy(&tick, record.payload, sizeof tick);
            if (next == 0)
                *out_first = next = record.seq;
            assert_int_equal(record.seq, next++);
            assert_int_equal(tick_is_warm_up(&tick), record.seq < place);
        } else if (strcmp(type, "bbo") == 0) {
            assert_true(((const bbo_t *)record.payload)->md_seq >= place);
        } else if (strcmp(type, "order") == 0) {
            assert_true(((const order_t *)record.payload)->md_seq >= place);
            orders++;
        }
    }
    assert_int_equal(why.code, 0);
    tbus_journal_reader_close(reader);
    assert_int_equal(next, MESSAGES + 1);
    return orders;
}

static void nobody_acts_on_what_comes_before_from(void **state)
{
    fixture_t *f = *state;
    uint64_t first;
    run(f, "start", "--feed", FEED, "--pace", "max", EAGER, NULL);
    char *all = decided(f);
    run(f, "start", "--feed", FEED, "--pace", "max", "--from", "seq:7000", "--layout", "fused",
        "--journal", f->part, EAGER, NULL);
    char *wanted = decided(f);
    assert_string_not_equal(wanted, all);
    free(all);
    assert_true(check_recording(f->part, PLACE, &first) > 100);
    assert_int_equal(first, 1);
    run(f, "start", "--feed", FEED, "--pace", "max", "--from", "seq:7000", "--layout", "split",
        EAGER, NULL);
    expect_same(decided(f), wanted);
    free(wanted);
}

static void what_warmed_up_does_so_again_when_it_is_replayed(void **state)
{
    fixture_t *f = *state;
    run(f, "start", "--feed", FEED, "--pace", "max", "--from", "seq:7000", "--journal", f->part,
        EAGER, NULL);
    char *wanted = decided(f);
    static const char *const paces[] = {"max", "1000000x", "200k/s"};
    for (size_t i = 0; i < sizeof paces / sizeof *paces; i++) {
        run(f, "replay", f->part, "--pace", paces[i], EAGER, NULL);
        expect_same(decided(f), wanted);
    }
    free(wanted);
    run(f, "replay", f->part, "--verify", "--json", NULL);
    assert_non_null(strstr(f->busctl.out, "\"identical\": true"));
}

/* ---- from the middle of a journal, with and without checkpoints */

static bool has_checkpoint(const char *directory)
{
    bool found = false;
    DIR *stream = opendir(directory);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        found |= strstr(entry->d_name, ".tbb") != NULL;
    closedir(stream);
    return found;
}

static void remove_checkpoints(const char *directory)
{
    DIR *stream = opendir(directory);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (strstr(entry->d_name, ".tbb"))
            assert_int_equal(unlinkat(dirfd(stream), entry->d_name, 0), 0);
    closedir(stream);
}

static void expect_says(const fixture_t *f, const char *words)
{
    if (!strstr(f->busctl.err, words))
        fail_msg("\"%s\" does not say \"%s\"", f->busctl.err, words);
}

/* The whole session, recorded by a run in which nobody trades. */
static void record_whole(fixture_t *f)
{
    run(f, "start", "--feed", FEED, "--pace", "max", "--strategy", "null", "--journal", f->whole,
        "--set", "journal.segment_bytes=65536", "--name", f->name, NULL);
}

static void what_is_decided_from_a_place_on_is_the_same_with_and_without_checkpoints(void **state)
{
    fixture_t *f = *state;
    run(f, "start", "--feed", FEED, "--pace", "max", "--from", "seq:7000", EAGER, NULL);
    char *wanted = decided(f);
    record_whole(f);
    static const char *const ways[][4] = {{"--layout", "fused", "--pace", "max"},
                                          {"--layout", "split", "--pace", "max"},
                                          {"--layout", "split", "--pace", "100k/s"},
                                          {"--layout", "fused", "--pace", "1000000x"}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        remove_checkpoints(f->whole);
        for (unsigned again = 0; again < 2; again++) {
            run(f, "replay", f->whole, "--from", "seq:7000", ways[i][0], ways[i][1], ways[i][2],
                ways[i][3], EAGER, NULL);
            expect_says(f, again ? "made from the checkpoint" : "made from the beginning");
            expect_same(decided(f), wanted);
        }
    }
    run(f, "replay", f->whole, "--from", "seq:7000", "--symbol",
        "SYN001,SYN002,SYN003,SYN004,SYN005,SYN006,SYN007,SYN008", EAGER, NULL);
    expect_says(f, "all messages before the place go onto md");
    expect_same(decided(f), wanted); /* of all symbols that there are */
    free(wanted);
}

static void places_of_all_kinds_begin_with_the_books_that_are_there(void **state)
{
    fixture_t *f = *state;
    uint64_t first;
    record_whole(f);
    static const char *const places[] = {"seq:1", "seq:2", "seq:12000", "09:30:00.05", "-1ms"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *texts[2];
        for (unsigned again = 0; again < 2; again++) {
            run(f, "replay", f->whole, "--from", places[i], "--to", "20:30", EAGER, NULL);
            texts[again] = decided(f);
        }
        assert_string_equal(texts[0], texts[1]);
        remove_checkpoints(f->whole);
        run(f, "replay", f->whole, "--from", places[i], EAGER, NULL);
        expect_same(decided(f), texts[0]);
        free(texts[0]);
        free(texts[1]);
    }
    run(f, "replay", f->whole, "--from", "00:00", "--clock", "recorded", EAGER, NULL);
    expect_says(f, "all messages before the place go onto md");
    run(f, "replay", f->whole, "--from", "seq:7000", "--journal", f->part, EAGER, NULL);
    assert_true(check_recording(f->part, PLACE, &first) > 100);
    assert_in_range(first, PLACE - 4000, PLACE - 100);
}

static void a_replay_from_the_middle_is_a_session_like_any_other(void **state)
{
    fixture_t *f = *state;
    record_whole(f);
    run(f, "replay", f->whole, "--from", "seq:7000", "--journal", f->part, EAGER, NULL);
    char *wanted = decided(f);
    run(f, "replay", f->part, EAGER, NULL);
    expect_same(decided(f), wanted);
    run(f, "replay", f->part, "--from", "seq:7000", EAGER, NULL);
    expect_same(decided(f), wanted);
    free(wanted);
    run(f, "replay", f->part, "--verify", "--json", NULL);
    assert_non_null(strstr(f->busctl.out, "\"identical\": true"));
    run(f, "journal", "verify", f->part, NULL);
}

static void checkpoints_are_made_by_index_and_nobody_takes_them_for_anything_else(void **state)
{
    fixture_t *f = *state;
    record_whole(f);
    run(f, "journal", "verify", f->whole, NULL);
    char *before = strdup(f->busctl.out);
    assert_false(has_checkpoint(f->whole));
    run(f, "journal", "index", f->whole, NULL);
    assert_non_null(strstr(f->busctl.out, "books"));
    assert_true(has_checkpoint(f->whole));
    run(f, "journal", "verify", f->whole, NULL);
    assert_string_equal(f->busctl.out, before);
    free(before);
    run(f, "journal", "ls", f->whole, NULL);
    run(f, "journal", "info", f->whole, NULL);
    run(f, "journal", "repair", f->whole, NULL);
}

/* Segments from the front until a tenth is left; and the checkpoints that stand before them. */
static void where_the_beginning_is_gone_a_checkpoint_makes_the_books(void **state)
{
    fixture_t *f = *state;
    record_whole(f);
    run(f, "replay", f->whole, "--from", "seq:11500", EAGER, NULL);
    char *wanted = decided(f);
    run(f, "journal", "index", f->whole, NULL);
    char keep[32];
    for (unsigned kept = 16; kept >= 4; kept--) { /* until a checkpoint stands at the front */
        tbus_journal_reader_t *reader;
        char path[PATH_BYTES + 16];
        snprintf(keep, sizeof keep, "%u", kept);
        run(f, "journal", "prune", f->whole, "--keep-segments", keep, NULL);
        assert_int_equal(tbus_journal_reader_open(f->whole, &reader, NULL), 0);
        uint32_t front = tbus_journal_reader_info(reader)->first_segment;
        tbus_journal_reader_close(reader);
        snprintf(path, sizeof path, "%s/%08u.tbb", f->whole, front);
        if (front > 1 && access(path, F_OK) == 0)
            break;
    }
    run(f, "replay", f->whole, "--from", "seq:11500", EAGER, NULL);
    expect_says(f, "the checkpoint stands for it");
    expect_same(decided(f), wanted);
    run(f, "replay", f->whole, EAGER, NULL); /* all that is left */
    expect_says(f, "the checkpoint stands for it");
    remove_checkpoints(f->whole);
    run(f, "replay", f->whole, "--from", "seq:11500", EAGER, NULL);
    expect_says(f, "the books lack the orders");
    char *without = decided(f);
    assert_string_not_equal(without, wanted);
    free(without);
    free(wanted);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nobody_acts_on_what_comes_before_from),
        TEST(what_warmed_up_does_so_again_when_it_is_replayed),
        TEST(what_is_decided_from_a_place_on_is_the_same_with_and_without_checkpoints),
        TEST(places_of_all_kinds_begin_with_the_books_that_are_there),
        TEST(a_replay_from_the_middle_is_a_session_like_any_other),
        TEST(checkpoints_are_made_by_index_and_nobody_takes_them_for_anything_else),
        TEST(where_the_beginning_is_gone_a_checkpoint_makes_the_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
