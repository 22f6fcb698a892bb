/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/limits.h"

#include <inttypes.h>

void risk_limits_default(risk_limits_t *out_limits)
{
    *out_limits = (risk_limits_t){
        .max_order_qty = 10000,
        .max_order_notional_e4 = UINT64_C(2000000) * 10000,
        .collar_bps = 500,
        .collar_e4 = 500,
        .position_max = 50000,
        .gross_notional_max_e4 = UINT64_C(100000000) * 10000,
        .orders_per_second = 10000,
        .open_orders_max = 16384,
    };
}

static int check_range(const char *field, uint64_t value, uint64_t min, uint64_t max,
                       tbus_error_t *err)
{
    if (value >= min && value <= max)
        return 0;
    if (value == 0)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "risk.%s is 0, which would reject every order; set it from %" PRIu64
                         " to %" PRIu64 ", or use the kill switch to stop trading",
                         field, min, max);
    return tbus_fail(err, -TBUS_ECONFIG,
                     "risk.%s is %" PRIu64 "; set it from %" PRIu64 " to %" PRIu64, field, value,
                     min, max);
}

int risk_limits_check(const risk_limits_t *limits, tbus_error_t *err)
{
    const struct {
        const char *field;
        uint64_t value, min, max;
    } ranges[] = {
        {"max_order_qty", limits->max_order_qty, 1, UINT32_MAX},
        {"max_order_notional_e4", limits->max_order_notional_e4, 1, UINT64_MAX},
        {"collar_bps", limits->collar_bps, 0, RISK_COLLAR_BPS_LIMIT},
        {"collar_e4", limits->collar_e4, 0, UINT32_MAX},
        {"position_max", limits->position_max, 1, INT64_MAX},
        {"gross_notional_max_e4", limits->gross_notional_max_e4, 1, UINT64_MAX},
        {"orders_per_second", limits->orders_per_second, 1, RISK_RATE_LIMIT},
        {"open_orders_max", limits->open_orders_max, 1, RISK_OPEN_ORDERS_LIMIT},
    };
    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        int code = check_range(ranges[i].field, ranges[i].value, ranges[i].min, ranges[i].max, err);
        if (code != 0)
            return code;
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
        code =
            check_growth("open_orders_max", first->open_orders_max, limits->open_orders_max, err);
    return code;
}
