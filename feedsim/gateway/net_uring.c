/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets by io_uring(7): multishot accept and receive with buffers that the kernel chooses,
 * sends in one batch, a poll of those sockets that are full. Needs Linux 6.0.
 *
 * A send never waits in the kernel (MSG_DONTWAIT): it is done when it was submitted, so the block
 * that it is made from is pinned no longer than gateway_net_flush takes.
 *
 * A connection is closed in steps: shut it down, which ends what the kernel has of it under way;
 * wait until the last of that has come back; only then close the descriptor. Else a new connection
 * with the same number would get what was meant for the old one. Each event carries the generation
 * of its slot as well.
 *
 * The ring may do what is done here and nothing else (restrictions), since its operations pass by
 * seccomp filters. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <liburing.h>
#include <poll.h>
#include <sys/syscall.h>

#include "feedsim/gateway/net.h"
#include "feedsim/gateway/net_way.h"

#define ENTRIES       1024u
#define COMPLETIONS   8192u
#define BUFFERS       256u /* a power of two */
#define BUFFERS_GROUP 0
#define EARLY_MAX     256u

enum op { OP_ACCEPT = 1, OP_RECEIVE, OP_SEND, OP_WRITABLE, OP_CANCEL };

typedef struct connection {
    int fd; /* -1: none */
    uint32_t generation;
    uint32_t under_way; /* operations that the kernel has */
    uint32_t sending;   /* bytes of the send under way */
    bool receiving;     /* one of them */
    bool waiting;       /* for room: another */
    bool ended;         /* said so */
    bool closing;
} connection_t;

typedef struct net_uring {
    gateway_net_t net;
    struct io_uring ring;
    struct io_uring_buf_ring *buffers; /* owned, as the next */
    uint8_t *memory;                   /* BUFFERS of GATEWAY_RECEIVE_BYTES */
    bool shut;                         /* listeners are closed */
    bool accepting[GATEWAY_LISTENERS_MAX];
    /* accepted while nobody is to be: they are let in later */
    uint32_t early_count;
    struct early {
        int fd;
        uint32_t listener;
    } early[EARLY_MAX];
    uint32_t sends;            /* under way */
    connection_t *connections; /* owned; slots_max */
    /* completions that came while sends were waited for */
    uint32_t kept_count;
    uint32_t closing; /* connections that are, and not released yet */
    struct kept {
        uint64_t tag;
        int32_t result;
        uint32_t flags;
    } kept[COMPLETIONS];
} net_uring_t;

/* --- what an operation is about --- */

static uint64_t tag(enum op op, uint32_t generation, uint32_t slot)
{
    return (uint64_t)op << 56 | (uint64_t)(generation & 0xffffff) << 32 | slot;
}
static enum op tag_op(uint64_t t)
{
    return (enum op)(t >> 56);
}
static uint32_t tag_generation(uint64_t t)
{
    return (uint32_t)(t >> 32) & 0xffffff;
}

static bool take_completions(net_uring_t *n, bool sends_only);

/* A free entry. When there is none, what there is goes to the kernel first. */
static struct io_uring_sqe *entry(net_uring_t *n)
{
    struct io_uring_sqe *sqe;
    while (!(sqe = io_uring_get_sqe(&n->ring)))
        if (io_uring_submit(&n->ring) < 0)
            take_completions(n, true); /* it wants room for completions first */
    return sqe;
}

/* The entry is about that connection, which the kernel has until its last completion. */
static void entry_of(net_uring_t *n, struct io_uring_sqe *sqe, enum op op, uint32_t slot)
{
    connection_t *c = &n->connections[slot];
    io_uring_sqe_set_data64(sqe, tag(op, c->generation, slot));
    c->under_way++;
}

static void begin_receive(net_uring_t *n, uint32_t slot)
{
    connection_t *c = &n->connections[slot];
    struct io_uring_sqe *sqe = entry(n);
    io_uring_prep_recv_multishot(sqe, c->fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFERS_GROUP;
    entry_of(n, sqe, OP_RECEIVE, slot);
    c->receiving = true;
}

static void wait_for_room(net_uring_t *n, uint32_t slot)
{
    connection_t *c = &n->connections[slot];
    if (c->waiting || c->closing)
        return;
    struct io_uring_sqe *sqe = entry(n);
    io_uring_prep_poll_add(sqe, c->fd, POLLOUT);
    entry_of(n, sqe, OP_WRITABLE, slot);
    c->waiting = true;
}

/* --- listeners --- */

static void begin_accept(net_uring_t *n, uint32_t listener)
{
    if (n->accepting[listener] || n->net.paused || n->shut)
        return;
    struct io_uring_sqe *sqe = entry(n);
    io_uring_prep_multishot_accept(sqe, n->net.listeners[listener], NULL, NULL,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC);
    io_uring_sqe_set_data64(sqe, tag(OP_ACCEPT, 0, listener));
    n->accepting[listener] = true;
}

static void cancel_accept(net_uring_t *n, uint32_t listener)
{
    if (!n->accepting[listener])
        return;
    struct io_uring_sqe *sqe = entry(n);
    io_uring_prep_cancel64(sqe, tag(OP_ACCEPT, 0, listener), 0);
    io_uring_sqe_set_data64(sqe, tag(OP_CANCEL, 0, listener));
}

static int uring_way_listen(gateway_net_t *net, uint32_t index)
{
    begin_accept((net_uring_t *)net, index);
    return 0;
}

static int uring_way_pause(gateway_net_t *net)
{
    net_uring_t *n = (net_uring_t *)net;
    for (uint32_t i = 0; i < net->listeners_count; i++)
        if (net->paused)
            cancel_accept(n, i);
        else
            begin_accept(n, i);
    return 0;
}

static void uring_way_close_listeners(gateway_net_t *net)
{
    net_uring_t *n = (net_uring_t *)net;
    if (n->shut)
        return;
    gateway_net_pause(net, true);
    n->shut = true;
    for (uint32_t i = 0; i < n->net.listeners_count; i++)
        shutdown(n->net.listeners[i], SHUT_RDWR); /* closed with the ring */
    for (uint32_t i = 0; i < n->early_count; i++)
        close(n->early[i].fd);
    n->early_count = 0;
}

/* --- what came back --- */

static void adopt(net_uring_t *n, uint32_t listener, int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t bytes = sizeof peer;
    uint32_t slot = GATEWAY_NET_REFUSED;
    if (getpeername(fd, (struct sockaddr *)&peer, &bytes) == 0)
        slot = n->net.events.accepted(n->net.events.context, listener, &peer);
    if (slot == GATEWAY_NET_REFUSED) {
        close(fd);
        return;
    }
    connection_t *c = &n->connections[slot];
    *c = (connection_t){.fd = fd, .generation = c->generation};
    begin_receive(n, slot);
}

/* A multishot accept takes all who wait in one go, also those that are to wait. */
static void adopt_early(net_uring_t *n)
{
    uint32_t count = 0;
    while (count < n->early_count && !n->net.paused) {
        adopt(n, n->early[count].listener, n->early[count].fd);
        count++;
    }
    n->early_count -= count;
    memmove(n->early, n->early + count, n->early_count * sizeof n->early[0]);
}

static void take_accept(net_uring_t *n, uint32_t listener, int32_t result, uint32_t flags)
{
    if (!(flags & IORING_CQE_F_MORE))
        n->accepting[listener] = false;
    if (result < 0 && !gateway_net_passes(result) && !n->net.paused && !n->shut)
        gateway_net_cannot_accept(&n->net, result);
    if (result >= 0 && n->net.paused && !n->shut && n->early_count < EARLY_MAX)
        n->early[n->early_count++] = (struct early){result, listener};
    else if (result >= 0 && (n->net.paused || n->shut))
        close(result);
    else if (result >= 0)
        adopt(n, listener, result);
    begin_accept(n, listener);
}

static void give_buffer_back(net_uring_t *n, uint32_t flags)
{
    uint32_t id = flags >> IORING_CQE_BUFFER_SHIFT;
    io_uring_buf_ring_add(n->buffers, n->memory + id * GATEWAY_RECEIVE_BYTES, GATEWAY_RECEIVE_BYTES,
                          (unsigned short)id, io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(n->buffers, 1);
}

static void take_receive(net_uring_t *n, uint32_t slot, int32_t result, uint32_t flags)
{
    connection_t *c = &n->connections[slot];
    const gateway_net_events_t *events = &n->net.events;
    if (result > 0 && !c->closing)
        events->received(events->context, slot,
                         n->memory + (flags >> IORING_CQE_BUFFER_SHIFT) * GATEWAY_RECEIVE_BYTES,
                         (size_t)result);
    if (flags & IORING_CQE_F_BUFFER)
        give_buffer_back(n, flags);
    if (c->receiving || c->closing || c->ended)
        return;
    if (result > 0 || result == -ENOBUFS || result == -EINTR) {
        begin_receive(n, slot);
        return;
    }
    c->ended = true;
    events->ended(events->context, slot, result);
}

static void take_send(net_uring_t *n, uint32_t slot, int32_t result)
{
    n->sends--;
    if (result == -EAGAIN || (result >= 0 && (uint32_t)result < n->connections[slot].sending))
        wait_for_room(n, slot);
    n->net.events.sent(n->net.events.context, slot, result);
}

static void take(net_uring_t *n, uint64_t t, int32_t result, uint32_t flags)
{
    uint32_t slot = (uint32_t)t;
    enum op op = tag_op(t);
    if (op == OP_ACCEPT) {
        take_accept(n, slot, result, flags);
        return;
    }
    if (op == OP_CANCEL || slot >= n->net.slots_max)
        return;
    connection_t *c = &n->connections[slot];
    if ((c->generation & 0xffffff) != tag_generation(t))
        return; /* cannot be: a connection is not released before that */
    if (!(flags & IORING_CQE_F_MORE)) {
        c->under_way--;
        c->receiving &= op != OP_RECEIVE;
        c->waiting &= op != OP_WRITABLE;
    }
    if (op == OP_RECEIVE)
        take_receive(n, slot, result, flags);
    else if (op == OP_SEND)
        take_send(n, slot, result);
    else if (!c->closing)
        n->net.events.writable(n->net.events.context, slot);
}

/* Take completions: those of sends alone, and keep the others; or all. */
static bool take_completions(net_uring_t *n, bool sends_only)
{
    struct io_uring_cqe *cqe;
    bool any = false;
    while (io_uring_peek_cqe(&n->ring, &cqe) == 0) {
        struct kept one = {io_uring_cqe_get_data64(cqe), cqe->res, cqe->flags};
        if (sends_only && tag_op(one.tag) != OP_SEND && n->kept_count == COMPLETIONS)
            return any; /* no room: it stays in the ring */
        io_uring_cqe_seen(&n->ring, cqe);
        any = true;
        if (sends_only && tag_op(one.tag) != OP_SEND)
            n->kept[n->kept_count++] = one;
        else
            take(n, one.tag, one.result, one.flags);
    }
    return any;
}

/* Those of which all has come back: now the descriptor may be another's. */
static bool release_closed(net_uring_t *n)
{
    bool any = false;
    for (uint32_t slot = 0; n->closing && slot < n->net.slots_max; slot++) {
        connection_t *c = &n->connections[slot];
        if (!c->closing || c->under_way)
            continue;
        close(c->fd);
        c->fd = -1;
        c->closing = false;
        c->generation++;
        n->closing--;
        any = true;
        n->net.events.released(n->net.events.context, slot);
    }
    return any;
}

static bool uring_way_poll(gateway_net_t *net, uint64_t wait_ns)
{
    net_uring_t *n = (net_uring_t *)net;
    struct io_uring_cqe *cqe;
    bool any = release_closed(n) || n->kept_count > 0;
    if (!n->net.paused)
        adopt_early(n);
    for (uint32_t i = 0; i < n->kept_count; i++)
        take(n, n->kept[i].tag, n->kept[i].result, n->kept[i].flags);
    n->kept_count = 0;
    struct __kernel_timespec wait = {.tv_sec = (long long)(wait_ns / 1000000000),
                                     .tv_nsec = (long long)(wait_ns % 1000000000)};
    if (wait_ns && !any)
        io_uring_submit_and_wait_timeout(&n->ring, &cqe, 1, &wait, NULL);
    else
        io_uring_submit_and_get_events(&n->ring);
    any |= take_completions(n, false);
    return any;
}

/* --- what is done --- */

static void uring_way_send(gateway_net_t *net, uint32_t slot, const uint8_t *bytes, size_t count)
{
    net_uring_t *n = (net_uring_t *)net;
    connection_t *c = &n->connections[slot];
    struct io_uring_sqe *sqe = entry(n);
    io_uring_prep_send(sqe, c->fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    entry_of(n, sqe, OP_SEND, slot);
    c->sending = (uint32_t)count;
    n->sends++;
}

static void uring_way_flush(gateway_net_t *net)
{
    net_uring_t *n = (net_uring_t *)net;
    if (!n->sends)
        return;
    io_uring_submit(&n->ring);
    while (take_completions(n, true), n->sends)
        io_uring_submit_and_wait(&n->ring, 1);
}

static void uring_way_shutdown(gateway_net_t *net, uint32_t slot)
{
    shutdown(((net_uring_t *)net)->connections[slot].fd, SHUT_WR);
}

static void uring_way_close(gateway_net_t *net, uint32_t slot)
{
    net_uring_t *n = (net_uring_t *)net;
    connection_t *c = &n->connections[slot];
    if (c->fd < 0 || c->closing)
        return;
    c->closing = true;
    n->closing++;
    shutdown(c->fd, SHUT_RDWR);
}

/* --- made --- */

static void uring_way_destroy(gateway_net_t *net)
{
    net_uring_t *n = (net_uring_t *)net;
    uring_way_close_listeners(net);
    io_uring_queue_exit(&n->ring);
    for (uint32_t i = 0; i < n->net.listeners_count; i++)
        close(n->net.listeners[i]);
    for (uint32_t i = 0; i < net->slots_max; i++)
        if (n->connections[i].fd >= 0)
            close(n->connections[i].fd);
    free(n->connections);
    free(n->memory);
    free(n->buffers);
    free(n);
}

/* Multishot receive came with Linux 6.0, as did zero-copy sends, which can be asked about. */
static bool new_enough(struct io_uring *ring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    bool good = probe && io_uring_opcode_supported(probe, IORING_OP_SEND_ZC);
    io_uring_free_probe(probe);
    return good;
}

static int register_buffers(net_uring_t *n)
{
    struct io_uring_buf_reg ring = {.ring_addr = (uint64_t)(uintptr_t)n->buffers,
                                    .ring_entries = BUFFERS,
                                    .bgid = BUFFERS_GROUP};
    io_uring_buf_ring_init(n->buffers);
    for (unsigned i = 0; i < BUFFERS; i++)
        io_uring_buf_ring_add(n->buffers, n->memory + i * GATEWAY_RECEIVE_BYTES,
                              GATEWAY_RECEIVE_BYTES, (unsigned short)i,
                              io_uring_buf_ring_mask(BUFFERS), (int)i);
    io_uring_buf_ring_advance(n->buffers, BUFFERS);
    return io_uring_register_buf_ring(&n->ring, &ring, 0);
}

/* liburing 2.3 declares functions for these two and does not have them. */
static int register_at(const net_uring_t *n, unsigned opcode, void *argument, unsigned count)
{
    long code = syscall(SYS_io_uring_register, n->ring.ring_fd, opcode, argument, count);
    return code < 0 ? -errno : 0;
}

static int restrict_operations(net_uring_t *n)
{
    static const uint8_t allowed[] = {IORING_OP_ACCEPT, IORING_OP_RECV, IORING_OP_SEND,
                                      IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL};
    struct io_uring_restriction list[sizeof allowed + 2];
    memset(list, 0, sizeof list);
    for (unsigned i = 0; i < sizeof allowed; i++) {
        list[i].opcode = IORING_RESTRICTION_SQE_OP;
        list[i].sqe_op = allowed[i];
    }
    list[sizeof allowed].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    list[sizeof allowed].sqe_flags = IOSQE_BUFFER_SELECT;
    list[sizeof allowed + 1].opcode = IORING_RESTRICTION_REGISTER_OP;
    list[sizeof allowed + 1].register_op = IORING_REGISTER_ENABLE_RINGS;
    return register_at(n, IORING_REGISTER_RESTRICTIONS, list, sizeof allowed + 2);
}

/* A ring that is disabled until its restrictions stand. The first flags are of Linux 6.1. */
static int open_ring(struct io_uring *ring)
{
    static const uint32_t flags[] = {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 0};
    int code = -EINVAL;
    for (unsigned i = 0; code == -EINVAL && i < sizeof flags / sizeof flags[0]; i++) {
        struct io_uring_params params = {.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE |
                                                  flags[i],
                                         .cq_entries = COMPLETIONS};
        code = io_uring_queue_init_params(ENTRIES, ring, &params);
    }
    return code;
}

static int set_up_ring(net_uring_t *n)
{
    int code = new_enough(&n->ring) ? register_buffers(n) : -ENOSYS;
    if (code == 0)
        code = restrict_operations(n);
    if (code == 0)
        code = register_at(n, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    return code;
}

static int uring_way_create(uint32_t slots_max, const gateway_net_events_t *events,
                            gateway_net_t **out_net, tbus_error_t *err)
{
    net_uring_t *n = calloc(1, sizeof *n);
    if (!n)
        return tbus_fail(err, -ENOMEM, "no memory for the sockets");
    n->net = (gateway_net_t){.way = &gateway_net_uring, .slots_max = slots_max, .events = *events};
    n->connections = calloc(slots_max, sizeof *n->connections);
    n->memory = malloc(BUFFERS * GATEWAY_RECEIVE_BYTES);
    n->buffers = aligned_alloc(4096, BUFFERS * sizeof(struct io_uring_buf));
    int code = n->connections && n->memory && n->buffers ? open_ring(&n->ring) : -ENOMEM;
    if (code < 0) {
        free(n->connections);
        free(n->memory);
        free(n->buffers);
        free(n);
    } else {
        for (uint32_t i = 0; i < slots_max; i++)
            n->connections[i].fd = -1;
        code = set_up_ring(n);
        if (code < 0)
            uring_way_destroy(&n->net);
    }
    if (code < 0)
        return tbus_fail(err, code == -ENOMEM ? code : -TBUS_EKIND,
                         "io_uring cannot be had (Linux 6.0 or later, and not forbidden): %s",
                         tbus_strerror(code));
    *out_net = &n->net;
    return 0;
}

const gateway_net_way_t gateway_net_uring = {
    .name = "io_uring",
    .create = uring_way_create,
    .destroy = uring_way_destroy,
    .listen = uring_way_listen,
    .pause = uring_way_pause,
    .close_listeners = uring_way_close_listeners,
    .poll = uring_way_poll,
    .send = uring_way_send,
    .flush = uring_way_flush,
    .shutdown = uring_way_shutdown,
    .close = uring_way_close,
};
