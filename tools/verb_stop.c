/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "tools/control/client.h"
#include "tools/config/start_options.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl stop [--name NAME] [--timeout DURATION]\n"
    "\n"
    "Drain a running pipeline and stop it: the feed reads no more, open orders are\n"
    "cancelled, everything that is on its way is taken and recorded. Returns when\n"
    "the run has ended.\n"
    "\n"
    "  --name NAME          of the bus; may be left out when only one is running\n"
    "  --timeout DURATION   how long to wait for the end, default 60s; it goes on\n"
    "                       stopping after that\n"
    "\n"
    "example: busctl stop --name replay-7 --timeout 10s\n";

#define LOOK_MS 20

/* The bus hangs up, and its lock is free, when nothing of it is left. */
static bool wait_for_end(const client_t *client, uint64_t timeout_ns)
{
    uint64_t deadline_ns = tbus_clock_ns() + timeout_ns;
    struct pollfd hung_up = {.fd = client->fd, .events = POLLIN};
    while (rundir_is_live(&client->dir, client->name, NULL)) {
        if (tbus_clock_ns() >= deadline_ns)
            return false;
        char ignored[64];
        /* Once it has hung up there is nothing left to poll for: only the lock, released a moment
         * later. */
        if (poll(&hung_up, 1, LOOK_MS) > 0 && read(client->fd, ignored, sizeof ignored) <= 0)
            hung_up.fd = -1;
    }
    return true;
}

static int stop(const char *verb, const char *name, uint64_t timeout_ns)
{
    client_t client;
    control_answer_t answer;
    tbus_error_t why = {0};
    if (client_ask(name, "stop", NULL, &client, &answer, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    json_decref(answer.result);
    int code =
        wait_for_end(&client, timeout_ns)
            ? OUTCOME_OK
            : outcome_failed(verb, "bus '%s' has not ended yet; it goes on draining", client.name);
    client_close(&client);
    return code;
}

int verb_stop(int argc, char **argv)
{
    static const struct option options[] = {{"name", required_argument, NULL, 'n'},
                                            {"timeout", required_argument, NULL, 't'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *name = NULL;
    uint64_t timeout_ns = UINT64_C(60000000000);
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h')
            return outcome_help(argv[0], help);
        if (option == '?')
            return outcome_option(argv[0], argv[optind - 1], options);
        if (option == 'n')
            name = optarg;
        if (option == 't' && !start_options_duration(optarg, &timeout_ns))
            return outcome_usage(argv[0], "--timeout %s: a duration was expected, as 10s or 500ms",
                                 optarg);
    }
    if (optind < argc)
        return outcome_usage(argv[0], "'%s': no argument was expected", argv[optind]);
    return stop(argv[0], name, timeout_ns);
}
