/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/bridge.h"

#include <inttypes.h>
#include <string.h>

#include "feedsim/bridge/flight.h"
#include "tools/show/board_json.h"
#include "tools/show/grouped.h"
#include "tools/show/json_text.h"

const bridge_board_t *bridge_board_of(const tbus_bus_t *bus)
{
    void *board;
    return tbus_bus_find_block(bus, BRIDGE_STAGE "." BRIDGE_BOARD_BLOCK, sizeof(bridge_board_t),
                               &board, NULL) == 0
               ? board
               : NULL;
}

static json_t *number(const tbus_atomic_u64_t *word)
{
    return json_integer((json_int_t)tbus_load_relaxed_u64(word));
}

static const char *state_name(const bridge_board_t *b)
{
    if (!tbus_load_relaxed_u32(&b->connected))
        return "disconnected";
    switch (tbus_load_relaxed_u32(&b->state)) {
    case BRIDGE_ASKING:
        return "asking";
    case BRIDGE_PUBLISHING:
        return "publishing";
    case BRIDGE_DRAINING:
        return "refused";
    default:
        return "fenced";
    }
}

static json_t *topics(const bridge_board_t *b, uint64_t *out_lag)
{
    json_t *array = json_array();
    uint32_t count = tbus_load_relaxed_u32(&b->topics_count);
    *out_lag = 0;
    for (uint32_t i = 0; i < count && i < BRIDGE_TOPICS_MAX; i++) {
        const bridge_board_topic_t *t = &b->topics[i];
        char name[8 * GATEWAY_TEXT_WORDS];
        json_t *object = json_object();
        gateway_board_text(t->name, GATEWAY_TEXT_WORDS, name);
        *out_lag += tbus_load_relaxed_u64(&t->lag_messages);
        json_object_set_new(object, "topic", json_text(name, sizeof name));
        json_object_set_new(object, "unacknowledged_sequence", number(&t->unacknowledged_seq));
        json_object_set_new(object, "lag_messages", number(&t->lag_messages));
        json_object_set_new(object, "lost", number(&t->lost));
        json_object_set_new(object, "ended", json_boolean(tbus_load_relaxed_u64(&t->ended)));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *totals(const bridge_board_t *b)
{
    static const char *const names[] = {
#define X(name, text) #name,
        BRIDGE_TOTALS(X)
#undef X
    };
    return board_totals_json(names, b->totals, BRIDGE_TOTALS_COUNT);
}

json_t *bridge_board_json(const bridge_board_t *b)
{
    char text[8 * GATEWAY_NOTE_WORDS];
    json_t *object = json_object();
    uint64_t lag;
    gateway_board_text(b->session_name, 2, text);
    json_object_set_new(object, "session", json_text(text, 16));
    gateway_board_text(b->stream, BRIDGE_STREAM_WORDS, text);
    json_object_set_new(object, "stream", json_text(text, 8 * BRIDGE_STREAM_WORDS));
    gateway_board_text(b->server, BRIDGE_SERVER_WORDS, text);
    json_object_set_new(object, "server", json_text(text, 8 * BRIDGE_SERVER_WORDS));
    json_object_set_new(object, "connected", json_boolean(tbus_load_relaxed_u32(&b->connected)));
    json_object_set_new(object, "state", json_string(state_name(b)));
    json_object_set_new(object, "in_flight", number(&b->in_flight));
    json_t *list = topics(b, &lag);
    json_object_set_new(object, "lag_messages", json_integer((json_int_t)lag));
    json_object_set_new(object, "lag_ms",
                        json_real((double)tbus_load_relaxed_u64(&b->lag_ns) / 1e6));
    json_object_set_new(object, "stream_sequence", number(&b->stream_sequence));
    json_object_set_new(object, "stream_messages", number(&b->stream_messages));
    json_object_set_new(object, "stream_bytes", number(&b->stream_bytes));
    json_object_set_new(object, "topics", list);
    json_object_set_new(object, "totals", totals(b));
    gateway_board_get_note(&b->note_version, b->note, text);
    json_object_set_new(object, "note", json_text(text, sizeof text));
    return object;
}

json_t *bridge_json(const tbus_bus_t *bus)
{
    const bridge_board_t *board = bridge_board_of(bus);
    return board ? bridge_board_json(board) : NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static const char *count_of(const json_t *object, const char *key, char room[GROUPED_MAX])
{
    return grouped(json_integer_value(json_object_get(object, key)), room);
}

void bridge_print(FILE *out, const json_t *bridge)
{
    const json_t *counts = json_object_get(bridge, "totals"), *topic;
    char a[GROUPED_MAX], b[GROUPED_MAX], c[GROUPED_MAX], d[GROUPED_MAX];
    size_t i;
    fprintf(out, "stream       %s at %s, %s\n",
            *text_of(bridge, "stream") ? text_of(bridge, "stream") : "(not known yet)",
            text_of(bridge, "server"), text_of(bridge, "state"));
    fprintf(out, "behind       %s messages, %.1f ms; %s in flight\n",
            count_of(bridge, "lag_messages", a), json_real_value(json_object_get(bridge, "lag_ms")),
            count_of(bridge, "in_flight", b));
    fprintf(out, "acknowledged %s of %s sent, %s sent again, %s refusals\n",
            count_of(counts, "acknowledged", a), count_of(counts, "published", b),
            count_of(counts, "resent", c), count_of(counts, "refusals", d));
    fprintf(out, "connections  %s made, %s lost; %s bridges started\n",
            count_of(counts, "connects", a), count_of(counts, "disconnects", b),
            count_of(counts, "starts", c));
    json_array_foreach(json_object_get(bridge, "topics"), i, topic) fprintf(
        out, "%-12s next to be acknowledged %s, %s behind, %s lost%s\n", text_of(topic, "topic"),
        count_of(topic, "unacknowledged_sequence", a), count_of(topic, "lag_messages", b),
        count_of(topic, "lost", c), json_is_true(json_object_get(topic, "ended")) ? ", ended" : "");
    if (*text_of(bridge, "note"))
        fprintf(out, "last         %s\n", text_of(bridge, "note"));
}

bool bridge_ports_text(const tbus_bus_t *bus, const char *stage, char *out_text, size_t bytes)
{
    const bridge_board_t *b = strcmp(stage, BRIDGE_STAGE) == 0 ? bridge_board_of(bus) : NULL;
    char stream[8 * BRIDGE_STREAM_WORDS], server[8 * BRIDGE_SERVER_WORDS];
    if (!b || !tbus_load_relaxed_u32(&b->connected))
        return false;
    gateway_board_text(b->stream, BRIDGE_STREAM_WORDS, stream);
    gateway_board_text(b->server, BRIDGE_SERVER_WORDS, server);
    snprintf(out_text, bytes, "stream '%s' at %s", stream, server);
    return true;
}
