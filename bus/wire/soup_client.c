/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/wire/soup_client.h"

#include <string.h>

void soup_client_begin(soup_client_t *c, const soup_times_t *times, uint64_t now_ns)
{
    static const soup_times_t usual = SOUP_TIMES;
    memset(c, 0, sizeof *c);
    c->times = times ? *times : usual;
    if (!times)
        c->times.login_ns = c->times.dead_ns;
    c->began_ns = c->heard_ns = c->sent_ns = now_ns;
}

static size_t fail(soup_client_t *c, const char *fault, soup_client_event_t *out_event)
{
    c->state = SOUP_CLIENT_CLOSED;
    out_event->kind = SOUP_CLIENT_FAULT;
    out_event->fault = fault;
    return 0;
}

/* Why a packet of that length and type cannot come now; NULL: it can. */
static const char *wrong(const soup_client_t *c, size_t length, uint8_t type)
{
    bool open = c->state == SOUP_CLIENT_OPEN;
    switch (type) {
    case SOUP_ACCEPTED:
        if (open)
            return "a second answer to the login";
        return length == SOUP_ACCEPTED_BYTES - SOUP_LENGTH_BYTES
                   ? NULL
                   : "a Login Accepted of a wrong length";
    case SOUP_REJECTED:
        if (open)
            return "a second answer to the login";
        return length == SOUP_REJECTED_BYTES - SOUP_LENGTH_BYTES
                   ? NULL
                   : "a Login Rejected of a wrong length";
    case SOUP_SEQUENCED:
    case SOUP_UNSEQUENCED:
        return open ? NULL : "a message before the answer to the login";
    case SOUP_SERVER_HEARTBEAT:
        return length == 1 ? NULL : "a heartbeat with a payload";
    case SOUP_END_OF_SESSION:
        return length == 1 ? NULL : "an End of Session with a payload";
    case SOUP_DEBUG:
        return NULL;
    default:
        return "a packet of a type that no server sends";
    }
}

/* A whole packet that may come now. */
static size_t take_packet(soup_client_t *c, const uint8_t *packet, size_t bytes,
                          soup_client_event_t *out_event)
{
    switch (packet[SOUP_LENGTH_BYTES]) {
    case SOUP_ACCEPTED:
        if (soup_parse_accepted(packet, bytes, &out_event->accepted) < 0)
            return fail(c, "a Login Accepted whose fields are no ASCII or no number", out_event);
        c->state = SOUP_CLIENT_OPEN;
        c->next = out_event->accepted.sequence;
        out_event->kind = SOUP_CLIENT_ACCEPTED;
        break;
    case SOUP_REJECTED:
        c->state = SOUP_CLIENT_CLOSED;
        out_event->kind = SOUP_CLIENT_REJECTED;
        out_event->reason = (char)packet[SOUP_HEADER_BYTES];
        break;
    case SOUP_SEQUENCED:
        out_event->kind = SOUP_CLIENT_MESSAGE;
        out_event->sequence = c->next++;
        break;
    case SOUP_UNSEQUENCED:
        out_event->kind = SOUP_CLIENT_UNSEQUENCED;
        break;
    case SOUP_DEBUG:
        out_event->kind = SOUP_CLIENT_TEXT;
        break;
    case SOUP_END_OF_SESSION:
        c->state = SOUP_CLIENT_CLOSED;
        out_event->kind = SOUP_CLIENT_END;
        out_event->sequence = c->next;
        break;
    default: /* a heartbeat */
        break;
    }
    return bytes;
}

size_t soup_client_take(soup_client_t *c, const uint8_t *bytes, size_t count,
                        soup_client_event_t *out_event)
{
    out_event->kind = SOUP_CLIENT_NOTHING;
    if (c->state == SOUP_CLIENT_CLOSED || count < SOUP_LENGTH_BYTES)
        return 0;
    size_t length = soup_length(bytes);
    if (length == 0)
        return fail(c, "a packet of length 0", out_event);
    if (count < SOUP_HEADER_BYTES)
        return 0;
    const char *fault = wrong(c, length, bytes[SOUP_LENGTH_BYTES]);
    if (fault)
        return fail(c, fault, out_event);
    if (count < SOUP_LENGTH_BYTES + length)
        return 0;
    out_event->data = bytes + SOUP_HEADER_BYTES;
    out_event->bytes = length - 1;
    return take_packet(c, bytes, SOUP_LENGTH_BYTES + length, out_event);
}

enum soup_client_due soup_client_due(const soup_client_t *c, uint64_t now_ns)
{
    if (c->state == SOUP_CLIENT_LOGGING_IN)
        return now_ns >= soup_later(c->began_ns, c->times.login_ns) ? SOUP_CLIENT_DUE_NO_ANSWER
                                                                    : SOUP_CLIENT_DUE_NOTHING;
    if (c->state == SOUP_CLIENT_CLOSED)
        return SOUP_CLIENT_DUE_NOTHING;
    if (now_ns >= soup_later(c->heard_ns, c->times.dead_ns))
        return SOUP_CLIENT_DUE_DEAD;
    return now_ns >= soup_later(c->sent_ns, c->times.heartbeat_ns) ? SOUP_CLIENT_DUE_HEARTBEAT
                                                                   : SOUP_CLIENT_DUE_NOTHING;
}

uint64_t soup_client_deadline(const soup_client_t *c)
{
    if (c->state == SOUP_CLIENT_LOGGING_IN)
        return soup_later(c->began_ns, c->times.login_ns);
    if (c->state == SOUP_CLIENT_CLOSED)
        return UINT64_MAX;
    uint64_t dead_ns = soup_later(c->heard_ns, c->times.dead_ns);
    uint64_t beat_ns = soup_later(c->sent_ns, c->times.heartbeat_ns);
    return dead_ns < beat_ns ? dead_ns : beat_ns;
}
