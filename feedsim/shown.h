/* SPDX-License-Identifier: Apache-2.0 */
/* shown.h - what a source counts for itself, copied into counters of the bus now and then, so that
 * `status` shows it while the feed runs and the summary when it has ended.
 *
 * On the data path: feedsim/source/source.h -> here, beside feedsim/feed.c. */
#ifndef TICKBUS_FEEDSIM_SHOWN_H
#define TICKBUS_FEEDSIM_SHOWN_H

#include <stdint.h>

#include <tickbus/bus.h>

#include "feedsim/source/source.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FEED_SHOWN_NS UINT64_C(1000000) /* between two copies */

typedef struct feed_shown {
    const feed_source_counter_t *rows; /* the source's */
    tbus_atomic_u64_t **values;        /* owned */
    uint32_t count;
    uint64_t next_ns; /* not before; UINT64_MAX: there is nothing to show */
} feed_shown_t;

/* A counter feed.NAME of `owner` for each of the source's. -ENOMEM. Cold. */
int feed_shown_open(feed_shown_t *shown, const feed_source_t *source, tbus_bus_t *bus,
                    uint32_t owner, tbus_error_t *err);

/* Copy all of them. */
void feed_shown_copy(feed_shown_t *shown, uint64_t now_ns);

static inline void feed_shown_turn(feed_shown_t *shown, uint64_t now_ns)
{
    if (now_ns >= shown->next_ns)
        feed_shown_copy(shown, now_ns);
}

/* Accepts one that is all zeros. */
void feed_shown_close(feed_shown_t *shown);

#ifdef __cplusplus
}
#endif
#endif
