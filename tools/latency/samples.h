/* SPDX-License-Identifier: Apache-2.0 */
/* samples.h - what one run has measured: for each message when it was wanted, and how long each hop
 * of its way took. Plain arrays, so that whoever makes statistics of them needs no pipeline.
 *
 *    row     0        1        2        3  ...        a message of the schedule, in the order of
 *    seq     first    first+1  ...                    of intended time; seq: on md
 *    intended_ns[row]                                 since start_ns; never falls
 *
 *    hops[h] ns[0..count)   row[0..count)             those messages that took the hop, in the same
 *                                                     order; row NULL: all, and ns[i] is of row i
 *
 *    publish   intended -> about to be put on md      all messages
 *    seen      -> taken off md by the strategy        all that it took
 *    decide    -> its order is sent                   messages that are answered: by the first
 *    risk      -> passed on (or refused) by risk      order, replace or cancel that the strategy
 *    execute   -> answered by the executor            sent from the tick itself, and that was
 *    report    -> that report seen by the strategy    answered. These four have the same rows
 *
 *    tick_to_seen      publish + seen                 all that the strategy took
 *    tick_to_report    the sum of the six, exactly    messages that are answered
 *
 *    wait_horizon   part of seen: the strategy waited for the executor's horizon (venue.clock
 *                   market); all that it took, 0 for most; none where nobody waits
 *    record         published -> in the journal's memory     beside the path, where it is on
 *    gateway        published -> given to the kernel         the same
 *
 * All in ns. Ownership: samples_clear frees what is in it.
 */
#ifndef TICKBUS_TOOLS_LATENCY_SAMPLES_H
#define TICKBUS_TOOLS_LATENCY_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

enum sample_hop {
    HOP_PUBLISH,
    HOP_SEEN,
    HOP_DECIDE,
    HOP_RISK,
    HOP_EXECUTE,
    HOP_REPORT,
    HOP_PATH, /* so many make the way of an answered message */
    HOP_TICK_TO_SEEN = HOP_PATH,
    HOP_TICK_TO_REPORT,
    HOP_WAIT_HORIZON,
    HOP_RECORD, /* this one and those below are beside the way: samples_is_on_way */
    HOP_GATEWAY,
    HOP_COUNT
};

typedef struct sample_column {
    uint64_t count;
    uint32_t *row; /* owned; NULL: the i-th is of row i */
    uint64_t *ns;  /* owned */
} sample_column_t;

typedef struct samples {
    uint64_t first_seq;    /* on md, of row 0 */
    uint64_t start_ns;     /* CLOCK_MONOTONIC, when the first was wanted */
    uint64_t rows;         /* at most SAMPLES_ROWS_MAX */
    uint64_t *intended_ns; /* owned */
    sample_column_t hops[HOP_COUNT];
    uint8_t *touched; /* owned; of each row, 1: by the host (touched.h); NULL: not known */
} samples_t;

#define SAMPLES_ROWS_MAX UINT32_MAX

/* "publish", "tick_to_report" ... */
const char *samples_hop_name(enum sample_hop hop);

/* Room for `rows` messages, and none in it. False: no memory. */
bool samples_create(uint64_t rows, samples_t *out_samples);
/* Frees all of it and leaves it empty; accepts one that is all zeros. */
void samples_clear(samples_t *s);

/* Room for `count` values of a hop, sparse: with rows of their own. False: no memory. */
bool samples_reserve(samples_t *s, enum sample_hop hop, uint64_t count, bool sparse);

static inline uint64_t samples_row(const samples_t *s, enum sample_hop hop, uint64_t i)
{
    return s->hops[hop].row ? s->hops[hop].row[i] : i;
}
static inline uint64_t samples_seq(const samples_t *s, enum sample_hop hop, uint64_t i)
{
    return s->first_seq + samples_row(s, hop, i);
}
/* When the i-th of a hop was intended, ns since start_ns. */
static inline uint64_t samples_at_ns(const samples_t *s, enum sample_hop hop, uint64_t i)
{
    return s->intended_ns[samples_row(s, hop, i)];
}
/* The index of the first of a hop that is of `row` or a later one; its count: there is none. */
uint64_t samples_index(const samples_t *s, enum sample_hop hop, uint64_t row);
/* The indices of the longest of a hop, at most `max` (above 0), the longest first. Returns how
 * many. */
uint32_t samples_longest(const sample_column_t *column, uint32_t max, uint64_t *out_longest);
/* Is the hop of the way from the feed to the answer, or a part of it? Then it is known which of its
 * messages the host has touched, if `touched` is. */
static inline bool samples_is_on_way(enum sample_hop hop)
{
    return hop < HOP_RECORD;
}
/* A new array of those of a hop that the host did not touch, in their order; the caller frees it.
 * NULL: no memory, or not known (above). */
uint64_t *samples_untouched(const samples_t *s, enum sample_hop hop, uint64_t *out_count);
/* Mean of a hop, 0: none took it. */
double samples_mean_ns(const samples_t *s, enum sample_hop hop);

/* DIR/samples.bin, little-endian:
 *
 *    0   "tbsample"                                                 8 bytes
 *    8   version 3, number of hops                                  u32, u32
 *    16  first_seq, start_ns, rows                                  u64 each
 *    40  intended_ns                                                u64 each row
 *    ... of each hop: count, sparse (0, 1), then row (u32 each, if sparse, padded to 8 bytes), ns
 *        (u64 each)                                                 u64, u64, ...
 *    ... touched: count, 0 or rows; of each row 0 or 1 (u8), padded to 8 bytes. Not in version 1
 *    ... CRC-32C of all before (u64): else a wrong figure is compared as if it were right. Since
 *        version 3
 *
 * -errno. */
int samples_write(const samples_t *s, const char *directory, tbus_error_t *err);
/* -errno, -TBUS_EFORMAT. What is read is checked: rows rise and are below `rows`, intended times
 * never fall, touched is 0 or 1. */
int samples_read(const char *directory, samples_t *out_samples, tbus_error_t *err);

#endif
