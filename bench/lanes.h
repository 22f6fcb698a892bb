/* SPDX-License-Identifier: Apache-2.0 */
/* lanes.h - ways for one process to hand 56-byte messages to another over shared memory: two raw
 * ones, which know nothing but the cache line, as the bound, and the rings of tickbus.
 *
 *    round trip   the near side sends, the far side answers, one message in flight
 *    stream       the far side sends without a pause, the near side takes
 *
 * Each lane is a pair of whole loops, so that nothing stands between a lane and its messages. Every
 * message is 56 bytes, stored by its sender and read in full by its receiver, which checks it. Used
 * by pingpong.c.
 */
#ifndef TICKBUS_BENCH_LANES_H
#define TICKBUS_BENCH_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_SLOTS        8192u
#define LANE_MEMORY_BYTES (size_t)(2u << 20)
#define LANE_WARM_UP                                                                               \
    2000u /* round trips, or sixteenths of a stream's messages, that are not measured: see near */

typedef struct lane {
    const char *name;
    const char *what;
    bool stream;
    bool raw; /* the bound that others are compared with */
    /* Lay the lane out in fresh, shared, zeroed memory, before the fork. `repetition` moves the raw
     * lines on: which address a line has makes up to a fifth of the difference. */
    void (*prepare)(void *memory, unsigned repetition);
    /* Round trip: out_ticks[i] = duration of the i-th of `count`, after LANE_WARM_UP others.
     * Stream: *out_ticks = duration of `count` messages, after count / 16 others. */
    void (*near_side)(void *memory, uint32_t count, uint64_t *out_ticks);
    void (*far_side)(void *memory, uint32_t count);
} lane_t;

const lane_t *lane_at(unsigned index); /* NULL: past the last */

#endif
