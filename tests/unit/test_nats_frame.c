/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to a NATS server and what comes from one, as bytes: whole, cut anywhere, and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feedsim/nats/frame.h"
#include "feedsim/nats/layout.h"
#include "feedsim/nats/outgoing.h"

static const char session[] = "SESSION001";

static void numbers_are_decimal_digits_alone(void **state)
{
    static const struct {
        uint64_t number;
        const char *text;
    } cases[] = {{0, "0"},
                 {7, "7"},
                 {10, "10"},
                 {987654321, "987654321"},
                 {UINT64_MAX, "18446744073709551615"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[NATS_NUMBER_MAX + 1];
        text[nats_number_put(cases[i].number, text)] = 0;
        assert_string_equal(text, cases[i].text);
    }
}

static void headers_are_those_of_the_layout(void **state)
{
    char block[NATS_HEADERS_MAX];
    nats_outgoing_t m = {.topic = "md",
                         .type = "tick",
                         .last_sequence = 41,
                         .names_message = true,
                         .last_seq = 11,
                         .seq = 12,
                         .time_ns = UINT64_C(1764489600123456789)};
    static const char tick[] = "NATS/1.0\r\n"
                               "Nats-Msg-Id: SESSION001.md.12\r\n"
                               "Nats-Expected-Last-Sequence: 41\r\n"
                               "Nats-Expected-Last-Msg-Id: SESSION001.md.11\r\n"
                               "Tickbus-Sequence: 12\r\n"
                               "Tickbus-Type: tick\r\n"
                               "Tickbus-Time: 1764489600123456789\r\n\r\n";
    static const char lost[] = "NATS/1.0\r\n"
                               "Nats-Msg-Id: SESSION001.a%20b.12\r\n"
                               "Nats-Expected-Last-Sequence: 41\r\n"
                               "Tickbus-Sequence: 12\r\n"
                               "Tickbus-Type: lost\r\n"
                               "Tickbus-Warm-Up: 1\r\n"
                               "Tickbus-Lost: 5\r\n\r\n";
    static const char end[] = "NATS/1.0\r\n"
                              "Nats-Msg-Id: SESSION001.md.end\r\n"
                              "Nats-Expected-Last-Sequence: 0\r\n"
                              "Tickbus-Sequence: 0\r\n"
                              "Tickbus-Type: end\r\n\r\n";
    (void)state;
    assert_int_equal(nats_headers_put(session, &m, block), sizeof tick - 1);
    assert_string_equal(block, tick);
    m = (nats_outgoing_t){.topic = "a b",
                          .type = NATS_TYPE_LOST,
                          .last_sequence = 41,
                          .seq = 12,
                          .warm_up = true,
                          .lost = 5};
    assert_int_equal(nats_headers_put(session, &m, block), sizeof lost - 1);
    assert_string_equal(block, lost);
    m = (nats_outgoing_t){.topic = "md", .type = NATS_TYPE_END, .end = true};
    assert_int_equal(nats_headers_put(session, &m, block), sizeof end - 1);
    assert_string_equal(block, end);
}

/* With an id that has no room, nothing is written beyond the block. */
static void headers_of_a_topic_that_makes_no_id_are_refused(void **state)
{
    char topic[NATS_ID_MAX + 1], block[NATS_HEADERS_MAX];
    (void)state;
    memset(topic, 'x', sizeof topic - 1);
    topic[sizeof topic - 1] = 0;
    const nats_outgoing_t m = {.topic = topic, .type = "tick", .seq = 1};
    assert_int_equal(nats_headers_put(session, &m, block), 0);
    /* The longest that there can be. */
    topic[NATS_ID_MAX - sizeof session - 1 - NATS_NUMBER_MAX - 1] = 0;
    const nats_outgoing_t longest = {.topic = topic,
                                     .type = "a type that has so many characters",
                                     .last_sequence = UINT64_MAX,
                                     .names_message = true,
                                     .last_seq = UINT64_MAX,
                                     .seq = UINT64_MAX,
                                     .time_ns = UINT64_MAX,
                                     .lost = UINT64_MAX,
                                     .warm_up = true};
    size_t bytes = nats_headers_put(session, &longest, block);
    assert_in_range(bytes, 2 * NATS_ID_MAX - 8, NATS_HEADERS_MAX - 1);
    assert_int_equal(strlen(block), bytes);
    assert_string_equal(block + bytes - 4, "\r\n\r\n");
}

static void a_message_goes_out_as_the_protocol_wants_it(void **state)
{
    const nats_frame_out_t frame = {.subject = "tickbus.lab.md",
                                    .reply = "_INBOX.a",
                                    .ticket = 17,
                                    .headers = "NATS/1.0\r\n\r\n",
                                    .headers_bytes = 12,
                                    .payload = "abc",
                                    .payload_bytes = 3};
    static const char wanted[] = "HPUB tickbus.lab.md _INBOX.a.17 12 15\r\nNATS/1.0\r\n\r\nabc\r\n";
    char out[256];
    (void)state;
    assert_in_range(nats_frame_bound(&frame), sizeof wanted - 1, sizeof out);
    assert_int_equal(nats_frame_put(&frame, out), sizeof wanted - 1);
    assert_memory_equal(out, wanted, sizeof wanted - 1);
    nats_frame_out_t empty = frame;
    empty.payload = NULL;
    empty.payload_bytes = 0;
    empty.ticket = UINT64_MAX;
    size_t bytes = nats_frame_put(&empty, out);
    assert_in_range(bytes, 1, nats_frame_bound(&empty));
    assert_memory_equal(out + bytes - 6, "\r\n\r\n\r\n", 6);
}

static const char all[] = "INFO {\"server_id\":\"x\"}\r\n"
                          "+OK\r\n"
                          "MSG _INBOX.a.17 1 26\r\n{\"stream\":\"lab\",\"seq\":12}\n\r\n"
                          "PING\r\n"
                          "MSG  _INBOX.a.18  1 some.reply 0\r\n\r\n"
                          "HMSG _INBOX.a.19 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"
                          "HMSG _INBOX.a.20 1 some.reply 12 14\r\nNATS/1.0\r\n\r\n\r\n\r\n"
                          "PONG\r\n"
                          "-ERR 'Stale Connection'\r\n";

static const struct {
    enum nats_frame_kind kind;
    const char *subject, *payload;
    unsigned status;
} frames[] = {{NATS_FRAME_INFO, "", "{\"server_id\":\"x\"}", 0},
              {NATS_FRAME_OK, "", "", 0},
              {NATS_FRAME_MESSAGE, "_INBOX.a.17", "{\"stream\":\"lab\",\"seq\":12}\n", 0},
              {NATS_FRAME_PING, "", "", 0},
              {NATS_FRAME_MESSAGE, "_INBOX.a.18", "", 0},
              {NATS_FRAME_MESSAGE, "_INBOX.a.19", "", 503},
              {NATS_FRAME_MESSAGE, "_INBOX.a.20", "\r\n", 0},
              {NATS_FRAME_PONG, "", "", 0},
              {NATS_FRAME_ERROR, "", "'Stale Connection'", 0}};
#define FRAMES (sizeof frames / sizeof frames[0])

static void assert_is(const nats_frame_t *frame, size_t i)
{
    assert_int_equal(frame->kind, frames[i].kind);
    assert_int_equal(frame->subject_bytes, strlen(frames[i].subject));
    assert_memory_equal(frame->subject ? frame->subject : "", frames[i].subject,
                        frame->subject_bytes);
    assert_int_equal(frame->payload_bytes, strlen(frames[i].payload));
    assert_memory_equal(frame->payload, frames[i].payload, frame->payload_bytes);
    assert_int_equal(nats_frame_status(frame), frames[i].status);
}

/* Each frame alone in memory of its own size, so that a read beyond it is found. */
static long read_exactly(const char *bytes, size_t count, nats_frame_t *out)
{
    char *copy = malloc(count ? count : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, count);
    long used = nats_frame_read(copy, count, out);
    free(copy);
    return used;
}

static void what_a_server_says_is_read_and_waited_for_until_it_is_whole(void **state)
{
    const char *at = all;
    (void)state;
    for (size_t i = 0; i < FRAMES; i++) {
        nats_frame_t frame, none;
        size_t left = (size_t)(all + sizeof all - 1 - at);
        long used = nats_frame_read(at, left, &frame);
        assert_true(used > 0);
        assert_is(&frame, i);
        for (size_t cut = 0; cut < (size_t)used; cut++)
            assert_int_equal(read_exactly(at, cut, &none), 0);
        assert_int_equal(read_exactly(at, (size_t)used, &none), used);
        at += used;
    }
    assert_ptr_equal(at, all + sizeof all - 1);
}

static void what_no_server_says_is_refused(void **state)
{
    static const char *const wrong[] = {
        "\n",
        "\r\n",
        "PING\n",
        "PINGS\r\n",
        "PONG 1\r\n",
        "MSG \r\n",
        "MSG a 1\r\n\r\n",
        "MSG a 1 -1\r\n\r\n",
        "MSG a 1 r 2 3\r\nab\r\n",
        "MSG a 1 99999999999999999999\r\n",
        "MSG a 1 2\r\nabc\r\n",
        "HMSG a 1 2\r\nab\r\n",
        "HMSG a 1 3 2\r\nab\r\n",
        "HMSG a 1 r x 2\r\nab\r\n",
        "\x15\x03\x03 alert\r\n",
        "HTTP/1.1 400 Bad Request\r\n",
    };
    nats_frame_t frame;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (read_exactly(wrong[i], strlen(wrong[i]), &frame) != -1)
            fail_msg("taken: %s", wrong[i]);
}

/* Whatever is changed of it: what is read lies inside of it. */
static void no_change_of_a_byte_leads_out_of_the_bytes_that_are_there(void **state)
{
    static const char bytes[] = {' ', '\r', '\n', '0', '9', 'M', (char)0xff, 0};
    (void)state;
    for (size_t i = 0; i < sizeof all - 1; i++)
        for (size_t k = 0; k < sizeof bytes; k++) {
            char *copy = malloc(sizeof all - 1);
            assert_non_null(copy);
            memcpy(copy, all, sizeof all - 1);
            copy[i] = bytes[k];
            const char *at = copy, *end = copy + sizeof all - 1;
            nats_frame_t frame;
            for (long used; (used = nats_frame_read(at, (size_t)(end - at), &frame)) > 0;) {
                assert_true(frame.payload >= at);
                at += used;
                assert_true(at <= end);
                assert_true(frame.payload + frame.payload_bytes <= at);
                (void)nats_frame_status(&frame);
            }
            free(copy);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_decimal_digits_alone),
        cmocka_unit_test(headers_are_those_of_the_layout),
        cmocka_unit_test(headers_of_a_topic_that_makes_no_id_are_refused),
        cmocka_unit_test(a_message_goes_out_as_the_protocol_wants_it),
        cmocka_unit_test(what_a_server_says_is_read_and_waited_for_until_it_is_whole),
        cmocka_unit_test(what_no_server_says_is_refused),
        cmocka_unit_test(no_change_of_a_byte_leads_out_of_the_bytes_that_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
