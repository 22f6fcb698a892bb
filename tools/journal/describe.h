/* SPDX-License-Identifier: Apache-2.0 */
/* describe.h - words for what a journal is: how it ended, which session it is, when it began, its
 * seals. */
#ifndef TICKBUS_TOOLS_JOURNAL_DESCRIBE_H
#define TICKBUS_TOOLS_JOURNAL_DESCRIBE_H

#include <stdint.h>

#include <tickbus/journal.h>

#define DESCRIBE_ID_MAX   33
#define DESCRIBE_TIME_MAX 40
#define DESCRIBE_SEAL_MAX 65

/* "live", "closed", "torn", "broken". */
const char *describe_end(enum tbus_journal_end end);

/* The session's id as hex digits. Returns out_text, for printf. */
const char *describe_id(const tbus_journal_info_t *info, char out_text[DESCRIBE_ID_MAX]);

/* "2026-11-29 04:58:00.000000001 UTC"; "" for what is no time. Returns out_text. */
const char *describe_time(uint64_t realtime_ns, char out_text[DESCRIBE_TIME_MAX]);

/* The SHA-256 of the last segment that is sealed as hex digits: it stands for all before it.
 * Returns how many are. */
uint32_t describe_seals(const tbus_journal_reader_t *reader, char out_text[DESCRIBE_SEAL_MAX]);

/* An older journal does not say: "unknown". */
const char *describe_ring(uint32_t kind);

#endif
