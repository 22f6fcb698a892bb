/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/wire/mold_holes.h"

#include <string.h>

static mold_hole_t new_hole(uint64_t from, uint64_t to, uint64_t now_ns, uint64_t due_ns)
{
    return (mold_hole_t){.from = from, .to = to, .since_ns = now_ns, .due_ns = due_ns};
}

void mold_holes_add(mold_holes_t *h, uint64_t from, uint64_t to, uint64_t now_ns, uint64_t due_ns)
{
    if (h->count == MOLD_HOLES_MAX)
        h->at[h->count - 1].to = to;
    else
        h->at[h->count++] = new_hole(from, to, now_ns, due_ns);
}

static void insert(mold_holes_t *h, uint32_t at, mold_hole_t hole)
{
    memmove(&h->at[at + 1], &h->at[at], (h->count - at) * sizeof h->at[0]);
    h->at[at] = hole;
    h->count++;
}

static void drop(mold_holes_t *h, uint32_t at, uint32_t count)
{
    h->count -= count;
    memmove(&h->at[at], &h->at[at + count], (h->count - at) * sizeof h->at[0]);
}

void mold_holes_add_front(mold_holes_t *h, uint64_t from, uint64_t to, uint64_t now_ns,
                          uint64_t due_ns)
{
    if (h->count == MOLD_HOLES_MAX)
        h->at[0].from = from;
    else
        insert(h, 0, new_hole(from, to, now_ns, due_ns));
}

/* Begin to wait anew: something came. */
static void renew(mold_hole_t *hole, uint64_t now_ns, uint64_t due_ns)
{
    *hole = new_hole(hole->from, hole->to, now_ns, due_ns);
}

void mold_holes_extend(mold_holes_t *h, uint64_t from, uint64_t to, uint64_t now_ns,
                       uint64_t due_ns)
{
    if (h->count && h->at[h->count - 1].to == from)
        h->at[h->count - 1].to = to;
    else
        mold_holes_add(h, from, to, now_ns, due_ns);
}

void mold_holes_renew(mold_holes_t *h, uint64_t from, uint64_t to, uint64_t now_ns, uint64_t due_ns)
{
    for (uint32_t i = 0; i < h->count && h->at[i].from < to; i++)
        if (h->at[i].to > from)
            renew(&h->at[i], now_ns, due_ns);
}

void mold_holes_fill(mold_holes_t *h, uint64_t from, uint64_t to, uint64_t now_ns, uint64_t due_ns)
{
    for (uint32_t i = 0; i < h->count && h->at[i].from < to;) {
        mold_hole_t *hole = &h->at[i];
        if (hole->to <= from) {
            i++;
        } else if (from <= hole->from && hole->to <= to) {
            drop(h, i, 1);
        } else if (from <= hole->from) {
            hole->from = to;
            renew(hole, now_ns, due_ns);
            i++;
        } else if (hole->to <= to) {
            hole->to = from;
            renew(hole, now_ns, due_ns);
            i++;
        } else { /* in the middle; without room for two, it reaches over what has come */
            if (h->count < MOLD_HOLES_MAX) {
                insert(h, i + 1, new_hole(to, hole->to, now_ns, due_ns));
                hole->to = from;
            }
            renew(hole, now_ns, due_ns);
            return;
        }
    }
}

bool mold_holes_split(mold_holes_t *h, uint32_t at, uint64_t sequence)
{
    mold_hole_t rest = h->at[at];
    if (h->count == MOLD_HOLES_MAX)
        return false;
    rest.from = h->at[at].to = sequence;
    insert(h, at + 1, rest);
    return true;
}

void mold_holes_pass(mold_holes_t *h, uint32_t line, uint64_t sequence)
{
    for (uint32_t i = 0; i < h->count && h->at[i].to <= sequence; i++)
        h->at[i].passes[line] += h->at[i].passes[line] < UINT32_MAX;
}

void mold_holes_told(mold_holes_t *h, uint64_t expected)
{
    uint32_t done = 0;
    while (done < h->count && h->at[done].to <= expected)
        done++;
    if (done)
        drop(h, 0, done);
    if (h->count && h->at[0].from < expected)
        h->at[0].from = expected;
}
