/* SPDX-License-Identifier: Apache-2.0 */
/* steadiness.h - did a run behave the same from beginning to end? Percentiles of one that did not
 * are a mixture, and belong to no state of the system.
 *
 * Warm-up: the beginning differs from the rest. Looked for in windows of 1/1024 to 1/8 of the run:
 * the first must be farther off than every other, and by more than chance allows (Student, one
 * in 10,000). Drift: 32 blocks of the rest go up or down more often than chance allows
 * (Mann and Kendall, one in 10,000). Both look at how many values of a block lie above the median,
 * and above p99.
 */
#ifndef TICKBUS_TOOLS_MEASURE_STEADINESS_H
#define TICKBUS_TOOLS_MEASURE_STEADINESS_H

#include <stddef.h>
#include <stdint.h>

#include "tools/measure/quantile.h"

typedef struct unsteady {
    uint32_t per_million; /* 500000 or 990000: the percentile that shows it; 0: nothing found */
    double before;        /* that percentile at the beginning: of the warm-up, or the first third */
    double after;         /* and of the rest, or of the last third */
} unsteady_t;

typedef struct steadiness {
    size_t warm_up_count; /* so many values at the beginning are the warm-up */
    unsteady_t warm_up;
    unsteady_t drift; /* of what comes after the warm-up */
} steadiness_t;

/* 0, or -ENOMEM. A run of fewer than 512 values is not judged. */
int steadiness_look(const quantile_set_t *set, steadiness_t *out_steadiness);

#endif
