/* SPDX-License-Identifier: Apache-2.0 */
/* wait.h - what a process does between two looks that found nothing.
 *
 *    spin    8 x PAUSE between looks, for ever: the lowest latency, a CPU of its own
 *    yield   spin a little, then sched_yield(2)
 *    park    spin about as long as a wake-up costs, then sleep on a futex until a publisher rings
 *    auto    spin when every spinning process can have a CPU of its own, else park
 *
 * One waiter watches all rings of a process: subscribers for messages, publishers that were told
 * FULL for room. To park:
 *
 *    W1 set our bit in every ring's `sleepers`      W2 membarrier(2)      W3 look at every ring once more
 *    W4 futex_waitv(2) on every bell (always with a timeout)              W5 clear the bits
 *
 * W2 makes every publisher's "store the slot, then look at `sleepers`" behave as if a fence stood
 * between; so either W3 sees the message or the publisher sees the bit. Publishers that are awake
 * pay nothing. Where the kernel lacks futex_waitv, the sleeper waits on the first bell in short
 * turns.
 */
#ifndef TICKBUS_WAIT_H
#define TICKBUS_WAIT_H

#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tbus_wait_mode { TBUS_WAIT_AUTO = 0, TBUS_WAIT_SPIN, TBUS_WAIT_YIELD, TBUS_WAIT_PARK };

#define TBUS_WAITER_RINGS_MAX 48
#define TBUS_PARK_NS_MAX      UINT64_C(50000000) /* no sleep is longer: belt and braces */
#define TBUS_HEAL_TURNS       0x4000u /* looks between two searches for the dead: a few ms */

typedef struct tbus_waiter {
    enum tbus_wait_mode mode; /* never AUTO */
    uint32_t subscribers_count;
    uint32_t publishers_count;
    tbus_subscriber_t *subscribers[TBUS_WAITER_RINGS_MAX]; /* not owned */
    tbus_publisher_t *publishers[TBUS_WAITER_RINGS_MAX];   /* not owned */
    uint64_t idle_since_ns;                                /* 0: the last look found something */
    uint64_t looks;                                        /* looks in vain since then */
    uint32_t turns;                                        /* looks of either kind, ever */
    uint64_t parks;                                        /* times slept */
    /* sleeps that ran into their timeout although a message was there: lost wake-ups, must stay
     * 0 */
    uint64_t late;
    /* Looks for the dead; called every few ms while a claim, a taken message or a full ring is in
     * the way, or a consumer has taken what may have to be delivered again, however busy the
     * process is with its other rings. May be NULL. */
    void (*heal)(void *context);
    void *heal_context;
    bool no_waitv; /* futex_waitv is missing, or switched off by a test */
} tbus_waiter_t;

/* `mode` must not be AUTO: tbus_wait_mode_resolve first. */
void tbus_waiter_init(tbus_waiter_t *w, enum tbus_wait_mode mode);
int tbus_waiter_watch_subscriber(tbus_waiter_t *w, tbus_subscriber_t *s);
int tbus_waiter_watch_publisher(tbus_waiter_t *w, tbus_publisher_t *p);

/* Look for the dead if something is in the way. */
void tbus_waiter_heal(tbus_waiter_t *w);

/* Called after a look that found something, and after one that did not. `deadline_ns`:
 * CLOCK_MONOTONIC time at which there is work to do even if nothing arrives; UINT64_MAX: none. */
TBUS_INLINE void tbus_waiter_found(tbus_waiter_t *w)
{
    w->idle_since_ns = 0;
    w->looks = 0;
    if (TBUS_UNLIKELY(++w->turns % TBUS_HEAL_TURNS == 0))
        tbus_waiter_heal(w);
}
void tbus_waiter_idle(tbus_waiter_t *w, uint64_t deadline_ns);

/* W1 - W5 at once, whatever the mode: returns when rung, when there is a message or room after all,
 * at the deadline, or after TBUS_PARK_NS_MAX. `now_ns`: CLOCK_MONOTONIC. */
void tbus_waiter_park(tbus_waiter_t *w, uint64_t now_ns, uint64_t deadline_ns);

/* AUTO for a host on which `processes` busy processes share `cpus` CPUs; other modes stay as they
 * are. */
enum tbus_wait_mode tbus_wait_mode_resolve(enum tbus_wait_mode mode, unsigned processes,
                                           unsigned cpus);
const char *tbus_wait_mode_name(enum tbus_wait_mode mode);

#ifdef __cplusplus
}
#endif
#endif
