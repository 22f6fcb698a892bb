/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/bridge/kind.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feedsim/bridge/symbols.h"
#include "feedsim/nats/credentials.h"
#include "feedsim/nats/url.h"
#include "feedsim/serving.h"

#define FIELD(member) TBUS_PARAM_FIELD(bridge_values_t, member)
#define MS_NS         UINT64_C(1000000)
#define SECOND_NS     UINT64_C(1000000000)

static int check_url(const char *text, tbus_error_t *err)
{
    if (*text && !nats_available())
        return nats_missing("a bridge", err);
    return *text ? nats_url_check(text, err) : 0;
}

static int check_stream(const char *text, tbus_error_t *err)
{
    return !*text || nats_stream_check(text)
               ? 0
               : tbus_fail(err, -TBUS_ECONFIG,
                           "letters, digits, _ and - were expected, as in subjects of NATS");
}

static const tbus_param_t table[] = {
    {"url", TBUS_PARAM_TEXT, FIELD(url), .check = check_url, .may_be_empty = true, .fallback = "",
     .help =
         "nats://HOST:PORT or tls://HOST:PORT, servers of one cluster with commas between them, "
         "to which topics are published; empty: they are not"},
    {"topics", TBUS_PARAM_TEXTS, TBUS_PARAM_LIST(bridge_values_t, topics, topics_count),
     .fallback = "md", .help = "that are published: md, bbo, orders, judged, approved, reports"},
    {"symbols", TBUS_PARAM_CHOICE, FIELD(symbols), .choices = "no|yes", .fallback = "no",
     .help =
         "yes: messages of md and bbo have their symbol in the subject, so that a reader can "
         "choose; after a restart in mid-session the topic is read from its beginning for that"},
    {"stream", TBUS_PARAM_TEXT, FIELD(stream), .check = check_stream, .may_be_empty = true,
     .fallback = "",
     .help = "that they are published to; empty: one named like the bus, or like the bus and its "
             "session where an earlier session has that"},
    {"credentials", TBUS_PARAM_TEXT, FIELD(credentials), .may_be_empty = true, .fallback = "",
     .help = "file with user=NAME and password=TEXT, or token=TEXT, or of `nsc generate creds`"},
    {"ca", TBUS_PARAM_TEXT, FIELD(ca), .may_be_empty = true, .fallback = "",
     .help = "file with the certificates of authorities that the server is believed by, for TLS; "
             "empty: the system's"},
    {"certificate", TBUS_PARAM_TEXT, FIELD(certificate), .may_be_empty = true, .fallback = "",
     .help = "file with our own, where the server asks for one"},
    {"key", TBUS_PARAM_TEXT, FIELD(key), .may_be_empty = true, .fallback = "",
     .help = "file with the key of that"},
    {"in_flight", TBUS_PARAM_NUMBER, FIELD(in_flight), .min = 1, .max = BRIDGE_IN_FLIGHT_MAX,
     .power_of_two = true, .unit = "messages", .fallback = "4096",
     .help = "published and not acknowledged yet, at most"},
    {"in_flight_bytes", TBUS_PARAM_NUMBER, FIELD(in_flight_bytes), .min = 65536,
     .max = INT64_C(1) << 32, .unit = "bytes", .fallback = "4194304",
     .help = "of those messages, at most"},
    {"timeout_ms", TBUS_PARAM_NUMBER, FIELD(timeout_ms), .min = 100, .max = 60000, .unit = "ms",
     .fallback = "2000", .help = "for a server to be connected to, and to answer a question"},
    {"max_bytes", TBUS_PARAM_NUMBER, FIELD(max_bytes), .min = 0, .max = INT64_MAX, .unit = "bytes",
     .fallback = "0", .help = "of the stream that is made; 0: no limit"},
    {"max_messages", TBUS_PARAM_NUMBER, FIELD(max_messages), .min = 0, .max = INT64_MAX,
     .unit = "messages", .fallback = "0", .help = "likewise"},
    {"max_age_s", TBUS_PARAM_NUMBER, FIELD(max_age_s), .min = 0, .max = INT64_C(3155760000),
     .unit = "seconds", .fallback = "0", .help = "of a message of it; 0: for ever"},
    {"discard", TBUS_PARAM_CHOICE, FIELD(discard), .choices = "new|old", .fallback = "new",
     .help = "at a limit of the stream: new: it takes no more until there is room; old: its oldest "
             "messages go"},
    {"storage", TBUS_PARAM_CHOICE, FIELD(storage), .choices = "file|memory", .fallback = "file",
     .help = "of the stream at its servers"},
    {"replicas", TBUS_PARAM_NUMBER, FIELD(replicas), .min = 1, .max = 5, .unit = "servers",
     .fallback = "1", .help = "that keep the stream; 3 bear the loss of one"},
    {"duplicates_ms", TBUS_PARAM_NUMBER, FIELD(duplicates_ms), .min = 100, .max = 86400000,
     .unit = "ms", .fallback = "1000",
     .help = "for so long the server remembers ids, which costs it memory; nothing relies on it"},
};
static const tbus_params_t params_of_kind = TBUS_PARAMS(bridge_values_t, table);

bridge_options_t bridge_options_of(const bridge_values_t *values)
{
    bridge_options_t options = {
        .way = {.url = values->url,
                .credentials = values->credentials,
                .ca = values->ca,
                .certificate = values->certificate,
                .key = values->key,
                .name = "tickbus bridge",
                .timeout_ms = values->timeout_ms},
        .wish = {.stream = values->stream,
                 .max_bytes = values->max_bytes,
                 .max_messages = values->max_messages,
                 .max_age_ns = values->max_age_s * SECOND_NS,
                 .discard_old = values->discard == 1,
                 .in_memory = values->storage == 1,
                 .replicas = values->replicas,
                 .duplicates_ns = values->duplicates_ms * MS_NS},
        .topics_count = values->topics_count,
        .in_flight_max = values->in_flight,
        .in_flight_bytes = values->in_flight_bytes,
        .symbols = values->symbols == 1,
    };
    for (uint32_t i = 0; i < values->topics_count; i++)
        options.topics[i] = values->topics[i];
    return options;
}

/* --- what is asked before anything is started --- */

static bool wanted(const void *params)
{
    return ((const bridge_values_t *)params)->url[0] != 0;
}

static int check(const void *params, tbus_error_t *err)
{
    const bridge_values_t *values = params;
    nats_credentials_t credentials;
    if (!values->url[0])
        return 0;
    if (!values->certificate[0] != !values->key[0])
        return tbus_fail(err, -TBUS_ECONFIG,
                         "bridge.certificate and bridge.key are given together, or neither");
    int code = nats_credentials_read(values->credentials, &credentials, err);
    explicit_bzero(&credentials, sizeof credentials);
    return code;
}

static void describe(const void *params, char *out_text, size_t bytes)
{
    const bridge_values_t *values = params;
    size_t used = 0;
    out_text[0] = 0;
    for (uint32_t i = 0; i < values->topics_count && used < bytes; i++)
        used += (size_t)snprintf(out_text + used, bytes - used, "%s%s", i ? ", " : "",
                                 values->topics[i]);
    if (used < bytes)
        snprintf(out_text + used, bytes - used, " to JetStream at %s", values->url);
}

static size_t memory_bytes(const void *params)
{
    const bridge_values_t *values = params;
    /* What is on its way lies with the library and the kernel; beside each, an entry of ours and
     * room for two answers. */
    size_t symbols = values->symbols ? values->topics_count * sizeof(bridge_symbols_t) : 0;
    return values->in_flight_bytes + values->in_flight * (size_t)512 + symbols;
}

/* --- the stage --- */

typedef struct bridge_stage {
    bridge_t *bridge;
    uint64_t drain_ns;
    tbus_atomic_u64_t *unfinished;
} bridge_stage_t;

/* It has begun when it was made. */
static int start(void *server, const char *session_name, tbus_error_t *err)
{
    (void)server;
    (void)session_name;
    (void)err;
    return 0;
}

static int turn(void *server, uint32_t messages, tbus_error_t *err)
{
    (void)messages; /* bounded by what may be in flight */
    return bridge_turn(((bridge_stage_t *)server)->bridge, err);
}

static void sleep_until(void *server, uint64_t until_ns)
{
    bridge_sleep(((bridge_stage_t *)server)->bridge, until_ns);
}

/* What is missing is said at the end of the run, and is an error of it (errors_counter). */
static int finish(void *server, tbus_error_t *err)
{
    bridge_stage_t *s = server;
    tbus_error_t why = {0};
    if (bridge_finish(s->bridge, s->drain_ns, &why) == 0)
        return 0;
    if (s->unfinished)
        tbus_store_relaxed_u64(s->unfinished, 1);
    snprintf(err->text, sizeof err->text, "%s", why.text);
    return 0;
}

static void destroy(void *server)
{
    bridge_stage_t *s = server;
    if (s)
        bridge_destroy(s->bridge);
    free(s);
}

static int create_server(const tbus_stage_request_t *request, const char *journal, void *values,
                         void **out_server, tbus_error_t *err)
{
    const bridge_options_t options = bridge_options_of(values);
    bridge_stage_t *s = calloc(1, sizeof *s);
    if (!s)
        return tbus_fail(err, -ENOMEM, "no memory for a bridge");
    s->drain_ns = request->drain_ns;
    s->unfinished = tbus_counter(request->bus, 0, BRIDGE_UNFINISHED, "times");
    int code = bridge_create(request->bus, journal, &options, request->control, &s->bridge, err);
    /* Here, before the pipeline runs: it takes a while, and the rings do not wait for a bridge. */
    if (code == 0)
        code = bridge_start(s->bridge, err);
    if (code < 0)
        destroy(s);
    else
        *out_server = s;
    return code;
}

static int create(const tbus_stage_request_t *request, tbus_stage_t **out_stage, tbus_error_t *err)
{
    static const serving_ops_t ops = {
        .start = start, .turn = turn, .sleep = sleep_until, .finish = finish, .destroy = destroy};
    static const serving_kind_t serving = {.ops = &ops,
                                           .create = create_server,
                                           .params_bytes = sizeof(bridge_values_t),
                                           .values_bytes = sizeof(bridge_values_t)};
    return serving_stage_create(&serving, request, out_stage, err);
}

const tbus_kind_t bridge_kind = {
    .api = TBUS_KIND_API,
    .struct_bytes = sizeof(tbus_kind_t),
    .name = "bridge",
    .help = "NATS JetStream: topics on a stream, exactly once and in order, for other machines.",
    .section = "bridge",
    .traits = TBUS_KIND_SERVES,
    .rank = 84,
    .instances_max = 1,
    .params = &params_of_kind,
    .errors_counter = BRIDGE_UNFINISHED,
    .control = BRIDGE_BOARD_BLOCK,
    .control_bytes = sizeof(bridge_board_t),
    .wanted = wanted,
    .check = check,
    .describe = describe,
    .memory_bytes = memory_bytes,
    .memory_keys = "bridge.in_flight, bridge.in_flight_bytes",
    .create = create,
};
