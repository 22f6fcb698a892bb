/* SPDX-License-Identifier: Apache-2.0 */
/* process.h - a process of the pipeline, as the supervisor sees it: forked, watched, told to go.
 *
 * The child inherits the mappings of the bus, runs its stages (pipeline.h) and exits. It has a
 * process group of its own and ignores SIGINT, SIGTERM and SIGHUP: it obeys the commands in the bus
 * directory, so that one Ctrl-C reaches the supervisor alone and the stages stop in their order.
 * When the supervisor dies, the kernel tells the child (PR_SET_PDEATHSIG), and it winds down by
 * itself.
 *
 * What the child writes on stdout or stderr (an assertion, a sanitizer) comes over a pipe and is
 * shown with the names of its stages in front. Nothing is left open in the child but the bus and
 * that pipe.
 */
#ifndef TICKBUS_TOOLS_RUN_PROCESS_H
#define TICKBUS_TOOLS_RUN_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tools/run/pipeline.h"

#define PROCESS_LINE_MAX 512u

typedef struct process {
    char name[80]; /* "feed+recorder" */
    pid_t pid;     /* 0: not started */
    int pidfd;     /* readable when it has ended; -1: not running */
    int log_fd;    /* its stdout and stderr; -1: closed */
    bool ended;
    int status; /* when ended: as waitpid(2) has it */
    size_t line_used;
    char line[PROCESS_LINE_MAX];
} process_t;

/* Fork process `index` of the layout. Kernel 5.3 or newer. */
int process_start(pipeline_t *pipeline, uint32_t index, process_t *out_process, tbus_error_t *err);

/* Read what it has written and hand out each whole line (and the rest, when it has ended). Never
 * waits. */
void process_read_log(process_t *process,
                      void (*line)(void *context, const char *name, const char *text),
                      void *context);

/* Collect its exit status if it has ended. Never waits. True: it has ended. */
bool process_reap(process_t *process);

/* SIGKILL, and wait for the end. Nothing if it is not running. */
void process_kill(process_t *process);

/* "exited with code 1", "was killed by SIGSEGV (Segmentation fault)". */
void process_end_text(const process_t *process, char *out_text, size_t bytes);

#endif
