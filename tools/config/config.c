/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/config/config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/journal/recorder.h"
#include "feedsim/feed.h"
#include "tools/show/suggest.h"

/* --- instances */

static size_t round_up(size_t bytes)
{
    return (bytes + 7) / 8 * 8;
}

bool config_variant_at(const tbus_kind_t *kind, uint32_t index, tbus_variant_t *out_variant,
                       size_t *out_at)
{
    size_t at = kind->params ? round_up(kind->params->bytes) : 0;
    if (!kind->variant)
        return false;
    for (uint32_t v = 0; kind->variant(v, out_variant); v++) {
        if (v == index) {
            *out_at = at;
            return at + out_variant->params->bytes <= CONFIG_VALUES_BYTES;
        }
        at += round_up(out_variant->params->bytes);
    }
    return false;
}

static void default_values(config_instance_t *instance)
{
    const tbus_kind_t *kind = instance->kind;
    tbus_variant_t variant;
    size_t at;
    memset(instance->values, 0, sizeof instance->values);
    if (kind->params) {
        assert(kind->params->bytes <= sizeof instance->values);
        tbus_params_defaults(kind->params, instance->values);
    }
    for (uint32_t v = 0; config_variant_at(kind, v, &variant, &at); v++)
        if (variant.params->count)
            tbus_params_defaults(variant.params, (char *)instance->values + at);
}

static void know_resource(config_t *config, const tbus_resource_t *resource)
{
    for (uint32_t i = 0; i < config->resources_count; i++)
        if (config->resources[i].resource == resource)
            return;
    assert(config->resources_count < TBUS_RESOURCES_MAX &&
           resource->params.bytes <= CONFIG_RESOURCE_BYTES);
    config->resources[config->resources_count].resource = resource;
    tbus_params_defaults(&resource->params, config->resources[config->resources_count++].values);
}

static void know_resources(config_t *config, const tbus_kind_t *kind)
{
    for (uint32_t i = 0; kind->resources && kind->resources[i]; i++)
        know_resource(config, kind->resources[i]);
}

static config_instance_t *add_instance(config_t *config, const char *name, const tbus_kind_t *kind,
                                       bool listed)
{
    config_instance_t *instance = &config->instances[config->instances_count++];
    memset(instance, 0, sizeof *instance);
    snprintf(instance->name, sizeof instance->name, "%s", name);
    snprintf(instance->kind_name, sizeof instance->kind_name, "%s", kind->name);
    instance->kind = kind;
    instance->listed = listed;
    default_values(instance);
    know_resources(config, kind);
    return instance;
}

void config_defaults(config_t *out_config)
{
    const tbus_kind_t *kind;
    config_key_t key;
    memset(out_config, 0, sizeof *out_config);
    for (uint32_t i = 0; (kind = kinds_at(i)) != NULL; i++)
        if (kind->section)
            add_instance(out_config, kind->name, kind, false);
    for (size_t i = 0; config_key_at(out_config, i, &key); i++) {
        if (key.instance >= 0)
            continue;
        /* The table's own defaults: a unit test sets every one of them, with the error shown. */
        (void)config_key_set(out_config, &key, key.param->fallback, NULL);
    }
}

static config_instance_t *find_instance(config_t *config, const char *name)
{
    for (uint32_t i = 0; i < config->instances_count; i++)
        if (strcmp(config->instances[i].name, name) == 0)
            return &config->instances[i];
    return NULL;
}

const config_instance_t *config_instance(const config_t *config, const char *name)
{
    return find_instance((config_t *)(uintptr_t)config, name);
}

void config_instance_section(const config_instance_t *instance, char out_section[CONFIG_PATH_MAX])
{
    snprintf(out_section, CONFIG_PATH_MAX, instance->listed ? "stages.%s" : "%s",
             instance->listed ? instance->name : instance->kind->section);
}

const void *config_instance_values(const config_instance_t *instance)
{
    return instance->values;
}

const void *config_variant(const config_instance_t *instance, tbus_variant_t *out_variant)
{
    const tbus_kind_t *kind = instance->kind;
    char chosen[TBUS_PARAM_TEXT_MAX];
    size_t at;
    if (!kind->variant)
        return NULL;
    tbus_param_text(tbus_params_find(kind->params, kind->variant_param), instance->values, 0,
                    chosen, sizeof chosen);
    for (uint32_t v = 0; config_variant_at(kind, v, out_variant, &at); v++)
        if (strcmp(out_variant->name, chosen) == 0)
            return (const char *)instance->values + at;
    return NULL;
}

const void *config_variant_values(const config_instance_t *instance)
{
    tbus_variant_t variant;
    return config_variant(instance, &variant);
}

uint32_t config_stages(const config_t *config, config_stage_t out_stages[TBUS_INSTANCES_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < config->instances_count; i++) {
        const config_instance_t *instance = &config->instances[i];
        const tbus_kind_t *kind = instance->kind;
        uint32_t number = 1, at = count;
        if (!instance->listed && kind->wanted && !kind->wanted(instance->values))
            continue;
        for (uint32_t k = 0; k < count; k++)
            number += out_stages[k].instance->kind == kind;
        for (; at > 0 && out_stages[at - 1].instance->kind->rank > kind->rank; at--)
            out_stages[at] = out_stages[at - 1];
        out_stages[at] = (config_stage_t){instance, number};
        count++;
    }
    return count;
}

const void *config_resource_values(const config_t *config, const tbus_resource_t *resource)
{
    for (uint32_t i = 0; i < config->resources_count; i++)
        if (config->resources[i].resource == resource)
            return config->resources[i].values;
    return NULL;
}

/* Where the settings of a topic are. */
static bool find_topic(const char *topic, uint32_t *out_index)
{
    const tbus_port_t *port;
    for (uint32_t i = 0; (port = kinds_topic_at(i)) != NULL && i < TBUS_TOPICS_MAX; i++)
        if (strcmp(port->topic, topic) == 0) {
            *out_index = i;
            return true;
        }
    return false;
}

uint32_t config_topic_slots(const config_t *config, const char *topic)
{
    uint32_t i;
    return find_topic(topic, &i) ? config->topic_slots[i] : 0;
}

uint32_t config_topic_rights(const config_t *config, const char *topic)
{
    uint32_t i, rights = 0;
    if (!find_topic(topic, &i))
        return 0;
    if (config->topic_publish[i] == CONFIG_EVERYBODY)
        rights |= TBUS_MAY_PUBLISH;
    if (config->topic_gate[i] == CONFIG_EVERYBODY)
        rights |= TBUS_MAY_GATE;
    return rights;
}

#define ORDERS "orders" /* the topic on which whatever trades publishes */

bool config_has_no_orders(const config_t *config)
{
    config_stage_t stages[TBUS_INSTANCES_MAX];
    uint32_t count = config_stages(config, stages);
    if (config_topic_rights(config, ORDERS) & TBUS_MAY_PUBLISH)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const tbus_kind_t *kind = stages[i].instance->kind;
        if (kinds_publish(kind, ORDERS) &&
            !(kind->messages_max &&
              kind->messages_max(config_instance_values(stages[i].instance)) == 0))
            return false;
    }
    return true;
}

/* --- what of the usual stages is asked for by name */

static const void *values_of(const config_t *config, const tbus_kind_t *kind)
{
    for (uint32_t i = 0; i < config->instances_count; i++)
        if (config->instances[i].kind == kind)
            return config->instances[i].values;
    return NULL;
}

const feed_values_t *config_feed(const config_t *config)
{
    return values_of(config, &feed_kind);
}

const char *config_source(const config_t *config)
{
    return config_feed(config)->source;
}

const char *config_pace(const config_t *config)
{
    return feed_values_pace(config_feed(config));
}

bool config_unpaced(const config_t *config)
{
    const feed_values_t *feed = config_feed(config);
    return feed && feed_values_unpaced(feed);
}

const char *config_journal(const config_t *config)
{
    return config_recorder(config)->directory;
}

const struct recorder_values *config_recorder(const config_t *config)
{
    return values_of(config, &tbus_recorder_kind);
}

/* --- keys */

static void *values_at(config_t *config, const config_key_t *key)
{
    return (char *)config + key->at;
}

static const void *const_values_at(const config_t *config, const config_key_t *key)
{
    return (const char *)config + key->at;
}

uint32_t config_key_items(const config_t *config, const config_key_t *key)
{
    return tbus_param_items(key->param, const_values_at(config, key));
}

void config_key_text(const config_t *config, const config_key_t *key, uint32_t item, char *out_text,
                     size_t bytes)
{
    tbus_param_text(key->param, const_values_at(config, key), item, out_text, bytes);
}

bool config_key_equal(const config_t *config, const config_t *other, const config_key_t *key)
{
    return tbus_param_equal(key->param, const_values_at(config, key), const_values_at(other, key));
}

/* The same parameter of the other variants, whichever is chosen in the end. `change` is called for
 * each; the one that the key names comes first and alone may fail. */
typedef int (*change_t)(const tbus_param_t *param, const char *path, void *values, const char *text,
                        tbus_error_t *err);

static int for_all_variants(config_t *config, const config_key_t *key, change_t change,
                            const char *text, tbus_error_t *err)
{
    int code = change(key->param, key->path, values_at(config, key), text, err);
    if (code < 0 || !key->of_variant)
        return code;
    config_instance_t *instance = &config->instances[key->instance];
    tbus_variant_t variant;
    size_t at;
    for (uint32_t v = 0; config_variant_at(instance->kind, v, &variant, &at); v++) {
        const tbus_param_t *param = tbus_params_find(variant.params, key->param->name);
        if (param && param != key->param)
            (void)change(param, key->path, (char *)instance->values + at, text, NULL);
    }
    return 0;
}

static int clear(const tbus_param_t *param, const char *path, void *values, const char *text,
                 tbus_error_t *err)
{
    (void)path;
    (void)text;
    (void)err;
    tbus_param_clear(param, values);
    return 0;
}

void config_key_clear(config_t *config, const config_key_t *key)
{
    (void)for_all_variants(config, key, clear, NULL, NULL);
}

int config_key_append(config_t *config, const config_key_t *key, const char *text,
                      tbus_error_t *err)
{
    return for_all_variants(config, key, tbus_param_append, text, err);
}

/* Another kind for a listed instance: its parameters begin anew. */
static int set_kind(config_t *config, const config_key_t *key, const char *text, tbus_error_t *err)
{
    config_instance_t *instance = &config->instances[key->instance];
    int code = tbus_param_set(key->param, key->path, instance, text, err);
    const tbus_kind_t *kind = code == 0 ? kinds_find(text) : instance->kind;
    if (kind != instance->kind) {
        instance->kind = kind;
        default_values(instance);
        know_resources(config, kind);
    }
    return code;
}

/* The word that was probably meant, behind what was wrong with the one that was given. */
static int suggest_word(const config_t *config, const config_key_t *key, const char *text, int code,
                        tbus_error_t *err)
{
    suggestion_t suggestion = {.given = text};
    char meant[SUGGEST_WORD_MAX + 32], names[160];
    const tbus_kind_t *kind = key->instance >= 0 ? config->instances[key->instance].kind : NULL;
    tbus_variant_t variant;
    if (!err)
        return code;
    if (key->param->type == TBUS_PARAM_CHOICE)
        suggest_consider_list(&suggestion, key->param->choices);
    if (key->param == &config_kind_param) {
        kinds_names(names, sizeof names);
        suggest_consider_list(&suggestion, names);
    } else if (kind && kind->variant_param && strcmp(kind->variant_param, key->param->name) == 0) {
        for (uint32_t v = 0; kind->variant(v, &variant); v++)
            suggest_consider(&suggestion, variant.name);
    }
    suggest_text(&suggestion, meant, sizeof meant);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, "%s", meant);
    return code;
}

int config_key_set(config_t *config, const config_key_t *key, const char *text, tbus_error_t *err)
{
    int code = key->param == &config_kind_param
                   ? set_kind(config, key, text, err)
                   : for_all_variants(config, key, tbus_param_set, text, err);
    return code < 0 ? suggest_word(config, key, text, code, err) : code;
}

/* "stages.NAME.kind" of an instance that is not there yet: 1, it is there now; 0: it is another
 * key. */
static int add_listed(config_t *config, const char *path, const char *text, tbus_error_t *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    char name[TBUS_NAME_MAX];
    const char *rest = strncmp(path, "stages.", 7) == 0 ? path + 7 : "";
    size_t length = strcspn(rest, ".");
    if (strcmp(rest + length, ".kind") != 0)
        return 0;
    if (length == 0 || length >= sizeof name || strspn(rest, allowed) < length)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "%s: the name of a stage is made of 1 to %zu letters, digits, '_' and '-'",
                         path, sizeof name - 1);
    memcpy(name, rest, length);
    name[length] = 0;
    const config_instance_t *there = find_instance(config, name);
    if (there && there->listed)
        return 0;
    if (there)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "%s: '%s' is a stage that is there already, with the section %s; a "
                         "further one needs another name",
                         path, name, there->kind->section);
    int code = config_kind_param.check(text, err);
    if (code < 0)
        return code;
    const tbus_kind_t *kind = kinds_find(text);
    uint32_t of_kind = 0;
    for (uint32_t i = 0; i < config->instances_count; i++)
        of_kind += config->instances[i].kind == kind;
    if (kind->instances_max && of_kind >= kind->instances_max)
        return tbus_fail(err, -TBUS_ECONFIG, "%s: there can be %u of the kind '%s' at most", path,
                         kind->instances_max, kind->name);
    if (config->instances_count == TBUS_INSTANCES_MAX)
        return tbus_fail(err, -TBUS_ECONFIG, "%s: a pipeline has at most %u stages", path,
                         TBUS_INSTANCES_MAX);
    add_instance(config, name, kind, true);
    return 1;
}

int config_set(config_t *config, const char *path, const char *text, tbus_error_t *err)
{
    config_key_t key;
    int added = add_listed(config, path, text, err);
    if (added != 0)
        return added < 0 ? added : 0;
    if (config_key_find(config, path, &key)) {
        /* A list as YAML writes it; what begins so is no item of a comma separated one. */
        bool flow = tbus_param_is_list(key.param) && strchr("[{", text[strspn(text, " ")]) &&
                    text[strspn(text, " ")];
        return flow ? config_set_list(config, &key, text, err)
                    : config_key_set(config, &key, text, err);
    }
    const char *section = config_section_help(config, path);
    char children[400];
    config_children(config, section ? path : "", children, sizeof children);
    if (strncmp(path, "stages.", 7) == 0 && !section)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "there is no key '%.60s'; say first which kind that stage is: "
                         "stages.NAME.kind",
                         path);
    if (section)
        return tbus_fail(err, -TBUS_ECONFIG, "%s is a section; its keys: %s", path, children);
    suggestion_t suggestion = {.given = path};
    char meant[SUGGEST_WORD_MAX + 32];
    for (size_t i = 0; config_key_at(config, i, &key); i++)
        suggest_consider(&suggestion, key.path);
    suggest_text(&suggestion, meant, sizeof meant);
    return tbus_fail(err, -TBUS_ECONFIG, "there is no key '%.60s'; sections: %s%s", path, children,
                     meant);
}
