/* SPDX-License-Identifier: Apache-2.0 */
/* busctl journal dump: all messages of a recording in the order of recording, a line each. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tickbus/journal.h>

#include "tools/journal/arguments.h"
#include "tools/journal/damage_failed.h"
#include "tools/journal/verbs.h"
#include "tools/show/line.h"
#include "tools/show/message_text.h"
#include "tools/show/outcome.h"
#include "tools/show/span.h"
#include "tools/show/symbols.h"

static const char help[] =
    "usage: busctl journal dump DIR [--topic TOPIC]... [OPTION...]\n"
    "\n"
    "The messages of all topics of the journal in DIR, in the order of recording, one\n"
    "line each: when it was recorded (seconds of the bus), topic, sequence, and what\n"
    "`busctl tap` shows of it.\n"
    "\n"
    "  --topic TOPIC      only this one; may be given several times. seq:N is of the\n"
    "                     first, or of md\n" SPAN_OPTIONS_HELP
    "  --session          the records about the session itself as well\n"
    "  --skip-damage      go on behind what is damaged; each place is named on stderr\n"
    "  --json             a JSON object a line: recorded_ns, topic, message\n"
    "\n"
    "example: busctl journal dump ./session1 --from 09:35 --to 09:35:01 | less\n";

typedef struct dump {
    const char *verb;
    const char *directory;
    const char *names[TBUS_JOURNAL_TOPICS_MAX];
    unsigned names_count; /* 0: all */
    span_point_t from;
    span_point_t to;
    bool session;
    bool skip_damage;
    bool json;

    tbus_journal_reader_t *reader;
    const tbus_journal_info_t *info;
    bool shown[TBUS_JOURNAL_TOPICS_MAX];
    span_t span;
    symbols_t *symbols;
    FILE *one; /* a message as text, without its newline: */
    char *text;
    size_t text_bytes;
    uint32_t damage_told;
} dump_t;

/* What `busctl tap` shows, without the newline. */
static const char *message_as_text(dump_t *d, const char *type, const tbus_journal_record_t *record)
{
    rewind(d->one);
    (d->json ? message_text_json : message_text_words)(d->one, type, record->seq, record->payload,
                                                       record->bytes, d->symbols);
    if (fflush(d->one) != 0 || d->text_bytes == 0)
        return "";
    d->text[d->text_bytes - 1] = 0;
    return d->text;
}

/* What a session record holds is text, and may be long. */
static void print_session(const dump_t *d, const tbus_journal_record_t *record)
{
    line_t line;
    tbus_journal_piece_t piece;
    if (!tbus_journal_record_piece(record, &piece))
        piece = (tbus_journal_piece_t){.data = "", .bytes = 0};
    line_begin(&line, stdout);
    if (d->json) {
        line_text(&line, "\"session\",\"message\":{\"seq\":");
        line_u64(&line, record->seq);
        line_text(&line, ",\"kind\":");
        line_u64(&line, piece.kind);
        line_text(&line, piece.more ? ",\"more\":true,\"text\":" : ",\"more\":false,\"text\":");
        line_json_utf8(&line, piece.data, piece.bytes);
        line_text(&line, "}}\n");
    } else {
        line_text(&line, "session  ");
        line_u64(&line, record->seq);
        line_text(&line, " kind ");
        line_u64(&line, piece.kind);
        line_char(&line, ' ');
        line_words_utf8(&line, piece.data, piece.bytes);
        line_text(&line, piece.more ? " ...\n" : "\n");
    }
    line_end(&line);
}

static void print_record(dump_t *d, const tbus_journal_record_t *record)
{
    bool of_session = record->topic == TBUS_JOURNAL_SESSION_TOPIC;
    if (d->json)
        printf("{\"recorded_ns\":%" PRIu64 ",\"topic\":", record->time_ns);
    else
        printf("%" PRIu64 ".%09" PRIu64 " ", record->time_ns / UINT64_C(1000000000),
               record->time_ns % UINT64_C(1000000000));
    if (of_session) {
        print_session(d, record);
        return;
    }
    const tbus_journal_topic_t *topic = &d->info->topics[record->topic];
    const char *text = message_as_text(d, topic->type, record);
    if (d->json) /* names of topics are identifiers */
        printf("\"%s\",\"message\":%s}\n", topic->name, text);
    else
        printf("%-8s %s\n", topic->name, text);
}

static void tell_damage(dump_t *d)
{
    const tbus_journal_damage_t *places;
    uint32_t count = tbus_journal_reader_damage(d->reader, &places);
    for (; d->damage_told < count; d->damage_told++) {
        const tbus_journal_damage_t *place = &places[d->damage_told];
        fprintf(stderr, "%s: segment %08" PRIu32 ".tbj is damaged at offset %" PRIu64 ": %s\n",
                d->verb, place->segment, place->offset, place->what);
    }
}

static bool is_shown(const dump_t *d, const tbus_journal_record_t *record)
{
    return record->topic == TBUS_JOURNAL_SESSION_TOPIC ? d->session : d->shown[record->topic];
}

/* 0; OUTCOME_FAILED was said; -EPIPE: nobody reads any more. */
static int print_all(dump_t *d)
{
    tbus_journal_record_t record;
    tbus_error_t why = {0};
    int code = span_begin(&d->span, d->reader, &why);
    while (code > 0 && (code = tbus_journal_reader_next(d->reader, &record, &why)) > 0) {
        if (d->skip_damage)
            tell_damage(d);
        if (span_place_reached(&d->span.to, &record))
            return 0;
        if (record.topic != TBUS_JOURNAL_SESSION_TOPIC)
            symbols_learn(d->symbols, d->info->topics[record.topic].type, record.seq,
                          record.payload, record.bytes);
        if (is_shown(d, &record))
            print_record(d, &record);
        if (ferror(stdout))
            return 0; /* outcome_printed tells */
    }
    if (d->skip_damage)
        tell_damage(d);
    return code < 0 ? damage_failed(d->verb, code, &why, d->skip_damage) : 0;
}

/* Which topics, and which part. */
static int choose(dump_t *d)
{
    tbus_error_t why = {0};
    int first = span_ticks(d->info);
    for (unsigned i = 0; i < TBUS_JOURNAL_TOPICS_MAX; i++)
        d->shown[i] = d->names_count == 0;
    for (unsigned i = 0; i < d->names_count; i++) {
        int topic = tbus_journal_reader_topic(d->reader, d->names[i]);
        if (topic < 0)
            return outcome_failed(d->verb, "the journal in %s has no topic '%s'", d->directory,
                                  d->names[i]);
        d->shown[topic] = true;
        first = i == 0 ? topic : first;
    }
    if (first < 0 && (d->from.kind == SPAN_SEQ || d->to.kind == SPAN_SEQ))
        return outcome_failed(d->verb, "seq:N of which topic? Say --topic TOPIC");
    int code = span_find(d->directory, d->skip_damage, (uint16_t)(first < 0 ? 0 : first), &d->from,
                         &d->to, &d->span, &why);
    return code < 0 ? damage_failed(d->verb, code, &why, d->skip_damage) : 0;
}

static int dump(dump_t *d)
{
    tbus_error_t why = {0};
    int code = d->skip_damage ? tbus_journal_reader_open_damaged(d->directory, &d->reader, &why)
                              : tbus_journal_reader_open(d->directory, &d->reader, &why);
    if (code < 0)
        return damage_failed(d->verb, code, &why, d->skip_damage);
    d->info = tbus_journal_reader_info(d->reader);
    if (d->session)
        tbus_journal_reader_show_session(d->reader);
    d->symbols = symbols_create();
    d->one = open_memstream(&d->text, &d->text_bytes);
    code = d->symbols && d->one ? choose(d) : outcome_failed(d->verb, "no memory");
    if (code == 0)
        code = print_all(d);
    if (d->one)
        fclose(d->one);
    free(d->text);
    symbols_destroy(d->symbols);
    tbus_journal_reader_close(d->reader);
    int printed = outcome_printed(d->verb);
    return code ? code : printed;
}

int journal_verb_dump(int argc, char **argv)
{
    static const struct option options[] = {
        {"topic", required_argument, NULL, 't'}, {"from", required_argument, NULL, 'a'},
        {"to", required_argument, NULL, 'z'},    {"session", no_argument, NULL, 's'},
        {"skip-damage", no_argument, NULL, 'd'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},        {0}};
    dump_t d = {.verb = argv[0]};
    tbus_error_t why = {0};
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h')
            return outcome_help(argv[0], help);
        if (option == '?')
            return outcome_option(argv[0], argv[optind - 1], options);
        if (option == 't' && d.names_count == TBUS_JOURNAL_TOPICS_MAX)
            return outcome_usage(argv[0], "a journal has at most %u topics",
                                 TBUS_JOURNAL_TOPICS_MAX);
        if (option == 't')
            d.names[d.names_count++] = optarg;
        if ((option == 'a' && span_parse(optarg, &d.from, &why) < 0) ||
            (option == 'z' && span_parse(optarg, &d.to, &why) < 0))
            return outcome_usage(argv[0], "%s", why.text);
        d.session |= option == 's';
        d.skip_damage |= option == 'd';
        d.json |= option == 'j';
    }
    int code = journal_directory_argument(argc, argv, &d.directory);
    return code == OUTCOME_OK ? dump(&d) : code;
}
