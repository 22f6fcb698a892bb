/* SPDX-License-Identifier: Apache-2.0 */
/* What is done about the limits of control groups: in a group of our own with a real limit on huge
 * pages, memory or CPU time, and behind made-up limits on memory that only a child of ours sees.
 * What this host does not let us set up is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/bus.h>
#include <tickbus/journal.h>
#include <tickbus/atomic.h>
#include <tickbus/market/market.h>
#include <tickbus/segment.h>

#include "bus/run/cgroup.h"
#include "tests/support/program.h"
#include "tools/run/memory.h"

#define MIB       (UINT64_C(1) << 20)
#define HUGE_PAGE (2 * MIB)

enum { DONE = 0, MISSING = 77 }; /* 1 is how a sanitizer ends a process */

/* In a child, whose control groups, mounts and end are its own: an assertion that fails, or SIGBUS,
 * is its exit code. */
static void in_a_child(int (*does)(void), const char *what_is_missing)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(does());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == MISSING) {
        print_message("%s\n", what_is_missing);
        skip();
    }
    assert_int_equal(status, DONE);
}

static void must(bool holds, const char *what, const tbus_error_t *err)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s\n", what, err->text);
    _exit(2);
}

#define TEXT_MAX 16384

/* A file of the kernel's, which has no length. "": there is none. */
static void read_text(const char *path, char out_text[TEXT_MAX])
{
    FILE *f = fopen(path, "re");
    size_t got = f ? fread(out_text, 1, TEXT_MAX - 1, f) : 0;
    out_text[got] = 0;
    if (f)
        fclose(f);
}

/* Hides /sys/fs/cgroup behind files of our own: 16 MiB for each group that we are in, 10 of them
 * used. */
static bool make_up_a_memory_limit(void)
{
    static const char *const points[] = {"", "/unified", "/memory"};
    static const char *const files[][2] = {{"memory.max", "memory.current"},
                                           {"memory.limit_in_bytes", "memory.usage_in_bytes"}};
    char groups[TEXT_MAX];
    read_text("/proc/self/cgroup", groups);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tickbus-test", "/sys/fs/cgroup", "tmpfs", 0, "size=1m") < 0)
        return false;
    for (char *line = strtok(groups, "\n"); line; line = strtok(NULL, "\n"))
        for (size_t p = 0; p < sizeof points / sizeof *points; p++)
            for (unsigned f = 0; f < 2; f++) {
                char path[PATH_MAX];
                const char *group = strchr(strchr(line, ':') + 1, ':') + 1;
                snprintf(path, sizeof path, "/sys/fs/cgroup%s%s/%s", points[p], group, files[f][0]);
                directories_make(path);
                file_write(path, "16777216", 8);
                snprintf(path, sizeof path, "/sys/fs/cgroup%s%s/%s", points[p], group, files[f][1]);
                file_write(path, "10485760", 8);
            }
    return tbus_cgroup_memory("/proc/self").bytes == 6 * MIB;
}

static int take_memory_in_a_small_group(void)
{
    static const enum tbus_pages pages[] = {TBUS_PAGES_SMALL, TBUS_PAGES_THP};
    tbus_segment_t s;
    tbus_error_t err = {0};
    if (!make_up_a_memory_limit())
        return MISSING;
    for (unsigned i = 0; i < 2; i++) {
        must(tbus_segment_create("big", 6 * MIB, pages[i], -1, &s, &err) == -ENOMEM,
             "too much was had", &err);
        must(strstr(
                 err.text,
                 "6291456 bytes of shared memory cannot be had: the control group leaves 6144 KiB "
                 "(/sys/fs/cgroup") != NULL,
             "it is not said what is missing", &err);
    }
    must(tbus_segment_create("small", 4 * MIB, TBUS_PAGES_SMALL, -1, &s, &err) == 0,
         "nothing was had", &err);
    tbus_segment_close(&s);
    return DONE;
}

static void more_memory_than_the_control_group_leaves_is_refused_before_it_is_touched(void **state)
{
    (void)state;
    in_a_child(take_memory_in_a_small_group,
               "no control groups here, or no mount namespaces for us");
}

static void must_say(const tbus_error_t *err, const char *part)
{
    must(strstr(err->text, part) != NULL, part, err);
}

/* Six MiB are left: of so many orders the books of one process fit, and those of three do not. */
static int start_books_in_a_small_group(void)
{
    static const layout_stage_t stages[] = {{"feed", TBUS_KIND_SOURCE, 1},
                                            {"strategy", TBUS_KIND_DECIDES, 1},
                                            {"risk", TBUS_KIND_DECIDES, 1},
                                            {"executor", TBUS_KIND_DECIDES, 1}};
    static config_t config;
    static layout_t layout;
    static pipeline_t pipeline;
    tbus_error_t err = {0};
    market_t *market;
    config_defaults(&config);
    must(config_set(&config, "bus.pages", "small", &err) == 0, "no such key", &err);
    layout_plan(&(layout_request_t){.mode = LAYOUT_SPLIT,
                                    .stages_count = 4,
                                    .stages = stages,
                                    .allowed_count = 1,
                                    .allowed = &(uint32_t){0}},
                &layout);
    must(pipeline_create(&config, &layout, 0, 0, &pipeline, &err) == 0, "no pipeline", &err);
    must(memory_check(&pipeline, &err) == 0, "there is no limit yet", &err);
    if (!make_up_a_memory_limit())
        return MISSING;
    must(memory_check(&pipeline, &err) == -ENOMEM, "too much was had", &err);
    must_say(&err, "for the stages (");
    must_say(&err, "books 3 x 1");
    must_say(&err, "the control group leaves 6144 KiB (/sys/fs/cgroup");
    must_say(&err, "lower books.orders_max or books.levels_max");
    pipeline_close(&pipeline);

    market_limits_t limits = {.orders_max = 1 << 20, .levels_max = 1 << 18};
    must(market_create(&limits, &market, &err) == -ENOMEM, "too much was had", &err);
    must_say(&err, "MiB for the books (1048576 orders, 262144 levels): the control group leaves");
    return DONE;
}

static void
books_that_the_control_group_has_no_room_for_are_refused_before_they_are_touched(void **state)
{
    (void)state;
    in_a_child(start_books_in_a_small_group,
               "no control groups here, or no mount namespaces for us");
}

static int record_into_memory_in_a_small_group(void)
{
    tbus_error_t err = {0};
    tbus_journal_writer_t *writer;
    if (!make_up_a_memory_limit() || mount("tickbus-test", "/tmp", "tmpfs", 0, "size=64m") < 0)
        return MISSING;
    tbus_journal_spec_t spec = {.directory = "/tmp/journal",
                                .bus_name = "test",
                                .segment_bytes = 8 * MIB,
                                .topics_count = 1,
                                .topics = {{.name = "md", .type = "tick", .first_seq = 1}}};
    must(tbus_journal_writer_open(&spec, &writer, &err) == -ENOMEM, "too much was had", &err);
    must_say(&err, "/tmp/journal, which is memory (tmpfs): the control group leaves 6144 KiB");
    spec.segment_bytes = 1 * MIB;
    must(tbus_journal_writer_open(&spec, &writer, &err) == 0, "nothing was had", &err);
    must(tbus_journal_writer_close(writer, &err) == 0, "not closed", &err);
    return DONE;
}

static void a_journal_in_memory_is_held_against_the_control_group_as_well(void **state)
{
    (void)state;
    in_a_child(record_into_memory_in_a_small_group,
               "no control groups here, or no mount namespaces for us");
}

static int do_without_proc(void)
{
    tbus_bus_t bus;
    tbus_error_t err = {0};
    tbus_ring_spec_t spec = {
        .name = "md", .kind = TBUS_SPSC, .slot_bytes = 64, .slot_count = 64, .first_seq = 1};
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tickbus-test", "/proc", "tmpfs", 0, "size=1m") < 0)
        return MISSING;
    for (int empty = 0; empty < 2; empty++) {
        must(tbus_bus_create("bare", &bus, &err) == 0, "no bus", &err);
        must(tbus_bus_add_topic(&bus, &spec, "tick", TBUS_PAGES_SMALL, -1, &err) >= 0,
             "what cannot be asked was held against us", &err);
        must(tbus_bus_keep(&bus, &err) < 0, "how was it opened again?", &err);
        must_say(&err, "/proc is not mounted");
        tbus_bus_close(&bus);
        file_write("/proc/meminfo", "", 0); /* as lxcfs gives it */
    }
    return DONE;
}

static void without_proc_nothing_is_said_to_be_used_up_and_the_cause_is_told(void **state)
{
    (void)state;
    in_a_child(do_without_proc, "no mount namespaces for us");
}

static int do_without_descriptors(void)
{
    tbus_segment_t s;
    tbus_error_t err = {0};
    must(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, 3}) == 0, "no limit", &err);
    static const enum tbus_pages pages[] = {TBUS_PAGES_AUTO, TBUS_PAGES_HUGETLB, TBUS_PAGES_THP,
                                            TBUS_PAGES_SMALL};
    for (unsigned i = 0; i < 4; i++) {
        must(tbus_segment_create("none", 4096, pages[i], -1, &s, &err) < 0, "had anyway", &err);
        must_say(&err, strerror(EMFILE));
    }
    return DONE;
}

static void out_of_descriptors_it_is_not_memory_that_is_missing(void **state)
{
    (void)state;
    in_a_child(do_without_descriptors, "");
}

/* A group below ours, with a limit on huge pages. Groups are the host's: one test at a time. */
static char own_group[PATH_MAX], new_group[PATH_MAX];
static int own_group_lock = -1;
static bool controller_was_off;

static bool write_in(const char *directory, const char *name, const char *text)
{
    char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return written;
}
static bool says(const char *directory, const char *name, const char *word)
{
    char path[2 * PATH_MAX];
    char text[TEXT_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    read_text(path, text);
    return strstr(text, word) != NULL;
}

static bool find_own_group(void)
{
    static const char *const points[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    char groups[TEXT_MAX];
    read_text("/proc/self/cgroup", groups);
    char *group = strstr(groups, "0::/");
    for (unsigned p = 0; group && p < 2; p++) {
        group[strcspn(group, "\n")] = 0;
        snprintf(own_group, sizeof own_group, "%s%s", points[p], group + 3);
        if (says(own_group, "cgroup.controllers", "hugetlb"))
            break;
        own_group[0] = 0;
    }
    return own_group[0] != 0;
}

static int make_group(void **state)
{
    (void)state;
    if (!find_own_group())
        return 0;
    own_group_lock = open(own_group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own_group_lock < 0 || flock(own_group_lock, LOCK_EX) < 0)
        return 0;
    controller_was_off = !says(own_group, "cgroup.subtree_control", "hugetlb");
    if (controller_was_off && !write_in(own_group, "cgroup.subtree_control", "+hugetlb"))
        return 0;
    snprintf(new_group, sizeof new_group, "%.4000s/tickbus-test-%d", own_group, (int)getpid());
    if (mkdir(new_group, 0755) < 0)
        new_group[0] = 0;
    return 0;
}
static int remove_group(void **state)
{
    (void)state;
    if (new_group[0])
        rmdir(new_group);
    if (controller_was_off && own_group_lock >= 0)
        write_in(own_group, "cgroup.subtree_control", "-hugetlb");
    if (own_group_lock >= 0)
        close(own_group_lock);
    own_group_lock = -1;
    own_group[0] = new_group[0] = 0;
    return 0;
}

static const char *limit_file;

static bool pool_has_four(void)
{
    char text[TEXT_MAX];
    read_text("/proc/meminfo", text);
    const char *line = strstr(text, "HugePages_Free:");
    return line && strtoul(line + strlen("HugePages_Free:"), NULL, 10) >= 4;
}

static int take_huge_pages_in_a_small_group(void)
{
    tbus_segment_t s;
    tbus_error_t err = {0};
    if (!new_group[0] || !pool_has_four() || !write_in(new_group, limit_file, "4194304") ||
        !write_in(new_group, "cgroup.procs", "0"))
        return MISSING;
    int code = tbus_segment_create("big", 3 * HUGE_PAGE, TBUS_PAGES_HUGETLB, -1, &s, &err);
    if (!pool_has_four())
        return MISSING; /* somebody else took them meanwhile */
    must(code == -ENOMEM, "too much was had, or the reason is another", &err);
    must(strstr(err.text, "needs 3 huge pages, the control group leaves 2: raise ") != NULL &&
             strstr(err.text, limit_file) != NULL,
         "it is not said what is missing", &err);
    must(tbus_segment_create("big", 3 * HUGE_PAGE, TBUS_PAGES_AUTO, -1, &s, &err) == 0,
         "no other pages", &err);
    snprintf(err.text, sizeof err.text, "%s", s.pages_why);
    must(s.pages != TBUS_PAGES_HUGETLB && strstr(s.pages_why, "the control group leaves 2") != NULL,
         "it is not said why the pages are no better", &err);
    memset(s.base, 1, s.bytes); /* SIGBUS where it was not populated */
    tbus_segment_close(&s);
    must(tbus_segment_create("small", 2 * HUGE_PAGE, TBUS_PAGES_HUGETLB, -1, &s, &err) == 0,
         "nothing was had", &err);
    memset(s.base, 1, s.bytes);
    tbus_segment_close(&s);
    return DONE;
}

/* A pool with enough in it is not what must grow. */
static int start_a_pipeline_in_a_small_group(void)
{
    config_t config;
    layout_t layout;
    pipeline_t pipeline;
    tbus_error_t err = {0};
    config_defaults(&config);
    layout_plan(
        &(layout_request_t){.mode = LAYOUT_FUSED, .allowed_count = 1, .allowed = &(uint32_t){0}},
        &layout);
    if (!new_group[0] || !pool_has_four() || !write_in(new_group, limit_file, "2097152") ||
        !write_in(new_group, "cgroup.procs", "0"))
        return MISSING;
    must(pipeline_create(&config, &layout, UINT64_MAX, 0, &pipeline, &err) == 0, "no pipeline",
         &err);
    pipeline_pages_text(&pipeline, err.text, sizeof err.text);
    if (!pool_has_four())
        return MISSING;
    must(strstr(err.text, "the control group leaves ") != NULL && !strstr(err.text, "sysctl"),
         "the reason is another", &err);
    pipeline_close(&pipeline);
    return DONE;
}

static void a_pipeline_names_the_control_group_and_not_the_pool(void **state)
{
    (void)state;
    limit_file = "hugetlb.2MB.max";
    in_a_child(start_a_pipeline_in_a_small_group,
               "no four huge pages free, or no control group of our own with a limit on them");
}

static void more_huge_pages_than_the_control_group_leaves_are_refused_in_words(void **state)
{
    (void)state;
    static const char *const files[] = {"hugetlb.2MB.max", "hugetlb.2MB.rsvd.max"};
    for (unsigned i = 0; i < 2; i++) {
        limit_file = files[i];
        in_a_child(take_huge_pages_in_a_small_group,
                   "no four huge pages free, or no control group of our own with a limit on them");
        write_in(new_group, limit_file, "max");
    }
}

/* ---- memory and CPU time, in a group of our own with a real limit: of version 2 where a group on
 * our way up hands the controller to its children, else of version 1 where that has it */

static char limited_group[PATH_MAX];
static bool limited_unified;

/* Make a group below `point`/`group`, or below the next group above that can have one. */
static bool make_limited_group(const char *point, char *group, const char *controller)
{
    for (;;) {
        char parent[PATH_MAX];
        snprintf(parent, sizeof parent, "%s%.3000s", point, group);
        if (says(parent, "cgroup.subtree_control", controller)) {
            snprintf(limited_group, sizeof limited_group, "%.4000s/tickbus-limit-%d", parent,
                     (int)getpid());
            if (mkdir(limited_group, 0755) == 0)
                return true;
        }
        char *last = strrchr(group, '/');
        if (!last)
            return false;
        *last = 0;
    }
}

/* The group of this process in the unified hierarchy; "" at its top. */
static bool find_unified_group(char out_group[TEXT_MAX])
{
    char groups[TEXT_MAX];
    read_text("/proc/self/cgroup", groups);
    const char *line = strstr(groups, "0::/");
    if (!line)
        return false;
    line += strlen("0::/");
    int length = (int)strcspn(line, "\n");
    snprintf(out_group, TEXT_MAX, "%s%.*s", length ? "/" : "", length, line);
    return true;
}

static void limit_a_group(const char *controller)
{
    static const char *const points[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    char group[TEXT_MAX];
    for (unsigned i = 0; i < 2; i++)
        if (find_unified_group(group) && make_limited_group(points[i], group, controller)) {
            limited_unified = true;
            return;
        }
    snprintf(limited_group, sizeof limited_group, "/sys/fs/cgroup/%s/tickbus-limit-%d", controller,
             (int)getpid());
    limited_unified = false;
    if (mkdir(limited_group, 0755) < 0)
        limited_group[0] = 0;
}

static int remove_limited_group(void **state)
{
    (void)state;
    if (limited_group[0])
        rmdir(limited_group);
    return 0;
}

/* Is what was found the limit of our group, or one that leaves less? */
static bool names_our_group(const char *limit)
{
    char group[64];
    snprintf(group, sizeof group, "/tickbus-limit-%d/", (int)getppid());
    return strstr(limit, group) != NULL;
}

static int take_memory_in_a_real_group(void)
{
    const char *file = limited_unified ? "memory.max" : "memory.limit_in_bytes";
    if (!limited_group[0] || !write_in(limited_group, file, "67108864") ||
        !write_in(limited_group, "cgroup.procs", "0"))
        return MISSING;
    tbus_segment_t s;
    tbus_error_t err = {0};
    tbus_cgroup_room_t room = tbus_cgroup_memory("/proc/self");
    must(room.bytes <= 64 * MIB && room.bytes > 0, "not what the group leaves", &err);
    must(names_our_group(room.limit), room.limit, &err);
    int code = tbus_segment_create("big", 128 * MIB, TBUS_PAGES_SMALL, -1, &s, &err);
    must(code == -ENOMEM, "too much was had, or the reason is another", &err);
    must_say(&err, file);
    must(tbus_segment_create("small", 16 * MIB, TBUS_PAGES_SMALL, -1, &s, &err) == 0,
         "nothing was had", &err);
    memset(s.base, 1, s.bytes);
    tbus_segment_close(&s);
    return DONE;
}

static int read_the_quota_of_a_real_group(void)
{
    bool set = limited_unified
                   ? write_in(limited_group, "cpu.max", "150000 100000")
                   : limited_group[0] && write_in(limited_group, "cpu.cfs_quota_us", "150000");
    if (!limited_group[0] || !set || !write_in(limited_group, "cgroup.procs", "0"))
        return MISSING;
    tbus_error_t err = {0};
    tbus_cgroup_cpu_t cpu = tbus_cgroup_cpu("/proc/self");
    must(cpu.milli <= 1500 && cpu.milli > 0, "not the quota of the group", &err);
    must(cpu.milli < 1500 || names_our_group(cpu.limit), cpu.limit, &err);
    return DONE;
}

static void a_real_group_with_little_memory_is_not_asked_for_more(void **state)
{
    (void)state;
    if (TBUS_TSAN) {
        print_message("ThreadSanitizer's own memory is more than the group may have\n");
        skip();
    }
    limit_a_group("memory");
    in_a_child(take_memory_in_a_real_group, "no control group of our own with a limit on memory");
}

static void the_quota_of_a_real_group_is_found(void **state)
{
    (void)state;
    limit_a_group("cpu");
    in_a_child(read_the_quota_of_a_real_group, "no control group of our own with a CPU quota");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_memory_than_the_control_group_leaves_is_refused_before_it_is_touched),
        cmocka_unit_test(
            books_that_the_control_group_has_no_room_for_are_refused_before_they_are_touched),
        cmocka_unit_test(a_journal_in_memory_is_held_against_the_control_group_as_well),
        cmocka_unit_test(without_proc_nothing_is_said_to_be_used_up_and_the_cause_is_told),
        cmocka_unit_test(out_of_descriptors_it_is_not_memory_that_is_missing),
        cmocka_unit_test_setup_teardown(
            more_huge_pages_than_the_control_group_leaves_are_refused_in_words, make_group,
            remove_group),
        cmocka_unit_test_setup_teardown(a_pipeline_names_the_control_group_and_not_the_pool,
                                        make_group, remove_group),
        cmocka_unit_test_teardown(a_real_group_with_little_memory_is_not_asked_for_more,
                                  remove_limited_group),
        cmocka_unit_test_teardown(the_quota_of_a_real_group_is_found, remove_limited_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
