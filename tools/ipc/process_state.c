/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/process_state.h"

#include <stdio.h>
#include <string.h>

bool ipc_process_sleeps(pid_t pid)
{
    char path[32];
    char line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    const char *text = fgets(line, sizeof line, file);
    fclose(file);
    const char *name_end = text ? strrchr(text, ')') : NULL; /* a name may hold anything, brackets too */
    return name_end && strncmp(name_end, ") S", 3) == 0;
}
