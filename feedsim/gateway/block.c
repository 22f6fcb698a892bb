/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/block.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(GATEWAY_BLOCK_BYTES >= SOUP_PACKET_MAX, "any packet fits an empty block");

void gateway_block_begin(gateway_block_t *b, uint64_t seq, uint64_t now_ns)
{
    b->first_seq = seq;
    b->used_ns = now_ns;
    b->count = 0;
    b->used = 0;
}

bool gateway_block_append(gateway_block_t *b, const uint8_t *message, size_t bytes)
{
    if (GATEWAY_BLOCK_BYTES - b->used < SOUP_HEADER_BYTES + bytes)
        return false;
    if (b->count % GATEWAY_PACKETS_MARK == 0)
        b->marks[b->count / GATEWAY_PACKETS_MARK] = b->used;
    uint8_t *to = b->data + b->used;
    b->used += (uint32_t)soup_put_header(to, SOUP_SEQUENCED, bytes);
    if (bytes)
        memcpy(to + SOUP_HEADER_BYTES, message, bytes);
    b->count++;
    return true;
}

uint32_t gateway_block_place(const gateway_block_t *b, uint64_t seq)
{
    uint64_t index = seq - b->first_seq;
    assert(index <= b->count);
    if (index == b->count)
        return b->used;
    uint32_t place = b->marks[index / GATEWAY_PACKETS_MARK];
    for (uint64_t n = index % GATEWAY_PACKETS_MARK; n; n--)
        place += gateway_block_packet_bytes(b, place);
    return place;
}

uint64_t gateway_block_seq_at(const gateway_block_t *b, uint32_t offset, uint32_t *out_inside)
{
    assert(offset <= b->used);
    *out_inside = 0;
    if (offset == b->used)
        return b->first_seq + b->count;
    uint32_t low = 0;
    uint32_t high = (b->count - 1) / GATEWAY_PACKETS_MARK;
    while (low < high) { /* the last mark at or before the offset */
        uint32_t middle = (low + high + 1) / 2;
        if (b->marks[middle] <= offset)
            low = middle;
        else
            high = middle - 1;
    }
    uint64_t seq = b->first_seq + (uint64_t)low * GATEWAY_PACKETS_MARK;
    uint32_t place = b->marks[low];
    for (uint32_t bytes; place + (bytes = gateway_block_packet_bytes(b, place)) <= offset; seq++)
        place += bytes;
    *out_inside = offset - place;
    return seq;
}

/* --- the window --- */

int gateway_window_create(gateway_window_t *out_window, uint64_t bytes, uint64_t first_seq,
                          tbus_error_t *err)
{
    uint64_t count = bytes / sizeof(gateway_block_t);
    if (count < 2)
        count = 2;
    gateway_block_t *blocks = count <= UINT32_MAX ? malloc(count * sizeof *blocks) : NULL;
    if (!blocks)
        return tbus_fail(err, -ENOMEM,
                         "no memory for %" PRIu64 " bytes of messages that are ready to be sent; "
                         "set gateway.window_bytes lower",
                         bytes);
    memset(blocks, 0, count * sizeof *blocks);
    *out_window = (gateway_window_t){
        .blocks_count = (uint32_t)count, .live = 1, .newest = 0, .blocks = blocks};
    gateway_block_begin(&blocks[0], first_seq, 0);
    return 0;
}

void gateway_window_destroy(gateway_window_t *w)
{
    free(w->blocks);
    *w = (gateway_window_t){0};
}

static void begin_next(gateway_window_t *w, uint64_t seq, uint64_t now_ns)
{
    w->newest = w->newest + 1 == w->blocks_count ? 0 : w->newest + 1;
    if (w->live < w->blocks_count)
        w->live++;
    gateway_block_begin(&w->blocks[w->newest], seq, now_ns);
}

void gateway_window_append(gateway_window_t *w, const uint8_t *message, size_t bytes,
                           uint64_t now_ns)
{
    gateway_block_t *b = &w->blocks[w->newest];
    if (b->count == 0)
        b->used_ns = now_ns;
    if (gateway_block_append(b, message, bytes))
        return;
    begin_next(w, gateway_block_next_seq(b), now_ns);
    bool fits = gateway_block_append(&w->blocks[w->newest], message, bytes);
    assert(fits);
}

void gateway_window_skip_to(gateway_window_t *w, uint64_t seq, uint64_t now_ns)
{
    gateway_block_t *b = &w->blocks[w->newest];
    if (b->count == 0)
        gateway_block_begin(b, seq, now_ns);
    else
        begin_next(w, seq, now_ns);
}

/* The i-th block from the oldest on. */
static const gateway_block_t *block_at(const gateway_window_t *w, uint32_t i)
{
    uint32_t index = w->newest + w->blocks_count + 1 + i - w->live;
    return &w->blocks[index >= w->blocks_count ? index - w->blocks_count : index];
}

uint64_t gateway_window_oldest_seq(const gateway_window_t *w)
{
    return block_at(w, 0)->first_seq;
}

const gateway_block_t *gateway_window_find(const gateway_window_t *w, uint64_t seq)
{
    uint32_t low = 0;
    uint32_t high = w->live - 1;
    while (low < high) { /* the last block that begins at or before seq */
        uint32_t middle = (low + high + 1) / 2;
        if (block_at(w, middle)->first_seq <= seq)
            low = middle;
        else
            high = middle - 1;
    }
    const gateway_block_t *b = block_at(w, low);
    return gateway_block_has(b, seq) ? b : NULL;
}
