/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.h - the books at the beginning of a segment: a cache beside it.
 *
 *    00000005.tbb     0  header: what it is about, two CRCs
 *                   512  ticks of 56 bytes (tickbus/msg/tick.h): a snapshot (bus/market/snapshot.h)
 *                        of the market as all segments before this one leave it
 *
 * With it, books at a place of a journal are made from there on, and not from the beginning; they
 * can be made, too, when the beginning is gone (retention). It is about the ticks of one topic.
 *
 * It names the session, how many records come before the segment, and the SHA-256 that the segment
 * before was sealed with, which stands for all before it. What does not fit, or is wrong in any
 * byte, is not used (bus/journal/cache_file.h). Who removes the segment removes it as well.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_CHECKPOINT_H
#define TICKBUS_TOOLS_JOURNAL_CHECKPOINT_H

#include <stdint.h>

#include <tickbus/atomic.h>
#include <tickbus/msg/tick.h>

#include "bus/journal/directory.h"
#include "bus/market/snapshot.h"

#define CHECKPOINT_MAGIC   UINT64_C(0x00314b4f4f424254) /* "TBBOOK1\0" in memory order */
#define CHECKPOINT_VERSION 2u /* 1: without the beginning of the day, and what is stale */

typedef struct checkpoint_header {
    uint64_t magic;         /*   0 */
    uint32_t version;       /*   8 */
    uint32_t segment;       /*  12 number */
    uint8_t session_id[16]; /*  16 */
    uint64_t first_record;  /*  32 as the segment's header says */
    uint64_t before_bytes;  /*  40 that the finished segment before it holds */
    uint8_t before[32];     /*  48 its SHA-256; zeros: it was not sealed */
    uint64_t md_seq;        /*  80 of the last tick that is in the books */
    uint32_t topic;         /*  88 index of the topic of ticks */
    uint32_t tick_version;  /*  92 TICK_VERSION */
    uint32_t ticks_count;   /*  96 */
    uint32_t ticks_crc32c;  /* 100 */
    uint8_t pad[404];       /* 104 */
    uint32_t header_crc32c; /* 508 of all before it */
} checkpoint_header_t;

TBUS_STATIC_ASSERT(sizeof(checkpoint_header_t) == 512);
TBUS_STATIC_ASSERT(offsetof(checkpoint_header_t, magic) == 0);
TBUS_STATIC_ASSERT(offsetof(checkpoint_header_t, version) == 8);
TBUS_STATIC_ASSERT(offsetof(checkpoint_header_t, segment) == 12);
TBUS_STATIC_ASSERT(offsetof(checkpoint_header_t, session_id) == 16);
TBUS_STATIC_ASSERT(offsetof(checkpoint_header_t, first_record) == 32);
TBUS_STATIC_ASSERT(offsetof(checkpoint_header_t, before_bytes) == 40);
TBUS_STATIC_ASSERT(offsetof(checkpoint_header_t, before) == 48);
TBUS_STATIC_ASSERT(offsetof(checkpoint_header_t, md_seq) == 80);
TBUS_STATIC_ASSERT(offsetof(checkpoint_header_t, topic) == 88);
TBUS_STATIC_ASSERT(offsetof(checkpoint_header_t, tick_version) == 92);
TBUS_STATIC_ASSERT(offsetof(checkpoint_header_t, ticks_count) == 96);
TBUS_STATIC_ASSERT(offsetof(checkpoint_header_t, ticks_crc32c) == 100);
TBUS_STATIC_ASSERT(offsetof(checkpoint_header_t, pad) == 104);
TBUS_STATIC_ASSERT(offsetof(checkpoint_header_t, header_crc32c) == 508);

typedef struct checkpoint {
    uint64_t md_seq;
    uint32_t count;
    tick_t *ticks; /* owned */
} checkpoint_t;

/* Bytes of a file for so many ticks. */
static inline uint64_t checkpoint_bytes(uint64_t ticks)
{
    return sizeof(checkpoint_header_t) + ticks * sizeof(tick_t);
}

/* That of segment `segment`, for ticks of `topic`. 1: it is right, and *out_checkpoint has it; 0:
 * there is none; 2: there is one that cannot be used; or -ENOMEM. Cold. */
int checkpoint_load(const tbus_journal_directory_t *directory, uint32_t segment, uint16_t topic,
                    checkpoint_t *out_checkpoint);

/* Make it: `snapshot` is of the market before the first tick of `segment`. 0, or -errno: the
 * segment before is not finished (-EBUSY), somebody else is at it (-EAGAIN), the file cannot be
 * written. Then the file is as it was. Cold. */
int checkpoint_store(const tbus_journal_directory_t *directory, uint32_t segment, uint16_t topic,
                     const snapshot_t *snapshot);

void checkpoint_clear(checkpoint_t *checkpoint);

#endif
