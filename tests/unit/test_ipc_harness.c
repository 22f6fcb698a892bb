/* SPDX-License-Identifier: Apache-2.0 */
/* The harness of busctl ipc: its arithmetic, its order and advice, and what it makes of mechanisms
 * that are wrong and of peers that die. Mechanisms that misbehave on purpose stand here; the real
 * ones are run by e2e/test_ipc_smoke.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/tmpdir.h"
#include "tools/ipc/columns.h"
#include "tools/ipc/death.h"
#include "tools/measure/percentile.h"
#include "tools/ipc/report.h"

#define MS UINT64_C(1000000)

/* ---- figures */

static void a_median_is_the_middle_value_or_the_mean_of_two(void **state)
{
    (void)state;
    series_t s = {0};
    assert_true(isnan(series_median(&s)));
    assert_true(isnan(series_noise(&s)));
    series_add(&s, 30);
    assert_true(series_median(&s) == 30);
    series_add(&s, 10);
    assert_true(series_median(&s) == 20);
    series_add(&s, 1000);
    assert_true(series_median(&s) == 30);
    assert_true(series_min(&s) == 10);
    assert_true(series_max(&s) == 1000);
    assert_true(s.values[0] == 30 && s.values[1] == 10); /* the order of the rounds stays */
}

static void noise_is_the_median_deviation_and_not_moved_by_one_outlier(void **state)
{
    (void)state;
    series_t s = {0};
    const double values[5] = {100, 102, 98, 101, 5000};
    for (int i = 0; i < 5; i++)
        series_add(&s, values[i]);
    /* deviations 1, 1, 3, 0, 4899 from 101 */
    assert_true(fabs(series_noise(&s) - 1.0 / 101) < 1e-9);
}

static void a_series_holds_no_more_rounds_than_it_has_room_for(void **state)
{
    (void)state;
    series_t s = {0};
    for (unsigned i = 0; i < SERIES_ROUNDS_MAX + 10; i++)
        series_add(&s, i);
    assert_int_equal(s.count, SERIES_ROUNDS_MAX);
}

static void percentiles_are_finer_than_the_buckets(void **state)
{
    (void)state;
    static tbus_histogram_t h;
    assert_true(isnan(percentile_ns(&h, 500000)));
    for (uint64_t ns = 1; ns <= 10000; ns++)
        tbus_histogram_record(&h, ns);
    const struct {
        uint32_t per_million;
        double exact;
    } ranks[] = {{500000, 5000}, {990000, 9900}, {999000, 9990}, {1000000, 10000}};
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++)
        assert_true(fabs(percentile_ns(&h, ranks[i].per_million) - ranks[i].exact) <= 1);
    assert_true(percentile_ns(&h, 1000000) == 10000); /* the maximum is exact */
}

static void figures_have_three_digits_and_a_unit(void **state)
{
    (void)state;
    assert_string_equal(figure_ns(359.4).text, "359 ns");
    assert_string_equal(figure_ns(999.7).text, "1.00 us");
    assert_string_equal(figure_ns(12650).text, "12.7 us");
    assert_string_equal(figure_ns(4.02e6).text, "4.02 ms");
    assert_string_equal(figure_ns(1.5e9).text, "1.50 s");
    assert_string_equal(figure_ns(NAN).text, "-");
    assert_string_equal(figure_rate(84.12e6).text, "84.1 M");
    assert_string_equal(figure_rate(612345).text, "612 k");
    assert_string_equal(figure_ratio(0.974).text, "0.97");
    assert_string_equal(figure_ratio(0.0049).text, "<0.01");
    assert_string_equal(figure_ratio(0).text, "0.00");
    assert_string_equal(figure_ratio(2210).text, "2,210");
    assert_string_equal(figure_bytes(64).text, "64 B");
    assert_string_equal(figure_bytes(65536).text, "64 KiB");
    assert_string_equal(figure_byte_rate(14.09e6).text, "14.1 MB/s");
    assert_string_equal(figure_byte_rate(2.414e9).text, "2.41 GB/s");
    assert_string_equal(figure_byte_rate(NAN).text, "-");
}

static void rounds_are_odd_and_at_least_five(void **state)
{
    (void)state;
    assert_int_equal(ipc_rounds_for(MS), 5);
    assert_int_equal(ipc_rounds_for(10000 * MS), 5);
    assert_int_equal(ipc_rounds_for(20000 * MS), 11);
    assert_int_equal(ipc_rounds_for(3600000 * MS), 25);
}

/* ---- order and advice, on a measurement made by hand */

enum { SLOW, FAST, BLIND, ABSENT, RING, MADE };

static const ipc_mechanism_t made[MADE] = {
    [SLOW] = {.name = "slow",
              .family = "x",
              .scope = "network",
              .transfers_data = true,
              .synchronises = true,
              .sleeps = true},
    [FAST] = {.name = "fast",
              .family = "x",
              .scope = "host",
              .transfers_data = true,
              .why_ahead = "it cuts corners"},
    [BLIND] =
        {.name = "blind", .family = "x", .scope = "host", .synchronises = true, .sleeps = true},
    [ABSENT] = {.name = "absent", .family = "x", .scope = "host", .transfers_data = true},
    [RING] = {.name = "ring",
              .family = "tickbus",
              .scope = "host",
              .transfers_data = true,
              .synchronises = true},
};

static void make_row(ipc_row_t *row, const ipc_mechanism_t *m, enum ipc_placement placement,
                     double p50_ns, double rate, uint64_t cpu_ns)
{
    memset(row, 0, sizeof *row);
    row->mechanism = m;
    row->placement = placement;
    row->cpus_count = placement == IPC_TWO_CPUS ? 2 : 1;
    row->cpus[1] = placement == IPC_TWO_CPUS;
    row->available = m != &made[ABSENT];
    memcpy(row->stream_bytes, (const size_t[IPC_SIZES_COUNT]){64, 1024, 65536},
           sizeof row->stream_bytes);
    if (!row->available) {
        snprintf(row->why_not, sizeof row->why_not, "this host has none");
        return;
    }
    for (int round = -1; round <= 1; round++) {
        series_add(&row->p50_ns, p50_ns + round);
        series_add(&row->p99_ns, p50_ns * 2);
        series_add(&row->p99_9_ns, p50_ns * 3);
        series_add(&row->max_ns, p50_ns * 4);
        series_add(&row->ratio, (p50_ns + round) / 100);
        series_add(m->transfers_data ? &row->rates[0] : &row->synchronisations, rate);
    }
    row->roundtrip_usage =
        (ipc_usage_t){.messages = 10, .cpu_ns = cpu_ns * 10, .syscalls = 20, .context_switches = 5};
    row->roundtrips_count = 3;
}

static ipc_row_t made_rows[MADE * IPC_PLACEMENTS];

static ipc_measurement_t make_measurement(void)
{
    static const double p50_ns[MADE] = {9000, 200, 700, 0, 300};
    static const double rates[MADE] = {1e5, 5e7, 9e8, 0, 6e7};
    static const uint64_t cpu_ns[MADE] = {50, 400, 60, 0, 300};
    ipc_measurement_t m = {.plan = {.message_bytes = 64, .cpus_count = 2, .rounds = 3},
                           .rounds = 3,
                           .rows = made_rows};
    for (int i = 0; i < MADE; i++)
        for (int placement = 0; placement < IPC_PLACEMENTS; placement++)
            make_row(&made_rows[m.rows_count++], &made[i], (enum ipc_placement)placement, p50_ns[i],
                     rates[i], cpu_ns[i]);
    for (int placement = 0; placement < IPC_PLACEMENTS; placement++)
        make_row(&m.raw[placement], &ipc_raw_line, (enum ipc_placement)placement, 100, 1, 100);
    return m;
}

static void check_order(const ipc_measurement_t *m, enum ipc_sort sort, const int *expected)
{
    const ipc_row_t *rows[MADE];
    assert_int_equal(ipc_ranked(m, IPC_TWO_CPUS, sort, rows), MADE);
    for (int i = 0; i < MADE; i++) {
        assert_string_equal(rows[i]->mechanism->name, made[expected[i]].name);
        assert_int_equal(rows[i]->placement, IPC_TWO_CPUS);
    }
}

static void rows_are_sorted_by_what_is_asked_for_and_those_without_figures_come_last(void **state)
{
    (void)state;
    ipc_measurement_t m = make_measurement();
    check_order(&m, IPC_SORT_LATENCY, (const int[]){FAST, RING, BLIND, SLOW, ABSENT});
    /* Signals are no messages, however many there are. */
    check_order(&m, IPC_SORT_THROUGHPUT, (const int[]){RING, FAST, SLOW, BLIND, ABSENT});
    check_order(&m, IPC_SORT_CPU, (const int[]){SLOW, BLIND, RING, FAST, ABSENT});
    assert_int_equal(ipc_sort_find("cpu"), IPC_SORT_CPU);
    assert_int_equal(ipc_sort_find("speed"), -1);
}

static const char *advice_for(const ipc_advice_t *advice, uint32_t count, const char *when)
{
    for (uint32_t i = 0; i < count; i++)
        if (strstr(advice[i].when, when))
            return advice[i].row->mechanism->name;
    return "nothing";
}

static void advice_takes_the_best_that_can_do_what_the_case_needs(void **state)
{
    (void)state;
    ipc_measurement_t m = make_measurement();
    ipc_advice_t advice[IPC_ADVICE_MAX];
    uint32_t count = ipc_advise(&m, IPC_SORT_LATENCY, advice);
    assert_string_equal(advice[0].row->mechanism->name, "fast");
    assert_string_equal(advice_for(advice, count, "burnt"), "slow");
    assert_string_equal(advice_for(advice, count, "another host"), "slow");
    assert_string_equal(advice_for(advice, count, "wake"), "blind");
    assert_string_equal(advice_for(advice, count, "outlive"), "nothing");
    ipc_advise(&m, IPC_SORT_THROUGHPUT, advice);
    assert_string_equal(advice[0].row->mechanism->name, "ring");
}

static void a_faster_rival_of_tickbus_is_named_with_ratio_and_reason(void **state)
{
    (void)state;
    ipc_measurement_t m = make_measurement();
    ipc_note_t notes[IPC_NOTES_MAX];
    assert_int_equal(ipc_beaten(&m, notes), 2); /* round trips, in either placement; not the rate */
    assert_non_null(strstr(notes[0].text, "fast is 1.50 times as fast as ring: it cuts corners"));
}

/* ---- JSON */

static json_t *member(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    if (!value)
        fail_msg("no member '%s'", key);
    return value;
}

static void check_entry(const json_t *entry)
{
    static const char *const percentiles[] = {"p50", "p99", "p99_9", "max"};
    static const char *const sizes[] = {"64", "1024", "65536"};
    bool available = json_is_true(member(entry, "available"));
    assert_true(json_is_string(member(entry, "name")));
    assert_true(json_is_string(member(entry, "scope")));
    assert_true(json_is_boolean(member(entry, "transfers_data")));
    assert_true(json_is_boolean(member(entry, "synchronises")));
    assert_int_equal(json_is_null(member(entry, "why_not")), available);
    assert_in_range(json_array_size(member(entry, "cpus")), 1, 2);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(json_is_number(member(member(entry, "roundtrip_ns"), percentiles[i])),
                         available);
    bool any = false;
    for (size_t i = 0; i < 3; i++)
        any = json_is_number(member(member(entry, "messages_per_s"), sizes[i])) || any;
    assert_int_equal(any, available && json_is_true(member(entry, "transfers_data")));
    assert_int_equal(json_is_number(member(entry, "cpu_ns_per_message")), available);
    assert_int_equal(json_is_number(member(entry, "syscalls_per_message")), available);
    assert_int_equal(json_is_number(member(entry, "context_switches_per_message")), available);
}

static void json_has_an_entry_for_every_mechanism_and_placement(void **state)
{
    (void)state;
    ipc_measurement_t m = make_measurement();
    host_t host;
    host_read(&host);
    json_t *o = ipc_report_json(&m, &host, IPC_SORT_LATENCY);
    assert_int_equal(json_integer_value(json_object_get(o, "schema")), 1);
    assert_non_null(json_object_get(o, "version"));
    assert_non_null(json_object_get(json_object_get(o, "host"), "load"));
    assert_non_null(o);
    const json_t *entries = member(o, "mechanisms");
    assert_int_equal(json_array_size(entries), MADE * 2);
    for (size_t i = 0; i < MADE * 2; i++)
        check_entry(json_array_get(entries, i));
    assert_string_equal(json_string_value(member(json_array_get(entries, 0), "name")), "fast");
    assert_int_equal(json_array_size(member(o, "raw")), 2);
    assert_int_equal(json_integer_value(member(o, "size")), 64);
    assert_true(json_number_value(member(json_array_get(entries, 0), "syscalls_per_message")) == 2);
    json_decref(o);
}

static void json_figures_have_no_more_digits_than_they_are_worth(void **state)
{
    (void)state;
    ipc_measurement_t m = make_measurement();
    m.elapsed_ns = UINT64_C(10123456789);
    for (uint32_t i = 0; i < m.rows[FAST * 2].p50_ns.count; i++)
        m.rows[FAST * 2].p50_ns.values[i] = 1000.0 / 3;
    host_t host;
    host_read(&host);
    json_t *o = ipc_report_json(&m, &host, IPC_SORT_LATENCY);
    assert_true(json_number_value(member(o, "elapsed_s")) == 10.1235);
    const json_t *fast = NULL;
    for (size_t i = 0; !fast || strcmp(json_string_value(member(fast, "name")), "fast") != 0; i++)
        fast = json_array_get(member(o, "mechanisms"), i);
    assert_string_equal(json_string_value(member(fast, "name")), "fast");
    assert_true(json_number_value(member(member(fast, "roundtrip_ns"), "p50")) == 333.333);
    json_decref(o);
}

/* ---- trials */

/* Says that it has sent, and has not. */
static int send_nothing(ipc_session_t *s, const void *message)
{
    (void)s;
    (void)message;
    return 0;
}

static int one_trial(const ipc_mechanism_t *m, enum ipc_trial_kind kind, ipc_trial_result_t *result,
                     tbus_error_t *err)
{
    int cpus[2];
    const char *why;
    host_pick_cpus(cpus, &why);
    ipc_leftovers_t leftovers;
    assert_int_equal(ipc_leftovers_open(&leftovers, err), 0);
    ipc_trial_area_t *area = ipc_trial_area_new();
    assert_non_null(area);
    ipc_trial_spec_t spec = {.mechanism = m,
                             .kind = kind,
                             .message_bytes = 64,
                             .cpus = {cpus[0], cpus[1]},
                             .duration_ns = 5 * MS,
                             .grace_ns = m->send == send_nothing ? 200 * MS : 0};
    int code = ipc_trial_run(&spec, &leftovers, area, result, err);
    ipc_trial_area_free(area);
    ipc_leftovers_close(&leftovers);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(entries_in(scratch), 0);
    return code;
}

static void a_round_trip_is_two_messages_and_at_least_one_is_timed(void **state)
{
    (void)state;
    ipc_trial_result_t r;
    tbus_error_t err = {0};
    assert_int_equal(one_trial(ipc_mechanism_find("pipe"), IPC_ROUNDTRIP, &r, &err), 0);
    assert_true(r.messages >= 2 && r.messages % 2 == 0);
    assert_in_range(tbus_load_relaxed_u64(&r.roundtrips.count), 1, r.messages / 2);
    assert_int_equal(r.syscalls, r.messages * 2); /* each message is one write and one read */
    assert_true(r.cpu_ns > 0 && r.elapsed_ns >= 5 * MS);
}

/* A pipe that does something wrong: `wrong` is asked about each message that goes out. */
static uint64_t sends;
static unsigned char wrong_copy[64];

static int send_flipped(ipc_session_t *s, const void *message)
{
    memcpy(wrong_copy, message, sizeof wrong_copy);
    if (s->role == IPC_CLIENT && ++sends == 1)
        wrong_copy[63] ^= 1;
    return ipc_mechanism_find("pipe")->send(s, wrong_copy);
}

static int send_losing(ipc_session_t *s, const void *message)
{
    return ++sends == 1 ? 0 : ipc_mechanism_find("pipe")->send(s, message);
}

static int send_twice(ipc_session_t *s, const void *message)
{
    int code = ipc_mechanism_find("pipe")->send(s, message);
    return code == 0 && ++sends == 1 ? ipc_mechanism_find("pipe")->send(s, message) : code;
}

static int send_failing(ipc_session_t *s, const void *message)
{
    (void)s;
    (void)message;
    return -EDQUOT;
}

static int open_failing(ipc_session_t *s, tbus_error_t *err)
{
    return s->role == IPC_SERVER ? tbus_fail(err, -EMFILE, "no more descriptors, says the test")
                                 : 0;
}

static void expect_failure(ipc_mechanism_t broken, enum ipc_trial_kind kind, int expected,
                           const char *text)
{
    ipc_trial_result_t r;
    tbus_error_t err = {0};
    sends = 0;
    assert_int_equal(one_trial(&broken, kind, &r, &err), expected);
    if (!strstr(err.text, text))
        fail_msg("'%s' is not in '%s'", text, err.text);
}

static void one_wrong_bit_one_lost_and_one_doubled_message_are_noticed(void **state)
{
    (void)state;
    ipc_mechanism_t broken = *ipc_mechanism_find("pipe");
    broken.name = "broken";
    broken.send = send_flipped;
    expect_failure(broken, IPC_ROUNDTRIP, -EBADMSG, "message 0 of 64 bytes arrived wrong");
    broken.send = send_flipped;
    expect_failure(broken, IPC_STREAM, -EBADMSG, "the server: message 0");
    broken.send = send_losing;
    expect_failure(broken, IPC_STREAM, -EBADMSG, "message 0");
    broken.send = send_twice;
    expect_failure(broken, IPC_STREAM, -EBADMSG, "message 1");
}

static void a_mechanism_that_fails_is_told_with_side_and_reason(void **state)
{
    (void)state;
    ipc_mechanism_t broken = *ipc_mechanism_find("pipe");
    broken.name = "broken";
    broken.send = send_failing;
    expect_failure(broken, IPC_STREAM, -EDQUOT, "broken: the client: send of message 0");
    broken.open = open_failing;
    expect_failure(broken, IPC_STREAM, -EMFILE, "broken: the server: no more descriptors");
}

static void a_mechanism_that_hangs_is_killed_when_it_is_overdue(void **state)
{
    (void)state;
    ipc_mechanism_t broken = *ipc_mechanism_find("pipe");
    broken.name = "broken";
    broken.send = send_nothing;
    expect_failure(broken, IPC_ROUNDTRIP, -ETIMEDOUT, "hung");
}

static void the_survivor_of_a_pipe_sees_end_of_file_and_epipe(void **state)
{
    (void)state;
    ipc_trial_result_t r;
    tbus_error_t err = {0};
    char text[120];
    assert_int_equal(one_trial(ipc_mechanism_find("pipe"), IPC_DEATH_RECEIVE, &r, &err), 0);
    assert_true(r.death_returned);
    assert_int_equal(r.death_code, IPC_END_OF_FILE);
    ipc_death_describe(IPC_DEATH_RECEIVE, &r, text, sizeof text);
    assert_non_null(strstr(text, "end of file after "));
    assert_int_equal(one_trial(ipc_mechanism_find("pipe"), IPC_DEATH_SEND, &r, &err), 0);
    assert_int_equal(r.death_code, -EPIPE);
    ipc_death_describe(IPC_DEATH_SEND, &r, text, sizeof text);
    assert_string_equal(text, "EPIPE");
}

/* Ends with the server, holding nothing of it: then lets the client stand still for three watches
 * more. */
static void continue_later(pid_t client, int server_ends)
{
    char byte;
    const struct timespec three_watches = {.tv_nsec = 3 * (long)IPC_DEATH_WATCH_NS};
    while (read(server_ends, &byte, 1) < 0 && errno == EINTR) {
    }
    nanosleep(&three_watches, NULL);
    kill(client, SIGCONT);
    _exit(0);
}

static int server_life[2]; /* a pipe whose writing end only the server holds */

static int open_with_life(ipc_session_t *s, tbus_error_t *err)
{
    if (s->role == IPC_CLIENT)
        close(server_life[1]);
    return ipc_mechanism_find("pipe")->open(s, err);
}

static void release_with_life(ipc_session_t *s)
{
    close(server_life[1]);
    ipc_mechanism_find("pipe")->release(s);
}

/* The client's second receive, at which it is to see the death, gets no CPU for a while: it is
 * stopped, as a machine that is very busy might stop it. */
static int receive_starved(ipc_session_t *s, const void **out_message)
{
    static unsigned receives;
    if (s->role == IPC_CLIENT && ++receives == 2) {
        pid_t client = getpid();
        pid_t waker = fork();
        if (waker == 0)
            continue_later(client, server_life[0]);
        if (waker < 0)
            return -errno;
        raise(SIGSTOP);
    }
    return ipc_mechanism_find("pipe")->receive(s, out_message);
}

static void a_survivor_that_gets_no_cpu_is_not_taken_for_one_that_waits(void **state)
{
    (void)state;
    ipc_trial_result_t r;
    tbus_error_t err = {0};
    ipc_mechanism_t starved = *ipc_mechanism_find("pipe");
    starved.open = open_with_life;
    starved.release = release_with_life;
    starved.receive = receive_starved;
    assert_int_equal(pipe(server_life), 0);
    assert_int_equal(one_trial(&starved, IPC_DEATH_RECEIVE, &r, &err), 0);
    close(server_life[0]);
    assert_true(r.death_returned);
    assert_int_equal(r.death_code, IPC_END_OF_FILE);
}

static void the_survivor_of_a_queue_waits_for_ever(void **state)
{
    (void)state;
    ipc_trial_result_t r;
    tbus_error_t err = {0};
    assert_int_equal(one_trial(ipc_mechanism_find("sysv_mq"), IPC_DEATH_RECEIVE, &r, &err), 0);
    assert_false(r.death_returned);
    assert_false(r.death_spun);
    assert_int_equal(one_trial(ipc_mechanism_find("sysv_mq"), IPC_DEATH_SEND, &r, &err), 0);
    assert_false(r.death_returned);
    assert_true(r.death_accepted > 0); /* as many as the queue holds */
}

static void the_survivor_of_a_tickbus_ring_is_told_of_the_death(void **state)
{
    (void)state;
    static const char *const names[] = {"tickbus_spsc_spin", "tickbus_spsc_park", "tickbus_mpsc",
                                        "tickbus_broadcast_mp", "tickbus_mpmc"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ipc_trial_result_t r;
        tbus_error_t err = {0};
        assert_int_equal(one_trial(ipc_mechanism_find(names[i]), IPC_DEATH_SEND, &r, &err), 0);
        assert_int_equal(r.death_code, -EOWNERDEAD);
        assert_true(r.death_accepted > 0);
    }
}

/* ---- what is not there, and what goes wrong, is a row that says so */

static bool never(char *why_not, size_t why_not_bytes)
{
    snprintf(why_not, why_not_bytes, "the test says so");
    return false;
}

static int measure(const ipc_mechanism_t *const *mechanisms, uint32_t cpus_count,
                   uint64_t duration_ns, ipc_measurement_t *out)
{
    ipc_plan_t plan = {.mechanisms = mechanisms,
                       .message_bytes = 64,
                       .cpus_count = cpus_count,
                       .one_cpu_why = "the test wants one",
                       .duration_ns = duration_ns,
                       .rounds = 1};
    const char *why;
    host_pick_cpus(plan.cpus, &why);
    ipc_leftovers_t leftovers;
    tbus_error_t err = {0};
    assert_int_equal(ipc_leftovers_open(&leftovers, &err), 0);
    int code = ipc_measure(&plan, &leftovers, NULL, out, &err);
    ipc_leftovers_close(&leftovers);
    return code;
}

static void what_the_host_lacks_and_what_fails_are_rows_that_say_so(void **state)
{
    (void)state;
    ipc_mechanism_t absent = *ipc_mechanism_find("pipe");
    ipc_mechanism_t broken = absent;
    absent.available = never;
    broken.send = send_failing;
    const ipc_mechanism_t *mechanisms[] = {&absent, &broken, ipc_mechanism_find("eventfd"), NULL};
    ipc_measurement_t m;
    assert_int_equal(measure(mechanisms, 1, 10 * MS, &m), 0);
    assert_int_equal(m.rows_count, 6);
    for (uint32_t i = 0; i < 6; i += 2)
        assert_false(m.rows[i].available); /* two CPUs */
    assert_string_equal(m.rows[1].why_not, "the test says so");
    assert_false(m.rows[1].failed);
    assert_true(m.rows[3].failed);
    assert_non_null(strstr(m.rows[3].why_not, "failed: "));
    assert_string_equal(m.rows[4].why_not, "the test wants one");
    assert_true(m.rows[5].available);
    assert_int_equal(m.rows[5].rates[0].count, 0); /* carries no data */
    assert_int_equal(m.rows[5].synchronisations.count, 1);
    assert_true(m.rows[5].death_known);
    ipc_measurement_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_median_is_the_middle_value_or_the_mean_of_two),
        cmocka_unit_test(noise_is_the_median_deviation_and_not_moved_by_one_outlier),
        cmocka_unit_test(a_series_holds_no_more_rounds_than_it_has_room_for),
        cmocka_unit_test(percentiles_are_finer_than_the_buckets),
        cmocka_unit_test(figures_have_three_digits_and_a_unit),
        cmocka_unit_test(rounds_are_odd_and_at_least_five),
        cmocka_unit_test(rows_are_sorted_by_what_is_asked_for_and_those_without_figures_come_last),
        cmocka_unit_test(advice_takes_the_best_that_can_do_what_the_case_needs),
        cmocka_unit_test(a_faster_rival_of_tickbus_is_named_with_ratio_and_reason),
        cmocka_unit_test(json_has_an_entry_for_every_mechanism_and_placement),
        cmocka_unit_test(json_figures_have_no_more_digits_than_they_are_worth),
        cmocka_unit_test_setup_teardown(a_round_trip_is_two_messages_and_at_least_one_is_timed,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(one_wrong_bit_one_lost_and_one_doubled_message_are_noticed,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(a_mechanism_that_fails_is_told_with_side_and_reason,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(a_mechanism_that_hangs_is_killed_when_it_is_overdue,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(the_survivor_of_a_pipe_sees_end_of_file_and_epipe,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(a_survivor_that_gets_no_cpu_is_not_taken_for_one_that_waits,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(the_survivor_of_a_queue_waits_for_ever, enter_scratch,
                                        leave_scratch),
        cmocka_unit_test_setup_teardown(the_survivor_of_a_tickbus_ring_is_told_of_the_death,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(what_the_host_lacks_and_what_fails_are_rows_that_say_so,
                                        enter_scratch, leave_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
