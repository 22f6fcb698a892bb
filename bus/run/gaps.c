/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/run/gaps.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS                                                                                    \
    UINT64_C(10000000) /* between two looks at the kernel while there is nothing to do */

/* --- the tables */

int tbus_gaps_create(uint32_t processes, tbus_gaps_t *out_gaps, tbus_error_t *err)
{
    if (processes == 0 || processes > TBUS_GAPS_PROCESSES)
        return tbus_fail(err, -EINVAL, "gaps of %u processes: 1 to %u can be noted", processes,
                         TBUS_GAPS_PROCESSES);
    void *memory = mmap(NULL, processes * sizeof(tbus_gaps_table_t), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return tbus_fail(err, -errno, "no memory for the gaps of %u processes: %s", processes,
                         strerror(errno));
    *out_gaps = (tbus_gaps_t){.processes = processes, .tables = (tbus_gaps_table_t *)memory};
    return 0;
}

void tbus_gaps_destroy(tbus_gaps_t *gaps)
{
    if (gaps->tables)
        munmap(gaps->tables, gaps->processes * sizeof(tbus_gaps_table_t));
    *gaps = (tbus_gaps_t){0};
}

/* --- what the kernel says */

/* Of the process: stages have one thread, and whoever is continued is so with all of them. */
static tbus_atomic_u32_t continued;

static void on_continued(int signal_number)
{
    (void)signal_number;
    tbus_fetch_add_relaxed_u32(&continued, 1);
}

/* proc(5), /proc/pid/schedstat: time on a CPU, time in the run queue, slices. */
static uint64_t run_delay_ns(int fd)
{
    char text[80];
    ssize_t bytes = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
    if (bytes <= 0)
        return 0;
    text[bytes] = 0;
    const char *space = strchr(text, ' ');
    return space ? strtoull(space, NULL, 10) : 0;
}

static void look_at_usage(tbus_gap_sums_t *sums)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_THREAD, &usage);
    sums->voluntary = (uint32_t)usage.ru_nvcsw;
    sums->involuntary = (uint32_t)usage.ru_nivcsw;
    sums->faults_minor = (uint32_t)usage.ru_minflt;
    sums->faults_major = (uint32_t)usage.ru_majflt;
}

static tbus_gap_sums_t look(const tbus_gap_watch_t *w)
{
    struct timespec cpu = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    tbus_gap_sums_t sums = {
        .cpu_ns = (uint64_t)cpu.tv_sec * UINT64_C(1000000000) + (uint64_t)cpu.tv_nsec,
        .run_delay_ns = run_delay_ns(w->schedstat_fd),
        .continued = tbus_load_relaxed_u32(&continued),
    };
    look_at_usage(&sums);
    return sums;
}

/* From here on what comes is counted anew. */
static void take(tbus_gap_watch_t *w, const tbus_gap_sums_t *sums, uint64_t now_ns)
{
    w->sums = w->table->sums = *sums;
    w->looked_ns = now_ns;
    w->looked_ticks = w->last_ticks;
    w->slept_ns = 0;
    w->cpu = sched_getcpu();
}

/* --- noting */

static void note(tbus_gaps_table_t *table, const tbus_gap_t *gap)
{
    if (table->count == TBUS_GAPS_MAX)
        table->lost++;
    else
        table->gaps[table->count++] = *gap;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Up to `delay_ns` of run delay belong to the last sleep, whose own is not known yet. Returns how
 * much. */
static uint64_t close_sleep(tbus_gap_watch_t *w, uint64_t delay_ns)
{
    tbus_gaps_table_t *table = w->table;
    if (!w->sleep_open)
        return 0;
    tbus_sleep_t *sleep = &table->sleeps[table->sleeps_count - 1];
    sleep->run_delay_ns = (uint32_t)smaller(delay_ns, sleep->ns);
    w->sleep_open = false;
    return sleep->run_delay_ns;
}

/* The CPU may be taken away in the middle of a look: then the next turn is late, and part of what
 * the kernel says of that was said by now. */
static bool look_was_late(uint64_t now_ns)
{
    return tbus_clock_ns() - now_ns >= TBUS_GAP_NS_MIN;
}

static void note_turn(tbus_gap_watch_t *w, uint64_t now_ns, int work)
{
    tbus_gap_sums_t sums = look(w);
    tbus_gap_t gap = {.begin_ns = w->last_ns,
                      .end_ns = now_ns,
                      .came = tbus_gap_sums_between(&w->sums, &sums),
                      .kind = TBUS_GAP_TURN,
                      .worked = (uint32_t)work,
                      .cpu_before = w->cpu};
    uint64_t passed_ns = now_ns - w->looked_ns;
    uint64_t had_ns = gap.came.cpu_ns + w->slept_ns;
    gap.off_ns = passed_ns > had_ns ? smaller(passed_ns - had_ns, now_ns - w->last_ns) : 0;
    /* What run delay does not fit into this turn was before it, in a sleep, or after it. */
    uint64_t rest_ns = gap.came.run_delay_ns - smaller(gap.came.run_delay_ns, gap.off_ns);
    gap.came.run_delay_ns -= rest_ns;
    rest_ns -= close_sleep(w, rest_ns);
    take(w, &sums, now_ns);
    if (look_was_late(now_ns))
        w->sums.run_delay_ns -= rest_ns;
    gap.cpu = w->cpu;
    note(w->table, &gap);
}

static void note_sleep(tbus_gap_watch_t *w, uint64_t now_ns)
{
    tbus_gaps_table_t *table = w->table;
    uint64_t ns = now_ns - w->last_ns;
    w->slept_ns += ns;
    look_at_usage(&w->sums); /* its switches are not those of the turn that follows */
    if (table->sleeps_count == TBUS_SLEEPS_MAX) {
        table->sleeps_lost++;
        return;
    }
    table->sleeps[table->sleeps_count++] =
        (tbus_sleep_t){.begin_ns = w->last_ns, .ns = (uint32_t)smaller(ns, UINT32_MAX)};
    w->sleep_open = true;
}

/* There is nothing to do: so this holds nobody up. */
static void look_at_leisure(tbus_gap_watch_t *w, uint64_t now_ns)
{
    tbus_gap_sums_t sums = look(w);
    if (look_was_late(now_ns))
        return;
    close_sleep(w, sums.run_delay_ns - w->sums.run_delay_ns);
    take(w, &sums, now_ns);
}

/* --- a ring that is full */

static const tbus_publisher_t *blocked(const tbus_loop_t *loop)
{
    for (uint32_t i = 0; i < loop->stages_count; i++)
        for (uint32_t k = 0; k < loop->stages[i]->publishers_count; k++)
            if (loop->stages[i]->publishers[k]->blocked)
                return loop->stages[i]->publishers[k];
    return NULL;
}

/* Who leaves no room: the subscriber that is furthest behind. */
static void name_holder(const tbus_ring_t *ring, char *out_name)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < TBUS_RING_SUBS_MAX; i++) {
        const tbus_ring_sub_t *sub = &ring->shared->subs[i];
        /* hint: for people */
        uint64_t done = tbus_load_relaxed_u64(&sub->consumed) + tbus_load_relaxed_u64(&sub->tombs);
        if (!tbus_ring_sub_owner(ring, i) || done >= least)
            continue;
        least = done;
        snprintf(out_name, TBUS_NAME_MAX, TBUS_NAME_TEXT, sub->name);
    }
}

static void see_full(tbus_gap_watch_t *w, const tbus_loop_t *loop, uint64_t now_ns)
{
    const tbus_publisher_t *publisher = blocked(loop);
    if (publisher && !w->full_since_ns) {
        w->full_since_ns = w->last_ns;
        w->full = (tbus_gap_t){.begin_ns = w->last_ns, .kind = TBUS_GAP_FULL};
        snprintf(w->full.topic, sizeof w->full.topic, TBUS_NAME_TEXT, publisher->ring.shared->name);
        name_holder(&publisher->ring, w->full.holder);
    } else if (!publisher && w->full_since_ns) {
        w->full_since_ns = 0;
        w->full.end_ns = now_ns;
        if (now_ns - w->full.begin_ns >= TBUS_GAP_NS_MIN)
            note(w->table, &w->full);
    }
}

/* --- a stage that cannot take what is there */

static void see_stalled(tbus_gap_watch_t *w, const tbus_loop_t *loop, uint64_t now_ns)
{
    bool stalled = tbus_loop_is_stalled(loop);
    if (stalled && !w->stalled_since_ns) {
        w->stalled_since_ns = w->last_ns;
    } else if (!stalled && w->stalled_since_ns) {
        tbus_gap_t gap = {
            .begin_ns = w->stalled_since_ns, .end_ns = now_ns, .kind = TBUS_GAP_STALLED};
        w->stalled_since_ns = 0;
        if (now_ns - gap.begin_ns >= TBUS_GAP_NS_MIN)
            note(w->table, &gap);
    }
}

/* --- the loop */

void tbus_gap_watch_begin(tbus_gap_watch_t *w, const tbus_gaps_t *gaps, uint32_t process,
                          const tbus_loop_t *loop)
{
    if (process >= gaps->processes)
        return;
    tbus_gaps_table_t *table = &gaps->tables[process];
    bool sleeps = loop->waiter.mode == TBUS_WAIT_PARK;
    size_t bytes = sleeps ? sizeof *table : offsetof(tbus_gaps_table_t, sleeps);
    (void)madvise(table, bytes, MADV_POPULATE_WRITE); /* else later faults are our own doing */
    struct sigaction action = {.sa_handler = on_continued, .sa_flags = SA_RESTART};
    sigaction(SIGCONT, &action, NULL);
    w->schedstat_fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    w->table = table;
    w->ns_per_tick_q32 = gaps->ns_per_tick_q32;
    if (w->ns_per_tick_q32) {
        w->gap_ticks = (TBUS_GAP_NS_MIN << 32) / w->ns_per_tick_q32;
        w->look_ticks = (LOOK_NS << 32) / w->ns_per_tick_q32;
    }
    table->wait_mode = loop->waiter.mode;
    for (uint32_t i = 0; i < loop->stages_count && i < TBUS_INSTANCES_MAX; i++)
        snprintf(table->stages[table->stages_count++], TBUS_NAME_MAX, TBUS_NAME_TEXT,
                 loop->stages[i]->name);
    table->pid = (int32_t)getpid();
}

void tbus_gap_watch_end(tbus_gap_watch_t *w)
{
    if (w->table && w->schedstat_fd >= 0)
        close(w->schedstat_fd);
    w->table = NULL;
}

/* The end of the first turn: what came before it was waiting for the others. */
static void set_out(tbus_gap_watch_t *w)
{
    tbus_gap_sums_t sums = look(w);
    w->last_ns = tbus_clock_ns();
    w->last_ticks = tbus_clock_ticks();
    take(w, &sums, w->last_ns);
    w->table->cpu = w->cpu;
    w->table->begin_ns = w->last_ns;
}

/* A turn that was in time, by the counter, and nothing else that would be looked at. */
static inline bool is_over(tbus_gap_watch_t *w, const tbus_loop_t *loop, enum tbus_turn turn,
                           uint64_t ticks)
{
    if (ticks - w->last_ticks >= w->gap_ticks || turn == TBUS_TURN_SLEPT || w->full_since_ns ||
        w->stalled_since_ns)
        return false;
    return turn != TBUS_TURN_IDLE || !(w->sleep_open || ticks - w->looked_ticks >= w->look_ticks ||
                                       blocked(loop) || tbus_loop_is_stalled(loop));
}

/* Now, with last_ns brought up to date where turns are told by the counter. */
static uint64_t look_at_clock(tbus_gap_watch_t *w, uint64_t ticks)
{
    uint64_t now_ns = tbus_clock_ns();
    if (w->ns_per_tick_q32) {
        unsigned __int128 passed_q32 =
            (unsigned __int128)(ticks - w->last_ticks) * w->ns_per_tick_q32;
        uint64_t last_ns = now_ns - (uint64_t)(passed_q32 >> 32);
        w->last_ns = last_ns > w->last_ns && last_ns <= now_ns ? last_ns : w->last_ns;
        w->last_ticks = ticks;
    }
    return now_ns;
}

void tbus_gap_watch_turn(tbus_gap_watch_t *w, const tbus_loop_t *loop, enum tbus_turn turn,
                         int work)
{
    if (TBUS_UNLIKELY(w->last_ns == 0)) {
        set_out(w);
        return;
    }
    uint64_t ticks = w->ns_per_tick_q32 ? tbus_clock_ticks() : 0;
    if (TBUS_LIKELY(w->ns_per_tick_q32 && is_over(w, loop, turn, ticks))) {
        w->last_ticks = ticks;
        return;
    }
    uint64_t now_ns = look_at_clock(w, ticks);
    bool late = now_ns - w->last_ns >= TBUS_GAP_NS_MIN;
    if (turn == TBUS_TURN_IDLE || w->full_since_ns)
        see_full(w, loop, now_ns);
    if (turn == TBUS_TURN_IDLE || w->stalled_since_ns)
        see_stalled(w, loop, now_ns);
    if (TBUS_UNLIKELY(late)) {
        if (turn == TBUS_TURN_SLEPT && tbus_load_relaxed_u32(&continued) == w->sums.continued)
            note_sleep(w, now_ns); /* else it was stopped in its sleep */
        else
            note_turn(w, now_ns, work);
    } else if (turn == TBUS_TURN_SLEPT) {
        w->slept_ns += now_ns - w->last_ns;
    } else if (turn == TBUS_TURN_IDLE && (w->sleep_open || now_ns - w->looked_ns >= LOOK_NS) &&
               !w->full_since_ns) {
        look_at_leisure(w, now_ns);
    }
    w->last_ns = now_ns;
}
