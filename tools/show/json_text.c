/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/json_text.h"

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
