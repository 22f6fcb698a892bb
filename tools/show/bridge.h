/* SPDX-License-Identifier: Apache-2.0 */
/* bridge.h - what a bridge to NATS JetStream shows of itself (feedsim/bridge/board.h), as JSON and
 * as text. */
#ifndef TICKBUS_TOOLS_SHOW_BRIDGE_H
#define TICKBUS_TOOLS_SHOW_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include <tickbus/bus.h>

#include "feedsim/bridge/board.h"

#define BRIDGE_STAGE "bridge" /* the stage whose board it is */

/* The board of the bus's own bridge; NULL: it has none. */
const bridge_board_t *bridge_board_of(const tbus_bus_t *bus);

/* {"session", "stream", "server", "connected", "state", "in_flight", "lag_messages", "lag_ms",
 * "stream_sequence", "stream_messages", "stream_bytes", "topics": [{"topic",
 * "unacknowledged_sequence", "lag_messages", "lost", "ended"}], "totals": {...}, "note"}. A new
 * reference. */
json_t *bridge_board_json(const bridge_board_t *board);
/* That of the bus's own; NULL: it has none. */
json_t *bridge_json(const tbus_bus_t *bus);

/* The same for people. */
void bridge_print(FILE *out, const json_t *bridge);

/* "md, bbo to stream 'lab' at nats://127.0.0.1:4222". False: it does not publish yet, or the stage
 * is another. */
bool bridge_ports_text(const tbus_bus_t *bus, const char *stage, char *out_text, size_t bytes);

#endif
