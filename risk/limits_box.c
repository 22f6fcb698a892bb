/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/limits_box.h"

void limits_box_put(limits_box_t *box, const risk_limits_t *limits)
{
    const uint64_t words[WORD_BOX_WORDS] = {
        limits->max_order_qty,     limits->max_order_notional_e4, limits->collar_bps,
        limits->collar_e4,         limits->position_max,          limits->gross_notional_max_e4,
        limits->orders_per_second, limits->open_orders_max,       limits->messages_per_second,
        limits->reference_qty,     limits->loss_max_e4,           limits->test_symbols,
    };
    word_box_put(box, words);
}

bool limits_box_take(const limits_box_t *box, uint64_t *seen, risk_limits_t *out_limits)
{
    uint64_t words[WORD_BOX_WORDS];
    if (TBUS_LIKELY(!word_box_take(box, seen, words)))
        return false;
    *out_limits = (risk_limits_t){
        .max_order_qty = (uint32_t)words[0],
        .max_order_notional_e4 = words[1],
        .collar_bps = (uint32_t)words[2],
        .collar_e4 = (uint32_t)words[3],
        .position_max = words[4],
        .gross_notional_max_e4 = words[5],
        .orders_per_second = (uint32_t)words[6],
        .open_orders_max = (uint32_t)words[7],
        .messages_per_second = (uint32_t)words[8],
        .reference_qty = (uint32_t)words[9],
        .loss_max_e4 = words[10],
        .test_symbols = (uint32_t)words[11],
    };
    return true;
}
