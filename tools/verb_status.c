/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>

#include "tools/control/client.h"
#include "tools/run/summary.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl status [--name NAME] [--json]\n"
    "\n"
    "What a running pipeline has done so far: the summary that `busctl start` prints\n"
    "at its end.\n"
    "\n"
    "  --name NAME      of the bus; may be left out when only one is running\n"
    "  --json           print it as a JSON object\n"
    "\n"
    "example: busctl status --json | jq .feed.messages\n";

static int print_status(const char *verb, const char *name, bool json)
{
    control_answer_t answer;
    tbus_error_t why = {0};
    if (client_ask(name, "status", NULL, NULL, &answer, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    if (json) {
        summary_print_json(answer.result, stdout);
    } else {
        summary_print(answer.result, stdout);
    }
    json_decref(answer.result);
    return outcome_printed(verb);
}

int verb_status(int argc, char **argv)
{
    static const struct option options[] = {{"name", required_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *name = NULL;
    bool json = false;
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h')
            return outcome_help(argv[0], help);
        if (option == '?')
            return outcome_option(argv[0], argv[optind - 1], options);
        json |= option == 'j';
        if (option == 'n')
            name = optarg;
    }
    if (optind < argc)
        return outcome_usage(argv[0], "'%s': no argument was expected", argv[optind]);
    return print_status(argv[0], name, json);
}
