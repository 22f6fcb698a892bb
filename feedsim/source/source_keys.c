/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/source_keys.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feedsim/timeline.h"

static int take_text(char *field, const source_key_t *key, const char *value, size_t bytes,
                     tbus_error_t *err)
{
    if (bytes >= SOURCE_TEXT_MAX)
        return tbus_fail(err, -TBUS_ECONFIG, "the value of %s in the feed is too long", key->name);
    memcpy(field, value, bytes);
    field[bytes] = 0;
    return 0;
}

static int take_number(uint64_t *field, const source_key_t *key, const char *value, size_t bytes,
                       tbus_error_t *err)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (errno || *value < '0' || *value > '9' || end != value + bytes || number < key->min ||
        number > key->max)
        return tbus_fail(err, -TBUS_ECONFIG, "%s=%.*s in the feed: %s", key->name, (int)bytes,
                         value, key->wanted);
    *field = number;
    return 0;
}

static int take_duration(uint64_t *field, const source_key_t *key, const char *value, size_t bytes,
                         tbus_error_t *err)
{
    char text[SOURCE_TEXT_MAX];
    int code = take_text(text, key, value, bytes, err);
    if (code == 0 && strcmp(text, "never") == 0)
        *field = UINT64_MAX;
    else if (code == 0)
        code = feed_duration_parse(text, field, err);
    return code;
}

static int take_value(const source_key_t *key, const char *value, size_t bytes, void *out_values,
                      tbus_error_t *err)
{
    void *field = (char *)out_values + key->offset;
    switch (key->type) {
    case SOURCE_KEY_TEXT:
        return take_text(field, key, value, bytes, err);
    case SOURCE_KEY_NUMBER:
        return take_number(field, key, value, bytes, err);
    default:
        return take_duration(field, key, value, bytes, err);
    }
}

static int no_such_key(const char *scheme, const char *name, size_t bytes, const source_key_t *keys,
                       uint32_t count, tbus_error_t *err)
{
    char names[256];
    size_t used = 0;
    names[0] = 0;
    for (uint32_t i = 0; i < count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 keys[i].name);
    return tbus_fail(err, -TBUS_ECONFIG, "the feed %s: has no key '%.*s'; there are: %s", scheme,
                     (int)bytes, name, names);
}

int source_keys_parse(const char *scheme, const char *text, const source_key_t *keys,
                      uint32_t count, void *out_values, tbus_error_t *err)
{
    for (const char *at = text; *at;) {
        at++; /* the ? or & */
        size_t bytes = strcspn(at, "&");
        const char *equals = memchr(at, '=', bytes);
        size_t name = equals ? (size_t)(equals - at) : bytes;
        const char *value = equals ? equals + 1 : at + bytes;
        uint32_t i = 0;
        while (i < count && (strlen(keys[i].name) != name || memcmp(keys[i].name, at, name) != 0))
            i++;
        if (i == count)
            return no_such_key(scheme, at, name, keys, count, err);
        int code = take_value(&keys[i], value, (size_t)(at + bytes - value), out_values, err);
        if (code < 0)
            return code;
        at += bytes;
    }
    return 0;
}

int source_password_read(const char *path, char out_password[SOURCE_TEXT_MAX], tbus_error_t *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return tbus_fail(err, -errno, "the feed's password file %s: %s", path, strerror(errno));
    bool there = fgets(out_password, SOURCE_TEXT_MAX, file) != NULL;
    fclose(file);
    if (!there)
        return tbus_fail(err, -TBUS_ECONFIG, "the feed's password file %s is empty", path);
    out_password[strcspn(out_password, "\r\n")] = 0;
    return 0;
}
