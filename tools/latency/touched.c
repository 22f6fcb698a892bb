/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/touched.h"

#include <errno.h>
#include <stdlib.h>

/* The stalls of one process that are the host's, in order of time. */
typedef struct host_stalls {
    uint64_t count;
    const stall_t **list; /* owned; of the source */
} host_stalls_t;

typedef struct finder {
    const cause_source_t *source;
    host_stalls_t of[TBUS_GAPS_PROCESSES];
    /* All processes on the way noted their stalls from here to there: then they ran, and their
     * tables had room. */
    uint64_t known_from_ns, known_to_ns;
} finder_t;

static bool overlaps(const host_stalls_t *stalls, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t low = 0, high = stalls->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (stalls->list[middle]->end_ns > from_ns)
            high = middle;
        else
            low = middle + 1;
    }
    return low < stalls->count && stalls->list[low]->begin_ns < to_ns;
}

/* A ring that was full is the host's doing when its slowest reader stood still because of it. */
static bool is_full_by_host(const finder_t *f, const stall_t *stall)
{
    uint32_t reader = cause_process_with(f->source->gaps, stall->gap->holder);
    const stalls_t *of = reader == CAUSE_NOBODY ? NULL : &f->source->stalls[reader];
    uint64_t host_ns = 0;
    for (uint64_t i = of ? stalls_find(of, stall->begin_ns) : 0;
         of && i < of->count && of->list[i].begin_ns < stall->end_ns; i++) {
        uint64_t parts[CAUSE_COUNT] = {0};
        if (!cause_is_full(&of->list[i]) && cause_is_host(f->source, reader, &of->list[i]))
            host_ns += stall_overlap(&of->list[i], stall->begin_ns, stall->end_ns, parts);
    }
    return host_ns >= (stall->end_ns - stall->begin_ns) / 2;
}

static bool take_stalls(finder_t *f, uint32_t process)
{
    const stalls_t *stalls = &f->source->stalls[process];
    host_stalls_t *to = &f->of[process];
    to->list = calloc(stalls->count + 1, sizeof(const stall_t *));
    if (!to->list)
        return false;
    for (uint64_t i = 0; i < stalls->count; i++) {
        const stall_t *stall = &stalls->list[i];
        if (cause_is_full(stall) ? is_full_by_host(f, stall)
                                 : cause_is_host(f->source, process, stall))
            to->list[to->count++] = stall;
    }
    return true;
}

/* Was it held up in a process where it was then? *out_end_ns: when it had arrived. `at`: of each
 * hop where the row, or the next one, is. */
static bool is_touched(const finder_t *f, const samples_t *s, uint64_t row, uint64_t at[HOP_PATH],
                       uint64_t *out_end_ns)
{
    uint64_t at_ns = s->start_ns + s->intended_ns[row];
    bool touched = false;
    for (uint32_t h = 0; h < HOP_PATH; h++) {
        const sample_column_t *column = &s->hops[h];
        if (at[h] == column->count || samples_row(s, (enum sample_hop)h, at[h]) != row)
            continue;
        uint64_t end_ns = at_ns + column->ns[at[h]++];
        uint32_t process = f->source->process_of[h];
        touched |= process != CAUSE_NOBODY && overlaps(&f->of[process], at_ns, end_ns);
        at_ns = end_ns;
    }
    *out_end_ns = at_ns;
    return touched;
}

static void find_known(finder_t *f)
{
    f->known_to_ns = UINT64_MAX;
    for (uint32_t hop = 0; hop < HOP_PATH; hop++) {
        if (f->source->process_of[hop] == CAUSE_NOBODY)
            continue;
        const tbus_gaps_table_t *table = &f->source->gaps->tables[f->source->process_of[hop]];
        if (table->begin_ns > f->known_from_ns)
            f->known_from_ns = table->begin_ns;
        if (table->lost && table->gaps[table->count - 1].end_ns < f->known_to_ns)
            f->known_to_ns = table->gaps[table->count - 1].end_ns;
    }
}

static void mark(const finder_t *f, const samples_t *s, uint8_t *touched)
{
    uint64_t at[HOP_PATH] = {0}, arrived_ns = f->known_from_ns;
    for (uint64_t row = 0; row < s->rows; row++) {
        uint64_t end_ns;
        touched[row] = is_touched(f, s, row, at, &end_ns) || end_ns > f->known_to_ns ||
                       s->start_ns + s->intended_ns[row] < arrived_ns;
        if (touched[row] && end_ns > arrived_ns)
            arrived_ns = end_ns;
    }
}

int touched_find(const cause_source_t *source, samples_t *samples)
{
    finder_t f = {.source = source};
    uint8_t *touched = malloc(samples->rows ? samples->rows : 1);
    bool room = touched != NULL;
    for (uint32_t p = 0; p < source->gaps->processes && room; p++)
        room = take_stalls(&f, p);
    find_known(&f);
    if (room) {
        mark(&f, samples, touched);
        free(samples->touched);
        samples->touched = touched;
    } else {
        free(touched);
    }
    for (uint32_t p = 0; p < TBUS_GAPS_PROCESSES; p++)
        free(f.of[p].list);
    return room ? 0 : -ENOMEM;
}
