/* SPDX-License-Identifier: Apache-2.0 */
/* ladder.h - the resting orders of one made-up symbol: a band of price levels, each a queue in time
 * order. It is what lets the synthetic flow trade against the right order and never cross its own
 * book.
 *
 *    level:   0 ........... best_bid    (spread)    best_ask ........... LADDER_LEVELS - 1
 *    bits:    1 0 1 1 1 0 1 1                       1 0 1 1 0 1      set: orders at that level
 *    queue:   head -> order -> order -> tail        (indices into `orders`, the oldest first)
 *
 * Everything costs O(1) but finding the next best level, which looks at up to 16 words of bits.
 * Fixed memory, no allocation. Not a book for market data in general: prices outside the band do
 * not exist here (tickbus/market/market.h has the real one).
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_LADDER_H
#define TICKBUS_FEEDSIM_SYNTH_LADDER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LADDER_LEVELS     1024
#define LADDER_ORDERS_MAX 2000u
#define LADDER_NONE       UINT16_MAX /* no order */
#define LADDER_NO_BID     (-1)
#define LADDER_NO_ASK     LADDER_LEVELS

enum ladder_side { LADDER_BID = 0, LADDER_ASK = 1 };

typedef struct ladder_order {
    uint64_t ref;
    uint32_t qty;
    int16_t level;
    uint16_t place; /* in ladder->places */
    uint16_t next;  /* in the queue of its level: towards the younger, */
    uint16_t prev;  /*                            towards the older */
    uint8_t side;   /* enum ladder_side */
    uint8_t pad[3];
} ladder_order_t;

typedef struct ladder_queue {
    uint16_t head;
    uint16_t tail;
} ladder_queue_t;

typedef struct ladder {
    int best[2];       /* level by side; LADDER_NO_BID, LADDER_NO_ASK: that side is empty */
    uint32_t count[2]; /* orders by side */
    uint32_t live;     /* orders on both sides */
    uint64_t bits[2][LADDER_LEVELS / 64];
    ladder_queue_t queues[LADDER_LEVELS];
    /* the first `live`: indices of live orders, in no order; then: of free ones */
    uint16_t places[LADDER_ORDERS_MAX];
    ladder_order_t orders[LADDER_ORDERS_MAX];
} ladder_t;

void ladder_init(ladder_t *l);

/* Put an order at the back of its level's queue and return its index. Requires live <
 * LADDER_ORDERS_MAX, a level in the band that does not lock or cross the other side, and a quantity
 * above zero (all asserted). */
uint16_t ladder_add(ladder_t *l, enum ladder_side side, int level, uint64_t ref, uint32_t qty);

/* Take shares off an order; at zero it is gone. Requires no more than it has (asserted). */
void ladder_reduce(ladder_t *l, uint16_t order, uint32_t qty);

void ladder_remove(ladder_t *l, uint16_t order);

/* The order that an incoming one would meet on this side first; LADDER_NONE: the side is empty. */
uint16_t ladder_first(const ladder_t *l, enum ladder_side side);

/* The level of the order that `n` others of its side stand before. Requires n < count[side]
 * (asserted). */
int ladder_level_of(const ladder_t *l, enum ladder_side side, uint32_t n);

/* Some live order: the one at place `n` of `live`. */
static inline uint16_t ladder_nth(const ladder_t *l, uint32_t n)
{
    return l->places[n];
}

#ifdef __cplusplus
}
#endif
#endif
