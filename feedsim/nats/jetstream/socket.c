/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/jetstream/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <nats/nats.h>

#include <tickbus/clock.h>

#include "feedsim/nats/answer.h"

#define SECOND_NS    UINT64_C(1000000000)
#define OUT_BYTES    (1u << 20)
#define CHOKED_BYTES (OUT_BYTES / 2)
#define IN_BYTES     (256u << 10)
#define READ_BYTES   (64u << 10)     /* at a turn */
#define PING_NS      (2 * SECOND_NS) /* nothing has come for so long: is anybody there? */
#define SILENCE_NS   (4 * SECOND_NS) /* no answer to that: nobody is */
#define REASON_MAX   128u

struct nats_socket {
    natsConnection *connection; /* NULL: none */
    int fd;
    bool lost;
    bool ponged;             /* the answer to our first ping has come */
    char reason[REASON_MAX]; /* why it is lost */
    int64_t payload_max;
    uint64_t heard_ns, pinged_ns;
    size_t out_head, out_tail; /* between them: not sent yet */
    size_t in_head, in_tail;   /* between them: not looked at yet */
    char out[OUT_BYTES];
    char in[IN_BYTES];
};

int nats_socket_create(nats_socket_t **out_socket, tbus_error_t *err)
{
    nats_socket_t *s = calloc(1, sizeof *s);
    if (!s)
        return tbus_fail(err, -ENOMEM, "no memory for a connection to NATS");
    s->fd = -1;
    *out_socket = s;
    return 0;
}

void nats_socket_destroy(nats_socket_t *s)
{
    if (!s)
        return;
    nats_socket_close(s);
    free(s);
}

static __attribute__((format(printf, 2, 3))) void lose(nats_socket_t *s, const char *format, ...)
{
    va_list arguments;
    if (s->lost)
        return;
    va_start(arguments, format);
    vsnprintf(s->reason, sizeof s->reason, format, arguments);
    va_end(arguments);
    nats_words_clean(s->reason);
    s->lost = true;
}

/* --- out --- */

static void send_some(nats_socket_t *s)
{
    size_t bytes = s->out_tail - s->out_head;
    if (s->lost || bytes == 0)
        return;
    ssize_t sent = send(s->fd, s->out + s->out_head, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        lose(s, "%s", strerrordesc_np(errno));
    s->out_head += sent > 0 ? (size_t)sent : 0;
    if (s->out_head == s->out_tail)
        s->out_head = s->out_tail = 0;
}

/* Room for `bytes` at the tail. */
static bool make_room(nats_socket_t *s, size_t bytes)
{
    if (OUT_BYTES - s->out_tail < bytes && s->out_head) {
        memmove(s->out, s->out + s->out_head, s->out_tail - s->out_head);
        s->out_tail -= s->out_head;
        s->out_head = 0;
    }
    return OUT_BYTES - s->out_tail >= bytes;
}

/* What the protocol asks for; there is always room for that, unless the network takes nothing. */
static void put_words(nats_socket_t *s, const char *words)
{
    size_t bytes = strlen(words);
    if (!make_room(s, bytes))
        return;
    memcpy(s->out + s->out_tail, words, bytes);
    s->out_tail += bytes;
}

int nats_socket_put(nats_socket_t *s, const nats_frame_out_t *frame, tbus_error_t *err)
{
    if (!nats_socket_is_open(s, err))
        return -ENOTCONN;
    if ((int64_t)(frame->headers_bytes + frame->payload_bytes) > s->payload_max)
        return tbus_fail(err, -EMSGSIZE,
                         "a message has %zu bytes with its headers, and the server takes no more "
                         "than %lld (max_payload in its configuration)",
                         frame->headers_bytes + frame->payload_bytes, (long long)s->payload_max);
    if (!make_room(s, nats_frame_bound(frame)))
        return tbus_fail(err, -ENOBUFS, "the network to NATS takes nothing");
    s->out_tail += nats_frame_put(frame, s->out + s->out_tail);
    return 0;
}

bool nats_socket_is_choked(const nats_socket_t *s)
{
    return s->out_tail - s->out_head > CHOKED_BYTES;
}

/* --- in --- */

static void receive_some(nats_socket_t *s, uint64_t now_ns)
{
    if (s->lost)
        return;
    if (s->in_head) {
        memmove(s->in, s->in + s->in_head, s->in_tail - s->in_head);
        s->in_tail -= s->in_head;
        s->in_head = 0;
    }
    size_t room = IN_BYTES - s->in_tail;
    if (room == 0) /* one frame that is larger than any answer */
        return lose(s, "it sends what no NATS does");
    ssize_t got =
        recv(s->fd, s->in + s->in_tail, room < READ_BYTES ? room : READ_BYTES, MSG_DONTWAIT);
    if (got == 0)
        lose(s, "the server hung up");
    else if (got < 0 && errno != EAGAIN && errno != EINTR)
        lose(s, "%s", strerrordesc_np(errno));
    else if (got > 0) {
        s->in_tail += (size_t)got;
        s->heard_ns = now_ns;
    }
}

/* It counts from our ping: before that it may be us who did not look. */
static void keep_alive(nats_socket_t *s, uint64_t now_ns)
{
    bool waiting = s->pinged_ns > s->heard_ns;
    if (waiting && now_ns - s->pinged_ns > SILENCE_NS)
        lose(s, "the server says nothing");
    if (waiting || now_ns - s->heard_ns <= PING_NS)
        return;
    put_words(s, "PING\r\n");
    s->pinged_ns = now_ns;
}

void nats_socket_turn(nats_socket_t *s, uint64_t now_ns)
{
    if (!s->connection)
        return;
    send_some(s);
    receive_some(s, now_ns);
    keep_alive(s, now_ns);
}

bool nats_socket_next(nats_socket_t *s, nats_frame_t *out_message)
{
    while (s->in_head < s->in_tail && !s->lost) {
        nats_frame_t frame;
        long bytes = nats_frame_read(s->in + s->in_head, s->in_tail - s->in_head, &frame);
        if (bytes < 0)
            lose(s, "it sends what no NATS does");
        if (bytes <= 0)
            return false;
        s->in_head += (size_t)bytes;
        switch (frame.kind) {
        case NATS_FRAME_MESSAGE:
            *out_message = frame;
            return true;
        case NATS_FRAME_PING:
            put_words(s, "PONG\r\n");
            break;
        case NATS_FRAME_PONG:
            s->ponged = true;
            break;
        case NATS_FRAME_ERROR: /* whatever it was, nothing goes on as it was */
            lose(s, "the server says %.*s", (int)frame.payload_bytes, frame.payload);
            break;
        default: /* news of the cluster */
            break;
        }
    }
    return false;
}

void nats_socket_wait(const nats_socket_t *s, uint64_t ns)
{
    struct pollfd fd = {.fd = s->lost ? -1 : s->fd, .events = POLLIN};
    const struct timespec wait = {.tv_sec = (time_t)(ns / SECOND_NS),
                                  .tv_nsec = (long)(ns % SECOND_NS)};
    (void)ppoll(&fd, 1, &wait, NULL);
}

/* --- opened --- */

/* The first ping: whoever speaks TLS does not understand it, and says so in TLS, or hangs up. */
static int await_pong(nats_socket_t *s, uint32_t timeout_ms, tbus_error_t *err)
{
    uint64_t now_ns = tbus_clock_ns(), until_ns = now_ns + timeout_ms * UINT64_C(1000000);
    nats_frame_t message;
    while (!s->ponged && !s->lost && now_ns < until_ns) {
        nats_socket_turn(s, now_ns);
        (void)nats_socket_next(s, &message);
        if (!s->ponged && !s->lost)
            nats_socket_wait(s, until_ns - now_ns);
        now_ns = tbus_clock_ns();
    }
    if (s->ponged)
        return 0;
    return s->lost ? tbus_fail(err, -EPROTONOSUPPORT,
                               "the NATS server does not take our frames: %s", s->reason)
                   : tbus_fail(err, -ETIMEDOUT, "the NATS server does not answer");
}

int nats_socket_open(nats_socket_t *s, const nats_way_t *way, const char *subject,
                     tbus_error_t *err)
{
    char words[256];
    nats_socket_close(s);
    int code = nats_connection_take(way, &s->connection, &s->fd, err);
    if (code < 0)
        return code;
    s->lost = s->ponged = false;
    s->out_head = s->out_tail = s->in_head = s->in_tail = 0;
    s->heard_ns = s->pinged_ns = tbus_clock_ns();
    s->payload_max = natsConnection_GetMaxPayload(s->connection);
    /* As a record of TLS, "PING\r" is one of 18,189 bytes, which is more than there may be: it is
     * refused at once. "SUB _" would be waited for. */
    snprintf(words, sizeof words, "PING\r\nSUB %s 1\r\n", subject);
    put_words(s, words);
    code = await_pong(s, way->timeout_ms, err);
    if (code < 0)
        nats_socket_close(s);
    return code;
}

void nats_socket_close(nats_socket_t *s)
{
    nats_connection_close(s->connection);
    s->connection = NULL;
    s->fd = -1;
}

bool nats_socket_is_open(const nats_socket_t *s, tbus_error_t *err)
{
    if (s->connection && !s->lost)
        return true;
    if (err)
        (void)tbus_fail(err, -ENOTCONN, "the connection to NATS is lost: %s",
                        s->lost ? s->reason : "it was not made");
    return false;
}
