/* SPDX-License-Identifier: Apache-2.0 */
/* check_parts.h - the two halves of a check: records (check.c) and files (check_files.c). Private
 * to them. */
#ifndef TICKBUS_TOOLS_JOURNAL_CHECK_PARTS_H
#define TICKBUS_TOOLS_JOURNAL_CHECK_PARTS_H

#include "bus/journal/format.h"
#include "tools/journal/check.h"

/* Remember a place, unless one in the same segment holds it already. False: no memory. */
bool check_add_damage(check_t *c, const tbus_journal_damage_t *place);

/* Where the records of a segment end; 0: none was read there. */
uint64_t check_end_of(const check_t *c, uint32_t segment);

/* What stands behind the last record of the last segment: is it the beginning of the record that a
 * killed writer was about to append, without its length? The writer stores the sequence, then the
 * rest of the header, then the rest. `bytes`: up to the last one that is not zero. */
bool check_is_begun(const check_t *c, const tbus_journal_record_header_t *begun, uint64_t bytes);

/* The journal could be opened and was read: look at its files. 0, or the negative error. */
int check_files(check_t *c, const char *directory, tbus_error_t *err);

/* It could not be opened, and `why` says why: which of its files is to blame? 0: a place was
 * remembered; else the error, which is about no file of it. */
int check_refused(check_t *c, const char *directory, const tbus_error_t *why, tbus_error_t *err);

#endif
