/* SPDX-License-Identifier: Apache-2.0 */
/* made_up_run.h - samples of a run that was never made: 100,000 messages a second, each answered,
 * every hop with latencies of support/latencies.h. */
#ifndef TICKBUS_TESTS_MADE_UP_RUN_H
#define TICKBUS_TESTS_MADE_UP_RUN_H

#include "tests/support/latencies.h"
#include "tools/latency/samples.h"

#define MADE_UP_GAP_NS 10000u

/* The whole way is `planted` longer than by itself from p90 on: 0.05 is 5 %. */
static inline samples_t made_up_run(uint64_t count, enum latencies_kind kind, uint64_t seed,
                                    double planted)
{
    samples_t s;
    assert_true(samples_create(count, &s));
    s.rows = count;
    for (uint64_t i = 0; i < count; i++)
        s.intended_ns[i] = i * MADE_UP_GAP_NS;
    for (int hop = 0; hop <= HOP_TICK_TO_REPORT; hop++) {
        assert_true(samples_reserve(&s, (enum sample_hop)hop, count, false));
        latencies_make(kind, &seed, s.hops[hop].ns, count);
        s.hops[hop].count = count;
    }
    uint64_t *whole = s.hops[HOP_TICK_TO_REPORT].ns,
             from = (uint64_t)latencies_percentile(kind, 900000);
    for (uint64_t i = 0; i < count; i++)
        if (whole[i] >= from)
            whole[i] += (uint64_t)(planted * (double)whole[i]);
    return s;
}

#endif
