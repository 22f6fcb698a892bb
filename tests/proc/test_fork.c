/* SPDX-License-Identifier: Apache-2.0 */
/* What fork(2) must not do: let a child keep its dead parent alive, take part in its parent's name,
 * or hold an observer's mappings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sys/prctl.h>

#include <tickbus/observer.h>
#include <tickbus/stage.h>

#include "tests/support/bus_fixture.h"

static void make_bus(tbus_bus_t *bus)
{
    test_bus_create(bus, "fork");
    test_topic(bus, (tbus_ring_spec_t){.name = "md", .kind = TBUS_BROADCAST, .slot_count = 64},
               "number");
    test_participant(bus, "parent", 1);
    test_reserve(bus, "md", "parent", TBUS_SUBSCRIBER);
}

/* The exit code of a child that does this; -1: it was killed by a signal. */
static int child_says(int (*does)(void *), void *argument)
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* also under a sanitizer */
        _exit(does(argument));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static pid_t bare_clone(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0); /* no handler of fork(3) runs */
}

/* A participant makes a child, and is killed. The number is free for another one only when no
 * description of its lock is left (`free_again`), but whatever it held is buried at once. */
static void outlived_by_a_child(pid_t (*make_child)(void), bool free_again)
{
    tbus_bus_t bus;
    make_bus(&bus);
    tbus_ring_t *orders = test_topic(
        &bus, (tbus_ring_spec_t){.name = "orders", .kind = TBUS_MPMC, .slot_count = 64}, "number");
    int ready[2], hold[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(hold), 0);
    pid_t participant = fork();
    if (participant == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char x = 'x';
        tbus_publisher_t p;
        close(hold[1]);
        if (tbus_participant_live(&bus, 1, NULL) < 0 ||
            tbus_publisher_join(orders, 1, &p, NULL) < 0 || !tbus_claim_try(&p))
            _exit(1);
        if (make_child() == 0) { /* what a library or a plugin might do */
            if (write(ready[1], &x, 1) != 1)
                _exit(1);
            _exit(read(hold[0], &x, 1) != 0); /* until the test is over */
        }
        for (;;)
            pause();
    }
    char x;
    assert_int_equal(read(ready[0], &x, 1), 1);
    assert_int_equal(tbus_participant_alive(&bus, 1), 1);
    assert_int_equal(tbus_bus_bury(&bus, 1), -EBUSY);
    kill(participant, SIGKILL);
    assert_int_equal(waitpid(participant, NULL, 0), participant);
    assert_int_equal(tbus_participant_alive(&bus, 1), 0);
    assert_int_equal(tbus_bus_heal(&bus), 1);
    assert_int_equal(tbus_load_relaxed_u64(&orders->shared->tombs), 1);
    assert_true(tbus_bus_bury(&bus, 1) >= 0);
    tbus_error_t err = {0};
    int life = tbus_participant_live(&bus, 1, &err);
    if (free_again)
        assert_true(life >= 0);
    else
        assert_int_equal(life, -TBUS_EEXISTS);
    if (life >= 0)
        close(life);
    for (unsigned i = 0; i < 2; i++) {
        close(ready[i]);
        close(hold[i]);
    }
    tbus_bus_close(&bus);
}

static void a_grandchild_does_not_keep_a_dead_participant_alive(void **state)
{
    (void)state;
    outlived_by_a_child(fork, true);
    outlived_by_a_child(bare_clone, false);
}

static int join_as_the_parent(void *argument)
{
    tbus_stage_t stage = *(tbus_stage_t *)argument;
    tbus_publisher_t p;
    tbus_subscriber_t s;
    tbus_error_t err = {0};
    return tbus_stage_join_publisher(&stage, "md", &p, &err) == -TBUS_ESTALE &&
                   strstr(err.text, "this is a child") != NULL &&
                   tbus_stage_join_subscriber(&stage, "md", "parent", &s, &err) == -TBUS_ESTALE
               ? 0
               : 1;
}

static void a_child_cannot_join_in_its_parents_name(void **state)
{
    (void)state;
    tbus_bus_t bus;
    tbus_error_t err = {0};
    make_bus(&bus);
    int life = tbus_participant_live(&bus, 1, &err);
    assert_true(life >= 0);
    tbus_stage_t stage = {.owner = 1, .bus = &bus, .name = "parent"};
    assert_int_equal(child_says(join_as_the_parent, &stage), 0);
    assert_int_equal(tbus_participant_alive(&bus, 1),
                     1); /* the child closed its copy of the lock; ours holds */
    tbus_publisher_t p;
    tbus_subscriber_t s;
    assert_int_equal(tbus_stage_join_publisher(&stage, "md", &p, &err), 0);
    assert_int_equal(tbus_stage_join_subscriber(&stage, "md", "parent", &s, &err), 0);
    tbus_subscriber_leave(&s);
    close(life);
    tbus_bus_close(&bus);
}

static int touch(void *argument)
{
    tbus_observer_t *o = argument;
    uint64_t copy[8], seq, lost;
    size_t bytes;
    return tbus_observe(o, copy, &bytes, &seq, &lost);
}

static void an_attached_clients_child_has_no_mappings(void **state)
{
    (void)state;
    tbus_bus_t bus, seen;
    tbus_error_t err = {0};
    make_bus(&bus);
    int fds[2] = {tbus_segment_reopen(&bus.directory_segment, false),
                  tbus_segment_reopen(&bus.topic_segments[0], false)};
    assert_int_equal(tbus_bus_attach(fds, 2, &seen, &err), 0);
    tbus_publisher_t p;
    assert_int_equal(tbus_publisher_join(&bus.rings[0], 1, &p, &err), 0);
    assert_int_equal(tbus_publish_try(&p, "hello", 5), TBUS_PUBLISHED);
    tbus_observer_t o;
    assert_int_equal(tbus_observer_join(&seen.rings[0], TBUS_FROM_OLDEST, &o, &err), 0);
    assert_int_equal(child_says(touch, &o), -1);
    assert_int_equal(touch(&o), 1); /* the client itself sees what there is */
    tbus_bus_close(&seen);
    tbus_bus_close(&bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grandchild_does_not_keep_a_dead_participant_alive),
        cmocka_unit_test(a_child_cannot_join_in_its_parents_name),
        cmocka_unit_test(an_attached_clients_child_has_no_mappings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
