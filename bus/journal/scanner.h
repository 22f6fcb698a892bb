/* SPDX-License-Identifier: Apache-2.0 */
/* scanner.h - the segments of a journal scanned (scan.h) ahead of its reader, each on whatever
 * thread is free: one for each CPU, the reader's among them.
 *
 *    next to be given     scanned or being scanned          next to be scanned
 *    | 4 | 5 | 6 | 7 |  at most TBUS_JOURNAL_SCANS_AHEAD      | 8 |
 *
 * Private to bus/journal, and to the tools that check all of a journal.
 */
#ifndef TICKBUS_JOURNAL_SCANNER_H
#define TICKBUS_JOURNAL_SCANNER_H

#include "bus/journal/scan.h"

#define TBUS_JOURNAL_SCANS_AHEAD 64u /* and as many threads at most */

typedef struct tbus_journal_scanner tbus_journal_scanner_t;

/* Of segments `first` .. `last` of a journal in `directory`, which must live as long. `cpus`: how
 * many threads, the caller's among them; at least 1. It starts the others, fewer when there are
 * fewer segments or threads cannot be had, with all signals blocked. NULL: no memory. */
tbus_journal_scanner_t *tbus_journal_scanner_new(const tbus_journal_directory_t *directory,
                                                 uint32_t first, uint32_t last, uint32_t cpus);

/* The scan of segment `number`, which is not lower than in the call before: scanned here and now if
 * nobody has. Valid until the next call. NULL: it is none of those segments. One thread. */
const tbus_journal_scan_t *tbus_journal_scanner_get(tbus_journal_scanner_t *scanner,
                                                    uint32_t number);

/* Waits for scans that are being made. Accepts NULL. */
void tbus_journal_scanner_free(tbus_journal_scanner_t *scanner);

#endif
