/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/open.h>

#include "tools/run/guests.h"

static tbus_bus_t make_bus(void)
{
    tbus_bus_t bus;
    tbus_ring_spec_t spec = {
        .name = "t", .kind = TBUS_BROADCAST, .slot_bytes = 64, .slot_count = 64, .first_seq = 1};
    assert_int_equal(tbus_bus_create("guests", &bus, NULL), 0);
    assert_int_equal(tbus_bus_add_topic(&bus, &spec, "bytes", TBUS_PAGES_SMALL, -1, NULL), 0);
    return bus;
}

/* A process that joins, subscribes, and then stands there. */
static pid_t start_guest(tbus_bus_t *bus)
{
    int ready[2];
    char x;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        tbus_subscriber_t in;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (tbus_bus_join(bus, "guest", NULL) < 0 || tbus_bus_subscriber(bus, "t", &in, NULL) < 0 ||
            write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &x, 1), 1);
    close(ready[0]);
    return child;
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_guest_that_ends_is_told_and_buried(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus();
    guests_t guests;
    assert_int_equal(guests_open(&guests, NULL), 0);
    assert_int_equal(guests_timeout_ms(&guests, -1), -1); /* nobody to look after */
    pid_t guest = start_guest(&bus);
    guests_expect(&guests, guest);
    assert_false(guests.unwatched);
    struct pollfd told = {.fd = guests_fd(&guests), .events = POLLIN};
    assert_int_equal(poll(&told, 1, 0), 0);
    assert_int_equal(guests_bury(&guests, &bus), 0);
    end(guest);
    assert_int_equal(poll(&told, 1, -1), 1);
    assert_int_equal(guests_bury(&guests, &bus), 1);
    assert_int_equal(tbus_load_relaxed_u32(&bus.rings[0].shared->subs[0].state), TBUS_SUB_VACANT);
    assert_int_equal(guests.count, 0);
    assert_int_equal(guests_timeout_ms(&guests, -1), -1);
    guests_close(&guests);
    tbus_bus_close(&bus);
}

static void a_process_that_comes_in_often_is_watched_once(void **state)
{
    (void)state;
    guests_t guests;
    assert_int_equal(guests_open(&guests, NULL), 0);
    for (unsigned i = 0; i < 2 * GUESTS_MAX; i++)
        guests_expect(&guests, getpid());
    assert_int_equal(guests.count, 1);
    assert_false(guests.unwatched);
    guests_close(&guests);
}

static void who_cannot_be_watched_is_looked_after_by_turns(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus();
    guests_t guests;
    assert_int_equal(guests_open(&guests, NULL), 0);
    pid_t guest = start_guest(&bus);
    guests_expect(&guests, 0); /* its number says nothing here */
    assert_true(guests.unwatched);
    assert_in_range(guests_timeout_ms(&guests, -1), 1, 9);
    assert_in_range(guests_timeout_ms(&guests, 1000), 1, 9);
    assert_int_equal(guests_timeout_ms(&guests, 1), 1);
    end(guest);
    uint32_t buried = 0;
    while (!buried) {
        struct pollfd told = {.fd = guests_fd(&guests), .events = POLLIN};
        poll(&told, 1, guests_timeout_ms(&guests, -1));
        buried = guests_bury(&guests, &bus);
    }
    assert_int_equal(buried, 1);
    guests_close(&guests);
    tbus_bus_close(&bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_that_ends_is_told_and_buried),
        cmocka_unit_test(a_process_that_comes_in_often_is_watched_once),
        cmocka_unit_test(who_cannot_be_watched_is_looked_after_by_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
