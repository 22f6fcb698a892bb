/* SPDX-License-Identifier: Apache-2.0 */
/* soup_reader.c - tickbus/soup.h: connections, one after the other, and the machine of
 * bus/wire/soup_client.h on each of them.
 *
 *    PAUSING --> CONNECTING --> CONNECTED (logging in, then open) --> FINAL
 *       ^            |              |
 *       +------------+--------------+  the connection fails or is lost
 */
#include <tickbus/soup.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tickbus/clock.h>

#include "bus/remote/tcp_stream.h"
#include "bus/wire/soup_client.h"

#define MS             UINT64_C(1000000)
#define BUFFER_BYTES   (256u * 1024u)
#define PAUSE_NS       (100 * MS)
#define PAUSE_NS_MAX   (5000 * MS)
#define CONNECT_NS     (10000 * MS)
#define LOST_NS        (30000 * MS)
#define ATTEMPT_NS_MAX (5000 * MS) /* to one address */
#define CLOSE_NS       (1000 * MS)
#define LATE_STEPS_MAX 1000u

/* What a step returns beside outcomes and errors: it has done something; look again. */
#define AGAIN 1000

enum phase { PAUSING, CONNECTING, CONNECTED, FINAL };

struct tbus_soup {
    enum phase phase;
    bool opening; /* tbus_soup_open has not returned: the first failure is final */
    bool known;   /* what the next sequence is */
    soup_times_t times;
    soup_client_t machine;
    tcp_stream_t stream;
    uint64_t next;     /* the sequence that is expected */
    uint64_t gap_from; /* to be told: gap_from..next-1; 0: nothing */
    uint64_t lost_ns;  /* PAUSING, CONNECTING, logging in: since when */
    uint64_t pause_ns;
    uint64_t phase_end_ns; /* of PAUSING and CONNECTING */
    size_t addresses_count, address;
    tcp_address_t addresses[TCP_ADDRESSES_MAX];
    soup_login_t login;
    tbus_soup_options_t options; /* without its texts */
    uint64_t messages, reconnects, bytes, connections;
    int final; /* what FINAL returns: an outcome or an error */
    char why[TBUS_ERROR_TEXT_MAX];
    char server[300];
};

/* ---- ends of a connection ---- */

static int finish(tbus_soup_t *s, int final)
{
    tcp_stream_close(&s->stream);
    s->phase = FINAL;
    s->final = final;
    return final;
}

/* The next attempt is after a pause, and the pause after that is longer. */
static void pause_before_next(tbus_soup_t *s, uint64_t now_ns)
{
    s->phase = PAUSING;
    s->address = 0;
    s->phase_end_ns = soup_later(now_ns, s->pause_ns);
    if (s->pause_ns < PAUSE_NS_MAX)
        s->pause_ns = 2 * s->pause_ns < PAUSE_NS_MAX ? 2 * s->pause_ns : PAUSE_NS_MAX;
}

/* This attempt came to nothing: the next address, or a pause. */
static int attempt_failed(tbus_soup_t *s, uint64_t now_ns, int code, const char *why)
{
    tcp_stream_close(&s->stream);
    if (++s->address < s->addresses_count) {
        s->phase = PAUSING;
        s->phase_end_ns = now_ns;
        return AGAIN;
    }
    if (s->opening) {
        snprintf(s->why, sizeof s->why, "%s cannot be reached: %s", s->server, why);
        return finish(s, code);
    }
    pause_before_next(s, now_ns);
    return AGAIN;
}

/* The connection broke, before the login was answered or after it. */
static int lose(tbus_soup_t *s, uint64_t now_ns, int code, const char *why)
{
    if (s->machine.state != SOUP_CLIENT_OPEN)
        return attempt_failed(s, now_ns, code, why);
    tcp_stream_close(&s->stream);
    s->lost_ns = now_ns;
    pause_before_next(s, now_ns);
    snprintf(s->why, sizeof s->why, "%s", why);
    return TBUS_SOUP_LOST;
}

/* ---- events ---- */

static int on_accepted(tbus_soup_t *s, const soup_accepted_t *accepted)
{
    const char *wanted = s->login.session;
    if (*wanted && *accepted->session && strcmp(wanted, accepted->session) != 0) {
        snprintf(s->why, sizeof s->why, "%s answers with session %s instead of %s", s->server,
                 accepted->session, wanted);
        return finish(s, s->opening ? -TBUS_ENOTFOUND : TBUS_SOUP_REFUSED);
    }
    if (*accepted->session)
        strcpy(s->login.session, accepted->session);
    if (s->machine.next == 0)
        s->machine.next = 1; /* sequences begin with 1 */
    if (!s->known)
        s->next = s->machine.next;
    s->known = true;
    if (s->machine.next > s->next) {
        s->gap_from = s->next;
        s->next = s->machine.next;
    }
    s->reconnects += s->connections++ > 0;
    return TBUS_SOUP_RESUMED;
}

static int on_rejected(tbus_soup_t *s, char reason)
{
    if (reason == SOUP_NOT_AUTHORIZED)
        snprintf(s->why, sizeof s->why, "%s rejects the user or the password", s->server);
    else
        snprintf(s->why, sizeof s->why, "%s has no session '%s' with a sequence %" PRIu64,
                 s->server, s->login.session, s->known ? s->next : s->login.sequence);
    int code = reason == SOUP_NOT_AUTHORIZED ? -EACCES : -TBUS_ENOTFOUND;
    return finish(s, s->opening ? code : TBUS_SOUP_REFUSED);
}

static int on_event(tbus_soup_t *s, const soup_client_event_t *event, tbus_soup_event_t *out_event)
{
    out_event->data = event->data;
    out_event->bytes = event->bytes;
    switch (event->kind) {
    case SOUP_CLIENT_NOTHING:
        return AGAIN;
    case SOUP_CLIENT_MESSAGE:
        if (event->sequence < s->next)
            return AGAIN; /* a server that begins earlier than it was asked to */
        out_event->sequence = event->sequence;
        s->next = event->sequence + 1;
        s->messages++;
        s->pause_ns = s->options.pause_ns;
        return TBUS_SOUP_MESSAGE;
    case SOUP_CLIENT_UNSEQUENCED:
        return TBUS_SOUP_OTHER;
    case SOUP_CLIENT_TEXT:
        return TBUS_SOUP_TEXT;
    case SOUP_CLIENT_ACCEPTED:
        return on_accepted(s, &event->accepted);
    case SOUP_CLIENT_REJECTED:
        return on_rejected(s, event->reason);
    case SOUP_CLIENT_END:
        return finish(s, TBUS_SOUP_ENDED);
    case SOUP_CLIENT_FAULT:
        snprintf(s->why, sizeof s->why, "%s does not keep to SoupBinTCP: it sends %s", s->server,
                 event->fault);
        return finish(s, -TBUS_EFORMAT);
    }
    return AGAIN;
}

/* ---- what is to be done, without waiting ---- */

static int begin_attempt(tbus_soup_t *s, uint64_t now_ns)
{
    int code = tcp_stream_connect(&s->stream, &s->addresses[s->address], s->options.receive_bytes);
    if (code < 0 && code != -EINPROGRESS)
        return attempt_failed(s, now_ns, code, tbus_strerror(code));
    s->phase = CONNECTING;
    s->phase_end_ns = now_ns + ATTEMPT_NS_MAX;
    return AGAIN;
}

static int pausing(tbus_soup_t *s, uint64_t now_ns)
{
    return now_ns < s->phase_end_ns ? 0 : begin_attempt(s, now_ns);
}

static int connecting(tbus_soup_t *s, uint64_t now_ns)
{
    uint8_t packet[SOUP_LOGIN_410_BYTES];
    int code = tcp_stream_connected(&s->stream);
    if (code == 0 && now_ns < s->phase_end_ns)
        return 0;
    if (code == 0)
        code = -ETIMEDOUT;
    if (code < 0)
        return attempt_failed(s, now_ns, code, tbus_strerror(code));
    if (s->known)
        s->login.sequence = s->next;
    soup_client_begin(&s->machine, &s->times, now_ns);
    s->phase = CONNECTED;
    code = tcp_stream_put(&s->stream, packet, soup_put_login(packet, &s->login));
    return code < 0 ? lose(s, now_ns, code, tbus_strerror(code)) : AGAIN;
}

/* A heartbeat, when one is due. Whether it can be sent is not looked at: when the connection is
 * broken, reading says so as well, after everything that came before. */
static void beat(tbus_soup_t *s, uint64_t now_ns)
{
    uint8_t packet[SOUP_HEADER_BYTES];
    if (soup_client_due(&s->machine, now_ns) != SOUP_CLIENT_DUE_HEARTBEAT)
        return;
    if (!s->stream.out_bytes) /* else the server takes nothing, and has some to take */
        (void)tcp_stream_put(&s->stream, packet, soup_put_header(packet, SOUP_CLIENT_HEARTBEAT, 0));
    soup_client_sent(&s->machine, now_ns);
}

/* A packet that is there. 0: none is whole. */
static int take(tbus_soup_t *s, tbus_soup_event_t *out_event)
{
    soup_client_event_t event;
    size_t used = soup_client_take(&s->machine, s->stream.buffer + s->stream.begin,
                                   s->stream.end - s->stream.begin, &event);
    s->stream.begin += used;
    if (!used && event.kind == SOUP_CLIENT_NOTHING)
        return 0;
    return on_event(s, &event, out_event);
}

/* What was received is taken first, before whatever the socket says; what the socket says comes
 * before what the time says, so that a caller who was away for long does not miss it. */
static int connected(tbus_soup_t *s, uint64_t now_ns, tbus_soup_event_t *out_event)
{
    int outcome = take(s, out_event);
    if (outcome)
        return outcome;
    (void)tcp_stream_flush(&s->stream); /* as for a heartbeat: reading tells */
    int64_t count = tcp_stream_fill(&s->stream);
    if (count == -ENODATA)
        return lose(s, now_ns, -ECONNRESET, "the server has closed it");
    if (count < 0)
        return lose(s, now_ns, (int)count, tbus_strerror((int)count));
    if (count > 0) {
        s->bytes += (uint64_t)count;
        soup_client_heard(&s->machine, now_ns);
        return AGAIN;
    }
    enum soup_client_due due = soup_client_due(&s->machine, now_ns);
    if (due == SOUP_CLIENT_DUE_NO_ANSWER)
        return lose(s, now_ns, -ETIMEDOUT, "it does not answer the login");
    if (due == SOUP_CLIENT_DUE_DEAD)
        return lose(s, now_ns, -ETIMEDOUT, "nothing is heard of the server any more");
    beat(s, now_ns);
    return 0;
}

static int step(tbus_soup_t *s, uint64_t now_ns, tbus_soup_event_t *out_event)
{
    bool open = s->phase == CONNECTED && s->machine.state == SOUP_CLIENT_OPEN;
    uint64_t patience_ns = s->opening ? s->options.connect_ns : s->options.lost_ns;
    if (!open && s->phase != FINAL && now_ns >= soup_later(s->lost_ns, patience_ns)) {
        snprintf(s->why, sizeof s->why, "%s could not be reached for %" PRIu64 " s", s->server,
                 (now_ns - s->lost_ns) / (1000 * MS));
        return finish(s, -ETIMEDOUT);
    }
    switch (s->phase) {
    case PAUSING:
        return pausing(s, now_ns);
    case CONNECTING:
        return connecting(s, now_ns);
    case CONNECTED:
        return connected(s, now_ns, out_event);
    case FINAL:
        break;
    }
    return s->final;
}

/* When step has something to do though nothing comes. */
static uint64_t next_moment(const tbus_soup_t *s)
{
    uint64_t moment = s->phase == CONNECTED ? soup_client_deadline(&s->machine) : s->phase_end_ns;
    if (s->phase == CONNECTED && s->machine.state == SOUP_CLIENT_OPEN)
        return moment;
    uint64_t end = soup_later(s->lost_ns, s->opening ? s->options.connect_ns : s->options.lost_ns);
    return moment < end ? moment : end;
}

static int complete(tbus_soup_t *s, int outcome, tbus_soup_event_t *out_event, tbus_error_t *err)
{
    if (outcome < 0)
        return tbus_fail(err, outcome, "%s", s->why);
    if (outcome == TBUS_SOUP_LOST || outcome == TBUS_SOUP_REFUSED)
        out_event->why = s->why;
    if (outcome == TBUS_SOUP_RESUMED)
        out_event->sequence = s->next;
    if (outcome == TBUS_SOUP_ENDED)
        out_event->sequence = s->next - (s->next > 0);
    return outcome;
}

/* Steps until something comes of it. `timeout_ns` 0 bounds the steps as well: a server that sends
 * heartbeats without end holds nobody up. */
static int run(tbus_soup_t *s, uint64_t timeout_ns, tbus_soup_event_t *out_event)
{
    uint64_t now_ns = tbus_clock_ns();
    uint64_t until_ns = soup_later(now_ns, timeout_ns);
    unsigned late_steps = 0;
    for (;;) {
        int outcome = step(s, now_ns, out_event);
        if (outcome && outcome != AGAIN)
            return outcome;
        now_ns = tbus_clock_ns();
        if (outcome == AGAIN && (now_ns < until_ns || late_steps++ < LATE_STEPS_MAX))
            continue;
        if (now_ns >= until_ns)
            return TBUS_SOUP_NOTHING;
        uint64_t moment = next_moment(s);
        moment = moment < until_ns ? moment : until_ns;
        if (moment > now_ns)
            tcp_stream_wait(&s->stream, s->phase == CONNECTING, moment - now_ns);
        now_ns = tbus_clock_ns();
    }
}

/* A time that is cheap to read, and some milliseconds late. */
static uint64_t coarse_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* One who works long on each message has heartbeats sent all the same. */
static void beat_while_busy(tbus_soup_t *s)
{
    if (s->machine.state == SOUP_CLIENT_OPEN &&
        coarse_ns() >= soup_later(s->machine.sent_ns, s->machine.times.heartbeat_ns))
        beat(s, tbus_clock_ns());
}

int tbus_soup_next(tbus_soup_t *s, uint64_t timeout_ns, tbus_soup_event_t *out_event,
                   tbus_error_t *err)
{
    memset(out_event, 0, sizeof *out_event);
    if (s->gap_from) {
        out_event->sequence = s->gap_from;
        out_event->last = s->next - 1;
        s->gap_from = 0;
        return TBUS_SOUP_GAP;
    }
    if (s->phase == CONNECTED && s->stream.begin != s->stream.end) {
        beat_while_busy(s);
        int outcome = take(s, out_event);
        if (outcome && outcome != AGAIN)
            return complete(s, outcome, out_event, err);
    }
    return complete(s, run(s, timeout_ns, out_event), out_event, err);
}

/* ---- opening and closing ---- */

/* A text of the options into a field of the login. */
static int copy_field(const char *what, const char *text, size_t bytes_max, char *out_field,
                      tbus_error_t *err)
{
    size_t bytes = text ? strlen(text) : 0;
    if (bytes > bytes_max)
        return tbus_fail(err, -EINVAL, "the %s has %zu characters; SoupBinTCP has room for %zu",
                         what, bytes, bytes_max);
    for (size_t i = 0; i < bytes; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return tbus_fail(err, -EINVAL, "the %s is not ASCII", what);
    memcpy(out_field, text ? text : "", bytes + 1);
    return 0;
}

static int take_options(tbus_soup_t *s, const tbus_soup_options_t *options, tbus_error_t *err)
{
    int code = copy_field("user", options->user, SOUP_USER_BYTES, s->login.user, err);
    if (code == 0)
        code =
            copy_field("password", options->password, SOUP_PASSWORD_BYTES, s->login.password, err);
    if (code == 0)
        code = copy_field("session", options->session, SOUP_SESSION_BYTES, s->login.session, err);
    s->options = *options;
    s->options.user = s->options.password = s->options.session = NULL; /* the caller's */
    if (!s->options.connect_ns)
        s->options.connect_ns = CONNECT_NS;
    if (!s->options.pause_ns)
        s->options.pause_ns = PAUSE_NS;
    if (!s->options.lost_ns)
        s->options.lost_ns = LOST_NS;
    s->times = (soup_times_t)SOUP_TIMES;
    s->times.login_ns = s->times.dead_ns;
    if (options->dead_ns)
        s->times.dead_ns = options->dead_ns;
    s->login.sequence = s->next = options->from;
    s->known = options->from > 0;
    return code;
}

static int log_in(tbus_soup_t *s, tbus_error_t *err)
{
    tbus_soup_event_t event;
    s->opening = true;
    s->phase = PAUSING;
    s->lost_ns = s->phase_end_ns = tbus_clock_ns();
    s->pause_ns = s->options.pause_ns;
    int outcome;
    do
        outcome = run(s, UINT64_MAX, &event);
    while (outcome == TBUS_SOUP_TEXT); /* a greeting */
    s->opening = false;
    if (outcome == TBUS_SOUP_RESUMED)
        return 0;
    if (outcome == TBUS_SOUP_ENDED)
        return tbus_fail(err, -TBUS_ENOTFOUND, "%s ends the session without an answer to the login",
                         s->server);
    return tbus_fail(err, outcome, "%s", s->why);
}

int tbus_soup_open(const char *server, const tbus_soup_options_t *options, tbus_soup_t **out_soup,
                   tbus_error_t *err)
{
    static const tbus_soup_options_t none = {0};
    if (!server || !out_soup)
        return tbus_fail(err, -EINVAL, "no server is named");
    tbus_soup_t *s = calloc(1, sizeof *s);
    if (!s || tcp_stream_create(&s->stream, BUFFER_BYTES, SOUP_PACKET_MAX) < 0) {
        free(s);
        return tbus_fail(err, -ENOMEM, "no memory to receive from %s", server);
    }
    snprintf(s->server, sizeof s->server, "%s", server);
    int code = take_options(s, options ? options : &none, err);
    if (code == 0)
        code = tcp_address_find(server, s->addresses, err);
    s->addresses_count = code > 0 ? (size_t)code : 0;
    if (code > 0)
        code = log_in(s, err);
    if (code < 0) {
        tcp_stream_destroy(&s->stream);
        free(s);
        return code;
    }
    *out_soup = s;
    return 0;
}

void tbus_soup_status(const tbus_soup_t *s, tbus_soup_status_t *out_status)
{
    memset(out_status, 0, sizeof *out_status);
    strcpy(out_status->session, s->login.session);
    out_status->connected = s->phase == CONNECTED && s->machine.state == SOUP_CLIENT_OPEN;
    out_status->next = s->known ? s->next : 0;
    out_status->messages = s->messages;
    out_status->reconnects = s->reconnects;
    out_status->bytes = s->bytes;
}

/* The server sees the logout, then the end, and closes; until then it may still send. */
static void log_out(tbus_soup_t *s)
{
    uint8_t packet[SOUP_HEADER_BYTES];
    uint64_t end_ns = tbus_clock_ns() + CLOSE_NS, now_ns;
    if (tcp_stream_put(&s->stream, packet, soup_put_header(packet, SOUP_LOGOUT, 0)) < 0)
        return;
    if (!s->stream.out_bytes)
        tcp_stream_end(&s->stream);
    while ((now_ns = tbus_clock_ns()) < end_ns) {
        s->stream.begin = s->stream.end; /* dropped */
        int64_t count = tcp_stream_fill(&s->stream);
        if (count < 0)
            return;
        if (count == 0)
            tcp_stream_wait(&s->stream, false, end_ns - now_ns);
    }
}

void tbus_soup_close(tbus_soup_t *s)
{
    if (!s)
        return;
    if (s->phase == CONNECTED && s->machine.state == SOUP_CLIENT_OPEN)
        log_out(s);
    tcp_stream_destroy(&s->stream);
    free(s);
}
