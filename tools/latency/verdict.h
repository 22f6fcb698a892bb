/* SPDX-License-Identifier: Apache-2.0 */
/* verdict.h - is B slower than A? For each hop and percentile "faster", "slower" or "cannot_tell",
 * with the interval of the difference; of two runs that are over (`--compare`), or of rounds in
 * which A and B took turns (`--ab`).
 *
 * Who asks sixty questions gets three wrong answers at 95 %. So one of them counts, and is named
 * before anything is measured: p99 of tick_to_report (of tick_to_seen, where too few messages are
 * answered to carry a p99), judged at 99 %. The others are there to show where a difference comes
 * from, and are judged such that of all of them together none is wrong with 99 %: for that each
 * needs a larger difference.
 *
 * Both are asked twice: of all messages, and of those that the host did not touch (touched.h). On a
 * host whose own stalls make up p99, only the second can be told in a minute.
 *
 *    verdict       faster slower cannot_tell: of the one that counts
 *    judged        {hop, percentile, level}
 *    family        {count, level, level_each}: of the others
 *    paired        of rounds (--ab), or of two runs (--compare)
 *    seconds       of --ab: how long the rounds took
 *    rounds        of --ab. rounds_min, rounds_min_each: with fewer the one that counts, or the
 *                  others, find nothing, however large the difference
 *    untouched     {verdict share_a share_b}: of the messages that the host did not touch, and how
 *                  many of all these are, in tick_to_seen; null: not known
 *    differ_in[]   of --compare: {what a b}: rate, arrivals, layout, version, host ...; null: not
 *                  known. A verdict says nothing of the one where there is another
 *    hops[]        {name, p50 p90 ...: {a, b, change, ci: [low, high], verdict, detectable},
 *                  untouched: the same percentiles, or null}
 *                  a, b: ns (of rounds: the median); change: b / a - 1; ci: its interval;
 *                  detectable: a true change of that size would be found 95 times of 100, in as
 *                  many rounds as these, or in such runs. times_for_5: so many times as many
 *                  rounds, or as long runs, would find 5 %. null: not known
 */
#ifndef TICKBUS_TOOLS_LATENCY_VERDICT_H
#define TICKBUS_TOOLS_LATENCY_VERDICT_H

#include <stdio.h>

#include <jansson.h>

#include "tools/latency/hops.h"
#include "tools/measure/series.h"

enum verdict_of { VERDICT_ALL, VERDICT_UNTOUCHED, VERDICT_KINDS };

/* The values of one side, round by round; NaN where one is withheld. */
typedef struct verdict_rounds {
    series_t hops[VERDICT_KINDS][HOP_COUNT][HOP_PERCENTILES];
    series_t untouched; /* the share of it */
} verdict_rounds_t;

/* Add the percentiles of one more round. 0, or -ENOMEM. */
int verdict_add_round(verdict_rounds_t *rounds, const samples_t *s);

/* The object above. New references; NULL: no memory. */
json_t *verdict_between(const samples_t *a, const samples_t *b);
json_t *verdict_paired(const verdict_rounds_t *a, const verdict_rounds_t *b);

/* One sentence of what else the two runs differ in; owned by the caller (free). NULL: in nothing
 * that is known, or no memory. */
char *verdict_differences(const json_t *verdict);

/* "cannot_tell" for who reads it; the others are said as they are. */
const char *verdict_words(const char *verdict);

/* As a table; the first line is the verdict that counts. `name_a`: "DIR", or "A". */
void verdict_print(const json_t *verdict, const char *name_a, const char *name_b, FILE *out);

#endif
