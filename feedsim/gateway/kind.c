/* SPDX-License-Identifier: Apache-2.0 */
/* The kind of stage that serves remote consumers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feedsim/gateway/block.h"
#include "feedsim/gateway/listen.h"
#include "feedsim/gateway/stage.h"

#define TOPIC_OF_LISTEN "md"

/* "TOPIC=ADDRESS:PORT": the topic, and where its address begins; NULL: it is none. */
static const char *split_port(const char *text, char out_topic[TBUS_NAME_MAX])
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || equals - text >= (int)TBUS_NAME_MAX)
        return NULL;
    snprintf(out_topic, TBUS_NAME_MAX, "%.*s", (int)(equals - text), text);
    return equals + 1;
}

static int check_port(const char *text, tbus_error_t *err)
{
    char topic[TBUS_NAME_MAX];
    const char *address = split_port(text, topic);
    return address ? gateway_address_check(address, err)
                   : tbus_fail(err, -TBUS_ECONFIG,
                               "must be TOPIC=ADDRESS:PORT, such as bbo=127.0.0.1:9001");
}

static const tbus_param_t table[] = {
    {"listen", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(gateway_values_t, listen),
     .check = gateway_door_check_address, .may_be_empty = true, .fallback = "",
     .help = "ADDRESS:PORT at which remote consumers get md as ITCH 5.0 over SoupBinTCP 3.00; port "
             "0: any that is free; empty: none"},
    {"ports", TBUS_PARAM_TEXTS, TBUS_PARAM_LIST(gateway_values_t, ports, ports_count),
     .check = check_port, .fallback = "",
     .help = "further topics, each at a port of its own: bbo=127.0.0.1:9001"},
    {"users", TBUS_PARAM_TEXT, TBUS_PARAM_FIELD(gateway_values_t, door.users), .may_be_empty = true,
     .fallback = "",
     .help = "file of who may log in, lines of user:hash[:topics], hashes of crypt(3); empty: "
             "anybody, on loopback addresses only"},
    {"io", TBUS_PARAM_CHOICE, TBUS_PARAM_FIELD(gateway_values_t, io), .choices = "auto|epoll|uring",
     .fallback = "auto", .help = "how it waits for sockets and sends; auto: epoll"},
    {"window_bytes", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(gateway_values_t, window_bytes),
     .min = 262144, .max = INT64_C(1) << 32, .unit = "bytes", .fallback = "4194304",
     .help = "the last messages of each topic, ready to be sent to all; who is slower than that "
             "gets the past"},
    {"backfill_bytes", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(gateway_values_t, backfill_bytes),
     .min = 1048576, .max = INT64_C(1) << 36, .unit = "bytes", .fallback = "16777216",
     .help = "messages of the past, read again for sessions that are late or slow, shared by them"},
    {"backfill_readers", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(gateway_values_t, backfill_readers),
     .min = 1, .max = 64, .fallback = "4", .help = "places of the past that are read at a time"},
    {"send_buffer_bytes", TBUS_PARAM_NUMBER,
     TBUS_PARAM_FIELD(gateway_values_t, door.send_buffer_bytes), .min = 4096, .max = 16777216,
     .unit = "bytes", .fallback = "262144",
     .help = "what the kernel keeps for each session (SO_SNDBUF)"},
    {"sessions_max", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(gateway_values_t, door.sessions_max),
     .min = 1, .max = GATEWAY_SESSIONS_MAX, .fallback = "2048", .help = "connections at a time"},
    {"sessions_per_user", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(gateway_values_t, sessions_per_user),
     .min = 0, .max = GATEWAY_SESSIONS_MAX, .fallback = "0",
     .help = "of one user; a further login is rejected; 0: no limit"},
    {"sessions_per_address", TBUS_PARAM_NUMBER,
     TBUS_PARAM_FIELD(gateway_values_t, door.sessions_per_address), .min = 0,
     .max = GATEWAY_SESSIONS_MAX, .fallback = "0",
     .help = "of one address; a further connection is closed; 0: no limit"},
    {"logins_max", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(gateway_values_t, door.logins_max), .min = 1,
     .max = GATEWAY_SESSIONS_MAX, .fallback = "256",
     .help = "connections that have not logged in yet; others wait until one has, or for half a "
             "second"},
    {"lag_max", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(gateway_values_t, lag_max), .min = 0,
     .max = INT64_MAX, .unit = "messages", .fallback = "0",
     .help = "who is further behind is cut off, and told so; 0: nobody"},
    {"idle_ms", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(gateway_values_t, door.idle_ms), .min = 0,
     .max = UINT32_MAX, .unit = "ms", .fallback = "0",
     .help = "who takes nothing for so long, though there is something, is cut off; 0: nobody"},
    {"login_ms", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(gateway_values_t, door.login_ms), .min = 10,
     .max = 600000, .unit = "ms", .fallback = "5000",
     .help = "who has not logged in by then is closed"},
    {"linger_ms", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(gateway_values_t, door.linger_ms), .min = 0,
     .max = 40000, .unit = "ms", .fallback = "5000",
     .help = "at the end of the run: how long sessions that have not got everything are served"},
};
static const tbus_params_t params_of_kind = TBUS_PARAMS(gateway_values_t, table);

void gateway_values_options(const gateway_values_t *values,
                            char out_topics[GATEWAY_PORTS_MAX][TBUS_NAME_MAX],
                            gateway_options_t *out_options)
{
    gateway_options_t o = gateway_door_options(&values->door);
    o.io = (enum gateway_io)values->io;
    o.window_bytes = values->window_bytes;
    o.backfill_bytes = values->backfill_bytes;
    o.backfill_readers = values->backfill_readers;
    o.sessions_per_user = values->sessions_per_user;
    o.lag_max = values->lag_max;
    if (values->listen[0]) {
        o.channels[0].topic = TOPIC_OF_LISTEN;
        o.channels[0].address = values->listen;
        o.channels_count = 1;
    }
    for (uint32_t i = 0; i < values->ports_count; i++, o.channels_count++) {
        o.channels[o.channels_count].address = split_port(values->ports[i], out_topics[i]);
        o.channels[o.channels_count].topic = out_topics[i];
    }
    *out_options = o;
}

static bool wanted(const void *params)
{
    const gateway_values_t *values = params;
    return values->listen[0] || values->ports_count;
}

/* Whether the addresses can be had shows when they are bound. */
static int check(const void *params, tbus_error_t *err)
{
    return gateway_door_check(&((const gateway_values_t *)params)->door, err);
}

static void describe(const void *params, char *out_text, size_t bytes)
{
    const gateway_values_t *values = params;
    snprintf(out_text, bytes, "gateway at %s%s%s",
             values->listen[0]     ? values->listen
             : values->ports_count ? values->ports[0]
                                   : "",
             values->ports_count > !values->listen[0] ? " and others" : "",
             values->door.users[0] ? "" : ", for anybody on this host");
}

static size_t memory_bytes(const void *params)
{
    const gateway_values_t *values = params;
    uint64_t channels = values->ports_count + (values->listen[0] != 0);
    return channels * values->window_bytes + values->backfill_bytes;
}

typedef struct gateway_texts {
    gateway_values_t values;
    char topics[GATEWAY_PORTS_MAX][TBUS_NAME_MAX];
} gateway_texts_t;

static int create_server(const tbus_stage_request_t *request, const char *journal, void *values,
                         void **out_server, tbus_error_t *err)
{
    gateway_texts_t *texts = values;
    gateway_options_t options;
    gateway_values_options(&texts->values, texts->topics, &options);
    return gateway_serving_create(request, journal, &options, out_server, err);
}

static int create(const tbus_stage_request_t *request, tbus_stage_t **out_stage, tbus_error_t *err)
{
    static const serving_kind_t serving = {.ops = &gateway_serving,
                                           .create = create_server,
                                           .params_bytes = sizeof(gateway_values_t),
                                           .values_bytes = sizeof(gateway_texts_t)};
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
    gateway_options_t options;
    char topics[GATEWAY_PORTS_MAX][TBUS_NAME_MAX];
    gateway_values_options(now, topics, &options);
    gateway_door_change(control, &options);
}

const tbus_kind_t gateway_kind = {
    .api = TBUS_KIND_API,
    .struct_bytes = sizeof(tbus_kind_t),
    .name = "gateway",
    .help = "Remote consumers: topics over TCP.",
    .section = "gateway",
    .traits = TBUS_KIND_SERVES | TBUS_KIND_REREADS,
    .rank = 80,
    .instances_max = 1,
    .params = &params_of_kind,
    .control = GATEWAY_BOARD_BLOCK,
    .control_bytes = sizeof(gateway_board_t),
    .wanted = wanted,
    .check = check,
    .describe = describe,
    .memory_bytes = memory_bytes,
    .memory_keys = "gateway.window_bytes, gateway.backfill_bytes",
    .may_change = gateway_door_may_change,
    .check_change = check_change,
    .change = change,
    .create = create,
};
