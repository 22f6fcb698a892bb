/* SPDX-License-Identifier: Apache-2.0 */
/* busctl latency says why messages were slow: a stall is planted in a run, and what messages took
 * beyond p99.9 is booked to it.
 *
 * The host has stalls of its own, other programs and a hypervisor, which are booked as well, and
 * rightly so. So what is looked at is the planted cause's share of all that was not the host's; it
 * has to be 95 %. Where the host was so busy that nothing of the planted stall is beyond p99.9, the
 * run is made again, up to RUNS_MAX times. As root we ask for more of the CPUs than others have.
 *
 * What others do to the host decides whether that can be seen at all, so it is run by command:
 * TICKBUS_LATENCY_CAUSES=short some seconds; =long 100,000 messages a second for five seconds and
 * stops of 50 ms, on a host that has its CPUs to itself. (The booking itself: test_cause.)
 */
#include "tests/e2e/running_bus.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <tickbus/tickbus.h>

#include "tools/config/kinds.h"
#include "tools/latency/samples.h"
#include "tools/verbs.h"

#define RUNS_MAX     5
#define MS           UINT64_C(1000000)
#define STORM_BYTES  ((size_t)8 << 20)
#define STORM_ROUNDS 40u
#define SHARE_MIN    0.95

/* --- how long, and how much */

static const char *rate = "20k", *run_for = "700ms";
static uint64_t messages_a_ms = 20, stop_ms = 150;
static bool asked; /* for any of it */

static void choose_size(void)
{
    const char *text = getenv("TICKBUS_LATENCY_CAUSES");
    asked = text != NULL;
    if (text && strcmp(text, "long") == 0) {
        rate = "100k";
        run_for = "5s";
        messages_a_ms = 100;
        stop_ms = 50;
    }
}

static void skip_unless_asked(void)
{
    if (asked)
        return;
    print_message("skipped: set TICKBUS_LATENCY_CAUSES=short (or long), on a quiet host\n");
    skip();
}

/* Ours before all others on these CPUs, as far as that may be had. */
static void ask_for_the_cpus(void)
{
    (void)setsid(); /* a session has a share of its own (sched(7), autogroup) */
    int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "-19", 3);
        close(fd);
    }
    (void)setpriority(PRIO_PROCESS, 0, -19);
}

static void sleep_ms(uint64_t ms)
{
    nanosleep(&(struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * MS)},
              NULL);
}

/* --- what the report says */

static json_t *report_of(const char *text, const char *errors)
{
    json_error_t why;
    json_t *report = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (!report)
        fail_msg("no JSON (%s): %s", why.text, errors);
    return report;
}

static const json_t *cause_of(const json_t *report, const char *name)
{
    size_t i;
    json_t *cause;
    json_array_foreach(json_object_get(report, "causes"), i, cause)
    {
        if (strcmp(json_string_value(json_object_get(cause, "name")), name) == 0)
            return cause;
    }
    return NULL;
}

static double ns_of(const json_t *report, const char *name)
{
    return json_number_value(json_object_get(cause_of(report, name), "ns"));
}

/* A report whose messages were slow for none but the host's reasons tells nothing of ours. */
static bool is_told(const json_t *report, const char *const names[], unsigned count)
{
    static const char *const of_the_host[] = {"preempted", "steal", "host", "interrupted",
                                              "woken_from_sleep"};
    double planted_ns = 0, others_ns = 0, all_ns = 0, sum_ns = 0;
    size_t i;
    json_t *cause;
    for (unsigned k = 0; k < count; k++)
        planted_ns += ns_of(report, names[k]);
    for (size_t k = 0; k < sizeof of_the_host / sizeof *of_the_host; k++) {
        bool planted = false;
        for (unsigned n = 0; n < count; n++)
            planted |= strcmp(names[n], of_the_host[k]) == 0;
        others_ns += planted ? 0 : ns_of(report, of_the_host[k]);
    }
    json_array_foreach(json_object_get(report, "causes"), i, cause)
    {
        sum_ns += json_number_value(json_object_get(cause, "ns"));
    }
    all_ns = json_number_value(json_object_get(json_object_get(report, "causes_of"), "excess_ns"));
    assert_true(sum_ns > all_ns * 0.999 && sum_ns < all_ns * 1.001);
    if (planted_ns < all_ns / 4)
        return false;
    if (planted_ns < SHARE_MIN * (all_ns - others_ns)) {
        char *text = json_dumps(json_object_get(report, "causes"), 0);
        fail_msg("%s has %.1f of %.1f ms, and the host %.1f: %s", names[0], planted_ns / 1e6,
                 all_ns / 1e6, others_ns / 1e6, text);
    }
    return true;
}

/* A process was held up by a cause for so long in all, whomever that delayed. */
static void assert_stalled(const json_t *report, const char *stage, const char *cause,
                           double ns_min)
{
    size_t i;
    json_t *process;
    double ns = 0;
    json_array_foreach(json_object_get(report, "stalls"), i, process)
    {
        if (strstr(json_string_value(json_object_get(process, "process")), stage))
            ns = json_number_value(json_object_get(json_object_get(process, "ns"), cause));
    }
    if (ns < ns_min) {
        char *text = json_dumps(json_object_get(report, "stalls"), 0);
        fail_msg("%s: %s for %.1f ms, not for %.1f: %s", stage, cause, ns / 1e6, ns_min / 1e6,
                 text);
    }
}

/* Of each hop the worst messages stand there, with what surrounded them in their own time. */
static void assert_worst_are_told(const json_t *report)
{
    size_t i, k;
    json_t *hop, *message;
    unsigned messages = 0;
    json_array_foreach(json_object_get(report, "hops"), i, hop)
    {
        json_t *worst = json_object_get(hop, "worst");
        json_array_foreach(worst, k, message)
        {
            const char *cause;
            json_t *part;
            json_int_t ns = json_integer_value(json_object_get(message, "ns")), sum = 0;
            json_object_foreach(json_object_get(message, "why"), cause, part)
            {
                sum += json_integer_value(part);
            }
            assert_true(sum <= ns);
            assert_true(json_is_object(json_object_get(message, "gap")) || sum == 0 ||
                        json_object_get(json_object_get(message, "why"), "woken_from_sleep") ||
                        json_object_get(json_object_get(message, "why"), "preempted"));
            assert_non_null(json_object_get(message, "behind"));
            assert_true(k > 0 || ns == json_integer_value(json_object_get(hop, "max")));
            messages++;
        }
    }
    assert_true(messages > 0);
}

/* --- planted from outside: a stage is stopped, or has a neighbour */

static void start_run(fixture_t *f, const char *const *more)
{
    unsigned count = 0;
    const char *const arguments[] = {TICKBUS_BUSCTL, "latency", "--name", f->bus,    "--rate",
                                     rate,           "--for",   run_for,  "--floor", "none",
                                     "--wait",       "park",    "--json"};
    program_clear(&f->start);
    for (; count < sizeof arguments / sizeof *arguments; count++)
        f->argv[count] = arguments[count];
    for (; *more; more++)
        f->argv[count++] = *more;
    f->argv[count] = NULL;
    f->start = (program_t){.argv = f->argv};
    assert_true(program_start(&f->start));
}

typedef void (*plant_t)(const json_t *status);

static json_t *run_with(fixture_t *f, plant_t plant, const char *const *more)
{
    start_run(f, more);
    json_t *status = wait_for(f, (unsigned)(messages_a_ms * 100));
    plant(status);
    json_decref(status);
    assert_ended_with(f, 0);
    return report_of(f->start.out, f->start.err);
}

static void stop_stage(const json_t *status, const char *stage, uint64_t ms)
{
    pid_t pid = process_of(status, stage);
    assert_true(pid > 0);
    kill(pid, SIGSTOP);
    sleep_ms(ms);
    kill(pid, SIGCONT);
}

static void stop_strategy(const json_t *status)
{
    stop_stage(status, "strategy", stop_ms);
}
static void stop_recorder(const json_t *status)
{
    stop_stage(status, "recorder", stop_ms * 2);
}

/* Messages that took at least `ns` from intended to seen. */
static uint64_t count_late(const char *directory, uint64_t ns)
{
    samples_t samples;
    tbus_error_t err;
    uint64_t late = 0;
    assert_int_equal(samples_read(directory, &samples, &err), 0);
    for (uint64_t i = 0; i < samples.hops[HOP_TICK_TO_SEEN].count; i++)
        late += samples.hops[HOP_TICK_TO_SEEN].ns[i] >= ns;
    samples_clear(&samples);
    return late;
}

static void
a_strategy_that_was_stopped_is_the_cause_and_all_that_came_meanwhile_were_late(void **state)
{
    fixture_t *f = *state;
    skip_unless_asked();
    static const char *const causes[] = {"stopped"};
    char directory[SCRATCH_PATH_MAX];
    scratch_create(directory);
    const char *const more[] = {"--out", directory, NULL};
    bool told = false;
    uint64_t late = 0;
    for (unsigned i = 0; i < RUNS_MAX && !told; i++) {
        json_t *report = run_with(f, stop_strategy, more);
        told = is_told(report, causes, 1);
        assert_worst_are_told(report);
        late = count_late(directory, 10 * MS);
        assert_stalled(report, "strategy", "stopped", 0.9 * (double)(stop_ms * MS));
        if (told)
            assert_text_holds(
                json_string_value(json_object_get(cause_of(report, "stopped"), "who")), "strategy");
        json_decref(report);
    }
    scratch_remove(directory);
    assert_true(told);
    /* a ramp from the whole stop down to nothing: all but its last 10 ms */
    assert_true(late >= (stop_ms - 10) * messages_a_ms * 9 / 10);
}

static void a_ring_that_a_stopped_reader_fills_is_the_cause(void **state)
{
    fixture_t *f = *state;
    skip_unless_asked();
    static const char *const causes[] = {"ring_full"};
    char directory[SCRATCH_PATH_MAX], journal[SCRATCH_PATH_MAX + 16];
    bool told = false;
    scratch_create(directory);
    for (unsigned i = 0; i < RUNS_MAX && !told; i++) {
        snprintf(journal, sizeof journal, "%s/%u", directory, i);
        const char *const more[] = {
            "--layout", "split", "--journal", journal, "--set", "topics.md.slots=1024", NULL};
        json_t *report = run_with(f, stop_recorder, more);
        told = is_told(report, causes, 1);
        if (told)
            assert_string_equal(
                json_string_value(json_object_get(cause_of(report, "ring_full"), "who")),
                "recorder on md: stopped");
        json_decref(report);
    }
    scratch_remove(directory);
    assert_true(told);
}

/* A program that takes the strategy's CPU away from it. */
static void take_cpu(const json_t *status)
{
    size_t i, k;
    json_t *process, *name;
    int cpu = -1;
    json_array_foreach(json_object_get(status, "processes"), i, process)
    {
        json_array_foreach(json_object_get(process, "stages"), k, name)
        {
            if (strcmp(json_string_value(name), "strategy") == 0)
                cpu = (int)json_integer_value(json_object_get(process, "cpu"));
        }
    }
    pid_t pid = fork();
    if (pid == 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpu < 0 ? 0 : cpu, &set);
        sched_setaffinity(0, sizeof set, &set);
        uint64_t until_ns = tbus_clock_ns() + stop_ms * MS;
        sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 10});
        while (tbus_clock_ns() < until_ns) {
        }
        _exit(0);
    }
    int status_of;
    waitpid(pid, &status_of, 0);
}

static bool may_take_cpus(void)
{
    struct sched_param param = {.sched_priority = 10}, none = {0};
    bool may = sched_setscheduler(0, SCHED_FIFO, &param) == 0;
    sched_setscheduler(0, SCHED_OTHER, &none);
    return may;
}

static void a_neighbour_that_takes_the_cpu_away_is_the_cause(void **state)
{
    fixture_t *f = *state;
    skip_unless_asked();
    static const char *const causes[] = {"preempted"};
    static const char *const more[] = {NULL};
    bool told = false;
    if (!may_take_cpus()) {
        print_message("skipped: no real-time priority may be had here\n");
        skip();
    }
    for (unsigned i = 0; i < RUNS_MAX && !told; i++) {
        json_t *report = run_with(f, take_cpu, more);
        told = is_told(report, causes, 1);
        assert_stalled(report, "strategy", "preempted", 0.8 * (double)(stop_ms * MS));
        json_decref(report);
    }
    assert_true(told);
}

static void stop_strategy_then_take_its_cpu(const json_t *status)
{
    stop_strategy(status);
    take_cpu(status);
}

static void two_at_a_time_are_both_the_cause(void **state)
{
    fixture_t *f = *state;
    skip_unless_asked();
    static const char *const causes[] = {"stopped", "preempted"};
    static const char *const more[] = {NULL};
    bool told = false;
    if (!may_take_cpus())
        skip();
    for (unsigned i = 0; i < RUNS_MAX && !told; i++) {
        json_t *report = run_with(f, stop_strategy_then_take_its_cpu, more);
        told = is_told(report, causes, 2) && ns_of(report, "stopped") > 0 &&
               ns_of(report, "preempted") > 0;
        assert_stalled(report, "strategy", "stopped", 0.9 * (double)(stop_ms * MS));
        assert_stalled(report, "strategy", "preempted", 0.8 * (double)(stop_ms * MS));
        json_decref(report);
    }
    assert_true(told);
}

/* --- planted from inside: a kind of stage that has page faults, and a journal whose segments come
 * late */

typedef struct storm_stage {
    tbus_stage_t stage; /* first */
    tbus_subscriber_t md;
    uint64_t ticks;
    unsigned char *memory;
} storm_stage_t;

/* The process of the strategy is busy with page faults, for as long as these take. */
static void have_faults(unsigned char *memory)
{
    for (unsigned round = 0; round < STORM_ROUNDS; round++) {
        for (size_t at = 0; at < STORM_BYTES; at += 4096)
            ((volatile unsigned char *)memory)[at] = 1;
        (void)madvise(memory, STORM_BYTES, MADV_DONTNEED);
    }
}

static int storm_poll(tbus_stage_t *stage, uint32_t budget)
{
    storm_stage_t *s = (storm_stage_t *)(void *)stage;
    size_t bytes;
    int work = 0;
    for (; (uint32_t)work < budget && tbus_peek(&s->md, &bytes); work++) {
        tbus_advance(&s->md);
        if (++s->ticks == messages_a_ms * 200)
            have_faults(s->memory);
    }
    return work;
}

static void storm_destroy(tbus_stage_t *stage)
{
    storm_stage_t *s = (storm_stage_t *)(void *)stage;
    tbus_stage_leave(stage);
    munmap(s->memory, STORM_BYTES);
    free(s);
}

static const tbus_stage_ops_t storm_ops = {.poll = storm_poll, .destroy = storm_destroy};

static int storm_create(const tbus_stage_request_t *request, tbus_stage_t **out_stage,
                        tbus_error_t *err)
{
    storm_stage_t *s = calloc(1, sizeof *s);
    if (!s)
        return tbus_fail(err, -ENOMEM, "no memory for a storm");
    s->stage.ops = &storm_ops;
    s->stage.bus = request->bus;
    s->stage.owner = request->owner;
    snprintf(s->stage.name, sizeof s->stage.name, "%s", request->name);
    s->memory = mmap(NULL, STORM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(s->memory != MAP_FAILED);
    (void)madvise(s->memory, STORM_BYTES, MADV_NOHUGEPAGE);
    int code = tbus_stage_join_subscriber(&s->stage, "md", request->name, &s->md, err);
    if (code < 0) {
        storm_destroy(&s->stage);
        return code;
    }
    *out_stage = &s->stage;
    return 0;
}

static const tbus_port_t storm_ports[] = {
    {.topic = "md", .role = TBUS_PORT_SUBSCRIBE, .driving = true},
};
static const tbus_kind_t storm_kind = {
    .api = TBUS_KIND_API,
    .struct_bytes = sizeof(tbus_kind_t),
    .name = "storm",
    .help = "Has page faults.",
    .traits = TBUS_KIND_DECIDES,
    .rank = 15,
    .ports_count = 1,
    .ports = storm_ports,
    .create = storm_create,
};

static bool segments_come_late; /* in the child: in the run of the test below */
static unsigned segments;

int __real_posix_fallocate(int fd, off_t offset, off_t bytes);
int __wrap_posix_fallocate(int fd, off_t offset, off_t bytes);
int __wrap_posix_fallocate(int fd, off_t offset, off_t bytes)
{
    if (segments_come_late && ++segments == 3) /* of the journal's helper thread */
        sleep_ms(stop_ms * 2);
    return __real_posix_fallocate(fd, offset, bytes);
}

/* `busctl latency` in a child of ours, with the kind above; its report. */
static json_t *run_inside(const fixture_t *f, bool late_segments, const char *const *more)
{
    char output[SCRATCH_PATH_MAX + 16];
    json_error_t why;
    snprintf(output, sizeof output, "%s/report.json", f->runtime);
    pid_t pid = fork();
    if (pid == 0) {
        unsigned count = 0;
        tbus_error_t err;
        const char *argv[ARGS_MAX] = {"test latency", "--name", f->bus,     "--rate", rate,
                                      "--for",        run_for,  "--wait",   "park",   "--floor",
                                      "none",         "--json", "--layout", "fused"};
        while (argv[count])
            count++;
        for (; *more; more++)
            argv[count++] = *more;
        segments_come_late = late_segments;
        if (!freopen(output, "w", stdout) || kinds_add(&storm_kind, &err) < 0)
            _exit(99);
        int code = verb_latency((int)count, (char **)(uintptr_t)argv);
        fflush(stdout);
        _exit(code);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    json_t *report = json_load_file(output, 0, &why);
    if (!report)
        fail_msg("%s", why.text);
    unlink(output);
    return report;
}

static void a_storm_of_page_faults_is_the_cause(void **state)
{
    fixture_t *f = *state;
    skip_unless_asked();
    static const char *const causes[] = {"page_faults"};
    static const char configuration[] = "stages:\n  storm: {kind: storm}\n";
    char file[SCRATCH_PATH_MAX + 16];
    bool told = false;
    snprintf(file, sizeof file, "%s/storm.yaml", f->runtime);
    assert_true(file_write(file, configuration, strlen(configuration)));
    const char *const more[] = {"-c", file, NULL};
    for (unsigned i = 0; i < RUNS_MAX && !told; i++) {
        json_t *report = run_inside(f, false, more);
        told = is_told(report, causes, 1);
        json_decref(report);
    }
    unlink(file);
    assert_true(told);
}

static void a_segment_that_comes_late_is_the_cause(void **state)
{
    fixture_t *f = *state;
    skip_unless_asked();
    static const char *const causes[] = {"segment_roll"};
    char directory[SCRATCH_PATH_MAX], journal[SCRATCH_PATH_MAX + 16];
    bool told = false;
    scratch_create(directory);
    for (unsigned i = 0; i < RUNS_MAX && !told; i++) {
        snprintf(journal, sizeof journal, "%s/%u", directory, i);
        /* are taken apart in place; a ring that holds what comes meanwhile delays nobody */
        char segments_of[] = "journal.segment_bytes=262144", slots[] = "topics.md.slots=1024";
        const char *const more[] = {"--journal", journal, "--set", segments_of,
                                    "--set",     slots,   NULL};
        json_t *report = run_inside(f, true, more);
        told = is_told(report, causes, 1);
        json_decref(report);
    }
    scratch_remove(directory);
    assert_true(told);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_strategy_that_was_stopped_is_the_cause_and_all_that_came_meanwhile_were_late),
        TEST(a_ring_that_a_stopped_reader_fills_is_the_cause),
        TEST(a_neighbour_that_takes_the_cpu_away_is_the_cause),
        TEST(two_at_a_time_are_both_the_cause),
        TEST(a_storm_of_page_faults_is_the_cause),
        TEST(a_segment_that_comes_late_is_the_cause),
    };
    choose_size();
    if (asked)
        ask_for_the_cpus();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
