/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor_parts.h - the supervisor's own state, shared by the files that it is made of and by
 * nobody else.
 *
 *    supervisor.c          up, down, and what is reported
 *    supervisor_watch.c    one turn of waiting: signals, processes that end, clients; commands to
 *                          stages
 *    supervisor_stall.c    stages that stand still: the alarm, and what the user wants done about
 *                          them
 *    supervisor_serve.c    processes that serve clients: they are started again when they die
 *    supervisor_control.c  what clients are answered
 *    supervisor_halt.c     the kill switch: our heartbeat in it, and who has thrown it
 *    supervisor_reload.c   SIGHUP
 *    supervisor_events.c   what the journal is told of the run
 *    supervisor_journal.c  what is done while it has no room
 *    supervisor_late.c     what is done while the recording is late
 */
#ifndef TICKBUS_TOOLS_RUN_SUPERVISOR_PARTS_H
#define TICKBUS_TOOLS_RUN_SUPERVISOR_PARTS_H

#include <tickbus/msg/event.h>
#include <tickbus/outlet.h>
#include <tickbus/stage.h>

#include "bus/run/cgroup.h"
#include "tools/run/backlog.h"
#include "tools/control/protocol.h"
#include "tools/run/guests.h"
#include "tools/run/lateness.h"
#include "tools/run/layout.h"
#include "tools/run/memory.h"
#include "tools/run/pipeline.h"
#include "tools/run/process.h"
#include "tools/run/progress.h"
#include "tools/control/rundir.h"
#include "tools/run/stall.h"
#include "tools/run/standstill.h"
#include "tools/run/summary.h"
#include "tools/run/supervisor.h"
#include "tools/run/talk.h"

#define STANDARD_STREAMS 3

/* A process that serves who is outside, and its lives. */
typedef struct service {
    uint64_t started_ns; /* the last time; 0: with all the others */
    uint64_t again_ns;   /* when to start it again, once it has ended */
    uint32_t starts;     /* again */
    uint32_t deaths;
    uint32_t short_lives; /* in a row, as the next */
    uint32_t not_made;    /* it ended before it was ready */
    uint32_t ends;        /* started to give out what is left */
    bool ports_told;
} service_t;

typedef struct supervisor {
    const supervisor_request_t *request;
    config_file_keys_t file_keys;     /* of the file that is in force */
    config_t in_force;                /* as it was given, with the risk limits of now */
    bool terminals[STANDARD_STREAMS]; /* which of our standard streams were one at the start */
    tbus_rundir_t dir;
    int lock_fd;
    tbus_cgroup_cpu_t quota;
    memory_kills_t kills; /* before anything was started */
    layout_t layout;
    pipeline_t pipeline;
    process_t processes[TBUS_INSTANCES_MAX];
    stall_t stalls[TBUS_INSTANCES_MAX]; /* of the processes */
    bool stall_killed[TBUS_INSTANCES_MAX];
    service_t services[TBUS_INSTANCES_MAX]; /* likewise */
    uint64_t stalls_looked_ns;
    control_server_t *control;
    guests_t guests;
    int signal_fd;
    uint64_t running_since_ns; /* 0: not yet */
    bool stop_asked;           /* by a signal or `busctl stop` */
    bool abort_asked;          /* by a second signal */
    uint64_t signalled_ns;     /* when the first signal to stop came; 0: none yet */
    bool gives_up;             /* whoever ends now is not started again */
    bool broken;               /* a stage has failed or a process has died */
    bool repeats;              /* the stages repeat what was recorded */
    bool stood_still;          /* they came to a standstill, and repeat no more */
    standstill_t standstill;
    uint32_t limits_changes; /* how often limits were put in force */
    char *provenance;        /* for the journal; owned */
    char *configuration;
    tbus_stage_t publishing; /* as a participant of the bus, on `events` alone */
    int life_fd;             /* of that participant; 0: none */
    int keep_fd;             /* that of the bus (tbus_bus_keep); 0: none */
    tbus_outlet_t events;
    uint32_t halt;           /* generation of the halt that was told last, */
    uint32_t reduction;      /* and of the reduction (risk/kill_switch.h) */
    bool journal_full;       /* it has no room, as of the last look */
    uint64_t journal_missed; /* messages that it had no room for, likewise */
    uint64_t journal_looked_ns;
    lateness_t recording; /* behind what is published, */
    lateness_t disk;      /* and what is synced, where the recorder does so as records come */
    bool halt_stands;     /* the next one to be told is that of a file */
    bool reduction_stands;
    uint32_t latched; /* strategies, as they were told last (kill_switch_latched) */
    bool halt_unsaid; /* that of a file which does not say why yet (standing.h) */
    bool reduction_unsaid;
    progress_t progress;
    talk_t talk;
    noise_mark_t noise_began; /* when the stages were told to run */
    summary_run_t run;
} supervisor_t;

/* One line on stderr, with the time; never waits for whoever reads it. */
void supervisor_say(supervisor_t *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Something went wrong: said at once, and again in the summary. */
void supervisor_complain(supervisor_t *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for what is no error. */
void supervisor_note(supervisor_t *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Since the stages were told to run; 0: they were not yet. */
uint64_t supervisor_running_ns(const supervisor_t *s);

/* The summary as of now. */
json_t *supervisor_summary(const supervisor_t *s);

/* Stages are known by their index in the layout, which has them in the order of the data path. */
uint32_t supervisor_stages(const supervisor_t *s);
bool supervisor_is(const supervisor_t *s, uint32_t stage, enum tbus_kind_traits trait);
/* The block of a stage in the bus directory. */
tbus_participant_t *supervisor_participant(const supervisor_t *s, uint32_t stage);
/* Tell a stage, or all that have a trait or lack it, and wake whoever sleeps. */
void supervisor_command(supervisor_t *s, uint32_t stage, enum tbus_command what);
void supervisor_command_all(supervisor_t *s, enum tbus_kind_traits trait, bool has,
                            enum tbus_command what);
void supervisor_nudge(supervisor_t *s);
/* Were all stages of this process told to stop? */
bool supervisor_told_to_stop(supervisor_t *s, uint32_t process);
bool supervisor_all_ended(const supervisor_t *s);

/* Read the configuration again, and have its risk limits hold from the next order on. What is wrong
 * with it is said, and nothing changes. */
void supervisor_reload(supervisor_t *s, kill_switch_actor_t actor);
/* Which of our streams are terminals, once; and whether one of them has hung up since. */
void supervisor_know_terminals(supervisor_t *s);
bool supervisor_terminal_gone(const supervisor_t *s);

/* What is run, for the journal; and become a participant that publishes events. Before the first
 * process is started. Close it whatever it returned. */
int supervisor_open_record(supervisor_t *s, tbus_error_t *err);
void supervisor_close_record(supervisor_t *s);
/* Publish an event in the name of `actor`. What finds no room is kept until the next step. */
void supervisor_tell(supervisor_t *s, uint8_t kind, uint32_t number, kill_switch_actor_t actor,
                     const char *text);

/* Let the stages know that we are here, and tell of a halt or a reduction that is new, whoever
 * ordered it. */
void supervisor_watch_halt(supervisor_t *s);

/* Complain of the stages of process `index` that have failed, with their own words. False: none
 * has. */
bool supervisor_blame_stages(supervisor_t *s, uint32_t index);
/* Halt, and let only closing orders pass, in the name of an operator; the latter requires
 * stages. */
void supervisor_halt(supervisor_t *s, kill_switch_actor_t actor, const char *reason);
void supervisor_reduce(supervisor_t *s, kill_switch_actor_t actor, const char *reason);
/* End both, or (`reduced`) the halt alone, with the reduction thrown. -errno: the file that stands
 * for them cannot be removed, and they hold. */
int supervisor_resume(supervisor_t *s, bool reduced, kill_switch_actor_t actor, const char *reason,
                      tbus_error_t *err);
/* Halt, or reduce, if what was thrown in a run before still stands (standing.h), or was made to by
 * hand. Before the first process, too: no order is to pass in between. */
void supervisor_obey_standing(supervisor_t *s);

/* Make the files that stand (standing.h) from how the last recorded session of this bus ended, as
 * far as they are not there, and let strategies begin as theirs say. Before
 * supervisor_obey_standing. Negative: a session that was asked for by name cannot be had. */
int supervisor_take_over(supervisor_t *s, tbus_error_t *err);

/* Write down who has the memory of the bus (members.h). It is said when that fails. */
void supervisor_write_members(supervisor_t *s);
/* Wait for what a dead supervisor of this name has left behind to end. -TBUS_EEXISTS: it does
 * not. */
int supervisor_expect_nobody(supervisor_t *s, tbus_error_t *err);

/* Look whether the recorder has room; where it has none, let no order pass. */
void supervisor_watch_journal(supervisor_t *s);

/* Look whether the recording keeps up. */
void supervisor_watch_lateness(supervisor_t *s);

/* A process has ended unasked, or not as it was asked to. True: it is one that serves, the run goes
 * on, and it will be started again. */
bool supervisor_serve_again(supervisor_t *s, uint32_t index);
/* Before it is told to stop: one that has died and has still to give out what there is, is started
 * for that. */
void supervisor_serve_the_rest(supervisor_t *s, uint32_t index);
/* Start again what is due; and say once where clients can connect. */
void supervisor_watch_services(supervisor_t *s);

/* Look whether a process stands still, at most every STALL_LOOK_NS. */
void supervisor_watch_stalls(supervisor_t *s);

/* Wait for something to happen, `timeout_ms` at most, and deal with it. */
void supervisor_step(supervisor_t *s, int timeout_ms);

/* The method of the control socket (protocol.h); `context`: the supervisor. */
void supervisor_answer(void *context, const char *method, const json_t *params,
                       control_reply_t *reply);

#endif
