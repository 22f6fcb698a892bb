/* SPDX-License-Identifier: Apache-2.0 */
/* packets.h - the packets of the live edge: those that are being filled, that wait to be sent, and
 * that were sent and are kept for who asks for them again.
 *
 *      kept ............ sent | sealed, to be sent | open |  free: the oldest kept ones go
 *      n - slots          ^ sent             ^ sealed
 *
 * A packet is numbered by its place in this row, from 0, and lies in slot `number % slots`, as the
 * datagram that goes out. Its messages have consecutive sequences; between two packets sequences
 * may be missing, where messages were lost. The bytes of a slot do not change until it is taken for
 * another packet, so that they are sent from here and an answer to a request is copied from here.
 *
 * All memory is taken when it is made. One thread. On the data path: feedsim/gateway/stream.h ->
 * here -> feedsim/mold/sender.h.
 */
#ifndef TICKBUS_FEEDSIM_MOLD_PACKETS_H
#define TICKBUS_FEEDSIM_MOLD_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "bus/wire/mold.h"
#include "feedsim/gateway/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct moldout_packet {
    uint64_t first_seq;
    uint32_t count;
    uint32_t bytes; /* of the datagram */
} moldout_packet_t;

typedef struct moldout_packets {
    uint32_t slots; /* a power of two */
    uint32_t datagram_max;
    uint64_t sealed;           /* packets that are complete, from the beginning */
    uint64_t sent;             /* of them, those that were sent or given up */
    bool open;                 /* one is being filled: its number is `sealed` */
    mold_writer_t writer;      /* of it */
    moldout_packet_t *packets; /* owned, as the next */
    uint8_t *data;
    uint8_t session[MOLD_SESSION_BYTES];
} moldout_packets_t;

/* Packets of at most `datagram_max` bytes in `bytes` bytes, at least 128 of them. Touches all of
 * it. -ENOMEM. Cold. */
int moldout_packets_create(moldout_packets_t *out_packets, uint64_t bytes, uint32_t datagram_max,
                           const uint8_t session[MOLD_SESSION_BYTES], tbus_error_t *err);
void moldout_packets_destroy(moldout_packets_t *p); /* accepts one that is all zeros */

static inline const moldout_packet_t *moldout_packet(const moldout_packets_t *p, uint64_t number)
{
    return &p->packets[number & (p->slots - 1)];
}
static inline const uint8_t *moldout_packet_data(const moldout_packets_t *p, uint64_t number)
{
    return p->data + (number & (p->slots - 1)) * p->datagram_max;
}

enum moldout_put {
    MOLDOUT_PUT = 0,
    MOLDOUT_PUT_FULL = 1, /* every slot waits to be sent: send, then come again */
    MOLDOUT_PUT_LARGE = 2 /* it fits no packet of this size */
};

/* The message `seq`, which follows the last one of the open packet, if there is one. A packet that
 * has no room for it is sealed and the next one begun. Hot. */
enum moldout_put moldout_packets_put(moldout_packets_t *p, uint64_t seq, const uint8_t *message,
                                     size_t bytes);

/* Messages of a run from `seq` on, which follow the last one of the open packet, if there is one,
 * encoded into the packet itself: as many as surely fit it, or a new one when none is open. Returns
 * how many. 0: the first may not fit, or no publisher sends it; see moldout_packets_put. Hot. */
uint32_t moldout_packets_encode(moldout_packets_t *p, uint64_t seq, const topic_wire_t *wire,
                                const gateway_stream_run_t *run);

/* The open packet is complete, if there is one. */
void moldout_packets_seal(moldout_packets_t *p);

/* Packets that are complete and wait. */
static inline uint64_t moldout_packets_waiting(const moldout_packets_t *p)
{
    return p->sealed - p->sent;
}

/* A datagram for who asks for `count` messages from `seq` on: as many as are here and fit, into
 * `to` of datagram_max bytes. Returns its bytes, 0: `seq` is not in a packet that was sent. */
size_t moldout_packets_copy(const moldout_packets_t *p, uint64_t seq, uint32_t count, uint8_t *to,
                            uint32_t *out_count);

#ifdef __cplusplus
}
#endif
#endif
