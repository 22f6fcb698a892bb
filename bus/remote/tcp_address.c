/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/remote/tcp_address.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#define HOST_MAX 256u

/* The host of `text`, and where its port begins. */
static int split(const char *text, char out_host[HOST_MAX], const char **out_port)
{
    const char *end, *host = text;
    if (*text == '[') {
        host++;
        end = strchr(text, ']');
        if (!end || end[1] != ':')
            return -EINVAL;
        *out_port = end + 2;
    } else {
        end = strrchr(text, ':');
        if (!end || memchr(text, ':', (size_t)(end - text))) /* a bare IPv6 address is ambiguous */
            return -EINVAL;
        *out_port = end + 1;
    }
    size_t bytes = (size_t)(end - host);
    if (bytes == 0 || bytes >= HOST_MAX)
        return -EINVAL;
    memcpy(out_host, host, bytes);
    out_host[bytes] = 0;
    return 0;
}

static int port_is_wrong(const char *port)
{
    size_t digits = strspn(port, "0123456789");
    long number = strtol(port, NULL, 10);
    return digits == 0 || digits > 5 || port[digits] || number < 1 || number > 65535;
}

int tcp_address_find(const char *text, tcp_address_t out_addresses[TCP_ADDRESSES_MAX],
                     tbus_error_t *err)
{
    char host[HOST_MAX];
    const char *port;
    if (split(text, host, &port) < 0 || port_is_wrong(port))
        return tbus_fail(err, -EINVAL,
                         "'%s' is no server: write HOST:PORT, or [ADDRESS]:PORT for IPv6", text);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list;
    int code = getaddrinfo(host, port, &hints, &list);
    if (code != 0)
        return tbus_fail(err, -ENXIO, "the host '%s' is not found: %s", host,
                         code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
    int count = 0;
    for (const struct addrinfo *a = list; a && count < (int)TCP_ADDRESSES_MAX; a = a->ai_next) {
        if (a->ai_addrlen > sizeof out_addresses[0].address)
            continue;
        memcpy(&out_addresses[count].address, a->ai_addr, a->ai_addrlen);
        out_addresses[count++].bytes = a->ai_addrlen;
    }
    freeaddrinfo(list);
    return count ? count : tbus_fail(err, -ENXIO, "the host '%s' has no address", host);
}
