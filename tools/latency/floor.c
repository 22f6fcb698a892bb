/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/floor.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <tickbus/atomic.h>
#include <tickbus/clock.h>

#define PAGE_BYTES 4096u /* for each line: neither neighbours nor fetched together */
/* So long after the sides have met the schedule begins: both are back from the kernel. */
#define BEGIN_NS UINT64_C(2000000)
/* A schedule that is kept takes as long as it is; one that is not, on a host that stands still, so
 * much longer at most. */
#define GRACE_NS UINT64_C(20000000000)

/* One of the measurements; in every side the same, in memory that was mapped before the fork. */
typedef struct measured {
    const floor_spec_t *spec;
    tbus_atomic_u64_t *lines[2];         /* written by: the side of the same index */
    tbus_atomic_u64_t *begin_ns;         /* written by: the first side */
    uint64_t *latency_ns;                /* of the paced line: written by who looks */
    uint64_t *hiccup_ns[FLOOR_CPUS_MAX]; /* written by: the side of the same index */
    uint32_t *ping_pong_ns;              /* written by: the first side */
} measured_t;

/* After the beginning. */
static inline uint64_t due_ns(const measured_t *m, size_t i)
{
    return m->spec->due_ns[i] - m->spec->origin_ns;
}

/* Shorter than 8 x PAUSE: what is measured is the line. */
static inline void look_again(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* When the schedule begins; all sides say the same. */
static uint64_t agree_on_begin(side_t *me, const measured_t *m)
{
    if (me->index == 0)
        tbus_store_relaxed_u64(m->begin_ns, tbus_clock_ns() + BEGIN_NS);
    sides_meet(me);
    return tbus_load_relaxed_u64(m->begin_ns);
}

static uint64_t wait_until(uint64_t ns)
{
    uint64_t now_ns;
    while ((now_ns = tbus_clock_ns()) < ns)
        look_again();
    return now_ns;
}

/* --- the paced line */

static void send_in_time(const measured_t *m, uint64_t begin_ns)
{
    for (size_t i = 0; i < m->spec->count; i++) {
        wait_until(begin_ns + due_ns(m, i));
        tbus_store_release_u64(m->lines[0], i + 1); /* hint: the word is the message */
    }
}

static void watch_the_line(const measured_t *m, uint64_t begin_ns)
{
    for (size_t seen = 0; seen < m->spec->count;) {
        uint64_t number = tbus_load_acquire_u64(m->lines[0]); /* hint: the word is the message */
        if (number == seen) {
            look_again();
            continue;
        }
        uint64_t now_ns = tbus_clock_ns();
        for (; seen < number; seen++)
            m->latency_ns[seen] = now_ns - begin_ns - due_ns(m, seen);
    }
}

/* Both in one: what is left is the wait for the time, a store, a load and a look at the clock. */
static void send_and_look(const measured_t *m, uint64_t begin_ns)
{
    for (size_t i = 0; i < m->spec->count; i++) {
        wait_until(begin_ns + due_ns(m, i));
        tbus_store_release_u64(m->lines[0], i + 1); /* hint: the word is the message */
        (void)tbus_load_acquire_u64(m->lines[0]);   /* hint: the same */
        m->latency_ns[i] = tbus_clock_ns() - begin_ns - due_ns(m, i);
    }
}

static int paced_line(side_t *me, void *context)
{
    const measured_t *m = context;
    uint64_t begin_ns = agree_on_begin(me, m);
    if (me->count == 1)
        send_and_look(m, begin_ns);
    else if (me->index == 0)
        send_in_time(m, begin_ns);
    else
        watch_the_line(m, begin_ns);
    return 0;
}

/* --- hiccup */

static int hiccup(side_t *me, void *context)
{
    const measured_t *m = context;
    uint64_t *latency_ns = m->hiccup_ns[me->index];
    uint64_t begin_ns = agree_on_begin(me, m);
    for (size_t i = 0; i < m->spec->count;) {
        uint64_t now_ns = wait_until(begin_ns + due_ns(m, i));
        for (; i < m->spec->count && begin_ns + due_ns(m, i) <= now_ns; i++)
            latency_ns[i] = now_ns - begin_ns - due_ns(m, i);
    }
    return 0;
}

/* --- ping-pong */

static void await_number(const tbus_atomic_u64_t *line, uint64_t number)
{
    while (tbus_load_acquire_u64(line) != number) /* hint: the word is the message */
        look_again();
}

static int ping_pong(side_t *me, void *context)
{
    const measured_t *m = context;
    sides_meet(me);
    uint64_t then_ns = tbus_clock_ns();
    for (uint64_t number = 1; number <= FLOOR_ROUND_TRIPS; number++) {
        if (me->index == 1)
            await_number(m->lines[0], number);
        tbus_store_release_u64(m->lines[me->index], number); /* hint: the word is the message */
        if (me->index == 1)
            continue;
        await_number(m->lines[1], number);
        uint64_t now_ns = tbus_clock_ns();
        uint64_t half_ns = (now_ns - then_ns) / 2;
        m->ping_pong_ns[number - 1] = half_ns < UINT32_MAX ? (uint32_t)half_ns : UINT32_MAX;
        then_ns = now_ns;
    }
    return 0;
}

/* --- all of them */

static int run_sides(const measured_t *m, const char *what, unsigned count, side_run_t run,
                     uint64_t limit_ns, tbus_error_t *err)
{
    sides_spec_t sides = {.what = what, .count = count, .run = run, .context = (void *)m};
    memcpy(sides.cpus, m->spec->cpus, sizeof m->spec->cpus);
    for (unsigned i = 0; i < 2; i++)
        tbus_store_relaxed_u64(m->lines[i], 0);
    return sides_run(&sides, limit_ns, err);
}

static int measure_all(const measured_t *m, tbus_error_t *err)
{
    uint32_t cpus = m->spec->cpus_count;
    unsigned line_sides = cpus > 1 ? 2 : 1;
    uint64_t limit_ns = due_ns(m, m->spec->count - 1) + GRACE_NS;
    int code = 0;
    if (line_sides == 2)
        code = run_sides(m, "ping-pong", 2, ping_pong, GRACE_NS, err);
    if (code == 0)
        code = run_sides(m, "paced line", line_sides, paced_line, limit_ns, err);
    return code < 0 ? code : run_sides(m, "hiccup", cpus, hiccup, limit_ns, err);
}

static int check(const floor_spec_t *spec, tbus_error_t *err)
{
    if (spec->count == 0 || spec->cpus_count == 0 || spec->cpus_count > FLOOR_CPUS_MAX)
        return tbus_fail(err, -EINVAL, "floor: no schedule, or none of 1 to %u CPUs",
                         FLOOR_CPUS_MAX);
    if (spec->due_ns[0] < spec->origin_ns)
        return tbus_fail(err, -EINVAL, "floor: the first message is due before it begins");
    for (size_t i = 1; i < spec->count; i++)
        if (spec->due_ns[i] < spec->due_ns[i - 1])
            return tbus_fail(err, -EINVAL, "floor: message %zu is due before the one before it", i);
    return 0;
}

int floor_measure(const floor_spec_t *spec, floor_t *out_floor, tbus_error_t *err)
{
    int code = check(spec, err);
    if (code < 0)
        return code;
    size_t array = spec->count * sizeof(uint64_t);
    size_t bytes =
        3 * PAGE_BYTES + (1 + spec->cpus_count) * array + FLOOR_ROUND_TRIPS * sizeof(uint32_t);
    /* populated: a page fault of a side would be measured */
    unsigned char *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        return tbus_fail(err, -errno, "floor: no memory for %zu latencies: %s", spec->count,
                         strerror(errno));
    uint64_t *arrays = (uint64_t *)(void *)(memory + 3 * PAGE_BYTES);
    measured_t m = {.spec = spec, .latency_ns = arrays};
    m.lines[0] = (tbus_atomic_u64_t *)(void *)memory;
    m.lines[1] = (tbus_atomic_u64_t *)(void *)(memory + PAGE_BYTES);
    m.begin_ns = (tbus_atomic_u64_t *)(void *)(memory + 2 * PAGE_BYTES);
    for (uint32_t i = 0; i < spec->cpus_count; i++)
        m.hiccup_ns[i] = arrays + (1 + i) * spec->count;
    m.ping_pong_ns = (uint32_t *)(void *)(arrays + (1 + spec->cpus_count) * spec->count);
    code = measure_all(&m, err);
    if (code < 0) {
        munmap(memory, bytes);
        return code;
    }
    for (uint32_t cpu = 1; cpu < spec->cpus_count; cpu++)
        for (size_t i = 0; i < spec->count; i++)
            if (m.hiccup_ns[cpu][i] > m.hiccup_ns[0][i])
                m.hiccup_ns[0][i] = m.hiccup_ns[cpu][i];
    *out_floor = (floor_t){.count = spec->count,
                           .processes = spec->cpus_count > 1 ? 2 : 1,
                           .paced_line_ns = m.latency_ns,
                           .hiccup_ns = m.hiccup_ns[0],
                           .round_trips = spec->cpus_count > 1 ? FLOOR_ROUND_TRIPS : 0,
                           .ping_pong_ns = m.ping_pong_ns,
                           .memory = memory,
                           .bytes = bytes};
    return 0;
}

void floor_free(floor_t *floor)
{
    if (floor->memory)
        munmap(floor->memory, floor->bytes);
    *floor = (floor_t){0};
}
