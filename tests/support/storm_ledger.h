/* SPDX-License-Identifier: Apache-2.0 */
/* storm_ledger.h - the record of a storm, in memory of its own that all processes share: who was
 * about to publish what, who received what under which sequence. Written before and after each
 * operation, so that for a process killed at any point it is known what may have happened.
 *
 * A *life* is one process from its start to its death. A message is (life, number), numbers
 * counting from 0 for each life and topic.
 *
 *    publisher     begun = n + 1, publish, done = n + 1. Killed in between: that message (or batch)
 *                  may have been published or not, nobody knows.
 *    subscriber    seen[seq] = (life, number), the same for all who see it; tomb[seq] when it was
 *                  told that there is no message of that sequence
 *    consumer      delivered[seq] = (life, number), once, or at least once where that is promised;
 *                  then it gives the message back
 */
#ifndef TICKBUS_TESTS_SUPPORT_STORM_LEDGER_H
#define TICKBUS_TESTS_SUPPORT_STORM_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/bus.h>

enum { STORM_ORDERS, STORM_REPORTS, STORM_MD, STORM_LANE, STORM_INBOX, STORM_TOPICS };

#define STORM_LIVES_MAX   1024u
#define STORM_RECORDS_MAX (1u << 19) /* sequences of a topic in one world */
#define STORM_BATCH_MAX   6u

typedef struct storm_life {
    uint32_t actor;
    tbus_atomic_u32_t running; /* 1: has joined everything */
    tbus_atomic_u32_t silent;  /* 1: will publish no more, all is flushed */
    /* 1: is repairing what others left; killed now, a count may be one short */
    tbus_atomic_u32_t burying;
    tbus_atomic_u64_t heartbeat; /* turns of its loop */
    tbus_atomic_u64_t heals;     /* calls that repaired something */
    tbus_atomic_u64_t received;
    tbus_atomic_u64_t lost; /* observer: told so */
    /* consumer: messages that it has noted, and those that it has given back: */
    tbus_atomic_u64_t holds;
    tbus_atomic_u64_t returned;
    uint32_t killed; /* written by the driver, once it is dead */
    uint32_t pad;
    struct {
        tbus_atomic_u64_t begun;
        tbus_atomic_u64_t done;
        tbus_atomic_u64_t aborts_begun;
        tbus_atomic_u64_t aborts_done;
    } out[STORM_TOPICS];
} storm_life_t;

typedef struct storm_ledger {
    uint64_t first_seq[STORM_TOPICS];
    tbus_atomic_u32_t closing;  /* 1: publish no more */
    tbus_atomic_u32_t draining; /* 1: `end` is final; whoever has got that far may go */
    tbus_atomic_u64_t end[STORM_TOPICS];
    tbus_atomic_u64_t allowed[STORM_TOPICS]; /* sequences that may have been used by now */
    tbus_atomic_u32_t lives_count;
    tbus_atomic_u32_t faulty;
    char fault[400];
    storm_life_t lives[STORM_LIVES_MAX];
    tbus_atomic_u64_t seen[STORM_TOPICS][STORM_RECORDS_MAX];
    tbus_atomic_u64_t delivered[STORM_RECORDS_MAX]; /* orders only */
    /* orders, at least once: delivered more than once */
    tbus_atomic_u64_t doubled;
    uint8_t tomb[STORM_TOPICS][STORM_RECORDS_MAX];
} storm_ledger_t;

storm_ledger_t *storm_ledger_create(void);
void storm_ledger_destroy(storm_ledger_t *l);

/* What went wrong; only the first call counts. */
void storm_fault(storm_ledger_t *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sequences count from the ring's first. */
void storm_note_seen(storm_ledger_t *l, unsigned topic, uint64_t seq, uint32_t life,
                     uint64_t number);
void storm_note_delivered(storm_ledger_t *l, uint64_t seq, uint32_t life, uint64_t number,
                          bool again);
void storm_note_tombs(storm_ledger_t *l, unsigned topic, uint64_t from_seq, uint64_t to_seq);

typedef struct storm_sums {
    uint64_t published, delivered, tombs, in_doubt, redelivered, open, lost_by_observers, heals;
} storm_sums_t;

/* Whether it was killed with something begun and not done. */
bool storm_killed_in_the_act(const storm_life_t *life);

/* All processes have ended; `end` is final. Checks one topic; false: fault says what does not add
 * up. */
bool storm_account(storm_ledger_t *l, unsigned topic, const tbus_ring_t *ring, storm_sums_t *sums);

/* ---- what a message looks like ---- */

#define STORM_MESSAGE_MAX 400u

typedef struct storm_message {
    uint64_t life;
    uint64_t number;
    uint64_t words[48];
} storm_message_t;

/* Its length follows from (life, number) and from whether the topic has long ones. */
size_t storm_compose(storm_message_t *m, bool long_ones, uint32_t life, uint64_t number);
bool storm_whole(const void *bytes, size_t count, bool long_ones, uint32_t *out_life,
                 uint64_t *out_number);

#endif
