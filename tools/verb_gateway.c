/* SPDX-License-Identifier: Apache-2.0 */
/* busctl gateway: who is connected to a running bus from elsewhere, and how far each is. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include <tickbus/bus.h>

#include "tools/control/client.h"
#include "tools/show/gateway.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl gateway [--name NAME] [--json]\n"
    "\n"
    "The clients of a bus that was started with --gateway or --glimpse: user,\n"
    "address, topic, state (login, live, behind: it gets the past, ending), the next\n"
    "message that it is to get, how far it is behind, bytes sent.\n"
    "\n"
    "  --name NAME      of the bus; may be left out when only one is running\n"
    "  --json           print it as a JSON object: sessions, totals, listen; glimpse\n"
    "                   has the same of the port for late joiners\n"
    "\n"
    "example: busctl gateway --json | jq '.sessions[] | select(.lag_messages > 0)'\n";

/* The stage's part; NULL: the bus has none. */
static json_t *whole(const tbus_bus_t *bus, const char *stage)
{
    json_t *object = gateway_json(bus, stage);
    if (object)
        json_object_set_new(object, "sessions", gateway_sessions_json(bus, stage));
    return object;
}

static int show(const char *verb, const tbus_bus_t *bus, bool json)
{
    json_t *all = json_object();
    const char *stage;
    for (unsigned i = 0; (stage = gateway_stage_name(i)) != NULL; i++) {
        json_t *object = whole(bus, stage);
        if (object && !json)
            gateway_print(stdout, stage, object, json_object_get(object, "sessions"));
        if (object && i == 0)
            json_object_update(all, object);
        else if (object)
            json_object_set(all, stage, object);
        json_decref(object);
    }
    bool any = json_object_size(all) != 0;
    if (any && json) {
        json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
        putchar('\n');
    }
    json_decref(all);
    return any ? outcome_printed(verb)
               : outcome_failed(verb, "the bus has no gateway: start it with --gateway "
                                      "ADDRESS:PORT");
}

static int attach_and_show(const char *verb, const char *name, bool json)
{
    tbus_error_t why = {0};
    tbus_bus_t bus;
    if (client_attach(name, NULL, &bus, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    int code = show(verb, &bus, json);
    tbus_bus_close(&bus);
    return code;
}

int verb_gateway(int argc, char **argv)
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
    return attach_and_show(argv[0], name, json);
}
