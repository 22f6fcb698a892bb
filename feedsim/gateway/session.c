/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/session.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void gateway_session_begin(gateway_session_t *s, const soup_times_t *times, uint64_t now_ns)
{
    memset(s, 0, sizeof *s);
    soup_server_begin(&s->soup, times, now_ns);
}

/* --- control packets --- */

static uint8_t *room(gateway_session_t *s, size_t bytes)
{
    if (s->out_at == s->out_end)
        s->out_at = s->out_end = 0;
    return sizeof s->out - s->out_end >= bytes ? s->out + s->out_end : NULL;
}

static void added(gateway_session_t *s, size_t bytes)
{
    s->out_end = (uint16_t)(s->out_end + bytes);
}

void gateway_session_accept(gateway_session_t *s, const char *name, uint64_t seq, uint64_t now_ns)
{
    soup_accepted_t accepted = {.sequence = seq};
    uint8_t *to = room(s, SOUP_ACCEPTED_BYTES);
    assert(to); /* nothing is sent before it */
    snprintf(accepted.session, sizeof accepted.session, "%s", name);
    added(s, soup_server_accept(&s->soup, &accepted, now_ns, to));
    s->seq = seq;
    s->skip = 0;
    s->streaming = true;
}

void gateway_session_reject(gateway_session_t *s, char reason, uint64_t now_ns)
{
    uint8_t *to = room(s, SOUP_REJECTED_BYTES);
    assert(to);
    added(s, soup_server_reject(&s->soup, reason, now_ns, to));
}

bool gateway_session_put_heartbeat(gateway_session_t *s)
{
    uint8_t *to = room(s, SOUP_HEADER_BYTES);
    if (to)
        added(s, soup_put_header(to, SOUP_SERVER_HEARTBEAT, 0));
    return to != NULL;
}

bool gateway_session_put_text(gateway_session_t *s, const char *text)
{
    uint8_t *to = room(s, GATEWAY_TEXT_BYTES);
    size_t bytes = to ? soup_server_put_debug(&s->soup, to, GATEWAY_TEXT_BYTES, text) : 0;
    added(s, bytes);
    return bytes > 0;
}

bool gateway_session_put_offer(gateway_session_t *s, const soup_proof_offer_t *offer)
{
    uint8_t *to = room(s, SOUP_PROOF_PACKET_MAX);
    if (!to || soup_server_state(&s->soup) != SOUP_SERVER_OPEN)
        return false;
    added(s, soup_proof_put_offer(to, offer));
    return true;
}

void gateway_session_end(gateway_session_t *s, const char *why, bool over, uint64_t now_ns)
{
    bool open = soup_server_state(&s->soup) == SOUP_SERVER_OPEN;
    if (open && why)
        (void)gateway_session_put_text(s, why);
    uint8_t *to = open && over ? room(s, SOUP_HEADER_BYTES) : NULL;
    if (to)
        added(s, soup_put_header(to, SOUP_END_OF_SESSION, 0));
    s->streaming = false;
    s->finishing = true;
    soup_server_end(&s->soup, now_ns);
}

/* --- what is sent --- */

gateway_chunk_t gateway_session_chunk(const gateway_session_t *s, const gateway_block_t *block)
{
    gateway_chunk_t chunk = {.from = GATEWAY_CHUNK_NONE};
    bool out = gateway_session_has_out(s);
    if (out && s->skip == 0) {
        chunk.from = GATEWAY_CHUNK_OUT;
        chunk.bytes = s->out + s->out_at;
        chunk.count = (uint32_t)(s->out_end - s->out_at);
    } else if (block && gateway_session_needs_block(s)) {
        uint32_t packet = gateway_block_place(block, s->seq);
        uint32_t end =
            out || s->finishing ? packet + gateway_block_packet_bytes(block, packet) : block->used;
        chunk.from = GATEWAY_CHUNK_BLOCK;
        chunk.place = packet + s->skip;
        chunk.bytes = block->data + chunk.place;
        chunk.count = end - chunk.place;
    }
    return chunk;
}

void gateway_session_took(gateway_session_t *s, const gateway_chunk_t *chunk,
                          const gateway_block_t *block, uint32_t count, uint64_t now_ns)
{
    soup_server_sent(&s->soup, now_ns);
    if (chunk->from == GATEWAY_CHUNK_OUT)
        s->out_at = (uint16_t)(s->out_at + count);
    else
        s->seq = gateway_block_seq_at(block, chunk->place + count, &s->skip);
}
