/* SPDX-License-Identifier: Apache-2.0 */
/* lateness.h - for how long is somebody behind what is published? Told from looks at two counts for
 * each topic, how many messages were published and how many are done:
 *
 *    published   ----+-----------------------+-------->   at a look: this is what is waited for
 *    done        ------------+---------------+---->       at a later one: it is done, so what comes
 *                                                         next is published then, or nothing
 *
 * What is waited for was published before the look, so whoever is called late is so. One look
 * counts LATENESS_LOOK_NS_MAX at most: when the looks themselves come late, as on a host that stood
 * still, nobody else is accused.
 */
#ifndef TICKBUS_TOOLS_RUN_LATENESS_H
#define TICKBUS_TOOLS_RUN_LATENESS_H

#include <stdbool.h>
#include <stdint.h>

#include <tickbus/bus.h>

#define LATENESS_LOOK_NS_MAX UINT64_C(100000000)

typedef struct lateness_counts {
    uint64_t published;
    uint64_t done; /* of them */
} lateness_counts_t;

/* All zeros before the first look. */
typedef struct lateness {
    uint64_t looked_ns;
    uint64_t behind_ns; /* for so long something is waited for; 0: nothing is */
    bool waits;
    bool late; /* behind by more than the limit, until something was done in less, or all is */
    uint64_t wanted[TBUS_TOPICS_MAX];
} lateness_t;

/* Take in what was seen of `count` topics. Pure. */
void lateness_see(lateness_t *l, uint64_t now_ns, const lateness_counts_t *counts, uint32_t count,
                  uint64_t limit_ns);

#endif
