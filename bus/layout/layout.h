/* SPDX-License-Identifier: Apache-2.0 */
/* layout.h - what programs that meet on a bus must agree on, as a table, and the number that it is
 * folded into (tbus_layout in directory.h). Private to bus/layout and its test.
 *
 * Two builds whose tables are equal understand each other's memory, whatever else differs between
 * them: compiler, comments, code. This is the one folder that knows the structs of the bus and of
 * its messages both; bus/run only asks for the number.
 */
#ifndef TICKBUS_BUS_LAYOUT_LAYOUT_H
#define TICKBUS_BUS_LAYOUT_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

/* One field of a shared struct; or a whole struct, at offset 0. */
typedef struct tbus_layout_entry {
    uint32_t offset;
    uint32_t bytes;
    const char *type; /* a whole message: the name of its type; else NULL */
} tbus_layout_entry_t;

/* The table of this build: every field of every struct in shared memory, padding included, so that
 * a field taken out of padding shows as well. For tests, which compare it with a second one. */
const tbus_layout_entry_t *tbus_layout_table(size_t *out_count);

/* FNV-1a (64 bits) over `protocol` and the entries, each number as four bytes, lowest first;
 * declared for tests. */
uint64_t tbus_layout_fold(const tbus_layout_entry_t *entries, size_t count, uint32_t protocol);

#endif
