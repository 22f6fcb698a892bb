/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/run/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define CONNECT_S 5

static void choose_path(char *out_path, size_t bytes)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime && runtime[0] == '/')
        snprintf(out_path, bytes, "%s/tickbus", runtime);
    else if (geteuid() == 0)
        snprintf(out_path, bytes, "/run/tickbus");
    else
        snprintf(out_path, bytes, "/tmp/tickbus-%u", (unsigned)geteuid());
}

/* Ours and nobody else's: in /tmp anybody may have put something under this name first. */
static int check_directory(int fd, const char *path, tbus_error_t *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return tbus_fail(err, -errno, "run directory %s: %s", path, tbus_strerror(-errno));
    if (st.st_uid != geteuid())
        return tbus_fail(err, -EPERM,
                         "run directory %s belongs to user %u, not to us; set XDG_RUNTIME_DIR to a "
                         "directory of your own",
                         path, (unsigned)st.st_uid);
    if (st.st_mode & 077)
        return tbus_fail(err, -EPERM, "run directory %s is open to others; mend with: chmod 700 %s",
                         path, path);
    return 0;
}

int tbus_rundir_open(bool create, tbus_rundir_t *out_dir, tbus_error_t *err)
{
    tbus_rundir_t dir;
    choose_path(dir.path, sizeof dir.path);
    if (strlen(dir.path) >= sizeof dir.path - 1)
        return tbus_fail(err, -ENAMETOOLONG, "run directory %.60s...: the path is too long",
                         dir.path);
    if (create && mkdir(dir.path, 0700) < 0 && errno != EEXIST)
        return tbus_fail(err, -errno, "cannot make the run directory %s: %s; set XDG_RUNTIME_DIR",
                         dir.path, tbus_strerror(-errno));
    dir.fd = open(dir.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir.fd < 0)
        return tbus_fail(err, -errno, "run directory %s: %s", dir.path,
                         errno == ELOOP || errno == ENOTDIR ? "not a directory, or a symbolic link"
                                                            : tbus_strerror(-errno));
    int code = check_directory(dir.fd, dir.path, err);
    if (code < 0) {
        close(dir.fd);
        return code;
    }
    *out_dir = dir;
    return 0;
}

void tbus_rundir_close(tbus_rundir_t *dir)
{
    close(dir->fd);
    dir->fd = -1;
}

void tbus_rundir_address(const tbus_rundir_t *dir, const char *name,
                         struct sockaddr_un *out_address)
{
    *out_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(out_address->sun_path, sizeof out_address->sun_path,
             "/proc/self/fd/%d/" TBUS_NAME_TEXT TBUS_SOCKET_SUFFIX, dir->fd, name);
}

int tbus_rundir_connect(const tbus_rundir_t *dir, const char *name, tbus_error_t *err)
{
    struct sockaddr_un address;
    tbus_rundir_address(dir, name, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return tbus_fail(err, -errno, "no control socket: %s", tbus_strerror(-errno));
    /* A supervisor that is stopped takes nobody in: do not wait for it for ever. */
    struct timeval patience = {.tv_sec = CONNECT_S};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int code = errno == ENOENT || errno == ECONNREFUSED ? -TBUS_ENOTFOUND : -errno;
    close(fd);
    if (code == -TBUS_ENOTFOUND && access("/proc/self/fd", X_OK) < 0)
        return tbus_fail(err, -ENOENT,
                         "bus '%s': sockets in %s are reached through /proc/self/fd, and /proc is "
                         "not mounted here (mount -t proc proc /proc)",
                         name, dir->path);
    if (code == -TBUS_ENOTFOUND)
        return tbus_fail(err, code, "no bus '%s' is running (looked in %s)", name, dir->path);
    return tbus_fail(err, code, "bus '%s': cannot connect to %s/%s%s: %s", name, dir->path, name,
                     TBUS_SOCKET_SUFFIX, tbus_strerror(code));
}
