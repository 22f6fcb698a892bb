/* SPDX-License-Identifier: Apache-2.0 */
/* What busctl ipc leaves behind when it is interrupted or killed: nothing, at the latest after its
 * next run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/tmpdir.h"
#include "tools/measure/host.h"
#include "tools/ipc/measure.h"

#define MS UINT64_C(1000000)

static void note_signal(int signal_number)
{
    (void)signal_number;
}

static void a_signal_ends_the_measurement_and_nothing_is_left(void **state)
{
    (void)state;
    const ipc_mechanism_t *mechanisms[] = {ipc_mechanism_find("posix_mq"),
                                           ipc_mechanism_find("fifo"), NULL};
    struct sigaction before;
    struct sigaction noted = {.sa_handler = note_signal};
    sigset_t mask;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaction(SIGTERM, &noted, &before);
    sigprocmask(SIG_BLOCK, &set, &mask);
    pid_t nudger = fork();
    if (nudger == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (entries_in(scratch) == 0) /* nothing has begun yet */
            sched_yield();
        kill(getppid(), SIGTERM);
        _exit(0);
    }
    ipc_plan_t plan = {.mechanisms = mechanisms,
                       .message_bytes = 64,
                       .cpus_count = 1,
                       .duration_ns = 600000 * MS,
                       .rounds = 1};
    ipc_measurement_t m;
    ipc_leftovers_t leftovers;
    tbus_error_t err = {0};
    host_pick_cpus(plan.cpus, &plan.one_cpu_why);
    assert_int_equal(ipc_leftovers_open(&leftovers, &err), 0);
    assert_int_equal(ipc_measure(&plan, &leftovers, NULL, &m, &err), -EINTR);
    ipc_leftovers_close(&leftovers);
    ipc_measurement_free(&m);
    assert_int_equal(waitpid(nudger, NULL, 0), nudger);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    sigaction(SIGTERM, &before, NULL);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(entries_in(scratch), 0);
}

static int open_hanging(ipc_session_t *s, tbus_error_t *err)
{
    (void)s;
    (void)err;
    while (pause() != 0) { /* returns only when a signal was caught, and none is */
    }
    return 0;
}

/* A run that gets stuck in its first trial, its objects made. */
static pid_t start_stuck_run(const char *name)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ipc_mechanism_t stuck = *ipc_mechanism_find(name);
    stuck.open = open_hanging;
    ipc_leftovers_t leftovers;
    ipc_trial_spec_t spec = {.mechanism = &stuck, .message_bytes = 64, .duration_ns = 600000 * MS};
    ipc_trial_result_t result;
    if (ipc_leftovers_open(&leftovers, NULL) == 0)
        ipc_trial_run(&spec, &leftovers, ipc_trial_area_new(), &result, NULL);
    _exit(1);
}

static bool object_exists(const char *mechanism, const char *object)
{
    if (strcmp(mechanism, "sysv_mq") == 0)
        return msgget((key_t)atoi(object), 0) >= 0;
    if (strcmp(mechanism, "sysv_sem") == 0)
        return semget((key_t)atoi(object), 0, 0) >= 0;
    mqd_t queue = mq_open(object, O_RDONLY);
    if (queue != (mqd_t)-1)
        mq_close(queue);
    return queue != (mqd_t)-1;
}

/* The objects that runs in the scratch directory have written down: how many there are; the last
 * one's name. */
static int recorded_objects(const char *mechanism, char *out_object, size_t bytes)
{
    char command[128];
    char line[128];
    int count = 0;
    snprintf(command, sizeof command, "cat %s/busctl-ipc.*/objects 2>/dev/null", scratch);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    while (fgets(line, sizeof line, p)) {
        size_t name = strlen(mechanism);
        assert_int_equal(strncmp(line, mechanism, name), 0);
        line[strcspn(line, "\n")] = '\0';
        snprintf(out_object, bytes, "%s", line + name + 1);
        count++;
    }
    pclose(p);
    return count;
}

static void what_a_killed_run_left_is_removed_by_the_next(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int objects;
    } kinds[] = {{"posix_mq", 2}, {"sysv_mq", 2}, {"sysv_sem", 1}};
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* its children become ours: so we see them end */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char object[64] = "";
        pid_t run = start_stuck_run(kinds[i].name);
        while (recorded_objects(kinds[i].name, object, sizeof object) < kinds[i].objects ||
               !object_exists(kinds[i].name, object))
            assert_int_equal(waitpid(run, NULL, WNOHANG), 0);
        /* it lives: not ours to remove */
        assert_int_equal(ipc_leftovers_sweep(ipc_mechanism_remove_leftover, NULL), 0);
        assert_true(object_exists(kinds[i].name, object));

        kill(run, SIGKILL);
        while (waitpid(-1, NULL, 0) >
               0) { /* the run, and the two that it started: they die with it */
        }
        assert_true(object_exists(kinds[i].name, object));
        assert_int_equal(ipc_leftovers_sweep(ipc_mechanism_remove_leftover, NULL), 1);
        assert_false(object_exists(kinds[i].name, object));
        assert_int_equal(entries_in(scratch), 0);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void a_list_that_ends_in_half_a_line_and_an_unknown_name_do_no_harm(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/busctl-ipc.abcdef", scratch);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/busctl-ipc.abcdef/objects", scratch);
    static const char text[] = "carrier_pigeon 7\nsysv_mq 12345678\nsysv_sem 123";
    assert_true(file_write(path, text, sizeof text - 1));
    assert_int_equal(ipc_leftovers_sweep(ipc_mechanism_remove_leftover, NULL), 1);
    assert_int_equal(entries_in(scratch), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_signal_ends_the_measurement_and_nothing_is_left,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(what_a_killed_run_left_is_removed_by_the_next,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(
            a_list_that_ends_in_half_a_line_and_an_unknown_name_do_no_harm, enter_scratch,
            leave_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
