/* SPDX-License-Identifier: Apache-2.0 */
/* block.h - packets that are ready to be sent: some dozen KiB of consecutive sequenced messages,
 * each as `length 2, 'S', message` of SoupBinTCP, one behind the other.
 *
 *    first_seq                                              next_seq
 *    | len S message | len S message | len S message | ...  |        room
 *    0             mark[0]: every 64th packet               used     GATEWAY_BLOCK_BYTES
 *
 * All sessions of a topic get the same bytes, so each message is encoded once, into a block, and
 * sent from there to everybody. A sequence has a place in the block and a place has a sequence; the
 * marks make both cheap to find. A block that is sent from may still be appended to.
 *
 * The blocks of the live edge form a *window*: when another one is needed, the oldest is taken for
 * it. Who still wanted that finds its sequence elsewhere (feedsim/gateway/backfill.h).
 *
 * All memory is taken when a window is made. One thread. On the data path:
 * feedsim/gateway/stream.h -> here -> feedsim/gateway/session.h.
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_BLOCK_H
#define TICKBUS_FEEDSIM_GATEWAY_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#include "bus/wire/soup.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GATEWAY_BLOCK_BYTES   (SOUP_PACKET_MAX + 2047u) /* 66 KiB: any packet fits an empty one */
#define GATEWAY_PACKETS_MARK  64u
#define GATEWAY_BLOCK_PACKETS (GATEWAY_BLOCK_BYTES / SOUP_HEADER_BYTES)
#define GATEWAY_BLOCK_MARKS   (GATEWAY_BLOCK_PACKETS / GATEWAY_PACKETS_MARK + 1)

typedef struct gateway_block {
    uint64_t first_seq; /* on the wire: from 1. 0: nothing is in it */
    uint64_t used_ns;   /* for whoever reuses blocks: when it was used last, or began */
    uint32_t count;     /* packets */
    uint32_t used;      /* bytes */
    uint32_t marks[GATEWAY_BLOCK_MARKS]; /* where packet 64 * i begins */
    uint8_t data[GATEWAY_BLOCK_BYTES];
} gateway_block_t;

/* Empty it; the first packet will be of `seq`. */
void gateway_block_begin(gateway_block_t *b, uint64_t seq, uint64_t now_ns);

/* Append the next packet. False: there is no room. Hot. */
bool gateway_block_append(gateway_block_t *b, const uint8_t *message, size_t bytes);

static inline uint64_t gateway_block_next_seq(const gateway_block_t *b)
{
    return b->first_seq + b->count;
}

/* Does it hold the packet of `seq`? */
static inline bool gateway_block_has(const gateway_block_t *b, uint64_t seq)
{
    return b->first_seq && seq >= b->first_seq && seq < b->first_seq + b->count;
}

/* Where the packet of `seq` begins. Requires first_seq <= seq <= next_seq; the place of the latter
 * is `used`. */
uint32_t gateway_block_place(const gateway_block_t *b, uint64_t seq);

/* The sequence of the packet that byte `offset` (at most `used`) belongs to, and how many bytes of
 * it lie before the offset: 0 where a packet begins. */
uint64_t gateway_block_seq_at(const gateway_block_t *b, uint32_t offset, uint32_t *out_inside);

/* Bytes of the whole packet that begins at `place`, below `used`. */
static inline uint32_t gateway_block_packet_bytes(const gateway_block_t *b, uint32_t place)
{
    return SOUP_LENGTH_BYTES + (uint32_t)soup_length(b->data + place);
}

/* --- the blocks of the live edge --- */

typedef struct gateway_window {
    uint32_t blocks_count;
    uint32_t live;           /* blocks that hold something, the newest being `newest` */
    uint32_t newest;         /* index */
    gateway_block_t *blocks; /* owned */
} gateway_window_t;

/* Room for `bytes` bytes of blocks, at least two, whose first packet will be of `first_seq`.
 * -ENOMEM. Touches all of it. Cold. */
int gateway_window_create(gateway_window_t *out_window, uint64_t bytes, uint64_t first_seq,
                          tbus_error_t *err);
void gateway_window_destroy(gateway_window_t *w); /* accepts one that is all zeros */

/* Append the packet that comes next; takes the oldest block for it if need be. Hot. */
void gateway_window_append(gateway_window_t *w, const uint8_t *message, size_t bytes,
                           uint64_t now_ns);

/* Does a message of so many bytes go into the newest block? */
static inline bool gateway_window_fits(const gateway_window_t *w, size_t bytes)
{
    return GATEWAY_BLOCK_BYTES - w->blocks[w->newest].used >= SOUP_HEADER_BYTES + bytes;
}

/* What was there is not continued: the next packet is of `seq`. Blocks before it stay. */
void gateway_window_skip_to(gateway_window_t *w, uint64_t seq, uint64_t now_ns);

static inline uint64_t gateway_window_next_seq(const gateway_window_t *w)
{
    return gateway_block_next_seq(&w->blocks[w->newest]);
}
/* The oldest sequence that it holds, or the next one when it holds nothing. */
uint64_t gateway_window_oldest_seq(const gateway_window_t *w);

/* The block that holds `seq`; NULL: none. Of what comes next it is none. */
const gateway_block_t *gateway_window_find(const gateway_window_t *w, uint64_t seq);

#ifdef __cplusplus
}
#endif
#endif
