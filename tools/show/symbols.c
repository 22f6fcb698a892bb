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

typedef struct told {
    uint64_t md_seq; /* from which on */
    char name[8];
    uint16_t locate;
    uint32_t before; /* place of the one that the locate had before; 0: none */
} told_t;

struct symbols {
    uint32_t latest[LOCATES]; /* place in `told`; 0: not known */
    told_t *told;             /* owned; [0] is none */
    uint32_t count;           /* with [0] */
    uint32_t room;
    uint64_t day_md_seq; /* of the S/O that began the day */
};

symbols_t *symbols_create(void)
{
    symbols_t *symbols = calloc(1, sizeof *symbols);
    if (symbols)
        symbols->count = 1;
    return symbols;
}

void symbols_destroy(symbols_t *symbols)
{
    if (symbols)
        free(symbols->told);
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

static bool make_room(symbols_t *s)
{
    if (s->count < s->room)
        return true;
    uint32_t room = s->room ? 2 * s->room : 1024;
    told_t *told = realloc(s->told, room * sizeof *told);
    if (!told)
        return false;
    s->told = told;
    s->room = room;
    return true;
}

void symbols_put(symbols_t *symbols, uint64_t md_seq, uint16_t locate, const char name[8])
{
    if (!make_room(symbols)) {
        symbols->latest[locate] = 0;
        return;
    }
    told_t *told = &symbols->told[symbols->count];
    *told = (told_t){.md_seq = md_seq, .locate = locate, .before = symbols->latest[locate]};
    memcpy(told->name, name, sizeof told->name);
    symbols->latest[locate] = symbols->count++;
}

void symbols_each(const symbols_t *symbols, void *context,
                  void (*take)(void *context, uint64_t md_seq, uint16_t locate, const char name[8]))
{
    for (uint32_t i = 1; i < symbols->count; i++) {
        const told_t *told = &symbols->told[i];
        take(context, told->md_seq, told->locate, told->name);
    }
}

/* The first of the day, unless it says what is known. What is told late, of a day before, says
 * nothing but of a locate that is not known. */
static void learn(symbols_t *s, uint64_t md_seq, uint16_t locate, const char *name)
{
    uint32_t place = s->latest[locate];
    if (place != 0 && (md_seq < s->day_md_seq || s->told[place].md_seq >= s->day_md_seq ||
                       memcmp(s->told[place].name, name, sizeof s->told[place].name) == 0))
        return;
    symbols_put(s, md_seq, locate, name);
}

static void learn_from_tick(symbols_t *s, uint64_t seq, const tick_t *tick)
{
    const itch_field_t *field = itch_field_of_kind(tick->type, ITCH_FIELD_SYMBOL);
    if (tick->type == ITCH_SYSTEM_EVENT &&
        tick->body[ITCH_BODY_AT(SYSTEM_EVENT, event_code)] == 'O')
        s->day_md_seq = seq;
    if (field && tick->type != ITCH_TRADE && tick->type != ITCH_CROSS_TRADE)
        learn(s, seq, tick_locate(tick), itch_field_chars(field, tick));
}

void symbols_learn(symbols_t *symbols, const char *type, uint64_t seq, const void *message,
                   size_t bytes)
{
    enum message_id id = message_identify(type, bytes);
    if (id == MESSAGE_BBO) {
        const bbo_t *bbo = message;
        learn(symbols, bbo->md_seq, bbo_locate(bbo), bbo->symbol);
    } else if (id == MESSAGE_TICK) {
        tick_t tick = message_tick(message, bytes);
        learn_from_tick(symbols, seq, &tick);
    }
}

bool symbols_miss(const symbols_t *symbols, const char *type, const void *message, size_t bytes)
{
    switch (message_identify(type, bytes)) {
    case MESSAGE_ORDER:
        return !symbols_of(symbols, order_locate(message), UINT64_MAX);
    case MESSAGE_REPORT:
        return !symbols_of(symbols, report_locate(message), UINT64_MAX);
    default:
        return false;
    }
}

const char *symbols_of(const symbols_t *symbols, uint16_t locate, uint64_t md_seq)
{
    uint32_t place = symbols ? symbols->latest[locate] : 0;
    if (place == 0)
        return NULL;
    const told_t *told = &symbols->told[place];
    while (told->md_seq > md_seq && told->before != 0)
        told = &symbols->told[told->before];
    return told->name;
}
