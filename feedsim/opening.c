/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/opening.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "feedsim/itch/itch.h"

static int read_all(int fd, void *into, size_t bytes)
{
    size_t have = 0;
    while (have < bytes) {
        ssize_t got = pread(fd, (unsigned char *)into + have, bytes - have, (off_t)have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -TBUS_ETRUNCATED;
        have += (size_t)got;
    }
    return 0;
}

static int read_open(int fd, const char *path, feed_opening_t *o, tbus_error_t *err)
{
    struct stat is;
    if (fstat(fd, &is) < 0)
        return tbus_fail(err, -errno, "cannot read %s: %s", path, tbus_strerror(-errno));
    if (!S_ISREG(is.st_mode) || is.st_size % (off_t)sizeof(tick_t) != 0)
        return tbus_fail(err, -TBUS_EFORMAT, "%s is no file of ticks (feed.opening)", path);
    o->bytes = (size_t)is.st_size;
    o->count = o->bytes / sizeof(tick_t);
    if (o->count == 0)
        return 0;
    o->ticks = mmap(NULL, o->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (o->ticks == MAP_FAILED) {
        o->ticks = NULL;
        return tbus_fail(err, -ENOMEM, "no memory for the %" PRIu64 " ticks of %s", o->count, path);
    }
    int code = read_all(fd, o->ticks, o->bytes);
    if (code < 0)
        return tbus_fail(err, code, "cannot read %s: %s", path, tbus_strerror(code));
    for (uint64_t i = 0; i < o->count; i++) {
        tick_t *tick = &o->ticks[i];
        if (!itch_tick_valid(tick, sizeof *tick))
            return tbus_fail(err, -TBUS_EFORMAT, "tick %" PRIu64 " of %s is none (feed.opening)", i,
                             path);
        tick->intended = tick_pack(0, tick_locate(tick));
    }
    return 0;
}

int feed_opening_read(const char *path, feed_opening_t *out_opening, tbus_error_t *err)
{
    feed_opening_t o = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return tbus_fail(err, -errno, "cannot open %s (feed.opening): %s", path,
                         tbus_strerror(-errno));
    int code = read_open(fd, path, &o, err);
    close(fd);
    if (code < 0)
        feed_opening_clear(&o);
    else
        *out_opening = o;
    return code;
}

void feed_opening_clear(feed_opening_t *o)
{
    if (o->ticks)
        munmap(o->ticks, o->bytes);
    *o = (feed_opening_t){0};
}
