/* SPDX-License-Identifier: Apache-2.0 */
/* opening.h - what a feed that begins in mid-session sends first, in the place of all that came
 * before: ticks that give the same books (bus/market/snapshot.h), from a file.
 *
 *    file: ticks of 56 bytes (tickbus/msg/tick.h), one after another, and nothing else
 *
 * Whoever has made them hands the file over, usually by a descriptor: /proc/self/fd/7. It is read
 * once, with read(2). On the data path: beside feedsim/source/source.h, before its first tick.
 */
#ifndef TICKBUS_FEEDSIM_OPENING_H
#define TICKBUS_FEEDSIM_OPENING_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#include <tickbus/msg/tick.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct feed_opening {
    tick_t *ticks; /* owned; NULL: there is none */
    size_t bytes;
    uint64_t count;
    uint64_t next;
} feed_opening_t;

/* All of the file, into memory. -errno; -TBUS_EFORMAT: it does not consist of ticks that a feed
 * could send. Cold. */
int feed_opening_read(const char *path, feed_opening_t *out_opening, tbus_error_t *err);

/* The next tick, `intended` holding the locate and time 0; NULL: no more. */
static inline const tick_t *feed_opening_next(feed_opening_t *o)
{
    return o->next < o->count ? &o->ticks[o->next++] : NULL;
}

void feed_opening_clear(feed_opening_t *o);

#ifdef __cplusplus
}
#endif
#endif
