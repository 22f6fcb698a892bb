/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/compare.h"

#include <math.h>
#include <stdlib.h>

#include "tools/latency/page.h"
#include "tools/latency/verdict.h"
#include "tools/measure/provenance.h"
#include "tools/show/outcome.h"

#define SCHEMA 1

typedef struct pair {
    samples_t a, b;
    const char *name_a, *name_b;
    json_t *verdict;
} pair_t;

/* What of a report (report.h) says what was run, and where. */
static const struct {
    const char *name;
    const char *path[3];
} settings[] = {
    {"arrivals", {"arrival"}},
    {"feed", {"summary", "source"}},
    {"clock of the venue", {"summary", "venue", "clock"}},
    {"layout", {"host", "layout"}},
    {"CPUs and waiting of the processes", {"host", "processes"}},
    {"pages", {"host", "pages"}},
    {"version", {"version"}},
    {"CPU", {"host", "cpu"}},
    {"number of CPUs", {"host", "cpus"}},
    {"kernel", {"host", "kernel"}},
    {"governor", {"host", "governor"}},
};

#define RATES_APART 0.01 /* of arrivals at random, one run has some more than another */

static json_t *report_of(const char *directory)
{
    char path[4096];
    int bytes = snprintf(path, sizeof path, "%s/report.json", directory);
    return bytes > 0 && (size_t)bytes < sizeof path ? json_load_file(path, 0, NULL) : NULL;
}

static const json_t *setting_of(const json_t *report, const char *const path[3])
{
    for (int i = 0; i < 3 && path[i]; i++)
        report = json_object_get(report, path[i]);
    return report;
}

static void add_difference(json_t *list, const char *name, json_t *a, json_t *b)
{
    json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "what", name, "a", a, "b", b));
}

static void add_rates(json_t *list, const json_t *a, const json_t *b)
{
    const char *const path[3] = {"rate", "target"};
    json_t *rate_a = json_deep_copy(setting_of(a, path)),
           *rate_b = json_deep_copy(setting_of(b, path));
    double apart = fabs(json_number_value(rate_a) - json_number_value(rate_b));
    if (rate_a && rate_b && apart > RATES_APART * json_number_value(rate_a)) {
        add_difference(list, "rate", rate_a, rate_b);
    } else {
        json_decref(rate_a);
        json_decref(rate_b);
    }
}

static bool is_recorded(const json_t *report)
{
    return json_is_object(json_object_get(json_object_get(report, "summary"), "journal"));
}

static json_t *differences_of(const json_t *a, const json_t *b)
{
    json_t *list = json_array();
    add_rates(list, a, b);
    if (is_recorded(a) != is_recorded(b))
        add_difference(list, "recording", json_boolean(is_recorded(a)),
                       json_boolean(is_recorded(b)));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const json_t *of_a = setting_of(a, settings[i].path),
                     *of_b = setting_of(b, settings[i].path);
        if (of_a && of_b && !json_equal(of_a, of_b))
            add_difference(list, settings[i].name, json_deep_copy(of_a), json_deep_copy(of_b));
    }
    return list;
}

/* In what the two runs differ beside what came of them: else a rate is taken for a change of the
 * code. null: one of them does not say. */
static json_t *differences(const char *directory_a, const char *directory_b)
{
    json_t *a = report_of(directory_a), *b = report_of(directory_b);
    json_t *list = a && b ? differences_of(a, b) : json_null();
    json_decref(a);
    json_decref(b);
    return list;
}

static int draw(FILE *page, const void *context)
{
    const pair_t *p = context;
    return page_of_verdict(page, p->verdict, &p->a, &p->b, p->name_a, p->name_b);
}

static int report(const char *verb, pair_t *p, const output_t *o)
{
    p->verdict = verdict_between(&p->a, &p->b);
    if (!p->verdict)
        return outcome_failed(verb, "no memory to compare %s with %s", p->name_a, p->name_b);
    provenance_add(p->verdict, SCHEMA);
    json_object_set_new(p->verdict, "a", json_string(p->name_a));
    json_object_set_new(p->verdict, "b", json_string(p->name_b));
    json_object_set_new(p->verdict, "differ_in", differences(p->name_a, p->name_b));
    int code = output_directory(verb, o);
    if (code == OUTCOME_OK)
        code = output_files(verb, o, p->verdict, draw, p);
    if (code != OUTCOME_OK)
        return code;
    if (o->json)
        return output_json(verb, p->verdict);
    verdict_print(p->verdict, p->name_a, p->name_b, stdout);
    return outcome_printed(verb);
}

int latency_compare(const char *verb, const char *directory_a, const char *directory_b,
                    const output_t *o)
{
    pair_t p = {.name_a = directory_a, .name_b = directory_b};
    tbus_error_t why = {0};
    int code = OUTCOME_FAILED;
    if (samples_read(directory_a, &p.a, &why) < 0 || samples_read(directory_b, &p.b, &why) < 0)
        outcome_failed(verb, "%s", why.text);
    else
        code = report(verb, &p, o);
    json_decref(p.verdict);
    samples_clear(&p.a);
    samples_clear(&p.b);
    return code;
}
