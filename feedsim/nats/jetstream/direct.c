/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/jetstream/direct.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <tickbus/clock.h>

#include "feedsim/nats/jetstream/connection.h"

#define MS        UINT64_C(1000000)
#define ANSWER_MS INT64_C(20) /* what has not come by then is asked for again */
#define REST_MS   INT64_C(5)  /* behind the newest message */

static void drop(void *message)
{
    natsMsg_Destroy(message);
}

static natsStatus open_inbox(nats_direct_t *d)
{
    char subject[256];
    natsInbox *name = NULL;
    natsStatus status = natsInbox_Create(&name);
    d->name = name;
    if (status != NATS_OK)
        return status;
    snprintf(subject, sizeof subject, "%s.*", d->name);
    return (natsStatus)nats_connection_listen(d->connection, subject, &d->inbox);
}

natsStatus nats_direct_begin(nats_direct_t *d, natsConnection *connection, const char *stream,
                             const char *filter, uint64_t stream_seq)
{
    d->connection = connection;
    d->moved_ns = d->heard_ns = tbus_clock_ns();
    d->rest_ns = 0;
    snprintf(d->subject, sizeof d->subject, "$JS.API.DIRECT.GET.%s", stream);
    snprintf(d->filter, sizeof d->filter, "%s", filter);
    if (d->window.drop)
        nats_window_again(&d->window);
    nats_window_begin(&d->window, stream_seq ? stream_seq : 1, drop);
    return d->inbox ? NATS_OK : open_inbox(d);
}

void nats_direct_rest(nats_direct_t *d)
{
    nats_window_again(&d->window);
}

void nats_direct_close(nats_direct_t *d)
{
    if (d->window.drop)
        nats_window_again(&d->window);
    natsSubscription_Destroy(d->inbox);
    natsInbox_Destroy(d->name);
    *d = (nats_direct_t){0};
}

/* ---- asking ---- */

static natsStatus ask_for(nats_direct_t *d, uint64_t position)
{
    char request[NATS_SUBJECT_MAX + 64], reply[256];
    int bytes = snprintf(request, sizeof request, "{\"seq\":%" PRIu64 ",\"next_by_subj\":\"%s\"}",
                         position, d->filter);
    snprintf(reply, sizeof reply, "%s.%" PRIu64, d->name, position);
    return natsConnection_PublishRequest(d->connection, d->subject, reply, request, bytes);
}

static bool ask(nats_direct_t *d)
{
    uint64_t position, now_ns = tbus_clock_ns();
    if (now_ns < d->rest_ns)
        return true;
    while (nats_window_ask(&d->window, &position)) {
        if (ask_for(d, position) != NATS_OK)
            return false;
        d->moved_ns = now_ns;
    }
    return true;
}

/* What has not come, as from a server that stands still, another one may answer. */
static bool ask_again(nats_direct_t *d)
{
    uint64_t position = 0;
    if (tbus_clock_ns() - d->moved_ns < (uint64_t)ANSWER_MS * MS)
        return true;
    for (; nats_window_lacks(&d->window, &position); position++)
        if (ask_for(d, position) != NATS_OK)
            return false;
    d->moved_ns = tbus_clock_ns();
    return true;
}

/* ---- answers ---- */

/* The last value of a header that the server adds behind those of the message. */
static const char *added(natsMsg *msg, const char *key)
{
    const char **values = NULL;
    int count = 0;
    if (natsMsgHeader_Values(msg, key, &values, &count) != NATS_OK || count < 1)
        return NULL;
    const char *last = values[count - 1];
    free(values);
    return last;
}

/* Put an answer where it belongs. False: it is none. */
static bool keep(nats_direct_t *d, natsMsg *msg)
{
    const char *status = NULL, *at = added(msg, JSSequence);
    const char *token = strrchr(natsMsg_GetSubject(msg), '.');
    uint64_t position, stream_seq = 0;
    bool known = token && nats_number_read(token + 1, &position);
    if (known && at && nats_number_read(at, &stream_seq) && stream_seq > 0) {
        d->heard_ns = d->moved_ns;
        nats_window_put(&d->window, position, msg, stream_seq);
        return true;
    }
    bool unserved = natsMsg_IsNoResponders(msg); /* no server at hand has a replica */
    bool nothing = unserved || (natsMsgHeader_Get(msg, "Status", &status) == NATS_OK && status &&
                                strcmp(status, "404") == 0);
    natsMsg_Destroy(msg);
    if (!known || !nothing)
        return false;
    d->heard_ns = unserved ? d->heard_ns : d->moved_ns;
    nats_window_put(&d->window, position, NULL, 0);
    return true;
}

static enum nats_direct_outcome take(nats_direct_t *d, natsMsg **out_msg, const char **out_subject,
                                     uint64_t *out_stream_seq)
{
    void *message = NULL;
    enum nats_window_outcome outcome = nats_window_take(&d->window, &message, out_stream_seq);
    if (outcome == NATS_WINDOW_LATER)
        return NATS_DIRECT_NOTHING;
    if (outcome == NATS_WINDOW_NOTHING) {
        d->rest_ns = tbus_clock_ns() + (uint64_t)REST_MS * MS;
        return NATS_DIRECT_END;
    }
    const char *subject = message ? added(message, JSSubject) : NULL;
    if (!subject) {
        natsMsg_Destroy(message);
        return NATS_DIRECT_BROKEN;
    }
    *out_msg = message;
    *out_subject = subject;
    return NATS_DIRECT_MESSAGE;
}

static int64_t wait_of(const nats_direct_t *d, int64_t wait_ms)
{
    int64_t most_ms = d->rest_ns > tbus_clock_ns() ? REST_MS : ANSWER_MS;
    return wait_ms < most_ms ? wait_ms : most_ms;
}

enum nats_direct_outcome nats_direct_next(nats_direct_t *d, int64_t wait_ms, natsMsg **out_msg,
                                          const char **out_subject, uint64_t *out_stream_seq)
{
    for (;;) {
        enum nats_direct_outcome outcome = take(d, out_msg, out_subject, out_stream_seq);
        if (outcome != NATS_DIRECT_NOTHING)
            return outcome;
        if (!ask(d))
            return NATS_DIRECT_BROKEN;
        natsMsg *msg = NULL;
        natsStatus status = natsSubscription_NextMsg(&msg, d->inbox, wait_of(d, wait_ms));
        if (status == NATS_TIMEOUT)
            return ask_again(d) ? NATS_DIRECT_NOTHING : NATS_DIRECT_BROKEN;
        if (status != NATS_OK)
            return NATS_DIRECT_BROKEN;
        d->moved_ns = tbus_clock_ns();
        if (!keep(d, msg))
            return NATS_DIRECT_BROKEN;
    }
}
