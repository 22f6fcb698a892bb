/* SPDX-License-Identifier: Apache-2.0 */
/* Segments that cannot be opened as usual and whose records are whole all the same: of one the
 * header is damaged, or lost; another was given another name. */
#include "bus/journal/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES UINT64_C(65536) /* on the stack */

/* A whole record at `at`? `chunk`: `bytes` bytes of what stands there. */
static bool is_record_in(const tbus_journal_segment_t *segment, const unsigned char *chunk,
                         uint64_t bytes, uint64_t at)
{
    uint64_t padded;
    tbus_journal_record_header_t header;
    memcpy(&header, chunk, sizeof header);
    return tbus_journal_segment_may_be_record(segment, &header, at) &&
           tbus_journal_segment_is_record(segment, chunk, bytes, at, &padded);
}

/* Is there a record whose CRC says that it is of this session and this segment? 1, 0 or -errno. The
 * chunks overlap by half, so one that is shorter than that is found. */
static int holds_record(const tbus_journal_segment_t *segment)
{
    _Alignas(8) unsigned char chunk[CHUNK_BYTES];
    for (uint64_t from = TBUS_JOURNAL_HEADER_BYTES;; from += CHUNK_BYTES / 2) {
        int64_t got = tbus_journal_segment_read(segment, chunk, sizeof chunk, from);
        if (got < 0)
            return (int)got;
        for (uint64_t i = 0; i + TBUS_JOURNAL_RECORD_HEADER <= (uint64_t)got; i += 8)
            if (is_record_in(segment, chunk + i, (uint64_t)got - i, from + i))
                return 1;
        if ((uint64_t)got < sizeof chunk)
            return 0;
    }
}

/* What its header would say, as far as another one of the session tells. How many records lie
 * before it is not known. */
static void make_header(const tbus_journal_segment_t *segment, uint32_t number,
                        const tbus_journal_header_t *like, tbus_journal_header_t *out_header)
{
    tbus_journal_header_t there = {0}, copy;
    uint32_t seed = tbus_journal_seed(like->session_id, number);
    *out_header = *like;
    out_header->segment = number;
    out_header->first_record = 0;
    out_header->seal = (tbus_journal_seal_t){0};
    copy = *out_header;
    out_header->header_crc32c = tbus_journal_header_crc(&copy);
    tbus_store_relaxed_u64(&out_header->closed, 0);
    tbus_store_relaxed_u64(&out_header->session_end, 0);
    if (tbus_journal_segment_read(segment, &there, sizeof there, 0) != (int64_t)sizeof there)
        return;
    uint64_t closed = tbus_load_relaxed_u64(&there.closed);
    if (closed == tbus_journal_closed_word(seed, (uint32_t)closed) &&
        (uint32_t)closed >= TBUS_JOURNAL_HEADER_BYTES)
        tbus_store_relaxed_u64(&out_header->closed, closed);
}

int tbus_journal_segment_open_headless(const tbus_journal_directory_t *directory, uint32_t number,
                                       const tbus_journal_header_t *like,
                                       tbus_journal_segment_t *out_segment)
{
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    struct stat is;
    tbus_journal_segment_name(number, name);
    tbus_journal_segment_t segment = {.directory = directory,
                                      .seed = tbus_journal_seed(like->session_id, number),
                                      .made_up = true};
    segment.fd = openat(directory->fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (segment.fd < 0)
        return errno == ENOENT ? TBUS_JOURNAL_NOTHING : -errno;
    int code = fstat(segment.fd, &is) < 0 ? -errno : S_ISREG(is.st_mode);
    if (code > 0) {
        make_header(&segment, number, like, &segment.header);
        code = holds_record(&segment);
    }
    if (code <= 0) {
        tbus_journal_segment_close(&segment);
        return code < 0 ? code : TBUS_JOURNAL_NOTHING;
    }
    *out_segment = segment;
    return TBUS_JOURNAL_FOUND;
}

/* The header of the file of segment `named`, if it is that of segment `number`. The descriptor, or
 * -1. */
static int open_as(const tbus_journal_directory_t *directory, uint32_t named, uint32_t number,
                   const tbus_journal_header_t *like, tbus_journal_header_t *out_header)
{
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    tbus_journal_header_t copy;
    tbus_journal_segment_name(named, name);
    tbus_journal_segment_t file = {
        .fd =
            openat(directory->fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW)};
    if (file.fd < 0)
        return -1;
    bool is_read = tbus_journal_segment_read(&file, out_header, sizeof *out_header, 0) ==
                   (int64_t)sizeof *out_header;
    copy = *out_header;
    if (is_read && tbus_load_relaxed_u64(&out_header->magic) == TBUS_JOURNAL_MAGIC &&
        out_header->segment == number &&
        tbus_journal_header_crc(&copy) == out_header->header_crc32c &&
        tbus_journal_segment_same_session(out_header, like))
        return file.fd;
    tbus_journal_segment_close(&file);
    return -1;
}

int tbus_journal_segment_open_renamed(const tbus_journal_directory_t *directory, uint32_t first,
                                      uint32_t number, const tbus_journal_header_t *like,
                                      tbus_journal_segment_t *out_segment)
{
    tbus_journal_header_t header;
    uint32_t last = tbus_journal_directory_last(directory);
    for (uint32_t named = first; named <= last; named++) {
        int fd = named == number ? -1 : open_as(directory, named, number, like, &header);
        if (fd < 0)
            continue;
        *out_segment = (tbus_journal_segment_t){.directory = directory,
                                                .fd = fd,
                                                .seed = tbus_journal_seed(like->session_id, number),
                                                .header = header};
        return TBUS_JOURNAL_FOUND;
    }
    return TBUS_JOURNAL_NOTHING;
}
