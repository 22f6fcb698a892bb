/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tools/config/start_options.h"
#include "tools/run/supervisor.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl replay DIR [OPTION...]\n"
    "\n"
    "Put the market data that was recorded in DIR back on the rings, for the same\n"
    "stages as `busctl start`.\n"
    "\n"
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
    char source[CONFIG_SOURCE_MAX + 16];
    tbus_error_t why = {0};
    snprintf(source, sizeof source, "journal:%s", options.rest);
    if (start_options_set(&options, "feed.source", source, &why) < 0)
        return outcome_usage(argv[0], "%s", why.text);
    supervisor_request_t request = {.verb = argv[0], .options = &options};
    return supervisor_run(&request);
}
