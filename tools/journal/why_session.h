/* SPDX-License-Identifier: Apache-2.0 */
/* why_session.h - the orders of a recorded session: what was asked for, judged and reported, and
 * where each record of it stands.
 *
 * A journal is read once for it. With it the gate judges again (why_gate.h), and one order is shown
 * (why_life.h). For a whole session it becomes a file, by which all that is not needed any more
 * (order_index.h).
 *
 * Memory: 72 bytes for each order and cancel that was judged, 76 for each report, 112 for each
 * order, and until they are sorted out 40 more for each message of `orders` and 16 for each of
 * `judged` and `reports`; the tables grow by doubling. A session of a million orders, each with a
 * cancel and three reports, takes 650 MB. Ticks are not kept.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_WHY_SESSION_H
#define TICKBUS_TOOLS_JOURNAL_WHY_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/journal.h>
#include <tickbus/market/market.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>

#include "tools/show/symbols.h"

#define WHY_STRATEGIES_MAX 16u

/* Where a record stands: the number of its segment, and in the lower 32 bits its offset there. 0:
 * there is none. */
typedef uint64_t why_place_t;
#define WHY_PLACE_UNKNOWN UINT64_MAX /* it was not come to */
#define WHY_NEVER         UINT64_MAX /* position of an order that was not judged */
#define WHY_NO_ENTRY      UINT32_MAX

/* The ids of one strategy that there are. */
typedef struct why_ids {
    uint32_t strategy;
    uint32_t pad;
    uint64_t first; /* counts, without the number of the strategy: the first sent, */
    uint64_t last;  /* and the highest */
} why_ids_t;

/* All that was recorded of one order id. `sent` and `judged` are the first on their topics that are
 * no cancel, the cancels likewise. */
typedef struct why_entry {
    uint64_t order_id;
    why_place_t sent;
    why_place_t judged;
    why_place_t cancel;
    why_place_t cancel_judged;
    why_place_t tick;       /* found by why_gate.h */
    uint64_t md_seq;        /* of that tick; 0: it answers none */
    uint64_t position;      /* of `judged` in the list of all */
    uint64_t reports_first; /* in reports_of */
    uint32_t reports_count;
    bool touch_there;
    market_touch_t touch; /* of its symbol after that tick; why_gate.h */
} why_entry_t;

typedef struct why_judged {
    order_t order;
    why_place_t place;
    uint32_t entry; /* whose `judged` it is; WHY_NO_ENTRY: a cancel, or not the first */
} why_judged_t;

typedef struct why_reported {
    report_t report;
    uint64_t seq;
    why_place_t place;
} why_reported_t;

typedef struct why_session {
    bool begins;          /* the journal has its beginning */
    bool final;           /* it was read to its end, and nothing can come any more */
    symbols_t *symbols;   /* owned, as are the arrays */
    why_judged_t *judged; /* in their order */
    uint64_t judged_count;
    why_reported_t *reports; /* in their order */
    uint64_t reports_count;
    why_entry_t *entries; /* by order id, ascending */
    uint32_t entries_count;
    uint32_t *reports_of; /* indices of reports, order by order */
    uint32_t ids_count;   /* more strategies than there is room for are left out */
    why_ids_t ids[WHY_STRATEGIES_MAX];
} why_session_t;

/* Read it. Whatever it returns, the session is to be cleared; on an error of reading it has what
 * lies before. -TBUS_ENOTFOUND: no journal, or it lacks a topic; -TBUS_EABI: orders or reports of
 * another version; -TBUS_ETOOBIG: more than 2^32 - 1 messages; -ENOMEM; errors of reading. Cold:
 * reads the whole journal. */
int why_session_read(const char *directory, why_session_t *session, tbus_error_t *err);
void why_session_clear(why_session_t *session);

/* NULL: there is none. */
const why_entry_t *why_session_find(const why_session_t *session, uint64_t order_id);

#endif
