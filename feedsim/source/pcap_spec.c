/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/pcap_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEYS "session, group, from"

static int take_session(pcap_spec_t *spec, const char *value, size_t bytes, tbus_error_t *err)
{
    if (bytes > MOLD_SESSION_BYTES)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "session=%.*s in the feed: a session has at most %u characters",
                         (int)bytes, value, MOLD_SESSION_BYTES);
    memcpy(spec->choice.session, value, bytes);
    spec->choice.session[bytes] = 0;
    spec->choice.session_given = true;
    return 0;
}

static int take_groups(pcap_spec_t *spec, const char *value, size_t bytes, tbus_error_t *err)
{
    stream_choice_t *c = &spec->choice;
    const char *at = value, *end = value + bytes;
    while (at <= end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t length = (size_t)((comma ? comma : end) - at);
        uint32_t i = c->groups_count;
        if (i == STREAMS_GROUPS_MAX ||
            !frame_endpoint_parse(at, length, &c->groups[i], &c->any_port[i]))
            return tbus_fail(err, -TBUS_ECONFIG,
                             "group=%.*s in the feed: one or two addresses were expected, as "
                             "233.54.12.111:26477,233.49.196.111:26477",
                             (int)bytes, value);
        c->groups_count++;
        at += length + 1;
    }
    return 0;
}

static int take_from(pcap_spec_t *spec, const char *value, size_t bytes, tbus_error_t *err)
{
    char *end;
    errno = 0;
    unsigned long long from = strtoull(value, &end, 10);
    if (errno || *value < '0' || *value > '9' || end != value + bytes)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "from=%.*s in the feed: a sequence was expected, 1 for the session's "
                         "first message, 0 for the first that the capture has",
                         (int)bytes, value);
    spec->from = from;
    spec->from_given = true;
    return 0;
}

static int take_key(pcap_spec_t *spec, const char *key, size_t bytes, tbus_error_t *err)
{
    static const struct {
        const char *name;
        int (*take)(pcap_spec_t *spec, const char *value, size_t bytes, tbus_error_t *err);
    } keys[] = {{"session=", take_session}, {"group=", take_groups}, {"from=", take_from}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t name = strlen(keys[i].name);
        if (bytes >= name && memcmp(key, keys[i].name, name) == 0)
            return keys[i].take(spec, key + name, bytes - name, err);
    }
    return tbus_fail(err, -TBUS_ECONFIG, "the feed pcap: has no key '%.*s'; there are: " KEYS,
                     (int)strcspn(key, "=&"), key);
}

static int take_file(pcap_spec_t *spec, const char *path, size_t bytes, tbus_error_t *err)
{
    if (bytes == 0 || bytes >= PCAP_PATH_MAX || spec->files_count == STREAMS_FILES_MAX)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "the feed names no capture, or more than two: write "
                         "pcap:FILE[,FILE][?KEY=VALUE[&KEY=VALUE...]]; keys: " KEYS);
    memcpy(spec->files[spec->files_count], path, bytes);
    spec->files[spec->files_count++][bytes] = 0;
    return 0;
}

static bool is_file(const char *text, size_t bytes)
{
    char path[PCAP_PATH_MAX];
    if (bytes >= sizeof path)
        return false;
    memcpy(path, text, bytes);
    path[bytes] = 0;
    return access(path, F_OK) == 0;
}

int pcap_spec_parse(const char *text, pcap_spec_t *out_spec, tbus_error_t *err)
{
    pcap_spec_t spec = {.files_count = 0};
    size_t files = is_file(text, strlen(text)) ? strlen(text) : strcspn(text, "?");
    const char *comma = is_file(text, files) ? NULL : memchr(text, ',', files);
    int code = take_file(&spec, text, comma ? (size_t)(comma - text) : files, err);
    if (code == 0 && comma)
        code = take_file(&spec, comma + 1, files - (size_t)(comma + 1 - text), err);
    for (const char *at = text + files; code == 0 && *at;) {
        at++; /* the ? or & */
        size_t bytes = strcspn(at, "&");
        code = take_key(&spec, at, bytes, err);
        at += bytes;
    }
    if (code == 0)
        *out_spec = spec;
    return code;
}
