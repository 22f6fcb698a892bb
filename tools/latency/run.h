/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - one measurement: a pipeline of its own, as `busctl start` would run it, under a schedule
 * that is fixed in advance; and what came of it.
 *
 *    run_spec_parse    a command line, made into a spec
 *    run_measure       starts the pipeline, waits for its end, collects the samples
 *
 * Used by the verb once, by --ab for each round, by --ladder for each rung. One at a time in a
 * process. While it runs `status`, `tap` and `halt` reach the bus by its name.
 */
#ifndef TICKBUS_TOOLS_LATENCY_RUN_H
#define TICKBUS_TOOLS_LATENCY_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "tools/config/start_options.h"
#include "tools/latency/evidence.h"
#include "tools/latency/samples.h"

typedef struct run_spec {
    start_options_t start; /* feed, strategy, layout and all else that start takes */
    bool no_subscriber;    /* --no-subscriber: nobody is connected to its gateway by us */
    double rate;           /* --rate, messages a second on average; 0: not given */
    /* as given, "constant", "poisson" ..., or "the feed's own"; points into `start` */
    const char *arrival;
    uint64_t for_ns;
    uint64_t messages; /* that the schedule has at most */
    char pace[32];     /* text of settings; so a spec must not be copied or moved */
    char prepare[32];
    char source[TBUS_PARAM_TEXT_MAX + 32]; /* of a made-up feed that is to last; "": as given */
} run_spec_t;

#define RUN_NOTES_MAX  8u
#define RUN_NOTE_BYTES 240u

typedef struct run_clock {
    bool ticks;       /* the CPU's counter; else CLOCK_MONOTONIC */
    double read_ns;   /* what one look costs */
    double system_ns; /* what one look at CLOCK_MONOTONIC costs */
    double drift_ns; /* the counter against CLOCK_MONOTONIC: the most that a straight line misses */
    /* stamps of one message that would have run backwards, and by how much at most: 0 and 0 unless
     * clocks of CPUs differ. They were set equal, so hops are never negative */
    uint64_t backward_count;
    uint64_t backward_ns_max;
} run_clock_t;

typedef struct run_result {
    samples_t samples;
    double rate_target;   /* of the schedule as it was: messages over the time from first to last */
    double rate_achieved; /* messages over the time until the last was seen */
    bool kept_up;
    bool had_a_rate;        /* messages were due at different times; else both rates are 0 */
    uint64_t began_ms;      /* ms after 1970: when the first message was wanted */
    double seconds;         /* of the schedule, as far as it came */
    bool feed_ended;        /* before that, because it had no more messages */
    bool stopped;           /* before that, by a signal or `busctl stop` */
    uint64_t messages_lost; /* that the tables had no room for: they are in no sample */
    uint64_t answers_lost;
    run_clock_t clock;
    evidence_t evidence; /* owned: why messages were slow */
    json_t *summary;     /* owned; as `busctl start --json` prints it */
    uint32_t notes_count;
    char notes[RUN_NOTES_MAX][RUN_NOTE_BYTES]; /* one sentence each */
} run_result_t;

/* Options of the pipeline and of the load, from argv[1] on; errors go to stderr. `out_spec` is
 * large. Returns OUTCOME_OK or OUTCOME_USAGE, OUTCOME_FAILED (tools/show/outcome.h). */
int run_spec_parse(int argc, char **argv, run_spec_t *out_spec);

/* `verb`: for messages. OUTCOME_OK: *out_result is filled, also when the run did not keep up; else
 * the pipeline failed, and has said why. */
int run_measure(const char *verb, run_spec_t *spec, run_result_t *out_result);

/* From the samples: the rates, as intended and as they were, and whether the pipeline kept up: it
 * had seen the messages in at most 1/0.99 of the time that the schedule gave them, or the last of
 * them before one more would have been due; or it had done so once in the last tenth, and a stall
 * came behind that, which is noted. Messages that were all due at once have no rate. */
void run_judge(run_result_t *result);

/* Accepts one that is all zeros. */
void run_result_clear(run_result_t *result);

/* One that does not fit is dropped. */
void run_note(run_result_t *result, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
