/* SPDX-License-Identifier: Apache-2.0 */
/* What `busctl journal verify` finds: every bit that is flipped, wherever it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/journal_scratch.h"
#include "tools/journal/check.h"

#define SEGMENT  TBUS_JOURNAL_SEGMENT_BYTES_MIN
#define MESSAGES 650u /* of 56 bytes: nearly a segment */
#define STEP     (getenv("TICKBUS_FULL_SEGMENT") ? 1u : 1009u)

static tbus_journal_writer_t *record(const char *directory)
{
    static const uint8_t payload[56] = {1, 2, 3, 0, 0, 0, 0, 0xff};
    tbus_journal_writer_t *writer;
    tbus_journal_spec_t spec = {.directory = directory,
                                .bus_name = "flips",
                                .segment_bytes = SEGMENT,
                                .topics_count = 1,
                                .topics = {{"any", "something", 1, 1, TBUS_BROADCAST, 0}}};
    assert_int_equal(tbus_journal_writer_open(&spec, &writer, NULL), 0);
    for (uint64_t seq = 1; seq <= MESSAGES; seq++)
        assert_int_equal(
            tbus_journal_writer_append(writer, 0, seq, seq * 1000, payload, sizeof payload), 0);
    return writer;
}

/* Flip every STEP-th bit of the first segment: each is found, and what does not touch a record
 * leaves all of them, one that does all but one, one in the header perhaps none. */
static void check_flips(const char *directory)
{
    char path[PATH_BYTES + 16];
    struct stat file;
    segment_path(directory, 1, path);
    int fd = open(path, O_RDWR);
    assert_int_equal(fstat(fd, &file), 0);
    for (uint64_t bit = 0; bit < (uint64_t)file.st_size * 8; bit += STEP) {
        uint8_t byte, flipped;
        check_t check;
        tbus_error_t err = {0};
        assert_int_equal(pread(fd, &byte, 1, (off_t)(bit / 8)), 1);
        flipped = byte ^ (uint8_t)(1u << bit % 8);
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)(bit / 8)), 1);
        int code = check_journal(directory, "checked", &check, &err);
        if (code == 0 && check_ok(&check))
            fail_msg("bit %u of byte %u was not missed", (unsigned)(bit % 8), (unsigned)(bit / 8));
        if (code < 0) /* of the only segment that there is */
            assert_true(bit / 8 < TBUS_JOURNAL_HEADER_BYTES);
        else if (bit / 8 >= TBUS_JOURNAL_HEADER_BYTES)
            if (check.records < MESSAGES - 1)
                fail_msg("bit %u of byte %u: %u records are left, %s", (unsigned)(bit % 8),
                         (unsigned)(bit / 8), (unsigned)check.records, check.damage[0].what);
        check_clear(&check);
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
    }
    close(fd);
}

static void every_flipped_bit_of_a_finished_segment_is_found(void **state)
{
    const scratch_t *s = *state;
    assert_int_equal(tbus_journal_writer_close(record(s->journal), NULL), 0);
    check_flips(s->journal);
}

static void every_flipped_bit_of_an_unfinished_segment_is_found(void **state)
{
    const scratch_t *s = *state;
    tbus_journal_writer_t *writer = record(s->journal);
    const char *const argv[] = {"cp", "-r", s->journal, s->other, NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    program_clear(&p);
    assert_int_equal(tbus_journal_writer_close(writer, NULL), 0);
    check_flips(s->other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        TEST(every_flipped_bit_of_a_finished_segment_is_found),
        TEST(every_flipped_bit_of_an_unfinished_segment_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
