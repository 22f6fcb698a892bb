/* SPDX-License-Identifier: Apache-2.0 */
/* evidence.h - all that is noted while a run goes on, to tell afterwards why messages were slow:
 * what each process says of its late turns (bus/run/gaps.h), and whom the kernel gave its CPU
 * (switches.h).
 *
 *    evidence_begin   before the pipeline's processes are forked
 *       the run       with `gaps` in the request to the supervisor
 *    evidence_end     when it has ended
 *    evidence_source  what cause.h makes its figures of
 */
#ifndef TICKBUS_TOOLS_LATENCY_EVIDENCE_H
#define TICKBUS_TOOLS_LATENCY_EVIDENCE_H

#include "tools/config/config.h"
#include "tools/latency/cause.h"
#include "tools/latency/switches.h"

typedef struct evidence {
    tbus_gaps_t gaps;
    switches_t switches;
    tbus_error_t unnamed; /* why it is not known who preempts; code 0: it is */
    /* names of the stages that do each hop; "": none */
    char stage_of[HOP_PATH][TBUS_NAME_MAX];
} evidence_t;

/* `config`: of the run. -ENOMEM and the like. */
int evidence_begin(const config_t *config, evidence_t *out_evidence, tbus_error_t *err);
/* -ENOMEM. */
int evidence_end(evidence_t *evidence);
/* Accepts one that is all zeros. */
void evidence_clear(evidence_t *evidence);

/* `evidence` must outlive it. -ENOMEM. cause_source_clear frees it. */
int evidence_source(const evidence_t *evidence, cause_source_t *out_source);

#endif
