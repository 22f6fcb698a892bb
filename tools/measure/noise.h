/* SPDX-License-Identifier: Apache-2.0 */
/* noise.h - what others did on the machine meanwhile: figures of a run are worth less when the
 * hypervisor took CPU time away, or the scheduler took our processes off their CPUs. */
#ifndef TICKBUS_TOOLS_MEASURE_NOISE_H
#define TICKBUS_TOOLS_MEASURE_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Read at two moments; what lies between is the difference. */
typedef struct noise_mark {
    uint64_t ticks_all;    /* of all CPUs, in proc(5)'s USER_HZ; 0: not known */
    uint64_t ticks_stolen; /* of those, by the hypervisor */
} noise_mark_t;

typedef struct noise {
    bool known;
    double steal_share;            /* of the time of all CPUs, 0..1 */
    uint64_t involuntary_switches; /* of our own processes that have ended */
    double load; /* of the last minute, our own processes included; -1: not known */
} noise_t;

/* From the text of /proc/stat. False: it does not hold what is looked for. Declared for tests. */
bool noise_parse(const char *text, noise_mark_t *out_mark);

noise_mark_t noise_mark(void);
/* Since `begin`, a run of `duration_ns`. Children must have been reaped: their switches count. */
noise_t noise_since(const noise_mark_t *begin);

/* Was the machine busy with other things, as far as a run of `duration_ns` can tell: more than one
 * per cent of the CPU time stolen, or our processes taken off their CPUs more than 100 times a
 * second? */
bool noise_is_loud(const noise_t *noise, uint64_t duration_ns);

#endif
