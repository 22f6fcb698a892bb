/* SPDX-License-Identifier: Apache-2.0 */
/* A run whose journal has no room: it ends, or goes on without orders, as
 * journal.when_full says. */
#include "tests/e2e/running_bus.h"

#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

static char disk[SCRATCH_PATH_MAX + 8]; /* where the child has a file system of its own */

#define BALLAST_BYTES (14u << 20)

/* 16 MiB of which 2 are free. Exit code 77: it cannot be done here. */
static void mount_small_disk(void)
{
    char ballast[sizeof disk + 16];
    static const char block[1u << 20] = {1};
    snprintf(ballast, sizeof ballast, "%s/ballast", disk);
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", disk, "tmpfs", 0, "size=16m"))
        _exit(77);
    int fd = open(ballast, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    for (unsigned done = 0; done < BALLAST_BYTES; done += sizeof block)
        if (write(fd, block, sizeof block) != (ssize_t)sizeof block)
            _exit(77);
    close(fd);
}

/* Start with a journal on that disk. False: it cannot be done here. */
static bool start_on_small_disk(fixture_t *f, const char *when_full)
{
    static char journal[sizeof disk + 16], set[64];
    snprintf(disk, sizeof disk, "%s/disk", f->runtime);
    snprintf(journal, sizeof journal, "%s/journal", disk);
    snprintf(set, sizeof set, "journal.when_full=%s", when_full);
    assert_int_equal(mkdir(disk, 0755), 0);
    const char *const argv[] = {TICKBUS_BUSCTL,
                                "start",
                                "--name",
                                f->bus,
                                "--json",
                                ENDLESS_FEED,
                                "--journal",
                                journal,
                                "--set",
                                set,
                                "--set",
                                "journal.segment_bytes=524288",
                                NULL};
    memcpy(f->argv, argv, sizeof argv);
    f->start = (program_t){.argv = f->argv, .in_child = mount_small_disk};
    return program_start(&f->start);
}

static bool cannot_be_done_here(fixture_t *f)
{
    if (f->start.exit_code != 77)
        return false;
    printf("cannot mount a file system here: not root\n");
    return true;
}

/* Has the supervisor told that there is room again? */
static bool is_told(const json_t *summary)
{
    size_t i;
    const json_t *note;
    bool told = false;
    json_array_foreach(json_object_get(summary, "notes"), i, note) told |=
        strstr(json_string_value(note), "there is room for the journal again; ") != NULL;
    return told;
}

/* Until `journal.no_room` is that, and the supervisor has seen it. NULL: it has ended. To be
 * json_decref'ed. */
static json_t *await_room(fixture_t *f, uint64_t no_room)
{
    for (;;) {
        json_t *summary = ask(f, "status", NULL);
        if (json_object_get(summary, "journal") &&
            number(summary, "journal", "no_room") == no_room && is_told(summary) == !no_room &&
            json_is_true(json_object_get(json_object_get(summary, "risk"), "halted")))
            return summary;
        json_decref(summary);
        if (program_ended(&f->start))
            return NULL;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

static void a_run_that_goes_on_without_room_lets_no_order_pass_and_records_again(void **state)
{
    fixture_t *f = *state;
    char ballast[PATH_MAX];
    if (!start_on_small_disk(f, "go_on"))
        fail_msg("it cannot be started");
    json_t *full = await_room(f, 1);
    if (!full && cannot_be_done_here(f)) {
        rmdir(disk);
        skip();
    }
    assert_non_null(full);
    assert_text_holds(
        json_string_value(json_object_get(json_object_get(full, "risk"), "halt_reason")),
        "the journal has no room");
    uint64_t messages = number(full, "feed", "messages");
    uint64_t records = number(full, "journal", "records");
    json_decref(full);
    json_decref(wait_for(f, (unsigned)messages + 1000)); /* market data goes on */
    snprintf(ballast, sizeof ballast, "/proc/%d/root%s/ballast", (int)f->start.pid, disk);
    assert_int_equal(unlink(ballast), 0);
    json_t *again = await_room(f, 0);
    assert_non_null(again);
    assert_true(number(again, "journal", "missed") >= 1000);
    assert_true(number(again, "journal", "records") >= records);
    json_decref(again);
    json_decref(ask(f, "stop", NULL));
    assert_ended_with(f, 1); /* something did go wrong */
    assert_text_holds(f->start.err, "there is no room for the journal in ");
    assert_text_holds(f->start.err, "there is room for the journal again; ");
    assert_int_equal(rmdir(disk), 0);
}

static void a_run_that_is_to_stop_without_room_ends_with_an_error(void **state)
{
    fixture_t *f = *state;
    if (!start_on_small_disk(f, "stop"))
        fail_msg("it cannot be started");
    program_wait(&f->start);
    bool done = !cannot_be_done_here(f);
    rmdir(disk);
    if (!done)
        skip();
    assert_int_equal(f->start.exit_code, 1);
    assert_text_holds(f->start.err, "the journal cannot go on: ");
    assert_text_holds(f->start.err, "make room on that file system");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_run_that_goes_on_without_room_lets_no_order_pass_and_records_again),
        TEST(a_run_that_is_to_stop_without_room_ends_with_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
