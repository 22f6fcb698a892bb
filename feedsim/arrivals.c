/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/arrivals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tickbus/param.h>

#include "feedsim/source/source.h"
#include "feedsim/timeline.h"

#define FIRST_ROOM UINT64_C(1048576)
#define LAP_NS_MIN UINT64_C(10000000)

int feed_arrivals_named(const char *text, char *out_spec, uint64_t bytes, bool *out_named,
                        tbus_error_t *err)
{
    static const char scheme[] = "recorded:";
    const char *file = text + sizeof scheme - 1;
    *out_named = strncmp(text, scheme, sizeof scheme - 1) == 0;
    if (!*out_named)
        return 0;
    bool whole = strncmp(file, "itch:", 5) == 0 || strncmp(file, "journal:", 8) == 0;
    int length = snprintf(out_spec, bytes, "%s%s", whole ? "" : "itch:", file);
    if (*file && length > 0 && (uint64_t)length < bytes)
        return 0;
    return tbus_fail(err, -TBUS_ECONFIG,
                     "the arrivals \"%.60s\" name no file: write recorded:FILE or "
                     "recorded:journal:DIR",
                     text);
}

/* False: no memory. */
static bool add(feed_arrivals_t *a, uint64_t *room, uint64_t time_ns)
{
    if (a->count == *room) {
        uint64_t more = *room ? 2 * *room : FIRST_ROOM;
        uint64_t *times_ns = realloc(a->times_ns, more * sizeof *times_ns);
        if (!times_ns)
            return false;
        a->times_ns = times_ns;
        *room = more;
    }
    a->times_ns[a->count++] = time_ns;
    return true;
}

/* "itch:FILE@09:30": the place is cut off. A file whose own name ends so is that file. */
static void split_from(char *spec, uint64_t *out_from_ns)
{
    char *at = strrchr(spec, '@'), *path = strchr(spec, ':');
    *out_from_ns = FEED_TIME_NONE;
    if (at && path && access(path + 1, F_OK) != 0 &&
        feed_time_parse(at + 1, out_from_ns, NULL) == 0)
        *at = 0;
}

/* Times that go back keep the place of the latest, as in pace.h. `*out_beyond_ns`: the first time
 * that was found behind the span; 0: none was. */
static int read_times(feed_source_t *source, uint64_t from_ns, uint64_t span_ns,
                      uint64_t gap_ns_max, feed_arrivals_t *a, uint64_t *out_beyond_ns,
                      tbus_error_t *err)
{
    feed_timeline_t line;
    uint64_t first_ns = 0, latest_ns = 0, room = 0, time_ns;
    size_t bytes;
    int rc = FEED_SOURCE_END;
    tick_t *tick = aligned_alloc(64, (TICK_LEN_MAX + 63) / 64 * 64);
    *out_beyond_ns = 0;
    feed_timeline_init(&line, source->daily, from_ns, FEED_TIME_NONE, gap_ns_max);
    while (tick && a->count < FEED_ARRIVALS_MAX &&
           (rc = feed_source_next(source, tick, &bytes)) == FEED_SOURCE_TICK) {
        if (source->warm_up || source->time_ns == FEED_TIME_NONE)
            continue;
        if (feed_timeline_next(&line, source->time_ns, &time_ns) == FEED_BEFORE)
            continue;
        if (a->count == 0)
            first_ns = latest_ns = time_ns;
        latest_ns = time_ns > latest_ns ? time_ns : latest_ns;
        if (latest_ns - first_ns > span_ns) {
            *out_beyond_ns = latest_ns - first_ns;
            break;
        }
        if (!add(a, &room, latest_ns - first_ns)) {
            free(tick);
            return tbus_fail(err, -ENOMEM, "no memory for the times of %llu messages",
                             (unsigned long long)a->count);
        }
    }
    free(tick);
    if (!tick)
        return tbus_fail(err, -ENOMEM, "no memory for a message");
    if (rc < 0 && err)
        *err = source->error;
    return rc < 0 ? rc : 0;
}

/* As far behind the last time as two are apart on average; of a file that is over sooner, after
 * LAP_NS_MIN: a thousand messages of one time, again and again, are no schedule. */
static uint64_t lap_ns(const feed_arrivals_t *a)
{
    uint64_t last_ns = a->times_ns[a->count - 1];
    uint64_t whole_ns = last_ns ? last_ns + last_ns / (a->count - 1) : 0;
    return whole_ns > LAP_NS_MIN ? whole_ns : LAP_NS_MIN;
}

int feed_arrivals_read(const char *spec, uint64_t span_ns, uint64_t gap_ns_max,
                       feed_arrivals_t *out_arrivals, tbus_error_t *err)
{
    feed_source_t *source;
    feed_arrivals_t a = {0};
    uint64_t from_ns, beyond_ns;
    char path[TBUS_PARAM_TEXT_MAX + 8];
    if ((size_t)snprintf(path, sizeof path, "%s", spec) >= sizeof path)
        return tbus_fail(err, -TBUS_ECONFIG, "%.80s... is too long a name for a file", spec);
    split_from(path, &from_ns);
    int rc = feed_source_open(path, FEED_CLOCK_MARKET, &source, err);
    if (rc != 0)
        return rc;
    rc = read_times(source, from_ns, span_ns, gap_ns_max, &a, &beyond_ns, err);
    feed_source_close(source);
    if (rc == 0 && a.count == 0)
        rc = tbus_fail(err, -TBUS_ECONFIG, "%.80s has no message with a time%s%s: no arrivals",
                       path, from_ns == FEED_TIME_NONE ? "" : " at or after ",
                       from_ns == FEED_TIME_NONE ? "" : path + strlen(path) + 1);
    if (rc != 0) {
        feed_arrivals_clear(&a);
        return rc;
    }
    a.lap_ns = beyond_ns ? beyond_ns : lap_ns(&a); /* not before the file's own next time */
    *out_arrivals = a;
    return 0;
}

void feed_arrivals_clear(feed_arrivals_t *a)
{
    free(a->times_ns);
    *a = (feed_arrivals_t){0};
}
