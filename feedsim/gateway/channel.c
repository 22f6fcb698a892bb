/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/channel.h"

#include <stdio.h>

int gateway_channel_open(gateway_channel_t *c, tbus_bus_t *bus, const char *journal,
                         const char *topic, uint64_t window_bytes, tbus_error_t *err)
{
    uint64_t next = 1;
    *c = (gateway_channel_t){.ended = false};
    snprintf(c->topic, sizeof c->topic, "%s", topic);
    int code = gateway_source_find(bus, journal, c->topic, &c->source, err);
    if (code == 0)
        code = gateway_source_next_seq(&c->source, &next, err);
    uint64_t first = soup_proof_first(soup_proof_block(next));
    if (code == 0)
        code = gateway_proof_create(&c->proof, err);
    if (code == 0)
        code = gateway_digest_create(&c->digest, err);
    if (code == 0)
        code = gateway_window_create(&c->window, window_bytes, first, err);
    if (code == 0)
        code = gateway_stream_open(&c->source, first, &c->stream, err);
    if (code < 0) {
        gateway_channel_close(c);
        return code;
    }
    gateway_digest_begin(&c->digest, first);
    c->past = (gateway_past_t){.source = &c->source, .proof = &c->proof, .live = &c->window};
    return 0;
}

void gateway_channel_close(gateway_channel_t *c)
{
    gateway_stream_close(c->stream);
    c->stream = NULL;
    gateway_window_destroy(&c->window);
    gateway_digest_destroy(&c->digest);
    gateway_proof_destroy(&c->proof);
}

void gateway_channel_follow(gateway_channel_t *c)
{
    gateway_digest_follow(&c->digest, &c->proof, &c->window.blocks[c->window.newest]);
}

static void append(gateway_channel_t *c, const uint8_t *message, size_t bytes, uint64_t now_ns)
{
    uint64_t seq = gateway_stream_next_seq(c->stream);
    if (!gateway_window_fits(&c->window, bytes))
        gateway_channel_follow(c); /* before another block is begun */
    gateway_window_append(&c->window, message, bytes, now_ns);
    if ((seq - 1) % SOUP_PROOF_BLOCK == 0) {
        gateway_proof_entry_t *entry = gateway_proof_entry(&c->proof, soup_proof_block(seq));
        if (entry)
            entry->live_ns = now_ns;
    }
    gateway_stream_advance(c->stream);
    c->messages++;
}

static void skip_lost(gateway_channel_t *c, uint64_t now_ns)
{
    uint64_t next = gateway_stream_next_seq(c->stream);
    gateway_channel_follow(c);
    gateway_window_skip_to(&c->window, next, now_ns);
    gateway_digest_begin(&c->digest, next);
}

static void end(gateway_channel_t *c)
{
    c->ended = true;
    gateway_channel_follow(c);
    if (!gateway_digest_partial(&c->digest, c->final_digest, &c->final_count))
        c->final_count = 0;
}

int gateway_channel_turn(gateway_channel_t *c, uint32_t messages, uint64_t now_ns,
                         tbus_error_t *err)
{
    int outcome = GATEWAY_STREAM_MESSAGE;
    uint32_t taken = 0;
    while (!c->ended && taken < messages) {
        const uint8_t *message;
        size_t bytes;
        outcome = gateway_stream_peek(c->stream, &message, &bytes, err);
        if (outcome == GATEWAY_STREAM_MESSAGE)
            append(c, message, bytes, now_ns);
        else if (outcome == GATEWAY_STREAM_LOST)
            skip_lost(c, now_ns);
        else
            break;
        taken++;
    }
    if (taken)
        c->live_ns = now_ns;
    if (outcome == GATEWAY_STREAM_ENDED)
        end(c);
    if (outcome < 0)
        return outcome;
    return (int)taken + (outcome == GATEWAY_STREAM_BUSY || outcome == GATEWAY_STREAM_ENDED);
}

void gateway_channel_finish(gateway_channel_t *c)
{
    uint64_t next;
    if (!c->ended && gateway_source_next_seq(&c->source, &next, NULL) == 0 &&
        gateway_channel_next_seq(c) >= next)
        end(c);
}

uint64_t gateway_channel_lag_ns(const gateway_channel_t *c, uint64_t seq, uint64_t now_ns)
{
    if (seq >= gateway_channel_next_seq(c))
        return 0;
    const gateway_block_t *block = gateway_window_find(&c->window, seq);
    const gateway_proof_entry_t *entry = gateway_proof_entry(&c->proof, soup_proof_block(seq));
    uint64_t live_ns = block ? block->used_ns : entry ? entry->live_ns : 0;
    return live_ns ? now_ns - live_ns : UINT64_MAX;
}
