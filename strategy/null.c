/* SPDX-License-Identifier: Apache-2.0 */
/* null - the strategy that does nothing, so that a run measures the pipeline alone. */
#include <tickbus/strategy.h>

const strategy_t strategy_null = {
    .api = STRATEGY_API,
    .struct_bytes = sizeof(strategy_t),
    .name = "null",
    .summary =
        "sends nothing, for measuring; its books and the digest of bbo are kept all the same",
};
