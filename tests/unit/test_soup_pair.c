/* SPDX-License-Identifier: Apache-2.0 */
/* Both sides of SoupBinTCP against each other: every byte passes through a channel that hands it
 * on in random pieces after random times; the connection breaks at random bytes, and the client
 * comes back. Whatever the channel does, the client has every message once and in order.
 * TICKBUS_SEED draws others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/wire/soup_client.h"
#include "bus/wire/soup_server.h"

#define MS       UINT64_C(1000000)
#define CHANNEL  (1u << 20)
#define MESSAGES 300u

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

/* One direction: what was written and not yet read. */
typedef struct channel {
    uint8_t *bytes;
    size_t begin, end;
} channel_t;

static void channel_write(channel_t *c, const void *bytes, size_t count)
{
    assert_true(c->end + count <= CHANNEL);
    memcpy(c->bytes + c->end, bytes, count);
    c->end += count;
}

/* A random piece of what is there, often a single byte. */
static size_t channel_read(channel_t *c, uint8_t *into, size_t room)
{
    size_t there = c->end - c->begin;
    if (!there || !room)
        return 0;
    size_t some = draw(3) ? 1 + draw(there) : 1;
    some = some < room ? some : room;
    memcpy(into, c->bytes + c->begin, some);
    c->begin += some;
    if (c->begin == c->end)
        c->begin = c->end = 0;
    return some;
}

/* Message `sequence`: its length and its bytes follow from its number. */
static size_t message(uint64_t sequence, uint8_t *to)
{
    size_t bytes = sequence % 97 == 0 ? 0 : sequence % 41 == 0 ? 5000 : sequence * 7 % 60;
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(sequence * 31 + i);
    return bytes;
}

typedef struct world {
    uint64_t now;
    channel_t up, down; /* client to server, server to client */
    soup_server_t server;
    uint64_t send_next; /* of the server, while it is open */
    bool ended;
    soup_client_t client;
    uint8_t buffer[SOUP_PACKET_MAX];
    size_t held;
    uint64_t received; /* messages, all connections together */
    bool complete;
    unsigned beats_up, beats_down, connections;
} world_t;

static void server_turn(world_t *w)
{
    uint8_t in[512], out[6000];
    size_t count = channel_read(&w->up, in, sizeof in);
    for (size_t used = 0; used < count;) {
        soup_server_event_t event;
        used += soup_server_take(&w->server, in + used, count - used, w->now, &event);
        if (event.kind == SOUP_SERVER_NOTHING)
            continue;
        assert_int_equal(event.kind, SOUP_SERVER_LOGIN); /* the client makes no fault */
        soup_accepted_t accepted = {"DAY1", event.login.sequence};
        w->send_next = event.login.sequence;
        channel_write(&w->down, out, soup_server_accept(&w->server, &accepted, w->now, out));
    }
    if (soup_server_state(&w->server) != SOUP_SERVER_OPEN)
        return;
    enum soup_server_due due = soup_server_due(&w->server, w->now);
    assert_true(due == SOUP_DUE_NOTHING || due == SOUP_DUE_HEARTBEAT);
    size_t bytes = 0;
    if (draw(4) == 0 && w->send_next <= MESSAGES) {
        bytes = message(w->send_next++, out + SOUP_HEADER_BYTES);
        bytes = soup_put_header(out, SOUP_SEQUENCED, bytes);
    } else if (due == SOUP_DUE_HEARTBEAT) {
        bytes = soup_put_header(out, SOUP_SERVER_HEARTBEAT, 0);
        w->beats_down++;
    } else if (draw(50) == 0) {
        bytes = soup_server_put_debug(&w->server, out, sizeof out, "a word");
    } else if (w->send_next == MESSAGES + 1) {
        bytes = soup_put_header(out, SOUP_END_OF_SESSION, 0);
        soup_server_end(&w->server, w->now);
    }
    channel_write(&w->down, out, bytes);
    if (bytes)
        soup_server_sent(&w->server, w->now);
}

static void on_event(world_t *w, const soup_client_event_t *event)
{
    uint8_t expected[5000];
    switch (event->kind) {
    case SOUP_CLIENT_ACCEPTED:
        assert_string_equal(event->accepted.session, "DAY1");
        assert_int_equal(event->accepted.sequence, w->received + 1);
        break;
    case SOUP_CLIENT_MESSAGE:
        assert_int_equal(event->sequence, ++w->received);
        assert_int_equal(event->bytes, message(event->sequence, expected));
        assert_memory_equal(event->data, expected, event->bytes);
        break;
    case SOUP_CLIENT_TEXT:
        assert_int_equal(event->bytes, 6);
        break;
    case SOUP_CLIENT_END:
        assert_int_equal(event->sequence, MESSAGES + 1);
        w->complete = true;
        break;
    default:
        assert_int_equal(event->kind, SOUP_CLIENT_NOTHING);
    }
}

static void client_turn(world_t *w)
{
    soup_client_event_t event;
    size_t used, at = 0,
                 count = channel_read(&w->down, w->buffer + w->held, sizeof w->buffer - w->held);
    if (count)
        soup_client_heard(&w->client, w->now);
    w->held += count;
    while ((used = soup_client_take(&w->client, w->buffer + at, w->held - at, &event))) {
        at += used;
        on_event(w, &event);
    }
    assert_int_not_equal(event.kind, SOUP_CLIENT_FAULT);
    w->held -= at;
    memmove(w->buffer, w->buffer + at, w->held);
    enum soup_client_due due = soup_client_due(&w->client, w->now);
    if (due == SOUP_CLIENT_DUE_HEARTBEAT) {
        uint8_t beat[3];
        channel_write(&w->up, beat, soup_put_header(beat, SOUP_CLIENT_HEARTBEAT, 0));
        soup_client_sent(&w->client, w->now);
        w->beats_up++;
    } else {
        assert_int_equal(due, SOUP_CLIENT_DUE_NOTHING);
    }
}

static void connect_anew(world_t *w)
{
    uint8_t packet[SOUP_LOGIN_410_BYTES];
    soup_login_t login = {.user = "u", .sequence = w->received + 1};
    login.heartbeat_timeout_ms = draw(2) ? 20000 : 0;
    w->up.begin = w->up.end = w->down.begin = w->down.end = 0;
    w->held = 0;
    soup_server_begin(&w->server, NULL, w->now);
    soup_client_begin(&w->client, NULL, w->now);
    channel_write(&w->up, packet, soup_put_login(packet, &login));
    w->connections++;
}

static void every_message_comes_once_however_the_bytes_are_cut(void **state)
{
    (void)state;
    static world_t w;
    const char *seed_text = getenv("TICKBUS_SEED");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : 1;
    unsigned connections = 0, beats_up = 0, beats_down = 0;
    uint8_t *up = malloc(CHANNEL), *down = malloc(CHANNEL);
    printf("TICKBUS_SEED=%llu\n", (unsigned long long)seed);
    for (unsigned round = 0; round < 40; round++) {
        random_state = seed << 32 ^ round;
        memset(&w, 0, sizeof w);
        w.up.bytes = up;
        w.down.bytes = down;
        uint64_t step_ms = 1 + draw(40);
        connect_anew(&w);
        for (unsigned turn = 0; !w.complete; turn++) {
            assert_true(turn < 2000000);
            w.now += draw(step_ms * MS);
            if (draw(2))
                server_turn(&w);
            if (draw(2))
                client_turn(&w);
            if (draw(2000) == 0 && !w.complete)
                connect_anew(&w);
        }
        assert_int_equal(w.received, MESSAGES);
        connections += w.connections;
        beats_up += w.beats_up;
        beats_down += w.beats_down;
    }
    free(up);
    free(down);
    printf("40 sessions over %u connections, %u and %u heartbeats\n", connections, beats_up,
           beats_down);
    assert_true(connections > 45 && beats_up > 0 && beats_down > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_once_however_the_bytes_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
