/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/journal/segment.h"
#include "tools/journal/check_parts.h"
#include "tools/journal/segments.h"

#define PIECE_BYTES (UINT64_C(256) << 10) /* of a file, looked at in one go */

typedef struct look {
    check_t *check;
    tbus_journal_directory_t directory; /* `path` is not ours */
    segments_t segments;
    tbus_error_t *err;
} look_t;

static int add(look_t *l, uint32_t segment, uint64_t offset, uint64_t bytes, const char *what)
{
    tbus_journal_damage_t place = {.segment = segment, .offset = offset, .bytes = bytes};
    snprintf(place.what, sizeof place.what, "%s", what);
    if (check_add_damage(l->check, &place))
        return 0;
    return tbus_fail(l->err, -ENOMEM, "no memory to check the journal in %s", l->directory.path);
}

static int fail_reading(const look_t *l, uint32_t segment, int code)
{
    return tbus_journal_segment_fail_reading(&l->directory, segment, code, l->err);
}

/* The first and the last byte from `from` on that is not zero; *out_last 0: there is none. 0, or
 * -errno. */
static int find_bytes(int fd, uint64_t from, uint64_t *out_first, uint64_t *out_last)
{
    unsigned char *piece = malloc(PIECE_BYTES);
    int64_t got = piece ? 0 : -ENOMEM;
    uint64_t first = 0, last = 0;
    for (uint64_t at = from; got >= 0; at += (uint64_t)got) {
        got = pread(fd, piece, PIECE_BYTES, (off_t)at);
        if (got < 0 && errno == EINTR) {
            got = 0;
            continue;
        }
        if (got <= 0)
            break;
        if (tbus_journal_all_zeros(piece, (uint64_t)got))
            continue;
        for (int64_t i = 0; i < got; i++)
            if (piece[i]) {
                last = at + (uint64_t)i;
                first = first ? first : last;
            }
    }
    int code = got < 0 ? (piece ? -errno : -ENOMEM) : 0;
    free(piece);
    *out_first = first;
    *out_last = last;
    return code;
}

/* The record that a killed writer had begun, and nothing behind it? `last`: the last byte that is
 * not zero. */
static bool is_begun(const look_t *l, const tbus_journal_segment_t *segment, uint64_t end,
                     uint64_t last)
{
    tbus_journal_record_header_t header;
    int64_t got = tbus_journal_segment_read(segment, &header, sizeof header, end);
    return got == sizeof header && check_is_begun(l->check, &header, last + 1 - end);
}

/* What the header of the next segment will be, behind `before`. False: it cannot be told. */
static bool expect_header(const look_t *l, uint32_t number, tbus_journal_header_t *out_header)
{
    tbus_journal_segment_t first, before;
    uint64_t cut_bytes;
    if (tbus_journal_segment_open(&l->directory, l->check->info->first_segment, NULL, &first,
                                  &cut_bytes, NULL) != TBUS_JOURNAL_FOUND)
        return false;
    tbus_journal_segment_close(&first);
    if (tbus_journal_segment_open(&l->directory, number - 1, &first.header, &before, &cut_bytes,
                                  NULL) != TBUS_JOURNAL_FOUND)
        return false;
    tbus_journal_segment_close(&before);
    *out_header = before.header;
    out_header->segment = number;
    out_header->first_record = first.header.first_record;
    for (uint32_t row = 0; row < CHECK_TOPICS_MAX; row++)
        out_header->first_record += l->check->topics[row].records;
    uint32_t crc = tbus_journal_header_crc(out_header); /* clears what is not of the beginning */
    out_header->header_crc32c = crc;
    return true;
}

/* The header that a killed writer had begun? It is stored from the front on, but for the magic,
 * which is last. */
static bool is_begun_header(const look_t *l, uint32_t number, int fd)
{
    tbus_journal_header_t whole;
    uint64_t there[sizeof whole / 8], comes[sizeof whole / 8];
    size_t words = sizeof there / 8, i = 1;
    if (!expect_header(l, number, &whole) ||
        pread(fd, there, sizeof there, 0) != (ssize_t)sizeof there || there[0])
        return false;
    memcpy(comes, &whole, sizeof comes);
    while (i < words && there[i] == comes[i])
        i++;
    while (i < words && there[i] == 0)
        i++;
    return i == words;
}

/* What the CRC of a header leaves out, and the reader looks at only where it matters: the seal of a
 * segment that is not finished, which is zeros, or was just written; and the end of the session,
 * which only the last segment may have. */
static int look_at_words(look_t *l, const tbus_journal_segment_t *segment, bool finished, bool last)
{
    uint32_t number = segment->header.segment;
    const tbus_journal_seal_t *seal = &segment->header.seal;
    uint64_t end;
    int code = 0;
    if (!finished && !tbus_journal_all_zeros(seal, sizeof *seal) &&
        tbus_journal_seal_crc(segment->seed, seal) != seal->crc32c)
        code = add(l, number, offsetof(tbus_journal_header_t, seal), sizeof *seal,
                   "what its header says of its SHA-256 does not fit its CRC");
    if (code == 0 && !last &&
        (tbus_journal_segment_session_end(segment, &end) == -TBUS_ECORRUPT || end != 0))
        code = add(l, number, offsetof(tbus_journal_header_t, session_end), sizeof end,
                   "its header speaks of the session's end, and is not the last");
    return code;
}

/* A segment that is not finished: it has its full length, and zeros behind its records. */
static int look_at_open(look_t *l, const tbus_journal_segment_t *segment, uint64_t file_bytes)
{
    uint64_t first, last;
    char what[128];
    uint32_t number = segment->header.segment;
    uint64_t end = check_end_of(l->check, number);
    if (end == 0)
        end = TBUS_JOURNAL_HEADER_BYTES;
    int code = find_bytes(segment->fd, end, &first, &last);
    if (code < 0)
        return fail_reading(l, number, code);
    if (last && !is_begun(l, segment, end, last)) {
        snprintf(what, sizeof what,
                 "behind the last record are bytes that are not zero, from offset %" PRIu64, first);
        code = add(l, number, first, last + 1 - first, what);
    }
    if (code == 0 && file_bytes < segment->header.segment_bytes) {
        snprintf(what, sizeof what,
                 "it was cut: it has %" PRIu64 " bytes, and while it is written it has %" PRIu64,
                 file_bytes, segment->header.segment_bytes);
        code = add(l, number, file_bytes, 0, what);
    }
    return code;
}

/* A segment that is finished: it has been cut to what it holds, or was about to be when its writer
 * was killed. */
static int look_at_finished(look_t *l, const tbus_journal_segment_t *segment, uint64_t closed,
                            uint64_t file_bytes)
{
    char what[128];
    uint64_t first, last = 0;
    uint32_t number = segment->header.segment;
    int code = file_bytes > closed ? find_bytes(segment->fd, closed, &first, &last) : 0;
    if (code < 0)
        return fail_reading(l, number, code);
    if (last || (file_bytes > closed && file_bytes != segment->header.segment_bytes))
        return add(l, number, closed, file_bytes - closed,
                   "there is something behind the end of a finished segment");
    if (file_bytes >= closed)
        return 0;
    snprintf(what, sizeof what,
             "it was cut: it has %" PRIu64 " bytes, and its header says %" PRIu64, file_bytes,
             closed);
    return add(l, number, file_bytes, 0, what);
}

/* A file without a header was made ready for later: it holds zeros, or a header that was begun. */
static int look_at_empty(look_t *l, uint32_t number)
{
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    uint64_t first = 0, last = 0;
    bool begun = false;
    tbus_journal_segment_name(number, name);
    int fd = openat(l->directory.fd, name, O_RDONLY | O_CLOEXEC);
    int code = fd < 0 ? -errno : find_bytes(fd, 0, &first, &last);
    if (code == 0 && last && last < TBUS_JOURNAL_HEADER_BYTES)
        begun = is_begun_header(l, number, fd);
    if (fd >= 0)
        close(fd);
    if (code < 0)
        return fail_reading(l, number, code);
    return last && !begun ? add(l, number, first, last + 1 - first,
                                "it has no header, and holds bytes that are not zero")
                          : 0;
}

static int look_at_segment(look_t *l, uint32_t number, bool last)
{
    tbus_journal_segment_t segment;
    uint64_t cut_bytes;
    struct stat file;
    tbus_error_t why = {0};
    bool writing = l->check->end == TBUS_JOURNAL_LIVE;
    int found = tbus_journal_segment_open(&l->directory, number, NULL, &segment, &cut_bytes, &why);
    if (found == TBUS_JOURNAL_NOTHING)
        return writing ? 0 : look_at_empty(l, number);
    if (found < 0) /* the reader has said so, or passed it over */
        return add(l, number, 0, TBUS_JOURNAL_HEADER_BYTES, "its header is damaged");
    int64_t closed = tbus_journal_segment_closed_bytes(&segment);
    int code = fstat(segment.fd, &file) < 0 ? fail_reading(l, number, -errno) : 0;
    if (code == 0)
        code = look_at_words(l, &segment, closed != 0, last);
    if (code == 0 && closed > 0)
        code = look_at_finished(l, &segment, (uint64_t)closed, (uint64_t)file.st_size);
    if (code == 0 && closed == 0 && !writing)
        code = look_at_open(l, &segment, (uint64_t)file.st_size);
    tbus_journal_segment_close(&segment);
    return code;
}

static int open_look(check_t *c, const char *directory, look_t *out_look, tbus_error_t *err)
{
    *out_look = (look_t){
        .check = c, .directory = {.path = (char *)(uintptr_t)directory, .fd = -1}, .err = err};
    int code = segments_list(directory, &out_look->segments, err);
    if (code < 0)
        return code;
    out_look->directory.fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out_look->directory.fd >= 0)
        return 0;
    segments_clear(&out_look->segments);
    return tbus_fail(err, -errno, "cannot open the journal in %s: %s", directory,
                     tbus_strerror(-errno));
}

static void close_look(look_t *l)
{
    segments_clear(&l->segments);
    close(l->directory.fd);
}

int check_files(check_t *c, const char *directory, tbus_error_t *err)
{
    look_t look;
    int code = open_look(c, directory, &look, err);
    if (code < 0)
        return code;
    uint32_t last = c->info->first_segment + c->info->segments - 1;
    while (last > c->info->first_segment && check_end_of(c, last) == 0)
        last--; /* holds no record, or cannot be read: no segment of the session is known behind */
    for (uint32_t i = 0; code == 0 && i < look.segments.count; i++)
        code = look_at_segment(&look, look.segments.numbers[i], look.segments.numbers[i] >= last);
    close_look(&look);
    return code;
}

/* The first segment that is missing, cannot be opened, or is of another session than the first. */
static uint32_t find_culprit(const look_t *l)
{
    const segments_t *segments = &l->segments;
    tbus_journal_segment_t first = {.fd = -1}, segment;
    uint32_t culprit = 0, last = segments->numbers[segments->count - 1];
    uint64_t cut_bytes;
    for (uint32_t i = 0; !culprit && i < segments->count; i++) {
        uint32_t number = segments->numbers[i];
        if (number != segments->numbers[0] + i)
            culprit = segments->numbers[0] + i;
        else if (tbus_journal_segment_open(&l->directory, number, i ? &first.header : NULL,
                                           &segment, &cut_bytes, NULL) != TBUS_JOURNAL_FOUND)
            culprit = i == 0 || number < last ? number : 0;
        else if (i == 0)
            first = segment;
        else {
            if (!tbus_journal_segment_same_session(&segment.header, &first.header))
                culprit = number;
            tbus_journal_segment_close(&segment);
        }
    }
    tbus_journal_segment_close(&first);
    return culprit ? culprit : last;
}

int check_refused(check_t *c, const char *directory, const tbus_error_t *why, tbus_error_t *err)
{
    look_t look;
    bool of_files = why->code == -TBUS_ECORRUPT || why->code == -TBUS_EMAGIC ||
                    why->code == -TBUS_EABI || why->code == -TBUS_ETRUNCATED;
    if (!of_files) {
        *err = *why;
        return why->code;
    }
    int code = open_look(c, directory, &look, err);
    if (code < 0)
        return code;
    code = look.segments.count ? add(&look, find_culprit(&look), 0, 0, why->text) : why->code;
    if (look.segments.count == 0)
        *err = *why;
    close_look(&look);
    c->end = TBUS_JOURNAL_BROKEN;
    return code;
}
