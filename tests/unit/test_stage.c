/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/stage.h>

#include "tests/support/bus_fixture.h"

/* source -> [a] -> relay -> [b] -> sink: three small stages, run fused in one process or split over
 * three. */
enum { COUNT = 20000, FAIL_AT = 777 };

typedef struct toy {
    tbus_stage_t stage;
    tbus_publisher_t out;
    tbus_subscriber_t in;
    tbus_atomic_u64_t *counter;
    uint64_t next;
    uint64_t limit;
    bool kept;
    bool fails;
} toy_t;

static int source_poll(tbus_stage_t *stage, uint32_t budget)
{
    toy_t *t = (toy_t *)stage;
    int work = 0;
    while (budget-- && t->next < t->limit) {
        if (tbus_publish_try(&t->out, &t->next, 8) == TBUS_FULL)
            return work;
        t->next++;
        work++;
    }
    if (t->next >= t->limit)
        stage->source_done = true;
    return work;
}

static void source_wind_down(tbus_stage_t *stage)
{
    ((toy_t *)stage)->limit = 0;
}

static int relay_poll(tbus_stage_t *stage, uint32_t budget)
{
    toy_t *t = (toy_t *)stage;
    int work = 0;
    size_t bytes;
    const void *message;
    while (budget-- && (message = tbus_peek(&t->in, &bytes))) {
        if (t->fails && t->next == FAIL_AT)
            return tbus_fail(&stage->error, -TBUS_ELIMIT, "relay gives up at %u on purpose",
                             FAIL_AT);
        if (tbus_publish_try(&t->out, message, bytes) == TBUS_FULL) {
            stage->pending = true;
            return work;
        }
        stage->pending = false;
        tbus_advance(&t->in);
        t->next++;
        work++;
    }
    return work;
}

static int sink_poll(tbus_stage_t *stage, uint32_t budget)
{
    toy_t *t = (toy_t *)stage;
    int work = 0;
    size_t bytes;
    const void *message;
    while (budget-- && (message = tbus_peek(&t->in, &bytes))) {
        uint64_t number;
        memcpy(&number, message, 8);
        if (number != t->next)
            return tbus_fail(&stage->error, -TBUS_ECORRUPT, "sink wanted %llu",
                             (unsigned long long)t->next);
        t->next++;
        tbus_add_own_u64(t->counter, 1);
        tbus_advance(&t->in);
        work++;
    }
    return work;
}

static const tbus_stage_ops_t source_ops = {.poll = source_poll, .wind_down = source_wind_down};
static const tbus_stage_ops_t relay_ops = {.poll = relay_poll};
static const tbus_stage_ops_t sink_ops = {.poll = sink_poll};

static void build(toy_t *t, tbus_bus_t *bus, unsigned which, uint64_t limit, bool fails)
{
    static const tbus_stage_ops_t *const ops[] = {&source_ops, &relay_ops, &sink_ops};
    *t = (toy_t){.stage = {.ops = ops[which], .owner = which + 1, .bus = bus},
                 .limit = limit,
                 .fails = fails};
    snprintf(t->stage.name, sizeof t->stage.name, "toy%u", which);
    if (which < 2 && tbus_stage_join_publisher(&t->stage, which ? "b" : "a", &t->out, NULL) < 0)
        _exit(9);
    if (which > 0 &&
        tbus_stage_join_subscriber(&t->stage, which == 1 ? "a" : "b", "s", &t->in, NULL) < 0)
        _exit(9);
    t->counter = tbus_counter(bus, which + 1, "taken", "messages");
}

static void process(tbus_bus_t *bus, unsigned from, unsigned to, uint64_t limit,
                    enum tbus_wait_mode mode, bool fails)
{
    toy_t toys[3];
    tbus_stage_t *stages[3];
    tbus_loop_t loop = {
        .bus = bus, .stages = stages, .stages_count = to - from, .budget = to - from > 1 ? 1 : 64};
    for (unsigned i = from; i < to; i++) {
        build(&toys[i], bus, i, limit, fails);
        stages[i - from] = &toys[i].stage;
    }
    tbus_waiter_init(&loop.waiter, mode);
    _exit(tbus_loop_run(&loop) < 0 ? 1 : 0);
}

static tbus_bus_t make_bus(void)
{
    tbus_bus_t bus;
    test_bus_create(&bus, "stage");
    test_topic(&bus, (tbus_ring_spec_t){.name = "a", .kind = TBUS_SPSC, .slot_count = 64},
               "number");
    test_topic(&bus, (tbus_ring_spec_t){.name = "b", .kind = TBUS_BROADCAST_MP, .slot_count = 64},
               "number");
    test_reserve(&bus, "a", "s", TBUS_SUBSCRIBER);
    test_reserve(&bus, "b", "s", TBUS_SUBSCRIBER);
    test_participant(&bus, "source", 1);
    test_participant(&bus, "relay", 2);
    test_participant(&bus, "sink", 3);
    return bus;
}

static void command(tbus_bus_t *bus, enum tbus_command c)
{
    for (uint32_t owner = 1; owner <= 3; owner++)
        tbus_store_release_u32(&tbus_participant(bus, owner)->command, c);
}

static void wait_state(tbus_bus_t *bus, uint32_t owner, uint32_t state)
{
    while (tbus_load_acquire_u32(&tbus_participant(bus, owner)->state) < state)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void drain(tbus_bus_t *bus)
{
    tbus_quiescence_t q = {0};
    while (!tbus_bus_quiescent(bus, &q)) {
        tbus_ring_nudge(&bus->rings[0]);
        tbus_ring_nudge(&bus->rings[1]);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

static void run_toys(const unsigned *cuts, unsigned processes, uint64_t limit,
                     enum tbus_wait_mode mode)
{
    tbus_bus_t bus = make_bus();
    pid_t children[3];
    for (unsigned i = 0; i < processes; i++)
        if ((children[i] = fork()) == 0)
            process(&bus, cuts[i], cuts[i + 1], limit, mode, false);
    for (uint32_t owner = 1; owner <= 3; owner++)
        wait_state(&bus, owner, TBUS_READY);
    /* nobody runs before the word is given */
    assert_int_equal(tbus_ring_published(&bus.rings[0]), 0);
    command(&bus, TBUS_CMD_RUN);
    if (limit == UINT64_MAX) {
        while (tbus_counter_value(&bus, "taken") < 1000)
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        command(&bus, TBUS_CMD_WIND_DOWN);
    }
    wait_state(&bus, 1, TBUS_DONE);
    drain(&bus);
    assert_int_equal(tbus_counter_value(&bus, "taken"), tbus_ring_published(&bus.rings[0]));
    assert_int_equal(tbus_ring_published(&bus.rings[0]), tbus_ring_published(&bus.rings[1]));
    if (limit != UINT64_MAX)
        assert_int_equal(tbus_counter_value(&bus, "taken"), limit);
    command(&bus, TBUS_CMD_STOP);
    for (unsigned i = 0; i < processes; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    for (uint32_t owner = 1; owner <= 3; owner++)
        assert_int_equal(tbus_load_relaxed_u32(&tbus_participant(&bus, owner)->state), TBUS_HALT);
    tbus_bus_close(&bus);
}

static void stages_give_the_same_result_fused_and_split(void **state)
{
    (void)state;
    static const unsigned fused[] = {0, 3}, two[] = {0, 1, 3}, split[] = {0, 1, 2, 3};
    run_toys(fused, 1, COUNT, TBUS_WAIT_PARK);
    run_toys(two, 2, COUNT, TBUS_WAIT_PARK);
    run_toys(split, 3, COUNT, TBUS_WAIT_PARK);
    run_toys(split, 3, COUNT, TBUS_WAIT_YIELD);
}

static void an_endless_source_winds_down_and_everything_in_flight_arrives(void **state)
{
    (void)state;
    static const unsigned split[] = {0, 1, 2, 3}, fused[] = {0, 3};
    run_toys(split, 3, UINT64_MAX, TBUS_WAIT_PARK);
    run_toys(fused, 1, UINT64_MAX, TBUS_WAIT_PARK);
}

static bool all_park(tbus_bus_t *bus)
{
    bool all = true;
    for (uint32_t owner = 1; owner <= 3; owner++)
        all &= tbus_load_relaxed_u64(&tbus_participant(bus, owner)->parks) > 0;
    return all;
}

static void processes_that_spin_sleep_once_they_have_wound_down(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus();
    pid_t children[3];
    for (unsigned i = 0; i < 3; i++)
        if ((children[i] = fork()) == 0)
            process(&bus, i, i + 1, 1000, TBUS_WAIT_SPIN, false);
    for (uint32_t owner = 1; owner <= 3; owner++)
        wait_state(&bus, owner, TBUS_READY);
    command(&bus, TBUS_CMD_RUN);
    wait_state(&bus, 1, TBUS_DONE);
    drain(&bus);
    for (uint32_t owner = 1; owner <= 3; owner++)
        assert_int_equal(tbus_load_relaxed_u64(&tbus_participant(&bus, owner)->parks), 0);
    command(&bus, TBUS_CMD_WIND_DOWN);
    while (!all_park(&bus))
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    command(&bus, TBUS_CMD_STOP);
    for (unsigned i = 0; i < 3; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    tbus_bus_close(&bus);
}

static void a_stage_that_fails_says_why_and_a_bus_with_messages_left_is_not_quiescent(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus();
    pid_t child = fork();
    if (child == 0)
        process(&bus, 0, 3, COUNT, TBUS_WAIT_PARK, true);
    command(&bus, TBUS_CMD_RUN);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    tbus_participant_t *relay = tbus_participant(&bus, 2);
    assert_int_equal(tbus_load_relaxed_u32(&relay->state), TBUS_FAIL);
    assert_string_equal(relay->reason, "relay gives up at 777 on purpose");
    tbus_quiescence_t q = {0};
    for (unsigned i = 0; i < 5; i++)
        assert_false(tbus_bus_quiescent(&bus, &q));
    tbus_bus_close(&bus);
}

/* "a" has one publisher, whose end is told now and then; "b" has several, and what one of them has
 * claimed holds up all that comes behind it. */
static void a_stage_that_leaves_tells_its_end_gives_up_its_claims_and_its_places(void **state)
{
    (void)state;
    enum { SLOTS = 64 };
    tbus_bus_t bus = make_bus();
    toy_t source, relay, sink;
    build(&source, &bus, 0, 0, false);
    build(&relay, &bus, 1, 0, false);
    build(&sink, &bus, 2, 0, false);
    uint64_t number = 0;
    size_t bytes;
    assert_int_equal(tbus_publish_try(&source.out, &number, sizeof number), TBUS_PUBLISHED);
    assert_int_equal(tbus_ring_published(&bus.rings[0]), 0);
    assert_non_null(tbus_claim_try(&relay.out));
    tbus_publisher_t other = test_publisher(&bus.rings[1], 1);
    assert_int_equal(tbus_publish_try(&other, &number, sizeof number), TBUS_PUBLISHED);
    assert_null(tbus_peek(&sink.in, &bytes));

    tbus_stage_leave(&source.stage);
    assert_int_equal(tbus_ring_published(&bus.rings[0]), 1);
    tbus_stage_leave(&relay.stage);
    assert_non_null(tbus_peek(&sink.in, &bytes));
    tbus_stage_leave(&sink.stage);
    for (unsigned i = 0; i < 2 * SLOTS; i++) /* nobody is in the way */
        assert_int_equal(tbus_publish_try(&other, &number, sizeof number), TBUS_PUBLISHED);
    tbus_publisher_leave(&other);

    const toy_t *const toys[] = {&source, &relay, &sink};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(toys[i]->stage.publishers_count + toys[i]->stage.subscribers_count, 0);
        assert_null(toys[i]->out.ring.shared);
        assert_null(toys[i]->in.ring.shared);
    }
    tbus_stage_leave(&relay.stage); /* nothing is left to leave */
    tbus_bus_close(&bus);
}

/* What it does not watch could not wake it. */
static void a_process_with_more_rings_than_it_can_wait_for_does_not_start(void **state)
{
    (void)state;
    enum { STAGES = TBUS_WAITER_RINGS_MAX / TBUS_STAGE_RINGS_MAX + 1 };
    tbus_bus_t bus;
    tbus_error_t err = {0};
    static tbus_subscriber_t subscriber;
    static tbus_stage_t stages[STAGES];
    tbus_stage_t *list[STAGES];
    assert_int_equal(tbus_bus_create("rings", &bus, &err), 0);
    for (uint32_t i = 0; i < STAGES; i++) {
        char name[] = "s0";
        name[1] = (char)('0' + i);
        assert_int_equal(tbus_participant_add(&bus, name, &err), i + 1);
        stages[i] = (tbus_stage_t){.ops = &sink_ops, .owner = i + 1, .bus = &bus};
        snprintf(stages[i].name, sizeof stages[i].name, "%s", name);
        stages[i].subscribers_count = TBUS_STAGE_RINGS_MAX;
        for (uint32_t k = 0; k < TBUS_STAGE_RINGS_MAX; k++)
            stages[i].subscribers[k] = &subscriber;
        list[i] = &stages[i];
    }
    tbus_loop_t loop = {.bus = &bus, .stages = list, .stages_count = STAGES, .budget = 1};
    tbus_waiter_init(&loop.waiter, TBUS_WAIT_SPIN);
    assert_int_equal(tbus_loop_run(&loop), -TBUS_EFULL);
    const tbus_participant_t *last = tbus_participant(&bus, STAGES);
    assert_int_equal(tbus_load_relaxed_u32(&last->state), TBUS_FAIL);
    assert_non_null(strstr(last->reason, "stage 's3'"));
    assert_non_null(strstr(last->reason, "more than 48 rings"));
    tbus_bus_close(&bus);
}

typedef struct orphan {
    tbus_stage_t stage;
    unsigned told;
    bool wound_down_first;
} orphan_t;

static void orphan_wind_down(tbus_stage_t *stage)
{
    orphan_t *o = (orphan_t *)(void *)stage;
    o->wound_down_first = o->told == 0;
}

static int orphan_poll(tbus_stage_t *stage, uint32_t budget)
{
    (void)stage;
    (void)budget;
    return 0;
}

static void orphan_tell(void *context)
{
    ((orphan_t *)context)->told++;
}

/* What must not happen without a supervisor is stopped before anything else is done. */
static void a_process_that_lost_its_supervisor_says_so_before_it_winds_down(void **state)
{
    (void)state;
    static const tbus_stage_ops_t ops = {.poll = orphan_poll, .wind_down = orphan_wind_down};
    tbus_bus_t bus;
    tbus_error_t err = {0};
    static tbus_atomic_u32_t orphaned;
    assert_int_equal(tbus_bus_create("orphan", &bus, &err), 0);
    assert_int_equal(tbus_participant_add(&bus, "o", &err), 1);
    orphan_t o = {.stage = {.ops = &ops, .name = "o", .owner = 1, .bus = &bus}};
    tbus_stage_t *list[] = {&o.stage};
    tbus_loop_t loop = {.bus = &bus,
                        .stages = list,
                        .stages_count = 1,
                        .budget = 1,
                        .orphaned = &orphaned,
                        .on_orphaned = orphan_tell,
                        .orphaned_context = &o};
    tbus_waiter_init(&loop.waiter, TBUS_WAIT_SPIN);
    tbus_store_release_u32(&tbus_participant(&bus, 1)->command, TBUS_CMD_RUN);
    tbus_store_relaxed_u32(&orphaned, 1);
    assert_int_equal(tbus_loop_run(&loop), 0);
    assert_true(o.told > 0);
    assert_false(o.wound_down_first);
    tbus_bus_close(&bus);
}

typedef struct stalled {
    tbus_stage_t stage;
    const tbus_loop_t *loop;
    uint64_t look_ns;
    unsigned polls;
    uint64_t parks; /* of the process, when the stage was stalled no more */
} stalled_t;

static int stalled_poll(tbus_stage_t *stage, uint32_t budget)
{
    stalled_t *s = (stalled_t *)(void *)stage;
    (void)budget;
    stage->stalled = ++s->polls < 5;
    s->look_ns = tbus_clock_ns() + 10000000;
    if (!stage->stalled) {
        s->parks = s->loop->waiter.parks;
        tbus_store_release_u32(&tbus_participant(stage->bus, 1)->command, TBUS_CMD_STOP);
    }
    return 0;
}

static uint64_t stalled_deadline_ns(const tbus_stage_t *stage)
{
    return stage->stalled ? ((const stalled_t *)(const void *)stage)->look_ns
                          : TBUS_STAGE_NO_DEADLINE;
}

/* What it needs may be made by another thread on its CPU. */
static void
a_process_whose_stage_is_stalled_sleeps_until_it_looks_again_also_where_it_spins(void **state)
{
    (void)state;
    static const tbus_stage_ops_t ops = {.poll = stalled_poll, .deadline_ns = stalled_deadline_ns};
    tbus_bus_t bus;
    tbus_error_t err = {0};
    assert_int_equal(tbus_bus_create("stalled", &bus, &err), 0);
    assert_int_equal(tbus_participant_add(&bus, "s", &err), 1);
    stalled_t s = {.stage = {.ops = &ops, .name = "s", .owner = 1, .bus = &bus}};
    tbus_stage_t *list[] = {&s.stage};
    tbus_loop_t loop = {.bus = &bus, .stages = list, .stages_count = 1, .budget = 1};
    s.loop = &loop;
    tbus_waiter_init(&loop.waiter, TBUS_WAIT_SPIN);
    tbus_store_release_u32(&tbus_participant(&bus, 1)->command, TBUS_CMD_RUN);
    assert_int_equal(tbus_loop_run(&loop), 0);
    assert_int_equal(s.polls, 5);
    assert_in_range(s.parks, 1, 4);
    tbus_bus_close(&bus);
}

/* A stage that knows when it has something to do, of every ten turns in the last, and is near it in
 * the three before; and one that can wait. */
enum { CYCLE = 10, NEAR = 6, CYCLES = 50, TURNS = CYCLES * CYCLE };

typedef struct timed {
    tbus_stage_t stage;
    const tbus_stage_t *other;
    uint32_t turns;
    uint32_t turns_near; /* of those, while the other was near its time */
} timed_t;

static int timed_poll(tbus_stage_t *stage, uint32_t budget)
{
    timed_t *t = (timed_t *)stage;
    uint32_t at = t->turns++ % CYCLE;
    (void)budget;
    if (t->turns == TURNS)
        for (uint32_t owner = 1; owner <= 2; owner++)
            tbus_store_release_u32(&tbus_participant(stage->bus, owner)->command, TBUS_CMD_STOP);
    stage->imminent = at >= NEAR && at < CYCLE - 1;
    return at == CYCLE - 1;
}

static int waiting_poll(tbus_stage_t *stage, uint32_t budget)
{
    timed_t *t = (timed_t *)stage;
    (void)budget;
    t->turns++;
    t->turns_near += t->other->imminent;
    return 0;
}

static void run_timed(enum tbus_wait_mode mode, bool yields, timed_t *source, timed_t *other)
{
    static const tbus_stage_ops_t timed_ops = {.poll = timed_poll},
                                  waiting_ops = {.poll = waiting_poll};
    tbus_bus_t bus = make_bus();
    *source = (timed_t){.stage = {.ops = &timed_ops, .name = "source", .owner = 1, .bus = &bus}};
    *other = (timed_t){
        .stage = {.ops = &waiting_ops, .name = "other", .owner = 2, .bus = &bus, .yields = yields},
        .other = &source->stage};
    tbus_stage_t *stages[] = {&source->stage, &other->stage};
    tbus_loop_t loop = {.bus = &bus, .stages = stages, .stages_count = 2, .budget = 1};
    tbus_waiter_init(&loop.waiter, mode);
    command(&bus, TBUS_CMD_RUN);
    assert_int_equal(tbus_loop_run(&loop), 0);
    /* Only a turn of all of them says that there is nothing to do. */
    uint64_t quiet = tbus_load_relaxed_u64(&tbus_participant(&bus, 2)->quiet);
    uint32_t idle = other->turns - source->turns / CYCLE + 1; /* and once when it finishes */
    assert_int_equal(quiet, mode == TBUS_WAIT_YIELD ? idle : idle - other->turns_near);
    tbus_bus_close(&bus);
}

static void
a_stage_that_yields_has_no_turn_while_something_is_imminent_and_one_when_it_came(void **state)
{
    (void)state;
    timed_t source, other;
    for (unsigned mode = TBUS_WAIT_SPIN; mode <= TBUS_WAIT_PARK; mode++) {
        bool gives = mode == TBUS_WAIT_YIELD; /* the CPU to others, between any two looks */
        run_timed((enum tbus_wait_mode)mode, true, &source, &other);
        /* the turn in which it is told to stop was one of work; the loop ends with an idle one */
        assert_int_equal(source.turns, TURNS + 1);
        assert_int_equal(other.turns_near, gives ? CYCLES * (CYCLE - 1 - NEAR) : 0);
        assert_int_equal(other.turns, source.turns - (gives ? 0 : CYCLES * (CYCLE - 1 - NEAR)));
        run_timed((enum tbus_wait_mode)mode, false, &source, &other);
        assert_int_equal(other.turns, source.turns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_give_the_same_result_fused_and_split),
        cmocka_unit_test(an_endless_source_winds_down_and_everything_in_flight_arrives),
        cmocka_unit_test(processes_that_spin_sleep_once_they_have_wound_down),
        cmocka_unit_test(a_stage_that_fails_says_why_and_a_bus_with_messages_left_is_not_quiescent),
        cmocka_unit_test(a_stage_that_leaves_tells_its_end_gives_up_its_claims_and_its_places),
        cmocka_unit_test(
            a_stage_that_yields_has_no_turn_while_something_is_imminent_and_one_when_it_came),
        cmocka_unit_test(a_process_with_more_rings_than_it_can_wait_for_does_not_start),
        cmocka_unit_test(a_process_that_lost_its_supervisor_says_so_before_it_winds_down),
        cmocka_unit_test(
            a_process_whose_stage_is_stalled_sleeps_until_it_looks_again_also_where_it_spins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
