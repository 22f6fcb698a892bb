/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's writer and reader against each other: what was appended, and nothing else, is read,
 * also while it is written. (test_journal_refused.c: what is refused; test_journal_damaged.c: ends
 * that are cut, and damage.) */
#include "tests/unit/journal_sessions.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

/* --- round trip --- */

static void a_session_reads_back_as_it_was_written_over_several_segments(void **state)
{
    scratch_t *s = *state;
    write_journal(s->journal, SMALL_SEGMENT, 3000);
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.code, 0);
    assert_int_equal(o.records, 3000);
    assert_int_equal(o.end, TBUS_JOURNAL_CLOSED);
    assert_int_equal(o.torn_bytes, 0);

    char path[PATH_BYTES + 16];
    segment_path(s->journal, 4, path);
    assert_true(size_of(path) > 0); /* several indeed */
    segment_path(s->journal, 1, path);
    assert_true(size_of(path) <= SMALL_SEGMENT);
}

static void
a_session_of_default_segments_reads_back_and_takes_no_more_room_than_it_needs(void **state)
{
    scratch_t *s = *state;
    write_journal(s->journal, 0, 1000);
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.records, 1000);
    assert_int_equal(o.end, TBUS_JOURNAL_CLOSED);
    char path[PATH_BYTES + 16];
    segment_path(s->journal, 1, path);
    assert_true(size_of(path) < 300000);
    segment_path(s->journal, 2, path);
    assert_int_equal(size_of(path), -1); /* what was made ready and not used is gone */
}

static void an_empty_session_is_a_header(void **state)
{
    scratch_t *s = *state;
    write_journal(s->journal, SMALL_SEGMENT, 0);
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.code, 0);
    assert_int_equal(o.records, 0);
    assert_int_equal(o.end, TBUS_JOURNAL_CLOSED);
    char path[PATH_BYTES + 16];
    segment_path(s->journal, 1, path);
    assert_int_equal(size_of(path), TBUS_JOURNAL_HEADER_BYTES);
}

static void info_says_what_was_recorded(void **state)
{
    scratch_t *s = *state;
    write_journal(s->journal, SMALL_SEGMENT, 1000);
    tbus_journal_reader_t *r = NULL;
    tbus_error_t err;
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, &err), 0);
    const tbus_journal_info_t *info = tbus_journal_reader_info(r);
    static const uint8_t zeros[16];
    uint64_t bytes = 0;
    for (uint32_t number = 1; number <= info->segments; number++) {
        char path[PATH_BYTES + 16];
        segment_path(s->journal, number, path);
        bytes += (uint64_t)size_of(path);
    }
    assert_true(info->segments >= 3);
    assert_int_equal(info->bytes, bytes);
    assert_string_equal(info->bus_name, "test");
    assert_int_equal(info->started_realtime_ns, UINT64_C(1700000000000000000));
    assert_int_equal(info->topics_count, TOPICS);
    assert_string_equal(info->topics[2].name, "orders");
    assert_string_equal(info->topics[2].type, "order");
    assert_int_equal(info->topics[2].first_seq, 7);
    assert_memory_not_equal(info->session_id, zeros, sizeof zeros);
    assert_int_equal(tbus_journal_reader_topic(r, "bbo"), 1);
    assert_int_equal(tbus_journal_reader_topic(r, "nothing"), -TBUS_ENOTFOUND);
    tbus_journal_reader_close(r);
}

/* --- session records --- */

#define OBJECT_BYTES 40000u /* three records */

/* Gather the objects of kind `kind`, checking that everybody else sees the messages alone. */
static size_t gather(const char *directory, uint32_t kind, char *out_object, unsigned *out_pieces)
{
    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    tbus_journal_piece_t piece;
    size_t bytes = 0;
    uint64_t messages = 0;
    *out_pieces = 0;
    assert_int_equal(tbus_journal_reader_open(directory, &r, NULL), 0);
    tbus_journal_reader_show_session(r);
    while (tbus_journal_reader_next(r, &record, NULL) == 1) {
        if (record.topic != TBUS_JOURNAL_SESSION_TOPIC) {
            assert_false(tbus_journal_record_piece(&record, &piece));
            messages++;
            continue;
        }
        assert_true(tbus_journal_record_piece(&record, &piece));
        assert_int_equal(piece.version, 1);
        if (piece.kind != kind)
            continue;
        memcpy(out_object + bytes, piece.data, piece.bytes);
        bytes += piece.bytes;
        ++*out_pieces;
        assert_int_equal(piece.more, bytes < OBJECT_BYTES && kind == TBUS_JOURNAL_CONFIGURATION);
    }
    assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_CLOSED);
    assert_int_equal(messages, 300);
    tbus_journal_reader_close(r);
    return bytes;
}

static void what_is_recorded_of_the_session_is_shown_to_those_who_ask(void **state)
{
    scratch_t *s = *state;
    static char written[OBJECT_BYTES], object[OBJECT_BYTES];
    unsigned pieces;
    for (size_t i = 0; i < sizeof written; i++)
        written[i] = (char)(i * 37 + i / 256);
    tbus_journal_writer_t *w = create(s->journal, SMALL_SEGMENT);
    assert_int_equal(tbus_journal_writer_append_session(w, TBUS_JOURNAL_PROVENANCE, 1, "{}", 2), 0);
    assert_int_equal(tbus_journal_writer_append_session(w, TBUS_JOURNAL_CONFIGURATION, 2, written,
                                                        sizeof written),
                     0);
    /* of a later tickbus, and without a byte */
    assert_int_equal(
        tbus_journal_writer_append_session(w, (enum tbus_journal_session_kind)77, 3, "", 0), 0);
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(append_message(w, i), 0);
    assert_int_equal(tbus_journal_writer_records(w), 300);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.records, 300);
    assert_int_equal(o.end, TBUS_JOURNAL_CLOSED);
    assert_int_equal(gather(s->journal, TBUS_JOURNAL_CONFIGURATION, object, &pieces),
                     sizeof written);
    assert_int_equal(pieces, 3);
    assert_memory_equal(object, written, sizeof written);
    assert_int_equal(gather(s->journal, TBUS_JOURNAL_PROVENANCE, object, &pieces), 2);
    assert_memory_equal(object, "{}", 2);
    assert_int_equal(gather(s->journal, 77, object, &pieces), 0);
    assert_int_equal(pieces, 1);
}

static void a_session_has_a_name_of_ten_letters_and_digits_of_its_own(void **state)
{
    scratch_t *s = *state;
    char names[2][TBUS_JOURNAL_SESSION_NAME + 1];
    for (int i = 0; i < 2; i++) {
        tbus_journal_reader_t *r = NULL;
        write_journal(s->journal, SMALL_SEGMENT, 1);
        assert_int_equal(tbus_journal_reader_open(s->journal, &r, NULL), 0);
        memcpy(names[i], tbus_journal_reader_info(r)->session_name, sizeof names[i]);
        tbus_journal_reader_close(r);
        scratch_remove(s->journal);
        assert_int_equal(strspn(names[i], "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"), 10);
        assert_int_equal(strlen(names[i]), 10);
    }
    assert_string_not_equal(names[0], names[1]);
}

static void topics_keep_the_kind_of_their_ring_and_the_version_of_their_type(void **state)
{
    scratch_t *s = *state;
    tbus_journal_spec_t spec = spec_for(s->journal, SMALL_SEGMENT);
    spec.topics[0].type_version = 1;
    spec.topics[0].ring_kind = TBUS_BROADCAST;
    spec.topics[2].type_version = 4711;
    spec.topics[2].ring_kind = 99; /* of a build to come: handed on as it is */
    tbus_journal_writer_t *w = NULL;
    tbus_journal_reader_t *r = NULL;
    tbus_error_t err;
    assert_int_equal(tbus_journal_writer_open(&spec, &w, &err), 0);
    assert_int_equal(tbus_journal_writer_close(w, &err), 0);
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, &err), 0);
    const tbus_journal_info_t *info = tbus_journal_reader_info(r);
    for (unsigned i = 0; i < TOPICS; i++) {
        assert_int_equal(info->topics[i].type_version, spec.topics[i].type_version);
        assert_int_equal(info->topics[i].ring_kind, spec.topics[i].ring_kind);
        assert_string_equal(info->topics[i].name, spec.topics[i].name);
    }
    tbus_journal_reader_close(r);
}

/* Headers of journals that were recorded before ring kinds and versions have zeros from byte 1024
 * on. A header that says neither must be byte for byte such a one, and is read as "unknown". */
static void a_header_without_kinds_and_versions_is_the_one_of_older_journals(void **state)
{
    scratch_t *s = *state;
    write_journal(s->journal, SMALL_SEGMENT, 1);
    static const uint8_t zeros[256];
    uint8_t header[TBUS_JOURNAL_HEADER_BYTES];
    char path[PATH_BYTES + 16];
    segment_path(s->journal, 1, path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(header, 1, sizeof header, file), sizeof header);
    fclose(file);
    assert_int_equal(header[8], TBUS_JOURNAL_ABI);
    assert_string_equal((const char *)header + 128 + 2 * 56, "orders");
    assert_string_equal((const char *)header + 128 + 2 * 56 + 24, "order");
    assert_int_equal(header[128 + 2 * 56 + 48], 7); /* first_seq */
    assert_memory_equal(header + 1024, zeros, sizeof zeros);
    tbus_journal_reader_t *r = NULL;
    tbus_error_t err;
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, &err), 0);
    for (unsigned i = 0; i < TOPICS; i++) {
        assert_int_equal(tbus_journal_reader_info(r)->topics[i].type_version, 0);
        assert_int_equal(tbus_journal_reader_info(r)->topics[i].ring_kind, 0);
    }
    tbus_journal_reader_close(r);
}

static void a_record_as_large_as_a_segment_fits_and_a_larger_one_stops_the_recording(void **state)
{
    scratch_t *s = *state;
    tbus_journal_writer_t *w = create(s->journal, SMALL_SEGMENT);
    size_t most = SMALL_SEGMENT - TBUS_JOURNAL_HEADER_BYTES - TBUS_JOURNAL_RECORD_HEADER;
    uint8_t *payload = malloc(most + 1);
    memset(payload, 0x5a, most + 1);
    for (uint64_t seq = 1; seq <= 5; seq++)
        assert_int_equal(tbus_journal_writer_append(w, 0, seq, 0, payload, most), 0);
    assert_int_equal(tbus_journal_writer_error(w)->code, 0);
    assert_int_equal(tbus_journal_writer_append(w, 0, 6, 0, payload, most + 1), -TBUS_ETOOBIG);
    assert_non_null(strstr(tbus_journal_writer_error(w)->text, "'md'"));
    /* Nothing is recorded behind what was lost. */
    assert_int_equal(tbus_journal_writer_append(w, 0, 7, 0, payload, 8), -TBUS_ETOOBIG);
    assert_int_equal(tbus_journal_writer_records(w), 5);
    tbus_error_t err = {0};
    assert_int_equal(tbus_journal_writer_close(w, &err), -TBUS_ETOOBIG);

    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, &err), 0);
    for (uint64_t seq = 1; seq <= 5; seq++) {
        assert_int_equal(tbus_journal_reader_next(r, &record, &err), 1);
        assert_int_equal(record.seq, seq);
        assert_int_equal(record.bytes, most);
        assert_memory_equal(record.payload, payload, most);
    }
    assert_int_equal(tbus_journal_reader_next(r, &record, &err), 0);
    assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_BROKEN);
    assert_int_equal(tbus_journal_reader_broken(r)->code, -TBUS_ETOOBIG);
    tbus_journal_reader_close(r);
    free(payload);
}

static void writer_and_reader_leave_no_descriptor_and_no_thread_behind(void **state)
{
    scratch_t *s = *state;
    write_journal(s->other, SMALL_SEGMENT, 10); /* whatever the first use opens for good */
    unsigned descriptors = count_entries("/proc/self/fd");
    write_journal(s->journal, SMALL_SEGMENT, 2000);
    assert_int_equal(read_journal(s->journal).records, 2000);
    assert_int_equal(read_journal(s->root).code, -TBUS_ENOTFOUND);
    tbus_journal_spec_t spec = spec_for(s->journal, SMALL_SEGMENT);
    tbus_journal_writer_t *w;
    assert_int_equal(tbus_journal_writer_open(&spec, &w, NULL), -TBUS_ENOTEMPTY);
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
}

/* --- following a journal that is being written --- */

static void a_reader_follows_a_live_journal_to_its_end(void **state)
{
    scratch_t *s = *state;
    const uint64_t count = 20000;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        tbus_journal_spec_t spec = spec_for(s->journal, SMALL_SEGMENT);
        tbus_journal_writer_t *w;
        if (tbus_journal_writer_open(&spec, &w, NULL) != 0 || write(ready[1], "!", 1) != 1)
            _exit(1);
        for (uint64_t i = 0; i < count; i++) {
            if (append_message(w, i) != 0)
                _exit(2);
            if (i % 1000 == 0)
                sched_yield();
        }
        _exit(tbus_journal_writer_close(w, NULL) == 0 ? 0 : 3);
    }
    char byte;
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);

    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    tbus_error_t err;
    uint64_t records = 0;
    uint64_t waits = 0;
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, &err), 0);
    tbus_journal_reader_check_seals(r);
    for (;;) {
        int code = tbus_journal_reader_next(r, &record, &err);
        if (code < 0)
            fail_msg("%s", err.text);
        if (code == 1) {
            assert_true(is_message(&record, records));
            records++;
        } else if (tbus_journal_reader_end(r) != TBUS_JOURNAL_LIVE) {
            break;
        } else {
            waits++;
            sched_yield();
        }
    }
    printf("followed %llu records, waited %llu times\n", (unsigned long long)records,
           (unsigned long long)waits);
    assert_int_equal(records, count);
    assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_CLOSED);
    assert_true(tbus_journal_reader_info(r)->segments > 10);
    tbus_journal_reader_close(r);
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

static void the_end_of_a_live_journal_is_live_and_later_it_is_not(void **state)
{
    scratch_t *s = *state;
    tbus_journal_writer_t *w = create(s->journal, SMALL_SEGMENT);
    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    tbus_error_t err;
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, &err), 0);
    for (uint64_t i = 0; i < 700; i++) {
        assert_int_equal(tbus_journal_reader_next(r, &record, &err), 0);
        assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_LIVE);
        assert_int_equal(append_message(w, i), 0);
        assert_int_equal(tbus_journal_reader_next(r, &record, &err), 1);
        assert_true(is_message(&record, i));
    }
    assert_int_equal(tbus_journal_reader_next(r, &record, &err), 0);
    assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_LIVE);
    assert_int_equal(tbus_journal_writer_close(w, &err), 0);
    assert_int_equal(tbus_journal_reader_next(r, &record, &err), 0);
    assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_CLOSED);
    tbus_journal_reader_close(r);
}

static void a_reader_survives_a_file_that_is_cut_under_its_hands(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    write_journal(s->journal, 1u << 20, 3000);
    segment_path(s->journal, 1, path);
    for (off_t cut = size_of(path); cut > TBUS_JOURNAL_HEADER_BYTES; cut -= 50001) {
        tbus_journal_reader_t *r;
        tbus_journal_record_t record;
        tbus_error_t err;
        uint64_t records = 0;
        int code;
        assert_int_equal(tbus_journal_reader_open(s->journal, &r, &err), 0);
        assert_int_equal(tbus_journal_reader_next(r, &record, &err), 1);
        assert_int_equal(truncate(path, cut), 0);
        do {
            assert_true(is_message(&record, records++));
        } while ((code = tbus_journal_reader_next(r, &record, &err)) == 1);
        assert_int_equal(code, 0);
        tbus_journal_reader_close(r);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        TEST(a_session_reads_back_as_it_was_written_over_several_segments),
        TEST(a_session_of_default_segments_reads_back_and_takes_no_more_room_than_it_needs),
        TEST(an_empty_session_is_a_header),
        TEST(info_says_what_was_recorded),
        TEST(what_is_recorded_of_the_session_is_shown_to_those_who_ask),
        TEST(a_session_has_a_name_of_ten_letters_and_digits_of_its_own),
        TEST(topics_keep_the_kind_of_their_ring_and_the_version_of_their_type),
        TEST(a_header_without_kinds_and_versions_is_the_one_of_older_journals),
        TEST(a_record_as_large_as_a_segment_fits_and_a_larger_one_stops_the_recording),
        TEST(writer_and_reader_leave_no_descriptor_and_no_thread_behind),
        TEST(a_reader_follows_a_live_journal_to_its_end),
        TEST(the_end_of_a_live_journal_is_live_and_later_it_is_not),
        TEST(a_reader_survives_a_file_that_is_cut_under_its_hands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
