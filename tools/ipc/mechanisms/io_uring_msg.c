/* SPDX-License-Identifier: Apache-2.0 */
/* io_uring_msg.c - io_uring message passing: IORING_OP_MSG_RING puts a completion into the ring of
 * the other process.
 *
 * A completion carries 8 bytes; so the message lies in shared memory and the completion says that
 * it is there. Each process waits on one ring and posts into the other. Both are made before the
 * fork and inherited: since Linux 6.7 a ring's descriptor cannot be handed over a socket any more.
 * At most WINDOW messages are under way; the receiver gives half a window back at a time, by a
 * completion too.
 */
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/measure/proc_value.h"
#include "tools/ipc/shared_block.h"

#define WINDOW 64u
#define RING_ENTRIES                                                                               \
    256u /* its completion queue has twice as many: more than a window and all credits */

/* user_data of what arrives, and of what we submit (that is seen only when it fails). */
enum tag { TAG_MESSAGE = 1, TAG_CREDIT = 2, TAG_OWN = 3 };

typedef struct uring {
    unsigned char *block;
    size_t slot_bytes;
    struct io_uring rings[2]; /* by role */
    bool made[2];
    uint32_t sent;
    uint32_t under_way;
    uint32_t received;
    uint32_t ready; /* messages whose completions were seen while waiting for credit */
    uint32_t uncredited;
} uring_t;

static bool uring_available(char *why_not, size_t why_not_bytes)
{
    struct io_uring_probe *probe = io_uring_get_probe();
    bool has = probe && io_uring_opcode_supported(probe, IORING_OP_MSG_RING);
    if (!probe)
        snprintf(why_not, why_not_bytes,
                 "io_uring is not allowed here (kernel.io_uring_disabled = %lld, or seccomp)",
                 proc_value("/proc/sys/kernel/io_uring_disabled", 0));
    else if (!has)
        snprintf(why_not, why_not_bytes, "this kernel's io_uring has no MSG_RING (Linux 5.18 has)");
    io_uring_free_probe(probe);
    return has;
}

static size_t block_bytes(const uring_t *m)
{
    return 2 * WINDOW * m->slot_bytes;
}

static unsigned char *slot_of(const uring_t *m, int reader, uint32_t i)
{
    return m->block + ((size_t)reader * WINDOW + i % WINDOW) * m->slot_bytes;
}

static int uring_setup(ipc_session_t *s, tbus_error_t *err)
{
    uring_t *m = (uring_t *)calloc(1, sizeof *m);
    if (!m)
        return tbus_fail(err, -ENOMEM, "io_uring_msg: no memory");
    m->slot_bytes = (s->message_bytes + 63) & ~(size_t)63;
    s->state = m;
    for (int role = 0; role < 2; role++) {
        int code = io_uring_queue_init(RING_ENTRIES, &m->rings[role], 0);
        if (code < 0)
            return tbus_fail(err, code, "io_uring_msg: no ring: %s", strerror(-code));
        m->made[role] = true;
    }
    m->block = (unsigned char *)ipc_shared_block_new("io_uring_msg", block_bytes(m), err);
    return m->block ? 0 : -ENOMEM;
}

static int uring_open(ipc_session_t *s, tbus_error_t *err)
{
    (void)err;
    const uring_t *m = (const uring_t *)s->state; /* the rings are inherited, mappings and all */
    ipc_shared_block_touch(m->block, block_bytes(m));
    return 0;
}

/* One completion for the peer: tag and value. */
static int post(ipc_session_t *s, enum tag tag, uint32_t value)
{
    uring_t *m = (uring_t *)s->state;
    struct io_uring *mine = &m->rings[s->role];
    struct io_uring_sqe *sqe = io_uring_get_sqe(mine);
    if (!sqe)
        return -EBUSY;
    io_uring_prep_msg_ring(sqe, m->rings[!s->role].ring_fd, value, tag, 0);
    sqe->user_data = TAG_OWN;
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    int code = (int)ipc_call(s, io_uring_submit(mine));
    return code < 0 ? code : 0;
}

/* Take one completion, waiting for it. */
static int take_completion(ipc_session_t *s)
{
    uring_t *m = (uring_t *)s->state;
    struct io_uring *mine = &m->rings[s->role];
    struct io_uring_cqe *cqe = NULL;
    int code = io_uring_peek_cqe(mine, &cqe);
    while (code == -EAGAIN || code == -EINTR)
        code = (int)ipc_call(s, io_uring_wait_cqe(mine, &cqe));
    if (code < 0)
        return code;
    if (cqe->user_data == TAG_MESSAGE)
        m->ready++;
    else if (cqe->user_data == TAG_CREDIT)
        m->under_way -= (uint32_t)cqe->res;
    else
        code = cqe->res; /* what we posted came back: the peer's ring refused it */
    io_uring_cqe_seen(mine, cqe);
    return code;
}

static int uring_send(ipc_session_t *s, const void *message)
{
    uring_t *m = (uring_t *)s->state;
    while (m->under_way == WINDOW) {
        int code = take_completion(s);
        if (code < 0)
            return code;
    }
    m->under_way++;
    memcpy(slot_of(m, !s->role, m->sent), message, s->message_bytes);
    return post(s, TAG_MESSAGE, m->sent++ % WINDOW);
}

static int uring_receive(ipc_session_t *s, const void **out_message)
{
    uring_t *m = (uring_t *)s->state;
    if (m->uncredited == WINDOW / 2) {
        m->uncredited = 0;
        int code = post(s, TAG_CREDIT, WINDOW / 2);
        if (code < 0)
            return code;
    }
    while (!m->ready) {
        int code = take_completion(s);
        if (code < 0)
            return code;
    }
    m->ready--;
    m->uncredited++;
    *out_message = slot_of(m, (int)s->role, m->received++);
    return 0;
}

static void uring_close(ipc_session_t *s)
{
    uring_t *m = (uring_t *)s->state;
    for (int role = 0; role < 2; role++) {
        if (m->made[role])
            io_uring_queue_exit(&m->rings[role]);
        m->made[role] = false;
    }
}

static void uring_cleanup(ipc_session_t *s)
{
    uring_t *m = (uring_t *)s->state;
    if (!m)
        return;
    uring_close(s);
    ipc_shared_block_free(m->block, block_bytes(m));
    free(m);
    s->state = NULL;
}

static void uring_limits(char *text, size_t text_bytes)
{
    snprintf(text, text_bytes, "kernel.io_uring_disabled = %lld",
             proc_value("/proc/sys/kernel/io_uring_disabled", 0));
}

const ipc_mechanism_t ipc_io_uring_msg = {
    .name = "io_uring_msg",
    .what = "io_uring MSG_RING, the message in shared memory",
    .family = "io_uring",
    .scope = "related processes",
    .bound = "completion queue",
    .persistence = "gone with its ring",
    .typical_use = "handing work between event loops",
    .in_tickbus = "a yardstick: messages go by ring",
    .why_ahead =
        "a bare buffer: nobody notices a death, one consumer, one size of message, read in place",
    .transfers_data = true,
    .sleeps = true,
    .synchronises = true,
    .available = uring_available,
    .setup = uring_setup,
    .open = uring_open,
    .release = uring_close,
    .send = uring_send,
    .receive = uring_receive,
    .cleanup = uring_cleanup,
    .limits = uring_limits,
};
