/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/soup.h>

#include "feedsim/itch/itch.h"
#include "feedsim/timeline.h"

#define KEYS       "user, password_file, session, from, lost"
#define SERVER_MAX 300u
#define TEXT_MAX   256u

/* What a spec says. */
typedef struct soup_spec {
    char server[SERVER_MAX];
    char user[TEXT_MAX];
    char password_file[TEXT_MAX];
    char session[TEXT_MAX];
    uint64_t from;
    uint64_t lost_ns;
} soup_spec_t;

typedef struct source_soup {
    feed_source_t base;
    tbus_soup_t *soup;
    uint64_t last_event_ns;
    char server[SERVER_MAX];
} source_soup_t;

/* ---- the spec ---- */

static int take_text(char out_text[TEXT_MAX], const char *key, const char *value, size_t bytes,
                     tbus_error_t *err)
{
    if (bytes >= TEXT_MAX)
        return tbus_fail(err, -TBUS_ECONFIG, "the value of %s in the feed is too long", key);
    memcpy(out_text, value, bytes);
    out_text[bytes] = 0;
    return 0;
}

static int take_from(soup_spec_t *spec, const char *value, size_t bytes, tbus_error_t *err)
{
    char *end;
    errno = 0;
    unsigned long long from = strtoull(value, &end, 10);
    if (errno || *value < '0' || *value > '9' || end != value + bytes)
        return tbus_fail(
            err, -TBUS_ECONFIG,
            "from=%.*s in the feed: a sequence was expected, 1 for the session's first "
            "message, 0 for what comes from now on",
            (int)bytes, value);
    spec->from = from;
    return 0;
}

static int take_lost(soup_spec_t *spec, const char *value, size_t bytes, tbus_error_t *err)
{
    char text[TEXT_MAX];
    int code = take_text(text, "lost", value, bytes, err);
    return code ? code : feed_duration_parse(text, &spec->lost_ns, err);
}

static int take_key(soup_spec_t *spec, const char *key, size_t bytes, tbus_error_t *err)
{
    const char *equals = memchr(key, '=', bytes);
    size_t name = equals ? (size_t)(equals - key) : bytes;
    const char *value = equals ? equals + 1 : key + bytes;
    size_t value_bytes = (size_t)(key + bytes - value);
    if (name == 4 && memcmp(key, "user", 4) == 0)
        return take_text(spec->user, "user", value, value_bytes, err);
    if (name == 13 && memcmp(key, "password_file", 13) == 0)
        return take_text(spec->password_file, "password_file", value, value_bytes, err);
    if (name == 7 && memcmp(key, "session", 7) == 0)
        return take_text(spec->session, "session", value, value_bytes, err);
    if (name == 4 && memcmp(key, "from", 4) == 0)
        return take_from(spec, value, value_bytes, err);
    if (name == 4 && memcmp(key, "lost", 4) == 0)
        return take_lost(spec, value, value_bytes, err);
    return tbus_fail(err, -TBUS_ECONFIG, "the feed soup: has no key '%.*s'; there are: " KEYS,
                     (int)name, key);
}

static int parse(const char *text, soup_spec_t *out_spec, tbus_error_t *err)
{
    soup_spec_t spec = {.from = 1};
    size_t server = strcspn(text, "?");
    if (server == 0 || server >= sizeof spec.server)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the feed \"soup:%s\" names no server: write soup:HOST:PORT[?KEY=VALUE"
                         "[&KEY=VALUE...]]; keys: " KEYS,
                         text);
    memcpy(spec.server, text, server);
    for (const char *at = text + server; *at;) {
        at++; /* the ? or & */
        size_t bytes = strcspn(at, "&");
        int code = take_key(&spec, at, bytes, err);
        if (code < 0)
            return code;
        at += bytes;
    }
    *out_spec = spec;
    return 0;
}

int feed_source_check_soup(const char *text, tbus_error_t *err)
{
    soup_spec_t spec;
    return parse(text, &spec, err);
}

/* ---- the source ---- */

static int fail(source_soup_t *s, int code, const char *what, uint64_t from, uint64_t to)
{
    return tbus_fail(&s->base.error, code,
                     "%s %s: messages %" PRIu64 "..%" PRIu64
                     "; what came before them was delivered",
                     s->server, what, from, to);
}

static int on_message(source_soup_t *s, const tbus_soup_event_t *event, tick_t *buffer,
                      size_t *out_bytes)
{
    feed_source_t *self = &s->base;
    self->time_ns = FEED_TIME_NONE;
    if (event->bytes == 0) { /* the end mark of the file that is fed over there */
        itch_end_mark(s->last_event_ns, buffer, out_bytes);
        feed_source_count(self, TICK_END_MARK, 0);
    } else if (itch_decode(event->data, event->bytes, buffer, out_bytes) < 0) {
        return tbus_fail(&self->error, -TBUS_EFORMAT,
                         "message %" PRIu64 " from %s is no ITCH 5.0: type '%c' with %zu bytes; "
                         "what came before it was delivered",
                         event->sequence, s->server, event->data[0], event->bytes);
    } else {
        feed_source_count(self, event->data[0], event->bytes);
        if (__builtin_expect(buffer->type != TICK_RUNT, 1))
            self->time_ns = s->last_event_ns = tick_event_ns(buffer);
    }
    self->seq = event->sequence;
    return FEED_SOURCE_TICK;
}

static int next(feed_source_t *self, tick_t *buffer, size_t *out_bytes)
{
    source_soup_t *s = (source_soup_t *)self;
    tbus_soup_event_t event;
    if (__builtin_expect(self->error.code != 0, 0))
        return self->error.code;
    for (;;) {
        switch (tbus_soup_next(s->soup, 0, &event, &self->error)) {
        case TBUS_SOUP_MESSAGE:
            return on_message(s, &event, buffer, out_bytes);
        case TBUS_SOUP_NOTHING:
            return FEED_SOURCE_LATER;
        case TBUS_SOUP_ENDED:
            return FEED_SOURCE_END;
        case TBUS_SOUP_GAP: /* books without them would be wrong */
            return fail(s, -TBUS_ETRUNCATED, "does not have all of the session any more",
                        event.sequence, event.last);
        case TBUS_SOUP_REFUSED:
            return tbus_fail(&self->error, -TBUS_ENOTFOUND,
                             "the connection was lost, and now %s; what came before was delivered",
                             event.why);
        case TBUS_SOUP_OTHER:
        case TBUS_SOUP_TEXT:
        case TBUS_SOUP_LOST:
        case TBUS_SOUP_RESUMED:
            break;
        default:
            return self->error.code;
        }
    }
}

static void close_soup(feed_source_t *self)
{
    source_soup_t *s = (source_soup_t *)self;
    tbus_soup_close(s->soup);
    free(s);
}

static const feed_source_ops_t ops = {.next = next, .close = close_soup};

/* The first line of a file, without its end. */
static int read_password(const char *path, char out_password[TEXT_MAX], tbus_error_t *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return tbus_fail(err, -errno, "the feed's password file %s: %s", path, strerror(errno));
    bool there = fgets(out_password, TEXT_MAX, file) != NULL;
    fclose(file);
    if (!there)
        return tbus_fail(err, -TBUS_ECONFIG, "the feed's password file %s is empty", path);
    out_password[strcspn(out_password, "\r\n")] = 0;
    return 0;
}

int feed_source_open_soup(const char *text, feed_source_t **out_source, tbus_error_t *err)
{
    soup_spec_t spec;
    char password[TEXT_MAX] = "";
    int code = parse(text, &spec, err);
    if (code == 0 && spec.password_file[0])
        code = read_password(spec.password_file, password, err);
    if (code < 0)
        return code;
    source_soup_t *s = calloc(1, sizeof *s);
    if (!s)
        return tbus_fail(err, -ENOMEM, "no memory to receive from %s", spec.server);
    tbus_soup_options_t options = {.user = spec.user,
                                   .password = password,
                                   .session = spec.session,
                                   .from = spec.from,
                                   .lost_ns = spec.lost_ns};
    s->base.ops = &ops;
    s->base.daily = true;
    strcpy(s->server, spec.server);
    code = tbus_soup_open(spec.server, &options, &s->soup, err);
    explicit_bzero(password, sizeof password);
    if (code < 0) {
        free(s);
        return code;
    }
    *out_source = &s->base;
    return 0;
}
