/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *text, size_t bytes_max)
{
    size_t bytes = strnlen(text, bytes_max);
    json_t *string = json_stringn(text, bytes);
    if (string)
        return string;
    char *ascii = malloc(bytes + 1);
    for (size_t i = 0; ascii && i < bytes; i++)
        ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    string = ascii ? json_stringn(ascii, bytes) : NULL;
    free(ascii);
    return string;
}

json_t *json_unsigned(uint64_t value)
{
    char digits[24];
    if (value <= INT64_MAX)
        return json_integer((json_int_t)value);
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    return json_string(digits);
}

uint64_t json_unsigned_value(const json_t *number)
{
    return json_is_string(number) ? strtoull(json_string_value(number), NULL, 10)
                                  : (uint64_t)json_integer_value(number);
}
