/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/compare.h"

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
