/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/rewrite.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tools/journal/meter.h"
#include "tools/show/gapless.h"

#define OBJECT_BYTES_MAX (UINT64_C(16) << 20) /* of the session, in memory at a time */

typedef struct rewriter {
    const char *from;
    tbus_journal_reader_t *reader;
    const tbus_journal_info_t *info;
    tbus_journal_writer_t *writer;
    struct {
        uint64_t next_seq; /* 0: anything may come */
        uint32_t damage_seen;
    } topics[TBUS_JOURNAL_TOPICS_MAX];
    /* The object of the session that is being gathered. */
    uint32_t kind;
    unsigned char *object; /* owned */
    uint64_t object_bytes;
    bool gathering;
    uint64_t session_seq; /* of the last session record */
    uint64_t last_time_ns;
    rewrite_result_t result;
} rewriter_t;

static int fail_memory(const rewriter_t *w, tbus_error_t *err)
{
    return tbus_fail(err, -ENOMEM, "no memory to repair the journal in %s", w->from);
}

/* What the writer said. */
static int told(const rewriter_t *w, int code, tbus_error_t *err)
{
    if (code < 0)
        *err = *tbus_journal_writer_error(w->writer);
    return code;
}

/* --- holes --- */

static int put_hole(rewriter_t *w, const char *reason, json_t *topics, uint64_t time_ns,
                    tbus_error_t *err)
{
    json_t *hole = json_pack("{s:s, s:o}", "reason", reason, "topics", topics);
    char *text = hole ? json_dumps(hole, JSON_COMPACT) : NULL;
    json_decref(hole);
    if (!text)
        return fail_memory(w, err);
    int code = told(w,
                    tbus_journal_writer_append_session(w->writer, TBUS_JOURNAL_HOLE, time_ns, text,
                                                       strlen(text)),
                    err);
    free(text);
    return code;
}

/* Before this record sequences of its topic are missing. */
static int name_gap(rewriter_t *w, const tbus_journal_record_t *record, bool damaged,
                    tbus_error_t *err)
{
    json_t *topics = json_pack("[{s:s, s:I, s:I}]", "topic", w->info->topics[record->topic].name,
                               "from", (json_int_t)w->topics[record->topic].next_seq, "to",
                               (json_int_t)(record->seq - 1));
    return put_hole(w,
                    damaged ? "lost in a damaged journal, which was repaired"
                            : "missing in a journal, which was repaired",
                    topics, record->time_ns, err);
}

/* --- objects of the session --- */

static void forget_object(rewriter_t *w)
{
    w->result.cut_objects += w->gathering;
    w->gathering = false;
    w->object_bytes = 0;
}

/* The kinds that are known here are JSON. Of one whose beginning is missing the rest is none. */
static bool is_whole(const rewriter_t *w)
{
    json_t *json = json_loadb((const char *)w->object, w->object_bytes, 0, NULL);
    bool known = w->kind == TBUS_JOURNAL_PROVENANCE || w->kind == TBUS_JOURNAL_CONFIGURATION ||
                 w->kind == TBUS_JOURNAL_HOLE;
    json_decref(json);
    return json || !known;
}

static int put_object(rewriter_t *w, uint64_t time_ns, tbus_error_t *err)
{
    if (!is_whole(w)) {
        forget_object(w);
        return 0;
    }
    w->gathering = false;
    int code = tbus_journal_writer_append_session(
        w->writer, (enum tbus_journal_session_kind)w->kind, time_ns, w->object, w->object_bytes);
    w->object_bytes = 0;
    return told(w, code, err);
}

/* A piece that goes on where the one before it stopped, or begins an object. */
static int take_piece(rewriter_t *w, const tbus_journal_record_t *record, tbus_error_t *err)
{
    tbus_journal_piece_t piece;
    bool follows = record->seq == w->session_seq + 1;
    w->session_seq = record->seq;
    if (!tbus_journal_record_piece(record, &piece))
        return 0;
    if (w->gathering && (!follows || piece.kind != w->kind))
        forget_object(w);
    if (w->object_bytes + piece.bytes > OBJECT_BYTES_MAX) {
        w->gathering = true;
        forget_object(w);
        return 0;
    }
    unsigned char *larger = realloc(w->object, w->object_bytes + piece.bytes + 1);
    if (!larger)
        return fail_memory(w, err);
    w->object = larger;
    memcpy(w->object + w->object_bytes, piece.data, piece.bytes);
    w->object_bytes += piece.bytes;
    w->kind = piece.kind;
    w->gathering = true;
    return piece.more ? 0 : put_object(w, record->time_ns, err);
}

/* --- messages --- */

static int take_message(rewriter_t *w, const tbus_journal_record_t *record, tbus_error_t *err)
{
    uint64_t *next_seq = &w->topics[record->topic].next_seq;
    const tbus_journal_damage_t *places;
    uint32_t damage = tbus_journal_reader_damage(w->reader, &places);
    bool damaged = damage != w->topics[record->topic].damage_seen;
    w->topics[record->topic].damage_seen = damage;
    if (*next_seq && record->seq < *next_seq) {
        w->result.dropped++;
        return 0;
    }
    int code = 0;
    if (*next_seq && record->seq > *next_seq &&
        (damaged || topic_is_gapless(&w->info->topics[record->topic])))
        code = name_gap(w, record, damaged, err);
    if (code == 0)
        code = told(w,
                    tbus_journal_writer_append(w->writer, record->topic, record->seq,
                                               record->time_ns, record->payload, record->bytes),
                    err);
    *next_seq = record->seq + 1;
    return code;
}

static int take_all(rewriter_t *w, tbus_error_t *err)
{
    tbus_journal_record_t record;
    meter_t meter;
    int code;
    meter_begin(&meter, "written", w->info);
    tbus_journal_reader_show_session(w->reader);
    tbus_journal_reader_check_seals(w->reader); /* what is damaged is what the check found */
    while ((code = tbus_journal_reader_next(w->reader, &record, err)) > 0) {
        w->last_time_ns = record.time_ns;
        code = record.topic == TBUS_JOURNAL_SESSION_TOPIC ? take_piece(w, &record, err)
                                                          : take_message(w, &record, err);
        if (code < 0)
            break;
        meter_at(&meter, &record);
    }
    meter_end(&meter);
    forget_object(w);
    return code;
}

/* A journal whose first segments were removed begins, as a new one, with what there is. */
static int open_writer(rewriter_t *w, const char *into, const check_t *found, tbus_error_t *err)
{
    tbus_journal_spec_t spec = {.directory = into,
                                .bus_name = w->info->bus_name,
                                .started_realtime_ns = w->info->started_realtime_ns,
                                .segment_bytes = w->info->segment_bytes,
                                .topics_count = w->info->topics_count};
    memcpy(spec.topics, w->info->topics, sizeof spec.topics);
    for (uint32_t i = 0; i < w->info->topics_count; i++) {
        if (w->info->first_segment > 1 && found->topics[i].records)
            spec.topics[i].first_seq = found->topics[i].first_seq;
        w->topics[i].next_seq = spec.topics[i].first_seq;
    }
    return tbus_journal_writer_open(&spec, &w->writer, err);
}

static int end_writer(rewriter_t *w, enum tbus_journal_end end, tbus_error_t *err)
{
    int code = 0;
    if (end != TBUS_JOURNAL_CLOSED)
        code = put_hole(w, "the recording broke off here: what came after it was not recorded",
                        json_array(), w->last_time_ns, err);
    w->result.records = tbus_journal_writer_records(w->writer);
    w->result.bytes = tbus_journal_writer_bytes(w->writer);
    return code;
}

int rewrite_journal(const char *from, const char *into, const check_t *found,
                    rewrite_result_t *out_result, tbus_error_t *err)
{
    rewriter_t w = {.from = from};
    int code = tbus_journal_reader_open_damaged(from, &w.reader, err);
    if (code < 0)
        return code;
    w.info = tbus_journal_reader_info(w.reader);
    code = open_writer(&w, into, found, err);
    if (code == 0)
        code = take_all(&w, err);
    if (code == 0 && w.writer)
        code = end_writer(&w, found->end, err);
    if (w.writer) {
        int closed = tbus_journal_writer_close(w.writer, code < 0 ? NULL : err);
        code = code < 0 ? code : closed;
    }
    free(w.object);
    tbus_journal_reader_close(w.reader);
    if (code == 0)
        *out_result = w.result;
    return code;
}
