/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h - what the books stand in. Private to bus/market. */
#ifndef TICKBUS_MARKET_MEMORY_H
#define TICKBUS_MARKET_MEMORY_H

#include <stddef.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)

static inline size_t market_round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

/* Zeroed memory that begins with a huge page, in huge pages where the kernel gives them; all of it
 * is touched. NULL with errno. */
void *market_memory_take(size_t bytes);
void market_memory_give(void *memory, size_t bytes);

#endif
