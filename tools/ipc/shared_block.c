/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/shared_block.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tools/measure/proc_value.h"

#define HUGE_BYTES ((size_t)2 << 20)

/* Large blocks are worth whole huge pages; small ones are not. */
static size_t mapped_bytes(size_t bytes)
{
    return bytes < HUGE_BYTES / 2 ? bytes : (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
}

static void *map(const char *name, size_t bytes, unsigned flags)
{
    void *block = MAP_FAILED;
    int fd = memfd_create(name, MFD_CLOEXEC | flags);
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0)
        block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    int code = errno;
    if (fd >= 0)
        close(fd);
    errno = code;
    return block;
}

void *ipc_shared_block_new(const char *mechanism, size_t bytes, tbus_error_t *err)
{
    size_t mapped = mapped_bytes(bytes);
    void *block = mapped >= HUGE_BYTES ? map(mechanism, mapped, MFD_HUGETLB) : MAP_FAILED;
    if (block == MAP_FAILED) /* small, or the pool is empty */
        block = map(mechanism, mapped, 0);
    if (block == MAP_FAILED) {
        tbus_fail(err, -errno, "%s: no shared memory of %zu bytes: %s", mechanism, bytes,
                  strerror(errno));
        return NULL;
    }
    return block;
}

void ipc_shared_block_free(void *block, size_t bytes)
{
    if (block)
        munmap(block, mapped_bytes(bytes));
}

void ipc_shared_block_touch(void *block, size_t bytes)
{
    madvise(block, mapped_bytes(bytes),
            /* since Linux 5.14; without it pages come when they are touched */
            MADV_POPULATE_WRITE);
}

void ipc_shared_block_limits(char *text, size_t text_bytes)
{
    struct statvfs shm;
    double shm_mib = statvfs("/dev/shm", &shm) == 0
                         ? (double)shm.f_blocks * (double)shm.f_frsize / (1 << 20)
                         : -1;
    long long shmmax = proc_value("/proc/sys/kernel/shmmax", 0);
    if (shmmax >= INT64_MAX / 2)
        snprintf(text, text_bytes,
                 "/dev/shm %.0f MiB, SHMMAX without limit, %lld System V segments (SHMMNI)",
                 shm_mib, proc_value("/proc/sys/kernel/shmmni", 0));
    else
        snprintf(text, text_bytes,
                 "/dev/shm %.0f MiB, SHMMAX %lld B, %lld System V segments (SHMMNI)", shm_mib,
                 shmmax, proc_value("/proc/sys/kernel/shmmni", 0));
}
