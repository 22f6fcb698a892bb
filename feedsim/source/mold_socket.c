/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/mold_socket.h"

#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sock_diag.h>

#include "bus/wire/mold.h"
#include "feedsim/multicast.h"
#include "feedsim/source/mold_spec.h"

/* So far apart are datagrams in memory: room for the largest, and not a multiple of a large power
 * of two, or the beginnings of all of them would compete for the same lines of the cache. */
#define STRIDE        67072u
#define SENDERS_MAX   8u
#define CONTROL_BYTES 64u
#define SECOND_NS     UINT64_C(1000000000)

_Static_assert(STRIDE > MOLD_DATAGRAM_MAX, "no datagram is cut");
_Static_assert(STRIDE *MOLD_SOCKET_BATCH + 16384 <= MOLD_SOCKET_BYTES, "as said");
_Static_assert(CMSG_SPACE(sizeof(uint32_t)) <= CONTROL_BYTES, "room for SO_RXQ_OVFL");

typedef union control {
    struct cmsghdr align;
    char bytes[CONTROL_BYTES];
} control_t;

struct mold_socket {
    int fd;
    bool connected;
    bool named; /* the senders, and no other is ever taken */
    uint32_t senders_count;
    struct sockaddr_storage senders[SENDERS_MAX];
    uint64_t heard_ns;
    uint64_t silent_ns;
    uint32_t count, next; /* of the batch in hand */
    uint32_t handed;      /* the last one that was handed out */
    uint32_t drops_told;  /* by the kernel, modulo 2^32 */
    mold_socket_counts_t counts;
    uint8_t *data; /* owned */
    struct mmsghdr headers[MOLD_SOCKET_BATCH];
    struct iovec pieces[MOLD_SOCKET_BATCH];
    struct sockaddr_storage names[MOLD_SOCKET_BATCH];
    control_t controls[MOLD_SOCKET_BATCH];
};

/* ---- addresses ---- */

static int find(const char *host, const char *port, int flags, struct addrinfo **out_info,
                tbus_error_t *err)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV | flags};
    int found = getaddrinfo(host, port, &hints, out_info);
    return found == 0 ? 0
                      : tbus_fail(err, -TBUS_ECONFIG, "'%s' in the feed is no address here: %s",
                                  host, gai_strerror(found));
}

/* Whatever the port: a sender that is started again has another one. */
static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)b)->sin6_addr, 16) == 0;
}

static int name_senders(mold_socket_t *s, const char *text, tbus_error_t *err)
{
    char host[SOURCE_TEXT_MAX];
    while (*text) {
        size_t bytes = strcspn(text, ",");
        struct addrinfo *info;
        if (s->senders_count == SENDERS_MAX)
            return tbus_fail(err, -TBUS_ECONFIG, "source= in the feed names more than %u senders",
                             SENDERS_MAX);
        snprintf(host, sizeof host, "%.*s", (int)bytes, text);
        int code = find(host, NULL, AI_NUMERICHOST, &info, err);
        if (code < 0)
            return code;
        memcpy(&s->senders[s->senders_count++], info->ai_addr, info->ai_addrlen);
        freeaddrinfo(info);
        text += bytes + (text[bytes] == ',');
        s->named = true;
    }
    return 0;
}

/* ---- opening ---- */

static int set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

/* As much as is asked for where we may, else as much as anybody may. */
static void set_buffer(mold_socket_t *s, uint64_t bytes)
{
    int half = (int)(bytes / 2), have = 0; /* the kernel doubles what it is told */
    socklen_t size = sizeof have;
    if (set_option(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, half) < 0)
        (void)set_option(s->fd, SOL_SOCKET, SO_RCVBUF, half);
    if (getsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &have, &size) == 0)
        s->counts.receive_bytes = (uint64_t)have;
}

static int fail(const mold_socket_way_t *way, const char *what, tbus_error_t *err)
{
    int code = -errno;
    return tbus_fail(err, code, "the feed's line %s: %s: %s", way->address, what,
                     tbus_strerror(code));
}

static int fail_join(const mold_socket_way_t *way, tbus_error_t *err)
{
    return fail(way,
                errno == ENODEV ? "cannot join the group, for there is no route to it "
                                  "(interface=NAME chooses one)"
                                : "cannot join the group",
                err);
}

/* The group, for each sender that is named. The other line may have some of the other family. */
static int join_senders(mold_socket_t *s, const mold_socket_way_t *way,
                        const struct group_req *group, int level, tbus_error_t *err)
{
    uint32_t joined = 0;
    struct group_source_req request = {.gsr_interface = group->gr_interface,
                                       .gsr_group = group->gr_group};
    for (uint32_t i = 0; i < s->senders_count; i++) {
        request.gsr_source = s->senders[i];
        if (s->senders[i].ss_family != group->gr_group.ss_family)
            continue;
        if (setsockopt(s->fd, level, MCAST_JOIN_SOURCE_GROUP, &request, sizeof request) == 0)
            joined++;
        else if (errno != EADDRNOTAVAIL) /* else it is named twice */
            return fail_join(way, err);
    }
    return joined ? 0
                  : tbus_fail(err, -TBUS_ECONFIG,
                              "source= in the feed names no sender that could send to %s",
                              way->address);
}

static int join(mold_socket_t *s, const mold_socket_way_t *way, const struct addrinfo *info,
                tbus_error_t *err)
{
    struct group_req request = {0};
    if (way->interface[0] && (request.gr_interface = if_nametoindex(way->interface)) == 0)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "interface=%s in the feed: this host has none of "
                         "that name",
                         way->interface);
    bool four = info->ai_family == AF_INET;
    int level = four ? IPPROTO_IP : IPPROTO_IPV6;
    memcpy(&request.gr_group, info->ai_addr, info->ai_addrlen);
    /* Else what others on this host have joined comes here, too. */
    (void)set_option(s->fd, level, four ? IP_MULTICAST_ALL : IPV6_MULTICAST_ALL, 0);
    if (s->named)
        return join_senders(s, way, &request, level, err);
    if (setsockopt(s->fd, level, MCAST_JOIN_GROUP, &request, sizeof request) < 0)
        return fail_join(way, err);
    return 0;
}

static int attach(mold_socket_t *s, const mold_socket_way_t *way, const struct addrinfo *info,
                  tbus_error_t *err)
{
    bool group = multicast_is_group(info->ai_addr);
    s->fd = socket(info->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return fail(way, "no socket", err);
    set_buffer(s, way->receive_bytes);
    if (set_option(s->fd, SOL_SOCKET, SO_RXQ_OVFL, 1) < 0)
        return fail(way, "SO_RXQ_OVFL", err);
    if (way->connected)
        return connect(s->fd, info->ai_addr, info->ai_addrlen) < 0
                   ? fail(way, "no way to the request server", err)
                   : 0;
    if (group && set_option(s->fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0)
        return fail(way, "SO_REUSEADDR", err);
    if (bind(s->fd, info->ai_addr, info->ai_addrlen) < 0)
        return fail(way,
                    errno == EADDRNOTAVAIL ? "it is no group, and no address of this host"
                                           : "cannot bind",
                    err);
    return group ? join(s, way, info, err) : 0;
}

static int prepare(mold_socket_t *s, tbus_error_t *err)
{
    s->data = malloc((size_t)STRIDE * MOLD_SOCKET_BATCH);
    if (!s->data)
        return tbus_fail(err, -ENOMEM, "no memory for the feed's datagrams");
    memset(s->data, 0, (size_t)STRIDE * MOLD_SOCKET_BATCH); /* its page faults come now */
    for (uint32_t i = 0; i < MOLD_SOCKET_BATCH; i++) {
        s->pieces[i] = (struct iovec){.iov_base = s->data + (size_t)STRIDE * i, .iov_len = STRIDE};
        s->headers[i].msg_hdr = (struct msghdr){.msg_iov = &s->pieces[i],
                                                .msg_iovlen = 1,
                                                .msg_name = &s->names[i],
                                                .msg_namelen = sizeof s->names[i],
                                                .msg_control = &s->controls[i],
                                                .msg_controllen = sizeof s->controls[i]};
    }
    return 0;
}

int mold_socket_open(const mold_socket_way_t *way, mold_socket_t **out_socket, tbus_error_t *err)
{
    char host[SOURCE_TEXT_MAX], port[8];
    struct addrinfo *info = NULL;
    int code = mold_address_split(way->address, host, port, err);
    if (code == 0)
        code = find(host, port, 0, &info, err);
    if (code < 0)
        return code;
    mold_socket_t *s = calloc(1, sizeof *s);
    if (!s)
        code = tbus_fail(err, -ENOMEM, "no memory for the feed's line %s", way->address);
    if (code == 0) {
        s->fd = -1;
        s->connected = way->connected;
        s->silent_ns = way->silent_ns;
        code = name_senders(s, way->senders, err);
    }
    if (code == 0)
        code = prepare(s, err);
    if (code == 0)
        code = attach(s, way, info, err);
    freeaddrinfo(info);
    if (code == 0)
        *out_socket = s;
    else
        mold_socket_close(s);
    return code;
}

void mold_socket_close(mold_socket_t *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->data);
    free(s);
}

/* ---- receiving ---- */

static void count_drops(mold_socket_t *s, uint32_t drops)
{
    s->counts.kernel_drops += (uint32_t)(drops - s->drops_told);
    s->drops_told = drops;
}

/* The kernel says how many it had dropped when this one came; only where there were any. */
static void look_at_control(mold_socket_t *s, struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t drops;
            memcpy(&drops, CMSG_DATA(c), sizeof drops);
            count_drops(s, drops);
        }
}

/* As the kernel has written to it. */
static void restore_header(struct msghdr *header)
{
    header->msg_namelen = sizeof(struct sockaddr_storage);
    header->msg_controllen = CONTROL_BYTES;
    header->msg_flags = 0;
}

uint32_t mold_socket_receive(mold_socket_t *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        restore_header(&s->headers[i].msg_hdr);
    s->count = s->next = 0;
    int count = recvmmsg(s->fd, s->headers, MOLD_SOCKET_BATCH, MSG_DONTWAIT, NULL);
    if (count <= 0) {
        s->counts.errors += count < 0 && errno != EAGAIN && errno != EINTR;
        return 0;
    }
    s->count = (uint32_t)count;
    s->counts.datagrams += s->count;
    return s->count;
}

static bool is_admitted(mold_socket_t *s, const struct sockaddr_storage *name, uint64_t now_ns)
{
    if (s->connected) /* the kernel has seen to it */
        return true;
    for (uint32_t i = 0; i < s->senders_count; i++)
        if (same_host(&s->senders[i], name))
            return true;
    return !s->named && (s->senders_count == 0 || now_ns - s->heard_ns >= s->silent_ns);
}

bool mold_socket_next(mold_socket_t *s, uint64_t now_ns, const uint8_t **out_datagram,
                      size_t *out_bytes)
{
    while (s->next < s->count) {
        uint32_t i = s->next++;
        struct msghdr *header = &s->headers[i].msg_hdr;
        if (__builtin_expect(header->msg_controllen != 0, 0))
            look_at_control(s, header);
        if (__builtin_expect((header->msg_flags & MSG_TRUNC) != 0, 0)) {
            s->counts.cut++;
        } else if (__builtin_expect(!is_admitted(s, &s->names[i], now_ns), 0)) {
            s->counts.other_senders++;
        } else {
            s->handed = i;
            *out_datagram = s->pieces[i].iov_base;
            *out_bytes = s->headers[i].msg_len;
            return true;
        }
    }
    return false;
}

void mold_socket_heard(mold_socket_t *s, uint64_t now_ns)
{
    s->heard_ns = now_ns;
    if (s->named || s->connected ||
        (s->senders_count && same_host(&s->senders[0], &s->names[s->handed])))
        return;
    s->senders[0] = s->names[s->handed];
    s->senders_count = 1;
}

void mold_socket_look_at_drops(mold_socket_t *s)
{
    uint32_t values[SK_MEMINFO_VARS];
    socklen_t bytes = sizeof values;
    if (getsockopt(s->fd, SOL_SOCKET, SO_MEMINFO, values, &bytes) == 0 && bytes == sizeof values)
        count_drops(s, values[SK_MEMINFO_DROPS]);
}

bool mold_socket_send(mold_socket_t *s, const uint8_t *datagram, size_t bytes)
{
    ssize_t sent = send(s->fd, datagram, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == ECONNREFUSED) { /* the answer to an earlier one: nobody listened */
        s->counts.errors++;
        sent = send(s->fd, datagram, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return sent == (ssize_t)bytes;
}

void mold_socket_wait(mold_socket_t *const *sockets, uint32_t count, uint64_t ns)
{
    struct pollfd fds[8];
    struct timespec time = {.tv_sec = (time_t)(ns / SECOND_NS), .tv_nsec = (long)(ns % SECOND_NS)};
    for (uint32_t i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = sockets[i]->fd, .events = POLLIN};
    (void)ppoll(fds, count, &time, NULL);
}

const mold_socket_counts_t *mold_socket_counts(const mold_socket_t *s)
{
    return &s->counts;
}
