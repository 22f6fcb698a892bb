/* SPDX-License-Identifier: Apache-2.0 */
/* program.h - what the benches share as programs: options, JSON about the host, and an end with a
 * reason.
 *
 * Benches are programs of their own, not part of the library: they print and exit where something
 * fails. Only a main program may do so; a process of a trial leaves its reason instead (sides_fail,
 * contest_fail).
 */
#ifndef TICKBUS_BENCH_PROGRAM_H
#define TICKBUS_BENCH_PROGRAM_H

#include <stdint.h>

#include <jansson.h>

/* Exits with the reason unless `status` is 0 or positive; returns it. */
int bench_must(int status, const char *what, const char *why);

/* The value of an option, 1..highest. Exits with the usage when it is no such number. */
uint64_t bench_number(const char *text, uint64_t highest, const char *usage);
void bench_bad_usage(const char *usage) __attribute__((noreturn));

/* {cpu, cpus, kernel, machine}; a new reference. */
json_t *bench_host(void);

#endif
