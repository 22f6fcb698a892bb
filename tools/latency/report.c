/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/report.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/latency/hops.h"
#include "tools/latency/surroundings.h"
#include "tools/latency/report_cause.h"
#include "tools/latency/report_floor.h"
#include "tools/measure/format.h"
#include "tools/measure/provenance.h"
#include "tools/show/grouped.h"

#define SCHEMA    1
#define WORST_MAX 10u

/* ---- the object */

/* The index of a row in a hop; its count: that message did not take the hop. */
static uint64_t find_row(const samples_t *s, enum sample_hop hop, uint64_t row)
{
    uint64_t i = samples_index(s, hop, row), count = s->hops[hop].count;
    return i < count && samples_row(s, hop, i) == row ? i : count;
}

static json_t *message_object(const samples_t *s, enum sample_hop total, uint64_t i)
{
    uint64_t row = samples_row(s, total, i);
    json_t *object =
        json_pack("{s:I, s:f, s:I}", "seq", (json_int_t)samples_seq(s, total, i), "at_s",
                  (double)s->intended_ns[row] / 1e9, "total", (json_int_t)s->hops[total].ns[i]);
    for (int hop = 0; hop < HOP_PATH; hop++) {
        uint64_t k = find_row(s, (enum sample_hop)hop, row);
        if (k < s->hops[hop].count)
            json_object_set_new(object, samples_hop_name((enum sample_hop)hop),
                                json_integer((json_int_t)s->hops[hop].ns[k]));
    }
    return object;
}

static json_t *worst_array(const samples_t *s)
{
    enum sample_hop total = hops_whole(s);
    uint64_t worst[WORST_MAX];
    uint32_t count = samples_longest(&s->hops[total], WORST_MAX, worst);
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(array, message_object(s, total, worst[i]));
    return array;
}

static json_t *clock_object(const run_clock_t *clock)
{
#if defined(__aarch64__)
    const char *counter = "cntvct";
#else
    const char *counter = "tsc";
#endif
    return json_pack("{s:s, s:f, s:f, s:f, s:{s:I, s:I}}", "source",
                     clock->ticks ? counter : "monotonic", "read_ns", clock->read_ns,
                     "system_read_ns", clock->system_ns, "drift_ns", clock->drift_ns, "backward",
                     "count", (json_int_t)clock->backward_count, "max_ns",
                     (json_int_t)clock->backward_ns_max);
}

/* What the run says of itself, and whether it stayed the same. */
static json_t *notes_array(const run_result_t *result, const json_t *steadiness)
{
    json_t *notes = json_array();
    for (uint32_t i = 0; i < result->notes_count; i++)
        json_array_append_new(notes, json_string(result->notes[i]));
    char *texts[] = {hops_warm_up_text(steadiness), hops_drift_text(steadiness)};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i])
            json_array_append_new(notes, json_string(texts[i]));
        free(texts[i]);
    }
    return notes;
}

static json_t *rate(const run_result_t *result, double value)
{
    return result->had_a_rate ? json_real(value) : json_null();
}

json_t *report_build(const run_spec_t *spec, const run_result_t *result)
{
    json_t *object = json_object(), *steadiness = hops_steadiness(&result->samples);
    provenance_add(object, SCHEMA);
    json_object_set_new(object, "kept_up", json_boolean(result->kept_up));
    json_object_set_new(object, "rate",
                        json_pack("{s:o, s:o}", "target", rate(result, result->rate_target),
                                  "achieved", rate(result, result->rate_achieved)));
    json_object_set_new(object, "seconds", json_real(result->seconds));
    json_object_set_new(object, "seconds_asked", json_real((double)spec->for_ns / 1e9));
    json_object_set_new(object, "feed_ended", json_boolean(result->feed_ended));
    json_object_set_new(object, "stopped", json_boolean(result->stopped));
    json_object_set_new(object, "arrival", json_string(spec->arrival));
    json_object_set_new(object, "hops", hops_report(&result->samples, result->seconds));
    json_object_set_new(object, "worst", worst_array(&result->samples));
    json_object_set_new(object, "clock", clock_object(&result->clock));
    json_object_set(object, "summary", result->summary);
    surroundings_add(object);
    json_object_set_new(object, "notes", notes_array(result, steadiness));
    json_object_set_new(object, "steadiness", steadiness);
    if (report_add_causes(object, &result->evidence, &result->samples) < 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* ---- the text */

#define FIGURE_WIDTH 9
#define ALL_OF       0.99 /* the last message of a schedule comes a little before its end, */
#define MOST_OF      0.9  /* and one of recorded times, with bursts and pauses, a little more */

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void print_ns(double ns, FILE *out)
{
    fprintf(out, " %*s", FIGURE_WIDTH, figure_ns(ns).text);
}

static void print_hop(const json_t *hop, FILE *out)
{
    char count[GROUPED_MAX];
    fprintf(out, "%-15s %12s", json_string_value(json_object_get(hop, "name")),
            grouped((int64_t)json_integer_value(json_object_get(hop, "count")), count));
    print_ns(number(hop, json_object_get(hop, "mean_answered") ? "mean_answered" : "mean"), out);
    for (size_t p = 0; p < HOP_PERCENTILES; p++)
        print_ns(number(hop, hop_percentiles[p].key), out);
    print_ns(number(hop, "max"), out);
    fputc('\n', out);
}

/* "95 %: p50 2.31 us .. 2.35 us, p99 ..." and "needs: p99.999 41 s". */
static void print_interval_line(const json_t *hop, FILE *out)
{
    const json_t *intervals = json_object_get(hop, "ci95"),
                 *needs = json_object_get(hop, "needs_s");
    const char *before = "95 % intervals: ";
    fprintf(out, "%s: ", json_string_value(json_object_get(hop, "name")));
    for (size_t p = 0; p < HOP_PERCENTILES; p++) {
        const json_t *interval = json_object_get(intervals, hop_percentiles[p].key);
        if (!json_is_array(interval))
            continue;
        fprintf(out, "%s%s %s .. %s", before, hop_percentiles[p].name,
                figure_ns(json_number_value(json_array_get(interval, 0))).text,
                figure_ns(json_number_value(json_array_get(interval, 1))).text);
        before = ", ";
    }
    const char *next = *before == ',' ? "; needs more time: " : "needs more time: ";
    for (size_t p = 0; p < HOP_PERCENTILES; p++) {
        double seconds = number(needs, hop_percentiles[p].key);
        if (isnan(seconds))
            continue;
        fprintf(out, "%s%s %s", next, hop_percentiles[p].name, figure_ns(1e9 * seconds).text);
        next = ", ";
    }
    fputc('\n', out);
}

/* "untouched by the host (91.2 %): p50 ..., p99 ..." */
static void print_untouched(const json_t *hop, FILE *out)
{
    const json_t *untouched = json_object_get(hop, "untouched");
    if (!json_is_object(untouched))
        return;
    fprintf(out, "%s of messages that the host did not touch (%.1f %%):",
            json_string_value(json_object_get(hop, "name")), 100 * number(untouched, "share"));
    const char *before = " ";
    for (size_t p = 0; p < HOP_PERCENTILES; p++) {
        double ns = number(untouched, hop_percentiles[p].key);
        if (isnan(ns))
            continue;
        fprintf(out, "%s%s %s", before, hop_percentiles[p].name, figure_ns(ns).text);
        before = ", ";
    }
    fputc('\n', out);
}

static bool is_whole_way(const json_t *report, const json_t *hop)
{
    const char *whole =
        json_string_value(json_object_get(json_object_get(report, "steadiness"), "hop"));
    return whole && strcmp(json_string_value(json_object_get(hop, "name")), whole) == 0;
}

static void print_hops(const json_t *report, FILE *out)
{
    size_t i;
    const json_t *hop, *hops = json_object_get(report, "hops");
    fprintf(out, "\n%-15s %12s %*s", "hop", "count", FIGURE_WIDTH, "mean");
    for (size_t p = 0; p < HOP_PERCENTILES; p++)
        fprintf(out, " %*s", FIGURE_WIDTH, hop_percentiles[p].name);
    fprintf(out, " %*s\n", FIGURE_WIDTH, "max");
    json_array_foreach(hops, i, hop) print_hop(hop, out);
    fputs("Means add up: those of the first six, over the messages that are answered, to that of "
          "tick_to_report. Percentiles do not.\n",
          out);
    json_array_foreach(hops, i, hop)
    {
        if (!is_whole_way(report, hop))
            continue;
        print_interval_line(hop, out);
        print_untouched(hop, out);
    }
}

static void print_worst(const json_t *worst, FILE *out)
{
    size_t i;
    const json_t *message;
    if (json_array_size(worst) == 0)
        return;
    fprintf(out, "\n%-12s %9s %*s", "worst", "at", FIGURE_WIDTH, "total");
    for (int hop = 0; hop < HOP_PATH; hop++)
        fprintf(out, " %*s", FIGURE_WIDTH, samples_hop_name((enum sample_hop)hop));
    fputc('\n', out);
    json_array_foreach(worst, i, message)
    {
        fprintf(out, "%-12lld %7.3f s",
                (long long)json_integer_value(json_object_get(message, "seq")),
                number(message, "at_s"));
        print_ns(number(message, "total"), out);
        for (int hop = 0; hop < HOP_PATH; hop++)
            print_ns(number(message, samples_hop_name((enum sample_hop)hop)), out);
        fputc('\n', out);
    }
}

static void print_head(const json_t *report, FILE *out)
{
    const json_t *rate = json_object_get(report, "rate");
    char target[GROUPED_MAX], achieved[GROUPED_MAX];
    double seconds = number(report, "seconds"), asked = number(report, "seconds_asked");
    bool kept_up = json_is_true(json_object_get(report, "kept_up"));
    fputs(kept_up ? "kept up: " : "DID NOT KEEP UP: ", out);
    if (json_is_number(json_object_get(rate, "target")))
        fprintf(out, "%s messages/s of %s in %.1f s",
                grouped(llround(number(rate, "achieved")), achieved),
                grouped(llround(number(rate, "target")), target), seconds);
    else
        fprintf(
            out, "no rate, %s messages",
            grouped((int64_t)number(json_array_get(json_object_get(report, "hops"), 0), "count"),
                    achieved));
    bool ended = json_is_true(json_object_get(report, "feed_ended")),
         stopped = json_is_true(json_object_get(report, "stopped"));
    if (ended && seconds < ALL_OF * asked)
        fprintf(out, " OF %.1f S, WHEN THE FEED HAD NO MORE", asked);
    else if (stopped)
        fprintf(out, " OF %.1f S, WHEN IT WAS STOPPED", asked);
    else if (kept_up && seconds < MOST_OF * asked)
        fprintf(out, " OF %.1f S, WHEN NO MORE WAS DUE", asked);
    fprintf(out, ", %s arrivals\n", json_string_value(json_object_get(report, "arrival")));
}

static void print_clock(const json_t *clock, FILE *out)
{
    const json_t *backward = json_object_get(clock, "backward");
    fprintf(out, "\nclock: %s, %s a look", json_string_value(json_object_get(clock, "source")),
            figure_ns(number(clock, "read_ns")).text);
    if (number(backward, "count") > 0)
        fprintf(out, "; %.0f stamps ran backwards, by %s at most", number(backward, "count"),
                figure_ns(number(backward, "max_ns")).text);
    fputc('\n', out);
}

void report_print(const json_t *report, FILE *out)
{
    size_t i;
    const json_t *note;
    print_head(report, out);
    print_hops(report, out);
    report_print_causes(report, out);
    print_worst(json_object_get(report, "worst"), out);
    report_print_floor(report, out);
    print_clock(json_object_get(report, "clock"), out);
    json_array_foreach(json_object_get(report, "notes"), i, note)
        fprintf(out, "note: %s\n", json_string_value(note));
}
