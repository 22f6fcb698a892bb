/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - the command line of busctl ipc. */
#ifndef TICKBUS_TOOLS_IPC_OPTIONS_H
#define TICKBUS_TOOLS_IPC_OPTIONS_H

#include "tools/ipc/ranking.h"

#define IPC_MECHANISMS_MAX 64u

typedef struct ipc_options {
    const char *verb;
    const ipc_mechanism_t *only[IPC_MECHANISMS_MAX + 1]; /* ended by NULL */
    uint32_t only_count;
    size_t message_bytes;
    uint64_t duration_ns;
    int cpus[2];
    uint32_t cpus_count;
    const char *one_cpu_why;
    enum ipc_sort sort;
    bool json;
    bool list;
    const char *directory;
} ipc_options_t;

/* What no option says: 64 bytes, ten seconds, two CPUs of those that may be used. */
void ipc_options_default(const char *verb, ipc_options_t *out_options);

/* An exit code of verbs.h when there is nothing more to do (help was printed, or the command line
 * is wrong, which was said), else -1. */
int ipc_options_parse(int argc, char **argv, ipc_options_t *options);

#endif
