/* SPDX-License-Identifier: Apache-2.0 */
/* ring_world.h - one small ring with publishers and readers, in memory that a child process shares,
 * and the checks of what must hold after one of them was killed at any point. Used by the weaver
 * (interleave: every order of accesses) and by the single-stepper (killer.h: every instruction).
 *
 * Messages 0 .. filled - 1 are there before; publisher `who` may add messages 100 + 10 * who and
 * up. A reader notes a message before it gives it back: from then on it counts as received.
 */
#ifndef TICKBUS_TESTS_SUPPORT_RING_WORLD_H
#define TICKBUS_TESTS_SUPPORT_RING_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/observer.h>
#include <tickbus/wait.h>

#include "tests/support/ring_fixture.h"

enum { SLOTS = 16, ZERO = 10, ONE = 11, TWO = 12, FRESH = 20, DEAD_OWNER = 30 };
enum { PUBLISHERS = 3, READERS = 2, ADDED_MAX = 10 * PUBLISHERS };

typedef struct note {
    uint64_t number;
    uint64_t check; /* ~number: a torn one does not add up */
} note_t;

/* A message that lies in the area, on rings that take such messages. */
typedef struct long_note {
    note_t note;
    uint64_t rest[20]; /* number + 1, number + 2, ... */
} long_note_t;

typedef struct ring_world {
    _Alignas(4096) unsigned char memory[TBUS_RING_SLOTS_AT + 4096 + TBUS_AREA_BYTES_MIN];
    tbus_ring_t ring;
    /* owners ZERO, ONE, TWO; all but the first only on kinds that have several */
    tbus_publisher_t publisher[PUBLISHERS];
    tbus_subscriber_t reader[READERS];
    tbus_observer_t observer;
    tbus_waiter_t waiter[2];
    uint64_t filled;
    bool published[ADDED_MAX]; /* message 100 + i was published: the call returned */
    bool refused[ADDED_MAX];   /* it was given up, or found no room */
    uint64_t seen[64];         /* numbers that any reader received */
    unsigned seen_count;
    /* messages in doubt that may be missing from the ring's own count: their repairer was killed */
    unsigned uncounted;
    const char *fault; /* NULL, or the first thing that was wrong */
} ring_world_t;

/* Mapped once, shared with children. */
extern ring_world_t *world;
void world_create(void);

/* Of the rings that are built from now on: */
extern uint32_t world_msg_bytes_max; /* 0: one slot */
extern enum tbus_policy world_policy;
/* How a publisher stores a slot's word and the first word of its payload. WORLD_WHOLE is what the
 * weaver may choose on any host, since one of its steps is no instruction. */
enum world_pairs { WORLD_AS_CPU, WORLD_SPLIT, WORLD_WHOLE };
extern enum world_pairs world_pairs;

/* A fresh ring of that kind whose first sequence is `first_seq`, and its publishers; no readers.
 * world_fill publishes `count` messages, by all publishers in turn. */
void world_build(enum tbus_ring_kind kind, uint64_t first_seq);
void world_fill(uint64_t count);
tbus_subscriber_t world_subscribe(const char *name, enum tbus_sub_role role, uint32_t owner);

bool world_publish(unsigned who, uint64_t number);
bool world_publish_long(unsigned who, uint64_t number);
long_note_t world_long_note(uint64_t number);
bool world_receive(tbus_subscriber_t *s);
/* Its message 100 + 10 * who + which; notes what became of it. */
void world_publish_by(unsigned who, unsigned which);
void world_publish_some(unsigned who, unsigned count);
/* Publisher 0's messages 100, 101, ... by one call, at most WORLD_BATCH_MAX; notes the same. */
#define WORLD_BATCH_MAX 4u
void world_publish_batch(unsigned count);
/* Of publisher 0's first `count` messages the first `got` were published, the others refused. */
void world_note_batch(unsigned got, unsigned count);

/* Before anything is repaired the living go on (`dead`: bit i: owner ZERO + i is dead): in turn
 * they publish `count` messages and take as many, as far as there is room and there are messages.
 * After one message a ticket still names who died last, after SOME no longer. */
#define SOME 6u
void world_carry_on(unsigned dead, unsigned count);

/* Repair what the dead left (bit i: owner ZERO + i), twice; drain with `drain`; then the ring must
 * take and deliver a whole lap. NULL or the fault. */
const char *world_settle(unsigned dead, tbus_subscriber_t *drain);

/* Received exactly once: what was there before and what was committed. At most once: what a killed
 * publisher was publishing. Never: what was refused. A reader that was killed with a message in
 * hand leaves it in doubt, and no more than that may be missing. NULL or the fault. */
const char *world_account(void);

#endif
