/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/marks.h"

#include <errno.h>
#include <stdlib.h>

#define BPS 10000u

const marks_t marks_default = {.stub_bps = 5000};

static bool is_stub(const marks_t *marks, uint32_t px_e4, uint32_t last_px_e4)
{
    uint32_t distance = px_e4 > last_px_e4 ? px_e4 - last_px_e4 : last_px_e4 - px_e4;
    return last_px_e4 != 0 && (uint64_t)distance * BPS > (uint64_t)last_px_e4 * marks->stub_bps;
}

mark_t mark_of(const marks_t *marks, const position_t *position, const market_touch_t *touch,
               uint32_t last_px_e4)
{
    if (position->qty == 0)
        return (mark_t){0, MARK_NONE};
    bool is_long = position->qty > 0;
    uint64_t there = is_long ? touch->bid_qty : touch->ask_qty;
    uint32_t px_e4 = is_long ? touch->bid_px_e4 : touch->ask_px_e4;
    if (there != 0 && !is_stub(marks, px_e4, last_px_e4))
        return (mark_t){px_e4, is_long ? MARK_BID : MARK_ASK};
    if (last_px_e4 != 0)
        return (mark_t){last_px_e4, MARK_TRADE};
    /* Cost and shares have the same sign, and each share cost less than 2^32. */
    return (mark_t){(uint32_t)(position->cost_e4 / position->qty), MARK_ENTRY};
}

const char *mark_by_name(uint32_t by)
{
    static const char *const names[] = {"none", "bid", "ask", "last_trade", "entry"};
    return names[by < sizeof names / sizeof *names ? by : MARK_NONE];
}

/* ---- the resource */

static const tbus_param_t table[] = {
    {"stub_bps", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(marks_t, stub_bps), .min = 0, .max = 1000000,
     .unit = "basis points of the last trade", .fallback = "5000",
     .help = "a best price further than this from the last trade is a stub quote, and values no "
             "position: the last trade does"},
};

static int create(const void *params, void **out_resource, tbus_error_t *err)
{
    marks_t *made = malloc(sizeof *made);
    if (!made)
        return tbus_fail(err, -ENOMEM, "no memory for the rule of marks");
    *made = *(const marks_t *)params;
    *out_resource = made;
    return 0;
}

const tbus_resource_t marks_resource = {
    .name = "marks",
    .help = "What open positions are worth: a long one the best bid, a short one the best ask, if "
            "that is no stub quote; else the last trade, else what the position cost.",
    .params = TBUS_PARAMS(marks_t, table),
    .create = create,
    .destroy = free,
};
