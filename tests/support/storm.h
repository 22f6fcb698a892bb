/* SPDX-License-Identifier: Apache-2.0 */
/* storm.h - a whole bus under load, its participants killed at random, again and again, and every
 * message accounted for.
 *
 *    topic     kind           publishers               subscribers
 *    orders    MPMC           alpha, beta, gamma       one, two (consumers); in every second world
 *                                                      at least once
 *    reports   BROADCAST_MP   beta, gamma, one         three
 *    md        BROADCAST      alpha (short and long)   two, three
 *    lane      SPSC           beta                     one
 *    inbox     MPSC           alpha, gamma             two
 *
 * a recorder that follows, and an observer of all five, attached from descriptors. Each participant
 * is a process. Whoever is killed (kill -9, without warning, now and then after it was stopped for
 * a while) has a successor some time later, with the same participant number; nobody repairs
 * anything but the participants themselves, while they wait or when they take over a number. The
 * driver only kills, stops, lets go on and starts.
 *
 * A world is one bus and some hundred kills; then everything is drained and accounted for
 * (storm_ledger.h). A storm is as many worlds as it takes. Sizes of rings, first sequences (near
 * every wrap), pages, wait modes, victims and pauses follow from its seed; at which instruction a
 * victim is killed depends on the scheduler, so a world that failed may have to be run several
 * times.
 */
#ifndef TICKBUS_TESTS_SUPPORT_STORM_H
#define TICKBUS_TESTS_SUPPORT_STORM_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/segment.h>

typedef struct storm_options {
    uint64_t seed;
    uint32_t kills;           /* in all */
    uint32_t kills_per_world; /* at most STORM_KILLS_MAX */
    uint32_t first_world;     /* start with this one: to see a failure again */
    enum tbus_pages pages;
    bool progress; /* a line on stderr for each world */
} storm_options_t;

#define STORM_KILLS_MAX 400u

typedef struct storm_result {
    uint32_t kills;
    uint32_t worlds;
    /* kills that came in the middle of publishing, of giving up a claim, of holding a message, of
     * repairing */
    uint32_t in_the_act;
    uint64_t stops;
    uint64_t published; /* messages, for certain */
    uint64_t delivered; /* to consumers, subscribers and observers */
    uint64_t tombs;
    uint64_t in_doubt;
    uint64_t redelivered;
    /* of the killed publishers' last messages, those of which nobody can tell whether they were
     * published */
    uint64_t open;
    uint64_t lost_by_observers; /* told so */
    uint64_t heals;             /* calls that repaired something */
    char fault[600];            /* "" or what went wrong, in which world */
} storm_result_t;

/* True: everything added up. Leaves no process, descriptor or mapping behind. */
bool storm_run(const storm_options_t *options, storm_result_t *out_result);

#endif
