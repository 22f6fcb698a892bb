/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tickbus/journal.h>

#define SUPERVISOR_DIED SIGUSR2
#define LOG_READS       8u /* of PROCESS_LINE_MAX bytes */

static tbus_atomic_u32_t orphaned; /* in the child: its supervisor is gone */

/* --- in the child */

static void on_supervisor_died(int signal_number)
{
    (void)signal_number;
    tbus_store_relaxed_u32(&orphaned, 1);
}

/* A segment of the journal that somebody has cut fails its recorder in order. Else the access is
 * repeated, and kills. */
static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    if (!tbus_journal_writer_on_sigbus(info->si_addr))
        signal(signal_number, SIG_DFL);
}

static void take_signals(void)
{
    struct sigaction bus_error = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction died = {.sa_handler = on_supervisor_died};
    sigaction(SIGINT, &ignore, NULL);
    sigaction(SIGTERM, &ignore, NULL);
    sigaction(SIGHUP, &ignore, NULL);
    sigaction(SIGTSTP, &ignore, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SUPERVISOR_DIED, &died, NULL);
    sigaction(SIGBUS, &bus_error, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* The descriptor that we were started with and that a stage of this process reads from; -1:
 * none. */
static int inherited_descriptor(const pipeline_t *pipeline, uint32_t index)
{
    const layout_process_t *plan = &pipeline->layout->processes[index];
    int fd = -1;
    for (uint32_t i = 0; i < plan->stages_count && fd < 0; i++) {
        const config_instance_t *instance = pipeline->stages[plan->stages[i]].instance;
        if (instance->kind->inherited_fd)
            fd = instance->kind->inherited_fd(config_instance_values(instance));
    }
    return fd;
}

/* Has a stage of this process a port on the topic? */
static bool has_a_port(const pipeline_t *pipeline, uint32_t index, const char *topic)
{
    const layout_process_t *plan = &pipeline->layout->processes[index];
    for (uint32_t i = 0; i < plan->stages_count; i++) {
        const tbus_kind_t *kind = pipeline->stages[plan->stages[i]].instance->kind;
        for (uint32_t k = 0; k < kind->ports_count; k++)
            if (!kind->ports[k].topic || strcmp(kind->ports[k].topic, topic) == 0)
                return true;
    }
    return false;
}

/* A strategy cannot hand on what it has no descriptor of: the memory of `judged` and `approved`. */
static void forget_topics(pipeline_t *pipeline, uint32_t index)
{
    tbus_bus_t *bus = &pipeline->bus;
    for (uint32_t i = 0; i < bus->topics_count; i++)
        if (!has_a_port(pipeline, index, bus->directory->topics[i].name)) {
            close(bus->topic_segments[i].fd);
            bus->topic_segments[i].fd = -1;
        }
}

/* Everything but the standard streams, the memory of the bus and what the feed reads from: a lock
 * or socket of the supervisor's that lived on here would keep the name taken. */
static void close_others(const tbus_bus_t *bus, int source_fd)
{
    int keep[3 + TBUS_TOPICS_MAX];
    size_t count = 0;
    keep[count++] = STDERR_FILENO;
    keep[count++] = bus->directory_segment.fd;
    if (source_fd > STDERR_FILENO)
        keep[count++] = source_fd;
    for (unsigned i = 0; i < TBUS_TOPICS_MAX; i++)
        if (bus->topic_segments[i].base && bus->topic_segments[i].fd >= 0)
            keep[count++] = bus->topic_segments[i].fd;
    qsort(keep, count, sizeof *keep, ascending);
    for (size_t i = 0; i < count; i++) {
        unsigned first = (unsigned)keep[i] + 1;
        unsigned last = i + 1 < count ? (unsigned)keep[i + 1] - 1 : ~0u;
        if (first <= last)
            syscall(SYS_close_range, first, last, 0);
    }
}

static void redirect_streams(int log_fd, int source_fd)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null_fd >= 0 && source_fd != STDIN_FILENO)
        dup2(null_fd, STDIN_FILENO);
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
}

/* Where the layout wants it; a CPU that cannot be had costs latency, not the run. */
static void pin(pipeline_t *pipeline, uint32_t index)
{
    const layout_process_t *process = &pipeline->layout->processes[index];
    int32_t cpu = process->cpu;
    if (cpu >= 0) {
        size_t bytes = CPU_ALLOC_SIZE((size_t)cpu + 1);
        cpu_set_t *set = CPU_ALLOC((size_t)cpu + 1);
        if (set) {
            CPU_ZERO_S(bytes, set);
            CPU_SET_S((size_t)cpu, bytes, set);
        }
        if (!set || sched_setaffinity(0, bytes, set) < 0) {
            fprintf(stderr, "cannot be pinned to CPU %d (%s); it goes on unpinned\n", (int)cpu,
                    strerror(errno));
            cpu = -1;
        }
        CPU_FREE(set);
    }
    for (uint32_t i = 0; i < process->stages_count; i++)
        tbus_participant(&pipeline->bus, pipeline->stages[process->stages[i]].owner)->cpu = cpu;
}

static _Noreturn void be_the_child(pipeline_t *pipeline, uint32_t index, const char *name,
                                   pid_t supervisor, int log_fd)
{
    take_signals();
    setpgid(0, 0);
    prctl(PR_SET_NAME, name);
    prctl(PR_SET_PDEATHSIG, SUPERVISOR_DIED);
    if (getppid() != supervisor)
        _exit(1); /* it died before we could ask to be told */
    int source_fd = inherited_descriptor(pipeline, index);
    redirect_streams(log_fd, source_fd);
    forget_topics(pipeline, index);
    close_others(&pipeline->bus, source_fd);
    pin(pipeline, index);
    _exit(pipeline_run_process(pipeline, index, &orphaned) < 0);
}

/* --- in the supervisor */

int process_start(pipeline_t *pipeline, uint32_t index, process_t *out_process, tbus_error_t *err)
{
    process_t process = {.pidfd = -1, .log_fd = -1};
    layout_process_name(pipeline->layout, index, process.name, sizeof process.name);
    int log_pipe[2];
    if (pipe2(log_pipe, O_CLOEXEC) < 0)
        return tbus_fail(err, -errno, "%s: no pipe: %s", process.name, tbus_strerror(-errno));
    pid_t supervisor = getpid();
    process.pid = fork();
    if (process.pid == 0)
        be_the_child(pipeline, index, process.name, supervisor, log_pipe[1]);
    int code = process.pid < 0 ? -errno : 0;
    close(log_pipe[1]);
    process.log_fd = log_pipe[0];
    if (code == 0) {
        process.pidfd = (int)syscall(SYS_pidfd_open, process.pid, 0);
        if (process.pidfd < 0 || fcntl(process.log_fd, F_SETFL, O_NONBLOCK) < 0) {
            code = -errno;
            process_kill(&process);
        }
    }
    if (code < 0) {
        close(process.log_fd);
        return tbus_fail(err, code, "%s: the process cannot be started: %s", process.name,
                         tbus_strerror(code));
    }
    *out_process = process;
    return 0;
}

/* Hand out the lines of the buffer; `all`: what has no newline as well. */
static void hand_out_lines(process_t *process, bool all,
                           void (*line)(void *, const char *, const char *), void *context)
{
    size_t at = 0;
    while (at < process->line_used) {
        char *start = process->line + at;
        char *newline = memchr(start, '\n', process->line_used - at);
        if (!newline && !all && (at || process->line_used < sizeof process->line - 1))
            break;
        size_t length = newline ? (size_t)(newline - start) : process->line_used - at;
        start[length] = 0;
        if (length)
            line(context, process->name, start);
        at += length + (newline != NULL);
    }
    process->line_used -= at;
    memmove(process->line, process->line + at, process->line_used);
}

void process_read_log(process_t *process,
                      void (*line)(void *context, const char *name, const char *text),
                      void *context)
{
    /* So many bytes a turn: a stage that floods its log keeps nobody else waiting. */
    for (unsigned reads = 0; process->log_fd >= 0 && (reads < LOG_READS || process->ended);
         reads++) {
        ssize_t got = read(process->log_fd, process->line + process->line_used,
                           sizeof process->line - 1 - process->line_used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got > 0)
            process->line_used += (size_t)got;
        hand_out_lines(process, got <= 0, line, context);
        if (got <= 0) {
            close(process->log_fd);
            process->log_fd = -1;
        }
    }
}

bool process_reap(process_t *process)
{
    if (process->ended || !process->pid)
        return process->ended;
    pid_t reaped = waitpid(process->pid, &process->status, WNOHANG);
    if (reaped == 0 || (reaped < 0 && errno == EINTR))
        return false;
    process->ended = true;
    if (process->pidfd >= 0)
        close(process->pidfd);
    process->pidfd = -1;
    return true;
}

void process_kill(process_t *process)
{
    if (!process->pid || process->ended)
        return;
    kill(process->pid,
         SIGKILL); /* ours and not reaped yet: the number cannot have been given to anybody else */
    while (waitpid(process->pid, &process->status, 0) < 0 && errno == EINTR) {
    }
    process->ended = true;
    if (process->pidfd >= 0)
        close(process->pidfd);
    process->pidfd = -1;
}

void process_end_text(const process_t *process, char *out_text, size_t bytes)
{
    if (WIFSIGNALED(process->status)) {
        int number = WTERMSIG(process->status);
        const char *name = sigabbrev_np(number);
        snprintf(out_text, bytes, "was killed by SIG%s (%s)", name ? name : "?", strsignal(number));
    } else {
        snprintf(out_text, bytes, "exited with code %d", WEXITSTATUS(process->status));
    }
}
