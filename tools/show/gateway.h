/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.h - what a gateway shows of itself (feedsim/gateway/board.h), as JSON and as a table. */
#ifndef TICKBUS_TOOLS_SHOW_GATEWAY_H
#define TICKBUS_TOOLS_SHOW_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include <tickbus/bus.h>

/* The stages of a pipeline that have a board, by index from 0; NULL: no more. Their board's block
 * in the directory is "NAME.board". */
const char *gateway_stage_name(unsigned index);

/* {"session", "io", "listen": {TOPIC: PORT, ...}, "sessions_count", "totals": {...}, "note"}, of
 * the stage of that name; NULL: the bus has none. A new reference. */
json_t *gateway_json(const tbus_bus_t *bus, const char *stage);

/* Who is connected, the same way: [{"user", "address", "state", "sequence", "lag_messages",
 * "lag_ms", "bytes", "topic", ...}, ...]. Empty: nobody. */
json_t *gateway_sessions_json(const tbus_bus_t *bus, const char *stage);

/* "md at 127.0.0.1:9000, bbo at ..." is what was asked for; this is where it listens: "md at port
 * 9000, bbo at port 9001". False: it does not yet, or there is no such stage. */
bool gateway_ports_text(const tbus_bus_t *bus, const char *stage, char *out_text, size_t bytes);

/* Both, as people read them. */
void gateway_print(FILE *out, const char *stage, const json_t *gateway, const json_t *sessions);

#endif
