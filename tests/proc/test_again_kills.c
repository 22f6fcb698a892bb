/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 at every instruction of handing a message on, where a ring promises at least once: of the
 * repair of a consumer that died, of taking what waits to be taken again, of leaving with a message
 * in hand. After each kill somebody who is left must receive everything that the victim had not
 * noted, nothing twice but what it held, and the ring must go on.
 *
 * Every day one in sixty-four of the kill points, from an offset that changes with TICKBUS_SEED;
 * TICKBUS_KILL_POINTS=all takes all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <tickbus/repair.h>
#include <tickbus/subscriber.h>

#include "tests/support/killer.h"
#include "tests/support/ring_fixture.h"

enum { SLOTS = 16, PUBLISHER = 1, VICTIM = 2, SURVIVOR = 3, FRESH = 4, DEAD = 10, MESSAGES = 6 };

/* Shared with the victim. */
static struct world {
    _Alignas(4096) unsigned char memory[TBUS_RING_SLOTS_AT + 64 * SLOTS];
    tbus_ring_t ring;
    tbus_publisher_t publisher;
    tbus_subscriber_t victim, survivor;
    tbus_atomic_u64_t noted[MESSAGES]; /* by the victim, before it gave it back */
    unsigned seen[MESSAGES];           /* by the survivor */
} * world;

static uint64_t stride = 64;
static uint64_t offset;

static bool the_dead_are(void *context, uint32_t owner)
{
    (void)context;
    return owner == VICTIM || owner >= DEAD;
}

static tbus_subscriber_t join(const char *name, uint32_t owner)
{
    return test_late_comer(&world->ring, name, TBUS_CONSUMER, owner);
}

static void publish(uint64_t number)
{
    assert_int_equal(tbus_publish_try(&world->publisher, &number, sizeof number), TBUS_PUBLISHED);
}

static bool receive(tbus_subscriber_t *s, uint64_t *out_number)
{
    size_t bytes;
    const void *message = tbus_peek(s, &bytes);
    assert_int_equal(s->error, 0);
    if (!message)
        return false;
    assert_int_equal(bytes, sizeof *out_number);
    memcpy(out_number, message, sizeof *out_number);
    tbus_advance(s);
    assert_int_equal(s->error, 0);
    return true;
}

/* ---- in which state of the ring ---- */

/* `taken` messages were taken by others that have given them back; one is in the hands of the dead
 * before that, one in the victim's after. */
static void prepare(uint64_t first_seq, uint64_t taken, bool victim_holds)
{
    tbus_ring_spec_t spec = {.kind = TBUS_MPMC,
                             .slot_count = SLOTS,
                             .first_seq = first_seq,
                             .promise = TBUS_AT_LEAST_ONCE};
    uint64_t number;
    size_t bytes;
    memset(world, 0, sizeof *world);
    world->ring = test_ring_create_at(world->memory, sizeof world->memory, spec);
    world->publisher = test_publisher(&world->ring, PUBLISHER);
    world->victim = join("victim", VICTIM);
    world->survivor = join("survivor", SURVIVOR);
    assert_false(receive(&world->survivor,
                         &number)); /* the look of a newcomer is behind it: it has to be called */
    assert_false(receive(&world->victim, &number));
    tbus_subscriber_t dead = join("dead", DEAD);
    for (uint64_t n = 0; n < MESSAGES; n++)
        publish(n);
    assert_non_null(tbus_peek(&dead, &bytes));
    for (uint64_t n = 1; n <= taken; n++) {
        assert_true(receive(&world->survivor, &number) && number == n);
        world->seen[n]++;
    }
    if (victim_holds)
        assert_non_null(tbus_peek(&world->victim, &bytes));
}

/* ---- what the victim does ---- */

static void repair(void)
{
    tbus_ring_repair(&world->ring, DEAD);
}
static void heal(void)
{
    tbus_ring_heal(&world->ring, the_dead_are, NULL);
}
static void take_and_release(void)
{
    size_t bytes;
    uint64_t number;
    const void *message = tbus_peek(&world->victim, &bytes);
    if (!message)
        return;
    memcpy(&number, message, sizeof number);
    tbus_store_relaxed_u64(&world->noted[number], 1);
    tbus_advance(&world->victim);
}
static void take_two(void)
{
    take_and_release();
    take_and_release();
}
static void leave(void)
{
    tbus_subscriber_leave(&world->victim);
}

/* ---- the verdict ---- */

static const char *verdict(void)
{
    uint64_t number;
    heal();
    if (tbus_ring_heal(&world->ring, the_dead_are, NULL) != 0)
        return "a second repair found something left to do";
    while (receive(&world->survivor, &number)) {
        if (number >= MESSAGES)
            return "a message that nobody sent";
        world->seen[number]++;
    }
    uint64_t twice = 0;
    for (number = 0; number < MESSAGES; number++) {
        uint64_t noted = tbus_load_relaxed_u64(&world->noted[number]);
        if (!world->seen[number] && !noted)
            return "a message was lost";
        if (world->seen[number] > 1)
            return "the survivor has a message twice";
        twice += world->seen[number] && noted;
    }
    if (twice > 1)
        return "more was delivered twice than the victim can have held";
    if (tbus_load_relaxed_u64(&world->ring.shared->in_doubt))
        return "something is in doubt";
    tbus_subscriber_t fresh = join("fresh", FRESH);
    for (uint64_t n = 0; n < SLOTS; n++)
        if (tbus_publish_try(&world->publisher, &n, sizeof n) != TBUS_PUBLISHED)
            return "the ring no longer takes a whole lap";
    for (uint64_t n = 0; n < SLOTS; n++)
        if (!receive(n % 2 ? &fresh : &world->survivor, &number) || number != n)
            return "the ring no longer gives a whole lap";
    return NULL;
}

static void kill_everywhere(const char *name, uint64_t taken, bool victim_holds,
                            void (*dress)(void), void (*operation)(void))
{
    static const uint64_t starts[] = {1, (UINT64_C(1) << 45) - 2};
    uint64_t kills = 0;
    uint64_t step = stride > 1 && operation == heal
                        ? 4 * stride
                        : stride; /* it is as long as all others together */
    for (unsigned i = 0; i < sizeof starts / sizeof *starts; i++)
        for (uint64_t k = (offset + 7 * i) % step;; k += step) {
            prepare(starts[i], taken, victim_holds);
            if (dress)
                dress();
            bool killed = killer_kill(operation, k);
            const char *fault = verdict();
            if (fault)
                fail_msg("%s, killed after instruction %llu: %s", name, (unsigned long long)k,
                         fault);
            if (!killed)
                break;
            kills++;
        }
    printf("  %-40s %5llu kill points\n", name, (unsigned long long)kills);
}

static int setup(void **state)
{
    (void)state;
    const char *wanted = getenv("TICKBUS_KILL_POINTS");
    const char *seed = getenv("TICKBUS_SEED");
    world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (wanted && !strcmp(wanted, "all"))
        stride = 1;
    offset = seed ? strtoull(seed, NULL, 0) : 0;
    return world == MAP_FAILED;
}

static void skip_without_ptrace(void)
{
    if (killer_ready())
        return;
    print_message("skipped: ptrace(2) is not allowed here\n");
    skip();
}

static void a_consumer_killed_with_what_was_delivered_again_leaves_it_to_the_next(void **state)
{
    (void)state;
    skip_without_ptrace();
    kill_everywhere("take again, release; known from the ticket", 0, false, repair,
                    take_and_release);
    kill_everywhere("take again, release; known from the slot", 4, false, repair, take_and_release);
    kill_everywhere("take again, then a new one", 2, false, repair, take_two);
    kill_everywhere("take, release", 2, false, NULL, take_and_release);
}

static void who_hands_a_message_on_may_be_killed_at_any_instruction(void **state)
{
    (void)state;
    skip_without_ptrace();
    kill_everywhere("repair; known from the ticket", 0, false, NULL, repair);
    kill_everywhere("repair; known from the slot", 3, false, NULL, repair);
    kill_everywhere("heal, with a message in hand", 2, true, NULL, heal);
    kill_everywhere("leave with a message in hand", 0, true, NULL, leave);
    kill_everywhere("leave with one that was delivered again", 3, true, NULL, leave);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_consumer_killed_with_what_was_delivered_again_leaves_it_to_the_next),
        cmocka_unit_test(who_hands_a_message_on_may_be_killed_at_any_instruction),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
