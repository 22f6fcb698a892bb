/* SPDX-License-Identifier: Apache-2.0 */
/* hops.h - the percentiles of each hop of a run, as far as its samples carry them.
 *
 *    name count mean
 *    mean_answered                    of hops that every message takes: over answered ones
 *    p50 p90 p99 p99_9 p99_99 p99_999 ns; null where fewer than ten values lie beyond
 *    max                              ns; null where there is no value
 *    ci95        {p50: [low, high] ...}  the 95 % interval of each, in ns; null where it cannot be
 *                                     told (tools/measure/quantile.h)
 *    needs_s     {p99_999: 41 ...}    of those that are null: so many more seconds of such a run
 *    untouched   {count, share, and p50 .. needs_s as above}: of messages that the host did not
 *                touch (touched.h); null: not known, or none
 *
 * And whether the run stayed the same (tools/measure/steadiness.h), of the whole way:
 *
 *    hop         tick_to_report, or tick_to_seen where nothing is answered
 *    warm_up     null, or {seconds, percentile, before, after}: its end, and that percentile of
 *                what came until then and of the rest, in ns
 *    drift       null, or {percentile, before, after}: of the first third and of the last
 */
#ifndef TICKBUS_TOOLS_LATENCY_HOPS_H
#define TICKBUS_TOOLS_LATENCY_HOPS_H

#include <stdint.h>

#include <jansson.h>

#include "tools/latency/samples.h"

typedef struct hop_percentile {
    const char *key;  /* "p99_9" */
    const char *name; /* "p99.9" */
    uint32_t per_million;
} hop_percentile_t;

#define HOP_PERCENTILES 6u
extern const hop_percentile_t hop_percentiles[HOP_PERCENTILES];
#define HOP_P99 2u /* of these */

/* The whole way: HOP_TICK_TO_REPORT, or HOP_TICK_TO_SEEN where no message is answered. */
enum sample_hop hops_whole(const samples_t *s);

/* New references; NULL: no memory. hops_report: an array, of all hops of the path and of those
 * others that were taken. `seconds`: how long the run was. */
json_t *hops_report(const samples_t *s, double seconds);
json_t *hops_steadiness(const samples_t *s);

/* How the steadiness above is told in words, a sentence each; NULL: it stayed the same. The caller
 * frees them. */
char *hops_warm_up_text(const json_t *steadiness);
char *hops_drift_text(const json_t *steadiness);

#endif
