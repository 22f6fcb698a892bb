/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/rows.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/program.h"
#include "tools/measure/rank.h"

const contest_peer_t *const peers[] = {
    &peer_ck,  &peer_rte, &peer_boost_spsc, &peer_boost_queue, &peer_moodycamel,  &peer_iceoryx,
    &peer_zmq, &peer_nng, &peer_pipe,       &peer_unix_socket, &peer_posix_queue, NULL};

#define ROUND_TRIP_OF(n, k, b)                                                                     \
    {                                                                                              \
        .name = n, .task = CONTEST_ROUND_TRIP, .kind = k, .bytes = b, .burst = 1, .senders = 1,    \
        .takers = 1, .ours = &peer_tickbus, .raw = &peer_raw, .raw_kind = CONTEST_PAIR             \
    }
#define ROUND_TRIP(n, k) ROUND_TRIP_OF(n, k, 56)
#define STREAM(n, k, b, at_once, from, to, bound)                                                  \
    {                                                                                              \
        .name = n, .task = CONTEST_STREAM, .kind = k, .bytes = b, .burst = at_once,                \
        .senders = from, .takers = to, .ours = &peer_tickbus, .raw = bound,                        \
        .raw_kind = (k) == CONTEST_BROADCAST ? CONTEST_BROADCAST : CONTEST_PAIR                    \
    }
#define WAKE(n, one)                                                                               \
    {                                                                                              \
        .name = n, .task = CONTEST_ROUND_TRIP, .kind = CONTEST_PAIR, .bytes = 56, .burst = 1,      \
        .senders = 1, .takers = 1, .sleeping = true, .one_cpu = one, .ours = &peer_tickbus_park,   \
        .raw = &peer_raw_futex, .raw_kind = CONTEST_PAIR                                           \
    }

const experiment_t experiments[EXPERIMENTS_COUNT] = {
    [ROUND_TRIP_SPSC] = ROUND_TRIP("round-trip-spsc", CONTEST_PAIR),
    [ROUND_TRIP_BROADCAST] = ROUND_TRIP("round-trip-broadcast", CONTEST_BROADCAST),
    [STREAM_SPSC] = STREAM("stream-spsc", CONTEST_PAIR, 56, 1, 1, 1, &peer_raw),
    [STREAM_BROADCAST] = STREAM("stream-broadcast", CONTEST_BROADCAST, 56, 1, 1, 1, &peer_raw),
    [STREAM_32] = STREAM("stream-32", CONTEST_PAIR, 32, 1, 1, 1, &peer_raw),
    [STREAM_64] = STREAM("stream-64", CONTEST_PAIR, 64, 1, 1, 1, &peer_raw),
    [STREAM_256] = STREAM("stream-256", CONTEST_PAIR, 256, 1, 1, 1, &peer_raw),
    [STREAM_1024] = STREAM("stream-1024", CONTEST_PAIR, 1024, 1, 1, 1, &peer_raw),
    [STREAM_4096] = STREAM("stream-4096", CONTEST_PAIR, 4096, 1, 1, 1, &peer_raw),
    [STREAM_64K] = STREAM("large-64k", CONTEST_PAIR, 65536, 1, 1, 1, &peer_raw),
    [STREAM_1M] = STREAM("large-1m", CONTEST_PAIR, 1048576, 1, 1, 1, &peer_raw),
    [ROUND_TRIP_4096] = ROUND_TRIP_OF("large-ping-4096", CONTEST_PAIR, 4096),
    [ROUND_TRIP_64K] = ROUND_TRIP_OF("large-ping-64k", CONTEST_PAIR, 65536),
    [ROUND_TRIP_1M] = ROUND_TRIP_OF("large-ping-1m", CONTEST_PAIR, 1048576),
    [STREAM_BURSTS] = STREAM("stream-bursts", CONTEST_PAIR, 56, CONTEST_BURST, 1, 1, NULL),
    [MPMC_1P1C] = STREAM("mpmc-1p1c", CONTEST_COMPETING, 56, 1, 1, 1, &peer_raw),
    [MPMC_2P2C] = STREAM("mpmc-2p2c", CONTEST_COMPETING, 56, 1, 2, 2, NULL),
    [MPMC_ROUND_TRIP] = ROUND_TRIP("mpmc-round-trip", CONTEST_COMPETING),
    [BROADCAST_1_2] = STREAM("broadcast-1-2", CONTEST_BROADCAST, 56, 1, 1, 2, &peer_raw),
    [BROADCAST_1_3] = STREAM("broadcast-1-3", CONTEST_BROADCAST, 56, 1, 1, 3, &peer_raw),
    [WAKE_TWO_CPUS] = WAKE("wake-two-cpus", false),
    [WAKE_ONE_CPU] = WAKE("wake-one-cpu", true),
    [PUBLISH_PARKABLE] = {.name = "publish-parkable",
                          .task = CONTEST_PUBLISH,
                          .kind = CONTEST_BROADCAST,
                          .bytes = 56,
                          .burst = 1,
                          .senders = 1,
                          .takers = 1,
                          .ours = &peer_tickbus_park,
                          .raw = &peer_tickbus, /* whose subscriber only spins */
                          .raw_kind = CONTEST_BROADCAST},
    [RECOVERY] = {.name = "recovery"},
};

#define NS        "ns"
#define RATE_UNIT "M messages/s"

/* 1.2 x a peer's rate is 1 / 1.2 of its round trip. */
#define AHEAD 1.2

static row_t rows[] = {
    {"spsc_round_trip_p50", NS, ROUND_TRIP_SPSC, P50, .goal_raw = 1.05},
    {"spsc_round_trip_p99", NS, ROUND_TRIP_SPSC, P99, .goal_raw = 1.05},
    {"broadcast_round_trip_p50", NS, ROUND_TRIP_BROADCAST, P50, .goal_raw = 1.05},
    {"broadcast_round_trip_p99", NS, ROUND_TRIP_BROADCAST, P99, .goal_raw = 1.05},
    {"spsc_throughput_56B", RATE_UNIT, STREAM_SPSC, RATE, .goal_raw = 0.9, .goal_peer = AHEAD},
    {"broadcast_throughput_56B", RATE_UNIT, STREAM_BROADCAST, RATE, .goal_raw = 0.9,
     .goal_peer = AHEAD},
    {"spsc_throughput_32B", RATE_UNIT, STREAM_32, RATE, .goal_raw = 0.9, .goal_peer = 1},
    {"spsc_throughput_64B", RATE_UNIT, STREAM_64, RATE, .goal_raw = 0.9, .goal_peer = 1},
    {"spsc_throughput_256B", RATE_UNIT, STREAM_256, RATE, .goal_raw = 0.9, .goal_peer = 1},
    {"spsc_throughput_1024B", RATE_UNIT, STREAM_1024, RATE, .goal_raw = 0.9, .goal_peer = 1},
    {"spsc_throughput_4096B", RATE_UNIT, STREAM_4096, RATE, .goal_raw = 0.9, .goal_peer = 1},
    {"spsc_throughput_64KiB", RATE_UNIT, STREAM_64K, RATE, .goal_raw = 0.9},
    {"spsc_throughput_1MiB", RATE_UNIT, STREAM_1M, RATE, .goal_raw = 0.9},
    {"spsc_round_trip_p50_4096B", NS, ROUND_TRIP_4096, P50, .goal_raw = 1.1},
    {"spsc_round_trip_p50_64KiB", NS, ROUND_TRIP_64K, P50, .goal_raw = 1.1},
    {"spsc_round_trip_p50_1MiB", NS, ROUND_TRIP_1M, P50, .goal_raw = 1.1},
    {"spsc_throughput_56B_bursts_of_32", RATE_UNIT, STREAM_BURSTS, RATE, .goal_peer = 1},
    {"mpmc_1p1c_throughput", RATE_UNIT, MPMC_1P1C, RATE, .goal_peer = AHEAD},
    {"mpmc_2p2c_throughput", RATE_UNIT, MPMC_2P2C, RATE, .goal_peer = AHEAD},
    {"mpmc_round_trip_p50", NS, MPMC_ROUND_TRIP, P50, .goal_peer = 1 / AHEAD},
    {"mpmc_round_trip_p99", NS, MPMC_ROUND_TRIP, P99, .goal_peer = 1 / AHEAD},
    {"broadcast_1_to_2_throughput", RATE_UNIT, BROADCAST_1_2, RATE, .goal_peer = 1},
    {"broadcast_1_to_3_throughput", RATE_UNIT, BROADCAST_1_3, RATE, .goal_peer = 1},
    {"wake_round_trip_two_cpus", NS, WAKE_TWO_CPUS, P50, .goal_raw = 1.1},
    {"wake_round_trip_one_cpu", NS, WAKE_ONE_CPU, P50, .goal_raw = 1.1},
    {"publish_to_parkable_awake", NS, PUBLISH_PARKABLE, P50, .goal_raw = 1.02},
    {"recovery_p99", "ms", RECOVERY, RECOVERY_P99, .goal_value = 10},
};
#define ROWS_COUNT (sizeof rows / sizeof *rows)

static bool more_is_better(const row_t *row)
{
    return row->statistic == RATE;
}

static double median_of(const double *values, unsigned count)
{
    double sorted[REPETITIONS_MAX];
    memcpy(sorted, values, count * sizeof *values);
    return rank_median(sorted, count);
}

/* NaN: never ran. Round trips were run under both ways of polling: the better one counts, for every
 * contestant. */
static double value_of(const result_t *result, enum statistic statistic)
{
    double best = NAN;
    for (unsigned way = 0; way < 2; way++) {
        unsigned count = result->repetitions[way];
        if (!count)
            continue;
        if (statistic == RATE)
            return median_of(result->rate, count);
        double value = median_of(statistic == P50 ? result->p50[way] : result->p99[way], count);
        if (isnan(best) || value < best)
            best = value;
    }
    return best;
}

static bool reaches(const row_t *row, double ratio, double goal)
{
    return more_is_better(row) ? ratio >= goal : ratio <= goal;
}

/* Is a goal reached? Only what was measured against something that was measured too is judged. A
 * goal of two parts is missed as soon as one of them is. */
static enum verdict judge(const row_t *row)
{
    bool unknown = isnan(row->ours);
    bool missed = row->goal_value > 0 && row->ours > row->goal_value;
    double raw = row->ours / row->raw, peer = row->ours / row->best;
    if (row->goal_raw > 0) {
        unknown |= isnan(raw);
        missed |= !isnan(raw) && !reaches(row, raw, row->goal_raw);
    }
    if (row->goal_peer > 0) {
        unknown |= isnan(peer);
        missed |= !isnan(peer) && !reaches(row, peer, row->goal_peer);
    }
    return missed ? MISSED : unknown ? NOT_JUDGED : MET;
}

static const char *verdict_text(enum verdict verdict)
{
    return verdict == MET ? "yes" : verdict == MISSED ? "NO" : "not judged";
}

static void conclude(row_t *row, const report_t *report)
{
    row->ours = row->raw = row->best = NAN;
    row->best_peer = NULL;
    if (row->statistic == RECOVERY_P99) {
        row->ours = report->recovery_p99_ms;
        return;
    }
    const result_t *results = report->results[row->experiment];
    row->ours = value_of(&results[0], row->statistic);
    row->raw = value_of(&results[1], row->statistic);
    for (unsigned i = 2; results[i].peer; i++) {
        double value = value_of(&results[i], row->statistic);
        if (!isnan(value) &&
            (isnan(row->best) || (more_is_better(row) ? value > row->best : value < row->best))) {
            row->best = value;
            row->best_peer = results[i].peer->name;
        }
    }
}

static void goal_text(const row_t *row, char *out_text, size_t bytes)
{
    const char *sign = more_is_better(row) ? ">=" : "<=";
    int at = 0;
    out_text[0] = '\0';
    if (row->goal_value > 0)
        at += snprintf(out_text, bytes, "<= %g %s", row->goal_value, row->unit);
    if (row->goal_raw > 0)
        at += snprintf(out_text + at, bytes - (size_t)at, "%s %.2f x raw", sign, row->goal_raw);
    if (row->goal_peer > 0)
        snprintf(out_text + at, bytes - (size_t)at, "%s%s %.2f x peer", at ? ", " : "", sign,
                 row->goal_peer);
}

/* ---- the table ---- */

static void print_number(double value, int width, int decimals)
{
    if (isnan(value))
        printf(" %*s", width, "-");
    else
        printf(" %*.*f", width, decimals, value);
}

static int decimals_of(double value)
{
    return value < 0.1 ? 4 : value < 10 ? 2 : value < 1000 ? 1 : 0;
}

static void print_peers(const row_t *row, const report_t *report)
{
    const result_t *results = report->results[row->experiment];
    const char *between = "";
    printf("  %-34s", row->measure);
    for (unsigned i = 0; i < 2 || results[i].peer; i++) {
        double value = results[i].peer ? value_of(&results[i], row->statistic) : NAN;
        if (isnan(value) && !(results[i].peer && results[i].failed))
            continue;
        printf("%s %s ", between, results[i].peer->name);
        if (isnan(value))
            printf("(%s)", results[i].failed);
        else
            printf("%.*f", decimals_of(value), value);
        between = ",";
    }
    putchar('\n');
}

bool rows_print(report_t *report)
{
    unsigned of_verdict[3] = {0};
    printf("%-34s %-12s %9s %9s %6s  %-16s %9s %6s  %-30s %s\n", "measure", "unit", "ours", "raw",
           "x raw", "best peer", "value", "x peer", "goal", "met");
    for (unsigned i = 0; i < ROWS_COUNT; i++) {
        row_t *row = &rows[i];
        if (!report->wanted[row->experiment])
            continue;
        char goal[64];
        conclude(row, report);
        goal_text(row, goal, sizeof goal);
        printf("%-34s %-12s", row->measure, row->unit);
        print_number(row->ours, 9, decimals_of(row->ours));
        print_number(row->raw, 9, decimals_of(row->raw));
        print_number(row->ours / row->raw, 6, 2);
        printf("  %-16s", row->best_peer ? row->best_peer : "-");
        print_number(row->best, 9, decimals_of(row->best));
        print_number(row->ours / row->best, 6, 2);
        printf("  %-30s %s\n", goal, verdict_text(judge(row)));
        of_verdict[judge(row)]++;
    }
    printf("\n%u goals met, %u missed, %u not judged, as there was nobody to measure against. "
           "Everybody's figures:\n",
           of_verdict[MET], of_verdict[MISSED], of_verdict[NOT_JUDGED]);
    for (unsigned i = 0; i < ROWS_COUNT; i++)
        if (report->wanted[rows[i].experiment] && rows[i].experiment != RECOVERY)
            print_peers(&rows[i], report);
    if (report->wanted[RECOVERY])
        printf("  %-34s p50 %.2f ms, p99 %.2f ms of %u kills; none of the peers recovers\n",
               "recovery", report->recovery_p50_ms, report->recovery_p99_ms,
               report->recovery_rounds);
    return of_verdict[MISSED] == 0 && of_verdict[NOT_JUDGED] == 0;
}

/* ---- JSON ---- */

static json_t *number(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *row_as_json(const row_t *row, const report_t *report)
{
    char goal[64];
    goal_text(row, goal, sizeof goal);
    json_t *values = json_object();
    const result_t *results = row->experiment == RECOVERY ? NULL : report->results[row->experiment];
    for (unsigned i = 2; results && results[i].peer; i++) {
        double value = value_of(&results[i], row->statistic);
        json_object_set_new(values, results[i].peer->name,
                            isnan(value) && results[i].failed ? json_string(results[i].failed)
                                                              : number(value));
    }
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:s?, s:o, s:o, s:s, s:o, s:o}", "measure", row->measure, "unit",
        row->unit, "ours", number(row->ours), "raw", number(row->raw), "ratio_to_raw",
        number(row->ours / row->raw), "best_peer", row->best_peer, "best_peer_value",
        number(row->best), "ratio_to_best_peer", number(row->ours / row->best), "goal", goal, "met",
        judge(row) == NOT_JUDGED ? json_null() : json_boolean(judge(row) == MET), "peers", values);
}

/* The commit that the sources are at, "-dirty" when they differ from it. */
static void find_commit(char *out_commit, size_t bytes)
{
    snprintf(out_commit, bytes, "unknown");
    FILE *git = popen(
        "git -C '" TICKBUS_SOURCE_DIR "' describe --always --dirty --abbrev=12 2>/dev/null", "re");
    if (!git)
        return;
    char line[64];
    if (fgets(line, sizeof line, git))
        snprintf(out_commit, bytes, "%.*s", (int)strcspn(line, "\n"), line);
    pclose(git);
}

void rows_write_json(report_t *report, const char *path)
{
    json_t *all = json_array(), *missing = json_array(), *cpus = json_array();
    double load = NAN;
    getloadavg(&load, 1);
    for (unsigned i = 0; i < ROWS_COUNT; i++)
        if (report->wanted[rows[i].experiment])
            json_array_append_new(all, row_as_json(&rows[i], report));
    for (unsigned i = 0; peers[i]; i++)
        if (!peers[i]->can)
            json_array_append_new(missing, json_pack("{s:s, s:s}", "peer", peers[i]->name,
                                                     "package", peers[i]->package));
    for (unsigned i = 0; i < report->cpus_count; i++)
        json_array_append_new(cpus, json_integer(report->cpus[i]));
    char commit[64];
    find_commit(commit, sizeof commit);
    json_t *host = bench_host();
    json_t *kernel = json_incref(json_object_get(host, "kernel"));
    json_t *whole = json_pack("{s:o, s:o, s:s, s:o, s:s, s:s, s:i, s:o, s:o, s:o}", "host", host,
                              "kernel", kernel, "pages", report->pages, "pinning", cpus,
                              "scheduling", report->nice ? "nice -20" : "nice 0", "commit", commit,
                              "repetitions", (int)report->repetitions, "load_average", number(load),
                              "peers_missing", missing, "rows", all);
    if (!whole || json_dump_file(whole, path, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) != 0) {
        fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    json_decref(whole);
}
