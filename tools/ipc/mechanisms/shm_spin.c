/* SPDX-License-Identifier: Apache-2.0 */
/* shm_spin.c - shared memory and spinning: a stamp ring for each direction. */
#include <errno.h>
#include <stdlib.h>

#include "tools/ipc/shared_block.h"
#include "tools/ipc/stamp_ring.h"

typedef struct shm_spin {
    unsigned char *block;
    size_t ring_bytes;
    ipc_stamp_ring_t in;
    ipc_stamp_ring_t out;
} shm_spin_t;

static int shm_spin_setup(ipc_session_t *s, tbus_error_t *err)
{
    shm_spin_t *m = (shm_spin_t *)calloc(1, sizeof *m);
    if (!m)
        return tbus_fail(err, -ENOMEM, "shm_spin: no memory");
    s->state = m;
    m->ring_bytes = ipc_stamp_ring_bytes(s->message_bytes);
    m->block = (unsigned char *)ipc_shared_block_new("shm_spin", 2 * m->ring_bytes, err);
    return m->block ? 0 : -ENOMEM;
}

static int shm_spin_open(ipc_session_t *s, tbus_error_t *err)
{
    (void)err;
    shm_spin_t *m = (shm_spin_t *)s->state;
    ipc_shared_block_touch(m->block, 2 * m->ring_bytes);
    m->in = ipc_stamp_ring_join(m->block + s->role * m->ring_bytes, s->message_bytes);
    m->out = ipc_stamp_ring_join(m->block + !s->role * m->ring_bytes, s->message_bytes);
    return 0;
}

static int shm_spin_send(ipc_session_t *s, const void *message)
{
    ipc_stamp_ring_send(&((shm_spin_t *)s->state)->out, message);
    return 0;
}

static int shm_spin_receive(ipc_session_t *s, const void **out_message)
{
    *out_message = ipc_stamp_ring_receive(&((shm_spin_t *)s->state)->in);
    return 0;
}

static void shm_spin_cleanup(ipc_session_t *s)
{
    shm_spin_t *m = (shm_spin_t *)s->state;
    if (!m)
        return;
    ipc_shared_block_free(m->block, 2 * m->ring_bytes);
    free(m);
    s->state = NULL;
}

const ipc_mechanism_t ipc_shm_spin = {
    .name = "shm_spin",
    .what = "shared memory, a ring with its stamp in the slot, 8 x PAUSE between looks",
    .family = "shared memory",
    .scope = "host",
    .bound = "ring slots",
    .persistence = "with its last mapping, or a name in /dev/shm",
    .typical_use = "lowest latency, where each side has a CPU of its own",
    .in_tickbus = "the idea of the rings, without what makes them safe",
    .why_ahead =
        "a bare ring: nobody can sleep on it, nobody notices a death, one consumer, one size of "
        "message, read in place",
    .transfers_data = true,
    .synchronises = false,
    .setup = shm_spin_setup,
    .open = shm_spin_open,
    .send = shm_spin_send,
    .receive = shm_spin_receive,
    .cleanup = shm_spin_cleanup,
    .limits = ipc_shared_block_limits,
};
