/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine of a bridge (feedsim/bridge/flight.h): by rule, and over a world that is made
 * up: a server with a stream, connections that keep bytes back and break, bridges that die, two at
 * once. Whatever happens, the stream has every message of every topic once and in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feedsim/bridge/flight.h"

#define MS UINT64_C(1000000)

static const bridge_flight_options_t usual = {.capacity = 4,
                                              .bytes_max = 100,
                                              .answer_ns = 5000 * MS,
                                              .drain_ns = 2000 * MS,
                                              .sent_max = 4,
                                              .foreign_max = 2,
                                              .foreign_ns = 30000 * MS,
                                              .pause_ns = 20 * MS,
                                              .pause_ns_max = 100 * MS};

static uint64_t arrived_seqs[16];
static uint32_t arrived_count;
static void note_arrived(void *context, const bridge_message_t *message)
{
    (void)context;
    arrived_seqs[arrived_count++ % 16] = message->seq;
}

static bridge_fence_t fence;
static uint64_t put_on(bridge_flight_t *f, uint32_t topic, uint64_t seq)
{
    const bridge_message_t message = {.topic = topic, .seq = seq, .bytes = 10, .sent_ns = 1000};
    assert_true(bridge_flight_has_room(f, topic, 10));
    return bridge_flight_put(f, &message, &fence);
}

static uint64_t put(bridge_flight_t *f, uint64_t seq, uint64_t *out_last)
{
    uint64_t ticket = put_on(f, 0, seq);
    *out_last = fence.last_sequence;
    return ticket;
}

/* The stream's last message is of topic 0, and the `seq`th of that. */
static void asked_of(bridge_flight_t *f, uint64_t last_sequence, uint64_t seq, bool replicated)
{
    const bridge_stream_end_t end = {.sequence = last_sequence,
                                     .topic = last_sequence ? 0 : BRIDGE_NO_TOPIC,
                                     .seq = seq,
                                     .replicated = replicated};
    bridge_flight_asked(f, &end, 0);
}

static void asked(bridge_flight_t *f, uint64_t last_sequence)
{
    asked_of(f, last_sequence, last_sequence, false);
}

static void begin(bridge_flight_t *f, bridge_message_t messages[4], uint64_t last_sequence)
{
    bridge_flight_init(f, &usual, messages);
    assert_int_equal(f->state, BRIDGE_ASKING);
    assert_false(bridge_flight_has_room(f, 0, 0)); /* nobody guesses */
    assert_true(bridge_flight_should_ask(f, 0));
    asked(f, last_sequence);
    arrived_count = 0;
}

static void each_message_names_the_one_before_it_acknowledged_or_not(void **state)
{
    bridge_flight_t f;
    bridge_message_t messages[4];
    uint64_t last, tickets[4];
    (void)state;
    begin(&f, messages, 7);
    for (uint64_t i = 0; i < 4; i++) {
        tickets[i] = put(&f, 100 + i, &last);
        assert_int_equal(last, 7 + i);
    }
    assert_false(bridge_flight_has_room(&f, 0, 0)); /* four in flight are all */
    /* Acks in any order; they count in that of the stream. */
    bridge_flight_answer(&f, tickets[2], BRIDGE_ACKED, 10, 0, note_arrived, NULL);
    bridge_flight_answer(&f, tickets[1], BRIDGE_ACKED, 9, 0, note_arrived, NULL);
    bridge_flight_answer(&f, tickets[1], BRIDGE_ACKED, 9, 0, note_arrived, NULL); /* twice */
    assert_int_equal(arrived_count, 0);
    assert_int_equal(bridge_flight_count(&f), 4);
    bridge_flight_answer(&f, tickets[0], BRIDGE_ACKED, 8, 0, note_arrived, NULL);
    assert_int_equal(arrived_count, 3);
    assert_int_equal(arrived_seqs[0], 100);
    assert_int_equal(arrived_seqs[2], 102);
    assert_int_equal(bridge_flight_count(&f), 1);
    assert_int_equal(bridge_flight_oldest(&f)->seq, 103);
    bridge_flight_answer(&f, tickets[0], BRIDGE_ACKED, 8, 0, note_arrived, NULL); /* late */
    assert_int_equal(arrived_count, 3);
    (void)put(&f, 104, &last);
    assert_int_equal(last, 11);
    assert_int_equal(f.acknowledged, 3);
}

static void those_in_flight_are_of_one_topic_and_each_names_the_one_before(void **state)
{
    bridge_flight_t f;
    bridge_message_t messages[4];
    (void)state;
    begin(&f, messages, 7);
    uint64_t first = put_on(&f, 0, 100);
    assert_false(fence.names_message); /* all is known for certain */
    (void)put_on(&f, 0, 101);
    assert_true(fence.names_message && fence.last_seq == 100 && !fence.last_end);
    assert_false(bridge_flight_has_room(&f, 1, 1));
    bridge_flight_answer(&f, first, BRIDGE_ACKED, 8, 0, NULL, NULL);
    assert_false(bridge_flight_has_room(&f, 1, 1));
    assert_true(bridge_flight_has_room(&f, 0, 1));
    bridge_flight_answer(&f, first + 1, BRIDGE_ACKED, 9, 0, NULL, NULL);
    (void)put_on(&f, 1, 50);
    assert_false(fence.names_message);
    assert_int_equal(fence.last_sequence, 9);
    assert_int_equal(bridge_flight_mark_max(&f, 1, 51), UINT64_MAX);
    assert_true(bridge_flight_has_room(&f, 1, 1));
}

static void with_replicas_the_first_of_a_turn_travels_alone_and_none_has_an_id(void **state)
{
    bridge_flight_t f;
    bridge_message_t messages[4];
    (void)state;
    begin(&f, messages, 0);
    asked_of(&f, 0, 0, true);
    uint64_t ticket = put_on(&f, 1, 50);
    assert_false(bridge_flight_has_room(&f, 1, 1));
    bridge_flight_answer(&f, ticket, BRIDGE_ACKED, 1, 0, NULL, NULL);
    (void)put_on(&f, 1, 51);
    ticket = put_on(&f, 1, 52);
    assert_false(fence.names_message);
    bridge_flight_answer(&f, ticket - 1, BRIDGE_ACKED, 2, 0, NULL, NULL);
    bridge_flight_answer(&f, ticket, BRIDGE_ACKED, 3, 0, NULL, NULL);
    (void)put_on(&f, 1, 53); /* nothing in flight, but the topic is the same */
    ticket = put_on(&f, 1, 54);
    bridge_flight_answer(&f, ticket - 1, BRIDGE_ACKED, 4, 0, NULL, NULL);
    bridge_flight_answer(&f, ticket, BRIDGE_ACKED, 5, 0, NULL, NULL);
    (void)put_on(&f, 0, 100);
    assert_false(bridge_flight_has_room(&f, 0, 1));
}

static void with_replicas_the_topic_of_the_last_message_goes_first_until_it_is_dry(void **state)
{
    bridge_flight_t f;
    bridge_message_t messages[4];
    (void)state;
    begin(&f, messages, 0);
    asked_of(&f, 7, 100, true);
    assert_false(bridge_flight_has_room(&f, 1, 1));
    uint64_t ticket = put_on(&f, 0, 101);
    bridge_flight_dry(&f, 1); /* not that one */
    bridge_flight_answer(&f, ticket, BRIDGE_ACKED, 8, 0, NULL, NULL);
    assert_false(bridge_flight_has_room(&f, 1, 1));
    bridge_flight_dry(&f, 0);
    assert_true(bridge_flight_has_room(&f, 1, 1));
    /* Or until all are there that can have been on their way. */
    bridge_flight_lost(&f, 0);
    asked_of(&f, 8, 101, true);
    for (uint64_t i = 1; i <= 4; i++) {
        assert_false(bridge_flight_has_room(&f, 1, 1));
        ticket = put_on(&f, 0, 101 + i);
        bridge_flight_answer(&f, ticket, BRIDGE_ACKED, 8 + i, 0, NULL, NULL);
    }
    assert_true(bridge_flight_has_room(&f, 1, 1));
    /* What limits have removed since is still known. */
    const bridge_stream_end_t removed = {
        .sequence = 12, .topic = BRIDGE_NO_TOPIC, .replicated = true};
    bridge_flight_lost(&f, 0);
    bridge_flight_asked(&f, &removed, 0);
    assert_false(bridge_flight_has_room(&f, 1, 1));
    assert_true(bridge_flight_has_room(&f, 0, 1));
}

static void with_replicas_a_loss_has_a_mark_for_each_message_that_was_perhaps_sent(void **state)
{
    bridge_flight_t f;
    bridge_message_t messages[4];
    (void)state;
    begin(&f, messages, 0);
    asked_of(&f, 7, 100, true);
    assert_int_equal(bridge_flight_mark_max(&f, 0, 101), 1);
    assert_int_equal(bridge_flight_mark_max(&f, 0, 104), 1);
    assert_int_equal(bridge_flight_mark_max(&f, 0, 105), UINT64_MAX);
    bridge_flight_dry(&f, 0);
    assert_int_equal(bridge_flight_mark_max(&f, 0, 101), UINT64_MAX);
    uint64_t ticket = put_on(&f, 0, 101);
    assert_int_equal(bridge_flight_mark_max(&f, 0, 102), 0); /* one for many travels alone */
    bridge_flight_answer(&f, ticket, BRIDGE_ACKED, 8, 0, NULL, NULL);
    const bridge_message_t mark = {.topic = 0, .seq = 200, .lost = 99};
    ticket = bridge_flight_put(&f, &mark, &fence);
    assert_false(bridge_flight_has_room(&f, 0, 1));
    bridge_flight_answer(&f, ticket, BRIDGE_ACKED, 9, 0, NULL, NULL);
    assert_true(bridge_flight_has_room(&f, 0, 1));
}

static void bytes_in_flight_are_bounded_and_one_message_always_goes(void **state)
{
    bridge_flight_t f;
    bridge_message_t messages[4];
    (void)state;
    begin(&f, messages, 0);
    assert_true(bridge_flight_has_room(&f, 0, 1000000));
    const bridge_message_t large = {.seq = 1, .bytes = 95};
    uint64_t ticket = bridge_flight_put(&f, &large, &fence);
    assert_true(bridge_flight_has_room(&f, 0, 5));
    assert_false(bridge_flight_has_room(&f, 0, 6));
    bridge_flight_answer(&f, ticket, BRIDGE_ACKED, 1, 0, NULL, NULL);
    assert_true(bridge_flight_has_room(&f, 0, 100));
}

static void the_first_refusal_stops_drains_and_asks_again(void **state)
{
    bridge_flight_t f;
    bridge_message_t messages[4];
    uint64_t last, tickets[4];
    (void)state;
    begin(&f, messages, 0);
    for (uint64_t i = 0; i < 4; i++)
        tickets[i] = put(&f, 1 + i, &last);
    bridge_flight_answer(&f, tickets[0], BRIDGE_ACKED, 1, 0, NULL, NULL);
    bridge_flight_answer(&f, tickets[1], BRIDGE_FULL, 0, 50, NULL, NULL);
    assert_int_equal(f.state, BRIDGE_DRAINING);
    assert_int_equal(f.refusals, 1);
    assert_false(bridge_flight_has_room(&f, 0, 0));
    assert_false(bridge_flight_should_ask(&f, UINT64_MAX / 2)); /* answers are still to come */
    bridge_flight_answer(&f, tickets[2], BRIDGE_REFUSED, 0, 60, NULL, NULL);
    assert_int_equal(f.state, BRIDGE_DRAINING);
    assert_int_equal(f.refusals, 1); /* because of the first */
    bridge_flight_answer(&f, tickets[3], BRIDGE_REFUSED, 0, 70, NULL, NULL);
    assert_int_equal(f.state, BRIDGE_ASKING);
    assert_false(bridge_flight_should_ask(&f, 70)); /* after a pause */
    assert_int_equal(bridge_flight_due_ns(&f), 70 + 20 * MS);
    assert_true(bridge_flight_should_ask(&f, 70 + 20 * MS));
    asked(&f, 1);
    assert_int_equal(f.resent, 3);
    assert_int_equal(f.acknowledged, 1);
    (void)put(&f, 2, &last);
    assert_int_equal(last, 1);
}

static void an_ack_behind_a_refusal_tells_nothing_of_what_was_refused(void **state)
{
    bridge_flight_t f;
    bridge_message_t messages[4];
    (void)state;
    begin(&f, messages, 7);
    uint64_t first = put_on(&f, 0, 100), other = put_on(&f, 0, 101);
    /* Another bridge's message stands in the place of the first. */
    bridge_flight_answer(&f, other, BRIDGE_ACKED, 9, 0, note_arrived, NULL);
    assert_int_equal(arrived_count, 0);
    bridge_flight_answer(&f, first, BRIDGE_REFUSED, 0, 0, note_arrived, NULL);
    assert_int_equal(arrived_count, 0);
    assert_int_equal(f.state, BRIDGE_ASKING); /* all is answered */
}

static void answers_that_do_not_come_end_the_draining_and_the_connection(void **state)
{
    bridge_flight_t f;
    bridge_message_t messages[4];
    uint64_t last;
    (void)state;
    begin(&f, messages, 0);
    uint64_t ticket = put(&f, 1, &last);
    (void)put(&f, 2, &last);
    bridge_flight_answer(&f, ticket, BRIDGE_UNSERVED, 0, 10, NULL, NULL);
    assert_false(bridge_flight_tick(&f, 10 + 2000 * MS - 1));
    assert_int_equal(f.state, BRIDGE_DRAINING);
    assert_false(bridge_flight_tick(&f, 10 + 2000 * MS));
    assert_int_equal(f.state, BRIDGE_ASKING);
    asked(&f, 2); /* both were there */
    assert_int_equal(f.acknowledged, 2);
    assert_int_equal(f.resent, 0);
    (void)put(&f, 3, &last);
    assert_int_equal(bridge_flight_due_ns(&f), 1000 + 5000 * MS);
    assert_false(bridge_flight_tick(&f, 999 + 5000 * MS));
    assert_true(bridge_flight_tick(&f, 1000 + 5000 * MS)); /* once */
    assert_false(bridge_flight_tick(&f, 1000 + 5000 * MS));
    assert_int_equal(f.state, BRIDGE_ASKING);
}

static void an_ack_of_another_place_is_no_ack(void **state)
{
    bridge_flight_t f;
    bridge_message_t messages[4];
    uint64_t last;
    (void)state;
    begin(&f, messages, 5);
    uint64_t ticket = put(&f, 1, &last);
    bridge_flight_answer(&f, ticket, BRIDGE_ACKED, 3, 0, note_arrived, NULL);
    assert_int_equal(arrived_count, 0);
    assert_int_equal(f.trouble, BRIDGE_WRONG);
    assert_int_equal(f.state, BRIDGE_ASKING);
    asked(&f, 5);
    ticket = put(&f, 1, &last);
    bridge_flight_answer(&f, ticket, BRIDGE_DOUBLED, 6, 0, note_arrived, NULL);
    assert_int_equal(arrived_count, 0);
    assert_int_equal(f.trouble, BRIDGE_DOUBLED);
    assert_int_equal(f.state, BRIDGE_ASKING);
}

static void pauses_grow_while_nothing_arrives_and_are_short_again_after_an_ack(void **state)
{
    static const uint64_t pauses[] = {20 * MS, 40 * MS, 80 * MS, 100 * MS, 100 * MS};
    bridge_flight_t f;
    bridge_message_t messages[4];
    uint64_t last;
    (void)state;
    begin(&f, messages, 0);
    for (uint32_t i = 0; i < 5; i++) {
        uint64_t ticket = put(&f, 1, &last);
        bridge_flight_answer(&f, ticket, BRIDGE_FULL, 0, 0, NULL, NULL);
        assert_int_equal(bridge_flight_due_ns(&f), pauses[i]);
        asked(&f, 0);
    }
    bridge_flight_answer(&f, put(&f, 1, &last), BRIDGE_ACKED, 1, 0, NULL, NULL);
    bridge_flight_answer(&f, put(&f, 2, &last), BRIDGE_FULL, 0, 0, NULL, NULL);
    assert_int_equal(bridge_flight_due_ns(&f), 20 * MS);
}

static void refused_for_somebody_elses_message_too_often_it_is_fenced_and_stays_so(void **state)
{
    bridge_flight_t f;
    bridge_message_t messages[4];
    uint64_t last;
    (void)state;
    begin(&f, messages, 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(f.state, BRIDGE_PUBLISHING);
        bridge_flight_answer(&f, put(&f, 1, &last), BRIDGE_REFUSED, 0, i, NULL, NULL);
        assert_int_equal(f.state, BRIDGE_ASKING);
        asked(&f, 1 + i);
    }
    assert_int_equal(f.state, BRIDGE_FENCED);
    bridge_flight_lost(&f, 0);
    assert_false(bridge_flight_tick(&f, UINT64_MAX / 2));
    assert_false(bridge_flight_should_ask(&f, UINT64_MAX));
    assert_false(bridge_flight_has_room(&f, 0, 0));
    assert_int_equal(f.state, BRIDGE_FENCED);
    /* Seldom, it is the last bytes of who died. */
    begin(&f, messages, 0);
    for (uint64_t i = 0; i < 20; i++) {
        const bridge_stream_end_t end = {.sequence = 1 + i};
        bridge_flight_answer(&f, put(&f, 1, &last), BRIDGE_REFUSED, 0, 0, NULL, NULL);
        bridge_flight_asked(&f, &end, i * 20000 * MS);
        assert_int_equal(f.state, BRIDGE_PUBLISHING);
    }
}

static void a_refusal_by_a_stream_that_has_nothing_of_others_is_nobody_elses_doing(void **state)
{
    bridge_flight_t f;
    bridge_message_t messages[4];
    uint64_t last;
    (void)state;
    begin(&f, messages, 5);
    for (uint32_t i = 0; i < 20; i++) { /* as long as before, or made anew and shorter */
        bridge_flight_answer(&f, put(&f, 1, &last), BRIDGE_REFUSED, 0, i, NULL, NULL);
        asked(&f, i < 10 ? 5 : 0);
        assert_int_equal(f.state, BRIDGE_PUBLISHING);
    }
    for (uint32_t i = 0; i < 20; i++) { /* it has grown by what of ours has no answer */
        uint64_t ticket = put(&f, 1, &last);
        (void)put(&f, 2, &last);
        bridge_flight_answer(&f, ticket, BRIDGE_REFUSED, 0, i, NULL, NULL);
        (void)bridge_flight_tick(&f, UINT64_MAX / 2);
        asked(&f, last);
        assert_int_equal(f.state, BRIDGE_PUBLISHING);
    }
    assert_int_equal(f.foreign, 0);
}

static void answers_of_an_earlier_connection_mean_nothing(void **state)
{
    bridge_flight_t f;
    bridge_message_t messages[4];
    uint64_t last;
    (void)state;
    begin(&f, messages, 0);
    uint64_t old = put(&f, 1, &last);
    bridge_flight_lost(&f, 0);
    bridge_flight_answer(&f, old, BRIDGE_ACKED, 1, 0, note_arrived, NULL); /* asking: too late */
    assert_int_equal(arrived_count, 0);
    asked(&f, 0);
    uint64_t now = put(&f, 1, &last);
    bridge_flight_answer(&f, old, BRIDGE_REFUSED, 0, 0, NULL, NULL);
    bridge_flight_answer(&f, now + 1, BRIDGE_ACKED, 2, 0, NULL, NULL); /* never published */
    assert_int_equal(f.state, BRIDGE_PUBLISHING);
    assert_int_equal(bridge_flight_count(&f), 1);
}

/* --- the world --- */

#define TOPICS      3u
#define OF_TOPIC    40u
#define STREAM_MAX  (TOPICS * OF_TOPIC)
#define LINKS_MAX   512u
#define QUEUE_MAX   64u
#define BRIDGES_MAX 2u
#define CAPACITY    8u

typedef struct parcel {
    uint64_t ticket, seq, lost;
    uint32_t topic;
    bridge_fence_t fence;
} parcel_t;

typedef struct reply {
    uint64_t ticket, sequence;
    enum bridge_answer what;
} reply_t;

/* A connection: what was sent and has not reached the server, and what it said. When it breaks,
 * what is on the way to the server may still arrive, at any time. */
typedef struct net_link {
    bool alive;
    uint32_t sent_count, replies_count;
    parcel_t sent[QUEUE_MAX];
    reply_t replies[QUEUE_MAX];
} net_link_t;

typedef struct actor {
    bridge_flight_t flight;
    bridge_message_t messages[CAPACITY];
    uint64_t next_seq[TOPICS];
    net_link_t *link;
} actor_t;

/* What a stream has of a message, or of a mark for `lost` of them. */
typedef struct stored {
    uint32_t topic;
    uint64_t seq, lost;
} stored_t;

static struct {
    uint64_t random, now_ns;
    stored_t stream[STREAM_MAX];
    uint32_t stream_count;
    bool full, replicated, loses;
    /* On the bus; those up to `gone` are not on its ring any more. */
    uint64_t published[TOPICS];
    uint64_t gone[TOPICS];
    uint32_t remembers; /* ids of that many last messages */
    net_link_t links[LINKS_MAX];
    uint32_t links_count;
    actor_t actors[BRIDGES_MAX];
    uint32_t actors_count;
    uint32_t kills, breaks, refused, doubled, marks;
} world;

static uint64_t draw(uint64_t below)
{
    world.random = world.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (world.random >> 33) % below;
}

static void connect_actor(actor_t *a)
{
    assert_true(world.links_count < LINKS_MAX);
    a->link = &world.links[world.links_count++];
    *a->link = (net_link_t){.alive = true};
}

static void break_link(actor_t *a)
{
    a->link->alive = false;
    connect_actor(a);
    bridge_flight_lost(&a->flight, world.now_ns);
    world.breaks++;
}

static void start_actor(actor_t *a)
{
    bridge_flight_options_t options = usual;
    options.capacity = options.sent_max = CAPACITY;
    options.bytes_max = 1000;
    options.foreign_max = UINT32_MAX - 1; /* who gives up is another test's matter */
    memset(a, 0, sizeof *a);
    bridge_flight_init(&a->flight, &options, a->messages);
    connect_actor(a);
}

/* Is the stream what the message says of it? */
static bool follows(const parcel_t *p)
{
    uint32_t count = world.stream_count;
    const stored_t *last = &world.stream[count ? count - 1 : 0];
    return p->fence.last_sequence == count &&
           (!p->fence.names_message || (last->topic == p->topic && last->seq == p->fence.last_seq));
}

/* The server takes the next message of a connection. */
static void serve(net_link_t *l)
{
    parcel_t p = l->sent[0];
    reply_t reply = {.ticket = p.ticket};
    uint32_t from = world.stream_count > world.remembers ? world.stream_count - world.remembers : 0;
    memmove(l->sent, l->sent + 1, --l->sent_count * sizeof l->sent[0]);
    for (uint32_t i = from; i < world.stream_count && !reply.sequence; i++)
        if (world.stream[i].topic == p.topic && world.stream[i].seq == p.seq)
            reply.sequence = i + 1;
    if (reply.sequence) {
        reply.what = BRIDGE_DOUBLED;
        world.doubled++;
    } else if (!follows(&p)) {
        reply.what = BRIDGE_REFUSED;
        world.refused++;
    } else if (world.full) {
        reply.what = BRIDGE_FULL;
    } else {
        if (world.stream_count == STREAM_MAX)
            fail_msg("message %llu of topic %u once more", (unsigned long long)p.seq, p.topic);
        world.stream[world.stream_count++] = (stored_t){p.topic, p.seq, p.lost};
        reply.sequence = world.stream_count;
        reply.what = BRIDGE_ACKED;
    }
    if (l->alive && l->replies_count < QUEUE_MAX)
        l->replies[l->replies_count++] = reply;
}

static void serve_anybody(void)
{
    net_link_t *l = &world.links[draw(world.links_count)];
    if (l->sent_count)
        serve(l);
}

static void ask(actor_t *a)
{
    uint64_t seqs[TOPICS] = {0}, places[TOPICS] = {0};
    bridge_stream_end_t end = {
        .sequence = world.stream_count, .topic = BRIDGE_NO_TOPIC, .replicated = world.replicated};
    if (!bridge_flight_should_ask(&a->flight, world.now_ns))
        return;
    for (uint64_t i = draw(3); i > 0; i--)
        serve_anybody(); /* the stream goes on while it is asked */
    for (uint32_t i = 0; i < world.stream_count; i++) {
        seqs[world.stream[i].topic] = world.stream[i].seq;
        places[world.stream[i].topic] = i + 1;
    }
    for (uint32_t t = 0; t < TOPICS; t++) {
        if (places[t] > end.sequence) {
            bridge_flight_not_asked(&a->flight, world.now_ns);
            return;
        }
        if (places[t] && places[t] == end.sequence)
            end.topic = t;
    }
    for (uint32_t t = 0; t < TOPICS; t++)
        a->next_seq[t] = seqs[t] + 1;
    end.seq = end.topic == BRIDGE_NO_TOPIC ? 0 : seqs[end.topic];
    bridge_flight_asked(&a->flight, &end, world.now_ns);
}

static void publish(actor_t *a)
{
    uint32_t topic = (uint32_t)draw(TOPICS);
    uint64_t seq = a->next_seq[topic], lost = 0;
    if (!bridge_flight_has_room(&a->flight, topic, 1) || a->link->sent_count == QUEUE_MAX)
        return;
    if (seq > world.published[topic]) {
        bridge_flight_dry(&a->flight, topic);
        return;
    }
    if (seq <= world.gone[topic]) {
        uint64_t most = bridge_flight_mark_max(&a->flight, topic, seq);
        lost = world.gone[topic] - seq + 1;
        lost = lost < most ? lost : most;
        if (lost == 0)
            return;
        seq += lost - 1;
        world.marks++;
    }
    const bridge_message_t message = {
        .topic = topic, .seq = seq, .lost = lost, .bytes = 1, .sent_ns = world.now_ns};
    parcel_t p = {.topic = topic, .seq = seq, .lost = lost};
    a->next_seq[topic] = seq + 1;
    p.ticket = bridge_flight_put(&a->flight, &message, &p.fence);
    a->link->sent[a->link->sent_count++] = p;
}

/* The bus goes on, and its rings. */
static void go_on(void)
{
    uint32_t topic = (uint32_t)draw(TOPICS);
    if (world.published[topic] < OF_TOPIC && draw(3) == 0)
        world.published[topic]++;
    if (world.loses && draw(60) == 0) {
        uint64_t kept = draw(4);
        if (world.published[topic] > world.gone[topic] + kept)
            world.gone[topic] = world.published[topic] - kept;
    }
}

static void take_reply(actor_t *a)
{
    net_link_t *l = a->link;
    if (!l->replies_count)
        return;
    /* Most come in order; some late. */
    uint32_t which = draw(8) ? 0 : (uint32_t)draw(l->replies_count);
    reply_t r = l->replies[which];
    if (draw(16)) /* else it comes twice */
        memmove(l->replies + which, l->replies + which + 1,
                (--l->replies_count - which) * sizeof l->replies[0]);
    bridge_flight_answer(&a->flight, r.ticket, r.what, r.sequence, world.now_ns, NULL, NULL);
}

static bool is_complete(void)
{
    uint64_t last[TOPICS] = {0};
    for (uint32_t i = 0; i < world.stream_count; i++)
        last[world.stream[i].topic] = world.stream[i].seq;
    for (uint32_t t = 0; t < TOPICS; t++)
        if (last[t] != OF_TOPIC)
            return false;
    return true;
}

static void step(bool calm)
{
    actor_t *a = &world.actors[draw(world.actors_count)];
    world.now_ns += draw(10 * MS);
    go_on();
    switch (draw(calm ? 12 : 200)) {
    case 12:
        start_actor(a); /* killed, and another in its place */
        world.kills++;
        break;
    case 13:
        break_link(a);
        break;
    case 14:
        world.full = !world.full;
        break;
    case 15:
        world.now_ns += 6000 * MS;
        break;
    default:
        if (bridge_flight_tick(&a->flight, world.now_ns))
            break_link(a);
        ask(a);
        publish(a);
        if (draw(2))
            serve_anybody();
        if (a->link->sent_count && draw(2))
            serve(a->link);
        if (draw(2))
            take_reply(a);
    }
}

/* Each topic: all of it once and in order, as messages or in marks. */
static void assert_stream_is_whole(uint64_t seed)
{
    uint64_t next[TOPICS] = {1, 1, 1};
    for (uint32_t i = 0; i < world.stream_count; i++) {
        const stored_t *m = &world.stream[i];
        uint64_t first = m->lost ? m->seq - m->lost + 1 : m->seq;
        if (first != next[m->topic])
            fail_msg("seed %llu: at %u message %llu of topic %u, and %llu was to be next",
                     (unsigned long long)seed, i + 1, (unsigned long long)first, m->topic,
                     (unsigned long long)next[m->topic]);
        next[m->topic] = m->seq + 1;
    }
}

enum world_kind { PLAIN = 0, REPLICATED = 1, LOSES = 2 };

static void run_world(uint64_t seed, uint32_t actors, unsigned kind)
{
    memset(&world, 0, sizeof world);
    world.random = seed;
    world.remembers = (uint32_t)draw(4) * 8;
    world.replicated = kind & REPLICATED;
    world.loses = kind & LOSES;
    world.actors_count = actors;
    for (uint32_t i = 0; i < actors; i++)
        start_actor(&world.actors[i]);
    uint32_t steps = 0;
    for (; !is_complete() && steps < 200000; steps++) {
        if (steps == 4000)
            world.full = false;
        step(steps > 4000 || world.links_count + BRIDGES_MAX >= LINKS_MAX / 2);
    }
    /* What is left on the way may still come. */
    for (uint32_t i = 0; i < world.links_count; i++)
        while (world.links[i].sent_count)
            serve(&world.links[i]);
    assert_stream_is_whole(seed);
    if (!is_complete())
        fail_msg("seed %llu: %u messages in the stream", (unsigned long long)seed,
                 world.stream_count);
}

static uint64_t worlds(void)
{
    const char *text = getenv("TICKBUS_BRIDGE_WORLDS");
    return text ? strtoull(text, NULL, 10) : 2000;
}

/* The worlds of a kind, and that they are those that were meant. */
static void run_worlds(uint32_t actors, unsigned kind)
{
    uint64_t kills = 0, breaks = 0, refused = 0, doubled = 0, marks = 0, count = worlds();
    for (uint64_t seed = 1; seed <= count; seed++) {
        run_world(1000000 * kind + 10000000 * actors + seed, actors, kind);
        kills += world.kills;
        breaks += world.breaks;
        refused += world.refused;
        doubled += world.doubled;
        marks += world.marks;
    }
    assert_true(kills > count / 2 && breaks > count / 2 && refused > count / 2);
    assert_true(doubled > count / 40);
    assert_true(kind & LOSES ? marks > count : marks == 0);
}

static void whatever_breaks_the_stream_has_every_message_once_and_in_order(void **state)
{
    (void)state;
    run_worlds(1, PLAIN);
}

static void so_it_has_when_the_ring_loses_some_and_nothing_is_recorded(void **state)
{
    (void)state;
    run_worlds(1, LOSES);
}

static void two_bridges_at_once_double_nothing_and_leave_nothing_out(void **state)
{
    (void)state;
    run_worlds(2, PLAIN);
    run_worlds(2, LOSES);
}

/* A stream that holds no ids against what comes. */
static void
with_replicas_one_bridge_after_another_doubles_nothing_and_leaves_nothing_out(void **state)
{
    (void)state;
    run_worlds(1, REPLICATED);
    run_worlds(1, REPLICATED | LOSES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_names_the_one_before_it_acknowledged_or_not),
        cmocka_unit_test(those_in_flight_are_of_one_topic_and_each_names_the_one_before),
        cmocka_unit_test(with_replicas_the_first_of_a_turn_travels_alone_and_none_has_an_id),
        cmocka_unit_test(with_replicas_the_topic_of_the_last_message_goes_first_until_it_is_dry),
        cmocka_unit_test(with_replicas_a_loss_has_a_mark_for_each_message_that_was_perhaps_sent),
        cmocka_unit_test(bytes_in_flight_are_bounded_and_one_message_always_goes),
        cmocka_unit_test(the_first_refusal_stops_drains_and_asks_again),
        cmocka_unit_test(an_ack_behind_a_refusal_tells_nothing_of_what_was_refused),
        cmocka_unit_test(answers_that_do_not_come_end_the_draining_and_the_connection),
        cmocka_unit_test(an_ack_of_another_place_is_no_ack),
        cmocka_unit_test(pauses_grow_while_nothing_arrives_and_are_short_again_after_an_ack),
        cmocka_unit_test(refused_for_somebody_elses_message_too_often_it_is_fenced_and_stays_so),
        cmocka_unit_test(a_refusal_by_a_stream_that_has_nothing_of_others_is_nobody_elses_doing),
        cmocka_unit_test(answers_of_an_earlier_connection_mean_nothing),
        cmocka_unit_test(whatever_breaks_the_stream_has_every_message_once_and_in_order),
        cmocka_unit_test(so_it_has_when_the_ring_loses_some_and_nothing_is_recorded),
        cmocka_unit_test(two_bridges_at_once_double_nothing_and_leave_nothing_out),
        cmocka_unit_test(
            with_replicas_one_bridge_after_another_doubles_nothing_and_leaves_nothing_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
