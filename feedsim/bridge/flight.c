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
    f->last_topic = f->owed_topic = BRIDGE_NO_TOPIC;
}

static bridge_message_t *at(const bridge_flight_t *f, uint64_t ticket)
{
    return &f->messages[ticket & (f->options.capacity - 1)];
}

const bridge_message_t *bridge_flight_message(const bridge_flight_t *f, uint64_t ticket)
{
    return at(f, ticket);
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

static bool is_fenced(bridge_flight_t *f, uint64_t now_ns)
{
    if (f->foreign == 0 || now_ns - f->foreign_since_ns > f->options.foreign_ns) {
        f->foreign = 0;
        f->foreign_since_ns = now_ns;
    }
    return ++f->foreign > f->options.foreign_max;
}

/* Of what is in flight, how much may be in the stream? */
static uint64_t perhaps_arrived(const bridge_flight_t *f)
{
    uint64_t count = 0;
    for (uint64_t ticket = f->first; ticket != f->next; ticket++)
        count += !at(f, ticket)->refused;
    return count;
}

/* With replicas: what a connection before this one may still bring is of the topic of the stream's
 * last message, or the one message behind it. */
static void owe(bridge_flight_t *f)
{
    f->settled = false;
    f->owed_topic = f->replicated ? f->last_topic : BRIDGE_NO_TOPIC;
    f->owed_seq = f->last_seq + f->options.sent_max;
}

void bridge_flight_asked(bridge_flight_t *f, const bridge_stream_end_t *end, uint64_t now_ns)
{
    /* Of what is in flight, that many may be in the stream: the rest is sent again. Should another
     * bridge have put them there it is the same, since they are the same messages. */
    uint64_t grown = end->sequence > f->last_sequence ? end->sequence - f->last_sequence : 0;
    uint64_t uncertain = bridge_flight_count(f);
    uint64_t arrived = grown < uncertain ? grown : uncertain;
    bool foreign = f->accused && grown > perhaps_arrived(f);
    f->resent += uncertain - arrived;
    f->acknowledged += arrived;
    if (arrived)
        f->failures = 0;
    f->first = f->next;
    f->answered = 0;
    f->bytes = 0;
    /* A last message that limits have removed since is still the one that we know. */
    if (end->topic != BRIDGE_NO_TOPIC || end->sequence != f->last_sequence) {
        f->last_topic = end->topic;
        f->last_seq = end->seq;
    }
    f->last_sequence = end->sequence;
    f->replicated = end->replicated;
    owe(f);
    f->accused = false;
    f->trouble = BRIDGE_ACKED;
    f->asked++;
    f->state = foreign && is_fenced(f, now_ns) ? BRIDGE_FENCED : BRIDGE_PUBLISHING;
}

void bridge_flight_not_asked(bridge_flight_t *f, uint64_t now_ns)
{
    begin_asking(f, now_ns);
}

/* --- publishing --- */

bool bridge_flight_has_room(const bridge_flight_t *f, uint32_t topic, uint64_t bytes)
{
    uint64_t count = bridge_flight_count(f);
    if (f->state != BRIDGE_PUBLISHING)
        return false;
    if (count == 0)
        return f->owed_topic == BRIDGE_NO_TOPIC || f->owed_topic == topic;
    return at(f, f->next - 1)->topic == topic && (!f->replicated || f->settled) &&
           count < f->options.capacity && f->bytes + bytes <= f->options.bytes_max;
}

uint64_t bridge_flight_mark_max(const bridge_flight_t *f, uint32_t topic, uint64_t seq)
{
    if (!f->replicated)
        return UINT64_MAX;
    if (f->owed_topic == topic && seq <= f->owed_seq)
        return 1;
    return bridge_flight_count(f) == 0 ? UINT64_MAX : 0;
}

/* What a connection before this one had read is in flight now, or in the stream, and no other topic
 * has its turn before all of it is there. */
void bridge_flight_dry(bridge_flight_t *f, uint32_t topic)
{
    if (f->owed_topic == topic)
        f->owed_topic = BRIDGE_NO_TOPIC;
}

uint64_t bridge_flight_put(bridge_flight_t *f, const bridge_message_t *message,
                           bridge_fence_t *out_fence)
{
    uint64_t count = bridge_flight_count(f);
    bridge_fence_t fence = {.last_sequence = f->last_sequence + count};
    if (count) { /* else all of the stream is known for certain */
        const bridge_message_t *before = at(f, f->next - 1);
        fence.names_message = !f->replicated;
        fence.last_seq = before->seq;
        fence.last_end = before->end;
    } else if (message->topic != f->last_topic || message->lost > 1) {
        f->settled = false; /* it travels alone */
    }
    *out_fence = fence;
    *at(f, f->next) = *message;
    at(f, f->next)->answered = at(f, f->next)->acked = at(f, f->next)->refused = false;
    f->bytes += message->bytes;
    return f->next++;
}

/* --- answers --- */

/* Those at the front that are acknowledged are in the stream. */
static void advance(bridge_flight_t *f, bridge_arrived_t *arrived, void *context)
{
    for (; f->first < f->next && at(f, f->first)->acked; f->first++) {
        const bridge_message_t *message = at(f, f->first);
        f->answered--;
        f->bytes -= message->bytes;
        f->last_sequence++;
        f->last_topic = message->topic;
        f->last_seq = message->seq;
        f->settled = true;
        if (f->owed_topic == message->topic && message->seq >= f->owed_seq)
            f->owed_topic = BRIDGE_NO_TOPIC;
        f->acknowledged++;
        f->failures = 0;
        if (arrived)
            arrived(context, message);
    }
}

/* Those behind the first that is refused are so because of it, and tell nothing more. */
static void refuse(bridge_flight_t *f, enum bridge_answer answer, uint64_t now_ns)
{
    if (f->state != BRIDGE_PUBLISHING)
        return;
    f->refusals++;
    f->trouble = answer;
    f->state = BRIDGE_DRAINING;
    f->drain_until_ns = now_ns + f->options.drain_ns;
    f->accused = answer == BRIDGE_REFUSED || answer == BRIDGE_DOUBLED;
}

void bridge_flight_answer(bridge_flight_t *f, uint64_t ticket, enum bridge_answer answer,
                          uint64_t sequence, uint64_t now_ns, bridge_arrived_t *arrived,
                          void *context)
{
    if (ticket < f->first || ticket >= f->next ||
        (f->state != BRIDGE_PUBLISHING && f->state != BRIDGE_DRAINING))
        return;
    bridge_message_t *message = at(f, ticket);
    if (message->answered)
        return;
    message->answered = true;
    f->answered++;
    /* An ack of another place tells that what we take for the stream is another's. */
    if (answer == BRIDGE_ACKED && sequence != f->last_sequence + (ticket - f->first) + 1)
        answer = BRIDGE_WRONG;
    message->acked = answer == BRIDGE_ACKED;
    message->refused = !message->acked && answer != BRIDGE_WRONG && answer != BRIDGE_UNSERVED;
    if (message->acked)
        advance(f, arrived, context);
    else
        refuse(f, answer, now_ns);
    if (f->state == BRIDGE_DRAINING && f->answered == bridge_flight_count(f))
        begin_asking(f, now_ns);
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
