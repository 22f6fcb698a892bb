/* SPDX-License-Identifier: Apache-2.0 */
/* peer_rte.c - DPDK's rte_ring, messages by value (the _elem calls), laid out in plain memory
 * without EAL: SP/SC one to one, alone or in bursts; HTS competing, the mode that DPDK advises
 * where threads can be preempted. */
#include "bench/contest.h"

#if BENCH_HAS_RTE
#include <rte_config.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

#define BURST_BYTES 56u /* bursts are of one-line messages */

typedef struct rte_side {
    unsigned char burst[CONTEST_BURST * BURST_BYTES] __attribute__((aligned(64)));
    contest_message_t message;
    struct rte_ring *out[CONTEST_SIDES_MAX], *in;
    uint32_t outs, next; /* broadcast: rings, and which has this message next */
    uint32_t filled;     /* bursts: to be sent; received */
    uint32_t at;
} rte_side_t;

static bool can(const contest_trial_t *t)
{
    return t->poll != CONTEST_SLEEPING && t->task != CONTEST_PUBLISH &&
           (t->burst == 1 || (t->bytes == BURST_BYTES && t->kind == CONTEST_PAIR));
}

static struct rte_ring *ring_at(contest_trial_t *t, unsigned i)
{
    size_t bytes = (size_t)rte_ring_get_memsize_elem(t->bytes, t->slots);
    bytes = (bytes + 127) & ~(size_t)127;
    return (bytes * (i + 1) <= CONTEST_MEMORY_BYTES)
               ? (struct rte_ring *)(void *)((unsigned char *)t->memory + bytes * i)
               : NULL;
}

static void *open_rings(contest_trial_t *t)
{
    unsigned flags = t->kind == CONTEST_COMPETING ? RING_F_MP_HTS_ENQ | RING_F_MC_HTS_DEQ
                                                  : RING_F_SP_ENQ | RING_F_SC_DEQ;
    for (unsigned i = 0; i < CONTEST_SIDES_MAX && ring_at(t, i); i++)
        contest_must(rte_ring_init(ring_at(t, i), "bench", t->slots, flags), "rte_ring_init",
                     "refused");
    return t->memory;
}

CONTEST_INLINE bool put_single(void *side, const void *message, size_t bytes)
{
    rte_side_t *s = side;
    for (; s->next < s->outs; s->next++)
        if (rte_ring_sp_enqueue_elem(s->out[s->next], (void *)(uintptr_t)message,
                                     (unsigned)bytes) != 0)
            return false;
    s->next = 0;
    return true;
}
CONTEST_INLINE const void *get_single(void *side, size_t bytes)
{
    rte_side_t *s = side;
    return rte_ring_sc_dequeue_elem(s->in, &s->message, (unsigned)bytes) == 0 ? &s->message : NULL;
}
CONTEST_INLINE bool put_several(void *side, const void *message, size_t bytes)
{
    rte_side_t *s = side;
    return rte_ring_mp_hts_enqueue_bulk_elem(s->out[0], message, (unsigned)bytes, 1, NULL) == 1;
}
CONTEST_INLINE const void *get_several(void *side, size_t bytes)
{
    rte_side_t *s = side;
    return rte_ring_mc_hts_dequeue_bulk_elem(s->in, &s->message, (unsigned)bytes, 1, NULL) == 1
               ? &s->message
               : NULL;
}

/* A burst goes out when it is full; the number of messages is a multiple of it. True: it went. */
CONTEST_INLINE bool flush_burst(rte_side_t *s)
{
    if (!rte_ring_sp_enqueue_bulk_elem(s->out[0], s->burst, BURST_BYTES, CONTEST_BURST, NULL))
        return false;
    s->filled = 0;
    return true;
}
CONTEST_INLINE bool put_burst(void *side, const void *message, size_t bytes)
{
    rte_side_t *s = side;
    if (s->filled == CONTEST_BURST && !flush_burst(s))
        return false;
    memcpy(s->burst + s->filled * bytes, message, bytes);
    if (++s->filled == CONTEST_BURST)
        flush_burst(s);
    return true;
}
CONTEST_INLINE const void *get_burst(void *side, size_t bytes)
{
    rte_side_t *s = side;
    if (s->at == s->filled) {
        s->at = 0;
        s->filled =
            rte_ring_sc_dequeue_burst_elem(s->in, s->burst, (unsigned)bytes, CONTEST_BURST, NULL);
        if (!s->filled)
            return NULL;
    }
    return s->burst + s->at * bytes;
}
CONTEST_INLINE void done_burst(void *side)
{
    ((rte_side_t *)side)->at++;
}

static void run_side(contest_trial_t *t, void *shared, unsigned index)
{
    (void)shared;
    contest_lanes_t mine = contest_lanes_of(t, index);
    rte_side_t side = {.outs = mine.outs, .in = ring_at(t, mine.in)};
    for (unsigned i = 0; i < mine.outs; i++)
        side.out[i] = ring_at(t, mine.out[i]);
    if (t->kind == CONTEST_COMPETING) {
        contest_loops(t, index, &side, put_several, get_several, contest_done_nothing);
    } else if (t->burst > 1) {
        contest_loops_sized(t, index, &side, BURST_BYTES, put_burst, get_burst, done_burst);
        while (index < t->senders && side.filled && !flush_burst(&side))
            tbus_pause();
    } else {
        contest_loops(t, index, &side, put_single, get_single, contest_done_nothing);
    }
}

const contest_peer_t peer_rte = {.name = "rte_ring",
                                 .package = "libdpdk-dev",
                                 .threads = true,
                                 .slowness = 2,
                                 .can = can,
                                 .open = open_rings,
                                 .side = run_side};
#else
const contest_peer_t peer_rte = {.name = "rte_ring", .package = "libdpdk-dev"};
#endif
