/* SPDX-License-Identifier: Apache-2.0 */
/* position.h - shares held and money made in one symbol, from executions. Integers only; 128-bit
 * inside where a product needs it.
 *
 * Average-cost accounting: an execution that enlarges the position moves the average; one that
 * reduces it realises the difference to the average; one that crosses zero does both. Money is in
 * 1/10000 of the currency, as prices are.
 */
#ifndef TICKBUS_MARKET_POSITION_H
#define TICKBUS_MARKET_POSITION_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct position {
    int64_t qty;     /* shares; negative: short */
    int64_t cost_e4; /* what the open shares cost: sum of qty x px over them; same sign as qty */
    int64_t realised_e4;
    uint64_t bought; /* shares, ever */
    uint64_t sold;
} position_t;

/* Book an execution. False, and nothing changed, when a result would not fit 64 bits, or `side` is
 * neither 'B' nor 'S'. */
bool position_apply(position_t *p, uint8_t side, uint32_t qty, uint32_t px_e4);

/* Take an execution back that was booked earlier: as one of the other side at its price, and its
 * shares were never bought or sold. False, and nothing changed, as with position_apply, or when it
 * cannot have been booked. */
bool position_break(position_t *p, uint8_t side, uint32_t qty, uint32_t px_e4);

/* Profit of the open shares at `mark_px_e4`; saturates. */
int64_t position_unrealised_e4(const position_t *p, uint32_t mark_px_e4);

#ifdef __cplusplus
}
#endif
#endif
