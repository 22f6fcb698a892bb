/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/writer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <tickbus/bus.h>

#define PIECE_BYTES_MAX  (UINT64_C(4) << 20)
#define PIECES_AHEAD_MAX 4u
#define FIRST_BYTES      (UINT64_C(256) << 10)
#define PAGE_BYTES       UINT64_C(4096)
#define DAY_NS           (UINT64_C(86400) * 1000000000)

/* What make_room may return beside 0 and errors. */
#define NO_ROOM    1 /* the message is left out */
#define ROOM_AGAIN 2 /* and the hole is to be named first */

#define SESSION_KIND_VERSION 1u /* of both kinds of session records that there are */

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* --- the hot path --- */

/* From the front on, a word at a time: what a writer that is killed here leaves is the beginning of
 * a header, and whoever checks the journal can tell it from damage. */
static void store_behind_magic(unsigned char *base, const tbus_journal_header_t *header)
{
    uint64_t words[sizeof *header / sizeof(uint64_t)];
    tbus_atomic_u64_t *to = (tbus_atomic_u64_t *)(void *)base;
    memcpy(words, header, sizeof words);
    for (size_t i = 1; i < sizeof words / sizeof words[0]; i++)
        tbus_store_relaxed_u64(&to[i], words[i]);
}

/* Store the current segment's header, magic last: from here on it is part of the journal. */
static void begin_segment(tbus_journal_writer_t *w)
{
    const tbus_journal_file_t *file = tbus_journal_writer_file(w, w->current);
    tbus_journal_header_t header = w->header;
    header.segment = file->number;
    header.first_record = w->records;
    header.header_crc32c = tbus_journal_header_crc(&header);
    store_behind_magic(file->base, &header);
    /* J1 pairs J2 (tbus_journal_segment_look): else a reader sees a segment and not yet whose it
     * is. */
    tbus_store_release_u64(&((tbus_journal_header_t *)(void *)file->base)->magic,
                           TBUS_JOURNAL_MAGIC);
    w->base = file->base;
    w->position = TBUS_JOURNAL_HEADER_BYTES;
    w->seed = tbus_journal_seed(w->header.session_id, file->number);
    w->pages_wanted = 0;
    w->next_wanted = false;
    w->roll_waits = false;
}

/* The current segment is full: hand it to the helper and take the next, which is ready. Requires
 * the lock. */
static void roll(tbus_journal_writer_t *w, uint64_t time_ns)
{
    w->rolled_ns = w->header.started_realtime_ns + time_ns;
    w->used[w->current % TBUS_JOURNAL_FILES] = w->position;
    w->current++;
    begin_segment(w);
}

/* Have pages for `end` bytes of the current segment, ask for those that come after. False: not
 * there yet. Requires the lock. */
static bool advance_limit(tbus_journal_writer_t *w, uint64_t end)
{
    const tbus_journal_file_t *file = tbus_journal_writer_file(w, w->current);
    uint64_t piece_end = (end + w->piece_bytes - 1) / w->piece_bytes * w->piece_bytes;
    /* The more was written, the further ahead: a short recording pays for few pages, and a long one
     * has enough of them to go on while the helper waits for the disk. */
    uint64_t ahead = smaller(w->bytes + w->piece_bytes, PIECES_AHEAD_MAX * w->piece_bytes);
    w->pages_wanted = smaller(file->bytes, piece_end + ahead);
    w->next_wanted |= w->position >= file->bytes / 4;
    if (file->populated < end)
        return false;
    tbus_store_relaxed_u64(&w->limit, smaller(file->populated, piece_end));
    return true;
}

/* Requires the lock. */
static void fail_if_lost(tbus_journal_writer_t *w)
{
    const tbus_journal_file_t *file = tbus_journal_writer_file(w, w->current);
    tbus_error_t err;
    if (TBUS_UNLIKELY(tbus_journal_guard_lost(file->guard)) &&
        tbus_journal_file_check(file, &err) < 0)
        tbus_journal_writer_fail(w, &err);
}

/* Is this the first record of another day, of a segment that holds records of the last one? When
 * the clock goes back, days do not: none begins twice. */
static bool is_next_day(tbus_journal_writer_t *w, uint64_t time_ns)
{
    uint64_t started_ns = w->header.started_realtime_ns;
    if (time_ns < w->day_ends_ns || w->day_ends_ns == UINT64_MAX)
        return false;
    if (started_ns > UINT64_MAX - DAY_NS || time_ns > UINT64_MAX - started_ns - DAY_NS)
        w->day_ends_ns = UINT64_MAX; /* no clock says so: it is the last day */
    else
        w->day_ends_ns = (started_ns + time_ns) / DAY_NS * DAY_NS + DAY_NS - started_ns;
    return w->position > TBUS_JOURNAL_HEADER_BYTES;
}

/* Nothing is recorded from here on, until the next segment is there. Requires the lock. */
static void leave_out(tbus_journal_writer_t *w)
{
    if (!w->hole.open)
        tbus_journal_hole_begin(&w->hole, w->no_room);
    tbus_store_relaxed_u64(&w->limit, 0); /* every append comes here and looks */
}

/* There is room again, in a segment of its own: what is missing comes first in it. */
static int name_hole(tbus_journal_writer_t *w, uint64_t time_ns)
{
    char text[TBUS_JOURNAL_HOLE_BYTES];
    size_t bytes = tbus_journal_hole_end(&w->hole, &w->header, text);
    return tbus_journal_writer_append_session(w, TBUS_JOURNAL_HOLE, time_ns, text, bytes);
}

/* Make sure that `need` bytes at the position are there to be stored to; every few MiB, at the end
 * of a segment, and for every message while there is no room. 0, an error, or one of the above. */
static int make_room(tbus_journal_writer_t *w, uint64_t need, uint64_t time_ns)
{
    bool next_day = is_next_day(w, time_ns);
    pthread_mutex_lock(&w->lock);
    for (;;) {
        fail_if_lost(w);
        if (w->failure.code)
            break;
        bool fits = !next_day && !w->hole.open && w->position + need <= w->usable_bytes;
        if (fits && advance_limit(w, w->position + need))
            break;
        if (!fits) {
            w->next_wanted = true;
            w->roll_waits = true;
            if (w->prepared > w->current) {
                roll(w, time_ns);
                next_day = false;
                if (w->hole.open)
                    break;
                continue;
            }
            if (w->no_room && w->position + need <= w->usable_bytes && !w->hole.open) {
                next_day = false; /* stay: the day's first segment can wait for room */
                continue;
            }
            if (w->no_room) {
                leave_out(w);
                pthread_mutex_unlock(&w->lock);
                return NO_ROOM;
            }
        }
        pthread_cond_signal(&w->work);
        pthread_cond_wait(&w->ready, &w->lock);
    }
    pthread_cond_signal(&w->work);
    w->error = w->failure;
    pthread_mutex_unlock(&w->lock);
    return w->error.code ? w->error.code : w->hole.open ? ROOM_AGAIN : 0;
}

static int refuse_too_big(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq, size_t bytes)
{
    tbus_error_t err;
    tbus_fail(&err, -TBUS_ETOOBIG,
              "message %" PRIu64 " of topic '%s' has %zu bytes, and a journal segment of %" PRIu64
              " bytes has room for %" PRIu64 "; record in larger segments",
              seq, w->header.topics[topic].name, bytes, w->segment_bytes, w->payload_max);
    pthread_mutex_lock(&w->lock);
    tbus_journal_writer_fail(w, &err);
    w->error = w->failure;
    pthread_mutex_unlock(&w->lock);
    return w->error.code;
}

/* Where there is room for it. `length`: without padding. */
static inline void store_record(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq,
                                uint64_t time_ns, const void *payload, uint32_t length)
{
    tbus_journal_record_header_t *record =
        (tbus_journal_record_header_t *)(void *)(w->base + w->position);
    record->seq = seq;
    /* hint: of a record that a killed writer had begun, whose stores are those of its own CPU, the
     * sequence is there first, and the payload last: so it can be told from damage. */
    tbus_compiler_barrier();
    record->time_ns = time_ns;
    record->topic = topic;
    record->flags = 0;
    record->pad = 0;
    tbus_compiler_barrier(); /* hint: likewise */
    /* The padding is there: the file was all zeros. */
    memcpy(record + 1, payload, length - TBUS_JOURNAL_RECORD_HEADER);
    record->crc32c = tbus_journal_record_crc(w->seed, w->position, length, record);
    /* J3 pairs J4 (tbus_journal_reader_next): else a reader, or whoever comes after us when we are
     * killed here, sees a length and not yet what is so long. */
    tbus_store_release_u32(&record->length, length);
    uint64_t need = tbus_journal_padded(length);
    w->position += need;
    w->records++;
    w->bytes += need;
}

int tbus_journal_writer_append(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq,
                               uint64_t time_ns, const void *payload, size_t bytes)
{
    assert(topic < w->header.topics_count || topic == TBUS_JOURNAL_SESSION_TOPIC);
    if (TBUS_UNLIKELY(bytes > w->payload_max))
        return refuse_too_big(w, topic, seq, bytes);
    uint32_t length = TBUS_JOURNAL_RECORD_HEADER + (uint32_t)bytes;
    uint64_t need = tbus_journal_padded(length);
    if (TBUS_UNLIKELY(w->position + need > tbus_load_relaxed_u64(&w->limit) ||
                      time_ns >= w->day_ends_ns)) {
        int code;
        do
            code = make_room(w, need, time_ns);
        while (code == ROOM_AGAIN && (code = name_hole(w, time_ns)) == 0);
        if (code > 0)
            tbus_journal_hole_note(&w->hole, topic, seq, time_ns);
        if (code != 0)
            return code;
    }
    store_record(w, topic, seq, time_ns, payload, length);
    return 0;
}

int tbus_journal_writer_append_session(tbus_journal_writer_t *w,
                                       enum tbus_journal_session_kind kind, uint64_t time_ns,
                                       const void *data, size_t bytes)
{
    struct {
        tbus_journal_session_header_t header;
        unsigned char data[TBUS_JOURNAL_PIECE_BYTES];
    } piece;
    int code = 0;
    size_t done = 0;
    do {
        size_t part = smaller(bytes - done, sizeof piece.data);
        piece.header = (tbus_journal_session_header_t){
            .kind = kind, .version = SESSION_KIND_VERSION, .more = done + part < bytes};
        memcpy(piece.data, (const unsigned char *)data + done, part);
        code = tbus_journal_writer_append(w, TBUS_JOURNAL_SESSION_TOPIC, w->session_records + 1,
                                          time_ns, &piece, sizeof piece.header + part);
        w->session_records += code == 0;
        done += part;
    } while (code == 0 && done < bytes);
    return code;
}

const tbus_error_t *tbus_journal_writer_error(const tbus_journal_writer_t *w)
{
    return &w->error;
}

uint64_t tbus_journal_writer_records(const tbus_journal_writer_t *w)
{
    return w->records - w->session_records;
}

uint64_t tbus_journal_writer_bytes(const tbus_journal_writer_t *w)
{
    return w->bytes;
}

uint64_t tbus_journal_writer_missed(const tbus_journal_writer_t *w)
{
    return w->hole.missed;
}

bool tbus_journal_writer_has_room(const tbus_journal_writer_t *w)
{
    return !w->hole.open;
}

uint64_t tbus_journal_writer_durable(const tbus_journal_writer_t *w, uint16_t topic)
{
    assert(topic < w->header.topics_count);
    return tbus_load_relaxed_u64(w->durable.seqs[topic]);
}

/* --- start and end --- */

static int check_durability(const tbus_journal_spec_t *spec, tbus_error_t *err)
{
    bool periodic = spec->durability == TBUS_JOURNAL_PERIODIC;
    if (spec->durability > TBUS_JOURNAL_SYNC_BATCH || periodic != (spec->sync_every_ms != 0) ||
        spec->sync_every_ms > TBUS_JOURNAL_SYNC_EVERY_MS_MAX)
        return tbus_fail(err, -EINVAL,
                         "a journal cannot be synced with durability %u every %u ms: choose async, "
                         "sync-batch, or periodic every 1 to %u ms",
                         spec->durability, spec->sync_every_ms, TBUS_JOURNAL_SYNC_EVERY_MS_MAX);
    return 0;
}

static int check_spec(const tbus_journal_spec_t *spec, uint64_t segment_bytes, tbus_error_t *err)
{
    if (segment_bytes < TBUS_JOURNAL_SEGMENT_BYTES_MIN ||
        segment_bytes > TBUS_JOURNAL_SEGMENT_BYTES_MAX || segment_bytes % PAGE_BYTES)
        return tbus_fail(
            err, -EINVAL,
            "a journal segment of %" PRIu64
            " bytes is not possible: choose a multiple of 4096 from %" PRIu64 " to %" PRIu64,
            segment_bytes, TBUS_JOURNAL_SEGMENT_BYTES_MIN, TBUS_JOURNAL_SEGMENT_BYTES_MAX);
    if (spec->topics_count > TBUS_JOURNAL_TOPICS_MAX)
        return tbus_fail(err, -EINVAL, "a journal has room for %u topics, not %u",
                         TBUS_JOURNAL_TOPICS_MAX, spec->topics_count);
    const char *name = spec->session_name;
    if (name &&
        (strspn(name, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != TBUS_JOURNAL_SESSION_NAME ||
         name[TBUS_JOURNAL_SESSION_NAME]))
        return tbus_fail(err, -EINVAL, "a session is named by %u digits and capital letters",
                         TBUS_JOURNAL_SESSION_NAME);
    return check_durability(spec, err);
}

/* A random id, and a name that was given or is as random. */
static int name_session(const char *name, tbus_journal_header_t *h, tbus_error_t *err)
{
    ssize_t got;
    do {
        got = getrandom(h->session_id, sizeof h->session_id, 0);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof h->session_id)
        return tbus_fail(err, -EIO, "cannot draw a random session id for the journal: %s",
                         tbus_strerror(-errno));
    if (!name)
        return tbus_draw_session_name(h->session_name, err);
    memcpy(h->session_name, name, TBUS_JOURNAL_SESSION_NAME);
    return 0;
}

static int fill_header(const tbus_journal_spec_t *spec, uint64_t segment_bytes,
                       tbus_journal_header_t *out_header, tbus_error_t *err)
{
    tbus_journal_header_t *h = out_header;
    *h = (tbus_journal_header_t){
        .abi = TBUS_JOURNAL_ABI,
        .header_bytes = TBUS_JOURNAL_HEADER_BYTES,
        .topics_count = spec->topics_count,
        .segment_bytes = segment_bytes,
        .started_realtime_ns = spec->started_realtime_ns,
    };
    snprintf(h->bus_name, sizeof h->bus_name, "%s", spec->bus_name ? spec->bus_name : "");
    for (uint32_t i = 0; i < spec->topics_count; i++) {
        snprintf(h->topics[i].name, TBUS_NAME_MAX, "%s", spec->topics[i].name);
        snprintf(h->topics[i].type, TBUS_NAME_MAX, "%s", spec->topics[i].type);
        h->topics[i].first_seq = spec->topics[i].first_seq;
        h->traits[i].type_version = spec->topics[i].type_version;
        h->traits[i].ring_kind = spec->topics[i].ring_kind;
        h->traits[i].layout_id = spec->topics[i].layout_id;
    }
    return name_session(spec->session_name, h, err);
}

/* The first segment, on this thread: what can be wrong is mostly wrong at once, and to be said
 * before the bus starts. */
static int start_first_segment(tbus_journal_writer_t *w, tbus_error_t *err)
{
    tbus_journal_file_t *file = tbus_journal_writer_file(w, 1);
    int code = tbus_journal_file_create(&w->directory, 1, w->segment_bytes, &w->limit, file, err);
    if (code == 0)
        code = tbus_journal_lock_segment(&w->session_lock, &w->directory, file->fd, err);
    if (code == 0)
        code = tbus_journal_file_populate(file, smaller(FIRST_BYTES, w->piece_bytes), err);
    if (code < 0) {
        if (err)
            err->code = code;
        return code;
    }
    w->current = 1;
    w->prepared = 1;
    begin_segment(w);
    /* the helper begins with them while the bus is still being set up */
    w->pages_wanted = w->piece_bytes;
    code = tbus_journal_helper_start(w);
    return code < 0 ? tbus_fail(err, code, "cannot start the journal's helper thread: %s",
                                tbus_strerror(code))
                    : 0;
}

static void free_writer(tbus_journal_writer_t *w)
{
    tbus_journal_lock_release(&w->session_lock);
    pthread_cond_destroy(&w->ready);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* An eighth of a small segment, so that the next one is ready in time there as well. */
static uint64_t piece_of(uint64_t segment_bytes)
{
    return smaller(PIECE_BYTES_MAX, segment_bytes / 8 / PAGE_BYTES * PAGE_BYTES);
}

size_t tbus_journal_memory_bytes(const char *directory, uint64_t segment_bytes)
{
    if (tbus_journal_path_is_memory(directory))
        return 2 * segment_bytes;
    return smaller(segment_bytes, (PIECES_AHEAD_MAX + 1) * piece_of(segment_bytes)) +
           piece_of(segment_bytes);
}

static tbus_journal_writer_t *new_writer(const tbus_journal_spec_t *spec, uint64_t segment_bytes)
{
    pthread_condattr_t attributes;
    tbus_journal_writer_t *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->session_lock = TBUS_JOURNAL_LOCK_NONE;
    w->segment_bytes = segment_bytes;
    w->goes_on = spec->go_on_when_full;
    w->usable_bytes = segment_bytes - (w->goes_on ? TBUS_JOURNAL_HOLE_BYTES : 0);
    w->payload_max = w->usable_bytes - TBUS_JOURNAL_HEADER_BYTES - TBUS_JOURNAL_RECORD_HEADER;
    w->piece_bytes = piece_of(segment_bytes);
    w->day_ends_ns = spec->roll_by_day ? 0 : UINT64_MAX;
    w->limits = spec->limits;
    w->first = 1;
    w->durability = spec->durability;
    w->sync_every_ns = spec->sync_every_ms * UINT64_C(1000000);
    tbus_journal_durable_init(&w->durable, spec->topics_count, spec->durable);
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&w->work, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_cond_init(&w->ready, NULL);
    return w;
}

int tbus_journal_writer_open(const tbus_journal_spec_t *spec, tbus_journal_writer_t **out_writer,
                             tbus_error_t *err)
{
    if (!spec || !out_writer)
        return tbus_fail(err, -EINVAL, "a journal has no specification, or nowhere to be put");
    uint64_t segment_bytes = spec->segment_bytes ? spec->segment_bytes : TBUS_JOURNAL_SEGMENT_BYTES;
    tbus_journal_header_t header;
    tbus_journal_directory_t directory;
    int code = check_spec(spec, segment_bytes, err);
    if (code == 0)
        code = fill_header(spec, segment_bytes, &header, err);
    if (code == 0)
        code = tbus_journal_directory_create(spec->directory, &directory, err);
    if (code < 0)
        return code;
    tbus_journal_writer_t *w = new_writer(spec, segment_bytes);
    if (!w) {
        tbus_journal_directory_destroy(&directory);
        return tbus_fail(err, -ENOMEM, "no memory to record into %s", spec->directory);
    }
    w->directory = directory;
    w->header = header;
    code = tbus_journal_lock_take(&w->directory, &w->session_lock, err);
    if (code == 0)
        code = start_first_segment(w, err);
    if (code < 0) {
        tbus_journal_file_destroy(tbus_journal_writer_file(w, 1));
        tbus_journal_lock_destroy(&w->session_lock, &w->directory);
        tbus_journal_directory_destroy(&w->directory);
        free_writer(w);
        return code;
    }
    *out_writer = w;
    return 0;
}

/* A session that ends while there is no room says so in what its last segment keeps free. */
static void name_last_hole(tbus_journal_writer_t *w)
{
    struct {
        tbus_journal_session_header_t header;
        char text[TBUS_JOURNAL_HOLE_BYTES];
    } piece = {.header = {.kind = TBUS_JOURNAL_HOLE, .version = SESSION_KIND_VERSION}};
    size_t bytes = tbus_journal_hole_end(&w->hole, &w->header, piece.text);
    uint64_t length = TBUS_JOURNAL_RECORD_HEADER + sizeof piece.header + bytes;
    if (w->position + tbus_journal_padded(length) <= w->segment_bytes)
        store_record(w, TBUS_JOURNAL_SESSION_TOPIC, ++w->session_records, w->hole.ended_ns, &piece,
                     (uint32_t)length);
}

int tbus_journal_writer_close(tbus_journal_writer_t *w, tbus_error_t *err)
{
    if (!w)
        return 0;
    tbus_journal_helper_stop(w);
    tbus_error_t first = w->failure;
    if (w->hole.open && !first.code)
        name_last_hole(w);
    tbus_journal_file_t *last = tbus_journal_writer_file(w, w->current);
    if (w->prepared > w->current)
        tbus_journal_file_destroy(tbus_journal_writer_file(w, w->prepared));
    tbus_journal_writer_finish(w, last, w->position, first.code ? NULL : &first);
    tbus_journal_directory_sync(&w->directory, first.code ? NULL : &first);
    /* Last of all, and only of a session in which nothing went wrong. */
    if (!first.code)
        tbus_journal_file_end_session(last, TBUS_JOURNAL_SESSION_CLOSED, 0, &first);
    else
        tbus_journal_file_end_session(last, TBUS_JOURNAL_SESSION_BROKEN, first.code, NULL);
    tbus_journal_file_close(last);
    tbus_journal_directory_close(&w->directory);
    free_writer(w);
    if (first.code && err)
        *err = first;
    return first.code;
}
