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

#define PIECE_BYTES_MAX (UINT64_C(4) << 20)
#define FIRST_BYTES     (UINT64_C(256) << 10)
#define PAGE_BYTES      UINT64_C(4096)

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
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

uint64_t tbus_journal_writer_waits(const tbus_journal_writer_t *w)
{
    return w->waits;
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
    tbus_journal_writer_begin_segment(w);
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
    return segment_bytes +
           smaller(segment_bytes, TBUS_JOURNAL_PIECES_AHEAD * piece_of(segment_bytes));
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
    w->chain.between = tbus_journal_helper_give_way;
    w->chain.context = w;
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

int tbus_journal_writer_close(tbus_journal_writer_t *w, tbus_error_t *err)
{
    if (!w)
        return 0;
    tbus_journal_helper_stop(w);
    tbus_error_t first = w->failure;
    if (w->hole.open && !first.code)
        tbus_journal_writer_name_last_hole(w);
    if (!first.code)
        first = w->unsynced;
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
