/* SPDX-License-Identifier: Apache-2.0 */
/* One clock: what is decided depends on the market data, the strategy, the configuration and the
 * seed alone. The same feed is run in all ways that a host can run it: layouts, ways of waiting,
 * paces, sizes of rings, live and replayed, with stages that are stopped for a while. All runs must
 * give the same digests and the same profit. By the clock of the host they must not, or this test
 * could not fail.
 *
 * ONE_CLOCK_RUNS=N runs each feed N times in every way, instead of once in every second one. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/market_data.h"
#include "tests/support/program.h"

#define SYNTHETIC "synth:seed=11,symbols=8,messages=4000"

enum { ARGUMENTS_MAX = 48 };

typedef struct fixture {
    char scratch[SCRATCH_PATH_MAX];
    char name[32];
    program_t busctl;
} fixture_t;

static int setup(void **state)
{
    static fixture_t f;
    f = (fixture_t){0};
    scratch_create_runtime(f.scratch);
    snprintf(f.name, sizeof f.name, "clock-%d", (int)getpid());
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    program_clear(&f->busctl);
    return scratch_remove_runtime(f->scratch) ? -1 : 0;
}

/* 0: not said. */
static unsigned runs(void)
{
    const char *text = getenv("ONE_CLOCK_RUNS");
    return text ? (unsigned)atoi(text) : 0;
}

/* A strategy that quotes all symbols, and often; and books that are made in no time. */
static const char *const eager[] = {"--set", "strategy.symbols_auto=8",
                                    "--set", "strategy.requote_ns_min=20000",
                                    "--set", "venue.latency.entry=uniform(20us,80us)",
                                    "--set", "venue.latency.response=uniform(1us,200us)",
                                    "--set", "books.orders_max=8192",
                                    "--set", "books.levels_max=8192",
                                    NULL};

static size_t add(const char **argv, size_t count, const char *const *more)
{
    for (; more && *more; more++) {
        assert_true(count < ARGUMENTS_MAX - 1);
        argv[count++] = *more;
    }
    argv[count] = NULL;
    return count;
}

/* The child processes of `parent`, from /proc. */
static unsigned children(pid_t parent, pid_t *out_pids, unsigned max)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *f = fopen(path, "re");
    unsigned count = 0;
    if (f && fgets(text, sizeof text, f))
        for (char *at = text, *end; count < max; at = end) {
            long pid = strtol(at, &end, 10);
            if (end == at)
                break;
            out_pids[count++] = (pid_t)pid;
        }
    if (f)
        fclose(f);
    return count;
}

/* Stop one stage after the other for a moment, as long as it runs. */
static void disturb(program_t *busctl)
{
    unsigned random = 12345;
    while (!program_ended(busctl)) {
        pid_t pids[16];
        unsigned count = children(busctl->pid, pids, 16);
        random = random * 1103515245 + 12345;
        nanosleep(&(struct timespec){.tv_nsec = 1000000 + (random >> 8) % 8000000}, NULL);
        if (count == 0 || program_ended(busctl))
            continue;
        pid_t pid = pids[(random >> 16) % count]; /* not reaped while its parent lives on */
        kill(pid, SIGSTOP);
        nanosleep(&(struct timespec){.tv_nsec = 1000000 + (random >> 4) % 6000000}, NULL);
        kill(pid, SIGCONT);
    }
}

/* What was decided, as text: digests, profit, counts of what became of orders. */
static char *decided(fixture_t *f, const char *const *argv, bool disturbed)
{
    f->busctl = (program_t){.argv = argv};
    assert_true(program_start(&f->busctl));
    if (disturbed)
        disturb(&f->busctl);
    else
        program_wait(&f->busctl);
    if (f->busctl.exit_code != 0)
        fail_msg("%s: exit code %d: %s", argv[1], f->busctl.exit_code, f->busctl.err);
    json_t *summary = json_loads(f->busctl.out, 0, NULL);
    assert_non_null(summary);
    json_t *decided =
        json_pack("{s:O,s:O,s:O,s:O}", "digests", json_object_get(summary, "digests"), "pnl_e4",
                  json_object_get(summary, "pnl_e4"), "orders", json_object_get(summary, "orders"),
                  "positions", json_object_get(summary, "positions"));
    assert_non_null(decided);
    char *text = json_dumps(decided, JSON_SORT_KEYS);
    json_decref(decided);
    json_decref(summary);
    program_clear(&f->busctl);
    return text;
}

static char *start(fixture_t *f, const char *feed, const char *const *how, bool disturbed)
{
    const char *argv[ARGUMENTS_MAX] = {TICKBUS_BUSCTL, "start", "--feed", feed,
                                       "--name",       f->name, "--json", NULL};
    size_t count = add(argv, 7, eager);
    add(argv, count, how);
    return decided(f, argv, disturbed);
}

static void expect_same(const char *what, char *got, const char *wanted)
{
    if (strcmp(got, wanted) != 0)
        fail_msg("%s:\n%s\nwanted\n%s", what, got, wanted);
    free(got);
}

/* Ways to run it. */
typedef struct way {
    const char *what;
    bool disturbed;
    const char *how[14];
} way_t;

static const way_t ways[] = {
    {"fused, parked", false, {"--layout", "fused", "--wait", "park", "--pace", "max"}},
    {"fused, at a rate", false, {"--layout", "fused", "--pace", "50k/s"}},
    {"fused, small rings",
     false,
     {"--layout", "fused", "--pace", "max", "--set", "topics.md.slots=64", "--set",
      "topics.orders.slots=64", "--set", "topics.reports.slots=64"}},
    {"split", false, {"--layout", "split", "--pace", "max"}},
    {"split, yielding", false, {"--layout", "split", "--wait", "yield", "--pace", "max"}},
    {"split, at a rate", false, {"--layout", "split", "--pace", "20k/s"}},
    {"split, in real time", false, {"--layout", "split", "--pace", "100000x"}},
    {"split, small rings",
     false,
     {"--layout", "split", "--pace", "max", "--set", "topics.md.slots=64", "--set",
      "topics.orders.slots=64", "--set", "topics.judged.slots=64", "--set",
      "topics.reports.slots=64"}},
    {"split, stages stopped", true, {"--layout", "split", "--pace", "20k/s"}},
};

/* `first`: with which way to begin when not all are asked for. */
static void check_ways(fixture_t *f, const char *feed, const char *const *more, size_t first)
{
    static const char *const plain[] = {"--layout", "fused", "--pace", "max", NULL};
    const char *how[ARGUMENTS_MAX];
    add(how, add(how, 0, plain), more);
    char *wanted = start(f, feed, how, false);
    assert_null(strstr(wanted, "\"sent\": 0,"));
    for (unsigned run = 0; run < (runs() ? runs() : 1); run++)
        for (size_t i = runs() ? 0 : first; i < sizeof ways / sizeof *ways; i += runs() ? 1 : 2) {
            add(how, add(how, 0, ways[i].how), more);
            expect_same(ways[i].what, start(f, feed, how, ways[i].disturbed), wanted);
        }
    free(wanted);
}

static void however_the_host_runs_a_feed_the_same_is_decided(void **state)
{
    check_ways(*state, SYNTHETIC, NULL, 0);
}

static void two_strategies_decide_the_same_however_the_host_runs_them(void **state)
{
    static const char *const second[] = {"--set", "stages.other.kind=strategy", "--set",
                                         "stages.other.order_qty=300", NULL};
    check_ways(*state, SYNTHETIC, second, 1);
}

static void a_replay_decides_what_the_recorded_run_decided(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 16];
    snprintf(journal, sizeof journal, "%s/journal", f->scratch);
    const char *const live[] = {"--layout", "split", "--pace", "20k/s", "--journal", journal, NULL};
    char *wanted = start(f, SYNTHETIC, live, false);
    static const char *const layouts[] = {"fused", "split"};
    for (unsigned i = 0; i < 2; i++) {
        const char *argv[ARGUMENTS_MAX] = {TICKBUS_BUSCTL, "replay", journal,    "--name",
                                           f->name,        "--json", "--layout", layouts[i],
                                           "--pace",       "max",    NULL};
        add(argv, 10, eager);
        expect_same(layouts[i], decided(f, argv, false), wanted);
    }
    free(wanted);
}

static void by_the_clock_of_the_host_layouts_differ_and_the_summary_says_so(void **state)
{
    fixture_t *f = *state;
    static const char *const fused[] = {"--layout",         "fused", "--pace", "max", "--set",
                                        "venue.clock=host", NULL};
    static const char *const split[] = {"--layout",         "split", "--pace", "max", "--set",
                                        "venue.clock=host", NULL};
    char *together = start(f, SYNTHETIC, fused, false);
    char *apart = start(f, SYNTHETIC, split, false);
    assert_string_not_equal(together, apart);
    free(together);
    free(apart);
}

static void a_recorded_stream_gives_the_same_in_both_layouts(void **state)
{
    char path[MARKET_DATA_PATH_MAX], feed[MARKET_DATA_PATH_MAX + 8];
    if (!market_data_path("itch_aapl_20200130_5k/aapl_5k.itch", path))
        skip();
    snprintf(feed, sizeof feed, "itch:%s", path);
    check_ways(*state, feed, NULL, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(however_the_host_runs_a_feed_the_same_is_decided),
        TEST(two_strategies_decide_the_same_however_the_host_runs_them),
        TEST(a_replay_decides_what_the_recorded_run_decided),
        TEST(by_the_clock_of_the_host_layouts_differ_and_the_summary_says_so),
        TEST(a_recorded_stream_gives_the_same_in_both_layouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
