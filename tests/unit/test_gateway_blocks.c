/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of packets, their window, and a session's cursor over them: against the plain stream of
 * bytes that a client must get, whatever the sizes and wherever a socket cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feedsim/gateway/session.h"

#define MESSAGES 4000u

/* Message `seq` has some bytes that tell which it is; a few are empty, a few very long. */
static size_t message_of(uint64_t seq, uint8_t out[SOUP_PAYLOAD_MAX])
{
    size_t bytes = seq % 97 == 0 ? 0 : seq % 1001 == 1000 ? SOUP_PAYLOAD_MAX : 1 + seq * 7 % 60;
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(seq * 31 + i);
    return bytes;
}

/* The stream as it must come, and where each packet of it begins. */
typedef struct expected {
    uint8_t *bytes;
    size_t count;
    size_t begins[MESSAGES + 2]; /* of message i, from 1 */
} expected_t;

static void expected_make(expected_t *e)
{
    uint8_t *message = malloc(SOUP_PAYLOAD_MAX);
    e->bytes = malloc(MESSAGES * 64 + 8 * SOUP_PACKET_MAX);
    e->count = 0;
    for (uint64_t seq = 1; seq <= MESSAGES; seq++) {
        size_t bytes = message_of(seq, message);
        e->begins[seq] = e->count;
        uint8_t *to = e->bytes + e->count;
        e->count += soup_put_header(to, SOUP_SEQUENCED, bytes);
        memcpy(to + SOUP_HEADER_BYTES, message, bytes);
    }
    e->begins[MESSAGES + 1] = e->count;
    free(message);
}

static void fill(gateway_window_t *w)
{
    uint8_t *message = malloc(SOUP_PAYLOAD_MAX);
    for (uint64_t seq = 1; seq <= MESSAGES; seq++)
        gateway_window_append(w, message, message_of(seq, message), seq);
    free(message);
}

static void every_packet_is_found_by_its_sequence_and_every_byte_by_its_place(void **state)
{
    (void)state;
    gateway_window_t w;
    static expected_t e;
    expected_make(&e);
    assert_int_equal(gateway_window_create(&w, 64 * sizeof(gateway_block_t), 1, NULL), 0);
    fill(&w);
    assert_int_equal(gateway_window_oldest_seq(&w), 1);
    assert_int_equal(gateway_window_next_seq(&w), MESSAGES + 1);
    assert_null(gateway_window_find(&w, MESSAGES + 1));
    assert_null(gateway_window_find(&w, 0));
    for (uint64_t seq = 1; seq <= MESSAGES; seq++) {
        uint32_t inside;
        const gateway_block_t *b = gateway_window_find(&w, seq);
        assert_non_null(b);
        uint32_t place = gateway_block_place(b, seq);
        uint32_t bytes = gateway_block_packet_bytes(b, place);
        assert_int_equal(bytes, e.begins[seq + 1] - e.begins[seq]);
        assert_memory_equal(b->data + place, e.bytes + e.begins[seq], bytes);
        assert_int_equal(gateway_block_seq_at(b, place, &inside), seq);
        assert_int_equal(inside, 0);
        assert_int_equal(gateway_block_seq_at(b, place + bytes - 1, &inside), seq);
        assert_int_equal(inside, bytes - 1);
        assert_int_equal(gateway_block_seq_at(b, place + bytes, &inside), seq + 1);
        assert_int_equal(inside, 0);
    }
    gateway_window_destroy(&w);
    free(e.bytes);
}

static void a_window_keeps_the_newest_and_what_it_keeps_is_in_one_piece(void **state)
{
    (void)state;
    gateway_window_t w;
    uint8_t message[64];
    assert_int_equal(gateway_window_create(&w, 0, 1, NULL), 0);
    assert_int_equal(w.blocks_count, 2);
    for (uint64_t seq = 1; seq <= 20000; seq++) {
        gateway_window_append(&w, message, 30, seq);
        uint64_t oldest = gateway_window_oldest_seq(&w);
        assert_int_equal(gateway_window_next_seq(&w), seq + 1);
        assert_non_null(gateway_window_find(&w, oldest));
        assert_non_null(gateway_window_find(&w, seq));
        assert_null(gateway_window_find(&w, oldest - 1));
    }
    assert_true(gateway_window_oldest_seq(&w) > 10000);
    gateway_window_destroy(&w);
}

static void behind_a_hole_the_window_goes_on_and_the_hole_is_nowhere(void **state)
{
    (void)state;
    gateway_window_t w;
    assert_int_equal(gateway_window_create(&w, 8 * sizeof(gateway_block_t), 1, NULL), 0);
    gateway_window_skip_to(&w, 5, 0); /* before anything came */
    assert_int_equal(gateway_window_oldest_seq(&w), 5);
    for (int i = 0; i < 10; i++)
        gateway_window_append(&w, (const uint8_t *)"x", 1, 0);
    gateway_window_skip_to(&w, 100, 0);
    gateway_window_append(&w, (const uint8_t *)"y", 1, 0);
    assert_int_equal(gateway_window_oldest_seq(&w), 5);
    assert_int_equal(gateway_window_next_seq(&w), 101);
    assert_non_null(gateway_window_find(&w, 14));
    for (uint64_t seq = 15; seq < 100; seq++)
        assert_null(gateway_window_find(&w, seq));
    assert_non_null(gateway_window_find(&w, 100));
    gateway_window_destroy(&w);
}

/* A socket that takes some bytes at a time, drawn from `seed`, and what came out of it. */
typedef struct sink {
    uint8_t *bytes;
    size_t count;
    uint64_t seed;
} sink_t;

static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1;
    return (uint32_t)(*seed >> 33);
}

/* Send what comes next. False: nothing does. */
static bool send_some(gateway_session_t *s, const gateway_window_t *w, sink_t *sink)
{
    const gateway_block_t *block = gateway_window_find(w, s->seq);
    gateway_chunk_t chunk = gateway_session_chunk(s, block);
    if (chunk.from == GATEWAY_CHUNK_NONE)
        return false;
    uint32_t limit = draw(&sink->seed) % 5 ? 1 + draw(&sink->seed) % 200 : UINT32_MAX;
    uint32_t count = chunk.count < limit ? chunk.count : limit;
    memcpy(sink->bytes + sink->count, chunk.bytes, count);
    sink->count += count;
    gateway_session_took(s, &chunk, block, count, 1);
    return true;
}

static void log_in(gateway_session_t *s)
{
    uint8_t login[SOUP_LOGIN_410_BYTES];
    soup_login_t fields = {.user = "u", .sequence = 1};
    soup_server_event_t event;
    gateway_session_begin(s, NULL, 0);
    size_t bytes = soup_put_login(login, &fields);
    assert_int_equal(soup_server_take(&s->soup, login, bytes, 0, &event), bytes);
    assert_int_equal(event.kind, SOUP_SERVER_LOGIN);
}

static void
wherever_a_socket_cuts_the_messages_come_whole_and_control_packets_between_them(void **state)
{
    (void)state;
    gateway_window_t w;
    static expected_t e;
    expected_make(&e);
    assert_int_equal(gateway_window_create(&w, 64 * sizeof(gateway_block_t), 1, NULL), 0);
    fill(&w);
    sink_t sink = {.bytes = malloc(e.count + 100000)};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        static gateway_session_t s;
        uint64_t from = 1 + seed * 37 % MESSAGES;
        unsigned heartbeats = 0, met = 0;
        log_in(&s);
        gateway_session_accept(&s, "S", from, 0);
        sink.seed = seed;
        sink.count = 0;
        while (send_some(&s, &w, &sink))
            if (draw(&sink.seed) % 50 == 0)
                heartbeats += gateway_session_put_heartbeat(&s);
        gateway_session_end(&s, "why", true, 0);
        while (send_some(&s, &w, &sink))
            ;
        assert_true(gateway_session_is_sent(&s));
        /* read it back: accepted, messages with heartbeats between them, text, end */
        assert_int_equal(sink.bytes[2], SOUP_ACCEPTED);
        uint64_t seq = from;
        for (size_t at = SOUP_ACCEPTED_BYTES; at < sink.count;) {
            size_t bytes = SOUP_LENGTH_BYTES + soup_length(sink.bytes + at);
            if (sink.bytes[at + 2] == SOUP_SEQUENCED) {
                assert_memory_equal(sink.bytes + at, e.bytes + e.begins[seq], bytes);
                seq++;
            } else if (sink.bytes[at + 2] == SOUP_SERVER_HEARTBEAT) {
                met++;
            } else if (sink.bytes[at + 2] == SOUP_DEBUG) {
                assert_memory_equal(sink.bytes + at + 3, "why", 3);
            } else {
                assert_int_equal(sink.bytes[at + 2], SOUP_END_OF_SESSION);
                assert_int_equal(at + bytes, sink.count);
            }
            at += bytes;
        }
        assert_int_equal(seq, MESSAGES + 1);
        assert_int_equal(met, heartbeats);
    }
    free(sink.bytes);
    free(e.bytes);
    gateway_window_destroy(&w);
}

static void a_session_that_is_ended_finishes_its_message_and_starts_no_other(void **state)
{
    (void)state;
    gateway_window_t w;
    static gateway_session_t s;
    uint8_t message[100] = {0};
    assert_int_equal(gateway_window_create(&w, 0, 1, NULL), 0);
    for (int i = 0; i < 10; i++)
        gateway_window_append(&w, message, sizeof message, 0);
    const gateway_block_t *block = gateway_window_find(&w, 1);
    log_in(&s);
    gateway_session_accept(&s, "S", 1, 0);
    gateway_chunk_t chunk = gateway_session_chunk(&s, block);
    assert_int_equal(chunk.from, GATEWAY_CHUNK_OUT);
    gateway_session_took(&s, &chunk, block, chunk.count, 0);
    chunk = gateway_session_chunk(&s, block);
    assert_int_equal(chunk.count, 10 * 103);
    gateway_session_took(&s, &chunk, block, 2 * 103 + 50, 0);
    assert_int_equal(s.seq, 3);
    assert_int_equal(s.skip, 50);
    gateway_session_end(&s, "cut off", false, 0);
    chunk = gateway_session_chunk(&s, block);
    assert_int_equal(chunk.from, GATEWAY_CHUNK_BLOCK);
    assert_int_equal(chunk.count, 53);
    gateway_session_took(&s, &chunk, block, 53, 0);
    assert_false(gateway_session_is_sent(&s));
    chunk = gateway_session_chunk(&s, block);
    assert_int_equal(chunk.from, GATEWAY_CHUNK_OUT);
    assert_int_equal(chunk.count, 3 + 7);
    gateway_session_took(&s, &chunk, block, chunk.count, 0);
    assert_int_equal(gateway_session_chunk(&s, block).from, GATEWAY_CHUNK_NONE);
    assert_true(gateway_session_is_sent(&s));
    gateway_window_destroy(&w);
}

static void nothing_but_a_rejection_is_sent_before_a_login_is_accepted(void **state)
{
    (void)state;
    static gateway_session_t s;
    gateway_session_begin(&s, NULL, 0);
    soup_proof_offer_t offer = {.count = 1};
    assert_false(gateway_session_put_text(&s, "hello"));
    assert_false(gateway_session_put_offer(&s, &offer));
    assert_false(gateway_session_has_out(&s));
    log_in(&s);
    assert_false(gateway_session_put_text(&s, "hello"));
    gateway_session_reject(&s, SOUP_SESSION_NOT_AVAILABLE, 0);
    gateway_chunk_t chunk = gateway_session_chunk(&s, NULL);
    assert_int_equal(chunk.count, SOUP_REJECTED_BYTES);
    assert_memory_equal(chunk.bytes, "\0\2JS", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packet_is_found_by_its_sequence_and_every_byte_by_its_place),
        cmocka_unit_test(a_window_keeps_the_newest_and_what_it_keeps_is_in_one_piece),
        cmocka_unit_test(behind_a_hole_the_window_goes_on_and_the_hole_is_nowhere),
        cmocka_unit_test(
            wherever_a_socket_cuts_the_messages_come_whole_and_control_packets_between_them),
        cmocka_unit_test(a_session_that_is_ended_finishes_its_message_and_starts_no_other),
        cmocka_unit_test(nothing_but_a_rejection_is_sent_before_a_login_is_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
