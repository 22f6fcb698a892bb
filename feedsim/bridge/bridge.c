/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/bridge/bridge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>
#include <tickbus/msg/bbo.h>
#include <tickbus/msg/order.h>
#include <tickbus/msg/report.h>
#include <tickbus/msg/tick.h>

#include "feedsim/bridge/flight.h"
#include "feedsim/bridge/symbols.h"
#include "feedsim/gateway/stream.h"
#include "feedsim/serving.h"

#define MS_NS           UINT64_C(1000000)
#define SECOND_NS       UINT64_C(1000000000)
#define SHOW_NS         (100 * MS_NS)
#define NAP_NS          (100 * 1000)  /* while messages come */
#define NAP_NS_FULL     (500 * 1000)  /* when much is in flight */
#define NAP_NS_QUIET    (2 * MS_NS)   /* when none has come for a second */
#define CONNECT_NS      (100 * MS_NS) /* from one attempt to the next, doubled up to */
#define CONNECT_NS_MAX  (2 * SECOND_NS)
#define ELECTS_NS       (10 * SECOND_NS) /* a cluster that has just begun makes no streams */
#define ANSWER_NS       (5 * SECOND_NS)
#define DRAIN_NS        (2 * SECOND_NS)
#define PAUSE_NS        (20 * MS_NS)
#define PAUSE_NS_MAX    SECOND_NS
#define FOREIGN_MAX     8u
#define FOREIGN_NS      (30 * SECOND_NS)
#define BURST           256u  /* messages between two looks at answers */
#define TURN            1024u /* messages of a topic before one that waits has its turn */
#define ANSWERS_AT_ONCE 256u
#define FEW             64u /* messages of a turn: after fewer than that it sleeps, if not long */

typedef struct bridge_topic {
    gateway_source_t source;
    gateway_stream_t *stream;       /* NULL: to be opened at `next_seq` */
    char subject[NATS_SUBJECT_MAX]; /* with the symbol of the last message behind it */
    size_t subject_bytes;           /* without */
    bridge_symbols_t *symbols;      /* NULL: subjects have none */
    uint64_t learned_seq;           /* those before this are in `symbols` */
    uint64_t next_seq;              /* on the topic: to be published next */
    uint64_t unacknowledged_seq;
    uint64_t lost; /* ever, those of bridges before included */
    bool end_sent; /* in flight, or in the stream */
    bool ended;    /* the stream has its end */
    bool drained;  /* nothing was there at the last look */
} bridge_topic_t;

struct bridge {
    tbus_bus_t *bus;
    const char *journal;
    bridge_options_t options;
    char session[NATS_SESSION_MAX];
    bridge_board_t *board;
    nats_publisher_t *publisher;
    bridge_flight_t flight;
    bridge_message_t *messages;
    bridge_topic_t topics[BRIDGE_TOPICS_MAX];
    bool connected;
    bool known;         /* the board said how far an earlier bridge of this bus was */
    bool ending;        /* nothing is published on the bus any more */
    bool counted;       /* the stream was asked how much it has, when it was complete */
    bool fresh;         /* never connected so far */
    tbus_error_t stuck; /* code < 0: something is in the way for good */
    uint32_t connect_failures;
    serving_patience_t patience; /* with topics */
    uint32_t turn_topic;         /* whose messages are in flight, or were last */
    uint32_t turn_count;         /* published in this turn */
    bool yielding;               /* nothing more in this turn: another topic has messages */
    uint64_t now_ns, connect_ns, live_ns, shown_ns;
    uint64_t stream_bytes, stream_messages;
    tbus_atomic_u64_t *counters[BRIDGE_TOTALS_COUNT];
    uint64_t base[BRIDGE_TOTALS_COUNT];
    uint64_t totals[BRIDGE_TOTALS_COUNT];
};

/* --- shown --- */

__attribute__((format(printf, 2, 3))) static void note(const bridge_t *b, const char *format, ...)
{
    va_list arguments;
    if (!b->board)
        return;
    va_start(arguments, format);
    gateway_board_put_note(&b->board->note_version, b->board->note, format, arguments);
    va_end(arguments);
}

/* Of a message: when it was due on the bus, ns since the bus epoch; 0: it has no time. */
static uint64_t bus_time_ns(const gateway_source_t *source, const void *message)
{
    const char *type = source->wire->type;
    if (strcmp(type, "tick") == 0) {
        const tick_t *tick = message;
        return tick_is_warm_up(tick) ? 0 : tick_intended_ns(tick);
    }
    if (strcmp(type, "bbo") == 0)
        return ((const bbo_t *)message)->intended & TICK_NS_MASK;
    if (strcmp(type, "order") == 0)
        return ((const order_t *)message)->sent;
    return ((const report_t *)message)->sent;
}

/* How long the oldest message is there that the stream is not known to have. */
static uint64_t lag_ns(const bridge_t *b)
{
    uint64_t now = tbus_bus_now_ns(b->bus) & TICK_NS_MASK;
    const bridge_message_t *oldest = bridge_flight_oldest(&b->flight);
    uint64_t since = oldest ? oldest->bus_ns : 0;
    for (uint32_t i = 0; !oldest && i < b->options.topics_count; i++) {
        const bridge_topic_t *t = &b->topics[i];
        size_t bytes;
        const void *message =
            t->stream && !t->drained ? gateway_stream_message(t->stream, &bytes) : NULL;
        uint64_t time_ns = message ? bus_time_ns(&t->source, message) : 0;
        if (time_ns && (!since || time_ns < since))
            since = time_ns;
    }
    uint64_t lag = since ? tick_ns_since(now, since) : 0;
    return lag > TICK_NS_MASK / 2 ? 0 : lag; /* due only later: it came before its time */
}

/* The sequence that the next message of the topic will have. False: that cannot be read. */
static bool find_next_seq(const bridge_topic_t *t, uint64_t *out_next)
{
    if (gateway_source_next_seq(&t->source, out_next, NULL) < 0)
        return false;
    *out_next += t->source.first_seq - 1;
    return true;
}

/* Messages that the stream is not known to have. False: that cannot be read. */
static bool find_lag(const bridge_topic_t *t, uint64_t *out_lag)
{
    uint64_t next;
    if (!find_next_seq(t, &next))
        return false;
    *out_lag = next > t->unacknowledged_seq ? next - t->unacknowledged_seq : 0;
    return true;
}

static void show_topic(const bridge_topic_t *t, bridge_board_topic_t *shown)
{
    uint64_t lag;
    tbus_store_relaxed_u64(&shown->unacknowledged_seq, t->unacknowledged_seq);
    tbus_store_relaxed_u64(&shown->lost, t->lost);
    tbus_store_relaxed_u64(&shown->ended, t->ended);
    if (find_lag(t, &lag))
        tbus_store_relaxed_u64(&shown->lag_messages, lag);
}

static void show(bridge_t *b)
{
    bridge_board_t *board = b->board;
    b->shown_ns = b->now_ns;
    b->totals[BRIDGE_TOTAL_acknowledged] = b->flight.acknowledged;
    b->totals[BRIDGE_TOTAL_resent] = b->flight.resent;
    b->totals[BRIDGE_TOTAL_refusals] = b->flight.refusals;
    b->totals[BRIDGE_TOTAL_asked] = b->flight.asked;
    gateway_board_put_totals(b->counters, board ? board->totals : NULL, b->base, b->totals,
                             BRIDGE_TOTALS_COUNT);
    if (!board)
        return;
    for (uint32_t i = 0; i < b->options.topics_count; i++)
        show_topic(&b->topics[i], &board->topics[i]);
    gateway_board_put_text(board->stream, BRIDGE_STREAM_WORDS, nats_publisher_stream(b->publisher));
    gateway_board_put_text(board->server, BRIDGE_SERVER_WORDS,
                           b->connected ? nats_publisher_server(b->publisher) : b->options.way.url);
    tbus_store_relaxed_u32(&board->connected, b->connected);
    tbus_store_relaxed_u32(&board->state, b->flight.state);
    tbus_store_relaxed_u64(&board->in_flight, bridge_flight_count(&b->flight));
    tbus_store_relaxed_u64(&board->lag_ns, lag_ns(b));
    tbus_store_relaxed_u64(&board->stream_sequence, b->flight.last_sequence);
    tbus_store_relaxed_u64(&board->stream_bytes, b->stream_bytes);
    tbus_store_relaxed_u64(&board->stream_messages, b->stream_messages);
    tbus_store_relaxed_u64(&board->updated_ns, b->now_ns);
}

/* What an earlier bridge of this bus has left there is taken up. */
static void take_board(bridge_t *b)
{
    static const char *const names[] = {
#define X(name, text) "bridge." #name,
        BRIDGE_TOTALS(X)
#undef X
    };
    bridge_board_t *board = b->board;
    /* A bus that was joined as an observer has no counters for us to write. */
    tbus_bus_t *counting = b->bus->owner ? b->bus : NULL;
    gateway_board_take_totals(counting, names, board ? board->totals : NULL, b->counters, b->base,
                              BRIDGE_TOTALS_COUNT);
    b->totals[BRIDGE_TOTAL_starts] = 1;
    b->known = board && tbus_load_relaxed_u64(&board->totals[BRIDGE_TOTAL_asked]) != 0;
    b->fresh = !b->known;
    for (uint32_t i = 0; i < b->options.topics_count; i++) {
        bridge_topic_t *t = &b->topics[i];
        t->next_seq = t->unacknowledged_seq = t->learned_seq = t->source.first_seq;
        if (b->known)
            t->lost = tbus_load_relaxed_u64(&board->topics[i].lost);
        uint64_t noted = b->known ? tbus_load_relaxed_u64(&board->topics[i].unacknowledged_seq) : 0;
        if (noted)
            t->unacknowledged_seq = noted;
        if (board)
            gateway_board_put_text(board->topics[i].name, GATEWAY_TEXT_WORDS, t->source.topic);
    }
    if (!board)
        return;
    gateway_board_put_text(board->session_name, 2, b->session);
    tbus_store_relaxed_u32(&board->topics_count, b->options.topics_count);
    tbus_store_relaxed_u32(&board->pid, (uint32_t)getpid());
}

/* --- made --- */

static int check_topics(const bridge_options_t *options, tbus_error_t *err)
{
    if (options->topics_count == 0 || options->topics_count > BRIDGE_TOPICS_MAX)
        return tbus_fail(err, -TBUS_ECONFIG, "a bridge has 1 to %u topics", BRIDGE_TOPICS_MAX);
    for (uint32_t i = 0; i < options->topics_count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(options->topics[i], options->topics[k]) == 0)
                return tbus_fail(err, -TBUS_ECONFIG, "topic '%s' is given to the bridge twice",
                                 options->topics[i]);
    return 0;
}

static int add_symbols(bridge_t *b, tbus_error_t *err)
{
    for (uint32_t i = 0; b->options.symbols && i < b->options.topics_count; i++) {
        b->topics[i].symbols = calloc(1, sizeof *b->topics[i].symbols);
        if (!b->topics[i].symbols)
            return tbus_fail(err, -ENOMEM, "no memory for the symbols of topic '%s'",
                             b->options.topics[i]);
    }
    return 0;
}

int bridge_create(tbus_bus_t *bus, const char *journal, const bridge_options_t *options,
                  bridge_board_t *board, bridge_t **out_bridge, tbus_error_t *err)
{
    int code = check_topics(options, err);
    bridge_t *b = code == 0 ? calloc(1, sizeof *b) : NULL;
    if (code < 0)
        return code;
    if (!b)
        return tbus_fail(err, -ENOMEM, "no memory for a bridge");
    b->bus = bus;
    b->journal = journal;
    b->options = *options;
    b->board = board;
    snprintf(b->session, sizeof b->session, "%.*s", (int)sizeof b->session - 1,
             bus->directory->session_name);
    b->options.wish.bus = bus->directory->name;
    b->options.wish.session = b->session;
    b->messages = calloc(options->in_flight_max, sizeof *b->messages);
    code = b->messages
               ? nats_publisher_create(&b->options.way, &b->options.wish, &b->publisher, err)
               : tbus_fail(err, -ENOMEM, "no memory for %u messages in flight",
                           options->in_flight_max);
    const bridge_flight_options_t flight = {.capacity = options->in_flight_max,
                                            .bytes_max = options->in_flight_bytes,
                                            .answer_ns = ANSWER_NS,
                                            .drain_ns = DRAIN_NS,
                                            .sent_max = BRIDGE_IN_FLIGHT_MAX,
                                            .foreign_max = FOREIGN_MAX,
                                            .foreign_ns = FOREIGN_NS,
                                            .pause_ns = PAUSE_NS,
                                            .pause_ns_max = PAUSE_NS_MAX};
    if (code < 0) {
        bridge_destroy(b);
        return code;
    }
    bridge_flight_init(&b->flight, &flight, b->messages);
    code = add_symbols(b, err);
    if (code < 0) {
        bridge_destroy(b);
        return code;
    }
    *out_bridge = b;
    return 0;
}

void bridge_destroy(bridge_t *b)
{
    if (!b)
        return;
    nats_publisher_destroy(b->publisher);
    for (uint32_t i = 0; i < b->options.topics_count; i++) {
        gateway_stream_close(b->topics[i].stream);
        free(b->topics[i].symbols);
    }
    free(b->messages);
    free(b);
}

/* --- connected --- */

static int connect_now(bridge_t *b, tbus_error_t *err)
{
    int code = nats_publisher_connect(b->publisher, err);
    b->now_ns = tbus_clock_ns();
    if (code < 0)
        return code;
    b->connected = true;
    b->connect_failures = 0;
    b->totals[BRIDGE_TOTAL_connects]++;
    for (uint32_t i = 0; i < b->options.topics_count; i++) {
        bridge_topic_t *t = &b->topics[i];
        if (!nats_subject(nats_publisher_stream(b->publisher), b->options.topics[i], NULL,
                          t->subject))
            return tbus_fail(err, -TBUS_ECONFIG, "topic '%s' has no subject", b->options.topics[i]);
        t->subject_bytes = strlen(t->subject);
    }
    if (!b->fresh)
        note(b, "connected to %s", nats_publisher_server(b->publisher));
    b->fresh = false;
    return 0;
}

/* These do not pass by themselves. */
static bool is_for_good(int code)
{
    return code == -TBUS_EEXISTS || code == -TBUS_ECONFIG || code == -TBUS_EFORMAT;
}

static void disconnect(bridge_t *b, const char *why)
{
    if (b->connected)
        b->totals[BRIDGE_TOTAL_disconnects]++;
    b->connected = false;
    nats_publisher_disconnect(b->publisher);
    b->now_ns = tbus_clock_ns();
    b->connect_ns = b->now_ns;
    bridge_flight_lost(&b->flight, b->now_ns);
    note(b, "%s", why);
}

/* Connected, or it is not yet time, or it failed: 0. */
static int connect_again(bridge_t *b, tbus_error_t *err)
{
    tbus_error_t why = {0};
    if (b->now_ns < b->connect_ns)
        return 0;
    int code = connect_now(b, &why);
    if (code == 0)
        return 0;
    if (is_for_good(code))
        return tbus_fail(err, code, "%s", why.text);
    uint64_t wait_ns = CONNECT_NS << (b->connect_failures < 5 ? b->connect_failures : 5);
    b->connect_failures++;
    b->connect_ns = b->now_ns + (wait_ns < CONNECT_NS_MAX ? wait_ns : CONNECT_NS_MAX);
    note(b, "%s", why.text);
    return 0;
}

/* --- asked --- */

static int reposition(bridge_t *b, uint32_t index, const nats_topic_last_t *last,
                      const nats_stream_last_t *stream, tbus_error_t *err)
{
    bridge_topic_t *t = &b->topics[index];
    uint64_t next = last->there ? last->seq + 1 : t->source.first_seq;
    if (!last->there && stream->removed && !b->known)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "stream '%s' has no message of topic '%s' any more, its limits have "
                         "removed some, and nobody knows how far it was: name another stream, "
                         "whose limits keep the last message of each topic",
                         nats_publisher_stream(b->publisher), t->source.topic);
    if (!last->there && stream->removed)
        next = t->unacknowledged_seq;
    t->ended = t->end_sent = last->ended;
    t->unacknowledged_seq = next;
    if (t->next_seq != next || !t->stream) {
        gateway_stream_close(t->stream);
        t->stream = NULL;
        t->next_seq = next;
    }
    t->drained = false;
    return 0;
}

/* What was told of losses and is not in the stream will be told anew, with more of them. */
static void take_back_losses(bridge_t *b)
{
    for (uint64_t ticket = b->flight.first; ticket != b->flight.next; ticket++) {
        const bridge_message_t *m = bridge_flight_message(&b->flight, ticket);
        bridge_topic_t *t = &b->topics[m->topic];
        if (m->lost && m->seq >= t->next_seq) {
            b->totals[BRIDGE_TOTAL_lost] -= m->lost;
            t->lost -= m->lost;
        }
    }
}

/* Whose message is the stream's last one? */
static bridge_stream_end_t end_of(const bridge_t *b, const nats_stream_last_t *stream,
                                  const nats_topic_last_t *lasts)
{
    bridge_stream_end_t end = {
        .sequence = stream->sequence, .topic = BRIDGE_NO_TOPIC, .replicated = stream->replicated};
    for (uint32_t i = 0; i < b->options.topics_count; i++)
        if (lasts[i].there && lasts[i].sequence == stream->sequence) {
            end.topic = i;
            end.seq = lasts[i].seq;
        }
    return end;
}

/* How far is the stream? Then publishing goes on there. */
static int ask(bridge_t *b, tbus_error_t *err)
{
    nats_stream_last_t stream;
    nats_topic_last_t lasts[BRIDGE_TOPICS_MAX];
    tbus_error_t why = {0};
    int code = nats_publisher_ask(b->publisher, b->options.topics, b->options.topics_count, &stream,
                                  lasts, &why);
    b->now_ns = tbus_clock_ns();
    if (code < 0 && is_for_good(code))
        return tbus_fail(err, code, "%s", why.text);
    if (code == -TBUS_ENOTFOUND) { /* who connects makes it anew, and all is sent again */
        disconnect(b, "the stream was removed; it is made again");
        return 0;
    }
    if (code < 0) {
        note(b, "%s", why.text);
        bridge_flight_not_asked(&b->flight, b->now_ns);
        return 0;
    }
    for (uint32_t i = 0; i < b->options.topics_count; i++) {
        code = reposition(b, i, &lasts[i], &stream, err);
        if (code < 0)
            return code;
    }
    take_back_losses(b);
    const bridge_stream_end_t end = end_of(b, &stream, lasts);
    bridge_flight_asked(&b->flight, &end, b->now_ns);
    b->stream_bytes = stream.bytes;
    b->stream_messages = stream.messages;
    b->known = true;
    return 1;
}

/* --- answers --- */

static void arrived(void *context, const bridge_message_t *message)
{
    bridge_t *b = context;
    bridge_topic_t *t = &b->topics[message->topic];
    t->ended = message->end;
    t->unacknowledged_seq = message->seq + 1;
}

static enum bridge_answer meaning(const nats_answer_t *a)
{
    switch (a->kind) {
    case NATS_ANSWER_STORED:
        return BRIDGE_ACKED;
    case NATS_ANSWER_DUPLICATE:
        return BRIDGE_DOUBLED;
    case NATS_ANSWER_OTHER_LAST:
        return BRIDGE_REFUSED;
    case NATS_ANSWER_FULL:
        return BRIDGE_FULL;
    case NATS_ANSWER_UNSERVED:
        return BRIDGE_UNSERVED;
    default:
        return BRIDGE_WRONG;
    }
}

static void tell_refusal(const bridge_t *b, const nats_answer_t *a)
{
    const char *stream = nats_publisher_stream(b->publisher);
    switch (a->kind) {
    case NATS_ANSWER_STORED:
    case NATS_ANSWER_DUPLICATE:
        note(b, "a message was in stream '%s' already: the stream is asked how far it is", stream);
        break;
    case NATS_ANSWER_UNSERVED:
        note(b, "nobody keeps stream '%s' now (%s); it is tried again", stream, a->text);
        break;
    default:
        note(b, "stream '%s' takes no more: %s; it is tried again", stream, a->text);
    }
}

static uint32_t take_answers(bridge_t *b)
{
    nats_incoming_answer_t answers[ANSWERS_AT_ONCE];
    uint32_t count = nats_publisher_answers(b->publisher, answers, ANSWERS_AT_ONCE);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t refusals = b->flight.refusals;
        bridge_flight_answer(&b->flight, answers[i].ticket, meaning(&answers[i].answer),
                             answers[i].answer.sequence, b->now_ns, arrived, b);
        if (b->flight.refusals != refusals)
            tell_refusal(b, &answers[i].answer);
    }
    return count;
}

/* --- publishing --- */

/* False: it could not be sent, and the connection is gone. */
static bool put(bridge_t *b, uint32_t index, nats_outgoing_t *m, uint64_t bus_ns)
{
    bridge_topic_t *t = &b->topics[index];
    tbus_error_t why = {0};
    bridge_fence_t fence;
    const bridge_message_t message = {.topic = index,
                                      .bytes = (uint32_t)m->bytes,
                                      .seq = m->seq,
                                      .lost = m->lost,
                                      .end = m->end,
                                      .bus_ns = bus_ns,
                                      .sent_ns = b->now_ns};
    m->ticket = bridge_flight_put(&b->flight, &message, &fence);
    m->last_sequence = fence.last_sequence;
    m->names_message = fence.names_message;
    m->last_seq = fence.last_seq;
    m->last_end = fence.last_end;
    m->subject = t->subject;
    m->topic = t->source.topic;
    int code = nats_publisher_put(b->publisher, m, &why);
    if (code == -EMSGSIZE)
        tbus_fail(&b->stuck, -TBUS_ECONFIG,
                  "message %" PRIu64 " of topic '%s', %zu bytes and its headers, is more than NATS "
                  "at %s takes: raise max_payload in the server's configuration",
                  m->seq, m->topic, m->bytes, nats_publisher_server(b->publisher));
    if (code < 0) {
        disconnect(b, why.text);
        return false;
    }
    b->totals[BRIDGE_TOTAL_published]++;
    b->totals[BRIDGE_TOTAL_published_bytes] += m->bytes;
    return true;
}

/* The topic's, with the symbol of the message, if that is known. */
static void set_subject(bridge_topic_t *t, const void *message, size_t bytes)
{
    t->subject[t->subject_bytes] = 0;
    const char *symbol = t->symbols && message
                             ? bridge_symbol_of(t->symbols, t->source.wire->type, message, bytes)
                             : NULL;
    if (symbol)
        (void)nats_subject_add_symbol(t->subject, t->subject_bytes, symbol);
}

static bool put_message(bridge_t *b, uint32_t index, const uint8_t *data, size_t bytes)
{
    bridge_topic_t *t = &b->topics[index];
    size_t held;
    const void *message = gateway_stream_message(t->stream, &held);
    uint64_t bus_ns = message ? bus_time_ns(&t->source, message) : 0;
    bool tick = message && strcmp(t->source.wire->type, "tick") == 0;
    nats_outgoing_t m = {.type = message ? t->source.wire->type : NATS_TYPE_VOID,
                         .seq = t->next_seq,
                         .time_ns = bus_ns ? b->bus->directory->started_realtime_ns + bus_ns : 0,
                         .warm_up = tick && tick_is_warm_up(message),
                         .data = data,
                         .bytes = message ? bytes : 0};
    set_subject(t, message, held);
    gateway_stream_advance(t->stream);
    t->next_seq++;
    if (t->learned_seq < t->next_seq)
        t->learned_seq = t->next_seq;
    return put(b, index, &m, bus_ns);
}

/* The first sequence that the stream of the topic still gives. */
static uint64_t stream_seq(const bridge_topic_t *t)
{
    return gateway_stream_next_seq(t->stream) + t->source.first_seq - 1;
}

/* A mark for messages from the next one on that are lost, or for some of them. */
static bool put_lost(bridge_t *b, uint32_t index, uint64_t count)
{
    bridge_topic_t *t = &b->topics[index];
    char text[160];
    uint64_t next = t->next_seq + count;
    nats_outgoing_t m = {.type = NATS_TYPE_LOST, .seq = next - 1, .lost = count, .data = text};
    m.bytes = (size_t)snprintf(text, sizeof text, "messages %" PRIu64 " to %" PRIu64 " %s",
                               t->next_seq, next - 1, gateway_stream_why(t->stream));
    if (m.bytes >= sizeof text)
        m.bytes = sizeof text - 1;
    b->totals[BRIDGE_TOTAL_lost] += count;
    t->lost += count;
    note(b, "topic %s: %s: the stream says so", t->source.topic, text);
    t->next_seq = next;
    set_subject(t, NULL, 0);
    return put(b, index, &m, 0);
}

static bool put_end(bridge_t *b, uint32_t index)
{
    bridge_topic_t *t = &b->topics[index];
    nats_outgoing_t m = {.type = NATS_TYPE_END, .seq = t->next_seq - 1, .end = true};
    t->end_sent = true;
    set_subject(t, NULL, 0);
    return put(b, index, &m, 0);
}

/* Nothing more is published on the bus: is all of the topic read? */
static bool is_read(const bridge_topic_t *t)
{
    uint64_t next;
    return find_next_seq(t, &next) && t->next_seq >= next;
}

static void learn_run(bridge_topic_t *t, gateway_stream_t *stream, const gateway_stream_run_t *run,
                      uint64_t most)
{
    uint32_t count = run->count < most ? run->count : (uint32_t)most;
    for (uint32_t i = 0; i < count; i++)
        (void)bridge_symbol_of(t->symbols, t->source.wire->type,
                               run->messages + (size_t)i * TBUS_HISTORY_STRIDE, run->bytes[i]);
    if (count)
        gateway_stream_pass(stream, count);
    else
        gateway_stream_advance(stream); /* it never was a message */
}

/* Symbols of the messages before the next one, when another bridge has published them. */
static int learn_symbols(bridge_topic_t *t, tbus_error_t *err)
{
    gateway_stream_t *stream;
    gateway_stream_run_t run;
    int code =
        gateway_stream_open(&t->source, t->learned_seq - t->source.first_seq + 1, &stream, err);
    if (code < 0)
        return code;
    uint64_t to = t->next_seq - t->source.first_seq + 1;
    do {
        code = gateway_stream_run(stream, &run, err);
        if (code == GATEWAY_STREAM_MESSAGE)
            learn_run(t, stream, &run, to - gateway_stream_next_seq(stream));
    } while (code > 0 && code != GATEWAY_STREAM_ENDED && gateway_stream_next_seq(stream) < to);
    gateway_stream_close(stream);
    t->learned_seq = t->next_seq;
    return code < 0 ? code : 0;
}

static int open_topic(bridge_topic_t *t, tbus_error_t *err)
{
    int code = t->symbols && t->learned_seq < t->next_seq ? learn_symbols(t, err) : 0;
    if (code < 0)
        return code;
    return gateway_stream_open(&t->source, t->next_seq - t->source.first_seq + 1, &t->stream, err);
}

/* What comes next on a topic; a loss that is marked in part comes again. */
static int look(bridge_t *b, uint32_t index, const uint8_t **out_data, size_t *out_bytes,
                tbus_error_t *err)
{
    bridge_topic_t *t = &b->topics[index];
    int code = t->stream ? 0 : open_topic(t, err);
    if (code < 0)
        return code;
    if (stream_seq(t) != t->next_seq)
        return GATEWAY_STREAM_LOST;
    int outcome = gateway_stream_peek(t->stream, out_data, out_bytes, err);
    t->drained = outcome == GATEWAY_STREAM_NOTHING;
    if (t->drained && b->ending && is_read(t))
        return GATEWAY_STREAM_ENDED;
    return outcome;
}

/* Put what `look` has found. 0: it is nothing, or has to wait; else 1. */
static int put_next(bridge_t *b, uint32_t index, int outcome, const uint8_t *data, size_t bytes)
{
    bridge_topic_t *t = &b->topics[index];
    if (outcome == GATEWAY_STREAM_LOST) {
        uint64_t lost = stream_seq(t) - t->next_seq;
        uint64_t most = bridge_flight_mark_max(&b->flight, index, t->next_seq);
        if (most == 0)
            return 0;
        (void)put_lost(b, index, lost < most ? lost : most);
        return 1;
    }
    if (!bridge_flight_has_room(&b->flight, index, bytes))
        return 0;
    if (outcome == GATEWAY_STREAM_ENDED)
        (void)put_end(b, index);
    else
        (void)put_message(b, index, data, bytes);
    return 1;
}

/* Up to a burst of one topic. How many went out; negative: it cannot be read. */
static int publish_topic(bridge_t *b, uint32_t index, tbus_error_t *err)
{
    const bridge_topic_t *t = &b->topics[index];
    int count = 0;
    while (count < (int)BURST && b->connected && !t->end_sent &&
           bridge_flight_has_room(&b->flight, index, 0)) {
        const uint8_t *data = NULL;
        size_t bytes = 0;
        int outcome = look(b, index, &data, &bytes, err);
        if (outcome < 0)
            return outcome;
        if (outcome == GATEWAY_STREAM_NOTHING)
            break;
        if (outcome != GATEWAY_STREAM_BUSY && put_next(b, index, outcome, data, bytes) == 0)
            return count;
        count++;
    }
    if (t->end_sent || t->drained)
        bridge_flight_dry(&b->flight, index);
    return count;
}

/* Has another topic something to be published? */
static int others_wait(bridge_t *b, uint32_t index, uint32_t *out_failed, tbus_error_t *err)
{
    for (uint32_t i = 0; i < b->options.topics_count; i++) {
        const uint8_t *data;
        size_t bytes;
        int outcome = i == index || b->topics[i].end_sent ? 0 : look(b, i, &data, &bytes, err);
        *out_failed = i;
        if (outcome < 0)
            return outcome;
        if (outcome != GATEWAY_STREAM_NOTHING && outcome != GATEWAY_STREAM_BUSY)
            return 1;
    }
    return 0;
}

/* A topic could not be read. */
static int bear_error(bridge_t *b, const bridge_topic_t *t, int code, const tbus_error_t *why,
                      tbus_error_t *err)
{
    b->totals[BRIDGE_TOTAL_read_errors]++;
    note(b, "topic %s cannot be read for now: %s", t->source.topic, why->text);
    return serving_bears(&b->patience, code, b->now_ns)
               ? 0
               : tbus_fail(err, code, "the bridge cannot read topic '%s': %s", t->source.topic,
                           why->text);
}

/* Messages of one topic are in flight: more of it, until others have waited long enough. */
static int go_on_turn(bridge_t *b, uint32_t *out_failed, tbus_error_t *err)
{
    uint32_t index = *out_failed = b->turn_topic;
    int count = b->yielding ? 0 : publish_topic(b, index, err);
    if (count < 0 || b->yielding)
        return count;
    b->turn_count += (uint32_t)count;
    if (b->options.topics_count > 1 && (b->topics[index].drained || b->turn_count >= TURN)) {
        int waits = others_wait(b, index, out_failed, err);
        if (waits < 0)
            return waits;
        b->yielding = waits > 0;
    }
    return count;
}

/* Nothing is in flight: the next topic that has something. */
static int begin_turn(bridge_t *b, uint32_t *out_failed, tbus_error_t *err)
{
    uint32_t topics = b->options.topics_count, last = b->turn_topic;
    int done = 0;
    for (uint32_t i = 1; i <= topics && bridge_flight_count(&b->flight) == 0; i++) {
        uint32_t index = *out_failed = (last + i) % topics;
        int count = publish_topic(b, index, err);
        if (count < 0)
            return count;
        done += count;
        b->turn_topic = index;
        b->turn_count = (uint32_t)count;
        b->yielding = false;
    }
    return done;
}

/* So little may be put in flight that it is better waited until it is more: a server takes hundreds
 * of messages that come at once for the price of some that come one by one, and it has enough to
 * do. */
static bool is_full(const bridge_t *b)
{
    const bridge_flight_options_t *o = &b->flight.options;
    uint64_t room = o->capacity - bridge_flight_count(&b->flight);
    return (room < FEW && room < o->capacity / 8) ||
           b->flight.bytes > o->bytes_max - o->bytes_max / 8;
}

static int publish(bridge_t *b, tbus_error_t *err)
{
    tbus_error_t why = {0};
    uint32_t failed = 0;
    if (serving_waits(&b->patience, b->now_ns) || is_full(b) ||
        nats_publisher_is_choked(b->publisher))
        return 0;
    int done = bridge_flight_count(&b->flight) > 0 ? go_on_turn(b, &failed, &why)
                                                   : begin_turn(b, &failed, &why);
    if (done < 0)
        return bear_error(b, &b->topics[failed], done, &why, err);
    serving_goes_on(&b->patience);
    if (done)
        b->live_ns = b->now_ns;
    return done;
}

/* --- started --- */

/* The first connection. Where the server is there and serves no streams, it may be about to. */
static int connect_first(bridge_t *b, tbus_error_t *err)
{
    tbus_error_t why = {0};
    uint64_t until_ns = b->now_ns + ELECTS_NS;
    int code = connect_now(b, &why);
    for (bool waits = code == -EAGAIN;
         waits && code < 0 && !is_for_good(code) && b->now_ns < until_ns;
         code = connect_now(b, &why)) {
        note(b, "%s", why.text);
        nanosleep(&(struct timespec){.tv_nsec = (long)CONNECT_NS}, NULL);
    }
    return code < 0 ? tbus_fail(err, code, "%s", why.text) : 0;
}

int bridge_start(bridge_t *b, tbus_error_t *err)
{
    int code = 0;
    for (uint32_t i = 0; code == 0 && i < b->options.topics_count; i++)
        code = gateway_source_find(b->bus, b->journal, b->options.topics[i], &b->topics[i].source,
                                   err);
    if (code < 0)
        return code;
    take_board(b);
    b->now_ns = tbus_clock_ns();
    code = b->fresh ? connect_first(b, err) : connect_again(b, err);
    if (code == 0 && b->connected) {
        code = ask(b, err);
        code = code > 0 ? 0 : code;
    }
    show(b);
    return code;
}

/* --- turned --- */

static int tell_fenced(const bridge_t *b, tbus_error_t *err)
{
    return tbus_fail(err, -TBUS_EEXISTS,
                     "another bridge publishes this session to stream '%s': %u messages of ours "
                     "were refused for one of its own within %u s; nothing is doubled or missing",
                     nats_publisher_stream(b->publisher), b->flight.foreign,
                     (unsigned)(FOREIGN_NS / SECOND_NS));
}

static int turn(bridge_t *b, tbus_error_t *err)
{
    int done = 0;
    tbus_error_t why = {0};
    if (b->connected && !nats_publisher_connected(b->publisher, &why))
        disconnect(b, why.text);
    if (!b->connected) {
        int code = connect_again(b, err);
        return code < 0 ? code : b->connected;
    }
    nats_publisher_turn(b->publisher, b->now_ns);
    /* Else some more are better waited for. */
    if (take_answers(b) == ANSWERS_AT_ONCE)
        done++;
    if (bridge_flight_tick(&b->flight, b->now_ns)) {
        disconnect(b, "NATS does not answer; the connection is made anew");
        return 1;
    }
    if (b->flight.state == BRIDGE_FENCED)
        return tell_fenced(b, err);
    if (bridge_flight_should_ask(&b->flight, b->now_ns)) {
        int code = ask(b, err);
        if (code <= 0)
            return code;
        done++;
    }
    if (b->flight.state == BRIDGE_PUBLISHING) {
        int code = publish(b, err);
        if (code < 0)
            return code;
        if (code >= (int)FEW)
            done++;
    }
    return done;
}

/* What it had when it was asked last was long ago. Where it cannot be asked now, that stays. */
static void count_stream(bridge_t *b)
{
    nats_stream_last_t stream;
    b->counted = true;
    if (nats_publisher_ask(b->publisher, b->options.topics, 0, &stream, NULL, NULL) < 0)
        return;
    b->stream_bytes = stream.bytes;
    b->stream_messages = stream.messages;
}

int bridge_turn(bridge_t *b, tbus_error_t *err)
{
    b->now_ns = tbus_clock_ns();
    int done = turn(b, err);
    if (b->stuck.code < 0)
        done = tbus_fail(err, b->stuck.code, "%s", b->stuck.text);
    bool over = done >= 0 && !b->counted && bridge_is_complete(b);
    if (over)
        count_stream(b);
    if (done < 0 || over || b->now_ns - b->shown_ns >= SHOW_NS)
        show(b);
    return done;
}

void bridge_sleep(bridge_t *b, uint64_t until_ns)
{
    uint64_t now_ns = tbus_clock_ns();
    /* Is it the server that is waited for, or the ring? Nobody rings for that. */
    uint64_t count = bridge_flight_count(&b->flight);
    bool much = count * 2 >= b->options.in_flight_max;
    bool answers =
        count > 0 && (much || b->yielding || !bridge_flight_has_room(&b->flight, b->turn_topic, 0));
    uint64_t wait_ns = now_ns - b->live_ns > SECOND_NS ? NAP_NS_QUIET : much ? NAP_NS_FULL : NAP_NS;
    if (until_ns < now_ns + wait_ns)
        wait_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    if (answers)
        nats_publisher_wait(b->publisher, wait_ns);
    else
        (void)nanosleep(&(struct timespec){.tv_nsec = (long)wait_ns}, NULL);
}

/* --- ended --- */

uint64_t bridge_next_seq(const bridge_t *b, uint32_t index)
{
    return b->topics[index].next_seq;
}

bool bridge_is_complete(const bridge_t *b)
{
    for (uint32_t i = 0; i < b->options.topics_count; i++)
        if (!b->topics[i].ended)
            return false;
    return true;
}

static int tell_unfinished(const bridge_t *b, tbus_error_t *err)
{
    uint64_t missing = 0, lag;
    for (uint32_t i = 0; i < b->options.topics_count; i++)
        if (!b->topics[i].ended && find_lag(&b->topics[i], &lag))
            missing += lag;
    return tbus_fail(err, -TBUS_ESTOPPED,
                     "the bridge has %" PRIu64 " messages that %s has not acknowledged%s; give it "
                     "longer with bus.drain_s_max",
                     missing, b->options.way.url,
                     b->journal ? "" : ", and there is no journal that keeps them");
}

int bridge_finish(bridge_t *b, uint64_t limit_ns, tbus_error_t *err)
{
    uint64_t until_ns = tbus_clock_ns() + limit_ns;
    int done = 0;
    b->ending = true;
    while (!bridge_is_complete(b) && tbus_clock_ns() < until_ns) {
        done = bridge_turn(b, err);
        if (done < 0)
            break;
        if (done == 0)
            bridge_sleep(b, until_ns);
    }
    show(b);
    if (done < 0 || bridge_is_complete(b))
        return done < 0 ? done : 0;
    return tell_unfinished(b, err);
}
