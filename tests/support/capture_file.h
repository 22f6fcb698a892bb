/* SPDX-License-Identifier: Apache-2.0 */
/* capture_file.h - captures for tests, built by hand: the headers of pcap (draft-ietf-opsawg-pcap)
 * and pcapng (draft-ietf-opsawg-pcapng) in either byte order, and Ethernet frames with UDP. */
#ifndef TICKBUS_TESTS_CAPTURE_FILE_H
#define TICKBUS_TESTS_CAPTURE_FILE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum capture_form { CAPTURE_PCAP_US, CAPTURE_PCAP_NS, CAPTURE_PCAPNG };

#define CAPTURE_FILE_MAX  65536u
#define CAPTURE_FRAME_MAX 2048u

typedef struct capture_file {
    enum capture_form form;
    bool big; /* endian: its headers */
    size_t count;
    uint8_t bytes[CAPTURE_FILE_MAX];
} capture_file_t;

/* How a frame is made up. */
typedef struct capture_frame {
    unsigned vlan_tags;
    unsigned trailing; /* bytes behind the IP datagram */
    bool ipv6;
    uint16_t fragment; /* the field of an IPv4 header */
    uint8_t group;     /* last byte of the address that it is sent to */
    uint16_t port;
} capture_frame_t;

static inline void capture_put(capture_file_t *f, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        f->bytes[f->count++] = (uint8_t)(value >> 8 * (f->big ? bytes - 1 - i : i));
}

static inline void capture_begin(capture_file_t *f, enum capture_form form, bool big)
{
    f->form = form;
    f->big = big;
    f->count = 0;
    if (form == CAPTURE_PCAPNG) { /* a section, and an interface whose times are nanoseconds */
        capture_put(f, 0x0a0d0d0a, 4);
        capture_put(f, 28, 4);
        capture_put(f, 0x1a2b3c4d, 4);
        capture_put(f, 1, 2);
        capture_put(f, 0, 2);
        capture_put(f, UINT64_MAX, 8);
        capture_put(f, 28, 4);
        capture_put(f, 1, 4);
        capture_put(f, 32, 4);
        capture_put(f, 1, 2); /* Ethernet */
        capture_put(f, 0, 2);
        capture_put(f, 0, 4);
        capture_put(f, 9, 2); /* if_tsresol: 10^-9 */
        capture_put(f, 1, 2);
        f->bytes[f->count++] = 9;
        f->count += 3;
        capture_put(f, 0, 4); /* the end of the options */
        capture_put(f, 32, 4);
        return;
    }
    capture_put(f, form == CAPTURE_PCAP_NS ? 0xa1b23c4d : 0xa1b2c3d4, 4);
    capture_put(f, 2, 2);
    capture_put(f, 4, 2);
    capture_put(f, 0, 8);
    capture_put(f, 65535, 4);
    capture_put(f, 1, 4);
}

/* `captured` bytes of a frame that has `bytes`. */
static inline void capture_add_frame(capture_file_t *f, uint64_t time_ns, const uint8_t *frame,
                                     size_t bytes, size_t captured)
{
    assert(f->count + captured + 64 <= sizeof f->bytes);
    size_t padding = -captured & 3;
    if (f->form == CAPTURE_PCAPNG) {
        uint32_t length = (uint32_t)(32 + captured + padding);
        capture_put(f, 6, 4);
        capture_put(f, length, 4);
        capture_put(f, 0, 4);
        capture_put(f, time_ns >> 32, 4);
        capture_put(f, time_ns & UINT32_MAX, 4);
        capture_put(f, captured, 4);
        capture_put(f, bytes, 4);
        memcpy(f->bytes + f->count, frame, captured);
        memset(f->bytes + f->count + captured, 0, padding);
        f->count += captured + padding;
        capture_put(f, length, 4);
        return;
    }
    capture_put(f, time_ns / 1000000000, 4);
    capture_put(f, time_ns % 1000000000 / (f->form == CAPTURE_PCAP_NS ? 1 : 1000), 4);
    capture_put(f, captured, 4);
    capture_put(f, bytes, 4);
    memcpy(f->bytes + f->count, frame, captured);
    f->count += captured;
}

static inline size_t capture_put_net(uint8_t *to, size_t at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[at + i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    return at + bytes;
}

/* An Ethernet frame with a UDP datagram; returns its bytes. */
static inline size_t capture_make_frame(uint8_t *to, const capture_frame_t *is, const void *payload,
                                        size_t bytes)
{
    size_t at = 12, udp = 8 + bytes;
    memset(to, 0, CAPTURE_FRAME_MAX);
    for (unsigned i = 0; i < is->vlan_tags; i++) {
        at = capture_put_net(to, at, i + 1 < is->vlan_tags ? 0x88a8 : 0x8100, 2);
        at = capture_put_net(to, at, 100 + i, 2);
    }
    at = capture_put_net(to, at, is->ipv6 ? 0x86dd : 0x0800, 2);
    if (is->ipv6) {
        at = capture_put_net(to, at, 0x60000000, 4);
        at = capture_put_net(to, at, udp, 2);
        at = capture_put_net(to, at, 17 << 8 | 1, 2);
        at += 16;
        at = capture_put_net(to, at, 0xff15, 2) + 13;
        to[at++] = is->group;
    } else {
        at = capture_put_net(to, at, 0x4500, 2);
        at = capture_put_net(to, at, 20 + udp, 2);
        at = capture_put_net(to, at, 0, 2);
        at = capture_put_net(to, at, is->fragment, 2);
        at = capture_put_net(to, at, 1 << 8 | 17, 2) + 2;
        at = capture_put_net(to, at, 0x0a000001, 4);
        at = capture_put_net(to, at, 0xe9360c00u + is->group, 4); /* 233.54.12.x */
    }
    at = capture_put_net(to, at, 4000, 2);
    at = capture_put_net(to, at, is->port, 2);
    at = capture_put_net(to, at, udp, 2) + 2;
    memcpy(to + at, payload, bytes);
    memset(to + at + bytes, 0xee, is->trailing);
    return at + bytes + is->trailing;
}

#endif
