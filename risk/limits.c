/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/limits.h"

#include <stdio.h>

#include <inttypes.h>
#include <string.h>

static const tbus_param_t table[] = {
    {"max_order_qty", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(risk_limits_t, max_order_qty), .min = 1,
     .max = UINT32_MAX, .unit = "shares", .fallback = "10000", .help = "of one order"},
    {"max_order_notional_e4", TBUS_PARAM_NUMBER,
     TBUS_PARAM_FIELD(risk_limits_t, max_order_notional_e4), .min = 1, .max = INT64_MAX,
     .unit = "1/10000ths of the currency", .fallback = "20000000000",
     .help = "quantity times limit price of one order"},
    {"collar_bps", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(risk_limits_t, collar_bps), .min = 0,
     .max = RISK_COLLAR_BPS_LIMIT, .unit = "basis points of the touch", .fallback = "500",
     .help = "how far a limit price may be from the touch ..."},
    {"collar_e4", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(risk_limits_t, collar_e4), .min = 0,
     .max = UINT32_MAX, .unit = "1/10000ths of the currency", .fallback = "500",
     .help = "... or this far; the wider of the two holds"},
    {"position_max", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(risk_limits_t, position_max), .min = 1,
     .max = INT64_MAX, .unit = "shares", .fallback = "50000",
     .help = "long or short in one symbol, should all its open orders fill"},
    {"gross_notional_max_e4", TBUS_PARAM_NUMBER,
     TBUS_PARAM_FIELD(risk_limits_t, gross_notional_max_e4), .min = 1, .max = INT64_MAX,
     .unit = "1/10000ths of the currency", .fallback = "1000000000000",
     .help = "positions and open orders of all symbols"},
    {"orders_per_second", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(risk_limits_t, orders_per_second),
     .min = 1, .max = RISK_RATE_LIMIT, .unit = "orders", .fallback = "10000",
     .help = "new orders in any one second of market time"},
    {"open_orders_max", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(risk_limits_t, open_orders_max),
     .min = 1, .max = RISK_OPEN_ORDERS_LIMIT, .unit = "orders", .fallback = "16384",
     .help = "passed and not yet ended at a time"},
    {"messages_per_second", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(risk_limits_t, messages_per_second),
     .min = 1, .max = RISK_RATE_LIMIT, .unit = "messages", .fallback = "20000",
     .help = "new orders, replaces and cancels in any one second of market time; a cancel counts, "
             "and passes at all times"},
    {"reference_qty", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(risk_limits_t, reference_qty), .min = 1,
     .max = UINT32_MAX, .unit = "shares", .fallback = "100",
     .help = "the collar is measured from the price up to which so many shares are displayed: a "
             "few shares far away do not move it"},
    {"loss_max_e4", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(risk_limits_t, loss_max_e4), .min = 1,
     .max = INT64_MAX, .unit = "1/10000ths of the currency", .fallback = "10000000000",
     .help = "net loss of all strategies together; beyond it only orders that close positions "
             "pass, until busctl resume"},
    {"test_symbols", TBUS_PARAM_CHOICE, TBUS_PARAM_FIELD(risk_limits_t, test_symbols), .min = 0,
     .max = RISK_TEST_SYMBOLS_ALLOW, .choices = "refuse|allow", .fallback = "refuse",
     .help = "orders for test issues (of which the directory says so)"},
};
const tbus_params_t risk_limits_params = TBUS_PARAMS(risk_limits_t, table);

static uint64_t value_of(const tbus_param_t *param, const risk_limits_t *limits)
{
    uint32_t narrow;
    uint64_t value;
    const char *at = (const char *)limits + param->offset;
    if (param->bytes == sizeof value) {
        memcpy(&value, at, sizeof value);
        return value;
    }
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}

/* The numbers of a configuration are signed; whoever calls may give amounts of money beyond. */
static uint64_t max_of(const tbus_param_t *param)
{
    bool money = param->offset == offsetof(risk_limits_t, max_order_notional_e4) ||
                 param->offset == offsetof(risk_limits_t, gross_notional_max_e4) ||
                 param->offset == offsetof(risk_limits_t, loss_max_e4);
    return money ? UINT64_MAX : (uint64_t)param->max;
}

int risk_limits_check(const risk_limits_t *limits, tbus_error_t *err)
{
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint64_t value = value_of(&table[i], limits);
        if (value >= (uint64_t)table[i].min && value <= max_of(&table[i]))
            continue;
        if (value == 0)
            return tbus_fail(err, -TBUS_ECONFIG,
                             "risk.%s is 0, which would reject every order; set it from %" PRId64
                             " to %" PRId64 ", or use the kill switch to stop trading",
                             table[i].name, table[i].min, table[i].max);
        return tbus_fail(err, -TBUS_ECONFIG,
                         "risk.%s is %" PRIu64 "; set it from %" PRId64 " to %" PRId64,
                         table[i].name, value, table[i].min, table[i].max);
    }
    return 0;
}

static int check_growth(const char *field, uint32_t first, uint32_t value, tbus_error_t *err)
{
    if (value <= first)
        return 0;
    return tbus_fail(err, -TBUS_ECONFIG,
                     "risk.%s cannot become %" PRIu32 " while orders pass: memory for %" PRIu32
                     " was taken at the start; start again for more",
                     field, value, first);
}

int risk_limits_check_change(const risk_limits_t *first, const risk_limits_t *limits,
                             tbus_error_t *err)
{
    int code = risk_limits_check(limits, err);
    if (code == 0)
        code = check_growth("orders_per_second", first->orders_per_second,
                            limits->orders_per_second, err);
    if (code == 0)
        code = check_growth("messages_per_second", first->messages_per_second,
                            limits->messages_per_second, err);
    if (code == 0)
        code =
            check_growth("open_orders_max", first->open_orders_max, limits->open_orders_max, err);
    return code;
}

/* "SECTION.KEY", of that section? */
static bool set_in_section(const char *path, const char *section, const tbus_params_t *params,
                           void *values, const char *value)
{
    size_t length = strlen(section);
    if (strncmp(path, section, length) != 0 || path[length] != '.')
        return false;
    const tbus_param_t *param = tbus_params_find(params, path + length + 1);
    if (param)
        (void)tbus_param_set(param, path, values, value, NULL);
    return true;
}

void risk_limit_set_repeat(risk_limit_set_t *set, const char *text)
{
    char path[RISK_SECTION_MAX + 64], value[64];
    int used = 0;
    for (; sscanf(text, "%159s from %*s to %63[^,]%n", path, value, &used) == 2; text += used) {
        bool known = set_in_section(path, "risk", &risk_limits_params, &set->bus, value);
        for (uint32_t i = 0; !known && i < set->strategies_count; i++)
            known = set_in_section(path, set->strategies[i].section, &strategy_limits_params,
                                   &set->strategies[i].limits, value);
        if (strncmp(text + used, ", ", 2) != 0)
            return;
        used += 2;
    }
}
