/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/answer.h"

#include <string.h>

#include "feedsim/nats/layout.h"

/* What stands behind "key": and spaces; NULL: there is none. A key inside of a text is taken for
 * one as well: texts of the server quote numbers and no JSON. */
static const char *value(const char *json, const char *end, const char *key)
{
    size_t bytes = strlen(key);
    const char *at = memmem(json, (size_t)(end - json), key, bytes);
    if (!at)
        return NULL;
    for (at += bytes; at < end && (*at == ' ' || *at == ':'); at++)
        ;
    return at < end ? at : NULL;
}

static bool digits(const char *at, const char *end, uint64_t *out_number, const char **out_behind)
{
    uint64_t sum = 0;
    if (at >= end || *at < '0' || *at > '9')
        return false;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *out_number = sum;
    *out_behind = at;
    return true;
}

static bool number(const char *json, const char *end, const char *key, uint64_t *out_number)
{
    const char *at = value(json, end, key);
    return at && digits(at, end, out_number, &at);
}

static void text(const char *json, const char *end, const char *key, char *out, size_t room)
{
    const char *at = value(json, end, key);
    size_t used = 0;
    if (at && *at == '"')
        for (at++; at < end && *at != '"' && used + 1 < room; at++)
            out[used++] = *at >= ' ' && *at <= '~' ? *at : '?';
    out[used] = 0;
}

/* False: there is one, but it cannot be read. *out_code 0: there is none. */
static bool error_of(const char *json, const char *end, uint32_t *out_code, char *text_out,
                     size_t room)
{
    uint64_t code = 0;
    *out_code = 0;
    if (!value(json, end, "\"error\""))
        return true;
    if (!number(json, end, "\"err_code\"", &code) || code == 0 || code > UINT32_MAX)
        return false;
    *out_code = (uint32_t)code;
    text(json, end, "\"description\"", text_out, room);
    return true;
}

/* "{"stream":"lab", "seq":12}", which nearly all answers are. False: it is another. */
static bool read_stored(const char *json, const char *end, nats_answer_t *out)
{
    static const char begin[] = "{\"stream\":\"";
    const size_t bytes = sizeof begin - 1;
    if ((size_t)(end - json) < bytes || memcmp(json, begin, bytes) != 0)
        return false;
    const char *at = memchr(json + bytes, '"', (size_t)(end - json) - bytes);
    if (!at || end - at < 3 || *++at != ',')
        return false;
    nats_answer_t a = {.stored = true};
    if (*++at == ' ')
        at++;
    if (end - at < 6 || memcmp(at, "\"seq\":", 6) != 0 || !digits(at + 6, end, &a.sequence, &at) ||
        a.sequence == 0 || end - at != 1 || *at != '}')
        return false;
    *out = a;
    return true;
}

bool nats_answer_read(const char *json, size_t bytes, nats_answer_t *out_answer)
{
    nats_answer_t a = {0};
    const char *end = json + bytes;
    if (read_stored(json, end, out_answer))
        return true;
    if (bytes < 2 || json[0] != '{' || !error_of(json, end, &a.error_code, a.text, sizeof a.text))
        return false;
    if (a.error_code == 0) {
        if (!number(json, end, "\"seq\"", &a.sequence) || a.sequence == 0)
            return false;
        const char *duplicate = value(json, end, "\"duplicate\"");
        a.duplicate = duplicate && end - duplicate >= 4 && memcmp(duplicate, "true", 4) == 0;
        a.stored = true;
    }
    *out_answer = a;
    return true;
}

bool nats_made_read(const char *json, size_t bytes, nats_made_t *out_made)
{
    nats_made_t made = {0};
    const char *end = json + bytes;
    if (bytes < 2 || json[0] != '{' || json[bytes - 1] != '}' ||
        !error_of(json, end, &made.error_code, made.text, sizeof made.text))
        return false;
    if (made.error_code == 0) {
        text(json, end, "\"name\"", made.name, sizeof made.name);
        if (!nats_stream_check(made.name))
            return false;
    }
    *out_made = made;
    return true;
}
