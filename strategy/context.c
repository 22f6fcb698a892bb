/* SPDX-License-Identifier: Apache-2.0 */
/* What a strategy may call, and how its orders get onto the ring. */
#include <assert.h>

#include <stdarg.h>
#include <stdio.h>

#include "strategy/context.h"

/* Before every try, so that the time on an order is that of its publication. Returns that time. */
static uint64_t stamp(const strat_context_t *ctx, order_t *order)
{
    uint64_t now_ns = tbus_bus_now_ns(ctx->stage.bus);
    order->sent = tick_pack(now_ns, ctx->number);
    return now_ns;
}

static void count_sent(strat_context_t *ctx, const order_t *order, uint64_t now_ns)
{
    if (order->kind == ORDER_CANCEL) {
        tbus_add_own_u64(ctx->counters.cancels_sent, 1);
        return;
    }
    tbus_add_own_u64(ctx->counters.sent, 1);
    tbus_histogram_record(ctx->tick_to_order, tick_ns_since(now_ns, order->intended));
}

static void send_order(strat_context_t *ctx, order_t *order)
{
    uint64_t now_ns = stamp(ctx, order);
    enum tbus_outlet_result told = tbus_outlet_send(&ctx->orders_out, order, sizeof *order);
    assert(told != TBUS_OUTLET_FULL); /* ORDERS_KEPT_PER_CREDIT */
    if (told == TBUS_OUTLET_SENT)
        count_sent(ctx, order, now_ns);
    else
        ctx->stage.pending = true;
}

static int flush_orders(strat_context_t *ctx)
{
    int flushed = 0;
    order_t *order;
    size_t bytes;
    while ((order = tbus_outlet_front(&ctx->orders_out, &bytes))) {
        uint64_t now_ns = stamp(ctx, order);
        if (tbus_outlet_retry(&ctx->orders_out) != TBUS_OUTLET_SENT)
            break;
        count_sent(ctx, order, now_ns);
        flushed++;
    }
    return flushed;
}

static order_t make_order(const strat_context_t *ctx, const own_order_t *own, uint8_t kind)
{
    return (order_t){
        .order_id = own->id,
        .md_seq = ctx->md_seq,
        .report_seq = ctx->report_seq,
        .intended = tick_pack(ctx->intended_ns, own->locate),
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
    if (ctx->stage.error.code)
        return;
    used = (size_t)snprintf(ctx->stage.error.text, sizeof ctx->stage.error.text,
                            "%s: ", ctx->stage.name);
    va_start(arguments, format);
    vsnprintf(ctx->stage.error.text + used, sizeof ctx->stage.error.text - used, format, arguments);
    va_end(arguments);
}

uint64_t strat_send(strat_context_t *ctx, uint16_t locate, uint8_t side, uint32_t qty,
                    uint32_t px_e4, uint8_t tif)
{
    own_order_t *own = ctx->winding_down ? NULL : own_orders_open(&ctx->own);
    if (!own)
        return 0;
    uint64_t id = own->id;
    own->locate = locate;
    own->side = side;
    order_t order = make_order(ctx, own, ORDER_NEW);
    order.px_e4 = px_e4;
    order.qty = qty;
    order.tif = tif;
    send_order(ctx, &order);
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

void strat_timer_at(strat_context_t *ctx, uint64_t event_ns)
{
    ctx->timer_ns = event_ns;
}

uint64_t strat_event_ns(const strat_context_t *ctx)
{
    return ctx->event_ns;
}

const market_t *strat_market(const strat_context_t *ctx)
{
    return ctx->market;
}

const position_t *strat_position(const strat_context_t *ctx, uint16_t locate)
{
    return &ctx->ledger.entries[locate].position;
}

int context_flush(strat_context_t *ctx)
{
    int flushed = (int)tbus_outlet_flush(&ctx->bbo_out) + flush_orders(ctx);
    ctx->stage.pending = ctx->bbo_out.kept != 0 || ctx->orders_out.kept != 0;
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
