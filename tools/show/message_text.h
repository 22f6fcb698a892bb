/* SPDX-License-Identifier: Apache-2.0 */
/* message_text.h - one message of a topic as a line of text: a JSON object for programs, words for
 * people.
 *
 * `type` is the topic's message type, as the bus directory and the journal name it: "tick", "bbo",
 * "order", "report", "event". A message of another type, or of a length that its type does not
 * have, is shown as hex digits: what comes from a journal or from shared memory is never trusted to
 * be well formed.
 *
 *    {"seq":56,"type":"A","locate":13,"tracking":0,"ts_event_ns":11220000000000,"intended_ns":0,
 *     "order_ref":17,"side":"B","qty":300,"symbol":"AAPL","px_e4":3208000} (in one line)
 *
 *    56 03:07:00.000000000 A AAPL buy 300 @ 320.8000 ref 17
 *
 * A tick shows all fields of its message under the names of tickbus/msg/itch_types.h; a type
 * that ITCH 5.0 does not know shows its body as hex digits.
 *
 * Prices in JSON are integers in 1/10000 (`px_e4`), times are ns since midnight (`ts_event_ns`) or
 * since the bus epoch (`intended_ns`, `sent_ns`). Used by `busctl tap` and `busctl journal export`.
 * Errors are the stream's: ask ferror(3).
 */
#ifndef TICKBUS_TOOLS_SHOW_MESSAGE_TEXT_H
#define TICKBUS_TOOLS_SHOW_MESSAGE_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/show/symbols.h"

/* `message`: 8-byte aligned. `symbols`: what is known of them (orders and reports carry a locate
 * alone); may be NULL. Both write one whole line. */
void message_text_json(FILE *out, const char *type, uint64_t seq, const void *message, size_t bytes,
                       const symbols_t *symbols);
void message_text_words(FILE *out, const char *type, uint64_t seq, const void *message,
                        size_t bytes, const symbols_t *symbols);

/* "end", "runt", "gap", "restore"; NULL: it is no mark of the feed's own (tickbus/msg/tick.h). */
const char *message_text_mark(uint8_t type);
/* "new", "cancel"; "day", "ioc"; "?" for a number that is none. */
const char *message_text_order_kind(unsigned kind);
const char *message_text_tif(unsigned tif);

#endif
