/* SPDX-License-Identifier: Apache-2.0 */
/* `busctl serve-journal`: a recorded session over TCP, to a client that proves that it has all. */
#include "tests/e2e/session_scratch.h"

#include <crypt.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

/* Where it listens, once it has said so. */
static json_t *wait_for_ports(fixture_t *f)
{
    char text[512] = {0};
    json_t *said = NULL;
    while (!said && !program_ended(&f->server)) {
        ssize_t bytes = pread(f->server.out_fd, text, sizeof text - 1, 0);
        said = bytes > 0 ? json_loads(text, 0, NULL) : NULL;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    if (!said)
        fail_msg("%s", f->server.err);
    return said;
}

/* SIGHUP with that text in the file of users; then it says so on stderr, maybe not for the first
 * time. */
static void hang_up(fixture_t *f, const char *path, const char *text, const char *says)
{
    char said[1024] = {0};
    assert_true(file_write(path, text, strlen(text)));
    kill(f->server.pid, SIGHUP);
    while (!strstr(said, says)) {
        assert_false(program_ended(&f->server));
        assert_true(pread(f->server.err_fd, said, sizeof said - 1, 0) >= 0);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void users_of_a_recorded_session_are_read_again_at_a_hangup(void **state)
{
    fixture_t *f = *state;
    char path[160], key[192], text[256];
    snprintf(path, sizeof path, "%s/users", f->root);
    snprintf(key, sizeof key, "gateway.users=%s", path);
    snprintf(text, sizeof text, "anna:%s\n", crypt("secret", "$5$rounds=1000$salt$"));
    assert_true(file_write(path, text, strlen(text)));
    assert_int_equal(chmod(path, 0600), 0);
    const char *const record[] = {TICKBUS_BUSCTL,
                                  "start",
                                  "--feed",
                                  "synth:seed=5,symbols=8,messages=1000",
                                  "--pace",
                                  "max",
                                  "--journal",
                                  f->journal,
                                  NULL};
    const char *const serve[] = {TICKBUS_BUSCTL,
                                 "serve-journal",
                                 f->journal,
                                 "--gateway",
                                 "127.0.0.1:0",
                                 "--set",
                                 key,
                                 "--json",
                                 NULL};
    if (busctl(f, record) != 0)
        fail_msg("%s", f->run.err);
    f->server = (program_t){.argv = serve};
    assert_true(program_start(&f->server));
    json_decref(wait_for_ports(f));
    hang_up(f, path, "anna:x\n", "users, line 1: user 'anna'");
    hang_up(f, path, text, "users were read again");
    kill(f->server.pid, SIGTERM);
    program_wait(&f->server);
    assert_int_equal(f->server.exit_code, 0);
}

static void a_recorded_session_comes_over_tcp_as_it_was_fed(void **state)
{
    fixture_t *f = *state;
    char exported[160], raw[160], host[64], sha[2][SHA256_TEXT];
    snprintf(exported, sizeof exported, "%s/exported.itch", f->root);
    snprintf(raw, sizeof raw, "%s/raw.itch", f->root);
    const char *const record[] = {TICKBUS_BUSCTL,
                                  "start",
                                  "--feed",
                                  "synth:seed=5,symbols=8,messages=70000",
                                  "--pace",
                                  "max",
                                  "--journal",
                                  f->journal,
                                  NULL};
    const char *const export[] = {TICKBUS_BUSCTL, "journal", "export", f->journal, "--topic", "md",
                                  "--format",     "itch",    "-o",     exported,   NULL};
    const char *const serve[] = {TICKBUS_BUSCTL,        "serve-journal", f->journal,
                                 "--gateway",           "127.0.0.1:0",   "--topic",
                                 "reports=127.0.0.1:0", "--json",        NULL};
    if (busctl(f, record) != 0 || busctl(f, export) != 0)
        fail_msg("%s", f->run.err);
    f->server = (program_t){.argv = serve};
    assert_true(program_start(&f->server));
    json_t *said = wait_for_ports(f);
    json_t *ports = json_object_get(said, "ports");
    assert_int_equal(strlen(json_string_value(json_object_get(said, "session"))), 10);
    assert_int_not_equal(json_integer_value(json_object_get(ports, "reports")), 0);
    snprintf(host, sizeof host, "127.0.0.1:%lld",
             (long long)json_integer_value(json_object_get(ports, "md")));
    const char *const subscribe[] = {TICKBUS_BUSCTL, "subscribe", host, "--raw", raw,
                                     "--prove",      NULL};
    if (busctl(f, subscribe) != 0)
        fail_msg("%s%s", f->run.out, f->run.err);
    assert_non_null(strstr(f->run.out, "digest equal"));
    file_sha256(exported, sha[0]);
    file_sha256(raw, sha[1]);
    assert_string_equal(sha[0], sha[1]);
    kill(f->server.pid, SIGTERM);
    program_wait(&f->server);
    assert_int_equal(f->server.exit_code, 0);
    json_decref(said);
}

static void what_cannot_be_served_is_refused_with_words(void **state)
{
    fixture_t *f = *state;
    const char *const bare[] = {TICKBUS_BUSCTL, "serve-journal", f->journal, NULL};
    const char *const key[] = {TICKBUS_BUSCTL, "serve-journal", f->journal,
                               "--set",        "gateway.x=1",   NULL};
    const char *const address[] = {TICKBUS_BUSCTL, "serve-journal", f->journal,
                                   "--gateway",    "localhost",     NULL};
    const char *const nowhere[] = {TICKBUS_BUSCTL, "serve-journal", f->journal,
                                   "--gateway",    "127.0.0.1:0",   NULL};
    assert_int_equal(busctl(f, bare), 2);
    assert_non_null(strstr(f->run.err, "--gateway"));
    assert_int_equal(busctl(f, key), 2);
    assert_non_null(strstr(f->run.err, "gateway.x"));
    assert_int_equal(busctl(f, address), 2);
    assert_int_equal(busctl(f, nowhere), 1);
    assert_non_null(strstr(f->run.err, f->journal));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_recorded_session_comes_over_tcp_as_it_was_fed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(users_of_a_recorded_session_are_read_again_at_a_hangup,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_served_is_refused_with_words, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
