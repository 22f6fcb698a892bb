/* SPDX-License-Identifier: Apache-2.0 */
/* compare.h - `busctl latency --compare A B`: the runs of two directories of --out, B against A. */
#ifndef TICKBUS_TOOLS_LATENCY_COMPARE_H
#define TICKBUS_TOOLS_LATENCY_COMPARE_H

#include "tools/latency/output.h"

/* Prints the verdict (verdict.h), and draws both where there is a directory. OUTCOME_OK whatever
 * the verdict; OUTCOME_FAILED: a directory cannot be read, or written. */
int latency_compare(const char *verb, const char *directory_a, const char *directory_b,
                    const output_t *o);

#endif
