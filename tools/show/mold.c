/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/mold.h"

#include <stdio.h>
#include <string.h>

#include "feedsim/mold/board.h"
#include "tools/show/board_json.h"
#include "tools/show/json_text.h"

static const moldout_board_t *find_board(const tbus_bus_t *bus)
{
    void *board;
    return tbus_bus_find_block(bus, MOLD_STAGE "." MOLDOUT_BOARD_BLOCK, sizeof(moldout_board_t),
                               &board, NULL) == 0
               ? board
               : NULL;
}

static json_t *totals(const moldout_board_t *b)
{
    static const char *const names[] = {
#define X(name, text) #name,
        MOLDOUT_TOTALS(X)
#undef X
    };
    return board_totals_json(names, b->totals, MOLDOUT_TOTALS_COUNT);
}

json_t *mold_json(const tbus_bus_t *bus)
{
    const moldout_board_t *b = find_board(bus);
    char text[8 * GATEWAY_NOTE_WORDS];
    json_t *object = b ? json_object() : NULL;
    if (!b)
        return NULL;
    gateway_board_text(b->session_name, 2, text);
    json_object_set_new(object, "session", json_text(text, 16));
    gateway_board_text(b->topic, GATEWAY_TEXT_WORDS, text);
    json_object_set_new(object, "topic", json_text(text, 8 * GATEWAY_TEXT_WORDS));
    gateway_board_text(b->to, MOLDOUT_TEXT_WORDS, text);
    json_object_set_new(object, "to", json_text(text, 8 * MOLDOUT_TEXT_WORDS));
    json_object_set_new(object, "requests_port",
                        json_integer(tbus_load_relaxed_u32(&b->requests_port)));
    json_object_set_new(object, "next_sequence",
                        json_integer((json_int_t)tbus_load_relaxed_u64(&b->next_seq)));
    json_object_set_new(object, "totals", totals(b));
    gateway_board_get_note(&b->note_version, b->note, text);
    json_object_set_new(object, "note", json_text(text, sizeof text));
    return object;
}

bool mold_ports_text(const tbus_bus_t *bus, const char *stage, char *out_text, size_t bytes)
{
    const moldout_board_t *b = strcmp(stage, MOLD_STAGE) == 0 ? find_board(bus) : NULL;
    char topic[8 * GATEWAY_TEXT_WORDS], to[8 * MOLDOUT_TEXT_WORDS], requests[48] = "";
    if (!b || tbus_load_relaxed_u32(&b->pid) == 0)
        return false;
    uint32_t port = tbus_load_relaxed_u32(&b->requests_port);
    gateway_board_text(b->topic, GATEWAY_TEXT_WORDS, topic);
    gateway_board_text(b->to, MOLDOUT_TEXT_WORDS, to);
    if (port)
        snprintf(requests, sizeof requests, ", requests at port %u", port);
    snprintf(out_text, bytes, "%s to %s%s", topic, to, requests);
    return true;
}
