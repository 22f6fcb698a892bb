/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/control/members.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/run/attach.h"

#define FILE_BYTES_MAX 8192
#define FDS            "fds"
#define FDS_REHEARSES  "rehearses fds"

static void file_name(const char *name, const char *suffix, char out_path[64])
{
    snprintf(out_path, 64, TBUS_NAME_TEXT ".members%s", name, suffix);
}

int members_write(const tbus_rundir_t *dir, const char *name, const members_t *members,
                  tbus_error_t *err)
{
    char path[64], fresh[64];
    file_name(name, "", path);
    file_name(name, ".new", fresh);
    unlinkat(dir->fd, fresh, 0);
    int fd = openat(dir->fd, fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file)
        return tbus_fail(err, -errno, "%s/%s: %s", dir->path, fresh, tbus_strerror(-errno));
    fputs(members->rehearses ? FDS_REHEARSES : FDS, file);
    for (uint32_t i = 0; i < members->fds_count; i++)
        fprintf(file, " %d", members->fds[i]);
    fputc('\n', file);
    for (uint32_t i = 0; i < members->count; i++)
        fprintf(file, "%d %s\n", (int)members->list[i].pid, members->list[i].name);
    int failed = ferror(file);
    if (fclose(file) != 0 || failed || renameat(dir->fd, fresh, dir->fd, path) < 0) {
        int code = errno ? -errno : -EIO;
        unlinkat(dir->fd, fresh, 0);
        return tbus_fail(err, code, "%s/%s: %s", dir->path, path, tbus_strerror(code));
    }
    return 0;
}

void members_remove(const tbus_rundir_t *dir, const char *name)
{
    char path[64];
    file_name(name, "", path);
    unlinkat(dir->fd, path, 0);
}

/* "fds 7 8 9", "rehearses fds 7 8 9" */
static bool read_fds(const char *line, members_t *members)
{
    members->rehearses = strncmp(line, FDS_REHEARSES, strlen(FDS_REHEARSES)) == 0;
    const char *begins = members->rehearses ? FDS_REHEARSES : FDS;
    if (strncmp(line, begins, strlen(begins)) != 0)
        return false;
    char *end;
    for (const char *at = line + strlen(begins); *at == ' '; at = end) {
        long fd = strtol(at, &end, 10);
        if (end == at || fd < 0 || fd > 1 << 20 || members->fds_count == 1 + TBUS_TOPICS_MAX)
            return false;
        members->fds[members->fds_count++] = (int)fd;
    }
    return members->fds_count > 0;
}

/* "1234 feed+recorder" */
static bool read_member(const char *line, members_t *members)
{
    char *end;
    long pid = strtol(line, &end, 10);
    if (pid <= 0 || *end != ' ' || members->count == MEMBERS_MAX)
        return false;
    member_t *member = &members->list[members->count++];
    member->pid = (pid_t)pid;
    snprintf(member->name, sizeof member->name, "%s", end + 1);
    return true;
}

int members_read(const tbus_rundir_t *dir, const char *name, members_t *out_members,
                 tbus_error_t *err)
{
    char path[64], text[FILE_BYTES_MAX];
    file_name(name, "", path);
    int fd = openat(dir->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        return tbus_fail(err, -TBUS_ENOTFOUND, "no bus '%s' is running (looked in %s)", name,
                         dir->path);
    ssize_t bytes = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
                        ? read(fd, text, sizeof text - 1)
                        : -1;
    if (fd >= 0)
        close(fd);
    members_t members = {0};
    bool whole = bytes > 0;
    text[bytes > 0 ? bytes : 0] = 0;
    unsigned lines = 0;
    for (char *line = text, *end; whole && *line; line = end + 1, lines++) {
        end = strchr(line, '\n');
        whole = end != NULL;
        if (!whole)
            break;
        *end = 0;
        whole = lines == 0 ? read_fds(line, &members) : read_member(line, &members);
    }
    if (!whole || members.count == 0)
        return tbus_fail(err, -TBUS_ECORRUPT, "%s/%s is not what a supervisor writes", dir->path,
                         path);
    *out_members = members;
    return 0;
}

/* What descriptor `fd` of a process is: memory of this bus, whose name ends in the link with
 * `behind`: "/memfd:tickbus:NAME (deleted)", "/memfd:tickbus:NAME/TOPIC (deleted)". */
static bool has_memory(pid_t pid, int fd, const char *name, char behind)
{
    char path[64], target[128], wanted[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    ssize_t bytes = readlink(path, target, sizeof target - 1);
    target[bytes > 0 ? bytes : 0] = 0;
    snprintf(wanted, sizeof wanted, "/memfd:tickbus:" TBUS_NAME_TEXT "%c", name, behind);
    return strncmp(target, wanted, strlen(wanted)) == 0;
}

bool member_lives(const member_t *member, const members_t *members, const char *name)
{
    return has_memory(member->pid, members->fds[0], name, ' ');
}

/* Descriptor `index` of the bus, opened through whichever of them has it. A stage has closed those
 * of topics that it has no port on, and the number may stand for something else there. -errno: of
 * the last that could not be opened; -ENOENT: none has it. */
static int open_through(const members_t *members, uint32_t index, const char *name)
{
    int code = -ENOENT;
    for (uint32_t i = 0; i < members->count; i++) {
        char path[64];
        pid_t pid = members->list[i].pid;
        if (!has_memory(pid, members->fds[index], name, index == 0 ? ' ' : '/'))
            continue;
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, members->fds[index]);
        int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd >= 0)
            return fd;
        code = -errno;
    }
    return code;
}

bool members_any_lives(const members_t *members, const char *name)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (member_lives(&members->list[i], members, name))
            return true;
    return false;
}

/* "NAME.members" -> NAME */
static bool file_to_name(const char *file, char out_name[TBUS_NAME_MAX])
{
    const char *suffix = strrchr(file, '.');
    size_t length = suffix ? (size_t)(suffix - file) : 0;
    if (!length || length >= TBUS_NAME_MAX || strcmp(suffix, ".members") != 0)
        return false;
    memcpy(out_name, file, length);
    out_name[length] = 0;
    return true;
}

int members_only(const tbus_rundir_t *dir, char out_name[TBUS_NAME_MAX], tbus_error_t *err)
{
    int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list) {
        int code = -errno;
        if (fd >= 0)
            close(fd);
        return tbus_fail(err, code, "run directory %s: %s", dir->path, tbus_strerror(code));
    }
    unsigned found = 0;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        char name[TBUS_NAME_MAX];
        members_t members;
        if (file_to_name(entry->d_name, name) && members_read(dir, name, &members, NULL) == 0 &&
            members_any_lives(&members, name) && ++found == 1)
            memcpy(out_name, name, sizeof name);
    }
    closedir(list);
    if (found == 1)
        return 0;
    return tbus_fail(err, -TBUS_ENOTFOUND,
                     found ? "%u buses have processes; say which with --name" : "no bus is running",
                     found);
}

int members_attach(const members_t *members, const char *name, tbus_bus_t *out_bus,
                   tbus_error_t *err)
{
    int fds[1 + TBUS_TOPICS_MAX];
    fds[0] = open_through(members, 0, name);
    if (fds[0] == -ENOENT)
        return tbus_fail(err, -TBUS_ENOTFOUND, "no process of the bus '%s' lives any more", name);
    if (fds[0] < 0)
        return tbus_fail(err, fds[0], "memory of the bus '%s' cannot be opened: %s", name,
                         tbus_strerror(fds[0]));
    for (uint32_t i = 1; i < members->fds_count; i++) {
        fds[i] = open_through(members, i, name);
        if (fds[i] < 0)
            fds[i] = -1; /* those who had it have ended */
    }
    return tbus_bus_attach_as(true, fds, members->fds_count, out_bus, err);
}
