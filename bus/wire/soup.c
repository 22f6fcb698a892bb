/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/wire/soup.h"

#include <assert.h>
#include <string.h>

#include <tickbus/error.h>

#define SEQUENCE_BYTES 20u /* as many digits as UINT64_MAX has */
#define TIMEOUT_BYTES  5u
#define TIMEOUT_MAX    99999u

/* Where the fields are in a packet. */
enum {
    USER_AT = SOUP_HEADER_BYTES,
    PASSWORD_AT = USER_AT + SOUP_USER_BYTES,
    SESSION_AT = PASSWORD_AT + SOUP_PASSWORD_BYTES,
    SEQUENCE_AT = SESSION_AT + SOUP_SESSION_BYTES,
    TIMEOUT_AT = SEQUENCE_AT + SEQUENCE_BYTES,
    ACCEPTED_SESSION_AT = SOUP_HEADER_BYTES,
    ACCEPTED_SEQUENCE_AT = ACCEPTED_SESSION_AT + SOUP_SESSION_BYTES
};
_Static_assert(TIMEOUT_AT == 49 && TIMEOUT_AT == SOUP_LOGIN_BYTES, "a login of 3.00");
_Static_assert(TIMEOUT_AT + TIMEOUT_BYTES == SOUP_LOGIN_410_BYTES, "a login of 4.10");
_Static_assert(ACCEPTED_SEQUENCE_AT + SEQUENCE_BYTES == SOUP_ACCEPTED_BYTES, "an answer");

static bool printable(uint8_t byte)
{
    return byte >= 0x20 && byte <= 0x7e;
}

static void put_left(uint8_t *to, size_t room, const char *text)
{
    size_t bytes = strlen(text);
    assert(bytes <= room);
    memset(to, ' ', room);
    memcpy(to, text, bytes);
}

static void put_right(uint8_t *to, size_t room, const char *text)
{
    size_t bytes = strlen(text);
    assert(bytes <= room);
    memset(to, ' ', room);
    memcpy(to + room - bytes, text, bytes);
}

static void put_number(uint8_t *to, size_t room, uint64_t number)
{
    memset(to, ' ', room);
    do {
        assert(room > 0);
        to[--room] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number);
}

static size_t without_padding(const uint8_t *field, size_t bytes)
{
    while (bytes && field[bytes - 1] == ' ')
        bytes--;
    return bytes;
}

/* The field without the spaces around it. */
static void strip(const uint8_t **field, size_t *bytes)
{
    *bytes = without_padding(*field, *bytes);
    while (*bytes && **field == ' ') {
        ++*field;
        --*bytes;
    }
}

static int copy_text(const uint8_t *field, size_t bytes, char *out_text)
{
    for (size_t i = 0; i < bytes; i++)
        if (!printable(field[i]))
            return -TBUS_EFORMAT;
    memcpy(out_text, field, bytes);
    out_text[bytes] = 0;
    return 0;
}

/* A user or a password: left aligned. */
static int parse_left(const uint8_t *field, size_t bytes, char *out_text)
{
    return copy_text(field, without_padding(field, bytes), out_text);
}

/* A session: right aligned, and read when it is left aligned. */
static int parse_session(const uint8_t *field, char *out_text)
{
    size_t bytes = SOUP_SESSION_BYTES;
    strip(&field, &bytes);
    return copy_text(field, bytes, out_text);
}

static int parse_number(const uint8_t *field, size_t bytes, uint64_t max, bool *out_blank,
                        uint64_t *out_number)
{
    uint64_t number = 0;
    strip(&field, &bytes);
    for (size_t i = 0; i < bytes; i++) {
        unsigned digit = (unsigned)field[i] - '0';
        if (digit > 9 || number > max / 10 || number * 10 > max - digit)
            return -TBUS_EFORMAT;
        number = number * 10 + digit;
    }
    *out_blank = bytes == 0;
    *out_number = number;
    return 0;
}

size_t soup_put_debug(uint8_t *to, size_t room, const char *text)
{
    assert(room >= SOUP_HEADER_BYTES);
    size_t bytes = strlen(text);
    if (bytes > room - SOUP_HEADER_BYTES)
        bytes = room - SOUP_HEADER_BYTES;
    if (bytes > SOUP_PAYLOAD_MAX)
        bytes = SOUP_PAYLOAD_MAX;
    uint8_t *payload = to + SOUP_HEADER_BYTES;
    for (size_t i = 0; i < bytes; i++)
        payload[i] = printable((uint8_t)text[i]) ? (uint8_t)text[i] : '?';
    return soup_put_header(to, SOUP_DEBUG, bytes);
}

size_t soup_put_login(uint8_t to[SOUP_LOGIN_410_BYTES], const soup_login_t *login)
{
    assert(login->heartbeat_timeout_ms <= TIMEOUT_MAX);
    size_t bytes = login->heartbeat_timeout_ms ? SOUP_LOGIN_410_BYTES : SOUP_LOGIN_BYTES;
    soup_put_header(to, SOUP_LOGIN, bytes - SOUP_HEADER_BYTES);
    put_left(to + USER_AT, SOUP_USER_BYTES, login->user);
    put_left(to + PASSWORD_AT, SOUP_PASSWORD_BYTES, login->password);
    put_right(to + SESSION_AT, SOUP_SESSION_BYTES, login->session);
    if (login->sequence_blank)
        memset(to + SEQUENCE_AT, ' ', SEQUENCE_BYTES);
    else
        put_number(to + SEQUENCE_AT, SEQUENCE_BYTES, login->sequence);
    if (login->heartbeat_timeout_ms)
        put_number(to + TIMEOUT_AT, TIMEOUT_BYTES, login->heartbeat_timeout_ms);
    return bytes;
}

int soup_parse_login(const uint8_t *packet, size_t bytes, soup_login_t *out_login)
{
    soup_login_t login = {0};
    bool blank;
    uint64_t timeout = 0;
    if ((bytes != SOUP_LOGIN_BYTES && bytes != SOUP_LOGIN_410_BYTES) ||
        soup_length(packet) != bytes - SOUP_LENGTH_BYTES || packet[2] != SOUP_LOGIN)
        return -TBUS_EFORMAT;
    if (parse_left(packet + USER_AT, SOUP_USER_BYTES, login.user) < 0 ||
        parse_left(packet + PASSWORD_AT, SOUP_PASSWORD_BYTES, login.password) < 0 ||
        parse_session(packet + SESSION_AT, login.session) < 0 ||
        parse_number(packet + SEQUENCE_AT, SEQUENCE_BYTES, UINT64_MAX, &login.sequence_blank,
                     &login.sequence) < 0)
        return -TBUS_EFORMAT;
    if (bytes == SOUP_LOGIN_410_BYTES &&
        parse_number(packet + TIMEOUT_AT, TIMEOUT_BYTES, TIMEOUT_MAX, &blank, &timeout) < 0)
        return -TBUS_EFORMAT;
    login.heartbeat_timeout_ms = (uint32_t)timeout;
    *out_login = login;
    return 0;
}

size_t soup_put_accepted(uint8_t to[SOUP_ACCEPTED_BYTES], const soup_accepted_t *accepted)
{
    put_right(to + ACCEPTED_SESSION_AT, SOUP_SESSION_BYTES, accepted->session);
    put_number(to + ACCEPTED_SEQUENCE_AT, SEQUENCE_BYTES, accepted->sequence);
    return soup_put_header(to, SOUP_ACCEPTED, SOUP_ACCEPTED_BYTES - SOUP_HEADER_BYTES);
}

int soup_parse_accepted(const uint8_t *packet, size_t bytes, soup_accepted_t *out_accepted)
{
    soup_accepted_t accepted;
    bool blank;
    if (bytes != SOUP_ACCEPTED_BYTES || soup_length(packet) != bytes - SOUP_LENGTH_BYTES ||
        packet[2] != SOUP_ACCEPTED ||
        parse_session(packet + ACCEPTED_SESSION_AT, accepted.session) < 0 ||
        parse_number(packet + ACCEPTED_SEQUENCE_AT, SEQUENCE_BYTES, UINT64_MAX, &blank,
                     &accepted.sequence) < 0 ||
        blank)
        return -TBUS_EFORMAT;
    *out_accepted = accepted;
    return 0;
}

size_t soup_put_rejected(uint8_t to[SOUP_REJECTED_BYTES], char reason)
{
    to[SOUP_HEADER_BYTES] = (uint8_t)reason;
    return soup_put_header(to, SOUP_REJECTED, 1);
}
