/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/journal/hole.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Two names' worth of escapes in each, and two numbers of 20 digits. */
#define TOPIC_TEXT_BYTES (40 + 2 * TBUS_NAME_MAX + 40)
TBUS_STATIC_ASSERT(TBUS_JOURNAL_HOLE_BYTES >
                   TBUS_JOURNAL_TOPICS_MAX * TOPIC_TEXT_BYTES + 256 + TBUS_JOURNAL_RECORD_HEADER);

void tbus_journal_hole_begin(tbus_journal_hole_t *hole, int code)
{
    *hole = (tbus_journal_hole_t){.open = true, .code = code, .missed = hole->missed};
}

/* Text for JSON; what is not printable becomes '?'. */
static const char *escaped(const char *name, char out_text[2 * TBUS_NAME_MAX])
{
    char *at = out_text;
    for (; *name; name++) {
        if (*name == '"' || *name == '\\')
            *at++ = '\\';
        *at++ = *name >= ' ' && *name <= '~' ? *name : '?';
    }
    *at = 0;
    return out_text;
}

size_t tbus_journal_hole_end(tbus_journal_hole_t *hole, const tbus_journal_header_t *header,
                             char out_text[TBUS_JOURNAL_HOLE_BYTES])
{
    char name[2 * TBUS_NAME_MAX];
    const char *comma = "";
    int used = snprintf(out_text, TBUS_JOURNAL_HOLE_BYTES, "{\"reason\":\"%.200s\",\"topics\":[",
                        tbus_strerror(hole->code));
    for (uint32_t i = 0; i < header->topics_count; i++) {
        if (!hole->to[i])
            continue;
        used += snprintf(out_text + used, TBUS_JOURNAL_HOLE_BYTES - (size_t)used,
                         "%s{\"topic\":\"%s\",\"from\":%" PRIu64 ",\"to\":%" PRIu64 "}", comma,
                         escaped(header->topics[i].name, name), hole->from[i], hole->to[i]);
        comma = ",";
    }
    used += snprintf(out_text + used, TBUS_JOURNAL_HOLE_BYTES - (size_t)used, "]}");
    hole->open = false;
    return (size_t)used;
}
