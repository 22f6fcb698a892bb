/* SPDX-License-Identifier: Apache-2.0 */
/* What control groups leave, read from made-up hierarchies. What is made of it: test_limited.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/run/cgroup.h"
#include "tests/support/program.h"
#include "tools/run/memory.h"

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

/* At a path below the scratch directory; directories on the way are made. */
static void put(const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", root, name);
    directories_make(path);
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

static void a_kill_for_want_of_memory_is_called_by_its_name(void **state)
{
    (void)state;
    char proc[PATH_MAX], text[400];
    snprintf(proc, sizeof proc, "%s/proc", root);
    put_mount("0::/a\n", "/", "cgroup2", "rw");
    put("proc/self/cgroup", "0::/a\n");
    snprintf(text, sizeof text, "36 22 0:31 / %s/mnt rw - cgroup2 cgroup2 rw\n", root);
    put("proc/self/mountinfo", text);
    put("proc/vmstat", "nr_free_pages 5\noom_kill 3\npgfault 7\n");
    put("mnt/a/memory.events", "oom_kill 2\n");
    memory_kills_t before = memory_kills(proc), after = before;
    assert_int_equal(before.host, 3);
    assert_false(memory_kill_text(&before, &after, text, sizeof text));
    put("proc/vmstat", "oom_kill 4\n"); /* in some other group */
    after = memory_kills(proc);
    assert_true(memory_kill_text(&before, &after, text, sizeof text));
    assert_non_null(strstr(text, "out of memory"));
    put("mnt/a/memory.events", "oom_kill 3\n");
    after = memory_kills(proc);
    assert_true(memory_kill_text(&before, &after, text, sizeof text));
    assert_non_null(strstr(text, "mnt/a/memory.max"));
    assert_non_null(strstr(text, "books.orders_max"));
}

static void what_a_process_has_touched_is_its_own_resident_memory(void **state)
{
    (void)state;
    char proc[PATH_MAX];
    snprintf(proc, sizeof proc, "%s/proc", root);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    put("proc/42/statm", "9000 700 200 5 0 800 0\n"); /* all, resident, of that shared */
    assert_int_equal(memory_touched(proc, 42), 500 * page);
    put("proc/42/statm", "9000 200 200 5 0 800 0\n");
    assert_int_equal(memory_touched(proc, 42), 0);
    put("proc/42/statm", "nonsense\n");
    assert_int_equal(memory_touched(proc, 42), 0);
    assert_int_equal(memory_touched(proc, 43), 0); /* it has ended */
    assert_in_range(memory_touched("/proc", getpid()), 1, UINT64_C(1) << 40);
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
        IN_SCRATCH(what_a_process_has_touched_is_its_own_resident_memory),
        IN_SCRATCH(a_kill_for_want_of_memory_is_called_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
