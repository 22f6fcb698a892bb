/* SPDX-License-Identifier: Apache-2.0 */
/* proof.h - the digests that tell a client whether it got everything: SHA-256 over each block of
 * 65,536 messages as it went out (bus/wire/soup_proof.h), and when each was live.
 *
 *    blocks of messages (block.h) -- follow --> a running digest -- whole --> the table
 *
 * The live edge follows what it encodes, and readers of the past follow what they read; whichever
 * comes first to the end of a block that it saw from its beginning fills in the entry. An entry
 * takes 48 bytes. One thread.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_PROOF_H
#define TICKBUS_FEEDSIM_GATEWAY_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "bus/wire/soup_proof.h"
#include "feedsim/gateway/block.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Messages that digests are kept of: more than a day of every exchange. Those behind are sent like
 * all others, and no digest is offered. */
#define GATEWAY_PROOF_BLOCKS 65536u

typedef struct gateway_proof_entry {
    uint8_t digest[SOUP_PROOF_BYTES];
    uint64_t live_ns; /* when its first message was live; 0: before we looked */
    uint64_t known;   /* is there a digest? */
} gateway_proof_entry_t;

typedef struct gateway_proof {
    /* GATEWAY_PROOF_BLOCKS; owned. Pages that are not touched take no memory */
    gateway_proof_entry_t *entries;
} gateway_proof_t;

int gateway_proof_create(gateway_proof_t *out_proof, tbus_error_t *err);
void gateway_proof_destroy(gateway_proof_t *proof); /* accepts one that is all zeros */

/* The entry of a block, by its number; NULL: past the last. */
static inline gateway_proof_entry_t *gateway_proof_entry(const gateway_proof_t *proof,
                                                         uint64_t number)
{
    return number < GATEWAY_PROOF_BLOCKS ? &proof->entries[number] : NULL;
}

/* A digest of the block that is passing. */
typedef struct gateway_digest {
    soup_proof_t *proof; /* owned */
    bool whole;          /* it has all of the block so far */
    uint64_t next_seq;
} gateway_digest_t;

int gateway_digest_create(gateway_digest_t *out_digest, tbus_error_t *err);
void gateway_digest_destroy(gateway_digest_t *d); /* accepts one that is all zeros */

/* What it follows goes on at `seq`. */
void gateway_digest_begin(gateway_digest_t *d, uint64_t seq);

/* Take from `b` what it holds from the next sequence on, which it must hold or end at. Whole blocks
 * are entered in the proof. */
void gateway_digest_follow(gateway_digest_t *d, gateway_proof_t *proof, const gateway_block_t *b);

/* The digest of what there is of the block that is passing, which is not ended by that: false when
 * it does not have all of it, or nothing. */
bool gateway_digest_partial(const gateway_digest_t *d, uint8_t out_digest[SOUP_PROOF_BYTES],
                            uint32_t *out_count);

#ifdef __cplusplus
}
#endif
#endif
