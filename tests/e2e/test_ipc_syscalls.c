/* SPDX-License-Identifier: Apache-2.0 */
/* Are the system calls that busctl ipc reports those that the kernel saw? Each mechanism counts its
 * own; strace(1) counts them again.
 *
 * The program runs itself: as `test_ipc_syscalls --trial NAME` it makes one trial and prints what
 * the mechanism counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/program.h"
#include "tools/measure/host.h"
#include "tools/ipc/trial.h"

#define TRIAL_NS UINT64_C(100000000)

static int run_trial(const char *name, const char *kind)
{
    ipc_trial_spec_t spec = {.mechanism = ipc_mechanism_find(name),
                             .kind = strcmp(kind, "stream") == 0 ? IPC_STREAM : IPC_ROUNDTRIP,
                             .message_bytes = 64,
                             .duration_ns = TRIAL_NS};
    const char *why;
    tbus_error_t err = {0};
    ipc_leftovers_t leftovers;
    ipc_trial_result_t result;
    ipc_trial_area_t *area = ipc_trial_area_new();
    host_pick_cpus(spec.cpus, &why);
    if (!area || ipc_leftovers_open(&leftovers, &err) < 0)
        return 1;
    int code = ipc_trial_run(&spec, &leftovers, area, &result, &err);
    ipc_leftovers_close(&leftovers);
    if (code < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("%llu\n", (unsigned long long)result.syscalls);
    return 0;
}

/* Which calls a mechanism makes, and by how much the count may be wrong. Those that the C library
 * or tickbus makes on the mechanism's behalf are inferred from who slept: with one message in
 * flight that comes out, in a stream, whether the sleeper was still asleep when it was woken,
 * nobody can tell. */
static const struct {
    const char *name;
    const char *calls; /* between spaces */
    double tolerance;
    bool inferred;
} mechanisms[] = {
    {"pipe", " read write ", 0.01, false},
    {"fifo", " read write ", 0.01, false},
    {"posix_mq", " mq_timedsend mq_timedreceive ", 0.01, false},
    {"sysv_mq", " msgsnd msgrcv ", 0.01, false},
    {"shm_posix_sem", " futex ", 0.25, true},
    {"shm_futex", " futex ", 0.01, false},
    {"sysv_sem", " semop semtimedop ", 0.01, false},
    {"unix_stream", " read write ", 0.01, false},
    {"unix_dgram", " sendto recvfrom ", 0.01, false},
    {"unix_seqpacket", " sendto recvfrom ", 0.01, false},
    {"tcp", " read write ", 0.01, false},
    {"udp", " sendto recvfrom ", 0.01, false},
    {"eventfd", " read write ", 0.01, false},
    {"signal", " rt_sigqueueinfo rt_sigtimedwait ", 0.01, false},
    {"rpc_unix", " read write ", 0.01, false},
    {"io_uring_msg", " io_uring_enter ", 0.02, false},
    {"tickbus_spsc_park", " futex futex_waitv membarrier fcntl ", 0.15, true},
};
/* as much may the calls at the start of the three processes differ from one trial to the next */
#define OTHERS 20

/* Sum up what strace counted: "% time  seconds  usecs/call  calls  [errors]  name". */
static double seen_by_strace(const char *table, const char *calls)
{
    double sum = 0;
    for (const char *line = table; line && *line; line = strchr(line, '\n'), line += line ? 1 : 0) {
        char fields[6][32];
        char wanted[40];
        int count = sscanf(line, "%31s %31s %31s %31s %31s %31s", fields[0], fields[1], fields[2],
                           fields[3], fields[4], fields[5]);
        const char *end = strchr(line, '\n');
        if (count < 5 || !end)
            continue;
        /* The name is the last field of the line; the error count before it may be missing. */
        bool errors = fields[4][0] >= '0' && fields[4][0] <= '9';
        snprintf(wanted, sizeof wanted, " %s ", fields[errors ? 5 : 4]);
        if (strstr(calls, wanted))
            sum += atof(fields[3]);
    }
    return sum;
}

#define ATTEMPTS 4u

static const char *self; /* this program */
static char scratch[SCRATCH_PATH_MAX];

/* One trial under strace: its table (the caller frees), and what the mechanism counted. */
static char *trace(const char *name, const char *kind, double *out_counted)
{
    char path[SCRATCH_PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/counts", scratch);
    const char *const argv[] = {"strace", "-f",      "-c", "-o", path,
                                self,     "--trial", name, kind, NULL};
    program_t p = {.argv = argv};
    if (program_run(&p) != 0)
        fail_msg("%s: %s", name, p.err);
    *out_counted = atof(p.out);
    program_clear(&p);
    char *table = file_read(path, NULL);
    assert_non_null(table);
    return table;
}

/* Do the figures of one trial agree? */
static bool agrees(size_t i, const char *kind, const char *idle_table, double *out_counted,
                   double *out_seen)
{
    char *table = trace(mechanisms[i].name, kind, out_counted);
    double others = seen_by_strace(idle_table, mechanisms[i].calls);
    *out_seen = seen_by_strace(table, mechanisms[i].calls) - others;
    free(table);
    print_message("%-18s %-9s counted %8.0f, strace saw %8.0f and %.0f at the start\n",
                  mechanisms[i].name, kind, *out_counted, *out_seen, others);
    double wrong = *out_seen > *out_counted ? *out_seen - *out_counted : *out_counted - *out_seen;
    return wrong <= OTHERS + mechanisms[i].tolerance * *out_seen;
}

/* A side that is kept from its CPU for some ms has the other look for the dead, and those calls are
 * nobody's message: then the trial is made again. A count that is wrong is so each time. */
static void check(size_t i, const char *kind, const char *idle_table)
{
    double counted = 0, seen = 0;
    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++)
        if (agrees(i, kind, idle_table, &counted, &seen))
            return;
    fail_msg("%s, %s: counted %.0f, strace saw %.0f", mechanisms[i].name, kind, counted, seen);
}

static bool strace_works(void)
{
    const char *const probe[] = {"strace", "-f", "-c", "-o", "/dev/null", "true", NULL};
    program_t p = {.argv = probe};
    bool works = program_run(&p) == 0;
    program_clear(&p);
    return works;
}

static void mechanisms_count_the_system_calls_that_the_kernel_sees(void **state)
{
    (void)state;
    if (!strace_works()) {
        print_message("strace is not here, or may not trace\n");
        skip();
    }
    scratch_create(scratch);
    setenv("TMPDIR", scratch, 1);
    setenv("ASAN_OPTIONS", "detect_leaks=0",
           1); /* of what is traced: the leak detector wants to trace it itself */
    double none;
    char *idle_table = trace("shm_spin", "roundtrip", &none); /* makes no calls of its own */
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
        const ipc_mechanism_t *m = ipc_mechanism_find(mechanisms[i].name);
        char why[128] = "";
        assert_non_null(m);
        if (m->available && !m->available(why, sizeof why)) {
            print_message("%s: %s\n", m->name, why);
            continue;
        }
        check(i, "roundtrip", idle_table);
        if (!mechanisms[i].inferred)
            check(i, "stream", idle_table);
    }
    free(idle_table);
    scratch_remove(scratch);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--trial") == 0)
        return run_trial(argv[2], argv[3]);
    self = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mechanisms_count_the_system_calls_that_the_kernel_sees)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
