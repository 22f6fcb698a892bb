/* SPDX-License-Identifier: Apache-2.0 */
/* Joining a bus, its ends of topics, and waiting on them, on a bus of this process and its
 * children. test_open_door.c comes in by the socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/tickbus.h>

#include "tools/measure/process_state.h"

#define SECOND_NS UINT64_C(1000000000)

static tbus_bus_t make_bus(enum tbus_ring_kind kind)
{
    tbus_bus_t bus;
    tbus_error_t err = {0};
    tbus_ring_spec_t spec = {
        .name = "hello", .kind = kind, .slot_bytes = 64, .slot_count = 64, .first_seq = 1};
    assert_int_equal(tbus_bus_create("t", &bus, &err), 0);
    assert_int_equal(tbus_bus_add_topic(&bus, &spec, "bytes", TBUS_PAGES_SMALL, -1, &err), 0);
    return bus;
}

/* A child that runs `act` and then waits to be killed; it stands there when this returns. Its exit
 * code, if it ends by itself, fails the test. */
static pid_t start(tbus_bus_t *bus, void (*act)(tbus_bus_t *bus))
{
    int ready[2];
    char x = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        act(bus);
        if (write(ready[1], "x", 1) != 1)
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

/* In a child: the test sees its end where it waits for the byte. */
static void must(int code)
{
    if (code < 0)
        _exit(2);
}

static void publish_three(tbus_bus_t *bus)
{
    tbus_publisher_t out;
    must(tbus_bus_join(bus, "writer", NULL));
    must(tbus_bus_publisher(bus, "hello", &out, NULL));
    for (uint64_t i = 1; i <= 3; i++)
        must(tbus_publish_wait(bus, &out, &i, sizeof i, 0) == TBUS_PUBLISHED ? 0 : -1);
}

static void subscribe(tbus_bus_t *bus)
{
    tbus_subscriber_t *in = malloc(sizeof *in);
    must(tbus_bus_join(bus, "reader", NULL));
    must(tbus_bus_subscriber(bus, "hello", in, NULL));
}

static void expect_number(tbus_bus_t *bus, tbus_subscriber_t *in, uint64_t number)
{
    const void *message;
    size_t bytes;
    assert_int_equal(tbus_take_wait(bus, in, &message, &bytes, TBUS_FOREVER), TBUS_TAKEN);
    assert_int_equal(bytes, sizeof number);
    assert_memory_equal(message, &number, sizeof number);
    tbus_advance(in);
}

static void join_as_reader(tbus_bus_t *bus, tbus_subscriber_t *in)
{
    tbus_error_t err = {0};
    if (tbus_bus_join(bus, "reader", &err) < 0 || tbus_bus_subscriber(bus, "hello", in, &err) < 0)
        fail_msg("%s", err.text);
}

static void a_process_and_its_child_talk_on_a_bus_of_their_own(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    tbus_subscriber_t in;
    join_as_reader(&bus, &in);
    pid_t child = start(&bus, publish_three);
    for (uint64_t i = 1; i <= 3; i++)
        expect_number(&bus, &in, i);
    end(child);
    tbus_bus_close(&bus);
}

static void
a_subscriber_is_told_once_that_its_publisher_has_died_and_then_waits_for_the_next(void **state)
{
    (void)state;
    static const enum tbus_ring_kind kinds[] = {TBUS_SPSC, TBUS_MPSC, TBUS_BROADCAST,
                                                TBUS_BROADCAST_MP, TBUS_MPMC};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        tbus_bus_t bus = make_bus(kinds[k]);
        tbus_subscriber_t in;
        const void *message;
        size_t bytes;
        join_as_reader(&bus, &in);
        for (unsigned life = 0; life < 3; life++) {
            /* Nobody yet, or nobody again: that is no reason to go. */
            assert_int_equal(tbus_take_wait(&bus, &in, &message, &bytes, 0), TBUS_NOTHING);
            end(start(&bus, publish_three));
            for (uint64_t i = 1; i <= 3; i++)
                expect_number(&bus, &in, i); /* read out first */
            assert_int_equal(tbus_take_wait(&bus, &in, &message, &bytes, TBUS_FOREVER),
                             TBUS_NOBODY);
        }
        assert_int_equal(tbus_take_wait(&bus, &in, &message, &bytes, 5000000), TBUS_NOTHING);
        tbus_bus_close(&bus);
    }
}

static void claim_and_stop(tbus_bus_t *bus)
{
    tbus_publisher_t out;
    publish_three(bus);
    must(tbus_publisher_join(&bus->rings[0], bus->owner, &out, NULL));
    must(tbus_claim_try(&out) ? 0 : -1);
}

static void what_a_dead_publisher_had_claimed_hides_no_message_and_not_its_death(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST_MP);
    tbus_subscriber_t in;
    const void *message;
    size_t bytes;
    join_as_reader(&bus, &in);
    end(start(&bus, claim_and_stop));
    for (uint64_t i = 1; i <= 3; i++)
        expect_number(&bus, &in, i);
    assert_int_equal(tbus_take_wait(&bus, &in, &message, &bytes, TBUS_FOREVER), TBUS_NOBODY);
    assert_int_equal(tbus_load_relaxed_u64(&bus.rings[0].shared->tombs), 1);
    tbus_bus_close(&bus);
}

static void fill(tbus_bus_t *bus, tbus_publisher_t *out)
{
    tbus_error_t err = {0};
    if (tbus_bus_join(bus, "writer", &err) < 0 || tbus_bus_publisher(bus, "hello", out, &err) < 0)
        fail_msg("%s", err.text);
    for (uint64_t i = 0; i < 64; i++)
        assert_int_equal(tbus_publish_wait(bus, out, &i, sizeof i, 0), TBUS_PUBLISHED);
    assert_int_equal(tbus_publish_wait(bus, out, "x", 1, 0), TBUS_FULL);
    assert_int_equal(tbus_publish_wait(bus, out, "x", 1, 3000000), TBUS_FULL);
}

static void a_publisher_is_told_that_the_last_subscriber_of_a_full_ring_has_died(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    tbus_publisher_t out;
    pid_t child = start(&bus, subscribe);
    fill(&bus, &out);
    end(child);
    assert_int_equal(tbus_publish_wait(&bus, &out, "x", 1, TBUS_FOREVER), TBUS_NOBODY);
    assert_int_equal(tbus_publish_wait(&bus, &out, "x", 1, TBUS_FOREVER), TBUS_PUBLISHED);
    tbus_bus_close(&bus);
}

static void a_publisher_goes_on_when_one_of_two_subscribers_has_died(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    tbus_bus_t other = bus;
    tbus_publisher_t out;
    tbus_subscriber_t in;
    assert_true(tbus_bus_join(&other, "living", NULL) > 0);
    assert_int_equal(tbus_bus_subscriber(&other, "hello", &in, NULL), 0);
    pid_t child = start(&bus, subscribe);
    fill(&bus, &out);
    for (uint64_t i = 0; i < 64; i++)
        expect_number(&other, &in, i);
    assert_int_equal(tbus_publish_wait(&bus, &out, "x", 1, 0), TBUS_FULL);
    end(child);
    assert_int_equal(tbus_publish_wait(&bus, &out, "x", 1, TBUS_FOREVER), TBUS_PUBLISHED);
    other.directory_segment = (tbus_segment_t){0}; /* the memory is the first handle's */
    tbus_bus_close(&bus);
}

static void a_message_wakes_a_subscriber_that_sleeps(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    tbus_subscriber_t in;
    join_as_reader(&bus, &in);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* Its bit is there before it looks for the last time: only then does it sleep. */
        while (!tbus_load_relaxed_u32(&bus.rings[0].shared->sleepers) ||
               !process_state_is(getppid(), "S"))
            usleep(100);
        publish_three(&bus);
        for (;;)
            pause();
    }
    for (uint64_t i = 1; i <= 3; i++)
        expect_number(&bus, &in, i);
    assert_true(bus.parks > 0);
    end(child);
    tbus_bus_close(&bus);
}

static void the_next_take_gives_back_what_the_last_one_gave_out(void **state)
{
    (void)state;
    static const enum tbus_ring_kind kinds[] = {TBUS_BROADCAST, TBUS_MPMC};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        tbus_bus_t bus = make_bus(kinds[k]);
        tbus_subscriber_t in;
        const uint64_t *number;
        size_t bytes;
        join_as_reader(&bus, &in);
        pid_t child = start(&bus, publish_three);
        assert_int_equal(tbus_take_wait(&bus, &in, (const void **)&number, NULL, TBUS_FOREVER),
                         TBUS_TAKEN);
        assert_int_equal(*number, 1);
        assert_ptr_equal(tbus_peek(&in, &bytes), number); /* still ours */
        assert_int_equal(tbus_take_wait(&bus, &in, (const void **)&number, NULL, 0), TBUS_TAKEN);
        assert_int_equal(*number, 2);
        tbus_advance(&in); /* or by hand, which counts once */
        assert_int_equal(tbus_take_wait(&bus, &in, (const void **)&number, NULL, 0), TBUS_TAKEN);
        assert_int_equal(*number, 3);
        assert_int_equal(tbus_take_wait(&bus, &in, (const void **)&number, NULL, 0), TBUS_NOTHING);
        assert_int_equal(tbus_subscriber_consumed(&in), 3);
        end(child);
        tbus_bus_close(&bus);
    }
}

static void a_late_subscriber_says_from_which_sequence_on_it_has_everything(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    tbus_subscriber_t in;
    pid_t child = start(&bus, publish_three);
    join_as_reader(&bus, &in);
    assert_int_equal(in.seq, 4); /* every publish_wait says how far it is */
    end(child);
    pid_t successor = start(&bus, publish_three);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(in.seq, 3 + i);
        expect_number(&bus, &in, i);
    }
    end(successor);
    tbus_bus_close(&bus);
}

static void a_place_that_was_reserved_holds_what_came_before_its_subscriber(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    tbus_subscriber_t in;
    assert_true(tbus_ring_reserve(&bus.rings[0], "reader", TBUS_SUBSCRIBER, NULL) >= 0);
    pid_t child = start(&bus, publish_three);
    join_as_reader(&bus, &in);
    assert_int_equal(in.seq, 1);
    for (uint64_t i = 1; i <= 3; i++)
        expect_number(&bus, &in, i);
    end(child);
    tbus_bus_close(&bus);
}

static void die_while_storing_the_tail(tbus_bus_t *bus)
{
    publish_three(bus);
    tbus_ring_shared_t *shared = bus->rings[0].shared;
    tbus_store_relaxed_u64(&shared->tail_version, tbus_load_relaxed_u64(&shared->tail_version) | 1);
    tbus_store_relaxed_u64(&shared->tail, 1000);
}

static void
a_subscriber_joins_behind_a_publisher_that_died_while_it_said_how_far_it_was(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    tbus_subscriber_t in;
    end(start(&bus, die_while_storing_the_tail));
    join_as_reader(&bus, &in);
    assert_int_equal(in.seq, 4);
    assert_int_equal(tbus_load_relaxed_u32(&bus.directory->topics[0].publisher), 0);
    tbus_bus_close(&bus);
}

/* --- names and numbers */

static void join_as_writer(tbus_bus_t *bus)
{
    must(tbus_bus_join(bus, "writer", NULL));
}

static void a_name_that_somebody_alive_has_is_refused(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    tbus_error_t err = {0};
    pid_t child = start(&bus, join_as_writer);
    assert_int_equal(tbus_bus_join(&bus, "writer", &err), -TBUS_EEXISTS);
    assert_non_null(strstr(err.text, "'writer'"));
    end(child);
    assert_int_equal(tbus_bus_join(&bus, "writer", &err), 1); /* the number that it had */
    tbus_bus_close(&bus);
}

static void of_those_that_join_under_one_name_at_once_one_succeeds(void **state)
{
    (void)state;
    enum { ROUNDS = 100, MANY = 4 };
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    for (unsigned round = 0; round < ROUNDS; round++) {
        int go[2], done[2];
        assert_int_equal(pipe(go), 0);
        assert_int_equal(pipe(done), 0);
        pid_t children[MANY];
        for (unsigned i = 0; i < MANY; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                char x;
                close(go[1]);
                if (read(go[0], &x, 1) != 0)
                    _exit(1);
                int code = tbus_bus_join(&bus, "same", NULL);
                if (write(done[1], &code, sizeof code) != sizeof code)
                    _exit(1);
                for (;;)
                    pause();
            }
        }
        close(go[0]);
        close(go[1]);
        unsigned joined = 0;
        for (unsigned i = 0; i < MANY; i++) {
            int code = 0;
            assert_int_equal(read(done[0], &code, sizeof code), sizeof code);
            joined += code > 0;
            if (code <= 0)
                assert_int_equal(code, -TBUS_EEXISTS);
        }
        assert_int_equal(joined, 1);
        for (unsigned i = 0; i < MANY; i++)
            end(children[i]);
        close(done[0]);
        close(done[1]);
    }
    tbus_bus_close(&bus);
}

static void join_by_pid(tbus_bus_t *bus)
{
    char name[TBUS_NAME_MAX];
    snprintf(name, sizeof name, "p%d", (int)getpid());
    must(tbus_bus_join(bus, name, NULL));
}

static void the_dead_make_room_for_others(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    pid_t living[TBUS_PARTICIPANTS_MAX];
    for (unsigned i = 0; i < 2 * TBUS_PARTICIPANTS_MAX; i++)
        end(start(&bus, join_by_pid));
    for (unsigned i = 0; i < TBUS_PARTICIPANTS_MAX; i++)
        living[i] = start(&bus, join_by_pid);
    tbus_error_t err = {0};
    assert_int_equal(tbus_bus_join(&bus, "one more", &err), -TBUS_EFULL);
    end(living[7]);
    assert_int_equal(tbus_bus_join(&bus, "one more", &err), 8);
    for (unsigned i = 0; i < TBUS_PARTICIPANTS_MAX; i++)
        if (i != 7)
            end(living[i]);
    tbus_bus_close(&bus);
}

static void whoever_is_buried_holds_nothing_any_more(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST_MP);
    tbus_bus_t mine = bus;
    assert_true(tbus_bus_join(&mine, "undertaker", NULL) > 0);
    pid_t reader = start(&bus, subscribe);
    assert_int_equal(tbus_bus_bury(&bus, 2), -EBUSY); /* it lives */
    assert_int_equal(tbus_bus_bury(&bus, 3), -EBUSY); /* was never there */
    assert_int_equal(tbus_bus_bury_dead(&bus), 0);
    end(reader);
    assert_int_equal(tbus_bus_bury_dead(&bus), 1);
    assert_int_equal(tbus_load_relaxed_u32(&bus.rings[0].shared->subs[0].state), TBUS_SUB_VACANT);
    assert_int_equal(tbus_load_relaxed_u32(&tbus_participant(&bus, 2)->state), TBUS_VACANT);
    assert_int_equal(tbus_bus_bury_dead(&bus), 0);
    tbus_bus_close(&mine);
}

static void closing_gives_up_the_place_the_right_to_publish_and_the_number(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    tbus_bus_t reader = bus, writer = bus, next = bus;
    tbus_subscriber_t in;
    tbus_publisher_t out;
    tbus_error_t err = {0};
    const void *message;
    size_t bytes;
    join_as_reader(&reader, &in);
    assert_true(tbus_bus_join(&writer, "writer", NULL) > 0);
    assert_int_equal(tbus_bus_publisher(&writer, "hello", &out, NULL), 0);
    assert_true(tbus_bus_join(&next, "next", NULL) > 0);
    assert_int_equal(tbus_bus_publisher(&next, "hello", &out, &err), -EBUSY);
    assert_non_null(strstr(err.text, "'writer'"));
    /* The handles share one mapping, which the first to be closed must not take with it. */
    reader.directory_segment.base = writer.directory_segment.base = NULL;
    memset(reader.topic_segments, 0, sizeof reader.topic_segments);
    memset(writer.topic_segments, 0, sizeof writer.topic_segments);
    tbus_bus_close(&writer);
    assert_int_equal(tbus_take_wait(&reader, &in, &message, &bytes, TBUS_FOREVER), TBUS_NOBODY);
    assert_int_equal(tbus_bus_publisher(&next, "hello", &out, &err), 0);
    tbus_bus_close(&reader);
    assert_int_equal(tbus_load_relaxed_u32(&bus.rings[0].shared->subs[0].state), TBUS_SUB_VACANT);
    assert_int_equal(tbus_participant_alive(&bus, 1), 0);
    assert_int_equal(tbus_participant_alive(&bus, 2), 0);
    assert_int_equal(tbus_participant_alive(&bus, 3), 1);
    tbus_bus_close(&next);
}

static void a_child_is_not_the_participant_that_its_parent_is(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    assert_true(tbus_bus_join(&bus, "parent", NULL) > 0);
    pid_t child = fork();
    if (child == 0) {
        tbus_publisher_t out;
        int told = tbus_bus_publisher(&bus, "hello", &out, NULL);
        int joined = tbus_bus_join(&bus, "child", NULL);
        int after = tbus_bus_publisher(&bus, "hello", &out, NULL);
        tbus_bus_close(&bus);
        _exit(told == -TBUS_ESTALE && joined == 2 && after == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(tbus_participant_alive(&bus, 1), 1);
    tbus_bus_close(&bus);
}

static void a_participant_publishes_once_on_a_topic(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST_MP);
    tbus_publisher_t out, second;
    tbus_error_t err = {0};
    assert_true(tbus_bus_join(&bus, "writer", NULL) > 0);
    assert_int_equal(tbus_bus_publisher(&bus, "hello", &out, NULL), 0);
    assert_int_equal(tbus_bus_publisher(&bus, "hello", &second, &err), -EBUSY);
    tbus_bus_close(&bus);
}

/* --- what callers get wrong */

static void nothing_that_a_caller_gives_makes_it_crash(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    tbus_bus_t zero = {0};
    tbus_publisher_t out = {0};
    tbus_subscriber_t in = {0};
    tbus_observer_t eye = {0};
    tbus_error_t err;
    const void *message;
    _Alignas(8) unsigned char copy[64];
    size_t bytes;
    uint64_t seq, lost;
    static const char long_name[] = "a name that is longer than any name may be";

    assert_int_equal(tbus_bus_open(NULL, "me", 0, &zero, &err), -EINVAL);
    assert_int_equal(tbus_bus_open("", "me", 0, &zero, NULL), -EINVAL);
    assert_int_equal(tbus_bus_open("../etc", "me", 0, &zero, &err), -EINVAL);
    assert_int_equal(tbus_bus_open(long_name, "me", 0, &zero, &err), -EINVAL);
    assert_int_equal(tbus_bus_open("demo", NULL, 0, &zero, &err), -EINVAL);
    assert_int_equal(tbus_bus_open("demo", "", 0, &zero, &err), -EINVAL);
    assert_int_equal(tbus_bus_open("demo", "me", 0, NULL, &err), -EINVAL);
    assert_int_equal(tbus_bus_join(NULL, "me", &err), -EINVAL);
    assert_int_equal(tbus_bus_join(&zero, "me", &err), -EINVAL);
    assert_int_equal(tbus_bus_join(&bus, NULL, &err), -EINVAL);
    assert_int_equal(tbus_bus_join(&bus, "", &err), -EINVAL);
    assert_int_equal(tbus_bus_join(&bus, long_name, &err), -EINVAL);

    assert_int_equal(tbus_bus_publisher(&bus, "hello", &out, &err), -TBUS_ESTALE); /* no member */
    assert_int_equal(tbus_bus_join(&bus, "me", &err), 1);
    assert_int_equal(tbus_bus_join(&bus, "again", &err), -TBUS_EEXISTS);
    assert_int_equal(tbus_bus_publisher(NULL, "hello", &out, &err), -EINVAL);
    assert_int_equal(tbus_bus_publisher(&zero, "hello", &out, &err), -EINVAL);
    assert_int_equal(tbus_bus_publisher(&bus, NULL, &out, &err), -EINVAL);
    assert_int_equal(tbus_bus_publisher(&bus, "hello", NULL, &err), -EINVAL);
    assert_int_equal(tbus_bus_publisher(&bus, "hallo", &out, &err), -TBUS_ENOTFOUND);
    assert_non_null(strstr(err.text, "it has: hello"));
    assert_int_equal(tbus_bus_publisher(&bus, "", &out, &err), -TBUS_ENOTFOUND);
    assert_int_equal(tbus_bus_subscriber(NULL, "hello", &in, &err), -EINVAL);
    assert_int_equal(tbus_bus_subscriber(&bus, NULL, &in, &err), -EINVAL);
    assert_int_equal(tbus_bus_subscriber(&bus, "hello", NULL, &err), -EINVAL);
    assert_int_equal(tbus_bus_follower(&bus, long_name, &in, &err), -TBUS_ENOTFOUND);
    assert_int_equal(tbus_bus_observer(&bus, "hello", TBUS_FROM_NOW, NULL, &err), -EINVAL);
    assert_int_equal(tbus_bus_observer(&bus, "hello", (enum tbus_observe_from)7, &eye, &err),
                     -EINVAL);

    /* Ends that were never joined, or are of another bus. */
    assert_int_equal(tbus_publish_wait(&bus, &out, "x", 1, 0), -EINVAL);
    assert_int_equal(tbus_take_wait(&bus, &in, &message, &bytes, 0), -EINVAL);
    assert_int_equal(tbus_observe_wait(&bus, &eye, copy, &bytes, &seq, &lost, 0), -EINVAL);
    assert_int_equal(tbus_bus_publisher(&bus, "hello", &out, &err), 0);
    assert_int_equal(tbus_bus_subscriber(&bus, "hello", &in, &err), 0);
    assert_int_equal(tbus_bus_subscriber(&bus, "hello", &in, &err), -TBUS_EEXISTS);
    assert_int_equal(tbus_bus_observer(&bus, "hello", TBUS_FROM_NOW, &eye, &err), 0);
    assert_int_equal(tbus_publish_wait(NULL, &out, "x", 1, 0), -EINVAL);
    assert_int_equal(tbus_publish_wait(&bus, NULL, "x", 1, 0), -EINVAL);
    assert_int_equal(tbus_publish_wait(&bus, &out, NULL, 1, 0), -EINVAL);
    assert_int_equal(tbus_publish_wait(&bus, &out, copy, 57, 0), -TBUS_ETOOBIG);
    assert_int_equal(tbus_publish_wait(&bus, &out, copy, SIZE_MAX, 0), -TBUS_ETOOBIG);
    assert_int_equal(tbus_take_wait(NULL, &in, &message, &bytes, 0), -EINVAL);
    assert_int_equal(tbus_take_wait(&zero, &in, &message, &bytes, 0), -EINVAL);
    assert_int_equal(tbus_take_wait(&bus, NULL, &message, &bytes, 0), -EINVAL);
    assert_int_equal(tbus_take_wait(&bus, &in, NULL, &bytes, 0), -EINVAL);
    assert_int_equal(tbus_observe_wait(&bus, &eye, NULL, &bytes, &seq, &lost, 0), -EINVAL);
    assert_int_equal(tbus_publish_wait(&bus, &out, NULL, 0, 0), TBUS_PUBLISHED); /* an empty one */
    assert_int_equal(tbus_take_wait(&bus, &in, &message, &bytes, 0), TBUS_TAKEN);
    assert_int_equal(bytes, 0);
    assert_int_equal(tbus_take_wait(&bus, &in, &message, NULL, 0), TBUS_NOTHING);
    assert_null(message);

    tbus_bus_t other = make_bus(TBUS_BROADCAST);
    assert_int_equal(tbus_take_wait(&other, &in, &message, &bytes, 0), -EINVAL);
    tbus_bus_close(&other);
    assert_int_equal(tbus_bus_bury(NULL, 1), -EINVAL);
    assert_int_equal(tbus_bus_bury(&bus, 0), -EINVAL);
    assert_int_equal(tbus_bus_bury(&bus, TBUS_PARTICIPANTS_MAX + 1), -EINVAL);
    assert_int_equal(tbus_bus_bury_dead(NULL), 0);
    tbus_bus_close(&bus);
    tbus_bus_close(&bus);
    tbus_bus_close(&zero);
    tbus_bus_close(NULL);
}

/* The calls below the front door: those that are no part of the hot path. */
static void nor_below_the_front_door(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    tbus_bus_t zero = {0};
    tbus_ring_t no_ring = {0};
    tbus_ring_spec_t spec = {.name = "x", .kind = TBUS_SPSC, .slot_bytes = 64, .slot_count = 64};
    tbus_publisher_t out = {0};
    tbus_subscriber_t in = {0};
    tbus_observer_t eye = {0};
    tbus_segment_t segment;
    tbus_atomic_u64_t *counter;
    tbus_histogram_t *histogram;
    tbus_error_t err;
    assert_int_equal(tbus_bus_create(NULL, &zero, &err), -EINVAL);
    assert_int_equal(tbus_bus_create("x", NULL, &err), -EINVAL);
    assert_int_equal(tbus_bus_add_topic(NULL, &spec, "x", TBUS_PAGES_SMALL, -1, &err), -EINVAL);
    assert_int_equal(tbus_bus_add_topic(&zero, &spec, "x", TBUS_PAGES_SMALL, -1, &err), -EINVAL);
    assert_int_equal(tbus_bus_add_topic(&bus, NULL, "x", TBUS_PAGES_SMALL, -1, &err), -EINVAL);
    assert_int_equal(tbus_bus_add_topic(&bus, &spec, NULL, TBUS_PAGES_SMALL, -1, &err), -EINVAL);
    assert_int_equal(tbus_bus_attach(NULL, 1, &zero, &err), -EINVAL);
    assert_int_equal(tbus_bus_topic_index(NULL, "x"), -TBUS_ENOTFOUND);
    assert_null(tbus_bus_ring(&bus, NULL));
    assert_int_equal(tbus_bus_keep(NULL, &err), -EINVAL);
    assert_int_equal(tbus_participant_add(NULL, "x", &err), -EINVAL);
    assert_int_equal(tbus_participant_add(&bus, NULL, &err), -EINVAL);
    assert_int_equal(tbus_participant_live(&bus, 0, &err), -EINVAL);
    assert_int_equal(tbus_participant_live(&bus, 33, &err), -EINVAL);
    assert_int_equal(tbus_participant_alive(NULL, 1), -EINVAL);
    assert_int_equal(tbus_participant_take_topic(&bus, 1, 1, &err), -EINVAL);
    assert_int_equal(tbus_participant_take_topic(&bus, 0, 0, &err), -EINVAL);
    assert_int_equal(tbus_bus_heal(NULL), -EINVAL);
    assert_int_equal(tbus_counter_add(NULL, 1, "x", "y", &counter, &err), -EINVAL);
    assert_true(tbus_counter_add(&bus, 1, NULL, "y", &counter, &err) < 0);
    assert_true(tbus_counter_add(&bus, 1, "x", "y", NULL, &err) < 0);
    assert_int_equal(tbus_bus_add_histogram(NULL, "x", &histogram, &err), -EINVAL);
    assert_true(tbus_bus_add_histogram(&bus, NULL, &histogram, &err) < 0);

    assert_int_equal(tbus_ring_footprint(NULL), 0);
    assert_int_equal(tbus_ring_format(&spec, 0, NULL, &err), -EINVAL);
    assert_int_equal(tbus_ring_format(NULL, SIZE_MAX, &spec, &err), -TBUS_EGEOMETRY);
    assert_int_equal(tbus_ring_join(NULL, SIZE_MAX, true, &no_ring, &err), -TBUS_EGEOMETRY);
    assert_int_equal(tbus_ring_reserve(NULL, "x", TBUS_SUBSCRIBER, &err), -EINVAL);
    assert_int_equal(tbus_ring_reserve(&no_ring, "x", TBUS_SUBSCRIBER, &err), -EINVAL);
    assert_int_equal(tbus_ring_reserve(&bus.rings[0], NULL, TBUS_SUBSCRIBER, &err), -EINVAL);
    assert_int_equal(tbus_publisher_join(NULL, 1, &out, &err), -EINVAL);
    assert_int_equal(tbus_publisher_join(&no_ring, 1, &out, &err), -EINVAL);
    assert_int_equal(tbus_publisher_join(&bus.rings[0], 1, NULL, &err), -EINVAL);
    assert_int_equal(tbus_subscriber_join(NULL, "x", 1, &in, &err), -EINVAL);
    assert_int_equal(tbus_subscriber_join(&bus.rings[0], NULL, 1, &in, &err), -EINVAL);
    assert_int_equal(tbus_subscriber_join(&bus.rings[0], "x", 1, NULL, &err), -EINVAL);
    assert_int_equal(tbus_subscriber_join_late(&bus.rings[0], NULL, TBUS_SUBSCRIBER, 1, &in, &err),
                     -EINVAL);
    assert_int_equal(tbus_observer_join(NULL, TBUS_FROM_NOW, &eye, &err), -EINVAL);
    assert_int_equal(tbus_observer_join(&bus.rings[0], TBUS_FROM_NOW, NULL, &err), -EINVAL);
    tbus_publisher_leave(NULL);
    tbus_subscriber_leave(NULL);

    assert_int_equal(tbus_segment_create(NULL, 1, TBUS_PAGES_SMALL, -1, &segment, &err), -EINVAL);
    assert_int_equal(tbus_segment_create("x", 1, TBUS_PAGES_SMALL, -1, NULL, &err), -EINVAL);
    assert_true(tbus_segment_map(-1, false, &segment, &err) < 0);
    assert_int_equal(tbus_segment_map(-1, false, NULL, &err), -EINVAL);
    assert_int_equal(tbus_segment_reopen(NULL, false), -EINVAL);
    tbus_segment_close(NULL);
    tbus_bus_close(&bus);
}

/* --- observing */

static void an_observer_waits_for_messages_and_is_told_that_nobody_publishes(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    tbus_observer_t eye;
    _Alignas(8) unsigned char copy[64];
    size_t bytes;
    uint64_t seq = 0, lost;
    assert_int_equal(tbus_bus_observer(&bus, "hello", TBUS_FROM_NOW, &eye, NULL), 0);
    assert_int_equal(tbus_observe_wait(&bus, &eye, copy, &bytes, &seq, &lost, 2000000),
                     TBUS_NOTHING);
    pid_t child = start(&bus, publish_three);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(tbus_observe_wait(&bus, &eye, copy, &bytes, &seq, &lost, TBUS_FOREVER),
                         TBUS_TAKEN);
        assert_int_equal(seq, i);
        assert_int_equal(lost, 0);
    }
    end(child);
    assert_int_equal(tbus_observe_wait(&bus, &eye, copy, &bytes, &seq, &lost, TBUS_FOREVER),
                     TBUS_NOBODY);
    tbus_store_release_u32(&bus.directory->ended, 1);
    assert_int_equal(tbus_observe_wait(&bus, &eye, copy, &bytes, &seq, &lost, TBUS_FOREVER),
                     -TBUS_ESTOPPED);
    tbus_bus_close(&bus);
}

static void the_end_of_the_bus_ends_every_wait_once_the_ring_is_read_out(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    tbus_bus_t writer = bus;
    tbus_subscriber_t in;
    tbus_publisher_t out;
    const void *message;
    size_t bytes;
    join_as_reader(&bus, &in);
    assert_true(tbus_bus_join(&writer, "writer", NULL) > 0);
    assert_int_equal(tbus_bus_publisher(&writer, "hello", &out, NULL), 0);
    uint64_t one = 1;
    assert_int_equal(tbus_publish_wait(&writer, &out, &one, sizeof one, 0), TBUS_PUBLISHED);
    tbus_store_release_u32(&bus.directory->ended, 1);
    expect_number(&bus, &in, 1);
    assert_int_equal(tbus_take_wait(&bus, &in, &message, &bytes, TBUS_FOREVER), -TBUS_ESTOPPED);
    assert_int_equal(tbus_publish_wait(&writer, &out, &one, sizeof one, TBUS_FOREVER),
                     -TBUS_ESTOPPED);
    tbus_bus_close(&bus);
}

/* Whoever shares its CPU hands it over instead of looking again; whoever does not looks again. */
static void a_cpu_is_shared_while_another_participant_is_pinned_to_it(void **state)
{
    (void)state;
    tbus_bus_t bus = make_bus(TBUS_BROADCAST);
    tbus_subscriber_t in;
    const void *message;
    size_t bytes;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    int cpu = sched_getcpu();
    CPU_ZERO(&one);
    CPU_SET((unsigned)cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    join_as_reader(&bus, &in);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(tbus_participant(&bus, bus.owner)->cpu, cpu);

    int other = tbus_participant_add(&bus, "other", NULL);
    assert_true(other > 0);
    static const struct {
        int ahead; /* of our CPU; the same: 0 */
        bool vacant, shared;
    } rows[] = {{1, false, false}, {0, false, true}, {0, true, false}, {-1, false, false}};
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        tbus_participant_t *p = tbus_participant(&bus, (uint32_t)other);
        p->cpu = cpu + rows[i].ahead;
        tbus_store_relaxed_u32(&p->state, rows[i].vacant ? TBUS_VACANT : TBUS_RUN);
        bus.shares_cpu_ns = 0; /* the last look was long ago */
        assert_int_equal(tbus_take_wait(&bus, &in, &message, &bytes, 1), TBUS_NOTHING);
        assert_int_equal(bus.shares_cpu, rows[i].shared);
    }
    tbus_subscriber_leave(&in);
    tbus_bus_close(&bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_and_its_child_talk_on_a_bus_of_their_own),
        cmocka_unit_test(
            a_subscriber_is_told_once_that_its_publisher_has_died_and_then_waits_for_the_next),
        cmocka_unit_test(what_a_dead_publisher_had_claimed_hides_no_message_and_not_its_death),
        cmocka_unit_test(a_publisher_is_told_that_the_last_subscriber_of_a_full_ring_has_died),
        cmocka_unit_test(a_publisher_goes_on_when_one_of_two_subscribers_has_died),
        cmocka_unit_test(a_message_wakes_a_subscriber_that_sleeps),
        cmocka_unit_test(the_next_take_gives_back_what_the_last_one_gave_out),
        cmocka_unit_test(a_late_subscriber_says_from_which_sequence_on_it_has_everything),
        cmocka_unit_test(a_place_that_was_reserved_holds_what_came_before_its_subscriber),
        cmocka_unit_test(
            a_subscriber_joins_behind_a_publisher_that_died_while_it_said_how_far_it_was),
        cmocka_unit_test(a_name_that_somebody_alive_has_is_refused),
        cmocka_unit_test(of_those_that_join_under_one_name_at_once_one_succeeds),
        cmocka_unit_test(the_dead_make_room_for_others),
        cmocka_unit_test(whoever_is_buried_holds_nothing_any_more),
        cmocka_unit_test(closing_gives_up_the_place_the_right_to_publish_and_the_number),
        cmocka_unit_test(a_child_is_not_the_participant_that_its_parent_is),
        cmocka_unit_test(a_participant_publishes_once_on_a_topic),
        cmocka_unit_test(nothing_that_a_caller_gives_makes_it_crash),
        cmocka_unit_test(nor_below_the_front_door),
        cmocka_unit_test(an_observer_waits_for_messages_and_is_told_that_nobody_publishes),
        cmocka_unit_test(a_cpu_is_shared_while_another_participant_is_pinned_to_it),
        cmocka_unit_test(the_end_of_the_bus_ends_every_wait_once_the_ring_is_read_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
