/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/host.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "tools/measure/proc_value.h"

static void read_cpu_model(char *out_model, size_t bytes)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(out_model, bytes, "unknown CPU");
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, "model name", 10) != 0)
            continue;
        colon[strcspn(colon, "\n")] = '\0';
        snprintf(out_model, bytes, "%s", colon + 2);
        break;
    }
    if (file)
        fclose(file);
}

void host_read(host_t *out_host)
{
    struct utsname name;
    cpu_set_t set;
    CPU_ZERO(&set);
    *out_host = (host_t){0};
    if (uname(&name) == 0) {
        snprintf(out_host->kernel, sizeof out_host->kernel, "%.20s %.50s %.20s", name.sysname,
                 name.release, name.machine);
        snprintf(out_host->release, sizeof out_host->release, "%.60s", name.release);
        snprintf(out_host->machine, sizeof out_host->machine, "%.30s", name.machine);
    }
    read_cpu_model(out_host->cpu, sizeof out_host->cpu);
    if (getloadavg(&out_host->load, 1) != 1)
        out_host->load = -1;
    out_host->cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
}

bool host_is_busy(const host_t *host)
{
    return host->load > host->cpus / 2.0;
}

static long long core_of(int cpu)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/core_id", cpu);
    long long core = proc_value(path, 0);
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/physical_package_id", cpu);
    return core < 0 ? -1 : proc_value(path, 0) * 65536 + core;
}

uint32_t host_pick_cpus(int out_cpus[2], const char **out_why)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        CPU_SET(0, &set);
    int first = -1;
    int second = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &set))
            continue;
        if (first < 0) {
            first = cpu;
        } else if (second < 0) {
            second = cpu;
        } else if (core_of(second) == core_of(first) && core_of(cpu) != core_of(first)) {
            second = cpu;
        }
    }
    out_cpus[0] = first;
    out_cpus[1] = second < 0 ? first : second;
    *out_why = second < 0 ? "only one CPU may be used here" : NULL;
    return second < 0 ? 1 : 2;
}

bool host_may_use(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    return cpu >= 0 && cpu < CPU_SETSIZE && sched_getaffinity(0, sizeof set, &set) == 0 &&
           CPU_ISSET(cpu, &set);
}

int host_pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cpu < 0 || cpu >= CPU_SETSIZE)
        return -EINVAL;
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : -errno;
}
