/* SPDX-License-Identifier: Apache-2.0 */
/* Input: one byte, then a segment. Bit 0: the header's checksum is put right, bit 1: that of each
 * record, bit 2: the word that says that the segment is finished; else hardly anything would get
 * past them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/journal/format.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/program.h"

#define SEGMENT_MAX 32768u

static char directory[SCRATCH_PATH_MAX];

static void remove_directory(void)
{
    scratch_remove(directory);
}

static void segment_path(const char *in, char out_path[SCRATCH_PATH_MAX + 24])
{
    snprintf(out_path, SCRATCH_PATH_MAX + 24, "%s/00000001.tbj", in);
}

static void put_right(uint8_t *segment, size_t bytes, unsigned what)
{
    tbus_journal_header_t header;
    if (bytes < sizeof header)
        return;
    memcpy(&header, segment, sizeof header);
    uint32_t seed = tbus_journal_seed(header.session_id, header.segment);
    if (what & 1) {
        uint32_t crc = tbus_journal_header_crc(&header);
        memcpy(segment + offsetof(tbus_journal_header_t, header_crc32c), &crc, sizeof crc);
    }
    if (what & 4) {
        uint64_t word = tbus_journal_closed_word(seed, (uint32_t)bytes);
        memcpy(segment + offsetof(tbus_journal_header_t, closed), &word, sizeof word);
    }
    for (size_t at = sizeof header; what & 2 && at + TBUS_JOURNAL_RECORD_HEADER <= bytes;) {
        uint32_t length;
        memcpy(&length, segment + at, sizeof length);
        if (length < TBUS_JOURNAL_RECORD_HEADER || tbus_journal_padded(length) > bytes - at)
            break;
        uint32_t crc = tbus_journal_record_crc(seed, at, length, segment + at);
        memcpy(segment + at + 4, &crc, sizeof crc);
        at += tbus_journal_padded(length);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    static uint8_t segment[SEGMENT_MAX];
    static int fd = -1;
    if (!bytes || bytes - 1 > sizeof segment)
        return 0;
    if (fd < 0) {
        char path[SCRATCH_PATH_MAX + 24];
        scratch_create(directory);
        atexit(remove_directory);
        segment_path(directory, path);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    }
    memcpy(segment, input + 1, --bytes);
    put_right(segment, bytes, input[0]);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, segment, bytes, 0) != (ssize_t)bytes)
        abort();
    tbus_journal_reader_t *r;
    tbus_journal_record_t record;
    tbus_error_t err;
    if (tbus_journal_reader_open(directory, &r, &err) < 0)
        return 0;
    uint64_t before = 0;
    unsigned sum = 0;
    int code;
    while ((code = tbus_journal_reader_next(r, &record, &err)) == 1) {
        const uint8_t *payload = record.payload;
        if (record.offset < before ||
            record.offset + TBUS_JOURNAL_RECORD_HEADER + record.bytes > bytes ||
            record.topic >= tbus_journal_reader_info(r)->topics_count)
            abort();
        before = record.offset + 1;
        for (size_t i = 0; i < record.bytes; i++)
            sum += payload[i];
    }
    /* the end is final, damage too */
    if (tbus_journal_reader_next(r, &record, &err) != code || sum == 0xdeadbeef)
        abort();
    tbus_journal_reader_close(r);
    return 0;
}

void fuzz_seeds(fuzz_take_t take)
{
    static uint8_t seed[1 + SEGMENT_MAX];
    char scratch[SCRATCH_PATH_MAX], journal[SCRATCH_PATH_MAX + 2], path[SCRATCH_PATH_MAX + 24];
    scratch_create(scratch);
    snprintf(journal, sizeof journal, "%s/j", scratch);
    tbus_journal_spec_t spec = {
        .directory = journal,
        .bus_name = "fuzz",
        .segment_bytes = TBUS_JOURNAL_SEGMENT_BYTES_MIN,
        .topics_count = 2,
        .topics = {{"md", "tick", 1, 0, 0, 0}, {"orders", "order", 7, 0, 0, 0}}};
    tbus_journal_writer_t *w;
    tbus_error_t err;
    if (tbus_journal_writer_open(&spec, &w, &err) < 0)
        abort();
    for (uint64_t i = 0; i < 12; i++)
        tbus_journal_writer_append(w, (uint16_t)(i % 2), i, 1000 * i, seed, 8 * i);
    tbus_journal_writer_close(w, &err);
    size_t bytes;
    segment_path(journal, path);
    char *file = file_read(path, &bytes);
    if (!file || bytes > SEGMENT_MAX)
        abort();
    memcpy(seed + 1, file, bytes);
    for (uint8_t what = 0; what < 8; what++) {
        seed[0] = what;
        take(seed, 1 + bytes);
        take(seed, 1 + bytes - 21);
    }
    /* not finished, and space behind */
    memset(seed + 1 + offsetof(tbus_journal_header_t, closed), 0, 8);
    seed[0] = 3;
    take(seed, 1 + bytes + 512);
    free(file);
    scratch_remove(scratch);
}
