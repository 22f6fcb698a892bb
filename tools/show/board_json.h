/* SPDX-License-Identifier: Apache-2.0 */
/* board_json.h - what the boards of all stages that serve outside have in common, as JSON. */
#ifndef TICKBUS_TOOLS_SHOW_BOARD_JSON_H
#define TICKBUS_TOOLS_SHOW_BOARD_JSON_H

#include <stdint.h>

#include <jansson.h>
#include <tickbus/atomic.h>

/* Totals by their names, `count` of them. A new reference; NULL: no memory. */
json_t *board_totals_json(const char *const *names, const tbus_atomic_u64_t *totals,
                          uint32_t count);

#endif
