/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - what is asked of `busctl latency` beside the pipeline and the load (run.h): one run,
 * or many, or none. */
#ifndef TICKBUS_TOOLS_LATENCY_OPTIONS_H
#define TICKBUS_TOOLS_LATENCY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/latency/output.h"

enum latency_mode {
    LATENCY_RUN,
    LATENCY_UNTIL,   /* --until-ci */
    LATENCY_COMPARE, /* --compare */
    LATENCY_TURNS,   /* --ab */
    LATENCY_LADDER   /* --ladder */
};

typedef struct latency_options {
    enum latency_mode mode;
    bool strict;
    bool floor_asked; /* --floor was given */
    output_t output;  /* json: only of --compare and --ab, which make no spec */
    const char *a;    /* of --compare and --ab; point into the command line */
    const char *b;
    uint32_t rounds;
    uint64_t floor_ns;  /* of the schedule that the floor is measured on; 0: none */
    double until_share; /* 0.05 */
    uint64_t max_ns;
} latency_options_t;

/* Takes them out of argv; *argc: how many words are left. OUTCOME_OK, or OUTCOME_USAGE when stderr
 * has been told why. */
int latency_options_take(int *argc, char **argv, latency_options_t *out);

#endif
