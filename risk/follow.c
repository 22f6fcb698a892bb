/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/follow.h"

/* The feed's own marks (tick.h) have no exchange time. */
static bool has_event_time(const tick_t *tick, size_t bytes)
{
    return bytes >= TICK_BODY_OFFSET && tick->type != TICK_END_MARK && tick->type != TICK_RUNT;
}

int follow_next(follow_t *f, tbus_stage_t *stage, const market_event_t **out_event)
{
    size_t bytes;
    const tick_t *tick = (const tick_t *)tbus_peek(&f->md, &bytes);
    if (tick == NULL)
        return 0;
    int code = market_apply(f->market, f->md.seq, tick, bytes, out_event);
    if (code < 0)
        return tbus_fail(&stage->error, code, "stage '%s' stopped at message %llu of md: %s", stage->name,
                         (unsigned long long)f->md.seq, market_limit_text(f->market));
    if (has_event_time(tick, bytes))
        f->event_ns = tick_event_ns(tick);
    f->seq = f->md.seq;
    tbus_advance(&f->md);
    return 1;
}

enum follow_reach follow_reach(follow_t *f, uint64_t md_seq)
{
    if (md_seq <= f->seq)
        return FOLLOW_REACHED;
    size_t bytes;
    return tbus_peek(&f->md, &bytes) != NULL ? FOLLOW_LATER : FOLLOW_NEVER;
}

int follow_check_rings(tbus_stage_t *stage)
{
    for (uint32_t i = 0; i < stage->subscribers_count; i++)
        if (stage->subscribers[i]->error != 0)
            return tbus_fail(&stage->error, stage->subscribers[i]->error,
                             "stage '%s': topic '%s' holds what no publisher writes", stage->name,
                             stage->subscribers[i]->ring.shared->name);
    return 0;
}
