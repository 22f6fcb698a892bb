/* SPDX-License-Identifier: Apache-2.0 */
/* soup_proof.h - how a server proves to a client that it has everything: a digest of every 65,536
 * messages, which the client compares with its own.
 *
 *    block k     the messages 65536 * k + 1 .. 65536 * (k + 1) of a session, k from 0
 *    digest      SHA-256 over the sequenced packets of its messages, one behind the other as they
 *                are on the wire: length 2, 'S', message
 *    offer       a debug packet with the text
 *
 *                    tickbus digest BLOCK COUNT SHA256
 *
 *                BLOCK and COUNT in decimal, the digest in 64 small hexadecimal digits. COUNT is
 *                65536; the last block of a session may have fewer, and is offered when the session
 *                has ended, before the End of Session
 *
 * An offer is sent at any time after the last message of its block. A block may be offered again,
 * on a later connection or on the same one. Clients that do not know offers drop them like any
 * debug packet.
 *
 * The format is our own; SoupBinTCP 3.00 leaves the text of debug packets open (section 2.2.1).
 * A digest belongs to one thread. What a client makes of offers: bus/wire/soup_audit.h.
 */
#ifndef TICKBUS_WIRE_SOUP_PROOF_H
#define TICKBUS_WIRE_SOUP_PROOF_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOUP_PROOF_BLOCK      65536u /* messages */
#define SOUP_PROOF_BYTES      32u    /* of a digest */
#define SOUP_PROOF_TEXT_MAX   200u   /* bytes of the text of an offer */
#define SOUP_PROOF_PACKET_MAX (3u + SOUP_PROOF_TEXT_MAX)
#define SOUP_PROOF_BLOCKS_MAX (UINT64_MAX / SOUP_PROOF_BLOCK) /* numbers of blocks are below */

typedef struct soup_proof_offer {
    uint64_t block;
    uint32_t count; /* messages of it: 1..SOUP_PROOF_BLOCK */
    uint8_t digest[SOUP_PROOF_BYTES];
} soup_proof_offer_t;

/* The block of a sequence (from 1), and the first sequence of a block. */
static inline uint64_t soup_proof_block(uint64_t sequence)
{
    return (sequence - 1) / SOUP_PROOF_BLOCK;
}

static inline uint64_t soup_proof_first(uint64_t block)
{
    return block * SOUP_PROOF_BLOCK + 1;
}

/* The whole debug packet of an offer. Returns its bytes. */
size_t soup_proof_put_offer(uint8_t to[SOUP_PROOF_PACKET_MAX], const soup_proof_offer_t *offer);

/* 1: the text (of a debug packet, without its header) is an offer; 0: it is something else. */
int soup_proof_parse_offer(const uint8_t *text, size_t bytes, soup_proof_offer_t *out_offer);

/* A digest that grows with the messages of one block. */
typedef struct soup_proof soup_proof_t;

/* -ENOMEM; -ENOTSUP: the system's libcrypto has no SHA-256 (some are configured so). */
int soup_proof_create(soup_proof_t **out_proof, tbus_error_t *err);

/* Begin a block, with no message. */
void soup_proof_begin(soup_proof_t *proof);

/* The next message of the block. Warm: no system call, no allocation. */
void soup_proof_message(soup_proof_t *proof, const uint8_t *message, size_t bytes);

/* The next `count` messages, as whole packets one behind the other. At most as many as the block
 * still takes: SOUP_PROOF_BLOCK - soup_proof_count(). */
void soup_proof_packets(soup_proof_t *proof, const uint8_t *packets, size_t bytes, uint32_t count);

/* How many messages the block has. */
uint32_t soup_proof_count(const soup_proof_t *proof);

/* The digest of the messages so far; more may follow. */
void soup_proof_digest(const soup_proof_t *proof, uint8_t out_digest[SOUP_PROOF_BYTES]);

/* Accepts NULL. */
void soup_proof_destroy(soup_proof_t *proof);

#ifdef __cplusplus
}
#endif
#endif
