/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX  "busctl-ipc."
#define OBJECTS "objects"
#define TRIES   8

static const char *base_directory(void)
{
    const char *base = getenv("TMPDIR");
    return base && base[0] == '/' && strlen(base) < IPC_DIRECTORY_MAX / 2 ? base : "/tmp";
}

/* A lock of the process, which its children do not share: it is free the moment the run is dead,
 * whatever they are at. */
static bool lock(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_SETLK, &whole) == 0;
}

/* Unlink everything in a flat directory. The list goes last: should we be killed on the way, the
 * next run still finds it. */
static void empty_directory(int directory_fd)
{
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (!entries) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e = readdir(entries); e; e = readdir(entries))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            strcmp(e->d_name, OBJECTS) != 0)
            unlinkat(directory_fd, e->d_name, 0);
    closedir(entries);
    unlinkat(directory_fd, OBJECTS, 0);
}

static int remove_objects(int objects_fd, ipc_remover_t remove_object)
{
    struct stat status;
    if (fstat(objects_fd, &status) < 0 || !S_ISREG(status.st_mode))
        return 0; /* none that we have written */
    int fd = dup(objects_fd);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (!file) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    int removed = 0;
    char line[256];
    rewind(file);
    while (fgets(line, sizeof line, file)) {
        char *end = strchr(line, '\n');
        char *object = strchr(line, ' ');
        if (!end || !object)
            continue; /* killed while writing it: then the object was never made */
        *end = '\0';
        *object++ = '\0';
        removed += remove_object(line, object);
    }
    fclose(file);
    return removed;
}

/* One directory of a run. 1: it was a dead one and is gone; 0: it is none of our business. */
static int sweep_directory(int base_fd, const char *name, ipc_remover_t remove_object)
{
    int directory_fd = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory_fd < 0)
        return 0;
    struct stat status;
    int objects_fd = -1;
    int swept = 0;
    if (fstat(directory_fd, &status) == 0 && status.st_uid == geteuid()) {
        objects_fd =
            openat(directory_fd, OBJECTS, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (objects_fd < 0 || lock(objects_fd)) {
            if (objects_fd >= 0) {
                remove_objects(objects_fd, remove_object);
                empty_directory(directory_fd);
            }
            /* Without a list of objects it is empty: killed just after creating it, or just being
             * created; its owner copes. */
            swept = unlinkat(base_fd, name, AT_REMOVEDIR) == 0;
        }
    }
    if (objects_fd >= 0)
        close(objects_fd);
    close(directory_fd);
    return swept;
}

int ipc_leftovers_sweep(ipc_remover_t remove_object, tbus_error_t *err)
{
    const char *base = base_directory();
    DIR *entries = opendir(base);
    if (!entries)
        return tbus_fail(err, -errno, "cannot read %s to look for leftovers of killed runs: %s",
                         base, strerror(errno));
    int runs = 0;
    for (struct dirent *e = readdir(entries); e; e = readdir(entries))
        if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) == 0)
            runs += sweep_directory(dirfd(entries), e->d_name, remove_object);
    closedir(entries);
    return runs;
}

/* The directory and its locked list. -EAGAIN: somebody's sweep took it for a dead one before it was
 * locked. */
static int create(ipc_leftovers_t *l)
{
    snprintf(l->directory, sizeof l->directory, "%s/" PREFIX "XXXXXX", base_directory());
    if (!mkdtemp(l->directory))
        return -errno;
    char path[IPC_DIRECTORY_MAX + 16];
    snprintf(path, sizeof path, "%s/" OBJECTS, l->directory);
    l->objects_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (l->objects_fd < 0)
        return errno == ENOENT ? -EAGAIN : -errno;
    struct stat status;
    if (lock(l->objects_fd) && fstat(l->objects_fd, &status) == 0 && status.st_nlink == 1)
        return 0;
    close(l->objects_fd);
    return -EAGAIN;
}

int ipc_leftovers_open(ipc_leftovers_t *out_leftovers, tbus_error_t *err)
{
    ipc_leftovers_t l = {.objects_fd = -1};
    int code = -EAGAIN;
    for (int i = 0; i < TRIES && code == -EAGAIN; i++)
        code = create(&l);
    if (code < 0)
        return tbus_fail(err, code,
                         "cannot make a directory like %s: %s; set TMPDIR to one that is writable",
                         l.directory, strerror(-code));
    *out_leftovers = l;
    return 0;
}

int ipc_leftovers_record(ipc_leftovers_t *l, const char *mechanism, const char *object,
                         tbus_error_t *err)
{
    char line[256];
    int bytes = snprintf(line, sizeof line, "%s %s\n", mechanism, object);
    if (bytes < 0 || (size_t)bytes >= sizeof line)
        return tbus_fail(err, -ENAMETOOLONG, "%s: '%s' is too long a name", mechanism, object);
    /* One write: after kill -9 the line is there, whole, or it is not. */
    if (write(l->objects_fd, line, (size_t)bytes) != bytes)
        return tbus_fail(err, -errno, "cannot write to %s/" OBJECTS ": %s", l->directory,
                         strerror(errno));
    return 0;
}

bool ipc_leftovers_path(const ipc_leftovers_t *l, const char *name, char *out_path,
                        size_t path_bytes)
{
    int bytes = snprintf(out_path, path_bytes, "%s/%s", l->directory, name);
    return bytes > 0 && (size_t)bytes < path_bytes;
}

void ipc_leftovers_close(ipc_leftovers_t *l)
{
    if (!l->directory[0])
        return;
    int directory_fd = open(l->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory_fd >= 0) {
        empty_directory(directory_fd);
        close(directory_fd);
    }
    rmdir(l->directory);
    close(l->objects_fd);
    *l = (ipc_leftovers_t){.objects_fd = -1};
}
