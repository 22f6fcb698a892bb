/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/trial_child.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>

typedef struct child {
    side_t *me;
    const ipc_trial_spec_t *spec;
    const ipc_mechanism_t *mechanism;
    ipc_session_t *session;
    ipc_trial_area_t *area;
    ipc_side_t *mine;
} child_t;

static uint64_t cpu_time_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static uint64_t context_switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_nvcsw + (uint64_t)usage.ru_nivcsw;
}

static int call_failed(child_t *c, const char *call, uint64_t i, int code)
{
    return sides_fail(c->me, code, "%s of message %llu: %s", call, (unsigned long long)i,
                      code == IPC_END_OF_FILE ? "end of file" : strerror(-code));
}

static int send_message(child_t *c, uint64_t i, const void *message)
{
    int code = c->mechanism->send(c->session, message);
    return TBUS_LIKELY(code == 0) ? 0 : call_failed(c, "send", i, code);
}

static int receive_message(child_t *c, uint64_t i, const void **message)
{
    int code = c->mechanism->receive(c->session, message);
    if (TBUS_UNLIKELY(code < 0))
        return call_failed(c, "receive", i, code);
    if (!c->mechanism->transfers_data)
        return 0;
    size_t bytes = c->spec->message_bytes;
    if (TBUS_UNLIKELY(memcmp(*message, ipc_pattern_message(c->area->pattern, i), bytes) != 0))
        return sides_fail(c->me, -EBADMSG, "message %llu of %zu bytes arrived wrong",
                          (unsigned long long)i, bytes);
    return 0;
}

static int client_roundtrip(child_t *c)
{
    const uint64_t begin_ns = tbus_clock_ns();
    const uint64_t warm_ns = begin_ns + c->spec->duration_ns / 10;
    const uint64_t end_ns = begin_ns + c->spec->duration_ns;
    uint64_t sent_ns = begin_ns;
    for (uint64_t i = 0;; i++) {
        bool last = sent_ns >= end_ns;
        if (TBUS_UNLIKELY(last))
            tbus_store_release_u64(&c->area->last, i); /* S7 pairs S8 (serve), as below */
        const void *message = NULL;
        int code = send_message(c, i, ipc_pattern_message(c->area->pattern, i));
        if (code == 0)
            code = receive_message(c, i, &message);
        if (TBUS_UNLIKELY(code < 0))
            return code;
        uint64_t now_ns = tbus_clock_ns();
        if (sent_ns >= warm_ns)
            tbus_histogram_record(&c->area->roundtrips, now_ns - sent_ns);
        sent_ns = now_ns;
        if (TBUS_UNLIKELY(last)) {
            c->mine->messages = i + 1;
            return 0;
        }
    }
}

/* Reading the clock costs as much as ten messages of the fastest mechanism: it is read after 1, 2,
 * 4 ... 64 messages, and no more rarely than a hundred times a trial where messages are slow. */
#define STRIDE_MAX 64u

static int client_stream(child_t *c)
{
    const uint64_t begin_ns = tbus_clock_ns();
    const uint64_t end_ns = begin_ns + c->spec->duration_ns;
    uint64_t looked_ns = begin_ns;
    uint64_t stride = 1;
    uint64_t look_at = 1;
    for (uint64_t i = 0;; i++) {
        bool last = false;
        if (TBUS_UNLIKELY(i == look_at)) {
            uint64_t now_ns = tbus_clock_ns();
            last = now_ns >= end_ns;
            if (now_ns - looked_ns < c->spec->duration_ns / 100) {
                if (stride < STRIDE_MAX)
                    stride *= 2;
            } else {
                stride = 1;
            }
            looked_ns = now_ns;
            look_at = i + stride;
            if (last)
                /* S7 pairs S8 (serve): it is stored before the message that it numbers is sent.
                 * Else the server waits for another one. */
                tbus_store_release_u64(&c->area->last, i);
        }
        int code = send_message(c, i, ipc_pattern_message(c->area->pattern, i));
        if (TBUS_UNLIKELY(code < 0))
            return code;
        if (TBUS_UNLIKELY(last)) {
            c->mine->messages = i + 1;
            return 0;
        }
    }
}

static int serve(child_t *c, bool answers)
{
    for (uint64_t i = 0;; i++) {
        const void *message = NULL;
        int code = receive_message(c, i, &message);
        if (TBUS_UNLIKELY(code < 0))
            return code;
        if (answers && (code = send_message(c, i, message)) < 0)
            return code;
        if (TBUS_UNLIKELY(i == tbus_load_acquire_u64(&c->area->last))) /* S8 pairs S7 */
            return 0;
    }
}

/* One round trip, so that everything is connected; then the server waits for its end. */
static int serve_until_killed(child_t *c)
{
    const void *message = NULL;
    int code = receive_message(c, 0, &message);
    if (code == 0)
        code = send_message(c, 0, message);
    if (code < 0)
        return code;
    sides_enter(c->me, IPC_STAGE_WAITING);
    for (;;)
        pause();
}

static int client_death(child_t *c)
{
    const unsigned char *first = ipc_pattern_message(c->area->pattern, 0);
    const void *message = NULL;
    int code = send_message(c, 0, first);
    if (code == 0)
        code = receive_message(c, 0, &message);
    if (code < 0)
        return code;
    sides_enter(c->me, IPC_STAGE_WAITING);
    if (c->spec->kind == IPC_DEATH_RECEIVE) {
        code = c->mechanism->receive(c->session, &message);
    } else {
        while (!tbus_load_acquire_u32(&c->area->killed)) /* S10 pairs S9 (trial.c) */
            sched_yield();
        for (unsigned i = 0; i < IPC_DEATH_SENDS_MAX; i++) {
            code = c->mechanism->send(c->session, first);
            if (code < 0)
                break;
            tbus_add_own_u64(&c->mine->taken, 1);
        }
    }
    c->mine->code = code;
    c->mine->end_ns = tbus_clock_ns();
    sides_enter(c->me, IPC_STAGE_CALLED);
    return 0;
}

static int exchange(child_t *c)
{
    bool client = c->session->role == IPC_CLIENT;
    switch (c->spec->kind) {
    case IPC_ROUNDTRIP:
        return client ? client_roundtrip(c) : serve(c, true);
    case IPC_STREAM:
        return client ? client_stream(c) : serve(c, false);
    case IPC_DEATH_RECEIVE:
    case IPC_DEATH_SEND:
        return client ? client_death(c) : serve_until_killed(c);
    }
    return -EINVAL;
}

int ipc_child_run(side_t *me, const ipc_trial_spec_t *spec, ipc_session_t *session,
                  ipc_trial_area_t *area)
{
    child_t c = {.me = me,
                 .spec = spec,
                 .mechanism = spec->mechanism,
                 .session = session,
                 .area = area,
                 .mine = &area->sides[session->role]};
    tbus_error_t err;
    int code = c.mechanism->open(session, &err);
    if (code < 0)
        return sides_fail(me, code, "%s", err.text);
    sides_meet(me);

    session->syscalls = 0;
    uint64_t switches = context_switches();
    uint64_t cpu_ns = cpu_time_ns();
    c.mine->begin_ns = tbus_clock_ns();
    code = exchange(&c);
    if (code < 0)
        return code;
    if (spec->kind == IPC_ROUNDTRIP || spec->kind == IPC_STREAM)
        c.mine->end_ns = tbus_clock_ns();
    c.mine->cpu_ns = cpu_time_ns() - cpu_ns;
    c.mine->context_switches = context_switches() - switches;
    c.mine->syscalls = session->syscalls;
    sides_meet(me); /* the other one may still be reading what we sent */
    if (c.mechanism->close)
        c.mechanism->close(session);
    return 0;
}
