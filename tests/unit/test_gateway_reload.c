/* SPDX-License-Identifier: Apache-2.0 */
/* Users and limits that change while a gateway has sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <crypt.h>
#include <sched.h>
#include <sys/stat.h>

#include "feedsim/gateway/door.h"
#include "tests/support/tmpdir.h"
#include "tests/unit/gateway_rig.h"

/* A check of the password "secret" that stands still while it is held (--wrap), so that the users
 * change under it. */
enum { CHECK_IS_FREE, CHECK_IS_HELD, CHECK_STANDS };
static tbus_atomic_u32_t check;

char *__wrap_crypt_r(const char *phrase, const char *setting, struct crypt_data *data);
char *__real_crypt_r(const char *phrase, const char *setting, struct crypt_data *data);

char *__wrap_crypt_r(const char *phrase, const char *setting, struct crypt_data *data)
{
    char *hash = __real_crypt_r(phrase, setting, data);
    uint32_t held = CHECK_IS_HELD;
    if (strcmp(phrase, "secret") == 0 && tbus_cas_u32(&check, &held, CHECK_STANDS))
        while (tbus_load_acquire_u32(&check) != CHECK_IS_FREE)
            sched_yield();
    return hash;
}

static rig_t rig;
static char users_path[SCRATCH_PATH_MAX + 8];

static int set_up(void **state)
{
    *state = &rig;
    rig_create(&rig, true);
    snprintf(users_path, sizeof users_path, "%s/users", rig.root);
    rig.options.users = users_path;
    return 0;
}

static int tear_down(void **state)
{
    rig_destroy(*state);
    return 0;
}

/* Lines of "user password topics"; topics "*": all. */
static void write_users(const char *const *lines, unsigned count)
{
    char text[1024];
    size_t used = 0;
    for (unsigned i = 0; i < count; i++) {
        char user[16], password[16], topics[32];
        assert_int_equal(sscanf(lines[i], "%15s %15s %31s", user, password, topics), 3);
        bool all = strcmp(topics, "*") == 0;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s:%s%s%s\n", user,
                                 crypt(password, "$5$rounds=1000$salt$"), all ? "" : ":",
                                 all ? "" : topics);
    }
    assert_true(file_write(users_path, text, used));
    assert_int_equal(chmod(users_path, 0600), 0);
}
#define WRITE_USERS(...)                                                                           \
    write_users((const char *const[]){__VA_ARGS__},                                                \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static uint64_t total(const rig_t *r, enum gateway_total which)
{
    return tbus_load_relaxed_u64(&r->board->totals[which]);
}

static void reload(rig_t *r)
{
    tbus_error_t err = {0};
    gateway_limits_t limits = gateway_options_limits(&r->options);
    test_succeed(gateway_server_reload(r->server, &limits, &err), "reload", &err);
}

/* As whoever supervises the gateway does it. */
static void put_on_board(rig_t *r)
{
    gateway_door_change(r->board, &r->options);
    uint64_t version = tbus_load_relaxed_u64(&r->board->limits_version);
    while (tbus_load_relaxed_u64(&r->board->taken) != version)
        rig_turn(r);
}

static void whoever_is_gone_or_has_lost_his_topic_is_told_so_and_all_others_go_on(void **state)
{
    rig_t *r = *state;
    WRITE_USERS("gone secret *", "keeps secret md", "loses secret md,bbo", "other secret *");
    rig_start_server(r);
    rig_publish(r, 50);
    static const char *const names[] = {"gone", "keeps", "loses", "other"};
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(rig_log_in_as(r, i, names[i], "secret"), 'Y');
    for (unsigned i = 0; i < 4; i++)
        rig_until_complete(r, &r->clients[i]);
    assert_int_equal(rig_log_in_as(r, 4, "new", "first"), 'A');

    /* in another order, so that the numbers of all have changed */
    WRITE_USERS("new first *", "other changed *", "loses secret bbo", "keeps secret md");
    reload(r);
    rig_until_closed(r, &r->clients[0]);
    rig_until_closed(r, &r->clients[2]);
    assert_string_equal(r->clients[0].text, "cut off: there is no such user any more");
    assert_string_equal(r->clients[2].text, "cut off: the user may not have this topic any more");
    assert_false(r->clients[0].over); /* the session itself goes on */
    rig_publish(r, 50);
    rig_until_complete(r, &r->clients[1]);
    rig_until_complete(r, &r->clients[3]); /* its password alone is another */
    assert_int_equal(rig_log_in_as(r, 0, "gone", "secret"), 'A');
    assert_int_equal(rig_log_in_as(r, 2, "loses", "secret"), 'A');
    assert_int_equal(rig_log_in_as(r, 5, "other", "secret"), 'A');
    assert_int_equal(rig_log_in_as(r, 6, "other", "changed"), 'Y');
    assert_int_equal(rig_log_in_as(r, 7, "new", "first"), 'Y');
    while (total(r, GATEWAY_TOTAL_cut) != 2)
        rig_turn(r);
    assert_int_equal(total(r, GATEWAY_TOTAL_reloads), 1);
}

static void a_broken_file_changes_neither_users_nor_limits(void **state)
{
    rig_t *r = *state;
    char note[8 * GATEWAY_NOTE_WORDS], place[SCRATCH_PATH_MAX + 32];
    WRITE_USERS("alice secret *");
    rig_start_server(r);
    rig_publish(r, 10);
    assert_int_equal(rig_log_in_as(r, 0, "alice", "secret"), 'Y');
    assert_true(file_write(users_path, "alice:nohash\n", 13));
    r->options.sessions_per_user = 1;
    put_on_board(r);
    gateway_board_note(r->board, note);
    assert_non_null(strstr(note, "users and limits stay as they are: "));
    gateway_limits_t limits = gateway_options_limits(&r->options);
    tbus_error_t err = {0};
    assert_int_equal(gateway_server_reload(r->server, &limits, &err), -TBUS_EFORMAT);
    snprintf(place, sizeof place, "%s, line 1: user 'alice'", users_path);
    assert_non_null(strstr(err.text, place));
    assert_int_equal(rig_log_in_as(r, 1, "alice", "secret"), 'Y'); /* the second of that user */
    rig_until_complete(r, &r->clients[0]);
    assert_int_equal(total(r, GATEWAY_TOTAL_reloads), 0);
}

static void limits_hold_from_then_on_also_for_a_gateway_that_was_started_again(void **state)
{
    rig_t *r = *state;
    gateway_options_t first = r->options;
    WRITE_USERS("alice secret *");
    rig_start_server(r);
    rig_publish(r, 10);
    assert_int_equal(rig_log_in_as(r, 0, "alice", "secret"), 'Y');
    assert_int_equal(rig_log_in_as(r, 1, "alice", "secret"), 'Y');
    r->options.sessions_per_user = 2;
    put_on_board(r);
    assert_int_equal(rig_log_in_as(r, 2, "alice", "secret"), 'A');
    rig_until_complete(r, &r->clients[1]); /* those that are there stay */
    rig_stop_server(r);

    r->options = first;
    r->options.users = users_path;
    rig_start_server(r);
    assert_int_equal(rig_log_in_as(r, 0, "alice", "secret"), 'Y');
    assert_int_equal(rig_log_in_as(r, 1, "alice", "secret"), 'Y');
    assert_int_equal(rig_log_in_as(r, 2, "alice", "secret"), 'A');
}

static void a_password_that_is_changed_while_it_is_checked_is_not_the_right_one(void **state)
{
    rig_t *r = *state;
    WRITE_USERS("alice secret *", "bob secret *");
    rig_start_server(r);
    rig_publish(r, 10);
    soup_login_t login = {.user = "alice", .password = "secret", .sequence = 1};
    tbus_store_release_u32(&check, CHECK_IS_HELD);
    rig_client_t *c = rig_log_in(r, 0, &login);
    while (tbus_load_acquire_u32(&check) == CHECK_IS_HELD)
        rig_turn(r);
    WRITE_USERS("bob secret *", "alice changed *");
    reload(r);
    tbus_store_release_u32(&check, CHECK_IS_FREE);
    while (!c->accepted && !c->rejected)
        rig_turn(r);
    assert_int_equal(c->rejected, 'A');
    assert_int_equal(rig_log_in_as(r, 1, "alice", "changed"), 'Y');
}

static void who_failed_too_often_is_still_to_wait_when_users_have_other_numbers(void **state)
{
    rig_t *r = *state;
    WRITE_USERS("alice secret *", "bob secret *");
    rig_start_server(r);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(rig_log_in_as(r, i, "bob", "guess"), 'A');
    WRITE_USERS("bob secret *", "alice secret *");
    reload(r);
    assert_int_equal(rig_log_in_as(r, 5, "bob", "secret"), 'A');
    assert_int_equal(rig_log_in_as(r, 6, "alice", "secret"), 'Y');
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(whoever_is_gone_or_has_lost_his_topic_is_told_so_and_all_others_go_on),
        TEST(a_broken_file_changes_neither_users_nor_limits),
        TEST(limits_hold_from_then_on_also_for_a_gateway_that_was_started_again),
        TEST(a_password_that_is_changed_while_it_is_checked_is_not_the_right_one),
        TEST(who_failed_too_often_is_still_to_wait_when_users_have_other_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
