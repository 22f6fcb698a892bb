/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/provenance.h"

#include <stdlib.h>
#include <string.h>

#include "tools/measure/host.h"
#include "tools/show/json_text.h"

static int known_argc;
static char **known_argv;

void provenance_know(int argc, char **argv)
{
    /* Verbs write their own name over an argument. */
    free(known_argv);
    known_argv = malloc((size_t)argc * sizeof *known_argv);
    known_argc = known_argv ? argc : 0;
    for (int i = 0; i < known_argc; i++)
        known_argv[i] = argv[i];
}

const char *provenance_version(void)
{
    return TICKBUS_VERSION " (" TICKBUS_COMMIT ")";
}

void provenance_add(json_t *object, int schema)
{
    host_t host;
    json_t *command = json_array();
    host_read(&host);
    for (int i = 0; i < known_argc; i++)
        json_array_append_new(command, json_text(known_argv[i], strlen(known_argv[i])));
    json_object_set_new(object, "schema", json_integer(schema));
    json_object_set_new(object, "version", json_string(provenance_version()));
    json_object_set_new(object, "command", command);
    json_object_set_new(object, "host",
                        json_pack("{s:s, s:o, s:i}", "kernel", host.kernel, "cpu",
                                  json_text(host.cpu, sizeof host.cpu), "cpus", (int)host.cpus));
}
