/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/standstill.h"

#include <tickbus/stage.h>

/* Whole turns that found nothing to do: the first may have begun before the look. */
#define QUIET_TURNS 2u
/* Of a stage that keeps what it cannot send, which makes no quiet turns: heartbeats. A loop that
 * turns in vain has one after every sleep, and one that finds work has one every 1024 turns; so
 * many turns with work show in the counts. */
#define VAIN_BEATS 16u

TBUS_STATIC_ASSERT(TBUS_PARTICIPANTS_MAX <= 64); /* bits of `stages` */

/* All that stages wait for: messages, room, horizons, and that a source has no more. */
static uint64_t count_moved(const tbus_bus_t *bus)
{
    uint64_t sum = tbus_bus_taken(bus);
    for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++) {
        const tbus_participant_t *p = &bus->directory->participants[i];
        /* hints: who has raised its horizon is seen to have had turns since */
        uint64_t horizon_ns = tbus_load_relaxed_u64(&p->horizon.at);
        sum += (2 * i + 3) * horizon_ns + tbus_load_relaxed_u32(&p->state);
    }
    for (uint32_t t = 0; t < bus->topics_count; t++) {
        const tbus_ring_t *ring = &bus->rings[t];
        if (ring->shared)
            sum += tbus_ring_published(ring) + tbus_ring_taken(ring);
    }
    return sum;
}

static void arm(standstill_t *standstill, const tbus_bus_t *bus, uint64_t moved)
{
    standstill->moved = moved;
    standstill->armed = true;
    for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++) {
        const tbus_participant_t *p = &bus->directory->participants[i];
        struct standstill_stage *stage = &standstill->stages[i];
        /* Q2 pairs Q1 (rest in loop.c): what is counted later is of turns that come later. */
        stage->quiet = tbus_load_acquire_u64(&p->quiet);
        stage->heartbeat = tbus_load_relaxed_u64(&p->heartbeat);
        stage->beats = 0;
    }
}

/* It had whole turns since, and did nothing. */
static bool is_idle(struct standstill_stage *stage, const tbus_participant_t *p, bool source)
{
    uint32_t state = tbus_load_relaxed_u32(&p->state); /* hint: it is looked at again */
    if (p->bystander || state == TBUS_HALT || state == TBUS_FAIL)
        return true;
    if (state != TBUS_RUN && state != TBUS_DONE) /* it has not begun */
        return false;
    /* Q2 pairs Q1 (rest in loop.c): its counts were flushed before. */
    uint64_t quiet = tbus_load_acquire_u64(&p->quiet) - stage->quiet;
    uint64_t heartbeat = tbus_load_relaxed_u64(&p->heartbeat);
    stage->beats += heartbeat != stage->heartbeat;
    stage->heartbeat = heartbeat;
    if (quiet == 0)
        return stage->beats >= VAIN_BEATS && tbus_load_relaxed_u32(&p->publishes) != 0;
    return quiet >= QUIET_TURNS && (!source || state == TBUS_DONE);
}

bool standstill_look(standstill_t *standstill, const tbus_bus_t *bus, uint64_t stages,
                     uint64_t sources)
{
    bool idle = true;
    for (uint32_t i = 0; standstill->armed && i < TBUS_PARTICIPANTS_MAX; i++)
        if (stages >> i & 1)
            idle &=
                is_idle(&standstill->stages[i], &bus->directory->participants[i], sources >> i & 1);
    uint64_t moved = count_moved(bus);
    standstill->suspected = standstill->armed && moved == standstill->moved;
    if (standstill->suspected)
        return idle;
    arm(standstill, bus, moved);
    return false;
}
