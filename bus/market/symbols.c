/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/symbols.h"

#include "bus/market/states.h"

#define SPACES UINT64_C(0x2020202020202020)

static bool is_blank(uint64_t name)
{
    return name == SPACES || name == 0;
}

static bool is_free(const market_t *m, uint32_t number)
{
    return m->books[number].name == m->unnamed;
}

/* ---- names */

/* The place of a name, or the free one where it belongs. Ends: half of the places are free. */
static uint16_t *place_of(const market_t *m, uint64_t name)
{
    uint32_t mask = (1u << NAMES_BITS) - 1;
    uint32_t at = (uint32_t)(seeded_hash(&m->orders.seed, name) >> (64 - NAMES_BITS));
    while (m->by_name[at] != 0 && m->books[m->by_name[at]].name != name)
        at = (at + 1) & mask;
    return &m->by_name[at];
}

/* Its number, 0: it has none. */
static uint16_t find(const market_t *m, uint64_t name)
{
    return is_blank(name) ? 0 : *place_of(m, name);
}

static void give_name(market_t *m, uint16_t number, uint64_t name)
{
    if (is_free(m, number))
        m->named[m->named_count++] = number;
    m->books[number].name = is_blank(name) ? SPACES : name;
    memcpy(m->symbols[number].name, &m->books[number].name, sizeof m->symbols[number].name);
    if (!is_blank(name))
        *place_of(m, name) = number;
}

/* A free number for a name: `wanted`, if that is one, else the highest. 0: none is left. */
static uint16_t take_number(market_t *m, uint16_t wanted, uint64_t name)
{
    uint32_t number = wanted;
    if (wanted == 0 || !is_free(m, wanted)) {
        while (m->free_at > 0 && !is_free(m, m->free_at))
            m->free_at--;
        number = m->free_at;
    }
    if (number == 0)
        return 0;
    if (m->numbers[number] == number && number != wanted)
        m->numbers[number] = 0; /* the locate of that number was not named yet */
    give_name(m, (uint16_t)number, name);
    return (uint16_t)number;
}

/* ---- locates */

static bool name_the_nameless(market_t *m, uint16_t number, uint64_t name)
{
    if (find(m, name) != 0)
        return false;
    give_name(m, number, name);
    return true;
}

bool symbols_claim(market_t *m, uint16_t wire_locate, uint64_t name)
{
    uint16_t number = m->numbers[wire_locate];
    if (wire_locate == 0)
        return false;
    if (m->symbols[number].known) {
        uint64_t has = m->books[number].name;
        return has == name || is_blank(name) ||
               (has == SPACES && name_the_nameless(m, number, name));
    }
    number = find(m, name);
    if (number == 0)
        number = take_number(m, wire_locate, name);
    if (number == 0)
        return false;
    market_symbol_t *symbol = &m->symbols[number];
    m->numbers[wire_locate] = number;
    m->claimed[m->claimed_count++] = wire_locate; /* once a day: from now on its symbol is known */
    m->event.locate = number;
    if (!symbol->known) {
        symbol->known = true;
        symbol->wire_locate = wire_locate;
        m->stats.symbols++;
        states_judge(m, number);
    }
    return true;
}

bool symbols_differ(const market_t *m, uint16_t wire_locate, uint64_t name)
{
    uint16_t number = m->numbers[wire_locate];
    uint64_t has = m->books[number].name;
    return m->symbols[number].known && has != name && has != SPACES && !is_blank(name);
}

/* ---- contradictions */

void symbols_mark_stale(market_t *m, uint16_t locate)
{
    if (m->symbols[locate].known)
        m->symbols[locate].stale = true;
}

/* A name that nobody had so far gets a number, so that it is known to be stale when it comes. */
void symbols_contradict(market_t *m, uint16_t wire_locate, uint64_t name)
{
    m->event.foreign = true;
    symbols_mark_stale(m, m->numbers[wire_locate]);
    if (is_blank(name))
        return;
    uint16_t number = find(m, name);
    if (number == 0)
        number = take_number(m, 0, name);
    if (number != 0)
        m->symbols[number].stale = true;
}

/* ---- days */

void symbols_begin_day(market_t *m)
{
    for (uint32_t i = 0; i < m->named_count; i++) {
        market_symbol_t *symbol = &m->symbols[m->named[i]];
        market_symbol_t blank = {0};
        memcpy(blank.name, symbol->name, sizeof blank.name);
        blank.last_px_e4 = symbol->last_px_e4;
        blank.wire_locate = symbol->wire_locate;
        *symbol = blank;
        m->numbers[m->named[i]] = 0;
    }
    for (uint32_t i = 0; i < m->claimed_count; i++) {
        uint16_t wire_locate = m->claimed[i];
        m->numbers[wire_locate] = is_free(m, wire_locate) ? wire_locate : 0;
    }
    m->claimed_count = 0;
    m->stats.symbols = 0;
}

void symbols_init(market_t *m)
{
    m->unnamed = hash_seed_random().mix;
    m->free_at = MARKET_LOCATES - 1;
    for (uint32_t i = 0; i < MARKET_LOCATES; i++) {
        memset(m->symbols[i].name, ' ', sizeof m->symbols[i].name);
        m->books[i].name = m->unnamed;
        m->numbers[i] = (uint16_t)i;
    }
}
