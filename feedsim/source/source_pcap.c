/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/wire/mold_receiver.h"
#include "feedsim/capture/capture.h"
#include "feedsim/capture/streams.h"
#include "feedsim/itch/itch.h"
#include "feedsim/source/mold_counters.h"
#include "feedsim/source/pcap_spec.h"
#include "feedsim/timeline.h"

/* A capture that begins within so many messages of its session's first is taken to be meant from
 * there on: what it lacks before is a gap. One that begins later is a late start. */
#define EARLY 1000u

/* One capture, read up to the next datagram of a line. */
typedef struct pcap_file {
    capture_t *capture; /* NULL: there is none */
    bool full;          /* `datagram` is not taken yet */
    frame_datagram_t datagram;
    uint64_t time_ns;
    uint32_t line; /* that it is of */
} pcap_file_t;

typedef struct source_pcap {
    feed_source_t base;
    pcap_file_t files[STREAMS_FILES_MAX];
    uint32_t lines_count;
    stream_t lines[STREAMS_GROUPS_MAX];
    mold_receiver_t *receiver; /* NULL: the packets have no sequences */
    bool flushed;
    bool event_held; /* it is told next */
    mold_event_t event;
    uint64_t empty_ns;    /* when the message without bytes that is held was captured */
    bool by_capture;      /* times are those of capture, since the midnight before the first */
    uint64_t midnight_ns; /* of the first; by_capture */
    uint64_t latest_ns;   /* by_capture: times do not go back */
    uint64_t last_event_ns;
    uint64_t begin;       /* the first sequence that is wanted */
    tbus_error_t damage;  /* of a file that could not be read to its end */
    mold_packet_t packet; /* without a receiver: the one in hand, and what is left of it */
    const uint8_t *at;
    mold_shown_t shown;
} source_pcap_t;

/* ---- datagrams, in the order of capture ---- */

static int line_of(const source_pcap_t *s, uint32_t file, const frame_endpoint_t *to)
{
    for (uint32_t i = 0; i < s->lines_count; i++)
        if (s->lines[i].file == file && frame_endpoint_same(&s->lines[i].to, to))
            return (int)i;
    return -1;
}

/* Have the next datagram of a line at hand. A file that cannot be read further has ended, and that
 * is told when everything that came before it was. */
static void fill(source_pcap_t *s, uint32_t file)
{
    pcap_file_t *f = &s->files[file];
    tbus_error_t damage;
    while (f->capture && !f->full) {
        int line, code = capture_next(f->capture, &f->datagram, &f->time_ns, &damage);
        if (code != CAPTURE_DATAGRAM) {
            if (code < 0 && s->damage.code == 0)
                s->damage = damage;
            return;
        }
        if ((line = line_of(s, file, &f->datagram.to)) >= 0) {
            f->line = (uint32_t)line;
            f->full = true;
        }
    }
}

/* The datagram that was captured first; of two at the same time, that of the first file. NULL: no
 * more. */
static pcap_file_t *first_file(source_pcap_t *s)
{
    pcap_file_t *first = NULL;
    for (uint32_t i = 0; i < STREAMS_FILES_MAX; i++) {
        pcap_file_t *f = &s->files[i];
        fill(s, i);
        if (f->full && (!first || f->time_ns < first->time_ns))
            first = f;
    }
    if (first)
        first->full = false;
    return first;
}

/* ---- the source ---- */

/* By the clock of the capture, if that is asked for. */
static void set_time(source_pcap_t *s, uint64_t captured_ns)
{
    if (!s->by_capture)
        return;
    if (s->midnight_ns == 0)
        s->midnight_ns = captured_ns - captured_ns % FEED_DAY_NS;
    if (captured_ns > s->latest_ns)
        s->latest_ns = captured_ns;
    s->base.time_ns = s->latest_ns - s->midnight_ns;
}

static int on_message(source_pcap_t *s, uint64_t sequence, const uint8_t *data, size_t bytes,
                      uint64_t captured_ns, tick_t *buffer, size_t *out_bytes)
{
    int code = feed_source_put_message(&s->base, capture_path(s->files[0].capture),
                                       &s->last_event_ns, sequence, data, bytes, buffer, out_bytes);
    set_time(s, captured_ns);
    return code;
}

/* Told by the time of what comes before it. */
static int on_gap(source_pcap_t *s, const mold_event_t *event, tick_t *buffer, size_t *out_bytes)
{
    s->base.time_ns = FEED_TIME_NONE;
    int code = feed_source_put_gap(&s->base, buffer, out_bytes, s->last_event_ns, event->sequence,
                                   event->last);
    s->base.seq = event->last;
    return code;
}

/* Adds to the note; what finds no room is left out. */
__attribute__((format(printf, 2, 3))) static void add_note(tbus_error_t *note, const char *format,
                                                           ...)
{
    size_t used = strlen(note->text), room = sizeof note->text - used;
    va_list args;
    note->code = -TBUS_ETRUNCATED;
    if (used)
        used += (size_t)snprintf(note->text + used, room, "; ");
    va_start(args, format);
    if (used < sizeof note->text)
        vsnprintf(note->text + used, sizeof note->text - used, format, args);
    va_end(args);
}

/* Frames that could have been messages of the feed, and were not taken. */
static void note_frames(tbus_error_t *note, const capture_t *c)
{
    static const enum frame_kind kinds[] = {FRAME_FRAGMENT, FRAME_CUT, FRAME_MALFORMED};
    for (size_t i = 0; c && i < sizeof kinds / sizeof *kinds; i++) {
        const capture_counts_t *counts = capture_counts(c);
        if (counts->kinds[kinds[i]])
            add_note(note, "%s: left out %" PRIu64 " %s (the first is frame %" PRIu64 ")",
                     capture_path(c), counts->kinds[kinds[i]], frame_kind_text(kinds[i]),
                     counts->first[kinds[i]]);
    }
}

static void note_packets(tbus_error_t *note, const mold_counts_t *counts)
{
    for (unsigned fault = 1; fault < MOLD_FAULTS; fault++)
        if (counts->faults[fault])
            add_note(note, "%" PRIu64 " packet%s refused: %s", counts->faults[fault],
                     counts->faults[fault] == 1 ? "" : "s",
                     mold_fault_text((enum mold_fault)fault));
}

/* What there is to know about a capture that ended in order. */
static void note_end(source_pcap_t *s)
{
    tbus_error_t *note = &s->base.note;
    char malformed[sizeof note->text];
    feed_source_tell_malformed(&s->base, malformed, sizeof malformed);
    if (*malformed)
        add_note(note, "%s", malformed);
    note_frames(note, s->files[0].capture);
    note_frames(note, s->files[1].capture);
    if (!s->receiver) {
        add_note(note, "the packets have no sequences: their messages were taken as they come");
        return;
    }
    const mold_counts_t *counts = mold_receiver_counts(s->receiver);
    note_packets(note, counts);
    if (s->begin > 1)
        add_note(note, "it begins with message %" PRIu64 " of the session", s->begin);
    if (s->lines_count == 2)
        add_note(note,
                 "line A lost %" PRIu64 " messages, line B %" PRIu64 ", and %" PRIu64
                 " were lost on both",
                 counts->lines[0].lost, counts->lines[1].lost, counts->lost);
}

/* All was told. */
static int end(source_pcap_t *s)
{
    if (s->damage.code != 0) {
        s->base.error = s->damage;
        return s->damage.code;
    }
    if (s->base.note.code == 0)
        note_end(s);
    return FEED_SOURCE_END;
}

/* The message without bytes that is held, before `event`, which is told next; NULL: all was. */
static int put_empty(source_pcap_t *s, const mold_event_t *event, tick_t *buffer, size_t *out_bytes)
{
    bool ends = event && event->kind == MOLD_EVENT_END;
    s->event_held = event != NULL;
    int code = feed_source_put_empty(&s->base, &s->last_event_ns, ends, buffer, out_bytes);
    set_time(s, s->empty_ns);
    return code;
}

/* The event as a tick; FEED_SOURCE_LATER: it is none. */
static int tell(source_pcap_t *s, tick_t *buffer, size_t *out_bytes)
{
    const mold_event_t *event = &s->event;
    if (__builtin_expect(s->base.empty_seq != 0, 0))
        return put_empty(s, event, buffer, out_bytes);
    if (event->kind == MOLD_EVENT_GAP)
        return on_gap(s, event, buffer, out_bytes);
    if (event->kind != MOLD_EVENT_MESSAGE)
        return FEED_SOURCE_LATER;
    if (__builtin_expect(event->bytes != 0, 1))
        return on_message(s, event->sequence, event->data, event->bytes, event->time_ns, buffer,
                          out_bytes);
    feed_source_hold_empty(&s->base, event->sequence);
    s->empty_ns = event->time_ns;
    return FEED_SOURCE_LATER;
}

static bool next_event(source_pcap_t *s)
{
    if (!s->event_held)
        return mold_receiver_next(s->receiver, &s->event);
    s->event_held = false;
    return true;
}

static int next(feed_source_t *self, tick_t *buffer, size_t *out_bytes)
{
    source_pcap_t *s = (source_pcap_t *)self;
    int code;
    if (__builtin_expect(self->error.code != 0, 0))
        return self->error.code;
    for (;;) {
        while (next_event(s))
            if ((code = tell(s, buffer, out_bytes)) != FEED_SOURCE_LATER)
                return code;
        pcap_file_t *file = s->flushed ? NULL : first_file(s);
        if (file) {
            mold_receiver_take(s->receiver, file->line, file->datagram.payload,
                               file->datagram.bytes, file->time_ns);
        } else if (!s->flushed) {
            mold_receiver_flush(s->receiver);
            s->flushed = true;
        } else {
            return self->empty_seq ? put_empty(s, NULL, buffer, out_bytes) : end(s);
        }
    }
}

/* Packets whose sequences were made anonymous: message after message, as they were captured. */
static int next_unnumbered(feed_source_t *self, tick_t *buffer, size_t *out_bytes)
{
    source_pcap_t *s = (source_pcap_t *)self;
    const uint8_t *message;
    size_t bytes;
    if (self->error.code != 0)
        return self->error.code;
    while (s->packet.count == 0) {
        pcap_file_t *file = first_file(s);
        if (!file)
            return end(s);
        const frame_datagram_t *d = &file->datagram;
        mold_packet_t packet;
        bool good = mold_parse(d->payload, d->bytes, &packet) == MOLD_GOOD &&
                    memcmp(packet.session, s->lines[0].session, sizeof packet.session) == 0;
        if (good) {
            s->packet = packet;
            s->at = packet.blocks;
            s->latest_ns = file->time_ns;
        }
    }
    s->packet.count--;
    s->at = mold_next(s->at, &message, &bytes);
    return on_message(s, self->seq + 1, message, bytes, s->latest_ns, buffer, out_bytes);
}

static void close_pcap(feed_source_t *self)
{
    source_pcap_t *s = (source_pcap_t *)self;
    for (uint32_t i = 0; i < STREAMS_FILES_MAX; i++)
        capture_close(s->files[i].capture);
    free(s->receiver);
    free(s);
}

static void progress(const feed_source_t *self, uint64_t *out_done, uint64_t *out_total)
{
    const source_pcap_t *s = (const source_pcap_t *)self;
    *out_done = *out_total = 0;
    for (uint32_t i = 0; i < STREAMS_FILES_MAX && s->files[i].capture; i++) {
        uint64_t done, total;
        capture_progress(s->files[i].capture, &done, &total);
        *out_done += done;
        *out_total += total;
    }
}

static const feed_source_counter_t *counters(const feed_source_t *self, uint32_t *out_count)
{
    const source_pcap_t *s = (const source_pcap_t *)self;
    *out_count = s->shown.count;
    return s->shown.rows;
}

#define OPS .progress = progress, .counters = counters, .close = close_pcap
static const feed_source_ops_t ops = {.next = next, OPS};
static const feed_source_ops_t ops_unnumbered = {.next = next_unnumbered, OPS};

/* Nobody waits for a capture: what comes too early is kept as long as there is room, so that what
 * is told as a gap is nowhere in it within so many messages. */
static int make_receiver(source_pcap_t *s, tbus_error_t *err)
{
    mold_receiver_config_t config = {.lines = s->lines_count,
                                     .session_given = true,
                                     .first = s->begin,
                                     .window_messages = 1u << 16,
                                     .store_bytes = (size_t)16 << 20,
                                     .reorder_packets = UINT16_MAX,
                                     .hold_ns = MOLD_NEVER,
                                     .silent_ns = MOLD_NEVER};
    memcpy(config.session, s->lines[0].session, sizeof config.session);
    size_t bytes = mold_receiver_footprint(&config);
    void *memory = aligned_alloc(64, bytes);
    if (!memory)
        return tbus_fail(err, -ENOMEM, "no memory to put a capture in order");
    s->receiver = mold_receiver_format(memory, &config);
    mold_shown_make(&s->shown, s->lines_count, mold_receiver_counts(s->receiver));
    return 0;
}

static bool is_unnumbered(const stream_t *stream)
{
    return stream->packets && stream->unnumbered == stream->packets;
}

static uint64_t begin_of(const source_pcap_t *s, const pcap_spec_t *spec)
{
    uint64_t first = UINT64_MAX;
    if (spec->from_given && spec->from)
        return spec->from;
    for (uint32_t i = 0; i < s->lines_count; i++)
        first = s->lines[i].first < first ? s->lines[i].first : first;
    if (first == UINT64_MAX || (!spec->from_given && first <= EARLY))
        return 1;
    return first;
}

static int open_lines(source_pcap_t *s, const pcap_spec_t *spec, tbus_error_t *err)
{
    const stream_t *lines[STREAMS_GROUPS_MAX];
    streams_t *streams = calloc(1, sizeof *streams);
    int code = streams ? 0 : tbus_fail(err, -ENOMEM, "no memory to look at a capture");
    for (uint32_t i = 0; code == 0 && i < spec->files_count; i++)
        code = streams_look(streams, spec->files[i], i, err);
    if (code == 0)
        code = streams_choose(streams, &spec->choice, lines, err);
    for (int i = 0; i < code; i++)
        s->lines[s->lines_count++] = *lines[i];
    free(streams);
    if (code < 0)
        return code;
    if (s->lines_count == 2 && (is_unnumbered(&s->lines[0]) || is_unnumbered(&s->lines[1])))
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the packets of the capture have no sequences, so two lines of it cannot "
                         "be put together; choose one with ?group=ADDR:PORT");
    if (spec->files_count == 2 && (s->lines_count == 1 || s->lines[0].file == s->lines[1].file))
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "the captures %s and %s have no session in common, or not where ?group= "
                         "says",
                         spec->files[0], spec->files[1]);
    s->begin = begin_of(s, spec);
    return 0;
}

int feed_source_check_pcap(const char *text, tbus_error_t *err)
{
    pcap_spec_t spec;
    return pcap_spec_parse(text, &spec, err);
}

int feed_source_open_pcap(const char *text, enum feed_clock clock, feed_source_t **out_source,
                          tbus_error_t *err)
{
    pcap_spec_t spec;
    int code = pcap_spec_parse(text, &spec, err);
    if (code < 0)
        return code;
    source_pcap_t *s = calloc(1, sizeof *s);
    if (!s)
        return tbus_fail(err, -ENOMEM, "no memory to read %s", spec.files[0]);
    s->base.ops = &ops;
    s->by_capture = clock != FEED_CLOCK_MARKET;
    s->base.daily = !s->by_capture;
    code = open_lines(s, &spec, err);
    if (code == 0 && is_unnumbered(&s->lines[0]))
        s->base.ops = &ops_unnumbered;
    else if (code == 0)
        code = make_receiver(s, err);
    for (uint32_t i = 0; code == 0 && i < spec.files_count; i++)
        code = capture_open(spec.files[i], &s->files[i].capture, err);
    if (code < 0) {
        close_pcap(&s->base);
        return code;
    }
    mold_shown_add(&s->shown, feed_source_malformed_counter(&s->base));
    *out_source = &s->base;
    return 0;
}
