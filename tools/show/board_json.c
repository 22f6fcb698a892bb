/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/board_json.h"

json_t *board_totals_json(const char *const *names, const tbus_atomic_u64_t *totals, uint32_t count)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < count; i++)
        json_object_set_new(object, names[i],
                            json_integer((json_int_t)tbus_load_relaxed_u64(&totals[i])));
    return object;
}
