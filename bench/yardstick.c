/* SPDX-License-Identifier: Apache-2.0 */
/* yardstick.c - how fast was one thread with no bus at commit ca9d1ff? Its books, kept as they were
 * then (yardstick_tables.h), behind the reader and decoder of today.
 *
 * What baseline.c measures gets faster with the product; this does not, so that figures of
 * different versions can be compared: pipeline.c prints both ratios. Of the view of then it has
 * what its hot path did: orders by reference, levels, queues, the touch and its changes; days,
 * phases and states are left out. Prints {"messages", "ns", "bbo_changes"}; the last is what
 * baseline.c prints.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <tickbus/clock.h>
#include <tickbus/msg/itch_types.h>
#include <tickbus/msg/tick.h>

#include "bench/program.h"
#include "bench/yardstick_tables.h"
#include "feedsim/itch/binaryfile.h"
#include "feedsim/itch/itch.h"

#define ORDERS_MAX (1u << 20)
#define LEVELS_MAX (1u << 18)
#define LOCATES    65536u
#define HUGE_BYTES ((size_t)2 << 20)

typedef struct touch {
    uint32_t bid_px_e4;
    uint32_t ask_px_e4;
    uint64_t bid_qty;
    uint64_t ask_qty;
} touch_t;

typedef struct event {
    uint64_t md_seq;
    uint16_t locate;
    uint16_t wire_locate;
    bool bbo_checked;
    bool bbo_changed;
    bool executed;
    uint8_t side;
    uint32_t removed_px_e4;
    uint32_t removed_qty;
    uint64_t removed_added_seq;
    uint32_t removed_left;
    uint32_t added_px_e4;
    uint32_t added_qty;
    touch_t touch;
} event_t;

typedef struct symbol_book {
    book_side_t sides[2];
    touch_t kept;
    uint64_t name; /* 0: none yet */
} symbol_book_t;

static struct {
    event_t event;
    order_table_t orders;
    level_pool_t levels;
    queue_pool_t queues;
    uint16_t *numbers;
    symbol_book_t *books;
    uint32_t *last_px_e4;
    uint64_t executed_shares;
    uint64_t unknown_order_refs;
    uint64_t live_orders_max;
    uint64_t bbo_changes;
} market;

static uint64_t name_of(const void *characters)
{
    uint64_t name;
    memcpy(&name, characters, sizeof name);
    return name;
}

static void add_order(order_entry_t *entry, uint64_t ref, uint16_t locate, unsigned which,
                      const tick_t *tick)
{
    uint32_t index =
        book_level(&market.levels, &market.books[locate].sides[which], locate, which, tick->px_e4);
    bench_must(index ? 0 : -1, "books", "more price levels than the yardstick has room for");
    price_level_t *level = &market.levels.levels[index];
    level->qty += tick->qty;
    level->orders++;
    uint32_t place = queue_take(&market.queues);
    queue_order_t *order = &market.queues.orders[place];
    order->added_seq = market.event.md_seq;
    order->event = tick->event;
    order->qty = tick->qty;
    queue_join(&market.queues, level, place);
    entry->ref = ref;
    entry->place = place;
    entry->level = index;
    orders_added(&market.orders);
    if (market.orders.live > market.live_orders_max)
        market.live_orders_max = market.orders.live;
    market.event.added_px_e4 = tick->px_e4;
    market.event.added_qty = tick->qty;
}

static void take_shares(order_entry_t *entry, uint32_t qty)
{
    uint32_t index = entry->level;
    price_level_t *level = &market.levels.levels[index];
    queue_order_t *order = &market.queues.orders[entry->place];
    qty = qty > order->qty ? order->qty : qty;
    market.event.side = level->side == BOOK_BID ? 'B' : 'S';
    market.event.removed_px_e4 = level->px_e4;
    market.event.removed_qty = qty;
    market.event.removed_added_seq = order->added_seq;
    market.event.removed_left = order->qty - qty;
    level->qty -= qty;
    if (order->qty != qty) {
        order->qty -= qty;
        return;
    }
    queue_leave(&market.queues, level, entry->place);
    orders_remove(&market.orders, entry);
    if (--level->orders == 0)
        book_drop(&market.levels, &market.books[level->locate].sides[level->side], index);
}

static void apply_add(const tick_t *tick)
{
    symbol_book_t *book = &market.books[market.event.locate];
    if (book->name == 0)
        book->name = name_of(tick->symbol);
    if (book->name != name_of(tick->symbol) || tick->qty == 0)
        return;
    order_entry_t *entry = orders_place(&market.orders, tick->order_ref);
    if (entry->place != 0)
        return;
    bench_must(market.orders.live == ORDERS_MAX ? -1 : 0, "books",
               "more live orders than the yardstick has room for");
    market.event.side = tick->side;
    add_order(entry, tick->order_ref, market.event.locate, tick->side == 'S' ? BOOK_ASK : BOOK_BID,
              tick);
}

static order_entry_t *referenced(const tick_t *tick)
{
    order_entry_t *entry = orders_find(&market.orders, tick->order_ref);
    if (!entry) {
        market.unknown_order_refs++;
        return NULL;
    }
    return market.levels.levels[entry->level].locate == market.event.locate ? entry : NULL;
}

static void apply_reduction(const tick_t *tick, bool all)
{
    order_entry_t *entry = referenced(tick);
    if (entry)
        take_shares(entry, all ? market.queues.orders[entry->place].qty : tick->qty);
}

static void apply_replace(const tick_t *tick)
{
    order_entry_t *entry = referenced(tick);
    if (!entry)
        return;
    unsigned which = market.levels.levels[entry->level].side;
    take_shares(entry, market.queues.orders[entry->place].qty);
    entry = orders_place(&market.orders, tick->new_ref);
    if (tick->qty != 0 && entry->place == 0)
        add_order(entry, tick->new_ref, market.event.locate, which, tick);
}

static void apply_execution(const tick_t *tick)
{
    market.executed_shares += tick->qty;
    apply_reduction(tick, false);
    market.event.executed = market.event.removed_qty != 0;
    if (market.event.executed)
        market.last_px_e4[market.event.locate] = market.event.removed_px_e4;
}

static void look_at_touch(void)
{
    symbol_book_t *book = &market.books[market.event.locate];
    const price_level_t *bid = &market.levels.levels[book->sides[BOOK_BID].best];
    const price_level_t *ask = &market.levels.levels[book->sides[BOOK_ASK].best];
    touch_t now = {bid->px_e4, ask->px_e4, bid->qty, ask->qty}; /* level 0 is all zeros */
    market.event.bbo_checked = true;
    market.event.touch = now;
    if (((now.bid_px_e4 ^ book->kept.bid_px_e4) | (now.ask_px_e4 ^ book->kept.ask_px_e4) |
         (now.bid_qty ^ book->kept.bid_qty) | (now.ask_qty ^ book->kept.ask_qty)) == 0)
        return;
    book->kept = now;
    market.event.bbo_changed = true;
    market.bbo_changes++;
}

/* Not inlined, as it was. */
__attribute__((noinline)) static void apply(uint64_t md_seq, const tick_t *tick)
{
    uint16_t locate = tick_locate(tick);
    market.event =
        (event_t){.md_seq = md_seq, .locate = market.numbers[locate], .wire_locate = locate};
    switch (tick->type) {
    case ITCH_ADD_ORDER:
    case ITCH_ADD_ORDER_MPID:
        apply_add(tick);
        break;
    case ITCH_ORDER_EXECUTED:
    case ITCH_ORDER_EXECUTED_WITH_PRICE:
        apply_execution(tick);
        break;
    case ITCH_ORDER_CANCEL:
        apply_reduction(tick, false);
        break;
    case ITCH_ORDER_DELETE:
        apply_reduction(tick, true);
        break;
    case ITCH_ORDER_REPLACE:
        apply_replace(tick);
        break;
    default:
        return;
    }
    look_at_touch();
}

/* Touched, in huge pages where there are any. */
static void *table(size_t bytes)
{
    bytes = (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_must(memory == MAP_FAILED ? -1 : 0, "books", "out of memory");
    (void)madvise(memory, bytes, MADV_HUGEPAGE); /* as it can */
    return memset(memory, 0, bytes);
}

static void create(void)
{
    const hash_seed_t seed = {.mix = UINT64_C(0x243f6a8885a308d3),
                              .factor = UINT64_C(0x13198a2e03707345)};
    market.numbers = table(LOCATES * sizeof *market.numbers);
    market.books = table(LOCATES * sizeof *market.books);
    market.last_px_e4 = table(LOCATES * sizeof *market.last_px_e4);
    for (uint32_t i = 0; i < LOCATES; i++)
        market.numbers[i] = (uint16_t)i;
    market.levels = (level_pool_t){
        .levels = table((LEVELS_MAX + 1) * sizeof(price_level_t)), .free = 1, .seed = seed};
    for (uint32_t i = 1; i <= LEVELS_MAX; i++)
        market.levels.levels[i].worse = i < LEVELS_MAX ? i + 1 : 0;
    market.queues = (queue_pool_t){
        .orders = table(((size_t)ORDERS_MAX + 1) * sizeof(queue_order_t)), .free = 1};
    for (uint32_t i = 1; i <= ORDERS_MAX; i++)
        market.queues.orders[i].behind = i < ORDERS_MAX ? i + 1 : 0;
    uint32_t bits = ORDERS_BITS_MIN;
    while ((UINT64_C(1) << bits) < UINT64_C(2) * ORDERS_MAX)
        bits++;
    market.orders =
        (order_table_t){.memory = table(orders_offset(bits + 1) * sizeof(order_entry_t)),
                        .orders_max = ORDERS_MAX,
                        .seed = seed,
                        .bits_max = bits};
    orders_use(&market.orders, ORDERS_BITS_MIN);
}

static const char usage[] =
    "usage: bench_yardstick FILE\n"
    "Decode an ITCH 5.0 file and build the books of commit ca9d1ff in one thread, without a bus.\n"
    "example: taskset -c 0 bench_yardstick day.itch\n";

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0;
    if (argc != 2 || argv[1][0] == '-')
        bench_bad_usage(usage);
    const char *path = argv[1];
    tbus_error_t err;
    create();
    tick_t *tick = calloc(1, TICK_LEN_MAX);
    bench_must(tick ? 0 : -1, "a tick", "out of memory");

    uint64_t messages = 0, began_ns = tbus_clock_ns();
    binaryfile_t *file;
    bench_must(binaryfile_open(path, BINARYFILE_ITCH, &file, &err), path, err.text);
    const uint8_t *message;
    size_t bytes, tick_bytes;
    int status;
    while ((status = binaryfile_next(file, &message, &bytes, &err)) == BINARYFILE_MESSAGE) {
        bench_must(itch_decode(message, bytes, tick, &tick_bytes), path,
                   "a message that is no ITCH 5.0");
        messages++;
        if (tick_bytes >= sizeof *tick)
            apply(messages, tick);
    }
    uint64_t took_ns = tbus_clock_ns() - began_ns;
    bench_must(status, path, err.text);

    printf("{\"messages\": %" PRIu64 ", \"ns\": %" PRIu64 ", \"bbo_changes\": %" PRIu64 "}\n",
           messages, took_ns, market.bbo_changes);
    binaryfile_close(file);
    free(tick);
    return 0;
}
