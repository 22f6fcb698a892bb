/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/wire/soup_proof.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "bus/wire/soup.h"

#define WORDS "tickbus digest "

struct soup_proof {
    uint32_t count;
    EVP_MD_CTX *running;
    EVP_MD_CTX *copy; /* of `running`, to end it without an end of the block */
};

size_t soup_proof_put_offer(uint8_t to[SOUP_PROOF_PACKET_MAX], const soup_proof_offer_t *offer)
{
    char text[SOUP_PROOF_TEXT_MAX + 1];
    int used =
        snprintf(text, sizeof text, WORDS "%" PRIu64 " %" PRIu32 " ", offer->block, offer->count);
    for (size_t i = 0; i < SOUP_PROOF_BYTES; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%02x", offer->digest[i]);
    return soup_put_debug(to, SOUP_PROOF_PACKET_MAX, text);
}

/* A decimal number, at most `max`, and the space after it. */
static int parse_number(const char **at, uint64_t max, uint64_t *out_number)
{
    uint64_t number = 0;
    const char *p = *at;
    for (; *p >= '0' && *p <= '9'; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (number > max / 10 || number * 10 > max - digit)
            return 0;
        number = number * 10 + digit;
    }
    if (p == *at || *p != ' ')
        return 0;
    *at = p + 1;
    *out_number = number;
    return 1;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int soup_proof_parse_offer(const uint8_t *text, size_t bytes, soup_proof_offer_t *out_offer)
{
    char copy[SOUP_PROOF_TEXT_MAX + 1];
    soup_proof_offer_t offer;
    uint64_t count;
    if (bytes > SOUP_PROOF_TEXT_MAX || bytes < strlen(WORDS) || memcmp(text, WORDS, strlen(WORDS)))
        return 0;
    memcpy(copy, text, bytes);
    copy[bytes] = 0;
    const char *at = copy + strlen(WORDS);
    if (!parse_number(&at, SOUP_PROOF_BLOCKS_MAX - 1, &offer.block) ||
        !parse_number(&at, SOUP_PROOF_BLOCK, &count) || count == 0 ||
        at + 2 * SOUP_PROOF_BYTES != copy + bytes)
        return 0;
    for (size_t i = 0; i < SOUP_PROOF_BYTES; i++) {
        int high = hex_digit(at[2 * i]), low = hex_digit(at[2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        offer.digest[i] = (uint8_t)(high << 4 | low);
    }
    offer.count = (uint32_t)count;
    *out_offer = offer;
    return 1;
}

int soup_proof_create(soup_proof_t **out_proof, tbus_error_t *err)
{
    soup_proof_t *proof = calloc(1, sizeof *proof);
    if (proof) {
        proof->running = EVP_MD_CTX_new();
        proof->copy = EVP_MD_CTX_new();
    }
    if (!proof || !proof->running || !proof->copy) {
        soup_proof_destroy(proof);
        return tbus_fail(err, -ENOMEM, "no memory for a digest");
    }
    if (EVP_DigestInit_ex(proof->running, EVP_sha256(), NULL) != 1 ||
        EVP_MD_CTX_copy_ex(proof->copy, proof->running) != 1) {
        soup_proof_destroy(proof);
        return tbus_fail(err, -ENOTSUP, "libcrypto gives no SHA-256; see openssl.cnf(5)");
    }
    *out_proof = proof;
    return 0;
}

/* Once the first calls have succeeded, the others fail for no reason but wrong arguments. */
static void must(int result)
{
    assert(result == 1);
    (void)result;
}

void soup_proof_begin(soup_proof_t *proof)
{
    must(EVP_DigestInit_ex(proof->running, NULL, NULL));
    proof->count = 0;
}

void soup_proof_message(soup_proof_t *proof, const uint8_t *message, size_t bytes)
{
    uint8_t header[SOUP_HEADER_BYTES];
    assert(proof->count < SOUP_PROOF_BLOCK);
    soup_put_header(header, SOUP_SEQUENCED, bytes);
    must(EVP_DigestUpdate(proof->running, header, sizeof header));
    must(EVP_DigestUpdate(proof->running, message, bytes));
    proof->count++;
}

void soup_proof_packets(soup_proof_t *proof, const uint8_t *packets, size_t bytes, uint32_t count)
{
    assert(count <= SOUP_PROOF_BLOCK - proof->count);
    must(EVP_DigestUpdate(proof->running, packets, bytes));
    proof->count += count;
}

uint32_t soup_proof_count(const soup_proof_t *proof)
{
    return proof->count;
}

void soup_proof_digest(const soup_proof_t *proof, uint8_t out_digest[SOUP_PROOF_BYTES])
{
    must(EVP_MD_CTX_copy_ex(proof->copy, proof->running));
    must(EVP_DigestFinal_ex(proof->copy, out_digest, NULL));
}

void soup_proof_destroy(soup_proof_t *proof)
{
    if (!proof)
        return;
    EVP_MD_CTX_free(proof->running);
    EVP_MD_CTX_free(proof->copy);
    free(proof);
}
