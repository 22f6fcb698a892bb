/* SPDX-License-Identifier: Apache-2.0 */
/* format.h - the bytes of a journal segment, as <tickbus/journal.h> describes them. Private to
 * bus/journal.
 *
 * Written by: the recording thread; `closed` by whoever finishes the segment; `session_end` by
 * whoever closes the journal, as the last of all. Read by: any number
 * of readers, also while it is written. Three words make that safe. Each is stored last, with
 * release order:
 *
 *    word             label  once it is seen,                    read by
 *    header.magic     J1     the rest of the header is there     J2, opening a segment
 *    record.length    J3     the rest of the record is there     J4, looking at a record
 *    header.closed    J5     nothing follows, and all of the     J6, a reader that found no
 *                            segment is on the disk              more records
 *
 * A segment whose header is all zeros was allocated ahead of need and is not part of the journal
 * yet, or lost its header with the power; then it is the last that matters.
 */
#ifndef TICKBUS_JOURNAL_FORMAT_H
#define TICKBUS_JOURNAL_FORMAT_H

#include <tickbus/atomic.h>
#include <tickbus/journal.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "journals are little-endian"
#endif

#define TBUS_JOURNAL_MAGIC UINT64_C(0x00314c4e524a4254) /* "TBJRNL1\0" in memory order */

/* The two parts of what the header says of a topic. The second came later, in bytes that were zeros
 * before: it is 0, "unknown", in older journals, and older readers do not look at it. */
typedef struct tbus_journal_header_topic {
    char name[TBUS_NAME_MAX]; /*  0 */
    char type[TBUS_NAME_MAX]; /* 24 */
    uint64_t first_seq;       /* 48 */
} tbus_journal_header_topic_t;

typedef struct tbus_journal_header_traits {
    uint32_t type_version; /*  0 */
    uint32_t ring_kind;    /*  4 */
    uint64_t layout_id;    /*  8 */
} tbus_journal_header_traits_t;

/* From format 2 on: written by whoever finishes the segment, before `closed`. It lies within one
 * sector of the disk, and so is there or not. */
enum tbus_journal_seal_kind {
    TBUS_JOURNAL_SEAL_NONE = 0, /* it was not computed; the rest is zeros */
    TBUS_JOURNAL_SEAL_SHA256 = 1,
};
typedef struct tbus_journal_seal {
    uint32_t kind;        /*  0 enum tbus_journal_seal_kind */
    uint32_t crc32c;      /*  4 of all the rest, from the segment's seed */
    uint8_t previous[32]; /*  8 `digest` of the segment before; of the first one: zeros */
    /* 40 over `previous`, then the header with this seal and the fields that header_crc32c leaves
     * out taken as 0, then all records with their padding */
    uint8_t digest[32];
    uint8_t pad[56];
} tbus_journal_seal_t;

typedef struct tbus_journal_header {
    tbus_atomic_u64_t magic;      /*   0 */
    uint32_t abi;                 /*   8 */
    uint32_t header_bytes;        /*  12 TBUS_JOURNAL_HEADER_BYTES */
    uint8_t session_id[16];       /*  16 random; the same in all segments of a session */
    uint32_t segment;             /*  32 number, from 1; also the name of the file */
    uint32_t topics_count;        /*  36 */
    uint64_t first_record;        /*  40 records in all segments before this one */
    uint64_t segment_bytes;       /*  48 size of the file while it is written */
    uint64_t started_realtime_ns; /*  56 */
    char bus_name[TBUS_NAME_MAX]; /*  64 */
    /* 88 bits 0-31 bytes that it holds, header included; 32-63 their CRC; 0: not finished */
    tbus_atomic_u64_t closed;
    /*  96 over this header, with `magic`, `closed`, `session_end`, `seal` and this taken as 0 */
    uint32_t header_crc32c;
    uint32_t pad0;
    /* 104 from format 2 on, in the last segment, written when nothing else of the session remains
     * to be synced: tbus_journal_session_end_word. 0: not the last segment, or the recording did
     * not come to its end */
    tbus_atomic_u64_t session_end;
    /* 112 from format 2 on: ten digits and capital letters, then zeros */
    char session_name[16];
    tbus_journal_header_topic_t topics[TBUS_JOURNAL_TOPICS_MAX];  /*  128 */
    tbus_journal_header_traits_t traits[TBUS_JOURNAL_TOPICS_MAX]; /* 1024 of the same topics */
    tbus_journal_seal_t seal;                                     /* 1280 */
    uint8_t pad1[2688];
} tbus_journal_header_t;

TBUS_STATIC_ASSERT(sizeof(tbus_journal_header_topic_t) == 56);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_topic_t, name) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_topic_t, type) == 24);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_topic_t, first_seq) == 48);
TBUS_STATIC_ASSERT(sizeof(tbus_journal_header_traits_t) == 16);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_traits_t, type_version) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_traits_t, ring_kind) == 4);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_traits_t, layout_id) == 8);
TBUS_STATIC_ASSERT(sizeof(tbus_journal_seal_t) == 128);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_seal_t, kind) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_seal_t, crc32c) == 4);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_seal_t, previous) == 8);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_seal_t, digest) == 40);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_seal_t, pad) == 72);
TBUS_STATIC_ASSERT(sizeof(tbus_journal_header_t) == 4096);
TBUS_STATIC_ASSERT(sizeof(tbus_journal_header_t) == TBUS_JOURNAL_HEADER_BYTES);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, magic) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, abi) == 8);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, header_bytes) == 12);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, session_id) == 16);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, segment) == 32);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, topics_count) == 36);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, first_record) == 40);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, segment_bytes) == 48);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, started_realtime_ns) == 56);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, bus_name) == 64);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, closed) == 88);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, header_crc32c) == 96);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, pad0) == 100);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, session_end) == 104);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, session_name) == 112);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, topics) == 128);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, traits) == 1024);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, seal) == 1280);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_header_t, pad1) == 1408);

typedef struct tbus_journal_record_header {
    tbus_atomic_u32_t length; /*  0 */
    uint32_t crc32c;          /*  4 */
    uint64_t seq;             /*  8 */
    uint64_t time_ns;         /* 16 */
    uint16_t topic;           /* 24 */
    uint16_t flags;           /* 26 */
    uint32_t pad;             /* 28 */
} tbus_journal_record_header_t;

TBUS_STATIC_ASSERT(sizeof(tbus_journal_record_header_t) == 32);
TBUS_STATIC_ASSERT(sizeof(tbus_journal_record_header_t) == TBUS_JOURNAL_RECORD_HEADER);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_record_header_t, length) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_record_header_t, crc32c) == 4);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_record_header_t, seq) == 8);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_record_header_t, time_ns) == 16);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_record_header_t, topic) == 24);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_record_header_t, flags) == 26);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_record_header_t, pad) == 28);
/* What the payload of a session record begins with. */
typedef struct tbus_journal_session_header {
    uint32_t kind;    /* 0 */
    uint16_t version; /* 4 */
    uint16_t more;    /* 6 */
} tbus_journal_session_header_t;

TBUS_STATIC_ASSERT(sizeof(tbus_journal_session_header_t) == 8);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_session_header_t, kind) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_session_header_t, version) == 4);
TBUS_STATIC_ASSERT(offsetof(tbus_journal_session_header_t, more) == 6);

#define TBUS_JOURNAL_PIECE_BYTES 16384u /* of an object of the session, in one record */
/* The smallest segment has room for two. */
TBUS_STATIC_ASSERT(TBUS_JOURNAL_SEGMENT_BYTES_MIN > 2 * TBUS_JOURNAL_PIECE_BYTES + 8192);

/* Sizes and offsets within a segment fit the 32 bits that records and `closed` give them. */
TBUS_STATIC_ASSERT(TBUS_JOURNAL_SEGMENT_BYTES_MAX <= UINT32_MAX);

#define TBUS_JOURNAL_FILE_NAME_MAX 16u /* "00000001.tbj" */
#define TBUS_JOURNAL_SEGMENTS_MAX  99999999u

static inline uint64_t tbus_journal_padded(uint64_t bytes)
{
    return (bytes + 7) & ~UINT64_C(7);
}

/* What the CRCs of a segment's records start from. */
static inline uint32_t tbus_journal_seed(const uint8_t session_id[16], uint32_t segment)
{
    return tbus_crc32c(tbus_crc32c(0, session_id, 16), &segment, sizeof segment);
}

/* What the CRC of a record begins with: where it stands. It is not stored. */
static inline uint64_t tbus_journal_place(uint64_t offset, uint32_t length)
{
    return offset << 32 | length;
}

/* The CRC of a record at `offset` of its segment: over its place, then over what follows the
 * record's first 8 bytes, padding included. `length`: as stored, at least the
 * record header's; `record`: all of it; its first 8 bytes do not matter. (crc32c.c) */
uint32_t tbus_journal_record_crc(uint32_t seed, uint64_t offset, uint32_t length,
                                 const void *record);

/* `closed` of a segment that holds `bytes` bytes. Never 0: a segment holds at least its header. */
static inline uint64_t tbus_journal_closed_word(uint32_t seed, uint32_t bytes)
{
    return (uint64_t)tbus_crc32c(seed, &bytes, sizeof bytes) << 32 | bytes;
}

/* `crc32c` of a seal. */
static inline uint32_t tbus_journal_seal_crc(uint32_t seed, const tbus_journal_seal_t *seal)
{
    uint32_t crc = tbus_crc32c(seed, &seal->kind, sizeof seal->kind);
    return tbus_crc32c(crc, seal->previous, sizeof *seal - offsetof(tbus_journal_seal_t, previous));
}

/* How a session ended, as its last segment says. */
enum tbus_journal_session_end {
    TBUS_JOURNAL_SESSION_CLOSED = 1, /* everything is on the disk */
    TBUS_JOURNAL_SESSION_BROKEN = 2, /* closed in order, after an error */
};

/* `session_end`: bits 0-7 an enum tbus_journal_session_end, 8-31 the error (positive), 32-63 the
 * CRC of both. Never 0. `code`: 0 or negative. */
static inline uint64_t tbus_journal_session_end_word(uint32_t seed,
                                                     enum tbus_journal_session_end end, int code)
{
    uint32_t low = (uint32_t)end | (uint32_t)-code << 8;
    uint32_t tagged[2] = {UINT32_MAX, low}; /* no segment holds so many bytes: never a `closed` */
    return (uint64_t)tbus_crc32c(seed, tagged, sizeof tagged) << 32 | low;
}

/* The CRC of a private copy of a header; leaves the five fields that it does not cover at 0. */
static inline uint32_t tbus_journal_header_crc(tbus_journal_header_t *copy)
{
    copy->magic = (tbus_atomic_u64_t){0};
    copy->closed = (tbus_atomic_u64_t){0};
    copy->session_end = (tbus_atomic_u64_t){0};
    copy->header_crc32c = 0;
    copy->seal = (tbus_journal_seal_t){0};
    return tbus_crc32c(0, copy, sizeof *copy);
}

#endif
