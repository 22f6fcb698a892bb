/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "tools/show/grouped.h"

#define EVERY_NS UINT64_C(200000000)

void progress_init(progress_t *progress)
{
    *progress = (progress_t){.on = isatty(STDERR_FILENO) == 1};
}

/* The gating subscriber that is furthest behind on any topic. */
static const char *furthest_behind(const tbus_bus_t *bus, uint64_t *out_lag)
{
    const char *name = "";
    *out_lag = 0;
    for (uint32_t i = 0; i < bus->topics_count; i++) {
        uint64_t lag = 0;
        int sub = tbus_ring_slowest(&bus->rings[i], &lag);
        if (sub >= 0 && lag >= *out_lag) {
            *out_lag = lag;
            name = bus->rings[i].shared->subs[sub].name;
        }
    }
    return name;
}

void progress_show(progress_t *progress, talk_t *talk, const tbus_bus_t *bus, uint64_t started_ns)
{
    uint64_t now_ns = tbus_clock_ns();
    uint64_t since_ns = now_ns - (progress->at_ns ? progress->at_ns : started_ns);
    /* A terminal that takes no more has no use for it. */
    if (!progress->on || since_ns < EVERY_NS || talk_waits(talk))
        return;
    uint64_t messages = tbus_counter_value(bus, "feed.messages");
    uint64_t lag;
    const char *slowest = furthest_behind(bus, &lag);
    double rate = (double)(messages - progress->messages) * 1e9 / (double)since_ns;
    char texts[4][GROUPED_MAX], line[256];
    size_t used =
        (size_t)snprintf(line, sizeof line, "\r\033[K%.1f s  %s messages  %s/s  %s orders",
                         (double)(now_ns - started_ns) / 1e9, grouped((int64_t)messages, texts[0]),
                         grouped((int64_t)(rate + 0.5), texts[1]),
                         grouped((int64_t)tbus_counter_value(bus, "orders.sent"), texts[2]));
    if (lag && used < sizeof line)
        used += (size_t)snprintf(line + used, sizeof line - used, "  %s is %s behind", slowest,
                                 grouped((int64_t)lag, texts[3]));
    talk_text(talk, line, used < sizeof line ? used : sizeof line - 1);
    progress->shown = true;
    progress->at_ns = now_ns;
    progress->messages = messages;
}

void progress_wipe(progress_t *progress, talk_t *talk)
{
    if (progress->shown)
        talk_text(talk, "\r\033[K", 4);
    progress->shown = false;
}
