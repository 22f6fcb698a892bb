/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/bridge/flight.h"

#include <string.h>

void bridge_flight_init(bridge_flight_t *f, const bridge_flight_options_t *options,
                        bridge_message_t *messages)
{
    memset(f, 0, sizeof *f);
    f->options = *options;
    f->messages = messages;
    f->first = f->next = 1;
}

static bridge_message_t *at(const bridge_flight_t *f, uint64_t ticket)
{
    return &f->messages[ticket & (f->options.capacity - 1)];
}

const bridge_message_t *bridge_flight_oldest(const bridge_flight_t *f)
{
    return f->first == f->next ? NULL : at(f, f->first);
}

/* --- asking --- */

static uint64_t pause_ns(const bridge_flight_t *f)
{
    uint64_t pause = f->options.pause_ns;
    for (uint32_t i = 1; i < f->failures && pause < f->options.pause_ns_max; i++)
        pause *= 2;
    return pause < f->options.pause_ns_max ? pause : f->options.pause_ns_max;
}

static void begin_asking(bridge_flight_t *f, uint64_t now_ns)
{
    f->failures++;
    f->state = BRIDGE_ASKING;
    f->ask_ns = now_ns + pause_ns(f);
}

bool bridge_flight_should_ask(const bridge_flight_t *f, uint64_t now_ns)
{
    return f->state == BRIDGE_ASKING && now_ns >= f->ask_ns;
}

void bridge_flight_asked(bridge_flight_t *f, uint64_t last_sequence)
{
    /* Of what is in flight, that many may be in the stream: the rest is sent again. Should another
     * bridge have put them there it is the same, since they are the same messages. */
    uint64_t grown = last_sequence > f->last_sequence ? last_sequence - f->last_sequence : 0;
    uint64_t uncertain = bridge_flight_count(f);
    uint64_t arrived = grown < uncertain ? grown : uncertain;
    f->resent += uncertain - arrived;
    f->acknowledged += arrived;
    if (arrived)
        f->failures = 0;
    f->first = f->next;
    f->bytes = 0;
    f->last_sequence = last_sequence;
    f->state = BRIDGE_PUBLISHING;
    f->trouble = BRIDGE_ACKED;
    f->asked++;
}

void bridge_flight_not_asked(bridge_flight_t *f, uint64_t now_ns)
{
    begin_asking(f, now_ns);
}

/* --- publishing --- */

bool bridge_flight_has_room(const bridge_flight_t *f, uint64_t bytes)
{
    uint64_t count = bridge_flight_count(f);
    return f->state == BRIDGE_PUBLISHING && count < f->options.capacity &&
           (count == 0 || f->bytes + bytes <= f->options.bytes_max);
}

uint64_t bridge_flight_put(bridge_flight_t *f, const bridge_message_t *message,
                           uint64_t *out_last_sequence)
{
    *out_last_sequence = f->last_sequence + bridge_flight_count(f);
    *at(f, f->next) = *message;
    f->bytes += message->bytes;
    return f->next++;
}

/* --- answers --- */

/* All up to and with this ticket are in the stream. */
static void arrive(bridge_flight_t *f, uint64_t ticket, bridge_arrived_t *arrived, void *context)
{
    for (; f->first <= ticket; f->first++) {
        const bridge_message_t *message = at(f, f->first);
        f->bytes -= message->bytes;
        f->last_sequence++;
        f->acknowledged++;
        if (arrived)
            arrived(context, message);
    }
    f->failures = 0;
}

static bool is_fenced(bridge_flight_t *f, uint64_t now_ns)
{
    if (f->foreign == 0 || now_ns - f->foreign_since_ns > f->options.foreign_ns) {
        f->foreign = 0;
        f->foreign_since_ns = now_ns;
    }
    return ++f->foreign > f->options.foreign_max;
}

static void begin_draining(bridge_flight_t *f, uint64_t now_ns)
{
    f->state = BRIDGE_DRAINING;
    f->drain_until_ns = now_ns + f->options.drain_ns;
}

static void refuse(bridge_flight_t *f, uint64_t ticket, enum bridge_answer answer, uint64_t now_ns)
{
    /* Those behind the first one are refused because of it, and tell nothing more. */
    if (f->state == BRIDGE_PUBLISHING) {
        f->refusals++;
        f->trouble = answer;
        if (answer == BRIDGE_REFUSED && is_fenced(f, now_ns)) {
            f->state = BRIDGE_FENCED;
            return;
        }
        begin_draining(f, now_ns);
    }
    /* Answers come in the order of the stream: behind that to the last ticket there is none. And
     * what is before a refused one was answered, or its answer is on the way. */
    if (f->state == BRIDGE_DRAINING && ticket + 1 == f->next)
        begin_asking(f, now_ns);
}

void bridge_flight_answer(bridge_flight_t *f, uint64_t ticket, enum bridge_answer answer,
                          uint64_t sequence, uint64_t now_ns, bridge_arrived_t *arrived,
                          void *context)
{
    if (ticket < f->first || ticket >= f->next ||
        (f->state != BRIDGE_PUBLISHING && f->state != BRIDGE_DRAINING))
        return;
    if (answer == BRIDGE_ACKED && sequence == f->last_sequence + (ticket - f->first) + 1) {
        arrive(f, ticket, arrived, context);
        if (f->state == BRIDGE_DRAINING && f->first == f->next)
            begin_asking(f, now_ns);
        return;
    }
    /* An ack of another place: the server remembers the message's id, and the message is in the
     * stream where an earlier connection put it. */
    refuse(f, ticket, answer == BRIDGE_ACKED ? BRIDGE_WRONG : answer, now_ns);
}

void bridge_flight_lost(bridge_flight_t *f, uint64_t now_ns)
{
    if (f->state == BRIDGE_FENCED)
        return;
    f->trouble = BRIDGE_UNSERVED;
    if (f->state != BRIDGE_ASKING)
        begin_asking(f, now_ns);
}

bool bridge_flight_tick(bridge_flight_t *f, uint64_t now_ns)
{
    if (f->state == BRIDGE_DRAINING && now_ns >= f->drain_until_ns)
        begin_asking(f, now_ns);
    if (f->state != BRIDGE_PUBLISHING || f->first == f->next ||
        now_ns < at(f, f->first)->sent_ns + f->options.answer_ns)
        return false;
    bridge_flight_lost(f, now_ns);
    return true;
}

uint64_t bridge_flight_due_ns(const bridge_flight_t *f)
{
    switch (f->state) {
    case BRIDGE_ASKING:
        return f->ask_ns;
    case BRIDGE_DRAINING:
        return f->drain_until_ns;
    case BRIDGE_PUBLISHING:
        return f->first == f->next ? UINT64_MAX : at(f, f->first)->sent_ns + f->options.answer_ns;
    default:
        return UINT64_MAX;
    }
}
