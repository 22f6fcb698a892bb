/* SPDX-License-Identifier: Apache-2.0 */
/* drive.h - stages that take their inputs in the order of market time: strategies, risk, the
 * executor. One driver for all of them, in whatever processes they are.
 *
 * Each takes the ticks of `md` and, beside them, *things*: orders, arrivals at the venue, reports,
 * timers. Every thing has a market time (tickbus/market/clock.h), and what a stage sends is dated
 * later than, or at, the thing that it was made from. A stage takes a thing, or a tick, only when
 * it is certain that nothing with an earlier time can still come. So the sequence that it takes
 * depends on the messages alone, not on when the host brought them: its results are the same in
 * every layout.
 *
 *    in the same process   the driver does what is earliest, of all its stages; all of them see a
 *                          tick before anybody sees the next, so they share one view of the market
 *    in other processes    their horizons (tickbus/horizon.h) say how far they are; a stage may go
 *                          as far as the horizon of those that could still send it something
 *
 *                        bound: nothing that is not in hand can have a time below
 *    strategy   a report: max(first cause, horizon of the executor) + least response latency; never
 *               while no cause is open (strategy/causes.h)
 *    risk       an order: the least horizon of the strategies of which none is in hand
 *    executor   an arrival: max(last arrival, horizon of risk + least latency)
 *
 * In the order of messages first, horizon after, each publishes as its horizon the least of the
 * next tick, the things in hand and the bounds; a strategy and the executor their own alone,
 * whoever else is in their process. Else a strategy beside the executor, with risk elsewhere, would
 * wait for itself: its horizon would follow the executor's bound, that one risk's horizon, and that
 * one the strategy's, in steps of one latency, and never come to the end.
 *
 * At the end of the feed, whose horizon is then without end, there is one more tick without a
 * message, 1 ns after the last, or as far as the feed had said that nothing comes: strategies wind
 * down there, what is under way arrives, and each horizon ends in its turn.
 *
 * Ticks for warming up (TICK_WARM_UP, tickbus/msg/tick.h) are applied to the books and given to no
 * stage. Those before all others come before market time begins: so it makes no difference to what
 * is decided how the books were made. Later ones, a snapshot after a gap, are taken behind all that
 * has the time of the last tick and before anything later, and the clock does not move.
 *
 * What comes from outside, a halt or new limits, has no market time: a stage takes it at its own
 * present, and says where (risk/acts.h). A session that repeats what was recorded
 * (bus/market/recorded.h) takes it there again: the driver asks the stages after each tick and each
 * thing (`act`).
 *
 * By the clock of the host a stage repeats its inputs in their order, and waits for each. It stops
 * deciding where the recording ends early, behind the last input that is on record: which comes
 * next is not known. And when it is told to wind down: then one of its inputs never comes, since
 * whoever sent it has decided otherwise (tools/run/standstill.h).
 *
 * Nobody waits for ever. Let T be the earliest thing or tick that is not done. What comes by rings
 * is taken off them at once, into memory that holds all that can be under way, so no ring but `md`
 * is ever full because of market time. Who waits has published a bound that is at least the least
 * of T and its supplier's; round the circle strategy, risk, executor, strategy the bounds rise by
 * entry and response latency, 2 ns or more, until they reach T, and T may be done. When `md` is
 * full, its slowest reader has the next tick in hand. tests/unit/test_drive.c tries schedules drawn
 * at random, in any groups of processes, with small rings and latencies of 1 ns.
 *
 * Under the clock of the host (session.h) things have no time: whatever is in hand is taken at
 * once, an order as soon as `md` was taken as far as its strategy had taken it.
 *
 * Next on the data path: strategy/stage.h, risk/stage.h, risk/venue/executor.h.
 */
#ifndef TICKBUS_BUS_MARKET_DRIVE_H
#define TICKBUS_BUS_MARKET_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/stage.h>

#include "bus/market/inputs.h"
#include "bus/market/session.h"
#include "bus/market/whom.h"
#include <tickbus/market/clock.h>
#include <tickbus/market/market.h>

/* next_ns, by the clock of the host: of a thing that names a tick which was not taken yet. Without
 * any tick in hand it is taken all the same: there is no such tick. */
#define MARKET_UNKNOWN (MARKET_NEVER - 1)

extern const uint64_t market_every_symbol[MARKET_LOCATES / 64];

typedef struct market_stage market_stage_t;

typedef struct market_stage_ops {
    /* Publish what is kept, as far as there is room. Returns how many messages went out. NULL:
     * nothing is ever kept. */
    int (*flush)(market_stage_t *s);
    /* Before anything is taken in a turn; may cause messages. NULL: nothing. */
    int (*begin)(market_stage_t *s);
    /* Look at the horizons of others, then take all messages off the rings. Sets next_ns and
     * bound_ns. 0 or a negative error. */
    int (*collect)(market_stage_t *s);
    /* Do the first thing in hand, at s->now_ns, and set next_ns anew. 0 or a negative error. */
    int (*take)(market_stage_t *s);
    /* The tick at s->now_ns was applied to the books. 0 or a negative error. */
    int (*on_tick)(market_stage_t *s, const tick_t *tick, size_t bytes,
                   const market_event_t *event);
    /* The feed has ended, at s->now_ns. NULL: nothing to do. */
    void (*on_end)(market_stage_t *s);
    /* At the end of a turn; `work`: of the whole group. More work, or 0. NULL: nothing to do. */
    int (*end)(market_stage_t *s, int work);
    /* What it still sends, but for the next tick, is not earlier, now that all before `passed_ns`
     * has been taken in its process. NULL: passed_ns itself. */
    uint64_t (*promise)(market_stage_t *s, uint64_t passed_ns);
    /* By the clock of the host, where a recording is repeated: is the input in hand that was taken
     * then? And take it. 0 or a negative error. */
    bool (*has)(const market_stage_t *s, const recorded_input_t *input);
    int (*repeat)(market_stage_t *s, const recorded_input_t *input);
    /* Do what is due from outside at this place between two inputs, where a recording is repeated.
     * 0 or a negative error. NULL: nothing comes to it from outside. */
    int (*act)(market_stage_t *s);
    /* Is something kept that holds nobody up, and is still to go out? NULL: never. */
    bool (*keeps)(const market_stage_t *s);
} market_stage_ops_t;

/* Which books a stage needs. Where stages share a view, it is made for the one that needs most. */
enum market_stage_books {
    MARKET_STAGE_ALL_BOOKS = 0,
    /* those that it asks for (market_stage_need_book), and events of their symbols */
    MARKET_STAGE_BOOKS_ON_DEMAND = 1,
    MARKET_STAGE_NO_BOOKS = 2 /* it will ask for none */
};

/* The first member of the struct of each such stage. */
struct market_stage {
    tbus_stage_t stage; /* first */
    const market_stage_ops_t *ops;
    const venue_session_t *session; /* not owned */
    market_t *market;               /* not owned; shared by the stages of a process */
    tbus_subscriber_t md;
    /* Which ticks it is given. Bit by number: those of that symbol; at first all there are
     * (market_every_symbol). Beside them, by message type (256 bytes, 0 or 1), those of that type,
     * whatever the symbol; at first none. And those that change the best of a book. The stage may
     * change all of it in its own calls. */
    const uint64_t *concerns;
    const uint8_t *types;
    bool touches;
    /* Set by the stage: in its on_tick it may have come to want more than before. (Who is given a
     * tick too many finds that out.) */
    bool chose;
    uint8_t books;           /* enum market_stage_books, said before it joins */
    tbus_horizon_t *horizon; /* its own; NULL: it has none */
    uint64_t now_ns;         /* market time of what it takes, or has taken */
    uint64_t next_ns;        /* of the first thing in hand; MARKET_NEVER: none */
    /* what is not in hand, and comes from another process, is not earlier; MARKET_NEVER: nothing
     * comes */
    uint64_t bound_ns;
    bool stirred;    /* it has sent something since the driver last looked */
    bool changed;    /* next_ns or bound_ns have changed since, without a collect */
    bool blocked;    /* it keeps messages that found no room */
    bool winds_down; /* it was told to, whatever the feed says */
    /* Where a recording is repeated by the clock of the host: it decides nothing more, and passes
     * over what is left */
    bool gives_up;
    bool has_sent; /* anything, ever */
    /* A tick need not wake it. Whatever the tick is, it may be taken only when the horizon has
     * risen that bounds the stage, and that rises with the tick; so it sleeps until then, instead
     * of waking for each tick to find that it is too early. */
    bool trails;
    inputs_t inputs;              /* by the clock of the host */
    uint32_t neighbours;          /* bit i: participant i + 1 is polled together with it */
    const market_stage_t *leader; /* the first stage of its process, which keeps for all: clock */
    /* of the first stage of a process: */
    market_clock_t clock; /* as of the last tick that was taken */
    tbus_horizon_view_t feed;
    whom_t whom;   /* what ticks concern its stages */
    bool ended;    /* the end of the feed was taken */
    bool warms_up; /* the last tick was for warming up */
    /* of each stage: it came more than 1 ns after the last tick, since the feed had said so */
    bool ends_late;
    bool grouped;      /* it knows who is in its own process */
    uint64_t rung_seq; /* where on md those were woken last who wait for our horizons */
    uint64_t clear_ns; /* up to here ticks may be taken without another look */
    /* Of each stage that decides on ticks, while somebody measures: where it notes what it does;
     * NULL: nobody does. */
    const struct tbus_stamps *stamps;
    bool stamps_ticks;         /* it notes of each tick when it was taken */
    uint64_t tick_taken_at;    /* of the first stage of a process: a stamp, of the tick in hand */
    uint64_t waits_since_ns;   /* host time; 0: it does not wait for a horizon */
    uint64_t waits_seq;        /* and with which tick, of md */
    tbus_histogram_t *waits;   /* how long; NULL: nobody asks */
    tbus_atomic_u64_t *waited; /* ticks that had to wait; NULL likewise */
};

/* For a stage's constructor, after stage.bus and owner are set: join `md` under the stage's name,
 * and remember market and session (NULL: session_host). What tbus_stage_join_subscriber returns. */
int market_stage_join(market_stage_t *s, market_t *market, const venue_session_t *session,
                      tbus_error_t *err);

/* After that, for a stage that decides, by the clock of the host: say in which order it takes its
 * inputs, or take them in the order that was recorded. `number`: of a strategy, else 0. */
int market_stage_keep_inputs(market_stage_t *s, uint8_t from, uint32_t number, tbus_error_t *err);
/* For its destructor. */
void market_stage_leave(market_stage_t *s);

/* See to it that the book of a wire locate's symbol is there, before a decision that looks at it.
 * 0; else the stage has failed. Hot. */
int market_stage_need_book(market_stage_t *s, uint16_t wire_locate);

/* It takes something else than a tick, now. Hot. */
static inline void market_stage_tell_input(market_stage_t *s, uint32_t what, uint64_t which)
{
    if (!session_is_market(s->session))
        inputs_tell(&s->inputs, &s->stage, what, which, market_seq(s->market));
}

/* tbus_stage_ops_t for such stages. */
int market_stage_poll(tbus_stage_t *stage, uint32_t budget);
int market_stage_poll_together(tbus_stage_t **stages, uint32_t count, uint32_t budget,
                               uint32_t *out_failed);
int market_stage_start(tbus_stage_t *stage);
void market_stage_wind_down(tbus_stage_t *stage);

/* True: participant `owner` is polled together with `s`: nothing that it sends is ever unknown. To
 * be asked from collect. */
static inline bool market_stage_is_neighbour(const market_stage_t *s, uint32_t owner)
{
    return s->neighbours >> (owner - 1) & 1;
}

static inline bool market_stage_waits(const market_stage_t *s)
{
    return session_is_market(s->session);
}

#endif
