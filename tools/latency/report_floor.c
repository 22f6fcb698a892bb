/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/report_floor.h"

#include <math.h>

#include "tools/measure/format.h"

#define FIGURE_WIDTH 9

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

void report_add_floor(json_t *report, const floor_slices_t *f)
{
    json_t *floor = floor_slices_json(f), *ratios;
    const json_t *hop;
    size_t i;
    json_object_set_new(report, "floor", floor);
    if (!json_is_object(floor))
        return;
    ratios = json_object();
    json_array_foreach(json_object_get(report, "hops"), i, hop)
    {
        const char *name = json_string_value(json_object_get(hop, "name"));
        if (json_integer_value(json_object_get(hop, "count")) > 0)
            json_object_set_new(ratios, name, floor_ratios(hop, floor));
    }
    json_object_set_new(floor, "ratios", ratios);
}

/* --- the text */

static void print_row(const char *name, const json_t *row, figure_t (*figure)(double), FILE *out)
{
    fprintf(out, "%-15s", name);
    for (size_t i = 0; i < FLOOR_PERCENTILES; i++) {
        double value = number(row, hop_percentiles[i].key);
        fprintf(out, " %*s", FIGURE_WIDTH, figure(value).text);
    }
    if (json_object_get(row, "max"))
        fprintf(out, " %*s", FIGURE_WIDTH, figure(number(row, "max")).text);
    fputc('\n', out);
}

/* "paced line p50 201 ns before, 215 ns after": did the host stay the same? */
static void print_slices(const json_t *floor, FILE *out)
{
    size_t i;
    const json_t *slice;
    if (json_array_size(json_object_get(floor, "slices")) < 2)
        return;
    fputs("paced line p50 / p99", out);
    json_array_foreach(json_object_get(floor, "slices"), i, slice)
    {
        const json_t *line = json_object_get(slice, "paced_line");
        fprintf(out, "%s %s the run %s / %s", i ? "," : "",
                json_string_value(json_object_get(slice, "when")),
                figure_ns(number(line, "p50")).text, figure_ns(number(line, "p99")).text);
    }
    fputc('\n', out);
}

void report_print_floor(const json_t *report, FILE *out)
{
    const json_t *floor = json_object_get(report, "floor"), *ratio;
    const char *name;
    if (!json_is_object(floor))
        return;
    fprintf(out, "\n%-15s", "floor");
    for (size_t i = 0; i < FLOOR_PERCENTILES; i++)
        fprintf(out, " %*s", FIGURE_WIDTH, hop_percentiles[i].name);
    fprintf(out, " %*s   of %.1f s of the run's schedule, on its CPUs\n", FIGURE_WIDTH, "max",
            number(floor, "seconds"));
    print_row(number(floor, "processes") < 2 ? "one process" : "paced line",
              json_object_get(floor, "paced_line"), figure_ns, out);
    print_row("hiccup", json_object_get(floor, "hiccup"), figure_ns, out);
    if (json_is_object(json_object_get(floor, "ping_pong")))
        print_row("ping-pong / 2", json_object_get(floor, "ping_pong"), figure_ns, out);
    print_slices(floor, out);
    fputs("how many times the floor our latency is (p50, p99, p99.9: the paced line; p99.99: the "
          "hiccup):\n",
          out);
    json_object_foreach((json_t *)json_object_get(floor, "ratios"), name, ratio)
        print_row(name, ratio, figure_ratio, out);
}

void report_print_floor_line(const json_t *floor, FILE *out)
{
    const json_t *line = json_object_get(floor, "paced_line");
    if (!json_is_object(floor))
        return;
    fprintf(out, "paced line p50 %s, p99 %s; hiccup p99.99 %s\n",
            figure_ns(number(line, "p50")).text, figure_ns(number(line, "p99")).text,
            figure_ns(number(json_object_get(floor, "hiccup"), "p99_99")).text);
}
