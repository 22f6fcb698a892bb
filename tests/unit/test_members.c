/* SPDX-License-Identifier: Apache-2.0 */
/* NAME.members: the way to the memory of a bus whose supervisor does not answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/program.h"
#include "tools/control/members.h"

static char runtime_path[SCRATCH_PATH_MAX];
static tbus_rundir_t dir;

static int open_directory(void **state)
{
    (void)state;
    scratch_create_runtime(runtime_path);
    return tbus_rundir_open(true, &dir, NULL);
}

static int close_directory(void **state)
{
    (void)state;
    tbus_rundir_close(&dir);
    scratch_remove_runtime(runtime_path);
    return 0;
}

/* This process, on `bus`. */
static members_t ourselves(const tbus_bus_t *bus)
{
    return (members_t){.count = 1,
                       .list[0] = {.pid = getpid(), .name = "feed+recorder"},
                       .fds_count = 1,
                       .fds[0] = bus->directory_segment.fd};
}

static void a_bus_is_mapped_through_a_process_that_has_it(void **state)
{
    (void)state;
    tbus_bus_t bus, seen;
    tbus_error_t err = {0};
    members_t read;
    void *block, *found;
    assert_int_equal(tbus_bus_create("mem", &bus, &err), 0);
    assert_int_equal(tbus_bus_add_block(&bus, "b", 64, &block, &err), 0);
    members_t written = ourselves(&bus);
    assert_int_equal(members_read(&dir, "mem", &read, &err), -TBUS_ENOTFOUND);
    assert_int_equal(members_write(&dir, "mem", &written, &err), 0);
    assert_int_equal(members_write(&dir, "mem", &written, &err), 0); /* over what was there */
    assert_int_equal(members_read(&dir, "mem", &read, &err), 0);
    assert_int_equal(read.count, 1);
    assert_int_equal(read.list[0].pid, getpid());
    assert_string_equal(read.list[0].name, "feed+recorder");
    assert_false(read.rehearses);
    assert_int_equal(read.fds_count, 1);
    assert_int_equal(read.fds[0], bus.directory_segment.fd);
    written.rehearses = true;
    assert_int_equal(members_write(&dir, "mem", &written, &err), 0);
    assert_int_equal(members_read(&dir, "mem", &read, &err), 0);
    assert_true(read.rehearses);
    assert_int_equal(read.fds[0], bus.directory_segment.fd);
    char name[TBUS_NAME_MAX];
    assert_int_equal(members_only(&dir, name, &err), 0);
    assert_string_equal(name, "mem");

    assert_int_equal(members_attach(&read, "mem", &seen, &err), 0);
    assert_int_equal(tbus_bus_find_block(&seen, "b", 64, &found, &err), 0);
    memcpy(found, "written", 8); /* for writing, too */
    assert_string_equal((const char *)block, "written");
    tbus_bus_close(&seen);
    members_remove(&dir, "mem");
    assert_int_equal(members_read(&dir, "mem", &read, &err), -TBUS_ENOTFOUND);
    tbus_bus_close(&bus);
}

static void a_process_that_has_not_this_bus_is_no_member(void **state)
{
    (void)state;
    tbus_bus_t bus;
    tbus_bus_t seen;
    tbus_error_t err = {0};
    assert_int_equal(tbus_bus_create("mem", &bus, &err), 0);
    members_t members = ourselves(&bus);
    assert_true(member_lives(&members.list[0], &members, "mem"));
    assert_false(member_lives(&members.list[0], &members, "me")); /* of another name */
    assert_false(member_lives(&members.list[0], &members, "memo"));
    members.fds[0] = STDERR_FILENO; /* the number was given to another process since */
    assert_false(member_lives(&members.list[0], &members, "mem"));
    assert_int_equal(members_attach(&members, "mem", &seen, &err), -TBUS_ENOTFOUND);
    tbus_bus_close(&bus);
}

/* A process that has the directory and one of two topics, as a stage has. Ended by killing it. */
static pid_t stage_without(const tbus_bus_t *bus, unsigned topic)
{
    int told[2];
    char byte;
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(bus->topic_segments[topic].fd);
        if (write(told[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(told[1]);
    assert_int_equal(read(told[0], &byte, 1), 1);
    close(told[0]);
    return child;
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void a_bus_is_mapped_through_stages_that_have_a_part_of_it_each(void **state)
{
    (void)state;
    tbus_bus_t bus, seen;
    tbus_error_t err = {0};
    tbus_ring_spec_t spec = {
        .name = "one", .kind = TBUS_BROADCAST, .slot_count = 64, .slot_bytes = 64};
    assert_int_equal(tbus_bus_create("mem", &bus, &err), 0);
    assert_int_equal(tbus_bus_add_topic(&bus, &spec, "tick", TBUS_PAGES_SMALL, -1, &err), 0);
    snprintf(spec.name, sizeof spec.name, "two");
    assert_int_equal(tbus_bus_add_topic(&bus, &spec, "tick", TBUS_PAGES_SMALL, -1, &err), 1);
    pid_t first = stage_without(&bus, 1), second = stage_without(&bus, 0);
    members_t members = {
        .count = 2,
        .list = {{.pid = first, .name = "feed"}, {.pid = second, .name = "risk"}},
        .fds_count = 3,
        .fds = {bus.directory_segment.fd, bus.topic_segments[0].fd, bus.topic_segments[1].fd}};
    assert_int_equal(members_attach(&members, "mem", &seen, &err), 0);
    assert_non_null(seen.rings[0].shared);
    assert_non_null(seen.rings[1].shared);
    tbus_bus_close(&seen);

    end(second); /* nobody has the second topic any more */
    assert_int_equal(members_attach(&members, "mem", &seen, &err), 0);
    assert_non_null(seen.rings[0].shared);
    assert_null(seen.rings[1].shared);
    tbus_bus_close(&seen);

    end(first);
    assert_int_equal(members_attach(&members, "mem", &seen, &err), -TBUS_ENOTFOUND);
    tbus_bus_close(&bus);
}

static void put(const char *text, size_t bytes)
{
    unlinkat(dir.fd, "bad.members", 0);
    int fd = openat(dir.fd, "bad.members", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, bytes), bytes);
    close(fd);
}

static void a_file_that_no_supervisor_writes_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "fds 3\n",
                                      "fds\n1 a\n",
                                      "fds 3\n1 a",
                                      "fds 3\n-1 a\n",
                                      "fds -3\n1 a\n",
                                      "1 a\nfds 3\n",
                                      "fds 3\n1\n",
                                      "fds 3\nx a\n",
                                      "fds 99999999\n1 a\n"};
    members_t members;
    tbus_error_t err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put(bad[i], strlen(bad[i]));
        if (members_read(&dir, "bad", &members, &err) != -TBUS_ECORRUPT)
            fail_msg("taken: %s", bad[i]);
    }
    char many[4096];
    size_t used = (size_t)snprintf(many, sizeof many, "fds 3\n");
    for (unsigned i = 0; i <= MEMBERS_MAX; i++)
        used += (size_t)snprintf(many + used, sizeof many - used, "%u x\n", i + 1);
    put(many, used);
    assert_int_equal(members_read(&dir, "bad", &members, &err), -TBUS_ECORRUPT);
    unlinkat(dir.fd, "bad.members", 0);
    assert_int_equal(mkfifoat(dir.fd, "bad.members", 0600), 0); /* it does not wait for a writer */
    assert_int_equal(members_read(&dir, "bad", &members, &err), -TBUS_ECORRUPT);
    char name[TBUS_NAME_MAX];
    assert_int_equal(members_only(&dir, name, &err), -TBUS_ENOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_bus_is_mapped_through_a_process_that_has_it,
                                        open_directory, close_directory),
        cmocka_unit_test_setup_teardown(a_process_that_has_not_this_bus_is_no_member,
                                        open_directory, close_directory),
        cmocka_unit_test_setup_teardown(a_bus_is_mapped_through_stages_that_have_a_part_of_it_each,
                                        open_directory, close_directory),
        cmocka_unit_test_setup_teardown(a_file_that_no_supervisor_writes_is_refused, open_directory,
                                        close_directory),
    };
    return cmocka_run_group_tests_name("members", tests, NULL, NULL);
}
