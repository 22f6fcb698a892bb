/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/layout.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define CPUS_MAX 1024u

const char *layout_mode_name(enum layout_mode mode)
{
    static const char *const names[] = {"auto", "split", "fused"};
    return names[mode];
}

uint32_t layout_allowed_cpus(uint32_t *out_cpus, uint32_t cpus_max)
{
    uint32_t count = 0;
    /* The kernel refuses a mask that is smaller than its own: grow until it fits. */
    for (unsigned bits = 1024; bits <= 1u << 16; bits *= 2) {
        cpu_set_t *set = CPU_ALLOC(bits);
        size_t bytes = CPU_ALLOC_SIZE(bits);
        int code = set ? sched_getaffinity(0, bytes, set) : -1;
        for (uint32_t cpu = 0; code == 0 && cpu < bits && count < cpus_max; cpu++)
            if (CPU_ISSET_S(cpu, bytes, set))
                out_cpus[count++] = cpu;
        CPU_FREE(set);
        if (code == 0 || errno != EINVAL)
            break;
    }
    if (!count)
        out_cpus[count++] = 0;
    return count;
}

static bool contains(const uint32_t *cpus, uint32_t count, uint32_t cpu)
{
    for (uint32_t i = 0; i < count; i++)
        if (cpus[i] == cpu)
            return true;
    return false;
}

/* The wanted CPUs that are allowed, in the order wanted; all that are allowed when none of them
 * is. */
static uint32_t choose_cpus(const layout_request_t *request, uint32_t *out_cpus, layout_t *layout)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < request->wanted_count && count < CPUS_MAX; i++) {
        uint32_t cpu = request->wanted[i];
        if (contains(out_cpus, count, cpu))
            continue;
        if (contains(request->allowed, request->allowed_count, cpu))
            out_cpus[count++] = cpu;
        else
            snprintf(layout->warning, sizeof layout->warning,
                     "CPU %u is not among those that this process may use; it is left out (see "
                     "taskset -p $$)",
                     cpu);
    }
    if (count)
        return count;
    count = request->allowed_count < CPUS_MAX ? request->allowed_count : CPUS_MAX;
    memcpy(out_cpus, request->allowed, count * sizeof *out_cpus);
    return count;
}

/* CPUs that may be used up altogether. */
static uint32_t whole_cpus(const layout_t *layout)
{
    return layout->quota_milli ? layout->quota_milli / 1000 : layout->cpus_count;
}

/* CPUs that may be spun on: something of a quota must be left for all that does not spin, or each
 * period ends with everybody standing still. */
static uint32_t spare_cpus(const layout_t *layout)
{
    return layout->quota_milli ? (layout->quota_milli - 1) / 1000 : layout->cpus_count;
}

/* The stages that have a trait, as bits. */
static uint32_t with_trait(const layout_t *layout, enum tbus_kind_traits trait)
{
    uint32_t stages = 0;
    for (uint32_t i = 0; i < layout->stages_count; i++)
        stages |= layout->stages[i].traits & (uint32_t)trait ? UINT32_C(1) << i : 0;
    return stages;
}

/* A process of those stages whose bit is set; none of no stages. */
static void add_process(layout_t *layout, uint32_t stages)
{
    layout_process_t *process = &layout->processes[layout->processes_count];
    *process = (layout_process_t){.cpu = -1};
    for (uint32_t i = 0; i < layout->stages_count; i++) {
        if (!(stages >> i & 1))
            continue;
        process->stages[process->stages_count++] = i;
    }
    layout->processes_count += process->stages_count != 0;
}

/* A process each. */
static void plan_split(layout_t *layout, uint32_t stages)
{
    for (uint32_t i = 0; i < layout->stages_count; i++)
        add_process(layout, stages & UINT32_C(1) << i);
}

static void plan_fused(layout_t *layout, uint32_t stages)
{
    uint32_t deciding = stages & with_trait(layout, TBUS_KIND_DECIDES);
    if (whole_cpus(layout) <= 1) {
        add_process(layout, stages);
        return;
    }
    add_process(layout, stages & ~deciding);
    add_process(layout, deciding);
}

static uint32_t weight_of_process(const layout_t *layout, const layout_process_t *process)
{
    uint32_t weight = 0;
    for (uint32_t i = 0; i < process->stages_count; i++) {
        uint32_t one = layout->stages[process->stages[i]].weight;
        weight += one ? one : 1;
    }
    return weight;
}

/* In the order of the data path, each to the CPU that has the least to do so far. */
static void deal_out(layout_t *layout, const uint32_t *cpus)
{
    uint32_t loads[CPUS_MAX] = {0};
    for (uint32_t i = 0; i < layout->processes_count; i++) {
        uint32_t least = 0;
        for (uint32_t k = 1; k < layout->cpus_count; k++)
            least = loads[k] < loads[least] ? k : least;
        layout->processes[i].cpu = (int32_t)cpus[least];
        loads[least] += weight_of_process(layout, &layout->processes[i]);
    }
}

/* Behind the others, of which there are `before`: a CPU each as far as there are any. */
static void plan_serving(layout_t *layout, uint32_t serving, bool pin, const uint32_t *cpus)
{
    uint32_t before = layout->processes_count;
    plan_split(layout, serving);
    for (uint32_t i = before; i < layout->processes_count; i++) {
        bool has_cpu = i < spare_cpus(layout);
        layout->processes[i].wait = has_cpu ? layout->wait : TBUS_WAIT_PARK;
        if (has_cpu && pin)
            layout->processes[i].cpu = (int32_t)cpus[i];
    }
}

static void warn_of_spinning(layout_t *layout)
{
    unsigned count = layout->processes_count;
    if (layout->quota_milli && count <= layout->cpus_count)
        snprintf(
            layout->warning, sizeof layout->warning,
            "%u process%s spin%s, and the control group allows the time of %.3g CPUs (%s): all "
            "of it stands still whenever that is used up; `park` is made for this",
            count, count == 1 ? "" : "es", count == 1 ? "s" : "", layout->quota_milli / 1e3,
            layout->quota_file);
    else
        snprintf(layout->warning, sizeof layout->warning,
                 "%u processes spin on %u CPUs: each waits for the others' time slices; `park` is "
                 "made for this",
                 count, layout->cpus_count);
}

void layout_plan(const layout_request_t *request, layout_t *out_layout)
{
    uint32_t cpus[CPUS_MAX];
    layout_t layout = {.mode = request->mode};
    layout.cpus_count = choose_cpus(request, cpus, &layout);
    if (request->quota_milli && request->quota_milli < 1000 * layout.cpus_count) {
        layout.quota_milli = request->quota_milli;
        layout.quota_file = request->quota_file;
    }
    layout.stages_count = request->stages_count;
    for (uint32_t i = 0; i < request->stages_count; i++)
        layout.stages[i] = request->stages[i];
    if (layout.mode == LAYOUT_AUTO)
        layout.mode = whole_cpus(&layout) > layout.stages_count ? LAYOUT_SPLIT : LAYOUT_FUSED;
    uint32_t serving = with_trait(&layout, TBUS_KIND_SERVES);
    uint32_t others = ((UINT32_C(1) << layout.stages_count) - 1) & ~serving;
    if (layout.mode == LAYOUT_SPLIT)
        plan_split(&layout, others);
    else
        plan_fused(&layout, others);

    bool crowded = layout.processes_count > spare_cpus(&layout);
    layout.wait =
        tbus_wait_mode_resolve(request->wait, layout.processes_count, spare_cpus(&layout));
    if (crowded && layout.wait == TBUS_WAIT_SPIN && !layout.warning[0])
        warn_of_spinning(&layout);
    /* Processes that outnumber the CPUs are better moved about by the scheduler, which sees who
     * sleeps; unless all of them have work all the time, and yield rather than sleep: it sees CPUs
     * that are all in use, and leaves two that work on one while another yields. */
    bool pin = request->pin && !crowded;
    bool yields = request->wait == TBUS_WAIT_AUTO || request->wait == TBUS_WAIT_YIELD;
    bool share = request->pin && request->unpaced && yields && layout.cpus_count > 1 &&
                 layout.processes_count > layout.cpus_count;
    for (uint32_t i = 0; i < layout.processes_count; i++) {
        layout.processes[i].wait = layout.wait;
        layout.processes[i].cpu = pin ? (int32_t)cpus[i] : -1;
    }
    if (share)
        deal_out(&layout, cpus);
    plan_serving(&layout, serving, pin, cpus);
    *out_layout = layout;
}

static void join_names(const layout_t *layout, uint32_t index, const char *between, char *out_text,
                       size_t bytes)
{
    const layout_process_t *process = &layout->processes[index];
    size_t used = 0;
    out_text[0] = 0;
    for (uint32_t i = 0; i < process->stages_count && used < bytes; i++)
        used += (size_t)snprintf(out_text + used, bytes - used, "%s%s", i ? between : "",
                                 layout->stages[process->stages[i]].name);
}

void layout_process_name(const layout_t *layout, uint32_t index, char *out_text, size_t bytes)
{
    join_names(layout, index, "+", out_text, bytes);
}

void layout_text(const layout_t *layout, char *out_text, size_t bytes)
{
    size_t used =
        (size_t)snprintf(out_text, bytes, "%s on %u CPU%s", layout_mode_name(layout->mode),
                         layout->cpus_count, layout->cpus_count == 1 ? "" : "s");
    if (layout->quota_milli && used < bytes)
        used += (size_t)snprintf(out_text + used, bytes - used, ", the time of %.3g allowed (%s)",
                                 layout->quota_milli / 1e3, layout->quota_file);
    if (used < bytes)
        used += (size_t)snprintf(out_text + used, bytes - used, ":");
    for (uint32_t i = 0; i < layout->processes_count && used < bytes; i++) {
        char names[80];
        join_names(layout, i, " ", names, sizeof names);
        used += (size_t)snprintf(out_text + used, bytes - used, "%s [%s]", i ? "," : "", names);
        if (layout->processes[i].cpu >= 0 && used < bytes)
            used += (size_t)snprintf(out_text + used, bytes - used, " cpu %d",
                                     (int)layout->processes[i].cpu);
        if (layout->processes[i].wait != layout->wait && used < bytes)
            used += (size_t)snprintf(out_text + used, bytes - used, " (waiting: %s)",
                                     tbus_wait_mode_name(layout->processes[i].wait));
    }
    if (used < bytes)
        snprintf(out_text + used, bytes - used, "; waiting: %s", tbus_wait_mode_name(layout->wait));
}
