/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/measure/host.h"

int bench_must(int status, const char *what, const char *why)
{
    if (status < 0) {
        fprintf(stderr, "bench: %s: %s\n", what, why);
        exit(1);
    }
    return status;
}

void bench_bad_usage(const char *usage)
{
    fputs(usage, stderr);
    exit(2);
}

uint64_t bench_number(const char *text, uint64_t highest, const char *usage)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*end || value == 0 || value > highest)
        bench_bad_usage(usage);
    return value;
}

json_t *bench_host(void)
{
    host_t host;
    host_read(&host);
    return json_pack("{s:s, s:i, s:s, s:s}", "cpu", host.cpu, "cpus",
                     (int)sysconf(_SC_NPROCESSORS_ONLN), "kernel", host.release, "machine",
                     host.machine);
}
