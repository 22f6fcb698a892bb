/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/nats/url.h"

#include <stdlib.h>
#include <string.h>

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* ":PORT", or nothing. */
static bool is_port(const char *text)
{
    char *end;
    if (*text == 0)
        return true;
    if (*text != ':' || text[1] < '0' || text[1] > '9')
        return false;
    unsigned long port = strtoul(text + 1, &end, 10);
    return *end == 0 && port >= 1 && port <= 65535;
}

static bool is_server(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    const char *end = *host == '[' ? strchr(host, ']') : host + strcspn(host, ":");
    if (!end || end == host)
        return false;
    if (*host == '[')
        end++;
    for (const char *at = host; at < end; at++)
        if ((unsigned char)*at <= ' ' || strchr("/?#", *at))
            return false;
    return is_port(end);
}

static int check_one(const char *url, tbus_error_t *err)
{
    if (!starts_with(url, "nats://") && !starts_with(url, "tls://"))
        return tbus_fail(err, -TBUS_ECONFIG,
                         "'%s' is no NATS server: write nats://HOST:PORT or tls://HOST:PORT", url);
    if (strchr(url, '@'))
        return tbus_fail(err, -TBUS_ECONFIG,
                         "a NATS server is named without user and password, which everybody could "
                         "see: put them in a file (credentials)");
    if (!is_server(url))
        return tbus_fail(err, -TBUS_ECONFIG,
                         "'%s' is no NATS server: a host, and a port from 1 to 65535, were "
                         "expected: nats://HOST:4222",
                         url);
    return 0;
}

int nats_url_split(const char *text, char out_servers[NATS_SERVERS_MAX][NATS_URL_MAX],
                   tbus_error_t *err)
{
    int count = 0;
    for (const char *at = text;; at++) {
        size_t bytes = strcspn(at, ",");
        if (count == (int)NATS_SERVERS_MAX)
            return tbus_fail(err, -TBUS_ECONFIG, "more than %u NATS servers", NATS_SERVERS_MAX);
        if (bytes >= NATS_URL_MAX)
            return tbus_fail(err, -TBUS_ECONFIG, "a NATS server of %zu characters is none", bytes);
        memcpy(out_servers[count], at, bytes);
        out_servers[count][bytes] = 0;
        int code = check_one(out_servers[count], err);
        if (code < 0)
            return code;
        count++;
        at += bytes;
        if (*at == 0)
            return count;
    }
}

int nats_url_check(const char *text, tbus_error_t *err)
{
    char servers[NATS_SERVERS_MAX][NATS_URL_MAX];
    int count = nats_url_split(text, servers, err);
    return count < 0 ? count : 0;
}
