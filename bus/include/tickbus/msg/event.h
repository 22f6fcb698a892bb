/* SPDX-License-Identifier: Apache-2.0 */
/* event.h - what was done to a run from outside, on the topic `events`: halted, reduced to closing
 * orders, resumed, its limits changed, stopped.
 *
 * Market data and orders do not tell why a run decided as it did when somebody threw the kill
 * switch in between. Each such act is a message, and so is recorded, and each stage that it changes
 * says at which place in its own inputs it took it:
 *
 *    kind      from             time_ns, uid, pid, text: of        position, md_seq, market_ns
 *    HALT      risk, executor   whoever threw the switch; why      orders that it had taken before,
 *    RESUME    risk, executor   whoever released it; why             its last tick, and the time
 *    REDUCE    risk             whoever threw it; why              likewise
 *    STRATEGY_ risk             risk itself; "SECTION: WHY" (or    likewise
 *    REDUCE                     "SECTION"); number: the strategy's
 *    LIMITS    supervisor       who asked; "KEY from A to B, ..."    of that
 *              risk             -                                  likewise
 *    STOP      supervisor       who asked; how                     -
 *    FAILED    supervisor       the process; what became of it     -
 *    ORPHAN    each stage       itself: the supervisor has died,   - (number:
 *                               and it ends; its name                EVENT_ORPHAN_DRAINED)
 *    LATE      strategy         pid: its number; no text           `number` reports from `position`
 *                                                                    on had an earlier time than it
 *                                                                    had come to: where it took
 *                                                                    them
 *    END       risk             -                                  the end of the feed
 *
 *    TAKEN     strategy, risk,  pid: number of the strategy; no    what else than a tick it took
 *              executor         text; `number`: EVENT_INPUT_...      next: `position` is a report's
 *                                                                    sequence, or the number of the
 *                                                                    strategy that sent an order
 *
 * LATE and END are told only where they differ from what the market data alone would give: reports
 * of cancels that a halt caused, which nobody could wait for; and the end of a feed that was
 * stopped in a pause, after it had said that nothing comes for a while.
 *
 * A text that is longer than one message holds goes on in the next one of the same publisher, with
 * the same fields; `more` says so.
 *
 * RESUME ends a halt and a reduction both; where it ended the halt alone, a REDUCE of the same
 * place follows it. A REDUCE by LOSS tells of what risk has found out by itself: who repeats the
 * session finds it as well. STRATEGY_REDUCE is the same of one strategy, which has lost what it may
 * by itself (SECTION: where its limits stand); RESUME ends it, too. One at the beginning, before
 * the first tick and order, tells that it was so in a session before, with the time, the process
 * and the reason of then: who repeats the session takes it from there.
 *
 * So a halt is on record whoever threw it and whether or not the supervisor lives: the stages that
 * obey it publish it. `number` joins messages about one act: the generation of the kill switch, the
 * number of its release, the number of the change. A number that is left out says that another
 * followed before the stage looked, or that there was no room for the message.
 *
 * TAKEN stands on a topic of its own, `inputs`, and is told by the clock of the host alone
 * (bus/market/inputs.h).
 *
 * Published by: supervisor, risk, executor, strategies, and by each stage at its end if the
 * supervisor is dead.
 * Read by: the recorder, and whoever taps the topic.
 */
#ifndef TICKBUS_MSG_EVENT_H
#define TICKBUS_MSG_EVENT_H

#include <string.h>

#include <tickbus/msg/tick.h>

/* Version of the layout below, which a journal names beside the type "event". Raised when a field
 * changes. */
#define EVENT_VERSION 1u

#define EVENT_TOPIC        "events"
#define EVENT_INPUTS_TOPIC "inputs" /* of TAKEN alone, by the clock of the host */
#define EVENT_BYTES        56u      /* of a message without text */
#define EVENT_TEXT_MAX     192u     /* bytes of the text, which follows the fields */
#define EVENT_BYTES_MAX    (EVENT_BYTES + EVENT_TEXT_MAX)
#define EVENT_SLOT         256u /* bytes of a slot of the topic: a message fits one */

#define EVENT_KINDS(X)                                                                             \
    X(HALT, 1, "halt")                                                                             \
    X(RESUME, 2, "resume")                                                                         \
    X(LIMITS, 3, "limits")                                                                         \
    X(STOP, 4, "stop")                                                                             \
    X(FAILED, 5, "failed")                                                                         \
    X(ORPHAN, 6, "orphan")                                                                         \
    X(LATE, 7, "late")                                                                             \
    X(END, 8, "end")                                                                               \
    X(TAKEN, 9, "taken")                                                                           \
    X(REDUCE, 10, "reduce")                                                                        \
    X(STRATEGY_REDUCE, 11, "strategy_reduce")

/* Who publishes it. */
#define EVENT_SOURCES(X)                                                                           \
    X(SUPERVISOR, 1, "supervisor")                                                                 \
    X(RISK, 2, "risk")                                                                             \
    X(EXECUTOR, 3, "executor")                                                                     \
    X(STAGE, 4, "stage") /* any, of itself */                                                      \
    X(STRATEGY, 5, "strategy")

/* In whose name a HALT or REDUCE was ordered; NONE with other kinds. */
#define EVENT_ORDERERS(X)                                                                          \
    X(NONE, 0, "none")                                                                             \
    X(OPERATOR, 1, "operator")                                                                     \
    X(SUPERVISOR, 2, "supervisor") /* the run cannot go on */                                      \
    X(ORPHAN, 3, "orphan")         /* a stage whose supervisor has died */                         \
    X(SILENCE, 4, "silence")       /* a stage that heard nothing of its supervisor */              \
    X(LOSS, 5, "loss")             /* risk: the loss limit was reached */

enum {
#define X(name, value, text) EVENT_##name = value,
    EVENT_KINDS(X)
#undef X
};
enum {
#define X(name, value, text) EVENT_FROM_##name = value,
    EVENT_SOURCES(X)
#undef X
};
enum {
#define X(name, value, text) EVENT_BY_##name = value,
    EVENT_ORDERERS(X)
#undef X
};

/* What was taken: `number` of TAKEN. */
enum {
    EVENT_INPUT_REPORT = 1,
    EVENT_INPUT_ORDER = 2,
    EVENT_INPUT_END = 3, /* it was told to wind down */
};

/* `number` of ORPHAN. Without it the stage did not wait for the others, and what it would have
 * decided of what they still sent is not on record. */
enum { EVENT_ORPHAN_DRAINED = 1 };

typedef struct event {
    uint64_t time_ns; /*  0 CLOCK_REALTIME of the act; 0: of no act (LIMITS from risk) */
    uint64_t sent_ns; /*  8 when it was published, ns since bus epoch */
    /* 16 inputs other than ticks that the publisher had taken when it took effect: risk, orders
     * judged; executor, judged orders. The next one is the first that it holds for. LATE: the
     * sequence of the first report on `reports` */
    uint64_t position;
    uint64_t md_seq;    /* 24 its last tick by then; 0: none */
    uint64_t market_ns; /* 32 market time there (tickbus/market/clock.h) */
    uint32_t uid;       /* 40 of the process that acted */
    uint32_t pid;       /* 44 LATE: number of the strategy */
    uint32_t number;    /* 48 of the act, among those of its kind, from 1; 0: it has none */
    uint8_t kind;       /* 52 EVENT_... */
    uint8_t from;       /* 53 EVENT_FROM_... */
    uint8_t by;         /* 54 EVENT_BY_... */
    uint8_t more;       /* 55 1: the text goes on in the next message; else 0 */
    /* The text follows: UTF-8 on one line, cut at a character, not terminated. */
} event_t;

TICK_ASSERT_(sizeof(event_t) == EVENT_BYTES, "one line with its slot word, if it has no text");

/* One with room for the longest text, as it is published. */
typedef struct event_message {
    event_t event;
    char text[EVENT_TEXT_MAX];
} event_message_t;

TICK_ASSERT_(sizeof(event_message_t) == EVENT_BYTES_MAX, "the text follows the fields");

/* Put text behind the fields, as much of `text` as one message holds, cut at a character, and set
 * `more`. *text is moved behind what was put in. Returns the bytes of the message. */
TBUS_INLINE uint32_t event_put_text(event_message_t *message, const char **text)
{
    const char *from = *text;
    size_t left = strlen(from);
    size_t length = left < EVENT_TEXT_MAX ? left : EVENT_TEXT_MAX;
    while (length < left && length > 1 && ((unsigned char)from[length] & 0xc0) == 0x80)
        length--;
    memcpy(message->text, from, length);
    message->event.more = length < left;
    *text = from + length;
    return EVENT_BYTES + (uint32_t)length;
}

/* The names above; "?" for a number that is none. */
TBUS_INLINE const char *event_kind_name(unsigned kind)
{
    switch (kind) {
#define X(name, value, text)                                                                       \
    case value:                                                                                    \
        return text;
        EVENT_KINDS(X)
#undef X
    default:
        return "?";
    }
}
TBUS_INLINE const char *event_from_name(unsigned from)
{
    switch (from) {
#define X(name, value, text)                                                                       \
    case value:                                                                                    \
        return text;
        EVENT_SOURCES(X)
#undef X
    default:
        return "?";
    }
}
TBUS_INLINE const char *event_by_name(unsigned by)
{
    switch (by) {
#define X(name, value, text)                                                                       \
    case value:                                                                                    \
        return text;
        EVENT_ORDERERS(X)
#undef X
    default:
        return "?";
    }
}

#endif
