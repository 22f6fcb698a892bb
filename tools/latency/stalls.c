/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/stalls.h"

#include <errno.h>
#include <stdlib.h>

static const char *const names[CAUSE_COUNT] = {
    [CAUSE_STOPPED] = "stopped",
    [CAUSE_PREEMPTED] = "preempted",
    [CAUSE_PAGE_FAULTS] = "page_faults",
    [CAUSE_SEGMENT_ROLL] = "segment_roll",
    [CAUSE_RING_FULL] = "ring_full",
    [CAUSE_WOKEN_FROM_SLEEP] = "woken_from_sleep",
    [CAUSE_STEAL] = "steal",
    [CAUSE_HOST] = "host",
    [CAUSE_BLOCKED] = "blocked",
    [CAUSE_INTERRUPTED] = "interrupted",
    [CAUSE_LONG_TURN] = "long_turn",
    [CAUSE_WORK] = "work",
    [CAUSE_UNEXPLAINED] = "unexplained",
};

const char *cause_name(enum cause cause)
{
    return names[cause];
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* --- one gap */

static enum cause why_off(const tbus_gap_sums_t *came)
{
    return came->continued      ? CAUSE_STOPPED
           : came->faults_major ? CAUSE_PAGE_FAULTS
           : came->voluntary    ? CAUSE_BLOCKED
                                : CAUSE_STEAL;
}

static enum cause why_on(const tbus_gap_t *gap)
{
    return gap->worked ? CAUSE_LONG_TURN : CAUSE_INTERRUPTED;
}

/* What a gap that is no full ring consists of. */
static void classify(const tbus_gap_t *gap, stall_t *out_stall)
{
    stall_t stall = {.begin_ns = gap->begin_ns, .end_ns = gap->end_ns, .gap = gap};
    uint64_t length_ns = gap->end_ns - gap->begin_ns;
    uint64_t off_ns = smaller(gap->off_ns, length_ns);
    uint64_t on_ns = length_ns - off_ns;
    uint64_t delay_ns = smaller(gap->came.run_delay_ns, off_ns);
    stall.part_cause[0] = CAUSE_PREEMPTED;
    stall.part_ns[0] = delay_ns;
    stall.part_cause[1] = why_off(&gap->came);
    stall.part_ns[1] = off_ns - delay_ns;
    uint64_t faults = (uint64_t)gap->came.faults_minor + gap->came.faults_major;
    uint64_t faults_ns = faults * STALL_FAULT_NS;
    uint64_t work_ns = smaller(gap->worked * STALL_WORK_NS, on_ns);
    bool faulted = faults && faults_ns >= (on_ns - work_ns) / 2;
    stall.part_cause[2] = CAUSE_WORK;
    stall.part_ns[2] = work_ns;
    /* Of the rest of the time on the CPU the greater kind stands for all. */
    stall.part_cause[3] = faulted ? CAUSE_PAGE_FAULTS : why_on(gap);
    stall.part_ns[3] = on_ns - work_ns;
    *out_stall = stall;
}

static uint64_t overlap_in_order(const stall_t *stall, uint64_t from_ns, uint64_t to_ns,
                                 uint64_t parts[CAUSE_COUNT])
{
    uint64_t at_ns = stall->begin_ns;
    for (uint32_t i = 0; i < STALL_PARTS; i++) {
        uint64_t end_ns = at_ns + stall->part_ns[i];
        uint64_t begin = at_ns > from_ns ? at_ns : from_ns;
        uint64_t end = smaller(end_ns, to_ns);
        if (begin < end)
            parts[stall->part_cause[i]] += end - begin;
        at_ns = end_ns;
    }
    return to_ns - from_ns;
}

uint64_t stall_overlap(const stall_t *stall, uint64_t from_ns, uint64_t to_ns,
                       uint64_t parts[CAUSE_COUNT])
{
    if (from_ns < stall->begin_ns)
        from_ns = stall->begin_ns;
    to_ns = smaller(to_ns, stall->end_ns);
    if (from_ns >= to_ns)
        return 0;
    if (stall->in_order)
        return overlap_in_order(stall, from_ns, to_ns, parts);
    double share = (double)(to_ns - from_ns) / (double)(stall->end_ns - stall->begin_ns);
    uint64_t left_ns = to_ns - from_ns;
    uint32_t last = 0; /* takes what rounding leaves: the parts add up */
    for (uint32_t i = 0; i < STALL_PARTS; i++) {
        uint64_t ns = smaller((uint64_t)((double)stall->part_ns[i] * share), left_ns);
        parts[stall->part_cause[i]] += ns;
        left_ns -= ns;
        if (stall->part_ns[i])
            last = i;
    }
    parts[stall->part_cause[last]] += left_ns;
    return to_ns - from_ns;
}

/* --- all of a process */

static int by_begin(const void *a, const void *b)
{
    uint64_t x = ((const stall_t *)a)->begin_ns, y = ((const stall_t *)b)->begin_ns;
    return (x > y) - (x < y);
}

static stall_t of_one_cause(const tbus_gap_t *gap, enum cause cause)
{
    return (stall_t){.begin_ns = gap->begin_ns,
                     .end_ns = gap->end_ns,
                     .part_ns = {gap->end_ns - gap->begin_ns},
                     .part_cause = {cause},
                     .gap = gap};
}

static stall_t of_sleep(const tbus_sleep_t *sleep)
{
    uint64_t delay_ns = smaller(sleep->run_delay_ns, sleep->ns);
    return (stall_t){.begin_ns = sleep->begin_ns,
                     .end_ns = sleep->begin_ns + sleep->ns,
                     .part_ns = {sleep->ns - delay_ns, delay_ns},
                     .part_cause = {CAUSE_WOKEN_FROM_SLEEP, CAUSE_PREEMPTED},
                     .in_order = true};
}

/* The piece of a stall in [from_ns, to_ns), with its share of the parts. */
static stall_t piece_of(const stall_t *stall, uint64_t from_ns, uint64_t to_ns)
{
    stall_t piece = *stall;
    uint64_t parts[CAUSE_COUNT] = {0};
    stall_overlap(stall, from_ns, to_ns, parts);
    piece.begin_ns = from_ns;
    piece.end_ns = to_ns;
    for (uint32_t i = 0; i < STALL_PARTS; i++) {
        piece.part_ns[i] = parts[stall->part_cause[i]];
        parts[stall->part_cause[i]] = 0; /* two parts may have one cause */
    }
    return piece;
}

/* Append what of `stall` no full ring covers; `fulls` in order. */
static uint64_t append_uncovered(stall_t *to, const stall_t *stall, const stalls_t *fulls)
{
    uint64_t count = 0, at_ns = stall->begin_ns;
    for (uint64_t i = stalls_find(fulls, at_ns); at_ns < stall->end_ns; i++) {
        const stall_t *full = i < fulls->count ? &fulls->list[i] : NULL;
        uint64_t end_ns = full ? smaller(full->begin_ns, stall->end_ns) : stall->end_ns;
        if (end_ns > at_ns)
            to[count++] = piece_of(stall, at_ns, end_ns);
        at_ns = full && full->begin_ns < stall->end_ns ? full->end_ns : stall->end_ns;
    }
    return count;
}

static uint64_t count_gaps(const tbus_gaps_table_t *table, enum tbus_gap_kind kind)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < table->count; i++)
        count += table->gaps[i].kind == kind;
    return count;
}

int stalls_create_of_stages(const tbus_gaps_table_t *table, stalls_t *out_stalls)
{
    uint64_t max = count_gaps(table, TBUS_GAP_STALLED);
    stalls_t stalls = {.list = calloc(max + 1, sizeof(stall_t))};
    if (!stalls.list)
        return -ENOMEM;
    for (uint64_t i = 0; i < table->count; i++) /* they end one after another */
        if (table->gaps[i].kind == TBUS_GAP_STALLED)
            stalls.list[stalls.count++] = of_one_cause(&table->gaps[i], CAUSE_SEGMENT_ROLL);
    *out_stalls = stalls;
    return 0;
}

int stalls_create(const tbus_gaps_table_t *table, stalls_t *out_stalls)
{
    uint64_t fulls_count = count_gaps(table, TBUS_GAP_FULL);
    /* each full ring cuts one other stall in two at most */
    uint64_t max = table->count + table->sleeps_count + fulls_count + 1;
    stalls_t fulls = {.list = calloc(fulls_count + 1, sizeof(stall_t))};
    stalls_t all = {.list = calloc(max, sizeof(stall_t))};
    if (!fulls.list || !all.list) {
        free(fulls.list);
        free(all.list);
        return -ENOMEM;
    }
    for (uint64_t i = 0; i < table->count; i++)
        if (table->gaps[i].kind == TBUS_GAP_FULL)
            fulls.list[fulls.count++] = all.list[all.count++] =
                of_one_cause(&table->gaps[i], CAUSE_RING_FULL);
    for (uint64_t i = 0; i < table->count; i++) {
        stall_t stall;
        if (table->gaps[i].kind != TBUS_GAP_TURN)
            continue;
        classify(&table->gaps[i], &stall);
        all.count += append_uncovered(&all.list[all.count], &stall, &fulls);
    }
    for (uint64_t i = 0; i < table->sleeps_count; i++) {
        stall_t stall = of_sleep(&table->sleeps[i]);
        all.count += append_uncovered(&all.list[all.count], &stall, &fulls);
    }
    free(fulls.list);
    qsort(all.list, all.count, sizeof *all.list, by_begin);
    *out_stalls = all;
    return 0;
}

void stalls_clear(stalls_t *stalls)
{
    free(stalls->list);
    *stalls = (stalls_t){0};
}

uint64_t stalls_find(const stalls_t *stalls, uint64_t ns)
{
    uint64_t low = 0, high = stalls->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (stalls->list[middle].end_ns > ns)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
