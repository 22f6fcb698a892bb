/* SPDX-License-Identifier: Apache-2.0 */
/* strategy_limits.h - limits of one strategy alone, beside those of the whole bus (risk/limits.h):
 * an order must keep both. They are keys of the section of the strategy, `limits.KEY`, and risk
 * holds its orders against them (risk/gate.h).
 *
 * A limit that is not set is the largest value there is: then that of the bus is the only one. A
 * strategy without any has no figures of its own in risk, so the first one cannot be set while
 * orders pass.
 *
 * When the configuration is read again (SIGHUP), the supervisor puts them into a box (word_box.h),
 * the block "NAME.limits" of the bus directory, before it puts those of the bus into theirs: risk
 * takes all of one change between two orders.
 */
#ifndef TICKBUS_BUS_MARKET_STRATEGY_LIMITS_H
#define TICKBUS_BUS_MARKET_STRATEGY_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/param.h>

#include "bus/market/word_box.h"

typedef struct strategy_limits {
    uint64_t max_order_notional_e4;
    uint64_t position_max; /* long or short in one symbol, should all its open orders fill */
    uint64_t gross_notional_max_e4;
    uint64_t loss_max_e4;
    uint32_t max_order_qty;
    uint32_t orders_per_second;
    uint32_t messages_per_second;
    uint32_t open_orders_max;
} strategy_limits_t;

/* Entries of the table of a kind whose struct of values `type` has them as `member`. */
#define STRATEGY_LIMITS_(type, member, key, largest, of_what, said)                                \
    {                                                                                              \
        "limits." #key, TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(type, member.key),                     \
            .min = 1, .max = (largest), .unit = (of_what),                                         \
            .fallback = STRATEGY_LIMITS_TEXT_(largest), .help = (said)                             \
    }
#define STRATEGY_LIMITS_TEXT_(number)  STRATEGY_LIMITS_TEXT2_(number)
#define STRATEGY_LIMITS_TEXT2_(number) #number

#define STRATEGY_LIMITS_MONEY 9223372036854775807
#define STRATEGY_LIMITS_QTY   4294967295
#define STRATEGY_LIMITS_RATE  1000000
#define STRATEGY_LIMITS_OPEN  1048576

#define STRATEGY_LIMITS_PARAMS(type, member)                                                       \
    STRATEGY_LIMITS_(type, member, max_order_qty, STRATEGY_LIMITS_QTY, "shares",                   \
                     "of one order of this strategy. Its limits hold beside those of risk; the "   \
                     "largest value is none"),                                                     \
        STRATEGY_LIMITS_(type, member, max_order_notional_e4, STRATEGY_LIMITS_MONEY,               \
                         "1/10000ths of the currency", "quantity times limit price of one order"), \
        STRATEGY_LIMITS_(type, member, position_max, STRATEGY_LIMITS_MONEY, "shares",              \
                         "long or short in one symbol, should all its open orders fill"),          \
        STRATEGY_LIMITS_(type, member, gross_notional_max_e4, STRATEGY_LIMITS_MONEY,               \
                         "1/10000ths of the currency", "its positions and open orders"),           \
        STRATEGY_LIMITS_(type, member, orders_per_second, STRATEGY_LIMITS_RATE, "orders",          \
                         "its new orders in any one second of market time"),                       \
        STRATEGY_LIMITS_(type, member, messages_per_second, STRATEGY_LIMITS_RATE, "messages",      \
                         "... with cancels; a cancel counts, and passes at all times"),            \
        STRATEGY_LIMITS_(type, member, open_orders_max, STRATEGY_LIMITS_OPEN, "orders",            \
                         "its orders that have passed and not yet ended"),                         \
        STRATEGY_LIMITS_(type, member, loss_max_e4, STRATEGY_LIMITS_MONEY,                         \
                         "1/10000ths of the currency",                                             \
                         "its net loss; beyond it only its orders that close positions pass, "     \
                         "until busctl resume")

/* The same as a table of its own, whose struct of values is a strategy_limits_t. */
extern const tbus_params_t strategy_limits_params;

/* Is one of them set? */
bool strategy_limits_any(const strategy_limits_t *limits);

/* Those among the values of a kind that trades, by the table of its parameters; none are set where
 * it has no such key. Cold. */
strategy_limits_t strategy_limits_of(const tbus_params_t *table, const void *values);

/* May they become `now` while orders pass? -TBUS_ECONFIG: there were none at the start. */
int strategy_limits_check_change(const strategy_limits_t *first, const strategy_limits_t *now,
                                 tbus_error_t *err);

void strategy_limits_put(word_box_t *box, const strategy_limits_t *limits);
/* Those of the set that has this version; false: it is another, or being written. Hot. */
bool strategy_limits_read(const word_box_t *box, uint64_t version, strategy_limits_t *out_limits);

#endif
