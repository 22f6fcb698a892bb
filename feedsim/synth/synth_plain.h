/* SPDX-License-Identifier: Apache-2.0 */
/* synth_plain.h - the plain flow: eight seconds of an even, busy market, the same bytes as ever,
 * for figures that are compared from one version to the next.
 *
 *    before the open   S O, V, R H Y for every symbol, S S, I for every symbol, S Q, opening
 *                      crosses
 *    trading           adds (A, some F) around a fair price that wanders, partial cancels X,
 *                      deletes D, replaces U, incoming orders that execute against the best level
 *                      in time order (E, some C), hidden trades P, now and then I N Y L B
 *    after the close   S M, closing crosses, S E, S C
 *
 * Time starts half a second before 09:30:00; messages come in bursts, 8 us apart on average; it
 * never passes 16:00:00, gaps shrink instead. What it does not do as a market does, and keeps so: a
 * B names the last match of any stock, the closing cross has all shares executed on the day, its
 * symbols are test issues. synth_market.h has the market.
 *
 * A handle belongs to one thread. Used by feedsim/synth/synth.c alone.
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_SYNTH_PLAIN_H
#define TICKBUS_FEEDSIM_SYNTH_SYNTH_PLAIN_H

#include <stdint.h>

#include <tickbus/msg/tick.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct synth_plain synth_plain_t;

uint64_t synth_plain_messages_min(uint32_t symbols);

/* `symbols` below 1000; `messages` 0: no end, else not fewer than those. NULL: no memory. */
synth_plain_t *synth_plain_create(uint64_t seed, uint32_t symbols, uint64_t messages);

int synth_plain_next(synth_plain_t *s, tick_t *out);

/* Accepts NULL. */
void synth_plain_destroy(synth_plain_t *s);

#ifdef __cplusplus
}
#endif
#endif
