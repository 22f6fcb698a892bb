/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/nats_wire.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "feedsim/nats/layout.h"

#define ANSWER_MS  10000
#define TRY_MS     500
#define BUFFER_MAX 262144u
#define SENT_MAX   65536u /* kept back until so much is there */

struct nats_wire {
    int fd;
    char inbox[64]; /* its own: what another did not wait for may still come */
    char in[BUFFER_MAX];
    size_t got;
    char answer[BUFFER_MAX];
    size_t answer_bytes;
    char out[2 * SENT_MAX];
    size_t kept;
    uint64_t published, answered;
    unsigned refused;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "nats_wire: %s\n", what);
    abort();
}

static void flush_out(nats_wire_t *w)
{
    for (size_t sent = 0; sent < w->kept;) {
        ssize_t n = send(w->fd, w->out + sent, w->kept - sent, MSG_NOSIGNAL);
        if (n <= 0)
            die("the connection is lost");
        sent += (size_t)n;
    }
    w->kept = 0;
}

static void put(nats_wire_t *w, const void *bytes, size_t count)
{
    if (w->kept + count > sizeof w->out)
        flush_out(w);
    if (count > sizeof w->out)
        die("a message is too long");
    memcpy(w->out + w->kept, bytes, count);
    w->kept += count;
}

static void put_text(nats_wire_t *w, const char *text)
{
    put(w, text, strlen(text));
}

/* False: nothing has come in that time. */
static bool receive(nats_wire_t *w, int wait_ms)
{
    struct pollfd ready = {.fd = w->fd, .events = POLLIN};
    if (w->got == sizeof w->in)
        die("an answer is too long");
    if (poll(&ready, 1, wait_ms) != 1)
        return false;
    ssize_t n = recv(w->fd, w->in + w->got, sizeof w->in - w->got, 0);
    if (n <= 0)
        die("the connection is lost");
    w->got += (size_t)n;
    return true;
}

static void drop(nats_wire_t *w, size_t bytes)
{
    memmove(w->in, w->in + bytes, w->got - bytes);
    w->got -= bytes;
}

/* The next message that comes, into `answer`; what a server says beside is seen to. False: none
 * has come in that time. */
static bool take_answer(nats_wire_t *w, int wait_ms)
{
    for (;;) {
        char *end = memmem(w->in, w->got, "\r\n", 2);
        if (!end) {
            if (!receive(w, wait_ms))
                return false;
            continue;
        }
        size_t line = (size_t)(end - w->in) + 2;
        if (strncmp(w->in, "MSG ", 4) == 0 || strncmp(w->in, "HMSG ", 5) == 0) {
            const char *space = memrchr(w->in, ' ', line);
            size_t bytes = strtoul(space, NULL, 10);
            while (w->got < line + bytes + 2)
                if (!receive(w, ANSWER_MS))
                    die("half an answer");
            if (bytes >= sizeof w->answer)
                die("an answer is too long");
            memcpy(w->answer, w->in + line, bytes);
            w->answer[bytes] = 0;
            w->answer_bytes = bytes;
            drop(w, line + bytes + 2);
            return true;
        }
        if (strncmp(w->in, "PING", 4) == 0) {
            put_text(w, "PONG\r\n");
            flush_out(w);
        }
        if (strncmp(w->in, "-ERR", 4) == 0)
            die(w->in);
        drop(w, line);
    }
}

nats_wire_t *nats_wire_open(const nats_server_t *server)
{
    static unsigned count;
    nats_wire_t *w = calloc(1, sizeof *w);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(server->port)};
    const int on = 1;
    if (!w)
        die("no memory");
    inet_pton(AF_INET, server->address, &at.sin_addr);
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(w->fd, (struct sockaddr *)&at, sizeof at) != 0)
        die("nobody listens");
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    snprintf(w->inbox, sizeof w->inbox, "_INBOX.tickbus.wire.%d-%u", (int)getpid(), count++);
    put_text(w, "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB ");
    put_text(w, w->inbox);
    put_text(w, " 1\r\n");
    flush_out(w);
    return w;
}

void nats_wire_close(nats_wire_t *w)
{
    if (!w)
        return;
    close(w->fd);
    free(w);
}

void nats_wire_ask(nats_wire_t *w, const char *subject, const char *json)
{
    char head[NATS_SUBJECT_MAX + 128];
    snprintf(head, sizeof head, "PUB %s %s %zu\r\n", subject, w->inbox, strlen(json));
    put_text(w, head);
    put_text(w, json);
    put_text(w, "\r\n");
}

const char *nats_wire_next(nats_wire_t *w, size_t *out_bytes)
{
    flush_out(w);
    if (!take_answer(w, ANSWER_MS))
        die("no answer");
    *out_bytes = w->answer_bytes;
    return w->answer;
}

static const char *request(nats_wire_t *w, const char *subject, const char *json, int wait_ms)
{
    nats_wire_flush(w);
    nats_wire_ask(w, subject, json);
    flush_out(w);
    return take_answer(w, wait_ms) ? w->answer : NULL;
}

const char *nats_wire_request(nats_wire_t *w, const char *subject, const char *json)
{
    const char *answer = request(w, subject, json, ANSWER_MS);
    if (!answer)
        die("no answer");
    return answer;
}

const char *nats_wire_try(nats_wire_t *w, const char *subject, const char *json)
{
    return request(w, subject, json, TRY_MS);
}

void nats_wire_publish(nats_wire_t *w, const char *subject, const char *headers,
                       const void *payload, size_t bytes)
{
    static const char version[] = "NATS/1.0\r\n";
    char head[NATS_SUBJECT_MAX + 128];
    size_t of_headers = sizeof version - 1 + strlen(headers) + 2;
    snprintf(head, sizeof head, "HPUB %s %s %zu %zu\r\n%s", subject, w->inbox, of_headers,
             of_headers + bytes, version);
    put_text(w, head);
    put_text(w, headers);
    put_text(w, "\r\n");
    put(w, payload ? payload : "", bytes);
    put_text(w, "\r\n");
    w->published++;
    if (w->published - w->answered >= 512) /* or the two of us fill each other's buffers */
        nats_wire_flush(w);
}

unsigned nats_wire_flush(nats_wire_t *w)
{
    flush_out(w);
    for (; w->answered < w->published; w->answered++) {
        if (!take_answer(w, ANSWER_MS))
            die("no acknowledgement");
        w->refused += strstr(w->answer, "\"error\"") != NULL;
    }
    unsigned refused = w->refused;
    w->refused = 0;
    return refused;
}

bool nats_wire_make_stream(nats_wire_t *w, const char *stream, const char *session,
                           const char *more)
{
    char subject[NATS_SUBJECT_MAX + 64], all[NATS_SUBJECT_MAX], text[NATS_DESCRIPTION_MAX];
    char json[4096];
    nats_description_t d = {.layout = NATS_LAYOUT};
    snprintf(d.session, sizeof d.session, "%s", session);
    snprintf(d.bus, sizeof d.bus, "%s", stream);
    nats_description_text(&d, text);
    if (!nats_subject_all(stream, all))
        die("no name of a stream");
    snprintf(subject, sizeof subject, "$JS.API.STREAM.CREATE.%s", stream);
    snprintf(json, sizeof json,
             "{\"name\":\"%s\",\"description\":\"%s\",\"subjects\":[\"%s\"],"
             "\"retention\":\"limits\",\"storage\":\"file\",\"allow_direct\":true%s}",
             stream, text, all, more);
    return strstr(nats_wire_request(w, subject, json), "\"error\"") == NULL;
}

bool nats_wire_delete_stream(nats_wire_t *w, const char *stream)
{
    char subject[NATS_SUBJECT_MAX + 64];
    snprintf(subject, sizeof subject, "$JS.API.STREAM.DELETE.%s", stream);
    return strstr(nats_wire_request(w, subject, ""), "\"error\"") == NULL;
}

void nats_wire_tick(nats_wire_t *w, const char *stream, const char *session, const char *symbol,
                    uint64_t seq, const char *more, const void *message, size_t bytes)
{
    char subject[NATS_SUBJECT_MAX], id[NATS_ID_MAX], headers[1024];
    if (!nats_subject(stream, "md", symbol, subject) || !nats_id(session, "md", seq, false, id))
        die("no name of a stream or a session");
    snprintf(headers, sizeof headers,
             NATS_HEADER_ID ": %s\r\n" NATS_HEADER_SEQUENCE ": %" PRIu64 "\r\n" NATS_HEADER_TYPE
                            ": tick\r\n%s",
             id, seq, more);
    nats_wire_publish(w, subject, headers, message, bytes);
}

void nats_wire_end(nats_wire_t *w, const char *stream, const char *session, uint64_t last)
{
    char subject[NATS_SUBJECT_MAX], id[NATS_ID_MAX], headers[512];
    if (!nats_subject(stream, "md", NULL, subject) || !nats_id(session, "md", last, true, id))
        die("no name of a stream or a session");
    snprintf(headers, sizeof headers,
             NATS_HEADER_ID ": %s\r\n" NATS_HEADER_SEQUENCE ": %" PRIu64 "\r\n" NATS_HEADER_TYPE
                            ": " NATS_TYPE_END "\r\n",
             id, last);
    nats_wire_publish(w, subject, headers, NULL, 0);
    nats_wire_flush(w);
}
