/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/proof.h"

#include <errno.h>
#include <stdlib.h>
int gateway_proof_create(gateway_proof_t *out_proof, tbus_error_t *err)
{
    gateway_proof_entry_t *entries = calloc(GATEWAY_PROOF_BLOCKS, sizeof *entries);
    if (!entries)
        return tbus_fail(err, -ENOMEM, "no memory for the digests of what is sent");
    out_proof->entries = entries;
    return 0;
}

void gateway_proof_destroy(gateway_proof_t *proof)
{
    free(proof->entries);
    proof->entries = NULL;
}

int gateway_digest_create(gateway_digest_t *out_digest, tbus_error_t *err)
{
    gateway_digest_t d = {.whole = false};
    int code = soup_proof_create(&d.proof, err);
    if (code == 0)
        *out_digest = d;
    return code;
}

void gateway_digest_destroy(gateway_digest_t *d)
{
    soup_proof_destroy(d->proof);
    *d = (gateway_digest_t){.whole = false};
}

void gateway_digest_begin(gateway_digest_t *d, uint64_t seq)
{
    d->next_seq = seq;
    d->whole = (seq - 1) % SOUP_PROOF_BLOCK == 0;
    soup_proof_begin(d->proof);
}

/* The end of block `number` has passed. */
static void finish(gateway_digest_t *d, gateway_proof_t *proof, uint64_t number)
{
    gateway_proof_entry_t *entry = gateway_proof_entry(proof, number);
    if (d->whole && entry && !entry->known) {
        soup_proof_digest(d->proof, entry->digest);
        entry->known = 1;
    }
    gateway_digest_begin(d, soup_proof_first(number + 1));
}

void gateway_digest_follow(gateway_digest_t *d, gateway_proof_t *proof, const gateway_block_t *b)
{
    uint64_t end = gateway_block_next_seq(b);
    uint32_t at = d->next_seq < end ? gateway_block_place(b, d->next_seq) : b->used;
    while (d->next_seq < end) {
        uint64_t number = soup_proof_block(d->next_seq);
        uint64_t next = soup_proof_first(number + 1);
        uint64_t to = next < end ? next : end;
        uint32_t place = to == end ? b->used : gateway_block_place(b, to);
        if (d->whole)
            soup_proof_packets(d->proof, b->data + at, place - at, (uint32_t)(to - d->next_seq));
        at = place;
        d->next_seq = to;
        if (to == next)
            finish(d, proof, number);
    }
}

bool gateway_digest_partial(const gateway_digest_t *d, uint8_t out_digest[SOUP_PROOF_BYTES],
                            uint32_t *out_count)
{
    uint32_t count = (uint32_t)((d->next_seq - 1) % SOUP_PROOF_BLOCK);
    if (!d->whole || count == 0)
        return false;
    soup_proof_digest(d->proof, out_digest);
    *out_count = count;
    return true;
}
