/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/report_cause.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/measure/format.h"

/* So many messages must lie beyond p99.9, or there is too little to speak of causes. */
#define BEYOND_MIN UINT64_C(10)

#define WORST_OF_HOP 5u

/* --- the object */

static const char *process_name(const evidence_t *evidence, uint32_t process, char *text,
                                size_t bytes)
{
    const tbus_gaps_table_t *table = &evidence->gaps.tables[process];
    size_t used = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < table->stages_count && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s" TBUS_NAME_TEXT, i ? "+" : "",
                                 table->stages[i]);
    return text;
}

/* Causes that took any time, most first. */
static uint32_t in_order(const uint64_t ns[CAUSE_COUNT], uint32_t out_causes[CAUSE_COUNT])
{
    uint32_t count = 0;
    for (uint32_t cause = 0; cause < CAUSE_COUNT; cause++) {
        if (!ns[cause])
            continue;
        uint32_t at = count++;
        for (; at > 0 && ns[out_causes[at - 1]] < ns[cause]; at--)
            out_causes[at] = out_causes[at - 1];
        out_causes[at] = cause;
    }
    return count;
}

static json_t *causes_array(const causes_t *causes)
{
    json_t *array = json_array();
    uint32_t order[CAUSE_COUNT];
    uint32_t count = in_order(causes->ns, order);
    for (uint32_t i = 0; i < count; i++) {
        enum cause cause = (enum cause)order[i];
        json_array_append_new(array,
                              json_pack("{s:s, s:I, s:f, s:s?}", "name", cause_name(cause), "ns",
                                        (json_int_t)causes->ns[cause], "share",
                                        (double)causes->ns[cause] / (double)causes->excess_ns,
                                        "who", causes->who[cause][0] ? causes->who[cause] : NULL));
    }
    return array;
}

/* Of what it is told why it was slow: of the whole way, where that has enough messages. */
static enum sample_hop told_hop(const samples_t *s)
{
    return s->hops[HOP_TICK_TO_REPORT].count / 1000 >= BEYOND_MIN ? HOP_TICK_TO_REPORT
                                                                  : HOP_TICK_TO_SEEN;
}

static json_t *hop_named(json_t *report, const char *name)
{
    size_t i;
    json_t *hop;
    json_array_foreach(json_object_get(report, "hops"), i, hop)
    {
        const char *text = json_string_value(json_object_get(hop, "name"));
        if (text && strcmp(text, name) == 0)
            return hop;
    }
    return NULL;
}

static json_t *gap_object(const evidence_t *evidence, uint32_t process, const tbus_gap_t *gap)
{
    char name[CAUSE_WHO_MAX];
    const tbus_gap_sums_t *came = &gap->came;
    process_name(evidence, process, name, sizeof name);
    if (gap->kind == TBUS_GAP_FULL)
        return json_pack("{s:s, s:I, s:s, s:s}", "process", name, "ns",
                         (json_int_t)(gap->end_ns - gap->begin_ns), "topic", gap->topic, "holder",
                         gap->holder);
    return json_pack("{s:s, s:I, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "process", name,
                     "ns", (json_int_t)(gap->end_ns - gap->begin_ns), "cpu", (int)gap->cpu,
                     "cpu_before", (int)gap->cpu_before, "off_ns", (json_int_t)gap->off_ns,
                     "run_delay_ns", (json_int_t)came->run_delay_ns, "voluntary",
                     (json_int_t)came->voluntary, "involuntary", (json_int_t)came->involuntary,
                     "faults_minor", (json_int_t)came->faults_minor, "faults_major",
                     (json_int_t)came->faults_major, "continued", (json_int_t)came->continued);
}

static json_t *parts_object(const uint64_t ns[CAUSE_COUNT])
{
    json_t *object = json_object();
    uint32_t order[CAUSE_COUNT];
    uint32_t count = in_order(ns, order);
    for (uint32_t i = 0; i < count; i++)
        json_object_set_new(object, cause_name((enum cause)order[i]),
                            json_integer((json_int_t)ns[order[i]]));
    return object;
}

static uint64_t published_ns(const samples_t *s, uint64_t row)
{
    uint64_t i = samples_index(s, HOP_PUBLISH, row);
    return s->intended_ns[row] + (i < s->hops[HOP_PUBLISH].count ? s->hops[HOP_PUBLISH].ns[i] : 0);
}

/* Messages that were on md, not yet seen by the strategy, when this one came there. They are seen
 * one after another. */
static uint64_t count_behind(const samples_t *s, uint64_t row)
{
    uint64_t at_ns = published_ns(s, row);
    uint64_t low = 0, high = samples_index(s, HOP_SEEN, row), end = high;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        uint64_t seen_ns =
            published_ns(s, samples_row(s, HOP_SEEN, middle)) + s->hops[HOP_SEEN].ns[middle];
        if (seen_ns > at_ns)
            high = middle;
        else
            low = middle + 1;
    }
    return end - low;
}

/* To the object of a message: what was around it. */
static void surround(json_t *message, const evidence_t *evidence, const cause_source_t *source,
                     const samples_t *s, enum sample_hop hop, uint64_t i)
{
    uint64_t parts[CAUSE_COUNT];
    const tbus_gap_t *gap;
    uint32_t process = cause_surroundings(source, s, hop, i, parts, &gap);
    json_object_set_new(message, "why", parts_object(parts));
    json_object_set_new(message, "gap", gap ? gap_object(evidence, process, gap) : json_null());
    json_object_set_new(message, "behind",
                        json_integer((json_int_t)count_behind(s, samples_row(s, hop, i))));
}

static void add_worst(json_t *report, const evidence_t *evidence, const cause_source_t *source,
                      const samples_t *s)
{
    size_t k;
    json_t *message;
    enum sample_hop total =
        s->hops[HOP_TICK_TO_REPORT].count ? HOP_TICK_TO_REPORT : HOP_TICK_TO_SEEN;
    json_array_foreach(json_object_get(report, "worst"), k, message)
    {
        uint64_t seq = (uint64_t)json_integer_value(json_object_get(message, "seq"));
        uint64_t i = samples_index(s, total, seq - s->first_seq);
        if (i < s->hops[total].count)
            surround(message, evidence, source, s, total, i);
    }
}

static json_t *worst_of_hop(const evidence_t *evidence, const cause_source_t *source,
                            const samples_t *s, enum sample_hop hop)
{
    json_t *array = json_array();
    uint64_t longest[WORST_OF_HOP];
    uint32_t count = samples_longest(&s->hops[hop], WORST_OF_HOP, longest);
    for (uint32_t k = 0; k < count; k++) {
        json_t *message =
            json_pack("{s:I, s:f, s:I}", "seq", (json_int_t)samples_seq(s, hop, longest[k]), "at_s",
                      (double)samples_at_ns(s, hop, longest[k]) / 1e9, "ns",
                      (json_int_t)s->hops[hop].ns[longest[k]]);
        surround(message, evidence, source, s, hop, longest[k]);
        json_array_append_new(array, message);
    }
    return array;
}

static int add_hops(json_t *report, const evidence_t *evidence, const cause_source_t *source,
                    const samples_t *samples)
{
    for (int hop = 0; hop <= HOP_TICK_TO_REPORT; hop++) {
        causes_t causes;
        if (causes_book(source, samples, (enum sample_hop)hop, &causes) < 0)
            return -ENOMEM;
        json_t *object = hop_named(report, samples_hop_name((enum sample_hop)hop));
        if (object) {
            json_object_set_new(object, "causes", causes_array(&causes));
            json_object_set_new(object, "worst",
                                worst_of_hop(evidence, source, samples, (enum sample_hop)hop));
        }
        if ((enum sample_hop)hop != told_hop(samples))
            continue;
        json_object_set_new(report, "causes", causes_array(&causes));
        json_object_set_new(
            report, "causes_of",
            json_pack("{s:s, s:I, s:I, s:I}", "hop", samples_hop_name((enum sample_hop)hop),
                      "count", (json_int_t)causes.count, "threshold_ns",
                      (json_int_t)causes.threshold_ns, "excess_ns", (json_int_t)causes.excess_ns));
    }
    return 0;
}

static json_t *stalls_array(const evidence_t *evidence, const cause_source_t *source)
{
    json_t *array = json_array();
    for (uint32_t p = 0; p < evidence->gaps.processes; p++) {
        const tbus_gaps_table_t *table = &evidence->gaps.tables[p];
        uint64_t ns[CAUSE_COUNT] = {0};
        char name[CAUSE_WHO_MAX];
        if (!table->pid)
            continue;
        for (uint64_t i = 0; i < source->stalls[p].count; i++)
            stall_overlap(&source->stalls[p].list[i], 0, UINT64_MAX, ns);
        json_array_append_new(array,
                              json_pack("{s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:o}", "process",
                                        process_name(evidence, p, name, sizeof name), "pid",
                                        (int)table->pid, "cpu", (int)table->cpu, "gaps",
                                        (json_int_t)table->count, "lost", (json_int_t)table->lost,
                                        "sleeps", (json_int_t)table->sleeps_count, "sleeps_lost",
                                        (json_int_t)table->sleeps_lost, "ns", parts_object(ns)));
    }
    return array;
}

/* What came after a table was full is nobody's: a reader must not take it for a riddle. */
static void note_lost(json_t *notes, const evidence_t *evidence)
{
    for (uint32_t p = 0; p < evidence->gaps.processes; p++) {
        const tbus_gaps_table_t *table = &evidence->gaps.tables[p];
        char name[CAUSE_WHO_MAX];
        if (!table->pid || !table->lost)
            continue;
        const tbus_gap_t *last = &table->gaps[table->count - 1];
        json_array_append_new(
            notes,
            json_sprintf("%s: only the first %" PRIu64 " stalls were noted, those of %s; what "
                         "%" PRIu64 " later ones delayed is unexplained",
                         process_name(evidence, p, name, sizeof name), table->count,
                         figure_ns((double)(last->end_ns - table->begin_ns)).text, table->lost));
    }
}

int report_add_causes(json_t *report, const evidence_t *evidence, const samples_t *samples)
{
    cause_source_t source;
    if (evidence_source(evidence, &source) < 0)
        return -ENOMEM;
    int code = add_hops(report, evidence, &source, samples);
    if (code == 0) {
        add_worst(report, evidence, &source, samples);
        json_object_set_new(report, "stalls", stalls_array(evidence, &source));
    }
    note_lost(json_object_get(report, "notes"), evidence);
    if (evidence->unnamed.code)
        json_array_append_new(json_object_get(report, "notes"),
                              json_string(evidence->unnamed.text));
    cause_source_clear(&source);
    return code;
}

/* --- the text */

#define WHO_WIDTH 40

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

void report_print_causes(const json_t *report, FILE *out)
{
    size_t i;
    const json_t *cause, *of = json_object_get(report, "causes_of");
    const json_t *causes = json_object_get(report, "causes");
    double threshold_ns = json_number_value(json_object_get(of, "threshold_ns"));
    if (json_array_size(causes) == 0)
        return;
    fprintf(out, "\nwhy: %s beyond its p99.9 (%s), %s in all\n", text_of(of, "hop"),
            figure_ns(threshold_ns).text,
            figure_ns(json_number_value(json_object_get(of, "excess_ns"))).text);
    json_array_foreach(causes, i, cause)
    {
        double share = json_number_value(json_object_get(cause, "share"));
        fprintf(out, "%5.1f %%  %-17s %9s  %.*s\n", share * 100, text_of(cause, "name"),
                figure_ns(json_number_value(json_object_get(cause, "ns"))).text, WHO_WIDTH,
                text_of(cause, "who"));
    }
}
