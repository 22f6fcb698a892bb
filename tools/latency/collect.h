/* SPDX-License-Identifier: Apache-2.0 */
/* collect.h - the stamps of a run (bus/run/stamps.h), made into samples.
 *
 * A message counts once it was published; one that the strategy never took has no hop `seen`. An
 * answer counts when all its steps are stamped and the tick that it answers was in hand; of several
 * to one tick the first that was sent. Stamps that run backwards, as those of two clocks may by the
 * little that they differ, are set equal to the one before, so that hops add up exactly, and
 * counted.
 */
#ifndef TICKBUS_TOOLS_LATENCY_COLLECT_H
#define TICKBUS_TOOLS_LATENCY_COLLECT_H

#include "bus/run/stamps.h"

#include "tools/latency/samples.h"
#include "tools/latency/stamp_clock.h"

typedef struct collect_backward {
    uint64_t count;
    uint64_t ns_max;
} collect_backward_t;

/* `clock`: read from before the first stamp until after the last. -ENOMEM. */
int collect_samples(const tbus_stamps_t *stamps, const stamp_clock_t *clock, samples_t *out_samples,
                    collect_backward_t *out_backward, tbus_error_t *err);

#endif
