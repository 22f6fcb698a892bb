/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/profit_shown.h"

#include <stdlib.h>
#include <string.h>

#include "bus/market/marks.h"
#include "tools/run/counted.h"
#include "tools/show/grouped.h"
#include "tools/show/json_text.h"

#define ROWS_MAX 12u /* of the table of symbols; --json has all */

static json_t *integer_of(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* ---- as JSON */

json_t *profit_shown_json(const tbus_bus_t *bus, uint32_t owner)
{
    /* Signed values travel as their 64 bits. */
    int64_t realised = (int64_t)counted_value(bus, owner, "pnl.realised_e4");
    int64_t unrealised = (int64_t)counted_value(bus, owner, "pnl.unrealised_e4");
    json_t *object = json_object();
    json_object_set_new(object, "realised", json_integer(realised));
    json_object_set_new(object, "unrealised", json_integer(unrealised));
    int64_t fees = (int64_t)counted_value(bus, owner, "pnl.fees_e4");
    json_int_t gross = (json_int_t)((uint64_t)realised + (uint64_t)unrealised);
    /* Of all together it is what risk has seen: their falls need not have come at one time. */
    uint64_t drawdown = owner == COUNTED_EVERYBODY ? counted_value(bus, owner, "risk.drawdown_e4")
                                                   : counted_value(bus, owner, "pnl.drawdown_e4");
    json_object_set_new(object, "total", json_integer(gross));
    json_object_set_new(object, "gross", json_integer(gross));
    json_object_set_new(object, "fees", json_integer(fees));
    json_object_set_new(object, "net",
                        json_integer((json_int_t)((uint64_t)gross - (uint64_t)fees)));
    json_object_set_new(object, "drawdown", integer_of(drawdown));
    return object;
}

/* What is the sum over strategies of the counters "symbols.NAME.KEY". */
static const char *const symbol_sums[] = {"realised_e4", "unrealised_e4", "fees_e4",
                                          "volume",      "fills_added",   "fills_taken"};

/* Of several strategies that value their positions in a symbol differently, one long and another
 * short, there is no one mark. */
static void add_mark(json_t *symbol, const char *key, json_t *value)
{
    const json_t *before = json_object_get(symbol, key);
    if (!before || json_equal(before, value))
        json_object_set_new(symbol, key, value);
    else {
        json_decref(value);
        json_object_set_new(symbol, key, json_null());
    }
}

/* The counter symbols.NAME.`key`, whose `value` goes into the object of NAME. */
static void add_symbol_value(json_t *symbol, const char *key, uint64_t value)
{
    if (strcmp(key, "mark_px_e4") == 0 && value != 0)
        add_mark(symbol, key, integer_of(value));
    else if (strcmp(key, "mark_by") == 0 && value != MARK_NONE)
        add_mark(symbol, key, json_string(mark_by_name((uint32_t)value)));
    for (unsigned i = 0; i < sizeof symbol_sums / sizeof *symbol_sums; i++)
        if (strcmp(key, symbol_sums[i]) == 0) {
            json_int_t sum = json_integer_value(json_object_get(symbol, key));
            json_object_set_new(symbol, key, json_integer(sum + (json_int_t)value));
        }
}

/* The object of a symbol, made with every key of it. */
static json_t *symbol_object(json_t *symbols, const json_t *name, const json_t *positions)
{
    const char *key = json_string_value(name);
    json_t *symbol = json_object_get(symbols, key);
    if (symbol)
        return symbol;
    symbol = json_object();
    json_int_t position = json_integer_value(json_object_get(positions, key));
    json_object_set_new(symbol, "position", json_integer(position));
    json_object_set_new(symbols, key, symbol);
    return symbol;
}

/* Where there is no position there is no mark. */
static void complete_symbols(json_t *symbols)
{
    const char *name;
    json_t *symbol;
    json_object_foreach(symbols, name, symbol)
    {
        if (!json_object_get(symbol, "mark_px_e4"))
            json_object_set_new(symbol, "mark_px_e4", json_integer(0));
        if (!json_object_get(symbol, "mark_by"))
            json_object_set_new(symbol, "mark_by", json_null());
    }
}

/* What an owner has done in each symbol: counters "symbols.NAME.KEY" (strategy/ledger.h). A name
 * may have points in it, a key has none. */
json_t *symbols_shown_json(const tbus_bus_t *bus, uint32_t owner)
{
    static const char prefix[] = "symbols.";
    json_t *object = json_object(), *positions = counted_below(bus, owner, "position.");
    tbus_counter_view_t c;
    for (uint32_t cursor = 0; tbus_counter_next(bus, &cursor, &c);) {
        char *key = strrchr(c.name, '.');
        if (strncmp(c.name, prefix, sizeof prefix - 1) != 0 || key < c.name + sizeof prefix ||
            (owner != COUNTED_EVERYBODY && c.owner != owner))
            continue;
        *key++ = 0;
        json_t *name = json_text(c.name + sizeof prefix - 1, sizeof c.name - sizeof prefix + 1);
        add_symbol_value(symbol_object(object, name, positions), key, c.value);
        json_decref(name);
    }
    complete_symbols(object);
    json_decref(positions);
    return object;
}

/* ---- as text */

static int64_t integer(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

/* 1/10000ths to the nearest hundredth. */
static int64_t cents_of(int64_t e4)
{
    uint64_t cents = ((e4 < 0 ? -(uint64_t)e4 : (uint64_t)e4) + 50) / 100;
    return e4 < 0 ? -(int64_t)cents : (int64_t)cents;
}

/* 1235 hundredths -> "+12.35"; nothing is "0.00", with no sign. */
static const char *money(int64_t cents, char out_text[GROUPED_MAX])
{
    uint64_t size = cents < 0 ? -(uint64_t)cents : (uint64_t)cents;
    char whole[GROUPED_MAX];
    snprintf(out_text, GROUPED_MAX, "%s%s.%02u",
             cents < 0   ? "-"
             : cents > 0 ? "+"
                         : "",
             grouped((int64_t)(size / 100), whole), (unsigned)(size % 100));
    return out_text;
}

/* "valued at the last trade: AAA, BBB": nobody bids for these, or asks. */
static void print_marked(FILE *out, const json_t *symbols, const char *by, const char *words,
                         int indent)
{
    const char *name;
    json_t *symbol;
    unsigned count = 0;
    json_object_foreach((json_t *)(uintptr_t)symbols, name, symbol)
    {
        const char *is = json_string_value(json_object_get(symbol, "mark_by"));
        if (!is || strcmp(is, by) != 0)
            continue;
        if (count == 0)
            fprintf(out, "%*s%s: %s", indent, "", words, name);
        else if (count < ROWS_MAX)
            fprintf(out, " %s", name);
        count++;
    }
    if (count > ROWS_MAX)
        fprintf(out, " and %u more", count - ROWS_MAX);
    if (count)
        fputc('\n', out);
}

void profit_shown_print(FILE *out, const json_t *pnl, const json_t *symbols, int indent)
{
    char realised[GROUPED_MAX], unrealised[GROUPED_MAX], total[GROUPED_MAX];
    /* What is printed adds up: the total is that of the parts as they are shown. */
    int64_t realised_cents = cents_of(integer(pnl, "realised"));
    int64_t unrealised_cents = cents_of(integer(pnl, "unrealised"));
    int64_t gross_cents = realised_cents + unrealised_cents;
    fprintf(out, "%s: %s realised, %s unrealised\n", money(gross_cents, total),
            money(realised_cents, realised), money(unrealised_cents, unrealised));
    int64_t fees_cents = cents_of(integer(pnl, "fees"));
    if (fees_cents != 0)
        fprintf(out, "%*s%s net, after fees of %s\n", indent, "",
                money(gross_cents - fees_cents, total), money(fees_cents, realised));
    if (integer(pnl, "drawdown") != 0)
        fprintf(out, "%*s%s at most below its highest (drawdown)\n", indent, "",
                money(-cents_of(integer(pnl, "drawdown")), total));
    print_marked(out, symbols, "last_trade", "valued at the last trade", indent);
    print_marked(out, symbols, "entry", "valued at what it cost, nothing traded", indent);
}

typedef struct row {
    const char *name;
    const json_t *symbol;
} row_t;

static int larger_volume_first(const void *a, const void *b)
{
    const row_t *x = a, *y = b;
    int64_t of_x = integer(x->symbol, "volume"), of_y = integer(y->symbol, "volume");
    return of_x != of_y ? (of_x < of_y) - (of_x > of_y) : strcmp(x->name, y->name);
}

static void print_row(FILE *out, const row_t *row)
{
    static const char *const plain[] = {"volume", "fills_added", "fills_taken"};
    char text[4][GROUPED_MAX];
    const json_t *s = row->symbol;
    int64_t mark_e4 = integer(s, "mark_px_e4");
    fprintf(out, "  %-8s %8s %13s %12s", row->name, grouped(integer(s, "position"), text[0]),
            money(cents_of(integer(s, "realised_e4")), text[1]),
            money(cents_of(integer(s, "unrealised_e4")), text[2]));
    if (mark_e4 != 0)
        fprintf(out, " %5lld.%04u", (long long)(mark_e4 / 10000), (unsigned)(mark_e4 % 10000));
    else
        fprintf(out, " %10s", "-");
    for (unsigned i = 0; i < sizeof plain / sizeof *plain; i++)
        fprintf(out, " %*s", i ? 6 : 8, grouped(integer(s, plain[i]), text[i]));
    fputc('\n', out);
}

void symbols_shown_print(FILE *out, const json_t *symbols)
{
    size_t count = json_object_size(symbols), i = 0;
    row_t *rows = count ? calloc(count, sizeof *rows) : NULL;
    if (!rows)
        return;
    const char *name;
    json_t *symbol;
    json_object_foreach((json_t *)(uintptr_t)symbols, name, symbol)
    {
        rows[i++] = (row_t){name, symbol};
    }
    qsort(rows, count, sizeof *rows, larger_volume_first);
    fprintf(out, "\n  %-8s %8s %13s %12s %10s %8s %6s %6s\n", "symbol", "position", "realised",
            "unrealised", "mark", "volume", "added", "taken");
    for (i = 0; i < count && i < ROWS_MAX; i++)
        print_row(out, &rows[i]);
    if (count > ROWS_MAX)
        fprintf(out, "  and %zu more (--json)\n", count - ROWS_MAX);
    free(rows);
}
