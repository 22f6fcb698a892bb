/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/market/snapshot.h"
#include "bus/market/standing.h"
#include "feedsim/source/source.h"
#include <tickbus/market/market.h>
#include <tickbus/msg/itch_types.h>

#include "tests/market_data.h"
#include "tests/support/same_books.h"
#include "tests/support/odd_flow.h"
#include "tests/support/ticks.h"

#define LOCATE     7
#define TICKS_MAX  200000u
#define ORDERS_MAX 20000u
#define LEVELS_MAX 20000u
#define PLACES     6u /* of each feed */

/* ---- a market view with its keeper */

typedef struct view {
    market_t *market;
    standing_t *standing;
    uint64_t seq;
} view_t;

static view_t view_of(uint32_t orders_max)
{
    view_t v = {0};
    market_limits_t limits = {.orders_max = orders_max, .levels_max = LEVELS_MAX};
    assert_int_equal(market_create(&limits, &v.market, NULL), 0);
    assert_int_equal(standing_create(&v.standing, NULL), 0);
    return v;
}

static void view_free(view_t *v)
{
    market_destroy(v->market);
    standing_destroy(v->standing);
}

static market_event_t give_at(view_t *v, uint64_t seq, const tick_t *tick)
{
    const market_event_t *event = NULL;
    v->seq = seq;
    assert_int_equal(market_apply(v->market, seq, tick, sizeof *tick, &event), 0);
    standing_keep(v->standing, event, tick, sizeof *tick);
    return *event;
}

static market_event_t give(view_t *v, tick_t tick)
{
    return give_at(v, v->seq + 1, &tick);
}

static snapshot_t *taken(const view_t *v)
{
    snapshot_t *s;
    assert_int_equal(snapshot_create(ORDERS_MAX, &s, NULL), 0);
    assert_int_equal(snapshot_take(s, v->market, v->standing), 0);
    assert_int_equal(snapshot_md_seq(s), v->seq);
    return s;
}

/* A market view made of the snapshot alone; the last of its ticks has the sequence `seq`. */
static view_t restored(const snapshot_t *s, uint64_t seq)
{
    view_t v = view_of(ORDERS_MAX);
    uint32_t count = snapshot_count(s);
    assert_true(count <= seq);
    for (uint32_t i = 0; i < count; i++) {
        tick_t tick;
        snapshot_tick(s, i, &tick);
        assert_int_equal(tick_intended_ns(&tick), 0);
        give_at(&v, seq - count + 1 + i, &tick);
    }
    v.seq = seq;
    return v;
}

static void same_snapshots(const view_t *a, const view_t *b)
{
    snapshot_t *of_a = taken(a), *of_b = taken(b);
    same_snapshot(of_a, of_b);
    snapshot_destroy(of_a);
    snapshot_destroy(of_b);
}

/* ---- whole sessions */

typedef struct session {
    tick_t *ticks;
    uint32_t count;
    uint64_t *place_of; /* by sequence in the session: that of the order's A */
} session_t;

static session_t session_of(const char *spec)
{
    session_t s = {.ticks = malloc(TICKS_MAX * sizeof(tick_t)),
                   .place_of = malloc((TICKS_MAX + 1) * sizeof(uint64_t))};
    tick_t *tick = aligned_alloc(64, (TICK_LEN_MAX + 63) / 64 * 64);
    feed_source_t *source;
    size_t bytes;
    assert_true(s.ticks && s.place_of && tick);
    assert_int_equal(feed_source_open(spec, FEED_CLOCK_MARKET, &source, NULL), 0);
    while (s.count < TICKS_MAX && feed_source_next(source, tick, &bytes) == FEED_SOURCE_TICK)
        s.ticks[s.count++] = *tick;
    feed_source_close(source);
    free(tick);
    assert_true(s.count > 500);
    return s;
}

static void session_free(session_t *s)
{
    free(s->ticks);
    free(s->place_of);
}

/* One tick behind the place `at` has told `whole` and `part`: the same, but for the sequences of
 * orders that came from the snapshot, which are those of their places in it. */
static void same_event(session_t *s, uint32_t at, market_event_t whole, market_event_t part)
{
    uint64_t seq = whole.removed_added_seq;
    if (seq != 0 && seq <= at) {
        assert_true(part.removed_added_seq <= at);
        assert_true(s->place_of[seq] == 0 || s->place_of[seq] == part.removed_added_seq);
        s->place_of[seq] = part.removed_added_seq;
        part.removed_added_seq = seq;
    }
    assert_memory_equal(&whole, &part, sizeof whole);
}

static void places_rise(const session_t *s, uint32_t at)
{
    uint64_t last = 0;
    for (uint32_t seq = 1; seq <= at; seq++) {
        if (s->place_of[seq] == 0)
            continue;
        assert_true(s->place_of[seq] > last);
        last = s->place_of[seq];
    }
}

static void same_from(session_t *s, uint32_t at)
{
    view_t whole = view_of(ORDERS_MAX);
    for (uint32_t i = 0; i < at; i++)
        give(&whole, s->ticks[i]);
    snapshot_t *snapshot = taken(&whole);
    view_t part = restored(snapshot, at);
    same_books(whole.market, part.market);
    memset(s->place_of, 0, (at + 1) * sizeof *s->place_of);
    for (uint32_t i = at; i < s->count; i++) {
        market_event_t of_whole = give(&whole, s->ticks[i]);
        same_event(s, at, of_whole, give(&part, s->ticks[i]));
    }
    places_rise(s, at);
    same_books(whole.market, part.market);
    same_snapshots(&whole, &part);
    snapshot_destroy(snapshot);
    view_free(&whole);
    view_free(&part);
}

static void same_from_anywhere(const char *spec)
{
    session_t s = session_of(spec);
    srand(1);
    printf("%s: %u messages, split at", spec, s.count);
    for (uint32_t i = 0; i < PLACES; i++) {
        uint32_t at = (uint32_t)rand() % s.count;
        printf(" %u", at);
        fflush(stdout);
        same_from(&s, at);
    }
    printf("\n");
    same_from(&s, 0);
    same_from(&s, s.count);
    session_free(&s);
}

static void snapshot_and_rest_of_an_invented_session_are_the_whole(void **state)
{
    (void)state;
    same_from_anywhere("synth:seed=1,messages=30000");
    same_from_anywhere("synth:seed=2,symbols=1,messages=20000");
    same_from_anywhere("synth:seed=3,symbols=200,messages=40000");
}

static void snapshot_and_rest_of_a_recorded_session_are_the_whole(void **state)
{
    (void)state;
    static const char *const names[] = {
        "itch_aapl_20200130_5k/aapl_5k.itch", "itch_day_start_1k/day_start_1k.itch",
        "itch_ritch_artificial_12k/ritch_12k.itch", "cme_es_mbo_20240508/esm4.itch.gz"};
    unsigned found = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[MARKET_DATA_PATH_MAX], spec[MARKET_DATA_PATH_MAX + 8];
        if (!market_data_path(names[i], path))
            continue;
        found++;
        snprintf(spec, sizeof spec, "itch:%s", path);
        same_from_anywhere(spec);
    }
    if (found == 0)
        skip();
}

/* ---- by hand */

typedef struct hand {
    view_t view;
    snapshot_t *snapshot;
} hand_t;

static int setup(void **state)
{
    static hand_t h;
    h = (hand_t){.view = view_of(ORDERS_MAX)};
    *state = &h;
    return 0;
}

static int teardown(void **state)
{
    hand_t *h = *state;
    view_free(&h->view);
    snapshot_destroy(h->snapshot);
    return 0;
}

static void take(hand_t *h)
{
    snapshot_destroy(h->snapshot);
    h->snapshot = taken(&h->view);
}

static tick_t tick_at(const hand_t *h, uint32_t index)
{
    tick_t tick;
    snapshot_tick(h->snapshot, index, &tick);
    return tick;
}

static void an_empty_market_gives_an_empty_snapshot(void **state)
{
    hand_t *h = *state;
    take(h);
    assert_int_equal(snapshot_count(h->snapshot), 0);
    assert_int_equal(snapshot_md_seq(h->snapshot), 0);
}

static void an_order_has_what_is_left_and_the_time_of_its_add(void **state)
{
    hand_t *h = *state;
    tick_t first = tick_add(LOCATE, 1, 'S', 500, 10000);
    first.event = tick_pack(34200000000001, 12);
    give(&h->view, first);
    tick_t execute = tick_execute(LOCATE, 1, 200);
    execute.event = tick_pack(34200000000002, 13);
    give(&h->view, execute);
    take(h);
    assert_int_equal(snapshot_count(h->snapshot), 1);
    tick_t tick = tick_at(h, 0), want = first;
    want.qty = 300;
    assert_memory_equal(&tick, &want, sizeof tick);
}

static void a_replaced_order_stands_behind_those_that_came_before_the_replace(void **state)
{
    hand_t *h = *state;
    give(&h->view, tick_add(LOCATE, 1, 'B', 100, 10000));
    give(&h->view, tick_add(LOCATE, 2, 'B', 100, 10000));
    tick_t replace = tick_replace(LOCATE, 1, 3, 70, 10000);
    replace.event = tick_pack(5, 6);
    give(&h->view, replace);
    give(&h->view, tick_add(LOCATE, 4, 'B', 100, 10000));
    give(&h->view, tick_delete(LOCATE, 99)); /* not known */
    take(h);
    assert_int_equal(snapshot_count(h->snapshot), 3);
    static const uint64_t refs[] = {2, 3, 4};
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(tick_at(h, i).order_ref, refs[i]);
    assert_int_equal(tick_at(h, 1).qty, 70);
    assert_int_equal(tick_at(h, 1).event, tick_pack(5, 6));
}

static tick_t halt(uint8_t market, uint8_t action)
{
    tick_t t = tick_of(ITCH_OPERATIONAL_HALT, LOCATE);
    memcpy(t.body, "ACME    ", 8);
    t.body[ITCH_BODY_AT(OPERATIONAL_HALT, market_code)] = market;
    t.body[ITCH_BODY_AT(OPERATIONAL_HALT, operational_halt_action)] = action;
    return t;
}

static void halts_hold_whatever_came_behind_them_that_lifts_none(void **state)
{
    hand_t *h = *state;
    give(&h->view, tick_trading(LOCATE, 'T'));
    give(&h->view, tick_trading(LOCATE, 'P'));
    give(&h->view, tick_trading(LOCATE, '?'));
    give(&h->view, tick_trading(LOCATE + 1, 'T'));
    give(&h->view, halt('B', 'H'));
    give(&h->view, halt('Q', 'H'));
    give(&h->view, halt('B', 'T'));
    give(&h->view, halt('Q', '?'));
    take(h);
    assert_int_equal(snapshot_count(h->snapshot), 4); /* P, T, T of B, H of Q */
    view_t part = restored(h->snapshot, h->view.seq);
    same_books(h->view.market, part.market);
    assert_int_equal(market_symbol(part.market, LOCATE)->trading, MARKET_HALTED);
    give(&part, tick_trading(LOCATE, 'T'));
    assert_int_equal(market_symbol(part.market, LOCATE)->trading, MARKET_HALTED); /* by h */
    give(&part, halt('Q', 'T'));
    assert_int_equal(market_symbol(part.market, LOCATE)->trading, MARKET_TRADING);
    view_free(&part);
}

static void of_each_kind_the_last_one_is_kept_as_it_came(void **state)
{
    hand_t *h = *state;
    static const uint8_t kinds[] = {'S', 'V', 'W', 'R', 'H', 'Y', 'K', 'J'};
    static const uint8_t phases[] = {'S', 'Q', 'M'};
    tick_t last[sizeof kinds];
    give(&h->view, tick_add(LOCATE, 1, 'B', 100, 10000));
    for (uint8_t round = 1; round <= 3; round++)
        for (uint32_t i = sizeof kinds; i-- > 0;) {
            tick_t *tick = &last[i];
            *tick = tick_of(kinds[i], i < 3 ? 0 : LOCATE);
            memset(tick->body, 'a' + round, itch_length(kinds[i]) - TICK_ITCH_HEADER);
            if (i >= 3)
                tick_name(LOCATE, tick->body);
            if (kinds[i] == 'S')
                tick->body[0] = phases[round - 1];
            if (kinds[i] == 'H')
                tick->body[ITCH_BODY_AT(STOCK_TRADING_ACTION, trading_state)] = 'H';
            if (kinds[i] == 'Y')
                tick->body[ITCH_BODY_AT(REG_SHO_RESTRICTION, reg_sho_action)] = '1';
            tick->event = tick_pack(1000 + round, round);
            tick_t sent = *tick;
            sent.intended = tick_pack(77, tick_locate(tick));
            give(&h->view, sent);
        }
    static const uint8_t passing[] = {'L', 'I', 'N', 'O', 'P', 'Q', 'B'};
    for (uint32_t i = 0; i < sizeof passing; i++)
        give(&h->view, tick_of(passing[i], LOCATE));
    take(h);
    assert_int_equal(snapshot_count(h->snapshot), sizeof kinds + 1);
    for (uint32_t i = 0; i < sizeof kinds; i++) {
        tick_t tick = tick_at(h, i);
        assert_memory_equal(&tick, &last[i], sizeof tick);
    }
    assert_int_equal(tick_at(h, sizeof kinds).type, 'A');
    assert_memory_equal(tick_at(h, sizeof kinds).symbol, "ACME    ", 8);
}

static void a_short_message_is_not_kept(void **state)
{
    hand_t *h = *state;
    tick_t tick = tick_of('S', 0);
    const market_event_t event = {.new_phase = true};
    standing_keep(h->view.standing, &event, &tick, TICK_BODY_OFFSET);
    take(h);
    assert_int_equal(snapshot_count(h->snapshot), 0);
}

/* The order table is between two sizes after 1,024 orders; sequences far apart have many digits. */
static void orders_come_by_age_in_whatever_places_of_the_table_they_are(void **state)
{
    hand_t *h = *state;
    uint64_t seq = UINT64_C(1) << 40;
    srand(7);
    for (uint32_t i = 1; i <= 1100; i++) {
        tick_t tick = tick_add(LOCATE, i, 'B', i, 10000 + i % 13);
        seq += 1 + (uint64_t)rand() % 3 * ((uint64_t)1 << (rand() % 40));
        give_at(&h->view, seq, &tick);
    }
    take(h);
    assert_int_equal(snapshot_count(h->snapshot), 1100);
    for (uint32_t i = 0; i < 1100; i++) {
        assert_int_equal(tick_at(h, i).order_ref, i + 1);
        assert_int_equal(tick_at(h, i).qty, i + 1);
        assert_int_equal(tick_at(h, i).px_e4, 10000 + (i + 1) % 13);
    }
}

/* Events name symbols by numbers, which may differ where days have gone by. */
static void same_odd_event(const view_t *a, const market_event_t *of_a, const view_t *b,
                           const market_event_t *of_b)
{
    const market_symbol_t *in_a = market_symbol(a->market, of_a->locate);
    const market_symbol_t *in_b = market_symbol(b->market, of_b->locate);
    same_symbol(in_a, in_b);
    market_event_t plain_a = *of_a, plain_b = *of_b;
    plain_a.locate = plain_b.locate = 0;
    plain_a.removed_added_seq = plain_b.removed_added_seq = 0;
    assert_memory_equal(&plain_a, &plain_b, sizeof plain_a);
}

/* Nothing that would make a locate known without a name. */
static tick_t odd_next_for(const view_t *v, odd_flow_t *flow)
{
    for (;;) {
        tick_t tick = odd_next(flow);
        uint16_t number = market_number(v->market, tick_locate(&tick));
        if (!odd_names_nobody(&tick) || market_symbol(v->market, number)->known)
            return tick;
    }
}

static void of_random_odd_flows_snapshot_and_rest_are_the_whole(void **state)
{
    hand_t *h = *state;
    odd_flow_t flow = {.random = 14};
    for (uint32_t round = 0; round < 60; round++) {
        flow.lies = round % 2 ? 100 : 5;
        for (uint32_t i = 0; i < 300; i++)
            give(&h->view, odd_next_for(&h->view, &flow));
        take(h);
        view_t part = restored(h->snapshot, h->view.seq);
        market_end_warm_up(part.market);
        market_end_warm_up(h->view.market);
        same_books(h->view.market, part.market);
        for (uint32_t i = 0; i < 100; i++) {
            tick_t tick = odd_next_for(&h->view, &flow);
            market_event_t whole = give(&h->view, tick);
            market_event_t rest = give(&part, tick);
            same_odd_event(&h->view, &whole, &part, &rest);
        }
        same_books(h->view.market, part.market);
        view_free(&part);
    }
}

/* One view lacks messages; then the books of the other are given to it between two marks. */
static void after_a_gap_a_snapshot_makes_the_books_whole(void **state)
{
    hand_t *h = *state;
    odd_flow_t flow = {.random = 41, .lies = 5};
    view_t part = view_of(ORDERS_MAX);
    tick_t mark;
    for (uint32_t round = 0; round < 60; round++) {
        for (uint32_t i = 0; i < 200; i++) {
            tick_t tick = odd_next_for(&h->view, &flow);
            bool lost = i >= 150 && tick.type != 'S';
            give(&h->view, tick);
            if (!lost)
                give(&part, tick);
        }
        tick_gap_put(&mark, 0, &(tick_gap_t){.from = 150, .to = 199});
        give(&part, mark);
        assert_int_equal(market_day(part.market)->gap, MARKET_GAP_BLOCK);
        take(h);
        tick_restore_put(&mark, 0, TICK_RESTORE_BEGINS);
        give(&part, mark);
        assert_int_equal(market_stats(part.market)->live_orders, 0);
        for (uint32_t i = 0; i < snapshot_count(h->snapshot); i++) {
            tick_t tick;
            snapshot_tick(h->snapshot, i, &tick);
            give(&part, tick);
        }
        tick_restore_put(&mark, 0, TICK_RESTORE_ENDS);
        give(&part, mark);
        assert_int_equal(market_day(part.market)->restored_seq, part.seq);
        market_end_warm_up(part.market);
        market_end_warm_up(h->view.market);
        same_books(h->view.market, part.market);
    }
    view_free(&part);
}

static void what_was_taken_stays_while_the_market_goes_on(void **state)
{
    hand_t *h = *state;
    give(&h->view, tick_trading(LOCATE, 'T'));
    give(&h->view, tick_add(LOCATE, 1, 'B', 100, 10000));
    take(h);
    give(&h->view, tick_trading(LOCATE, 'H'));
    give(&h->view, tick_delete(LOCATE, 1));
    give(&h->view, tick_add(LOCATE, 2, 'B', 100, 10000));
    assert_int_equal(snapshot_md_seq(h->snapshot), 2);
    assert_int_equal(snapshot_count(h->snapshot), 2);
    assert_int_equal(tick_at(h, 0).body[8], 'T');
    assert_int_equal(tick_at(h, 1).order_ref, 1);
    assert_int_equal(snapshot_take(h->snapshot, h->view.market, h->view.standing), 0);
    assert_int_equal(tick_at(h, 0).body[8], 'H');
    assert_int_equal(tick_at(h, 1).order_ref, 2);
}

static void more_orders_than_fit_leave_the_snapshot_empty(void **state)
{
    hand_t *h = *state;
    snapshot_t *small;
    assert_int_equal(snapshot_create(2, &small, NULL), 0);
    for (uint64_t ref = 1; ref <= 3; ref++) {
        assert_int_equal(snapshot_take(small, h->view.market, h->view.standing), 0);
        assert_int_equal(snapshot_count(small), ref - 1);
        give(&h->view, tick_add(LOCATE, ref, 'B', 100, 10000));
    }
    assert_int_equal(snapshot_take(small, h->view.market, h->view.standing), -TBUS_ELIMIT);
    assert_int_equal(snapshot_count(small), 0);
    snapshot_destroy(small);
}

static void a_market_with_a_hole_gives_no_snapshot(void **state)
{
    (void)state;
    view_t v = view_of(2);
    snapshot_t *s;
    const market_event_t *event;
    assert_int_equal(snapshot_create(2, &s, NULL), 0);
    for (uint64_t ref = 1; ref <= 2; ref++)
        give(&v, tick_add(LOCATE, ref, 'B', 100, 10000));
    tick_t third = tick_add(LOCATE, 3, 'B', 100, 10000);
    assert_int_equal(market_apply(v.market, 3, &third, sizeof third, &event), -TBUS_ELIMIT);
    assert_int_equal(snapshot_take(s, v.market, v.standing), -TBUS_ELIMIT);
    snapshot_destroy(s);
    view_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snapshot_and_rest_of_an_invented_session_are_the_whole),
        cmocka_unit_test(snapshot_and_rest_of_a_recorded_session_are_the_whole),
        cmocka_unit_test_setup_teardown(an_empty_market_gives_an_empty_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(an_order_has_what_is_left_and_the_time_of_its_add, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_replaced_order_stands_behind_those_that_came_before_the_replace, setup, teardown),
        cmocka_unit_test_setup_teardown(halts_hold_whatever_came_behind_them_that_lifts_none, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(of_each_kind_the_last_one_is_kept_as_it_came, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_short_message_is_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(orders_come_by_age_in_whatever_places_of_the_table_they_are,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(of_random_odd_flows_snapshot_and_rest_are_the_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(after_a_gap_a_snapshot_makes_the_books_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_was_taken_stays_while_the_market_goes_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(more_orders_than_fit_leave_the_snapshot_empty, setup,
                                        teardown),
        cmocka_unit_test(a_market_with_a_hole_gives_no_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
