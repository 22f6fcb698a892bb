/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int tbus_journal_segment_fail(const tbus_journal_directory_t *directory, uint32_t number, int code,
                              const char *what, tbus_error_t *err)
{
    return tbus_fail(err, code, "segment %08u.tbj of the journal in %s %s", number, directory->path,
                     what);
}

int tbus_journal_segment_fail_reading(const tbus_journal_directory_t *directory, uint32_t number,
                                      int code, tbus_error_t *err)
{
    return tbus_fail(err, code, "cannot read segment %08u.tbj of the journal in %s: %s", number,
                     directory->path, tbus_strerror(code));
}

static int64_t read_all(int fd, void *into, uint64_t bytes, uint64_t offset)
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

int64_t tbus_journal_segment_read(const tbus_journal_segment_t *segment, void *into, uint64_t bytes,
                                  uint64_t offset)
{
    return read_all(segment->fd, into, bytes, offset);
}

bool tbus_journal_all_zeros(const void *bytes, uint64_t count)
{
    const unsigned char *at = bytes;
    return count == 0 || (at[0] == 0 && memcmp(at, at + 1, count - 1) == 0);
}

bool tbus_journal_segment_same_session(const tbus_journal_header_t *a,
                                       const tbus_journal_header_t *b)
{
    tbus_journal_header_t both[2] = {*a, *b};
    for (int i = 0; i < 2; i++) {
        both[i].segment = 0;
        both[i].first_record = 0;
        tbus_journal_header_crc(&both[i]);
    }
    return memcmp(&both[0], &both[1], sizeof both[0]) == 0;
}

/* --- opening --- */

static bool names_end(const tbus_journal_header_t *h)
{
    bool end = memchr(h->bus_name, 0, sizeof h->bus_name) != NULL;
    for (uint32_t i = 0; i < TBUS_JOURNAL_TOPICS_MAX; i++)
        end = end && memchr(h->topics[i].name, 0, TBUS_NAME_MAX) &&
              memchr(h->topics[i].type, 0, TBUS_NAME_MAX);
    return end;
}

/* Ten digits and capital letters, or none in an older journal; then zeros. */
static bool session_is_named(const tbus_journal_header_t *h)
{
    const char *name = h->session_name;
    size_t length = 0;
    while (length < sizeof h->session_name && ((name[length] >= '0' && name[length] <= '9') ||
                                               (name[length] >= 'A' && name[length] <= 'Z')))
        length++;
    return (length == 0 || length == TBUS_JOURNAL_SESSION_NAME) &&
           tbus_journal_all_zeros(name + length, sizeof h->session_name - length);
}

/* Check a header that says that it is one, field by field. `h` is a private copy. */
static int check_header(const tbus_journal_directory_t *directory, uint32_t number,
                        const tbus_journal_header_t *h, tbus_error_t *err)
{
    tbus_journal_header_t copy = *h;
    if (tbus_load_relaxed_u64(&h->magic) != TBUS_JOURNAL_MAGIC)
        return tbus_journal_segment_fail(directory, number, -TBUS_EMAGIC,
                                         "is no journal segment: it does not begin with TBJRNL1",
                                         err);
    if (h->abi < TBUS_JOURNAL_ABI_MIN || h->abi > TBUS_JOURNAL_ABI)
        return tbus_fail(err, -TBUS_EABI,
                         "segment %08u.tbj of the journal in %s has format %u, and this tickbus "
                         "reads formats %u to %u",
                         number, directory->path, h->abi, TBUS_JOURNAL_ABI_MIN, TBUS_JOURNAL_ABI);
    if (tbus_journal_header_crc(&copy) != h->header_crc32c)
        return tbus_journal_segment_fail(
            directory, number, -TBUS_ECORRUPT,
            "is damaged: the CRC of its header does not fit (offset 0)", err);
    if (h->header_bytes != TBUS_JOURNAL_HEADER_BYTES || h->topics_count > TBUS_JOURNAL_TOPICS_MAX ||
        !names_end(h) || !session_is_named(h) ||
        h->segment_bytes < TBUS_JOURNAL_SEGMENT_BYTES_MIN ||
        h->segment_bytes > TBUS_JOURNAL_SEGMENT_BYTES_MAX)
        return tbus_journal_segment_fail(directory, number, -TBUS_ECORRUPT,
                                         "has a header that no writer makes", err);
    if (h->segment != number)
        return tbus_fail(
            err, -TBUS_ECORRUPT,
            "segment %08u.tbj of the journal in %s is number %u by its header: it was renamed",
            number, directory->path, h->segment);
    return 0;
}

#define SECTOR_BYTES UINT64_C(512) /* what a disk writes whole or not at all */

/* Would the header be whole if sectors of it that are all zeros were as they are in `like`? All but
 * the first are the same in all segments of a session. */
static bool lacks_sectors(const tbus_journal_header_t *h, const tbus_journal_header_t *like)
{
    tbus_journal_header_t copy = *h;
    unsigned char *bytes = (unsigned char *)&copy;
    for (uint64_t at = SECTOR_BYTES; at < sizeof copy; at += SECTOR_BYTES)
        if (tbus_journal_all_zeros(bytes + at, SECTOR_BYTES))
            memcpy(bytes + at, (const unsigned char *)like + at, SECTOR_BYTES);
    return tbus_journal_header_crc(&copy) == h->header_crc32c;
}

/* How many bytes of a header that lacks its beginning there are. */
static uint64_t rest_of_header(const tbus_journal_header_t *h)
{
    uint64_t end = sizeof *h;
    while (end && ((const unsigned char *)h)[end - 1] == 0)
        end--;
    return end;
}

/* Read and check the header. FOUND, NOTHING or the negative error, as tbus_journal_segment_open. */
static int look_at_header(const tbus_journal_directory_t *directory, uint32_t number, int fd,
                          const tbus_journal_header_t *like, tbus_journal_header_t *out_header,
                          uint64_t *out_cut_bytes, tbus_error_t *err)
{
    uint64_t first_record = 0;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return tbus_journal_segment_fail_reading(directory, number, -errno, err);
    if (!S_ISREG(st.st_mode))
        return tbus_journal_segment_fail(directory, number, -TBUS_EMAGIC, "is no regular file",
                                         err);
    int64_t got = read_all(fd, out_header, sizeof *out_header, 0);
    if (got < 0)
        return tbus_journal_segment_fail_reading(directory, number, (int)got, err);
    if (got < (int64_t)sizeof *out_header) {
        *out_cut_bytes = tbus_journal_all_zeros(out_header, (uint64_t)got) ? 0 : (uint64_t)got;
        return TBUS_JOURNAL_NOTHING;
    }
    if (tbus_load_relaxed_u64(&out_header->magic) == 0) {
        /* It was never begun, or a crash came between its first word and its last; but then it has
         * no records. */
        got = read_all(fd, &first_record, sizeof first_record, TBUS_JOURNAL_HEADER_BYTES);
        if (got < 0)
            return tbus_journal_segment_fail_reading(directory, number, (int)got, err);
        if (first_record == 0) {
            *out_cut_bytes = rest_of_header(out_header);
            return TBUS_JOURNAL_NOTHING;
        }
    }
    /* J2 pairs J1 (begin_segment): the first read saw the magic, or a record behind it; this one
     * has all that was stored before. */
    tbus_fence_acquire();
    got = read_all(fd, out_header, sizeof *out_header, 0);
    if (got < 0)
        return tbus_journal_segment_fail_reading(directory, number, (int)got, err);
    if (got < (int64_t)sizeof *out_header)
        return tbus_journal_segment_fail(directory, number, -TBUS_ECORRUPT,
                                         "is being cut by somebody", err);
    if (first_record && tbus_load_relaxed_u64(&out_header->magic) == 0) {
        if (!like)
            return tbus_journal_segment_fail(
                directory, number, -TBUS_ECORRUPT,
                "is damaged: it holds records and has no header (offset 0)", err);
        /* The power went before the kernel had written the header's page. */
        *out_cut_bytes = sizeof *out_header;
        return TBUS_JOURNAL_NOTHING;
    }
    int code = check_header(directory, number, out_header, err);
    if (code == -TBUS_ECORRUPT && like && !lacks_sectors(out_header, out_header) &&
        lacks_sectors(out_header, like)) {
        *out_cut_bytes = rest_of_header(out_header);
        return TBUS_JOURNAL_NOTHING;
    }
    return code < 0 ? code : TBUS_JOURNAL_FOUND;
}

int tbus_journal_segment_open(const tbus_journal_directory_t *directory, uint32_t number,
                              const tbus_journal_header_t *like,
                              tbus_journal_segment_t *out_segment, uint64_t *out_cut_bytes,
                              tbus_error_t *err)
{
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    tbus_journal_header_t header;
    tbus_journal_segment_name(number, name);
    *out_cut_bytes = 0;
    /* Opening a pipe that nobody writes to would not return. */
    int fd = openat(directory->fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT ? TBUS_JOURNAL_NOTHING
                               : tbus_journal_segment_fail_reading(directory, number, -errno, err);
    int look = look_at_header(directory, number, fd, like, &header, out_cut_bytes, err);
    if (look != TBUS_JOURNAL_FOUND) {
        close(fd);
        return look;
    }
    *out_segment = (tbus_journal_segment_t){
        .directory = directory,
        .fd = fd,
        .seed = tbus_journal_seed(header.session_id, header.segment),
        .header = header,
    };
    return look;
}

void tbus_journal_segment_close(tbus_journal_segment_t *segment)
{
    if (segment->fd >= 0)
        close(segment->fd);
    segment->fd = -1;
}

/* --- what is in it --- */

bool tbus_journal_segment_may_be_record(const tbus_journal_segment_t *segment,
                                        const tbus_journal_record_header_t *header, uint64_t offset)
{
    uint32_t length = tbus_load_relaxed_u32(&header->length);
    return length >= TBUS_JOURNAL_RECORD_HEADER &&
           tbus_journal_segment_is_plausible(segment, header) &&
           tbus_journal_padded(length) <= segment->header.segment_bytes - offset;
}

/* Of a later kind it is taken as it is, if it fits its CRC. */
static bool seal_fits(const tbus_journal_segment_t *segment, const tbus_journal_seal_t *seal)
{
    return seal->kind == TBUS_JOURNAL_SEAL_NONE
               ? tbus_journal_all_zeros(seal, sizeof *seal)
               : seal->crc32c == tbus_journal_seal_crc(segment->seed, seal);
}

int64_t tbus_journal_segment_closed_bytes(const tbus_journal_segment_t *segment)
{
    tbus_journal_header_t header;
    int64_t got = tbus_journal_segment_read(segment, &header, sizeof header, 0);
    if (got < 0)
        return got;
    if (got < (int64_t)sizeof header)
        return -TBUS_ETRUNCATED;
    uint64_t closed = tbus_load_relaxed_u64(&header.closed);
    uint32_t bytes = (uint32_t)closed;
    bool fits =
        closed == 0 || (closed == tbus_journal_closed_word(segment->seed, bytes) &&
                        bytes >= TBUS_JOURNAL_HEADER_BYTES && seal_fits(segment, &header.seal));
    return fits ? (int64_t)bytes : -TBUS_ECORRUPT;
}

int tbus_journal_segment_session_end(const tbus_journal_segment_t *segment, uint64_t *out_word)
{
    uint64_t word = 0;
    int64_t got = tbus_journal_segment_read(segment, &word, sizeof word,
                                            offsetof(tbus_journal_header_t, session_end));
    if (got < 0)
        return (int)got;
    if (got < (int64_t)sizeof word)
        return -TBUS_ETRUNCATED;
    *out_word = word;
    enum tbus_journal_session_end end = (enum tbus_journal_session_end)(word & 0xff);
    bool known = end == TBUS_JOURNAL_SESSION_CLOSED || end == TBUS_JOURNAL_SESSION_BROKEN;
    int code = -(int)(word >> 8 & 0xffffff);
    bool fits =
        word == 0 || (known && word == tbus_journal_session_end_word(segment->seed, end, code));
    return fits ? 0 : -TBUS_ECORRUPT;
}

/* Is [from, to) zeros, or behind the end of the file? 1, 0 or -errno. `to - from` at most a
 * sector. */
static int is_blank(const tbus_journal_segment_t *segment, uint64_t from, uint64_t to)
{
    unsigned char bytes[SECTOR_BYTES];
    int64_t got = tbus_journal_segment_read(segment, bytes, to - from, from);
    return got < 0 ? (int)got : tbus_journal_all_zeros(bytes, (uint64_t)got);
}

int tbus_journal_segment_lost_sectors(const tbus_journal_segment_t *segment, uint64_t offset,
                                      uint64_t *out_end)
{
    uint32_t words[2] = {0}; /* length and CRC */
    int64_t got = tbus_journal_segment_read(segment, words, sizeof words, offset);
    if (got < 0)
        return (int)got;
    *out_end = offset;
    if (words[0] == 0) /* the length is stored last, the CRC just before it */
        return words[1] == 0;
    uint64_t end = offset + tbus_journal_padded(words[0]);
    if (words[0] < TBUS_JOURNAL_RECORD_HEADER || end > segment->header.segment_bytes)
        return 0;
    *out_end = end;
    /* A sector that is older than the record has zeros in place of the record's last bytes there,
     * and behind them. */
    for (uint64_t at = offset + sizeof words; at < end;) {
        uint64_t sector_end = at / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES;
        uint64_t from = end < sector_end ? end - 8 : sector_end - 16;
        int blank = is_blank(segment, from > at ? from : at, sector_end);
        if (blank != 0)
            return blank;
        at = sector_end;
    }
    return 0;
}
