/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/named_hole.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

static bool find(const json_t *hole, const char *topic, uint64_t seq, uint64_t *out_to)
{
    size_t i;
    const json_t *named;
    json_array_foreach(json_object_get(hole, "topics"), i, named)
    {
        const char *name = json_string_value(json_object_get(named, "topic"));
        uint64_t from = (uint64_t)json_integer_value(json_object_get(named, "from"));
        uint64_t to = (uint64_t)json_integer_value(json_object_get(named, "to"));
        if (name && strcmp(name, topic) == 0 && from <= seq && seq <= to) {
            *out_to = to;
            return true;
        }
    }
    return false;
}

bool named_hole(const tbus_journal_record_t *record, const char *topic, uint64_t seq,
                uint64_t *out_to, char out_reason[NAMED_HOLE_REASON_MAX])
{
    tbus_journal_piece_t piece;
    if (!tbus_journal_record_piece(record, &piece) || piece.kind != TBUS_JOURNAL_HOLE || piece.more)
        return false;
    json_t *hole = json_loadb(piece.data, piece.bytes, 0, NULL);
    bool found = find(hole, topic, seq, out_to);
    const char *reason = json_string_value(json_object_get(hole, "reason"));
    if (found)
        snprintf(out_reason, NAMED_HOLE_REASON_MAX, "%s", reason ? reason : "no reason is given");
    json_decref(hole);
    return found;
}
