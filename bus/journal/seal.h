/* SPDX-License-Identifier: Apache-2.0 */
/* seal.h - the SHA-256 of a segment, chained to that of the segment before it: computed when the
 * segment is finished, and again by whoever checks it. Private to bus/journal. Cold: about a second
 * for each GB.
 */
#ifndef TICKBUS_JOURNAL_SEAL_H
#define TICKBUS_JOURNAL_SEAL_H

#include <openssl/evp.h>

#include "bus/journal/segment.h"

/* A digest for whoever has the bytes of the records in hand: begin, EVP_DigestUpdate with all that
 * follows the header, end. NULL: it cannot be had. `header`: a copy of it as it is in the file. */
EVP_MD_CTX *tbus_journal_seal_begin(const tbus_journal_header_t *header,
                                    const uint8_t previous[32]);
/* Frees the digest. False: it cannot be had. */
bool tbus_journal_seal_end(EVP_MD_CTX *digest, uint8_t out_digest[32]);

/* The digest of a segment of `used` bytes as it lies in memory. `between`: called with `context`
 * after some tens of microseconds of it, again and again; NULL: nobody. False: the library has no
 * memory or no SHA-256, and nothing is stored. */
bool tbus_journal_seal_memory(const unsigned char *base, uint64_t used, const uint8_t previous[32],
                              void (*between)(void *context), void *context,
                              uint8_t out_digest[32]);

/* The same of its file. 0, -errno from reading, -ENOTSUP: as above; -TBUS_ETRUNCATED: the file is
 * shorter. */
int tbus_journal_seal_file(const tbus_journal_segment_t *segment, uint64_t used,
                           const uint8_t previous[32], uint8_t out_digest[32]);

#endif
