/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/tail.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* on the stack: a replay allocates nothing while it runs, its end included */
#define CHUNK_BYTES (UINT64_C(1) << 16)

int64_t tbus_journal_read(int fd, void *into, uint64_t bytes, uint64_t offset)
{
    uint64_t have = 0;
    while (have < bytes) {
        ssize_t got = pread(fd, (unsigned char *)into + have, bytes - have, (off_t)(offset + have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        have += (uint64_t)got;
    }
    return (int64_t)have;
}

bool tbus_journal_record_valid(const void *record, uint64_t bytes, uint64_t offset, uint32_t seed,
                               uint32_t topics_count, uint64_t *out_padded_bytes)
{
    const tbus_journal_record_header_t *header = record;
    uint32_t length = tbus_load_relaxed_u32(&header->length);
    uint64_t padded = tbus_journal_padded(length);
    if (length < TBUS_JOURNAL_RECORD_HEADER || padded > bytes)
        return false;
    if (header->topic >= topics_count || header->flags || header->pad)
        return false;
    if (header->crc32c != tbus_journal_record_crc(seed, offset, length, record))
        return false;
    *out_padded_bytes = padded;
    return true;
}

/* The end of the last byte that is not zero, at or after `from`, and the end of the file. */
static int find_ends(int fd, uint64_t from, unsigned char *chunk, uint64_t *out_data_end,
                     uint64_t *out_file_end)
{
    uint64_t data_end = from;
    uint64_t at = from;
    for (;;) {
        int64_t got = tbus_journal_read(fd, chunk, CHUNK_BYTES, at);
        if (got < 0)
            return (int)got;
        uint64_t last = (uint64_t)got;
        if (last && !chunk[0] && !memcmp(chunk, chunk + 1, last - 1))
            last = 0; /* all zeros: the usual case, told fast */
        while (last && !chunk[last - 1])
            last--;
        if (last)
            data_end = at + last;
        at += (uint64_t)got;
        if ((uint64_t)got < CHUNK_BYTES)
            break;
    }
    *out_data_end = data_end;
    *out_file_end = at;
    return 0;
}

/* `area`: the file from `from` on, zeros behind the data. */
static uint64_t find_record(const unsigned char *area, uint64_t area_bytes, uint64_t from,
                            uint64_t data_end, uint32_t seed, uint32_t topics_count)
{
    uint64_t work = 0;
    for (uint64_t at = 8; from + at < data_end && at + TBUS_JOURNAL_RECORD_HEADER <= area_bytes;
         at += 8) {
        const tbus_journal_record_header_t *header =
            (const tbus_journal_record_header_t *)(const void *)(area + at);
        uint64_t room = area_bytes - at;
        uint64_t length = tbus_load_relaxed_u32(&header->length);
        if (length == 0 || length > room)
            continue;
        if (tbus_journal_record_valid(header, room, from + at, seed, topics_count, &length))
            return from + at;
        work += header->topic < topics_count && !header->flags && !header->pad ? length : 0;
        if (work > TBUS_JOURNAL_SEARCH_BYTES_MAX)
            return from + at;
    }
    return 0;
}

int tbus_journal_tail_judge(int fd, uint64_t from, uint32_t seed, uint32_t topics_count,
                            tbus_journal_tail_t *out_tail)
{
    unsigned char chunk[CHUNK_BYTES];
    uint64_t data_end = from;
    uint64_t file_end = from;
    int code = find_ends(fd, from, chunk, &data_end, &file_end);
    if (code < 0)
        return code;
    tbus_journal_tail_t tail = {.bytes = data_end - from};
    if (tail.bytes) {
        /* A payload may end in zeros, so a record may reach behind the data. Fresh memory is zeros,
         * and costs nothing there. */
        uint64_t area_bytes = file_end - from;
        unsigned char *area = mmap(NULL, area_bytes, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (area == MAP_FAILED)
            return -errno;
        int64_t got = tbus_journal_read(fd, area, tail.bytes, from);
        if (got >= 0)
            tail.record_at = find_record(area, area_bytes, from, data_end, seed, topics_count);
        munmap(area, area_bytes);
        if (got < 0)
            return (int)got;
    }
    *out_tail = tail;
    return 0;
}
