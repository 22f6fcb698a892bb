/* SPDX-License-Identifier: Apache-2.0 */
/* mold.h - the packets of MoldUDP64, and how they are read and written: bytes and sequences,
 * nothing of sockets, of time or of what a message means.
 *
 * Source: NASDAQ, "MoldUDP64 Protocol Specification", V 1.00: downstream packet, heartbeats, end of
 * session, request packet. One packet is one UDP datagram.
 *
 *    downstream   session 10  sequence 8  count 2  then `count` blocks: length 2, message
 *    heartbeat    the same header, count 0: nothing was sent for a second
 *    end          the same header, count 0xffff: the session is over; repeated for a while
 *    request      session 10  sequence 8  count 2; from a client to a re-request server: 20 bytes
 *
 * All numbers are big endian. The session is ASCII, padded with spaces on its right; it is compared
 * as ten bytes. `sequence` is that of the packet's first message, the following ones count up by
 * one, and the first message of a session is 1. In a heartbeat and an end it is that of the next
 * message, so that both show what was lost before them. A message may have no bytes: it has its
 * sequence all the same (tickbus sends the mark at the end of a file so).
 *
 * The answer to a request is a downstream packet to the address that asked. It may hold fewer
 * messages than were asked for; the client asks for the rest.
 *
 * Bytes from outside: whatever they are, mold_parse and mold_parse_request take a packet whole or
 * refuse it with the reason, and read nothing beyond it. What passed mold_parse can be gone through
 * with mold_next without looking any more.
 *
 * Pure functions, any thread, no allocation. On top of it: bus/wire/mold_receiver.h.
 */
#ifndef TICKBUS_WIRE_MOLD_H
#define TICKBUS_WIRE_MOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOLD_SESSION_BYTES  10u
#define MOLD_HEADER_BYTES   20u
#define MOLD_LENGTH_BYTES   2u      /* before each message */
#define MOLD_COUNT_MAX      65534u  /* messages in a packet */
#define MOLD_END_OF_SESSION 0xffffu /* in the place of the count */
#define MOLD_MESSAGE_MAX    65535u  /* bytes, by its length field */
#define MOLD_DATAGRAM_MAX   65507u  /* what UDP over IPv4 carries */
/* Of a datagram, header included: what fits the usual MTU of 1,500 with IP and UDP around it, and
 * some bytes of a tunnel. */
#define MOLD_DATAGRAM_USUAL 1400u

enum mold_kind {
    MOLD_DATA = 0, /* one message or more */
    MOLD_HEARTBEAT,
    MOLD_END
};

/* Why a packet was refused. Whoever counts has an array of MOLD_FAULTS. */
enum mold_fault {
    MOLD_GOOD = 0,
    MOLD_SHORT,             /* no whole header */
    MOLD_MISSING,           /* it ends before the length field of a message that it counts */
    MOLD_OVERRUN,           /* the length of a message reaches beyond the end */
    MOLD_TRAILING,          /* bytes behind the last message, or behind a header that has none */
    MOLD_SEQUENCE_OVERFLOW, /* its last message would be beyond the last sequence */
    MOLD_SEQUENCE_ZERO,     /* sequences begin with 1 */
    MOLD_NOTHING_ASKED,     /* a request for 0 messages */
    MOLD_FAR,               /* far ahead of all that was seen, and no other packet says so */
    MOLD_AFTER_END,         /* a message that the session ended before; an end before a message */
    MOLD_FAULTS
};

/* Half a sentence, static: "a packet is refused: TEXT". */
const char *mold_fault_text(enum mold_fault fault);

/* A packet, in the datagram that it was parsed from. */
typedef struct mold_packet {
    uint8_t session[MOLD_SESSION_BYTES];
    uint16_t count; /* messages; 0 unless `kind` is MOLD_DATA */
    enum mold_kind kind;
    uint64_t sequence;
    const uint8_t *blocks; /* the length field of the first message */
} mold_packet_t;

/* The whole of a datagram. MOLD_GOOD, or why it is none; MOLD_SEQUENCE_ZERO is not looked at, nor
 * MOLD_AFTER_END. `out_packet` is written with MOLD_GOOD only. Hot: no division, no copy of
 * messages; it walks over the length fields. */
enum mold_fault mold_parse(const uint8_t *datagram, size_t bytes, mold_packet_t *out_packet);

/* The message whose length field is at `at`; returns where the next one's would be. */
static inline const uint8_t *mold_next(const uint8_t *at, const uint8_t **out_message,
                                       size_t *out_bytes)
{
    *out_bytes = (size_t)at[0] << 8 | at[1];
    *out_message = at + MOLD_LENGTH_BYTES;
    return *out_message + *out_bytes;
}

typedef struct mold_request {
    uint8_t session[MOLD_SESSION_BYTES];
    uint16_t count; /* 1..65535: as many as a server has is for it to say */
    uint64_t sequence;
} mold_request_t;

/* MOLD_GOOD; MOLD_SHORT, MOLD_TRAILING (it has 20 bytes and nothing else), MOLD_SEQUENCE_ZERO,
 * MOLD_NOTHING_ASKED. */
enum mold_fault mold_parse_request(const uint8_t *datagram, size_t bytes,
                                   mold_request_t *out_request);

/* Ten bytes of a text of at most ten characters. */
void mold_session_put(uint8_t to[MOLD_SESSION_BYTES], const char *text);

/* For people: without the padding; what is not printable ASCII is a '.', and zeros at its end are
 * padding, too. */
void mold_session_text(const uint8_t session[MOLD_SESSION_BYTES],
                       char out_text[MOLD_SESSION_BYTES + 1]);

/* Header alone, 20 bytes: `count` 0 for a heartbeat, MOLD_END_OF_SESSION for an end; of a request
 * the messages that are wanted. */
void mold_put_header(uint8_t to[MOLD_HEADER_BYTES], const uint8_t session[MOLD_SESSION_BYTES],
                     uint64_t sequence, uint16_t count);

/* ---- a downstream packet that is being filled ----
 *
 *    mold_begin(&w, buffer, MOLD_DATAGRAM_USUAL, session, sequence);
 *    while (... && mold_add(&w, message, bytes)) ...
 *    if (w.count) send(buffer, w.bytes);
 *
 * The count in the buffer is right after every step. */
typedef struct mold_writer {
    uint8_t *to;
    size_t room; /* bytes of the datagram at most */
    size_t bytes;
    uint32_t count;
} mold_writer_t;

/* Requires room for a header. The buffer is the caller's; without a message it is a heartbeat. */
void mold_begin(mold_writer_t *w, uint8_t *to, size_t room,
                const uint8_t session[MOLD_SESSION_BYTES], uint64_t sequence);

/* Does one more message fit? One that fits no packet of that size at all never does. */
static inline bool mold_fits(const mold_writer_t *w, size_t message_bytes)
{
    return message_bytes <= MOLD_MESSAGE_MAX && w->count < MOLD_COUNT_MAX &&
           w->room - w->bytes >= MOLD_LENGTH_BYTES + message_bytes;
}

/* `count` more messages, with the length in front of each, were written behind the last one by the
 * caller, who has made sure that they fit: `bytes` bytes in all. */
static inline void mold_extend(mold_writer_t *w, uint32_t count, size_t bytes)
{
    w->bytes += bytes;
    w->count += count;
    w->to[MOLD_HEADER_BYTES - 2] = (uint8_t)(w->count >> 8);
    w->to[MOLD_HEADER_BYTES - 1] = (uint8_t)w->count;
}

/* Puts in the length of the next message, which the caller writes where it says; NULL: it does not
 * fit. Hot. */
static inline uint8_t *mold_reserve(mold_writer_t *w, size_t message_bytes)
{
    if (!mold_fits(w, message_bytes))
        return NULL;
    uint8_t *at = w->to + w->bytes;
    at[0] = (uint8_t)(message_bytes >> 8);
    at[1] = (uint8_t)message_bytes;
    mold_extend(w, 1, MOLD_LENGTH_BYTES + message_bytes);
    return at + MOLD_LENGTH_BYTES;
}

/* The next message; false: it does not fit, and nothing has changed. Hot. */
static inline bool mold_add(mold_writer_t *w, const void *message, size_t bytes)
{
    uint8_t *at = mold_reserve(w, bytes);
    if (at && bytes)
        memcpy(at, message, bytes);
    return at != NULL;
}

#ifdef __cplusplus
}
#endif
#endif
