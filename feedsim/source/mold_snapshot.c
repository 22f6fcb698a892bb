/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/mold_snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <tickbus/soup.h>

#define END_TYPE   'G'
#define END_DIGITS 20u

struct mold_snapshot {
    tbus_soup_t *soup;
    uint64_t messages;
    char server[SOURCE_TEXT_MAX];
    char session[MOLD_SESSION_BYTES + 1];
    char wanted[SOURCE_TEXT_MAX]; /* glimpse_session= */
};

int mold_snapshot_open(const mold_spec_t *spec, uint64_t connect_ns, mold_snapshot_t **out_snapshot,
                       tbus_error_t *err)
{
    char password[SOURCE_TEXT_MAX] = "";
    int code =
        spec->password_file[0] ? source_password_read(spec->password_file, password, err) : 0;
    if (code < 0)
        return code;
    mold_snapshot_t *s = calloc(1, sizeof *s);
    if (!s)
        return tbus_fail(err, -ENOMEM, "no memory for a snapshot");
    tbus_soup_options_t options = {
        .user = spec->user, .password = password, .from = 1, .connect_ns = connect_ns};
    memcpy(s->server, spec->glimpse, sizeof s->server);
    code = tbus_soup_open(spec->glimpse, &options, &s->soup, err);
    explicit_bzero(password, sizeof password);
    if (code < 0) {
        free(s);
        return code;
    }
    tbus_soup_status_t status;
    tbus_soup_status(s->soup, &status);
    memcpy(s->session, status.session, sizeof s->session);
    memcpy(s->wanted, spec->glimpse_session, sizeof s->wanted);
    *out_snapshot = s;
    return 0;
}

bool mold_snapshot_is_of(const mold_snapshot_t *s, const uint8_t *line_session)
{
    char line[MOLD_SESSION_BYTES + 1];
    if (s->session[0] == 0 || strcmp(s->wanted, "any") == 0)
        return true;
    mold_session_text(line_session, line);
    return strcasecmp(s->session, s->wanted[0] ? s->wanted : line) == 0;
}

const char *mold_snapshot_session(const mold_snapshot_t *s)
{
    return s->session;
}

/* 20 characters, digits with spaces on either side. */
static bool read_sequence(const uint8_t *at, uint64_t *out_sequence)
{
    uint64_t sequence = 0;
    uint32_t i = 0, digits = 0;
    while (i < END_DIGITS && at[i] == ' ')
        i++;
    for (; i < END_DIGITS && at[i] >= '0' && at[i] <= '9'; i++, digits++)
        if (__builtin_mul_overflow(sequence, 10, &sequence) ||
            __builtin_add_overflow(sequence, (uint64_t)(at[i] - '0'), &sequence))
            return false;
    while (i < END_DIGITS && at[i] == ' ')
        i++;
    *out_sequence = sequence;
    return i == END_DIGITS && digits != 0 && sequence != 0;
}

static int take_end(const mold_snapshot_t *s, const tbus_soup_event_t *event,
                    uint64_t *out_sequence, tbus_error_t *err)
{
    if (event->bytes != 1 + END_DIGITS || !read_sequence(event->data + 1, out_sequence))
        return tbus_fail(err, -TBUS_EFORMAT,
                         "the end of the snapshot from %s (glimpse=) names no sequence", s->server);
    return MOLD_SNAPSHOT_COMPLETE;
}

static int cut_off(const mold_snapshot_t *s, const char *why, tbus_error_t *err)
{
    return tbus_fail(err, -TBUS_ETRUNCATED,
                     "the snapshot from %s (glimpse=) was cut off after %" PRIu64
                     " messages: %s; start again",
                     s->server, s->messages, why);
}

int mold_snapshot_next(mold_snapshot_t *s, const uint8_t **out_message, size_t *out_bytes,
                       uint64_t *out_sequence, tbus_error_t *err)
{
    tbus_soup_event_t event;
    for (;;) {
        int outcome = tbus_soup_next(s->soup, 0, &event, err);
        switch (outcome) {
        case TBUS_SOUP_NOTHING:
            return MOLD_SNAPSHOT_NOTHING;
        case TBUS_SOUP_MESSAGE:
            if (event.bytes && event.data[0] == END_TYPE)
                return take_end(s, &event, out_sequence, err);
            s->messages++;
            *out_message = event.data;
            *out_bytes = event.bytes;
            return MOLD_SNAPSHOT_MESSAGE;
        case TBUS_SOUP_ENDED:
            return cut_off(s, "the session ended before the message G", err);
        case TBUS_SOUP_GAP:
            return cut_off(s, "the server does not have all of it", err);
        case TBUS_SOUP_LOST:
            return cut_off(s, event.why, err);
        case TBUS_SOUP_REFUSED:
            return cut_off(s, event.why, err);
        case TBUS_SOUP_OTHER:
        case TBUS_SOUP_TEXT:
        case TBUS_SOUP_RESUMED:
            break;
        default:
            return outcome;
        }
    }
}

void mold_snapshot_close(mold_snapshot_t *s)
{
    if (!s)
        return;
    tbus_soup_close(s->soup);
    free(s);
}
