/* SPDX-License-Identifier: Apache-2.0 */
/* What public functions of the ring and the bus do with arguments that no correct caller gives:
 * cold ones return an error, hot ones assert, and the ring is as it was before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/bus.h>
#include <tickbus/observer.h>
#include <tickbus/publisher.h>
#include <tickbus/repair.h>
#include <tickbus/stage.h>
#include <tickbus/subscriber.h>
#include <tickbus/wait.h>

#include "tests/support/bus_fixture.h"

#define MEMORY_BYTES 65536u
#define BEFORE       12u /* messages that are on the ring when the bad call comes */

static const size_t lengths[] = {57,
                                 255,
                                 1000,
                                 (size_t)1 << 31,
                                 (size_t)1 << 32,
                                 (size_t)1 << 63,
                                 ((size_t)1 << 63) + 8,
                                 SIZE_MAX - 7,
                                 SIZE_MAX};
static const uint32_t owners[] = {0, 256, 257, 511, 70000, UINT32_C(1) << 31, UINT32_MAX};
static unsigned char text[1u << 16];

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A ring in memory that a child shares, with a subscriber and BEFORE messages for it. */
typedef struct scene {
    void *memory;
    tbus_ring_t ring;
    tbus_publisher_t p;
    tbus_subscriber_t s;
} scene_t;

static void set_up(scene_t *w, enum tbus_ring_kind kind, enum tbus_policy policy)
{
    w->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(w->memory, MAP_FAILED);
    w->ring = test_ring_create_at(w->memory, MEMORY_BYTES,
                                  (tbus_ring_spec_t){.kind = kind, .policy = policy});
    w->s = test_subscriber(&w->ring, "s", test_taker(kind), 2);
    w->p = test_publisher(&w->ring, 1);
    for (uint64_t i = 0; i < BEFORE; i++)
        assert_int_equal(tbus_publish(&w->p, &i, sizeof i), TBUS_PUBLISHED);
}

/* Everything that was published before is there, and the ring goes on. */
static void check_unharmed(scene_t *w)
{
    size_t bytes;
    tbus_publisher_t next = test_publisher(&w->ring, 3);
    assert_int_equal(tbus_publish(&next, &(uint64_t){BEFORE}, 8), TBUS_PUBLISHED);
    for (uint64_t i = 0; i <= BEFORE; i++) {
        const void *message = tbus_peek(&w->s, &bytes);
        assert_non_null(message);
        assert_int_equal(bytes, 8);
        assert_memory_equal(message, &i, 8);
        tbus_advance(&w->s);
    }
    assert_null(tbus_peek(&w->s, &bytes));
    assert_int_equal(w->s.error, 0);
}

static void tear_down(scene_t *w)
{
    tbus_subscriber_leave(&w->s);
    munmap(w->memory, MEMORY_BYTES);
}

typedef void (*call_t)(scene_t *w, size_t bytes);

static void call_publish_try(scene_t *w, size_t bytes)
{
    tbus_publish_try(&w->p, text, bytes);
}
static void call_publish(scene_t *w, size_t bytes)
{
    tbus_publish(&w->p, text, bytes);
}
static void call_commit(scene_t *w, size_t bytes)
{
    if (tbus_claim_try(&w->p))
        tbus_commit(&w->p, bytes);
}
static void call_claim_bytes(scene_t *w, size_t bytes)
{
    if (tbus_claim_bytes_try(&w->p, bytes))
        tbus_commit(&w->p, bytes);
}
static void call_commit_batch(scene_t *w, size_t bytes)
{
    void *place;
    uint32_t length = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
    if (tbus_claim_batch(&w->p, 1, &place) == 1)
        tbus_commit_batch(&w->p, &length);
}
static void call_commit_without_a_claim(scene_t *w, size_t bytes)
{
    (void)bytes;
    tbus_commit(&w->p, 8);
}
static void call_abort_without_a_claim(scene_t *w, size_t bytes)
{
    (void)bytes;
    tbus_abort(&w->p);
}
static void call_claim_twice(scene_t *w, size_t bytes)
{
    (void)bytes;
    if (tbus_claim_try(&w->p))
        (void)tbus_claim_try(&w->p);
}

/* In a child, which must be ended by the assertion. What it had claimed is repaired. */
static void asserts(enum tbus_ring_kind kind, enum tbus_policy policy, call_t call, size_t bytes)
{
    scene_t w;
    set_up(&w, kind, policy);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        call(&w, bytes);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    tbus_ring_repair(&w.ring, 1);
    check_unharmed(&w);
    tear_down(&w);
}

static void a_message_longer_than_the_ring_takes_is_asserted_and_harms_nothing(void **state)
{
    (void)state;
    static const call_t calls[] = {call_publish_try, call_publish, call_commit, call_claim_bytes,
                                   call_commit_batch};
    for (unsigned k = 0; k < TEST_KINDS; k++)
        for (unsigned c = 0; c < COUNT(calls); c++)
            for (unsigned i = 0; i < COUNT(lengths); i++)
                asserts(test_kinds[k], TBUS_BLOCK, calls[c], lengths[i]);
}

static void no_policy_takes_a_message_that_is_too_long(void **state)
{
    (void)state;
    for (unsigned k = 0; k < TEST_KINDS; k++) {
        asserts(test_kinds[k], TBUS_DROP_NEWEST, call_publish, SIZE_MAX);
        asserts(test_kinds[k], TBUS_EVICT_SLOWEST, call_publish, SIZE_MAX);
    }
}

static void a_commit_or_an_abort_without_a_claim_and_a_second_claim_are_asserted(void **state)
{
    (void)state;
    static const call_t calls[] = {call_commit_without_a_claim, call_abort_without_a_claim,
                                   call_claim_twice};
    for (unsigned k = 0; k < TEST_KINDS; k++)
        for (unsigned c = 0; c < COUNT(calls); c++)
            asserts(test_kinds[k], TBUS_BLOCK, calls[c], 0);
}

static void an_owner_number_outside_1_to_255_is_refused_on_every_way_of_joining(void **state)
{
    (void)state;
    for (unsigned k = 0; k < TEST_KINDS; k++)
        for (unsigned i = 0; i < COUNT(owners); i++) {
            tbus_ring_t ring = test_ring_create((tbus_ring_spec_t){.kind = test_kinds[k]});
            enum tbus_sub_role role = test_taker(test_kinds[k]);
            tbus_error_t err = {0};
            tbus_publisher_t p = {.owner = 77};
            tbus_subscriber_t s = {.owner = 77};
            assert_int_equal(tbus_publisher_join(&ring, owners[i], &p, &err), -EINVAL);
            assert_int_equal(tbus_subscriber_join_late(&ring, "s", role, owners[i], &s, &err),
                             -EINVAL);
            assert_true(tbus_ring_reserve(&ring, "s", role, &err) >= 0);
            assert_int_equal(tbus_subscriber_join(&ring, "s", owners[i], &s, &err), -EINVAL);
            assert_true(err.text[0] != 0);
            assert_int_equal(p.owner, 77);
            assert_int_equal(s.owner, 77);
            assert_int_equal(tbus_ring_repair(&ring, owners[i]), 0);
            assert_int_equal(tbus_subscriber_join(&ring, "s", 2, &s, &err), 0); /* still there */
            tbus_subscriber_leave(&s);
            test_ring_destroy(&ring);
        }
}

/* A subscriber that advances over what was never published must not let publishers overtake it. */
static void advance_without_peek_is_an_error_and_its_progress_is_not_stored(void **state)
{
    (void)state;
    static const enum tbus_ring_kind kinds[] = {TBUS_SPSC, TBUS_BROADCAST, TBUS_BROADCAST_MP,
                                                TBUS_MPSC};
    static const enum tbus_policy policies[] = {TBUS_BLOCK, TBUS_EVICT_SLOWEST};
    for (unsigned k = 0; k < COUNT(kinds); k++)
        for (unsigned q = 0; q < COUNT(policies); q++) {
            scene_t w;
            size_t bytes;
            set_up(&w, kinds[k], policies[q]);
            for (unsigned i = 0; i < BEFORE; i++) {
                assert_non_null(tbus_peek(&w.s, &bytes));
                tbus_advance(&w.s);
            }
            tbus_subscriber_flush(&w.s);
            assert_int_equal(w.s.error, 0);
            uint64_t progress = tbus_load_relaxed_u64(&w.ring.shared->subs[w.s.index].progress);
            tbus_advance(&w.s);
            tbus_subscriber_flush(&w.s);
            assert_int_equal(w.s.error, -EINVAL);
            assert_null(tbus_peek(&w.s, &bytes));
            assert_int_equal(tbus_load_relaxed_u64(&w.ring.shared->subs[w.s.index].progress),
                             progress);
            tear_down(&w);
        }
}

static void a_name_fills_its_field_to_the_last_byte_and_no_further(void **state)
{
    (void)state;
    tbus_ring_spec_t spec = test_spec((tbus_ring_spec_t){.kind = TBUS_BROADCAST});
    memset(spec.name, 'n', sizeof spec.name); /* without a zero */
    assert_int_equal(tbus_ring_footprint(&spec), 0);
    spec.name[0] = 0;
    assert_int_equal(tbus_ring_footprint(&spec), 0);
    memset(spec.name, 'n', sizeof spec.name - 1);
    spec.name[sizeof spec.name - 1] = 0;
    tbus_ring_t ring = test_ring_create(spec);
    assert_memory_equal(ring.shared->name, spec.name, sizeof spec.name);
    const char *longest = "abcdefghijklmnopqrstuvw";
    tbus_subscriber_t s;
    int place = tbus_ring_reserve(&ring, longest, TBUS_SUBSCRIBER, NULL);
    assert_true(place >= 0);
    assert_memory_equal(ring.shared->subs[place].name, longest, TBUS_NAME_MAX);
    assert_int_equal(tbus_subscriber_join(&ring, longest, 2, &s, NULL), 0);
    assert_int_equal(tbus_ring_reserve(&ring, "abcdefghijklmnopqrstuvwx", TBUS_SUBSCRIBER, NULL),
                     -TBUS_EGEOMETRY);
    tbus_subscriber_leave(&s);
    test_ring_destroy(&ring);
}

/* --- cold functions: one row for each bad call; what it returns */

typedef struct things {
    tbus_ring_t ring, read_only, none;
    tbus_ring_spec_t spec;
    tbus_bus_t bus, no_bus;
    tbus_publisher_t p;
    tbus_subscriber_t s;
    tbus_observer_t o;
    tbus_waiter_t w;
    tbus_atomic_u64_t *counter;
    tbus_histogram_t *histogram;
    tbus_quiescence_t q;
    tbus_horizon_view_t view;
    tbus_stage_t stage;
    unsigned char into[256] __attribute__((aligned(64)));
    tbus_error_t err;
} things_t;

static bool nobody_is_dead(void *context, uint32_t owner)
{
    (void)context, (void)owner;
    return false;
}

#define ROW(expected, ...)                                                                         \
    do {                                                                                           \
        long long got_ = (long long)(__VA_ARGS__);                                                 \
        if (got_ != (long long)(expected))                                                         \
            fail_msg("%s: returned %lld, not %lld", #__VA_ARGS__, got_, (long long)(expected));    \
    } while (0)

static void bad_calls_on_rings(things_t *t)
{
    tbus_ring_t *ring = &t->ring;
    ROW(0, tbus_ring_footprint(NULL));
    ROW(-EINVAL, tbus_ring_format(NULL, 0, NULL, &t->err));
    ROW(-TBUS_EGEOMETRY, tbus_ring_format(NULL, SIZE_MAX, &t->spec, &t->err));
    ROW(-TBUS_EGEOMETRY, tbus_ring_format(t->into, sizeof t->into, &t->spec, &t->err));
    ROW(-TBUS_EGEOMETRY, tbus_ring_join(NULL, SIZE_MAX, true, ring, &t->err));
    ROW(-TBUS_EGEOMETRY, tbus_ring_join(ring->shared, 100, true, ring, &t->err));
    ROW(-TBUS_EGEOMETRY, tbus_ring_join(ring->shared, SIZE_MAX, true, NULL, &t->err));
    ROW(-EINVAL, tbus_ring_reserve(NULL, "x", TBUS_SUBSCRIBER, &t->err));
    ROW(-EINVAL, tbus_ring_reserve(&t->none, "x", TBUS_SUBSCRIBER, &t->err));
    ROW(-EINVAL, tbus_ring_reserve(&t->read_only, "x", TBUS_SUBSCRIBER, &t->err));
    ROW(-EINVAL, tbus_ring_reserve(ring, NULL, TBUS_SUBSCRIBER, &t->err));
    ROW(-TBUS_EGEOMETRY, tbus_ring_reserve(ring, "", TBUS_SUBSCRIBER, &t->err));
    ROW(-EINVAL, tbus_ring_reserve(ring, "x", (enum tbus_sub_role)0, &t->err));
    ROW(-EINVAL, tbus_ring_reserve(ring, "x", (enum tbus_sub_role)99, &t->err));
    ROW(false, tbus_name_fits(NULL));
    ROW('?', *tbus_ring_kind_name((enum tbus_ring_kind)99));
    ROW('?', *tbus_wait_mode_name((enum tbus_wait_mode)99));
    ROW('?', *tbus_participant_state_name(99));
    ROW(0, tbus_ring_repair(NULL, 1));
    ROW(0, tbus_ring_repair(&t->read_only, 1));
    ROW(0, tbus_ring_heal(NULL, nobody_is_dead, NULL));
    ROW(0, tbus_ring_heal(&t->read_only, nobody_is_dead, NULL));
    ROW(0, tbus_ring_heal(ring, NULL, NULL));
}

static void bad_calls_of_those_who_join(things_t *t)
{
    tbus_ring_t *ring = &t->ring;
    ROW(-EINVAL, tbus_publisher_join(NULL, 1, &t->p, &t->err));
    ROW(-EINVAL, tbus_publisher_join(&t->none, 1, &t->p, &t->err));
    ROW(-EINVAL, tbus_publisher_join(ring, 1, NULL, &t->err));
    ROW(-TBUS_EKIND, tbus_publisher_join(&t->read_only, 1, &t->p, &t->err));
    ROW(-EINVAL, tbus_subscriber_join(NULL, "x", 1, &t->s, &t->err));
    ROW(-EINVAL, tbus_subscriber_join(&t->none, "x", 1, &t->s, &t->err));
    ROW(-EINVAL, tbus_subscriber_join(ring, NULL, 1, &t->s, &t->err));
    ROW(-EINVAL, tbus_subscriber_join(ring, "x", 1, NULL, &t->err));
    ROW(-TBUS_EKIND, tbus_subscriber_join(&t->read_only, "x", 1, &t->s, &t->err));
    ROW(-EINVAL, tbus_subscriber_join_late(NULL, "x", TBUS_SUBSCRIBER, 1, &t->s, &t->err));
    ROW(-EINVAL, tbus_subscriber_join_late(ring, NULL, TBUS_SUBSCRIBER, 1, &t->s, &t->err));
    ROW(-EINVAL, tbus_subscriber_join_late(ring, "x", TBUS_SUBSCRIBER, 1, NULL, &t->err));
    ROW(-EINVAL, tbus_subscriber_join_late(ring, "x", (enum tbus_sub_role)0, 1, &t->s, &t->err));
    ROW(-TBUS_EKIND, tbus_subscriber_join_late(ring, "x", TBUS_CONSUMER, 1, &t->s, &t->err));
    ROW(-TBUS_EGEOMETRY, tbus_subscriber_join_late(ring, "", TBUS_SUBSCRIBER, 1, &t->s, &t->err));
    ROW(-EINVAL, tbus_observer_join(NULL, TBUS_FROM_NOW, &t->o, &t->err));
    ROW(-EINVAL, tbus_observer_join(&t->none, TBUS_FROM_NOW, &t->o, &t->err));
    ROW(-EINVAL, tbus_observer_join(ring, TBUS_FROM_NOW, NULL, &t->err));
    ROW(-EINVAL, tbus_observer_join(ring, (enum tbus_observe_from)2, &t->o, &t->err));
    ROW(-EINVAL, tbus_waiter_watch_subscriber(&t->w, NULL));
    ROW(-EINVAL, tbus_waiter_watch_publisher(&t->w, NULL));
    ROW(-EINVAL, tbus_waiter_watch_horizon(&t->w, NULL));
    ROW(-EINVAL, tbus_waiter_watch_horizon(NULL, &t->view));
    ROW(-EINVAL, tbus_waiter_watch_horizon(&t->w, &t->view)); /* of nothing */
}

static void bad_calls_on_the_bus(things_t *t)
{
    tbus_bus_t *bus = &t->bus, *none = &t->no_bus;
    ROW(-EINVAL, tbus_draw_session_name(NULL, &t->err));
    ROW(-EINVAL, tbus_bus_create(NULL, none, &t->err));
    ROW(-EINVAL, tbus_bus_create("", none, &t->err));
    ROW(-EINVAL, tbus_bus_create("x", NULL, &t->err));
    ROW(-EINVAL, tbus_bus_add_topic(NULL, &t->spec, "n", TBUS_PAGES_SMALL, -1, &t->err));
    ROW(-EINVAL, tbus_bus_add_topic(none, &t->spec, "n", TBUS_PAGES_SMALL, -1, &t->err));
    ROW(-EINVAL, tbus_bus_add_topic(bus, NULL, "n", TBUS_PAGES_SMALL, -1, &t->err));
    ROW(-EINVAL, tbus_bus_add_topic(bus, &t->spec, NULL, TBUS_PAGES_SMALL, -1, &t->err));
    ROW(-EINVAL, tbus_bus_attach(NULL, 1, none, &t->err));
    ROW(-EINVAL, tbus_bus_attach(&(int){-1}, 1, NULL, &t->err));
    ROW(-EINVAL, tbus_bus_attach(&(int){-1}, 0, none, &t->err));
    ROW(0, tbus_bus_ring(NULL, "n") != NULL);
    ROW(0, tbus_bus_ring(bus, NULL) != NULL);
    ROW(-TBUS_ENOTFOUND, tbus_bus_topic_index(none, "n"));
    ROW(-EINVAL, tbus_participant_add(NULL, "x", &t->err));
    ROW(-EINVAL, tbus_participant_add(none, "x", &t->err));
    ROW(-EINVAL, tbus_participant_add(bus, NULL, &t->err));
    ROW(-EINVAL, tbus_participant_add(bus, "abcdefghijklmnopqrstuvwx", &t->err));
    ROW(-EINVAL, tbus_participant_live(NULL, 1, &t->err));
    ROW(-EINVAL, tbus_bus_keep(none, &t->err));
    ROW(-EINVAL, tbus_bus_heal(NULL));
    ROW(0, tbus_bus_bury_dead(NULL));
    ROW(-EINVAL, tbus_bus_bury(NULL, 1));
    ROW(-EINVAL, tbus_participant_take_topic(NULL, 1, 0, &t->err));
    ROW(-EINVAL, tbus_participant_take_topic(bus, 1, 1, &t->err));
    ROW(-EINVAL, tbus_participant_take_topic(bus, 1, UINT32_MAX, &t->err));
    ROW(-EINVAL, tbus_counter_add(NULL, 1, "c", "", &t->counter, &t->err));
    ROW(-EINVAL, tbus_counter_add(bus, 1, NULL, "", &t->counter, &t->err));
    ROW(-EINVAL, tbus_counter_add(bus, 1, "c", "", NULL, &t->err));
    ROW(-EINVAL, tbus_bus_add_histogram(NULL, "h", &t->histogram, &t->err));
    ROW(-EINVAL, tbus_bus_add_histogram(bus, NULL, &t->histogram, &t->err));
    ROW(-EINVAL, tbus_bus_add_histogram(bus, "h", NULL, &t->err));
    ROW(false, tbus_bus_quiescent(NULL, &t->q));
    ROW(false, tbus_bus_quiescent(bus, NULL));
    ROW(0, tbus_bus_taken(NULL));
    ROW(-EINVAL, tbus_stage_join_subscriber(&t->stage, NULL, "x", &t->s, &t->err));
    ROW(-EINVAL, tbus_stage_join_publisher(&t->stage, NULL, &t->p, &t->err));
    ROW(0, tbus_stage_keep_horizon(NULL, "n", 0) != NULL);
    ROW(0, tbus_stage_keep_horizon(&t->stage, NULL, 0) != NULL);
    ROW(0, tbus_stage_keep_horizon(&t->stage, "n", 0) != NULL); /* it has no number */
    ROW(0, tbus_stage_next_with_horizon(NULL, "n", 0));
    ROW(0, tbus_stage_next_with_horizon(&t->stage, NULL, 0));
    ROW(0, tbus_stage_next_with_horizon(&t->stage, "n", UINT32_MAX));
    ROW(-EINVAL, tbus_stage_watch_horizon(NULL, 1, &t->view));
    ROW(-EINVAL, tbus_stage_watch_horizon(&t->stage, 1, NULL));
    for (unsigned i = 0; i < COUNT(owners); i++) {
        if (owners[i] != TBUS_KEEPER)
            ROW(-EINVAL, tbus_participant_alive(bus, owners[i]));
        ROW(-EINVAL, tbus_participant_live(bus, owners[i], &t->err));
        ROW(-EINVAL, tbus_bus_bury(bus, owners[i]));
        ROW(-EINVAL, tbus_stage_watch_horizon(&t->stage, owners[i], &t->view));
        ROW(-EINVAL, tbus_participant_take_topic(bus, owners[i], 0, &t->err));
    }
}

static void every_cold_function_refuses_what_it_cannot_use(void **state)
{
    (void)state;
    static things_t t;
    t.spec = test_spec((tbus_ring_spec_t){.kind = TBUS_BROADCAST});
    t.ring = test_ring_create(t.spec);
    t.read_only = t.ring;
    t.read_only.writable = false;
    test_bus_create(&t.bus, "arguments");
    test_topic(&t.bus, (tbus_ring_spec_t){.kind = TBUS_BROADCAST}, "n");
    t.stage.bus = &t.bus;
    bad_calls_on_rings(&t);
    bad_calls_of_those_who_join(&t);
    bad_calls_on_the_bus(&t);
    assert_int_equal(tbus_ring_slowest(&t.ring, NULL), -1); /* nobody got a place */
    tbus_bus_close(&t.bus);
    test_ring_destroy(&t.ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_longer_than_the_ring_takes_is_asserted_and_harms_nothing),
        cmocka_unit_test(no_policy_takes_a_message_that_is_too_long),
        cmocka_unit_test(a_commit_or_an_abort_without_a_claim_and_a_second_claim_are_asserted),
        cmocka_unit_test(an_owner_number_outside_1_to_255_is_refused_on_every_way_of_joining),
        cmocka_unit_test(advance_without_peek_is_an_error_and_its_progress_is_not_stored),
        cmocka_unit_test(a_name_fills_its_field_to_the_last_byte_and_no_further),
        cmocka_unit_test(every_cold_function_refuses_what_it_cannot_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
