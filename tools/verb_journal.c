/* SPDX-License-Identifier: Apache-2.0 */
/* busctl journal VERB: finds the verb and hands over; see tools/journal/verbs.h. */
#include <stdio.h>
#include <string.h>

#include "tools/journal/verbs.h"
#include "tools/show/outcome.h"
#include "tools/show/suggest.h"
#include "tools/verbs.h"

static const struct {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
} verbs[] = {
    {"ls", "the sessions in a directory and below it", journal_verb_ls},
    {"info", "what was run, what was done to it, what it holds", journal_verb_info},
    {"config", "the configuration that was in force at the start", journal_verb_config},
    {"verify", "check every byte, and name every place that is wrong", journal_verb_verify},
    {"repair", "what is whole of a journal as a new journal", journal_verb_repair},
    {"index", "build the indexes, by which places and orders are found", journal_verb_index},
    {"prune", "remove the oldest segments of a journal", journal_verb_prune},
    {"dump", "all messages in the order of recording", journal_verb_dump},
    {"export", "a topic as ITCH 5.0, CSV, JSON lines or a capture file", journal_verb_export},
};
#define VERBS_COUNT (sizeof verbs / sizeof verbs[0])

static int help(const char *command)
{
    printf("usage: %s VERB DIR [OPTION...]\n\n"
           "Look into what `%s start --journal DIR` recorded, and keep it whole.\n\n",
           command, outcome_program());
    for (size_t i = 0; i < VERBS_COUNT; i++)
        printf("  %-9s %s\n", verbs[i].name, verbs[i].summary);
    printf("\n  %s VERB --help    options of a verb, with an example\n"
           "\n"
           "example: %s info ./session1\n",
           command, command);
    return outcome_printed(command);
}

int verb_journal(int argc, char **argv)
{
    char meant[SUGGEST_WORD_MAX + 32];
    if (argc < 2)
        return outcome_usage(argv[0], "what of it? Say info, verify or export, or see --help");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help(argv[0]);
    suggestion_t suggestion = {.given = argv[1]};
    for (size_t i = 0; i < VERBS_COUNT; i++) {
        suggest_consider(&suggestion, verbs[i].name);
        if (strcmp(argv[1], verbs[i].name) != 0)
            continue;
        char name[64];
        snprintf(name, sizeof name, "%s %s", argv[0], argv[1]);
        argv[1] = name; /* for messages */
        return verbs[i].run(argc - 1, argv + 1);
    }
    suggest_text(&suggestion, meant, sizeof meant);
    return outcome_usage(argv[0], "there is no verb '%s'%s", argv[1], meant);
}
