/* SPDX-License-Identifier: Apache-2.0 */
/* touched.h - which messages the host has delayed, by what is known of the stalls of the processes
 * that they passed through (cause.h): another program took the CPU, the hypervisor did, or an
 * interrupt.
 *
 *    touched   a stall by the host of TBUS_GAP_NS_MIN or more lies in the time of the message, in
 *              the process in which it was then
 *    behind    and whoever was wanted before the last touched one had arrived: it may have waited
 *              behind it
 *    unknown   what was wanted before all processes noted their stalls, or arrived after a table
 *              of these was full, counts as touched
 *
 * Percentiles of the others say what the pipeline does on a host that leaves it alone: of these a
 * few per cent more are found in a minute, on a host whose own p99 varies by half from one minute
 * to the next. They are no percentiles of the run, and stand beside those. What the pipeline does
 * to itself counts in both: page faults, long turns, its own processes on one CPU. Stalls that are
 * shorter are not known, and count in both as well.
 */
#ifndef TICKBUS_TOOLS_LATENCY_TOUCHED_H
#define TICKBUS_TOOLS_LATENCY_TOUCHED_H

#include "tools/latency/cause.h"

/* Fills samples->touched. -ENOMEM: it is left as it was. */
int touched_find(const cause_source_t *source, samples_t *samples);

#endif
