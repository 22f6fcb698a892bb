/* SPDX-License-Identifier: Apache-2.0 */
/* An owner number goes from a dead participant to its successor; whatever is still going on about
 * the dead must not touch the living. tbus_ring_heal is wrapped by the linker, so that a healer can
 * be held between the proof of death and the repair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/bus.h>
#include <tickbus/publisher.h>
#include <tickbus/repair.h>
#include <tickbus/subscriber.h>

#include "tests/support/bus_fixture.h"

enum { READER = 1, VICTIM = 2 };

static int told[2], go[2]; /* the healer says that it has its proof; and is let go on */
static bool hold_the_healer;

typedef struct held {
    tbus_dead_t dead;
    void *context;
} held_t;

static bool dead_then_hold(void *context, uint32_t owner)
{
    const held_t *h = context;
    bool dead = h->dead(h->context, owner);
    char x = 'x';
    if (dead && hold_the_healer && (write(told[1], &x, 1) != 1 || read(go[0], &x, 1) != 1))
        _exit(9);
    return dead;
}

int __real_tbus_ring_heal(tbus_ring_t *ring, tbus_dead_t dead, void *context);
int __wrap_tbus_ring_heal(tbus_ring_t *ring, tbus_dead_t dead, void *context);
int __wrap_tbus_ring_heal(tbus_ring_t *ring, tbus_dead_t dead, void *context)
{
    held_t h = {dead, context};
    return __real_tbus_ring_heal(ring, dead_then_hold, &h);
}

static void make_bus(tbus_bus_t *bus)
{
    test_bus_create(bus, "reuse");
    test_topic(bus, (tbus_ring_spec_t){.name = "orders", .kind = TBUS_MPMC}, "number");
    test_participant(bus, "reader", READER);
    test_participant(bus, "victim", VICTIM);
    test_reserve(bus, "orders", "reader", TBUS_CONSUMER);
    assert_int_equal(pipe(told), 0);
    assert_int_equal(pipe(go), 0);
}

static void close_bus(tbus_bus_t *bus)
{
    for (unsigned i = 0; i < 2; i++) {
        close(told[i]);
        close(go[i]);
    }
    tbus_bus_close(bus);
}

/* A child that joins as VICTIM, claims a slot and is killed. */
static void die_with_a_claim(tbus_bus_t *bus)
{
    pid_t child = fork();
    if (child == 0) {
        tbus_publisher_t p;
        if (tbus_participant_live(bus, VICTIM, NULL) < 0 ||
            tbus_publisher_join(&bus->rings[0], VICTIM, &p, NULL) < 0 || !tbus_claim_try(&p))
            _exit(1);
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static pid_t start_healer(tbus_bus_t *bus)
{
    pid_t child = fork();
    if (child == 0) {
        hold_the_healer = true;
        _exit(tbus_bus_heal(bus));
    }
    char x;
    assert_int_equal(read(told[0], &x, 1), 1);
    return child;
}

static void a_number_is_not_taken_up_while_its_last_holder_is_being_buried(void **state)
{
    (void)state;
    tbus_bus_t bus;
    tbus_error_t err = {0};
    make_bus(&bus);
    tbus_subscriber_t s;
    assert_int_equal(tbus_subscriber_join(&bus.rings[0], "reader", READER, &s, &err), 0);
    die_with_a_claim(&bus);
    pid_t healer = start_healer(&bus);

    assert_int_equal(tbus_participant_live(&bus, VICTIM, &err), -EAGAIN);
    assert_int_equal(tbus_participant_alive(&bus, VICTIM), 0); /* a burial is no life */
    assert_int_equal(tbus_bus_heal(&bus), 1);                  /* and in no other healer's way */

    assert_int_equal(write(go[1], "x", 1), 1);
    int status;
    assert_int_equal(waitpid(healer, &status, 0), healer);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0); /* the other one was faster */

    int life = tbus_participant_live(&bus, VICTIM, &err);
    assert_true(life >= 0);
    tbus_publisher_t p;
    assert_int_equal(tbus_publisher_join(&bus.rings[0], VICTIM, &p, &err), 0);
    assert_int_equal(tbus_publish_try(&p, &(uint64_t){7}, 8), TBUS_PUBLISHED);
    size_t bytes;
    const void *message = tbus_peek(&s, &bytes);
    assert_non_null(message);
    assert_memory_equal(message, &(uint64_t){7}, 8);
    tbus_advance(&s);
    assert_int_equal(tbus_load_relaxed_u64(&bus.rings[0].shared->tombs), 1);
    close(life);
    tbus_subscriber_leave(&s);
    close_bus(&bus);
}

static void a_burial_ends_with_whoever_was_at_it(void **state)
{
    (void)state;
    tbus_bus_t bus;
    tbus_error_t err = {0};
    make_bus(&bus);
    die_with_a_claim(&bus);
    pid_t healer = start_healer(&bus);
    kill(healer, SIGKILL);
    assert_int_equal(waitpid(healer, NULL, 0), healer);
    int life = tbus_participant_live(&bus, VICTIM, &err); /* buries its predecessor itself */
    assert_true(life >= 0);
    assert_int_equal(tbus_load_relaxed_u64(&bus.rings[0].shared->tombs), 1);
    close(life);
    close_bus(&bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_not_taken_up_while_its_last_holder_is_being_buried),
        cmocka_unit_test(a_burial_ends_with_whoever_was_at_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
