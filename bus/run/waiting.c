/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/open.h>

#include <errno.h>
#include <sched.h>
#include <time.h>

#define LOOKS_PER_CLOCK 32u
#define YIELDS          16u /* on one CPU with a peer, before sleeping: half the price of a futex */
#define CPUS_NS         UINT64_C(10000000) /* between two looks at who is pinned where */
/* Who lives is asked first after LIFE_NS of waiting, then more rarely. Whoever keeps the bus buries
 * the dead, and rings; but it may be dead or stopped. */
#define LIFE_NS     UINT64_C(2000000)
#define LIFE_NS_MAX UINT64_C(6000000)
/* The least time between two searches for the dead because of dropped messages. */
#define DROPPED_NS UINT64_C(5000000)
#define SOON_NS    UINT64_C(10000) /* timeouts that allow for a few looks more */
#define NAP_NS     100000          /* an observer's */

enum who { SUBSCRIBER = 0, OBSERVER = 1 };

/* One call that waits. */
typedef struct pause {
    tbus_bus_t *bus;
    tbus_waiter_t waiter;
    uint64_t deadline_ns;
    uint64_t life_at_ns; /* when to ask who lives */
    uint64_t life_ns;    /* and how long after that again */
    uint32_t looks;
    bool up;    /* the deadline has passed */
    bool asked; /* it is time to ask who lives */
    bool naps;  /* nobody rings for us */
} pause_t;

static void heal(void *context)
{
    tbus_bus_heal((tbus_bus_t *)context);
}

/* Is somebody else pinned to the one CPU that we may use? Then looking again is in vain until it
 * has had that CPU: hand it over. */
static bool shares_cpu(tbus_bus_t *bus, uint64_t now_ns)
{
    const tbus_participant_t *all = bus->directory->participants;
    int32_t cpu = bus->owner ? all[bus->owner - 1].cpu : -1;
    if (cpu < 0 || now_ns - bus->shares_cpu_ns < CPUS_NS)
        return bus->shares_cpu;
    bus->shares_cpu = false;
    bus->shares_cpu_ns = now_ns;
    for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++)
        if (i + 1 != bus->owner && tbus_load_relaxed_u32(&all[i].state) != TBUS_VACANT &&
            all[i].cpu == cpu)
            bus->shares_cpu = true;
    return bus->shares_cpu;
}

static void begin(pause_t *p, tbus_bus_t *bus, uint64_t timeout_ns)
{
    uint64_t now_ns = tbus_clock_ns();
    enum tbus_wait_mode mode = (enum tbus_wait_mode)bus->wait_mode;
    p->bus = bus;
    tbus_waiter_init(&p->waiter, mode == TBUS_WAIT_AUTO ? TBUS_WAIT_PARK : mode);
    p->waiter.heal = heal;
    p->waiter.heal_context = bus;
    p->deadline_ns = timeout_ns < UINT64_MAX - now_ns ? now_ns + timeout_ns : UINT64_MAX;
    p->life_ns = LIFE_NS;
    p->life_at_ns = now_ns + LIFE_NS;
    p->looks = 0;
    p->up = p->asked = timeout_ns == 0;
    if (mode == TBUS_WAIT_PARK)
        shares_cpu(bus, now_ns);
    p->naps = false;
}

/* Returns the system calls that it took. */
static unsigned rest_a_little(pause_t *p, uint64_t until_ns)
{
    if (p->bus->shares_cpu && p->waiter.mode == TBUS_WAIT_PARK && p->looks < YIELDS) {
        sched_yield();
        return 1;
    }
    if (p->naps && p->waiter.mode != TBUS_WAIT_SPIN && p->looks > LOOKS_PER_CLOCK) {
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
        return 1;
    }
    uint64_t calls = p->waiter.barriers + p->waiter.parks;
    if (p->bus->shares_cpu && p->waiter.mode == TBUS_WAIT_PARK) /* no spinning first */
        tbus_waiter_park(&p->waiter, tbus_clock_ns(), until_ns);
    else
        tbus_waiter_idle(&p->waiter, until_ns);
    return (unsigned)(p->waiter.barriers + p->waiter.parks - calls);
}

/* Between two looks that found nothing. */
static void rest(pause_t *p)
{
    uint64_t parks = p->waiter.parks;
    p->bus->syscalls +=
        rest_a_little(p, p->deadline_ns < p->life_at_ns ? p->deadline_ns : p->life_at_ns);
    bool slept = p->waiter.parks != parks;
    p->bus->parks += slept;
    if (++p->looks % LOOKS_PER_CLOCK && !slept && !(p->naps && p->looks > LOOKS_PER_CLOCK))
        return;
    uint64_t now_ns = tbus_clock_ns();
    p->up = now_ns >= p->deadline_ns;
    /* Rung, and perhaps not for a message: somebody was buried. */
    p->asked = p->up || now_ns >= p->life_at_ns || slept;
    if (now_ns < p->life_at_ns)
        return;
    if (p->waiter.mode != TBUS_WAIT_SPIN)
        p->life_ns = 2 * p->life_ns < LIFE_NS_MAX ? 2 * p->life_ns : LIFE_NS_MAX;
    p->life_at_ns = now_ns + p->life_ns;
}

/* The topic that a joined ring of this bus belongs to. */
static int topic_of(const tbus_bus_t *bus, const tbus_ring_t *ring)
{
    for (uint32_t i = 0; i < bus->topics_count; i++)
        if (bus->rings[i].shared == ring->shared)
            return (int)i;
    return -EINVAL;
}

static bool is_alive(tbus_bus_t *bus, uint32_t owner)
{
    bus->syscalls++;
    return tbus_participant_alive(bus, owner) != 0;
}

static bool anybody_publishes(tbus_bus_t *bus, uint32_t index)
{
    for (uint32_t owner = 1; owner <= TBUS_PARTICIPANTS_MAX; owner++) {
        const tbus_participant_t *p = &bus->directory->participants[owner - 1];
        /* hint: the caller's fences (V2, V4) stand before and after this load. */
        if (tbus_load_relaxed_u32(&p->publishes) >> index & 1 && is_alive(bus, owner))
            return true;
    }
    return false;
}

/* Will nothing come any more? To be asked before the ring is looked at for the last time: what was
 * published before is then seen. TBUS_NOTHING: something may. *out_arrivals: the publishers that
 * this is about; one that arrives later is another. */
static int end_of(tbus_bus_t *bus, uint32_t index, enum who who, uint32_t *out_arrivals)
{
    const tbus_topic_t *topic = &bus->directory->topics[index];
    /* O4 pairs O3 (run_pipeline in tools/run/supervisor.c): what its stages published before the
     * end is seen by the last look; else the end hides messages. */
    if (tbus_load_acquire_u32(&bus->directory->ended))
        return -TBUS_ESTOPPED;
    uint32_t arrivals = tbus_load_relaxed_u32(&topic->arrivals);
    tbus_fence_acquire(); /* V2 pairs V1 (tbus_participant_take_topic): sees the bits of those */
    bool told = bus->told[who][index] == arrivals;
    *out_arrivals = arrivals;
    bool kept = !bus->attached || is_alive(bus, TBUS_KEEPER);
    if ((told && kept) || anybody_publishes(bus, index))
        return TBUS_NOTHING;
    tbus_fence_acquire(); /* V4 pairs V3 (tbus_participant_clear): sees their last messages */
    if (bus->rings[index].writable)
        tbus_bus_heal(bus); /* a claim of the dead hides what others published behind it */
    return told ? -TBUS_ESTOPPED : TBUS_NOBODY;
}

/* An answer is often on its way: look some times before reading a clock for the first time. */
static const void *take_soon(const tbus_bus_t *bus, tbus_subscriber_t *s, size_t *out_bytes,
                             uint64_t timeout_ns)
{
    const void *message = NULL;
    bool looks = timeout_ns >= SOON_NS && !bus->shares_cpu;
    for (unsigned i = 0; looks && !message && i < LOOKS_PER_CLOCK; i++) {
        for (unsigned k = 0; k < 8; k++)
            tbus_pause();
        message = tbus_peek(s, out_bytes);
    }
    return message;
}

static int take_slow(tbus_bus_t *bus, tbus_subscriber_t *s, const void **out_message,
                     size_t *out_bytes, uint64_t timeout_ns)
{
    int index = topic_of(bus, &s->ring);
    if (index < 0)
        return index;
    const void *soon = take_soon(bus, s, out_bytes, timeout_ns);
    if (soon) {
        *out_message = soon;
        return TBUS_TAKEN;
    }
    pause_t pause;
    begin(&pause, bus, timeout_ns);
    tbus_waiter_watch_subscriber(&pause.waiter, s);
    tbus_subscriber_flush(s);
    for (;; rest(&pause)) {
        const void *message = tbus_peek(s, out_bytes);
        int end = TBUS_NOTHING;
        uint32_t arrivals = 0;
        if (!message && !s->error && pause.asked &&
            (end = end_of(bus, (uint32_t)index, SUBSCRIBER, &arrivals)) != TBUS_NOTHING)
            message = tbus_peek(s, out_bytes); /* what came before the end */
        if (message) {
            *out_message = message;
            return TBUS_TAKEN;
        }
        if (s->error)
            return s->error;
        if (end == TBUS_NOBODY)
            bus->told[SUBSCRIBER][index] = arrivals;
        if (end != TBUS_NOTHING)
            return end;
        if (pause.up)
            return TBUS_NOTHING;
        pause.asked = false;
    }
}

/* The one that was given out last, unless its reader has advanced over it. */
static inline void give_back(tbus_subscriber_t *s)
{
    if (s->given && s->given_seq == s->seq)
        tbus_advance(s);
    s->given = false;
}

int tbus_take_wait(tbus_bus_t *bus, tbus_subscriber_t *s, const void **out_message,
                   size_t *out_bytes, uint64_t timeout_ns)
{
    if (TBUS_UNLIKELY(!bus || !bus->directory || !s || !s->ring.shared || !out_message))
        return -EINVAL;
    size_t bytes = 0;
    give_back(s);
    const void *message = tbus_peek(s, &bytes);
    int code = TBUS_TAKEN;
    if (TBUS_UNLIKELY(!message))
        code = take_slow(bus, s, &message, &bytes, timeout_ns);
    else
        tbus_subscriber_awake(s);
    s->given = code == TBUS_TAKEN;
    s->given_seq = s->seq;
    *out_message = message;
    if (out_bytes)
        *out_bytes = bytes;
    return code;
}

static bool has_subscribers(const tbus_ring_t *ring)
{
    for (uint32_t i = 0; i < TBUS_RING_SUBS_MAX; i++) {
        uint32_t state = tbus_load_relaxed_u32(&ring->shared->subs[i].state);
        if (state == TBUS_SUB_ACTIVE || state == TBUS_SUB_RESERVED)
            return true;
    }
    return false;
}

/* The subscriber that leaves no room may be dead, and nobody waits who would find out. */
static void heal_after_drop(tbus_bus_t *bus)
{
    uint64_t now_ns = tbus_clock_ns();
    if (now_ns - bus->healed_ns < DROPPED_NS)
        return;
    bus->healed_ns = now_ns;
    tbus_bus_heal(bus);
}

static int publish_slow(tbus_bus_t *bus, tbus_publisher_t *p, const void *message, size_t bytes,
                        uint64_t timeout_ns)
{
    pause_t pause;
    bool had_subscribers = has_subscribers(&p->ring);
    begin(&pause, bus, timeout_ns);
    tbus_waiter_watch_publisher(&pause.waiter, p);
    for (;; rest(&pause)) {
        if (had_subscribers && !has_subscribers(&p->ring))
            return TBUS_NOBODY;
        if (tbus_load_relaxed_u32(&bus->directory->ended))
            return -TBUS_ESTOPPED;
        enum tbus_publish told = tbus_publish(p, message, bytes);
        if (told == TBUS_STALE)
            return p->error ? p->error : -TBUS_ESTALE;
        if (told == TBUS_DROPPED)
            heal_after_drop(bus);
        if (told != TBUS_FULL || pause.up)
            return told;
    }
}

int tbus_publish_wait(tbus_bus_t *bus, tbus_publisher_t *p, const void *message, size_t bytes,
                      uint64_t timeout_ns)
{
    if (TBUS_UNLIKELY(!bus || !bus->directory || !p || !p->ring.shared || (!message && bytes)))
        return -EINVAL;
    if (TBUS_UNLIKELY(bytes > p->ring.msg_bytes_max))
        return -TBUS_ETOOBIG;
    if (TBUS_UNLIKELY(tbus_load_relaxed_u32(&bus->directory->ended)))
        return -TBUS_ESTOPPED;
    int told = tbus_publish_try(p, message, bytes);
    if (TBUS_UNLIKELY(told != TBUS_PUBLISHED))
        told = publish_slow(bus, p, message, bytes, timeout_ns);
    if (TBUS_LIKELY(told == TBUS_PUBLISHED))
        tbus_publisher_flush(p);
    return told;
}

int tbus_observe_wait(tbus_bus_t *bus, tbus_observer_t *o, void *into, size_t *out_bytes,
                      uint64_t *out_seq, uint64_t *out_lost, uint64_t timeout_ns)
{
    if (!bus || !bus->directory || !o || !o->ring.shared || !into || !out_bytes || !out_seq ||
        !out_lost)
        return -EINVAL;
    int index = topic_of(bus, &o->ring);
    if (index < 0)
        return index;
    *out_lost = 0;
    uint64_t lost = 0;
    int got = tbus_observe(o, into, out_bytes, out_seq, &lost);
    *out_lost += lost;
    if (TBUS_LIKELY(got != 0))
        return got < 0 ? got : TBUS_TAKEN;
    pause_t pause;
    begin(&pause, bus, timeout_ns);
    pause.naps = true;
    for (;; rest(&pause)) {
        int end = TBUS_NOTHING;
        uint32_t arrivals = 0;
        if (pause.asked)
            end = end_of(bus, (uint32_t)index, OBSERVER, &arrivals);
        got = tbus_observe(o, into, out_bytes, out_seq, &lost);
        *out_lost += lost;
        if (got != 0)
            return got < 0 ? got : TBUS_TAKEN;
        if (end == TBUS_NOBODY)
            bus->told[OBSERVER][index] = arrivals;
        if (end != TBUS_NOTHING)
            return end;
        if (pause.up || *out_lost)
            return TBUS_NOTHING;
        pause.asked = false;
    }
}
