/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_ALIGNMENT ((size_t)64)

void *table_create(size_t count, size_t entry_bytes)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, entry_bytes, &bytes) || bytes > SIZE_MAX - TABLE_ALIGNMENT)
        return NULL;
    bytes = (bytes + TABLE_ALIGNMENT - 1) & ~(TABLE_ALIGNMENT - 1);
    void *memory = aligned_alloc(TABLE_ALIGNMENT, bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}
