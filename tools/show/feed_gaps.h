/* SPDX-License-Identifier: Apache-2.0 */
/* feed_gaps.h - which messages of its feed a bus does not have (feedsim/gap_board.h), as JSON. */
#ifndef TICKBUS_TOOLS_SHOW_FEED_GAPS_H
#define TICKBUS_TOOLS_SHOW_FEED_GAPS_H

#include <jansson.h>

#include <tickbus/bus.h>

#ifdef __cplusplus
extern "C" {
#endif

/* [{from, to}, ...], as many as the feed keeps; empty: there is none, or there is no feed. */
json_t *feed_gaps_json(const tbus_bus_t *bus);

#ifdef __cplusplus
}
#endif
#endif
