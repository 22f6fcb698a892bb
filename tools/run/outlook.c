/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/outlook.h"

#include <stdio.h>

#define SECOND_NS        UINT64_C(1000000000)
#define WAITING_DONE_MAX 0.99
#define ESTIMATED_NS     (SECOND_NS / 2) /* a rate over less says nothing */

static void look_at_input(const tbus_bus_t *bus, uint64_t running_ns, outlook_t *o)
{
    uint64_t done = tbus_counter_value(bus, "feed.done");
    uint64_t total = tbus_counter_value(bus, "feed.total");
    if (total == 0)
        return;
    o->done = done < total ? (double)done / (double)total : 1;
    if (done >= total)
        o->left_s = 0;
    else if (done != 0 && running_ns >= ESTIMATED_NS)
        o->left_s = (double)running_ns / 1e9 * (1 - o->done) / o->done;
}

/* What was given may be over before the input is. */
static void look_at_limit(uint64_t running_ns, uint64_t for_ns, outlook_t *o)
{
    uint64_t left_ns = for_ns > running_ns ? for_ns - running_ns : 0;
    double left_s = (double)left_ns / 1e9;
    if (for_ns == 0 || (o->left_s >= 0 && o->left_s < left_s))
        return;
    o->limited = true;
    o->left_s = left_s;
    o->done = 1 - (double)left_ns / (double)for_ns;
}

static void look_at_next(const tbus_bus_t *bus, outlook_t *o)
{
    uint64_t due_ns = tbus_counter_value(bus, "feed.due_ns"), now_ns = tbus_clock_ns();
    uint64_t time_ns = tbus_counter_value(bus, "feed.due_time_ns");
    if (due_ns <= now_ns)
        return;
    o->next_s = (double)(due_ns - now_ns) / 1e9;
    /* It has been read, and may be the last one; but it is not out yet. */
    if (o->done > WAITING_DONE_MAX)
        o->done = WAITING_DONE_MAX;
    if (o->left_s >= 0 && o->left_s < o->next_s && !o->limited)
        o->left_s = o->next_s;
    if (time_ns == UINT64_MAX) /* it carries none */
        return;
    unsigned milli = (unsigned)(time_ns / 1000000 % 1000);
    unsigned seconds = (unsigned)(time_ns / SECOND_NS % 86400);
    snprintf(o->next_at, sizeof o->next_at, "%02u:%02u:%02u.%03u", seconds / 3600,
             seconds / 60 % 60, seconds % 60, milli);
}

outlook_t outlook_of(const tbus_bus_t *bus, uint64_t running_ns, uint64_t for_ns)
{
    outlook_t o = {.done = -1, .left_s = -1, .next_s = -1};
    look_at_input(bus, running_ns, &o);
    look_at_limit(running_ns, for_ns, &o);
    look_at_next(bus, &o);
    return o;
}

const char *outlook_duration(double seconds, char out_text[OUTLOOK_TEXT_MAX])
{
    unsigned long long whole = seconds < 1e15 ? (unsigned long long)(seconds + 0.999) : 0;
    if (whole < 60)
        snprintf(out_text, OUTLOOK_TEXT_MAX, "%llu s", whole);
    else if (whole < 3600)
        snprintf(out_text, OUTLOOK_TEXT_MAX, "%llu min %llu s", whole / 60, whole % 60);
    else
        snprintf(out_text, OUTLOOK_TEXT_MAX, "%llu h %llu min", whole / 3600, whole / 60 % 60);
    return out_text;
}
