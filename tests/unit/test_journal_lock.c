/* SPDX-License-Identifier: Apache-2.0 */
/* Who writes a journal: writer.lock, from before the first segment to the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sys/prctl.h>

#include "bus/journal/lock.h"
#include "tests/unit/journal_scratch.h"

static tbus_journal_writer_t *open_writer(const char *directory)
{
    tbus_journal_spec_t spec = {.directory = directory,
                                .segment_bytes = TBUS_JOURNAL_SEGMENT_BYTES_MIN,
                                .topics_count = 1,
                                .topics = {{"md", "tick", 1, 0, 0, 0}}};
    tbus_journal_writer_t *w = NULL;
    assert_int_equal(tbus_journal_writer_open(&spec, &w, NULL), 0);
    return w;
}

static void lock_path(const scratch_t *s, char out_path[PATH_BYTES + 16])
{
    snprintf(out_path, PATH_BYTES + 16, "%s/%s", s->journal, TBUS_JOURNAL_LOCK_NAME);
}

/* Is there a lock on this byte of the file that a write lock would meet? */
static bool is_locked(const char *path, off_t byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
    close(fd);
    return lock.l_type != F_UNLCK;
}

static void a_writer_holds_byte_0_of_its_lock_file_and_of_the_first_segment(void **state)
{
    const scratch_t *s = *state;
    char lock[PATH_BYTES + 16];
    char segment[PATH_BYTES + 16];
    struct stat is;
    tbus_journal_writer_t *w = open_writer(s->journal);
    lock_path(s, lock);
    segment_path(s->journal, 1, segment);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(is_locked(i ? segment : lock, 0));
        assert_false(is_locked(i ? segment : lock, 1)); /* the readers' */
    }
    assert_int_equal(tbus_journal_writer_close(w, NULL), 0);
    assert_false(is_locked(lock, 0));
    assert_false(is_locked(segment, 0));
    assert_int_equal(stat(lock, &is), 0);
    assert_int_equal(is.st_size, 0);
}

static void a_directory_that_holds_only_a_lock_file_is_not_empty(void **state)
{
    const scratch_t *s = *state;
    char lock[PATH_BYTES + 16];
    tbus_journal_spec_t spec = {.directory = s->journal};
    tbus_journal_writer_t *w = NULL;
    tbus_error_t err;
    lock_path(s, lock);
    assert_int_equal(mkdir(s->journal, 0755), 0);
    close(open(lock, O_WRONLY | O_CREAT, 0644));
    assert_int_equal(tbus_journal_writer_open(&spec, &w, &err), -TBUS_ENOTEMPTY);
    assert_non_null(strstr(err.text, TBUS_JOURNAL_LOCK_NAME));
    assert_int_equal(access(lock, F_OK), 0);
}

static void of_two_that_take_the_lock_file_the_second_is_refused_and_removes_nothing(void **state)
{
    const scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    tbus_journal_directory_t directory;
    tbus_journal_lock_t first;
    tbus_journal_lock_t second = TBUS_JOURNAL_LOCK_NONE;
    tbus_error_t err;
    lock_path(s, path);
    assert_int_equal(tbus_journal_directory_create(s->journal, &directory, &err), 0);
    assert_int_equal(tbus_journal_lock_take(&directory, &first, &err), 0);
    assert_int_equal(tbus_journal_lock_take(&directory, &second, &err), -TBUS_ENOTEMPTY);
    assert_non_null(strstr(err.text, "somebody else records in this directory"));
    tbus_journal_lock_destroy(&second, &directory);
    assert_true(is_locked(path, 0));
    tbus_journal_lock_destroy(&first, &directory);
    assert_int_equal(access(path, F_OK), -1);
    tbus_journal_directory_destroy(&directory);
}

static void a_killed_writer_leaves_its_lock_file_unlocked(void **state)
{
    const scratch_t *s = *state;
    char lock[PATH_BYTES + 16];
    char byte;
    int opened[2];
    assert_int_equal(pipe(opened), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        tbus_journal_writer_t *w = open_writer(s->journal);
        if (!w || write(opened[1], "", 1) != 1)
            _exit(1);
        pause();
        _exit(1);
    }
    assert_int_equal(read(opened[0], &byte, 1), 1);
    lock_path(s, lock);
    bool held = is_locked(lock, 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(opened[0]);
    close(opened[1]);
    assert_true(held);
    assert_false(is_locked(lock, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_writer_holds_byte_0_of_its_lock_file_and_of_the_first_segment),
        TEST(a_directory_that_holds_only_a_lock_file_is_not_empty),
        TEST(of_two_that_take_the_lock_file_the_second_is_refused_and_removes_nothing),
        TEST(a_killed_writer_leaves_its_lock_file_unlocked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
