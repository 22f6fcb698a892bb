/* SPDX-License-Identifier: Apache-2.0 */
/* mold.h - what a sender of MoldUDP64 shows of itself (feedsim/mold/board.h), as JSON. */
#ifndef TICKBUS_TOOLS_SHOW_MOLD_H
#define TICKBUS_TOOLS_SHOW_MOLD_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <tickbus/bus.h>

#define MOLD_STAGE "mold" /* the stage whose board it is */

/* {"session", "topic", "to", "requests_port", "next_sequence", "totals": {...}, "note"}; NULL: the
 * bus sends none. A new reference. */
json_t *mold_json(const tbus_bus_t *bus);

/* "md to 233.54.12.111:26477, requests at port 26478". False: it does not send yet, or the stage
 * is another. */
bool mold_ports_text(const tbus_bus_t *bus, const char *stage, char *out_text, size_t bytes);

#endif
