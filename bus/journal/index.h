/* SPDX-License-Identifier: Apache-2.0 */
/* index.h - where in a segment to look for a sequence or a time: a cache beside it. Private to
 * bus/journal.
 *
 *    00000001.tbi     0  header: which segment it is about, what that holds, two CRCs
 *                   512  entries, one for every 64 KiB of records: words of 64 bits,
 *                        offset   of a record in the segment
 *                        records  before it in the segment
 *                        time_ns  the highest time of recording before it in the segment
 *                        next     for each topic: the highest sequence before it in the segment,
 *                                 and 1; 0: no record of that topic comes before it
 *
 * Since sequences and times go up, what is looked for is at or behind the last entry before which
 * everything is lower, and reading from there finds it. A file that is missing, of another session
 * or segment, or wrong in any byte is not used and made anew (cache_file.h). Where it cannot be
 * written, what was read stays in memory.
 */
#ifndef TICKBUS_JOURNAL_INDEX_H
#define TICKBUS_JOURNAL_INDEX_H

#include "bus/journal/segment.h"

#define TBUS_JOURNAL_INDEX_MAGIC   UINT64_C(0x0000315844494254) /* "TBIDX1\0\0" in memory order */
#define TBUS_JOURNAL_INDEX_VERSION 1u
#define TBUS_JOURNAL_INDEX_STEP    (UINT64_C(64) << 10)
#define TBUS_JOURNAL_INDEX_WORDS   3u /* of an entry, before those of the topics */

/* What is looked for: the first record of `topic` from the sequence `least` on, or of any topic
 * from the time `least` on. */
typedef struct tbus_journal_target {
    bool by_time;
    uint16_t topic;
    uint64_t least;
} tbus_journal_target_t;

typedef struct tbus_journal_index_header {
    uint64_t magic;          /*   0 */
    uint32_t version;        /*   8 */
    uint32_t segment;        /*  12 number */
    uint8_t session_id[16];  /*  16 */
    uint64_t segment_bytes;  /*  32 that the finished segment holds, header included */
    uint64_t first_record;   /*  40 as its header says */
    uint64_t records;        /*  48 in it */
    uint64_t time_first_ns;  /*  56 of its first record */
    uint64_t time_ns;        /*  64 the highest in it */
    uint32_t seal_crc32c;    /*  72 of its seal: of that very segment */
    uint32_t topics_count;   /*  76 */
    uint32_t entries_count;  /*  80 */
    uint32_t entries_crc32c; /*  84 */
    uint64_t next[TBUS_JOURNAL_TOPICS_MAX];  /*  88 as of an entry behind its last record */
    uint64_t first[TBUS_JOURNAL_TOPICS_MAX]; /* 216 sequence of the first record of the topic */
    uint8_t pad[164];                        /* 344 */
    uint32_t header_crc32c;                  /* 508 of all before it */
} tbus_journal_index_header_t;

TBUS_STATIC_ASSERT(sizeof(tbus_journal_index_header_t) == 512);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, magic) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, version) == 8);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, segment) == 12);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, session_id) == 16);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, segment_bytes) == 32);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, first_record) == 40);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, records) == 48);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, time_first_ns) == 56);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, time_ns) == 64);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, seal_crc32c) == 72);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, topics_count) == 76);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, entries_count) == 80);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, entries_crc32c) == 84);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, next) == 88);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, first) == 216);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, pad) == 344);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_index_header_t, header_crc32c) == 508);

/* One in memory: read from its file, or grown record by record. All zeros: none. */
typedef struct tbus_journal_index {
    tbus_journal_index_header_t header; /* segment 0: none. Its CRCs are those of the file */
    uint64_t *entries;                  /* owned */
    uint32_t capacity;                  /* entries that there is room for */
    uint64_t end;                       /* in the segment: of the records that are in it */
} tbus_journal_index_t;

/* Have room for all entries of a segment of that size, so that none of it is allocated later. 0 or
 * -ENOMEM. */
int tbus_journal_index_reserve(tbus_journal_index_t *index, uint32_t topics_count,
                               uint64_t segment_bytes);

/* Empty it, for records of this segment to be added. Keeps its memory. */
void tbus_journal_index_begin(tbus_journal_index_t *index, const tbus_journal_segment_t *segment);

/* The record that stands at index->end, and ends at `end`. -ENOMEM; -EOVERFLOW: a sequence that has
 * no next one. */
int tbus_journal_index_add(tbus_journal_index_t *index, const tbus_journal_record_t *record,
                           uint64_t end);

/* Is everything in it before what is looked for? */
bool tbus_journal_index_is_before(const tbus_journal_index_header_t *header,
                                  const tbus_journal_target_t *target);

/* Is its first record that could be looked for, and all behind that, what is looked for? Then it
 * does not stand before this segment. */
bool tbus_journal_index_begins_before(const tbus_journal_index_header_t *header,
                                      const tbus_journal_target_t *target);

/* From where to read for it: offset in the segment, and records before it. */
void tbus_journal_index_find(const tbus_journal_index_t *index, const tbus_journal_target_t *target,
                             uint64_t *out_offset, uint64_t *out_records);

/* From the file. FOUND: it is about this finished segment and whole, and replaces what `index` had;
 * with `header_only`, no entries are read. NOTHING: there is none that can be used; or -ENOMEM. */
int tbus_journal_index_load(const tbus_journal_segment_t *segment, bool header_only,
                            tbus_journal_index_t *index);

/* Into the file. All records of the finished segment are in it. 0, or -errno
 * (-EAGAIN: somebody else is at it), and then the file is as it was. */
int tbus_journal_index_store(tbus_journal_index_t *index, const tbus_journal_segment_t *segment);

void tbus_journal_index_free(tbus_journal_index_t *index);

#endif
