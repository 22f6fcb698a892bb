/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "feedsim/itch/binaryfile.h"
#include "feedsim/itch/itch.h"

typedef struct source_itch {
    feed_source_t base;
    binaryfile_t *file;
    uint64_t last_event_ns;
    bool mark_told;
} source_itch_t;

/* The end of the file: first, once, as a mark if it was marked. */
static int end(source_itch_t *s, tick_t *buffer, size_t *out_bytes)
{
    if (s->mark_told || !binaryfile_end_marked(s->file))
        return FEED_SOURCE_END;
    s->mark_told = true;
    s->base.time_ns = FEED_TIME_NONE;
    feed_source_count_mark(&s->base, TICK_END_MARK);
    itch_end_mark(s->last_event_ns, buffer, out_bytes);
    return FEED_SOURCE_TICK;
}

static int next(feed_source_t *self, tick_t *buffer, size_t *out_bytes)
{
    source_itch_t *s = (source_itch_t *)self;
    if (__builtin_expect(self->error.code != 0, 0))
        return self->error.code;
    const uint8_t *message;
    size_t bytes;
    int rc = binaryfile_next(s->file, &message, &bytes, &self->error);
    if (__builtin_expect(rc != BINARYFILE_MESSAGE, 0)) {
        if (rc == BINARYFILE_LATER)
            return FEED_SOURCE_LATER;
        return rc == BINARYFILE_END ? end(s, buffer, out_bytes) : rc;
    }
    if (__builtin_expect(itch_decode(message, bytes, buffer, out_bytes) != 0, 0))
        return binaryfile_refuse_length(s->file, message, bytes, &self->error);
    feed_source_count(self, message[0], bytes);
    if (__builtin_expect(buffer->type == TICK_RUNT, 0)) {
        self->time_ns = FEED_TIME_NONE;
    } else {
        self->time_ns = tick_event_ns(buffer);
        s->last_event_ns = self->time_ns;
    }
    return FEED_SOURCE_TICK;
}

static uint32_t next_batch(feed_source_t *self, tick_t *ticks, uint32_t count,
                           uint64_t *out_message_bytes)
{
    source_itch_t *s = (source_itch_t *)self;
    binaryfile_head_t head = binaryfile_head(s->file);
    const uint8_t *message;
    uint64_t message_bytes = 0;
    uint32_t done;
    for (done = 0; done < count; done++) {
        size_t bytes = binaryfile_peek(&head, &message);
        if (__builtin_expect(bytes == 0 || !itch_decode_known(message, bytes, &ticks[done]), 0))
            break;
        binaryfile_pass(&head, bytes);
        message_bytes += bytes;
    }
    if (done == 0)
        return 0;
    binaryfile_set_head(s->file, &head);
    feed_source_count_batch(self, &ticks[done - 1], done);
    s->last_event_ns = self->time_ns;
    *out_message_bytes = message_bytes;
    return done;
}

static void close_itch(feed_source_t *self)
{
    source_itch_t *s = (source_itch_t *)self;
    binaryfile_close(s->file);
    free(s);
}

static void progress(const feed_source_t *self, uint64_t *out_done, uint64_t *out_total)
{
    binaryfile_progress(((const source_itch_t *)self)->file, out_done, out_total);
}

static const feed_source_ops_t ops = {
    .next = next, .next_batch = next_batch, .progress = progress, .close = close_itch};

int feed_source_open_itch(const char *path, feed_source_t **out_source, tbus_error_t *err)
{
    source_itch_t *s = calloc(1, sizeof *s);
    if (!s)
        return tbus_fail(err, -ENOMEM, "no memory to read %s", path);
    s->base.ops = &ops;
    s->base.daily = true;
    int rc = binaryfile_open(path, BINARYFILE_ITCH, &s->file, err);
    if (rc != 0) {
        close_itch(&s->base);
        return rc;
    }
    *out_source = &s->base;
    return 0;
}
