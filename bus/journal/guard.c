/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/guard.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tickbus/journal.h>

#define GUARDS_MAX 32u
/* The kernel's page, which is 64 KiB on some aarch64 hosts: a mapping can be replaced by whole
 * pages only. Asked for beforehand, since the handler of a signal may not. */
static tbus_atomic_u64_t page_bytes;

/* One table for the process, because it has one handler of SIGBUS. */
static tbus_journal_guard_t guards[GUARDS_MAX];

tbus_journal_guard_t *tbus_journal_guard_take(const void *base, uint64_t bytes,
                                              tbus_atomic_u64_t *limit)
{
    for (unsigned i = 0; i < GUARDS_MAX; i++) {
        tbus_journal_guard_t *guard = &guards[i];
        uint32_t vacant = 0;
        /* J10 pairs J9 (tbus_journal_guard_release). */
        if (!tbus_cas_u32(&guard->taken, &vacant, 1))
            continue;
        guard->limit = limit;
        tbus_store_relaxed_u64(&page_bytes, (uint64_t)sysconf(_SC_PAGESIZE));
        tbus_store_relaxed_u32(&guard->lost, 0);
        tbus_store_relaxed_u64(&guard->end, (uint64_t)(uintptr_t)base + bytes);
        /* J7 pairs J8 (find): else a handler on another thread finds the mapping, and not yet its
         * end and limit. */
        tbus_store_release_u64(&guard->begin, (uint64_t)(uintptr_t)base);
        return guard;
    }
    return NULL;
}

void tbus_journal_guard_release(tbus_journal_guard_t *guard)
{
    if (!guard)
        return;
    tbus_store_relaxed_u64(&guard->begin, 0);
    /* J9 pairs J10 (tbus_journal_guard_take): else our clearing of `begin` falls upon the mapping
     * of whoever takes the guard next. */
    tbus_store_release_u32(&guard->taken, 0);
}

static tbus_journal_guard_t *find(uint64_t address)
{
    for (unsigned i = 0; i < GUARDS_MAX; i++) {
        /* J8 pairs J7 (tbus_journal_guard_take) */
        uint64_t begin = tbus_load_acquire_u64(&guards[i].begin);
        if (begin && address >= begin && address < tbus_load_relaxed_u64(&guards[i].end))
            return &guards[i];
    }
    return NULL;
}

bool tbus_journal_writer_on_sigbus(void *address)
{
    int errno_before = errno;
    tbus_journal_guard_t *guard = find((uint64_t)(uintptr_t)address);
    if (!guard)
        return false;
    uint64_t into_page = (uint64_t)(uintptr_t)address % tbus_load_relaxed_u64(&page_bytes);
    char *page = (char *)address - into_page;
    size_t bytes = tbus_load_relaxed_u64(&guard->end) - (uint64_t)(uintptr_t)page;
    void *there = mmap(page, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    errno = errno_before;
    if (there == MAP_FAILED)
        return false;
    tbus_store_relaxed_u32(&guard->lost, 1);
    tbus_store_relaxed_u64(guard->limit, 0);
    return true;
}
