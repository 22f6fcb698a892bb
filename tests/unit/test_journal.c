/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's writer and reader against each other: what was appended, and nothing else, is read,
 * whatever happened to writer and files in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/journal/format.h"
#include "bus/journal/segment_file.h"
#include "tests/support/program.h"
#include "tests/unit/journal_scratch.h"

#define SMALL_SEGMENT (64u << 10)

static off_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_size : -1;
}

/* --- records --- */

#define TOPICS 3u

static tbus_journal_spec_t spec_for(const char *directory, uint64_t segment_bytes)
{
    return (tbus_journal_spec_t){
        .directory = directory,
        .bus_name = "test",
        .started_realtime_ns = UINT64_C(1700000000000000000),
        .segment_bytes = segment_bytes,
        .topics_count = TOPICS,
        .topics = {{"md", "tick", 1, 0, 0, 0},
                   {"bbo", "bbo", 1, 0, 0, 0},
                   {"orders", "order", 7, 0, 0, 0}},
    };
}

typedef struct message {
    uint16_t topic;
    uint64_t seq;
    uint64_t time_ns;
    size_t bytes;
    uint8_t payload[400];
} message_t;

/* The i-th message, i from 0: always the same one. */
static message_t message_of(uint64_t i)
{
    message_t m = {.topic = (uint16_t)(i % TOPICS),
                   .seq = i / TOPICS + 1,
                   .time_ns = i * 10,
                   .bytes = i * 7919 % 301};
    for (size_t k = 0; k < m.bytes; k++)
        m.payload[k] = (uint8_t)(i * 31 + k * 7 + 1);
    return m;
}

static int append_message(tbus_journal_writer_t *w, uint64_t i)
{
    message_t m = message_of(i);
    return tbus_journal_writer_append(w, m.topic, m.seq, m.time_ns, m.payload, m.bytes);
}

static tbus_journal_writer_t *create(const char *directory, uint64_t segment_bytes)
{
    tbus_journal_spec_t spec = spec_for(directory, segment_bytes);
    tbus_journal_writer_t *w = NULL;
    tbus_error_t err = {0};
    if (tbus_journal_writer_open(&spec, &w, &err) != 0)
        fail_msg("%s", err.text);
    return w;
}

static void write_journal(const char *directory, uint64_t segment_bytes, uint64_t count)
{
    tbus_journal_writer_t *w = create(directory, segment_bytes);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(append_message(w, i), 0);
    assert_int_equal(tbus_journal_writer_records(w), count);
    tbus_error_t err = {0};
    if (tbus_journal_writer_close(w, &err) != 0)
        fail_msg("%s", err.text);
}

static bool is_message(const tbus_journal_record_t *record, uint64_t i)
{
    message_t m = message_of(i);
    return record->topic == m.topic && record->seq == m.seq && record->time_ns == m.time_ns &&
           record->bytes == m.bytes && (uintptr_t)record->payload % 8 == 0 &&
           memcmp(record->payload, m.payload, m.bytes) == 0;
}

typedef struct outcome {
    int code; /* of open, or of the last next */
    uint64_t records;
    enum tbus_journal_end end;
    uint64_t torn_bytes;
    tbus_error_t err;
} outcome_t;

/* Read a journal to its end; every record must be the one that was appended in its place. */
static outcome_t read_journal(const char *directory)
{
    outcome_t o = {0};
    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    o.code = tbus_journal_reader_open(directory, &r, &o.err);
    if (o.code < 0)
        return o;
    while ((o.code = tbus_journal_reader_next(r, &record, &o.err)) == 1) {
        if (!is_message(&record, o.records))
            fail_msg("record %llu is not what was appended", (unsigned long long)o.records);
        o.records++;
    }
    o.end = tbus_journal_reader_end(r);
    o.torn_bytes = tbus_journal_reader_torn_bytes(r);
    /* It says the same again. */
    assert_int_equal(tbus_journal_reader_next(r, &record, NULL), o.code);
    tbus_journal_reader_close(r);
    return o;
}

/* A journal as a killed writer leaves it: the child writes `count` records and dies. */
static void write_and_be_killed(const char *directory, uint64_t segment_bytes, uint64_t count)
{
    pid_t pid = fork();
    if (pid == 0) {
        tbus_journal_spec_t spec = spec_for(directory, segment_bytes);
        tbus_journal_writer_t *w;
        if (tbus_journal_writer_open(&spec, &w, NULL) != 0)
            _exit(1);
        for (uint64_t i = 0; i < count; i++)
            if (append_message(w, i) != 0)
                _exit(2);
        raise(SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

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

/* --- what is refused at creation --- */

static int refused(const char *directory, uint64_t segment_bytes, tbus_error_t *err)
{
    tbus_journal_spec_t spec = spec_for(directory, segment_bytes);
    tbus_journal_writer_t *untouched = (tbus_journal_writer_t *)1;
    tbus_journal_writer_t *w = untouched;
    *err = (tbus_error_t){0};
    int code = tbus_journal_writer_open(&spec, &w, err);
    assert_true(code < 0);
    assert_ptr_equal(w, untouched);
    assert_int_equal(err->code, code);
    assert_non_null(strstr(err->text, directory));
    return code;
}

static void a_directory_that_holds_anything_is_refused_and_unharmed(void **state)
{
    scratch_t *s = *state;
    tbus_error_t err;
    char path[PATH_BYTES + 16];
    mkdir(s->journal, 0755);
    snprintf(path, sizeof path, "%s/precious", s->journal);
    FILE *file = fopen(path, "w");
    fputs("keep", file);
    fclose(file);
    assert_int_equal(refused(s->journal, 0, &err), -TBUS_ENOTEMPTY);
    assert_non_null(strstr(err.text, "precious"));
    assert_int_equal(size_of(path), 4);
    assert_int_equal(count_entries(s->journal), 3); /* . and .. */
}

static void a_directory_that_holds_a_session_is_refused_and_the_session_unharmed(void **state)
{
    scratch_t *s = *state;
    tbus_error_t err;
    write_journal(s->journal, SMALL_SEGMENT, 1000);
    assert_int_equal(refused(s->journal, SMALL_SEGMENT, &err), -TBUS_ENOTEMPTY);
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.records, 1000);
    assert_int_equal(o.end, TBUS_JOURNAL_CLOSED);
}

static void a_second_writer_is_refused_and_the_first_goes_on(void **state)
{
    scratch_t *s = *state;
    tbus_error_t err;
    tbus_journal_writer_t *w = create(s->journal, SMALL_SEGMENT);
    for (uint64_t i = 0; i < 1000; i++) {
        if (i % 100 == 50)
            assert_int_equal(refused(s->journal, SMALL_SEGMENT, &err), -TBUS_ENOTEMPTY);
        assert_int_equal(append_message(w, i), 0);
    }
    assert_int_equal(tbus_journal_writer_close(w, &err), 0);
    assert_int_equal(read_journal(s->journal).records, 1000);
}

/* Two processes that both found the directory empty. */
static void of_two_writers_that_start_together_one_is_refused(void **state)
{
    scratch_t *s = *state;
    for (unsigned round = 0; round < 50; round++) {
        mkdir(s->journal, 0755);
        int gate[2];
        assert_int_equal(pipe(gate), 0);
        pid_t pids[2];
        for (unsigned k = 0; k < 2; k++) {
            pids[k] = fork();
            if (pids[k] == 0) {
                char byte;
                close(gate[1]);
                tbus_journal_spec_t spec = spec_for(s->journal, SMALL_SEGMENT);
                tbus_journal_writer_t *w;
                if (read(gate[0], &byte, 1) != 0) /* its end is the sign to start */
                    _exit(9);
                int code = tbus_journal_writer_open(&spec, &w, NULL);
                if (code == 0)
                    code = append_message(w, 0) || tbus_journal_writer_close(w, NULL) ? 3 : 0;
                else
                    code = code == -TBUS_ENOTEMPTY ? 1 : 2;
                _exit(code);
            }
        }
        close(gate[0]);
        close(gate[1]);
        int sum = 0;
        for (unsigned k = 0; k < 2; k++) {
            int status;
            waitpid(pids[k], &status, 0);
            sum += WEXITSTATUS(status);
        }
        assert_int_equal(sum, 1);
        assert_int_equal(read_journal(s->journal).records, 1);
        scratch_remove(s->journal);
    }
}

static void a_missing_parent_and_a_file_in_the_way_are_said_clearly(void **state)
{
    scratch_t *s = *state;
    tbus_error_t err;
    char path[PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/deeper", s->journal);
    assert_int_equal(refused(path, 0, &err), -ENOENT);
    assert_non_null(strstr(err.text, "parent"));
    FILE *file = fopen(s->journal, "w");
    fclose(file);
    assert_int_equal(refused(s->journal, 0, &err), -ENOTDIR);
    assert_non_null(strstr(err.text, "not a directory"));
    assert_int_equal(refused(path, 0, &err), -ENOTDIR);
    assert_int_equal(size_of(s->journal), 0);
}

static void a_segment_size_that_cannot_be_is_refused_before_anything_is_made(void **state)
{
    scratch_t *s = *state;
    const uint64_t sizes[] = {
        1, 4096, SMALL_SEGMENT - 4096, SMALL_SEGMENT + 1, (UINT64_C(1) << 30) + 4096, UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        tbus_journal_spec_t spec = spec_for(s->journal, sizes[i]);
        tbus_journal_writer_t *w;
        tbus_error_t err;
        assert_int_equal(tbus_journal_writer_open(&spec, &w, &err), -EINVAL);
        assert_int_equal(size_of(s->journal), -1);
    }
}

static void a_directory_without_permission_is_refused(void **state)
{
    scratch_t *s = *state;
    mkdir(s->other, 0555);
    pid_t pid = fork();
    if (pid == 0) {
        /* Root may write everywhere: be somebody else. */
        if (geteuid() == 0 && (chmod(s->root, 0755) || setegid(65534) || seteuid(65534)))
            _exit(77);
        char path[PATH_BYTES + 16];
        snprintf(path, sizeof path, "%s/journal", s->other);
        const char *paths[] = {s->other, path};
        for (unsigned k = 0; k < 2; k++) {
            tbus_journal_spec_t spec = spec_for(paths[k], SMALL_SEGMENT);
            tbus_journal_writer_t *w;
            tbus_error_t err = {0};
            if (tbus_journal_writer_open(&spec, &w, &err) != -EACCES || !strstr(err.text, paths[k]))
                _exit(1);
        }
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    if (WEXITSTATUS(status) == 77) {
        printf("cannot become another user here\n");
        skip();
    }
    assert_int_equal(status, 0);
    assert_int_equal(count_entries(s->other), 2);
}

/* --- file systems that are full or read-only: mounts of our own, in a mount namespace of our own
 * --- */

/* Runs in a child with a tmpfs of these options on `where`. Returns 0: all right; else a line
 * number. */
typedef int (*in_mount_t)(const char *where);

static void with_tmpfs(const char *where, unsigned long flags, const char *options, in_mount_t body)
{
    mkdir(where, 0755);
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
            mount("tmpfs", where, "tmpfs", 0, options) ||
            (flags && mount(NULL, where, NULL, MS_REMOUNT | flags, options)))
            _exit(77);
        int line = body(where);
        if (line)
            fprintf(stderr, "%s:%d: does not hold\n", __FILE__, line);
        _exit(line ? 1 : 0);
    }
    int status;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("cannot mount a file system here: not root\n");
        skip();
    }
    assert_int_equal(status, 0);
}

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__;                                                                       \
    } while (0)

static int on_a_read_only_file_system(const char *where)
{
    char path[PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/journal", where);
    const char *paths[] = {where, path};
    for (unsigned k = 0; k < 2; k++) {
        tbus_journal_spec_t spec = spec_for(paths[k], SMALL_SEGMENT);
        tbus_journal_writer_t *w;
        tbus_error_t err = {0};
        HOLDS(tbus_journal_writer_open(&spec, &w, &err) == -EROFS);
        HOLDS(strstr(err.text, paths[k]));
        HOLDS(strcasestr(err.text, "read-only"));
    }
    return 0;
}

static void a_read_only_file_system_is_refused(void **state)
{
    scratch_t *s = *state;
    with_tmpfs(s->other, MS_RDONLY, "size=1m", on_a_read_only_file_system);
}

static int with_no_room_for_one_segment(const char *where)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/journal", where);
    tbus_journal_spec_t spec = spec_for(path, 1u << 20);
    tbus_journal_writer_t *w;
    tbus_error_t err = {0};
    HOLDS(tbus_journal_writer_open(&spec, &w, &err) == -ENOSPC);
    HOLDS(strstr(err.text, path));
    HOLDS(strstr(err.text, "make room"));
    HOLDS(access(path, F_OK) < 0); /* nothing is left behind */
    HOLDS(tbus_journal_writer_open(&spec, &w, &err) == -ENOSPC);
    return 0;
}

static void a_full_disk_at_creation_is_an_error_and_leaves_nothing_behind(void **state)
{
    scratch_t *s = *state;
    with_tmpfs(s->other, 0, "size=256k", with_no_room_for_one_segment);
}

static int with_room_for_a_few_segments(const char *where)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/journal", where);
    tbus_journal_spec_t spec = spec_for(path, SMALL_SEGMENT);
    tbus_journal_writer_t *w;
    tbus_error_t err = {0};
    HOLDS(tbus_journal_writer_open(&spec, &w, &err) == 0);
    uint64_t count = 0;
    int code;
    while ((code = append_message(w, count)) == 0)
        HOLDS(++count < 100000);
    HOLDS(code == -ENOSPC);
    HOLDS(append_message(w, count) == -ENOSPC); /* and stays so */
    HOLDS(strstr(tbus_journal_writer_error(w)->text, "make room"));
    HOLDS(tbus_journal_writer_records(w) == count);
    HOLDS(count > 300);
    HOLDS(tbus_journal_writer_close(w, &err) == -ENOSPC);
    HOLDS(err.code == -ENOSPC && strstr(err.text, path));
    outcome_t o = read_journal(path);
    HOLDS(o.code == 0 && o.records == count && o.end == TBUS_JOURNAL_BROKEN);
    return 0;
}

static void a_full_disk_at_a_roll_is_an_error_and_what_was_recorded_stays(void **state)
{
    scratch_t *s = *state;
    with_tmpfs(s->other, 0, "size=300k", with_room_for_a_few_segments);
}

static void a_file_size_limit_is_an_error_and_no_signal(void **state)
{
    scratch_t *s = *state;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {SMALL_SEGMENT - 1, SMALL_SEGMENT - 1};
        tbus_journal_spec_t spec = spec_for(s->journal, SMALL_SEGMENT);
        tbus_journal_writer_t *w;
        tbus_error_t err;
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(tbus_journal_writer_open(&spec, &w, &err) == -EFBIG && strstr(err.text, "ulimit")
                  ? 0
                  : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(size_of(s->journal), -1);
}

static void touching_pages_leaves_what_is_on_them(void **state)
{
    scratch_t *s = *state;
    tbus_journal_directory_t directory;
    tbus_journal_file_t file;
    tbus_atomic_u64_t limit;
    tbus_error_t err;
    assert_int_equal(tbus_journal_directory_create(s->journal, &directory, &err), 0);
    assert_int_equal(tbus_journal_file_create(&directory, 1, SMALL_SEGMENT, &limit, &file, &err),
                     0);
    for (uint64_t at = 0; at < file.bytes; at++)
        file.base[at] = (uint8_t)(at * 13);
    tbus_journal_file_touch(&file, 0, file.bytes);
    for (uint64_t at = 0; at < file.bytes; at++)
        assert_int_equal(file.base[at], (uint8_t)(at * 13));
    tbus_journal_file_destroy(&file);
    assert_int_equal(count_entries(s->journal), 2);
    tbus_journal_directory_close(&directory);
}

/* --- what is refused at opening --- */

static void check_open_refused(const char *directory, int code, const char *word)
{
    tbus_journal_reader_t *untouched = (tbus_journal_reader_t *)1;
    tbus_journal_reader_t *r = untouched;
    tbus_error_t err = {0};
    assert_int_equal(tbus_journal_reader_open(directory, &r, &err), code);
    assert_ptr_equal(r, untouched);
    assert_non_null(strstr(err.text, directory));
    if (!strstr(err.text, word))
        fail_msg("'%s' does not say '%s'", err.text, word);
}

static void what_is_no_journal_is_refused(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    check_open_refused(s->journal, -ENOENT, "No such");
    mkdir(s->journal, 0755);
    check_open_refused(s->journal, -TBUS_ENOTFOUND, "no journal");
    segment_path(s->journal, 1, path);
    FILE *file = fopen(path, "w");
    check_open_refused(s->journal, -TBUS_ETRUNCATED, "no header");
    for (unsigned i = 0; i < 5000; i++)
        fputc('x', file);
    fclose(file);
    check_open_refused(s->journal, -TBUS_EMAGIC, "00000001.tbj");
    check_open_refused(path, -ENOTDIR, "Not a directory");
}

/* A reader that waited for somebody to write into the pipe would never return. */
static void what_is_no_file_in_place_of_a_segment_is_refused_at_once(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    mkdir(s->journal, 0755);
    segment_path(s->journal, 1, path);
    assert_int_equal(mkfifo(path, 0600), 0);
    check_open_refused(s->journal, -TBUS_EMAGIC, "no regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/zero", path), 0);
    check_open_refused(s->journal, -TBUS_EMAGIC, "no regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    check_open_refused(s->journal, -TBUS_EMAGIC, "no regular file");
    assert_int_equal(rmdir(path), 0);
}

static void flip(const char *path, uint64_t bit)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)(bit / 8)), 1);
    byte ^= (uint8_t)(1u << (bit % 8));
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
    close(fd);
}

static void another_format_version_is_refused_as_such(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    write_journal(s->journal, SMALL_SEGMENT, 10);
    segment_path(s->journal, 1, path);
    flip(path, 8 * offsetof(tbus_journal_header_t, abi));
    check_open_refused(s->journal, -TBUS_EABI, "format 3");
}

static void a_missing_a_renamed_and_a_foreign_segment_are_told_apart(void **state)
{
    scratch_t *s = *state;
    char second[PATH_BYTES + 16];
    char third[PATH_BYTES + 16];
    char away[PATH_BYTES + 16];
    write_journal(s->journal, SMALL_SEGMENT, 2000);
    segment_path(s->journal, 2, second);
    segment_path(s->journal, 3, third);
    snprintf(away, sizeof away, "%s/away", s->journal);

    assert_int_equal(rename(second, away), 0);
    check_open_refused(s->journal, -TBUS_ECORRUPT, "missing");
    assert_int_equal(link(third, second), 0);
    check_open_refused(s->journal, -TBUS_ECORRUPT, "renamed");
    assert_int_equal(unlink(second), 0);

    char foreign[PATH_BYTES + 16];
    write_journal(s->other, SMALL_SEGMENT, 2000);
    segment_path(s->other, 2, foreign);
    assert_int_equal(link(foreign, second), 0);
    check_open_refused(s->journal, -TBUS_ECORRUPT, "another session");
    assert_int_equal(unlink(second), 0);
    assert_int_equal(rename(away, second), 0);
    assert_int_equal(read_journal(s->journal).records, 2000);
}

/* --- torn tails --- */

/* Where each record of the first segment begins, and where the last one ends. Returns how many
 * there are. */
static unsigned record_offsets(const char *directory, uint64_t *offsets, unsigned limit)
{
    tbus_journal_reader_t *r = NULL;
    tbus_journal_record_t record;
    unsigned count = 0;
    uint64_t end = TBUS_JOURNAL_HEADER_BYTES;
    assert_int_equal(tbus_journal_reader_open(directory, &r, NULL), 0);
    while (tbus_journal_reader_next(r, &record, NULL) == 1 && record.segment == 1) {
        assert_true(count < limit);
        offsets[count++] = record.offset;
        end = record.offset + tbus_journal_padded(TBUS_JOURNAL_RECORD_HEADER + record.bytes);
    }
    offsets[count] = end;
    tbus_journal_reader_close(r);
    return count;
}

/* Cut at every byte from `from` on: whole records are read, the rest is counted, nothing is an
 * error. */
static void check_every_cut(const char *directory, const uint64_t *offsets, unsigned count,
                            uint64_t from, bool closed)
{
    char path[PATH_BYTES + 16];
    segment_path(directory, 1, path);
    unsigned whole = count;
    for (uint64_t cut = offsets[count]; cut-- > from;) {
        assert_int_equal(truncate(path, (off_t)cut), 0);
        while (offsets[whole] > cut)
            whole--;
        outcome_t o = read_journal(directory);
        if (o.code != 0)
            fail_msg("cut at %llu: %s", (unsigned long long)cut, o.err.text);
        assert_int_equal(o.records, whole);
        assert_int_equal(o.end, TBUS_JOURNAL_TORN);
        if (closed)
            assert_int_equal(o.torn_bytes, offsets[count] - offsets[whole]);
        else
            assert_true(o.torn_bytes <= cut - offsets[whole]);
    }
}

static void
a_finished_segment_cut_at_any_byte_gives_its_whole_records_and_counts_the_rest(void **state)
{
    scratch_t *s = *state;
    uint64_t offsets[32];
    write_journal(s->journal, SMALL_SEGMENT, 12);
    unsigned count = record_offsets(s->journal, offsets, 31);
    assert_int_equal(count, 12);
    check_every_cut(s->journal, offsets, count, TBUS_JOURNAL_HEADER_BYTES, true);
}

static void an_unfinished_segment_cut_at_any_byte_gives_its_whole_records(void **state)
{
    scratch_t *s = *state;
    uint64_t offsets[32];
    write_and_be_killed(s->journal, SMALL_SEGMENT, 12);
    unsigned count = record_offsets(s->journal, offsets, 31);
    assert_int_equal(count, 12);
    check_every_cut(s->journal, offsets, count, TBUS_JOURNAL_HEADER_BYTES, false);
}

static void a_last_segment_cut_within_its_header_costs_its_own_records_only(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    write_journal(s->journal, SMALL_SEGMENT, 800);
    segment_path(s->journal, 3, path);
    assert_true(size_of(path) > 0);
    segment_path(s->journal, 4, path);
    assert_int_equal(size_of(path), -1);
    segment_path(s->journal, 3, path);
    uint64_t before = 0;
    for (int cut = TBUS_JOURNAL_HEADER_BYTES - 1; cut >= 0; cut -= 61) {
        assert_int_equal(truncate(path, cut), 0);
        outcome_t o = read_journal(s->journal);
        assert_int_equal(o.code, 0);
        assert_true(o.records > 300 && o.records < 800);
        assert_true(before == 0 || before == o.records);
        before = o.records;
        assert_int_equal(o.torn_bytes, cut);
    }
}

static void a_killed_writer_leaves_all_that_it_appended(void **state)
{
    scratch_t *s = *state;
    write_and_be_killed(s->journal, SMALL_SEGMENT, 2500);
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.code, 0);
    assert_int_equal(o.records, 2500);
    assert_int_equal(o.end, TBUS_JOURNAL_TORN);
    assert_int_equal(o.torn_bytes, 0);
}

static void a_segment_made_ready_and_never_used_is_no_part_of_the_journal(void **state)
{
    scratch_t *s = *state;
    char second[PATH_BYTES + 16];
    segment_path(s->journal, 2, second);
    pid_t pid = fork();
    if (pid == 0) {
        tbus_journal_spec_t spec = spec_for(s->journal, SMALL_SEGMENT);
        tbus_journal_writer_t *w;
        if (tbus_journal_writer_open(&spec, &w, NULL) != 0)
            _exit(1);
        for (uint64_t i = 0; tbus_journal_writer_bytes(w) < SMALL_SEGMENT * 3 / 4; i++)
            if (append_message(w, i) != 0)
                _exit(2);
        while (size_of(second) != SMALL_SEGMENT)
            sched_yield(); /* until the helper has made it; else the test's time limit ends this */
        raise(SIGKILL);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.code, 0);
    assert_int_equal(o.end, TBUS_JOURNAL_TORN);
    tbus_journal_reader_t *r;
    assert_int_equal(tbus_journal_reader_open(s->journal, &r, NULL), 0);
    assert_int_equal(tbus_journal_reader_info(r)->segments, 1);
    tbus_journal_reader_close(r);
}

/* --- damage --- */

static void damage_in_the_middle_is_refused_by_segment_and_offset(void **state)
{
    scratch_t *s = *state;
    uint64_t offsets[600];
    char path[PATH_BYTES + 16];
    write_journal(s->journal, SMALL_SEGMENT, 1000);
    unsigned count = record_offsets(s->journal, offsets, 599);
    segment_path(s->journal, 1, path);
    flip(path, 8 * (offsets[100] + TBUS_JOURNAL_RECORD_HEADER));
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.code, -TBUS_ECORRUPT);
    assert_int_equal(o.records, 100);
    char place[64];
    snprintf(place, sizeof place, "offset %llu,", (unsigned long long)offsets[100]);
    assert_non_null(strstr(o.err.text, place));
    assert_non_null(strstr(o.err.text, "00000001.tbj"));
    flip(path, 8 * (offsets[100] + TBUS_JOURNAL_RECORD_HEADER));

    /* The last record of a segment that has a successor: no torn tail either. */
    flip(path, 8 * offsets[count - 1] + 40);
    o = read_journal(s->journal);
    assert_int_equal(o.code, -TBUS_ECORRUPT);
    assert_int_equal(o.records, count - 1);
    flip(path, 8 * offsets[count - 1] + 40);
    assert_int_equal(read_journal(s->journal).records, 1000);

    /* And whole records that are gone from its end. */
    assert_int_equal(truncate(path, (off_t)offsets[count - 1]), 0);
    o = read_journal(s->journal);
    assert_int_equal(o.code, -TBUS_ECORRUPT);
    assert_int_equal(o.records, count - 1);
}

static void whole_records_gone_from_an_unfinished_segment_with_a_successor_are_missed(void **state)
{
    scratch_t *s = *state;
    uint64_t offsets[600];
    char path[PATH_BYTES + 16];
    static const uint8_t zeros[512];
    write_journal(s->journal, SMALL_SEGMENT, 1000);
    unsigned count = record_offsets(s->journal, offsets, 599);
    segment_path(s->journal, 1, path);
    int fd = open(path, O_RDWR);
    /* As if that page and the header's mark never came to the disk, though the next segment, which
     * is synced later, did. */
    assert_int_equal(
        pwrite(fd, zeros, offsets[count] - offsets[count - 1], (off_t)offsets[count - 1]),
        offsets[count] - offsets[count - 1]);
    assert_int_equal(pwrite(fd, zeros, 8, offsetof(tbus_journal_header_t, closed)), 8);
    close(fd);
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.code, 0);
    assert_int_equal(o.records, count - 1);
    assert_int_equal(o.end, TBUS_JOURNAL_BROKEN);
}

static void a_record_of_another_session_or_place_is_not_taken_for_one_of_ours(void **state)
{
    scratch_t *s = *state;
    char ours[PATH_BYTES + 16];
    char theirs[PATH_BYTES + 16];
    uint64_t offsets[32];
    uint8_t old[400];
    write_and_be_killed(s->journal, SMALL_SEGMENT, 8);
    write_and_be_killed(s->other, SMALL_SEGMENT, 12);
    segment_path(s->journal, 1, ours);
    segment_path(s->other, 1, theirs);
    unsigned count = record_offsets(s->other, offsets, 31);
    assert_int_equal(count, 12);
    int from = open(theirs, O_RDONLY);
    int to = open(ours, O_RDWR);
    size_t bytes = offsets[9] - offsets[8];
    assert_int_equal(pread(from, old, bytes, (off_t)offsets[8]), bytes);
    assert_int_equal(pwrite(to, old, bytes, (off_t)offsets[8]), bytes);
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.code, 0);
    assert_int_equal(o.records, 8);
    assert_int_equal(o.end, TBUS_JOURNAL_TORN);
    assert_true(o.torn_bytes > 0 && o.torn_bytes <= bytes);

    /* One of our own, a second time. */
    bytes = offsets[8] - offsets[7];
    assert_int_equal(pread(to, old, bytes, (off_t)offsets[7]), bytes);
    assert_int_equal(pwrite(to, old, bytes, (off_t)offsets[8]), bytes);
    o = read_journal(s->journal);
    assert_int_equal(o.code, 0);
    assert_int_equal(o.records, 8);
    close(from);
    close(to);
}

/* Flip the bits of the first segment in turn. Each is noticed: refused, or (only without a mark
 * that the segment is finished, and only behind the last record but one) counted as torn; and what
 * was before it is read. */
static void check_every_flip(const char *directory, bool finished)
{
    uint64_t offsets[32];
    char path[PATH_BYTES + 16];
    unsigned count = record_offsets(directory, offsets, 31);
    segment_path(directory, 1, path);
    /* an unfinished one: not all those zeros */
    assert_int_equal(truncate(path, (off_t)offsets[count]), 0);
    unsigned refused_flips = 0;
    unsigned torn_flips = 0;
    /* Headers are the same in both: once is enough, and of their padding every 61st. */
    uint64_t padding = 8 * offsetof(tbus_journal_header_t, pad1);
    uint64_t bit = finished ? 0 : 8 * TBUS_JOURNAL_HEADER_BYTES;
    for (; bit < 8 * offsets[count];
         bit += bit >= padding && bit + 61 < 8 * TBUS_JOURNAL_HEADER_BYTES ? 61 : 1) {
        flip(path, bit);
        outcome_t o = read_journal(directory);
        unsigned damaged = 0; /* the record that the bit is in */
        while (bit / 8 >= TBUS_JOURNAL_HEADER_BYTES && offsets[damaged + 1] <= bit / 8)
            damaged++;
        if (o.code == 0) {
            if (finished || o.end != TBUS_JOURNAL_TORN || o.torn_bytes == 0 || damaged != count - 1)
                fail_msg("bit %llu went unnoticed", (unsigned long long)bit);
            torn_flips++;
        } else {
            refused_flips++;
        }
        if (bit / 8 >= TBUS_JOURNAL_HEADER_BYTES)
            assert_int_equal(o.records, damaged);
        flip(path, bit);
    }
    printf("%u flips refused, %u counted as torn\n", refused_flips, torn_flips);
    assert_int_equal(read_journal(directory).records, count);
}

static void every_flipped_bit_of_a_finished_segment_is_refused(void **state)
{
    scratch_t *s = *state;
    write_journal(s->journal, SMALL_SEGMENT, 6);
    check_every_flip(s->journal, true);
}

static void every_flipped_bit_of_an_unfinished_segment_is_refused_or_counted_as_torn(void **state)
{
    scratch_t *s = *state;
    write_and_be_killed(s->journal, SMALL_SEGMENT, 6);
    check_every_flip(s->journal, false);
}

/* --- a segment that is full, cut and flipped everywhere: TICKBUS_FULL_SEGMENT=1; else here and
 * there --- */

#define FULL_RECORDS_MAX 600u

static uint64_t full_step(uint64_t step)
{
    return getenv("TICKBUS_FULL_SEGMENT") ? 1 : step;
}

/* As many messages as one segment of 64 KiB holds, closed. Returns how many. */
static unsigned fill_segment(const char *directory, uint64_t offsets[FULL_RECORDS_MAX + 1])
{
    uint64_t at = TBUS_JOURNAL_HEADER_BYTES;
    unsigned count = 0;
    for (;; count++) {
        message_t m = message_of(count);
        offsets[count] = at;
        at += tbus_journal_padded(TBUS_JOURNAL_RECORD_HEADER + m.bytes);
        if (at > SMALL_SEGMENT)
            break;
        assert_true(count < FULL_RECORDS_MAX);
    }
    write_journal(directory, SMALL_SEGMENT, count);
    return count;
}

static void a_full_segment_cut_anywhere_gives_its_whole_records(void **state)
{
    scratch_t *s = *state;
    uint64_t offsets[FULL_RECORDS_MAX + 1];
    char path[PATH_BYTES + 16];
    unsigned count = fill_segment(s->journal, offsets), whole = count, cuts = 0;
    segment_path(s->journal, 1, path);
    assert_int_equal(size_of(path), offsets[count]);
    for (uint64_t cut = offsets[count] - 1;; cut -= full_step(61)) {
        assert_int_equal(truncate(path, (off_t)cut), 0);
        while (whole && offsets[whole] > cut)
            whole--;
        outcome_t o = read_journal(s->journal);
        bool headless = cut < TBUS_JOURNAL_HEADER_BYTES;
        if (o.code != (headless ? -TBUS_ETRUNCATED : 0))
            fail_msg("cut at %llu: %s", (unsigned long long)cut, o.err.text);
        assert_int_equal(o.records, headless ? 0 : whole);
        assert_true(headless || o.end == TBUS_JOURNAL_TORN);
        assert_true(headless || o.torn_bytes == offsets[count] - offsets[whole]);
        cuts++;
        if (cut < full_step(61))
            break;
    }
    printf("%u cuts of a segment of %llu bytes\n", cuts, (unsigned long long)offsets[count]);
}

static void a_full_segment_flipped_anywhere_is_refused_and_what_lies_before_is_read(void **state)
{
    scratch_t *s = *state;
    uint64_t offsets[FULL_RECORDS_MAX + 1];
    char path[PATH_BYTES + 16];
    unsigned count = fill_segment(s->journal, offsets), damaged = 0, flips = 0;
    segment_path(s->journal, 1, path);
    for (uint64_t bit = 0; bit < 8 * offsets[count]; bit += full_step(1009)) {
        flip(path, bit);
        outcome_t o = read_journal(s->journal);
        flip(path, bit);
        while (offsets[damaged + 1] <= bit / 8)
            damaged++;
        if (o.code >= 0)
            fail_msg("bit %llu went unnoticed", (unsigned long long)bit);
        if (bit / 8 >= TBUS_JOURNAL_HEADER_BYTES)
            assert_int_equal(o.records, damaged);
        flips++;
    }
    printf("%u flips of a segment of %llu bytes\n", flips, (unsigned long long)offsets[count]);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)

int main(void)
{
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
        TEST(a_directory_that_holds_anything_is_refused_and_unharmed),
        TEST(a_directory_that_holds_a_session_is_refused_and_the_session_unharmed),
        TEST(a_second_writer_is_refused_and_the_first_goes_on),
        TEST(of_two_writers_that_start_together_one_is_refused),
        TEST(a_missing_parent_and_a_file_in_the_way_are_said_clearly),
        TEST(a_segment_size_that_cannot_be_is_refused_before_anything_is_made),
        TEST(a_directory_without_permission_is_refused),
        TEST(a_read_only_file_system_is_refused),
        TEST(a_full_disk_at_creation_is_an_error_and_leaves_nothing_behind),
        TEST(a_full_disk_at_a_roll_is_an_error_and_what_was_recorded_stays),
        TEST(a_file_size_limit_is_an_error_and_no_signal),
        TEST(touching_pages_leaves_what_is_on_them),
        TEST(what_is_no_journal_is_refused),
        TEST(what_is_no_file_in_place_of_a_segment_is_refused_at_once),
        TEST(another_format_version_is_refused_as_such),
        TEST(a_missing_a_renamed_and_a_foreign_segment_are_told_apart),
        TEST(a_finished_segment_cut_at_any_byte_gives_its_whole_records_and_counts_the_rest),
        TEST(an_unfinished_segment_cut_at_any_byte_gives_its_whole_records),
        TEST(a_last_segment_cut_within_its_header_costs_its_own_records_only),
        TEST(a_killed_writer_leaves_all_that_it_appended),
        TEST(a_segment_made_ready_and_never_used_is_no_part_of_the_journal),
        TEST(damage_in_the_middle_is_refused_by_segment_and_offset),
        TEST(whole_records_gone_from_an_unfinished_segment_with_a_successor_are_missed),
        TEST(a_record_of_another_session_or_place_is_not_taken_for_one_of_ours),
        TEST(every_flipped_bit_of_a_finished_segment_is_refused),
        TEST(every_flipped_bit_of_an_unfinished_segment_is_refused_or_counted_as_torn),
        TEST(a_full_segment_cut_anywhere_gives_its_whole_records),
        TEST(a_full_segment_flipped_anywhere_is_refused_and_what_lies_before_is_read),
        TEST(a_reader_follows_a_live_journal_to_its_end),
        TEST(the_end_of_a_live_journal_is_live_and_later_it_is_not),
        TEST(a_reader_survives_a_file_that_is_cut_under_its_hands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
