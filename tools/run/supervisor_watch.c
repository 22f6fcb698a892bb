/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/supervisor_parts.h"
#include "tools/show/outcome.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* A second signal so soon is the first one's echo: timeout(1) signals its child, and then the group
 * that the child is in. Nobody presses Ctrl-C twice that fast. */
#define ECHO_NS UINT64_C(200000000)

void supervisor_say(supervisor_t *s, const char *format, ...)
{
    char text[TALK_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    progress_wipe(&s->progress, &s->talk);
    talk_line(&s->talk, true, "%s: %s", s->request->verb, text);
}

void supervisor_complain(supervisor_t *s, const char *format, ...)
{
    char text[SUMMARY_ERROR_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    supervisor_say(s, "%s", text);
    summary_add_error(&s->run, text);
}

void supervisor_note(supervisor_t *s, const char *format, ...)
{
    char text[SUMMARY_ERROR_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    supervisor_say(s, "note: %s", text);
    summary_add_note(&s->run, text);
}

uint64_t supervisor_running_ns(const supervisor_t *s)
{
    return s->running_since_ns ? tbus_clock_ns() - s->running_since_ns : 0;
}

json_t *supervisor_summary(const supervisor_t *s)
{
    summary_run_t run = s->run;
    if (!run.duration_ns) /* not drained yet */
        run.duration_ns = supervisor_running_ns(s);
    return summary_build(&s->pipeline.bus, &run);
}

/* --- commands to stages */

uint32_t supervisor_stages(const supervisor_t *s)
{
    return s->pipeline.stages_count;
}

bool supervisor_is(const supervisor_t *s, uint32_t stage, enum tbus_kind_traits trait)
{
    return s->layout.stages[stage].traits & trait;
}

tbus_participant_t *supervisor_participant(const supervisor_t *s, uint32_t stage)
{
    return &s->pipeline.bus.directory->participants[s->pipeline.stages[stage].owner - 1];
}

void supervisor_nudge(supervisor_t *s)
{
    for (uint32_t i = 0; i < s->pipeline.bus.topics_count; i++)
        tbus_ring_nudge(&s->pipeline.bus.rings[i]);
}

void supervisor_command(supervisor_t *s, uint32_t stage, enum tbus_command what)
{
    /* H1 pairs H2 (tbus_loop_obey): else a stage obeys and does not see what we stored before, as
     * that orders are halted. */
    tbus_store_release_u32(&supervisor_participant(s, stage)->command, what);
    supervisor_nudge(s);
}

void supervisor_command_all(supervisor_t *s, enum tbus_kind_traits trait, bool has,
                            enum tbus_command what)
{
    for (uint32_t i = 0; i < supervisor_stages(s); i++)
        if (supervisor_is(s, i, trait) == has)
            supervisor_command(s, i, what);
}

bool supervisor_told_to_stop(supervisor_t *s, uint32_t process)
{
    const layout_process_t *plan = &s->layout.processes[process];
    for (uint32_t i = 0; i < plan->stages_count; i++)
        if (tbus_load_relaxed_u32(&supervisor_participant(s, plan->stages[i])->command) !=
            TBUS_CMD_STOP)
            return false;
    return true;
}

/* --- processes that end */

/* Something that ends the run: said, and on record. */
__attribute__((format(printf, 3, 4))) static void fail(supervisor_t *s, uint32_t index,
                                                       const char *format, ...)
{
    char text[SUMMARY_ERROR_MAX];
    kill_switch_actor_t process = {.uid = (uint32_t)geteuid(),
                                   .pid = (uint32_t)s->processes[index].pid};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    supervisor_complain(s, "%s", text);
    supervisor_tell(s, EVENT_FAILED, 0, process, text);
}

bool supervisor_blame_stages(supervisor_t *s, uint32_t index)
{
    const layout_process_t *plan = &s->layout.processes[index];
    bool explained = false;
    for (uint32_t i = 0; i < plan->stages_count; i++) {
        const tbus_participant_t *p = supervisor_participant(s, plan->stages[i]);
        /* O2 pairs O1 (set_state in loop.c): its reason is there. */
        if (tbus_load_acquire_u32(&p->state) != TBUS_FAIL)
            continue;
        fail(s, index, "stage '%s' failed: %.*s", s->layout.stages[plan->stages[i]].name,
             (int)sizeof p->reason - 1, p->reason);
        explained = true;
    }
    return explained;
}

/* Why: the stage's own word, else how the process ended. */
static void blame(supervisor_t *s, uint32_t index)
{
    const layout_process_t *plan = &s->layout.processes[index];
    if (supervisor_blame_stages(s, index))
        return;
    char how[80], by_whom[TBUS_CGROUP_PATH_MAX + 200] = "";
    memory_kills_t kills = memory_kills("/proc");
    process_end_text(&s->processes[index], how, sizeof how);
    if (WIFSIGNALED(s->processes[index].status) && WTERMSIG(s->processes[index].status) == SIGKILL)
        memory_kill_text(&s->kills, &kills, by_whom, sizeof by_whom);
    fail(s, index, "stage%s '%s' (process %d) %s%s%s", plan->stages_count > 1 ? "s" : "",
         s->processes[index].name, (int)s->processes[index].pid, how, by_whom[0] ? " " : "",
         by_whom);
}

/* Its claims become tombs and its places are given up, so that nobody waits for it. */
static void bury(supervisor_t *s, uint32_t index)
{
    const layout_process_t *plan = &s->layout.processes[index];
    for (uint32_t i = 0; i < plan->stages_count; i++)
        tbus_bus_bury(&s->pipeline.bus, s->pipeline.stages[plan->stages[i]].owner);
}

static void show_log_line(void *context, const char *name, const char *text)
{
    supervisor_t *s = context;
    progress_wipe(&s->progress, &s->talk);
    talk_line(&s->talk, true, "%s: %s", name, text);
}

static void look_after(supervisor_t *s, uint32_t index)
{
    process_t *process = &s->processes[index];
    bool ended_before = process->ended;
    bool ended = process_reap(process);
    process_read_log(process, show_log_line, s);
    if (!ended || ended_before)
        return;
    if (supervisor_told_to_stop(s, index) && process->status == 0)
        return;
    bury(s, index);
    if (supervisor_serve_again(s, index))
        return;
    s->broken = true;
    blame(s, index);
}

bool supervisor_all_ended(const supervisor_t *s)
{
    for (uint32_t i = 0; i < s->layout.processes_count; i++)
        if (s->processes[i].pid && !s->processes[i].ended)
            return false;
    return true;
}

/* --- one turn of waiting: signals, processes, clients */

/* The summary so far, as text on stderr. */
static void print_summary(supervisor_t *s)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return;
    json_t *summary = supervisor_summary(s);
    summary_print(summary, out);
    json_decref(summary);
    fclose(out);
    progress_wipe(&s->progress, &s->talk);
    if (!talk_text(&s->talk, text, bytes))
        talk_line(&s->talk, true, "%s: there is no room for a summary", s->request->verb);
    free(text);
}

static void take_signal(supervisor_t *s)
{
    struct signalfd_siginfo info;
    if (read(s->signal_fd, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGUSR1) {
        print_summary(s);
        return;
    }
    if (info.ssi_signo == SIGUSR2) {
        supervisor_halt(s, (kill_switch_actor_t){info.ssi_uid, info.ssi_pid, 0}, "SIGUSR2");
        return;
    }
    if (info.ssi_signo == SIGTSTP) { /* Ctrl-Z: the run would be halted, and its market go on */
        supervisor_say(s,
                       "it cannot be suspended, as a market does not wait; `%s halt` lets no "
                       "order pass",
                       outcome_program());
        return;
    }
    kill_switch_actor_t actor = {.uid = info.ssi_uid, .pid = info.ssi_pid};
    /* The kernel sends it when the terminal goes; a shell that goes with it sends it to its
     * jobs. */
    bool terminal_gone = info.ssi_code == SI_KERNEL || supervisor_terminal_gone(s);
    if (info.ssi_signo == SIGHUP && !terminal_gone) {
        supervisor_reload(s, actor);
        return;
    }
    char name[16];
    snprintf(name, sizeof name, "SIG%s", sigabbrev_np((int)info.ssi_signo));
    supervisor_tell(s, EVENT_STOP, 0, actor, name);
    s->stop_asked = true;
    uint64_t now_ns = tbus_clock_ns();
    if (!s->signalled_ns) {
        s->signalled_ns = now_ns;
        supervisor_say(s, "%s; again to stop at once",
                       supervisor_stages(s) ? "draining" : "ending");
    } else if (now_ns - s->signalled_ns >= ECHO_NS) {
        s->abort_asked = true;
    }
}

static void serve_clients(supervisor_t *s)
{
    control_server_serve(s->control);
    int trouble = control_server_trouble(s->control);
    if (trouble)
        supervisor_say(s, "a client cannot be let in: %s", tbus_strerror(trouble));
}

void supervisor_step(supervisor_t *s, int timeout_ms)
{
    timeout_ms = guests_timeout_ms(&s->guests, timeout_ms);
    if (control_server_pending(s->control))
        timeout_ms = 0;
    struct pollfd fds[4 + 2 * TBUS_INSTANCES_MAX];
    nfds_t count = 0;
    fds[count++] = (struct pollfd){.fd = s->signal_fd, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = control_server_fd(s->control), .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = guests_fd(&s->guests), .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = talk_waits(&s->talk) ? s->talk.fd : -1, .events = POLLOUT};
    for (uint32_t i = 0; i < s->layout.processes_count; i++) {
        if (!s->processes[i].pid)
            continue;
        fds[count++] = (struct pollfd){.fd = s->processes[i].pidfd,
                                       .events = POLLIN}; /* -1 is left out by poll */
        fds[count++] = (struct pollfd){.fd = s->processes[i].log_fd, .events = POLLIN};
    }
    if (poll(fds, count, timeout_ms) > 0 || control_server_pending(s->control)) {
        if (fds[0].revents)
            take_signal(s);
        if (fds[1].revents || control_server_pending(s->control))
            serve_clients(s);
        talk_flush(&s->talk);
        for (uint32_t i = 0; i < s->layout.processes_count; i++)
            if (s->processes[i].pid)
                look_after(s, i);
    }
    guests_bury(&s->guests, &s->pipeline.bus);
    if (s->events.kept)
        tbus_outlet_flush(&s->events);
    supervisor_watch_journal(s);
    supervisor_watch_lateness(s);
    supervisor_watch_halt(s);
    supervisor_watch_stalls(s);
    supervisor_watch_services(s);
    if (s->request->watch)
        s->request->watch(s->request->watch_context, &s->pipeline.bus);
    if (s->running_since_ns && supervisor_stages(s))
        progress_show(&s->progress, &s->talk, &s->pipeline.bus, s->running_since_ns, s->run.for_ns);
}
