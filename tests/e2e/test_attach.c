/* SPDX-License-Identifier: Apache-2.0 */
/* Asking and watching a bus while it runs. */
#include "tests/e2e/running_bus.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* --- while it runs */

static void status_shows_a_running_bus(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    const char *const json_argv[] = {TICKBUS_BUSCTL, "status", "--json", "--name", f->bus, NULL};
    const char *const text_argv[] = {TICKBUS_BUSCTL, "status", NULL};
    program_t status = {.argv = json_argv};
    assert_int_equal(program_run(&status), 0);
    json_t *summary = json_loads(status.out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(summary, "state")), "running");
    assert_string_equal(json_string_value(json_object_get(summary, "name")), f->bus);
    assert_true(number(summary, "feed", "messages") >= 1000);
    json_decref(summary);
    program_clear(&status);
    status = (program_t){.argv = text_argv};
    assert_int_equal(program_run(&status), 0);
    assert_text_holds(status.out, "running for");
    program_clear(&status);

    kill(f->start.pid, SIGUSR1); /* the same on stderr */
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    assert_text_holds(f->start.err, "messages/s\n             from synth");

    status = (program_t){.argv = text_argv};
    assert_int_equal(program_run(&status), 1);
    assert_text_holds(status.err, "no bus is running");
    program_clear(&status);
}

static void buses_of_different_names_run_side_by_side(void **state)
{
    fixture_t *f = *state;
    fixture_t other = *f;
    snprintf(other.bus, sizeof other.bus, "%.20s-2", f->bus);
    json_decref(begin(f, 100, ENDLESS_FEED, NULL));
    json_decref(begin(&other, 100, ENDLESS_FEED, NULL));
    const char *const argv[] = {TICKBUS_BUSCTL, "stop", NULL};
    program_t stop = {.argv = argv};
    assert_int_equal(program_run(&stop), 1);
    assert_text_holds(stop.err, "2 buses are running");
    assert_text_holds(stop.err, "--name");
    program_clear(&stop);
    kill(f->start.pid, SIGTERM);
    assert_ended_with(f, 0);
    json_t *summary = ask(&other, "status", NULL);
    assert_string_equal(json_string_value(json_object_get(summary, "state")), "running");
    json_decref(summary);
    kill(other.start.pid, SIGTERM);
    assert_ended_with(&other, 0);
    program_clear(&other.start);
}

/* busctl VERB --reason REASON: its exit code, and that it says `says` if that is not NULL. */
static int turn(const char *verb, const char *reason, const char *says)
{
    const char *const argv[] = {TICKBUS_BUSCTL, verb, "--reason", reason, NULL};
    program_t p = {.argv = argv};
    int code = program_run(&p);
    if (says)
        assert_text_holds(p.err, says);
    else
        assert_string_equal(p.err, "");
    program_clear(&p);
    return code;
}

static uint64_t refused_by_the_kill_switch(const json_t *summary)
{
    return number(json_object_get(summary, "risk"), "rejects", "kill_switch");
}

/* Wait until `more` is beyond what it was. */
static void wait_until_more(const fixture_t *f, uint64_t (*more)(const json_t *summary))
{
    uint64_t before = 0;
    for (bool first = true;; first = false) {
        json_t *summary = ask(f, "status", NULL);
        uint64_t now = more(summary);
        json_decref(summary);
        if (first)
            before = now;
        else if (now > before)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static uint64_t passed_by_risk(const json_t *summary)
{
    return number(summary, "risk", "passed");
}

static void the_kill_switch_stops_orders_and_nothing_else(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 5000, ENDLESS_FEED, "--json", NULL));
    assert_null(ask(f, "risk.resume", NULL)); /* not without a reason */
    assert_null(ask(f, "risk.resume", json_pack("{s:s}", "reason", "\033[2J")));
    assert_int_equal(turn("resume", "too early", "risk is not halted"), 1);
    assert_int_equal(turn("halt", "a test wants it", NULL), 0);
    wait_until_more(f, refused_by_the_kill_switch);
    json_t *halted = ask(f, "status", NULL);
    const json_t *risk = json_object_get(halted, "risk");
    assert_true(json_is_true(json_object_get(risk, "halted")));
    assert_string_equal(json_string_value(json_object_get(risk, "halt_reason")), "a test wants it");
    json_decref(halted);
    assert_int_equal(turn("resume", "it has seen enough", NULL), 0);
    wait_until_more(f, passed_by_risk);
    json_t *answer = ask(f, "risk.halt", json_pack("{s:s}", "reason", "for good"));
    assert_true(json_is_true(json_object_get(answer, "halted")));
    json_decref(answer);
    wait_until_more(f, refused_by_the_kill_switch);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    assert_text_holds(f->start.err, "risk halted: a test wants it");
    assert_text_holds(f->start.err, "risk resumed: it has seen enough");
    json_t *summary = final_object(f);
    assert_complete(summary);
    assert_int_equal(number(summary, "executor", "open_orders"), 0);
    assert_int_equal(json_array_size(json_object_get(summary, "notes")), 3);
    json_decref(summary);
}

/* --- limits, read again at SIGHUP */

static uint64_t refused_for_their_quantity(const json_t *summary)
{
    return number(json_object_get(summary, "risk"), "rejects", "max_order_qty");
}

static uint64_t changes_of_limits(const json_t *summary)
{
    return number(summary, "risk", "limits_changes");
}

static void a_hangup_puts_new_risk_limits_in_force_if_the_whole_file_is_right(void **state)
{
    fixture_t *f = *state;
    char path[128], place[200];
    snprintf(path, sizeof path, "%s/limits.yaml", f->runtime);
    assert_true(file_write(path, "risk:\n  max_order_qty: 5000\n", 28));
    json_decref(
        begin(f, 3000, ENDLESS_FEED, "--json", "-c", path, "--set", "risk.collar_e4=700", NULL));

    snprintf(place, sizeof place, "risk limits stay as they are: %s:3:17: ", path);
    hang_up(f, path, "risk:\n  max_order_qty: 10\n  position_max: -1\n", place);
    hang_up(f, path, "risk: {max_order_qty: 10, open_orders_max: 20000}\n",
            "risk.open_orders_max cannot become 20000");
    hang_up(f, path, "risk: {max_order_qty: 5000}\n", "no risk limit has changed");
    wait_until_more(f, passed_by_risk);
    json_t *summary = ask(f, "status", NULL);
    assert_int_equal(changes_of_limits(summary), 0);
    assert_int_equal(refused_for_their_quantity(summary), 0);
    json_decref(summary);

    /* The collar of the flag stays. */
    hang_up(f, path, "risk: {max_order_qty: 10}\nbooks: {orders_max: 2000000}\n",
            "risk limits changed: risk.max_order_qty from 5000 to 10\n");
    wait_until_more(f, refused_for_their_quantity);
    hang_up(f, path, "{}\n",
            "risk.max_order_qty stood in line 1 and is missing now"); /* no default */
    hang_up(f, path, "risk: {max_order_qty: 10000}\nbooks: {orders_max: 2000000}\n",
            "risk limits changed: risk.max_order_qty from 10 to 10000\n");
    wait_until_more(f, passed_by_risk);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    assert_text_holds(f->start.err, "not what else has changed: books.orders_max\n");
    summary = final_object(f);
    assert_complete(summary);
    assert_int_equal(changes_of_limits(summary), 2);
    json_decref(summary);
}

static void a_hangup_without_a_file_changes_nothing(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 100, ENDLESS_FEED, "--json", NULL));
    kill(f->start.pid, SIGHUP);
    wait_until_more(f, passed_by_risk);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    assert_text_holds(f->start.err, "nothing is changed");
}

/* --- tap */

static void tap_prints_as_many_messages_as_it_is_told(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    const char *const argv[] = {TICKBUS_BUSCTL, "tap",    "md",     "--json", "--count",
                                "50",           "--from", "oldest", NULL};
    program_t tap = {.argv = argv};
    assert_int_equal(program_run(&tap), 0);
    unsigned lines = 0;
    json_int_t seq = 0;
    for (char *line = strtok(tap.out, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        json_t *message = json_loads(line, 0, NULL);
        assert_non_null(message);
        assert_int_equal(json_integer_value(json_object_get(message, "seq")), ++seq);
        json_decref(message);
    }
    assert_int_equal(lines, 50);
    program_clear(&tap);
    const char *const wrong[] = {TICKBUS_BUSCTL, "tap", "nothing", NULL};
    tap = (program_t){.argv = wrong};
    assert_int_equal(program_run(&tap), 1);
    assert_text_holds(tap.err,
                      "there is no topic 'nothing'; there are: md, bbo, orders, judged, approved, "
                      "events, inputs, reports");
    program_clear(&tap);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

/* The messages of md that `busctl tap` shows: from which on, how many, and that each follows on the
 * one before. */
static unsigned tap_in_a_row(const char *from, const char *to, const char *count,
                             uint64_t *out_first)
{
    const char *const argv[] = {TICKBUS_BUSCTL, "tap", "md",      "--json", "--from", from,
                                "--to",         to,    "--count", count,    NULL};
    program_t tap = {.argv = argv};
    if (program_run(&tap) != 0)
        fail_msg("--from %s: %s", from, tap.err);
    unsigned lines = 0;
    uint64_t next = 0;
    for (char *line = strtok(tap.out, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        uint64_t seq = strtoull(line + strlen("{\"seq\":"), NULL, 10);
        if (lines == 0)
            *out_first = next = seq;
        if (seq != next++)
            fail_msg("--from %s: %s comes where %llu was to come", from, line,
                     (unsigned long long)next - 1);
    }
    program_clear(&tap);
    return lines;
}

/* The ring has the last 1,024 messages; of what went before only the recording knows. */
static void tap_begins_in_the_recording_and_goes_on_with_what_comes(void **state)
{
    fixture_t *f = *state;
    char journal[128];
    uint64_t first = 0;
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    json_decref(begin(f, 8000, ENDLESS_FEED, "--journal", journal, "--set", "topics.md.slots=1024",
                      "--set", "journal.segment_bytes=262144", NULL));
    assert_int_equal(tap_in_a_row("seq:1", "seq:999999999", "12000", &first), 12000);
    assert_int_equal(first, 1);
    assert_int_equal(tap_in_a_row("oldest", "seq:5001", "100000", &first), 5000);
    assert_int_equal(first, 1);
    assert_int_equal(tap_in_a_row("seq:3000", "seq:3100", "100000", &first), 100);
    assert_int_equal(first, 3000);
    assert_true(tap_in_a_row("-100ms", "now", "100000000", &first) > 0);
    assert_true(first > 1000);
    /* the market of this feed begins before 09:30 */
    assert_true(tap_in_a_row("09:30", "09:30:00.01", "100000000", &first) > 0);
    assert_true(first > 1);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

/* The ring has a second of this feed: a tap that waits for a CPU is not lapped. */
static void tap_of_what_is_not_recorded_has_what_the_ring_still_has(void **state)
{
    fixture_t *f = *state;
    uint64_t first = 0;
    json_decref(
        begin(f, 2000, ENDLESS_FEED, "--pace", "1000/s", "--set", "topics.md.slots=1024", NULL));
    const char *const argv[] = {TICKBUS_BUSCTL, "tap", "md", "--from", "-5m", NULL};
    const char *const lost[] = {TICKBUS_BUSCTL, "tap",     "md", "--from",
                                "seq:1",        "--count", "10", NULL};
    program_t tap = {.argv = argv};
    assert_int_equal(program_run(&tap), 1);
    assert_text_holds(tap.err, "the bus is not recorded");
    program_clear(&tap);
    tap = (program_t){.argv = lost};
    assert_int_equal(program_run(&tap), 0);
    assert_text_holds(tap.err, "messages before");
    program_clear(&tap);
    assert_int_equal(tap_in_a_row("oldest", "seq:999999999", "100", &first), 100);
    assert_true(first > 900);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

/* Orders and reports carry a locate: their symbols were told long before the tap came. */
static void tap_shows_the_symbol_of_every_order_and_report(void **state)
{
    fixture_t *f = *state;
    static const char *const topics[] = {"orders", "approved", "reports"};
    json_decref(begin(f, 10000, ENDLESS_FEED, NULL));
    for (unsigned i = 0; i < 3; i++) {
        const char *const argv[] = {TICKBUS_BUSCTL, "tap",    topics[i], "--json", "--count",
                                    "40",           "--name", f->bus,    NULL};
        program_t tap = {.argv = argv};
        assert_int_equal(program_run(&tap), 0);
        unsigned lines = 0;
        for (char *line = strtok(tap.out, "\n"); line; line = strtok(NULL, "\n"), lines++) {
            json_t *message = json_loads(line, 0, NULL);
            const char *symbol = json_string_value(json_object_get(message, "symbol"));
            char wanted[16];
            snprintf(wanted, sizeof wanted, "SYN%03u",
                     (unsigned)json_integer_value(json_object_get(message, "locate")));
            if (!symbol || strcmp(symbol, wanted) != 0)
                fail_msg("%s: not of %s", line, wanted);
            json_decref(message);
        }
        assert_int_equal(lines, 40);
        program_clear(&tap);
    }
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
}

static void tap_ends_with_the_bus_and_holds_nobody_up(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    const char *const argv[] = {TICKBUS_BUSCTL, "tap", "md", "--from", "oldest", NULL};
    program_t tap = {.argv = argv};
    program_t held = {.argv = argv}; /* one that hangs */
    assert_true(program_start(&tap) && program_start(&held));
    kill(held.pid, SIGSTOP);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
    program_wait(&tap);
    if (tap.exit_code != 0) /* it came too late to attach */
        assert_text_holds(tap.err, "no bus");
    else
        assert_true(tap.out_bytes > 0);
    program_clear(&tap);
    program_clear(&held);
}

static void tap_writes_to_a_named_pipe_and_takes_it_away_again(void **state)
{
    fixture_t *f = *state;
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/pipe", f->runtime);
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    const char *const tap_argv[] = {TICKBUS_BUSCTL, "tap", "md",     "--fifo", path,
                                    "--count",      "20",  "--from", "oldest", NULL};
    const char *const cat_argv[] = {"bash", "-c", "until [ -p \"$0\" ]; do :; done; wc -l <\"$0\"",
                                    path, NULL};
    program_t tap = {.argv = tap_argv};
    program_t cat = {.argv = cat_argv};
    assert_true(program_start(&tap) && program_start(&cat));
    program_wait(&tap);
    program_wait(&cat);
    assert_int_equal(tap.exit_code, 0);
    assert_string_equal(cat.out, "20\n");
    assert_true(stat(path, &st) < 0 && errno == ENOENT);
    program_clear(&tap);
    program_clear(&cat);

    assert_true(file_write(path, "a file", 6));
    tap = (program_t){.argv = tap_argv};
    assert_int_equal(program_run(&tap), 1);
    assert_text_holds(tap.err, "not a named pipe");
    program_clear(&tap);
    size_t bytes;
    char *kept = file_read(path, &bytes);
    assert_string_equal(kept, "a file");
    free(kept);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

static void tap_ends_quietly_when_nobody_reads_it(void **state)
{
    fixture_t *f = *state;
    char script[400];
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    snprintf(script, sizeof script, "set -o pipefail; '%s' tap md --from oldest | head -n 3",
             TICKBUS_BUSCTL);
    const char *const argv[] = {"bash", "-c", script, NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    assert_string_equal(p.err, "");
    program_clear(&p);
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

static void close_stdout(void)
{
    close(STDOUT_FILENO);
}

static void write_to_a_full_device(void)
{
    dup2(open("/dev/full", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
}

static void fail_to_print(const char *const *argv, void (*in_child)(void), const char *why)
{
    char says[120];
    program_t p = {.argv = argv, .in_child = in_child};
    snprintf(says, sizeof says, "busctl %s: cannot write to stdout: %s\n", argv[1], why);
    assert_int_equal(program_run(&p), 1);
    assert_string_equal(p.err, says);
    program_clear(&p);
}

static void what_cannot_be_written_is_a_failure_in_one_sentence(void **state)
{
    fixture_t *f = *state;
    json_decref(begin(f, 1000, ENDLESS_FEED, NULL));
    const char *const follow[] = {TICKBUS_BUSCTL, "tap", "md", "--from", "oldest", NULL};
    const char *const few[] = {TICKBUS_BUSCTL, "tap",     "md", "--from",
                               "oldest",       "--count", "3",  NULL};
    const char *const status[] = {TICKBUS_BUSCTL, "status", "--json", NULL};
    const char *const *const lines[] = {follow, few, status};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        fail_to_print(lines[i], close_stdout, "Bad file descriptor");
        fail_to_print(lines[i], write_to_a_full_device, "No space left on device");
    }
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(status_shows_a_running_bus),
        TEST(buses_of_different_names_run_side_by_side),
        TEST(the_kill_switch_stops_orders_and_nothing_else),
        TEST(a_hangup_puts_new_risk_limits_in_force_if_the_whole_file_is_right),
        TEST(a_hangup_without_a_file_changes_nothing),
        TEST(tap_prints_as_many_messages_as_it_is_told),
        TEST(tap_begins_in_the_recording_and_goes_on_with_what_comes),
        TEST(tap_of_what_is_not_recorded_has_what_the_ring_still_has),
        TEST(tap_shows_the_symbol_of_every_order_and_report),
        TEST(tap_ends_with_the_bus_and_holds_nobody_up),
        TEST(tap_writes_to_a_named_pipe_and_takes_it_away_again),
        TEST(tap_ends_quietly_when_nobody_reads_it),
        TEST(what_cannot_be_written_is_a_failure_in_one_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
