/* SPDX-License-Identifier: Apache-2.0 */
/* gaps.h - what a process notes of itself when a turn of its loop came late, while somebody
 * measures the pipeline.
 *
 *    turn   turn                 turn   turn  turn            each ends with a look at the clock
 *    ---|------|-- ... ---------|------|-----|---
 *              ^ begin_ns       ^ end_ns: TBUS_GAP_NS_MIN later or more: a gap, and what the kernel
 *                                 says of this thread by now against what it said before
 *
 * Why here, and not a watcher that looks at all processes: a look each 10 ms cannot tell what
 * happened in one of them for 200 us, a look each 0.1 ms is itself what keeps a CPU from the
 * pipeline, and neither knows which message was in hand. A turn that comes late can afford the
 * system calls, 0.7 us (getrusage, a pread of schedstat, the thread's CPU clock, measured on our
 * VM), and one that is in time pays a look at the CPU's counter, 8 to 16 ns, or at the clock.
 * Looks at the kernel are also made once in 10 ms while there is nothing to do, so that what is
 * told of a gap is not what happened long before it.
 *
 * Sleeps that the waiter wanted, in which nobody stopped the process, are kept apart and shorter:
 * there are many of them, and the time between the bell and the wake-up counts for the message that
 * rang it. What the kernel says of one is asked for when there is nothing to do again, not while a
 * message waits; only its switches are counted at once, so that they are not taken for the next
 * turn's.
 *
 * Tables in memory that the processes share with whoever measures, because they are forked from it;
 * each process writes its own. On any other bus there are none, and each turn costs one branch.
 */
#ifndef TICKBUS_BUS_RUN_GAPS_H
#define TICKBUS_BUS_RUN_GAPS_H

#include <stdint.h>
#include <sys/types.h>

#include <tickbus/kind.h>
#include <tickbus/stage.h>

#define TBUS_GAP_NS_MIN     UINT64_C(20000) /* shorter ones are not noted */
#define TBUS_GAPS_MAX       (1u << 18)      /* of a process; later ones are counted only */
#define TBUS_SLEEPS_MAX     (1u << 19)      /* likewise */
#define TBUS_GAPS_PROCESSES TBUS_INSTANCES_MAX

enum tbus_gap_kind {
    TBUS_GAP_TURN = 1, /* a turn that took long */
    TBUS_GAP_FULL = 2, /* the process could not publish: a ring was full. Its turns may be short */
    /* one of its stages could not take its next message (tbus_stage_t.stalled): no delay by itself,
     * but why a ring was full that this stage reads */
    TBUS_GAP_STALLED = 3
};

/* What the kernel says of a thread: sums since it began, and in a gap what came to them. */
typedef struct tbus_gap_sums {
    uint64_t cpu_ns;       /* time on a CPU */
    uint64_t run_delay_ns; /* ready to run, and no CPU for it */
    uint32_t voluntary;    /* switches: it waited for something, or was stopped */
    uint32_t involuntary;  /* somebody else took its CPU */
    uint32_t faults_minor;
    uint32_t faults_major; /* pages that were read from a disk */
    uint32_t continued;    /* times that SIGCONT came */
} tbus_gap_sums_t;

typedef struct tbus_gap {
    uint64_t begin_ns; /* CLOCK_MONOTONIC */
    uint64_t end_ns;
    uint64_t off_ns;      /* of that, without a CPU */
    tbus_gap_sums_t came; /* of a TURN; of the others all zeros */
    uint32_t kind;        /* enum tbus_gap_kind */
    uint32_t worked;      /* of a TURN: messages that its stages found in it, or more; 0: none */
    int32_t cpu_before;   /* where it ran when last looked at, and at the end */
    int32_t cpu;
    char topic[TBUS_NAME_MAX];  /* of FULL: which ring, the last of several */
    char holder[TBUS_NAME_MAX]; /* and who was furthest behind on it; "": nobody was */
} tbus_gap_t;

typedef struct tbus_sleep {
    uint64_t begin_ns;
    uint32_t ns;
    uint32_t run_delay_ns; /* of that, awake already and no CPU for it */
} tbus_sleep_t;

/* Written by: the process that it is about. Read when that has ended. */
typedef struct tbus_gaps_table {
    int32_t pid; /* 0: it never began */
    int32_t cpu;
    uint32_t wait_mode; /* enum tbus_wait_mode */
    uint32_t stages_count;
    char stages[TBUS_INSTANCES_MAX][TBUS_NAME_MAX];
    uint64_t begin_ns; /* end of its first turn: from then on gaps are noted */
    uint64_t count;
    uint64_t lost; /* gaps that there was no room for */
    uint64_t sleeps_count;
    uint64_t sleeps_lost;
    tbus_gap_sums_t sums; /* at the last look */
    /* pages are touched as far as there is something in them */
    tbus_gap_t gaps[TBUS_GAPS_MAX];
    tbus_sleep_t sleeps[TBUS_SLEEPS_MAX];
} tbus_gaps_table_t;

/* Local handle; copies in children are good, since the mapping is inherited. */
typedef struct tbus_gaps {
    uint32_t processes;
    /* of tbus_clock_ticks, times 2^32: a turn that is in time looks at the counter alone, which
     * costs a third. 0 (as made): the counter is not to be trusted, and each looks at the clock */
    uint64_t ns_per_tick_q32;
    tbus_gaps_table_t *tables; /* owned by who made it */
} tbus_gaps_t;

/* Map tables for that many processes, all zeros. -EINVAL, -ENOMEM. Cold. */
int tbus_gaps_create(uint32_t processes, tbus_gaps_t *out_gaps, tbus_error_t *err);
/* Accepts one that is all zeros. */
void tbus_gaps_destroy(tbus_gaps_t *gaps);

/* --- in the process */

/* Is any of its stages? */
static inline bool tbus_loop_is_stalled(const tbus_loop_t *loop)
{
    for (uint32_t i = 0; i < loop->stages_count; i++)
        if (loop->stages[i]->stalled)
            return true;
    return false;
}

/* What its loop keeps; local memory. */
typedef struct tbus_gap_watch {
    tbus_gaps_table_t *table;  /* NULL: nothing is noted */
    uint64_t ns_per_tick_q32;  /* 0: by the clock */
    uint64_t gap_ticks;        /* TBUS_GAP_NS_MIN, */
    uint64_t look_ticks;       /* and the time between two looks at the kernel */
    uint64_t last_ticks;       /* when the last turn ended, */
    uint64_t looked_ticks;     /* and at the last look at the kernel */
    uint64_t last_ns;          /* when the last turn ended; 0: none has. By the counter: old, unless
                                 this one is looked at closely */
    uint64_t looked_ns;        /* the last look at the kernel */
    uint64_t slept_ns;         /* since then, because the waiter wanted it */
    uint64_t full_since_ns;    /* 0: no ring is full */
    uint64_t stalled_since_ns; /* 0: no stage is */
    int schedstat_fd;
    int32_t cpu;     /* when last looked at */
    bool sleep_open; /* of the last sleep the run delay is not known yet */
    tbus_gap_t full; /* the one that is open */
    tbus_gap_sums_t sums;
} tbus_gap_watch_t;

/* Begin with table `process`, before the loop turns: takes the page faults, opens the file. `w` is
 * all zeros. Takes SIGCONT to count it. Without /proc run delays are not known. Cold. */
void tbus_gap_watch_begin(tbus_gap_watch_t *w, const tbus_gaps_t *gaps, uint32_t process,
                          const tbus_loop_t *loop);
/* Accepts one that never began. */
void tbus_gap_watch_end(tbus_gap_watch_t *w);

enum tbus_turn {
    TBUS_TURN_WORKED, /* its stages found work, or what comes next is imminent */
    TBUS_TURN_IDLE,   /* they did not; before the loop waits */
    TBUS_TURN_SLEPT   /* after the waiter slept */
};

/* A part of a turn is over; `work`: as its stages' polls have it. Hot, but when it was late. */
void tbus_gap_watch_turn(tbus_gap_watch_t *w, const tbus_loop_t *loop, enum tbus_turn turn,
                         int work);

/* What came between two looks. */
static inline tbus_gap_sums_t tbus_gap_sums_between(const tbus_gap_sums_t *then,
                                                    const tbus_gap_sums_t *now)
{
    return (tbus_gap_sums_t){now->cpu_ns - then->cpu_ns,
                             now->run_delay_ns - then->run_delay_ns,
                             now->voluntary - then->voluntary,
                             now->involuntary - then->involuntary,
                             now->faults_minor - then->faults_minor,
                             now->faults_major - then->faults_major,
                             now->continued - then->continued};
}

#endif
