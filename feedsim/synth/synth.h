/* SPDX-License-Identifier: Apache-2.0 */
/* synth.h - an ITCH order flow made up from a seed: valid, plausible, the same bytes for the same
 * parameters on every host. There are two:
 *
 *    SYNTH_MARKET  a whole day as a market has them: bursts, idle phases, a build-up before the
 *                  open, crosses, halts, returns with tails (synth_market.h)
 *    SYNTH_PLAIN   an even flow of some seconds, for figures that are compared: the same bytes in
 *                  every version (synth_plain.h)
 *
 * What holds of both at every message: no book is locked or crossed; every reference is of a live
 * order and the shares taken off it are there; references and match numbers are never used twice on
 * a day; a symbol has at most SYNTH_ORDERS_MAX live orders, and usually a few hundred; exchange
 * time never goes backwards within a day.
 *
 * Of SYNTH_MARKET: a stock that does not trade ('H', 'P', 'Q' of the message H) has no execution
 * but those of its cross; a C that is not printable is followed by the Q that has its shares; a B
 * names an E, P or printable C of its own stock, each once.
 *
 * Memory is allocated once, 64 KiB a symbol, of which an idle one uses a third. Used by
 * feedsim/source/source_synth.c. A handle belongs to one thread.
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_SYNTH_H
#define TICKBUS_FEEDSIM_SYNTH_SYNTH_H

#include <stdint.h>

#include <tickbus/error.h>

#include <tickbus/msg/tick.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYNTH_SEED_DEFAULT      1u
#define SYNTH_SYMBOLS_DEFAULT   8u
#define SYNTH_SYMBOLS_MAX       11000u
#define SYNTH_PLAIN_SYMBOLS_MAX 999u
#define SYNTH_DAYS_MAX          1000u
#define SYNTH_SPEED_MAX         10000000u
#define SYNTH_MESSAGES_DEFAULT  1000000u
#define SYNTH_ORDERS_MAX        2000u

enum synth_flow_kind { SYNTH_MARKET = 0, SYNTH_PLAIN = 1 };

typedef struct synth_params {
    uint64_t seed;
    uint32_t symbols; /* 1..SYNTH_SYMBOLS_MAX; stock locates 1.., named SYN001..SYN999, SYN1000.. */
    uint32_t flow;    /* enum synth_flow_kind */
    uint64_t messages; /* in all; 0: no end */
    uint32_t days;     /* 1..SYNTH_DAYS_MAX; 0: as 1; more of SYNTH_MARKET with an end alone */
    uint32_t speed;    /* SYNTH_MARKET: its days pass so many times as fast; 0: as 1 */
} synth_params_t;

typedef struct synth synth_t;

/* The speed at which a day of SYNTH_MARKET has 50,000 messages a second on average, as near as can
 * be: a million of them take 20 seconds instead of 17 hours. Without an end: 1. */
uint32_t synth_busy_speed(const synth_params_t *params);

/* The fewest messages that a day with so many symbols can have, whatever its flow; synth_create
 * refuses fewer. Declared for tests. */
uint64_t synth_messages_min(uint32_t symbols);

/* -TBUS_ECONFIG: a parameter out of range. -ENOMEM. Cold. */
int synth_create(const synth_params_t *params, synth_t **out_synth, tbus_error_t *err);

/* The next message, as a tick of sizeof(tick_t) bytes: 1, or 0 at the end. No allocation, no system
 * call. */
int synth_next(synth_t *s, tick_t *out);

/* Accepts NULL. */
void synth_destroy(synth_t *s);

#ifdef __cplusplus
}
#endif
#endif
