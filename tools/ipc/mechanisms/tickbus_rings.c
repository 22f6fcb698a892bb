/* SPDX-License-Identifier: Apache-2.0 */
/* tickbus_rings.c - the rings of tickbus, by its public interface: a bus with one topic for each
 * direction and two participants.
 *
 * What the rows of shared memory lack and these have: a participant that dies is noticed (by its
 * life lock, looked at while there is nothing else to do), what it held is known by name, and
 * observers may look on.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tickbus/tickbus.h>

#include "tools/ipc/mechanism.h"

#define RING_BYTES      (2u << 20) /* of rings for long messages */
#define SLOTS_SHORT     8192u
#define LOOKS_PER_LIFE  4096u /* spinning: ask whether the peer lives about once a millisecond */
#define YIELDS          16u   /* on one CPU, before sleeping: a switch costs half of a futex's */
#define LOOKS_PER_CLOCK 32u
#define NAP_NS          UINT64_C(2000000) /* parked: likewise, at least so often */
#define NAPS_PER_LIFE   2u                /* one nap is an ordinary wait */

typedef struct rings {
    tbus_bus_t bus;
    bool bus_made;
    enum tbus_wait_mode wait;
    uint32_t owners[2]; /* by role */
    int topics[2];      /* by reader */
    tbus_publisher_t out;
    tbus_subscriber_t in;
    tbus_waiter_t waiter;
    bool in_hand;    /* the message of the last receive is not given back yet */
    uint32_t looks;  /* in vain, since something was found or slept */
    uint32_t naps;   /* of those, sleeps in a row */
    uint64_t now_ns; /* some look ago */
} rings_t;

static const char *const role_names[2] = {"client", "server"};

/* One slot for a short message, so that slot word and message travel together; long ones span slots
 * of 8 KiB. */
static tbus_ring_spec_t spec_for(enum tbus_ring_kind kind, size_t message_bytes, int reader)
{
    tbus_ring_spec_t spec = {
        .kind = kind, .slot_bytes = 64, .msg_bytes_max = (uint32_t)message_bytes, .first_seq = 1};
    snprintf(spec.name, sizeof spec.name, "to_%s", role_names[reader]);
    size_t one_slot =
        message_bytes + TBUS_SLOT_WORD_BYTES + (message_bytes > TBUS_SLOT_LENGTH_MAX ? 8 : 0);
    while (spec.slot_bytes < one_slot && spec.slot_bytes < TBUS_SLOT_BYTES_MAX)
        spec.slot_bytes *= 2;
    spec.slot_count = SLOTS_SHORT;
    while (spec.slot_count * spec.slot_bytes > RING_BYTES)
        spec.slot_count /= 2;
    return spec;
}

static int add_topic(rings_t *m, enum tbus_ring_kind kind, size_t message_bytes, int reader,
                     tbus_error_t *err)
{
    tbus_ring_spec_t spec = spec_for(kind, message_bytes, reader);
    int topic = tbus_bus_add_topic(&m->bus, &spec, "bytes", TBUS_PAGES_AUTO, -1, err);
    if (topic < 0)
        return topic;
    m->topics[reader] = topic;
    int place = tbus_ring_reserve(&m->bus.rings[topic], role_names[reader],
                                  kind == TBUS_MPMC ? TBUS_CONSUMER : TBUS_SUBSCRIBER, err);
    return place < 0 ? place : 0;
}

static int rings_setup(ipc_session_t *s, enum tbus_ring_kind kind, enum tbus_wait_mode wait,
                       tbus_error_t *err)
{
    rings_t *m = (rings_t *)calloc(1, sizeof *m);
    if (!m)
        return tbus_fail(err, -ENOMEM, "tickbus: no memory");
    m->wait = wait;
    s->state = m;
    int code = tbus_bus_create("ipc", &m->bus, err);
    if (code < 0)
        return code;
    m->bus_made = true;
    for (int role = 0; role < 2 && code >= 0; role++) {
        code = add_topic(m, kind, s->message_bytes, role, err);
        if (code >= 0)
            code = tbus_participant_add(&m->bus, role_names[role], err);
        if (code >= 0)
            m->owners[role] = (uint32_t)code;
    }
    return code < 0 ? code : 0;
}

static int spsc_spin_setup(ipc_session_t *s, tbus_error_t *err)
{
    return rings_setup(s, TBUS_SPSC, TBUS_WAIT_SPIN, err);
}
static int spsc_park_setup(ipc_session_t *s, tbus_error_t *err)
{
    return rings_setup(s, TBUS_SPSC, TBUS_WAIT_PARK, err);
}
static int broadcast_setup(ipc_session_t *s, tbus_error_t *err)
{
    return rings_setup(s, TBUS_BROADCAST, TBUS_WAIT_SPIN, err);
}
static int mpmc_setup(ipc_session_t *s, tbus_error_t *err)
{
    return rings_setup(s, TBUS_MPMC, TBUS_WAIT_SPIN, err);
}

static int rings_open(ipc_session_t *s, tbus_error_t *err)
{
    rings_t *m = (rings_t *)s->state;
    uint32_t owner = m->owners[s->role];
    int code = tbus_participant_live(&m->bus, owner, err); /* held until this process ends */
    if (code >= 0)
        code = tbus_publisher_join(&m->bus.rings[m->topics[!s->role]], owner, &m->out, err);
    if (code >= 0)
        code = tbus_subscriber_join(&m->bus.rings[m->topics[s->role]], role_names[s->role], owner,
                                    &m->in, err);
    if (code < 0)
        return code;
    tbus_participant(&m->bus, owner)->cpu = sched_getcpu();
    tbus_waiter_init(&m->waiter, m->wait);
    tbus_waiter_watch_publisher(&m->waiter, &m->out);
    return tbus_waiter_watch_subscriber(&m->waiter, &m->in);
}

/* Where both sides run on one CPU, looking again is in vain until the other one has had it: hand it
 * over. */
static bool shares_its_cpu(rings_t *m)
{
    return tbus_participant(&m->bus, m->owners[0])->cpu ==
           tbus_participant(&m->bus, m->owners[1])->cpu;
}

/* True: it tried to sleep. */
static bool wait_a_little(ipc_session_t *s, rings_t *m)
{
    if (m->wait != TBUS_WAIT_PARK) {
        tbus_waiter_idle(&m->waiter, UINT64_MAX);
        return false;
    }
    if (m->looks % LOOKS_PER_CLOCK == 0)
        m->now_ns = tbus_clock_ns();
    if (shares_its_cpu(m) && m->looks < YIELDS) {
        s->syscalls++;
        sched_yield();
        return false;
    }
    if (shares_its_cpu(m)) {
        tbus_waiter_park(&m->waiter, m->now_ns, m->now_ns + NAP_NS);
        return true;
    }
    bool spun = m->waiter.idle_since_ns != 0;
    tbus_waiter_idle(&m->waiter, m->now_ns + NAP_NS);
    return spun && m->waiter.idle_since_ns == 0;
}

/* A look found nothing. -EOWNERDEAD: and nothing will come, the peer is dead. */
static int idle(ipc_session_t *s, rings_t *m)
{
    uint64_t parks = m->waiter.parks;
    s->syscalls += wait_a_little(s, m); /* membarrier(2) */
    m->looks++;
    if (m->waiter.parks != parks) {
        s->syscalls++; /* it slept */
        m->looks = 0;
        if (++m->naps % NAPS_PER_LIFE)
            return 0;
    } else if (m->looks % LOOKS_PER_LIFE) {
        return 0;
    }
    s->syscalls++;
    return tbus_participant_alive(&m->bus, m->owners[!s->role]) == 0 ? -EOWNERDEAD : 0;
}

/* Publishing enters the kernel only for a subscriber that sleeps. */
static enum tbus_publish publish(ipc_session_t *s, rings_t *m, const void *message)
{
    s->syscalls += tbus_load_relaxed_u32(&m->out.ring.shared->sleepers) != 0;
    return tbus_publish_try(&m->out, message, s->message_bytes);
}

static void found(rings_t *m)
{
    tbus_waiter_found(&m->waiter);
    m->looks = 0;
    m->naps = 0;
}

static int rings_send(ipc_session_t *s, const void *message)
{
    rings_t *m = (rings_t *)s->state;
    if (TBUS_LIKELY(publish(s, m, message) == TBUS_PUBLISHED))
        return 0;
    do {
        int code = idle(s, m);
        if (code < 0)
            return code;
    } while (publish(s, m, message) == TBUS_FULL);
    found(m);
    return 0;
}

static int rings_receive(ipc_session_t *s, const void **out_message)
{
    rings_t *m = (rings_t *)s->state;
    if (m->in_hand)
        tbus_advance(&m->in);
    m->in_hand = false;
    size_t bytes;
    const void *message = tbus_peek(&m->in, &bytes);
    if (TBUS_UNLIKELY(!message)) {
        do {
            int code = m->in.error ? m->in.error : idle(s, m);
            if (code < 0)
                return code;
        } while (!(message = tbus_peek(&m->in, &bytes)));
        found(m);
    }
    if (TBUS_UNLIKELY(bytes != s->message_bytes))
        return -EMSGSIZE;
    m->in_hand = true;
    *out_message = message;
    return 0;
}

static void rings_cleanup(ipc_session_t *s)
{
    rings_t *m = (rings_t *)s->state;
    if (!m)
        return;
    if (m->bus_made)
        tbus_bus_close(&m->bus);
    free(m);
    s->state = NULL;
}

static void rings_limits(char *text, size_t text_bytes)
{
    tbus_segment_t segment;
    tbus_error_t err;
    if (tbus_segment_create("ipc-probe", RING_BYTES, TBUS_PAGES_AUTO, -1, &segment, &err) < 0) {
        snprintf(text, text_bytes, "%s", err.text);
        return;
    }
    snprintf(text, text_bytes, "pages %s%s%s; a slot at most %u B, %u subscribers a ring",
             tbus_pages_name(segment.pages), segment.pages_why[0] ? ", because " : "",
             segment.pages_why, TBUS_SLOT_BYTES_MAX, TBUS_RING_SUBS_MAX);
    tbus_segment_close(&segment);
}

#define RINGS_COMMON                                                                               \
    .family = "tickbus", .scope = "host", .bound = "ring slots",                                   \
    .persistence = "with its last mapping; on disk with the journal", .transfers_data = true,      \
    .synchronises = true, .open = rings_open, .send = rings_send, .receive = rings_receive,        \
    .cleanup = rings_cleanup, .limits = rings_limits

const ipc_mechanism_t ipc_tickbus_spsc_spin = {
    .name = "tickbus_spsc_spin",
    .what = "tickbus ring, one publisher and one subscriber, spinning",
    .typical_use = "the hot path, stage to stage",
    .in_tickbus = "the `approved` topic: risk to executor",
    .setup = spsc_spin_setup,
    RINGS_COMMON,
};

const ipc_mechanism_t ipc_tickbus_spsc_park = {
    .name = "tickbus_spsc_park",
    .what = "tickbus ring, one publisher and one subscriber, sleep on a futex (after a spin of 8 "
            "us, if the "
            "peer has another CPU)",
    .typical_use = "the same, where CPUs are shared",
    .sleeps = true,
    .in_tickbus = "any topic under `wait: park`, and `auto` on few CPUs",
    .setup = spsc_park_setup,
    RINGS_COMMON,
};

const ipc_mechanism_t ipc_tickbus_broadcast = {
    .name = "tickbus_broadcast",
    .what = "tickbus broadcast ring, one subscriber of many, spinning",
    .typical_use = "market data to every consumer",
    .in_tickbus = "the `md`, `bbo` and `reports` topics",
    .setup = broadcast_setup,
    RINGS_COMMON,
};

const ipc_mechanism_t ipc_tickbus_mpmc = {
    .name = "tickbus_mpmc",
    .what = "tickbus ring, several publishers and competing consumers (one of each here), spinning",
    .typical_use = "orders from several strategies",
    .in_tickbus = "the `orders` topic",
    .message_bytes_max = TBUS_SLOT_LENGTH_MAX - TBUS_SLOT_LENGTH_MAX % 8,
    .message_bytes_why =
        "a message on a competing ring lies in one slot, whose length field ends at 254 B",
    .setup = mpmc_setup,
    RINGS_COMMON,
};
