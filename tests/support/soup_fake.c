/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/soup_fake.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tickbus/clock.h>

#include "bus/wire/soup_proof.h"
#include "bus/wire/soup_server.h"

#define CLIENTS_MAX 300u
#define OUT_BYTES   (2u * SOUP_PACKET_MAX)

typedef struct client {
    int fd; /* -1: free */
    bool closing;
    soup_server_t machine;
    soup_proof_t *proof;
    uint64_t next;
    size_t sent, used; /* of `out` */
    uint8_t out[OUT_BYTES];
} client_t;

struct soup_fake {
    soup_fake_script_t script;
    pthread_t thread;
    pthread_mutex_t mutex; /* over messages, ends and the counts */
    int listener, bell;
    bool stopping;
    unsigned logins, logouts;
    client_t *clients[CLIENTS_MAX];
};

static void drop(client_t **place)
{
    close((*place)->fd);
    soup_proof_destroy((*place)->proof);
    free(*place);
    *place = NULL;
}

static uint64_t first_of(const soup_fake_script_t *script)
{
    return script->first ? script->first : 1;
}

/* ---- what a client is sent ---- */

static uint8_t *room(client_t *c, size_t bytes)
{
    return sizeof c->out - c->used >= bytes ? c->out + c->used : NULL;
}

static void offer(soup_fake_t *f, client_t *c)
{
    soup_proof_offer_t o = {.block = soup_proof_block(c->next - 1),
                            .count = soup_proof_count(c->proof)};
    soup_proof_digest(c->proof, o.digest);
    o.digest[0] ^= f->script.spoiled == o.block + 1;
    if (f->script.unoffered != o.block + 1)
        c->used += soup_proof_put_offer(c->out + c->used, &o);
}

/* A digest begins anew with each connection: at the block of the sequence that was asked for, with
 * the messages of it that the client has from before. */
static void begin_proof(soup_fake_t *f, client_t *c)
{
    static __thread uint8_t message[SOUP_FAKE_MESSAGE_MAX];
    assert(soup_proof_create(&c->proof, NULL) == 0);
    for (uint64_t s = soup_proof_first(soup_proof_block(c->next)); s < c->next; s++)
        soup_proof_message(c->proof, message, f->script.message(s, f->script.context, message));
}

static void put_message(soup_fake_t *f, client_t *c)
{
    uint8_t *to = c->out + c->used;
    size_t bytes = f->script.message(c->next++, f->script.context, to + SOUP_HEADER_BYTES);
    c->used += soup_put_header(to, SOUP_SEQUENCED, bytes);
    if (!f->script.offers)
        return;
    if (soup_proof_count(c->proof) == SOUP_PROOF_BLOCK)
        soup_proof_begin(c->proof);
    soup_proof_message(c->proof, to + SOUP_HEADER_BYTES, bytes);
    if (soup_proof_count(c->proof) == SOUP_PROOF_BLOCK)
        offer(f, c);
}

static void end_session(soup_fake_t *f, client_t *c, uint64_t now)
{
    uint32_t part = f->script.offers ? soup_proof_count(c->proof) : 0;
    if (part && part < SOUP_PROOF_BLOCK)
        offer(f, c);
    c->used += soup_put_header(c->out + c->used, SOUP_END_OF_SESSION, 0);
    soup_server_end(&c->machine, now);
}

/* False: nothing is left to be written now. */
static bool fill(soup_fake_t *f, client_t *c, uint64_t now)
{
    if (soup_server_state(&c->machine) != SOUP_SERVER_OPEN ||
        !room(c, SOUP_PACKET_MAX + SOUP_PROOF_PACKET_MAX))
        return false;
    if (c->next <= f->script.messages) {
        put_message(f, c);
        return true;
    }
    if (f->script.ends)
        end_session(f, c, now);
    else if (soup_server_due(&c->machine, now) == SOUP_DUE_HEARTBEAT)
        c->used += soup_put_header(c->out + c->used, SOUP_SERVER_HEARTBEAT, 0);
    return false;
}

/* False: the connection is gone. */
static bool send_out(soup_fake_t *f, client_t *c, uint64_t now)
{
    for (;;) {
        while (fill(f, c, now))
            ;
        if (c->sent == c->used)
            break;
        ssize_t count =
            send(c->fd, c->out + c->sent, c->used - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0)
            return errno == EAGAIN || errno == EINTR;
        soup_server_sent(&c->machine, now);
        c->sent += (size_t)count;
        memmove(c->out, c->out + c->sent, c->used - c->sent);
        c->used -= c->sent;
        c->sent = 0;
    }
    if (soup_server_state(&c->machine) == SOUP_SERVER_ENDING && !c->closing) {
        c->closing = true;
        shutdown(c->fd, SHUT_WR);
    }
    return true;
}

/* ---- what a client sends ---- */

static bool same(const char *wanted, const char *given)
{
    return !wanted || strcasecmp(wanted, given) == 0;
}

static void on_login(soup_fake_t *f, client_t *c, const soup_login_t *login, uint64_t now)
{
    const soup_fake_script_t *s = &f->script;
    uint64_t from = login->sequence_blank ? 1 : login->sequence;
    if (from == 0)
        from = s->messages + 1;
    char reason = 0;
    if (!same(s->user, login->user) || !same(s->password, login->password))
        reason = SOUP_NOT_AUTHORIZED;
    else if ((login->session[0] && strcmp(login->session, s->session) != 0) ||
             from > s->messages + 1)
        reason = SOUP_SESSION_NOT_AVAILABLE;
    if (reason) {
        c->used += soup_server_reject(&c->machine, reason, now, c->out + c->used);
        return;
    }
    soup_accepted_t accepted = {.sequence = from < first_of(s) ? first_of(s) : from};
    strcpy(accepted.session, s->session);
    c->next = accepted.sequence;
    c->used += soup_server_accept(&c->machine, &accepted, now, c->out + c->used);
    if (s->greeting)
        c->used += soup_server_put_debug(&c->machine, c->out + c->used, 200, s->greeting);
    if (s->offers)
        begin_proof(f, c);
    f->logins++;
}

/* False: the connection is gone. */
static bool take_in(soup_fake_t *f, client_t *c, uint64_t now)
{
    uint8_t in[512];
    ssize_t count = recv(c->fd, in, sizeof in, MSG_DONTWAIT);
    if (count <= 0)
        return count < 0 && (errno == EAGAIN || errno == EINTR);
    for (size_t used = 0; used < (size_t)count;) {
        soup_server_event_t event;
        used += soup_server_take(&c->machine, in + used, (size_t)count - used, now, &event);
        if (event.kind == SOUP_SERVER_LOGIN)
            on_login(f, c, &event.login, now);
        f->logouts += event.kind == SOUP_SERVER_LOGOUT;
    }
    return true;
}

static void serve(soup_fake_t *f, client_t **place, short events)
{
    uint64_t now = tbus_clock_ns();
    client_t *c = *place;
    enum soup_server_due due = soup_server_due(&c->machine, now);
    bool alive = due == SOUP_DUE_NOTHING || due == SOUP_DUE_HEARTBEAT;
    if (alive && events & (POLLIN | POLLERR | POLLHUP))
        alive = take_in(f, c, now);
    if (!alive || !send_out(f, c, now))
        drop(place);
}

static void accept_one(soup_fake_t *f)
{
    int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    client_t **place = f->clients;
    while (place < f->clients + CLIENTS_MAX && *place)
        place++;
    client_t *c = place < f->clients + CLIENTS_MAX ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        close(fd);
        return;
    }
    c->fd = fd;
    soup_server_begin(&c->machine, NULL, tbus_clock_ns());
    *place = c;
}

static void *run(void *argument)
{
    soup_fake_t *f = argument;
    static __thread struct pollfd fds[2 + CLIENTS_MAX];
    for (;;) {
        fds[0] = (struct pollfd){.fd = f->bell, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = f->listener, .events = POLLIN};
        for (size_t i = 0; i < CLIENTS_MAX; i++) {
            client_t *c = f->clients[i];
            short events = c && c->used ? POLLIN | POLLOUT : POLLIN;
            fds[2 + i] = (struct pollfd){.fd = c ? c->fd : -1, .events = events};
        }
        poll(fds, 2 + CLIENTS_MAX, 100); /* heartbeats are not that late */
        eventfd_t rung;
        if (fds[0].revents)
            eventfd_read(f->bell, &rung);
        pthread_mutex_lock(&f->mutex);
        bool stopping = f->stopping;
        for (size_t i = 0; i < CLIENTS_MAX && !stopping; i++)
            if (f->clients[i])
                serve(f, &f->clients[i], fds[2 + i].revents);
        pthread_mutex_unlock(&f->mutex);
        if (stopping)
            return NULL;
        if (fds[1].revents)
            accept_one(f);
    }
}

static int listen_at(uint16_t port, uint16_t *out_port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof at;
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, CLIENTS_MAX) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &bytes) < 0) {
        close(fd);
        return -1;
    }
    *out_port = ntohs(at.sin_port);
    return fd;
}

soup_fake_t *soup_fake_start(const soup_fake_script_t *script, uint16_t port, uint16_t *out_port)
{
    soup_fake_t *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->script = *script;
    pthread_mutex_init(&f->mutex, NULL);
    f->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->listener = listen_at(port, out_port);
    if (f->bell >= 0 && f->listener >= 0 && pthread_create(&f->thread, NULL, run, f) == 0)
        return f;
    close(f->bell);
    close(f->listener);
    free(f);
    return NULL;
}

void soup_fake_add(soup_fake_t *fake, uint64_t more, bool ends)
{
    pthread_mutex_lock(&fake->mutex);
    fake->script.messages += more;
    fake->script.ends = ends;
    pthread_mutex_unlock(&fake->mutex);
    eventfd_write(fake->bell, 1);
}

static unsigned read_count(soup_fake_t *fake, const unsigned *count)
{
    pthread_mutex_lock(&fake->mutex);
    unsigned value = *count;
    pthread_mutex_unlock(&fake->mutex);
    return value;
}

unsigned soup_fake_logins(soup_fake_t *fake)
{
    return read_count(fake, &fake->logins);
}

unsigned soup_fake_logouts(soup_fake_t *fake)
{
    return read_count(fake, &fake->logouts);
}

void soup_fake_stop(soup_fake_t *fake)
{
    if (!fake)
        return;
    pthread_mutex_lock(&fake->mutex);
    fake->stopping = true;
    pthread_mutex_unlock(&fake->mutex);
    eventfd_write(fake->bell, 1);
    pthread_join(fake->thread, NULL);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (fake->clients[i])
            drop(&fake->clients[i]);
    close(fake->bell);
    close(fake->listener);
    pthread_mutex_destroy(&fake->mutex);
    free(fake);
}
