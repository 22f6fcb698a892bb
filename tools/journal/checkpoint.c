/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/journal/cache_file.h"
#include "bus/journal/segment.h"

#define TICKS_A_WRITE 1024u

static void name_of(uint32_t number, char out_name[TBUS_JOURNAL_CACHE_NAME_MAX])
{
    snprintf(out_name, TBUS_JOURNAL_CACHE_NAME_MAX, "%08u." TBUS_JOURNAL_CACHE_BOOKS,
             number % (TBUS_JOURNAL_SEGMENTS_MAX + 1));
}

/* ---- what it is about */

/* Of the segment before, if it is there: false when it is not, or is not finished. */
static bool see_before(const tbus_journal_directory_t *directory, uint32_t number,
                       checkpoint_header_t *h)
{
    uint64_t cut_bytes;
    tbus_journal_segment_t before;
    if (number == 0 || tbus_journal_segment_open(directory, number, NULL, &before, &cut_bytes,
                                                 NULL) != TBUS_JOURNAL_FOUND)
        return false;
    int64_t finished = tbus_journal_segment_closed_bytes(&before);
    bool same = memcmp(before.header.session_id, h->session_id, sizeof h->session_id) == 0;
    h->before_bytes = finished > 0 ? (uint64_t)finished : 0;
    if (before.header.seal.kind == TBUS_JOURNAL_SEAL_SHA256)
        memcpy(h->before, before.header.seal.digest, sizeof h->before);
    tbus_journal_segment_close(&before);
    return same && finished > 0;
}

/* What the segment's own header says of the one before; false: it is not sealed. */
static bool see_link(const tbus_journal_header_t *header, uint8_t out_before[32])
{
    if (header->seal.kind != TBUS_JOURNAL_SEAL_SHA256)
        return false;
    memcpy(out_before, header->seal.previous, 32);
    return true;
}

/* The segment's header, and of *out_about what tells where in which session it is. */
static bool see_segment(const tbus_journal_directory_t *directory, uint32_t number,
                        tbus_journal_header_t *out_header, checkpoint_header_t *out_about)
{
    uint64_t cut_bytes;
    tbus_journal_segment_t segment;
    if (tbus_journal_segment_open(directory, number, NULL, &segment, &cut_bytes, NULL) !=
        TBUS_JOURNAL_FOUND)
        return false;
    *out_header = segment.header;
    tbus_journal_segment_close(&segment);
    *out_about = (checkpoint_header_t){.magic = CHECKPOINT_MAGIC,
                                       .version = CHECKPOINT_VERSION,
                                       .segment = number,
                                       .first_record = out_header->first_record,
                                       .tick_version = TICK_VERSION};
    memcpy(out_about->session_id, out_header->session_id, sizeof out_about->session_id);
    return true;
}

static uint32_t header_crc(const checkpoint_header_t *header)
{
    return tbus_crc32c(0, header, offsetof(checkpoint_header_t, header_crc32c));
}

/* The chain of seals up to the segment: by the one before, or, where that is gone, by its own. */
static bool fits_before(const tbus_journal_directory_t *directory, uint32_t number,
                        const tbus_journal_header_t *header, checkpoint_header_t *about,
                        const checkpoint_header_t *found)
{
    if (tbus_journal_directory_holds(directory, number - 1))
        return see_before(directory, number - 1, about) &&
               about->before_bytes == found->before_bytes &&
               memcmp(about->before, found->before, sizeof found->before) == 0;
    return !see_link(header, about->before) ||
           memcmp(about->before, found->before, sizeof found->before) == 0;
}

static bool is_about(const tbus_journal_directory_t *directory, uint32_t number, uint16_t topic,
                     const checkpoint_header_t *found)
{
    tbus_journal_header_t header;
    checkpoint_header_t about;
    return found->magic == CHECKPOINT_MAGIC && found->version == CHECKPOINT_VERSION &&
           found->header_crc32c == header_crc(found) && found->segment == number &&
           found->topic == topic && found->tick_version == TICK_VERSION &&
           found->ticks_count <= found->md_seq && see_segment(directory, number, &header, &about) &&
           memcmp(about.session_id, found->session_id, sizeof found->session_id) == 0 &&
           about.first_record == found->first_record &&
           fits_before(directory, number, &header, &about, found);
}

/* ---- reading */

static int load_from(int fd, const tbus_journal_directory_t *directory, uint32_t number,
                     uint16_t topic, checkpoint_t *out)
{
    checkpoint_header_t h;
    struct stat is;
    if (fstat(fd, &is) < 0 || !tbus_journal_cache_read(fd, &h, sizeof h, 0) ||
        !is_about(directory, number, topic, &h) ||
        checkpoint_bytes(h.ticks_count) != (uint64_t)is.st_size)
        return TBUS_JOURNAL_BAD;
    uint64_t bytes = (uint64_t)h.ticks_count * sizeof(tick_t);
    tick_t *ticks = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (!ticks)
        return -ENOMEM;
    if (!tbus_journal_cache_read(fd, ticks, bytes, sizeof h) ||
        tbus_crc32c(0, ticks, bytes) != h.ticks_crc32c) {
        free(ticks);
        return TBUS_JOURNAL_BAD;
    }
    *out = (checkpoint_t){.md_seq = h.md_seq, .count = h.ticks_count, .ticks = ticks};
    return TBUS_JOURNAL_FOUND;
}

int checkpoint_load(const tbus_journal_directory_t *directory, uint32_t segment, uint16_t topic,
                    checkpoint_t *out_checkpoint)
{
    char name[TBUS_JOURNAL_CACHE_NAME_MAX];
    name_of(segment, name);
    int fd = tbus_journal_cache_open(directory->fd, name);
    if (fd < 0)
        return TBUS_JOURNAL_NOTHING;
    int look = load_from(fd, directory, segment, topic, out_checkpoint);
    close(fd);
    return look;
}

void checkpoint_clear(checkpoint_t *checkpoint)
{
    free(checkpoint->ticks);
    *checkpoint = (checkpoint_t){0};
}

/* ---- writing */

static int write_ticks(const tbus_journal_cache_file_t *file, const snapshot_t *snapshot,
                       uint32_t *out_crc32c)
{
    static const uint64_t at = sizeof(checkpoint_header_t);
    tick_t ticks[TICKS_A_WRITE];
    uint32_t count = snapshot_count(snapshot), crc32c = 0;
    int code = 0;
    for (uint32_t done = 0; code == 0 && done < count;) {
        uint32_t some = count - done < TICKS_A_WRITE ? count - done : TICKS_A_WRITE;
        for (uint32_t i = 0; i < some; i++)
            snapshot_tick(snapshot, done + i, &ticks[i]);
        crc32c = tbus_crc32c(crc32c, ticks, some * sizeof(tick_t));
        code = tbus_journal_cache_write(file, ticks, some * sizeof(tick_t),
                                        at + (uint64_t)done * sizeof(tick_t));
        done += some;
    }
    *out_crc32c = crc32c;
    return code;
}

int checkpoint_store(const tbus_journal_directory_t *directory, uint32_t segment, uint16_t topic,
                     const snapshot_t *snapshot)
{
    char name[TBUS_JOURNAL_CACHE_NAME_MAX];
    tbus_journal_header_t header;
    checkpoint_header_t h;
    tbus_journal_cache_file_t file;
    if (!see_segment(directory, segment, &header, &h) || !see_before(directory, segment - 1, &h))
        return -EBUSY;
    name_of(segment, name);
    int code = tbus_journal_cache_begin(directory->fd, name, &file);
    if (code < 0)
        return code;
    code = write_ticks(&file, snapshot, &h.ticks_crc32c);
    h.md_seq = snapshot_md_seq(snapshot);
    h.topic = topic;
    h.ticks_count = snapshot_count(snapshot);
    h.header_crc32c = header_crc(&h);
    if (code == 0)
        code = tbus_journal_cache_write(&file, &h, sizeof h, 0);
    return tbus_journal_cache_end(&file, code);
}
