/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_stand.h - what benches of the gateway share: a bus with a gateway on it, and clients that
 * read whatever comes and throw it away.
 *
 * The sender is pinned to one CPU and its clients, a thread, to another. Messages are 36 bytes of
 * ITCH, 39 on the wire. Nothing here fails: it exits with the reason.
 */
#ifndef TICKBUS_BENCH_GATEWAY_STAND_H
#define TICKBUS_BENCH_GATEWAY_STAND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <tickbus/publisher.h>

#include "feedsim/gateway/server.h"

#define CLIENTS_MAX   1000u
#define MESSAGE_BYTES 36u
#define WIRE_BYTES    39u
#define SEND_BUFFER   262144u

/* Bind the calling thread; where there is one CPU only both sides share it. */
void stand_pin(unsigned cpu);

/* As many descriptors as clients on both sides need, as far as this process may have them. */
void stand_allow_clients(void);

typedef struct stand {
    tbus_bus_t bus;
    tbus_publisher_t out;
    gateway_server_t *server;
    tick_t tick;
    uint64_t published;
} stand_t;

/* What all gateways here are made with; memory and readers are the least there may be. */
gateway_options_t stand_options(enum gateway_io io);
/* A bus with md, and no gateway; tbus_bus_close. */
void stand_open_bus(stand_t *s);
/* A gateway that holds `messages` messages ready to be sent, or more. */
void stand_open(stand_t *s, enum gateway_io io, uint64_t messages);
void stand_close(stand_t *s);
void stand_publish(stand_t *s, uint64_t count);
/* What gateway_server_turn returns. */
int stand_turn(stand_t *s);

typedef struct readers {
    pthread_t thread;
    uint16_t port;
    unsigned count;
    uint64_t bytes; /* that each is to get, or more */
    /* what each sends when it is connected; NULL: nothing */
    const void *hello;
    size_t hello_bytes;
    /* Clients of a gateway, each from a place of its own: in place of the hello client i logs in
     * for message 1 + i * apart, and closes when it has its bytes. 0: none of that. */
    uint64_t apart;
    /* what it then waits for, before it counts bytes; NULL: nothing */
    const char *welcome;
    /* and sends then; NULL: nothing */
    const void *request;
    size_t request_bytes;
    tbus_atomic_u32_t ready; /* clients that are connected and welcome */
    tbus_atomic_u32_t done;  /* clients that have their bytes */
    tbus_atomic_u32_t ends;
} readers_t;

/* A connection to that port of this host. */
int stand_connect(uint16_t port);
/* The hello of a client of a gateway: a login for that sequence. Returns its bytes. */
#define STAND_LOGIN_MAX 64u
size_t stand_login(uint8_t out_packet[STAND_LOGIN_MAX], uint64_t sequence);

void readers_start(readers_t *r);
bool readers_done(const readers_t *r);
/* Their thread, which has stayed for those who ask for its time, ends; all had their bytes. */
void readers_join(readers_t *r);

#endif
