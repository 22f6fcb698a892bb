/* SPDX-License-Identifier: Apache-2.0 */
/* shm_futex.c - shared memory and futexes: a ring for each direction, with one word to sleep on for
 * the reader and one for the writer.
 *
 * Whoever makes progress enters the kernel only if the other has said that it sleeps.
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tickbus/atomic.h>

#include "tools/ipc/shared_block.h"
#include "tools/ipc/stamp_ring.h"

/* How far somebody is, and whether the other one sleeps until that changes. */
typedef struct counter {
    tbus_atomic_u32_t value;
    tbus_atomic_u32_t awaited;
} __attribute__((aligned(128))) counter_t;

typedef struct channel {
    counter_t written; /* by the sender; the receiver sleeps on it */
    counter_t read;    /* by the receiver, every sixteenth of the ring; the sender sleeps on it */
} channel_t;

typedef struct shm_futex {
    unsigned char *block; /* per direction: channel, slots */
    size_t channel_bytes;
    size_t slot_bytes;
    uint32_t slots;
    uint32_t sent;
    uint32_t edge; /* slots before it are free */
    uint32_t received;
    uint32_t ready; /* messages before it are there */
    uint32_t told;  /* progress as last told */
} shm_futex_t;

static channel_t *channel_of(const shm_futex_t *m, int reader)
{
    return (channel_t *)(void *)(m->block + (size_t)reader * m->channel_bytes);
}

static unsigned char *slot_of(const shm_futex_t *m, int reader, uint32_t i)
{
    return (unsigned char *)(channel_of(m, reader) + 1) + (i & (m->slots - 1)) * m->slot_bytes;
}

static int futex_setup(ipc_session_t *s, tbus_error_t *err)
{
    shm_futex_t *m = (shm_futex_t *)calloc(1, sizeof *m);
    if (!m)
        return tbus_fail(err, -ENOMEM, "shm_futex: no memory");
    s->state = m;
    m->slot_bytes = (s->message_bytes + 63) & ~(size_t)63;
    m->slots = (uint32_t)ipc_stamp_ring_slots(s->message_bytes);
    m->edge = m->slots;
    m->channel_bytes = sizeof(channel_t) + m->slots * m->slot_bytes;
    m->block = (unsigned char *)ipc_shared_block_new("shm_futex", 2 * m->channel_bytes, err);
    return m->block ? 0 : -ENOMEM;
}

static int futex_open(ipc_session_t *s, tbus_error_t *err)
{
    (void)err;
    const shm_futex_t *m = (const shm_futex_t *)s->state;
    ipc_shared_block_touch(m->block, 2 * m->channel_bytes);
    return 0;
}

static void advance(ipc_session_t *s, counter_t *c, uint32_t to)
{
    /* P1 pairs P2 (wait_past): message before counter for the receiver, the end of reading before
     * counter for the sender. */
    tbus_store_release_u32(&c->value, to);
    /* P3 pairs P4 (wait_past): our store of the counter comes before our look at `awaited`. Else
     * each misses the other's store, and it sleeps on. */
    tbus_fence_full();
    if (tbus_load_relaxed_u32(&c->awaited))
        ipc_call(s, syscall(SYS_futex, &c->value, FUTEX_WAKE, 1, NULL, NULL, 0));
}

/* Sleep until the counter is not `seen` any more; returns what it is then. Only the sleeper writes
 * `awaited`: were the waker to clear it, it could clear what the sleeper has set anew. */
static uint32_t wait_past(ipc_session_t *s, counter_t *c, uint32_t seen)
{
    uint32_t value = tbus_load_acquire_u32(&c->value); /* P2 pairs P1 (advance) */
    if (value != seen)
        return value;
    tbus_store_relaxed_u32(&c->awaited, 1);
    tbus_fence_full();                                         /* P4 pairs P3 (advance) */
    while ((value = tbus_load_acquire_u32(&c->value)) == seen) /* P2 pairs P1 (advance) */
        ipc_call(s, syscall(SYS_futex, &c->value, FUTEX_WAIT, seen, NULL, NULL, 0));
    tbus_store_relaxed_u32(&c->awaited, 0);
    return value;
}

static int futex_send(ipc_session_t *s, const void *message)
{
    shm_futex_t *m = (shm_futex_t *)s->state;
    channel_t *c = channel_of(m, !s->role);
    if (m->sent == m->edge)
        m->edge = wait_past(s, &c->read, m->edge - m->slots) + m->slots;
    memcpy(slot_of(m, !s->role, m->sent++), message, s->message_bytes);
    advance(s, &c->written, m->sent);
    return 0;
}

static int futex_receive(ipc_session_t *s, const void **out_message)
{
    shm_futex_t *m = (shm_futex_t *)s->state;
    channel_t *c = channel_of(m, (int)s->role);
    if (m->received - m->told >= m->slots / 16) {
        m->told = m->received;
        advance(s, &c->read, m->told);
    }
    if (m->received == m->ready)
        m->ready = wait_past(s, &c->written, m->ready);
    *out_message = slot_of(m, (int)s->role, m->received++);
    return 0;
}

static void futex_cleanup(ipc_session_t *s)
{
    shm_futex_t *m = (shm_futex_t *)s->state;
    if (!m)
        return;
    ipc_shared_block_free(m->block, 2 * m->channel_bytes);
    free(m);
    s->state = NULL;
}

const ipc_mechanism_t ipc_shm_futex = {
    .name = "shm_futex",
    .what = "shared memory, a ring with futexes to sleep on",
    .family = "shared memory, blocking",
    .scope = "host",
    .bound = "ring slots",
    .persistence = "with its last mapping, or a name in /dev/shm",
    .typical_use = "what locks, semaphores and condition variables are made of",
    .in_tickbus = "how parked stages are woken",
    .why_ahead =
        "a bare ring: nobody notices a death, one consumer, one size of message, read in place",
    .transfers_data = true,
    .sleeps = true,
    .synchronises = true,
    .setup = futex_setup,
    .open = futex_open,
    .send = futex_send,
    .receive = futex_receive,
    .cleanup = futex_cleanup,
    .limits = ipc_shared_block_limits,
};
