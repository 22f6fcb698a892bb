/* SPDX-License-Identifier: Apache-2.0 */
/* Input: what a client sends over the control socket, in pieces: a byte says how long the next one
 * is, 0 closes the connection and opens another. The server must answer, refuse or hang up, and be
 * there for the next client. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "tools/control/protocol.h"

static const char greeting[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"status\"}\n";

static void answer(void *context, const char *method, const json_t *params, control_reply_t *reply)
{
    (void)context;
    if (!strcmp(method, "echo")) {
        reply->result = params ? json_deep_copy(params) : json_null();
    } else if (!strcmp(method, "attach")) {
        reply->fds[reply->fds_count++] = dup(STDIN_FILENO);
        reply->result = json_true();
    } else if (!strcmp(method, "status")) {
        reply->result = json_string("well");
    } else {
        reply->error = CONTROL_UNKNOWN_METHOD;
        snprintf(reply->error_text, sizeof reply->error_text, "no such method");
    }
}

static struct sockaddr_un address; /* abstract: nothing in any file system */
static socklen_t address_bytes;
static control_server_t *server;

static void start(void)
{
    tbus_error_t err;
    address.sun_family = AF_UNIX;
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "tickbus-fuzz-%d",
                          (int)getpid());
    address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, address_bytes) < 0 || listen(fd, 8) < 0 ||
        control_server_open(fd, answer, NULL, &server, &err) < 0)
        abort();
}

static int connect_to_it(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, address_bytes) < 0)
        abort();
    control_server_serve(server);
    return fd;
}

/* Takes descriptors that come along, and closes them. */
static size_t drain(int fd, char *into, size_t room)
{
    size_t used = 0;
    for (;;) {
        union {
            struct cmsghdr align;
            char bytes[CMSG_SPACE(sizeof(int) * CONTROL_FDS_MAX)];
        } control;
        struct iovec piece = {into + used, room - used};
        struct msghdr m = {.msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
        ssize_t got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
        if (got <= 0)
            return used;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
            for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
                int with;
                memcpy(&with, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
                close(with);
            }
        used = used + (size_t)got < room / 2 ? used + (size_t)got : 0;
    }
}

static void must_still_answer(void)
{
    static char said[1u << 16];
    int fd = connect_to_it();
    if (send(fd, greeting, sizeof greeting - 1, MSG_NOSIGNAL) != (ssize_t)sizeof greeting - 1)
        abort();
    for (unsigned turns = 0; turns < 4; turns++)
        control_server_serve(server);
    size_t bytes = drain(fd, said, sizeof said - 1);
    said[bytes] = 0;
    close(fd);
    control_server_serve(server);
    if (!strstr(said, "\"result\"") || !strstr(said, "\"id\":7")) {
        fprintf(stderr, "the next client is told '%s'\n", said);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    static char said[1u << 16];
    static unsigned count;
    if (!server)
        start();
    int fd = connect_to_it();
    for (size_t at = 0; at < bytes;) {
        size_t piece = input[at++];
        if (!piece) {
            close(fd);
            fd = connect_to_it();
            continue;
        }
        if (piece > bytes - at)
            piece = bytes - at;
        send(fd, input + at, piece, MSG_NOSIGNAL);
        at += piece;
        control_server_serve(server);
        drain(fd, said, sizeof said);
    }
    control_server_serve(server);
    drain(fd, said, sizeof said);
    close(fd);
    control_server_serve(server);
    if (count++ % 16 == 0)
        must_still_answer();
    return 0;
}

void fuzz_seeds(fuzz_take_t take)
{
    static const char *const lines[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"echo\",\"params\":{\"reason\":\"x\"}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"attach\"}\n{\"jsonrpc\":\"2.0\",\"method\":"
        "\"status\"}\n",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"},{\"jsonrpc\":\"2.0\",\"id\":2,"
        "\"method\":"
        "\"no\"}]\n",
        "[]\n{}\n1\nnull\n\"\"\n",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1e400,\"method\":\"echo\",\"params\":[1,2.5,-3,true,null,"
        "\"\\u0000\\ud800\"]}\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        for (unsigned split = 0; split < 2; split++) {
            uint8_t seed[512];
            size_t used = 0, length = strlen(lines[i]), step = split ? 11 : 200;
            for (size_t at = 0; at < length; at += step) {
                size_t piece = length - at < step ? length - at : step;
                seed[used++] = (uint8_t)piece;
                memcpy(seed + used, lines[i] + at, piece);
                used += piece;
            }
            if (split)
                seed[used++] = 0;
            take(seed, used);
        }
}
