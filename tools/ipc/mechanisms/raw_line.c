/* SPDX-License-Identifier: Apache-2.0 */
/* raw_line.c - the yardstick: two cache lines, each written by one process and watched by the
 * other. Nothing that moves a message between two CPUs can be much faster. No row of the table;
 * every row is compared with it. */
#include <errno.h>
#include <stdlib.h>

#include <tickbus/atomic.h>

#include "tools/ipc/shared_block.h"
#include "tools/ipc/stamp_ring.h"

/* A page for each line: neither neighbours nor fetched together. */
#define PAGE_BYTES 4096u

typedef struct raw_line {
    unsigned char *pages;
    uint64_t sent;
    uint64_t received;
} raw_line_t;

static int raw_setup(ipc_session_t *s, tbus_error_t *err)
{
    raw_line_t *r = (raw_line_t *)calloc(1, sizeof *r);
    if (!r)
        return tbus_fail(err, -ENOMEM, "raw: no memory");
    s->state = r;
    r->pages = (unsigned char *)ipc_shared_block_new("raw", 2 * PAGE_BYTES, err);
    return r->pages ? 0 : -ENOMEM;
}

static int raw_open(ipc_session_t *s, tbus_error_t *err)
{
    (void)err;
    ipc_shared_block_touch(((raw_line_t *)s->state)->pages, 2 * PAGE_BYTES);
    return 0;
}

static tbus_atomic_u64_t *line_of(const raw_line_t *r, int reader)
{
    return (tbus_atomic_u64_t *)(void *)(r->pages + (size_t)reader * PAGE_BYTES);
}

static int raw_send(ipc_session_t *s, const void *message)
{
    (void)message;
    raw_line_t *r = (raw_line_t *)s->state;
    /* hint: the word is the message. */
    tbus_store_release_u64(line_of(r, !s->role), ++r->sent);
    return 0;
}

static int raw_receive(ipc_session_t *s, const void **out_message)
{
    (void)out_message;
    raw_line_t *r = (raw_line_t *)s->state;
    const tbus_atomic_u64_t *line = line_of(r, (int)s->role);
    r->received++;
    while (tbus_load_acquire_u64(line) != r->received) /* hint: the word is the message */
        ipc_spin();
    return 0;
}

static void raw_cleanup(ipc_session_t *s)
{
    raw_line_t *r = (raw_line_t *)s->state;
    if (!r)
        return;
    ipc_shared_block_free(r->pages, 2 * PAGE_BYTES);
    free(r);
    s->state = NULL;
}

const ipc_mechanism_t ipc_raw_line = {
    .name = "raw",
    .what = "raw cache-line ping-pong: two lines, 8-byte stamps, spinning",
    .family = "shared memory",
    .scope = "host",
    .bound = "one stamp",
    .persistence = "none",
    .typical_use = "the yardstick",
    .in_tickbus = "the yardstick",
    .setup = raw_setup,
    .open = raw_open,
    .send = raw_send,
    .receive = raw_receive,
    .cleanup = raw_cleanup,
};
