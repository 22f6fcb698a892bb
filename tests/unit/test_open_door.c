/* SPDX-License-Identifier: Apache-2.0 */
/* Coming in from outside: a bus that another process keeps, found by name, with the rights that its
 * keeper gives. The keeper here is a child that serves the control socket as `busctl` does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/tickbus.h>

#include "tests/support/program.h"
#include "tools/control/handout.h"
#include "tools/control/rundir.h"

#define SECOND_NS UINT64_C(1000000000)

static char runtime[SCRATCH_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    scratch_create_runtime(runtime);
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    scratch_remove_runtime(runtime); /* keepers are killed, and leave their two files */
    return 0;
}

static void serve_join(void *context, const char *method, const json_t *params,
                       control_reply_t *reply)
{
    (void)params;
    if (strcmp(method, "join") == 0 && handout(context, HANDOUT_PARTICIPANT, reply))
        reply->result = json_object();
}

static void refuse(void *context, const char *method, const json_t *params, control_reply_t *reply)
{
    (void)context, (void)method, (void)params;
    reply->error = CONTROL_FAILED;
    snprintf(reply->error_text, sizeof reply->error_text, "the \"house\" is full");
}

static int claim_name(void)
{
    tbus_rundir_t dir;
    if (tbus_rundir_open(true, &dir, NULL) < 0 || rundir_lock(&dir, "demo", NULL) < 0)
        _exit(1);
    int fd = rundir_listen(&dir, "demo", NULL);
    if (fd < 0)
        _exit(1);
    return fd;
}

static _Noreturn void keep_bus(uint32_t rights, control_method_t method)
{
    static const char *const names[] = {"hello", "other"};
    tbus_bus_t bus;
    control_server_t *server;
    if (tbus_bus_create("demo", &bus, NULL) < 0)
        _exit(1);
    for (unsigned i = 0; i < 2; i++) {
        tbus_ring_spec_t spec = {
            .kind = TBUS_BROADCAST, .slot_bytes = 64, .slot_count = 64, .first_seq = 1};
        memcpy(spec.name, names[i], strlen(names[i]));
        if (tbus_bus_add_topic(&bus, &spec, "bytes", TBUS_PAGES_SMALL, -1, NULL) < 0)
            _exit(1);
    }
    bus.directory->topics[0].rights = rights;
    if (tbus_bus_keep(&bus, NULL) < 0 ||
        control_server_open(claim_name(), method, &bus, &server, NULL) < 0)
        _exit(1);
    for (;;) {
        struct pollfd ready = {.fd = control_server_fd(server), .events = POLLIN};
        if (poll(&ready, 1, -1) > 0)
            control_server_serve(server);
    }
}

static pid_t start_keeper(uint32_t rights, control_method_t method)
{
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        keep_bus(rights, method);
    }
    return child;
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static tbus_bus_t open_demo(const char *name)
{
    tbus_bus_t bus;
    tbus_error_t err = {0};
    if (tbus_bus_open("demo", name, 10 * SECOND_NS, &bus, &err) < 0)
        fail_msg("%s", err.text);
    return bus;
}

static void two_strangers_meet_on_a_bus_that_a_third_keeps(void **state)
{
    (void)state;
    pid_t keeper = start_keeper(TBUS_MAY_PUBLISH | TBUS_MAY_GATE, serve_join);
    tbus_bus_t writer = open_demo("writer"), reader = open_demo("reader");
    tbus_publisher_t out;
    tbus_subscriber_t in;
    const void *message;
    size_t bytes;
    assert_int_equal(writer.owner, 1);
    assert_int_equal(reader.owner, 2);
    assert_int_equal(tbus_bus_publisher(&writer, "hello", &out, NULL), 0);
    assert_int_equal(tbus_bus_subscriber(&reader, "hello", &in, NULL), 0);
    assert_int_equal(tbus_publish_wait(&writer, &out, "hello", 6, TBUS_FOREVER), TBUS_PUBLISHED);
    assert_int_equal(tbus_take_wait(&reader, &in, &message, &bytes, TBUS_FOREVER), TBUS_TAKEN);
    assert_string_equal(message, "hello");
    tbus_advance(&in);

    end(keeper); /* nobody needs it any more */
    assert_int_equal(tbus_publish_wait(&writer, &out, "again", 6, TBUS_FOREVER), TBUS_PUBLISHED);
    assert_int_equal(tbus_take_wait(&reader, &in, &message, &bytes, TBUS_FOREVER), TBUS_TAKEN);
    assert_string_equal(message, "again");
    tbus_advance(&in);
    assert_int_equal(tbus_take_wait(&reader, &in, &message, &bytes, 3000000), TBUS_NOTHING);
    tbus_bus_close(&writer);
    assert_int_equal(tbus_take_wait(&reader, &in, &message, &bytes, TBUS_FOREVER), TBUS_NOBODY);
    /* Nobody can come in any more. */
    assert_int_equal(tbus_take_wait(&reader, &in, &message, &bytes, TBUS_FOREVER), -TBUS_ESTOPPED);
    tbus_bus_close(&reader);
}

static void opening_waits_for_a_bus_that_is_started_later(void **state)
{
    (void)state;
    tbus_bus_t bus;
    tbus_error_t err = {0};
    assert_int_equal(tbus_bus_open("demo", "me", 0, &bus, &err), -TBUS_ENOTFOUND);
    assert_non_null(strstr(err.text, "busctl bus demo"));
    assert_int_equal(tbus_bus_open("demo", "me", 20000000, &bus, &err), -TBUS_ENOTFOUND);
    int told[2];
    char x;
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        /* The run directory is made by whoever starts the bus: it is looked for from here on. */
        if (write(told[1], "x", 1) != 1)
            _exit(1);
        _exit(tbus_bus_open("demo", "me", TBUS_FOREVER, &bus, NULL) == 0 ? 0 : 1);
    }
    assert_int_equal(read(told[0], &x, 1), 1);
    pid_t keeper = start_keeper(TBUS_MAY_PUBLISH, serve_join);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    end(keeper);
    close(told[0]);
    close(told[1]);
}

static void where_nobody_from_outside_may_write_everybody_observes(void **state)
{
    (void)state;
    pid_t keeper = start_keeper(0, serve_join);
    tbus_bus_t bus = open_demo("watcher"), namesake = open_demo("watcher");
    tbus_publisher_t out;
    tbus_subscriber_t in;
    tbus_observer_t eye;
    tbus_error_t err = {0};
    assert_int_equal(bus.owner, 0); /* it takes nobody's number */
    assert_int_equal(tbus_bus_publisher(&bus, "hello", &out, &err), -EACCES);
    assert_non_null(strstr(err.text, "topics.hello.publish"));
    assert_int_equal(tbus_bus_subscriber(&bus, "hello", &in, &err), -EACCES);
    assert_non_null(strstr(err.text, "topics.hello.gate"));
    assert_int_equal(tbus_bus_follower(&bus, "hello", &in, &err), -EACCES);
    assert_int_equal(tbus_bus_observer(&bus, "hello", TBUS_FROM_OLDEST, &eye, &err), 0);
    assert_int_equal(tbus_bus_join(&bus, "me", &err), -TBUS_EKIND);
    assert_int_equal(tbus_bus_bury(&bus, 1), -EINVAL);
    for (unsigned i = 0; i < 2; i++) {
        const tbus_segment_t *segment = i ? &bus.topic_segments[0] : &bus.directory_segment;
        assert_int_equal(mprotect(segment->base, segment->bytes, PROT_READ | PROT_WRITE), -1);
        assert_ptr_equal(
            mmap(NULL, segment->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, segment->fd, 0),
            MAP_FAILED);
    }
    tbus_bus_close(&namesake);
    tbus_bus_close(&bus);
    end(keeper);
}

static void whoever_may_publish_may_not_therefore_gate_nor_publish_elsewhere(void **state)
{
    (void)state;
    static const enum tbus_rights rights[] = {TBUS_MAY_PUBLISH, TBUS_MAY_GATE};
    for (unsigned i = 0; i < 2; i++) {
        pid_t keeper = start_keeper(rights[i], serve_join);
        tbus_bus_t bus = open_demo("me");
        tbus_publisher_t out;
        tbus_subscriber_t in;
        tbus_error_t err = {0};
        bool publishes = rights[i] == TBUS_MAY_PUBLISH;
        assert_int_equal(tbus_bus_publisher(&bus, "hello", &out, &err), publishes ? 0 : -EACCES);
        assert_int_equal(tbus_bus_subscriber(&bus, "hello", &in, &err), publishes ? -EACCES : 0);
        assert_int_equal(tbus_bus_publisher(&bus, "other", &out, &err), -EACCES);
        assert_int_equal(tbus_bus_subscriber(&bus, "other", &in, &err), -EACCES);
        const tbus_segment_t *other = &bus.topic_segments[1];
        assert_int_equal(mprotect(other->base, other->bytes, PROT_READ | PROT_WRITE), -1);
        tbus_bus_close(&bus);
        end(keeper);
    }
}

static void a_name_is_refused_while_somebody_has_it_and_taken_up_once_it_has_died(void **state)
{
    (void)state;
    pid_t keeper = start_keeper(TBUS_MAY_PUBLISH | TBUS_MAY_GATE, serve_join);
    tbus_bus_t bus;
    tbus_error_t err = {0};
    int told[2];
    char x;
    assert_int_equal(pipe(told), 0);
    pid_t holder = fork();
    if (holder == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bus = open_demo("me");
        if (write(told[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(told[0], &x, 1), 1);
    assert_int_equal(tbus_bus_open("demo", "me", SECOND_NS, &bus, &err), -TBUS_EEXISTS);
    assert_non_null(strstr(err.text, "'me'"));
    end(holder);
    bus = open_demo("me");
    assert_int_equal(bus.owner, 1);
    tbus_bus_close(&bus);
    end(keeper);
    close(told[0]);
    close(told[1]);
}

static void opening_leaves_no_descriptor_behind_whatever_comes_of_it(void **state)
{
    (void)state;
    tbus_bus_t bus;
    int before = dup(0);
    close(before);
    pid_t keeper = start_keeper(TBUS_MAY_PUBLISH, serve_join);
    bus = open_demo("me");
    tbus_bus_t second;
    assert_int_equal(tbus_bus_open("demo", "me", 0, &second, NULL), -TBUS_EEXISTS);
    tbus_bus_close(&bus);
    end(keeper);
    assert_int_equal(tbus_bus_open("demo", "me", 0, &bus, NULL), -TBUS_ENOTFOUND);
    int after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

/* --- supervisors that do not behave */

static void the_words_of_a_supervisor_that_refuses_are_in_the_error(void **state)
{
    (void)state;
    pid_t keeper = start_keeper(0, refuse);
    tbus_bus_t bus;
    tbus_error_t err = {0};
    assert_int_equal(tbus_bus_open("demo", "me", 10 * SECOND_NS, &bus, &err), -TBUS_ESTOPPED);
    assert_string_equal(err.text, "bus 'demo' refused: the \"house\" is full");
    end(keeper);
}

/* Answers each connection with these bytes, one pipe's end as a descriptor if asked. */
static pid_t start_liar(const char *bytes, size_t count, bool with_fd)
{
    pid_t child = fork();
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    int listening = claim_name();
    for (;;) {
        struct pollfd ready = {.fd = listening, .events = POLLIN};
        poll(&ready, 1, -1);
        int fd = accept(listening, NULL, NULL);
        char request[256];
        if (fd < 0 || read(fd, request, sizeof request) <= 0) /* unread, it would reset the line */
            continue;
        struct iovec some = {(void *)(uintptr_t)bytes, count};
        _Alignas(struct cmsghdr) char rights[CMSG_SPACE(sizeof(int))] = {0};
        struct msghdr message = {.msg_iov = &some, .msg_iovlen = 1};
        if (with_fd) {
            message.msg_control = rights;
            message.msg_controllen = sizeof rights;
            struct cmsghdr *header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int));
            memcpy(CMSG_DATA(header), &listening, sizeof listening);
        }
        if (sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
            _exit(1);
        close(fd);
    }
}

static int open_at_liar(const char *bytes, size_t count, bool with_fd)
{
    pid_t liar = start_liar(bytes, count, with_fd);
    tbus_bus_t bus;
    tbus_error_t err = {0};
    int code;
    /* Until it listens nobody has that name; one that hangs up is taken for one that ends. */
    for (int turns = 0; turns < 2000; turns++) {
        code = tbus_bus_open("demo", "me", 0, &bus, &err);
        if (code != -TBUS_ENOTFOUND || strstr(err.text, "went away"))
            break;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    end(liar);
    return code;
}

static void an_answer_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static char long_line[8192];
    memset(long_line, 'a', sizeof long_line);
    int before = dup(0);
    close(before);
    assert_int_equal(open_at_liar("hello\n", 6, false), -EPROTO);
    assert_int_equal(open_at_liar("\0\0\0\n", 4, false), -EPROTO);
    assert_int_equal(open_at_liar("{\"error\":{\"message\":\"", 21, false), -TBUS_ENOTFOUND);
    assert_int_equal(open_at_liar("{\"error\":{\"message\":\"\\\n", 23, false), -TBUS_ESTOPPED);
    assert_int_equal(open_at_liar(long_line, sizeof long_line, false), -EPROTO);
    assert_int_equal(open_at_liar("no line", 7, false), -TBUS_ENOTFOUND);
    assert_int_equal(open_at_liar("{}\n", 3, true), -TBUS_EGEOMETRY); /* a socket is no memory */
    int after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(two_strangers_meet_on_a_bus_that_a_third_keeps),
        TEST(opening_waits_for_a_bus_that_is_started_later),
        TEST(where_nobody_from_outside_may_write_everybody_observes),
        TEST(whoever_may_publish_may_not_therefore_gate_nor_publish_elsewhere),
        TEST(a_name_is_refused_while_somebody_has_it_and_taken_up_once_it_has_died),
        TEST(opening_leaves_no_descriptor_behind_whatever_comes_of_it),
        TEST(the_words_of_a_supervisor_that_refuses_are_in_the_error),
        TEST(an_answer_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
