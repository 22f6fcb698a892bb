/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.h - the reports that a stage has taken off `reports` and that are not due yet, in the order
 * in which they came: a ring of fixed size. Of one thread. */
#ifndef TICKBUS_MARKET_INBOX_H
#define TICKBUS_MARKET_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/msg/report.h>

#include "bus/market/drive.h"

typedef struct due_report {
    report_t report;
    uint64_t seq; /* on `reports` */
} due_report_t;

typedef struct inbox {
    due_report_t *reports; /* owned; mask + 1 places */
    uint64_t mask;
    uint64_t first;
    uint64_t end;
} inbox_t;

/* `reports_max` is a power of two. False: no memory. Cold. */
bool inbox_create(inbox_t *inbox, uint32_t reports_max);
void inbox_destroy(inbox_t *inbox);

/* Puts a report, message `seq` of `reports`, behind the others. 0: done. 1: there is no room, and
 * the stage takes reports at once, so there will be; the report stays where it is. -TBUS_ELIMIT:
 * there is no room, and by the clock of the market there may never be; the stage has the error. */
int inbox_put(inbox_t *inbox, market_stage_t *stage, const report_t *report, uint64_t seq);

/* The first; NULL: there is none. It stays valid until the next inbox_put. */
static inline const due_report_t *inbox_first(const inbox_t *inbox)
{
    return inbox->first != inbox->end ? &inbox->reports[inbox->first & inbox->mask] : NULL;
}
/* That at `index`, from `first` to `end - 1`. */
static inline const due_report_t *inbox_at(const inbox_t *inbox, uint64_t index)
{
    return &inbox->reports[index & inbox->mask];
}
/* The first, which there is, is done with. */
static inline void inbox_drop(inbox_t *inbox)
{
    inbox->first++;
}

#endif
