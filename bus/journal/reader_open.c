/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void tbus_journal_reader_enter(tbus_journal_reader_t *r, const tbus_journal_segment_t *segment)
{
    tbus_journal_segment_close(&r->segment);
    r->segment = *segment;
    r->position = TBUS_JOURNAL_HEADER_BYTES;
    r->buffer_bytes = 0;
    if (r->info.segments < segment->header.segment)
        r->info.segments = segment->header.segment;
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

/* The first segment: there is no journal without it. */
static int enter_first(tbus_journal_reader_t *r, tbus_error_t *err)
{
    uint64_t cut_bytes;
    tbus_journal_segment_t first;
    int look = tbus_journal_segment_open(&r->directory, 1, NULL, &first, &cut_bytes, err);
    if (look == TBUS_JOURNAL_NOTHING)
        return tbus_journal_segment_fail(
            &r->directory, 1, -TBUS_ETRUNCATED,
            "holds no header: the recording never began, or the file was cut", err);
    if (look < 0)
        return look;
    keep_info(&r->info, &first.header);
    tbus_journal_reader_enter(r, &first);
    r->lock_fd = fcntl(first.fd, F_DUPFD_CLOEXEC, 0);
    return r->lock_fd < 0 ? tbus_journal_segment_fail_reading(&r->directory, 1, -errno, err) : 0;
}

/* A segment's size into the sum, if it is part of the journal. The last ones need not be: one was
 * made ready for later, or they lost their headers with the power. *headless is the first such, 0
 * before there is one. Requires the first segment to be the one that is read. */
static int check_segment(tbus_journal_reader_t *r, uint32_t number, uint32_t *headless,
                         tbus_error_t *err)
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
    r->info.segments = number;
    r->info.bytes += (uint64_t)file.st_size;
    return 0;
}

int tbus_journal_reader_open(const char *directory, tbus_journal_reader_t **out_reader,
                             tbus_error_t *err)
{
    uint32_t segments;
    tbus_journal_directory_t opened;
    if (!directory || !out_reader)
        return tbus_fail(err, -EINVAL, "no journal directory is named, or nowhere to put it");
    int code = tbus_journal_directory_open(directory, &opened, &segments, err);
    if (code < 0)
        return code;
    tbus_journal_reader_t *r = calloc(1, sizeof *r);
    unsigned char *buffer = aligned_alloc(64, TBUS_JOURNAL_BUFFER_BYTES);
    if (!r || !buffer) {
        free(r);
        free(buffer);
        tbus_journal_directory_close(&opened);
        return tbus_fail(err, -ENOMEM, "no memory to read the journal in %s", directory);
    }
    r->directory = opened;
    r->lock_fd = -1;
    r->segment.fd = -1;
    r->buffer = buffer;
    r->buffer_capacity = TBUS_JOURNAL_BUFFER_BYTES;
    code = enter_first(r, err);
    uint32_t headless = 0;
    for (uint32_t number = 1; code == 0 && number <= segments; number++)
        code = check_segment(r, number, &headless, err);
    if (code < 0) {
        tbus_journal_reader_close(r);
        return code;
    }
    *out_reader = r;
    return 0;
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
    return r->sealed;
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
    free(r->buffer);
    free(r);
}
