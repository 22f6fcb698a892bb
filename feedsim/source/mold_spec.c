/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/source/mold_spec.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

/* A datagram is at most 64 KiB, and a line that is worth it sends in bursts. */
#define RECEIVE_BYTES_MIN   65536u
#define RECEIVE_BYTES_USUAL (UINT64_C(8) << 20)
/* What comes while a snapshot does, or a hole is being filled, is kept: of a busy line some
 * seconds. */
#define KEEP_BYTES_USUAL (UINT64_C(64) << 20)

#define TEXT(field)     #field, SOURCE_KEY_TEXT, offsetof(mold_spec_t, field), 0, 0, NULL
#define DURATION(field) SOURCE_KEY_DURATION, offsetof(mold_spec_t, field), 0, 0, NULL

static const source_key_t keys[] = {
    {TEXT(requests)},
    {TEXT(interface)},
    {TEXT(source)},
    {TEXT(session)},
    {"from", SOURCE_KEY_NUMBER, offsetof(mold_spec_t, from), 0, UINT64_MAX,
     "a sequence was expected, 1 for the session's first message, 0 for the first that comes"},
    {"reorder", SOURCE_KEY_NUMBER, offsetof(mold_spec_t, reorder_packets), 1, UINT16_MAX,
     "packets were expected, from 1 to 65535"},
    {"hold", DURATION(hold_ns)},
    {"give_up", DURATION(give_up_ns)},
    {"silent", DURATION(silent_ns)},
    {"lost", DURATION(lost_ns)},
    {"receive_bytes", SOURCE_KEY_NUMBER, offsetof(mold_spec_t, receive_bytes), RECEIVE_BYTES_MIN,
     1u << 30, "bytes were expected, from 65536 to 1073741824"},
    {"keep_bytes", SOURCE_KEY_NUMBER, offsetof(mold_spec_t, keep_bytes), 1u << 20, 1u << 30,
     "bytes were expected, from 1048576 to 1073741824"},
    {TEXT(glimpse)},
    {TEXT(glimpse_session)},
    {"glimpse_within", DURATION(glimpse_within_ns)},
    {TEXT(user)},
    {TEXT(password_file)},
};

int mold_address_split(const char *text, char out_host[SOURCE_TEXT_MAX], char out_port[8],
                       tbus_error_t *err)
{
    const char *colon = strrchr(text, ':'), *host = text;
    size_t length = colon ? (size_t)(colon - text) : 0;
    bool brackets = length > 2 && *host == '[' && colon[-1] == ']';
    if (brackets) {
        host++;
        length -= 2;
    }
    char *end = NULL;
    unsigned long port =
        colon && colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &end, 10) : 0;
    if (length == 0 || length >= SOURCE_TEXT_MAX || (!brackets && memchr(host, ':', length)) ||
        port == 0 || port > 65535 || *end)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "'%.100s' in the feed is no address and port: write 233.54.12.111:26477 "
                         "or [ff15::1]:26477",
                         text);
    memcpy(out_host, host, length);
    out_host[length] = 0;
    snprintf(out_port, 8, "%lu", port);
    return 0;
}

static int check_address(const char *text, tbus_error_t *err)
{
    char host[SOURCE_TEXT_MAX], port[8];
    return mold_address_split(text, host, port, err);
}

/* GROUP:PORT[,GROUP:PORT] */
static int take_lines(mold_spec_t *spec, const char *text, size_t bytes, tbus_error_t *err)
{
    for (const char *at = text, *end = text + bytes; at <= end; spec->lines++) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t length = (size_t)((comma ? comma : end) - at);
        if (spec->lines == MOLD_LINES_MAX)
            return tbus_fail(err, -TBUS_ECONFIG,
                             "the feed \"mold:%s\" names more than %u lines: two carry the same, "
                             "more are not known",
                             text, MOLD_LINES_MAX);
        if (length == 0 || length >= SOURCE_TEXT_MAX)
            return tbus_fail(err, -TBUS_ECONFIG,
                             "the feed \"mold:%s\" names no line: write "
                             "mold:GROUP:PORT[,GROUP:PORT][?KEY=VALUE[&KEY=VALUE...]]",
                             text);
        memcpy(spec->line[spec->lines], at, length);
        int code = check_address(spec->line[spec->lines], err);
        if (code < 0)
            return code;
        at += length + 1;
    }
    return 0;
}

/* NAME for all lines, or NAME,NAME. */
static int take_interfaces(mold_spec_t *spec, tbus_error_t *err)
{
    const char *comma = strchr(spec->interface, ','), *second = comma ? comma + 1 : spec->interface;
    size_t first = comma ? (size_t)(comma - spec->interface) : strlen(spec->interface);
    if (comma && (spec->lines < 2 || strchr(second, ',') || !first || !*second))
        return tbus_fail(err, -TBUS_ECONFIG,
                         "interface=%.80s in the feed: name one for all lines, or one for each of "
                         "two",
                         spec->interface);
    if (first >= IFNAMSIZ || strlen(second) >= IFNAMSIZ)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "interface=%.80s in the feed: no interface has a name as long",
                         spec->interface);
    memcpy(spec->interfaces[0], spec->interface, first);
    memcpy(spec->interfaces[1], second, strlen(second));
    return 0;
}

static int check(const mold_spec_t *spec, tbus_error_t *err)
{
    if (spec->lines == 2 && strcmp(spec->line[0], spec->line[1]) == 0)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "both lines of the feed are %s: name the other one, or one alone",
                         spec->line[0]);
    if (strlen(spec->session) > MOLD_SESSION_BYTES)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "session=%s in the feed: a session has at most %u characters",
                         spec->session, MOLD_SESSION_BYTES);
    if (spec->glimpse[0] == 0 &&
        (spec->user[0] || spec->password_file[0] || spec->glimpse_session[0]))
        return tbus_fail(err, -TBUS_ECONFIG,
                         "user, password_file and glimpse_session in the feed are for "
                         "glimpse=HOST:PORT, which is not there");
    if (spec->give_up_ns == UINT64_MAX)
        return tbus_fail(err, -TBUS_ECONFIG,
                         "give_up=never in the feed: what can be had from "
                         "nobody would hold up the rest for ever");
    int code = spec->requests[0] ? check_address(spec->requests, err) : 0;
    return code == 0 && spec->glimpse[0] ? check_address(spec->glimpse, err) : code;
}

int mold_spec_parse(const char *text, mold_spec_t *out_spec, tbus_error_t *err)
{
    const mold_receiver_config_t usual = MOLD_RECEIVER_USUAL;
    mold_spec_t spec = {.from = 1,
                        .reorder_packets = usual.reorder_packets,
                        .hold_ns = usual.hold_ns,
                        .give_up_ns = 2 * SECOND_NS,
                        .silent_ns = 5 * SECOND_NS,
                        .lost_ns = 30 * SECOND_NS,
                        .glimpse_within_ns = 60 * SECOND_NS,
                        .receive_bytes = RECEIVE_BYTES_USUAL,
                        .keep_bytes = KEEP_BYTES_USUAL};
    size_t lines = strcspn(text, "?");
    int code = take_lines(&spec, text, lines, err);
    if (code == 0)
        code =
            source_keys_parse("mold", text + lines, keys, sizeof keys / sizeof keys[0], &spec, err);
    if (code == 0)
        code = check(&spec, err);
    if (code == 0)
        code = take_interfaces(&spec, err);
    if (code == 0)
        *out_spec = spec;
    return code;
}
