/* SPDX-License-Identifier: Apache-2.0 */
/* causes.h - what may make the venue send a report to a strategy, and when. While a cause is open a
 * report may come, no earlier than the least response latency after it; while none is, the strategy
 * need not wait for anybody. Private to strategy/; needed only where the executor runs in another
 * process (bus/market/drive.h).
 *
 * A cause is a market time:
 *
 *    unanswered   a message that was sent and not answered yet: when it can arrive at the earliest.
 *                 It is closed by its answer, and answers come in the order of the messages
 *    exposed      a tick that may execute an open order of ours: its time. It is closed when the
 *                 executor has gone past it, and when nothing is open or unanswered any more
 *    broken       a tick that breaks a trade, and may take an execution of ours back: its time. It
 *    is
 *                 closed when the executor has gone past it
 *
 * Both are queues of times that grow. No causes are positions or marks. Orders of other strategies
 * are none unless they may cancel ours (session_self_match); then a strategy with an open order
 * waits for all that the executor has not passed (strategy/stage.c), since it knows nothing of
 * them.
 */
#ifndef TICKBUS_STRATEGY_CAUSES_H
#define TICKBUS_STRATEGY_CAUSES_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

typedef struct cause_queue {
    uint64_t *times; /* owned */
    uint64_t mask;
    uint64_t first; /* counts what was ever taken off */
    uint64_t end;   /* and ever put on */
} cause_queue_t;

typedef struct causes {
    cause_queue_t unanswered;
    cause_queue_t exposed;
    uint64_t broken_ns; /* the last broken trade, which the executor may not have passed; 0: none */
    uint64_t lost_ns;   /* the last tick that the full queue had no room for; 0: none */
} causes_t;

/* Bytes that causes of so many messages and ticks take. */
size_t causes_footprint(uint32_t messages_max, uint32_t ticks_max);
/* Allocates, and takes the page faults. -ENOMEM. Cold. */
int causes_create(causes_t *out_causes, uint32_t messages_max, uint32_t ticks_max);
void causes_destroy(causes_t *causes);

/* A message was sent that can arrive at `at_ns`. There are at most messages_max unanswered. */
void causes_sent(causes_t *causes, uint64_t at_ns);
/* The oldest message was answered. */
void causes_answered(causes_t *causes);
/* A tick at `at_ns` may have executed an open order. */
void causes_exposed(causes_t *causes, uint64_t at_ns);
/* A tick at `at_ns` broke a trade. */
void causes_broken(causes_t *causes, uint64_t at_ns);
/* Nothing is open. */
void causes_closed(causes_t *causes);

/* The time of the first open cause, once the executor has gone past everything before
 * `horizon_ns`; UINT64_MAX: none is open. */
uint64_t causes_first(causes_t *causes, uint64_t horizon_ns);

#endif
