/* SPDX-License-Identifier: Apache-2.0 */
/* What control groups leave: read from made-up hierarchies; and what a segment makes of it, in a
 * group of our own with a real limit on huge pages, and behind made-up limits on memory that only a
 * child of ours sees. What this host does not let us set up is skipped. */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/run/cgroup.h"
#include "tests/support/program.h"
#include "tools/run/pipeline.h"

#include <tickbus/segment.h>

#define MIB       (UINT64_C(1) << 20)
#define HUGE_PAGE (2 * MIB)

/* ---- made-up hierarchies ---- */

static char root[SCRATCH_PATH_MAX];

static int make_root(void **state)
{
    (void)state;
    scratch_create(root);
    return 0;
}
static int remove_root(void **state)
{
    (void)state;
    scratch_remove(root);
    return 0;
}

static void make_directories(const char *path)
{
    char part[PATH_MAX];
    for (const char *end = path + 1; *end; end++)
        if (*end == '/' && snprintf(part, sizeof part, "%.*s", (int)(end - path), path) > 0)
            mkdir(part, 0700);
}

/* At a path below the scratch directory; directories on the way are made. */
static void put(const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", root, name);
    make_directories(path);
    assert_true(file_write(path, text, strlen(text)));
}

/* One file system of control groups, at `mnt` below the scratch directory. */
static void put_mount(const char *group, const char *mounted, const char *type, const char *super)
{
    char line[PATH_MAX];
    snprintf(line, sizeof line,
             "22 1 0:20 / /proc rw,nosuid - proc proc rw\n"
             "36 22 0:31 %s %s/mnt rw,relatime shared:9 master:1 - %s %s %s\n",
             mounted, root, type, type, super);
    put("proc/mountinfo", line);
    put("proc/cgroup", group);
}

static tbus_cgroup_room_t ask(bool huge)
{
    char proc[PATH_MAX];
    snprintf(proc, sizeof proc, "%s/proc", root);
    return huge ? tbus_cgroup_huge_pages(proc) : tbus_cgroup_memory(proc);
}

static void expect(bool huge, uint64_t bytes, const char *limit)
{
    char path[PATH_MAX] = "";
    tbus_cgroup_room_t room = ask(huge);
    if (*limit)
        snprintf(path, sizeof path, "%s/mnt/%s", root, limit);
    assert_int_equal(room.bytes, bytes);
    assert_string_equal(room.limit, path);
}

static void without_control_groups_nothing_is_limited(void **state)
{
    (void)state;
    expect(false, TBUS_CGROUP_ANY, ""); /* not even a /proc */
    put_mount("0::/a/b\n", "/", "cgroup2", "rw");
    expect(false, TBUS_CGROUP_ANY, "");
    put("mnt/a/memory.max", "max\n");
    put("mnt/a/memory.current", "1000\n");
    expect(false, TBUS_CGROUP_ANY, "");
    put("proc/mountinfo", "nonsense\n\n - \n1 2 3\n");
    put("proc/cgroup", "nonsense\n::\n0:\n0::\n");
    expect(false, TBUS_CGROUP_ANY, "");
}

static void the_group_that_leaves_least_counts_wherever_it_is_on_the_way_up(void **state)
{
    (void)state;
    put_mount("0::/a/b/c\n", "/", "cgroup2", "rw,nsdelegate");
    put("mnt/a/b/memory.max", "104857600\n");
    put("mnt/a/b/memory.current", "4857600\n");
    expect(false, 100000000, "a/b/memory.max");
    put("mnt/a/memory.max", "50000000\n");
    put("mnt/a/memory.current", "45000000\n");
    expect(false, 5000000, "a/memory.max");
    put("mnt/a/b/c/memory.max", "5\n");
    put("mnt/a/b/c/memory.current", "6\n"); /* it was lowered */
    expect(false, 0, "a/b/c/memory.max");
    expect(true, TBUS_CGROUP_ANY, "");
    put("mnt/a/b/c/memory.max", "many\n");
    put("mnt/a/memory.max", "");
    expect(false, 100000000, "a/b/memory.max");
    put("mnt/memory.max", "3000\n"); /* where it is mounted, which may be somebody's group */
    expect(false, 3000, "memory.max");
    put("proc/cgroup", "0::/\n");
    expect(false, 3000, "memory.max");
}

static void file_caches_count_as_left(void **state)
{
    (void)state;
    put_mount("0::/a\n", "/", "cgroup2", "rw");
    put("mnt/a/memory.max", "10000\n");
    put("mnt/a/memory.current", "9000\n");
    put("mnt/a/memory.stat",
        "anon 100\nfile 8000\nshmem 5000\ninactive_file 1000\nactive_file 2000\n");
    expect(false, 4000, "a/memory.max");
    put("mnt/a/memory.stat", "inactive_file 10000\nactive_file 2000\n"); /* read a moment later */
    expect(false, 10000, "a/memory.max");
}

static void a_hierarchy_of_one_controller_is_found_by_its_name(void **state)
{
    (void)state;
    put_mount("9:name=systemd:/x\n4:cpu,memory:/a\n0::/\n", "/", "cgroup", "rw,cpu,memory");
    put("mnt/a/memory.limit_in_bytes", "20000\n");
    put("mnt/a/memory.usage_in_bytes", "19000\n");
    put("mnt/a/memory.stat",
        "inactive_file 1\nactive_file 2\ntotal_inactive_file 30\ntotal_active_file 40\n");
    put("mnt/memory.limit_in_bytes", "9223372036854771712\n"); /* none */
    expect(false, 1070, "a/memory.limit_in_bytes");
    put("mnt/a/hugetlb.2MB.limit_in_bytes", "2097152\n");
    expect(true, TBUS_CGROUP_ANY, ""); /* another hierarchy's */
    put_mount("3:memorial,hugetlb:/a\n", "/", "cgroup", "rw,hugetlb");
    expect(true, 2097152, "a/hugetlb.2MB.limit_in_bytes");
    expect(false, TBUS_CGROUP_ANY, "");
}

static void in_a_container_groups_are_found_from_where_they_are_mounted(void **state)
{
    (void)state;
    put_mount("0::/docker/77/inner\n", "/docker/77", "cgroup2", "rw");
    put("mnt/inner/memory.max", "1000\n");
    expect(false, 1000, "inner/memory.max");
    put("mnt/memory.max", "900\n");
    expect(false, 900, "memory.max");
    put("proc/cgroup", "0::/docker/778\n"); /* beside it */
    expect(false, 900, "memory.max");
    put("proc/cgroup", "0::/../778\n");
    expect(false, 900, "memory.max");
}

static void of_a_long_path_the_end_is_told(void **state)
{
    (void)state;
    char group[256], text[300], path[300];
    memset(group, 'x', sizeof group);
    memcpy(group + 100, "/", 1);
    group[200] = 0;
    snprintf(text, sizeof text, "0::/%s\n", group);
    put_mount(text, "/", "cgroup2", "rw");
    snprintf(path, sizeof path, "mnt/%s/memory.max", group);
    put(path, "5\n");
    tbus_cgroup_room_t room = ask(false);
    assert_int_equal(room.bytes, 5);
    assert_int_equal(strlen(room.limit), sizeof room.limit - 1);
    assert_memory_equal(room.limit, "...", 3);
    assert_string_equal(room.limit + 3, path + strlen(path) - (sizeof room.limit - 4));
}

static void huge_pages_are_limited_when_touched_or_when_mapped(void **state)
{
    (void)state;
    put_mount("0::/a\n", "/", "cgroup2", "rw");
    put("mnt/a/hugetlb.2MB.max", "8388608\n");
    put("mnt/a/hugetlb.2MB.current", "2097152\n");
    expect(true, 3 * HUGE_PAGE, "a/hugetlb.2MB.max");
    put("mnt/a/hugetlb.2MB.rsvd.max", "4194304\n");
    put("mnt/a/hugetlb.2MB.rsvd.current", "2097152\n");
    expect(true, HUGE_PAGE, "a/hugetlb.2MB.rsvd.max");
}

static void expect_cpu(uint32_t milli, const char *limit)
{
    char proc[PATH_MAX], path[PATH_MAX] = "";
    snprintf(proc, sizeof proc, "%s/proc", root);
    tbus_cgroup_cpu_t cpu = tbus_cgroup_cpu(proc);
    if (*limit)
        snprintf(path, sizeof path, "%s/mnt/%s", root, limit);
    assert_int_equal(cpu.milli, milli);
    assert_string_equal(cpu.limit, path);
}

static void the_smallest_quota_of_cpu_time_on_the_way_up_counts(void **state)
{
    (void)state;
    expect_cpu(TBUS_CGROUP_CPU_ANY, "");
    put_mount("0::/a/b\n", "/", "cgroup2", "rw");
    put("mnt/a/b/cpu.max", "max 100000\n");
    expect_cpu(TBUS_CGROUP_CPU_ANY, "");
    put("mnt/a/cpu.max", "150000 100000\n");
    expect_cpu(1500, "a/cpu.max");
    put("mnt/a/b/cpu.max", "10000 50000\n");
    expect_cpu(200, "a/b/cpu.max");
    put("mnt/a/b/cpu.max", "1 1000000\n"); /* next to nothing is not "no limit" */
    expect_cpu(1, "a/b/cpu.max");
    put("mnt/a/b/cpu.max", "nonsense\n");
    expect_cpu(1500, "a/cpu.max");
}

static void a_quota_of_the_first_version_stands_in_two_files(void **state)
{
    (void)state;
    put_mount("3:cpu,cpuacct:/a\n4:cpuset:/z\n0::/\n", "/", "cgroup", "rw,cpu,cpuacct");
    put("mnt/a/cpu.cfs_quota_us", "-1\n");
    put("mnt/a/cpu.cfs_period_us", "100000\n");
    expect_cpu(TBUS_CGROUP_CPU_ANY, "");
    put("mnt/a/cpu.cfs_quota_us", "20000\n");
    expect_cpu(200, "a/cpu.cfs_quota_us");
    put("mnt/cpu.cfs_quota_us", "5000\n"); /* its period is missing */
    expect_cpu(200, "a/cpu.cfs_quota_us");
    put("mnt/z/cpu.cfs_quota_us", "10\n"); /* another controller's group */
    put("mnt/z/cpu.cfs_period_us", "100000\n");
    expect_cpu(200, "a/cpu.cfs_quota_us");
}

static void kills_for_want_of_memory_are_counted_in_our_own_group(void **state)
{
    (void)state;
    char proc[PATH_MAX], path[PATH_MAX];
    snprintf(proc, sizeof proc, "%s/proc", root);
    assert_string_equal(tbus_cgroup_kills(proc).limit, "");
    put_mount("0::/a/b\n", "/", "cgroup2", "rw");
    put("mnt/a/memory.events", "low 0\nhigh 0\nmax 9\noom 8\noom_kill 7\noom_group_kill 1\n");
    assert_int_equal(tbus_cgroup_kills(proc).count, 7); /* ours has no such file */
    put("mnt/a/b/memory.events", "low 0\nhigh 0\nmax 3\noom 3\noom_kill 2\n");
    tbus_cgroup_kills_t kills = tbus_cgroup_kills(proc);
    snprintf(path, sizeof path, "%s/mnt/a/b/memory.max", root);
    assert_int_equal(kills.count, 2);
    assert_string_equal(kills.limit, path);
    put_mount("5:memory:/c\n0::/\n", "/", "cgroup", "rw,memory");
    put("mnt/c/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
    assert_int_equal(tbus_cgroup_kills(proc).count, 4);
}

/* ---- segments ---- */

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
                make_directories(path);
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
    must(pipeline_create(&config, &layout, UINT64_MAX, &pipeline, &err) == 0, "no pipeline", &err);
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

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(without_control_groups_nothing_is_limited),
        IN_SCRATCH(the_group_that_leaves_least_counts_wherever_it_is_on_the_way_up),
        IN_SCRATCH(file_caches_count_as_left),
        IN_SCRATCH(a_hierarchy_of_one_controller_is_found_by_its_name),
        IN_SCRATCH(in_a_container_groups_are_found_from_where_they_are_mounted),
        IN_SCRATCH(of_a_long_path_the_end_is_told),
        IN_SCRATCH(huge_pages_are_limited_when_touched_or_when_mapped),
        IN_SCRATCH(the_smallest_quota_of_cpu_time_on_the_way_up_counts),
        IN_SCRATCH(a_quota_of_the_first_version_stands_in_two_files),
        IN_SCRATCH(kills_for_want_of_memory_are_counted_in_our_own_group),
        cmocka_unit_test(more_memory_than_the_control_group_leaves_is_refused_before_it_is_touched),
        cmocka_unit_test_setup_teardown(
            more_huge_pages_than_the_control_group_leaves_are_refused_in_words, make_group,
            remove_group),
        cmocka_unit_test_setup_teardown(a_pipeline_names_the_control_group_and_not_the_pool,
                                        make_group, remove_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
