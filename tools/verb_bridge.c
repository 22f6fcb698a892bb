/* SPDX-License-Identifier: Apache-2.0 */
/* busctl bridge: topics of a running bus on NATS JetStream, and how far the bridge of a bus is. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/bus.h>

#include "feedsim/bridge/kind.h"

#include "tools/control/client.h"
#include "tools/run/bridge_beside.h"
#include "tools/show/bridge.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl bridge URL [NAME] [--topics TOPIC,...] [--set KEY=VALUE]\n"
    "       busctl bridge --status [NAME] [--json]\n"
    "\n"
    "Publish topics of the running bus NAME to a NATS JetStream stream, each message\n"
    "once and in order, until the bus ends; other machines read them there with\n"
    "`busctl start --feed nats:...` or any NATS client. URL is nats://HOST:PORT, or\n"
    "tls://HOST:PORT; servers of one cluster with commas between them. It only looks:\n"
    "it holds nobody up. Killed and called again, it goes on where the stream ends.\n"
    "`busctl start --bridge URL` does the same as a part of the bus.\n"
    "\n"
    "  --topics TOPIC[,TOPIC...]\n"
    "                   which: md (default), bbo, orders, reports ...\n"
    "  --set KEY=VALUE  any key of the section bridge of the configuration\n"
    "                   (`busctl config show`), as stream=lab or\n"
    "                   credentials=FILE; may be given several times\n"
    "  --drain SECONDS  when the bus has ended: how long to wait until all is\n"
    "                   acknowledged (default 30)\n"
    "  --status         how far the bridge of a bus is: connected to whom, behind by\n"
    "                   how many messages and ms, in flight, acknowledged, sent\n"
    "                   again, lost\n"
    "  --json           as a JSON object\n"
    "\n"
    "NAME may be left out when only one bus is running.\n"
    "\n"
    "example: busctl bridge nats://127.0.0.1:4222 --topics md,bbo\n";

#define DRAIN_S_MAX 86400ul

enum { OPT_TOPICS = 256, OPT_SET, OPT_STATUS, OPT_JSON, OPT_DRAIN };

static const struct option options[] = {{"topics", required_argument, NULL, OPT_TOPICS},
                                        {"set", required_argument, NULL, OPT_SET},
                                        {"status", no_argument, NULL, OPT_STATUS},
                                        {"json", no_argument, NULL, OPT_JSON},
                                        {"drain", required_argument, NULL, OPT_DRAIN},
                                        {"help", no_argument, NULL, 'h'},
                                        {0}};

typedef struct arguments {
    const char *verb;
    bool status, json, help;
    unsigned long drain_s;
    bridge_values_t values;
} arguments_t;

/* --- how far it is --- */

static int print(const char *verb, const bridge_board_t *board, bool json)
{
    json_t *object = bridge_board_json(board);
    if (json) {
        json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
        putchar('\n');
    } else {
        bridge_print(stdout, object);
    }
    json_decref(object);
    return outcome_printed(verb);
}

static int show_status(const arguments_t *a, const char *name)
{
    tbus_error_t why = {0};
    client_t client;
    tbus_bus_t bus;
    if (client_attach(name, &client, &bus, &why) < 0)
        return outcome_failed(a->verb, "%s", why.text);
    const bridge_board_t *own = bridge_board_of(&bus);
    const bridge_board_t *beside =
        own ? NULL : bridge_beside_look(&client.dir, client.name, bus.directory->session_name);
    int code = own || beside ? print(a->verb, own ? own : beside, a->json)
                             : outcome_failed(a->verb,
                                              "bus '%s' has no bridge: start it with --bridge "
                                              "nats://HOST:PORT, or call `%s bridge "
                                              "nats://HOST:PORT %s`",
                                              client.name, outcome_program(), client.name);
    bridge_beside_forget(beside);
    tbus_bus_close(&bus);
    client_close(&client);
    return code;
}

/* --- beside a bus --- */

static int publish(const arguments_t *a, const char *name)
{
    tbus_error_t why = {0};
    bridge_board_t board = {0};
    client_t client;
    tbus_bus_t bus;
    int code = bridge_kind.check(&a->values, &why);
    if (code < 0)
        return outcome_usage(a->verb, "%s", why.text);
    if (client_attach(name, &client, &bus, &why) < 0)
        return outcome_failed(a->verb, "%s", why.text);
    code = bridge_beside_run(&client, &bus, &a->values, a->drain_s * UINT64_C(1000000000), &board,
                             &why);
    int printed = tbus_load_relaxed_u32(&board.pid) ? print(a->verb, &board, a->json) : OUTCOME_OK;
    tbus_bus_close(&bus);
    client_close(&client);
    return code < 0 ? outcome_failed(a->verb, "%s", why.text) : printed;
}

/* --- arguments --- */

static int set_value(const char *key, const char *value, bridge_values_t *values, tbus_error_t *err)
{
    const tbus_param_t *param = tbus_params_find(bridge_kind.params, key);
    return param ? tbus_param_set(param, key, values, value, err)
                 : tbus_fail(err, -TBUS_ECONFIG, "there is no key '%s' in the section bridge", key);
}

static int set(const char *text, bridge_values_t *values, tbus_error_t *err)
{
    char key[64];
    const char *equals = strchr(text, '=');
    const char *from = strncmp(text, "bridge.", 7) == 0 ? text + 7 : text;
    if (!equals || equals <= from || (size_t)(equals - from) >= sizeof key)
        return tbus_fail(err, -TBUS_ECONFIG, "'%s': KEY=VALUE was expected", text);
    snprintf(key, sizeof key, "%.*s", (int)(equals - from), from);
    return set_value(key, equals + 1, values, err);
}

static int take_option(int option, arguments_t *a)
{
    tbus_error_t why = {0};
    char *end;
    int code = 0;
    switch (option) {
    case OPT_TOPICS:
        code = set_value("topics", optarg, &a->values, &why);
        break;
    case OPT_SET:
        code = set(optarg, &a->values, &why);
        break;
    case OPT_DRAIN:
        a->drain_s = strtoul(optarg, &end, 10);
        if (*end || end == optarg || a->drain_s == 0 || a->drain_s > DRAIN_S_MAX)
            code = tbus_fail(&why, -TBUS_ECONFIG, "--drain: 1 to %lu seconds were expected",
                             DRAIN_S_MAX);
        break;
    case OPT_STATUS:
        a->status = true;
        break;
    case OPT_JSON:
        a->json = true;
        break;
    default:
        a->help = true;
    }
    return code < 0 ? outcome_usage(a->verb, "%s", why.text) : OUTCOME_OK;
}

int verb_bridge(int argc, char **argv)
{
    static arguments_t a; /* large, and one is enough */
    tbus_error_t why = {0};
    a = (arguments_t){.verb = argv[0], .drain_s = 30};
    tbus_params_defaults(bridge_kind.params, &a.values);
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == '?')
            return outcome_option(argv[0], argv[optind - 1], options);
        int code = take_option(option, &a);
        if (code != OUTCOME_OK)
            return code;
    }
    if (a.help)
        return outcome_help(argv[0], help);
    int named = a.status ? optind : optind + 1;
    if (argc > named + 1)
        return outcome_usage(argv[0], "'%s': no argument was expected", argv[named + 1]);
    const char *name = argc > named ? argv[named] : NULL;
    if (a.status)
        return show_status(&a, name);
    if (optind >= argc)
        return outcome_usage(argv[0], "a NATS server was expected: nats://HOST:PORT");
    if (set_value("url", argv[optind], &a.values, &why) < 0)
        return outcome_usage(argv[0], "%s", why.text);
    return publish(&a, name);
}
