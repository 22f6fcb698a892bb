/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/symbols.h"

#include <stdlib.h>
#include <string.h>

#include <tickbus/msg/bbo.h>
#include <tickbus/msg/itch_types.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>
#include <tickbus/msg/tick.h>
#include "bus/msg/message_type.h"

#define LOCATES 65536u

struct symbols {
    char names[LOCATES][8]; /* all zeros: not known */
};

symbols_t *symbols_create(void)
{
    return calloc(1, sizeof(symbols_t));
}

void symbols_destroy(symbols_t *symbols)
{
    free(symbols);
}

static enum message_id id_of(const char *type)
{
    const message_type_t *known = message_type(type);
    return known ? known->id : MESSAGE_UNKNOWN;
}

bool symbols_told_by(const char *type)
{
    return id_of(type) == MESSAGE_TICK || id_of(type) == MESSAGE_BBO;
}

bool symbols_lacked_by(const char *type)
{
    return id_of(type) == MESSAGE_ORDER || id_of(type) == MESSAGE_REPORT;
}

void symbols_learn(symbols_t *symbols, const char *type, const void *message, size_t bytes)
{
    enum message_id id = message_identify(type, bytes);
    if (id == MESSAGE_BBO) {
        const bbo_t *bbo = message;
        memcpy(symbols->names[bbo_locate(bbo)], bbo->symbol, sizeof *symbols->names);
    } else if (id == MESSAGE_TICK) {
        tick_t tick = message_tick(message, bytes);
        const itch_field_t *field = itch_field_of_kind(tick.type, ITCH_FIELD_SYMBOL);
        if (field)
            memcpy(symbols->names[tick_locate(&tick)], itch_field_chars(field, &tick),
                   sizeof *symbols->names);
    }
}

void symbols_put(symbols_t *symbols, uint16_t locate, const char name[8])
{
    memcpy(symbols->names[locate], name, sizeof *symbols->names);
}

bool symbols_miss(const symbols_t *symbols, const char *type, const void *message, size_t bytes)
{
    switch (message_identify(type, bytes)) {
    case MESSAGE_ORDER:
        return !symbols_of(symbols, order_locate(message));
    case MESSAGE_REPORT:
        return !symbols_of(symbols, report_locate(message));
    default:
        return false;
    }
}

const char *symbols_of(const symbols_t *symbols, uint16_t locate)
{
    return symbols && symbols->names[locate][0] ? symbols->names[locate] : NULL;
}
