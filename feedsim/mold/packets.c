/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/mold/packets.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN UINT64_C(128)
#define SLOTS_MAX (UINT64_C(1) << 30)

int moldout_packets_create(moldout_packets_t *out_packets, uint64_t bytes, uint32_t datagram_max,
                           const uint8_t session[MOLD_SESSION_BYTES], tbus_error_t *err)
{
    uint64_t slots = SLOTS_MIN;
    while (slots < SLOTS_MAX && 2 * slots * datagram_max <= bytes)
        slots *= 2;
    moldout_packets_t p = {.slots = (uint32_t)slots, .datagram_max = datagram_max};
    p.packets = calloc(slots, sizeof *p.packets);
    p.data = malloc(slots * datagram_max);
    if (!p.packets || !p.data) {
        moldout_packets_destroy(&p);
        return tbus_fail(err, -ENOMEM,
                         "no memory for %" PRIu64 " bytes of packets; set mold.window_bytes lower",
                         bytes);
    }
    memset(p.data, 0, slots * datagram_max);
    memcpy(p.session, session, sizeof p.session);
    *out_packets = p;
    return 0;
}

void moldout_packets_destroy(moldout_packets_t *p)
{
    free(p->packets);
    free(p->data);
    *p = (moldout_packets_t){0};
}

void moldout_packets_seal(moldout_packets_t *p)
{
    if (!p->open)
        return;
    moldout_packet_t *packet = &p->packets[p->sealed & (p->slots - 1)];
    packet->count = p->writer.count;
    packet->bytes = (uint32_t)p->writer.bytes;
    p->sealed++;
    p->open = false;
}

static void begin(moldout_packets_t *p, uint64_t seq)
{
    uint64_t slot = p->sealed & (p->slots - 1);
    p->packets[slot] = (moldout_packet_t){.first_seq = seq};
    mold_begin(&p->writer, p->data + slot * p->datagram_max, p->datagram_max, p->session, seq);
    p->open = true;
}

enum moldout_put moldout_packets_put(moldout_packets_t *p, uint64_t seq, const uint8_t *message,
                                     size_t bytes)
{
    if (p->open && mold_add(&p->writer, message, bytes))
        return MOLDOUT_PUT;
    if (bytes > p->datagram_max - MOLD_HEADER_BYTES - MOLD_LENGTH_BYTES)
        return MOLDOUT_PUT_LARGE;
    moldout_packets_seal(p);
    if (moldout_packets_waiting(p) == p->slots)
        return MOLDOUT_PUT_FULL;
    begin(p, seq);
    (void)mold_add(&p->writer, message, bytes); /* it has room for one of them */
    return MOLDOUT_PUT;
}

uint32_t moldout_packets_encode(moldout_packets_t *p, uint64_t seq, const topic_wire_t *wire,
                                const gateway_stream_run_t *run)
{
    /* A packet that is kept stands in the slot of a new one until a message is sure to come. */
    const size_t before = p->open ? p->writer.bytes : MOLD_HEADER_BYTES;
    const uint32_t count_max = MOLD_COUNT_MAX - (p->open ? p->writer.count : 0);
    uint8_t *to = p->data + (p->sealed & (p->slots - 1)) * p->datagram_max + before;
    const uint8_t *end = to + p->datagram_max - before;
    const uint8_t *begin_at = to;
    const uint32_t count = run->count < count_max ? run->count : count_max;
    const size_t grows_bytes = MOLD_LENGTH_BYTES + wire->grows_bytes;
    const unsigned char *message = run->messages;
    uint32_t n = 0;
    if (!p->open && moldout_packets_waiting(p) == p->slots)
        return 0;
    for (; n < count; n++, message += TBUS_HISTORY_STRIDE) {
        size_t bytes = run->bytes[n], encoded;
        if ((size_t)(end - to) < bytes + grows_bytes ||
            wire->encode(message, bytes, to + MOLD_LENGTH_BYTES, &encoded) < 0)
            break;
        to[0] = (uint8_t)(encoded >> 8);
        to[1] = (uint8_t)encoded;
        to += MOLD_LENGTH_BYTES + encoded;
    }
    if (n == 0)
        return 0;
    if (!p->open)
        begin(p, seq);
    mold_extend(&p->writer, n, (size_t)(to - begin_at));
    return n;
}

/* --- for requests --- */

/* The last of the packets that were sent whose first sequence is not beyond `seq`; `sent`: none. */
static uint64_t find(const moldout_packets_t *p, uint64_t seq)
{
    /* The slot of the open packet is one of those that were kept. */
    uint64_t used = p->sealed + p->open;
    uint64_t low = used > p->slots ? used - p->slots : 0, high = p->sent;
    uint64_t first = low;
    while (low < high) { /* the first packet that begins beyond it */
        uint64_t middle = low + (high - low) / 2;
        if (moldout_packet(p, middle)->first_seq <= seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low > first ? low - 1 : p->sent;
}

size_t moldout_packets_copy(const moldout_packets_t *p, uint64_t seq, uint32_t count, uint8_t *to,
                            uint32_t *out_count)
{
    mold_writer_t w;
    uint64_t number = find(p, seq);
    if (number >= p->sent ||
        seq - moldout_packet(p, number)->first_seq >= moldout_packet(p, number)->count)
        return 0;
    mold_begin(&w, to, p->datagram_max, p->session, seq);
    for (uint64_t next = seq; number < p->sent && w.count < count; number++) {
        const moldout_packet_t *packet = moldout_packet(p, number);
        const uint8_t *message, *at = moldout_packet_data(p, number) + MOLD_HEADER_BYTES;
        size_t bytes;
        if (packet->first_seq > next)
            break; /* what is between them is lost, or was too large for here */
        for (uint64_t i = packet->first_seq; i < packet->first_seq + packet->count; i++) {
            at = mold_next(at, &message, &bytes);
            if (i < next)
                continue;
            if (w.count == count || !mold_add(&w, message, bytes)) {
                *out_count = w.count;
                return w.bytes;
            }
            next++;
        }
    }
    *out_count = w.count;
    return w.bytes;
}
