/* SPDX-License-Identifier: Apache-2.0 */
/* What a strategy notes for whoever measures the pipeline. */
#include "bus/market/order_row.h"
#include "strategy/context.h"

/* Messages have times since the bus epoch. */
static uint64_t absolute_ns(const strat_context_t *ctx, uint64_t ns)
{
    return ctx->base.stage.bus->directory->epoch_ns + ns;
}

void context_note_sent(const strat_context_t *ctx, const order_t *order, uint64_t now_ns)
{
    const tbus_stamps_t *stamps = ctx->base.stamps;
    uint64_t row = order_row(stamps, order);
    if (row == ORDER_ROW_NONE)
        return;
    /* Latencies are of what a tick causes. What follows from a report or a timer has waited for
     * that, too. */
    if (ctx->cause.tick) {
        tbus_stamps_put(stamps, TBUS_STAMP_ANSWERS, row, order->md_seq);
        tbus_stamps_put(stamps, TBUS_STAMP_ANSWER_TAKEN, row, ctx->base.leader->tick_taken_at);
    }
    tbus_stamps_put(stamps, TBUS_STAMP_SENT, row, absolute_ns(ctx, now_ns));
}

void context_note_sent_again(const strat_context_t *ctx, const order_t *order, uint64_t now_ns)
{
    uint64_t row = order_row(ctx->base.stamps, order);
    if (row != ORDER_ROW_NONE)
        tbus_stamps_put(ctx->base.stamps, TBUS_STAMP_SENT, row, absolute_ns(ctx, now_ns));
}

void context_note_report(const strat_context_t *ctx, const report_t *report)
{
    const tbus_stamps_t *stamps = ctx->base.stamps;
    uint64_t row = report_row(stamps, report);
    if (row == ORDER_ROW_NONE)
        return;
    tbus_stamps_put(stamps, TBUS_STAMP_DONE, row, absolute_ns(ctx, report->sent));
    tbus_stamps_put(stamps, TBUS_STAMP_REPORTED, row, tbus_stamps_now(stamps));
}
