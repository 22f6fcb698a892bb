/* SPDX-License-Identifier: Apache-2.0 */
/* tickbus/soup.h against a real server over loopback, with a proxy in between where the network is
 * to misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/soup.h>

#include "tests/support/fault_proxy.h"
#include "tests/support/soup_fake.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)
#define LONG   (60 * SECOND) /* never reached unless something is wrong */

/* Message `sequence`: its length and bytes follow from its number. */
static size_t small_message(uint64_t sequence, void *context, uint8_t *to)
{
    (void)context;
    size_t bytes = sequence * 7 % 23;
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(sequence * 31 + i);
    return bytes;
}

/* Some of them are as long as they can be. */
static size_t large_message(uint64_t sequence, void *context, uint8_t *to)
{
    size_t bytes = sequence % 4 == 0   ? SOUP_FAKE_MESSAGE_MAX
                   : sequence % 4 == 1 ? SOUP_FAKE_MESSAGE_MAX - 1
                                       : small_message(sequence, context, to);
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(sequence * 31 + i);
    return bytes;
}

static const soup_fake_script_t usual = {
    .session = "DAY0000001", .messages = 50, .ends = true, .message = small_message};

typedef struct world {
    soup_fake_t *fake;
    fault_proxy_t *proxy;
    uint16_t fake_port, port; /* port: where clients connect */
    char server[64];
    tbus_soup_t *soup;
} world_t;

static int set_up(void **state)
{
    *state = calloc(1, sizeof(world_t));
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    world_t *w = *state;
    tbus_soup_close(w->soup);
    fault_proxy_stop(w->proxy);
    soup_fake_stop(w->fake);
    free(w);
    return 0;
}

static void start(world_t *w, const soup_fake_script_t *script, fault_planner_t planner,
                  void *context)
{
    w->fake = soup_fake_start(script, w->fake_port, &w->fake_port);
    assert_non_null(w->fake);
    w->port = w->fake_port;
    if (planner) {
        w->proxy = fault_proxy_start(w->fake_port, planner, context, &w->port);
        assert_non_null(w->proxy);
    }
    snprintf(w->server, sizeof w->server, "127.0.0.1:%u", w->port);
}

static void open_from(world_t *w, uint64_t from)
{
    tbus_soup_options_t options = {.from = from, .pause_ns = MS, .user = "u", .password = "p"};
    tbus_error_t err;
    if (tbus_soup_open(w->server, &options, &w->soup, &err) < 0)
        fail_msg("%s", err.text);
}

/* The next event that is neither a loss nor its end. Messages are looked at. */
static int next(tbus_soup_t *soup, uint64_t timeout_ns, tbus_soup_event_t *event,
                size_t (*message)(uint64_t, void *, uint8_t *))
{
    static uint8_t expected[SOUP_FAKE_MESSAGE_MAX];
    tbus_error_t err = {0};
    int outcome;
    do
        outcome = tbus_soup_next(soup, timeout_ns, event, &err);
    while (outcome == TBUS_SOUP_LOST || outcome == TBUS_SOUP_RESUMED);
    if (outcome == TBUS_SOUP_MESSAGE) {
        assert_int_equal(event->bytes, message(event->sequence, NULL, expected));
        assert_memory_equal(event->data, expected, event->bytes);
    }
    return outcome;
}

/* from..to come, each once and in order, and then the end if `ends`. */
static void expect(world_t *w, uint64_t from, uint64_t to, bool ends,
                   size_t (*message)(uint64_t, void *, uint8_t *))
{
    tbus_soup_event_t event;
    for (uint64_t sequence = from; sequence <= to; sequence++) {
        assert_int_equal(next(w->soup, LONG, &event, message), TBUS_SOUP_MESSAGE);
        assert_int_equal(event.sequence, sequence);
    }
    for (int again = 0; ends && again < 2; again++) { /* it is final */
        assert_int_equal(next(w->soup, LONG, &event, message), TBUS_SOUP_ENDED);
        assert_int_equal(event.sequence, to);
    }
}

static void a_session_is_received_from_any_message_on(void **state)
{
    world_t *w = *state;
    static const uint64_t places[] = {1, 2, 50, 51};
    start(w, &usual, NULL, NULL);
    for (size_t i = 0; i < 4; i++) {
        tbus_soup_status_t status;
        open_from(w, places[i]);
        expect(w, places[i], 50, true, small_message);
        tbus_soup_status(w->soup, &status);
        assert_string_equal(status.session, "DAY0000001");
        assert_int_equal(status.messages, 51 - places[i]);
        assert_int_equal(status.next, 51);
        assert_int_equal(status.reconnects, 0);
        assert_int_equal(status.connected, 0);
        tbus_soup_close(w->soup);
        w->soup = NULL;
    }
}

static void what_comes_from_now_on_is_received(void **state)
{
    world_t *w = *state;
    tbus_soup_event_t event;
    soup_fake_script_t script = usual;
    script.ends = false;
    script.greeting = "welcome";
    start(w, &script, NULL, NULL);
    open_from(w, 0);
    assert_int_equal(next(w->soup, LONG, &event, small_message), TBUS_SOUP_TEXT);
    assert_int_equal(event.bytes, 7);
    assert_memory_equal(event.data, "welcome", 7);
    assert_int_equal(next(w->soup, 0, &event, small_message), TBUS_SOUP_NOTHING);
    assert_int_equal(next(w->soup, 20 * MS, &event, small_message), TBUS_SOUP_NOTHING);
    soup_fake_add(w->fake, 3, false);
    expect(w, 51, 53, false, small_message);
    soup_fake_add(w->fake, 1, true);
    expect(w, 54, 54, true, small_message);
}

static void chop(unsigned number, void *context, fault_plan_t *plan)
{
    (void)context;
    plan->up.piece_bytes = number % 2 ? 1 : 5;
    plan->down.piece_bytes = number % 2 ? 1 : 7;
    plan->down.coalesce_bytes = number < 2 ? 0 : 600;
}

static void bytes_one_by_one_and_in_heaps_are_the_same_messages(void **state)
{
    world_t *w = *state;
    start(w, &usual, chop, NULL);
    for (int connection = 0; connection < 4; connection++) {
        open_from(w, 1);
        expect(w, 1, 50, true, small_message);
        tbus_soup_close(w->soup);
        w->soup = NULL;
    }
}

static void the_longest_messages_come_in_one_piece(void **state)
{
    world_t *w = *state;
    soup_fake_script_t script = usual;
    script.message = large_message;
    script.messages = 100;
    start(w, &script, NULL, NULL);
    open_from(w, 1);
    expect(w, 1, 100, true, large_message);
}

/* The next connections, one after the other, get a RST after so many bytes from the server. */
typedef struct resets {
    /* both atomic: the proxy's thread reads them */
    uint64_t at[3];
    unsigned used;
} resets_t;

static void reset_in_turn(unsigned number, void *context, fault_plan_t *plan)
{
    resets_t *r = context;
    (void)number;
    unsigned turn = __atomic_fetch_add(&r->used, 1, __ATOMIC_ACQ_REL);
    plan->down.reset_at = turn < 3 ? __atomic_load_n(&r->at[turn], __ATOMIC_ACQUIRE) : FAULT_NEVER;
}

static void resets_begin(resets_t *r, uint64_t first, uint64_t second)
{
    const uint64_t at[3] = {first, second, FAULT_NEVER};
    for (unsigned turn = 0; turn < 3; turn++)
        __atomic_store_n(&r->at[turn], at[turn], __ATOMIC_RELEASE);
    __atomic_store_n(&r->used, 0, __ATOMIC_RELEASE);
}

static size_t session_bytes(uint64_t messages)
{
    uint8_t message[64];
    size_t bytes = 33 + 3; /* the answer to the login and the end */
    for (uint64_t s = 1; s <= messages; s++)
        bytes += 3 + small_message(s, NULL, message);
    return bytes;
}

static void after_a_reset_at_any_byte_each_message_comes_once(void **state)
{
    world_t *w = *state;
    resets_t resets = {.used = 0};
    soup_fake_script_t script = usual;
    script.messages = 30;
    size_t bytes = session_bytes(script.messages);
    start(w, &script, reset_in_turn, &resets);
    for (size_t at = 33; at <= bytes; at++) {
        tbus_soup_status_t status;
        /* The second connection breaks within the answer to the login, or within the messages. */
        resets_begin(&resets, at, at % 2 ? at % 33 : 33 + at % 40);
        open_from(w, 1);
        expect(w, 1, 30, true, small_message);
        tbus_soup_status(w->soup, &status);
        /* The end alone may have come before the RST, or the RST before the end was read. */
        assert_in_range(status.reconnects, at < bytes ? 1 : 0, 2);
        tbus_soup_close(w->soup);
        w->soup = NULL;
    }
}

static void a_first_connection_that_breaks_before_the_answer_is_an_error(void **state)
{
    world_t *w = *state;
    resets_t resets = {.used = 0};
    tbus_soup_options_t options = {.from = 1};
    tbus_error_t err;
    start(w, &usual, reset_in_turn, &resets);
    for (unsigned at = 0; at < 33; at++) {
        resets_begin(&resets, at, FAULT_NEVER);
        int code = tbus_soup_open(w->server, &options, &w->soup, &err);
        assert_true(code == -ECONNRESET || code == -ECONNREFUSED || code == -EPIPE);
        assert_non_null(strstr(err.text, w->server));
        assert_null(w->soup);
    }
}

static void stall_once(unsigned number, void *context, fault_plan_t *plan)
{
    (void)context;
    if (number == 0)
        plan->down.stall_at = 333;
}

/* G1, from the client's side. */
static void a_half_open_connection_is_given_up_and_made_again(void **state)
{
    world_t *w = *state;
    tbus_soup_options_t options = {.from = 1, .pause_ns = MS, .dead_ns = 100 * MS};
    tbus_soup_event_t event;
    start(w, &usual, stall_once, NULL);
    assert_int_equal(tbus_soup_open(w->server, &options, &w->soup, NULL), 0);
    uint64_t expected = 1;
    int outcome;
    while ((outcome = tbus_soup_next(w->soup, LONG, &event, NULL)) == TBUS_SOUP_MESSAGE)
        assert_int_equal(event.sequence, expected++);
    assert_int_equal(outcome, TBUS_SOUP_LOST);
    assert_non_null(strstr(event.why, "nothing is heard"));
    assert_in_range(expected, 5, 50);
    assert_int_equal(tbus_soup_next(w->soup, LONG, &event, NULL), TBUS_SOUP_RESUMED);
    assert_int_equal(event.sequence, expected);
    expect(w, expected, 50, true, small_message);
}

static void a_server_that_is_killed_and_started_again_is_found_again(void **state)
{
    world_t *w = *state;
    soup_fake_script_t script = usual;
    script.ends = false;
    for (unsigned life = 0; life < 5; life++) {
        script.messages = 50 + 10 * life;
        start(w, &script, NULL, NULL);
        if (life == 0)
            open_from(w, 1);
        expect(w, life ? 41 + 10 * life : 1, 50 + 10 * life, false, small_message);
        if (life < 4) {
            soup_fake_stop(w->fake);
            w->fake = NULL;
        }
    }
    soup_fake_add(w->fake, 1, true);
    expect(w, 91, 91, true, small_message);
    tbus_soup_status_t status;
    tbus_soup_status(w->soup, &status);
    assert_int_equal(status.reconnects, 4);
}

static void what_the_server_does_not_have_any_more_is_told_as_a_gap(void **state)
{
    world_t *w = *state;
    tbus_soup_event_t event;
    soup_fake_script_t script = usual;
    script.first = 4;
    start(w, &script, NULL, NULL);
    open_from(w, 2);
    assert_int_equal(next(w->soup, LONG, &event, small_message), TBUS_SOUP_GAP);
    assert_int_equal(event.sequence, 2);
    assert_int_equal(event.last, 3);
    expect(w, 4, 50, true, small_message);
}

static void another_session_after_the_loss_is_refused_and_not_mixed_up(void **state)
{
    world_t *w = *state;
    tbus_soup_event_t event;
    soup_fake_script_t script = usual;
    script.ends = false;
    start(w, &script, NULL, NULL);
    open_from(w, 1);
    expect(w, 1, 50, false, small_message);
    soup_fake_stop(w->fake);
    script.session = "DAY0000002";
    start(w, &script, NULL, NULL);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(next(w->soup, LONG, &event, small_message), TBUS_SOUP_REFUSED);
        assert_non_null(strstr(event.why, "DAY0000001"));
    }
}

static void a_server_without_a_session_name_is_resumed_by_sequence(void **state)
{
    world_t *w = *state;
    resets_t resets = {.used = 0};
    soup_fake_script_t script = usual;
    script.session = "";
    start(w, &script, reset_in_turn, &resets);
    resets_begin(&resets, 200, FAULT_NEVER);
    open_from(w, 1);
    expect(w, 1, 50, true, small_message);
}

static void a_connection_that_stays_lost_is_an_error(void **state)
{
    world_t *w = *state;
    tbus_soup_options_t options = {.from = 51, .pause_ns = MS, .lost_ns = 50 * MS};
    tbus_soup_event_t event;
    tbus_error_t err;
    soup_fake_script_t script = usual;
    script.ends = false;
    start(w, &script, NULL, NULL);
    assert_int_equal(tbus_soup_open(w->server, &options, &w->soup, &err), 0);
    soup_fake_stop(w->fake);
    w->fake = NULL;
    assert_int_equal(tbus_soup_next(w->soup, LONG, &event, &err), TBUS_SOUP_LOST);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(tbus_soup_next(w->soup, LONG, &event, &err), -ETIMEDOUT);
        assert_non_null(strstr(err.text, w->server));
    }
}

static void what_cannot_be_opened_is_told_in_words(void **state)
{
    world_t *w = *state;
    soup_fake_script_t script = usual;
    script.user = "trader";
    script.password = "secret";
    start(w, &script, NULL, NULL);
    const struct {
        const char *server, *user, *password, *session;
        uint64_t from;
        int code;
        const char *words;
    } cases[] = {
        {w->server, "trader", "secret", NULL, 1, 0, ""},
        {w->server, "TRADER", "Secret", "DAY0000001", 51, 0, ""},
        {w->server, "trader", "secreT1", NULL, 1, -EACCES, "rejects the user or the password"},
        {w->server, NULL, NULL, NULL, 1, -EACCES, "rejects the user or the password"},
        {w->server, "trader", "secret", "DAY2", 1, -TBUS_ENOTFOUND, "no session 'DAY2'"},
        {w->server, "trader", "secret", NULL, 52, -TBUS_ENOTFOUND, "with a sequence 52"},
        {w->server, "traders", NULL, NULL, 1, -EINVAL, "the user has 7 characters"},
        {w->server, "", "elevenchars", NULL, 1, -EINVAL, "the password has 11"},
        {w->server, "", "", "elevenchars", 1, -EINVAL, "the session has 11"},
        {w->server, "us\xc3\xa9r", "", "", 1, -EINVAL, "the user is not ASCII"},
        {"localhost", "", "", "", 1, -EINVAL, "write HOST:PORT"},
        {"localhost:", "", "", "", 1, -EINVAL, "write HOST:PORT"},
        {":9001", "", "", "", 1, -EINVAL, "write HOST:PORT"},
        {"::1:9001", "", "", "", 1, -EINVAL, "[ADDRESS]:PORT"},
        {"[::1]", "", "", "", 1, -EINVAL, "[ADDRESS]:PORT"},
        {"localhost:0", "", "", "", 1, -EINVAL, "write HOST:PORT"},
        {"localhost:65536", "", "", "", 1, -EINVAL, "write HOST:PORT"},
        {"localhost:80x", "", "", "", 1, -EINVAL, "write HOST:PORT"},
        {"no.such.host.invalid:9001", "", "", "", 1, -ENXIO, "no.such.host.invalid"},
        {"127.0.0.1:1", "", "", "", 1, -ECONNREFUSED, "127.0.0.1:1 cannot be reached"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tbus_soup_options_t options = {.user = cases[i].user,
                                       .password = cases[i].password,
                                       .session = cases[i].session,
                                       .from = cases[i].from};
        tbus_soup_t *soup = NULL;
        tbus_error_t err = {0};
        int code = tbus_soup_open(cases[i].server, &options, &soup, &err);
        if (code != cases[i].code || !strstr(err.text, cases[i].words))
            fail_msg("case %zu: %d, %s", i, code, err.text);
        tbus_soup_close(soup);
    }
}

static void a_name_that_has_several_addresses_is_tried_at_each(void **state)
{
    world_t *w =
        *state; /* ::1, where nobody listens, and 127.0.0.1, as /etc/hosts usually has it */
    start(w, &usual, NULL, NULL);
    snprintf(w->server, sizeof w->server, "localhost:%u", w->port);
    open_from(w, 1);
    expect(w, 1, 50, true, small_message);
}

/* A server that sends some bytes to whoever connects, in a child. -1: no such address here. */
static pid_t serve_bytes(int family, const char *bytes, size_t count, uint16_t *out_port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = {.any.sa_family = (sa_family_t)family};
    socklen_t at_bytes = sizeof at;
    if (family == AF_INET)
        at.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        at.v6.sin6_addr = in6addr_loopback;
    int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 ||
        bind(listener, &at.any, family == AF_INET ? sizeof at.v4 : sizeof at.v6) < 0)
        return -1;
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, &at.any, &at_bytes), 0);
    *out_port = ntohs(family == AF_INET ? at.v4.sin_port : at.v6.sin6_port);
    pid_t child = fork();
    if (child == 0) {
        char in[100];
        int fd = accept(listener, NULL, NULL);
        while (fd >= 0 && count > 0) {
            ssize_t sent = write(fd, bytes, count);
            if (sent < 0)
                break;
            bytes += sent;
            count -= (size_t)sent;
        }
        while (read(fd, in, sizeof in) > 0)
            ;
        _exit(0);
    }
    close(listener);
    return child;
}

static void what_does_not_speak_the_protocol_is_refused(void **state)
{
    (void)state;
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    static const struct {
        const char *bytes;
        size_t count;
        int code;
    } cases[] = {{http, sizeof http - 1, -TBUS_EFORMAT},
                 {"\0\0", 2, -TBUS_EFORMAT},
                 {"\0\5Shello", 8, -TBUS_EFORMAT},
                 {"\0\1Z", 3, -TBUS_ENOTFOUND}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint16_t port;
        char server[64];
        tbus_soup_t *soup = NULL;
        pid_t child = serve_bytes(AF_INET, cases[i].bytes, cases[i].count, &port);
        snprintf(server, sizeof server, "127.0.0.1:%u", port);
        int code = tbus_soup_open(server, NULL, &soup, NULL);
        waitpid(child, NULL, 0);
        assert_int_equal(code, cases[i].code);
        assert_null(soup);
    }
}

static void a_server_at_an_ipv6_address_is_reached(void **state)
{
    (void)state;
    uint16_t port;
    char server[64];
    tbus_soup_t *soup = NULL;
    tbus_error_t err = {0};
    pid_t child = serve_bytes(AF_INET6, "\0\2JA", 4, &port);
    if (child < 0)
        skip();
    snprintf(server, sizeof server, "[::1]:%u", port);
    int code = tbus_soup_open(server, NULL, &soup, &err);
    waitpid(child, NULL, 0);
    assert_int_equal(code, -EACCES); /* it has answered */
    assert_non_null(strstr(err.text, "[::1]:"));
}

static void closing_logs_out(void **state)
{
    world_t *w = *state;
    soup_fake_script_t script = usual;
    script.ends = false;
    script.messages = 200000; /* more than the buffers hold: the server is still sending */
    start(w, &script, NULL, NULL);
    open_from(w, 1);
    expect(w, 1, 5, false, small_message);
    tbus_soup_close(w->soup);
    w->soup = NULL;
    assert_int_equal(soup_fake_logins(w->fake), 1);
    assert_int_equal(soup_fake_logouts(w->fake), 1);
    tbus_soup_close(NULL);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_session_is_received_from_any_message_on),
        WITH_WORLD(what_comes_from_now_on_is_received),
        WITH_WORLD(bytes_one_by_one_and_in_heaps_are_the_same_messages),
        WITH_WORLD(the_longest_messages_come_in_one_piece),
        WITH_WORLD(after_a_reset_at_any_byte_each_message_comes_once),
        WITH_WORLD(a_first_connection_that_breaks_before_the_answer_is_an_error),
        WITH_WORLD(a_half_open_connection_is_given_up_and_made_again),
        WITH_WORLD(a_server_that_is_killed_and_started_again_is_found_again),
        WITH_WORLD(what_the_server_does_not_have_any_more_is_told_as_a_gap),
        WITH_WORLD(another_session_after_the_loss_is_refused_and_not_mixed_up),
        WITH_WORLD(a_server_without_a_session_name_is_resumed_by_sequence),
        WITH_WORLD(a_connection_that_stays_lost_is_an_error),
        WITH_WORLD(what_cannot_be_opened_is_told_in_words),
        WITH_WORLD(a_name_that_has_several_addresses_is_tried_at_each),
        cmocka_unit_test(what_does_not_speak_the_protocol_is_refused),
        cmocka_unit_test(a_server_at_an_ipv6_address_is_reached),
        WITH_WORLD(closing_logs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
