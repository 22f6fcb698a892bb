/* SPDX-License-Identifier: Apache-2.0 */
/* meter.h - how far reading a journal has come: one line on the terminal, rewritten now and then;
 * nothing at all where stderr is no terminal. */
#ifndef TICKBUS_TOOLS_JOURNAL_METER_H
#define TICKBUS_TOOLS_JOURNAL_METER_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/journal.h>

typedef struct meter {
    bool on;
    bool shown;       /* the line stands there */
    const char *what; /* is done: "checked" */
    uint64_t first_segment;
    uint64_t segment_bytes;
    uint64_t total_bytes;
    uint64_t records; /* seen; the clock is asked at every 4096th */
    uint64_t started_ns;
    uint64_t shown_ns;
} meter_t;

/* Of a journal that is about to be read from its beginning. `what`: a verb in the past tense. */
void meter_begin(meter_t *meter, const char *what, const tbus_journal_info_t *info);

/* It has come to this record. */
void meter_at(meter_t *meter, const tbus_journal_record_t *record);

/* The same, far behind the one before. */
void meter_leap(meter_t *meter, const tbus_journal_record_t *record);

/* Wipe the line: before anything else goes to the terminal, and at the end. */
void meter_end(meter_t *meter);

#endif
