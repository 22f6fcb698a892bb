/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - memory for tables of fixed size: zeroed, aligned to a cache line, and every page
 * written once, so that the hot path meets no page fault. */
#ifndef TICKBUS_RISK_TABLE_H
#define TICKBUS_RISK_TABLE_H

#include <stddef.h>

/* Room for `count` entries of `entry_bytes` each; freed with free(3). NULL: no memory. Cold. */
void *table_create(size_t count, size_t entry_bytes);

#endif
