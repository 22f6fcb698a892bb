/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/wait.h>

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>
#include <tickbus/glance.h>
#include <tickbus/wake.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449 /* Linux 5.16; the same number on every architecture */
#endif

/* The kernel's struct futex_waitv. linux/futex.h has it since 5.16, which is not everywhere. */
struct wait_entry {
    uint64_t value;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};
#define WAIT_32_SHARED 0x02u

/* Spin about as long as a wake-up across CPUs costs (one way 5-6 us here), then sleep: the time
 * lost is at most twice that of the better choice. */
#define SPIN_NS        UINT64_C(8000)
#define LOOKS_PER_TIME 32u /* read the clock only every so many looks */
#define YIELD_LOOKS    64u
#define LOOK_PAUSES    8u  /* between two looks */
#define LOOKS_PER_IDLE 16u /* a turn of the stages takes several times as long as a look */
/* Without futex_waitv: how long to wait on one bell before looking at all rings. Also how long to
 * sleep while something is in the way, and the least time between two searches for the dead. */
#define TURN_NS UINT64_C(1000000)
/* The least time between two such searches because of dropped messages: a subscriber that lives and
 * is too slow makes a publisher drop for as long as it likes. */
#define DROPPED_NS UINT64_C(5000000)
/* The dead ring no bell: some sleeper of a ring with several publishers looks this often whether
 * somebody has died who would have rung, or has left a claim in the way.
 *
 * On a ring with one publisher no claim is in anybody's way, and a sleep without a look ends after
 * TBUS_PARK_NS_MAX. That spares a timer of 3 ms, which is due before the kernel's own tick, and so
 * has to be programmed: a sixth of a wake-up on one CPU, on a VM. */
#define LOOK_NS UINT64_C(3000000)
_Static_assert(2 * TBUS_WAITER_RINGS_MAX + TBUS_WAITER_HORIZONS_MAX <= 128,
               "futex_waitv takes no more");
#define LATE_TURNS 2u /* of TURN_NS, for a bell that is about to be rung */

void tbus_waiter_init(tbus_waiter_t *w, enum tbus_wait_mode mode)
{
    memset(w, 0, sizeof *w);
    w->mode = mode;
}

int tbus_waiter_watch_subscriber(tbus_waiter_t *w, tbus_subscriber_t *s)
{
    if (!w || !s)
        return -EINVAL;
    if (w->subscribers_count == TBUS_WAITER_RINGS_MAX)
        return -TBUS_EFULL;
    w->subscribers[w->subscribers_count++] = s;
    return 0;
}

int tbus_waiter_watch_publisher(tbus_waiter_t *w, tbus_publisher_t *p)
{
    if (!w || !p)
        return -EINVAL;
    if (w->publishers_count == TBUS_WAITER_RINGS_MAX)
        return -TBUS_EFULL;
    w->publishers[w->publishers_count++] = p;
    return 0;
}

int tbus_waiter_watch_horizon(tbus_waiter_t *w, tbus_horizon_view_t *view)
{
    if (!w || !view || !view->shared)
        return -EINVAL;
    if (w->horizons_count == TBUS_WAITER_HORIZONS_MAX)
        return -TBUS_EFULL;
    w->horizons[w->horizons_count++] = view;
    return 0;
}

enum tbus_wait_mode tbus_wait_mode_resolve(enum tbus_wait_mode mode, unsigned processes,
                                           unsigned cpus)
{
    if (mode != TBUS_WAIT_AUTO)
        return mode;
    return processes <= cpus ? TBUS_WAIT_SPIN : TBUS_WAIT_PARK;
}

const char *tbus_wait_mode_name(enum tbus_wait_mode mode)
{
    switch (mode) {
    case TBUS_WAIT_AUTO:
        return "auto";
    case TBUS_WAIT_SPIN:
        return "spin";
    case TBUS_WAIT_YIELD:
        return "yield";
    case TBUS_WAIT_PARK:
        return "park";
    }
    return "?";
}

/* True: timed out. */
static bool futex_wait(const tbus_atomic_u32_t *word, uint32_t value, uint64_t ns)
{
    struct timespec timeout = {.tv_sec = (time_t)(ns / 1000000000),
                               .tv_nsec = (long)(ns % 1000000000)};
    return syscall(SYS_futex, word, FUTEX_WAIT, value, &timeout, NULL, 0) < 0 && errno == ETIMEDOUT;
}

/* Sleep on all bells at once until one is rung or until `until_ns`. True: the time was up. */
static bool sleep_on(tbus_waiter_t *w, const struct wait_entry *entries, uint32_t count,
                     uint64_t now_ns, uint64_t until_ns)
{
    if (count > 1 && !w->no_waitv) {
        struct timespec deadline = {.tv_sec = (time_t)(until_ns / 1000000000),
                                    .tv_nsec = (long)(until_ns % 1000000000)};
        if (syscall(SYS_futex_waitv, entries, count, 0, &deadline, CLOCK_MONOTONIC) >= 0)
            return false;
        if (errno != ENOSYS)
            return errno == ETIMEDOUT;
        w->no_waitv = true;
    }
    uint64_t ns = until_ns - now_ns;
    bool in_turns = count > 1;
    if (in_turns && ns > TURN_NS)
        ns = TURN_NS;
    return futex_wait((const tbus_atomic_u32_t *)(uintptr_t)entries[0].address,
                      (uint32_t)entries[0].value, ns) &&
           !in_turns;
}

static uint32_t add_entry(struct wait_entry *entries, uint32_t count, const tbus_atomic_u32_t *word)
{
    entries[count] = (struct wait_entry){.value = tbus_load_relaxed_u32(word),
                                         .address = (uint64_t)(uintptr_t)word,
                                         .flags = WAIT_32_SHARED};
    return count + 1;
}

static bool room_again(tbus_publisher_t *p)
{
    if (p->ring.several_publishers)
        return false; /* a claim only to look would leave a tomb; the short sleep ends by itself */
    return tbus_publisher_room_again(p);
}

static bool message_there(tbus_waiter_t *w)
{
    size_t bytes;
    for (uint32_t i = 0; i < w->subscribers_count; i++)
        if (!w->subscribers[i]->held_back && tbus_peek(w->subscribers[i], &bytes))
            return true;
    return false;
}

/* True if a horizon that our process waits for is further than it was seen. */
static bool horizon_rose(const tbus_waiter_t *w)
{
    for (uint32_t i = 0; i < w->horizons_count; i++)
        if (w->horizons[i]->awaited &&
            /* hint: whoever goes on because of it looks again (tbus_horizon_look). */
            tbus_load_relaxed_u64(&w->horizons[i]->shared->at) != w->horizons[i]->seen)
            return true;
    return false;
}

/* True if a message was taken and its slot not released. It blocks nobody, but if its consumer is
 * dead it may be for us. */
static bool something_is_out(tbus_subscriber_t *s)
{
    const tbus_ring_t *ring = &s->ring;
    uint64_t taken = tbus_ring_taken(ring);
    if (taken - s->returned > ring->slot_count)
        s->returned = taken - ring->slot_count; /* older slots have been claimed again */
    for (; s->returned != taken; s->returned++)
        if (tbus_slot_ahead(tbus_load_relaxed_u64(tbus_ring_slot(ring, s->returned)),
                            s->returned) <= 0)
            return true;
    return false;
}

/* True if an unfinished claim, or a full ring, blocks one of our rings: its owner may be dead. */
static bool in_the_way(const tbus_waiter_t *w)
{
    for (uint32_t i = 0; i < w->subscribers_count; i++) {
        tbus_subscriber_t *s = w->subscribers[i];
        if (!s->ring.several_publishers)
            continue;
        uint64_t at = s->competing ? tbus_ring_taken(&s->ring) : s->seq;
        if ((int64_t)(tbus_ring_claimed(&s->ring) - at) > 0) /* claimed, but not ready yet */
            return true;
        if (s->competing && s->ring.redelivers && something_is_out(s))
            return true;
    }
    for (uint32_t i = 0; i < w->publishers_count; i++)
        if (w->publishers[i]->blocked)
            return true;
    return false;
}

/* True if a publisher has dropped a message since the last search for the dead: the subscriber that
 * leaves no room may be dead. */
static bool has_dropped(const tbus_waiter_t *w)
{
    for (uint32_t i = 0; i < w->publishers_count; i++)
        if (w->publishers[i]->dropped)
            return true;
    return false;
}

static void heal(tbus_waiter_t *w)
{
    for (uint32_t i = 0; i < w->publishers_count; i++)
        w->publishers[i]->dropped = false;
    w->heal(w->heal_context);
}

void tbus_waiter_heal(tbus_waiter_t *w)
{
    w->turns = 0;
    if (w->heal && (in_the_way(w) || has_dropped(w)))
        heal(w);
}

/* After a sleep, or a look instead of it. `blocked`: something was in the way before. */
static void heal_in_time(tbus_waiter_t *w, bool blocked, bool slept_in_vain)
{
    bool dropped = has_dropped(w);
    if (!w->heal || (!blocked && !dropped && !(slept_in_vain && in_the_way(w))))
        return;
    uint64_t now_ns = tbus_clock_ns();
    if (now_ns - w->healed_ns < (blocked || slept_in_vain ? TURN_NS : DROPPED_NS))
        return;
    w->healed_ns = now_ns;
    heal(w);
}

/* When to look next. The sleepers of a ring take turns, the odd ones and the even ones: so each
 * wakes half as often, and if those whose turn it is are dead or stopped, the others look in the
 * next turn. */
static uint64_t next_look(const tbus_waiter_t *w, uint64_t now_ns)
{
    uint64_t turn = now_ns / LOOK_NS + 1;
    bool ours = false, looks = false;
    for (uint32_t i = 0; i < w->subscribers_count && !ours; i++) {
        const tbus_subscriber_t *s = w->subscribers[i];
        if (!s->ring.several_publishers)
            continue;
        looks = true;
        uint32_t mine = UINT32_C(1) << s->index;
        /* hint: who misses a sleeper looks more often, or a turn later. */
        uint32_t others = tbus_load_relaxed_u32(&s->ring.shared->sleepers) & ~mine;
        unsigned rank = (unsigned)__builtin_popcount(others & (mine - 1));
        ours = others == 0 || (rank & 1) == (turn & 1);
    }
    return looks ? (turn + !ours) * LOOK_NS : UINT64_MAX;
}

/* Is a message there for which nobody has rung? One on a competing ring may be about to be taken by
 * another consumer: it counts as in the way first. */
static bool something_came(tbus_waiter_t *w)
{
    size_t bytes;
    for (uint32_t i = 0; i < w->subscribers_count; i++)
        if (!w->subscribers[i]->competing && !w->subscribers[i]->held_back &&
            tbus_peek(w->subscribers[i], &bytes))
            return true;
    return horizon_rose(w);
}

/* sleep_on, interrupted by looks. True: the time is up, or a look found a message. What is in the
 * way may belong to the living, and be gone in a moment. */
static bool sleep_and_look(tbus_waiter_t *w, const struct wait_entry *entries, uint32_t count,
                           uint64_t now_ns, uint64_t until_ns)
{
    for (;;) {
        uint64_t look_ns = next_look(w, now_ns);
        if (look_ns >= until_ns)
            return sleep_on(w, entries, count, now_ns, until_ns);
        if (!sleep_on(w, entries, count, now_ns, look_ns))
            return false;
        now_ns = tbus_clock_ns();
        if (now_ns >= until_ns || something_came(w))
            return true;
        if (!in_the_way(w))
            continue;
        heal_in_time(w, true, false);
        if (until_ns - now_ns > TURN_NS)
            until_ns = now_ns + TURN_NS;
    }
}

/* After a sleep that timed out: a message is there and nobody rings. Whoever has just stored it may
 * not have come to the bell yet, so the bell gets a little more time. */
static bool was_not_rung(tbus_subscriber_t *s, uint32_t bell_before)
{
    tbus_ring_shared_t *shared = s->ring.shared;
    const tbus_atomic_u32_t *bell = &shared->subs[s->index].bell;
    size_t bytes;
    if (s->held_back || !tbus_peek(s, &bytes))
        return false;
    for (unsigned turns = 0;; turns++) {
        /* Who clears the bit rings the bell next. hint: a count for people. */
        if (tbus_load_relaxed_u32(bell) != bell_before ||
            !(tbus_load_relaxed_u32(&shared->sleepers) >> s->index & 1))
            return false;
        if (turns == LATE_TURNS)
            return true;
        futex_wait(bell, bell_before, TURN_NS);
    }
}

/* From now on publishers of this ring execute a fence before they look whether we sleep. True: they
 * may not know yet, and the caller calls membarrier(2). */
static bool want_fences(tbus_waiter_t *w, tbus_subscriber_t *s)
{
    w->fences_wanted = true;
    s->awake_takes = 0;
    if (s->fence_wanted)
        return false;
    /* W2, as in tbus_waiter_park. */
    tbus_fetch_or_u32(&s->ring.shared->fences_wanted, UINT32_C(1) << s->index);
    s->fence_wanted = true;
    return true;
}

void tbus_waiter_stay_awake(tbus_waiter_t *w)
{
    for (uint32_t i = 0; i < w->subscribers_count; i++)
        tbus_subscriber_need_no_fences(w->subscribers[i]);
    w->fences_wanted = false;
}

void tbus_waiter_park(tbus_waiter_t *w, uint64_t now_ns, uint64_t deadline_ns)
{
    struct wait_entry entries[2 * TBUS_WAITER_RINGS_MAX + TBUS_WAITER_HORIZONS_MAX];
    uint32_t count = 0;
    bool barrier = false;
    w->awake_looks = 0;
    for (uint32_t i = 0; i < w->subscribers_count; i++) { /* step 1 */
        tbus_subscriber_t *s = w->subscribers[i];
        count = add_entry(entries, count, &s->ring.shared->subs[s->index].bell);
        if (s->held_back)
            continue; /* nobody need ring */
        barrier |= want_fences(w, s);
        /* W5 pairs W6 (tbus_ring_wake): we read the bell before our bit is set. Else we may read it
         * after it was rung for us, and sleep on. */
        tbus_fetch_or_u32(&s->ring.shared->sleepers, UINT32_C(1) << s->index);
    }
    bool waits_for_room = false;
    for (uint32_t i = 0; i < w->publishers_count; i++)
        if (w->publishers[i]->blocked) {
            tbus_ring_shared_t *shared = w->publishers[i]->ring.shared;
            waits_for_room = barrier = true;
            count = add_entry(entries, count, &shared->room_bell);
            /* W5 pairs W6 (tbus_ring_wake_publishers): the same. */
            tbus_fetch_or_u32(&shared->pubs_waiting, 1);
        }
    for (uint32_t i = 0; i < w->horizons_count; i++)
        if (w->horizons[i]->awaited) {
            tbus_horizon_t *horizon = w->horizons[i]->shared;
            count = add_entry(entries, count, &horizon->bell);
            if (!w->horizons[i]->fence_wanted) {
                /* A4, as below. */
                tbus_fetch_or_u32(&horizon->fence_wanted, 1);
                w->horizons[i]->fence_wanted = barrier = true;
            }
            /* W5 pairs W6 (tbus_horizon_wake): the same. */
            tbus_fetch_or_u32(&horizon->waiting, 1);
        }
    /* Step 2. A4 pairs A3 (tbus_horizon_raise), and W2 pairs W1 (tbus_publisher_wake), W4 pairs W3
     * (wake_publishers): our bits are set before our last look. Else the publisher misses our bit,
     * we miss its message, and we sleep on. The fence is for publishers that execute one as well:
     * those that know that we want it, and all of them on a host without membarrier(2). */
    if (barrier)
        syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
    w->barriers += barrier;
    tbus_fence_full(); /* W2, W4, A4 */

    bool found = message_there(w) || horizon_rose(w); /* step 3 */
    for (uint32_t i = 0; i < w->publishers_count && !found; i++)
        found = w->publishers[i]->blocked && room_again(w->publishers[i]);

    bool short_sleep = waits_for_room || in_the_way(w);
    uint64_t until_ns = now_ns + (short_sleep ? TURN_NS : TBUS_PARK_NS_MAX);
    bool in_vain = false; /* the sleep timed out, and there is no message */
    if (deadline_ns < until_ns)
        until_ns = deadline_ns;
    if (!found && until_ns > now_ns) {
        bool timed_out;
        w->parks++;
        if (!count)
            timed_out = futex_wait(&(tbus_atomic_u32_t){0}, 0, until_ns - now_ns);
        else
            timed_out = sleep_and_look(w, entries, count, now_ns, until_ns); /* step 4 */
        for (uint32_t i = 0; timed_out && i < w->subscribers_count; i++)
            if (was_not_rung(w->subscribers[i], (uint32_t)entries[i].value)) {
                w->late++;
                tbus_ring_nudge(&w->subscribers[i]->ring); /* nor did the others hear of it */
            }
        in_vain = timed_out && !message_there(w);
    }
    if (!found)
        heal_in_time(w, short_sleep, in_vain);
    for (uint32_t i = 0; i < w->subscribers_count; i++) { /* step 5 */
        tbus_subscriber_t *s = w->subscribers[i];
        uint32_t mine = UINT32_C(1) << s->index;
        /* hint: a bit that is seen too long costs one ring of our bell. Whoever woke us has cleared
         * it. */
        if (tbus_load_relaxed_u32(&s->ring.shared->sleepers) & mine)
            tbus_fetch_and_u32(&s->ring.shared->sleepers, ~mine);
    }
}

/* Is a message there, as far as a look at its slot tells, or has a horizon risen? */
static bool glance(const tbus_waiter_t *w)
{
    for (uint32_t i = 0; i < w->subscribers_count; i++)
        if (!w->subscribers[i]->held_back && tbus_glance(w->subscribers[i]))
            return true;
    return horizon_rose(w);
}

/* Nothing is in hand that waits for something else than the next message. */
static bool is_drained(const tbus_waiter_t *w)
{
    for (uint32_t i = 0; i < w->subscribers_count; i++)
        if (w->subscribers[i]->held_back)
            return false;
    return true;
}

static void pause_for(uint32_t pauses)
{
    for (uint32_t i = 0; i < pauses; i++)
        tbus_pause();
}

/* `waits`: there is nothing to do until a ring or a horizon shows it. */
static void look_again(tbus_waiter_t *w, bool waits)
{
    if (w->looks == 1 && w->drained_pauses > LOOK_PAUSES && w->mode == TBUS_WAIT_SPIN &&
        is_drained(w)) {
        w->drains++;
        pause_for(w->drained_pauses);
        return;
    }
    /* Whoever waits for a time alone disturbs nobody by looking at the clock. */
    pause_for(w->subscribers_count == 0 && !waits ? 1 : LOOK_PAUSES);
    if (!waits || w->subscribers_count == 0 || w->mode != TBUS_WAIT_SPIN)
        return;
    for (unsigned i = 1; i < LOOKS_PER_IDLE && !glance(w); i++) {
        w->turns++;
        pause_for(LOOK_PAUSES);
    }
}

void tbus_waiter_idle(tbus_waiter_t *w, uint64_t deadline_ns)
{
    w->looks++;
    if (++w->turns >= TBUS_HEAL_TURNS)
        tbus_waiter_heal(w);
    if (w->mode == TBUS_WAIT_YIELD && w->looks > YIELD_LOOKS) {
        sched_yield();
        return;
    }
    bool yields = w->mode == TBUS_WAIT_PARK && w->yield_ns != 0;
    if (yields && w->looks > 1)
        sched_yield();
    if (w->mode == TBUS_WAIT_PARK && (yields || w->looks % LOOKS_PER_TIME == 0)) {
        uint64_t now_ns = tbus_clock_ns();
        uint64_t awake_ns = yields ? w->yield_ns : SPIN_NS;
        if (!w->idle_since_ns)
            w->idle_since_ns = now_ns;
        if (now_ns - w->idle_since_ns >= awake_ns && deadline_ns > now_ns + SPIN_NS) {
            /* Wake a little before the deadline and spin until then. */
            tbus_waiter_park(w, now_ns,
                             deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns - SPIN_NS);
            w->idle_since_ns = 0;
            return;
        }
    }
    look_again(w, deadline_ns == UINT64_MAX);
}
