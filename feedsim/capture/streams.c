/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/capture/streams.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "feedsim/capture/capture.h"

#define LIST_MAX 360u /* bytes of a list in an error */

static stream_t *find(streams_t *s, uint32_t file, const uint8_t *session,
                      const frame_endpoint_t *to)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->at[i].file == file && frame_endpoint_same(&s->at[i].to, to) &&
            memcmp(s->at[i].session, session, MOLD_SESSION_BYTES) == 0)
            return &s->at[i];
    return NULL;
}

static void count_packet(stream_t *stream, const mold_packet_t *packet)
{
    if (packet->sequence && packet->sequence < stream->first)
        stream->first = packet->sequence;
    if (packet->kind != MOLD_DATA)
        return;
    stream->packets++;
    stream->messages += packet->count;
    stream->unnumbered += packet->sequence == 0;
}

static int count_datagram(streams_t *s, const frame_datagram_t *d, uint32_t file, uint64_t time_ns,
                          tbus_error_t *err)
{
    mold_packet_t packet;
    s->datagrams++;
    if (mold_parse(d->payload, d->bytes, &packet) != MOLD_GOOD) {
        s->refused++;
        return 0;
    }
    stream_t *stream = find(s, file, packet.session, &d->to);
    if (!stream && s->count == STREAMS_MAX)
        return tbus_fail(err, -TBUS_ELIMIT,
                         "more than %u sessions and groups of MoldUDP64 in a capture; filter what "
                         "is wanted into a file of its own",
                         STREAMS_MAX);
    if (!stream) {
        stream = &s->at[s->count++];
        *stream = (stream_t){.file = file, .to = d->to, .first = UINT64_MAX, .first_ns = time_ns};
        memcpy(stream->session, packet.session, sizeof stream->session);
    }
    count_packet(stream, &packet);
    return 0;
}

/* Why there is nothing to feed in a capture. */
static int refuse(const capture_t *c, uint64_t datagrams, tbus_error_t *err)
{
    const capture_counts_t *counts = capture_counts(c);
    if (datagrams)
        return tbus_fail(err, -TBUS_EFORMAT,
                         "the capture %s holds no MoldUDP64: none of its %" PRIu64
                         " UDP datagrams is a packet of it",
                         capture_path(c), datagrams);
    enum frame_kind most = FRAME_FRAGMENT;
    for (unsigned kind = FRAME_FRAGMENT; kind < FRAME_KINDS; kind++)
        if (counts->kinds[kind] > counts->kinds[most])
            most = (enum frame_kind)kind;
    if (counts->frames == 0)
        return tbus_fail(err, -TBUS_EFORMAT, "the capture %s holds no frames", capture_path(c));
    return tbus_fail(err, -TBUS_EFORMAT,
                     "the capture %s holds no MoldUDP64: no whole UDP datagram is in its %" PRIu64
                     " frames, but %" PRIu64 " %s",
                     capture_path(c), counts->frames, counts->kinds[most], frame_kind_text(most));
}

int streams_look(streams_t *s, const char *path, uint32_t file, tbus_error_t *err)
{
    capture_t *c;
    frame_datagram_t d;
    uint64_t time_ns, datagrams = s->datagrams;
    uint32_t before = s->count;
    tbus_error_t damage;
    int code = capture_open(path, &c, err);
    if (code < 0)
        return code;
    while (code == 0 && capture_next(c, &d, &time_ns, &damage) == CAPTURE_DATAGRAM)
        code = count_datagram(s, &d, file, time_ns, err);
    if (code == 0 && s->count == before)
        code = refuse(c, s->datagrams - datagrams, err);
    capture_close(c);
    return code;
}

/* ---- the choice ---- */

/* Which of the groups it is in; -1: in none of them. */
static int group_of(const stream_choice_t *choice, const stream_t *stream)
{
    for (uint32_t i = 0; i < choice->groups_count; i++) {
        frame_endpoint_t wanted = choice->groups[i];
        if (choice->any_port[i])
            wanted.port = stream->to.port;
        if (frame_endpoint_same(&wanted, &stream->to))
            return (int)i;
    }
    return -1;
}

static bool fits(const stream_choice_t *choice, const stream_t *stream)
{
    char session[MOLD_SESSION_BYTES + 1];
    mold_session_text(stream->session, session);
    if (choice->session_given && strcmp(session, choice->session) != 0)
        return false;
    return choice->groups_count == 0 || group_of(choice, stream) >= 0;
}

/* "session 000004711A to 233.54.12.111:26477 (5,000 messages from 1), ..." */
static void list(const streams_t *s, const uint8_t *which, char out_text[LIST_MAX])
{
    size_t used = 0;
    out_text[0] = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        char session[MOLD_SESSION_BYTES + 1], to[FRAME_ENDPOINT_TEXT], item[160];
        const stream_t *stream = &s->at[i];
        if (which && !which[i])
            continue;
        mold_session_text(stream->session, session);
        frame_endpoint_text(&stream->to, to);
        int bytes = snprintf(item, sizeof item, "%ssession '%s' to %s (%" PRIu64 " messages)",
                             used ? "; " : "", session, to, stream->messages);
        if (used + (size_t)bytes + 5 > LIST_MAX) {
            snprintf(out_text + used, LIST_MAX - used, "; ...");
            return;
        }
        memcpy(out_text + used, item, (size_t)bytes + 1);
        used += (size_t)bytes;
    }
}

static int complain(const streams_t *s, const uint8_t *which, bool sessions, tbus_error_t *err)
{
    char text[LIST_MAX];
    list(s, which, text);
    return tbus_fail(err, -TBUS_ECONFIG, "%s; choose with %s: %s",
                     sessions ? "several sessions in the capture"
                              : "one session on more than two groups of the capture",
                     sessions ? "?session=S" : "?group=ADDR:PORT[,ADDR:PORT]", text);
}

/* Line A is the group that was named first, or the first file, or what was captured first. */
static bool before(const stream_choice_t *choice, const stream_t *a, const stream_t *b)
{
    int group_a = group_of(choice, a), group_b = group_of(choice, b);
    if (group_a != group_b)
        return group_a < group_b;
    if (a->file != b->file)
        return a->file < b->file;
    return a->first_ns < b->first_ns;
}

int streams_choose(const streams_t *s, const stream_choice_t *choice,
                   const stream_t *out_lines[STREAMS_GROUPS_MAX], tbus_error_t *err)
{
    uint8_t which[STREAMS_MAX] = {0};
    const stream_t *lines[STREAMS_GROUPS_MAX] = {NULL};
    uint32_t count = 0;
    bool messages = false, sessions = false;
    char text[LIST_MAX];
    for (uint32_t i = 0; i < s->count; i++)
        messages |= fits(choice, &s->at[i]) && s->at[i].packets != 0;
    for (uint32_t i = 0; i < s->count; i++) {
        const stream_t *stream = &s->at[i];
        if (!fits(choice, stream) || (messages && stream->packets == 0))
            continue;
        sessions |= count && memcmp(stream->session, lines[0]->session, MOLD_SESSION_BYTES) != 0;
        which[i] = 1;
        if (count < STREAMS_GROUPS_MAX)
            lines[count] = stream;
        count++;
    }
    list(s, NULL, text);
    if (count == 0)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "the capture has no such session or group; it has: %s", text);
    if (sessions || count > STREAMS_GROUPS_MAX)
        return complain(s, which, sessions, err);
    bool swap = count == 2 && before(choice, lines[1], lines[0]);
    out_lines[0] = lines[swap];
    if (count == 2)
        out_lines[1] = lines[!swap];
    return (int)count;
}
