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

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/* Exits with the reason unless `status` is 0 or positive; returns it. */
int bench_must(int status, const char *what, const char *why);

/* The value of an option, 1..highest. Exits with the usage when it is no such number. */
uint64_t bench_number(const char *text, uint64_t highest, const char *usage);
void bench_bad_usage(const char *usage) __attribute__((noreturn));

/* A long option, and where its value goes: one of the pointers. Without any it takes no value, and
 * bench_option returns at it. A list ends with one that has no name; --help is in every list. */
typedef struct bench_option {
    const char *name;
    uint64_t *number;  /* 1..highest */
    unsigned *count;   /* likewise */
    const char **text; /* borrowed from argv */
    bool *flag;        /* set; takes no value */
    uint64_t highest;
} bench_option_t;

/* Goes on with the options, in their order: true at one that goes nowhere (such as --quick), false
 * when all are done. Exits with the usage where one is wrong, or where not `operands` arguments
 * follow the options (they begin at argv[argc - operands]). At most 15 options. */
bool bench_option(int argc, char **argv, const bench_option_t *options, int operands,
                  const char *usage);

/* A directory that the bench made, with all that is in it. One that cannot be removed is named on
 * stderr; one that is not there is none. */
void bench_remove_directory(const char *path);

/* {cpu, cpus, kernel, machine}; a new reference. */
json_t *bench_host(void);

#endif
