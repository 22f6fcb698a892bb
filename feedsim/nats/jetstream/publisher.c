/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/jetstream/publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include <nats/nats.h>

#include <tickbus/atomic.h>

#define INBOX_MAX  64u
#define NUMBER_MAX 24u

struct nats_publisher {
    nats_way_t way;
    nats_stream_wish_t wish;
    natsConnection *connection; /* NULL: none */
    jsCtx *js;
    natsSubscription *answers;
    char inbox[INBOX_MAX];
    char stream[NATS_STREAM_MAX];
    char server[128];
    int fd;
    /* written by the library's threads, under the lock */
    pthread_mutex_t lock;
    pthread_cond_t quiet;
    bool listening;                /* take_answer may be called */
    bool armed;                    /* the next answer makes the descriptor readable */
    nats_incoming_answer_t *queue; /* capacity, a power of two */
    uint32_t capacity;
    uint32_t head, tail;       /* taken, and put, ever */
    tbus_atomic_u32_t overrun; /* more answers than messages: the connection is no good */
};

/* --- made --- */

int nats_publisher_create(const nats_way_t *way, const nats_stream_wish_t *wish,
                          uint32_t in_flight_max, nats_publisher_t **out_publisher,
                          tbus_error_t *err)
{
    nats_publisher_t *p = calloc(1, sizeof *p);
    uint32_t capacity = 64;
    if (!p)
        return tbus_fail(err, -ENOMEM, "no memory to publish to NATS");
    /* Those of a window that was given up may still be coming in when the next is on its way. */
    while (capacity < 2 * in_flight_max)
        capacity *= 2;
    p->way = *way;
    p->way.write_ms = NATS_WRITE_MS;
    p->way.reconnects = false;
    p->wish = *wish;
    p->capacity = capacity;
    p->queue = malloc(capacity * sizeof *p->queue);
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->quiet, NULL);
    if (!p->queue || p->fd < 0) {
        nats_publisher_destroy(p);
        return tbus_fail(err, -ENOMEM, "no memory, or no descriptor, to publish to NATS");
    }
    *out_publisher = p;
    return 0;
}

void nats_publisher_destroy(nats_publisher_t *p)
{
    if (!p)
        return;
    nats_publisher_disconnect(p);
    if (p->fd >= 0)
        close(p->fd);
    pthread_cond_destroy(&p->quiet);
    pthread_mutex_destroy(&p->lock);
    free(p->queue);
    free(p);
}

static void ring(const nats_publisher_t *p)
{
    uint64_t one = 1;
    (void)!write(p->fd, &one, sizeof one); /* full: it is readable, then */
}

/* --- answers, in a thread of the library --- */

static void take_answer(natsConnection *connection, natsSubscription *subscription, natsMsg *msg,
                        void *closure)
{
    nats_publisher_t *p = closure;
    nats_incoming_answer_t a = {0};
    const char *ticket = strrchr(natsMsg_GetSubject(msg), '.');
    (void)connection;
    (void)subscription;
    bool known = ticket && nats_number_read(ticket + 1, &a.ticket);
    if (known && natsMsg_IsNoResponders(msg))
        a.unserved = true;
    else
        known = known && nats_answer_read(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg),
                                          &a.answer);
    natsMsg_Destroy(msg);
    if (!known)
        return; /* it will be missed: its ticket has no answer in time */
    pthread_mutex_lock(&p->lock);
    bool rings = p->armed;
    p->armed = false;
    if (p->tail - p->head < p->capacity)
        p->queue[p->tail++ & (p->capacity - 1)] = a;
    else
        tbus_store_relaxed_u32(&p->overrun, 1);
    pthread_mutex_unlock(&p->lock);
    if (rings)
        ring(p);
}

/* It is not called any more. */
static void end_listening(void *closure)
{
    nats_publisher_t *p = closure;
    pthread_mutex_lock(&p->lock);
    p->listening = false;
    pthread_cond_signal(&p->quiet);
    pthread_mutex_unlock(&p->lock);
}

uint32_t nats_publisher_answers(nats_publisher_t *p, nats_incoming_answer_t *out, uint32_t max)
{
    uint32_t count = 0;
    pthread_mutex_lock(&p->lock);
    for (; count < max && p->head != p->tail; count++)
        out[count] = p->queue[p->head++ & (p->capacity - 1)];
    pthread_mutex_unlock(&p->lock);
    return count;
}

bool nats_publisher_arm(nats_publisher_t *p)
{
    uint64_t rung;
    pthread_mutex_lock(&p->lock);
    bool none = p->head == p->tail;
    /* Under the lock: else one that comes now rings, and is taken for one of before. */
    if (none)
        (void)!read(p->fd, &rung, sizeof rung);
    p->armed = none;
    pthread_mutex_unlock(&p->lock);
    return none;
}

int nats_publisher_fd(const nats_publisher_t *p)
{
    return p->fd;
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

static int fail_js(natsStatus s, jsErrCode code, const char *what, const char *name,
                   tbus_error_t *err)
{
    char text[NATS_STREAM_MAX + 64];
    if (s == NATS_NO_RESPONDERS)
        return tbus_fail(err, -EAGAIN,
                         "the NATS server at hand does not serve JetStream (for now, or at all: "
                         "`jetstream {}` in its configuration)");
    snprintf(text, sizeof text, "%s stream '%.300s'%s", what, name,
             (int)code == NATS_ERROR_RESOURCES ? " (more replicas than servers?)" : "");
    return nats_status_fail((int)s, text, err);
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

static int listen_for_answers(nats_publisher_t *p, tbus_error_t *err)
{
    char subject[INBOX_MAX + 4];
    natsInbox *inbox = NULL;
    natsStatus s = natsInbox_Create(&inbox);
    if (s == NATS_OK) {
        snprintf(p->inbox, sizeof p->inbox, "%s", inbox);
        snprintf(subject, sizeof subject, "%s.*", inbox);
        s = natsConnection_Subscribe(&p->answers, p->connection, subject, take_answer, p);
    }
    natsInbox_Destroy(inbox);
    /* As many as are in flight, which is bounded; the library would drop those beyond. */
    if (s == NATS_OK)
        s = natsSubscription_SetPendingLimits(p->answers, -1, -1);
    /* Before the call: nothing is given up yet, so that it cannot end earlier. */
    p->listening = s == NATS_OK;
    if (s == NATS_OK)
        s = natsSubscription_SetOnCompleteCB(p->answers, end_listening, p);
    if (s != NATS_OK)
        p->listening = false;
    return s == NATS_OK ? 0 : nats_status_fail((int)s, "NATS", err);
}

int nats_publisher_connect(nats_publisher_t *p, tbus_error_t *err)
{
    jsOptions o;
    nats_publisher_disconnect(p);
    int code = nats_connection_open(&p->way, &p->connection, err);
    if (code < 0)
        return code;
    options(&o, p);
    natsStatus s = natsConnection_JetStream(&p->js, p->connection, &o);
    code = s == NATS_OK ? listen_for_answers(p, err) : nats_status_fail((int)s, "NATS", err);
    if (code == 0)
        code = find_stream(p, err);
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
    nats_connection_silence(p->connection);
    natsSubscription_Destroy(p->answers);
    pthread_mutex_lock(&p->lock);
    while (p->listening)
        pthread_cond_wait(&p->quiet, &p->lock);
    pthread_mutex_unlock(&p->lock);
    jsCtx_Destroy(p->js);
    nats_connection_close(p->connection);
    p->answers = NULL;
    p->js = NULL;
    p->connection = NULL;
    p->server[0] = 0;
    pthread_mutex_lock(&p->lock);
    p->head = p->tail;
    tbus_store_relaxed_u32(&p->overrun, 0);
    pthread_mutex_unlock(&p->lock);
}

bool nats_publisher_connected(const nats_publisher_t *p)
{
    return p->connection && !tbus_load_relaxed_u32(&p->overrun) &&
           !natsConnection_IsClosed(p->connection);
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

static natsStatus set_number(natsMsg *msg, const char *key, uint64_t number)
{
    char text[NUMBER_MAX];
    snprintf(text, sizeof text, "%" PRIu64, number);
    return natsMsgHeader_Set(msg, key, text);
}

static natsStatus set_headers(const nats_publisher_t *p, natsMsg *msg, const nats_outgoing_t *m)
{
    char id[NATS_ID_MAX];
    if (!nats_id(p->wish.session, m->topic, m->seq, m->end, id))
        return NATS_INVALID_ARG;
    natsStatus s = natsMsgHeader_Set(msg, NATS_HEADER_ID, id);
    if (s == NATS_OK)
        s = set_number(msg, NATS_HEADER_LAST_SEQUENCE, m->last_sequence);
    if (s == NATS_OK && m->names_message) {
        (void)nats_id(p->wish.session, m->topic, m->last_seq, m->last_end, id); /* as above */
        s = natsMsgHeader_Set(msg, NATS_HEADER_LAST_ID, id);
    }
    if (s == NATS_OK)
        s = set_number(msg, NATS_HEADER_SEQUENCE, m->seq);
    if (s == NATS_OK)
        s = natsMsgHeader_Set(msg, NATS_HEADER_TYPE, m->type);
    if (s == NATS_OK && m->time_ns)
        s = set_number(msg, NATS_HEADER_TIME, m->time_ns);
    if (s == NATS_OK && m->warm_up)
        s = natsMsgHeader_Set(msg, NATS_HEADER_WARM_UP, "1");
    if (s == NATS_OK && m->lost)
        s = set_number(msg, NATS_HEADER_LOST, m->lost);
    return s;
}

int nats_publisher_put(nats_publisher_t *p, const nats_outgoing_t *m, tbus_error_t *err)
{
    char reply[INBOX_MAX + NUMBER_MAX];
    natsMsg *msg = NULL;
    if (!p->connection)
        return tbus_fail(err, -ENOTCONN, "not connected to NATS");
    snprintf(reply, sizeof reply, "%s.%" PRIu64, p->inbox, m->ticket);
    natsStatus s = natsMsg_Create(&msg, m->subject, reply, m->data, (int)m->bytes);
    if (s == NATS_OK)
        s = set_headers(p, msg, m);
    if (s == NATS_OK)
        s = natsConnection_PublishMsg(p->connection, msg);
    natsMsg_Destroy(msg);
    return s == NATS_OK ? 0 : nats_status_fail((int)s, "cannot publish to NATS", err);
}
