/* SPDX-License-Identifier: Apache-2.0 */
/* Input: two bytes for the ring's shape, then what overwrites its first bytes: header, hints,
 * places. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/hostile/hostile.h"

#define SHAPE_BYTES 2u
#define HEADER_SEED 640u /* up to behind the last counter of a repairer */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    static bool begun;
    size_t ring_bytes;
    if (!begun)
        hostile_begin();
    begun = true;
    if (bytes < SHAPE_BYTES)
        return 0;
    unsigned char *memory = hostile_ring(input, &ring_bytes);
    if (!memory)
        abort();
    size_t over = bytes - SHAPE_BYTES;
    memcpy(memory, input + SHAPE_BYTES, over < TBUS_RING_SLOTS_AT ? over : TBUS_RING_SLOTS_AT);
    tbus_ring_t ring;
    tbus_error_t err;
    if (tbus_ring_join(memory, ring_bytes, true, &ring, &err) < 0)
        return 0;
    const char *fault = hostile_use(&ring);
    if (fault) {
        fprintf(stderr, "%s\n", fault);
        abort();
    }
    return 0;
}

void fuzz_seeds(fuzz_take_t take)
{
    hostile_begin();
    for (uint8_t shape = 0; shape < HOSTILE_SHAPES; shape++) {
        uint8_t seed[SHAPE_BYTES + HEADER_SEED] = {shape, (uint8_t)(shape * 7)};
        size_t bytes;
        unsigned char *memory = hostile_ring(seed, &bytes);
        memcpy(seed + SHAPE_BYTES, memory, HEADER_SEED);
        take(seed, sizeof seed);
    }
}
