/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/hostile/hostile.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <tickbus/clock.h>
#include <tickbus/observer.h>
#include <tickbus/repair.h>
#include <tickbus/wait.h>

void (*tbus_hook)(enum tbus_access access, const void *address);

#define PAGE        4096u
#define ROOM        (64u * 1024)
#define CANARY      0xa5
#define READERS     3u
#define WRITERS     2u
#define MINES       4u
#define SCRATCH_MAX (8192u * 4)

typedef struct mine {
    uint32_t in; /* accesses until it goes off; 0: none */
    size_t at;
    uint64_t value;
} mine_t;

static unsigned char *room; /* ROOM bytes between two pages that nobody may touch */
static unsigned char *memory;
static size_t footprint;
static uint32_t slot_bytes;

static struct {
    const uint8_t *script;
    size_t bytes, at;
    hostile_outcome_t *outcome;
    tbus_ring_t ring;
    tbus_publisher_t writer[WRITERS];
    bool writes[WRITERS], claimed[WRITERS];
    tbus_subscriber_t reader[READERS];
    bool reads[READERS];
    tbus_observer_t observer;
    tbus_waiter_t waiter;
    mine_t mines[MINES];
    uint64_t looks;
    uint64_t now_ns;
    sigjmp_buf out;
} h;

/* Time belongs to the script, else a slow machine would heal where a fast one does not, and a seed
 * would not do the same again. A turn of healing takes some readings. */
uint64_t tbus_clock_ns(void)
{
    return h.now_ns += 300 * 1000;
}

static _Noreturn void fault(const char *what)
{
    snprintf(h.outcome->fault, sizeof h.outcome->fault, "%s, at byte %zu of the script", what,
             h.at);
    siglongjmp(h.out, 1);
}

uint64_t hostile_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ---- the script; what is missing at its end reads as zeros ---- */

static uint32_t next(void)
{
    return h.at < h.bytes ? h.script[h.at++] : 0;
}
static uint64_t next_word(void)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < 8; i++)
        word = word << 8 | next();
    return word;
}

/* ---- the scribbler: everything by plain stores, as somebody would who knows nothing of orders
 * ---- */

static uint64_t load(size_t at)
{
    return __atomic_load_n((uint64_t *)(void *)(memory + at), __ATOMIC_RELAXED);
}
static void store(size_t at, uint64_t value)
{
    __atomic_store_n((uint64_t *)(void *)(memory + at), value, __ATOMIC_RELAXED);
}

/* A word of the ring; slots and places are where it hurts. */
static size_t pick_place(uint32_t region, uint32_t index)
{
    static const size_t hints[] = {128, 136, 144, 152, 160, 256, 264, 272,
                                   384, 392, 512, 520, 528, 536, 544};
    size_t slots = (footprint - TBUS_RING_SLOTS_AT) / slot_bytes;
    switch (region % 6) {
    case 0:
        return index % 16 * 8;
    case 1:
        return hints[index % (sizeof hints / sizeof *hints)];
    case 2:
    case 3:
        return offsetof(tbus_ring_shared_t, subs) + index % 5 * sizeof(tbus_ring_sub_t) +
               index / 5 % 10 * 8;
    case 4:
        return TBUS_RING_SLOTS_AT + index % slots * slot_bytes;
    default:
        return TBUS_RING_SLOTS_AT + index % slots * slot_bytes + 8 + index % 3 * 8;
    }
}

static uint64_t pick_value(uint32_t how, uint32_t shape, uint64_t wild, uint64_t before,
                           uint64_t near)
{
    switch (how % 8) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return wild;
    case 3:
        return before + (uint64_t)(int64_t)(int8_t)shape;
    case 4:
        return before ^ UINT64_C(1) << shape % 64;
    case 5: /* state and owner of a place */
        return (uint64_t)(shape >> 2) % 16 << 32 | shape % 4;
    case 6:
        return near + (uint64_t)(int64_t)(int8_t)shape;
    default:
        return tbus_slot_word(near + (uint64_t)((int64_t)(wild >> 8 & 63) - 32),
                              (uint32_t)(wild >> 16) % 16, (uint32_t)(wild >> 24),
                              (enum tbus_slot_state)(shape % 8));
    }
}

static uint64_t near_end(void)
{
    return load(offsetof(tbus_ring_shared_t, tail));
}

_Noreturn void hostile_scribble(uint64_t seed)
{
    for (;;) {
        uint64_t r = hostile_random(&seed);
        size_t at = pick_place((uint32_t)r % 64, (uint32_t)(r >> 6) & 255);
        store(at, pick_value((uint32_t)(r >> 14) & 255, (uint32_t)(r >> 22) & 255,
                             hostile_random(&seed), load(at), near_end()));
    }
}

static void lay_mine(uint32_t accesses)
{
    uint32_t region = next(), index = next(), how = next(), shape = next();
    size_t at = pick_place(region, index);
    uint64_t value = pick_value(how, shape, how % 8 == 2 || how % 8 == 7 ? next_word() : 0,
                                load(at), near_end());
    h.outcome->corruptions++;
    if (!accesses) {
        store(at, value);
        return;
    }
    for (unsigned i = 0; i < MINES; i++)
        if (!h.mines[i].in) {
            h.mines[i] = (mine_t){.in = accesses, .at = at, .value = value};
            return;
        }
}

static void on_access(enum tbus_access access, const void *address)
{
    (void)access;
    (void)address;
    for (unsigned i = 0; i < MINES; i++)
        if (h.mines[i].in && --h.mines[i].in == 0)
            store(h.mines[i].at, h.mines[i].value);
    if (++h.looks > HOSTILE_LOOKS_MAX)
        fault("a call that would not end");
}

/* ---- everybody else ---- */

/* Each call into the ring is timed by its looks. */
static void begin_call(void)
{
    if (h.looks > h.outcome->looks_max)
        h.outcome->looks_max = h.looks;
    h.looks = 0;
}

static void count_refusal(bool refused)
{
    h.outcome->refusals += refused;
}

/* What was handed out is read as its owner would. */
static void read_message(const void *message, size_t bytes)
{
    static unsigned char sink[SCRATCH_MAX];
    if (bytes > h.ring.msg_bytes_max)
        fault("a message was handed out that is longer than messages may be");
    memcpy(sink, message, bytes);
}

static bool dead(void *context, uint32_t owner)
{
    return (owner ^ *(const uint32_t *)context) % 3 != 0;
}
static void heal(void *context)
{
    uint32_t salt = (uint32_t)h.looks;
    (void)context;
    tbus_ring_heal(&h.ring, dead, &salt);
}

static void publish(unsigned who)
{
    static const unsigned char message[SCRATCH_MAX];
    tbus_publisher_t *p = &h.writer[who];
    uint32_t size = next();
    if (!h.writes[who] || h.claimed[who])
        return;
    size_t bytes = size % 4 == 0 ? h.ring.msg_bytes_max : size % (h.ring.msg_bytes_max + 1);
    enum tbus_publish told =
        size & 1 ? tbus_publish(p, message, bytes) : tbus_publish_try(p, message, bytes);
    count_refusal(told == TBUS_STALE);
}

static size_t one_slot(void)
{
    size_t bytes =
        h.ring.payload_bytes < TBUS_SLOT_LENGTH_MAX ? h.ring.payload_bytes : TBUS_SLOT_LENGTH_MAX;
    return bytes < h.ring.msg_bytes_max ? bytes : h.ring.msg_bytes_max;
}

static void claim_or_settle(unsigned who)
{
    tbus_publisher_t *p = &h.writer[who];
    uint32_t how = next();
    if (!h.writes[who])
        return;
    if (!h.claimed[who]) {
        size_t most = how % 3 == 0 ? h.ring.msg_bytes_max : how % (h.ring.msg_bytes_max + 1);
        unsigned char *place = tbus_claim_bytes_try(p, most);
        if (place)
            tbus_words_store(place, &(uint64_t[2]){how, how}, most < 16 ? most : 16);
        h.claimed[who] = place != NULL;
        return;
    }
    h.claimed[who] = false;
    if (how & 1)
        tbus_abort(p);
    else
        tbus_commit(p, how % (p->hand_bytes_max + 1));
    count_refusal(p->error != 0);
}

static void publish_batch(unsigned who)
{
    void *places[TBUS_BATCH_MAX];
    uint32_t bytes[TBUS_BATCH_MAX];
    uint32_t want = next() % (TBUS_BATCH_MAX + 1);
    if (!h.writes[who] || h.claimed[who])
        return;
    uint32_t got = tbus_claim_batch(&h.writer[who], want, places);
    for (uint32_t i = 0; i < got; i++) {
        bytes[i] = (uint32_t)one_slot();
        tbus_words_store(places[i], &(uint64_t){i}, 8);
    }
    tbus_commit_batch(&h.writer[who], bytes);
    count_refusal(h.writer[who].error != 0);
}

static void receive(unsigned who)
{
    tbus_subscriber_t *s = &h.reader[who];
    uint32_t many = next() % 8;
    if (!h.reads[who])
        return;
    for (uint32_t i = 0; i <= many; i++) {
        size_t bytes;
        begin_call();
        const void *message = tbus_peek(s, &bytes);
        if (!message)
            break;
        read_message(message, bytes);
        tbus_advance(s);
    }
    if (many & 1)
        tbus_subscriber_flush(s);
    count_refusal(s->error != 0);
}

static void observe(tbus_observer_t *o)
{
    uint32_t many = next() % 8;
    /* Exactly as much as the header asks for. */
    unsigned char *into = malloc((o->ring.msg_bytes_max + 7) & ~(size_t)7);
    for (uint32_t i = 0; into && i <= many; i++) {
        size_t bytes;
        uint64_t seq, lost;
        begin_call();
        int code = tbus_observe(o, into, &bytes, &seq, &lost);
        if (code > 0 && bytes > o->ring.msg_bytes_max)
            fault("an observer was shown more than a message may have");
        count_refusal(code < 0);
        if (code <= 0)
            break;
    }
    free(into);
    uint32_t most = next() % 20, lengths[20];
    unsigned char *some = malloc((size_t)most * TBUS_OBSERVE_STRIDE + 1);
    uint64_t seq;
    begin_call();
    uint32_t count = some ? tbus_observe_some(o, some, most, lengths, &seq) : 0;
    if (count > most)
        fault("an observer was shown more messages than it asked for");
    for (uint32_t i = 0; i < count; i++)
        if (lengths[i] > o->ring.msg_bytes_max || lengths[i] > TBUS_OBSERVE_STRIDE)
            fault("an observer was shown more than a message may have");
    free(some);
}

static void watch(void)
{
    tbus_waiter_init(&h.waiter, TBUS_WAIT_PARK);
    h.waiter.heal = heal;
    for (unsigned i = 0; i < READERS; i++)
        if (h.reads[i])
            tbus_waiter_watch_subscriber(&h.waiter, &h.reader[i]);
    for (unsigned i = 0; i < WRITERS; i++)
        if (h.writes[i])
            tbus_waiter_watch_publisher(&h.waiter, &h.writer[i]);
}

/* One that is there goes, one that is not comes. */
static void come_or_go(unsigned who)
{
    static const char *const names[READERS] = {"one", "two", "three"};
    uint32_t how = next();
    uint32_t owner = 4 + who;
    tbus_error_t err;
    enum tbus_sub_role role = h.ring.competing && (how & 2) ? TBUS_CONSUMER
                              : how & 4                     ? TBUS_FOLLOWER
                                                            : TBUS_SUBSCRIBER;
    int code;
    if (h.reads[who]) {
        tbus_subscriber_leave(&h.reader[who]);
        h.reads[who] = false;
    } else {
        if (how & 1) {
            code = tbus_ring_reserve(&h.ring, names[who], role, &err);
            count_refusal(code < 0);
            begin_call();
            code = tbus_subscriber_join(&h.ring, names[who], owner, &h.reader[who], &err);
        } else {
            code =
                tbus_subscriber_join_late(&h.ring, names[who], role, owner, &h.reader[who], &err);
        }
        h.reads[who] = code == 0;
        h.outcome->joined[h.ring.kind][role] += h.reads[who];
        count_refusal(code < 0);
    }
    watch();
}

static void renew_writer(unsigned who)
{
    if (who && !h.ring.several_publishers)
        return;
    h.claimed[who] = false;
    h.writes[who] = tbus_publisher_join(&h.ring, 2 + who, &h.writer[who], NULL) == 0;
    watch();
}

/* Somebody who comes now, whatever stands in the header. */
static void join_again(void)
{
    tbus_ring_t ring;
    tbus_error_t err;
    int code = tbus_ring_join(memory, footprint, false, &ring, &err);
    count_refusal(code < 0);
    if (code < 0)
        return;
    if (TBUS_RING_SLOTS_AT + ring.slot_count * ring.slot_bytes > footprint ||
        ring.mask != ring.slot_count - 1 || ring.payload_bytes + 8 != ring.slot_bytes)
        fault("a geometry was believed that does not fit");
    tbus_observer_t o;
    code = tbus_observer_join(&ring, next() & 1 ? TBUS_FROM_OLDEST : TBUS_FROM_NOW, &o, &err);
    count_refusal(code < 0);
    if (code == 0)
        observe(&o);
    h.outcome->refusals += tbus_subscriber_join(&ring, "one", 9, &(tbus_subscriber_t){0}, &err) < 0;
}

static void look_around(void)
{
    uint64_t a, b;
    tbus_ring_published(&h.ring);
    tbus_ring_end(&h.ring, &a, &b);
    int slowest = tbus_ring_slowest(&h.ring, &a);
    if (slowest >= (int)TBUS_RING_SUBS_MAX)
        fault("a place was named that is none");
    tbus_ring_nudge(&h.ring);
}

static void one_operation(void)
{
    uint32_t op = next(), who = op >> 5;
    begin_call();
    switch (op % 18) {
    case 0:
    case 1:
        publish(who % WRITERS);
        break;
    case 2:
        claim_or_settle(who % WRITERS);
        break;
    case 3:
        publish_batch(who % WRITERS);
        break;
    case 4:
    case 5:
    case 6:
        receive(who % READERS);
        break;
    case 7:
        if (h.observer.ring.shared)
            observe(&h.observer);
        break;
    case 8:
        tbus_waiter_park(&h.waiter, 1000, 1000);
        break;
    case 9:
        heal(NULL);
        break;
    case 10:
        come_or_go(who % READERS);
        break;
    case 11:
        renew_writer(who % WRITERS);
        break;
    case 12:
        join_again();
        break;
    case 13:
        look_around();
        break;
    case 14:
        /* refused: the one that is there stays */
        count_refusal(tbus_observer_join(&h.ring, who & 1 ? TBUS_FROM_OLDEST : TBUS_FROM_NOW,
                                         &h.observer, NULL) < 0);
        break;
    case 15:
        lay_mine(0);
        break;
    default:
        lay_mine(1 + next() % 64);
        break;
    }
    h.outcome->operations++;
}

void hostile_begin(void)
{
    unsigned char *all = mmap(NULL, ROOM + 2 * PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all + PAGE, ROOM, PROT_READ | PROT_WRITE) != 0)
        abort();
    room = all + PAGE;
}

static bool make_ring(void)
{
    static const uint64_t firsts[] = {1, (UINT64_C(1) << 32) - 3, (UINT64_C(1) << 45) - 3,
                                      UINT64_MAX - 2};
    uint32_t shape = next(), sizes = next();
    tbus_ring_spec_t spec = {.name = "hostile",
                             .kind = TBUS_SPSC + shape % 5,
                             .policy = (enum tbus_policy)(shape / 5 % 3),
                             .slot_bytes = sizes & 1 ? 256 : 64,
                             .slot_count = 16u << (sizes / 2 % 2),
                             .first_seq = firsts[sizes / 4 % 4]};
    if (spec.kind == TBUS_MPMC && sizes & 64)
        spec.promise = TBUS_AT_LEAST_ONCE;
    static const uint32_t longest[] = {0, 16, 1, 200};
    spec.msg_bytes_max = longest[sizes / 16 % 4];
    footprint = tbus_ring_footprint(&spec);
    slot_bytes = spec.slot_bytes;
    memset(room, CANARY, ROOM);
    memory = room + ROOM - footprint;
    return tbus_ring_format(memory, footprint, &spec, NULL) == 0;
}

static bool canary_lives(void)
{
    for (const unsigned char *c = room; c < memory; c++)
        if (*c != CANARY)
            return false;
    return true;
}

unsigned char *hostile_ring(const uint8_t shape[2], size_t *out_bytes)
{
    memset(&h, 0, sizeof h);
    h.script = shape;
    h.bytes = 2;
    if (!make_ring())
        return NULL;
    *out_bytes = footprint;
    return memory;
}

const char *hostile_use(const tbus_ring_t *ring)
{
    tbus_publisher_t p;
    static const enum tbus_sub_role roles[] = {TBUS_SUBSCRIBER, TBUS_FOLLOWER};
    static const char *const names[] = {"s", "f"};
    tbus_subscriber_t readers[2];
    bool reads[2];
    tbus_observer_t o;
    tbus_error_t err;
    uint64_t seq, lost;
    size_t bytes;
    const char *wrong = NULL;
    for (unsigned r = 0; r < 2; r++)
        reads[r] =
            tbus_subscriber_join_late(ring, names[r], roles[r], 2 + r, &readers[r], &err) == 0;
    unsigned char *message = calloc(1, (ring->msg_bytes_max + 7) & ~(size_t)7);
    if (!message || tbus_publisher_join(ring, 1, &p, &err) < 0)
        abort();
    bool observes = tbus_observer_join(ring, TBUS_FROM_OLDEST, &o, &err) == 0;
    for (unsigned i = 0; i < 3 * ring->slot_count; i++) {
        tbus_publish(&p, message, i % (ring->msg_bytes_max + 1));
        for (unsigned r = 0; r < 2; r++)
            if (reads[r] && tbus_peek(&readers[r], &bytes)) {
                if (bytes > ring->msg_bytes_max)
                    wrong = "a message is longer than messages may be";
                tbus_advance(&readers[r]);
            }
        if (observes && tbus_observe(&o, message, &bytes, &seq, &lost) == 1 &&
            bytes > ring->msg_bytes_max)
            wrong = "an observer is shown more than a message may have";
    }
    for (unsigned r = 0; r < 2; r++)
        if (reads[r])
            tbus_subscriber_leave(&readers[r]);
    tbus_subscriber_join(ring, "not there", 2, &readers[0],
                         &err); /* its words quote the name of the ring */
    free(message);
    return wrong;
}

void hostile_lay(uint32_t accesses, size_t at, uint64_t value)
{
    static hostile_outcome_t nobody;
    if (!h.outcome)
        h.outcome = &nobody;
    h.mines[0] = (mine_t){.in = accesses, .at = at, .value = value};
    tbus_hook = accesses ? on_access : NULL;
}

bool hostile_run(const uint8_t *script, size_t bytes, hostile_outcome_t *outcome)
{
    memset(&h, 0, sizeof h);
    h.script = script;
    h.bytes = bytes;
    h.outcome = outcome;
    outcome->fault[0] = 0;
    tbus_hook = NULL;
    if (!make_ring()) {
        snprintf(outcome->fault, sizeof outcome->fault, "the ring of this script cannot be made");
        return false;
    }
    if (tbus_ring_join(memory, footprint, true, &h.ring, NULL) <
        0) { /* a scribbler was at it already */
        outcome->refusals++;
        return true;
    }
    if (sigsetjmp(h.out, 0) == 0) {
        tbus_hook = on_access;
        for (unsigned i = 0; i < WRITERS; i++)
            renew_writer(i);
        for (unsigned i = 0; i + 1 < READERS; i++)
            come_or_go(i);
        count_refusal(tbus_observer_join(&h.ring, TBUS_FROM_OLDEST, &h.observer, NULL) < 0);
        while (h.at < h.bytes)
            one_operation();
    }
    tbus_hook = NULL;
    for (unsigned i = 0; i < READERS; i++)
        if (h.reads[i])
            tbus_subscriber_leave(&h.reader[i]);
    if (!outcome->fault[0] && !canary_lives())
        snprintf(outcome->fault, sizeof outcome->fault,
                 "something was written in front of the ring");
    return !outcome->fault[0];
}
