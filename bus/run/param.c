/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/param.h>

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ALLOWED_MAX 200

static char *field(const tbus_param_t *param, void *values, uint32_t item)
{
    return (char *)values + param->offset + (tbus_param_is_list(param) ? item * param->bytes : 0);
}

static const char *field_const(const tbus_param_t *param, const void *values, uint32_t item)
{
    return (const char *)values + param->offset +
           (tbus_param_is_list(param) ? item * param->bytes : 0);
}

static uint32_t *count_of(const tbus_param_t *param, void *values)
{
    return (uint32_t *)(void *)((char *)values + param->count_offset);
}

uint32_t tbus_param_items(const tbus_param_t *param, const void *values)
{
    uint32_t count = 1;
    if (!param || !values)
        return 0;
    if (tbus_param_is_list(param))
        memcpy(&count, (const char *)values + param->count_offset, sizeof count);
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

void tbus_param_allowed(const tbus_param_t *param, char *out_text, size_t bytes)
{
    if (!out_text || !bytes)
        return;
    *out_text = 0;
    if (!param)
        return;
    switch (param->type) {
    case TBUS_PARAM_CHOICE:
        choices_in_words(param->choices, out_text, bytes);
        return;
    case TBUS_PARAM_BOOL:
        snprintf(out_text, bytes, "true or false");
        return;
    case TBUS_PARAM_NUMBER:
        snprintf(out_text, bytes, "a %s%s%s from %" PRId64 " to %" PRId64,
                 param->power_of_two ? "power of two" : "whole number", param->unit ? " of " : "",
                 param->unit ? param->unit : "", param->min, param->max);
        return;
    case TBUS_PARAM_NUMBERS:
        snprintf(out_text, bytes, "a list of up to %zu whole numbers from %" PRId64 " to %" PRId64,
                 param->items_max, param->min, param->max);
        return;
    case TBUS_PARAM_TEXT:
        snprintf(out_text, bytes, "text of %d to %zu characters", param->may_be_empty ? 0 : 1,
                 param->bytes - 1);
        return;
    case TBUS_PARAM_TEXTS:
        snprintf(out_text, bytes, "a list of up to %zu texts of 1 to %zu characters",
                 param->items_max, param->bytes - 1);
        return;
    }
}

/* `why`: "" or what makes it more than a wrong word, as "; that is out of range". */
static int refuse(const tbus_param_t *param, const char *path, const char *text, const char *why,
                  tbus_error_t *err)
{
    char allowed[ALLOWED_MAX];
    tbus_param_allowed(param, allowed, sizeof allowed);
    return tbus_fail(err, -TBUS_ECONFIG, "%s is '%.60s'; allowed: %s%s", path, text, allowed, why);
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

/* Nothing but digits: a number, should it be too large for any type. */
static bool is_number(const char *text)
{
    text += *text == '-';
    return *text > '0' && *text <= '9' && text[strspn(text, "0123456789")] == 0;
}

static int store_number(const tbus_param_t *param, const char *path, void *values, uint32_t item,
                        const char *text, tbus_error_t *err)
{
    int64_t value;
    bool fits = parse_number(text, &value);
    if (!fits && !is_number(text))
        return refuse(param, path, text, "", err);
    if (!fits || value < param->min || value > param->max)
        return refuse(param, path, text, "; that is out of range", err);
    if (param->power_of_two && (value <= 0 || (value & (value - 1))))
        return refuse(param, path, text, "; that is no power of two", err);
    if (param->bytes == sizeof(uint64_t)) {
        memcpy(field(param, values, item), &value, sizeof value);
    } else {
        /* Two's complement: right for int32_t as well, whose range min and max keep. */
        uint32_t narrow = (uint32_t)value;
        memcpy(field(param, values, item), &narrow, sizeof narrow);
    }
    return 0;
}

static int store_text(const tbus_param_t *param, const char *path, void *values, uint32_t item,
                      const char *text, tbus_error_t *err)
{
    size_t length = strlen(text);
    if (length >= param->bytes || (!length && !param->may_be_empty))
        return refuse(param, path, text, "", err);
    if (param->check && length) {
        tbus_error_t why = {0};
        int code = param->check(text, &why);
        if (code < 0)
            return tbus_fail(err, -TBUS_ECONFIG, "%s is '%.60s': %.300s", path, text, why.text);
    }
    memset(field(param, values, item), 0, param->bytes);
    memcpy(field(param, values, item), text, length);
    return 0;
}

static int store_choice(const tbus_param_t *param, const char *path, void *values, const char *text,
                        tbus_error_t *err)
{
    size_t length = strlen(text);
    uint32_t index = 0;
    for (const char *at = param->choices; length; at += strcspn(at, "|") + 1, index++) {
        size_t choice_length = strcspn(at, "|");
        if (choice_length == length && memcmp(at, text, length) == 0) {
            memcpy(field(param, values, 0), &index, sizeof index);
            return 0;
        }
        if (!at[choice_length])
            break;
    }
    return refuse(param, path, text, "", err);
}

static int store_bool(const tbus_param_t *param, const char *path, void *values, const char *text,
                      tbus_error_t *err)
{
    bool value = strcmp(text, "true") == 0;
    if (!value && strcmp(text, "false") != 0)
        return refuse(param, path, text, "", err);
    memcpy(field(param, values, 0), &value, sizeof value);
    return 0;
}

static int refuse_call(const char *path, tbus_error_t *err)
{
    return tbus_fail(err, -EINVAL, "%s: there is no parameter, no value, or nowhere to put it",
                     path ? path : "a parameter");
}

void tbus_param_clear(const tbus_param_t *param, void *values)
{
    if (!param || !values || !tbus_param_is_list(param))
        return;
    *count_of(param, values) = 0;
}

int tbus_param_append(const tbus_param_t *param, const char *path, void *values, const char *text,
                      tbus_error_t *err)
{
    if (!param || !values || !text || !tbus_param_is_list(param))
        return refuse_call(path, err);
    uint32_t *count = count_of(param, values);
    if (*count >= param->items_max) {
        char allowed[ALLOWED_MAX];
        tbus_param_allowed(param, allowed, sizeof allowed);
        return tbus_fail(err, -TBUS_ECONFIG, "%s has more than %zu items; allowed: %s", path,
                         param->items_max, allowed);
    }
    int code = param->type == TBUS_PARAM_NUMBERS
                   ? store_number(param, path, values, *count, text, err)
                   : store_text(param, path, values, *count, text, err);
    if (code == 0)
        ++*count;
    return code;
}

/* The next item of "a, b,c", without the blanks around it; NULL: there is none. An item longer than
 * any may be stays too long. */
static const char *next_item(const char *text, char out_item[TBUS_PARAM_TEXT_MAX])
{
    if (!text[strspn(text, " ")])
        return NULL;
    size_t blanks = strspn(text, " "), length = strcspn(text, ","), end = length;
    while (end > blanks && text[end - 1] == ' ')
        end--;
    snprintf(out_item, TBUS_PARAM_TEXT_MAX, "%.*s", end > blanks ? (int)(end - blanks) : 0,
             text + (end > blanks ? blanks : 0));
    return text + length + (text[length] == ',');
}

/* All of a list or nothing: what the list held is overwritten only when each new item is allowed,
 * which a trial in place of item 0 of an empty list tells. */
static int set_list(const tbus_param_t *param, const char *path, void *values, const char *text,
                    tbus_error_t *err)
{
    char item[TBUS_PARAM_TEXT_MAX], first[TBUS_PARAM_TEXT_MAX];
    uint32_t before = tbus_param_items(param, values), wanted = 0;
    assert(param->bytes <= sizeof first);
    memcpy(first, field(param, values, 0), param->bytes);
    int code = 0;
    for (const char *at = text; code == 0 && (at = next_item(at, item)) != NULL; wanted++) {
        *count_of(param, values) = wanted < param->items_max ? 0 : wanted;
        code = tbus_param_append(param, path, values, item, err);
    }
    memcpy(field(param, values, 0), first, param->bytes);
    *count_of(param, values) = before;
    if (code < 0)
        return code;
    tbus_param_clear(param, values);
    for (const char *at = text; (at = next_item(at, item)) != NULL;)
        tbus_param_append(param, path, values, item, NULL);
    return 0;
}

int tbus_param_set(const tbus_param_t *param, const char *path, void *values, const char *text,
                   tbus_error_t *err)
{
    if (!param || !values || !text)
        return refuse_call(path, err);
    path = path ? path : param->name;
    switch (param->type) {
    case TBUS_PARAM_NUMBER:
        return store_number(param, path, values, 0, text, err);
    case TBUS_PARAM_TEXT:
        return store_text(param, path, values, 0, text, err);
    case TBUS_PARAM_CHOICE:
        return store_choice(param, path, values, text, err);
    case TBUS_PARAM_BOOL:
        return store_bool(param, path, values, text, err);
    case TBUS_PARAM_NUMBERS:
    case TBUS_PARAM_TEXTS:
        break;
    }
    return set_list(param, path, values, text, err);
}

void tbus_param_text(const tbus_param_t *param, const void *values, uint32_t item, char *out_text,
                     size_t bytes)
{
    if (!out_text || !bytes)
        return;
    *out_text = 0;
    if (!param || !values || item >= tbus_param_items(param, values))
        return;
    const char *at = field_const(param, values, item);
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    bool flag = false;
    switch (param->type) {
    case TBUS_PARAM_TEXT:
    case TBUS_PARAM_TEXTS:
        snprintf(out_text, bytes, "%s", at);
        return;
    case TBUS_PARAM_BOOL:
        memcpy(&flag, at, sizeof flag);
        snprintf(out_text, bytes, "%s", flag ? "true" : "false");
        return;
    case TBUS_PARAM_CHOICE: {
        memcpy(&u32, at, sizeof u32);
        const char *choice = param->choices;
        for (; u32 && *choice; u32--) {
            choice += strcspn(choice, "|");
            choice += *choice == '|';
        }
        snprintf(out_text, bytes, "%.*s", (int)strcspn(choice, "|"), choice);
        return;
    }
    case TBUS_PARAM_NUMBER:
    case TBUS_PARAM_NUMBERS:
        if (param->bytes == sizeof u64) {
            memcpy(&u64, at, sizeof u64);
            snprintf(out_text, bytes, param->min < 0 ? "%" PRId64 : "%" PRIu64, u64);
        } else {
            memcpy(&u32, at, sizeof u32);
            if (param->min < 0)
                snprintf(out_text, bytes, "%" PRId32, (int32_t)u32);
            else
                snprintf(out_text, bytes, "%" PRIu32, u32);
        }
        return;
    }
}

bool tbus_param_equal(const tbus_param_t *param, const void *values, const void *others)
{
    uint32_t items = tbus_param_items(param, values);
    if (!param || !values || !others)
        return false;
    if (items != tbus_param_items(param, others))
        return false;
    for (uint32_t i = 0; i < items; i++)
        if (memcmp(field_const(param, values, i), field_const(param, others, i), param->bytes) != 0)
            return false;
    return true;
}

const tbus_param_t *tbus_params_find(const tbus_params_t *params, const char *name)
{
    for (uint32_t i = 0; params && name && i < params->count; i++)
        if (strcmp(params->table[i].name, name) == 0)
            return &params->table[i];
    return NULL;
}

void tbus_params_defaults(const tbus_params_t *params, void *values)
{
    if (!params || !values)
        return;
    memset(values, 0, params->bytes);
    for (uint32_t i = 0; i < params->count; i++) {
        const tbus_param_t *param = &params->table[i];
        int code = tbus_param_set(param, param->name, values, param->fallback, NULL);
        assert(code == 0);
        (void)code;
    }
}
