/* SPDX-License-Identifier: Apache-2.0 */
/* busctl ipc, as a user runs it: every mechanism for a moment, every byte verified (a wrong one
 * fails the run), nothing left behind; what is wrong on the command line; one CPU; a run that is
 * interrupted, and one that is killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/program.h"
#include "tests/support/tmpdir.h"

static const char *const names[] = {"pipe",
                                    "fifo",
                                    "posix_mq",
                                    "sysv_mq",
                                    "shm_spin",
                                    "shm_posix_sem",
                                    "shm_futex",
                                    "sysv_sem",
                                    "unix_stream",
                                    "unix_dgram",
                                    "unix_seqpacket",
                                    "tcp",
                                    "tcp_nodelay",
                                    "udp",
                                    "eventfd",
                                    "signal",
                                    "mmap_file",
                                    "rpc_unix",
                                    "io_uring_msg",
                                    "tickbus_spsc_spin",
                                    "tickbus_spsc_park",
                                    "tickbus_mpsc",
                                    "tickbus_broadcast",
                                    "tickbus_broadcast_mp",
                                    "tickbus_mpmc"};
#define NAMES_COUNT (sizeof names / sizeof *names)

/* ---- what outlives processes: queues, semaphores, segments, files */

#define LISTING_MAX 65536

/* What a shell command prints; all of it counts, an error message too. */
static void listing(const char *command, char *out)
{
    FILE *p = popen(command, "r");
    assert_non_null(p);
    size_t bytes = fread(out, 1, LISTING_MAX - 1, p);
    out[bytes] = '\0';
    pclose(p);
}

/* System V objects (key and id: the first two columns), POSIX shared memory, the runs'
 * directories. */
static const char everything[] =
    "cut -c1-21 /proc/sysvipc/msg /proc/sysvipc/sem /proc/sysvipc/shm; ls -A /dev/shm $TMPDIR";

/* POSIX queues can be listed only where their file system is mounted: it is mounted for this look,
 * where we may. */
static bool list_queues(char *out)
{
    listing("ls /dev/mqueue 2>/dev/null && exit; "
            "unshare -m sh -c \"mount -t mqueue none /mnt && echo mounted && ls /mnt | grep "
            "^busctl-ipc\" "
            "2>/dev/null",
            out);
    return out[0] != '\0';
}

static char before[LISTING_MAX];
static char after[LISTING_MAX];

static void check_nothing_is_left(void)
{
    static char queues[LISTING_MAX];
    listing(everything, after);
    assert_string_equal(before, after);
    if (!list_queues(queues))
        print_message("POSIX queues: cannot look here\n");
    assert_null(strstr(queues, "busctl-ipc"));
}

/* ---- running it */

static json_t *run_json(const char *const *argv, program_t *p)
{
    *p = (program_t){.argv = argv};
    program_run(p);
    if (p->exit_code != 0)
        fail_msg("exit code %d: %s", p->exit_code, p->err);
    json_error_t why;
    json_t *o = json_loads(p->out, 0, &why);
    if (!o)
        fail_msg("line %d: %s", why.line, why.text);
    return o;
}

static const json_t *find_entry(const json_t *o, const char *name, size_t cpus)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(
        json_object_get(o, "mechanisms"), i,
        entry) if (strcmp(json_string_value(json_object_get(entry, "name")), name) == 0 &&
                   json_array_size(json_object_get(entry, "cpus")) == cpus) return entry;
    fail_msg("no row of %s on %zu CPUs", name, cpus);
    return NULL;
}

static double number(const json_t *entry, const char *object, const char *key)
{
    const json_t *value = json_object_get(object ? json_object_get(entry, object) : entry, key);
    return json_is_number(value) ? json_number_value(value) : -1;
}

static const char *text(const json_t *entry, const char *key)
{
    const char *value = json_string_value(json_object_get(entry, key));
    return value ? value : "";
}

static void check_row(const json_t *entry)
{
    const char *name = text(entry, "name");
    if (!json_is_true(json_object_get(entry, "available"))) {
        print_message("%s: %s\n", name, text(entry, "why_not"));
        assert_string_not_equal(text(entry, "why_not"), "");
        return;
    }
    double p50 = number(entry, "roundtrip_ns", "p50");
    assert_true(p50 > 0);
    assert_true(number(entry, "roundtrip_ns", "p99") <= number(entry, "roundtrip_ns", "max"));
    assert_true(number(entry, "roundtrip_ns", "count") >= 1);
    assert_true(number(entry, NULL, "cpu_ns_per_message") > 0);
    bool data = json_is_true(json_object_get(entry, "transfers_data"));
    if (!data)
        assert_true(number(entry, NULL, "synchronisations_per_s") > 0);
    static const char *const sizes[] = {"64", "1024", "65536"};
    for (size_t i = 0; i < 3; i++) {
        bool measured = number(entry, "messages_per_s", sizes[i]) > 0;
        bool explained =
            json_is_string(json_object_get(json_object_get(entry, "messages_per_s_why"), sizes[i]));
        if (measured == explained)
            fail_msg("%s, %s bytes: neither measured nor explained, or both", name, sizes[i]);
    }
    assert_string_not_equal(text(json_object_get(entry, "peer_killed"), "receive"), "");
    assert_string_not_equal(text(json_object_get(entry, "peer_killed"), "send"), "");
}

static void every_mechanism_runs_and_leaves_nothing_behind(void **state)
{
    (void)state;
    program_t p;
    listing(everything, before);
    json_t *o = run_json(
        (const char *const[]){TICKBUS_BUSCTL, "ipc", "--for", "500ms", "--json", NULL}, &p);
    check_nothing_is_left();
    assert_int_equal(json_array_size(json_object_get(o, "mechanisms")), 2 * NAMES_COUNT);
    for (size_t i = 0; i < NAMES_COUNT; i++)
        for (size_t cpus = 1; cpus <= 2; cpus++)
            check_row(find_entry(o, names[i], cpus));
    json_decref(o);
    program_clear(&p);
}

static void use_one_cpu(void)
{
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &set))
        cpu++;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void with_one_cpu_the_rows_of_two_say_so(void **state)
{
    (void)state;
    const char *const argv[] = {TICKBUS_BUSCTL, "ipc",   "--only", "pipe,tickbus_spsc_park",
                                "--for",        "200ms", "--json", NULL};
    program_t p = {.argv = argv, .in_child = use_one_cpu};
    assert_int_equal(program_run(&p), 0);
    json_t *o = json_loads(p.out, 0, NULL);
    assert_non_null(o);
    assert_string_equal(text(find_entry(o, "pipe", 2), "why_not"), "only one CPU may be used here");
    assert_true(number(find_entry(o, "pipe", 1), "roundtrip_ns", "p50") > 0);
    assert_true(number(find_entry(o, "tickbus_spsc_park", 1), "roundtrip_ns", "p50") > 0);
    json_decref(o);
    program_clear(&p);
}

static void a_message_that_a_mechanism_cannot_carry_is_a_row_without_figures(void **state)
{
    (void)state;
    program_t p;
    json_t *o = run_json((const char *const[]){TICKBUS_BUSCTL, "ipc", "--only", "udp,pipe",
                                               "--size", "65536", "--for", "200ms", "--json", NULL},
                         &p);
    assert_true(number(find_entry(o, "pipe", 1), "roundtrip_ns", "p50") > 0);
    assert_true(json_is_null(
        json_object_get(json_object_get(find_entry(o, "udp", 1), "roundtrip_ns"), "p50")));
    assert_true(number(find_entry(o, "udp", 1), "messages_per_s", "64") > 0);
    json_decref(o);
    program_clear(&p);
}

/* ---- for people */

static void the_tables_the_chart_and_the_advice_are_printed_and_written(void **state)
{
    (void)state;
    char directory[SCRATCH_PATH_MAX + 8];
    char path[SCRATCH_PATH_MAX + 24];
    snprintf(directory, sizeof directory, "%s/out", scratch);
    const char *const argv[] = {
        TICKBUS_BUSCTL, "ipc",     "--only", "pipe,eventfd,tickbus_spsc_spin",
        "--for",        "200ms",   "--sort", "throughput",
        "--out",        directory, NULL};
    program_t p = {.argv = argv};
    assert_int_equal(program_run(&p), 0);
    static const char *const parts[] = {"x raw",          "ONE CPU",      "logarithmic",
                                        "PEER IS KILLED", "LIMITS",       "CLASSIC COMPARISON",
                                        "WHAT TO TAKE",   "by throughput"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(p.out, parts[i]))
            fail_msg("'%s' is not printed", parts[i]);
    assert_string_equal(p.err, ""); /* no terminal: no progress */
    static const char *const files[] = {"ipc.html", "ipc.svg", "ipc.json"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        char *content = file_read(path, NULL);
        assert_non_null(content);
        assert_non_null(strstr(content, "tickbus_spsc_spin"));
        const char *address =
            strstr(content, "http"); /* nothing is fetched; the name space of SVG is no address */
        assert_true(!address || strncmp(address, "http://www.w3.org/2000/svg", 26) == 0);
        assert_null(strstr(content, ">nan<"));
        free(content);
    }
    program_clear(&p);
}

static void a_wrong_command_line_is_refused(void **state)
{
    (void)state;
    static const char *const lines[][3] = {
        {"--size", "7", "8 to 1048576"},         {"--size", "64x", "8 to 1048576"},
        {"--cpus", "0,0", "two different CPUs"}, {"--cpus", "0,", "two different"},
        {"--cpus", "99999", "may use"},          {"--for", "soon", "not a time"},
        {"--only", "pipe,pigeon", "pigeon"},     {"--only", "pipe,pipe", "twice"},
        {"--sort", "speed", "latency"},          {"pipe", NULL, "one argument too many"}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *const argv[] = {TICKBUS_BUSCTL, "ipc", lines[i][0], lines[i][1], NULL};
        program_t p = {.argv = argv};
        assert_int_equal(program_run(&p), 2);
        if (!strstr(p.err, lines[i][2]))
            fail_msg("%s %s: '%s'", lines[i][0], lines[i][1] ? lines[i][1] : "", p.err);
        assert_string_equal(p.out, "");
        program_clear(&p);
    }
}

/* ---- interrupted, killed */

static bool run_has_begun(void)
{
    char command[SCRATCH_PATH_MAX + 64];
    static char found[LISTING_MAX];
    snprintf(command, sizeof command, "grep -c posix_mq %s/busctl-ipc.*/objects 2>/dev/null",
             scratch);
    listing(command, found);
    return atoi(found) > 0;
}

static const char *const long_run[] = {
    TICKBUS_BUSCTL, "ipc", "--only", "posix_mq,sysv_mq,sysv_sem,fifo,mmap_file",
    "--for",        "60s", NULL};

static void after_ctrl_c_nothing_is_left(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM};
    listing(everything, before);
    for (size_t i = 0; i < 2; i++) {
        program_t p = {.argv = long_run};
        assert_true(program_start(&p));
        while (!run_has_begun())
            assert_false(program_ended(&p));
        kill(p.pid, signals[i]);
        program_wait(&p);
        assert_int_equal(p.exit_code, 1);
        assert_non_null(strstr(p.err, "interrupted"));
        check_nothing_is_left();
        program_clear(&p);
    }
}

static void after_kill_9_the_next_run_removes_what_was_left(void **state)
{
    (void)state;
    listing(everything, before);
    program_t p = {.argv = long_run};
    assert_true(program_start(&p));
    while (!run_has_begun())
        assert_false(program_ended(&p));
    kill(p.pid, SIGKILL);
    program_wait(&p);
    program_clear(&p);
    listing(everything, after);
    assert_string_not_equal(before, after); /* its directory, at the least */
    const char *const argv[] = {TICKBUS_BUSCTL, "ipc", "--only", "pipe", "--for", "200ms", NULL};
    program_t second = {.argv = argv};
    assert_int_equal(program_run(&second), 0);
    assert_non_null(strstr(second.err, "removed what 1 killed run had left behind"));
    check_nothing_is_left();
    program_clear(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_mechanism_runs_and_leaves_nothing_behind,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(with_one_cpu_the_rows_of_two_say_so, enter_scratch,
                                        leave_scratch),
        cmocka_unit_test_setup_teardown(
            a_message_that_a_mechanism_cannot_carry_is_a_row_without_figures, enter_scratch,
            leave_scratch),
        cmocka_unit_test_setup_teardown(the_tables_the_chart_and_the_advice_are_printed_and_written,
                                        enter_scratch, leave_scratch),
        cmocka_unit_test(a_wrong_command_line_is_refused),
        cmocka_unit_test_setup_teardown(after_ctrl_c_nothing_is_left, enter_scratch, leave_scratch),
        cmocka_unit_test_setup_teardown(after_kill_9_the_next_run_removes_what_was_left,
                                        enter_scratch, leave_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
