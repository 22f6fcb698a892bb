/* SPDX-License-Identifier: Apache-2.0 */
/* allocation.h - how much the calling thread has allocated so far, by jemalloc's own count.
 *
 * The stage loop reads it when it begins to run and when it ends (stage.h, hot_allocations): the
 * difference must be 0. Builds without jemalloc (sanitizers bring an allocator of their own) do not
 * know.
 */
#ifndef TICKBUS_TOOLS_RUN_ALLOCATION_H
#define TICKBUS_TOOLS_RUN_ALLOCATION_H

#include <stdint.h>

/* A function that returns bytes allocated by its caller's thread, ever; NULL: not known. Call it in
 * the process and thread that is to be counted. */
uint64_t (*allocation_meter(void))(void);

#endif
