/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/history.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/observer.h>

#include "bus/journal/reader_index.h"

#define RECORDS_AT_A_TIME  16384u /* of other topics that are passed over in one call */
#define RECORDS_OF_A_BATCH 512u   /* that are read for more than one message */
#define AGAIN              16     /* beside the outcomes: the place has changed, go on there */

struct tbus_history {
    char topic[TBUS_NAME_MAX];
    tbus_bus_t *bus;               /* NULL: none */
    tbus_journal_reader_t *reader; /* NULL: none */
    tbus_observer_t observer;      /* on the ring, when it is live */
    uint16_t index;                /* of the topic in the journal */
    bool tombs;                    /* a sequence may have no message */

    bool is_known; /* what comes next: at first it may be whatever comes first */
    uint64_t next;
    bool has_last;
    uint64_t last; /* that was handed out */

    /* Of the reader: it stands where it is to go on, and has read this record already. */
    bool positioned;
    bool has_record;
    tbus_journal_record_t record;
    /* A gap before the next record is a loss, since here something was not recorded, or was removed
     * or damaged. */
    bool gap_is_loss;
    uint64_t missed;
    uint32_t damage;

    uint64_t untold; /* lost, and not said yet */
    tbus_history_counts_t counts;
};

_Static_assert(TBUS_HISTORY_STRIDE == TBUS_OBSERVE_STRIDE,
               "the ring is read into the batch itself");

/* What a call of tbus_history_next hands out. */
typedef struct delivery {
    void *into;
    size_t capacity;
    size_t *out_bytes;
    uint64_t *out_seq;
} delivery_t;

/* All up to `seq`. */
static void note_handed_out(tbus_history_t *h, uint64_t seq)
{
    h->has_last = true;
    h->last = seq;
    h->is_known = true;
    h->next = seq + 1;
}

static void hand_out(tbus_history_t *h, const delivery_t *to, uint64_t seq, size_t bytes)
{
    *to->out_bytes = bytes;
    *to->out_seq = seq;
    note_handed_out(h, seq);
}

static int refuse_too_small(const tbus_history_t *h, const delivery_t *to, size_t needed,
                            tbus_error_t *err)
{
    *to->out_bytes = needed;
    return tbus_fail(err, -TBUS_ETOOBIG,
                     "topic '%s': a message takes up to %zu bytes, and there is room for %zu",
                     h->topic, needed, to->capacity);
}

/* --- on the ring --- */

/* What comes next was overwritten, and `missed` sequences with it. */
static int fall_back(tbus_history_t *h, uint64_t missed)
{
    if (!h->reader) {
        h->untold += missed;
        return 0;
    }
    h->counts.laps++;
    h->counts.live = false;
    h->positioned = false;
    return AGAIN;
}

static int next_of_ring(tbus_history_t *h, const delivery_t *to, tbus_error_t *err)
{
    tbus_observer_t *o = &h->observer;
    if (to->capacity < o->ring.msg_bytes_max)
        return refuse_too_small(h, to, o->ring.msg_bytes_max, err);
    /* O4 pairs O3 (run_pipeline in tools/run/supervisor.c): asked before the ring, so that what was
     * published before the end is seen. */
    bool ended = tbus_load_acquire_u32(&h->bus->directory->ended) != 0;
    for (;;) {
        size_t bytes;
        uint64_t seq;
        uint64_t lost;
        uint64_t expected = o->seq;
        int got = tbus_observe(o, to->into, &bytes, &seq, &lost);
        if (got < 0)
            return tbus_fail(err, got, "topic '%s' holds what no publisher writes", h->topic);
        if (lost && (int64_t)(expected + lost - h->next) > 0 &&
            fall_back(h, expected + lost - h->next) == AGAIN)
            return AGAIN; /* whatever was read comes again */
        if (got == 0) {
            if ((int64_t)(o->seq - h->next) > 0)
                h->next = o->seq;
            return ended ? TBUS_HISTORY_ENDED : TBUS_HISTORY_NOTHING;
        }
        if ((int64_t)(seq - h->next) < 0)
            continue; /* had from the journal */
        hand_out(h, to, seq, bytes);
        h->counts.from_ring++;
        return TBUS_HISTORY_MESSAGE;
    }
}

/* --- in the journal --- */

/* Go to the last message that was handed out, so that what is said behind it of a hole is met. */
static int position(tbus_history_t *h, tbus_error_t *err)
{
    uint64_t seq = h->has_last ? h->last : h->next ? h->next - 1 : 0;
    int code = tbus_journal_reader_seek_seq(h->reader, h->index, seq, err);
    if (code < 0)
        return code;
    h->positioned = true;
    h->has_record = false;
    h->gap_is_loss = false;
    h->missed = tbus_journal_reader_missed(h->reader);
    return 0;
}

/* Does this record say that something was not recorded? */
static bool is_hole(const tbus_journal_record_t *record)
{
    tbus_journal_piece_t piece;
    return tbus_journal_record_piece(record, &piece) && piece.kind == TBUS_JOURNAL_HOLE;
}

/* The sequences before the record that the journal does not have. */
static void note_gap(tbus_history_t *h, uint64_t seq)
{
    const tbus_journal_damage_t *places;
    uint64_t missed = tbus_journal_reader_missed(h->reader);
    uint32_t damage = tbus_journal_reader_damage(h->reader, &places);
    bool loss = !h->tombs || h->gap_is_loss || missed != h->missed || damage != h->damage;
    if (h->is_known && loss)
        h->untold += seq - h->next;
    h->gap_is_loss = false;
    h->missed = missed;
    h->damage = damage;
}

static int deliver_record(tbus_history_t *h, const delivery_t *to, tbus_error_t *err)
{
    const tbus_journal_record_t *record = &h->record;
    if (record->bytes > to->capacity)
        return refuse_too_small(h, to, record->bytes, err);
    h->has_record = false;
    note_gap(h, record->seq);
    memcpy(to->into, record->payload, record->bytes);
    hand_out(h, to, record->seq, record->bytes);
    h->counts.from_journal++;
    return TBUS_HISTORY_MESSAGE;
}

static void go_live(tbus_history_t *h, const tbus_observer_t *observer)
{
    h->observer = *observer;
    if (!h->is_known)
        h->next = observer->seq;
    h->is_known = true;
    h->counts.live = true;
    h->positioned = false;
    if (h->reader)
        tbus_journal_reader_rest(h->reader);
}

/* Slots below this position are written over, or may be at any moment. Publishers wait for the
 * recorder: it has passed them. */
static uint64_t written_over(const tbus_ring_t *ring)
{
    /* hint: an observer that goes by it makes sure by itself. */
    uint64_t end = ring->several_publishers ? tbus_ring_claimed(ring)
                                            : tbus_load_relaxed_u64(&ring->shared->announce);
    return end - ring->slot_count;
}

/* The journal has no more, and the oldest message that the observer takes to be safe is `behind`
 * sequences behind the one that comes next. */
static int close_the_gap(tbus_history_t *h, tbus_observer_t *observer, uint64_t behind,
                         tbus_error_t *err)
{
    const tbus_ring_t *ring = &observer->ring;
    bool one_slot = ring->slot_msg_bytes_max >= ring->msg_bytes_max;
    uint64_t at = observer->position - behind; /* of what comes next, or it lies before that */
    if ((int64_t)(at - written_over(ring)) >= 0) {
        if (!one_slot)
            return TBUS_HISTORY_NOTHING; /* the recorder will bring it, or the ring go on */
        observer->position = at;
        observer->seq = h->next;
        go_live(h, observer);
        return AGAIN;
    }
    /* N2, C2: what the recorder has passed by now is in the journal, or will never be. */
    tbus_fence_acquire();
    int code = tbus_journal_reader_next(h->reader, &h->record, err);
    if (code < 0)
        return code;
    h->has_record = code == 1;
    if (h->has_record)
        return AGAIN;
    h->untold += behind;
    h->next = observer->seq;
    go_live(h, observer);
    return AGAIN;
}

/* The journal has no more, for now or for good. */
static int at_end_of_journal(tbus_history_t *h, tbus_error_t *err)
{
    tbus_observer_t observer;
    if (!h->bus)
        return tbus_journal_reader_end(h->reader) == TBUS_JOURNAL_LIVE ? TBUS_HISTORY_NOTHING
                                                                       : TBUS_HISTORY_ENDED;
    int code =
        tbus_observer_join(tbus_bus_ring(h->bus, h->topic), TBUS_FROM_OLDEST, &observer, err);
    if (code < 0)
        return code == -EAGAIN ? TBUS_HISTORY_NOTHING : code;
    if (h->is_known && (int64_t)(observer.seq - h->next) > 0)
        return close_the_gap(h, &observer, observer.seq - h->next, err);
    go_live(h, &observer);
    return AGAIN;
}

/* The next record of the topic that was not handed out, into h->record; it looks at `records`
 * records. MESSAGE; NOTHING: the journal has no more, for now or for good; BUSY. */
static int find_record(tbus_history_t *h, uint32_t records, tbus_error_t *err)
{
    tbus_journal_record_t *record = &h->record;
    for (uint32_t n = 0; n < records; n++) {
        int code = h->has_record ? 1 : tbus_journal_reader_next(h->reader, record, err);
        h->has_record = code == 1;
        if (code < 0) {
            h->positioned = false;
            return code;
        }
        if (code == 0)
            return TBUS_HISTORY_NOTHING;
        h->gap_is_loss |= is_hole(record);
        if (record->topic == h->index && (!h->is_known || record->seq >= h->next))
            return TBUS_HISTORY_MESSAGE;
        h->has_record = false;
    }
    return TBUS_HISTORY_BUSY;
}

static int next_of_journal(tbus_history_t *h, const delivery_t *to, tbus_error_t *err)
{
    int code = h->positioned ? 0 : position(h, err);
    if (code < 0)
        return code;
    int outcome = find_record(h, RECORDS_AT_A_TIME, err);
    switch (outcome) {
    case TBUS_HISTORY_MESSAGE:
        return deliver_record(h, to, err);
    case TBUS_HISTORY_NOTHING:
        return at_end_of_journal(h, err);
    default:
        return outcome;
    }
}

int tbus_history_next(tbus_history_t *h, void *into, size_t capacity, size_t *out_bytes,
                      uint64_t *out_seq, uint64_t *out_lost, tbus_error_t *err)
{
    if (!h || !into || (uintptr_t)into % 8 || !out_bytes || !out_seq || !out_lost)
        return tbus_fail(err, -EINVAL, "history: there is none, or nowhere to put the message");
    delivery_t to = {into, capacity, out_bytes, out_seq};
    int outcome;
    do {
        outcome = h->counts.live ? next_of_ring(h, &to, err) : next_of_journal(h, &to, err);
    } while (outcome == AGAIN);
    if (outcome >= 0) {
        *out_lost = h->untold;
        h->counts.lost += h->untold;
        h->untold = 0;
    }
    return outcome;
}

/* --- some at once --- */

static bool batch_fits(const tbus_history_batch_t *batch)
{
    return batch->into && (uintptr_t)batch->into % 8 == 0 &&
           batch->capacity >= (size_t)TBUS_HISTORY_BATCH_MAX * TBUS_HISTORY_STRIDE;
}

/* Those that lie one behind the other on the ring. False: what comes next needs a closer look. */
static bool some_of_ring(tbus_history_t *h, tbus_history_batch_t *batch)
{
    tbus_observer_t *o = &h->observer;
    if (!h->counts.live || h->untold || o->seq != h->next ||
        batch->capacity < o->ring.msg_bytes_max)
        return false;
    batch->count =
        tbus_observe_some(o, batch->into, TBUS_HISTORY_BATCH_MAX, batch->bytes, &batch->first_seq);
    if (batch->count == 0)
        return false;
    note_handed_out(h, batch->first_seq + batch->count - 1);
    h->counts.from_ring += batch->count;
    return true;
}

/* One came from the journal: those behind it, as long as none is missing, or long. An error, or the
 * end of what there is, is met again by the next call. */
static void some_more_of_journal(tbus_history_t *h, tbus_history_batch_t *batch)
{
    for (uint32_t n = 0; n < RECORDS_OF_A_BATCH && batch->count < TBUS_HISTORY_BATCH_MAX; n++) {
        int outcome = find_record(h, 1, NULL);
        if (outcome == TBUS_HISTORY_BUSY)
            continue;
        if (outcome != TBUS_HISTORY_MESSAGE || h->record.seq != h->next ||
            h->record.bytes > TBUS_HISTORY_STRIDE)
            return;
        size_t bytes;
        uint64_t seq;
        const delivery_t to = {(unsigned char *)batch->into +
                                   (size_t)batch->count * TBUS_HISTORY_STRIDE,
                               TBUS_HISTORY_STRIDE, &bytes, &seq};
        (void)deliver_record(h, &to, NULL); /* it fits */
        batch->bytes[batch->count++] = (uint32_t)bytes;
    }
}

int tbus_history_next_batch(tbus_history_t *h, tbus_history_batch_t *batch, tbus_error_t *err)
{
    size_t bytes = 0;
    if (!h || !batch || !batch_fits(batch))
        return tbus_fail(err, -EINVAL, "history: there is none, or nowhere to put its messages");
    batch->count = 0;
    batch->lost = 0;
    if (TBUS_LIKELY(some_of_ring(h, batch)))
        return TBUS_HISTORY_MESSAGE;
    int outcome = tbus_history_next(h, batch->into, batch->capacity, &bytes, &batch->first_seq,
                                    &batch->lost, err);
    if (outcome != TBUS_HISTORY_MESSAGE)
        return outcome;
    batch->count = 1;
    batch->bytes[0] = (uint32_t)bytes;
    if (!h->counts.live && bytes <= TBUS_HISTORY_STRIDE)
        some_more_of_journal(h, batch);
    return TBUS_HISTORY_MESSAGE;
}

/* --- opening --- */

static bool has_tombs(uint32_t ring_kind)
{
    return ring_kind == TBUS_BROADCAST_MP || ring_kind == TBUS_MPMC || ring_kind == TBUS_MPSC;
}

static int open_journal(tbus_history_t *h, const char *journal, tbus_error_t *err)
{
    int code = tbus_journal_reader_open(journal, &h->reader, err);
    if (code < 0)
        return code;
    const tbus_journal_info_t *info = tbus_journal_reader_info(h->reader);
    if (h->bus && info->started_realtime_ns != h->bus->directory->started_realtime_ns)
        return tbus_fail(err, -EINVAL,
                         "the journal in %s is of another run than the bus '" TBUS_NAME_TEXT
                         "'; name the one that it is recorded in",
                         journal, h->bus->directory->name);
    int index = tbus_journal_reader_topic(h->reader, h->topic);
    if (index < 0)
        return tbus_fail(err, -TBUS_ENOTFOUND, "there is no topic '%s' in the journal in %s",
                         h->topic, journal);
    h->index = (uint16_t)index;
    h->tombs = has_tombs(info->topics[index].ring_kind);
    tbus_journal_reader_show_session(h->reader);
    tbus_journal_reader_skip_damage(h->reader);
    /* Who follows a bus is a stage, as a rule, and those allocate when they are made. */
    if (h->bus && tbus_journal_reader_reserve(h->reader) < 0)
        return tbus_fail(err, -ENOMEM, "no memory to read the journal in %s", journal);
    return 0;
}

/* Where the journal begins: with its first segment, so do the sequences. */
static int begin_with_oldest(tbus_history_t *h)
{
    const tbus_journal_info_t *info = tbus_journal_reader_info(h->reader);
    h->is_known = info->first_segment == 1;
    h->next = h->is_known ? info->topics[h->index].first_seq : 0;
    h->positioned = true;
    return 0;
}

static int begin_in_journal(tbus_history_t *h, const tbus_history_from_t *from, tbus_error_t *err)
{
    if (from->origin == TBUS_HISTORY_OLDEST)
        return begin_with_oldest(h);
    if (from->origin == TBUS_HISTORY_SEQ) {
        uint64_t first = tbus_journal_reader_info(h->reader)->topics[h->index].first_seq;
        h->is_known = true;
        h->next = from->seq > first ? from->seq : first;
        return 0;
    }
    h->positioned = true;
    int code = tbus_journal_reader_seek_time(h->reader, UINT64_MAX, err);
    return code < 0 ? code : 0;
}

/* On the ring, if it still has what is asked for; or if there is nothing else. */
static int begin_on_ring(tbus_history_t *h, const tbus_history_from_t *from, tbus_error_t *err)
{
    tbus_observer_t observer;
    const tbus_ring_t *ring = tbus_bus_ring(h->bus, h->topic);
    if (!ring)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "there is no topic '%s' on the bus '" TBUS_NAME_TEXT "'", h->topic,
                         h->bus->directory->name);
    bool now = from->origin == TBUS_HISTORY_NOW;
    int code = tbus_observer_join(ring, now ? TBUS_FROM_NOW : TBUS_FROM_OLDEST, &observer, err);
    if (code < 0)
        return code;
    bool by_seq = from->origin == TBUS_HISTORY_SEQ;
    uint64_t first = ring->first_seq;
    uint64_t wanted = by_seq && from->seq > first ? from->seq : by_seq ? first : observer.seq;
    int64_t behind = (int64_t)(observer.seq - wanted);
    if (h->reader && !now && (behind > 0 || !by_seq))
        return 0;
    h->untold = behind > 0 ? (uint64_t)behind : 0;
    h->is_known = true;
    h->next = behind > 0 ? observer.seq : wanted;
    go_live(h, &observer);
    return 0;
}

static int begin(tbus_history_t *h, const tbus_history_from_t *from, tbus_error_t *err)
{
    int code = h->bus ? begin_on_ring(h, from, err) : 0;
    return code == 0 && !h->counts.live ? begin_in_journal(h, from, err) : code;
}

int tbus_history_seek(tbus_history_t *h, uint64_t seq, tbus_error_t *err)
{
    if (!h)
        return tbus_fail(err, -EINVAL, "history: there is none to go to another place in");
    const tbus_history_from_t from = {TBUS_HISTORY_SEQ, seq};
    h->counts.live = false;
    h->is_known = h->has_last = false;
    h->positioned = h->has_record = h->gap_is_loss = false;
    h->untold = 0;
    return begin(h, &from, err);
}

int tbus_history_open(tbus_bus_t *bus, const char *journal, const char *topic,
                      const tbus_history_from_t *from, tbus_history_t **out_history,
                      tbus_error_t *err)
{
    if ((!bus && !journal) || !topic || !tbus_name_fits(topic) || !from || !out_history ||
        (unsigned)from->origin > TBUS_HISTORY_SEQ)
        return tbus_fail(err, -EINVAL,
                         "history: there is neither bus nor journal, no topic, no such place to "
                         "begin at, or nowhere to put it");
    tbus_history_t *h = calloc(1, sizeof *h);
    if (!h)
        return tbus_fail(err, -ENOMEM, "no memory to follow topic '%s'", topic);
    snprintf(h->topic, sizeof h->topic, "%s", topic);
    h->bus = bus;
    int code = journal ? open_journal(h, journal, err) : 0;
    if (code == 0)
        code = begin(h, from, err);
    if (code < 0) {
        tbus_history_close(h);
        return code;
    }
    *out_history = h;
    return 0;
}

void tbus_history_counts(const tbus_history_t *h, tbus_history_counts_t *out_counts)
{
    *out_counts = h->counts;
}

void tbus_history_close(tbus_history_t *h)
{
    if (!h)
        return;
    tbus_journal_reader_close(h->reader);
    free(h);
}
