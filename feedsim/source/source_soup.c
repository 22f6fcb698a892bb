/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/soup.h>

#include "feedsim/source/source_keys.h"

#define SERVER_MAX 300u

/* What a spec says. */
typedef struct soup_spec {
    char server[SERVER_MAX];
    char user[SOURCE_TEXT_MAX];
    char password_file[SOURCE_TEXT_MAX];
    char session[SOURCE_TEXT_MAX];
    uint64_t from;
    uint64_t lost_ns;
} soup_spec_t;

typedef struct source_soup {
    feed_source_t base;
    tbus_soup_t *soup;
    uint64_t last_event_ns;
    bool held; /* `outcome` and `event` are not looked at yet */
    int outcome;
    tbus_soup_event_t event;
    feed_source_counter_t malformed; /* as it is shown */
    char server[SERVER_MAX];
} source_soup_t;

/* ---- the spec ---- */

#define FIELD(field) offsetof(soup_spec_t, field)

static const source_key_t keys[] = {
    {"user", SOURCE_KEY_TEXT, FIELD(user), 0, 0, NULL},
    {"password_file", SOURCE_KEY_TEXT, FIELD(password_file), 0, 0, NULL},
    {"session", SOURCE_KEY_TEXT, FIELD(session), 0, 0, NULL},
    {"from", SOURCE_KEY_NUMBER, FIELD(from), 0, UINT64_MAX,
     "a sequence was expected, 1 for the session's first message, 0 for what comes from now on"},
    {"lost", SOURCE_KEY_DURATION, FIELD(lost_ns), 0, 0, NULL},
};

static int parse(const char *text, soup_spec_t *out_spec, tbus_error_t *err)
{
    soup_spec_t spec = {.from = 1};
    size_t server = strcspn(text, "?");
    if (server == 0 || server >= sizeof spec.server)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the feed \"soup:%s\" names no server: write soup:HOST:PORT[?KEY=VALUE"
                         "[&KEY=VALUE...]]",
                         text);
    memcpy(spec.server, text, server);
    int code =
        source_keys_parse("soup", text + server, keys, sizeof keys / sizeof keys[0], &spec, err);
    if (code < 0)
        return code;
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

/* What comes next. A message without bytes was held until it is here, and goes before it. */
static int next_outcome(source_soup_t *s)
{
    if (!s->held)
        s->outcome = tbus_soup_next(s->soup, 0, &s->event, &s->base.error);
    s->held = false;
    return s->outcome;
}

/* Is that one which may be the last before the end? */
static bool is_last_word(int outcome)
{
    return outcome != TBUS_SOUP_NOTHING && outcome != TBUS_SOUP_OTHER &&
           outcome != TBUS_SOUP_TEXT && outcome != TBUS_SOUP_LOST && outcome != TBUS_SOUP_RESUMED;
}

static int next(feed_source_t *self, tick_t *buffer, size_t *out_bytes)
{
    source_soup_t *s = (source_soup_t *)self;
    const tbus_soup_event_t *event = &s->event;
    if (__builtin_expect(self->error.code != 0, 0))
        return self->error.code;
    for (;;) {
        int outcome = next_outcome(s);
        if (__builtin_expect(self->empty_seq != 0, 0) && is_last_word(outcome)) {
            s->held = true;
            return feed_source_put_empty(self, &s->last_event_ns, outcome == TBUS_SOUP_ENDED,
                                         buffer, out_bytes);
        }
        switch (outcome) {
        case TBUS_SOUP_MESSAGE:
            if (__builtin_expect(event->bytes != 0, 1))
                return feed_source_put_message(self, s->server, &s->last_event_ns, event->sequence,
                                               event->data, event->bytes, buffer, out_bytes);
            feed_source_hold_empty(self, event->sequence);
            break;
        case TBUS_SOUP_NOTHING:
            return FEED_SOURCE_LATER;
        case TBUS_SOUP_ENDED:
            feed_source_tell_malformed(self, self->note.text, sizeof self->note.text);
            return FEED_SOURCE_END;
        case TBUS_SOUP_GAP: /* books without them would be wrong */
            return fail(s, -TBUS_ETRUNCATED, "does not have all of the session any more",
                        event->sequence, event->last);
        case TBUS_SOUP_REFUSED:
            return tbus_fail(&self->error, -TBUS_ENOTFOUND,
                             "the connection was lost, and now %s; what came before was delivered",
                             event->why);
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

static const feed_source_counter_t *counters(const feed_source_t *self, uint32_t *out_count)
{
    *out_count = 1;
    return &((const source_soup_t *)self)->malformed;
}

static void close_soup(feed_source_t *self)
{
    source_soup_t *s = (source_soup_t *)self;
    tbus_soup_close(s->soup);
    free(s);
}

static const feed_source_ops_t ops = {.next = next, .counters = counters, .close = close_soup};

int feed_source_open_soup(const char *text, feed_source_t **out_source, tbus_error_t *err)
{
    soup_spec_t spec;
    char password[SOURCE_TEXT_MAX] = "";
    int code = parse(text, &spec, err);
    if (code == 0 && spec.password_file[0])
        code = source_password_read(spec.password_file, password, err);
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
    s->malformed = feed_source_malformed_counter(&s->base);
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
