/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/line.h"

#include <stdbool.h>
#include <string.h>

#define NS_PER_SECOND UINT64_C(1000000000)

void line_begin(line_t *line, FILE *out)
{
    line->out = out;
    line->used = 0;
}

void line_end(line_t *line)
{
    /* One thread writes the stream: its lock is not needed, and costs as much as the line. */
    if (line->used)
        fwrite_unlocked(line->bytes, 1, line->used, line->out);
    line->used = 0;
}

void line_char(line_t *line, char c)
{
    if (line->used == sizeof line->bytes)
        line_end(line);
    line->bytes[line->used++] = c;
}

static void line_chars(line_t *line, const char *chars, size_t count)
{
    while (count) {
        if (line->used == sizeof line->bytes)
            line_end(line);
        size_t room = sizeof line->bytes - line->used;
        size_t part = count < room ? count : room;
        memcpy(line->bytes + line->used, chars, part);
        line->used += part;
        chars += part;
        count -= part;
    }
}

void line_text(line_t *line, const char *text)
{
    line_chars(line, text, strlen(text));
}

void line_u64_wide(line_t *line, uint64_t value, unsigned digits)
{
    char text[20]; /* 2^64 - 1 has 20 digits */
    size_t at = sizeof text;
    if (digits > sizeof text)
        digits = sizeof text;
    while (value || sizeof text - at < digits) {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    }
    line_chars(line, text + at, sizeof text - at);
}

void line_u64(line_t *line, uint64_t value)
{
    line_u64_wide(line, value, 1);
}

void line_i64(line_t *line, int64_t value)
{
    if (value < 0)
        line_char(line, '-');
    line_u64(line, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void line_hex(line_t *line, const void *bytes, size_t count)
{
    const unsigned char *from = bytes;
    for (size_t i = 0; i < count; i++) {
        line_char(line, "0123456789abcdef"[from[i] >> 4]);
        line_char(line, "0123456789abcdef"[from[i] & 15]);
    }
}

void line_px(line_t *line, uint32_t px_e4)
{
    line_u64(line, px_e4 / 10000);
    line_char(line, '.');
    line_u64_wide(line, px_e4 % 10000, 4);
}

void line_time_of_day(line_t *line, uint64_t ns_since_midnight)
{
    uint64_t seconds = ns_since_midnight / NS_PER_SECOND;
    line_u64_wide(line, seconds / 3600, 2);
    line_char(line, ':');
    line_u64_wide(line, seconds / 60 % 60, 2);
    line_char(line, ':');
    line_u64_wide(line, seconds % 60, 2);
    line_char(line, '.');
    line_u64_wide(line, ns_since_midnight % NS_PER_SECOND, 9);
}

static void json_char(line_t *line, char c)
{
    unsigned char byte = (unsigned char)c;
    if (byte < 0x20 || byte > 0x7e) {
        line_text(line, "\\u00");
        line_hex(line, &byte, 1);
        return;
    }
    if (c == '"' || c == '\\')
        line_char(line, '\\');
    line_char(line, c);
}

void line_json_chars(line_t *line, const char *chars, size_t count)
{
    line_char(line, '"');
    for (size_t i = 0; i < count; i++)
        json_char(line, chars[i]);
    line_char(line, '"');
}

/* Bytes of the UTF-8 character of several bytes at `chars` (RFC 3629, section 4), of which `count`
 * bytes are there; 0: there is none, or it is a control character (U+0080 to U+009F). */
static size_t utf8_bytes(const char *chars, size_t count)
{
    unsigned char c[4] = {0};
    memcpy(c, chars, count < sizeof c ? count : sizeof c);
    size_t bytes = c[0] >= 0xc2 && c[0] <= 0xdf   ? 2
                   : c[0] >= 0xe0 && c[0] <= 0xef ? 3
                   : c[0] >= 0xf0 && c[0] <= 0xf4 ? 4
                                                  : 0;
    for (size_t i = 1; i < bytes; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    bool none = (c[0] == 0xc2 && c[1] < 0xa0) || (c[0] == 0xe0 && c[1] < 0xa0) ||
                (c[0] == 0xed && c[1] > 0x9f) || (c[0] == 0xf0 && c[1] < 0x90) ||
                (c[0] == 0xf4 && c[1] > 0x8f);
    return none ? 0 : bytes;
}

void line_json_utf8(line_t *line, const char *chars, size_t count)
{
    line_char(line, '"');
    for (size_t at = 0; at < count;) {
        size_t bytes = utf8_bytes(chars + at, count - at);
        if (bytes)
            line_chars(line, chars + at, bytes);
        else
            json_char(line, chars[at]);
        at += bytes ? bytes : 1;
    }
    line_char(line, '"');
}

void line_words_utf8(line_t *line, const char *chars, size_t count)
{
    for (size_t at = 0; at < count;) {
        size_t bytes = utf8_bytes(chars + at, count - at);
        if (bytes)
            line_chars(line, chars + at, bytes);
        else
            line_char(line, chars[at] >= 0x20 && chars[at] <= 0x7e ? chars[at] : '?');
        at += bytes ? bytes : 1;
    }
}

/* A byte as the character of that number, in UTF-8 (RFC 3629, section 3): what JSON shows too. */
static void latin_char(line_t *line, char c)
{
    unsigned char byte = (unsigned char)c;
    if (byte >= 0x80) {
        line_char(line, (char)(0xc0 | byte >> 6));
        byte = 0x80 | (byte & 0x3f);
    }
    line_char(line, (char)byte);
}

static void csv_field(line_t *line, const char *chars, size_t count, bool utf8)
{
    bool quoted = false;
    for (size_t i = 0; i < count; i++)
        quoted |= chars[i] == ',' || chars[i] == '"' || chars[i] == '\n' || chars[i] == '\r';
    if (quoted)
        line_char(line, '"');
    for (size_t at = 0; at < count;) {
        size_t bytes = utf8 ? utf8_bytes(chars + at, count - at) : 0;
        if (chars[at] == '"')
            line_char(line, '"');
        if (bytes)
            line_chars(line, chars + at, bytes);
        else
            latin_char(line, chars[at]);
        at += bytes ? bytes : 1;
    }
    if (quoted)
        line_char(line, '"');
}

void line_csv_chars(line_t *line, const char *chars, size_t count)
{
    csv_field(line, chars, count, false);
}

void line_csv_utf8(line_t *line, const char *chars, size_t count)
{
    csv_field(line, chars, count, true);
}

size_t line_unpadded(const char *chars, size_t count)
{
    while (count && (chars[count - 1] == ' ' || chars[count - 1] == '\0'))
        count--;
    return count;
}
