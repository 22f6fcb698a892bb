/* SPDX-License-Identifier: Apache-2.0 */
/* recorded.h - what came to a session from outside, and where each stage took it, as its journal
 * has it on the topic `events` (tickbus/msg/event.h).
 *
 * With the same market data, configuration and seed the stages decide the same, but for what has no
 * market time: when somebody halted the run, reduced it to closing orders, resumed it, changed its
 * limits or stopped it. Who repeats a session takes that from here instead of from outside:
 *
 *    halts, reductions,        risk, after this tick and before the order with this number; the
 *    resumes, limits           executor, after this tick and this arrival, at this time
 *    late reports              strategies: a cancel that a halt caused has no cause that they wait
 *                              for, and so may come behind what they have taken; where it was taken
 *    inputs                    by the clock of the host: all of each stage, in their order
 *    the end                   how far the feed had said that nothing comes, when it was stopped
 *
 * Filled from a journal when a session is opened; nobody changes it after that. Each stage keeps
 * its own place in the list.
 */
#ifndef TICKBUS_MARKET_RECORDED_H
#define TICKBUS_MARKET_RECORDED_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "bus/market/inputs.h"
#include "bus/market/session.h"

typedef struct recorded_act {
    uint64_t position; /* inputs other than ticks that were taken before */
    uint64_t md_seq;   /* and the last tick */
    uint64_t now_ns;   /* market time of the place */
    uint32_t number;   /* of the act, among those of its kind */
    /* EVENT_HALT, EVENT_REDUCE, EVENT_RESUME, EVENT_LIMITS; EVENT_STRATEGY_REDUCE: of a session
     * before */
    uint8_t kind;
    uint8_t pad[3];
} recorded_act_t;

typedef struct recorded_acts {
    recorded_act_t *acts; /* in the order in which they were taken */
    uint32_t count;
} recorded_acts_t;

/* Reports `first` .. `first + count - 1` of the topic: seen by their strategy at `at_ns`. */
typedef struct recorded_late {
    uint64_t first;
    uint64_t count;
    uint64_t at_ns;
    uint32_t strategy;
    uint32_t pad;
} recorded_late_t;

typedef struct recorded_limits {
    uint32_t number;
    char *text; /* "risk.KEY from A to B, ...": what was changed then */
} recorded_limits_t;

struct recorded {
    recorded_acts_t risk;
    recorded_acts_t executor;
    uint32_t lates_count;
    recorded_late_t *lates; /* in the order of the reports, per strategy */
    uint32_t limits_count;
    recorded_limits_t *limits;
    uint32_t streams_count;
    recorded_inputs_t *streams; /* inputs of each stage */
    uint64_t end_ns;            /* 0: 1 ns behind the last tick */
    /* The journal is torn, broken off or still being written, or a stage or the supervisor died:
     * what it says of a stage's inputs may end before what it has of its decisions. */
    bool ends_early;
};

/* Read it all. A journal that is torn or damaged: as far as it can be read. Errors of
 * tbus_journal_reader_open; -ENOMEM. Cold: reads the whole journal. */
int recorded_open(const char *directory, recorded_t **out_recorded, tbus_error_t *err);
/* Accepts NULL. */
void recorded_close(recorded_t *recorded);

/* The inputs of a stage; NULL: it took none but ticks, or says nothing of them. */
const recorded_inputs_t *recorded_inputs(const recorded_t *recorded, uint8_t from, uint32_t number);

/* When report `seq` of `reports` was seen by strategy number `strategy`; 0: in its own time. Cold
 * in a session without halts: a look at a count. */
uint64_t recorded_late_ns(const recorded_t *recorded, uint32_t strategy, uint64_t seq);

#endif
