/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/turns.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/clock.h>

#include "tools/latency/page.h"
#include "tools/latency/report_floor.h"
#include "tools/latency/round.h"
#include "tools/latency/verdict.h"
#include "tools/measure/provenance.h"
#include "tools/show/outcome.h"

#define SCHEMA 1

typedef struct side {
    const char *text; /* its words, as given */
    char *copy;       /* owned: cut into words */
    round_line_t line;
    verdict_rounds_t rounds;
    uint32_t behind;       /* so many runs did not keep up */
    floor_slices_t *floor; /* owned; NULL: not asked for */
} side_t;

typedef struct turns {
    const char *verb;
    side_t sides[2];
    run_spec_t spec;
    double seconds;        /* that the rounds took, starts included */
    uint64_t floor_ns;     /* after each run */
    tbus_error_t no_floor; /* why it is not measured any more */
} turns_t;

static int make_side(side_t *s, int argc, char **argv, const char *text)
{
    char *rest = NULL;
    s->text = text;
    s->line = (round_line_t){
        .argc = argc, .argv = argv, .defaults = {"--for", "2s"}, .defaults_count = 2};
    s->copy = strdup(text);
    if (!s->copy)
        return outcome_failed(argv[0], "no memory for a command line");
    for (char *word = strtok_r(s->copy, " \t\n", &rest); word;
         word = strtok_r(NULL, " \t\n", &rest)) {
        if (s->line.words_count == ROUND_WORDS_MAX)
            return outcome_usage(argv[0], "--ab: more than %u words on one side", ROUND_WORDS_MAX);
        s->line.words[s->line.words_count++] = word;
    }
    return OUTCOME_OK;
}

/* One run of one side; its percentiles are written down only if all of it was run. */
static int run_side(turns_t *t, side_t *s, bool *out_stopped)
{
    run_result_t result;
    int code = round_measure(&s->line, &t->spec, &result, out_stopped);
    if (code != OUTCOME_OK)
        return code;
    if (!*out_stopped && verdict_add_round(&s->rounds, &result.samples) < 0)
        code = outcome_failed(t->verb, "no memory for %llu messages",
                              (unsigned long long)result.samples.rows);
    s->behind += !result.kept_up;
    if (code == OUTCOME_OK && s->floor && !*out_stopped)
        *out_stopped = floor_slices_again(s->floor, &t->spec, &result.samples, t->floor_ns,
                                          "between", &t->no_floor) == -EINTR;
    run_result_clear(&result);
    return code;
}

static int run_rounds(turns_t *t, uint32_t rounds)
{
    bool stopped = false;
    int code = OUTCOME_OK;
    uint64_t begin_ns = tbus_clock_ns();
    for (uint32_t i = 0; i < rounds && code == OUTCOME_OK && !stopped; i++)
        for (unsigned turn = 0; turn < 2 && code == OUTCOME_OK && !stopped; turn++) {
            unsigned side = (i + turn) % 2;
            round_progress("round %u of %u: %c", i + 1, rounds, "AB"[side]);
            code = run_side(t, &t->sides[side], &stopped);
        }
    t->seconds = (double)(tbus_clock_ns() - begin_ns) / 1e9;
    round_progress_end();
    return code;
}

static json_t *series_array(const series_t *s)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < s->count; i++)
        json_array_append_new(array, isnan(s->values[i]) ? json_null() : json_real(s->values[i]));
    return array;
}

/* p99 of one hop, round by round. */
static json_t *rounds_of(const turns_t *t, int kind, int hop)
{
    return json_pack("{s:o, s:o}", "a", series_array(&t->sides[0].rounds.hops[kind][hop][HOP_P99]),
                     "b", series_array(&t->sides[1].rounds.hops[kind][hop][HOP_P99]));
}

/* Of the verdicts that count. */
static void add_rounds(json_t *verdict, const turns_t *t)
{
    json_t *untouched = json_object_get(verdict, "untouched");
    const char *judged =
        json_string_value(json_object_get(json_object_get(verdict, "judged"), "hop"));
    for (int hop = 0; hop < HOP_COUNT; hop++) {
        if (strcmp(samples_hop_name((enum sample_hop)hop), judged) != 0)
            continue;
        json_object_set_new(verdict, "judged_rounds", rounds_of(t, VERDICT_ALL, hop));
        if (json_is_object(untouched))
            json_object_set_new(untouched, "judged_rounds", rounds_of(t, VERDICT_UNTOUCHED, hop));
    }
}

/* The floor of a side, and how many times that its hops are: `key` is "a" or "b" in the cells of
 * the verdict. */
static json_t *floor_of(const side_t *s, const json_t *verdict, const char *key)
{
    json_t *floor = floor_slices_json(s->floor), *ratios = json_object();
    const json_t *hop;
    size_t i;
    json_array_foreach(json_object_get(verdict, "hops"), i, hop)
    {
        json_t *side = json_object();
        for (size_t p = 0; p < HOP_PERCENTILES; p++)
            json_object_set(side, hop_percentiles[p].key,
                            json_object_get(json_object_get(hop, hop_percentiles[p].key), key));
        json_object_set_new(ratios, json_string_value(json_object_get(hop, "name")),
                            floor_ratios(side, floor));
        json_decref(side);
    }
    if (json_is_object(floor))
        json_object_set(floor, "ratios", ratios);
    json_decref(ratios);
    return floor;
}

static void print_floors(const json_t *verdict, const side_t sides[2])
{
    static const char *const keys[] = {"a", "b"};
    for (int i = 0; i < 2 && sides[0].floor; i++) {
        const json_t *floor = json_object_get(json_object_get(verdict, "floor"), keys[i]);
        if (!json_is_object(floor))
            continue;
        printf("The floor beside %c: ", "AB"[i]);
        report_print_floor_line(floor, stdout);
    }
}

typedef struct drawn {
    const json_t *verdict;
    const turns_t *turns;
} drawn_t;

static int draw(FILE *page, const void *context)
{
    const drawn_t *d = context;
    return page_of_verdict(page, d->verdict, NULL, NULL, d->turns->sides[0].text,
                           d->turns->sides[1].text);
}

static int report(const turns_t *t, const output_t *o)
{
    json_t *verdict = verdict_paired(&t->sides[0].rounds, &t->sides[1].rounds);
    if (!verdict)
        return outcome_failed(t->verb, "no memory for a verdict");
    provenance_add(verdict, SCHEMA);
    json_object_set_new(verdict, "seconds", json_real(t->seconds));
    json_object_set_new(verdict, "a", json_string(t->sides[0].text));
    json_object_set_new(verdict, "b", json_string(t->sides[1].text));
    json_object_set_new(
        verdict, "not_kept_up",
        json_pack("{s:i, s:i}", "a", (int)t->sides[0].behind, "b", (int)t->sides[1].behind));
    add_rounds(verdict, t);
    json_object_set_new(verdict, "floor",
                        json_pack("{s:o, s:o}", "a", floor_of(&t->sides[0], verdict, "a"), "b",
                                  floor_of(&t->sides[1], verdict, "b")));
    const drawn_t drawn = {verdict, t};
    int code = output_files(t->verb, o, verdict, draw, &drawn);
    if (code == OUTCOME_OK && o->json) {
        code = output_json(t->verb, verdict);
    } else if (code == OUTCOME_OK) {
        verdict_print(verdict, t->sides[0].text, t->sides[1].text, stdout);
        if (t->sides[0].behind || t->sides[1].behind)
            printf("Runs that did not keep up with the schedule: %u of A, %u of B\n",
                   t->sides[0].behind, t->sides[1].behind);
        print_floors(verdict, t->sides);
        if (t->no_floor.code)
            printf("The floor was not measured to its end: %s\n", t->no_floor.text);
        code = outcome_printed(t->verb);
    }
    json_decref(verdict);
    return code;
}

int turns_measure(int argc, char **argv, const latency_options_t *o)
{
    const char *const texts[] = {o->a, o->b};
    turns_t *t = calloc(1, sizeof *t);
    if (!t)
        return outcome_failed(argv[0], "no memory for %u rounds", o->rounds);
    t->verb = argv[0];
    t->floor_ns = o->floor_ns / o->rounds;
    int code = output_directory(argv[0], &o->output);
    for (int i = 0; i < 2 && code == OUTCOME_OK; i++) {
        code = make_side(&t->sides[i], argc, argv, texts[i]);
        t->sides[i].floor = t->floor_ns ? floor_slices_create() : NULL;
    }
    if (code == OUTCOME_OK)
        code = run_rounds(t, o->rounds);
    if (code == OUTCOME_OK)
        code = report(t, &o->output);
    for (int i = 0; i < 2; i++) {
        free(t->sides[i].copy);
        floor_slices_destroy(t->sides[i].floor);
    }
    free(t);
    return code;
}
