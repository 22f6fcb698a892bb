/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/run/loop.h"

/* A strategy that answers every report with another order would never settle: then the next tick
 * comes all the same, after as many rounds in every run. */
#define SETTLING_ROUNDS_MAX 64u

/* Is it a stage of this very step that leaves no room for what the publisher wants to put out, by
 * having too much unread? Told from our own handles: how far other processes are must not
 * matter. */
static bool waits_for_step(const tbus_loop_t *loop, const tbus_publisher_t *p)
{
    uint64_t end =
        p->ring.several_publishers ? tbus_ring_claimed(&p->ring) : tbus_publisher_position(p);
    uint32_t wanted = p->blocked && p->slots_wanted > 1 ? p->slots_wanted : 1;
    for (uint32_t i = loop->step_first; tbus_loop_in_step(loop, i); i++)
        for (uint32_t k = 0; k < loop->stages[i]->subscribers_count; k++) {
            const tbus_subscriber_t *s = loop->stages[i]->subscribers[k];
            if (s->ring.shared == p->ring.shared &&
                (int64_t)(end + wanted - tbus_subscriber_position(s)) > (int64_t)p->ring.slot_count)
                return true;
        }
    return false;
}

/* The stage in turn waits for room. Holding the others still would be for ever if it is one of them
 * that has to make it: then they take what they have, but nothing new from the driving input. */
static int let_others_make_room(tbus_loop_t *loop, uint32_t waiting)
{
    const tbus_stage_t *stage = loop->stages[waiting];
    bool ours = false;
    int work = 0;
    for (uint32_t k = 0; k < stage->publishers_count; k++)
        ours |= waits_for_step(loop, stage->publishers[k]);
    for (uint32_t i = loop->step_first; ours && tbus_loop_in_step(loop, i); i++) {
        int done = i == waiting ? 0 : tbus_loop_poll(loop, i, 0);
        if (done < 0)
            return done;
        work += done;
    }
    return work;
}

/* All had their turn. */
static void end_round(tbus_step_t *step)
{
    step->settling = step->moved && step->settled < SETTLING_ROUNDS_MAX;
    step->settled = step->settling ? step->settled + 1 : 0;
    step->moved = false;
}

int tbus_loop_turns_in_step(tbus_loop_t *loop, enum tbus_command *obeyed, tbus_step_t *step)
{
    uint32_t first = loop->step_first, count = loop->step_count;
    tbus_step_t now = *step; /* a copy that stays in registers */
    int work = 0;
    for (uint32_t i = first; i < first + count; i++)
        tbus_loop_obey(loop, i, &obeyed[i]);
    for (uint32_t rounds = loop->budget; rounds > 0; rounds--) {
        int work_before = work;
        for (; now.at < count; now.at++) {
            const tbus_stage_t *stage = loop->stages[first + now.at];
            const tbus_subscriber_t *driving = stage->subscribers[0];
            uint32_t share = (now.at != 0 ? now.led : !now.settling) - now.took;
            uint64_t before = tbus_subscriber_consumed(driving);
            int done = tbus_loop_poll(loop, first + now.at, share);
            if (TBUS_UNLIKELY(done < 0))
                return done;
            uint32_t ticks = (uint32_t)(tbus_subscriber_consumed(driving) - before);
            work += done;
            now.moved |= (uint32_t)done > ticks;
            if (TBUS_UNLIKELY(stage->pending || (now.at != 0 && ticks < share))) {
                now.took += ticks;
                *step = now;
                done = let_others_make_room(loop, first + now.at);
                return done < 0 ? done : work + done;
            }
            if (now.at == 0)
                now.led = now.took + ticks;
            now.took = 0;
        }
        now.at = 0;
        end_round(&now);
        if (work == work_before)
            break;
    }
    *step = now;
    return work;
}
