/* SPDX-License-Identifier: Apache-2.0 */
/* limits_box.h - new limits for a risk stage that is running: put in by whoever may change them,
 * taken out by the stage between two orders, all of them at once or none.
 *
 *    version   0: nothing was ever put in; even: words hold a set of limits; odd: they are being
 *              written
 *    words     the figures of risk_limits_t, in its order
 *
 * In a pipeline it is the block "risk.limits" of the bus directory; all zeros at first. One writer.
 * The reader looks at one word before every order and never waits: a set that is being written at
 * that moment it takes before the next order.
 */
#ifndef TICKBUS_RISK_LIMITS_BOX_H
#define TICKBUS_RISK_LIMITS_BOX_H

#include <stdbool.h>
#include <stddef.h>

#include <tickbus/atomic.h>

#include "risk/limits.h"

#define LIMITS_BOX_WORDS 12u

typedef struct limits_box {
    tbus_atomic_u64_t version;
    tbus_atomic_u64_t words[LIMITS_BOX_WORDS];
} limits_box_t;

TBUS_STATIC_ASSERT(sizeof(limits_box_t) == 104);
TBUS_STATIC_ASSERT(offsetof(limits_box_t, version) == 0);
TBUS_STATIC_ASSERT(offsetof(limits_box_t, words) == 8);

/* Put in a set, whatever was in it. One thread of one process. */
void limits_box_put(limits_box_t *box, const risk_limits_t *limits);

/* The how manieth set it is, from 1, that has version `version`. */
static inline uint32_t limits_box_number(uint64_t version)
{
    return (uint32_t)(version / 2);
}

/* Is there a set that was put in after the one of *seen (0 at first)? Then it is in *out_limits,
 * and *seen is its version. Hot. */
bool limits_box_take(const limits_box_t *box, uint64_t *seen, risk_limits_t *out_limits);

#endif
