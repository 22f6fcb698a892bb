/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/group.h"

int group_fail(group_t *g, uint32_t i, int code)
{
    g->failed = i;
    return code;
}

bool group_blocked(const group_t *g)
{
    bool any = false;
    for (uint32_t i = 0; i < g->count; i++)
        any |= group_is_blocked(group_member(g, i));
    return any;
}

void group_tell_time(group_t *g)
{
    for (uint32_t i = 0; g->ticked && i < g->count; i++)
        group_member(g, i)->now_ns = g->leader->clock.now_ns;
    g->ticked = false;
}

int group_collect_all(group_t *g)
{
    group_tell_time(g);
    for (uint32_t i = 0; i < g->count; i++) {
        group_member(g, i)->has_sent |= group_member(g, i)->stirred;
        group_member(g, i)->stirred = group_member(g, i)->changed = false;
    }
    for (uint32_t i = 0; i < g->count; i++) {
        int got = group_member(g, i)->ops->collect(group_member(g, i));
        if (TBUS_UNLIKELY(got < 0))
            return group_fail(g, i, got);
    }
    return 0;
}

int group_act_all(group_t *g)
{
    bool stirred = false;
    for (uint32_t i = 0; i < g->count; i++) {
        market_stage_t *s = group_member(g, i);
        int code = s->ops->act ? s->ops->act(s) : 0;
        if (TBUS_UNLIKELY(code < 0))
            return group_fail(g, i, code);
        stirred |= s->stirred;
    }
    return stirred ? group_collect_all(g) : 0;
}

uint64_t group_bound(const group_t *g)
{
    uint64_t bound_ns = MARKET_NEVER;
    for (uint32_t i = 0; i < g->count; i++)
        bound_ns = group_least(bound_ns, group_member(g, i)->bound_ns);
    return bound_ns;
}

void group_clear(const group_t *g)
{
    uint64_t clear_ns = MARKET_NEVER;
    for (uint32_t i = 0; i < g->count; i++)
        clear_ns = group_least(
            clear_ns, group_least(group_member(g, i)->next_ns, group_member(g, i)->bound_ns));
    g->leader->clear_ns = clear_ns;
}
