/* SPDX-License-Identifier: Apache-2.0 */
/* Digests that a server offers, and what a client makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "bus/wire/soup.h"
#include "bus/wire/soup_audit.h"
#include "bus/wire/soup_proof.h"

#define BLOCK SOUP_PROOF_BLOCK

static void an_offer_is_one_line_of_text_and_read_again(void **state)
{
    (void)state;
    uint8_t packet[SOUP_PROOF_PACKET_MAX];
    soup_proof_offer_t offer = {.block = 12, .count = 34}, again;
    for (size_t i = 0; i < SOUP_PROOF_BYTES; i++)
        offer.digest[i] = (uint8_t)(i * 8 + 1);
    size_t bytes = soup_proof_put_offer(packet, &offer);
    static const char text[] = "tickbus digest 12 34 0109111921293139414951596169717981899199a1a9b1"
                               "b9c1c9d1d9e1e9f1f9";
    assert_int_equal(bytes, 3 + strlen(text));
    assert_int_equal(packet[2], '+');
    assert_memory_equal(packet + 3, text, strlen(text));
    assert_int_equal(soup_proof_parse_offer(packet + 3, bytes - 3, &again), 1);
    assert_int_equal(again.block, 12);
    assert_int_equal(again.count, 34);
    assert_memory_equal(again.digest, offer.digest, sizeof offer.digest);

    offer = (soup_proof_offer_t){.block = SOUP_PROOF_BLOCKS_MAX - 1, .count = BLOCK};
    bytes = soup_proof_put_offer(packet, &offer);
    assert_true(bytes <= SOUP_PROOF_PACKET_MAX);
    assert_int_equal(soup_proof_parse_offer(packet + 3, bytes - 3, &again), 1);
    assert_true(again.block == offer.block);
    for (size_t cut = 0; cut < bytes - 3; cut++)
        assert_int_equal(soup_proof_parse_offer(packet + 3, cut, &again), 0);
}

static void what_is_no_offer_is_text(void **state)
{
    (void)state;
#define DIGEST "0000000000000000000000000000000000000000000000000000000000000000"
    static const char *const texts[] = {
        "",
        "hello",
        "tickbus digest ",
        "tickbus digest 1 1 " DIGEST "0",
        "tickbus digest 1 1 " DIGEST " ",
        "tickbus digest 1 0 " DIGEST,
        "tickbus digest 1 65537 " DIGEST,
        "tickbus digest 281474976710655 1 " DIGEST,
        "tickbus digest 99999999999999999999999 1 " DIGEST,
        "tickbus digest -1 1 " DIGEST,
        "tickbus digest  1 1 " DIGEST,
        "tickbus digest 1 1 F" DIGEST,
        "Tickbus digest 1 1 " DIGEST,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        soup_proof_offer_t offer;
        assert_int_equal(
            soup_proof_parse_offer((const uint8_t *)texts[i], strlen(texts[i]), &offer), 0);
    }
}

static size_t message(uint64_t sequence, uint8_t to[64])
{
    size_t bytes = sequence % 40;
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(sequence + i * 3);
    return bytes;
}

static void messages_packets_and_the_bytes_on_the_wire_have_one_digest(void **state)
{
    (void)state;
    static uint8_t wire[1000 * 64];
    uint8_t text[64], digest[SOUP_PROOF_BYTES], expected[SOUP_PROOF_BYTES];
    size_t used = 0;
    soup_proof_t *one, *other;
    assert_int_equal(soup_proof_create(&one, NULL), 0);
    assert_int_equal(soup_proof_create(&other, NULL), 0);
    for (uint64_t sequence = 1; sequence <= 1000; sequence++) {
        size_t bytes = message(sequence, text);
        soup_proof_message(one, text, bytes);
        soup_proof_digest(one, digest); /* in the middle of it */
        memcpy(wire + used + soup_put_header(wire + used, SOUP_SEQUENCED, bytes) - bytes, text,
               bytes);
        used += SOUP_HEADER_BYTES + bytes;
    }
    soup_proof_packets(other, wire, used, 1000);
    assert_int_equal(soup_proof_count(one), 1000);
    assert_int_equal(soup_proof_count(other), 1000);
    assert_int_equal(EVP_Digest(wire, used, expected, NULL, EVP_sha256(), NULL), 1);
    assert_memory_equal(digest, expected, sizeof expected);
    soup_proof_digest(other, digest);
    assert_memory_equal(digest, expected, sizeof expected);

    soup_proof_begin(one);
    assert_int_equal(soup_proof_count(one), 0);
    soup_proof_digest(one, digest);
    assert_int_equal(EVP_Digest(wire, 0, expected, NULL, EVP_sha256(), NULL), 1);
    assert_memory_equal(digest, expected, sizeof expected);
    soup_proof_destroy(one);
    soup_proof_destroy(other);
    soup_proof_destroy(NULL);
}

/* A server's digests beside a client's audit. */
typedef struct pair {
    soup_proof_t *server;
    soup_audit_t *client;
    uint64_t sent; /* the last sequence */
} pair_t;

static pair_t begin(uint64_t first)
{
    pair_t p = {.sent = first - 1};
    assert_int_equal(soup_proof_create(&p.server, NULL), 0);
    assert_int_equal(soup_audit_create(first, &p.client, NULL), 0);
    return p;
}

static void end(pair_t *p)
{
    soup_proof_destroy(p->server);
    soup_audit_destroy(p->client);
}

/* The server sends up to `to`, and the client receives it. */
static void run_to(pair_t *p, uint64_t to)
{
    uint8_t text[64];
    while (p->sent < to) {
        if (soup_proof_count(p->server) == BLOCK)
            soup_proof_begin(p->server);
        size_t bytes = message(++p->sent, text);
        soup_proof_message(p->server, text, bytes);
        assert_int_equal(soup_audit_message(p->client, p->sent, text, bytes), 0);
    }
}

/* The server offers the block that it is in, as it is; `spoil`: another digest. */
static void offer(pair_t *p, bool spoil)
{
    uint8_t packet[SOUP_PROOF_PACKET_MAX];
    soup_proof_offer_t o = {.block = soup_proof_block(p->sent),
                            .count = soup_proof_count(p->server)};
    soup_proof_digest(p->server, o.digest);
    o.digest[31] ^= spoil;
    size_t bytes = soup_proof_put_offer(packet, &o);
    assert_true(soup_audit_text(p->client, packet + 3, bytes - 3));
}

static void expect(const pair_t *p, uint64_t last, enum soup_verdict_kind kind, uint64_t from,
                   uint64_t to)
{
    soup_verdict_t v = soup_audit_verdict(p->client, last ? last : p->sent);
    assert_int_equal(v.kind, kind);
    assert_int_equal(v.from, from);
    assert_int_equal(v.to, to);
}

static void everything_is_proven_when_each_block_was_offered(void **state)
{
    (void)state;
    pair_t p = begin(1);
    expect(&p, 0, SOUP_VERDICT_EQUAL, 1, 0); /* nothing to be proven */
    run_to(&p, BLOCK - 1);
    expect(&p, 0, SOUP_VERDICT_UNPROVEN, 1, BLOCK - 1);
    run_to(&p, BLOCK);
    expect(&p, 0, SOUP_VERDICT_UNPROVEN, 1, BLOCK);
    offer(&p, false);
    expect(&p, BLOCK, SOUP_VERDICT_EQUAL, 1, BLOCK);
    run_to(&p, 2 * BLOCK + 5);
    expect(&p, 0, SOUP_VERDICT_UNPROVEN, BLOCK + 1, 2 * BLOCK + 5);
    offer(&p, false); /* the part */
    expect(&p, 0, SOUP_VERDICT_UNPROVEN, BLOCK + 1, 2 * BLOCK);
    run_to(&p, 2 * BLOCK + 6); /* the part has grown */
    expect(&p, 0, SOUP_VERDICT_UNPROVEN, BLOCK + 1, 2 * BLOCK + 6);
    expect(&p, 2 * BLOCK + 9, SOUP_VERDICT_MISSING, 2 * BLOCK + 7, 2 * BLOCK + 9);
    end(&p);

    p = begin(2 * BLOCK + 1); /* from the middle of a session on, offers late and again */
    run_to(&p, 3 * BLOCK);
    offer(&p, false);
    offer(&p, false);
    run_to(&p, 3 * BLOCK + 1);
    offer(&p, false);
    expect(&p, 3 * BLOCK + 1, SOUP_VERDICT_EQUAL, 2 * BLOCK + 1, 3 * BLOCK + 1);
    end(&p);
}

static void what_lies_behind_the_last_message_that_matters_is_not_judged(void **state)
{
    (void)state;
    pair_t p = begin(1);
    run_to(&p, BLOCK);
    offer(&p, false);
    run_to(&p, BLOCK + 7);
    expect(&p, BLOCK - 9, SOUP_VERDICT_EQUAL, 1, BLOCK - 9);
    expect(&p, BLOCK, SOUP_VERDICT_EQUAL, 1, BLOCK);
    expect(&p, BLOCK + 1, SOUP_VERDICT_UNPROVEN, BLOCK + 1, BLOCK + 7);
    offer(&p, true);
    expect(&p, BLOCK, SOUP_VERDICT_EQUAL, 1, BLOCK);
    expect(&p, BLOCK + 1, SOUP_VERDICT_DIFFERENT, BLOCK + 1, BLOCK + 7);
    assert_int_equal(soup_audit_message(p.client, BLOCK + 10, NULL, 0), 0);
    expect(&p, BLOCK, SOUP_VERDICT_EQUAL, 1, BLOCK);
    expect(&p, BLOCK + 7, SOUP_VERDICT_DIFFERENT, BLOCK + 1, BLOCK + 7);
    expect(&p, BLOCK + 8, SOUP_VERDICT_MISSING, BLOCK + 8, BLOCK + 9);
    end(&p);
}

static void a_difference_is_told_with_its_block(void **state)
{
    (void)state;
    pair_t p = begin(1);
    run_to(&p, 2 * BLOCK);
    offer(&p, true);
    offer(&p, false); /* does not make it good */
    run_to(&p, 2 * BLOCK + 3);
    offer(&p, false);
    expect(&p, 0, SOUP_VERDICT_DIFFERENT, BLOCK + 1, 2 * BLOCK);
    end(&p);
    p = begin(1);
    run_to(&p, 7);
    offer(&p, true);
    expect(&p, 0, SOUP_VERDICT_DIFFERENT, 1, 7);
    end(&p);

    p = begin(1); /* one bit of one message */
    run_to(&p, 5);
    soup_proof_message(p.server, (const uint8_t *)"a", 1);
    p.sent = 6;
    assert_int_equal(soup_audit_message(p.client, 6, (const uint8_t *)"c", 1), 0);
    offer(&p, false);
    expect(&p, 6, SOUP_VERDICT_DIFFERENT, 1, 6);
    end(&p);
}

static void what_was_left_out_is_told_and_offers_do_not_cover_it_up(void **state)
{
    (void)state;
    pair_t p = begin(1);
    run_to(&p, 10);
    assert_int_equal(soup_audit_message(p.client, 10, (const uint8_t *)"again", 5), 0);
    assert_int_equal(soup_audit_message(p.client, UINT64_C(1) << 60, NULL, 0), 0);
    offer(&p, false);
    expect(&p, UINT64_C(1) << 60, SOUP_VERDICT_MISSING, 11, (UINT64_C(1) << 60) - 1);
    end(&p);
}

static void offers_of_what_has_not_come_are_not_believed(void **state)
{
    (void)state;
    static const struct {
        uint64_t block;
        uint32_t count;
    } offers[] = {{0, BLOCK}, {1, 1}, {1, BLOCK}, {SOUP_PROOF_BLOCKS_MAX - 1, BLOCK}, {0, 11}};
    pair_t p = begin(1);
    run_to(&p, 10);
    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        uint8_t packet[SOUP_PROOF_PACKET_MAX];
        soup_proof_offer_t o = {.block = offers[i].block, .count = offers[i].count};
        size_t bytes = soup_proof_put_offer(packet, &o);
        assert_true(soup_audit_text(p.client, packet + 3, bytes - 3));
    }
    expect(&p, 0, SOUP_VERDICT_UNPROVEN, 1, 10);
    assert_false(soup_audit_text(p.client, (const uint8_t *)"lagging", 7));
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offer_is_one_line_of_text_and_read_again),
        cmocka_unit_test(what_is_no_offer_is_text),
        cmocka_unit_test(messages_packets_and_the_bytes_on_the_wire_have_one_digest),
        cmocka_unit_test(everything_is_proven_when_each_block_was_offered),
        cmocka_unit_test(what_lies_behind_the_last_message_that_matters_is_not_judged),
        cmocka_unit_test(a_difference_is_told_with_its_block),
        cmocka_unit_test(what_was_left_out_is_told_and_offers_do_not_cover_it_up),
        cmocka_unit_test(offers_of_what_has_not_come_are_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
