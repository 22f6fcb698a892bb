/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tools/config/config.h"
#include "tools/show/json_text.h"

static json_t *item_json(const config_t *config, const config_key_t *key, uint32_t item)
{
    char text[CONFIG_SOURCE_MAX];
    config_key_text(config, key, item, text, sizeof text);
    switch (key->param->type) {
    case TBUS_PARAM_NUMBER:
    case TBUS_PARAM_NUMBERS:
        return json_integer(strtoll(text, NULL, 10)); /* no key allows more than fits */
    case TBUS_PARAM_BOOL:
        return json_boolean(strcmp(text, "true") == 0);
    case TBUS_PARAM_TEXT:
    case TBUS_PARAM_TEXTS:
    case TBUS_PARAM_CHOICE:
        break;
    }
    return json_text(text, sizeof text);
}

static json_t *value_json(const config_t *config, const config_key_t *key)
{
    if (!tbus_param_is_list(key->param))
        return item_json(config, key, 0);
    json_t *list = json_array();
    for (uint32_t i = 0; i < config_key_items(config, key); i++)
        json_array_append_new(list, item_json(config, key, i));
    return list;
}

/* The object of the section that `path` is in, made where it is not there yet; *out_name is the
 * rest of the path. */
static json_t *section_of(json_t *all, const char *path, const char **out_name)
{
    json_t *section = all;
    const char *name = path;
    for (const char *dot; (dot = strchr(name, '.')) != NULL; name = dot + 1) {
        size_t length = (size_t)(dot - name);
        json_t *inner = json_object_getn(section, name, length);
        if (!inner) {
            inner = json_object();
            json_object_setn_new(section, name, length, inner);
        }
        section = inner;
    }
    *out_name = name;
    return section;
}

int config_print_json(const config_t *config, FILE *out)
{
    json_t *all = json_object();
    config_key_t key;
    for (size_t i = 0; config_key_at(config, i, &key); i++) {
        const char *name;
        json_t *section = section_of(all, key.path, &name);
        json_object_set_new(section, name, value_json(config, &key));
    }
    int code = json_dumpf(all, out, JSON_INDENT(2));
    json_decref(all);
    return code == 0 && fputc('\n', out) == '\n' ? 0 : -1;
}
