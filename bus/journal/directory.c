/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void tbus_journal_segment_name(uint32_t number, char out_name[TBUS_JOURNAL_FILE_NAME_MAX])
{
    snprintf(out_name, TBUS_JOURNAL_FILE_NAME_MAX, "%08u.tbj",
             number % (TBUS_JOURNAL_SEGMENTS_MAX + 1));
}

const char *tbus_journal_advice(int code)
{
    switch (-code) {
    case ENOSPC:
        return "make room on that file system, or record somewhere else";
    case EDQUOT:
        return "the user's quota is used up: make room, or record somewhere else";
    case EFBIG:
        return "raise the file size limit (ulimit -f), or record in smaller segments";
    case EROFS:
    case EACCES:
    case EPERM:
        return "record in a directory that this user may write to";
    case EEXIST:
        return "somebody else records in this directory";
    default:
        return "look at the disk and at the kernel's log";
    }
}

static int fail_create(tbus_error_t *err, int code, const char *path)
{
    switch (-code) {
    case ENOENT:
        return tbus_fail(err, code,
                         "cannot make journal directory %s: its parent directory does not exist; "
                         "make that first",
                         path);
    case ENOTDIR:
        return tbus_fail(
            err, code,
            "cannot record into %s: it is, or leads through, something that is not a directory",
            path);
    case EROFS:
        return tbus_fail(
            err, code,
            "cannot record into %s: it is on a read-only file system; choose another directory",
            path);
    case EACCES:
    case EPERM:
        return tbus_fail(
            err, code,
            "cannot record into %s: this user may not write there; choose another directory", path);
    default:
        return tbus_fail(err, code, "cannot record into %s: %s", path, tbus_strerror(code));
    }
}

/* A stream over a second descriptor, so that closing it leaves `fd` open. */
static DIR *list(int fd)
{
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = again < 0 ? NULL : fdopendir(again);
    if (!stream && again >= 0)
        close(again);
    return stream;
}

/* What every directory holds, or the root of a volume that was made for the recording. */
static bool counts_as_nothing(int fd, const char *name)
{
    struct stat is;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return true;
    return strcmp(name, "lost+found") == 0 && fstatat(fd, name, &is, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(is.st_mode);
}

static int refuse_unless_empty(int fd, const char *path, tbus_error_t *err)
{
    DIR *stream = list(fd);
    if (!stream)
        return fail_create(err, -errno, path);
    int code = 0;
    const struct dirent *entry;
    while (code == 0 && (entry = readdir(stream)) != NULL)
        if (!counts_as_nothing(fd, entry->d_name))
            code = tbus_fail(
                err, -TBUS_ENOTEMPTY,
                "will not record into %s: it already holds %s (a session is never overwritten); "
                "choose a new or empty directory",
                path, entry->d_name);
    closedir(stream);
    return code;
}

/* Takes fd, also when it fails. */
static int fill(const char *path, int fd, bool created, tbus_journal_directory_t *out_directory,
                tbus_error_t *err)
{
    char *own_path = strdup(path);
    if (!own_path) {
        close(fd);
        return tbus_fail(err, -ENOMEM, "no memory for the journal in %s", path);
    }
    *out_directory = (tbus_journal_directory_t){.path = own_path, .fd = fd, .created = created};
    return 0;
}

int tbus_journal_directory_create(const char *path, tbus_journal_directory_t *out_directory,
                                  tbus_error_t *err)
{
    if (!path || !path[0])
        return tbus_fail(err, -EINVAL, "no journal directory is named");
    bool created = mkdir(path, 0750) == 0;
    /* A read-only file system answers EROFS even where the directory exists; what counts then is
     * the next step. */
    if (!created && errno != EEXIST && errno != EROFS)
        return fail_create(err, -errno, path);
    int refused = created ? 0 : -errno;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_create(err, refused == -EROFS && errno == ENOENT ? -EROFS : -errno, path);
    int code = refuse_unless_empty(fd, path, err);
    if (code < 0) {
        close(fd);
        return code;
    }
    return fill(path, fd, created, out_directory, err);
}

void tbus_journal_directory_close(tbus_journal_directory_t *directory)
{
    if (!directory->path)
        return;
    close(directory->fd);
    free(directory->path);
    *directory = (tbus_journal_directory_t){.fd = -1};
}

void tbus_journal_directory_destroy(tbus_journal_directory_t *directory)
{
    if (directory->created)
        rmdir(directory->path);
    tbus_journal_directory_close(directory);
}

/* The number in "00000001.tbj"; 0: not a name of a segment. */
static uint32_t number_of(const char *name)
{
    char canonical[TBUS_JOURNAL_FILE_NAME_MAX];
    char *end;
    unsigned long number = strtoul(name, &end, 10);
    if (number == 0 || number > TBUS_JOURNAL_SEGMENTS_MAX)
        return 0;
    tbus_journal_segment_name((uint32_t)number, canonical);
    return strcmp(name, canonical) == 0 ? (uint32_t)number : 0;
}

/* One pass over the names. 0, or -errno. */
static int list_numbers(const tbus_journal_directory_t *directory, tbus_journal_range_t *out_range,
                        uint32_t *out_count)
{
    DIR *stream = list(directory->fd);
    if (!stream)
        return -errno;
    tbus_journal_range_t range = {0};
    uint32_t count = 0;
    const struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        uint32_t number = number_of(entry->d_name);
        if (number == 0)
            continue;
        range.first = count == 0 || number < range.first ? number : range.first;
        range.last = number > range.last ? number : range.last;
        count++;
    }
    closedir(stream);
    *out_range = range;
    *out_count = count;
    return 0;
}

uint32_t tbus_journal_directory_last(const tbus_journal_directory_t *directory)
{
    tbus_journal_range_t range = {0};
    uint32_t count = 0;
    return list_numbers(directory, &range, &count) < 0 ? 0 : range.last;
}

static uint32_t first_missing(const tbus_journal_directory_t *directory,
                              const tbus_journal_range_t *range)
{
    uint32_t number = range->first;
    while (number < range->last && tbus_journal_directory_holds(directory, number))
        number++;
    return number;
}

/* At least one, or an error. */
static int list_some(const tbus_journal_directory_t *directory, tbus_journal_range_t *out_range,
                     uint32_t *out_count, tbus_error_t *err)
{
    int code = list_numbers(directory, out_range, out_count);
    if (code < 0)
        return tbus_fail(err, code, "cannot list journal directory %s: %s", directory->path,
                         tbus_strerror(code));
    if (*out_count == 0)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "there is no journal in %s: it holds no file 00000001.tbj",
                         directory->path);
    return 0;
}

int tbus_journal_directory_list(const tbus_journal_directory_t *directory,
                                tbus_journal_range_t *out_range, tbus_error_t *err)
{
    for (;;) {
        tbus_journal_range_t range;
        uint32_t count = 0;
        int code = list_some(directory, &range, &count, err);
        if (code < 0)
            return code;
        *out_range = range;
        if (count == range.last - range.first + 1)
            return 0;
        uint32_t missing = first_missing(directory, &range);
        if (missing == range.last)
            return 0; /* it was made while the names were read */
        if (!tbus_journal_directory_holds(directory, range.first))
            continue; /* retention is at work */
        return tbus_fail(err, -TBUS_ECORRUPT,
                         "segment %08u.tbj of the journal in %s is missing (there are %u, from "
                         "number %u to %u); put it back",
                         missing, directory->path, count, range.first, range.last);
    }
}

static int open_and_list(const char *path, bool any, tbus_journal_directory_t *out_directory,
                         tbus_journal_range_t *out_range, tbus_error_t *err)
{
    tbus_journal_directory_t directory;
    uint32_t count;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        int code = -errno;
        return tbus_fail(err, code, "cannot open journal directory %s: %s", path,
                         tbus_strerror(code));
    }
    int code = fill(path, fd, false, &directory, err);
    if (code < 0)
        return code;
    code = any ? list_some(&directory, out_range, &count, err)
               : tbus_journal_directory_list(&directory, out_range, err);
    if (code < 0) {
        tbus_journal_directory_close(&directory);
        return code;
    }
    *out_directory = directory;
    return 0;
}

int tbus_journal_directory_open(const char *path, tbus_journal_directory_t *out_directory,
                                tbus_journal_range_t *out_range, tbus_error_t *err)
{
    return open_and_list(path, false, out_directory, out_range, err);
}

int tbus_journal_directory_open_any(const char *path, tbus_journal_directory_t *out_directory,
                                    tbus_journal_range_t *out_range, tbus_error_t *err)
{
    return open_and_list(path, true, out_directory, out_range, err);
}

bool tbus_journal_directory_holds(const tbus_journal_directory_t *directory, uint32_t number)
{
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    tbus_journal_segment_name(number, name);
    return faccessat(directory->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int sync_one(int fd, const char *path, tbus_error_t *err)
{
    if (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP)
        return 0;
    int code = -errno;
    return tbus_fail(err, code, "cannot sync the journal directory %s: %s; %s", path,
                     tbus_strerror(code), tbus_journal_advice(code));
}

int tbus_journal_directory_sync(const tbus_journal_directory_t *directory, tbus_error_t *err)
{
    return sync_one(directory->fd, directory->path, err);
}

int tbus_journal_directory_sync_parent(const tbus_journal_directory_t *directory, tbus_error_t *err)
{
    int fd = openat(directory->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return 0; /* a parent that we may not open is one in which we have made nothing */
    int code = sync_one(fd, directory->path, err);
    close(fd);
    return code;
}
