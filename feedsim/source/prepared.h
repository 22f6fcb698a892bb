/* SPDX-License-Identifier: Apache-2.0 */
/* prepared.h - a source whose first ticks were read and decoded before anybody asks for them, so
 * that reading a file, inflating it or making up messages delays no schedule.
 *
 *    record   time 8, seq 8, bytes 4, message bytes 4, type 1, warm-up 1, zeros 6; then the tick,
 *             padded to 8 bytes
 *
 * It hands out what the source would have, in the same order and with the same remarks; what is
 * beyond the prepared ones comes from the source as before. Where that is a pipe or a connection,
 * preparing ends when there is nothing now.
 */
#ifndef TICKBUS_FEEDSIM_SOURCE_PREPARED_H
#define TICKBUS_FEEDSIM_SOURCE_PREPARED_H

#include "feedsim/source/source.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What one of the usual length takes. */
#define FEED_PREPARED_BYTES 88u

/* Read ahead up to `count` ticks of `source`, which the new one owns from then on, also when this
 * fails. -ENOMEM. Cold: all the memory is touched. */
int feed_source_prepare(feed_source_t *source, uint64_t count, feed_source_t **out_source,
                        tbus_error_t *err);

/* How many of those it has handed out were not prepared; 0 also of another kind of source. */
uint64_t feed_source_unprepared(const feed_source_t *source);

#ifdef __cplusplus
}
#endif
#endif
