/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/msg/message_type.h"
#include "feedsim/itch/itch.h"
#include "tools/show/gapless.h"
#include "tools/show/message_csv.h"
#include "tools/show/message_text.h"
#include "tools/show/named_hole.h"
#include "tools/show/output_file.h"
#include "tools/show/pcapng.h"
#include "tools/show/symbols.h"

typedef struct exporter {
    const export_request_t *request;
    tbus_journal_reader_t *reader;
    const tbus_journal_topic_t *topic;
    int topic_index;
    FILE *out;
    span_t span;
    uint64_t next_seq;    /* that a whole topic goes on with; 0: any */
    uint32_t damage_seen; /* places passed over at the topic's last message */
    uint32_t damage_told;
    uint64_t messages;
    bool stops_at_damage;
    bool reached;       /* the place that --to names */
    bool refused;       /* a message, by the format that was asked for */
    bool ordered;       /* one publisher: no sequence may be missing */
    bool ends;          /* itch: an end mark was the last message so far */
    bool restoring;     /* itch: within a snapshot after a gap */
    uint64_t left_out;  /* itch: what a file cannot have */
    uint8_t *message;   /* itch, pcapng: ITCH_MESSAGE_MAX bytes */
    pcapng_t *pcapng;   /* NULL: another format */
    symbols_t *symbols; /* NULL: the messages of the topic say their symbol, or have none */
} exporter_t;

static int fail_record(exporter_t *x, const tbus_journal_record_t *record, const char *what,
                       tbus_error_t *err)
{
    x->refused = true;
    return tbus_fail(
        err, -TBUS_ECORRUPT,
        "message %" PRIu64 " of topic '%s' (segment %08u.tbj, offset %" PRIu64 " in %s) %s",
        record->seq, x->topic->name, record->segment, record->offset, x->request->directory, what);
}

/* The bytes that were fed, into x->message. */
static int encode_tick(exporter_t *x, const tbus_journal_record_t *record, size_t *out_bytes,
                       tbus_error_t *err)
{
    const tick_t *tick = record->payload;
    tick_t padded;
    if (record->bytes < sizeof *tick) {
        padded = message_tick(record->payload, record->bytes);
        tick = &padded;
    }
    if (message_identify(x->topic->type, record->bytes) != MESSAGE_TICK ||
        itch_encode(tick, record->bytes, x->message, out_bytes) < 0)
        return fail_record(x, record, "is no tick that a feed publishes", err);
    return 0;
}

/* Marks tell of what the file lacks, to who knows them. What a snapshot has brought would be orders
 * that there are already. */
static bool is_for_us_alone(exporter_t *x, const tick_t *tick, size_t bytes)
{
    if (tick->type != TICK_RESTORE)
        return tick->type == TICK_GAP || x->restoring;
    x->restoring = bytes >= TICK_RESTORE_BYTES && tick->body[0] == TICK_RESTORE_BEGINS;
    return true;
}

/* BinaryFILE: a 2-byte big-endian length, then the message; the length 0 alone ends the file. So
 * there is no way to have a message without bytes in it, nor an end mark before another message,
 * which older recordings may have. */
static int put_itch(exporter_t *x, const tbus_journal_record_t *record, tbus_error_t *err)
{
    size_t bytes;
    int code = encode_tick(x, record, &bytes, err);
    if (code < 0)
        return code;
    x->left_out += x->ends;
    x->ends = ((const tick_t *)record->payload)->type == TICK_END_MARK;
    if (is_for_us_alone(x, record->payload, record->bytes) || bytes == 0) {
        x->left_out += !x->ends;
        return 0;
    }
    const uint8_t length[2] = {(uint8_t)(bytes >> 8), (uint8_t)bytes};
    fwrite_unlocked(length, 1, sizeof length, x->out);
    fwrite_unlocked(x->message, 1, bytes, x->out);
    return 0;
}

static int put_pcapng(exporter_t *x, const tbus_journal_record_t *record, tbus_error_t *err)
{
    const void *message = record->payload;
    size_t bytes = record->bytes;
    const message_type_t *type = message_type(x->topic->type);
    if (type && type->id == MESSAGE_TICK) {
        int code = encode_tick(x, record, &bytes, err);
        if (code < 0)
            return code;
        message = x->message;
    }
    return pcapng_put(x->pcapng, record->seq, record->time_ns, message, bytes)
               ? 0
               : fail_record(x, record, "is too long for a packet; try jsonl or itch", err);
}

/* Every place that was passed over since we last looked. Returns how many there are. */
static uint32_t tell_damage(exporter_t *x)
{
    const tbus_journal_damage_t *places;
    char text[256];
    uint32_t count = tbus_journal_reader_damage(x->reader, &places);
    for (; x->damage_told < count; x->damage_told++) {
        const tbus_journal_damage_t *place = &places[x->damage_told];
        snprintf(text, sizeof text,
                 "segment %08" PRIu32 ".tbj is damaged at offset %" PRIu64 ": %s", place->segment,
                 place->offset, place->what);
        x->request->tell(x->request->context, text);
    }
    return count;
}

/* The message is not the next: are those between lost in a damage? Then that is told. */
static bool is_hole(exporter_t *x, const tbus_journal_record_t *record)
{
    char text[128];
    if (!x->request->skip_damage || tell_damage(x) == x->damage_seen || record->seq < x->next_seq)
        return false;
    snprintf(text, sizeof text, "messages %" PRIu64 " to %" PRIu64 " of topic '%s' are lost",
             x->next_seq, record->seq - 1, x->topic->name);
    x->request->tell(x->request->context, text);
    return true;
}

static int put_record(exporter_t *x, const tbus_journal_record_t *record, tbus_error_t *err)
{
    bool whole = x->request->format == EXPORT_ITCH || x->request->format == EXPORT_CSV;
    if (x->next_seq && record->seq != x->next_seq && x->ordered && !is_hole(x, record) && whole) {
        char what[96];
        snprintf(what, sizeof what,
                 "comes where %" PRIu64 " was expected: those between were not recorded",
                 x->next_seq);
        return fail_record(x, record, what, err);
    }
    if (x->request->skip_damage)
        x->damage_seen = tell_damage(x);
    x->next_seq = record->seq + 1;
    x->messages++;
    switch (x->request->format) {
    case EXPORT_ITCH:
        return put_itch(x, record, err);
    case EXPORT_PCAPNG:
        return put_pcapng(x, record, err);
    case EXPORT_CSV:
        if (!message_csv_row(x->out, x->topic->type, record->seq, record->payload, record->bytes,
                             x->request->stamps, x->symbols))
            return fail_record(x, record, "does not have the length of its type", err);
        return 0;
    default:
        message_text_json(x->out, x->topic->type, record->seq, record->payload, record->bytes,
                          x->symbols);
        return 0;
    }
}

/* Damage is to end the export, and the reader passes it over, since a segment cannot be opened at
 * all: has it come to a place? */
static int fail_at_damage(const exporter_t *x, tbus_error_t *err)
{
    const tbus_journal_damage_t *place;
    if (!x->stops_at_damage || tbus_journal_reader_damage(x->reader, &place) == 0)
        return 0;
    return tbus_fail(err, -TBUS_ECORRUPT,
                     "segment %08" PRIu32 ".tbj of the journal in %s is damaged at offset %" PRIu64
                     ": %s",
                     place->segment, x->request->directory, place->offset, place->what);
}

static int begin_output(exporter_t *x, tbus_error_t *err)
{
    const tbus_journal_info_t *info = tbus_journal_reader_info(x->reader);
    if (x->request->format == EXPORT_CSV)
        fprintf(x->out, "%s\n", message_csv_columns(x->topic->type, x->request->stamps));
    if (x->request->format != EXPORT_PCAPNG)
        return 0;
    x->pcapng = pcapng_create(x->out, info->session_name, x->topic->name, info->started_realtime_ns,
                              x->topic->first_seq);
    return x->pcapng ? 0 : tbus_fail(err, -ENOMEM, "no memory");
}

/* Not of a part, nor after an error: the session goes on behind it. */
static void end_output(exporter_t *x, int code)
{
    if (x->ends)
        fwrite_unlocked("\0", 1, 2, x->out);
    if (!x->pcapng)
        return;
    if (code == 0 && !x->reached && tbus_journal_reader_end(x->reader) == TBUS_JOURNAL_CLOSED)
        pcapng_end_session(x->pcapng);
    else
        pcapng_flush(x->pcapng);
}

/* What the recorder itself left out, and says so, is told and no damage. */
static void pass_named_hole(exporter_t *x, const tbus_journal_record_t *record)
{
    char reason[NAMED_HOLE_REASON_MAX];
    char text[NAMED_HOLE_REASON_MAX + 128];
    uint64_t to;
    if (!x->next_seq || !named_hole(record, x->topic->name, x->next_seq, &to, reason))
        return;
    snprintf(text, sizeof text,
             "messages %" PRIu64 " to %" PRIu64 " of topic '%s' were not recorded: %s", x->next_seq,
             to, x->topic->name, reason);
    if (x->request->tell)
        x->request->tell(x->request->context, text);
    x->next_seq = to + 1;
}

static void learn_symbols(exporter_t *x, const tbus_journal_record_t *record)
{
    const tbus_journal_topic_t *topics = tbus_journal_reader_info(x->reader)->topics;
    if (x->symbols && record->topic != TBUS_JOURNAL_SESSION_TOPIC)
        symbols_learn(x->symbols, topics[record->topic].type, record->seq, record->payload,
                      record->bytes);
}

/* Symbols are told at the beginning of a day: where they are lacked, all is read up to `from`. */
static int go_to_begin(exporter_t *x, tbus_error_t *err)
{
    tbus_journal_record_t record;
    int code = 1;
    if (x->symbols && x->span.from.at != SPAN_AT_START) {
        while ((code = tbus_journal_reader_next(x->reader, &record, err)) > 0 &&
               !span_place_reached(&x->span.from, &record))
            learn_symbols(x, &record);
        if (code <= 0)
            return code;
    }
    return span_begin(&x->span, x->reader, err);
}

static int put_all(exporter_t *x, tbus_error_t *err)
{
    tbus_journal_record_t record;
    errno = 0;
    int code = go_to_begin(x, err);
    x->reached = code == 0; /* nothing is there */
    if (code <= 0)
        return code;
    code = 0;
    while (code == 0 && (code = tbus_journal_reader_next(x->reader, &record, err)) > 0) {
        code = fail_at_damage(x, err);
        if (code < 0)
            return code;
        if (span_place_reached(&x->span.to, &record)) {
            x->reached = true;
            return 0;
        }
        if (record.topic == TBUS_JOURNAL_SESSION_TOPIC)
            pass_named_hole(x, &record);
        learn_symbols(x, &record);
        code = record.topic == x->topic_index ? put_record(x, &record, err) : 0;
        if (code == 0 && ferror_unlocked(x->out))
            code = tbus_fail(err, errno ? -errno : -EIO, "cannot write %s: %s", x->request->output,
                             tbus_strerror(errno ? -errno : -EIO));
    }
    return code == 0 ? fail_at_damage(x, err) : code;
}

static int fail_topic(const exporter_t *x, tbus_error_t *err)
{
    const tbus_journal_info_t *info = tbus_journal_reader_info(x->reader);
    char names[TBUS_JOURNAL_TOPICS_MAX * (TBUS_NAME_MAX + 2)] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < info->topics_count; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 info->topics[i].name);
    return tbus_fail(err, -TBUS_ENOTFOUND, "the journal in %s has no topic '%s'; it has: %s",
                     x->request->directory, x->request->topic, names);
}

static int check_version(const exporter_t *x, const message_type_t *type, tbus_error_t *err)
{
    if (!type || message_type_reads(type, x->topic->type_version))
        return 0;
    return tbus_fail(err, -TBUS_EABI,
                     "topic '%s' carries messages of type '%s' in version %" PRIu32
                     ", and this tickbus reads version %" PRIu32 "; export it with %s",
                     x->topic->name, x->topic->type, x->topic->type_version, type->version,
                     x->topic->type_version > type->version ? "a newer one" : "an older one");
}

/* Whether the topic can be had in that format. */
static int choose_topic(exporter_t *x, tbus_error_t *err)
{
    x->topic_index = tbus_journal_reader_topic(x->reader, x->request->topic);
    if (x->topic_index < 0)
        return fail_topic(x, err);
    x->topic = &tbus_journal_reader_info(x->reader)->topics[x->topic_index];
    if (x->request->from.kind <= SPAN_OLDEST &&
        tbus_journal_reader_info(x->reader)->first_segment == 1)
        x->next_seq = x->topic->first_seq;
    const message_type_t *type = message_type(x->topic->type);
    enum message_id id = type ? type->id : MESSAGE_UNKNOWN;
    x->ordered = topic_is_gapless(x->topic);
    if (x->request->format == EXPORT_ITCH && id != MESSAGE_TICK)
        return tbus_fail(err, -TBUS_EFORMAT,
                         "topic '%s' carries messages of type '%s', and only ticks can be ITCH",
                         x->topic->name, x->topic->type);
    if (x->request->format == EXPORT_CSV &&
        !message_csv_columns(x->topic->type, x->request->stamps))
        return tbus_fail(err, -TBUS_EFORMAT,
                         "topic '%s' carries messages of type '%s', which have no CSV; try jsonl",
                         x->topic->name, x->topic->type);
    return check_version(x, type, err);
}

static int write_output(exporter_t *x, tbus_error_t *err)
{
    output_file_t output;
    int code = output_file_open(x->request->output, &output, err);
    if (code < 0)
        return code;
    x->out = output.stream;
    code = begin_output(x, err);
    if (code == 0)
        code = put_all(x, err);
    end_output(x, code);
    if (x->request->skip_damage)
        tell_damage(x);
    /* What lies before a damage is worth keeping; what lies before a message that cannot be had in
     * this format is no file of that format. */
    if (code < 0 && !(code == -TBUS_ECORRUPT && x->messages && !x->refused)) {
        output_file_abandon(&output);
        return code;
    }
    int committed = output_file_commit(&output, code == 0 ? err : NULL);
    return code < 0 ? code : committed;
}

static int find_span(exporter_t *x, tbus_error_t *err)
{
    const export_request_t *request = x->request;
    return span_find(request->directory, request->skip_damage || x->stops_at_damage,
                     (uint16_t)x->topic_index, &request->from, &request->to, &x->span, err);
}

/* A journal of which a segment cannot be opened can be read up to that. */
static int open_reader(exporter_t *x, tbus_error_t *err)
{
    const char *directory = x->request->directory;
    int code = x->request->skip_damage ? -TBUS_ECORRUPT
                                       : tbus_journal_reader_open(directory, &x->reader, err);
    if (code != -TBUS_ECORRUPT)
        return code;
    x->stops_at_damage = !x->request->skip_damage;
    return tbus_journal_reader_open_damaged(directory, &x->reader, err);
}

int export_topic(const export_request_t *request, export_result_t *out_result, tbus_error_t *err)
{
    exporter_t x = {.request = request};
    int code = open_reader(&x, err);
    if (code < 0)
        return code;
    *out_result = (export_result_t){0};
    code = choose_topic(&x, err);
    if (code == 0)
        code = find_span(&x, err);
    if (code == 0) {
        bool lacked = symbols_lacked_by(x.topic->type);
        tbus_journal_reader_show_session(x.reader);
        x.message = malloc(ITCH_MESSAGE_MAX);
        x.symbols = lacked ? symbols_create() : NULL;
        code = x.message && (x.symbols || !lacked) ? write_output(&x, err)
                                                   : tbus_fail(err, -ENOMEM, "no memory");
    }
    if (code == 0 || code == -TBUS_ECORRUPT)
        *out_result = (export_result_t){.messages = x.refused ? 0 : x.messages - x.left_out,
                                        .left_out = x.left_out,
                                        .end = x.reached ? TBUS_JOURNAL_CLOSED
                                                         : tbus_journal_reader_end(x.reader),
                                        .torn_bytes = tbus_journal_reader_torn_bytes(x.reader)};
    free(x.message);
    pcapng_destroy(x.pcapng);
    symbols_destroy(x.symbols);
    tbus_journal_reader_close(x.reader);
    return code;
}
