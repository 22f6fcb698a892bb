/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/latency/hops.h"
#include "tools/latency/plots.h"
#include "tools/latency/verdict.h"
#include "tools/measure/format.h"
#include "tools/measure/html.h"
#include "tools/measure/svg_chart.h"
#include "tools/measure/svg_plot.h"
#include "tools/show/grouped.h"

static const char rules[] =
    ".bad{border:1px solid var(--l8);border-radius:10px;padding:10px 14px;color:var(--l8);"
    "font-weight:650;max-width:none}\n"
    ".share{display:inline-block;height:10px;background:var(--two);border-radius:2px;"
    "vertical-align:middle;min-width:1px}\n"
    "td .soft{color:var(--soft);font-size:11.5px;display:block} table.keys td:first-child{"
    "color:var(--soft);white-space:nowrap;width:1%}\n"
    "td.slower{color:var(--l8);font-weight:650} td.faster{color:var(--l9);font-weight:650}\n";

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static const char *string(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void begin(FILE *out, const char *title)
{
    char style[8192];
    snprintf(style, sizeof style, "%s%s", svg_plot_style, rules);
    html_begin(out, title, style);
}

static void begin_table(FILE *out, const char *class_name, const char *const *headings)
{
    fprintf(out, "<div class=\"scroll\"><table class=\"%s\"><thead><tr>", class_name);
    for (size_t i = 0; headings[i]; i++)
        html_element(out, "th", i ? "n" : NULL, headings[i]);
    fputs("</tr></thead><tbody>\n", out);
}

static void end_table(FILE *out)
{
    fputs("</tbody></table></div>\n", out);
}

/* ---- what was run, and whether it kept up */

static void command_line(FILE *out, const json_t *report)
{
    size_t i;
    const json_t *word;
    fputs("<p><code>", out);
    json_array_foreach(json_object_get(report, "command"), i, word)
    {
        fputs(i ? " " : "", out);
        svg_text(out, json_string_value(word));
    }
    fputs("</code><br>tickbus ", out);
    svg_text(out, string(report, "version"));
    const json_t *host = json_object_get(report, "host");
    if (host) {
        fprintf(out, ", %s, ", string(host, "kernel"));
        svg_text(out, string(host, "cpu"));
        fprintf(out, ", %.0f CPUs", number(host, "cpus"));
    }
    fputs("</p>\n", out);
}

static void card(FILE *out, const char *when, const char *take, const char *why)
{
    fputs("<div class=\"card\">", out);
    html_element(out, "div", "when", when);
    html_element(out, "div", "take", take);
    html_element(out, "div", "why", why);
    fputs("</div>\n", out);
}

static void rate_card(FILE *out, const json_t *report)
{
    const json_t *rate = json_object_get(report, "rate");
    char take[64], why[192], target[GROUPED_MAX], achieved[GROUPED_MAX];
    if (!rate)
        return;
    const char *end = json_is_true(json_object_get(report, "feed_ended"))
                          ? ", when the feed had no more"
                      : json_is_true(json_object_get(report, "stopped")) ? ", when it was stopped"
                                                                         : "";
    bool had_a_rate = json_is_number(json_object_get(rate, "target"));
    snprintf(take, sizeof take, "%s messages/s",
             had_a_rate ? grouped(llround(number(rate, "achieved")), achieved) : "no");
    snprintf(why, sizeof why, "of %s, %s arrivals, %.1f s%s",
             had_a_rate ? grouped(llround(number(rate, "target")), target) : "none",
             string(report, "arrival"), number(report, "seconds"), end);
    card(out, json_is_true(json_object_get(report, "kept_up")) ? "kept up" : "did not keep up",
         take, why);
}

static const json_t *whole_way(const json_t *report)
{
    const json_t *hops = json_object_get(report, "hops"), *hop, *whole = NULL;
    size_t i;
    json_array_foreach(hops, i, hop)
    {
        if (strcmp(string(hop, "name"), samples_hop_name(HOP_TICK_TO_SEEN)) == 0 && !whole)
            whole = hop;
        if (strcmp(string(hop, "name"), samples_hop_name(HOP_TICK_TO_REPORT)) == 0 &&
            number(hop, "count") > 0)
            whole = hop;
    }
    return whole;
}

static void percentile_card(FILE *out, const json_t *hop, const hop_percentile_t *p)
{
    char when[64], why[128] = "its interval cannot be told";
    const json_t *ci = json_object_get(json_object_get(hop, "ci95"), p->key);
    double ns = number(hop, p->key);
    snprintf(when, sizeof when, "%s of %s", p->name, string(hop, "name"));
    if (isnan(ns))
        snprintf(why, sizeof why, "withheld: needs %s more",
                 figure_ns(1e9 * number(json_object_get(hop, "needs_s"), p->key)).text);
    else if (json_is_array(ci))
        snprintf(why, sizeof why, "95 %%: %s to %s",
                 figure_ns(json_number_value(json_array_get(ci, 0))).text,
                 figure_ns(json_number_value(json_array_get(ci, 1))).text);
    card(out, when, figure_ns(ns).text, why);
}

static void head(FILE *out, const json_t *report)
{
    const json_t *whole = whole_way(report), *note;
    size_t i;
    command_line(out, report);
    if (json_is_false(json_object_get(report, "kept_up")))
        html_element(out, "p", "bad",
                     "The pipeline did not keep up with the schedule: what follows is the latency "
                     "of a queue that grew.");
    fputs("<div class=\"cards\">\n", out);
    rate_card(out, report);
    for (size_t p = 0; whole && p < HOP_PERCENTILES; p++)
        if (hop_percentiles[p].per_million != 900000 && hop_percentiles[p].per_million != 999990)
            percentile_card(out, whole, &hop_percentiles[p]);
    fputs("</div>\n", out);
    const json_t *notes = json_object_get(report, "notes");
    if (json_array_size(notes) == 0)
        return;
    fputs("<ul>\n", out);
    json_array_foreach(notes, i, note) html_element(out, "li", NULL, json_string_value(note));
    fputs("</ul>\n", out);
}

/* ---- hops */

static void percentile_cell(FILE *out, const json_t *hop, const char *key)
{
    const json_t *ci = json_object_get(json_object_get(hop, "ci95"), key);
    double ns = number(hop, key), needs = number(json_object_get(hop, "needs_s"), key);
    fputs("<td class=\"n\">", out);
    if (isnan(ns) && !isnan(needs))
        fprintf(out, "<span class=\"soft\">needs %s more</span>", figure_ns(1e9 * needs).text);
    else
        fputs(figure_ns(ns).text, out);
    if (json_is_array(ci))
        fprintf(out, "<span class=\"soft\">%s &ndash; %s</span>",
                figure_ns(json_number_value(json_array_get(ci, 0))).text,
                figure_ns(json_number_value(json_array_get(ci, 1))).text);
    fputs("</td>", out);
}

static void hops_table(FILE *out, const json_t *report)
{
    static const char *const headings[] = {"hop",   "messages", "mean",    "p50", "p90", "p99",
                                           "p99.9", "p99.99",   "p99.999", "max", NULL};
    const json_t *hop;
    size_t i;
    begin_table(out, "hops", headings);
    json_array_foreach(json_object_get(report, "hops"), i, hop)
    {
        char count[GROUPED_MAX];
        fputs("<tr>", out);
        html_element(out, "td", "name", string(hop, "name"));
        html_element(out, "td", "n", grouped((int64_t)number(hop, "count"), count));
        double answered = number(hop, "mean_answered");
        html_element(out, "td", "n",
                     figure_ns(isnan(answered) ? number(hop, "mean") : answered).text);
        for (size_t p = 0; p < HOP_PERCENTILES; p++)
            percentile_cell(out, hop, hop_percentiles[p].key);
        html_element(out, "td", "n", figure_ns(number(hop, "max")).text);
        fputs("</tr>\n", out);
    }
    end_table(out);
    fputs("<p class=\"note\">Counted from the time at which the schedule wanted the message out. "
          "Means of the first six, over the messages that are answered, add up to that of "
          "tick_to_report; percentiles do not. Below a percentile: its 95 % interval, from order "
          "statistics, as wide as the values hang together; none where that cannot be told. A "
          "percentile is withheld when fewer than ten values lie beyond it.</p>\n",
          out);
}

static int draw_samples(FILE *out, const samples_t *s)
{
    enum sample_hop whole = hops_whole(s);
    int rc = plot_hops(out, s, svg_plot_embed);
    if (rc == 0)
        rc = plot_over_time(out, s, whole);
    if (rc == 0 && whole != HOP_TICK_TO_SEEN)
        rc = plot_over_time(out, s, HOP_TICK_TO_SEEN);
    return rc;
}

/* ---- causes, the worst, and tables of whatever keys there are */

static void causes_table(FILE *out, const json_t *report)
{
    static const char *const headings[] = {"cause", "who", "time", "share", NULL};
    const json_t *causes = json_object_get(report, "causes"), *cause;
    size_t i;
    if (json_array_size(causes) == 0)
        return;
    fputs("<h2>Why was it slow?</h2>\n<p>What the slowest messages took more than p99.9, booked "
          "to what was seen around them.</p>\n",
          out);
    begin_table(out, "causes", headings);
    json_array_foreach(causes, i, cause)
    {
        double share = number(cause, "share");
        fputs("<tr>", out);
        html_element(out, "td", "name", string(cause, "name"));
        html_element(out, "td", "n", string(cause, "who"));
        html_element(out, "td", "n", figure_ns(number(cause, "ns")).text);
        fprintf(
            out,
            "<td class=\"n\"><span class=\"share\" style=\"width:%.0fpx\"></span> %s</td></tr>\n",
            300 * (isnan(share) ? 0 : share), figure_percent(share).text);
    }
    end_table(out);
}

static void worst_table(FILE *out, const json_t *report)
{
    const char *headings[HOP_PATH + 4] = {"message", "at", "total"};
    const json_t *worst = json_object_get(report, "worst"), *message;
    size_t i;
    if (json_array_size(worst) == 0)
        return;
    for (int hop = 0; hop < HOP_PATH; hop++)
        headings[3 + hop] = samples_hop_name((enum sample_hop)hop);
    fputs("<h2>The worst messages</h2>\n", out);
    begin_table(out, "worst", headings);
    json_array_foreach(worst, i, message)
    {
        fprintf(out, "<tr><td class=\"name\">%lld</td><td class=\"n\">%.6f s</td>",
                (long long)json_integer_value(json_object_get(message, "seq")),
                number(message, "at_s"));
        html_element(out, "td", "n", figure_ns(number(message, "total")).text);
        for (int hop = 0; hop < HOP_PATH; hop++)
            html_element(out, "td", "n",
                         figure_ns(number(message, samples_hop_name((enum sample_hop)hop))).text);
        fputs("</tr>\n", out);
    }
    end_table(out);
}

/* A value as it is in JSON; rows of an object within an object are named "floor.paced_line.p50". */
static void key_rows(FILE *out, const char *prefix, const json_t *object)
{
    const char *key;
    const json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        char name[160];
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
        if (json_is_object(value)) {
            key_rows(out, name, value);
            continue;
        }
        char *text = json_is_string(value) || json_is_null(value)
                         ? NULL
                         : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        const char *shown = json_is_string(value) ? json_string_value(value) : text;
        fputs("<tr>", out);
        html_element(out, "td", NULL, name);
        html_element(out, "td", NULL, shown ? shown : "-");
        fputs("</tr>\n", out);
        free(text);
    }
}

static void keys_table(FILE *out, const char *title, const json_t *report, const char *key)
{
    static const char *const none[] = {NULL};
    const json_t *object = json_object_get(report, key);
    if (json_object_size(object) == 0)
        return;
    html_element(out, "h2", NULL, title);
    begin_table(out, "keys", none);
    key_rows(out, "", object);
    end_table(out);
}

/* ---- the floor */

static void floor_row(FILE *out, const char *name, const json_t *of, figure_t (*figure)(double))
{
    static const char *const keys[] = {"p50", "p90", "p99", "p99_9", "p99_99", "max"};
    if (!of)
        return;
    fputs("<tr>", out);
    html_element(out, "td", "name", name);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        html_element(out, "td", "n", figure(number(of, keys[i])).text);
    fputs("</tr>\n", out);
}

static void floor_table(FILE *out, const json_t *report)
{
    static const char *const headings[] = {"", "p50", "p90", "p99", "p99.9", "p99.99", "max", NULL};
    const json_t *floor = json_object_get(report, "floor"), *ratio;
    const char *name;
    if (json_object_size(floor) == 0)
        return;
    fputs(
        "<h2>The floor: what the machine itself adds</h2>\n<p>Before the run and after it, on its "
        "CPUs and its schedule: a cache line that is handed over (paced line), a loop that only "
        "looks at the clock (hiccup), and half of a round trip of the line at full speed. Below: "
        "how many times the floor our latency is; p99.99 over the hiccup, the others over the "
        "paced line.</p>\n",
        out);
    begin_table(out, "floor", headings);
    floor_row(out, "paced line", json_object_get(floor, "paced_line"), figure_ns);
    floor_row(out, "hiccup", json_object_get(floor, "hiccup"), figure_ns);
    floor_row(out, "ping-pong / 2", json_object_get(floor, "ping_pong"), figure_ns);
    json_object_foreach(json_object_get(floor, "ratios"), name, ratio)
    {
        char row[96];
        snprintf(row, sizeof row, "%s, over the floor", name);
        floor_row(out, row, ratio, figure_ratio);
    }
    end_table(out);
}

/* ---- the ladder */

static void ladder_table(FILE *out, const json_t *ladder)
{
    static const char *const headings[] = {"intended", "achieved", "kept up", "p50",     "p90",
                                           "p99",      "p99.9",    "p99.99",  "p99.999", NULL};
    const json_t *rung;
    size_t i;
    begin_table(out, "ladder", headings);
    json_array_foreach(json_object_get(ladder, "rungs"), i, rung)
    {
        char target[GROUPED_MAX], achieved[GROUPED_MAX];
        fputs("<tr>", out);
        html_element(out, "td", "name", grouped((int64_t)number(rung, "target"), target));
        html_element(out, "td", "n", grouped((int64_t)number(rung, "achieved"), achieved));
        html_element(out, "td", "n", json_is_true(json_object_get(rung, "kept_up")) ? "yes" : "no");
        for (size_t p = 0; p < HOP_PERCENTILES; p++)
            percentile_cell(out, rung, hop_percentiles[p].key);
        fputs("</tr>\n", out);
    }
    end_table(out);
}

int page_of_run(FILE *out, const json_t *report, const samples_t *samples)
{
    const json_t *ladder = json_object_get(report, "ladder");
    int rc = 0;
    begin(out, "Tail latency under load");
    head(out, report);
    if (ladder) {
        fputs("<h2>The ladder</h2>\n", out);
        plot_ladder(out, ladder);
        ladder_table(out, ladder);
    }
    if (samples) {
        fputs("<h2>Every hop</h2>\n", out);
        rc = draw_samples(out, samples);
        hops_table(out, report);
    }
    causes_table(out, report);
    worst_table(out, report);
    floor_table(out, report);
    keys_table(out, "The host", report, "host");
    keys_table(out, "The clock", report, "clock");
    html_end(out);
    return rc;
}

/* ---- two */

static void verdict_row(FILE *out, const char *hop, const hop_percentile_t *p, const json_t *cell)
{
    const char *word = string(cell, "verdict");
    const json_t *ci = json_object_get(cell, "ci");
    char change[96] = "-";
    if (isnan(number(cell, "a")) && isnan(number(cell, "b")))
        return;
    if (!isnan(number(cell, "change")))
        snprintf(change, sizeof change, "%+.1f %%", 100 * number(cell, "change"));
    fputs("<tr>", out);
    html_element(out, "td", "name", hop);
    html_element(out, "td", "n", p->name);
    html_element(out, "td", "n", figure_ns(number(cell, "a")).text);
    html_element(out, "td", "n", figure_ns(number(cell, "b")).text);
    html_element(out, "td", "n", change);
    change[0] = 0;
    if (json_is_array(ci))
        snprintf(change, sizeof change, "%+.1f .. %+.1f %%",
                 100 * json_number_value(json_array_get(ci, 0)),
                 100 * json_number_value(json_array_get(ci, 1)));
    html_element(out, "td", "n", change);
    change[0] = 0;
    if (!isnan(number(cell, "detectable")))
        snprintf(change, sizeof change, "%+.1f %%", 100 * number(cell, "detectable"));
    html_element(out, "td", "n", change);
    snprintf(change, sizeof change, "n %s", word);
    html_element(out, "td", change, verdict_words(word));
    fputs("</tr>\n", out);
}

/* Of all messages, or of those that the host did not touch. */
static void verdict_rows(FILE *out, const json_t *verdict, bool untouched)
{
    static const char *const headings[] = {"hop",      "",          "A",       "B", "B against A",
                                           "interval", "would see", "verdict", NULL};
    const json_t *hop;
    size_t i;
    if (untouched)
        html_element(out, "h2", NULL, "Of messages that the host did not touch");
    begin_table(out, "verdicts", headings);
    json_array_foreach(json_object_get(verdict, "hops"), i, hop)
    {
        const json_t *cells = untouched ? json_object_get(hop, "untouched") : hop;
        for (size_t p = 0; json_is_object(cells) && p < HOP_PERCENTILES; p++)
            verdict_row(out, string(hop, "name"), &hop_percentiles[p],
                        json_object_get(cells, hop_percentiles[p].key));
    }
    end_table(out);
}

static void verdict_table(FILE *out, const json_t *verdict)
{
    verdict_rows(out, verdict, false);
    if (json_is_object(json_object_get(verdict, "untouched")))
        verdict_rows(out, verdict, true);
    if (json_is_true(json_object_get(verdict, "paired")))
        fputs(
            "<p class=\"note\">A and B: medians of the rounds. B against A: of each round against "
            "its neighbour (the median of all averages of two), so it need not be the ratio of "
            "the medians.</p>\n",
            out);
}

int page_of_verdict(FILE *out, const json_t *verdict, const samples_t *a, const samples_t *b,
                    const char *name_a, const char *name_b)
{
    const json_t *judged = json_object_get(verdict, "judged");
    const char *word = string(verdict, "verdict");
    char what[128], subtitle[512];
    begin(out, "Two latencies compared");
    command_line(out, verdict);
    fputs("<div class=\"cards\">\n", out);
    snprintf(what, sizeof what, "p99 of %s, at 99 %%: the verdict that counts",
             string(judged, "hop"));
    snprintf(subtitle, sizeof subtitle, "A: %s; B: %s", name_a, name_b);
    card(out, what, verdict_words(word), subtitle);
    word = string(json_object_get(verdict, "untouched"), "verdict");
    if (word && *word)
        card(out, "of messages that the host did not touch", verdict_words(word), subtitle);
    fputs("</div>\n", out);
    char *differences = verdict_differences(verdict);
    if (differences)
        html_element(out, "p", "bad", differences);
    free(differences);
    int rc = 0;
    if (!a || !b)
        plot_rounds(out, verdict);
    for (int hop = 0; a && b && rc == 0 && hop < HOP_COUNT; hop++) {
        const plot_curve_t curves[2] = {{"A", &a->hops[hop], true}, {"B", &b->hops[hop], true}};
        if (hop >= HOP_PATH && (a->hops[hop].count || b->hops[hop].count))
            rc = plot_percentiles(out, samples_hop_name((enum sample_hop)hop), subtitle, curves, 2,
                                  svg_plot_embed);
    }
    verdict_table(out, verdict);
    html_end(out);
    return rc;
}
