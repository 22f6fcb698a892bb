/* SPDX-License-Identifier: Apache-2.0 */
/* Which program had the CPU: from records as the kernel writes them, and from the kernel, where it
 * lets us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "tools/latency/switches.h"

#define MS UINT64_C(1000000)

/* --- records by hand */

typedef struct buffer {
    size_t bytes;
    unsigned char data[4096];
} buffer_t;

static void put(buffer_t *b, const void *data, size_t bytes)
{
    assert_true(b->bytes + bytes <= sizeof b->data);
    memcpy(b->data + b->bytes, data, bytes);
    b->bytes += bytes;
}

static void put_header(buffer_t *b, uint32_t type, uint16_t misc, uint16_t bytes)
{
    struct perf_event_header header = {.type = type, .misc = misc, .size = bytes};
    put(b, &header, sizeof header);
}

static void put_id(buffer_t *b, uint32_t tid, uint64_t at_ns)
{
    uint32_t ids[2] = {tid, tid};
    put(b, ids, sizeof ids);
    put(b, &at_ns, sizeof at_ns);
}

/* `from` leaves the CPU and `to` gets it: two records. */
static void put_switch(buffer_t *b, uint64_t at_ns, uint32_t from, uint32_t to)
{
    uint32_t next[2] = {to, to}, previous[2] = {from, from};
    put_header(b, PERF_RECORD_SWITCH_CPU_WIDE, PERF_RECORD_MISC_SWITCH_OUT, 32);
    put(b, next, sizeof next);
    put_id(b, from, at_ns);
    put_header(b, PERF_RECORD_SWITCH_CPU_WIDE, 0, 32);
    put(b, previous, sizeof previous);
    put_id(b, to, at_ns + 100);
}

static void put_name(buffer_t *b, uint32_t tid, const char *name)
{
    char padded[16] = "";
    snprintf(padded, sizeof padded, "%s", name);
    uint32_t ids[2] = {tid, tid};
    put_header(b, PERF_RECORD_COMM, 0, 8 + 8 + 16 + 16);
    put(b, ids, sizeof ids);
    put(b, padded, sizeof padded);
    put_id(b, tid, 1);
}

static void put_lost(buffer_t *b, uint64_t lost)
{
    uint64_t words[2] = {7, lost};
    put_header(b, PERF_RECORD_LOST, 0, 8 + 16 + 16);
    put(b, words, sizeof words);
    put_id(b, 0, 1);
}

enum { OURS = 100, NEIGHBOUR = 200, OTHER = 300 };

static switches_t parsed(const buffer_t *b, size_t bytes)
{
    switches_t s = {.cpus_count = 1, .cpus = {{.cpu = 3, .fd = -1}}};
    assert_int_equal(switches_parse(&s, 3, b->data, bytes), 0);
    return s;
}

static buffer_t a_record(void)
{
    buffer_t b = {0};
    put_name(&b, NEIGHBOUR, "neighbour");
    put_name(&b, OTHER, "other");
    put_switch(&b, 1 * MS, 0, OURS);
    put_switch(&b, 10 * MS, OURS, NEIGHBOUR);
    put_switch(&b, 16 * MS, NEIGHBOUR, OTHER);
    put_switch(&b, 18 * MS, OTHER, OURS);
    put_switch(&b, 30 * MS, OURS, 0);
    put_lost(&b, 12);
    return b;
}

static void whoever_had_the_cpu_for_the_longest_part_is_named(void **state)
{
    (void)state;
    char name[32];
    buffer_t b = a_record();
    switches_t s = parsed(&b, b.bytes);
    assert_true(switches_who(&s, 3, OURS, 9 * MS, 19 * MS, name, sizeof name));
    assert_string_equal(name, "neighbour");
    assert_true(switches_who(&s, 3, OURS, 15 * MS, 25 * MS, name, sizeof name));
    assert_string_equal(name, "other");
    assert_int_equal(s.lost, 12);
    switches_clear(&s);
    assert_null(s.names);
}

static void nobody_is_named_where_nobody_was(void **state)
{
    (void)state;
    char name[32];
    buffer_t b = a_record();
    switches_t s = parsed(&b, b.bytes);
    assert_false(switches_who(&s, 3, OURS, 20 * MS, 25 * MS, name, sizeof name)); /* we had it */
    assert_false(switches_who(&s, 3, OURS, 40 * MS, 50 * MS, name, sizeof name)); /* not recorded */
    assert_false(switches_who(&s, 2, OURS, 9 * MS, 19 * MS, name, sizeof name));  /* another CPU */
    switches_clear(&s);
    switches_t none = {0};
    assert_false(switches_who(&none, 3, OURS, 9 * MS, 19 * MS, name, sizeof name));
}

static void what_others_had_of_a_cpu_is_told_and_ours_and_their_children_are_none(void **state)
{
    (void)state;
    uint64_t ns;
    buffer_t b = a_record();
    switches_t s = parsed(&b, b.bytes);
    switches_add_ours(&s, OURS);
    assert_true(switches_others(&s, 3, 9 * MS, 17 * MS, &ns));
    assert_int_equal(ns, 7 * MS);
    assert_true(switches_others(&s, 3, 18 * MS, 30 * MS, &ns));
    assert_int_equal(ns, 0); /* ours */
    switches_add_ours(&s, NEIGHBOUR);
    assert_true(switches_others(&s, 3, 9 * MS, 17 * MS, &ns));
    assert_int_equal(ns, 1 * MS);
    assert_false(switches_others(&s, 3, 40 * MS, 50 * MS, &ns)); /* not recorded */
    assert_false(switches_others(&s, 2, 9 * MS, 17 * MS, &ns));  /* another CPU */
    switches_clear(&s);
}

static void a_record_that_is_cut_anywhere_gives_what_is_whole(void **state)
{
    (void)state;
    buffer_t b = a_record();
    for (size_t bytes = 0; bytes <= b.bytes; bytes++) {
        switches_t s = parsed(&b, bytes);
        assert_true(s.cpus[0].count <= 5);
        for (uint64_t i = 1; i < s.cpus[0].count; i++)
            assert_true(s.cpus[0].events[i].at_ns > s.cpus[0].events[i - 1].at_ns);
        switches_clear(&s);
    }
    b.data[6] = b.data[7] = 0; /* a size of zero would never come to an end */
    switches_t s = parsed(&b, b.bytes);
    assert_int_equal(s.cpus[0].count, 0);
    switches_clear(&s);
}

/* --- the kernel */

static int some_cpu(void)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            return cpu;
    return -1;
}

static void put_fork(buffer_t *b, uint32_t tid, uint32_t parent)
{
    uint32_t ids[4] = {tid, parent, tid, parent};
    uint64_t at_ns = 1;
    put_header(b, PERF_RECORD_FORK, 0, 8 + 16 + 8 + 16);
    put(b, ids, sizeof ids);
    put(b, &at_ns, sizeof at_ns);
    put_id(b, parent, at_ns);
}

enum { ENDED = 0x7ffffff0, ENDED_PARENT = 0x7ffffff1 }; /* no host gives these numbers */

/* Forked and gone, without an exec: it had the name of whoever made it. */
static void who_has_ended_has_the_name_of_who_made_it(void **state)
{
    (void)state;
    char name[32];
    buffer_t b = {0};
    put_name(&b, NEIGHBOUR, "neighbour");
    put_fork(&b, ENDED_PARENT, NEIGHBOUR);
    put_fork(&b, ENDED, ENDED_PARENT);
    put_switch(&b, 1 * MS, OURS, ENDED);
    put_switch(&b, 5 * MS, ENDED, OURS);
    switches_t s = parsed(&b, b.bytes);
    assert_int_equal(switches_end(&s), 0);
    assert_true(switches_who(&s, 3, OURS, 1 * MS, 5 * MS, name, sizeof name));
    assert_string_equal(name, "neighbour");
    switches_clear(&s);
    b = (buffer_t){0};
    put_switch(&b, 1 * MS, OURS, ENDED);
    put_switch(&b, 5 * MS, ENDED, OURS);
    s = parsed(&b, b.bytes);
    assert_int_equal(switches_end(&s), 0);
    assert_true(switches_who(&s, 3, OURS, 1 * MS, 5 * MS, name, sizeof name));
    assert_string_equal(name, "pid 2147483632");
    switches_clear(&s);
}

static pid_t start_neighbour(int cpu)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "the_neighbour");
    for (;;) {
    }
}

static uint64_t cpu_time_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec time = {0};
    if (clock_getcpuclockid(pid, &clock) == 0)
        clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000 * MS + (uint64_t)time.tv_nsec;
}

static void a_neighbour_on_a_cpu_is_found_by_its_name(void **state)
{
    (void)state;
    int cpu = some_cpu();
    switches_t s;
    tbus_error_t err;
    char name[32] = "";
    if (switches_begin(&cpu, 1, &s, &err) < 0) {
        assert_non_null(strstr(err.text, "perf_event"));
        print_message("not allowed here: %s\n", err.text);
        skip();
    }
    pid_t pid = start_neighbour(cpu);
    uint64_t from_ns = tbus_clock_ns();
    struct timespec nap = {.tv_nsec = 2000000};
    while (cpu_time_ns(pid) < 30 * MS) /* others may want that CPU, too */
        nanosleep(&nap, NULL);
    uint64_t to_ns = tbus_clock_ns();
    kill(pid, SIGSTOP); /* the last switch, which ends its time */
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
    int code = switches_end(&s);
    bool found = false;
    for (uint64_t i = 0; i < s.names_count; i++)
        found |= strcmp(s.names[i].name, "the_neighbour") == 0;
    bool told = switches_who(&s, cpu, getpid(), from_ns, to_ns, name, sizeof name);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    switches_clear(&s);
    assert_int_equal(code, 0);
    assert_true(found);
    assert_true(told); /* who it was, if others had more of that CPU, the host knows */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_had_the_cpu_for_the_longest_part_is_named),
        cmocka_unit_test(nobody_is_named_where_nobody_was),
        cmocka_unit_test(what_others_had_of_a_cpu_is_told_and_ours_and_their_children_are_none),
        cmocka_unit_test(a_record_that_is_cut_anywhere_gives_what_is_whole),
        cmocka_unit_test(who_has_ended_has_the_name_of_who_made_it),
        cmocka_unit_test(a_neighbour_on_a_cpu_is_found_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
