/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/measure/format.h"
#include "tools/run/outlook.h"
#include "tools/show/grouped.h"
#include "tools/show/terminal.h"

#define EVERY_NS       UINT64_C(200000000)
#define DUMB_EVERY_NS  UINT64_C(2000000000)
#define START_OF_LINE  "\r\033[K"
#define LINE_MAX_BYTES 256u

void progress_init(progress_t *progress, bool measured)
{
    *progress = (progress_t){
        .on = isatty(STDERR_FILENO) == 1, .dumb = terminal_is_dumb(), .measured = measured};
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

/* Of the terminal: a line that wraps could not be wiped. */
static size_t columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col - 1u : 79;
}

/* Append to `line` what fits into `room` bytes with the terminating zero. */
static void append(char *line, size_t room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *line, size_t room, const char *format, ...)
{
    size_t used = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    if (used < room)
        vsnprintf(line + used, room - used, format, arguments);
    va_end(arguments);
}

/* "  42 %, 17 s left", "  next message in 3 h 12 min (09:30:00.000)". */
static void append_outlook(char *line, size_t room, const outlook_t *o)
{
    char time[OUTLOOK_TEXT_MAX];
    if (o->done >= 0)
        append(line, room, "  %.0f %%", 100 * o->done);
    if (o->left_s >= 0 && o->next_s <= 1)
        append(line, room, ", %s left", outlook_duration(o->left_s, time));
    if (o->next_s <= 1)
        return;
    append(line, room, "  next message in %s", outlook_duration(o->next_s, time));
    if (o->next_at[0])
        append(line, room, " (%s)", o->next_at);
}

/* "  p50/p99: order 1.02 us/7.93 us, report 1.80 us/12.1 us", so far. */
static void append_latencies(char *line, size_t room, const tbus_bus_t *bus)
{
    static const char *const names[][2] = {{"tick_to_order", "order"},
                                           {"tick_to_report", "report"}};
    const char *before = "  p50/p99: ";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const tbus_histogram_t *h = tbus_bus_find_histogram(bus, names[i][0]);
        if (!h || tbus_load_relaxed_u64(&h->count) == 0)
            continue;
        append(line, room, "%s%s %s/%s", before, names[i][1],
               figure_ns((double)tbus_histogram_percentile(h, 500000)).text,
               figure_ns((double)tbus_histogram_percentile(h, 990000)).text);
        before = ", ";
    }
}

void progress_text(const progress_t *progress, const tbus_bus_t *bus, uint64_t running_ns,
                   uint64_t since_ns, uint64_t for_ns, char *out_text, size_t room)
{
    uint64_t messages = tbus_counter_value(bus, "feed.messages"), lag;
    const char *slowest = furthest_behind(bus, &lag);
    double rate = (double)(messages - progress->messages) * 1e9 / (double)since_ns;
    outlook_t outlook = outlook_of(bus, running_ns, for_ns);
    char texts[4][GROUPED_MAX];
    append(out_text, room, "%.1f s", (double)running_ns / 1e9);
    if (!progress->measured)
        append(out_text, room, "  %s messages", grouped((int64_t)messages, texts[0]));
    if (outlook.next_s <= 1)
        append(out_text, room, "  %s/s", grouped((int64_t)(rate + 0.5), texts[1]));
    if (progress->measured) { /* what is left of it is what --for says */
        outlook.left_s = -1;
        append_outlook(out_text, room, &outlook);
        append_latencies(out_text, room, bus);
    } else {
        append_outlook(out_text, room, &outlook);
        append(out_text, room, "  %s orders",
               grouped((int64_t)tbus_counter_value(bus, "orders.sent"), texts[2]));
    }
    if (lag)
        append(out_text, room, "  %s is %s behind", slowest, grouped((int64_t)lag, texts[3]));
}

void progress_show(progress_t *progress, talk_t *talk, const tbus_bus_t *bus, uint64_t started_ns,
                   uint64_t for_ns)
{
    uint64_t now_ns = tbus_clock_ns();
    uint64_t since_ns = now_ns - (progress->at_ns ? progress->at_ns : started_ns);
    /* A terminal that takes no more has no use for it. */
    if (!progress->on || since_ns < (progress->dumb ? DUMB_EVERY_NS : EVERY_NS) || talk_waits(talk))
        return;
    char line[LINE_MAX_BYTES] = "";
    const char *start = progress->dumb ? "" : START_OF_LINE;
    size_t room = strlen(start) + columns() + 1;
    append(line, sizeof line, "%s", start);
    progress_text(progress, bus, now_ns - started_ns, since_ns, for_ns, line,
                  room < sizeof line - 1 ? room : sizeof line - 1);
    if (progress->dumb)
        append(line, sizeof line, "\n");
    talk_text(talk, line, strlen(line));
    progress->shown = !progress->dumb;
    progress->at_ns = now_ns;
    progress->messages = tbus_counter_value(bus, "feed.messages");
}

void progress_wipe(progress_t *progress, talk_t *talk)
{
    if (progress->shown)
        talk_text(talk, "\r\033[K", 4);
    progress->shown = false;
}
