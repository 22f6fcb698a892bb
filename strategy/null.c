/* SPDX-License-Identifier: Apache-2.0 */
/* null - the strategy that does nothing: what is left is the cost of the pipeline itself. */
#include <tickbus/strategy.h>

static int null_create(strat_context_t *ctx, const strat_params_t *params, void **out_self,
                       tbus_error_t *err)
{
    (void)ctx;
    (void)params;
    (void)err;
    *out_self = NULL;
    return 0;
}

const strategy_t strategy_null = {
    .name = "null",
    .summary = "sends nothing; books and bbo are kept all the same (for measuring)",
    .create = null_create,
};
