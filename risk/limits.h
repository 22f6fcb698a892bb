/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - how much a strategy may ask for: the figures that the gate holds every order against.
 *
 * No limit can be switched off and 0 never stands for "unlimited": where 0 would reject every order
 * the whole set is refused, and where it has a meaning (the two parts of the collar) it is the
 * strictest value. Money is in 1/10000 of the currency, as prices are. These limits hold for all
 * strategies of a bus together; a strategy may have some of its own beside them
 * (bus/market/strategy_limits.h).
 *
 * Next on the data path: risk/gate.h.
 */
#ifndef TICKBUS_RISK_LIMITS_H
#define TICKBUS_RISK_LIMITS_H

#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/kind.h>
#include <tickbus/param.h>

#include "bus/market/strategy_limits.h"

#define RISK_OPEN_ORDERS_LIMIT 1048576u /* largest open_orders_max */
#define RISK_RATE_LIMIT        1000000u /* largest orders_per_second, messages_per_second */
#define RISK_STRATEGIES_MAX    TBUS_INSTANCES_MAX
#define RISK_SECTION_MAX       96u
#define RISK_COLLAR_BPS_LIMIT  10000u /* largest collar_bps: all of the price */

typedef struct risk_limits {
    uint32_t max_order_qty;         /* shares of one order, 1.. */
    uint64_t max_order_notional_e4; /* qty x limit price of one order, 1.. */
    /* how far a limit price may be from the touch, in 1/100 % of it: 0..10000 */
    uint32_t collar_bps;
    /* ... or in 1/10000 of the currency; the wider of the two holds. 0 and 0: at the touch only */
    uint32_t collar_e4;
    /* shares long or short in one symbol, should all its open orders fill, 1.. */
    uint64_t position_max;
    /* sum over all symbols of |position| x mark, and over all open orders of shares left x limit
     * price, 1.. */
    uint64_t gross_notional_max_e4;
    /* new orders let through in any one second of market time, 1..1000000 */
    uint32_t orders_per_second;
    uint32_t open_orders_max; /* orders let through and not yet ended at a time, 1..1048576 */
    /* new orders, replaces and cancels let through in any one second, 1..1000000; cancels count,
     * and are never held up */
    uint32_t messages_per_second;
    /* shares that must be displayed on a side, from the best price on, to make a reference, 1.. */
    uint32_t reference_qty;
    /* by how much net profit of all strategies together may have fallen since the start, or since
     * it was resumed, before only closing orders pass, 1.. */
    uint64_t loss_max_e4;
    uint32_t test_symbols; /* enum risk_test_symbols */
} risk_limits_t;

/* Orders for test issues, in the order of the configuration's choices. */
enum risk_test_symbols { RISK_TEST_SYMBOLS_REFUSE = 0, RISK_TEST_SYMBOLS_ALLOW = 1 };

/* Ranges, defaults and meanings of the figures above: the one place where they stand. */
extern const tbus_params_t risk_limits_params;

/* 0, or -TBUS_ECONFIG and a sentence that names the first field that is out of its range. */
int risk_limits_check(const risk_limits_t *limits, tbus_error_t *err);

/* The same for limits that are to take the place of those that a gate was created with (`first`):
 * memory is taken once, so orders_per_second, messages_per_second and open_orders_max cannot become
 * more than they were then. */
int risk_limits_check_change(const risk_limits_t *first, const risk_limits_t *limits,
                             tbus_error_t *err);

/* A strategy whose orders come to the gate. */
typedef struct risk_strategy {
    uint32_t number;
    char section[RISK_SECTION_MAX]; /* of the configuration, where its limits stand */
    strategy_limits_t limits;
} risk_strategy_t;

/* All limits of a bus. */
typedef struct risk_limit_set {
    risk_limits_t bus;
    uint32_t strategies_count;
    risk_strategy_t strategies[RISK_STRATEGIES_MAX];
} risk_limit_set_t;

/* Make the change that a text tells: "PATH from A to B, ...", as it was recorded on `events`, of
 * paths risk.KEY and SECTION.limits.KEY. What this build does not know, or would not allow, stays
 * as it is. Cold. */
void risk_limit_set_repeat(risk_limit_set_t *set, const char *text);

#endif
