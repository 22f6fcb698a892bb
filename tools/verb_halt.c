/* SPDX-License-Identifier: Apache-2.0 */
/* busctl halt | resume: the kill switch of a running pipeline, on and off. */
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/clock.h>
#include <tickbus/wake.h>

#include "risk/kill_switch.h"
#include "risk/venue/executor.h"
#include "tools/control/client.h"
#include "tools/control/members.h"
#include "tools/control/protocol.h"
#include "tools/measure/process_state.h"
#include "tools/run/standing_halt.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

static const char help_halt[] =
    "usage: busctl halt --reason TEXT [--name NAME]\n"
    "\n"
    "Throw the kill switch: risk rejects every new order from now on, orders that\n"
    "rest are cancelled. Market data goes on, and so does the recording. It stays\n"
    "like that until `busctl resume`, also when the bus is started again meanwhile:\n"
    "the file NAME.halt in the run directory says so. The switch lies in the\n"
    "memory of the bus and is thrown there, also while the supervisor is stopped,\n"
    "stuck or dead. Exit code 1: the switch is thrown, and the executor has not\n"
    "confirmed that no order rests; or there is no such bus.\n"
    "\n"
    "  --reason TEXT    why, for the log and the summary; cut and made to fit on one\n"
    "                   line where it does not\n"
    "  --name NAME      of the bus; may be left out when only one is running\n"
    "\n"
    "example: busctl halt --reason 'prices of ABC look wrong'\n";

static const char help_resume[] =
    "usage: busctl resume --reason TEXT [--name NAME]\n"
    "\n"
    "Take the kill switch of `busctl halt` back: orders pass risk again, by its\n"
    "limits.\n"
    "\n"
    "  --reason TEXT    why that is safe, for the log and the summary: 1 to 200\n"
    "                   bytes on one line\n"
    "  --name NAME      of the bus; may be left out when only one is running\n"
    "\n"
    "example: busctl resume --reason 'ABC was a stock split'\n";

static int ask(const char *verb, const char *method, const char *name, const char *reason)
{
    control_answer_t answer;
    tbus_error_t why = {0};
    json_t *params = json_pack("{s:s}", "reason", reason);
    if (!params)
        return outcome_usage(verb, "--reason: UTF-8 text was expected");
    if (client_ask(name, method, params, NULL, &answer, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    json_decref(answer.result);
    return OUTCOME_OK;
}

/* --- halt, without asking anybody */

/* For so long the executor may take to answer, which it does within microseconds; and ten times as
 * long while all that it waits for is a CPU. */
#define ANSWER_NS         UINT64_C(100000000)
#define ANSWER_STARVED_NS UINT64_C(1000000000)

typedef struct reach {
    tbus_rundir_t dir;
    char name[TBUS_NAME_MAX];
    members_t members;
    tbus_bus_t bus;
    uint32_t executor; /* its participant number; 0: there is none */
    kill_switch_t *kill_switch;
} reach_t;

/* The participant that the supervisor made for the executor. 0: this bus has none. */
static uint32_t find_executor(tbus_bus_t *bus)
{
    for (uint32_t owner = 1; owner <= TBUS_PARTICIPANTS_MAX; owner++) {
        const tbus_participant_t *p = tbus_participant(bus, owner);
        if (tbus_load_relaxed_u32(&p->state) != TBUS_VACANT && !p->from_outside &&
            strncmp(p->name, executor_kind.section, sizeof p->name) == 0)
            return owner;
    }
    return 0;
}

/* Map the kill switch of the bus. Negative: it is to be asked for, if anybody answers. */
static int reach_open(const char *name, reach_t *out_reach, tbus_error_t *err)
{
    reach_t reach = {0};
    if (name && (strlen(name) >= sizeof reach.name || strchr(name, '/')))
        return -EINVAL; /* client_ask says so */
    int code = tbus_rundir_open(false, &reach.dir, err);
    if (code < 0)
        return code;
    if (name)
        memcpy(reach.name, name, strlen(name) + 1);
    else if ((code = rundir_only(&reach.dir, reach.name, err)) < 0)
        code = members_only(&reach.dir, reach.name, err);
    if (code == 0)
        code = members_read(&reach.dir, reach.name, &reach.members, err);
    if (code == 0)
        code = members_attach(&reach.members, reach.name, &reach.bus, err);
    if (code < 0) {
        tbus_rundir_close(&reach.dir);
        return code;
    }
    code = kill_switch_find(&reach.bus, &reach.kill_switch, err);
    if (code < 0) {
        tbus_bus_close(&reach.bus);
        tbus_rundir_close(&reach.dir);
        return code;
    }
    reach.executor = find_executor(&reach.bus);
    *out_reach = reach;
    return 0;
}

/* The process of the executor. 0: there is none, or it has not joined yet. */
static pid_t executor_pid(reach_t *reach)
{
    return reach->executor ? (pid_t)tbus_participant(&reach->bus, reach->executor)->pid : 0;
}

/* An executor that has ended under a halt which it had confirmed confirms no other, and need
 * not. */
static bool has_ended(reach_t *reach)
{
    return executor_pid(reach) != 0 && tbus_participant_alive(&reach->bus, reach->executor) == 0;
}

static bool is_starved(reach_t *reach)
{
    return executor_pid(reach) != 0 && process_state_is(executor_pid(reach), "R");
}

/* Until the executor has answered that nothing rests any more, or long enough. */
static void await_answer(reach_t *reach, uint32_t generation, kill_switch_state_t *out_state)
{
    uint64_t since_ns = tbus_clock_ns(), starved_ns = since_ns;
    for (;;) {
        for (uint32_t i = 0; i < reach->bus.topics_count; i++)
            tbus_ring_nudge(&reach->bus.rings[i]);
        kill_switch_look(reach->kill_switch, out_state);
        /* A later throw's answer will do as well. */
        bool confirmed = out_state->answered && out_state->unconfirmed == 0 &&
                         out_state->generation >= generation;
        uint64_t now_ns = tbus_clock_ns();
        if (is_starved(reach)) /* between two turns it may look asleep */
            starved_ns = now_ns;
        if (confirmed || has_ended(reach) || now_ns - since_ns > ANSWER_STARVED_NS ||
            now_ns - starved_ns > ANSWER_NS)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static const char *state_text(pid_t pid)
{
    char state;
    uint64_t cpu_ns;
    if (!process_state(pid, &state, &cpu_ns))
        return "gone";
    return state == 'T' || state == 't'   ? "stopped"
           : state == 'Z' || state == 'X' ? "dead"
           : state == 'D'                 ? "waiting for a device"
                                          : "running";
}

static void tell_of_supervisor(const char *verb, const reach_t *reach)
{
    pid_t pid = 0;
    if (!rundir_is_live(&reach->dir, reach->name, &pid)) {
        outcome_note(verb, "its supervisor has died; what is left of it is recorded, and ends");
        return;
    }
    const char *state = state_text(pid);
    if (strcmp(state, "running") != 0)
        outcome_note(verb, "its supervisor (process %d) is %s", (int)pid, state);
}

static void tell_when(const kill_switch_state_t *state)
{
    time_t seconds = (time_t)(state->since_ns / 1000000000u);
    struct tm local;
    char text[16] = "";
    if (localtime_r(&seconds, &local))
        strftime(text, sizeof text, "%H:%M:%S", &local);
    printf("halted: no order passes since %s.%06u; cancelled %llu, unconfirmed %u\n", text,
           (unsigned)(state->since_ns % 1000000000u / 1000u), (unsigned long long)state->cancelled,
           state->unconfirmed);
}

static int tell_unanswered(const char *verb, reach_t *reach, const kill_switch_state_t *state)
{
    pid_t executor = executor_pid(reach);
    if (!reach->executor)
        return outcome_failed(verb,
                              "the halt is set; this bus has no executor that could confirm it");
    if (!executor)
        return outcome_failed(verb, "the halt is set, and risk lets no order pass; the executor "
                                    "has not started yet");
    if (state->answered)
        return outcome_failed(verb,
                              "the halt is set, and no order passes; %u cancels of the executor "
                              "(process %d, %s) are not reported yet",
                              state->unconfirmed, (int)executor, state_text(executor));
    return outcome_failed(verb,
                          "the halt is set, and risk lets no order pass; the executor (process %d, "
                          "%s) has not confirmed it, and orders may rest",
                          (int)executor, state_text(executor));
}

static bool is_confirmed(const kill_switch_state_t *state)
{
    return state->thrown && state->answered && state->unconfirmed == 0;
}

/* What the supervisor does as well, if there is one and it is not stuck. */
static void let_it_stand(const char *verb, const tbus_rundir_t *dir, const char *name,
                         const char *reason)
{
    struct timespec now;
    tbus_error_t why = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    standing_halt_t halt = {.time_ns =
                                (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec,
                            .actor = {.uid = (uint32_t)geteuid(), .pid = (uint32_t)getpid()}};
    snprintf(halt.reason, sizeof halt.reason, "%s", reason);
    if (standing_halt_set(dir, name, &halt, &why) < 0)
        outcome_note(verb, "%s: a bus that is started anew is not halted", why.text);
}

/* Did a supervisor of this name die, and all of its stages end? Then the halt is for the next
 * one. */
static bool is_left_over(const char *verb, const char *name, const char *reason)
{
    tbus_rundir_t dir;
    members_t members;
    if (!name || strlen(name) >= TBUS_NAME_MAX || strchr(name, '/') ||
        tbus_rundir_open(false, &dir, NULL) < 0)
        return false;
    bool left = !rundir_is_live(&dir, name, NULL) &&
                members_read(&dir, name, &members, NULL) == 0 && !members_any_lives(&members, name);
    if (left)
        let_it_stand(verb, &dir, name, reason);
    tbus_rundir_close(&dir);
    return left;
}

static int tell_left_over(const char *verb, const char *name)
{
    printf("halted: the supervisor of '%s' has died, and its stages have halted and ended\n", name);
    return outcome_printed(verb);
}

static int halt(const char *verb, const char *name, const char *reason)
{
    tbus_error_t why = {0};
    reach_t reach;
    char text[KILL_SWITCH_REASON_MAX];
    bool changed = kill_switch_reason(reason, text, sizeof text);
    if (!*text)
        snprintf(text, sizeof text, "%s", KILL_SWITCH_NO_REASON);
    if (reach_open(name, &reach, &why) < 0)
        return is_left_over(verb, name, text) ? tell_left_over(verb, name)
                                              : ask(verb, "risk.halt", name, text);
    kill_switch_state_t before, after;
    kill_switch_look(reach.kill_switch, &before);
    uint32_t generation = kill_switch_throw(reach.kill_switch, KILL_BY_OPERATOR, text);
    let_it_stand(verb, &reach.dir, reach.name, text);
    await_answer(&reach, generation, &after);
    int code = OUTCOME_OK;
    if (!is_confirmed(&after) && is_confirmed(&before) && has_ended(&reach))
        after = before;
    if (is_confirmed(&after)) {
        tell_when(&after);
        code = outcome_printed(verb);
    } else {
        code = tell_unanswered(verb, &reach, &after);
    }
    if (changed || !*reason)
        outcome_note(verb, "the reason is kept as '%s'", text);
    tell_of_supervisor(verb, &reach);
    tbus_bus_close(&reach.bus);
    tbus_rundir_close(&reach.dir);
    return code;
}

static int resume(const char *verb, const char *name, const char *reason)
{
    if (!control_reason_fits(reason))
        return outcome_usage(verb, "--reason: 1 to %u bytes on one line were expected",
                             CONTROL_REASON_MAX);
    int code = ask(verb, "risk.resume", name, reason);
    if (code != OUTCOME_OK)
        return code;
    puts("resumed: orders pass risk again");
    return outcome_printed(verb);
}

static int turn(int argc, char **argv, const char *help,
                int (*act)(const char *verb, const char *name, const char *reason))
{
    static const struct option options[] = {{"name", required_argument, NULL, 'n'},
                                            {"reason", required_argument, NULL, 'r'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *name = NULL;
    const char *reason = NULL;
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h')
            return outcome_help(argv[0], help);
        if (option == '?')
            return outcome_option(argv[0], argv[optind - 1], options);
        if (option == 'n')
            name = optarg;
        if (option == 'r')
            reason = optarg;
    }
    if (optind < argc)
        return outcome_usage(argv[0], "'%s': no argument was expected; a reason goes with --reason",
                             argv[optind]);
    if (!reason)
        return outcome_usage(argv[0], "the reason is missing: --reason TEXT");
    return act(argv[0], name, reason);
}

int verb_halt(int argc, char **argv)
{
    return turn(argc, argv, help_halt, halt);
}

int verb_resume(int argc, char **argv)
{
    return turn(argc, argv, help_resume, resume);
}
