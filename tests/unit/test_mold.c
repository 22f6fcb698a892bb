/* SPDX-License-Identifier: Apache-2.0 */
/* The packets of MoldUDP64: to bytes and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "bus/wire/mold.h"
#include "tests/market_data.h"

static const uint8_t session[MOLD_SESSION_BYTES] = "SESSION001";

/* By hand: sequence 5, "abc" and a message of no bytes. */
static const uint8_t two_messages[] = "SESSION001"
                                      "\0\0\0\0\0\0\0\5"
                                      "\0\2"
                                      "\0\3abc"
                                      "\0\0";
#define TWO_BYTES (sizeof two_messages - 1)

static void a_packet_is_laid_out_as_the_specification_says(void **state)
{
    (void)state;
    uint8_t datagram[TWO_BYTES];
    mold_writer_t w;
    mold_begin(&w, datagram, sizeof datagram, session, 5);
    assert_int_equal(w.bytes, 20);
    assert_true(mold_add(&w, "abc", 3));
    assert_true(mold_add(&w, NULL, 0));
    assert_int_equal(w.bytes, TWO_BYTES);
    assert_memory_equal(datagram, two_messages, TWO_BYTES);
    assert_false(mold_add(&w, NULL, 0)); /* no room, not even for a length */
    assert_memory_equal(datagram, two_messages, TWO_BYTES);

    uint8_t header[MOLD_HEADER_BYTES];
    mold_put_header(header, session, UINT64_C(0x0102030405060708), MOLD_END_OF_SESSION);
    assert_memory_equal(header, "SESSION001\1\2\3\4\5\6\7\10\xff\xff", 20);
}

static void its_messages_are_read_in_place(void **state)
{
    (void)state;
    mold_packet_t packet;
    const uint8_t *message;
    size_t bytes;
    assert_int_equal(mold_parse(two_messages, TWO_BYTES, &packet), MOLD_GOOD);
    assert_memory_equal(packet.session, session, 10);
    assert_int_equal(packet.kind, MOLD_DATA);
    assert_int_equal(packet.sequence, 5);
    assert_int_equal(packet.count, 2);
    const uint8_t *at = mold_next(packet.blocks, &message, &bytes);
    assert_ptr_equal(message, two_messages + 22);
    assert_int_equal(bytes, 3);
    at = mold_next(at, &message, &bytes);
    assert_int_equal(bytes, 0);
    assert_ptr_equal(at, two_messages + TWO_BYTES);
}

static void a_heartbeat_and_an_end_have_no_messages(void **state)
{
    (void)state;
    uint8_t header[MOLD_HEADER_BYTES];
    mold_packet_t packet;
    mold_put_header(header, session, UINT64_MAX, 0);
    assert_int_equal(mold_parse(header, 20, &packet), MOLD_GOOD);
    assert_int_equal(packet.kind, MOLD_HEARTBEAT);
    assert_int_equal(packet.count, 0);
    assert_true(packet.sequence == UINT64_MAX);
    mold_put_header(header, session, 7, MOLD_END_OF_SESSION);
    assert_int_equal(mold_parse(header, 20, &packet), MOLD_GOOD);
    assert_int_equal(packet.kind, MOLD_END);
    assert_int_equal(packet.count, 0); /* not 65,535 messages */
    assert_int_equal(packet.sequence, 7);
}

/* Cut at every byte, a byte longer, and with every length one more or less. */
static void what_does_not_fit_is_refused_by_name(void **state)
{
    (void)state;
    uint8_t datagram[TWO_BYTES + 1] = {0};
    mold_packet_t packet = {.count = 4711};
    for (size_t bytes = 0; bytes < TWO_BYTES; bytes++) {
        uint8_t *exact = malloc(bytes ? bytes : 1); /* so that a read beyond it is seen */
        memcpy(exact, two_messages, bytes);
        enum mold_fault fault = mold_parse(exact, bytes, &packet);
        free(exact);
        assert_int_equal(fault, bytes < 20                  ? MOLD_SHORT
                                : bytes < 22 || bytes >= 25 ? MOLD_MISSING
                                                            : MOLD_OVERRUN);
    }
    memcpy(datagram, two_messages, TWO_BYTES);
    assert_int_equal(mold_parse(datagram, TWO_BYTES + 1, &packet), MOLD_TRAILING);
    datagram[19] = 3;
    assert_int_equal(mold_parse(datagram, TWO_BYTES, &packet), MOLD_MISSING);
    datagram[19] = 1;
    assert_int_equal(mold_parse(datagram, TWO_BYTES, &packet), MOLD_TRAILING);
    datagram[19] = 0;
    assert_int_equal(mold_parse(datagram, TWO_BYTES, &packet), MOLD_TRAILING);
    datagram[18] = datagram[19] = 0xff;
    assert_int_equal(mold_parse(datagram, TWO_BYTES, &packet), MOLD_TRAILING);
    memcpy(datagram, two_messages, TWO_BYTES);
    datagram[21] = 6;
    assert_int_equal(mold_parse(datagram, TWO_BYTES, &packet), MOLD_OVERRUN);
    datagram[20] = 0xff;
    assert_int_equal(mold_parse(datagram, TWO_BYTES, &packet), MOLD_OVERRUN);
    memcpy(datagram, two_messages, TWO_BYTES);
    memset(datagram + 10, 0xff, 8);
    assert_int_equal(mold_parse(datagram, TWO_BYTES, &packet), MOLD_SEQUENCE_OVERFLOW);
    datagram[17] = 0xfe;
    assert_int_equal(mold_parse(datagram, TWO_BYTES, &packet), MOLD_SEQUENCE_OVERFLOW);
    assert_int_equal(packet.count, 4711); /* none of them has written anything */
    datagram[17] = 0xfd;
    assert_int_equal(mold_parse(datagram, TWO_BYTES, &packet), MOLD_GOOD);
    for (unsigned i = 0; i < MOLD_FAULTS; i++)
        assert_true(strlen(mold_fault_text((enum mold_fault)i)) > 9);
}

static void a_request_has_twenty_bytes_and_asks_for_something(void **state)
{
    (void)state;
    uint8_t datagram[MOLD_HEADER_BYTES + 1] = {0};
    mold_request_t request = {.count = 0};
    mold_put_header(datagram, session, 3, 65535);
    assert_int_equal(mold_parse_request(datagram, 20, &request), MOLD_GOOD);
    assert_memory_equal(request.session, session, 10);
    assert_int_equal(request.sequence, 3);
    assert_int_equal(request.count, 65535);
    assert_int_equal(mold_parse_request(datagram, 19, &request), MOLD_SHORT);
    assert_int_equal(mold_parse_request(datagram, 21, &request), MOLD_TRAILING);
    mold_put_header(datagram, session, 0, 1);
    assert_int_equal(mold_parse_request(datagram, 20, &request), MOLD_SEQUENCE_ZERO);
    mold_put_header(datagram, session, 1, 0);
    assert_int_equal(mold_parse_request(datagram, 20, &request), MOLD_NOTHING_ASKED);
    assert_int_equal(request.count, 65535);
}

static void a_packet_takes_messages_up_to_its_room_and_its_count(void **state)
{
    (void)state;
    uint8_t *datagram = malloc(MOLD_HEADER_BYTES + 2 * 70000);
    uint8_t *message = calloc(1, 65536);
    mold_packet_t packet;
    mold_writer_t w;
    mold_begin(&w, datagram, MOLD_DATAGRAM_USUAL, session, 1);
    uint32_t count = 0;
    while (mold_fits(&w, 36)) {
        assert_true(mold_add(&w, message, 36));
        count++;
    }
    assert_int_equal(count, (1400 - 20) / 38);
    assert_false(mold_add(&w, message, 36));
    assert_int_equal(mold_parse(datagram, w.bytes, &packet), MOLD_GOOD);
    assert_int_equal(packet.count, count);

    /* 65,535 in the place of the count is an end, so the last count is one less */
    mold_begin(&w, datagram, MOLD_HEADER_BYTES + 2 * 70000, session, 1);
    for (uint32_t i = 0; i < 65534; i++)
        assert_true(mold_add(&w, message, 0));
    assert_false(mold_add(&w, message, 0));
    assert_int_equal(mold_parse(datagram, w.bytes, &packet), MOLD_GOOD);
    assert_int_equal(packet.kind, MOLD_DATA);
    assert_int_equal(packet.count, 65534);

    mold_begin(&w, datagram, MOLD_HEADER_BYTES + 2 * 70000, session, 1);
    assert_false(mold_add(&w, message, 65536)); /* more than its length field can say */
    assert_true(mold_add(&w, message, 65535));
    assert_int_equal(mold_parse(datagram, w.bytes, &packet), MOLD_GOOD);
    free(message);
    free(datagram);
}

static void a_session_is_padded_on_its_right_and_printable_for_people(void **state)
{
    (void)state;
    uint8_t padded[MOLD_SESSION_BYTES];
    char text[MOLD_SESSION_BYTES + 1];
    mold_session_put(padded, "DAY1");
    assert_memory_equal(padded, "DAY1      ", 10);
    mold_session_text(padded, text);
    assert_string_equal(text, "DAY1");
    mold_session_text((const uint8_t *)"A\n\x7f\xff B\0\0\0\0", text);
    assert_string_equal(text, "A... B");
    mold_session_text((const uint8_t *)"\0\0\0\0\0\0\0\0\0\0", text);
    assert_string_equal(text, "");
    mold_session_text(session, text);
    assert_string_equal(text, "SESSION001");
}

static size_t from_hex(const char *hex, uint8_t *out_bytes, size_t room)
{
    size_t bytes = strlen(hex) / 2;
    assert_true(bytes <= room);
    for (size_t i = 0; i < bytes; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out_bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return bytes;
}

static json_t *load_vectors(const char *name)
{
    char path[MARKET_DATA_PATH_MAX];
    if (!market_data_path(name, path))
        skip();
    json_t *vectors = json_load_file(path, 0, NULL);
    assert_non_null(vectors);
    return vectors;
}

static void the_vectors_of_other_implementations_are_read(void **state)
{
    (void)state;
    json_t *vectors = load_vectors("vectors/moldudp64.json"), *vector;
    size_t i, messages = 0;
    json_array_foreach(vectors, i, vector)
    {
        uint8_t datagram[200], expected[100];
        json_t *fields = json_object_get(vector, "fields");
        size_t bytes = from_hex(json_string_value(json_object_get(vector, "hex")), datagram, 200);
        json_int_t sequence = json_integer_value(json_object_get(fields, "sequence"));
        json_int_t count = json_integer_value(json_object_get(fields, "count"));
        const char *name = json_string_value(json_object_get(vector, "name"));
        if (strstr(name, "request")) {
            mold_request_t request;
            assert_int_equal(mold_parse_request(datagram, bytes, &request), MOLD_GOOD);
            assert_int_equal(request.sequence, sequence);
            assert_int_equal(request.count, count);
            continue;
        }
        mold_packet_t packet;
        assert_int_equal(mold_parse(datagram, bytes, &packet), MOLD_GOOD);
        assert_int_equal(packet.sequence, sequence);
        assert_int_equal(packet.kind == MOLD_END ? 65535 : packet.count, count);
        const uint8_t *at = packet.blocks, *message;
        for (size_t m = 0; m < packet.count; m++, messages++) {
            size_t is;
            at = mold_next(at, &message, &is);
            json_t *hex = json_array_get(json_object_get(fields, "messages_hex"), m);
            assert_int_equal(is, from_hex(json_string_value(hex), expected, 100));
            assert_memory_equal(message, expected, is);
        }
    }
    assert_true(i >= 4 && messages >= 2);
    json_decref(vectors);
}

static void the_invalid_vectors_of_other_implementations_are_refused(void **state)
{
    (void)state;
    json_t *vectors = load_vectors("vectors/moldudp64_invalid.json"), *vector;
    size_t i;
    json_array_foreach(vectors, i, vector)
    {
        uint8_t datagram[200];
        mold_packet_t packet;
        size_t bytes = from_hex(json_string_value(json_object_get(vector, "hex")), datagram, 200);
        assert_int_not_equal(mold_parse(datagram, bytes, &packet), MOLD_GOOD);
    }
    assert_true(i >= 4);
    json_decref(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_is_laid_out_as_the_specification_says),
        cmocka_unit_test(its_messages_are_read_in_place),
        cmocka_unit_test(a_heartbeat_and_an_end_have_no_messages),
        cmocka_unit_test(what_does_not_fit_is_refused_by_name),
        cmocka_unit_test(a_request_has_twenty_bytes_and_asks_for_something),
        cmocka_unit_test(a_packet_takes_messages_up_to_its_room_and_its_count),
        cmocka_unit_test(a_session_is_padded_on_its_right_and_printable_for_people),
        cmocka_unit_test(the_vectors_of_other_implementations_are_read),
        cmocka_unit_test(the_invalid_vectors_of_other_implementations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
