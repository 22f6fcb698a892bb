/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/layout.h"

#include <stdio.h>
#include <string.h>

#define ROOT       "tickbus."
#define SYMBOL_MAX 8u

/* By the table of ASCII, not by that of a locale. */
static bool is_plain(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

bool nats_escape(const char *text, size_t bytes, char *out, size_t room, size_t *used)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t need = 0, at = *used;
    for (size_t i = 0; i < bytes; i++)
        need += is_plain((unsigned char)text[i]) ? 1 : 3;
    if (at >= room || need >= room - at)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if (is_plain(c)) {
            out[at++] = (char)c;
            continue;
        }
        out[at++] = '%';
        out[at++] = digits[c >> 4];
        out[at++] = digits[c & 15];
    }
    out[at] = 0;
    *used = at;
    return true;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool nats_unescape(const char *token, size_t bytes, char *out, size_t room)
{
    char text[NATS_SUBJECT_MAX];
    size_t at = 0;
    for (size_t i = 0; i < bytes; i++) {
        int c = (unsigned char)token[i];
        if (c == '%') {
            int high = i + 2 < bytes ? digit(token[i + 1]) : -1;
            int low = high >= 0 ? digit(token[i + 2]) : -1;
            if (low < 0)
                return false;
            c = high << 4 | low;
            i += 2;
            /* A zero would end the text, and what needs no escape has one spelling only. */
            if (c == 0 || is_plain((unsigned char)c))
                return false;
        } else if (!is_plain((unsigned char)c)) {
            return false;
        }
        if (at + 1 >= room || at + 1 >= sizeof text)
            return false;
        text[at++] = (char)c;
    }
    if (room == 0)
        return false;
    memcpy(out, text, at);
    out[at] = 0;
    return true;
}

static bool put(const char *text, char *out, size_t room, size_t *used)
{
    size_t bytes = strlen(text);
    if (bytes >= room - *used)
        return false;
    memcpy(out + *used, text, bytes + 1);
    *used += bytes;
    return true;
}

bool nats_stream_name(const char *bus, const char *session, char out[NATS_STREAM_MAX])
{
    size_t used = 0;
    return *bus && nats_escape(bus, strlen(bus), out, NATS_STREAM_MAX, &used) &&
           (!session || (put("-", out, NATS_STREAM_MAX, &used) &&
                         nats_escape(session, strlen(session), out, NATS_STREAM_MAX, &used)));
}

bool nats_stream_check(const char *stream)
{
    char name[NATS_STREAM_MAX];
    return *stream && nats_unescape(stream, strlen(stream), name, sizeof name);
}

static bool begin(const char *stream, char out[NATS_SUBJECT_MAX], size_t *used)
{
    return nats_stream_check(stream) && put(ROOT, out, NATS_SUBJECT_MAX, used) &&
           put(stream, out, NATS_SUBJECT_MAX, used) && put(".", out, NATS_SUBJECT_MAX, used);
}

static bool begin_topic(const char *stream, const char *topic, char out[NATS_SUBJECT_MAX],
                        size_t *used)
{
    return *topic && begin(stream, out, used) &&
           nats_escape(topic, strlen(topic), out, NATS_SUBJECT_MAX, used);
}

static size_t symbol_bytes(const char *symbol)
{
    size_t bytes = strnlen(symbol, SYMBOL_MAX);
    while (bytes && symbol[bytes - 1] == ' ')
        bytes--;
    return bytes;
}

bool nats_subject_add_symbol(char subject[NATS_SUBJECT_MAX], size_t used, const char *symbol)
{
    size_t bytes = symbol_bytes(symbol), at = used;
    if (bytes && put(".", subject, NATS_SUBJECT_MAX, &at) &&
        nats_escape(symbol, bytes, subject, NATS_SUBJECT_MAX, &at))
        return true;
    subject[used] = 0;
    return false;
}

bool nats_subject(const char *stream, const char *topic, const char *symbol,
                  char out[NATS_SUBJECT_MAX])
{
    size_t used = 0;
    return begin_topic(stream, topic, out, &used) &&
           (!symbol || symbol_bytes(symbol) == 0 || nats_subject_add_symbol(out, used, symbol));
}

bool nats_subject_all(const char *stream, char out[NATS_SUBJECT_MAX])
{
    size_t used = 0;
    return begin(stream, out, &used) && put(">", out, NATS_SUBJECT_MAX, &used);
}

bool nats_subject_symbols(const char *stream, const char *topic, char out[NATS_SUBJECT_MAX])
{
    size_t used = 0;
    return begin_topic(stream, topic, out, &used) && put(".>", out, NATS_SUBJECT_MAX, &used);
}

bool nats_subject_read(const char *stream, const char *subject, char out_topic[NATS_TOPIC_MAX],
                       char out_symbol[NATS_TOPIC_MAX])
{
    char prefix[NATS_SUBJECT_MAX], topic[NATS_TOPIC_MAX], symbol[NATS_TOPIC_MAX] = "";
    size_t used = 0;
    if (!begin(stream, prefix, &used) || strncmp(subject, prefix, used) != 0)
        return false;
    const char *at = subject + used, *dot = strchr(at, '.');
    size_t bytes = dot ? (size_t)(dot - at) : strlen(at);
    if (bytes == 0 || !nats_unescape(at, bytes, topic, sizeof topic))
        return false;
    if (dot && (dot[1] == 0 || !nats_unescape(dot + 1, strlen(dot + 1), symbol, sizeof symbol)))
        return false;
    memcpy(out_topic, topic, sizeof topic);
    memcpy(out_symbol, symbol, sizeof symbol);
    return true;
}

bool nats_id(const char *session, const char *topic, uint64_t seq, bool end, char out[NATS_ID_MAX])
{
    size_t used = 0;
    char number[NATS_NUMBER_MAX + 1];
    number[nats_number_put(seq, number)] = 0;
    return put(session, out, NATS_ID_MAX, &used) && put(".", out, NATS_ID_MAX, &used) &&
           nats_escape(topic, strlen(topic), out, NATS_ID_MAX, &used) &&
           put(".", out, NATS_ID_MAX, &used) &&
           put(end ? NATS_ID_END : number, out, NATS_ID_MAX, &used);
}

bool nats_id_read(const char *text, nats_id_parts_t *out_parts)
{
    nats_id_parts_t parts = {0};
    const char *dot = strchr(text, '.'), *last = strrchr(text, '.');
    if (!dot || last == dot)
        return false;
    if (dot == text || !nats_unescape(text, (size_t)(dot - text), parts.session, NATS_SESSION_MAX))
        return false;
    if (last == dot + 1 ||
        !nats_unescape(dot + 1, (size_t)(last - dot - 1), parts.topic, NATS_TOPIC_MAX))
        return false;
    parts.end = strcmp(last + 1, NATS_ID_END) == 0;
    if (!parts.end && !nats_number_read(last + 1, &parts.seq))
        return false;
    *out_parts = parts;
    return true;
}

size_t nats_number_put(uint64_t number, char out[NATS_NUMBER_MAX])
{
    char digits[NATS_NUMBER_MAX];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

size_t nats_digits_read(const char *at, const char *end, uint64_t *out_number)
{
    const char *from = at;
    uint64_t number = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        unsigned value = (unsigned)(*at - '0');
        if (number > (UINT64_MAX - value) / 10)
            return 0;
        number = number * 10 + value;
    }
    *out_number = number;
    return (size_t)(at - from);
}

bool nats_number_read(const char *text, uint64_t *out_number)
{
    uint64_t number;
    size_t bytes = strlen(text);
    if (bytes == 0 || nats_digits_read(text, text + bytes, &number) != bytes)
        return false;
    *out_number = number;
    return true;
}

void nats_description_text(const nats_description_t *d, char out[NATS_DESCRIPTION_MAX])
{
    char bus[3 * NATS_TOPIC_MAX] = "";
    size_t used = 0;
    (void)nats_escape(d->bus, strlen(d->bus), bus, sizeof bus, &used);
    snprintf(out, NATS_DESCRIPTION_MAX, "tickbus layout=%u session=%s bus=%s", d->layout,
             d->session, bus);
}

/* The value behind `key`, up to the next space. */
static bool value_of(const char *text, const char *key, char *out, size_t room)
{
    const char *at = strstr(text, key);
    if (!at)
        return false;
    at += strlen(key);
    return nats_unescape(at, strcspn(at, " "), out, room);
}

bool nats_description_read(const char *text, nats_description_t *out_description)
{
    nats_description_t d = {0};
    char layout[16];
    uint64_t number;
    if (!text || strncmp(text, "tickbus ", 8) != 0 ||
        !value_of(text, " layout=", layout, sizeof layout) || !nats_number_read(layout, &number) ||
        number > UINT32_MAX || !value_of(text, " session=", d.session, sizeof d.session) ||
        !value_of(text, " bus=", d.bus, sizeof d.bus))
        return false;
    d.layout = (uint32_t)number;
    *out_description = d;
    return true;
}
