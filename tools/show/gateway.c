/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/gateway.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/clock.h>

#include "feedsim/gateway/board.h"
#include "tools/show/board_json.h"
#include "tools/show/grouped.h"
#include "tools/show/json_text.h"

#define ADDRESS_MAX (INET6_ADDRSTRLEN + 8)

const char *gateway_stage_name(unsigned index)
{
    static const char *const names[] = {"gateway", "glimpse"};
    return index < sizeof names / sizeof *names ? names[index] : NULL;
}

static const gateway_board_t *find_board(const tbus_bus_t *bus, const char *stage)
{
    char name[TBUS_BLOCK_NAME_MAX];
    void *board;
    snprintf(name, sizeof name, "%s.%s", stage, GATEWAY_BOARD_BLOCK);
    return tbus_bus_find_block(bus, name, sizeof(gateway_board_t), &board, NULL) == 0 ? board
                                                                                      : NULL;
}

/* Counts come from shared memory, and are never beyond what there is. */
static uint32_t at_most(const tbus_atomic_u32_t *count, uint32_t limit)
{
    uint32_t value = tbus_load_relaxed_u32(count);
    return value < limit ? value : limit;
}

static json_t *totals(const gateway_board_t *b)
{
    static const char *const names[] = {
#define X(name, text) #name,
        GATEWAY_TOTALS(X)
#undef X
    };
    return board_totals_json(names, b->totals, GATEWAY_TOTALS_COUNT);
}

json_t *gateway_json(const tbus_bus_t *bus, const char *stage)
{
    const gateway_board_t *b = find_board(bus, stage);
    char text[8 * GATEWAY_NOTE_WORDS], name[16], topic[8 * GATEWAY_TEXT_WORDS];
    if (!b)
        return NULL;
    gateway_board_note(b, text);
    gateway_board_session_name(b, name);
    json_t *listen = json_object();
    for (uint32_t i = 0; i < at_most(&b->channels_count, GATEWAY_CHANNELS_MAX); i++) {
        gateway_board_topic(b, i, topic);
        json_object_set_new(listen, topic,
                            json_integer((json_int_t)tbus_load_relaxed_u64(&b->channels[i].port)));
    }
    json_t *object = json_object();
    json_object_set_new(object, "session", json_text(name, sizeof name));
    json_object_set_new(object, "io",
                        json_string(tbus_load_relaxed_u32(&b->uring) ? "io_uring" : "epoll"));
    json_object_set_new(object, "listen", listen);
    json_object_set_new(object, "sessions_count",
                        json_integer(tbus_load_relaxed_u32(&b->sessions)));
    json_object_set_new(object, "totals", totals(b));
    json_object_set_new(object, "note", json_text(text, sizeof text));
    return object;
}

bool gateway_ports_text(const tbus_bus_t *bus, const char *stage, char *out_text, size_t bytes)
{
    const gateway_board_t *b = find_board(bus, stage);
    uint32_t count = b ? at_most(&b->channels_count, GATEWAY_CHANNELS_MAX) : 0;
    size_t used = 0;
    for (uint32_t i = 0; i < count && used < bytes; i++) {
        char topic[8 * GATEWAY_TEXT_WORDS];
        uint64_t port = tbus_load_relaxed_u64(&b->channels[i].port);
        if (port == 0)
            return false;
        gateway_board_topic(b, i, topic);
        used += (size_t)snprintf(out_text + used, bytes - used, "%s%s at port %" PRIu64,
                                 i ? ", " : "", topic, port);
    }
    return count != 0;
}

static const char *state_name(uint32_t state)
{
    static const char *const names[] = {"free", "login", "live", "behind", "ending"};
    return state < sizeof names / sizeof *names ? names[state] : "?";
}

/* "127.0.0.1:4711", "[::1]:4711". */
static const char *address_text(const gateway_row_t *row, char out_text[ADDRESS_MAX])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    char text[INET6_ADDRSTRLEN] = "?";
    bool is_v4 = memcmp(row->address, mapped, sizeof mapped) == 0;
    inet_ntop(is_v4 ? AF_INET : AF_INET6, row->address + (is_v4 ? 12 : 0), text, sizeof text);
    snprintf(out_text, ADDRESS_MAX, is_v4 ? "%s:%" PRIu32 : "[%s]:%" PRIu32, text, row->port);
    return out_text;
}

static json_t *session_json(const gateway_board_t *b, const gateway_row_t *row)
{
    char address[ADDRESS_MAX], topic[8 * GATEWAY_TEXT_WORDS] = "?";
    if (row->channel < GATEWAY_CHANNELS_MAX)
        gateway_board_topic(b, row->channel, topic);
    json_t *object = json_object();
    json_object_set_new(object, "user", json_text(row->user, sizeof row->user));
    json_object_set_new(object, "address", json_string(address_text(row, address)));
    json_object_set_new(object, "topic", json_text(topic, sizeof topic));
    json_object_set_new(object, "state", json_string(state_name(row->state)));
    json_object_set_new(object, "sequence", json_integer((json_int_t)row->sequence));
    json_object_set_new(object, "lag_messages", json_integer((json_int_t)row->lag_messages));
    json_object_set_new(object, "lag_ms", json_real((double)(row->lag_ns / 1000) / 1e3));
    json_object_set_new(object, "bytes", json_integer((json_int_t)row->bytes));
    json_object_set_new(object, "fell_behind", json_integer((json_int_t)row->behind_count));
    json_object_set_new(object, "connected_s",
                        json_real((double)((tbus_clock_ns() - row->connected_ns) / 1000000) / 1e3));
    return object;
}

json_t *gateway_sessions_json(const tbus_bus_t *bus, const char *stage)
{
    const gateway_board_t *b = find_board(bus, stage);
    json_t *list = json_array();
    for (uint32_t i = 0; b && i < at_most(&b->rows_count, GATEWAY_SESSIONS_MAX); i++) {
        gateway_row_t row;
        if (gateway_board_row(b, i, &row))
            json_array_append_new(list, session_json(b, &row));
    }
    return list;
}

/* --- as people read it --- */

static const char *number(const json_t *object, const char *key, char out_text[GROUPED_MAX])
{
    return grouped(json_integer_value(json_object_get(object, key)), out_text);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void print_head(FILE *out, const char *stage, const json_t *gateway)
{
    const char *topic;
    json_t *port;
    char a[GROUPED_MAX], b[GROUPED_MAX], c[GROUPED_MAX], d[GROUPED_MAX], e[GROUPED_MAX];
    const json_t *sums = json_object_get(gateway, "totals");
    fprintf(out, "%s, session %s, by %s:", stage, text_of(gateway, "session"),
            text_of(gateway, "io"));
    json_object_foreach(json_object_get(gateway, "listen"), topic, port)
        fprintf(out, " %s at port %d;", topic, (int)json_integer_value(port));
    fprintf(out, " %s sessions\n", number(gateway, "sessions_count", a));
    fprintf(out, "  %s connections, %s logins, %s rejected, %s cut off; %s bytes sent\n",
            number(sums, "accepted", a), number(sums, "logins", b), number(sums, "rejected", c),
            number(sums, "cut", d), number(sums, "bytes", e));
    if (*text_of(gateway, "note"))
        fprintf(out, "  last: %s\n", text_of(gateway, "note"));
}

void gateway_print(FILE *out, const char *stage, const json_t *gateway, const json_t *sessions)
{
    size_t i;
    json_t *session;
    print_head(out, stage, gateway);
    if (json_array_size(sessions))
        fprintf(out, "  %-6s %-21s %-7s %-7s %12s %12s %9s %14s\n", "user", "address", "topic",
                "state", "sequence", "lag", "lag ms", "bytes");
    json_array_foreach(sessions, i, session)
    {
        char sequence[GROUPED_MAX], lag[GROUPED_MAX], bytes[GROUPED_MAX];
        fprintf(out, "  %-6s %-21s %-7s %-7s %12s %12s %9.1f %14s\n", text_of(session, "user"),
                text_of(session, "address"), text_of(session, "topic"), text_of(session, "state"),
                number(session, "sequence", sequence), number(session, "lag_messages", lag),
                json_real_value(json_object_get(session, "lag_ms")),
                number(session, "bytes", bytes));
    }
}
