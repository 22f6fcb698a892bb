/* SPDX-License-Identifier: Apache-2.0 */
/* group.h - the stages of one process, in a turn of the driver: what is done with all of them, or
 * asked of all of them. Private to bus/market.
 *
 *    drive.c    a turn: things in the order of market time, horizons
 *    ticks.c    the ticks between two things
 *    group.c    what both need
 */
#ifndef TICKBUS_MARKET_GROUP_H
#define TICKBUS_MARKET_GROUP_H

#include "bus/market/drive.h"

/* The stages of one process, in a turn. */
typedef struct group {
    tbus_stage_t **stages;
    uint32_t count;
    uint32_t failed; /* the index of the stage that has, when a call told a negative number */
    market_stage_t *leader;
    int work;
    uint32_t things_left;
    uint64_t at_ns;    /* the next tick, or what the feed promises: nothing comes before */
    bool has_tick;     /* at_ns is that of a tick in hand, or of the end of the feed */
    bool asks_feed;    /* no tick is in hand: at_ns is what the feed's horizon says */
    bool awaits_input; /* a recording is repeated, and what was taken next is not there */
    bool full;         /* the turn ended with its budget, not for want of ticks */
    bool ticked;       /* ticks were taken that only those were told of whom they concern */
    bool chose;        /* a stage may have chosen anew since its process last forgot */
} group_t;

static inline market_stage_t *group_member(const group_t *g, uint32_t i)
{
    return (market_stage_t *)(void *)g->stages[i];
}

static inline uint64_t group_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline bool group_is_blocked(const market_stage_t *s)
{
    return s->blocked | (s->inputs.out.kept != 0);
}

static inline bool group_repeats(const group_t *g)
{
    return TBUS_UNLIKELY(g->leader->session->recorded != NULL);
}

/* The stage of index `i` has failed with this code, which is returned. */
int group_fail(group_t *g, uint32_t i, int code);

/* Does one of them keep messages that found no room? */
bool group_blocked(const group_t *g);

/* What a tick does not concern is not told of it. All others who read a stage's time come after
 * this. */
void group_tell_time(group_t *g);

/* All take what is on their rings into their hands. 0 or a negative error. */
int group_collect_all(group_t *g);

/* What comes from outside, where a recording is repeated. 0 or a negative error. */
int group_act_all(group_t *g);

/* No earlier thing comes to any of them from another process. */
uint64_t group_bound(const group_t *g);

/* How far ticks may be taken before the things in hand, and without knowing more of others. */
void group_clear(const group_t *g);

#endif
