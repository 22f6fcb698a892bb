/* SPDX-License-Identifier: Apache-2.0 */
/* json_text.h - text from outside as a JSON string, whatever bytes it is made of. */
#ifndef TICKBUS_TOOLS_SHOW_JSON_TEXT_H
#define TICKBUS_TOOLS_SHOW_JSON_TEXT_H

#include <stddef.h>

#include <jansson.h>

/* Up to `bytes_max` bytes, or to the first 0. JSON is UTF-8, and the name of a file may be
 * anything: where it is not UTF-8, every byte that is not ASCII shows as '?'. A new reference;
 * NULL: no memory. */
json_t *json_text(const char *text, size_t bytes_max);

#endif
