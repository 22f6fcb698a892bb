/* SPDX-License-Identifier: Apache-2.0 */
/* ring_fixture.h - rings for tests, and those who join them. Whatever cannot be made ends the
 * program with a line that says what was asked for: a test has nothing to say about it.
 *
 * No bus is needed (bus_fixture.h). ring_world.h is a ring with everybody on it, for tests that
 * interrupt somebody at every step.
 */
#ifndef TICKBUS_TESTS_SUPPORT_RING_FIXTURE_H
#define TICKBUS_TESTS_SUPPORT_RING_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>

/* End the program unless it is so. */
#define must(right) must_at(right, #right, __FILE__, __LINE__)
void must_at(bool right, const char *what, const char *file, int line);
/* End the program when `code` is an error; `what` failed. */
void test_succeed(int code, const char *what, const tbus_error_t *err);

/* Every kind of ring, and first sequences just before each wrap of what is counted in fewer bits
 * than 64 (slot.h, ticket.h) and of all 64. */
enum { TEST_KINDS = 5, TEST_STARTS = 6 };
extern const enum tbus_ring_kind test_kinds[TEST_KINDS];
extern const uint64_t test_starts[TEST_STARTS];

/* Who takes the messages of a ring of that kind: TBUS_CONSUMER or TBUS_SUBSCRIBER. */
enum tbus_sub_role test_taker(enum tbus_ring_kind kind);

/* What is zero in `spec` becomes: name "test", slots of 64 bytes, 16 of them, first sequence 1. */
tbus_ring_spec_t test_spec(tbus_ring_spec_t spec);

/* A ring of test_spec(spec) in memory of its own, which test_ring_destroy frees. */
tbus_ring_t test_ring_create(tbus_ring_spec_t spec);
void test_ring_destroy(tbus_ring_t *ring);
/* The same in the caller's memory (shared with a child). */
tbus_ring_t test_ring_create_at(void *memory, size_t bytes, tbus_ring_spec_t spec);

tbus_publisher_t test_publisher(const tbus_ring_t *ring, uint32_t owner);
/* A subscriber whose place is reserved before anything is published; one that joins a place which
 * was reserved before; and one that comes late. A participant that lives (tbus_participant_live)
 * joins after that. */
tbus_subscriber_t test_subscriber(tbus_ring_t *ring, const char *name, enum tbus_sub_role role,
                                  uint32_t owner);
tbus_subscriber_t test_subscriber_of(const tbus_ring_t *ring, const char *place, uint32_t owner);
tbus_subscriber_t test_late_comer(tbus_ring_t *ring, const char *name, enum tbus_sub_role role,
                                  uint32_t owner);

#endif
