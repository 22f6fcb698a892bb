/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <tickbus/segment.h>

#define MIB       (UINT64_C(1) << 20)
#define NEEDS_MAX (TBUS_INSTANCES_MAX + TBUS_RESOURCES_MAX)

/* What of a pipeline takes memory, in all its processes. */
typedef struct need {
    const char *name; /* of a stage, or of a resource */
    const char *keys;
    size_t bytes; /* of one */
    uint32_t count;
} need_t;

typedef struct needs {
    uint32_t count;
    need_t list[NEEDS_MAX];
    size_t bytes; /* of all */
} needs_t;

static void add_need(needs_t *needs, const char *name, const char *keys, size_t bytes)
{
    uint32_t i = 0;
    while (i < needs->count && strcmp(needs->list[i].name, name) != 0)
        i++;
    if (i == NEEDS_MAX)
        return;
    if (i == needs->count)
        needs->list[needs->count++] = (need_t){.name = name, .keys = keys, .bytes = bytes};
    needs->list[i].count++;
    needs->bytes += bytes;
}

static void add_resource(needs_t *needs, const pipeline_t *p, const tbus_resource_t *resource)
{
    add_need(needs, resource->name, resource->memory_keys,
             resource->memory_bytes(config_resource_values(p->config, resource)));
}

/* Stages of one process share a resource. */
static void add_process(needs_t *needs, const pipeline_t *p, const layout_process_t *process)
{
    const tbus_resource_t *shared[TBUS_RESOURCES_MAX];
    uint32_t shared_count = 0;
    for (uint32_t i = 0; i < process->stages_count; i++) {
        const config_instance_t *instance = p->stages[process->stages[i]].instance;
        const tbus_kind_t *kind = instance->kind;
        if (kind->memory_bytes)
            add_need(needs, instance->name, kind->memory_keys,
                     kind->memory_bytes(config_instance_values(instance)));
        for (uint32_t r = 0; kind->resources && kind->resources[r]; r++) {
            const tbus_resource_t *resource = kind->resources[r];
            uint32_t k = 0;
            while (k < shared_count && shared[k] != resource)
                k++;
            if (!resource->memory_bytes || k < shared_count)
                continue;
            shared[shared_count++] = resource;
            add_resource(needs, p, resource);
        }
    }
}

static uint64_t in_mib(uint64_t bytes)
{
    return (bytes + MIB - 1) / MIB;
}

static int tell(const needs_t *needs, const char *why, tbus_error_t *err)
{
    char parts[300] = "";
    size_t used = 0, largest = 0;
    for (uint32_t i = 0; i < needs->count; i++) {
        const need_t *need = &needs->list[i];
        if (need->bytes * need->count > needs->list[largest].bytes * needs->list[largest].count)
            largest = i;
        if (need->bytes < MIB || used >= sizeof parts)
            continue;
        used += (size_t)snprintf(parts + used, sizeof parts - used, "%s%s ", used ? ", " : " (",
                                 need->name);
        if (need->count > 1 && used < sizeof parts)
            used +=
                (size_t)snprintf(parts + used, sizeof parts - used, "%" PRIu32 " x ", need->count);
        if (used < sizeof parts)
            used += (size_t)snprintf(parts + used, sizeof parts - used, "%" PRIu64 " MiB",
                                     in_mib(need->bytes));
    }
    const char *keys = needs->list[largest].keys;
    return tbus_fail(err, -ENOMEM,
                     "cannot get %" PRIu64 " MiB for the stages%s%s: %s; lower %s, or give the "
                     "pipeline more memory",
                     in_mib(needs->bytes), parts, used ? ")" : "", why,
                     keys ? keys : "what it is made for");
}

static needs_t needs_of(const pipeline_t *pipeline)
{
    needs_t needs = {0};
    for (uint32_t i = 0; i < pipeline->layout->processes_count; i++)
        add_process(&needs, pipeline, &pipeline->layout->processes[i]);
    return needs;
}

int memory_check(const pipeline_t *pipeline, tbus_error_t *err)
{
    needs_t needs = needs_of(pipeline);
    char why[256];
    if (needs.bytes == 0 || tbus_memory_is_there(needs.bytes, why, sizeof why))
        return 0;
    return tell(&needs, why, err);
}

/* --- progress --- */

uint64_t memory_touched(const char *proc, pid_t pid)
{
    char path[PATH_MAX];
    uint64_t all, resident, shared, touched = 0;
    snprintf(path, sizeof path, "%s/%d/statm", proc, (int)pid);
    FILE *f = fopen(path, "re");
    if (f && fscanf(f, "%" SCNu64 " %" SCNu64 " %" SCNu64, &all, &resident, &shared) == 3 &&
        resident > shared)
        touched = (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (f)
        fclose(f);
    return touched;
}

void memory_progress_text(const pipeline_t *pipeline, uint64_t touched, char *out_text,
                          size_t bytes)
{
    uint64_t needed = needs_of(pipeline).bytes;
    snprintf(out_text, bytes, "%" PRIu64 " of %" PRIu64 " MiB touched",
             in_mib(touched < needed ? touched : needed), in_mib(needed));
}

/* --- kills --- */

static uint64_t host_kills(const char *proc)
{
    char path[PATH_MAX], key[64];
    uint64_t value, kills = 0;
    snprintf(path, sizeof path, "%s/vmstat", proc);
    FILE *f = fopen(path, "re");
    while (f && fscanf(f, "%63s %" SCNu64, key, &value) == 2)
        if (strcmp(key, "oom_kill") == 0)
            kills = value;
    if (f)
        fclose(f);
    return kills;
}

memory_kills_t memory_kills(const char *proc)
{
    char self[PATH_MAX];
    snprintf(self, sizeof self, "%s/self", proc);
    return (memory_kills_t){.group = tbus_cgroup_kills(self), .host = host_kills(proc)};
}

bool memory_kill_text(const memory_kills_t *before, const memory_kills_t *after, char *out_text,
                      size_t bytes)
{
    if (after->group.count > before->group.count)
        snprintf(out_text, bytes,
                 "by the kernel's OOM killer: the memory limit of its control group is reached "
                 "(%s); raise it, or lower books.orders_max",
                 after->group.limit);
    else if (after->host > before->host)
        snprintf(out_text, bytes,
                 "at a time when the kernel's OOM killer ended a process: out of memory; lower "
                 "books.orders_max, or run less beside it");
    else
        return false;
    return true;
}
