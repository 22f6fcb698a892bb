/* SPDX-License-Identifier: Apache-2.0 */
/* Going on behind damage: at the next whole record, of this segment or a later one. */
#include "bus/journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bus/journal/lock.h"

#define CHUNK_BYTES UINT64_C(65536) /* on the stack */

static bool is_noted(const tbus_journal_reader_t *r, uint32_t segment, uint64_t offset)
{
    uint32_t i = r->has_jumped ? r->damage_count : 0;
    while (i && (r->damage[i - 1].segment != segment || r->damage[i - 1].offset != offset))
        i--;
    return i != 0;
}

/* As such, or its header. */
static bool is_segment_noted(const tbus_journal_reader_t *r, uint32_t segment)
{
    uint32_t i = r->damage_count;
    while (i && (r->damage[i - 1].segment != segment || r->damage[i - 1].offset != 0))
        i--;
    return i != 0;
}

static int note(tbus_journal_reader_t *r, uint32_t segment, uint64_t offset, uint64_t bytes,
                const char *what)
{
    if (is_noted(r, segment, offset))
        return 0;
    if (r->damage_count == r->damage_capacity) {
        uint32_t capacity = r->damage_capacity ? 2 * r->damage_capacity : 16;
        tbus_journal_damage_t *more = reallocarray(r->damage, capacity, sizeof *more);
        if (!more)
            return -ENOMEM;
        r->damage = more;
        r->damage_capacity = capacity;
    }
    tbus_journal_damage_t *place = &r->damage[r->damage_count++];
    *place = (tbus_journal_damage_t){.segment = segment, .offset = offset, .bytes = bytes};
    snprintf(place->what, sizeof place->what, "%s", what);
    return 0;
}

static int fail_noting(const tbus_journal_reader_t *r, tbus_error_t *err)
{
    return tbus_fail(err, -ENOMEM, "no memory to remember damage of the journal in %s",
                     r->directory.path);
}

/* Does a whole record stand at `at`? The position moves there if so, and the record is not taken.
 * FOUND, NOTHING, or -errno. */
static int try_record(tbus_journal_reader_t *r, uint64_t at)
{
    tbus_journal_record_t record;
    uint64_t before = r->position;
    r->position = at;
    int look = tbus_journal_reader_look(r, &record);
    r->position = look == TBUS_JOURNAL_FOUND ? at : before;
    r->records -= look == TBUS_JOURNAL_FOUND;
    return look < 0 || look == TBUS_JOURNAL_FOUND ? look : TBUS_JOURNAL_NOTHING;
}

/* The next whole record behind the position: go there. FOUND; NOTHING, and *out_end is the end of
 * the last byte of the segment that is not zero; or -errno. */
static int find_record(tbus_journal_reader_t *r, uint64_t *out_end)
{
    unsigned char chunk[CHUNK_BYTES + TBUS_JOURNAL_RECORD_HEADER];
    uint64_t end = r->position;
    for (uint64_t from = r->position;; from += CHUNK_BYTES) {
        int64_t got = tbus_journal_segment_read(&r->segment, chunk, sizeof chunk, from);
        if (got < 0)
            return (int)got;
        uint64_t have = (uint64_t)got;
        if (have < sizeof chunk)
            memset(chunk + have, 0, sizeof chunk - have);
        for (uint64_t i = 0; i < CHUNK_BYTES && i < have; i += 8) {
            tbus_journal_record_header_t header;
            memcpy(&header, chunk + i, sizeof header);
            if (tbus_journal_all_zeros(chunk + i, 8))
                continue;
            end = from + i + 8;
            int look = from + i > r->position &&
                               tbus_journal_segment_may_be_record(&r->segment, &header, from + i)
                           ? try_record(r, from + i)
                           : TBUS_JOURNAL_NOTHING;
            if (look != TBUS_JOURNAL_NOTHING)
                return look;
        }
        if (have < sizeof chunk)
            break;
    }
    *out_end = end;
    return TBUS_JOURNAL_NOTHING;
}

static const char *what_of_header(int look, bool holds)
{
    if (look == -TBUS_ENOTFOUND)
        return "its header says that it is another segment: it was renamed";
    if (look == -TBUS_EMAGIC)
        return "it is no journal segment";
    if (look == -TBUS_EABI)
        return "it has a format that this tickbus does not read";
    if (look == TBUS_JOURNAL_FOUND)
        return "it is from another session";
    if (look == TBUS_JOURNAL_NOTHING)
        return holds ? "it holds no header" : "it is missing";
    return "its header is damaged";
}

static uint64_t file_bytes(const tbus_journal_directory_t *directory, uint32_t number)
{
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    struct stat is;
    tbus_journal_segment_name(number, name);
    return fstatat(directory->fd, name, &is, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)is.st_size : 0;
}

/* Does its header fit its CRC, and have another number? */
static bool is_renamed(const tbus_journal_reader_t *r, uint32_t number)
{
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    tbus_journal_header_t header = {0}, copy;
    tbus_journal_segment_name(number, name);
    int fd = openat(r->directory.fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    tbus_journal_segment_t segment = {.fd = fd};
    bool is_read =
        fd >= 0 && tbus_journal_segment_read(&segment, &header, sizeof header, 0) == sizeof header;
    tbus_journal_segment_close(&segment);
    copy = header;
    return is_read && tbus_load_relaxed_u64(&header.magic) == TBUS_JOURNAL_MAGIC &&
           tbus_journal_header_crc(&copy) == header.header_crc32c && header.segment != number;
}

int tbus_journal_reader_note_segment(tbus_journal_reader_t *r, uint32_t number, int look,
                                     bool reads_on)
{
    bool holds = tbus_journal_directory_holds(&r->directory, number);
    uint64_t bytes = file_bytes(&r->directory, number);
    if (look == -TBUS_ECORRUPT && is_renamed(r, number))
        look = -TBUS_ENOTFOUND;
    if (reads_on && bytes > TBUS_JOURNAL_HEADER_BYTES)
        bytes = TBUS_JOURNAL_HEADER_BYTES;
    return note(r, number, 0, bytes, what_of_header(look, holds));
}

int tbus_journal_reader_open_anyhow(tbus_journal_reader_t *r, uint32_t number, int look,
                                    tbus_journal_segment_t *out_segment)
{
    const tbus_journal_header_t *like = &r->segment.header;
    if (!r->skips_damage || tbus_journal_lock_is_held(r->lock_fd) ||
        (look != TBUS_JOURNAL_NOTHING && !tbus_journal_code_is_damage(look)))
        return TBUS_JOURNAL_NOTHING;
    int found = tbus_journal_segment_open_headless(&r->directory, number, like, out_segment);
    return found == TBUS_JOURNAL_NOTHING
               ? tbus_journal_segment_open_renamed(&r->directory, r->range.first, number, like,
                                                   out_segment)
               : found;
}

/* Is `number` the next segment to read? FOUND: it is open. NOTHING: it holds no header, as the last
 * ones may; BAD: no; *out_look is what opening it found; or -errno. */
static int try_segment(tbus_journal_reader_t *r, uint32_t number, tbus_journal_segment_t *out_next,
                       int *out_look)
{
    uint64_t cut_bytes;
    int look = tbus_journal_segment_open(&r->directory, number, &r->segment.header, out_next,
                                         &cut_bytes, NULL);
    if (look < 0 && !tbus_journal_code_is_damage(look))
        return look;
    *out_look = look;
    if (look == TBUS_JOURNAL_FOUND) {
        if (tbus_journal_segment_same_session(&out_next->header, &r->segment.header))
            return TBUS_JOURNAL_FOUND;
        tbus_journal_segment_close(out_next);
        return TBUS_JOURNAL_BAD;
    }
    int found = tbus_journal_reader_open_anyhow(r, number, look, out_next);
    if (found != TBUS_JOURNAL_NOTHING)
        return found;
    return look == TBUS_JOURNAL_NOTHING && tbus_journal_directory_holds(&r->directory, number)
               ? TBUS_JOURNAL_NOTHING
               : TBUS_JOURNAL_BAD;
}

static int note_headless(tbus_journal_reader_t *r, uint32_t from, uint32_t to)
{
    int code = 0;
    for (uint32_t number = from; code == 0 && number < to; number++)
        code = note(r, number, 0, file_bytes(&r->directory, number), "it holds no header");
    return code;
}

/* The next segment that can be read: *out_next is open. FOUND; NOTHING: there is none; or
 * -errno. */
static int find_segment(tbus_journal_reader_t *r, tbus_journal_segment_t *out_next)
{
    uint32_t last = tbus_journal_directory_last(&r->directory);
    uint32_t noted = r->segment.header.segment;
    for (uint32_t number = noted + 1; number <= last; number++) {
        int seen = TBUS_JOURNAL_NOTHING;
        int look = try_segment(r, number, out_next, &seen);
        bool found = look == TBUS_JOURNAL_FOUND;
        int code = look == TBUS_JOURNAL_NOTHING ? 0 : note_headless(r, noted + 1, number);
        if (code == 0 && (look == TBUS_JOURNAL_BAD || (found && seen != TBUS_JOURNAL_FOUND)))
            code = tbus_journal_reader_note_segment(r, number, seen, found);
        if (code < 0 && found)
            tbus_journal_segment_close(out_next);
        if (code < 0)
            return code;
        if (look != TBUS_JOURNAL_NOTHING && look != TBUS_JOURNAL_BAD)
            return look;
        noted = look == TBUS_JOURNAL_BAD ? number : noted;
    }
    return TBUS_JOURNAL_NOTHING;
}

/* Go to a segment that does not follow on what was read. */
static int jump(tbus_journal_reader_t *r, const tbus_journal_segment_t *next)
{
    tbus_journal_reader_enter(r, next);
    r->sealed = next->header.segment - 1;
    r->link_unknown = true;
    r->ended = false;
    r->torn_bytes = 0;
    return TBUS_JOURNAL_MOVED;
}

/* This segment has nothing more that can be read: go to the next that has. MOVED; NOTHING: that was
 * the last; or -errno. */
static int pass_segment(tbus_journal_reader_t *r, tbus_error_t *err)
{
    tbus_journal_segment_t next;
    uint32_t number = r->segment.header.segment;
    int look = find_segment(r, &next);
    if (look < 0)
        return tbus_fail(err, look, "cannot go on behind segment %08u.tbj of the journal in %s: %s",
                         number, r->directory.path, tbus_strerror(look));
    if (look == TBUS_JOURNAL_FOUND)
        return jump(r, &next);
    r->end = TBUS_JOURNAL_CLOSED;
    int code = tbus_journal_reader_judge_session_end(r, 0, err);
    if (code != -TBUS_ECORRUPT)
        return code;
    r->failure = (tbus_error_t){0};
    r->end = TBUS_JOURNAL_TORN;
    r->ended = true;
    return TBUS_JOURNAL_NOTHING;
}

int tbus_journal_reader_pass_damage(tbus_journal_reader_t *r, tbus_error_t *err)
{
    uint64_t from = r->position;
    uint64_t end = from;
    bool here = r->failure.code != 0; /* else in the segment behind this one */
    uint32_t number = r->segment.header.segment;
    r->failure = (tbus_error_t){0};
    r->torn_bytes = 0;
    r->waiting = false;
    int look = here ? find_record(r, &end) : TBUS_JOURNAL_NOTHING;
    if (look < 0)
        return tbus_journal_reader_fail_reading(r, look, err);
    if (look == TBUS_JOURNAL_NOTHING && tbus_journal_directory_last(&r->directory) <= number &&
        tbus_journal_lock_is_held(r->lock_fd)) {
        r->end = TBUS_JOURNAL_LIVE; /* there may be something behind it later */
        return TBUS_JOURNAL_NOTHING;
    }
    uint64_t to = look == TBUS_JOURNAL_FOUND ? r->position : end;
    if (here && note(r, number, from, to - from, r->what) < 0)
        return fail_noting(r, err);
    r->uncounted = true;
    return look == TBUS_JOURNAL_FOUND ? TBUS_JOURNAL_MOVED : pass_segment(r, err);
}

/* What looks like sectors that a loss of power took has records behind it. As
 * tbus_journal_reader_pass_end. */
static int pass_lost_sectors(tbus_journal_reader_t *r, tbus_error_t *err)
{
    uint64_t from = r->position, end;
    int look = r->torn_bytes ? find_record(r, &end) : TBUS_JOURNAL_NOTHING;
    if (look < 0)
        return tbus_journal_reader_fail_reading(r, look, err);
    if (look != TBUS_JOURNAL_FOUND)
        return TBUS_JOURNAL_NOTHING;
    r->ended = false;
    r->torn_bytes = 0;
    r->uncounted = true;
    return note(r, r->segment.header.segment, from, r->position - from,
                "what is there is no record, and there are more behind it") < 0
               ? fail_noting(r, err)
               : TBUS_JOURNAL_MOVED;
}

int tbus_journal_reader_pass_end(tbus_journal_reader_t *r, tbus_error_t *err)
{
    tbus_journal_segment_t next;
    uint32_t number = r->segment.header.segment;
    int passed = pass_lost_sectors(r, err);
    if (passed != TBUS_JOURNAL_NOTHING)
        return passed;
    if (tbus_journal_directory_last(&r->directory) <= number)
        return TBUS_JOURNAL_NOTHING;
    int look = find_segment(r, &next);
    if (look < 0)
        return tbus_fail(err, look, "cannot go on behind segment %08u.tbj of the journal in %s: %s",
                         number, r->directory.path, tbus_strerror(look));
    if (look != TBUS_JOURNAL_FOUND)
        return look;
    bool told = next.header.segment != number + 1 || is_segment_noted(r, number + 1);
    if (!told && /* else it is known why records are missing */
        note(r, number, r->position, r->torn_bytes,
             "its end is lost: the next segment goes on with a later record") < 0) {
        tbus_journal_segment_close(&next);
        return fail_noting(r, err);
    }
    return jump(r, &next);
}

void tbus_journal_reader_skip_damage(tbus_journal_reader_t *r)
{
    r->skips_damage = true;
}

uint32_t tbus_journal_reader_damage(const tbus_journal_reader_t *r,
                                    const tbus_journal_damage_t **out_places)
{
    *out_places = r->damage;
    return r->damage_count;
}
