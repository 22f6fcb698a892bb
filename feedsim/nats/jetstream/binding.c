/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/jetstream/binding.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <tickbus/clock.h>

#include "feedsim/nats/answer.h"

#define CONNECT_MS  1000u
#define ANSWER_MS   1500
#define MS          UINT64_C(1000000)
#define BATCH       1024u /* messages that are asked for at a time */
#define BEAT_NS     INT64_C(500000000)
#define EXPIRES_NS  INT64_C(30000000000)
#define INACTIVE_NS INT64_C(30000000000)
#define SILENT_NS   (2000 * MS) /* so long without even a beat, and it is lost */
#define WISH_NS     (1500 * MS) /* between two requests for a consumer that was not made */
#define SYMBOLS_NS  (500 * MS)  /* between two questions for subjects of symbols */

jsOptions nats_binding_js_options(void)
{
    jsOptions o;
    jsOptions_Init(&o);
    o.Wait = ANSWER_MS;
    return o;
}

int nats_binding_fail(const nats_binding_t *b, natsStatus status, const char *what,
                      tbus_error_t *err)
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
    jsOptions o = nats_binding_js_options();
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
        return nats_binding_fail(b, status, "cannot be looked at", err);
    b->first_seq = info->State.FirstSeq;
    b->last_seq = info->State.LastSeq;
    b->by_symbol = info->State.Subjects && info->State.Subjects->Count > 0;
    b->allows_direct = info->Config->AllowDirect;
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
    return status == NATS_OK ? look(b, err)
                             : nats_binding_fail(b, status, "cannot be reached", err);
}

/* Nobody waits for the answer. Where that fails the server removes it by itself. */
static void remove_consumer(const nats_binding_t *b, const char *name)
{
    char subject[NATS_STREAM_MAX + 128];
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.DELETE.%s.%s", b->options->stream, name);
    (void)natsConnection_Publish(b->connection, subject, NULL, 0);
}

void nats_binding_close(nats_binding_t *b)
{
    const nats_tail_options_t *options = b->options;
    if (b->connection && b->consumer[0])
        remove_consumer(b, b->consumer);
    nats_connection_silence(b->connection);
    nats_direct_close(&b->direct);
    natsSubscription_Destroy(b->inbox);
    natsSubscription_Destroy(b->looks);
    jsCtx_Destroy(b->js);
    nats_connection_close(b->connection);
    free(b->inbox_name);
    free(b->looks_name);
    *b = (nats_binding_t){.options = options};
}

static natsStatus subscribe(const nats_binding_t *b, natsSubscription **out, char **out_name)
{
    natsInbox *name = NULL;
    natsStatus status = natsInbox_Create(&name);
    *out_name = name;
    return status == NATS_OK ? (natsStatus)nats_connection_listen(b->connection, name, out)
                             : status;
}

/* ---- a consumer ---- */

static int open_inbox(nats_binding_t *b, tbus_error_t *err)
{
    natsStatus status = b->inbox ? NATS_OK : subscribe(b, &b->inbox, &b->inbox_name);
    return status == NATS_OK ? 0 : nats_binding_fail(b, status, "has no way to us", err);
}

/* Have a consumer made. The answer comes to the inbox. */
static natsStatus wish(nats_binding_t *b, uint64_t stream_seq, const char *filter)
{
    char subject[NATS_STREAM_MAX + 64], request[NATS_STREAM_MAX + NATS_SUBJECT_MAX + 512];
    const char *stream = b->options->stream;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.CREATE.%s", stream);
    int bytes = snprintf(request, sizeof request,
                         "{\"stream_name\":\"%s\",\"config\":{\"description\":\"tickbus feed\","
                         "\"deliver_policy\":\"by_start_sequence\",\"opt_start_seq\":%" PRIu64
                         ",\"ack_policy\":\"none\",\"replay_policy\":\"instant\","
                         "\"filter_subject\":\"%s\",\"inactive_threshold\":%" PRId64
                         ",\"num_replicas\":1,\"mem_storage\":true}}",
                         stream, stream_seq, filter, INACTIVE_NS);
    b->wished_ns = tbus_clock_ns();
    return natsConnection_PublishRequest(b->connection, subject, b->inbox_name, request, bytes);
}

/* Wait for that answer, and the name of the consumer. */
static int await_consumer(nats_binding_t *b, char out_name[64], tbus_error_t *err)
{
    natsMsg *msg = NULL;
    nats_made_t made = {0};
    natsStatus status = natsSubscription_NextMsg(&msg, b->inbox, ANSWER_MS);
    if (status == NATS_OK && natsMsg_IsNoResponders(msg))
        status = NATS_NO_RESPONDERS;
    bool read = status == NATS_OK &&
                nats_made_read(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), &made);
    natsMsg_Destroy(msg);
    if (status != NATS_OK)
        return nats_binding_fail(b, status, "gives us no consumer", err);
    if (!read || made.error_code)
        return tbus_fail(err, made.error_code == NATS_ERROR_NOT_FOUND ? -TBUS_ENOTFOUND : -EIO,
                         "the stream %.100s at NATS gives us no consumer: %s", b->options->stream,
                         read ? made.text : "what it answers cannot be read");
    memcpy(out_name, made.name, sizeof made.name);
    return 0;
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

static void filter_of(const nats_binding_t *b, char out_filter[NATS_SUBJECT_MAX])
{
    /* It fits: `look` has made a longer one. */
    if (b->by_symbol)
        (void)nats_subject_all(b->options->stream, out_filter);
    else
        (void)nats_subject(b->options->stream, b->options->topic, NULL, out_filter);
}

/* From behind what was taken, while there is no consumer. */
static int go_on_directly(nats_binding_t *b, tbus_error_t *err)
{
    char filter[NATS_SUBJECT_MAX];
    filter_of(b, filter);
    b->consumer[0] = 0;
    b->heard_ns = tbus_clock_ns();
    natsStatus status =
        nats_direct_begin(&b->direct, b->connection, b->options->stream, filter, b->taken + 1);
    if (status == NATS_OK)
        status = wish(b, b->taken + 1, filter);
    return status == NATS_OK ? 0 : nats_binding_fail(b, status, "cannot be asked", err);
}

static void begin_consumer(nats_binding_t *b, const char *name)
{
    memcpy(b->consumer, name, sizeof b->consumer);
    b->consumer_seq = 0;
    b->asked = 0;
    b->heard_ns = tbus_clock_ns();
}

int nats_binding_consume(nats_binding_t *b, uint64_t stream_seq, tbus_error_t *err)
{
    char filter[NATS_SUBJECT_MAX], name[64];
    int code = open_inbox(b, err);
    b->taken = stream_seq - 1;
    if (code == 0 && b->allows_direct)
        return go_on_directly(b, err);
    filter_of(b, filter);
    natsStatus status = code == 0 ? wish(b, stream_seq, filter) : NATS_OK;
    if (status != NATS_OK)
        return nats_binding_fail(b, status, "cannot be asked", err);
    if (code == 0)
        code = await_consumer(b, name, err);
    if (code == 0)
        begin_consumer(b, name);
    return code;
}

int nats_binding_peek(nats_binding_t *b, uint64_t stream_seq, const char *filter, natsMsg **out_msg,
                      nats_place_t *out_place, tbus_error_t *err)
{
    char name[64];
    natsMsg *msg = NULL;
    int code = open_inbox(b, err);
    natsStatus status = code == 0 ? wish(b, stream_seq, filter) : NATS_OK;
    if (status != NATS_OK)
        return nats_binding_fail(b, status, "cannot be asked", err);
    if (code == 0)
        code = await_consumer(b, name, err);
    if (code < 0)
        return code;
    status = ask(b, name, 1, false);
    if (status == NATS_OK)
        status = natsSubscription_NextMsg(&msg, b->inbox, ANSWER_MS);
    remove_consumer(b, name);
    if (status != NATS_OK)
        return nats_binding_fail(b, status, "does not answer", err);
    if (!nats_place_read(natsMsg_GetReply(msg), out_place)) {
        natsMsg_Destroy(msg);
        msg = NULL;
    }
    *out_msg = msg;
    return 0;
}

/* ---- what comes ---- */

static bool is_silent(const nats_binding_t *b)
{
    return tbus_clock_ns() - b->heard_ns > SILENT_NS;
}

static void ask_for_symbols(nats_binding_t *b)
{
    char subject[NATS_STREAM_MAX + 64], symbols[NATS_SUBJECT_MAX], request[NATS_SUBJECT_MAX + 64];
    b->looked_ns = tbus_clock_ns();
    if (!b->looks && subscribe(b, &b->looks, &b->looks_name) != NATS_OK)
        return; /* a lost connection shows next */
    (void)nats_subject_symbols(b->options->stream, b->options->topic, symbols); /* as `look` */
    snprintf(subject, sizeof subject, "$JS.API.STREAM.INFO.%s", b->options->stream);
    int bytes = snprintf(request, sizeof request, "{\"subjects_filter\":\"%s\"}", symbols);
    (void)natsConnection_PublishRequest(b->connection, subject, b->looks_name, request, bytes);
}

/* A bridge that was started again may give each symbol a subject, for which we do not ask. Nobody
 * waits for an answer: a server that has none for long, as in an election, would hold up what
 * comes from the others. */
static bool symbols_begin(nats_binding_t *b)
{
    natsMsg *msg = NULL;
    bool begin = false;
    if (b->by_symbol)
        return false;
    if (b->looks && natsSubscription_NextMsg(&msg, b->looks, 0) == NATS_OK)
        begin = nats_info_has_subjects(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
    natsMsg_Destroy(msg);
    if (!begin && tbus_clock_ns() - b->looked_ns >= SYMBOLS_NS)
        ask_for_symbols(b);
    return begin;
}

/* What a server says of a request rather than of the stream. */
static enum nats_binding_outcome take_status(nats_binding_t *b, natsMsg *msg)
{
    const char *status = NULL, *rest = NULL;
    uint64_t left;
    if (natsMsgHeader_Get(msg, "Status", &status) != NATS_OK || !status)
        return NATS_BINDING_NOTHING; /* a consumer that was asked for more than once is made */
    if (strcmp(status, "100") == 0)  /* a beat: there is nothing for us */
        return symbols_begin(b) ? NATS_BINDING_BROKEN : NATS_BINDING_NOTHING;
    /* A request has expired, and what it did not get is to be asked for again. */
    if (strcmp(status, "408") != 0 && strcmp(status, "404") != 0)
        return NATS_BINDING_BROKEN;
    bool told = natsMsgHeader_Get(msg, "Nats-Pending-Messages", &rest) == NATS_OK && rest &&
                nats_number_read(rest, &left) && left <= b->asked;
    b->asked -= told ? (uint32_t)left : b->asked;
    return NATS_BINDING_NOTHING;
}

static enum nats_binding_outcome take(nats_binding_t *b, natsMsg *msg, nats_coming_t *out)
{
    nats_place_t place;
    b->heard_ns = tbus_clock_ns();
    if (!nats_place_read(natsMsg_GetReply(msg), &place))
        return take_status(b, msg);
    b->asked -= b->asked > 0;
    if (place.consumer_seq != b->consumer_seq + 1)
        return NATS_BINDING_MISSED;
    b->consumer_seq++;
    if (place.stream_seq <= b->taken) /* it was read directly before the consumer was made */
        return NATS_BINDING_NOTHING;
    b->taken = place.stream_seq;
    *out = (nats_coming_t){.msg = msg,
                           .subject = natsMsg_GetSubject(msg),
                           .stream_seq = place.stream_seq,
                           .pending = place.pending};
    return NATS_BINDING_MESSAGE;
}

static enum nats_binding_outcome next_of_consumer(nats_binding_t *b, int64_t wait_ms,
                                                  nats_coming_t *out)
{
    natsMsg *msg = NULL;
    if (b->asked <= BATCH / 2) {
        if (ask(b, b->consumer, BATCH, true) != NATS_OK)
            return NATS_BINDING_BROKEN;
        b->asked += BATCH;
    }
    natsStatus status = natsSubscription_NextMsg(&msg, b->inbox, wait_ms);
    if (status == NATS_TIMEOUT) {
        if (!is_silent(b))
            return NATS_BINDING_NOTHING;
        return b->allows_direct && go_on_directly(b, NULL) == 0 ? NATS_BINDING_SILENT
                                                                : NATS_BINDING_BROKEN;
    }
    if (status != NATS_OK)
        return NATS_BINDING_BROKEN;
    enum nats_binding_outcome outcome = take(b, msg, out);
    if (outcome != NATS_BINDING_MESSAGE)
        natsMsg_Destroy(msg);
    return outcome;
}

/* Has the consumer been made that was asked for? Else ask again, now and then. */
static bool consumer_there(nats_binding_t *b)
{
    char filter[NATS_SUBJECT_MAX];
    nats_made_t made;
    natsMsg *msg = NULL;
    bool there = false;
    if (natsSubscription_NextMsg(&msg, b->inbox, 0) == NATS_OK)
        there = nats_made_read(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), &made) &&
                made.error_code == 0;
    natsMsg_Destroy(msg);
    if (there) {
        nats_direct_rest(&b->direct);
        begin_consumer(b, made.name);
    } else if (tbus_clock_ns() - b->wished_ns > WISH_NS) {
        filter_of(b, filter);
        (void)wish(b, nats_direct_place(&b->direct), filter); /* a lost connection shows next */
    }
    return there;
}

static enum nats_binding_outcome next_directly(nats_binding_t *b, int64_t wait_ms,
                                               nats_coming_t *out)
{
    nats_coming_t got = {.direct = true};
    enum nats_direct_outcome outcome =
        nats_direct_next(&b->direct, wait_ms, &got.msg, &got.subject, &got.stream_seq);
    b->heard_ns = b->direct.heard_ns;
    switch (outcome) {
    case NATS_DIRECT_MESSAGE:
        b->taken = got.stream_seq;
        got.pending = b->last_seq > b->taken ? b->last_seq - b->taken : 0;
        *out = got;
        return NATS_BINDING_MESSAGE;
    case NATS_DIRECT_END: /* also where nobody has a replica: that is no word of one */
        if (is_silent(b) || symbols_begin(b))
            return NATS_BINDING_BROKEN;
        return NATS_BINDING_NOTHING;
    case NATS_DIRECT_NOTHING:
        return is_silent(b) ? NATS_BINDING_BROKEN : NATS_BINDING_NOTHING;
    default:
        return NATS_BINDING_BROKEN;
    }
}

enum nats_binding_outcome nats_binding_next(nats_binding_t *b, int64_t wait_ms,
                                            nats_coming_t *out_coming)
{
    if (b->consumer[0] == 0 && !consumer_there(b))
        return next_directly(b, wait_ms, out_coming);
    return next_of_consumer(b, wait_ms, out_coming);
}

void nats_binding_read(natsMsg *msg, const char *subject, nats_arrival_t *out_arrival)
{
    *out_arrival =
        (nats_arrival_t){.subject = subject, .bytes = (size_t)natsMsg_GetDataLength(msg)};
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
