/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/wire/mold.h"

#include <assert.h>
#include <endian.h>

/* Where the fields are in a header. */
enum { SEQUENCE_AT = MOLD_SESSION_BYTES, COUNT_AT = SEQUENCE_AT + 8 };
_Static_assert(SEQUENCE_AT == 10 && COUNT_AT == 18, "as the specification has it");
_Static_assert(COUNT_AT + 2 == MOLD_HEADER_BYTES, "a header is nothing else");

static inline uint64_t get_u64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return be64toh(value);
}

static inline void put_u64(uint8_t *at, uint64_t value)
{
    value = htobe64(value);
    memcpy(at, &value, sizeof value);
}

static inline uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

const char *mold_fault_text(enum mold_fault fault)
{
    static const char *const texts[MOLD_FAULTS] = {
        [MOLD_GOOD] = "it is good",
        [MOLD_SHORT] = "it is shorter than a header",
        [MOLD_MISSING] = "it counts more messages than it has",
        [MOLD_OVERRUN] = "the length of a message reaches beyond its end",
        [MOLD_TRAILING] = "it has bytes behind its last message",
        [MOLD_SEQUENCE_OVERFLOW] = "its messages would go beyond the last sequence",
        [MOLD_SEQUENCE_ZERO] = "its sequence is 0, and sequences begin with 1",
        [MOLD_NOTHING_ASKED] = "it asks for no message",
        [MOLD_FAR] = "its sequence is far ahead of all others",
        [MOLD_AFTER_END] = "it contradicts the end of the session",
    };
    return fault < MOLD_FAULTS ? texts[fault] : "it is wrong";
}

/* Are there `count` blocks, and nothing else, in that many bytes? */
static enum mold_fault walk(const uint8_t *at, size_t left, uint32_t count)
{
    for (; count > 0; count--) {
        if (left < MOLD_LENGTH_BYTES)
            return MOLD_MISSING;
        size_t block = MOLD_LENGTH_BYTES + (size_t)get_u16(at);
        if (block > left)
            return MOLD_OVERRUN;
        at += block;
        left -= block;
    }
    return left ? MOLD_TRAILING : MOLD_GOOD;
}

enum mold_fault mold_parse(const uint8_t *datagram, size_t bytes, mold_packet_t *out_packet)
{
    if (bytes < MOLD_HEADER_BYTES)
        return MOLD_SHORT;
    uint16_t count = get_u16(datagram + COUNT_AT);
    uint64_t sequence = get_u64(datagram + SEQUENCE_AT);
    enum mold_kind kind = count == 0                     ? MOLD_HEARTBEAT
                          : count == MOLD_END_OF_SESSION ? MOLD_END
                                                         : MOLD_DATA;
    count = kind == MOLD_DATA ? count : 0;
    enum mold_fault fault = walk(datagram + MOLD_HEADER_BYTES, bytes - MOLD_HEADER_BYTES, count);
    if (fault != MOLD_GOOD)
        return fault;
    if (sequence > UINT64_MAX - count)
        return MOLD_SEQUENCE_OVERFLOW;
    memcpy(out_packet->session, datagram, MOLD_SESSION_BYTES);
    out_packet->count = count;
    out_packet->kind = kind;
    out_packet->sequence = sequence;
    out_packet->blocks = datagram + MOLD_HEADER_BYTES;
    return MOLD_GOOD;
}

enum mold_fault mold_parse_request(const uint8_t *datagram, size_t bytes,
                                   mold_request_t *out_request)
{
    mold_request_t request;
    if (bytes != MOLD_HEADER_BYTES)
        return bytes < MOLD_HEADER_BYTES ? MOLD_SHORT : MOLD_TRAILING;
    memcpy(request.session, datagram, MOLD_SESSION_BYTES);
    request.sequence = get_u64(datagram + SEQUENCE_AT);
    request.count = get_u16(datagram + COUNT_AT);
    if (request.sequence == 0)
        return MOLD_SEQUENCE_ZERO;
    if (request.count == 0)
        return MOLD_NOTHING_ASKED;
    *out_request = request;
    return MOLD_GOOD;
}

void mold_session_put(uint8_t to[MOLD_SESSION_BYTES], const char *text)
{
    size_t bytes = strlen(text);
    assert(bytes <= MOLD_SESSION_BYTES);
    memset(to, ' ', MOLD_SESSION_BYTES);
    memcpy(to, text, bytes);
}

void mold_session_text(const uint8_t session[MOLD_SESSION_BYTES],
                       char out_text[MOLD_SESSION_BYTES + 1])
{
    size_t bytes = MOLD_SESSION_BYTES;
    while (bytes && (session[bytes - 1] == ' ' || session[bytes - 1] == 0))
        bytes--;
    for (size_t i = 0; i < bytes; i++)
        out_text[i] = session[i] >= 0x20 && session[i] <= 0x7e ? (char)session[i] : '.';
    out_text[bytes] = 0;
}

void mold_put_header(uint8_t to[MOLD_HEADER_BYTES], const uint8_t session[MOLD_SESSION_BYTES],
                     uint64_t sequence, uint16_t count)
{
    memcpy(to, session, MOLD_SESSION_BYTES);
    put_u64(to + SEQUENCE_AT, sequence);
    to[COUNT_AT] = (uint8_t)(count >> 8);
    to[COUNT_AT + 1] = (uint8_t)count;
}

void mold_begin(mold_writer_t *w, uint8_t *to, size_t room,
                const uint8_t session[MOLD_SESSION_BYTES], uint64_t sequence)
{
    assert(room >= MOLD_HEADER_BYTES);
    mold_put_header(to, session, sequence, 0);
    w->to = to;
    w->room = room;
    w->bytes = MOLD_HEADER_BYTES;
    w->count = 0;
}
