/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "feedsim/gateway/listen.h"
#include "feedsim/gateway/server_parts.h"

/* Out of descriptors: so long nobody is accepted. Of whatever it is that accepting fails with:
 * shortly at first, twice as long each time, and then as long. */
#define PAUSE_NS       UINT64_C(250000000)
#define PAUSE_NS_FIRST UINT64_C(15000000)
/* As many connections as there may be have not logged in: one that is there for so long makes room
 * for another. Who is in a hurry to log in is far faster. */
#define LOGIN_GRACE_NS UINT64_C(500000000)
/* Digests of blocks before the one that a client begins in are offered too, so many: it may have
 * had them on an earlier connection, which ended before their offers came. */
#define OFFERS_BEFORE 16u
/* Messages that the books take at a time, before they are handed out. */
#define SHOT_MESSAGES 4096u
#define SHOT_TURNS    64

/* --- connections --- */

static bool too_many(const gateway_server_t *s, const uint8_t address[16])
{
    uint32_t same = 0;
    if (!s->options.sessions_per_address)
        return false;
    for (uint32_t i = 0; i < s->slots_used; i++)
        same += s->clients[i].connected && memcmp(s->clients[i].address, address, 16) == 0;
    return same >= s->options.sessions_per_address;
}

/* The first slot that is free; NO_SLOT: none. */
static uint32_t free_slot(const gateway_server_t *s)
{
    for (uint32_t i = 0; i < s->options.sessions_max; i++)
        if (!s->clients[i].connected)
            return i;
    return NO_SLOT;
}

static void pause_accepting(gateway_server_t *s, uint64_t resumes_ns)
{
    s->paused = true;
    s->resumes_ns = resumes_ns;
    gateway_net_pause(s->net, true);
}

uint32_t server_on_accepted(void *context, uint32_t listener, const struct sockaddr_storage *peer)
{
    gateway_server_t *s = context;
    uint8_t address[16];
    uint16_t port;
    s->accept_error = 0;
    s->accept_pause_ns = 0;
    gateway_peer_address(peer, address, &port);
    uint32_t slot = s->sessions < s->options.sessions_max ? free_slot(s) : NO_SLOT;
    if (slot == NO_SLOT || too_many(s, address)) {
        s->totals[GATEWAY_TOTAL_refused]++;
        server_note(s, "a connection was refused: %s",
                    slot == NO_SLOT ? "there are gateway.sessions_max sessions"
                                    : "its address has gateway.sessions_per_address sessions");
        return GATEWAY_NET_REFUSED;
    }
    client_t *c = client_of(s, slot);
    memset(c, 0, sizeof *c);
    gateway_session_begin(&c->session, &s->options.times, s->now_ns);
    c->connected = true;
    c->list = LIST_NONE;
    c->channel = listener;
    c->login = ++s->next_login;
    c->user = GATEWAY_NO_USER;
    c->port = port;
    c->connected_ns = s->now_ns;
    memcpy(c->address, address, sizeof c->address);
    s->slots_used = slot >= s->slots_used ? slot + 1 : s->slots_used;
    s->sessions++;
    s->logins++;
    s->totals[GATEWAY_TOTAL_accepted]++;
    if (s->logins >= s->options.logins_max)
        pause_accepting(s, 0);
    return slot;
}

void server_on_accept_failed(void *context, int error)
{
    gateway_server_t *s = context;
    if (s->accept_error != error) { /* once, however often it is tried again */
        s->totals[GATEWAY_TOTAL_out_of_descriptors]++;
        server_note(s, "nobody can be accepted for now: %s", tbus_strerror(error));
    }
    s->accept_error = error;
    s->accept_pause_ns = s->accept_pause_ns ? 2 * s->accept_pause_ns : PAUSE_NS_FIRST;
    if (s->accept_pause_ns > PAUSE_NS)
        s->accept_pause_ns = PAUSE_NS;
    pause_accepting(s, s->now_ns + s->accept_pause_ns);
}

void server_lack_descriptors(gateway_server_t *s)
{
    server_give_up_reserve(s);
    pause_accepting(s, s->now_ns + PAUSE_NS);
}

/* The one that has waited longest to log in, if that is too long. */
static uint32_t overdue(const gateway_server_t *s)
{
    uint32_t found = NO_SLOT;
    for (uint32_t i = 0; i < s->slots_used; i++) {
        const client_t *c = &s->clients[i];
        if (!c->connected || c->closing || c->checking ||
            soup_server_state(&c->session.soup) != SOUP_SERVER_WAITING ||
            s->now_ns - c->connected_ns < LOGIN_GRACE_NS)
            continue;
        if (found == NO_SLOT || c->connected_ns < s->clients[found].connected_ns)
            found = i;
    }
    return found;
}

void server_resume_accepting(gateway_server_t *s)
{
    uint32_t slot;
    if (!s->paused || s->now_ns < s->resumes_ns)
        return;
    if (s->logins >= s->options.logins_max && (slot = overdue(s)) != NO_SLOT) {
        s->totals[GATEWAY_TOTAL_late_logins]++;
        server_drop(s, slot);
    }
    if (s->logins >= s->options.logins_max || !server_hold_reserve(s))
        return;
    s->paused = false;
    gateway_net_pause(s->net, false);
}

void server_on_ended(void *context, uint32_t slot, int error)
{
    (void)error; /* a client that goes without a word goes all the same */
    server_drop(context, slot);
}

void server_on_released(void *context, uint32_t slot)
{
    gateway_server_t *s = context;
    client_t *c = client_of(s, slot);
    c->connected = false;
    c->closing = false;
    s->sessions--;
    if (c->shot)
        glimpse_release(c->shot);
    c->shot = NULL;
    while (s->slots_used && !s->clients[s->slots_used - 1].connected)
        s->slots_used--;
}

/* --- logins --- */

static void reject(gateway_server_t *s, uint32_t slot, char reason, const char *why)
{
    client_t *c = client_of(s, slot);
    s->totals[GATEWAY_TOTAL_rejected]++;
    server_note(s, "login of '%s' rejected: %s", c->name, why);
    s->logins--;
    gateway_session_reject(&c->session, reason, s->now_ns);
    server_relist(s, slot);
}

static bool has_too_many(const gateway_server_t *s, const client_t *who)
{
    uint32_t same = 0;
    if (!s->options.sessions_per_user)
        return false;
    for (uint32_t i = 0; i < s->slots_used; i++) {
        const client_t *c = &s->clients[i];
        same += c != who && c->connected && !c->closing &&
                soup_server_state(&c->session.soup) == SOUP_SERVER_OPEN &&
                strcasecmp(c->name, who->name) == 0;
    }
    return same >= s->options.sessions_per_user;
}

/* The sequence of the next message that there will be. The channel may not have come to it yet: it
 * begins in the past when it is started. */
static uint64_t next_seq(gateway_channel_t *channel)
{
    uint64_t next = gateway_channel_next_seq(channel);
    uint64_t published;
    if (!channel->ended && gateway_source_next_seq(&channel->source, &published, NULL) == 0 &&
        published > next)
        next = published;
    return next;
}

/* The books as they are now. False: there are none to be had, and the login is rejected. */
static bool take_shot(gateway_server_t *s, uint32_t slot)
{
    client_t *c = client_of(s, slot);
    char why[GATEWAY_TEXT_BYTES];
    tbus_error_t err = {0};
    for (int turns = 0; turns < SHOT_TURNS; turns++)
        if (glimpse_turn(s->glimpse, SHOT_MESSAGES, &err) != (int)SHOT_MESSAGES)
            break;
    c->shot = glimpse_take(s->glimpse, s->now_ns);
    if (c->shot)
        return true;
    snprintf(why, sizeof why, "the books cannot be had: %.*s", (int)sizeof why - 32,
             err.code                   ? err.text
             : *glimpse_why(s->glimpse) ? glimpse_why(s->glimpse)
                                        : "no memory for them");
    reject(s, slot, SOUP_SESSION_NOT_AVAILABLE, why);
    return false;
}

/* The password is right, or none is asked for. */
static void let_in(gateway_server_t *s, uint32_t slot)
{
    client_t *c = client_of(s, slot);
    const soup_login_t *wanted = &c->wanted;
    uint64_t next = s->glimpse ? 1 : next_seq(channel_of(s, c));
    uint64_t seq = wanted->sequence_blank ? 1 : wanted->sequence ? wanted->sequence : next;
    if (has_too_many(s, c)) {
        reject(s, slot, SOUP_NOT_AUTHORIZED, "the user has gateway.sessions_per_user sessions");
        return;
    }
    if (wanted->session[0] && strcasecmp(wanted->session, s->session_name) != 0) {
        reject(s, slot, SOUP_SESSION_NOT_AVAILABLE, "it asks for another session");
        return;
    }
    if (seq > next) {
        reject(s, slot, SOUP_SESSION_NOT_AVAILABLE, "it asks for a message that is yet to come");
        return;
    }
    if (s->glimpse && !take_shot(s, slot))
        return;
    uint64_t number = soup_proof_block(seq);
    c->next_offer = number > OFFERS_BEFORE ? number - OFFERS_BEFORE : 0;
    s->totals[GATEWAY_TOTAL_logins]++;
    s->logins--;
    gateway_session_accept(&c->session, s->session_name, seq, s->now_ns);
    server_relist(s, slot);
}

static void take_login(gateway_server_t *s, uint32_t slot, soup_login_t *login)
{
    client_t *c = client_of(s, slot);
    snprintf(c->name, sizeof c->name, "%s", login->user);
    c->wanted = *login;
    explicit_bzero(c->wanted.password, sizeof c->wanted.password);
    if (!s->passwords) {
        let_in(s, slot);
        return;
    }
    uint32_t user = gateway_users_find(&s->users, login->user);
    bool known = user != GATEWAY_NO_USER;
    c->user = user;
    if (!gateway_guard_lets(&s->guard, c->address, user, s->now_ns)) {
        reject(s, slot, SOUP_NOT_AUTHORIZED, "it has failed too often and is to wait");
        return;
    }
    /* Of an unknown user a hash is tried all the same: how long it takes tells nobody who is. */
    const char *hash = s->users.users[known ? user : 0].hash;
    uint64_t ticket = (uint64_t)c->login << 32 | slot;
    c->checking = gateway_passwords_submit(s->passwords, ticket, login->password, hash, known);
    if (c->checking)
        s->checking++;
    else
        reject(s, slot, SOUP_NOT_AUTHORIZED, "too many log in at a time");
}

static void take_check(gateway_server_t *s, uint64_t ticket, bool right)
{
    uint32_t slot = (uint32_t)ticket;
    client_t *c = client_of(s, slot);
    if (!c->connected || c->login != (uint32_t)(ticket >> 32))
        return; /* it is gone, and another may be in its place */
    c->checking = false;
    if (!c->stale) /* else the answer says nothing of the user that there is now */
        gateway_guard_tell(&s->guard, c->address, c->user, right, s->now_ns);
    if (c->closing || soup_server_state(&c->session.soup) != SOUP_SERVER_DECIDING)
        return;
    if (c->stale)
        reject(s, slot, SOUP_NOT_AUTHORIZED, "the users have just changed; log in again");
    else if (!right)
        reject(s, slot, SOUP_NOT_AUTHORIZED, "no such user, or the password is wrong");
    else if (!gateway_user_may(&s->users.users[c->user], topic_of(s, c)))
        reject(s, slot, SOUP_NOT_AUTHORIZED, "the user may not have this topic");
    else
        let_in(s, slot);
}

bool server_take_checks(gateway_server_t *s)
{
    uint64_t ticket;
    bool right, any = false;
    while (s->checking && gateway_passwords_take(s->passwords, &ticket, &right)) {
        s->checking--;
        any = true;
        take_check(s, ticket, right);
    }
    return any;
}

/* --- what clients send --- */

static void take_fault(gateway_server_t *s, uint32_t slot, enum soup_server_fault fault,
                       bool before_answer)
{
    client_t *c = client_of(s, slot);
    s->totals[GATEWAY_TOTAL_faults]++;
    server_note(s, "a client broke the protocol: %s", soup_server_fault_text(fault));
    c->session.streaming = false;
    if (before_answer) {
        s->logins--;
        gateway_session_reject(&c->session, SOUP_NOT_AUTHORIZED, s->now_ns);
    }
    server_relist(s, slot);
}

void server_on_received(void *context, uint32_t slot, const uint8_t *bytes, size_t count)
{
    gateway_server_t *s = context;
    client_t *c = client_of(s, slot);
    for (size_t used = 0; used < count && !c->closing;) {
        soup_server_event_t event;
        bool before_answer = soup_server_state(&c->session.soup) <= SOUP_SERVER_DECIDING;
        used += soup_server_take(&c->session.soup, bytes + used, count - used, s->now_ns, &event);
        switch (event.kind) {
        case SOUP_SERVER_NOTHING:
            break;
        case SOUP_SERVER_LOGIN:
            take_login(s, slot, &event.login);
            explicit_bzero(&event.login, sizeof event.login);
            break;
        case SOUP_SERVER_LOGOUT:
            s->logins -= before_answer;
            c->session.streaming = false;
            server_relist(s, slot);
            break;
        case SOUP_SERVER_FAULT:
            take_fault(s, slot, event.fault, before_answer);
            break;
        }
    }
}
