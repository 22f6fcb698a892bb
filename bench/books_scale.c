/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/books_scale.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/clock.h>
#include <tickbus/market/market.h>
#include <tickbus/msg/itch_types.h>

#include "bench/program.h"
#include "tools/measure/rank.h"

#define BATCH     65536u
#define STEP_E4   100u
#define MIDDLE_E4 1000000u
#define NEAR      32u

typedef struct size {
    const char *name;
    uint32_t symbols, orders; /* orders: live ones, of all symbols */
    uint32_t deep_symbols;    /* so many of them have `deep_levels` a side, the others `levels` */
    uint32_t deep_levels, levels;
} size_params_t;

typedef struct live_order {
    uint32_t ref;
    uint16_t locate;
    uint16_t side;
} live_order_t;

/* A market, and what is known of it to make ticks that fit. */
typedef struct flow {
    const size_params_t *size;
    market_t *market;
    live_order_t *live;
    uint32_t live_count;
    uint32_t next_ref;
    uint64_t random;
    uint64_t seq;
    tick_t *ticks; /* BATCH */
    double create_s, fill_ns;
    uint64_t bytes, huge_bytes;
    double ns[BOOKS_REPETITIONS_MAX];
} flow_t;

static const size_params_t sizes[] = {
    {"small", 64, 20000, 0, 0, 50},
    {"large", 11000, 10000000, 100, 5000, 100},
};
static const size_params_t quick_sizes[] = {
    {"small", 64, 2000, 0, 0, 50},
    {"large", 1100, 10000, 10, 500, 10},
};
#define FLOWS 2u

static uint32_t draw(flow_t *f, uint32_t below)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return (uint32_t)((f->random >> 32) * below >> 32);
}

static uint32_t levels_of(const flow_t *f, uint32_t locate)
{
    return locate <= f->size->deep_symbols ? f->size->deep_levels : f->size->levels;
}

/* An eighth of all orders are in deep books, however few these are: their levels have some each. */
static uint16_t draw_locate(flow_t *f)
{
    const size_params_t *s = f->size;
    bool deep = s->deep_symbols != 0 && draw(f, 8) == 0;
    return (uint16_t)(1 + (deep ? draw(f, s->deep_symbols) : draw(f, s->symbols)));
}

static uint32_t draw_px(flow_t *f, const live_order_t *order)
{
    uint32_t levels = levels_of(f, order->locate), near = levels < NEAR ? levels : NEAR;
    uint32_t away = STEP_E4 * (1 + draw(f, draw(f, 3) != 0 ? near : levels));
    return order->side == 'B' ? MIDDLE_E4 - away : MIDDLE_E4 + away;
}

static tick_t make_tick(uint8_t type, const live_order_t *order)
{
    tick_t tick = {.intended = tick_pack(0, order->locate), .type = type};
    tick.order_ref = order->ref;
    return tick;
}

static tick_t make_add(flow_t *f)
{
    live_order_t *order = &f->live[f->live_count++];
    order->ref = ++f->next_ref;
    order->locate = draw_locate(f);
    order->side = draw(f, 2) != 0 ? 'B' : 'S';
    tick_t tick = make_tick(ITCH_ADD_ORDER, order);
    tick.side = (uint8_t)order->side;
    tick.qty = 100 * (1 + draw(f, 10));
    tick.px_e4 = draw_px(f, order);
    snprintf(tick.symbol, sizeof tick.symbol, "S%06u", order->locate % 1000000u);
    tick.symbol[7] = ' ';
    return tick;
}

static tick_t make_other(flow_t *f)
{
    uint32_t at = draw(f, f->live_count), what = draw(f, 100);
    live_order_t *order = &f->live[at];
    if (what < 10) { /* of one share: no order is ever executed to its end here */
        tick_t tick = make_tick(what < 7 ? ITCH_ORDER_EXECUTED : ITCH_ORDER_CANCEL, order);
        tick.qty = 1;
        return tick;
    }
    if (what < 30) {
        tick_t tick = make_tick(ITCH_ORDER_REPLACE, order);
        order->ref = ++f->next_ref;
        tick.new_ref = order->ref;
        tick.qty = 100 * (1 + draw(f, 10));
        tick.px_e4 = draw_px(f, order);
        return tick;
    }
    tick_t tick = make_tick(ITCH_ORDER_DELETE, order);
    *order = f->live[--f->live_count];
    return tick;
}

/* ns that the books took for a batch. */
static uint64_t run_batch(flow_t *f, bool adds_only)
{
    for (uint32_t i = 0; i < BATCH; i++) {
        bool add = f->live_count < f->size->orders && (adds_only || draw(f, 5) < 3);
        f->ticks[i] = add || f->live_count == 0 ? make_add(f) : make_other(f);
    }
    uint64_t began_ns = tbus_clock_ns();
    for (uint32_t i = 0; i < BATCH; i++) {
        const market_event_t *event;
        if (market_apply(f->market, ++f->seq, &f->ticks[i], sizeof(tick_t), &event) < 0)
            bench_must(-1, f->size->name, market_limit_text(f->market));
    }
    return tbus_clock_ns() - began_ns;
}

/* Bytes of this process that are in transparent huge pages. */
static uint64_t huge_bytes(void)
{
    char line[256];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "AnonHugePages: %llu kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib << 10;
}

static void create(flow_t *f, const size_params_t *size, tick_t *ticks)
{
    uint64_t levels = 2 * ((uint64_t)size->symbols * size->levels +
                           (uint64_t)size->deep_symbols * size->deep_levels);
    market_limits_t limits = {.orders_max = size->orders + 1, .levels_max = (uint32_t)levels};
    *f = (flow_t){.size = size, .ticks = ticks, .random = 88172645463325252u};
    f->live = calloc(size->orders + (size_t)1, sizeof *f->live);
    bench_must(f->live ? 0 : -1, size->name, "out of memory");
    tbus_error_t err;
    uint64_t huge_before = huge_bytes(), began_ns = tbus_clock_ns();
    bench_must(market_create(&limits, &f->market, &err), "books", err.text);
    f->create_s = (double)(tbus_clock_ns() - began_ns) / 1e9;
    f->bytes = market_footprint(&limits);
    f->huge_bytes = huge_bytes() - huge_before;
    uint64_t ns = 0, messages = 0;
    while (f->live_count < size->orders) {
        ns += run_batch(f, true);
        messages += BATCH;
    }
    f->fill_ns = (double)ns / (double)messages;
}

json_t *books_scale(unsigned repetitions, int quick)
{
    static flow_t flows[FLOWS];
    tick_t *ticks = calloc(BATCH, sizeof *ticks);
    bench_must(ticks ? 0 : -1, "ticks", "out of memory");
    for (unsigned i = 0; i < FLOWS; i++) {
        create(&flows[i], quick ? &quick_sizes[i] : &sizes[i], ticks);
        run_batch(&flows[i], false);
    }
    for (unsigned r = 0; r < repetitions; r++)
        for (unsigned i = 0; i < FLOWS; i++)
            flows[i].ns[r] = (double)run_batch(&flows[i], false) / BATCH;
    json_t *rows = json_array();
    double small = 0;
    for (unsigned i = 0; i < FLOWS; i++) {
        flow_t *f = &flows[i];
        const market_stats_t *stats = market_stats(f->market);
        double ns = rank_median(f->ns, repetitions); /* which sorts them */
        small = i == 0 ? ns : small;
        json_array_append_new(
            rows,
            json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "what",
                      f->size->name, "symbols", (json_int_t)f->size->symbols, "orders",
                      (json_int_t)stats->live_orders, "levels", (json_int_t)stats->live_levels,
                      "bytes", (json_int_t)f->bytes, "huge_bytes", (json_int_t)f->huge_bytes,
                      "create_s", f->create_s, "fill_ns", f->fill_ns, "ns", ns, "lowest", f->ns[0],
                      "highest", f->ns[repetitions - 1], "ratio_to_small", ns / small));
        bench_must(stats->unknown_order_refs == 0 ? 0 : -1, f->size->name,
                   "orders that it should have are unknown to it");
        market_destroy(f->market);
        free(f->live);
    }
    free(ticks);
    return rows;
}

static double value(const json_t *row, const char *key)
{
    return json_number_value(json_object_get(row, key));
}

void books_scale_print(const json_t *rows)
{
    size_t i;
    const json_t *row;
    printf("\nbooks alone, orders drawn from all that live\n%-6s %8s %10s %9s %8s %8s %9s %8s %8s "
           "%-16s %8s\n",
           "market", "symbols", "orders", "levels", "MiB", "huge", "create s", "fill ns", "ns",
           "(min..max)", "x small");
    json_array_foreach(rows, i, row)
        printf("%-6s %8.0f %10.0f %9.0f %8.0f %8.0f %9.2f %8.1f %8.1f (%5.1f..%6.1f) %8.2f\n",
               json_string_value(json_object_get(row, "what")), value(row, "symbols"),
               value(row, "orders"), value(row, "levels"), value(row, "bytes") / 1048576,
               value(row, "huge_bytes") / 1048576, value(row, "create_s"), value(row, "fill_ns"),
               value(row, "ns"), value(row, "lowest"), value(row, "highest"),
               value(row, "ratio_to_small"));
}
