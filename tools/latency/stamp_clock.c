/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/stamp_clock.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "bus/run/stamps.h"

#define READS_A_TIME 16u
#define COST_ROUNDS  20u
#define COST_LOOKS   2000u
#define AGREE_NS     UINT64_C(10000000)
#define AGREE_NS_MAX 300
#define CLOCKSOURCE  "/sys/devices/system/clocksource/clocksource0/current_clocksource"

#if defined(__x86_64__)
#define COUNTER_SOURCES "tsc", "kvm-clock", "hyperv_clocksource_tsc_page", NULL
#elif defined(__aarch64__)
#define COUNTER_SOURCES "arch_sys_counter", NULL
#else
#define COUNTER_SOURCES NULL
#endif

/* Does the kernel take its time from the counter: itself, or through the host of a virtual machine?
 * A kernel that has found it wanting takes another one. */
static bool is_source(void)
{
    static const char *const sources[] = {COUNTER_SOURCES};
    char name[64] = "";
    FILE *f = fopen(CLOCKSOURCE, "re");
    if (f && !fgets(name, sizeof name, f))
        name[0] = 0;
    if (f)
        fclose(f);
    name[strcspn(name, "\n")] = 0;
    for (size_t i = 0; sources[i]; i++)
        if (strcmp(name, sources[i]) == 0)
            return true;
    return false;
}

/* Both clocks at one time, as nearly as can be. */
static stamp_reading_t read_both(void)
{
    uint64_t narrowest_ns = UINT64_MAX;
    stamp_reading_t best = {0};
    for (unsigned i = 0; i < READS_A_TIME; i++) {
        uint64_t before_ns = tbus_clock_ns();
        uint64_t ticks = tbus_clock_ticks();
        uint64_t wide_ns = tbus_clock_ns() - before_ns;
        if (wide_ns >= narrowest_ns)
            continue;
        narrowest_ns = wide_ns;
        best = (stamp_reading_t){.ticks = ticks, .ns = before_ns + wide_ns / 2};
    }
    return best;
}

/* On the line through two readings; it may lie before or behind them. */
static uint64_t on_line(const stamp_reading_t *a, const stamp_reading_t *b, uint64_t ticks)
{
    double rate = (double)(b->ns - a->ns) / (double)(b->ticks - a->ticks);
    double ns = (double)(int64_t)(ticks - a->ticks) * rate;
    return a->ns + (uint64_t)(int64_t)llround(ns);
}

/* Is the counter of each CPU that we may use on the line that the first one's is on, half before
 * and half after the others were read? A virtual machine may have them set differently. */
static bool cpus_agree(void)
{
    cpu_set_t allowed, one;
    stamp_reading_t others[CPU_SETSIZE];
    uint32_t count = 0;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        return false; /* more CPUs than a set has */
    stamp_reading_t first = {0};
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (!CPU_ISSET(cpu, &allowed) || sched_setaffinity(0, sizeof one, &one) < 0)
            continue;
        stamp_reading_t reading = read_both();
        if (first.ns == 0)
            first = reading;
        others[count++] = reading;
    }
    while (tbus_clock_ns() - first.ns < AGREE_NS) { /* the line is to be longer than its errors */
    }
    stamp_reading_t last = read_both();
    sched_setaffinity(0, sizeof allowed, &allowed);
    bool agree = count > 0 && last.ticks > first.ticks;
    for (uint32_t i = 0; agree && i < count; i++) {
        int64_t off_ns = (int64_t)(on_line(&first, &last, others[i].ticks) - others[i].ns);
        agree = off_ns > -AGREE_NS_MAX && off_ns < AGREE_NS_MAX;
    }
    return agree;
}

bool stamp_clock_trusts_counter(void)
{
    static int trusted = -1; /* not asked yet */
    if (trusted < 0)
        trusted = is_source() && cpus_agree();
    return trusted;
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
    uint64_t now_ns = tbus_clock_ns();
    if (!c->ticks)
        return;
    if (!last && c->count && now_ns - c->readings[c->count - 1].ns < c->every_ns)
        return;
    stamp_reading_t best = read_both();
    if (c->count == 0 || best.ticks > c->readings[c->count - 1].ticks)
        stamp_clock_add(c, best.ticks, best.ns);
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
