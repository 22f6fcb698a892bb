/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/supervisor_parts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bus/market/inputs.h"
#include "tools/control/members.h"
#include "tools/run/config_layout.h"
#include "tools/run/listing.h"
#include "tools/show/outcome.h"
#include "tools/show/recorded.h"

#define SECOND_NS UINT64_C(1000000000)
#define READY_NS                                                                                   \
    (60 * SECOND_NS) /* to make all stages: memory for large books takes a while to touch */
#define SAY_READY_NS SECOND_NS /* between two words on how far they are */
/* to end when told: the recorder syncs its journal to the disk */
#define END_NS (60 * SECOND_NS)
#define SALVAGE_NS                                                                                 \
    (2 * SECOND_NS) /* for the recorder to save what there is when another stage has died */
#define STEP_MS 1
/* between two looks at a long run: each costs a spinning stage some microseconds of its CPU */
#define STEP_MS_MAX 50

/* --- up */

static bool records(const supervisor_t *s, uint32_t process)
{
    const layout_process_t *plan = &s->layout.processes[process];
    for (uint32_t i = 0; i < plan->stages_count; i++)
        if (supervisor_is(s, plan->stages[i], TBUS_KIND_RECORDS))
            return true;
    return false;
}

static bool all_ready(supervisor_t *s, char *out_missing, size_t bytes)
{
    size_t used = 0;
    out_missing[0] = 0;
    for (uint32_t i = 0; i < s->layout.processes_count; i++)
        for (uint32_t k = 0; s->processes[i].pid && k < s->layout.processes[i].stages_count; k++) {
            uint32_t stage = s->layout.processes[i].stages[k];
            /* O2 pairs O1 (set_state in loop.c) */
            uint32_t state = tbus_load_acquire_u32(&supervisor_participant(s, stage)->state);
            /* One that has failed ends in a moment, and the start with it. */
            if ((state < TBUS_READY || state == TBUS_FAIL) && used < bytes)
                used += (size_t)snprintf(out_missing + used, bytes - used, "%s%s", used ? ", " : "",
                                         s->layout.stages[stage].name);
        }
    return used == 0;
}

/* Books are touched when they are made: gigabytes of them take seconds. */
static void say_how_far(supervisor_t *s, const char *missing)
{
    char text[100];
    uint64_t touched = 0;
    for (uint32_t i = 0; i < s->layout.processes_count; i++)
        if (s->processes[i].pid)
            touched += memory_touched("/proc", s->processes[i].pid);
    memory_progress_text(&s->pipeline, touched, text, sizeof text);
    supervisor_say(s, "not ready yet: %s; memory: %s", missing, text);
}

static bool wait_ready(supervisor_t *s)
{
    char missing[100];
    uint64_t now_ns = tbus_clock_ns(), deadline_ns = now_ns + READY_NS;
    uint64_t say_ns = now_ns + SAY_READY_NS;
    while (!all_ready(s, missing, sizeof missing)) {
        supervisor_step(s, STEP_MS);
        if (s->broken || s->stop_asked)
            return false;
        now_ns = tbus_clock_ns();
        if (now_ns > say_ns) {
            say_how_far(s, missing);
            say_ns = now_ns + SAY_READY_NS;
        }
        if (now_ns > deadline_ns) {
            for (uint32_t i = 0; i < s->layout.processes_count; i++)
                (void)supervisor_blame_stages(s, i); /* that have failed, and do not end */
            supervisor_complain(s, "%s: not ready after %u s; smaller books.orders_max?", missing,
                                (unsigned)(READY_NS / SECOND_NS));
            return false;
        }
    }
    return !s->broken;
}

/* Processes that record come last: when any other stage cannot be made, no journal has been
 * begun. */
static bool start_processes(supervisor_t *s)
{
    for (int wave = 0; wave < 2; wave++) {
        for (uint32_t i = 0; i < s->layout.processes_count; i++) {
            tbus_error_t why = {0};
            if (records(s, i) != (wave == 1))
                continue;
            if (process_start(&s->pipeline, i, &s->processes[i], &why) < 0) {
                supervisor_complain(s, "%s", why.text);
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
    if (supervisor_stages(s))
        supervisor_write_members(s);
    s->run.state = "running";
    s->noise_began = noise_mark();
    s->running_since_ns = tbus_clock_ns();
    /* Sources last: everybody else is there by then. */
    for (uint32_t i = supervisor_stages(s); i-- > 0;)
        supervisor_command(s, i, TBUS_CMD_RUN);
}

/* Of no source: never. */
static bool sources_are_done(const supervisor_t *s)
{
    uint32_t sources = 0, done = 0;
    for (uint32_t i = 0; i < supervisor_stages(s); i++) {
        if (!supervisor_is(s, i, TBUS_KIND_SOURCE))
            continue;
        sources++;
        /* O2 pairs O1 (set_state in loop.c): all that it published counts. */
        done += tbus_load_acquire_u32(&supervisor_participant(s, i)->state) == TBUS_DONE;
    }
    return sources != 0 && done == sources;
}

static bool stands_still(supervisor_t *s)
{
    uint64_t stages = 0, sources = 0;
    for (uint32_t i = 0; i < supervisor_stages(s); i++) {
        uint64_t bit = UINT64_C(1) << (s->pipeline.stages[i].owner - 1);
        stages |= bit;
        sources |= supervisor_is(s, i, TBUS_KIND_SOURCE) ? bit : 0;
    }
    return standstill_look(&s->standstill, &s->pipeline.bus, stages, sources);
}

/* Stages that repeat what was recorded, and get no further, are told to pass over what is left. */
static void watch_repetition(supervisor_t *s)
{
    if (!s->repeats || s->stood_still)
        return;
    if (!stands_still(s)) {
        if (s->standstill.suspected)
            supervisor_nudge(s);
        return;
    }
    s->stood_still = true;
    supervisor_note(s, "the stages get no further: one of them waits for a message that the "
                       "recording has and that is not sent this time");
    supervisor_command_all(s, TBUS_KIND_SOURCE, false, TBUS_CMD_WIND_DOWN);
}

/* Looks become rarer as the run goes on, so that its length is known to a per cent. A run that is
 * measured has its times from stamps: each look takes the CPU from a stage for tens of us, and the
 * 330 of the first second would be its p99. */
static int ms_to_next_look(const supervisor_t *s)
{
    uint64_t per_cent_ms = supervisor_running_ns(s) / (SECOND_NS / 10);
    if (s->request->stamps || per_cent_ms > STEP_MS_MAX)
        return STEP_MS_MAX;
    return per_cent_ms < STEP_MS ? STEP_MS : (int)per_cent_ms;
}

static void run_until_done(supervisor_t *s)
{
    while (!supervisor_stages(s) && !s->stop_asked)
        supervisor_step(s, -1); /* nothing happens by itself */
    while (!sources_are_done(s) && !s->stop_asked && !s->broken && !s->stood_still) {
        supervisor_step(s, ms_to_next_look(s));
        watch_repetition(s);
    }
}

/* --- down */

static void complain_of(supervisor_t *s, const char *subscriber, uint64_t lag, const char *topic)
{
    supervisor_complain(s,
                        "not drained after %u s: '" TBUS_NAME_TEXT
                        "' is %llu messages behind on topic '" TBUS_NAME_TEXT "'",
                        s->request->options->config.bus.drain_s_max, subscriber,
                        (unsigned long long)lag, topic);
}

/* A stage that is known to stand still: others may be further behind, and only wait for it. */
static bool name_who_stands_still(supervisor_t *s)
{
    backlog_t slowest = {.messages = 0};
    for (uint32_t index = 0; index < s->layout.processes_count; index++) {
        backlog_t held[BACKLOG_MAX];
        bool stands = s->run.stalls[index].how != STALL_NONE;
        uint32_t count = stands ? backlog_held_by(&s->pipeline.bus, index, held) : 0;
        for (uint32_t i = 0; i < count; i++)
            if (held[i].subscriber[0] && held[i].messages > slowest.messages)
                slowest = held[i];
    }
    if (slowest.messages)
        complain_of(s, slowest.subscriber, slowest.messages, slowest.topic);
    return slowest.messages != 0;
}

static void name_the_slowest(supervisor_t *s)
{
    const tbus_bus_t *bus = &s->pipeline.bus;
    uint64_t lag_max = 0;
    const char *topic = NULL;
    const char *subscriber = NULL;
    for (uint32_t i = 0; i < bus->topics_count; i++) {
        uint64_t lag = 0;
        int slowest = tbus_ring_slowest(&bus->rings[i], &lag);
        if (slowest < 0 || lag <= lag_max)
            continue;
        lag_max = lag;
        topic = bus->directory->topics[i].name;
        subscriber = bus->rings[i].shared->subs[slowest].name;
    }
    if (topic)
        complain_of(s, subscriber, lag_max, topic);
    else
        supervisor_complain(
            s, "not drained after %u s: everything is taken, but the stages do not come to rest",
            s->request->options->config.bus.drain_s_max);
}

static uint64_t drain_ns(const supervisor_t *s)
{
    return s->request->options->config.bus.drain_s_max * SECOND_NS;
}

/* Wait until everything is taken and nobody has anything to do, as long as something is taken.
 * *out_drained_ns: for how long the run had gone on when the last message was taken; stages that
 * sleep are slower than that to confirm that they have no more. */
static bool drain(supervisor_t *s, uint64_t *out_drained_ns)
{
    tbus_quiescence_t quiescence = {0};
    uint64_t published = 0, taken = 0;
    uint64_t drained_ns = 0;
    uint64_t deadline_ns = tbus_clock_ns() + drain_ns(s);
    while (!tbus_bus_quiescent(&s->pipeline.bus, &quiescence)) {
        if (quiescence.armed && (!drained_ns || quiescence.published_sum != published)) {
            drained_ns = supervisor_running_ns(s);
            published = quiescence.published_sum;
        }
        supervisor_nudge(s);
        supervisor_step(s, STEP_MS);
        if (!quiescence.armed) /* all is taken: it comes to rest */
            watch_repetition(s);
        if (s->broken || s->abort_asked)
            return false;
        uint64_t taken_now = tbus_bus_taken(&s->pipeline.bus);
        if (taken_now != taken)
            deadline_ns = tbus_clock_ns() + drain_ns(s);
        taken = taken_now;
        if (tbus_clock_ns() > deadline_ns) {
            if (!name_who_stands_still(s))
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
        supervisor_nudge(s);
        supervisor_step(s, STEP_MS);
        if (s->abort_asked)
            return false;
        if (tbus_clock_ns() > deadline_ns) {
            supervisor_complain(
                s, "%s (process %d) did not end within %u s of being told; it is killed",
                s->processes[index].name, (int)s->processes[index].pid,
                (unsigned)(limit_ns / SECOND_NS));
            return false;
        }
    }
    return true;
}

/* How long a stage that was told to stop may take for it. */
static uint64_t end_ns(const supervisor_t *s, uint32_t stage)
{
    uint64_t serving_ns = drain_ns(s) + SALVAGE_NS;
    return supervisor_is(s, stage, TBUS_KIND_SERVES) && serving_ns > END_NS ? serving_ns : END_NS;
}

/* Each process goes when the last of its stages has been told. */
static bool stop_in_order(supervisor_t *s)
{
    bool fine = true;
    for (uint32_t i = 0; i < supervisor_stages(s); i++) {
        uint32_t process = supervisor_participant(s, i)->process;
        supervisor_serve_the_rest(s, process); /* it had just died */
        supervisor_command(s, i, TBUS_CMD_STOP);
        if (supervisor_told_to_stop(s, process))
            fine &= wait_ended(s, process, end_ns(s, i));
    }
    return fine;
}

/* Everything has been decided; whoever reads it from outside may still come. */
static bool hold(supervisor_t *s)
{
    if (!s->request->options->config.bus.hold || s->stop_asked)
        return true;
    s->run.state = "holding";
    supervisor_say(s, "the source has ended, and clients are served on; until Ctrl-C or `%s stop`",
                   outcome_program());
    while (!s->stop_asked && !s->broken)
        supervisor_step(s, STEP_MS_MAX);
    s->run.state = "stopping";
    return !s->broken;
}

static bool wind_down(supervisor_t *s)
{
    if (!supervisor_stages(s)) {
        s->run.duration_ns = supervisor_running_ns(s);
        return true; /* whoever joined reads out what is there, and is told that it was all */
    }
    uint64_t cancelled_ns;
    s->run.state = "stopping";
    supervisor_command_all(s, TBUS_KIND_SOURCE, true, TBUS_CMD_WIND_DOWN);
    if (!drain(s, &s->run.duration_ns))
        return false;
    supervisor_command_all(s, TBUS_KIND_SOURCE, false, TBUS_CMD_WIND_DOWN);
    return drain(s, &cancelled_ns) && hold(s) && stop_in_order(s);
}

/* Has this stage taken all that was published on what it reads? */
static bool has_all(const supervisor_t *s, const char *name)
{
    for (uint32_t t = 0; t < s->pipeline.bus.topics_count; t++) {
        const tbus_ring_t *ring = &s->pipeline.bus.rings[t];
        for (uint32_t i = 0; i < TBUS_RING_SUBS_MAX; i++) {
            const tbus_ring_sub_t *sub = &ring->shared->subs[i];
            /* G2 pairs G1 (tbus_place_cas) */
            if (tbus_load_acquire_u32(&sub->state) == TBUS_SUB_ACTIVE &&
                strncmp(sub->name, name, sizeof sub->name) == 0 &&
                tbus_load_relaxed_u64(&sub->consumed) + tbus_load_relaxed_u64(&sub->tombs) <
                    tbus_ring_published(ring))
                return false;
        }
    }
    return true;
}

static bool all_recorded(const supervisor_t *s)
{
    for (uint32_t i = 0; i < supervisor_stages(s); i++)
        if (supervisor_is(s, i, TBUS_KIND_RECORDS) && !has_all(s, s->layout.stages[i].name))
            return false;
    return true;
}

/* The run cannot be finished as it should. No order passes any more, no input is taken; what is on
 * the rings is recorded as far as the recorder lives; then everybody goes, whoever cannot is
 * killed. */
static void give_up(supervisor_t *s)
{
    s->run.state = "stopping";
    s->gives_up = true;
    kill_switch_throw_once(s->pipeline.kill_switch, KILL_BY_SUPERVISOR, "the run cannot go on");
    s->halt = kill_switch_generation(s->pipeline.kill_switch); /* why, was said */
    supervisor_command_all(s, TBUS_KIND_SOURCE, true, TBUS_CMD_WIND_DOWN);
    uint64_t deadline_ns = tbus_clock_ns() + SALVAGE_NS;
    while (s->running_since_ns && !s->abort_asked && !all_recorded(s) &&
           tbus_clock_ns() < deadline_ns) {
        supervisor_nudge(s);
        supervisor_step(s, STEP_MS);
    }
    for (uint32_t i = 0; i < supervisor_stages(s); i++)
        supervisor_command(s, i, TBUS_CMD_STOP);
    deadline_ns = tbus_clock_ns() + (s->abort_asked ? 0 : drain_ns(s));
    while (!supervisor_all_ended(s) && !s->abort_asked && tbus_clock_ns() < deadline_ns) {
        supervisor_nudge(s);
        supervisor_step(s, STEP_MS);
    }
    for (uint32_t i = 0; i < s->layout.processes_count; i++)
        process_kill(&s->processes[i]);
    supervisor_step(s, 0); /* their last words */
}

/* --- all of it */

/* "synth at pace 250k/s, strategy quote, recorded in DIR". */
static void describe_stages(const supervisor_t *s, char *out_text, size_t bytes)
{
    size_t used = 0;
    bool recorded = false;
    out_text[0] = 0;
    for (uint32_t i = 0; i < supervisor_stages(s); i++) {
        const config_instance_t *instance = s->pipeline.stages[i].instance;
        char text[TBUS_PARAM_TEXT_MAX + 64];
        recorded |= supervisor_is(s, i, TBUS_KIND_RECORDS);
        if (instance->kind->describe)
            instance->kind->describe(config_instance_values(instance), text, sizeof text);
        else if (instance->listed)
            snprintf(text, sizeof text, "%s", instance->name);
        else
            continue;
        if (used < bytes)
            used += (size_t)snprintf(out_text + used, bytes - used, "%s%s", used ? ", " : "", text);
    }
    if (!recorded && used < bytes)
        snprintf(out_text + used, bytes - used, "%snot recorded (--journal DIR)", used ? ", " : "");
}

/* "hello (broadcast, 8192 slots), ...; until Ctrl-C or `busctl stop`". */
static void describe_topics(const supervisor_t *s, char *out_text, size_t bytes)
{
    const tbus_bus_t *bus = &s->pipeline.bus;
    size_t used = 0;
    for (uint32_t i = 0; i < bus->topics_count && used < bytes; i++)
        used += (size_t)snprintf(out_text + used, bytes - used, "%s%s (%s, %u slots)",
                                 i ? ", " : "", bus->directory->topics[i].name,
                                 tbus_ring_kind_name(bus->rings[i].kind), bus->rings[i].slot_count);
    if (used < bytes)
        snprintf(out_text + used, bytes - used, "; until Ctrl-C or `%s stop`", outcome_program());
}

static void say_layout(supervisor_t *s)
{
    char text[2 * TBUS_PARAM_TEXT_MAX];
    if (supervisor_stages(s))
        describe_stages(s, text, sizeof text);
    else
        describe_topics(s, text, sizeof text);
    supervisor_say(s, "bus '%s': %s", s->request->options->config.bus.name, text);
    if (supervisor_stages(s)) {
        layout_text(&s->layout, text, sizeof text);
        supervisor_say(s, "%s", text);
    }
    if (s->layout.warning[0])
        supervisor_say(s, "%s", s->layout.warning);
    pipeline_pages_text(&s->pipeline, text, sizeof text);
    supervisor_say(s, "%s", text);
    if (supervisor_stages(s) && listing_missing(&s->request->options->config, text, sizeof text))
        supervisor_note(s, "%s", text);
}

/* Was it recorded by the clock of the host? */
static bool is_of_host_clock(const char *source)
{
    static const char journal[] = "journal:";
    if (strncmp(source, journal, sizeof journal - 1) != 0)
        return false;
    json_t *configuration = recorded_configuration(source + sizeof journal - 1);
    const json_t *venue = json_object_get(configuration, "venue");
    const char *clock = json_string_value(json_object_get(venue, "clock"));
    bool host = clock && strcmp(clock, "host") == 0;
    json_decref(configuration);
    return host;
}

static void note_clock(supervisor_t *s)
{
    if (!s->run.venue)
        return;
    if (s->run.venue->clock == SESSION_CLOCK_HOST)
        supervisor_note(s,
                        "venue.clock is host: orders, executions and profit depend on this host, "
                        "its load, the layout and the pace; another run, or a replay, has others");
    else if (is_of_host_clock(s->run.source))
        supervisor_note(s, "the session was recorded with venue.clock host: orders, executions and "
                           "profit are not those of the session; `replay --verify` repeats it");
}

static void plan(supervisor_t *s)
{
    config_layout(&s->request->options->config, &s->quota, &s->layout);
}

/* Who finds a signal ignored at the start leaves it ignored: nohup(1), and what a shell starts in
 * the background, mean it so. (signalfd(2) would tell of one that is blocked and ignored.) */
static void add_unless_ignored(sigset_t *set, int number)
{
    struct sigaction found;
    if (sigaction(number, NULL, &found) == 0 && found.sa_handler != SIG_IGN)
        sigaddset(set, number);
}

static int open_signals(supervisor_t *s, tbus_error_t *err)
{
    sigset_t signals;
    sigemptyset(&signals);
    add_unless_ignored(&signals, SIGINT);
    add_unless_ignored(&signals, SIGTERM);
    add_unless_ignored(&signals, SIGHUP);
    add_unless_ignored(&signals, SIGTSTP);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (!sigismember(&signals, SIGHUP) && s->request->options->file)
        supervisor_say(s, "SIGHUP is ignored, as nohup(1) has it: it will not read limits again");
    int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : tbus_fail(err, -errno, "no signalfd: %s", tbus_strerror(-errno));
}

static int open_control(supervisor_t *s, tbus_error_t *err)
{
    int fd = rundir_listen(&s->dir, s->request->options->config.bus.name, err);
    return fd < 0 ? fd : control_server_open(fd, supervisor_answer, s, &s->control, err);
}

/* What stages have to say that did not fail: of a source about its input, which is an error if it
 * counted one. */
static void tell_last_words(supervisor_t *s)
{
    for (uint32_t i = 0; i < supervisor_stages(s); i++) {
        const tbus_participant_t *p = supervisor_participant(s, i);
        const char *errors = s->pipeline.stages[i].instance->kind->errors_counter;
        /* P2 pairs P1 (set_state in loop.c): its reason is there. */
        if (tbus_load_acquire_u32(&p->state) == TBUS_FAIL || !p->reason[0])
            continue;
        if (errors && tbus_counter_value(&s->pipeline.bus, errors))
            supervisor_complain(s, "%s: %.*s", s->layout.stages[i].name, (int)sizeof p->reason - 1,
                                p->reason);
        else
            supervisor_note(s, "%.*s", (int)sizeof p->reason - 1, p->reason);
    }
}

/* From the first fork to the last process that ended. */
static void run_pipeline(supervisor_t *s)
{
    say_layout(s);
    tbus_error_t why = {0};
    note_clock(s);
    bool fine = supervisor_open_record(s, &why) == 0;
    if (!fine)
        supervisor_complain(s, "%s", why.text);
    if (fine && supervisor_take_over(s, &why) < 0) {
        supervisor_complain(s, "%s", why.text);
        fine = false;
    }
    supervisor_obey_standing(s);
    fine = fine && start_processes(s);
    if (fine) {
        let_run(s);
        run_until_done(s);
        if (!s->broken && !s->stop_asked)
            supervisor_tell(s, EVENT_STOP, 0, kill_switch_self(),
                            s->run.for_ns ? "the source has no more, or its time is over"
                                          : "the source has no more");
        fine = !s->broken && wind_down(s);
    }
    if (!fine) {
        if (!s->run.duration_ns)
            s->run.duration_ns = supervisor_running_ns(s);
        give_up(s);
    }
    if (supervisor_stages(s))
        supervisor_watch_halt(s); /* what risk has thrown at its end stands as well */
    progress_wipe(&s->progress, &s->talk);
    tell_last_words(s);
    if (!s->running_since_ns && !s->run.errors_count && s->stop_asked && !s->abort_asked)
        supervisor_note(s, "stopped before it had begun, as asked");
    else if (!s->running_since_ns && !s->run.errors_count)
        supervisor_complain(s, "stopped before it had begun");
    if (s->abort_asked)
        supervisor_complain(s, "stopped at once, as asked: what was on its way is lost");
    /* O3 pairs O4 (end_of in bus/run/waiting.c, follow in verb_tap.c): else they end before the
     * last messages. */
    tbus_store_release_u32(&s->pipeline.bus.directory->ended, 1);
    supervisor_nudge(s); /* participants from outside that sleep */
    supervisor_close_record(s);
    s->run.state = "ended";
    if (s->request->stopped && s->stop_asked)
        *s->request->stopped = true;
    if (s->request->repetition)
        *s->request->repetition =
            (supervisor_repetition_t){.stopped = s->stop_asked,
                                      .stood_still = s->stood_still,
                                      .left = tbus_counter_value(&s->pipeline.bus, INPUTS_LEFT)};
}

static int report(supervisor_t *s)
{
    int code = s->run.errors_count ? OUTCOME_FAILED : OUTCOME_OK;
    if (!s->request->options->json && !s->running_since_ns)
        return code; /* nothing ran: the error on stderr is all there is to say */
    if (s->request->summary)
        *s->request->summary = supervisor_summary(s);
    if (s->request->no_summary)
        return code;
    json_t *summary = supervisor_summary(s);
    if (s->request->options->json) {
        summary_print_json(summary, stdout);
    } else {
        summary_print(summary, stdout);
    }
    json_decref(summary);
    int printed = outcome_printed(s->request->verb);
    return printed == OUTCOME_OK ? code : printed;
}

/* What can be known to go wrong is said before anything is started. */
static int check_stages(const config_t *config, tbus_error_t *err)
{
    config_stage_t stages[TBUS_INSTANCES_MAX];
    uint32_t count = config_stages(config, stages);
    int code = 0;
    for (uint32_t i = 0; code == 0 && i < count; i++) {
        const config_instance_t *instance = stages[i].instance;
        if (instance->kind->check)
            code = instance->kind->check(config_instance_values(instance), err);
    }
    return code;
}

/* All that is there before the first process and after the last one. */
static int supervise(supervisor_t *s, tbus_error_t *why)
{
    const config_t *config = &s->request->options->config;
    int code = OUTCOME_FAILED;
    if (!s->request->topics_count && check_stages(config, why) < 0)
        return code;
    if (tbus_rundir_open(true, &s->dir, why) < 0)
        return code;
    s->lock_fd = rundir_lock(&s->dir, config->bus.name, why);
    if (s->lock_fd < 0)
        goto no_lock;
    if (supervisor_expect_nobody(s, why) < 0)
        goto no_pipeline;
    const supervisor_request_t *request = s->request;
    if (pipeline_create(config, &s->layout, request->options->for_ns, request->md_first_seq,
                        &s->pipeline, why) < 0)
        goto no_pipeline;
    s->pipeline.bus.stamps = request->stamps;
    s->pipeline.gaps = request->gaps;
    s->pipeline.stands = !request->rehearses;
    if (memory_check(&s->pipeline, why) < 0)
        goto no_guests;
    s->kills = memory_kills("/proc");
    for (uint32_t i = 0; i < s->request->topics_count; i++)
        if (pipeline_add_topic(&s->pipeline, &s->request->topics[i], why) < 0)
            goto no_guests;
    s->keep_fd = tbus_bus_keep(&s->pipeline.bus, why);
    if (s->keep_fd < 0 || guests_open(&s->guests, why) < 0)
        goto no_guests;
    s->signal_fd = open_signals(s, why);
    if (s->signal_fd < 0)
        goto no_signals;
    if (open_control(s, why) < 0)
        goto no_control;
    run_pipeline(s);
    talk_close(&s->talk);
    s->run.noise = noise_since(&s->noise_began);
    code = report(s);
    control_server_close(s->control);
no_control:
    close(s->signal_fd);
no_signals:
    guests_close(&s->guests);
no_guests:
    if (s->keep_fd > 0) /* or the memory of the bus lives as long as we do, run after run */
        close(s->keep_fd);
    s->keep_fd = 0;
    pipeline_close(&s->pipeline);
    members_remove(&s->dir, config->bus.name);
no_pipeline:
    rundir_unlock(&s->dir, config->bus.name, s->lock_fd);
no_lock:
    tbus_rundir_close(&s->dir);
    return code;
}

int supervisor_run(const supervisor_request_t *request)
{
    const config_t *config = &request->options->config;
    tbus_error_t why = {0};
    supervisor_t *s = calloc(1, sizeof *s);
    if (!s)
        return outcome_refused(request->verb, request->options->json, "no memory to start with");
    s->request = request;
    s->run = (summary_run_t){
        .state = "starting",
        .layout = &s->layout,
        .for_ns = request->options->for_ns,
        .source = request->topics_count ? "" : config_source(config),
        .pace = request->topics_count ? "" : config_pace(config),
        .journal = request->topics_count ? "" : config_journal(config),
        .venue = request->topics_count ? NULL : config_resource_values(config, &session_resource)};
    s->repeats = s->run.venue && s->run.venue->recorded[0];
    s->in_force = *config;
    s->file_keys = request->options->file_keys;
    supervisor_know_terminals(s);
    progress_init(&s->progress, request->stamps != NULL);
    talk_open(&s->talk);
    plan(s);
    int code = supervise(s, &why);
    talk_close(&s->talk);
    if (why.code)
        code = outcome_refused(request->verb, request->options->json, why.text);
    free(s);
    return code;
}
