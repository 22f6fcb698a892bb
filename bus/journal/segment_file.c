/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/segment_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <tickbus/segment.h>

#include "bus/journal/seal.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

static int fail_create(const tbus_journal_directory_t *directory, uint32_t number, uint64_t bytes,
                       int code, tbus_error_t *err)
{
    return tbus_fail(
        err, code,
        "cannot make segment %08u.tbj of %" PRIu64 " bytes in journal directory %s: %s; %s", number,
        bytes, directory->path, tbus_strerror(code), tbus_journal_advice(code));
}

/* What errno says went wrong with a segment that there is. */
static int fail_on(const tbus_journal_file_t *file, const char *what, tbus_error_t *err)
{
    int code = -errno;
    return tbus_fail(err, code, "cannot %s segment %08u.tbj of the journal in %s: %s; %s", what,
                     file->number, file->directory->path, tbus_strerror(code),
                     tbus_journal_advice(code));
}

static bool is_memory(const struct statfs *fs)
{
    return fs->f_type == TMPFS_MAGIC || fs->f_type == RAMFS_MAGIC;
}

bool tbus_journal_path_is_memory(const char *path)
{
    struct statfs fs;
    char at[PATH_MAX];
    if (snprintf(at, sizeof at, "%s", path) >= (int)sizeof at)
        return false;
    char *slash;
    while (statfs(at, &fs) < 0) {
        if (errno != ENOENT || (slash = strrchr(at, '/')) == at)
            return false;
        if (!slash)
            return statfs(".", &fs) == 0 && is_memory(&fs);
        *slash = 0;
    }
    return is_memory(&fs);
}

/* Blocks in a file system that is memory are taken at once: too many of them, and somebody is
 * killed. 0, or -ENOMEM. */
static int check_memory(const tbus_journal_directory_t *directory, uint32_t number, int fd,
                        uint64_t bytes, tbus_error_t *err)
{
    struct statfs fs;
    char why[256];
    if (fstatfs(fd, &fs) < 0 || !is_memory(&fs) || tbus_memory_is_there(bytes, why, sizeof why))
        return 0;
    return tbus_fail(err, -ENOMEM,
                     "cannot make segment %08u.tbj of %" PRIu64 " bytes in journal directory %s, "
                     "which is memory (tmpfs): %s; record on a disk, or lower "
                     "journal.segment_bytes",
                     number, bytes, directory->path, why);
}

/* Blocks for the whole file. Beyond RLIMIT_FSIZE the kernel would kill us with SIGXFSZ before it
 * returned an error. */
static int allocate(int fd, uint64_t bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur < bytes)
        return -EFBIG;
    int code;
    do {
        code = -posix_fallocate(fd, 0, (off_t)bytes);
    } while (code == -EINTR);
    return code;
}

int tbus_journal_file_create(const tbus_journal_directory_t *directory, uint32_t number,
                             uint64_t bytes, tbus_atomic_u64_t *limit,
                             tbus_journal_file_t *out_file, tbus_error_t *err)
{
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    tbus_journal_segment_name(number, name);
    int fd = openat(directory->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return fail_create(directory, number, bytes, -errno, err);
    int code = check_memory(directory, number, fd, bytes, err);
    if (code < 0) {
        unlinkat(directory->fd, name, 0);
        close(fd);
        return code;
    }
    code = allocate(fd, bytes);
    struct statfs fs;
    void *base = MAP_FAILED;
    if (code == 0) {
        base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (base == MAP_FAILED)
            code = -errno;
    }
    if (code < 0) {
        unlinkat(directory->fd, name, 0);
        close(fd);
        return fail_create(directory, number, bytes, code, err);
    }
    *out_file = (tbus_journal_file_t){.base = base,
                                      .directory = directory,
                                      .fd = fd,
                                      .number = number,
                                      .bytes = bytes,
                                      .is_memory = fstatfs(fd, &fs) == 0 && is_memory(&fs),
                                      .guard = tbus_journal_guard_take(base, bytes, limit)};
    return 0;
}

int tbus_journal_file_check(const tbus_journal_file_t *file, tbus_error_t *err)
{
    struct stat is;
    if (fstat(file->fd, &is) < 0)
        return fail_on(file, "look at", err);
    if (is.st_nlink == 0)
        return tbus_fail(err, -ENOENT,
                         "segment %08u.tbj of the journal in %s was removed by somebody else while "
                         "it was written; what it held is lost",
                         file->number, file->directory->path);
    if ((uint64_t)is.st_size < file->bytes)
        return tbus_fail(err, -TBUS_ECORRUPT,
                         "segment %08u.tbj of the journal in %s was cut to %lld bytes by somebody "
                         "else while it was written; what lies before that can be read",
                         file->number, file->directory->path, (long long)is.st_size);
    if (tbus_journal_guard_lost(file->guard))
        return tbus_fail(err, -EIO,
                         "segment %08u.tbj of the journal in %s cannot be stored to (SIGBUS); %s",
                         file->number, file->directory->path, tbus_journal_advice(-EIO));
    return 0;
}

/* The recording thread may store to these pages at the same time. One word in each page of the
 * smallest size there is; a larger page is touched several times. */
void tbus_journal_file_touch(tbus_journal_file_t *file, uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at < to; at += 4096)
        tbus_touch_u64((tbus_atomic_u64_t *)(void *)(file->base + at));
}

/* One piece. The look at the length comes first: in a file that somebody has cut, a write behind
 * the cut would make it long again, and hide the cut. */
static int write_zeros(const tbus_journal_file_t *file, uint64_t bytes, tbus_error_t *err)
{
    static const unsigned char zeros[TBUS_JOURNAL_ZERO_BYTES];
    int code = tbus_journal_file_check(file, err);
    if (code < 0)
        return code;
    for (uint64_t done = 0; done < bytes;) {
        ssize_t put = pwrite(file->fd, zeros, bytes - done, (off_t)(file->zeroed + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            errno = put < 0 ? errno : ENOSPC;
            return fail_on(file, "write zeros to", err);
        }
        done += (uint64_t)put;
    }
    return 0;
}

int tbus_journal_file_zero(tbus_journal_file_t *file, uint64_t to, tbus_error_t *err)
{
    to = to < file->bytes ? to : file->bytes;
    if (file->is_memory && file->zeroed < to)
        file->zeroed = to;
    while (file->zeroed < to) {
        uint64_t rest = to - file->zeroed;
        uint64_t bytes = rest < TBUS_JOURNAL_ZERO_BYTES ? rest : TBUS_JOURNAL_ZERO_BYTES;
        int code = write_zeros(file, bytes, err);
        if (code < 0)
            return code;
        file->zeroed += bytes;
    }
    return 0;
}

void tbus_journal_file_write_back(const tbus_journal_file_t *file, uint64_t from, uint64_t to)
{
    if (!file->is_memory)
        (void)sync_file_range(file->fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);
}

int tbus_journal_file_populate(tbus_journal_file_t *file, uint64_t to, tbus_error_t *err)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t from = file->populated & ~(page - 1);
    if (to > file->bytes)
        to = file->bytes;
    if (from >= to)
        return 0;
    int code = tbus_journal_file_zero(file, to, err);
    if (code < 0)
        return code;
    int rc;
    do {
        rc = madvise(file->base + from, to - from, MADV_POPULATE_WRITE);
    } while (rc < 0 && (errno == EINTR || errno == EAGAIN));
    if (rc < 0 && errno == EINVAL)
        tbus_journal_file_touch(file, from, to);
    else if (rc < 0) {
        code = -errno;
        int cut = tbus_journal_file_check(file, err);
        errno = -code;
        return cut < 0 ? cut : fail_on(file, "fault in pages of", err);
    }
    file->populated = to;
    return 0;
}

int tbus_journal_file_sync(const tbus_journal_file_t *file, uint64_t from, uint64_t to,
                           tbus_error_t *err)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    from &= ~(page - 1);
    return msync(file->base + from, to - from, MS_SYNC) < 0 ? fail_on(file, "sync", err) : 0;
}

/* What comes into the header by write(2), whole or not at all. 0, or what failed. */
static int put_header_bytes(const tbus_journal_file_t *file, const void *bytes, size_t count,
                            size_t offset, const char *what, tbus_error_t *err)
{
    ssize_t put;
    do {
        put = pwrite(file->fd, bytes, count, (off_t)offset);
    } while (put < 0 && errno == EINTR);
    if (put >= 0 && put != (ssize_t)count) {
        errno = EIO;
        put = -1;
    }
    return put < 0 ? fail_on(file, what, err) : 0;
}

/* Compute the seal and store it, by one write(2): whoever kills us leaves all of it or nothing. 0,
 * also when it cannot be computed, which ends the chain; or the negative error. */
static int seal(tbus_journal_file_t *file, uint64_t used, uint32_t seed,
                tbus_journal_chain_t *chain, tbus_error_t *err)
{
    tbus_journal_seal_t seal = {.kind = TBUS_JOURNAL_SEAL_SHA256};
    memcpy(seal.previous, chain->digest, sizeof seal.previous);
    if (chain->ended || !tbus_journal_seal_memory(file->base, used, chain->digest, chain->between,
                                                  chain->context, seal.digest)) {
        chain->ended = true;
        return 0;
    }
    seal.crc32c = tbus_journal_seal_crc(seed, &seal);
    int code =
        tbus_journal_file_check(file, err); /* of a cut file a write makes a long one again */
    if (code == 0)
        code = put_header_bytes(file, &seal, sizeof seal, offsetof(tbus_journal_header_t, seal),
                                "write the seal of", err);
    if (code == 0)
        memcpy(chain->digest, seal.digest, sizeof chain->digest);
    return code;
}

int tbus_journal_file_finish(tbus_journal_file_t *file, uint64_t used, tbus_journal_chain_t *chain,
                             tbus_error_t *err)
{
    tbus_journal_header_t *header = (tbus_journal_header_t *)(void *)file->base;
    uint32_t seed = tbus_journal_seed(header->session_id, file->number);
    bool ended = chain->ended;
    chain->ended = true; /* unless it is finished */
    if (file->sync_failed) {
        errno = EIO;
        return fail_on(file, "sync", err);
    }
    if (fdatasync(file->fd) < 0)
        return fail_on(file, "sync", err);
    int code = tbus_journal_file_check(file, err);
    if (code < 0)
        return code;
    chain->ended = ended;
    code = seal(file, used, seed, chain, err);
    chain->ended |= code < 0;
    if (code < 0)
        return code;
    /* J5 pairs J6 (tbus_journal_reader_next): what a reader has not found by now is not there. Only
     * after the records are on the disk: a segment that says that it is finished, and has lost
     * some, is refused as damaged. Who is killed between this and the cut leaves a finished segment
     * of its full length, with zeros behind its end. */
    tbus_store_release_u64(&header->closed, tbus_journal_closed_word(seed, (uint32_t)used));
    if (tbus_journal_guard_lost(file->guard)) /* just now: ftruncate would make it long again */
        return tbus_journal_file_check(file, err);
    if (ftruncate(file->fd, (off_t)used) < 0)
        return fail_on(file, "cut", err);
    if (fdatasync(file->fd) < 0)
        return fail_on(file, "sync", err);
    return 0;
}

/* By write(2): if somebody has cut the file by now, this is no SIGBUS. */
static int store_session_end(const tbus_journal_file_t *file, uint64_t word, tbus_error_t *err)
{
    struct stat is;
    if (fstat(file->fd, &is) < 0)
        return fail_on(file, "look at", err);
    if (is.st_size < (off_t)TBUS_JOURNAL_HEADER_BYTES)
        return tbus_fail(err, -TBUS_ECORRUPT,
                         "segment %08u.tbj of the journal in %s was cut to %lld bytes by somebody "
                         "else",
                         file->number, file->directory->path, (long long)is.st_size);
    return put_header_bytes(file, &word, sizeof word, offsetof(tbus_journal_header_t, session_end),
                            "write the end of the session to", err);
}

int tbus_journal_file_end_session(tbus_journal_file_t *file, enum tbus_journal_session_end end,
                                  int code, tbus_error_t *err)
{
    tbus_journal_header_t header;
    if (pread(file->fd, &header, sizeof header, 0) != (ssize_t)sizeof header)
        return fail_on(file, "read the header of", err);
    uint32_t seed = tbus_journal_seed(header.session_id, file->number);
    int result = store_session_end(file, tbus_journal_session_end_word(seed, end, code), err);
    if (result < 0 || end != TBUS_JOURNAL_SESSION_CLOSED)
        return result;
    if (fdatasync(file->fd) == 0)
        return 0;
    result = fail_on(file, "sync", err);
    store_session_end(
        file, tbus_journal_session_end_word(seed, TBUS_JOURNAL_SESSION_BROKEN, result), NULL);
    return result;
}

void tbus_journal_file_close(tbus_journal_file_t *file)
{
    tbus_journal_guard_release(file->guard);
    munmap(file->base, file->bytes);
    close(file->fd);
    *file = (tbus_journal_file_t){0};
}

void tbus_journal_file_destroy(tbus_journal_file_t *file)
{
    if (!file->base)
        return;
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    tbus_journal_segment_name(file->number, name);
    unlinkat(file->directory->fd, name, 0);
    tbus_journal_file_close(file);
}
