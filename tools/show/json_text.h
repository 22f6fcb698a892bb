/* SPDX-License-Identifier: Apache-2.0 */
/* json_text.h - what JSON, or jansson, does not have as it is: text from outside, whatever bytes it
 * is made of, and numbers of 64 bits without a sign. */
#ifndef TICKBUS_TOOLS_SHOW_JSON_TEXT_H
#define TICKBUS_TOOLS_SHOW_JSON_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* Up to `bytes_max` bytes, or to the first 0. JSON is UTF-8, and the name of a file may be
 * anything: where it is not UTF-8, every byte that is not ASCII shows as '?'. A new reference;
 * NULL: no memory. */
json_t *json_text(const char *text, size_t bytes_max);

/* A number; one above 2^63 - 1, as sequences may be, a string of its digits. A new reference. */
json_t *json_unsigned(uint64_t value);

/* Of what json_unsigned has made; 0: it is something else. */
uint64_t json_unsigned_value(const json_t *number);

#endif
