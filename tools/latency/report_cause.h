/* SPDX-License-Identifier: Apache-2.0 */
/* report_cause.h - what a report says of why messages were slow (cause.h):
 *
 *    causes_of         {hop count threshold_ns excess_ns}   what `causes` are of: messages beyond
 *                      p99.9 from tick to report, or to seen where too few are answered
 *    causes[]          name ns share who                    most first; who: null, not known
 *    hops[].causes[]   the same of each hop of the way, and of both totals
 *    hops[].worst[]    seq at_s ns                          those that took longest for that hop,
 *                                                           with the keys of worst[] below
 *    worst[].why       cause: ns ...                        what held it up, in its own time
 *    worst[].behind    messages on md that the strategy had not seen when this one came there
 *    worst[].gap       the stall that covers most of it: process cpu cpu_before off_ns run_delay_ns
 *                      voluntary involuntary faults_minor faults_major continued waits, or topic
 *                      holder of a full ring; null: none
 *    stalls[]          of each process: process pid cpu gaps lost sleeps sleeps_lost, and how many
 *                      ns in all each cause took
 */
#ifndef TICKBUS_TOOLS_LATENCY_REPORT_CAUSE_H
#define TICKBUS_TOOLS_LATENCY_REPORT_CAUSE_H

#include <stdio.h>

#include <jansson.h>

#include "tools/latency/evidence.h"
#include "tools/latency/samples.h"

/* Add the keys above. -ENOMEM. */
int report_add_causes(json_t *report, const evidence_t *evidence, const samples_t *samples);

void report_print_causes(const json_t *report, FILE *out);

#endif
