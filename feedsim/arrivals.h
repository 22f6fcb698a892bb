/* SPDX-License-Identifier: Apache-2.0 */
/* arrivals.h - the times of a file's messages, for other messages to be sent by: the pattern of a
 * real day, with bursts and lulls, without its contents.
 *
 * The file is read once, before the schedule begins; only the times are kept, on one line
 * (timeline.h) that begins at 0. Messages without a time, marks and what was for warming up have no
 * place in it. Behind the last time they begin anew, in laps, as far apart from it as two of them
 * are on average, and no lap is shorter than 10 ms: so a schedule lasts as long as there are
 * messages.
 *
 * On the data path: beside feedsim/source/source.h, before feedsim/pace.h.
 */
#ifndef TICKBUS_FEEDSIM_ARRIVALS_H
#define TICKBUS_FEEDSIM_ARRIVALS_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FEED_ARRIVALS_MAX UINT64_C(64000000) /* times: half a GB */

typedef struct feed_arrivals {
    uint64_t *times_ns; /* owned; NULL: messages go by times of their own. They never fall */
    uint64_t count;
    uint64_t next;
    uint64_t lap_ns; /* from the first time of a lap to that of the next */
    uint64_t laps;   /* that are over */
} feed_arrivals_t;

/* Does the text name a file of arrivals, "recorded:FILE" or "recorded:FILE@09:30"? `out_spec`,
 * `bytes` of room: what feed_arrivals_read takes. FILE is an ITCH file, or itch:FILE, or
 * journal:DIR. -TBUS_ECONFIG: no file is named. */
int feed_arrivals_named(const char *text, char *out_spec, uint64_t bytes, bool *out_named,
                        tbus_error_t *err);

/* All times of that source: what feed_source_open takes, or that with "@" and a time from which on
 * they count, since a day of trading begins hours after its file. Up to `span_ns` after the first,
 * and FEED_ARRIVALS_MAX of them; gaps above `gap_ns_max` are shortened to it (FEED_TIME_NONE: none
 * is). Errors of the source; -TBUS_ECONFIG: it has no times; -ENOMEM. Cold. */
int feed_arrivals_read(const char *spec, uint64_t span_ns, uint64_t gap_ns_max,
                       feed_arrivals_t *out_arrivals, tbus_error_t *err);

/* The next time, of arrivals that were read. */
static inline uint64_t feed_arrivals_next(feed_arrivals_t *a)
{
    if (a->next >= a->count) {
        a->next = 0;
        a->laps++;
    }
    return a->laps * a->lap_ns + a->times_ns[a->next++];
}

/* Accepts one that is all zeros. */
void feed_arrivals_clear(feed_arrivals_t *a);

#ifdef __cplusplus
}
#endif
#endif
