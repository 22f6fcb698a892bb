/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/check.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "bus/journal/format.h"
#include "bus/journal/reader.h"
#include "bus/journal/scanner.h"
#include "tools/journal/check_parts.h"
#include "tools/journal/meter.h"
#include "tools/show/gapless.h"

#define SESSION       TBUS_JOURNAL_TOPICS_MAX /* the row of session records */
#define ROOM_AT_FIRST 16u

/* --- lists --- */

/* Room for one more of `bytes` bytes. False: no memory. */
static bool grow(void **list, uint32_t count, uint32_t *room, size_t bytes)
{
    if (count < *room)
        return true;
    uint32_t more = *room ? 2 * *room : ROOM_AT_FIRST;
    void *larger = realloc(*list, more * bytes);
    if (!larger)
        return false;
    *list = larger;
    *room = more;
    return true;
}

bool check_add_damage(check_t *c, const tbus_journal_damage_t *place)
{
    for (uint32_t i = 0; i < c->damage_count; i++) {
        const tbus_journal_damage_t *other = &c->damage[i];
        if (place->segment == other->segment && place->offset >= other->offset &&
            place->offset < other->offset + other->bytes + (place->bytes == 0))
            return true;
    }
    if (!grow((void **)&c->damage, c->damage_count, &c->damage_room, sizeof *c->damage))
        return false;
    c->damage[c->damage_count++] = *place;
    return true;
}

static bool add_gap(check_gap_t **list, uint32_t *count, uint32_t *room, const check_gap_t *gap)
{
    if (!grow((void **)list, *count, room, sizeof **list))
        return false;
    (*list)[(*count)++] = *gap;
    return true;
}

static int by_place(const void *left, const void *right)
{
    const tbus_journal_damage_t *a = left, *b = right;
    if (a->segment != b->segment)
        return a->segment < b->segment ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* --- sequences --- */

const char *check_topic_name(const check_t *c, uint16_t topic)
{
    return topic < c->info->topics_count ? c->info->topics[topic].name : "session";
}

static uint32_t damage_so_far(const check_t *c)
{
    const tbus_journal_damage_t *places;
    return tbus_journal_reader_damage(c->reader, &places);
}

/* What the next record of a topic must be; 0: nobody can tell. */
static uint64_t expected_seq(const check_t *c, uint16_t row)
{
    const check_topic_t *topic = &c->topics[row];
    if (topic->records)
        return topic->last_seq + 1;
    if (c->info->first_segment > 1)
        return 0; /* what came before was removed */
    return row == SESSION ? 1 : c->info->topics[row].first_seq;
}

static bool add_out_of_order(check_t *c, uint16_t row, const tbus_journal_record_t *record,
                             uint64_t expected)
{
    tbus_journal_damage_t place = {.segment = record->segment, .offset = record->offset};
    snprintf(place.what, sizeof place.what,
             "message %" PRIu64 " of topic '%s' is out of order: %" PRIu64 " was to come next",
             record->seq, check_topic_name(c, row), expected);
    return check_add_damage(c, &place);
}

/* Is all of the gap named? Holes are named one after another, in the order of their sequences. */
static bool is_named(const check_t *c, const check_gap_t *gap)
{
    uint64_t from = gap->from;
    for (uint32_t i = 0; i < c->holes_count && from <= gap->to; i++)
        if (c->holes[i].topic == gap->topic && c->holes[i].from <= from && c->holes[i].to >= from)
            from = c->holes[i].to + 1;
    return from > gap->to;
}

/* From `expected` on, up to the record's own sequence, none is there. */
static bool note_gap(check_t *c, uint16_t row, const tbus_journal_record_t *record,
                     uint64_t expected)
{
    bool damaged = damage_so_far(c) != c->topics[row].damage_seen;
    bool gapless = row == SESSION || topic_is_gapless(&c->info->topics[row]);
    check_gap_t gap = {.kind = damaged   ? CHECK_LOST
                               : gapless ? CHECK_UNEXPLAINED
                                         : CHECK_TOMB,
                       .topic = row,
                       .from = expected,
                       .to = record->seq - 1,
                       .segment = record->segment,
                       .offset = record->offset};
    if (gap.kind == CHECK_TOMB && !is_named(c, &gap)) {
        c->topics[row].tombs += gap.to - gap.from + 1;
        return true;
    }
    return add_gap(&c->gaps, &c->gaps_count, &c->gaps_room, &gap);
}

static bool take_seq(check_t *c, uint16_t row, const tbus_journal_record_t *record)
{
    check_topic_t *topic = &c->topics[row];
    uint64_t expected = expected_seq(c, row);
    bool fine = true;
    if (expected && record->seq < expected)
        fine = add_out_of_order(c, row, record, expected);
    else if (expected && record->seq > expected)
        fine = note_gap(c, row, record, expected);
    if (topic->records++ == 0)
        topic->first_seq = record->seq;
    topic->last_seq = record->seq > topic->last_seq ? record->seq : topic->last_seq;
    topic->damage_seen = damage_so_far(c);
    if (record->bytes > topic->payload_bytes_max)
        topic->payload_bytes_max = record->bytes;
    return fine;
}

/* --- holes that the journal itself names --- */

static bool add_named_holes(check_t *c, const tbus_journal_record_t *record, const json_t *hole)
{
    size_t i;
    const json_t *named;
    bool fine = true;
    json_array_foreach(json_object_get(hole, "topics"), i, named)
    {
        const char *name = json_string_value(json_object_get(named, "topic"));
        int topic = tbus_journal_reader_topic(c->reader, name ? name : "");
        check_gap_t gap = {
            .kind = CHECK_HOLE,
            .topic = (uint16_t)topic,
            .from = (uint64_t)json_integer_value(json_object_get(named, "from")),
            .to = (uint64_t)json_integer_value(json_object_get(named, "to")),
            .segment = record->segment,
            .offset = record->offset,
        };
        if (topic >= 0 && gap.from <= gap.to)
            fine = fine && add_gap(&c->holes, &c->holes_count, &c->holes_room, &gap);
    }
    return fine;
}

/* An object that is cut over several records is longer than any that names a hole. */
static bool take_session_record(check_t *c, const tbus_journal_record_t *record)
{
    tbus_journal_piece_t piece;
    if (!tbus_journal_record_piece(record, &piece) || piece.kind != TBUS_JOURNAL_HOLE || piece.more)
        return true;
    json_t *hole = json_loadb(piece.data, piece.bytes, 0, NULL);
    bool fine = add_named_holes(c, record, hole);
    json_decref(hole);
    return fine;
}

/* What is neither named nor lost in a damage is a place of its own. */
static bool judge_gaps(check_t *c)
{
    bool fine = true;
    for (uint32_t i = 0; i < c->gaps_count; i++) {
        check_gap_t *gap = &c->gaps[i];
        if (is_named(c, gap))
            gap->kind = CHECK_HOLE;
        if (gap->kind != CHECK_UNEXPLAINED)
            continue;
        tbus_journal_damage_t place = {.segment = gap->segment, .offset = gap->offset};
        snprintf(place.what, sizeof place.what,
                 "messages %" PRIu64 " to %" PRIu64 " of topic '%s' are missing before it",
                 gap->from, gap->to, check_topic_name(c, gap->topic));
        fine = fine && check_add_damage(c, &place);
    }
    return fine;
}

/* --- records --- */

uint64_t check_end_of(const check_t *c, uint32_t segment)
{
    uint32_t index = segment - c->info->first_segment;
    return segment >= c->info->first_segment && index < c->ends_count ? c->ends[index] : 0;
}

static bool keep_end(check_t *c, uint32_t segment, uint64_t end)
{
    uint32_t index = segment - c->info->first_segment;
    if (index >= c->ends_count) {
        uint64_t *larger = realloc(c->ends, (index + 1) * sizeof *larger);
        if (!larger)
            return false;
        memset(larger + c->ends_count, 0, (index + 1 - c->ends_count) * sizeof *larger);
        c->ends = larger;
        c->ends_count = index + 1;
    }
    c->ends[index] = end;
    return true;
}

/* May that be the sequence of the row's next record? With several publishers it may be a later one,
 * but not where the rest of the header is still to come: then any flipped bit could be one. */
static bool may_come_next(const check_t *c, uint16_t row, const tbus_journal_record_header_t *begun,
                          bool exact)
{
    uint64_t expected = expected_seq(c, row);
    exact = exact || row == SESSION || topic_is_gapless(&c->info->topics[row]);
    return begun->seq &&
           (expected == 0 || begun->seq == expected || (!exact && begun->seq > expected));
}

bool check_is_begun(const check_t *c, const tbus_journal_record_header_t *begun, uint64_t bytes)
{
    if (tbus_load_relaxed_u32(&begun->length) != 0 || begun->flags || begun->pad)
        return false;
    if (begun->time_ns ? begun->time_ns < c->last_time_ns : bytes > sizeof *begun)
        return false;
    bool topic_to_come =
        begun->topic == 0 && bytes <= offsetof(tbus_journal_record_header_t, topic);
    for (uint16_t row = 0; row < CHECK_TOPICS_MAX; row++) {
        uint16_t topic = row == SESSION ? TBUS_JOURNAL_SESSION_TOPIC : row;
        uint64_t longest = c->topics[row].payload_bytes_max;
        bool is_it = topic == begun->topic;
        if ((is_it || topic_to_come) && (row == SESSION || row < c->info->topics_count) &&
            (longest == 0 || bytes <= tbus_journal_padded(sizeof *begun + longest)) &&
            may_come_next(c, row, begun, !is_it || !begun->time_ns))
            return true;
    }
    return false;
}

static bool take(check_t *c, const tbus_journal_record_t *record)
{
    bool of_session = record->topic == TBUS_JOURNAL_SESSION_TOPIC;
    uint64_t end = record->offset + tbus_journal_padded(TBUS_JOURNAL_RECORD_HEADER + record->bytes);
    c->records += !of_session;
    c->last_time_ns = record->time_ns;
    return take_seq(c, of_session ? SESSION : record->topic, record) &&
           keep_end(c, record->segment, end) && (!of_session || take_session_record(c, record));
}

static int fail_memory(const char *directory, tbus_error_t *err)
{
    return tbus_fail(err, -ENOMEM, "no memory to check the journal in %s", directory);
}

/* --- segments that are whole --- */

/* `record` is the first of its segment; does `scan` say all of that segment that there is to know?
 * Where a sequence is less than it should be each record is a place of its own. */
static bool is_told_by(const check_t *c, const tbus_journal_record_t *record,
                       const tbus_journal_scan_t *scan)
{
    TBUS_STATIC_ASSERT(CHECK_TOPICS_MAX == TBUS_JOURNAL_SCAN_TOPICS);
    TBUS_STATIC_ASSERT(SESSION == TBUS_JOURNAL_SCAN_SESSION);
    if (!scan || !scan->whole || !scan->plain || record->offset != TBUS_JOURNAL_HEADER_BYTES)
        return false;
    for (uint16_t row = 0; row < CHECK_TOPICS_MAX; row++)
        if (scan->topics[row].records && scan->topics[row].first_seq < expected_seq(c, row))
            return false;
    return true;
}

/* The row whose first record in the segment is the next behind `offset`; -1: there is none. */
static int next_row(const tbus_journal_scan_t *scan, uint64_t offset)
{
    int next = -1;
    for (int row = 0; row < (int)CHECK_TOPICS_MAX; row++)
        if (scan->topics[row].records && scan->topics[row].first_offset > offset &&
            (next < 0 || scan->topics[row].first_offset < scan->topics[next].first_offset))
            next = row;
    return next;
}

/* All records of a segment, as `take` takes them one by one: the first of each topic is behind what
 * came before the segment, in the order of recording, and the others are behind it. */
static bool take_scan(check_t *c, const tbus_journal_scan_t *scan)
{
    bool fine = true;
    uint64_t at = 0;
    for (int row; (row = next_row(scan, at)) >= 0; at = scan->topics[row].first_offset) {
        const tbus_journal_scan_topic_t *found = &scan->topics[row];
        check_topic_t *topic = &c->topics[row];
        tbus_journal_record_t first = {.topic = (uint16_t)row,
                                       .seq = found->first_seq,
                                       .bytes = found->payload_bytes_max,
                                       .segment = scan->segment,
                                       .offset = found->first_offset};
        fine = fine && take_seq(c, (uint16_t)row, &first);
        topic->records += found->records - 1;
        topic->last_seq = found->last_seq;
        c->records += row == SESSION ? 0 : found->records;
    }
    c->last_time_ns = scan->last_time_ns;
    return fine && keep_end(c, scan->segment, scan->end);
}

/* --- all of it --- */

/* This record, or all of its segment. */
static bool take_more(check_t *c, tbus_journal_scanner_t *scanner, meter_t *meter,
                      const tbus_journal_record_t *record)
{
    const tbus_journal_scan_t *scan = NULL;
    if (scanner && record->offset == TBUS_JOURNAL_HEADER_BYTES)
        scan = tbus_journal_scanner_get(scanner, record->segment);
    if (!is_told_by(c, record, scan)) {
        meter_at(meter, record);
        return take(c, record);
    }
    tbus_journal_record_t last = {.segment = scan->segment, .offset = scan->end};
    meter_leap(meter, &last);
    tbus_journal_reader_leap(c->reader, scan);
    return take_scan(c, scan);
}

/* 0: all that could be read was; or the negative error. */
static int take_all(check_t *c, const char *directory, tbus_journal_scanner_t *scanner,
                    meter_t *meter, tbus_error_t *err)
{
    tbus_journal_record_t record;
    int code;
    tbus_journal_reader_show_session(c->reader);
    tbus_journal_reader_check_seals(c->reader);
    while ((code = tbus_journal_reader_next(c->reader, &record, err)) > 0) {
        if (!take_more(c, scanner, meter, &record))
            return fail_memory(directory, err);
    }
    return code;
}

static bool has_place(const check_t *c, uint32_t segment)
{
    uint32_t i = 0;
    while (i < c->damage_count && c->damage[i].segment != segment)
        i++;
    return i < c->damage_count;
}

/* Where records are damaged the SHA-256 does not fit either, which is no place of its own. */
static bool keep_places(check_t *c)
{
    const tbus_journal_damage_t *places;
    uint32_t count = tbus_journal_reader_damage(c->reader, &places);
    bool fine = true;
    for (uint32_t i = 0; fine && i < count; i++)
        if (places[i].bytes || !has_place(c, places[i].segment))
            fine = check_add_damage(c, &places[i]);
    return fine;
}

static uint32_t cpus_there_are(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
}

/* NULL: no memory, or nothing is to be scanned; then all is taken record by record. */
static tbus_journal_scanner_t *new_scanner(const check_t *c, uint32_t cpus)
{
    uint32_t last = c->info->first_segment + c->info->segments - 1;
    return cpus && c->info->segments
               ? tbus_journal_scanner_new(&c->reader->directory, c->info->first_segment, last, cpus)
               : NULL;
}

int check_journal_on(const char *directory, const char *what, uint32_t cpus, check_t *out_check,
                     tbus_error_t *err)
{
    check_t *c = out_check;
    tbus_error_t why = {0};
    meter_t meter;
    *c = (check_t){0};
    int code = tbus_journal_reader_open_damaged(directory, &c->reader, &why);
    if (code < 0)
        return check_refused(c, directory, &why, err);
    c->info = tbus_journal_reader_info(c->reader);
    tbus_journal_scanner_t *scanner = new_scanner(c, cpus);
    meter_begin(&meter, what, c->info);
    code = take_all(c, directory, scanner, &meter, err);
    meter_end(&meter);
    tbus_journal_scanner_free(scanner);
    c->end = tbus_journal_reader_end(c->reader);
    if (code == 0 && (!keep_places(c) || !judge_gaps(c)))
        code = fail_memory(directory, err);
    if (code == 0)
        code = check_files(c, directory, err);
    if (code == 0 && c->damage_count)
        qsort(c->damage, c->damage_count, sizeof *c->damage, by_place);
    return code;
}

int check_journal(const char *directory, const char *what, check_t *out_check, tbus_error_t *err)
{
    return check_journal_on(directory, what, cpus_there_are(), out_check, err);
}

void check_clear(check_t *c)
{
    tbus_journal_reader_close(c->reader);
    free(c->damage);
    free(c->gaps);
    free(c->holes);
    free(c->ends);
    *c = (check_t){0};
}
