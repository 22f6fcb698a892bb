/* SPDX-License-Identifier: Apache-2.0 */
/* soup_client.h - the client's side of one SoupBinTCP connection, as a state machine: bytes and
 * times go in, events come out. It has no socket, no clock and no buffer.
 *
 *                ACCEPTED                END, FAULT
 *    LOGGING_IN ----------> OPEN ------------------------> CLOSED
 *         |  REJECTED, END, FAULT                            ^
 *         +--------------------------------------------------+
 *
 * The caller keeps what it has received in a buffer of SOUP_PACKET_MAX bytes or more and offers all
 * of it; one packet is taken at a time, when it is whole, so that each message is handed out in one
 * piece, in place. When nothing is taken the caller moves the rest to the front of its buffer and
 * reads on. How the bytes are cut makes no difference.
 *
 *    soup_client_begin(&c, NULL, now);  send soup_put_login(...)
 *    soup_client_heard(&c, now);                              after every read of some bytes
 *    while ((used = soup_client_take(&c, at, end - at, &event))) {
 *        at += used;
 *        switch (event.kind) ...
 *    }
 *    switch (soup_client_due(&c, now)) ...                    and again at soup_client_deadline(&c)
 *
 * It does not reconnect: who wants to go on after the connection is lost begins anew with the
 * session and with soup_client_t.next (bus/include/tickbus/soup.h does).
 *
 * A server that sends heartbeats or debug packets before its answer to the login is borne with.
 * Times are nanoseconds of one monotonic clock. One thread. Stands on bus/wire/soup.h; the peer is
 * bus/wire/soup_server.h.
 */
#ifndef TICKBUS_WIRE_SOUP_CLIENT_H
#define TICKBUS_WIRE_SOUP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "bus/wire/soup.h"

#ifdef __cplusplus
extern "C" {
#endif

enum soup_client_state {
    SOUP_CLIENT_LOGGING_IN = 0, /* the login is on its way */
    SOUP_CLIENT_OPEN,
    SOUP_CLIENT_CLOSED
};

enum soup_client_event_kind {
    SOUP_CLIENT_NOTHING = 0, /* a heartbeat was taken; or nothing: the packet is not whole yet */
    SOUP_CLIENT_ACCEPTED,    /* `accepted` */
    SOUP_CLIENT_REJECTED,    /* `reason` */
    SOUP_CLIENT_MESSAGE,     /* `sequence`, `data` */
    SOUP_CLIENT_UNSEQUENCED, /* `data`: no part of the sequence */
    SOUP_CLIENT_TEXT,        /* `data`: a debug packet; any bytes, not terminated */
    SOUP_CLIENT_END,         /* the session is over; `sequence` is one more than that of the last */
    SOUP_CLIENT_FAULT        /* the server breaks the protocol: close */
};

enum soup_client_due {
    SOUP_CLIENT_DUE_NOTHING = 0,
    SOUP_CLIENT_DUE_HEARTBEAT, /* send one (soup_put_header, SOUP_CLIENT_HEARTBEAT) and say so */
    SOUP_CLIENT_DUE_NO_ANSWER, /* to the login, in time: close */
    SOUP_CLIENT_DUE_DEAD       /* nothing was heard of the server for too long: close */
};

typedef struct soup_client_event {
    enum soup_client_event_kind kind;
    char reason;
    uint64_t sequence;
    const uint8_t *data; /* in the caller's buffer */
    size_t bytes;        /* of data */
    soup_accepted_t accepted;
    const char *fault; /* FAULT: half a sentence, static */
} soup_client_event_t;

typedef struct soup_client {
    soup_times_t times;
    uint64_t began_ns;
    uint64_t heard_ns;
    uint64_t sent_ns;
    uint64_t next; /* OPEN: the sequence of the next message */
    enum soup_client_state state;
} soup_client_t;

/* The login request is about to be sent. `times` NULL: SOUP_TIMES with login_ns as dead_ns. */
void soup_client_begin(soup_client_t *c, const soup_times_t *times, uint64_t now_ns);

/* Take one packet from the front of `bytes`, when all of it is there. Returns how many bytes it
 * had; 0: not whole yet, or the state was CLOSED, or event FAULT (seen as early as its bytes allow;
 * final). Hot: no system call, no copy of data. */
size_t soup_client_take(soup_client_t *c, const uint8_t *bytes, size_t count,
                        soup_client_event_t *out_event);

/* Bytes have come from the server. */
static inline void soup_client_heard(soup_client_t *c, uint64_t now_ns)
{
    c->heard_ns = now_ns;
}

/* Bytes were given to the kernel. */
static inline void soup_client_sent(soup_client_t *c, uint64_t now_ns)
{
    c->sent_ns = now_ns;
}

/* What is to be done at that time. */
enum soup_client_due soup_client_due(const soup_client_t *c, uint64_t now_ns);

/* When something will be due if nothing else happens; UINT64_MAX: never. It is due from this
 * nanosecond on, and not before. */
uint64_t soup_client_deadline(const soup_client_t *c);

#ifdef __cplusplus
}
#endif
#endif
