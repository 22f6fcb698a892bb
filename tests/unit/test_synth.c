/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feedsim/itch/itch.h"
#include "feedsim/synth/ladder.h"
#include "feedsim/synth/synth.h"
#include "feedsim/synth/synth_flow.h"
#include "tests/unit/synth_model.h"

#define SYMBOLS  5u
#define MESSAGES 200000u

/* What the plain flow keeps beside. */
static void check_plain(const model_t *m, const tick_t *t)
{
    const book_t *b = &m->books[tick_locate(t)];
    if (t->type == 'C') {
        assert_true(t->printable == 'Y' || t->printable == 'N');
        assert_true(t->px_e4 > 0);
    }
    if (t->type == 'C' || t->type == 'E')
        assert_true(t->match > 0);
    if (t->type == 'P') {
        assert_named(m, t);
        assert_in_range(t->px_e4, b->touch[0] * 100 + 1, b->touch[1] * 100 - 1);
    }
}

static synth_t *make(uint64_t seed, uint32_t symbols, uint64_t messages)
{
    synth_params_t params = {
        .seed = seed, .symbols = symbols, .messages = messages, .flow = SYNTH_PLAIN};
    synth_t *s;
    tbus_error_t err = {0};
    if (synth_create(&params, &s, &err) != 0)
        fail_msg("%s", err.text);
    return s;
}

static void run_and_check(uint64_t seed)
{
    model_t *m = make_model(SYMBOLS, MESSAGES);
    synth_t *s = make(seed, SYMBOLS, MESSAGES);
    tick_t tick, again;
    uint8_t message[64];
    size_t bytes, tick_bytes;
    while (synth_next(s, &tick) == 1) {
        model_apply(m, &tick);
        check_plain(m, &tick);
        assert_int_equal(itch_encode(&tick, sizeof(tick), message, &bytes), 0);
        assert_int_equal(itch_decode(message, bytes, &again, &tick_bytes), 0);
        assert_memory_equal(&again, &tick, sizeof(tick));
    }
    assert_int_equal(synth_next(s, &tick), 0);
    assert_int_equal(m->messages, MESSAGES);
    assert_string_equal(m->system_codes, "OSQMEC");
    for (const char *type = "SVRHYIQAFECXDUPLNB"; *type; type++)
        assert_true(m->by_type[(uint8_t)*type] > 0);
    assert_int_equal(m->by_type['R'], SYMBOLS);
    for (uint32_t locate = 1; locate <= SYMBOLS; locate++) {
        const book_t *b = &m->books[locate];
        assert_in_range(b->live_max, 100, 1000); /* well below the limit */
        assert_true(b->executions > 100);
        assert_true(b->touch_changes > 500);
        for (int side = 0; side < 2; side++)
            assert_true(b->touch_max[side] - b->touch_min[side] >= 10);
    }
    synth_destroy(s);
    free_model(m);
}

static void the_flow_is_valid_its_books_never_lock_or_cross_and_prices_move(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {1, 7, UINT64_MAX};
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
        run_and_check(seeds[i]);
}

static void the_same_seed_gives_the_same_bytes_and_another_one_others(void **state)
{
    (void)state;
    synth_t *a = make(42, 8, 100000), *b = make(42, 8, 100000), *c = make(43, 8, 100000);
    tick_t ta, tb, tc;
    unsigned different = 0, count = 0;
    while (synth_next(a, &ta) == 1) {
        assert_int_equal(synth_next(b, &tb), 1);
        assert_int_equal(synth_next(c, &tc), 1);
        assert_memory_equal(&ta, &tb, sizeof(ta));
        different += memcmp(&ta, &tc, sizeof(ta)) != 0;
        count++;
    }
    assert_int_equal(synth_next(b, &tb), 0);
    assert_int_equal(count, 100000);
    assert_true(different > count / 2);
    synth_destroy(a);
    synth_destroy(b);
    synth_destroy(c);
}

static uint64_t hash_of(uint64_t seed, uint32_t symbols, uint64_t messages, uint64_t count)
{
    synth_t *s = make(seed, symbols, messages);
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a, 64 bits */
    tick_t tick;
    uint8_t message[64];
    size_t bytes;
    for (; count > 0; count--) {
        assert_int_equal(synth_next(s, &tick), 1);
        assert_int_equal(itch_encode(&tick, sizeof(tick), message, &bytes), 0);
        for (size_t i = 0; i < bytes; i++)
            hash = (hash ^ message[i]) * UINT64_C(0x100000001b3);
    }
    synth_destroy(s);
    print_message("hash of seed %llu: %016llx\n", (unsigned long long)seed,
                  (unsigned long long)hash);
    return hash;
}

/* As of the version that had no other flow: whatever compiler, host or later change must not alter
 * them. */
static void the_plain_flow_has_the_bytes_that_it_always_had(void **state)
{
    (void)state;
    assert_true(hash_of(1, 8, 20000, 20000) == UINT64_C(0x2a4e71308307f801));
    assert_true(hash_of(7, 20, 300000, 300000) == UINT64_C(0x1b50dc724196b127));
    assert_true(hash_of(3, 999, 10000, 10000) == UINT64_C(0x5b57020dfefc5dbb));
    assert_true(hash_of(UINT64_MAX, 1, 0, 200000) == UINT64_C(0x5f6af9c67fc7cefb));
}

static void a_session_can_be_as_short_as_its_frame_or_have_no_end(void **state)
{
    (void)state;
    tick_t tick;
    uint64_t least = synth_messages_min(3), count = 0;
    synth_t *s = make(1, 3, least);
    while (synth_next(s, &tick) == 1)
        count++;
    assert_int_equal(count, least);
    synth_destroy(s);
    s = make(1, 3, 0);
    for (count = 0; count < 1500000; count++)
        assert_int_equal(synth_next(s, &tick), 1);
    assert_true(tick.type != 'S');
    synth_destroy(s);
}

static void parameters_out_of_range_are_refused(void **state)
{
    (void)state;
    static const synth_params_t wrong[] = {{1, 0, SYNTH_PLAIN, 1000, 0, 0},
                                           {1, SYNTH_PLAIN_SYMBOLS_MAX + 1, SYNTH_PLAIN, 0, 0, 0},
                                           {1, 8, SYNTH_PLAIN, 10, 0, 0},
                                           {1, 8, SYNTH_PLAIN, 1000, 2, 0},
                                           {1, 0, SYNTH_MARKET, 1000, 0, 0},
                                           {1, SYNTH_SYMBOLS_MAX + 1, SYNTH_MARKET, 0, 0, 0},
                                           {1, 8, SYNTH_MARKET, 10, 0, 0},
                                           {1, 8, SYNTH_MARKET, 100, 2, 0},
                                           {1, 8, SYNTH_MARKET, 0, 2, 0},
                                           {1, 8, SYNTH_MARKET, UINT64_MAX, SYNTH_DAYS_MAX + 1, 0},
                                           {1, 8, SYNTH_MARKET, 1000, 1, SYNTH_SPEED_MAX + 1}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        synth_t *s;
        tbus_error_t err;
        assert_int_equal(synth_create(&wrong[i], &s, &err), -TBUS_ECONFIG);
    }
    synth_t *s =
        make(1, SYNTH_PLAIN_SYMBOLS_MAX, synth_messages_min(SYNTH_PLAIN_SYMBOLS_MAX) + 1000);
    tick_t tick;
    while (synth_next(s, &tick) == 1)
        ;
    synth_destroy(s);
}

static void time_comes_up_to_the_close_and_never_past_it(void **state)
{
    (void)state;
    synth_flow_t f;
    synth_flow_init(&f, 5);
    f.now_ns = SYNTH_CLOSE_NS - UINT64_C(2000000000);
    uint64_t last = f.now_ns;
    for (unsigned i = 0; i < 2000000; i++) {
        synth_flow_advance(&f);
        assert_true(f.now_ns >= last && f.now_ns <= SYNTH_CLOSE_NS);
        last = f.now_ns;
    }
    assert_true(f.now_ns > SYNTH_CLOSE_NS - UINT64_C(1000000000));
}

static void the_ladder_keeps_best_levels_and_time_order(void **state)
{
    (void)state;
    ladder_t *l = malloc(sizeof(*l));
    ladder_init(l);
    assert_int_equal(ladder_first(l, LADDER_BID), LADDER_NONE);
    assert_int_equal(ladder_first(l, LADDER_ASK), LADDER_NONE);
    uint16_t a = ladder_add(l, LADDER_BID, 0, 1, 100);
    uint16_t b = ladder_add(l, LADDER_BID, 500, 2, 100);
    uint16_t c = ladder_add(l, LADDER_BID, 500, 3, 100);
    uint16_t d = ladder_add(l, LADDER_ASK, 501, 4, 100);
    uint16_t e = ladder_add(l, LADDER_ASK, LADDER_LEVELS - 1, 5, 100);
    uint16_t f = ladder_add(l, LADDER_BID, 500, 6, 100);
    assert_int_equal(ladder_first(l, LADDER_BID), b);
    assert_int_equal(ladder_first(l, LADDER_ASK), d);
    ladder_reduce(l, b, 99);
    assert_int_equal(ladder_first(l, LADDER_BID), b);
    ladder_remove(l, c); /* from the middle of the queue */
    ladder_reduce(l, b, 1);
    assert_int_equal(ladder_first(l, LADDER_BID), f);
    ladder_remove(l, f);
    assert_int_equal(ladder_first(l, LADDER_BID), a);
    assert_int_equal(l->best[LADDER_BID], 0);
    ladder_remove(l, d);
    assert_int_equal(ladder_first(l, LADDER_ASK), e);
    ladder_remove(l, e);
    ladder_remove(l, a);
    assert_int_equal(l->live, 0);
    assert_int_equal(l->best[LADDER_BID], LADDER_NO_BID);
    assert_int_equal(l->best[LADDER_ASK], LADDER_NO_ASK);
    for (unsigned i = 0; i < LADDER_ORDERS_MAX; i++) /* every place can be used again */
        ladder_add(l, i % 2 ? LADDER_ASK : LADDER_BID, i % 2 ? 600 : 400, i + 1, 1);
    for (unsigned i = 0; i < LADDER_ORDERS_MAX / 2; i++) {
        assert_int_equal(l->orders[ladder_first(l, LADDER_ASK)].ref, 2 * i + 2);
        ladder_remove(l, ladder_first(l, LADDER_ASK));
    }
    assert_int_equal(l->count[LADDER_BID], LADDER_ORDERS_MAX / 2);
    assert_int_equal(l->count[LADDER_ASK], 0);
    free(l);
}

static void the_ladder_says_where_the_nth_order_of_a_side_stands(void **state)
{
    (void)state;
    ladder_t *l = malloc(sizeof(*l));
    ladder_init(l);
    static const int bids[] = {500, 499, 500, 300}, asks[] = {700, 501, 1023, 501};
    for (unsigned i = 0; i < 4; i++) {
        ladder_add(l, LADDER_BID, bids[i], i + 1, 1);
        ladder_add(l, LADDER_ASK, asks[i], i + 11, 1);
    }
    static const int in_order[2][4] = {{500, 500, 499, 300}, {501, 501, 700, 1023}};
    for (uint32_t n = 0; n < 4; n++) {
        assert_int_equal(ladder_level_of(l, LADDER_BID, n), in_order[LADDER_BID][n]);
        assert_int_equal(ladder_level_of(l, LADDER_ASK, n), in_order[LADDER_ASK][n]);
    }
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_flow_is_valid_its_books_never_lock_or_cross_and_prices_move),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes_and_another_one_others),
        cmocka_unit_test(the_plain_flow_has_the_bytes_that_it_always_had),
        cmocka_unit_test(a_session_can_be_as_short_as_its_frame_or_have_no_end),
        cmocka_unit_test(parameters_out_of_range_are_refused),
        cmocka_unit_test(time_comes_up_to_the_close_and_never_past_it),
        cmocka_unit_test(the_ladder_keeps_best_levels_and_time_order),
        cmocka_unit_test(the_ladder_says_where_the_nth_order_of_a_side_stands),
    };
    return cmocka_run_group_tests_name("synth", tests, NULL, NULL);
}
