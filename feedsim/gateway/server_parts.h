/* SPDX-License-Identifier: Apache-2.0 */
/* server_parts.h - what the files of the server share. For server*.c alone.
 *
 *    server.c          made, turned, ended
 *    server_send.c     what is sent to whom, and in which order
 *    server_login.c    connections, logins, what clients send
 *    server_watch.c    what is due: heartbeats, deadlines, policies
 *    server_reload.c   users and limits, read again
 *    server_show.c     the board and the counters
 *
 * Clients that can be sent something stand in a list:
 *
 *    LIVE    the live edge has their next message, or a control packet waits
 *    PAST    their next message is to be had from the past
 *    EDGE    they have everything; they become LIVE when something comes. One for each channel
 *    NONE    their socket is full, or they have not logged in
 */
#ifndef TICKBUS_FEEDSIM_GATEWAY_SERVER_PARTS_H
#define TICKBUS_FEEDSIM_GATEWAY_SERVER_PARTS_H

#include "feedsim/gateway/channel.h"
#include "feedsim/gateway/glimpse.h"
#include "feedsim/gateway/guard.h"
#include "feedsim/gateway/password.h"
#include "feedsim/gateway/server.h"
#include "feedsim/gateway/session.h"
#include "feedsim/gateway/users.h"
#include "feedsim/serving.h"

#define NO_SLOT UINT32_MAX

/* Descriptors that are held open for nothing. When the process has no more of them and something
 * must be read in the journal, these are given up for it, and nobody is accepted until they are
 * held again: else new connections would take them. */
#define SERVER_RESERVE 8

enum {
    LIST_LIVE = 0,
    LIST_PAST = 1,
    LIST_EDGE = 2, /* of channel 0, and so on */
    LISTS_COUNT = 2 + GATEWAY_CHANNELS_MAX,
    LIST_NONE = LISTS_COUNT
};

typedef struct client_list {
    uint32_t first, last; /* slots, or NO_SLOT */
    uint32_t count;
} client_list_t;

typedef struct client {
    gateway_session_t session;
    bool connected; /* the slot is taken, until it is released */
    bool closing;   /* closed, and not released yet */
    bool in_flight; /* a send is under way */
    bool blocked;   /* its socket is full, */
    bool starved;   /* or the kernel had no memory for it, and will not say when it has */
    bool shut;      /* its sending side is shut */
    bool checking;  /* its password is with the helper */
    bool stale;     /* and is held against a hash that is not in force any more */
    bool was_behind;
    uint8_t list;
    uint32_t previous, next; /* in the list */
    gateway_chunk_t chunk;   /* in flight */
    const gateway_block_t *block;

    uint32_t channel;
    glimpse_shot_t *shot; /* that it gets, instead of the channel's messages; NULL: none */
    uint32_t login;       /* number of the connection */
    uint32_t user;        /* index, or GATEWAY_NO_USER */
    char name[SOUP_USER_BYTES + 1];
    uint8_t address[16];
    uint16_t port;
    soup_login_t wanted; /* what the login asked for; the password is wiped */
    uint64_t connected_ns;
    uint64_t blocked_ns; /* when its socket became full, or was not any more */
    uint64_t edge_ns;    /* when it had everything, last */
    uint64_t next_offer; /* number of the block whose digest is offered next */
    uint64_t bytes;
    uint64_t behind_count;
} client_t;

struct gateway_server {
    tbus_bus_t *bus;
    const char *journal;
    gateway_options_t options;
    gateway_board_t *board;
    gateway_net_t *net;
    gateway_users_t users;
    gateway_passwords_t *passwords; /* NULL: there are no users */
    uint32_t checking;              /* passwords that are with it */
    gateway_backfill_t *backfill;
    uint32_t channels_count; /* that are open */
    gateway_channel_t channels[GATEWAY_CHANNELS_MAX];
    glimpse_t *glimpse; /* in the place of channels; NULL: none */
    bool warmed;        /* it had come to the end of its topic once */
    uint16_t ports[GATEWAY_CHANNELS_MAX];
    char session_name[SOUP_SESSION_BYTES + 1];

    uint32_t slots_used; /* all connected ones are below */
    uint32_t sessions;   /* connected */
    uint32_t logins;     /* of them, those that have not logged in */
    uint32_t next_login;
    client_t *clients; /* owned; sessions_max */
    client_list_t lists[LISTS_COUNT];

    bool started;
    bool finishing;
    int accept_error;         /* that was told last; 0: somebody was accepted since */
    uint64_t accept_pause_ns; /* that followed it */
    bool starved; /* that the kernel has no memory for sends was told; none has worked since */
    bool paused;  /* accepting is, */
    uint64_t resumes_ns; /* not before; 0: when somebody has logged in */
    uint64_t now_ns;
    uint64_t polled_ns;          /* the sockets were looked at */
    uint64_t watched_ns;         /* server_watch.c was here */
    uint64_t shown_ns;           /* server_show.c */
    serving_patience_t patience; /* with topics */
    uint64_t totals[GATEWAY_TOTALS_COUNT];
    uint64_t base[GATEWAY_TOTALS_COUNT]; /* of those before us */
    tbus_atomic_u64_t *counters[GATEWAY_TOTALS_COUNT];
    tbus_atomic_u64_t *sessions_counter;
    int reserve[SERVER_RESERVE]; /* descriptors; -1: given up */
    uint64_t read_errors;        /* of the past, when last looked */
    uint64_t limits_version;     /* of the limits on the board that were taken */
    char remark[256];            /* what is to be said of how it was made; "": nothing */
    gateway_guard_t guard;
};

static inline client_t *client_of(gateway_server_t *s, uint32_t slot)
{
    return &s->clients[slot];
}
static inline gateway_channel_t *channel_of(gateway_server_t *s, const client_t *c)
{
    return &s->channels[c->channel];
}
static inline const char *topic_of(const gateway_server_t *s, const client_t *c)
{
    return s->options.channels[c->channel].topic;
}
/* The sequence of the message behind the last one that there is for the client. */
static inline uint64_t next_seq_of(const gateway_server_t *s, const client_t *c)
{
    if (s->glimpse)
        return c->shot ? c->shot->count + 1 : 1;
    return gateway_channel_next_seq(&s->channels[c->channel]);
}
/* Will there be none behind it? */
static inline bool has_ended(const gateway_server_t *s, const client_t *c)
{
    return s->glimpse ? c->shot != NULL : s->channels[c->channel].ended;
}

/* Somebody should know of this: it is shown until the next. */
void server_note(gateway_server_t *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Hold the reserve. False: there are too few descriptors. */
bool server_hold_reserve(gateway_server_t *s);
void server_give_up_reserve(gateway_server_t *s);

/* --- server_send.c --- */

void server_lists_clear(gateway_server_t *s);
/* Put the client where it belongs, after anything about it has changed. */
void server_relist(gateway_server_t *s, uint32_t slot);
/* Messages have come on a channel: those at its edge have something to get. */
void server_wake_edge(gateway_server_t *s, uint32_t channel);
/* Send to clients that are live, and to those that are behind. Returns whether anything was. */
bool server_send(gateway_server_t *s);
void server_on_sent(void *context, uint32_t slot, int32_t result);
void server_on_writable(void *context, uint32_t slot);
/* Close the connection; its slot is free when that is done. */
void server_drop(gateway_server_t *s, uint32_t slot);
/* End the session by its own rules: with the reason, and what waits to be sent. */
void server_end_client(gateway_server_t *s, uint32_t slot, const char *why, bool over);

/* --- server_login.c --- */

uint32_t server_on_accepted(void *context, uint32_t listener, const struct sockaddr_storage *peer);
void server_on_accept_failed(void *context, int error);
void server_on_received(void *context, uint32_t slot, const uint8_t *bytes, size_t count);
void server_on_ended(void *context, uint32_t slot, int error);
void server_on_released(void *context, uint32_t slot);
/* Passwords that were checked meanwhile. Returns whether there were any. */
bool server_take_checks(gateway_server_t *s);
/* Something cannot be read for want of descriptors: have some, and accept nobody for now. */
void server_lack_descriptors(gateway_server_t *s);
/* Accept again, when it is time. */
void server_resume_accepting(gateway_server_t *s);

/* --- server_watch.c --- */

/* Now and then: what is due. */
void server_watch(gateway_server_t *s);

/* Say why, count it, and end the session. */
void server_cut(gateway_server_t *s, uint32_t slot, const char *why);

/* --- server_reload.c --- */

/* Before anything else: the limits on the board, if somebody has put any there. */
void server_take_first_limits(gateway_server_t *s);
/* Those that were put there since. */
void server_take_limits(gateway_server_t *s);

/* --- server_show.c --- */

void server_show_start(gateway_server_t *s);
void server_show(gateway_server_t *s);

#endif
