/* SPDX-License-Identifier: Apache-2.0 */
/* The kind of stage that runs a strategy. Each strategy brings its own parameters; they stand in
 * the section of the stage beside those below. */
#include <stdio.h>

#include <tickbus/msg/bbo.h>
#include <tickbus/msg/event.h>
#include <tickbus/msg/order.h>

#include "bus/market/resource.h"
#include "bus/market/session.h"
#include "bus/market/strategy_limits.h"
#include "strategy/context.h"
#include "strategy/stage.h"

typedef struct strategy_values {
    char name[TBUS_NAME_MAX];
    uint32_t open_orders_max;
    strategy_limits_t limits; /* what risk holds its orders against beside the limits of the bus */
} strategy_values_t;

static int check_name(const char *text, tbus_error_t *err)
{
    if (strategy_find(text))
        return 0;
    char names[160] = "";
    size_t used = 0;
    const strategy_t *strategy;
    for (unsigned i = 0; (strategy = strategy_at(i)) && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 strategy->name);
    return tbus_fail(err, -TBUS_ECONFIG, "there is no such strategy; there are: %s", names);
}

static const tbus_param_t table[] = {
    {"name", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(strategy_values_t, name), .check = check_name,
     .fallback = "quote", .help = "what decides on orders; null sends none, for measuring"},
    {"open_orders_max", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(strategy_values_t, open_orders_max),
     .min = 1, .max = OWN_ORDERS_LIMIT, .unit = "orders", .fallback = "64",
     .help = "orders on their way or resting at a time"},
    STRATEGY_LIMITS_PARAMS(strategy_values_t, limits),
};
static const tbus_params_t params_of_kind = TBUS_PARAMS(strategy_values_t, table);

static const tbus_port_t ports[] = {
    {.topic = "md", .role = TBUS_PORT_SUBSCRIBE, .driving = true},
    {.topic = "reports", .role = TBUS_PORT_SUBSCRIBE},
    {.topic = "bbo",
     .role = TBUS_PORT_PUBLISH,
     .first_only = true,
     .may_be_left_out = true,
     .type = "bbo",
     .type_version = BBO_VERSION,
     .ring = TBUS_BROADCAST,
     .help = "best bids and offers, from the strategy stage"},
    {.topic = "orders",
     .role = TBUS_PORT_PUBLISH,
     .type = "order",
     .type_version = ORDER_VERSION,
     .ring = TBUS_MPMC,
     .help = "orders on their way to risk"},
    {.topic = EVENT_TOPIC, .role = TBUS_PORT_PUBLISH}, /* risk/kind.c says what they are */
    {.topic = EVENT_INPUTS_TOPIC, .role = TBUS_PORT_PUBLISH},
};

static bool variant(uint32_t index, tbus_variant_t *out_variant)
{
    const strategy_t *strategy = strategy_at(index);
    if (strategy)
        *out_variant = (tbus_variant_t){strategy->name, &strategy->params};
    return strategy;
}

static void describe(const void *params, char *out_text, size_t bytes)
{
    snprintf(out_text, bytes, "strategy %s", ((const strategy_values_t *)params)->name);
}

static size_t memory_bytes(const void *params)
{
    const strategy_values_t *values = params;
    const strategy_t *strategy = strategy_find(values->name);
    return strategy_stage_footprint(values->open_orders_max) +
           (strategy ? strategy->self_bytes : 0);
}

static int create(const tbus_stage_request_t *request, tbus_stage_t **out_stage, tbus_error_t *err)
{
    const strategy_values_t *values = request->params;
    strategy_stage_params_t params = {.strategy = strategy_find(values->name),
                                      .params = request->variant_params,
                                      .open_orders_max = values->open_orders_max,
                                      .number = (uint16_t)request->number,
                                      .name = request->name};
    void *market, *session, *marks;
    int code = tbus_crew_use(request->crew, &market_resource, &market, err);
    if (code == 0)
        code = tbus_crew_use(request->crew, &session_resource, &session, err);
    if (code == 0)
        code = tbus_crew_use(request->crew, &marks_resource, &marks, err);
    if (code != 0)
        return code;
    params.session = session;
    params.marks = marks;
    return strategy_stage_create(request->bus, request->owner, market, &params, out_stage, err);
}

/* Limits alone change while it runs: risk takes them. */
static bool may_change(const tbus_param_t *param)
{
    return tbus_params_find(&strategy_limits_params, param->name) != NULL;
}

static int check_change(const void *first, const void *now, tbus_error_t *err)
{
    return strategy_limits_check_change(&((const strategy_values_t *)first)->limits,
                                        &((const strategy_values_t *)now)->limits, err);
}

static void change(void *control, const void *now)
{
    strategy_limits_put(control, &((const strategy_values_t *)now)->limits);
}

/* One that is never called cannot. */
static bool may_send(const strategy_t *strategy)
{
    return strategy->create || strategy->on_tick || strategy->on_bbo || strategy->on_report ||
           strategy->on_timer || strategy->on_wind_down;
}

static uint32_t messages_max(const void *params)
{
    const strategy_values_t *values = params;
    const strategy_t *strategy = strategy_find(values->name);
    bool sends = !strategy || may_send(strategy);
    return sends ? ORDERS_KEPT_PER_CREDIT * values->open_orders_max : 0;
}

static const tbus_resource_t *const resources[] = {&market_resource, &session_resource,
                                                   &marks_resource, NULL};
static const char *const histograms[] = {"tick_to_order", "tick_to_requote", "tick_to_cancel",
                                         "wait_horizon", NULL};

const tbus_kind_t strategy_kind = {
    .api = TBUS_KIND_API,
    .struct_bytes = sizeof(tbus_kind_t),
    .name = "strategy",
    .help = "What sends orders.",
    .section = "strategy",
    .traits = TBUS_KIND_DECIDES | TBUS_KIND_TRADES,
    .rank = 20,
    .instances_max = STRATEGIES_MAX,
    .ports_count = sizeof ports / sizeof ports[0],
    .ports = ports,
    .params = &params_of_kind,
    .resources = resources,
    .messages_max = messages_max,
    .variant = variant,
    .variant_param = "name",
    .histograms = histograms,
    .describe = describe,
    .memory_bytes = memory_bytes,
    .memory_keys = "strategy.open_orders_max",
    .control = "limits",
    .control_bytes = sizeof(word_box_t),
    .may_change = may_change,
    .check_change = check_change,
    .change = change,
    .create = create,
};
