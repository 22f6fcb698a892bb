/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/measure.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CALIBRATION_NS UINT64_C(50000000)

void bench_pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        fprintf(stderr, "bench: cannot run on CPU %d: %s\n", cpu, strerror(errno));
        exit(1);
    }
}

unsigned bench_cpus(int *out_cpus, unsigned count)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    bench_must(sched_getaffinity(0, sizeof set, &set), "sched_getaffinity", strerror(errno));
    unsigned found = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && found < count; cpu++)
        if (CPU_ISSET((unsigned)cpu, &set))
            out_cpus[found++] = cpu;
    for (unsigned i = found; i < count; i++)
        out_cpus[i] = out_cpus[i % found];
    return found;
}

double bench_ticks_per_ns(void)
{
    static double known;
    if (known == 0) {
        uint64_t ns = tbus_clock_ns(), ticks = bench_ticks(), end_ns;
        while ((end_ns = tbus_clock_ns()) - ns < CALIBRATION_NS) {
        }
        known = (double)(bench_ticks() - ticks) / (double)(end_ns - ns);
    }
    return known;
}

static int by_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

uint32_t bench_rank_u32(uint32_t *values, size_t count, unsigned per_mille)
{
    qsort(values, count, sizeof *values, by_u32);
    return values[(count - 1) * per_mille / 1000];
}

double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_double);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void cpu_model(char *out_model, size_t bytes)
{
    snprintf(out_model, bytes, "unknown");
    FILE *cpuinfo = fopen("/proc/cpuinfo", "re");
    if (!cpuinfo)
        return;
    char line[256];
    while (fgets(line, sizeof line, cpuinfo)) {
        char *colon = strchr(line, ':');
        if (colon && strncmp(line, "model name", 10) == 0) {
            snprintf(out_model, bytes, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
            break;
        }
    }
    fclose(cpuinfo);
}

json_t *bench_host(void)
{
    struct utsname names;
    uname(&names);
    char model[128];
    cpu_model(model, sizeof model);
    return json_pack("{s:s, s:i, s:s, s:s}", "cpu", model, "cpus",
                     (int)sysconf(_SC_NPROCESSORS_ONLN), "kernel", names.release, "machine",
                     names.machine);
}

int bench_must(int status, const char *what, const char *why)
{
    if (status < 0) {
        fprintf(stderr, "bench: %s: %s\n", what, why);
        exit(1);
    }
    return status;
}
