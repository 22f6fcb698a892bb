/* SPDX-License-Identifier: Apache-2.0 */
/* dayline.h - when something happens that has no cause in the market itself: spread over a stretch
 * of the day by how busy each half hour usually is.
 *
 *    04:00 ....... 09:30 |      U-shaped      | 16:00 ..... 20:00
 *    more and more       | open   noon  close | less and less
 *
 * Within a stretch a given number of events is spread at random, so that time comes near the end of
 * the stretch with the last of them and never past it: each gap is a share of what is left. Every
 * eighth gap is nine times as long as the others: the market idles.
 *
 * That a day's activity has the shape of a U: Jain and Joh 1988; Admati and Pfleiderer 1988 say
 * why.
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_DAYLINE_H
#define TICKBUS_FEEDSIM_SYNTH_DAYLINE_H

#include <stdint.h>

#include "feedsim/synth/random.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dayline {
    uint64_t now_ns;
    uint64_t to_ns;
    uint64_t left; /* ns until then, each times the weight of its half hour */
} dayline_t;

/* Times in ns since midnight, at most 24 hours. */
void dayline_begin(dayline_t *d, uint64_t from_ns, uint64_t to_ns);

/* The time of the next of `events` (above 0) that are still to come; before to_ns. */
uint64_t dayline_next(dayline_t *d, uint32_t events, random_state_t *random);

#ifdef __cplusplus
}
#endif
#endif
