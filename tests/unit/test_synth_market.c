/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tickbus/msg/itch_types.h>
#include "feedsim/itch/itch.h"
#include "feedsim/synth/synth.h"
#include "tests/unit/synth_model.h"

#define MS_NS     UINT64_C(1000000)
#define SECOND_NS UINT64_C(1000000000)
#define OPEN_NS   (34200 * SECOND_NS)
#define CLOSE_NS  (57600 * SECOND_NS)

/* Where a stock stands in its day, beside its book. */
typedef struct stock {
    char state;         /* of H; 0: none came */
    bool listed, sho;   /* R, Y came */
    char crossing;      /* a C N came whose Q did not */
    uint32_t cross_e4;  /* its price, */
    uint64_t cross_qty; /* and its shares so far */
    bool reopened;      /* a cross of halt came; T is next */
    uint64_t volume;    /* as the specification counts it: E, C Y, P, Q */
    unsigned opens, closes, reopens, halts;
} stock_t;

typedef struct match {
    uint16_t locate; /* 0: no such match */
    bool breakable, broken;
} match_t;

typedef struct checker {
    model_t *model;
    stock_t *stocks;
    match_t *matches;
    uint64_t match_last;
    uint64_t broken, not_printable;
} checker_t;

static checker_t make_checker(uint32_t symbols, uint64_t messages)
{
    return (checker_t){.model = make_model(symbols, messages),
                       .stocks = calloc(symbols + 1, sizeof(stock_t)),
                       .matches = calloc(messages + 1, sizeof(match_t))};
}

static void free_checker(checker_t *c)
{
    free_model(c->model);
    free(c->stocks);
    free(c->matches);
}

static char said_last(const checker_t *c)
{
    size_t count = strlen(c->model->system_codes);
    return count ? c->model->system_codes[count - 1] : 0;
}

static void new_match(checker_t *c, const tick_t *t, bool breakable)
{
    assert_true(t->match > c->match_last);
    c->match_last = t->match;
    c->matches[t->match] = (match_t){.locate = tick_locate(t), .breakable = breakable};
}

/* The continuous market: in system hours, in a stock that trades, and not amid its cross. */
static void check_trade(const checker_t *c, const stock_t *s)
{
    assert_non_null(strchr("SQM", said_last(c)));
    assert_int_equal(s->state, 'T');
    assert_false(s->reopened);
    assert_int_equal(s->crossing, 0);
}

static void check_execution(checker_t *c, const tick_t *t, stock_t *s)
{
    const order_t *o = live_order(c->model, t->order_ref, tick_locate(t));
    if (t->type == 'C' && t->printable == 'N') {
        c->not_printable++;
        /* one price for all, which is no worse for an order than its own */
        assert_true(!s->crossing || s->cross_e4 == t->px_e4);
        assert_true(o->side == 0 ? t->px_e4 <= o->cents * 100 : t->px_e4 >= o->cents * 100);
        s->crossing = 'N';
        s->cross_e4 = t->px_e4;
        s->cross_qty += t->qty;
        new_match(c, t, false);
        return;
    }
    check_trade(c, s);
    assert_true(t->type == 'E' || t->printable == 'Y');
    s->volume += t->qty;
    new_match(c, t, true);
}

static void check_hidden(checker_t *c, const tick_t *t, stock_t *s)
{
    const book_t *b = &c->model->books[tick_locate(t)];
    check_trade(c, s);
    assert_named(c->model, t);
    assert_true(t->order_ref == 0 && t->side == 'B');
    assert_in_range(t->px_e4, b->touch[0] * 100 + 1, b->touch[1] * 100 - 1);
    s->volume += t->qty;
    new_match(c, t, true);
}

static void check_cross(checker_t *c, const tick_t *t, stock_t *s)
{
    const book_t *b = &c->model->books[tick_locate(t)];
    assert_named(c->model, t);
    if (s->crossing)
        assert_int_equal(t->px_e4, s->cross_e4);
    /* nobody is left who would have traded at that price but those at the price itself */
    assert_true(b->touch[0] == 0 || b->touch[0] * 100 <= t->px_e4);
    assert_true(b->touch[1] == 0 || b->touch[1] * 100 >= t->px_e4);
    assert_true(t->qty64 >= s->cross_qty);
    if (t->aux == 'O') {
        assert_int_equal(said_last(c), 'Q');
        assert_int_equal(s->opens++, 0);
        assert_true(t->qty64 > 0);
    } else if (t->aux == 'C') {
        assert_int_equal(said_last(c), 'M');
        assert_int_equal(s->closes++, 0);
        /* a fraction of the day, not all of it once more */
        assert_true((t->qty64 - s->cross_qty) * 8 <= s->volume);
    } else {
        assert_int_equal(t->aux, 'H');
        assert_int_equal(s->state, 'Q');
        assert_true(t->qty64 > 0);
        s->reopened = true;
        s->reopens++;
    }
    s->volume += t->qty64;
    s->crossing = 0;
    s->cross_qty = 0;
    new_match(c, t, false);
}

static void check_broken(checker_t *c, const tick_t *t)
{
    assert_in_range(t->match, 1, c->match_last);
    match_t *m = &c->matches[t->match];
    assert_int_equal(m->locate, tick_locate(t));
    assert_true(m->breakable && !m->broken);
    m->broken = true;
    c->broken++;
}

static void check_state(checker_t *c, const tick_t *t, stock_t *s)
{
    char to = (char)t->body[ITCH_BODY_AT(STOCK_TRADING_ACTION, trading_state)];
    if (s->state == 0) { /* the spin: before system hours, after the directory */
        assert_int_equal(said_last(c), 'O');
        assert_true(s->listed && to == 'T');
    } else if (s->state == 'T') {
        assert_true(to == 'H' || to == 'P');
        assert_int_equal(said_last(c), 'Q');
        s->halts++;
    } else if (s->state == 'Q') {
        assert_true(to == 'T' && s->reopened);
    } else {
        assert_int_equal(to, 'Q');
    }
    s->state = to;
    s->reopened = false;
}

static void check(checker_t *c, const tick_t *t)
{
    stock_t *s = &c->stocks[tick_locate(t)];
    if (s->crossing) /* nothing comes between the orders of a cross and its Q */
        assert_true(t->type == 'C' || t->type == 'Q');
    switch (t->type) {
    case 'R':
        assert_int_equal(t->body[ITCH_BODY_AT(STOCK_DIRECTORY, authenticity)], 'P');
        assert_false(s->listed);
        s->listed = true;
        break;
    case 'Y':
        s->sho = true;
        break;
    case 'H':
        check_state(c, t, s);
        break;
    case 'A':
    case 'F':
        assert_non_null(strchr("SQM", said_last(c)));
        break;
    case 'E':
    case 'C':
        check_execution(c, t, s);
        break;
    case 'P':
        check_hidden(c, t, s);
        break;
    case 'Q':
        check_cross(c, t, s);
        break;
    case 'B':
        check_broken(c, t);
        break;
    default:
        break;
    }
    if (t->type == 'S' && t->body[0] == 'S')
        for (uint32_t locate = 1; locate <= c->model->symbols; locate++)
            assert_true(c->stocks[locate].state == 'T' && c->stocks[locate].sho);
    model_apply(c->model, t);
}

static synth_t *make_fast(uint64_t seed, uint32_t symbols, uint64_t messages, uint32_t days,
                          uint32_t speed)
{
    synth_params_t params = {.seed = seed,
                             .symbols = symbols,
                             .messages = messages,
                             .flow = SYNTH_MARKET,
                             .days = days,
                             .speed = speed};
    synth_t *s;
    tbus_error_t err = {0};
    if (synth_create(&params, &s, &err) != 0)
        fail_msg("%s", err.text);
    return s;
}

static synth_t *make_days(uint64_t seed, uint32_t symbols, uint64_t messages, uint32_t days)
{
    return make_fast(seed, symbols, messages, days, 1);
}

static synth_t *make(uint64_t seed, uint32_t symbols, uint64_t messages)
{
    return make_days(seed, symbols, messages, 1);
}

/* All of the next day; the caller frees what is known then. */
static checker_t check_day(synth_t *s, uint32_t day, uint32_t symbols, uint64_t messages)
{
    checker_t c = make_checker(symbols, messages);
    c.model->day = day;
    tick_t tick, again;
    uint8_t message[64];
    size_t bytes, tick_bytes;
    for (uint64_t i = 0; i < messages; i++) {
        assert_int_equal(synth_next(s, &tick), 1);
        check(&c, &tick);
        assert_int_equal(itch_encode(&tick, sizeof(tick), message, &bytes), 0);
        assert_int_equal(itch_decode(message, bytes, &again, &tick_bytes), 0);
        assert_memory_equal(&again, &tick, sizeof(tick));
    }
    assert_string_equal(c.model->system_codes, "OSQMEC");
    for (uint32_t locate = 1; locate <= symbols; locate++) {
        const stock_t *stock = &c.stocks[locate];
        assert_int_equal(stock->opens, 1);
        assert_int_equal(stock->closes, 1);
        assert_int_equal(stock->halts, stock->reopens);
        assert_int_equal(stock->state, 'T');
    }
    return c;
}

static checker_t check_session(uint64_t seed, uint32_t symbols, uint64_t messages)
{
    tick_t tick;
    synth_t *s = make(seed, symbols, messages);
    checker_t c = check_day(s, 0, symbols, messages);
    assert_int_equal(synth_next(s, &tick), 0);
    synth_destroy(s);
    return c;
}

static void several_days_are_whole_ones_with_other_locates(void **state)
{
    (void)state;
    tick_t tick;
    synth_t *s = make_days(4, 5, 60002, 3);
    for (uint32_t day = 0; day < 3; day++) {
        checker_t c = check_day(s, day, 5, day == 0 ? 20002 : 20000);
        assert_true(c.model->by_type['E'] > 100);
        free_checker(&c);
    }
    assert_int_equal(synth_next(s, &tick), 0);
    synth_destroy(s);
}

/* From 03:00 to 20:05 it would take 61,500 seconds. */
static void days_that_pass_faster_are_whole_ones_around_the_open(void **state)
{
    (void)state;
    static const uint32_t speeds[] = {7, 2000, SYNTH_SPEED_MAX};
    for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
        tick_t tick;
        synth_t *s = make_fast(3, 8, 80000, 2, speeds[i]);
        for (uint32_t day = 0; day < 2; day++) {
            checker_t c = check_day(s, day, 8, 40000);
            free_checker(&c);
        }
        assert_int_equal(synth_next(s, &tick), 0);
        synth_destroy(s);
        uint64_t begin_ns = 0, open_ns = 0;
        s = make_fast(3, 8, 40000, 1, speeds[i]);
        while (synth_next(s, &tick)) {
            begin_ns = begin_ns ? begin_ns : tick_event_ns(&tick);
            if (tick.type == 'S' && tick.body[0] == 'Q')
                open_ns = tick_event_ns(&tick);
        }
        synth_destroy(s);
        assert_int_equal(open_ns, UINT64_C(34200000000000));
        uint64_t span_ns = tick_event_ns(&tick) - begin_ns;
        assert_in_range(span_ns, (UINT64_C(61500000000000) - 1000) / speeds[i] - 2,
                        UINT64_C(61500000000000) / speeds[i] + 2);
    }
}

static void every_message_of_a_day_obeys_the_protocol(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed;
        uint32_t symbols;
        uint64_t messages;
    } days[] = {{1, 5, 200000}, {7, 8, 100000}, {UINT64_MAX, 40, 60000}};
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
        checker_t c = check_session(days[i].seed, days[i].symbols, days[i].messages);
        for (const char *type = "SVRHYLIQAFECXDUPNBJ"; *type; type++)
            if (c.model->by_type[(uint8_t)*type] == 0)
                fail_msg("seed %llu: no %c", (unsigned long long)days[i].seed, *type);
        assert_true(c.not_printable >= days[i].symbols);
        free_checker(&c);
    }
}

static void a_day_has_as_many_messages_as_asked_for_however_few(void **state)
{
    (void)state;
    uint64_t least = synth_messages_min(3);
    for (uint64_t more = 0; more < 5000; more += more < 300 ? 1 : 113) {
        checker_t c = check_session(more, 3, least + more);
        free_checker(&c);
    }
}

static void there_can_be_eleven_thousand_stocks(void **state)
{
    (void)state;
    uint64_t messages = synth_messages_min(SYNTH_SYMBOLS_MAX) + 60000;
    checker_t c = check_session(5, SYNTH_SYMBOLS_MAX, messages);
    unsigned traded = 0;
    for (uint32_t locate = 1; locate <= SYNTH_SYMBOLS_MAX; locate++)
        traded += c.model->books[locate].live_max > 0;
    assert_true(traded > 1000);
    free_checker(&c);
}

static void the_same_seed_gives_the_same_bytes_on_every_host(void **state)
{
    (void)state;
    synth_t *s = make(1, 8, 30000);
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a, 64 bits */
    tick_t tick;
    uint8_t message[64];
    size_t bytes;
    while (synth_next(s, &tick) == 1) {
        assert_int_equal(itch_encode(&tick, sizeof(tick), message, &bytes), 0);
        for (size_t i = 0; i < bytes; i++)
            hash = (hash ^ message[i]) * UINT64_C(0x100000001b3);
    }
    synth_destroy(s);
    print_message("hash of seed 1: %016llx\n", (unsigned long long)hash);
    assert_true(hash == UINT64_C(0x8305216fb70a735b));
}

/* Of the trading of a day: how it lies in time. */
typedef struct rhythm {
    unsigned half_hours[48];
    unsigned bursts; /* windows of 10 ms with at least ten times the mean, */
    unsigned wide;   /* and those in which three stocks or more had messages */
    unsigned widest; /* messages of the largest */
    unsigned idle;   /* gaps of 30 times the mean */
} rhythm_t;

static void end_window(rhythm_t *r, unsigned count, uint64_t stocks, uint64_t mean_ns)
{
    if (count < 5 || count * mean_ns < 100 * MS_NS)
        return;
    r->bursts++;
    r->wide += __builtin_popcountll(stocks) >= 3;
    r->widest = count > r->widest ? count : r->widest;
}

static rhythm_t rhythm_of(uint64_t seed, uint64_t messages)
{
    rhythm_t r = {0};
    uint64_t mean_ns = (CLOSE_NS - OPEN_NS) / messages, last_ns = OPEN_NS, window = 0, stocks = 0;
    unsigned count = 0;
    synth_t *s = make(seed, 8, messages);
    tick_t tick;
    while (synth_next(s, &tick) == 1) {
        uint64_t now_ns = tick_event_ns(&tick);
        if (!strchr("AFECXDUP", tick.type))
            continue;
        r.half_hours[now_ns / (1800 * SECOND_NS)]++;
        if (now_ns < OPEN_NS || now_ns >= CLOSE_NS || tick.printable == 'N')
            continue;
        r.idle += now_ns - last_ns > 30 * mean_ns;
        last_ns = now_ns;
        if (now_ns / (10 * MS_NS) != window) {
            end_window(&r, count, stocks, mean_ns);
            window = now_ns / (10 * MS_NS);
            count = 0;
            stocks = 0;
        }
        count++;
        stocks |= UINT64_C(1) << tick_locate(&tick);
    }
    synth_destroy(s);
    return r;
}

static void a_day_is_u_shaped_with_bursts_over_several_stocks_and_idle_phases(void **state)
{
    (void)state;
    rhythm_t r = rhythm_of(3, 200000);
    print_message(
        "10 ms with ten times the mean: %u, of three stocks or more %u, at most %u messages; "
        "gaps of 30 times the mean: %u\n",
        r.bursts, r.wide, r.widest, r.idle);
    assert_true(r.half_hours[19] > r.half_hours[25] * 3 / 2); /* 09:30, 12:30 */
    assert_true(r.half_hours[31] > r.half_hours[25] * 3 / 2); /* 15:30 */
    assert_true(r.half_hours[18] > r.half_hours[12]);         /* 09:00, 06:00 */
    assert_true(r.bursts > 100);
    assert_true(r.wide > 20);
    assert_true(r.widest > 40);
    assert_true(r.idle > 50);
}

static void a_market_without_an_end_comes_up_to_the_close_and_not_to_it(void **state)
{
    (void)state;
    synth_t *s = make(1, 3, 0);
    tick_t tick;
    uint64_t last_ns = 0;
    for (unsigned i = 0; i < 300000; i++) {
        assert_int_equal(synth_next(s, &tick), 1);
        assert_true(tick_event_ns(&tick) >= last_ns);
        last_ns = tick_event_ns(&tick);
    }
    assert_in_range(last_ns, 14400 * SECOND_NS, CLOSE_NS);
    synth_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_of_a_day_obeys_the_protocol),
        cmocka_unit_test(a_day_has_as_many_messages_as_asked_for_however_few),
        cmocka_unit_test(several_days_are_whole_ones_with_other_locates),
        cmocka_unit_test(days_that_pass_faster_are_whole_ones_around_the_open),
        cmocka_unit_test(there_can_be_eleven_thousand_stocks),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes_on_every_host),
        cmocka_unit_test(a_day_is_u_shaped_with_bursts_over_several_stocks_and_idle_phases),
        cmocka_unit_test(a_market_without_an_end_comes_up_to_the_close_and_not_to_it),
    };
    return cmocka_run_group_tests_name("synth_market", tests, NULL, NULL);
}
