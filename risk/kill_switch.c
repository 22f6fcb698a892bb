/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/kill_switch.h"

#include <string.h>
#include <unistd.h>

int kill_switch_add(tbus_bus_t *bus, kill_switch_t **out_kill_switch, tbus_error_t *err)
{
    void *block;
    int code = tbus_bus_add_block(bus, KILL_SWITCH_BLOCK, sizeof(kill_switch_t), &block, err);
    if (code == 0)
        *out_kill_switch = block;
    return code;
}

int kill_switch_find(const tbus_bus_t *bus, kill_switch_t **out_kill_switch, tbus_error_t *err)
{
    void *block;
    int code = tbus_bus_find_block(bus, KILL_SWITCH_BLOCK, sizeof(kill_switch_t), &block, err);
    if (code == 0)
        *out_kill_switch = block;
    return code;
}

uint32_t kill_switch_generation(const kill_switch_t *kill_switch)
{
    /* B6 pairs B5 (throw_latch): else we answer the generation before, and whoever threw it waits
     * for an answer in vain. */
    if (!tbus_load_acquire_u32(&kill_switch->halt.thrown))
        return 0;
    return tbus_load_relaxed_u32(&kill_switch->halt.generation);
}

/* ---- throwing */

kill_switch_actor_t kill_switch_self(void)
{
    return (kill_switch_actor_t){.uid = (uint32_t)geteuid(), .pid = (uint32_t)getpid()};
}

static uint32_t throw_latch(kill_switch_latch_t *latch, enum kill_switch_by by,
                            kill_switch_actor_t actor, const char *reason)
{
    char text[KILL_SWITCH_REASON_MAX] = {0};
    (void)kill_switch_reason(reason, text, sizeof text);
    uint64_t now_ns = actor.time_ns ? actor.time_ns : tbus_clock_realtime_ns();
    if (!tbus_load_relaxed_u32(&latch->thrown))
        tbus_store_relaxed_u64(&latch->since_ns, now_ns);
    tbus_store_relaxed_u64(&latch->thrown_ns, now_ns);
    tbus_store_relaxed_u32(&latch->by, by);
    tbus_store_relaxed_u32(&latch->uid, actor.uid);
    tbus_store_relaxed_u32(&latch->pid, actor.pid);
    tbus_words_store(latch->reason, text, sizeof text);
    uint32_t generation = tbus_fetch_add_relaxed_u32(&latch->generation, 1) + 1;
    /* B5 pairs B6 (kill_switch_generation, look_at): whoever sees it thrown sees which generation
     * it is. */
    tbus_store_release_u32(&latch->thrown, 1);
    return generation;
}

uint32_t kill_switch_throw_as(kill_switch_t *kill_switch, enum kill_switch_by by,
                              kill_switch_actor_t actor, const char *reason)
{
    return throw_latch(&kill_switch->halt, by, actor, reason);
}

uint32_t kill_switch_throw(kill_switch_t *kill_switch, enum kill_switch_by by, const char *reason)
{
    return throw_latch(&kill_switch->halt, by, kill_switch_self(), reason);
}

void kill_switch_throw_once(kill_switch_t *kill_switch, enum kill_switch_by by, const char *reason)
{
    if (!kill_switch_thrown(kill_switch))
        kill_switch_throw(kill_switch, by, reason);
}

void kill_switch_reduce_as(kill_switch_t *kill_switch, enum kill_switch_by by,
                           kill_switch_actor_t actor, const char *reason)
{
    (void)throw_latch(&kill_switch->reduction, by, actor, reason);
}

void kill_switch_reduce(kill_switch_t *kill_switch, enum kill_switch_by by, const char *reason)
{
    (void)throw_latch(&kill_switch->reduction, by, kill_switch_self(), reason);
}

/* ---- releasing */

static void release(kill_switch_t *kill_switch, kill_switch_actor_t actor, const char *reason,
                    bool reduction)
{
    char text[KILL_SWITCH_REASON_MAX] = {0};
    (void)kill_switch_reason(reason, text, sizeof text);
    uint32_t number = tbus_load_relaxed_u32(&kill_switch->releases) + 1;
    tbus_store_relaxed_u64(&kill_switch->released_ns, tbus_clock_realtime_ns());
    tbus_store_relaxed_u32(&kill_switch->released_uid, actor.uid);
    tbus_store_relaxed_u32(&kill_switch->released_pid, actor.pid);
    tbus_words_store(kill_switch->released_reason, text, sizeof text);
    tbus_store_relaxed_u32(&kill_switch->halt.thrown, 0);
    if (reduction)
        tbus_store_relaxed_u32(&kill_switch->reduction.thrown, 0);
    /* B9 pairs B10 (kill_switch_look_release): else a stage finds the release, and a latch still
     * thrown, and obeys the next time that something changes. */
    tbus_store_release_u32(&kill_switch->releases, number);
}

void kill_switch_release(kill_switch_t *kill_switch, kill_switch_actor_t actor, const char *reason)
{
    release(kill_switch, actor, reason, true);
}

void kill_switch_release_halt(kill_switch_t *kill_switch, kill_switch_actor_t actor,
                              const char *reason)
{
    release(kill_switch, actor, reason, false);
}

/* ---- looking */

void kill_switch_look_release(const kill_switch_t *kill_switch, kill_switch_release_t *out_release)
{
    kill_switch_release_t release = {0};
    /* B10 pairs B9 (kill_switch_release). */
    release.number = tbus_load_acquire_u32(&kill_switch->releases);
    release.uid = tbus_load_relaxed_u32(&kill_switch->released_uid);
    release.pid = tbus_load_relaxed_u32(&kill_switch->released_pid);
    release.time_ns = tbus_load_relaxed_u64(&kill_switch->released_ns);
    tbus_words_load(release.reason, kill_switch->released_reason, sizeof release.reason);
    release.reason[sizeof release.reason - 1] = 0;
    *out_release = release;
}

void kill_switch_answer(kill_switch_t *kill_switch, uint32_t generation, uint64_t cancelled,
                        uint32_t unconfirmed)
{
    tbus_store_relaxed_u64(&kill_switch->cancelled, cancelled);
    tbus_store_relaxed_u32(&kill_switch->unconfirmed, unconfirmed);
    tbus_store_relaxed_u64(&kill_switch->answered_ns, tbus_clock_realtime_ns());
    /* B7 pairs B8 (kill_switch_look): whoever sees the answer sees what it says. */
    tbus_store_release_u32(&kill_switch->answered, generation);
}

static kill_switch_state_t look_at(const kill_switch_latch_t *latch)
{
    kill_switch_state_t state = {0};
    /* B6 pairs B5 (throw_latch): the rest is of this throw, or of a later one. */
    state.thrown = tbus_load_acquire_u32(&latch->thrown) != 0;
    state.generation = tbus_load_relaxed_u32(&latch->generation);
    state.by = (enum kill_switch_by)tbus_load_relaxed_u32(&latch->by);
    state.uid = tbus_load_relaxed_u32(&latch->uid);
    state.pid = tbus_load_relaxed_u32(&latch->pid);
    state.since_ns = tbus_load_relaxed_u64(&latch->since_ns);
    state.thrown_ns = tbus_load_relaxed_u64(&latch->thrown_ns);
    tbus_words_load(state.reason, latch->reason, sizeof state.reason);
    state.reason[sizeof state.reason - 1] = 0;
    return state;
}

void kill_switch_look(const kill_switch_t *kill_switch, kill_switch_state_t *out_state)
{
    kill_switch_state_t state = look_at(&kill_switch->halt);
    /* B8 pairs B7 (kill_switch_answer): else the figures are those of an answer before. */
    state.answered = tbus_load_acquire_u32(&kill_switch->answered) == state.generation;
    state.unconfirmed = tbus_load_relaxed_u32(&kill_switch->unconfirmed);
    state.cancelled = tbus_load_relaxed_u64(&kill_switch->cancelled);
    state.answered_ns = tbus_load_relaxed_u64(&kill_switch->answered_ns);
    *out_state = state;
}

void kill_switch_look_reduction(const kill_switch_t *kill_switch, kill_switch_state_t *out_state)
{
    *out_state = look_at(&kill_switch->reduction);
}

void kill_switch_begin_latched(kill_switch_t *kill_switch, uint32_t strategies)
{
    tbus_store_relaxed_u64(&kill_switch->strategies_before, strategies);
}

uint32_t kill_switch_latched_before(const kill_switch_t *kill_switch)
{
    return (uint32_t)tbus_load_relaxed_u64(&kill_switch->strategies_before);
}

void kill_switch_tell_latched(kill_switch_t *kill_switch, uint32_t strategies, uint32_t release)
{
    /* B11 pairs B12 (kill_switch_latched): whoever sees that one is latched sees why. */
    tbus_store_release_u64(&kill_switch->strategies, (uint64_t)release << 32 | strategies);
}

uint32_t kill_switch_latched(const kill_switch_t *kill_switch)
{
    /* B12 pairs B11 (kill_switch_tell_latched): else kill_switch_look_why finds what is not written
     * yet. */
    uint64_t word = tbus_load_acquire_u64(&kill_switch->strategies);
    bool ended = (uint32_t)(word >> 32) != tbus_load_relaxed_u32(&kill_switch->releases);
    return ended ? 0 : (uint32_t)word;
}

void kill_switch_tell_why(kill_switch_t *kill_switch, uint32_t number, const char *section,
                          kill_switch_actor_t actor, const char *reason)
{
    char text[KILL_SWITCH_SECTION_MAX] = {0};
    kill_switch_strategy_t *why = &kill_switch->strategies_why[number];
    (void)kill_switch_reason(section, text, sizeof text);
    tbus_words_store(why->section, text, sizeof text);
    tbus_store_relaxed_u32(&why->latch.thrown, 0); /* so this throw is its beginning */
    (void)throw_latch(&why->latch, KILL_BY_LOSS, actor, reason);
}

void kill_switch_look_why(const kill_switch_t *kill_switch, uint32_t number,
                          char out_section[KILL_SWITCH_SECTION_MAX], kill_switch_state_t *out_state)
{
    const kill_switch_strategy_t *why = &kill_switch->strategies_why[number];
    *out_state = look_at(&why->latch);
    tbus_words_load(out_section, why->section, KILL_SWITCH_SECTION_MAX);
    out_section[KILL_SWITCH_SECTION_MAX - 1] = 0;
}

const char *kill_switch_by_text(enum kill_switch_by by)
{
    switch (by) {
    case KILL_BY_NOBODY:
        return "nobody";
    case KILL_BY_OPERATOR:
        return "an operator";
    case KILL_BY_SUPERVISOR:
        return "the supervisor";
    case KILL_BY_ORPHAN:
        return "the stages, as their supervisor has died";
    case KILL_BY_SILENCE:
        return "the stages, as nothing was heard of their supervisor";
    case KILL_BY_LOSS:
        return "risk, as the loss limit was reached";
    }
    return "?";
}

/* Bytes of the UTF-8 character at `text` (RFC 3629, section 4), 0: there is none. */
static size_t character(const unsigned char *text)
{
    if (text[0] < 0x80)
        return 1;
    size_t bytes = text[0] >= 0xc2 && text[0] <= 0xdf   ? 2
                   : text[0] >= 0xe0 && text[0] <= 0xef ? 3
                   : text[0] >= 0xf0 && text[0] <= 0xf4 ? 4
                                                        : 0;
    for (size_t i = 1; i < bytes; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return bytes;
}

bool kill_switch_reason(const char *text, char *out_reason, size_t bytes)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t used = 0;
    bool changed = false;
    while (*at) {
        size_t length = character(at);
        bool plain = length && !(at[0] < 0x20 || at[0] == 0x7f) &&
                     !(length == 2 && at[0] == 0xc2 && at[1] < 0xa0); /* C1 control characters */
        if (used + (length ? length : 1) >= bytes) {
            changed = true;
            break;
        }
        if (plain)
            memcpy(out_reason + used, at, length);
        else
            out_reason[used] = length ? ' ' : '?';
        used += plain ? length : 1;
        changed |= !plain;
        at += length ? length : 1;
    }
    while (used && out_reason[used - 1] == ' ') /* the line end of what a command printed */
        used--;
    out_reason[used] = 0;
    return changed;
}

void kill_switch_beat(kill_switch_t *kill_switch, uint64_t now_ns)
{
    tbus_store_relaxed_u64(&kill_switch->beat_ns, now_ns);
}

uint64_t kill_switch_silence_ns(const kill_switch_t *kill_switch, uint64_t now_ns)
{
    uint64_t beat_ns = tbus_load_relaxed_u64(&kill_switch->beat_ns);
    return beat_ns && now_ns > beat_ns ? now_ns - beat_ns : 0;
}
