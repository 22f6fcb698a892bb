/* SPDX-License-Identifier: Apache-2.0 */
/* The strategies that are built in, by name. A new one is one file and one line here. */
#include <string.h>

#include <tickbus/strategy.h>

static const strategy_t *const strategies[] = {
    &strategy_quote,
    &strategy_null,
};

const strategy_t *strategy_at(unsigned index)
{
    return index < sizeof strategies / sizeof *strategies ? strategies[index] : NULL;
}

const strategy_t *strategy_find(const char *name)
{
    const strategy_t *strategy;
    for (unsigned i = 0; (strategy = strategy_at(i)) != NULL; i++)
        if (strcmp(strategy->name, name) == 0)
            return strategy;
    return NULL;
}

strat_params_t strat_params_defaults(void)
{
    return (strat_params_t){
        .symbols_auto = 4,
        .order_qty = 100,
        .position_max = 1000,
        .requote_ns_min = 1000000,
        .open_orders_max = 64,
    };
}
