/* SPDX-License-Identifier: Apache-2.0 */
/* The kind of stage that sends a topic by MoldUDP64. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feedsim/gateway/door.h"
#include "feedsim/mold/limiter.h"
#include "feedsim/mold/stage.h"
#include "feedsim/serving.h"

#define MS_NS UINT64_C(1000000)

#define FIELD(member) TBUS_PARAM_FIELD(moldout_values_t, member)

static int check_to(const char *text, tbus_error_t *err)
{
    const char *colon = strrchr(text, ':');
    int code = gateway_door_check_address(text, err);
    if (code == 0 && colon && strtoul(colon + 1, NULL, 10) == 0)
        code = tbus_fail(err, -TBUS_ECONFIG, "packets cannot be sent to port 0");
    return code;
}

static const tbus_param_t table[] = {
    {"to", TBUS_PARAM_TEXT, FIELD(to), .check = check_to, .may_be_empty = true, .fallback = "",
     .help = "GROUP:PORT or ADDRESS:PORT that gets the topic as ITCH 5.0 over MoldUDP64; empty: "
             "it is not sent"},
    {"topic", TBUS_PARAM_TEXT, FIELD(topic), .fallback = "md", .help = "that is sent"},
    {"interface", TBUS_PARAM_TEXT, FIELD(interface), .may_be_empty = true, .fallback = "",
     .help = "name of the network interface that a group's packets leave by; empty: as routes say"},
    {"ttl", TBUS_PARAM_NUMBER, FIELD(ttl), .min = 0, .max = 255, .unit = "hops", .fallback = "1",
     .help = "how far a group's packets go; 1: not beyond this network, 0: not beyond this host"},
    {"loopback", TBUS_PARAM_BOOL, FIELD(loopback), .fallback = "true",
     .help = "may this host receive what it sends to a group"},
    {"payload_max", TBUS_PARAM_NUMBER, FIELD(payload_max), .min = 128, .max = MOLD_DATAGRAM_MAX,
     .unit = "bytes", .fallback = "1400",
     .help = "of a UDP datagram, MoldUDP64's header included; a message that is longer goes alone"},
    {"window_bytes", TBUS_PARAM_NUMBER, FIELD(window_bytes), .min = 262144, .max = INT64_C(1) << 32,
     .unit = "bytes", .fallback = "4194304",
     .help = "the last packets, kept for receivers that ask for them again; older ones come from "
             "the journal"},
    {"send_buffer_bytes", TBUS_PARAM_NUMBER, FIELD(send_buffer_bytes), .min = 4096,
     .max = 1073741824, .unit = "bytes", .fallback = "1048576",
     .help = "what the kernel keeps of packets that wait for the network (SO_SNDBUF)"},
    {"end_ms", TBUS_PARAM_NUMBER, FIELD(end_ms), .min = 0, .max = 30000, .unit = "ms",
     .fallback = "3000",
     .help = "at the end of the run: for so long the end of the session is repeated"},
    {"requests", TBUS_PARAM_TEXT, FIELD(requests), .check = gateway_door_check_address,
     .may_be_empty = true, .fallback = "",
     .help = "ADDRESS:PORT (UDP) at which receivers ask for packets that they have lost, each "
             "request answered with one packet; port 0: any that is free; empty: none"},
    {"requests_rate", TBUS_PARAM_NUMBER, FIELD(requests_rate), .min = 0, .max = MOLDOUT_RATE_MAX,
     .unit = "requests/s", .fallback = "10000",
     .help = "of one address, and half of that of one receiver (an address and a port); those "
             "beyond are not answered; 0: no limit"},
    {"requests_burst", TBUS_PARAM_NUMBER, FIELD(requests_burst), .min = 1, .max = MOLDOUT_BURST_MAX,
     .unit = "requests", .fallback = "1000",
     .help = "of one address at once, before the rate holds"},
    {"requests_bytes", TBUS_PARAM_NUMBER, FIELD(requests_bytes), .min = 0, .max = MOLDOUT_BYTES_MAX,
     .unit = "bytes/s", .fallback = "1000000",
     .help = "of answers to one address, which anybody may have forged, and half of that to one "
             "receiver; none of loopback is limited; 0: no limit"},
    {"requests_bytes_burst", TBUS_PARAM_NUMBER, FIELD(requests_bytes_burst), .min = 1,
     .max = MOLDOUT_BYTES_MAX, .unit = "bytes", .fallback = "2000000",
     .help = "to one address at once, before that rate holds"},
    {"requests_bytes_total", TBUS_PARAM_NUMBER, FIELD(requests_bytes_total), .min = 0,
     .max = MOLDOUT_BYTES_MAX, .unit = "bytes/s", .fallback = "8000000",
     .help = "of answers to all addresses together, and so many at once; 0: no limit"},
    {"backfill_bytes", TBUS_PARAM_NUMBER, FIELD(backfill_bytes), .min = 1048576,
     .max = INT64_C(1) << 36, .unit = "bytes", .fallback = "8388608",
     .help = "messages of the past that were read again for requests, shared by those who ask"},
    {"backfill_readers", TBUS_PARAM_NUMBER, FIELD(backfill_readers), .min = 1,
     .max = GATEWAY_READERS_MAX, .fallback = "4",
     .help = "places of the past that are read at a time"},
};
static const tbus_params_t params_of_kind = TBUS_PARAMS(moldout_values_t, table);

static bool wanted(const void *params)
{
    const moldout_values_t *values = params;
    return values->to[0] || values->requests[0]; /* the latter alone is refused by `check` */
}

static int check(const void *params, tbus_error_t *err)
{
    const moldout_values_t *values = params;
    if (values->requests[0] && !values->to[0])
        return tbus_fail(err, -TBUS_ECONFIG,
                         "mold.requests answers for packets that were sent: set mold.to, too "
                         "(--mold GROUP:PORT)");
    return 0;
}

static void describe(const void *params, char *out_text, size_t bytes)
{
    const moldout_values_t *values = params;
    snprintf(out_text, bytes, "%s by MoldUDP64 to %s", values->topic, values->to);
}

static size_t memory_bytes(const void *params)
{
    const moldout_values_t *values = params;
    return values->window_bytes + (values->requests[0] ? values->backfill_bytes : 0);
}

/* --- the stage --- */

static int start(void *server, const char *session_name, tbus_error_t *err)
{
    return moldout_server_start(server, session_name, err);
}

static int turn(void *server, uint32_t messages, tbus_error_t *err)
{
    return moldout_server_turn(server, messages, err);
}

static void sleep_until(void *server, uint64_t until_ns)
{
    moldout_server_sleep(server, until_ns);
}

static int finish(void *server, tbus_error_t *err)
{
    (void)err;
    moldout_server_finish(server);
    return 0;
}

static void destroy(void *server)
{
    moldout_server_destroy(server);
}

static moldout_options_t options_of(const moldout_values_t *values)
{
    return (moldout_options_t){
        .way = {.to = values->to,
                .interface = values->interface,
                .ttl = values->ttl,
                .loopback = values->loopback,
                .send_buffer_bytes = values->send_buffer_bytes},
        .topic = values->topic,
        .datagram_max = values->payload_max,
        .window_bytes = values->window_bytes,
        .end_ns = values->end_ms * MS_NS,
        .requests = {.listen = values->requests[0] ? values->requests : NULL,
                     .limits = {.requests_rate = values->requests_rate,
                                .requests_burst = values->requests_burst,
                                .bytes_rate = values->requests_bytes,
                                .bytes_burst = values->requests_bytes_burst,
                                .total_rate = values->requests_bytes_total},
                     .backfill_readers = values->backfill_readers,
                     .backfill_bytes = values->backfill_bytes},
    };
}

static int create_server(const tbus_stage_request_t *request, const char *journal, void *values,
                         void **out_server, tbus_error_t *err)
{
    moldout_options_t options = options_of(values);
    moldout_server_t *server;
    int code =
        moldout_server_create(request->bus, journal, &options, request->control, &server, err);
    if (code == 0)
        *out_server = server;
    return code;
}

static int create(const tbus_stage_request_t *request, tbus_stage_t **out_stage, tbus_error_t *err)
{
    static const serving_ops_t ops = {
        .start = start, .turn = turn, .sleep = sleep_until, .finish = finish, .destroy = destroy};
    static const serving_kind_t serving = {.ops = &ops,
                                           .create = create_server,
                                           .params_bytes = sizeof(moldout_values_t),
                                           .values_bytes = sizeof(moldout_values_t)};
    return serving_stage_create(&serving, request, out_stage, err);
}

const tbus_kind_t moldout_kind = {
    .api = TBUS_KIND_API,
    .struct_bytes = sizeof(tbus_kind_t),
    .name = "mold",
    .help = "Receivers of multicast: a topic by MoldUDP64.",
    .section = "mold",
    .traits = TBUS_KIND_SERVES,
    .rank = 82,
    .instances_max = 1,
    .params = &params_of_kind,
    .control = MOLDOUT_BOARD_BLOCK,
    .control_bytes = sizeof(moldout_board_t),
    .wanted = wanted,
    .check = check,
    .describe = describe,
    .memory_bytes = memory_bytes,
    .memory_keys = "mold.window_bytes, mold.backfill_bytes",
    .create = create,
};
