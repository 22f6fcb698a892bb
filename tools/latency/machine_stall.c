/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/machine_stall.h"

/* It had its CPU, or nobody else did. */
static bool may_be_host(const stall_t *stall)
{
    if (!stall->gap || stall->gap->kind != TBUS_GAP_TURN)
        return false;
    for (uint32_t i = 0; i < STALL_PARTS; i++) {
        uint8_t cause = stall->part_cause[i];
        if (stall->part_ns[i] && cause != CAUSE_WORK && cause != CAUSE_LONG_TURN &&
            cause != CAUSE_INTERRUPTED && cause != CAUSE_STEAL && cause != CAUSE_HOST)
            return false;
    }
    return true;
}

static bool near(uint64_t a_ns, uint64_t b_ns, uint64_t length_ns)
{
    uint64_t apart_ns = a_ns > b_ns ? a_ns - b_ns : b_ns - a_ns;
    return apart_ns <= length_ns / MACHINE_STALL_PART;
}

static void book(stall_t *stall)
{
    for (uint32_t i = 0; i < STALL_PARTS; i++)
        if (stall->part_ns[i] && stall->part_cause[i] != CAUSE_WORK)
            stall->part_cause[i] = CAUSE_HOST;
}

/* One of the other process, on another CPU, that stood still with it; NULL: none. */
static stall_t *find_partner(const stall_t *stall, const stalls_t *others)
{
    uint64_t length_ns = stall->end_ns - stall->begin_ns;
    for (uint64_t i = stalls_find(others, stall->begin_ns);
         i < others->count && others->list[i].begin_ns < stall->end_ns; i++) {
        stall_t *other = &others->list[i];
        if (may_be_host(other) && other->gap->cpu != stall->gap->cpu &&
            near(stall->begin_ns, other->begin_ns, length_ns) &&
            near(stall->end_ns, other->end_ns, length_ns))
            return other;
    }
    return NULL;
}

void machine_stalls_find(const tbus_gaps_t *gaps, stalls_t *stalls)
{
    for (uint32_t p = 0; p < gaps->processes; p++)
        for (uint64_t i = 0; i < stalls[p].count; i++) {
            stall_t *stall = &stalls[p].list[i];
            bool found = false;
            if (!may_be_host(stall))
                continue;
            for (uint32_t q = 0; q < gaps->processes; q++) {
                stall_t *other = q == p ? NULL : find_partner(stall, &stalls[q]);
                if (other)
                    book(other);
                found |= other != NULL;
            }
            if (found)
                book(stall);
        }
}
