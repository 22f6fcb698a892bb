/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/market/session.h"
#include "bus/run/stamps.h"
#include "feedsim/pace.h"
#include "feedsim/source/prepared.h"

#include "tools/latency/collect.h"
#include "tools/latency/schedule.h"
#include "tools/latency/stamp_clock.h"
#include "tools/latency/subscriber.h"
#include "tools/latency/touched.h"
#include "tools/run/supervisor.h"
#include "tools/show/outcome.h"

#define FOR_NS        UINT64_C(10000000000)
#define ROWS_UNKNOWN  UINT64_C(8000000) /* where no rate says how many messages come */
#define ROWS_MAX      UINT64_C(60000000)
#define ROWS_SPARE    UINT64_C(65536) /* beyond what the schedule has */
#define PREPARED_PART 4u              /* of the memory that is available */
#define CLOCK_LOOKS   20000u
#define BASE_NAME     "the defaults of busctl latency"
#define NS_PER_S      1e9

/* What a measurement has where nothing else is said: a name of its own, since a bus may be at work,
 * and the clock of the host: by that of the market an order waits as long as the model says. */
static const char base[] = "bus: {name: latency}\n"
                           "venue: {clock: host}\n"
                           "feed: {pace: 100k/s}\n";

/* ---- the command line */

/* "--rate 5" and "--rate=5". False: it is another option. *index moves over the value. */
static bool takes_value(int argc, char **argv, int *index, const char *name, const char **out_value)
{
    size_t length = strlen(name);
    if (strncmp(argv[*index], name, length) != 0)
        return false;
    if (argv[*index][length] == '=')
        *out_value = argv[*index] + length + 1;
    else if (argv[*index][length] == 0)
        *out_value = *index + 1 < argc ? argv[++*index] : NULL;
    else
        return false;
    return true;
}

/* "100000", "250k", "1.5M". */
static bool parse_rate(const char *text, double *out_rate)
{
    char *end;
    double rate = strtod(text, &end);
    if (strcmp(end, "k") == 0)
        rate *= 1e3;
    else if (strcmp(end, "M") == 0)
        rate *= 1e6;
    else if (*end)
        return false;
    *out_rate = rate;
    return rate >= 1 && rate <= 1e8;
}

typedef struct load_options {
    const char *rate;
    const char *arrival;
    const char *speed;
    bool no_subscriber;
} load_options_t;

/* The options of the pipeline go to start_options_parse, ours are taken out. */
static int split(int argc, char **argv, char **out_rest, int *out_count, load_options_t *out_load)
{
    const struct {
        const char *name;
        const char **value;
    } ours[] = {{"--rate", &out_load->rate},
                {"--arrival", &out_load->arrival},
                {"--speed", &out_load->speed}};
    int count = 0;
    for (int i = 0; i < argc; i++) {
        size_t k = 0;
        if (i > 0 && strcmp(argv[i], "--no-subscriber") == 0) {
            out_load->no_subscriber = true;
            continue;
        }
        while (k < sizeof ours / sizeof *ours &&
               (i == 0 || !takes_value(argc, argv, &i, ours[k].name, ours[k].value)))
            k++;
        if (k == sizeof ours / sizeof *ours)
            out_rest[count++] = argv[i];
        else if (!*ours[k].value)
            return outcome_usage(argv[0], "%s: a value was expected", ours[k].name);
    }
    out_rest[count] = NULL;
    *out_count = count;
    return OUTCOME_OK;
}

static bool names_file(const char *arrivals)
{
    return strncmp(arrivals, "recorded:", 9) == 0;
}

static int set(const char *verb, run_spec_t *spec, const char *key, const char *value)
{
    tbus_error_t why = {0};
    return start_options_set(&spec->start, key, value, &why) < 0
               ? outcome_usage(verb, "%s", why.text)
               : OUTCOME_OK;
}

static int set_rate(const char *verb, run_spec_t *spec)
{
    snprintf(spec->pace, sizeof spec->pace, "%.3f/s", spec->rate);
    return set(verb, spec, "feed.pace", spec->pace);
}

/* Arrivals that were recorded, as fast as makes that rate. */
static int set_recorded_rate(const char *verb, run_spec_t *spec, const char *arrivals)
{
    tbus_error_t why = {0};
    double factor;
    int code = schedule_speed(arrivals, spec->rate, &factor, &why);
    if (code == -TBUS_ECONFIG)
        return outcome_usage(verb, "%s", why.text);
    if (code < 0)
        return outcome_failed(verb, "%s", why.text);
    snprintf(spec->pace, sizeof spec->pace, "%.3fx", factor);
    return set(verb, spec, "feed.pace", spec->pace);
}

/* MemAvailable; 0: not known, and nothing is prepared. */
static uint64_t available_bytes(void)
{
    FILE *f = fopen("/proc/meminfo", "re");
    char line[128];
    unsigned long long kib = 0;
    while (f && kib == 0 && fgets(line, sizeof line, f))
        (void)sscanf(line, "MemAvailable: %llu kB", &kib);
    if (f)
        fclose(f);
    return (uint64_t)kib << 10;
}

/* A rate that is given as the pace, or in the file of -c, too; 0: the pace is no rate. */
static double rate_of(const run_spec_t *spec)
{
    char *end;
    const char *pace = config_pace(&spec->start.config);
    double rate = strtod(pace, &end);
    rate *= *end == 'k' ? 1e3 : *end == 'M' ? 1e6 : *end == 'G' ? 1e9 : 1;
    return strstr(pace, "/s") ? rate : 0;
}

/* So many messages are due at once. */
static double burst_of(const run_spec_t *spec)
{
    static const char scheme[] = "burst:";
    const char *arrivals = config_feed(&spec->start.config)->arrivals;
    return strncmp(arrivals, scheme, sizeof scheme - 1) == 0 ? atof(arrivals + sizeof scheme - 1)
                                                             : 1;
}

/* How many messages the schedule has at most; where there is no rate, its times are read. */
static int expect_messages(const char *verb, run_spec_t *spec)
{
    tbus_error_t why = {0};
    double messages = rate_of(spec) * (double)spec->for_ns / NS_PER_S, burst = burst_of(spec);
    messages = ceil(messages / burst) * burst; /* the last of them comes whole */
    uint64_t *due_ns = NULL, count = messages < (double)ROWS_MAX ? (uint64_t)messages : ROWS_MAX;
    if (messages <= 0 &&
        schedule_make(&spec->start.config, spec->for_ns, ROWS_MAX, &due_ns, &count, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    free(due_ns);
    spec->messages = count ? count + ROWS_SPARE : ROWS_UNKNOWN;
    return OUTCOME_OK;
}

/* A made-up feed with so many messages, unless that was said. */
static int set_lasting(const char *verb, run_spec_t *spec, uint64_t messages)
{
    if (*spec->source)
        return OUTCOME_OK;
    schedule_lasting_feed(config_source(&spec->start.config), messages, spec->source,
                          sizeof spec->source);
    return *spec->source ? set(verb, spec, "feed.source", spec->source) : OUTCOME_OK;
}

/* By its own times it needs as many as it will have in them. */
static int set_lasting_day(const char *verb, run_spec_t *spec)
{
    feed_pace_t pace;
    bool own_times = !names_file(config_feed(&spec->start.config)->arrivals);
    if (feed_pace_parse(config_pace(&spec->start.config), &pace, NULL) < 0 ||
        pace.kind != FEED_PACE_TIMED || !own_times)
        return OUTCOME_OK;
    return set_lasting(verb, spec, schedule_synth_messages(feed_pace_span_ns(&pace, spec->for_ns)));
}

/* As many as memory has room for. */
static int set_prepared(const char *verb, run_spec_t *spec)
{
    uint64_t messages = spec->messages;
    uint64_t room = available_bytes() / PREPARED_PART / FEED_PREPARED_BYTES;
    snprintf(spec->prepare, sizeof spec->prepare, "%llu",
             (unsigned long long)(messages < room ? messages : room));
    return set(verb, spec, "feed.prepare", spec->prepare);
}

/* Wherever it was said: by an option of ours, by --set, or in the file of -c. */
static const char *arrival_of(const run_spec_t *spec)
{
    const char *arrivals = config_feed(&spec->start.config)->arrivals;
    feed_pace_t pace;
    if (names_file(arrivals) || feed_pace_parse(config_pace(&spec->start.config), &pace, NULL) < 0)
        return arrivals;
    return pace.kind == FEED_PACE_RATE    ? arrivals
           : pace.kind == FEED_PACE_TIMED ? "the feed's own"
                                          : "unscheduled";
}

/* Over the configuration as it was given: the schedule, and messages that are ready for it. */
static int set_load(const char *verb, const load_options_t *load, run_spec_t *spec)
{
    bool recorded = load->arrival && names_file(load->arrival);
    int code;
    if (load->rate && !parse_rate(load->rate, &spec->rate))
        return outcome_usage(
            verb, "--rate %s: messages a second were expected, as 100000, 250k or 1M", load->rate);
    if (load->rate && load->speed)
        return outcome_usage(verb,
                             "--rate and --speed exclude each other: messages come at a rate, "
                             "or so many times as fast as they were recorded");
    if (load->speed && load->arrival && !recorded)
        return outcome_usage(verb,
                             "--arrival %s and --speed exclude each other: it is spread over a "
                             "--rate, and --speed is of recorded times",
                             load->arrival);
    if (load->rate)
        code = recorded ? set_recorded_rate(verb, spec, load->arrival) : set_rate(verb, spec);
    else
        code = load->speed || recorded
                   ? set(verb, spec, "feed.pace", load->speed ? load->speed : "1x")
                   : OUTCOME_OK;
    if (code == OUTCOME_OK && load->arrival)
        code = set(verb, spec, "feed.arrivals", load->arrival);
    if (code == OUTCOME_OK)
        code = set_lasting_day(verb, spec);
    if (code == OUTCOME_OK)
        code = expect_messages(verb, spec);
    if (code == OUTCOME_OK)
        code = set_lasting(verb, spec, spec->messages);
    if (code == OUTCOME_OK)
        code = set_prepared(verb, spec);
    spec->arrival = arrival_of(spec);
    return code;
}

int run_spec_parse(int argc, char **argv, run_spec_t *out_spec)
{
    tbus_error_t why = {0};
    load_options_t load = {0};
    int count = 0;
    char **rest = calloc((size_t)argc + 1, sizeof *rest);
    if (!rest)
        return outcome_failed(argv[0], "no memory for %d arguments", argc);
    *out_spec = (run_spec_t){0};
    int code = split(argc, argv, rest, &count, &load);
    if (code == OUTCOME_OK)
        code = start_options_parse(count, rest, true, &out_spec->start);
    free(rest);
    if (code != OUTCOME_OK || out_spec->start.help)
        return code;
    if (out_spec->start.rest)
        return outcome_usage(argv[0], "'%s': no argument was expected", out_spec->start.rest);
    if (start_options_base(&out_spec->start, BASE_NAME, base, sizeof base - 1, &why) < 0)
        return outcome_usage(argv[0], "%s", why.text);
    if (out_spec->start.for_ns == 0)
        out_spec->start.for_ns = FOR_NS;
    out_spec->for_ns = out_spec->start.for_ns;
    out_spec->no_subscriber = load.no_subscriber;
    return set_load(argv[0], &load, out_spec);
}

/* ---- the run */

static uint32_t strategies_of(const run_spec_t *spec)
{
    config_stage_t stages[TBUS_INSTANCES_MAX];
    uint32_t count = config_stages(&spec->start.config, stages), strategies = 0;
    for (uint32_t i = 0; i < count; i++)
        strategies += (stages[i].instance->kind->traits & TBUS_KIND_TRADES) != 0;
    return strategies ? strategies : 1;
}

/* CLOCK_MONOTONIC as ms after 1970. */
static uint64_t wall_ms(uint64_t ns)
{
    return (tbus_clock_realtime_ns() - (tbus_clock_ns() - ns)) / 1000000;
}

static bool serves(const config_t *config)
{
    config_stage_t stages[TBUS_INSTANCES_MAX];
    uint32_t count = config_stages(config, stages);
    for (uint32_t i = 0; i < count; i++)
        if (stages[i].instance->kind->traits & TBUS_KIND_SERVES)
            return true;
    return false;
}

/* Which columns there is somebody to fill. */
static uint32_t optional_columns(const run_spec_t *spec)
{
    const config_t *config = &spec->start.config;
    const session_values_t *venue = config_resource_values(config, &session_resource);
    uint32_t columns = 0;
    if (venue->clock == SESSION_CLOCK_MARKET)
        columns |= 1u << TBUS_STAMP_WAITED;
    if (config_journal(config)[0])
        columns |= 1u << TBUS_STAMP_RECORDED;
    if (serves(config))
        columns |= 1u << TBUS_STAMP_SERVED;
    return columns;
}

typedef struct watched {
    stamp_clock_t *clock;
    subscriber_t subscriber;
} watched_t;

static void watch(void *context, const tbus_bus_t *bus)
{
    watched_t *w = context;
    stamp_clock_read(w->clock, false);
    subscriber_tell(&w->subscriber, bus);
}

/* Without it the hop of the gateway has no figures, and a note says so. */
static void start_subscriber(const run_spec_t *spec, watched_t *w, run_result_t *r)
{
    tbus_error_t why = {0};
    if (!spec->no_subscriber && subscriber_start(&spec->start.config, &w->subscriber, &why) < 0)
        run_note(r, "%.200s", why.text);
}

/* A pipeline that is behind when the time is over is asked for no more: what was due by then is
 * missing in the figures, which would be worse with it. */
static void note_unsent(const run_spec_t *spec, run_result_t *r)
{
    const samples_t *s = &r->samples;
    double rate = rate_of(spec);
    if (s->rows == 0 || rate <= 0 || r->feed_ended || r->stopped)
        return;
    /* Of others than even ones a pipeline that kept up has a longer gap now and then. */
    if (r->kept_up && strcmp(spec->arrival, "constant") != 0)
        return;
    uint64_t last_ns = s->intended_ns[s->rows - 1];
    /* The first that is not sent is due a gap behind the last. */
    double unsent =
        last_ns < spec->for_ns ? rate * (double)(spec->for_ns - last_ns) / NS_PER_S - 1 : 0;
    if (unsent < 0.5)
        return;
    run_note(r,
             "%.0f messages were due when the time was over and never went out: they are in no "
             "figure",
             unsent);
}

/* A reader who finds few answers is told why. */
static void note_halt(run_result_t *r)
{
    const json_t *risk = json_object_get(r->summary, "risk"),
                 *rejects = json_object_get(json_object_get(risk, "rejects"), "kill_switch");
    const char *reason = json_string_value(json_object_get(risk, "halt_reason"));
    long long rejected = json_integer_value(rejects);
    if (reason)
        run_note(r,
                 "orders were halted when the run ended (%.120s): from then on none was answered",
                 reason);
    else if (rejected > 0)
        run_note(r, "orders were halted for a time: %lld were rejected", rejected);
}

static void find_touched(run_result_t *r)
{
    cause_source_t source = {0};
    if (evidence_source(&r->evidence, &source) < 0 || touched_find(&source, &r->samples) < 0)
        run_note(r, "no memory to find the messages that the host has delayed");
    cause_source_clear(&source);
}

static int collect(const char *verb, const run_spec_t *spec, const tbus_stamps_t *stamps,
                   const stamp_clock_t *clock, run_result_t *r)
{
    tbus_error_t why = {0};
    collect_backward_t backward;
    if (collect_samples(stamps, clock, &r->samples, &backward, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    r->began_ms = wall_ms(r->samples.start_ns);
    r->clock.backward_count = backward.count;
    r->clock.backward_ns_max = backward.ns_max;
    r->clock.drift_ns = stamp_clock_drift_ns(clock);
    r->messages_lost = tbus_load_relaxed_u64(&stamps->shared->columns[TBUS_STAMP_INTENDED].lost);
    r->answers_lost = tbus_load_relaxed_u64(&stamps->shared->columns[TBUS_STAMP_SENT].lost);
    if (r->messages_lost)
        run_note(r, "%llu messages came after the tables were full: they are not measured",
                 (unsigned long long)r->messages_lost);
    if (r->answers_lost)
        run_note(r, "%llu orders came after the tables were full: they are not measured",
                 (unsigned long long)r->answers_lost);
    if (stamps->rows[TBUS_STAMP_SERVED] && r->samples.hops[HOP_GATEWAY].count == 0)
        run_note(r, "nobody was connected to the gateway: its hop is not measured%s",
                 spec->no_subscriber ? "" : " (it asks for users, whose passwords are not known)");
    find_touched(r);
    r->feed_ended = json_is_true(json_object_get(json_object_get(r->summary, "feed"), "ended"));
    run_judge(r);
    note_unsent(spec, r);
    note_halt(r);
    return OUTCOME_OK;
}

int run_measure(const char *verb, run_spec_t *spec, run_result_t *out_result)
{
    static stamp_clock_t clock; /* large, and one run at a time */
    tbus_error_t why = {0};
    tbus_stamps_t stamps;
    uint64_t messages = spec->messages;
    bool ticks = stamp_clock_trusts_counter();
    tbus_stamps_spec_t tables = {.messages = messages,
                                 .answers = messages / 2 + ROWS_SPARE,
                                 .streams = strategies_of(spec),
                                 .optional = optional_columns(spec),
                                 .topic = "md",
                                 .ticks = ticks};
    *out_result = (run_result_t){.clock = {.ticks = ticks,
                                           .read_ns = stamp_clock_cost_ns(ticks),
                                           .system_ns = stamp_clock_cost_ns(false)}};
    if (tbus_stamps_create(&tables, &stamps, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    if (evidence_begin(&spec->start.config, &out_result->evidence, &why) < 0) {
        tbus_stamps_destroy(&stamps);
        return outcome_failed(verb, "%s", why.text);
    }
    watched_t watched = {.clock = &clock, .subscriber = {.fd = -1}};
    start_subscriber(spec, &watched, out_result);
    stamp_clock_init(&clock, ticks);
    stamp_clock_read(&clock, false);
    supervisor_request_t request = {.verb = verb,
                                    .rehearses = true,
                                    .options = &spec->start,
                                    .no_summary = true,
                                    .stamps = &stamps,
                                    .gaps = &out_result->evidence.gaps,
                                    .watch = watch,
                                    .watch_context = &watched,
                                    .summary = &out_result->summary,
                                    .stopped = &out_result->stopped};
    int code = supervisor_run(&request);
    subscriber_end(&watched.subscriber);
    stamp_clock_read(&clock, true);
    if (evidence_end(&out_result->evidence) < 0)
        run_note(out_result, "no memory for what is known of switches: causes are without names");
    if (code == OUTCOME_OK)
        code = collect(verb, spec, &stamps, &clock, out_result);
    tbus_stamps_destroy(&stamps);
    if (code != OUTCOME_OK)
        run_result_clear(out_result);
    return code;
}
