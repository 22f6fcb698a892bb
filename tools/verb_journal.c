/* SPDX-License-Identifier: Apache-2.0 */
/* busctl journal info | config | export: what a recording holds, with which configuration it was
 * made, and a topic of it in a format that others read. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "tools/measure/provenance.h"
#include "tools/show/export.h"
#include "tools/show/grouped.h"
#include "tools/show/json_text.h"
#include "tools/show/outcome.h"
#include "tools/show/session.h"
#include "tools/verbs.h"

static const char help_journal[] =
    "usage: busctl journal info DIR [--json]\n"
    "       busctl journal config DIR\n"
    "       busctl journal export DIR --topic TOPIC [OPTION...]\n"
    "\n"
    "Look into a journal that `busctl start --journal DIR` recorded.\n"
    "\n"
    "  info      session, segments, what was run, what was done to it, and what was\n"
    "            recorded of each topic\n"
    "  config    the configuration that was in force at the start\n"
    "  export    a topic as ITCH 5.0, CSV or JSON lines\n"
    "\n"
    "example: busctl journal info ./session1\n";

static const char help_info[] =
    "usage: busctl journal info DIR [--json]\n"
    "\n"
    "What the journal in DIR holds: session, segments, what was run, halts, resumes\n"
    "and changes of limits, and for each topic its records. Every record is read and\n"
    "checked. A journal that is being written is shown as far as it has come.\n"
    "\n"
    "  --json    one JSON object\n"
    "\n"
    "example: busctl journal info ./session1 --json | jq .topics.md.records\n";

static const char help_config[] =
    "usage: busctl journal config DIR\n"
    "\n"
    "Print the configuration that the session in DIR was started with, as JSON that\n"
    "`busctl start -c FILE` reads. Later changes of limits are events: see info.\n"
    "\n"
    "example: busctl journal config ./session1 > session1.json\n";

static const char help_export[] =
    "usage: busctl journal export DIR --topic TOPIC [--format itch|csv|jsonl]\n"
    "                             [--stamps] [-o FILE]\n"
    "\n"
    "Write one topic of the journal in DIR to FILE, which appears when it is\n"
    "complete or not at all.\n"
    "\n"
    "  --topic TOPIC      md, bbo, orders, judged, approved, reports or events\n"
    "  --format FORMAT    itch: ITCH 5.0 in BinaryFILE framing, the very bytes that\n"
    "                     were fed (topics of ticks only)\n"
    "                     csv: a header and a row for each message (default)\n"
    "                     jsonl: a JSON object a line\n"
    "  --stamps           csv: the host's own clock as well (intended_ns, sent_ns);\n"
    "                     without, two runs that did the same give the same file\n"
    "  -o FILE            - is stdout (default)\n"
    "\n"
    "example: busctl journal export ./session1 --topic md --format itch -o fed.itch\n"
    "         busctl journal export ./session1 --topic bbo --format csv | head\n";

/* --- info --- */

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
    static const char *const ends[] = {[TBUS_JOURNAL_LIVE] = "live",
                                       [TBUS_JOURNAL_CLOSED] = "closed",
                                       [TBUS_JOURNAL_TORN] = "torn",
                                       [TBUS_JOURNAL_BROKEN] = "broken"};
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
    in->end = code < 0 ? "damaged" : ends[tbus_journal_reader_end(in->reader)];
}

static void print_started(uint64_t realtime_ns)
{
    time_t seconds = (time_t)(realtime_ns / UINT64_C(1000000000));
    char text[32];
    struct tm parts;
    if (gmtime_r(&seconds, &parts) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts))
        printf("started   %s.%09" PRIu64 " UTC\n", text, realtime_ns % UINT64_C(1000000000));
}

static void session_text(const tbus_journal_info_t *info, char out_text[33])
{
    for (unsigned i = 0; i < sizeof info->session_id; i++)
        snprintf(out_text + (size_t)2 * i, 3, "%02x", info->session_id[i]);
}

/* An older journal does not say. */
static const char *ring_kind_name(uint32_t kind)
{
    return kind ? tbus_ring_kind_name((enum tbus_ring_kind)kind) : "unknown";
}

/* Of the last segment that is sealed: it stands for all before it. Returns how many are. */
static uint32_t seals_text(const tbus_journal_reader_t *reader, char out_text[65])
{
    uint8_t digest[32];
    uint32_t sealed = tbus_journal_reader_seals(reader, digest);
    for (unsigned i = 0; i < sizeof digest; i++)
        snprintf(out_text + (size_t)2 * i, 3, "%02x", digest[i]);
    return sealed;
}

static void print_inventory(const inventory_t *in)
{
    char session[33];
    const tbus_journal_info_t *info = in->info;
    session_text(info, session);
    printf("session   %s%s%s\nbus       %s\n", info->session_name, info->session_name[0] ? " " : "",
           session, info->bus_name);
    print_started(info->started_realtime_ns);
    char texts[4][GROUPED_MAX];
    printf("segments  %" PRIu32 ", %s bytes\n", info->segments,
           grouped((int64_t)info->bytes, texts[0]));
    printf("records   %s\nend       %s", grouped((int64_t)in->records, texts[0]), in->end);
    if (strcmp(in->end, "torn") == 0)
        printf(": the recording did not come to its end; %s bytes behind the last whole record",
               grouped((int64_t)tbus_journal_reader_torn_bytes(in->reader), texts[0]));
    if (strcmp(in->end, "broken") == 0)
        printf(": %s", tbus_journal_reader_broken(in->reader)->text);
    char digest[65];
    uint32_t sealed = seals_text(in->reader, digest);
    printf("\nsealed    %" PRIu32 " of %" PRIu32 " segments\n", sealed, info->segments);
    if (sealed)
        printf("sha256    %s\n", digest);
    session_print(&in->session, stdout);
    printf("\n%-9s %-7s %-12s %11s %11s %11s %13s\n", "topic", "type", "ring", "records",
           "first seq", "last seq", "payload bytes");
    for (uint32_t i = 0; i < info->topics_count; i++) {
        const topic_count_t *topic = &in->topics[i];
        printf("%-9s %-7s %-12s %11s %11s %11s %13s\n", info->topics[i].name, info->topics[i].type,
               ring_kind_name(info->topics[i].ring_kind),
               grouped((int64_t)topic->records, texts[0]),
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
                     (json_int_t)topic->type_version, "ring", ring_kind_name(topic->ring_kind),
                     "layout_id", layout_id, "records", (json_int_t)count->records, "first_seq",
                     (json_int_t)count->first_seq, "last_seq", (json_int_t)count->last_seq,
                     "payload_bytes", (json_int_t)count->payload_bytes);
}

static void print_inventory_json(const inventory_t *in)
{
    char session[33];
    const tbus_journal_info_t *info = in->info;
    session_text(info, session);
    json_t *topics = json_object();
    for (uint32_t i = 0; i < info->topics_count; i++)
        json_object_set_new(topics, info->topics[i].name,
                            topic_json(&info->topics[i], &in->topics[i]));
    json_t *object = json_pack(
        "{s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:o}", "session", session,
        "session_name", info->session_name, "bus", json_text(info->bus_name, sizeof info->bus_name),
        "started_realtime_ns", (json_int_t)info->started_realtime_ns, "segments",
        (json_int_t)info->segments, "segment_bytes", (json_int_t)info->segment_bytes, "bytes",
        (json_int_t)info->bytes, "records", (json_int_t)in->records, "end", in->end, "torn_bytes",
        (json_int_t)tbus_journal_reader_torn_bytes(in->reader), "topics", topics);
    char digest[65];
    uint32_t sealed = seals_text(in->reader, digest);
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

static int verb_info(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool json = false;
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h')
            return outcome_help(argv[0], help_info);
        if (option == '?')
            return outcome_option(argv[0], argv[optind - 1], options);
        json = true;
    }
    if (argc - optind != 1)
        return outcome_usage(argv[0], argc == optind ? "the journal's directory is missing"
                                                     : "one journal at a time");
    return inspect(argv[0], argv[optind], json);
}

/* --- config --- */

static int print_configuration(const char *verb, const char *directory)
{
    inventory_t in = {0};
    if (tbus_journal_reader_open(directory, &in.reader, &in.error) < 0)
        return outcome_failed(verb, "%s", in.error.text);
    in.info = tbus_journal_reader_info(in.reader);
    count_records(&in);
    tbus_journal_reader_close(in.reader);
    bool whole = in.session.configuration.whole;
    if (whole)
        fwrite(in.session.configuration.text, 1, in.session.configuration.bytes, stdout);
    session_clear(&in.session);
    if (!whole)
        return outcome_failed(verb, "the journal in %s says nothing of a configuration%s%s",
                              directory, in.error.code ? ": " : "",
                              in.error.code ? in.error.text : "");
    return outcome_printed(verb);
}

static int verb_of_config(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;)
        return option == 'h' ? outcome_help(argv[0], help_config)
                             : outcome_option(argv[0], argv[optind - 1], options);
    if (argc - optind != 1)
        return outcome_usage(argv[0], argc == optind ? "the journal's directory is missing"
                                                     : "one journal at a time");
    return print_configuration(argv[0], argv[optind]);
}

/* --- export --- */

static bool parse_format(const char *text, enum export_format *out_format)
{
    static const char *const names[] = {
        [EXPORT_ITCH] = "itch", [EXPORT_CSV] = "csv", [EXPORT_JSONL] = "jsonl"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i]) == 0) {
            *out_format = (enum export_format)i;
            return true;
        }
    return false;
}

static int export_and_tell(const char *verb, const export_request_t *request)
{
    export_result_t result;
    char number[GROUPED_MAX];
    tbus_error_t err = {0};
    int code = export_topic(request, &result, &err);
    if (code == -EPIPE)
        return OUTCOME_OK; /* `| head` has seen enough */
    if (code < 0)
        return outcome_failed(verb, "%s", err.text);
    if (result.end == TBUS_JOURNAL_TORN)
        fprintf(stderr,
                "%s: note: the recorder was killed; this is what it had recorded (%" PRIu64
                " bytes behind the last whole record were cut off)\n",
                verb, result.torn_bytes);
    if (result.end == TBUS_JOURNAL_BROKEN)
        fprintf(stderr, "%s: note: the recording broke off with an error; this is what it had\n",
                verb);
    if (result.end == TBUS_JOURNAL_LIVE)
        fprintf(stderr, "%s: note: the journal is being written; this is as far as it had come\n",
                verb);
    if (strcmp(request->output, "-") != 0)
        fprintf(stderr, "%s: %s messages of '%s' in %s\n", verb,
                grouped((int64_t)result.messages, number), request->topic, request->output);
    return OUTCOME_OK;
}

static int verb_export(int argc, char **argv)
{
    static const struct option options[] = {
        {"topic", required_argument, NULL, 't'},  {"format", required_argument, NULL, 'f'},
        {"output", required_argument, NULL, 'o'}, {"stamps", no_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},         {0}};
    export_request_t request = {.format = EXPORT_CSV, .output = "-"};
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "ho:", options, NULL)) != -1;) {
        if (option == 'h')
            return outcome_help(argv[0], help_export);
        if (option == '?')
            return outcome_option(argv[0], argv[optind - 1], options);
        if (option == 't')
            request.topic = optarg;
        if (option == 'o')
            request.output = optarg;
        if (option == 's')
            request.stamps = true;
        if (option == 'f' && !parse_format(optarg, &request.format))
            return outcome_usage(argv[0], "--format %s: itch, csv or jsonl was expected", optarg);
    }
    if (argc - optind != 1)
        return outcome_usage(argv[0], argc == optind ? "the journal's directory is missing"
                                                     : "one journal at a time");
    if (!request.topic)
        return outcome_usage(
            argv[0],
            "which topic? Say --topic md, bbo, orders, judged, approved, reports or events");
    if (request.format == EXPORT_ITCH && strcmp(request.output, "-") == 0 && isatty(STDOUT_FILENO))
        return outcome_usage(argv[0], "ITCH is binary and no sight for a terminal: say -o FILE");
    request.directory = argv[optind];
    return export_and_tell(argv[0], &request);
}

int verb_journal(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } verbs[] = {{"info", verb_info}, {"config", verb_of_config}, {"export", verb_export}};
    if (argc < 2)
        return outcome_usage(argv[0], "what of it? Say info, config or export");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return outcome_help(argv[0], help_journal);
    for (unsigned i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(argv[1], verbs[i].name) == 0) {
            char name[64];
            snprintf(name, sizeof name, "%s %s", argv[0], argv[1]);
            argv[1] = name; /* for messages */
            return verbs[i].run(argc - 1, argv + 1);
        }
    return outcome_usage(argv[0], "%s: info, config or export was expected", argv[1]);
}
