/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <jansson.h>

#include "tools/control.h"
#include "tools/layout.h"
#include "tools/pipeline.h"
#include "tools/process.h"
#include "tools/progress.h"
#include "tools/rundir.h"
#include "tools/summary.h"
#include "tools/verbs.h"

#define SECOND_NS  UINT64_C(1000000000)
#define READY_NS   (60 * SECOND_NS) /* to make all stages: memory for large books takes a while to touch */
#define DRAIN_NS   (30 * SECOND_NS) /* to take what is on the rings, which is done in milliseconds */
#define END_NS     (60 * SECOND_NS) /* to end when told: the recorder syncs its journal to the disk */
#define SALVAGE_NS (2 * SECOND_NS)  /* for the recorder to save what there is when another stage has died */
#define STEP_MS    1
#define STEP_MS_MAX                                                                                          \
    50 /* between two looks at a long run: each costs a spinning stage some microseconds of its CPU */

typedef struct supervisor {
    const supervisor_request_t *request;
    rundir_t dir;
    int lock_fd;
    layout_t layout;
    pipeline_t pipeline;
    process_t processes[STAGES_COUNT];
    control_server_t *control;
    int signal_fd;
    uint64_t running_since_ns; /* 0: not yet */
    bool stop_asked;           /* by a signal or `busctl stop` */
    bool abort_asked;          /* by a second signal */
    bool broken;               /* a stage has failed or a process has died */
    progress_t progress;
    summary_run_t run;
} supervisor_t;

static void say(supervisor_t *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(supervisor_t *s, const char *format, ...)
{
    progress_wipe(&s->progress);
    fprintf(stderr, "%s: ", s->request->verb);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* Something went wrong: said at once, and again in the summary. */
static void complain(supervisor_t *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void complain(supervisor_t *s, const char *format, ...)
{
    char text[SUMMARY_ERROR_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    say(s, "%s", text);
    summary_add_error(&s->run, "%s", text);
}

static uint64_t running_for_ns(const supervisor_t *s)
{
    return s->running_since_ns ? tbus_clock_ns() - s->running_since_ns : 0;
}

/* --- commands to stages */

static tbus_participant_t *participant(supervisor_t *s, enum stage_id stage)
{
    return s->pipeline.owners[stage] ? tbus_participant(&s->pipeline.bus, s->pipeline.owners[stage]) : NULL;
}

static void nudge(supervisor_t *s)
{
    for (uint32_t i = 0; i < s->pipeline.bus.directory->topics_count; i++)
        tbus_ring_nudge(&s->pipeline.bus.rings[i]);
}

static void command(supervisor_t *s, enum stage_id stage, enum tbus_command what)
{
    tbus_participant_t *p = participant(s, stage);
    if (p)
        tbus_store_release_u32(&p->command, what);
    nudge(s);
}

static bool told_to_stop(supervisor_t *s, uint32_t process)
{
    const layout_process_t *plan = &s->layout.processes[process];
    for (uint32_t i = 0; i < plan->stages_count; i++)
        if (tbus_load_relaxed_u32(&participant(s, plan->stages[i])->command) != TBUS_CMD_STOP)
            return false;
    return true;
}

/* --- processes that end */

/* Why: the stage's own word, else how the process ended. */
static void blame(supervisor_t *s, uint32_t index)
{
    const layout_process_t *plan = &s->layout.processes[index];
    bool explained = false;
    for (uint32_t i = 0; i < plan->stages_count; i++) {
        const tbus_participant_t *p = participant(s, plan->stages[i]);
        if (tbus_load_acquire_u32(&p->state) != TBUS_FAIL)
            continue;
        complain(s, "stage '%s' failed: %s", layout_stage_name(plan->stages[i]), p->reason);
        explained = true;
    }
    if (explained)
        return;
    char how[80];
    process_end_text(&s->processes[index], how, sizeof how);
    complain(s, "stage%s '%s' (process %d) %s", plan->stages_count > 1 ? "s" : "", s->processes[index].name,
             (int)s->processes[index].pid, how);
}

/* Its claims become tombs and its places are given up, so that nobody waits for it. */
static void bury(supervisor_t *s, uint32_t index)
{
    const layout_process_t *plan = &s->layout.processes[index];
    for (uint32_t i = 0; i < plan->stages_count; i++)
        for (uint32_t t = 0; t < s->pipeline.bus.directory->topics_count; t++)
            tbus_ring_repair(&s->pipeline.bus.rings[t], s->pipeline.owners[plan->stages[i]]);
}

static void show_log_line(void *context, const char *name, const char *text)
{
    supervisor_t *s = context;
    progress_wipe(&s->progress);
    fprintf(stderr, "%s: %s\n", name, text);
}

static void look_after(supervisor_t *s, uint32_t index)
{
    process_t *process = &s->processes[index];
    bool ended_before = process->ended;
    bool ended = process_reap(process);
    process_read_log(process, show_log_line, s);
    if (!ended || ended_before)
        return;
    if (told_to_stop(s, index) && process->status == 0)
        return;
    s->broken = true;
    blame(s, index);
    bury(s, index);
}

static bool all_ended(const supervisor_t *s)
{
    for (uint32_t i = 0; i < s->layout.processes_count; i++)
        if (s->processes[i].pid && !s->processes[i].ended)
            return false;
    return true;
}

/* --- one turn of waiting: signals, processes, clients */

static void take_signal(supervisor_t *s)
{
    struct signalfd_siginfo info;
    if (read(s->signal_fd, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGUSR1) {
        s->run.duration_ns = running_for_ns(s);
        json_t *summary = summary_build(&s->pipeline.bus, &s->run);
        progress_wipe(&s->progress);
        summary_print(summary, stderr);
        json_decref(summary);
        return;
    }
    if (s->stop_asked)
        s->abort_asked = true;
    else
        say(s, "draining; again to stop at once");
    s->stop_asked = true;
}

static void step(supervisor_t *s, int timeout_ms)
{
    struct pollfd fds[2 + 2 * STAGES_COUNT];
    nfds_t count = 0;
    fds[count++] = (struct pollfd){.fd = s->signal_fd, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = control_server_fd(s->control), .events = POLLIN};
    for (uint32_t i = 0; i < s->layout.processes_count; i++) {
        if (!s->processes[i].pid)
            continue;
        fds[count++] =
            (struct pollfd){.fd = s->processes[i].pidfd, .events = POLLIN}; /* -1 is left out by poll */
        fds[count++] = (struct pollfd){.fd = s->processes[i].log_fd, .events = POLLIN};
    }
    if (poll(fds, count, timeout_ms) > 0) {
        if (fds[0].revents)
            take_signal(s);
        if (fds[1].revents)
            control_server_serve(s->control);
        for (uint32_t i = 0; i < s->layout.processes_count; i++)
            if (s->processes[i].pid)
                look_after(s, i);
    }
    if (s->running_since_ns)
        progress_show(&s->progress, &s->pipeline.bus, s->running_since_ns);
}

/* --- the control socket */

static void fail_reply(control_reply_t *reply, int code, const char *text)
{
    reply->error = code;
    snprintf(reply->error_text, sizeof reply->error_text, "%s", text);
}

static void answer_attach(supervisor_t *s, control_reply_t *reply)
{
    const tbus_bus_t *bus = &s->pipeline.bus;
    json_t *topics = json_array();
    int fd = tbus_segment_reopen(&bus->directory_segment, false);
    for (uint32_t i = 0; fd >= 0; i++) {
        reply->fds[reply->fds_count++] = fd;
        if (i == bus->directory->topics_count)
            break;
        json_array_append_new(topics, json_pack("{s:s, s:s}", "name", bus->directory->topics[i].name, "type",
                                                bus->directory->topics[i].type));
        fd = tbus_segment_reopen(&bus->topic_segments[i], false);
    }
    if (fd >= 0) {
        reply->result = json_pack("{s:s, s:o}", "name", bus->directory->name, "topics", topics);
        return;
    }
    while (reply->fds_count)
        close(reply->fds[--reply->fds_count]);
    json_decref(topics);
    fail_reply(reply, CONTROL_FAILED, tbus_strerror(fd));
}

static void answer_halt(supervisor_t *s, const json_t *params, control_reply_t *reply)
{
    const char *reason = json_string_value(json_object_get(params, "reason"));
    if (!reason || !*reason || strlen(reason) > 200) {
        fail_reply(reply, CONTROL_INVALID_PARAMS, "params must be {\"reason\": TEXT of 1 to 200 bytes}");
        return;
    }
    tbus_store_release_u32(&s->pipeline.bus.directory->halted, 1);
    nudge(s);
    say(s, "risk halted: %s", reason);
    reply->result = json_pack("{s:b}", "halted", 1);
}

static void answer(void *context, const char *method, const json_t *params, control_reply_t *reply)
{
    supervisor_t *s = context;
    if (strcmp(method, "status") == 0) {
        s->run.duration_ns = running_for_ns(s);
        reply->result = summary_build(&s->pipeline.bus, &s->run);
    } else if (strcmp(method, "stop") == 0) {
        if (!s->stop_asked)
            say(s, "draining, as `busctl stop` asked");
        s->stop_asked = true;
        reply->result = json_pack("{s:b}", "stopping", 1);
    } else if (strcmp(method, "attach") == 0) {
        answer_attach(s, reply);
    } else if (strcmp(method, "risk.halt") == 0) {
        answer_halt(s, params, reply);
    } else {
        fail_reply(reply, CONTROL_UNKNOWN_METHOD,
                   "there is no such method; there are status, stop, attach, risk.halt");
    }
}

/* --- up */

static bool has_recorder(const layout_process_t *process)
{
    return process->stages[process->stages_count - 1] == STAGE_RECORDER;
}

static bool all_ready(supervisor_t *s, char *out_missing, size_t bytes)
{
    size_t used = 0;
    out_missing[0] = 0;
    for (uint32_t i = 0; i < s->layout.processes_count; i++)
        for (uint32_t k = 0; s->processes[i].pid && k < s->layout.processes[i].stages_count; k++) {
            enum stage_id stage = s->layout.processes[i].stages[k];
            if (tbus_load_acquire_u32(&participant(s, stage)->state) < TBUS_READY && used < bytes)
                used += (size_t)snprintf(out_missing + used, bytes - used, "%s%s", used ? ", " : "",
                                         layout_stage_name(stage));
        }
    return used == 0;
}

static bool wait_ready(supervisor_t *s)
{
    char missing[100];
    uint64_t deadline_ns = tbus_clock_ns() + READY_NS;
    while (!all_ready(s, missing, sizeof missing)) {
        step(s, STEP_MS);
        if (s->broken || s->stop_asked)
            return false;
        if (tbus_clock_ns() > deadline_ns) {
            complain(s, "%s: not ready after %u s; smaller books.orders_max?", missing,
                     (unsigned)(READY_NS / SECOND_NS));
            return false;
        }
    }
    return !s->broken;
}

/* The process of the recorder comes last: when any other stage cannot be made, no journal has been begun. */
static bool start_processes(supervisor_t *s)
{
    for (int wave = 0; wave < 2; wave++) {
        for (uint32_t i = 0; i < s->layout.processes_count; i++) {
            tbus_error_t why = {0};
            if (has_recorder(&s->layout.processes[i]) != (wave == 1))
                continue;
            if (process_start(&s->pipeline, i, &s->processes[i], &why) < 0) {
                complain(s, "%s", why.text);
                return false;
            }
        }
        if (!wait_ready(s))
            return false;
    }
    return true;
}

static void let_run(supervisor_t *s)
{
    s->run.state = "running";
    s->running_since_ns = tbus_clock_ns();
    for (enum stage_id stage = STAGES_COUNT;
         stage-- > STAGE_FEED;) /* the feed last: everybody else is there by then */
        command(s, stage, TBUS_CMD_RUN);
}

static bool source_is_done(supervisor_t *s)
{
    return tbus_load_acquire_u32(&participant(s, STAGE_FEED)->state) == TBUS_DONE;
}

/* Looks become rarer as the run goes on, so that its length is known to a per cent. */
static void run_until_done(supervisor_t *s)
{
    while (!source_is_done(s) && !s->stop_asked && !s->broken) {
        uint64_t per_cent_ms = running_for_ns(s) / (SECOND_NS / 10);
        step(s, per_cent_ms < STEP_MS ? STEP_MS : per_cent_ms > STEP_MS_MAX ? STEP_MS_MAX : (int)per_cent_ms);
    }
}

/* --- down */

static void name_the_slowest(supervisor_t *s)
{
    const tbus_bus_t *bus = &s->pipeline.bus;
    uint64_t lag_max = 0;
    const char *topic = NULL;
    const char *subscriber = NULL;
    for (uint32_t i = 0; i < bus->directory->topics_count; i++) {
        uint64_t lag = 0;
        int slowest = tbus_ring_slowest(&bus->rings[i], &lag);
        if (slowest < 0 || lag <= lag_max)
            continue;
        lag_max = lag;
        topic = bus->directory->topics[i].name;
        subscriber = bus->rings[i].shared->subs[slowest].name;
    }
    unsigned seconds = (unsigned)(DRAIN_NS / SECOND_NS);
    if (topic)
        complain(s, "not drained after %u s: '%s' is %llu messages behind on topic '%s'", seconds, subscriber,
                 (unsigned long long)lag_max, topic);
    else
        complain(s, "not drained after %u s: everything is taken, but the stages do not come to rest",
                 seconds);
}

/* Wait until everything is taken and nobody has anything to do. *out_drained_ns: for how long the run had gone on
 * when the last message was taken; stages that sleep are slower than that to confirm that they have no more. */
static bool drain(supervisor_t *s, uint64_t *out_drained_ns)
{
    tbus_quiescence_t quiescence = {0};
    uint64_t published = 0;
    uint64_t drained_ns = 0;
    uint64_t deadline_ns = tbus_clock_ns() + DRAIN_NS;
    while (!tbus_bus_quiescent(&s->pipeline.bus, &quiescence)) {
        if (quiescence.armed && (!drained_ns || quiescence.published_sum != published)) {
            drained_ns = running_for_ns(s);
            published = quiescence.published_sum;
        }
        nudge(s);
        step(s, STEP_MS);
        if (s->broken || s->abort_asked)
            return false;
        if (tbus_clock_ns() > deadline_ns) {
            name_the_slowest(s);
            return false;
        }
    }
    *out_drained_ns = drained_ns;
    return true;
}

static bool wait_ended(supervisor_t *s, uint32_t index, uint64_t limit_ns)
{
    uint64_t deadline_ns = tbus_clock_ns() + limit_ns;
    while (s->processes[index].pid && !s->processes[index].ended) {
        nudge(s);
        step(s, STEP_MS);
        if (s->abort_asked)
            return false;
        if (tbus_clock_ns() > deadline_ns) {
            complain(s, "%s (process %d) did not end within %u s of being told; it is killed",
                     s->processes[index].name, (int)s->processes[index].pid,
                     (unsigned)(limit_ns / SECOND_NS));
            return false;
        }
    }
    return true;
}

/* Each process goes when the last of its stages has been told. */
static bool stop_in_order(supervisor_t *s)
{
    bool fine = true;
    for (enum stage_id stage = STAGE_FEED; stage < STAGES_COUNT; stage++) {
        tbus_participant_t *p = participant(s, stage);
        if (!p)
            continue;
        command(s, stage, TBUS_CMD_STOP);
        if (told_to_stop(s, p->process))
            fine &= wait_ended(s, p->process, END_NS);
    }
    return fine;
}

static bool wind_down(supervisor_t *s)
{
    uint64_t cancelled_ns;
    s->run.state = "stopping";
    command(s, STAGE_FEED, TBUS_CMD_WIND_DOWN);
    if (!drain(s, &s->run.duration_ns))
        return false;
    command(s, STAGE_STRATEGY, TBUS_CMD_WIND_DOWN);
    return drain(s, &cancelled_ns) && stop_in_order(s);
}

static bool recorder_has_all(supervisor_t *s)
{
    for (uint32_t t = 0; t < s->pipeline.bus.directory->topics_count; t++) {
        const tbus_ring_t *ring = &s->pipeline.bus.rings[t];
        for (uint32_t i = 0; i < TBUS_RING_SUBS_MAX; i++) {
            const tbus_ring_sub_t *sub = &ring->shared->subs[i];
            if (tbus_load_acquire_u32(&sub->state) == TBUS_SUB_ACTIVE &&
                strncmp(sub->name, layout_stage_name(STAGE_RECORDER), sizeof sub->name) == 0 &&
                tbus_load_relaxed_u64(&sub->consumed) + tbus_load_relaxed_u64(&sub->tombs) <
                    tbus_ring_published(ring))
                return false;
        }
    }
    return true;
}

/* The run cannot be finished as it should. No order passes any more, no input is taken; what is on the rings is recorded as far as the
 * recorder lives; then everybody goes, whoever cannot is killed. */
static void give_up(supervisor_t *s)
{
    s->run.state = "stopping";
    tbus_store_release_u32(&s->pipeline.bus.directory->halted, 1);
    command(s, STAGE_FEED, TBUS_CMD_WIND_DOWN);
    uint64_t deadline_ns = tbus_clock_ns() + SALVAGE_NS;
    while (s->running_since_ns && !s->abort_asked && !recorder_has_all(s) && tbus_clock_ns() < deadline_ns) {
        nudge(s);
        step(s, STEP_MS);
    }
    for (enum stage_id stage = STAGE_FEED; stage < STAGES_COUNT; stage++)
        command(s, stage, TBUS_CMD_STOP);
    deadline_ns = tbus_clock_ns() + (s->abort_asked ? 0 : END_NS);
    while (!all_ended(s) && !s->abort_asked && tbus_clock_ns() < deadline_ns) {
        nudge(s);
        step(s, STEP_MS);
    }
    for (uint32_t i = 0; i < s->layout.processes_count; i++)
        process_kill(&s->processes[i]);
}

/* --- all of it */

static void say_layout(supervisor_t *s)
{
    char text[400];
    const config_t *config = s->request->config;
    say(s, "bus '%s': %s at pace %s, strategy %s, %s%s", config->bus.name, config->feed.source,
        config->feed.pace, config->strategy.name,
        *config->journal.directory ? "recorded in " : "not recorded (--journal DIR)",
        config->journal.directory);
    layout_text(&s->layout, text, sizeof text);
    say(s, "%s", text);
    if (s->layout.warning[0])
        say(s, "%s", s->layout.warning);
    pipeline_pages_text(&s->pipeline, text, sizeof text);
    say(s, "%s", text);
}

static void plan(supervisor_t *s)
{
    uint32_t allowed[1024];
    const config_t *config = s->request->config;
    layout_request_t request = {
        .mode = (enum layout_mode)config->layout.mode,
        .wait = (enum tbus_wait_mode)config->layout.wait,
        .recorder = config->journal.directory[0] != 0,
        .pin = config->layout.pin,
        .allowed_count = layout_allowed_cpus(allowed, 1024),
        .allowed = allowed,
        .wanted_count = config->layout.cpus_count,
        .wanted = config->layout.cpus,
    };
    layout_plan(&request, &s->layout);
}

static int open_signals(tbus_error_t *err)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP); /* the terminal is gone */
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : tbus_fail(err, -errno, "no signalfd: %s", tbus_strerror(-errno));
}

static int open_control(supervisor_t *s, tbus_error_t *err)
{
    int fd = rundir_listen(&s->dir, s->request->config->bus.name, err);
    return fd < 0 ? fd : control_server_open(fd, answer, s, &s->control, err);
}

/* From the first fork to the last process that ended. */
static void run_pipeline(supervisor_t *s)
{
    say_layout(s);
    bool fine = start_processes(s);
    if (fine) {
        let_run(s);
        run_until_done(s);
        fine = !s->broken && wind_down(s);
    }
    if (!fine) {
        s->run.duration_ns = running_for_ns(s);
        give_up(s);
    }
    progress_wipe(&s->progress);
    const tbus_participant_t *feed = participant(s, STAGE_FEED);
    if (tbus_load_acquire_u32(&feed->state) != TBUS_FAIL && feed->reason[0])
        complain(s, "feed: %s", feed->reason);
    if (s->abort_asked)
        complain(s, "stopped at once, as asked: what was on its way is lost");
    tbus_store_release_u32(&s->pipeline.bus.directory->ended, 1);
    s->run.state = "ended";
}

static int report(supervisor_t *s)
{
    int code = s->run.errors_count ? VERB_FAILED : VERB_OK;
    if (!s->request->json && !s->running_since_ns)
        return code ? code : VERB_FAILED; /* nothing ran: the error on stderr is all there is to say */
    json_t *summary = summary_build(&s->pipeline.bus, &s->run);
    if (s->request->json) {
        json_dumpf(summary, stdout, JSON_INDENT(2));
        fputc('\n', stdout);
    } else {
        summary_print(summary, stdout);
    }
    json_decref(summary);
    if (fflush(stdout) == 0)
        return code;
    say(s, "cannot write the summary: %s", strerror(errno));
    return VERB_FAILED;
}

int supervisor_run(const supervisor_request_t *request)
{
    const config_t *config = request->config;
    supervisor_t s = {
        .request = request,
        .run = {.state = "starting", .source = config->feed.source, .journal = config->journal.directory}};
    tbus_error_t why = {0};
    int code = VERB_FAILED;
    s.run.layout = &s.layout;
    progress_init(&s.progress);
    plan(&s);
    if (rundir_open(true, &s.dir, &why) < 0)
        return verb_failed(request->verb, "%s", why.text);
    s.lock_fd = rundir_lock(&s.dir, config->bus.name, &why);
    if (s.lock_fd < 0)
        goto no_lock;
    if (pipeline_create(config, &s.layout, request->for_ns, &s.pipeline, &why) < 0)
        goto no_pipeline;
    s.signal_fd = open_signals(&why);
    if (s.signal_fd < 0)
        goto no_signals;
    if (open_control(&s, &why) < 0)
        goto no_control;
    run_pipeline(&s);
    code = report(&s);
    control_server_close(s.control);
no_control:
    close(s.signal_fd);
no_signals:
    pipeline_close(&s.pipeline);
no_pipeline:
    rundir_unlock(&s.dir, config->bus.name, s.lock_fd);
no_lock:
    rundir_close(&s.dir);
    if (why.code)
        verb_failed(request->verb, "%s", why.text);
    return code;
}
