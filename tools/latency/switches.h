/* SPDX-License-Identifier: Apache-2.0 */
/* switches.h - which program had which CPU when, as the kernel's own record of switches has it
 * (perf_event_open(2), PERF_RECORD_SWITCH_CPU_WIDE). So a stall by preemption gets a name.
 *
 * The record costs the processes that are watched nothing but a few hundred ns in each switch, and
 * nobody has to wake for it: it goes into memory that is read after the run. When that is full the
 * rest is lost and counted; names are then known of the first part of the run.
 *
 * Needs root, CAP_PERFMON or kernel.perf_event_paranoid <= 0. Without it nothing is known, and the
 * causes stand without names.
 */
#ifndef TICKBUS_TOOLS_LATENCY_SWITCHES_H
#define TICKBUS_TOOLS_LATENCY_SWITCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#define SWITCHES_CPUS_MAX 16u
#define SWITCHES_OURS_MAX 64u
#define SWITCHES_NAME_MAX 16u /* as the kernel cuts it */

typedef struct switches_event {
    uint64_t at_ns; /* CLOCK_MONOTONIC: from then on ... */
    int32_t tid;    /* ... this thread runs; 0: nobody */
} switches_event_t;

typedef struct switches_name {
    int32_t tid;
    char name[SWITCHES_NAME_MAX];
} switches_name_t;

/* A thread and the one that made it: what has ended without a name of its own had that one's. */
typedef struct switches_fork {
    int32_t tid;
    int32_t parent;
} switches_fork_t;

typedef struct switches_cpu {
    int cpu;
    int fd;       /* -1: closed */
    void *buffer; /* the kernel writes to it; NULL: read, and unmapped */
    uint64_t count;
    switches_event_t *events; /* owned; in order of time */
} switches_cpu_t;

typedef struct switches {
    uint32_t cpus_count;
    switches_cpu_t cpus[SWITCHES_CPUS_MAX];
    uint64_t lost; /* events that there was no room for */
    uint64_t names_count;
    switches_name_t *names; /* owned; by tid */
    uint64_t forks_count;
    switches_fork_t *forks; /* owned */
    uint32_t ours_count;
    int32_t ours[SWITCHES_OURS_MAX]; /* processes of the pipeline; what they fork is, too */
} switches_t;

/* Begin to record on these CPUs. Negative, with what to do about it: not allowed, or the kernel
 * has no such thing; then nothing is recorded, and all the calls below accept that. */
int switches_begin(const int *cpus, uint32_t count, switches_t *out_switches, tbus_error_t *err);

/* Stop, read what was recorded, and find the names of those who are still there. -ENOMEM. */
int switches_end(switches_t *s);

/* Frees all of it and leaves it empty. */
void switches_clear(switches_t *s);

/* Take in one record buffer of perf_event_open(2), `bytes` from its beginning, as of `cpu`.
 * -ENOMEM. Declared for tests. */
int switches_parse(switches_t *s, int cpu, const unsigned char *data, size_t bytes);

/* As cause_witness_t has it, with `context` a switches_t: who of all but `pid` had that CPU for the
 * longest part of that time. */
bool switches_who(const void *context, int cpu, int pid, uint64_t from_ns, uint64_t to_ns,
                  char *out_name, size_t bytes);

/* That process, and what descends from it, is of the pipeline. */
void switches_add_ours(switches_t *s, int32_t pid);

/* As cause_witness_t has it: how long that CPU was with programs that are none of the pipeline's.
 * False: it is not known of that time. */
bool switches_others(const void *context, int cpu, uint64_t from_ns, uint64_t to_ns,
                     uint64_t *out_ns);

#endif
