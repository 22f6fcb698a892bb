/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/journal/cache_file.h"

static void name_of(uint32_t number, char out_name[TBUS_JOURNAL_CACHE_NAME_MAX])
{
    snprintf(out_name, TBUS_JOURNAL_CACHE_NAME_MAX, "%08u." TBUS_JOURNAL_CACHE_INDEX,
             number % (TBUS_JOURNAL_SEGMENTS_MAX + 1));
}

static uint32_t words_of(const tbus_journal_index_header_t *header)
{
    return TBUS_JOURNAL_INDEX_WORDS + header->topics_count;
}

static uint64_t entries_bytes(const tbus_journal_index_header_t *header)
{
    return (uint64_t)header->entries_count * words_of(header) * sizeof(uint64_t);
}

/* As many as a segment of that size can have. */
static uint32_t entries_max(uint64_t segment_bytes)
{
    return (uint32_t)(segment_bytes / TBUS_JOURNAL_INDEX_STEP) + 1;
}

/* --- growing --- */

void tbus_journal_index_begin(tbus_journal_index_t *index, const tbus_journal_segment_t *segment)
{
    const tbus_journal_header_t *h = &segment->header;
    if (index->header.topics_count != h->topics_count)
        tbus_journal_index_free(index);
    index->header = (tbus_journal_index_header_t){
        .magic = TBUS_JOURNAL_INDEX_MAGIC,
        .version = TBUS_JOURNAL_INDEX_VERSION,
        .segment = h->segment,
        .first_record = h->first_record,
        .topics_count = h->topics_count,
    };
    memcpy(index->header.session_id, h->session_id, sizeof h->session_id);
    index->end = TBUS_JOURNAL_HEADER_BYTES;
}

static int take_room(tbus_journal_index_t *index, uint32_t capacity)
{
    uint64_t *entries = reallocarray(index->entries, capacity, words_of(&index->header) * 8);
    if (!entries)
        return -ENOMEM;
    index->entries = entries;
    index->capacity = capacity;
    return 0;
}

static int reserve(tbus_journal_index_t *index, uint32_t count)
{
    if (count <= index->capacity)
        return 0;
    return take_room(index, count < 64 ? 64 : 2 * count);
}

int tbus_journal_index_reserve(tbus_journal_index_t *index, uint32_t topics_count,
                               uint64_t segment_bytes)
{
    if (index->header.topics_count != topics_count)
        tbus_journal_index_free(index);
    index->header.topics_count = topics_count;
    uint32_t most = entries_max(segment_bytes);
    return most <= index->capacity ? 0 : take_room(index, most);
}

static int add_entry(tbus_journal_index_t *index)
{
    tbus_journal_index_header_t *h = &index->header;
    int code = reserve(index, h->entries_count + 1);
    if (code < 0)
        return code;
    uint64_t *entry = &index->entries[(uint64_t)h->entries_count++ * words_of(h)];
    entry[0] = index->end;
    entry[1] = h->records;
    entry[2] = h->time_ns;
    memcpy(entry + TBUS_JOURNAL_INDEX_WORDS, h->next, h->topics_count * sizeof h->next[0]);
    return 0;
}

static uint64_t last_offset(const tbus_journal_index_t *index)
{
    const tbus_journal_index_header_t *h = &index->header;
    return index->entries[(uint64_t)(h->entries_count - 1) * words_of(h)];
}

int tbus_journal_index_add(tbus_journal_index_t *index, const tbus_journal_record_t *record,
                           uint64_t end)
{
    tbus_journal_index_header_t *h = &index->header;
    if (record->seq == UINT64_MAX)
        return -EOVERFLOW;
    if (!h->entries_count || index->end - last_offset(index) >= TBUS_JOURNAL_INDEX_STEP) {
        int code = add_entry(index);
        if (code < 0)
            return code;
    }
    if (record->topic < h->topics_count) {
        uint64_t *next = &h->next[record->topic];
        h->first[record->topic] = *next ? h->first[record->topic] : record->seq;
        *next = record->seq >= *next ? record->seq + 1 : *next;
    }
    h->time_first_ns = h->records ? h->time_first_ns : record->time_ns;
    h->time_ns = record->time_ns > h->time_ns ? record->time_ns : h->time_ns;
    h->records++;
    index->end = end;
    return 0;
}

/* --- finding --- */

static bool is_before(uint64_t time_ns, const uint64_t *next, const tbus_journal_target_t *target)
{
    return target->by_time ? time_ns < target->least : next[target->topic] <= target->least;
}

bool tbus_journal_index_is_before(const tbus_journal_index_header_t *header,
                                  const tbus_journal_target_t *target)
{
    return header->records == 0 || is_before(header->time_ns, header->next, target);
}

bool tbus_journal_index_begins_before(const tbus_journal_index_header_t *header,
                                      const tbus_journal_target_t *target)
{
    if (target->by_time)
        return header->records && header->time_first_ns < target->least;
    return header->next[target->topic] && header->first[target->topic] <= target->least;
}

void tbus_journal_index_find(const tbus_journal_index_t *index, const tbus_journal_target_t *target,
                             uint64_t *out_offset, uint64_t *out_records)
{
    uint32_t words = words_of(&index->header);
    uint32_t low = 0; /* all lower in what is before this one: of the first, there is nothing */
    uint32_t high = index->header.entries_count;
    *out_offset = TBUS_JOURNAL_HEADER_BYTES;
    *out_records = 0;
    if (high == 0)
        return;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        const uint64_t *entry = &index->entries[(uint64_t)middle * words];
        if (is_before(entry[2], entry + TBUS_JOURNAL_INDEX_WORDS, target))
            low = middle;
        else
            high = middle;
    }
    *out_offset = index->entries[(uint64_t)low * words];
    *out_records = index->entries[(uint64_t)low * words + 1];
}

/* --- the file --- */

static uint32_t header_crc(const tbus_journal_index_header_t *header)
{
    return tbus_crc32c(0, header, offsetof(tbus_journal_index_header_t, header_crc32c));
}

static uint32_t closed_bytes(const tbus_journal_segment_t *segment)
{
    return (uint32_t)tbus_load_relaxed_u64(&segment->header.closed);
}

static bool is_about(const tbus_journal_index_header_t *h, const tbus_journal_segment_t *segment)
{
    const tbus_journal_header_t *of = &segment->header;
    return h->magic == TBUS_JOURNAL_INDEX_MAGIC && h->version == TBUS_JOURNAL_INDEX_VERSION &&
           h->header_crc32c == header_crc(h) && h->segment == of->segment &&
           memcmp(h->session_id, of->session_id, sizeof h->session_id) == 0 &&
           h->segment_bytes == closed_bytes(segment) && h->first_record == of->first_record &&
           h->seal_crc32c == of->seal.crc32c && h->topics_count == of->topics_count &&
           h->entries_count <= entries_max(h->segment_bytes);
}

static int load_from(int fd, const tbus_journal_segment_t *segment, bool header_only,
                     tbus_journal_index_t *index)
{
    tbus_journal_index_header_t header;
    if (!tbus_journal_cache_read(fd, &header, sizeof header, 0) || !is_about(&header, segment))
        return TBUS_JOURNAL_NOTHING;
    if (!header_only) {
        tbus_journal_index_begin(index, segment);
        int code = reserve(index, header.entries_count);
        if (code < 0)
            return code;
        uint64_t bytes = entries_bytes(&header);
        if (!tbus_journal_cache_read(fd, index->entries, bytes, sizeof header) ||
            tbus_crc32c(0, index->entries, bytes) != header.entries_crc32c) {
            index->header.segment = 0;
            return TBUS_JOURNAL_NOTHING;
        }
    }
    index->header = header;
    index->end = header.segment_bytes;
    return TBUS_JOURNAL_FOUND;
}

int tbus_journal_index_load(const tbus_journal_segment_t *segment, bool header_only,
                            tbus_journal_index_t *index)
{
    char name[TBUS_JOURNAL_CACHE_NAME_MAX];
    if (closed_bytes(segment) == 0)
        return TBUS_JOURNAL_NOTHING;
    name_of(segment->header.segment, name);
    int fd = tbus_journal_cache_open(segment->directory->fd, name);
    if (fd < 0)
        return TBUS_JOURNAL_NOTHING;
    int look = load_from(fd, segment, header_only, index);
    close(fd);
    return look;
}

int tbus_journal_index_store(tbus_journal_index_t *index, const tbus_journal_segment_t *segment)
{
    char name[TBUS_JOURNAL_CACHE_NAME_MAX];
    tbus_journal_cache_file_t file;
    tbus_journal_index_header_t *h = &index->header;
    uint64_t bytes = entries_bytes(h);
    name_of(h->segment, name);
    h->segment_bytes = closed_bytes(segment);
    h->seal_crc32c = segment->header.seal.crc32c;
    h->entries_crc32c = tbus_crc32c(0, index->entries, bytes);
    h->header_crc32c = header_crc(h);
    int code = tbus_journal_cache_begin(segment->directory->fd, name, &file);
    if (code < 0)
        return code;
    code = tbus_journal_cache_write(&file, h, sizeof *h, 0);
    if (code == 0)
        code = tbus_journal_cache_write(&file, index->entries, bytes, sizeof *h);
    return tbus_journal_cache_end(&file, code);
}

void tbus_journal_index_free(tbus_journal_index_t *index)
{
    free(index->entries);
    *index = (tbus_journal_index_t){0};
}
