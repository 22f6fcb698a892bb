/* SPDX-License-Identifier: Apache-2.0 */
/* journal.h - everything that was on the topics, in memory-mapped segment files.
 *
 * A session is a directory that holds one recording:
 *
 *    DIR/00000001.tbj, 00000002.tbj, ...   segments, each of `segment_bytes` while written, cut to what it
 * holds when closed
 *
 *    segment:  0  header, 4096 bytes: magic "TBJRNL1\0", abi, segment number, session id (16 random bytes),
 * bus name, start of the session, first record's number, the table of topics (name, message type, first
 * sequence) 4096  records, one after another, each 8-byte aligned
 *
 *    record:   0 length u32    of the whole record, padding excluded; stored last, with release order: 0 =
 * nothing here yet 4 crc32c u32    (Castagnoli) over bytes 8 .. length, started with the session id, so that
 * a record of another session left in the file is not taken for one of ours 8 seq u64       on its topic 16
 * time_ns u64   when it was recorded, ns since the bus epoch 24 topic u16     index in the header's table 26
 * flags u16     0 28 pad u32 32 payload, then zeros up to a multiple of 8
 *
 * Little-endian. A reader may follow a live journal: the length tells what is complete. Journal files are
 * versioned by `abi`; a reader refuses what it does not know. The writer preallocates (a full disk is an
 * error at creation or roll, never a SIGBUS) and faults pages in ahead, off the recording thread.
 *
 * On the data path: every topic -> recorder stage -> journal -> reader -> replay (feedsim), export (tools).
 */
#ifndef TICKBUS_JOURNAL_H
#define TICKBUS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TBUS_JOURNAL_ABI           1u
#define TBUS_JOURNAL_HEADER_BYTES  4096u
#define TBUS_JOURNAL_RECORD_HEADER 32u
#define TBUS_JOURNAL_TOPICS_MAX    16u
#define TBUS_JOURNAL_SEGMENT_BYTES (UINT64_C(64) << 20) /* default */

typedef struct tbus_journal_topic {
    char name[TBUS_NAME_MAX];
    char type[TBUS_NAME_MAX];
    uint64_t first_seq;
} tbus_journal_topic_t;

typedef struct tbus_journal_spec {
    const char *directory; /* created if missing; refused when it holds anything (-TBUS_ENOTEMPTY, nothing is
                              touched) */
    const char *bus_name;
    uint64_t started_realtime_ns;
    uint64_t segment_bytes; /* 0: default; at least 1 MiB, a multiple of 4096 */
    uint32_t topics_count;
    tbus_journal_topic_t topics[TBUS_JOURNAL_TOPICS_MAX];
} tbus_journal_spec_t;

typedef struct tbus_journal_writer tbus_journal_writer_t;

/* Start a session. Errors name the directory and say what to do: missing parent, read-only, not empty, no
 * space. */
int tbus_journal_create(const tbus_journal_spec_t *spec, tbus_journal_writer_t **out_writer,
                        tbus_error_t *err);

/* Append a record. Usually a copy into mapped memory and nothing else; at the end of a segment it takes the
 * next one, which a helper thread has made ready. -ENOSPC and the like from making it are returned here, with
 * text from tbus_journal_error. After an error nothing more is recorded; what was, stays. */
int tbus_journal_append(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq, uint64_t time_ns,
                        const void *payload, size_t bytes);
const tbus_error_t *tbus_journal_error(const tbus_journal_writer_t *w);
uint64_t tbus_journal_records(const tbus_journal_writer_t *w);
uint64_t tbus_journal_bytes(const tbus_journal_writer_t *w);

/* Sync, cut the last segment to what it holds, close and free. 0 or the first error. Accepts NULL. */
int tbus_journal_close(tbus_journal_writer_t *w, tbus_error_t *err);

typedef struct tbus_journal_record {
    uint16_t topic;
    uint64_t seq;
    uint64_t time_ns;
    const void *payload; /* in the mapping, 8-byte aligned; valid until the next call on this reader */
    size_t bytes;
    uint32_t segment; /* where: segment number and offset, for messages */
    uint64_t offset;
} tbus_journal_record_t;

typedef struct tbus_journal_reader tbus_journal_reader_t;

typedef struct tbus_journal_info {
    char bus_name[TBUS_NAME_MAX];
    uint8_t session_id[16];
    uint64_t started_realtime_ns;
    uint32_t segments;
    uint64_t bytes; /* of all segment files */
    uint32_t topics_count;
    tbus_journal_topic_t topics[TBUS_JOURNAL_TOPICS_MAX];
} tbus_journal_info_t;

/* Open a session for reading; checks every segment's header, and that none is missing or from another
 * session. */
int tbus_journal_open(const char *directory, tbus_journal_reader_t **out_reader, tbus_error_t *err);
const tbus_journal_info_t *tbus_journal_info(const tbus_journal_reader_t *r);
int tbus_journal_topic(const tbus_journal_reader_t *r, const char *name); /* index, or -TBUS_ENOTFOUND */

/* The next record in the order of recording. 1: got one; 0: end (a torn tail, left by a writer that was
 * killed, ends the journal cleanly: tbus_journal_torn_bytes tells); -TBUS_ECORRUPT: damage in the middle, err
 * names segment and offset. */
int tbus_journal_next(tbus_journal_reader_t *r, tbus_journal_record_t *out_record, tbus_error_t *err);
uint64_t tbus_journal_torn_bytes(const tbus_journal_reader_t *r);
void tbus_journal_reader_close(tbus_journal_reader_t *r);

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the CPU's instruction where it has one. */
uint32_t tbus_crc32c(uint32_t crc, const void *data, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
