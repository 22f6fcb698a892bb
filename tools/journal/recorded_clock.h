/* SPDX-License-Identifier: Apache-2.0 */
/* recorded_clock.h - market time of a recording: the clock of its ticks (tickbus/market/clock.h),
 * while it is read.
 *
 * Part of compare.h.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_RECORDED_CLOCK_H
#define TICKBUS_TOOLS_JOURNAL_RECORDED_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/journal.h>
#include <tickbus/market/clock.h>

typedef struct recorded_clock {
    int topic;            /* `md` in the recording; negative: it has none */
    market_clock_t clock; /* as of the last tick that was read */
    uint64_t next_seq;    /* on `md` */
    bool whole;           /* all ticks were there so far, from the first of the session on */
} recorded_clock_t;

/* Before the first record. */
recorded_clock_t recorded_clock_begin(const tbus_journal_reader_t *reader);
/* To be called with each record, in their order. */
void recorded_clock_follow(recorded_clock_t *md, const tbus_journal_record_t *record);

/* The time of tick `md_seq`. UINT64_MAX: the recording ends before it. 0: its times are not known,
 * since it does not begin with the session, or has no ticks. Cold: reads the recording up to there.
 */
uint64_t recorded_clock_tick_ns(const char *directory, uint64_t md_seq);

#endif
