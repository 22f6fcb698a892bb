/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/options.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/measure/host.h"
#include "tools/ipc/pattern.h"
#include "tools/show/outcome.h"

static const char help[] =
    "usage: busctl ipc [OPTION...]\n\n"
    "Measure every mechanism of inter-process communication on this machine, side by\n"
    "side: pipes, queues, shared memory, semaphores, sockets, signals, files, RPC,\n"
    "io_uring, and the rings of tickbus. Two processes, on two CPUs and on one; every\n"
    "byte is compared; what a killed peer looks like is tried out. Ends with what to\n"
    "take.\n\n"
    "  --size BYTES      of a message in the round trips, 8..1048576 (default 64);\n"
    "                    above 1024 one way as well, in place of 64 KiB\n"
    "  --cpus A,B        the two CPUs; A alone: one CPU only (default: two cores of\n"
    "                    those that may be used)\n"
    "  --for TIME        how long to measure, roughly: 2s, 500ms, 1m (default 10s)\n"
    "  --only A,B,...    these mechanisms only; `--only list` prints their names\n"
    "  --sort WHAT       latency, throughput or cpu (default latency)\n"
    "  --json            one JSON object on stdout instead of tables\n"
    "  --out DIR         also write ipc.html, ipc.svg and ipc.json there (DIR is made\n"
    "                    if it is missing)\n"
    "  --help\n\n"
    "example: busctl ipc --only pipe,unix_stream,tickbus_spsc_spin --for 5s\n"
    "         busctl ipc --json |\n"
    "         jq '.mechanisms[] | {name, cpus, p50: .roundtrip_ns.p50}'\n";

#define DURATION_NS_MIN UINT64_C(200000000)
#define DURATION_NS_MAX UINT64_C(86400000000000)

static int parse_size(ipc_options_t *o, const char *text)
{
    char *end;
    unsigned long bytes = strtoul(text, &end, 10);
    if (end == text || *end || bytes < 8 || bytes > IPC_MESSAGE_BYTES_MAX)
        return outcome_usage(o->verb, "--size %s: not a number of bytes from 8 to %u", text,
                             IPC_MESSAGE_BYTES_MAX);
    o->message_bytes = bytes;
    return OUTCOME_OK;
}

static int parse_duration(ipc_options_t *o, const char *text)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"", 1e9}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    char *end;
    double value = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units && end != text && isfinite(value); i++) {
        double ns = value * units[i].ns;
        if (strcmp(end, units[i].unit) == 0 && ns >= (double)DURATION_NS_MIN &&
            ns <= (double)DURATION_NS_MAX) {
            o->duration_ns = (uint64_t)ns;
            return OUTCOME_OK;
        }
    }
    return outcome_usage(o->verb, "--for %s: not a time from 200ms to 24h", text);
}

static int parse_cpus(ipc_options_t *o, const char *text)
{
    char *end;
    o->cpus[0] = o->cpus[1] = (int)strtol(text, &end, 10);
    o->cpus_count = 1;
    o->one_cpu_why = "only one CPU was asked for (--cpus)";
    if (end != text && *end == ',') {
        const char *second = end + 1;
        o->cpus[1] = (int)strtol(second, &end, 10);
        o->cpus_count = 2;
        if (end == second)
            end = (char *)(uintptr_t)text;
    }
    if (end == text || *end || (o->cpus_count == 2 && o->cpus[0] == o->cpus[1]))
        return outcome_usage(o->verb, "--cpus %s: not two different CPUs, as in 0,1, nor one",
                             text);
    for (uint32_t i = 0; i < o->cpus_count; i++)
        if (!host_may_use(o->cpus[i]))
            return outcome_usage(o->verb, "--cpus %s: CPU %d is not one that this process may use",
                                 text, o->cpus[i]);
    return OUTCOME_OK;
}

static int parse_only(ipc_options_t *o, const char *text)
{
    char names[1024];
    char *rest = NULL;
    if (strcmp(text, "list") == 0) {
        o->list = true;
        return OUTCOME_OK;
    }
    if (strlen(text) >= sizeof names)
        return outcome_usage(o->verb, "--only: the list is too long");
    strcpy(names, text);
    o->only_count = 0;
    for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        const ipc_mechanism_t *m = ipc_mechanism_find(name);
        if (!m || m == &ipc_raw_line)
            return outcome_usage(
                o->verb, "--only: there is no mechanism '%s'; `--only list` prints them", name);
        for (uint32_t i = 0; i < o->only_count; i++)
            if (o->only[i] == m)
                return outcome_usage(o->verb, "--only: %s is there twice", name);
        if (o->only_count < IPC_MECHANISMS_MAX)
            o->only[o->only_count++] = m;
    }
    o->only[o->only_count] = NULL;
    return o->only_count ? OUTCOME_OK : outcome_usage(o->verb, "--only: the list is empty");
}

static int parse_sort(ipc_options_t *o, const char *text)
{
    int sort = ipc_sort_find(text);
    if (sort < 0)
        return outcome_usage(o->verb, "--sort %s: not latency, throughput or cpu", text);
    o->sort = (enum ipc_sort)sort;
    return OUTCOME_OK;
}

void ipc_options_default(const char *verb, ipc_options_t *out_options)
{
    *out_options =
        (ipc_options_t){.verb = verb, .message_bytes = 64, .duration_ns = UINT64_C(10000000000)};
    out_options->cpus_count = host_pick_cpus(out_options->cpus, &out_options->one_cpu_why);
}

int ipc_options_parse(int argc, char **argv, ipc_options_t *o)
{
    enum { SIZE = 1, CPUS, FOR, ONLY, SORT, JSON, OUT, HELP };
    static const struct option longs[] = {{"size", required_argument, NULL, SIZE},
                                          {"cpus", required_argument, NULL, CPUS},
                                          {"for", required_argument, NULL, FOR},
                                          {"only", required_argument, NULL, ONLY},
                                          {"sort", required_argument, NULL, SORT},
                                          {"json", no_argument, NULL, JSON},
                                          {"out", required_argument, NULL, OUT},
                                          {"help", no_argument, NULL, HELP},
                                          {NULL, 0, NULL, 0}};
    int code = OUTCOME_OK;
    optind = 1;
    for (int option;
         code == OUTCOME_OK && (option = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (option) {
        case SIZE:
            code = parse_size(o, optarg);
            break;
        case CPUS:
            code = parse_cpus(o, optarg);
            break;
        case FOR:
            code = parse_duration(o, optarg);
            break;
        case ONLY:
            code = parse_only(o, optarg);
            break;
        case SORT:
            code = parse_sort(o, optarg);
            break;
        case JSON:
            o->json = true;
            break;
        case OUT:
            o->directory = optarg;
            break;
        case HELP:
            return outcome_help(o->verb, help);
        default:
            return outcome_usage(o->verb, "see the line above");
        }
    }
    if (code == OUTCOME_OK && optind < argc)
        return outcome_usage(o->verb, "'%s' is one argument too many", argv[optind]);
    return code == OUTCOME_OK ? -1 : code;
}
