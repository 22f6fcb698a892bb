/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between a strategy and the venue, in a running pipeline: what a strategy's process
 * can reach, the loss limit until it is resumed, and fees. */
#include "tests/e2e/running_bus.h"

/* Does the process hold a descriptor of the topic's memory? */
static bool holds(pid_t pid, const char *topic)
{
    char path[64], end[32], target[SCRATCH_PATH_MAX];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    snprintf(end, sizeof end, "/%s (deleted)", topic);
    DIR *list = opendir(path);
    assert_non_null(list);
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        ssize_t bytes = readlinkat(dirfd(list), entry->d_name, target, sizeof target - 1);
        target[bytes > 0 ? bytes : 0] = 0;
        size_t length = strlen(target), tail = strlen(end);
        found |= strncmp(target, "/memfd:", 7) == 0 && length > tail &&
                 strcmp(target + length - tail, end) == 0;
    }
    closedir(list);
    return found;
}

static void stop(fixture_t *f)
{
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
}

static void a_strategy_holds_no_descriptor_of_what_risk_has_passed(void **state)
{
    fixture_t *f = *state;
    json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "split", "--pages", "small", NULL);
    pid_t strategy = process_of(summary, "strategy"), risk = process_of(summary, "risk");
    pid_t executor = process_of(summary, "executor");
    json_decref(summary);
    assert_true(holds(strategy, "orders") && holds(strategy, "md") && holds(strategy, "reports"));
    assert_false(holds(strategy, "judged"));
    assert_false(holds(strategy, "approved"));
    assert_true(holds(risk, "judged") && holds(risk, "approved"));
    assert_true(holds(executor, "judged"));
    assert_false(holds(executor, "orders"));
    stop(f);
}

static const char *risk_state(const json_t *summary)
{
    return json_string_value(json_object_get(json_object_get(summary, "risk"), "state"));
}

static int resume(const fixture_t *f)
{
    const char *const argv[] = {TICKBUS_BUSCTL, "resume",   "--name", f->bus,
                                "--reason",     "it is ok", NULL};
    program_t program = {.argv = argv};
    int code = program_run(&program);
    program_clear(&program);
    return code;
}

static void a_loss_beyond_its_limit_reduces_until_somebody_resumes(void **state)
{
    fixture_t *f = *state;
    json_t *summary = begin(f, 1000, ENDLESS_FEED, "--layout", "fused", "--pages", "small", "--set",
                            "risk.loss_max_e4=1", NULL);
    while (strcmp(risk_state(summary), "reducing") != 0) {
        json_decref(summary);
        summary = wait_for(f, 1000);
    }
    assert_true(json_is_false(json_object_get(json_object_get(summary, "risk"), "halted")));
    json_decref(summary);
    assert_int_equal(resume(f), 0);
    stop(f);
}

static void fees_by_liquidity_make_net_profit_of_gross(void **state)
{
    fixture_t *f = *state;
    assert_int_equal(run(f, "start", SHORT_FEED, "--layout", "fused", "--pages", "small", "--json",
                         "--set", "venue.fees.added_e6_per_share=-2000", "--set",
                         "venue.fees.removed_e6_per_share=3000", NULL),
                     0);
    json_t *summary = final_object(f);
    const json_t *pnl = json_object_get(summary, "pnl_e4");
    int64_t fees = json_integer_value(json_object_get(pnl, "fees"));
    int64_t of_symbols = 0, added = 0;
    const char *name;
    json_t *symbol;
    json_object_foreach(json_object_get(summary, "symbols"), name, symbol)
    {
        of_symbols += json_integer_value(json_object_get(symbol, "fees_e4"));
        added += json_integer_value(json_object_get(symbol, "fills_added"));
    }
    assert_true(added > 0);
    assert_true(fees < 0); /* it quotes: more is received than paid */
    assert_int_equal(of_symbols, fees);
    assert_int_equal(json_integer_value(json_object_get(pnl, "net")),
                     json_integer_value(json_object_get(pnl, "gross")) - fees);
    json_decref(summary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_strategy_holds_no_descriptor_of_what_risk_has_passed,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_loss_beyond_its_limit_reduces_until_somebody_resumes,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(fees_by_liquidity_make_net_profit_of_gross, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
