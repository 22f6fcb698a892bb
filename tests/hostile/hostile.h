/* SPDX-License-Identifier: Apache-2.0 */
/* hostile.h - a small ring into which somebody writes anything at any moment, while everybody else
 * uses it.
 *
 *      no access | canary | header, places, slots | no access      the ring ends with the mapping
 *
 * A *script* is a string of bytes: which kind of ring and which policy, then one operation after
 * the other - publish, claim, commit, take, peek, observe, follow, park, repair, join, leave - and
 * corruptions, of any word, at once or just before the n-th access to shared memory that comes. The
 * ring's own code is built with TBUS_HOOKS, so that it stops before each access: there the
 * corruption strikes, and there looks are counted. The same bytes do the same, always. A random
 * generator makes scripts every day (test_hostile.c), a fuzzer makes better ones (fuzz_live).
 *
 * What must hold: nothing outside the ring is touched, nothing handed out is longer than a message
 * may be, no call takes more than HOSTILE_LOOKS_MAX looks, no assertion fires. What the messages
 * say is up to whoever scribbles. */
#ifndef TICKBUS_TESTS_HOSTILE_H
#define TICKBUS_TESTS_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/ring.h>

/* A join beside a publisher that seems to be storing its tail for ever looks most often: 3 times
 * 100 x 1000 looks of 4 words each. Whatever depends on a count that came from the ring would need
 * 2^32 and more. */
#define HOSTILE_LOOKS_MAX 2000000u

/* The first byte of a script: every kind with every policy; bytes from there on mean the same
 * again. */
#define HOSTILE_SHAPES 15u
static inline uint8_t hostile_shape(enum tbus_ring_kind kind, enum tbus_policy policy)
{
    return (uint8_t)(kind - TBUS_SPSC + 5 * policy);
}

typedef struct hostile_outcome {
    uint64_t operations;
    uint64_t corruptions;
    uint64_t refusals;  /* calls that said no: corrupt, stale, evicted, wrong geometry, ... */
    uint64_t looks_max; /* of one call */
    /* places taken: kind of the ring, role asked for */
    uint64_t joined[TBUS_MPSC + 1][TBUS_FOLLOWER + 1];
    char fault[160]; /* "" or what went wrong */
} hostile_outcome_t;

/* Maps the ring, once. */
void hostile_begin(void);

/* A fresh ring of the shape that the first two bytes of a script say; NULL: cannot be. Valid until
 * the next one. */
unsigned char *hostile_ring(const uint8_t shape[2], size_t *out_bytes);

/* Whoever believed a header does everything with the ring: publishes, subscribes, observes. NULL or
 * the fault. */
const char *hostile_use(const tbus_ring_t *ring);

/* Just before the n-th access from now on, the word at that offset of the ring becomes `value`; 0:
 * no more of that. */
void hostile_lay(uint32_t accesses, size_t at, uint64_t value);

/* Run a script on a fresh ring. Adds to *outcome. False: outcome->fault says what. (An access
 * outside is SIGSEGV.) */
bool hostile_run(const uint8_t *script, size_t bytes, hostile_outcome_t *outcome);

/* Never returns: scribbles over the ring, with words that look right and others. For a process of
 * its own. */
_Noreturn void hostile_scribble(uint64_t seed);

uint64_t hostile_random(uint64_t *state);

#endif
