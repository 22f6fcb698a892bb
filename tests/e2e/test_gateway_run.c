/* SPDX-License-Identifier: Apache-2.0 */
/* A run that serves remote consumers, as its users see it: the feed byte for byte, the books for
 * those who join late, who is connected; and a gateway that is killed meanwhile. */
#include "tests/e2e/running_bus.h"

#include <arpa/inet.h>
#include <crypt.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "bus/wire/soup.h"

#define MESSAGES 20000

typedef struct served {
    char journal[SCRATCH_PATH_MAX + 16];
    char file[SCRATCH_PATH_MAX + 16];
    int gateway; /* ports */
    int glimpse;
} served_t;

static int port_of(const json_t *status, const char *stage)
{
    const json_t *listen = json_object_get(json_object_get(status, stage), "listen");
    return (int)json_integer_value(json_object_get(listen, "md"));
}

/* The status once the feed has ended and both listen. To be json_decref'ed. */
static json_t *wait_held(fixture_t *f)
{
    for (;;) {
        json_t *status = ask(f, "status", NULL);
        const char *state = json_string_value(json_object_get(status, "state"));
        if (state && strcmp(state, "holding") == 0 && port_of(status, "gateway") &&
            port_of(status, "glimpse"))
            return status;
        json_decref(status);
        if (program_ended(&f->start))
            fail_msg("it ended early: %s", f->start.err);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static served_t serve(fixture_t *f)
{
    served_t s;
    snprintf(s.journal, sizeof s.journal, "%s/journal", f->runtime);
    snprintf(s.file, sizeof s.file, "%s/file", f->runtime);
    launch(f, "--feed", "synth:seed=3,messages=20000", "--pace", "max", "--wait", "park",
           "--journal", s.journal, "--gateway", "127.0.0.1:0", "--glimpse", "127.0.0.1:0", "--hold",
           "--json", NULL);
    json_t *status = wait_held(f);
    s.gateway = port_of(status, "gateway");
    s.glimpse = port_of(status, "glimpse");
    json_decref(status);
    return s;
}

static void end(fixture_t *f, const served_t *s)
{
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
    scratch_remove(s->journal);
    unlink(s->file);
}

/* `busctl subscribe`: its messages in s->file. */
static void subscribe(const served_t *s, int port, const char *count)
{
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    const char *argv[] = {TICKBUS_BUSCTL, "subscribe", address, "--from",  "1",   "--raw",
                          s->file,        "--for",     "60s",   "--count", count, NULL};
    program_t busctl = {.argv = argv};
    unlink(s->file);
    if (program_run(&busctl) != 0)
        fail_msg("%s", busctl.err);
    program_clear(&busctl);
}

/* To be freed. */
static char *contents(const char *path, size_t *out_bytes)
{
    FILE *in = fopen(path, "re");
    assert_non_null(in);
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    *out_bytes = (size_t)ftell(in);
    rewind(in);
    char *text = malloc(*out_bytes + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, *out_bytes, in), *out_bytes);
    fclose(in);
    return text;
}

/* What was subscribed to is what the journal has of md. */
static void assert_is_the_feed(const served_t *s, const char *runtime)
{
    char exported[SCRATCH_PATH_MAX + 16];
    size_t bytes[2];
    snprintf(exported, sizeof exported, "%s/exported", runtime);
    const char *argv[] = {TICKBUS_BUSCTL, "journal", "export", s->journal, "--topic", "md",
                          "--format",     "itch",    "-o",     exported,   NULL};
    program_t busctl = {.argv = argv};
    assert_int_equal(program_run(&busctl), 0);
    program_clear(&busctl);
    char *got = contents(s->file, &bytes[0]), *fed = contents(exported, &bytes[1]);
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(got, fed, bytes[0]);
    free(got);
    free(fed);
    unlink(exported);
}

static pid_t gateway_process(const fixture_t *f)
{
    json_t *status = ask(f, "status", NULL);
    pid_t pid = process_of(status, "gateway");
    json_decref(status);
    return pid;
}

/* On the same port: that is for `subscribe` to see. */
static void wait_started_again(const fixture_t *f)
{
    json_int_t starts;
    do {
        json_t *status = ask(f, "status", NULL);
        const json_t *gateway = json_object_get(status, "gateway");
        starts = json_integer_value(json_object_get(json_object_get(gateway, "totals"), "starts"));
        json_decref(status);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    } while (starts < 2);
}

static void a_client_gets_the_feed_byte_for_byte_also_from_a_gateway_that_was_killed(void **state)
{
    fixture_t *f = *state;
    served_t s = serve(f);
    subscribe(&s, s.gateway, "20000");
    assert_is_the_feed(&s, f->runtime);
    pid_t pid = gateway_process(f);
    assert_int_equal(kill(pid, SIGKILL), 0);
    wait_started_again(f);
    assert_int_not_equal(gateway_process(f), pid);
    subscribe(&s, s.gateway, "20000");
    assert_is_the_feed(&s, f->runtime);
    end(f, &s);
}

static void who_joins_late_gets_the_books_and_where_to_go_on(void **state)
{
    fixture_t *f = *state;
    served_t s = serve(f);
    size_t bytes;
    subscribe(&s, s.glimpse, "1000000"); /* it ends before */
    char *books = contents(s.file, &bytes);
    assert_true(bytes > 23);
    assert_memory_equal(books + bytes - 23, "\0\25G               20001", 23);
    free(books);
    end(f, &s);
}

/* A client that has logged in and reads nothing. */
static int log_in(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    uint8_t packet[SOUP_LOGIN_410_BYTES], answer[SOUP_ACCEPTED_BYTES];
    soup_login_t login = {.user = "anna", .sequence = 7};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    size_t count = soup_put_login(packet, &login);
    assert_int_equal(send(fd, packet, count, MSG_NOSIGNAL), count);
    assert_int_equal(recv(fd, answer, sizeof answer, MSG_WAITALL), sizeof answer);
    assert_int_equal(answer[2], SOUP_ACCEPTED);
    return fd;
}

/* `busctl gateway --json`. To be json_decref'ed. */
static json_t *show(const fixture_t *f)
{
    const char *argv[] = {TICKBUS_BUSCTL, "gateway", "--name", f->bus, "--json", NULL};
    program_t busctl = {.argv = argv};
    if (program_run(&busctl) != 0)
        fail_msg("%s", busctl.err);
    json_t *object = json_loads(busctl.out, 0, NULL);
    program_clear(&busctl);
    return object;
}

static void who_is_connected_is_shown(void **state)
{
    fixture_t *f = *state;
    served_t s = serve(f);
    int fd = log_in(s.gateway);
    json_t *shown, *session;
    while (shown = show(f), session = json_array_get(json_object_get(shown, "sessions"), 0),
           !session || json_integer_value(json_object_get(session, "sequence")) == 0)
        json_decref(shown);
    assert_string_equal(json_string_value(json_object_get(session, "user")), "anna");
    assert_int_equal(
        strncmp(json_string_value(json_object_get(session, "address")), "127.0.0.1:", 10), 0);
    assert_true(json_integer_value(json_object_get(session, "sequence")) >= 7);
    assert_true(json_is_integer(json_object_get(session, "lag_messages")));
    assert_true(json_is_real(json_object_get(session, "lag_ms")));
    assert_true(json_is_integer(json_object_get(session, "bytes")));
    assert_true(json_is_string(json_object_get(session, "state")));
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(shown, "totals"), "logins")), 1);
    json_decref(shown);
    close(fd);
    end(f, &s);
    assert_int_equal(run(f, "gateway", NULL), 1);
}

/* `busctl subscribe` as that user, with the password "secret", until the first message: its exit
 * code. */
static int subscribe_as(const fixture_t *f, int port, const char *user)
{
    char address[32], secret[SCRATCH_PATH_MAX + 16];
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    snprintf(secret, sizeof secret, "%s/secret", f->runtime);
    assert_true(file_write(secret, "secret\n", 7));
    const char *argv[] = {
        TICKBUS_BUSCTL,    "subscribe", address, "--from", "1",       "--user", user,
        "--password-file", secret,      "--for", "60s",    "--count", "1",      NULL};
    program_t busctl = {.argv = argv};
    int code = program_run(&busctl);
    program_clear(&busctl);
    unlink(secret);
    return code;
}

/* The text of a file of users, to be freed. */
static char *users_text(const char *user)
{
    char *text = NULL;
    assert_true(asprintf(&text, "%s:%s\n", user, crypt("secret", "$5$rounds=1000$salt$")) > 0);
    return text;
}

static void at_a_hangup_users_are_read_again_and_a_broken_file_changes_nothing(void **state)
{
    fixture_t *f = *state;
    char path[SCRATCH_PATH_MAX + 16], key[SCRATCH_PATH_MAX + 32], says[SCRATCH_PATH_MAX + 64];
    char *anna = users_text("anna"), *bert = users_text("bert");
    snprintf(path, sizeof path, "%s/users", f->runtime);
    snprintf(key, sizeof key, "gateway.users=%s", path);
    assert_true(file_write(path, anna, strlen(anna)));
    assert_int_equal(chmod(path, 0600), 0);
    launch(f, "--feed", "synth:seed=3,messages=20000", "--pace", "max", "--wait", "park",
           "--gateway", "127.0.0.1:0", "--glimpse", "127.0.0.1:0", "--hold", "--json", "--set", key,
           NULL);
    json_t *status = wait_held(f);
    int port = port_of(status, "gateway");
    json_decref(status);

    snprintf(says, sizeof says, "limits and users stay as they are: %s, line 1: ", path);
    hang_up(f, path, "bert:x\n", says);
    assert_int_equal(subscribe_as(f, port, "anna"), 0);
    hang_up(f, path, bert, "users are read again\n");
    json_int_t reloads;
    do {
        json_t *shown = show(f);
        reloads = json_integer_value(json_object_get(json_object_get(shown, "totals"), "reloads"));
        json_decref(shown);
    } while (reloads == 0);
    assert_int_equal(subscribe_as(f, port, "bert"), 0);
    assert_int_equal(subscribe_as(f, port, "anna"), 1);
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 0);
    unlink(path);
    free(anna);
    free(bert);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_client_gets_the_feed_byte_for_byte_also_from_a_gateway_that_was_killed),
        CASE(who_joins_late_gets_the_books_and_where_to_go_on),
        CASE(who_is_connected_is_shown),
        CASE(at_a_hangup_users_are_read_again_and_a_broken_file_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
