/* SPDX-License-Identifier: Apache-2.0 */
/* synth_stock.h - one stock of the synthetic market: its orders (ladder.h), its state, and what it
 * is worth.
 *
 *    fair price = its own + its share of the common factor
 *
 * Its own walks with its messages: one in four moves it, by a step whose size has the tail of a
 * power law with exponent three (Gopikrishnan et al. 1998: the inverse cubic law of returns; a cube
 * root of two for each coin that comes up). That messages cluster makes large moves cluster (Clark
 * 1973: prices move in the time of transactions). The common factor moves in bursts alone, so that
 * several stocks move at once.
 *
 * Prices in levels of the ladder, one cent each; _q8: times 256.
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_SYNTH_STOCK_H
#define TICKBUS_FEEDSIM_SYNTH_SYNTH_STOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "feedsim/synth/ladder.h"
#include "feedsim/synth/random.h"
#include "feedsim/synth/synth_admin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Orders rest at most so many levels from fair, and fair stays as far from the ladder's ends. */
#define SYNTH_PASSIVE_MAX 80
#define SYNTH_FAIR_MIN    (SYNTH_PASSIVE_MAX + 4)
#define SYNTH_FAIR_MAX    (LADDER_LEVELS - SYNTH_FAIR_MIN)

typedef struct synth_stock {
    char name[8];
    uint16_t locate;
    char state;          /* as in H: 'T' trading, 'H' halted, 'P' paused, 'Q' quotation only */
    char short_sale;     /* as in Y */
    uint32_t base_px_e4; /* of level 0 */
    uint32_t target;     /* live orders that it tends to */
    int32_t own_q8;
    int32_t step_q8;
    int32_t factor_share_q8;
    int32_t opened_q8;   /* fair at the beginning of the day */
    int32_t half_spread; /* levels */
    int32_t trend;       /* -1, +1: which way incoming orders mostly go */
    uint64_t volume;     /* shares executed on the day, crosses included */
    uint64_t paired;     /* shares that wait for the next cross */
    ladder_t ladder;
} synth_stock_t;

/* `locate` 1..65535. `messages`: how many the stock will have on a day, about; it sets how far each
 * moves the price. The memory is zero. */
void synth_stock_init(synth_stock_t *s, random_state_t *random, uint16_t locate, uint64_t messages);

/* Its next day: its orders are gone, it has another locate, and what restricted short sales
 * yesterday does so today, and no longer. The price goes on. */
void synth_stock_next_day(synth_stock_t *s, uint16_t locate);

/* In levels, within SYNTH_FAIR_MIN..MAX. */
int synth_stock_fair(const synth_stock_t *s, int32_t factor_q8);

/* A message came: the price may move. */
void synth_stock_walk(synth_stock_t *s, int32_t factor_q8, random_state_t *random);

/* A step of a random walk with that scale. */
int32_t synth_step_q8(int32_t scale_q8, random_state_t *random);

uint32_t synth_stock_px(const synth_stock_t *s, int level);
bool synth_stock_trades(const synth_stock_t *s);
synth_stamp_t synth_stock_stamp(const synth_stock_t *s, uint64_t now_ns);

#ifdef __cplusplus
}
#endif
#endif
