/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/control/protocol.h"
#include "tools/control/rundir.h"

/* A server whose method "echo" gives its params back, "big" something large, "fds" two descriptors
 * of /dev/null. */
typedef struct fixture {
    char runtime[64];
    tbus_rundir_t dir;
    int lock_fd;
    control_server_t *server;
    unsigned calls;
} fixture_t;

static void answer(void *context, const char *method, const json_t *params, control_reply_t *reply)
{
    ((fixture_t *)context)->calls++;
    if (strcmp(method, "echo") == 0) {
        reply->result = params ? json_deep_copy(params) : json_string("nothing");
    } else if (strcmp(method, "big") == 0) {
        char *text = malloc(1u << 20);
        memset(text, 'x', (1u << 20) - 1);
        text[(1u << 20) - 1] = 0;
        reply->result = json_string(text);
        free(text);
    } else if (strcmp(method, "fds") == 0) {
        for (int i = 0; i < 2; i++)
            reply->fds[reply->fds_count++] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        reply->result = json_true();
    } else {
        reply->error = CONTROL_UNKNOWN_METHOD;
        snprintf(reply->error_text, sizeof reply->error_text, "no such method");
    }
}

static unsigned open_fds(void)
{
    DIR *list = opendir("/proc/self/fd");
    unsigned count = 0;
    while (readdir(list))
        count++;
    closedir(list);
    return count;
}

static int set_up(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    snprintf(f->runtime, sizeof f->runtime, "/tmp/tickbus-control-XXXXXX");
    if (!mkdtemp(f->runtime))
        return -1;
    setenv("XDG_RUNTIME_DIR", f->runtime, 1);
    if (tbus_rundir_open(true, &f->dir, NULL) < 0)
        return -1;
    f->lock_fd = rundir_lock(&f->dir, "bus", NULL);
    int fd = rundir_listen(&f->dir, "bus", NULL);
    if (fd < 0 || control_server_open(fd, answer, f, &f->server, NULL) < 0)
        return -1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    control_server_close(f->server);
    rundir_unlock(&f->dir, "bus", f->lock_fd);
    tbus_rundir_close(&f->dir);
    char path[128];
    snprintf(path, sizeof path, "%s/tickbus", f->runtime);
    int left = rmdir(path); /* fails if anything was left behind */
    left |= rmdir(f->runtime);
    free(f);
    return left;
}

static int connected(fixture_t *f)
{
    int fd = tbus_rundir_connect(&f->dir, "bus", NULL);
    assert_true(fd >= 0);
    return fd;
}

/* Serve until there is nothing left to serve. */
static void serve(fixture_t *f)
{
    struct pollfd ready = {.fd = control_server_fd(f->server), .events = POLLIN};
    while (poll(&ready, 1, 0) > 0 || control_server_pending(f->server))
        control_server_serve(f->server);
}

static void put(int fd, const char *text)
{
    size_t bytes = strlen(text);
    assert_int_equal(send(fd, text, bytes, MSG_NOSIGNAL), bytes);
}

/* What the server has answered so far, as text. */
static const char *got(int fd)
{
    static char text[65536];
    ssize_t bytes = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
    text[bytes > 0 ? bytes : 0] = 0;
    return text;
}

static bool hung_up(int fd)
{
    char byte;
    ssize_t bytes = recv(fd, &byte, 1, MSG_DONTWAIT);
    return bytes == 0 || (bytes < 0 && errno == ECONNRESET);
}

static void a_call_is_answered_with_its_id(void **state)
{
    fixture_t *f = *state;
    int fd = connected(f);
    put(fd, "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"echo\",\"params\":{\"x\":[1,2]}}\n");
    serve(f);
    assert_string_equal(got(fd), "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{\"x\":[1,2]}}\n");
    put(fd, "  \r\n\n{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"echo\"}\r\n");
    serve(f);
    assert_string_equal(got(fd), "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"nothing\"}\n");
    close(fd);
}

static void a_request_past_its_deadline_is_refused_and_not_carried_out(void **state)
{
    fixture_t *f = *state;
    char line[160];
    int fd = connected(f);
    put(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"deadline_ns\":1}\n");
    serve(f);
    const char *text = got(fd);
    assert_non_null(strstr(text, "\"code\":-32000,"));
    assert_non_null(strstr(text, "too late"));
    snprintf(line, sizeof line,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"deadline_ns\":%llu}\n",
             (unsigned long long)tbus_clock_ns() + 3600000000000u);
    put(fd, line);
    serve(f);
    assert_string_equal(got(fd), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"nothing\"}\n");
    close(fd);
}

static void what_is_no_request_gets_the_error_of_the_specification(void **state)
{
    static const struct {
        const char *line;
        const char *holds;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nope\"}\n",
         "\"id\":1,\"error\":{\"code\":-32601,"},
        {"{nonsense\n", "\"id\":null,\"error\":{\"code\":-32700,"},
        {"\x01\x02\xff\n", "\"code\":-32700,"},
        {"1\n", "\"code\":-32700,"},
        {"{}\n", "\"id\":null,\"error\":{\"code\":-32600,"},
        {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"echo\"}\n", "\"code\":-32600,"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}\n", "\"code\":-32600,"},
        {"{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"echo\"}\n",
         "\"id\":null,\"error\":{\"code\":-32600,"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":5}\n", "\"code\":-32600,"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"echo\"}\n", "\"code\":-32700,"},
        {"[]\n", "\"code\":-32600,"},
        {"[1]\n", "[{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"},
    };
    fixture_t *f = *state;
    int fd = connected(f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put(fd, cases[i].line);
        serve(f);
        const char *text = got(fd);
        if (!strstr(text, cases[i].holds))
            fail_msg("%s gave %s", cases[i].line, text);
    }
    put(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n"); /* and it still listens */
    serve(f);
    assert_non_null(strstr(got(fd), "\"result\":\"nothing\""));
    close(fd);
}

static void
notifications_are_obeyed_and_not_answered_and_batches_are_answered_together(void **state)
{
    fixture_t *f = *state;
    int fd = connected(f);
    put(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}\n");
    serve(f);
    assert_string_equal(got(fd), "");
    assert_int_equal(f->calls, 1);
    put(fd, "[{\"jsonrpc\":\"2.0\",\"method\":\"echo\"},{\"jsonrpc\":\"2.0\",\"method\":\"echo\","
            "\"id\":1},"
            "{\"jsonrpc\":\"2.0\",\"method\":\"nope\",\"id\":2}]\n");
    serve(f);
    const char *text = got(fd);
    assert_non_null(strstr(text, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"nothing\"},{"));
    assert_non_null(strstr(text, "-32601"));
    put(fd, "[{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}]\n");
    serve(f);
    assert_string_equal(got(fd), "");

    char many[8192] = "[";
    for (int i = 0; i < 17; i++)
        strcat(many, i ? ",{}" : "{}");
    strcat(many, "]\n");
    put(fd, many);
    serve(f);
    assert_non_null(strstr(got(fd), "a batch has 1 to 16 requests"));
    close(fd);
}

static void a_request_may_come_byte_by_byte_and_several_at_once(void **state)
{
    fixture_t *f = *state;
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n";
    int fd = connected(f);
    for (const char *at = line; *at; at++) {
        assert_string_equal(got(fd), "");
        assert_int_equal(send(fd, at, 1, MSG_NOSIGNAL), 1);
        serve(f);
    }
    assert_non_null(strstr(got(fd), "\"result\""));
    put(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,"
            "\"method\":"
            "\"echo\"}\n{\"json");
    serve(f);
    assert_string_equal(got(fd), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"nothing\"}\n"
                                 "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"nothing\"}\n");
    assert_false(hung_up(fd));
    shutdown(fd, SHUT_WR); /* in the middle of a request */
    serve(f);
    assert_true(hung_up(fd));
    close(fd);
}

static void a_client_that_stops_sending_still_gets_its_answer(void **state)
{
    fixture_t *f = *state;
    int fd = connected(f);
    put(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n");
    shutdown(fd, SHUT_WR);
    serve(f);
    assert_non_null(strstr(got(fd), "\"result\""));
    assert_true(hung_up(fd));
    close(fd);
}

static void a_request_that_is_too_long_ends_the_connection(void **state)
{
    fixture_t *f = *state;
    int fd = connected(f);
    static char flood[CONTROL_REQUEST_MAX + 1];
    memset(flood, 'x', sizeof flood);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    for (size_t sent = 0; sent < sizeof flood;) {
        ssize_t now = send(fd, flood + sent, sizeof flood - sent, MSG_NOSIGNAL);
        if (now < 0)
            break;
        sent += (size_t)now;
        serve(f);
    }
    serve(f);
    assert_true(hung_up(fd));
    close(fd);
}

static void a_client_that_does_not_read_is_not_listened_to_and_delays_nobody(void **state)
{
    fixture_t *f = *state;
    int deaf = connected(f);
    int good = connected(f);
    serve(f);
    for (int i = 0; i < 50; i++)
        put(deaf, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\"}\n");
    serve(f);
    assert_int_equal(f->calls,
                     /* the answer to the first does not go out, so the second is not looked at */
                     1);
    put(good, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n");
    serve(f);
    assert_non_null(strstr(got(good), "\"result\""));
    assert_int_equal(f->calls, 2);

    size_t bytes = 0; /* once it reads, it gets what it is owed */
    for (int idle = 0; idle < 3;) {
        static char some[65536];
        ssize_t now = recv(deaf, some, sizeof some, MSG_DONTWAIT);
        idle = now > 0 ? 0 : idle + 1;
        bytes += now > 0 ? (size_t)now : 0;
        serve(f);
    }
    assert_true(bytes > 50u << 20);
    assert_int_equal(f->calls, 51);
    close(deaf);
    close(good);
}

static void one_connection_too_many_costs_the_one_that_was_silent_longest(void **state)
{
    fixture_t *f = *state;
    unsigned before = open_fds();
    int fds[CONTROL_CONNECTIONS_MAX + 1];
    for (unsigned i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        fds[i] = connected(f);
        serve(f);
    }
    /* The first is not silent, so that the second is the oldest silent one. */
    put(fds[0], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n");
    serve(f);
    fds[CONTROL_CONNECTIONS_MAX] = connected(f);
    put(fds[CONTROL_CONNECTIONS_MAX], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n");
    serve(f);
    assert_non_null(strstr(got(fds[CONTROL_CONNECTIONS_MAX]), "\"result\""));
    assert_true(hung_up(fds[1]));
    assert_non_null(strstr(got(fds[0]), "\"result\""));
    assert_false(hung_up(fds[2]));
    for (unsigned i = 0; i <= CONTROL_CONNECTIONS_MAX; i++)
        close(fds[i]);
    serve(f);
    assert_int_equal(open_fds(), before);
}

static void thousands_of_connections_that_come_and_go_leave_nothing_behind(void **state)
{
    fixture_t *f = *state;
    unsigned before = open_fds();
    for (int i = 0; i < 2000; i++) {
        int fd = connected(f);
        if (i % 2)
            put(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fds\"}\n");
        if (i % 3)
            serve(f);
        close(fd);
        serve(f);
    }
    assert_int_equal(open_fds(), before);
}

static void descriptors_go_to_the_client_and_those_that_it_sends_go_nowhere(void **state)
{
    fixture_t *f = *state;
    int fd = connected(f);
    serve(f);
    unsigned before = open_fds();
    /* The call waits for its answer, so that somebody has to serve meanwhile. */
    pid_t pid = fork();
    if (pid == 0) {
        control_answer_t got_back = {0};
        int code = control_call(fd, "fds", NULL, 5000, &got_back, NULL);
        struct stat a, b;
        _exit(!(code == 0 && got_back.fds_count == 2 && fstat(got_back.fds[0], &a) == 0 &&
                fstat(got_back.fds[1], &b) == 0 && S_ISCHR(a.st_mode) &&
                (fcntl(got_back.fds[0], F_GETFD) & FD_CLOEXEC)));
    }
    int status;
    while (waitpid(pid, &status, WNOHANG) == 0)
        serve(f);
    assert_int_equal(status, 0);
    assert_int_equal(open_fds(), before); /* the server's copies are closed */

    char byte[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n";
    struct iovec bytes = {byte, sizeof byte - 1};
    int sent[] = {STDERR_FILENO, STDERR_FILENO};
    _Alignas(struct cmsghdr) char rights[CMSG_SPACE(sizeof sent)];
    memset(rights, 0, sizeof rights);
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = rights, .msg_controllen = sizeof rights};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof sent);
    memcpy(CMSG_DATA(header), sent, sizeof sent);
    assert_true(sendmsg(fd, &message, MSG_NOSIGNAL) > 0);
    serve(f);
    assert_non_null(strstr(got(fd), "\"result\""));
    assert_int_equal(open_fds(), before);
    close(fd);
}

static void a_call_that_fails_says_why(void **state)
{
    fixture_t *f = *state;
    tbus_error_t err = {0};
    control_answer_t nothing;
    int fd = connected(f);
    assert_int_equal(control_call(fd, "echo", NULL, 20, &nothing, &err),
                     -ETIMEDOUT); /* nobody serves */
    close(fd);

    int pair[2];
    static const struct {
        const char *line;
        int code;
    } cases[] = {{"", -ECONNRESET},
                 {"half an ans", -ECONNRESET},
                 {"nonsense\n", -EPROTO},
                 {"{}\n", -EPROTO},
                 {"[]\n", -EPROTO},
                 {"{\"error\":{\"message\":\"no\"}}\n", -TBUS_ESTOPPED},
                 {"{\"error\":5}\n", -TBUS_ESTOPPED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        put(pair[1], cases[i].line);
        shutdown(pair[1], SHUT_WR);
        assert_int_equal(control_call(pair[0], "echo", NULL, 5000, &nothing, &err), cases[i].code);
        assert_true(strlen(err.text) > 0);
        close(pair[0]);
        close(pair[1]);
    }
}

/* --- the run directory */

static void a_name_is_held_by_one_bus_at_a_time(void **state)
{
    fixture_t *f = *state;
    tbus_error_t err = {0};
    pid_t pid = 0;
    char own[32];
    assert_int_equal(rundir_lock(&f->dir, "bus", &err), -TBUS_EEXISTS);
    snprintf(own, sizeof own, "(process %d)", (int)getpid());
    assert_non_null(strstr(err.text, own));
    assert_true(rundir_is_live(&f->dir, "bus", &pid));
    assert_int_equal(pid, getpid());
    assert_false(rundir_is_live(&f->dir, "other", NULL));
    int other = rundir_lock(&f->dir, "other", &err);
    assert_true(other >= 0);
    char name[TBUS_NAME_MAX];
    assert_int_equal(rundir_only(&f->dir, name, &err), -TBUS_ENOTFOUND);
    assert_non_null(strstr(err.text, "2 buses are running"));
    rundir_unlock(&f->dir, "other", other);
    assert_int_equal(rundir_only(&f->dir, name, &err), 0);
    assert_string_equal(name, "bus");
}

static void a_pipe_in_place_of_a_lock_file_is_refused_at_once(void **state)
{
    fixture_t *f = *state;
    tbus_error_t err = {0};
    char name[TBUS_NAME_MAX];
    assert_int_equal(mkfifoat(f->dir.fd, "odd.lock", 0600), 0);
    assert_false(rundir_is_live(&f->dir, "odd", NULL));
    assert_int_equal(rundir_lock(&f->dir, "odd", &err), -EINVAL);
    assert_non_null(strstr(err.text, "no regular file"));
    assert_int_equal(rundir_only(&f->dir, name, &err), 0); /* nor is anybody else held up by it */
    assert_string_equal(name, "bus");
    assert_int_equal(unlinkat(f->dir.fd, "odd.lock", 0), 0);
}

static void what_a_killed_bus_left_is_taken_over(void **state)
{
    fixture_t *f = *state;
    pid_t pid = fork();
    if (pid == 0) {
        if (rundir_lock(&f->dir, "dead", NULL) < 0 || rundir_listen(&f->dir, "dead", NULL) < 0)
            _exit(1);
        kill(getpid(), SIGKILL);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    tbus_error_t err = {0};
    assert_int_equal(faccessat(f->dir.fd, "dead.sock", F_OK, 0), 0);
    assert_false(rundir_is_live(&f->dir, "dead", NULL));
    assert_int_equal(tbus_rundir_connect(&f->dir, "dead", &err), -TBUS_ENOTFOUND);
    int lock = rundir_lock(&f->dir, "dead", &err);
    assert_true(lock >= 0);
    int listening = rundir_listen(&f->dir, "dead", &err);
    assert_true(listening >= 0);
    int fd = tbus_rundir_connect(&f->dir, "dead", &err);
    assert_true(fd >= 0);
    close(fd);
    close(listening);
    rundir_unlock(&f->dir, "dead", lock);
}

static void a_directory_that_others_could_have_made_is_refused(void **state)
{
    fixture_t *f = *state;
    char path[128], elsewhere[96], saved[128];
    tbus_rundir_t dir;
    tbus_error_t err = {0};
    snprintf(path, sizeof path, "%s/tickbus", f->runtime);
    assert_int_equal(chmod(path, 0770), 0);
    assert_int_equal(tbus_rundir_open(true, &dir, &err), -EPERM);
    assert_non_null(strstr(err.text, "chmod 700"));
    assert_int_equal(chmod(path, 0700), 0);

    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", f->runtime);
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    setenv("XDG_RUNTIME_DIR", elsewhere, 1);
    assert_int_equal(tbus_rundir_open(false, &dir, &err), -ENOENT);
    snprintf(saved, sizeof saved, "%s/tickbus", elsewhere);
    assert_int_equal(symlink(path, saved), 0);
    assert_true(tbus_rundir_open(true, &dir, &err) < 0);
    assert_non_null(strstr(err.text, "symbolic link"));
    unlink(saved);
    if (geteuid() == 0) {
        assert_int_equal(mkdir(saved, 0700), 0);
        assert_int_equal(chown(saved, 12345, 12345), 0);
        assert_int_equal(tbus_rundir_open(true, &dir, &err), -EPERM);
        assert_non_null(strstr(err.text, "belongs to user 12345"));
        rmdir(saved);
    }
    rmdir(elsewhere);
    setenv("XDG_RUNTIME_DIR", f->runtime, 1);
}

static void a_client_that_sends_without_end_keeps_nobody_waiting(void **state)
{
    fixture_t *f = *state;
    static char lines[CONTROL_REQUEST_MAX];
    int flood = connected(f), requests = connected(f);
    serve(f);
    memset(lines, '\n', sizeof lines);
    assert_true(send(flood, lines, sizeof lines, MSG_NOSIGNAL | MSG_DONTWAIT) > 0);
    for (int i = 0; i < 100; i++)
        put(requests, "{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}\n"); /* gets no answer */
    int fd = connected(f);
    control_server_serve(f->server); /* lets it in */
    put(fd, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"echo\"}\n");
    unsigned before = f->calls;
    control_server_serve(f->server);
    assert_non_null(strstr(got(fd), "\"id\":7"));
    assert_true(f->calls - before <= CONTROL_REQUESTS_A_SERVE);
    assert_true(control_server_pending(f->server));
    serve(f);
    assert_int_equal(f->calls, 101);
    close(fd);
    close(flood);
    close(requests);
}

static void out_of_descriptors_clients_come_in_one_by_one_and_nothing_spins(void **state)
{
    fixture_t *f = *state;
    struct rlimit before, none;
    struct pollfd ready = {.fd = control_server_fd(f->server), .events = POLLIN};
    int first = connected(f), second = connected(f);
    int highest = dup(first);
    close(highest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = (rlim_t)highest, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    put(first, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n");
    serve(f); /* with the descriptor that is held for this; then no more */
    assert_int_equal(control_server_trouble(f->server), -EMFILE);
    assert_int_equal(control_server_trouble(f->server), 0); /* not again at once */
    assert_non_null(strstr(got(first), "\"id\":1"));
    assert_int_equal(poll(&ready, 1, 0), 0); /* the second still waits at the door */
    close(first);                            /* its descriptor is free for the second one */
    put(second, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"echo\"}\n");
    const char *answer = "";
    while (!strstr(answer, "\"id\":2")) {
        control_server_serve(f->server);
        answer = got(second);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(second);
    serve(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_answered_with_its_id),
        TEST(a_request_past_its_deadline_is_refused_and_not_carried_out),
        TEST(what_is_no_request_gets_the_error_of_the_specification),
        TEST(notifications_are_obeyed_and_not_answered_and_batches_are_answered_together),
        TEST(a_request_may_come_byte_by_byte_and_several_at_once),
        TEST(out_of_descriptors_clients_come_in_one_by_one_and_nothing_spins),
        TEST(a_client_that_sends_without_end_keeps_nobody_waiting),
        TEST(a_client_that_stops_sending_still_gets_its_answer),
        TEST(a_request_that_is_too_long_ends_the_connection),
        TEST(a_client_that_does_not_read_is_not_listened_to_and_delays_nobody),
        TEST(one_connection_too_many_costs_the_one_that_was_silent_longest),
        TEST(thousands_of_connections_that_come_and_go_leave_nothing_behind),
        TEST(descriptors_go_to_the_client_and_those_that_it_sends_go_nowhere),
        TEST(a_call_that_fails_says_why),
        TEST(a_name_is_held_by_one_bus_at_a_time),
        TEST(a_pipe_in_place_of_a_lock_file_is_refused_at_once),
        TEST(what_a_killed_bus_left_is_taken_over),
        TEST(a_directory_that_others_could_have_made_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
