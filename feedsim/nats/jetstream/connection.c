/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/jetstream/connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <nats/nats.h>

#include "feedsim/nats/answer.h"
#include "feedsim/nats/credentials.h"
#include "feedsim/nats/url.h"

#define PING_MS        2000 /* a server that is silent for three of them is given up */
#define PINGS_MAX      2
#define RECONNECT_MS   100
#define RECONNECTS_MAX 1000000000 /* for ever: 3 years */

bool nats_available(void)
{
    return true;
}

int nats_missing(const char *what, tbus_error_t *err)
{
    (void)what;
    (void)err;
    return 0;
}

int nats_status_fail(int status, const char *what, tbus_error_t *err)
{
    natsStatus last = NATS_OK;
    const char *said = nats_GetLastError(&last);
    const char *text = natsStatus_GetText((natsStatus)status);
    int code = -EIO;
    switch ((natsStatus)status) {
    case NATS_TIMEOUT:
        code = -ETIMEDOUT;
        break;
    case NATS_NO_SERVER:
    case NATS_NO_RESPONDERS:
        code = -ECONNREFUSED;
        break;
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
        code = -EACCES;
        break;
    case NATS_SSL_ERROR:
        code = -EPROTO;
        break;
    case NATS_NOT_FOUND:
        code = -TBUS_ENOTFOUND;
        break;
    case NATS_NO_MEMORY:
        code = -ENOMEM;
        break;
    case NATS_MAX_PAYLOAD:
        code = -EMSGSIZE;
        break;
    default:
        break;
    }
    if (last == (natsStatus)status && said && *said && strcmp(said, text) != 0) {
        char words[160]; /* those of a server, as a rule */
        snprintf(words, sizeof words, "%s", said);
        nats_words_clean(words);
        return tbus_fail(err, code, "%s: %s (%s)", what, text, words);
    }
    return tbus_fail(err, code, "%s: %s", what, text);
}

static natsStatus set_servers(natsOptions *o, const nats_way_t *way)
{
    char servers[NATS_SERVERS_MAX][NATS_URL_MAX];
    const char *list[NATS_SERVERS_MAX];
    int count = nats_url_split(way->url, servers, NULL);
    for (int i = 0; i < count; i++)
        list[i] = servers[i];
    return count < 0 ? NATS_INVALID_ARG : natsOptions_SetServers(o, list, count);
}

static natsStatus set_credentials(natsOptions *o, const nats_way_t *way,
                                  const nats_credentials_t *c)
{
    switch (c->kind) {
    case NATS_CREDENTIALS_USER:
        return natsOptions_SetUserInfo(o, c->user, c->secret);
    case NATS_CREDENTIALS_TOKEN:
        return natsOptions_SetToken(o, c->secret);
    case NATS_CREDENTIALS_CREDS:
        return natsOptions_SetUserCredentialsFromFiles(o, way->credentials, NULL);
    default:
        return NATS_OK;
    }
}

static bool is_set(const char *text)
{
    return text && *text;
}

bool nats_connection_is_secure(const nats_way_t *way)
{
    return is_set(way->ca) || is_set(way->certificate) || strstr(way->url, "tls://");
}

static natsStatus set_tls(natsOptions *o, const nats_way_t *way)
{
    natsStatus s = NATS_OK;
    if (nats_connection_is_secure(way))
        s = natsOptions_SetSecure(o, true);
    if (s == NATS_OK && is_set(way->ca))
        s = natsOptions_LoadCATrustedCertificates(o, way->ca);
    if (s == NATS_OK && is_set(way->certificate))
        s = natsOptions_LoadCertificatesChain(o, way->certificate, way->key);
    return s;
}

/* What the connection is to do when it breaks. */
static natsStatus set_times(natsOptions *o, const nats_way_t *way)
{
    natsStatus s = natsOptions_SetAllowReconnect(o, way->reconnects);
    if (s == NATS_OK && way->timeout_ms)
        s = natsOptions_SetTimeout(o, way->timeout_ms);
    if (s == NATS_OK && way->write_ms)
        s = natsOptions_SetWriteDeadline(o, way->write_ms);
    if (s == NATS_OK)
        s = natsOptions_SetPingInterval(o, PING_MS);
    if (s == NATS_OK)
        s = natsOptions_SetMaxPingsOut(o, PINGS_MAX);
    if (s == NATS_OK && way->reconnects)
        s = natsOptions_SetReconnectWait(o, RECONNECT_MS);
    if (s == NATS_OK && way->reconnects)
        s = natsOptions_SetMaxReconnect(o, RECONNECTS_MAX);
    if (s == NATS_OK)
        s = natsOptions_SetFailRequestsOnDisconnect(o, true);
    return s;
}

/* --- a socket that is taken: the library takes us for an event loop, which would tell it when to
 * read and when to write, and we never do. --- */

static natsStatus attach(void **out_data, void *loop, natsConnection *connection, natsSock fd)
{
    (void)connection;
    *out_data = loop;
    *(int *)loop = fd;
    return NATS_OK;
}

static natsStatus ignore(void *data, bool add)
{
    (void)data;
    (void)add;
    return NATS_OK;
}

static natsStatus detach(void *data)
{
    (void)data;
    return NATS_OK;
}

static natsStatus set_taken(natsOptions *o, int *fd)
{
    natsStatus s = natsOptions_SetEventLoop(o, fd, attach, ignore, ignore, detach);
    if (s == NATS_OK)
        s = natsOptions_SetSendAsap(o, true); /* else it has a thread that waits to send */
    if (s == NATS_OK)
        s = natsOptions_SetPingInterval(o, 0); /* nor a timer that would miss the answers */
    return s;
}

static int fail_option(natsStatus s, const char *what, tbus_error_t *err)
{
    nats_status_fail((int)s, what, err);
    if (err)
        err->code = -TBUS_ECONFIG;
    return -TBUS_ECONFIG;
}

/* `fd`: NULL: the socket is not taken. */
static int connect_with(natsOptions *o, const nats_way_t *way, const nats_credentials_t *c,
                        natsConnection **out, int *fd, tbus_error_t *err)
{
    char what[TBUS_ERROR_TEXT_MAX];
    natsStatus s = set_servers(o, way);
    if (s == NATS_OK)
        s = set_credentials(o, way, c);
    if (s != NATS_OK)
        return fail_option(s, "the credentials for NATS", err);
    s = set_tls(o, way);
    if (s != NATS_OK)
        return fail_option(s, "certificates for NATS cannot be used", err);
    s = set_times(o, way);
    if (s == NATS_OK && is_set(way->name))
        s = natsOptions_SetName(o, way->name);
    if (s == NATS_OK && fd)
        s = set_taken(o, fd);
    if (s != NATS_OK)
        return fail_option(s, "NATS", err);
    s = natsConnection_Connect(out, o);
    if (s == NATS_OK)
        return 0;
    snprintf(what, sizeof what, "cannot connect to NATS at %.160s", way->url);
    return nats_status_fail((int)s, what, err);
}

static int open_way(const nats_way_t *way, natsConnection **out_connection, int *fd,
                    tbus_error_t *err)
{
    nats_credentials_t credentials;
    natsOptions *o = NULL;
    int code = nats_url_check(way->url, err);
    if (code == 0)
        code = nats_credentials_read(way->credentials, &credentials, err);
    if (code < 0)
        return code;
    natsConnection *connection = NULL;
    natsStatus s = natsOptions_Create(&o);
    code = s == NATS_OK ? connect_with(o, way, &credentials, &connection, fd, err)
                        : nats_status_fail((int)s, "NATS", err);
    natsOptions_Destroy(o);
    explicit_bzero(&credentials, sizeof credentials);
    if (code == 0)
        *out_connection = connection;
    return code;
}

int nats_connection_open(const nats_way_t *way, natsConnection **out_connection, tbus_error_t *err)
{
    return open_way(way, out_connection, NULL, err);
}

int nats_connection_take(const nats_way_t *way, natsConnection **out_connection, int *out_fd,
                         tbus_error_t *err)
{
    return open_way(way, out_connection, out_fd, err);
}

void nats_connection_close(natsConnection *connection)
{
    natsConnection_Destroy(connection);
}

int nats_connection_listen(natsConnection *connection, const char *subject, natsSubscription **out)
{
    natsStatus status = natsConnection_SubscribeSync(out, connection, subject);
    return (int)(status == NATS_OK ? natsSubscription_SetPendingLimits(*out, -1, -1) : status);
}

void nats_connection_silence(natsConnection *connection)
{
    if (connection)
        natsConnection_Close(connection);
}
