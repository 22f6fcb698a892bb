/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/process_state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool process_state(pid_t pid, char *out_state, uint64_t *out_cpu_ns)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)pid, (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    if (bytes <= 0)
        return false;
    line[bytes] = 0;
    /* "PID (NAME) STATE ...": the name may hold anything, so what follows is counted from the last
     * bracket. utime and stime are the 14th and 15th field. */
    const char *rest = strrchr(line, ')');
    uint64_t user, system;
    if (!rest || sscanf(rest, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
                        out_state, &user, &system) != 3)
        return false;
    *out_cpu_ns = (user + system) * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
    return true;
}

bool process_state_is(pid_t pid, const char *states)
{
    char state;
    uint64_t cpu_ns;
    return process_state(pid, &state, &cpu_ns) && strchr(states, state);
}
