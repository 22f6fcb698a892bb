/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "feedsim/gateway/listen.h"
#include "feedsim/gateway/server_parts.h"

#define MESSAGES_MIN 256u /* of a channel at a turn */
/* Sockets are looked at so often, and before each sleep: a look takes longer than a turn that finds
 * nothing, and what comes on the ring is not to wait for it. */
#define POLL_NS  UINT64_C(20000)
#define WATCH_NS UINT64_C(20000000)
#define SHOW_NS  UINT64_C(100000000)
/* No ring rings for an observer. So it naps: shortly while messages come, and longer when none has
 * come for a second. */
#define NAP_NS       UINT64_C(100000)
#define NAP_NS_QUIET UINT64_C(1000000)
#define QUIET_NS     UINT64_C(1000000000)
/* At the end, for clients that are told that they have not got everything. */
#define LAST_WORDS_NS UINT64_C(1000000000)
/* Descriptors beside those of sessions: segments and indexes of readers, rings, and so on. */
#define OTHER_DESCRIPTORS 128u

/* --- made and started --- */

/* As many descriptors as there may be sessions, or fewer sessions. */
static void fit_descriptors(gateway_server_t *s)
{
    struct rlimit limit;
    uint64_t wanted = (uint64_t)s->options.sessions_max + OTHER_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* else we run out, which is borne */
}

bool server_hold_reserve(gateway_server_t *s)
{
    for (unsigned i = 0; i < SERVER_RESERVE; i++)
        if (s->reserve[i] < 0 && (s->reserve[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
            return false;
    return true;
}

void server_give_up_reserve(gateway_server_t *s)
{
    for (unsigned i = 0; i < SERVER_RESERVE; i++) {
        if (s->reserve[i] >= 0)
            close(s->reserve[i]);
        s->reserve[i] = -1;
    }
}

static int open_net(gateway_server_t *s, tbus_error_t *err)
{
    const gateway_net_events_t events = {
        .context = s,
        .accepted = server_on_accepted,
        .accept_failed = server_on_accept_failed,
        .received = server_on_received,
        .ended = server_on_ended,
        .writable = server_on_writable,
        .sent = server_on_sent,
        .released = server_on_released,
    };
    tbus_error_t why = {0};
    int code = gateway_net_create(s->options.io, s->options.sessions_max, &events, &s->net, &why);
    if (code == -TBUS_EKIND) {
        snprintf(s->remark, sizeof s->remark, "the gateway uses epoll: %.200s", why.text);
        server_note(s, "%s", s->remark);
        code =
            gateway_net_create(GATEWAY_IO_EPOLL, s->options.sessions_max, &events, &s->net, &why);
    }
    if (code < 0 && err)
        *err = why;
    for (uint32_t i = 0; code == 0 && i < s->options.channels_count; i++) {
        int fd;
        gateway_listen_t listen = {
            .address = s->options.channels[i].address,
            .loopback_only = !s->options.users,
            .send_buffer_bytes = s->options.send_buffer_bytes,
            .port_before =
                s->board ? (uint16_t)tbus_load_relaxed_u64(&s->board->channels[i].port) : 0};
        code = gateway_listen_open(&listen, &fd, &s->ports[i], err);
        if (code == 0)
            code = gateway_net_listen(s->net, fd, err);
    }
    /* Nobody is answered before it is known what there is to be had. */
    if (code == 0)
        gateway_net_pause(s->net, true);
    return code;
}

int gateway_server_create(tbus_bus_t *bus, const char *journal, const gateway_options_t *options,
                          gateway_board_t *board, gateway_server_t **out_server, tbus_error_t *err)
{
    gateway_server_t *s = calloc(1, sizeof *s);
    client_t *clients = calloc(options->sessions_max, sizeof *clients);
    if (!s || !clients) {
        free(s);
        free(clients);
        return tbus_fail(err, -ENOMEM, "no memory for %u sessions; set gateway.sessions_max lower",
                         options->sessions_max);
    }
    s->bus = bus;
    s->journal = journal;
    s->options = *options;
    s->board = board;
    s->clients = clients;
    server_take_first_limits(s);
    s->now_ns = tbus_clock_ns();
    server_lists_clear(s);
    fit_descriptors(s);
    memset(s->reserve, 0xff, sizeof s->reserve); /* -1 */
    (void)server_hold_reserve(s);
    int code = options->users ? gateway_users_load(options->users, &s->users, err) : 0;
    if (code == 0 && options->users)
        code = gateway_passwords_create(&s->passwords, err);
    if (code == 0)
        code = gateway_backfill_create(options->backfill_readers, options->backfill_bytes,
                                       &s->backfill, err);
    /* Before anything is published: to make books takes a while. */
    if (code == 0 && options->books)
        code = glimpse_create(options->books, &s->glimpse, err);
    if (code == 0)
        code = open_net(s, err);
    if (code < 0) {
        gateway_server_destroy(s);
        return code;
    }
    *out_server = s;
    return 0;
}

int gateway_server_start(gateway_server_t *s, const char *session_name, tbus_error_t *err)
{
    int code = 0;
    snprintf(s->session_name, sizeof s->session_name, "%s", session_name);
    if (s->glimpse)
        code = glimpse_follow(s->glimpse, s->bus, s->journal, s->options.channels[0].topic, err);
    for (; code == 0 && !s->glimpse && s->channels_count < s->options.channels_count;
         s->channels_count += code == 0)
        code = gateway_channel_open(&s->channels[s->channels_count], s->bus, s->journal,
                                    s->options.channels[s->channels_count].topic,
                                    s->options.window_bytes, err);
    if (code < 0)
        return code;
    s->started = true;
    s->now_ns = tbus_clock_ns();
    if (!s->glimpse) /* else when its books are right (turn_books) */
        gateway_net_pause(s->net, false);
    server_show_start(s);
    server_show(s);
    return 0;
}

void gateway_server_destroy(gateway_server_t *s)
{
    if (!s)
        return;
    gateway_net_destroy(s->net);
    gateway_passwords_destroy(s->passwords);
    gateway_users_destroy(&s->users);
    gateway_backfill_destroy(s->backfill);
    for (uint32_t i = 0; i < s->channels_count; i++)
        gateway_channel_close(&s->channels[i]);
    glimpse_destroy(s->glimpse);
    server_give_up_reserve(s);
    free(s->clients);
    free(s);
}

const char *gateway_server_remark(const gateway_server_t *s)
{
    return s->remark;
}

uint16_t gateway_server_port(const gateway_server_t *s, uint32_t channel)
{
    return s->ports[channel];
}

/* --- turned --- */

/* A channel could not be read. */
static int bear_error(gateway_server_t *s, const char *topic, int code, const tbus_error_t *why,
                      tbus_error_t *err)
{
    if (code == -EMFILE || code == -ENFILE)
        server_lack_descriptors(s);
    server_note(s, "topic %s cannot be read for now: %s", topic, why->text);
    return serving_bears(&s->patience, code, s->now_ns)
               ? 0
               : tbus_fail(err, code, "the gateway cannot read topic '%s': %s", topic, why->text);
}

/* What has come on the topics. */
static int turn_channels(gateway_server_t *s, uint32_t messages, tbus_error_t *err)
{
    int done = 0;
    if (serving_waits(&s->patience, s->now_ns))
        return 0;
    for (uint32_t i = 0; i < s->channels_count; i++) {
        tbus_error_t why = {0};
        gateway_channel_t *channel = &s->channels[i];
        int code = gateway_channel_turn(channel, messages, s->now_ns, &why);
        if (code < 0)
            return bear_error(s, channel->topic, code, &why, err);
        if (code > 0)
            server_wake_edge(s, i);
        else if (s->finishing && !channel->ended) {
            gateway_channel_finish(channel);
            if (channel->ended)
                server_wake_edge(s, i);
        }
        done |= code;
    }
    serving_goes_on(&s->patience);
    return done;
}

/* What has come for the books. */
static int turn_books(gateway_server_t *s, uint32_t messages, tbus_error_t *err)
{
    tbus_error_t why = {0};
    if (serving_waits(&s->patience, s->now_ns))
        return 0;
    int code = glimpse_turn(s->glimpse, messages, &why);
    if (code < 0)
        return bear_error(s, s->options.channels[0].topic, code, &why, err);
    serving_goes_on(&s->patience);
    if (!s->warmed && !glimpse_is_behind(s->glimpse)) {
        s->warmed = true;
        gateway_net_pause(s->net, false);
    }
    return code;
}

int gateway_server_turn(gateway_server_t *s, uint32_t messages, tbus_error_t *err)
{
    bool busy = false;
    s->now_ns = tbus_clock_ns();
    if (s->now_ns - s->polled_ns >= POLL_NS) {
        s->polled_ns = s->now_ns;
        busy |= gateway_net_poll(s->net, 0);
    }
    busy |= server_take_checks(s);
    messages = messages < MESSAGES_MIN ? MESSAGES_MIN : messages;
    int done = s->glimpse ? turn_books(s, messages, err) : turn_channels(s, messages, err);
    if (done < 0)
        return done;
    busy |= server_send(s);
    for (uint32_t i = 0; done > 0 && i < s->channels_count; i++)
        gateway_channel_follow(&s->channels[i]);
    if (s->now_ns - s->watched_ns >= WATCH_NS) {
        s->watched_ns = s->now_ns;
        server_watch(s);
    }
    if (s->now_ns - s->shown_ns >= SHOW_NS) {
        s->shown_ns = s->now_ns;
        server_show(s);
    }
    return busy || done > 0;
}

/* How long nothing need be looked at but sockets. */
static uint64_t nap_ns(const gateway_server_t *s)
{
    bool quiet = true;
    if (s->checking)
        return NAP_NS_QUIET;
    for (uint32_t i = 0; s->bus && i < s->channels_count; i++)
        quiet &= s->now_ns - s->channels[i].live_ns > QUIET_NS;
    if (s->bus)
        return quiet ? NAP_NS_QUIET : NAP_NS;
    return WATCH_NS / 2;
}

void gateway_server_sleep(gateway_server_t *s, uint64_t until_ns)
{
    uint64_t now_ns = tbus_clock_ns();
    uint64_t wait_ns = nap_ns(s);
    if (gateway_backfill_busy(s->backfill) && wait_ns > NAP_NS_QUIET)
        wait_ns = NAP_NS_QUIET; /* a reader waits for whoever records */
    if (until_ns < now_ns + wait_ns)
        wait_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    s->now_ns = now_ns;
    (void)gateway_net_poll(s->net, wait_ns);
}

/* --- ended --- */

static void turn_until(gateway_server_t *s, uint64_t deadline_ns)
{
    do {
        int done = gateway_server_turn(s, MESSAGES_MIN, NULL);
        if (done < 0)
            return;
        if (done == 0 && s->sessions)
            gateway_server_sleep(s, deadline_ns);
    } while (s->sessions && tbus_clock_ns() < deadline_ns);
}

void gateway_server_finish(gateway_server_t *s)
{
    if (!s->started)
        return;
    s->finishing = true;
    turn_until(s, tbus_clock_ns() + s->options.linger_ns);
    gateway_net_close_listeners(s->net);
    for (uint32_t slot = 0; slot < s->slots_used; slot++) {
        const client_t *c = client_of(s, slot);
        if (c->connected && soup_server_state(&c->session.soup) == SOUP_SERVER_OPEN)
            server_end_client(s, slot, "the gateway stops, and you have not got everything", false);
    }
    turn_until(s, tbus_clock_ns() + LAST_WORDS_NS);
    for (uint32_t i = 0; s->board && i < s->channels_count; i++)
        tbus_store_relaxed_u64(&s->board->channels[i].port, 0);
    server_show(s);
}
