/* SPDX-License-Identifier: Apache-2.0 */
/* Topics of one publisher: a second one is refused while the first lives, stopped or not; a dead
 * one has a successor, and only one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/stage.h>

#include "tests/support/bus_fixture.h"

enum { FIRST = 1, SECOND = 2, HEIRS = 6, ROUNDS = 100, IN = 40, REFUSED = 41, WRONG = 42 };

static tbus_bus_t bus;

static void make_bus(enum tbus_ring_kind kind)
{
    test_bus_create(&bus, "one-publisher");
    test_topic(&bus, (tbus_ring_spec_t){.name = "t", .kind = kind, .slot_count = 64}, "number");
    for (uint32_t i = 1; i <= HEIRS + 1; i++) {
        char name[TBUS_NAME_MAX];
        snprintf(name, sizeof name, "p%u", i);
        test_participant(&bus, name, i);
    }
}

/* Join as a stage does, and publish a message. */
static int publish_as(uint32_t owner, tbus_publisher_t *out, tbus_error_t *err)
{
    tbus_stage_t stage = {.owner = owner, .bus = &bus, .name = "s"};
    int code = tbus_stage_join_publisher(&stage, "t", out, err);
    if (code == 0)
        assert_int_equal(tbus_publish_try(out, &owner, sizeof owner), TBUS_PUBLISHED);
    return code;
}

/* A process that lives as `owner`, has published, and stops itself there. */
static pid_t start(uint32_t owner)
{
    pid_t child = fork();
    if (child == 0) {
        tbus_publisher_t p;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (tbus_participant_live(&bus, owner, NULL) < 0 || publish_as(owner, &p, NULL) < 0)
            _exit(WRONG);
        raise(SIGSTOP);
        for (;;)
            pause();
    }
    int status;
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
    return child;
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static const enum tbus_ring_kind single[] = {TBUS_SPSC, TBUS_BROADCAST};
static const enum tbus_ring_kind several[] = {TBUS_MPSC, TBUS_BROADCAST_MP, TBUS_MPMC};

static void
a_second_publisher_is_refused_while_the_first_lives_and_goes_on_for_the_dead(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        tbus_publisher_t p;
        tbus_error_t err = {0};
        make_bus(single[k]);
        int life = tbus_participant_live(&bus, SECOND, NULL);
        assert_true(life >= 0);
        pid_t first = start(FIRST); /* and is stopped, which is no death */
        assert_int_equal(publish_as(SECOND, &p, &err), -EBUSY);
        assert_non_null(strstr(err.text, "topic 't'"));
        assert_non_null(strstr(err.text, "participant 'p1'"));
        kill(first, SIGCONT);
        assert_int_equal(publish_as(SECOND, &p, &err), -EBUSY);
        end(first);
        assert_int_equal(publish_as(SECOND, &p, &err), 0);
        assert_int_equal(p.seq, 3);                        /* behind the message of the dead */
        assert_int_equal(publish_as(SECOND, &p, &err), 0); /* its own right */
        tbus_publisher_flush(&p);
        assert_int_equal(tbus_ring_published(&bus.rings[0]), 3);

        /* Who comes back under the old number is the second one now. */
        pid_t back = fork();
        if (back == 0)
            _exit(tbus_participant_live(&bus, FIRST, NULL) >= 0 &&
                          publish_as(FIRST, &p, NULL) == -EBUSY
                      ? REFUSED
                      : IN);
        int status;
        assert_int_equal(waitpid(back, &status, 0), back);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), REFUSED);
        close(life);
        tbus_bus_close(&bus);
    }
}

static void a_successor_under_the_same_number_goes_on(void **state)
{
    (void)state;
    make_bus(TBUS_BROADCAST);
    for (unsigned lives = 0; lives < 3; lives++)
        end(start(FIRST));
    tbus_publisher_t p;
    int life = tbus_participant_live(&bus, FIRST, NULL);
    assert_int_equal(publish_as(FIRST, &p, NULL), 0);
    assert_int_equal(p.seq, 5);
    close(life);
    tbus_bus_close(&bus);
}

static void topics_of_several_publishers_are_everybodys(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 3; k++) {
        tbus_publisher_t p;
        make_bus(several[k]);
        int life = tbus_participant_live(&bus, SECOND, NULL);
        pid_t first = start(FIRST);
        assert_int_equal(publish_as(SECOND, &p, NULL), 0);
        end(first);
        close(life);
        tbus_bus_close(&bus);
    }
}

typedef struct pipes {
    int go[2];   /* the heirs ask all at once: when it is closed */
    int said[2]; /* what they were told: a byte each */
    int done[2]; /* they live until it is closed */
} pipes_t;

static _Noreturn void be_an_heir(const pipes_t *pipes, uint32_t owner)
{
    char x = WRONG;
    tbus_publisher_t p;
    close(pipes->go[1]);
    close(pipes->done[1]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (tbus_participant_live(&bus, owner, NULL) >= 0 && read(pipes->go[0], &x, 1) == 0) {
        int code = publish_as(owner, &p, NULL);
        x = code == 0 ? IN : code == -EBUSY ? REFUSED : WRONG;
    }
    if (write(pipes->said[1], &x, 1) != 1)
        _exit(WRONG);
    _exit(read(pipes->done[0], &x, 1) != 0);
}

static void of_many_that_want_to_succeed_the_dead_one_does(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        pipes_t pipes;
        unsigned in = 0, refused = 0;
        make_bus(TBUS_SPSC);
        assert_true(pipe(pipes.go) == 0 && pipe(pipes.said) == 0 && pipe(pipes.done) == 0);
        end(start(FIRST));
        for (uint32_t i = 0; i < HEIRS; i++)
            if (fork() == 0)
                be_an_heir(&pipes, SECOND + i);
        close(pipes.go[0]);
        close(pipes.go[1]);
        for (unsigned i = 0; i < HEIRS; i++) {
            char told = WRONG;
            assert_int_equal(read(pipes.said[0], &told, 1), 1);
            in += told == IN;
            refused += told == REFUSED;
        }
        close(pipes.done[0]);
        close(pipes.done[1]);
        while (wait(NULL) > 0) {
        }
        close(pipes.said[0]);
        close(pipes.said[1]);
        assert_int_equal(in, 1);
        assert_int_equal(refused, HEIRS - 1);
        tbus_bus_close(&bus);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_second_publisher_is_refused_while_the_first_lives_and_goes_on_for_the_dead),
        cmocka_unit_test(a_successor_under_the_same_number_goes_on),
        cmocka_unit_test(topics_of_several_publishers_are_everybodys),
        cmocka_unit_test(of_many_that_want_to_succeed_the_dead_one_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
