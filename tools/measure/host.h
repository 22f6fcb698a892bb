/* SPDX-License-Identifier: Apache-2.0 */
/* host.h - the machine that the figures belong to. */
#ifndef TICKBUS_TOOLS_MEASURE_HOST_H
#define TICKBUS_TOOLS_MEASURE_HOST_H

#include <stdbool.h>
#include <stdint.h>

typedef struct host {
    char kernel[96];  /* "Linux 6.18.0 x86_64" */
    char release[64]; /* "6.18.0" */
    char machine[32]; /* "x86_64" */
    char cpu[96];     /* model, or "unknown CPU" */
    uint32_t cpus;    /* that this process may use */
    /* processes that ran or wanted to in the last minute, on average; -1: not known */
    double load;
} host_t;

/* Did others keep more than half of its CPUs busy? Then figures are slow and noisy. */
bool host_is_busy(const host_t *host);

void host_read(host_t *out_host);

/* Two CPUs that this process may use and that are not threads of one core, where there are such.
 * Returns how many there are, 1 or 2; *out_why says why there is only one. */
uint32_t host_pick_cpus(int out_cpus[2], const char **out_why);

/* May this process run on that CPU? */
bool host_may_use(int cpu);

/* Bind the calling thread to one CPU. 0, or a negative error. */
int host_pin(int cpu);

#endif
