/* SPDX-License-Identifier: Apache-2.0 */
/* program.h - running a program from a test: what it printed, how it ended; and a directory for
 * what it leaves behind. */
#ifndef TICKBUS_TESTS_PROGRAM_H
#define TICKBUS_TESTS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct program {
    const char *const *argv; /* NULL at the end; argv[0] is searched in PATH when it has no slash */
    void (*in_child)(void);  /* called in the child before it becomes the program; may be NULL */

    pid_t pid; /* 0: not running */
    int out_fd;
    int err_fd;

    /* once it has ended */
    int exit_code; /* or 128 + signal */
    char *out;     /* all of stdout, terminated; owned */
    size_t out_bytes;
    char *err; /* all of stderr likewise */
} program_t;

/* Start it; it dies with us. Its stdin is empty. False: could not even fork. */
bool program_start(program_t *p);

/* Has it ended? Then all of it is filled in. */
bool program_ended(program_t *p);

/* Wait for its end, whatever that takes (ctest has the time limit), and collect what it printed. */
void program_wait(program_t *p);

/* Start and wait; returns the exit code. */
int program_run(program_t *p);

/* Kill it if it still runs, free what is owned. Accepts one that was never started. */
void program_clear(program_t *p);

/* A new directory below /tmp, and the removal of it and all that is in it. */
#define SCRATCH_PATH_MAX 64
void scratch_create(char out_path[SCRATCH_PATH_MAX]);
void scratch_remove(const char *path);

/* A scratch directory in which buses keep their run directory from now on, this process's and its
 * children's: whatever becomes of the test, nothing of it is left in the user's own.
 * `scratch_remove_runtime` removes it, and returns how many files a bus had left there. */
void scratch_create_runtime(char out_path[SCRATCH_PATH_MAX]);
unsigned scratch_remove_runtime(const char *path);

/* Make every directory on the way to `path`. */
void directories_make(const char *path);

/* The whole file, terminated; the caller frees. NULL: there is none. */
char *file_read(const char *path, size_t *out_bytes);
bool file_write(const char *path, const void *bytes, size_t count);

/* SHA-256 of a file, as sha256sum(1) tells it, or "" when it cannot. */
#define SHA256_TEXT 65
void file_sha256(const char *path, char out_hex[SHA256_TEXT]);

#endif
