/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/control/orphans.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES_MAX 16384u

static void file_name(const char *bus_name, char out_path[64])
{
    snprintf(out_path, 64, TBUS_NAME_TEXT ".orphans", bus_name);
}

void orphans_note(const char *bus_name, const char *text)
{
    char path[64], line[512];
    struct timespec now;
    struct tm parts;
    tbus_rundir_t dir;
    if (tbus_rundir_open(false, &dir, NULL) < 0)
        return;
    file_name(bus_name, path);
    int fd = openat(dir.fd, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    clock_gettime(CLOCK_REALTIME, &now);
    if (fd >= 0 && gmtime_r(&now.tv_sec, &parts)) {
        size_t used = strftime(line, sizeof line, "%Y-%m-%d %H:%M:%S", &parts);
        int more = snprintf(line + used, sizeof line - used, ".%03ld UTC: %s",
                            now.tv_nsec / 1000000, text);
        used = used + (size_t)more < sizeof line - 1 ? used + (size_t)more : sizeof line - 1;
        line[used++] = '\n';
        ssize_t put = write(fd, line, used);
        (void)put;
    }
    if (fd >= 0)
        close(fd);
    tbus_rundir_close(&dir);
}

void orphans_take(const tbus_rundir_t *dir, const char *bus_name,
                  void (*line)(void *context, const char *text), void *context)
{
    char path[64], text[FILE_BYTES_MAX + 1];
    struct stat st;
    file_name(bus_name, path);
    int fd = openat(dir->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    ssize_t bytes = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, text, FILE_BYTES_MAX) : 0;
    close(fd);
    unlinkat(dir->fd, path, 0);
    text[bytes > 0 ? bytes : 0] = 0;
    for (char *at = text, *end; *at; at = end) {
        end = strchrnul(at, '\n');
        bool last = *end == 0;
        *end = 0;
        if (end > at)
            line(context, at);
        end += !last;
    }
}
