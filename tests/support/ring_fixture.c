/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/ring_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES ((size_t)4096)

const enum tbus_ring_kind test_kinds[TEST_KINDS] = {TBUS_SPSC, TBUS_BROADCAST, TBUS_BROADCAST_MP,
                                                    TBUS_MPMC, TBUS_MPSC};
const uint64_t test_starts[TEST_STARTS] = {1,
                                           (UINT64_C(1) << 32) - 3,
                                           (UINT64_C(1) << 45) - 3,
                                           (UINT64_C(1) << 48) - 3,
                                           (UINT64_C(1) << 63) - 3,
                                           UINT64_MAX - 2};

void must_at(bool right, const char *what, const char *file, int line)
{
    if (right)
        return;
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

void test_succeed(int code, const char *what, const tbus_error_t *err)
{
    if (code >= 0)
        return;
    fprintf(stderr, "%s: %d: %s\n", what, code, err->text);
    abort();
}

enum tbus_sub_role test_taker(enum tbus_ring_kind kind)
{
    return kind == TBUS_MPMC ? TBUS_CONSUMER : TBUS_SUBSCRIBER;
}

tbus_ring_spec_t test_spec(tbus_ring_spec_t spec)
{
    if (spec.name[0] == 0)
        strcpy(spec.name, "test");
    if (spec.slot_bytes == 0)
        spec.slot_bytes = 64;
    if (spec.slot_count == 0)
        spec.slot_count = 16;
    if (spec.first_seq == 0)
        spec.first_seq = 1;
    return spec;
}

tbus_ring_t test_ring_create_at(void *memory, size_t bytes, tbus_ring_spec_t spec)
{
    tbus_error_t err = {0};
    tbus_ring_t ring;
    spec = test_spec(spec);
    test_succeed(tbus_ring_format(memory, bytes, &spec, &err), "tbus_ring_format", &err);
    test_succeed(tbus_ring_join(memory, bytes, true, &ring, &err), "tbus_ring_join", &err);
    return ring;
}

tbus_ring_t test_ring_create(tbus_ring_spec_t spec)
{
    spec = test_spec(spec);
    size_t bytes = tbus_ring_footprint(&spec);
    must(bytes > 0);
    void *memory = aligned_alloc(PAGE_BYTES, (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
    must(memory != NULL);
    return test_ring_create_at(memory, bytes, spec);
}

void test_ring_destroy(tbus_ring_t *ring)
{
    free(ring->shared);
    ring->shared = NULL;
}

tbus_publisher_t test_publisher(const tbus_ring_t *ring, uint32_t owner)
{
    tbus_error_t err = {0};
    tbus_publisher_t p;
    test_succeed(tbus_publisher_join(ring, owner, &p, &err), "tbus_publisher_join", &err);
    return p;
}

tbus_subscriber_t test_subscriber_of(const tbus_ring_t *ring, const char *place, uint32_t owner)
{
    tbus_error_t err = {0};
    tbus_subscriber_t s;
    test_succeed(tbus_subscriber_join(ring, place, owner, &s, &err), "tbus_subscriber_join", &err);
    return s;
}

tbus_subscriber_t test_subscriber(tbus_ring_t *ring, const char *name, enum tbus_sub_role role,
                                  uint32_t owner)
{
    tbus_error_t err = {0};
    test_succeed(tbus_ring_reserve(ring, name, role, &err), "tbus_ring_reserve", &err);
    return test_subscriber_of(ring, name, owner);
}

tbus_subscriber_t test_late_comer(tbus_ring_t *ring, const char *name, enum tbus_sub_role role,
                                  uint32_t owner)
{
    tbus_error_t err = {0};
    tbus_subscriber_t s;
    test_succeed(tbus_subscriber_join_late(ring, name, role, owner, &s, &err),
                 "tbus_subscriber_join_late", &err);
    return s;
}
