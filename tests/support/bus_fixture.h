/* SPDX-License-Identifier: Apache-2.0 */
/* bus_fixture.h - a bus with topics and participants for tests, made in this process. As in
 * ring_fixture.h, what cannot be made ends the program. */
#ifndef TICKBUS_TESTS_SUPPORT_BUS_FIXTURE_H
#define TICKBUS_TESTS_SUPPORT_BUS_FIXTURE_H

#include <tickbus/bus.h>

#include "tests/support/ring_fixture.h"

void test_bus_create(tbus_bus_t *out_bus, const char *name);

/* A topic on small pages; what is zero in `spec` is as in test_spec.
 * `type`: of its messages. Returns its ring. */
tbus_ring_t *test_topic(tbus_bus_t *bus, tbus_ring_spec_t spec, const char *type);

/* A participant, whose number the test relies on. */
void test_participant(tbus_bus_t *bus, const char *name, uint32_t expected_owner);

/* A place for a subscriber that joins later. */
void test_reserve(tbus_bus_t *bus, const char *topic, const char *name, enum tbus_sub_role role);

#endif
