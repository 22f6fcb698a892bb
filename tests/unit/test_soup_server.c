/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of a SoupBinTCP session, with made-up bytes and times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bus/wire/soup_server.h"

#define S UINT64_C(1000000000)

/* What happens to a server that lets everybody in, in letters: L login, O logout, and for a fault:
 * l length, t type, b before the login, 2 second login, f fields. Beside each, at which byte. */
typedef struct record {
    char events[16];
    size_t at[16];
    size_t count;
} record_t;

static void note(record_t *r, const soup_server_event_t *event, size_t at)
{
    static const char faults[] = "?ltb2f";
    assert_true(r->count + 1 < sizeof r->events);
    r->at[r->count] = at;
    r->events[r->count++] = event->kind == SOUP_SERVER_LOGIN    ? 'L'
                            : event->kind == SOUP_SERVER_LOGOUT ? 'O'
                                                                : faults[event->fault];
    r->events[r->count] = 0;
}

/* Feed `bytes` in pieces of `cut`. */
static record_t feed(const uint8_t *bytes, size_t count, size_t cut)
{
    soup_server_t s;
    soup_server_event_t event;
    record_t r = {0};
    uint8_t answer[SOUP_ACCEPTED_BYTES];
    soup_server_begin(&s, NULL, 0);
    for (size_t at = 0; at < count;) {
        size_t some = count - at < cut ? count - at : cut;
        size_t used = soup_server_take(&s, bytes + at, some, S, &event);
        assert_true(used > 0 && used <= some);
        at += used;
        if (event.kind == SOUP_SERVER_NOTHING) {
            assert_int_equal(used, some);
            continue;
        }
        note(&r, &event, at);
        if (event.kind == SOUP_SERVER_LOGIN)
            soup_server_accept(&s, &(soup_accepted_t){"S", 1}, S, answer);
    }
    return r;
}

/* Packets one behind the other: {length, type} with a payload of zeros, or a login. */
static size_t put_packet(uint8_t *to, char type, size_t payload)
{
    if (type == 'L' && payload == 46)
        return soup_put_login(to, &(soup_login_t){.user = "u", .sequence = 1});
    if (type == 'L' && payload == 51)
        return soup_put_login(
            to, &(soup_login_t){.user = "u", .sequence = 1, .heartbeat_timeout_ms = 9});
    size_t bytes = soup_put_header(to, (enum soup_type)type, payload);
    memset(to + SOUP_HEADER_BYTES, 0, payload);
    return bytes;
}

typedef struct script {
    struct {
        char type;
        uint32_t payload;
    } packets[6];
    const char *events;
} script_t;

static const script_t scripts[] = {
    {{{'L', 46}, {'R', 0}, {'O', 0}}, "LO"},
    {{{'L', 51}, {'R', 0}, {'R', 0}}, "L"},
    {{{'+', 7}, {'L', 46}, {'+', 0}, {'+', 500}, {'O', 0}}, "LO"},
    {{{'L', 46}, {'U', 0}, {'U', 1}, {'U', 65534}, {'O', 0}}, "LO"},
    {{{'L', 46}, {'O', 0}, {'L', 46}, {'Q', 3}}, "LO"}, /* what comes after the end is dropped */
    {{{'L', 46}, {'L', 46}, {'O', 0}}, "L2"},
    {{{'L', 45}}, "l"},
    {{{'L', 47}}, "l"},
    {{{'L', 52}}, "l"},
    {{{'L', 0}}, "l"},
    {{{'L', 65534}}, "l"},
    {{{'R', 0}, {'L', 46}}, "b"},
    {{{'O', 0}}, "b"},
    {{{'U', 20}, {'L', 46}}, "b"},
    {{{'S', 5}}, "t"},
    {{{'G', 0x4554}}, "t"},
    {{{'L', 46}, {'R', 1}}, "Ll"},
    {{{'L', 46}, {'O', 2}}, "Ll"},
    {{{'L', 46}, {'S', 2}}, "Lt"},
    {{{'L', 46}, {'H', 0}}, "Lt"},
    {{{'L', 46}, {'Z', 0}}, "Lt"},
    {{{'L', 46}, {'A', 30}}, "Lt"},
    {{{'L', 46}, {'J', 1}}, "Lt"},
    {{{'L', 46}, {'\377', 1}}, "Lt"},
};

static void every_script_has_its_events_in_any_cut(void **state)
{
    (void)state;
    static uint8_t bytes[70000];
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        size_t count = 0;
        for (size_t p = 0; p < 6 && (p == 0 || scripts[i].packets[p].type); p++)
            count += put_packet(bytes + count, scripts[i].packets[p].type,
                                scripts[i].packets[p].payload);
        record_t whole = feed(bytes, count, count);
        assert_string_equal(whole.events, scripts[i].events);
        for (size_t cut = 1; cut < 60; cut++) {
            record_t r = feed(bytes, count, cut);
            assert_memory_equal(&r, &whole, sizeof r);
        }
    }
}

static void a_length_of_zero_is_refused_at_once(void **state)
{
    (void)state;
    uint8_t bytes[100] = {0};
    record_t r = feed(bytes, 2, 1);
    assert_string_equal(r.events, "l");
    assert_int_equal(r.at[0], 2);
    size_t login = put_packet(bytes, 'L', 46);
    memset(bytes + login, 0, 40);
    r = feed(bytes, login + 40, 100);
    assert_string_equal(r.events, "Ll");
    assert_int_equal(r.at[1], login + 2);
}

static void a_login_with_wrong_fields_is_told_and_can_be_rejected(void **state)
{
    (void)state;
    uint8_t packet[SOUP_LOGIN_410_BYTES], answer[SOUP_REJECTED_BYTES];
    soup_server_t s;
    soup_server_event_t event;
    size_t bytes = put_packet(packet, 'L', 46);
    packet[40] = '?'; /* in the sequence */
    soup_server_begin(&s, NULL, 0);
    assert_int_equal(soup_server_take(&s, packet, bytes, S, &event), bytes);
    assert_int_equal(event.kind, SOUP_SERVER_FAULT);
    assert_int_equal(event.fault, SOUP_FAULT_LOGIN_FIELDS);
    assert_int_equal(soup_server_state(&s), SOUP_SERVER_ENDING);
    assert_int_equal(soup_server_reject(&s, SOUP_NOT_AUTHORIZED, S, answer), 4);
    assert_memory_equal(answer, "\0\2JA", 4);
    assert_int_equal(soup_server_reject(&s, SOUP_NOT_AUTHORIZED, S, answer), 0);
}

static void nothing_is_sent_before_the_login_is_accepted(void **state)
{
    (void)state;
    uint8_t packet[100];
    soup_server_t s;
    soup_server_event_t event;
    soup_server_begin(&s, NULL, 0);
    assert_int_equal(soup_server_put_debug(&s, packet, sizeof packet, "hello"), 0);
    assert_int_equal(soup_server_due(&s, 4 * S), SOUP_DUE_NOTHING);
    soup_server_take(&s, packet, put_packet(packet, 'L', 46), 4 * S, &event);
    assert_int_equal(event.kind, SOUP_SERVER_LOGIN);
    assert_string_equal(event.login.user, "u");
    assert_int_equal(soup_server_put_debug(&s, packet, sizeof packet, "hello"), 0);
    assert_int_equal(soup_server_due(&s, 1000 * S), SOUP_DUE_NOTHING); /* it is the server's turn */
    assert_true(soup_server_deadline(&s) == UINT64_MAX);

    assert_int_equal(soup_server_accept(&s, &(soup_accepted_t){"S", 9}, 100 * S, packet), 33);
    assert_int_equal(soup_server_reject(&s, 'A', 100 * S, packet), 0); /* too late */
    assert_int_equal(soup_server_put_debug(&s, packet, sizeof packet, "hello"), 0);
}

/* The next thing that is due, and that it is due at exactly the nanosecond that the deadline says.
 */
static enum soup_server_due at_deadline(const soup_server_t *s, uint64_t expected_ns)
{
    uint64_t deadline_ns = soup_server_deadline(s);
    assert_int_equal(deadline_ns, expected_ns);
    assert_int_equal(soup_server_due(s, deadline_ns - 1), SOUP_DUE_NOTHING);
    return soup_server_due(s, deadline_ns);
}

static void open_session(soup_server_t *s, uint32_t timeout_ms, uint64_t now_ns)
{
    uint8_t packet[SOUP_LOGIN_410_BYTES];
    soup_server_event_t event;
    soup_login_t login = {.user = "u", .heartbeat_timeout_ms = timeout_ms};
    soup_server_begin(s, NULL, now_ns);
    soup_server_take(s, packet, soup_put_login(packet, &login), now_ns, &event);
    assert_int_equal(event.kind, SOUP_SERVER_LOGIN);
    soup_server_accept(s, &(soup_accepted_t){"S", 1}, now_ns, packet);
}

static void each_thing_is_due_at_its_time(void **state)
{
    (void)state;
    soup_server_t s;
    soup_server_event_t event;
    uint8_t beat[3], login[SOUP_LOGIN_410_BYTES];
    size_t login_bytes = put_packet(login, 'L', 46);

    soup_server_begin(&s, NULL, 10 * S); /* a byte a second does not put the deadline off */
    for (unsigned i = 0; i < 4; i++)
        soup_server_take(&s, login + i, 1, (11 + i) * S, &event);
    assert_int_equal(at_deadline(&s, 15 * S), SOUP_DUE_LOGIN_LATE);
    soup_server_take(&s, login + 4, login_bytes - 4, 15 * S - 1, &event);
    assert_int_equal(event.kind, SOUP_SERVER_LOGIN);

    open_session(&s, 0, 10 * S);
    assert_int_equal(at_deadline(&s, 11 * S), SOUP_DUE_HEARTBEAT);
    soup_server_sent(&s, 11 * S);
    assert_int_equal(at_deadline(&s, 12 * S), SOUP_DUE_HEARTBEAT);
    soup_server_blocked(&s, true);
    assert_int_equal(at_deadline(&s, 25 * S), SOUP_DUE_DEAD);
    soup_server_take(&s, beat, soup_put_header(beat, SOUP_CLIENT_HEARTBEAT, 0), 24 * S, &event);
    assert_int_equal(at_deadline(&s, 39 * S), SOUP_DUE_DEAD);
    soup_server_blocked(&s, false);
    assert_int_equal(soup_server_due(&s, 24 * S), SOUP_DUE_HEARTBEAT);
    assert_int_equal(soup_server_due(&s, 39 * S), SOUP_DUE_DEAD); /* no heartbeat for the dead */

    soup_server_end(&s, 40 * S);
    soup_server_end(&s, 44 * S);
    assert_int_equal(at_deadline(&s, 45 * S), SOUP_DUE_CLOSE);
}

static void a_login_may_ask_for_more_patience_and_not_for_less(void **state)
{
    (void)state;
    static const struct {
        uint32_t timeout_ms;
        uint64_t dead_ns;
    } cases[] = {{0, 15 * S},
                 {1, 15 * S},
                 {15000, 15 * S},
                 {15001, 15 * S + 1000000},
                 {99999, 99 * S + 999000000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        soup_server_t s;
        open_session(&s, cases[i].timeout_ms, S);
        soup_server_blocked(&s, true);
        assert_int_equal(at_deadline(&s, S + cases[i].dead_ns), SOUP_DUE_DEAD);
    }
    soup_times_t never = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    soup_server_t s;
    soup_server_begin(&s, &never, S);
    assert_true(soup_server_deadline(&s) == UINT64_MAX);
    assert_int_equal(soup_server_due(&s, UINT64_MAX - 1), SOUP_DUE_NOTHING);
}

static void every_fault_has_a_text(void **state)
{
    (void)state;
    for (int fault = SOUP_FAULT_NONE; fault <= SOUP_FAULT_LOGIN_FIELDS; fault++)
        for (int other = fault + 1; other <= SOUP_FAULT_LOGIN_FIELDS; other++)
            assert_string_not_equal(soup_server_fault_text((enum soup_server_fault)fault),
                                    soup_server_fault_text((enum soup_server_fault)other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_script_has_its_events_in_any_cut),
        cmocka_unit_test(a_length_of_zero_is_refused_at_once),
        cmocka_unit_test(a_login_with_wrong_fields_is_told_and_can_be_rejected),
        cmocka_unit_test(nothing_is_sent_before_the_login_is_accepted),
        cmocka_unit_test(each_thing_is_due_at_its_time),
        cmocka_unit_test(a_login_may_ask_for_more_patience_and_not_for_less),
        cmocka_unit_test(every_fault_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
