/* SPDX-License-Identifier: Apache-2.0 */
/* Ticks that say where the books of their readers keep each order (bus/market/places.h), beside the
 * same ticks without that: whoever reads them has the same books, whatever the ticks are. */
#include "tests/unit/market_streams.h"

#include "bus/market/places.h"
#include "bus/market/view.h"
#include <tickbus/market/market.h>

#include "tests/support/odd_flow.h"
#include "tests/support/same_books.h"
#include "tests/support/ticks.h"

#define LOCATE     TICKS_ACME
#define BID        1000000u
#define ORDERS_MAX (1u << 16)

typedef struct beside {
    places_t *places;
    uint32_t places_max;
    market_t *plain;     /* of ticks without places */
    market_t *placed;    /* with them */
    market_t *on_demand; /* the same, and builds the books that are asked for */
    market_event_t plain_event, event;
    uint64_t by_place, by_table, forgot; /* messages, and times */
} beside_t;

static market_t *create_view(uint32_t orders_max)
{
    const market_limits_t limits = {.orders_max = orders_max, .levels_max = 4096};
    market_t *m = NULL;
    tbus_error_t err = {0};
    if (market_create(&limits, &m, &err) != 0)
        fail_msg("%s", err.text);
    return m;
}

static places_t *create_places(uint32_t orders_max, bool whole)
{
    places_t *places = NULL;
    tbus_error_t err = {0};
    if (places_create(orders_max, whole, &places, &err) != 0)
        fail_msg("%s", err.text);
    return places;
}

static beside_t open_beside(uint32_t orders_max, uint32_t places_max)
{
    beside_t b = {.places = create_places(places_max, true),
                  .places_max = places_max,
                  .plain = create_view(orders_max),
                  .placed = create_view(orders_max),
                  .on_demand = create_view(orders_max)};
    market_build_on_demand(b.on_demand);
    return b;
}

static void close_beside(beside_t *b)
{
    places_destroy(b->places);
    market_destroy(b->plain);
    market_destroy(b->placed);
    market_destroy(b->on_demand);
}

static int apply_to(market_t *m, const tick_t *tick, market_event_t *out_event)
{
    const market_event_t *event = NULL;
    int code = market_apply(m, market_seq(m) + 1, tick, sizeof *tick, &event);
    if (code == 0)
        *out_event = *event;
    return code;
}

static void same_stats(const market_t *a, const market_t *b, bool levels)
{
    market_stats_t one = *market_stats(a), other = *market_stats(b);
    if (!levels)
        one.live_levels = one.bbo_changes = other.live_levels = other.bbo_changes = 0;
    assert_memory_equal(&one, &other, sizeof one);
}

static void apply(beside_t *b, tick_t tick)
{
    market_event_t unseen;
    uint8_t was = b->placed->finds;
    if (tick.type == TICK_RESTORE && tick.body[0] == TICK_RESTORE_BEGINS) {
        places_destroy(b->places); /* another feed, which is not the first one */
        b->places = create_places(b->places_max, false);
    }
    assert_int_equal(apply_to(b->plain, &tick, &b->plain_event), 0);
    places_tell(b->places, &tick, sizeof tick);
    assert_int_equal(apply_to(b->placed, &tick, &b->event), 0);
    assert_int_equal(apply_to(b->on_demand, &tick, &unseen), 0);
    assert_memory_equal(&b->event, &b->plain_event, sizeof b->event);
    b->by_place += b->placed->finds == VIEW_BY_PLACE;
    b->by_table += b->placed->finds == VIEW_BY_TABLE;
    b->forgot += was == VIEW_BY_PLACE && b->placed->finds == VIEW_BY_TABLE;
}

static void ask(const beside_t *b, uint16_t wire_locate)
{
    same_stats(b->plain, b->placed, true);
    same_stats(b->plain, b->on_demand, false);
    same_orders(b->plain, b->placed, wire_locate);
    same_orders(b->plain, b->on_demand, wire_locate);
}

static tick_t restore_mark(uint8_t what)
{
    tick_t t;
    tick_restore_put(&t, 0, what);
    return t;
}

/* Now and then a snapshot begins, or ends, or was cut off. */
static tick_t odd_or_restored(odd_flow_t *flow)
{
    if (odd_below(flow, 300) == 0)
        return restore_mark((uint8_t)(TICK_RESTORE_BEGINS + odd_below(flow, 3)));
    return odd_next(flow);
}

/* The orders that were added last, so that most messages can refer to one of them under its own
 * locate, and new references are new. */
typedef struct tame {
    uint64_t refs[64];
    uint16_t locates[64];
    uint64_t next;
} tame_t;

static uint64_t tame_new(tame_t *tame, uint16_t locate)
{
    uint64_t ref = 1000 + tame->next++;
    tame->refs[ref % 64] = ref;
    tame->locates[ref % 64] = locate;
    return ref;
}

static void tame_down(tame_t *tame, odd_flow_t *flow, tick_t *tick)
{
    if (odd_below(flow, 20) == 0)
        return;
    if (strchr("ECXDU", tick->type)) {
        uint32_t at = odd_below(flow, 64);
        tick->order_ref = tame->refs[at];
        tick->intended = tick_pack(0, tame->locates[at]);
    }
    if (tick->type == 'A')
        tick->order_ref = tame_new(tame, tick_locate(tick));
    if (tick->type == 'U')
        tick->new_ref = tame_new(tame, tick_locate(tick));
}

static void ticks_that_no_exchange_would_send_make_the_same_books(void **state)
{
    (void)state;
    for (unsigned tamed = 0; tamed < 2; tamed++) {
        beside_t b = open_beside(ORDERS_MAX, ORDERS_MAX);
        odd_flow_t flow = {.random = 20261130 + tamed}, questions = {.random = 42};
        tame_t tame = {.next = 0};
        for (uint32_t i = 0; i < 150000; i++) {
            flow.lies = i / 10000 % 3 == 0 ? 0 : i / 10000 % 3 == 1 ? 5 : 100;
            tick_t tick = odd_or_restored(&flow);
            if (tamed)
                tame_down(&tame, &flow, &tick);
            apply(&b, tick);
            if (odd_below(&questions, 200) == 0)
                ask(&b, (uint16_t)odd_below(&questions, ODD_LOCATES));
        }
        same_books(b.plain, b.placed);
        same_books(b.plain, b.on_demand);
        print_message("  %llu ticks by place, %llu by table, %llu times from one to the other\n",
                      (unsigned long long)b.by_place, (unsigned long long)b.by_table,
                      (unsigned long long)b.forgot);
        assert_true(b.by_place > (tamed ? 30000 : 1000) && b.by_table > 10000 && b.forgot > 20);
        close_beside(&b);
    }
}

static snapshot_t *take(const market_t *m, const standing_t *standing)
{
    snapshot_t *s = NULL;
    tbus_error_t err = {0};
    if (snapshot_create(ORDERS_MAX, &s, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(snapshot_take(s, m, standing), 0);
    return s;
}

static void same_snapshots(const market_t *a, const market_t *b)
{
    standing_t *standing = NULL;
    assert_int_equal(standing_create(&standing, NULL), 0);
    snapshot_t *one = take(a, standing), *other = take(b, standing);
    same_snapshot(one, other);
    snapshot_destroy(one);
    snapshot_destroy(other);
    standing_destroy(standing);
}

static void same_over(const stream_t *s)
{
    beside_t b = open_beside(ORDERS_MAX, ORDERS_MAX);
    odd_flow_t questions = {.random = 7};
    uint64_t orders = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        orders += strchr("AFECXDU", s->ticks[i].type) != NULL;
        apply(&b, s->ticks[i]);
        if (odd_below(&questions, 500) == 0)
            ask(&b, tick_locate(&s->ticks[odd_below(&questions, i + 1)]));
    }
    same_books(b.plain, b.placed);
    same_books(b.plain, b.on_demand);
    same_snapshots(b.plain, b.placed);
    assert_int_equal(b.forgot, 0);
    if (orders != 0)
        assert_true(b.by_place > 0 && b.by_table == 0);
    close_beside(&b);
}

static void recorded_streams_are_gone_through_without_a_table(void **state)
{
    (void)state;
    if (!streams_recorded(50000, same_over))
        skip();
}

static void days_of_the_synthetic_market_too(void **state)
{
    (void)state;
    stream_synthetic("seed=3,symbols=100,messages=60000,days=2", 60000, same_over);
    stream_synthetic("seed=1,symbols=8,messages=30000,flow=plain", 30000, same_over);
}

/* A reader that joins late knows some of the orders alone, with places and without. */
static void a_reader_that_joins_late_knows_as_much(void **state)
{
    (void)state;
    odd_flow_t flow = {.random = 99};
    for (unsigned run = 0; run < 200; run++) {
        places_t *places = create_places(4096, run % 4 != 0);
        market_t *plain = create_view(4096), *placed = create_view(4096);
        market_event_t one, other;
        uint32_t joins = odd_below(&flow, 500);
        for (uint32_t i = 0; i < 1000; i++) {
            tick_t tick = odd_next(&flow), told = tick;
            places_tell(places, &told, sizeof told);
            if (i < joins)
                continue;
            assert_int_equal(apply_to(plain, &tick, &one), 0);
            assert_int_equal(apply_to(placed, &told, &other), 0);
            assert_memory_equal(&one, &other, sizeof one);
        }
        for (uint16_t locate = 0; locate < ODD_LOCATES; locate++)
            same_orders(plain, placed, locate);
        same_stats(plain, placed, true);
        places_destroy(places);
        market_destroy(plain);
        market_destroy(placed);
    }
}

static void a_feed_that_runs_out_of_places_leaves_the_looking_to_its_readers(void **state)
{
    (void)state;
    beside_t b = open_beside(64, 20);
    tick_t day = tick_of('S', 0);
    day.body[0] = 'O';
    for (unsigned days = 0; days < 3; days++) {
        apply(&b, day);
        for (uint32_t i = 1; i <= 30; i++) {
            apply(&b, tick_add(LOCATE, i, i % 2 ? 'B' : 'S', 100, BID + 100 * i));
            assert_int_equal(b.placed->finds, i <= 20 ? VIEW_BY_PLACE : VIEW_BY_TABLE);
        }
        for (uint32_t i = 1; i <= 30; i += 3)
            apply(&b, tick_delete(LOCATE, i));
        for (uint32_t i = 31; i <= 38; i++)
            apply(&b, tick_add(LOCATE, i, 'B', 100, BID - 100 * i));
        ask(&b, LOCATE);
    }
    assert_int_equal(b.forgot, 3);
    close_beside(&b);
}

/* Readers have orders of the feed before it, of which it knows nothing. */
static void a_feed_that_comes_later_gives_no_place_before_all_books_are_emptied(void **state)
{
    (void)state;
    market_t *plain = create_view(64), *placed = create_view(64);
    tick_t day = tick_of('S', 0), restore = restore_mark(TICK_RESTORE_BEGINS);
    day.body[0] = 'O';
    const tick_t ticks[] = {day, restore, tick_add(LOCATE, 1, 'B', 100, BID), day,
                            tick_execute(LOCATE, 1, 40)};
    for (uint32_t restarts_at = 0; restarts_at < 5; restarts_at++) {
        places_t *places = create_places(64, true);
        for (uint32_t i = 0; i < 5; i++) {
            market_event_t one, other;
            tick_t told = ticks[i];
            if (i == restarts_at) {
                places_destroy(places);
                places = create_places(64, i == 0);
            }
            places_tell(places, &told, sizeof told);
            assert_int_equal(apply_to(plain, &ticks[i], &one), 0);
            assert_int_equal(apply_to(placed, &told, &other), 0);
            assert_memory_equal(&one, &other, sizeof one);
        }
        same_stats(plain, placed, true);
        same_orders(plain, placed, LOCATE);
        assert_int_equal(placed->finds, restarts_at < 2 ? VIEW_BY_PLACE : VIEW_BY_TABLE);
        places_destroy(places);
    }
    market_destroy(plain);
    market_destroy(placed);
}

/* Each time costs every reader a walk. */
static void a_feed_to_which_it_happens_often_gives_no_more_places_at_all(void **state)
{
    (void)state;
    places_t *places = create_places(64, true);
    tick_t day = tick_of('S', 0);
    day.body[0] = 'O';
    for (uint32_t i = 0; i < 2 * PLACES_GIVEN_UP_MAX; i++) {
        tick_t add = tick_add(LOCATE, 1, 'B', 100, BID), again = add;
        places_tell(places, &day, sizeof day);
        places_tell(places, &add, sizeof add);
        assert_int_equal(tick_has_place(&add), i < PLACES_GIVEN_UP_MAX);
        places_tell(places, &again, sizeof again);
        assert_false(tick_has_place(&again));
    }
    places_destroy(places);
}

/* As a feed sends them that has all at hand; F has its place elsewhere. */
static void many_ticks_at_once_get_the_places_of_one_by_one(void **state)
{
    (void)state;
    odd_flow_t flow = {.random = 31};
    places_t *one = create_places(4096, true), *all = create_places(4096, true);
    tick_t ticks[16], want;
    tame_t tame = {.next = 0};
    uint64_t placed = 0;
    for (unsigned turn = 0; turn < 500; turn++) {
        for (unsigned i = 0; i < 16; i++) {
            ticks[i] = odd_next(&flow);
            tame_down(&tame, &flow, &ticks[i]);
            if (ticks[i].type == 'A' && odd_below(&flow, 2) == 0)
                ticks[i].type = 'F';
        }
        tick_t copy[16];
        memcpy(copy, ticks, sizeof copy);
        places_tell_all(all, copy, 16);
        for (unsigned i = 0; i < 16; i++) {
            want = ticks[i];
            places_tell(one, &want, sizeof want);
            assert_memory_equal(&copy[i], &want, sizeof want);
            placed += tick_has_place(&want) && tick_place(&want) != 0;
        }
        places_tell_all(NULL, copy, 16);
        for (unsigned i = 0; i < 16; i++)
            assert_false(strchr("AFECXDU", copy[i].type) && tick_has_place(&copy[i]));
    }
    assert_true(placed > 1000);
    places_destroy(one);
    places_destroy(all);
}

static void the_last_order_that_a_table_takes_is_the_same(void **state)
{
    (void)state;
    places_t *places = create_places(64, true);
    market_t *m = create_view(16);
    market_event_t event;
    for (uint32_t i = 1; i <= 17; i++) {
        tick_t tick = tick_add(LOCATE, i, 'B', 100, BID);
        places_tell(places, &tick, sizeof tick);
        assert_int_equal(apply_to(m, &tick, &event), i <= 16 ? 0 : -TBUS_ELIMIT);
    }
    assert_non_null(strstr(market_limit_text(m), "books.orders_max"));
    places_destroy(places);
    market_destroy(m);
}

static void a_tick_that_comes_with_a_place_of_another_feed_loses_it(void **state)
{
    (void)state;
    places_t *places = create_places(64, false);
    tick_t tick = tick_add(LOCATE, 1, 'B', 100, BID), want = tick;
    tick_place_put(&tick, 7);
    places_tell(places, &tick, sizeof tick); /* in mid-day it knows nothing */
    assert_memory_equal(&tick, &want, sizeof tick);
    tick_place_put(&tick, 7);
    places_tell(NULL, &tick, sizeof tick);
    assert_memory_equal(&tick, &want, sizeof tick);
    tick.type = want.type = 'F';
    memcpy(tick.mpid, "NITE", 4);
    memcpy(want.mpid, "NITE", 4);
    tick_place_put(&tick, 7);
    assert_int_equal(tick_place(&tick), 7);
    assert_memory_equal(tick.mpid, "NITE", 4);
    places_tell(NULL, &tick, sizeof tick);
    assert_memory_equal(&tick, &want, sizeof tick);
    places_destroy(places);
}

/* Somebody scribbles over places: books may be wrong then, but nothing beside them is touched, and
 * they are right again when the next day begins. */
static void places_that_are_nonsense_harm_nothing_but_the_day(void **state)
{
    (void)state;
    static const uint32_t nonsense[] = {0, 1, 2, 63, 64, 65, 1000, 1u << 31, UINT32_MAX};
    odd_flow_t flow = {.random = 5};
    places_t *places = create_places(64, true);
    market_t *m = create_view(64), *plain = create_view(64);
    market_event_t event;
    tick_t day = tick_of('S', 0);
    day.body[0] = 'O';
    for (uint32_t i = 0; i < 100000; i++) {
        tick_t tick = odd_next(&flow);
        places_tell(places, &tick, sizeof tick);
        if (tick_has_place(&tick) && tick.type != 'Q' && odd_below(&flow, 20) == 0)
            tick_place_put(&tick, nonsense[odd_below(&flow, 9)]);
        assert_int_equal(apply_to(m, &tick, &event), 0);
        assert_in_range(market_stats(m)->live_orders, 0, 64);
    }
    places_tell(places, &day, sizeof day);
    assert_int_equal(apply_to(m, &day, &event), 0);
    assert_int_equal(apply_to(plain, &day, &event), 0);
    assert_int_equal(market_stats(m)->live_orders, 0);
    for (uint32_t i = 1; i <= 64; i++) {
        tick_t tick = tick_add(LOCATE, i, 'B', 100, BID - 100 * (i % 5));
        assert_int_equal(apply_to(plain, &tick, &event), 0);
        places_tell(places, &tick, sizeof tick);
        assert_int_equal(apply_to(m, &tick, &event), 0);
    }
    assert_int_equal(market_stats(m)->live_orders, 64);
    for (uint32_t depth = 0; depth < 5; depth++) {
        uint32_t px[2] = {0}, orders[2] = {0};
        uint64_t qty[2] = {0};
        assert_true(market_level(m, market_number(m, LOCATE), 'B', depth, &px[0], &qty[0], orders));
        assert_true(market_level(plain, LOCATE, 'B', depth, &px[1], &qty[1], &orders[1]));
        assert_int_equal(px[0], px[1]);
        assert_int_equal(qty[0], qty[1]);
        assert_int_equal(orders[0], orders[1]);
    }
    places_destroy(places);
    market_destroy(m);
    market_destroy(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_that_no_exchange_would_send_make_the_same_books),
        cmocka_unit_test(recorded_streams_are_gone_through_without_a_table),
        cmocka_unit_test(days_of_the_synthetic_market_too),
        cmocka_unit_test(a_reader_that_joins_late_knows_as_much),
        cmocka_unit_test(a_feed_that_runs_out_of_places_leaves_the_looking_to_its_readers),
        cmocka_unit_test(a_feed_that_comes_later_gives_no_place_before_all_books_are_emptied),
        cmocka_unit_test(a_feed_to_which_it_happens_often_gives_no_more_places_at_all),
        cmocka_unit_test(many_ticks_at_once_get_the_places_of_one_by_one),
        cmocka_unit_test(the_last_order_that_a_table_takes_is_the_same),
        cmocka_unit_test(a_tick_that_comes_with_a_place_of_another_feed_loses_it),
        cmocka_unit_test(places_that_are_nonsense_harm_nothing_but_the_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
