/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal's writer refuses at creation and its reader at opening: directories, file
 * systems, limits, files that are no segments of the session. */
#include "tests/unit/journal_sessions.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "bus/journal/segment_file.h"

/* --- what is refused at creation --- */

static int refused(const char *directory, uint64_t segment_bytes, tbus_error_t *err)
{
    tbus_journal_spec_t spec = spec_for(directory, segment_bytes);
    tbus_journal_writer_t *untouched = (tbus_journal_writer_t *)1;
    tbus_journal_writer_t *w = untouched;
    *err = (tbus_error_t){0};
    int code = tbus_journal_writer_open(&spec, &w, err);
    assert_true(code < 0);
    assert_ptr_equal(w, untouched);
    assert_int_equal(err->code, code);
    assert_non_null(strstr(err->text, directory));
    return code;
}

static void a_directory_that_holds_anything_is_refused_and_unharmed(void **state)
{
    scratch_t *s = *state;
    tbus_error_t err;
    char path[PATH_BYTES + 16];
    mkdir(s->journal, 0755);
    snprintf(path, sizeof path, "%s/precious", s->journal);
    FILE *file = fopen(path, "w");
    fputs("keep", file);
    fclose(file);
    assert_int_equal(refused(s->journal, 0, &err), -TBUS_ENOTEMPTY);
    assert_non_null(strstr(err.text, "precious"));
    assert_int_equal(size_of(path), 4);
    assert_int_equal(count_entries(s->journal), 3); /* . and .. */
}

static void a_directory_that_holds_a_session_is_refused_and_the_session_unharmed(void **state)
{
    scratch_t *s = *state;
    tbus_error_t err;
    write_journal(s->journal, SMALL_SEGMENT, 1000);
    assert_int_equal(refused(s->journal, SMALL_SEGMENT, &err), -TBUS_ENOTEMPTY);
    outcome_t o = read_journal(s->journal);
    assert_int_equal(o.records, 1000);
    assert_int_equal(o.end, TBUS_JOURNAL_CLOSED);
}

static void a_second_writer_is_refused_and_the_first_goes_on(void **state)
{
    scratch_t *s = *state;
    tbus_error_t err;
    tbus_journal_writer_t *w = create(s->journal, SMALL_SEGMENT);
    for (uint64_t i = 0; i < 1000; i++) {
        if (i % 100 == 50)
            assert_int_equal(refused(s->journal, SMALL_SEGMENT, &err), -TBUS_ENOTEMPTY);
        assert_int_equal(append_message(w, i), 0);
    }
    assert_int_equal(tbus_journal_writer_close(w, &err), 0);
    assert_int_equal(read_journal(s->journal).records, 1000);
}

/* Two processes that both found the directory empty. */
static void of_two_writers_that_start_together_one_is_refused(void **state)
{
    scratch_t *s = *state;
    for (unsigned round = 0; round < 50; round++) {
        mkdir(s->journal, 0755);
        int gate[2];
        assert_int_equal(pipe(gate), 0);
        pid_t pids[2];
        for (unsigned k = 0; k < 2; k++) {
            pids[k] = fork();
            if (pids[k] == 0) {
                char byte;
                close(gate[1]);
                tbus_journal_spec_t spec = spec_for(s->journal, SMALL_SEGMENT);
                tbus_journal_writer_t *w;
                if (read(gate[0], &byte, 1) != 0) /* its end is the sign to start */
                    _exit(9);
                int code = tbus_journal_writer_open(&spec, &w, NULL);
                if (code == 0)
                    code = append_message(w, 0) || tbus_journal_writer_close(w, NULL) ? 3 : 0;
                else
                    code = code == -TBUS_ENOTEMPTY ? 1 : 2;
                _exit(code);
            }
        }
        close(gate[0]);
        close(gate[1]);
        int sum = 0;
        for (unsigned k = 0; k < 2; k++) {
            int status;
            waitpid(pids[k], &status, 0);
            sum += WEXITSTATUS(status);
        }
        assert_int_equal(sum, 1);
        assert_int_equal(read_journal(s->journal).records, 1);
        scratch_remove(s->journal);
    }
}

static void a_missing_parent_and_a_file_in_the_way_are_said_clearly(void **state)
{
    scratch_t *s = *state;
    tbus_error_t err;
    char path[PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/deeper", s->journal);
    assert_int_equal(refused(path, 0, &err), -ENOENT);
    assert_non_null(strstr(err.text, "parent"));
    FILE *file = fopen(s->journal, "w");
    fclose(file);
    assert_int_equal(refused(s->journal, 0, &err), -ENOTDIR);
    assert_non_null(strstr(err.text, "not a directory"));
    assert_int_equal(refused(path, 0, &err), -ENOTDIR);
    assert_int_equal(size_of(s->journal), 0);
}

static void a_segment_size_that_cannot_be_is_refused_before_anything_is_made(void **state)
{
    scratch_t *s = *state;
    const uint64_t sizes[] = {
        1, 4096, SMALL_SEGMENT - 4096, SMALL_SEGMENT + 1, (UINT64_C(1) << 30) + 4096, UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        tbus_journal_spec_t spec = spec_for(s->journal, sizes[i]);
        tbus_journal_writer_t *w;
        tbus_error_t err;
        assert_int_equal(tbus_journal_writer_open(&spec, &w, &err), -EINVAL);
        assert_int_equal(size_of(s->journal), -1);
    }
}

static void a_directory_without_permission_is_refused(void **state)
{
    scratch_t *s = *state;
    mkdir(s->other, 0555);
    pid_t pid = fork();
    if (pid == 0) {
        /* Root may write everywhere: be somebody else. */
        if (geteuid() == 0 && (chmod(s->root, 0755) || setegid(65534) || seteuid(65534)))
            _exit(77);
        char path[PATH_BYTES + 16];
        snprintf(path, sizeof path, "%s/journal", s->other);
        const char *paths[] = {s->other, path};
        for (unsigned k = 0; k < 2; k++) {
            tbus_journal_spec_t spec = spec_for(paths[k], SMALL_SEGMENT);
            tbus_journal_writer_t *w;
            tbus_error_t err = {0};
            if (tbus_journal_writer_open(&spec, &w, &err) != -EACCES || !strstr(err.text, paths[k]))
                _exit(1);
        }
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    if (WEXITSTATUS(status) == 77) {
        printf("cannot become another user here\n");
        skip();
    }
    assert_int_equal(status, 0);
    assert_int_equal(count_entries(s->other), 2);
}

/* --- file systems that are full or read-only: mounts of our own, in a mount namespace of our own
 * --- */

/* Runs in a child with a tmpfs of these options on `where`. Returns 0: all right; else a line
 * number. */
typedef int (*in_mount_t)(const char *where);

static void with_tmpfs(const char *where, unsigned long flags, const char *options, in_mount_t body)
{
    mkdir(where, 0755);
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
            mount("tmpfs", where, "tmpfs", 0, options) ||
            (flags && mount(NULL, where, NULL, MS_REMOUNT | flags, options)))
            _exit(77);
        int line = body(where);
        if (line)
            fprintf(stderr, "%s:%d: does not hold\n", __FILE__, line);
        _exit(line ? 1 : 0);
    }
    int status;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("cannot mount a file system here: not root\n");
        skip();
    }
    assert_int_equal(status, 0);
}

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__;                                                                       \
    } while (0)

static int on_a_read_only_file_system(const char *where)
{
    char path[PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/journal", where);
    const char *paths[] = {where, path};
    for (unsigned k = 0; k < 2; k++) {
        tbus_journal_spec_t spec = spec_for(paths[k], SMALL_SEGMENT);
        tbus_journal_writer_t *w;
        tbus_error_t err = {0};
        HOLDS(tbus_journal_writer_open(&spec, &w, &err) == -EROFS);
        HOLDS(strstr(err.text, paths[k]));
        HOLDS(strcasestr(err.text, "read-only"));
    }
    return 0;
}

static void a_read_only_file_system_is_refused(void **state)
{
    scratch_t *s = *state;
    with_tmpfs(s->other, MS_RDONLY, "size=1m", on_a_read_only_file_system);
}

static int with_no_room_for_one_segment(const char *where)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/journal", where);
    tbus_journal_spec_t spec = spec_for(path, 1u << 20);
    tbus_journal_writer_t *w;
    tbus_error_t err = {0};
    HOLDS(tbus_journal_writer_open(&spec, &w, &err) == -ENOSPC);
    HOLDS(strstr(err.text, path));
    HOLDS(strstr(err.text, "make room"));
    HOLDS(access(path, F_OK) < 0); /* nothing is left behind */
    HOLDS(tbus_journal_writer_open(&spec, &w, &err) == -ENOSPC);
    return 0;
}

static void a_full_disk_at_creation_is_an_error_and_leaves_nothing_behind(void **state)
{
    scratch_t *s = *state;
    with_tmpfs(s->other, 0, "size=256k", with_no_room_for_one_segment);
}

static int with_room_for_a_few_segments(const char *where)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/journal", where);
    tbus_journal_spec_t spec = spec_for(path, SMALL_SEGMENT);
    tbus_journal_writer_t *w;
    tbus_error_t err = {0};
    HOLDS(tbus_journal_writer_open(&spec, &w, &err) == 0);
    uint64_t count = 0;
    int code;
    while ((code = append_message(w, count)) == 0)
        HOLDS(++count < 100000);
    HOLDS(code == -ENOSPC);
    HOLDS(append_message(w, count) == -ENOSPC); /* and stays so */
    HOLDS(strstr(tbus_journal_writer_error(w)->text, "make room"));
    HOLDS(tbus_journal_writer_records(w) == count);
    HOLDS(count > 300);
    HOLDS(tbus_journal_writer_close(w, &err) == -ENOSPC);
    HOLDS(err.code == -ENOSPC && strstr(err.text, path));
    outcome_t o = read_journal(path);
    HOLDS(o.code == 0 && o.records == count && o.end == TBUS_JOURNAL_BROKEN);
    return 0;
}

static void a_full_disk_at_a_roll_is_an_error_and_what_was_recorded_stays(void **state)
{
    scratch_t *s = *state;
    with_tmpfs(s->other, 0, "size=300k", with_room_for_a_few_segments);
}

static void a_file_size_limit_is_an_error_and_no_signal(void **state)
{
    scratch_t *s = *state;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {SMALL_SEGMENT - 1, SMALL_SEGMENT - 1};
        tbus_journal_spec_t spec = spec_for(s->journal, SMALL_SEGMENT);
        tbus_journal_writer_t *w;
        tbus_error_t err;
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(tbus_journal_writer_open(&spec, &w, &err) == -EFBIG && strstr(err.text, "ulimit")
                  ? 0
                  : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(size_of(s->journal), -1);
}

static void touching_pages_leaves_what_is_on_them(void **state)
{
    scratch_t *s = *state;
    tbus_journal_directory_t directory;
    tbus_journal_file_t file;
    tbus_atomic_u64_t limit;
    tbus_error_t err;
    assert_int_equal(tbus_journal_directory_create(s->journal, &directory, &err), 0);
    assert_int_equal(tbus_journal_file_create(&directory, 1, SMALL_SEGMENT, &limit, &file, &err),
                     0);
    for (uint64_t at = 0; at < file.bytes; at++)
        file.base[at] = (uint8_t)(at * 13);
    tbus_journal_file_touch(&file, 0, file.bytes);
    for (uint64_t at = 0; at < file.bytes; at++)
        assert_int_equal(file.base[at], (uint8_t)(at * 13));
    tbus_journal_file_destroy(&file);
    assert_int_equal(count_entries(s->journal), 2);
    tbus_journal_directory_close(&directory);
}

/* --- what is refused at opening --- */

static void check_open_refused(const char *directory, int code, const char *word)
{
    tbus_journal_reader_t *untouched = (tbus_journal_reader_t *)1;
    tbus_journal_reader_t *r = untouched;
    tbus_error_t err = {0};
    assert_int_equal(tbus_journal_reader_open(directory, &r, &err), code);
    assert_ptr_equal(r, untouched);
    assert_non_null(strstr(err.text, directory));
    if (!strstr(err.text, word))
        fail_msg("'%s' does not say '%s'", err.text, word);
}

static void what_is_no_journal_is_refused(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    check_open_refused(s->journal, -ENOENT, "No such");
    mkdir(s->journal, 0755);
    check_open_refused(s->journal, -TBUS_ENOTFOUND, "no journal");
    segment_path(s->journal, 1, path);
    FILE *file = fopen(path, "w");
    check_open_refused(s->journal, -TBUS_ETRUNCATED, "no header");
    for (unsigned i = 0; i < 5000; i++)
        fputc('x', file);
    fclose(file);
    check_open_refused(s->journal, -TBUS_EMAGIC, "00000001.tbj");
    check_open_refused(path, -ENOTDIR, "Not a directory");
}

/* A reader that waited for somebody to write into the pipe would never return. */
static void what_is_no_file_in_place_of_a_segment_is_refused_at_once(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    mkdir(s->journal, 0755);
    segment_path(s->journal, 1, path);
    assert_int_equal(mkfifo(path, 0600), 0);
    check_open_refused(s->journal, -TBUS_EMAGIC, "no regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/zero", path), 0);
    check_open_refused(s->journal, -TBUS_EMAGIC, "no regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    check_open_refused(s->journal, -TBUS_EMAGIC, "no regular file");
    assert_int_equal(rmdir(path), 0);
}

static void another_format_version_is_refused_as_such(void **state)
{
    scratch_t *s = *state;
    char path[PATH_BYTES + 16];
    write_journal(s->journal, SMALL_SEGMENT, 10);
    segment_path(s->journal, 1, path);
    flip(path, 8 * offsetof(tbus_journal_header_t, abi));
    check_open_refused(s->journal, -TBUS_EABI, "format 3");
}

static void a_missing_a_renamed_and_a_foreign_segment_are_told_apart(void **state)
{
    scratch_t *s = *state;
    char second[PATH_BYTES + 16];
    char third[PATH_BYTES + 16];
    char away[PATH_BYTES + 16];
    write_journal(s->journal, SMALL_SEGMENT, 2000);
    segment_path(s->journal, 2, second);
    segment_path(s->journal, 3, third);
    snprintf(away, sizeof away, "%s/away", s->journal);

    assert_int_equal(rename(second, away), 0);
    check_open_refused(s->journal, -TBUS_ECORRUPT, "missing");
    assert_int_equal(link(third, second), 0);
    check_open_refused(s->journal, -TBUS_ECORRUPT, "renamed");
    assert_int_equal(unlink(second), 0);

    char foreign[PATH_BYTES + 16];
    write_journal(s->other, SMALL_SEGMENT, 2000);
    segment_path(s->other, 2, foreign);
    assert_int_equal(link(foreign, second), 0);
    check_open_refused(s->journal, -TBUS_ECORRUPT, "another session");
    assert_int_equal(unlink(second), 0);
    assert_int_equal(rename(away, second), 0);
    assert_int_equal(read_journal(s->journal).records, 2000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)
    const struct CMUnitTest tests[] = {
        TEST(a_directory_that_holds_anything_is_refused_and_unharmed),
        TEST(a_directory_that_holds_a_session_is_refused_and_the_session_unharmed),
        TEST(a_second_writer_is_refused_and_the_first_goes_on),
        TEST(of_two_writers_that_start_together_one_is_refused),
        TEST(a_missing_parent_and_a_file_in_the_way_are_said_clearly),
        TEST(a_segment_size_that_cannot_be_is_refused_before_anything_is_made),
        TEST(a_directory_without_permission_is_refused),
        TEST(a_read_only_file_system_is_refused),
        TEST(a_full_disk_at_creation_is_an_error_and_leaves_nothing_behind),
        TEST(a_full_disk_at_a_roll_is_an_error_and_what_was_recorded_stays),
        TEST(a_file_size_limit_is_an_error_and_no_signal),
        TEST(touching_pages_leaves_what_is_on_them),
        TEST(what_is_no_journal_is_refused),
        TEST(what_is_no_file_in_place_of_a_segment_is_refused_at_once),
        TEST(another_format_version_is_refused_as_such),
        TEST(a_missing_a_renamed_and_a_foreign_segment_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
