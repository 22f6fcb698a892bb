/* SPDX-License-Identifier: Apache-2.0 */
/* protocol.h - asking a running bus: JSON-RPC 2.0 (jsonrpc.org/specification) over a Unix stream
 * socket, a line for each message.
 *
 *    {"jsonrpc":"2.0","id":1,"method":"status"}  ->  {"jsonrpc":"2.0","id":1,"result":{...}}
 *
 *    method      params              result
 *    status      -                   the summary so far (summary.h)
 *    stop        -                   {"stopping":true}; the connection is closed when the run ends
 *    attach      -                   {"name","topics":[{"name","type"},...]} and, as SCM_RIGHTS
 *                                    with the first byte, read-only descriptors of the bus
 *                                    directory and of the topics in that order
 *    join        -                   {"name"} and likewise the descriptors of a participant from
 *                                    outside: those of topics on which it may publish or gate, and
 *                                    then that of the directory too, are for reading and writing
 *                                    (tbus_bus_open in <tickbus/open.h> asks this)
 *    risk.halt   {"reason":"..."}    {"halted":true}: risk rejects everything from now on. Again: a
 *                                    new reason. One that does not fit is made to
 *    risk.reduce {"reason":"..."}    {"reducing":true,"halted"}: only closing orders pass from now
 *                                    on; if it is halted, none do as before. Otherwise the same
 *    risk.resume {"reason":"...",    {"halted":false,"reducing"}: orders pass again, or with
 *                 "reduced":BOOL}    "reduced" closing ones. An error when nothing holds them up,
 *                                    or the run is about to end
 *
 * A request may say until when it is wanted, as "deadline_ns" (CLOCK_MONOTONIC, beside "method"):
 * one that the server comes to later is refused, since whoever sent it was told that it failed.
 *
 * The server belongs to the supervisor and never makes it wait: nothing here blocks, a request has
 * a longest length, connections a largest number, and a client that does not read its answer is not
 * listened to. Only our own user and root may ask (SO_PEERCRED). Descriptors that a client sends
 * along are closed by the kernel.
 */
#ifndef TICKBUS_TOOLS_CONTROL_PROTOCOL_H
#define TICKBUS_TOOLS_CONTROL_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <tickbus/bus.h>
#include <tickbus/error.h>

#define CONTROL_REQUEST_MAX 65536u /* bytes of a line */
#define CONTROL_ANSWER_MAX  (4u << 20)
#define CONTROL_CONNECTIONS_MAX                                                                    \
    16u /* one more, and the one that has been silent longest is closed */
#define CONTROL_BATCH_MAX        16u
#define CONTROL_REQUESTS_A_SERVE 4u
#define CONTROL_REASON_MAX       200u /* bytes of a reason */
#define CONTROL_FDS_MAX          (1 + TBUS_TOPICS_MAX)

/* Error codes of the specification, section 5.1. */
enum {
    CONTROL_PARSE_ERROR = -32700,
    CONTROL_INVALID_REQUEST = -32600,
    CONTROL_UNKNOWN_METHOD = -32601,
    CONTROL_INVALID_PARAMS = -32602,
    CONTROL_FAILED = -32000 /* ours: understood, and it failed */
};

/* What a method answers to `peer`: a result, or an error code and text. The server takes over
 * result and descriptors. */
typedef struct control_reply {
    pid_t peer;     /* the process that asks; 0: not to be seen from here */
    uid_t peer_uid; /* its user */
    json_t *result;
    int error; /* 0: none */
    char error_text[TBUS_ERROR_TEXT_MAX];
    size_t fds_count;
    int fds[CONTROL_FDS_MAX];
} control_reply_t;

/* Carry out `method`; `params` may be NULL. Sets reply->result or reply->error. */
typedef void (*control_method_t)(void *context, const char *method, const json_t *params,
                                 control_reply_t *reply);

typedef struct control_server control_server_t;

/* Serve on a listening socket (rundir_listen), which is owned from then on, also when it fails. */
int control_server_open(int listen_fd, control_method_t method, void *context,
                        control_server_t **out_server, tbus_error_t *err);
/* Readable when there is something to serve. */
int control_server_fd(const control_server_t *server);
/* Serve what there is: at most one read, one write and one request a connection, and
 * CONTROL_REQUESTS_A_SERVE in all. Never waits. */
void control_server_serve(control_server_t *server);
/* Is there a request that has come and was not served yet, since others were? Then serve again,
 * though the descriptor may not be readable. */
bool control_server_pending(const control_server_t *server);
/* Why a client could not be let in: -EMFILE, -ENFILE, -ENOMEM ..., at most once a second; else
 * 0. */
int control_server_trouble(control_server_t *server);
/* Accepts NULL. */
void control_server_close(control_server_t *server);

typedef struct control_answer {
    json_t *result; /* to be json_decref'ed */
    size_t fds_count;
    int fds[CONTROL_FDS_MAX]; /* close-on-exec; the caller's */
} control_answer_t;

/* Is it a reason: not empty, not too long, and nothing in it that would make a terminal do
 * things? */
bool control_reason_fits(const char *reason);

/* Ask over a connected socket and wait for the answer. `params` is taken over, NULL: none.
 * -ETIMEDOUT, -ECONNRESET (the bus went away), -EPROTO (no JSON-RPC), -TBUS_ESTOPPED (the bus
 * answered with an error, whose text is in err). */
int control_call(int fd, const char *method, json_t *params, int timeout_ms,
                 control_answer_t *out_answer, tbus_error_t *err);

#endif
