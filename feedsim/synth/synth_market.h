/* SPDX-License-Identifier: Apache-2.0 */
/* synth_market.h - the synthetic market: a NASDAQ day from 03:00 to 20:05 with what makes real ones
 * hard on a pipeline.
 *
 *    03:00   S O, R for every stock, H T for every stock, Y, L, V
 *    04:00   S S; orders build up, few trade; from 09:28 on imbalances (I O)
 *    09:30   S Q; an opening cross in every stock: C N ... Q O
 *            trading: bursts, idle phases, a busy open and close; halts and pauses with the cross
 *            that reopens them; from 15:50 on imbalances (I C)
 *    16:00   S M; a closing cross in every stock: C N ... Q C (no shares where none were traded)
 *            after hours: most orders are pulled, few trade
 *    20:00   S E
 *    20:05   S C
 *
 *        dayline.h: what has no cause ---+
 *                                        +--> time, stock --> synth_orders.h --> message
 *    +-> arrivals.h: what answers it ----+                          |
 *    +--------------------------------------------------------------+
 *
 * One in some hundred of the messages without a cause is news: the common factor jumps, and for
 * some milliseconds there come 10 to 100 times as many messages as on average (and at least 16)
 * about up to eight stocks, the busy ones rather than others.
 *
 * The number of messages is given, and spread over the day: fewer of them make a quieter market,
 * not a shorter day. With 0 there is no end: at first as many as make two billion a day, and time
 * comes up to 16:00 and never to it. feedsim/README.md has the market beside recorded ones.
 *
 * Days may pass faster than real ones, as tails are measured better in seconds than in hours: at
 * speed 2000 the open is at 09:30:00 as ever, the directory comes at 09:29:48 and the end at
 * 09:30:19. What comes without a cause, crosses and halts come so much sooner; messages answer
 * messages, and bursts last, as they do at any speed, so that more fall into a burst.
 *
 * Several days are that one after another, with the messages shared out evenly. On each the stocks
 * have other locates, and order references and match numbers begin anew (sections 1.2.1, 1.3, 1.4:
 * they are unique for a day).
 *
 * A handle belongs to one thread. Used by feedsim/synth/synth.c alone.
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_SYNTH_MARKET_H
#define TICKBUS_FEEDSIM_SYNTH_SYNTH_MARKET_H

#include <stdint.h>

#include <tickbus/msg/tick.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYNTH_MARKET_DAY_S UINT64_C(61500) /* from 03:00 to 20:05 */

typedef struct synth_market synth_market_t;

uint64_t synth_market_messages_min(uint32_t symbols);

/* `symbols` 1..65535; `days` and `speed` above 0; `messages` 0: no end, and one day; else not fewer
 * than those for each day. NULL: no memory. */
synth_market_t *synth_market_create(uint64_t seed, uint32_t symbols, uint32_t days, uint32_t speed,
                                    uint64_t messages);

int synth_market_next(synth_market_t *m, tick_t *out);

/* Accepts NULL. */
void synth_market_destroy(synth_market_t *m);

#ifdef __cplusplus
}
#endif
#endif
