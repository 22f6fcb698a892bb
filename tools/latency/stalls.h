/* SPDX-License-Identifier: Apache-2.0 */
/* stalls.h - when a process of the pipeline did not get on, and why: made of what it noted of
 * itself (bus/run/gaps.h), after the run.
 *
 *    what the kernel says came to a late turn            is booked as
 *    ready, and no CPU for it (run delay)                preempted
 *    without a CPU, and SIGCONT came                     stopped
 *                   and pages were read from a disk      page_faults
 *                   and it gave its CPU up               blocked: in some system call
 *                   and nobody switched it               steal: the hypervisor, or interrupts
 *    on its CPU     and pages came                       page_faults, up to STALL_FAULT_NS each
 *                   and its stages worked                work, STALL_WORK_NS a message; what is
 *                                                        beyond that is a long_turn
 *                   and they did not                     interrupted: by what no switch tells of
 *    two CPUs stood still at one time, and nobody switched (machine_stall.h): host, whatever the
 *                   process had in hand
 *    a sleep that the waiter wanted                      woken_from_sleep; from the wake-up on
 *                                                        preempted
 *    a ring was full                                     ring_full, whatever it did meanwhile
 *
 * That a stage could not take its next message, as the recorder without a segment or its pages, is
 * no stall of its process, whose other stages go on. It is why a ring was full that this stage
 * reads: that is booked as segment_roll (cause.h).
 */
#ifndef TICKBUS_TOOLS_LATENCY_STALLS_H
#define TICKBUS_TOOLS_LATENCY_STALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/run/gaps.h"

enum cause {
    CAUSE_STOPPED,
    CAUSE_PREEMPTED,
    CAUSE_PAGE_FAULTS,
    CAUSE_SEGMENT_ROLL,
    CAUSE_RING_FULL,
    CAUSE_WOKEN_FROM_SLEEP,
    CAUSE_STEAL,
    CAUSE_HOST,
    CAUSE_BLOCKED,
    CAUSE_INTERRUPTED,
    CAUSE_LONG_TURN,
    CAUSE_WORK,        /* no stall: messages that came before take their time */
    CAUSE_UNEXPLAINED, /* of no stall */
    CAUSE_COUNT
};

/* "stopped", "preempted" ... */
const char *cause_name(enum cause cause);

#define STALL_PARTS 4u
/* A fault that maps a page which is there takes 1 us; one for which the host has to find memory, or
 * that clears 2 MiB, so long. */
#define STALL_FAULT_NS UINT64_C(50000)
/* What a message may take in one stage of a process, and most take a tenth of it. A turn after a
 * stall has hundreds of messages in hand. */
#define STALL_WORK_NS UINT64_C(5000)

typedef struct stall {
    uint64_t begin_ns; /* CLOCK_MONOTONIC */
    uint64_t end_ns;
    uint64_t part_ns[STALL_PARTS]; /* add up to end_ns - begin_ns; 0: no such part */
    uint8_t part_cause[STALL_PARTS];
    bool in_order;         /* the parts follow one another; else they are taken for mixed */
    const tbus_gap_t *gap; /* in the table that it is made of; NULL: of a sleep */
} stall_t;

/* Of one process, in order of time; none overlaps another. */
typedef struct stalls {
    uint64_t count;
    stall_t *list; /* owned */
} stalls_t;

/* -ENOMEM. The table must outlive what is made of it. */
int stalls_create(const tbus_gaps_table_t *table, stalls_t *out_stalls);
/* When a stage of the process could not take what was there for it. -ENOMEM. */
int stalls_create_of_stages(const tbus_gaps_table_t *table, stalls_t *out_stalls);
/* Accepts one that is all zeros. */
void stalls_clear(stalls_t *stalls);

/* Add to `parts`, by cause, how much of the stall lies in [from_ns, to_ns). Returns how much. */
uint64_t stall_overlap(const stall_t *stall, uint64_t from_ns, uint64_t to_ns,
                       uint64_t parts[CAUSE_COUNT]);

/* The first stall that ends after `ns`; stalls->count: none. */
uint64_t stalls_find(const stalls_t *stalls, uint64_t ns);

#endif
