/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/allocation.h"

#include <stddef.h>

/* jemalloc's; not there in a program that is not linked with it. */
int mallctl(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes)
    __attribute__((weak));

static const uint64_t *allocated; /* jemalloc's counter of the thread */

static uint64_t read_allocated(void)
{
    return *allocated;
}

uint64_t (*allocation_meter(void))(void)
{
    size_t bytes = sizeof allocated;
    if (!mallctl || mallctl("thread.allocatedp", &allocated, &bytes, NULL, 0) != 0)
        return NULL;
    return read_allocated;
}
