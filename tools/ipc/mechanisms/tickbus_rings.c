/* SPDX-License-Identifier: Apache-2.0 */
/* tickbus_rings.c - the rings of tickbus, by its public interface: a bus of this process and its
 * children, with a topic for each direction.
 *
 * What the rows of shared memory lack and these have: whoever waits is told when its peer has died,
 * what the dead held is known by name, and observers may look on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <tickbus/open.h>

#include "tools/ipc/mechanism.h"
#include "tools/ipc/stamp_ring.h"

#define PROBE_BYTES (2u << 20)

typedef struct rings {
    tbus_bus_t bus;
    tbus_publisher_t out;
    tbus_subscriber_t in;
} rings_t;

static const char *const role_names[2] = {"client", "server"};
static const char *const topic_names[2] = {"to_client", "to_server"};

/* Slot word and message travel together where a slot can hold the message; longer ones lie in the
 * area of the ring, which then has room for as many as there are slots. There are as many as in the
 * bare rings of shm_spin, so that caches play the same part. */
static tbus_ring_spec_t spec_for(enum tbus_ring_kind kind, size_t message_bytes, int reader)
{
    tbus_ring_spec_t spec = {
        .kind = kind, .slot_bytes = 64, .msg_bytes_max = (uint32_t)message_bytes, .first_seq = 1};
    snprintf(spec.name, sizeof spec.name, "%s", topic_names[reader]);
    size_t one_slot =
        message_bytes + TBUS_SLOT_WORD_BYTES + (message_bytes > TBUS_SLOT_LENGTH_MAX ? 8 : 0);
    spec.slot_count = (uint32_t)ipc_stamp_ring_slots(message_bytes);
    if (one_slot <= TBUS_SLOT_BYTES_MAX) {
        while (spec.slot_bytes < one_slot)
            spec.slot_bytes += TBUS_SLOT_BYTES_MIN;
    } else if (kind == TBUS_SPSC || kind == TBUS_BROADCAST) {
        uint64_t all = ((message_bytes + 63) & ~UINT64_C(63)) * spec.slot_count;
        for (spec.area_bytes = TBUS_AREA_BYTES_MIN; spec.area_bytes < all;)
            spec.area_bytes *= 2;
    }
    return spec;
}

/* The reader's place is there before the reader: nothing that is sent early is lost. */
static int add_topic(rings_t *m, enum tbus_ring_kind kind, size_t message_bytes, int reader,
                     tbus_error_t *err)
{
    tbus_ring_spec_t spec = spec_for(kind, message_bytes, reader);
    int topic = tbus_bus_add_topic(&m->bus, &spec, "bytes", TBUS_PAGES_AUTO, -1, err);
    return topic < 0 ? topic
                     : tbus_ring_reserve(&m->bus.rings[topic], role_names[reader],
                                         kind == TBUS_MPMC ? TBUS_CONSUMER : TBUS_SUBSCRIBER, err);
}

static int rings_setup(ipc_session_t *s, enum tbus_ring_kind kind, enum tbus_wait_mode wait,
                       tbus_error_t *err)
{
    rings_t *m = (rings_t *)calloc(1, sizeof *m);
    if (!m)
        return tbus_fail(err, -ENOMEM, "tickbus: no memory");
    s->state = m;
    int code = tbus_bus_create("ipc", &m->bus, err);
    m->bus.wait_mode = wait;
    for (int role = 0; role < 2 && code >= 0; role++)
        code = add_topic(m, kind, s->message_bytes, role, err);
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
static int mpsc_setup(ipc_session_t *s, tbus_error_t *err)
{
    return rings_setup(s, TBUS_MPSC, TBUS_WAIT_SPIN, err);
}
static int broadcast_setup(ipc_session_t *s, tbus_error_t *err)
{
    return rings_setup(s, TBUS_BROADCAST, TBUS_WAIT_SPIN, err);
}
static int broadcast_mp_setup(ipc_session_t *s, tbus_error_t *err)
{
    return rings_setup(s, TBUS_BROADCAST_MP, TBUS_WAIT_SPIN, err);
}
static int mpmc_setup(ipc_session_t *s, tbus_error_t *err)
{
    return rings_setup(s, TBUS_MPMC, TBUS_WAIT_SPIN, err);
}

static int rings_open(ipc_session_t *s, tbus_error_t *err)
{
    rings_t *m = (rings_t *)s->state;
    int code = tbus_bus_join(&m->bus, role_names[s->role], err); /* lives until this process ends */
    if (code >= 0)
        code = tbus_bus_publisher(&m->bus, topic_names[!s->role], &m->out, err);
    if (code >= 0)
        code = tbus_bus_subscriber(&m->bus, topic_names[s->role], &m->in, err);
    return code;
}

/* Publishing itself enters the kernel only for a subscriber that sleeps. */
static int rings_send(ipc_session_t *s, const void *message)
{
    rings_t *m = (rings_t *)s->state;
    uint64_t calls = m->bus.syscalls;
    s->syscalls += tbus_load_relaxed_u32(&m->out.ring.shared->sleepers) != 0;
    int told = tbus_publish_wait(&m->bus, &m->out, message, s->message_bytes, TBUS_FOREVER);
    s->syscalls += m->bus.syscalls - calls;
    return told == TBUS_PUBLISHED ? 0 : told == TBUS_NOBODY ? -EOWNERDEAD : told;
}

static int rings_receive(ipc_session_t *s, const void **out_message)
{
    rings_t *m = (rings_t *)s->state;
    uint64_t calls = m->bus.syscalls;
    size_t bytes;
    int told = tbus_take_wait(&m->bus, &m->in, out_message, &bytes, TBUS_FOREVER);
    s->syscalls += m->bus.syscalls - calls;
    if (TBUS_UNLIKELY(told != TBUS_TAKEN))
        return told == TBUS_NOBODY ? -EOWNERDEAD : told;
    return bytes == s->message_bytes ? 0 : -EMSGSIZE;
}

static void rings_cleanup(ipc_session_t *s)
{
    rings_t *m = (rings_t *)s->state;
    if (!m)
        return;
    tbus_bus_close(&m->bus);
    free(m);
    s->state = NULL;
}

static void rings_limits(char *text, size_t text_bytes)
{
    tbus_segment_t segment;
    tbus_error_t err;
    if (tbus_segment_create("ipc-probe", PROBE_BYTES, TBUS_PAGES_AUTO, -1, &segment, &err) < 0) {
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
    .in_tickbus = "the `judged` topic: risk to executor",
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

const ipc_mechanism_t ipc_tickbus_mpsc = {
    .name = "tickbus_mpsc",
    .what = "tickbus ring, several publishers (one here) and one subscriber, spinning",
    .typical_use = "results of several workers to one collector",
    .in_tickbus = "topics of one's own; the example work_queue",
    .setup = mpsc_setup,
    RINGS_COMMON,
};

const ipc_mechanism_t ipc_tickbus_broadcast = {
    .name = "tickbus_broadcast",
    .what = "tickbus broadcast ring, one subscriber of many, spinning",
    .typical_use = "market data to every consumer",
    .in_tickbus = "the `md` and `bbo` topics",
    .setup = broadcast_setup,
    RINGS_COMMON,
};

const ipc_mechanism_t ipc_tickbus_broadcast_mp = {
    .name = "tickbus_broadcast_mp",
    .what = "tickbus broadcast ring, several publishers and subscribers (one of each here), "
            "spinning",
    .typical_use = "what several stages have to tell every consumer",
    .in_tickbus = "the `reports` topic: from risk and executor",
    .setup = broadcast_mp_setup,
    RINGS_COMMON,
};

const ipc_mechanism_t ipc_tickbus_mpmc = {
    .name = "tickbus_mpmc",
    .what = "tickbus ring, several publishers and competing consumers (one of each here), spinning",
    .typical_use = "orders from several strategies",
    .in_tickbus = "the `orders` topic",
    .setup = mpmc_setup,
    RINGS_COMMON,
};
