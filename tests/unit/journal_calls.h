/* SPDX-License-Identifier: Apache-2.0 */
/* journal_calls.h - system calls of the journal's writer that fail when they are told to. They are
 * intercepted by definitions of the same names, or by --wrap, in the one program that includes
 * this; the static library is linked against them. */
#ifndef TICKBUS_TESTS_UNIT_JOURNAL_CALLS_H
#define TICKBUS_TESTS_UNIT_JOURNAL_CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tickbus/atomic.h>

enum call { OPEN, ALLOCATE, MAP, WRITE, POPULATE, MSYNC, FDATASYNC, FSYNC, CUT, CALLS };
static const char *const call_names[CALLS] = {"openat",    "posix_fallocate", "mmap",
                                              "pwrite",    "madvise",         "msync",
                                              "fdatasync", "fsync",           "ftruncate"};

static tbus_atomic_u32_t calls[CALLS]; /* made so far; by two threads */
static enum call failing;
static uint32_t fail_at;  /* which of them, from 1; 0: none */
static bool fail_onwards; /* and all that come after it */
static int fail_with;
static tbus_atomic_u32_t hits;

static bool fails(enum call call)
{
    uint32_t number = tbus_fetch_add_relaxed_u32(&calls[call], 1) + 1;
    if (call != failing || fail_at == 0 || number < fail_at || (number > fail_at && !fail_onwards))
        return false;
    tbus_fetch_add_relaxed_u32(&hits, 1);
    return true;
}

static void inject(enum call call, uint32_t at, bool onwards, int with)
{
    for (unsigned i = 0; i < CALLS; i++)
        tbus_store_relaxed_u32(&calls[i], 0);
    tbus_store_relaxed_u32(&hits, 0);
    failing = call;
    fail_at = at;
    fail_with = with;
    fail_onwards = onwards;
}

static int result_of(bool failed, long result)
{
    if (failed)
        errno = fail_with;
    return failed ? -1 : (int)result;
}

/* By the linker (--wrap), since the run-time of a sanitizer calls these two before it is ready for
 * ours. */
int __wrap_openat(int directory, const char *path, int flags, ...);
void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
void *__real_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);

/* Files that are made; what is opened to be read is not counted. */
int __wrap_openat(int directory, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    bool failed = (flags & O_EXCL) && fails(OPEN);
    return result_of(failed, failed ? 0 : syscall(SYS_openat, directory, path, flags, mode));
}

void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE) && fails(MAP)) {
        errno = fail_with;
        return MAP_FAILED;
    }
    return __real_mmap(address, bytes, protection, flags, fd, offset);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    if (fails(WRITE)) {
        errno = fail_with;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, data, bytes, offset);
}

int msync(void *address, size_t bytes, int flags)
{
    bool failed = fails(MSYNC);
    return result_of(failed, failed ? 0 : syscall(SYS_msync, address, bytes, flags));
}

int posix_fallocate(int fd, off_t offset, off_t bytes)
{
    if (fails(ALLOCATE))
        return fail_with;
    return syscall(SYS_fallocate, fd, 0, offset, bytes) == 0 ? 0 : errno;
}

int madvise(void *address, size_t bytes, int advice)
{
    /* MADV_POPULATE_WRITE; allocators have other advice */
    bool failed = advice == 23 && fails(POPULATE);
    return result_of(failed, failed ? 0 : syscall(SYS_madvise, address, bytes, advice));
}

int fdatasync(int fd)
{
    bool failed = fails(FDATASYNC);
    return result_of(failed, failed ? 0 : syscall(SYS_fdatasync, fd));
}

int fsync(int fd)
{
    bool failed = fails(FSYNC);
    return result_of(failed, failed ? 0 : syscall(SYS_fsync, fd));
}

int ftruncate(int fd, off_t bytes)
{
    bool failed = fails(CUT);
    return result_of(failed, failed ? 0 : syscall(SYS_ftruncate, fd, bytes));
}

#endif
