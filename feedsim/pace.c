/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/pace.h"

#include <string.h>

#include "feedsim/number.h"
#include "feedsim/synth/exponential.h"

#define MILLI       UINT64_C(1000)
#define NUMBER_MAX  UINT64_C(1000000000)
#define SCALE_SHIFT 48
#define BURST_MAX   UINT64_C(1000000)
#define MEAN_SHIFT  20
#define PART_SHIFT  52                      /* that, and the 32 of a drawn share */
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

/* What follows "NAME", behind a colon if there is one; NULL: it is another name. */
static const char *after_name(const char *text, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(text, name, length) != 0 || (text[length] != ':' && text[length] != 0))
        return NULL;
    return text[length] ? text + length + 1 : text + length;
}

/* A whole number, "" as `otherwise`. */
static bool parse_whole(const char *text, uint64_t otherwise, uint64_t *out_value)
{
    uint64_t milli = otherwise * MILLI;
    if (*text && (!number_parse_milli(text, strlen(text), &milli) || milli % MILLI != 0))
        return false;
    *out_value = milli / MILLI;
    return true;
}

int feed_pace_set_arrivals(feed_pace_t *pace, const char *text, tbus_error_t *err)
{
    const char *seed_text = after_name(text, "poisson"), *burst_text = after_name(text, "burst");
    uint64_t seed = 0, burst = 0;
    if (strcmp(text, "constant") == 0)
        return 0;
    if (!(seed_text && parse_whole(seed_text, 1, &seed)) &&
        !(burst_text && *burst_text && parse_whole(burst_text, 0, &burst) && burst > 0 &&
          burst <= BURST_MAX))
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the arrivals \"%.60s\" are not understood: write constant, poisson, "
                         "poisson:SEED, burst:N or recorded:FILE",
                         text);
    if (pace->kind != FEED_PACE_RATE)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the arrivals \"%.60s\" need a rate as the pace, such as 200k/s", text);
    pace->burst = (uint32_t)burst;
    pace->poisson = seed_text != NULL;
    pace->mean_q20 = (pace->step_ns << MEAN_SHIFT) +
                     (uint64_t)(((unsigned __int128)pace->step_part << MEAN_SHIFT) / pace->divisor);
    random_seed(&pace->random, seed);
    return 0;
}

static uint64_t next_drawn(feed_pace_t *p)
{
    uint64_t means_q32 = exponential_of_q32(random_next(&p->random));
    unsigned __int128 gap_q52 = (unsigned __int128)means_q32 * p->mean_q20 + p->drawn_part_q52;
    p->drawn_part_q52 = (uint64_t)gap_q52 & ((UINT64_C(1) << PART_SHIFT) - 1);
    return p->due_ns + (uint64_t)(gap_q52 >> PART_SHIFT);
}

/* The schedule goes on evenly; a burst is due when its first message would be. */
static uint64_t next_even(feed_pace_t *p)
{
    p->even_ns += p->step_ns;
    p->part += p->step_part;
    if (p->part >= p->divisor) {
        p->part -= p->divisor;
        p->even_ns++;
    }
    if (p->burst_left != 0) {
        p->burst_left--;
        return p->due_ns;
    }
    p->burst_left = p->burst ? p->burst - 1 : 0;
    return p->even_ns;
}

static uint64_t next_at_rate(feed_pace_t *p)
{
    return p->poisson ? next_drawn(p) : next_even(p);
}

uint64_t feed_pace_next(feed_pace_t *p, uint64_t time_ns, uint64_t now_ns)
{
    bool first = !p->started;
    if (first || p->kind == FEED_PACE_MAX) {
        p->started = true;
        p->due_ns = p->even_ns = now_ns;
        p->burst_left = p->burst ? p->burst - 1 : 0;
    }
    if (p->kind == FEED_PACE_TIMED)
        p->due_ns = next_timed(p, time_ns);
    else if (p->kind == FEED_PACE_RATE && !first)
        p->due_ns = next_at_rate(p);
    return p->due_ns;
}

uint64_t feed_pace_span_ns(const feed_pace_t *p, uint64_t ns)
{
    if (p->kind != FEED_PACE_TIMED || p->scale == 0)
        return 0;
    unsigned __int128 span_ns = ((unsigned __int128)ns << SCALE_SHIFT) / p->scale;
    return span_ns > UINT64_MAX ? UINT64_MAX : (uint64_t)span_ns;
}

uint64_t feed_pace_ahead_ns(const feed_pace_t *p, uint64_t now_ns)
{
    return p->due_ns > now_ns ? feed_pace_span_ns(p, p->due_ns - now_ns) : 0;
}
