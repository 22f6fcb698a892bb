/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/bus_fixture.h"

void test_bus_create(tbus_bus_t *out_bus, const char *name)
{
    tbus_error_t err = {0};
    test_succeed(tbus_bus_create(name, out_bus, &err), name, &err);
}

tbus_ring_t *test_topic(tbus_bus_t *bus, tbus_ring_spec_t spec, const char *type)
{
    tbus_error_t err = {0};
    spec = test_spec(spec);
    int index = tbus_bus_add_topic(bus, &spec, type, TBUS_PAGES_SMALL, -1, &err);
    test_succeed(index, spec.name, &err);
    return &bus->rings[index];
}

void test_participant(tbus_bus_t *bus, const char *name, uint32_t expected_owner)
{
    tbus_error_t err = {0};
    int owner = tbus_participant_add(bus, name, &err);
    test_succeed(owner, name, &err);
    must((uint32_t)owner == expected_owner);
}

void test_reserve(tbus_bus_t *bus, const char *topic, const char *name, enum tbus_sub_role role)
{
    tbus_error_t err = {0};
    tbus_ring_t *ring = tbus_bus_ring(bus, topic);
    must(ring != NULL);
    test_succeed(tbus_ring_reserve(ring, name, role, &err), name, &err);
}
