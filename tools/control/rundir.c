/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/control/rundir.h"
#include "tools/show/outcome.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOCK_SUFFIX ".lock"
#define FILE_MAX    (TBUS_NAME_MAX + sizeof LOCK_SUFFIX)
#define BACKLOG     16

static void file_name(const char *name, const char *suffix, char out_file[FILE_MAX])
{
    snprintf(out_file, FILE_MAX, "%.*s%s", (int)TBUS_NAME_MAX - 1, name, suffix);
}

/* A pipe would hold us up, and a device might do anything. */
static bool is_file(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* An open file description lock: dropped by the kernel when its holder dies, and asked about
 * without taking it. */
static struct flock whole_file(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

static pid_t read_pid(int fd)
{
    char text[16] = "";
    ssize_t bytes = pread(fd, text, sizeof text - 1, 0);
    return bytes > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

/* Whoever held the lock may have removed the file between our open and our lock: then we hold
 * nothing that anybody else would find. */
static bool still_there(const tbus_rundir_t *dir, const char *file, int fd)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 && fstatat(dir->fd, file, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

int rundir_lock(const tbus_rundir_t *dir, const char *name, tbus_error_t *err)
{
    char file[FILE_MAX];
    file_name(name, LOCK_SUFFIX, file);
    for (;;) {
        int fd = openat(dir->fd, file,
                        O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
        if (fd < 0)
            return tbus_fail(err, -errno, "%s/%s: %s", dir->path, file, tbus_strerror(-errno));
        if (!is_file(fd)) {
            close(fd);
            return tbus_fail(err, -EINVAL, "%s/%s is no regular file; remove it", dir->path, file);
        }
        struct flock lock = whole_file(F_WRLCK);
        if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
            int code = errno == EAGAIN || errno == EACCES ? -TBUS_EEXISTS : -errno;
            int pid = (int)read_pid(fd);
            close(fd);
            if (code != -TBUS_EEXISTS)
                return tbus_fail(err, code, "%s/%s: %s", dir->path, file, tbus_strerror(code));
            return tbus_fail(err, code,
                             "a bus '%s' is running already (process %d); stop it with `%s stop "
                             "--name %s`, or start this one under another --name",
                             name, pid, outcome_program(), name);
        }
        if (!still_there(dir, file, fd)) {
            close(fd);
            continue;
        }
        char text[16];
        int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
        if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length) {
            int code = errno ? -errno : -EIO;
            close(fd);
            return tbus_fail(err, code, "%s/%s: cannot write: %s", dir->path, file,
                             tbus_strerror(code));
        }
        return fd;
    }
}

void rundir_unlock(const tbus_rundir_t *dir, const char *name, int lock_fd)
{
    char file[FILE_MAX];
    file_name(name, TBUS_SOCKET_SUFFIX, file);
    unlinkat(dir->fd, file, 0);
    file_name(name, LOCK_SUFFIX, file);
    unlinkat(dir->fd, file, 0);
    close(lock_fd);
}

bool rundir_is_live(const tbus_rundir_t *dir, const char *name, pid_t *out_pid)
{
    char file[FILE_MAX];
    file_name(name, LOCK_SUFFIX, file);
    int fd = openat(dir->fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    struct flock lock = whole_file(F_RDLCK);
    bool live = is_file(fd) && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (live && out_pid)
        *out_pid = read_pid(fd);
    close(fd);
    return live;
}

int rundir_listen(const tbus_rundir_t *dir, const char *name, tbus_error_t *err)
{
    struct sockaddr_un address;
    tbus_rundir_address(dir, name, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return tbus_fail(err, -errno, "no control socket: %s", tbus_strerror(-errno));
    unlink(address.sun_path);
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, BACKLOG) < 0) {
        int code = -errno;
        close(fd);
        return tbus_fail(err, code, "control socket %s/%s%s: %s", dir->path, name,
                         TBUS_SOCKET_SUFFIX, tbus_strerror(code));
    }
    return fd;
}

/* "NAME.lock" -> NAME */
static bool lock_file_name(const char *file, char out_name[TBUS_NAME_MAX])
{
    size_t length = strlen(file);
    size_t suffix = sizeof LOCK_SUFFIX - 1;
    if (length <= suffix || length - suffix >= TBUS_NAME_MAX ||
        strcmp(file + length - suffix, LOCK_SUFFIX) != 0)
        return false;
    memcpy(out_name, file, length - suffix);
    out_name[length - suffix] = 0;
    return true;
}

int rundir_only(const tbus_rundir_t *dir, char out_name[TBUS_NAME_MAX], tbus_error_t *err)
{
    int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list) {
        if (fd >= 0)
            close(fd);
        return tbus_fail(err, -errno, "run directory %s: %s", dir->path, tbus_strerror(-errno));
    }
    unsigned found = 0;
    char names[300] = "";
    size_t used = 0;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        char name[TBUS_NAME_MAX];
        if (!lock_file_name(entry->d_name, name) || !rundir_is_live(dir, name, NULL))
            continue;
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", found ? ", " : "",
                                     name);
        if (++found == 1)
            memcpy(out_name, name, sizeof name);
    }
    closedir(list);
    if (found == 1)
        return 0;
    if (!found)
        return tbus_fail(err, -TBUS_ENOTFOUND, "no bus is running (looked in %s)", dir->path);
    return tbus_fail(err, -TBUS_ENOTFOUND, "%u buses are running: %s; say which with --name", found,
                     names);
}
