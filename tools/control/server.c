/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/control/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tickbus/clock.h>

#define DEAF_NS UINT64_C(100000000)
#define TELL_NS UINT64_C(1000000000)

typedef struct connection {
    int fd;            /* -1: this place is free */
    struct ucred peer; /* who is at the other end */
    uint64_t served;   /* number of the serve that last heard of it */
    bool ended;        /* it will send no more, or is to be closed once its answer is out */
    size_t in_first;   /* what is before it has been dealt with */
    size_t in_used;
    char *answer; /* being sent; NULL: none. malloc'ed */
    size_t answer_bytes;
    size_t answer_sent;
    size_t fds_count; /* to go with the first byte of the answer */
    int fds[CONTROL_FDS_MAX];
    char in[CONTROL_REQUEST_MAX];
} connection_t;

struct control_server {
    int listen_fd;
    int epoll_fd;
    /* Held so that a client can be let in, and told so, when we are out of descriptors. */
    int reserve_fd;
    bool deaf; /* nobody is let in until deaf_until_ns */
    uint64_t deaf_until_ns;
    int trouble;      /* why, not told yet */
    uint64_t told_ns; /* when it was told last */
    unsigned next;    /* connection that is served first */
    uint64_t serves;
    control_method_t method;
    void *context;
    connection_t connections[CONTROL_CONNECTIONS_MAX];
};

int control_server_open(int listen_fd, control_method_t method, void *context,
                        control_server_t **out_server, tbus_error_t *err)
{
    control_server_t *server = calloc(1, sizeof *server);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (!server || epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) < 0) {
        int code = server ? -errno : -ENOMEM;
        free(server);
        if (epoll_fd >= 0)
            close(epoll_fd);
        close(listen_fd);
        return tbus_fail(err, code, "control socket: %s", tbus_strerror(code));
    }
    server->listen_fd = listen_fd;
    server->epoll_fd = epoll_fd;
    server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    server->method = method;
    server->context = context;
    for (unsigned i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        server->connections[i].fd = -1;
    *out_server = server;
    return 0;
}

int control_server_fd(const control_server_t *server)
{
    return server->epoll_fd;
}

static void close_fds(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void hang_up(connection_t *c)
{
    close(c->fd); /* leaves the epoll set with it */
    close_fds(c->fds, c->fds_count);
    free(c->answer);
    c->answer = NULL;
    c->fds_count = 0;
    c->fd = -1;
}

void control_server_close(control_server_t *server)
{
    if (!server)
        return;
    for (unsigned i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        if (server->connections[i].fd >= 0)
            hang_up(&server->connections[i]);
    if (server->reserve_fd >= 0)
        close(server->reserve_fd);
    close(server->epoll_fd);
    close(server->listen_fd);
    free(server);
}

static bool may_ask(int fd, struct ucred *out_peer)
{
    struct ucred peer;
    socklen_t bytes = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
        return false;
    *out_peer = peer;
    return peer.uid == geteuid() || peer.uid == 0;
}

/* A free place, or that of the client that has been silent longest. */
static connection_t *place_for_one(control_server_t *server)
{
    connection_t *oldest = &server->connections[0];
    for (unsigned i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        connection_t *c = &server->connections[i];
        if (c->fd < 0)
            return c;
        if (c->served < oldest->served)
            oldest = c;
    }
    hang_up(oldest);
    return oldest;
}

/* What to hear of: while an answer is on its way out, only that there is room for more of it. */
static int listen_to(control_server_t *server, connection_t *c, int operation)
{
    struct epoll_event event = {.events = c->answer ? EPOLLOUT : EPOLLIN, .data.ptr = c};
    return epoll_ctl(server->epoll_fd, operation, c->fd, &event);
}

/* Nobody is let in for a while: the socket would stay readable, and every look would be in vain. */
static void turn_deaf(control_server_t *server, int why)
{
    server->trouble = why;
    server->deaf = epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, server->listen_fd, NULL) == 0;
    server->deaf_until_ns = tbus_clock_ns() + DEAF_NS;
}

static void hear_again(control_server_t *server)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (!server->deaf || tbus_clock_ns() < server->deaf_until_ns)
        return;
    server->deaf = epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, server->listen_fd, &event) < 0;
    if (server->deaf)
        server->deaf_until_ns = tbus_clock_ns() + DEAF_NS;
}

/* The next client's descriptor. When there is none left, the one that is held for this; it is had
 * back as soon as there is one. */
static int accept_client(control_server_t *server)
{
    int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE) && server->reserve_fd >= 0) {
        server->trouble = -errno;
        close(server->reserve_fd);
        server->reserve_fd = -1;
        fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    return fd;
}

static void accept_one(control_server_t *server)
{
    int fd = accept_client(server);
    if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
        return; /* it went away again */
    if (fd < 0) {
        turn_deaf(server, -errno);
        return;
    }
    struct ucred peer;
    if (!may_ask(fd, &peer)) {
        close(fd);
        return;
    }
    connection_t *c = place_for_one(server);
    c->fd = fd;
    c->peer = peer;
    c->served = server->serves;
    c->ended = false;
    c->in_first = c->in_used = 0;
    c->answer_bytes = c->answer_sent = 0;
    if (listen_to(server, c, EPOLL_CTL_ADD) < 0)
        hang_up(c);
}

int control_server_trouble(control_server_t *server)
{
    int trouble = server->trouble;
    uint64_t now_ns = tbus_clock_ns();
    if (!trouble || (server->told_ns && now_ns - server->told_ns < TELL_NS))
        return 0;
    server->trouble = 0;
    server->told_ns = now_ns;
    return trouble;
}

/* --- JSON-RPC */

static json_t *error_object(const json_t *id, int code, const char *text)
{
    json_t *identity = id ? json_incref((json_t *)(uintptr_t)id) : json_null();
    return json_pack("{s:s, s:o, s:{s:i, s:s}}", "jsonrpc", "2.0", "id", identity, "error", "code",
                     code, "message", text);
}

/* The answer to one request; NULL: it was a notification, which gets none. */
static json_t *answer_one(control_server_t *server, connection_t *c, const json_t *request)
{
    const json_t *id = json_object_get(request, "id");
    const json_t *params = json_object_get(request, "params");
    const char *version = json_string_value(json_object_get(request, "jsonrpc"));
    const char *method = json_string_value(json_object_get(request, "method"));
    bool id_fits = !id || json_is_string(id) || json_is_number(id) || json_is_null(id);
    if (!version || strcmp(version, "2.0") != 0 || !method || !id_fits)
        return error_object(id_fits ? id : NULL, CONTROL_INVALID_REQUEST,
                            "not a JSON-RPC 2.0 request");
    if (params && !json_is_object(params) && !json_is_array(params))
        return error_object(id, CONTROL_INVALID_REQUEST, "params must be an object or an array");

    /* Nobody waits for it any more, and whoever asked was told that it failed. */
    const json_t *deadline_ns = json_object_get(request, "deadline_ns");
    if (json_is_integer(deadline_ns) && tbus_clock_ns() > (uint64_t)json_integer_value(deadline_ns))
        return error_object(id, CONTROL_FAILED,
                            "it is too late for this request: its deadline_ns has passed");

    control_reply_t reply = {.peer = c->peer.pid, .peer_uid = c->peer.uid};
    server->method(server->context, method, params, &reply);
    if (!id || c->fds_count) { /* descriptors go out once an answer */
        close_fds(reply.fds, reply.fds_count);
        reply.fds_count = 0;
    }
    if (!id) {
        json_decref(reply.result);
        return NULL;
    }
    if (reply.error) {
        json_decref(reply.result);
        return error_object(id, reply.error, reply.error_text);
    }
    if (reply.fds_count) {
        memcpy(c->fds, reply.fds, sizeof c->fds);
        c->fds_count = reply.fds_count;
    }
    return json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, "result",
                     reply.result ? reply.result : json_null());
}

static json_t *answer_batch(control_server_t *server, connection_t *c, const json_t *batch)
{
    if (json_array_size(batch) == 0 || json_array_size(batch) > CONTROL_BATCH_MAX)
        return error_object(NULL, CONTROL_INVALID_REQUEST, "a batch has 1 to 16 requests");
    json_t *answers = json_array();
    size_t i;
    const json_t *request;
    json_array_foreach(batch, i, request)
    {
        json_t *answer = answer_one(server, c, request);
        if (answer)
            json_array_append_new(answers, answer);
    }
    if (json_array_size(answers))
        return answers;
    json_decref(answers);
    return NULL;
}

static void answer_line(control_server_t *server, connection_t *c, const char *line, size_t bytes)
{
    json_error_t why;
    json_t *request = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &why);
    json_t *answer = !request                 ? error_object(NULL, CONTROL_PARSE_ERROR, why.text)
                     : json_is_array(request) ? answer_batch(server, c, request)
                                              : answer_one(server, c, request);
    json_decref(request);
    if (!answer)
        return;
    c->answer = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    if (!c->answer) {
        c->ended = true; /* no memory for an answer: the client sees the connection close */
        return;
    }
    c->answer_bytes = strlen(c->answer);
    c->answer[c->answer_bytes++] =
        '\n'; /* over the terminating zero: the length is what counts from here on */
    c->answer_sent = 0;
}

/* --- bytes in and out */

/* Send what goes without waiting. False: the client is gone. */
static bool send_some(connection_t *c)
{
    struct iovec bytes = {c->answer + c->answer_sent, c->answer_bytes - c->answer_sent};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    _Alignas(struct cmsghdr) char rights[CMSG_SPACE(sizeof c->fds)];
    if (c->fds_count) {
        memset(rights, 0, sizeof rights);
        message.msg_control = rights;
        message.msg_controllen = CMSG_SPACE(c->fds_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(c->fds_count * sizeof(int));
        memcpy(CMSG_DATA(header), c->fds, c->fds_count * sizeof(int));
    }
    ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    close_fds(c->fds, c->fds_count);
    c->fds_count = 0;
    c->answer_sent += (size_t)sent;
    if (c->answer_sent == c->answer_bytes) {
        free(c->answer);
        c->answer = NULL;
    }
    return true;
}

/* Is there a whole line that was not dealt with? What is blank is passed over here. */
static bool has_line(connection_t *c)
{
    while (c->in_first < c->in_used && strchr(" \t\r\n", c->in[c->in_first]) && c->in[c->in_first])
        c->in_first++;
    if (c->in_first == c->in_used)
        c->in_first = c->in_used = 0;
    return memchr(c->in + c->in_first, '\n', c->in_used - c->in_first) != NULL;
}

static bool has_request(connection_t *c)
{
    return c->fd >= 0 && !c->answer && has_line(c);
}

/* Answer the next line; the one after it is not looked at before the answer is out. False: the
 * client is gone. */
static bool answer_next(control_server_t *server, connection_t *c)
{
    char *line = c->in + c->in_first;
    char *end = memchr(line, '\n', c->in_used - c->in_first);
    answer_line(server, c, line, (size_t)(end - line));
    c->in_first = (size_t)(end - c->in) + 1;
    return !c->answer || send_some(c);
}

/* Take in what has come. False: to be closed. */
static bool hear_one(connection_t *c, uint32_t events)
{
    if (c->answer)
        return send_some(c);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return true;
    if (c->in_first) {
        memmove(c->in, c->in + c->in_first, c->in_used - c->in_first);
        c->in_used -= c->in_first;
        c->in_first = 0;
    }
    if (c->in_used == sizeof c->in)
        return has_line(c); /* longer than any request of ours; else it waits for its turn */
    ssize_t got = recv(c->fd, c->in + c->in_used, sizeof c->in - c->in_used, MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    c->ended |= got == 0;
    c->in_used += (size_t)got;
    return true;
}

/* Is there anything left to do for it? */
static bool is_over(connection_t *c)
{
    bool full = !has_line(c) && c->in_used - c->in_first == sizeof c->in;
    return full || (c->ended && !c->answer && !has_line(c));
}

/* Requests of all who have one, in turn; what is left over comes first at the next serve. */
static void answer_in_turn(control_server_t *server)
{
    unsigned answered = 0;
    for (unsigned i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        unsigned at = (server->next + i) % CONTROL_CONNECTIONS_MAX;
        connection_t *c = &server->connections[at];
        if (!has_request(c))
            continue;
        if (answered++ == CONTROL_REQUESTS_A_SERVE) {
            server->next = at;
            return;
        }
        if (!answer_next(server, c))
            hang_up(c);
    }
}

bool control_server_pending(const control_server_t *server)
{
    for (unsigned i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        const connection_t *c = &server->connections[i];
        if (c->fd >= 0 && !c->answer && memchr(c->in + c->in_first, '\n', c->in_used - c->in_first))
            return true;
    }
    return false;
}

void control_server_serve(control_server_t *server)
{
    struct epoll_event events[CONTROL_CONNECTIONS_MAX + 1];
    hear_again(server);
    int count = epoll_wait(server->epoll_fd, events, CONTROL_CONNECTIONS_MAX + 1, 0);
    server->serves++;
    bool knocked = false;
    for (int i = 0; i < count; i++) {
        connection_t *c = events[i].data.ptr;
        if (!c) {
            knocked = true;
            continue;
        }
        c->served = server->serves;
        if (!hear_one(c, events[i].events))
            hang_up(c);
    }
    answer_in_turn(server);
    for (unsigned i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        connection_t *c = &server->connections[i];
        if (c->fd >= 0 && (is_over(c) || listen_to(server, c, EPOLL_CTL_MOD) < 0))
            hang_up(c);
    }
    if (server->reserve_fd < 0)
        server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    /* Last, since it may give somebody's place away. */
    if (knocked)
        accept_one(server);
}
