/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/wire/soup_audit.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/wire/soup_proof.h"

/* What is known of a block that has come whole, or of the part that has come of the last one. */
enum status { UNPROVEN = 0, EQUAL, DIFFERENT };

typedef struct block {
    uint8_t digest[SOUP_PROOF_BYTES]; /* our own */
    uint8_t status;
} block_t;

struct soup_audit {
    uint64_t first, next;
    uint64_t missing_from, missing_to; /* what was left out first; 0: nothing. Then all is said */
    block_t *blocks;                   /* whole ones, from that of `first` on */
    size_t blocks_count, blocks_room;
    soup_proof_t *proof;   /* of the block of `next` */
    enum status last_part; /* what an offer said of exactly the messages in `proof` */
};

int soup_audit_create(uint64_t first, soup_audit_t **out_audit, tbus_error_t *err)
{
    assert(first > 0 && first == soup_proof_first(soup_proof_block(first)));
    soup_audit_t *audit = calloc(1, sizeof *audit);
    if (!audit)
        return tbus_fail(err, -ENOMEM, "no memory for what was received");
    int code = soup_proof_create(&audit->proof, err);
    if (code < 0) {
        free(audit);
        return code;
    }
    audit->first = audit->next = first;
    *out_audit = audit;
    return 0;
}

/* The block that was coming is whole. */
static int keep_block(soup_audit_t *audit)
{
    if (audit->blocks_count == audit->blocks_room) {
        size_t room = audit->blocks_room ? 2 * audit->blocks_room : 64;
        block_t *blocks = realloc(audit->blocks, room * sizeof *blocks);
        if (!blocks)
            return -ENOMEM;
        audit->blocks = blocks;
        audit->blocks_room = room;
    }
    block_t *block = &audit->blocks[audit->blocks_count++];
    soup_proof_digest(audit->proof, block->digest);
    block->status = UNPROVEN;
    soup_proof_begin(audit->proof);
    return 0;
}

int soup_audit_message(soup_audit_t *audit, uint64_t sequence, const uint8_t *message, size_t bytes)
{
    if (sequence < audit->next || audit->missing_to)
        return 0;
    if (sequence > audit->next) {
        audit->missing_from = audit->next;
        audit->missing_to = sequence - 1;
        return 0;
    }
    soup_proof_message(audit->proof, message, bytes);
    audit->last_part = UNPROVEN;
    audit->next++;
    return soup_proof_count(audit->proof) == SOUP_PROOF_BLOCK ? keep_block(audit) : 0;
}

/* A block that differs once is not made good by another offer. */
static enum status judge(enum status before, const uint8_t *own, const uint8_t *offered)
{
    return before == DIFFERENT || memcmp(own, offered, SOUP_PROOF_BYTES) ? DIFFERENT : EQUAL;
}

bool soup_audit_text(soup_audit_t *audit, const uint8_t *text, size_t bytes)
{
    soup_proof_offer_t offer;
    if (!soup_proof_parse_offer(text, bytes, &offer))
        return false;
    uint64_t base = soup_proof_block(audit->first);
    if (offer.block < base || audit->missing_to)
        return true;
    if (offer.block - base < audit->blocks_count && offer.count == SOUP_PROOF_BLOCK) {
        block_t *block = &audit->blocks[offer.block - base];
        block->status = (uint8_t)judge(block->status, block->digest, offer.digest);
    } else if (offer.block - base == audit->blocks_count &&
               offer.count == soup_proof_count(audit->proof)) {
        uint8_t digest[SOUP_PROOF_BYTES];
        soup_proof_digest(audit->proof, digest);
        audit->last_part = judge(audit->last_part, digest, offer.digest);
    }
    return true;
}

/* Part `i` in the order of the messages: a whole block, or behind them what has come of the next.
 */
static enum status status_of(const soup_audit_t *audit, size_t i)
{
    if (i < audit->blocks_count)
        return (enum status)audit->blocks[i].status;
    return soup_proof_count(audit->proof) ? audit->last_part : EQUAL; /* nothing to be proven */
}

/* The first parts that have that status and begin at or before `last`: those that follow each
 * other. */
static bool find(const soup_audit_t *audit, enum status status, uint64_t last,
                 soup_verdict_t *out_verdict)
{
    uint64_t base = soup_proof_block(audit->first);
    size_t begin = 0, parts = audit->blocks_count + 1;
    while (begin < parts && status_of(audit, begin) != status)
        begin++;
    size_t end = begin;
    while (end < parts && status_of(audit, end) == status && soup_proof_first(base + end) <= last)
        end++;
    if (end == begin)
        return false;
    out_verdict->from = soup_proof_first(base + begin);
    out_verdict->to = end == parts ? audit->next - 1 : soup_proof_first(base + end) - 1;
    return true;
}

soup_verdict_t soup_audit_verdict(const soup_audit_t *audit, uint64_t last)
{
    soup_verdict_t verdict = {SOUP_VERDICT_EQUAL, audit->first, last};
    if (audit->missing_to && audit->missing_from <= last)
        return (soup_verdict_t){SOUP_VERDICT_MISSING, audit->missing_from, audit->missing_to};
    if (last >= audit->next)
        return (soup_verdict_t){SOUP_VERDICT_MISSING, audit->next, last};
    if (find(audit, DIFFERENT, last, &verdict))
        verdict.kind = SOUP_VERDICT_DIFFERENT;
    else if (find(audit, UNPROVEN, last, &verdict))
        verdict.kind = SOUP_VERDICT_UNPROVEN;
    return verdict;
}

void soup_audit_destroy(soup_audit_t *audit)
{
    if (!audit)
        return;
    soup_proof_destroy(audit->proof);
    free(audit->blocks);
    free(audit);
}
