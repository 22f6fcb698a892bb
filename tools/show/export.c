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
#include "tools/show/output_file.h"
#include "tools/show/symbols.h"

typedef struct exporter {
    const export_request_t *request;
    tbus_journal_reader_t *reader;
    const tbus_journal_topic_t *topic;
    int topic_index;
    FILE *out;
    uint64_t next_seq; /* that a whole topic goes on with */
    uint64_t messages;
    bool ordered;       /* one publisher: no sequence may be missing */
    uint8_t *message;   /* itch: ITCH_MESSAGE_MAX bytes */
    symbols_t *symbols; /* NULL: the messages of the topic say their symbol, or have none */
} exporter_t;

static int fail_record(const exporter_t *x, const tbus_journal_record_t *record, const char *what,
                       tbus_error_t *err)
{
    return tbus_fail(
        err, -TBUS_ECORRUPT,
        "message %" PRIu64 " of topic '%s' (segment %08u.tbj, offset %" PRIu64 " in %s) %s",
        record->seq, x->topic->name, record->segment, record->offset, x->request->directory, what);
}

/* BinaryFILE: a 2-byte big-endian length, then the message; an end mark is the length 0 alone. */
static int put_itch(exporter_t *x, const tbus_journal_record_t *record, tbus_error_t *err)
{
    const tick_t *tick = record->payload;
    tick_t padded;
    size_t bytes;
    if (record->bytes < sizeof *tick) {
        padded = message_tick(record->payload, record->bytes);
        tick = &padded;
    }
    if (message_identify(x->topic->type, record->bytes) != MESSAGE_TICK ||
        itch_encode(tick, record->bytes, x->message, &bytes) < 0)
        return fail_record(x, record, "is no tick that a feed publishes", err);
    const uint8_t length[2] = {(uint8_t)(bytes >> 8), (uint8_t)bytes};
    fwrite_unlocked(length, 1, sizeof length, x->out);
    fwrite_unlocked(x->message, 1, bytes, x->out);
    return 0;
}

static int put_record(exporter_t *x, const tbus_journal_record_t *record, tbus_error_t *err)
{
    if (record->seq != x->next_seq && x->ordered && x->request->format != EXPORT_JSONL) {
        char what[96];
        snprintf(what, sizeof what,
                 "comes where %" PRIu64 " was expected: those between were not recorded",
                 x->next_seq);
        return fail_record(x, record, what, err);
    }
    x->next_seq = record->seq + 1;
    x->messages++;
    switch (x->request->format) {
    case EXPORT_ITCH:
        return put_itch(x, record, err);
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

static int put_all(exporter_t *x, tbus_error_t *err)
{
    const tbus_journal_topic_t *topics = tbus_journal_reader_info(x->reader)->topics;
    tbus_journal_record_t record;
    int code = 0;
    if (x->request->format == EXPORT_CSV)
        fprintf(x->out, "%s\n", message_csv_columns(x->topic->type, x->request->stamps));
    errno = 0;
    while (code == 0 && (code = tbus_journal_reader_next(x->reader, &record, err)) > 0) {
        if (x->symbols)
            symbols_learn(x->symbols, topics[record.topic].type, record.payload, record.bytes);
        code = record.topic == x->topic_index ? put_record(x, &record, err) : 0;
        if (code == 0 && ferror_unlocked(x->out))
            code = tbus_fail(err, errno ? -errno : -EIO, "cannot write %s: %s", x->request->output,
                             tbus_strerror(errno ? -errno : -EIO));
    }
    return code;
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
    code = put_all(x, err);
    if (code == 0)
        return output_file_commit(&output, err);
    output_file_abandon(&output);
    return code;
}

int export_topic(const export_request_t *request, export_result_t *out_result, tbus_error_t *err)
{
    exporter_t x = {.request = request};
    int code = tbus_journal_reader_open(request->directory, &x.reader, err);
    if (code < 0)
        return code;
    code = choose_topic(&x, err);
    if (code == 0) {
        bool lacked = symbols_lacked_by(x.topic->type);
        x.message = malloc(ITCH_MESSAGE_MAX);
        x.symbols = lacked ? symbols_create() : NULL;
        code = x.message && (x.symbols || !lacked) ? write_output(&x, err)
                                                   : tbus_fail(err, -ENOMEM, "no memory");
    }
    if (code == 0)
        *out_result = (export_result_t){.messages = x.messages,
                                        .end = tbus_journal_reader_end(x.reader),
                                        .torn_bytes = tbus_journal_reader_torn_bytes(x.reader)};
    free(x.message);
    symbols_destroy(x.symbols);
    tbus_journal_reader_close(x.reader);
    return code;
}
