/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/stamp_pair.h"

static size_t ring_bytes(size_t message_bytes)
{
    return ipc_stamp_ring_bytes(message_bytes, ipc_stamp_ring_slots(message_bytes), 1);
}

size_t ipc_stamp_pair_bytes(size_t message_bytes)
{
    return 2 * ring_bytes(message_bytes);
}

static ipc_stamp_ring_t join(const ipc_stamp_pair_t *p, size_t message_bytes, int reader)
{
    return ipc_stamp_ring_join(p->block + (size_t)reader * ring_bytes(message_bytes), message_bytes,
                               ipc_stamp_ring_slots(message_bytes), 1, 0);
}

int ipc_stamp_pair_open(ipc_session_t *s, tbus_error_t *err)
{
    (void)err;
    ipc_stamp_pair_t *p = (ipc_stamp_pair_t *)s->state;
    p->in = join(p, s->message_bytes, s->role);
    p->out = join(p, s->message_bytes, !s->role);
    return 0;
}

int ipc_stamp_pair_send(ipc_session_t *s, const void *message)
{
    ipc_stamp_ring_send(&((ipc_stamp_pair_t *)s->state)->out, message);
    return 0;
}

int ipc_stamp_pair_receive(ipc_session_t *s, const void **out_message)
{
    *out_message = ipc_stamp_ring_receive(&((ipc_stamp_pair_t *)s->state)->in);
    return 0;
}
