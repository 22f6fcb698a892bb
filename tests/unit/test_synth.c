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

#define SYMBOLS  5u
#define MESSAGES 200000u
#define REFS     (MESSAGES * 9u)
#define CENTS    40000u

/* A book as plain as can be, sharing no code with the ladder: orders by reference, and a list of
 * the live ones per symbol. */
typedef struct order {
    uint32_t qty; /* 0: never seen or gone */
    uint32_t cents;
    uint16_t locate;
    uint8_t side; /* 0 bid, 1 ask */
    bool used;
    uint64_t since; /* message that gave it its place in the queue */
} order_t;

typedef struct book {
    uint32_t live[SYNTH_ORDERS_MAX]; /* references */
    uint32_t live_count;
    uint32_t live_max;
    uint32_t touch[2]; /* cents; 0: none */
    uint32_t touch_min[2], touch_max[2];
    uint64_t touch_changes;
    uint64_t executions;
} book_t;

typedef struct model {
    order_t *orders;
    book_t *books; /* by locate */
    uint64_t messages;
    uint64_t last_event_ns;
    uint64_t by_type[256];
    char system_codes[16];
} model_t;

static model_t *make_model(void)
{
    model_t *m = calloc(1, sizeof(*m));
    m->orders = calloc(REFS, sizeof(order_t));
    m->books = calloc(SYMBOLS + 1, sizeof(book_t));
    return m;
}

static void free_model(model_t *m)
{
    free(m->orders);
    free(m->books);
    free(m);
}

static order_t *live_order(model_t *m, uint64_t ref, uint16_t locate)
{
    assert_in_range(ref, 1, REFS - 1);
    order_t *o = &m->orders[ref];
    assert_true(o->qty > 0);
    assert_int_equal(o->locate, locate);
    return o;
}

static void model_add(model_t *m, uint64_t ref, uint16_t locate, uint8_t side, uint32_t qty,
                      uint32_t px_e4)
{
    assert_in_range(ref, 1, REFS - 1);
    assert_in_range(px_e4, 100, (CENTS - 1) * 100);
    assert_int_equal(px_e4 % 100, 0);
    assert_in_range(qty, 1, 1000000);
    order_t *o = &m->orders[ref];
    assert_false(o->used);
    *o = (order_t){.qty = qty,
                   .cents = px_e4 / 100,
                   .locate = locate,
                   .side = side,
                   .used = true,
                   .since = m->messages};
    book_t *b = &m->books[locate];
    assert_true(b->live_count < SYNTH_ORDERS_MAX);
    b->live[b->live_count++] = (uint32_t)ref;
    if (b->live_count > b->live_max)
        b->live_max = b->live_count;
}

static void model_reduce(model_t *m, uint64_t ref, uint16_t locate, uint32_t qty)
{
    order_t *o = live_order(m, ref, locate);
    assert_in_range(qty, 1, o->qty);
    book_t *b = &m->books[locate];
    o->qty -= qty;
    if (o->qty > 0)
        return;
    uint32_t i = 0;
    while (b->live[i] != ref)
        i++;
    b->live[i] = b->live[--b->live_count];
}

/* An execution takes the best level's oldest order. */
static void assert_first_in_line(const model_t *m, uint64_t ref)
{
    const order_t *o = &m->orders[ref];
    const book_t *b = &m->books[o->locate];
    assert_int_equal(o->cents, b->touch[o->side]);
    for (uint32_t i = 0; i < b->live_count; i++) {
        const order_t *other = &m->orders[b->live[i]];
        if (other->side == o->side && other->cents == o->cents)
            assert_true(other->since >= o->since);
    }
}

static void look_at_touch(const model_t *m, book_t *b)
{
    uint32_t bid = 0, ask = 0;
    for (uint32_t i = 0; i < b->live_count; i++) {
        const order_t *o = &m->orders[b->live[i]];
        if (o->side == 0 && o->cents > bid)
            bid = o->cents;
        if (o->side == 1 && (ask == 0 || o->cents < ask))
            ask = o->cents;
    }
    const uint32_t now[2] = {bid, ask};
    for (int side = 0; side < 2; side++) {
        if (now[side] && (!b->touch_min[side] || now[side] < b->touch_min[side]))
            b->touch_min[side] = now[side];
        if (now[side] > b->touch_max[side])
            b->touch_max[side] = now[side];
        b->touch_changes += now[side] != b->touch[side];
        b->touch[side] = now[side];
    }
    if (bid && ask)
        assert_true(bid < ask);
}

static void assert_named(const tick_t *t)
{
    char name[9];
    snprintf(name, sizeof(name), "SYN%03u  ", tick_locate(t) % 1000u);
    assert_memory_equal(t->symbol, name, 8);
}

static void model_apply(model_t *m, const tick_t *t)
{
    uint16_t locate = tick_locate(t);
    assert_in_range(locate, t->type == 'S' || t->type == 'V' ? 0 : 1, SYMBOLS);
    assert_true(tick_event_ns(t) >= m->last_event_ns);
    m->last_event_ns = tick_event_ns(t);
    m->by_type[t->type]++;
    m->messages++;
    switch (t->type) {
    case 'S':
        m->system_codes[strlen(m->system_codes)] = (char)t->body[0];
        return;
    case 'A':
    case 'F':
        assert_named(t);
        assert_true(t->side == 'B' || t->side == 'S');
        model_add(m, t->order_ref, locate, t->side == 'S', t->qty, t->px_e4);
        break;
    case 'C':
        assert_true(t->printable == 'Y' || t->printable == 'N');
        assert_true(t->px_e4 > 0);
        /* fall through */
    case 'E':
        live_order(m, t->order_ref, locate);
        assert_first_in_line(m, t->order_ref);
        assert_true(t->match > 0);
        m->books[locate].executions++;
        model_reduce(m, t->order_ref, locate, t->qty);
        break;
    case 'X':
        assert_true(t->qty < live_order(m, t->order_ref, locate)->qty);
        model_reduce(m, t->order_ref, locate, t->qty);
        break;
    case 'D':
        model_reduce(m, t->order_ref, locate, live_order(m, t->order_ref, locate)->qty);
        break;
    case 'U': {
        order_t old = *live_order(m, t->order_ref, locate);
        model_reduce(m, t->order_ref, locate, old.qty);
        model_add(m, t->new_ref, locate, old.side, t->qty, t->px_e4);
        break;
    }
    case 'P':
        assert_named(t);
        assert_in_range(t->px_e4, m->books[locate].touch[0] * 100 + 1,
                        m->books[locate].touch[1] * 100 - 1);
        return;
    default:
        return;
    }
    look_at_touch(m, &m->books[locate]);
}

static synth_t *make(uint64_t seed, uint32_t symbols, uint64_t messages)
{
    synth_params_t params = {.seed = seed, .symbols = symbols, .messages = messages};
    synth_t *s;
    tbus_error_t err = {0};
    if (synth_create(&params, &s, &err) != 0)
        fail_msg("%s", err.text);
    return s;
}

static void run_and_check(uint64_t seed)
{
    model_t *m = make_model();
    synth_t *s = make(seed, SYMBOLS, MESSAGES);
    tick_t tick, again;
    uint8_t message[64];
    size_t bytes, tick_bytes;
    while (synth_next(s, &tick) == 1) {
        model_apply(m, &tick);
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

/* The bytes of seed 1, as of the first version: whatever compiler, host or later change must not
 * alter them unnoticed. */
static void seed_one_gives_the_bytes_that_it_always_gave(void **state)
{
    (void)state;
    synth_t *s = make(1, 8, 20000);
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
    assert_true(hash == UINT64_C(0x2a4e71308307f801));
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
    static const synth_params_t wrong[] = {{1, 0, 1000}, {1, SYNTH_SYMBOLS_MAX + 1, 0}, {1, 8, 10}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        synth_t *s;
        tbus_error_t err;
        assert_int_equal(synth_create(&wrong[i], &s, &err), -TBUS_ECONFIG);
    }
    synth_t *s = make(1, SYNTH_SYMBOLS_MAX, synth_messages_min(SYNTH_SYMBOLS_MAX) + 1000);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_flow_is_valid_its_books_never_lock_or_cross_and_prices_move),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes_and_another_one_others),
        cmocka_unit_test(seed_one_gives_the_bytes_that_it_always_gave),
        cmocka_unit_test(a_session_can_be_as_short_as_its_frame_or_have_no_end),
        cmocka_unit_test(parameters_out_of_range_are_refused),
        cmocka_unit_test(time_comes_up_to_the_close_and_never_past_it),
        cmocka_unit_test(the_ladder_keeps_best_levels_and_time_order),
    };
    return cmocka_run_group_tests_name("synth", tests, NULL, NULL);
}
