/* SPDX-License-Identifier: Apache-2.0 */
/* `busctl journal VERB` on journals made by hand: what is said of every kind of damage, word for
 * word, what a repair makes of it, and which part of a journal --from and --to mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tickbus/journal.h>
#include <tickbus/msg/tick.h>

#include "bus/journal/format.h"
#include "tests/e2e/hand_journal.h"

static void nothing(const fixture_t *f)
{
    (void)f;
}

static void a_record(const fixture_t *f)
{
    flip(f, 2, place_of(100) + 40);
}

static void records_in_three_places(const fixture_t *f)
{
    flip(f, 1, place_of(9) + 2); /* its length */
    flip(f, 3, place_of(400) + 24);
    flip(f, 3, place_of(40) + 5);
}

static void a_missing_segment(const fixture_t *f)
{
    char path[PATH_BYTES + 16];
    segment_path(f->journal, 2, path);
    assert_int_equal(unlink(path), 0);
}

static void a_header(const fixture_t *f)
{
    flip(f, 2, 130);
}

static void the_first_header(const fixture_t *f)
{
    flip(f, 1, 3000);
}

static void a_seal(const fixture_t *f)
{
    flip(f, 2, 1280 + 40);
}

static void the_length_of_a_finished_segment(const fixture_t *f)
{
    flip(f, 3, 88);
}

static void a_foreign_segment(const fixture_t *f)
{
    char from[PATH_BYTES + 16], to[PATH_BYTES + 16];
    segment_path(f->other, 2, from);
    segment_path(f->journal, 2, to);
    copy(from, to);
}

static void the_end_cut_off(const fixture_t *f)
{
    cut(f, 3, place_of(RECORDS - 10));
}

static void something_behind_the_end(const fixture_t *f)
{
    write_at(f, 3, place_of(RECORDS), "more", 4);
}

static void something_behind_the_end_of_another(const fixture_t *f)
{
    write_at(f, 1, place_of(A_SEGMENT - 1) + RECORD_BYTES + 8, "more", 4);
}

/* A recorder that is killed there has said how much the segment holds, and not cut it to that. */
static void a_finished_segment_that_was_not_cut(const fixture_t *f)
{
    cut(f, 3, TBUS_JOURNAL_SEGMENT_BYTES_MIN);
}

static void zeros_that_nobody_left(const fixture_t *f)
{
    cut(f, 3, place_of(RECORDS) + 512);
}

static void a_byte_behind_what_was_not_cut(const fixture_t *f)
{
    a_finished_segment_that_was_not_cut(f);
    flip(f, 3, 60000);
}

static void a_byte_far_behind(const fixture_t *f)
{
    flip(f, 3, 60000);
}

/* What a writer that is killed in append leaves: all but the length. */
static void a_record_that_was_begun(const fixture_t *f)
{
    tbus_journal_record_header_t begun = {.seq = RECORDS / 3 * 2 + 1, .time_ns = 10000000};
    write_at(f, 3, place_of(RECORDS), &begun, sizeof begun);
    write_at(f, 3, place_of(RECORDS) + sizeof begun, "tick", 4);
}

/* Or only the first word of it. */
static void a_sequence_that_was_begun(const fixture_t *f)
{
    uint64_t seq = RECORDS / 3 + 1; /* of orders */
    write_at(f, 3, place_of(RECORDS) + 8, &seq, sizeof seq);
}

static void a_sequence_that_comes_too_soon(const fixture_t *f)
{
    uint64_t seq = RECORDS / 3 + 2;
    write_at(f, 3, place_of(RECORDS) + 8, &seq, sizeof seq);
}

static void a_record_that_nobody_began(const fixture_t *f)
{
    tbus_journal_record_header_t begun = {.seq = RECORDS, .time_ns = 10000000};
    write_at(f, 3, place_of(RECORDS), &begun, sizeof begun);
}

static void a_record_in_what_is_unfinished(const fixture_t *f)
{
    flip(f, 3, place_of(A_SEGMENT * 2 + 50) + 60);
}

static void the_last_segment_removed(const fixture_t *f)
{
    char path[PATH_BYTES + 16];
    segment_path(f->journal, 3, path);
    assert_int_equal(unlink(path), 0);
}

enum { CLOSED, TORN };

#define WHOLE_AND_CLOSED 2u /* the first rows: there is nothing to repair */

static const struct damage {
    void (*make)(const fixture_t *f);
    int to;
    const char *says; /* ok, records, segments, end, damage, lost */
} damages[] = {
    {nothing, CLOSED,
     "{\"ok\":true,\"records\":1800,\"segments\":3,\"end\":\"closed\",\"damage\":[],\"lost\":[]}"},
    {a_finished_segment_that_was_not_cut, CLOSED,
     "{\"ok\":true,\"records\":1800,\"segments\":3,\"end\":\"closed\",\"damage\":[],\"lost\":[]}"},
    {nothing, TORN,
     "{\"ok\":true,\"records\":1800,\"segments\":3,\"end\":\"torn\",\"damage\":[],\"lost\":[]}"},
    {a_record, CLOSED,
     "{\"ok\":false,\"records\":1799,\"segments\":3,\"end\":\"closed\","
     "\"damage\":[{\"segment\":2,\"offset\":12896,\"bytes\":88,"
     "\"what\":\"what is there is no record, and there are more behind it\"}],"
     "\"lost\":[{\"topic\":\"md\",\"from\":533,\"to\":533}]}"},
    {records_in_three_places, CLOSED,
     "{\"ok\":false,\"records\":1797,\"segments\":3,\"end\":\"closed\","
     "\"damage\":[{\"segment\":1,\"offset\":4888,\"bytes\":88,"
     "\"what\":\"what is there is no record, and there are more behind it\"},{\"segment\":3,"
     "\"offset\":7616,\"bytes\":88,\"what\":\"what is there is no record,"
     " and there are more behind it\"},{\"segment\":3,\"offset\":39296,\"bytes\":88,"
     "\"what\":\"what is there is no record, and there are more behind it\"}],"
     "\"lost\":[{\"topic\":\"md\",\"from\":7,\"to\":7},{\"topic\":\"orders\",\"from\":479,"
     "\"to\":479},{\"topic\":\"orders\",\"from\":599,\"to\":599}]}"},
    {a_missing_segment, CLOSED,
     "{\"ok\":false,\"records\":1102,\"segments\":3,\"end\":\"closed\","
     "\"damage\":[{\"segment\":2,\"offset\":0,\"bytes\":0,\"what\":\"it is missing\"}],"
     "\"lost\":[{\"topic\":\"md\",\"from\":467,\"to\":931},{\"topic\":\"orders\",\"from\":233,"
     "\"to\":465}]}"},
    {a_header, CLOSED,
     "{\"ok\":false,\"records\":1800,\"segments\":3,\"end\":\"closed\","
     "\"damage\":[{\"segment\":2,\"offset\":0,\"bytes\":4096,"
     "\"what\":\"its header is damaged\"}],\"lost\":[]}"},
    {the_first_header, CLOSED,
     "{\"ok\":false,\"records\":1800,\"segments\":3,\"end\":\"closed\","
     "\"damage\":[{\"segment\":1,\"offset\":0,\"bytes\":4096,"
     "\"what\":\"its header is damaged\"}],\"lost\":[]}"},
    {a_seal, CLOSED,
     "{\"ok\":false,\"records\":1800,\"segments\":3,\"end\":\"closed\","
     "\"damage\":[{\"segment\":2,\"offset\":65520,\"bytes\":0,"
     "\"what\":\"its end cannot be told,"
     " since what its header says of it does not fit its CRC\"}],\"lost\":[]}"},
    {the_length_of_a_finished_segment, CLOSED,
     "{\"ok\":false,\"records\":1800,\"segments\":3,\"end\":\"closed\","
     "\"damage\":[{\"segment\":3,\"offset\":39648,\"bytes\":0,"
     "\"what\":\"its end cannot be told,"
     " since what its header says of it does not fit its CRC\"}],\"lost\":[]}"},
    {a_foreign_segment, CLOSED,
     "{\"ok\":false,\"records\":1102,\"segments\":3,\"end\":\"closed\","
     "\"damage\":[{\"segment\":1,\"offset\":65520,\"bytes\":0,"
     "\"what\":\"the next segment is from another session\"},{\"segment\":2,\"offset\":0,"
     "\"bytes\":65520,\"what\":\"it is from another session\"}],\"lost\":[{\"topic\":\"md\","
     "\"from\":467,\"to\":931},{\"topic\":\"orders\",\"from\":233,\"to\":465}]}"},
    {the_end_cut_off, CLOSED,
     "{\"ok\":false,\"records\":1790,\"segments\":3,\"end\":\"torn\","
     "\"damage\":[{\"segment\":3,\"offset\":38768,\"bytes\":0,"
     "\"what\":\"it was cut: it has 38768 bytes, and its header says 39648\"}],\"lost\":[]}"},
    {something_behind_the_end, CLOSED,
     "{\"ok\":false,\"records\":1800,\"segments\":3,\"end\":\"closed\","
     "\"damage\":[{\"segment\":3,\"offset\":39648,\"bytes\":4,"
     "\"what\":\"there is something behind the end of a finished segment\"}],\"lost\":[]}"},
    {something_behind_the_end_of_another, CLOSED,
     "{\"ok\":false,\"records\":1800,\"segments\":3,\"end\":\"closed\","
     "\"damage\":[{\"segment\":1,\"offset\":65520,\"bytes\":12,"
     "\"what\":\"there is something behind the end of a finished segment\"}],\"lost\":[]}"},
    {zeros_that_nobody_left, CLOSED,
     "{\"ok\":false,\"records\":1800,\"segments\":3,\"end\":\"closed\","
     "\"damage\":[{\"segment\":3,\"offset\":39648,\"bytes\":512,"
     "\"what\":\"there is something behind the end of a finished segment\"}],\"lost\":[]}"},
    {a_byte_behind_what_was_not_cut, CLOSED,
     "{\"ok\":false,\"records\":1800,\"segments\":3,\"end\":\"closed\","
     "\"damage\":[{\"segment\":3,\"offset\":39648,\"bytes\":25888,"
     "\"what\":\"there is something behind the end of a finished segment\"}],\"lost\":[]}"},
    {the_last_segment_removed, CLOSED,
     "{\"ok\":true,\"records\":1396,\"segments\":2,\"end\":\"torn\",\"damage\":[],\"lost\":[]}"},
    {a_byte_far_behind, TORN,
     "{\"ok\":false,\"records\":1800,\"segments\":3,\"end\":\"torn\","
     "\"damage\":[{\"segment\":3,\"offset\":60000,\"bytes\":1,"
     "\"what\":\"behind the last record are bytes that are not zero, from offset 60000\"}],"
     "\"lost\":[]}"},
    {a_record_that_was_begun, TORN,
     "{\"ok\":true,\"records\":1800,\"segments\":3,\"end\":\"torn\",\"damage\":[],\"lost\":[]}"},
    {a_sequence_that_was_begun, TORN,
     "{\"ok\":true,\"records\":1800,\"segments\":3,\"end\":\"torn\",\"damage\":[],\"lost\":[]}"},
    {a_sequence_that_comes_too_soon, TORN,
     "{\"ok\":false,\"records\":1800,\"segments\":3,\"end\":\"torn\","
     "\"damage\":[{\"segment\":3,\"offset\":39656,\"bytes\":2,"
     "\"what\":\"behind the last record are bytes that are not zero, from offset 39656\"}],"
     "\"lost\":[]}"},
    {a_record_that_nobody_began, TORN,
     "{\"ok\":false,\"records\":1800,\"segments\":3,\"end\":\"torn\","
     "\"damage\":[{\"segment\":3,\"offset\":39656,\"bytes\":11,"
     "\"what\":\"behind the last record are bytes that are not zero, from offset 39656\"}],"
     "\"lost\":[]}"},
    {a_record_in_what_is_unfinished, TORN,
     "{\"ok\":false,\"records\":1799,\"segments\":3,\"end\":\"torn\","
     "\"damage\":[{\"segment\":3,\"offset\":8496,\"bytes\":88,"
     "\"what\":\"what is there is no record, and there are more behind it\"}],"
     "\"lost\":[{\"topic\":\"md\",\"from\":965,\"to\":965}]}"},
    {the_end_cut_off, TORN,
     "{\"ok\":false,\"records\":1790,\"segments\":3,\"end\":\"torn\","
     "\"damage\":[{\"segment\":3,\"offset\":38768,\"bytes\":0,"
     "\"what\":\"it was cut: it has 38768 bytes, and while it is written it has 65536\"}],"
     "\"lost\":[]}"},
};
#define DAMAGES_COUNT (sizeof damages / sizeof damages[0])

/* --- what is said --- */

static json_int_t number_in(const json_t *said, const char *key)
{
    return json_integer_value(json_object_get(said, key));
}

static void every_damage_is_named_with_its_place(void **state)
{
    const fixture_t *f = *state;
    unsigned wrong = 0;
    for (size_t i = 0; i < DAMAGES_COUNT; i++) {
        copy(damages[i].to == CLOSED ? f->closed : f->torn, f->journal);
        damages[i].make(f);
        json_t *said = verify(f->journal), *expected = json_loads(damages[i].says, 0, NULL);
        if (!json_equal(said, expected)) {
            char *text = json_dumps(said, JSON_COMPACT);
            print_error("damage %zu: %s\n", i, text);
            free(text);
            wrong++;
        }
        json_decref(said);
        json_decref(expected);
        scratch_remove(f->journal);
    }
    assert_int_equal(wrong, 0);
}

static void what_is_repaired_is_whole_and_holds_all_that_could_be_read(void **state)
{
    const fixture_t *f = *state;
    for (size_t i = WHOLE_AND_CLOSED; i < DAMAGES_COUNT; i++) {
        copy(damages[i].to == CLOSED ? f->closed : f->torn, f->journal);
        damages[i].make(f);
        json_t *before = verify(f->journal);
        const char *const argv[] = {TICKBUS_BUSCTL, "journal",   "repair", f->journal,
                                    "--into",       f->repaired, NULL};
        program_t p = {.argv = argv};
        if (program_run(&p) != 0)
            fail_msg("damage %zu: %s", i, p.err);
        program_clear(&p);
        json_t *after = verify(f->repaired);
        assert_true(json_is_true(json_object_get(after, "ok")));
        assert_string_equal(json_string_value(json_object_get(after, "end")), "closed");
        assert_int_equal(number_in(after, "records"), number_in(before, "records"));
        json_decref(before);
        json_decref(after);
        scratch_remove(f->journal);
        scratch_remove(f->repaired);
    }
}

static void a_journal_that_is_being_written_is_checked_as_far_as_it_has_come(void **state)
{
    const fixture_t *f = *state;
    json_t *said = verify(f->live);
    assert_true(json_is_true(json_object_get(said, "ok")));
    assert_string_equal(json_string_value(json_object_get(said, "end")), "live");
    assert_int_equal(number_in(said, "records"), RECORDS);
    json_decref(said);
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "repair", f->live, NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 1);
    assert_non_null(strstr(p.err, "is being written"));
    program_clear(&p);
}

static void what_is_whole_needs_no_repair(void **state)
{
    const fixture_t *f = *state;
    const char *const argv[] = {TICKBUS_BUSCTL, "journal",   "repair", f->closed,
                                "--into",       f->repaired, NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    assert_non_null(strstr(p.err, "is whole; nothing was written"));
    assert_int_equal(access(f->repaired, F_OK), -1);
    program_clear(&p);
}

static void a_repair_in_place_keeps_what_was_damaged(void **state)
{
    const fixture_t *f = *state;
    char kept[PATH_BYTES + 16];
    const char *const argv[] = {TICKBUS_BUSCTL, "journal",    "repair",
                                f->journal,     "--in-place", NULL};
    snprintf(kept, sizeof kept, "%s.damaged", f->journal);
    copy(f->closed, f->journal);
    a_record(f);
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    program_clear(&p);
    json_t *now = verify(f->journal), *before = verify(kept);
    assert_true(json_is_true(json_object_get(now, "ok")));
    assert_false(json_is_true(json_object_get(before, "ok")));
    assert_int_equal(number_in(now, "records"), RECORDS - 1);
    json_decref(now);
    json_decref(before);
    scratch_remove(kept);
}

/* --- sequences --- */

static json_t *verify_seqs(const fixture_t *f, uint16_t topic, const uint64_t *seqs, size_t count,
                           const char *hole)
{
    scratch_remove(f->journal);
    tbus_journal_writer_t *writer = begin_journal(f->journal);
    for (size_t i = 0; i < count; i++) {
        if (i == 1 && hole)
            assert_int_equal(tbus_journal_writer_append_session(writer, TBUS_JOURNAL_HOLE, 1, hole,
                                                                strlen(hole)),
                             0);
        append(writer, topic, seqs[i], (i + 1) * 1000);
    }
    assert_int_equal(tbus_journal_writer_close(writer, NULL), 0);
    return verify(f->journal);
}

static void
sequences_that_are_missing_or_out_of_order_are_damage_unless_it_is_known_why(void **state)
{
    static const char hole[] = "{\"reason\":\"no room\",\"topics\":[{\"topic\":\"md\",\"from\":2,"
                               "\"to\":4},{\"topic\":\"md\",\"from\":5,\"to\":6}]}";
    static const char short_hole[] =
        "{\"reason\":\"no room\",\"topics\":[{\"topic\":\"md\",\"from\":2,\"to\":5}]}";
    static const uint64_t gap[] = {1, 7, 8}, back[] = {1, 2, 2, 3};
    static const struct {
        uint16_t topic;
        const uint64_t *seqs;
        size_t count;
        const char *hole;
        const char *says; /* NULL: whole */
    } rows[] = {
        {MD, gap, 3, NULL, "messages 2 to 6 of topic 'md' are missing before it"},
        {MD, gap, 3, short_hole, "messages 2 to 6 of topic 'md' are missing before it"},
        {MD, gap, 3, hole, NULL},
        {ORDERS, gap, 3, NULL, NULL}, /* of several publishers one may have died in a claim */
        {MD, back, 4, NULL, "message 2 of topic 'md' is out of order: 3 was to come next"},
        {ORDERS, back, 4, NULL, "message 2 of topic 'orders' is out of order: 3 was to come next"},
    };
    const fixture_t *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *said = verify_seqs(f, rows[i].topic, rows[i].seqs, rows[i].count, rows[i].hole);
        const json_t *places = json_object_get(said, "damage");
        assert_int_equal(json_array_size(places), rows[i].says != NULL);
        if (rows[i].says)
            assert_string_equal(
                json_string_value(json_object_get(json_array_get(places, 0), "what")),
                rows[i].says);
        json_decref(said);
    }
}

/* --- parts --- */

/* Export the part as CSV: how many messages, and the sequences of the first and the last. */
static unsigned export_part(const char *journal, const char *topic, const char *from,
                            const char *to, unsigned *out_first, unsigned *out_last)
{
    program_t p;
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "export", journal, "--topic", topic,
                                "--from",       from,      "--to",   to,      NULL};
    if (run(&p, argv) != 0)
        fail_msg("--from %s --to %s: %s", from, to, p.err);
    unsigned count = 0;
    *out_first = *out_last = 0;
    for (char *line = strchr(p.out, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        *out_last = (unsigned)strtoul(line + 1, NULL, 10);
        *out_first = count++ ? *out_first : *out_last;
    }
    program_clear(&p);
    return count;
}

/* md 1 to 1200 are of 09:00:01 to 09:20:00; every third record is of orders, 1 to 600; a record
 * is recorded every 1000 ns, the last at 1,800,000. */
static void a_part_begins_and_ends_where_it_is_said(void **state)
{
    static const struct {
        const char *topic, *from, *to;
        unsigned first, last;
    } parts[] = {
        {"md", "oldest", "now", 1, 1200},
        {"md", "seq:100", "seq:103", 100, 102},
        {"md", "seq:0", "seq:2", 1, 1},
        {"md", "09:05", "09:06", 300, 359},
        {"md", "09:05:00.5", "09:05:01.000000001", 301, 301},
        {"md", "oldest", "09:00:03", 1, 2},
        {"md", "-100us", "now", 1134, 1200},
        {"md", "-100us", "-50us", 1134, 1166},
        {"orders", "seq:100", "seq:103", 100, 102},
        {"orders", "09:05", "09:06", 150, 179}, /* where md comes to it */
        {"md", "16:00", "now", 0, 0},
        {"md", "seq:5000", "now", 0, 0},
    };
    const fixture_t *f = *state;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        unsigned first, last;
        unsigned count =
            export_part(f->closed, parts[i].topic, parts[i].from, parts[i].to, &first, &last);
        if (first != parts[i].first || last != parts[i].last)
            fail_msg("%s --from %s --to %s: %u to %u", parts[i].topic, parts[i].from, parts[i].to,
                     first, last);
        assert_int_equal(count, first ? last - first + 1 : 0);
    }
}

/* Of 24,100 ticks, more than are read one by one: one a second, the first 20,000 from 22:00:00 on,
 * over midnight; then a second night that begins at 22:00:00 again. */
static void a_time_is_found_over_midnight_and_in_the_days_that_follow(void **state)
{
    static const struct {
        const char *from;
        unsigned first;
    } places[] = {{"22:00", 1},        {"22:00:01", 2},  {"01:00", 10801},    {"25:00", 10801},
                  {"02:30:00", 16201}, {"46:00", 20001}, {"46:00:10", 20011}, {"40:00", 20001},
                  {"47:06:40", 24001}, {"48:30", 0}};
    const fixture_t *f = *state;
    tbus_journal_writer_t *writer = begin_journal_of(f->journal, UINT64_C(1) << 20);
    for (uint64_t seq = 1; seq <= 24100; seq++) {
        uint64_t second = 22 * 3600 + (seq - 1) % 20000;
        tick_t tick = {.event = tick_pack(second % 86400 * UINT64_C(1000000000), 1),
                       .intended = tick_pack(0, 13),
                       .type = 'D'};
        assert_int_equal(
            tbus_journal_writer_append(writer, MD, seq, seq * 1000, &tick, sizeof tick), 0);
    }
    assert_int_equal(tbus_journal_writer_close(writer, NULL), 0);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        unsigned first, last;
        export_part(f->journal, "md", places[i].from, "now", &first, &last);
        if (first != places[i].first)
            fail_msg("--from %s begins with %u instead of %u", places[i].from, first,
                     places[i].first);
    }
}

static void what_is_no_place_is_refused(void **state)
{
    static const char *const places[] = {
        "soon", "", "seq:", "seq:-1", "-5", "5m", "9:5", "24", "seq:99999999999999999999"};
    const fixture_t *f = *state;
    program_t p;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *const argv[] = {TICKBUS_BUSCTL, "journal", "dump", f->closed,
                                    "--from",       places[i], NULL};
        assert_int_equal(run(&p, argv), 2);
        assert_non_null(strstr(p.err, "is not understood: write oldest, now, seq:N"));
        program_clear(&p);
    }
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "export", f->closed, "--topic", "md",
                                "--from",       "seq:9",   "--to",   "seq:3",   NULL};
    assert_int_equal(run(&p, argv), 1);
    assert_non_null(strstr(p.err, "--to lies before --from"));
    program_clear(&p);
}

/* --- what is damaged, exported --- */

static void what_lies_before_a_damage_is_exported_and_what_lies_behind_it_if_asked_for(void **state)
{
    static const struct {
        void (*make)(const fixture_t *f);
        const char *before, *all;
        bool lost;
    } rows[] = {
        {a_record, "the 532 messages before", "1,199 messages of 'md'", true},
        {a_header, "the 466 messages before", "1,200 messages of 'md'", false},
        {a_missing_segment, "the 466 messages before", "735 messages of 'md'", true},
    };
    const fixture_t *f = *state;
    char output[PATH_BYTES];
    snprintf(output, sizeof output, "%s/output", f->root);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        program_t p;
        const char *const up_to[] = {TICKBUS_BUSCTL, "journal", "export", f->journal, "--topic",
                                     "md",           "-o",      output,   NULL};
        const char *const past[] = {TICKBUS_BUSCTL, "journal", "export", f->journal,      "--topic",
                                    "md",           "-o",      output,   "--skip-damage", NULL};
        copy(f->closed, f->journal);
        rows[i].make(f);
        assert_int_equal(run(&p, up_to), 1);
        assert_non_null(strstr(p.err, rows[i].before));
        program_clear(&p);
        assert_int_equal(unlink(output), 0);
        assert_int_equal(run(&p, past), 0);
        assert_non_null(strstr(p.err, "is damaged at offset"));
        assert_int_equal(strstr(p.err, "of topic 'md' are lost") != NULL, rows[i].lost);
        assert_non_null(strstr(p.err, rows[i].all));
        program_clear(&p);
        assert_int_equal(unlink(output), 0);
        scratch_remove(f->journal);
    }
}

/* --- replayed --- */

/* What comes before --from goes out as well, at once: it is --to that shows in the count. */
static void a_replay_ends_where_it_is_said(void **state)
{
    static const struct {
        const char *from, *to, *messages;
    } parts[] = {
        {"oldest", "seq:101", "\"messages\": 100,"},    {"oldest", "-100us", "\"messages\": 1133,"},
        {"seq:50", "09:05", "\"messages\": 299,"},      {"-1ms", "now", "\"messages\": 1200,"},
        {"oldest", "seq:50000", "\"messages\": 1200,"}, {"now", "now", "nothing of it was paced"},
    };
    const fixture_t *f = *state;
    char runtime[SCRATCH_PATH_MAX];
    scratch_create_runtime(runtime);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        program_t p;
        const char *const argv[] = {TICKBUS_BUSCTL, "replay",    f->closed, "--from", parts[i].from,
                                    "--to",         parts[i].to, "--json",  "--name", "e2e-parts",
                                    "--strategy",   "null",      "--wait",  "park",   NULL};
        if (run(&p, argv) != 0)
            fail_msg("--from %s --to %s: %s", parts[i].from, parts[i].to, p.err);
        if (!strstr(p.out, parts[i].messages))
            fail_msg("--from %s --to %s: %s", parts[i].from, parts[i].to, p.out);
        program_clear(&p);
    }
    assert_int_equal(scratch_remove_runtime(runtime), 0);
}

static void a_replay_ends_at_a_damage_with_what_comes_before_it(void **state)
{
    static const struct {
        void (*make)(const fixture_t *f);
        const char *messages;
    } rows[] = {{a_record, "\"messages\": 532,"}, {a_header, "\"messages\": 466,"}};
    const fixture_t *f = *state;
    char runtime[SCRATCH_PATH_MAX];
    scratch_create_runtime(runtime);
    for (size_t i = 0; i < 2; i++) {
        program_t p;
        const char *const argv[] = {TICKBUS_BUSCTL, "replay",    f->journal,   "--json",
                                    "--name",       "e2e-parts", "--strategy", "null",
                                    "--wait",       "park",      NULL};
        copy(f->closed, f->journal);
        rows[i].make(f);
        assert_int_equal(run(&p, argv), 1);
        assert_non_null(strstr(p.out, rows[i].messages));
        assert_non_null(strstr(p.err, "00000002.tbj"));
        program_clear(&p);
        scratch_remove(f->journal);
    }
    assert_int_equal(scratch_remove_runtime(runtime), 0);
}

/* --- dump, ls, index --- */

static void dump_shows_all_topics_in_the_order_of_recording(void **state)
{
    const fixture_t *f = *state;
    program_t p;
    const char *const words[] = {TICKBUS_BUSCTL, "journal", "dump",    f->closed, "--from",
                                 "seq:100",      "--to",    "seq:102", NULL};
    const char *const json[] = {TICKBUS_BUSCTL, "journal", "dump",   f->closed, "--json", "--topic",
                                "orders",       "--from",  "seq:50", "--to",    "seq:51", NULL};
    assert_int_equal(run(&p, words), 0);
    assert_string_equal(p.out, "0.000149000 md       100 09:01:40.000000000 D ref 100\n"
                               "0.000150000 orders   50 09:00:50.000000000 D ref 50\n"
                               "0.000151000 md       101 09:01:41.000000000 D ref 101\n");
    program_clear(&p);
    assert_int_equal(run(&p, json), 0);
    assert_string_equal(
        p.out,
        "{\"recorded_ns\":150000,\"topic\":\"orders\",\"message\":{\"seq\":50,\"type\":\"D\","
        "\"locate\":13,\"tracking\":1,\"ts_event_ns\":32450000000000,\"intended_ns\":0,"
        "\"order_ref\":50}}\n");
    program_clear(&p);
}

static const char *end_of(const json_t *list, const char *directory)
{
    size_t i;
    json_t *session;
    json_array_foreach(json_object_get(list, "sessions"), i, session)
    {
        if (strcmp(json_string_value(json_object_get(session, "directory")), directory) == 0)
            return json_string_value(json_object_get(session, "end"));
    }
    return "not there";
}

static void ls_finds_every_session_and_says_how_it_ended(void **state)
{
    const fixture_t *f = *state;
    program_t p;
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "ls", f->root, "--json", NULL};
    copy(f->closed, f->journal);
    a_missing_segment(f);
    assert_int_equal(run(&p, argv), 0);
    json_t *list = json_loads(p.out, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(json_object_get(list, "sessions")), 5);
    assert_string_equal(end_of(list, f->closed), "closed");
    assert_string_equal(end_of(list, f->torn), "torn");
    assert_string_equal(end_of(list, f->live), "live");
    assert_string_equal(end_of(list, f->journal), "damaged");
    assert_non_null(strstr(p.err, "00000002.tbj"));
    json_decref(list);
    program_clear(&p);
}

static void index_makes_what_is_missing(void **state)
{
    const fixture_t *f = *state;
    program_t p;
    char path[PATH_BYTES + 16];
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "index", f->journal, NULL};
    copy(f->closed, f->journal);
    assert_int_equal(run(&p, argv), 0);
    program_clear(&p);
    snprintf(path, sizeof path, "%s/00000001.tbi", f->journal);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(run(&p, argv), 0);
    assert_string_equal(p.out, "made      1\nright     2\nbooks     0 made, 1 right\n"
                               "orders    none: the journal has no topic 'judged'\n");
    program_clear(&p);
}

static void prune_removes_the_oldest_and_what_is_left_is_whole(void **state)
{
    const fixture_t *f = *state;
    program_t p;
    const char *const plan[] = {TICKBUS_BUSCTL,    "journal", "prune",     f->journal,
                                "--keep-segments", "2",       "--dry-run", NULL};
    const char *const prune[] = {TICKBUS_BUSCTL,    "journal", "prune", f->journal,
                                 "--keep-segments", "2",       NULL};
    const char *const live[] = {TICKBUS_BUSCTL, "journal", "prune", f->live,
                                "--keep-bytes", "1K",      NULL};
    const char *const all[] = {TICKBUS_BUSCTL, "journal", "prune", f->live, NULL};
    copy(f->closed, f->journal);
    assert_int_equal(run(&p, plan), 0);
    assert_string_equal(p.out, "would go  1 of 3 segments\n");
    program_clear(&p);
    assert_int_equal(run(&p, prune), 0);
    assert_non_null(strstr(p.out, "removed   1 of 3 segments\nkept      2 segments, "));
    program_clear(&p);
    json_t *said = verify(f->journal);
    assert_true(json_is_true(json_object_get(said, "ok")));
    assert_int_equal(number_in(said, "segments"), 2);
    assert_int_equal(number_in(said, "records"), RECORDS - A_SEGMENT);
    json_decref(said);
    unsigned first, last;
    export_part(f->journal, "md", "oldest", "now", &first, &last);
    assert_int_equal(first, A_SEGMENT / 3 * 2 + 3);
    assert_int_equal(last, 1200);
    assert_int_equal(run(&p, live), 1);
    assert_non_null(strstr(p.err, "is being recorded"));
    program_clear(&p);
    assert_int_equal(run(&p, all), 2);
    program_clear(&p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, remove_copies)
    const struct CMUnitTest tests[] = {
        TEST(every_damage_is_named_with_its_place),
        TEST(what_is_repaired_is_whole_and_holds_all_that_could_be_read),
        TEST(a_journal_that_is_being_written_is_checked_as_far_as_it_has_come),
        TEST(what_is_whole_needs_no_repair),
        TEST(a_repair_in_place_keeps_what_was_damaged),
        TEST(a_part_begins_and_ends_where_it_is_said),
        TEST(a_time_is_found_over_midnight_and_in_the_days_that_follow),
        TEST(what_is_no_place_is_refused),
        TEST(what_lies_before_a_damage_is_exported_and_what_lies_behind_it_if_asked_for),
        TEST(a_replay_ends_where_it_is_said),
        TEST(a_replay_ends_at_a_damage_with_what_comes_before_it),
        TEST(dump_shows_all_topics_in_the_order_of_recording),
        TEST(ls_finds_every_session_and_says_how_it_ended),
        TEST(prune_removes_the_oldest_and_what_is_left_is_whole),
        TEST(index_makes_what_is_missing),
        TEST(sequences_that_are_missing_or_out_of_order_are_damage_unless_it_is_known_why),
    };
    return cmocka_run_group_tests(tests, make_journals, remove_journals);
}
