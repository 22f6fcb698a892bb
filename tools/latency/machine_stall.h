/* SPDX-License-Identifier: Apache-2.0 */
/* machine_stall.h - stalls of processes on different CPUs that begin and end together, in which the
 * kernel switched nobody: the machine stood still, and nobody in it can say why. A hypervisor that
 * stops a whole guest does that, or firmware (SMI). Without this a process that had messages in
 * hand would be told that its turn was long.
 *
 *    CPU 0  ---- ==================== ----      both begin, and both end, within an eighth of
 *    CPU 1  -----=================== -----      its length
 */
#ifndef TICKBUS_TOOLS_LATENCY_MACHINE_STALL_H
#define TICKBUS_TOOLS_LATENCY_MACHINE_STALL_H

#include "tools/latency/stalls.h"

#define MACHINE_STALL_PART 8u

/* Book such stalls to CAUSE_HOST; `stalls`: of each process of `gaps`. */
void machine_stalls_find(const tbus_gaps_t *gaps, stalls_t *stalls);

#endif
