/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/shown.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int feed_shown_open(feed_shown_t *shown, const feed_source_t *source, tbus_bus_t *bus,
                    uint32_t owner, tbus_error_t *err)
{
    shown->rows = feed_source_counters(source, &shown->count);
    shown->next_ns = shown->count ? 0 : UINT64_MAX;
    if (shown->count == 0)
        return 0;
    shown->values = calloc(shown->count, sizeof(*shown->values));
    if (!shown->values)
        return tbus_fail(err, -ENOMEM, "no memory for the counters of the feed");
    for (uint32_t i = 0; i < shown->count; i++) {
        char name[TBUS_COUNTER_NAME_MAX];
        snprintf(name, sizeof name, "feed.%s", shown->rows[i].name);
        shown->values[i] = tbus_counter(bus, owner, name, shown->rows[i].unit);
    }
    return 0;
}

void feed_shown_copy(feed_shown_t *shown, uint64_t now_ns)
{
    for (uint32_t i = 0; i < shown->count; i++)
        tbus_store_relaxed_u64(shown->values[i], *shown->rows[i].value);
    shown->next_ns = shown->count ? now_ns + FEED_SHOWN_NS : UINT64_MAX;
}

void feed_shown_close(feed_shown_t *shown)
{
    free(shown->values);
    *shown = (feed_shown_t){0};
}
