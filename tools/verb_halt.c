/* SPDX-License-Identifier: Apache-2.0 */
/* busctl halt | resume: the kill switch of a running pipeline, on and off. */
#include <getopt.h>
#include <stddef.h>

#include "tools/control/client.h"
#include "tools/control/protocol.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

static const char help_halt[] =
    "usage: busctl halt --reason TEXT [--name NAME]\n"
    "\n"
    "Throw the kill switch: risk rejects every new order from now on, orders that\n"
    "rest are cancelled. Market data goes on, and so does the recording. It stays\n"
    "like that until `busctl resume` or the end of the run.\n"
    "\n"
    "  --reason TEXT    why, for the log and the summary: 1 to 200 bytes on one line\n"
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
    client_t client;
    control_answer_t answer;
    tbus_error_t why = {0};
    json_t *params = json_pack("{s:s}", "reason", reason);
    if (!params)
        return outcome_usage(verb, "--reason: UTF-8 text was expected");
    if (client_open(name, &client, &why) < 0) {
        json_decref(params);
        return outcome_failed(verb, "%s", why.text);
    }
    int code = control_call(client.fd, method, params, CLIENT_TIMEOUT_MS, &answer, &why);
    client_close(&client);
    if (code < 0)
        return outcome_failed(verb, "%s", why.text);
    json_decref(answer.result);
    return OUTCOME_OK;
}

static int turn(int argc, char **argv, const char *method, const char *help)
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
    if (!control_reason_fits(reason))
        return outcome_usage(argv[0], "--reason: 1 to %u bytes on one line were expected",
                             CONTROL_REASON_MAX);
    return ask(argv[0], method, name, reason);
}

int verb_halt(int argc, char **argv)
{
    return turn(argc, argv, "risk.halt", help_halt);
}

int verb_resume(int argc, char **argv)
{
    return turn(argc, argv, "risk.resume", help_resume);
}
