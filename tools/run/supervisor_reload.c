/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: the configuration is read again, and its risk limits are put in force, all of them or
 * none. */
#include "tools/run/supervisor_parts.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* All limits, each with two numbers of 19 digits: who repeats the session takes them from this
 * text. */
#define CHANGES_MAX 2048

void supervisor_know_terminals(supervisor_t *s)
{
    for (int fd = 0; fd < STANDARD_STREAMS; fd++)
        s->terminals[fd] = isatty(fd) == 1;
}

bool supervisor_terminal_gone(const supervisor_t *s)
{
    for (int fd = 0; fd < STANDARD_STREAMS; fd++) {
        struct pollfd stream = {.fd = fd, .events = 0};
        if (s->terminals[fd] && poll(&stream, 1, 0) > 0 && (stream.revents & POLLHUP))
            return true;
    }
    return false;
}

/* May the parameters of this stage change while it runs? */
static bool may_change(const config_t *config, const config_key_t *key)
{
    return key->instance >= 0 && config->instances[key->instance].kind->change;
}

/* The value of a key as text, a list as "a,b". */
static void value_text(const config_t *config, const config_key_t *key, char *out_text,
                       size_t bytes)
{
    char item[TBUS_PARAM_TEXT_MAX];
    size_t used = 0;
    out_text[0] = 0;
    for (uint32_t i = 0; i < config_key_items(config, key) && used < bytes; i++) {
        config_key_text(config, key, i, item, sizeof item);
        used += (size_t)snprintf(out_text + used, bytes - used, "%s%s", i ? "," : "", item);
    }
}

/* "KEY from A to B, ..." of the keys that may change and differ, or the bare names of the others.
 * Returns how many. */
static unsigned list_changes(const config_t *before, const config_t *after, bool changeable,
                             char *out_text, size_t bytes)
{
    unsigned count = 0;
    size_t used = 0;
    config_key_t key, now;
    out_text[0] = 0;
    for (size_t i = 0; config_key_at(before, i, &key); i++) {
        bool gone = !config_key_find(after, key.path, &now);
        if (may_change(before, &key) != changeable ||
            (!gone && now.param == key.param && config_key_equal(before, after, &key)))
            continue;
        char old[CONFIG_SOURCE_MAX], new[CONFIG_SOURCE_MAX] = "";
        const char *comma = count++ ? ", " : "";
        if (used >= bytes)
            continue;
        value_text(before, &key, old, sizeof old);
        if (!gone)
            value_text(after, &now, new, sizeof new);
        used +=
            (size_t)(changeable ? snprintf(out_text + used, bytes - used, "%s%s from %s to %s",
                                           comma, key.path, old, new)
                                : snprintf(out_text + used, bytes - used, "%s%s", comma, key.path));
    }
    for (uint32_t i = 0; !changeable && i < after->instances_count; i++) {
        const config_instance_t *instance = &after->instances[i];
        if (config_instance(before, instance->name))
            continue;
        const char *comma = count++ ? ", " : "";
        if (used < bytes)
            used += (size_t)snprintf(out_text + used, bytes - used, "%sstages.%s", comma,
                                     instance->name);
    }
    return count;
}

/* All that may change, of every stage, or nothing. */
static int check_changes(const config_t *first, const config_t *fresh, tbus_error_t *err)
{
    int code = 0;
    for (uint32_t i = 0; code == 0 && i < first->instances_count; i++) {
        const config_instance_t *before = &first->instances[i];
        const config_instance_t *now = config_instance(fresh, before->name);
        if (now && now->kind == before->kind && before->kind->check_change)
            code = before->kind->check_change(before->values, now->values, err);
    }
    return code;
}

static void put_in_force(supervisor_t *s, const config_t *fresh)
{
    for (uint32_t i = 0; i < s->pipeline.stages_count; i++) {
        const pipeline_stage_t *stage = &s->pipeline.stages[i];
        const config_instance_t *now = config_instance(fresh, stage->instance->name);
        if (!now || now->kind != stage->instance->kind || !now->kind->change)
            continue;
        now->kind->change(stage->control, now->values);
        for (uint32_t k = 0; k < s->in_force.instances_count; k++)
            if (strcmp(s->in_force.instances[k].name, now->name) == 0)
                memcpy(s->in_force.instances[k].values, now->values, sizeof now->values);
    }
}

void supervisor_reload(supervisor_t *s, kill_switch_actor_t actor)
{
    char changes[CHANGES_MAX];
    config_t fresh;
    config_file_keys_t keys = s->file_keys;
    tbus_error_t why = {0};
    const start_options_t *options = s->request->options;
    if (!options->file) {
        supervisor_say(
            s, "SIGHUP: there is no file to read risk limits from (-c FILE); nothing is changed");
        return;
    }
    if (start_options_reload(options, &keys, &fresh, &why) < 0 ||
        check_changes(&options->config, &fresh, &why) < 0) {
        supervisor_note(s, "risk limits stay as they are: %s", why.text);
        return;
    }
    s->file_keys = keys;
    if (list_changes(&s->in_force, &fresh, false, changes, sizeof changes))
        supervisor_say(
            s, "only risk limits are taken from %s while it runs, not what else has changed: %s",
            options->file, changes);
    if (list_changes(&s->in_force, &fresh, true, changes, sizeof changes) == 0) {
        supervisor_say(s, "no risk limit has changed in %s", options->file);
        return;
    }
    /* First on record, then in force; risk says from which order on. */
    supervisor_tell(s, EVENT_LIMITS, ++s->limits_changes, actor, changes);
    put_in_force(s, &fresh);
    supervisor_note(s, "risk limits changed: %s", changes);
}
