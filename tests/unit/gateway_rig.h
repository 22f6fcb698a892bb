/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_rig.h - a gateway over a bus that is made here and recorded if the test likes, and
 * clients of it over real sockets, all in one thread: rig_turn has everybody do what there is to
 * do. */
#ifndef TICKBUS_TESTS_UNIT_GATEWAY_RIG_H
#define TICKBUS_TESTS_UNIT_GATEWAY_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <tickbus/clock.h>
#include <tickbus/publisher.h>

#include "bus/journal/recorder.h"
#include "bus/wire/soup_client.h"
#include "feedsim/gateway/server.h"
#include "feedsim/itch/itch.h"
#include "tests/support/program.h"
#include "tests/support/ring_fixture.h"
#include "tests/support/ticks.h"

#define RIG_SLOTS   256u
#define RIG_CLIENTS 64u
#define RIG_SESSION "ABCDEFGHIJ"

/* How the gateway waits and sends: each test is run with both ways. */
static enum gateway_io rig_io = GATEWAY_IO_EPOLL;

typedef struct rig_client {
    int fd; /* -1: none */
    soup_client_t soup;
    uint64_t first; /* sequence of the first message */
    uint64_t next;  /* of the next one */
    uint64_t messages;
    bool accepted;
    char rejected; /* reason; 0: it was not */
    bool over;     /* End of Session came */
    bool eof;      /* the server has closed */
    bool broken;   /* RST */
    bool stopped;  /* does not read */
    unsigned offers;
    unsigned heartbeats;
    size_t read_bytes;
    uint64_t accepted_seq;
    char session[SOUP_SESSION_BYTES + 1];
    char text[256]; /* of the last debug packet that is no offer */
    size_t limit;   /* bytes to be read at a turn; 0: all */
    size_t held;
    uint8_t buffer[2 * SOUP_PACKET_MAX];
} rig_client_t;

typedef struct rig {
    char root[SCRATCH_PATH_MAX];
    char journal[128];
    tbus_bus_t bus;
    tbus_publisher_t out;
    tbus_stage_t *recorder; /* NULL: none */
    uint64_t next;          /* sequence to be published */
    gateway_options_t options;
    gateway_board_t *board;
    gateway_server_t *server; /* NULL: none */
    rig_client_t *clients;    /* RIG_CLIENTS */
    bool is_big;              /* each message has some hundred bytes */
} rig_t;

/* Message `seq` as the feed gives it, and on the wire. */
static inline size_t rig_message(const rig_t *r, uint64_t seq, uint8_t out[1024])
{
    static const uint8_t types[] = {'A', 'E', 'X', 'D', 'U', 'P', 'S', 'I', 'F', 'H'};
    uint8_t type = r->is_big ? 'z' : types[seq % sizeof types];
    size_t bytes = r->is_big ? 900 : itch_length(type);
    out[0] = type;
    for (size_t i = 1; i < bytes; i++)
        out[i] = (uint8_t)(seq >> (i % 7) ^ i);
    return bytes;
}

static inline void rig_record(rig_t *r)
{
    if (!r->recorder)
        return;
    do
        must(r->recorder->ops->poll(r->recorder, 1024) >= 0);
    while (r->recorder->stalled);
}

static inline void rig_publish(rig_t *r, uint64_t count)
{
    uint8_t message[1024];
    static _Alignas(8) uint8_t buffer[2048];
    tick_t *tick = (tick_t *)buffer;
    for (uint64_t until = r->next + count; r->next < until; r->next++) {
        size_t bytes;
        must(itch_decode(message, rig_message(r, r->next, message), tick, &bytes) == 0);
        while (tbus_publish_try(&r->out, tick, bytes) != TBUS_PUBLISHED)
            rig_record(r);
    }
    tbus_publisher_flush(&r->out);
    rig_record(r);
}

static inline int rig_start_server_of(rig_t *r, tbus_bus_t *bus, bool journal, tbus_error_t *err)
{
    int code = gateway_server_create(bus, journal ? r->journal : NULL, &r->options, r->board,
                                     &r->server, err);
    if (code == 0)
        code = gateway_server_start(r->server, RIG_SESSION, err);
    return code;
}

static inline void rig_start_server(rig_t *r)
{
    tbus_error_t err = {0};
    test_succeed(rig_start_server_of(r, &r->bus, r->recorder != NULL, &err), "gateway", &err);
    must(strcmp(gateway_server_remark(r->server), "") == 0);
}

static inline void rig_stop_server(rig_t *r)
{
    gateway_server_destroy(r->server);
    r->server = NULL;
}

static inline void rig_create(rig_t *r, bool recorded)
{
    static const char address[] = "127.0.0.1:0";
    tbus_ring_spec_t spec = {.name = "md",
                             .kind = TBUS_BROADCAST,
                             .slot_bytes = 64,
                             .slot_count = RIG_SLOTS,
                             .msg_bytes_max = 1024,
                             .first_seq = 1};
    memset(r, 0, sizeof *r);
    scratch_create(r->root);
    snprintf(r->journal, sizeof r->journal, "%s/journal", r->root);
    must(tbus_bus_create("gateway", &r->bus, NULL) == 0);
    must(tbus_bus_add_topic(&r->bus, &spec, "tick", TBUS_PAGES_SMALL, -1, NULL) == 0);
    if (recorded) {
        recorder_params_t params = {.directory = r->journal, .segment_bytes = 1 << 20};
        must(tbus_ring_reserve(&r->bus.rings[0], TBUS_RECORDER_NAME, TBUS_FOLLOWER, NULL) >= 0);
        int owner = tbus_participant_add(&r->bus, "recorder", NULL);
        must(tbus_recorder_create(&r->bus, (uint32_t)owner, &params, &r->recorder, NULL) == 0);
    }
    must(tbus_publisher_join(&r->bus.rings[0], 7, &r->out, NULL) == 0);
    r->next = 1;
    r->board = calloc(1, sizeof *r->board);
    r->clients = calloc(RIG_CLIENTS, sizeof *r->clients);
    must(r->board && r->clients);
    for (unsigned i = 0; i < RIG_CLIENTS; i++)
        r->clients[i].fd = -1;
    r->options = (gateway_options_t){.channels_count = 1,
                                     .channels = {{"md", address}},
                                     .io = rig_io,
                                     .window_bytes = 1,
                                     .backfill_bytes = 1,
                                     .backfill_readers = 2,
                                     .send_buffer_bytes = 8192,
                                     .sessions_max = RIG_CLIENTS,
                                     .logins_max = RIG_CLIENTS,
                                     .linger_ns = UINT64_C(5000000000),
                                     .times = SOUP_TIMES};
}

static inline void rig_stop_recorder(rig_t *r)
{
    if (!r->recorder)
        return;
    must(r->recorder->ops->finish(r->recorder) == 0);
    r->recorder->ops->destroy(r->recorder);
    r->recorder = NULL;
}

static inline void rig_destroy(rig_t *r)
{
    for (unsigned i = 0; i < RIG_CLIENTS; i++)
        if (r->clients[i].fd >= 0)
            close(r->clients[i].fd);
    rig_stop_server(r);
    rig_stop_recorder(r);
    tbus_bus_close(&r->bus);
    scratch_remove(r->root);
    free(r->clients);
    free(r->board);
}

/* Can io_uring be had here? */
static inline bool rig_has_uring(void)
{
    gateway_net_t *net;
    const gateway_net_events_t events = {0};
    bool has = gateway_net_create(GATEWAY_IO_URING, 1, &events, &net, NULL) == 0;
    if (has)
        gateway_net_destroy(net);
    return has;
}

/* --- clients --- */

/* Connected, and nothing sent. */
static inline rig_client_t *rig_connect(rig_t *r, unsigned index)
{
    rig_client_t *c = &r->clients[index];

    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(gateway_server_port(r->server, 0)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (c->fd >= 0)
        close(c->fd);
    memset(c, 0, offsetof(rig_client_t, buffer));
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &(int){8192}, sizeof(int)) == 0);
    must(connect(c->fd, (struct sockaddr *)&address, sizeof address) == 0);
    must(fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0);
    return c;
}

static inline void rig_send(rig_client_t *c, const void *bytes, size_t count)
{
    must(send(c->fd, bytes, count, MSG_NOSIGNAL) == (ssize_t)count);
}

static inline rig_client_t *rig_log_in(rig_t *r, unsigned index, const soup_login_t *login)
{
    uint8_t packet[SOUP_LOGIN_410_BYTES];
    rig_client_t *c = rig_connect(r, index);
    soup_client_begin(&c->soup, NULL, tbus_clock_ns());
    rig_send(c, packet, soup_put_login(packet, login));
    return c;
}

/* From `seq` of the session at hand. */
static inline rig_client_t *rig_subscribe(rig_t *r, unsigned index, uint64_t seq)
{
    soup_login_t login = {.user = "u", .sequence = seq};
    return rig_log_in(r, index, &login);
}

static inline void rig_take(const rig_t *r, rig_client_t *c, const soup_client_event_t *event)
{
    uint8_t message[1024];
    switch (event->kind) {
    case SOUP_CLIENT_ACCEPTED:
        c->accepted = true;
        c->accepted_seq = c->next = c->first = event->accepted.sequence;
        snprintf(c->session, sizeof c->session, "%s", event->accepted.session);
        break;
    case SOUP_CLIENT_REJECTED:
        c->rejected = event->reason;
        break;
    case SOUP_CLIENT_MESSAGE: {
        size_t bytes = rig_message(r, event->sequence, message);
        must(event->sequence == c->next++);
        must(event->bytes == bytes && memcmp(event->data, message, bytes) == 0);
        c->messages++;
        break;
    }
    case SOUP_CLIENT_TEXT:
        if (event->bytes > 14 && memcmp(event->data, "tickbus digest", 14) == 0)
            c->offers++;
        else
            snprintf(c->text, sizeof c->text, "%.*s", (int)event->bytes, event->data);
        break;
    case SOUP_CLIENT_END:
        c->over = true;
        break;
    default: /* the only packet of a server of which nothing is told */
        must(event->kind == SOUP_CLIENT_NOTHING);
        c->heartbeats++;
    }
}

/* Read what has come, and check it: each message is the one that comes next. */
static inline void rig_read(const rig_t *r, rig_client_t *c)
{
    while (c->fd >= 0 && !c->eof && !c->stopped) {
        size_t room = sizeof c->buffer - c->held;
        size_t limit = c->limit && c->limit < room ? c->limit : room;
        ssize_t got = recv(c->fd, c->buffer + c->held, limit, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            return;
        c->eof = got <= 0;
        c->broken = got < 0;
        c->held += got > 0 ? (size_t)got : 0;
        c->read_bytes += got > 0 ? (size_t)got : 0;
        soup_client_event_t event;
        size_t at = 0, used;
        while ((used = soup_client_take(&c->soup, c->buffer + at, c->held - at, &event)) > 0) {
            at += used;
            rig_take(r, c, &event);
        }
        must(event.kind != SOUP_CLIENT_FAULT);
        memmove(c->buffer, c->buffer + at, c->held - at);
        c->held -= at;
        if (c->eof) {
            close(c->fd);
            c->fd = -1;
        }
        if (c->limit)
            return;
    }
}

/* Everybody once. */
static inline void rig_turn(rig_t *r)
{
    tbus_error_t err = {0};
    rig_record(r);
    if (r->server) {
        int done = gateway_server_turn(r->server, 64, &err);
        test_succeed(done, "turn", &err);
        if (!done)
            gateway_server_sleep(r->server, tbus_clock_ns() + 100000);
    }
    for (unsigned i = 0; i < RIG_CLIENTS; i++)
        rig_read(r, &r->clients[i]);
}

/* As that user, from 1 on: 'Y', or why not. */
static inline char rig_log_in_as(rig_t *r, unsigned index, const char *user, const char *password)
{
    soup_login_t login = {.sequence = 1};
    snprintf(login.user, sizeof login.user, "%s", user);
    snprintf(login.password, sizeof login.password, "%s", password);
    rig_client_t *c = rig_log_in(r, index, &login);
    while (!c->accepted && !c->rejected)
        rig_turn(r);
    return c->accepted ? 'Y' : c->rejected;
}

/* Until the client has all that was published. */
static inline void rig_until_complete(rig_t *r, const rig_client_t *c)
{
    while (!c->accepted || c->next < r->next) {
        must(!c->eof);
        rig_turn(r);
    }
}

static inline void rig_until_closed(rig_t *r, const rig_client_t *c)
{
    while (!c->eof)
        rig_turn(r);
}

#endif
