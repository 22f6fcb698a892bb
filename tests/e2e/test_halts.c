/* SPDX-License-Identifier: Apache-2.0 */
/* How long after the kill switch is thrown does the last order pass, and does any pass after the
 * executor has confirmed? Halts under load, with the supervisor running, stopped, stuck on its
 * terminal, and dead. A few of them every day, without a word about times; with TICKBUS_HALTS=1000
 * that many in all, and the times are printed.
 *
 * Reports carry the time at which the executor published them, and the switch those of its throw
 * and of the answer: nothing depends on when this program has its turn on a CPU.
 */
#include "tests/e2e/running_bus.h"

#include <signal.h>
#include <termios.h>

#include <tickbus/msg/report.h>
#include <tickbus/observer.h>

#include "risk/kill_switch.h"
#include "tools/control/members.h"

#define STATES    4u
#define HALTS_MAX 100000u
/* A ring of reports that we are not lapped on while a command begins. */
#define LOADED_FEED                                                                                \
    "--feed", "synth:seed=3,messages=4000000000,flow=plain", "--pace", "max", "--wait", "park",    \
        "--set", "topics.reports.slots=262144"

enum supervisor_is { RUNNING, STOPPED, STUCK, DEAD };

/* What is seen of the bus from outside, in ns of CLOCK_MONOTONIC. */
typedef struct view {
    tbus_bus_t bus;
    kill_switch_t *kill_switch;
    tbus_observer_t reports;
    uint64_t last_accepted_ns;
    uint64_t confirmed_ns; /* no order may pass from here, */
    uint64_t resumed_ns;   /* to here */
    unsigned too_late;     /* orders that did */
    uint64_t lost;
} view_t;

static void look_at(view_t *v, const fixture_t *f)
{
    tbus_rundir_t dir;
    members_t members;
    tbus_error_t err = {0};
    *v = (view_t){.resumed_ns = UINT64_MAX, .confirmed_ns = UINT64_MAX};
    assert_int_equal(tbus_rundir_open(false, &dir, &err), 0);
    assert_int_equal(members_read(&dir, f->bus, &members, &err), 0);
    assert_int_equal(members_attach(&members, f->bus, &v->bus, &err), 0);
    assert_int_equal(kill_switch_find(&v->bus, &v->kill_switch, &err), 0);
    assert_int_equal(
        tbus_observer_join(tbus_bus_ring(&v->bus, "reports"), TBUS_FROM_NOW, &v->reports, &err), 0);
    tbus_rundir_close(&dir);
}

static void take_report(view_t *v, const report_t *r)
{
    uint64_t sent_ns = v->bus.directory->epoch_ns + (r->sent & ((UINT64_C(1) << 48) - 1));
    bool passed =
        r->kind == REPORT_ACCEPTED || r->kind == REPORT_PARTIAL || r->kind == REPORT_FILLED;
    if (r->kind == REPORT_ACCEPTED && sent_ns > v->last_accepted_ns)
        v->last_accepted_ns = sent_ns;
    v->too_late += passed && sent_ns > v->confirmed_ns && sent_ns < v->resumed_ns;
}

static void read_reports(view_t *v)
{
    report_t r;
    size_t bytes;
    uint64_t seq, lost;
    while (tbus_observe(&v->reports, &r, &bytes, &seq, &lost) == 1) {
        v->lost += lost;
        take_report(v, &r);
    }
}

static void wait_for_an_order(view_t *v)
{
    uint64_t before_ns = v->last_accepted_ns;
    while (v->last_accepted_ns == before_ns) {
        read_reports(v);
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
}

/* CLOCK_REALTIME, which the switch has, as CLOCK_MONOTONIC. */
static uint64_t monotonic(uint64_t realtime_ns)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    return tbus_clock_ns() - (now_ns - realtime_ns);
}

typedef struct times {
    double *to_throw_us; /* from the command, or from the supervisor's death */
    double *to_last_us;  /* from the throw to the last order that passed; negative: before it */
    double *to_answer_us;
    unsigned count;
    unsigned unconfirmed; /* by the time the command ended */
} times_t;

static void one_halt(fixture_t *f, view_t *v, enum supervisor_is is, times_t *times)
{
    const char *const argv[] = {TICKBUS_BUSCTL, "halt", "--name", f->bus, "--reason", "now", NULL};
    program_t command = {.argv = argv};
    wait_for_an_order(v);
    v->confirmed_ns = v->resumed_ns = UINT64_MAX;
    if (is == STOPPED)
        kill(f->start.pid, SIGSTOP);
    if (is == DEAD)
        kill(f->start.pid, SIGKILL);
    uint64_t command_ns = tbus_clock_ns();
    assert_true(program_start(&command));
    while (!program_ended(&command)) {
        read_reports(v);
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
    /* Where the executor waits for a CPU for longer than the command does, it is unconfirmed. */
    if (command.exit_code != 0 && !strstr(command.err, "has not confirmed it"))
        fail_msg("exit code %d: %s", command.exit_code, command.err);
    times->unconfirmed += command.exit_code != 0;
    program_clear(&command);
    kill_switch_state_t state;
    kill_switch_look(v->kill_switch, &state);
    while (is != DEAD && (!state.answered || state.unconfirmed)) {
        read_reports(v);
        kill_switch_look(v->kill_switch, &state);
    }
    assert_true(state.thrown);
    /* With the supervisor dead the executor has halted by itself, and may have ended before the
     * command's own throw: then that first halt is what it has confirmed. */
    assert_true(state.answered || is == DEAD);
    assert_int_equal(state.unconfirmed, 0);
    /* An executor that has ended without a word, with all other stages, confirms by that. */
    v->confirmed_ns = state.answered_ns ? monotonic(state.answered_ns) : tbus_clock_ns();
    read_reports(v);
    uint64_t thrown_ns = monotonic(state.since_ns);
    unsigned i = times->count++;
    times->to_throw_us[i] = thrown_ns > command_ns ? (double)(thrown_ns - command_ns) / 1e3 : 0;
    times->to_last_us[i] = ((double)v->last_accepted_ns - (double)thrown_ns) / 1e3;
    times->to_answer_us[i] = ((double)v->confirmed_ns - (double)thrown_ns) / 1e3;
    if (is == STOPPED)
        kill(f->start.pid, SIGCONT);
}

static void resume(fixture_t *f, view_t *v)
{
    read_reports(v);
    v->resumed_ns = tbus_clock_ns();
    json_t *reply = ask(f, "risk.resume", json_pack("{s:s}", "reason", "measured"));
    assert_non_null(reply);
    json_decref(reply);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_series(const char *what, double *us, unsigned count)
{
    qsort(us, count, sizeof *us, ascending);
    unsigned above = 0;
    for (unsigned i = 0; i < count; i++)
        above += us[i] > 1000;
    print_message("  %-28s p50 %8.1f us, p99 %8.1f, max %8.1f; %u of %u above 1 ms\n", what,
                  us[count / 2], us[(uint64_t)(count - 1) * 99 / 100], us[count - 1], above, count);
}

/* A terminal that takes nothing, as after Ctrl-S; -1: there is none to be had. */
static int stopped_terminal(int *out_controller)
{
    *out_controller = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*out_controller < 0 || grantpt(*out_controller) < 0 || unlockpt(*out_controller) < 0)
        return -1;
    int terminal = open(ptsname(*out_controller), O_RDWR | O_NOCTTY | O_CLOEXEC);
    return terminal >= 0 && tcflow(terminal, TCOOFF) == 0 ? terminal : -1;
}

static int terminal_fd;

static void speak_to_nobody(void)
{
    dup2(terminal_fd, STDERR_FILENO);
}

static void start(fixture_t *f, view_t *v, enum supervisor_is is)
{
    const char *const argv[] = {TICKBUS_BUSCTL, "start", "--name", f->bus, LOADED_FEED, NULL};
    program_clear(&f->start);
    f->start = (program_t){.argv = argv, .in_child = is == STUCK ? speak_to_nobody : NULL};
    assert_true(program_start(&f->start));
    f->start.argv = NULL;
    json_decref(wait_for(f, 1000));
    for (unsigned i = 0; is == STUCK && i < 400; i++) { /* more than terminal and queue can hold */
        kill(f->start.pid, SIGUSR1);
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
    look_at(v, f);
}

static void halt_under_load(fixture_t *f, enum supervisor_is is, const char *what)
{
    const char *wanted = getenv("TICKBUS_HALTS");
    unsigned halts = wanted ? (unsigned)strtoul(wanted, NULL, 10) / STATES : 3;
    assert_in_range(halts, 1, HALTS_MAX);
    times_t times = {.to_throw_us = calloc(halts, sizeof(double)),
                     .to_last_us = calloc(halts, sizeof(double)),
                     .to_answer_us = calloc(halts, sizeof(double))};
    view_t v = {0};
    unsigned too_late = 0;
    uint64_t lost = 0;
    for (unsigned i = 0; i < halts; i++) {
        if (i == 0 || is == DEAD) {
            start(f, &v, is);
        }
        one_halt(f, &v, is, &times);
        if (is == DEAD) {
            program_wait(&f->start);
            while (processes_of(f->bus))
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
            remove_standing(f);
        } else {
            resume(f, &v);
        }
        read_reports(&v);
        if (is == DEAD || i + 1 == halts) {
            too_late += v.too_late;
            lost += v.lost;
            tbus_bus_close(&v.bus);
        }
    }
    if (is == DEAD) { /* the next start clears what the dead left */
        assert_int_equal(run(f, "start", SHORT_FEED, NULL), 0);
    } else {
        kill(f->start.pid, SIGINT);
        assert_ended_with(f, 0);
    }
    if (wanted) {
        print_message("%u halts, the supervisor %s:\n", halts, what);
        print_series(is == DEAD ? "its death -> throw" : "command -> throw", times.to_throw_us,
                     halts);
        print_series("throw -> last passed order", times.to_last_us, halts);
        print_series("throw -> acknowledgement", times.to_answer_us, halts);
        print_message("  %u orders after the acknowledgement; %u not confirmed in time; %llu "
                      "reports not seen\n",
                      too_late, times.unconfirmed, (unsigned long long)lost);
    }
    free(times.to_throw_us);
    free(times.to_last_us);
    free(times.to_answer_us);
    assert_int_equal(too_late, 0);
    assert_int_equal(lost, 0);
}

static void no_order_passes_after_a_halt_while_the_supervisor_runs(void **state)
{
    halt_under_load(*state, RUNNING, "running");
}

static void no_order_passes_after_a_halt_while_the_supervisor_is_stopped(void **state)
{
    halt_under_load(*state, STOPPED, "stopped");
}

static void no_order_passes_after_a_halt_while_the_supervisor_is_stuck_on_its_terminal(void **state)
{
    int controller;
    terminal_fd = stopped_terminal(&controller);
    if (terminal_fd < 0)
        skip();
    halt_under_load(*state, STUCK, "stuck on its terminal");
    close(terminal_fd);
    close(controller);
}

static void no_order_passes_after_a_halt_when_the_supervisor_is_dead(void **state)
{
    halt_under_load(*state, DEAD, "dead");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_order_passes_after_a_halt_while_the_supervisor_runs),
        TEST(no_order_passes_after_a_halt_while_the_supervisor_is_stopped),
        TEST(no_order_passes_after_a_halt_while_the_supervisor_is_stuck_on_its_terminal),
        TEST(no_order_passes_after_a_halt_when_the_supervisor_is_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
