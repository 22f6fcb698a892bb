/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/jetstream/seek.h"

#include <errno.h>
#include <inttypes.h>

/* Which messages of the topic one of its messages stands for: of the end, the one that there will
 * never be. */
static int judge(const nats_binding_t *b, natsMsg *msg, const char *subject,
                 const nats_place_t *place, nats_found_t *out, tbus_error_t *err)
{
    nats_follow_t follow;
    nats_arrival_t arrival;
    nats_followed_t followed;
    nats_binding_follow(b, &follow);
    nats_binding_read(msg, subject, &arrival);
    int outcome = nats_follow_take(&follow, &arrival, &followed, err);
    if (outcome < 0)
        return outcome;
    bool end = outcome == NATS_FOLLOW_END;
    *out = (nats_found_t){.there = outcome != NATS_FOLLOW_PASSED,
                          .end = end,
                          .stream_seq = place->stream_seq,
                          .time_ns = place->time_ns,
                          .first = followed.seq + end,
                          .last = outcome == NATS_FOLLOW_LOST ? followed.last : followed.seq + end};
    return 0;
}

/* From any replica. *out_msg NULL: that one has none. */
static int get_directly(nats_binding_t *b, uint64_t stream_seq, const char *subject,
                        natsMsg **out_msg, nats_place_t *out_place, tbus_error_t *err)
{
    jsOptions o = nats_binding_js_options();
    jsDirectGetMsgOptions which;
    jsDirectGetMsgOptions_Init(&which);
    which.Sequence = stream_seq;
    which.NextBySubject = subject;
    natsStatus status = js_DirectGetMsg(out_msg, b->js, b->options->stream, &o, &which);
    if (status == NATS_NOT_FOUND) {
        *out_msg = NULL;
        return 0;
    }
    if (status != NATS_OK)
        return nats_binding_fail(b, status, "does not show a message", err);
    *out_place = (nats_place_t){.stream_seq = natsMsg_GetSequence(*out_msg),
                                .time_ns = (uint64_t)natsMsg_GetTime(*out_msg)};
    return 0;
}

/* The subjects of the topic: one, or also those of its symbols. */
static uint32_t subjects_of(const nats_binding_t *b, char out[2][NATS_SUBJECT_MAX])
{
    (void)nats_subject(b->options->stream, b->options->topic, NULL, out[0]);
    (void)nats_subject_symbols(b->options->stream, b->options->topic, out[1]);
    return b->by_symbol ? 2 : 1;
}

/* The last message of one of them, as the stream's leader knows it; *out_msg NULL: none. */
static int last_on(nats_binding_t *b, uint32_t which, const char *subject, natsMsg **out_msg,
                   tbus_error_t *err)
{
    jsOptions o = nats_binding_js_options();
    natsStatus status = js_GetLastMsg(out_msg, b->js, b->options->stream, subject, &o, NULL);
    if (status == NATS_NOT_FOUND) {
        *out_msg = NULL;
        return 0;
    }
    if (status != NATS_OK)
        return nats_binding_fail(b, status, "does not show its last message", err);
    b->newest[which] = natsMsg_GetSequence(*out_msg);
    if (b->newest[which] > b->last_seq)
        b->last_seq = b->newest[which]; /* it has come since */
    return 0;
}

/* A replica has none at or behind a place: can that be? */
static int check_nothing(nats_binding_t *b, uint32_t which, const char *subject,
                         uint64_t stream_seq, tbus_error_t *err)
{
    if (b->newest[which] == 0) {
        natsMsg *msg = NULL;
        int code = last_on(b, which, subject, &msg, err);
        natsMsg_Destroy(msg);
        if (code < 0)
            return code;
    }
    if (b->newest[which] < stream_seq)
        return 0;
    return tbus_fail(err, -EIO,
                     "a replica of the stream %s does not have message %" PRIu64 " yet, as its "
                     "leader does",
                     b->options->stream, b->newest[which]);
}

/* The first on one of them at or behind a place. */
static int find_on(nats_binding_t *b, uint32_t which, const char *subject, uint64_t stream_seq,
                   nats_found_t *out, tbus_error_t *err)
{
    natsMsg *msg = NULL;
    nats_place_t place;
    out->there = false;
    int code = b->allows_direct ? get_directly(b, stream_seq, subject, &msg, &place, err)
                                : nats_binding_peek(b, stream_seq, subject, &msg, &place, err);
    if (code == 0)
        code = msg ? judge(b, msg, natsMsg_GetSubject(msg), &place, out, err)
                   : check_nothing(b, which, subject, stream_seq, err);
    natsMsg_Destroy(msg);
    return code;
}

/* The first at or behind a place in the stream. */
static int find_at(nats_binding_t *b, uint64_t stream_seq, nats_found_t *out_found,
                   tbus_error_t *err)
{
    char subjects[2][NATS_SUBJECT_MAX];
    nats_found_t found = {0};
    for (uint32_t i = 0, count = subjects_of(b, subjects); i < count; i++) {
        nats_found_t one = {0};
        int code = find_on(b, i, subjects[i], stream_seq, &one, err);
        if (code < 0)
            return code;
        if (one.there && (!found.there || one.stream_seq < found.stream_seq))
            found = one;
    }
    *out_found = found;
    return 0;
}

int nats_seek_last(nats_binding_t *b, uint64_t *out_seq, tbus_error_t *err)
{
    char subjects[2][NATS_SUBJECT_MAX];
    uint64_t last = 0;
    for (uint32_t i = 0, count = subjects_of(b, subjects); i < count; i++) {
        natsMsg *msg = NULL;
        nats_found_t found = {0};
        int code = last_on(b, i, subjects[i], &msg, err);
        if (code == 0 && msg)
            code = judge(b, msg, natsMsg_GetSubject(msg), &(nats_place_t){0}, &found, err);
        natsMsg_Destroy(msg);
        if (code < 0)
            return code;
        uint64_t seq = found.last - found.end;
        last = found.there && seq > last ? seq : last;
    }
    *out_seq = last;
    return 0;
}

static bool by_seq(const nats_found_t *found, uint64_t seq)
{
    return found->last >= seq;
}

static bool by_time(const nats_found_t *found, uint64_t time_ns)
{
    return found->time_ns >= time_ns;
}

static int find(nats_binding_t *b, bool (*is_there)(const nats_found_t *, uint64_t), uint64_t value,
                nats_found_t *out_found, tbus_error_t *err)
{
    uint64_t low = b->first_seq ? b->first_seq : 1, high = b->last_seq + 1;
    nats_found_t found = {0}, best = {0};
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int code = find_at(b, middle, &found, err);
        if (code < 0)
            return code;
        if (found.there && !is_there(&found, value)) {
            low = found.stream_seq + 1;
            continue;
        }
        if (found.there)
            best = found;
        high = middle;
    }
    *out_found = best;
    return 0;
}

int nats_seek_seq(nats_binding_t *b, uint64_t seq, nats_found_t *out_found, tbus_error_t *err)
{
    return seq ? find(b, by_seq, seq, out_found, err)
               : find_at(b, b->first_seq ? b->first_seq : 1, out_found, err);
}

int nats_seek_time(nats_binding_t *b, uint64_t time_ns, nats_found_t *out_found, tbus_error_t *err)
{
    return find(b, by_time, time_ns, out_found, err);
}

int nats_seek_locate(nats_binding_t *b, uint64_t seq, uint64_t *out_stream_seq, tbus_error_t *err)
{
    nats_found_t found;
    uint64_t last = 0;
    int code = nats_seek_seq(b, seq, &found, err);
    if (code < 0)
        return code;
    if (found.there && found.first <= seq) {
        *out_stream_seq = found.stream_seq;
        return 0;
    }
    if (found.there)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "the stream %s does not have message %" PRIu64
                         " of %s any more: there is %" PRIu64 " and what follows it; begin there",
                         b->options->stream, seq, b->options->topic, found.first);
    code = nats_seek_last(b, &last, err);
    if (code < 0)
        return code;
    if (seq > last + 1)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "the stream %s has come to message %" PRIu64 " of %s, and %" PRIu64
                         " is further away; begin at %" PRIu64 " or before",
                         b->options->stream, last, b->options->topic, seq, last + 1);
    *out_stream_seq = b->last_seq + 1;
    return 0;
}
