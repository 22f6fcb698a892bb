/* SPDX-License-Identifier: Apache-2.0 */
/* why_life.h - the life of one order of a recorded session: the order, what came of it, and the
 * tick that it answers, read where they stand.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_WHY_LIFE_H
#define TICKBUS_TOOLS_JOURNAL_WHY_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/journal.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

#include "tools/journal/why_session.h"

/* Where all records of one order stand; as in why_entry_t. */
typedef struct why_places {
    uint64_t order_id;
    why_place_t sent;
    why_place_t judged;
    why_place_t cancel;
    why_place_t cancel_judged;
    why_place_t tick; /* WHY_PLACE_UNKNOWN: it is sought */
    why_place_t *reports;
    uint32_t reports_count;
} why_places_t;

typedef struct why_order {
    bool there;
    uint64_t seq;
    uint64_t recorded_ns; /* ns since the bus epoch */
    order_t order;
} why_order_t;

typedef struct why_report {
    uint64_t seq;
    uint64_t recorded_ns;
    report_t report;
} why_report_t;

typedef struct why_tick {
    bool there;
    uint64_t seq;
    uint64_t recorded_ns;
    void *message; /* owned */
    size_t bytes;
} why_tick_t;

typedef struct why_life {
    uint64_t order_id;
    why_order_t sent;
    why_order_t judged;
    why_order_t cancel;
    why_order_t cancel_judged;
    why_tick_t tick;
    why_report_t *reports; /* owned; in their order */
    uint32_t reports_count;
} why_life_t;

/* Decimal, 0x and hexadecimal digits, or strategy and count: "3/17", "3:17", "3-17". */
bool why_parse_id(const char *text, uint64_t *out_id);

/* The places of an entry. False: no memory. */
bool why_places_of(const why_session_t *session, const why_entry_t *entry,
                   why_places_t *out_places);
void why_places_clear(why_places_t *places);

/* Read them; the reader may stand anywhere. -TBUS_ECORRUPT: there is no such record in one of these
 * places; -ENOMEM; errors of reading. On an error too, what `life` owns is to be freed. Costs a
 * read for each place. */
int why_life_read(tbus_journal_reader_t *reader, const why_places_t *places, why_life_t *life,
                  tbus_error_t *err);
void why_life_clear(why_life_t *life);

#endif
