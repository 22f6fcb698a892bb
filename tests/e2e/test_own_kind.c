/* SPDX-License-Identifier: Apache-2.0 */
/* A kind of stage that the tools have never heard of, and a second strategy: both come into the
 * pipeline by a configuration, and nothing of tools/run knows either. */
#include "tests/e2e/running_bus.h"

#include <errno.h>
#include <sys/wait.h>

#include <tickbus/tickbus.h>

#include "tools/config/kinds.h"
#include "tools/config/start_options.h"
#include "tools/run/supervisor.h"

/* --- the kind: counts the ticks of `md`, and says on a topic of its own how many there were */

typedef struct counter_values {
    uint32_t every;
} counter_values_t;

typedef struct counter_stage {
    tbus_stage_t stage; /* first */
    tbus_subscriber_t md;
    tbus_publisher_t out;
    uint32_t every;
    uint64_t ticks;
    bool kept; /* the count in `ticks` found no room yet */
    tbus_atomic_u64_t *counted;
} counter_stage_t;

static bool tell(counter_stage_t *c)
{
    c->kept = tbus_publish_try(&c->out, &c->ticks, sizeof c->ticks) == TBUS_FULL;
    c->stage.pending = c->kept;
    return !c->kept;
}

static int counter_poll(tbus_stage_t *stage, uint32_t budget)
{
    counter_stage_t *c = (counter_stage_t *)(void *)stage;
    size_t bytes;
    int work = c->kept && tell(c);
    for (uint32_t i = 0; i < budget && !c->kept && tbus_peek(&c->md, &bytes); i++, work++) {
        tbus_advance(&c->md);
        c->ticks++;
        tbus_store_relaxed_u64(c->counted, c->ticks);
        if (c->ticks % c->every == 0)
            tell(c);
    }
    return work;
}

static void counter_destroy(tbus_stage_t *stage)
{
    counter_stage_t *c = (counter_stage_t *)(void *)stage;
    tbus_stage_leave(stage);
    free(c);
}

static const tbus_stage_ops_t counter_ops = {.poll = counter_poll, .destroy = counter_destroy};

static int counter_create(const tbus_stage_request_t *request, tbus_stage_t **out_stage,
                          tbus_error_t *err)
{
    counter_stage_t *c = calloc(1, sizeof *c);
    if (!c)
        return tbus_fail(err, -ENOMEM, "no memory for a counter of ticks");
    c->stage.ops = &counter_ops;
    c->stage.bus = request->bus;
    c->stage.owner = request->owner;
    c->every = ((const counter_values_t *)request->params)->every;
    snprintf(c->stage.name, sizeof c->stage.name, "%s", request->name);
    c->counted = tbus_counter(request->bus, request->owner, "tick_counter.ticks", "ticks");
    int code = tbus_stage_join_subscriber(&c->stage, "md", request->name, &c->md, err);
    if (code == 0)
        code = tbus_stage_join_publisher(&c->stage, "tick_counts", &c->out, err);
    if (code < 0) {
        counter_destroy(&c->stage);
        return code;
    }
    *out_stage = &c->stage;
    return 0;
}

static const tbus_port_t ports[] = {
    {.topic = "md", .role = TBUS_PORT_SUBSCRIBE, .driving = true},
    {.topic = "tick_counts",
     .role = TBUS_PORT_PUBLISH,
     .type = "tick_count",
     .ring = TBUS_BROADCAST,
     .help = "how many ticks there were so far"},
};
static const tbus_param_t table[] = {
    {"every", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(counter_values_t, every), .min = 1, .max = 1000,
     .unit = "ticks", .fallback = "10", .help = "how often it says so"},
};
static const tbus_params_t params = TBUS_PARAMS(counter_values_t, table);

static const tbus_kind_t counter_kind = {
    .api = TBUS_KIND_API,
    .struct_bytes = sizeof(tbus_kind_t),
    .name = "tick_counter",
    .help = "Counts the ticks.",
    .rank = 50,
    .ports_count = 2,
    .ports = ports,
    .params = &params,
    .create = counter_create,
};

/* --- a run of it */

static const char configuration[] = "feed:\n"
                                    "  source: \"synth:seed=3,symbols=8,messages=20000\"\n"
                                    "  pace: \"max\"\n"
                                    "topics:\n"
                                    "  tick_counts: {slots: 64}\n"
                                    "stages:\n"
                                    "  counter:\n"
                                    "    every: 100\n"
                                    "    kind: tick_counter\n"
                                    "  strategy2:\n"
                                    "    kind: strategy\n"
                                    "    order_qty: 7\n";

/* What `busctl start` does, in a program that knows one kind more; its summary goes into a file. */
static int start_with_the_kind(const fixture_t *f, const char *file, const char *layout,
                               const char *journal, const char *summary)
{
    const char *const argv[] = {"test start", "-c",     file,        "--layout", layout,
                                "--wait",     "park",   "--journal", journal,    "--name",
                                f->bus,       "--json", NULL};
    pid_t pid = fork();
    if (pid == 0) {
        start_options_t options;
        tbus_error_t err;
        supervisor_request_t request = {.verb = argv[0], .options = &options};
        if (!freopen(summary, "w", stdout) || kinds_add(&counter_kind, &err) < 0 ||
            start_options_parse(12, (char **)(uintptr_t)argv, true, &options) != 0)
            _exit(99);
        int code = supervisor_run(&request);
        fflush(stdout);
        _exit(code);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static json_int_t at_path(const json_t *summary, const char *path)
{
    char key[64];
    const json_t *at = summary;
    for (size_t length; *path; path += length + (path[length] == '.')) {
        length = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)length, path);
        at = json_object_get(at, key);
        if (!at)
            fail_msg("the summary has no %s", key);
    }
    return json_integer_value(at);
}

/* 0 where the strategy has not traded that symbol. */
static json_int_t shares_of(const json_t *summary, const char *strategy, const char *symbol)
{
    const json_t *of = json_object_get(json_object_get(summary, "strategies"), strategy);
    return json_integer_value(json_object_get(json_object_get(of, "positions"), symbol));
}

static void a_configuration_adds_a_kind_of_ones_own_and_a_second_strategy(void **state)
{
    fixture_t *f = *state;
    for (int split = 0; split < 2; split++) {
        char file[128], journal[128], output[128];
        snprintf(file, sizeof file, "%s/config.yaml", f->runtime);
        snprintf(journal, sizeof journal, "%s/journal%d", f->runtime, split);
        snprintf(output, sizeof output, "%s/summary.json", f->runtime);
        assert_true(file_write(file, configuration, strlen(configuration)));
        assert_int_equal(start_with_the_kind(f, file, split ? "split" : "fused", journal, output),
                         0);
        json_error_t why;
        json_t *summary = json_load_file(output, 0, &why);
        if (!summary)
            fail_msg("%s", why.text);
        assert_int_equal(at_path(summary, "topics.md.published"), 20000);
        assert_int_equal(at_path(summary, "topics.tick_counts.published"), 200);
        assert_int_equal(at_path(summary, "topics.tick_counts.slots"), 64);
        assert_string_equal(
            json_string_value(json_object_get(
                json_object_get(json_object_get(summary, "topics"), "tick_counts"), "type")),
            "tick_count");

        /* Two strategies, kept apart: their parts add up to the whole. */
        static const char *const sums[] = {"sent", "accepted", "filled", "cancelled"};
        for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
            char all[32], first[64], second[64];
            snprintf(all, sizeof all, "orders.%s", sums[i]);
            snprintf(first, sizeof first, "strategies.strategy.orders.%s", sums[i]);
            snprintf(second, sizeof second, "strategies.strategy2.orders.%s", sums[i]);
            assert_int_equal(at_path(summary, first) + at_path(summary, second),
                             at_path(summary, all));
        }
        assert_true(at_path(summary, "strategies.strategy.orders.sent") > 0);
        assert_true(at_path(summary, "strategies.strategy2.orders.sent") > 0);
        assert_int_equal(at_path(summary, "strategies.strategy.pnl_e4.total") +
                             at_path(summary, "strategies.strategy2.pnl_e4.total"),
                         at_path(summary, "pnl_e4.total"));
        const char *symbol;
        json_t *shares;
        json_object_foreach(json_object_get(summary, "positions"), symbol, shares)
        {
            assert_int_equal(shares_of(summary, "strategy", symbol) +
                                 shares_of(summary, "strategy2", symbol),
                             json_integer_value(shares));
        }
        assert_int_equal(json_array_size(json_object_get(summary, "errors")), 0);
        json_decref(summary);

        /* What the kind published was recorded as any topic. */
        const char *const argv[] = {TICKBUS_BUSCTL, "journal", "info", journal, NULL};
        program_t info = {.argv = argv};
        assert_int_equal(program_run(&info), 0);
        assert_text_holds(info.out, "tick_counts");
        program_clear(&info);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_configuration_adds_a_kind_of_ones_own_and_a_second_strategy, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
