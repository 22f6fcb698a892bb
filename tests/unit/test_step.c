/* SPDX-License-Identifier: Apache-2.0 */
/* Stages of one process that go in step (stage.h): whatever else happens meanwhile, each takes what
 * the first took, in turn. Everything happens in this one thread: other processes are played by the
 * stages' own polls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <tickbus/stage.h>

#include "tests/support/bus_fixture.h"

enum { STAGES = 3, RING = 16, LOG_MAX = 4096, POLLS_MAX = 1000000 };

/* Of the loop: how many rounds it may have in a row. The tests hold for any. */
static uint32_t budget;

/* Of what the stages put out: what fits a slot, or takes several; those only one of them can put
 * out. */
static uint32_t message_bytes = sizeof(uint64_t);
enum { LONG_BYTES = 130 }; /* three slots */

typedef struct world world_t;

/* A stage that logs what it takes from `md`, and puts out `burst` messages for each. */
typedef struct actor {
    tbus_stage_t stage;
    world_t *world;
    unsigned number;
    tbus_subscriber_t md;
    tbus_subscriber_t back; /* of the first stage alone: what the others put out */
    tbus_publisher_t out;
    unsigned burst;
    unsigned owed; /* messages that found no room yet */
} actor_t;

struct world {
    tbus_bus_t bus;
    actor_t actors[STAGES];
    tbus_publisher_t source;    /* of md: fed by polls, as another process would at any moment */
    tbus_subscriber_t outsider; /* of back: reads only when a poll lets it */
    unsigned to_feed;
    unsigned fed_by; /* the stage in whose poll messages arrive */
    unsigned polls;
    unsigned outsider_every; /* the outsider reads one message every so many polls */
    unsigned last;           /* stop when the last stage has taken so many */
    char log[LOG_MAX];
    size_t logged;
};

static void note(world_t *w, const char *format, unsigned who, unsigned long long what)
{
    w->logged += (size_t)snprintf(w->log + w->logged, sizeof w->log - w->logged, format, who, what);
    assert_true(w->logged < sizeof w->log);
}

static void put_out(actor_t *a)
{
    const unsigned char message[LONG_BYTES] = {0};
    while (a->owed && tbus_publish_try(&a->out, message, message_bytes) == TBUS_PUBLISHED)
        a->owed--;
    a->stage.pending = a->owed != 0;
}

static void others_go_on(world_t *w, unsigned stage)
{
    size_t bytes;
    uint64_t message = 0;
    if (stage == w->fed_by && w->to_feed &&
        tbus_publish_try(&w->source, &message, sizeof message) == TBUS_PUBLISHED)
        w->to_feed--;
    assert_true(w->polls < POLLS_MAX); /* else they wait for one another */
    if (++w->polls % w->outsider_every == 0 && tbus_peek(&w->outsider, &bytes)) {
        tbus_advance(&w->outsider);
        tbus_subscriber_flush(&w->outsider);
    }
}

static int actor_poll(tbus_stage_t *stage, uint32_t ticks_max)
{
    actor_t *a = (actor_t *)stage;
    size_t bytes;
    int work = 0;
    others_go_on(a->world, a->number);
    if (a->owed)
        put_out(a);
    for (; a->number == 0 && tbus_peek(&a->back, &bytes); work++) {
        note(a->world, "%u<%llu ", a->number, (unsigned long long)a->back.seq);
        tbus_advance(&a->back);
    }
    for (; ticks_max && !a->owed && tbus_peek(&a->md, &bytes); ticks_max--, work++) {
        note(a->world, "%u:%llu ", a->number, (unsigned long long)a->md.seq);
        a->owed = a->burst;
        put_out(a);
        tbus_advance(&a->md);
    }
    if (a->number == STAGES - 1 && tbus_subscriber_consumed(&a->md) == a->world->last && !a->owed)
        for (uint32_t owner = 1; owner <= STAGES; owner++)
            tbus_store_release_u32(&tbus_participant(&a->world->bus, owner)->command,
                                   TBUS_CMD_STOP);
    return work;
}

static const tbus_stage_ops_t actor_ops = {.poll = actor_poll};

static void add_topic(tbus_bus_t *bus, const char *name, enum tbus_ring_kind kind,
                      const char *const *readers)
{
    tbus_ring_spec_t spec = {.kind = kind, .slot_count = RING};
    if (message_bytes == LONG_BYTES && kind == TBUS_BROADCAST)
        spec.msg_bytes_max = LONG_BYTES;
    snprintf(spec.name, sizeof spec.name, "%s", name);
    test_topic(bus, spec, "number");
    for (; *readers; readers++)
        test_reserve(bus, name, *readers, TBUS_SUBSCRIBER);
}

/* Run three stages over `messages` of md; the second puts out `burst` for each. The log goes to
 * out_log. */
static void run(world_t *w, unsigned messages, unsigned burst, unsigned fed_by,
                unsigned outsider_every)
{
    static const char *const md_readers[] = {"0", "1", "2", NULL};
    static const char *const back_readers[] = {"0", "outsider", NULL};
    memset(w, 0, sizeof *w);
    w->to_feed = w->last = messages;
    w->fed_by = fed_by;
    w->outsider_every = outsider_every;
    assert_int_equal(tbus_bus_create("step", &w->bus, NULL), 0);
    add_topic(&w->bus, "md", TBUS_BROADCAST, md_readers);
    bool lengthy = message_bytes == LONG_BYTES;
    add_topic(&w->bus, "back", lengthy ? TBUS_BROADCAST : TBUS_BROADCAST_MP, back_readers);
    tbus_stage_t *stages[STAGES];
    for (unsigned i = 0; i < STAGES; i++) {
        actor_t *a = &w->actors[i];
        char name[2] = {(char)('0' + i), 0};
        a->stage.ops = &actor_ops;
        a->stage.bus = &w->bus;
        a->stage.owner = (uint32_t)tbus_participant_add(&w->bus, name, NULL);
        snprintf(a->stage.name, sizeof a->stage.name, "%s", name);
        a->world = w;
        a->number = i;
        a->burst = i == 1 ? burst : 0;
        assert_int_equal(tbus_stage_join_subscriber(&a->stage, "md", name, &a->md, NULL), 0);
        if (i == 0)
            assert_int_equal(tbus_stage_join_subscriber(&a->stage, "back", name, &a->back, NULL),
                             0);
        else if (i == 1 || !lengthy)
            assert_int_equal(tbus_stage_join_publisher(&a->stage, "back", &a->out, NULL), 0);
        tbus_store_relaxed_u32(&tbus_participant(&w->bus, a->stage.owner)->command, TBUS_CMD_RUN);
        stages[i] = &a->stage;
    }
    assert_int_equal(tbus_publisher_join(tbus_bus_ring(&w->bus, "md"), 9, &w->source, NULL), 0);
    assert_int_equal(
        tbus_subscriber_join(tbus_bus_ring(&w->bus, "back"), "outsider", 9, &w->outsider, NULL), 0);
    tbus_loop_t loop = {.bus = &w->bus,
                        .stages = stages,
                        .stages_count = STAGES,
                        .budget = budget,
                        .step_count = STAGES};
    tbus_waiter_init(&loop.waiter, TBUS_WAIT_SPIN);
    assert_int_equal(tbus_loop_run(&loop), 0);
    for (unsigned i = 0; i < STAGES; i++) {
        tbus_subscriber_leave(&w->actors[i].md);
        tbus_subscriber_leave(&w->actors[i].back);
    }
    tbus_subscriber_leave(&w->outsider);
    tbus_bus_close(&w->bus);
}

static void a_tick_that_comes_in_between_waits_for_the_first_stage(void **state)
{
    (void)state;
    world_t w;
    for (unsigned fed_by = 0; fed_by < STAGES; fed_by++) {
        run(&w, 4, 0, fed_by, 1);
        assert_string_equal(w.log, "0:1 1:1 2:1 0:2 1:2 2:2 0:3 1:3 2:3 0:4 1:4 2:4 ");
    }
}

static void a_slow_reader_elsewhere_changes_nothing_in_what_is_seen_when(void **state)
{
    (void)state;
    world_t fast, slow;
    run(&fast, 12, 5, 0, 1);
    for (unsigned every = 2; every < 40; every += 3) {
        run(&slow, 12, 5, 0, every);
        assert_string_equal(slow.log, fast.log);
    }
    /* Five messages of the second stage before the third has its turn, and the first reads them in
     * the next step. */
    assert_int_equal(strncmp(fast.log, "0:1 1:1 2:1 0<1 0<2 0<3 0<4 0<5 0:2 ", 36), 0);
}

static void fill_their_own_ring(void)
{
    world_t w;
    run(&w, 3, 3 * RING, 0, 1);
    unsigned read = 0;
    for (const char *at = w.log; (at = strstr(at, "0<")) != NULL; at++)
        read++;
    assert_true(read >= 2 * 3 * RING); /* the last burst may be left when it stops */
    const char *order[] = {"0:1 ", "1:1 ", "2:1 ", "0:2 ", "1:2 ", "2:2 ", "0:3 ", "1:3 ", "2:3 "};
    const char *at = w.log;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        at = strstr(at, order[i]);
        assert_non_null(at);
    }
}

static void stages_that_fill_their_own_ring_make_room_and_do_not_wait_for_ever(void **state)
{
    (void)state;
    fill_their_own_ring();
}

/* A slot may be free, and be too little. */
static void so_they_do_when_a_message_takes_several_slots(void **state)
{
    (void)state;
    message_bytes = LONG_BYTES;
    fill_their_own_ring();
}

static int short_messages_again(void **state)
{
    (void)state;
    message_bytes = sizeof(uint64_t);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tick_that_comes_in_between_waits_for_the_first_stage),
        cmocka_unit_test(a_slow_reader_elsewhere_changes_nothing_in_what_is_seen_when),
        cmocka_unit_test(stages_that_fill_their_own_ring_make_room_and_do_not_wait_for_ever),
        cmocka_unit_test_teardown(so_they_do_when_a_message_takes_several_slots,
                                  short_messages_again),
    };
    static const uint32_t budgets[] = {1, 7, 64};
    int failed = 0;
    for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
        budget = budgets[i];
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
