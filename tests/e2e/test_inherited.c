/* SPDX-License-Identifier: Apache-2.0 */
/* What a parent may leave to its child: ignored and blocked signals, limits, a mask, a directory
 * that is gone. busctl works with all of it, or says in words what it cannot work with. And nobody
 * who does not read what it says can keep it from its work. */
#include "tests/e2e/running_bus.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>

/* --- what is left to the child */

static void ignore_interrupts(void)
{
    signal(SIGINT, SIG_IGN);
}
static void ignore_hangups(void)
{
    signal(SIGHUP, SIG_IGN);
}
static void ignore_children(void)
{
    signal(SIGCHLD, SIG_IGN);
}
static void block_all_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}
static void mask_all_permissions(void)
{
    umask(0777);
}
static void stand_in_a_directory_that_is_gone(void)
{
    char path[] = "/tmp/tickbus-gone-XXXXXX";
    if (!mkdtemp(path) || chdir(path) < 0 || rmdir(path) < 0)
        _exit(99);
}
static void limit(int resource, rlim_t most)
{
    struct rlimit both = {most, most};
    if (setrlimit(resource, &both) < 0)
        _exit(99);
}
static void keep_files_small(void)
{
    limit(RLIMIT_FSIZE, 100 << 10);
}
static void keep_the_stack_small(void)
{
    limit(RLIMIT_STACK, 64 << 10);
}
static void make_the_stack_small_at_first(void)
{
    struct rlimit stack = {64 << 10, RLIM_INFINITY};
    if (setrlimit(RLIMIT_STACK, &stack) < 0)
        _exit(99);
}
static void keep_descriptors_few(void)
{
    limit(RLIMIT_NOFILE, 20);
}

static void a_run_works_with_what_it_inherits_or_says_what_it_cannot_work_with(void **state)
{
    fixture_t *f = *state;
    static const struct {
        void (*in_child)(void);
        int exit_code;
        const char *says; /* on stderr; NULL: nothing in particular */
    } cases[] = {
        {ignore_children, 0, NULL},
        {mask_all_permissions, 0, NULL},
        {stand_in_a_directory_that_is_gone, 0, NULL},
        {make_the_stack_small_at_first, 0, NULL},
        {keep_files_small, 1, "raise the file size limit (ulimit -f)"},
        {keep_the_stack_small, 1, "the stack may have 64 KiB (ulimit -s), and 1024 are needed"},
        {keep_descriptors_few, 1, "raise the limit of open files (ulimit -n)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const argv[] = {TICKBUS_BUSCTL, "start",   "--name", f->bus,
                                    SHORT_FEED,     "--pages", "small",  NULL};
        program_t p = {.argv = argv, .in_child = cases[i].in_child};
        if (program_run(&p) != cases[i].exit_code)
            fail_msg("case %zu: exit code %d: %s", i, p.exit_code, p.err);
        if (cases[i].says)
            assert_text_holds(p.err, cases[i].says);
        program_clear(&p);
        assert_int_equal(files_in_run_directory(f), 0);
    }
}

static void signals_that_were_ignored_stay_ignored(void **state)
{
    fixture_t *f = *state;
    static const struct {
        void (*in_child)(void);
        int signal;
    } cases[] = {{ignore_interrupts, SIGINT}, {ignore_hangups, SIGHUP}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const argv[] = {TICKBUS_BUSCTL, "start", "--name", f->bus, ENDLESS_FEED, NULL};
        program_clear(&f->start);
        f->start = (program_t){.argv = argv, .in_child = cases[i].in_child};
        assert_true(program_start(&f->start));
        json_t *summary = wait_for(f, 100);
        uint64_t messages = number(summary, "feed", "messages");
        json_decref(summary);
        kill(f->start.pid, cases[i].signal);
        json_decref(wait_for(f, (unsigned)messages + 2000)); /* it goes on */
        kill(f->start.pid, SIGTERM);
        assert_ended_with(f, 0);
        assert_text_holds(f->start.err, "draining");
    }
}

static void signals_that_were_blocked_are_heard(void **state)
{
    fixture_t *f = *state;
    const char *const argv[] = {TICKBUS_BUSCTL, "start", "--name", f->bus, ENDLESS_FEED, NULL};
    f->start = (program_t){.argv = argv, .in_child = block_all_signals};
    assert_true(program_start(&f->start));
    json_decref(wait_for(f, 100));
    kill(f->start.pid, SIGINT);
    assert_ended_with(f, 0);
}

static void an_export_that_cannot_grow_leaves_nothing_behind(void **state)
{
    fixture_t *f = *state;
    char journal[128], file[128], part[140];
    snprintf(journal, sizeof journal, "%s/j", f->runtime);
    snprintf(file, sizeof file, "%s/x.itch", f->runtime);
    snprintf(part, sizeof part, "%s.part", file);
    assert_int_equal(run(f, "start", SHORT_FEED, "--journal", journal, NULL), 0);
    const char *const argv[] = {TICKBUS_BUSCTL, "journal", "export", journal, "--topic", "md",
                                "--format",     "itch",    "-o",     file,    NULL};
    program_t p = {.argv = argv, .in_child = keep_files_small};
    assert_int_equal(program_run(&p), 1);
    assert_text_holds(p.err, "File too large");
    assert_int_equal(access(file, F_OK), -1);
    assert_int_equal(access(part, F_OK), -1);
    program_clear(&p);
}

/* --- nobody reads what it says */

/* The child's stderr: a terminal that was stopped, or a pipe that is full. */
static int unread_fd;

static void speak_to_nobody(void)
{
    dup2(unread_fd, STDERR_FILENO);
}

static void nobody_who_reads_nothing_keeps_it_from_its_work(fixture_t *f)
{
    const char *const argv[] = {TICKBUS_BUSCTL, "start", "--name", f->bus, ENDLESS_FEED, NULL};
    program_clear(&f->start);
    f->start = (program_t){.argv = argv, .in_child = speak_to_nobody};
    assert_true(program_start(&f->start));
    json_t *summary = wait_for(f, 100);
    /* Something to say, again and again: more than pipe and queue can hold. */
    for (int i = 0; i < 400; i++) {
        kill(f->start.pid, SIGUSR1);
        json_decref(ask(f, "status", NULL));
    }
    json_decref(ask(f, "risk.halt", json_pack("{s:s}", "reason", "nobody reads")));
    json_decref(summary);
    summary = ask(f, "status", NULL);
    assert_true(json_is_true(json_object_get(json_object_get(summary, "risk"), "halted")));
    json_decref(summary);
    kill(f->start.pid, SIGTERM);
    assert_ended_with(f, 0);
}

static void a_full_pipe_does_not_hold_the_supervisor_up(void **state)
{
    int fds[2];
    char filling[4096] = {0};
    assert_int_equal(pipe(fds), 0);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    while (write(fds[1], filling, sizeof filling) > 0) {
    }
    fcntl(fds[1], F_SETFL, 0); /* as a shell leaves it */
    unread_fd = fds[1];
    nobody_who_reads_nothing_keeps_it_from_its_work(*state);
    close(fds[0]);
    close(fds[1]);
}

static void a_stopped_terminal_does_not_hold_the_supervisor_up(void **state)
{
    int controller = posix_openpt(O_RDWR | O_NOCTTY);
    if (controller < 0 || grantpt(controller) < 0 || unlockpt(controller) < 0)
        skip();
    int terminal = open(ptsname(controller), O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    assert_int_equal(tcflow(terminal, TCOOFF), 0); /* Ctrl-S */
    unread_fd = terminal;
    nobody_who_reads_nothing_keeps_it_from_its_work(*state);
    close(terminal);
    close(controller);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_run_works_with_what_it_inherits_or_says_what_it_cannot_work_with),
        TEST(signals_that_were_ignored_stay_ignored),
        TEST(signals_that_were_blocked_are_heard),
        TEST(an_export_that_cannot_grow_leaves_nothing_behind),
        TEST(a_full_pipe_does_not_hold_the_supervisor_up),
        TEST(a_stopped_terminal_does_not_hold_the_supervisor_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
