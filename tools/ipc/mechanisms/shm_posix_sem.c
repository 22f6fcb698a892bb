/* SPDX-License-Identifier: Apache-2.0 */
/* shm_posix_sem.c - shared memory and POSIX semaphores: the bounded buffer of the textbooks, one
 * for each direction. */
#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/atomic.h>

#include "tools/ipc/shared_block.h"
#include "tools/ipc/stamp_ring.h"

/* A semaphore in user space enters the kernel only to sleep and to wake. sem_post does not tell
 * whether it did, so whoever is about to sleep says so beside it. */
typedef struct counted_sem {
    sem_t sem;
    tbus_atomic_u32_t sleepers;
} __attribute__((aligned(128))) counted_sem_t;

typedef struct channel {
    counted_sem_t items;
    counted_sem_t room;
} channel_t;

typedef struct shm_posix_sem {
    unsigned char *block; /* per direction: channel, slots */
    size_t channel_bytes;
    size_t slot_bytes;
    uint64_t slots;
    uint64_t sent;
    uint64_t received;
    bool in_hand; /* the slot of the last message that was received is not given back yet */
} shm_posix_sem_t;

static channel_t *channel_of(const shm_posix_sem_t *m, int reader)
{
    return (channel_t *)(void *)(m->block + (size_t)reader * m->channel_bytes);
}

static unsigned char *slot_of(const shm_posix_sem_t *m, int reader, uint64_t i)
{
    return (unsigned char *)(channel_of(m, reader) + 1) + i % m->slots * m->slot_bytes;
}

static int sem_setup(ipc_session_t *s, tbus_error_t *err)
{
    shm_posix_sem_t *m = (shm_posix_sem_t *)calloc(1, sizeof *m);
    if (!m)
        return tbus_fail(err, -ENOMEM, "shm_posix_sem: no memory");
    s->state = m;
    m->slot_bytes = (s->message_bytes + 63) & ~(size_t)63;
    m->slots = ipc_stamp_ring_slots(s->message_bytes);
    m->channel_bytes = sizeof(channel_t) + m->slots * m->slot_bytes;
    m->block = (unsigned char *)ipc_shared_block_new("shm_posix_sem", 2 * m->channel_bytes, err);
    if (!m->block)
        return -ENOMEM;
    for (int reader = 0; reader < 2; reader++)
        if (sem_init(&channel_of(m, reader)->items.sem, 1, 0) < 0 ||
            sem_init(&channel_of(m, reader)->room.sem, 1, (unsigned)m->slots) < 0)
            return tbus_fail(err, -errno, "shm_posix_sem: sem_init: %s", strerror(errno));
    return 0;
}

static int sem_open_side(ipc_session_t *s, tbus_error_t *err)
{
    (void)err;
    const shm_posix_sem_t *m = (const shm_posix_sem_t *)s->state;
    ipc_shared_block_touch(m->block, 2 * m->channel_bytes);
    return 0;
}

static int take(ipc_session_t *s, counted_sem_t *c)
{
    if (sem_trywait(&c->sem) == 0)
        return 0;
    int code;
    tbus_fetch_add_relaxed_u32(&c->sleepers, 1);
    do {
        code = (int)ipc_call(s, sem_wait(&c->sem));
    } while (code < 0 && errno == EINTR);
    tbus_fetch_add_relaxed_u32(&c->sleepers, (uint32_t)-1);
    return code < 0 ? -errno : 0;
}

static int give(ipc_session_t *s, counted_sem_t *c)
{
    s->syscalls += tbus_load_relaxed_u32(&c->sleepers) != 0;
    return sem_post(&c->sem) < 0 ? -errno : 0;
}

static int sem_send(ipc_session_t *s, const void *message)
{
    shm_posix_sem_t *m = (shm_posix_sem_t *)s->state;
    channel_t *c = channel_of(m, !s->role);
    int code = take(s, &c->room);
    if (code < 0)
        return code;
    memcpy(slot_of(m, !s->role, m->sent++), message, s->message_bytes);
    return give(s, &c->items);
}

static int sem_receive(ipc_session_t *s, const void **out_message)
{
    shm_posix_sem_t *m = (shm_posix_sem_t *)s->state;
    channel_t *c = channel_of(m, (int)s->role);
    int code = m->in_hand ? give(s, &c->room) : 0;
    if (code == 0)
        code = take(s, &c->items);
    if (code < 0)
        return code;
    m->in_hand = true;
    *out_message = slot_of(m, (int)s->role, m->received++);
    return 0;
}

static void sem_cleanup(ipc_session_t *s)
{
    shm_posix_sem_t *m = (shm_posix_sem_t *)s->state;
    if (!m)
        return;
    /* unnamed semaphores go with their memory */
    ipc_shared_block_free(m->block, 2 * m->channel_bytes);
    free(m);
    s->state = NULL;
}

static void sem_limits(char *text, size_t text_bytes)
{
    snprintf(text, text_bytes,
             "count at most %d (SEM_VALUE_MAX), as many semaphores as fit into memory",
             SEM_VALUE_MAX);
}

const ipc_mechanism_t ipc_shm_posix_sem = {
    .name = "shm_posix_sem",
    .what = "shared memory, a bounded buffer guarded by two POSIX semaphores",
    .family = "shared memory, blocking",
    .scope = "host",
    .bound = "buffer slots",
    .persistence = "with its last mapping, or a name in /dev/shm",
    .typical_use = "producer and consumer that may sleep",
    .in_tickbus = "a yardstick: credits for open orders are counted where they are used",
    .why_ahead =
        "a bare buffer: nobody notices a death, one consumer, one size of message, read in place",
    .transfers_data = true,
    .sleeps = true,
    .synchronises = true,
    .setup = sem_setup,
    .open = sem_open_side,
    .send = sem_send,
    .receive = sem_receive,
    .cleanup = sem_cleanup,
    .limits = sem_limits,
};
