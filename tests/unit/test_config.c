/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "risk/venue/executor.h"
#include "risk/limits.h"
#include "strategy/quote.h"
#include "tools/config/config.h"
#include "tools/config/start_options.h"

static const risk_limits_t *limits_of(const config_t *config)
{
    return config_instance_values(config_instance(config, "risk"));
}

static const quote_params_t *quote_of(const config_t *config)
{
    return config_variant_values(config_instance(config, "strategy"));
}

static config_t defaults(void)
{
    config_t config;
    config_defaults(&config);
    return config;
}

/* The configuration as `config show` prints it; to be freed. */
static char *printed(const config_t *config, size_t *out_bytes)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, out_bytes);
    assert_non_null(out);
    assert_int_equal(config_print(config, out), 0);
    fclose(out);
    return text;
}

static void every_default_is_one_that_its_own_key_allows(void **state)
{
    (void)state;
    config_key_t key, found;
    size_t count = 0;
    config_t all = defaults();
    for (size_t i = 0; config_key_at(&all, i, &key); i++, count++) {
        config_t config = defaults();
        tbus_error_t err = {0};
        if (config_set(&config, key.path, key.param->fallback, &err) < 0)
            fail_msg("%s: %s", key.path, err.text);
        assert_true(config_key_find(&all, key.path, &found));
        assert_true(found.param == key.param && found.at == key.at);
        assert_true(strlen(key.param->help) > 0);
    }
    assert_true(count > 30);
}

static void the_defaults_are_those_of_the_stages(void **state)
{
    (void)state;
    config_t config = defaults();
    risk_limits_t limits;
    executor_params_t executor;
    quote_params_t params;
    tbus_params_defaults(&quote_params, &params);
    tbus_params_defaults(&risk_limits_params, &limits);
    tbus_params_defaults(&venue_limits_params, &executor.venue);
    /* one by one: there are holes between */
    assert_int_equal(limits_of(&config)->max_order_qty, limits.max_order_qty);
    assert_int_equal(limits_of(&config)->max_order_notional_e4, limits.max_order_notional_e4);
    assert_int_equal(limits_of(&config)->collar_bps, limits.collar_bps);
    assert_int_equal(limits_of(&config)->collar_e4, limits.collar_e4);
    assert_int_equal(limits_of(&config)->position_max, limits.position_max);
    assert_int_equal(limits_of(&config)->gross_notional_max_e4, limits.gross_notional_max_e4);
    assert_int_equal(limits_of(&config)->orders_per_second, limits.orders_per_second);
    assert_int_equal(limits_of(&config)->open_orders_max, limits.open_orders_max);
    assert_memory_equal(config_instance_values(config_instance(&config, "executor")),
                        &executor.venue, sizeof executor.venue);
    assert_int_equal(quote_of(&config)->order_qty, params.order_qty);
    assert_int_equal(quote_of(&config)->position_max, params.position_max);
    assert_int_equal(quote_of(&config)->requote_ns_min, params.requote_ns_min);
    assert_int_equal(quote_of(&config)->symbols_auto, params.symbols_auto);
    assert_int_equal(quote_of(&config)->symbols_count, 0);
    assert_int_equal(risk_limits_check(limits_of(&config), NULL), 0);
}

static void what_is_printed_is_read_back_to_the_same(void **state)
{
    (void)state;
    static const char *const settings[][2] = {
        {"bus.name", "a.b-c_9"},       {"bus.pages", "small"},
        {"bus.numa_node", "0"},        {"layout.mode", "fused"},
        {"layout.wait", "yield"},      {"layout.pin", "false"},
        {"layout.cpus", "3,1,2"},      {"feed.source", "itch:/tmp/a \"b\"\\c#d: {e}\t"},
        {"feed.pace", "2.5x"},         {"strategy.symbols", "AAPL,BRK.A"},
        {"journal.directory", "/x y"}, {"topics.reports.slots", "65536"},
        {"venue.clock", "host"},       {"venue.latency.entry", "uniform(20us,80us)"},
        {"venue.seed", "0"},           {"venue.latency.response", "1ns"},
        {"risk.collar_bps", "0"},      {"risk.gross_notional_max_e4", "9223372036854775807"},
    };
    config_t config = defaults();
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        assert_int_equal(config_set(&config, settings[i][0], settings[i][1], NULL), 0);
    size_t bytes, again_bytes;
    char *text = printed(&config, &bytes);
    config_t read = defaults();
    tbus_error_t err = {0};
    if (config_read_text(&read, "shown", text, bytes, &err) < 0)
        fail_msg("%s", err.text);
    char *again = printed(&read, &again_bytes);
    assert_string_equal(text, again);
    assert_memory_equal(&config, &read, sizeof config);
    assert_int_equal(read.layout.cpus_count, 3);
    assert_int_equal(read.layout.cpus[0], 3);
    assert_string_equal(quote_of(&read)->symbols[1], "BRK.A");
    assert_string_equal(config_source(&read), "itch:/tmp/a \"b\"\\c#d: {e}\t");
    free(text);
    free(again);
}

static void a_file_overrides_only_what_it_names(void **state)
{
    (void)state;
    static const char text[] =
        "topics:\n  md: {slots: 1_024}\nstrategy:\n  symbols:\n    - AAPL\n    - MSFT\nrisk:\n";
    config_t config = defaults();
    config_t expected = config;
    assert_int_equal(config_set(&expected, "topics.md.slots", "1024", NULL), 0);
    assert_int_equal(config_set(&expected, "strategy.symbols", "AAPL,MSFT", NULL), 0);
    assert_int_equal(config_read_text(&config, "t", text, strlen(text), NULL), 0);
    assert_memory_equal(&config, &expected, sizeof config);
    assert_int_equal(config_read_text(&config, "t", "", 0, NULL), 0);
    assert_int_equal(config_read_text(&config, "t", "# nothing\n", 10, NULL), 0);
    assert_memory_equal(&config, &expected, sizeof config);
}

static void a_list_in_a_file_replaces_the_one_before(void **state)
{
    (void)state;
    config_t config = defaults();
    assert_int_equal(config_set(&config, "strategy.symbols", "A,B,C", NULL), 0);
    assert_int_equal(config_read_text(&config, "t", "strategy: {symbols: [D]}", 24, NULL), 0);
    assert_int_equal(quote_of(&config)->symbols_count, 1);
    assert_string_equal(quote_of(&config)->symbols[0], "D");
    assert_int_equal(config_set(&config, "strategy.symbols", "", NULL), 0);
    assert_int_equal(quote_of(&config)->symbols_count, 0);
}

static void further_stages_are_listed_with_their_kind_and_its_keys(void **state)
{
    (void)state;
    static const char text[] = "stages:\n  second:\n    order_qty: 7\n    kind: strategy\n"
                               "  third: {kind: strategy, name: 'null'}\n";
    config_t config = defaults();
    tbus_error_t err = {0};
    if (config_read_text(&config, "f", text, strlen(text), &err) < 0)
        fail_msg("%s", err.text);
    config_stage_t stages[TBUS_INSTANCES_MAX];
    assert_int_equal(config_stages(&config, stages), 6); /* nothing is recorded */
    static const struct {
        const char *name;
        uint32_t number;
    } expected[] = {{"feed", 1},  {"strategy", 1}, {"second", 2},
                    {"third", 3}, {"risk", 1},     {"executor", 1}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_string_equal(stages[i].instance->name, expected[i].name);
        assert_int_equal(stages[i].number, expected[i].number);
    }
    const quote_params_t *second = config_variant_values(config_instance(&config, "second"));
    assert_int_equal(second->order_qty, 7);
    assert_int_equal(quote_of(&config)->order_qty, 100);
    assert_int_equal(config_set(&config, "stages.second.order_qty", "8", &err), 0);
    assert_int_equal(second->order_qty, 8);
    size_t bytes, again_bytes;
    char *shown = printed(&config, &bytes);
    config_t read = defaults();
    if (config_read_text(&read, "shown", shown, bytes, &err) < 0)
        fail_msg("%s", err.text);
    char *again = printed(&read, &again_bytes);
    assert_string_equal(shown, again);
    free(shown);
    free(again);
}

static void parameters_of_a_strategy_that_is_not_chosen_are_kept_for_when_it_is(void **state)
{
    (void)state;
    config_t config = defaults();
    assert_int_equal(config_set(&config, "strategy.name", "null", NULL), 0);
    assert_int_equal(config_set(&config, "strategy.order_qty", "3", NULL), 0);
    assert_int_equal(config_set(&config, "strategy.name", "quote", NULL), 0);
    assert_int_equal(quote_of(&config)->order_qty, 3);
}

static void a_stage_that_cannot_be_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *holds;
    } wrong[] = {
        {"stages.x.kind", "quote", "there is no such kind of stage; there are: feed, strategy"},
        {"stages.x.order_qty", "1", "say first which kind that stage is"},
        {"stages.risk.kind", "strategy", "is there already"},
        {"stages.second.kind", "risk", "1 of the kind 'risk' at most"},
        {"stages.a b.kind", "strategy", "letters, digits"},
        {"stages..kind", "strategy", "letters, digits"},
        {"stages.a_name_that_is_longer_than_any.kind", "strategy", "1 to 23"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        config_t config = defaults(), before = config;
        tbus_error_t err = {0};
        assert_int_equal(config_set(&config, wrong[i].key, wrong[i].value, &err), -TBUS_ECONFIG);
        if (!strstr(err.text, wrong[i].holds))
            fail_msg("%s: '%s' does not hold '%s'", wrong[i].key, err.text, wrong[i].holds);
        assert_memory_equal(&config, &before, sizeof config);
    }
    char key[64];
    config_t config = defaults();
    tbus_error_t err = {0};
    int code = 0;
    for (int i = 0; code == 0; i++) {
        snprintf(key, sizeof key, "stages.s%d.kind", i);
        code = config_set(&config, key, "strategy", &err);
    }
    assert_int_equal(code, -TBUS_ECONFIG);
    assert_non_null(strstr(err.text, "at most"));
}

static void a_list_on_the_command_line_is_what_yaml_makes_of_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t count;
        const char *first, *last;
    } lists[] = {
        {"[A,B]", 2, "A", "B"},
        {"[A, B]", 2, "A", "B"},
        {"[ 'A' , \"B\" ]", 2, "A", "B"},
        {"['A, B']", 1, "A, B", "A, B"},
        {"[]", 0, NULL, NULL},
        {"  [C]  ", 1, "C", "C"},
        {"A,B", 2, "A", "B"},
        {"A, B ", 2, "A", "B"},
        {" A", 1, "A", "A"},
        {"", 0, NULL, NULL},
        {" ", 0, NULL, NULL},
        {"A,", 1, "A", "A"},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        config_t config = defaults();
        tbus_error_t err = {0};
        assert_int_equal(config_set(&config, "strategy.symbols", "X,Y,Z", &err), 0);
        if (config_set(&config, "strategy.symbols", lists[i].text, &err) < 0)
            fail_msg("'%s': %s", lists[i].text, err.text);
        assert_int_equal(quote_of(&config)->symbols_count, lists[i].count);
        if (lists[i].count) {
            assert_string_equal(quote_of(&config)->symbols[0], lists[i].first);
            assert_string_equal(quote_of(&config)->symbols[lists[i].count - 1], lists[i].last);
        }
    }
    static const char *const wrong[] = {
        "[A", "[A]]", "[[A]]", "{a: b}", "[{a: b}]", "A,,B", "[TOO_LONG_A_NAME]", "[A, '']"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        config_t config = defaults(), before = config;
        tbus_error_t err = {0};
        if (config_set(&config, "strategy.symbols", wrong[i], &err) != -TBUS_ECONFIG)
            fail_msg("'%s' was taken", wrong[i]);
        assert_true(err.text[0] != 0);
        assert_memory_equal(&config, &before, sizeof config);
    }
}

static void words_in_quotes_are_words(void **state)
{
    (void)state;
    static const char text[] = "layout:\n  mode: \"fused\"\n  wait: 'park'\n";
    config_t config = defaults();
    tbus_error_t err = {0};
    if (config_read_text(&config, "f", text, strlen(text), &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(config.layout.mode, 2);
    assert_int_equal(config.layout.wait, 3);
}

static void what_is_shown_as_json_is_read_back_to_the_same(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    config_t config = defaults(), read = defaults();
    tbus_error_t err = {0};
    assert_int_equal(config_set(&config, "strategy.symbols", "A,B", &err), 0);
    assert_int_equal(config_set(&config, "layout.mode", "split", &err), 0);
    assert_int_equal(config_set(&config, "stages.second.kind", "strategy", &err), 0);
    FILE *out = open_memstream(&text, &bytes);
    assert_int_equal(config_print_json(&config, out), 0);
    fclose(out);
    if (config_read_text(&read, "json", text, bytes, &err) < 0)
        fail_msg("%s", err.text);
    assert_memory_equal(&config, &read, sizeof config);
    free(text);
}

static void a_number_out_of_range_is_told_as_such_and_a_near_miss_gets_a_suggestion(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *holds;
    } wrong[] = {
        {"risk.max_order_qty", "0", "that is out of range"},
        {"risk.max_order_qty", "4294967296", "that is out of range"},
        {"risk.position_max", "99999999999999999999999999", "that is out of range"},
        {"topics.md.slots", "32", "that is out of range"},
        {"topics.md.slots", "1000", "that is no power of two"},
        {"layout.mode", "fuse", "did you mean 'fused'?"},
        {"layout.wait", "prak", "did you mean 'park'?"},
        {"strategy.name", "qoute", "did you mean 'quote'?"},
        {"stategy.name", "quote", "did you mean 'strategy.name'?"},
        {"risk.max_order_qt", "1", "did you mean 'risk.max_order_qty'?"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        config_t config = defaults();
        tbus_error_t err = {0};
        assert_int_equal(config_set(&config, wrong[i].key, wrong[i].value, &err), -TBUS_ECONFIG);
        if (!strstr(err.text, wrong[i].holds))
            fail_msg("%s=%s: '%s' does not hold '%s'", wrong[i].key, wrong[i].value, err.text,
                     wrong[i].holds);
    }
    config_t config = defaults();
    tbus_error_t err = {0};
    config_read_text(&config, "f", "risk:\n  colar_bps: 5\n", 21, &err);
    assert_non_null(strstr(err.text, "did you mean 'collar_bps'?"));
    assert_int_equal(config_set(&config, "risk.max_order_qty", "ten", &err), -TBUS_ECONFIG);
    assert_null(strstr(err.text, "range"));
}

static void a_check_lists_all_that_is_wrong_with_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/tickbus-config-XXXXXX";
    static const char text[] = "bus:\n  nam: x\n  pages: hug\nrisk:\n  max_order_qty: 0\n"
                               "  position_max: 5\n  position_max: 6\nstages:\n  a: {}\n"
                               "strategy: {symbols: [A, TOO_LONG_A_NAME, B]}\n";
    static const char *const places[] = {
        ":2:3: ", ":3:10: ", ":5:18: ", ":7:3: ", ":9:3: ", ":10:25: "};
    static config_faults_t faults;
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    config_check_file(path, &faults);
    for (uint32_t i = 0; i < faults.count; i++)
        if (i >= 6 || !strstr(faults.texts[i], places[i]))
            fail_msg("fault %u is: %s", i, faults.texts[i]);
    assert_int_equal(faults.count, 6);

    assert_int_equal(ftruncate(fd, 0), 0);
    config_check_file(path, &faults); /* all defaults */
    assert_int_equal(faults.count, 0);
    close(fd);
    unlink(path);
    config_check_file(path, &faults);
    assert_int_equal(faults.count, 1);
}

/* --- read again while it is in force */

static const char in_force[] = "# limits of the desk\n"
                               "risk:\n"
                               "  max_order_qty: 200\n"
                               "  collar_bps: 50 # tight\n"
                               "  position_max: 1000\n"
                               "  gross_notional_max_e4: 5000000\n"
                               "# the end\n";

static void no_truncation_of_a_file_changes_a_limit(void **state)
{
    (void)state;
    config_file_keys_t keys = {0};
    config_t before = defaults();
    tbus_error_t err = {0};
    size_t bytes = strlen(in_force);
    if (config_reread_text(&before, "f", in_force, bytes, &keys, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(keys.count, 4);
    assert_int_equal(limits_of(&before)->max_order_qty, 200);
    unsigned refused = 0;
    for (size_t cut = 0; cut < bytes; cut++) {
        config_t config = defaults();
        config_file_keys_t now = keys;
        if (config_reread_text(&config, "f", in_force, cut, &now, &err) < 0) {
            config_t untouched = defaults();
            assert_memory_equal(&config, &untouched, sizeof config);
            assert_memory_equal(&now, &keys, sizeof now);
            refused++;
        } else { /* nothing but the last comment is missing */
            assert_memory_equal(limits_of(&config), limits_of(&before), sizeof(risk_limits_t));
        }
    }
    assert_int_equal(refused, bytes - 1);
}

static void a_key_that_is_missing_is_named_with_the_line_where_it_stood(void **state)
{
    (void)state;
    config_file_keys_t keys = {0};
    config_t config = defaults();
    tbus_error_t err = {0};
    static const char less[] = "risk:\n  max_order_qty: 200\n  collar_bps: 50\n"
                               "  gross_notional_max_e4: 1\n";
    config_reread_text(&config, "f", in_force, strlen(in_force), &keys, &err);
    assert_int_equal(config_reread_text(&config, "f", less, strlen(less), &keys, &err),
                     -TBUS_ECONFIG);
    assert_non_null(strstr(err.text, "f: risk.position_max stood in line 5 and is missing now"));
    /* What a later file adds is asked for from then on. */
    static const char more[] = "risk: {max_order_qty: 1, collar_bps: 2, position_max: 3, "
                               "gross_notional_max_e4: 4, open_orders_max: 5}\n";
    assert_int_equal(config_reread_text(&config, "f", more, strlen(more), &keys, &err), 0);
    assert_int_equal(config_reread_text(&config, "f", in_force, strlen(in_force), &keys, &err),
                     -TBUS_ECONFIG);
    assert_non_null(strstr(err.text, "risk.open_orders_max stood in line 1"));
}

static void a_file_that_others_may_change_is_not_read_again(void **state)
{
    (void)state;
    char path[] = "/tmp/tickbus-config-XXXXXX";
    config_file_keys_t keys = {0};
    config_t config = defaults();
    tbus_error_t err = {0};
    int fd = mkstemp(path);
    assert_int_equal(write(fd, in_force, strlen(in_force)), strlen(in_force));
    assert_int_equal(config_reread_file(&config, path, &keys, &err), 0);
    assert_int_equal(keys.count, 4);
    assert_int_equal(fchmod(fd, 0620), 0);
    assert_int_equal(config_reread_file(&config, path, &keys, &err), -TBUS_ECONFIG);
    assert_non_null(strstr(err.text, "its group may write to it; mend with: chmod go-w"));
    assert_int_equal(fchmod(fd, 0602), 0);
    assert_int_equal(config_reread_file(&config, path, &keys, &err), -TBUS_ECONFIG);
    assert_non_null(strstr(err.text, "everybody may write to it"));
    assert_int_equal(fchmod(fd, 0600), 0);
    if (geteuid() == 0) {
        assert_int_equal(fchown(fd, 65534, 65534), 0);
        assert_int_equal(config_reread_file(&config, path, &keys, &err), -TBUS_ECONFIG);
        assert_non_null(strstr(err.text, "it belongs to somebody else"));
        assert_int_equal(fchown(fd, 0, 0), 0);
    }
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(config_reread_file(&config, path, &keys, &err), -TBUS_ECONFIG);
    assert_non_null(strstr(err.text, "it is empty"));
    close(fd);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(config_reread_file(&config, path, &keys, &err), -TBUS_ECONFIG);
    assert_non_null(strstr(err.text, "it is no regular file"));
    unlink(path);
    assert_int_equal(config_reread_file(&config, path, &keys, &err), -ENOENT);
    assert_int_equal(config_reread_file(&config, "/tmp", &keys, &err), -TBUS_ECONFIG);
    assert_int_equal(keys.count, 4);
}

static const struct bad {
    const char *text;
    const char *starts; /* FILE:LINE:COLUMN */
    const char *holds;
} bad[] = {
    /* unknown keys */
    {"bus:\n  nam: x\n", "f:2:3: ", "unknown key 'nam' in bus; allowed: name, pages, numa_node"},
    {"buss: {}\n", "f:1:1: ",
     "unknown key 'buss'; allowed: bus, layout, supervisor, feed, books, venue, marks, strategy, "},
    {"topics:\n  md:\n    slot: 64\n",
     "f:3:5: ", "unknown key 'slot' in topics.md; allowed: slots"},
    {"topics: {mdd: {}}",
     "f:1:10: ", "allowed: md, bbo, orders, judged, approved, events, inputs, reports"},
    {"? [a, b]\n: 1\n", "f:1:3: ", "a list stands where the name of a key was expected"},
    {"bus: &a {name: x, <<: *a}\n", "f:1:19: ", "unknown key '<<'"},
    {"venue: {latency: {entri: 1us}}\n", "f:1:19: ",
     "unknown key 'entri' in venue.latency; allowed: entry, cancel, response; did you mean"},
    /* wrong types */
    {"venue: {latency: 50us}\n", "f:1:18: ",
     "venue.latency is a single value; a section was expected, with the keys entry, cancel"},
    {"topics: 5\n",
     "f:1:9: ", "topics is a single value; a section was expected, with the keys md, bbo"},
    {"- bus\n", "f:1:1: ", "the file is a list; a section was expected"},
    {"bus: [a]\n", "f:1:6: ", "bus is a list"},
    {"bus:\n  name: [a]\n", "f:2:9: ", "bus.name is a list; allowed: text of 1 to 23 characters"},
    {"bus:\n  name: {a: b}\n", "f:2:9: ", "bus.name is a section"},
    {"strategy:\n  symbols: AAPL\n",
     "f:2:12: ", "strategy.symbols is a single value; allowed: a list of up to 64"},
    {"strategy:\n  symbols: [A, [B]]\n", "f:2:16: ", "strategy.symbols is a list"},
    {"topics: {md: {slots: \"64\"}}\n", "f:1:22: ", "is a text in quotes; allowed: a power of two"},
    {"layout:\n  pin: 'true'\n",
     "f:2:8: ", "layout.pin is a text in quotes; allowed: true or false, without quotes"},
    {"layout:\n  pin: yes\n", "f:2:8: ", "layout.pin is 'yes'; allowed: true or false"},
    {"layout:\n  mode: fuse\n", "f:2:9: ", "layout.mode is 'fuse'; allowed: auto, split or fused"},
    {"venue:\n  clock: wall\n", "f:2:10: ", "venue.clock is 'wall'; allowed: market or host"},
    {"venue:\n  latency:\n    entry: 0us\n", "f:3:12: ", "0us\" is not from 1ns to 60s"},
    {"venue:\n  latency:\n    response: 61s\n", "f:3:15: ", "venue.latency.response is '61s'"},
    {"venue:\n  latency: {cancel: 'uniform(2us,1us)'}\n", "f:2:21: ", "is not understood"},
    {"layout:\n  mode: auto|split\n", "f:2:9: ", "allowed: auto, split or fused"},
    {"layout:\n  mode: ''\n", "f:2:9: ", "layout.mode is ''; allowed: auto, split or fused"},
    {"layout:\n  cpus: [0, a]\n", "f:2:13: ", "layout.cpus is 'a'"},
    {"feed:\n  source:\n", "f:2:10: ", "feed.source has no value"},
    {"bus:\n  name: !mine x\n", "f:2:9: ", "has the tag !mine"},
    {"bus:\n  name: \"a\\0b\"\n", "f:2:9: ", "holds a zero byte"},
    /* numbers */
    {"risk:\n  collar_bps: 10001\n",
     "f:2:15: ", "allowed: a whole number of basis points of the touch from 0 to 10000"},
    {"risk:\n  max_order_qty: 0\n",
     "f:2:18: ", "risk.max_order_qty is '0'; allowed: a whole number of shares from 1"},
    {"risk:\n  max_order_qty: -1\n", "f:2:18: ", "allowed:"},
    {"risk:\n  max_order_qty: 1.5\n", "f:2:18: ", "allowed:"},
    {"risk:\n  max_order_qty: 1e3\n", "f:2:18: ", "allowed:"},
    {"risk:\n  max_order_qty: 0x10\n", "f:2:18: ", "allowed:"},
    {"risk:\n  max_order_qty: 010\n", "f:2:18: ", "allowed:"},
    {"risk:\n  max_order_qty: 1__0\n", "f:2:18: ", "allowed:"},
    {"risk:\n  max_order_qty: 10_\n", "f:2:18: ", "allowed:"},
    {"risk:\n  max_order_qty: .nan\n", "f:2:18: ", "allowed:"},
    {"risk:\n  max_order_qty: 4294967296\n", "f:2:18: ", "allowed:"},
    {"risk:\n  position_max: 9223372036854775808\n", "f:2:17: ", "allowed:"},
    {"risk:\n  position_max: 99999999999999999999999999\n", "f:2:17: ", "allowed:"},
    {"bus:\n  numa_node: -2\n", "f:2:14: ", "a whole number from -1 to 1023"},
    {"topics: {md: {slots: 1000}}\n",
     "f:1:22: ", "topics.md.slots is '1000'; allowed: a power of two from 64"},
    {"topics: {md: {slots: 0}}\n", "f:1:22: ", "allowed: a power of two"},
    /* texts */
    {"bus:\n  name: ''\n", "f:2:9: ", "bus.name is ''; allowed: text of 1 to 23 characters"},
    {"bus:\n  name: a/b\n", "f:2:9: ", "a name is made of letters"},
    {"bus:\n  name: .hidden\n", "f:2:9: ", "a name is made of letters"},
    {"bus:\n  name: abcdefghijklmnopqrstuvwx\n", "f:2:9: ", "text of 1 to 23 characters"},
    {"strategy:\n  name: qote\n", "f:2:9: ", "there is no such strategy; there are:"},
    {"strategy:\n  symbols: [AAPL, TOOLONGNAME]\n", "f:2:19: ", "texts of 1 to 8 characters"},
    {"feed:\n  pace: fast\n", "f:2:9: ", "feed.pace is 'fast'"},
    {"feed:\n  source: ouch:x\n", "f:2:11: ", "feed.source is 'ouch:x'"},
    /* the file as a whole */
    {"bus: {}\nfeed: {}\nbus: {}\n", "f:3:1: ", "bus is there twice; the first is in line 1"},
    {"bus:\n  name: a\n  name: b\n", "f:3:3: ", "bus.name is there twice; the first is in line 2"},
    {"bus: {name: a\n", "f:2:1: ", "not YAML: did not find expected ',' or '}'"},
    {"bus:\n\tname: a\n", "f:2:1: ", "not YAML: found character that cannot start any token"},
    {"bus: *nowhere\n", "f:1:6: ", "not YAML: found undefined alias"},
    {"---\nbus: {}\n---\nfeed: {}\n", "f:4:1: ", "a second document"},
    {"bus: {}\nfe\xff: 1\n", "f:2:3: ", "the file must be UTF-8 text"},
    {"a: &x [*x]\n", "f:1:1: ", "unknown key 'a'"},
    {"strategy: {symbols: &x [*x]}\n", "f:1:21: ", "strategy.symbols is a list"},
};

static void what_is_wrong_is_said_with_line_and_column(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config_t config = defaults();
        config_t before = config;
        tbus_error_t err = {0};
        int code = config_read_text(&config, "f", bad[i].text, strlen(bad[i].text), &err);
        if (code != -TBUS_ECONFIG)
            fail_msg("accepted (%d): %s", code, bad[i].text);
        if (strncmp(err.text, bad[i].starts, strlen(bad[i].starts)) != 0 ||
            !strstr(err.text, bad[i].holds))
            fail_msg("of\n%s\nit says\n%s\nwanted %s...%s", bad[i].text, err.text, bad[i].starts,
                     bad[i].holds);
        assert_memory_equal(&config, &before, sizeof config);
    }
}

static void a_list_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char text[1024] = "strategy: {symbols: [";
    for (int i = 0; i <= QUOTE_SYMBOLS_MAX; i++)
        strcat(text, i ? ",A" : "A");
    strcat(text, "]}");
    config_t config = defaults();
    tbus_error_t err = {0};
    assert_int_equal(config_read_text(&config, "f", text, strlen(text), &err), -TBUS_ECONFIG);
    assert_non_null(strstr(err.text, "f:1:150: strategy.symbols has more than 64 items"));
}

/* A megabyte of brackets took libyaml twenty seconds; now it is the limits that refuse it, and they
 * name the place. */
static void what_is_too_long_or_too_deep_is_refused_with_its_place(void **state)
{
    (void)state;
    static const char *const openings[] = {"[", "{", "- ", "? "};
    char *text = malloc(CONFIG_FILE_MAX + 1);
    config_t config = defaults();
    tbus_error_t err = {0};
    memset(text, '\n', CONFIG_FILE_MAX + 1);
    assert_int_equal(config_read_text(&config, "f.yaml", text, CONFIG_FILE_MAX, &err), 0);
    assert_int_equal(config_read_text(&config, "f.yaml", text, CONFIG_FILE_MAX + 1, &err),
                     -TBUS_ECONFIG);
    assert_string_equal(err.text, "f.yaml:65537:1: longer than 65536 bytes: no configuration is");
    for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) {
        char place[32];
        size_t length = strlen(openings[i]);
        for (size_t at = 0; at + length <= CONFIG_FILE_MAX; at += length)
            memcpy(text + at, openings[i], length);
        assert_int_equal(config_read_text(&config, "f.yaml", text, CONFIG_FILE_MAX, &err),
                         -TBUS_ECONFIG);
        snprintf(place, sizeof place, "f.yaml:1:%zu: nested", CONFIG_DEPTH_MAX * length + 1);
        if (!strstr(err.text, place))
            fail_msg("%s: %s", openings[i], err.text);
    }
    free(text);
}

static void as_json_every_value_has_its_type(void **state)
{
    (void)state;
    config_t config = defaults();
    assert_int_equal(config_set(&config, "layout.cpus", "3,5", NULL), 0);
    assert_int_equal(config_set(&config, "strategy.symbols", "AAPL,MSFT", NULL), 0);
    assert_int_equal(config_set(&config, "journal.directory", "/tmp/\xff\"", NULL), 0);
    assert_int_equal(config_set(&config, "risk.position_max", "9223372036854775807", NULL), 0);
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_int_equal(config_print_json(&config, out), 0);
    fclose(out);
    json_error_t why;
    json_t *all = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (!all)
        fail_msg("%s: %s", why.text, text);
    const char *name, *directory, *symbols[2];
    int pin, slots, node, cpus[2];
    json_int_t position_max;
    assert_int_equal(json_unpack_ex(all, &why, 0, "{s:{s:s, s:i}, s:{s:b, s:[ii!]}, s:{s:[ss!]}}",
                                    "bus", "name", &name, "numa_node", &node, "layout", "pin", &pin,
                                    "cpus", &cpus[0], &cpus[1], "strategy", "symbols", &symbols[0],
                                    &symbols[1]),
                     0);
    assert_int_equal(json_unpack_ex(all, &why, 0, "{s:{s:I}, s:{s:s}, s:{s:{s:i}}}", "risk",
                                    "position_max", &position_max, "journal", "directory",
                                    &directory, "topics", "md", "slots", &slots),
                     0);
    assert_string_equal(name, "tickbus");
    assert_int_equal(node, -1);
    assert_true(pin);
    assert_int_equal(cpus[1], 5);
    assert_string_equal(symbols[1], "MSFT");
    assert_true(position_max == INT64_MAX);
    assert_string_equal(directory, "/tmp/?\"");
    assert_int_equal(slots, 16384);
    json_decref(all);
    free(text);
}

static void an_alias_stands_for_what_it_names(void **state)
{
    (void)state;
    static const char text[] = "topics:\n  md: &ring\n    slots: 4096\n  bbo: *ring\n";
    config_t config = defaults();
    tbus_error_t err = {0};
    if (config_read_text(&config, "f", text, strlen(text), &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(config_topic_slots(&config, "md"), 4096);
    assert_int_equal(config_topic_slots(&config, "bbo"), 4096);
    assert_int_equal(config_topic_slots(&config, "orders"), 16384);
}

static void a_key_on_the_command_line_is_checked_like_one_in_a_file(void **state)
{
    (void)state;
    static const char *const wrong[][3] = {
        {"topics.md.slots", "100", "topics.md.slots is '100'; allowed: a power of two"},
        {"topics.md", "1", "topics.md is a section; its keys: slots"},
        {"nowhere", "1", "there is no key 'nowhere'; sections: bus, layout"},
        {"layout.cpus", "1,,2", "layout.cpus is ''"},
        {"bus.name", "", "text of 1 to 23"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        config_t config = defaults();
        config_t before = config;
        tbus_error_t err = {0};
        assert_int_equal(config_set(&config, wrong[i][0], wrong[i][1], &err), -TBUS_ECONFIG);
        if (!strstr(err.text, wrong[i][2]))
            fail_msg("%s", err.text);
        assert_memory_equal(&config, &before, sizeof config);
    }
}

static void files_that_are_missing_open_to_all_or_endless_are_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/tickbus-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "bus: {name: mine}\n", 18), 18);
    config_t config = defaults();
    tbus_error_t err = {0};
    assert_int_equal(config_read_file(&config, path, NULL, &err), 0);
    assert_string_equal(config.bus.name, "mine");
    assert_int_equal(fchmod(fd, 0666), 0);
    assert_int_equal(config_read_file(&config, path, NULL, &err), -TBUS_ECONFIG);
    assert_non_null(strstr(err.text, "everybody may write to it"));
    assert_int_equal(fchmod(fd, 0600), 0);
    assert_int_equal(ftruncate(fd, (off_t)CONFIG_FILE_MAX + 1), 0);
    assert_int_equal(config_read_file(&config, path, NULL, &err), -TBUS_ECONFIG);
    assert_non_null(strstr(err.text, "longer than"));
    close(fd);
    unlink(path);
    assert_int_equal(config_read_file(&config, path, NULL, &err), -ENOENT);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(config_read_file(&config, "/", NULL, &err), -EISDIR);
}

static void durations_have_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {{"10s", 10000000000u},
                {"500ms", 500000000},
                {"2m", 120000000000u},
                {"1h", 3600000000000u},
                {"1.5s", 1500000000},
                {"7us", 7000},
                {"1ns", 1},
                {"0.5ms", 500000}};
    static const char *const wrong[] = {"",    "10",  "s",  "-1s", "1 s",  "1.2.3s",
                                        ".5s", "5.s", "0s", "1d",  "1e3s", "99999h"};
    uint64_t ns = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(start_options_duration(good[i].text, &ns));
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(start_options_duration(wrong[i], &ns));
}

static void nobody_from_outside_writes_on_a_topic_unless_the_configuration_says_so(void **state)
{
    (void)state;
    config_t config;
    tbus_error_t err = {0};
    config_defaults(&config);
    assert_int_equal(config_topic_rights(&config, "md"), 0);
    assert_int_equal(config_topic_rights(&config, "orders"), 0);
    assert_int_equal(config_topic_rights(&config, "no such topic"), 0);
    assert_int_equal(config_set(&config, "topics.md.gate", "everybody", &err), 0);
    assert_int_equal(config_topic_rights(&config, "md"), TBUS_MAY_GATE);
    assert_int_equal(config_set(&config, "topics.md.publish", "everybody", &err), 0);
    assert_int_equal(config_topic_rights(&config, "md"), TBUS_MAY_GATE | TBUS_MAY_PUBLISH);
    assert_int_equal(config_topic_rights(&config, "orders"), 0);
    assert_int_equal(config_set(&config, "topics.md.gate", "root", &err), -TBUS_ECONFIG);
    assert_non_null(strstr(err.text, "nobody or everybody"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_from_outside_writes_on_a_topic_unless_the_configuration_says_so),
        cmocka_unit_test(every_default_is_one_that_its_own_key_allows),
        cmocka_unit_test(the_defaults_are_those_of_the_stages),
        cmocka_unit_test(what_is_printed_is_read_back_to_the_same),
        cmocka_unit_test(a_file_overrides_only_what_it_names),
        cmocka_unit_test(a_list_in_a_file_replaces_the_one_before),
        cmocka_unit_test(a_list_on_the_command_line_is_what_yaml_makes_of_it),
        cmocka_unit_test(words_in_quotes_are_words),
        cmocka_unit_test(what_is_shown_as_json_is_read_back_to_the_same),
        cmocka_unit_test(a_number_out_of_range_is_told_as_such_and_a_near_miss_gets_a_suggestion),
        cmocka_unit_test(a_check_lists_all_that_is_wrong_with_a_file),
        cmocka_unit_test(no_truncation_of_a_file_changes_a_limit),
        cmocka_unit_test(a_key_that_is_missing_is_named_with_the_line_where_it_stood),
        cmocka_unit_test(a_file_that_others_may_change_is_not_read_again),
        cmocka_unit_test(further_stages_are_listed_with_their_kind_and_its_keys),
        cmocka_unit_test(parameters_of_a_strategy_that_is_not_chosen_are_kept_for_when_it_is),
        cmocka_unit_test(a_stage_that_cannot_be_is_refused_by_name),
        cmocka_unit_test(what_is_wrong_is_said_with_line_and_column),
        cmocka_unit_test(a_list_that_is_too_long_is_refused),
        cmocka_unit_test(what_is_too_long_or_too_deep_is_refused_with_its_place),
        cmocka_unit_test(as_json_every_value_has_its_type),
        cmocka_unit_test(an_alias_stands_for_what_it_names),
        cmocka_unit_test(a_key_on_the_command_line_is_checked_like_one_in_a_file),
        cmocka_unit_test(files_that_are_missing_open_to_all_or_endless_are_refused),
        cmocka_unit_test(durations_have_a_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
