/* SPDX-License-Identifier: Apache-2.0 */
/* profit_shown.h - profit and symbols as the summary has them (summary.h: pnl_e4, symbols). */
#ifndef TICKBUS_TOOLS_RUN_PROFIT_SHOWN_H
#define TICKBUS_TOOLS_RUN_PROFIT_SHOWN_H

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include <tickbus/bus.h>

/* Of a participant, or of COUNTED_EVERYBODY. New references. */
json_t *profit_shown_json(const tbus_bus_t *bus, uint32_t owner);
json_t *symbols_shown_json(const tbus_bus_t *bus, uint32_t owner);

/* The same for people; `indent`: columns before all lines but the first, whose beginning was
 * printed. The symbols tell where a position is not valued by what somebody bids or asks. */
void profit_shown_print(FILE *out, const json_t *pnl, const json_t *symbols, int indent);
/* A table of those with the largest volume. Nothing if there are none. */
void symbols_shown_print(FILE *out, const json_t *symbols);

#endif
