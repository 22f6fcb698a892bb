/* SPDX-License-Identifier: Apache-2.0 */
/* lives.h - what a stream says of each displayed order, from the stream alone: no code of the books
 * or of the venue model has a part in it. For tests that hold these against what happened.
 *
 * An order is named by the index of the message that displayed it (A, F, or the U that gave it its
 * place).
 */
#ifndef TICKBUS_TESTS_UNIT_LIVES_H
#define TICKBUS_TESTS_UNIT_LIVES_H

#include "tests/unit/market_streams.h"

#define LIVES_NONE UINT32_MAX

/* One message of a stream. */
typedef struct life {
    uint32_t of;   /* order that it concerns (E C X D U); LIVES_NONE: none that is displayed */
    uint32_t left; /* shares that this order displays before it */
    uint32_t off;  /* shares that it takes off it */
    uint32_t qty;  /* shares of the order that it displays itself; 0: it displays none */
    uint32_t px_e4;
    uint32_t now;    /* shares that this order displays where lives_step has come to */
    uint32_t before; /* of its stock, displayed before it and still: a list; LIVES_NONE: the end */
    uint32_t after;
    uint16_t locate;
    uint8_t side;
    bool halted; /* its stock is halted, or the system closed, after it */
    bool traded; /* something of the order that it displays is executed at the order's own price */
} life_t;

typedef struct lives {
    const stream_t *stream;
    life_t *at;      /* by index of the message */
    uint32_t *last;  /* by locate: the latest order that is displayed */
    uint32_t *place; /* hash table of references: index of the order + 1 */
    uint8_t *state;  /* by locate: of the last H; 0: none */
    uint32_t mask;
    bool closed;
} lives_t;

static inline uint64_t lives_ref(const lives_t *l, uint32_t order)
{
    const tick_t *t = &l->stream->ticks[order];
    return t->type == 'U' ? t->new_ref : t->order_ref;
}

/* Where a reference is, or could be. Places of orders that are gone stay taken. */
static inline uint32_t *lives_place(lives_t *l, uint64_t ref)
{
    uint32_t at = (uint32_t)(ref * UINT64_C(0x9e3779b97f4a7c15) >> 32) & l->mask;
    while (l->place[at] != 0 && lives_ref(l, l->place[at] - 1) != ref)
        at = (at + 1) & l->mask;
    return &l->place[at];
}

static inline void lives_link(lives_t *l, uint32_t order)
{
    life_t *o = &l->at[order];
    o->before = l->last[o->locate];
    o->after = LIVES_NONE;
    if (o->before != LIVES_NONE)
        l->at[o->before].after = order;
    l->last[o->locate] = order;
}

static inline void lives_unlink(lives_t *l, uint32_t order)
{
    life_t *o = &l->at[order];
    if (o->before != LIVES_NONE)
        l->at[o->before].after = o->after;
    if (o->after != LIVES_NONE)
        l->at[o->after].before = o->before;
    else
        l->last[o->locate] = o->before;
}

/* An add under a reference that is in use has no effect. */
static inline void lives_display(lives_t *l, uint32_t order, uint8_t side, uint32_t *left_now)
{
    const tick_t *t = &l->stream->ticks[order];
    life_t *o = &l->at[order];
    uint32_t *place = lives_place(l, lives_ref(l, order));
    if (*place != 0 && left_now[*place - 1] != 0)
        return;
    *place = order + 1;
    left_now[order] = t->qty;
    o->qty = t->qty;
    o->px_e4 = t->px_e4;
    o->locate = tick_locate(t);
    o->side = side;
}

/* What the messages up to `i` say of the order that message `i` concerns. `left` is in `left_now`,
 * by order. */
static inline void lives_concern(lives_t *l, uint32_t i, uint32_t *left_now)
{
    const tick_t *t = &l->stream->ticks[i];
    life_t *life = &l->at[i];
    uint32_t place = *lives_place(l, t->order_ref);
    if (place == 0 || left_now[place - 1] == 0 || l->at[place - 1].locate != tick_locate(t))
        return;
    life->of = place - 1;
    life->left = left_now[life->of];
    bool all = t->type == 'D' || t->type == 'U' || t->qty > life->left;
    life->off = all ? life->left : t->qty;
    left_now[life->of] -= life->off;
    l->at[life->of].traded |= t->type == 'E';
    if (t->type == 'U' && t->qty != 0)
        lives_display(l, i, l->at[life->of].side, left_now);
}

static inline void lives_state(lives_t *l, const tick_t *t)
{
    if (t->type == 'H')
        l->state[tick_locate(t)] = t->body[8];
    if (t->type == 'S')
        l->closed = t->body[0] == 'E' || t->body[0] == 'C';
}

/* Requires a stream of one day: asserted. */
static inline lives_t lives_of(const stream_t *s)
{
    lives_t l = {.stream = s, .mask = (1u << 20) - 1};
    uint32_t *left_now = calloc((size_t)s->count + 1, sizeof *left_now);
    l.at = calloc((size_t)s->count + 1, sizeof *l.at);
    l.place = calloc((size_t)l.mask + 1, sizeof *l.place);
    l.last = malloc(65536 * sizeof *l.last);
    l.state = calloc(65536, 1);
    assert_true(left_now && l.at && l.place && l.last && l.state && s->count < l.mask / 2);
    memset(l.last, 0xff, 65536 * sizeof *l.last);
    for (uint32_t i = 0; i < s->count; i++) {
        const tick_t *t = &s->ticks[i];
        l.at[i].of = LIVES_NONE;
        assert_true(t->type != 'S' || t->body[0] != 'O' || i == 0);
        lives_state(&l, t);
        if (stream_is_add(t))
            lives_display(&l, i, t->side, left_now);
        else if (strchr("ECXDU", t->type))
            lives_concern(&l, i, left_now);
        uint8_t state = l.state[tick_locate(t)];
        l.at[i].halted = l.closed || (state != 0 && state != 'T');
    }
    free(left_now);
    return l;
}

static inline void lives_free(lives_t *l)
{
    free(l->at);
    free(l->place);
    free(l->last);
    free(l->state);
}

/* Go over message `i`, the next one: then the lists have what is displayed after it. */
static inline void lives_step(lives_t *l, uint32_t i)
{
    life_t *life = &l->at[i];
    if (life->of != LIVES_NONE) {
        l->at[life->of].now = life->left - life->off;
        if (life->left == life->off)
            lives_unlink(l, life->of);
    }
    if (life->qty != 0) {
        life->now = life->qty;
        lives_link(l, i);
    }
}

#endif
