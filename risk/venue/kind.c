/* SPDX-License-Identifier: Apache-2.0 */
/* The kind of stage that takes approved orders to the venue. */
#include <tickbus/msg/event.h>
#include <tickbus/msg/report.h>

#include "bus/market/resource.h"
#include "bus/market/session.h"
#include "risk/venue/executor.h"

static const tbus_port_t ports[] = {
    {.topic = "md", .role = TBUS_PORT_SUBSCRIBE, .driving = true},
    {.topic = "judged", .role = TBUS_PORT_SUBSCRIBE},
    {.topic = "reports",
     .role = TBUS_PORT_PUBLISH,
     .type = "report",
     .type_version = REPORT_VERSION,
     .ring = TBUS_BROADCAST,
     .help = "what became of orders, from the executor"},
    {.topic = EVENT_TOPIC, .role = TBUS_PORT_PUBLISH}, /* risk/kind.c says what they are */
    {.topic = EVENT_INPUTS_TOPIC, .role = TBUS_PORT_PUBLISH},
};

static size_t memory_bytes(const void *params)
{
    return venue_footprint(params);
}

static int create(const tbus_stage_request_t *request, tbus_stage_t **out_stage, tbus_error_t *err)
{
    executor_params_t params = {.venue = *(const venue_limits_t *)request->params,
                                .messages_max = request->messages_max,
                                .no_orders = request->no_orders};
    void *market, *session;
    int code = tbus_crew_use(request->crew, &market_resource, &market, err);
    if (code == 0)
        code = tbus_crew_use(request->crew, &session_resource, &session, err);
    if (code != 0)
        return code;
    params.session = session;
    return executor_stage_create(request->bus, request->owner, market, &params, out_stage, err);
}

static const tbus_resource_t *const resources[] = {&market_resource, &session_resource, NULL};
static const char *const histograms[] = {"tick_to_report", NULL};

const tbus_kind_t executor_kind = {
    .api = TBUS_KIND_API,
    .struct_bytes = sizeof(tbus_kind_t),
    .name = "executor",
    .help = "The venue model that executes orders.",
    .section = "executor",
    .traits = TBUS_KIND_DECIDES,
    .rank = 40,
    .instances_max = 1,
    .ports_count = sizeof ports / sizeof ports[0],
    .ports = ports,
    .params = &venue_limits_params,
    .resources = resources,
    .histograms = histograms,
    .memory_bytes = memory_bytes,
    .memory_keys = "executor.resting_max or executor.taken_max",
    .create = create,
};
