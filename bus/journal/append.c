/* SPDX-License-Identifier: Apache-2.0 */
/* The recording thread's part of the writer: a record into the segment that is there, and now and
 * then more pages or the next segment for the records to come. */
#include "bus/journal/writer.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "bus/journal/crc32c.h"

/* What make_room may return beside 0 and errors. */
#define NO_ROOM    1 /* the message is left out */
#define NOT_YET    TBUS_JOURNAL_NOT_YET
#define ROOM_AGAIN 3 /* and the hole is to be named first */

/* What to do when the helper has to do something first. */
enum manner { WAIT, COME_BACK };

#define DAY_NS               (UINT64_C(86400) * 1000000000)
#define LINE_BYTES           56u /* of the messages that are one cache line on a ring */
#define PREFETCH_BYTES       2048u
#define SESSION_KIND_VERSION 1u /* of both kinds of session records that there are */

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* --- room for records --- */

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

void tbus_journal_writer_begin_segment(tbus_journal_writer_t *w)
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
    w->reached = 0;
    w->written_back = 0;
    w->next_wanted = false;
    w->roll_waits = false;
    w->spent = false;
    w->day_over = false;
}

/* The current segment is full: hand it to the helper and take the next, which is ready. Requires
 * the lock. */
static void roll(tbus_journal_writer_t *w, uint64_t time_ns)
{
    w->rolled_ns = w->header.started_realtime_ns + time_ns;
    w->used[w->current % TBUS_JOURNAL_FILES] = w->position;
    w->current++;
    tbus_journal_writer_begin_segment(w);
}

/* Have pages for `end` bytes of the current segment, ask for those that come after. False: not
 * there yet. Requires the lock. */
static bool advance_limit(tbus_journal_writer_t *w, uint64_t end)
{
    const tbus_journal_file_t *file = tbus_journal_writer_file(w, w->current);
    uint64_t piece_end = (end + w->piece_bytes - 1) / w->piece_bytes * w->piece_bytes;
    /* The more was written, the further ahead: a short recording pays for few pages, and a long one
     * has enough of them to go on while the helper waits for the disk. */
    uint64_t ahead = smaller(w->bytes + w->piece_bytes, TBUS_JOURNAL_PIECES_AHEAD * w->piece_bytes);
    w->pages_wanted = smaller(file->bytes, piece_end + ahead);
    w->reached = w->position;
    /* Nor does a short recording pay for a second segment. */
    w->next_wanted |= w->current > 1 || w->position >= file->bytes / 4;
    /* Also for the record of a hole there are pages, or the disk may have none for it. */
    uint64_t kept = w->segment_bytes - w->usable_bytes;
    if (file->populated < end + kept)
        return false;
    tbus_store_relaxed_u64(&w->limit, smaller(file->populated - kept, piece_end));
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

/* When this is the first record of another day, and the segment holds records of the last one, the
 * day of the segment is over. When the clock goes back, days do not: none begins twice. */
static void look_at_day(tbus_journal_writer_t *w, uint64_t time_ns)
{
    uint64_t started_ns = w->header.started_realtime_ns;
    if (time_ns < w->day_ends_ns || w->day_ends_ns == UINT64_MAX)
        return;
    if (started_ns > UINT64_MAX - DAY_NS || time_ns > UINT64_MAX - started_ns - DAY_NS)
        w->day_ends_ns = UINT64_MAX; /* no clock says so: it is the last day */
    else
        w->day_ends_ns = (started_ns + time_ns) / DAY_NS * DAY_NS + DAY_NS - started_ns;
    w->day_over = w->position > TBUS_JOURNAL_HEADER_BYTES;
}

/* Nothing is recorded from here on, until the next segment is there. Requires the lock. */
static void leave_out(tbus_journal_writer_t *w)
{
    if (!w->hole.open)
        tbus_journal_hole_begin(&w->hole, w->no_room);
    tbus_store_relaxed_u64(&w->limit, 0); /* every append comes here and looks */
}

/* The helper has to do something first, and knows what: is it done? Waits for that, or says that it
 * is not. Requires the lock. */
static bool is_done_now(tbus_journal_writer_t *w, enum manner manner)
{
    w->waits += !w->told;
    w->told = true;
    pthread_cond_signal(&w->work);
    if (manner == WAIT) {
        pthread_cond_wait(&w->ready, &w->lock);
        return true;
    }
    w->seen = tbus_load_relaxed_u32(&w->done);
    tbus_store_relaxed_u64(&w->limit, 0); /* every append comes here and looks */
    return false;
}

/* Take the lock. False: the helper has it, or has done nothing since it was told what is needed. It
 * holds it for some instructions, but may have lost its CPU to us in the middle of them. */
static bool take_lock(tbus_journal_writer_t *w, enum manner manner)
{
    if (manner == WAIT)
        return pthread_mutex_lock(&w->lock) == 0;
    /* hint: what was done is looked at with the lock. */
    if (w->told && tbus_load_relaxed_u32(&w->done) == w->seen)
        return false;
    return pthread_mutex_trylock(&w->lock) == 0;
}

/* Make sure that `need` bytes at the position are there to be stored to; every few MiB, at the end
 * of a segment, and for every message while there is no room. 0, an error, or one of the above. */
static int make_room(tbus_journal_writer_t *w, uint64_t need, uint64_t time_ns, enum manner manner)
{
    if (!take_lock(w, manner))
        return NOT_YET;
    look_at_day(w, time_ns);
    for (;;) {
        fail_if_lost(w);
        if (w->failure.code)
            break;
        bool holds = !w->hole.open && !w->spent && w->position + need <= w->usable_bytes;
        bool fits = holds && !w->day_over;
        if (fits && advance_limit(w, w->position + need))
            break;
        if (!fits) {
            w->next_wanted = true;
            w->roll_waits = true;
            if (w->prepared > w->current) {
                roll(w, time_ns);
                if (w->hole.open)
                    break;
                continue;
            }
            if (w->no_room && holds) {
                w->day_over = false; /* stay: the day's first segment can wait for room */
                continue;
            }
            if (w->no_room) {
                leave_out(w);
                w->told = false;
                pthread_mutex_unlock(&w->lock);
                return NO_ROOM;
            }
        }
        if (!is_done_now(w, manner)) {
            pthread_mutex_unlock(&w->lock);
            return NOT_YET;
        }
    }
    w->told = false;
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

/* --- a record --- */

/* Of a record that a killed writer had begun the sequence is there first, then the rest of the
 * header, and the payload last: so it can be told from damage. */
static inline void keep_order(void)
{
    /* hint: whoever looks after the kill sees all stores of the CPU that made them. */
    tbus_compiler_barrier();
}

/* The record that was stored at the position is complete: readers may see it. */
static inline void reveal_record(tbus_journal_writer_t *w, tbus_journal_record_header_t *record,
                                 uint32_t length)
{
    uint64_t need = tbus_journal_padded(length);
    /* J3 pairs J4 (tbus_journal_reader_next): else a reader, or whoever comes after us when we are
     * killed here, sees a length and not yet what is so long. */
    tbus_store_release_u32(&record->length, length);
    w->position += need;
    w->records++;
    w->bytes += need;
}

#ifdef TBUS_CRC_TARGET
/* Ask for lines that records to come will be stored to: the helper touched them last, on another
 * CPU. Without this, stores that wait for them fill the store buffer, and the thread stands still:
 * half of what an append took. An address that is not mapped does no harm. */
static inline void prefetch_ahead(const unsigned char *to, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes; at += 64)
        __builtin_prefetch(to + PREFETCH_BYTES + at, 1);
}

/* Eight bytes, loaded once for the copy and for the CRC. */
TBUS_CRC_TARGET static inline uint64_t store_word(uint64_t steps, unsigned char *to, uint64_t word)
{
    memcpy(to, &word, sizeof word);
    return tbus_crc_step_8(steps, word);
}

TBUS_CRC_TARGET static inline uint64_t store_payload(uint64_t steps, unsigned char *to,
                                                     const unsigned char *from, uint64_t bytes)
{
    for (; bytes >= 8; bytes -= 8, from += 8, to += 8)
        steps = store_word(steps, to, tbus_crc_word(from));
    uint64_t last = 0;
    memcpy(&last, from, bytes);
    return bytes ? store_word(steps, to, last) : steps;
}

/* The same of LINE_BYTES, with no loop. */
TBUS_CRC_TARGET static inline uint64_t store_line(uint64_t steps, unsigned char *to,
                                                  const unsigned char *from)
{
#pragma GCC unroll 8
    for (unsigned at = 0; at < LINE_BYTES; at += 8)
        steps = store_word(steps, to + at, tbus_crc_word(from + at));
    return steps;
}

/* As store_record. */
TBUS_CRC_TARGET static inline __attribute__((always_inline)) void
store_by_cpu(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq, uint64_t time_ns,
             const void *payload, uint32_t length)
{
    unsigned char *to = w->base + w->position;
    tbus_journal_record_header_t *record = (tbus_journal_record_header_t *)(void *)to;
    uint64_t bytes = length - TBUS_JOURNAL_RECORD_HEADER;
    uint64_t place = tbus_journal_place(w->position, length);
    prefetch_ahead(to, length);
    uint64_t steps = tbus_crc_step_8(tbus_crc_begin(w->seed), place);
    steps = store_word(steps, to + 8, seq);
    keep_order();
    steps = store_word(steps, to + 16, time_ns);
    steps = store_word(steps, to + 24, topic); /* and no flags, no pad */
    keep_order();
    to += TBUS_JOURNAL_RECORD_HEADER;
    steps = bytes == LINE_BYTES ? store_line(steps, to, payload)
                                : store_payload(steps, to, payload, bytes);
    record->crc32c = tbus_crc_end(steps);
    reveal_record(w, record, length);
}

/* Two functions, so that the usual one needs no room on the stack. */
TBUS_CRC_TARGET static __attribute__((noinline)) void
store_any_by_cpu(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq, uint64_t time_ns,
                 const void *payload, uint32_t length)
{
    store_by_cpu(w, topic, seq, time_ns, payload, length);
}

TBUS_CRC_TARGET static __attribute__((noinline)) void
store_line_by_cpu(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq, uint64_t time_ns,
                  const void *payload)
{
    store_by_cpu(w, topic, seq, time_ns, payload, TBUS_JOURNAL_RECORD_HEADER + LINE_BYTES);
}
#endif

static void store_by_table(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq, uint64_t time_ns,
                           const void *payload, uint32_t length)
{
    tbus_journal_record_header_t *record =
        (tbus_journal_record_header_t *)(void *)(w->base + w->position);
    record->seq = seq;
    keep_order();
    record->time_ns = time_ns;
    record->topic = topic;
    record->flags = 0;
    record->pad = 0;
    keep_order();
    /* The padding is there: the file was all zeros. */
    memcpy(record + 1, payload, length - TBUS_JOURNAL_RECORD_HEADER);
    record->crc32c = tbus_journal_record_crc(w->seed, w->position, length, record);
    reveal_record(w, record, length);
}

/* Where there is room for it. `length`: without padding. */
static inline void store_record(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq,
                                uint64_t time_ns, const void *payload, uint32_t length)
{
#ifdef TBUS_CRC_TARGET
    if (TBUS_LIKELY(tbus_crc32c_cpu_has())) {
        if (TBUS_LIKELY(length == TBUS_JOURNAL_RECORD_HEADER + LINE_BYTES))
            store_line_by_cpu(w, topic, seq, time_ns, payload);
        else
            store_any_by_cpu(w, topic, seq, time_ns, payload, length);
        return;
    }
#endif
    store_by_table(w, topic, seq, time_ns, payload, length);
}

/* --- appending --- */

/* There is room again, in a segment of its own: what is missing comes first in it, on pages that
 * are there (first_pages of helper.c). Or there is none already, and the hole goes on. */
static int name_hole(tbus_journal_writer_t *w, uint64_t time_ns)
{
    char text[TBUS_JOURNAL_HOLE_BYTES];
    tbus_journal_hole_t hole = w->hole;
    size_t bytes = tbus_journal_hole_end(&w->hole, &w->header, text);
    int code = tbus_journal_writer_append_session(w, TBUS_JOURNAL_HOLE, time_ns, text, bytes);
    if (code > 0)
        w->hole = hole;
    return code;
}

/* There is no room, or it is another day, or no segment can hold the record: all but the usual. */
static __attribute__((noinline)) int append_with_care(tbus_journal_writer_t *w, uint16_t topic,
                                                      uint64_t seq, uint64_t time_ns,
                                                      const void *payload, size_t bytes,
                                                      enum manner manner)
{
    if (bytes > w->payload_max)
        return refuse_too_big(w, topic, seq, bytes);
    uint32_t length = TBUS_JOURNAL_RECORD_HEADER + (uint32_t)bytes;
    int code;
    do
        code = make_room(w, tbus_journal_padded(length), time_ns, manner);
    while (code == ROOM_AGAIN && (code = name_hole(w, time_ns)) == 0);
    if (code == NO_ROOM)
        tbus_journal_hole_note(&w->hole, topic, seq, time_ns);
    if (code == 0)
        store_record(w, topic, seq, time_ns, payload, length);
    return code;
}

static inline int append(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq, uint64_t time_ns,
                         const void *payload, size_t bytes, enum manner manner)
{
    assert(topic < w->header.topics_count || topic == TBUS_JOURNAL_SESSION_TOPIC);
    uint64_t end = w->position + TBUS_JOURNAL_RECORD_HEADER + tbus_journal_padded(bytes);
    if (TBUS_UNLIKELY(bytes > w->payload_max || end > tbus_load_relaxed_u64(&w->limit) ||
                      time_ns >= w->day_ends_ns))
        return append_with_care(w, topic, seq, time_ns, payload, bytes, manner);
    store_record(w, topic, seq, time_ns, payload, TBUS_JOURNAL_RECORD_HEADER + (uint32_t)bytes);
    return 0;
}

int tbus_journal_writer_append(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq,
                               uint64_t time_ns, const void *payload, size_t bytes)
{
    return append(w, topic, seq, time_ns, payload, bytes, WAIT);
}

int tbus_journal_writer_append_try(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq,
                                   uint64_t time_ns, const void *payload, size_t bytes)
{
    return append(w, topic, seq, time_ns, payload, bytes, COME_BACK);
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

void tbus_journal_writer_name_last_hole(tbus_journal_writer_t *w)
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
