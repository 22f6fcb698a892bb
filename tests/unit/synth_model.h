/* SPDX-License-Identifier: Apache-2.0 */
/* synth_model.h - the books of a synthetic feed as plain as can be, sharing no code with it: orders
 * by reference, and a list of the live ones of each stock. What a message must not do is asserted.
 */
#ifndef TICKBUS_TESTS_UNIT_SYNTH_MODEL_H
#define TICKBUS_TESTS_UNIT_SYNTH_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feedsim/synth/synth.h"

#define CENTS 40000u

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
    uint32_t symbols;
    uint32_t day; /* by so many places the locates have moved on */
    uint64_t refs;
    order_t *orders;
    book_t *books; /* by locate */
    uint64_t messages;
    uint64_t last_event_ns;
    uint64_t by_type[256];
    char system_codes[16];
} model_t;

static inline model_t *make_model(uint32_t symbols, uint64_t messages)
{
    model_t *m = calloc(1, sizeof(*m));
    m->symbols = symbols;
    m->refs = messages * 9;
    m->orders = calloc(m->refs, sizeof(order_t));
    m->books = calloc(symbols + 1, sizeof(book_t));
    return m;
}

static inline void free_model(model_t *m)
{
    free(m->orders);
    free(m->books);
    free(m);
}

static inline order_t *live_order(model_t *m, uint64_t ref, uint16_t locate)
{
    assert_in_range(ref, 1, m->refs - 1);
    order_t *o = &m->orders[ref];
    assert_true(o->qty > 0);
    assert_int_equal(o->locate, locate);
    return o;
}

static inline void model_add(model_t *m, uint64_t ref, uint16_t locate, uint8_t side, uint32_t qty,
                             uint32_t px_e4)
{
    assert_in_range(ref, 1, m->refs - 1);
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

static inline void model_reduce(model_t *m, uint64_t ref, uint16_t locate, uint32_t qty)
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
static inline void assert_first_in_line(const model_t *m, uint64_t ref)
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

static inline void look_at_touch(const model_t *m, book_t *b)
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

static inline void assert_named(const model_t *m, const tick_t *t)
{
    char name[32];
    snprintf(name, sizeof(name), "SYN%03u     ",
             (tick_locate(t) - 1 + m->symbols - m->day % m->symbols) % m->symbols + 1);
    assert_memory_equal(t->symbol, name, 8);
}

/* What a message does to orders; the side and price of an order are as it was added. */
static inline void model_orders(model_t *m, const tick_t *t)
{
    uint16_t locate = tick_locate(t);
    switch (t->type) {
    case 'A':
    case 'F':
        assert_named(m, t);
        assert_true(t->side == 'B' || t->side == 'S');
        model_add(m, t->order_ref, locate, t->side == 'S', t->qty, t->px_e4);
        break;
    case 'C':
    case 'E':
        live_order(m, t->order_ref, locate);
        assert_first_in_line(m, t->order_ref);
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
    default:
        return;
    }
    look_at_touch(m, &m->books[locate]);
}

/* What holds of each message, whatever its type. */
static inline void model_apply(model_t *m, const tick_t *t)
{
    assert_in_range(tick_locate(t), t->type == 'S' || t->type == 'V' ? 0 : 1, m->symbols);
    assert_true(tick_event_ns(t) >= m->last_event_ns);
    m->last_event_ns = tick_event_ns(t);
    m->by_type[t->type]++;
    m->messages++;
    if (t->type == 'S')
        m->system_codes[strlen(m->system_codes)] = (char)t->body[0];
    model_orders(m, t);
}

#endif
