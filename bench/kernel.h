/* SPDX-License-Identifier: Apache-2.0 */
/* kernel.h - a piece of the hot path, written in C, in a shape that Google Benchmark
 * (ring_bench.cc, C++) can run.
 *
 * A kernel works in one thread: it shows what the instructions cost, not what moving a cache line
 * to another CPU costs (report.c does that). It times its own part of the work, so that filling a
 * ring in order to empty it is not counted.
 */
#ifndef TICKBUS_BENCH_KERNEL_H
#define TICKBUS_BENCH_KERNEL_H

#include <stdint.h>

#include <tickbus/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kernel {
    const char *name;
    uint32_t messages; /* that one run moves */
    int (*create)(void **out_state, tbus_error_t *err);
    uint64_t (*run)(void *state); /* ns that the measured part took; 0: it failed */
    void (*destroy)(void *state);
} kernel_t;

/* NULL: past the last. */
const kernel_t *ring_kernel_at(unsigned index); /* ring_kernels.c: the rings */
const kernel_t *path_kernel_at(unsigned index); /* path_kernels.c: decode, book, journal */

#ifdef __cplusplus
}
#endif
#endif
