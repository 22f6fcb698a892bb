/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/answer.h"

#include <string.h>

#include "feedsim/nats/layout.h"

#define STATUS_UNSERVED 503u /* no responders */

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

static bool number(const char *json, const char *end, const char *key, uint64_t *out_number)
{
    const char *at = value(json, end, key);
    return at && nats_digits_read(at, end, out_number) > 0;
}

static char printable(char c)
{
    return c >= ' ' && c <= '~' ? c : '?';
}

void nats_words_clean(char *text)
{
    for (; text && *text; text++)
        *text = printable(*text);
}

static void text(const char *json, const char *end, const char *key, char *out, size_t room)
{
    const char *at = value(json, end, key);
    size_t used = 0;
    if (at && *at == '"')
        for (at++; at < end && *at != '"' && used + 1 < room; at++)
            out[used++] = printable(*at);
    out[used] = 0;
}

/* An error: its kind, as of HTTP, and its own code; 0: it has none. False: it has neither. */
static bool error_of(const char *json, const char *end, uint64_t *out_kind, uint32_t *out_code,
                     char *text_out, size_t room)
{
    uint64_t kind = 0, code = 0;
    bool any = number(json, end, "\"code\"", &kind);
    any = number(json, end, "\"err_code\"", &code) || any;
    if (!any || code > UINT32_MAX)
        return false;
    *out_kind = kind;
    *out_code = (uint32_t)code;
    text(json, end, "\"description\"", text_out, room);
    return true;
}

static enum nats_answer_kind kind_of_error(uint64_t kind, uint32_t error_code)
{
    switch (error_code) {
    case NATS_ERROR_LAST_SEQUENCE:
    case NATS_ERROR_LAST_ID:
        return NATS_ANSWER_OTHER_LAST;
    case NATS_ERROR_ACCOUNT:
    case NATS_ERROR_STORE:
    case NATS_ERROR_STORAGE:
    case NATS_ERROR_MEMORY:
    case NATS_ERROR_RESOURCES:
        return NATS_ANSWER_FULL;
    case NATS_ERROR_NOT_LEADER:
    case NATS_ERROR_NOT_AVAILABLE:
        return NATS_ANSWER_UNSERVED;
    default:
        return kind == 503 ? NATS_ANSWER_UNSERVED : NATS_ANSWER_WRONG;
    }
}

static bool read_json(const char *json, const char *end, nats_answer_t *a)
{
    uint64_t kind;
    if (end - json < 2 || json[0] != '{')
        return false;
    if (value(json, end, "\"error\"")) {
        if (!error_of(json, end, &kind, &a->error_code, a->text, sizeof a->text))
            return false;
        a->kind = kind_of_error(kind, a->error_code);
        return true;
    }
    if (!number(json, end, "\"seq\"", &a->sequence) || a->sequence == 0)
        return false;
    const char *duplicate = value(json, end, "\"duplicate\"");
    if (duplicate && end - duplicate >= 4 && memcmp(duplicate, "true", 4) == 0)
        a->kind = NATS_ANSWER_DUPLICATE;
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
    nats_answer_t a = {.kind = NATS_ANSWER_STORED};
    if (*++at == ' ')
        at++;
    if (end - at < 6 || memcmp(at, "\"seq\":", 6) != 0)
        return false;
    at += 6;
    at += nats_digits_read(at, end, &a.sequence);
    if (a.sequence == 0 || end - at != 1 || *at != '}')
        return false;
    *out = a;
    return true;
}

void nats_answer_read(unsigned status, const char *json, size_t bytes, nats_answer_t *out_answer)
{
    nats_answer_t a = {.kind = NATS_ANSWER_STORED};
    if (status == 0 && read_stored(json, json + bytes, out_answer))
        return;
    if (status == STATUS_UNSERVED)
        a = (nats_answer_t){.kind = NATS_ANSWER_UNSERVED, .text = "nobody keeps the stream"};
    else if (status || !read_json(json, json + bytes, &a))
        a = (nats_answer_t){.kind = NATS_ANSWER_WRONG, .text = "an answer that cannot be read"};
    *out_answer = a;
}

bool nats_made_read(const char *json, size_t bytes, nats_made_t *out_made)
{
    nats_made_t made = {0};
    const char *end = json + bytes;
    uint64_t kind;
    if (bytes < 2 || json[0] != '{' || json[bytes - 1] != '}')
        return false;
    if (value(json, end, "\"error\"")) {
        if (!error_of(json, end, &kind, &made.error_code, made.text, sizeof made.text) ||
            made.error_code == 0)
            return false;
    } else {
        text(json, end, "\"name\"", made.name, sizeof made.name);
        if (!nats_stream_check(made.name))
            return false;
    }
    *out_made = made;
    return true;
}

bool nats_info_has_subjects(const char *json, size_t bytes)
{
    const char *end = json + bytes, *at = json;
    while ((at = value(at, end, "\"subjects\"")))
        if (*at == '{') /* those of the configuration are a list */
            return (at = value(at, end, "{")) && *at == '"';
    return false;
}
