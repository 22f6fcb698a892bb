/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/cache_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- reading --- */

int tbus_journal_cache_open(int directory_fd, const char *name)
{
    int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

bool tbus_journal_cache_read(int fd, void *into, uint64_t bytes, uint64_t offset)
{
    uint64_t have = 0;
    while (have < bytes) {
        ssize_t got = pread(fd, (unsigned char *)into + have, bytes - have, (off_t)(offset + have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        have += (uint64_t)got;
    }
    return true;
}

/* --- writing --- */

/* Is `name` still the file that we have locked? Else somebody else has just renamed it. */
static bool is_named(int directory_fd, int fd, const char *name)
{
    struct stat named;
    struct stat ours;
    return fstatat(directory_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &ours) == 0 &&
           named.st_ino == ours.st_ino && named.st_dev == ours.st_dev;
}

/* Made by us, or left by somebody who was killed: then its lock is free. A descriptor, or
 * -errno. */
static int open_part(int directory_fd, const char *part)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd =
        openat(directory_fd, part, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0640);
    if (fd < 0)
        return -errno;
    int code =
        fcntl(fd, F_OFD_SETLK, &whole) < 0 || !is_named(directory_fd, fd, part) ? -EAGAIN : 0;
    if (code == 0 && ftruncate(fd, 0) < 0)
        code = -errno;
    if (code < 0)
        close(fd);
    return code < 0 ? code : fd;
}

int tbus_journal_cache_begin(int directory_fd, const char *name, tbus_journal_cache_file_t *out)
{
    tbus_journal_cache_file_t file = {.directory_fd = directory_fd};
    int length = snprintf(file.part, sizeof file.part, "%s.part", name);
    if (length < 0 || (size_t)length >= sizeof file.part)
        return -ENAMETOOLONG;
    snprintf(file.name, sizeof file.name, "%s", name);
    file.fd = open_part(directory_fd, file.part);
    if (file.fd < 0)
        return file.fd;
    *out = file;
    return 0;
}

int tbus_journal_cache_write(const tbus_journal_cache_file_t *file, const void *from,
                             uint64_t bytes, uint64_t offset)
{
    for (uint64_t done = 0; done < bytes;) {
        ssize_t put = pwrite(file->fd, (const unsigned char *)from + done, bytes - done,
                             (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -EIO;
        done += (uint64_t)put;
    }
    return 0;
}

int tbus_journal_cache_end(tbus_journal_cache_file_t *file, int code)
{
    if (code == 0 && renameat(file->directory_fd, file->part, file->directory_fd, file->name) < 0)
        code = -errno;
    if (code < 0)
        unlinkat(file->directory_fd, file->part, 0);
    close(file->fd); /* and with it goes the lock */
    file->fd = -1;
    return code;
}
