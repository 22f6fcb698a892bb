/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/journal/lock.h"

/* How many at the end of the journal: opening takes no longer however long that is. Headers before
 * them are checked when their segments are come to. */
#define HEADERS_CHECKED 1024u

void tbus_journal_reader_enter(tbus_journal_reader_t *r, const tbus_journal_segment_t *segment)
{
    tbus_journal_segment_close(&r->segment);
    r->segment = *segment;
    tbus_journal_lock_read(segment->fd);
    r->position = TBUS_JOURNAL_HEADER_BYTES;
    r->buffer_bytes = 0;
    r->records = segment->header.first_record;
    r->uncounted = segment->made_up;
    if (r->info.first_segment + r->info.segments <= segment->header.segment)
        r->info.segments = segment->header.segment - r->info.first_segment + 1;
}

void tbus_journal_reader_rest(tbus_journal_reader_t *r)
{
    tbus_journal_lock_unread(r->segment.fd);
}

static void keep_info(tbus_journal_info_t *info, const tbus_journal_header_t *first)
{
    memcpy(info->bus_name, first->bus_name, sizeof info->bus_name);
    memcpy(info->session_id, first->session_id, sizeof info->session_id);
    memcpy(info->session_name, first->session_name, TBUS_JOURNAL_SESSION_NAME);
    info->started_realtime_ns = first->started_realtime_ns;
    info->segment_bytes = first->segment_bytes;
    info->topics_count = first->topics_count;
    for (uint32_t i = 0; i < first->topics_count; i++) {
        tbus_journal_topic_t *topic = &info->topics[i];
        memcpy(topic->name, first->topics[i].name, sizeof topic->name);
        memcpy(topic->type, first->topics[i].type, sizeof topic->type);
        topic->first_seq = first->topics[i].first_seq;
        topic->type_version = first->traits[i].type_version;
        topic->ring_kind = first->traits[i].ring_kind;
        topic->layout_id = first->traits[i].layout_id;
    }
}

/* The first segment that there is: there is no journal without one. */
static int enter_first(tbus_journal_reader_t *r, uint32_t number, tbus_error_t *err)
{
    uint64_t cut_bytes;
    tbus_journal_segment_t first;
    int look = tbus_journal_segment_open(&r->directory, number, NULL, &first, &cut_bytes, err);
    if (look == TBUS_JOURNAL_NOTHING)
        return tbus_journal_segment_fail(
            &r->directory, number, -TBUS_ETRUNCATED,
            "holds no header: the recording never began, or the file was cut", err);
    if (look < 0)
        return look;
    keep_info(&r->info, &first.header);
    r->info.first_segment = number;
    tbus_journal_reader_enter(r, &first);
    r->sealed = number - 1;
    r->link_unknown = number > 1;
    r->lock_fd = tbus_journal_lock_open(&r->directory, number);
    return r->lock_fd < 0
               ? tbus_fail(err, r->lock_fd, "cannot ask who records in journal directory %s: %s",
                           r->directory.path, tbus_strerror(r->lock_fd))
               : 0;
}

/* A segment's size into the sum, if it is part of the journal. The last ones need not be: one was
 * made ready for later, or they lost their headers with the power. *headless is the first such, 0
 * before there is one; *unfinished likewise the first that is not finished. Requires the first
 * segment to be the one that is read. */
static int check_segment(tbus_journal_reader_t *r, uint32_t number, uint32_t *headless,
                         uint32_t *unfinished, tbus_error_t *err)
{
    uint64_t cut_bytes;
    struct stat file;
    tbus_journal_segment_t segment;
    int look = tbus_journal_segment_open(&r->directory, number, &r->segment.header, &segment,
                                         &cut_bytes, err);
    if (look < 0)
        return look;
    if (look == TBUS_JOURNAL_NOTHING) {
        *headless = *headless ? *headless : number;
        return 0;
    }
    int code = 0;
    if (*headless)
        code = tbus_journal_segment_fail(&r->directory, *headless, -TBUS_ECORRUPT,
                                         "holds no header, and others follow it", err);
    else if (!tbus_journal_segment_same_session(&segment.header, &r->segment.header))
        code = tbus_journal_segment_fail(&r->directory, number, -TBUS_ECORRUPT,
                                         "is from another session than the first one", err);
    else if (fstat(segment.fd, &file) < 0)
        code = tbus_journal_segment_fail_reading(&r->directory, number, -errno, err);
    tbus_journal_segment_close(&segment);
    if (code < 0)
        return code;
    if (tbus_load_relaxed_u64(&segment.header.closed) == 0)
        *unfinished = *unfinished ? *unfinished : number;
    else if (*unfinished)
        r->unsynced_at_open = *unfinished;
    r->info.segments = number - r->info.first_segment + 1;
    r->info.bytes += (uint64_t)file.st_size;
    return 0;
}

/* One whose header is not looked at now: only how long it is. */
static int count_segment(tbus_journal_reader_t *r, uint32_t number, tbus_error_t *err)
{
    char name[TBUS_JOURNAL_FILE_NAME_MAX];
    struct stat file;
    tbus_journal_segment_name(number, name);
    if (fstatat(r->directory.fd, name, &file, AT_SYMLINK_NOFOLLOW) < 0)
        return tbus_journal_segment_fail_reading(&r->directory, number, -errno, err);
    r->info.segments = number - r->info.first_segment + 1;
    r->info.bytes += (uint64_t)file.st_size;
    return 0;
}

/* Segments before the one that was entered have no whole header: enter the first that can be read
 * all the same; the others are places that were passed over. 0, or the negative error. */
static int enter_headless(tbus_journal_reader_t *r, uint32_t first, uint32_t end, tbus_error_t *err)
{
    for (uint32_t number = first; number < end; number++) {
        uint64_t cut_bytes;
        tbus_journal_segment_t segment;
        int look =
            tbus_journal_segment_open(&r->directory, number, NULL, &segment, &cut_bytes, NULL);
        if (look == TBUS_JOURNAL_FOUND) { /* by now; it cannot be before */
            tbus_journal_segment_close(&segment);
            return 0;
        }
        int found = tbus_journal_reader_open_anyhow(r, number, look, &segment);
        if (found < 0)
            return tbus_journal_segment_fail_reading(&r->directory, number, found, err);
        if (tbus_journal_reader_note_segment(r, number, look, found == TBUS_JOURNAL_FOUND) < 0) {
            if (found == TBUS_JOURNAL_FOUND)
                tbus_journal_segment_close(&segment);
            return tbus_fail(err, -ENOMEM, "no memory to read the journal in %s",
                             r->directory.path);
        }
        if (found == TBUS_JOURNAL_FOUND) {
            tbus_journal_reader_enter(r, &segment);
            r->sealed = number - 1;
            r->link_unknown = true;
            return 0;
        }
    }
    return 0;
}

/* The first segment that has a header, and then the first that can be read. */
static int enter_first_whole(tbus_journal_reader_t *r, const tbus_journal_range_t *range,
                             tbus_error_t *err)
{
    int code = -TBUS_ECORRUPT;
    uint32_t number = range->first;
    for (; number <= range->last && tbus_journal_code_is_damage(code); number++)
        code = enter_first(r, number, number == range->first ? err : NULL);
    if (code == 0)
        code = enter_headless(r, range->first, number - 1, err);
    r->info.first_segment = range->first;
    return code;
}

/* Up to the last file that was not only made ready for later. */
static int count_segments(tbus_journal_reader_t *r, const tbus_journal_range_t *range,
                          tbus_error_t *err)
{
    int code = enter_first_whole(r, range, err);
    uint64_t bytes = 0;
    for (uint32_t number = range->first; code == 0 && number <= range->last; number++) {
        uint64_t cut_bytes;
        tbus_journal_segment_t segment;
        struct stat file;
        char name[TBUS_JOURNAL_FILE_NAME_MAX];
        tbus_journal_segment_name(number, name);
        if (fstatat(r->directory.fd, name, &file, AT_SYMLINK_NOFOLLOW) == 0)
            bytes += (uint64_t)file.st_size;
        int look = tbus_journal_segment_open(&r->directory, number, &r->segment.header, &segment,
                                             &cut_bytes, NULL);
        if (look == TBUS_JOURNAL_FOUND)
            tbus_journal_segment_close(&segment);
        if (look == TBUS_JOURNAL_NOTHING)
            continue;
        r->info.segments = number - range->first + 1;
        r->info.bytes = bytes;
    }
    return code;
}

static int check_segments(tbus_journal_reader_t *r, const tbus_journal_range_t *range,
                          tbus_error_t *err)
{
    if (r->skips_damage)
        return count_segments(r, range, err);
    uint32_t headless = 0;
    uint32_t unfinished = 0;
    int code = enter_first(r, range->first, err);
    for (uint32_t number = range->first; code == 0 && number <= range->last; number++)
        code = number == range->first || range->last - number < HEADERS_CHECKED
                   ? check_segment(r, number, &headless, &unfinished, err)
                   : count_segment(r, number, err);
    return code;
}

tbus_journal_reader_t *tbus_journal_reader_new(const tbus_journal_directory_t *directory)
{
    tbus_journal_directory_t opened = *directory;
    tbus_journal_reader_t *r = calloc(1, sizeof *r);
    unsigned char *buffer = aligned_alloc(64, TBUS_JOURNAL_BUFFER_BYTES);
    if (!r || !buffer) {
        free(r);
        free(buffer);
        tbus_journal_directory_close(&opened);
        return NULL;
    }
    r->directory = opened;
    r->lock_fd = -1;
    r->segment.fd = -1;
    r->buffer = buffer;
    r->buffer_capacity = TBUS_JOURNAL_BUFFER_BYTES;
    return r;
}

/* Takes the directory, also when it fails. */
static int open_in(const tbus_journal_directory_t *directory, const tbus_journal_range_t *range,
                   const char *path, bool damaged, tbus_journal_reader_t **out_reader,
                   tbus_error_t *err)
{
    tbus_journal_reader_t *r = tbus_journal_reader_new(directory);
    if (!r)
        return tbus_fail(err, -ENOMEM, "no memory to read the journal in %s", path);
    r->skips_damage = damaged;
    r->range = *range;
    int code = check_segments(r, range, err);
    if (code < 0 && !tbus_journal_directory_holds(&r->directory, range->first))
        code = -EAGAIN;
    if (code < 0)
        tbus_journal_reader_close(r);
    else
        *out_reader = r;
    return code;
}

static int open_reader(const char *directory, bool damaged, tbus_journal_reader_t **out_reader,
                       tbus_error_t *err)
{
    if (!directory || !out_reader)
        return tbus_fail(err, -EINVAL, "no journal directory is named, or nowhere to put it");
    int code;
    do {
        tbus_journal_directory_t opened;
        tbus_journal_range_t range;
        code = damaged ? tbus_journal_directory_open_any(directory, &opened, &range, err)
                       : tbus_journal_directory_open(directory, &opened, &range, err);
        if (code == 0)
            code = open_in(&opened, &range, directory, damaged, out_reader, err);
    } while (code == -EAGAIN); /* retention removed the first segment under us */
    return code;
}

int tbus_journal_reader_open(const char *directory, tbus_journal_reader_t **out_reader,
                             tbus_error_t *err)
{
    return open_reader(directory, false, out_reader, err);
}

int tbus_journal_reader_open_damaged(const char *directory, tbus_journal_reader_t **out_reader,
                                     tbus_error_t *err)
{
    return open_reader(directory, true, out_reader, err);
}

const tbus_journal_info_t *tbus_journal_reader_info(const tbus_journal_reader_t *r)
{
    return &r->info;
}

void tbus_journal_reader_show_session(tbus_journal_reader_t *r)
{
    r->shows_session = true;
}

void tbus_journal_reader_check_seals(tbus_journal_reader_t *r)
{
    r->checks_seals = true;
}

uint32_t tbus_journal_reader_seals(const tbus_journal_reader_t *r, uint8_t out_digest[32])
{
    memcpy(out_digest, r->digest, sizeof r->digest);
    return r->seals;
}

int tbus_journal_reader_topic(const tbus_journal_reader_t *r, const char *name)
{
    for (uint32_t i = 0; r && name && i < r->info.topics_count; i++)
        if (strcmp(r->info.topics[i].name, name) == 0)
            return (int)i;
    return -TBUS_ENOTFOUND;
}

void tbus_journal_reader_close(tbus_journal_reader_t *r)
{
    if (!r)
        return;
    tbus_journal_segment_close(&r->segment);
    if (r->lock_fd >= 0)
        close(r->lock_fd);
    tbus_journal_directory_close(&r->directory);
    tbus_journal_index_free(&r->index);
    free(r->summaries);
    free(r->damage);
    free(r->buffer);
    free(r);
}
