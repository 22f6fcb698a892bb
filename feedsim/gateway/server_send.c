/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <tickbus/clock.h>

#include "bus/run/stamps.h"

#include "feedsim/gateway/server_parts.h"

/* Sends at a turn: what is live goes first, and no turn is so long that the ring goes round. */
#define LIVE_SENDS 64u
#define PAST_SENDS 16u /* while somebody is live; else */
/* A turn reads a block or two: to look at all who wait for one would take longer than to read. */
#define PAST_SENDS_IDLE 64u
/* Messages of the past that are read at a turn; likewise. */
#define PAST_MESSAGES      128u
#define PAST_MESSAGES_IDLE 2048u

/* --- lists --- */

void server_lists_clear(gateway_server_t *s)
{
    for (uint32_t i = 0; i < LISTS_COUNT; i++)
        s->lists[i] = (client_list_t){NO_SLOT, NO_SLOT, 0};
}

static void unlist(gateway_server_t *s, uint32_t slot)
{
    client_t *c = client_of(s, slot);
    if (c->list == LIST_NONE)
        return;
    client_list_t *list = &s->lists[c->list];
    *(c->previous == NO_SLOT ? &list->first : &client_of(s, c->previous)->next) = c->next;
    *(c->next == NO_SLOT ? &list->last : &client_of(s, c->next)->previous) = c->previous;
    list->count--;
    c->list = LIST_NONE;
}

static void enlist(gateway_server_t *s, uint32_t slot, uint8_t which)
{
    client_t *c = client_of(s, slot);
    if (c->list == which)
        return;
    unlist(s, slot);
    client_list_t *list = &s->lists[which];
    c->list = which;
    c->previous = list->last;
    c->next = NO_SLOT;
    *(list->last == NO_SLOT ? &list->first : &client_of(s, list->last)->next) = slot;
    list->last = slot;
    list->count++;
}

void server_wake_edge(gateway_server_t *s, uint32_t channel)
{
    const client_list_t *edge = &s->lists[LIST_EDGE + channel];
    while (edge->first != NO_SLOT)
        enlist(s, edge->first, LIST_LIVE);
}

/* --- ending --- */

void server_drop(gateway_server_t *s, uint32_t slot)
{
    client_t *c = client_of(s, slot);
    if (!c->connected || c->closing)
        return;
    unlist(s, slot);
    if (soup_server_state(&c->session.soup) <= SOUP_SERVER_DECIDING)
        s->logins--;
    soup_server_end(&c->session.soup, s->now_ns);
    c->closing = true;
    gateway_net_close(s->net, slot);
}

void server_end_client(gateway_server_t *s, uint32_t slot, const char *why, bool over)
{
    client_t *c = client_of(s, slot);
    gateway_session_end(&c->session, why, over, s->now_ns);
    server_relist(s, slot);
}

/* The digests of blocks that the client has passed, as far as they are known. */
static void offer_digests(gateway_server_t *s, client_t *c)
{
    if (s->glimpse)
        return; /* it is no part of the session's messages */
    const gateway_channel_t *channel = channel_of(s, c);
    while (c->next_offer < soup_proof_block(c->session.seq)) {
        const gateway_proof_entry_t *entry = gateway_proof_entry(&channel->proof, c->next_offer);
        if (!entry || !entry->known)
            return;
        soup_proof_offer_t offer = {.block = c->next_offer, .count = SOUP_PROOF_BLOCK};
        memcpy(offer.digest, entry->digest, sizeof offer.digest);
        if (!gateway_session_put_offer(&c->session, &offer))
            return;
        c->next_offer++;
    }
}

/* The client has all that there will ever be. */
static void complete(gateway_server_t *s, uint32_t slot)
{
    client_t *c = client_of(s, slot);
    if (c->shot) {
        gateway_session_end(&c->session, NULL, true, s->now_ns);
        return;
    }
    const gateway_channel_t *channel = channel_of(s, c);
    uint64_t last = soup_proof_block(gateway_channel_next_seq(channel));
    bool part = channel->final_count > 0;
    if (c->next_offer < last && s->now_ns - c->edge_ns < s->options.linger_ns &&
        c->next_offer < GATEWAY_PROOF_BLOCKS)
        return; /* a digest is being made: server_watch.c asks for it */
    if (part) {
        soup_proof_offer_t offer = {.block = last, .count = channel->final_count};
        memcpy(offer.digest, channel->final_digest, sizeof offer.digest);
        (void)gateway_session_put_offer(&c->session, &offer);
    }
    gateway_session_end(&c->session, NULL, true, s->now_ns);
}

/* --- where a client belongs --- */

static bool is_live(gateway_server_t *s, const client_t *c)
{
    return c->shot || c->session.seq >= gateway_window_oldest_seq(&channel_of(s, c)->window);
}

static uint8_t place_of(gateway_server_t *s, uint32_t slot)
{
    client_t *c = client_of(s, slot);
    gateway_session_t *session = &c->session;
    if (c->in_flight || c->blocked || c->closing)
        return LIST_NONE;
    if (session->streaming && c->next_offer < soup_proof_block(session->seq))
        offer_digests(s, c);
    bool at_edge = session->streaming && session->skip == 0 && session->seq >= next_seq_of(s, c);
    if (at_edge && has_ended(s, c) && !gateway_session_has_out(session))
        complete(s, slot);
    if (gateway_session_is_sent(session)) {
        if (!c->shut)
            gateway_net_shutdown(s->net, slot);
        c->shut = true;
        return LIST_NONE;
    }
    if (gateway_session_has_out(session) && session->skip == 0)
        return LIST_LIVE;
    if (!gateway_session_needs_block(session))
        return LIST_NONE;
    if (at_edge)
        return (uint8_t)(LIST_EDGE + c->channel);
    return is_live(s, c) ? LIST_LIVE : LIST_PAST;
}

void server_relist(gateway_server_t *s, uint32_t slot)
{
    client_t *c = client_of(s, slot);
    uint8_t place = place_of(s, slot);
    if (place == LIST_PAST && !c->was_behind)
        c->behind_count++;
    if (place != LIST_NONE)
        c->was_behind = place == LIST_PAST;
    if (place >= LIST_EDGE && place != LIST_NONE && c->list != place)
        c->edge_ns = s->now_ns;
    if (place == LIST_NONE)
        unlist(s, slot);
    else
        enlist(s, slot, place);
}

/* --- sending --- */

static void lose(gateway_server_t *s, uint32_t slot, uint64_t to, const char *why)
{
    client_t *c = client_of(s, slot);
    char text[GATEWAY_TEXT_BYTES];
    snprintf(text, sizeof text, "end of session: messages %llu to %llu %s",
             (unsigned long long)c->session.seq, (unsigned long long)(to - 1), why);
    s->totals[GATEWAY_TOTAL_lost]++;
    server_note(s, "session of '%s' on %s ended: messages from %llu on %s", c->name, topic_of(s, c),
                (unsigned long long)c->session.seq, why);
    server_end_client(s, slot, text, true);
}

/* The block that the client needs now; NULL: there is none yet, or it needs none. False: nothing
 * can be sent to it at this turn. */
static bool find_block(gateway_server_t *s, uint32_t slot, const gateway_block_t **out_block)
{
    client_t *c = client_of(s, slot);
    gateway_channel_t *channel = channel_of(s, c);
    uint64_t seq = c->session.seq;
    *out_block = NULL;
    if (!gateway_session_needs_block(&c->session) || seq >= next_seq_of(s, c))
        return true;
    if (c->shot) {
        *out_block = glimpse_block(c->shot, seq);
        return true;
    }
    *out_block = gateway_window_find(&channel->window, seq);
    if (!*out_block)
        *out_block = gateway_backfill_find(s->backfill, &channel->past, seq, s->now_ns);
    if (*out_block || (gateway_session_has_out(&c->session) && c->session.skip == 0))
        return true;
    uint64_t lost_to;
    const char *why;
    if (gateway_backfill_want(s->backfill, &channel->past, seq, s->now_ns, &lost_to, &why) ==
        GATEWAY_BACKFILL_LOST)
        lose(s, slot, lost_to, why);
    return false;
}

/* Send the client what comes next. */
static void push(gateway_server_t *s, uint32_t slot)
{
    client_t *c = client_of(s, slot);
    const gateway_block_t *block;
    if (!find_block(s, slot, &block)) {
        unlist(s, slot);
        server_relist(s, slot); /* behind the others */
        return;
    }
    c->chunk = gateway_session_chunk(&c->session, block);
    unlist(s, slot);
    if (c->chunk.from == GATEWAY_CHUNK_NONE) {
        server_relist(s, slot);
        return;
    }
    c->block = block;
    c->in_flight = true;
    gateway_net_send(s->net, slot, c->chunk.bytes, c->chunk.count);
}

static void set_blocked(gateway_server_t *s, client_t *c, bool blocked)
{
    c->blocked = blocked;
    c->starved = false;
    c->blocked_ns = s->now_ns;
    soup_server_blocked(&c->session.soup, blocked);
}

/* Nothing was lost, and it is tried again: server_watch.c. Told once, until a send has worked. */
static void starve(gateway_server_t *s, client_t *c, int error)
{
    s->totals[GATEWAY_TOTAL_starved]++;
    if (!s->starved)
        server_note(s, "the kernel cannot take what is to be sent, for now: %s",
                    tbus_strerror(error));
    s->starved = true;
    c->starved = true;
}

/* For whoever measures: the messages from `from` on, of the wire, up to the one that the client
 * needs next have been given to the kernel, for the first client that they go to. */
static void note_served(gateway_server_t *s, const client_t *c, uint64_t from)
{
    const tbus_stamps_t *stamps = s->bus->stamps;
    const gateway_channel_t *channel = channel_of(s, c);
    if (c->shot || c->chunk.from == GATEWAY_CHUNK_OUT || strcmp(channel->topic, stamps->topic) != 0)
        return;
    uint64_t now = tbus_stamps_now(stamps);
    for (uint64_t seq = from; seq < c->session.seq; seq++)
        tbus_stamps_message_once(stamps, TBUS_STAMP_SERVED, channel->source.first_seq + seq - 1,
                                 now);
}

void server_on_sent(void *context, uint32_t slot, int32_t result)
{
    gateway_server_t *s = context;
    client_t *c = client_of(s, slot);
    c->in_flight = false;
    if (c->closing)
        return;
    if (result > 0) {
        s->starved = false;
        uint64_t from = c->session.seq;
        gateway_session_took(&c->session, &c->chunk, c->block, (uint32_t)result, s->now_ns);
        if (TBUS_UNLIKELY(s->bus && s->bus->stamps))
            note_served(s, c, from);
        c->bytes += (uint64_t)result;
        s->totals[GATEWAY_TOTAL_bytes] += (uint64_t)result;
    }
    bool starved = result == -ENOBUFS || result == -ENOMEM;
    if (result < 0 && result != -EAGAIN && !starved) {
        server_drop(s, slot);
        return;
    }
    if (result < 0 || (uint32_t)result < c->chunk.count)
        set_blocked(s, c, true);
    if (starved)
        starve(s, c, result);
    server_relist(s, slot);
}

void server_on_writable(void *context, uint32_t slot)
{
    gateway_server_t *s = context;
    client_t *c = client_of(s, slot);
    if (!c->blocked || c->closing)
        return;
    set_blocked(s, c, false);
    server_relist(s, slot);
}

/* To the first `limit` of a list, once each. */
static bool send_list(gateway_server_t *s, uint8_t which, uint32_t limit)
{
    uint32_t count = s->lists[which].count < limit ? s->lists[which].count : limit;
    for (uint32_t i = 0; i < count && s->lists[which].first != NO_SLOT; i++)
        push(s, s->lists[which].first);
    gateway_net_flush(s->net);
    return count > 0;
}

bool server_send(gateway_server_t *s)
{
    bool live = send_list(s, LIST_LIVE, LIVE_SENDS);
    bool past = send_list(s, LIST_PAST, live ? PAST_SENDS : PAST_SENDS_IDLE);
    uint32_t messages = live ? PAST_MESSAGES : PAST_MESSAGES_IDLE;
    return gateway_backfill_work(s->backfill, messages, s->now_ns) > 0 || live || past;
}
