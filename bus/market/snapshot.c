/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <tickbus/msg/itch_types.h>

#include "bus/market/view.h"

#define DIGIT_BITS  11u
#define DIGITS      (1u << DIGIT_BITS)
#define FETCH_AHEAD 8u

/* A live order while they are being sorted. */
typedef struct by_age {
    uint64_t added_seq;
    uint32_t place;
    uint32_t pad;
} by_age_t;

typedef struct kept_order {
    uint64_t ref;
    uint64_t event;
    uint32_t qty;
    uint32_t px_e4;
    uint16_t locate;
    uint8_t side; /* 'B', 'S' */
    uint8_t pad[5];
} kept_order_t;

_Static_assert(sizeof(kept_order_t) == 32, "two orders a cache line");

/* The messages that hold; of each locate one A that names its symbol; of each symbol one that says
 * it is stale; and one about the day. */
#define ADMIN_MAX (STANDING_MAX + 2 * MARKET_LOCATES + 2)

struct snapshot {
    uint64_t md_seq;
    uint32_t orders_max;
    uint32_t admin_count;
    uint32_t orders_count;
    size_t bytes;                  /* of the mapping, of which this struct is the beginning */
    kept_order_t *orders;          /* orders_max */
    by_age_t *sorted[2];           /* orders_max each */
    char names[MARKET_LOCATES][8]; /* by wire locate */
    bool doubled[MARKET_LOCATES];  /* by number: the symbol has a second locate */
    uint32_t digit_counts[DIGITS];
    tick_t admin[ADMIN_MAX];
};

int snapshot_create(uint32_t orders_max, snapshot_t **out_snapshot, tbus_error_t *err)
{
    size_t bytes =
        sizeof(snapshot_t) + (sizeof(kept_order_t) + 2 * sizeof(by_age_t)) * (size_t)orders_max;
    snapshot_t *s = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s == MAP_FAILED)
        return tbus_fail(err, -ENOMEM, "no memory for a snapshot of %u orders: %s", orders_max,
                         strerror(errno));
    s->bytes = bytes;
    s->orders_max = orders_max;
    s->orders = (kept_order_t *)(void *)(s + 1);
    s->sorted[0] = (by_age_t *)(void *)(s->orders + orders_max);
    s->sorted[1] = s->sorted[0] + orders_max;
    *out_snapshot = s;
    return 0;
}

void snapshot_destroy(snapshot_t *s)
{
    if (s)
        munmap(s, s->bytes);
}

/* ---- the live orders, oldest first */

typedef struct collection {
    const queue_order_t *orders;
    by_age_t *out;
    uint32_t count;
} collection_t;

static void collect(void *context, uint32_t place)
{
    collection_t *c = context;
    c->out[c->count++] = (by_age_t){.added_seq = c->orders[place].added_seq, .place = place};
}

/* Put them in the order of one digit of their sequences; equal ones stay in the order they have. */
static void sort_by_digit(snapshot_t *s, const by_age_t *from, by_age_t *to, uint32_t count,
                          uint64_t first, unsigned shift)
{
    uint32_t *counts = s->digit_counts;
    memset(counts, 0, sizeof s->digit_counts);
    for (uint32_t i = 0; i < count; i++)
        counts[(from[i].added_seq - first) >> shift & (DIGITS - 1)]++;
    uint32_t before = 0;
    for (uint32_t digit = 0; digit < DIGITS; digit++) {
        uint32_t here = counts[digit];
        counts[digit] = before;
        before += here;
    }
    for (uint32_t i = 0; i < count; i++)
        to[counts[(from[i].added_seq - first) >> shift & (DIGITS - 1)]++] = from[i];
}

/* Of sorted[0]; the result is what is returned. */
static const by_age_t *sort(snapshot_t *s, uint32_t count)
{
    uint64_t first = UINT64_MAX, last = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t seq = s->sorted[0][i].added_seq;
        first = seq < first ? seq : first;
        last = seq > last ? seq : last;
    }
    unsigned now = 0;
    for (unsigned shift = 0; shift < 64 && count > 1 && (last - first) >> shift != 0;
         shift += DIGIT_BITS) {
        sort_by_digit(s, s->sorted[now], s->sorted[!now], count, first, shift);
        now = !now;
    }
    return s->sorted[now];
}

static void keep_order(const market_t *m, uint32_t place, kept_order_t *out)
{
    const queue_order_t *order = &m->queues.orders[place];
    const price_level_t *level = &m->levels.levels[order->level];
    *out = (kept_order_t){.ref = order->ref,
                          .event = m->queues.events[place],
                          .qty = order->qty,
                          .px_e4 = level->px_e4,
                          .locate = m->symbols[level->locate].wire_locate,
                          .side = level->side == BOOK_BID ? 'B' : 'S'};
}

/* ---- what is not about orders */

static void add_for_books(snapshot_t *s, uint16_t wire_locate, const char *name, uint32_t qty)
{
    tick_t *tick = &s->admin[s->admin_count++];
    *tick = (tick_t){.intended = tick_pack(0, wire_locate), .type = ITCH_ADD_ORDER};
    tick->side = 'B';
    tick->qty = qty;
    if (name)
        memcpy(tick->symbol, name, sizeof tick->symbol);
}

static void collect_session(snapshot_t *s, const market_t *m, const standing_t *standing)
{
    s->admin_count = standing_copy_start(standing, s->admin);
    if (s->admin_count != 0 && !m->day.full && m->orders_seen)
        add_for_books(s, 0, NULL, 1);
    s->admin_count += standing_copy_session(standing, &s->admin[s->admin_count]);
}

static uint32_t add_directory(snapshot_t *s, const standing_t *standing, uint32_t wire_locate)
{
    tick_t *out = &s->admin[s->admin_count];
    uint32_t told = standing_copy_directory(standing, (uint16_t)wire_locate, out);
    s->admin_count += told;
    return told;
}

static void add_states(snapshot_t *s, const standing_t *standing, uint32_t index)
{
    tick_t *out = &s->admin[s->admin_count];
    s->admin_count += standing_copy_states(standing, (uint16_t)index, out);
}

static bool is_first(const market_t *m, uint32_t wire_locate)
{
    const market_symbol_t *symbol = &m->symbols[m->numbers[wire_locate]];
    return !symbol->known || symbol->wire_locate == wire_locate;
}

/* Do messages that are handed on name the symbol, under this locate? K and J name nobody. */
static bool names_it(const tick_t *ticks, uint32_t count, const market_symbol_t *symbol,
                     uint32_t wire_locate)
{
    for (uint32_t i = 0; i < count; i++)
        if (ticks[i].type != ITCH_QUOTING_PERIOD_UPDATE &&
            ticks[i].type != ITCH_LULD_AUCTION_COLLAR && tick_locate(&ticks[i]) == wire_locate &&
            memcmp(&ticks[i].body[ITCH_BODY_AT(STOCK_DIRECTORY, symbol)], symbol->name, 8) == 0)
            return true;
    return false;
}

/* Does nothing name the symbol of its first locate, that is handed on in time? */
static bool is_nameless(snapshot_t *s, const market_t *m, const standing_t *standing,
                        uint32_t wire_locate)
{
    tick_t *scratch = &s->admin[s->admin_count];
    uint16_t number = m->numbers[wire_locate];
    const market_symbol_t *symbol = &m->symbols[number];
    const book_side_t *sides = m->books[number].sides;
    uint32_t count = standing_copy_directory(standing, (uint16_t)wire_locate, scratch);
    if (!symbol->known || names_it(scratch, count, symbol, wire_locate))
        return false;
    if (s->doubled[number])
        return true;
    count = standing_copy_states(standing, number, scratch);
    return (sides[BOOK_BID].best | sides[BOOK_ASK].best) == 0 &&
           !names_it(scratch, count, symbol, wire_locate);
}

/* A symbol is that of the locate that named it first: those come before the others. An R comes
 * before all As. */
static void collect_locates(snapshot_t *s, const market_t *m, const standing_t *standing)
{
    for (uint32_t i = 0; i < MARKET_LOCATES; i++)
        if (is_first(m, i))
            add_directory(s, standing, i);
    for (uint32_t i = 1; i < MARKET_LOCATES; i++)
        if (is_first(m, i) && is_nameless(s, m, standing, i))
            add_for_books(s, (uint16_t)i, m->symbols[m->numbers[i]].name, 0);
    for (uint32_t i = 1; i < MARKET_LOCATES; i++)
        if (!is_first(m, i)) {
            add_for_books(s, (uint16_t)i, m->symbols[m->numbers[i]].name, 0);
            add_directory(s, standing, i);
        }
    for (uint32_t i = 0; i < MARKET_LOCATES; i++)
        add_states(s, standing, i);
}

static void collect_stale(snapshot_t *s, const market_t *m)
{
    if (m->day.gap != MARKET_GAP_NONE)
        tick_gap_put(&s->admin[s->admin_count++], 0, &(tick_gap_t){.policy = m->day.gap});
    for (uint32_t i = 1; i < MARKET_LOCATES; i++)
        if (m->symbols[i].stale)
            add_for_books(s, 0, m->symbols[i].name, 1);
}

static void collect_admin(snapshot_t *s, const market_t *m, const standing_t *standing)
{
    memset(s->doubled, 0, sizeof s->doubled);
    for (uint32_t i = 1; i < MARKET_LOCATES; i++) {
        const market_symbol_t *symbol = &m->symbols[m->numbers[i]];
        s->doubled[m->numbers[i]] |= symbol->known && symbol->wire_locate != i;
        memcpy(s->names[i], symbol->name, sizeof s->names[i]);
    }
    collect_session(s, m, standing);
    collect_locates(s, m, standing);
    collect_stale(s, m);
}

int snapshot_take(snapshot_t *s, const market_t *m, const standing_t *standing)
{
    assert(!m->lacks_events);
    s->admin_count = s->orders_count = 0;
    if (m->failed || m->orders.live > s->orders_max)
        return -TBUS_ELIMIT;
    collection_t all = {.orders = m->queues.orders, .out = s->sorted[0]};
    view_each_order(m, collect, &all);
    uint32_t count = all.count;
    assert(count == m->orders.live);
    const by_age_t *sorted = sort(s, count);
    for (uint32_t i = 0; i < count; i++) {
        if (i + FETCH_AHEAD < count)
            __builtin_prefetch(&m->queues.orders[sorted[i + FETCH_AHEAD].place]);
        keep_order(m, sorted[i].place, &s->orders[i]);
    }
    s->orders_count = count;
    collect_admin(s, m, standing);
    s->md_seq = market_seq(m);
    return 0;
}

/* ---- reading it */

uint32_t snapshot_count(const snapshot_t *s)
{
    return s->admin_count + s->orders_count;
}

uint64_t snapshot_md_seq(const snapshot_t *s)
{
    return s->md_seq;
}

void snapshot_tick(const snapshot_t *s, uint32_t index, tick_t *out_tick)
{
    assert(index < snapshot_count(s));
    if (index < s->admin_count) {
        *out_tick = s->admin[index];
        return;
    }
    const kept_order_t *order = &s->orders[index - s->admin_count];
    *out_tick = (tick_t){
        .event = order->event, .intended = tick_pack(0, order->locate), .type = ITCH_ADD_ORDER};
    out_tick->side = order->side;
    out_tick->qty = order->qty;
    out_tick->order_ref = order->ref;
    out_tick->px_e4 = order->px_e4;
    memcpy(out_tick->symbol, s->names[order->locate], sizeof out_tick->symbol);
}
