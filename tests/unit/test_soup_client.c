/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of a SoupBinTCP connection, with made-up bytes and times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/wire/soup_client.h"

#define S UINT64_C(1000000000)

/* A server's packets, one behind the other. */
typedef struct stream {
    uint8_t bytes[200000];
    size_t count;
} stream_t;

static void add(stream_t *s, char type, const void *payload, size_t bytes)
{
    memcpy(s->bytes + s->count + SOUP_HEADER_BYTES, payload, bytes);
    s->count += soup_put_header(s->bytes + s->count, (enum soup_type)type, bytes);
}

static void add_accepted(stream_t *s, const char *session, uint64_t sequence)
{
    soup_accepted_t accepted = {.sequence = sequence};
    strcpy(accepted.session, session);
    s->count += soup_put_accepted(s->bytes + s->count, &accepted);
}

/* What a client makes of it, as text: "A7 M7:hello T:text E8 F:fault". */
typedef struct account {
    char text[512];
    size_t used;
} account_t;

__attribute__((format(printf, 2, 3))) static void tell(account_t *a, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    a->used += (size_t)vsnprintf(a->text + a->used, sizeof a->text - a->used, format, list);
    va_end(list);
    assert_true(a->used < sizeof a->text);
}

static void tell_event(account_t *a, const soup_client_event_t *event)
{
    int bytes = event->bytes < 20 ? (int)event->bytes : 20;
    switch (event->kind) {
    case SOUP_CLIENT_NOTHING:
        break;
    case SOUP_CLIENT_ACCEPTED:
        tell(a, "A[%s]%llu ", event->accepted.session,
             (unsigned long long)event->accepted.sequence);
        break;
    case SOUP_CLIENT_REJECTED:
        tell(a, "J%c ", event->reason);
        break;
    case SOUP_CLIENT_MESSAGE:
        tell(a, "M%llu:%zu:%.*s ", (unsigned long long)event->sequence, event->bytes, bytes,
             (const char *)event->data);
        break;
    case SOUP_CLIENT_UNSEQUENCED:
        tell(a, "U:%.*s ", bytes, (const char *)event->data);
        break;
    case SOUP_CLIENT_TEXT:
        tell(a, "T:%.*s ", bytes, (const char *)event->data);
        break;
    case SOUP_CLIENT_END:
        tell(a, "E%llu ", (unsigned long long)event->sequence);
        break;
    case SOUP_CLIENT_FAULT:
        tell(a, "F:%s ", event->fault);
        break;
    }
}

/* The stream comes in pieces of `cut`; the client's buffer has just room for one packet. */
static account_t receive(const stream_t *s, size_t cut)
{
    static uint8_t buffer[SOUP_PACKET_MAX];
    account_t account = {.used = 0};
    soup_client_t c;
    soup_client_event_t event = {0};
    size_t begin = 0, end = 0;
    soup_client_begin(&c, NULL, 0);
    for (size_t at = 0; at < s->count;) {
        memmove(buffer, buffer + begin, end - begin);
        end -= begin;
        begin = 0;
        size_t some = s->count - at < cut ? s->count - at : cut;
        if (some > sizeof buffer - end)
            some = sizeof buffer - end;
        assert_true(some > 0 || c.state == SOUP_CLIENT_CLOSED); /* a packet always fits */
        memcpy(buffer + end, s->bytes + at, some);
        at += some;
        end += some;
        for (size_t used; (used = soup_client_take(&c, buffer + begin, end - begin, &event));) {
            tell_event(&account, &event);
            begin += used;
        }
        tell_event(&account, &event); /* nothing, or a fault */
        if (c.state == SOUP_CLIENT_CLOSED)
            begin = end; /* whatever comes now */
        event.kind = SOUP_CLIENT_NOTHING;
    }
    return account;
}

static void expect(const stream_t *s, const char *text)
{
    static const size_t cuts[] = {1, 2, 3, 5, 7, 33, 34, 1400, 65536, SIZE_MAX};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        account_t account = receive(s, cuts[i]);
        assert_string_equal(account.text, text);
    }
}

static void a_whole_session_is_read_in_any_cut(void **state)
{
    (void)state;
    static stream_t s;
    static uint8_t large[SOUP_PAYLOAD_MAX];
    memset(large, 'x', sizeof large);
    s.count = 0;
    add(&s, '+', "welcome", 7);
    add(&s, 'H', "", 0);
    add_accepted(&s, "DAY1", 41);
    add(&s, 'S', "hello", 5);
    add(&s, 'S', "", 0);
    add(&s, 'H', "", 0);
    add(&s, 'U', "beside", 6);
    add(&s, 'S', large, sizeof large);
    add(&s, '+', "", 0);
    add(&s, 'S', large, sizeof large);
    add(&s, 'S', "last", 4);
    add(&s, 'Z', "", 0);
    add(&s, 'S', "too late", 8);
    expect(&s, "T:welcome A[DAY1]41 M41:5:hello M42:0: U:beside M43:65534:xxxxxxxxxxxxxxxxxxxx T: "
               "M44:65534:xxxxxxxxxxxxxxxxxxxx M45:4:last E46 ");
}

static void a_blank_session_is_accepted(void **state)
{
    (void)state;
    static stream_t s;
    s.count = 0;
    add_accepted(&s, "", 1);
    add(&s, 'S', "m", 1);
    expect(&s, "A[]1 M1:1:m ");
}

static void a_refusal_and_an_early_end_are_told(void **state)
{
    (void)state;
    static stream_t s;
    s.count = 0;
    add(&s, 'J', "S", 1);
    add_accepted(&s, "DAY1", 1);
    expect(&s, "JS ");
    s.count = 0;
    add(&s, 'Z', "", 0);
    expect(&s, "E0 ");
}

static void what_breaks_the_protocol_is_refused_at_its_byte(void **state)
{
    (void)state;
    static const struct {
        bool open; /* after a Login Accepted */
        uint8_t bytes[3];
        size_t seen_at; /* with so many of them */
        const char *fault;
    } cases[] = {
        {false, {0, 0, 'S'}, 2, "a packet of length 0"},
        {true, {0, 0, 'S'}, 2, "a packet of length 0"},
        {false, {0, 9, 'S'}, 3, "a message before the answer to the login"},
        {false, {255, 255, 'U'}, 3, "a message before the answer to the login"},
        {false, {0, 30, 'A'}, 3, "a Login Accepted of a wrong length"},
        {false, {0, 1, 'J'}, 3, "a Login Rejected of a wrong length"},
        {true, {0, 31, 'A'}, 3, "a second answer to the login"},
        {true, {0, 2, 'J'}, 3, "a second answer to the login"},
        {true, {0, 2, 'H'}, 3, "a heartbeat with a payload"},
        {true, {1, 1, 'Z'}, 3, "an End of Session with a payload"},
        {true, {0, 1, 'Q'}, 3, "a packet of a type that no server sends"},
        {true, {0, 1, 'R'}, 3, "a packet of a type that no server sends"},
        {true, {0, 47, 'L'}, 3, "a packet of a type that no server sends"},
        {false, {0x48, 0x54, 'T'}, 3, "a packet of a type that no server sends"}, /* HTTP */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        soup_client_t c;
        soup_client_event_t event;
        uint8_t accepted[SOUP_ACCEPTED_BYTES];
        soup_client_begin(&c, NULL, 0);
        size_t bytes = soup_put_accepted(accepted, &(soup_accepted_t){"D", 1});
        if (cases[i].open)
            assert_int_equal(soup_client_take(&c, accepted, bytes, &event), bytes);
        for (size_t count = 0; count < cases[i].seen_at; count++) {
            assert_int_equal(soup_client_take(&c, cases[i].bytes, count, &event), 0);
            assert_int_equal(event.kind, SOUP_CLIENT_NOTHING);
        }
        assert_int_equal(soup_client_take(&c, cases[i].bytes, cases[i].seen_at, &event), 0);
        assert_int_equal(event.kind, SOUP_CLIENT_FAULT);
        assert_string_equal(event.fault, cases[i].fault);
        assert_int_equal(soup_client_take(&c, cases[i].bytes, 3, &event), 0); /* final */
        assert_int_equal(event.kind, SOUP_CLIENT_NOTHING);
        assert_true(soup_client_deadline(&c) == UINT64_MAX);
    }
}

static void an_answer_with_wrong_fields_is_refused(void **state)
{
    (void)state;
    static stream_t s;
    s.count = 0;
    add_accepted(&s, "DAY1", 1);
    s.bytes[20] = 'x';
    expect(&s, "F:a Login Accepted whose fields are no ASCII or no number ");
}

static enum soup_client_due at_deadline(const soup_client_t *c, uint64_t expected_ns)
{
    uint64_t deadline_ns = soup_client_deadline(c);
    assert_int_equal(deadline_ns, expected_ns);
    assert_int_equal(soup_client_due(c, deadline_ns - 1), SOUP_CLIENT_DUE_NOTHING);
    return soup_client_due(c, deadline_ns);
}

static void each_thing_is_due_at_its_time(void **state)
{
    (void)state;
    soup_client_t c;
    soup_client_event_t event;
    uint8_t accepted[SOUP_ACCEPTED_BYTES], end[3];
    soup_client_begin(&c, NULL, 10 * S);
    assert_int_equal(at_deadline(&c, 25 * S), SOUP_CLIENT_DUE_NO_ANSWER);
    soup_client_heard(&c, 24 * S); /* what is no answer does not put it off */
    assert_int_equal(at_deadline(&c, 25 * S), SOUP_CLIENT_DUE_NO_ANSWER);

    size_t bytes = soup_put_accepted(accepted, &(soup_accepted_t){"D", 1});
    assert_int_equal(soup_client_take(&c, accepted, bytes, &event), bytes);
    assert_int_equal(at_deadline(&c, 11 * S), SOUP_CLIENT_DUE_HEARTBEAT);
    soup_client_sent(&c, 24 * S);
    assert_int_equal(at_deadline(&c, 25 * S), SOUP_CLIENT_DUE_HEARTBEAT);
    soup_client_sent(&c, 38 * S + 1);
    assert_int_equal(at_deadline(&c, 39 * S), SOUP_CLIENT_DUE_DEAD);
    assert_int_equal(soup_client_due(&c, 60 * S), SOUP_CLIENT_DUE_DEAD);
    soup_client_heard(&c, 39 * S);
    assert_int_equal(at_deadline(&c, 39 * S + 1), SOUP_CLIENT_DUE_HEARTBEAT);

    soup_put_header(end, SOUP_END_OF_SESSION, 0);
    assert_int_equal(soup_client_take(&c, end, 3, &event), 3);
    assert_int_equal(event.kind, SOUP_CLIENT_END);
    assert_true(soup_client_deadline(&c) == UINT64_MAX);
    assert_int_equal(soup_client_due(&c, 1000 * S), SOUP_CLIENT_DUE_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_session_is_read_in_any_cut),
        cmocka_unit_test(a_blank_session_is_accepted),
        cmocka_unit_test(a_refusal_and_an_early_end_are_told),
        cmocka_unit_test(what_breaks_the_protocol_is_refused_at_its_byte),
        cmocka_unit_test(an_answer_with_wrong_fields_is_refused),
        cmocka_unit_test(each_thing_is_due_at_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
