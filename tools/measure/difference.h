/* SPDX-License-Identifier: Apache-2.0 */
/* difference.h - is B slower than A? With the interval of the difference, so that "cannot tell" is
 * told from "the same".
 *
 *    difference_between   two runs, each of which knows its percentile within an interval. What
 *                         differs from run to run (where memory lies, who else was on the host) is
 *                         not in these intervals: believe it only as far as you believe that both
 *                         ran under the same conditions
 *    difference_paired    rounds in which A and B took turns, close together: what the host does
 *                         hits both, or shows as noise from round to round. If B is the same as A,
 *                         each round is as likely to differ one way as the other; nothing else is
 *                         assumed (signed ranks, Wilcoxon)
 *
 * `level` is the probability that nothing is found where nothing differs. Who asks about many
 * percentiles at once divides what is left of 1 by their number (difference_family_level).
 */
#ifndef TICKBUS_TOOLS_MEASURE_DIFFERENCE_H
#define TICKBUS_TOOLS_MEASURE_DIFFERENCE_H

#include <stdint.h>

#include "tools/measure/quantile.h"
#include "tools/measure/series.h"

enum difference_verdict { DIFFERENCE_CANNOT_TELL, DIFFERENCE_FASTER, DIFFERENCE_SLOWER };

typedef struct difference {
    enum difference_verdict verdict; /* of B: faster than A, slower */
    double share;                    /* B / A - 1: 0.05 is 5 % slower; NaN: one is not known */
    double low;                      /* interval of share; NaN: not known */
    double high;
    /* a true difference of this share would be found 95 times of 100: of two runs, as far as their
     * intervals say; of rounds, by drawing such rounds again and again. NaN: not known */
    double detectable;
} difference_t;

/* "cannot_tell", "faster", "slower" */
const char *difference_name(enum difference_verdict verdict);

/* The level for each of `count` questions, such that with probability `level` none of them is
 * answered wrongly. */
double difference_family_level(double level, uint32_t count);

/* The percentile of each, with its interval at that level. */
difference_t difference_between(const quantile_t *a, const quantile_t *b, double level);

/* The value of each, round by round, above 0; as many of A as of B. */
difference_t difference_paired(const series_t *a, const series_t *b, double level);

/* How many rounds it takes at least before difference_paired can find anything at that level. */
uint32_t difference_rounds_min(double level);

#endif
