/* SPDX-License-Identifier: Apache-2.0 */
/* reader_index.h - what a reader knows of its segments, to go to a place. Private to bus/journal
 * and the tools.
 *
 * Of each finished segment that was asked about, a summary is kept; entries of one at a time.
 */
#ifndef TICKBUS_JOURNAL_READER_INDEX_H
#define TICKBUS_JOURNAL_READER_INDEX_H

#include "bus/journal/index.h"
#include "bus/journal/reader.h"

/* Enter segment `number` at its first record. FOUND; NOTHING: it is not there, or holds no header;
 * BAD: it is damaged, and err says how; or -errno. */
int tbus_journal_reader_go_to(tbus_journal_reader_t *r, uint32_t number, tbus_error_t *err);

/* The record at a place that was read before: the segment and offset that it had. FOUND: it is
 * whole, and next gives what follows it; NOTHING or BAD: there is none, and err says so; or
 * -errno. */
int tbus_journal_reader_record_at(tbus_journal_reader_t *r, uint32_t segment, uint64_t offset,
                                  tbus_journal_record_t *out_record, tbus_error_t *err);

/* What segment `number` holds, from its index, which is made if need be; then the segment is
 * entered, and the position anywhere in it. FOUND: *out_summary is the reader's. NOTHING: it is not
 * finished, or cannot be read. -errno. */
int tbus_journal_reader_summary(tbus_journal_reader_t *r, uint32_t number,
                                const tbus_journal_summary_t **out_summary, tbus_error_t *err);

/* The segment that is read: have its index, with entries, in r->index. Of one that is not finished
 * it goes as far as the records go now. 0, or -errno. */
int tbus_journal_reader_index(tbus_journal_reader_t *r, tbus_error_t *err);

/* Have the memory that going to places will take: the index of one segment, and the summaries of a
 * thousand; only beyond these is more allocated. 0 or -ENOMEM. */
int tbus_journal_reader_reserve(tbus_journal_reader_t *r);

#endif
