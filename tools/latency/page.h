/* SPDX-License-Identifier: Apache-2.0 */
/* page.h - report.html: what a run says, drawn. It stands alone: style and drawings are in it,
 * nothing is fetched, no script is run. Tables are made of the JSON object that is printed too
 * (report.h, verdict.h); what an object lacks is left out. */
#ifndef TICKBUS_TOOLS_LATENCY_PAGE_H
#define TICKBUS_TOOLS_LATENCY_PAGE_H

#include <stdio.h>

#include <jansson.h>

#include "tools/latency/samples.h"

/* Of one run, or of a ladder: then `samples` may be NULL. 0, or -ENOMEM; writing errors stay in
 * `out`. */
int page_of_run(FILE *out, const json_t *report, const samples_t *samples);

/* Of two, with their verdict. `a`, `b`: NULL where there are rounds instead (turns.h). */
int page_of_verdict(FILE *out, const json_t *verdict, const samples_t *a, const samples_t *b,
                    const char *name_a, const char *name_b);

#endif
