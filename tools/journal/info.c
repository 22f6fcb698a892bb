/* SPDX-License-Identifier: Apache-2.0 */
/* busctl journal info: what a recording holds. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "tools/journal/arguments.h"
#include "tools/journal/describe.h"
#include "tools/journal/verbs.h"
#include "tools/measure/provenance.h"
#include "tools/show/grouped.h"
#include "tools/show/json_text.h"
#include "tools/show/outcome.h"
#include "tools/show/session.h"

static const char help[] =
    "usage: busctl journal info DIR [--json]\n"
    "\n"
    "What the journal in DIR holds: session, segments, what was run, halts, resumes\n"
    "and changes of limits, and for each topic its records. Every record is read and\n"
    "checked. A journal that is being written is shown as far as it has come.\n"
    "\n"
    "  --json    one JSON object\n"
    "\n"
    "example: busctl journal info ./session1 --json | jq .topics.md.records\n";

#define SCHEMA 1 /* provenance.h */

typedef struct topic_count {
    uint64_t records;
    uint64_t first_seq;
    uint64_t last_seq;
    uint64_t payload_bytes;
} topic_count_t;

typedef struct inventory {
    tbus_journal_reader_t *reader;
    const tbus_journal_info_t *info;
    topic_count_t topics[TBUS_JOURNAL_TOPICS_MAX];
    uint64_t records;
    session_t session;
    const char *end;
    tbus_error_t error; /* code 0, or what stopped the reading */
} inventory_t;

static void count_records(inventory_t *in)
{
    tbus_journal_record_t record;
    int code;
    if (!session_begin(&in->session)) {
        tbus_fail(&in->error, -ENOMEM, "no memory to tell of a journal");
        return;
    }
    tbus_journal_reader_show_session(in->reader);
    tbus_journal_reader_check_seals(in->reader);
    while ((code = tbus_journal_reader_next(in->reader, &record, &in->error)) > 0) {
        bool of_session = record.topic == TBUS_JOURNAL_SESSION_TOPIC;
        if (!session_take(&in->session, of_session ? "" : in->info->topics[record.topic].type,
                          &record)) {
            code = tbus_fail(&in->error, -ENOMEM, "no memory to tell of a journal");
            break;
        }
        if (of_session)
            continue;
        topic_count_t *topic = &in->topics[record.topic];
        if (topic->records++ == 0)
            topic->first_seq = record.seq;
        topic->last_seq = record.seq;
        topic->payload_bytes += record.bytes;
        in->records++;
    }
    session_end(&in->session);
    in->end = code < 0 ? "damaged" : describe_end(tbus_journal_reader_end(in->reader));
}

static void print_inventory(const inventory_t *in)
{
    char session[DESCRIBE_ID_MAX], started[DESCRIBE_TIME_MAX];
    const tbus_journal_info_t *info = in->info;
    printf("session   %s%s%s\nbus       %s\nstarted   %s\n", info->session_name,
           info->session_name[0] ? " " : "", describe_id(info, session), info->bus_name,
           describe_time(info->started_realtime_ns, started));
    char texts[4][GROUPED_MAX];
    printf("segments  %" PRIu32 ", %s bytes\n", info->segments,
           grouped((int64_t)info->bytes, texts[0]));
    printf("records   %s\nend       %s", grouped((int64_t)in->records, texts[0]), in->end);
    if (strcmp(in->end, "torn") == 0)
        printf(": the recording did not come to its end; %s bytes behind the last whole record",
               grouped((int64_t)tbus_journal_reader_torn_bytes(in->reader), texts[0]));
    if (strcmp(in->end, "broken") == 0)
        printf(": %s", tbus_journal_reader_broken(in->reader)->text);
    char digest[DESCRIBE_SEAL_MAX];
    uint32_t sealed = describe_seals(in->reader, digest);
    printf("\nsealed    %" PRIu32 " of %" PRIu32 " segments\n", sealed, info->segments);
    if (sealed)
        printf("sha256    %s\n", digest);
    session_print(&in->session, stdout);
    printf("\n%-9s %-7s %-12s %11s %11s %11s %13s\n", "topic", "type", "ring", "records",
           "first seq", "last seq", "payload bytes");
    for (uint32_t i = 0; i < info->topics_count; i++) {
        const topic_count_t *topic = &in->topics[i];
        printf("%-9s %-7s %-12s %11s %11s %11s %13s\n", info->topics[i].name, info->topics[i].type,
               describe_ring(info->topics[i].ring_kind), grouped((int64_t)topic->records, texts[0]),
               grouped((int64_t)topic->first_seq, texts[1]),
               grouped((int64_t)topic->last_seq, texts[2]),
               grouped((int64_t)topic->payload_bytes, texts[3]));
    }
}

/* `type_version` 0: unknown. */
static json_t *topic_json(const tbus_journal_topic_t *topic, const topic_count_t *count)
{
    char layout_id[17];
    snprintf(layout_id, sizeof layout_id, "%016" PRIx64, topic->layout_id);
    return json_pack("{s:o, s:I, s:s, s:s, s:I, s:I, s:I, s:I}", "type",
                     json_text(topic->type, sizeof topic->type), "type_version",
                     (json_int_t)topic->type_version, "ring", describe_ring(topic->ring_kind),
                     "layout_id", layout_id, "records", (json_int_t)count->records, "first_seq",
                     (json_int_t)count->first_seq, "last_seq", (json_int_t)count->last_seq,
                     "payload_bytes", (json_int_t)count->payload_bytes);
}

static void print_inventory_json(const inventory_t *in)
{
    char session[DESCRIBE_ID_MAX];
    const tbus_journal_info_t *info = in->info;
    json_t *topics = json_object();
    for (uint32_t i = 0; i < info->topics_count; i++)
        json_object_set_new(topics, info->topics[i].name,
                            topic_json(&info->topics[i], &in->topics[i]));
    json_t *object = json_pack(
        "{s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:o}", "session",
        describe_id(info, session), "session_name", info->session_name, "bus",
        json_text(info->bus_name, sizeof info->bus_name), "started_realtime_ns",
        (json_int_t)info->started_realtime_ns, "segments", (json_int_t)info->segments,
        "segment_bytes", (json_int_t)info->segment_bytes, "bytes", (json_int_t)info->bytes,
        "records", (json_int_t)in->records, "end", in->end, "torn_bytes",
        (json_int_t)tbus_journal_reader_torn_bytes(in->reader), "topics", topics);
    char digest[DESCRIBE_SEAL_MAX];
    uint32_t sealed = describe_seals(in->reader, digest);
    json_object_set_new(object, "sealed", json_integer(sealed));
    json_object_set_new(object, "sha256", sealed ? json_string(digest) : json_null());
    session_add_json(&in->session, object);
    if (object)
        provenance_add(object, SCHEMA);
    if (object && in->error.code)
        json_object_set_new(object, "error", json_text(in->error.text, sizeof in->error.text));
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

static int inspect(const char *verb, const char *directory, bool json)
{
    inventory_t in = {0};
    if (tbus_journal_reader_open(directory, &in.reader, &in.error) < 0)
        return outcome_failed(verb, "%s", in.error.text);
    in.info = tbus_journal_reader_info(in.reader);
    count_records(&in);
    if (!json)
        print_inventory(&in);
    else
        print_inventory_json(&in);
    tbus_journal_reader_close(in.reader);
    session_clear(&in.session);
    int code = outcome_printed(verb);
    return in.error.code ? outcome_failed(verb, "%s", in.error.text) : code;
}

int journal_verb_info(int argc, char **argv)
{
    bool json = false;
    const char *directory;
    int code;
    return journal_plain_arguments(argc, argv, help, &json, &directory, &code)
               ? inspect(argv[0], directory, json)
               : code;
}
