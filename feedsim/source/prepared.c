/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/prepared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <tickbus/atomic.h>

#define MORE_BYTES ((uint64_t)64 << 20)

typedef struct record {
    uint64_t time_ns;
    uint64_t seq;
    uint32_t bytes;
    uint32_t message_bytes;
    uint8_t type;
    uint8_t warm_up;
    uint8_t is_mark;
    uint8_t pad[5];
} record_t;

_Static_assert(sizeof(record_t) + sizeof(tick_t) == FEED_PREPARED_BYTES, "as said");

typedef struct prepared {
    feed_source_t base;
    feed_source_t *inner; /* owned */
    unsigned char *store; /* owned; NULL: nothing was prepared */
    uint64_t room;        /* bytes */
    uint64_t used;
    uint64_t at;
    int ended; /* what the source said when it was last asked */
    uint64_t unprepared;
} prepared_t;

static uint64_t record_bytes(size_t tick_bytes)
{
    return sizeof(record_t) + (tick_bytes + 7) / 8 * 8;
}

/* What the last tick handed out was; the inner source has gone on to others meanwhile. */
static int next_stored(prepared_t *p, tick_t *buffer, size_t *out_bytes)
{
    record_t record;
    memcpy(&record, p->store + p->at, sizeof record);
    memcpy(buffer, p->store + p->at + sizeof record, record.bytes);
    p->at += record_bytes(record.bytes);
    *out_bytes = record.bytes;
    p->base.time_ns = record.time_ns;
    p->base.seq = record.seq;
    p->base.warm_up = record.warm_up;
    p->base.tick_type = record.type;
    p->base.tick_message_bytes = record.message_bytes;
    p->base.tick_is_mark = record.is_mark;
    p->base.messages += !record.is_mark;
    return FEED_SOURCE_TICK;
}

static void copy_remarks(prepared_t *p)
{
    const feed_source_ops_t *ops = p->base.ops;
    p->base = *p->inner;
    p->base.ops = ops;
}

static int next(feed_source_t *self, tick_t *buffer, size_t *out_bytes)
{
    prepared_t *p = (prepared_t *)self;
    if (TBUS_LIKELY(p->at != p->used))
        return next_stored(p, buffer, out_bytes);
    int rc = p->ended;
    if (rc == FEED_SOURCE_TICK || rc == FEED_SOURCE_LATER)
        rc = feed_source_next(p->inner, buffer, out_bytes);
    copy_remarks(p);
    p->unprepared += rc == FEED_SOURCE_TICK;
    return rc;
}

static void progress(const feed_source_t *self, uint64_t *out_done, uint64_t *out_total)
{
    const prepared_t *p = (const prepared_t *)self;
    feed_source_progress(p->inner, out_done, out_total);
    if (p->used != 0 && p->at != p->used)
        *out_done = (uint64_t)((double)*out_done * ((double)p->at / (double)p->used));
}

static void close_prepared(feed_source_t *self)
{
    prepared_t *p = (prepared_t *)self;
    if (p->store)
        munmap(p->store, p->room);
    feed_source_close(p->inner);
    free(p);
}

static void wait_for_more(feed_source_t *self, uint64_t until_ns)
{
    feed_source_wait(((prepared_t *)self)->inner, until_ns);
}

static const feed_source_counter_t *counters(const feed_source_t *self, uint32_t *out_count)
{
    return feed_source_counters(((const prepared_t *)self)->inner, out_count);
}

#define OPS .next = next, .progress = progress, .counters = counters, .close = close_prepared
static const feed_source_ops_t ops = {OPS};
static const feed_source_ops_t ops_that_wake = {OPS, .wait = wait_for_more};

/* False: no memory. */
static bool make_room(prepared_t *p, uint64_t bytes)
{
    if (p->used + bytes <= p->room)
        return true;
    void *store = p->store ? mremap(p->store, p->room, p->room + MORE_BYTES, MREMAP_MAYMOVE)
                           : mmap(NULL, MORE_BYTES, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (store == MAP_FAILED)
        return false;
    (void)madvise(store, p->room + MORE_BYTES, MADV_HUGEPAGE); /* as it can */
    p->store = store;
    p->room += MORE_BYTES;
    return true;
}

/* The tick that the source has just put into `tick`. False: no memory. */
static bool store(prepared_t *p, const tick_t *tick, size_t bytes)
{
    record_t record = {.time_ns = p->inner->time_ns,
                       .seq = p->inner->seq,
                       .bytes = (uint32_t)bytes,
                       .message_bytes = p->inner->tick_message_bytes,
                       .type = p->inner->tick_type,
                       .is_mark = p->inner->tick_is_mark,
                       .warm_up = p->inner->warm_up};
    if (!make_room(p, record_bytes(bytes)))
        return false;
    memcpy(p->store + p->used, &record, sizeof record);
    memcpy(p->store + p->used + sizeof record, tick, bytes);
    p->used += record_bytes(bytes);
    return true;
}

static int read_ahead(prepared_t *p, uint64_t count, tbus_error_t *err)
{
    size_t bytes;
    tick_t *tick = aligned_alloc(64, (TICK_LEN_MAX + 63) / 64 * 64);
    bool room = tick != NULL;
    p->ended = FEED_SOURCE_TICK;
    for (uint64_t i = 0; room && i < count && p->ended == FEED_SOURCE_TICK; i++) {
        p->ended = feed_source_next(p->inner, tick, &bytes);
        room = p->ended != FEED_SOURCE_TICK || store(p, tick, bytes);
    }
    free(tick);
    return room ? 0
                : tbus_fail(err, -ENOMEM,
                            "no memory for %llu messages that are to be ready beforehand; lower "
                            "feed.prepare",
                            (unsigned long long)count);
}

int feed_source_prepare(feed_source_t *source, uint64_t count, feed_source_t **out_source,
                        tbus_error_t *err)
{
    prepared_t *p = calloc(1, sizeof *p);
    if (!p) {
        feed_source_close(source);
        return tbus_fail(err, -ENOMEM, "no memory for a source");
    }
    p->inner = source;
    p->base.ops = feed_source_wakes(source) ? &ops_that_wake : &ops;
    p->base.daily = source->daily;
    int rc = read_ahead(p, count, err);
    if (rc != 0) {
        close_prepared(&p->base);
        return rc;
    }
    *out_source = &p->base;
    return 0;
}

uint64_t feed_source_unprepared(const feed_source_t *source)
{
    return source->ops == &ops || source->ops == &ops_that_wake
               ? ((const prepared_t *)source)->unprepared
               : 0;
}
