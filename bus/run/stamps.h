/* SPDX-License-Identifier: Apache-2.0 */
/* stamps.h - when each message took each step of the pipeline, kept while somebody measures it.
 *
 * Tables in memory that the stages share by being forked from whoever measures; on any other bus
 * there are none (tbus_bus_t.stamps is NULL), and each step costs one branch. Two tables:
 *
 *    row of a message   its sequence on the topic that is measured (md), from the first that counts
 *        INTENDED       when the schedule wanted it          by who publishes it
 *        PUBLISHED      just before it goes onto the ring    the same
 *        TAKEN          taken off the ring                   by the first who decides on it
 *        WAITED         ns that this waited for others       the same
 *        RECORDED       written to the journal               by the recorder
 *        SERVED         given to the kernel for its first client     by who serves it
 *
 *    row of an answer   (its number, its stream, new or second), see tbus_stamps_answer
 *        ANSWERS        sequence of the message that it answers; 0: of none that was in hand
 *        ANSWER_TAKEN   when its sender had taken that message
 *        SENT           when it went out, as it carries it
 *        PASSED         just before it is passed on          by who checks it
 *        DONE           as its first report carries it
 *        REPORTED       when its sender saw that report
 *
 * One writer a column; columns lie 128 bytes or more apart, rows of one column side by side: what
 * one process writes is in no line that another writes. 0: not stamped. INTENDED, SENT and DONE
 * are ns of CLOCK_MONOTONIC, WAITED is a duration in ns; all others are of tbus_stamps_now. Rows
 * beyond the tables are lost and counted.
 *
 * Nothing here waits, allocates or enters the kernel but what is said to be cold.
 */
#ifndef TICKBUS_BUS_RUN_STAMPS_H
#define TICKBUS_BUS_RUN_STAMPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/atomic.h>
#include <tickbus/clock.h>
#include <tickbus/error.h>
#include <tickbus/ring.h>

enum tbus_stamp {
    TBUS_STAMP_INTENDED,
    TBUS_STAMP_PUBLISHED,
    TBUS_STAMP_TAKEN,
    TBUS_STAMP_WAITED,
    TBUS_STAMP_RECORDED,
    TBUS_STAMP_SERVED,
    TBUS_STAMP_MESSAGE_COLUMNS,
    TBUS_STAMP_ANSWERS = TBUS_STAMP_MESSAGE_COLUMNS,
    TBUS_STAMP_ANSWER_TAKEN,
    TBUS_STAMP_SENT,
    TBUS_STAMP_PASSED,
    TBUS_STAMP_DONE,
    TBUS_STAMP_REPORTED,
    TBUS_STAMP_COLUMNS
};

/* Written by several, and seldom. */
typedef struct tbus_stamps_shared {
    tbus_atomic_u64_t first_seq; /* of row 0; 0: no message counted yet. By who publishes */
    uint8_t pad[120];
    struct {
        tbus_atomic_u64_t lost; /* by the column's writer */
        uint8_t pad[120];
    } columns[TBUS_STAMP_COLUMNS];
} tbus_stamps_shared_t;

TBUS_STATIC_ASSERT(sizeof(tbus_stamps_shared_t) == (size_t)128 * (1 + TBUS_STAMP_COLUMNS));

/* What to keep. */
typedef struct tbus_stamps_spec {
    uint64_t messages; /* rows */
    uint64_t answers;  /* rows of all streams together */
    uint32_t streams;  /* who answers, 1 or more */
    uint32_t optional; /* bit by column: WAITED, RECORDED, SERVED, where they are wanted */
    bool ticks;        /* stamp by the CPU's counter, not by CLOCK_MONOTONIC */
    const char *topic; /* of the messages */
} tbus_stamps_spec_t;

/* Local handle; copies in children are good, since the mapping is inherited. */
typedef struct tbus_stamps {
    tbus_stamps_shared_t *shared;
    bool ticks;
    char topic[TBUS_NAME_MAX]; /* whose sequences name the rows of messages */
    uint32_t streams;
    uint64_t rows[TBUS_STAMP_COLUMNS]; /* 0: the column is not kept */
    tbus_atomic_u64_t *columns[TBUS_STAMP_COLUMNS];
    void *mapping; /* owned by who made it */
    size_t mapping_bytes;
} tbus_stamps_t;

/* Map the tables, all zeros. -EINVAL, -ENOMEM. Cold. */
int tbus_stamps_create(const tbus_stamps_spec_t *spec, tbus_stamps_t *out_stamps,
                       tbus_error_t *err);
/* Accepts one that is all zeros. */
void tbus_stamps_destroy(tbus_stamps_t *s);
/* In each process that stamps, before it begins: take the page faults now. Cold. */
void tbus_stamps_touch(const tbus_stamps_t *s);

/* Now: one clock read. Hot. */
static inline uint64_t tbus_stamps_now(const tbus_stamps_t *s)
{
    return s->ticks ? tbus_clock_ticks() : tbus_clock_ns();
}

/* Hot. */
static inline void tbus_stamps_put(const tbus_stamps_t *s, enum tbus_stamp column, uint64_t row,
                                   uint64_t value)
{
    if (TBUS_LIKELY(row < s->rows[column]))
        tbus_store_relaxed_u64(&s->columns[column][row], value);
    else if (s->rows[column] != 0)
        tbus_add_own_u64(&s->shared->columns[column].lost, 1);
}

/* The same for a message by its sequence; one before the first that counts is none. Hot. */
static inline void tbus_stamps_message(const tbus_stamps_t *s, enum tbus_stamp column, uint64_t seq,
                                       uint64_t value)
{
    /* hint: whoever has the message has what was stored before it was published */
    uint64_t first_seq = tbus_load_relaxed_u64(&s->shared->first_seq);
    if (first_seq != 0 && seq >= first_seq)
        tbus_stamps_put(s, column, seq - first_seq, value);
}

/* The same where only the first time counts. Hot. */
static inline void tbus_stamps_message_once(const tbus_stamps_t *s, enum tbus_stamp column,
                                            uint64_t seq, uint64_t value)
{
    uint64_t first_seq = tbus_load_relaxed_u64(&s->shared->first_seq); /* hint: as above */
    if (first_seq != 0 && seq >= first_seq && seq - first_seq < s->rows[column] &&
        tbus_load_relaxed_u64(&s->columns[column][seq - first_seq]) == 0) /* hint: our own */
        tbus_stamps_put(s, column, seq - first_seq, value);
}

/* The row of an answer: `number` counts from 1 in its stream, and streams from 1; `second`: what
 * bears the number of an earlier one, as the cancel of an order does. Hot. */
static inline uint64_t tbus_stamps_answer(const tbus_stamps_t *s, uint32_t stream, uint64_t number,
                                          bool second)
{
    return ((number - 1) * s->streams + (stream - 1)) * 2 + second;
}

#endif
