/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/backfill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE      64u /* messages of one reader before the next has its turn */
#define RETRY_NS   UINT64_C(100000000)
#define NOTHING_NS UINT64_C(1000000)
#define GIVE_UP_NS UINT64_C(5000000000) /* an error that lasts so long is an answer */
#define UNTIL_FULL UINT64_MAX           /* of a job: until its blocks are full */
/* Blocks that a job fills: to seek takes as long as to read some, and whoever wanted the first is
 * about to want the next. But no more than there are plenty of, for all readers. */
#define BLOCKS_OF_A_JOB 4u
#define NO_BLOCK        UINT32_MAX

/* What is in a block of the cache: apart from it, since a search goes over all of them. */
typedef struct place {
    const gateway_past_t *past; /* NULL: nothing is in it */
    uint64_t first_seq;
    uint64_t next_seq;
    uint64_t used_ns;
    bool filling;
} place_t;

typedef struct reader {
    const gateway_past_t *past;
    gateway_stream_t *stream; /* of `past`; NULL: not open */
    bool stands;              /* where it is to go on */
    gateway_digest_t digest;
    uint64_t used_ns;
    /* the job, if there is one */
    bool busy;
    uint32_t block;   /* index of the block that is filled */
    uint32_t blocks;  /* that are to follow it */
    uint64_t from;    /* first sequence of the job */
    uint64_t to;      /* proving: ends there; else UNTIL_FULL */
    uint64_t failing; /* since when; 0: it is not */
    uint64_t retry_ns;
    /* what it found missing last */
    uint64_t lost_from;
    uint64_t lost_to;
    char why[TBUS_ERROR_TEXT_MAX];
} reader_t;

struct gateway_backfill {
    uint32_t readers_count;
    uint32_t next_reader; /* whose turn it is */
    uint32_t blocks_count;
    gateway_block_t *blocks; /* owned */
    place_t *places;         /* owned; one for each block */
    gateway_backfill_counts_t counts;
    reader_t readers[GATEWAY_READERS_MAX];
};

/* --- the cache --- */

const gateway_block_t *gateway_backfill_find(gateway_backfill_t *b, const gateway_past_t *past,
                                             uint64_t seq, uint64_t now_ns)
{
    for (uint32_t i = 0; i < b->blocks_count; i++) {
        place_t *p = &b->places[i];
        if (p->past == past && seq >= p->first_seq && seq < p->next_seq) {
            p->used_ns = now_ns;
            return &b->blocks[i];
        }
    }
    return NULL;
}

/* May what is in it be thrown away? Not what was found in this turn: it may be on its way out. */
static bool is_free(const place_t *p, uint64_t now_ns)
{
    return !p->filling && (!p->past || p->used_ns < now_ns);
}

/* The block that was used least recently, emptied; NO_BLOCK: none is free in this turn. */
static uint32_t take_block(gateway_backfill_t *b, const gateway_past_t *past, uint64_t seq,
                           uint64_t now_ns)
{
    uint32_t oldest = NO_BLOCK;
    for (uint32_t i = 0; i < b->blocks_count; i++) {
        const place_t *p = &b->places[i];
        if (is_free(p, now_ns) && (oldest == NO_BLOCK || p->used_ns < b->places[oldest].used_ns))
            oldest = i;
    }
    if (oldest == NO_BLOCK)
        return NO_BLOCK;
    gateway_block_begin(&b->blocks[oldest], seq, now_ns);
    b->places[oldest] = (place_t){
        .past = past, .first_seq = seq, .next_seq = seq, .used_ns = now_ns, .filling = true};
    b->counts.blocks++;
    return oldest;
}

/* --- jobs --- */

static void follow(reader_t *r, const gateway_block_t *block)
{
    if (r->past->proof)
        gateway_digest_follow(&r->digest, r->past->proof, block);
}

/* Where there is no proof nothing is reckoned, which allocates. */
static void begin_digest(reader_t *r, uint64_t seq)
{
    if (r->past->proof)
        gateway_digest_begin(&r->digest, seq);
}

static void end_job(gateway_backfill_t *b, reader_t *r)
{
    place_t *p = &b->places[r->block];
    follow(r, &b->blocks[r->block]);
    p->filling = false;
    if (p->next_seq == p->first_seq)
        *p = (place_t){.past = NULL};
    r->busy = false;
    r->failing = 0;
}

static void close_stream(reader_t *r)
{
    gateway_stream_close(r->stream);
    r->stream = NULL;
    r->stands = false;
}

static bool is_at(const reader_t *r, const gateway_past_t *past, uint64_t seq)
{
    return r->stream && r->stands && r->past == past && gateway_stream_next_seq(r->stream) == seq;
}

/* The reader that is to read from `seq` on: one that stands there, else the one that is free for
 * longest; NULL: all are busy. */
static reader_t *choose(gateway_backfill_t *b, const gateway_past_t *past, uint64_t seq)
{
    reader_t *chosen = NULL;
    for (uint32_t i = 0; i < b->readers_count; i++) {
        reader_t *r = &b->readers[i];
        if (r->busy)
            continue;
        if (is_at(r, past, seq))
            return r;
        if (!chosen || (chosen->stream && (!r->stream || r->used_ns < chosen->used_ns)))
            chosen = r;
    }
    return chosen;
}

/* Where no block is free, nothing begins: whoever wants it asks again. */
static void begin_job(gateway_backfill_t *b, reader_t *r, const gateway_past_t *past, uint64_t from,
                      uint64_t to, uint64_t now_ns)
{
    bool there = is_at(r, past, from);
    uint32_t block = take_block(b, past, from, now_ns);
    if (block == NO_BLOCK)
        return;
    if (r->past != past)
        close_stream(r);
    if (!there) {
        r->stands = false;
        r->past = past;
        begin_digest(r, from);
    }
    r->from = from;
    r->to = to;
    r->used_ns = now_ns;
    r->busy = true;
    r->failing = 0;
    r->retry_ns = 0;
    r->lost_from = r->lost_to = 0;
    r->block = block;
    bool plenty = b->blocks_count >= 4 * BLOCKS_OF_A_JOB * b->readers_count;
    r->blocks = to == UNTIL_FULL && plenty ? BLOCKS_OF_A_JOB - 1 : 0;
}

enum gateway_backfill_answer gateway_backfill_want(gateway_backfill_t *b,
                                                   const gateway_past_t *past, uint64_t seq,
                                                   uint64_t now_ns, uint64_t *out_lost_to,
                                                   const char **out_why)
{
    if (gateway_backfill_find(b, past, seq, now_ns))
        return GATEWAY_BACKFILL_READY;
    for (uint32_t i = 0; i < b->readers_count; i++) {
        const reader_t *r = &b->readers[i];
        if (r->past != past)
            continue;
        if (seq >= r->lost_from && seq < r->lost_to) {
            *out_lost_to = r->lost_to;
            *out_why = r->why;
            return GATEWAY_BACKFILL_LOST;
        }
        if (r->busy && b->places[r->block].next_seq == seq)
            return GATEWAY_BACKFILL_WAIT;
    }
    reader_t *r = choose(b, past, seq);
    if (r)
        begin_job(b, r, past, seq, UNTIL_FULL, now_ns);
    return GATEWAY_BACKFILL_WAIT;
}

void gateway_backfill_prove(gateway_backfill_t *b, const gateway_past_t *past, uint64_t number,
                            uint64_t now_ns)
{
    uint64_t from = soup_proof_first(number);
    for (uint32_t i = 0; i < b->readers_count; i++) {
        const reader_t *r = &b->readers[i];
        if (r->past != past)
            continue;
        bool sees_it = r->digest.whole && soup_proof_block(r->digest.next_seq) == number;
        if (r->busy && sees_it)
            return;
        if (from < r->lost_to && from + SOUP_PROOF_BLOCK > r->lost_from)
            return; /* it cannot be made */
    }
    reader_t *r = choose(b, past, from);
    if (r)
        begin_job(b, r, past, from, from + SOUP_PROOF_BLOCK, now_ns);
}

/* --- reading --- */

static void lose(gateway_backfill_t *b, reader_t *r, uint64_t from, uint64_t to, const char *why)
{
    end_job(b, r);
    r->lost_from = from;
    r->lost_to = to;
    snprintf(r->why, sizeof r->why, "%s", why);
    begin_digest(r, to);
}

/* The error may pass, as want of descriptors does. */
static void fail(gateway_backfill_t *b, reader_t *r, const tbus_error_t *error, uint64_t now_ns)
{
    b->counts.errors++;
    if (!r->failing)
        r->failing = now_ns;
    r->retry_ns = now_ns + RETRY_NS;
    if (now_ns - r->failing < GIVE_UP_NS)
        return;
    uint64_t seq = b->places[r->block].next_seq;
    char why[sizeof r->why];
    snprintf(why, sizeof why, "cannot be read: %.400s", error->text);
    lose(b, r, seq, seq + 1, why);
    close_stream(r);
}

/* There is nothing left to read: what follows is at the live edge, or the digest is made. */
static bool read_enough(const gateway_backfill_t *b, const reader_t *r)
{
    uint64_t next = b->places[r->block].next_seq;
    if (r->to != UNTIL_FULL)
        return next >= r->to;
    return r->past->live && next > r->from && next >= gateway_window_oldest_seq(r->past->live);
}

/* The block is full. Only a proof goes on, in the same block: nobody waits for that. */
static void turn_block(gateway_backfill_t *b, reader_t *r, uint64_t now_ns)
{
    gateway_block_t *block = &b->blocks[r->block];
    place_t *p = &b->places[r->block];
    if (r->to == UNTIL_FULL) {
        uint64_t seq = p->next_seq;
        const gateway_past_t *past = r->past;
        uint32_t blocks = r->blocks;
        end_job(b, r);
        if (blocks && !gateway_backfill_find(b, past, seq, now_ns)) {
            begin_job(b, r, past, seq, UNTIL_FULL, now_ns);
            r->blocks = r->busy ? blocks - 1 : 0;
        }
        return;
    }
    follow(r, block);
    gateway_block_begin(block, p->next_seq, now_ns);
    p->first_seq = p->next_seq;
}

static void take_message(gateway_backfill_t *b, reader_t *r, const uint8_t *message, size_t bytes,
                         uint64_t now_ns)
{
    r->failing = 0;
    if (!gateway_block_append(&b->blocks[r->block], message, bytes)) {
        turn_block(b, r, now_ns); /* the message comes again */
        return;
    }
    gateway_stream_advance(r->stream);
    b->places[r->block].next_seq++;
    b->counts.messages++;
    if (read_enough(b, r))
        end_job(b, r);
}

/* No message came. */
static void take_outcome(gateway_backfill_t *b, reader_t *r, int outcome, uint64_t now_ns)
{
    uint64_t seq = b->places[r->block].next_seq;
    if (outcome == GATEWAY_STREAM_LOST)
        lose(b, r, seq, gateway_stream_next_seq(r->stream), gateway_stream_why(r->stream));
    else if (seq > r->from && r->to == UNTIL_FULL)
        end_job(b, r);
    else if (outcome == GATEWAY_STREAM_ENDED)
        lose(b, r, seq, seq + 1, "are behind the end of what there is");
    else
        r->retry_ns = now_ns + NOTHING_NS; /* whoever records is about to bring it */
}

/* Where its job goes on. */
static int go_there(gateway_backfill_t *b, reader_t *r, tbus_error_t *err)
{
    uint64_t seq = b->places[r->block].next_seq;
    if (r->stream && r->stands)
        return 0;
    b->counts.seeks++;
    int code = r->stream ? gateway_stream_seek(r->stream, seq, err)
                         : gateway_stream_open(r->past->source, seq, &r->stream, err);
    r->stands = code == 0;
    return code;
}

/* One reader's turn. Returns the messages that it took, or what it cost in their place. */
static uint32_t read_slice(gateway_backfill_t *b, reader_t *r, uint32_t limit, uint64_t now_ns)
{
    tbus_error_t error = {0};
    int outcome = go_there(b, r, &error);
    uint32_t taken = 0;
    while (outcome >= 0 && r->busy && taken < limit) {
        const uint8_t *message;
        size_t bytes;
        outcome = gateway_stream_peek(r->stream, &message, &bytes, &error);
        if (outcome == GATEWAY_STREAM_MESSAGE) {
            take_message(b, r, message, bytes, now_ns);
            taken++;
        } else if (outcome == GATEWAY_STREAM_BUSY) {
            return limit; /* thousands of records of other topics were passed over */
        } else if (outcome >= 0) {
            take_outcome(b, r, outcome, now_ns);
            break;
        }
    }
    if (outcome < 0)
        fail(b, r, &error, now_ns);
    return taken ? taken : 1;
}

uint32_t gateway_backfill_work(gateway_backfill_t *b, uint32_t messages, uint64_t now_ns)
{
    uint32_t done = 0;
    for (uint32_t idle = 0; done < messages && idle < b->readers_count;) {
        reader_t *r = &b->readers[b->next_reader];
        b->next_reader = (b->next_reader + 1) % b->readers_count;
        if (!r->busy || r->retry_ns > now_ns) {
            idle++;
            continue;
        }
        idle = 0;
        r->retry_ns = 0;
        r->used_ns = now_ns;
        done += read_slice(b, r, messages - done < SLICE ? messages - done : SLICE, now_ns);
    }
    return done;
}

bool gateway_backfill_busy(const gateway_backfill_t *b)
{
    for (uint32_t i = 0; i < b->readers_count; i++)
        if (b->readers[i].busy)
            return true;
    return false;
}

void gateway_backfill_counts(const gateway_backfill_t *b, gateway_backfill_counts_t *out_counts)
{
    *out_counts = b->counts;
}

/* --- all of it --- */

int gateway_backfill_create(uint32_t readers, uint64_t bytes, gateway_backfill_t **out_backfill,
                            tbus_error_t *err)
{
    uint64_t count = bytes / sizeof(gateway_block_t);
    if (count < 2 * readers)
        count = 2 * readers;
    gateway_backfill_t *b = calloc(1, sizeof *b);
    if (b) {
        b->blocks_count = (uint32_t)count;
        b->blocks = calloc(count, sizeof *b->blocks);
        b->places = calloc(count, sizeof *b->places);
    }
    int code = b && b->blocks && b->places
                   ? 0
                   : tbus_fail(err, -ENOMEM,
                               "no memory for messages of the past; set gateway.backfill_bytes "
                               "lower");
    for (; code == 0 && b->readers_count < readers; b->readers_count += code == 0)
        code = gateway_digest_create(&b->readers[b->readers_count].digest, err);
    if (code < 0) {
        gateway_backfill_destroy(b);
        return code;
    }
    *out_backfill = b;
    return 0;
}

int gateway_backfill_prepare(gateway_backfill_t *b, const gateway_past_t *past, tbus_error_t *err)
{
    uint64_t next = 1;
    int code = gateway_source_next_seq(past->source, &next, err);
    for (uint32_t i = 0; code == 0 && i < b->readers_count; i++) {
        reader_t *r = &b->readers[i];
        r->past = past;
        code = gateway_stream_open(past->source, next, &r->stream, err);
        r->stands = code == 0;
    }
    return code;
}

void gateway_backfill_destroy(gateway_backfill_t *b)
{
    if (!b)
        return;
    for (uint32_t i = 0; i < b->readers_count; i++) {
        gateway_stream_close(b->readers[i].stream);
        gateway_digest_destroy(&b->readers[i].digest);
    }
    free(b->blocks);
    free(b->places);
    free(b);
}
