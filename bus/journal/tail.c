/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/tail.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* on the stack: a replay allocates nothing while it runs, its end included */
#define CHUNK_BYTES (UINT64_C(1) << 16)

/* The end of the last byte that is not zero, at or after `from`, and the end of the file. */
static int find_ends(const tbus_journal_segment_t *segment, uint64_t from, uint64_t *out_data_end,
                     uint64_t *out_file_end)
{
    unsigned char chunk[CHUNK_BYTES];
    uint64_t data_end = from;
    uint64_t at = from;
    for (;;) {
        int64_t got = tbus_journal_segment_read(segment, chunk, CHUNK_BYTES, at);
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

/* `area`: the file from `from` on, zeros behind the data. Offset of a record there, or 0. */
static uint64_t find_record(const tbus_journal_segment_t *segment, uint64_t from, uint64_t data_end,
                            const unsigned char *area, uint64_t area_bytes)
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
        if (tbus_journal_segment_is_record(segment, header, room, from + at, &length))
            return from + at;
        bool costly = (header->topic < segment->header.topics_count ||
                       header->topic == TBUS_JOURNAL_SESSION_TOPIC) &&
                      !header->flags && !header->pad;
        work += costly ? length : 0;
        if (work > TBUS_JOURNAL_SEARCH_BYTES_MAX)
            return from + at;
    }
    return 0;
}

int tbus_journal_tail_judge(const tbus_journal_segment_t *segment, uint64_t from,
                            tbus_journal_tail_t *out_tail)
{
    uint64_t data_end = from;
    uint64_t file_end = from;
    int code = find_ends(segment, from, &data_end, &file_end);
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
        int64_t got = tbus_journal_segment_read(segment, area, tail.bytes, from);
        if (got >= 0)
            tail.record_at = find_record(segment, from, data_end, area, area_bytes);
        munmap(area, area_bytes);
        if (got < 0)
            return (int)got;
    }
    *out_tail = tail;
    return 0;
}
