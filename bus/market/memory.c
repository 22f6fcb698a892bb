/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/memory.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

void *market_memory_take(size_t bytes)
{
    size_t mapped = bytes + HUGE_PAGE_BYTES;
    unsigned char *all =
        mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)all % HUGE_PAGE_BYTES;
    unsigned char *memory = all + before;
    if (before != 0)
        munmap(all, before);
    munmap(memory + bytes, mapped - bytes - before);
    (void)madvise(memory, bytes, MADV_HUGEPAGE); /* a kernel without it gives small pages */
#ifdef MADV_POPULATE_WRITE
    if (madvise(memory, bytes, MADV_POPULATE_WRITE) == 0)
        return memory;
    if (errno != EINVAL) { /* EINVAL: a kernel before 5.14 */
        int failed = errno;
        munmap(memory, bytes);
        errno = failed;
        return NULL;
    }
#endif
    return memset(memory, 0, bytes);
}

void market_memory_give(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}
