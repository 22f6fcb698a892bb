/* SPDX-License-Identifier: Apache-2.0 */
/* storm_actor.h - what a participant of a storm does, from its birth to its death or to the end of
 * the world. */
#ifndef TICKBUS_TESTS_SUPPORT_STORM_ACTOR_H
#define TICKBUS_TESTS_SUPPORT_STORM_ACTOR_H

#include "tests/support/storm_ledger.h"

enum storm_joins {
    STORM_NOT = 0,
    STORM_SUBSCRIBES = TBUS_SUBSCRIBER,
    STORM_COMPETES = TBUS_CONSUMER,
    STORM_FOLLOWS = TBUS_FOLLOWER
};

typedef struct storm_role {
    const char *name;
    bool publishes[STORM_TOPICS];
    enum storm_joins joins[STORM_TOPICS];
    bool observes; /* all topics, read-only, and does nothing else */
} storm_role_t;

extern const storm_role_t storm_roles[];
extern const unsigned storm_roles_count;

/* In the child: live as participant `owner` (role owner - 1), and exit: 0 at the end of the world,
 * 1 after a fault. */
_Noreturn void storm_live(tbus_bus_t *bus, storm_ledger_t *ledger, uint32_t life, uint32_t owner,
                          uint64_t seed);

uint64_t storm_random(uint64_t *state);

#endif
