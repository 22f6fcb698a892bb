/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/storm_actor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <tickbus/observer.h>
#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>
#include <tickbus/wait.h>

const storm_role_t storm_roles[] = {
    {.name = "alpha",
     .publishes = {[STORM_ORDERS] = true, [STORM_MD] = true, [STORM_INBOX] = true}},
    {.name = "beta",
     .publishes = {[STORM_ORDERS] = true, [STORM_REPORTS] = true, [STORM_LANE] = true}},
    {.name = "gamma",
     .publishes = {[STORM_ORDERS] = true, [STORM_REPORTS] = true, [STORM_INBOX] = true}},
    {.name = "one",
     .publishes = {[STORM_REPORTS] = true},
     .joins = {[STORM_ORDERS] = STORM_COMPETES, [STORM_LANE] = STORM_SUBSCRIBES}},
    {.name = "two",
     .joins = {[STORM_ORDERS] = STORM_COMPETES,
               [STORM_MD] = STORM_SUBSCRIBES,
               [STORM_INBOX] = STORM_SUBSCRIBES}},
    {.name = "three", .joins = {[STORM_REPORTS] = STORM_SUBSCRIBES, [STORM_MD] = STORM_SUBSCRIBES}},
    {.name = "recorder",
     .joins = {[STORM_ORDERS] = STORM_FOLLOWS,
               [STORM_REPORTS] = STORM_FOLLOWS,
               [STORM_MD] = STORM_FOLLOWS,
               [STORM_LANE] = STORM_FOLLOWS,
               [STORM_INBOX] = STORM_FOLLOWS}},
    {.name = "observer", .observes = true},
};
const unsigned storm_roles_count = sizeof storm_roles / sizeof *storm_roles;

#define PUBLISH_TURN 12u /* messages a topic in one turn */
#define TAKE_TURN    32u
#define NAP_NS       300000u /* nobody rings when more may be published, or when the end has come */

typedef struct actor {
    tbus_bus_t *bus;
    storm_ledger_t *ledger;
    storm_life_t *life;
    const storm_role_t *role;
    uint32_t life_number;
    uint32_t owner;
    uint64_t random;
    tbus_publisher_t out[STORM_TOPICS];
    uint64_t number[STORM_TOPICS]; /* of the next message */
    tbus_subscriber_t in[STORM_TOPICS];
    uint64_t expected[STORM_TOPICS]; /* next sequence */
    /* next number of each life, + 1; 0: none seen yet */
    uint64_t next[STORM_TOPICS][STORM_LIVES_MAX];
    /* `begun` of each life just after we had joined */
    uint64_t before_us[STORM_TOPICS][STORM_LIVES_MAX];
    tbus_observer_t eye[STORM_TOPICS];
    uint64_t carried[STORM_TOPICS]; /* observer: lost since the last message */
    tbus_waiter_t waiter;
} actor_t;

uint64_t storm_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
static uint32_t below(actor_t *a, uint32_t bound)
{
    return (uint32_t)(storm_random(&a->random) % bound);
}

static _Noreturn void fail(actor_t *a, unsigned topic, const char *what, int code)
{
    storm_fault(a->ledger, "%s, topic %u: %s%s%s", a->role->name, topic, what, code ? ": " : "",
                code ? tbus_strerror(code) : "");
    _exit(1);
}

static void count(tbus_atomic_u64_t *counter, uint64_t value)
{
    tbus_store_release_u64(counter, value);
}

/* Now and then, with something in hand: so that a kill finds it there. */
static void dawdle(actor_t *a)
{
    if (below(a, 256) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

static bool long_ones(unsigned topic)
{
    return topic == STORM_MD;
}

/* ---- publishing ---- */

/* In one go, or in place. False: no room. */
static bool publish_one(actor_t *a, unsigned topic, bool in_place)
{
    storm_life_t *life = a->life;
    tbus_publisher_t *p = &a->out[topic];
    storm_message_t m;
    uint64_t n = a->number[topic];
    size_t bytes = storm_compose(&m, long_ones(topic), a->life_number, n);
    enum tbus_publish told = TBUS_PUBLISHED;
    count(&life->out[topic].begun, n + 1);
    if (in_place) {
        void *place = tbus_claim_bytes_try(p, bytes);
        if (place) {
            tbus_words_store(place, &m, bytes);
            dawdle(a);
            tbus_commit(p, bytes);
        } else {
            told = TBUS_FULL;
        }
    } else {
        told = tbus_publish_try(p, &m, bytes);
    }
    if (p->error || told == TBUS_STALE)
        fail(a, topic, "declared dead", p->error);
    if (told != TBUS_PUBLISHED) {
        count(&life->out[topic].begun, n);
        return false;
    }
    count(&life->out[topic].done, n + 1);
    a->number[topic] = n + 1;
    return true;
}

static bool publish_batch(actor_t *a, unsigned topic)
{
    storm_life_t *life = a->life;
    tbus_publisher_t *p = &a->out[topic];
    void *places[STORM_BATCH_MAX];
    uint32_t bytes[STORM_BATCH_MAX];
    uint64_t n = a->number[topic];
    uint32_t want = 2 + below(a, STORM_BATCH_MAX - 1);
    /* who joins from here on may have come too late for them */
    count(&life->out[topic].begun, n + want);
    uint32_t got = tbus_claim_batch(p, want, places);
    for (uint32_t i = 0; i < got; i++) {
        storm_message_t m;
        bytes[i] = (uint32_t)storm_compose(&m, false, a->life_number, n + i);
        tbus_words_store(places[i], &m, bytes[i]);
    }
    count(&life->out[topic].begun, n + got);
    dawdle(a);
    tbus_commit_batch(p, bytes);
    if (p->error)
        fail(a, topic, "declared dead", p->error);
    count(&life->out[topic].done, n + got);
    a->number[topic] = n + got;
    return got > 0;
}

static void claim_and_abort(actor_t *a, unsigned topic)
{
    storm_life_t *life = a->life;
    uint64_t aborts = tbus_load_relaxed_u64(&life->out[topic].aborts_begun);
    count(&life->out[topic].aborts_begun, aborts + 1);
    if (tbus_claim_try(&a->out[topic])) {
        tbus_abort(&a->out[topic]);
        count(&life->out[topic].aborts_done, aborts + 1);
    } else {
        count(&life->out[topic].aborts_begun, aborts);
    }
}

static unsigned publish_some(actor_t *a, unsigned topic)
{
    tbus_publisher_t *p = &a->out[topic];
    uint64_t used = (p->ring.several_publishers ? tbus_ring_claimed(&p->ring) : p->seq) -
                    a->ledger->first_seq[topic];
    if (used >= tbus_load_relaxed_u64(&a->ledger->allowed[topic]))
        return 0;
    unsigned published = 0;
    bool room = true;
    for (unsigned some = 1 + below(a, PUBLISH_TURN); room && published < some; published += room) {
        uint32_t how = below(a, 16);
        if (p->ring.several_publishers && how == 0)
            claim_and_abort(a, topic);
        room =
            how < 3 && !long_ones(topic) ? publish_batch(a, topic) : publish_one(a, topic, how < 8);
    }
    return published;
}

/* ---- receiving ---- */

/* Within one life and topic numbers follow on each other, and begin with 0 for whoever was there
 * from the first on. */
static void check_number(actor_t *a, unsigned topic, uint32_t life, uint64_t number)
{
    uint64_t next = a->next[topic][life];
    if (next ? number + 1 != next : number > 0 && !a->before_us[topic][life])
        fail(a, topic, "a message is missing", 0);
    a->next[topic][life] = number + 2;
}

static bool receive_one(actor_t *a, unsigned topic)
{
    tbus_subscriber_t *s = &a->in[topic];
    size_t bytes;
    const void *message = tbus_peek(s, &bytes);
    if (s->error)
        fail(a, topic, "peek", s->error);
    if (!s->competing) {
        storm_note_tombs(a->ledger, topic, a->expected[topic], s->seq); /* what it went over */
        a->expected[topic] = s->seq;
    }
    if (!message)
        return false;
    uint32_t life;
    uint64_t number;
    if (!storm_whole(message, bytes, long_ones(topic), &life, &number))
        fail(a, topic, "a torn message", 0);
    dawdle(a);
    if (s->competing) {
        storm_note_delivered(a->ledger, s->seq, life, number, s->ring.redelivers);
        count(&a->life->holds, tbus_load_relaxed_u64(&a->life->holds) + 1);
        dawdle(a);
        tbus_advance(s);
        count(&a->life->returned, tbus_load_relaxed_u64(&a->life->returned) + 1);
        if (s->error)
            fail(a, topic, "give back", s->error);
    } else {
        check_number(a, topic, life, number);
        storm_note_seen(a->ledger, topic, s->seq, life, number);
        tbus_advance(s);
        a->expected[topic] = s->seq;
    }
    tbus_add_own_u64(&a->life->received, 1);
    return true;
}

static bool observe_one(actor_t *a, unsigned topic)
{
    _Alignas(8) unsigned char copy[STORM_MESSAGE_MAX];
    size_t bytes;
    uint64_t seq, lost = 0;
    int got = tbus_observe(&a->eye[topic], copy, &bytes, &seq, &lost);
    if (got < 0)
        fail(a, topic, "observe", got);
    a->carried[topic] += lost;
    tbus_add_own_u64(&a->life->lost, lost);
    if (!got)
        return false;
    uint32_t life;
    uint64_t number;
    if (!storm_whole(copy, bytes, long_ones(topic), &life, &number)) {
        uint64_t words[6] = {0};
        memcpy(words, copy, bytes < sizeof words ? bytes : sizeof words);
        storm_fault(
            a->ledger,
            "observer, topic %u: was shown a torn message: first+%lld, told of %llu losses, %zu "
            "bytes, "
            "life %llu, number %llu, then %llx %llx %llx %llx; its slot says %llx",
            topic, (long long)(seq - a->ledger->first_seq[topic]), (unsigned long long)lost, bytes,
            (unsigned long long)words[0], (unsigned long long)words[1],
            (unsigned long long)words[2], (unsigned long long)words[3],
            (unsigned long long)words[4], (unsigned long long)words[5],
            (unsigned long long)tbus_load_relaxed_u64(tbus_ring_slot(&a->eye[topic].ring, seq)));
        _exit(1);
    }
    uint64_t skipped = seq - a->expected[topic];
    if (skipped < a->carried[topic] || skipped > STORM_RECORDS_MAX) {
        storm_fault(
            a->ledger,
            "observer, topic %u: after first+%lld came first+%lld, and it was told of %llu losses",
            topic, (long long)(a->expected[topic] - 1 - a->ledger->first_seq[topic]),
            (long long)(seq - a->ledger->first_seq[topic]), (unsigned long long)a->carried[topic]);
        _exit(1);
    }
    if (!a->carried[topic])
        storm_note_tombs(a->ledger, topic, a->expected[topic], seq);
    storm_note_seen(a->ledger, topic, seq, life, number);
    a->expected[topic] = seq + 1;
    a->carried[topic] = 0;
    tbus_add_own_u64(&a->life->received, 1);
    return true;
}

/* ---- from birth to the end ---- */

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void heal(void *context)
{
    actor_t *a = context;
    tbus_store_release_u32(&a->life->burying, 1);
    if (tbus_bus_heal(a->bus) > 0)
        tbus_add_own_u64(&a->life->heals, 1);
    tbus_store_release_u32(&a->life->burying, 0);
}

static void join_as_participant(actor_t *a)
{
    tbus_error_t err = {0};
    int code;
    tbus_store_release_u32(&a->life->burying, 1); /* its predecessor */
    while ((code = tbus_participant_live(a->bus, a->owner, &err)) == -EAGAIN)
        nap();
    tbus_store_release_u32(&a->life->burying, 0);
    if (code < 0)
        fail(a, 0, err.text, 0);
    static const enum tbus_wait_mode modes[] = {TBUS_WAIT_PARK, TBUS_WAIT_PARK, TBUS_WAIT_YIELD};
    tbus_waiter_init(&a->waiter, modes[below(a, 3)]);
    a->waiter.heal = heal;
    a->waiter.heal_context = a;
    a->waiter.no_waitv = below(a, 8) == 0;
    for (unsigned t = 0; t < STORM_TOPICS; t++) {
        if (a->role->publishes[t]) {
            if (tbus_publisher_join(&a->bus->rings[t], a->owner, &a->out[t], &err) < 0)
                fail(a, t, err.text, 0);
            tbus_waiter_watch_publisher(&a->waiter, &a->out[t]);
        }
        if (a->role->joins[t] == STORM_NOT)
            continue;
        while ((code = tbus_subscriber_join_late(&a->bus->rings[t], a->role->name,
                                                 (enum tbus_sub_role)a->role->joins[t], a->owner,
                                                 &a->in[t], &err)) == -EAGAIN)
            nap(); /* the publisher died while it stored its tail; its successor will come */
        if (code < 0)
            fail(a, t, err.text, 0);
        a->expected[t] = a->in[t].seq;
        uint32_t lives = tbus_load_acquire_u32(&a->ledger->lives_count);
        for (uint32_t i = 0; i < lives; i++)
            a->before_us[t][i] = tbus_load_acquire_u64(&a->ledger->lives[i].out[t].begun);
        tbus_waiter_watch_subscriber(&a->waiter, &a->in[t]);
    }
}

static void join_as_observer(actor_t *a)
{
    int fds[1 + STORM_TOPICS];
    tbus_error_t err = {0};
    fds[0] = tbus_segment_reopen(&a->bus->directory_segment, false);
    for (unsigned t = 0; t < STORM_TOPICS; t++)
        fds[1 + t] = tbus_segment_reopen(&a->bus->topic_segments[t], false);
    tbus_bus_t seen;
    if (tbus_bus_attach(fds, 1 + STORM_TOPICS, &seen, &err) < 0)
        fail(a, 0, err.text, 0);
    for (unsigned t = 0; t < STORM_TOPICS; t++) {
        enum tbus_observe_from from = below(a, 2) ? TBUS_FROM_OLDEST : TBUS_FROM_NOW;
        if (tbus_observer_join(&seen.rings[t], from, &a->eye[t], &err) < 0)
            fail(a, t, err.text, 0);
        a->expected[t] = a->eye[t].seq;
    }
}

static void flush(actor_t *a)
{
    for (unsigned t = 0; t < STORM_TOPICS; t++) {
        if (a->role->publishes[t])
            tbus_publisher_flush(&a->out[t]);
        if (a->role->joins[t] != STORM_NOT)
            tbus_subscriber_flush(&a->in[t]);
    }
}

/* Has everything that was taken been given back? What the dead hold is still to be delivered where
 * that is promised. */
static bool nothing_is_out(const tbus_ring_t *ring, uint64_t end)
{
    for (uint64_t position = end - ring->slot_count; position != end; position++)
        if (tbus_slot_ahead(tbus_load_acquire_u64(tbus_ring_slot(ring, position)), position) <= 0)
            return false;
    return true;
}

/* Everything that was published has come, or was said to be a tomb. */
static bool at_the_end(const actor_t *a, unsigned topic)
{
    const tbus_subscriber_t *s = &a->in[topic];
    uint64_t at = s->competing ? tbus_ring_taken(&s->ring) : s->seq;
    uint64_t end = tbus_load_relaxed_u64(&a->ledger->end[topic]);
    return (int64_t)(at - end) >= 0 &&
           (!s->competing || !s->ring.redelivers || nothing_is_out(&s->ring, end));
}

/* Who stayed to the end has everything that was published for certain since it joined. */
static void check_the_end(actor_t *a, unsigned topic)
{
    uint32_t lives = tbus_load_acquire_u32(&a->ledger->lives_count);
    for (uint32_t i = 0; i < lives && !a->in[topic].competing; i++) {
        uint64_t done = tbus_load_relaxed_u64(&a->ledger->lives[i].out[topic].done);
        uint64_t next = a->next[topic][i] ? a->next[topic][i] - 1 : a->before_us[topic][i];
        if (next < done)
            fail(a, topic, "the last messages are missing", 0);
    }
}

static _Noreturn void leave(actor_t *a)
{
    for (unsigned t = 0; t < STORM_TOPICS; t++) {
        if (a->role->joins[t] != STORM_NOT) {
            check_the_end(a, t);
            tbus_subscriber_leave(&a->in[t]);
        }
        if (a->role->publishes[t])
            tbus_publisher_leave(&a->out[t]);
    }
    _exit(0);
}

static unsigned turn(actor_t *a, bool closing)
{
    unsigned work = 0;
    for (unsigned t = 0; t < STORM_TOPICS; t++) {
        if (a->role->publishes[t] && !closing)
            work += publish_some(a, t);
        for (unsigned i = 0; a->role->joins[t] != STORM_NOT && i < TAKE_TURN && receive_one(a, t);
             i++)
            work++;
        for (unsigned i = 0; a->role->observes && i < TAKE_TURN && observe_one(a, t); i++)
            work++;
    }
    return work;
}

_Noreturn void storm_live(tbus_bus_t *bus, storm_ledger_t *ledger, uint32_t life, uint32_t owner,
                          uint64_t seed)
{
    static actor_t a; /* large */
    a.bus = bus;
    a.ledger = ledger;
    a.life = &ledger->lives[life];
    a.role = &storm_roles[owner - 1];
    a.life_number = life;
    a.owner = owner;
    a.random = seed;
    if (a.role->observes)
        join_as_observer(&a);
    else
        join_as_participant(&a);
    tbus_store_release_u32(&a.life->running, 1);
    for (;;) {
        tbus_add_own_u64(&a.life->heartbeat, 1);
        bool closing = tbus_load_acquire_u32(&ledger->closing);
        bool draining = tbus_load_acquire_u32(&ledger->draining);
        unsigned work = turn(&a, closing);
        if (closing) {
            flush(&a);
            tbus_store_release_u32(&a.life->silent, 1);
        }
        if (work) {
            tbus_waiter_found(&a.waiter);
            continue;
        }
        flush(&a);
        bool at_end = draining;
        for (unsigned t = 0; t < STORM_TOPICS && at_end; t++)
            at_end = a.role->joins[t] == STORM_NOT || at_the_end(&a, t);
        if (at_end)
            leave(&a);
        if (a.role->observes)
            nap();
        else
            tbus_waiter_idle(&a.waiter, tbus_clock_ns() + NAP_NS);
    }
}
