/* SPDX-License-Identifier: Apache-2.0 */
/* output_file.h - a file that appears under its name complete, or not at all.
 *
 *    open -> NAME.part, written to as `stream` -> commit: flushed, synced, renamed to NAME
 *                                              -> abandon: removed
 *
 * A name that leads to something other than a regular file (a FIFO, /dev/null) is written to
 * directly; "-" is stdout. A symbolic link is followed, and its target replaced.
 */
#ifndef TICKBUS_TOOLS_SHOW_OUTPUT_FILE_H
#define TICKBUS_TOOLS_SHOW_OUTPUT_FILE_H

#include <stdio.h>

#include <tickbus/error.h>

typedef struct output_file {
    FILE *stream; /* owned, but for stdout */
    char *name;   /* as given, for messages; owned */
    char *final;  /* what it will be called; owned. NULL: written to directly */
    char *part;   /* what it is called until then; owned */
} output_file_t;

/* -ENOENT (no such directory), -EACCES, -ENOSPC... */
int output_file_open(const char *name, output_file_t *out_file, tbus_error_t *err);

/* 0, or -errno: then nothing is under the name that was not there before. Frees it all in any
 * case. */
int output_file_commit(output_file_t *file, tbus_error_t *err);
void output_file_abandon(output_file_t *file);

#endif
