/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "tools/config/start_options.h"
#include "tools/run/repeat.h"
#include "tools/run/replay_start.h"
#include "tools/run/supervisor.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl replay DIR [OPTION...]\n"
    "\n"
    "Put the market data that was recorded in DIR back on the rings, for the same\n"
    "stages as `busctl start`.\n"
    "\n"
    "  --verify         run strategies, risk and executor over the recorded session\n"
    "                   with its configuration (--set overrides a key on purpose),\n"
    "                   halts and changes of limits where they were, and compare\n"
    "                   every order, verdict, report and best price with what was\n"
    "                   recorded; exit code 1 if one differs\n"
    "  --against DIR2   compare with what was recorded in DIR2, without running\n"
    "                   anything\n"
    "  --topic TOPIC    the topic of ticks that is fed, default md\n"
    "  --pace PACE      max (default), realtime, Nx (N times real time), RATE/s\n"
    "                   (messages a second)\n"
    "  --clock CLOCK    what realtime and Nx go by: market (default), the times that\n"
    "                   the messages carry, or recorded, when they were\n"
    "                   recorded\n" PACE_OPTIONS_HELP START_OPTIONS_HELP "\n"
    "example: busctl replay /tmp/session --pace realtime --strategy quote\n";

int verb_replay(int argc, char **argv)
{
    static start_options_t options; /* large, and one is enough */
    int code = start_options_parse(argc, argv, false, &options);
    if (code != OUTCOME_OK)
        return code;
    if (options.help)
        return outcome_help(argv[0], help);
    if (!options.rest)
        return outcome_usage(argv[0], "the directory of the journal is missing");
    if (options.against)
        return repeat_compare(argv[0], &options);
    if (options.verify)
        return repeat_and_compare(argv[0], &options);
    char source[CONFIG_SOURCE_MAX + 16];
    tbus_error_t why = {0};
    snprintf(source, sizeof source, "journal:%s", options.rest);
    if (start_options_set(&options, "feed.source", source, &why) < 0)
        return outcome_usage(argv[0], "%s", why.text);
    static replay_start_t start;
    if (replay_start_prepare(argv[0], &options, &start, &why) < 0)
        return outcome_refused(argv[0], options.json, why.text);
    supervisor_request_t request = {.verb = argv[0],
                                    .options = &options,
                                    .md_first_seq = start.md_first_seq,
                                    .rehearses = true};
    code = supervisor_run(&request);
    replay_start_clear(&start);
    return code;
}
