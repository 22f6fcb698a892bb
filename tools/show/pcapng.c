/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/pcapng.h"

#include <stdlib.h>
#include <string.h>

#define ETHERNET_BYTES 14u
#define IP_BYTES       20u
#define UDP_BYTES      8u
#define MOLD_BYTES     20u
#define MOLD_AT        (ETHERNET_BYTES + IP_BYTES + UDP_BYTES)
#define MESSAGES_AT    (MOLD_AT + MOLD_BYTES)
#define FRAME_MAX      (ETHERNET_BYTES + 65535u)
#define SESSION_CHARS  10u
#define COUNT_MAX      0xfffeu
#define END_OF_SESSION 0xffffu
#define OPTIONS_MAX    160u /* of a block */

struct pcapng {
    FILE *out; /* not owned */
    uint64_t started_realtime_ns;
    uint64_t first_seq; /* of the packet in hand */
    uint64_t time_ns;   /* of it */
    uint16_t count;     /* messages in it; 0: there is none */
    uint16_t packet;    /* number, for the IP header */
    size_t bytes;       /* of the frame in hand */
    char session[SESSION_CHARS];
    uint8_t frame[FRAME_MAX + 3]; /* and room to pad it */
};

/* ---- blocks: section 3.1. All in the byte order of this host, which the section header tells */

typedef struct block {
    uint32_t used;
    uint8_t bytes[OPTIONS_MAX];
} block_t;

static void add(block_t *b, const void *data, size_t bytes)
{
    memcpy(b->bytes + b->used, data, bytes);
    b->used += (uint32_t)bytes;
}

static void add_u16(block_t *b, uint16_t value)
{
    add(b, &value, sizeof value);
}

static void add_u32(block_t *b, uint32_t value)
{
    add(b, &value, sizeof value);
}

static uint32_t padding(size_t bytes)
{
    return (uint32_t)(-bytes & 3);
}

/* Section 3.5: code, length, value padded to 32 bits. */
static void add_option(block_t *b, uint16_t code, const void *value, size_t bytes)
{
    add_u16(b, code);
    add_u16(b, (uint16_t)bytes);
    add(b, value, bytes);
    add(b, "\0\0\0", padding(bytes));
}

/* The length stands before and behind the body. */
static void put_block(FILE *out, uint32_t type, const block_t *body, const void *data, size_t bytes)
{
    uint32_t length = 12 + body->used + (uint32_t)bytes;
    const uint32_t head[2] = {type, length};
    fwrite_unlocked(head, 1, sizeof head, out);
    fwrite_unlocked(body->bytes, 1, body->used, out);
    fwrite_unlocked(data, 1, bytes, out);
    fwrite_unlocked(&length, 1, sizeof length, out);
}

/* Section 4.1. */
static void put_section_header(FILE *out)
{
    block_t b = {0};
    const uint64_t length_unknown = UINT64_MAX;
    add_u32(&b, 0x1a2b3c4d); /* byte-order magic */
    add_u16(&b, 1);          /* version 1.0 */
    add_u16(&b, 0);
    add(&b, &length_unknown, sizeof length_unknown);
    add_option(&b, 4, "tickbus", 7); /* shb_userappl */
    add_option(&b, 0, "", 0);        /* opt_endofopt */
    put_block(out, 0x0a0d0d0a, &b, "", 0);
}

/* Section 4.2. */
static void put_interface(FILE *out, const char *name)
{
    block_t b = {0};
    const uint8_t nanoseconds = 9; /* 10^-9 s */
    add_u16(&b, 1);                /* LINKTYPE_ETHERNET */
    add_u16(&b, 0);
    add_u32(&b, 0);                             /* snaplen: no limit */
    add_option(&b, 2, name, strnlen(name, 63)); /* if_name */
    add_option(&b, 9, &nanoseconds, 1);         /* if_tsresol */
    add_option(&b, 0, "", 0);
    put_block(out, 1, &b, "", 0);
}

/* Section 4.3, without options. */
static void put_packet(pcapng_t *p)
{
    block_t b = {0};
    uint64_t at_ns = p->started_realtime_ns + p->time_ns;
    uint32_t padded = padding(p->bytes);
    add_u32(&b, 0); /* interface */
    add_u32(&b, (uint32_t)(at_ns >> 32));
    add_u32(&b, (uint32_t)at_ns);
    add_u32(&b, (uint32_t)p->bytes); /* captured */
    add_u32(&b, (uint32_t)p->bytes); /* on the network */
    memset(p->frame + p->bytes, 0, padded);
    put_block(p->out, 6, &b, p->frame, p->bytes + padded);
}

/* ---- the frame */

static void put_be16(uint8_t *at, uint64_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put_be32(uint8_t *at, uint64_t value)
{
    put_be16(at, value >> 16);
    put_be16(at + 2, value);
}

static void put_be64(uint8_t *at, uint64_t value)
{
    put_be32(at, value >> 32);
    put_be32(at + 4, value);
}

/* RFC 1071: the sum of 16-bit words, with the carries added. */
static uint32_t sum_words(uint32_t sum, const uint8_t *at, size_t bytes)
{
    for (; bytes > 1; at += 2, bytes -= 2)
        sum += (uint32_t)at[0] << 8 | at[1];
    return bytes ? sum + ((uint32_t)at[0] << 8) : sum;
}

static uint16_t checksum(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

#define IP_UDP 17u

/* RFC 791, section 3.1. */
static void fill_ip(uint8_t *ip, size_t bytes, uint16_t packet)
{
    static const uint8_t addresses[8] = {192, 0, 2, 1, 239, 255, 64, 64};
    ip[0] = 0x45; /* version 4, five words */
    ip[1] = 0;
    put_be16(ip + 2, bytes);
    put_be16(ip + 4, packet);
    put_be16(ip + 6, 0x4000); /* don't fragment */
    ip[8] = 1;                /* time to live: this link */
    ip[9] = IP_UDP;
    put_be16(ip + 10, 0);
    memcpy(ip + 12, addresses, sizeof addresses);
    put_be16(ip + 10, checksum(sum_words(0, ip, IP_BYTES)));
}

/* RFC 768. The checksum covers the addresses as well; one that is 0 is sent as all ones. */
static void fill_udp(uint8_t *udp, size_t bytes, const uint8_t *addresses)
{
    put_be16(udp, PCAPNG_PORT);
    put_be16(udp + 2, PCAPNG_PORT);
    put_be16(udp + 4, bytes);
    put_be16(udp + 6, 0);
    uint32_t sum = sum_words(IP_UDP + (uint32_t)bytes, addresses, 8);
    uint16_t check = checksum(sum_words(sum, udp, bytes));
    put_be16(udp + 6, check ? check : 0xffff);
}

static void send_frame(pcapng_t *p, uint64_t seq, uint16_t count)
{
    /* RFC 1112, section 6.4: the low 23 bits of the group; a locally administered sender */
    static const uint8_t ethernet[ETHERNET_BYTES] = {0x01, 0x00, 0x5e, 0x7f, 0x40, 0x40, 0x02,
                                                     0x00, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00};
    uint8_t *ip = p->frame + ETHERNET_BYTES, *mold = p->frame + MOLD_AT;
    memcpy(p->frame, ethernet, sizeof ethernet);
    memcpy(mold, p->session, SESSION_CHARS);
    put_be64(mold + 10, seq);
    put_be16(mold + 18, count);
    fill_ip(ip, p->bytes - ETHERNET_BYTES, p->packet++);
    fill_udp(ip + IP_BYTES, p->bytes - ETHERNET_BYTES - IP_BYTES, ip + 12);
    put_packet(p);
}

/* ---- messages */

pcapng_t *pcapng_create(FILE *out, const char *session_name, const char *interface,
                        uint64_t started_realtime_ns, uint64_t first_seq)
{
    pcapng_t *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->out = out;
    p->started_realtime_ns = started_realtime_ns;
    p->first_seq = first_seq;
    memset(p->session, ' ', sizeof p->session);
    memcpy(p->session, session_name, strnlen(session_name, sizeof p->session));
    put_section_header(out);
    put_interface(out, interface);
    return p;
}

void pcapng_flush(pcapng_t *p)
{
    if (p->count == 0)
        return;
    send_frame(p, p->first_seq, p->count);
    p->first_seq += p->count;
    p->count = 0;
}

bool pcapng_put(pcapng_t *p, uint64_t seq, uint64_t time_ns, const void *message, size_t bytes)
{
    if (bytes > PCAPNG_MESSAGE_MAX)
        return false;
    if (p->count == COUNT_MAX || time_ns != p->time_ns || seq != p->first_seq + p->count ||
        p->bytes - MESSAGES_AT + 2 + bytes > PCAPNG_MESSAGES_BYTES)
        pcapng_flush(p);
    if (p->count == 0) {
        p->first_seq = seq;
        p->time_ns = time_ns;
        p->bytes = MESSAGES_AT;
    }
    put_be16(p->frame + p->bytes, bytes);
    memcpy(p->frame + p->bytes + 2, message, bytes);
    p->bytes += 2 + bytes;
    p->count++;
    return true;
}

void pcapng_end_session(pcapng_t *p)
{
    pcapng_flush(p);
    p->bytes = MESSAGES_AT;
    send_frame(p, p->first_seq, END_OF_SESSION);
}

void pcapng_destroy(pcapng_t *p)
{
    free(p);
}
