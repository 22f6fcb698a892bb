/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/resource.h"

static const tbus_param_t table[] = {
    {"orders_max", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(market_limits_t, orders_max), .min = 16,
     .max = 1 << 28, .unit = "orders", .fallback = "1048576",
     .help = "live orders at a time, all symbols together; the memory for them is taken at start"},
    {"levels_max", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(market_limits_t, levels_max), .min = 16,
     .max = 1 << 28, .unit = "levels", .fallback = "262144",
     .help = "price levels at a time, all symbols and both sides together"},
    {"market", TBUS_PARAM_CHOICE, TBUS_PARAM_FIELD(market_limits_t, market), .choices = "Q|B|X",
     .fallback = "Q",
     .help = "whose feed it is: Nasdaq, BX or PSX; operational halts of the others halt nothing "
             "here"},
    {"days", TBUS_PARAM_CHOICE, TBUS_PARAM_FIELD(market_limits_t, days), .choices = "many|one",
     .fallback = "many",
     .help = "what another start of messages (S with code O) is: a new day, for which the books "
             "start empty; or an error"},
    {"test_issues", TBUS_PARAM_CHOICE, TBUS_PARAM_FIELD(market_limits_t, tests),
     .choices = "auto|apart|live", .fallback = "auto",
     .help = "are issues that the directory calls test issues told apart, or taken for live ones? "
             "auto: apart, but of synth:flow=plain, which has no others"},
};

static int create(const void *params, void **out_resource, tbus_error_t *err)
{
    market_t *market;
    int code = market_create(params, &market, err);
    if (code == 0)
        *out_resource = market;
    return code;
}

static size_t memory_bytes(const void *params)
{
    return market_footprint(params);
}

static void destroy(void *resource)
{
    market_destroy(resource);
}

const tbus_resource_t market_resource = {
    .name = "books",
    .help = "The order books: their limits, of which reaching one ends the run with an error (a "
            "book with a hole is no book), and what the feed means.",
    .params = TBUS_PARAMS(market_limits_t, table),
    .create = create,
    .destroy = destroy,
    .memory_bytes = memory_bytes,
    .memory_keys = "books.orders_max or books.levels_max",
};
