/* SPDX-License-Identifier: Apache-2.0 */
/* history.h - all messages of a topic from a place on: those that were recorded, then those that
 * come, without a gap and without one twice. For who joins late: a gateway's session, a tap.
 *
 *             journal (tickbus/journal.h)                 ring, by an observer (tickbus/observer.h)
 *    from ----------------------------------> its end ------------------------------------> live
 *                  ^                       the ring has the next one                |
 *                  +----------------------------------------------------------------+
 *                     the ring was written over before it was read: "lapped"
 *
 * It begins on the ring where that still has the first message that is wanted, else in the journal.
 * At the journal's end it goes over to the ring, and whenever the reader is so slow that publishers
 * lap it, it goes back to the journal by itself and comes again. Without a journal, what is lapped
 * is lost, and told as a number.
 *
 * It holds nobody up: it owns no place on the ring and writes nothing to shared memory. While it
 * reads in the journal, it keeps one segment from being removed by retention. Its memory does not
 * grow with what it reads: a buffer of 256 KiB, the index of one segment, half a KiB for each
 * segment that was searched. Beside a bus all of that is taken when it is opened.
 *
 * Cost: on the ring as tbus_observe, no system call. In the journal a copy and a CRC a record, also
 * of the records of other topics, and a read(2) for every 256 KiB. To go back to the journal is a
 * few reads, some hundred microseconds where the segments have their indexes. In the segment that
 * is being written, what was not seen before is read once.
 *
 * A handle is for one thread at a time. Any number of handles may be open, in any processes. The
 * messages before the hand-over are those of the files, checked by their CRCs; those after it were
 * copied from the ring and checked not to have been overwritten meanwhile.
 */
#ifndef TICKBUS_HISTORY_H
#define TICKBUS_HISTORY_H

#include <tickbus/bus.h>
#include <tickbus/journal.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tbus_history tbus_history_t;

enum tbus_history_origin {
    TBUS_HISTORY_NOW = 0,    /* what comes from now on */
    TBUS_HISTORY_OLDEST = 1, /* all that there is: in the journal, else on the ring */
    TBUS_HISTORY_SEQ = 2     /* the message `seq`, or the first behind it; it may be yet to come */
};
typedef struct tbus_history_from {
    enum tbus_history_origin origin;
    uint64_t seq; /* with TBUS_HISTORY_SEQ */
} tbus_history_from_t;

/* Follow `topic`. `bus`: one that was attached or made, which must stay open as long as this is;
 * NULL: only what the journal has. `journal`: the directory in which that bus is recorded; NULL:
 * only what the ring has. -EINVAL: neither, no topic, or the journal is of another run than the
 * bus; -TBUS_ENOTFOUND: no such topic on the bus, or none in the journal, or no journal there;
 * -EAGAIN: as tbus_observer_join; else as tbus_journal_reader_open and its seek. Cold. */
int tbus_history_open(tbus_bus_t *bus, const char *journal, const char *topic,
                      const tbus_history_from_t *from, tbus_history_t **out_history,
                      tbus_error_t *err);

/* Go to the message `seq`, or the first behind it, as if it had been opened there; forward, or
 * back. Nothing is opened or allocated: neither by this nor by what is read from there on, but for
 * a record of more than 256 KiB, and for a journal of more than a thousand segments. What was lost
 * and not said yet is forgotten; counts go on. Errors as of tbus_history_open: then it stands
 * nowhere, until it was closed or went to a place. Cold. */
int tbus_history_seek(tbus_history_t *h, uint64_t seq, tbus_error_t *err);

enum tbus_history_outcome {
    TBUS_HISTORY_NOTHING = 0, /* none yet: ask again later, or sleep meanwhile */
    TBUS_HISTORY_MESSAGE = 1,
    TBUS_HISTORY_ENDED = 2, /* there will be none any more */
    TBUS_HISTORY_BUSY = 3   /* none so far, only records of other topics: ask again now */
};

/* The next message, copied into `into` (8-byte aligned, `capacity` bytes, on a bus at least the
 * topic's msg_bytes_max). Returns an enum tbus_history_outcome, and with any of them *out_lost is
 * set: how many sequences just before this message, or so far before the next one, are lost for
 * this reader. 0 where there is a journal, unless that has a hole, is damaged, lost its front to
 * retention before it was read, or ended before the bus. Sequences that never had a message, which
 * only topics of several publishers have, are not counted, as far as anybody can tell.
 *
 * With MESSAGE *out_bytes and *out_seq are set. Sequences go up, and none comes twice.
 *
 * ENDED: the bus said that it has ended, and all of the ring was read; without a bus, the writer of
 * the journal is gone, and all of that was read. A supervisor that is killed does not say so:
 * follow the bus by other means (tickbus/open.h) as well.
 *
 * -TBUS_ETOOBIG: `capacity` is too small, *out_bytes says what is needed, and the message is still
 * to come; -TBUS_ECORRUPT: the ring holds what no publisher writes; -errno from reading the
 * journal: no file, no descriptor or no memory; asked again, it is tried again. */
int tbus_history_next(tbus_history_t *h, void *into, size_t capacity, size_t *out_bytes,
                      uint64_t *out_seq, uint64_t *out_lost, tbus_error_t *err);

/* What tbus_history_next_batch hands out. */
#define TBUS_HISTORY_BATCH_MAX 64u
#define TBUS_HISTORY_STRIDE    56u
typedef struct tbus_history_batch {
    void *into;      /* the caller's; 8-byte aligned, TBUS_HISTORY_BATCH_MAX strides or more, */
    size_t capacity; /* and at least as tbus_history_next needs them */
    uint32_t count;
    uint32_t bytes[TBUS_HISTORY_BATCH_MAX]; /* of message i, at `into` + i * TBUS_HISTORY_STRIDE */
    uint64_t first_seq;                     /* those behind it follow without a gap */
    uint64_t lost;                          /* as *out_lost */
} tbus_history_batch_t;

/* As many messages as are there, at most TBUS_HISTORY_BATCH_MAX. Outcomes and promises are those of
 * tbus_history_next. With MESSAGE `count` is at least 1; each has at most TBUS_HISTORY_STRIDE
 * bytes, or there is one alone, which may have more. Of short messages on a ring each costs some 40
 * instructions in place of some 240. What was handed out is the caller's: it cannot be lost any
 * more. Fills all members but the first two; `count` is 0 without MESSAGE. */
int tbus_history_next_batch(tbus_history_t *h, tbus_history_batch_t *batch, tbus_error_t *err);

typedef struct tbus_history_counts {
    uint64_t from_journal; /* messages */
    uint64_t from_ring;
    uint64_t lost;
    uint64_t laps; /* how often it went back from the ring to the journal */
    bool live;     /* it is on the ring now */
} tbus_history_counts_t;

/* So far. */
void tbus_history_counts(const tbus_history_t *h, tbus_history_counts_t *out_counts);

void tbus_history_close(tbus_history_t *h); /* accepts NULL */

#ifdef __cplusplus
}
#endif
#endif
