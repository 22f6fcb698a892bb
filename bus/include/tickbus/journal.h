/* SPDX-License-Identifier: Apache-2.0 */
/* journal.h - everything that was on the topics, recorded in memory-mapped segment files.
 *
 * A session is a directory that holds one recording:
 *
 *    DIR/00000001.tbj, 00000002.tbj, ...   segments: files of `segment_bytes` bytes while they are
 *                                          written; a finished one is cut to what it holds
 *    DIR/writer.lock                       empty; its writer holds an OFD lock on byte 0 of it
 *                                          (fcntl(2)) as long as it lives. The file stays
 *
 *    segment    0  header, 4096 bytes: session, number of the segment, the topics, the seal
 *                  (bus/journal/format.h)
 *            4096  records, one after another, each 8-byte aligned
 *
 *    record     0  length u32   of the whole record without padding. Stored last, with release
 *                               order: 0 means that there is no record here yet
 *               4  crc32c u32   (Castagnoli) over session id, segment number, place in the segment,
 *                               length, and everything from byte 8 to the end of the padding. So a
 *                               record of another session or from another place is not taken for
 *                               one that belongs here
 *               8  seq u64      on its topic
 *              16  time_ns u64  when it was recorded, ns since the bus epoch
 *              24  topic u16    index in the header's table; 0xffff: a session record
 *              26  flags u16    0
 *              28  pad u32      0
 *              32  payload, then zeros up to a multiple of 8
 *
 * A *session record* is about the session itself: what was fed, by which program and command line,
 * with which configuration. Its payload begins with its kind (enum tbus_journal_session_kind); one
 * object of bytes may be cut over several records, which follow each other among the session
 * records. Readers are not shown them unless they ask, and skip kinds that they do not know: more
 * may come without a new format. What is done to a session while it runs is no session record but a
 * message like any other (topic `events`, tickbus/msg/event.h).
 *
 *    payload    0  kind u32
 *               4  version u16  of what the kind holds
 *               6  more u16     1: the object goes on in the next session record
 *               8  bytes of the object
 *
 * The *seal* of a finished segment holds its SHA-256 and that of the segment before it, which makes
 * a chain of all segments, so that a change that fits the CRCs is found as well: in a segment
 * before the last one by the chain itself, in all of them by whoever has kept the last SHA-256. A
 * writer may leave it out.
 *
 * Journals are little-endian. A reader refuses an `abi` that it does not know. The writer allocates
 * a whole segment before it writes to it, so that a full disk is an error when a segment is created
 * and never later. Pages are faulted in ahead, off the recording thread.
 *
 * How a journal ends, and what counts as damage:
 *
 *    closed    The header of the last segment says that the session came to its end without an
 *              error. It is written and synced when nothing else remains to be synced. The header
 *              of each finished segment says how many bytes the segment holds. All of them must be
 *              readable; anything that is not is damage.
 *    torn      The writer was killed, the power went, or the last segments were cut, emptied or
 *              removed: the last one does not say that the session ended. The records end at the
 *              first that is not whole. What lies behind that place is left out and its bytes in
 *              that segment are counted. Last segments without a header hold nothing.
 *    broken    The writer gave up after an error (a full disk, a sync that failed), and its last
 *              segment says so; or a segment is not finished and a later one is, which tells that
 *              the sync of the first failed. What there is can be read.
 *    damage    Anything else that is not a whole record: one in a finished segment; and in an
 *              unfinished one, if it has a whole record behind it or the segment has a successor,
 *              unless sectors of the disk (512 bytes) are missing from it, as when the power goes.
 *              Reading fails and names the segment and the offset.
 *
 * When the writing process dies, at whatever instruction, all records that append has returned for
 * are in the files. When the host loses power, all records of finished segments are there; the
 * segments behind them are read up to the first hole. Format 1 had no mark of the session's end:
 * there, a finished last segment counts as one.
 *
 * A reader may follow a journal that is being written. It reads with read(2) and not from a
 * mapping: whatever others do to the files, it gets an error or an end and never a SIGBUS. The
 * writer does map the files: when somebody else shortens a segment while it is written, a store
 * raises SIGBUS. A process whose handler calls tbus_journal_writer_on_sigbus gets an error from
 * append instead of dying.
 *
 * On the data path: every topic -> recorder stage -> journal -> reader -> replay (feedsim), export
 * (tools).
 */
#ifndef TICKBUS_JOURNAL_H
#define TICKBUS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/atomic.h>
#include <tickbus/error.h>
#include <tickbus/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TBUS_JOURNAL_ABI               2u /* is written; */
#define TBUS_JOURNAL_ABI_MIN           1u /* and from here on all are read */
#define TBUS_JOURNAL_HEADER_BYTES      4096u
#define TBUS_JOURNAL_RECORD_HEADER     32u
#define TBUS_JOURNAL_TOPICS_MAX        16u
#define TBUS_JOURNAL_SESSION_TOPIC     0xffffu              /* of session records */
#define TBUS_JOURNAL_SESSION_NAME      10u                  /* characters */
#define TBUS_JOURNAL_SEGMENT_BYTES     (UINT64_C(64) << 20) /* default */
#define TBUS_JOURNAL_SEGMENT_BYTES_MIN (UINT64_C(64) << 10)
#define TBUS_JOURNAL_SEGMENT_BYTES_MAX (UINT64_C(1) << 30)

/* What a journal says of a topic. */
typedef struct tbus_journal_topic {
    char name[TBUS_NAME_MAX];
    char type[TBUS_NAME_MAX]; /* of its messages: "tick" */
    uint64_t first_seq;
    /* The next three are 0, unknown, in journals that were recorded before the format had them, and
     * where whoever made the topic did not set them. */
    uint32_t type_version; /* of the layout of its messages, from 1 */
    uint32_t ring_kind;    /* enum tbus_ring_kind: how many publishers, who gets a message */
    uint64_t layout_id;    /* of that layout: tbus_layout_of_type */
} tbus_journal_topic_t;

/* Kinds of session records. Numbers are never given twice. */
enum tbus_journal_session_kind {
    TBUS_JOURNAL_PROVENANCE = 1,    /* JSON: version, command line, source, stages, layout, host */
    TBUS_JOURNAL_CONFIGURATION = 2, /* JSON: every key with the value that was in force at first */
    /* JSON: what was not recorded here, and why: "reason", and "topics", an array of objects with
     * "topic", "from" and "to": the sequences, both included */
    TBUS_JOURNAL_HOLE = 3,
};

/* When records come onto the disk. The helper thread syncs; append never waits for it. */
enum tbus_journal_durability {
    TBUS_JOURNAL_ASYNC = 0,    /* each segment when it is full; before that when the kernel likes */
    TBUS_JOURNAL_PERIODIC = 1, /* every `sync_every_ms` */
    TBUS_JOURNAL_SYNC_BATCH = 2, /* as soon as there is something: one sync after another */
};
#define TBUS_JOURNAL_SYNC_EVERY_MS_MAX 60000u

/* How much of a journal is kept. Segments go from the front while any of these is passed; never the
 * one that is written, nor one that a reader holds, and then none behind it. 0: no limit. */
typedef struct tbus_journal_limits {
    uint64_t keep_bytes;    /* of all segment files */
    uint64_t keep_age_ns;   /* a segment is as old as the first record behind it */
    uint32_t keep_segments; /* the one that is written among them */
} tbus_journal_limits_t;

typedef struct tbus_journal_spec {
    /* Created if missing; refused when it holds anything (-TBUS_ENOTEMPTY, nothing is touched). */
    const char *directory;
    const char *bus_name;
    /* TBUS_JOURNAL_SESSION_NAME digits and capital letters, as that of a bus; NULL: one is drawn */
    const char *session_name;
    uint64_t started_realtime_ns;
    uint64_t segment_bytes; /* 0: default; else within the limits above, a multiple of 4096 */
    uint32_t topics_count;
    tbus_journal_topic_t topics[TBUS_JOURNAL_TOPICS_MAX];
    uint32_t durability;    /* enum tbus_journal_durability */
    uint32_t sync_every_ms; /* PERIODIC: 1 to TBUS_JOURNAL_SYNC_EVERY_MS_MAX; else 0 */
    /* Where to store how far each topic is on the disk, as tbus_journal_writer_durable says it;
     * such as a counter in shared memory. Must live as long as the writer. NULL: nowhere. */
    tbus_atomic_u64_t *durable[TBUS_JOURNAL_TOPICS_MAX];
    /* Begin another segment at midnight UTC, by the times of the records, and not only when one is
     * full. */
    bool roll_by_day;
    /* When there is no room for another segment: go on without recording, until there is, instead
     * of ending with an error. What was not recorded is named in the journal. The same when there
     * is none for something else: for pages of a segment that was already begun, or for what a sync
     * writes, after which nothing more is called durable, and close returns that error. */
    bool go_on_when_full;
    tbus_journal_limits_t limits; /* looked at whenever a segment is finished */
} tbus_journal_spec_t;

typedef struct tbus_journal_writer tbus_journal_writer_t;

/* Start a session. Errors name the directory and say what to do: missing parent, read-only, not
 * empty, no space. What was made is removed again when it fails. Of two writers that start in one
 * empty directory at the same time, one is refused. Call it in the process that will append, after
 * any fork(2): it starts a thread, with all signals but SIGBUS blocked, which sleeps unless there
 * is something to prepare or to sync. */
int tbus_journal_writer_open(const tbus_journal_spec_t *spec, tbus_journal_writer_t **out_writer,
                             tbus_error_t *err);

/* Append a record. Hot; one thread. Usually this is a copy into mapped memory and nothing else.
 * Every few MiB it asks the helper thread to fault in more pages; at the end of a segment it takes
 * the next one, which is usually ready, and waits for it when it is not. Errors of the helper are
 * returned here, and tbus_journal_writer_error has their text: -ENOSPC and the like when the next
 * segment is needed and cannot be created (an attempt that fails before then is made again); -EIO
 * and the like when a sync failed. -TBUS_ETOOBIG: no segment can hold the record. After an error
 * nothing more is recorded; the records before it stay.
 *
 * 0: it is in the journal. 1: there is no room for it, and the specification says to go on
 * without: then nothing is recorded until another segment can be made, which the helper thread
 * tries ten times a second, and a session record TBUS_JOURNAL_HOLE says what is missing. */
int tbus_journal_writer_append(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq,
                               uint64_t time_ns, const void *payload, size_t bytes);

#define TBUS_JOURNAL_NOT_YET 2

/* The same, and never waits: TBUS_JOURNAL_NOT_YET, and nothing was recorded, when the helper thread
 * has to do something first and knows what. Append the same message again later, before any other.
 * It may then be given another time. */
int tbus_journal_writer_append_try(tbus_journal_writer_t *w, uint16_t topic, uint64_t seq,
                                   uint64_t time_ns, const void *payload, size_t bytes);

/* To be called by the process's handler of SIGBUS with its si_addr. True: the address lies in a
 * segment that is being written, and the store can be repeated now. Return from the handler; the
 * next append fails with an error that names the segment (-TBUS_ECORRUPT: somebody else has cut it;
 * -EIO: its pages cannot be had from the disk). Records behind the cut are lost, also those that
 * append has returned for; those before it can be read. False: the address is not ours, or the
 * store would fail again. Async-signal-safe; any thread. */
bool tbus_journal_writer_on_sigbus(void *address);

/* Append `bytes` bytes about the session itself, cut over as many records as they take. Cold; the
 * thread that appends. Errors as above. */
int tbus_journal_writer_append_session(tbus_journal_writer_t *w,
                                       enum tbus_journal_session_kind kind, uint64_t time_ns,
                                       const void *data, size_t bytes);

/* The error that append returned; code 0: none yet. Same thread. */
const tbus_error_t *tbus_journal_writer_error(const tbus_journal_writer_t *w);

/* Records appended, without those about the session, and the bytes that all of them take in the
 * segments. Same thread. */
uint64_t tbus_journal_writer_records(const tbus_journal_writer_t *w);
uint64_t tbus_journal_writer_bytes(const tbus_journal_writer_t *w);

/* How many messages append had no room for so far, and whether that is so now. Same thread. */
uint64_t tbus_journal_writer_missed(const tbus_journal_writer_t *w);
bool tbus_journal_writer_has_room(const tbus_journal_writer_t *w);

/* How often append waited so far for the helper thread, or append_try could not go on without it,
 * because the next segment or more pages were not ready; each time counts once, however often the
 * message was brought again. Same thread. */
uint64_t tbus_journal_writer_waits(const tbus_journal_writer_t *w);

/* The last sequence of that topic that is on the disk, with all before it and all that were
 * recorded before them on any topic: a loss of power does not take them. 0: none. It goes up when a
 * segment was finished, and with PERIODIC and SYNC_BATCH in between; after a sync that failed it
 * stays. Any thread, until close. */
uint64_t tbus_journal_writer_durable(const tbus_journal_writer_t *w, uint16_t topic);

/* Sync, cut the last segment to what it holds, close and free. 0: all of it is on the disk; else
 * the first error of the session. After a sync that failed no other is tried on that segment, and
 * it does not say that it is finished. Accepts NULL. */
int tbus_journal_writer_close(tbus_journal_writer_t *w, tbus_error_t *err);

/* Remove what the limits do not keep of a journal that nobody records into: segments from the
 * front, with what lies beside them, and never the last one. `now_ns`: since 1970, for keep_age_ns.
 * *out_removed: how many. 0; those of tbus_journal_reader_open for a directory without a journal;
 * -EBUSY: it is being recorded; -errno from removing. Cold. */
int tbus_journal_prune(const char *directory, const tbus_journal_limits_t *limits, uint64_t now_ns,
                       uint32_t *out_removed, tbus_error_t *err);

/* How many segments that would remove; nothing is removed. Likewise. */
int tbus_journal_prune_plan(const char *directory, const tbus_journal_limits_t *limits,
                            uint64_t now_ns, uint32_t *out_segments, tbus_error_t *err);

typedef struct tbus_journal_record {
    uint16_t topic;
    uint64_t seq;
    uint64_t time_ns;
    /* in the reader's buffer, 8-byte aligned; valid until the next call on this reader */
    const void *payload;
    size_t bytes;
    uint32_t segment; /* where: segment number and offset, for messages */
    uint64_t offset;
} tbus_journal_record_t;

typedef struct tbus_journal_reader tbus_journal_reader_t;

typedef struct tbus_journal_info {
    char bus_name[TBUS_NAME_MAX];
    uint8_t session_id[16];
    /* the same for people and protocols: digits and capital letters. "": an older journal */
    char session_name[TBUS_JOURNAL_SESSION_NAME + 1];
    uint64_t started_realtime_ns;
    uint64_t segment_bytes;
    /* The number of the first one: 1, or more when those before it were removed (retention). */
    uint32_t first_segment;
    uint32_t segments; /* from it on, as of opening, and every later one that the reader came to */
    uint64_t bytes;    /* of these segment files, as of opening */
    uint32_t topics_count;
    tbus_journal_topic_t topics[TBUS_JOURNAL_TOPICS_MAX];
} tbus_journal_info_t;

/* Open a session for reading; checks the headers of the first segment and the last 1024, that none
 * in the middle is missing and none is from another session. A session whose first segments were
 * removed begins at the first that there is. -ENOENT, -ENOTDIR, -EACCES; -TBUS_ENOTFOUND: no
 * journal there; -TBUS_EMAGIC, -TBUS_EABI, -TBUS_ECORRUPT, -TBUS_ETRUNCATED: the first segment is
 * shorter than its header. */
int tbus_journal_reader_open(const char *directory, tbus_journal_reader_t **out_reader,
                             tbus_error_t *err);

/* The same for a journal that may be damaged: damage is passed over
 * (tbus_journal_reader_skip_damage), also segments that are missing, have no header, or belong to
 * another session. The first that has a whole header says which session it is. A segment of it
 * whose header is damaged or lost, or that has the name of another one, is read all the same: its
 * records tell where they belong. Errors are those of the first segment, when no segment has a
 * header; and of the system. */
int tbus_journal_reader_open_damaged(const char *directory, tbus_journal_reader_t **out_reader,
                                     tbus_error_t *err);
const tbus_journal_info_t *tbus_journal_reader_info(const tbus_journal_reader_t *r);
/* index, or -TBUS_ENOTFOUND */
int tbus_journal_reader_topic(const tbus_journal_reader_t *r, const char *name);

/* Have session records shown as well, with topic TBUS_JOURNAL_SESSION_TOPIC; before the first
 * call of next. */
void tbus_journal_reader_show_session(tbus_journal_reader_t *r);

/* Have the seals of finished segments checked as well, which reads them a second time; before the
 * first call of next. A segment whose SHA-256 is another one, or that follows another segment than
 * the one it was sealed behind, is damage. */
void tbus_journal_reader_check_seals(tbus_journal_reader_t *r);

/* How many segments had a seal that fits, from the first one on that was read from its beginning
 * without a jump, and the SHA-256 of the last of them, which stands for all. */
uint32_t tbus_journal_reader_seals(const tbus_journal_reader_t *r, uint8_t out_digest[32]);

/* One piece of an object of the session. False: the record is none, or too short for one. */
typedef struct tbus_journal_piece {
    uint32_t kind; /* enum tbus_journal_session_kind, or one of a later tickbus */
    uint16_t version;
    bool more; /* the object goes on in the next session record */
    const void *data;
    size_t bytes;
} tbus_journal_piece_t;
bool tbus_journal_record_piece(const tbus_journal_record_t *record,
                               tbus_journal_piece_t *out_piece);

/* The next record in the order of recording. 1: got one; 0: there is none (tbus_journal_reader_end
 * says why); -TBUS_ECORRUPT: damage, err names segment and offset, and every later call says the
 * same; -errno from reading. */
int tbus_journal_reader_next(tbus_journal_reader_t *r, tbus_journal_record_t *out_record,
                             tbus_error_t *err);

/* Go to a place: the next record that tbus_journal_reader_next gives is the first of `topic` (an
 * index) with a sequence of at least `seq`, and from there on it gives all records, of all topics,
 * as they were recorded. Any number of times, backwards too, also after the end and after damage.
 * What lies before the place is not checked, and the seals of the segment that it is in are, when
 * that has been read to its end. In a journal sequences of a topic and times go up. Cold: a few
 * reads where the segments have their indexes; else these are made, which reads each segment that
 * is asked about. 1: there; 0: the recording ends before it, and next tells how, or gives what is
 * recorded later; -EINVAL; else negative as next. */
int tbus_journal_reader_seek_seq(tbus_journal_reader_t *r, uint16_t topic, uint64_t seq,
                                 tbus_error_t *err);

/* The same, to the first record that was recorded at `time_ns` or later, ns since the bus epoch. */
int tbus_journal_reader_seek_time(tbus_journal_reader_t *r, uint64_t time_ns, tbus_error_t *err);

/* Have the index of segment `number`, which seek makes when it needs it: a file 00000001.tbi beside
 * the segment that tells for every 64 KiB what comes before them. It is a cache: it may be missing,
 * removed at any time, and is not used when a byte of it is wrong or it is about another segment;
 * who removes a segment removes it as well. 1: made; 0: there is a right one; -EBUSY: the segment
 * is not finished; -TBUS_ENOTFOUND: there is no such segment; -TBUS_ECORRUPT: it is damaged;
 * -EAGAIN: somebody else is making it; -EACCES, -EROFS, -ENOSPC and the like. Reads the segment
 * once; any thread. */
int tbus_journal_index_segment(const char *directory, uint32_t number, tbus_error_t *err);

/* Records that were missed so far: the segments that they were in were removed (retention) before
 * this reader came to them, and it went on where the journal begins now. A reader keeps the segment
 * that it reads from being removed, and not those behind it. */
uint64_t tbus_journal_reader_missed(const tbus_journal_reader_t *r);

/* Pass over damage instead of failing: next goes on behind it, at the next whole record, and
 * remembers the place. Before the first call of next. */
void tbus_journal_reader_skip_damage(tbus_journal_reader_t *r);

/* Places that were passed over so far, in the order in which they were met: returns how many;
 * *out_places is the reader's, valid until the next call on it. */
typedef struct tbus_journal_damage {
    uint32_t segment;
    uint64_t offset; /* in it */
    uint64_t bytes;  /* that were left out; 0: the records are whole, and something else is wrong */
    char what[128];
} tbus_journal_damage_t;
uint32_t tbus_journal_reader_damage(const tbus_journal_reader_t *r,
                                    const tbus_journal_damage_t **out_places);

/* What the last 0 of tbus_journal_reader_next meant. */
enum tbus_journal_end {
    TBUS_JOURNAL_LIVE = 0,   /* its writer is alive: more may come, ask again */
    TBUS_JOURNAL_CLOSED = 1, /* the session came to its end, and was read to it */
    TBUS_JOURNAL_TORN = 2,   /* its writer was killed, the power went, or its end was cut */
    TBUS_JOURNAL_BROKEN = 3  /* its writer gave up after an error: full disk, a sync that failed */
};
enum tbus_journal_end tbus_journal_reader_end(const tbus_journal_reader_t *r);

/* With BROKEN: why. Else its code is 0. */
const tbus_error_t *tbus_journal_reader_broken(const tbus_journal_reader_t *r);

/* With TORN: bytes behind the last whole record that were begun, or that a finished segment is
 * short of. */
uint64_t tbus_journal_reader_torn_bytes(const tbus_journal_reader_t *r);
void tbus_journal_reader_close(tbus_journal_reader_t *r); /* accepts NULL */

/* CRC-32C (Castagnoli; RFC 3720, section 12.1 and appendix B.4) of `bytes` bytes, going on from
 * `crc` (0 at first). By the CPU's instruction where it has one. Any thread. */
uint32_t tbus_crc32c(uint32_t crc, const void *data, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
