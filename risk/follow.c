/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/follow.h"

int follow_fail(const follow_t *f, tbus_stage_t *stage, int code)
{
    return tbus_fail(&stage->error, code, "stage '%s' stopped at message %llu of md: %s",
                     stage->name, (unsigned long long)f->md.seq, market_limit_text(f->market));
}

enum follow_reach follow_reach(follow_t *f, uint64_t md_seq)
{
    if (md_seq <= f->seq)
        return FOLLOW_REACHED;
    size_t bytes;
    return tbus_peek(&f->md, &bytes) ? FOLLOW_LATER : FOLLOW_NEVER;
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
