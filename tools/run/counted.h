/* SPDX-License-Identifier: Apache-2.0 */
/* counted.h - counters of a bus as the summary takes them: of one participant, or of all. */
#ifndef TICKBUS_TOOLS_RUN_COUNTED_H
#define TICKBUS_TOOLS_RUN_COUNTED_H

#include <stdint.h>

#include <jansson.h>

#include <tickbus/bus.h>

#define COUNTED_EVERYBODY 0u /* no participant's number: counters of all owners together */

/* The counter of that name, summed where there are several. 0: there is none. */
uint64_t counted_value(const tbus_bus_t *bus, uint32_t owner, const char *name);

/* All counters whose names begin with `prefix`, by the rest of their names, summed. A new
 * reference. */
json_t *counted_below(const tbus_bus_t *bus, uint32_t owner, const char *prefix);

#endif
