/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/repair.h>

#include "tests/support/ring_world.h"

#include <sys/mman.h>

ring_world_t *world;
uint32_t world_msg_bytes_max;
enum tbus_policy world_policy;
enum world_pairs world_pairs;

void world_create(void)
{
    if (world)
        return;
    world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(world != MAP_FAILED);
}

static unsigned publishers(void)
{
    return world->ring.several_publishers ? PUBLISHERS : 1;
}

void world_build(enum tbus_ring_kind kind, uint64_t first_seq)
{
    tbus_ring_spec_t spec = {.name = "world",
                             .kind = kind,
                             .slot_bytes = 64,
                             .slot_count = SLOTS,
                             .msg_bytes_max = world_msg_bytes_max,
                             .first_seq = first_seq,
                             .policy = world_policy};
    world->seen_count = 0;
    world->fault = NULL;
    world->filled = 0;
    world->uncounted = 0;
    for (unsigned i = 0; i < ADDED_MAX; i++)
        world->published[i] = world->refused[i] = false;
    for (unsigned i = 0; i < READERS; i++)
        world->reader[i] = (tbus_subscriber_t){0};
    world->ring = test_ring_create_at(world->memory, sizeof world->memory, spec);
    for (unsigned i = 0; i < publishers(); i++) {
        world->publisher[i] = test_publisher(&world->ring, ZERO + i);
        if (world_pairs != WORLD_AS_CPU)
            world->publisher[i].whole_pairs = world_pairs == WORLD_WHOLE;
    }
}

tbus_subscriber_t world_subscribe(const char *name, enum tbus_sub_role role, uint32_t owner)
{
    return test_subscriber(&world->ring, name, role, owner);
}

bool world_publish(unsigned who, uint64_t number)
{
    note_t n = {number, ~number};
    return tbus_publish_try(&world->publisher[who], &n, sizeof n) == TBUS_PUBLISHED;
}

long_note_t world_long_note(uint64_t number)
{
    long_note_t n = {.note = {number, ~number}};
    for (uint64_t i = 0; i < sizeof n.rest / 8; i++)
        n.rest[i] = number + 1 + i;
    return n;
}

bool world_publish_long(unsigned who, uint64_t number)
{
    long_note_t n = world_long_note(number);
    return tbus_publish_try(&world->publisher[who], &n, sizeof n) == TBUS_PUBLISHED;
}

static bool whole(const note_t *copy, const void *message, size_t bytes)
{
    if (copy->check != ~copy->number)
        return false;
    if (bytes == sizeof *copy)
        return true;
    const long_note_t *n = message;
    for (uint64_t i = 0; bytes == sizeof *n && i < sizeof n->rest / 8; i++)
        if (n->rest[i] != copy->number + 1 + i)
            return false;
    return bytes == sizeof *n;
}

void world_fill(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        must(world_publish((unsigned)i % publishers(), i));
    world->filled = count;
}

bool world_receive(tbus_subscriber_t *s)
{
    size_t bytes;
    const note_t *n = tbus_peek(s, &bytes);
    if (!n) {
        if (s->error)
            world->fault = "a reader found the ring corrupt";
        return false;
    }
    note_t copy;
    tbus_words_load(&copy, n, sizeof copy);
    if (!whole(&copy, n, bytes))
        world->fault = "a torn message was delivered";
    must(world->seen_count < sizeof world->seen / sizeof *world->seen);
    world->seen[world->seen_count] = copy.number;
    __atomic_store_n(&world->seen_count, world->seen_count + 1,
                     __ATOMIC_RELEASE); /* the number first: we may be killed */
    tbus_advance(s);
    return true;
}

void world_publish_by(unsigned who, unsigned which)
{
    unsigned i = 10 * who + which;
    world->published[i] = world_publish(who, 100 + i);
    world->refused[i] = !world->published[i];
}

void world_publish_some(unsigned who, unsigned count)
{
    for (unsigned which = 0; which < count; which++)
        world_publish_by(who, which);
}

void world_publish_batch(unsigned count)
{
    note_t notes[WORLD_BATCH_MAX];
    must(count <= WORLD_BATCH_MAX);
    for (uint64_t i = 0; i < count; i++)
        notes[i] = (note_t){100 + i, ~(100 + i)};
    world_note_batch(tbus_publish_batch(&world->publisher[0], notes, sizeof *notes, count), count);
}

void world_note_batch(unsigned got, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        world->published[i] = i < got;
        world->refused[i] = i >= got;
    }
}

static void publish_later(unsigned dead, unsigned count)
{
    for (unsigned turn = 0; count && turn < 5 * publishers(); turn++) {
        unsigned who = turn % publishers();
        if (dead >> who & 1)
            continue;
        world_publish_by(who, 5 + turn / publishers());
        count--;
    }
}

static void receive_later(unsigned dead, unsigned count)
{
    for (unsigned turn = 0; count && turn < 2 * count; turn++) {
        tbus_subscriber_t *s = &world->reader[turn % READERS];
        if (s->ring.shared && !(dead >> turn % READERS & 1) && world_receive(s))
            tbus_subscriber_flush(s);
    }
}

void world_carry_on(unsigned dead, unsigned count)
{
    receive_later(dead, count);
    publish_later(dead, count);
    receive_later(dead, count);
}

static unsigned times_seen(uint64_t number)
{
    unsigned times = 0;
    for (unsigned i = 0; i < world->seen_count; i++)
        times += world->seen[i] == number;
    return times;
}

const char *world_settle(unsigned dead, tbus_subscriber_t *drain)
{
    for (unsigned i = 0; i < PUBLISHERS; i++)
        if (dead >> i & 1) {
            tbus_ring_repair(&world->ring, ZERO + i);
            if (tbus_ring_repair(&world->ring, ZERO + i) != 0)
                return "a second repair found something left to do";
        } else if (i < publishers() && world->publisher[i].error) {
            return "a living publisher was declared dead";
        }
    while (world_receive(drain))
        ;
    tbus_subscriber_flush(drain);
    unsigned before = world->seen_count;
    tbus_publisher_t p = test_publisher(&world->ring, FRESH);
    for (uint64_t i = 0; i < SLOTS; i++) {
        note_t n = {1000 + i, ~(1000 + i)};
        if (tbus_publish_try(&p, &n, sizeof n) != TBUS_PUBLISHED)
            return "the ring no longer takes a whole lap";
    }
    for (uint64_t i = 0; i < SLOTS; i++)
        if (!world_receive(drain) || world->seen[before + i] != 1000 + i)
            return "the ring no longer gives a whole lap";
    world->seen_count = before;
    return world->fault;
}

const char *world_account(void)
{
    uint64_t missing = 0;
    for (uint64_t n = 0; n < world->filled; n++) {
        if (times_seen(n) > 1)
            return "a message was delivered twice";
        missing += times_seen(n) == 0;
    }
    for (unsigned i = 0; i < ADDED_MAX; i++) {
        unsigned times = times_seen(100 + i);
        if (times > 1)
            return "a message was delivered twice";
        if (world->refused[i] && times)
            return "a message that was refused was delivered";
        missing += world->published[i] && !times;
    }
    if (missing > tbus_load_relaxed_u64(&world->ring.shared->in_doubt) + world->uncounted)
        return "a committed message was lost";
    return NULL;
}
