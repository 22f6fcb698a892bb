/* SPDX-License-Identifier: Apache-2.0 */
#include "strategy/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t ledger_footprint(void)
{
    return MARKET_LOCATES * (sizeof(ledger_entry_t) + sizeof(uint16_t));
}

int ledger_create(ledger_t *out_ledger, tbus_bus_t *bus, uint32_t owner, tbus_error_t *err)
{
    size_t entries_bytes = MARKET_LOCATES * sizeof(ledger_entry_t);
    size_t traded_bytes = MARKET_LOCATES * sizeof(uint16_t);
    ledger_t ledger = {.bus = bus,
                       .owner = owner,
                       .entries = aligned_alloc(64, entries_bytes),
                       .traded = aligned_alloc(64, traded_bytes)};
    if (!ledger.entries || !ledger.traded) {
        ledger_destroy(&ledger);
        return tbus_fail(err, -ENOMEM, "no memory for a strategy's positions");
    }
    memset(ledger.entries, 0, entries_bytes);
    memset(ledger.traded, 0, traded_bytes);
    int code = tbus_counter_add(bus, owner, "pnl.realised_e4", "1e-4", &ledger.realised, err);
    if (code == 0)
        code = tbus_counter_add(bus, owner, "pnl.unrealised_e4", "1e-4", &ledger.unrealised, err);
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
    free(ledger->traded);
    ledger->entries = NULL;
    ledger->traded = NULL;
}

/* "position.AAPL". The name comes from the wire: what is not a printable character becomes '?', and
 * a name of spaces only becomes "#LOCATE". */
static int add_shares_counter(const ledger_t *ledger, uint16_t locate, const char name[8],
                              tbus_atomic_u64_t **out_shares, tbus_error_t *err)
{
    char text[sizeof "position." + 8];
    int used = snprintf(text, sizeof text, "position.");
    int length = 8;
    while (length > 0 && name[length - 1] == ' ')
        length--;
    for (int i = 0; i < length; i++)
        text[used++] = name[i] > ' ' && name[i] <= '~' ? name[i] : '?';
    text[used] = 0;
    if (length == 0)
        snprintf(text + used, sizeof text - (size_t)used, "#%u", locate);
    return tbus_counter_add(ledger->bus, ledger->owner, text, "shares", out_shares, err);
}

int ledger_execute(ledger_t *ledger, uint16_t locate, const char name[8], uint8_t side,
                   uint32_t qty, uint32_t px_e4, tbus_error_t *err)
{
    ledger_entry_t *entry = &ledger->entries[locate];
    if (!entry->shares) {
        int code = add_shares_counter(ledger, locate, name, &entry->shares, err);
        if (code < 0)
            return code;
        ledger->traded[ledger->traded_count++] = locate;
    }
    if (!position_apply(&entry->position, side, qty, px_e4))
        return tbus_fail(err, -EOVERFLOW,
                         "the position in %.8s (locate %u) cannot take an execution of %u shares "
                         "at %u",
                         name, locate, qty, px_e4);
    entry->last_px_e4 = px_e4;
    tbus_store_relaxed_u64(entry->shares, (uint64_t)entry->position.qty);
    return 0;
}

static uint32_t mark_px_e4(const ledger_entry_t *entry, market_touch_t touch)
{
    if (touch.bid_qty != 0 && touch.ask_qty != 0)
        return (uint32_t)(((uint64_t)touch.bid_px_e4 + touch.ask_px_e4) / 2);
    if (touch.bid_qty != 0)
        return touch.bid_px_e4;
    return touch.ask_qty != 0 ? touch.ask_px_e4 : entry->last_px_e4;
}

static int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

void ledger_publish(const ledger_t *ledger, const market_t *market)
{
    int64_t realised = 0;
    int64_t unrealised = 0;
    for (uint32_t i = 0; i < ledger->traded_count; i++) {
        const ledger_entry_t *entry = &ledger->entries[ledger->traded[i]];
        uint32_t mark = mark_px_e4(entry, market_touch(market, ledger->traded[i]));
        realised = add_saturated(realised, entry->position.realised_e4);
        unrealised = add_saturated(unrealised, position_unrealised_e4(&entry->position, mark));
    }
    tbus_store_relaxed_u64(ledger->realised, (uint64_t)realised);
    tbus_store_relaxed_u64(ledger->unrealised, (uint64_t)unrealised);
}
