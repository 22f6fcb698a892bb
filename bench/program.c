/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/program.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static void take_value(const bench_option_t *option, const char *usage)
{
    if (option->number)
        *option->number = bench_number(optarg, option->highest, usage);
    else if (option->count)
        *option->count = (unsigned)bench_number(optarg, option->highest, usage);
    else if (option->text)
        *option->text = optarg;
    else
        *option->flag = true;
}

bool bench_option(int argc, char **argv, const bench_option_t *options, int operands,
                  const char *usage)
{
    struct option longs[17] = {{"help", no_argument, NULL, 'h'}};
    for (int i = 0; options[i].name; i++)
        longs[i + 1] = (struct option){options[i].name,
                                       options[i].number || options[i].count || options[i].text
                                           ? required_argument
                                           : no_argument,
                                       NULL, 0};
    for (int at, letter; (letter = getopt_long(argc, argv, "h", longs, &at)) != -1;) {
        if (letter == 'h') {
            fputs(usage, stdout);
            exit(0);
        }
        if (letter != 0)
            bench_bad_usage(usage);
        const bench_option_t *option = &options[at - 1];
        if (!option->number && !option->count && !option->text && !option->flag)
            return true;
        take_value(option, usage);
    }
    if (argc - optind != operands)
        bench_bad_usage(usage);
    return false;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st, (void)type, (void)walk;
    return remove(path);
}

void bench_remove_directory(const char *path)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        fprintf(stderr, "bench: %s is left: %s\n", path, strerror(errno));
}

json_t *bench_host(void)
{
    host_t host;
    host_read(&host);
    return json_pack("{s:s, s:i, s:s, s:s}", "cpu", host.cpu, "cpus",
                     (int)sysconf(_SC_NPROCESSORS_ONLN), "kernel", host.release, "machine",
                     host.machine);
}
