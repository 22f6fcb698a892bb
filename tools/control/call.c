/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/control/protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "bus/run/exchange.h"
#include "tools/measure/process_state.h"

_Static_assert(CONTROL_FDS_MAX == TBUS_EXCHANGE_FDS_MAX, "what is received fits an answer");

bool control_reason_fits(const char *reason)
{
    size_t bytes = strnlen(reason, CONTROL_REASON_MAX + 1);
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)reason[i] < 0x20 || reason[i] == 0x7f)
            return false;
    return bytes > 0 && bytes <= CONTROL_REASON_MAX;
}

static void drop(control_answer_t *answer)
{
    json_decref(answer->result);
    for (size_t i = 0; i < answer->fds_count; i++)
        close(answer->fds[i]);
    *answer = (control_answer_t){0};
}

static int send_request(int fd, const char *method, json_t *params, uint64_t deadline_ns,
                        tbus_error_t *err)
{
    json_t *request = json_pack("{s:s, s:i, s:s, s:o*, s:I}", "jsonrpc", "2.0", "id", 1, "method",
                                method, "params", params, "deadline_ns", (json_int_t)deadline_ns);
    char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (!line)
        return tbus_fail(err, -ENOMEM, "no memory for a request");
    size_t bytes = strlen(line);
    line[bytes++] = '\n';
    int code = tbus_exchange_send(fd, line, bytes);
    if (code < 0)
        tbus_fail(err, code, "the bus does not listen: %s", tbus_strerror(code));
    free(line);
    return code;
}

/* Who did not answer, and whether it could. */
static int fail_late(int fd, int timeout_ms, tbus_error_t *err)
{
    struct ucred peer;
    socklen_t bytes = sizeof peer;
    char state = '?';
    uint64_t cpu_ns;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0 ||
        !process_state(peer.pid, &state, &cpu_ns))
        return tbus_fail(err, -ETIMEDOUT, "the bus did not answer within %d ms", timeout_ms);
    if (state == 'T' || state == 't')
        return tbus_fail(err, -ETIMEDOUT,
                         "the bus did not answer within %d ms: its supervisor (process %d) is "
                         "stopped; kill -CONT %d",
                         timeout_ms, (int)peer.pid, (int)peer.pid);
    return tbus_fail(
        err, -ETIMEDOUT, "the bus did not answer within %d ms: its supervisor (process %d) is %s",
        timeout_ms, (int)peer.pid, state == 'D' ? "waiting for a device" : "busy, or has no CPU");
}

/* One line into `line`, of CONTROL_ANSWER_MAX bytes; its length, or a negative error. */
static ssize_t receive_line(int fd, char *line, int timeout_ms, uint64_t deadline_ns,
                            control_answer_t *answer, tbus_error_t *err)
{
    ssize_t bytes = tbus_exchange_receive(fd, deadline_ns, line, CONTROL_ANSWER_MAX, answer->fds,
                                          &answer->fds_count);
    switch (bytes) {
    case -ETIMEDOUT:
        return fail_late(fd, timeout_ms, err);
    case -ECONNRESET:
        return tbus_fail(err, -ECONNRESET, "the bus went away before it had answered");
    case -EMFILE:
        return tbus_fail(err, -EMFILE, "no room for the descriptors of the bus; raise ulimit -n");
    case -EPROTO:
        return tbus_fail(err, -EPROTO, "the answer is longer than %u bytes", CONTROL_ANSWER_MAX);
    default:
        return bytes;
    }
}

static int read_answer(const char *line, size_t bytes, const char *method, control_answer_t *answer,
                       tbus_error_t *err)
{
    json_error_t why;
    json_t *object = json_loadb(line, bytes, 0, &why);
    const json_t *error = json_object_get(object, "error");
    const char *text = json_string_value(json_object_get(error, "message"));
    json_t *result = json_object_get(object, "result");
    int code = 0;
    if (error)
        code = tbus_fail(err, -TBUS_ESTOPPED, "%s", text ? text : "the bus refused");
    else if (!result)
        code = tbus_fail(err, -EPROTO, "%s: the answer is no JSON-RPC: %s", method, why.text);
    else
        answer->result = json_incref(result);
    json_decref(object);
    return code;
}

int control_call(int fd, const char *method, json_t *params, int timeout_ms,
                 control_answer_t *out_answer, tbus_error_t *err)
{
    uint64_t deadline_ns = tbus_clock_ns() + (uint64_t)timeout_ms * 1000000u;
    int code = send_request(fd, method, params, deadline_ns, err);
    if (code < 0)
        return code;
    char *line = malloc(CONTROL_ANSWER_MAX);
    if (!line)
        return tbus_fail(err, -ENOMEM, "no memory for an answer");
    control_answer_t answer = {0};
    ssize_t bytes = receive_line(fd, line, timeout_ms, deadline_ns, &answer, err);
    code = bytes < 0 ? (int)bytes : read_answer(line, (size_t)bytes, method, &answer, err);
    free(line);
    if (code < 0)
        drop(&answer);
    else
        *out_answer = answer;
    return code;
}
