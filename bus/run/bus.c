/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/bus.h>
#include <tickbus/wait.h>

#include "bus/run/attach.h"
#include "bus/run/member.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

int tbus_draw_session_name(char out_name[16], tbus_error_t *err)
{
    uint64_t number;
    ssize_t got;
    if (!out_name)
        return tbus_fail(err, -EINVAL, "there is no room for the name of a session");
    do {
        got = getrandom(&number, sizeof number, 0);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof number)
        return tbus_fail(err, got < 0 ? -errno : -EIO, "cannot draw a random name for a session");
    memset(out_name, 0, 16);
    for (unsigned i = 0; i < TBUS_SESSION_NAME; i++, number /= 36)
        out_name[i] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number % 36];
    return 0;
}

int tbus_bus_create(const char *name, tbus_bus_t *out_bus, tbus_error_t *err)
{
    if (!name || !out_bus || !tbus_name_fits(name))
        return tbus_fail(err, -EINVAL, "bus name '%s' is empty or longer than %u", name ? name : "",
                         TBUS_NAME_MAX - 1);
    tbus_bus_t bus = {.life = -1, .wait_mode = TBUS_WAIT_PARK};
    char segment_name[64];
    char session_name[16];
    snprintf(segment_name, sizeof segment_name, "tickbus:%s", name);
    int code = tbus_draw_session_name(session_name, err);
    if (code < 0)
        return code;
    /* Counters and heartbeats are no payload: small pages do, and huge ones are left to the
     * rings. */
    code = tbus_segment_create(segment_name, sizeof(tbus_directory_t), TBUS_PAGES_SMALL, -1,
                               &bus.directory_segment, err);
    if (code < 0)
        return code;
    tbus_directory_t *d = (tbus_directory_t *)bus.directory_segment.base;
    d->protocol = TBUS_PROTOCOL;
    d->bytes = sizeof *d;
    d->layout = tbus_layout();
    d->epoch_ns = tbus_clock_ns();
    d->started_realtime_ns = tbus_clock_realtime_ns();
    memcpy(d->name, name, strlen(name));
    memcpy(d->session_name, session_name, sizeof d->session_name);
    d->supervisor_pid = (uint32_t)getpid();
    /* D1 pairs D2 (tbus_bus_attach): else the magic is seen before the header behind it. */
    tbus_store_release_u64(&d->magic, TBUS_BUS_MAGIC);
    bus.directory = d;
    *out_bus = bus;
    return 0;
}

int tbus_bus_add_topic(tbus_bus_t *bus, const tbus_ring_spec_t *spec, const char *type,
                       enum tbus_pages pages, int node, tbus_error_t *err)
{
    if (!bus || !bus->directory || !spec || bus->attached)
        return tbus_fail(err, -EINVAL, "a topic is added by whoever made the bus, with a spec");
    tbus_directory_t *d = bus->directory;
    uint32_t index = bus->topics_count;
    if (!tbus_name_fits(spec->name) || !tbus_name_fits(type))
        return tbus_fail(err, -EINVAL,
                         "topic '%.40s' of type '%.40s': a name is empty or longer than %u",
                         spec->name, type ? type : "", TBUS_NAME_MAX - 1);
    if (tbus_bus_topic_index(bus, spec->name) >= 0)
        return tbus_fail(err, -TBUS_EEXISTS, "topic '%s' is there already", spec->name);
    if (index == TBUS_TOPICS_MAX)
        return tbus_fail(err, -TBUS_EFULL, "topic '%s': a bus has at most %u topics", spec->name,
                         TBUS_TOPICS_MAX);
    size_t bytes = tbus_ring_footprint(spec);
    if (!bytes) /* format knows the words for what is wrong */
        return tbus_ring_format(NULL, 0, spec, err);

    char segment_name[64];
    snprintf(segment_name, sizeof segment_name, "tickbus:%s/%s", d->name, spec->name);
    tbus_segment_t *segment = &bus->topic_segments[index];
    int code = tbus_segment_create(segment_name, bytes, pages, node, segment, err);
    if (code == 0)
        code = tbus_ring_format(segment->base, segment->bytes, spec, err);
    if (code == 0)
        code = tbus_ring_join(segment->base, segment->bytes, true, &bus->rings[index], err);
    if (code < 0) {
        tbus_segment_close(segment);
        return code;
    }
    tbus_topic_t *topic = &d->topics[index];
    memcpy(topic->name, spec->name, TBUS_NAME_MAX - 1);
    memcpy(topic->type, type, strlen(type));
    topic->kind = spec->kind;
    topic->pages = segment->pages;
    topic->bytes = segment->bytes;
    d->topics_count = bus->topics_count = index + 1;
    return (int)index;
}

/* A child that the client forks has no business here: what it touches of the bus is not there. */
static void detach_children(const tbus_bus_t *bus)
{
    madvise(bus->directory_segment.base, bus->directory_segment.bytes, MADV_DONTFORK);
    for (uint32_t i = 0; i < bus->topics_count; i++)
        madvise(bus->topic_segments[i].base, bus->topic_segments[i].bytes, MADV_DONTFORK);
}

static bool is_writable(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) == O_RDWR;
}

int tbus_bus_attach_as(bool as_given, const int *fds, size_t fds_count, tbus_bus_t *out_bus,
                       tbus_error_t *err)
{
    tbus_bus_t bus = {.attached = true, .life = -1, .wait_mode = TBUS_WAIT_PARK};
    size_t mapped = 0;
    int code = -EINVAL;
    if (!fds || !out_bus)
        return tbus_fail(err, -EINVAL, "attach: no descriptors, or nowhere to put the bus");
    if (fds_count < 1 || fds_count > 1 + TBUS_TOPICS_MAX) {
        code = tbus_fail(err, -EINVAL,
                         "attach: %zu descriptors; a bus has a directory and at most %u topics",
                         fds_count, TBUS_TOPICS_MAX);
        goto fail;
    }
    bool writable = as_given && is_writable(fds[0]);
    code = tbus_segment_map(fds[mapped++], writable, &bus.directory_segment, err);
    if (code < 0)
        goto fail;
    tbus_directory_t *d = (tbus_directory_t *)bus.directory_segment.base;
    /* D2 pairs D1 (tbus_bus_create) */
    if (bus.directory_segment.bytes < sizeof *d ||
        tbus_load_acquire_u64(&d->magic) != TBUS_BUS_MAGIC) {
        code = tbus_fail(err, -TBUS_EMAGIC, "attach: the first descriptor is no bus directory");
        goto fail;
    }
    if (d->protocol != TBUS_PROTOCOL || d->bytes != sizeof *d) {
        code = tbus_fail(
            err, -TBUS_EABI,
            "attach: the bus was started by another version of tickbus; use the same version");
        goto fail;
    }
    if (d->layout != tbus_layout()) {
        code = tbus_fail(err, -TBUS_EBUILD,
                         "attach: the bus was started by another build of tickbus, with another "
                         "layout of shared memory (%016llx, ours %016llx); use the same version",
                         (unsigned long long)d->layout, (unsigned long long)tbus_layout());
        goto fail;
    }
    bus.directory = d;
    bus.topics_count = (uint32_t)fds_count - 1; /* from here on nobody can change it */
    if (d->topics_count != bus.topics_count) {
        code = tbus_fail(err, -TBUS_EGEOMETRY,
                         "attach: the bus has another number of topics than the %u handed over",
                         bus.topics_count);
        goto fail;
    }
    for (size_t i = 0; mapped < fds_count; i++) {
        if (as_given && fds[mapped] < 0) {
            bus.topic_segments[i].fd = fds[mapped++];
            continue;
        }
        writable = as_given && is_writable(fds[mapped]);
        code = tbus_segment_map(fds[mapped++], writable, &bus.topic_segments[i], err);
        if (code == 0)
            code = tbus_ring_join(bus.topic_segments[i].base, bus.topic_segments[i].bytes, writable,
                                  &bus.rings[i], err);
        if (code < 0)
            goto fail;
    }
    detach_children(&bus);
    bus.pid = (uint32_t)getpid();
    *out_bus = bus;
    return 0;
fail:
    for (; mapped < fds_count; mapped++)
        if (fds[mapped] >= 0)
            close(fds[mapped]);
    tbus_bus_close(&bus);
    return code;
}

int tbus_bus_attach(const int *fds, size_t fds_count, tbus_bus_t *out_bus, tbus_error_t *err)
{
    return tbus_bus_attach_as(false, fds, fds_count, out_bus, err);
}

void tbus_bus_close(tbus_bus_t *bus)
{
    if (!bus)
        return;
    tbus_bus_leave(bus);
    for (unsigned i = 0; i < TBUS_TOPICS_MAX; i++)
        tbus_segment_close(&bus->topic_segments[i]);
    tbus_segment_close(&bus->directory_segment);
    *bus = (tbus_bus_t){0};
}

int tbus_bus_topic_index(const tbus_bus_t *bus, const char *topic)
{
    for (uint32_t i = 0; bus && bus->directory && topic && i < bus->topics_count; i++)
        if (!strncmp(bus->directory->topics[i].name, topic, TBUS_NAME_MAX))
            return (int)i;
    return -TBUS_ENOTFOUND;
}

tbus_ring_t *tbus_bus_ring(tbus_bus_t *bus, const char *topic)
{
    int index = tbus_bus_topic_index(bus, topic);
    return index < 0 || !bus->rings[index].shared ? NULL : &bus->rings[index];
}
