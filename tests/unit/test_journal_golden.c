/* SPDX-License-Identifier: Apache-2.0 */
/* One session in every format that there was, in tests/golden/journal-N: what is read of each stays
 * what it was, and what is written today stays byte for byte what it was. journal-1 was written by
 * the last tickbus of that format and can be written by none of today's; journal-2 is what the
 * writer makes of the same messages (TICKBUS_GOLDEN=write writes it, for a new format only).
 *
 * The CRCs and digests are computed here once more, from what <tickbus/journal.h> and
 * bus/journal/format.h say of them, by other code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/sha.h>
#include <sys/random.h>

#include "tests/support/program.h"
#include "tests/unit/journal_golden.h"

#define SEGMENTS   2u
#define FILE_MAX   65536u
#define CONFIG_MAX 16400u /* two records */
#define RANDOM(i)  ((unsigned char)((i)*17 + 3))

/* Every session gets the same id. */
ssize_t getrandom(void *buffer, size_t bytes, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < bytes; i++)
        ((unsigned char *)buffer)[i] = RANDOM(i);
    return (ssize_t)bytes;
}

static void golden_path(unsigned format, char out_path[256])
{
    snprintf(out_path, 256, "%s/tests/golden/journal-%u", TICKBUS_SOURCE_DIR, format);
}

typedef struct file {
    size_t bytes;
    unsigned char data[FILE_MAX];
} file_t;

static void load(const char *directory, unsigned segment, file_t *out)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%08u.tbj", directory, segment);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    out->bytes = fread(out->data, 1, sizeof out->data, file);
    fclose(file);
}

static uint32_t u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t u64(const unsigned char *at)
{
    return u32(at) | (uint64_t)u32(at + 4) << 32;
}

/* RFC 3720, bit by bit. */
static uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
    crc = ~crc;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= ((const unsigned char *)data)[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void configuration(char out_text[CONFIG_MAX])
{
    for (unsigned i = 0; i < CONFIG_MAX; i++)
        out_text[i] = (char)('a' + i % 26);
}

/* --- what the bytes are, by their offsets --- */

static uint32_t seed_of(const file_t *file)
{
    return crc32c(crc32c(0, file->data + 16, 16), file->data + 32, 4);
}

/* The header as its CRC and its digest see it. */
static void covered_header(const file_t *file, unsigned format, unsigned char out_header[4096])
{
    memcpy(out_header, file->data, 4096);
    memset(out_header, 0, 8);      /* magic */
    memset(out_header + 88, 0, 8); /* closed */
    memset(out_header + 96, 0, 4); /* the CRC itself */
    if (format < 2)
        return;
    memset(out_header + 104, 0, 8);    /* session_end */
    memset(out_header + 1280, 0, 128); /* seal */
}

static void check_header(const file_t *file, unsigned format, unsigned segment, bool last)
{
    const unsigned char *h = file->data;
    unsigned char covered[4096];
    uint32_t seed = seed_of(file);
    assert_memory_equal(h, "TBJRNL1\0", 8);
    assert_int_equal(u32(h + 8), format);
    assert_int_equal(u32(h + 12), 4096);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(h[16 + i], RANDOM(i));
    assert_int_equal(u32(h + 32), segment);
    assert_int_equal(u32(h + 36), 2); /* topics */
    /* in format 2, three records about the session */
    assert_int_equal(u64(h + 40), segment == 1 ? 0 : 21 + (format > 1 ? 3 : 0));
    assert_int_equal(u64(h + 48), 65536);
    assert_int_equal(u64(h + 56), UINT64_C(1700000000123456789));
    assert_string_equal((const char *)h + 64, "golden");
    uint32_t bytes = (uint32_t)file->bytes;
    assert_int_equal(u64(h + 88), (uint64_t)crc32c(seed, &bytes, 4) << 32 | bytes);
    covered_header(file, format, covered);
    assert_int_equal(u32(h + 96), crc32c(0, covered, 4096));
    assert_string_equal((const char *)h + 128, "md");
    assert_string_equal((const char *)h + 152, "tick");
    assert_int_equal(u64(h + 176), 1);
    assert_string_equal((const char *)h + 184, "orders");
    assert_string_equal((const char *)h + 208, "order");
    assert_int_equal(u64(h + 232), 7);
    assert_int_equal(u32(h + 1024), 1);
    assert_int_equal(u32(h + 1028), 2); /* broadcast */
    assert_int_equal(u32(h + 1040), 3);
    assert_int_equal(u32(h + 1044), 4); /* mpmc */
    if (format < 2)
        return;
    assert_int_equal(u64(h + 1032), UINT64_C(0x1122334455667788));
    assert_int_equal(u64(h + 1048), 0);
    uint32_t end[2] = {UINT32_MAX, 1}; /* closed, no error */
    assert_int_equal(u64(h + 104), last ? (uint64_t)crc32c(seed, end, 8) << 32 | 1 : 0);
    assert_string_equal((const char *)h + 112, "ZCR2DWBJXJ");
}

/* Walk over the records by their lengths. Returns how many there are. */
static unsigned check_records(const file_t *file)
{
    uint32_t seed = seed_of(file);
    unsigned count = 0;
    size_t at = 4096;
    while (at < file->bytes) {
        uint32_t length = u32(file->data + at);
        size_t padded = (length + 7u) / 8 * 8;
        uint64_t place = (uint64_t)at << 32 | length;
        assert_in_range(length, 32, file->bytes - at);
        uint32_t crc = crc32c(crc32c(seed, &place, 8), file->data + at + 8, padded - 8);
        assert_int_equal(u32(file->data + at + 4), crc);
        at += padded;
        count++;
    }
    assert_int_equal(at, file->bytes);
    return count;
}

static void check_seal(const file_t *file, const unsigned char previous[32],
                       unsigned char out_digest[32])
{
    unsigned char *text = malloc(32 + FILE_MAX);
    const unsigned char *seal = file->data + 1280;
    memcpy(text, previous, 32);
    covered_header(file, 2, text + 32);
    memcpy(text + 32 + 4096, file->data + 4096, file->bytes - 4096);
    SHA256(text, 32 + file->bytes, out_digest);
    free(text);
    assert_int_equal(u32(seal), 1);
    assert_int_equal(u32(seal + 4), crc32c(crc32c(seed_of(file), seal, 4), seal + 8, 128 - 8));
    assert_memory_equal(seal + 8, previous, 32);
    assert_memory_equal(seal + 40, out_digest, 32);
}

static void the_bytes_of_each_format_are_what_its_description_says(void **state)
{
    (void)state;
    static file_t file;
    char directory[256];
    for (unsigned format = 1; format <= TBUS_JOURNAL_ABI; format++) {
        unsigned records = 0;
        unsigned char previous[32] = {0}, digest[32];
        golden_path(format, directory);
        for (unsigned segment = 1; segment <= SEGMENTS; segment++) {
            load(directory, segment, &file);
            check_header(&file, format, segment, segment == SEGMENTS);
            records += check_records(&file);
            if (format >= 2)
                check_seal(&file, previous, digest);
            memcpy(previous, digest, sizeof previous);
        }
        assert_int_equal(records, GOLDEN_MESSAGES + (format >= 2 ? 3 : 0));
    }
}

/* --- what the reader makes of them --- */

static void check_info(const tbus_journal_info_t *info, unsigned format)
{
    assert_string_equal(info->bus_name, "golden");
    assert_string_equal(info->session_name, format < 2 ? "" : "ZCR2DWBJXJ");
    assert_int_equal(info->started_realtime_ns, UINT64_C(1700000000123456789));
    assert_int_equal(info->segment_bytes, 65536);
    assert_int_equal(info->segments, SEGMENTS);
    assert_int_equal(info->topics_count, 2);
    assert_string_equal(info->topics[0].name, "md");
    assert_string_equal(info->topics[0].type, "tick");
    assert_int_equal(info->topics[0].first_seq, 1);
    assert_int_equal(info->topics[0].type_version, 1);
    assert_int_equal(info->topics[0].ring_kind, TBUS_BROADCAST);
    assert_int_equal(info->topics[0].layout_id, format < 2 ? 0 : UINT64_C(0x1122334455667788));
    assert_string_equal(info->topics[1].name, "orders");
    assert_int_equal(info->topics[1].first_seq, 7);
    assert_int_equal(info->topics[1].type_version, 3);
    assert_int_equal(info->topics[1].ring_kind, TBUS_MPMC);
    assert_int_equal(info->topics[1].layout_id, 0);
}

static void check_piece(const tbus_journal_record_t *record, unsigned index)
{
    static const size_t bytes[] = {12, 16384, CONFIG_MAX - 16384};
    char text[CONFIG_MAX];
    tbus_journal_piece_t piece;
    configuration(text);
    assert_in_range(index, 0, 2);
    assert_true(tbus_journal_record_piece(record, &piece));
    assert_int_equal(record->seq, index + 1);
    assert_int_equal(record->time_ns, index ? 6 : 5);
    assert_int_equal(piece.kind, index ? TBUS_JOURNAL_CONFIGURATION : TBUS_JOURNAL_PROVENANCE);
    assert_int_equal(piece.version, 1);
    assert_int_equal(piece.more, index == 1);
    assert_int_equal(piece.bytes, bytes[index]);
    assert_memory_equal(piece.data, index == 0 ? "{\"golden\":1}" : text + (index == 2 ? 16384 : 0),
                        piece.bytes);
}

static void each_format_reads_back_field_by_field(void **state)
{
    (void)state;
    static golden_message_t m;
    char directory[256];
    for (unsigned format = 1; format <= TBUS_JOURNAL_ABI; format++) {
        tbus_journal_reader_t *r = NULL;
        tbus_journal_record_t record;
        tbus_error_t err = {0};
        unsigned messages = 0, pieces = 0;
        uint8_t digest[32];
        golden_path(format, directory);
        if (tbus_journal_reader_open(directory, &r, &err) < 0)
            fail_msg("%s", err.text);
        check_info(tbus_journal_reader_info(r), format);
        tbus_journal_reader_show_session(r);
        tbus_journal_reader_check_seals(r);
        int code;
        while ((code = tbus_journal_reader_next(r, &record, &err)) == 1) {
            if (record.topic == TBUS_JOURNAL_SESSION_TOPIC) {
                check_piece(&record, pieces++);
                continue;
            }
            golden_message(messages++, &m);
            assert_int_equal(record.topic, m.topic);
            assert_int_equal(record.seq, m.seq);
            assert_int_equal(record.time_ns, m.time_ns);
            assert_int_equal(record.bytes, m.bytes);
            assert_memory_equal(record.payload, m.payload, m.bytes);
            assert_int_equal(record.segment, messages <= 21 ? 1 : 2);
        }
        if (code < 0)
            fail_msg("%s", err.text);
        assert_int_equal(tbus_journal_reader_end(r), TBUS_JOURNAL_CLOSED);
        assert_int_equal(messages, GOLDEN_MESSAGES);
        assert_int_equal(pieces, format < 2 ? 0 : 3);
        assert_int_equal(tbus_journal_reader_seals(r, digest), format < 2 ? 0 : SEGMENTS);
        tbus_journal_reader_close(r);
    }
}

/* --- what the writer writes --- */

static void write_session(const char *directory)
{
    static golden_message_t m;
    char text[CONFIG_MAX];
    tbus_journal_spec_t spec;
    tbus_journal_writer_t *w = NULL;
    tbus_error_t err = {0};
    golden_spec(directory, &spec);
    spec.topics[0].layout_id = UINT64_C(0x1122334455667788);
    configuration(text);
    if (tbus_journal_writer_open(&spec, &w, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(
        tbus_journal_writer_append_session(w, TBUS_JOURNAL_PROVENANCE, 5, "{\"golden\":1}", 12), 0);
    assert_int_equal(
        tbus_journal_writer_append_session(w, TBUS_JOURNAL_CONFIGURATION, 6, text, sizeof text), 0);
    for (unsigned i = 0; i < GOLDEN_MESSAGES; i++) {
        golden_message(i, &m);
        assert_int_equal(
            tbus_journal_writer_append(w, m.topic, m.seq, m.time_ns, m.payload, m.bytes), 0);
    }
    if (tbus_journal_writer_close(w, &err) < 0)
        fail_msg("%s", err.text);
}

static void the_writer_writes_what_it_always_wrote(void **state)
{
    (void)state;
    static file_t written, golden;
    char scratch[SCRATCH_PATH_MAX], journal[SCRATCH_PATH_MAX + 16], directory[256], path[300];
    const char *mode = getenv("TICKBUS_GOLDEN");
    scratch_create(scratch);
    snprintf(journal, sizeof journal, "%s/journal", scratch);
    golden_path(TBUS_JOURNAL_ABI, directory);
    write_session(journal);
    bool same = true;
    for (unsigned segment = 1; segment <= SEGMENTS; segment++) {
        load(journal, segment, &written);
        snprintf(path, sizeof path, "%s/%08u.tbj", directory, segment);
        if (mode && strcmp(mode, "write") == 0)
            assert_true(file_write(path, written.data, written.bytes));
        load(directory, segment, &golden);
        same &=
            written.bytes == golden.bytes && memcmp(written.data, golden.data, golden.bytes) == 0;
    }
    scratch_remove(scratch);
    assert_true(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_writer_writes_what_it_always_wrote),
        cmocka_unit_test(the_bytes_of_each_format_are_what_its_description_says),
        cmocka_unit_test(each_format_reads_back_field_by_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
