/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_unix.c - remote procedure calls as the control plane makes them: JSON-RPC 2.0, one compact
 * object a line, over a Unix stream socket.
 *
 *    --> {"jsonrpc":"2.0","id":7,"method":"echo","params":{"data":"<base64>"}}
 *    <-- {"jsonrpc":"2.0","id":7,"result":{"data":"<base64>"}}
 *
 * (In a stream each call is a notification, without id.)
 *
 * Specification: jsonrpc.org, 2.0, sections 4 (request), 4.1 (notification), 5 (response); base64:
 * RFC 4648 section 4.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "tools/ipc/byte_stream.h"
#include "tools/ipc/pattern.h"

#define LINE_BYTES_MAX (IPC_MESSAGE_BYTES_MAX / 3 * 4 + 256)

typedef struct rpc {
    ipc_stream_ends_t ends;
    json_int_t id;    /* of the call in hand */
    size_t line_have; /* bytes in `line` */
    size_t line_used; /* of them already given out */
    char line[2 * LINE_BYTES_MAX];
    char text[LINE_BYTES_MAX];
} rpc_t;

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t base64_encode(const unsigned char *from, size_t bytes, char *to)
{
    char *start = to;
    for (; bytes >= 3; bytes -= 3, from += 3) {
        uint32_t bits = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        for (int shift = 18; shift >= 0; shift -= 6)
            *to++ = alphabet[bits >> shift & 63];
    }
    if (bytes) {
        uint32_t bits = (uint32_t)from[0] << 16 | (bytes == 2 ? (uint32_t)from[1] << 8 : 0);
        *to++ = alphabet[bits >> 18 & 63];
        *to++ = alphabet[bits >> 12 & 63];
        *to++ = bytes == 2 ? alphabet[bits >> 6 & 63] : '=';
        *to++ = '=';
    }
    return (size_t)(to - start);
}

/* The value of each character, 64 for those that are none. */
static const unsigned char *base64_values(void)
{
    static unsigned char values[256];
    if (!values[0]) {
        memset(values, 64, sizeof values);
        for (unsigned char i = 0; i < 64; i++)
            values[(unsigned char)alphabet[i]] = i;
    }
    return values;
}

/* False: not the base64 of exactly `bytes` bytes. */
static bool base64_decode(const char *from, size_t length, unsigned char *to, size_t bytes)
{
    const unsigned char *values = base64_values();
    if (length != (bytes + 2) / 3 * 4)
        return false;
    for (size_t done = 0; done < bytes; from += 4) {
        uint32_t bits = 0;
        size_t here = bytes - done < 3 ? bytes - done : 3;
        for (size_t i = 0; i < 4; i++) {
            unsigned char value = values[(unsigned char)from[i]];
            if (value == 64 && (i <= here || from[i] != '='))
                return false;
            bits = bits << 6 | (value & 63);
        }
        for (size_t i = 0; i < here; i++)
            to[done++] = (unsigned char)(bits >> (16 - 8 * i));
    }
    return true;
}

static int rpc_setup(ipc_session_t *s, tbus_error_t *err)
{
    rpc_t *m = (rpc_t *)aligned_alloc(64, (sizeof *m + 63) & ~(size_t)63);
    if (!m)
        return tbus_fail(err, -ENOMEM, "rpc_unix: no memory");
    m->id = 0;
    m->line_have = m->line_used = 0;
    ipc_byte_stream_init(&m->ends.stream);
    s->state = m;
    int fds[2] = {-1, -1};
    int code = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0;
    for (int role = 0; role < 2; role++)
        m->ends.in_fds[role] = m->ends.out_fds[role] = fds[role];
    return code < 0 ? tbus_fail(err, code, "rpc_unix: socketpair: %s", strerror(-code)) : 0;
}

/* What goes out next: a call or a notification from the client, an answer from the server. */
static json_t *next_object(const ipc_session_t *s, rpc_t *m, size_t text_bytes)
{
    if (s->role == IPC_SERVER)
        return json_pack("{s:s, s:I, s:{s:s%}}", "jsonrpc", "2.0", "id", m->id, "result", "data",
                         m->text, text_bytes);
    if (s->one_way)
        return json_pack("{s:s, s:s, s:{s:s%}}", "jsonrpc", "2.0", "method", "echo", "params",
                         "data", m->text, text_bytes);
    return json_pack("{s:s, s:I, s:s, s:{s:s%}}", "jsonrpc", "2.0", "id", ++m->id, "method", "echo",
                     "params", "data", m->text, text_bytes);
}

static int rpc_send(ipc_session_t *s, const void *message)
{
    rpc_t *m = (rpc_t *)s->state;
    json_t *object =
        next_object(s, m, base64_encode((const unsigned char *)message, s->message_bytes, m->text));
    char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!line)
        return -ENOMEM;
    size_t bytes = strlen(line);
    line[bytes] = '\n'; /* in place of the terminating zero */
    int code = ipc_byte_stream_write(s, m->ends.stream.out_fd, line, bytes + 1);
    free(line);
    return code;
}

/* The next whole line, without its end; valid until the next call. */
static int read_line(ipc_session_t *s, rpc_t *m, const char **out_line, size_t *out_bytes)
{
    size_t looked = m->line_used;
    for (;;) {
        const char *end = (const char *)memchr(m->line + looked, '\n', m->line_have - looked);
        if (end) {
            *out_line = m->line + m->line_used;
            *out_bytes = (size_t)(end - *out_line);
            m->line_used = (size_t)(end - m->line) + 1;
            return 0;
        }
        memmove(m->line, m->line + m->line_used, m->line_have - m->line_used);
        m->line_have -= m->line_used;
        m->line_used = 0;
        looked = m->line_have;
        if (m->line_have == sizeof m->line)
            return -EMSGSIZE;
        ssize_t n = ipc_call(
            s, read(m->ends.stream.in_fd, m->line + m->line_have, sizeof m->line - m->line_have));
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return IPC_END_OF_FILE;
        if (n > 0)
            m->line_have += (size_t)n;
    }
}

/* The server takes calls and notifications, the client the answer to its own call. */
static int unpack(const ipc_session_t *s, rpc_t *m, json_t *object)
{
    const char *text;
    size_t length;
    json_int_t id = 0;
    if (s->role == IPC_SERVER) {
        const char *method;
        if (json_unpack(object, "{s?I, s:s, s:{s:s%}}", "id", &id, "method", &method, "params",
                        "data", &text, &length) < 0 ||
            strcmp(method, "echo") != 0)
            return -EPROTO;
        m->id = id;
    } else if (json_unpack(object, "{s:I, s:{s:s%}}", "id", &id, "result", "data", &text, &length) <
                   0 ||
               id != m->id) {
        return -EPROTO;
    }
    return base64_decode(text, length, s->buffer, s->message_bytes) ? 0 : -EBADMSG;
}

static int rpc_receive(ipc_session_t *s, const void **out_message)
{
    rpc_t *m = (rpc_t *)s->state;
    const char *line = NULL;
    size_t bytes = 0;
    int code = read_line(s, m, &line, &bytes);
    if (code < 0)
        return code;
    json_t *object = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL);
    code = object ? unpack(s, m, object) : -EPROTO;
    json_decref(object);
    *out_message = s->buffer;
    return code;
}

const ipc_mechanism_t ipc_rpc_unix = {
    .name = "rpc_unix",
    .what = "JSON-RPC 2.0 over a Unix stream socket, jansson",
    .family = "remote procedure call",
    .scope = "host",
    .bound = "socket buffer",
    .persistence = "gone with its connection",
    .typical_use = "control, configuration, questions",
    .in_tickbus = "the control socket: `busctl status`, `stop`, `tap`",
    .transfers_data = true,
    .sleeps = true,
    .synchronises = true,
    .setup = rpc_setup,
    .open = ipc_stream_ends_open,
    .release = ipc_stream_ends_close,
    .send = rpc_send,
    .receive = rpc_receive,
    .cleanup = ipc_stream_ends_cleanup,
};
