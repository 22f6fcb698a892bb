/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/mold/sender.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>

#include "feedsim/gateway/listen.h"
#include "feedsim/multicast.h"

#define GIVE_UP_NS   UINT64_C(20000000)
#define RECONNECT_NS UINT64_C(100000000)
/* ECONNREFUSED is the answer to an earlier packet. Others may come in meanwhile, though not for
 * ever. */
#define REFUSED_MAX 8u
/* Packets that are given up in one call: each has cost a system call, and thousands may wait. */
#define GIVEN_UP_MAX 64u

/* --- made --- */

static int set_option(int fd, int level, int option, int value, const char *name, tbus_error_t *err)
{
    if (setsockopt(fd, level, option, &value, sizeof value) == 0)
        return 0;
    int code = -errno;
    return tbus_fail(err, code, "cannot send MoldUDP64: %s=%d: %s", name, value,
                     tbus_strerror(code));
}

static int set_interface(const moldout_sender_t *s, const char *name, tbus_error_t *err)
{
    int index = (int)if_nametoindex(name);
    if (index == 0)
        return tbus_fail(err, -TBUS_ECONFIG, "mold.interface: there is no interface '%s' here",
                         name);
    if (s->to.ss_family == AF_INET6)
        return set_option(s->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, index, "IPV6_MULTICAST_IF", err);
    const struct ip_mreqn request = {.imr_ifindex = index};
    if (setsockopt(s->fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) == 0)
        return 0;
    int code = -errno;
    return tbus_fail(err, code, "cannot send MoldUDP64 on interface '%s': %s", name,
                     tbus_strerror(code));
}

static int set_multicast(const moldout_sender_t *s, const moldout_way_t *way, tbus_error_t *err)
{
    bool v6 = s->to.ss_family == AF_INET6;
    int code = v6 ? set_option(s->fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, (int)way->ttl,
                               "IPV6_MULTICAST_HOPS", err)
                  : set_option(s->fd, IPPROTO_IP, IP_MULTICAST_TTL, (int)way->ttl,
                               "IP_MULTICAST_TTL", err);
    if (code == 0)
        code = v6 ? set_option(s->fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, way->loopback,
                               "IPV6_MULTICAST_LOOP", err)
                  : set_option(s->fd, IPPROTO_IP, IP_MULTICAST_LOOP, way->loopback,
                               "IP_MULTICAST_LOOP", err);
    return code == 0 && *way->interface ? set_interface(s, way->interface, err) : code;
}

/* Connected, the kernel looks for the route once and not with every packet. A second time, the
 * address that packets come from is chosen anew. */
static bool connect_now(moldout_sender_t *s)
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    if (s->connected)
        (void)connect(s->fd, &none, sizeof none);
    s->connected = connect(s->fd, (const struct sockaddr *)&s->to, s->to_bytes) == 0;
    return s->connected;
}

static bool may_pass(int error)
{
    return error == ENETUNREACH || error == EHOSTUNREACH || error == ENETDOWN ||
           error == EADDRNOTAVAIL || error == EAGAIN;
}

static int set_up(moldout_sender_t *s, const moldout_way_t *way, tbus_error_t *err)
{
    int code = 0, bytes = (int)way->send_buffer_bytes;
    /* Beyond net.core.wmem_max only who may administer the network gets it; a smaller one does. */
    if (bytes && setsockopt(s->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        code = set_option(s->fd, SOL_SOCKET, SO_SNDBUF, bytes, "SO_SNDBUF", err);
    if (code == 0 && multicast_is_group((const struct sockaddr *)&s->to))
        code = set_multicast(s, way, err);
    if (code == 0 && !connect_now(s) && !may_pass(errno)) {
        code = -errno;
        tbus_fail(err, code, "cannot send MoldUDP64 to %s: %s", way->to, tbus_strerror(code));
    }
    return code;
}

int moldout_sender_create(const moldout_way_t *way, uint64_t totals[MOLDOUT_TOTALS_COUNT],
                          moldout_sender_t *out_sender, tbus_error_t *err)
{
    moldout_sender_t s = {.fd = -1, .totals = totals};
    struct addrinfo *info = NULL;
    tbus_error_t why = {0};
    int code = gateway_address_find(way->to, SOCK_DGRAM, &info, &why);
    if (code < 0)
        return tbus_fail(err, code, "cannot send MoldUDP64 to %s: %s", way->to, why.text);
    memcpy(&s.to, info->ai_addr, info->ai_addrlen);
    s.to_bytes = info->ai_addrlen;
    freeaddrinfo(info);
    s.fd = socket(s.to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s.fd < 0) {
        code = -errno;
        return tbus_fail(err, code, "no socket for MoldUDP64: %s", tbus_strerror(code));
    }
    code = set_up(&s, way, err);
    if (code < 0)
        moldout_sender_destroy(&s);
    else
        *out_sender = s;
    return code;
}

void moldout_sender_destroy(moldout_sender_t *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

/* --- sending --- */

/* What the kernel says of a packet, and what that means for it. */
enum outcome {
    AGAIN,  /* send it again at once */
    ANSWER, /* that is what the network says of an earlier one: the same */
    FULL,   /* there is no room now: a little later */
    NO_WAY, /* the network cannot be reached, which may pass: not this one */
    NEVER   /* this one cannot be sent, whenever */
};

static enum outcome outcome_of(int error)
{
    switch (error) {
    case EINTR:
        return AGAIN;
    case ECONNREFUSED:
        return ANSWER;
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
        return FULL;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
        return NO_WAY;
    default: /* EMSGSIZE; EPERM, EACCES of a packet filter, which may let others pass */
        return NEVER;
    }
}

/* The first packet that waits is not sent. It is kept, and can be requested. */
static void give_up(moldout_sender_t *s, moldout_packets_t *packets, int error)
{
    const moldout_packet_t *packet = moldout_packet(packets, packets->sent++);
    s->totals[MOLDOUT_TOTAL_unsent]++;
    s->totals[MOLDOUT_TOTAL_unsent_messages] += packet->count;
    s->totals[MOLDOUT_TOTAL_too_large] += error == EMSGSIZE;
    s->error_seq = packet->first_seq;
    s->error_bytes = packet->bytes;
}

static void count_sent(moldout_sender_t *s, moldout_packets_t *packets, uint32_t count)
{
    uint64_t messages = 0, bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const moldout_packet_t *packet = moldout_packet(packets, packets->sent + i);
        messages += packet->count;
        bytes += packet->bytes;
    }
    packets->sent += count;
    s->totals[MOLDOUT_TOTAL_packets] += count;
    s->totals[MOLDOUT_TOTAL_messages] += messages;
    s->totals[MOLDOUT_TOTAL_bytes] += bytes;
    s->blocked_ns = 0;
}

/* There is no room. True: it has lasted too long, and lasts until one was sent. */
static bool blocked_too_long(moldout_sender_t *s, uint64_t now_ns)
{
    s->totals[MOLDOUT_TOTAL_blocked]++;
    if (!s->blocked_ns)
        s->blocked_ns = now_ns;
    return now_ns - s->blocked_ns > GIVE_UP_NS;
}

/* Now and then, when there was no way out: a route may have come back, or another one. */
static void find_way(moldout_sender_t *s, uint64_t now_ns)
{
    if (now_ns < s->reconnect_ns)
        return;
    s->reconnect_ns = now_ns + RECONNECT_NS;
    (void)connect_now(s);
}

/* While it is not connected, the kernel looks for the way of each packet. */
static struct msghdr header_of(moldout_sender_t *s, struct iovec *part)
{
    return (struct msghdr){.msg_name = s->connected ? NULL : &s->to,
                           .msg_namelen = s->connected ? 0 : s->to_bytes,
                           .msg_iov = part,
                           .msg_iovlen = 1};
}

/* How many were taken; 0: errno is what the kernel says of the first one. */
static uint32_t send_batch(moldout_sender_t *s, const moldout_packets_t *packets)
{
    struct mmsghdr headers[MOLDOUT_BATCH];
    struct iovec parts[MOLDOUT_BATCH];
    uint32_t count = 0;
    for (uint64_t n = packets->sent; n < packets->sealed && count < MOLDOUT_BATCH; n++, count++) {
        parts[count] = (struct iovec){.iov_base = (void *)moldout_packet_data(packets, n),
                                      .iov_len = moldout_packet(packets, n)->bytes};
        headers[count] = (struct mmsghdr){.msg_hdr = header_of(s, &parts[count])};
    }
    int taken = sendmmsg(s->fd, headers, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    return taken < 0 ? 0 : (uint32_t)taken;
}

/* The first packet was not taken. False: there is no room, and it stays the first. */
static bool bear(moldout_sender_t *s, moldout_packets_t *packets, int error, uint32_t *refused,
                 uint64_t now_ns)
{
    switch (outcome_of(error)) {
    case AGAIN:
        return true;
    case ANSWER:
        s->totals[MOLDOUT_TOTAL_refused]++;
        if ((*refused)++ < REFUSED_MAX)
            return true;
        break;
    case FULL:
        if (!blocked_too_long(s, now_ns))
            return false;
        break;
    case NO_WAY:
        find_way(s, now_ns);
        break;
    case NEVER:
        break;
    }
    give_up(s, packets, error);
    *refused = 0;
    return true;
}

uint32_t moldout_sender_flush(moldout_sender_t *s, moldout_packets_t *packets, uint64_t now_ns)
{
    const uint64_t before = packets->sent, unsent = s->totals[MOLDOUT_TOTAL_unsent];
    uint32_t refused = 0;
    int error = 0; /* of the packet that was given up last */
    bool room = true;
    if (!s->connected)
        find_way(s, now_ns);
    while (room && moldout_packets_waiting(packets) &&
           s->totals[MOLDOUT_TOTAL_unsent] - unsent < GIVEN_UP_MAX) {
        uint64_t unsent_before = s->totals[MOLDOUT_TOTAL_unsent];
        uint32_t taken = send_batch(s, packets);
        int code = taken ? 0 : errno;
        if (taken) {
            count_sent(s, packets, taken);
            refused = 0;
        } else {
            room = bear(s, packets, code, &refused, now_ns);
        }
        if (s->totals[MOLDOUT_TOTAL_unsent] != unsent_before)
            error = code;
    }
    if (packets->sent != before)
        s->error = error;
    return (uint32_t)(packets->sent - before);
}

bool moldout_sender_put(moldout_sender_t *s, const uint8_t *datagram, size_t bytes, uint64_t seq,
                        uint64_t now_ns)
{
    struct iovec part = {.iov_base = (void *)datagram, .iov_len = bytes};
    if (!s->connected)
        find_way(s, now_ns);
    for (uint32_t turn = 0;; turn++) {
        struct mmsghdr header = {.msg_hdr = header_of(s, &part)};
        if (sendmmsg(s->fd, &header, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
            return true;
        int error = errno;
        enum outcome outcome = outcome_of(error);
        s->totals[MOLDOUT_TOTAL_refused] += outcome == ANSWER;
        if ((outcome == AGAIN || outcome == ANSWER) && turn < REFUSED_MAX)
            continue;
        if (outcome == NO_WAY)
            find_way(s, now_ns);
        s->totals[MOLDOUT_TOTAL_too_large] += error == EMSGSIZE;
        s->error = error;
        s->error_seq = seq;
        s->error_bytes = (uint32_t)bytes;
        return false;
    }
}
