/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/timeline.h"

#include <string.h>

#include "feedsim/number.h"

#define SECOND_NS UINT64_C(1000000000)
#define HOURS_MAX 999u

void feed_timeline_init(feed_timeline_t *t, bool daily, uint64_t from_ns, uint64_t to_ns,
                        uint64_t gap_ns_max)
{
    *t = (feed_timeline_t){.daily = daily,
                           .from_ns = from_ns,
                           .to_ns = to_ns,
                           .gap_ns_max = gap_ns_max,
                           .window = from_ns == FEED_TIME_NONE ? FEED_WITHIN : FEED_BEFORE};
}

static void start(feed_timeline_t *t, uint64_t time_ns)
{
    t->started = true;
    t->first_ns = t->latest_ns = time_ns;
    if (t->from_ns != FEED_TIME_NONE && t->from_ns + FEED_NEW_DAY_NS < time_ns)
        t->from_ns += FEED_DAY_NS;
    if (t->to_ns == FEED_TIME_NONE)
        return;
    if (t->to_ns + FEED_NEW_DAY_NS < time_ns)
        t->to_ns += FEED_DAY_NS;
    while (t->from_ns != FEED_TIME_NONE && t->to_ns <= t->from_ns)
        t->to_ns += FEED_DAY_NS;
}

static uint64_t place(feed_timeline_t *t, uint64_t time_ns)
{
    while (t->day_ns + time_ns + FEED_NEW_DAY_NS < t->latest_ns)
        t->day_ns += FEED_DAY_NS;
    uint64_t at_ns = t->day_ns + time_ns;
    /* Midnight has passed, and this is from shortly before it. */
    if (t->day_ns != 0 && at_ns - FEED_DAY_NS + FEED_LATE_NS >= t->latest_ns)
        at_ns -= FEED_DAY_NS;
    return at_ns;
}

static void move_on(feed_timeline_t *t, uint64_t at_ns)
{
    uint64_t gap_ns = at_ns - t->latest_ns;
    t->latest_ns = at_ns;
    if (t->window == FEED_WITHIN && gap_ns > t->gap_ns_max)
        t->skipped_ns += gap_ns - t->gap_ns_max;
    if (t->window == FEED_BEFORE && at_ns >= t->from_ns)
        t->window = FEED_WITHIN;
    if (at_ns >= t->to_ns)
        t->window = FEED_BEHIND;
}

enum feed_window feed_timeline_next(feed_timeline_t *t, uint64_t time_ns, uint64_t *out_ns)
{
    *out_ns = FEED_TIME_NONE;
    if (time_ns == FEED_TIME_NONE)
        return t->window;
    if (!t->started)
        start(t, time_ns);
    uint64_t at_ns = t->daily ? place(t, time_ns) : time_ns;
    if (at_ns >= t->latest_ns)
        move_on(t, at_ns);
    *out_ns = at_ns > t->skipped_ns ? at_ns - t->skipped_ns : 0;
    return t->window;
}

/* Up to `digits_max` decimal digits at *at, which moves behind them. */
static bool read_digits(const char **at, size_t digits_max, uint64_t *out_value, size_t *out_digits)
{
    size_t digits = strspn(*at, "0123456789");
    if (digits == 0 || digits > digits_max)
        return false;
    *out_value = 0;
    for (size_t i = 0; i < digits; i++)
        *out_value = *out_value * 10 + (uint64_t)(*(*at)++ - '0');
    *out_digits = digits;
    return true;
}

/* ":30", below 60. */
static bool read_sixtieth(const char **at, uint64_t *out_value)
{
    size_t digits;
    return *(*at)++ == ':' && read_digits(at, 2, out_value, &digits) && digits == 2 &&
           *out_value < 60;
}

int feed_time_parse(const char *text, uint64_t *out_ns, tbus_error_t *err)
{
    const char *at = text;
    uint64_t hours, minutes, seconds = 0, fraction = 0;
    size_t digits;
    bool good =
        read_digits(&at, 3, &hours, &digits) && hours <= HOURS_MAX && read_sixtieth(&at, &minutes);
    if (good && *at == ':') {
        good = read_sixtieth(&at, &seconds);
        if (good && *at == '.') {
            at++;
            good = read_digits(&at, 9, &fraction, &digits);
            for (; good && digits < 9; digits++)
                fraction *= 10;
        }
    }
    if (!good || *at != '\0')
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the time \"%.60s\" is not understood: write HH:MM, HH:MM:SS or "
                         "HH:MM:SS.FRACTION; hours from 24 on are of the next day",
                         text);
    *out_ns = ((hours * 60 + minutes) * 60 + seconds) * SECOND_NS + fraction;
    return 0;
}

int feed_place_parse(const char *text, uint64_t *out_ns, uint64_t *out_seq, tbus_error_t *err)
{
    static const char prefix[] = "seq:";
    *out_seq = 0;
    if (strncmp(text, prefix, sizeof prefix - 1) != 0)
        return feed_time_parse(text, out_ns, err);
    uint64_t seq = 0;
    const char *at = text + sizeof prefix - 1;
    bool good = *at != 0;
    for (; good && *at; at++)
        good = *at >= '0' && *at <= '9' && !__builtin_mul_overflow(seq, 10, &seq) &&
               !__builtin_add_overflow(seq, (uint64_t)(*at - '0'), &seq);
    if (!good || seq == 0)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the place \"%.60s\" is not understood: write seq:N, N from 1", text);
    *out_ns = FEED_TIME_NONE;
    *out_seq = seq;
    return 0;
}

int feed_duration_parse(const char *text, uint64_t *out_ns, tbus_error_t *err)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ns", 1},        {"us", 1000},          {"ms", 1000000},
                 {"s", SECOND_NS}, {"m", 60 * SECOND_NS}, {"h", 3600 * SECOND_NS}};
    size_t length = strspn(text, "0123456789.");
    uint64_t milli, ns;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + length, units[i].name) != 0 ||
            !number_parse_milli(text, length, &milli) ||
            __builtin_mul_overflow(milli, units[i].ns, &ns) || ns < 1000)
            continue;
        *out_ns = ns / 1000;
        return 0;
    }
    return tbus_fail(err, -TBUS_ECONFIG,
                     "the duration \"%.60s\" is not understood: write 500ms, 10s, 1.5m or 2h",
                     text);
}
