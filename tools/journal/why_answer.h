/* SPDX-License-Identifier: Apache-2.0 */
/* why_answer.h - all that is known of one order of a recorded session: by the index of its orders
 * (order_index.h), which is made if it is missing, or, where there can be none, by reading the
 * journal. The answer is the same either way.
 */
#ifndef TICKBUS_TOOLS_JOURNAL_WHY_ANSWER_H
#define TICKBUS_TOOLS_JOURNAL_WHY_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "tools/journal/why_gate.h"
#include "tools/journal/why_life.h"

typedef struct why_answer {
    bool there; /* else only ids, and begins */
    why_life_t life;
    symbols_t *symbols; /* owned */
    bool has_verdict;
    why_verdict_t verdict;
    tbus_error_t no_verdict; /* it was judged and has none: why */
    uint32_t ids_count;
    why_ids_t ids[WHY_STRATEGIES_MAX];
    bool begins;  /* the journal has its beginning */
    bool indexed; /* it comes out of the index */
    bool made;    /* the index was made for it */
} why_answer_t;

/* 0: `out_answer` is filled, whether or not there is such an order. Negative: the errors of
 * why_session_read; what lies before a damage is read, and the order may be there all the same.
 * Clear it either way. With an index: a few reads; else the whole journal, two or three times. */
int why_answer(const char *directory, uint64_t order_id, why_answer_t *out_answer,
               tbus_error_t *err);
void why_answer_clear(why_answer_t *answer);

#endif
