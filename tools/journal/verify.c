/* SPDX-License-Identifier: Apache-2.0 */
/* busctl journal verify: is a recording whole? If not, every place that is wrong. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "tools/journal/arguments.h"
#include "tools/journal/check.h"
#include "tools/journal/describe.h"
#include "tools/journal/verbs.h"
#include "tools/measure/provenance.h"
#include "tools/show/fold.h"
#include "tools/show/grouped.h"
#include "tools/show/json_text.h"
#include "tools/show/outcome.h"

static const char help[] =
    "usage: busctl journal verify DIR [--json]\n"
    "\n"
    "Check every byte of the journal in DIR: the CRC of every record, the SHA-256 of\n"
    "every finished segment and that of the one before it, that the sequences of each\n"
    "topic go up without a gap, and that there is nothing behind the end. Every place\n"
    "that is wrong is named. All CPUs that the process may run on take part (see\n"
    "taskset(1)). Exit code 0: it is whole; 1: it is not.\n"
    "\n"
    "A journal whose recorder was killed is torn, which is told and is no damage. Nor\n"
    "is a hole that the journal itself names. A journal that is being written is\n"
    "checked as far as it has come.\n"
    "\n"
    "  --json    one JSON object: ok, records, segments, end (closed, torn, live or\n"
    "            broken), damage: an array of segment, offset, bytes and what\n"
    "\n"
    "example: busctl journal verify ./session1 --json | jq -c '.damage[]'\n";

#define SCHEMA      1 /* provenance.h */
#define KEY_COLUMNS 10

static json_t *places_json(const check_t *c)
{
    json_t *places = json_array();
    for (uint32_t i = 0; i < c->damage_count; i++) {
        const tbus_journal_damage_t *place = &c->damage[i];
        json_array_append_new(places, json_pack("{s:I, s:I, s:I, s:o}", "segment",
                                                (json_int_t)place->segment, "offset",
                                                (json_int_t)place->offset, "bytes",
                                                (json_int_t)place->bytes, "what",
                                                json_text(place->what, sizeof place->what)));
    }
    return places;
}

/* Sequences that are missing for this reason. */
static json_t *gaps_json(const check_t *c, enum check_gap_kind kind)
{
    json_t *gaps = json_array();
    for (uint32_t i = 0; i < c->gaps_count; i++) {
        const check_gap_t *gap = &c->gaps[i];
        if (gap->kind != kind)
            continue;
        const char *topic = check_topic_name(c, gap->topic);
        json_array_append_new(gaps,
                              json_pack("{s:o, s:I, s:I}", "topic", json_text(topic, TBUS_NAME_MAX),
                                        "from", (json_int_t)gap->from, "to", (json_int_t)gap->to));
    }
    return gaps;
}

static json_t *seal_json(const check_t *c)
{
    char digest[DESCRIBE_SEAL_MAX];
    if (!c->reader || describe_seals(c->reader, digest) == 0)
        return json_null();
    return json_string(digest);
}

static void print_json(const check_t *c)
{
    char digest[DESCRIBE_SEAL_MAX];
    json_t *object = json_pack(
        "{s:b, s:I, s:I, s:I, s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "ok", check_ok(c), "records",
        (json_int_t)c->records, "segments", (json_int_t)(c->info ? c->info->segments : 0), "bytes",
        (json_int_t)(c->info ? c->info->bytes : 0), "end", describe_end(c->end), "torn_bytes",
        (json_int_t)(c->reader ? tbus_journal_reader_torn_bytes(c->reader) : 0), "sealed",
        (json_int_t)(c->reader ? describe_seals(c->reader, digest) : 0), "sha256", seal_json(c),
        "damage", places_json(c), "lost", gaps_json(c, CHECK_LOST), "holes",
        gaps_json(c, CHECK_HOLE));
    if (object)
        provenance_add(object, SCHEMA);
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

static void print_gaps(const check_t *c, enum check_gap_kind kind, const char *key)
{
    char texts[2][GROUPED_MAX];
    for (uint32_t i = 0; i < c->gaps_count; i++) {
        const check_gap_t *gap = &c->gaps[i];
        if (gap->kind == kind)
            printf("%-9s %s %s to %s\n", key, check_topic_name(c, gap->topic),
                   grouped((int64_t)gap->from, texts[0]), grouped((int64_t)gap->to, texts[1]));
    }
}

static void print_summary(const check_t *c)
{
    char texts[2][GROUPED_MAX], digest[DESCRIBE_SEAL_MAX];
    printf("segments  %" PRIu32 ", %s bytes\n", c->info->segments,
           grouped((int64_t)c->info->bytes, texts[0]));
    printf("records   %s\nend       %s", grouped((int64_t)c->records, texts[0]),
           describe_end(c->end));
    if (c->end == TBUS_JOURNAL_TORN)
        printf(": the recorder did not end in order; %s bytes behind the last record",
               grouped((int64_t)tbus_journal_reader_torn_bytes(c->reader), texts[0]));
    if (c->end == TBUS_JOURNAL_LIVE)
        printf(": it is being written, and was checked as far as it had come");
    printf("\nsealed    %" PRIu32 " of %" PRIu32 " segments\n", describe_seals(c->reader, digest),
           c->info->segments);
    if (c->end == TBUS_JOURNAL_BROKEN)
        fold(stdout, "why", KEY_COLUMNS, tbus_journal_reader_broken(c->reader)->text);
}

static void print_text(const check_t *c)
{
    char text[sizeof((tbus_journal_damage_t *)0)->what + 64];
    if (c->reader)
        print_summary(c);
    print_gaps(c, CHECK_HOLE, "hole");
    print_gaps(c, CHECK_LOST, "lost");
    for (uint32_t i = 0; i < c->damage_count; i++) {
        const tbus_journal_damage_t *place = &c->damage[i];
        snprintf(text, sizeof text, "%08" PRIu32 ".tbj, offset %" PRIu64 ": %s", place->segment,
                 place->offset, place->what);
        fold(stdout, "damage", KEY_COLUMNS, text);
    }
    if (check_ok(c))
        printf("whole     yes\n");
    else
        printf("whole     no: %" PRIu32 " place%s (what is whole can be had: %s journal repair)\n",
               c->damage_count, c->damage_count == 1 ? "" : "s", outcome_program());
}

int journal_verb_verify(int argc, char **argv)
{
    bool json = false;
    const char *directory;
    int code;
    check_t check;
    tbus_error_t why = {0};
    if (!journal_plain_arguments(argc, argv, help, &json, &directory, &code))
        return code;
    if (check_journal(directory, "checked", &check, &why) < 0) {
        check_clear(&check);
        return outcome_failed(argv[0], "%s", why.text);
    }
    (json ? print_json : print_text)(&check);
    bool ok = check_ok(&check);
    check_clear(&check);
    code = outcome_printed(argv[0]);
    return ok ? code : OUTCOME_FAILED;
}
