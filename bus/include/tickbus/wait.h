/* SPDX-License-Identifier: Apache-2.0 */
/* wait.h - what a process does between two looks at its rings that found nothing.
 *
 *    spin    8 x PAUSE between looks, for ever: the lowest latency, needs a CPU of its own.
 *            Between two turns of a process that has inputs and no deadline its rings are looked at
 *            a few times, which takes less than a turn
 *    yield   spin a little, then sched_yield(2)
 *    park    spin about as long as a wake-up costs, or yield for a time that is set, then sleep on
 *            a futex until a publisher rings
 *    auto    spin when every spinning process can have a CPU of its own, else park
 *
 * A stage that has wound down, since its source has ended, parks whatever the mode was (stage.h).
 *
 * One waiter watches all rings of a process: its subscribers for messages, and its publishers that
 * got TBUS_FULL for room. To park:
 *
 *    step 1   in every ring, the first time: set our bit in `fences_wanted`. Read our bell on every
 *             ring, then set our bit in its `sleepers`
 *    step 2   membarrier(2), if a bit was set in `fences_wanted` just now, or if we wait for room
 *    step 3   look at every ring once more; if there is a message, do not sleep
 *    step 4   futex_waitv(2) on all bells, always with a timeout; every 3 ms one of the sleepers
 *             of a ring with several publishers looks whether a dead participant left something
 *             in the way
 *    step 5   clear our bits in `sleepers`
 *
 * A publisher stores the slot and then looks at both words. Step 2 has the effect of a fence
 * between these two, in every publisher that runs. So either step 3 sees the message or the
 * publisher sees a bit of ours (W1/W2 in bus/README.md). While all are awake publishers pay
 * nothing.
 *
 * A publisher that sees a bit in `fences_wanted` executes a fence and looks at `sleepers` again. So
 * as long as our bit stands there step 2 is not needed: it interrupts another CPU, which can take
 * longer than the sleep (80 us in a virtual machine, where a wake-up takes 17). Who finds messages
 * for TBUS_AWAKE_LOOKS looks without a sleep in between clears its bit there, so that publishers
 * pay for fences only while their messages wake somebody. Whoever takes a place next clears what a
 * dead holder left; until then publishers execute fences for nobody. A horizon has such a word as
 * well, which stays set: it is raised more rarely than messages are published.
 *
 * Where the kernel lacks futex_waitv the sleeper waits on the first bell, for a short time, again
 * and again.
 */
#ifndef TICKBUS_WAIT_H
#define TICKBUS_WAIT_H

#include <tickbus/horizon.h>
#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tbus_wait_mode { TBUS_WAIT_AUTO = 0, TBUS_WAIT_SPIN, TBUS_WAIT_YIELD, TBUS_WAIT_PARK };

#define TBUS_WAITER_RINGS_MAX    48
#define TBUS_WAITER_HORIZONS_MAX 32
#define TBUS_PARK_NS_MAX         UINT64_C(50000000) /* no sleep is longer: a wake-up may be lost */
/* For drained_pauses, some microseconds: longer than it takes to be found at the heels of a
 * publisher that never waits, shorter than it takes that one to fill a ring. */
#define TBUS_DRAINED_PAUSES 512u
#define TBUS_HEAL_TURNS     0x4000u /* looks between two searches for the dead: a few ms */

typedef struct tbus_waiter {
    enum tbus_wait_mode mode; /* never AUTO */
    uint32_t subscribers_count;
    uint32_t publishers_count;
    tbus_subscriber_t *subscribers[TBUS_WAITER_RINGS_MAX]; /* not owned */
    tbus_publisher_t *publishers[TBUS_WAITER_RINGS_MAX];   /* not owned */
    uint32_t horizons_count;
    tbus_horizon_view_t *horizons[TBUS_WAITER_HORIZONS_MAX]; /* not owned */
    uint64_t idle_since_ns;                                  /* 0: the last look found something */
    uint64_t looks;       /* looks since then that found nothing */
    uint32_t turns;       /* all looks since the last search for the dead */
    uint64_t parks;       /* times slept */
    uint64_t barriers;    /* times that it called membarrier(2) */
    bool fences_wanted;   /* of publishers on some ring: we have slept lately */
    uint32_t awake_looks; /* looks since then that found something */
    /* sleeps that timed out although a message was there for which nobody rang, nor does so within
     * 2 ms: lost wake-ups, must stay 0. (A publisher that is killed between the two loses one.) */
    uint64_t late;
    uint64_t healed_ns; /* when `heal` was called last by a sleeper */
    /* Searches for dead participants and repairs after them. Called every few ms while a claim, a
     * taken message or a full ring blocks one of our rings, a message was dropped for want of room,
     * or a consumer holds a message that may
     * have to be delivered again; also while the process is busy with its other rings. May be
     * NULL. */
    void (*heal)(void *context);
    void *heal_context;
    bool no_waitv; /* the kernel has no futex_waitv, or a test has switched it off */
    /* Of a spinning process: PAUSEs after the first look that found its rings drained, if more than
     * the usual 8. For rings whose publisher is as fast as it can be and never waits for a time: a
     * reader at its heels takes each line from it before that is full. 0: as usual. */
    uint32_t drained_pauses;
    uint64_t drains; /* how often it did */
    /* Of a parking process: for so long it gives the CPU away between looks before it sleeps,
     * instead of spinning for a few microseconds. For processes that outnumber the CPUs and will
     * have work soon: who yields is woken by nobody. 0: as usual. */
    uint64_t yield_ns;
} tbus_waiter_t;

/* `mode` must not be AUTO: call tbus_wait_mode_resolve first. */
void tbus_waiter_init(tbus_waiter_t *w, enum tbus_wait_mode mode);
/* -TBUS_EFULL: it watches TBUS_WAITER_RINGS_MAX already; -EINVAL: no handle. */
int tbus_waiter_watch_subscriber(tbus_waiter_t *w, tbus_subscriber_t *s);
int tbus_waiter_watch_publisher(tbus_waiter_t *w, tbus_publisher_t *p);
/* While the view is `awaited`, the waiter wakes when the horizon is no longer what was seen.
 * -TBUS_EFULL: it watches TBUS_WAITER_HORIZONS_MAX already; -EINVAL: no view, or of nothing. */
int tbus_waiter_watch_horizon(tbus_waiter_t *w, tbus_horizon_view_t *view);

/* Call `heal` if something that a dead participant may have left blocks one of our rings. */
void tbus_waiter_heal(tbus_waiter_t *w);

/* Publishers need not execute fences for us: we have not slept for a while. */
void tbus_waiter_stay_awake(tbus_waiter_t *w);

/* Call one after a look that found something, the other after a look that did not. `deadline_ns`:
 * CLOCK_MONOTONIC time at which there is work to do even if nothing arrives; UINT64_MAX: none. */
TBUS_INLINE void tbus_waiter_found(tbus_waiter_t *w)
{
    w->idle_since_ns = 0;
    w->looks = 0;
    if (TBUS_UNLIKELY(++w->turns >= TBUS_HEAL_TURNS))
        tbus_waiter_heal(w);
    if (TBUS_UNLIKELY(w->fences_wanted) && ++w->awake_looks >= TBUS_AWAKE_LOOKS)
        tbus_waiter_stay_awake(w);
}
void tbus_waiter_idle(tbus_waiter_t *w, uint64_t deadline_ns);

/* Steps 1 to 5 now, whatever the mode. Returns when a bell is rung, when there is a message or room
 * after all, at the deadline, or after TBUS_PARK_NS_MAX. `now_ns`: CLOCK_MONOTONIC. */
void tbus_waiter_park(tbus_waiter_t *w, uint64_t now_ns, uint64_t deadline_ns);

/* What AUTO means where `processes` busy processes share `cpus` CPUs; other modes are returned as
 * they are. */
enum tbus_wait_mode tbus_wait_mode_resolve(enum tbus_wait_mode mode, unsigned processes,
                                           unsigned cpus);
const char *tbus_wait_mode_name(enum tbus_wait_mode mode);

#ifdef __cplusplus
}
#endif
#endif
