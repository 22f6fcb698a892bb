/* SPDX-License-Identifier: Apache-2.0 */
/* Input: a script of hostile.h. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "tests/hostile/hostile.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    static bool begun;
    hostile_outcome_t outcome = {0};
    if (!begun)
        hostile_begin();
    begun = true;
    if (!hostile_run(input, bytes, &outcome)) {
        fprintf(stderr, "%s\n", outcome.fault);
        abort();
    }
    return 0;
}

void fuzz_seeds(fuzz_take_t take)
{
    uint64_t random = 1;
    for (uint8_t shape = 0; shape < 2 * HOSTILE_SHAPES; shape++) {
        uint8_t script[300];
        for (size_t i = 0; i < sizeof script; i++)
            script[i] = (uint8_t)(hostile_random(&random) >> 32);
        script[0] = shape;
        take(script, sizeof script);
    }
}
