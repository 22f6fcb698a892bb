/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/storm_ledger.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LONG_EVERY 7u
#define WORDS      4u

storm_ledger_t *storm_ledger_create(void)
{
    void *memory = mmap(NULL, sizeof(storm_ledger_t), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    return memory;
}

void storm_ledger_destroy(storm_ledger_t *l)
{
    munmap(l, sizeof *l);
}

void storm_fault(storm_ledger_t *l, const char *format, ...)
{
    uint32_t quiet = 0;
    if (!tbus_cas_u32(&l->faulty, &quiet, 1))
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(l->fault, sizeof l->fault, format, arguments);
    va_end(arguments);
    tbus_store_release_u32(&l->faulty, 2);
}

size_t storm_compose(storm_message_t *m, bool long_ones, uint32_t life, uint64_t number)
{
    size_t words = long_ones && number % LONG_EVERY == 3 ? 8 + number % 41 : WORDS;
    m->life = life;
    m->number = number;
    for (size_t i = 0; i < words; i++)
        m->words[i] = (number + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ ((uint64_t)life << 32) ^ i;
    return 16 + 8 * words;
}

bool storm_whole(const void *bytes, size_t count, bool long_ones, uint32_t *out_life,
                 uint64_t *out_number)
{
    storm_message_t want;
    uint64_t head[2];
    if (count < sizeof head)
        return false;
    memcpy(head, bytes, sizeof head);
    if (head[0] >= STORM_LIVES_MAX ||
        storm_compose(&want, long_ones, (uint32_t)head[0], head[1]) != count ||
        memcmp(bytes, &want, count))
        return false;
    *out_life = (uint32_t)head[0];
    *out_number = head[1];
    return true;
}

/* ---- notes ---- */

static uint64_t entry(uint32_t life, uint64_t number)
{
    return (uint64_t)(life + 1) << 40 | (number + 1);
}
static uint32_t entry_life(uint64_t e)
{
    return (uint32_t)(e >> 40) - 1;
}
static uint64_t entry_number(uint64_t e)
{
    return (e & ((UINT64_C(1) << 40) - 1)) - 1;
}

static bool in_books(storm_ledger_t *l, unsigned topic, uint64_t index)
{
    if (index < STORM_RECORDS_MAX)
        return true;
    storm_fault(l, "topic %u: sequence first+%llu was never published", topic,
                (unsigned long long)index);
    return false;
}

void storm_note_seen(storm_ledger_t *l, unsigned topic, uint64_t seq, uint32_t life,
                     uint64_t number)
{
    uint64_t index = seq - l->first_seq[topic];
    uint64_t before = 0;
    if (!in_books(l, topic, index) ||
        tbus_cas_u64(&l->seen[topic][index], &before, entry(life, number)) ||
        before == entry(life, number))
        return;
    storm_fault(
        l,
        "topic %u: under sequence first+%llu one saw message %llu of life %u, another %llu of %u",
        topic, (unsigned long long)index, (unsigned long long)entry_number(before),
        entry_life(before), (unsigned long long)number, life);
}

void storm_note_delivered(storm_ledger_t *l, uint64_t seq, uint32_t life, uint64_t number,
                          bool again)
{
    uint64_t index = seq - l->first_seq[STORM_ORDERS];
    uint64_t before = 0;
    if (!in_books(l, STORM_ORDERS, index) ||
        tbus_cas_u64(&l->delivered[index], &before, entry(life, number)))
        return;
    if (again && before == entry(life, number))
        tbus_fetch_add_relaxed_u64(&l->doubled, 1);
    else
        storm_fault(
            l,
            "orders: sequence first+%llu was delivered twice: message %llu of life %u, %llu of %u",
            (unsigned long long)index, (unsigned long long)entry_number(before), entry_life(before),
            (unsigned long long)number, life);
}

void storm_note_tombs(storm_ledger_t *l, unsigned topic, uint64_t from_seq, uint64_t to_seq)
{
    for (uint64_t seq = from_seq; seq != to_seq; seq++) {
        uint64_t index = seq - l->first_seq[topic];
        if (!in_books(l, topic, index))
            return;
        __atomic_store_n(&l->tomb[topic][index], 1, __ATOMIC_RELAXED);
    }
}

/* ---- the books ---- */

typedef struct count {
    uint64_t known;       /* sequences with a message that somebody received */
    uint64_t undelivered; /* orders: those that no consumer noted */
    uint64_t unknown;     /* sequences that nobody saw, as message or as tomb */
    /* messages that are published for certain, and were seen by nobody */
    uint64_t missing;
    uint64_t next[STORM_LIVES_MAX]; /* per life: one more than the last number seen */
} count_t;

/* One sequence: what the different witnesses say about it, and that each life's numbers grow with
 * the sequence. */
static bool account_sequence(storm_ledger_t *l, unsigned topic, uint64_t index, count_t *c)
{
    uint64_t delivered = topic == STORM_ORDERS ? tbus_load_relaxed_u64(&l->delivered[index]) : 0;
    uint64_t seen = tbus_load_relaxed_u64(&l->seen[topic][index]);
    bool tomb = l->tomb[topic][index];
    uint64_t e = delivered ? delivered : seen;
    c->undelivered += !delivered;
    if ((delivered && seen && delivered != seen) || (tomb && e)) {
        storm_fault(l,
                    "topic %u: sequence first+%llu: witnesses disagree (delivered %llx, seen %llx, "
                    "tomb %d)",
                    topic, (unsigned long long)index, (unsigned long long)delivered,
                    (unsigned long long)seen, tomb);
        return false;
    }
    if (!e) {
        c->unknown += !tomb;
        return true;
    }
    c->known++;
    uint32_t life = entry_life(e);
    uint64_t number = entry_number(e);
    if (number < c->next[life] ||
        number >= tbus_load_relaxed_u64(&l->lives[life].out[topic].begun)) {
        storm_fault(
            l,
            "topic %u: sequence first+%llu: message %llu of life %u again or never sent (next is "
            "%llu of %llu)",
            topic, (unsigned long long)index, (unsigned long long)number, life,
            (unsigned long long)c->next[life],
            (unsigned long long)tbus_load_relaxed_u64(&l->lives[life].out[topic].begun));
        return false;
    }
    c->missing += number - c->next[life];
    c->next[life] = number + 1;
    return true;
}

static bool adds_up(storm_ledger_t *l, unsigned topic, const char *what, uint64_t low,
                    uint64_t value, uint64_t high)
{
    if (low <= value && value <= high)
        return true;
    storm_fault(l, "topic %u: %s: %llu, should be in %llu..%llu", topic, what,
                (unsigned long long)value, (unsigned long long)low, (unsigned long long)high);
    return false;
}

bool storm_killed_in_the_act(const storm_life_t *life)
{
    bool busy = tbus_load_relaxed_u32(&life->burying) ||
                tbus_load_relaxed_u64(&life->holds) != tbus_load_relaxed_u64(&life->returned);
    for (unsigned t = 0; t < STORM_TOPICS; t++)
        busy |= tbus_load_relaxed_u64(&life->out[t].begun) !=
                    tbus_load_relaxed_u64(&life->out[t].done) ||
                tbus_load_relaxed_u64(&life->out[t].aborts_begun) !=
                    tbus_load_relaxed_u64(&life->out[t].aborts_done);
    return life->killed && busy;
}

bool storm_account(storm_ledger_t *l, unsigned topic, const tbus_ring_t *ring, storm_sums_t *sums)
{
    static count_t c;
    memset(&c, 0, sizeof c);
    uint64_t used = tbus_load_relaxed_u64(&l->end[topic]) - l->first_seq[topic];
    if (!adds_up(l, topic, "sequences used", 1, used, STORM_RECORDS_MAX))
        return false;
    for (uint64_t index = 0; index < used; index++)
        if (!account_sequence(l, topic, index, &c))
            return false;

    uint64_t begun = 0, done = 0, aborts_begun = 0, aborts_done = 0, killed = 0, holders = 0,
             uncounted = 0;
    uint32_t lives = tbus_load_acquire_u32(&l->lives_count);
    for (uint32_t i = 0; i < lives; i++) {
        const storm_life_t *life = &l->lives[i];
        uint64_t life_done = tbus_load_relaxed_u64(&life->out[topic].done);
        begun += tbus_load_relaxed_u64(&life->out[topic].begun);
        done += life_done;
        aborts_begun += tbus_load_relaxed_u64(&life->out[topic].aborts_begun);
        aborts_done += tbus_load_relaxed_u64(&life->out[topic].aborts_done);
        if (life_done > c.next[i])
            c.missing += life_done - c.next[i];
        killed += life->killed;
        uncounted += life->killed && tbus_load_relaxed_u32(&life->burying);
        /* Killed with everything given back that it had noted: it may have held one that it had not
         * noted yet. */
        holders += life->killed &&
                   tbus_load_relaxed_u64(&life->holds) == tbus_load_relaxed_u64(&life->returned);
    }
    uint64_t tombs = tbus_load_relaxed_u64(&ring->shared->tombs);
    uint64_t in_doubt = tbus_load_relaxed_u64(&ring->shared->in_doubt);
    uint64_t redelivered = tbus_load_relaxed_u64(&ring->shared->redelivered);
    uncounted += aborts_begun - aborts_done; /* killed between making a tomb and counting it */
    sums->published += done;
    sums->delivered += c.known;
    sums->tombs += tombs;
    sums->in_doubt += in_doubt;
    sums->redelivered += redelivered;
    sums->open += c.unknown;

    if (holders > in_doubt + uncounted)
        holders = in_doubt + uncounted;
    if (ring->redelivers)
        holders = 0; /* what they held was delivered to somebody else */

    return adds_up(l, topic, "messages published that nobody received", 0, c.missing, c.unknown) &&
           adds_up(l, topic, "sequences less tombs", done, used - tombs, begun + uncounted) &&
           adds_up(l, topic, "tombs", aborts_done > uncounted ? aborts_done - uncounted : 0, tombs,
                   ring->several_publishers ? aborts_begun + killed * STORM_BATCH_MAX : 0) &&
           adds_up(l, topic, "messages in doubt", 0, in_doubt,
                   ring->competing && !ring->redelivers ? killed : 0) &&
           adds_up(l, topic, "messages delivered again", 0, redelivered,
                   ring->redelivers ? killed : 0) &&
           (topic != STORM_ORDERS ||
            (adds_up(l, topic, "orders received twice", 0, tbus_load_relaxed_u64(&l->doubled),
                     redelivered + (ring->redelivers ? uncounted : 0)) &&
             adds_up(l, topic, "orders that no consumer received", tombs, c.undelivered,
                     tombs + holders + uncounted)));
}
