/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "tools/config/start_options.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl config show [--json] [OPTION...]\n"
    "       busctl config check FILE\n"
    "\n"
    "show prints the configuration that `busctl start` would run with, given the\n"
    "same options, as YAML: every key with its meaning, range and default. check\n"
    "says what is wrong with a file, and where.\n"
    "\n"
    "  --json           print it as a JSON object instead\n"
    "  OPTION           those of `busctl start`; see `busctl start --help`\n"
    "\n"
    "example: busctl config show --set risk.max_order_qty=500 > tickbus.yaml &&\n"
    "         busctl config check tickbus.yaml\n";

static int show(int argc, char **argv)
{
    static start_options_t options; /* large, and one is enough */
    int code = start_options_parse(argc, argv, true, &options);
    if (code != OUTCOME_OK)
        return code;
    if (options.help)
        return outcome_help(argv[0], help);
    if (options.rest)
        return outcome_usage(argv[0], "'%s': no argument was expected; a file goes with -c",
                             options.rest);
    if (options.json)
        config_print_json(&options.config, stdout);
    else
        config_print(&options.config, stdout);
    return outcome_printed(argv[0]);
}

static int check(int argc, char **argv)
{
    if (argc != 2)
        return outcome_usage(argv[0], argc < 2 ? "a file is missing" : "one file at a time");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return outcome_help(argv[0], help);
    static config_faults_t faults; /* large, and one is enough */
    config_check_file(argv[1], &faults);
    for (uint32_t i = 0; i < faults.count && i < CONFIG_FAULTS_MAX; i++)
        outcome_failed(argv[0], "%s", faults.texts[i]);
    if (faults.count > CONFIG_FAULTS_MAX)
        outcome_failed(argv[0], "and %u more", faults.count - CONFIG_FAULTS_MAX);
    if (faults.count)
        return OUTCOME_FAILED;
    printf("%s: fine\n", argv[1]);
    return outcome_printed(argv[0]);
}

int verb_config(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0)
        return outcome_help(argv[0], help);
    argv[1] = argv[0];
    if (strcmp(what, "show") == 0)
        return show(argc - 1, argv + 1);
    if (strcmp(what, "check") == 0)
        return check(argc - 1, argv + 1);
    return outcome_usage(
        argv[0], *what ? "'%s': show or check was expected" : "show or check is missing%s", what);
}
