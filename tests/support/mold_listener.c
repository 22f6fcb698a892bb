/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/mold_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES (64 << 20)

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "MoldUDP64 listener: %s\n", what);
    abort();
}

static void open_at(mold_listener_t *l, uint32_t address, uint16_t port)
{
    int bytes = BUFFER_BYTES, on = 1;
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(address)}};
    socklen_t length = sizeof at;
    *l = (mold_listener_t){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    must(l->fd >= 0, "no socket");
    if (setsockopt(l->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    must(bind(l->fd, (struct sockaddr *)&at, sizeof at) == 0, "no port");
    must(getsockname(l->fd, (struct sockaddr *)&at, &length) == 0, "no name");
    l->port = ntohs(at.sin_port);
}

void mold_listener_open(mold_listener_t *l)
{
    open_at(l, INADDR_LOOPBACK, 0);
}

void mold_listener_join(mold_listener_t *l, const char *group, uint16_t port)
{
    struct ip_mreqn request = {.imr_address = {htonl(INADDR_LOOPBACK)}};
    must(inet_pton(AF_INET, group, &request.imr_multiaddr) == 1, "no group");
    open_at(l, ntohl(request.imr_multiaddr.s_addr), port);
    must(setsockopt(l->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0,
         "cannot join the group");
}

void mold_listener_close(mold_listener_t *l)
{
    for (uint64_t i = 0; i < l->room; i++)
        free(l->message[i]);
    free(l->message);
    if (l->fd >= 0)
        close(l->fd);
    *l = (mold_listener_t){.fd = -1};
}

static void make_room(mold_listener_t *l, uint64_t seq)
{
    if (seq < l->room)
        return;
    uint64_t room = seq + seq / 2 + 1024;
    l->message = realloc(l->message, room * sizeof *l->message);
    must(l->message != NULL, "no memory");
    memset(l->message + l->room, 0, (room - l->room) * sizeof *l->message);
    l->room = room;
}

static void keep(mold_listener_t *l, uint64_t seq, const uint8_t *block, size_t bytes)
{
    make_room(l, seq);
    if (l->message[seq]) {
        must(memcmp(l->message[seq], block, bytes) == 0, "a sequence came twice and differs");
        l->copies++;
        return;
    }
    l->message[seq] = malloc(bytes);
    must(l->message[seq] != NULL, "no memory");
    memcpy(l->message[seq], block, bytes);
    l->messages++;
}

static void take_packet(mold_listener_t *l, const uint8_t *datagram, size_t bytes)
{
    mold_packet_t p;
    must(mold_parse(datagram, bytes, &p) == MOLD_GOOD, "a packet is malformed");
    if (!l->has_session)
        memcpy(l->session, p.session, sizeof l->session);
    l->has_session = true;
    must(memcmp(l->session, p.session, sizeof l->session) == 0, "a packet of another session");
    l->heartbeats += p.kind == MOLD_HEARTBEAT;
    l->ends += p.kind == MOLD_END;
    l->packets += p.kind == MOLD_DATA;
    l->bytes_max = bytes > l->bytes_max ? bytes : l->bytes_max;
    const uint8_t *at = p.blocks;
    for (uint64_t seq = p.sequence; seq < p.sequence + p.count; seq++) {
        const uint8_t *message, *block = at;
        size_t length;
        at = mold_next(at, &message, &length);
        keep(l, seq, block, MOLD_LENGTH_BYTES + length);
    }
    l->next = p.sequence + p.count > l->next ? p.sequence + p.count : l->next;
}

unsigned mold_listener_take(mold_listener_t *l)
{
    static _Thread_local uint8_t datagram[65536];
    unsigned count = 0;
    ssize_t bytes;
    for (; (bytes = recv(l->fd, datagram, sizeof datagram, MSG_DONTWAIT)) >= 0; count++)
        take_packet(l, datagram, (size_t)bytes);
    return count;
}

uint64_t mold_listener_missing(const mold_listener_t *l, uint64_t from)
{
    for (uint64_t seq = from; seq < l->next; seq++)
        if (seq >= l->room || !l->message[seq])
            return seq;
    return 0;
}

void mold_listener_ask(const mold_listener_t *l, uint16_t port, uint64_t seq, uint16_t count)
{
    uint8_t request[MOLD_HEADER_BYTES];
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    mold_put_header(request, l->session, seq, count);
    (void)sendto(l->fd, request, sizeof request, 0, (struct sockaddr *)&to, sizeof to);
}

uint8_t *mold_listener_file(const mold_listener_t *l, size_t *out_bytes)
{
    size_t bytes = 0, length;
    const uint8_t *message;
    for (uint64_t seq = 1; seq < l->room; seq++)
        if (l->message[seq])
            bytes += (size_t)(mold_next(l->message[seq], &message, &length) - l->message[seq]);
    uint8_t *file = malloc(bytes + 1), *to = file;
    must(file != NULL, "no memory");
    for (uint64_t seq = 1; seq < l->room; seq++)
        if (l->message[seq])
            to = mempcpy(to, l->message[seq],
                         (size_t)(mold_next(l->message[seq], &message, &length) - l->message[seq]));
    *out_bytes = bytes;
    return file;
}
