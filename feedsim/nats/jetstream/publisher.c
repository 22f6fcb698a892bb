/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/jetstream/publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nats/nats.h>

#include <tickbus/clock.h>

#include "feedsim/nats/jetstream/socket.h"

#define INBOX_MAX 64u
#define SECOND_NS UINT64_C(1000000000)

struct nats_publisher {
    nats_way_t way;
    nats_stream_wish_t wish;
    /* Questions, and what needs the library: NULL: none. */
    natsConnection *connection;
    jsCtx *js;
    /* Messages and their answers; or, with TLS, by the library as well: */
    nats_socket_t *socket;
    natsSubscription *answers;
    bool by_library;
    char inbox[INBOX_MAX];
    char stream[NATS_STREAM_MAX];
    char server[128];
};

/* --- made --- */

int nats_publisher_create(const nats_way_t *way, const nats_stream_wish_t *wish,
                          nats_publisher_t **out_publisher, tbus_error_t *err)
{
    nats_publisher_t *p = calloc(1, sizeof *p);
    if (!p)
        return tbus_fail(err, -ENOMEM, "no memory to publish to NATS");
    int code = nats_socket_create(&p->socket, err);
    if (code < 0) {
        free(p);
        return code;
    }
    p->way = *way;
    p->way.write_ms = NATS_WRITE_MS;
    p->way.reconnects = false;
    p->wish = *wish;
    p->by_library = nats_connection_is_secure(&p->way);
    *out_publisher = p;
    return 0;
}

void nats_publisher_destroy(nats_publisher_t *p)
{
    if (!p)
        return;
    nats_publisher_disconnect(p);
    nats_socket_destroy(p->socket);
    free(p);
}

/* --- turned --- */

void nats_publisher_turn(nats_publisher_t *p, uint64_t now_ns)
{
    if (!p->by_library)
        nats_socket_turn(p->socket, now_ns);
}

void nats_publisher_wait(nats_publisher_t *p, uint64_t ns)
{
    if (!p->by_library)
        nats_socket_wait(p->socket, ns);
    else
        (void)nanosleep(&(struct timespec){.tv_sec = (time_t)(ns / SECOND_NS),
                                           .tv_nsec = (long)(ns % SECOND_NS)},
                        NULL);
}

bool nats_publisher_is_choked(const nats_publisher_t *p)
{
    return !p->by_library && nats_socket_is_choked(p->socket);
}

/* --- answers --- */

/* The last word of the subject that was answered to. */
static bool read_ticket(const char *subject, size_t bytes, uint64_t *out_ticket)
{
    char text[NATS_NUMBER_MAX + 1];
    const char *dot = memrchr(subject, '.', bytes);
    size_t digits = dot ? bytes - (size_t)(dot + 1 - subject) : sizeof text;
    if (digits >= sizeof text)
        return false;
    memcpy(text, dot + 1, digits);
    text[digits] = 0;
    return nats_number_read(text, out_ticket);
}

/* False: it is no answer to a message of ours. */
static bool read_answer(const nats_frame_t *frame, unsigned status, nats_incoming_answer_t *out)
{
    if (!read_ticket(frame->subject, frame->subject_bytes, &out->ticket))
        return false;
    nats_answer_read(frame->payload_bytes ? 0 : status, frame->payload, frame->payload_bytes,
                     &out->answer);
    return true;
}

/* The next answer of the library. False: there is none. */
static bool next_of_library(nats_publisher_t *p, bool *out_is_one, nats_incoming_answer_t *out)
{
    natsMsg *msg = NULL;
    const char *status = NULL;
    if (natsSubscription_NextMsg(&msg, p->answers, 0) != NATS_OK)
        return false;
    const nats_frame_t frame = {.subject = natsMsg_GetSubject(msg),
                                .subject_bytes = strlen(natsMsg_GetSubject(msg)),
                                .payload = natsMsg_GetData(msg),
                                .payload_bytes = (size_t)natsMsg_GetDataLength(msg)};
    if (frame.payload_bytes == 0) /* its headers are the library's */
        (void)natsMsgHeader_Get(msg, "Status", &status);
    *out_is_one = read_answer(&frame, status ? (unsigned)atoi(status) : 0, out);
    natsMsg_Destroy(msg);
    return true;
}

uint32_t nats_publisher_answers(nats_publisher_t *p, nats_incoming_answer_t *out, uint32_t max)
{
    nats_frame_t frame;
    bool is_one;
    uint32_t count = 0;
    if (p->by_library)
        while (count < max && next_of_library(p, &is_one, &out[count]))
            count += is_one;
    else
        while (count < max && nats_socket_next(p->socket, &frame))
            count += read_answer(&frame, nats_frame_status(&frame), &out[count]);
    return count;
}

/* --- the stream --- */

/* Whose is it? 0: ours. -TBUS_EEXISTS: somebody else's. */
static int judge(const nats_publisher_t *p, const jsStreamInfo *info, const char *name,
                 tbus_error_t *err)
{
    nats_description_t d;
    if (!nats_description_read(info->Config->Description, &d))
        return tbus_fail(err, -TBUS_EEXISTS,
                         "there is a stream '%s' that no tickbus has made: name another "
                         "(bridge.stream)",
                         name);
    if (strcmp(d.session, p->wish.session) != 0)
        return tbus_fail(err, -TBUS_EEXISTS,
                         "stream '%s' belongs to session %s of bus '%s', and this is session %s: "
                         "name another (bridge.stream), or remove that one (nats stream rm)",
                         name, d.session, d.bus, p->wish.session);
    if (d.layout != NATS_LAYOUT)
        return tbus_fail(err, -TBUS_EEXISTS,
                         "stream '%s' has layout %u, and this tickbus writes layout %u", name,
                         d.layout, NATS_LAYOUT);
    return 0;
}

/* A cluster that elects, or has not heard of all of its servers yet, says one of these. */
static bool passes_by_itself(natsStatus s, jsErrCode code)
{
    switch ((int)code) {
    case NATS_ERROR_NO_PEERS:
    case NATS_ERROR_NOT_AVAILABLE:
    case NATS_ERROR_NOT_LEADER:
    case NATS_ERROR_RESOURCES:
        return true;
    default:
        return s == NATS_TIMEOUT; /* of the streams' side: it is connected */
    }
}

/* -EAGAIN: what may pass by itself. */
static int fail_js(natsStatus s, jsErrCode code, const char *what, const char *name,
                   tbus_error_t *err)
{
    char text[NATS_STREAM_MAX + 64];
    if (s == NATS_NO_RESPONDERS)
        return tbus_fail(err, -EAGAIN,
                         "the NATS server at hand does not serve JetStream (for now, or at all: "
                         "`jetstream {}` in its configuration)");
    bool lacks_servers = (int)code == NATS_ERROR_RESOURCES || (int)code == NATS_ERROR_NO_PEERS;
    snprintf(text, sizeof text, "%s stream '%.300s'%s", what, name,
             lacks_servers ? " (more replicas than servers, or than those that are up)" : "");
    int told = nats_status_fail((int)s, text, err);
    if (!passes_by_itself(s, code))
        return told;
    if (err)
        err->code = -EAGAIN;
    return -EAGAIN;
}

static void options(jsOptions *o, const nats_publisher_t *p)
{
    jsOptions_Init(o);
    o->Wait = p->way.timeout_ms;
}

/* -TBUS_ENOTFOUND: there is none. */
static int look_up(nats_publisher_t *p, const char *name, tbus_error_t *err)
{
    jsStreamInfo *info = NULL;
    jsErrCode js_code = 0;
    jsOptions o;
    options(&o, p);
    natsStatus s = js_GetStreamInfo(&info, p->js, name, &o, &js_code);
    if (s == NATS_NOT_FOUND || (int)js_code == NATS_ERROR_NOT_FOUND)
        return -TBUS_ENOTFOUND;
    int code = s == NATS_OK ? judge(p, info, name, err)
                            : fail_js(s, js_code, "cannot look for", name, err);
    jsStreamInfo_Destroy(info);
    return code;
}

static int make(nats_publisher_t *p, const char *name, tbus_error_t *err)
{
    char description[NATS_DESCRIPTION_MAX], subject[NATS_SUBJECT_MAX];
    const char *subjects[] = {subject};
    nats_description_t d = {.layout = NATS_LAYOUT};
    jsErrCode js_code = 0;
    jsStreamConfig c;
    jsOptions o;
    options(&o, p);
    snprintf(d.session, sizeof d.session, "%s", p->wish.session);
    snprintf(d.bus, sizeof d.bus, "%s", p->wish.bus);
    nats_description_text(&d, description);
    if (!nats_subject_all(name, subject))
        return tbus_fail(err, -TBUS_ECONFIG, "'%s' cannot be the name of a stream", name);
    jsStreamConfig_Init(&c);
    c.Name = name;
    c.Description = description;
    c.Subjects = subjects;
    c.SubjectsLen = 1;
    c.Retention = js_LimitsPolicy;
    c.MaxMsgs = p->wish.max_messages ? (int64_t)p->wish.max_messages : -1;
    c.MaxBytes = p->wish.max_bytes ? (int64_t)p->wish.max_bytes : -1;
    c.MaxAge = (int64_t)p->wish.max_age_ns;
    c.Discard = p->wish.discard_old ? js_DiscardOld : js_DiscardNew;
    c.Storage = p->wish.in_memory ? js_MemoryStorage : js_FileStorage;
    c.Replicas = p->wish.replicas;
    c.Duplicates = (int64_t)p->wish.duplicates_ns;
    c.AllowDirect = true; /* readers go on by it while a cluster elects (direct.h) */
    if (c.MaxAge && c.Duplicates > c.MaxAge)
        c.Duplicates = c.MaxAge; /* the server refuses more */
    natsStatus s = js_AddStream(NULL, p->js, &c, &o, &js_code);
    /* Somebody else may have made it just now: it is looked at again. */
    if (s == NATS_OK || (int)js_code == NATS_ERROR_NAME_IN_USE) {
        int code = look_up(p, name, err);
        return code != -TBUS_ENOTFOUND
                   ? code
                   : tbus_fail(err, -EAGAIN, "stream '%s' was made and is not there yet", name);
    }
    return fail_js(s, js_code, "cannot make", name, err);
}

static int find_or_make(nats_publisher_t *p, const char *name, tbus_error_t *err)
{
    int code = look_up(p, name, err);
    if (code == -TBUS_ENOTFOUND)
        code = make(p, name, err);
    if (code == 0)
        snprintf(p->stream, sizeof p->stream, "%s", name);
    return code;
}

static int find_stream(nats_publisher_t *p, tbus_error_t *err)
{
    char name[NATS_STREAM_MAX], later[NATS_STREAM_MAX];
    if (p->stream[0]) { /* found before: it is not looked for under another name again */
        snprintf(name, sizeof name, "%s", p->stream);
        return find_or_make(p, name, err);
    }
    if (p->wish.stream[0])
        return find_or_make(p, p->wish.stream, err);
    if (!nats_stream_name(p->wish.bus, NULL, name) ||
        !nats_stream_name(p->wish.bus, p->wish.session, later))
        return tbus_fail(err, -TBUS_ECONFIG, "the name of bus '%s' is too long for a stream",
                         p->wish.bus);
    tbus_error_t why = {0};
    int code = look_up(p, later, &why); /* of an earlier bridge of this session */
    if (code == -TBUS_ENOTFOUND)
        code = find_or_make(p, name, &why);
    else if (code == 0)
        code = -TBUS_EEXISTS;
    if (code == -TBUS_EEXISTS)
        return find_or_make(p, later, err);
    return code < 0 ? tbus_fail(err, code, "%s", why.text) : 0;
}

/* --- connected --- */

/* With TLS: by the library. */
static int listen_by_library(nats_publisher_t *p, const char *subject, tbus_error_t *err)
{
    int status = nats_connection_listen(p->connection, subject, &p->answers);
    return status == NATS_OK ? 0 : nats_status_fail(status, "NATS", err);
}

static int listen_for_answers(nats_publisher_t *p, tbus_error_t *err)
{
    char subject[INBOX_MAX + 4];
    natsInbox *inbox = NULL;
    natsStatus s = natsInbox_Create(&inbox);
    if (s != NATS_OK)
        return nats_status_fail((int)s, "NATS", err);
    snprintf(p->inbox, sizeof p->inbox, "%s", inbox);
    snprintf(subject, sizeof subject, "%s.*", inbox);
    natsInbox_Destroy(inbox);
    int code = p->by_library ? 0 : nats_socket_open(p->socket, &p->way, subject, err);
    /* The server wants TLS though nobody has told us. (Or it hung up: then so will it there.) */
    if (code == -EPROTONOSUPPORT) {
        p->by_library = true;
        *err = (tbus_error_t){0};
    }
    return p->by_library ? listen_by_library(p, subject, err) : code;
}

static int connect_all(nats_publisher_t *p, tbus_error_t *err)
{
    jsOptions o;
    int code = nats_connection_open(&p->way, &p->connection, err);
    if (code < 0)
        return code;
    p->by_library = nats_connection_is_secure(&p->way);
    options(&o, p);
    natsStatus s = natsConnection_JetStream(&p->js, p->connection, &o);
    code = s == NATS_OK ? listen_for_answers(p, err) : nats_status_fail((int)s, "NATS", err);
    return code < 0 ? code : find_stream(p, err);
}

int nats_publisher_connect(nats_publisher_t *p, tbus_error_t *err)
{
    nats_publisher_disconnect(p);
    int code = connect_all(p, err);
    if (code < 0) {
        nats_publisher_disconnect(p);
        return code;
    }
    if (natsConnection_GetConnectedUrl(p->connection, p->server, sizeof p->server) != NATS_OK)
        p->server[0] = 0;
    return 0;
}

void nats_publisher_disconnect(nats_publisher_t *p)
{
    nats_socket_close(p->socket);
    nats_connection_silence(p->connection);
    natsSubscription_Destroy(p->answers);
    jsCtx_Destroy(p->js);
    nats_connection_close(p->connection);
    p->answers = NULL;
    p->js = NULL;
    p->connection = NULL;
    p->server[0] = 0;
}

bool nats_publisher_connected(const nats_publisher_t *p, tbus_error_t *err)
{
    if (!p->by_library && !nats_socket_is_open(p->socket, err))
        return false;
    if (p->connection && !natsConnection_IsClosed(p->connection))
        return true;
    (void)tbus_fail(err, -ENOTCONN, "the connection to NATS is lost");
    return false;
}

const char *nats_publisher_stream(const nats_publisher_t *p)
{
    return p->stream;
}

const char *nats_publisher_server(const nats_publisher_t *p)
{
    return p->server;
}

/* --- asked --- */

static bool header_number(natsMsg *msg, const char *key, uint64_t *out_number)
{
    const char *text = NULL;
    return natsMsgHeader_Get(msg, key, &text) == NATS_OK && text &&
           nats_number_read(text, out_number);
}

/* What a message of the stream says of its topic. */
static int read_last(const nats_publisher_t *p, natsMsg *msg, const char *topic,
                     nats_topic_last_t *out, tbus_error_t *err)
{
    nats_topic_last_t last = {.there = true, .sequence = natsMsg_GetSequence(msg)};
    const char *id = NULL;
    nats_id_parts_t parts;
    if (natsMsgHeader_Get(msg, NATS_HEADER_ID, &id) != NATS_OK || !nats_id_read(id, &parts) ||
        strcmp(parts.topic, topic) != 0 || !header_number(msg, NATS_HEADER_SEQUENCE, &last.seq))
        return tbus_fail(err, -TBUS_EFORMAT,
                         "message %" PRIu64 " of stream '%s' is none of a tickbus: somebody else "
                         "publishes there",
                         last.sequence, p->stream);
    if (strcmp(parts.session, p->wish.session) != 0)
        return tbus_fail(err, -TBUS_EEXISTS,
                         "message %" PRIu64 " of stream '%s' is of session %s, and this is %s",
                         last.sequence, p->stream, parts.session, p->wish.session);
    last.ended = parts.end;
    *out = last;
    return 0;
}

static int ask_subject(nats_publisher_t *p, const char *subject, const char *topic,
                       nats_topic_last_t *last, tbus_error_t *err)
{
    natsMsg *msg = NULL;
    jsErrCode js_code = 0;
    nats_topic_last_t found;
    jsOptions o;
    options(&o, p);
    natsStatus s = js_GetLastMsg(&msg, p->js, p->stream, subject, &o, &js_code);
    if (s == NATS_NOT_FOUND)
        return 0;
    if (s != NATS_OK)
        return fail_js(s, js_code, "cannot read", p->stream, err);
    int code = read_last(p, msg, topic, &found, err);
    natsMsg_Destroy(msg);
    if (code == 0 && (!last->there || found.sequence > last->sequence))
        *last = found;
    return code;
}

int nats_publisher_ask(nats_publisher_t *p, const char *const *topics, uint32_t count,
                       nats_stream_last_t *out_stream, nats_topic_last_t *out_lasts,
                       tbus_error_t *err)
{
    char subject[NATS_SUBJECT_MAX];
    jsStreamInfo *info = NULL;
    jsErrCode js_code = 0;
    jsOptions o;
    options(&o, p);
    /* The stream first, then its topics: what comes in between makes the next message be refused.
     * The other way round it would be published a second time. */
    natsStatus s = js_GetStreamInfo(&info, p->js, p->stream, &o, &js_code);
    if (s != NATS_OK)
        return fail_js(s, js_code, "cannot ask", p->stream, err);
    nats_stream_last_t stream = {.sequence = info->State.LastSeq,
                                 .messages = info->State.Msgs,
                                 .bytes = info->State.Bytes,
                                 .replicated = info->Config->Replicas > 1,
                                 .removed = info->State.FirstSeq > 1};
    jsStreamInfo_Destroy(info);
    for (uint32_t i = 0; i < count; i++) {
        nats_topic_last_t last = {0};
        int code = nats_subject(p->stream, topics[i], NULL, subject)
                       ? ask_subject(p, subject, topics[i], &last, err)
                       : tbus_fail(err, -TBUS_ECONFIG, "topic '%s' has no subject", topics[i]);
        if (code == 0 && nats_subject_symbols(p->stream, topics[i], subject))
            code = ask_subject(p, subject, topics[i], &last, err);
        if (code < 0)
            return code;
        if (last.sequence > stream.sequence)
            return tbus_fail(err, -EAGAIN, "stream '%s' goes on while it is asked", p->stream);
        out_lasts[i] = last;
    }
    *out_stream = stream;
    return 0;
}

/* --- published --- */

/* The lines of a block, one by one; it is cut up by that. */
static natsStatus set_headers(natsMsg *msg, char *block)
{
    natsStatus s = NATS_OK;
    char *line = strstr(block, "\r\n") + 2;
    while (s == NATS_OK && *line != '\r') {
        char *colon = strstr(line, ": "), *end = strstr(line, "\r\n");
        *colon = *end = 0;
        s = natsMsgHeader_Set(msg, line, colon + 2);
        line = end + 2;
    }
    return s;
}

static int put_by_library(nats_publisher_t *p, const nats_outgoing_t *m, char *headers,
                          tbus_error_t *err)
{
    char reply[INBOX_MAX + NATS_NUMBER_MAX + 2];
    natsMsg *msg = NULL;
    snprintf(reply, sizeof reply, "%s.%" PRIu64, p->inbox, m->ticket);
    natsStatus s = natsMsg_Create(&msg, m->subject, reply, m->data, (int)m->bytes);
    if (s == NATS_OK)
        s = set_headers(msg, headers);
    if (s == NATS_OK)
        s = natsConnection_PublishMsg(p->connection, msg);
    natsMsg_Destroy(msg);
    return s == NATS_OK ? 0 : nats_status_fail((int)s, "cannot publish to NATS", err);
}

int nats_publisher_put(nats_publisher_t *p, const nats_outgoing_t *m, tbus_error_t *err)
{
    char headers[NATS_HEADERS_MAX];
    if (!p->connection)
        return tbus_fail(err, -ENOTCONN, "not connected to NATS");
    size_t bytes = nats_headers_put(p->wish.session, m, headers);
    if (bytes == 0)
        return tbus_fail(err, -EINVAL, "a message of topic '%s' has no id", m->topic);
    if (p->by_library)
        return put_by_library(p, m, headers, err);
    const nats_frame_out_t frame = {.subject = m->subject,
                                    .reply = p->inbox,
                                    .ticket = m->ticket,
                                    .headers = headers,
                                    .headers_bytes = bytes,
                                    .payload = m->data,
                                    .payload_bytes = m->bytes};
    return nats_socket_put(p->socket, &frame, err);
}
