/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/stamp_clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bus/run/stamps.h"

#define READS_A_TIME 16u
#define COST_ROUNDS  20u
#define COST_LOOKS   2000u
#define CLOCKSOURCE  "/sys/devices/system/clocksource/clocksource0/current_clocksource"

bool stamp_clock_trusts_counter(void)
{
    char name[32] = "";
    FILE *f = fopen(CLOCKSOURCE, "re");
    if (f && !fgets(name, sizeof name, f))
        name[0] = 0;
    if (f)
        fclose(f);
    name[strcspn(name, "\n")] = 0;
#if defined(__x86_64__)
    return strcmp(name, "tsc") == 0;
#elif defined(__aarch64__)
    return strcmp(name, "arch_sys_counter") == 0;
#else
    return false;
#endif
}

void stamp_clock_init(stamp_clock_t *c, bool ticks)
{
    c->ticks = ticks;
    c->count = 0;
    c->every_ns = STAMP_CLOCK_EVERY_NS;
}

/* Every other reading goes, and they become rarer. */
static void thin_out(stamp_clock_t *c)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->count; i += 2)
        c->readings[kept++] = c->readings[i];
    c->count = kept;
    c->every_ns *= 2;
}

void stamp_clock_add(stamp_clock_t *c, uint64_t ticks, uint64_t ns)
{
    if (c->count == STAMP_CLOCK_READINGS_MAX)
        thin_out(c);
    c->readings[c->count++] = (stamp_reading_t){.ticks = ticks, .ns = ns};
}

void stamp_clock_read(stamp_clock_t *c, bool last)
{
    uint64_t now_ns = tbus_clock_ns(), narrowest_ns = UINT64_MAX;
    stamp_reading_t best = {0};
    if (!c->ticks)
        return;
    if (!last && c->count && now_ns - c->readings[c->count - 1].ns < c->every_ns)
        return;
    for (unsigned i = 0; i < READS_A_TIME; i++) {
        uint64_t before_ns = tbus_clock_ns();
        uint64_t ticks = tbus_clock_ticks();
        uint64_t wide_ns = tbus_clock_ns() - before_ns;
        if (wide_ns >= narrowest_ns)
            continue;
        narrowest_ns = wide_ns;
        best = (stamp_reading_t){.ticks = ticks, .ns = before_ns + wide_ns / 2};
    }
    if (c->count == 0 || best.ticks > c->readings[c->count - 1].ticks)
        stamp_clock_add(c, best.ticks, best.ns);
}

/* On the line through two readings; it may lie before or behind them. */
static uint64_t on_line(const stamp_reading_t *a, const stamp_reading_t *b, uint64_t ticks)
{
    double rate = (double)(b->ns - a->ns) / (double)(b->ticks - a->ticks);
    double ns = (double)(int64_t)(ticks - a->ticks) * rate;
    return a->ns + (uint64_t)(int64_t)llround(ns);
}

uint64_t stamp_clock_ns(const stamp_clock_t *c, uint64_t stamp)
{
    if (!c->ticks || c->count < 2)
        return stamp;
    uint32_t low = 0, high = c->count - 2; /* the pair of readings around it, by its first */
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (c->readings[middle].ticks <= stamp)
            low = middle;
        else
            high = middle - 1;
    }
    return on_line(&c->readings[low], &c->readings[low + 1], stamp);
}

double stamp_clock_drift_ns(const stamp_clock_t *c)
{
    double most = 0;
    for (uint32_t i = 1; i + 1 < c->count; i++) {
        uint64_t expected =
            on_line(&c->readings[0], &c->readings[c->count - 1], c->readings[i].ticks);
        most = fmax(most, fabs((double)(int64_t)(c->readings[i].ns - expected)));
    }
    return most;
}

double stamp_clock_cost_ns(bool ticks)
{
    const tbus_stamps_t stamps = {.ticks = ticks};
    double least = INFINITY;
    for (unsigned round = 0; round < COST_ROUNDS; round++) {
        uint64_t began_ns = tbus_clock_ns();
        for (unsigned i = 0; i < COST_LOOKS; i++) {
            uint64_t now = tbus_stamps_now(&stamps);
            __asm__ __volatile__("" ::"r"(now)); /* as if it were put down */
        }
        least = fmin(least, (double)(tbus_clock_ns() - began_ns) / COST_LOOKS);
    }
    return least;
}
