/* SPDX-License-Identifier: Apache-2.0 */
/* Whole segments are scanned, on several threads; what a check finds is what it would find record
 * by record on one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/journal/scanner.h"
#include "tests/unit/journal_scratch.h"
#include "tools/journal/check.h"

#define SEGMENT  TBUS_JOURNAL_SEGMENT_BYTES_MIN
#define MESSAGES 4000u
#define NOBODY   UINT64_MAX

/* A message that is recorded in another way than the rest; NOBODY: none. */
typedef struct unusual {
    uint64_t skips;   /* a sequence that is left out before it */
    uint64_t repeats; /* it has a sequence that was there before */
    uint64_t dies;    /* of the topic with several publishers, one died before it */
    uint64_t large;   /* it has 40,000 bytes */
} unusual_t;
static const unusual_t usual = {NOBODY, NOBODY, NOBODY, NOBODY};

static void append(tbus_journal_writer_t *w, uint64_t i, const unusual_t *unusual, uint64_t *seqs)
{
    static uint8_t payload[40000];
    uint16_t topic = i % 5 == 3 ? 1 : 0;
    payload[0] = (uint8_t)i;
    seqs[topic] += 1 + (i == unusual->skips) - (i == unusual->repeats) * 2 +
                   (i >= unusual->dies && topic == 1) * (i - unusual->dies < 5);
    size_t bytes = i == unusual->large ? sizeof payload : topic == 1 ? 33 : 56;
    assert_int_equal(tbus_journal_writer_append(w, topic, seqs[topic], i * 1000, payload, bytes),
                     0);
    if (i % 1000 == 500)
        assert_int_equal(tbus_journal_writer_append_session(w, TBUS_JOURNAL_CONFIGURATION, i * 1000,
                                                            "a: 1\n", 5),
                         0);
}

static void record_into(const char *directory, uint64_t segment_bytes, const unusual_t *unusual)
{
    tbus_journal_writer_t *w;
    uint64_t seqs[2] = {0, 0};
    tbus_journal_spec_t spec = {.directory = directory,
                                .bus_name = "scans",
                                .segment_bytes = segment_bytes,
                                .topics_count = 2,
                                .topics = {{"md", "something", 1, 1, TBUS_BROADCAST, 0},
                                           {"orders", "something", 1, 1, TBUS_MPMC, 0}}};
    assert_int_equal(tbus_journal_writer_open(&spec, &w, NULL), 0);
    for (uint64_t i = 0; i < MESSAGES; i++)
        append(w, i, unusual, seqs);
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
}

/* --- the same on any number of threads --- */

static void assert_same_gaps(const check_t *a, const check_t *b)
{
    assert_int_equal(a->gaps_count, b->gaps_count);
    assert_int_equal(a->holes_count, b->holes_count);
    for (uint32_t i = 0; i < a->gaps_count; i++) {
        const check_gap_t *x = &a->gaps[i], *y = &b->gaps[i];
        assert_true(x->kind == y->kind && x->topic == y->topic && x->from == y->from &&
                    x->to == y->to && x->segment == y->segment && x->offset == y->offset);
    }
}

static void assert_same_topics(const check_t *a, const check_t *b)
{
    for (uint32_t i = 0; i < CHECK_TOPICS_MAX; i++) {
        const check_topic_t *x = &a->topics[i], *y = &b->topics[i];
        assert_int_equal(x->records, y->records);
        assert_int_equal(x->first_seq, y->first_seq);
        assert_int_equal(x->last_seq, y->last_seq);
        assert_int_equal(x->payload_bytes_max, y->payload_bytes_max);
        assert_int_equal(x->tombs, y->tombs);
        assert_int_equal(x->damage_seen, y->damage_seen);
    }
}

static void assert_same(const check_t *a, const check_t *b)
{
    uint8_t digests[2][32];
    assert_int_equal(a->damage_count, b->damage_count);
    for (uint32_t i = 0; i < a->damage_count; i++) {
        assert_int_equal(a->damage[i].segment, b->damage[i].segment);
        assert_int_equal(a->damage[i].offset, b->damage[i].offset);
        assert_int_equal(a->damage[i].bytes, b->damage[i].bytes);
        assert_string_equal(a->damage[i].what, b->damage[i].what);
    }
    assert_int_equal(a->records, b->records);
    assert_int_equal(a->last_time_ns, b->last_time_ns);
    assert_int_equal(a->end, b->end);
    assert_int_equal(a->info->segments, b->info->segments);
    assert_int_equal(a->ends_count, b->ends_count);
    assert_memory_equal(a->ends, b->ends, a->ends_count * sizeof *a->ends);
    assert_same_topics(a, b);
    assert_same_gaps(a, b);
    assert_int_equal(tbus_journal_reader_torn_bytes(a->reader),
                     tbus_journal_reader_torn_bytes(b->reader));
    assert_int_equal(tbus_journal_reader_seals(a->reader, digests[0]),
                     tbus_journal_reader_seals(b->reader, digests[1]));
    assert_memory_equal(digests[0], digests[1], sizeof digests[0]);
}

/* Checks it record by record, and on 1, 2 and 7 threads. How many places were found each time. */
static uint32_t check_all_ways(const char *directory)
{
    static const uint32_t threads[] = {1, 2, 7};
    check_t one_by_one;
    assert_int_equal(check_journal_on(directory, "checked", 0, &one_by_one, NULL), 0);
    for (unsigned i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        check_t scanned;
        assert_int_equal(check_journal_on(directory, "checked", threads[i], &scanned, NULL), 0);
        assert_same(&one_by_one, &scanned);
        check_clear(&scanned);
    }
    uint32_t count = one_by_one.damage_count;
    check_clear(&one_by_one);
    return count;
}

static void a_whole_journal_is_the_same_on_any_number_of_threads(void **state)
{
    const scratch_t *s = *state;
    record_into(s->journal, SEGMENT, &usual);
    assert_int_equal(check_all_ways(s->journal), 0);
}

static void sequences_that_are_missing_repeated_or_died_are_told_alike(void **state)
{
    const scratch_t *s = *state;
    char path[PATH_BYTES];
    /* within a segment, and at the first record of one (the third, which message 1,495 or so
     * begins) */
    for (uint64_t i = 1480; i < 1500; i++) {
        const struct {
            unusual_t unusual;
            bool found;
        } cases[] = {{{i, NOBODY, NOBODY, NOBODY}, i % 5 != 3},
                     {{NOBODY, i, NOBODY, NOBODY}, true},
                     {{NOBODY, NOBODY, i, NOBODY}, false},
                     {{NOBODY, NOBODY, NOBODY, i}, false}};
        for (unsigned k = 0; k < sizeof cases / sizeof cases[0]; k++) {
            snprintf(path, sizeof path, "%.200s/%u-%u", s->root, (unsigned)i, k);
            record_into(path, SEGMENT, &cases[k].unusual);
            assert_int_equal(check_all_ways(path) != 0, cases[k].found);
        }
    }
}

static void change_byte(const char *path, off_t at)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void damage_is_told_alike_wherever_it_is(void **state)
{
    const scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    record_into(s->journal, SEGMENT, &usual);
    for (uint32_t segment = 1; segment <= 6; segment++) {
        struct stat file;
        segment_path(s->journal, segment, path);
        assert_int_equal(stat(path, &file), 0);
        for (off_t at = 3; at < file.st_size; at += at < 1500 ? 83 : 7919) {
            change_byte(path, at);
            assert_true(check_all_ways(s->journal) > 0);
            change_byte(path, at);
        }
        change_byte(path, file.st_size - 1);
        assert_true(check_all_ways(s->journal) > 0);
        change_byte(path, file.st_size - 1);
    }
    assert_int_equal(check_all_ways(s->journal), 0);
}

static void segments_that_are_missing_cut_or_exchanged_are_told_alike(void **state)
{
    const scratch_t *s = *state;
    char second[PATH_BYTES + 16], third[PATH_BYTES + 16], away[PATH_BYTES + 16];
    struct stat file;
    record_into(s->journal, SEGMENT, &usual);
    segment_path(s->journal, 2, second);
    segment_path(s->journal, 3, third);
    snprintf(away, sizeof away, "%s", s->other);
    assert_int_equal(rename(second, away), 0);
    assert_true(check_all_ways(s->journal) > 0);
    assert_int_equal(rename(third, second), 0);
    assert_true(check_all_ways(s->journal) > 0);
    assert_int_equal(rename(away, third), 0);
    assert_true(check_all_ways(s->journal) > 0);
    assert_int_equal(rename(second, away), 0);
    assert_int_equal(rename(third, second), 0);
    assert_int_equal(rename(away, third), 0);
    assert_int_equal(check_all_ways(s->journal), 0);
    assert_int_equal(stat(third, &file), 0);
    assert_int_equal(truncate(third, file.st_size - 500), 0);
    assert_true(check_all_ways(s->journal) > 0);
}

/* --- scans --- */

static void open_directory(const char *path, tbus_journal_directory_t *out_directory,
                           tbus_journal_range_t *out_range)
{
    assert_int_equal(tbus_journal_directory_open(path, out_directory, out_range, NULL), 0);
}

static void a_scan_says_what_is_in_a_segment_and_what_it_was_sealed_with(void **state)
{
    const scratch_t *s = *state;
    static _Alignas(8) unsigned char buffer[TBUS_JOURNAL_SCAN_BYTES];
    tbus_journal_directory_t directory;
    tbus_journal_range_t range;
    tbus_journal_scan_t scan;
    uint64_t records = 0, session = 0;
    record_into(s->journal, SEGMENT, &usual);
    open_directory(s->journal, &directory, &range);
    assert_true(range.last >= 6);
    for (uint32_t number = 1; number <= range.last; number++) {
        tbus_journal_segment_t segment;
        uint64_t cut_bytes;
        tbus_journal_scan_segment(&directory, number, buffer, &scan);
        assert_true(scan.whole && scan.plain && scan.has_digest);
        assert_int_equal(scan.segment, number);
        assert_int_equal(
            tbus_journal_segment_open(&directory, number, NULL, &segment, &cut_bytes, NULL),
            TBUS_JOURNAL_FOUND);
        assert_memory_equal(scan.digest, segment.header.seal.digest, sizeof scan.digest);
        assert_memory_equal(scan.previous, segment.header.seal.previous, sizeof scan.previous);
        assert_int_equal(scan.end, tbus_journal_segment_closed_bytes(&segment));
        assert_int_equal(segment.header.first_record, records);
        records += scan.records;
        session += scan.topics[TBUS_JOURNAL_SCAN_SESSION].records;
        tbus_journal_segment_close(&segment);
    }
    assert_int_equal(session, MESSAGES / 1000);
    assert_int_equal(records, MESSAGES + session);
    assert_int_equal(scan.last_time_ns, (MESSAGES - 1) * 1000);
    assert_int_equal(scan.topics[1].last_seq, MESSAGES / 5);
    assert_int_equal(scan.topics[1].payload_bytes_max, 33);
    tbus_journal_scan_segment(&directory, range.last + 1, buffer, &scan);
    assert_false(scan.whole);
    tbus_journal_directory_close(&directory);
}

/* In segments that are larger than what is read at a time. */
static void a_scan_goes_on_over_what_it_reads_at_a_time(void **state)
{
    const scratch_t *s = *state;
    static _Alignas(8) unsigned char buffer[TBUS_JOURNAL_SCAN_BYTES];
    tbus_journal_directory_t directory;
    tbus_journal_range_t range;
    tbus_journal_scan_t scan;
    unusual_t unusual = usual;
    unusual.large = 1400; /* about where the first piece ends */
    record_into(s->journal, 16 * SEGMENT, &unusual);
    open_directory(s->journal, &directory, &range);
    tbus_journal_scan_segment(&directory, 1, buffer, &scan);
    assert_true(scan.whole && scan.end > 2 * TBUS_JOURNAL_SCAN_BYTES);
    assert_int_equal(scan.topics[0].payload_bytes_max, 40000);
    assert_int_equal(check_all_ways(s->journal), 0);
    tbus_journal_directory_close(&directory);
}

static void a_scanner_gives_every_segment_that_is_asked_for_in_order(void **state)
{
    const scratch_t *s = *state;
    static const uint32_t steps[] = {1, 2, 3};
    tbus_journal_directory_t directory;
    tbus_journal_range_t range;
    record_into(s->journal, SEGMENT, &usual);
    open_directory(s->journal, &directory, &range);
    for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++)
        for (uint32_t threads = 1; threads < 5; threads++) {
            tbus_journal_scanner_t *scanner =
                tbus_journal_scanner_new(&directory, 1, range.last, threads);
            for (uint32_t number = 1; number <= range.last; number += steps[i]) {
                const tbus_journal_scan_t *scan = tbus_journal_scanner_get(scanner, number);
                assert_non_null(scan);
                assert_true(scan->whole && scan->segment == number);
            }
            assert_null(tbus_journal_scanner_get(scanner, range.last + 1));
            tbus_journal_scanner_free(scanner);
        }
    tbus_journal_scanner_free(tbus_journal_scanner_new(&directory, 1, range.last, 3));
    tbus_journal_directory_close(&directory);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_journal_is_the_same_on_any_number_of_threads),
        TEST(sequences_that_are_missing_repeated_or_died_are_told_alike),
        TEST(damage_is_told_alike_wherever_it_is),
        TEST(segments_that_are_missing_cut_or_exchanged_are_told_alike),
        TEST(a_scan_says_what_is_in_a_segment_and_what_it_was_sealed_with),
        TEST(a_scan_goes_on_over_what_it_reads_at_a_time),
        TEST(a_scanner_gives_every_segment_that_is_asked_for_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
