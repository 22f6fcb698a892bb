/* SPDX-License-Identifier: Apache-2.0 */
/* schedule.h - when the messages of a run will be wanted, told before the run is made: from its
 * configuration alone, by the feed's own arithmetic (feedsim/pace.h, feedsim/arrivals.h).
 *
 * Whoever measures needs it three times: for tables with room for every message, for a made-up feed
 * that is to last as long as the run, and for the floor that is measured before it.
 */
#ifndef TICKBUS_TOOLS_LATENCY_SCHEDULE_H
#define TICKBUS_TOOLS_LATENCY_SCHEDULE_H

#include <stdint.h>

#include <tickbus/error.h>

#include "tools/config/config.h"

/* The messages that are due until `span_ns` after the first, and at most `count_max`: in ns after
 * the first, ascending, owned by the caller (free). 0 of them and NULL: it cannot be told, since
 * the pace is max, or the times are of messages that are read only once, or of part of a file.
 * Errors of reading the times; -ENOMEM. Cold. */
int schedule_make(const config_t *config, uint64_t span_ns, uint64_t count_max,
                  uint64_t **out_due_ns, uint64_t *out_count, tbus_error_t *err);

/* How many times as fast as they were recorded the arrivals ("recorded:FILE") make so many messages
 * a second on average, over all of the file. Errors of reading it; -TBUS_ECONFIG: no pace is that
 * fast or that slow. Cold. */
int schedule_speed(const char *arrivals, double rate, double *out_factor, tbus_error_t *err);

/* A made-up feed whose number of messages is not said, with as many as are needed; else, and where
 * the usual number will do, "". `text`: of the feed. */
void schedule_lasting_feed(const char *text, uint64_t messages, char *out_text, size_t bytes);

/* How many messages a made-up feed has whose day takes `span_ns` by its own times. */
uint64_t schedule_synth_messages(uint64_t span_ns);

#endif
