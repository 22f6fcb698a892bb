/* SPDX-License-Identifier: Apache-2.0 */
/* The row of packets of a sender of MoldUDP64: filled, sealed, kept, copied for requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "feedsim/mold/packets.h"

#define DATAGRAM_MAX 256u

static const uint8_t session[MOLD_SESSION_BYTES] = "ABCDEFGHIJ";

/* Message `seq`: of 0 to 60 bytes. */
static size_t message_of(uint64_t seq, uint8_t out[64])
{
    size_t bytes = seq * 7 % 61;
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(seq * 31 + i);
    return bytes;
}

static enum moldout_put put(moldout_packets_t *p, uint64_t seq)
{
    uint8_t message[64];
    size_t bytes = message_of(seq, message);
    return moldout_packets_put(p, seq, message, bytes);
}

/* It is a packet of `count` messages from `seq` on, as they were put. */
static void assert_is(const uint8_t *datagram, size_t bytes, uint64_t seq, uint32_t count)
{
    mold_packet_t packet;
    assert_int_equal(mold_parse(datagram, bytes, &packet), MOLD_GOOD);
    assert_memory_equal(packet.session, session, sizeof session);
    assert_int_equal(packet.sequence, seq);
    assert_int_equal(packet.count, count);
    const uint8_t *at = packet.blocks, *message;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t expected[64];
        size_t length, expected_bytes = message_of(seq + i, expected);
        at = mold_next(at, &message, &length);
        assert_int_equal(length, expected_bytes);
        assert_memory_equal(message, expected, length);
    }
}

static void send_all(moldout_packets_t *p, uint64_t *next)
{
    moldout_packets_seal(p);
    for (; p->sent < p->sealed; p->sent++) {
        const moldout_packet_t *packet = moldout_packet(p, p->sent);
        assert_int_equal(packet->first_seq, *next);
        assert_true(packet->bytes <= DATAGRAM_MAX);
        assert_is(moldout_packet_data(p, p->sent), packet->bytes, *next, packet->count);
        *next += packet->count;
    }
}

static void packets_are_full_and_hold_every_message_once(void **state)
{
    (void)state;
    moldout_packets_t p;
    uint64_t next = 1;
    assert_int_equal(moldout_packets_create(&p, 1, DATAGRAM_MAX, session, NULL), 0);
    for (uint64_t seq = 1; seq <= 5000; seq++) {
        assert_int_equal(put(&p, seq), MOLDOUT_PUT);
        if (seq % 300 == 0)
            send_all(&p, &next);
    }
    for (uint64_t n = p.sealed - 20; n + 1 < p.sealed; n++) {
        /* the first message of the next one did not fit, unless it was sealed before */
        uint8_t message[64];
        const moldout_packet_t *packet = moldout_packet(&p, n);
        uint64_t following = packet->first_seq + packet->count;
        if ((following - 1) % 300 != 0)
            assert_true(packet->bytes + MOLD_LENGTH_BYTES + message_of(following, message) >
                        DATAGRAM_MAX);
    }
    send_all(&p, &next);
    assert_int_equal(next, 5001);
    moldout_packets_destroy(&p);
}

/* A codec that takes every message but those that begin with 7, as it is. */
static int copy_message(const void *message, size_t bytes, uint8_t *out, size_t *out_bytes)
{
    if (bytes && *(const uint8_t *)message == 7)
        return -TBUS_EFORMAT;
    memcpy(out, message, bytes);
    *out_bytes = bytes;
    return 0;
}
static const topic_wire_t as_it_is = {.grows_bytes = 3, .encode = copy_message};

/* Messages from `seq` on that go into a run, at most `most`. */
static gateway_stream_run_t run_of(uint64_t seq, uint32_t most)
{
    static _Alignas(8) unsigned char messages[TBUS_HISTORY_BATCH_MAX * TBUS_HISTORY_STRIDE];
    static uint32_t bytes[TBUS_HISTORY_BATCH_MAX];
    gateway_stream_run_t run = {.messages = messages, .bytes = bytes};
    for (; run.count < most; run.count++) {
        uint8_t message[64];
        bytes[run.count] = (uint32_t)message_of(seq + run.count, message);
        if (bytes[run.count] > TBUS_HISTORY_STRIDE)
            break;
        memcpy(messages + (size_t)run.count * TBUS_HISTORY_STRIDE, message, bytes[run.count]);
    }
    return run;
}

static void runs_of_messages_make_the_packets_that_single_ones_make(void **state)
{
    (void)state;
    moldout_packets_t single, runs;
    uint64_t seq = 1, random = 1;
    unsigned encoded = 0;
    assert_int_equal(moldout_packets_create(&single, 1, DATAGRAM_MAX, session, NULL), 0);
    assert_int_equal(moldout_packets_create(&runs, 1, DATAGRAM_MAX, session, NULL), 0);
    while (seq <= 5000) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        gateway_stream_run_t run = run_of(seq, (random >> 33) % (TBUS_HISTORY_BATCH_MAX + 1));
        uint32_t count = moldout_packets_encode(&runs, seq, &as_it_is, &run);
        encoded += count;
        if (count == 0) {
            assert_int_equal(put(&runs, seq), MOLDOUT_PUT);
            count = 1;
        }
        for (uint64_t until = seq + count; seq < until; seq++)
            assert_int_equal(put(&single, seq), MOLDOUT_PUT);
        if (random >> 60 == 0) {
            moldout_packets_seal(&single);
            moldout_packets_seal(&runs);
        }
        assert_int_equal(single.sealed, runs.sealed);
        for (; runs.sent < runs.sealed; runs.sent++, single.sent++) {
            assert_int_equal(moldout_packet(&single, single.sent)->bytes,
                             moldout_packet(&runs, runs.sent)->bytes);
            assert_memory_equal(moldout_packet_data(&single, single.sent),
                                moldout_packet_data(&runs, runs.sent),
                                moldout_packet(&runs, runs.sent)->bytes);
        }
    }
    assert_true(encoded > 3000);
    moldout_packets_destroy(&single);
    moldout_packets_destroy(&runs);
}

static void what_is_kept_stays_until_a_message_is_sure_to_take_its_place(void **state)
{
    (void)state;
    moldout_packets_t p;
    static _Alignas(8) const unsigned char refused[TBUS_HISTORY_STRIDE] = {7};
    static const uint32_t bytes = TBUS_HISTORY_STRIDE;
    const gateway_stream_run_t run = {.messages = refused, .bytes = &bytes, .count = 1};
    uint64_t seq = 1, next = 1;
    assert_int_equal(moldout_packets_create(&p, 1, DATAGRAM_MAX, session, NULL), 0);
    for (unsigned packets = 0; packets < p.slots; packets++, seq++) {
        assert_int_equal(put(&p, seq), MOLDOUT_PUT);
        send_all(&p, &next);
    }
    uint8_t oldest[DATAGRAM_MAX], copy[DATAGRAM_MAX];
    uint32_t count;
    size_t kept = moldout_packets_copy(&p, 1, 1, oldest, &count);
    assert_true(kept > 0);
    assert_int_equal(moldout_packets_encode(&p, seq, &as_it_is, &run), 0);
    assert_false(p.open);
    assert_int_equal(moldout_packets_copy(&p, 1, 1, copy, &count), kept);
    assert_memory_equal(copy, oldest, kept);
    /* and where every packet waits, nothing is taken */
    p.sent -= p.slots;
    gateway_stream_run_t more = run_of(seq, 8);
    assert_int_equal(moldout_packets_encode(&p, seq, &as_it_is, &more), 0);
    assert_false(p.open);
    moldout_packets_destroy(&p);
}

static void a_row_that_nobody_sends_is_full_and_loses_nothing(void **state)
{
    (void)state;
    moldout_packets_t p;
    uint64_t seq = 1, next = 1;
    assert_int_equal(moldout_packets_create(&p, 1, DATAGRAM_MAX, session, NULL), 0);
    while (put(&p, seq) == MOLDOUT_PUT)
        seq++;
    assert_int_equal(put(&p, seq), MOLDOUT_PUT_FULL);
    assert_int_equal(moldout_packets_waiting(&p), p.slots);
    send_all(&p, &next);
    assert_int_equal(next, seq);
    assert_int_equal(put(&p, seq), MOLDOUT_PUT);
    moldout_packets_destroy(&p);
}

static void what_fits_no_packet_is_not_taken(void **state)
{
    (void)state;
    moldout_packets_t p;
    uint8_t message[DATAGRAM_MAX] = {0};
    size_t most = DATAGRAM_MAX - MOLD_HEADER_BYTES - MOLD_LENGTH_BYTES;
    assert_int_equal(moldout_packets_create(&p, 1, DATAGRAM_MAX, session, NULL), 0);
    assert_int_equal(moldout_packets_put(&p, 1, message, most + 1), MOLDOUT_PUT_LARGE);
    assert_false(p.open);
    assert_int_equal(moldout_packets_put(&p, 1, message, most), MOLDOUT_PUT);
    moldout_packets_seal(&p);
    assert_int_equal(moldout_packet(&p, 0)->bytes, DATAGRAM_MAX);
    moldout_packets_destroy(&p);
}

static void a_copy_begins_at_any_message_that_is_kept_and_has_what_was_asked(void **state)
{
    (void)state;
    moldout_packets_t p;
    uint8_t to[DATAGRAM_MAX];
    uint32_t count;
    uint64_t next = 1;
    assert_int_equal(moldout_packets_create(&p, 1, DATAGRAM_MAX, session, NULL), 0);
    for (uint64_t seq = 1; seq <= 3000; seq++) {
        assert_int_equal(put(&p, seq), MOLDOUT_PUT);
        if (seq % 50 == 0)
            send_all(&p, &next);
    }
    assert_int_equal(put(&p, 3001), MOLDOUT_PUT); /* its slot was that of the oldest one */
    uint64_t oldest = moldout_packet(&p, p.sealed + 1 - p.slots)->first_seq;
    assert_true(oldest > 1);
    assert_int_equal(moldout_packets_copy(&p, oldest - 1, 10, to, &count), 0);
    assert_int_equal(moldout_packets_copy(&p, 3001, 10, to, &count), 0); /* not sent yet */
    for (uint64_t seq = oldest; seq <= 3000; seq++)
        for (uint32_t wanted = 1; wanted < 70000; wanted *= 3) {
            size_t bytes = moldout_packets_copy(&p, seq, wanted, to, &count);
            assert_true(bytes > 0 && count >= 1 && count <= wanted);
            assert_is(to, bytes, seq, count);
            uint8_t message[64];
            uint64_t following = seq + count;
            assert_true(count == wanted || following == 3001 ||
                        bytes + MOLD_LENGTH_BYTES + message_of(following, message) > DATAGRAM_MAX);
        }
    moldout_packets_destroy(&p);
}

static void what_is_between_two_packets_is_in_no_copy(void **state)
{
    (void)state;
    moldout_packets_t p;
    uint8_t to[DATAGRAM_MAX];
    uint32_t count;
    assert_int_equal(moldout_packets_create(&p, 1, DATAGRAM_MAX, session, NULL), 0);
    for (uint64_t seq = 10; seq < 12; seq++)
        assert_int_equal(put(&p, seq), MOLDOUT_PUT);
    moldout_packets_seal(&p);
    assert_int_equal(put(&p, 20), MOLDOUT_PUT);
    moldout_packets_seal(&p);
    p.sent = p.sealed;
    for (uint64_t seq = 1; seq < 30; seq++) {
        size_t bytes = moldout_packets_copy(&p, seq, 100, to, &count);
        uint32_t there = seq == 10 ? 2 : seq == 11 || seq == 20 ? 1 : 0;
        assert_int_equal(bytes != 0, there != 0);
        if (bytes)
            assert_is(to, bytes, seq, there);
    }
    moldout_packets_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_full_and_hold_every_message_once),
        cmocka_unit_test(runs_of_messages_make_the_packets_that_single_ones_make),
        cmocka_unit_test(what_is_kept_stays_until_a_message_is_sure_to_take_its_place),
        cmocka_unit_test(a_row_that_nobody_sends_is_full_and_loses_nothing),
        cmocka_unit_test(what_fits_no_packet_is_not_taken),
        cmocka_unit_test(a_copy_begins_at_any_message_that_is_kept_and_has_what_was_asked),
        cmocka_unit_test(what_is_between_two_packets_is_in_no_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
