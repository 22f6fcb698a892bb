/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/market/ticks.h"

#include <tickbus/msg/itch_types.h>

#include "bus/market/demand.h"
#include "bus/run/stamps.h"

static int fail_books(market_stage_t *s, int code)
{
    return tbus_fail(&s->stage.error, code, "stage '%s' stopped at message %llu of md: %s",
                     s->stage.name, (unsigned long long)s->leader->md.seq,
                     market_limit_text(s->market));
}

int market_stage_need_book(market_stage_t *s, uint16_t wire_locate)
{
    int code = market_build(s->market, market_number(s->market, wire_locate));
    if (TBUS_UNLIKELY(code == -TBUS_ENOTFOUND))
        return tbus_fail(&s->stage.error, code,
                         "stage '%s' stopped: an order came, and no books are kept, since no stage "
                         "of this pipeline sends orders and nobody from outside may",
                         s->stage.name);
    return TBUS_LIKELY(code == 0) ? 0 : fail_books(s, code);
}

/* Into the books. 0 or a negative error. */
static inline int apply(group_t *g, const tick_t *tick, size_t bytes,
                        const market_event_t **out_event)
{
    market_stage_t *leader = g->leader;
    int code = market_apply(leader->market, leader->md.seq, tick, bytes, out_event);
    if (TBUS_LIKELY(code == 0))
        return 0;
    return group_fail(g, 0, fail_books(leader, code));
}

int ticks_warm_up(group_t *g, const tick_t *tick, size_t bytes)
{
    const market_event_t *event;
    g->leader->warms_up |= g->leader->clock.now_ns == 0;
    int code = apply(g, tick, bytes, &event);
    if (code == 0) {
        tbus_advance(&g->leader->md);
        g->work++;
    }
    return code;
}

static void end_warm_up(market_stage_t *leader)
{
    leader->warms_up = false;
    market_end_warm_up(leader->market);
}

static void note_taken(market_stage_t *leader)
{
    leader->tick_taken_at = tbus_stamps_now(leader->stamps);
    if (leader->stamps_ticks)
        tbus_stamps_message(leader->stamps, TBUS_STAMP_TAKEN, leader->md.seq,
                            leader->tick_taken_at);
}

_Static_assert(TBUS_PARTICIPANTS_MAX <= 32, "the stages of a group are the bits of a word");

/* Bit i: the tick concerns stage i of the group. Without a branch for what may make it so: two of
 * the three seldom hold, and the third is a toss. */
static inline uint32_t concerned(const group_t *g, const tick_t *tick, const market_event_t *event)
{
    const unsigned word = event->locate / 64u, bit = event->locate % 64u, type = tick->type;
    const uint32_t touch = event->bbo_changed, count = g->count;
    uint32_t all = 0;
    for (uint32_t i = 0; i < count; i++) {
        const market_stage_t *s = group_member(g, i);
        uint32_t one = (uint32_t)(s->concerns[word] >> bit) | s->types[type] | (s->touches & touch);
        all |= (one & 1) << i;
    }
    return all;
}

/* A stage may have chosen anew: nothing is known of what they want. */
static void forget_whom(group_t *g)
{
    whom_t *whom = &g->leader->whom;
    whom->choice++;
    whom->all_bests = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        whom->all_bests |= (uint32_t)group_member(g, i)->touches << i;
        group_member(g, i)->chose = false;
    }
    g->chose = false;
}

static __attribute__((noinline)) void learn_word(const group_t *g, whom_word_t *entry,
                                                 unsigned word, uint64_t known)
{
    entry->known = known;
    entry->any = 0;
    for (uint32_t i = 0; i < g->count; i++)
        entry->any |= group_member(g, i)->concerns[word];
}

static __attribute__((noinline)) void learn_type(const group_t *g, uint64_t *entry, unsigned type)
{
    *entry = 2 * g->leader->whom.choice;
    for (uint32_t i = 0; i < g->count; i++)
        *entry |= group_member(g, i)->types[type] != 0;
}

/* As concerned(), as long as none of them chooses anew. */
static inline uint32_t concerned_still(const group_t *g, const tick_t *tick,
                                       const market_event_t *event)
{
    whom_t *whom = &g->leader->whom;
    const unsigned word = event->locate / 64u, bit = event->locate % 64u, type = tick->type;
    whom_word_t *of_symbol = &whom->words[word % WHOM_WORDS];
    uint64_t *of_type = &whom->types[type];
    uint64_t known = whom->choice << 10 | word;
    if (TBUS_UNLIKELY(of_symbol->known != known))
        learn_word(g, of_symbol, word, known);
    if (TBUS_UNLIKELY(*of_type >> 1 != whom->choice))
        learn_type(g, of_type, type);
    if (TBUS_UNLIKELY(((of_symbol->any >> bit | *of_type) & 1) != 0))
        return concerned(g, tick, event);
    return event->bbo_changed ? whom->all_bests : 0;
}

/* A stage has sent something because of the tick, or what it may take next has changed. 0, 1:
 * something found no room, or a negative error. */
static int settle_tick(group_t *g)
{
    bool stirred = false;
    for (uint32_t i = 0; i < g->count; i++) {
        stirred |= group_member(g, i)->stirred;
        group_member(g, i)->changed = false;
    }
    group_tell_time(g);
    int code = stirred ? group_collect_all(g) : 0;
    if (code == 0 && group_repeats(g))
        code = group_act_all(g);
    group_clear(g);
    return code < 0 ? code : group_blocked(g);
}

/* Nobody measures, nothing is repeated and no book is being made: ticks are just taken. */
static inline bool is_plain(const group_t *g)
{
    const market_stage_t *leader = g->leader;
    return !leader->stamps && !leader->warms_up && !group_repeats(g) &&
           leader->md.ring.slot_msg_bytes_max >= sizeof(tick_t);
}

/* Those whom it concerns, bit by bit, are told of the tick in hand, and it is done. `settles`:
 * whatever they do. What settle_tick returns. */
static inline __attribute__((always_inline)) int tell_tick(group_t *g, uint32_t whom,
                                                           const tick_t *tick, size_t bytes,
                                                           const market_event_t *event,
                                                           bool settles)
{
    market_stage_t *leader = g->leader;
    for (; whom != 0; whom &= whom - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(whom);
        market_stage_t *s = group_member(g, i);
        s->now_ns = leader->clock.now_ns;
        int code = s->ops->on_tick(s, tick, bytes, event);
        if (TBUS_UNLIKELY(code < 0))
            return group_fail(g, i, code);
        settles |= s->stirred | s->changed | s->blocked;
        g->chose |= s->chose;
    }
    tbus_advance(&leader->md);
    g->ticked = true;
    g->work++;
    if (TBUS_LIKELY(!settles))
        return 0;
    g->chose = true;
    return settle_tick(g);
}

int ticks_give(group_t *g, const tick_t *tick, size_t bytes)
{
    market_stage_t *leader = g->leader;
    const market_event_t *event;
    if (TBUS_UNLIKELY(leader->stamps != NULL))
        note_taken(leader);
    if (TBUS_UNLIKELY(leader->warms_up))
        end_warm_up(leader);
    int code = apply(g, tick, bytes, &event);
    return TBUS_UNLIKELY(code < 0)
               ? code
               : tell_tick(g, concerned(g, tick, event), tick, bytes, event, group_repeats(g));
}

/* The clock goes on to the next tick, unless something may come before that. False: it does not. */
static bool reach(market_stage_t *leader, const tick_t *tick, size_t bytes)
{
    market_clock_t then = market_clock_at(leader->clock, tick, bytes);
    if (then.now_ns > leader->clear_ns)
        return false;
    leader->clock = then;
    return true;
}

/* The next tick and its time, if it is what nearly all are: of the fixed size, with a stamp that
 * tells that time, which is not behind `clear_ns`. NULL: it is not, or there is none. */
static inline __attribute__((always_inline)) const tick_t *next_plain(market_stage_t *leader,
                                                                      const market_clock_t *clock,
                                                                      uint64_t clear_ns,
                                                                      uint64_t *out_now_ns)
{
    const tick_t *tick = (const tick_t *)tbus_peek_of(&leader->md, sizeof *tick);
    bool plain = tick && !TBUS_UNLIKELY(tick_is_warm_up(tick)) &&
                 TBUS_LIKELY(market_clock_told(clock, tick, sizeof *tick, out_now_ns)) &&
                 *out_now_ns <= clear_ns;
    return plain ? tick : NULL;
}

/* Is a tick that changes no book for nobody? (Runs are short where nobody keeps books: whether
 * anybody wants ticks of orders at all is not worth being found out for one.) */
static inline bool is_for_nobody(const group_t *g, const tick_t *tick)
{
    if (!itch_is_of_an_order(tick->type))
        return false;
    market_event_t event = {.locate = market_number(g->leader->market, tick_locate(tick))};
    return concerned(g, tick, &event) == 0;
}

/* As take_run, where no books are kept: ticks of orders, as long as they are for nobody. */
static __attribute__((noinline)) uint32_t skim(group_t *g, uint32_t ticks_max)
{
    market_stage_t *leader = g->leader;
    market_clock_t clock = leader->clock;
    const uint64_t clear_ns = leader->clear_ns;
    uint32_t ticks = 0;
    for (; ticks < ticks_max; ticks++) {
        uint64_t now_ns;
        const tick_t *tick = next_plain(leader, &clock, clear_ns, &now_ns);
        if (!tick || TBUS_UNLIKELY(!is_for_nobody(g, tick)))
            break;
        clock.now_ns = now_ns;
        clock.stamp_ns = tick_event_ns(tick);
        tbus_advance(&leader->md);
    }
    if (ticks == 0)
        return 0;
    leader->clock = clock;
    demand_pass(leader->market, leader->md.seq - 1);
    g->ticked = true;
    g->work += (int)ticks;
    return ticks;
}

/* As take_clear, of what nearly all ticks are: of the fixed size, with a stamp that tells their
 * time, while nothing else is going on (is_plain) and no stage does anything that may change what
 * it wants. Each of the others ends it. Not inlined: what it works with has registers of its
 * own. */
static __attribute__((noinline)) uint32_t take_run(group_t *g, uint32_t ticks_max, int *out_code)
{
    market_stage_t *leader = g->leader;
    uint32_t ticks = 0;
    int code = 0;
    bool skims = market_stage_waits(leader) && market_builds_none(leader->market);
    forget_whom(g); /* they may have chosen anew in any call since the last run */
    while (ticks < ticks_max && code == 0 && !g->chose) {
        if (TBUS_UNLIKELY(skims) && (ticks += skim(g, ticks_max - ticks)) == ticks_max)
            break;
        const market_event_t *event;
        uint64_t now_ns;
        const tick_t *tick = next_plain(leader, &leader->clock, leader->clear_ns, &now_ns);
        if (!tick)
            break;
        leader->clock.now_ns = now_ns;
        leader->clock.stamp_ns = tick_event_ns(tick);
        code = apply(g, tick, sizeof *tick, &event);
        if (TBUS_LIKELY(code == 0))
            code = tell_tick(g, concerned_still(g, tick, event), tick, sizeof *tick, event, false);
        ticks++;
    }
    *out_code = code;
    return ticks;
}

uint32_t ticks_take_clear(group_t *g, uint32_t ticks_max, int *out_code)
{
    market_stage_t *leader = g->leader;
    uint32_t ticks = 0;
    *out_code = 0;
    while (ticks < ticks_max && *out_code == 0) {
        size_t bytes;
        if (is_plain(g))
            ticks += take_run(g, ticks_max - ticks, out_code);
        if (ticks == ticks_max || *out_code != 0)
            break;
        const tick_t *tick = (const tick_t *)tbus_peek(&leader->md, &bytes);
        if (!tick || TBUS_UNLIKELY(tick_is_warm_up(tick)) || !reach(leader, tick, bytes))
            break;
        *out_code = ticks_give(g, tick, bytes);
        ticks++;
    }
    return ticks;
}
