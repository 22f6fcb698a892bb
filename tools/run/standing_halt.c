/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/standing_halt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX (KILL_SWITCH_REASON_MAX + 64)

static void file_name(const char *name, char out_file[TBUS_NAME_MAX + 8])
{
    snprintf(out_file, TBUS_NAME_MAX + 8, TBUS_NAME_TEXT ".halt", name);
}

int standing_halt_set(const tbus_rundir_t *dir, const char *name, const standing_halt_t *halt,
                      tbus_error_t *err)
{
    char file[TBUS_NAME_MAX + 8], text[FILE_BYTES_MAX];
    file_name(name, file);
    int length = snprintf(text, sizeof text, "%" PRIu64 " %u %u\n%s\n", halt->time_ns,
                          halt->actor.uid, halt->actor.pid, halt->reason);
    int fd =
        openat(dir->fd, file,
               O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    /* From here on it counts, whatever becomes of the text. */
    if (fd < 0 || write(fd, text, (size_t)length) != length) {
        int code = errno ? -errno : -EIO;
        if (fd >= 0)
            close(fd);
        return tbus_fail(err, code, "%s/%s cannot be written: %s", dir->path, file,
                         tbus_strerror(code));
    }
    close(fd);
    return 0;
}

bool standing_halt_look(const tbus_rundir_t *dir, const char *name, standing_halt_t *out_halt)
{
    char file[TBUS_NAME_MAX + 8], text[FILE_BYTES_MAX] = "";
    struct stat st;
    file_name(name, file);
    bool there = fstatat(dir->fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there && errno == ENOENT)
        return false;
    /* Where it cannot be told, it halts as well. */
    standing_halt_t halt = {.actor.uid = there ? (uint32_t)st.st_uid : (uint32_t)geteuid()};
    int fd = there && S_ISREG(st.st_mode)
                 ? openat(dir->fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
                 : -1;
    ssize_t bytes = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[bytes > 0 ? bytes : 0] = 0;
    int reason_at = 0;
    if (sscanf(text, "%" SCNu64 " %" SCNu32 " %" SCNu32 "%n", &halt.time_ns, &halt.actor.uid,
               &halt.actor.pid, &reason_at) == 3 &&
        text[reason_at] == '\n')
        reason_at++;
    else
        reason_at = 0; /* by hand: all of it is the reason */
    text[reason_at + (int)strcspn(text + reason_at, "\n")] = 0;
    (void)kill_switch_reason(text + reason_at, halt.reason, sizeof halt.reason);
    if (!halt.reason[0])
        snprintf(halt.reason, sizeof halt.reason, "the file %s is there", file);
    *out_halt = halt;
    return true;
}

int standing_halt_clear(const tbus_rundir_t *dir, const char *name, tbus_error_t *err)
{
    char file[TBUS_NAME_MAX + 8];
    file_name(name, file);
    if (unlinkat(dir->fd, file, 0) < 0 && errno != ENOENT)
        return tbus_fail(err, -errno, "%s/%s, which halts, cannot be removed: %s", dir->path, file,
                         tbus_strerror(-errno));
    return 0;
}
