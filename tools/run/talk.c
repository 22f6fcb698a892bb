/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/talk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>

#define SHORT_WRITE                                                                                \
    512u /* what a pipe or a terminal takes at once when poll says that it takes any */

void talk_open(talk_t *talk)
{
    struct stat st;
    memset(talk, 0, sizeof *talk);
    talk->fd = -1;
    if (fstat(STDERR_FILENO, &st) < 0)
        return;
    talk->is_file = S_ISREG(st.st_mode);
    if (!talk->is_file)
        talk->fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    talk->own = talk->fd >= 0;
    talk->may_block = !talk->own;
    if (!talk->own)
        talk->fd = STDERR_FILENO;
}

static bool takes_some(const talk_t *talk)
{
    struct pollfd out = {.fd = talk->fd, .events = POLLOUT};
    return poll(&out, 1, 0) > 0 && (out.revents & POLLOUT);
}

/* Bytes that went out; 0: nothing goes now; negative: nothing will any more. */
static ssize_t write_some(const talk_t *talk, const char *bytes, size_t count)
{
    if (talk->may_block && !talk->is_file) {
        ssize_t sent = send(talk->fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0)
            return sent;
        if (errno != ENOTSOCK)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (!takes_some(talk))
            return 0;
        count = count < SHORT_WRITE ? count : SHORT_WRITE;
    }
    ssize_t written = write(talk->fd, bytes, count);
    if (written >= 0)
        return written;
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

void talk_flush(talk_t *talk)
{
    while (talk->used) {
        uint32_t at = talk->first % TALK_BYTES_MAX;
        uint32_t count = talk->used < TALK_BYTES_MAX - at ? talk->used : TALK_BYTES_MAX - at;
        ssize_t gone = write_some(talk, talk->queue + at, count);
        if (gone == 0)
            return;
        /* Nobody will ever read it (EPIPE, EIO of a terminal that hung up): it is said to
         * nobody. */
        uint32_t taken = gone < 0 ? talk->used : (uint32_t)gone;
        talk->first += taken;
        talk->used -= taken;
    }
}

bool talk_text(talk_t *talk, const char *text, size_t bytes)
{
    if (bytes > TALK_BYTES_MAX - talk->used)
        talk_flush(talk);
    if (talk->fd < 0 || bytes > TALK_BYTES_MAX - talk->used)
        return false;
    for (size_t i = 0; i < bytes;) {
        uint32_t at = (talk->first + talk->used) % TALK_BYTES_MAX;
        size_t run = TALK_BYTES_MAX - at < bytes - i ? TALK_BYTES_MAX - at : bytes - i;
        memcpy(talk->queue + at, text + i, run);
        talk->used += (uint32_t)run;
        i += run;
    }
    talk_flush(talk);
    return true;
}

static size_t put_time(char *out_text, size_t bytes)
{
    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    return (size_t)snprintf(out_text, bytes, "%02d:%02d:%02d.%03d ", local.tm_hour, local.tm_min,
                            local.tm_sec, (int)(now.tv_nsec / 1000000));
}

static void tell_dropped(talk_t *talk)
{
    char text[96];
    int bytes = snprintf(text, sizeof text, "(%llu lines were dropped: nobody took them)\n",
                         (unsigned long long)talk->dropped);
    if (talk->dropped && talk_text(talk, text, (size_t)bytes))
        talk->dropped = 0;
}

void talk_line(talk_t *talk, bool time, const char *format, ...)
{
    char line[TALK_LINE_MAX];
    size_t used = time ? put_time(line, sizeof line) : 0;
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(line + used, sizeof line - used - 1, format, arguments);
    va_end(arguments);
    used += bytes < 0 ? 0 : (size_t)bytes;
    if (used > sizeof line - 2)
        used = sizeof line - 2;
    line[used++] = '\n';
    tell_dropped(talk);
    if (talk->dropped || !talk_text(talk, line, used)) {
        talk->dropped++;
        talk->dropped_ever++;
    }
}

void talk_close(talk_t *talk)
{
    uint64_t until_ns = tbus_clock_ns() + TALK_LINGER_NS;
    tell_dropped(talk);
    for (talk_flush(talk); talk->used && tbus_clock_ns() < until_ns; talk_flush(talk))
        poll(&(struct pollfd){.fd = talk->fd, .events = POLLOUT}, 1, 20);
    if (talk->own)
        close(talk->fd);
    talk->fd = -1;
}
