/* SPDX-License-Identifier: Apache-2.0 */
/* kill_switch.h - while it is thrown, no order passes: risk rejects new orders, and the executor
 * cancels what rests and refuses what still arrives. Cancels always pass.
 *
 * It is one word in a block of the bus directory, and so acts at once in every process that maps
 * it, and needs none to be alive. Risk and executor look at it with every order. Thrown by the
 * supervisor (`busctl halt`, a run that cannot go on) and by a stage whose supervisor has died;
 * released by the supervisor only (`busctl resume`).
 *
 *    block "risk.kill_switch"     0  thrown; room for more words of who throws it
 *                               128  room for what the executor says of itself
 *                               256  room for a text
 */
#ifndef TICKBUS_RISK_KILL_SWITCH_H
#define TICKBUS_RISK_KILL_SWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/bus.h>

#define KILL_SWITCH_BLOCK "risk.kill_switch"

typedef struct kill_switch {
    /* written by: whoever throws or releases it */
    tbus_atomic_u32_t thrown; /*   0 1: thrown */
    uint8_t pad0[124];
    /* written by: the executor */
    uint8_t pad1[128]; /* 128 */
    /* written by: whoever throws it */
    uint8_t pad2[256]; /* 256 */
} kill_switch_t;

TBUS_STATIC_ASSERT(sizeof(kill_switch_t) == 512);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, thrown) == 0);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, pad0) == 4);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, pad1) == 128);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, pad2) == 256);

/* Add the block, not thrown. For whoever makes the bus. Errors: tbus_bus_add_block. Cold. */
int kill_switch_add(tbus_bus_t *bus, kill_switch_t **out_kill_switch, tbus_error_t *err);

/* Find it: a pointer into the directory, good as long as the bus is mapped, and as writable as that
 * mapping. Errors: tbus_bus_find_block. Cold. */
int kill_switch_find(const tbus_bus_t *bus, kill_switch_t **out_kill_switch, tbus_error_t *err);

/* Hot. A word by itself: nothing else is read because of it, so it needs no order. */
static inline bool kill_switch_thrown(const kill_switch_t *kill_switch)
{
    return tbus_load_relaxed_u32(&kill_switch->thrown) != 0;
}

/* Any process, any number of times. */
void kill_switch_throw(kill_switch_t *kill_switch);
void kill_switch_release(kill_switch_t *kill_switch);

#endif
