/* SPDX-License-Identifier: Apache-2.0 */
/* busctl - the one command of tickbus. Finds the verb and hands over; see verbs.h. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tickbus/directory.h>

#include "tools/measure/provenance.h"
#include "tools/show/outcome.h"
#include "tools/show/suggest.h"
#include "tools/verbs.h"

typedef struct verb {
    const char *name;
    const char *usage;
    const char *summary;
    int (*run)(int argc, char **argv);
} verb_t;

static const verb_t verbs[] = {
    {"start", "[OPTION...]", "run the pipeline, from feed to journal", verb_start},
    {"replay", "DIR [OPTION...]", "run it on a journal instead of a feed", verb_replay},
    {"bus", "NAME --topic TOPIC...", "keep a bus that programs of your own join", verb_bus},
    {"stop", "[--name NAME]", "drain a running pipeline and stop it", verb_stop},
    {"status", "[--json]", "what a running pipeline is doing", verb_status},
    {"bridge", "URL | --status", "its topics on NATS JetStream", verb_bridge},
    {"gateway", "[--json]", "who is connected to it from elsewhere", verb_gateway},
    {"halt", "--reason TEXT", "the kill switch: no order passes any more", verb_halt},
    {"reduce", "--reason TEXT", "only closing orders pass any more", verb_reduce},
    {"resume", "--reason TEXT", "orders pass again", verb_resume},
    {"tap", "TOPIC [OPTION...]", "follow a topic, without holding anybody up", verb_tap},
    {"subscribe", "HOST:PORT [OPTION...]", "receive a feed over TCP, without a loss",
     verb_subscribe},
    {"serve-journal", "DIR --gateway ...", "serve a recorded session over TCP", verb_serve_journal},
    {"journal", "VERB DIR [OPTION...]", "read, check, repair what was recorded", verb_journal},
    {"why", "ORDER_ID DIR [--json]", "the life of one order that was recorded", verb_why},
    {"config", "show|check [FILE]", "print the configuration, or check a file", verb_config},
    {"latency", "--rate N [OPTION...]", "the tail of a pipeline under load", verb_latency},
    {"ipc", "[OPTION...]", "measure all IPC mechanisms, side by side", verb_ipc},
};
#define VERBS_COUNT (sizeof verbs / sizeof verbs[0])

static int help(void)
{
    const char *name = outcome_program();
    printf("%s - a low-latency market data bus: start, watch, record and replay it\n\n"
           "usage: %s VERB [OPTION...]\n\n",
           name, name);
    for (size_t i = 0; i < VERBS_COUNT; i++)
        printf("  %-13s %-21s %s\n", verbs[i].name, verbs[i].usage, verbs[i].summary);
    printf("\n  %s VERB --help    options of a verb, with an example\n"
           "  %s --version\n\n"
           "example: %s start --feed synth:seed=1,symbols=8 --journal /tmp/session\n\n"
           "stdout is data, stderr is talk.\n"
           "Exit codes: 0 it worked, 1 it failed, 2 wrong usage.\n",
           name, name, name);
    return outcome_printed(outcome_program());
}

/* Whoever starts us with a standard stream closed: else the next file that is opened, a ring's
 * memory perhaps, would be in its place. Open for reading only, so that writing to it is still an
 * error. */
static bool fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
            return false;
    return true;
}

#define STACK_BYTES_MIN ((rlim_t)1 << 20)

/* What a parent may have left that we cannot work with. Signals that it wants ignored stay ignored
 * (supervisor.c); what would make our own calls fail, or kill us where an error would do, does
 * not. */
static void put_right_what_was_inherited(void)
{
    sigset_t none;
    struct rlimit stack;
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of the write, not our death */
    signal(SIGXFSZ, SIG_IGN); /* so is a file that may not grow: EFBIG */
    signal(SIGCHLD, SIG_DFL); /* ignored, it would keep waitpid(2) from telling how a stage ended */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    mode_t mask = umask(0);
    umask(mask & (S_IRWXG | S_IRWXO)); /* what we make we must be able to open ourselves */
    if (getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur < STACK_BYTES_MIN) {
        stack.rlim_cur = stack.rlim_max < STACK_BYTES_MIN ? stack.rlim_max : STACK_BYTES_MIN;
        setrlimit(RLIMIT_STACK, &stack);
    }
}

static bool stack_is_large_enough(void)
{
    struct rlimit stack;
    if (getrlimit(RLIMIT_STACK, &stack) < 0 || stack.rlim_cur >= STACK_BYTES_MIN)
        return true;
    outcome_failed(outcome_program(),
                   "the stack may have %llu KiB (ulimit -s), and 1024 are needed",
                   (unsigned long long)stack.rlim_cur / 1024);
    return false;
}

int main(int argc, char **argv)
{
    if (!fill_standard_streams())
        return OUTCOME_FAILED;
    put_right_what_was_inherited();
    outcome_called(argc > 0 ? argv[0] : "");
    provenance_know(argc, argv);
    if (!stack_is_large_enough())
        return OUTCOME_FAILED;
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name)
        return outcome_usage(outcome_program(), "a verb is missing");
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return help();
    if (strcmp(name, "--version") == 0) {
        printf("%s (tickbus) %s, layout %016llx\n", outcome_program(), provenance_version(),
               (unsigned long long)tbus_layout());
        return outcome_printed(outcome_program());
    }
    for (size_t i = 0; i < VERBS_COUNT; i++)
        if (strcmp(name, verbs[i].name) == 0) {
            char verb[80];
            snprintf(verb, sizeof verb, "%s %s", outcome_program(), verbs[i].name);
            argv[1] = verb;
            return verbs[i].run(argc - 1, argv + 1);
        }
    suggestion_t suggestion = {.given = name};
    char meant[SUGGEST_WORD_MAX + 32];
    for (size_t i = 0; i < VERBS_COUNT; i++)
        suggest_consider(&suggestion, verbs[i].name);
    suggest_text(&suggestion, meant, sizeof meant);
    return outcome_usage(outcome_program(), "there is no %s '%s'%s",
                         name[0] == '-' ? "option" : "verb", name, meant);
}
