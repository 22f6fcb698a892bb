/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/config/config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define ALLOWED_MAX 200

static bool is_list(const config_key_t *key)
{
    return key->type == CONFIG_NUMBERS || key->type == CONFIG_TEXTS;
}

static char *field(config_t *config, const config_key_t *key, uint32_t item)
{
    return (char *)config + key->offset + (is_list(key) ? item * key->bytes : 0);
}

static const char *field_const(const config_t *config, const config_key_t *key, uint32_t item)
{
    return (const char *)config + key->offset + (is_list(key) ? item * key->bytes : 0);
}

static uint32_t *count_of(config_t *config, const config_key_t *key)
{
    return (uint32_t *)(void *)((char *)config + key->count_offset);
}

uint32_t config_key_items(const config_t *config, const config_key_t *key)
{
    uint32_t count = 1;
    if (is_list(key))
        memcpy(&count, (const char *)config + key->count_offset, sizeof count);
    return count;
}

/* "auto|split|fused" -> "auto, split or fused" */
static void choices_in_words(const char *choices, char *out_text, size_t bytes)
{
    size_t used = 0;
    for (const char *at = choices; *at && used + 4 < bytes; at++) {
        if (*at != '|')
            out_text[used++] = *at;
        else
            used += (size_t)snprintf(out_text + used, bytes - used,
                                     strchr(at + 1, '|') ? ", " : " or ");
    }
    out_text[used < bytes ? used : bytes - 1] = 0;
}

void config_key_allowed(const config_key_t *key, char *out_text, size_t bytes)
{
    switch (key->type) {
    case CONFIG_CHOICE:
        choices_in_words(key->choices, out_text, bytes);
        return;
    case CONFIG_BOOL:
        snprintf(out_text, bytes, "true or false");
        return;
    case CONFIG_NUMBER:
        snprintf(out_text, bytes, "a %s%s%s from %" PRId64 " to %" PRId64,
                 key->power_of_two ? "power of two" : "whole number", key->unit ? " of " : "",
                 key->unit ? key->unit : "", key->min, key->max);
        return;
    case CONFIG_NUMBERS:
        snprintf(out_text, bytes, "a list of up to %zu whole numbers from %" PRId64 " to %" PRId64,
                 key->items_max, key->min, key->max);
        return;
    case CONFIG_TEXT:
        snprintf(out_text, bytes, "text of %d to %zu characters", key->may_be_empty ? 0 : 1,
                 key->bytes - 1);
        return;
    case CONFIG_TEXTS:
        snprintf(out_text, bytes, "a list of up to %zu texts of 1 to %zu characters",
                 key->items_max, key->bytes - 1);
        return;
    }
}

static int refuse(const config_key_t *key, const char *text, tbus_error_t *err)
{
    char allowed[ALLOWED_MAX];
    config_key_allowed(key, allowed, sizeof allowed);
    return tbus_fail(err, -TBUS_ECONFIG, "%s is '%.60s'; allowed: %s", key->path, text, allowed);
}

/* Decimal digits, which single underscores may group; no leading zeros (YAML 1.1 would read those
 * as octal). */
static bool parse_number(const char *text, int64_t *out_value)
{
    bool negative = *text == '-';
    const char *at = text + negative;
    if (*at < '0' || *at > '9' || (*at == '0' && at[1]))
        return false;
    uint64_t value = 0;
    for (char before = 0; *at; before = *at++) {
        if (*at == '_' && before != '_' && at[1])
            continue;
        if (*at < '0' || *at > '9')
            return false;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value) || value > INT64_MAX)
            return false;
    }
    *out_value = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static int store_number(config_t *config, const config_key_t *key, uint32_t item, const char *text,
                        tbus_error_t *err)
{
    int64_t value;
    if (!parse_number(text, &value) || value < key->min || value > key->max)
        return refuse(key, text, err);
    if (key->power_of_two && (value <= 0 || (value & (value - 1))))
        return refuse(key, text, err);
    if (key->bytes == sizeof(uint64_t)) {
        memcpy(field(config, key, item), &value, sizeof value);
    } else {
        uint32_t narrow = (uint32_t)
            value; /* two's complement: right for int32_t as well, whose range min and max keep */
        memcpy(field(config, key, item), &narrow, sizeof narrow);
    }
    return 0;
}

static int store_text(config_t *config, const config_key_t *key, uint32_t item, const char *text,
                      tbus_error_t *err)
{
    size_t length = strlen(text);
    if (length >= key->bytes || (!length && !key->may_be_empty))
        return refuse(key, text, err);
    if (key->check && length) {
        tbus_error_t why = {0};
        int code = key->check(text, &why);
        if (code < 0)
            return tbus_fail(err, -TBUS_ECONFIG, "%s is '%.60s': %.300s", key->path, text,
                             why.text);
    }
    memset(field(config, key, item), 0, key->bytes);
    memcpy(field(config, key, item), text, length);
    return 0;
}

static int store_choice(config_t *config, const config_key_t *key, const char *text,
                        tbus_error_t *err)
{
    size_t length = strlen(text);
    uint32_t index = 0;
    for (const char *at = key->choices; length; at += strcspn(at, "|") + 1, index++) {
        size_t choice_length = strcspn(at, "|");
        if (choice_length == length && memcmp(at, text, length) == 0) {
            memcpy(field(config, key, 0), &index, sizeof index);
            return 0;
        }
        if (!at[choice_length])
            break;
    }
    return refuse(key, text, err);
}

static int store_bool(config_t *config, const config_key_t *key, const char *text,
                      tbus_error_t *err)
{
    bool value = strcmp(text, "true") == 0;
    if (!value && strcmp(text, "false") != 0)
        return refuse(key, text, err);
    memcpy(field(config, key, 0), &value, sizeof value);
    return 0;
}

void config_key_clear(config_t *config, const config_key_t *key)
{
    *count_of(config, key) = 0;
}

int config_key_append(config_t *config, const config_key_t *key, const char *text,
                      tbus_error_t *err)
{
    uint32_t *count = count_of(config, key);
    if (*count == key->items_max) {
        char allowed[ALLOWED_MAX];
        config_key_allowed(key, allowed, sizeof allowed);
        return tbus_fail(err, -TBUS_ECONFIG, "%s has more than %zu items; allowed: %s", key->path,
                         key->items_max, allowed);
    }
    int code = key->type == CONFIG_NUMBERS ? store_number(config, key, *count, text, err)
                                           : store_text(config, key, *count, text, err);
    if (code == 0)
        ++*count;
    return code;
}

/* "a,b,c" or "" into an empty list. */
static int set_list(config_t *config, const config_key_t *key, const char *text, tbus_error_t *err)
{
    config_key_clear(config, key);
    while (*text) {
        char item[CONFIG_SOURCE_MAX];
        size_t length = strcspn(text, ",");
        snprintf(item, sizeof item, "%.*s", (int)length, text);
        int code = config_key_append(config, key, item, err);
        if (code < 0)
            return code;
        text += length + (text[length] == ',');
    }
    return 0;
}

int config_key_set(config_t *config, const config_key_t *key, const char *text, tbus_error_t *err)
{
    switch (key->type) {
    case CONFIG_NUMBER:
        return store_number(config, key, 0, text, err);
    case CONFIG_TEXT:
        return store_text(config, key, 0, text, err);
    case CONFIG_CHOICE:
        return store_choice(config, key, text, err);
    case CONFIG_BOOL:
        return store_bool(config, key, text, err);
    case CONFIG_NUMBERS:
    case CONFIG_TEXTS:
        break;
    }
    config_t trial = *config;
    int code = set_list(&trial, key, text, err);
    if (code == 0)
        *config = trial;
    return code;
}

void config_key_text(const config_t *config, const config_key_t *key, uint32_t item, char *out_text,
                     size_t bytes)
{
    const char *at = field_const(config, key, item);
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    bool flag = false;
    switch (key->type) {
    case CONFIG_TEXT:
    case CONFIG_TEXTS:
        snprintf(out_text, bytes, "%s", at);
        return;
    case CONFIG_BOOL:
        memcpy(&flag, at, sizeof flag);
        snprintf(out_text, bytes, "%s", flag ? "true" : "false");
        return;
    case CONFIG_CHOICE: {
        memcpy(&u32, at, sizeof u32);
        const char *choice = key->choices;
        while (u32--)
            choice += strcspn(choice, "|") + 1;
        snprintf(out_text, bytes, "%.*s", (int)strcspn(choice, "|"), choice);
        return;
    }
    case CONFIG_NUMBER:
    case CONFIG_NUMBERS:
        if (key->bytes == sizeof u64) {
            memcpy(&u64, at, sizeof u64);
            snprintf(out_text, bytes, "%" PRIu64, u64);
        } else {
            memcpy(&u32, at, sizeof u32);
            if (key->min < 0)
                snprintf(out_text, bytes, "%" PRId32, (int32_t)u32);
            else
                snprintf(out_text, bytes, "%" PRIu32, u32);
        }
        return;
    }
}

void config_defaults(config_t *out_config)
{
    memset(out_config, 0, sizeof *out_config);
    const config_key_t *key;
    for (size_t i = 0; (key = config_key_at(i)) != NULL; i++) {
        /* The table's own defaults: a unit test sets every one of them, with the error shown. */
        (void)config_key_set(out_config, key, key->fallback, NULL);
    }
}

const char *config_pace(const config_t *config)
{
    if (strcmp(config->feed.pace, "auto") != 0)
        return config->feed.pace;
    return strncmp(config->feed.source, "synth", 5) == 0 ? "250k/s" : "max";
}

int config_set(config_t *config, const char *path, const char *text, tbus_error_t *err)
{
    const config_key_t *key = config_key_find(path);
    if (!key) {
        const config_section_t *section = config_section_find(path);
        char children[400];
        config_children(section ? path : "", children, sizeof children);
        return tbus_fail(err, -TBUS_ECONFIG,
                         section ? "%s is a section; its keys: %s"
                                 : "there is no key '%.60s'; sections: %s",
                         path, children);
    }
    return config_key_set(config, key, text, err);
}
