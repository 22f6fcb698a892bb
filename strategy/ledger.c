/* SPDX-License-Identifier: Apache-2.0 */
#include "strategy/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOL_TEXT_MAX 12u /* eight characters, or #LOCATE */

_Static_assert(LEDGER_SYMBOLS_MAX < UINT16_MAX, "a place fits 16 bits");

static const struct {
    const char *name;
    const char *unit;
} shown[LEDGER_SHOWN_COUNT] = {
    [LEDGER_REALISED] = {"realised_e4", "1e-4"},
    [LEDGER_UNREALISED] = {"unrealised_e4", "1e-4"},
    [LEDGER_FEES] = {"fees_e4", "1e-4"},
    [LEDGER_MARK_PX] = {"mark_px_e4", "1e-4"},
    [LEDGER_MARK_BY] = {"mark_by", "rule"},
    [LEDGER_VOLUME] = {"volume", "shares"},
    [LEDGER_FILLS_ADDED] = {"fills_added", "executions"},
    [LEDGER_FILLS_TAKEN] = {"fills_taken", "executions"},
};

static size_t round_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t entries_bytes(void)
{
    return round_up((LEDGER_SYMBOLS_MAX + 1) * sizeof(ledger_entry_t));
}

size_t ledger_footprint(void)
{
    return entries_bytes() + MARKET_LOCATES * sizeof(uint16_t);
}

static int add_counters(ledger_t *ledger, tbus_error_t *err)
{
    struct {
        const char *name;
        const char *unit;
        tbus_atomic_u64_t **value;
    } counters[] = {
        {"pnl.realised_e4", "1e-4", &ledger->realised},
        {"pnl.unrealised_e4", "1e-4", &ledger->unrealised},
        {"pnl.fees_e4", "1e-4", &ledger->fees},
        {"pnl.drawdown_e4", "1e-4", &ledger->drawdown},
        {"pnl.symbols_left_out", "symbols", &ledger->symbols_left_out},
    };
    int code = 0;
    for (unsigned i = 0; code == 0 && i < sizeof counters / sizeof *counters; i++)
        code = tbus_counter_add(ledger->bus, ledger->owner, counters[i].name, counters[i].unit,
                                counters[i].value, err);
    return code;
}

int ledger_create(ledger_t *out_ledger, tbus_bus_t *bus, uint32_t owner, const marks_t *marks,
                  tbus_error_t *err)
{
    size_t place_bytes = MARKET_LOCATES * sizeof(uint16_t);
    ledger_t ledger = {.bus = bus,
                       .owner = owner,
                       .marks = *marks,
                       .entries = aligned_alloc(64, entries_bytes()),
                       .place = aligned_alloc(64, place_bytes)};
    if (!ledger.entries || !ledger.place) {
        ledger_destroy(&ledger);
        return tbus_fail(err, -ENOMEM, "no memory for a strategy's positions");
    }
    memset(ledger.entries, 0, entries_bytes());
    memset(ledger.place, 0, place_bytes);
    int code = add_counters(&ledger, err);
    if (code < 0) {
        ledger_destroy(&ledger);
        return code;
    }
    *out_ledger = ledger;
    return 0;
}

void ledger_destroy(ledger_t *ledger)
{
    free(ledger->entries);
    free(ledger->place);
    ledger->entries = NULL;
    ledger->place = NULL;
}

/* ---- the counters of a symbol */

/* The name comes from the wire: what is not a printable character becomes '?', and a name of spaces
 * only becomes "#LOCATE". */
static void symbol_text(uint16_t locate, const char name[8], char out_text[SYMBOL_TEXT_MAX])
{
    int length = 8;
    while (length > 0 && name[length - 1] == ' ')
        length--;
    for (int i = 0; i < length; i++)
        out_text[i] = name[i] > ' ' && name[i] <= '~' ? name[i] : '?';
    out_text[length] = 0;
    if (length == 0)
        snprintf(out_text, SYMBOL_TEXT_MAX, "#%u", locate);
}

/* Positions must all be seen, so what else there is to say about a symbol takes the first half of
 * the table alone. */
static bool has_room(const ledger_t *ledger, const tbus_atomic_u64_t *last_added)
{
    const tbus_atomic_u64_t *half =
        &ledger->bus->directory->counters[TBUS_COUNTERS_MAX / 2 - LEDGER_SHOWN_COUNT].value;
    return (uintptr_t)last_added < (uintptr_t)half;
}

static int add_symbol_counters(ledger_t *ledger, ledger_entry_t *entry, const char name[8],
                               tbus_error_t *err)
{
    char symbol[SYMBOL_TEXT_MAX], text[TBUS_COUNTER_NAME_MAX];
    symbol_text(entry->locate, name, symbol);
    snprintf(text, sizeof text, "position.%s", symbol);
    int code = tbus_counter_add(ledger->bus, ledger->owner, text, "shares", &entry->shares, err);
    if (code < 0)
        return code;
    if (!has_room(ledger, entry->shares)) {
        ledger->left_out++;
        return 0;
    }
    for (unsigned i = 0; i < LEDGER_SHOWN_COUNT; i++) {
        snprintf(text, sizeof text, "symbols.%s.%s", symbol, shown[i].name);
        entry->shown[i] = tbus_counter(ledger->bus, ledger->owner, text, shown[i].unit);
    }
    return 0;
}

/* The entry of a symbol, made at its first execution; NULL: there is no room. */
static ledger_entry_t *entry_of(ledger_t *ledger, uint16_t locate, const char name[8],
                                tbus_error_t *err)
{
    if (ledger->place[locate] != 0)
        return &ledger->entries[ledger->place[locate]];
    if (ledger->entries_count == LEDGER_SYMBOLS_MAX) {
        (void)tbus_fail(err, -TBUS_EFULL, "a strategy can have positions in %u symbols",
                        LEDGER_SYMBOLS_MAX);
        return NULL;
    }
    ledger_entry_t *entry = &ledger->entries[ledger->entries_count + 1];
    entry->locate = locate;
    if (add_symbol_counters(ledger, entry, name, err) < 0)
        return NULL;
    ledger->place[locate] = (uint16_t)++ledger->entries_count;
    return entry;
}

/* ---- executions and marks */

void ledger_begin_day(ledger_t *ledger)
{
    for (uint32_t i = 1; i <= ledger->entries_count; i++)
        profit_carry(&ledger->entries[i].holding);
}

void ledger_mark(ledger_t *ledger, const market_t *market, uint16_t locate)
{
    ledger_entry_t *entry = &ledger->entries[ledger->place[locate]];
    mark_t now = profit_mark_now(&ledger->marks, &entry->holding, market, locate);
    if (!mark_same(now, entry->holding.mark)) /* most ticks move no best price */
        profit_mark(&ledger->profit, &entry->holding, now);
}

int ledger_execute(ledger_t *ledger, const market_t *market, uint16_t locate,
                   const report_t *report, tbus_error_t *err)
{
    const char *name = market_symbol(market, locate)->name;
    ledger_entry_t *entry = entry_of(ledger, locate, name, err);
    if (!entry)
        return -TBUS_EFULL;
    if (!profit_execute(&ledger->profit, &entry->holding, report))
        return tbus_fail(err, -EOVERFLOW,
                         "the position in %.8s (locate %u) cannot take an execution of %u shares "
                         "at %u",
                         name, locate, report->qty, report->px_e4);
    uint64_t fills = report->kind == REPORT_BROKEN ? UINT64_MAX : 1; /* one less, one more */
    entry->fills_added += report->liquidity == 'A' ? fills : 0;
    entry->fills_taken += report->liquidity == 'R' ? fills : 0;
    int64_t qty = entry->holding.position.qty;
    uint64_t bit = UINT64_C(1) << (locate % 64);
    uint64_t *held = &ledger->held[locate / 64];
    *held = qty != 0 ? *held | bit : *held & ~bit;
    profit_mark(&ledger->profit, &entry->holding,
                profit_mark_now(&ledger->marks, &entry->holding, market, locate));
    tbus_store_relaxed_u64(entry->shares, (uint64_t)qty);
    return 0;
}

/* ---- showing it */

static void publish_entry(const ledger_entry_t *entry)
{
    const holding_t *h = &entry->holding;
    const uint64_t values[LEDGER_SHOWN_COUNT] = {
        [LEDGER_REALISED] = (uint64_t)h->position.realised_e4,
        [LEDGER_UNREALISED] = (uint64_t)h->unrealised_e4,
        [LEDGER_FEES] = (uint64_t)h->fees_e4,
        [LEDGER_MARK_PX] = h->mark.px_e4,
        [LEDGER_MARK_BY] = h->mark.by,
        [LEDGER_VOLUME] = h->position.bought + h->position.sold,
        [LEDGER_FILLS_ADDED] = entry->fills_added,
        [LEDGER_FILLS_TAKEN] = entry->fills_taken,
    };
    for (unsigned i = 0; entry->shown[0] && i < LEDGER_SHOWN_COUNT; i++)
        tbus_store_relaxed_u64(entry->shown[i], values[i]);
}

void ledger_publish(const ledger_t *ledger)
{
    const profit_t *p = &ledger->profit;
    for (uint32_t i = 1; i <= ledger->entries_count; i++)
        publish_entry(&ledger->entries[i]);
    tbus_store_relaxed_u64(ledger->realised, (uint64_t)profit_e4(p->realised));
    tbus_store_relaxed_u64(ledger->unrealised, (uint64_t)profit_e4(p->unrealised));
    tbus_store_relaxed_u64(ledger->fees, (uint64_t)profit_e4(p->fees));
    tbus_store_relaxed_u64(ledger->drawdown, (uint64_t)profit_e4(p->drawdown));
    tbus_store_relaxed_u64(ledger->symbols_left_out, ledger->left_out);
}
