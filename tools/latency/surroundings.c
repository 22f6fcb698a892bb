/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/latency/surroundings.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 256

/* The first line of a file of sysfs; null where it is not there, or empty. */
static json_t *line_of(const char *path)
{
    char line[NAME_MAX_BYTES] = "";
    FILE *file = fopen(path, "re");
    if (!file)
        return json_null();
    if (!fgets(line, sizeof line, file))
        line[0] = 0;
    fclose(file);
    line[strcspn(line, "\n")] = 0;
    json_t *text = line[0] ? json_string(line) : NULL; /* NULL also when it is no UTF-8 */
    return text ? text : json_null();
}

/* "strategy+risk+executor" */
static void name_of(const json_t *process, char out_name[NAME_MAX_BYTES])
{
    size_t i, length = 0;
    const json_t *stage;
    out_name[0] = 0;
    json_array_foreach(json_object_get(process, "stages"), i, stage)
    {
        if (length < NAME_MAX_BYTES)
            length += (size_t)snprintf(out_name + length, NAME_MAX_BYTES - length, "%s%s",
                                       i ? "+" : "", json_string_value(stage));
    }
}

static json_t *processes_of(const json_t *summary)
{
    json_t *object = json_object();
    size_t i;
    json_t *process;
    json_array_foreach(json_object_get(summary, "processes"), i, process)
    {
        char name[NAME_MAX_BYTES];
        name_of(process, name);
        json_object_set_new(object, name,
                            json_pack("{s:O*, s:O*}", "cpu", json_object_get(process, "cpu"),
                                      "wait", json_object_get(process, "wait")));
    }
    return object;
}

void surroundings_add(json_t *report)
{
    json_t *host = json_object_get(report, "host"), *summary = json_object_get(report, "summary");
    if (!host || !summary)
        return;
    json_object_set_new(host, "governor",
                        line_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
    json_object_set_new(host, "isolated", line_of("/sys/devices/system/cpu/isolated"));
    json_object_set_new(
        host, "clocksource",
        line_of("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
    json_object_set(host, "layout", json_object_get(summary, "layout"));
    json_object_set_new(host, "processes", processes_of(summary));
    json_object_set(host, "pages", json_object_get(summary, "pages"));
    json_object_set(host, "noise", json_object_get(summary, "machine"));
}
