/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/follow.h"

#include <inttypes.h>
#include <string.h>

#define ACK        "$JS.ACK."
#define ACK_TOKENS 12u

const char *const nats_follow_headers[NATS_FOLLOW_HEADERS] = {
    NATS_HEADER_ID,   NATS_HEADER_SEQUENCE, NATS_HEADER_TYPE,
    NATS_HEADER_TIME, NATS_HEADER_WARM_UP,  NATS_HEADER_LOST,
};

/* What its headers say. */
typedef struct read {
    uint64_t seq;
    uint64_t time_ns;
    uint64_t lost;
    bool warm_up;
    const char *type;
} read_t;

static int break_of(const nats_follow_t *f, const char *what, enum nats_follow_header header,
                    const nats_arrival_t *a, tbus_error_t *err)
{
    return tbus_fail(err, -TBUS_EFORMAT,
                     "a message on %.120s (the one after %" PRIu64 " of %s) %s %s%s%.80s: it is no "
                     "message of a bridge",
                     a->subject, f->next ? f->next - 1 : 0, f->topic, what,
                     nats_follow_headers[header], a->values[header] ? ": " : "",
                     a->values[header] ? a->values[header] : "");
}

/* A header that there must be, or may be, once. */
static int number_of(const nats_follow_t *f, const nats_arrival_t *a,
                     enum nats_follow_header header, bool needed, uint64_t *out_number,
                     tbus_error_t *err)
{
    *out_number = 0;
    if (!a->values[header])
        return needed ? break_of(f, "has no", header, a, err) : 0;
    if (!nats_number_read(a->values[header], out_number))
        return break_of(f, "has no number in", header, a, err);
    return 0;
}

static int read_headers(const nats_follow_t *f, const nats_arrival_t *a, read_t *out,
                        tbus_error_t *err)
{
    for (unsigned i = 0; i < NATS_FOLLOW_HEADERS; i++)
        if (a->counts[i] > 1)
            return break_of(f, "has more than one", (enum nats_follow_header)i, a, err);
    if (!a->values[NATS_FOLLOW_TYPE])
        return break_of(f, "has no", NATS_FOLLOW_TYPE, a, err);
    out->type = a->values[NATS_FOLLOW_TYPE];
    int code = number_of(f, a, NATS_FOLLOW_SEQUENCE, true, &out->seq, err);
    if (code == 0)
        code = number_of(f, a, NATS_FOLLOW_TIME, false, &out->time_ns, err);
    if (code == 0)
        code = number_of(f, a, NATS_FOLLOW_LOST_COUNT, strcmp(out->type, NATS_TYPE_LOST) == 0,
                         &out->lost, err);
    const char *warm_up = a->values[NATS_FOLLOW_WARM_UP];
    out->warm_up = warm_up != NULL;
    if (code == 0 && warm_up && strcmp(warm_up, "1") != 0)
        return break_of(f, "does not have a 1 in", NATS_FOLLOW_WARM_UP, a, err);
    return code;
}

/* Is it of this session and topic, and does its id say what the headers do? */
static int check_id(const nats_follow_t *f, const nats_arrival_t *a, const read_t *r,
                    tbus_error_t *err)
{
    nats_id_parts_t id;
    bool end = strcmp(r->type, NATS_TYPE_END) == 0;
    if (!a->values[NATS_FOLLOW_ID])
        return break_of(f, "has no", NATS_FOLLOW_ID, a, err);
    if (!nats_id_read(a->values[NATS_FOLLOW_ID], &id) || strcmp(id.topic, f->topic) != 0 ||
        id.end != end || (!end && id.seq != r->seq))
        return break_of(f, "contradicts its", NATS_FOLLOW_ID, a, err);
    if (strcmp(id.session, f->session) != 0)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "message %" PRIu64 " of %s in the stream %s is of session %s, and the "
                         "stream was of session %s: somebody else writes to it",
                         r->seq, f->topic, f->stream, id.session, f->session);
    return 0;
}

static int missing(nats_followed_t *out, uint64_t from, uint64_t last)
{
    *out = (nats_followed_t){.seq = from, .last = last};
    return NATS_FOLLOW_HOLE;
}

/* Messages up to r->seq that the bridge could not read any more, or that there never were. */
static int take_lost(nats_follow_t *f, const nats_arrival_t *a, const read_t *r, uint64_t count,
                     nats_followed_t *out, tbus_error_t *err)
{
    if (count == 0 || count > r->seq)
        return break_of(f, "tells of more messages than there were in", NATS_FOLLOW_LOST_COUNT, a,
                        err);
    uint64_t first = r->seq - count + 1;
    if (f->next != 0 && r->seq < f->next) {
        f->passed++;
        return NATS_FOLLOW_PASSED;
    }
    if (f->next != 0 && f->next < first)
        return missing(out, f->next, first - 1);
    *out = (nats_followed_t){.seq = f->next ? f->next : first, .last = r->seq};
    f->next = r->seq + 1;
    return NATS_FOLLOW_LOST;
}

static int take_end(nats_follow_t *f, const read_t *r, nats_followed_t *out)
{
    if (f->next != 0 && r->seq >= f->next)
        return missing(out, f->next, r->seq);
    *out = (nats_followed_t){.seq = r->seq};
    return NATS_FOLLOW_END;
}

static int take_message(nats_follow_t *f, const nats_arrival_t *a, const read_t *r,
                        nats_followed_t *out, tbus_error_t *err)
{
    if (a->bytes > f->bytes_max)
        return tbus_fail(err, -TBUS_EFORMAT,
                         "message %" PRIu64 " of %s in the stream %s has %zu bytes, and none has "
                         "more than %zu",
                         r->seq, f->topic, f->stream, a->bytes, f->bytes_max);
    if (f->next != 0 && r->seq < f->next) {
        f->passed++;
        return NATS_FOLLOW_PASSED;
    }
    if (f->next != 0 && r->seq != f->next)
        return missing(out, f->next, r->seq - 1);
    *out = (nats_followed_t){.seq = r->seq, .time_ns = r->time_ns, .warm_up = r->warm_up};
    f->next = r->seq + 1;
    return NATS_FOLLOW_MESSAGE;
}

int nats_follow_take(nats_follow_t *f, const nats_arrival_t *a, nats_followed_t *out_followed,
                     tbus_error_t *err)
{
    char topic[NATS_TOPIC_MAX], symbol[NATS_TOPIC_MAX];
    read_t r = {0};
    if (!nats_subject_read(f->stream, a->subject, topic, symbol))
        return tbus_fail(err, -TBUS_EFORMAT,
                         "the stream %s has a message with the subject %.120s, which a bridge does "
                         "not write",
                         f->stream, a->subject);
    if (strcmp(topic, f->topic) != 0)
        return NATS_FOLLOW_PASSED;
    int code = read_headers(f, a, &r, err);
    if (code == 0)
        code = check_id(f, a, &r, err);
    if (code < 0)
        return code;
    if (strcmp(r.type, NATS_TYPE_END) == 0)
        return take_end(f, &r, out_followed);
    if (r.seq == 0 || r.seq == UINT64_MAX) /* sequences begin at 1, and one comes behind each */
        return break_of(f, "has a number that no message has in", NATS_FOLLOW_SEQUENCE, a, err);
    if (strcmp(r.type, NATS_TYPE_VOID) == 0)
        return take_lost(f, a, &r, 1, out_followed, err);
    if (strcmp(r.type, NATS_TYPE_LOST) == 0)
        return take_lost(f, a, &r, r.lost, out_followed, err);
    if (strcmp(r.type, f->type) != 0)
        return tbus_fail(err, -TBUS_EABI,
                         "message %" PRIu64 " of %s in the stream %s is of type '%.40s', and this "
                         "tickbus reads '%s' there",
                         r.seq, f->topic, f->stream, r.type, f->type);
    return take_message(f, a, &r, out_followed, err);
}

bool nats_place_read(const char *reply, nats_place_t *out_place)
{
    const char *tokens[ACK_TOKENS];
    uint32_t count = 0;
    char number[24];
    uint64_t values[4];
    if (!reply || strncmp(reply, ACK, strlen(ACK)) != 0)
        return false;
    for (const char *at = reply + strlen(ACK); at; at = strchr(at, '.')) {
        at += *at == '.';
        if (count == ACK_TOKENS)
            return false;
        tokens[count++] = at;
    }
    if (count != 7 && count < 9)
        return false;
    const uint32_t first = count == 7 ? 3 : 5;
    for (unsigned i = 0; i < 4; i++) {
        size_t bytes = strcspn(tokens[first + i], ".");
        if (bytes >= sizeof number)
            return false;
        memcpy(number, tokens[first + i], bytes);
        number[bytes] = 0;
        if (!nats_number_read(number, &values[i]))
            return false;
    }
    *out_place = (nats_place_t){.stream_seq = values[0],
                                .consumer_seq = values[1],
                                .time_ns = values[2],
                                .pending = values[3]};
    return true;
}
