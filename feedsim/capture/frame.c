/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/capture/frame.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAGS_MAX       8u /* VLAN tags, and IPv6 extension headers: a bound, not a rule */
#define UDP_BYTES      8u
#define IPV4_BYTES_MIN 20u
#define IPV6_BYTES     40u

enum { ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_IPV6 = 0x86dd };
enum { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };
/* of IPv6: extension headers that may stand before UDP (RFC 8200, section 4; RFC 4302) */
enum { HEADER_HOPS = 0, HEADER_ROUTING = 43, HEADER_FRAGMENT = 44, HEADER_AH = 51, HEADER_TO = 60 };

/* What is left of the frame: `left` bytes were captured, `more` were not. */
typedef struct rest {
    const uint8_t *at;
    size_t left;
    size_t more;
} rest_t;

static inline uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void step(rest_t *r, size_t bytes)
{
    r->at += bytes;
    r->left -= bytes;
}

/* Fewer bytes are there than the header says: the capture's doing, or the sender's. */
static enum frame_kind too_short(const rest_t *r)
{
    return r->more ? FRAME_CUT : FRAME_MALFORMED;
}

const char *frame_kind_text(enum frame_kind kind)
{
    static const char *const texts[FRAME_KINDS] = {
        [FRAME_DATAGRAM] = "UDP datagrams",
        [FRAME_FRAGMENT] = "fragments of IP datagrams, which are not put together",
        [FRAME_CUT] = "datagrams that the capture's snap length has cut",
        [FRAME_MALFORMED] = "frames whose lengths contradict each other",
        [FRAME_TCP] = "TCP segments",
        [FRAME_OTHER] = "frames without UDP",
    };
    return kind < FRAME_KINDS ? texts[kind] : "frames";
}

static bool is_vlan(uint16_t type)
{
    return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

/* Ethernet's type field is at `type_at`; VLAN tags follow it. False: there is none. */
static bool skip_ethernet(rest_t *r, size_t type_at, uint16_t *out_type)
{
    if (r->left < type_at + 2)
        return false;
    uint16_t type = get_u16(r->at + type_at);
    step(r, type_at + 2);
    for (unsigned tags = 0; is_vlan(type) && tags < TAGS_MAX && r->left >= 4; tags++) {
        type = get_u16(r->at + 2);
        step(r, 4);
    }
    *out_type = type;
    return true;
}

static bool skip_cooked_v2(rest_t *r, uint16_t *out_type)
{
    if (r->left < 20)
        return false;
    *out_type = get_u16(r->at);
    step(r, 20);
    return true;
}

/* By the IP header's own version. */
static bool look_at_version(const rest_t *r, uint16_t *out_type)
{
    if (r->left < 1)
        return false;
    unsigned version = r->at[0] >> 4;
    *out_type = version == 4 ? ETHERTYPE_IPV4 : version == 6 ? ETHERTYPE_IPV6 : 0;
    return true;
}

static bool skip_link(enum frame_link link, rest_t *r, uint16_t *out_type)
{
    switch (link) {
    case FRAME_LINK_ETHERNET:
        return skip_ethernet(r, 12, out_type);
    case FRAME_LINK_COOKED:
        return skip_ethernet(r, 14, out_type);
    case FRAME_LINK_COOKED_V2:
        return skip_cooked_v2(r, out_type);
    case FRAME_LINK_LOOPBACK: /* its family is in the byte order of whoever captured */
        if (r->left < 4)
            return false;
        step(r, 4);
        return look_at_version(r, out_type);
    default:
        return look_at_version(r, out_type);
    }
}

static enum frame_kind take_udp(const rest_t *r, frame_datagram_t *d)
{
    if (r->left < UDP_BYTES)
        return too_short(r);
    size_t length = get_u16(r->at + 4);
    if (length < UDP_BYTES)
        return FRAME_MALFORMED;
    if (length > r->left)
        return too_short(r);
    d->to.port = get_u16(r->at + 2);
    d->payload = r->at + UDP_BYTES;
    d->bytes = length - UDP_BYTES;
    return FRAME_DATAGRAM;
}

/* IP says that `bytes` bytes follow: what is behind them is padding or a trailer. False: it says
 * more than the frame had. */
static bool limit(rest_t *r, size_t bytes)
{
    if (bytes > r->left + r->more)
        return false;
    if (bytes <= r->left) {
        r->left = bytes;
        r->more = 0;
    } else {
        r->more = bytes - r->left;
    }
    return true;
}

static enum frame_kind of_protocol(uint8_t protocol)
{
    return protocol == PROTOCOL_TCP ? FRAME_TCP : FRAME_OTHER;
}

static enum frame_kind take_ipv4(rest_t *r, frame_datagram_t *d)
{
    if (r->left < IPV4_BYTES_MIN)
        return too_short(r);
    size_t header = (size_t)(r->at[0] & 15) * 4, total = get_u16(r->at + 2);
    uint8_t protocol = r->at[9];
    if (r->at[0] >> 4 != 4 || header < IPV4_BYTES_MIN)
        return FRAME_MALFORMED;
    if (protocol != PROTOCOL_UDP)
        return of_protocol(protocol);
    if (get_u16(r->at + 6) & 0x3fff) /* more fragments, or an offset */
        return FRAME_FRAGMENT;
    if (total < header || !limit(r, total))
        return FRAME_MALFORMED;
    if (r->left < header)
        return too_short(r);
    memset(d->to.address, 0, 10);
    memset(d->to.address + 10, 0xff, 2);
    memcpy(d->to.address + 12, r->at + 16, 4);
    step(r, header);
    return take_udp(r, d);
}

static bool is_extension(uint8_t header)
{
    return header == HEADER_HOPS || header == HEADER_ROUTING || header == HEADER_AH ||
           header == HEADER_TO;
}

static enum frame_kind take_ipv6(rest_t *r, frame_datagram_t *d)
{
    if (r->left < IPV6_BYTES)
        return too_short(r);
    if (r->at[0] >> 4 != 6)
        return FRAME_MALFORMED;
    uint8_t next = r->at[6];
    memcpy(d->to.address, r->at + 24, 16);
    size_t payload = get_u16(r->at + 4);
    step(r, IPV6_BYTES);
    if (!limit(r, payload))
        return FRAME_MALFORMED;
    for (unsigned i = 0; i < TAGS_MAX && (is_extension(next) || next == HEADER_FRAGMENT); i++) {
        if (r->left < 8)
            return too_short(r);
        /* offset and M zero: the whole datagram is in it (RFC 6946) */
        if (next == HEADER_FRAGMENT && (get_u16(r->at + 2) & 0xfff9) != 0)
            return r->at[0] == PROTOCOL_UDP ? FRAME_FRAGMENT : of_protocol(r->at[0]);
        size_t bytes = next == HEADER_FRAGMENT ? 8
                       : next == HEADER_AH     ? ((size_t)r->at[1] + 2) * 4
                                               : ((size_t)r->at[1] + 1) * 8;
        if (bytes > r->left)
            return too_short(r);
        next = r->at[0];
        step(r, bytes);
    }
    return next == PROTOCOL_UDP ? take_udp(r, d) : of_protocol(next);
}

enum frame_kind frame_parse(enum frame_link link, const uint8_t *frame, size_t captured,
                            size_t length, frame_datagram_t *out_datagram)
{
    rest_t r = {.at = frame, .left = captured, .more = length > captured ? length - captured : 0};
    frame_datagram_t d;
    uint16_t type;
    enum frame_kind kind = FRAME_OTHER;
    if (!skip_link(link, &r, &type))
        return FRAME_OTHER;
    if (type == ETHERTYPE_IPV4)
        kind = take_ipv4(&r, &d);
    else if (type == ETHERTYPE_IPV6)
        kind = take_ipv6(&r, &d);
    if (kind == FRAME_DATAGRAM)
        *out_datagram = d;
    return kind;
}

static bool is_ipv4(const frame_endpoint_t *endpoint)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(endpoint->address, mapped, sizeof mapped) == 0;
}

void frame_endpoint_text(const frame_endpoint_t *endpoint, char out_text[FRAME_ENDPOINT_TEXT])
{
    char address[INET6_ADDRSTRLEN] = "?";
    if (is_ipv4(endpoint)) {
        inet_ntop(AF_INET, endpoint->address + 12, address, sizeof address);
        snprintf(out_text, FRAME_ENDPOINT_TEXT, "%s:%u", address, endpoint->port);
    } else {
        inet_ntop(AF_INET6, endpoint->address, address, sizeof address);
        snprintf(out_text, FRAME_ENDPOINT_TEXT, "[%s]:%u", address, endpoint->port);
    }
}

/* "26477", to its end. */
static bool parse_port(const char *text, uint16_t *out_port)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || port > UINT16_MAX)
        return false;
    *out_port = (uint16_t)port;
    return true;
}

bool frame_endpoint_parse(const char *text, size_t bytes, frame_endpoint_t *out_endpoint,
                          bool *out_any_port)
{
    char copy[FRAME_ENDPOINT_TEXT];
    frame_endpoint_t e = {.address = {[10] = 0xff, [11] = 0xff}};
    if (bytes >= sizeof copy)
        return false;
    memcpy(copy, text, bytes);
    copy[bytes] = 0;
    bool six = copy[0] == '[';
    char *address = copy + six, *end = strchr(copy, six ? ']' : ':'), *port = end;
    if (six && !end)
        return false;
    if (end)
        *end = 0;
    if (six)
        port = end[1] == ':' ? end + 1 : NULL;
    if (six && end[1] && !port)
        return false;
    if (inet_pton(six ? AF_INET6 : AF_INET, address, e.address + (six ? 0 : 12)) != 1 ||
        (port && !parse_port(port + 1, &e.port)))
        return false;
    *out_endpoint = e;
    *out_any_port = port == NULL;
    return true;
}
