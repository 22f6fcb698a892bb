/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/counted.h"

#include <string.h>

#include "tools/show/json_text.h"

uint64_t counted_value(const tbus_bus_t *bus, uint32_t owner, const char *name)
{
    return owner == COUNTED_EVERYBODY ? tbus_counter_value(bus, name)
                                      : tbus_counter_value_of(bus, owner, name);
}

json_t *counted_below(const tbus_bus_t *bus, uint32_t owner, const char *prefix)
{
    size_t skip = strlen(prefix);
    json_t *object = json_object();
    tbus_counter_view_t c;
    for (uint32_t cursor = 0; tbus_counter_next(bus, &cursor, &c);) {
        if (strncmp(c.name, prefix, skip) != 0 || (owner != COUNTED_EVERYBODY && c.owner != owner))
            continue;
        json_t *rest = json_text(c.name + skip, sizeof c.name - skip);
        const char *key = json_string_value(rest);
        json_int_t sum = json_integer_value(json_object_get(object, key));
        json_object_set_new(object, key, json_integer(sum + (json_int_t)c.value));
        json_decref(rest);
    }
    return object;
}
