/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/switches.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/atomic.h>

#define BUFFER_BYTES  ((size_t)4 << 20) /* of each CPU: 50,000 switches and more; a power of two */
#define ANCESTORS_MAX 8u
#define RUNNERS_MAX   32u /* different threads in the time of one stall */

/* --- the kernel's side */

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static int open_cpu(int cpu, switches_cpu_t *out)
{
    struct perf_event_attr attr = {
        .size = sizeof attr,
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_DUMMY,
        .context_switch = 1,
        .comm = 1,
        .task = 1,
        .sample_id_all = 1,
        .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
    };
    *out = (switches_cpu_t){.cpu = cpu, .fd = -1};
    int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return -errno;
    /* Writable: so the kernel keeps the first records, not the last. */
    void *buffer =
        mmap(NULL, page_bytes() + BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (buffer == MAP_FAILED) {
        int code = -errno;
        close(fd);
        return code;
    }
    out->fd = fd;
    out->buffer = buffer;
    return 0;
}

static void close_cpu(switches_cpu_t *cpu)
{
    if (cpu->buffer)
        munmap(cpu->buffer, page_bytes() + BUFFER_BYTES);
    if (cpu->fd >= 0)
        close(cpu->fd);
    cpu->buffer = NULL;
    cpu->fd = -1;
}

int switches_begin(const int *cpus, uint32_t count, switches_t *out_switches, tbus_error_t *err)
{
    *out_switches = (switches_t){0};
    for (uint32_t i = 0; i < count && i < SWITCHES_CPUS_MAX; i++) {
        int code = open_cpu(cpus[i], &out_switches->cpus[i]);
        if (code < 0) {
            switches_clear(out_switches);
            return tbus_fail(
                err, code,
                "who preempts the pipeline is not known: perf_event_open: %s (as root, "
                "or with kernel.perf_event_paranoid at 0, it is)",
                strerror(-code));
        }
        out_switches->cpus_count++;
    }
    return 0;
}

/* --- what was recorded */

/* As perf_event_open(2) has them; `id` as sample_type asks. */
typedef struct sample_id {
    uint32_t pid, tid;
    uint64_t time;
} sample_id_t;
typedef struct switch_record {
    struct perf_event_header header;
    uint32_t other_pid, other_tid;
    sample_id_t id;
} switch_record_t;

static void take_name(switches_t *s, int32_t tid, const char *name)
{
    switches_name_t *names = realloc(s->names, (s->names_count + 1) * sizeof *names);
    if (!names)
        return; /* then it has none */
    s->names = names;
    names[s->names_count].tid = tid;
    snprintf(names[s->names_count++].name, SWITCHES_NAME_MAX, "%.15s", name);
}

/* header, u32 pid, u32 tid, the name padded with zeros to 8 bytes, id */
static void take_comm(switches_t *s, const unsigned char *record, size_t bytes)
{
    char name[SWITCHES_NAME_MAX] = "";
    uint32_t tid;
    size_t at = sizeof(struct perf_event_header);
    if (bytes < at + 8 + 8 + sizeof(sample_id_t))
        return;
    memcpy(&tid, record + at + 4, sizeof tid);
    size_t room = bytes - at - 8 - sizeof(sample_id_t);
    memcpy(name, record + at + 8, room < sizeof name - 1 ? room : sizeof name - 1);
    take_name(s, (int32_t)tid, name);
}

/* header, u32 pid, u32 ppid, u32 tid, u32 ptid, u64 time, id */
static void take_fork(switches_t *s, const unsigned char *record, size_t bytes)
{
    uint32_t ids[4];
    if (bytes < sizeof(struct perf_event_header) + sizeof ids)
        return;
    memcpy(ids, record + sizeof(struct perf_event_header), sizeof ids);
    switches_fork_t *forks = realloc(s->forks, (s->forks_count + 1) * sizeof *forks);
    if (!forks)
        return; /* then it may have no name */
    s->forks = forks;
    forks[s->forks_count++] = (switches_fork_t){(int32_t)ids[2], (int32_t)ids[3]};
}

/* Of each switch there are two records: the one of who leaves the CPU names who gets it. */
static void take_switch(switches_cpu_t *cpu, const unsigned char *record)
{
    switch_record_t r;
    memcpy(&r, record, sizeof r);
    if (r.header.misc & PERF_RECORD_MISC_SWITCH_OUT)
        cpu->events[cpu->count++] = (switches_event_t){r.id.time, (int32_t)r.other_tid};
}

int switches_parse(switches_t *s, int cpu, const unsigned char *data, size_t bytes)
{
    struct perf_event_header header;
    switches_cpu_t *to = NULL;
    for (uint32_t i = 0; i < s->cpus_count; i++)
        if (s->cpus[i].cpu == cpu)
            to = &s->cpus[i];
    if (!to)
        return -EINVAL;
    to->events = calloc(bytes / sizeof(switch_record_t) + 1, sizeof *to->events);
    if (!to->events)
        return -ENOMEM;
    for (size_t at = 0; at + sizeof header <= bytes; at += header.size) {
        memcpy(&header, data + at, sizeof header);
        if (header.size < sizeof header || header.size > bytes - at)
            break; /* the rest was not complete */
        if (header.type == PERF_RECORD_SWITCH_CPU_WIDE && header.size >= sizeof(switch_record_t))
            take_switch(to, data + at);
        else if (header.type == PERF_RECORD_COMM)
            take_comm(s, data + at, header.size);
        else if (header.type == PERF_RECORD_FORK)
            take_fork(s, data + at, header.size);
        else if (header.type == PERF_RECORD_LOST && header.size >= sizeof header + 16) {
            uint64_t lost; /* header, u64 id, u64 lost */
            memcpy(&lost, data + at + sizeof header + 8, sizeof lost);
            s->lost += lost;
        }
    }
    return 0;
}

static int read_cpu(switches_t *s, switches_cpu_t *cpu)
{
    const struct perf_event_mmap_page *page = cpu->buffer;
    ioctl(cpu->fd, PERF_EVENT_IOC_DISABLE, 0);
    /* hint: pairs the kernel's store; what it counts is there. */
    uint64_t head =
        tbus_load_acquire_u64((const tbus_atomic_u64_t *)(const void *)&page->data_head);
    /* We never took anything out, so it has not wrapped: it is full, and what came then is lost. */
    size_t bytes = head < BUFFER_BYTES ? (size_t)head : BUFFER_BYTES;
    return switches_parse(s, cpu->cpu, (const unsigned char *)cpu->buffer + page_bytes(), bytes);
}

static const char *name_of(const switches_t *s, int32_t tid)
{
    for (uint64_t i = s->names_count; i-- > 0;) /* the last one that it had */
        if (s->names[i].tid == tid)
            return s->names[i].name;
    return NULL;
}

static bool read_name(int32_t tid, char out_name[SWITCHES_NAME_MAX])
{
    char path[40];
    out_name[0] = 0;
    snprintf(path, sizeof path, "/proc/%d/comm", (int)tid);
    FILE *file = fopen(path, "re");
    if (file && fgets(out_name, SWITCHES_NAME_MAX, file))
        out_name[strcspn(out_name, "\n")] = 0;
    if (file)
        fclose(file);
    return out_name[0] != 0;
}

/* 0: nobody is known. */
static int32_t parent_of(const switches_t *s, int32_t tid)
{
    for (uint64_t i = s->forks_count; i-- > 0;)
        if (s->forks[i].tid == tid)
            return s->forks[i].parent;
    return 0;
}

/* Its own, or that of who made it, or of who made that one. */
static void ask_for_name(switches_t *s, int32_t tid)
{
    char name[SWITCHES_NAME_MAX] = "";
    if (tid == 0 || name_of(s, tid))
        return;
    int32_t who = tid;
    for (unsigned i = 0; i < ANCESTORS_MAX && who && !read_name(who, name); i++) {
        who = parent_of(s, who);
        const char *known = who ? name_of(s, who) : NULL;
        if (known) {
            snprintf(name, sizeof name, "%s", known);
            break;
        }
    }
    if (!name[0])
        snprintf(name, sizeof name, "pid %d", (int)tid); /* it has ended */
    take_name(s, tid, name);
}

int switches_end(switches_t *s)
{
    int code = 0;
    for (uint32_t i = 0; i < s->cpus_count && code == 0; i++)
        if (s->cpus[i].buffer)
            code = read_cpu(s, &s->cpus[i]);
    for (uint32_t i = 0; i < s->cpus_count; i++) {
        close_cpu(&s->cpus[i]);
        for (uint64_t k = 0; k < s->cpus[i].count; k++)
            ask_for_name(s, s->cpus[i].events[k].tid);
    }
    return code;
}

void switches_clear(switches_t *s)
{
    for (uint32_t i = 0; i < s->cpus_count; i++) {
        close_cpu(&s->cpus[i]);
        free(s->cpus[i].events);
    }
    free(s->names);
    free(s->forks);
    *s = (switches_t){0};
}

/* --- who was it */

typedef struct runner {
    int32_t tid;
    uint64_t ns;
} runner_t;

static void add_runner(runner_t *runners, uint32_t *count, int32_t tid, uint64_t ns)
{
    uint32_t i = 0;
    while (i < *count && runners[i].tid != tid)
        i++;
    if (i == RUNNERS_MAX)
        return;
    if (i == *count)
        runners[(*count)++] = (runner_t){.tid = tid};
    runners[i].ns += ns;
}

/* The last event at or before `ns`; 0: none, or the first. */
static uint64_t find_event(const switches_cpu_t *cpu, uint64_t ns)
{
    uint64_t low = 0, high = cpu->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (cpu->events[middle].at_ns <= ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? low - 1 : 0;
}

static const switches_cpu_t *cpu_of(const switches_t *s, int cpu)
{
    for (uint32_t i = 0; i < s->cpus_count; i++)
        if (s->cpus[i].cpu == cpu)
            return &s->cpus[i];
    return NULL;
}

/* Who has the CPU from the i-th event to the next, as far as that lies in the time; ns of it. */
static uint64_t part_of(const switches_cpu_t *cpu, uint64_t i, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t begin = cpu->events[i].at_ns > from_ns ? cpu->events[i].at_ns : from_ns;
    uint64_t end = cpu->events[i + 1].at_ns < to_ns ? cpu->events[i + 1].at_ns : to_ns;
    return begin < end ? end - begin : 0;
}

bool switches_who(const void *context, int cpu, int pid, uint64_t from_ns, uint64_t to_ns,
                  char *out_name, size_t bytes)
{
    const switches_t *s = context;
    const switches_cpu_t *of = cpu_of(s, cpu);
    runner_t runners[RUNNERS_MAX];
    uint32_t count = 0;
    for (uint64_t i = of ? find_event(of, from_ns) : 0;
         of && i + 1 < of->count && of->events[i].at_ns < to_ns; i++) {
        uint64_t ns = part_of(of, i, from_ns, to_ns);
        if (of->events[i].tid != pid && of->events[i].tid != 0 && ns)
            add_runner(runners, &count, of->events[i].tid, ns);
    }
    const runner_t *most = NULL;
    for (uint32_t i = 0; i < count; i++)
        if (!most || runners[i].ns > most->ns)
            most = &runners[i];
    const char *name = most ? name_of(s, most->tid) : NULL;
    if (!name)
        return false;
    snprintf(out_name, bytes, "%s", name);
    return true;
}

void switches_add_ours(switches_t *s, int32_t pid)
{
    if (s->ours_count < SWITCHES_OURS_MAX)
        s->ours[s->ours_count++] = pid;
}

static bool is_ours(const switches_t *s, int32_t tid)
{
    int32_t who = tid;
    for (unsigned i = 0; i < ANCESTORS_MAX && who; i++, who = parent_of(s, who))
        for (uint32_t k = 0; k < s->ours_count; k++)
            if (s->ours[k] == who)
                return true;
    return false;
}

bool switches_others(const void *context, int cpu, uint64_t from_ns, uint64_t to_ns,
                     uint64_t *out_ns)
{
    const switches_t *s = context;
    const switches_cpu_t *of = cpu_of(s, cpu);
    if (!of || of->count == 0 || of->events[0].at_ns > from_ns ||
        of->events[of->count - 1].at_ns < from_ns)
        return false;
    *out_ns = 0;
    for (uint64_t i = find_event(of, from_ns); i + 1 < of->count && of->events[i].at_ns < to_ns;
         i++)
        if (of->events[i].tid != 0 && !is_ours(s, of->events[i].tid))
            *out_ns += part_of(of, i, from_ns, to_ns);
    return true;
}
