/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "feedsim/gap_board.h"
#include "tools/show/fold.h"
#include "tools/show/grouped.h"
#include "tools/show/json_text.h"
#include "tools/run/backlog.h"
#include "tools/run/latches_shown.h"
#include "tools/run/lines_shown.h"
#include "tools/run/outlook.h"
#include "tools/run/profit_shown.h"
#include "tools/run/summary.h"

#define NUMBER_MAX    GROUPED_MAX
#define PAIRS_MAX     256
#define TOPICS_WIDTH  51 /* before the readers of a topic */
#define LABEL_WIDTH   13
#define WIDTH_MAX     79 /* of a line; what is longer goes on below */
#define PARAGRAPH_MAX 1200
#define GAPS_PRINTED  8u

static int64_t integer(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* Three significant digits or so, in the unit that suits: "870 ns", "12.4 us", "3.10 ms". */
static const char *duration(int64_t ns, char out_text[NUMBER_MAX])
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    double value = (double)ns;
    unsigned unit = 0;
    for (; value >= 999.5 && unit + 1 < sizeof units / sizeof *units; unit++)
        value /= 1000;
    snprintf(out_text, NUMBER_MAX, "%.*f %s",
             unit == 0 || value >= 99.95 ? 0
             : value >= 9.995            ? 1
                                         : 2,
             value, units[unit]);
    return out_text;
}

static void label(FILE *out, const char *name)
{
    fprintf(out, "  %-*s ", LABEL_WIDTH - 3, name);
}

/* What may be long: names, paths, sentences of others. */
__attribute__((format(printf, 3, 4))) static void paragraph(FILE *out, const char *name,
                                                            const char *format, ...)
{
    char head[LABEL_WIDTH + 1], text[PARAGRAPH_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(head, sizeof head, "  %.*s", LABEL_WIDTH - 3, name);
    fold(out, head, LABEL_WIDTH, text);
}

/* Words one behind the other, with ", " between them; what does not fit a line goes on below. */
typedef struct flow {
    FILE *out;
    size_t begin;  /* column at which a line begins */
    size_t column; /* where we are */
    bool first;
} flow_t;

static flow_t flow_begin(FILE *out, size_t column)
{
    return (flow_t){.out = out, .begin = column, .column = column, .first = true};
}

static void flow_item(flow_t *flow, const char *item)
{
    size_t width = strlen(item) + 2; /* with ", " before or "," behind */
    if (!flow->first && flow->column + width > WIDTH_MAX) {
        fprintf(flow->out, ",\n%*s", (int)flow->begin, "");
        flow->column = flow->begin;
    } else if (!flow->first) {
        fputs(", ", flow->out);
    }
    fputs(item, flow->out);
    flow->column += width;
    flow->first = false;
}

/* "12 sent, 10 accepted" of the keys given; ends with NULL. Zeros are left out but for the
 * first. */
static void print_counts(FILE *out, const json_t *object, const char *const *keys,
                         const char *const *words)
{
    flow_t flow = flow_begin(out, LABEL_WIDTH);
    for (unsigned i = 0; keys[i]; i++) {
        char number[NUMBER_MAX], item[NUMBER_MAX + 64];
        int64_t value = integer(object, keys[i]);
        if (!value && i)
            continue;
        snprintf(item, sizeof item, "%s %s", grouped(value, number), words[i]);
        flow_item(&flow, item);
    }
}

typedef struct pair {
    const char *name;
    int64_t value;
} pair_t;

static int larger_first(const void *a, const void *b)
{
    int64_t x = ((const pair_t *)a)->value, y = ((const pair_t *)b)->value;
    return (x < y) - (x > y);
}

/* "A 12, D 10": all that is not zero, the largest first. Nothing when there is nothing. */
static void print_pairs(FILE *out, const json_t *object, const char *name)
{
    pair_t pairs[PAIRS_MAX];
    size_t count = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (json_integer_value(value) && count < PAIRS_MAX)
            pairs[count++] = (pair_t){key, (int64_t)json_integer_value(value)};
    }
    if (!count)
        return;
    qsort(pairs, count, sizeof *pairs, larger_first);
    label(out, name);
    flow_t flow = flow_begin(out, LABEL_WIDTH);
    for (size_t i = 0; i < count; i++) {
        char number[NUMBER_MAX], item[NUMBER_MAX + 64];
        snprintf(item, sizeof item, "%s %s", pairs[i].name, grouped(pairs[i].value, number));
        flow_item(&flow, item);
    }
    fputc('\n', out);
}

static void print_head(FILE *out, const json_t *summary)
{
    double seconds = json_real_value(json_object_get(summary, "duration_s"));
    char time[NUMBER_MAX];
    const char *state = text_of(summary, "state");
    bool ended = strcmp(state, "ended") == 0;
    fprintf(out, "bus '%s', %s%s %s\n\n", text_of(summary, "name"), ended ? "ran for" : state,
            ended ? "" : " for", duration((int64_t)(seconds * 1e9), time));
}

/* A second or less is no time to wait. */
static void print_outlook(FILE *out, const json_t *feed)
{
    const json_t *progress = json_object_get(feed, "progress");
    const json_t *left = json_object_get(feed, "left_s");
    double next_s = json_real_value(json_object_get(feed, "next_in_s"));
    const char *next_at = text_of(feed, "next_at");
    char time[OUTLOOK_TEXT_MAX];
    if (json_is_real(progress)) {
        label(out, "");
        fprintf(out, "%.0f %% done", 100 * json_real_value(progress));
        if (json_is_real(left))
            fprintf(out, ", about %s left", outlook_duration(json_real_value(left), time));
        fputc('\n', out);
    }
    if (next_s > 1) {
        label(out, "");
        fprintf(out, "the next message is due in %s%s%s\n", outlook_duration(next_s, time),
                *next_at ? ", at " : "", next_at);
    }
}

static void print_gaps(FILE *out, const json_t *feed)
{
    int64_t count = integer(feed, "gaps_count");
    char number[NUMBER_MAX];
    if (count == 0)
        return;
    paragraph(out, "",
              "%s messages LOST in %" PRId64 " gap%s: the books lack them (feed.gap_policy)",
              grouped(integer(feed, "lost"), number), count, count == 1 ? "" : "s");
    size_t i;
    json_t *gap;
    json_array_foreach(json_object_get(feed, "gaps"), i, gap)
    {
        if (i == GAPS_PRINTED)
            break;
        label(out, "");
        fprintf(out, "  %" PRIu64 " to %" PRIu64 "\n",
                json_unsigned_value(json_object_get(gap, "from")),
                json_unsigned_value(json_object_get(gap, "to")));
    }
    if (count > (int64_t)i) {
        label(out, "");
        fprintf(out, "  and %" PRId64 " more (--json has the first %u)\n", count - (int64_t)i,
                FEED_GAPS_MAX);
    }
}

static void print_feed(FILE *out, const json_t *summary)
{
    const json_t *feed = json_object_get(summary, "feed");
    double seconds = json_real_value(json_object_get(summary, "duration_s"));
    int64_t messages = integer(feed, "messages");
    char number[NUMBER_MAX], bytes[NUMBER_MAX], rate[NUMBER_MAX];
    label(out, "feed");
    fprintf(out, "%s messages, %s bytes", grouped(messages, number),
            grouped(integer(feed, "bytes"), bytes));
    if (seconds > 0)
        fprintf(out, ", %s messages/s", grouped((int64_t)((double)messages / seconds), rate));
    fputc('\n', out);
    paragraph(out, "", "from %s at %s", text_of(summary, "source"), text_of(summary, "pace"));
    print_pairs(out, json_object_get(feed, "by_type"), "");
    lines_shown_print(out, feed, LABEL_WIDTH);
    print_gaps(out, feed);
    print_outlook(out, feed);
}

static void print_books(FILE *out, const json_t *summary)
{
    static const char *const keys[] = {
        "symbols",         "live_orders",          "live_orders_max",
        "bbo_changes",     "executed_shares",      "unknown_order_refs",
        "over_reductions", "duplicate_adds",       "malformed",
        "foreign_adds",    "foreign_locates",      "trade_shares",
        "cross_shares",    "non_printable_shares", NULL};
    static const char *const words[] = {
        "symbols",         "live orders",           "at most",         "changes of the best",
        "shares executed", "unknown references",    "over-reductions", "duplicate adds",
        "malformed",       "adds of another stock", "foreign locates", "shares traded unseen",
        "crossed",         "not printable"};
    label(out, "books");
    print_counts(out, json_object_get(summary, "books"), keys, words);
    fputc('\n', out);
}

static void print_risk(FILE *out, const json_t *risk)
{
    latches_shown_print(out, risk, LABEL_WIDTH);
    print_pairs(out, json_object_get(risk, "rejects"), "rejects");
    if (integer(risk, "report_mismatches")) {
        char number[NUMBER_MAX];
        label(out, "");
        fprintf(out, "%s reports did not fit the order that they name\n",
                grouped(integer(risk, "report_mismatches"), number));
    }
}

static void print_sent(FILE *out, const json_t *orders, const char *name)
{
    static const char *const keys[] = {"sent",     "cancels_sent",     "accepted",
                                       "rejected", "filled",           "cancelled",
                                       "partial",  "cancels_rejected", NULL};
    static const char *const words[] = {"sent",   "cancels",   "accepted",      "rejected",
                                        "filled", "cancelled", "partial fills", "cancels rejected"};
    label(out, name);
    print_counts(out, orders, keys, words);
    fputc('\n', out);
}

static void print_profit(FILE *out, const json_t *of, const char *name)
{
    label(out, name);
    profit_shown_print(out, json_object_get(of, "pnl_e4"), json_object_get(of, "symbols"),
                       LABEL_WIDTH);
}

static void print_orders(FILE *out, const json_t *summary)
{
    print_sent(out, json_object_get(summary, "orders"), "orders");
    print_risk(out, json_object_get(summary, "risk"));
    print_pairs(out, json_object_get(summary, "positions"), "positions");
    if (integer(json_object_get(summary, "executor"), "executions") != 0)
        print_profit(out, summary, "profit");
}

/* What each of them did, where there are several. */
static void print_strategies(FILE *out, const json_t *summary)
{
    const char *name;
    json_t *strategy;
    const json_t *all = json_object_get(summary, "strategies");
    if (json_object_size(all) < 2)
        return;
    json_object_foreach((json_t *)(uintptr_t)all, name, strategy)
    {
        fprintf(out, "\n  strategy '%s'\n", name);
        print_sent(out, json_object_get(strategy, "orders"), "orders");
        print_pairs(out, json_object_get(strategy, "positions"), "positions");
        print_profit(out, strategy, "profit");
    }
}

static void print_latency_row(FILE *out, const json_t *latency, const char *name)
{
    static const char *const columns[] = {"p50", "p99", "p99_9", "max"};
    char value[NUMBER_MAX];
    fprintf(out, "  %-15s", name);
    for (unsigned i = 0; i < sizeof columns / sizeof *columns; i++)
        fprintf(out, " %10s", duration(integer(latency, columns[i]), value));
    fprintf(out, " %12s\n", grouped(integer(latency, "count"), value));
}

/* Only what there was. */
static void print_latency(FILE *out, const json_t *summary)
{
    static const char *const rows[][2] = {{"tick_to_order", "tick to order"},
                                          {"tick_to_requote", "tick to requote"},
                                          {"tick_to_cancel", "tick to cancel"},
                                          {"tick_to_report", "tick to report"},
                                          {"wait_horizon", "of it, waiting"}};
    const json_t *all = json_object_get(summary, "latency_ns");
    const json_t *waits = json_object_get(all, "wait_horizon");
    double waited = json_real_value(json_object_get(waits, "share"));
    bool headed = false;
    for (unsigned row = 0; row < sizeof rows / sizeof *rows; row++) {
        const json_t *latency = json_object_get(all, rows[row][0]);
        if (integer(latency, "count") == 0 || (latency == waits && waited == 0))
            continue;
        if (!headed)
            fprintf(out, "\n  %-15s %10s %10s %10s %10s %12s\n", "latency", "p50", "p99", "p99.9",
                    "max", "count");
        print_latency_row(out, latency, rows[row][1]);
        headed = true;
    }
    if (waited > 0)
        fprintf(out, "  (%.2g %% of the ticks waited for what the venue could still report)\n",
                100 * waited);
    if (headed && strcmp(text_of(summary, "pace"), "max") == 0)
        fputs("  (at pace max each message waits for those before it; --pace 100k/s shows the\n"
              "  pipeline's own)\n",
              out);
}

/* What two runs are compared by: known when all is done. */
static void print_digests(FILE *out, const json_t *summary)
{
    const char *topic;
    json_t *digest;
    const json_t *all = json_object_get(summary, "digests");
    if (!all || strcmp(text_of(summary, "state"), "ended") != 0)
        return;
    fputc('\n', out);
    label(out, "digests");
    flow_t flow = flow_begin(out, LABEL_WIDTH);
    json_object_foreach((json_t *)(uintptr_t)all, topic, digest)
    {
        char item[64];
        snprintf(item, sizeof item, "%s %s", topic, json_string_value(digest));
        flow_item(&flow, item);
    }
    fputc('\n', out);
}

/* How far each subscriber is: nothing to say when it has all. */
static void print_subscribers(FILE *out, const json_t *topic)
{
    size_t i;
    json_t *subscriber;
    const json_t *list = json_object_get(topic, "subscribers");
    flow_t flow = flow_begin(out, TOPICS_WIDTH);
    if (json_array_size(list) == 0)
        fputs(json_is_true(json_object_get(topic, "left_out")) ? "nobody: left out" : "-", out);
    json_array_foreach(list, i, subscriber)
    {
        char number[NUMBER_MAX], item[NUMBER_MAX + 64];
        bool lost = integer(subscriber, "lost") != 0;
        int64_t messages = integer(subscriber, lost ? "lost" : "lag");
        snprintf(item, sizeof item, messages ? lost ? "%s lost %s" : "%s %s behind" : "%s",
                 text_of(subscriber, "name"), grouped(messages, number));
        flow_item(&flow, item);
    }
}

static void print_topics(FILE *out, const json_t *summary)
{
    const char *name;
    json_t *topic;
    fprintf(out, "%s  %-10s %12s  %-12s %-10s %s\n", json_object_get(summary, "feed") ? "\n" : "",
            "topic", "messages", "ring", "pages", "read by");
    json_object_foreach(json_object_get(summary, "topics"), name, topic)
    {
        char number[NUMBER_MAX];
        fprintf(out, "  %-10s %12s  %-12s %-10s ", name,
                grouped(integer(topic, "published"), number), text_of(topic, "kind"),
                text_of(json_object_get(summary, "pages"), name));
        print_subscribers(out, topic);
        fputc('\n', out);
    }
}

static void print_gateway(FILE *out, const json_t *summary, const char *stage)
{
    const json_t *totals = json_object_get(json_object_get(summary, stage), "totals");
    char numbers[6][NUMBER_MAX];
    if (!json_is_object(totals))
        return;
    paragraph(out, stage,
              "%s logins of %s connections, %s rejected, %s cut off, %s lost messages; %s bytes",
              grouped(integer(totals, "logins"), numbers[0]),
              grouped(integer(totals, "accepted"), numbers[1]),
              grouped(integer(totals, "rejected"), numbers[2]),
              grouped(integer(totals, "cut"), numbers[3]),
              grouped(integer(totals, "lost"), numbers[4]),
              grouped(integer(totals, "bytes"), numbers[5]));
}

static void print_mold(FILE *out, const json_t *summary)
{
    const json_t *mold = json_object_get(summary, "mold");
    const json_t *totals = json_object_get(mold, "totals");
    char a[NUMBER_MAX], b[NUMBER_MAX], c[NUMBER_MAX], d[NUMBER_MAX], e[NUMBER_MAX], f[NUMBER_MAX];
    if (!json_is_object(totals))
        return;
    int64_t faults = integer(totals, "fault_length") + integer(totals, "fault_session") +
                     integer(totals, "fault_sequence") + integer(totals, "fault_count");
    paragraph(out, "mold", "%s messages in %s packets to %s, %s packets unsent, %s messages lost",
              grouped(integer(totals, "messages"), a), grouped(integer(totals, "packets"), b),
              text_of(mold, "to"), grouped(integer(totals, "unsent"), c),
              grouped(integer(totals, "lost"), d));
    if (integer(mold, "requests_port"))
        paragraph(out, "", "%s requests: %s answered with %s messages, %s limited, %s faulty",
                  grouped(integer(totals, "requests"), a), grouped(integer(totals, "answers"), b),
                  grouped(integer(totals, "answer_messages"), c),
                  grouped(integer(totals, "limited"), e), grouped(faults, f));
    if (*text_of(mold, "note"))
        paragraph(out, "", "last: %s", text_of(mold, "note"));
}

static void print_bridge(FILE *out, const json_t *summary)
{
    const json_t *bridge = json_object_get(summary, "bridge");
    const json_t *totals = json_object_get(bridge, "totals");
    char a[NUMBER_MAX], b[NUMBER_MAX], c[NUMBER_MAX], d[NUMBER_MAX];
    if (!json_is_object(totals))
        return;
    paragraph(out, "bridge", "%s messages acknowledged by stream '%s' at %s (%s), %s behind",
              grouped(integer(totals, "acknowledged"), a), text_of(bridge, "stream"),
              text_of(bridge, "server"), text_of(bridge, "state"),
              grouped(integer(bridge, "lag_messages"), b));
    paragraph(out, "", "%s sent again, %s refusals, %s connections lost, %s messages lost",
              grouped(integer(totals, "resent"), a), grouped(integer(totals, "refusals"), b),
              grouped(integer(totals, "disconnects"), c), grouped(integer(totals, "lost"), d));
    if (*text_of(bridge, "note"))
        paragraph(out, "", "last: %s", text_of(bridge, "note"));
}

static void print_journal(FILE *out, const json_t *summary)
{
    const json_t *journal = json_object_get(summary, "journal");
    char records[NUMBER_MAX], bytes[NUMBER_MAX], now[NUMBER_MAX];
    if (!json_is_object(journal))
        return;
    fputc('\n', out);
    paragraph(out, "journal", "%s records, %s bytes in %s",
              grouped(integer(journal, "records"), records),
              grouped(integer(journal, "bytes"), bytes), text_of(journal, "directory"));
    if (integer(journal, "late_times"))
        paragraph(out, json_is_true(json_object_get(journal, "late")) ? "LATE" : "late",
                  "the recording was late %s time%s, by %s ms at most; now by %s ms",
                  grouped(integer(journal, "late_times"), records),
                  integer(journal, "late_times") == 1 ? "" : "s",
                  grouped(integer(journal, "late_ms_max"), bytes),
                  grouped(integer(journal, "late_ms"), now));
}

static void print_processes(FILE *out, const json_t *summary)
{
    size_t i, k;
    json_t *process, *stage;
    fputc('\n', out);
    label(out, "layout");
    fprintf(out, "%s: ", text_of(summary, "layout"));
    flow_t flow = flow_begin(out, LABEL_WIDTH + strlen(text_of(summary, "layout")) + 2);
    json_array_foreach(json_object_get(summary, "processes"), i, process)
    {
        char item[300] = "[";
        size_t used = 1;
        json_array_foreach(json_object_get(process, "stages"), k, stage) used += (size_t)snprintf(
            item + used, sizeof item - used, "%s%s", k ? " " : "", json_string_value(stage));
        if (integer(process, "cpu") >= 0)
            snprintf(item + used, sizeof item - used, "] cpu %d %s", (int)integer(process, "cpu"),
                     text_of(process, "wait"));
        else
            snprintf(item + used, sizeof item - used, "] %s", text_of(process, "wait"));
        flow_item(&flow, item);
    }
    fputc('\n', out);
}

/* Only when it was: then figures are worth less. */
static void print_machine(FILE *out, const json_t *summary)
{
    const json_t *machine = json_object_get(summary, "machine");
    char switches[NUMBER_MAX];
    if (!json_is_true(json_object_get(machine, "busy")))
        return;
    paragraph(out, "BUSY",
              "the machine was busy: %.1f %% of its time stolen, processes taken off their CPU %s "
              "times, load %.1f; figures are worth less",
              100 * json_real_value(json_object_get(machine, "steal_share")),
              grouped(integer(machine, "involuntary_switches"), switches),
              json_real_value(json_object_get(machine, "load")));
}

/* On a line of its own, as the names before it may fill theirs. */
static void print_held_up(FILE *out, const json_t *list)
{
    size_t i;
    json_t *item;
    backlog_t held[BACKLOG_MAX];
    uint32_t count = 0;
    json_array_foreach(list, i, item)
    {
        if (count == BACKLOG_MAX)
            break;
        const char *what = json_object_get(item, "claimed") ? "claimed" : "behind";
        held[count] = (backlog_t){.messages = (uint64_t)integer(item, what)};
        snprintf(held[count].topic, sizeof held->topic, "%s", text_of(item, "topic"));
        snprintf(held[count].subscriber, sizeof held->subscriber, "%s",
                 text_of(item, "subscriber"));
        count++;
    }
    count = backlog_by_topic(held, count);
    flow_t flow = flow_begin(out, LABEL_WIDTH);
    if (!count)
        flow_item(&flow, "nothing waits for it yet");
    for (uint32_t k = 0; k < count; k++) {
        char text[BACKLOG_ITEM_MAX];
        backlog_item(&held[k], text);
        flow_item(&flow, text);
    }
}

/* "STALLED    [executor] stopped for 1.20 s:"
 * "           md 5,123 behind, reports 1 claimed" */
static void print_stalls(FILE *out, const json_t *summary)
{
    size_t i, k;
    json_t *process, *item;
    json_array_foreach(json_object_get(summary, "processes"), i, process)
    {
        const json_t *stalled = json_object_get(process, "stalled");
        char time[NUMBER_MAX];
        if (!json_is_object(stalled))
            continue;
        label(out, "STALLED");
        json_array_foreach(json_object_get(process, "stages"), k, item)
            fprintf(out, "%s%s", k ? " " : "[", json_string_value(item));
        fprintf(out, "] %s for %s:\n%*s", text_of(stalled, "how"),
                duration((int64_t)(json_real_value(json_object_get(stalled, "for_s")) * 1e9), time),
                LABEL_WIDTH, "");
        print_held_up(out, json_object_get(stalled, "holds_up"));
        fputc('\n', out);
    }
}

/* Figures that are missing above, because the bus had no room for them. */
static void print_refused(FILE *out, const json_t *summary)
{
    int64_t counters = integer(summary, "counters_refused");
    int64_t histograms = integer(summary, "histograms_refused");
    char number[NUMBER_MAX];
    if (counters) {
        label(out, "refused");
        fprintf(out, "%s counters, whose figures are missing here\n", grouped(counters, number));
    }
    if (histograms) {
        label(out, counters ? "" : "refused");
        fprintf(out, "%s histograms, whose figures are missing here\n",
                grouped(histograms, number));
    }
}

static void print_sentences(FILE *out, const json_t *summary, const char *key)
{
    size_t i;
    json_t *sentence;
    json_array_foreach(json_object_get(summary, key), i, sentence)
    {
        paragraph(out, i ? "" : key, "%s", json_string_value(sentence));
    }
}

static void print_names(FILE *out, const char *verb, const json_t *list)
{
    size_t i;
    json_t *name;
    json_array_foreach(list, i, name)
        fprintf(out, "%s %s", i ? "," : verb, json_string_value(name));
}

static void print_participants(FILE *out, const json_t *summary)
{
    size_t i;
    json_t *participant;
    const json_t *list = json_object_get(summary, "participants");
    if (json_array_size(list))
        fputc('\n', out);
    json_array_foreach(list, i, participant)
    {
        label(out, i ? "" : "joined");
        fprintf(out, "%s (process %d)", text_of(participant, "name"),
                (int)integer(participant, "pid"));
        print_names(out, ", publishes", json_object_get(participant, "publishes"));
        print_names(out, ", reads", json_object_get(participant, "subscribes"));
        fputc('\n', out);
    }
}

static void print_stages_work(FILE *out, const json_t *summary)
{
    print_feed(out, summary);
    print_books(out, summary);
    print_orders(out, summary);
    print_strategies(out, summary);
    symbols_shown_print(out, json_object_get(summary, "symbols"));
    print_latency(out, summary);
    print_digests(out, summary);
}

void summary_print(const json_t *summary, FILE *out)
{
    bool pipeline = json_object_get(summary, "feed") != NULL;
    print_head(out, summary);
    if (pipeline)
        print_stages_work(out, summary);
    print_topics(out, summary);
    print_journal(out, summary);
    print_gateway(out, summary, "gateway");
    print_gateway(out, summary, "glimpse");
    print_mold(out, summary);
    print_bridge(out, summary);
    print_participants(out, summary);
    if (pipeline)
        print_processes(out, summary);
    print_machine(out, summary);
    print_stalls(out, summary);
    print_refused(out, summary);
    print_sentences(out, summary, "notes");
    print_sentences(out, summary, "errors");
}
