/* SPDX-License-Identifier: Apache-2.0 */
/* soup_audit.h - what a client has received and how much of it is proven: its own digest of each
 * block, compared with those that the server offers (bus/wire/soup_proof.h).
 *
 *    messages, in order    -->  [ digest of the block that is coming ] --> of a whole block: kept
 *    debug packets         -->  an offer: equal to it, or not
 *
 * Connections come and go; the audit goes on with the next message. When messages were left out,
 * the first of them are all that it has to say; it no longer compares. An offer of messages that
 * have not come yet is not believed, and forgotten: a server offers what it has sent.
 *
 * Memory: 33 bytes for 65,536 messages. One thread.
 */
#ifndef TICKBUS_WIRE_SOUP_AUDIT_H
#define TICKBUS_WIRE_SOUP_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct soup_audit soup_audit_t;

enum soup_verdict_kind {
    SOUP_VERDICT_EQUAL = 0, /* from..to came, all of it, and the digests are equal */
    SOUP_VERDICT_MISSING,   /* from..to did not come */
    SOUP_VERDICT_DIFFERENT, /* from..to came, and the digests are not those that were offered */
    SOUP_VERDICT_UNPROVEN   /* from..to came, and no digest of it was offered */
};

typedef struct soup_verdict {
    enum soup_verdict_kind kind;
    uint64_t from, to; /* sequences; from > to: no message at all */
} soup_verdict_t;

/* `first`: the sequence that is expected first; the first of a block. -ENOMEM, -ENOTSUP. */
int soup_audit_create(uint64_t first, soup_audit_t **out_audit, tbus_error_t *err);

/* The next message. One with a smaller sequence than the last is no message of this audit: ignored.
 * 0, -ENOMEM. Warm: allocates once in a few million messages. */
int soup_audit_message(soup_audit_t *audit, uint64_t sequence, const uint8_t *message,
                       size_t bytes);

/* A debug packet's text. Whether it is an offer: then it is nothing to be shown. */
bool soup_audit_text(soup_audit_t *audit, const uint8_t *text, size_t bytes);

/* What is to be said of the messages up to `last`: the worst, and of that the first. Where a block
 * reaches beyond `last`, so may `to`. */
soup_verdict_t soup_audit_verdict(const soup_audit_t *audit, uint64_t last);

/* Accepts NULL. */
void soup_audit_destroy(soup_audit_t *audit);

#ifdef __cplusplus
}
#endif
#endif
