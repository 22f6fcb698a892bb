/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/synth/synth_market.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "feedsim/synth/arrivals.h"
#include "feedsim/synth/dayline.h"
#include "feedsim/synth/synth_admin.h"
#include "feedsim/synth/synth_cross.h"
#include "feedsim/synth/synth_halts.h"
#include "feedsim/synth/synth_orders.h"
#include "feedsim/synth/synth_stock.h"

#define SECOND_NS  UINT64_C(1000000000)
#define START_NS   (10800 * SECOND_NS)
#define SYSTEM_NS  (14400 * SECOND_NS)
#define OPEN_NS    (34200 * SECOND_NS)
#define CLOSE_NS   (57600 * SECOND_NS)
#define GONE_NS    (72000 * SECOND_NS)
#define OVER_NS    (72300 * SECOND_NS)
#define TRADING_MS ((CLOSE_NS - OPEN_NS) / 1000000)

#define ENDLESS     (UINT64_C(1) << 31) /* messages a day, where no number is given */
#define CAUSED_ALL  9u    /* messages that one without a cause brings, itself included */
#define HALTS_FROM  2000u /* messages of trading; fewer have no halts */
#define BURST_MIN   16u
#define FACTOR_MAX  (150 * 256) /* levels of a stock of 100.00, _q8 */
#define FACTOR_STEP (2 * 256)

/* The day, in this order. */
enum phase {
    START_OF_MESSAGES,
    DIRECTORY,
    TRADING_STATE,
    REG_SHO,
    PARTICIPANTS,
    DECLINE_LEVELS,
    START_OF_SYSTEM,
    PRE_OPEN,
    START_OF_MARKET,
    OPENING_CROSS,
    TRADING,
    END_OF_MARKET,
    CLOSING_CROSS,
    AFTER_HOURS,
    END_OF_SYSTEM,
    END_OF_MESSAGES,
    PHASES
};

struct synth_market {
    synth_orders_t orders;
    arrivals_t arrivals;
    dayline_t dayline;
    synth_halts_t halts;
    synth_cross_t cross;
    enum phase phase;
    uint32_t turn;        /* of the stocks, in phases that go through all of them */
    uint64_t left_pre;    /* messages before the open, */
    uint64_t left;        /* of trading, and of orders in the opening cross; UINT64_MAX: no end */
    uint64_t left_after;  /* after the close, and of orders in the closing cross */
    uint64_t flow_ns;     /* the next message without a cause */
    uint64_t caused;      /* messages of this phase, */
    uint64_t causes;      /* and those of them without a cause */
    uint32_t burst_count; /* messages of a usual burst */
    uint32_t speed;       /* see to_feed_ns */
    uint32_t day, days;   /* from 0 on; in all */
    uint64_t messages;    /* of all days; 0: no end */
    uint32_t stocks_count;
    synth_stock_t stocks[];
};

/* --- time --- */

/* Days are planned in their own time, from 03:00 to 20:05, and pass `speed` times as fast in that
 * of the feed. Answers and bursts (arrivals.h) are in the feed's. */
static uint64_t to_feed_ns(const synth_market_t *m, uint64_t day_ns)
{
    return day_ns < OPEN_NS ? OPEN_NS - (OPEN_NS - day_ns) / m->speed
                            : OPEN_NS + (day_ns - OPEN_NS) / m->speed;
}

/* The first moment of the day that is that one of the feed, or up to `speed` ns later. */
static uint64_t to_day_ns(const synth_market_t *m, uint64_t feed_ns)
{
    if (feed_ns >= OPEN_NS)
        return feed_ns - OPEN_NS < GONE_NS / m->speed ? OPEN_NS + (feed_ns - OPEN_NS) * m->speed
                                                      : UINT64_MAX;
    return OPEN_NS - (OPEN_NS - feed_ns) * m->speed;
}

static uint64_t answer_due_ns(const synth_market_t *m)
{
    return m->arrivals.due_ns == UINT64_MAX ? UINT64_MAX : to_day_ns(m, m->arrivals.due_ns);
}

/* --- which stock --- */

/* The product of two draws: the first stocks are the busy ones. */
static uint32_t draw_stock(synth_market_t *m)
{
    uint32_t a = random_below(&m->orders.random, m->stocks_count);
    return random_below(&m->orders.random, a + 1);
}

/* --- flow --- */

static uint64_t *left_of_flow(synth_market_t *m)
{
    switch (m->phase) {
    case PRE_OPEN:
        return &m->left_pre;
    case TRADING:
    case OPENING_CROSS:
        return &m->left;
    default:
        return &m->left_after;
    }
}

static void spend(synth_market_t *m, uint64_t messages)
{
    uint64_t *left = left_of_flow(m);
    if (*left != UINT64_MAX)
        *left -= messages;
}

/* How many more without a cause: at first as the branching says, later as it was in this phase. */
static void draw_flow(synth_market_t *m)
{
    uint64_t left = *left_of_flow(m);
    left = left < ENDLESS ? left : ENDLESS;
    uint64_t events = left * (m->causes + 64) / (m->caused + 64 * CAUSED_ALL);
    m->flow_ns = dayline_next(&m->dayline, events > 0 ? (uint32_t)events : 1, &m->orders.random);
}

static void begin_flow(synth_market_t *m, enum synth_mood mood, uint64_t to_ns)
{
    synth_orders_t *o = &m->orders;
    o->mood = mood;
    m->caused = m->causes = 0;
    arrivals_reset(&m->arrivals, to_feed_ns(m, o->now_ns));
    dayline_begin(&m->dayline, o->now_ns, to_ns);
    draw_flow(m);
}

/* News: the factor jumps, and some stocks have a burst. */
static void burst(synth_market_t *m)
{
    random_state_t *random = &m->orders.random;
    int32_t factor_q8 = m->orders.factor_q8 + synth_step_q8(FACTOR_STEP, random);
    factor_q8 = factor_q8 > FACTOR_MAX ? FACTOR_MAX : factor_q8;
    m->orders.factor_q8 = factor_q8 < -FACTOR_MAX ? -FACTOR_MAX : factor_q8;
    uint32_t stocks[ARRIVALS_PARENTS];
    for (unsigned i = 0; i < ARRIVALS_PARENTS; i++)
        stocks[i] = draw_stock(m);
    uint32_t times = 1u << random_below(random, 4);
    arrivals_burst(&m->arrivals, m->burst_count * times, stocks, random);
}

/* Bursts bring a quarter of a message for each that has no cause, what answers them apart: a burst
 * has 3.75 times the usual one on average. */
static bool is_news(synth_market_t *m)
{
    return m->phase == TRADING && random_below(&m->orders.random, m->burst_count * 15) == 0;
}

/* A message of the flow: the next one without a cause, or an answer. */
static bool next_of_flow(synth_market_t *m, tick_t *out)
{
    synth_orders_t *o = &m->orders;
    if (*left_of_flow(m) == 0)
        return false;
    if (synth_orders_taking(o)) {
        synth_orders_fill(o, out);
    } else {
        uint64_t due_ns = answer_due_ns(m);
        unsigned part = m->arrivals.next;
        uint32_t stock;
        bool news = false;
        if (due_ns < m->flow_ns) {
            stock = arrivals_stock(&m->arrivals, part, &o->random);
        } else {
            due_ns = m->flow_ns;
            part = ARRIVALS_NONE;
            stock = draw_stock(m);
            m->causes++;
            news = is_news(m);
            draw_flow(m);
        }
        o->now_ns = due_ns > o->now_ns ? due_ns : o->now_ns;
        arrivals_happened(&m->arrivals, to_feed_ns(m, o->now_ns), part, stock, &o->random);
        if (news)
            burst(m);
        synth_orders_act(o, &m->stocks[stock], out);
    }
    m->caused++;
    spend(m, 1);
    return true;
}

static uint64_t flow_due(const synth_market_t *m)
{
    uint64_t due_ns = answer_due_ns(m);
    return due_ns < m->flow_ns ? due_ns : m->flow_ns;
}

/* --- crosses and halts --- */

static void begin_cross(synth_market_t *m, synth_stock_t *stock, char type)
{
    uint64_t left = *left_of_flow(m);
    uint32_t orders_max = left > 64 ? SYNTH_CROSS_ORDERS_MAX : 0, orders;
    synth_cross_begin(&m->cross, &m->orders, stock, type, orders_max, &orders);
    spend(m, orders);
}

static bool next_of_cross(synth_market_t *m, tick_t *out)
{
    m->orders.now_ns += 1000;
    synth_cross_next(&m->cross, &m->orders, out);
    return true;
}

static bool next_of_crosses(synth_market_t *m, char type, tick_t *out)
{
    if (!m->cross.stock) {
        if (m->turn == m->stocks_count)
            return false;
        m->orders.now_ns += random_below(&m->orders.random, 20000);
        begin_cross(m, &m->stocks[m->turn++], type);
    }
    return next_of_cross(m, out);
}

/* Where too few messages are left, or the stock is halted already, one does not take place. */
static bool may_halt(synth_market_t *m, const synth_halt_t *halt)
{
    return m->left > 256 && synth_stock_trades(&m->stocks[halt->stock]);
}

static void set_state(synth_market_t *m, synth_stock_t *stock, char state, const char *reason,
                      tick_t *out)
{
    stock->state = state;
    synth_stamp_t stamp = synth_stock_stamp(stock, m->orders.now_ns);
    synth_trading_action(&stamp, state, reason, out);
}

/* The next step of a halt that is due; false: it does not take place. */
static bool next_of_halt(synth_market_t *m, synth_halt_t *halt, tick_t *out)
{
    synth_stock_t *stock = &m->stocks[halt->stock];
    enum synth_halt_step step = halt->step;
    if (step == SYNTH_HALT_BEGINS && !may_halt(m, halt)) {
        synth_halts_drop(&m->halts, halt);
        return false;
    }
    if (halt->due_ns > m->orders.now_ns)
        m->orders.now_ns = halt->due_ns;
    synth_halts_step(&m->halts, halt);
    synth_stamp_t stamp = synth_stock_stamp(stock, m->orders.now_ns);
    switch (step) {
    case SYNTH_HALT_BEGINS:
        spend(m, synth_halt_messages(halt));
        set_state(m, stock, halt->pause ? 'P' : 'H', halt->pause ? "LUDP" : "T1  ", out);
        return true;
    case SYNTH_HALT_COLLAR:
        synth_collar(&stamp, synth_stock_px(stock, synth_stock_fair(stock, m->orders.factor_q8)),
                     out);
        return true;
    case SYNTH_HALT_QUOTES:
        set_state(m, stock, 'Q', halt->pause ? "LUDP" : "R4  ", out);
        return true;
    case SYNTH_HALT_CROSS:
        begin_cross(m, stock, 'H');
        return next_of_cross(m, out);
    default:
        set_state(m, stock, 'T', "    ", out);
        return true;
    }
}

/* Trading ends with its messages, but not before every stock trades again. */
static bool next_of_trading(synth_market_t *m, tick_t *out)
{
    if (m->cross.stock)
        return next_of_cross(m, out);
    while (m->halts.due_ns != UINT64_MAX && (m->halts.open > 0 || m->left > 0)) {
        bool waits =
            m->left > 0 && (synth_orders_taking(&m->orders) || flow_due(m) < m->halts.due_ns);
        if (waits)
            break;
        if (next_of_halt(m, synth_halts_first(&m->halts), out))
            return true;
    }
    return next_of_flow(m, out);
}

/* --- the frame of the day --- */

static bool next_of_spin(synth_market_t *m, tick_t *out)
{
    if (m->turn == m->stocks_count)
        return false;
    synth_stock_t *stock = &m->stocks[m->turn++];
    m->orders.now_ns += 20000 + random_below(&m->orders.random, 16384);
    synth_stamp_t stamp = synth_stock_stamp(stock, m->orders.now_ns);
    switch (m->phase) {
    case DIRECTORY:
        synth_directory(&stamp, 'P', out);
        break;
    case TRADING_STATE:
        set_state(m, stock, 'T', "    ", out);
        break;
    case REG_SHO:
        synth_reg_sho(&stamp, stock->short_sale, out);
        break;
    default:
        synth_participant(&stamp, out);
        break;
    }
    return true;
}

static bool next_single(synth_market_t *m, uint64_t not_before_ns, char code, tick_t *out)
{
    if (m->turn++ > 0)
        return false;
    synth_orders_t *o = &m->orders;
    o->now_ns = o->now_ns < not_before_ns ? not_before_ns : o->now_ns + 1000;
    synth_stamp_t stamp = {.event_ns = o->now_ns};
    if (code)
        synth_system_event(&stamp, code, out);
    else
        synth_decline_levels(&stamp, out);
    return true;
}

/* The next message of the phase; false: it has no more. */
static bool next_of_phase(synth_market_t *m, tick_t *out)
{
    switch (m->phase) {
    case START_OF_MESSAGES:
        return next_single(m, START_NS, 'O', out);
    case DIRECTORY:
    case TRADING_STATE:
    case REG_SHO:
    case PARTICIPANTS:
        return next_of_spin(m, out);
    case DECLINE_LEVELS:
        return next_single(m, 0, 0, out);
    case START_OF_SYSTEM:
        return next_single(m, SYSTEM_NS, 'S', out);
    case START_OF_MARKET:
        return next_single(m, OPEN_NS, 'Q', out);
    case OPENING_CROSS:
        return next_of_crosses(m, 'O', out);
    case TRADING:
        return next_of_trading(m, out);
    case END_OF_MARKET:
        return next_single(m, CLOSE_NS, 'M', out);
    case CLOSING_CROSS:
        return next_of_crosses(m, 'C', out);
    case PRE_OPEN:
    case AFTER_HOURS:
        return next_of_flow(m, out);
    case END_OF_SYSTEM:
        return next_single(m, GONE_NS, 'E', out);
    default:
        return next_single(m, OVER_NS, 'C', out);
    }
}

static void enter(synth_market_t *m, enum phase phase)
{
    m->phase = phase;
    m->turn = 0;
    m->orders.taker.qty = 0;
    if (phase == PRE_OPEN)
        begin_flow(m, SYNTH_BUILDING, OPEN_NS);
    else if (phase == TRADING)
        begin_flow(m, SYNTH_TRADING, CLOSE_NS);
    else if (phase == AFTER_HOURS)
        begin_flow(m, SYNTH_LEAVING, GONE_NS);
}

/* --- days --- */

/* O V S Q M E C; R H Y L and two Q for each stock. */
uint64_t synth_market_messages_min(uint32_t symbols)
{
    return 7 + UINT64_C(6) * symbols;
}

/* Before the open 1/16 and what the stocks need to have a book, but not more than a few thousand
 * for each; after the close 1/64. */
static void plan(synth_market_t *m, uint64_t messages)
{
    uint64_t flow = messages ? messages - synth_market_messages_min(m->stocks_count) : ENDLESS;
    uint64_t pre = flow / 16 + UINT64_C(32) * m->stocks_count;
    uint64_t pre_max =
        flow / 3 < UINT64_C(2500) * m->stocks_count ? flow / 3 : UINT64_C(2500) * m->stocks_count;
    m->left_pre = pre < pre_max ? pre : pre_max;
    m->left_after = flow / 64;
    m->left = flow - m->left_pre - m->left_after;
    /* In a burst of some ms, five times the messages of the same time on average: with its factor
     * of 1 to 8 and its half-life, 10 to 100 times as many. */
    uint64_t usual = m->left * 5 * (ARRIVALS_BURST_HALF_NS / 1000000) * 3 * m->speed / TRADING_MS;
    m->burst_count = usual > BURST_MIN ? (uint32_t)usual : BURST_MIN;
    if (m->left >= HALTS_FROM)
        synth_halts_plan(&m->halts, &m->orders.random, m->stocks_count);
    else
        m->halts.due_ns = UINT64_MAX;
    if (messages == 0)
        m->left = UINT64_MAX;
}

/* What does not divide goes to the first. */
static uint64_t messages_of_day(const synth_market_t *m)
{
    return m->messages / m->days + (m->day == 0 ? m->messages % m->days : 0);
}

/* Locates move on by one place. */
static void next_day(synth_market_t *m)
{
    synth_orders_t *o = &m->orders;
    m->day++;
    o->now_ns = START_NS;
    o->ref = o->match = 0;
    o->trades_count = 0;
    memset(o->trades, 0, sizeof o->trades);
    for (uint32_t i = 0; i < m->stocks_count; i++)
        synth_stock_next_day(&m->stocks[i], (uint16_t)((i + m->day) % m->stocks_count + 1));
    plan(m, messages_of_day(m));
    enter(m, START_OF_MESSAGES);
}

int synth_market_next(synth_market_t *m, tick_t *out)
{
    while (!next_of_phase(m, out)) {
        if (m->phase != END_OF_MESSAGES)
            enter(m, m->phase + 1);
        else if (m->day + 1 < m->days)
            next_day(m);
        else
            return 0;
    }
    out->event = tick_pack(to_feed_ns(m, tick_event_ns(out)), (uint16_t)(out->event >> 48));
    return 1;
}

/* --- life --- */

synth_market_t *synth_market_create(uint64_t seed, uint32_t symbols, uint32_t days, uint32_t speed,
                                    uint64_t messages)
{
    synth_market_t *m = calloc(1, sizeof *m + symbols * sizeof m->stocks[0]);
    if (!m)
        return NULL;
    m->stocks_count = symbols;
    m->days = days;
    m->speed = speed;
    m->messages = messages;
    m->orders.now_ns = START_NS;
    random_seed(&m->orders.random, seed);
    plan(m, messages_of_day(m));
    uint64_t each = (messages ? messages / days : ENDLESS) / symbols;
    for (uint32_t i = 0; i < symbols; i++) {
        synth_stock_init(&m->stocks[i], &m->orders.random, (uint16_t)(i + 1), each);
        if (i % 16 == 15) /* fell yesterday */
            m->stocks[i].short_sale = '2';
    }
    return m;
}

void synth_market_destroy(synth_market_t *m)
{
    free(m);
}
