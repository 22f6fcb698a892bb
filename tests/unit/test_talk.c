/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/run/talk.h"

static talk_t talk; /* large */
static int own_stderr;

static void speak_to(int fd)
{
    own_stderr = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    talk_open(&talk);
}

static void speak_no_more(void)
{
    dup2(own_stderr, STDERR_FILENO);
    close(own_stderr);
}

/* All that can be read now; to be freed. */
static char *heard(int fd)
{
    char *text = calloc(1, 4 * TALK_BYTES_MAX);
    size_t used = 0;
    ssize_t got;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while ((got = read(fd, text + used, 4 * TALK_BYTES_MAX - 1 - used)) > 0)
        used += (size_t)got;
    return text;
}

/* Talk until the queue is full, and once more. Nothing here may wait for a reader. */
static unsigned talk_until_lines_are_dropped(void)
{
    unsigned lines = 0;
    while (!talk.dropped)
        talk_line(&talk, false, "line %u", lines++);
    return lines - 1;
}

static void expect_all_of_them(const char *text, unsigned lines, const char *last)
{
    char line[32];
    const char *at = text;
    for (unsigned i = 0; i < lines; i++) {
        snprintf(line, sizeof line, "line %u\n", i);
        if (strncmp(at, line, strlen(line)) != 0)
            fail_msg("line %u is not where it should be", i);
        at += strlen(line);
    }
    assert_string_equal(at, last);
}

static void what_nobody_takes_is_kept_then_dropped_and_counted(int reader, int writer)
{
    speak_to(writer);
    unsigned lines = talk_until_lines_are_dropped();
    assert_true(lines > TALK_BYTES_MAX / 16);
    talk_line(&talk, false, "one more");
    assert_int_equal(talk.dropped, 2);
    assert_true(talk_waits(&talk));

    char *first = heard(reader);
    talk_flush(&talk);
    char *second = heard(reader);
    talk_flush(&talk);
    talk_line(&talk, false, "there again");
    talk_close(&talk);
    char *third = heard(reader);
    char *all = calloc(1, strlen(first) + strlen(second) + strlen(third) + 1);
    strcat(strcat(strcat(all, first), second), third);
    speak_no_more();
    expect_all_of_them(all, lines, "(2 lines were dropped: nobody took them)\nthere again\n");
    assert_int_equal(talk.dropped_ever, 2);
    free(first);
    free(second);
    free(third);
    free(all);
}

static void a_full_pipe_never_keeps_the_talker_waiting(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    what_nobody_takes_is_kept_then_dropped_and_counted(fds[0], fds[1]);
    /* The description that others share is as it was. */
    assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
    close(fds[0]);
    close(fds[1]);
}

static void a_full_socket_never_keeps_the_talker_waiting(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    what_nobody_takes_is_kept_then_dropped_and_counted(fds[0], fds[1]);
    close(fds[0]);
    close(fds[1]);
}

static void a_terminal_that_is_stopped_never_keeps_the_talker_waiting(void **state)
{
    (void)state;
    int controller = posix_openpt(O_RDWR | O_NOCTTY);
    if (controller < 0 || grantpt(controller) < 0 || unlockpt(controller) < 0)
        skip();
    int terminal = open(ptsname(controller), O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    speak_to(terminal);
    talk_until_lines_are_dropped(); /* nobody reads the controlling side */
    assert_true(talk_waits(&talk));
    talk_close(&talk); /* which does not wait for ever either */
    speak_no_more();
    close(terminal);
    close(controller);
}

static void a_file_is_written_to_where_it_stands(void **state)
{
    (void)state;
    char path[] = "/tmp/tickbus-talk-XXXXXX", text[64];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "before\n", 7), 7);
    speak_to(fd);
    talk_line(&talk, false, "after");
    talk_close(&talk);
    speak_no_more();
    ssize_t bytes = pread(fd, text, sizeof text, 0);
    assert_int_equal(bytes, 13);
    assert_memory_equal(text, "before\nafter\n", 13);
    close(fd);
    unlink(path);
}

static void a_reader_that_is_gone_is_no_reason_to_wait_or_die(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    speak_to(fds[1]);
    close(fds[0]);
    talk_line(&talk, false, "to nobody");
    assert_false(talk_waits(&talk));
    talk_close(&talk);
    speak_no_more();
    close(fds[1]);
}

static void a_line_that_is_too_long_is_cut_and_ends(void **state)
{
    (void)state;
    int fds[2];
    char line[2 * TALK_LINE_MAX];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = 0;
    assert_int_equal(pipe(fds), 0);
    speak_to(fds[1]);
    talk_line(&talk, true, "%s", line);
    talk_close(&talk);
    speak_no_more();
    char *text = heard(fds[0]);
    assert_int_equal(strlen(text), TALK_LINE_MAX - 1);
    assert_true(text[2] == ':' && text[5] == ':' && text[8] == '.' && text[12] == ' ');
    assert_int_equal(text[TALK_LINE_MAX - 2], '\n');
    free(text);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as busctl has it */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_pipe_never_keeps_the_talker_waiting),
        cmocka_unit_test(a_full_socket_never_keeps_the_talker_waiting),
        cmocka_unit_test(a_terminal_that_is_stopped_never_keeps_the_talker_waiting),
        cmocka_unit_test(a_file_is_written_to_where_it_stands),
        cmocka_unit_test(a_reader_that_is_gone_is_no_reason_to_wait_or_die),
        cmocka_unit_test(a_line_that_is_too_long_is_cut_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
