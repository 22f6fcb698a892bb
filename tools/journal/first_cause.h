/* SPDX-License-Identifier: Apache-2.0 */
/* first_cause.h - of the places at which two recordings part, one for each stream of decisions,
 * which came first? A decision that differs makes others differ, on its own topic and on those
 * behind it, so nearly all of these places are effects of one of them.
 *
 * The messages themselves say what each was made from, whatever the clock:
 *
 *    bbo        of the market data alone
 *    order      of the ticks, and of the reports up to its report_seq
 *    judged     of its order, of the judged orders before it, and of reports that do not answer it
 *               or one behind it
 *    approved   of its judged order
 *    report     of the judged orders that were answered before it, and of that which it answers:
 *               each has one report that is its answer, in their order
 *
 * The first is one that was made from none of the others. Where several are, faults that have
 * nothing to do with one another, it is the earliest in market time; of those at one time, on the
 * path bbo, reports, orders, judged, approved, since what a report says at a time may cause an
 * order at that time, and no order is answered before it is sent.
 *
 * Part of compare.h.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_FIRST_CAUSE_H
#define TICKBUS_TOOLS_JOURNAL_FIRST_CAUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/journal/compare.h"

/* The topics of decisions that this tickbus has, in the order of the data path. */
enum decided {
    DECIDED_BBO,
    DECIDED_ORDERS,
    DECIDED_JUDGED,
    DECIDED_APPROVED,
    DECIDED_REPORTS,
    DECIDED_OTHER, /* nothing is known of its causes but its time */
    DECIDED_COUNT
};

enum decided decided_of(const char *topic);

/* Where one stream parts. */
typedef struct parting {
    compare_divergence_t what;
    enum decided decided;
    bool of_one_strategy; /* what.place counts messages of what.strategy alone; else of all */
    uint64_t at_ns;       /* market time of the earlier of the two */
} parting_t;

#define PARTING_STRATEGIES 65536u

/* Messages of each strategy, by its number, before the place at which the topic parts. */
typedef struct parting_counts {
    uint64_t judged[PARTING_STRATEGIES];
    uint64_t answered[PARTING_STRATEGIES]; /* on `reports` */
} parting_counts_t;

/* The index of the first in `partings`, of which there is at least one. The same for any order in
 * which they are given. Pure. */
uint32_t first_cause(const parting_t *partings, uint32_t count, const parting_counts_t *counts);

#endif
