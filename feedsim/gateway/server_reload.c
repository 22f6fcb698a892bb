/* SPDX-License-Identifier: Apache-2.0 */
/* Users and limits change while sessions go on. */
#include <stdio.h>
#include <string.h>

#include "feedsim/gateway/server_parts.h"

gateway_limits_t gateway_options_limits(const gateway_options_t *o)
{
    return (gateway_limits_t){.sessions_per_user = o->sessions_per_user,
                              .sessions_per_address = o->sessions_per_address,
                              .logins_max = o->logins_max,
                              .lag_max = o->lag_max,
                              .idle_ns = o->idle_ns,
                              .login_ns = o->times.login_ns};
}

/* Connections that have not logged in keep the time that they were given. */
static void set_limits(gateway_options_t *o, const gateway_limits_t *limits)
{
    o->sessions_per_user = (uint32_t)limits->sessions_per_user;
    o->sessions_per_address = (uint32_t)limits->sessions_per_address;
    o->logins_max = (uint32_t)limits->logins_max;
    o->lag_max = limits->lag_max;
    o->idle_ns = limits->idle_ns;
    o->times.login_ns = limits->login_ns;
}

/* What became of the client's user: the session goes on (NULL), or why not. */
static const char *fault_of(const gateway_server_t *s, const client_t *c,
                            const gateway_users_t *users)
{
    if (c->user == GATEWAY_NO_USER)
        return "cut off: there is no such user any more";
    if (!gateway_user_may(&users->users[c->user], topic_of(s, c)))
        return "cut off: the user may not have this topic any more";
    return NULL;
}

/* A client is known by its name: the number of a user is that of its line. */
static void renumber_client(gateway_server_t *s, uint32_t slot, const gateway_users_t *before)
{
    client_t *c = client_of(s, slot);
    uint32_t old = c->user;
    if (!c->connected || c->closing)
        return;
    c->user = gateway_users_find(&s->users, c->name);
    const char *now = c->user == GATEWAY_NO_USER ? "" : s->users.users[c->user].hash;
    const char *then = old == GATEWAY_NO_USER ? "" : before->users[old].hash;
    c->stale |= c->checking && strcmp(now, then) != 0;
    const char *why = fault_of(s, c, &s->users);
    if (soup_server_state(&c->session.soup) == SOUP_SERVER_OPEN && why)
        server_cut(s, slot, why);
}

static void take_users(gateway_server_t *s, gateway_users_t *fresh)
{
    uint32_t numbers[GATEWAY_USERS_MAX];
    gateway_users_t before = s->users;
    for (uint32_t i = 0; i < before.count; i++)
        numbers[i] = gateway_users_find(fresh, before.users[i].name);
    gateway_guard_renumber(&s->guard, numbers, before.count);
    s->users = *fresh;
    for (uint32_t slot = 0; slot < s->slots_used; slot++)
        renumber_client(s, slot, &before);
    gateway_users_destroy(&before);
}

int gateway_server_reload(gateway_server_t *s, const gateway_limits_t *limits, tbus_error_t *err)
{
    gateway_users_t fresh = {0};
    int code = s->options.users ? gateway_users_load(s->options.users, &fresh, err) : 0;
    if (code < 0)
        return code;
    set_limits(&s->options, limits);
    s->totals[GATEWAY_TOTAL_reloads]++;
    if (s->options.users) {
        server_note(s, "users were read again: there are %u", fresh.count);
        take_users(s, &fresh);
    }
    return 0;
}

/* Those on the board that were not looked at yet. False: there are none, or they are being
 * written. */
static bool new_limits(const gateway_server_t *s, gateway_limits_t *out_limits)
{
    uint64_t words[GATEWAY_LIMITS_WORDS];
    gateway_board_t *b = s->board;
    uint64_t version = b ? tbus_load_relaxed_u64(&b->limits_version) : 0;
    if (version == s->limits_version ||
        !gateway_board_get(&b->limits_version, b->limits, words, GATEWAY_LIMITS_WORDS))
        return false;
    memcpy(out_limits, words, sizeof *out_limits);
    return true;
}

void server_take_first_limits(gateway_server_t *s)
{
    gateway_limits_t limits;
    if (!new_limits(s, &limits))
        return;
    s->limits_version = tbus_load_relaxed_u64(&s->board->limits_version);
    set_limits(&s->options, &limits);
}

void server_take_limits(gateway_server_t *s)
{
    gateway_limits_t limits;
    tbus_error_t why = {0};
    uint64_t version = s->board ? tbus_load_relaxed_u64(&s->board->limits_version) : 0;
    if (!new_limits(s, &limits))
        return;
    s->limits_version = version;
    if (gateway_server_reload(s, &limits, &why) < 0)
        server_note(s, "users and limits stay as they are: %s", why.text);
    server_show(s);
    tbus_store_relaxed_u64(&s->board->taken, version); /* hint: for whoever waits for it */
}
