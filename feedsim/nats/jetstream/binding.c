/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/jetstream/binding.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <tickbus/clock.h>

#include "feedsim/nats/answer.h"

#define CONNECT_MS  1000u
#define ANSWER_MS   1500
#define BATCH       1024u /* messages that are asked for at a time */
#define BEAT_NS     INT64_C(500000000)
#define EXPIRES_NS  INT64_C(30000000000)
#define INACTIVE_NS INT64_C(30000000000)
#define SILENT_NS   UINT64_C(2000000000) /* so long without even a beat, and it is broken */

static jsOptions js_options(void)
{
    jsOptions o;
    jsOptions_Init(&o);
    o.Wait = ANSWER_MS;
    return o;
}

static int fail(const nats_binding_t *b, natsStatus status, const char *what, tbus_error_t *err)
{
    char text[200];
    snprintf(text, sizeof text, "the stream %.100s at NATS %s", b->options->stream, what);
    return nats_status_fail((int)status, text, err);
}

/* ---- whose stream it is ---- */

static int check_description(nats_binding_t *b, const char *text, tbus_error_t *err)
{
    const char *stream = b->options->stream, *session = b->options->session;
    if (!nats_description_read(text, &b->description))
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "the stream %s is none that a bridge writes: its description does not "
                         "begin with 'tickbus layout='",
                         stream);
    if (b->description.layout != NATS_LAYOUT)
        return tbus_fail(err, -TBUS_EABI,
                         "the stream %s has layout %" PRIu32 ", and this tickbus reads layout %u",
                         stream, b->description.layout, NATS_LAYOUT);
    if (session && *session && strcmp(session, b->description.session) != 0)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "the stream %s is of session %s now, and session %s was wanted", stream,
                         b->description.session, session);
    return 0;
}

static int look(nats_binding_t *b, tbus_error_t *err)
{
    char subjects[NATS_SUBJECT_MAX];
    jsStreamInfo *info = NULL;
    jsErrCode why = 0;
    jsOptions o = js_options();
    if (!nats_subject_symbols(b->options->stream, b->options->topic, subjects))
        return tbus_fail(err, -TBUS_ECONFIG, "the name of the stream %.60s... is too long",
                         b->options->stream);
    o.Stream.Info.SubjectsFilter = subjects;
    natsStatus status = js_GetStreamInfo(&info, b->js, b->options->stream, &o, &why);
    if (status == NATS_NOT_FOUND || (int)why == NATS_ERROR_NOT_FOUND)
        return tbus_fail(err, -TBUS_ENOTFOUND,
                         "there is no stream %s at NATS: a bridge makes it, under the name of its "
                         "bus or that of bridge.stream",
                         b->options->stream);
    if (status != NATS_OK)
        return fail(b, status, "cannot be looked at", err);
    b->first_seq = info->State.FirstSeq;
    b->last_seq = info->State.LastSeq;
    b->by_symbol = info->State.Subjects && info->State.Subjects->Count > 0;
    int code = check_description(b, info->Config->Description, err);
    jsStreamInfo_Destroy(info);
    return code;
}

int nats_binding_open(nats_binding_t *b, tbus_error_t *err)
{
    nats_way_t way = b->options->way;
    way.timeout_ms = CONNECT_MS;
    way.reconnects = false; /* we begin anew */
    int code = nats_connection_open(&way, &b->connection, err);
    if (code < 0)
        return code;
    natsStatus status = natsConnection_JetStream(&b->js, b->connection, NULL);
    return status == NATS_OK ? look(b, err) : fail(b, status, "cannot be reached", err);
}

/* Nobody waits for the answer. Where that fails the server removes it by itself. */
static void remove_consumer(const nats_binding_t *b)
{
    char subject[NATS_STREAM_MAX + 128];
    if (!b->consumer[0] || !b->connection)
        return;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.DELETE.%s.%s", b->options->stream,
             b->consumer);
    (void)natsConnection_Publish(b->connection, subject, NULL, 0);
}

void nats_binding_close(nats_binding_t *b)
{
    const nats_tail_options_t *options = b->options;
    remove_consumer(b);
    nats_connection_silence(b->connection);
    natsSubscription_Destroy(b->inbox);
    jsCtx_Destroy(b->js);
    nats_connection_close(b->connection);
    free(b->inbox_name);
    *b = (nats_binding_t){.options = options};
}

/* ---- the consumer ---- */

static int make_consumer(nats_binding_t *b, uint64_t stream_seq, const char *filter,
                         char out_name[64], tbus_error_t *err)
{
    jsConsumerConfig c;
    jsConsumerInfo *info = NULL;
    jsOptions o = js_options();
    jsConsumerConfig_Init(&c);
    c.Description = "tickbus feed";
    c.FilterSubject = filter;
    c.AckPolicy = js_AckNone;
    c.DeliverPolicy = js_DeliverByStartSequence;
    c.OptStartSeq = stream_seq;
    c.InactiveThreshold = INACTIVE_NS;
    c.MemoryStorage = true;
    c.Replicas = 1;
    natsStatus status = js_AddConsumer(&info, b->js, b->options->stream, &c, &o, NULL);
    if (status != NATS_OK)
        return fail(b, status, "gives us no consumer", err);
    snprintf(out_name, 64, "%s", info->Name);
    jsConsumerInfo_Destroy(info);
    return 0;
}

static int open_inbox(nats_binding_t *b, tbus_error_t *err)
{
    natsInbox *inbox = NULL;
    natsStatus status = NATS_OK;
    if (b->inbox)
        return 0;
    status = natsInbox_Create(&inbox);
    b->inbox_name = inbox;
    if (status == NATS_OK)
        status = natsConnection_SubscribeSync(&b->inbox, b->connection, inbox);
    /* What comes is bounded by what we ask for. */
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(b->inbox, -1, -1);
    return status == NATS_OK ? 0 : fail(b, status, "has no way to us", err);
}

/* Ask the consumer for `count` messages; `wait`: also for those that come later. */
static natsStatus ask(nats_binding_t *b, const char *consumer, uint32_t count, bool wait)
{
    char subject[NATS_STREAM_MAX + 128], request[160];
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.%s.%s", b->options->stream,
             consumer);
    int bytes =
        wait ? snprintf(request, sizeof request,
                        "{\"batch\":%" PRIu32 ",\"expires\":%" PRId64 ",\"idle_heartbeat\":%" PRId64
                        "}",
                        count, EXPIRES_NS, BEAT_NS)
             : snprintf(request, sizeof request, "{\"batch\":%" PRIu32 ",\"no_wait\":true}", count);
    return natsConnection_PublishRequest(b->connection, subject, b->inbox_name, request, bytes);
}

int nats_binding_consume(nats_binding_t *b, uint64_t stream_seq, tbus_error_t *err)
{
    char filter[NATS_SUBJECT_MAX];
    bool fits = b->by_symbol ? nats_subject_all(b->options->stream, filter)
                             : nats_subject(b->options->stream, b->options->topic, NULL, filter);
    int code = fits ? open_inbox(b, err) : -TBUS_ECONFIG; /* `look` has said so */
    if (code == 0)
        code = make_consumer(b, stream_seq, filter, b->consumer, err);
    b->heard_ns = tbus_clock_ns();
    return code;
}

/* ---- what comes ---- */

/* A bridge that was started again may give each symbol a subject, for which we do not ask. */
static bool look_for_symbols(nats_binding_t *b)
{
    return !b->by_symbol && (look(b, NULL) < 0 || b->by_symbol);
}

/* What a server says of a request rather than of the stream. */
static enum nats_binding_outcome take_status(nats_binding_t *b, natsMsg *msg)
{
    const char *status = NULL, *rest = NULL;
    uint64_t left;
    if (natsMsgHeader_Get(msg, "Status", &status) != NATS_OK || !status)
        return NATS_BINDING_BROKEN; /* nobody else writes there */
    if (strcmp(status, "100") == 0) /* a beat: there is nothing for us */
        return look_for_symbols(b) ? NATS_BINDING_BROKEN : NATS_BINDING_NOTHING;
    /* A request has expired, and what it did not get is to be asked for again. */
    if (strcmp(status, "408") != 0 && strcmp(status, "404") != 0)
        return NATS_BINDING_BROKEN;
    bool told = natsMsgHeader_Get(msg, "Nats-Pending-Messages", &rest) == NATS_OK && rest &&
                nats_number_read(rest, &left) && left <= b->asked;
    b->asked -= told ? (uint32_t)left : b->asked;
    return NATS_BINDING_NOTHING;
}

static enum nats_binding_outcome take(nats_binding_t *b, natsMsg *msg, nats_place_t *place)
{
    b->heard_ns = tbus_clock_ns();
    if (!nats_place_read(natsMsg_GetReply(msg), place))
        return take_status(b, msg);
    b->asked -= b->asked > 0;
    if (place->consumer_seq != b->consumer_seq + 1)
        return NATS_BINDING_MISSED;
    b->consumer_seq++;
    return NATS_BINDING_MESSAGE;
}

enum nats_binding_outcome nats_binding_next(nats_binding_t *b, int64_t wait_ms, natsMsg **out_msg,
                                            nats_place_t *out_place)
{
    natsMsg *msg = NULL;
    if (b->asked <= BATCH / 2) {
        if (ask(b, b->consumer, BATCH, true) != NATS_OK)
            return NATS_BINDING_BROKEN;
        b->asked += BATCH;
    }
    natsStatus status = natsSubscription_NextMsg(&msg, b->inbox, wait_ms);
    if (status == NATS_TIMEOUT)
        return tbus_clock_ns() - b->heard_ns > SILENT_NS ? NATS_BINDING_BROKEN
                                                         : NATS_BINDING_NOTHING;
    if (status != NATS_OK)
        return NATS_BINDING_BROKEN;
    enum nats_binding_outcome outcome = take(b, msg, out_place);
    if (outcome == NATS_BINDING_MESSAGE)
        *out_msg = msg;
    else
        natsMsg_Destroy(msg);
    return outcome;
}

void nats_binding_read(natsMsg *msg, nats_arrival_t *out_arrival)
{
    *out_arrival = (nats_arrival_t){.subject = natsMsg_GetSubject(msg),
                                    .bytes = (size_t)natsMsg_GetDataLength(msg)};
    for (unsigned i = 0; i < NATS_FOLLOW_HEADERS; i++) {
        const char **values = NULL;
        int count = 0;
        if (natsMsgHeader_Values(msg, nats_follow_headers[i], &values, &count) != NATS_OK)
            continue;
        if (count > 0)
            out_arrival->values[i] = values[0];
        out_arrival->counts[i] = (uint32_t)count;
        free(values);
    }
}

void nats_binding_follow(const nats_binding_t *b, nats_follow_t *out_follow)
{
    *out_follow = (nats_follow_t){.bytes_max = b->options->bytes_max};
    snprintf(out_follow->stream, sizeof out_follow->stream, "%s", b->options->stream);
    snprintf(out_follow->session, sizeof out_follow->session, "%s", b->description.session);
    snprintf(out_follow->topic, sizeof out_follow->topic, "%s", b->options->topic);
    snprintf(out_follow->type, sizeof out_follow->type, "%s", b->options->type);
}

/* ---- where a place is ---- */

/* Which messages of the topic one of its messages stands for: of the end, the one that there will
 * never be. */
static int judge(const nats_binding_t *b, natsMsg *msg, const nats_place_t *place,
                 nats_found_t *out, tbus_error_t *err)
{
    nats_follow_t follow;
    nats_arrival_t arrival;
    nats_followed_t followed;
    nats_binding_follow(b, &follow);
    nats_binding_read(msg, &arrival);
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

/* By one subject. */
static int find_on(nats_binding_t *b, uint64_t stream_seq, const char *filter, nats_found_t *out,
                   tbus_error_t *err)
{
    char name[64];
    natsMsg *msg = NULL;
    nats_place_t place;
    jsOptions o = js_options();
    out->there = false;
    int code = open_inbox(b, err);
    if (code == 0)
        code = make_consumer(b, stream_seq, filter, name, err);
    if (code < 0)
        return code;
    natsStatus status = ask(b, name, 1, false);
    if (status == NATS_OK)
        status = natsSubscription_NextMsg(&msg, b->inbox, ANSWER_MS);
    if (status != NATS_OK)
        code = fail(b, status, "does not answer", err);
    else if (nats_place_read(natsMsg_GetReply(msg), &place))
        code = judge(b, msg, &place, out, err);
    natsMsg_Destroy(msg);
    (void)js_DeleteConsumer(b->js, b->options->stream, name, &o, NULL);
    return code;
}

/* The subjects of the topic: one, or also those of its symbols. */
static uint32_t subjects_of(const nats_binding_t *b, char out[2][NATS_SUBJECT_MAX])
{
    (void)nats_subject(b->options->stream, b->options->topic, NULL, out[0]);
    (void)nats_subject_symbols(b->options->stream, b->options->topic, out[1]);
    return b->by_symbol ? 2 : 1;
}

/* The first at or behind a place in the stream. */
static int find_at(nats_binding_t *b, uint64_t stream_seq, nats_found_t *out_found,
                   tbus_error_t *err)
{
    char subjects[2][NATS_SUBJECT_MAX];
    nats_found_t found = {0};
    for (uint32_t i = 0, count = subjects_of(b, subjects); i < count; i++) {
        nats_found_t one = {0};
        int code = find_on(b, stream_seq, subjects[i], &one, err);
        if (code < 0)
            return code;
        if (one.there && (!found.there || one.stream_seq < found.stream_seq))
            found = one;
    }
    *out_found = found;
    return 0;
}

int nats_binding_last(nats_binding_t *b, uint64_t *out_seq, tbus_error_t *err)
{
    char subjects[2][NATS_SUBJECT_MAX];
    uint64_t last = 0;
    for (uint32_t i = 0, count = subjects_of(b, subjects); i < count; i++) {
        natsMsg *msg = NULL;
        nats_found_t found = {0};
        jsOptions o = js_options();
        natsStatus status = js_GetLastMsg(&msg, b->js, b->options->stream, subjects[i], &o, NULL);
        if (status == NATS_NOT_FOUND)
            continue;
        int code = status == NATS_OK ? judge(b, msg, &(nats_place_t){0}, &found, err)
                                     : fail(b, status, "does not show its last message", err);
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

int nats_binding_find_seq(nats_binding_t *b, uint64_t seq, nats_found_t *out_found,
                          tbus_error_t *err)
{
    return seq ? find(b, by_seq, seq, out_found, err)
               : find_at(b, b->first_seq ? b->first_seq : 1, out_found, err);
}

int nats_binding_find_time(nats_binding_t *b, uint64_t time_ns, nats_found_t *out_found,
                           tbus_error_t *err)
{
    return find(b, by_time, time_ns, out_found, err);
}

int nats_binding_locate(nats_binding_t *b, uint64_t seq, uint64_t *out_stream_seq,
                        tbus_error_t *err)
{
    nats_found_t found;
    uint64_t last = 0;
    int code = nats_binding_find_seq(b, seq, &found, err);
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
    code = nats_binding_last(b, &last, err);
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
