/* SPDX-License-Identifier: Apache-2.0 */
/* connection.h - a connection to NATS by its C library, for whoever publishes to a stream and
 * whoever reads one.
 *
 * The library has threads of its own, which read, flush and call back, and it allocates. So it is
 * never opened in a process that holds up a ring: the bridge is an observer in a process of its
 * own, and a source that reads a stream does it behind a queue. Nothing here is called before
 * fork(2) in the parent: threads do not come along.
 *
 * In a build without the library (libnats-dev, at least 3.4) the same functions are there and say
 * so: feedsim/nats/absent.
 */
#ifndef TICKBUS_FEEDSIM_NATS_JETSTREAM_CONNECTION_H
#define TICKBUS_FEEDSIM_NATS_JETSTREAM_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct __natsConnection;   /* natsConnection of <nats/nats.h> */
struct __natsSubscription; /* natsSubscription */

typedef struct nats_way {
    const char *url;         /* feedsim/nats/url.h */
    const char *credentials; /* file (feedsim/nats/credentials.h); NULL, "": none */
    /* TLS, which also `tls://` asks for. Files; NULL, "": the system's authorities, and no
     * certificate of ours */
    const char *ca;
    const char *certificate;
    const char *key;
    const char *name;    /* that the server shows for us */
    uint32_t timeout_ms; /* to connect to one server */
    /* How long a write may wait for room; after that the connection counts as lost. 0: for ever */
    uint32_t write_ms;
    /* Does the library connect again by itself, for ever, and keep what is published meanwhile?
     * The bridge does not want that: it asks the stream first how far it is. */
    bool reconnects;
} nats_way_t;

/* Is the library in this build? */
bool nats_available(void);
/* -TBUS_ECONFIG: it is not, and how to get it. `what`: the flag, or the feed, that asked for it. */
int nats_missing(const char *what, tbus_error_t *err);

/* Connect. Waits for up to timeout_ms a server. -TBUS_ECONFIG: what the way says cannot be;
 * -EACCES: the server does not know us; -ECONNREFUSED: nobody listens; -ETIMEDOUT; -EPROTO: TLS;
 * -EIO: all else; err names the servers and no secret. Given back by nats_connection_close. */
int nats_connection_open(const nats_way_t *way, struct __natsConnection **out_connection,
                         tbus_error_t *err);
/* The same, and its socket is the caller's to read and to write: the library does neither any more,
 * nor does it notice what becomes of it. TLS is not to be had on it. The socket is closed with the
 * connection. */
int nats_connection_take(const nats_way_t *way, struct __natsConnection **out_connection,
                         int *out_fd, tbus_error_t *err);
/* Does the way ask for TLS? */
bool nats_connection_is_secure(const nats_way_t *way);
void nats_connection_close(struct __natsConnection *connection); /* accepts NULL */
/* Nothing comes any more, and the thread that reads has ended; to be closed all the same. To be
 * called before a subscription is destroyed: that thread of libnats 3.4.1 may be about to put a
 * message into it, and then locks a mutex that is gone: abort(3), or worse. (Mended in 3.6.)
 * Accepts NULL. */
void nats_connection_silence(struct __natsConnection *connection);

/* Subscribe to a subject, for answers to what we ask: those are bounded by that, so the library
 * keeps as many as come. Its status (natsStatus). */
int nats_connection_listen(struct __natsConnection *connection, const char *subject,
                           struct __natsSubscription **out_subscription);

/* A status of the library as an error of ours, with the words of both. */
int nats_status_fail(int status, const char *what, tbus_error_t *err);

#ifdef __cplusplus
}
#endif
#endif
