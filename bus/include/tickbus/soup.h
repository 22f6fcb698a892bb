/* SPDX-License-Identifier: Apache-2.0 */
/* soup.h - receiving a feed from another host over SoupBinTCP: from any sequence on, every message
 * once and in order, over connections that come and go.
 *
 *    tbus_soup_options_t options = {.user = "me", .password = "...", .from = 1};
 *    tbus_soup_open("feed.example.com:9001", &options, &soup, &err);
 *    while ((outcome = tbus_soup_next(soup, TIMEOUT_NS, &event, &err)) >= 0)
 *        if (outcome == TBUS_SOUP_MESSAGE) ...          event.sequence, event.data, event.bytes
 *        else if (outcome == TBUS_SOUP_ENDED) break; ...
 *    tbus_soup_close(soup);
 *
 * What the messages mean is not known here; a tickbus gateway sends ITCH 5.0 (its topic md).
 *
 * A connection that is lost, or that is not heard of for 15 s, is made again by itself: after
 * 100 ms, and where that fails after twice as long each time, up to 5 s. It goes on with the
 * message after the last one received, in the same session. What was received is handed out before
 * a loss or an end is told. A server that cannot give a message any more tells so with a higher
 * sequence at the login, and it is passed on as a gap: no message is left out silently.
 *
 * Everything happens inside the calls: there is no thread. So that the server hears of its client,
 * tbus_soup_next is to be called at least every few seconds; while the caller works on a message
 * for longer than the server waits (15 s, usually), the connection may be cut, and is made again.
 *
 * A handle is for one thread at a time. The protocol is that of NASDAQ's SoupBinTCP 3.00; servers
 * of 4.x are compatible. It is not encrypted and the password is sent as it is: over a network that
 * is not trusted, put TLS (stunnel) or a VPN in between.
 */
#ifndef TICKBUS_SOUP_H
#define TICKBUS_SOUP_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tbus_soup tbus_soup_t;

/* Zero is a good value for all but `from`, which has two. */
typedef struct tbus_soup_options {
    const char *user;     /* at most 6 characters; NULL: none */
    const char *password; /* at most 10; NULL: none */
    const char *session;  /* at most 10; NULL or "": the current one */
    uint64_t from;       /* the first sequence that is wanted: 1 is the session's first; 0: those to
                             come */
    uint64_t connect_ns; /* how long to try to connect and log in; 0: 10 s */
    uint64_t lost_ns;  /* how long a lost connection may stay lost; 0: 30 s; UINT64_MAX: for ever */
    uint64_t dead_ns;  /* without a byte from the server, which sends one at least every second, the
                         connection is lost; 0: 15 s */
    uint64_t pause_ns; /* before a lost connection is made again, twice as long each time up to
                          5 s; 0: 100 ms */
    uint32_t receive_bytes; /* of the socket's buffer, SO_RCVBUF; 0: what the system gives */
} tbus_soup_options_t;

enum tbus_soup_outcome {
    TBUS_SOUP_NOTHING = 0, /* nothing within the timeout */
    TBUS_SOUP_MESSAGE = 1, /* sequence, data, bytes */
    TBUS_SOUP_OTHER = 2,   /* an unsequenced message (SoupBinTCP 4.00): data, bytes */
    TBUS_SOUP_TEXT = 3,    /* of a debug packet: data, bytes. Any bytes: mind the terminal */
    TBUS_SOUP_GAP = 4,     /* sequence..last cannot be had from this server any more */
    TBUS_SOUP_LOST = 5,    /* the connection: why. It is being made again; go on calling */
    TBUS_SOUP_RESUMED = 6, /* it was made again; sequence: of the next message */
    TBUS_SOUP_ENDED = 7,   /* the session is over; sequence: of its last message. Final */
    TBUS_SOUP_REFUSED = 8  /* when the connection was to be made again: why. Final */
};

typedef struct tbus_soup_event {
    uint64_t sequence;
    uint64_t last;       /* GAP */
    const uint8_t *data; /* in the handle's buffer, until the next call */
    size_t bytes;
    const char *why; /* half a sentence, until the next call */
} tbus_soup_event_t;

/* Connect to `server`, log in, and wait until the server has accepted. `server`: HOST:PORT, the
 * host a name or an address; [ADDRESS]:PORT for IPv6. All addresses of a name are tried, in their
 * order, each time a connection is made; the name itself is looked up here only. `options` NULL:
 * what comes from now on, without user and password.
 *
 * -EINVAL: no server, or a field of the options is too long or not ASCII; -ENXIO: no such host;
 * -EACCES: the user or password was rejected; -TBUS_ENOTFOUND: the server does not have the session
 * or the sequence; -TBUS_EFORMAT: what answers does not speak SoupBinTCP; -ETIMEDOUT; -ECONNREFUSED
 * and other errors of connect(2); -ENOMEM. Cold: waits, also for the name to be looked up. */
int tbus_soup_open(const char *server, const tbus_soup_options_t *options, tbus_soup_t **out_soup,
                   tbus_error_t *err);

/* What comes next, waiting for it at most that long; 0: do not wait; UINT64_MAX: for ever. Returns
 * an enum tbus_soup_outcome and, but for NOTHING, fills *out_event.
 *
 * Or an error, which is final like ENDED and REFUSED (called again, it returns the same):
 * -ETIMEDOUT: the connection has stayed lost for lost_ns; -TBUS_EFORMAT: the server breaks the
 * protocol. A message costs no system call while the buffer of 256 KiB has more. */
int tbus_soup_next(tbus_soup_t *soup, uint64_t timeout_ns, tbus_soup_event_t *out_event,
                   tbus_error_t *err);

typedef struct tbus_soup_status {
    char session[11];    /* as the server has said, terminated; may be "" */
    uint8_t connected;   /* 1: logged in */
    uint64_t next;       /* the sequence that is expected next; 0: not known yet */
    uint64_t messages;   /* handed out */
    uint64_t reconnects; /* connections after the first one that were accepted */
    uint64_t bytes;      /* received, all connections together */
} tbus_soup_status_t;

/* So far. */
void tbus_soup_status(const tbus_soup_t *soup, tbus_soup_status_t *out_status);

/* Log out, read on until the server has closed, at most for a second, and free it. Accepts NULL. */
void tbus_soup_close(tbus_soup_t *soup);

#ifdef __cplusplus
}
#endif
#endif
