/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "feedsim/gateway/server_parts.h"

/* A kernel that was out of memory does not say when it has some: it is asked after so long. That a
 * socket has room again is told, so it is looked at more seldom, should that have been missed. */
#define STARVED_NS   UINT64_C(50000000)
#define TRY_AGAIN_NS UINT64_C(1000000000)

void server_cut(gateway_server_t *s, uint32_t slot, const char *why)
{
    client_t *c = client_of(s, slot);
    s->totals[GATEWAY_TOTAL_cut]++;
    server_note(s, "session of '%s' on %s was cut: %s", c->name, topic_of(s, c), why);
    server_end_client(s, slot, why, false);
}

/* What the configuration says of clients that are too slow. */
static void apply_policies(gateway_server_t *s, uint32_t slot)
{
    client_t *c = client_of(s, slot);
    char why[GATEWAY_TEXT_BYTES];
    uint64_t next = next_seq_of(s, c);
    uint64_t lag = next > c->session.seq ? next - c->session.seq : 0;
    if (s->options.lag_max && !s->glimpse && lag > s->options.lag_max) {
        snprintf(why, sizeof why,
                 "cut off: %llu messages behind, and gateway.lag_max is %llu; log in again from "
                 "message %llu",
                 (unsigned long long)lag, (unsigned long long)s->options.lag_max,
                 (unsigned long long)c->session.seq);
        server_cut(s, slot, why);
    } else if (s->options.idle_ns && c->blocked && s->now_ns - c->blocked_ns > s->options.idle_ns) {
        snprintf(why, sizeof why,
                 "cut off: nothing was taken for gateway.idle; log in again from message %llu",
                 (unsigned long long)c->session.seq);
        server_cut(s, slot, why);
    }
}

/* A digest that the client should be offered, and that nobody has made since we were started. */
static void have_digest_made(gateway_server_t *s, const client_t *c)
{
    if (s->glimpse)
        return;
    gateway_channel_t *channel = channel_of(s, c);
    const gateway_proof_entry_t *entry = gateway_proof_entry(&channel->proof, c->next_offer);
    if (entry && !entry->known && c->next_offer < soup_proof_block(c->session.seq))
        gateway_backfill_prove(s->backfill, &channel->past, c->next_offer, s->now_ns);
}

static void watch_open(gateway_server_t *s, uint32_t slot)
{
    client_t *c = client_of(s, slot);
    apply_policies(s, slot);
    have_digest_made(s, c);
    server_relist(s, slot);
}

static void watch(gateway_server_t *s, uint32_t slot)
{
    client_t *c = client_of(s, slot);
    switch (soup_server_due(&c->session.soup, s->now_ns)) {
    case SOUP_DUE_NOTHING:
        break;
    case SOUP_DUE_HEARTBEAT:
        if (!gateway_session_has_out(&c->session))
            (void)gateway_session_put_heartbeat(&c->session);
        break;
    case SOUP_DUE_LOGIN_LATE:
        s->totals[GATEWAY_TOTAL_late_logins]++;
        server_drop(s, slot);
        return;
    case SOUP_DUE_DEAD:
        s->totals[GATEWAY_TOTAL_dead]++;
        server_note(s, "session of '%s': nothing was heard of the client for too long", c->name);
        server_drop(s, slot);
        return;
    case SOUP_DUE_CLOSE:
        server_drop(s, slot);
        return;
    }
    /* Also one that is ending, or is told why it was rejected: else its last words stay here. */
    if (c->blocked && s->now_ns - c->blocked_ns > (c->starved ? STARVED_NS : TRY_AGAIN_NS))
        server_on_writable(s, slot);
    if (soup_server_state(&c->session.soup) == SOUP_SERVER_OPEN)
        watch_open(s, slot);
}

void server_watch(gateway_server_t *s)
{
    server_take_limits(s);
    for (uint32_t slot = 0; slot < s->slots_used; slot++)
        if (s->clients[slot].connected && !s->clients[slot].closing)
            watch(s, slot);
    gateway_backfill_counts_t past;
    gateway_backfill_counts(s->backfill, &past);
    if (past.errors != s->read_errors)
        server_lack_descriptors(s); /* maybe it is something else: then nothing is lost by it */
    s->read_errors = past.errors;
    server_resume_accepting(s);
}
