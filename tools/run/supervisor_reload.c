/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: the configuration is read again, and with it what stages have read of other files, such
 * as the users of a gateway; its limits are put in force, all of them or none. */
#include "tools/run/supervisor_parts.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* All limits, those of each strategy too, each with two numbers of 19 digits: who repeats the
 * session takes them from this text. */
#define CHANGES_MAX 16384

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

/* What may become of a key while its stage runs. */
enum change { CHANGE_NEVER, CHANGE_LIMIT, CHANGE_SERVING };

static bool may_change(const tbus_kind_t *kind, const tbus_param_t *param)
{
    return kind->change && (!kind->may_change || kind->may_change(param));
}

/* Limits of orders are on record, where a replay finds them; what holds of those that are served
 * decides nothing. */
static enum change change_of(const config_t *config, const config_key_t *key)
{
    if (key->instance < 0)
        return CHANGE_NEVER;
    const tbus_kind_t *kind = config->instances[key->instance].kind;
    if (!may_change(kind, key->param))
        return CHANGE_NEVER;
    return kind->traits & TBUS_KIND_SERVES ? CHANGE_SERVING : CHANGE_LIMIT;
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

/* "KEY from A to B, ..." of the keys that differ and are of that kind; the bare names of those that
 * may not change. Returns how many. */
static unsigned list_changes(const config_t *before, const config_t *after, enum change which,
                             char *out_text, size_t bytes)
{
    bool changeable = which != CHANGE_NEVER;
    unsigned count = 0;
    size_t used = 0;
    config_key_t key, now;
    out_text[0] = 0;
    for (size_t i = 0; config_key_at(before, i, &key); i++) {
        bool gone = !config_key_find(after, key.path, &now);
        if (change_of(before, &key) != which ||
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

static const config_instance_t *instance_of(const config_t *config, const pipeline_stage_t *stage)
{
    const config_instance_t *instance = config_instance(config, stage->instance->name);
    return instance && instance->kind == stage->instance->kind ? instance : NULL;
}

/* All that may change, of every stage, or nothing. */
static int check_changes(const supervisor_t *s, const config_t *fresh, tbus_error_t *err)
{
    int code = 0;
    for (uint32_t i = 0; code == 0 && i < s->pipeline.stages_count; i++) {
        const config_instance_t *first = s->pipeline.stages[i].instance;
        const config_instance_t *now = instance_of(fresh, &s->pipeline.stages[i]);
        if (now && now->kind->check_change)
            code = now->kind->check_change(first->values, now->values, err);
    }
    return code;
}

/* The values of those parameters that may change. */
static void take_values(const tbus_kind_t *kind, void *values, const void *now)
{
    for (uint32_t i = 0; i < kind->params->count; i++) {
        const tbus_param_t *param = &kind->params->table[i];
        bool list = tbus_param_is_list(param);
        if (!may_change(kind, param))
            continue;
        memcpy((char *)values + param->offset, (const char *)now + param->offset,
               param->bytes * (list ? param->items_max : 1));
        if (list)
            memcpy((char *)values + param->count_offset, (const char *)now + param->count_offset,
                   sizeof(uint32_t));
    }
}

/* Of stages that serve, or of all others. */
static void put_in_force(supervisor_t *s, const config_t *fresh, bool serving)
{
    for (uint32_t i = 0; i < s->pipeline.stages_count; i++) {
        const pipeline_stage_t *stage = &s->pipeline.stages[i];
        const config_instance_t *now = instance_of(fresh, stage);
        if (!now || !now->kind->change || serving != !!(now->kind->traits & TBUS_KIND_SERVES))
            continue;
        now->kind->change(stage->control, now->values);
        for (uint32_t k = 0; k < s->in_force.instances_count; k++)
            if (strcmp(s->in_force.instances[k].name, now->name) == 0)
                take_values(now->kind, s->in_force.instances[k].values, now->values);
    }
}

/* Is there a stage that reads files again? */
static bool rereads(const supervisor_t *s)
{
    for (uint32_t i = 0; i < s->pipeline.stages_count; i++)
        if (s->pipeline.stages[i].instance->kind->traits & TBUS_KIND_REREADS)
            return true;
    return false;
}

/* Those who are served: their limits, and the files of their stages. */
static void change_serving(supervisor_t *s, const config_t *fresh)
{
    char changes[CHANGES_MAX];
    if (!rereads(s))
        return;
    bool any = list_changes(&s->in_force, fresh, CHANGE_SERVING, changes, sizeof changes) > 0;
    put_in_force(s, fresh, true);
    if (any)
        supervisor_note(s, "users are read again, and limits of those who are served changed: %s",
                        changes);
    else
        supervisor_say(s, "users are read again");
}

static void change_limits(supervisor_t *s, const config_t *fresh, kill_switch_actor_t actor)
{
    char changes[CHANGES_MAX];
    const char *file = s->request->options->file;
    if (list_changes(&s->in_force, fresh, CHANGE_NEVER, changes, sizeof changes))
        supervisor_say(s, "only %s are taken from %s while it runs, not what else has changed: %s",
                       rereads(s) ? "limits" : "risk limits", file, changes);
    if (list_changes(&s->in_force, fresh, CHANGE_LIMIT, changes, sizeof changes) == 0) {
        supervisor_say(s, "no risk limit has changed in %s", file);
        return;
    }
    /* First on record, then in force; risk says from which order on. */
    supervisor_tell(s, EVENT_LIMITS, ++s->limits_changes, actor, changes);
    put_in_force(s, fresh, false);
    supervisor_note(s, "risk limits changed: %s", changes);
}

void supervisor_reload(supervisor_t *s, kill_switch_actor_t actor)
{
    config_t fresh = s->in_force;
    config_file_keys_t keys = s->file_keys;
    tbus_error_t why = {0};
    const start_options_t *options = s->request->options;
    if (!options->file && !rereads(s)) {
        supervisor_say(
            s, "SIGHUP: there is no file to read risk limits from (-c FILE); nothing is changed");
        return;
    }
    if ((options->file && start_options_reload(options, &keys, &fresh, &why) < 0) ||
        check_changes(s, &fresh, &why) < 0) {
        supervisor_note(s, "%s stay as they are: %s",
                        rereads(s) ? "limits and users" : "risk limits", why.text);
        return;
    }
    s->file_keys = keys;
    if (options->file)
        change_limits(s, &fresh, actor);
    change_serving(s, &fresh);
}
