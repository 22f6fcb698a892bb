/* SPDX-License-Identifier: Apache-2.0 */
/* The market view: applies ticks to orders, which it finds by place or by table (orders.h), and
 * books (book.h); whose a locate is, days, phases and states stand in symbols.h and states.h, books
 * that nobody has asked for in demand.h. */
#include <assert.h>
#include <string.h>

#include <tickbus/msg/itch_types.h>
#include "bus/market/demand.h"
#include "bus/market/states.h"
#include "bus/market/symbols.h"
#include "bus/market/view.h"

/* What a message does to orders is written once and compiled twice: for books that are built, and
 * for piles (demand.h), of whose orders nobody is told and where no price is looked for. */
#define FOR_BOTH static inline __attribute__((always_inline))

/* ---- the touch */

/* Of the tick's symbol, whatever the tick did to its book; where that is not built there is none.
 * Returns 0. */
FOR_BOTH int look_at_book(market_t *m, bool piled)
{
    m->stats.live_orders = m->orders.live;
    m->stats.live_levels = m->levels.live;
    if (piled)
        return 0;
    symbol_book_t *book = &m->books[m->event.locate];
    market_touch_t now = view_touch(m, book);
    uint64_t differ = (uint64_t)((now.bid_px_e4 ^ book->kept.bid_px_e4) |
                                 (now.ask_px_e4 ^ book->kept.ask_px_e4)) |
                      (now.bid_qty ^ book->kept.bid_qty) | (now.ask_qty ^ book->kept.ask_qty);
    m->event.bbo_checked = true;
    m->event.bbo_changed = differ != 0;
    m->stats.bbo_changes += differ != 0;
    m->event.touch = now;
    book->kept = now; /* whether it differs or not: nobody can foretell that */
    return 0;
}

/* ---- places (places.h) */

static __attribute__((noinline)) bool decide(market_t *m, const tick_t *tick)
{
    if (m->finds == VIEW_NOT_DECIDED && tick_has_place(tick)) {
        m->finds = VIEW_BY_PLACE;
        return true;
    }
    if (m->finds == VIEW_BY_PLACE || m->places_told)
        view_forget_places(m);
    m->finds = VIEW_BY_TABLE;
    return false;
}

/* Does the tick say where its order is, or is to be, and do we go by that? */
static inline __attribute__((always_inline)) bool goes_by_place(market_t *m, const tick_t *tick)
{
    if (TBUS_LIKELY(m->finds == VIEW_BY_PLACE) && TBUS_LIKELY(tick_has_place(tick)))
        return true;
    return m->finds == VIEW_BY_TABLE ? false : decide(m, tick);
}

/* Is the order of `ref` at this place? */
static inline bool stands_at(const market_t *m, uint32_t place, uint64_t ref)
{
    if (TBUS_UNLIKELY(place > m->orders.orders_max))
        return false;
    const queue_order_t *order = &m->queues.orders[place];
    return order->ref == ref && order->qty != 0;
}

static inline bool is_free_place(const market_t *m, uint32_t place)
{
    return place - 1 < m->orders.orders_max && m->queues.orders[place].qty == 0;
}

/* ---- orders */

/* Put an order on the book of the tick's symbol, behind the others of its level. Requires a
 * reference that is not in use. `place`: as told, 0: none is; then `hash` is that of the
 * reference. */
FOR_BOTH int add_order(market_t *m, uint64_t ref, uint32_t place, uint64_t hash, unsigned which,
                       const tick_t *tick, bool piled)
{
    uint16_t locate = m->event.locate;
    uint32_t px_e4 = tick->px_e4;
    uint32_t qty = tick->qty;
    book_side_t *side = &m->books[locate].sides[which];
    uint32_t index = piled ? book_pile(&m->levels, side, locate, which)
                           : book_level(&m->levels, side, locate, which, px_e4);
    if (TBUS_UNLIKELY(index == 0))
        return view_fail(m, m->levels_text);
    price_level_t *level = &m->levels.levels[index];
    level->qty += qty;
    level->orders++;
    bool told = place != 0;
    if (!told)
        place = queue_take(&m->queues);
    if (TBUS_UNLIKELY(place >= m->places_used))
        m->places_used = place + 1;
    queue_order_t *order = &m->queues.orders[place];
    order->ref = ref;
    order->added_seq = m->event.md_seq;
    order->qty = qty;
    order->level = index;
    m->queues.events[place] = piled ? px_e4 : tick->event;
    queue_join(&m->queues, level, place);
    if (!told)
        orders_add(&m->orders, hash, place);
    else
        m->orders.live++;
    if (m->orders.live > m->stats.live_orders_max)
        m->stats.live_orders_max = m->orders.live;
    if (piled)
        return 0;
    m->event.added_px_e4 = px_e4;
    m->event.added_qty = qty;
    return 0;
}

FOR_BOTH void tell_removal(market_t *m, const price_level_t *level, const queue_order_t *order,
                           uint32_t qty)
{
    m->event.side = level->side == BOOK_BID ? 'B' : 'S';
    m->event.removed_px_e4 = level->px_e4;
    m->event.removed_qty = qty;
    m->event.removed_added_seq = order->added_seq;
    m->event.removed_left = order->qty - qty;
}

/* Take up to `qty` shares off an order. An order without shares is removed, and so is its level
 * when that has no other order. */
FOR_BOTH void take_shares(market_t *m, order_spot_t spot, uint32_t qty, bool piled)
{
    queue_order_t *order = &m->queues.orders[spot.place];
    uint32_t index = order->level;
    price_level_t *level = &m->levels.levels[index];
    if (TBUS_UNLIKELY(qty > order->qty)) {
        m->stats.over_reductions++;
        qty = order->qty;
    }
    if (!piled)
        tell_removal(m, level, order, qty);
    level->qty -= qty;
    if (order->qty != qty) {
        order->qty -= qty;
        return;
    }
    queue_leave(&m->queues, level, spot.place);
    if (spot.bucket) {
        orders_remove(&m->orders, spot);
        queue_free(&m->queues, spot.place);
    } else {
        m->orders.live--; /* it was found by its place */
    }
    if (--level->orders != 0)
        return;
    book_side_t *side = &m->books[level->locate].sides[level->side];
    if (piled)
        book_drop_pile(&m->levels, side);
    else
        book_drop(&m->levels, side, index);
}

/* An add under a locate that has no name yet, or another. True: the locate is its stock's. */
static bool claim_locate(market_t *m, const tick_t *tick)
{
    uint64_t name = symbols_name(tick->symbol);
    uint16_t wire_locate = m->event.wire_locate;
    if (symbols_claim(m, wire_locate, name))
        return true;
    m->stats.foreign_adds++;
    symbols_contradict(m, wire_locate, name);
    return false;
}

/* Of a symbol by the number that it has. */
FOR_BOTH int add_named(market_t *m, const tick_t *tick, bool piled)
{
    unsigned ask = tick->side == 'S', known = ask | (tick->side == 'B');
    if (TBUS_UNLIKELY((known & (tick->qty != 0)) == 0)) {
        m->stats.malformed++;
        return look_at_book(m, piled);
    }
    uint64_t hash = 0;
    uint32_t place = goes_by_place(m, tick) ? tick_place(tick) : 0;
    if (TBUS_UNLIKELY(m->finds == VIEW_BY_PLACE && !is_free_place(m, place))) {
        view_forget_places(m);
        place = 0;
    }
    if (place == 0) {
        hash = orders_hash(&m->orders, tick->order_ref);
        if (TBUS_UNLIKELY(orders_has(&m->orders, tick->order_ref, hash))) {
            m->stats.duplicate_adds++;
            return look_at_book(m, piled);
        }
    } else {
        m->places_told = true;
    }
    if (TBUS_UNLIKELY(m->orders.live == m->orders.orders_max))
        return view_fail(m, m->orders_text);
    if (!piled)
        m->event.side = tick->side;
    int rc =
        add_order(m, tick->order_ref, place, hash, ask != 0 ? BOOK_ASK : BOOK_BID, tick, piled);
    return TBUS_UNLIKELY(rc != 0) ? rc : look_at_book(m, piled);
}

static __attribute__((noinline)) int add_to_book(market_t *m, const tick_t *tick)
{
    return add_named(m, tick, false);
}
static __attribute__((noinline)) int add_to_pile(market_t *m, const tick_t *tick)
{
    return add_named(m, tick, true);
}

/* The first message that names the symbol of its locate, or one that names another. */
static __attribute__((noinline)) int apply_first_add(market_t *m, const tick_t *tick, bool piled)
{
    if (!claim_locate(m, tick))
        return look_at_book(m, piled);
    bool is_pile = demand_is_piled(&m->books[m->event.locate]);
    return is_pile ? add_to_pile(m, tick) : add_to_book(m, tick);
}

FOR_BOTH int apply_add(market_t *m, const tick_t *tick, bool piled)
{
    m->orders_seen = true;
    if (TBUS_UNLIKELY(m->books[m->event.locate].name != symbols_name(tick->symbol)))
        return apply_first_add(m, tick, piled);
    return piled ? add_to_pile(m, tick) : add_to_book(m, tick);
}

/* An order is that of the symbol that added it. A message under the locate of another is wrong
 * about one of the two. */
static void refuse_foreign(market_t *m, uint16_t of_order)
{
    m->stats.foreign_locates++;
    symbols_contradict(m, m->event.wire_locate, 0);
    symbols_mark_stale(m, of_order);
}

static inline price_level_t *level_of(const market_t *m, order_spot_t spot)
{
    return &m->levels.levels[m->queues.orders[spot.place].level];
}

/* The order that a tick refers to; place 0: there is none, which is counted. */
static inline __attribute__((always_inline)) order_spot_t referenced(market_t *m,
                                                                     const tick_t *tick)
{
    order_spot_t spot = {0};
    if (!goes_by_place(m, tick))
        spot = orders_find(&m->orders, tick->order_ref);
    else if (stands_at(m, tick_place(tick), tick->order_ref))
        spot.place = tick_place(tick);
    if (TBUS_UNLIKELY(spot.place == 0)) {
        m->stats.unknown_order_refs++;
        m->stats.unknown_by_type[tick->type & 127]++;
        return spot;
    }
    uint16_t of_order = level_of(m, spot)->locate;
    if (TBUS_UNLIKELY(of_order != m->event.locate)) {
        refuse_foreign(m, of_order);
        spot.place = 0;
    }
    return spot;
}

FOR_BOTH void reduce(market_t *m, const tick_t *tick, bool all, bool piled)
{
    order_spot_t spot = referenced(m, tick);
    if (TBUS_LIKELY(spot.place != 0))
        take_shares(m, spot, all ? m->queues.orders[spot.place].qty : tick->qty, piled);
}

FOR_BOTH int apply_reduction(market_t *m, const tick_t *tick, bool piled)
{
    reduce(m, tick, tick->type == ITCH_ORDER_DELETE, piled);
    return look_at_book(m, piled);
}

static __attribute__((noinline)) int reduce_in_book(market_t *m, const tick_t *tick)
{
    return apply_reduction(m, tick, false);
}
static __attribute__((noinline)) int reduce_in_pile(market_t *m, const tick_t *tick)
{
    return apply_reduction(m, tick, true);
}

/* When no level is free, a replace is still possible if it frees a level itself, or joins one. */
static bool replace_has_a_level(const market_t *m, const price_level_t *from, uint32_t px_e4)
{
    return m->levels.free <= m->levels.levels_max || from->orders == 1 ||
           book_find(&m->levels, &m->books[from->locate].sides[from->side],
                     book_key(from->side, px_e4)) != 0;
}

FOR_BOTH int apply_replace(market_t *m, const tick_t *tick, bool piled)
{
    order_spot_t spot = referenced(m, tick);
    if (spot.place == 0)
        return look_at_book(m, piled);
    const price_level_t *from = level_of(m, spot);
    unsigned which = from->side;
    if (!piled && TBUS_UNLIKELY(!replace_has_a_level(m, from, tick->px_e4)))
        return view_fail(m, m->levels_text);
    take_shares(m, spot, m->queues.orders[spot.place].qty, piled);
    uint32_t place = spot.bucket ? 0 : spot.place;
    uint64_t hash = place != 0 ? 0 : orders_hash(&m->orders, tick->new_ref);
    int rc = 0;
    if (TBUS_UNLIKELY(tick->qty == 0))
        m->stats.malformed++;
    else if (TBUS_UNLIKELY(place == 0 && orders_has(&m->orders, tick->new_ref, hash)))
        m->stats.duplicate_adds++;
    else
        rc = add_order(m, tick->new_ref, place, hash, which, tick, piled);
    return TBUS_UNLIKELY(rc != 0) ? rc : look_at_book(m, piled);
}

static __attribute__((noinline)) int replace_in_book(market_t *m, const tick_t *tick)
{
    return apply_replace(m, tick, false);
}
static __attribute__((noinline)) int replace_in_pile(market_t *m, const tick_t *tick)
{
    return apply_replace(m, tick, true);
}

/* ---- trades */

static inline void note_trade(market_symbol_t *symbol, uint32_t px_e4)
{
    symbol->last_px_e4 = px_e4;
    symbol->traded = true;
}

/* A displayed order was executed, at its own price or, by C, at that of the message. */
FOR_BOTH int apply_execution(market_t *m, const tick_t *tick, bool piled)
{
    bool own_price = tick->type == ITCH_ORDER_EXECUTED;
    bool printable = own_price || tick->printable != 'N';
    m->stats.executed_shares += tick->qty;
    m->stats.non_printable_shares += printable ? 0 : tick->qty;
    market_symbol_t *symbol = &m->symbols[m->event.locate];
    order_spot_t spot = referenced(m, tick);
    bool executed = spot.place != 0 && tick->qty != 0;
    if (own_price && executed)
        note_trade(symbol,
                   piled ? (uint32_t)m->queues.events[spot.place] : level_of(m, spot)->px_e4);
    else if (!own_price && printable && !m->event.foreign && symbol->known)
        note_trade(symbol, tick->px_e4);
    if (TBUS_LIKELY(spot.place != 0))
        take_shares(m, spot, tick->qty, piled);
    if (piled)
        return look_at_book(m, piled);
    m->event.executed = executed;
    m->event.in_cross = executed && (!printable || symbol->trading == MARKET_HALTED);
    return look_at_book(m, piled);
}

static __attribute__((noinline)) int execute_in_book(market_t *m, const tick_t *tick)
{
    return apply_execution(m, tick, false);
}
static __attribute__((noinline)) int execute_in_pile(market_t *m, const tick_t *tick)
{
    return apply_execution(m, tick, true);
}

/* P and Q change no book, and are believed about their stock by nobody if it is another's. A cross
 * in which nothing met has a price of its own, at which nobody traded. */
static __attribute__((noinline)) int apply_trade(market_t *m, const tick_t *tick)
{
    uint64_t name = symbols_name(tick->symbol);
    uint64_t shares = tick->type == ITCH_TRADE ? tick->qty : tick->qty64;
    *(tick->type == ITCH_TRADE ? &m->stats.trade_shares : &m->stats.cross_shares) += shares;
    if (TBUS_UNLIKELY(symbols_differ(m, m->event.wire_locate, name))) {
        m->stats.foreign_locates++;
        symbols_contradict(m, m->event.wire_locate, name);
    } else if (m->symbols[m->event.locate].known && (tick->type == ITCH_TRADE || shares != 0)) {
        note_trade(&m->symbols[m->event.locate], tick->px_e4);
    }
    return 0;
}

/* Messages are lost for good: whatever they were about. What is not understood is taken for the
 * worst. */
static __attribute__((noinline)) int apply_gap(market_t *m, const tick_t *tick, size_t bytes)
{
    tick_gap_t gap;
    if (!tick_gap_get(tick, bytes, &gap)) {
        m->stats.malformed++;
        gap = (tick_gap_t){.policy = TICK_GAP_UNSAID};
    }
    if (m->restoring && gap.from != 0)
        return 0; /* the snapshot stands for them */
    uint8_t said = gap.policy == TICK_GAP_WARN ? MARKET_GAP_WARN : MARKET_GAP_BLOCK;
    uint8_t *kept = m->restoring ? &m->gap_after : &m->day.gap;
    if (said > *kept)
        *kept = said;
    return 0;
}

/* A snapshot begins or ends. Whoever joined within it saw no beginning. */
static __attribute__((noinline)) int apply_restore(market_t *m, const tick_t *tick, size_t bytes)
{
    uint8_t what = bytes >= TICK_RESTORE_BYTES ? tick->body[0] : 0;
    if (what == TICK_RESTORE_BEGINS) {
        states_empty_books(m);
        m->restoring = true;
        m->gap_after = MARKET_GAP_NONE;
        m->day.gap = MARKET_GAP_BLOCK;
    } else if (what == TICK_RESTORE_ENDS) {
        m->restoring = false;
        m->day.gap = m->gap_after;
        m->day.restored_seq = m->event.md_seq;
    } else if (what == TICK_RESTORE_FAILED) {
        m->restoring = false;
    } else {
        m->stats.malformed++;
    }
    return 0;
}

static inline int apply_tick(market_t *m, const tick_t *tick)
{
    bool piled = demand_is_piled(&m->books[m->event.locate]);
    if (TBUS_UNLIKELY(m->builds_none) && itch_is_of_an_order(tick->type))
        return 0;
    switch (tick->type) {
    case ITCH_ADD_ORDER:
    case ITCH_ADD_ORDER_MPID:
        return apply_add(m, tick, piled);
    case ITCH_ORDER_EXECUTED:
    case ITCH_ORDER_EXECUTED_WITH_PRICE:
        return piled ? execute_in_pile(m, tick) : execute_in_book(m, tick);
    case ITCH_ORDER_CANCEL:
    case ITCH_ORDER_DELETE:
        return piled ? reduce_in_pile(m, tick) : reduce_in_book(m, tick);
    case ITCH_ORDER_REPLACE:
        return piled ? replace_in_pile(m, tick) : replace_in_book(m, tick);
    case ITCH_TRADE:
    case ITCH_CROSS_TRADE:
        return apply_trade(m, tick);
    case ITCH_SYSTEM_EVENT:
    case ITCH_STOCK_DIRECTORY:
    case ITCH_STOCK_TRADING_ACTION:
    case ITCH_OPERATIONAL_HALT:
    case ITCH_REG_SHO_RESTRICTION:
        return states_apply(m, tick, m->event.wire_locate);
    case TICK_GAP:
        return apply_gap(m, tick, sizeof *tick);
    case TICK_RESTORE:
        return apply_restore(m, tick, sizeof *tick);
    default:
        return 0;
    }
}

/* Does apply_tick read messages of this type? */
static bool concerns_us(uint8_t letter)
{
    const itch_type_t *type = itch_type(letter);
    return type && type->what != ITCH_WHAT_ADMINISTRATIVE && type->what != ITCH_WHAT_BREAK;
}

/* A tick shorter than the fixed 56 bytes has a type that ITCH 5.0 does not know, and changes
 * nothing, but for the feed's own; or it was cut, and is counted as malformed. */
static __attribute__((noinline)) int skip_short(market_t *m, const tick_t *tick, size_t bytes)
{
    if (bytes >= TICK_BODY_OFFSET && tick->type == TICK_GAP)
        return apply_gap(m, tick, bytes);
    if (bytes >= TICK_BODY_OFFSET && tick->type == TICK_RESTORE)
        return apply_restore(m, tick, bytes);
    m->stats.malformed += bytes < TICK_BODY_OFFSET || concerns_us(tick->type);
    return 0;
}

/* Not inlined: who asks twice for a tick gets by without a call. It ends with calls of functions
 * that are not inlined either, and so needs no frame. */
__attribute__((noinline)) static int apply_next(market_t *m, uint64_t md_seq, const tick_t *tick,
                                                size_t bytes)
{
    if (TBUS_UNLIKELY(m->failed))
        return -TBUS_ELIMIT;
    assert(md_seq > m->event.md_seq);
    uint16_t locate = bytes >= TICK_BODY_OFFSET ? tick_locate(tick) : 0;
    m->seq_before = m->event.md_seq;
    m->event =
        (market_event_t){.md_seq = md_seq, .locate = m->numbers[locate], .wire_locate = locate};
    return TBUS_LIKELY(bytes >= sizeof *tick) ? apply_tick(m, tick) : skip_short(m, tick, bytes);
}

int market_apply(market_t *m, uint64_t md_seq, const tick_t *tick, size_t bytes,
                 const market_event_t **out_event)
{
    *out_event = &m->event;
    return md_seq == m->event.md_seq && !m->failed ? 0 : apply_next(m, md_seq, tick, bytes);
}

/* ---- books that were made in another way than by all that led to them */

void market_end_warm_up(market_t *m)
{
    const market_stats_t was = m->stats;
    m->stats = (market_stats_t){.symbols = was.symbols,
                                .live_orders = was.live_orders,
                                .live_orders_max = was.live_orders,
                                .live_levels = was.live_levels};
    m->day.number = m->day.number != 0;
    for (uint32_t i = 0; i < m->named_count; i++) {
        symbol_book_t *book = &m->books[m->named[i]];
        if (!demand_is_piled(book))
            book->kept = view_touch(m, book);
        m->symbols[m->named[i]].last_px_e4 = 0;
        m->symbols[m->named[i]].traded = false;
    }
}
