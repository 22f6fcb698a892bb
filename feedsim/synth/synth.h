/* SPDX-License-Identifier: Apache-2.0 */
/* synth.h - an ITCH order flow made up from a seed: valid, plausible, the same bytes for the same
 * parameters on every host.
 *
 *    before the open   S O, V, R H Y for every symbol, S S, I for every symbol, S Q, opening
 *                      crosses
 *    trading           adds (A, some F) around a fair price that wanders, partial cancels X,
 *                      deletes D, replaces U, incoming orders that execute against the best level
 *                      in time order (E, some C), hidden trades P, now and then I N Y L B
 *    after the close   S M, closing crosses, S E, S C
 *
 * What holds at every message: no book is locked or crossed; every reference is of a live order and
 * the shares taken off it are there; references are never used twice; a symbol has at most
 * SYNTH_ORDERS_MAX live orders, and usually a few hundred; exchange time never goes backwards. Time
 * starts half a second before 09:30:00; messages come in bursts, 8 us apart on average, so that a
 * million of them is some eight seconds of a busy market at the pace `realtime`; it never passes
 * 16:00:00, gaps shrink instead.
 *
 * Memory is allocated once, about 60 KiB a symbol. Used by feedsim/source/source_synth.c. A handle
 * belongs to one thread.
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_SYNTH_H
#define TICKBUS_FEEDSIM_SYNTH_SYNTH_H

#include <stdint.h>

#include <tickbus/error.h>

#include <tickbus/msg/tick.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYNTH_SEED_DEFAULT     1u
#define SYNTH_SYMBOLS_DEFAULT  8u
#define SYNTH_SYMBOLS_MAX      999u
#define SYNTH_MESSAGES_DEFAULT 1000000u
#define SYNTH_ORDERS_MAX       2000u

typedef struct synth_params {
    uint64_t seed;
    uint32_t symbols;  /* 1..SYNTH_SYMBOLS_MAX; stock locates 1.., named SYN001.. */
    uint64_t messages; /* in all; 0: no end */
} synth_params_t;

typedef struct synth synth_t;

/* The fewest messages that a session with so many symbols can have; synth_create refuses fewer.
 * Declared for tests. */
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
