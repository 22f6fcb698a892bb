/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/books_at.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <tickbus/journal.h>

#include "bus/journal/directory.h"
#include "bus/journal/segment.h"
#include "bus/market/resource.h"
#include "bus/market/standing.h"
#include "feedsim/itch/itch.h"
#include "tools/journal/checkpoint.h"
#include "tools/journal/meter.h"
#include "tools/show/recorded.h"
#include "tools/show/span.h"

#define SPACE_RATIO 8u /* bytes recorded for one of a checkpoint */
/* What a tick touches is seldom in the cache: it is fetched so many ticks before, the order half as
 * many. */
#define AHEAD 16u /* a power of two */

/* What is applied so far, and where that is. */
typedef struct walk {
    const char *path;
    tbus_journal_directory_t directory; /* to look for checkpoints; fd -1: none */
    tbus_journal_range_t range;
    tbus_journal_reader_t *reader;
    uint16_t topic;
    bool leaves; /* checkpoints: they are of one topic of ticks */
    bool complete;
    market_t *market;
    standing_t *standing;
    snapshot_t *snapshot; /* scratch for checkpoints, and the result */
    uint32_t from;        /* segment of the checkpoint it began with */
    uint32_t segment;     /* of the last record */
    uint64_t offset;      /* likewise */
    uint64_t since_bytes; /* recorded since the last checkpoint, up to `segment` */
    uint64_t ticks_read;
    /* read and not yet applied: ticks [ticks_read - waiting, ticks_read) by their number */
    uint32_t waiting;
    struct {
        uint64_t seq;
        size_t bytes;
        tick_t tick;
    } ahead[AHEAD];
    uint64_t last_seq; /* of the last that was read */
    uint32_t made;
    uint32_t right;
    int failed; /* why the last one could not be written */
    meter_t meter;
    tbus_error_t *err;
} walk_t;

/* ---- making and clearing */

static int open_walk(walk_t *w, const market_limits_t *limits)
{
    int code = tbus_journal_directory_open(w->path, &w->directory, &w->range, w->err);
    if (code < 0) {
        w->directory.fd = -1;
        return code;
    }
    code = tbus_journal_reader_open(w->path, &w->reader, w->err);
    if (code == 0)
        code = market_create(limits, &w->market, w->err);
    if (code == 0)
        code = standing_create(&w->standing, w->err);
    if (code == 0)
        code = snapshot_create(limits->orders_max, &w->snapshot, w->err);
    return code;
}

static void close_walk(walk_t *w)
{
    meter_end(&w->meter);
    if (w->directory.fd >= 0)
        tbus_journal_directory_close(&w->directory);
    tbus_journal_reader_close(w->reader);
    market_destroy(w->market);
    standing_destroy(w->standing);
    snapshot_destroy(w->snapshot);
}

/* ---- applying */

static int apply(walk_t *w, uint64_t seq, const tick_t *tick, size_t bytes)
{
    const market_event_t *event;
    int code = market_apply(w->market, seq, tick, bytes, &event);
    if (code < 0)
        return tbus_fail(w->err, code, "%s", market_limit_text(w->market));
    standing_keep(w->standing, event, tick, bytes);
    return 0;
}

static int apply_checkpoint(walk_t *w, const checkpoint_t *checkpoint)
{
    int code = 0;
    for (uint32_t i = 0; code == 0 && i < checkpoint->count; i++) {
        if (checkpoint->count - i > AHEAD)
            market_fetch_far(w->market, &checkpoint->ticks[i + AHEAD], sizeof(tick_t));
        code = apply(w, checkpoint->md_seq - checkpoint->count + 1 + i, &checkpoint->ticks[i],
                     sizeof(tick_t));
    }
    w->last_seq = checkpoint->md_seq;
    return code;
}

/* The oldest of those that wait. */
static int apply_oldest(walk_t *w)
{
    uint64_t oldest = w->ticks_read - w->waiting;
    if (w->waiting > AHEAD / 2)
        market_fetch_near(w->market, &w->ahead[(oldest + AHEAD / 2) % AHEAD].tick,
                          w->ahead[(oldest + AHEAD / 2) % AHEAD].bytes);
    w->waiting--;
    return apply(w, w->ahead[oldest % AHEAD].seq, &w->ahead[oldest % AHEAD].tick,
                 w->ahead[oldest % AHEAD].bytes);
}

/* Before the books are looked at. */
static int apply_waiting(walk_t *w)
{
    int code = 0;
    while (code == 0 && w->waiting > 0)
        code = apply_oldest(w);
    return code;
}

/* A record is bytes from outside. A long message of an unknown type changes no book, and only its
 * beginning is looked at. */
static int apply_record(walk_t *w, const tbus_journal_record_t *record)
{
    size_t bytes = record->bytes < sizeof(tick_t) ? record->bytes : sizeof(tick_t);
    if (record->bytes > TICK_LEN_MAX || !itch_tick_valid(record->payload, record->bytes) ||
        record->seq <= w->last_seq)
        return tbus_fail(w->err, -TBUS_ECORRUPT,
                         "%s: the record in segment %" PRIu32 " at byte %" PRIu64
                         " is no tick that could follow",
                         w->path, record->segment, record->offset);
    int code = w->waiting == AHEAD ? apply_oldest(w) : 0;
    tick_t *tick = &w->ahead[w->ticks_read % AHEAD].tick;
    memset(tick, 0, sizeof *tick);
    memcpy(tick, record->payload, bytes);
    if (tick_has_place(tick)) /* somebody may have edited it */
        tick_place_none(tick);
    w->ahead[w->ticks_read % AHEAD].bytes = bytes;
    w->ahead[w->ticks_read % AHEAD].seq = w->last_seq = record->seq;
    market_fetch_far(w->market, tick, bytes);
    w->ticks_read++;
    w->waiting++;
    return code;
}

/* ---- checkpoints on the way */

static void leave_checkpoint(walk_t *w, uint32_t segment)
{
    checkpoint_t there;
    int look = checkpoint_load(&w->directory, segment, w->topic, &there);
    if (look == TBUS_JOURNAL_FOUND) {
        checkpoint_clear(&there);
        w->right++;
        w->since_bytes = 0;
        return;
    }
    uint64_t orders = market_stats(w->market)->live_orders;
    if (checkpoint_bytes(orders) * SPACE_RATIO > w->since_bytes ||
        snapshot_take(w->snapshot, w->market, w->standing) < 0 ||
        checkpoint_bytes(snapshot_count(w->snapshot)) * SPACE_RATIO > w->since_bytes ||
        snapshot_count(w->snapshot) > snapshot_md_seq(w->snapshot))
        return;
    int code = checkpoint_store(&w->directory, segment, w->topic, w->snapshot);
    /* Behind a segment that is not finished none can stand; and another one may be at it. */
    w->failed = code < 0 && code != -EBUSY && code != -EAGAIN ? code : w->failed;
    w->made += code == 0;
    w->since_bytes = code == 0 ? 0 : w->since_bytes;
}

static int enter_segment(walk_t *w, uint32_t segment)
{
    int code = apply_waiting(w);
    if (code < 0)
        return code;
    if (w->segment != 0 && segment == w->segment + 1 && w->leaves && w->complete) {
        w->since_bytes += w->offset;
        leave_checkpoint(w, segment);
    }
    w->segment = segment;
    return 0;
}

/* ---- from where */

/* Begin with the checkpoint of this segment, if it has a right one. As checkpoint_load. */
static int begin_at(walk_t *w, uint32_t segment)
{
    checkpoint_t checkpoint;
    int look = checkpoint_load(&w->directory, segment, w->topic, &checkpoint);
    if (look != TBUS_JOURNAL_FOUND)
        return look;
    int code = apply_checkpoint(w, &checkpoint);
    if (code == 0)
        code = tbus_journal_reader_seek_seq(w->reader, w->topic, checkpoint.md_seq + 1, w->err);
    checkpoint_clear(&checkpoint);
    if (code < 0)
        return code;
    w->from = w->segment = segment;
    w->offset = 0;
    w->complete = true;
    return TBUS_JOURNAL_FOUND;
}

/* The last right checkpoint at the beginning of one of the segments up to `last`; else the
 * beginning. 0 or negative. */
static int begin(walk_t *w, uint32_t last)
{
    uint32_t first = tbus_journal_reader_info(w->reader)->first_segment;
    for (uint32_t segment = last; w->leaves && segment >= first && segment > 1; segment--) {
        int look = begin_at(w, segment);
        if (look == TBUS_JOURNAL_FOUND)
            w->right++;
        if (look == TBUS_JOURNAL_FOUND || look < 0)
            return look < 0 ? look : 0;
    }
    w->complete = first == 1;
    int code = tbus_journal_reader_seek_seq(w->reader, w->topic, 0, w->err);
    return code < 0 ? code : 0;
}

/* All ticks before `seq`. 1: *out_seq is the first of the others; 0: there is none; negative. */
static int walk_to(walk_t *w, uint64_t seq, uint64_t *out_seq)
{
    tbus_journal_record_t record;
    int code;
    while ((code = tbus_journal_reader_next(w->reader, &record, w->err)) > 0) {
        if (record.segment != w->segment && (code = enter_segment(w, record.segment)) < 0)
            return code;
        w->offset = record.offset;
        meter_at(&w->meter, &record);
        if (record.topic != w->topic)
            continue;
        if (record.seq >= seq) {
            *out_seq = record.seq;
            code = apply_waiting(w);
            return code < 0 ? code : 1;
        }
        code = apply_record(w, &record);
        if (code < 0)
            return code;
    }
    return code < 0 ? code : apply_waiting(w);
}

/* In which segment is the first tick from `seq` on? As above. */
static int find(walk_t *w, uint64_t seq, uint32_t *out_segment)
{
    tbus_journal_record_t record;
    int code = tbus_journal_reader_seek_seq(w->reader, w->topic, seq, w->err);
    while (code > 0 && (code = tbus_journal_reader_next(w->reader, &record, w->err)) > 0)
        if (record.topic == w->topic) {
            *out_segment = record.segment;
            return 1;
        }
    return code;
}

/* ---- what is asked for */

static int make(walk_t *w, const books_at_request_t *request, books_at_t *out)
{
    uint32_t segment = 0;
    uint64_t seq = 0;
    int code = open_walk(w, &request->limits);
    if (code < 0)
        return code;
    const tbus_journal_info_t *info = tbus_journal_reader_info(w->reader);
    w->leaves = span_ticks(info) == w->topic;
    code = find(w, request->seq, &segment);
    if (code <= 0)
        return code;
    meter_begin(&w->meter, "books", info);
    code = begin(w, segment);
    if (code == 0)
        code = walk_to(w, request->seq, &seq);
    if (code <= 0)
        return code;
    code = snapshot_take(w->snapshot, w->market, w->standing);
    if (code < 0)
        return tbus_fail(w->err, code, "no snapshot of the books can be taken");
    *out = (books_at_t){.snapshot = w->snapshot,
                        .seq = seq,
                        .segment = w->from,
                        .ticks_read = w->ticks_read,
                        .complete = w->complete};
    w->snapshot = NULL;
    return 1;
}

int books_at_make(const books_at_request_t *request, books_at_t *out_books, tbus_error_t *err)
{
    walk_t w = {.path = request->directory, .topic = request->topic, .err = err};
    int code = make(&w, request, out_books);
    close_walk(&w);
    return code;
}

void books_at_clear(books_at_t *books)
{
    snapshot_destroy(books->snapshot);
    *books = (books_at_t){0};
}

int books_at_first(const char *directory, uint16_t topic, uint64_t *out_seq, tbus_error_t *err)
{
    tbus_journal_reader_t *reader;
    tbus_journal_record_t record;
    int code = tbus_journal_reader_open(directory, &reader, err);
    if (code < 0)
        return code;
    while ((code = tbus_journal_reader_next(reader, &record, err)) > 0)
        if (record.topic == topic) {
            *out_seq = record.seq;
            break;
        }
    tbus_journal_reader_close(reader);
    return code;
}

/* ---- checkpoints in all of a journal */

/* As the session had them, where it says so. */
static market_limits_t limits_of(const char *directory)
{
    market_limits_t limits;
    tbus_params_defaults(&market_resource.params, &limits);
    json_t *configuration = recorded_configuration(directory);
    const json_t *books = json_object_get(configuration, market_resource.name);
    json_int_t orders = json_integer_value(json_object_get(books, "orders_max"));
    json_int_t levels = json_integer_value(json_object_get(books, "levels_max"));
    if (orders > 0 && orders <= UINT32_MAX && levels > 0 && levels <= UINT32_MAX) {
        limits.orders_max = (uint32_t)orders;
        limits.levels_max = (uint32_t)levels;
    }
    json_decref(configuration);
    return limits;
}

/* The last segment before the first checkpoint that cannot be used, or the last of all. */
static uint32_t last_right(const walk_t *w)
{
    for (uint32_t segment = w->range.first; segment <= w->range.last; segment++) {
        checkpoint_t checkpoint;
        int look = checkpoint_load(&w->directory, segment, w->topic, &checkpoint);
        if (look == TBUS_JOURNAL_BAD && segment > w->range.first)
            return segment - 1;
        if (look == TBUS_JOURNAL_FOUND)
            checkpoint_clear(&checkpoint);
    }
    return w->range.last;
}

static int leave_all(walk_t *w)
{
    const market_limits_t limits = limits_of(w->path);
    uint64_t seq;
    int code = open_walk(w, &limits);
    if (code < 0)
        return code;
    const tbus_journal_info_t *info = tbus_journal_reader_info(w->reader);
    int topic = span_ticks(info);
    if (topic < 0)
        return 0;
    w->topic = (uint16_t)topic;
    w->leaves = true;
    meter_begin(&w->meter, "books", info);
    code = begin(w, last_right(w));
    if (code == 0 && w->complete)
        code = walk_to(w, UINT64_MAX, &seq);
    if (code == -TBUS_ELIMIT) /* from there on there are none, and replays need higher limits */
        code = 0;
    if (code == 0 && w->failed < 0)
        code =
            tbus_fail(w->err, w->failed, "cannot write checkpoints beside the segments of %s: %s",
                      w->path, tbus_strerror(w->failed));
    return code;
}

int books_at_checkpoints(const char *directory, uint32_t *out_made, uint32_t *out_right,
                         tbus_error_t *err)
{
    walk_t w = {.path = directory, .err = err};
    int code = leave_all(&w);
    *out_made = w.made;
    *out_right = w.right;
    close_walk(&w);
    return code < 0 ? code : 0;
}
