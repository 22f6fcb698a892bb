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

#include "bus/journal/segment_file.h"

static int fail_claim(tbus_error_t *err, int code, const char *path)
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

static int refuse_unless_empty(int fd, const char *path, tbus_error_t *err)
{
    DIR *stream = list(fd);
    if (!stream)
        return fail_claim(err, -errno, path);
    int code = 0;
    const struct dirent *entry;
    while (code == 0 && (entry = readdir(stream)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            code = tbus_fail(
                err, -TBUS_ENOTEMPTY,
                "will not record into %s: it already holds %s (a session is never overwritten); "
                "choose a new or empty "
                "directory",
                path, entry->d_name);
    closedir(stream);
    return code;
}

int tbus_journal_directory_claim(const char *path, tbus_journal_directory_t *out_directory,
                                 tbus_error_t *err)
{
    if (!path || !path[0])
        return tbus_fail(err, -EINVAL, "no journal directory is named");
    bool created = mkdir(path, 0750) == 0;
    /* A file system that is read-only says so even where the directory exists; what counts then is
     * the next step. */
    if (!created && errno != EEXIST && errno != EROFS)
        return fail_claim(err, -errno, path);
    int refused = created ? 0 : -errno;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_claim(err, refused == -EROFS && errno == ENOENT ? -EROFS : -errno, path);
    int code = refuse_unless_empty(fd, path, err);
    if (code < 0) {
        close(fd);
        return code;
    }
    *out_directory = (tbus_journal_directory_t){.fd = fd, .created = created};
    return 0;
}

void tbus_journal_directory_release(tbus_journal_directory_t *directory, const char *path)
{
    close(directory->fd);
    if (directory->created)
        rmdir(path);
    *directory = (tbus_journal_directory_t){.fd = -1};
}

/* The number in "00000001.tbj"; 0: not a name of a segment. */
static uint32_t number_of(const char *name)
{
    char canonical[TBUS_JOURNAL_FILE_NAME_MAX];
    char *end;
    unsigned long number = strtoul(name, &end, 10);
    if (number == 0 || number > TBUS_JOURNAL_SEGMENTS_MAX)
        return 0;
    tbus_journal_file_name((uint32_t)number, canonical);
    return strcmp(name, canonical) == 0 ? (uint32_t)number : 0;
}

/* Without a gap: as many as the highest number says. */
static int count_segments(int fd, const char *path, uint32_t *out_segments, tbus_error_t *err)
{
    DIR *stream = list(fd);
    if (!stream)
        return tbus_fail(err, -errno, "cannot list journal directory %s: %s", path,
                         tbus_strerror(-errno));
    uint32_t count = 0;
    uint32_t highest = 0;
    const struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        uint32_t number = number_of(entry->d_name);
        count += number != 0;
        highest = number > highest ? number : highest;
    }
    closedir(stream);
    if (count == 0)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "there is no journal in %s: it holds no file 00000001.tbj", path);
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    for (uint32_t number = 1; count < highest && number < highest; number++) {
        tbus_journal_file_name(number, name);
        if (faccessat(fd, name, F_OK, 0) < 0)
            return tbus_fail(err, -TBUS_ECORRUPT,
                             "segment %s of the journal in %s is missing (there are %u, up to "
                             "number %u); put it back",
                             name, path, count, highest);
    }
    *out_segments = highest;
    return 0;
}

int tbus_journal_directory_open(const char *path, int *out_fd, uint32_t *out_segments,
                                tbus_error_t *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        int code = -errno;
        return tbus_fail(err, code, "cannot open journal directory %s: %s", path,
                         tbus_strerror(code));
    }
    int code = count_segments(fd, path, out_segments, err);
    if (code < 0) {
        close(fd);
        return code;
    }
    *out_fd = fd;
    return 0;
}

int tbus_journal_directory_sync_parent(int directory_fd, const char *path, tbus_error_t *err)
{
    int parent_fd = openat(directory_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent_fd < 0)
        return 0; /* what may not be opened was not made by us just now */
    int code = tbus_journal_sync_directory(parent_fd, path, err);
    close(parent_fd);
    return code;
}
