/* SPDX-License-Identifier: Apache-2.0 */
/* Each reason for which the state of the market, of risk or of a strategy rejects an order is told
 * by `busctl why` as it was given, and the summary has the figures under the names that programs
 * read. */
#include "tests/e2e/running_bus.h"

#include "tests/support/itch_file.h"

#include <sys/stat.h>

#define NINE_NS UINT64_C(32400000000000)
#define MS      UINT64_C(1000000)
#define BID     1000000u
#define ASK     1000200u

enum { PLAIN = 1, TEST_ISSUE = 2, RESTRICTED = 3, LIED_ABOUT = 4 }; /* locates: S1 .. S4 */

static void put(itch_file_t *m, tick_t tick)
{
    itch_file_put(m, NINE_NS + (m->count + 1) * MS, tick);
}

/* The message numbers stand in the scripts below. */
static void write_market(const fixture_t *f)
{
    char path[SCRATCH_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/market.itch", f->runtime);
    itch_file_t m = itch_file_open(path);
    put(&m, tick_system('O')); /* 1 */
    for (uint16_t s = PLAIN; s <= LIED_ABOUT; s++) {
        tick_t directory = tick_directory(s);
        directory.body[18] = s == TEST_ISSUE ? 'T' : 'P';
        put(&m, directory); /* 2 .. 5 */
    }
    for (uint16_t s = PLAIN; s <= LIED_ABOUT; s++)
        put(&m, tick_trading(s, 'T')); /* 6 .. 9 */
    put(&m, tick_system('S'));
    put(&m, tick_system('Q'));
    for (uint16_t s = PLAIN; s <= LIED_ABOUT; s++) { /* 12 .. 19 */
        put(&m, tick_add(s, 10u * s, 'B', 500, BID));
        put(&m, tick_add(s, 10u * s + 1, 'S', 500, ASK));
    }
    tick_t foreign = tick_add(LIED_ABOUT, 99, 'B', 100, BID);
    tick_name(TEST_ISSUE, foreign.symbol); /* both books are stale from here on */
    put(&m, foreign);                      /* 20 */
    tick_t restriction = tick_of('Y', RESTRICTED);
    tick_name(RESTRICTED, restriction.body);
    restriction.body[8] = '1';
    put(&m, restriction);                      /* 21 */
    for (uint64_t ref = 100; ref < 160; ref++) /* time passes */
        put(&m, tick_add(PLAIN, ref, 'B', 1, BID - 50000));
    itch_file_close(&m);
}

/* Recorded in `journal`. To be json_decref'ed: the summary. */
static json_t *record(fixture_t *f, const char *script, const char *journal, const char *setting)
{
    char file[SCRATCH_PATH_MAX + 32], key[SCRATCH_PATH_MAX + 48], feed[SCRATCH_PATH_MAX + 48];
    snprintf(file, sizeof file, "%s/script", f->runtime);
    snprintf(key, sizeof key, "strategy.file=%s", file);
    snprintf(feed, sizeof feed, "itch:%s/market.itch", f->runtime);
    assert_true(file_write(file, script, strlen(script)));
    write_market(f);
    int code = run(f, "start", "--feed", feed, "--strategy", "script", "--set", key, "--set",
                   setting, "--layout", "fused", "--wait", "park", "--pages", "small", "--journal",
                   journal, "--json", NULL);
    if (code != 0)
        fail_msg("exit code %d: %s", code, f->start.err);
    return final_object(f);
}

/* `busctl why 1/NUMBER JOURNAL`. To be json_decref'ed. */
static json_t *why(const char *journal, unsigned number)
{
    char id[16];
    snprintf(id, sizeof id, "1/%u", number);
    const char *const argv[] = {TICKBUS_BUSCTL, "why", id, journal, "--json", NULL};
    program_t p = {.argv = argv};
    if (program_run(&p) != 0)
        fail_msg("%s", p.err);
    json_t *life = json_loads(p.out, 0, NULL);
    assert_non_null(life);
    program_clear(&p);
    return life;
}

/* The first check that failed; NULL: none. */
static const json_t *failed_check(const json_t *life)
{
    size_t i;
    const json_t *check;
    json_array_foreach(json_object_get(life, "checks"), i, check)
    {
        if (json_is_false(json_object_get(check, "passed")))
            return check;
    }
    return NULL;
}

/* `reason`: NULL, it passed. */
static void expect_why(const char *journal, unsigned number, const char *reason, bool of_strategy)
{
    json_t *life = why(journal, number);
    const json_t *check = failed_check(life);
    const char *got = json_string_value(json_object_get(check, "name"));
    if (!got != !reason || (got && strcmp(got, reason) != 0))
        fail_msg("order %u: %s, not %s", number, got ? got : "passed", reason ? reason : "passed");
    const json_t *again = json_object_get(life, "recomputed");
    assert_int_equal(json_integer_value(json_object_get(again, "differ")), 0);
    if (reason) {
        const json_t *judged = json_object_get(life, "judged");
        assert_string_equal(json_string_value(json_object_get(judged, "reason")), reason);
        assert_int_equal(json_is_true(json_object_get(check, "of_strategy")), of_strategy);
    }
    json_decref(life);
}

static void expect_rejects(const json_t *summary, const char *reason, unsigned count)
{
    const json_t *rejects = json_object_get(json_object_get(summary, "risk"), "rejects");
    if (json_integer_value(json_object_get(rejects, reason)) != count)
        fail_msg("%s: %lld rejects, not %u", reason,
                 (long long)json_integer_value(json_object_get(rejects, reason)), count);
}

static void expect_integers(const json_t *of, const char *const *keys)
{
    for (; *keys; keys++)
        if (!json_is_integer(json_object_get(of, *keys)))
            fail_msg("%s is no integer", *keys);
}

/* Names that programs of others read. */
static void check_names(const json_t *summary)
{
    static const char *const pnl[] = {"gross", "fees", "net", NULL};
    static const char *const symbol[] = {"position", "realised_e4", "unrealised_e4", "mark_px_e4",
                                         "volume",   "fills_added", "fills_taken",   NULL};
    static const char *const books[] = {"malformed",
                                        "foreign_adds",
                                        "foreign_locates",
                                        "non_printable_shares",
                                        "trade_shares",
                                        "cross_shares",
                                        NULL};
    static const char *const reasons[] = {"closed",      "tick_size",  "self_match",   "short_sale",
                                          "test_symbol", "stale_book", "message_rate", "loss_limit",
                                          "reducing",    NULL};
    expect_integers(json_object_get(summary, "pnl_e4"), pnl);
    expect_integers(json_object_get(json_object_get(summary, "symbols"), "S1"), symbol);
    expect_integers(json_object_get(summary, "books"), books);
    expect_integers(json_object_get(json_object_get(summary, "risk"), "rejects"), reasons);
}

static void verify(fixture_t *f, const char *journal)
{
    assert_int_equal(run(f, "replay", "--verify", journal, NULL), 0);
}

static void path_of(const fixture_t *f, char out_path[SCRATCH_PATH_MAX + 16])
{
    snprintf(out_path, SCRATCH_PATH_MAX + 16, "%s/journal", f->runtime);
}

static void each_reason_of_the_market_is_told_as_it_was_given(void **state)
{
    fixture_t *f = *state;
    static const char *const reasons[] = {"closed",      "tick_size",  NULL,         "self_match",
                                          "test_symbol", "short_sale", "stale_book", NULL,
                                          "loss_limit",  NULL};
    static const char script[] = "9   B 100 100.00 day S1 early\n"
                                 "25  B 100 100.005 day S1 between\n"
                                 "26  B 100 100.00 day S1 bid\n"
                                 "27  S 100 100.00 day S1 self\n"
                                 "28  B 100 100.00 day S2 test\n"
                                 "29  S 100 100.00 day S3 short\n"
                                 "30  B 100 100.00 day S4 stale\n"
                                 "31  B 100 100.02 ioc S1 take\n"
                                 "40  B 100 100.00 day S1 lost\n"
                                 "41  S 100 100.01 day S1 close\n";
    char journal[SCRATCH_PATH_MAX + 16];
    path_of(f, journal);
    json_t *summary = record(f, script, journal, "risk.loss_max_e4=1");
    check_names(summary);
    for (unsigned i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        expect_why(journal, i + 1, reasons[i], false);
        if (reasons[i])
            expect_rejects(summary, reasons[i], 1);
    }
    assert_int_equal(number(summary, "books", "foreign_adds"), 1);
    json_decref(summary);
    const char *const argv[] = {TICKBUS_BUSCTL, "why", "1/10", journal, NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    assert_text_holds(p.out, " closes\n"); /* it passes the loss limit for that alone */
    assert_null(strstr(p.out, "must be"));
    program_clear(&p);
    verify(f, journal);
}

static void a_rate_of_messages_is_told(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 16];
    path_of(f, journal);
    json_t *summary = record(f, "26  B 100 100.00 day S1 one\n27  B 100 99.99 day S1 two\n",
                             journal, "risk.messages_per_second=1");
    expect_why(journal, 1, NULL, false);
    expect_why(journal, 2, "message_rate", false);
    expect_rejects(summary, "message_rate", 1);
    json_decref(summary);
    verify(f, journal);
}

static void a_limit_of_the_strategy_alone_is_told_as_its_own(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 16];
    path_of(f, journal);
    json_t *summary = record(f, "26  B 50 100.00 day S1 one\n27  B 51 99.99 day S1 two\n", journal,
                             "strategy.limits.max_order_qty=50");
    expect_why(journal, 1, NULL, false);
    expect_why(journal, 2, "max_order_qty", true);
    expect_rejects(summary, "max_order_qty", 1);
    json_decref(summary);
    const char *const argv[] = {TICKBUS_BUSCTL, "why", "1/2", journal, NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    assert_text_holds(p.out, " (own) REJECTS\n");
    program_clear(&p);
    verify(f, journal);
}

static void that_positions_may_only_be_closed_is_told(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 16], file[SCRATCH_PATH_MAX + 48];
    path_of(f, journal);
    snprintf(file, sizeof file, "%s/tickbus", f->runtime);
    mkdir(file, 0700);
    snprintf(file, sizeof file, "%s/tickbus/%s.reduce", f->runtime, f->bus);
    assert_true(file_write(file, "no new risk\n", 12));
    json_t *summary = record(f, "26  B 100 100.00 day S1 one\n", journal, "risk.position_max=1000");
    expect_why(journal, 1, "reducing", false);
    expect_rejects(summary, "reducing", 1);
    json_decref(summary);
    verify(f, journal);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_reason_of_the_market_is_told_as_it_was_given),
        TEST(a_rate_of_messages_is_told),
        TEST(a_limit_of_the_strategy_alone_is_told_as_its_own),
        TEST(that_positions_may_only_be_closed_is_told),
    };
    return cmocka_run_group_tests_name("why_reasons", tests, NULL, NULL);
}
