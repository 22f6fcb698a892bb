/* SPDX-License-Identifier: Apache-2.0 */
/* Who is let in: the file of users, their passwords, and who must wait after failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <crypt.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "feedsim/gateway/guard.h"
#include "feedsim/gateway/password.h"
#include "feedsim/gateway/users.h"
#include "tests/support/program.h"

#define SECOND UINT64_C(1000000000)

static char root[SCRATCH_PATH_MAX];
static char path[128];
static char hash[GATEWAY_HASH_MAX]; /* of "secret" */

static int set_up(void **state)
{
    (void)state;
    scratch_create(root);
    snprintf(path, sizeof path, "%s/users", root);
    /* few rounds: the test is not to take long */
    snprintf(hash, sizeof hash, "%s", crypt("secret", "$5$rounds=1000$salt$"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(root);
    return 0;
}

static void write_users(const char *text, mode_t mode)
{
    unlink(path);
    assert_true(file_write(path, text, strlen(text)));
    assert_int_equal(chmod(path, mode), 0);
}

static int load(const char *text, mode_t mode, gateway_users_t *out_users)
{
    tbus_error_t err = {0};
    write_users(text, mode);
    int code = gateway_users_load(path, out_users, &err);
    assert_true(code == 0 || strstr(err.text, path) != NULL);
    return code;
}

static void users_are_read_with_their_hashes_and_topics(void **state)
{
    (void)state;
    char text[1024];
    gateway_users_t users;
    snprintf(text, sizeof text, "# who may\n\nAlice:%s\nbob-1:%s:md,bbo  \n", hash, hash);
    assert_int_equal(load(text, 0600, &users), 0);
    assert_int_equal(users.count, 2);
    assert_int_equal(gateway_users_find(&users, "ALICE"), 0);
    assert_int_equal(gateway_users_find(&users, "Bob-1"), 1);
    assert_int_equal(gateway_users_find(&users, "bob"), GATEWAY_NO_USER);
    assert_true(gateway_user_may(&users.users[0], "orders"));
    assert_true(gateway_user_may(&users.users[1], "md"));
    assert_true(gateway_user_may(&users.users[1], "bbo"));
    assert_false(gateway_user_may(&users.users[1], "bb"));
    assert_false(gateway_user_may(&users.users[1], "orders"));
    gateway_users_destroy(&users);
}

static void what_is_wrong_with_a_file_of_users_is_told_with_its_line(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "# nobody\n",     "alice\n",     "alice:\n",          "alice:plain\n",
        ":%s\n",     "toolong:%s\n",   "al ice:%s\n", "alice:%s:md:bbo\n", "alice:%s\nALICE:%s\n",
        "alice:*\n", "alice:$9$x$y\n",
    };
    char text[1024];
    gateway_users_t users;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *to = text;
        for (const char *c = bad[i]; *c; c++)
            if (c[0] == '%' && c[1] == 's')
                to += sprintf(to, "%s", hash), c++;
            else
                *to++ = *c;
        *to = 0;
        if (load(text, 0600, &users) != -TBUS_EFORMAT)
            fail_msg("accepted: %s", text);
    }
}

static void a_file_that_others_could_read_or_write_is_refused(void **state)
{
    (void)state;
    char text[1024], link[160];
    gateway_users_t users;
    snprintf(text, sizeof text, "alice:%s\n", hash);
    assert_int_equal(load(text, 0640, &users), -EPERM);
    assert_int_equal(load(text, 0602, &users), -EPERM);
    write_users(text, 0600);
    snprintf(link, sizeof link, "%s/link", root);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(gateway_users_load(link, &users, NULL), -ELOOP);
    assert_int_equal(gateway_users_load(root, &users, NULL), -EINVAL);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(gateway_users_load(path, &users, NULL), -EINVAL);
    unlink(path);
    assert_int_equal(gateway_users_load(path, &users, NULL), -ENOENT);
    if (geteuid() == 0) {
        write_users(text, 0600);
        assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
        assert_int_equal(gateway_users_load(path, &users, NULL), -EPERM);
    }
}

static void a_password_fits_as_it_is_and_without_its_case(void **state)
{
    (void)state;
    assert_true(gateway_password_fits("secret", hash));
    assert_true(gateway_password_fits("SECRET", hash));
    assert_false(gateway_password_fits("secreT1", hash));
    assert_false(gateway_password_fits("", hash));
    assert_false(gateway_password_fits("secret", ""));
    assert_false(gateway_password_fits("much longer than a password", hash));
}

static void passwords_are_checked_by_the_helper_each_with_its_ticket(void **state)
{
    (void)state;
    gateway_passwords_t *p;
    bool right[GATEWAY_PASSWORDS_MAX] = {false};
    uint32_t submitted = 0, answers = 0;
    assert_int_equal(gateway_passwords_create(&p, NULL), 0);
    while (submitted < GATEWAY_PASSWORDS_MAX) {
        const char *password = submitted % 3 == 0 ? "secret" : "wrong";
        assert_true(gateway_passwords_submit(p, submitted, password, hash, submitted % 2 == 0));
        submitted++;
    }
    assert_false(gateway_passwords_submit(p, 99, "secret", hash, true)); /* until one is taken */
    while (answers < GATEWAY_PASSWORDS_MAX) {
        uint64_t ticket;
        bool fits;
        if (!gateway_passwords_take(p, &ticket, &fits))
            continue;
        assert_int_equal(ticket, answers);
        right[answers++] = fits;
    }
    for (uint32_t i = 0; i < GATEWAY_PASSWORDS_MAX; i++)
        assert_int_equal(right[i], i % 6 == 0); /* known and right */
    assert_true(gateway_passwords_submit(p, 99, "secret", hash, true));
    gateway_passwords_destroy(p); /* with one under way */
}

static void after_five_failures_a_user_of_an_address_waits_twice_as_long_each_time(void **state)
{
    (void)state;
    static gateway_guard_t g;
    static const uint8_t here[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1};
    static const uint8_t there[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2};
    uint64_t now = 1000 * SECOND;
    for (int i = 0; i < 5; i++) {
        assert_true(gateway_guard_lets(&g, here, 7, now));
        gateway_guard_tell(&g, here, 7, false, now);
    }
    assert_false(gateway_guard_lets(&g, here, 7, now + SECOND - 1));
    assert_true(gateway_guard_lets(&g, here, 8, now));
    assert_true(gateway_guard_lets(&g, there, 7, now));
    assert_true(gateway_guard_lets(&g, here, 7, now + SECOND));
    gateway_guard_tell(&g, here, 7, false, now + SECOND);
    assert_false(gateway_guard_lets(&g, here, 7, now + 3 * SECOND - 1));
    assert_true(gateway_guard_lets(&g, here, 7, now + 3 * SECOND));
    for (int i = 0; i < 100; i++)
        gateway_guard_tell(&g, here, 7, false, now);
    assert_false(gateway_guard_lets(&g, here, 7, now + 60 * SECOND - 1));
    assert_true(gateway_guard_lets(&g, here, 7, now + 60 * SECOND));
    gateway_guard_tell(&g, here, 7, true, now + 61 * SECOND);
    assert_true(gateway_guard_lets(&g, here, 7, now));
}

static void of_ipv6_the_network_counts_and_many_addresses_push_out_the_oldest(void **state)
{
    (void)state;
    static gateway_guard_t g;
    uint8_t six[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 9};
    uint8_t neighbour[16];
    memcpy(neighbour, six, 16);
    neighbour[15] = 77;
    for (int i = 0; i < 5; i++)
        gateway_guard_tell(&g, six, 1, false, SECOND);
    assert_false(gateway_guard_lets(&g, neighbour, 1, SECOND));
    for (uint32_t i = 0; i < GATEWAY_GUARD_PLACES; i++) {
        uint8_t other[16] = {0xfe, 0x80, (uint8_t)(i >> 8), (uint8_t)i};
        gateway_guard_tell(&g, other, 1, false, 2 * SECOND);
    }
    assert_true(gateway_guard_lets(&g, six, 1, SECOND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_read_with_their_hashes_and_topics),
        cmocka_unit_test(what_is_wrong_with_a_file_of_users_is_told_with_its_line),
        cmocka_unit_test(a_file_that_others_could_read_or_write_is_refused),
        cmocka_unit_test(a_password_fits_as_it_is_and_without_its_case),
        cmocka_unit_test(passwords_are_checked_by_the_helper_each_with_its_ticket),
        cmocka_unit_test(after_five_failures_a_user_of_an_address_waits_twice_as_long_each_time),
        cmocka_unit_test(of_ipv6_the_network_counts_and_many_addresses_push_out_the_oldest),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
