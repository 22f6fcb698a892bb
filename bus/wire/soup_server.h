/* SPDX-License-Identifier: Apache-2.0 */
/* soup_server.h - the server's side of one SoupBinTCP session, as a state machine: bytes and times
 * go in, events come out. It has no socket and no clock; whoever owns both asks it what to do.
 *
 *             LOGIN event          soup_server_accept
 *    WAITING ------------> DECIDING ----------------> OPEN
 *       |                     |                        |
 *       | FAULT event         | soup_server_reject,    | LOGOUT event, FAULT event,
 *       |                     | FAULT event            | soup_server_end
 *       +---------------------+------------------------+---------------> ENDING
 *
 * How the bytes are cut makes no difference: the same bytes give the same events, at the same byte.
 * Of what the client sends, at most one login (54 bytes) is ever held; unsequenced data and debug
 * packets, which may have 64 KiB, are counted and dropped.
 *
 * Nothing but a Login Rejected is sent before the Login Accepted, which clients rely on; heartbeats
 * and debug packets are held back until then. In ENDING nothing is sent any more (except a Login
 * Rejected after a fault before the login): send what is on its way, shut the sending side down,
 * and read on until the client closes. Closing over unread bytes would send a RST, and the client
 * would lose what it has not read yet. Bytes that come in ENDING are dropped.
 *
 *    for (size_t used = 0; used < count;) {
 *        used += soup_server_take(&s, bytes + used, count - used, now, &event);
 *        switch (event.kind) ...
 *    }
 *    switch (soup_server_due(&s, now)) ...                and again at soup_server_deadline(&s)
 *
 * Times are nanoseconds of one monotonic clock. Under 200 bytes, no pointer: it may be copied. One
 * thread. Stands on bus/wire/soup.h; the peer is bus/wire/soup_client.h.
 */
#ifndef TICKBUS_WIRE_SOUP_SERVER_H
#define TICKBUS_WIRE_SOUP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/wire/soup.h"

#ifdef __cplusplus
extern "C" {
#endif

enum soup_server_state {
    SOUP_SERVER_WAITING = 0, /* for the login */
    SOUP_SERVER_DECIDING,    /* about the login: accept or reject */
    SOUP_SERVER_OPEN,        /* the session */
    SOUP_SERVER_ENDING       /* until the client has closed */
};

enum soup_server_event_kind {
    SOUP_SERVER_NOTHING = 0, /* all bytes were taken */
    SOUP_SERVER_LOGIN,       /* `login` is filled: accept or reject it, now or later */
    SOUP_SERVER_LOGOUT,      /* the client is done: shut down, read on, close */
    SOUP_SERVER_FAULT        /* the client breaks the protocol, see `fault`: likewise */
};

enum soup_server_fault {
    SOUP_FAULT_NONE = 0,
    SOUP_FAULT_LENGTH,       /* a length of 0, or one that the type does not have */
    SOUP_FAULT_TYPE,         /* an unknown type, or one that only a server sends */
    SOUP_FAULT_BEFORE_LOGIN, /* anything but a login or a debug packet before the login */
    SOUP_FAULT_SECOND_LOGIN,
    SOUP_FAULT_LOGIN_FIELDS /* a login whose fields are no ASCII or no numbers */
};

enum soup_server_due {
    SOUP_DUE_NOTHING = 0,
    SOUP_DUE_HEARTBEAT,  /* send one (soup_put_header, SOUP_SERVER_HEARTBEAT) and say so */
    SOUP_DUE_LOGIN_LATE, /* no login in time: close */
    SOUP_DUE_DEAD,       /* nothing was heard of the client for too long: close */
    SOUP_DUE_CLOSE       /* in ENDING: the client has not closed in time; close */
};

typedef struct soup_server_event {
    enum soup_server_event_kind kind;
    enum soup_server_fault fault; /* SOUP_SERVER_FAULT */
    soup_login_t login;           /* SOUP_SERVER_LOGIN; wipe the password when it was checked */
} soup_server_event_t;

typedef struct soup_server {
    soup_times_t times;
    uint64_t since_ns; /* WAITING: of the connection; ENDING: of the end */
    uint64_t heard_ns;
    uint64_t sent_ns;
    uint32_t skip; /* bytes of a payload that are still to be dropped */
    uint8_t state; /* enum soup_server_state */
    uint8_t held_bytes;
    bool answered; /* a Login Accepted or Rejected was put */
    bool blocked;
    uint8_t held[SOUP_LOGIN_410_BYTES];
} soup_server_t;

/* A client has just connected. `times` NULL: SOUP_TIMES. */
void soup_server_begin(soup_server_t *s, const soup_times_t *times, uint64_t now_ns);

static inline enum soup_server_state soup_server_state(const soup_server_t *s)
{
    return (enum soup_server_state)s->state;
}

/* Take what the client sent, up to the first event. Returns how many bytes were taken: all, or
 * those up to and with the event's last one; call again with the rest. After LOGOUT and FAULT the
 * state is ENDING. Cold. */
size_t soup_server_take(soup_server_t *s, const uint8_t *bytes, size_t count, uint64_t now_ns,
                        soup_server_event_t *out_event);

/* Requires DECIDING. Write the Login Accepted, which is to be sent before anything else, and by
 * itself: Wireshark 4.0 loses a packet that begins in the same TCP segment and ends in the next,
 * and shows nonsense from there on. The state is OPEN. A heartbeat timeout that the login asked for
 * (4.10) lengthens the time until the client is dead, and never shortens it. Returns the bytes put.
 */
size_t soup_server_accept(soup_server_t *s, const soup_accepted_t *accepted, uint64_t now_ns,
                          uint8_t to[SOUP_ACCEPTED_BYTES]);

/* Write a Login Rejected; the state is ENDING. In place of accept, and in ENDING after a fault
 * before the answer to a login. Returns the bytes put; 0: an answer was given before. */
size_t soup_server_reject(soup_server_t *s, char reason, uint64_t now_ns,
                          uint8_t to[SOUP_REJECTED_BYTES]);

/* Write a debug packet, see soup_put_debug. Returns its bytes; 0: not now, the session is not OPEN.
 */
size_t soup_server_put_debug(const soup_server_t *s, uint8_t *to, size_t room, const char *text);

/* The server ends the session: after the last message and the End of Session, or without it when
 * the client is cut off. The state is ENDING; again is harmless. */
void soup_server_end(soup_server_t *s, uint64_t now_ns);

/* Bytes of the session were given to the kernel. Warm: once per send. */
static inline void soup_server_sent(soup_server_t *s, uint64_t now_ns)
{
    s->sent_ns = now_ns;
}

/* The kernel has taken only a part of what was to be sent (true), or takes more again (false). No
 * heartbeat is due meanwhile: it would come into the middle of a packet, and the client has bytes
 * to read. */
static inline void soup_server_blocked(soup_server_t *s, bool blocked)
{
    s->blocked = blocked;
}

/* What is to be done at that time. One thing at a time: do it, and ask again. */
enum soup_server_due soup_server_due(const soup_server_t *s, uint64_t now_ns);

/* When something will be due if nothing else happens; UINT64_MAX: never. It is due from this
 * nanosecond on, and not before.
 * For tests and for who sleeps by it; the gateway asks soup_server_due as it goes round. */
uint64_t soup_server_deadline(const soup_server_t *s);

/* Half a sentence for the log and for the user, "a second login". Never NULL. */
const char *soup_server_fault_text(enum soup_server_fault fault);

#ifdef __cplusplus
}
#endif
#endif
