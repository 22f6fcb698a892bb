/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/strategy_limits.h"

#include <stdio.h>
#include <string.h>

/* One that stands alone: its keys are those of whoever has it as a member. */
typedef struct alone {
    strategy_limits_t limits;
} alone_t;

static const tbus_param_t table[] = {STRATEGY_LIMITS_PARAMS(alone_t, limits)};
const tbus_params_t strategy_limits_params = TBUS_PARAMS(alone_t, table);

bool strategy_limits_any(const strategy_limits_t *limits)
{
    strategy_limits_t none;
    tbus_params_defaults(&strategy_limits_params, &none);
    return memcmp(limits, &none, sizeof none) != 0;
}

strategy_limits_t strategy_limits_of(const tbus_params_t *params, const void *values)
{
    strategy_limits_t limits;
    tbus_params_defaults(&strategy_limits_params, &limits);
    const tbus_param_t *first = params ? tbus_params_find(params, table[0].name) : NULL;
    if (first)
        memcpy(&limits, (const char *)values + (first->offset - table[0].offset), sizeof limits);
    return limits;
}

int strategy_limits_check_change(const strategy_limits_t *first, const strategy_limits_t *now,
                                 tbus_error_t *err)
{
    if (strategy_limits_any(first) || !strategy_limits_any(now))
        return 0;
    return tbus_fail(err, -TBUS_ECONFIG,
                     "a strategy that was started without limits of its own (limits.KEY) cannot "
                     "get one while orders pass: risk has not counted for it alone; start again");
}

void strategy_limits_put(word_box_t *box, const strategy_limits_t *limits)
{
    const uint64_t words[WORD_BOX_WORDS] = {
        limits->max_order_notional_e4, limits->position_max,    limits->gross_notional_max_e4,
        limits->loss_max_e4,           limits->max_order_qty,   limits->orders_per_second,
        limits->messages_per_second,   limits->open_orders_max,
    };
    word_box_put(box, words);
}

bool strategy_limits_read(const word_box_t *box, uint64_t version, strategy_limits_t *out_limits)
{
    uint64_t words[WORD_BOX_WORDS], seen = 0;
    if (!word_box_take(box, &seen, words) || seen != version)
        return false;
    *out_limits = (strategy_limits_t){.max_order_notional_e4 = words[0],
                                      .position_max = words[1],
                                      .gross_notional_max_e4 = words[2],
                                      .loss_max_e4 = words[3],
                                      .max_order_qty = (uint32_t)words[4],
                                      .orders_per_second = (uint32_t)words[5],
                                      .messages_per_second = (uint32_t)words[6],
                                      .open_orders_max = (uint32_t)words[7]};
    return true;
}
