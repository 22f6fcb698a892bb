/* SPDX-License-Identifier: Apache-2.0 */
/* backfill.h - messages that are no longer at the live edge, for sessions that came late or are
 * slow: a few readers, and a cache of the blocks that they have filled.
 *
 *    session --- the block that holds SEQ? --->  cache: blocks of the past, least recently used
 *                                                  ^     goes first
 *                                                  | fill, a slice at a turn
 *                                            readers: one stream each
 *
 * So the memory is that of the configuration and not of the sessions, and sessions that read in the
 * same place share one reader and its blocks: the chain of blocks of one soon becomes that of all.
 * A reader that stands where a block is wanted goes on; else the one that was used least recently
 * seeks. It fills some blocks in a row, since to seek costs as much as to read some. A block may be
 * sent from while it is being filled.
 *
 * All work is done in gateway_backfill_work, as much at a turn as the caller says: whoever is at
 * the live edge is not made to wait. (To seek is one step: some hundred microseconds.)
 *
 * One thread. On the data path: feedsim/gateway/stream.h -> here -> feedsim/gateway/session.h.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_BACKFILL_H
#define TICKBUS_FEEDSIM_GATEWAY_BACKFILL_H

#include <stdbool.h>
#include <stdint.h>

#include "feedsim/gateway/block.h"
#include "feedsim/gateway/proof.h"
#include "feedsim/gateway/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GATEWAY_READERS_MAX 64u

/* One topic, as its readers see it. */
typedef struct gateway_past {
    const gateway_source_t *source;
    gateway_proof_t *proof;       /* NULL: no digests are made */
    const gateway_window_t *live; /* readers stop where it begins; NULL: at the end of what is */
} gateway_past_t;

typedef struct gateway_backfill gateway_backfill_t;

/* `readers` of at most GATEWAY_READERS_MAX, and blocks for `bytes` bytes, at least two for each
 * reader. -ENOMEM. Cold. */
int gateway_backfill_create(uint32_t readers, uint64_t bytes, gateway_backfill_t **out_backfill,
                            tbus_error_t *err);
void gateway_backfill_destroy(gateway_backfill_t *b); /* accepts NULL */

/* Have all readers ready for that topic, so that nothing is opened or allocated when it is read; at
 * the end of it, where they hold no segment. Errors of gateway_stream_open. Before anything else.
 * Cold. */
int gateway_backfill_prepare(gateway_backfill_t *b, const gateway_past_t *past, tbus_error_t *err);

/* The block that holds `seq` of that topic, used now; NULL: none. It holds it until a later now_ns,
 * whatever else is asked for at this one, or until the next call of gateway_backfill_work; ask
 * again then. */
const gateway_block_t *gateway_backfill_find(gateway_backfill_t *b, const gateway_past_t *past,
                                             uint64_t seq, uint64_t now_ns);

enum gateway_backfill_answer {
    GATEWAY_BACKFILL_READY = 0, /* gateway_backfill_find has it */
    /* it is being read, or no reader is free, or no block: ask again */
    GATEWAY_BACKFILL_WAIT = 1,
    /* It cannot be had, nor can what follows up to *out_lost_to, which is not included. */
    GATEWAY_BACKFILL_LOST = 2
};

/* Have `seq` read. With LOST also *out_why, as the end of a sentence, valid until the next call of
 * gateway_backfill_work. */
enum gateway_backfill_answer gateway_backfill_want(gateway_backfill_t *b,
                                                   const gateway_past_t *past, uint64_t seq,
                                                   uint64_t now_ns, uint64_t *out_lost_to,
                                                   const char **out_why);

/* Have the digest of block `number` of the proof made, which nobody needs at once. False: no reader
 * is free, or it is being made. */
void gateway_backfill_prove(gateway_backfill_t *b, const gateway_past_t *past, uint64_t number,
                            uint64_t now_ns);

/* Read up to `messages` messages. Returns how many; 0: there is nothing to do. */
uint32_t gateway_backfill_work(gateway_backfill_t *b, uint32_t messages, uint64_t now_ns);

/* Is anybody reading? */
bool gateway_backfill_busy(const gateway_backfill_t *b);

/* How much was done so far. */
typedef struct gateway_backfill_counts {
    uint64_t blocks;   /* filled, or begun */
    uint64_t messages; /* read */
    uint64_t seeks;
    uint64_t errors; /* attempts to read that failed, and were or will be made again */
} gateway_backfill_counts_t;
void gateway_backfill_counts(const gateway_backfill_t *b, gateway_backfill_counts_t *out_counts);

#ifdef __cplusplus
}
#endif
#endif
