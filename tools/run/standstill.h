/* SPDX-License-Identifier: Apache-2.0 */
/* standstill.h - does no stage of a run get any further, though not everything is taken?
 *
 * In a run whose stages repeat what was recorded (bus/market/recorded.h) one may wait for a message
 * that is never sent, since whoever sent it then has decided otherwise now. The others wait for its
 * room, and all of them for ever.
 *
 * Known without a limit of time: nothing was published or taken on any topic, and no horizon was
 * raised, while each stage had whole turns, in which it would have done what there was to do. And
 * each source has no more, or something that finds no room; one that waits for its time will go on
 * by itself. So will a stage that publishes nothing and has something left to do: no room of others
 * holds it up. That is the recorder while its disk is slow, and a feed that has come as far as that
 * allows waits for it without anything being wrong. (If its disk never comes back, that is told by
 * the alarm of the recording that is late, and here not.)
 *
 * Whoever asks, asks again and again while not everything is taken.
 */
#ifndef TICKBUS_TOOLS_RUN_STANDSTILL_H
#define TICKBUS_TOOLS_RUN_STANDSTILL_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/bus.h>
#include <tickbus/directory.h>

/* All zeros before the first look. */
typedef struct standstill {
    /* messages published and taken on all topics, horizons, states: none of them ever goes back */
    uint64_t moved;
    bool armed;
    bool suspected; /* nothing moved between the last two looks: wake those that sleep */
    struct standstill_stage {
        uint64_t quiet;     /* turns without work, and with nothing to send, at first */
        uint64_t heartbeat; /* as last seen */
        uint32_t beats;     /* how often that was another one */
    } stages[TBUS_PARTICIPANTS_MAX];
} standstill_t;

/* Bit i of `stages`: participant i + 1 is one; of `sources`: and it is a source. */
bool standstill_look(standstill_t *standstill, const tbus_bus_t *bus, uint64_t stages,
                     uint64_t sources);

#endif
