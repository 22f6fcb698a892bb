/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/schedule.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "feedsim/arrivals.h"
#include "feedsim/pace.h"
#include "feedsim/source/source.h"
#include "feedsim/synth/synth.h"
#include "feedsim/timeline.h"

#define FIRST_ROOM  UINT64_C(65536)
#define NS_PER_S    1e9
#define FACTOR_MIN  0.001
#define FACTOR_MAX  1e9
#define SYNTH_PER_S 50000 /* of a day of synth by its own times (synth_busy_speed) */

/* May its times be read now, and again by the feed? */
static bool reads_twice(const feed_values_t *feed)
{
    struct stat st;
    if (*feed->from || *feed->to || *feed->opening || *feed->topic || feed->symbols_count ||
        feed->clock != FEED_CLOCK_MARKET)
        return false;
    if (strncmp(feed->source, "itch:", 5) == 0)
        return stat(feed->source + 5, &st) == 0 && S_ISREG(st.st_mode);
    return strncmp(feed->source, "synth", 5) == 0 || strncmp(feed->source, "journal:", 8) == 0;
}

/* Whose times the messages are sent by, for a timed pace: the file of arrivals, in laps, or the
 * feed. "": it cannot be told. */
static int name_times(const feed_values_t *feed, char *out_spec, size_t bytes, bool *out_laps,
                      tbus_error_t *err)
{
    int code = feed_arrivals_named(feed->arrivals, out_spec, bytes, out_laps, err);
    if (code == 0 && !*out_laps)
        snprintf(out_spec, bytes, "%s", reads_twice(feed) ? feed->source : "");
    return code;
}

/* By the times of a file. `times`: empty for a rate. False: no memory. */
static bool fill(feed_pace_t *pace, feed_arrivals_t *times, bool laps, uint64_t span_ns,
                 uint64_t count_max, uint64_t **out_due_ns, uint64_t *out_count)
{
    uint64_t *due_ns = NULL, room = 0, count = 0;
    while (count < count_max && (laps || times->next < times->count || !times->times_ns)) {
        uint64_t time_ns = times->times_ns ? feed_arrivals_next(times) : FEED_TIME_NONE;
        uint64_t next_ns = feed_pace_next(pace, time_ns, 0);
        if (next_ns > span_ns)
            break;
        if (count == room) {
            room = room ? 2 * room : FIRST_ROOM;
            uint64_t *more = realloc(due_ns, room * sizeof *more);
            if (!more) {
                free(due_ns);
                return false;
            }
            due_ns = more;
        }
        due_ns[count++] = next_ns;
    }
    *out_due_ns = due_ns;
    *out_count = count;
    return true;
}

int schedule_make(const config_t *config, uint64_t span_ns, uint64_t count_max,
                  uint64_t **out_due_ns, uint64_t *out_count, tbus_error_t *err)
{
    const feed_values_t *feed = config_feed(config);
    char spec[TBUS_PARAM_TEXT_MAX + 8] = "";
    feed_arrivals_t times = {0};
    feed_pace_t pace;
    uint64_t gap_ns = FEED_TIME_NONE;
    bool laps = false;
    int code = feed_pace_parse(config_pace(config), &pace, err);
    if (code == 0 && pace.kind == FEED_PACE_RATE)
        code = feed_pace_set_arrivals(&pace, feed->arrivals, err);
    if (code == 0 && pace.kind == FEED_PACE_TIMED)
        code = name_times(feed, spec, sizeof spec, &laps, err);
    if (code == 0 && *feed->skip_gaps)
        code = feed_duration_parse(feed->skip_gaps, &gap_ns, err);
    if (code == 0 && *spec)
        code = feed_arrivals_read(spec, feed_pace_span_ns(&pace, span_ns), gap_ns, &times, err);
    if (code != 0)
        return code;
    *out_due_ns = NULL;
    *out_count = 0;
    if ((pace.kind == FEED_PACE_RATE || *spec) &&
        !fill(&pace, &times, laps, span_ns, count_max, out_due_ns, out_count))
        code = tbus_fail(err, -ENOMEM, "no memory for the schedule of a run");
    feed_arrivals_clear(&times);
    return code;
}

int schedule_speed(const char *arrivals, double rate, double *out_factor, tbus_error_t *err)
{
    char spec[TBUS_PARAM_TEXT_MAX + 8];
    feed_arrivals_t times;
    bool recorded;
    int code = feed_arrivals_named(arrivals, spec, sizeof spec, &recorded, err);
    if (code == 0)
        code = feed_arrivals_read(spec, UINT64_MAX, FEED_TIME_NONE, &times, err);
    if (code != 0)
        return code;
    double factor = rate * ((double)times.lap_ns / NS_PER_S) / (double)times.count;
    feed_arrivals_clear(&times);
    if (factor < FACTOR_MIN || factor > FACTOR_MAX)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "%.80s would have to go %g times as fast for %.0f messages/s; it can from "
                         "%g to %g times",
                         arrivals, factor, rate, FACTOR_MIN, FACTOR_MAX);
    *out_factor = factor;
    return 0;
}

void schedule_lasting_feed(const char *text, uint64_t messages, char *out_text, size_t bytes)
{
    *out_text = 0;
    if (strncmp(text, "synth", 5) != 0 || strstr(text, "messages=") ||
        messages <= SYNTH_MESSAGES_DEFAULT)
        return;
    snprintf(out_text, bytes, "%s%smessages=%llu", text,
             text[5] == 0                    ? ":"
             : text[strlen(text) - 1] == ':' ? ""
                                             : ",",
             (unsigned long long)messages);
}

uint64_t schedule_synth_messages(uint64_t span_ns)
{
    double messages = (double)span_ns / NS_PER_S * SYNTH_PER_S;
    return messages < 1e9 ? (uint64_t)messages : UINT64_C(1000000000);
}
