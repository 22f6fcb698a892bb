/* SPDX-License-Identifier: Apache-2.0 */
/* timeline.h - the times of a feed's messages on one line: over midnight, from where to where, and
 * without the gaps that nobody wants to wait for. Plain arithmetic, as pace.h.
 *
 *    time of the message --days--> a line --window--> before, within, behind --gaps--> time to pace
 *
 * Exchange times are ns since midnight and start anew with each day. A step back of more than three
 * hours is a new day, and 24 hours are added from there on; no feed is out of order by so much, and
 * between the end of one session and the beginning of the next lies more. A smaller step back is
 * disorder: the message keeps its place before the latest; so does one from ten minutes before
 * midnight that comes after it. Of several days without a message one is seen.
 *
 * On the data path: feedsim/source/source.h -> here -> feedsim/pace.h.
 */
#ifndef TICKBUS_FEEDSIM_TIMELINE_H
#define TICKBUS_FEEDSIM_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "feedsim/pace.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FEED_DAY_NS     UINT64_C(86400000000000)
#define FEED_NEW_DAY_NS UINT64_C(10800000000000) /* a step back of more */
#define FEED_LATE_NS    UINT64_C(600000000000)   /* over midnight, a step back of no more */

enum feed_window { FEED_BEFORE = 0, FEED_WITHIN = 1, FEED_BEHIND = 2 };

typedef struct feed_timeline {
    /* as they were given; FEED_TIME_NONE: not */
    uint64_t from_ns;    /* the first message at or after it is WITHIN, and all that follow it */
    uint64_t to_ns;      /* the first message at or after it is BEHIND */
    uint64_t gap_ns_max; /* a longer gap is shortened to it; FEED_TIME_NONE: none is */
    bool daily;          /* times are of day, and start anew at midnight */
    bool started;
    enum feed_window window;
    uint64_t first_ns;   /* on the line */
    uint64_t latest_ns;  /* the same */
    uint64_t day_ns;     /* where the line's present day began */
    uint64_t skipped_ns; /* of gaps, so far */
} feed_timeline_t;

/* `from_ns`, `to_ns` and `gap_ns_max` may be FEED_TIME_NONE. */
void feed_timeline_init(feed_timeline_t *t, bool daily, uint64_t from_ns, uint64_t to_ns,
                        uint64_t gap_ns_max);

/* Put the time of the next message on the line. *out_ns: what paces it, gaps shortened;
 * FEED_TIME_NONE for a message without a time, which goes where the one before it went. With the
 * first message, `from` and `to` that lie more than three hours before it become times of the next
 * day: a night session is asked for from 22:00 to 01:00. */
enum feed_window feed_timeline_next(feed_timeline_t *t, uint64_t time_ns, uint64_t *out_ns);

/* "09:30", "09:30:00", "09:30:00.25", ns since midnight; hours from 24 on are of the days that
 * follow. -TBUS_ECONFIG. */
int feed_time_parse(const char *text, uint64_t *out_ns, tbus_error_t *err);

/* A time as above, or the number of a tick, "seq:1000": one of the two is set, *out_ns to
 * FEED_TIME_NONE or *out_seq to 0. -TBUS_ECONFIG. */
int feed_place_parse(const char *text, uint64_t *out_ns, uint64_t *out_seq, tbus_error_t *err);

/* "500ms", "1.5s", "10m", "2h". -TBUS_ECONFIG; also for none at all. */
int feed_duration_parse(const char *text, uint64_t *out_ns, tbus_error_t *err);

#ifdef __cplusplus
}
#endif
#endif
