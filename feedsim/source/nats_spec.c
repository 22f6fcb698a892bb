/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/nats_spec.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "feedsim/itch/itch.h"
#include "feedsim/nats/url.h"
#include "feedsim/timeline.h"

#define SECOND_NS        UINT64_C(1000000000)
#define LOST_NS_USUAL    (30 * SECOND_NS)
#define KEEP_BYTES_USUAL (UINT64_C(4) << 20)

#define FIELD(field) offsetof(nats_spec_t, field)

static const source_key_t keys[] = {
    {"from", SOURCE_KEY_TEXT, FIELD(from_text), 0, 0, NULL},
    {"session", SOURCE_KEY_TEXT, FIELD(session), 0, 0, NULL},
    {"credentials", SOURCE_KEY_TEXT, FIELD(credentials), 0, 0, NULL},
    {"ca", SOURCE_KEY_TEXT, FIELD(ca), 0, 0, NULL},
    {"certificate", SOURCE_KEY_TEXT, FIELD(certificate), 0, 0, NULL},
    {"key", SOURCE_KEY_TEXT, FIELD(key), 0, 0, NULL},
    {"lost", SOURCE_KEY_DURATION, FIELD(lost_ns), 0, 0, NULL},
    {"keep_bytes", SOURCE_KEY_NUMBER, FIELD(keep_bytes), NATS_HANDOVER_BYTES_MIN,
     NATS_HANDOVER_BYTES_MAX, "bytes were expected, from 1048576 to 4294967296"},
};

static int no_place(const char *text, tbus_error_t *err)
{
    return tbus_fail(err, -TBUS_ECONFIG,
                     "from=%.60s in the feed: a sequence was expected (1 for the session's first "
                     "message, 0 for what comes from now on), or when the server stored it, as "
                     "2026-11-30T09:30:00Z or 2026-11-30T09:30:00.25Z",
                     text);
}

/* "2026-11-30T09:30Z", with seconds and a fraction where there are some. */
static int take_time(const char *text, uint64_t *out_ns, tbus_error_t *err)
{
    struct tm day = {0}, again;
    char time_of_day[SOURCE_TEXT_MAX];
    uint64_t ns;
    const char *rest = strptime(text, "%Y-%m-%dT", &day);
    size_t bytes = rest ? strlen(rest) : 0;
    if (bytes == 0 || rest[bytes - 1] != 'Z')
        return no_place(text, err);
    snprintf(time_of_day, sizeof time_of_day, "%.*s", (int)bytes - 1, rest);
    again = day;
    time_t midnight = timegm(&again);
    /* 31 April would be 1 May */
    if (midnight < 0 || again.tm_mday != day.tm_mday || again.tm_mon != day.tm_mon ||
        feed_time_parse(time_of_day, &ns, NULL) < 0 || ns >= FEED_DAY_NS)
        return no_place(text, err);
    *out_ns = (uint64_t)midnight * SECOND_NS + ns;
    return 0;
}

static int take_from(nats_spec_t *spec, tbus_error_t *err)
{
    if (spec->from_text[0] == 0)
        return 0;
    if (nats_number_read(spec->from_text, &spec->from_seq)) {
        spec->from = spec->from_seq ? NATS_TAIL_SEQ : NATS_TAIL_NOW;
        return 0;
    }
    spec->from = NATS_TAIL_TIME;
    return take_time(spec->from_text, &spec->from_ns, err);
}

static int take_stream(nats_spec_t *spec, const char *text, size_t bytes, tbus_error_t *err)
{
    const char *slash = memrchr(text, '/', bytes);
    size_t servers = slash ? (size_t)(slash - text) : 0;
    size_t stream = bytes - servers - 1;
    if (!slash || slash[-1] == '/' || slash[-1] == ':' || stream == 0)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the feed \"%.200s\" names no stream: write nats://HOST:PORT/STREAM"
                         "[?KEY=VALUE[&KEY=VALUE...]]",
                         text);
    if (servers >= sizeof spec->servers || stream >= sizeof spec->stream)
        return tbus_fail(err, -TBUS_ECONFIG, "the feed \"%.200s...\" is too long", text);
    memcpy(spec->servers, text, servers);
    memcpy(spec->stream, slash + 1, stream);
    if (!nats_stream_check(spec->stream))
        return tbus_fail(err, -TBUS_ECONFIG,
                         "'%.100s' in the feed is no name of a stream: it has A-Z a-z 0-9 _ - "
                         "alone, and %%XX for other bytes",
                         spec->stream);
    return nats_url_check(spec->servers, err);
}

static int check(const nats_spec_t *spec, tbus_error_t *err)
{
    if (strlen(spec->session) >= NATS_SESSION_MAX)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "session=%.40s in the feed: a session has at most %u characters",
                         spec->session, NATS_SESSION_MAX - 1);
    if (!spec->certificate[0] != !spec->key[0])
        return tbus_fail(err, -TBUS_ECONFIG,
                         "certificate and key in the feed belong together, and one is missing");
    return 0;
}

int nats_spec_parse(const char *text, nats_spec_t *out_spec, tbus_error_t *err)
{
    nats_spec_t spec = {.lost_ns = LOST_NS_USUAL, .keep_bytes = KEEP_BYTES_USUAL};
    size_t bytes = strcspn(text, "?");
    int code = take_stream(&spec, text, bytes, err);
    if (code == 0)
        code =
            source_keys_parse("nats", text + bytes, keys, sizeof keys / sizeof keys[0], &spec, err);
    if (code == 0)
        code = take_from(&spec, err);
    if (code == 0)
        code = check(&spec, err);
    if (code == 0)
        *out_spec = spec;
    return code;
}

void nats_spec_options(const nats_spec_t *spec, nats_tail_options_t *out_options)
{
    *out_options = (nats_tail_options_t){.way = {.url = spec->servers,
                                                 .credentials = spec->credentials,
                                                 .ca = spec->ca,
                                                 .certificate = spec->certificate,
                                                 .key = spec->key,
                                                 .name = "tickbus feed"},
                                         .stream = spec->stream,
                                         .topic = "md",
                                         .type = "tick",
                                         .session = spec->session,
                                         .bytes_max = ITCH_MESSAGE_MAX,
                                         .from = spec->from,
                                         .from_seq = spec->from_seq,
                                         .from_ns = spec->from_ns,
                                         .lost_ns = spec->lost_ns,
                                         .queue_bytes = spec->keep_bytes};
}
