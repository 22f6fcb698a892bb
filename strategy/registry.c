/* SPDX-License-Identifier: Apache-2.0 */
/* The strategies that are built in, by name. A new one is one file and one line here. */
#include <errno.h>
#include <string.h>

#include <tickbus/strategy.h>

static const strategy_t *const strategies[] = {
    &strategy_quote,
    &strategy_script,
    &strategy_null,
};

const strategy_t *strategy_at(unsigned index)
{
    return index < sizeof strategies / sizeof *strategies ? strategies[index] : NULL;
}

const strategy_t *strategy_find(const char *name)
{
    const strategy_t *strategy;
    for (unsigned i = 0; (strategy = strategy_at(i)); i++)
        if (strcmp(strategy->name, name) == 0)
            return strategy;
    return NULL;
}

int strategy_check(const strategy_t *strategy, tbus_error_t *err)
{
    if (strategy->api != STRATEGY_API || strategy->struct_bytes != sizeof *strategy)
        return tbus_fail(err, -TBUS_EABI,
                         "the strategy was made for another version of tickbus (api %u, %u bytes; "
                         "here %u, %zu)",
                         strategy->api, strategy->struct_bytes, STRATEGY_API, sizeof *strategy);
    if (!strategy->name || !*strategy->name)
        return tbus_fail(err, -EINVAL, "the strategy has no name");
    return 0;
}
