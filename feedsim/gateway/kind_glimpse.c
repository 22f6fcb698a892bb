/* SPDX-License-Identifier: Apache-2.0 */
/* The kind of stage that hands out the books to those who join late. */
#include <stdio.h>

#include "bus/market/resource.h"
#include "feedsim/gateway/stage.h"

#define TOPIC "md"

#define FIELD(member) TBUS_PARAM_FIELD(glimpse_values_t, member)

static const tbus_param_t table[] = {
    {"listen", TBUS_PARAM_TEXT, FIELD(listen), .check = gateway_door_check_address,
     .may_be_empty = true, .fallback = "",
     .help = "ADDRESS:PORT at which remote consumers get the books of md as they are, by GLIMPSE "
             "5.0 over SoupBinTCP 3.00; port 0: any that is free; empty: none"},
    {"users", TBUS_PARAM_TEXT, FIELD(door.users), .may_be_empty = true, .fallback = "",
     .help = "as gateway.users"},
    {"send_buffer_bytes", TBUS_PARAM_NUMBER, FIELD(door.send_buffer_bytes), .min = 4096,
     .max = 16777216, .unit = "bytes", .fallback = "1048576",
     .help = "what the kernel keeps for each session (SO_SNDBUF)"},
    {"sessions_max", TBUS_PARAM_NUMBER, FIELD(door.sessions_max), .min = 1,
     .max = GATEWAY_SESSIONS_MAX, .fallback = "256", .help = "connections at a time"},
    {"sessions_per_address", TBUS_PARAM_NUMBER, FIELD(door.sessions_per_address), .min = 0,
     .max = GATEWAY_SESSIONS_MAX, .fallback = "0",
     .help = "of one address; a further connection is closed; 0: no limit"},
    {"logins_max", TBUS_PARAM_NUMBER, FIELD(door.logins_max), .min = 1, .max = GATEWAY_SESSIONS_MAX,
     .fallback = "256",
     .help = "connections that have not logged in yet; others wait until one has, or for half a "
             "second"},
    {"idle_ms", TBUS_PARAM_NUMBER, FIELD(door.idle_ms), .min = 0, .max = UINT32_MAX, .unit = "ms",
     .fallback = "30000",
     .help =
         "who takes nothing for so long is cut off, since a snapshot is kept for it; 0: nobody"},
    {"login_ms", TBUS_PARAM_NUMBER, FIELD(door.login_ms), .min = 10, .max = 600000, .unit = "ms",
     .fallback = "5000", .help = "who has not logged in by then is closed"},
    {"linger_ms", TBUS_PARAM_NUMBER, FIELD(door.linger_ms), .min = 0, .max = 40000, .unit = "ms",
     .fallback = "5000",
     .help = "at the end of the run: how long sessions that have not got everything are served"},
};
static const tbus_params_t params_of_kind = TBUS_PARAMS(glimpse_values_t, table);

static bool wanted(const void *params)
{
    return ((const glimpse_values_t *)params)->listen[0] != 0;
}

static int check(const void *params, tbus_error_t *err)
{
    return gateway_door_check(&((const glimpse_values_t *)params)->door, err);
}

static void describe(const void *params, char *out_text, size_t bytes)
{
    const glimpse_values_t *values = params;
    snprintf(out_text, bytes, "books at %s%s", values->listen,
             values->door.users[0] ? "" : ", for anybody on this host");
}

/* The limits that the books of all stages have. */
static const market_limits_t *limits_of(const tbus_crew_t *crew)
{
    for (uint32_t i = 0; i < crew->count; i++)
        if (crew->resources[i].resource == &market_resource)
            return crew->resources[i].params;
    return NULL;
}

static int create_server(const tbus_stage_request_t *request, const char *journal, void *values,
                         void **out_server, tbus_error_t *err)
{
    const glimpse_values_t *v = values;
    gateway_options_t o = gateway_door_options(&v->door);
    o.channels_count = 1;
    o.channels[0].topic = TOPIC;
    o.channels[0].address = v->listen;
    o.books = limits_of(request->crew);
    o.backfill_readers = 1;
    return gateway_serving_create(request, journal, &o, out_server, err);
}

static int create(const tbus_stage_request_t *request, tbus_stage_t **out_stage, tbus_error_t *err)
{
    static const serving_kind_t serving = {.ops = &gateway_serving,
                                           .create = create_server,
                                           .params_bytes = sizeof(glimpse_values_t),
                                           .values_bytes = sizeof(glimpse_values_t)};
    return serving_stage_create(&serving, request, out_stage, err);
}

/* The file of users is the one that it was made with. */
static int check_change(const void *first, const void *now, tbus_error_t *err)
{
    (void)now;
    return check(first, err);
}

static void change(void *control, const void *now)
{
    gateway_options_t o = gateway_door_options(&((const glimpse_values_t *)now)->door);
    gateway_door_change(control, &o);
}

static const tbus_resource_t *const resources[] = {&market_resource, NULL};

const tbus_kind_t glimpse_kind = {
    .api = TBUS_KIND_API,
    .struct_bytes = sizeof(tbus_kind_t),
    .name = "glimpse",
    .help = "Remote consumers: the books as they are at a login.",
    .section = "glimpse",
    .traits = TBUS_KIND_SERVES | TBUS_KIND_REREADS,
    .rank = 81,
    .instances_max = 1,
    .params = &params_of_kind,
    .resources = resources,
    .control = GATEWAY_BOARD_BLOCK,
    .control_bytes = sizeof(gateway_board_t),
    .wanted = wanted,
    .check = check,
    .describe = describe,
    .may_change = gateway_door_may_change,
    .check_change = check_change,
    .change = change,
    .create = create,
};
