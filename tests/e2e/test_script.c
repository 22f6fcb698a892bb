/* SPDX-License-Identifier: Apache-2.0 */
/* `busctl start --strategy script`: the orders of a file, and what is written about them, which
 * tests/golden/script_reports.jsonl has byte for byte (TICKBUS_GOLDEN=write writes it anew). */
#include "tests/e2e/running_bus.h"

#include "tests/support/golden.h"
#include "tests/support/itch_file.h"

#define OPEN_NS UINT64_C(34200000000000)
#define MS      UINT64_C(1000000)

/* ---- a market of one stock, TEST, by hand */

#define TEST_LOCATE 1u

static itch_file_t open_market(const fixture_t *f)
{
    char path[SCRATCH_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/market.itch", f->runtime);
    return itch_file_open(path);
}

static void put_add(itch_file_t *file, uint64_t after_ms, uint64_t ref, uint8_t side, uint32_t qty,
                    uint32_t px_e4)
{
    tick_t t = tick_add(TEST_LOCATE, ref, side, qty, px_e4);
    memcpy(t.symbol, "TEST    ", 8);
    itch_file_put(file, OPEN_NS + after_ms * MS, t);
}

static void put_delete(itch_file_t *file, uint64_t after_ms, uint64_t ref)
{
    itch_file_put(file, OPEN_NS + after_ms * MS, tick_delete(TEST_LOCATE, ref));
}

static const char script[] =
    "# one order of each fate; the market is in test_script.c\n"
    "2              B 100 10.00 day TEST bid\n"
    "               B 100 10.02 ioc TEST take       # fills at once\n"
    "               B 100 10.01 ioc TEST missed     # nothing is there\n"
    "               S 100 10.00 day NOSUCH nowhere  # no such symbol\n"
    "09:30:00.15    replace bid 200 10.01 day higher\n"
    "               cancel bid                      # comes when it has been replaced\n"
    "09:30:00.25    cancel bid                      # nothing to cancel any more\n"
    "               cancel nowhere\n"
    "09:30:00.4     sell 4000000000 10.01 day TEST large\n"
    "6              S 100 10.03 day TEST ask\n"
    "               cancel ask                      # both on their way\n"
    "09:30:00.65    B 100 9.98 day TEST left        # rests until the end\n"
    "99             B 100 9.98 day TEST never\n";

static void write_script(const fixture_t *f, const char *orders)
{
    char path[SCRATCH_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/script", f->runtime);
    assert_true(file_write(path, orders, strlen(orders)));
}

static void write_all_fates(const fixture_t *f)
{
    itch_file_t market = open_market(f);
    put_add(&market, 0, 1, 'B', 300, 100000);
    put_add(&market, 1, 2, 'S', 300, 100200);
    put_add(&market, 100, 3, 'B', 100, 99900);
    put_add(&market, 200, 4, 'S', 50, 100100);  /* reaches `higher`: a part of it */
    put_add(&market, 300, 5, 'S', 500, 100100); /* and the rest */
    put_delete(&market, 600, 3);
    put_delete(&market, 700, 1);
    itch_file_close(&market);
    write_script(f, script);
}

/* `reports`: where to, "": stderr. `setting`: one more. */
static void start_script(fixture_t *f, const char *layout, const char *reports, const char *setting)
{
    char feed[SCRATCH_PATH_MAX + 48], file[SCRATCH_PATH_MAX + 48], key[SCRATCH_PATH_MAX + 48];
    snprintf(feed, sizeof feed, "itch:%s/market.itch", f->runtime);
    snprintf(file, sizeof file, "strategy.file=%s/script", f->runtime);
    snprintf(key, sizeof key, "strategy.reports=%s", reports);
    int code =
        run(f, "start", "--json", "--layout", layout, "--wait", "park", "--feed", feed, "--pace",
            "max", "--strategy", "script", "--set", file, "--set", key, "--set", setting, NULL);
    if (code != 0)
        fail_msg("exit code %d: %s", code, f->start.err);
}

/* Run it; the reports, to be freed. */
static char *run_script(fixture_t *f, const char *layout, const char *setting, size_t *out_bytes)
{
    char reports[SCRATCH_PATH_MAX + 16];
    snprintf(reports, sizeof reports, "%s/reports", f->runtime);
    start_script(f, layout, reports, setting);
    char *text = file_read(reports, out_bytes);
    assert_non_null(text);
    return text;
}

static void assert_noted(const json_t *summary)
{
    const json_t *notes = json_object_get(summary, "notes");
    assert_int_equal(json_array_size(notes), 1);
    assert_string_equal(json_string_value(json_array_get(notes, 0)),
                        "strategy: 3 lines were not sent; 1 for a symbol that was not seen, as "
                        "'NOSUCH' in line 5; the run ended before line 14 was due");
}

static void what_became_of_each_order_is_written_in_any_layout(void **state)
{
    static const char *const layouts[] = {"fused", "split"};
    fixture_t *f = *state;
    json_t *digests = NULL;
    write_all_fates(f);
    for (unsigned i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        size_t bytes;
        char *text = run_script(f, layouts[i], "venue.clock=market", &bytes);
        golden_compare("script_reports.jsonl", text, bytes);
        free(text);
        json_t *summary = final_object(f);
        assert_noted(summary);
        assert_complete(summary);
        const json_t *now = json_object_get(summary, "digests");
        assert_int_equal(json_object_size(now), 4);
        if (!digests)
            digests = json_deep_copy(now);
        assert_true(json_equal(digests, now));
        json_decref(summary);
    }
    json_decref(digests);
}

static void without_a_file_for_them_reports_are_said_on_stderr(void **state)
{
    fixture_t *f = *state;
    write_all_fates(f);
    start_script(f, "fused", "", "venue.clock=market");
    assert_text_holds(f->start.err, "\"order\":\"take\",\"kind\":\"filled\"");
    json_decref(final_object(f)); /* stdout is one object all the same */
}

static void reports_that_cannot_be_written_are_missed_aloud(void **state)
{
    fixture_t *f = *state;
    write_all_fates(f);
    start_script(f, "fused", "/dev/full", "venue.clock=market");
    json_t *summary = final_object(f);
    const json_t *notes = json_object_get(summary, "notes");
    assert_int_equal(json_array_size(notes), 1);
    assert_text_holds(json_string_value(json_array_get(notes, 0)),
                      "reports are missing in '/dev/full': No space left on device");
    assert_int_equal(number(summary, "orders", "sent"), 7); /* what was sent is none the less */
    json_decref(summary);
}

static void an_order_beyond_those_that_may_be_open_is_not_sent(void **state)
{
    fixture_t *f = *state;
    itch_file_t market = open_market(f);
    size_t bytes;
    put_add(&market, 0, 1, 'B', 300, 100000);
    put_add(&market, 1, 2, 'S', 300, 100200);
    put_delete(&market, 2, 1);
    itch_file_close(&market);
    write_script(f, "2 B 100 10.00 day TEST a\nB 100 10.00 day TEST b\n");
    char *text = run_script(f, "fused", "strategy.open_orders_max=1", &bytes);
    assert_text_holds(text, "\"line\":1,\"order\":\"a\",\"kind\":\"accepted\"");
    assert_text_holds(text, "\"line\":2,\"order\":\"b\",\"kind\":\"not_sent\","
                            "\"reason\":\"strategy.open_orders_max orders are open\"");
    free(text);
}

/* The timer was set for so much market time from the first tick, and is due when the stamps have
 * gone back: at 09:30:06. */
static void a_time_is_waited_for_again_when_the_stamps_go_back(void **state)
{
    fixture_t *f = *state;
    itch_file_t market = open_market(f);
    size_t bytes;
    put_add(&market, 0, 1, 'B', 300, 100000);
    put_add(&market, 1, 2, 'S', 300, 100200);
    put_add(&market, 20000, 3, 'B', 100, 99900);
    put_add(&market, 5000, 4, 'B', 100, 99800);
    put_delete(&market, 7000, 4);
    put_delete(&market, 40000, 3);
    itch_file_close(&market);
    write_script(f, "09:30:21 B 100 10.00 day TEST a\n");
    char *text = run_script(f, "split", "venue.clock=market", &bytes);
    assert_text_holds(text, "{\"ts_event_ns\":34221000100000,\"md_seq\":5,\"line\":1,"
                            "\"order\":\"a\",\"kind\":\"accepted\"");
    free(text);
}

static void of_a_wrong_script_nothing_is_sent(void **state)
{
    static const char wrong[] = "1 B 100 10.00 day TEST a\n2 cancel b\n";
    static const char expected[] = "line 2, column 10: no line before this one sends an order 'b'";
    char path[SCRATCH_PATH_MAX + 16], setting[SCRATCH_PATH_MAX + 48];
    char config_path[SCRATCH_PATH_MAX + 16], config[SCRATCH_PATH_MAX + 64];
    fixture_t *f = *state;
    write_all_fates(f);
    snprintf(path, sizeof path, "%s/wrong", f->runtime);
    assert_true(file_write(path, wrong, sizeof wrong - 1));
    snprintf(setting, sizeof setting, "strategy.file=%s", path);
    assert_int_equal(run(f, "start", "--strategy", "script", "--set", setting, NULL), 2);
    assert_text_holds(f->start.err, expected);
    assert_string_equal(f->start.out, "");

    snprintf(config_path, sizeof config_path, "%s/wrong.yaml", f->runtime);
    int bytes = snprintf(config, sizeof config, "strategy:\n  name: script\n  file: %s\n", path);
    assert_true(file_write(config_path, config, (size_t)bytes));
    program_clear(&f->start);
    const char *const argv[] = {TICKBUS_BUSCTL, "config", "check", config_path, NULL};
    f->start = (program_t){.argv = argv};
    assert_int_equal(program_run(&f->start), 1);
    assert_text_holds(f->start.err, expected);
    program_clear(&f->start);
}

static void a_script_without_a_file_is_refused(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "start", "--wait", "park", "--strategy", "script", NULL), 1);
    assert_text_holds(f->start.err, "--set strategy.file=FILE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_became_of_each_order_is_written_in_any_layout, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_a_file_for_them_reports_are_said_on_stderr, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(reports_that_cannot_be_written_are_missed_aloud, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_order_beyond_those_that_may_be_open_is_not_sent, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_time_is_waited_for_again_when_the_stamps_go_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(of_a_wrong_script_nothing_is_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_script_without_a_file_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
