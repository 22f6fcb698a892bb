/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/wire/soup_server.h"

#include <assert.h>
#include <string.h>

_Static_assert(sizeof(soup_server_t) < 200, "many sessions are held");

void soup_server_begin(soup_server_t *s, const soup_times_t *times, uint64_t now_ns)
{
    static const soup_times_t usual = SOUP_TIMES;
    memset(s, 0, sizeof *s);
    s->times = times ? *times : usual;
    s->since_ns = s->heard_ns = s->sent_ns = now_ns;
}

void soup_server_end(soup_server_t *s, uint64_t now_ns)
{
    if (s->state == SOUP_SERVER_ENDING)
        return;
    s->state = SOUP_SERVER_ENDING;
    s->since_ns = now_ns;
    s->skip = 0;
    s->held_bytes = 0;
    memset(s->held, 0, sizeof s->held); /* a part of a password */
}

static void fail(soup_server_t *s, enum soup_server_fault fault, soup_server_event_t *out_event)
{
    out_event->kind = SOUP_SERVER_FAULT;
    out_event->fault = fault;
    soup_server_end(s, s->heard_ns);
}

/* Length and type are there: what the packet is, before any of its payload is. */
static void on_header(soup_server_t *s, soup_server_event_t *out_event)
{
    size_t length = soup_length(s->held);
    bool waiting = s->state == SOUP_SERVER_WAITING;
    s->held_bytes = 0; /* unless it is a login, whose payload is wanted */
    switch (s->held[SOUP_LENGTH_BYTES]) {
    case SOUP_DEBUG:
        s->skip = (uint32_t)length - 1;
        return;
    case SOUP_LOGIN:
        if (!waiting)
            fail(s, SOUP_FAULT_SECOND_LOGIN, out_event);
        else if (length != SOUP_LOGIN_BYTES - SOUP_LENGTH_BYTES &&
                 length != SOUP_LOGIN_410_BYTES - SOUP_LENGTH_BYTES)
            fail(s, SOUP_FAULT_LENGTH, out_event);
        else
            s->held_bytes = SOUP_HEADER_BYTES;
        return;
    case SOUP_UNSEQUENCED:
        s->skip = (uint32_t)length - 1;
        break;
    case SOUP_CLIENT_HEARTBEAT:
        if (length != 1)
            fail(s, SOUP_FAULT_LENGTH, out_event);
        break;
    case SOUP_LOGOUT:
        if (length != 1) {
            fail(s, SOUP_FAULT_LENGTH, out_event);
        } else if (!waiting) {
            out_event->kind = SOUP_SERVER_LOGOUT;
            soup_server_end(s, s->heard_ns);
        }
        break;
    default:
        fail(s, SOUP_FAULT_TYPE, out_event);
    }
    if (waiting && s->state != SOUP_SERVER_ENDING)
        fail(s, SOUP_FAULT_BEFORE_LOGIN, out_event);
}

/* The last byte of a login is there. */
static void on_login(soup_server_t *s, soup_server_event_t *out_event)
{
    if (soup_parse_login(s->held, s->held_bytes, &out_event->login) < 0) {
        fail(s, SOUP_FAULT_LOGIN_FIELDS, out_event);
        return;
    }
    out_event->kind = SOUP_SERVER_LOGIN;
    s->state = SOUP_SERVER_DECIDING;
    s->held_bytes = 0;
    memset(s->held, 0, sizeof s->held);
    uint64_t wanted_ns = out_event->login.heartbeat_timeout_ms * UINT64_C(1000000);
    if (s->times.dead_ns < wanted_ns)
        s->times.dead_ns = wanted_ns;
}

static void on_byte(soup_server_t *s, uint8_t byte, soup_server_event_t *out_event)
{
    assert(s->held_bytes < sizeof s->held);
    s->held[s->held_bytes++] = byte;
    if (s->held_bytes < SOUP_LENGTH_BYTES)
        return;
    size_t length = soup_length(s->held);
    if (s->held_bytes == SOUP_LENGTH_BYTES && length == 0)
        fail(s, SOUP_FAULT_LENGTH, out_event);
    else if (s->held_bytes == SOUP_HEADER_BYTES)
        on_header(s, out_event);
    else if (s->held_bytes == SOUP_LENGTH_BYTES + length)
        on_login(s, out_event);
}

size_t soup_server_take(soup_server_t *s, const uint8_t *bytes, size_t count, uint64_t now_ns,
                        soup_server_event_t *out_event)
{
    size_t used = 0;
    memset(out_event, 0, sizeof *out_event);
    if (count)
        s->heard_ns = now_ns;
    while (used < count && out_event->kind == SOUP_SERVER_NOTHING) {
        if (s->state == SOUP_SERVER_ENDING)
            return count;
        if (s->skip) {
            size_t some = count - used < s->skip ? count - used : s->skip;
            s->skip -= (uint32_t)some;
            used += some;
        } else {
            on_byte(s, bytes[used++], out_event);
        }
    }
    return used;
}

size_t soup_server_accept(soup_server_t *s, const soup_accepted_t *accepted, uint64_t now_ns,
                          uint8_t to[SOUP_ACCEPTED_BYTES])
{
    assert(s->state == SOUP_SERVER_DECIDING);
    s->state = SOUP_SERVER_OPEN;
    s->answered = true;
    s->heard_ns = s->sent_ns = now_ns; /* what was waited for until now was not the client */
    return soup_put_accepted(to, accepted);
}

size_t soup_server_reject(soup_server_t *s, char reason, uint64_t now_ns,
                          uint8_t to[SOUP_REJECTED_BYTES])
{
    soup_server_end(s, now_ns);
    if (s->answered)
        return 0;
    s->answered = true;
    return soup_put_rejected(to, reason);
}

size_t soup_server_put_debug(const soup_server_t *s, uint8_t *to, size_t room, const char *text)
{
    return s->state == SOUP_SERVER_OPEN ? soup_put_debug(to, room, text) : 0;
}

/* What will be due next, and when. */
static enum soup_server_due next_due(const soup_server_t *s, uint64_t *out_when_ns)
{
    switch (soup_server_state(s)) {
    case SOUP_SERVER_WAITING:
        *out_when_ns = soup_later(s->since_ns, s->times.login_ns);
        return SOUP_DUE_LOGIN_LATE;
    case SOUP_SERVER_ENDING:
        *out_when_ns = soup_later(s->since_ns, s->times.close_ns);
        return SOUP_DUE_CLOSE;
    case SOUP_SERVER_OPEN: {
        uint64_t beat_ns = soup_later(s->sent_ns, s->times.heartbeat_ns);
        *out_when_ns = soup_later(s->heard_ns, s->times.dead_ns);
        if (s->blocked || *out_when_ns <= beat_ns)
            return SOUP_DUE_DEAD;
        *out_when_ns = beat_ns;
        return SOUP_DUE_HEARTBEAT;
    }
    case SOUP_SERVER_DECIDING:
        break;
    }
    *out_when_ns = UINT64_MAX;
    return SOUP_DUE_NOTHING;
}

enum soup_server_due soup_server_due(const soup_server_t *s, uint64_t now_ns)
{
    /* After a long pause both may be due: no heartbeat for one that is dead. */
    if (s->state == SOUP_SERVER_OPEN && now_ns >= soup_later(s->heard_ns, s->times.dead_ns))
        return SOUP_DUE_DEAD;
    uint64_t when_ns;
    enum soup_server_due due = next_due(s, &when_ns);
    return now_ns >= when_ns ? due : SOUP_DUE_NOTHING;
}

uint64_t soup_server_deadline(const soup_server_t *s)
{
    uint64_t when_ns;
    (void)next_due(s, &when_ns);
    return when_ns;
}

const char *soup_server_fault_text(enum soup_server_fault fault)
{
    switch (fault) {
    case SOUP_FAULT_LENGTH:
        return "a packet of a length that its type does not have";
    case SOUP_FAULT_TYPE:
        return "a packet of a type that no client sends";
    case SOUP_FAULT_BEFORE_LOGIN:
        return "a packet before the login";
    case SOUP_FAULT_SECOND_LOGIN:
        return "a second login";
    case SOUP_FAULT_LOGIN_FIELDS:
        return "a login whose fields are no ASCII or no numbers";
    case SOUP_FAULT_NONE:
        break;
    }
    return "no fault";
}
