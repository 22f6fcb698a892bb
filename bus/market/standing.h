/* SPDX-License-Identifier: Apache-2.0 */
/* standing.h - the administrative messages that still hold: of each kind the last one that said so.
 *
 * A market view (tickbus/market/market.h) knows orders, names and states, not the messages that
 * they came from. Who wants to hand a session on in mid-day (snapshot.h) needs those, byte for
 * byte, and feeds every tick to this keeper, behind the market:
 *
 *    of the session       S system event: the O that began the day, and the last one that moved the
 *                         phase on; V and W market-wide circuit breaker
 *    of each locate       R directory, K quoting period of an IPO, J auction collar
 *    of each symbol       H trading action, h operational halt (one for each of the markets Q, B, X
 *                         and all others), Y short sale restriction
 *
 * What the market view did not believe (market_event_t.foreign), an S that moves no phase, and an
 * H, h or Y that says something ITCH 5.0 does not know, change nothing there and are not kept: else
 * they would hide the one that holds. When a day begins, what holds of the day before is gone. L,
 * which is of a market participant and not of a stock, and what tells of a moment (I, N, O, P, Q,
 * B) are not kept.
 *
 * Source: "Nasdaq TotalView-ITCH 5.0", sections 1.1 and 1.2. One thread a keeper. Private to
 * bus/market and those who hand a session on.
 */
#ifndef TICKBUS_MARKET_STANDING_H
#define TICKBUS_MARKET_STANDING_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#include <tickbus/market/market.h>
#include <tickbus/msg/tick.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct standing standing_t;

#define STANDING_OF_SESSION 4u /* messages */
#define STANDING_OF_LOCATE  9u
/* More are never kept: 33 MiB of ticks. */
#define STANDING_MAX (STANDING_OF_SESSION + STANDING_OF_LOCATE * 65536u)

/* Address space for STANDING_MAX ticks; a locate's 504 bytes become memory when it is heard of
 * first, so that 10,000 stocks take 5 MB. -ENOMEM. Cold. */
int standing_create(standing_t **out_standing, tbus_error_t *err);
/* Accepts NULL. */
void standing_destroy(standing_t *s);

/* Not for callers, who call standing_keep: a tick of a type that may be kept. */
void standing_keep_tick(standing_t *s, const market_event_t *event, const tick_t *tick);

/* Bit i: the character 64 + i. */
#define STANDING_TYPES_                                                                            \
    ((UINT64_C(1) << ('S' - 64)) | (UINT64_C(1) << ('V' - 64)) | (UINT64_C(1) << ('W' - 64)) |     \
     (UINT64_C(1) << ('R' - 64)) | (UINT64_C(1) << ('H' - 64)) | (UINT64_C(1) << ('h' - 64)) |     \
     (UINT64_C(1) << ('Y' - 64)) | (UINT64_C(1) << ('K' - 64)) | (UINT64_C(1) << ('J' - 64)))

/* Take note of a tick and of what it did; every one is given, in the order of md. Orders and trades
 * cost one comparison. A page fault when a locate is heard of first; else no system call. */
static inline void standing_keep(standing_t *s, const market_event_t *event, const tick_t *tick,
                                 size_t bytes)
{
    unsigned type = (unsigned)tick->type - 64u;
    if (__builtin_expect(type <= 63 && (STANDING_TYPES_ >> type & 1) != 0, 0) &&
        bytes >= sizeof *tick)
        standing_keep_tick(s, event, tick);
}

/* Each copies what holds to `out_ticks`, sizeof(tick_t) bytes a tick with the time `intended` 0,
 * and returns how many: the O of the day (0 or 1); what else is of the session, at most
 * STANDING_OF_SESSION - 1; the R of a locate (0 or 1); and what else is at `index`, at most
 * STANDING_OF_LOCATE - 1: the H, h and Y of the symbol of that number, whichever of its locates
 * they came under, and the K and J of that wire locate. */
uint32_t standing_copy_start(const standing_t *s, tick_t *out_ticks);
uint32_t standing_copy_session(const standing_t *s, tick_t *out_ticks);
uint32_t standing_copy_directory(const standing_t *s, uint16_t wire_locate, tick_t *out_ticks);
uint32_t standing_copy_states(const standing_t *s, uint16_t index, tick_t *out_ticks);

#ifdef __cplusplus
}
#endif
#endif
