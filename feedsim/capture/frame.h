/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h - the UDP datagram in a captured frame: bytes alone, nothing of files or of what a
 * datagram means.
 *
 *    link header  Ethernet (IEEE 802.3), with any VLAN tags (802.1Q, 802.1ad); Linux "cooked" v1
 *                 and v2; BSD loopback; none, raw IP (tcpdump.org, "Link-layer header types")
 *    IPv4         RFC 791: options; total length, behind which there may be padding or a trailer
 *    IPv6         RFC 8200: extension headers
 *    UDP          RFC 768: its length, not the frame's, says how long the payload is
 *
 * Fragments are not put together: a feed that fits its MTU sends none, and half a datagram would be
 * worse than none. They are refused by name. Checksums are not looked at: whoever captures on the
 * sending host has none that are right.
 *
 * Bytes from outside: every length is checked against what was captured. On the data path: before
 * feedsim/capture/capture.h.
 */
#ifndef TICKBUS_FEEDSIM_CAPTURE_FRAME_H
#define TICKBUS_FEEDSIM_CAPTURE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum frame_link {
    FRAME_LINK_ETHERNET = 0,
    FRAME_LINK_RAW,
    FRAME_LINK_COOKED,
    FRAME_LINK_COOKED_V2,
    FRAME_LINK_LOOPBACK
};

/* What a frame holds. Whoever counts has an array of FRAME_KINDS. */
enum frame_kind {
    FRAME_DATAGRAM = 0, /* of UDP, whole */
    FRAME_FRAGMENT,     /* of an IP datagram that carries UDP */
    FRAME_CUT,          /* UDP, of which the capture holds a part: its snap length was too small */
    FRAME_MALFORMED,    /* IP or UDP whose lengths contradict each other */
    FRAME_TCP,
    FRAME_OTHER, /* anything else */
    FRAME_KINDS
};

/* A noun phrase, static, as "fragments of IP datagrams". */
const char *frame_kind_text(enum frame_kind kind);

typedef struct frame_endpoint {
    uint8_t address[16]; /* IPv6; an IPv4 address as ::ffff:a.b.c.d */
    uint16_t port;
} frame_endpoint_t;

static inline bool frame_endpoint_same(const frame_endpoint_t *a, const frame_endpoint_t *b)
{
    uint8_t other = 0;
    for (unsigned i = 0; i < 16; i++)
        other |= a->address[i] ^ b->address[i];
    return other == 0 && a->port == b->port;
}

typedef struct frame_datagram {
    frame_endpoint_t to;
    const uint8_t *payload; /* in the frame */
    size_t bytes;
} frame_datagram_t;

/* `captured` bytes are there of a frame that had `length`. `out_datagram` is written with
 * FRAME_DATAGRAM only. Hot. */
enum frame_kind frame_parse(enum frame_link link, const uint8_t *frame, size_t captured,
                            size_t length, frame_datagram_t *out_datagram);

/* "233.54.12.111:26477", "[ff15::1]:26477". */
#define FRAME_ENDPOINT_TEXT 64
void frame_endpoint_text(const frame_endpoint_t *endpoint, char out_text[FRAME_ENDPOINT_TEXT]);

/* The same read; the port may be left out: 0 then, and *out_any_port. False: it is no address. */
bool frame_endpoint_parse(const char *text, size_t bytes, frame_endpoint_t *out_endpoint,
                          bool *out_any_port);

#ifdef __cplusplus
}
#endif
#endif
