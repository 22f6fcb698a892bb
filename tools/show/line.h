/* SPDX-License-Identifier: Apache-2.0 */
/* line.h - building lines of text for people and programs, fast: half a million rows in a fraction
 * of a second.
 *
 * A line is put together in a buffer of its own and goes to its stream in one piece; a line longer
 * than the buffer goes in several. Errors are the stream's: ask ferror(3) when all is written. No
 * allocation; one thread.
 */
#ifndef TICKBUS_TOOLS_SHOW_LINE_H
#define TICKBUS_TOOLS_SHOW_LINE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct line {
    FILE *out; /* not owned */
    size_t used;
    char bytes[1024];
} line_t;

void line_begin(line_t *line, FILE *out);
/* Hand what there is to the stream, as it is (no newline is added). */
void line_end(line_t *line);

void line_char(line_t *line, char c);
void line_text(line_t *line, const char *text);
void line_u64(line_t *line, uint64_t value);
void line_i64(line_t *line, int64_t value);
/* At least `digits` digits, with zeros in front; declared for tests. */
void line_u64_wide(line_t *line, uint64_t value, unsigned digits);
void line_hex(line_t *line, const void *bytes, size_t count);
/* A price as people write it: 3208000 is "320.8000". */
void line_px(line_t *line, uint32_t px_e4);
/* Time of day: "09:30:00.000000001". */
void line_time_of_day(line_t *line, uint64_t ns_since_midnight);

/* Characters as a JSON string, quotes included (RFC 8259, section 7). Bytes above 0x7e become
 * \u00XX: what comes from outside need not be UTF-8. */
void line_json_chars(line_t *line, const char *chars, size_t count);
/* Characters as a CSV field, quoted only where RFC 4180 asks for it (section 2, rules 6 and 7), in
 * UTF-8: bytes above 0x7f become the characters of these numbers, as in JSON. */
void line_csv_chars(line_t *line, const char *chars, size_t count);

/* Characters as a JSON string and as a CSV field, where UTF-8 is expected: its characters stay as
 * they are, and what is none is shown as above. */
void line_json_utf8(line_t *line, const char *chars, size_t count);
void line_csv_utf8(line_t *line, const char *chars, size_t count);
/* For people: on one line, and nothing that would make a terminal do things. What is not UTF-8, and
 * control characters, show as '?'. */
void line_words_utf8(line_t *line, const char *chars, size_t count);

/* The length of a field that is padded with spaces (or zeros), without its padding. */
size_t line_unpadded(const char *chars, size_t count);

#endif
