/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/cause.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/latency/machine_stall.h"

#define SLOW_PER_MILLE 999u /* beyond it a message is slow */

/* --- which process does what */

uint32_t cause_process_with(const tbus_gaps_t *gaps, const char *stage)
{
    for (uint32_t p = 0; p < gaps->processes && stage[0]; p++)
        for (uint32_t i = 0; gaps->tables[p].pid && i < gaps->tables[p].stages_count; i++)
            if (strncmp(gaps->tables[p].stages[i], stage, TBUS_NAME_MAX) == 0)
                return p;
    return CAUSE_NOBODY;
}

int cause_source_create(const tbus_gaps_t *gaps, const char *const stage_of[HOP_PATH],
                        cause_source_t *out_source)
{
    *out_source = (cause_source_t){.gaps = gaps};
    for (uint32_t p = 0; p < gaps->processes; p++)
        if (gaps->tables[p].pid &&
            (stalls_create(&gaps->tables[p], &out_source->stalls[p]) < 0 ||
             stalls_create_of_stages(&gaps->tables[p], &out_source->of_stages[p]) < 0)) {
            cause_source_clear(out_source);
            return -ENOMEM;
        }
    machine_stalls_find(gaps, out_source->stalls);
    for (uint32_t hop = 0; hop < HOP_PATH; hop++)
        out_source->process_of[hop] = cause_process_with(gaps, stage_of[hop]);
    return 0;
}

void cause_source_clear(cause_source_t *source)
{
    for (uint32_t p = 0; p < TBUS_GAPS_PROCESSES; p++) {
        stalls_clear(&source->stalls[p]);
        stalls_clear(&source->of_stages[p]);
    }
    *source = (cause_source_t){0};
}

static bool is_on_the_way(const cause_source_t *source, uint32_t process)
{
    for (uint32_t hop = 0; hop < HOP_PATH; hop++)
        if (process != CAUSE_NOBODY && source->process_of[hop] == process)
            return true;
    return false;
}

/* --- where a message was, and when */

typedef struct step {
    uint32_t process;
    uint64_t begin_ns, end_ns;
} step_t;

typedef struct way {
    uint32_t count;
    step_t steps[HOP_PATH];
} way_t;

/* Index of a row in a hop; count: it is not there. */
static uint64_t index_of(const sample_column_t *column, uint64_t row)
{
    if (!column->row)
        return row < column->count ? row : column->count;
    uint64_t low = 0, high = column->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (column->row[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < column->count && column->row[low] == row ? low : column->count;
}

/* The steps of the i-th message of `hop`: one, or all of a whole way. */
static way_t way_of(const cause_source_t *source, const samples_t *s, enum sample_hop hop,
                    uint64_t i)
{
    way_t way = {0};
    uint64_t row = samples_row(s, hop, i);
    uint64_t at_ns = s->start_ns + s->intended_ns[row];
    uint32_t last = hop == HOP_TICK_TO_REPORT ? HOP_REPORT
                    : hop == HOP_TICK_TO_SEEN ? HOP_SEEN
                                              : (uint32_t)hop;
    for (uint32_t h = 0; h <= last; h++) {
        uint64_t index = index_of(&s->hops[h], row);
        if (index == s->hops[h].count)
            continue; /* then its time is nobody's */
        uint64_t end_ns = at_ns + s->hops[h].ns[index];
        if (hop >= HOP_PATH || h == last)
            way.steps[way.count++] = (step_t){source->process_of[h], at_ns, end_ns};
        at_ns = end_ns;
    }
    return way;
}

/* --- who it was, most of it */

#define WHO_ROWS 48u

typedef struct who_row {
    enum cause cause;
    uint64_t ns;
    char name[CAUSE_WHO_MAX];
} who_row_t;

typedef struct who {
    uint32_t count;
    who_row_t rows[WHO_ROWS];
} who_t;

static void who_add(who_t *who, enum cause cause, const char *name, uint64_t ns)
{
    for (uint32_t i = 0; i < who->count; i++)
        if (who->rows[i].cause == cause && strcmp(who->rows[i].name, name) == 0) {
            who->rows[i].ns += ns;
            return;
        }
    if (who->count == WHO_ROWS || !name[0])
        return;
    who_row_t *row = &who->rows[who->count++];
    *row = (who_row_t){.cause = cause, .ns = ns};
    snprintf(row->name, sizeof row->name, "%s", name);
}

static void who_most(const who_t *who, enum cause cause, char *out_name)
{
    uint64_t most_ns = 0;
    for (uint32_t i = 0; i < who->count; i++)
        if (who->rows[i].cause == cause && who->rows[i].ns > most_ns) {
            most_ns = who->rows[i].ns;
            memcpy(out_name, who->rows[i].name, CAUSE_WHO_MAX);
        }
}

/* "feed+recorder" */
static void name_process(const cause_source_t *source, uint32_t process, char *out_name)
{
    const tbus_gaps_table_t *table = &source->gaps->tables[process];
    size_t used = 0;
    out_name[0] = 0;
    for (uint32_t i = 0; i < table->stages_count && used < CAUSE_WHO_MAX; i++)
        used += (size_t)snprintf(out_name + used, CAUSE_WHO_MAX - used, "%s" TBUS_NAME_TEXT,
                                 i ? "+" : "", table->stages[i]);
}

/* "recorder on md, which was stopped" */
static void name_holder(const cause_source_t *source, const tbus_gap_t *full, char *out_name)
{
    uint32_t process = cause_process_with(source->gaps, full->holder);
    uint64_t parts[CAUSE_COUNT] = {0};
    uint32_t most = CAUSE_UNEXPLAINED;
    const stalls_t *stalls = process == CAUSE_NOBODY ? NULL : &source->stalls[process];
    for (uint64_t i = stalls ? stalls_find(stalls, full->begin_ns) : 0;
         stalls && i < stalls->count && stalls->list[i].begin_ns < full->end_ns; i++)
        stall_overlap(&stalls->list[i], full->begin_ns, full->end_ns, parts);
    for (uint32_t cause = 0; cause < CAUSE_UNEXPLAINED; cause++)
        if (parts[cause] > parts[most])
            most = cause;
    bool says_why = parts[most] > (full->end_ns - full->begin_ns) / 2;
    snprintf(out_name, CAUSE_WHO_MAX, "%s on %s%s%s", full->holder[0] ? full->holder : "nobody",
             full->topic, says_why ? ": " : "", says_why ? cause_name(most) : "");
}

static void name_preemptor(const cause_source_t *source, uint32_t process, const stall_t *stall,
                           char *out_name)
{
    int cpu = stall->gap ? stall->gap->cpu : source->gaps->tables[process].cpu;
    if (!source->witness.who_ran ||
        !source->witness.who_ran(source->witness.context, cpu, source->gaps->tables[process].pid,
                                 stall->begin_ns, stall->end_ns, out_name, CAUSE_WHO_MAX))
        out_name[0] = 0;
}

/* --- the host, or ourselves? */

/* Whether it was another program that had the CPU meanwhile. Where nobody knows it was, if no
 * other process of the pipeline is on that CPU. */
static bool is_taken_by_others(const cause_source_t *source, uint32_t process, const stall_t *stall,
                               uint64_t preempted_ns)
{
    const tbus_gaps_t *gaps = source->gaps;
    int cpu = stall->gap ? stall->gap->cpu : gaps->tables[process].cpu;
    uint64_t others_ns;
    if (source->witness.others_ran &&
        source->witness.others_ran(source->witness.context, cpu, stall->begin_ns, stall->end_ns,
                                   &others_ns))
        return others_ns >= preempted_ns / 2;
    for (uint32_t p = 0; p < gaps->processes; p++)
        if (p != process && gaps->tables[p].pid && gaps->tables[p].cpu == cpu)
            return false;
    return true;
}

bool cause_is_host(const cause_source_t *source, uint32_t process, const stall_t *stall)
{
    uint64_t parts[CAUSE_COUNT] = {0};
    uint64_t ns = stall_overlap(stall, stall->begin_ns, stall->end_ns, parts);
    ns -= parts[CAUSE_WORK]; /* that would have been done all the same */
    uint64_t host_ns = parts[CAUSE_STEAL] + parts[CAUSE_HOST] + parts[CAUSE_INTERRUPTED];
    if (host_ns && host_ns >= ns / 2)
        return true;
    host_ns += parts[CAUSE_PREEMPTED];
    return parts[CAUSE_PREEMPTED] && host_ns >= ns / 2 &&
           is_taken_by_others(source, process, stall, parts[CAUSE_PREEMPTED]);
}

/* --- what of a process's stalls lies in a time */

static void add_who(const cause_source_t *source, uint32_t process, const stall_t *stall,
                    const uint64_t parts[CAUSE_COUNT], who_t *who)
{
    char name[CAUSE_WHO_MAX];
    for (uint32_t cause = 0; who && cause < CAUSE_COUNT; cause++) {
        if (!parts[cause])
            continue;
        if (cause == CAUSE_PREEMPTED)
            name_preemptor(source, process, stall, name);
        else if (cause == CAUSE_RING_FULL)
            name_holder(source, stall->gap, name);
        else
            name_process(source, process, name);
        who_add(who, (enum cause)cause, name, parts[cause]);
    }
}

bool cause_is_full(const stall_t *stall)
{
    return stall->gap && stall->gap->kind == TBUS_GAP_FULL;
}

/* For how long of that time the slowest reader of a full ring could not take what was there. */
static uint64_t add_reader_stalled(const cause_source_t *source, uint32_t reader,
                                   const stall_t *full, uint64_t from_ns, uint64_t to_ns,
                                   uint64_t parts[CAUSE_COUNT], who_t *who)
{
    const stalls_t *stalls = reader == CAUSE_NOBODY ? NULL : &source->of_stages[reader];
    uint64_t ns = 0;
    for (uint64_t i = stalls ? stalls_find(stalls, from_ns) : 0;
         stalls && i < stalls->count && stalls->list[i].begin_ns < to_ns; i++)
        ns += stall_overlap(&stalls->list[i], from_ns, to_ns, parts);
    if (ns && who) {
        char name[CAUSE_WHO_MAX];
        snprintf(name, sizeof name, "%s on %s", full->gap->holder, full->gap->topic);
        who_add(who, CAUSE_SEGMENT_ROLL, name, ns);
    }
    return ns;
}

/* Add up by cause; returns the ns that are covered. `through`: look through full rings at what held
 * up a reader on the way. */
static uint64_t add_overlap(const cause_source_t *source, uint32_t process, uint64_t from_ns,
                            uint64_t to_ns, bool through, uint64_t parts[CAUSE_COUNT], who_t *who)
{
    if (process == CAUSE_NOBODY)
        return 0;
    const stalls_t *stalls = &source->stalls[process];
    uint64_t covered_ns = 0;
    for (uint64_t i = stalls_find(stalls, from_ns);
         i < stalls->count && stalls->list[i].begin_ns < to_ns; i++) {
        const stall_t *stall = &stalls->list[i];
        uint64_t these[CAUSE_COUNT] = {0};
        uint64_t ns = stall_overlap(stall, from_ns, to_ns, these);
        covered_ns += ns - these[CAUSE_WORK];
        these[CAUSE_WORK] = 0; /* then it waited for what was before it: see `inherited` */
        if (cause_is_full(stall)) {
            uint32_t reader = cause_process_with(source->gaps, stall->gap->holder);
            uint64_t begin = stall->begin_ns > from_ns ? stall->begin_ns : from_ns;
            if (through && reader != process && is_on_the_way(source, reader))
                these[CAUSE_RING_FULL] -=
                    add_overlap(source, reader, begin, begin + ns, false, parts, who);
            else
                these[CAUSE_RING_FULL] -=
                    add_reader_stalled(source, reader, stall, begin, begin + ns, parts, who);
        }
        add_who(source, process, stall, these, who);
        for (uint32_t cause = 0; cause < CAUSE_COUNT; cause++)
            parts[cause] += these[cause];
    }
    return covered_ns;
}

static uint64_t add_direct(const cause_source_t *source, const way_t *way,
                           uint64_t parts[CAUSE_COUNT], who_t *who)
{
    uint64_t covered_ns = 0;
    for (uint32_t i = 0; i < way->count; i++)
        covered_ns += add_overlap(source, way->steps[i].process, way->steps[i].begin_ns,
                                  way->steps[i].end_ns, true, parts, who);
    return covered_ns;
}

/* --- messages that wait behind others */

/* Slow messages one after another, each wanted before the last of those before it had arrived. */
typedef struct episode {
    uint64_t begin_ns; /* when its first message was wanted */
    uint64_t end_ns;   /* when the last one so far arrived */
} episode_t;

static void episode_take(episode_t *e, uint64_t begin_ns, uint64_t end_ns)
{
    if (begin_ns > e->end_ns)
        e->begin_ns = begin_ns;
    if (end_ns > e->end_ns)
        e->end_ns = end_ns;
}

/* The stalls of all processes on this way since the episode began, before this message was wanted;
 * each process once. */
static uint64_t add_inherited(const cause_source_t *source, const episode_t *e, const way_t *way,
                              uint64_t parts[CAUSE_COUNT])
{
    uint64_t covered_ns = 0;
    for (uint32_t i = 0; i < way->count; i++) {
        bool again = false;
        for (uint32_t k = 0; k < i; k++)
            again |= way->steps[k].process == way->steps[i].process;
        if (!again)
            covered_ns += add_overlap(source, way->steps[i].process, e->begin_ns,
                                      way->steps[0].begin_ns, true, parts, NULL);
    }
    return covered_ns;
}

/* --- booking */

/* `ns` of it, in the proportion of the parts, whose sum is `sum`. */
static void book_shares(causes_t *causes, const uint64_t parts[CAUSE_COUNT], uint64_t sum,
                        uint64_t ns)
{
    uint64_t left_ns = ns;
    uint32_t last = CAUSE_UNEXPLAINED; /* takes what rounding leaves */
    for (uint32_t cause = 0; cause < CAUSE_COUNT && sum; cause++) {
        uint64_t share_ns = (uint64_t)((double)parts[cause] / (double)sum * (double)ns);
        if (share_ns > left_ns)
            share_ns = left_ns;
        causes->ns[cause] += share_ns;
        left_ns -= share_ns;
        if (parts[cause])
            last = cause;
    }
    causes->ns[last] += left_ns;
}

static void book_one(const cause_source_t *source, const way_t *way, const episode_t *episode,
                     uint64_t excess_ns, causes_t *causes, who_t *who)
{
    uint64_t direct[CAUSE_COUNT] = {0}, inherited[CAUSE_COUNT] = {0};
    uint64_t direct_ns = add_direct(source, way, direct, who);
    uint64_t booked_ns = direct_ns < excess_ns ? direct_ns : excess_ns;
    book_shares(causes, direct, direct_ns, booked_ns);
    uint64_t left_ns = excess_ns - booked_ns;
    if (left_ns) {
        uint64_t inherited_ns = add_inherited(source, episode, way, inherited);
        booked_ns = inherited_ns < left_ns ? inherited_ns : left_ns;
        book_shares(causes, inherited, inherited_ns, booked_ns);
        left_ns -= booked_ns;
    }
    causes->ns[CAUSE_UNEXPLAINED] += left_ns;
    causes->excess_ns += excess_ns;
    causes->count++;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The value of the nearest rank, exactly. */
static int find_threshold(const sample_column_t *column, uint64_t *out_ns)
{
    uint64_t *sorted = malloc(column->count * sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    memcpy(sorted, column->ns, column->count * sizeof *sorted);
    qsort(sorted, column->count, sizeof *sorted, ascending);
    *out_ns = sorted[(column->count * SLOW_PER_MILLE + 999) / 1000 - 1];
    free(sorted);
    return 0;
}

int causes_book(const cause_source_t *source, const samples_t *samples, enum sample_hop hop,
                causes_t *out_causes)
{
    causes_t causes = {.hop = hop};
    who_t who = {0};
    episode_t episode = {0};
    if (hop > HOP_TICK_TO_REPORT)
        return -EINVAL;
    const sample_column_t *column = &samples->hops[hop];
    if (column->count && find_threshold(column, &causes.threshold_ns) < 0)
        return -ENOMEM;
    for (uint64_t i = 0; i < column->count; i++) {
        if (column->ns[i] <= causes.threshold_ns)
            continue;
        way_t way = way_of(source, samples, hop, i);
        if (way.count)
            episode_take(&episode, way.steps[0].begin_ns, way.steps[way.count - 1].end_ns);
        book_one(source, &way, &episode, column->ns[i] - causes.threshold_ns, &causes, &who);
    }
    for (uint32_t cause = 0; cause < CAUSE_COUNT; cause++)
        who_most(&who, (enum cause)cause, causes.who[cause]);
    *out_causes = causes;
    return 0;
}

uint32_t cause_surroundings(const cause_source_t *source, const samples_t *samples,
                            enum sample_hop hop, uint64_t i, uint64_t out_parts[CAUSE_COUNT],
                            const tbus_gap_t **out_gap)
{
    way_t way = way_of(source, samples, hop, i);
    uint32_t process = CAUSE_NOBODY;
    uint64_t most_ns = 0;
    memset(out_parts, 0, CAUSE_COUNT * sizeof *out_parts);
    *out_gap = NULL;
    add_direct(source, &way, out_parts, NULL);
    for (uint32_t k = 0; k < way.count; k++) {
        const step_t *step = &way.steps[k];
        const stalls_t *stalls =
            step->process == CAUSE_NOBODY ? NULL : &source->stalls[step->process];
        for (uint64_t s = stalls ? stalls_find(stalls, step->begin_ns) : 0;
             stalls && s < stalls->count && stalls->list[s].begin_ns < step->end_ns; s++) {
            uint64_t parts[CAUSE_COUNT] = {0};
            uint64_t ns = stall_overlap(&stalls->list[s], step->begin_ns, step->end_ns, parts);
            if (ns > most_ns && stalls->list[s].gap) {
                most_ns = ns;
                process = step->process;
                *out_gap = stalls->list[s].gap;
            }
        }
    }
    return process;
}
