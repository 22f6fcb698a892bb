/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal is told of the run beside its messages: what is run, with which configuration,
 * and what is done to it. */
#include "tools/run/supervisor_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/measure/provenance.h"
#include "tools/show/json_text.h"

#define PROVENANCE_SCHEMA 1
#define EVENTS_KEPT_MAX   32u

static json_t *stages_json(const supervisor_t *s)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < supervisor_stages(s); i++) {
        const config_instance_t *instance = s->pipeline.stages[i].instance;
        char text[TBUS_PARAM_TEXT_MAX + 64];
        snprintf(text, sizeof text, "%s", instance->name);
        if (instance->kind->describe)
            instance->kind->describe(config_instance_values(instance), text, sizeof text);
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "name", instance->name, "kind",
                                              instance->kind->name, "what",
                                              json_text(text, sizeof text)));
    }
    return list;
}

/* In memory that malloc(3) gave; NULL: there is none. */
static char *provenance_text(const supervisor_t *s)
{
    char layout[2 * TBUS_PARAM_TEXT_MAX];
    json_t *object = json_object();
    provenance_add(object, PROVENANCE_SCHEMA);
    layout_text(&s->layout, layout, sizeof layout);
    json_object_set_new(object, "bus", json_string(s->request->options->config.bus.name));
    json_object_set_new(object, "source", json_text(s->run.source, SUMMARY_ERROR_MAX));
    json_object_set_new(object, "pace", json_text(s->run.pace, SUMMARY_ERROR_MAX));
    json_object_set_new(object, "stages", stages_json(s));
    json_object_set_new(object, "layout", json_text(layout, sizeof layout));
    json_object_set_new(object, "uid", json_integer(geteuid()));
    json_object_set_new(object, "pid", json_integer(getpid()));
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

static char *configuration_text(const supervisor_t *s)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return NULL;
    int code = config_print_json(&s->request->options->config, out);
    if (fclose(out) == 0 && code == 0)
        return text;
    free(text);
    return NULL;
}

int supervisor_open_record(supervisor_t *s, tbus_error_t *err)
{
    s->provenance = provenance_text(s);
    s->configuration = configuration_text(s);
    if (!s->provenance || !s->configuration)
        return tbus_fail(err, -ENOMEM, "no memory to say in the journal what is run");
    s->pipeline.provenance = s->provenance;
    s->pipeline.configuration = s->configuration;
    if (!s->pipeline.supervisor_owner)
        return 0;
    s->publishing = (tbus_stage_t){.name = PIPELINE_SUPERVISOR,
                                   .owner = s->pipeline.supervisor_owner,
                                   .bus = &s->pipeline.bus};
    int code = tbus_participant_live(&s->pipeline.bus, s->publishing.owner, err);
    if (code < 0)
        return code;
    s->life_fd = code;
    code = tbus_outlet_create(&s->events, EVENTS_KEPT_MAX, EVENT_BYTES_MAX, err);
    return code < 0
               ? code
               : tbus_stage_join_publisher(&s->publishing, EVENT_TOPIC, &s->events.publisher, err);
}

void supervisor_close_record(supervisor_t *s)
{
    tbus_stage_leave(&s->publishing);
    tbus_outlet_destroy(&s->events);
    if (s->life_fd > 0)
        close(s->life_fd);
    s->life_fd = 0;
    free(s->provenance);
    free(s->configuration);
    s->provenance = s->configuration = NULL;
}

void supervisor_tell(supervisor_t *s, uint8_t kind, uint32_t number, kill_switch_actor_t actor,
                     const char *text)
{
    if (!s->publishing.publishers_count)
        return;
    event_message_t message = {.event = {.time_ns = tbus_clock_realtime_ns(),
                                         .sent_ns = tbus_bus_now_ns(&s->pipeline.bus),
                                         .uid = actor.uid,
                                         .pid = actor.pid,
                                         .number = number,
                                         .kind = kind,
                                         .from = EVENT_FROM_SUPERVISOR}};
    do {
        uint32_t bytes = event_put_text(&message, &text);
        tbus_outlet_send(&s->events, &message, bytes);
    } while (*text);
}
