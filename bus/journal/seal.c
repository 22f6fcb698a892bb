/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/seal.h"

#include <errno.h>
#include <string.h>

#define CHUNK_BYTES (UINT64_C(1) << 16) /* on the stack */
#define PIECE_BYTES (UINT64_C(1) << 14) /* in memory: 12 us where the CPU has SHA extensions */

EVP_MD_CTX *tbus_journal_seal_begin(const tbus_journal_header_t *header, const uint8_t previous[32])
{
    tbus_journal_header_t copy = *header;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    (void)tbus_journal_header_crc(&copy);
    if (digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(digest, previous, 32) == 1 &&
        EVP_DigestUpdate(digest, &copy, sizeof copy) == 1)
        return digest;
    EVP_MD_CTX_free(digest);
    return NULL;
}

bool tbus_journal_seal_end(EVP_MD_CTX *digest, uint8_t out_digest[32])
{
    uint8_t result[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;
    bool fine = EVP_DigestFinal_ex(digest, result, &bytes) == 1 && bytes == 32;
    EVP_MD_CTX_free(digest);
    if (fine)
        memcpy(out_digest, result, 32);
    return fine;
}

bool tbus_journal_seal_memory(const unsigned char *base, uint64_t used, const uint8_t previous[32],
                              void (*between)(void *context), void *context, uint8_t out_digest[32])
{
    EVP_MD_CTX *digest =
        tbus_journal_seal_begin((const tbus_journal_header_t *)(const void *)base, previous);
    if (!digest)
        return false;
    for (uint64_t at = TBUS_JOURNAL_HEADER_BYTES; at < used; at += PIECE_BYTES) {
        if (EVP_DigestUpdate(digest, base + at,
                             used - at < PIECE_BYTES ? used - at : PIECE_BYTES) != 1) {
            EVP_MD_CTX_free(digest);
            return false;
        }
        if (between)
            between(context);
    }
    return tbus_journal_seal_end(digest, out_digest);
}

int tbus_journal_seal_file(const tbus_journal_segment_t *segment, uint64_t used,
                           const uint8_t previous[32], uint8_t out_digest[32])
{
    unsigned char chunk[CHUNK_BYTES];
    EVP_MD_CTX *digest = tbus_journal_seal_begin(&segment->header, previous);
    int code = digest ? 0 : -ENOTSUP;
    for (uint64_t at = TBUS_JOURNAL_HEADER_BYTES; code == 0 && at < used;) {
        uint64_t wanted = used - at < CHUNK_BYTES ? used - at : CHUNK_BYTES;
        int64_t got = tbus_journal_segment_read(segment, chunk, wanted, at);
        if (got < 0)
            code = (int)got;
        else if (got < (int64_t)wanted)
            code = -TBUS_ETRUNCATED;
        else if (EVP_DigestUpdate(digest, chunk, wanted) != 1)
            code = -ENOTSUP;
        at += wanted;
    }
    if (code == 0)
        return tbus_journal_seal_end(digest, out_digest) ? 0 : -ENOTSUP;
    EVP_MD_CTX_free(digest);
    return code;
}
