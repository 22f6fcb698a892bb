/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/pace.h"

#include <string.h>

#include "feedsim/number.h"

#define MILLI       UINT64_C(1000)
#define NUMBER_MAX  UINT64_C(1000000000)
#define SCALE_SHIFT 48
#define PICO_PER_S  UINT64_C(1000000000000) /* thousandths of a ns, as rates are in thousandths */

static bool ends_with(const char *text, const char *end, size_t *out_length)
{
    size_t length = strlen(text), end_length = strlen(end);
    if (length < end_length || strcmp(text + length - end_length, end) != 0)
        return false;
    *out_length = length - end_length;
    return true;
}

static bool parse_number(const char *text, size_t length, uint64_t *out_milli)
{
    uint64_t milli;
    if (!number_parse_milli(text, length, &milli) || milli == 0 || milli > NUMBER_MAX * MILLI)
        return false;
    *out_milli = milli;
    return true;
}

int feed_pace_parse(const char *text, feed_pace_t *out_pace, tbus_error_t *err)
{
    feed_pace_t p = {.kind = FEED_PACE_MAX};
    size_t length;
    uint64_t milli;
    if (strcmp(text, "max") == 0) {
        p.kind = FEED_PACE_MAX;
    } else if (strcmp(text, "realtime") == 0) {
        p.kind = FEED_PACE_TIMED;
        p.scale = UINT64_C(1) << SCALE_SHIFT;
    } else if (ends_with(text, "x", &length) && parse_number(text, length, &milli)) {
        p.kind = FEED_PACE_TIMED;
        p.scale = (MILLI << SCALE_SHIFT) / milli;
    } else if (ends_with(text, "/s", &length) && parse_number(text, length, &milli)) {
        p.kind = FEED_PACE_RATE;
        p.divisor = milli;
        p.step_ns = PICO_PER_S / milli;
        p.step_part = PICO_PER_S % milli;
    } else {
        return tbus_fail(
            err, -TBUS_ECONFIG,
            "the pace \"%s\" is not understood: write max, realtime, a factor such as 10x, or a "
            "rate such as 200k/s",
            text);
    }
    *out_pace = p;
    return 0;
}

/* The scale is rounded down by less than 2^-48, so that over the 2^48 ns that a time can span the
 * schedule is off by less than 1 ns. */
static uint64_t next_timed(feed_pace_t *p, uint64_t time_ns)
{
    if (time_ns == FEED_TIME_NONE)
        return p->due_ns;
    if (!p->anchored) {
        p->anchored = true;
        p->anchor_ns = p->due_ns;
        p->first_ns = p->latest_ns = time_ns;
    }
    if (time_ns <= p->latest_ns)
        return p->due_ns;
    p->latest_ns = time_ns;
    return p->anchor_ns +
           (uint64_t)(((unsigned __int128)(time_ns - p->first_ns) * p->scale) >> SCALE_SHIFT);
}

static uint64_t next_at_rate(feed_pace_t *p)
{
    uint64_t due_ns = p->due_ns + p->step_ns;
    p->part += p->step_part;
    if (p->part >= p->divisor) {
        p->part -= p->divisor;
        due_ns++;
    }
    return due_ns;
}

uint64_t feed_pace_next(feed_pace_t *p, uint64_t time_ns, uint64_t now_ns)
{
    bool first = !p->started;
    if (first || p->kind == FEED_PACE_MAX) {
        p->started = true;
        p->due_ns = now_ns;
    }
    if (p->kind == FEED_PACE_TIMED)
        p->due_ns = next_timed(p, time_ns);
    else if (p->kind == FEED_PACE_RATE && !first)
        p->due_ns = next_at_rate(p);
    return p->due_ns;
}

uint64_t feed_pace_ahead_ns(const feed_pace_t *p, uint64_t now_ns)
{
    if (p->kind != FEED_PACE_TIMED || p->due_ns <= now_ns || p->scale == 0)
        return 0;
    unsigned __int128 ahead = ((unsigned __int128)(p->due_ns - now_ns) << SCALE_SHIFT) / p->scale;
    return ahead > UINT64_MAX ? UINT64_MAX : (uint64_t)ahead;
}
