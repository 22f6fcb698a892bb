/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/losses.h"

#include <inttypes.h>
#include <stdio.h>

/* "`whose` net loss, 1.0000, is more than `key` allows, 0.5000". */
static void say_loss(char *text, size_t bytes, const char *whose, int64_t loss_e4, const char *key,
                     uint64_t limit_e4)
{
    uint64_t loss = (uint64_t)loss_e4;
    snprintf(text, bytes,
             "%s net loss, %" PRIu64 ".%04" PRIu64 ", is more than %s allows, "
             "%" PRIu64 ".%04" PRIu64,
             whose, loss / 10000, loss % 10000, key, limit_e4 / 10000, limit_e4 % 10000);
}

static void throw_for_loss(losses_t *l)
{
    char reason[KILL_SWITCH_REASON_MAX];
    say_loss(reason, sizeof reason, "the", gate_loss_e4(l->gate), "risk.loss_max_e4",
             gate_limits(l->gate)->loss_max_e4);
    kill_switch_reduce(l->acts->kill_switch, KILL_BY_LOSS, reason);
}

/* Where its limits stand: by that it is known in a later run. */
static const char *section_of(const losses_t *l, uint32_t number)
{
    for (uint32_t i = 0; i < l->strategies_count; i++)
        if (l->strategies[i].number == number)
            return l->strategies[i].section;
    return "?";
}

static void tell_strategy(losses_t *l, uint32_t number, const acts_place_t *place)
{
    char why[KILL_SWITCH_REASON_MAX];
    int64_t loss_e4;
    uint64_t limit_e4;
    gate_strategy_loss_e4(l->gate, number, &loss_e4, &limit_e4);
    say_loss(why, sizeof why, "its", loss_e4, "loss_max_e4", limit_e4);
    kill_switch_tell_why(l->acts->kill_switch, number, section_of(l, number), kill_switch_self(),
                         why);
    acts_tell_strategy(l->acts, number, place);
}

static void show_latched(losses_t *l, uint32_t latched)
{
    l->latched_told = latched;
    kill_switch_tell_latched(l->acts->kill_switch, latched, l->acts->releases);
}

void losses_begin(losses_t *l, const acts_place_t *place)
{
    uint32_t begun = 0;
    for (uint32_t left = kill_switch_latched_before(l->acts->kill_switch); left != 0;
         left &= left - 1) {
        uint32_t number = (uint32_t)__builtin_ctz(left);
        if (gate_latch_strategy(l->gate, number))
            begun |= UINT32_C(1) << number;
    }
    show_latched(l, begun);
    for (uint32_t left = begun; left != 0; left &= left - 1)
        acts_tell_strategy(l->acts, (uint32_t)__builtin_ctz(left), place);
}

void losses_tell(losses_t *l, const acts_place_t *place)
{
    if (l->acts->resumes != l->resumes) {
        l->told = false;
        show_latched(l, 0);
    }
    l->resumes = l->acts->resumes;
    bool loss = gate_loss_latched(l->gate);
    uint32_t latched = gate_strategies_latched(l->gate);
    for (uint32_t left = latched & ~l->latched_told; left != 0; left &= left - 1)
        tell_strategy(l, (uint32_t)__builtin_ctz(left), place);
    if (latched != l->latched_told)
        show_latched(l, latched);
    if (loss && !l->told)
        throw_for_loss(l);
    l->told = loss;
}
