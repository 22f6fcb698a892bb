/* SPDX-License-Identifier: Apache-2.0 */
/* The kind of stage that stands before every order. */
#include <stdio.h>

#include <tickbus/msg/event.h>
#include <tickbus/msg/order.h>

#include "bus/market/resource.h"
#include "bus/market/session.h"
#include "risk/gate.h"
#include "risk/stage.h"

static const tbus_port_t ports[] = {
    {.topic = "md", .role = TBUS_PORT_SUBSCRIBE, .driving = true},
    {.topic = "reports", .role = TBUS_PORT_SUBSCRIBE},
    {.topic = "orders", .role = TBUS_PORT_CONSUME},
    {.topic = "judged",
     .role = TBUS_PORT_PUBLISH,
     .type = "order",
     .type_version = ORDER_VERSION,
     .ring = TBUS_SPSC,
     .help = "orders with the verdict of risk, on their way to the executor, which answers them"},
    {.topic = "approved",
     .role = TBUS_PORT_PUBLISH,
     .type = "order",
     .type_version = ORDER_VERSION,
     .ring = TBUS_BROADCAST,
     .seldom = true,
     .help = "those of them that passed, for whoever looks"},
    {.topic = EVENT_TOPIC,
     .role = TBUS_PORT_PUBLISH,
     .type = "event",
     .type_version = EVENT_VERSION,
     .ring = TBUS_BROADCAST_MP,
     .slot_bytes = EVENT_SLOT,
     .seldom = true,
     .help = "halts, reductions, resumes and changes of limits, and where each took effect"},
    {.topic = EVENT_INPUTS_TOPIC,
     .role = TBUS_PORT_PUBLISH,
     .type = "event",
     .type_version = EVENT_VERSION,
     .ring = TBUS_BROADCAST_MP,
     .seldom = true,
     .help = "with venue.clock host: in which order strategies, risk and executor took reports and "
             "orders"},
};

static int check_change(const void *first, const void *now, tbus_error_t *err)
{
    return risk_limits_check_change(first, now, err);
}

static void change(void *control, const void *now)
{
    limits_box_put(control, now);
}

static size_t memory_bytes(const void *params)
{
    return gate_footprint(params);
}

/* Those whose orders come, with the limits that each has of its own. */
static void know_strategies(const tbus_stage_request_t *request, risk_params_t *params)
{
    for (uint32_t i = 0; i < request->traders_count && i < RISK_STRATEGIES_MAX; i++) {
        const tbus_trader_t *trader = &request->traders[i];
        risk_strategy_t *strategy = &params->strategies[params->strategies_count];
        strategy->number = trader->number;
        strategy->limits = strategy_limits_of(trader->table, trader->params);
        snprintf(strategy->section, sizeof strategy->section, "%s", trader->section);
        params->strategy_boxes[params->strategies_count++] = trader->control;
    }
}

static int create(const tbus_stage_request_t *request, tbus_stage_t **out_stage, tbus_error_t *err)
{
    risk_params_t params = {.limits = *(const risk_limits_t *)request->params,
                            .limits_box = request->control,
                            .messages_max = request->messages_max,
                            .no_orders = request->no_orders};
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
    know_strategies(request, &params);
    return risk_stage_create(request->bus, request->owner, market, &params, out_stage, err);
}

static const tbus_resource_t *const resources[] = {&market_resource, &session_resource,
                                                   &marks_resource, NULL};

const tbus_kind_t risk_kind = {
    .api = TBUS_KIND_API,
    .struct_bytes = sizeof(tbus_kind_t),
    .name = "risk",
    .help = "Limits that every order is held against. None can be switched off.",
    .section = "risk",
    .traits = TBUS_KIND_DECIDES,
    .rank = 30,
    .instances_max = 1,
    .ports_count = sizeof ports / sizeof ports[0],
    .ports = ports,
    .params = &risk_limits_params,
    .resources = resources,
    .control = "limits",
    .control_bytes = sizeof(limits_box_t),
    .check_change = check_change,
    .change = change,
    .memory_bytes = memory_bytes,
    .memory_keys = "risk.open_orders_max or risk.orders_per_second",
    .create = create,
};
