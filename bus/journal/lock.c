/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define WRITER_BYTE 0
#define READER_BYTE 1

static int lock_byte(const tbus_journal_directory_t *directory, int fd, const char *name,
                     tbus_error_t *err)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = WRITER_BYTE, .l_len = 1};
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    int code = -errno;
    return tbus_fail(err, code, "cannot lock %s in journal directory %s: %s", name, directory->path,
                     code == -EAGAIN ? "somebody else records there" : tbus_strerror(code));
}

int tbus_journal_lock_take(const tbus_journal_directory_t *directory, tbus_journal_lock_t *out_lock,
                           tbus_error_t *err)
{
    int fd = openat(directory->fd, TBUS_JOURNAL_LOCK_NAME,
                    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        int code = errno == EEXIST ? -TBUS_ENOTEMPTY : -errno;
        return tbus_fail(err, code, "cannot make %s in journal directory %s: %s; %s",
                         TBUS_JOURNAL_LOCK_NAME, directory->path, tbus_strerror(-errno),
                         tbus_journal_advice(-errno));
    }
    int code = lock_byte(directory, fd, TBUS_JOURNAL_LOCK_NAME, err);
    if (code < 0) {
        unlinkat(directory->fd, TBUS_JOURNAL_LOCK_NAME, 0);
        close(fd);
        return code;
    }
    *out_lock = (tbus_journal_lock_t){.fd = fd, .segment_fd = -1};
    return 0;
}

int tbus_journal_lock_segment(tbus_journal_lock_t *lock, const tbus_journal_directory_t *directory,
                              int fd, tbus_error_t *err)
{
    int code = lock_byte(directory, fd, "segment 00000001.tbj", err);
    if (code < 0)
        return code;
    lock->segment_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return lock->segment_fd < 0
               ? tbus_fail(err, -errno, "cannot keep the lock of journal directory %s: %s",
                           directory->path, tbus_strerror(-errno))
               : 0;
}

void tbus_journal_lock_leave_segment(tbus_journal_lock_t *lock)
{
    if (lock->segment_fd >= 0)
        close(lock->segment_fd);
    lock->segment_fd = -1;
}

void tbus_journal_lock_release(tbus_journal_lock_t *lock)
{
    tbus_journal_lock_leave_segment(lock);
    if (lock->fd >= 0)
        close(lock->fd);
    lock->fd = -1;
}

void tbus_journal_lock_destroy(tbus_journal_lock_t *lock, const tbus_journal_directory_t *directory)
{
    if (lock->fd >= 0)
        unlinkat(directory->fd, TBUS_JOURNAL_LOCK_NAME, 0);
    tbus_journal_lock_release(lock);
}

int tbus_journal_lock_open(const tbus_journal_directory_t *directory, uint32_t first)
{
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    tbus_journal_segment_name(first, name);
    int fd = openat(directory->fd, TBUS_JOURNAL_LOCK_NAME, flags);
    if (fd < 0)
        fd = openat(directory->fd, name, flags);
    return fd < 0 ? -errno : fd;
}

bool tbus_journal_lock_is_held(int fd)
{
    struct flock lock = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = WRITER_BYTE, .l_len = 1};
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static void set_reader_byte(int fd, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = READER_BYTE, .l_len = 1};
    (void)fcntl(fd, F_OFD_SETLK, &lock);
}

void tbus_journal_lock_read(int fd)
{
    set_reader_byte(fd, F_RDLCK);
}

void tbus_journal_lock_unread(int fd)
{
    set_reader_byte(fd, F_UNLCK);
}

bool tbus_journal_lock_reader_holds(const tbus_journal_directory_t *directory, const char *name)
{
    int fd = openat(directory->fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = READER_BYTE, .l_len = 1};
    bool holds = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (fd >= 0)
        close(fd);
    return holds;
}
