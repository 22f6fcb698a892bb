/* SPDX-License-Identifier: Apache-2.0 */
/* shm_spin.c - shared memory and spinning: a stamp ring for each direction. */
#include <errno.h>
#include <stdlib.h>

#include "tools/ipc/shared_block.h"
#include "tools/ipc/stamp_pair.h"

static int shm_spin_setup(ipc_session_t *s, tbus_error_t *err)
{
    ipc_stamp_pair_t *p = (ipc_stamp_pair_t *)calloc(1, sizeof *p);
    if (!p)
        return tbus_fail(err, -ENOMEM, "shm_spin: no memory");
    s->state = p;
    p->block = (unsigned char *)ipc_shared_block_new("shm_spin",
                                                     ipc_stamp_pair_bytes(s->message_bytes), err);
    return p->block ? 0 : -ENOMEM;
}

static int shm_spin_open(ipc_session_t *s, tbus_error_t *err)
{
    ipc_shared_block_touch(((ipc_stamp_pair_t *)s->state)->block,
                           ipc_stamp_pair_bytes(s->message_bytes));
    return ipc_stamp_pair_open(s, err);
}

static void shm_spin_cleanup(ipc_session_t *s)
{
    ipc_stamp_pair_t *p = (ipc_stamp_pair_t *)s->state;
    if (!p)
        return;
    ipc_shared_block_free(p->block, ipc_stamp_pair_bytes(s->message_bytes));
    free(p);
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
    .send = ipc_stamp_pair_send,
    .receive = ipc_stamp_pair_receive,
    .cleanup = shm_spin_cleanup,
    .limits = ipc_shared_block_limits,
};
