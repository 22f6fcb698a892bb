/* SPDX-License-Identifier: Apache-2.0 */
/* busctl halt | reduce | resume: the kill switch of a running pipeline, on and off. */
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "risk/gate.h"
#include "risk/stage.h"
#include "tools/control/client.h"
#include "tools/control/protocol.h"
#include "tools/run/reach.h"
#include "tools/run/standing.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

#define COMMON_HELP                                                                                \
    "  --name NAME      of the bus; may be left out when only one is running\n"                    \
    "  --json           print what holds now as a JSON object\n"

static const char help_halt[] =
    "usage: busctl halt --reason TEXT [--name NAME] [--json]\n"
    "\n"
    "Throw the kill switch: risk rejects every new order from now on, orders that\n"
    "rest are cancelled. Market data goes on, and so does the recording. It stays\n"
    "like that until `busctl resume`, also when the bus is started again meanwhile:\n"
    "the file NAME.halt in the run directory says so. The switch lies in the\n"
    "memory of the bus and is thrown there, also while the supervisor is stopped,\n"
    "stuck or dead. A `replay` or `latency` of that name is no session: what is\n"
    "thrown in it ends with it, and what stands for a session does not hold in it.\n"
    "Exit code 1: the switch is thrown, and the executor has not confirmed that no\n"
    "order rests; or there is no such bus.\n"
    "\n"
    "  --reason TEXT    why, for the log and the summary; cut and made to fit on one\n"
    "                   line where it does not\n" COMMON_HELP "\n"
    "example: busctl halt --reason 'prices of ABC look wrong'\n";

static const char help_reduce[] =
    "usage: busctl reduce --reason TEXT [--name NAME] [--json]\n"
    "\n"
    "Let only orders pass that close a position, and cancels. Orders that rest\n"
    "stay. It stays like that until `busctl resume`, also when the bus is started\n"
    "again meanwhile: the file NAME.reduce in the run directory says so. A bus that\n"
    "is halted stays halted: `busctl resume --reduced` lets closing orders pass.\n"
    "Like `busctl halt` it needs no supervisor, and in a `replay` or `latency` it\n"
    "ends with the run. Exit code 1: risk has not confirmed it; or there is no such\n"
    "bus.\n"
    "\n"
    "  --reason TEXT    why, for the log and the summary; cut and made to fit on one\n"
    "                   line where it does not\n" COMMON_HELP "\n"
    "example: busctl reduce --reason 'no new risk over the announcement'\n";

static const char help_resume[] =
    "usage: busctl resume --reason TEXT [--reduced] [--name NAME] [--json]\n"
    "\n"
    "Take back `busctl halt`, `busctl reduce`, and what the loss limits have\n"
    "latched, that of the bus and those of strategies: orders pass risk again, by\n"
    "its limits, and losses count anew. `busctl status` shows what holds, and why.\n"
    "\n"
    "  --reason TEXT    why that is safe, for the log and the summary: 1 to 200\n"
    "                   bytes on one line\n"
    "  --reduced        from a halt to closing orders only, as after `busctl\n"
    "                   reduce`; losses count anew\n" COMMON_HELP "\n"
    "example: busctl resume --reason 'ABC was a stock split'\n";

typedef struct wanted {
    const char *verb;
    const char *name;
    const char *reason;
    bool json;
    bool reduced;
} wanted_t;

/* --- the answer */

static const char *time_text(uint64_t ns, char out_text[32])
{
    time_t seconds = (time_t)(ns / 1000000000u);
    struct tm local;
    char text[16] = "";
    if (localtime_r(&seconds, &local))
        strftime(text, sizeof text, "%H:%M:%S", &local);
    snprintf(out_text, 32, "%s.%06u", text, (unsigned)(ns % 1000000000u / 1000u));
    return out_text;
}

/* Takes `object` over. */
static int print_json(const char *verb, json_t *object)
{
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
    return outcome_printed(verb);
}

static json_t *state_json(const char *state, const kill_switch_state_t *thrown)
{
    return json_pack("{s:s, s:I, s:s, s:s}", "state", state, "since_ns",
                     (json_int_t)thrown->since_ns, "by", kill_switch_by_text(thrown->by), "reason",
                     thrown->reason);
}

static int tell_halted(const wanted_t *w, const kill_switch_state_t *halt)
{
    char since[32];
    if (w->json) {
        json_t *object = state_json("halted", halt);
        json_object_set_new(object, "cancelled", json_integer((json_int_t)halt->cancelled));
        json_object_set_new(object, "unconfirmed", json_integer((json_int_t)halt->unconfirmed));
        return print_json(w->verb, object);
    }
    printf("halted: no order passes since %s; cancelled %llu, unconfirmed %u\n",
           time_text(halt->since_ns, since), (unsigned long long)halt->cancelled,
           halt->unconfirmed);
    return outcome_printed(w->verb);
}

static int tell_reducing(const wanted_t *w, const kill_switch_state_t *reduction)
{
    char since[32];
    if (w->json)
        return print_json(w->verb, state_json("reducing", reduction));
    printf("reducing: only closing orders pass since %s\n", time_text(reduction->since_ns, since));
    return outcome_printed(w->verb);
}

static void tell_of_supervisor(const wanted_t *w, const reach_t *reach)
{
    pid_t pid = 0;
    if (!rundir_is_live(&reach->dir, reach->name, &pid)) {
        outcome_note(w->verb, "its supervisor has died; what is left of it is recorded, and ends");
        return;
    }
    const char *state = reach_process_text(pid);
    if (strcmp(state, "running") != 0)
        outcome_note(w->verb, "its supervisor (process %d) is %s", (int)pid, state);
}

/* --- asking the supervisor */

static int ask(const wanted_t *w, const char *method, const char *reason)
{
    control_answer_t answer;
    tbus_error_t why = {0};
    json_t *params = json_pack("{s:s, s:b}", "reason", reason, "reduced", w->reduced);
    if (!params)
        return outcome_usage(w->verb, "--reason: UTF-8 text was expected");
    if (client_ask(w->name, method, params, NULL, &answer, &why) < 0)
        return outcome_failed(w->verb, "%s", why.text);
    json_decref(answer.result);
    return OUTCOME_OK;
}

/* --- throwing it, without asking anybody */

/* What the supervisor does as well, if there is one and it is not stuck. */
static void let_it_stand(const wanted_t *w, const tbus_rundir_t *dir, const char *name,
                         const char *latch, const char *reason)
{
    tbus_error_t why = {0};
    standing_t standing = {
        .time_ns = tbus_clock_realtime_ns(), .actor = kill_switch_self(), .by = KILL_BY_OPERATOR};
    snprintf(standing.reason, sizeof standing.reason, "%s", reason);
    if (standing_set(dir, name, latch, &standing, &why) < 0)
        outcome_note(w->verb, "%s: it does not hold for a bus that is started anew", why.text);
}

/* All stages have ended, and have halted before: what is thrown is for the next run. */
static int throw_for_the_next(const wanted_t *w, const char *latch, const char *reason)
{
    tbus_rundir_t dir;
    tbus_error_t why = {0};
    kill_switch_state_t state = {.by = KILL_BY_OPERATOR};
    if (tbus_rundir_open(false, &dir, &why) < 0)
        return outcome_failed(w->verb, "%s", why.text);
    let_it_stand(w, &dir, w->name, latch, reason);
    tbus_rundir_close(&dir);
    snprintf(state.reason, sizeof state.reason, "%s", reason);
    if (w->json)
        return print_json(w->verb, state_json("halted", &state));
    printf("halted: the supervisor of '%s' has died, and its stages have halted and ended\n",
           w->name);
    return outcome_printed(w->verb);
}

/* Nobody trades in a rehearsal. */
static void let_it_stand_after(const wanted_t *w, const reach_t *reach, const char *latch,
                               const char *reason)
{
    if (reach->members.rehearses)
        outcome_note(w->verb, "'%s' is a replay or a measurement: it holds for this run alone",
                     reach->name);
    else
        let_it_stand(w, &reach->dir, reach->name, latch, reason);
}

typedef struct awaited_halt {
    uint32_t generation;
    kill_switch_state_t state;
} awaited_halt_t;

static bool is_confirmed(const kill_switch_state_t *state)
{
    return state->thrown && state->answered && state->unconfirmed == 0;
}

/* A later throw's answer will do as well. */
static bool halt_is_answered(reach_t *reach, void *context)
{
    awaited_halt_t *halt = context;
    kill_switch_look(reach->kill_switch, &halt->state);
    return halt->state.answered && halt->state.unconfirmed == 0 &&
           halt->state.generation >= halt->generation;
}

static int tell_unanswered(const wanted_t *w, reach_t *reach, const kill_switch_state_t *state)
{
    pid_t executor = reach_pid(reach, reach->executor);
    if (!reach->executor)
        return outcome_failed(w->verb,
                              "the halt is set; this bus has no executor that could confirm it");
    if (!executor)
        return outcome_failed(w->verb, "the halt is set, and risk lets no order pass; the executor "
                                       "has not started yet");
    if (state->answered)
        return outcome_failed(w->verb,
                              "the halt is set, and no order passes; %u cancels of the executor "
                              "(process %d, %s) are not reported yet",
                              state->unconfirmed, (int)executor, reach_process_text(executor));
    return outcome_failed(w->verb,
                          "the halt is set, and risk lets no order pass; the executor (process %d, "
                          "%s) has not confirmed it, and orders may rest",
                          (int)executor, reach_process_text(executor));
}

static int halt(const wanted_t *w, reach_t *reach, const char *reason)
{
    awaited_halt_t halt = {0};
    kill_switch_state_t before;
    kill_switch_look(reach->kill_switch, &before);
    halt.generation = kill_switch_throw(reach->kill_switch, KILL_BY_OPERATOR, reason);
    let_it_stand_after(w, reach, STANDING_HALT, reason);
    reach_await(reach, reach->executor, halt_is_answered, &halt);
    if (!is_confirmed(&halt.state) && is_confirmed(&before) &&
        reach_has_ended(reach, reach->executor))
        halt.state = before; /* under a halt that it had confirmed */
    return is_confirmed(&halt.state) ? tell_halted(w, &halt.state)
                                     : tell_unanswered(w, reach, &halt.state);
}

static bool risk_reduces(reach_t *reach, void *context)
{
    (void)context;
    return tbus_counter_value(&reach->bus, RISK_STATE_COUNTER) != GATE_ACTIVE;
}

static int reduce(const wanted_t *w, reach_t *reach, const char *reason)
{
    kill_switch_state_t state;
    kill_switch_reduce(reach->kill_switch, KILL_BY_OPERATOR, reason);
    let_it_stand_after(w, reach, STANDING_REDUCTION, reason);
    reach_await(reach, reach->risk, risk_reduces, NULL);
    pid_t risk = reach_pid(reach, reach->risk);
    if (!risk_reduces(reach, NULL))
        return outcome_failed(w->verb,
                              "it is set; risk (process %d, %s) has not confirmed it, and may let "
                              "other orders pass",
                              (int)risk, risk ? reach_process_text(risk) : "not started yet");
    kill_switch_look(reach->kill_switch, &state);
    if (state.thrown) {
        outcome_note(w->verb,
                     "it is halted, and stays so (%s); `%s resume --reduced` lets closing "
                     "orders pass",
                     state.reason, outcome_program());
        return tell_halted(w, &state);
    }
    kill_switch_look_reduction(reach->kill_switch, &state);
    return tell_reducing(w, &state);
}

static int throw_latch(const wanted_t *w, bool halts)
{
    const char *latch = halts ? STANDING_HALT : STANDING_REDUCTION;
    tbus_error_t why = {0};
    reach_t reach;
    char text[KILL_SWITCH_REASON_MAX];
    bool changed = kill_switch_reason(w->reason, text, sizeof text);
    if (!*text)
        snprintf(text, sizeof text, "%s", KILL_SWITCH_NO_REASON);
    if (reach_open(w->name, &reach, &why) < 0)
        return reach_is_left_over(w->name) ? throw_for_the_next(w, latch, text)
                                           : ask(w, halts ? "risk.halt" : "risk.reduce", text);
    int code = halts ? halt(w, &reach, text) : reduce(w, &reach, text);
    if (changed || !*w->reason)
        outcome_note(w->verb, "the reason is kept as '%s'", text);
    tell_of_supervisor(w, &reach);
    reach_close(&reach);
    return code;
}

static int throw_halt(const wanted_t *w)
{
    return throw_latch(w, true);
}

static int throw_reduction(const wanted_t *w)
{
    return throw_latch(w, false);
}

/* --- resuming: the supervisor does it */

static int resume(const wanted_t *w)
{
    if (!control_reason_fits(w->reason))
        return outcome_usage(w->verb, "--reason: 1 to %u bytes on one line were expected",
                             CONTROL_REASON_MAX);
    int code = ask(w, "risk.resume", w->reason);
    if (code != OUTCOME_OK)
        return code;
    if (w->json)
        return print_json(w->verb,
                          json_pack("{s:s, s:s}", "state", w->reduced ? "reducing" : "active",
                                    "reason", w->reason));
    puts(w->reduced ? "resumed: closing orders pass risk again"
                    : "resumed: orders pass risk again");
    return outcome_printed(w->verb);
}

/* --- the command line */

static int turn(int argc, char **argv, const char *help, bool resumes,
                int (*act)(const wanted_t *wanted))
{
    const struct option options[] = {{"name", required_argument, NULL, 'n'},
                                     {"reason", required_argument, NULL, 'r'},
                                     {"json", no_argument, NULL, 'j'},
                                     {"help", no_argument, NULL, 'h'},
                                     {resumes ? "reduced" : NULL, no_argument, NULL, 'd'},
                                     {0}};
    wanted_t wanted = {.verb = argv[0]};
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h')
            return outcome_help(argv[0], help);
        if (option == '?')
            return outcome_option(argv[0], argv[optind - 1], options);
        if (option == 'n')
            wanted.name = optarg;
        if (option == 'r')
            wanted.reason = optarg;
        wanted.json |= option == 'j';
        wanted.reduced |= option == 'd';
    }
    if (optind < argc)
        return outcome_usage(argv[0], "'%s': no argument was expected; a reason goes with --reason",
                             argv[optind]);
    if (!wanted.reason)
        return outcome_usage(argv[0], "the reason is missing: --reason TEXT");
    return act(&wanted);
}

int verb_halt(int argc, char **argv)
{
    return turn(argc, argv, help_halt, false, throw_halt);
}

int verb_reduce(int argc, char **argv)
{
    return turn(argc, argv, help_reduce, false, throw_reduction);
}

int verb_resume(int argc, char **argv)
{
    return turn(argc, argv, help_resume, true, resume);
}
