/* SPDX-License-Identifier: Apache-2.0 */
/* What a strategy may call, and how its orders get onto the ring. */
#include <assert.h>

#include <stdarg.h>
#include <stdio.h>

#include "strategy/context.h"

/* Before every further try, so that the time on an order is that of its publication. Returns that
 * time. */
static uint64_t stamp(const strat_context_t *ctx, order_t *order)
{
    uint64_t now_ns = tbus_bus_now_ns(ctx->base.stage.bus);
    order->sent = now_ns;
    return now_ns;
}

static void count_sent(strat_context_t *ctx, const order_t *order, uint64_t now_ns)
{
    bool cancel = order->kind == ORDER_CANCEL;
    tbus_add_own_u64(cancel ? ctx->counters.cancels_sent : ctx->counters.sent, 1);
    if (order->intended == 0)
        return;
    tbus_histogram_record(cancel                       ? ctx->tick_to_cancel
                          : order->flags & ORDER_AGAIN ? ctx->tick_to_requote
                                                       : ctx->tick_to_order,
                          tick_ns_since(now_ns, order->intended));
}

/* When a message can arrive at the venue at the earliest. */
static uint64_t arrival_min_ns(const strat_context_t *ctx, const order_t *order)
{
    const venue_session_t *session = ctx->base.session;
    return ctx->base.now_ns +
           (order->kind == ORDER_CANCEL ? session->cancel.least_ns : session->entry.least_ns);
}

void context_tell_late(strat_context_t *ctx)
{
    event_t late = ctx->late;
    ctx->late.number = 0;
    if (late.number == 0 || !ctx->events.publisher.ring.shared || ctx->base.session->recorded)
        return;
    late.sent_ns = tbus_bus_now_ns(ctx->base.stage.bus);
    late.kind = EVENT_LATE;
    late.from = EVENT_FROM_STRATEGY;
    late.pid = ctx->number;
    tbus_outlet_send(&ctx->events, &late, sizeof late);
}

/* Those for which the ring has room now, in one claim. Returns how many. If we die before they are
 * committed, none of them was sent: each claim becomes a tomb. */
static uint32_t publish_claimed(strat_context_t *ctx)
{
    tbus_publisher_t *orders = &ctx->orders_out.publisher;
    void *places[ORDERS_GATHERED_MAX];
    uint32_t bytes[ORDERS_GATHERED_MAX];
    uint32_t claimed = tbus_claim_batch(orders, ctx->gathered_count, places);
    for (uint32_t i = 0; i < claimed; i++) {
        tbus_words_store(places[i], &ctx->gathered[i], sizeof(order_t));
        bytes[i] = sizeof(order_t);
    }
    if (claimed != 0)
        tbus_commit_batch(orders, bytes);
    return orders->error ? 0 : claimed;
}

static void send_gathered(strat_context_t *ctx)
{
    uint32_t count = ctx->gathered_count, sent = 0;
    uint64_t now_ns = tbus_bus_now_ns(ctx->base.stage.bus);
    for (uint32_t i = 0; i < count; i++) {
        ctx->gathered[i].sent = now_ns;
        if (TBUS_UNLIKELY(ctx->base.stamps != NULL))
            context_note_sent(ctx, &ctx->gathered[i], now_ns);
    }
    if (count > 1 && ctx->orders_out.kept == 0)
        sent = publish_claimed(ctx);
    for (uint32_t i = 0; i < count; i++) {
        const order_t *order = &ctx->gathered[i];
        enum tbus_outlet_result told = TBUS_OUTLET_SENT;
        if (i >= sent)
            told = tbus_outlet_send(&ctx->orders_out, order, sizeof *order);
        assert(told != TBUS_OUTLET_FULL); /* ORDERS_KEPT_PER_CREDIT */
        if (told == TBUS_OUTLET_SENT)
            count_sent(ctx, order, now_ns);
        else
            ctx->base.blocked = true;
        digest_order(&ctx->orders_digest, order);
    }
    tbus_store_relaxed_u64(ctx->orders_digest_shown, ctx->orders_digest);
    ctx->gathered_count = 0;
}

void context_send_gathered(strat_context_t *ctx)
{
    ctx->gathers = false;
    if (TBUS_UNLIKELY(ctx->gathered_count != 0))
        send_gathered(ctx);
}

static void send_order(strat_context_t *ctx, order_t *order)
{
    /* Before what follows from them: a recording that ends in between has the cause, not the effect
     * alone. */
    if (TBUS_UNLIKELY(ctx->late.number != 0))
        context_tell_late(ctx);
    ctx->base.stirred = true;
    if (market_stage_waits(&ctx->base))
        causes_sent(&ctx->causes, arrival_min_ns(ctx, order));
    ctx->gathered[ctx->gathered_count++] = *order;
    if (TBUS_UNLIKELY(!ctx->gathers || ctx->gathered_count == ORDERS_GATHERED_MAX))
        send_gathered(ctx);
}

static int flush_orders(strat_context_t *ctx)
{
    int flushed = 0;
    order_t *order;
    size_t bytes;
    while ((order = tbus_outlet_front(&ctx->orders_out, &bytes))) {
        uint64_t now_ns = stamp(ctx, order);
        if (TBUS_UNLIKELY(ctx->base.stamps != NULL))
            context_note_sent_again(ctx, order, now_ns);
        if (tbus_outlet_retry(&ctx->orders_out) != TBUS_OUTLET_SENT)
            break;
        count_sent(ctx, order, now_ns);
        flushed++;
    }
    return flushed;
}

static order_t make_order(const strat_context_t *ctx, own_order_t *own, uint8_t kind)
{
    own->answers_md_seq = ctx->cause.md_seq;
    own->answers_intended_ns = ctx->cause.intended_ns;
    return (order_t){
        .order_id = own->id,
        .md_seq = ctx->cause.md_seq,
        .locate = market_wire_locate(ctx->base.market, own->locate),
        .intended = ctx->cause.intended_ns,
        .report_seq = ctx->report_seq,
        .at = ctx->base.now_ns,
        .flags = ctx->cause.again ? ORDER_AGAIN : 0,
        .kind = kind,
        .side = own->side,
    };
}

static void send_cancel(strat_context_t *ctx, own_order_t *own)
{
    own->cancel_asked = true;
    order_t order = make_order(ctx, own, ORDER_CANCEL);
    send_order(ctx, &order);
}

void strat_note(strat_context_t *ctx, const char *format, ...)
{
    size_t used;
    va_list arguments;
    if (ctx->base.stage.error.code)
        return;
    used = (size_t)snprintf(ctx->base.stage.error.text, sizeof ctx->base.stage.error.text,
                            "%s: ", ctx->base.stage.name);
    va_start(arguments, format);
    vsnprintf(ctx->base.stage.error.text + used, sizeof ctx->base.stage.error.text - used, format,
              arguments);
    va_end(arguments);
}

static void note_open(open_at_t *at, const strat_order_t *wanted)
{
    if (at->count++ == 0)
        at->buy_px_e4 = at->sell_px_e4 = 0;
    if (wanted->px_e4 == 0)
        return; /* it does not rest: it is at the market, or rejected */
    if (wanted->side == 'B' && wanted->px_e4 > at->buy_px_e4)
        at->buy_px_e4 = wanted->px_e4;
    if (wanted->side != 'B' && (at->sell_px_e4 == 0 || wanted->px_e4 < at->sell_px_e4))
        at->sell_px_e4 = wanted->px_e4;
}

static uint64_t send_new(strat_context_t *ctx, const strat_order_t *wanted, own_order_t *old)
{
    uint64_t executed = old ? old->executed : 0, replaced = old ? old->id : 0;
    if (wanted->qty > UINT32_MAX - executed)
        return 0;
    own_order_t *own = ctx->winding_down ? NULL : own_orders_open(&ctx->own);
    if (!own)
        return 0;
    uint64_t id = own->id;
    if (old && id - replaced > ORDER_REPLACES_MAX) {
        own_orders_end(&ctx->own, own);
        return 0;
    }
    own->locate = wanted->locate;
    own->side = wanted->side;
    own->executed = executed;
    note_open(&ctx->open_at[own->locate], wanted);
    context_watch(ctx, own->locate);
    order_t order = make_order(ctx, own, old ? ORDER_REPLACE : ORDER_NEW);
    order.px_e4 = wanted->px_e4;
    order.qty = wanted->qty ? wanted->qty + (uint32_t)executed : 0;
    order.tif = wanted->tif;
    order.flags |= wanted->flags;
    order.replaces = old ? id - replaced : 0;
    send_order(ctx, &order);
    return id;
}

uint64_t strat_send(strat_context_t *ctx, uint16_t locate, uint8_t side, uint32_t qty,
                    uint32_t px_e4, uint8_t tif)
{
    strat_order_t wanted = {.locate = locate, .side = side, .tif = tif, .qty = qty, .px_e4 = px_e4};
    return send_new(ctx, &wanted, NULL);
}

uint64_t strat_send_order(strat_context_t *ctx, const strat_order_t *wanted)
{
    return send_new(ctx, wanted, NULL);
}

uint64_t strat_replace(strat_context_t *ctx, uint64_t order_id, const strat_order_t *wanted)
{
    own_order_t *own = own_orders_find(&ctx->own, order_id);
    if (!own || own->locate != wanted->locate || own->side != wanted->side || own->cancel_asked)
        return 0;
    uint64_t id = send_new(ctx, wanted, own);
    if (id) {
        own->replaced_by = id;
        own->answers_md_seq = ctx->cause.md_seq;
        own->answers_intended_ns = ctx->cause.intended_ns;
    }
    return id;
}

bool strat_cancel(strat_context_t *ctx, uint16_t locate, uint64_t order_id)
{
    own_order_t *own = own_orders_find(&ctx->own, order_id);
    if (!own || own->locate != locate || own->cancel_asked)
        return false;
    send_cancel(ctx, own);
    return true;
}

/* Event time goes with market time from the stamp that the clock holds on. A timer for now or
 * earlier is due 1 ns later: no moment lasts for ever. One that is set before the first tick is
 * placed when that has come. */
void strat_timer_at(strat_context_t *ctx, uint64_t event_ns)
{
    uint64_t now_ns = strat_event_ns(ctx);
    ctx->timer_event_ns = event_ns;
    ctx->timer_unplaced = ctx->base.leader->clock.now_ns == 0;
    ctx->timer_at_ns =
        event_ns == 0 ? 0 : ctx->base.now_ns + (event_ns > now_ns ? event_ns - now_ns : 1);
    context_await_tick(ctx);
    context_next(ctx);
    ctx->base.changed = true;
}

uint64_t strat_event_ns(const strat_context_t *ctx)
{
    const market_clock_t *clock = &ctx->base.leader->clock;
    return clock->stamp_ns +
           (ctx->base.now_ns > clock->now_ns ? ctx->base.now_ns - clock->now_ns : 0);
}

const market_t *strat_market(const strat_context_t *ctx)
{
    return ctx->base.market;
}

const position_t *strat_position(const strat_context_t *ctx, uint16_t locate)
{
    return ledger_position(&ctx->ledger, locate);
}

int context_flush(strat_context_t *ctx)
{
    int flushed = (int)tbus_outlet_flush(&ctx->bbo_out) + flush_orders(ctx);
    ctx->base.blocked = ctx->bbo_out.kept != 0 || ctx->orders_out.kept != 0;
    return flushed;
}

void context_cancel_all(strat_context_t *ctx)
{
    for (uint64_t i = 0; i <= ctx->own.mask; i++) {
        own_order_t *own = &ctx->own.places[i];
        if (own->id != 0 && !own->cancel_asked)
            send_cancel(ctx, own);
    }
}
