/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/stall.h"

#include "tools/measure/process_state.h"

const char *stall_how_name(enum stall_how how)
{
    static const char *const names[] = {"none", "stopped", "asleep", "busy"};
    return names[how];
}

bool stall_look(pid_t pid, stall_sight_t *sight)
{
    return process_state(pid, &sight->state, &sight->cpu_ns);
}

static enum stall_how how_of(char state)
{
    switch (state) {
    case 0:
    case 'Z': /* it has ended: that is another story */
    case 'X':
        return STALL_NONE;
    case 'T':
    case 't':
        return STALL_STOPPED;
    case 'R':
        return STALL_BUSY;
    default:
        return STALL_ASLEEP;
    }
}

void stall_see(stall_t *stall, const stall_sight_t *sight)
{
    const stall_sight_t *last = &stall->last;
    if (!last->now_ns || sight->pulse != last->pulse) {
        *stall = (stall_t){.last = *sight, .since_ns = sight->now_ns};
        return;
    }
    uint64_t passed_ns = sight->now_ns - last->now_ns;
    if (passed_ns > STALL_STOPPED_NS)
        passed_ns = STALL_STOPPED_NS;
    enum stall_how how = how_of(sight->state);
    if ((how == STALL_STOPPED) !=
        (stall->how == STALL_STOPPED)) { /* what it was until then is no part of it */
        stall->since_ns = last->now_ns;
        stall->still_ns = 0;
    }
    stall->how = how;
    if (stall->how == STALL_STOPPED || stall->how == STALL_ASLEEP)
        stall->still_ns += passed_ns;
    else if (stall->how == STALL_BUSY && last->state)
        stall->still_ns += sight->cpu_ns - last->cpu_ns;
    stall->last = *sight;
}

bool stall_is_long(const stall_t *stall)
{
    return stall->how != STALL_NONE &&
           stall->still_ns >= (stall->how == STALL_STOPPED ? STALL_STOPPED_NS : STALL_HUNG_NS);
}
