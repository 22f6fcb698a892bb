/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - how far is tickbus from what the hardware can do, and how far ahead of what a user
 * would pick instead?
 *
 * Every experiment (rows.c) is run by everybody in turn - the bare cache line or futex, tickbus,
 * its peers - and then again, repetition after repetition, so that a slow minute of the machine is
 * a slow minute for all. Figures are medians over the repetitions, ratios are between figures of
 * one run. The script bench/report builds this and runs it.
 */
#include "bench/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <tickbus/segment.h>

#include "bench/program.h"
#include "bench/recovery.h"
#include "tools/ipc/mechanism.h"
#include "tools/measure/host.h"
#include "tools/measure/rank.h"
#include "tools/measure/sides.h"
#include "tools/measure/ticks.h"

/* Not SCHED_FIFO: a spinning side of a trial can then keep the CPU from a task whose lock its own
 * process waits for in the kernel (seen: waitpid, in the dentries of /proc), and both stand
 * still. */
#define HIGHEST_NICE   (-20)
#define TRIAL_SECONDS  8u
#define ONE_LINE_SLOTS 8192u
/* Longer messages: fewer slots, so that caches play the same part. */
#define RING_BYTES   (1u << 20)
#define FEWEST_SLOTS 4u

typedef struct options {
    report_t report;
    uint32_t round_trips, messages;
    unsigned recoveries;
    const char *json;
    bool quick; /* too short to judge by */
} options_t;

static const char usage[] =
    "usage: bench_report [--quick] [--json FILE] [--cpus A,B[,C,D]] [--repetitions "
    "N] [--only NAME[,NAME...]]\n"
    "tickbus beside the bare hardware and beside other queues, in one run.\n"
    "  --quick          less than a minute: 5 repetitions of short trials\n"
    "  --json FILE      the same as JSON\n"
    "  --cpus A,B       where to run (default: two that are not of one core)\n"
    "  --repetitions N  interleaved repetitions of everything, 1..101 (default 9)\n"
    "  --only NAMES     only experiments whose name contains one of these\n"
    "  --nice           nice -20: other work on these CPUs has to make do with little\n"
    "  --list           the names\n"
    "exit code: 0 all goals met; 1 one was missed, or could not be judged, as no peer was\n"
    "built; with --quick, which is too short to judge by, 0\n"
    "example: bench_report --quick --json report.json\n"
    "         bench_report --only round-trip,mpmc\n";

static void choose(report_t *report, char *names)
{
    bool any = false;
    memset(report->wanted, 0, sizeof report->wanted);
    for (char *name = strtok(names, ","); name; name = strtok(NULL, ","))
        for (unsigned i = 0; i < EXPERIMENTS_COUNT; i++)
            if (strstr(experiments[i].name, name))
                any = report->wanted[i] = true;
    if (!any)
        bench_bad_usage(usage);
}

static void list(void)
{
    for (unsigned i = 0; i < EXPERIMENTS_COUNT; i++)
        puts(experiments[i].name);
    exit(0);
}

static unsigned parse_cpus(const char *text, int *out_cpus)
{
    unsigned count = 0;
    for (char *end; count < CONTEST_SIDES_MAX; text = end + 1) {
        out_cpus[count++] = (int)strtol(text, &end, 10);
        if (end == text || (*end && *end != ','))
            bench_bad_usage(usage);
        if (!*end)
            return count;
    }
    bench_bad_usage(usage);
}

static void parse(int argc, char **argv, options_t *options)
{
    static const struct option names[] = {{"quick", no_argument, NULL, 'q'},
                                          {"json", required_argument, NULL, 'j'},
                                          {"cpus", required_argument, NULL, 'c'},
                                          {"repetitions", required_argument, NULL, 'r'},
                                          {"only", required_argument, NULL, 'o'},
                                          {"list", no_argument, NULL, 'l'},
                                          {"nice", no_argument, NULL, 'n'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    report_t *report = &options->report;
    *options = (options_t){.round_trips = 50 << 10, .messages = 1 << 20, .recoveries = 300};
    report->repetitions = 9;
    const char *why;
    report->cpus_count = host_pick_cpus(report->cpus, &why);
    memset(report->wanted, 1, sizeof report->wanted);
    unsigned repetitions = 0;
    bool nice = false;
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (option) {
        case 'q':
            options->round_trips = 10 << 10, options->messages = 256 << 10,
            options->recoveries = 100;
            report->repetitions = 5;
            options->quick = true;
            break;
        case 'j':
            options->json = optarg;
            break;
        case 'c':
            report->cpus_count = parse_cpus(optarg, report->cpus);
            break;
        case 'r':
            repetitions = (unsigned)bench_number(optarg, REPETITIONS_MAX, usage);
            break;
        case 'o':
            choose(report, optarg);
            break;
        case 'n':
            nice = true;
            break;
        case 'l':
            list();
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            bench_bad_usage(usage);
        }
    }
    if (optind != argc)
        bench_bad_usage(usage);
    report->nice = nice && setpriority(PRIO_PROCESS, 0, HIGHEST_NICE) == 0;
    if (repetitions)
        report->repetitions = repetitions;
}

/* Senders from the front, takers from the back; with fewer CPUs than sides they share. */
static void place(contest_trial_t *trial, const experiment_t *e, const report_t *report)
{
    unsigned n = report->cpus_count;
    for (unsigned i = 0; i < e->senders; i++)
        trial->cpus[i] = report->cpus[i % n];
    for (unsigned i = 0; i < e->takers; i++)
        trial->cpus[e->senders + i] =
            report->cpus[n > e->senders ? n - 1 - i % (n - e->senders) : (i + 1) % n];
    if (e->one_cpu)
        for (unsigned i = 0; i < CONTEST_SIDES_MAX; i++)
            trial->cpus[i] = report->cpus[0];
}

static void prepare(contest_trial_t *trial, const experiment_t *e, const contest_peer_t *peer,
                    const options_t *options, unsigned repetition)
{
    bool stream = e->task == CONTEST_STREAM;
    trial->task = e->task;
    trial->kind = peer == e->raw ? e->raw_kind : e->kind;
    trial->bytes = e->bytes;
    trial->burst = e->burst;
    trial->senders = e->senders;
    trial->takers = e->takers;
    trial->repetition = repetition;
    trial->slots = ONE_LINE_SLOTS;
    while (e->bytes > 64 && trial->slots > RING_BYTES / e->bytes && trial->slots > FEWEST_SLOTS)
        trial->slots /= 2;
    uint32_t count = (stream ? options->messages : options->round_trips) / peer->slowness;
    if (stream && e->bytes > 64)
        count /= e->bytes / 64 < 8 ? e->bytes / 64 : 8;
    if (e->bytes >= CONTEST_LARGE_BYTES)
        count /= e->bytes / (stream ? 4096 : 16384);
    if (e->task == CONTEST_PUBLISH)
        count = options->round_trips / 8;
    /* Whole bursts, also of what comes before. */
    trial->count = count < 1024 ? (stream ? 1024 : count) : count / 1024 * 1024;
    trial->warm_up = trial->count < 1024 ? trial->count / 16 : trial->count / 16 / 32 * 32;
    place(trial, e, &options->report);
}

/* One taker: the rate of the median part, so that a part in which some other program had the CPU
 * does not count. Several: all of it, as they may take turns on one CPU. */
static double rate(const contest_trial_t *trial)
{
    uint64_t began_ns = UINT64_MAX, ended_ns = 0;
    if (trial->takers == 1) {
        double parts[CONTEST_PARTS];
        for (unsigned i = 0; i < CONTEST_PARTS; i++)
            parts[i] = (double)trial->sides[trial->senders].part_ticks[i];
        return trial->count / CONTEST_PARTS * 1e3 * ticks_per_ns() /
               rank_median(parts, CONTEST_PARTS);
    }
    for (unsigned i = 0; i < trial->takers; i++) {
        uint64_t began = trial->sides[trial->senders + i].began_ns,
                 ended = trial->sides[trial->senders + i].ended_ns;
        began_ns = began < began_ns ? began : began_ns;
        ended_ns = ended > ended_ns ? ended : ended_ns;
    }
    uint64_t messages =
        (uint64_t)trial->count * (trial->kind == CONTEST_COMPETING ? trial->takers : 1);
    return (double)messages * 1e3 / (double)(ended_ns - began_ns);
}

static void keep(result_t *result, contest_trial_t *trial, unsigned way)
{
    unsigned at = result->repetitions[way]++;
    if (trial->task == CONTEST_STREAM) {
        result->rate[at] = rate(trial);
        return;
    }
    double scale = ticks_per_ns() * (trial->task == CONTEST_PUBLISH ? 64 : 1);
    result->p50[way][at] = rank_u32(trial->ticks, trial->count, 500) / scale;
    result->p99[way][at] = rank_u32(trial->ticks, trial->count, 990) / scale;
}

/* One repetition of one contestant; round trips that do not sleep in the kernel under both ways of
 * polling. False: a signal came. */
static bool run(const experiment_t *e, result_t *result, contest_trial_t *trial,
                const options_t *options, unsigned repetition)
{
    const contest_peer_t *peer = result->peer;
    prepare(trial, e, peer, options, repetition);
    bool crowded = options->report.cpus_count < trial->senders + trial->takers;
    bool both = e->task == CONTEST_ROUND_TRIP && !e->sleeping && !peer->kernel && !crowded;
    for (unsigned way = 0; way <= both; way++) {
        trial->poll = e->sleeping ? CONTEST_SLEEPING
                      : crowded   ? CONTEST_YIELDING
                      : way       ? CONTEST_NAKED
                                  : CONTEST_PAUSED;
        const char *why;
        if (!peer->can(trial) || (trial->bytes >= CONTEST_LARGE_BYTES && !peer->large))
            return true;
        int code = contest_run(peer, trial, TRIAL_SECONDS, &why);
        if (code == -EINTR)
            return false;
        if (code == 0)
            keep(result, trial, way);
        else
            result->failed = why;
    }
    return true;
}

/* Those that take part: ours, raw, and the peers that were built and can do it; where the task is
 * to sleep, only peers that sleep. */
static void enter(const experiment_t *e, result_t *results, bool no_iceoryx)
{
    unsigned count = 2;
    results[0].peer = e->ours;
    results[1].peer = e->raw;
    if (e->task == CONTEST_PUBLISH)
        return;
    for (unsigned i = 0; peers[i]; i++)
        if (peers[i]->can && (!e->sleeping || peers[i]->kernel) &&
            !(no_iceoryx && peers[i] == &peer_iceoryx))
            results[count++].peer = peers[i];
}

static void progress(const experiment_t *e, unsigned repetition, const options_t *options)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%u/%u %s", repetition + 1, options->report.repetitions,
                e ? e->name : "");
}

static int recover(options_t *options, tbus_error_t *err)
{
    report_t *report = &options->report;
    double *us = calloc(options->recoveries, sizeof *us);
    if (!us)
        return tbus_fail(err, -ENOMEM, "recovery: no memory for %u rounds", options->recoveries);
    int two[2] = {report->cpus[0], report->cpus[report->cpus_count - 1]};
    int code = recovery_run(two, options->recoveries, us, err);
    if (code == 0) {
        report->recovery_p50_ms = rank_median(us, options->recoveries) / 1e3; /* which sorts them */
        report->recovery_p99_ms = us[(options->recoveries - 1) * 99 / 100] / 1e3;
        report->recovery_rounds = options->recoveries;
    }
    free(us);
    return code;
}

/* iceoryx works through a daemon: ours for this run. It cleans up on SIGTERM, and gets that when we
 * die as well. */
static int become_roudi(side_t *me, void *context)
{
    const int *said = context;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(said[1], STDOUT_FILENO);
    dup2(said[1], STDERR_FILENO);
    execlp("iox-roudi", "iox-roudi", (char *)NULL);
    return sides_fail(me, -errno, "iox-roudi: %s", strerror(errno));
}

/* Does it say that it is ready, before it ends? One may run already, or there may be none. */
static bool says_ready(int fd)
{
    char text[4096];
    size_t length = 0;
    ssize_t got;
    while (length < sizeof text - 1 &&
           (got = read(fd, text + length, sizeof text - 1 - length)) > 0) {
        text[length += (size_t)got] = '\0';
        if (strstr(text, "ready"))
            return true;
    }
    return false;
}

static void stop_roudi(sides_t *roudi)
{
    if (roudi->shared && roudi->pids[0]) {
        kill(roudi->pids[0], SIGTERM);
        sides_reap(roudi, 0);
    }
    sides_finish(roudi);
}

static bool start_roudi(sides_t *roudi)
{
    int said[2]; /* the reading end stays open: it may go on talking */
    tbus_error_t err;
    sides_spec_t spec = {.what = "iox-roudi",
                         .count = 1,
                         .cpus = {SIDES_ANYWHERE},
                         .run = become_roudi,
                         .context = said};
    if (pipe2(said, O_CLOEXEC) != 0)
        return false;
    bool ready = sides_start(&spec, roudi, &err) == 0;
    close(said[1]);
    ready = ready && says_ready(said[0]);
    if (!ready) {
        stop_roudi(roudi);
        close(said[0]);
    }
    return ready;
}

static int run_all(options_t *options, contest_trial_t *trial, tbus_error_t *err)
{
    report_t *report = &options->report;
    for (unsigned i = 0; i < RECOVERY; i++)
        if (report->wanted[i])
            enter(&experiments[i], report->results[i], report->no_iceoryx);
    for (unsigned repetition = 0; repetition < report->repetitions; repetition++)
        for (unsigned i = 0; i < RECOVERY; i++) {
            result_t *results = report->results[i];
            if (report->wanted[i])
                progress(&experiments[i], repetition, options);
            for (unsigned k = 0; report->wanted[i] && (k < 2 || results[k].peer); k++)
                if (results[k].peer &&
                    !run(&experiments[i], &results[k], trial, options, repetition))
                    return tbus_fail(err, -EINTR, "interrupted");
        }
    return report->wanted[RECOVERY] ? recover(options, err) : 0;
}

static void say_who_is_missing(bool no_daemon)
{
    for (unsigned i = 0; peers[i]; i++)
        if (!peers[i]->can)
            fprintf(stderr, "bench: skipped: %s was not built; Debian package: %s\n",
                    peers[i]->name, peers[i]->package);
    if (no_daemon)
        fprintf(
            stderr,
            "bench: skipped: iceoryx has no daemon here (iox-roudi); Debian package: iceoryx\n");
}

static contest_trial_t *trial_new(void *memory, ipc_leftovers_t *leftovers)
{
    void *shared = mmap(NULL, sizeof(contest_trial_t), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    bench_must(shared == MAP_FAILED ? -1 : 0, "trial", strerror(errno));
    contest_trial_t *trial = shared;
    trial->memory = memory;
    trial->leftovers = leftovers;
    return trial;
}

int main(int argc, char **argv)
{
    static options_t options;
    parse(argc, argv, &options);
    report_t *report = &options.report;
    tbus_error_t err;
    tbus_segment_t segment;
    ipc_leftovers_t leftovers;
    sides_signals_t before;
    sides_t roudi = {0};
    bench_must(
        tbus_segment_create("bench", CONTEST_MEMORY_BYTES, TBUS_PAGES_AUTO, -1, &segment, &err),
        "memory", err.text);
    report->pages = tbus_pages_name(segment.pages);
    report->results = calloc(EXPERIMENTS_COUNT, sizeof *report->results);
    bench_must(report->results ? 0 : -1, "results", "out of memory");
    sides_hold_signals(&before);
    bench_must(ipc_leftovers_sweep(ipc_mechanism_remove_leftover, &err), "leftovers", err.text);
    bench_must(ipc_leftovers_open(&leftovers, &err), "leftovers", err.text);
    contest_trial_t *trial = trial_new(segment.base, &leftovers);

    report->no_iceoryx = peer_iceoryx.can && !start_roudi(&roudi);
    say_who_is_missing(report->no_iceoryx);
    ticks_per_ns(); /* before the forks: they inherit it */
    int code = run_all(&options, trial, &err);
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    stop_roudi(&roudi);
    ipc_leftovers_close(&leftovers);
    bench_must(code, "report", err.text);

    printf("two processes on CPUs %d and %d, %s pages%s%s; medians of %u interleaved repetitions\n"
           "one way, one reader: ours, once it has taken everything, keeps off for a while, as our "
           "stages do\nat pace max; the others do not (bench/README.md)\n\n",
           report->cpus[0], report->cpus[report->cpus_count - 1], report->pages,
           segment.pages_why[0] ? ": " : "", segment.pages_why, report->repetitions);
    bool met = rows_print(report);
    if (options.json)
        rows_write_json(report, options.json);
    munmap(trial, sizeof *trial);
    free(report->results);
    tbus_segment_close(&segment);
    return met || options.quick ? 0 : 1;
}
