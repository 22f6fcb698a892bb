/* SPDX-License-Identifier: Apache-2.0 */
/* The packets of SoupBinTCP: to bytes and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <tickbus/error.h>

#include "bus/wire/soup.h"
#include "tests/market_data.h"

/* Each field as it is on the wire, written by hand. */
static void a_login_is_laid_out_as_the_specification_says(void **state)
{
    (void)state;
    uint8_t packet[SOUP_LOGIN_410_BYTES];
    soup_login_t login = {
        .user = "USER01", .password = "secret", .session = "SESS01", .sequence = 42};
    static const char in_300[] = "\0\x2fL"
                                 "USER01"
                                 "secret    "
                                 "    SESS01"
                                 "                  42";
    assert_int_equal(soup_put_login(packet, &login), 49);
    assert_memory_equal(packet, in_300, 49);

    login.heartbeat_timeout_ms = 250;
    assert_int_equal(soup_put_login(packet, &login), 54);
    assert_memory_equal(packet + 3, in_300 + 3, 46);
    assert_memory_equal(packet, "\0\x34L", 3);
    assert_memory_equal(packet + 49, "  250", 5);

    login = (soup_login_t){.sequence_blank = true};
    assert_int_equal(soup_put_login(packet, &login), 49);
    for (size_t i = 3; i < 49; i++)
        assert_int_equal(packet[i], ' ');
}

static void an_answer_is_laid_out_as_the_specification_says(void **state)
{
    (void)state;
    uint8_t packet[SOUP_ACCEPTED_BYTES];
    soup_accepted_t accepted = {.session = "DAY0000001", .sequence = UINT64_MAX};
    assert_int_equal(soup_put_accepted(packet, &accepted), 33);
    assert_memory_equal(packet,
                        "\0\x1f"
                        "ADAY000000118446744073709551615",
                        33);

    assert_int_equal(soup_put_rejected(packet, SOUP_SESSION_NOT_AVAILABLE), 4);
    assert_memory_equal(packet, "\0\x02JS", 4);
}

static void a_header_counts_the_type_and_the_payload(void **state)
{
    (void)state;
    static const struct {
        size_t payload;
        uint8_t bytes[3];
    } cases[] = {{0, {0, 1, 'S'}}, {5, {0, 6, 'S'}}, {255, {1, 0, 'S'}}, {65534, {255, 255, 'S'}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t header[3];
        assert_int_equal(soup_put_header(header, SOUP_SEQUENCED, cases[i].payload),
                         3 + cases[i].payload);
        assert_memory_equal(header, cases[i].bytes, 3);
        assert_int_equal(soup_length(header), 1 + cases[i].payload);
    }
}

static void whatever_a_login_says_is_read_again(void **state)
{
    (void)state;
    static const soup_login_t logins[] = {
        {.user = "", .password = "", .session = "", .sequence_blank = true},
        {.user = "a", .password = "b c", .session = "7", .sequence = 0},
        {.user = "abcdef", .password = "0123456789", .session = "ABCDEFGHIJ", .sequence = 1},
        {.user = " x", .password = " y", .session = "s", .sequence = UINT64_MAX},
        {.user = "u", .password = "p", .session = "", .sequence = 5, .heartbeat_timeout_ms = 1},
        {.user = "u", .password = "p", .session = "", .sequence = 5, .heartbeat_timeout_ms = 99999},
    };
    for (size_t i = 0; i < sizeof logins / sizeof logins[0]; i++) {
        uint8_t packet[SOUP_LOGIN_410_BYTES];
        soup_login_t again;
        size_t bytes = soup_put_login(packet, &logins[i]);
        assert_int_equal(soup_parse_login(packet, bytes, &again), 0);
        assert_string_equal(again.user, logins[i].user);
        assert_string_equal(again.password, logins[i].password);
        assert_string_equal(again.session, logins[i].session);
        assert_int_equal(again.sequence_blank, logins[i].sequence_blank);
        assert_true(again.sequence == logins[i].sequence);
        assert_int_equal(again.heartbeat_timeout_ms, logins[i].heartbeat_timeout_ms);
    }
}

static void fields_aligned_the_other_way_are_read_too(void **state)
{
    (void)state;
    static const struct {
        const char *session, *sequence;
        const char *read_session;
        uint64_t read_sequence;
    } cases[] = {
        {"S1        ", "1                   ", "S1", 1},
        {"        S1", "                   1", "S1", 1},
        {"   S1     ", "         12         ", "S1", 12},
        {"          ", "00000000000000000007", "", 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t packet[SOUP_LOGIN_410_BYTES], answer[SOUP_ACCEPTED_BYTES] = {0, 31, 'A'};
        soup_login_t login = {.user = "u"};
        soup_accepted_t accepted;
        soup_put_login(packet, &login);
        memcpy(packet + 19, cases[i].session, 10);
        memcpy(packet + 29, cases[i].sequence, 20);
        memcpy(answer + 3, packet + 19, 30);
        assert_int_equal(soup_parse_login(packet, SOUP_LOGIN_BYTES, &login), 0);
        assert_string_equal(login.session, cases[i].read_session);
        assert_int_equal(login.sequence, cases[i].read_sequence);
        assert_int_equal(soup_parse_accepted(answer, sizeof answer, &accepted), 0);
        assert_string_equal(accepted.session, cases[i].read_session);
        assert_int_equal(accepted.sequence, cases[i].read_sequence);
    }
}

static void fields_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        const char *text;
    } changes[] = {
        {3, "us\tr"},                 /* a user with a control character */
        {9, "p\xc3\xa9"},             /* a password that is no ASCII */
        {19, "SESS\x7f"},             /* a session with DEL */
        {29, "                  1x"}, /* sequences: a letter, */
        {29, "                  -1"}, /* a sign, */
        {29, "               1 000"}, /* two numbers, */
        {29, "18446744073709551616"}, /* one more than the largest, */
        {29, "99999999999999999999"}, /* many more */
        {49, "1s"},                   /* a timeout with a unit */
    };
    uint8_t good[SOUP_LOGIN_410_BYTES], packet[SOUP_LOGIN_410_BYTES];
    soup_login_t login = {.user = "u", .sequence = 1, .heartbeat_timeout_ms = 1000}, out;
    size_t bytes = soup_put_login(good, &login);
    assert_int_equal(soup_parse_login(good, bytes, &out), 0);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        memcpy(packet, good, sizeof good);
        memcpy(packet + changes[i].at, changes[i].text, strlen(changes[i].text));
        memset(&out, 7, sizeof out);
        assert_int_equal(soup_parse_login(packet, bytes, &out), -TBUS_EFORMAT);
        assert_int_equal(out.user[0], 7); /* nothing is written */
        if (changes[i].at == 19 || changes[i].at == 29) {
            uint8_t answer[SOUP_ACCEPTED_BYTES] = {0, 31, 'A'};
            soup_accepted_t accepted;
            memcpy(answer + 3, packet + 19, 30);
            assert_int_equal(soup_parse_accepted(answer, sizeof answer, &accepted), -TBUS_EFORMAT);
        }
    }
    for (size_t wrong = 0; wrong <= sizeof good; wrong++)
        if (wrong != bytes)
            assert_int_equal(soup_parse_login(good, wrong, &out), -TBUS_EFORMAT);
    uint8_t blank[SOUP_ACCEPTED_BYTES] = {0, 31, 'A'};
    soup_accepted_t accepted;
    memset(blank + 3, ' ', 30);
    assert_int_equal(soup_parse_accepted(blank, sizeof blank, &accepted), -TBUS_EFORMAT);
}

static void a_debug_packet_holds_ascii_and_no_more_than_there_is_room_for(void **state)
{
    (void)state;
    uint8_t packet[3 + 12];
    memset(packet, 0, sizeof packet);
    assert_int_equal(soup_put_debug(packet, sizeof packet, "l\xc3\xa9g\n~"), 9);
    assert_memory_equal(packet, "\0\7+l??g?~", 9);
    assert_int_equal(soup_put_debug(packet, 7, "lagging"), 7);
    assert_memory_equal(packet, "\0\5+lagg", 7);
    assert_int_equal(soup_put_debug(packet, 3, "lagging"), 3);
    assert_memory_equal(packet, "\0\1+", 3);

    uint8_t *large = malloc(SOUP_PACKET_MAX + 100);
    char *text = malloc(70001);
    memset(text, 'x', 70000);
    text[70000] = 0;
    assert_int_equal(soup_put_debug(large, SOUP_PACKET_MAX + 100, text), SOUP_PACKET_MAX);
    free(text);
    free(large);
}

/* "0a1b" to bytes. */
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

static const char *text_of(json_t *fields, const char *name)
{
    const char *text = json_string_value(json_object_get(fields, name));
    assert_non_null(text);
    return text;
}

static void check_login(const uint8_t *packet, size_t bytes, json_t *fields)
{
    soup_login_t login;
    assert_int_equal(soup_parse_login(packet, bytes, &login), 0);
    assert_string_equal(login.user, text_of(fields, "username"));
    assert_string_equal(login.password, text_of(fields, "password"));
    assert_string_equal(login.session, text_of(fields, "requested_session"));
    assert_int_equal(login.sequence,
                     json_integer_value(json_object_get(fields, "requested_sequence")));
    assert_int_equal(login.heartbeat_timeout_ms,
                     json_integer_value(json_object_get(fields, "heartbeat_timeout_ms")));
}

static void the_vectors_of_other_implementations_are_read(void **state)
{
    (void)state;
    char path[MARKET_DATA_PATH_MAX];
    if (!market_data_path("vectors/soupbintcp.json", path))
        skip();
    json_t *vectors = json_load_file(path, 0, NULL), *vector;
    assert_non_null(vectors);
    size_t i, logins = 0, answers = 0;
    json_array_foreach(vectors, i, vector)
    {
        uint8_t packet[100];
        json_t *fields = json_object_get(vector, "fields");
        size_t bytes = from_hex(text_of(vector, "hex"), packet, sizeof packet);
        assert_int_equal(soup_length(packet) + SOUP_LENGTH_BYTES, bytes);
        assert_int_equal(packet[2], text_of(vector, "type")[0]);
        if (packet[2] == SOUP_LOGIN) {
            check_login(packet, bytes, fields);
            logins++;
        } else if (packet[2] == SOUP_ACCEPTED) {
            soup_accepted_t accepted;
            assert_int_equal(soup_parse_accepted(packet, bytes, &accepted), 0);
            assert_string_equal(accepted.session, text_of(fields, "session"));
            assert_int_equal(accepted.sequence,
                             json_integer_value(json_object_get(fields, "sequence")));
            answers++;
        }
    }
    json_decref(vectors);
    assert_true(logins >= 4 && answers >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_is_laid_out_as_the_specification_says),
        cmocka_unit_test(an_answer_is_laid_out_as_the_specification_says),
        cmocka_unit_test(a_header_counts_the_type_and_the_payload),
        cmocka_unit_test(whatever_a_login_says_is_read_again),
        cmocka_unit_test(fields_aligned_the_other_way_are_read_too),
        cmocka_unit_test(fields_that_cannot_be_are_refused),
        cmocka_unit_test(a_debug_packet_holds_ascii_and_no_more_than_there_is_room_for),
        cmocka_unit_test(the_vectors_of_other_implementations_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
