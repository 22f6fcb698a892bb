/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway, over real sockets: what each client gets, byte for byte, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "bus/run/stamps.h"
#include "tests/unit/gateway_rig.h"

static rig_t rig;

static int set_up_recorded(void **state)
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

static void whoever_comes_gets_every_message_from_where_he_asks(void **state)
{
    rig_t *r = *state;
    rig_start_server(r);
    rig_publish(r, 20000);
    rig_client_t *first = rig_subscribe(r, 0, 1);
    rig_client_t *middle = rig_subscribe(r, 1, 7777);
    rig_client_t *next = rig_subscribe(r, 2, 20001);
    soup_login_t blank = {.user = "u", .sequence_blank = true};
    rig_client_t *unsaid = rig_log_in(r, 3, &blank);
    for (int i = 0; i < 20; i++) {
        rig_publish(r, 500);
        rig_turn(r);
    }
    rig_until_complete(r, first);
    rig_until_complete(r, middle);
    rig_until_complete(r, next);
    rig_until_complete(r, unsaid);
    assert_int_equal(first->messages, 30000);
    assert_int_equal(middle->messages, 30000 - 7776);
    assert_int_equal(next->messages, 10000);
    assert_int_equal(unsaid->messages, 30000);
    assert_string_equal(first->session, RIG_SESSION);
}

static void whoever_measures_finds_when_the_first_client_was_served_each_message(void **state)
{
    rig_t *r = *state;
    tbus_stamps_t stamps;
    tbus_stamps_spec_t spec = {
        .messages = 1000, .streams = 1, .topic = "md", .optional = 1u << TBUS_STAMP_SERVED};
    must(tbus_stamps_create(&spec, &stamps, NULL) == 0);
    tbus_store_relaxed_u64(&stamps.shared->first_seq, 101); /* 1 to 100 do not count */
    r->bus.stamps = &stamps;
    rig_start_server(r);
    uint64_t began_ns = tbus_clock_ns();
    rig_publish(r, 600);
    rig_client_t *first = rig_subscribe(r, 0, 301);
    rig_until_complete(r, first);
    uint64_t half_ns = tbus_clock_ns();
    rig_client_t *second = rig_subscribe(r, 1, 1);
    rig_until_complete(r, second);
    for (uint64_t row = 0; row < 500; row++) {
        uint64_t at = tbus_load_relaxed_u64(&stamps.columns[TBUS_STAMP_SERVED][row]);
        if (row < 200) /* of the second client alone */
            assert_true(at >= half_ns && at <= tbus_clock_ns());
        else
            assert_true(at >= began_ns && at <= half_ns);
    }
    assert_int_equal(tbus_load_relaxed_u64(&stamps.columns[TBUS_STAMP_SERVED][500]), 0);
    rig_stop_server(r);
    r->bus.stamps = NULL;
    tbus_stamps_destroy(&stamps);
}

static void zero_is_from_now_on(void **state)
{
    rig_t *r = *state;
    rig_start_server(r);
    rig_publish(r, 1000);
    for (int i = 0; i < 100; i++)
        rig_turn(r);
    rig_client_t *c = rig_subscribe(r, 0, 0);
    while (!c->accepted)
        rig_turn(r);
    rig_publish(r, 10);
    rig_until_complete(r, c);
    assert_int_equal(c->accepted_seq, 1001);
    assert_int_equal(c->messages, 10);
}

static void the_future_and_another_session_are_not_available(void **state)
{
    rig_t *r = *state;
    rig_start_server(r);
    rig_publish(r, 10);
    for (int i = 0; i < 100; i++)
        rig_turn(r);
    soup_login_t other = {.user = "u", .session = "KLMNOPQRST", .sequence = 1};
    rig_client_t *future = rig_subscribe(r, 0, 12);
    rig_client_t *elsewhere = rig_log_in(r, 1, &other);
    snprintf(other.session, sizeof other.session, RIG_SESSION);
    rig_client_t *ours = rig_log_in(r, 2, &other);
    rig_until_closed(r, future);
    rig_until_closed(r, elsewhere);
    rig_until_complete(r, ours);
    assert_int_equal(future->rejected, 'S');
    assert_int_equal(elsewhere->rejected, 'S');
    assert_false(future->broken || elsewhere->broken);
    assert_int_equal(ours->messages, 10);
}

static void without_a_journal_the_ring_is_what_there_is_and_more_ends_with_the_reason(void **state)
{
    rig_t *r = *state;
    rig_publish(r, 3 * RIG_SLOTS);
    rig_start_server(r);
    rig_client_t *gone = rig_subscribe(r, 0, 1);
    rig_client_t *there = rig_subscribe(r, 1, 3 * RIG_SLOTS - 20);
    rig_until_closed(r, gone);
    rig_until_complete(r, there);
    assert_int_equal(gone->messages, 0);
    assert_true(gone->over);
    assert_non_null(strstr(gone->text, "messages 1 to "));
    assert_non_null(strstr(gone->text, "nothing is recorded"));
    assert_int_equal(there->messages, 21);
}

static void many_clients_get_all_while_some_stop_and_others_read_a_little(void **state)
{
    rig_t *r = *state;
    rig_start_server(r);
    for (unsigned i = 0; i < 50; i++) {
        rig_client_t *c = rig_subscribe(r, i, 1);
        c->stopped = i % 10 == 3;
        c->limit = i % 10 == 7 ? 100 : 0;
    }
    for (int i = 0; i < 100; i++) {
        rig_publish(r, 300);
        rig_turn(r);
    }
    for (unsigned i = 0; i < 50; i++)
        if (!r->clients[i].stopped && !r->clients[i].limit)
            rig_until_complete(r, &r->clients[i]);
    /* those that stopped, and the slow ones, go on where they were, out of the journal */
    for (unsigned i = 0; i < 50; i++) {
        assert_true(r->clients[i].limit == 0 || r->clients[i].next < r->next);
        r->clients[i].stopped = false;
        r->clients[i].limit = 0;
    }
    for (unsigned i = 0; i < 50; i++)
        rig_until_complete(r, &r->clients[i]);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(r->clients[i].messages, 30000);
    /* and are live again */
    rig_publish(r, 10);
    rig_until_complete(r, &r->clients[3]);
    while (tbus_load_relaxed_u32(&r->board->sessions) != 50)
        rig_turn(r);
    gateway_row_t row;
    uint64_t began = tbus_load_relaxed_u64(&r->board->updated_ns);
    while (tbus_load_relaxed_u64(&r->board->updated_ns) == began)
        rig_turn(r);
    assert_true(gateway_board_row(r->board, 3, &row));
    assert_int_equal(row.state, GATEWAY_SESSION_LIVE);
    assert_true(row.behind_count > 0);
    assert_int_equal(row.sequence, 30011);
    assert_string_equal(row.user, "u");
}

/* Readers and blocks of the past are far fewer than places where somebody reads. */
static void fifty_clients_at_fifty_places_of_the_past_each_get_all_from_there_on(void **state)
{
    rig_t *r = *state;
    enum { PLACES = 50, APART = 400 };
    rig_start_server(r);
    rig_publish(r, PLACES * APART);
    for (unsigned i = 0; i < PLACES; i++) {
        rig_client_t *c = rig_subscribe(r, i, 1 + i * APART);
        c->limit = 2000; /* at a turn, so that all are on their way together */
    }
    for (unsigned i = 0; i < PLACES; i++)
        rig_until_complete(r, &r->clients[i]);
    for (unsigned i = 0; i < PLACES; i++)
        assert_int_equal(r->clients[i].messages, (PLACES - i) * APART);
    uint64_t seeks;
    while (seeks = tbus_load_relaxed_u64(&r->board->totals[GATEWAY_TOTAL_backfill_seeks]),
           seeks < PLACES / 2)
        rig_turn(r);
}

static void at_the_end_each_client_gets_the_rest_and_then_the_end_of_session(void **state)
{
    rig_t *r = *state;
    rig_start_server(r);
    rig_publish(r, 5000);
    rig_client_t *fast = rig_subscribe(r, 0, 1);
    rig_client_t *late = rig_subscribe(r, 1, 1);
    rig_until_complete(r, fast);
    tbus_store_release_u32(&r->bus.directory->ended, 1);
    rig_until_closed(r, fast);
    rig_until_closed(r, late);
    assert_true(fast->over && late->over);
    assert_false(fast->broken || late->broken);
    assert_int_equal(late->messages, 5000);
    assert_int_equal(fast->offers, 1); /* of what there is, which is less than a block */
}

static void
a_gateway_that_was_started_again_goes_on_at_the_same_port_with_the_same_numbers(void **state)
{
    rig_t *r = *state;
    rig_start_server(r);
    rig_publish(r, 3000);
    uint16_t port = gateway_server_port(r->server, 0);
    rig_client_t *c = rig_subscribe(r, 0, 1);
    rig_until_complete(r, c);
    rig_stop_server(r);
    rig_until_closed(r, c);
    rig_publish(r, 3000);
    rig_start_server(r);
    assert_int_equal(gateway_server_port(r->server, 0), port);
    c = rig_subscribe(r, 0, 3001);
    rig_publish(r, 100);
    rig_until_complete(r, c);
    assert_int_equal(c->messages, 3100);
    assert_string_equal(c->session, RIG_SESSION);
}

static void a_recorded_session_is_served_without_a_bus(void **state)
{
    rig_t *r = *state;
    tbus_error_t err = {0};
    rig_publish(r, 12000);
    rig_stop_recorder(r);
    test_succeed(rig_start_server_of(r, NULL, true, &err), "gateway", &err);
    rig_client_t *all = rig_subscribe(r, 0, 1);
    rig_client_t *last = rig_subscribe(r, 1, 12000);
    rig_client_t *none = rig_subscribe(r, 2, 0);
    rig_client_t *future = rig_subscribe(r, 3, 12002);
    rig_until_closed(r, all);
    rig_until_closed(r, last);
    rig_until_closed(r, none);
    rig_until_closed(r, future);
    assert_true(all->over && last->over && none->over);
    assert_int_equal(all->messages, 12000);
    assert_int_equal(last->messages, 1);
    assert_int_equal(none->accepted_seq, 12001);
    assert_int_equal(future->rejected, 'S');
}

static void messages_of_many_slots_and_hundreds_of_bytes_come_as_well(void **state)
{
    rig_t *r = *state;
    r->is_big = true;
    rig_start_server(r);
    rig_client_t *c = rig_subscribe(r, 0, 1);
    rig_publish(r, 2000);
    rig_until_complete(r, c);
    assert_int_equal(c->messages, 2000);
}

static void a_digest_of_every_block_is_offered_once_it_has_passed(void **state)
{
    rig_t *r = *state;
    rig_start_server(r);
    rig_client_t *live = rig_subscribe(r, 0, 1);
    for (int i = 0; i < 700; i++) {
        rig_publish(r, 200);
        rig_turn(r);
    }
    rig_until_complete(r, live);
    while (live->offers < 2)
        rig_turn(r);
    /* one that was started again makes those that are wanted out of the journal */
    rig_stop_server(r);
    rig_start_server(r);
    rig_client_t *again = rig_subscribe(r, 0, 139000);
    while (again->offers < 2)
        rig_turn(r);
    rig_until_complete(r, again);
}

/* From now on this process has neither io_uring nor epoll_pwait2. */
static void forbid_calls(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void where_io_uring_is_forbidden_it_is_epoll_and_that_is_said(void **state)
{
    rig_t *r = *state;
    int status;
    pid_t child = fork();
    if (child == 0) {
        tbus_error_t err = {0};
        forbid_calls();
        r->options.io = GATEWAY_IO_URING;
        test_succeed(rig_start_server_of(r, &r->bus, false, &err), "gateway", &err);
        must(strstr(gateway_server_remark(r->server), "io_uring cannot be had") != NULL);
        rig_publish(r, 100);
        rig_client_t *c = rig_subscribe(r, 0, 1);
        rig_until_complete(r, c);
        _exit(c->messages == 100 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
#define TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(whoever_comes_gets_every_message_from_where_he_asks, set_up_recorded),
        TEST(whoever_measures_finds_when_the_first_client_was_served_each_message, set_up_recorded),
        TEST(zero_is_from_now_on, set_up_recorded),
        TEST(the_future_and_another_session_are_not_available, set_up_recorded),
        TEST(without_a_journal_the_ring_is_what_there_is_and_more_ends_with_the_reason,
             set_up_bare),
        TEST(many_clients_get_all_while_some_stop_and_others_read_a_little, set_up_recorded),
        TEST(fifty_clients_at_fifty_places_of_the_past_each_get_all_from_there_on, set_up_recorded),
        TEST(at_the_end_each_client_gets_the_rest_and_then_the_end_of_session, set_up_recorded),
        TEST(a_gateway_that_was_started_again_goes_on_at_the_same_port_with_the_same_numbers,
             set_up_recorded),
        TEST(a_recorded_session_is_served_without_a_bus, set_up_recorded),
        TEST(messages_of_many_slots_and_hundreds_of_bytes_come_as_well, set_up_recorded),
        TEST(a_digest_of_every_block_is_offered_once_it_has_passed, set_up_recorded),
        TEST(where_io_uring_is_forbidden_it_is_epoll_and_that_is_said, set_up_bare),
    };
    int failed = cmocka_run_group_tests_name("epoll", tests, NULL, NULL);
    rig_io = GATEWAY_IO_URING;
    if (!rig_has_uring()) {
        printf("[  SKIPPED ] io_uring: cannot be had here\n");
        return failed;
    }
    return failed + cmocka_run_group_tests_name("io_uring", tests, NULL, NULL);
}
