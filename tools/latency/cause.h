/* SPDX-License-Identifier: Apache-2.0 */
/* cause.h - why were the slow messages slow? Of each message that took longer than the p99.9 of a
 * hop (or of the whole way), what it took beyond that is booked, ns by ns, to what held up the
 * processes that it passed through (stalls.h):
 *
 *    1  direct      The process that does a hop had a stall while the message was in that hop. When
 *                   the stalls of all its hops are more than the excess, each has its share of it.
 *    2  inherited   What is left, of a message that came while one before it was still held up: it
 *                   waited behind those. A stall of so many ns delays whoever comes after it by so
 *                   many at most; so no more is booked than the stalls took since the first of
 *                   these messages was wanted, in their proportion.
 *    3  unexplained All else.
 *
 * A ring that was full counts as such when its slowest reader is off the way of the message, as the
 * recorder is; for as long as that reader could not take what was there, because the journal had no
 * room ready, it counts as segment_roll. When the reader is on the way, what held it up is the
 * cause: with a longer ring the message would have waited there.
 *
 * Pure but for memory: samples, tables and switches in, figures out.
 */
#ifndef TICKBUS_TOOLS_LATENCY_CAUSE_H
#define TICKBUS_TOOLS_LATENCY_CAUSE_H

#include <stddef.h>
#include <stdint.h>

#include "tools/latency/samples.h"
#include "tools/latency/stalls.h"

#define CAUSE_NOBODY  UINT32_MAX /* in the place of a process */
#define CAUSE_WHO_MAX 96u

/* Whoever may know which program had a CPU in the place of process `pid` of ours. Writes its name;
 * false: not known. */
typedef struct cause_witness {
    bool (*who_ran)(const void *context, int cpu, int pid, uint64_t from_ns, uint64_t to_ns,
                    char *out_name, size_t bytes);
    /* How long programs had it that are none of the pipeline's. False: not known. */
    bool (*others_ran)(const void *context, int cpu, uint64_t from_ns, uint64_t to_ns,
                       uint64_t *out_ns);
    const void *context;
} cause_witness_t;

typedef struct cause_source {
    const tbus_gaps_t *gaps; /* not owned */
    stalls_t stalls[TBUS_GAPS_PROCESSES];
    stalls_t of_stages[TBUS_GAPS_PROCESSES]; /* stalls_create_of_stages */
    uint32_t process_of[HOP_PATH];           /* which does the hop; or CAUSE_NOBODY */
    cause_witness_t witness;                 /* NULL in it: nobody knows */
} cause_source_t;

/* `stage_of`: the name of the stage that does each hop, "" for none. -ENOMEM. `gaps` must outlive
 * it; the run has ended. */
int cause_source_create(const tbus_gaps_t *gaps, const char *const stage_of[HOP_PATH],
                        cause_source_t *out_source);
/* Accepts one that is all zeros. */
void cause_source_clear(cause_source_t *source);

/* The process that runs a stage; CAUSE_NOBODY: none does. */
uint32_t cause_process_with(const tbus_gaps_t *gaps, const char *stage);

/* Is it a ring that was full? */
bool cause_is_full(const stall_t *stall);

/* Whether the host brought about most of a stall, what the process worked in it left out: another
 * program had the CPU, the hypervisor or an interrupt took it away. Not what the pipeline's
 * processes do to themselves and to one another, on a CPU that they share or by a ring that is
 * full. */
bool cause_is_host(const cause_source_t *source, uint32_t process, const stall_t *stall);

typedef struct causes {
    enum sample_hop hop;
    uint64_t count;        /* messages that took longer than the threshold */
    uint64_t threshold_ns; /* p99.9 of the hop */
    uint64_t excess_ns;    /* of all of them, beyond it: the sum of ns[] */
    uint64_t ns[CAUSE_COUNT];
    char who[CAUSE_COUNT]
            [CAUSE_WHO_MAX]; /* most of it: "strategy", "recorder on md"; "": not known */
} causes_t;

/* Book the excess of one hop of the way, or of HOP_TICK_TO_SEEN, HOP_TICK_TO_REPORT. -EINVAL: of
 * another hop; -ENOMEM. With no message all is 0. */
int causes_book(const cause_source_t *source, const samples_t *samples, enum sample_hop hop,
                causes_t *out_causes);

/* What surrounded the i-th message of a hop (as above): how much of its time each cause covers, and
 * the gap that covers most of it; NULL: none. Returns that gap's process, or CAUSE_NOBODY. */
uint32_t cause_surroundings(const cause_source_t *source, const samples_t *samples,
                            enum sample_hop hop, uint64_t i, uint64_t out_parts[CAUSE_COUNT],
                            const tbus_gap_t **out_gap);

#endif
