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

static void asked(bridge_flight_t *f, uint64_t last_sequence)
{
    const uint64_t topics[2] = {last_sequence, last_sequence ? last_sequence - 1 : 0};
    bridge_flight_asked(f, last_sequence, topics, 2);
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

static void among_those_in_flight_a_message_names_its_topics_last_one_too(void **state)
{
    bridge_flight_t f;
    bridge_message_t messages[4];
    (void)state;
    begin(&f, messages, 7); /* topic 0 is at 7, topic 1 at 6 */
    uint64_t first = put_on(&f, 0, 100);
    assert_false(fence.names_message || fence.names_topic); /* all is known for certain */
    (void)put_on(&f, 0, 101);
    assert_true(fence.names_message && fence.last_seq == 100 && !fence.last_end);
    assert_false(fence.names_topic);
    uint64_t other = put_on(&f, 1, 50);
    assert_true(fence.names_topic && fence.topic_sequence == 6);
    assert_false(fence.names_message);
    /* Where the last one of topic 0 will stand is not known yet, and topic 1 was the last. */
    assert_false(bridge_flight_has_room(&f, 0, 1));
    assert_true(bridge_flight_has_room(&f, 1, 1));
    bridge_flight_answer(&f, first, BRIDGE_ACKED, 8, 0, NULL, NULL);
    assert_false(bridge_flight_has_room(&f, 0, 1));
    bridge_flight_answer(&f, first + 1, BRIDGE_ACKED, 9, 0, NULL, NULL);
    (void)put_on(&f, 0, 102);
    assert_true(fence.names_topic && fence.topic_sequence == 9);
    assert_int_equal(fence.last_sequence, 10);
    bridge_flight_answer(&f, other, BRIDGE_ACKED, 10, 0, NULL, NULL);
    bridge_flight_answer(&f, other + 1, BRIDGE_ACKED, 11, 0, NULL, NULL);
    (void)put_on(&f, 1, 51);
    assert_false(fence.names_message || fence.names_topic);
    assert_int_equal(fence.last_sequence, 11);
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
    uint64_t first = put_on(&f, 0, 100), other = put_on(&f, 1, 50);
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
        if (i < 2)
            asked(&f, 0);
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
        bridge_flight_answer(&f, put(&f, 1, &last), BRIDGE_REFUSED, 0, i * 20000 * MS, NULL, NULL);
        assert_int_equal(f.state, BRIDGE_ASKING);
        asked(&f, 0);
    }
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
    uint64_t ticket, seq;
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

static struct {
    uint64_t random, now_ns;
    uint32_t stream_topic[STREAM_MAX];
    uint64_t stream_seq[STREAM_MAX];
    uint32_t stream_count;
    bool full;
    uint32_t remembers; /* ids of that many last messages */
    net_link_t links[LINKS_MAX];
    uint32_t links_count;
    actor_t actors[BRIDGES_MAX];
    uint32_t actors_count;
    uint32_t kills, breaks, refused, doubled;
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
    options.capacity = CAPACITY;
    options.bytes_max = 1000;
    options.foreign_max = UINT32_MAX - 1; /* who gives up is another test's matter */
    memset(a, 0, sizeof *a);
    bridge_flight_init(&a->flight, &options, a->messages);
    connect_actor(a);
}

/* Is the stream what the message says of it? */
static bool follows(const parcel_t *p)
{
    uint32_t count = world.stream_count, last = 0;
    for (uint32_t i = 0; i < count; i++)
        if (world.stream_topic[i] == p->topic)
            last = i + 1;
    return p->fence.last_sequence == count &&
           (!p->fence.names_topic || p->fence.topic_sequence == last) &&
           (!p->fence.names_message || (world.stream_topic[count - 1] == p->topic &&
                                        world.stream_seq[count - 1] == p->fence.last_seq));
}

/* The server takes the next message of a connection. */
static void serve(net_link_t *l)
{
    parcel_t p = l->sent[0];
    reply_t reply = {.ticket = p.ticket};
    uint32_t from = world.stream_count > world.remembers ? world.stream_count - world.remembers : 0;
    memmove(l->sent, l->sent + 1, --l->sent_count * sizeof l->sent[0]);
    for (uint32_t i = from; i < world.stream_count && !reply.sequence; i++)
        if (world.stream_topic[i] == p.topic && world.stream_seq[i] == p.seq)
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
        world.stream_topic[world.stream_count] = p.topic;
        world.stream_seq[world.stream_count++] = p.seq;
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
    uint64_t last = world.stream_count, seqs[TOPICS] = {0}, places[TOPICS] = {0};
    if (!bridge_flight_should_ask(&a->flight, world.now_ns))
        return;
    for (uint64_t i = draw(3); i > 0; i--)
        serve_anybody(); /* the stream goes on while it is asked */
    for (uint32_t i = 0; i < world.stream_count; i++) {
        seqs[world.stream_topic[i]] = world.stream_seq[i];
        places[world.stream_topic[i]] = i + 1;
    }
    for (uint32_t t = 0; t < TOPICS; t++)
        if (places[t] > last) {
            bridge_flight_not_asked(&a->flight, world.now_ns);
            return;
        }
    for (uint32_t t = 0; t < TOPICS; t++)
        a->next_seq[t] = seqs[t] + 1;
    bridge_flight_asked(&a->flight, last, places, TOPICS);
}

static void publish(actor_t *a)
{
    uint32_t topic = (uint32_t)draw(TOPICS);
    if (a->next_seq[topic] > OF_TOPIC || !bridge_flight_has_room(&a->flight, topic, 1) ||
        a->link->sent_count == QUEUE_MAX)
        return;
    const bridge_message_t message = {
        .topic = topic, .seq = a->next_seq[topic]++, .bytes = 1, .sent_ns = world.now_ns};
    parcel_t p = {.topic = topic, .seq = message.seq};
    p.ticket = bridge_flight_put(&a->flight, &message, &p.fence);
    a->link->sent[a->link->sent_count++] = p;
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
    return world.stream_count == STREAM_MAX;
}

static void step(bool calm)
{
    actor_t *a = &world.actors[draw(world.actors_count)];
    world.now_ns += draw(10 * MS);
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

static void run_world(uint64_t seed, uint32_t actors)
{
    memset(&world, 0, sizeof world);
    world.random = seed;
    world.remembers = (uint32_t)draw(4) * 8;
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
    if (!is_complete())
        fail_msg("seed %llu: %u of %u messages in the stream", (unsigned long long)seed,
                 world.stream_count, STREAM_MAX);
    uint64_t next[TOPICS] = {0};
    for (uint32_t i = 0; i < STREAM_MAX; i++)
        assert_int_equal(world.stream_seq[i], ++next[world.stream_topic[i]]);
}

static uint64_t worlds(void)
{
    const char *text = getenv("TICKBUS_BRIDGE_WORLDS");
    return text ? strtoull(text, NULL, 10) : 400;
}

static void whatever_breaks_the_stream_has_every_message_once_and_in_order(void **state)
{
    uint64_t kills = 0, breaks = 0, refused = 0, doubled = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= worlds(); seed++) {
        run_world(seed, 1);
        kills += world.kills;
        breaks += world.breaks;
        refused += world.refused;
        doubled += world.doubled;
    }
    /* The worlds are those that were meant. */
    assert_true(kills > 100 && breaks > 100 && refused > 100 && doubled > 10);
}

static void two_bridges_at_once_double_nothing_and_leave_nothing_out(void **state)
{
    uint64_t refused = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= worlds(); seed++) {
        run_world(1000000 + seed, 2);
        refused += world.refused;
    }
    assert_true(refused > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_names_the_one_before_it_acknowledged_or_not),
        cmocka_unit_test(among_those_in_flight_a_message_names_its_topics_last_one_too),
        cmocka_unit_test(bytes_in_flight_are_bounded_and_one_message_always_goes),
        cmocka_unit_test(the_first_refusal_stops_drains_and_asks_again),
        cmocka_unit_test(an_ack_behind_a_refusal_tells_nothing_of_what_was_refused),
        cmocka_unit_test(answers_that_do_not_come_end_the_draining_and_the_connection),
        cmocka_unit_test(an_ack_of_another_place_is_no_ack),
        cmocka_unit_test(pauses_grow_while_nothing_arrives_and_are_short_again_after_an_ack),
        cmocka_unit_test(refused_for_somebody_elses_message_too_often_it_is_fenced_and_stays_so),
        cmocka_unit_test(answers_of_an_earlier_connection_mean_nothing),
        cmocka_unit_test(whatever_breaks_the_stream_has_every_message_once_and_in_order),
        cmocka_unit_test(two_bridges_at_once_double_nothing_and_leave_nothing_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
