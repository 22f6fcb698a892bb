/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/states.h"

#include <tickbus/msg/itch_types.h>

#include "bus/market/symbols.h"

void states_judge(market_t *m, uint16_t locate)
{
    market_symbol_t *s = &m->symbols[locate];
    bool missing = s->state == 0 && m->day.full && m->day.phase >= MARKET_PHASE_SYSTEM;
    if (s->halted_here || missing || (s->state != 0 && s->state != 'T'))
        s->trading = MARKET_HALTED;
    else
        s->trading = s->state == 'T' ? MARKET_TRADING : MARKET_TRADING_UNKNOWN;
}

/* A symbol that is named later is judged then. */
static void judge_all(market_t *m)
{
    for (uint32_t i = 0; i < m->named_count; i++)
        states_judge(m, m->named[i]);
}

/* ---- S */

static void empty_side(market_t *m, book_side_t *side)
{
    while (side->best != 0) {
        const price_level_t *level = &m->levels.levels[side->best];
        queue_free_all(&m->queues, level);
        if (book_is_piled(side))
            book_drop_pile(&m->levels, side);
        else
            book_drop(&m->levels, side, side->best);
    }
}

void states_empty_books(market_t *m)
{
    for (uint32_t i = 0; i < m->named_count; i++) {
        symbol_book_t *book = &m->books[m->named[i]];
        empty_side(m, &book->sides[BOOK_BID]);
        empty_side(m, &book->sides[BOOK_ASK]);
    }
    orders_clear(&m->orders);
    m->finds = VIEW_NOT_DECIDED;
    m->stats.live_orders = m->stats.live_levels = 0;
}

static void begin_day(market_t *m)
{
    states_empty_books(m);
    for (uint32_t i = 0; i < m->named_count; i++) {
        symbol_book_t *book = &m->books[m->named[i]];
        if (m->on_demand) /* nobody has asked for it today */
            book->sides[BOOK_BID].floors = book->sides[BOOK_ASK].floors = BOOK_PILED;
        book->kept = (market_touch_t){0};
    }
    symbols_begin_day(m);
    m->orders_seen = false;
    m->day = (market_day_t){.md_seq = m->event.md_seq, .number = m->day.number + 1};
    m->event.new_day = true;
}

static uint8_t phase_of(uint8_t code)
{
    switch (code) {
    case 'S':
        return MARKET_PHASE_SYSTEM;
    case 'Q':
        return MARKET_PHASE_MARKET;
    case 'M':
        return MARKET_PHASE_AFTER;
    case 'E':
    case 'C':
        return MARKET_PHASE_CLOSED;
    default:
        return MARKET_PHASE_UNKNOWN;
    }
}

static int apply_system_event(market_t *m, const tick_t *tick)
{
    uint8_t code = tick->body[ITCH_BODY_AT(SYSTEM_EVENT, event_code)];
    uint8_t phase = phase_of(code), before = m->day.phase;
    m->event.locate = 0;
    if (m->restoring && code == 'O' && m->day.md_seq != 0)
        return 0; /* a snapshot begins with the O of the day that it is of */
    if (code == 'O') {
        if (m->one_day && (m->day.number != 0 || m->stats.symbols != 0))
            return view_fail(m,
                             "another day begins here (S with code O), and there may be one only; "
                             "feed one day, or set books.days to many");
        begin_day(m);
        phase = MARKET_PHASE_START;
    }
    if (phase <= m->day.phase)
        return 0;
    m->day.phase = phase;
    m->event.new_phase = true;
    if (before < MARKET_PHASE_SYSTEM && phase >= MARKET_PHASE_SYSTEM)
        judge_all(m);
    return 0;
}

/* ---- what is about one stock */

static void apply_directory(market_t *m, const tick_t *tick, market_symbol_t *s)
{
    if (s->wire_locate == m->event.wire_locate)
        s->test = !m->tests_live && tick->body[ITCH_BODY_AT(STOCK_DIRECTORY, authenticity)] == 'T';
    if (m->day.md_seq == 0 || m->day.full || m->orders_seen)
        return;
    m->day.full = true;
    judge_all(m);
}

static void apply_trading_action(const tick_t *tick, market_symbol_t *s)
{
    uint8_t state = tick->body[ITCH_BODY_AT(STOCK_TRADING_ACTION, trading_state)];
    if (state == 'T' || state == 'H' || state == 'P' || state == 'Q')
        s->state = state;
}

static void apply_operational_halt(const market_t *m, const tick_t *tick, market_symbol_t *s)
{
    uint8_t action = tick->body[ITCH_BODY_AT(OPERATIONAL_HALT, operational_halt_action)];
    if (tick->body[ITCH_BODY_AT(OPERATIONAL_HALT, market_code)] != m->market_code)
        return;
    if (action == 'H' || action == 'T')
        s->halted_here = action == 'H';
}

static void apply_reg_sho(const tick_t *tick, market_symbol_t *s)
{
    uint8_t action = tick->body[ITCH_BODY_AT(REG_SHO_RESTRICTION, reg_sho_action)];
    if (action >= '0' && action <= '2')
        s->reg_sho = action;
}

int states_apply(market_t *m, const tick_t *tick, uint16_t wire_locate)
{
    if (tick->type == ITCH_SYSTEM_EVENT)
        return apply_system_event(m, tick);
    /* R, H, h and Y have the name at the same place. */
    uint64_t name = symbols_name(&tick->body[ITCH_BODY_AT(STOCK_DIRECTORY, symbol)]);
    if (!symbols_claim(m, wire_locate, name)) {
        m->stats.foreign_locates++;
        symbols_contradict(m, wire_locate, name);
        return 0;
    }
    uint16_t locate = m->event.locate;
    market_symbol_t *s = &m->symbols[locate];
    if (tick->type == ITCH_STOCK_DIRECTORY)
        apply_directory(m, tick, s);
    else if (tick->type == ITCH_STOCK_TRADING_ACTION)
        apply_trading_action(tick, s);
    else if (tick->type == ITCH_OPERATIONAL_HALT)
        apply_operational_halt(m, tick, s);
    else
        apply_reg_sho(tick, s);
    states_judge(m, locate);
    return 0;
}
