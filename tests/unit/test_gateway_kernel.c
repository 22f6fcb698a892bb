/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of the kernel that a gateway has to bear, each by itself, by epoll and by io_uring: those
 * who are connected lose nothing, nobody turns for nothing, and it is said once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/tcp.h>

#include "tests/unit/gateway_calls.h"
#include "tests/unit/gateway_rig.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static rig_t rig;

static int set_up(void **state)
{
    *state = &rig;
    rig_create(&rig, true);
    rig.options.logins_max = 1; /* accepting is taken up anew after each login */
    return 0;
}

static int tear_down(void **state)
{
    inject(CALL_NONE, 0, 0, 0);
    rig_destroy(*state);
    return 0;
}

static uint64_t total(const rig_t *r, enum gateway_total which)
{
    return tbus_load_relaxed_u64(&r->board->totals[which]);
}

static void assert_noted(const rig_t *r, const char *what)
{
    char note[8 * GATEWAY_NOTE_WORDS];
    gateway_board_note(r->board, note);
    if (!strstr(note, what))
        fail_msg("'%s' is not '%s'", note, what);
}

/* Accepting fails three times, each after a pause; whoever is connected gets all the while what is
 * published, and whoever waits is let in. */
static void accepting_fails(rig_t *r, int error)
{
    uint64_t told = total(r, GATEWAY_TOTAL_out_of_descriptors);
    rig_client_t *there = rig_connect(r, 0), *waits = &r->clients[1];
    uint8_t packet[SOUP_LOGIN_410_BYTES];
    soup_login_t login = {.user = "u", .sequence = 1};
    uint64_t accepted = total(r, GATEWAY_TOTAL_accepted);
    while (total(r, GATEWAY_TOTAL_accepted) == accepted)
        rig_turn(r);
    inject(CALL_ACCEPT, 0, 3, error);
    soup_client_begin(&there->soup, NULL, tbus_clock_ns());
    rig_send(there, packet, soup_put_login(packet, &login));
    rig_until_complete(r, there);
    rig_subscribe(r, 1, 1);
    while (hits < 3) {
        rig_publish(r, 1);
        rig_until_complete(r, there);
    }
    rig_until_complete(r, waits);
    rig_until_complete(r, there);
    assert_int_equal(hits, 3);
    while (total(r, GATEWAY_TOTAL_out_of_descriptors) == told)
        rig_turn(r);
    assert_int_equal(total(r, GATEWAY_TOTAL_out_of_descriptors), told + 1);
    assert_noted(r, strerror(error));
}

static void
whatever_accepting_fails_with_those_there_are_served_and_who_waits_is_let_in(void **state)
{
    rig_t *r = *state;
    static const int errors[] = {ENFILE, EMFILE, ENOBUFS, ENOMEM, EPERM};
    rig_publish(r, 100);
    rig_start_server(r);
    for (unsigned i = 0; i < COUNT(errors); i++)
        accepting_fails(r, errors[i]);
}

/* It is the connection that is broken: the next one is taken at once, and nothing is said. */
static void a_connection_that_broke_before_it_was_accepted_is_no_reason_to_pause(void **state)
{
    rig_t *r = *state;
    static const int errors[] = {ECONNABORTED, EPROTO};
    rig_publish(r, 100);
    rig_start_server(r);
    for (unsigned i = 0; i < COUNT(errors); i++) {
        rig_client_t *first = rig_connect(r, 0);
        uint8_t packet[SOUP_LOGIN_410_BYTES];
        soup_login_t login = {.user = "u", .sequence = 1};
        uint64_t accepted = total(r, GATEWAY_TOTAL_accepted);
        while (total(r, GATEWAY_TOTAL_accepted) == accepted)
            rig_turn(r);
        inject(CALL_ACCEPT, 0, 1, errors[i]);
        soup_client_begin(&first->soup, NULL, tbus_clock_ns());
        rig_send(first, packet, soup_put_login(packet, &login));
        rig_until_complete(r, first);
        rig_until_complete(r, rig_subscribe(r, 1, 1));
        assert_int_equal(hits, 1);
    }
    assert_int_equal(total(r, GATEWAY_TOTAL_out_of_descriptors), 0);
}

static void a_send_that_the_kernel_has_no_memory_for_is_made_again_and_nothing_is_lost(void **state)
{
    rig_t *r = *state;
    static const int errors[] = {ENOBUFS, ENOMEM};
    rig_publish(r, 100);
    rig_start_server(r);
    for (unsigned i = 0; i < COUNT(errors); i++) {
        for (unsigned k = 0; k < 2; k++)
            rig_until_complete(r, rig_subscribe(r, k, 1));
        inject(CALL_SEND, 0, 5, errors[i]);
        while (hits < 5) {
            rig_publish(r, 1);
            rig_turn(r);
        }
        for (unsigned k = 0; k < 2; k++)
            rig_until_complete(r, &r->clients[k]);
        while (total(r, GATEWAY_TOTAL_starved) < 5 * (i + 1))
            rig_turn(r);
        assert_int_equal(total(r, GATEWAY_TOTAL_starved), 5 * (i + 1));
        assert_noted(r, strerror(errors[i]));
    }
}

/* The last words of a session that ends are sent again as well. */
static void what_a_client_is_told_at_its_end_is_not_lost_for_want_of_memory(void **state)
{
    rig_t *r = *state;
    rig_start_server(r);
    rig_publish(r, 10);
    inject(CALL_SEND, 0, 1, ENOBUFS);
    soup_login_t login = {.user = "u", .session = "OTHER", .sequence = 1};
    rig_client_t *c = rig_log_in(r, 0, &login);
    rig_until_closed(r, c);
    assert_int_equal(hits, 1);
    assert_int_equal(c->rejected, 'S');
}

static void hang_up(rig_client_t *c)
{
    close(c->fd);
    c->fd = -1;
}

static void whoever_has_gone_when_something_is_sent_is_closed_and_no_other(void **state)
{
    rig_t *r = *state;
    static const int errors[] = {EPIPE, ECONNRESET};
    rig_publish(r, 100);
    rig_start_server(r);
    for (unsigned i = 0; i < COUNT(errors); i++) {
        for (unsigned k = 0; k < 3; k++)
            rig_until_complete(r, rig_subscribe(r, k, 1));
        inject(CALL_SEND, 1, 1, errors[i]);
        rig_publish(r, 50);
        const rig_client_t *c = r->clients;
        while (hits == 0 || c[0].eof + c[1].eof + c[2].eof == 0)
            rig_turn(r);
        for (unsigned k = 0; k < 3; k++)
            if (!c[k].eof)
                rig_until_complete(r, &c[k]);
        assert_int_equal(c[0].eof + c[1].eof + c[2].eof, 1);
        while (tbus_load_relaxed_u32(&r->board->sessions) != 2)
            rig_turn(r);
        for (unsigned k = 0; k < 3; k++)
            if (!c[k].eof)
                hang_up(&r->clients[k]);
        while (tbus_load_relaxed_u32(&r->board->sessions) != 0)
            rig_turn(r);
    }
    assert_int_equal(total(r, GATEWAY_TOTAL_starved), 0);
}

/* Its sockets would not be what the configuration says. */
static void an_option_that_is_refused_keeps_the_gateway_from_starting_and_is_named(void **state)
{
    rig_t *r = *state;
    for (unsigned after = 0; after < 4; after++) {
        tbus_error_t err = {0};
        inject(CALL_OPTION, after, 1, ENOBUFS);
        assert_int_equal(rig_start_server_of(r, &r->bus, true, &err), -ENOBUFS);
        assert_non_null(strstr(err.text, "cannot listen on 127.0.0.1:0"));
        assert_int_equal(hits, 1);
    }
    inject(CALL_NONE, 0, 0, 0);
    rig_start_server(r);
    rig_publish(r, 10);
    rig_until_complete(r, rig_subscribe(r, 0, 1));
}

/* epoll alone: a listener or a connection that the kernel has no memory to watch. */
static void a_socket_that_cannot_be_watched_is_closed_or_tried_again(void **state)
{
    rig_t *r = *state;
    if (rig_io != GATEWAY_IO_EPOLL)
        return;
    rig_start_server(r);
    rig_publish(r, 10);
    inject(CALL_WATCH, 0, 1, ENOMEM); /* the connection */
    rig_client_t *c = rig_subscribe(r, 0, 1);
    rig_until_closed(r, c);
    assert_false(c->accepted);
    assert_int_equal(hits, 1);
    c = rig_subscribe(r, 0, 1); /* waits, until accepting goes on */
    inject(CALL_WATCH, 0, 2, ENOSPC);
    rig_until_complete(r, c);
    assert_int_equal(hits, 2);
    while (total(r, GATEWAY_TOTAL_out_of_descriptors) < 2)
        rig_turn(r);
    assert_int_equal(total(r, GATEWAY_TOTAL_out_of_descriptors), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(whatever_accepting_fails_with_those_there_are_served_and_who_waits_is_let_in),
        TEST(a_connection_that_broke_before_it_was_accepted_is_no_reason_to_pause),
        TEST(a_send_that_the_kernel_has_no_memory_for_is_made_again_and_nothing_is_lost),
        TEST(what_a_client_is_told_at_its_end_is_not_lost_for_want_of_memory),
        TEST(whoever_has_gone_when_something_is_sent_is_closed_and_no_other),
        TEST(an_option_that_is_refused_keeps_the_gateway_from_starting_and_is_named),
        TEST(a_socket_that_cannot_be_watched_is_closed_or_tried_again),
    };
    int failed = cmocka_run_group_tests_name("epoll", tests, NULL, NULL);
    rig_io = GATEWAY_IO_URING;
    if (!rig_has_uring()) {
        printf("[  SKIPPED ] io_uring: cannot be had here\n");
        return failed;
    }
    return failed + cmocka_run_group_tests_name("io_uring", tests, NULL, NULL);
}
