/* SPDX-License-Identifier: Apache-2.0 */
/* memory_in_use.h - for tests of what a table says it will take, against what it takes. */
#ifndef TICKBUS_TESTS_MEMORY_IN_USE_H
#define TICKBUS_TESTS_MEMORY_IN_USE_H

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>

/* What rounding to lines, to pages and the allocator's own words may add to a few tables. */
#define MEMORY_ROUNDING ((size_t)8 * 4096)

/* Bytes that this process has from malloc(3). 0: its allocator does not say, as a sanitizer's. */
static inline size_t memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static inline bool memory_is_near(size_t took, size_t said)
{
    return took <= said + MEMORY_ROUNDING && said <= took + MEMORY_ROUNDING;
}

#endif
