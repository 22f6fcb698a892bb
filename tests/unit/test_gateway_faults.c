/* SPDX-License-Identifier: Apache-2.0 */
/* What hostile, broken and unlucky clients do to a gateway, and what they get: each fault by
 * itself, over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <crypt.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/support/tmpdir.h"
#include "tests/unit/gateway_rig.h"

#define MS UINT64_C(1000000)

static rig_t rig;

static int set_up(void **state)
{
    *state = &rig;
    rig_create(&rig, true);
    return 0;
}

static int set_up_bare(void **state)
{
    *state = &rig;
    rig_create(&rig, false);
    return 0;
}

static int tear_down(void **state)
{
    rig_destroy(*state);
    return 0;
}

static uint64_t total(const rig_t *r, enum gateway_total which)
{
    return tbus_load_relaxed_u64(&r->board->totals[which]);
}

/* Turn until the board says so. */
#define UNTIL(r, condition)                                                                        \
    while (!(condition))                                                                           \
    rig_turn(r)

static void turn_some(rig_t *r, unsigned turns)
{
    while (turns--)
        rig_turn(r);
}

/* --- clients that say nothing, or too little --- */

static void a_client_that_is_silent_gets_heartbeats_and_is_dropped(void **state)
{
    rig_t *r = *state;
    r->options.times.heartbeat_ns = 10 * MS;
    r->options.times.dead_ns = 200 * MS;
    rig_start_server(r);
    rig_client_t *c = rig_subscribe(r, 0, 1);
    rig_until_closed(r, c);
    assert_true(c->accepted);
    assert_true(c->heartbeats > 0);
    UNTIL(r, tbus_load_relaxed_u32(&r->board->sessions) == 0);
    assert_int_equal(total(r, GATEWAY_TOTAL_dead), 1);
}

static void a_login_that_comes_byte_by_byte_is_taken_or_is_late(void **state)
{
    rig_t *r = *state;
    uint8_t packet[SOUP_LOGIN_410_BYTES];
    soup_login_t login = {.user = "u", .sequence = 1, .heartbeat_timeout_ms = 20000};
    size_t bytes = soup_put_login(packet, &login);
    rig_start_server(r);
    rig_publish(r, 100);
    rig_client_t *slow = rig_connect(r, 0);
    soup_client_begin(&slow->soup, NULL, tbus_clock_ns());
    for (size_t i = 0; i < bytes; i++) {
        rig_send(slow, packet + i, 1);
        turn_some(r, 3);
    }
    rig_until_complete(r, slow);
    assert_int_equal(slow->messages, 100);
    rig_stop_server(r);

    r->options.times.login_ns = 100 * MS;
    rig_start_server(r);
    rig_client_t *late = rig_connect(r, 1);
    rig_client_t *mute = rig_connect(r, 2);
    for (size_t i = 0; !late->eof; i++) {
        if (i + 1 < bytes)
            (void)send(late->fd, packet + i, 1, MSG_NOSIGNAL);
        turn_some(r, 20);
    }
    rig_until_closed(r, mute);
    assert_false(late->accepted || mute->accepted);
    UNTIL(r, total(r, GATEWAY_TOTAL_late_logins) == 2);
}

/* --- clients that break the protocol --- */

static void garbage_is_rejected_or_closed_and_others_go_on(void **state)
{
    rig_t *r = *state;
    static const struct {
        const char *bytes;
        size_t count;
    } garbage[] = {
        {"\0\0", 2},                         /* length 0 */
        {"\0\1L", 3},                        /* a login without anything */
        {"\xff\xffL", 3},                    /* one of 65,535 bytes */
        {"\0\1R", 3},                        /* heartbeat before the login */
        {"\0\1O", 3},                        /* logout before the login */
        {"\0\5Uxyz!", 7},                    /* unsequenced data before the login */
        {"\0\1S", 3},                        /* what only a server sends */
        {"GET / HTTP/1.1\r\n\r\n", 18},      /* another protocol */
        {"\x16\x03\x01\x02\x00\x01\x00", 7}, /* TLS */
    };
    rig_start_server(r);
    rig_publish(r, 10);
    rig_client_t *good = rig_subscribe(r, 0, 1);
    for (unsigned i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        rig_client_t *c = rig_connect(r, 1);
        soup_client_begin(&c->soup, NULL, tbus_clock_ns());
        rig_send(c, garbage[i].bytes, garbage[i].count);
        rig_until_closed(r, c);
        assert_false(c->accepted);
        assert_true(c->rejected == 'A' || c->rejected == 0);
    }
    /* after the login: a second one, a length of 0, what only a server sends */
    static const char *const later[] = {"\0\57L", "\0\0\0", "\0\1Z", "\0\1S"};
    for (unsigned i = 0; i < sizeof later / sizeof later[0]; i++) {
        rig_client_t *c = rig_subscribe(r, 1, 1);
        rig_until_complete(r, c);
        rig_send(c, later[i], 3);
        rig_until_closed(r, c);
        assert_int_equal(c->messages, 10);
    }
    rig_publish(r, 10);
    rig_until_complete(r, good);
    UNTIL(r, total(r, GATEWAY_TOTAL_faults) == 13);
}

static void what_a_client_floods_us_with_is_dropped_and_holds_nobody_up(void **state)
{
    rig_t *r = *state;
    static uint8_t flood[65537];
    memset(flood, 'x', sizeof flood);
    flood[0] = flood[1] = 0xff; /* unsequenced data and debug texts of 65,534 bytes */
    rig_start_server(r);
    rig_client_t *rude = rig_subscribe(r, 0, 1);
    rig_client_t *good = rig_subscribe(r, 1, 1);
    for (int round = 0; round < 20; round++) {
        flood[2] = round % 2 ? 'U' : '+';
        for (size_t sent = 0; sent < sizeof flood;) {
            ssize_t got = send(rude->fd, flood + sent, sizeof flood - sent, MSG_NOSIGNAL);
            assert_true(got > 0 || errno == EAGAIN);
            sent += got > 0 ? (size_t)got : 0;
            rig_turn(r);
        }
        rig_publish(r, 100);
        rig_until_complete(r, good);
    }
    rig_until_complete(r, rude); /* it is served as well */
    assert_int_equal(total(r, GATEWAY_TOTAL_faults), 0);
}

/* --- connections that break --- */

/* The client goes with a RST, whatever there is to read. */
static void reset(rig_client_t *c)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    must(setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    close(c->fd);
    c->fd = -1;
}

static void whoever_breaks_at_any_byte_goes_on_with_the_next_message(void **state)
{
    rig_t *r = *state;
    rig_start_server(r);
    rig_publish(r, 60);
    for (unsigned cut = 1; cut <= 400; cut++) {
        rig_client_t *c = rig_subscribe(r, 0, 1);
        c->limit = cut;
        while (c->read_bytes < cut && !c->eof)
            rig_turn(r);
        uint64_t next = c->accepted ? c->next : 1;
        reset(c);
        c = rig_subscribe(r, 0, next);
        rig_until_complete(r, c);
        assert_int_equal(c->messages, 61 - next);
        reset(c);
    }
    UNTIL(r, tbus_load_relaxed_u32(&r->board->sessions) == 0);
}

/* Clients come, and most go again with a RST; at the end all of them. */
static void churn(rig_t *r, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        rig_client_t *c = rig_subscribe(r, round % 60, 1 + round * 3);
        if (round % 3)
            rig_turn(r);
        if (round % 2)
            reset(c);
        if (round % 100 == 0)
            rig_publish(r, 10);
    }
    for (unsigned i = 0; i < 60; i++)
        if (r->clients[i].fd >= 0)
            reset(&r->clients[i]);
    rig_until_complete(r, &r->clients[63]);
    UNTIL(r, tbus_load_relaxed_u32(&r->board->sessions) == 1);
}

static void connections_that_come_and_break_leave_nothing_behind(void **state)
{
    rig_t *r = *state;
    rig_start_server(r);
    rig_publish(r, 5000);
    rig_subscribe(r, 63, 1);
    churn(r, 300);
    int before = entries_in("/proc/self/fd"); /* with the readers, which stay */
    churn(r, 1500);
    assert_true(entries_in("/proc/self/fd") <= before);
}

/* --- too many --- */

static void of_a_flood_of_connections_without_a_login_those_that_log_in_are_let_in(void **state)
{
    rig_t *r = *state;
    r->options.logins_max = 8;
    rig_start_server(r);
    rig_publish(r, 100);
    rig_client_t *there = rig_subscribe(r, 0, 1);
    rig_until_complete(r, there);
    for (unsigned i = 1; i <= 30; i++)
        rig_connect(r, i);
    rig_client_t *good[5];
    for (unsigned i = 0; i < 5; i++)
        good[i] = rig_subscribe(r, 40 + i, 1);
    rig_publish(r, 100);
    rig_until_complete(r, there); /* untouched */
    for (unsigned i = 0; i < 5; i++)
        rig_until_complete(r, good[i]);
    assert_true(total(r, GATEWAY_TOTAL_late_logins) >= 22);
}

static void beyond_the_sessions_there_may_be_connections_are_closed_and_none_is_cut(void **state)
{
    rig_t *r = *state;
    r->options.sessions_max = 4;
    rig_start_server(r);
    rig_publish(r, 10);
    for (unsigned i = 0; i < 4; i++)
        rig_until_complete(r, rig_subscribe(r, i, 1));
    rig_client_t *fifth = rig_connect(r, 4);
    rig_until_closed(r, fifth);
    assert_false(fifth->accepted);
    rig_publish(r, 10);
    for (unsigned i = 0; i < 4; i++)
        rig_until_complete(r, &r->clients[i]);
    reset(&r->clients[2]);
    UNTIL(r, tbus_load_relaxed_u32(&r->board->sessions) == 3);
    rig_until_complete(r, rig_subscribe(r, 4, 1));
    rig_stop_server(r);

    r->options.sessions_max = RIG_CLIENTS;
    r->options.sessions_per_address = 2;
    rig_start_server(r);
    for (unsigned i = 0; i < 2; i++)
        rig_until_complete(r, rig_subscribe(r, i, 1));
    rig_until_closed(r, rig_connect(r, 2));
    UNTIL(r, total(r, GATEWAY_TOTAL_refused) == 2);
}

/* The limit is set before it starts: io_uring remembers it. */
static void out_of_descriptors_nobody_is_accepted_and_later_all_are(void **state)
{
    rig_t *r = *state;
    enum { LIMIT = 300 };
    static int taken[LIMIT];
    unsigned count = 0;
    struct rlimit before, tight;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = LIMIT;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    rig_start_server(r);
    rig_publish(r, 10);
    rig_client_t *there = rig_subscribe(r, 0, 1);
    rig_until_complete(r, there);
    for (unsigned i = 1; i <= 4; i++)
        rig_connect(r, i);
    while ((taken[count] = dup(0)) >= 0)
        count++;
    UNTIL(r, total(r, GATEWAY_TOTAL_out_of_descriptors) > 0);
    rig_publish(r, 1000);
    while (there->next < r->next)
        rig_turn(r); /* served on, though it takes the journal */
    while (count)
        close(taken[--count]);
    uint8_t packet[SOUP_LOGIN_410_BYTES];
    soup_login_t login = {.user = "u", .sequence = 1};
    size_t bytes = soup_put_login(packet, &login);
    for (unsigned i = 1; i <= 4; i++) {
        soup_client_begin(&r->clients[i].soup, NULL, tbus_clock_ns());
        rig_send(&r->clients[i], packet, bytes);
    }
    for (unsigned i = 1; i <= 4; i++)
        rig_until_complete(r, &r->clients[i]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* --- slow clients, slow gateways --- */

static void whoever_is_further_behind_than_allowed_is_told_so_and_cut(void **state)
{
    rig_t *r = *state;
    r->is_big = true;
    r->options.lag_max = 1000;
    rig_start_server(r);
    rig_client_t *slow = rig_subscribe(r, 0, 1);
    rig_client_t *fast = rig_subscribe(r, 1, 1);
    rig_until_complete(r, slow);
    slow->stopped = true;
    for (int i = 0; i < 30; i++) {
        rig_publish(r, 100);
        rig_until_complete(r, fast);
    }
    UNTIL(r, total(r, GATEWAY_TOTAL_cut) == 1);
    slow->stopped = false;
    rig_until_closed(r, slow);
    assert_false(slow->broken || slow->over);
    assert_non_null(strstr(slow->text, "gateway.lag_max"));
    char again[64];
    snprintf(again, sizeof again, "log in again from message %llu",
             (unsigned long long)slow->next - 1);
    /* where it is to go on: the message that it got last was begun before the cut */
    if (!strstr(slow->text, again)) {
        snprintf(again, sizeof again, "log in again from message %llu",
                 (unsigned long long)slow->next);
        assert_non_null(strstr(slow->text, again));
    }
    rig_until_complete(r, fast);
}

static void whoever_takes_nothing_for_too_long_is_told_so_and_cut(void **state)
{
    rig_t *r = *state;
    r->is_big = true;
    r->options.idle_ns = 50 * MS;
    rig_start_server(r);
    rig_client_t *stuck = rig_subscribe(r, 0, 1);
    rig_client_t *quiet = rig_subscribe(r, 1, 1);
    rig_until_complete(r, stuck);
    stuck->stopped = true;
    rig_publish(r, 1000);
    UNTIL(r, total(r, GATEWAY_TOTAL_cut) == 1);
    stuck->stopped = false;
    rig_until_closed(r, stuck);
    assert_non_null(strstr(stuck->text, "nothing was taken"));
    rig_until_complete(r, quiet);
    assert_int_equal(total(r, GATEWAY_TOTAL_cut), 1);
}

static void a_gateway_that_the_ring_has_lapped_goes_on_from_the_journal(void **state)
{
    rig_t *r = *state;
    rig_start_server(r);
    rig_client_t *c = rig_subscribe(r, 0, 1);
    rig_publish(r, 100);
    rig_until_complete(r, c);
    rig_publish(r, 20 * RIG_SLOTS); /* it was stopped meanwhile */
    rig_until_complete(r, c);
    assert_int_equal(c->messages, 100 + 20 * RIG_SLOTS);
}

static void
a_gateway_that_was_lapped_without_a_journal_ends_the_sessions_with_the_reason(void **state)
{
    rig_t *r = *state;
    rig_start_server(r);
    rig_client_t *c = rig_subscribe(r, 0, 1);
    rig_publish(r, 100);
    rig_until_complete(r, c);
    rig_publish(r, 20 * RIG_SLOTS);
    rig_until_closed(r, c);
    assert_int_equal(c->next, 101);
    assert_true(c->over);
    assert_non_null(strstr(c->text, "messages 101 to "));
    UNTIL(r, total(r, GATEWAY_TOTAL_lost) == 1);
    /* it goes on behind the hole, for whoever asks for that */
    c = rig_subscribe(r, 0, 0);
    UNTIL(r, c->accepted);
    rig_publish(r, 10);
    rig_until_complete(r, c);
    assert_int_equal(c->messages, 10);
}

/* --- who may log in --- */

static void write_users(rig_t *r, char path[160])
{
    char text[512];
    const char *hash = crypt("secret", "$5$rounds=1000$salt$");
    snprintf(path, 160, "%s/users", r->root);
    snprintf(text, sizeof text, "alice:%s\nbob:%s:bbo\n", hash, hash);
    assert_true(file_write(path, text, strlen(text)));
    assert_int_equal(chmod(path, 0600), 0);
    r->options.users = path;
}

static void only_users_with_their_password_and_their_topic_are_let_in(void **state)
{
    rig_t *r = *state;
    char path[160];
    write_users(r, path);
    rig_start_server(r);
    rig_publish(r, 10);
    assert_int_equal(rig_log_in_as(r, 0, "ALICE", "secret"), 'Y');
    assert_int_equal(rig_log_in_as(r, 1, "alice", "SECRET"), 'Y');
    assert_int_equal(rig_log_in_as(r, 2, "alice", "wrong"), 'A');
    assert_int_equal(rig_log_in_as(r, 3, "eve", "secret"), 'A');
    assert_int_equal(rig_log_in_as(r, 4, "", ""), 'A');
    assert_int_equal(rig_log_in_as(r, 5, "bob", "secret"), 'A'); /* not this topic */
    rig_until_complete(r, &r->clients[0]);
    rig_stop_server(r);

    r->options.sessions_per_user = 1;
    rig_start_server(r);
    assert_int_equal(rig_log_in_as(r, 0, "alice", "secret"), 'Y');
    assert_int_equal(rig_log_in_as(r, 1, "alice", "secret"), 'A');
    reset(&r->clients[0]);
    UNTIL(r, tbus_load_relaxed_u32(&r->board->sessions) == 0 || r->clients[1].eof);
    UNTIL(r, tbus_load_relaxed_u32(&r->board->sessions) == 0);
    assert_int_equal(rig_log_in_as(r, 2, "alice", "secret"), 'Y');
}

static void whoever_tries_passwords_is_not_even_looked_at_after_five(void **state)
{
    rig_t *r = *state;
    char path[160];
    write_users(r, path);
    rig_start_server(r);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(rig_log_in_as(r, i, "alice", "guess"), 'A');
    assert_int_equal(rig_log_in_as(r, 6, "alice", "secret"), 'A'); /* right, and too soon */
    assert_int_equal(rig_log_in_as(r, 7, "bob", "secret"), 'A'); /* not this topic, but looked at */
    char note[8 * GATEWAY_NOTE_WORDS];
    gateway_board_note(r->board, note);
    assert_non_null(strstr(note, "may not have this topic"));
    UNTIL(r, total(r, GATEWAY_TOTAL_rejected) == 7);
}

static void without_users_nobody_but_this_host_can_connect(void **state)
{
    rig_t *r = *state;
    tbus_error_t err = {0};
    static const char *const beyond[] = {"0.0.0.0:0", "[::]:0"};
    for (unsigned i = 0; i < 2; i++) {
        r->options.channels[0].address = beyond[i];
        assert_int_equal(rig_start_server_of(r, &r->bus, true, &err), -TBUS_ECONFIG);
        assert_non_null(strstr(err.text, "gateway.users"));
    }
    char path[160];
    write_users(r, path);
    r->options.channels[0].address = "0.0.0.0:0";
    rig_start_server(r);
}

int main(void)
{
#define TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_client_that_is_silent_gets_heartbeats_and_is_dropped, set_up),
        TEST(a_login_that_comes_byte_by_byte_is_taken_or_is_late, set_up),
        TEST(garbage_is_rejected_or_closed_and_others_go_on, set_up),
        TEST(what_a_client_floods_us_with_is_dropped_and_holds_nobody_up, set_up),
        TEST(whoever_breaks_at_any_byte_goes_on_with_the_next_message, set_up),
        TEST(connections_that_come_and_break_leave_nothing_behind, set_up),
        TEST(of_a_flood_of_connections_without_a_login_those_that_log_in_are_let_in, set_up),
        TEST(beyond_the_sessions_there_may_be_connections_are_closed_and_none_is_cut, set_up),
        TEST(out_of_descriptors_nobody_is_accepted_and_later_all_are, set_up),
        TEST(whoever_is_further_behind_than_allowed_is_told_so_and_cut, set_up),
        TEST(whoever_takes_nothing_for_too_long_is_told_so_and_cut, set_up),
        TEST(a_gateway_that_the_ring_has_lapped_goes_on_from_the_journal, set_up),
        TEST(a_gateway_that_was_lapped_without_a_journal_ends_the_sessions_with_the_reason,
             set_up_bare),
        TEST(only_users_with_their_password_and_their_topic_are_let_in, set_up),
        TEST(whoever_tries_passwords_is_not_even_looked_at_after_five, set_up),
        TEST(without_users_nobody_but_this_host_can_connect, set_up),
    };
    int failed = cmocka_run_group_tests_name("epoll", tests, NULL, NULL);
    rig_io = GATEWAY_IO_URING;
    if (!rig_has_uring()) {
        printf("[  SKIPPED ] io_uring: cannot be had here\n");
        return failed;
    }
    return failed + cmocka_run_group_tests_name("io_uring", tests, NULL, NULL);
}
