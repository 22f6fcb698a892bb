/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/standing.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tickbus/msg/event.h>

#define BY_BYTES       16
#define FILE_BYTES_MAX (KILL_SWITCH_REASON_MAX + 96)
#define FILE_NAME_MAX  (TBUS_NAME_MAX + 1 + STANDING_LATCH_MAX)

static void file_name(const char *name, const char *latch, char out_file[FILE_NAME_MAX])
{
    snprintf(out_file, FILE_NAME_MAX, TBUS_NAME_TEXT ".%s", name, latch);
}

const char *standing_of_strategy(const char *section, char out_latch[STANDING_LATCH_MAX])
{
    snprintf(out_latch, STANDING_LATCH_MAX, STANDING_REDUCTION ".%s", section);
    return out_latch;
}

standing_t standing_of(const kill_switch_state_t *state)
{
    standing_t standing = {
        .time_ns = state->thrown_ns, .actor = {state->uid, state->pid, 0}, .by = state->by};
    snprintf(standing.reason, sizeof standing.reason, "%s", state->reason);
    return standing;
}

int standing_set(const tbus_rundir_t *dir, const char *name, const char *latch,
                 const standing_t *standing, tbus_error_t *err)
{
    char file[FILE_NAME_MAX], text[FILE_BYTES_MAX];
    file_name(name, latch, file);
    int length = snprintf(text, sizeof text, "%" PRIu64 " %u %u %s\n%s\n", standing->time_ns,
                          standing->actor.uid, standing->actor.pid, event_by_name(standing->by),
                          standing->reason);
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

kill_switch_actor_t standing_actor(const standing_t *standing)
{
    kill_switch_actor_t actor = standing->actor;
    actor.time_ns = standing->time_ns;
    return actor;
}

/* Behind the first line, if it is one of ours; else the beginning: all of it is the reason. */
static const char *read_first_line(const char *text, standing_t *out_standing)
{
    standing_t read = *out_standing;
    char by[BY_BYTES];
    int used = 0;
    if (sscanf(text, "%" SCNu64 " %" SCNu32 " %" SCNu32 "%n", &read.time_ns, &read.actor.uid,
               &read.actor.pid, &used) != 3)
        return text;
    const char *end = text + used + strcspn(text + used, "\n");
    int length = 0;
    bool named =
        sscanf(text + used, " %15[a-z]%n", by, &length) == 1 && text + used + length == end;
    if (!*end || !(named || end == text + used))
        return text;
    if (named && strcmp(by, event_by_name(EVENT_BY_LOSS)) == 0)
        read.by = KILL_BY_LOSS;
    *out_standing = read;
    return end + 1;
}

bool standing_look(const tbus_rundir_t *dir, const char *name, const char *latch,
                   standing_t *out_standing)
{
    char file[FILE_NAME_MAX], text[FILE_BYTES_MAX] = "";
    struct stat st;
    file_name(name, latch, file);
    bool there = fstatat(dir->fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there && errno == ENOENT)
        return false;
    /* Where it cannot be told, it holds as well. */
    bool regular = there && S_ISREG(st.st_mode);
    standing_t standing = {.actor.uid = there ? (uint32_t)st.st_uid : (uint32_t)geteuid(),
                           .by = KILL_BY_OPERATOR};
    int fd = regular
                 ? openat(dir->fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
                 : -1;
    ssize_t bytes = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[bytes > 0 ? bytes : 0] = 0;
    standing.unsaid = regular && bytes == 0;
    char line[FILE_BYTES_MAX];
    snprintf(line, sizeof line, "%s", read_first_line(text, &standing));
    line[strcspn(line, "\n")] = 0;
    (void)kill_switch_reason(line, standing.reason, sizeof standing.reason);
    if (!standing.reason[0])
        snprintf(standing.reason, sizeof standing.reason, "the file %s is there", file);
    *out_standing = standing;
    return true;
}

int standing_clear(const tbus_rundir_t *dir, const char *name, const char *latch, tbus_error_t *err)
{
    char file[FILE_NAME_MAX];
    file_name(name, latch, file);
    if (unlinkat(dir->fd, file, 0) < 0 && errno != ENOENT)
        return tbus_fail(err, -errno,
                         "%s/%s, which lets no order pass or only closing ones, cannot be "
                         "removed: %s",
                         dir->path, file, tbus_strerror(-errno));
    return 0;
}
