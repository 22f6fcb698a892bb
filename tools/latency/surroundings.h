/* SPDX-License-Identifier: Apache-2.0 */
/* surroundings.h - what a latency depends on beside the code of the pipeline: added to `host` of a
 * report that has a `summary`.
 *
 *    governor      of CPU 0's frequency; null: the host has none, as a virtual machine
 *    isolated      CPUs that the scheduler leaves alone, as the kernel writes it, "2-3"; null: none
 *    clocksource   of the kernel
 *    layout        split, fused
 *    processes     {"strategy+risk": {cpu, wait}}; cpu null: not pinned
 *    pages         {md: "hugetlb-2M" ...}, of the rings
 *    noise         steal_share involuntary_switches load busy, while it ran
 */
#ifndef TICKBUS_TOOLS_LATENCY_SURROUNDINGS_H
#define TICKBUS_TOOLS_LATENCY_SURROUNDINGS_H

#include <jansson.h>

void surroundings_add(json_t *report);

#endif
