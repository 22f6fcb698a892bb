/* SPDX-License-Identifier: Apache-2.0 */
/* Days, phases, states, crosses and directories that lie: by hand, and drawn at random against a
 * model that keeps lists and searches them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <tickbus/market/market.h>

#include "tests/support/odd_flow.h"
#include "tests/support/ticks.h"

#define LOCATE TICKS_ACME

typedef struct bench {
    market_t *market;
    market_event_t event; /* of the last tick */
} bench_t;

static int setup(void **state)
{
    static bench_t b;
    const market_limits_t limits = {.orders_max = 1000, .levels_max = 1000};
    b = (bench_t){0};
    assert_int_equal(market_create(&limits, &b.market, NULL), 0);
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    market_destroy(((bench_t *)*state)->market);
    return 0;
}

static void apply(bench_t *b, tick_t tick)
{
    const market_event_t *event = NULL;
    assert_int_equal(market_apply(b->market, market_seq(b->market) + 1, &tick, sizeof tick, &event),
                     0);
    b->event = *event;
}

static tick_t named(tick_t tick, const char *name)
{
    memcpy(tick.type == 'A' || tick.type == 'P' ? tick.symbol : (char *)tick.body, name, 8);
    return tick;
}

static const market_symbol_t *at(const bench_t *b, uint16_t wire_locate)
{
    return market_symbol(b->market, market_number(b->market, wire_locate));
}

static void say(bench_t *b, const char *codes)
{
    for (; *codes; codes++)
        apply(b, tick_system((uint8_t)*codes));
}

/* ---- days */

static void a_day_begins_with_empty_books_and_no_symbol(void **state)
{
    bench_t *b = *state;
    say(b, "O");
    assert_true(b->event.new_day && b->event.new_phase);
    assert_int_equal(b->event.locate, 0);
    apply(b, tick_directory(LOCATE));
    apply(b, tick_trading(LOCATE, 'H'));
    for (uint32_t ref = 1; ref <= 900; ref++)
        apply(b, tick_add(LOCATE, ref, ref % 2 ? 'B' : 'S', 10, ref % 2 ? 5000 - ref : 6000 + ref));
    say(b, "O");
    assert_int_equal(market_stats(b->market)->live_orders, 0);
    assert_int_equal(market_stats(b->market)->live_levels, 0);
    assert_int_equal(market_stats(b->market)->symbols, 0);
    assert_int_equal(market_day(b->market)->number, 2);
    assert_int_equal(market_day(b->market)->md_seq, market_seq(b->market));
    assert_false(at(b, LOCATE)->known);
    /* As many as ever fit, under the same references. */
    for (uint32_t ref = 1; ref <= 1000; ref++)
        apply(b, tick_add(LOCATE, ref, 'B', 10, 5000 - ref));
    assert_int_equal(market_stats(b->market)->duplicate_adds, 0);
    assert_int_equal(market_touch(b->market, LOCATE).ask_qty, 0);
    assert_int_equal(at(b, LOCATE)->trading, MARKET_TRADING_UNKNOWN);
    assert_int_equal(at(b, LOCATE)->state, 0);
}

static void a_symbol_keeps_its_number_when_its_locate_changes(void **state)
{
    bench_t *b = *state;
    say(b, "O");
    apply(b, named(tick_directory(1), "AAA     "));
    apply(b, named(tick_directory(2), "BBB     "));
    say(b, "O");
    apply(b, named(tick_directory(1), "BBB     "));
    apply(b, named(tick_directory(2), "NEW     "));
    apply(b, named(tick_directory(3), "AAA     "));
    assert_int_equal(market_number(b->market, 1), 2);
    assert_int_equal(market_number(b->market, 3), 1);
    assert_int_equal(market_wire_locate(b->market, 1), 3);
    assert_int_equal(market_wire_locate(b->market, 2), 1);
    uint16_t number = market_number(b->market, 2);
    assert_true(number > 3);
    assert_memory_equal(market_symbol(b->market, number)->name, "NEW     ", 8);
    apply(b, named(tick_add(1, 1, 'B', 10, 5000), "BBB     "));
    assert_int_equal(b->event.locate, 2);
    assert_int_equal(b->event.wire_locate, 1);
    assert_int_equal(market_touch(b->market, 2).bid_qty, 10);
    assert_int_equal(market_stats(b->market)->symbols, 3);
}

static void a_locate_that_was_not_named_on_the_day_is_no_symbol(void **state)
{
    bench_t *b = *state;
    apply(b, tick_directory(LOCATE));
    say(b, "O");
    assert_int_equal(market_number(b->market, LOCATE), 0);
    assert_int_equal(market_wire_locate(b->market, LOCATE), 0);
    assert_int_equal(market_number(b->market, 9), 9); /* that names nobody so far */
    assert_false(at(b, 9)->known);
}

static void two_locates_of_one_name_are_one_symbol(void **state)
{
    bench_t *b = *state;
    apply(b, tick_add(LOCATE, 1, 'B', 100, 5000));
    apply(b, named(tick_directory(9), "ACME    "));
    apply(b, named(tick_add(9, 2, 'S', 50, 5100), "ACME    "));
    assert_int_equal(b->event.locate, LOCATE);
    assert_int_equal(b->event.touch.bid_qty, 100);
    apply(b, tick_execute(9, 1, 40));
    assert_int_equal(b->event.removed_qty, 40);
    assert_int_equal(market_stats(b->market)->symbols, 1);
    assert_int_equal(market_stats(b->market)->foreign_locates, 0);
    assert_int_equal(market_wire_locate(b->market, LOCATE), LOCATE);
}

static void where_there_may_be_one_day_another_is_refused(void **state)
{
    (void)state;
    static const char *const first[] = {"O", ""};
    for (unsigned i = 0; i < 2; i++) {
        bench_t b = {0};
        const market_event_t *event;
        const market_limits_t limits = {.orders_max = 10, .levels_max = 10, .days = MARKET_ONE_DAY};
        assert_int_equal(market_create(&limits, &b.market, NULL), 0);
        say(&b, first[i]);
        apply(&b, tick_add(LOCATE, 1, 'B', 100, 5000));
        tick_t again = tick_system('O');
        assert_int_equal(market_apply(b.market, 9, &again, sizeof again, &event), -TBUS_ELIMIT);
        assert_non_null(strstr(market_limit_text(b.market), "day"));
        market_destroy(b.market);
    }
}

/* ---- phases and states */

static void phases_go_forward_alone(void **state)
{
    bench_t *b = *state;
    assert_true(market_is_open(b->market));
    static const struct {
        char code;
        uint8_t phase;
        bool open;
    } steps[] = {{'O', MARKET_PHASE_START, false},  {'S', MARKET_PHASE_SYSTEM, true},
                 {'M', MARKET_PHASE_AFTER, true},   {'Q', MARKET_PHASE_AFTER, true},
                 {'?', MARKET_PHASE_AFTER, true},   {'E', MARKET_PHASE_CLOSED, false},
                 {'S', MARKET_PHASE_CLOSED, false}, {'C', MARKET_PHASE_CLOSED, false},
                 {'O', MARKET_PHASE_START, false},  {'Q', MARKET_PHASE_MARKET, true}};
    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
        uint8_t before = market_day(b->market)->phase;
        apply(b, tick_system((uint8_t)steps[i].code));
        assert_int_equal(market_day(b->market)->phase, steps[i].phase);
        assert_int_equal(b->event.new_phase, before != steps[i].phase);
        assert_int_equal(market_is_open(b->market), steps[i].open);
    }
}

static void a_stock_missing_in_the_spin_of_a_full_day_is_halted(void **state)
{
    bench_t *b = *state;
    say(b, "O");
    apply(b, tick_directory(1));
    apply(b, tick_directory(2));
    apply(b, tick_trading(2, 'T'));
    assert_int_equal(at(b, 1)->trading, MARKET_TRADING_UNKNOWN); /* the spin may still come */
    say(b, "S");
    assert_int_equal(at(b, 1)->trading, MARKET_HALTED);
    assert_int_equal(at(b, 2)->trading, MARKET_TRADING);
    apply(b, tick_add(3, 1, 'B', 100, 5000)); /* nor was it in the directory */
    assert_int_equal(at(b, 3)->trading, MARKET_HALTED);
    apply(b, tick_trading(3, 'T'));
    assert_int_equal(at(b, 3)->trading, MARKET_TRADING);
}

static void a_day_without_a_directory_or_a_beginning_is_no_full_one(void **state)
{
    bench_t *b = *state;
    apply(b, tick_directory(1));
    say(b, "SQ"); /* begun in the middle */
    assert_int_equal(at(b, 1)->trading, MARKET_TRADING_UNKNOWN);
    say(b, "OSQ");
    apply(b, tick_add(2, 1, 'B', 100, 5000));
    apply(b, tick_directory(1)); /* behind the first order */
    assert_false(market_day(b->market)->full);
    assert_int_equal(at(b, 1)->trading, MARKET_TRADING_UNKNOWN);
    assert_int_equal(at(b, 2)->trading, MARKET_TRADING_UNKNOWN);
}

static void restriction_and_authenticity_are_known(void **state)
{
    bench_t *b = *state;
    tick_t y = named(tick_of('Y', LOCATE), "ACME    ");
    tick_t r = tick_directory(LOCATE);
    apply(b, r);
    assert_false(at(b, LOCATE)->test);
    assert_int_equal(at(b, LOCATE)->reg_sho, 0);
    y.body[8] = '2';
    apply(b, y);
    y.body[8] = '?';
    apply(b, y);
    assert_int_equal(at(b, LOCATE)->reg_sho, '2');
    r.body[ITCH_BODY_AT(STOCK_DIRECTORY, authenticity)] = 'T';
    apply(b, r);
    assert_true(at(b, LOCATE)->test);
}

/* ---- crosses */

static void executions_of_a_cross_are_marked(void **state)
{
    bench_t *b = *state;
    tick_t c = tick_of('C', LOCATE);
    c.order_ref = 1;
    c.qty = 10;
    c.px_e4 = 4900;
    c.printable = 'Y';
    apply(b, tick_add(LOCATE, 1, 'B', 100, 5000));
    apply(b, c);
    assert_true(b->event.executed);
    assert_false(b->event.in_cross);
    c.printable = 'N';
    apply(b, c);
    assert_true(b->event.executed && b->event.in_cross);
    apply(b, tick_execute(LOCATE, 1, 10));
    assert_false(b->event.in_cross);
    apply(b, tick_trading(LOCATE, 'Q'));
    apply(b, tick_execute(LOCATE, 1, 10));
    assert_true(b->event.in_cross);
    apply(b, tick_reduce(LOCATE, 1, 10));
    assert_false(b->event.in_cross);
}

/* ---- a directory that lies */

static void an_add_of_another_stock_goes_into_no_book(void **state)
{
    bench_t *b = *state;
    apply(b, tick_directory(LOCATE));
    apply(b, tick_add(LOCATE, 1, 'B', 100, 5000));
    apply(b, named(tick_add(LOCATE, 2, 'B', 100, 9000), "OTHER   "));
    assert_true(b->event.foreign);
    assert_int_equal(b->event.side, 0);
    assert_false(b->event.bbo_changed);
    assert_int_equal(market_touch(b->market, LOCATE).bid_px_e4, 5000);
    assert_int_equal(market_stats(b->market)->foreign_adds, 1);
    assert_true(at(b, LOCATE)->stale);
    apply(b, named(tick_directory(8), "OTHER   ")); /* it lacks that order */
    assert_true(at(b, 8)->stale);
    apply(b, named(tick_directory(9), "THIRD   "));
    assert_false(at(b, 9)->stale);
    say(b, "O");
    apply(b, tick_directory(LOCATE));
    assert_false(at(b, LOCATE)->stale);
}

static void administrative_messages_of_another_stock_change_nothing(void **state)
{
    bench_t *b = *state;
    static const uint8_t types[] = {'R', 'H', 'h', 'Y', 'P'};
    for (unsigned i = 0; i < sizeof types; i++) {
        say(b, "O");
        apply(b, tick_trading(LOCATE, 'T'));
        tick_t lie = named(tick_of(types[i], LOCATE), "OTHER   ");
        if (types[i] != 'P')
            lie.body[types[i] == 'R' ? 18 : 8] = types[i] == 'R' ? 'T' : 'H';
        if (types[i] == 'P')
            lie.px_e4 = 777;
        apply(b, lie);
        assert_true(b->event.foreign);
        assert_int_equal(market_stats(b->market)->foreign_locates, i + 1);
        assert_int_equal(at(b, LOCATE)->trading, MARKET_TRADING);
        assert_int_equal(at(b, LOCATE)->reg_sho, 0);
        assert_int_not_equal(at(b, LOCATE)->last_px_e4, 777);
        assert_false(at(b, LOCATE)->test);
        assert_true(at(b, LOCATE)->stale);
    }
}

static void locate_zero_for_everything_makes_no_book(void **state)
{
    bench_t *b = *state;
    apply(b, named(tick_directory(0), "AAA     "));
    apply(b, named(tick_add(0, 1, 'B', 100, 5000), "AAA     "));
    apply(b, tick_execute(0, 1, 100));
    assert_int_equal(market_stats(b->market)->symbols, 0);
    assert_int_equal(market_stats(b->market)->live_orders, 0);
    assert_int_equal(market_stats(b->market)->foreign_adds, 1);
    assert_int_equal(market_stats(b->market)->foreign_locates, 1);
    assert_int_equal(market_stats(b->market)->unknown_order_refs, 1);
    apply(b, named(tick_directory(5), "AAA     "));
    assert_true(at(b, 5)->stale);
}

static void names_beyond_all_numbers_are_foreign(void **state)
{
    bench_t *b = *state;
    char name[16];
    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t locate = 1; locate < 30000; locate++) {
            snprintf(name, sizeof name, "%u%c      ", locate, 'A' + (char)i);
            apply(b, named(tick_directory((uint16_t)locate), name));
        }
        say(b, "O");
    }
    assert_int_equal(market_stats(b->market)->foreign_locates, 3 * 29999 - 65535);
    apply(b, named(tick_directory(1), "1A      ")); /* who has one keeps it */
    assert_true(at(b, 1)->known);
}

/* ---- drawn at random, against a model */

typedef struct model_order {
    uint32_t qty; /* 0: there is none */
    uint32_t px_e4;
    uint8_t symbol; /* index of its name */
    uint8_t side;
} model_order_t;

typedef struct model_symbol {
    bool known, halted, stale, test;
    uint8_t state, reg_sho;
    uint16_t locate;
    uint32_t last_px_e4;
    market_touch_t kept;
} model_symbol_t;

#define NOBODY 255u

typedef struct model {
    uint8_t of_locate[ODD_LOCATES]; /* index of a name; NOBODY */
    model_symbol_t symbols[ODD_NAMES];
    model_order_t orders[ODD_REFS + 1];
    uint8_t phase;
    bool seen_o, seen_add, full;
    uint64_t foreign_adds, foreign_locates, unknown, duplicates, malformed, over;
    bool foreign, bbo_changed;
    uint8_t gap;
} model_t;

static uint8_t index_of(const char *name)
{
    for (uint8_t i = 0; i < ODD_NAMES; i++)
        if (memcmp(odd_names[i], name, 8) == 0)
            return i;
    fail();
    return 0;
}

static void model_lie(model_t *m, uint32_t locate, uint8_t name)
{
    m->foreign = true;
    if (m->of_locate[locate] != NOBODY)
        m->symbols[m->of_locate[locate]].stale = true;
    if (name != NOBODY && name != 0)
        m->symbols[name].stale = true;
}

/* The flow names nobody "spaces" first: a locate without a name stays out of the model. */
static bool model_claim(model_t *m, uint32_t locate, uint8_t name)
{
    if (locate == 0)
        return false;
    if (m->of_locate[locate] != NOBODY)
        return name == 0 || m->of_locate[locate] == name;
    m->of_locate[locate] = name;
    model_symbol_t *s = &m->symbols[name];
    if (!s->known)
        s->locate = (uint16_t)locate;
    s->known = true;
    return true;
}

static void model_day(model_t *m)
{
    for (uint32_t i = 0; i < ODD_NAMES; i++)
        m->symbols[i] = (model_symbol_t){.last_px_e4 = m->symbols[i].last_px_e4};
    memset(m->of_locate, NOBODY, sizeof m->of_locate);
    memset(m->orders, 0, sizeof m->orders);
    m->phase = MARKET_PHASE_UNKNOWN;
    m->gap = MARKET_GAP_NONE;
    m->seen_o = true;
    m->seen_add = m->full = false;
}

static void model_system(model_t *m, char code)
{
    static const char order[] = "?OSQME";
    if (code == 'O')
        model_day(m);
    for (uint8_t phase = 1; phase <= MARKET_PHASE_CLOSED; phase++)
        if (order[phase] == code && phase > m->phase)
            m->phase = phase;
}

static void model_state(model_t *m, const tick_t *t, uint32_t locate)
{
    uint8_t name = index_of((const char *)t->body), value = t->body[8], action = t->body[9];
    if (!model_claim(m, locate, name)) {
        m->foreign_locates++;
        model_lie(m, locate, name);
        return;
    }
    model_symbol_t *s = &m->symbols[m->of_locate[locate]];
    if (t->type == 'R') {
        s->test = s->locate == locate ? t->body[18] == 'T' : s->test;
        m->full |= m->seen_o && !m->seen_add;
    } else if (t->type == 'H' && value != '?') {
        s->state = value;
    } else if (t->type == 'h' && value == 'Q' && action != '?') {
        s->halted = action == 'H';
    } else if (t->type == 'Y' && value != '?') {
        s->reg_sho = value;
    }
}

static uint8_t model_trading(const model_t *m, const model_symbol_t *s)
{
    bool missing = m->full && m->phase >= MARKET_PHASE_SYSTEM && s->state == 0;
    if (s->halted || missing || (s->state && s->state != 'T'))
        return MARKET_HALTED;
    return s->state ? MARKET_TRADING : MARKET_TRADING_UNKNOWN;
}

static void model_add(model_t *m, const tick_t *t, uint32_t locate)
{
    uint8_t name = index_of(t->symbol);
    m->seen_add = true;
    if (!model_claim(m, locate, name)) {
        m->foreign_adds++;
        model_lie(m, locate, name);
    } else if ((t->side != 'B' && t->side != 'S') || t->qty == 0) {
        m->malformed++;
    } else if (m->orders[t->order_ref].qty) {
        m->duplicates++;
    } else {
        m->orders[t->order_ref] = (model_order_t){t->qty, t->px_e4, m->of_locate[locate], t->side};
    }
}

static void model_refer(model_t *m, const tick_t *t, uint32_t locate)
{
    model_order_t *o = &m->orders[t->order_ref], was = *o;
    bool known = was.qty != 0, foreign = known && m->of_locate[locate] != was.symbol;
    m->unknown += !known;
    if (foreign) {
        m->foreign_locates++;
        model_lie(m, locate, NOBODY);
        m->symbols[was.symbol].stale = true;
    } else if (known) {
        uint32_t qty = t->type == 'D' || t->type == 'U' ? was.qty : t->qty;
        m->over += qty > was.qty;
        o->qty -= qty > was.qty ? was.qty : qty;
        if (t->type == 'E' && qty != 0)
            m->symbols[was.symbol].last_px_e4 = was.px_e4;
        if (t->type == 'U' && t->qty == 0)
            m->malformed++;
        else if (t->type == 'U' && m->orders[t->new_ref].qty)
            m->duplicates++;
        else if (t->type == 'U')
            m->orders[t->new_ref] = (model_order_t){t->qty, t->px_e4, was.symbol, was.side};
    }
    if (t->type == 'C' && t->printable == 'Y' && !foreign && m->of_locate[locate] != NOBODY)
        m->symbols[m->of_locate[locate]].last_px_e4 = t->px_e4;
}

static void model_trade(model_t *m, const tick_t *t, uint32_t locate)
{
    uint8_t name = index_of(t->symbol), of = m->of_locate[locate];
    if (of != NOBODY && name != 0 && name != of) {
        m->foreign_locates++;
        model_lie(m, locate, name);
    } else if (of != NOBODY && (t->type == 'P' || t->qty64 != 0)) {
        m->symbols[of].last_px_e4 = t->px_e4;
    }
}

static market_touch_t model_touch(const model_t *m, uint8_t name)
{
    market_touch_t touch = {0};
    for (uint32_t ref = 1; ref <= ODD_REFS; ref++) {
        const model_order_t *o = &m->orders[ref];
        bool buys = o->side == 'B';
        if (o->qty == 0 || o->symbol != name)
            continue;
        uint32_t *px = buys ? &touch.bid_px_e4 : &touch.ask_px_e4;
        uint64_t *qty = buys ? &touch.bid_qty : &touch.ask_qty;
        if (*qty == 0 || (buys ? o->px_e4 > *px : o->px_e4 < *px)) {
            *px = o->px_e4;
            *qty = 0;
        }
        *qty += *px == o->px_e4 ? o->qty : 0;
    }
    return touch;
}

static void model_apply(model_t *m, const tick_t *t)
{
    uint32_t locate = tick_locate(t);
    m->foreign = m->bbo_changed = false;
    switch (t->type) {
    case 'S':
        model_system(m, (char)t->body[0]);
        return;
    case 'R':
    case 'H':
    case 'h':
    case 'Y':
        model_state(m, t, locate);
        return;
    case 'P':
    case 'Q':
        model_trade(m, t, locate);
        return;
    case TICK_GAP:
        if (m->gap != MARKET_GAP_BLOCK)
            m->gap = t->body[16] == TICK_GAP_WARN ? MARKET_GAP_WARN : MARKET_GAP_BLOCK;
        return;
    case 'A':
        model_add(m, t, locate);
        break;
    default:
        model_refer(m, t, locate);
    }
    if (m->of_locate[locate] == NOBODY)
        return;
    model_symbol_t *s = &m->symbols[m->of_locate[locate]];
    market_touch_t touch = model_touch(m, m->of_locate[locate]);
    m->bbo_changed = memcmp(&touch, &s->kept, sizeof touch) != 0;
    s->kept = touch;
}

static void same_as_model(const bench_t *b, const model_t *m)
{
    const market_stats_t *stats = market_stats(b->market);
    assert_int_equal(stats->foreign_adds, m->foreign_adds);
    assert_int_equal(stats->foreign_locates, m->foreign_locates);
    assert_int_equal(stats->unknown_order_refs, m->unknown);
    assert_int_equal(stats->duplicate_adds, m->duplicates);
    assert_int_equal(stats->malformed, m->malformed);
    assert_int_equal(stats->over_reductions, m->over);
    assert_int_equal(b->event.foreign, m->foreign);
    assert_int_equal(b->event.bbo_changed, m->bbo_changed);
    assert_int_equal(market_day(b->market)->phase, m->phase);
    assert_int_equal(market_day(b->market)->gap, m->gap);
    for (uint16_t locate = 1; locate < ODD_LOCATES; locate++) {
        const market_symbol_t *symbol = at(b, locate);
        uint8_t name = m->of_locate[locate];
        assert_int_equal(symbol->known, name != NOBODY);
        if (name == NOBODY)
            continue;
        const model_symbol_t *want = &m->symbols[name];
        market_touch_t touch = market_touch(b->market, market_number(b->market, locate));
        market_touch_t wanted = model_touch(m, name);
        assert_memory_equal(symbol->name, odd_names[name], 8);
        assert_memory_equal(&touch, &wanted, sizeof touch);
        assert_int_equal(symbol->trading, model_trading(m, want));
        assert_int_equal(symbol->stale, want->stale);
        assert_int_equal(symbol->test, want->test);
        assert_int_equal(symbol->reg_sho, want->reg_sho);
        assert_int_equal(symbol->wire_locate, want->locate);
        assert_int_equal(symbol->last_px_e4, want->last_px_e4);
    }
}

/* Each locate is named before it could be claimed without a name. */
static bool names_nobody(const model_t *m, const tick_t *t)
{
    return odd_names_nobody(t) && m->of_locate[tick_locate(t)] == NOBODY;
}

static void random_odd_flows_make_the_books_of_a_simple_model(void **state)
{
    bench_t *b = *state;
    model_t m = {0};
    memset(m.of_locate, NOBODY, sizeof m.of_locate);
    odd_flow_t flow = {.random = 20261129};
    for (uint32_t i = 0; i < 200000; i++) {
        flow.lies = i / 20000 % 2 ? 100 : 5;
        tick_t tick = odd_next(&flow);
        if (names_nobody(&m, &tick))
            continue;
        apply(b, tick);
        model_apply(&m, &tick);
        same_as_model(b, &m);
    }
    assert_true(market_day(b->market)->number > 50 && m.foreign_adds > 1000 &&
                m.foreign_locates > 1000);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_day_begins_with_empty_books_and_no_symbol),
        TEST(a_symbol_keeps_its_number_when_its_locate_changes),
        TEST(a_locate_that_was_not_named_on_the_day_is_no_symbol),
        TEST(two_locates_of_one_name_are_one_symbol),
        cmocka_unit_test(where_there_may_be_one_day_another_is_refused),
        TEST(phases_go_forward_alone),
        TEST(a_stock_missing_in_the_spin_of_a_full_day_is_halted),
        TEST(a_day_without_a_directory_or_a_beginning_is_no_full_one),
        TEST(restriction_and_authenticity_are_known),
        TEST(executions_of_a_cross_are_marked),
        TEST(an_add_of_another_stock_goes_into_no_book),
        TEST(administrative_messages_of_another_stock_change_nothing),
        TEST(locate_zero_for_everything_makes_no_book),
        TEST(names_beyond_all_numbers_are_foreign),
        TEST(random_odd_flows_make_the_books_of_a_simple_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
