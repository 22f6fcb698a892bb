/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/inbox.h"

#include <stdlib.h>
#include <string.h>

bool inbox_create(inbox_t *inbox, uint32_t reports_max)
{
    size_t bytes = ((size_t)reports_max * sizeof *inbox->reports + 63) & ~(size_t)63;
    inbox->mask = reports_max - 1;
    inbox->reports = aligned_alloc(64, bytes);
    if (!inbox->reports)
        return false;
    memset(inbox->reports, 0, bytes); /* every page is there before the hot path needs it */
    return true;
}

void inbox_destroy(inbox_t *inbox)
{
    free(inbox->reports);
    inbox->reports = NULL;
}

int inbox_put(inbox_t *inbox, market_stage_t *stage, const report_t *report, uint64_t seq)
{
    bool full = inbox->end - inbox->first > inbox->mask;
    if (full && !market_stage_waits(stage))
        return 1;
    if (full)
        return tbus_fail(&stage->stage.error, -TBUS_ELIMIT,
                         "stage '%s': more than %llu reports are on their way; raise "
                         "venue.reports_max, or lower venue.latency.response",
                         stage->stage.name, (unsigned long long)inbox->mask + 1);
    due_report_t *due = &inbox->reports[inbox->end++ & inbox->mask];
    memcpy(&due->report, report, sizeof due->report);
    due->seq = seq;
    return 0;
}
