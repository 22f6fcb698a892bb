/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor.h - `busctl start`: brings the pipeline up, watches it, takes it down in order, says
 * how it went.
 *
 *    claim the name -> make the bus -> fork the processes -> all READY -> RUN
 *         -> the source has no more, --for is over, SIGINT, SIGTERM, or `busctl stop`
 *         -> feed winds down -> all is taken -> strategy cancels what is open -> all is taken
 *         -> STOP: feed, strategy, risk, executor, recorder -> summary
 *
 * One thread and one poll(2) for signals, the ends of processes (pidfds), what they write, and the
 * control socket. A second SIGINT or SIGTERM kills everything at once. SIGHUP reads the file of -c
 * and the users of a gateway again, and puts limits in force (supervisor_reload.c); when it is the
 * terminal that has gone, it drains. A stage that ends unasked, or fails, ends the run: the kill
 * switch is set, the feed stops, the recorder drains what it can, and the error names the stage and
 * what became of it. A stage that stands still (supervisor_stall.c) is named, with what waits for
 * it; it is killed only when supervisor.stall_ms_max says so, and then that is a stage that dies.
 * The supervisor never leaves anything behind: no process, no file, no memory; when it is killed
 * itself, the processes wind down alone and the next start takes the name over.
 */
#ifndef TICKBUS_TOOLS_RUN_SUPERVISOR_H
#define TICKBUS_TOOLS_RUN_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "tools/config/start_options.h"
#include "tools/run/pipeline.h"

/* How a repetition of a recorded session ended, other than at its end. */
typedef struct supervisor_repetition {
    bool stopped; /* by a signal or `busctl stop` */
    /* A stage waited for a message that was not sent this time (tools/run/standstill.h): from there
     * on no stage decided anything. */
    bool stood_still;
    uint64_t left; /* inputs of stages that are recorded and did not come */
} supervisor_repetition_t;

typedef struct supervisor_request {
    const char *verb; /* for messages: "busctl start" */
    const start_options_t *options;
    /* of a bus that no stage is on, which goes on until it is told to end (`busctl bus`) */
    uint32_t topics_count;
    const pipeline_topic_t *topics;
    uint64_t md_first_seq; /* with which the ring md begins; 0: 1 */
    /* what was recorded, or to be measured: nothing that was thrown in another run holds in it, and
     * nothing that is thrown in it holds in another (standing.h) */
    bool rehearses;
    bool no_summary; /* whoever asked has something else to print, unless the run fails */
    /* where stages note when each message took each step; not owned. NULL: nobody measures */
    const struct tbus_stamps *stamps;
    /* Called in each step of the supervisor while the stages run, every 50 ms at least; never in
     * the stages. NULL: nobody asks */
    void (*watch)(void *context, const tbus_bus_t *bus);
    void *watch_context;
    /* where its processes note their late turns; not owned. NULL: nobody measures */
    const struct tbus_gaps *gaps;
    /* with no_summary: the object (summary.h), a new reference, or NULL. NULL: nobody asks */
    json_t **summary;
    /* made true when a signal or `busctl stop` ended it. NULL: nobody asks */
    bool *stopped;
    /* of a run that repeats what was recorded; NULL: nobody asks. Written before the end. */
    supervisor_repetition_t *repetition;
} supervisor_request_t;

/* Run all of the above; or, when the request brings topics of its own, keep a bus of these topics
 * and no stages for participants from outside. Returns the exit code of the process (outcome.h). */
int supervisor_run(const supervisor_request_t *request);

#endif
