/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - a stage is a poll function over its rings; a process runs one or more stages in turn on
 * one CPU.
 *
 * The same stage runs alone in a process of its own or fused with others: the layout is
 * configuration, and a stage cannot tell. A poll
 *
 *    - takes at most `budget` messages from the stage's driving input (the feed: emits at most that
 *      many) and all there is on its others;
 *    - never waits, never enters the kernel on its usual path, never allocates;
 *    - keeps what it could not publish because a ring was FULL, and takes no further input that
 *      could add to it;
 *    - advances over an input only after everything that it caused is published or kept.
 *
 * Stages of one process are polled in the order of the data path. Neighbours that bring the same
 * `poll_together` are polled by it, all at once: so strategy, risk and executor, which all follow
 * `md`, go through it together over one view of the market (bus/market/drive.h).
 */
#ifndef TICKBUS_STAGE_H
#define TICKBUS_STAGE_H

#include <tickbus/bus.h>
#include <tickbus/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TBUS_STAGE_RINGS_MAX    16
#define TBUS_STAGE_HORIZONS_MAX 18 /* of 15 strategies, a feed, and what comes */
#define TBUS_STAGE_NO_DEADLINE  UINT64_MAX
#define TBUS_STAGE_SOON_NS      UINT64_C(1000) /* as a rule a turn of who yields is shorter */

struct tbus_stage;

typedef struct tbus_stage_ops {
    /* Work done (> 0), nothing to do (0), or the stage has failed (< 0, after filling
     * stage->error). */
    int (*poll)(struct tbus_stage *stage, uint32_t budget);
    /* In the place of poll for `count` stages that follow one another in their process and bring
     * this same function: all take the same driving input. *out_failed: the index of the stage that
     * has failed, when the result is negative. NULL: each is polled alone. */
    int (*poll_together)(struct tbus_stage **stages, uint32_t count, uint32_t budget,
                         uint32_t *out_failed);
    /* Every stage of the bus has been made, and the first poll is next: find the others. 0, or a
     * negative error in stage->error. May be NULL. Cold. */
    int (*start)(struct tbus_stage *stage);
    /* When poll has work though no message arrives: ns of CLOCK_MONOTONIC, or
     * TBUS_STAGE_NO_DEADLINE. NULL: never. */
    uint64_t (*deadline_ns)(const struct tbus_stage *stage);
    /* Sleep until something that is no ring has come, such as a packet, or until `until_ns` of
     * CLOCK_MONOTONIC. Called in the place of a sleep on the rings, where the process has no other
     * stage and parks, unless the stage has output that waits for a ring, or its source is done. It
     * follows rings as an observer, for which nobody rings, or publishes alone: so it bounds the
     * sleep itself. NULL: it waits for rings alone. */
    void (*sleep)(struct tbus_stage *stage, uint64_t until_ns);
    /* WIND_DOWN: stop taking from outside (feed), cancel what is open (strategy). Called once. A
     * process whose stages have all had it parks from then on, also where it spun. May be NULL. */
    void (*wind_down)(struct tbus_stage *stage);
    /* Everything is drained: finish (recorder: sync and close). 0 or a negative error in
     * stage->error. May be NULL. Cold. */
    int (*finish)(struct tbus_stage *stage);
    /* Leave the stage's topics (tbus_stage_leave) and free what it owns. Accepts a half-built
     * stage. */
    void (*destroy)(struct tbus_stage *stage);
} tbus_stage_ops_t;

/* The first member of every stage's own struct. */
typedef struct tbus_stage {
    const tbus_stage_ops_t *ops;
    char name[TBUS_NAME_MAX];
    uint32_t owner;  /* participant number */
    tbus_bus_t *bus; /* not owned */
    uint32_t subscribers_count;
    uint32_t publishers_count;
    /* what its process waits for; owned by the stage */
    tbus_subscriber_t *subscribers[TBUS_STAGE_RINGS_MAX];
    tbus_publisher_t *publishers[TBUS_STAGE_RINGS_MAX];
    /* horizons of others that it may wait for: views that the stage owns; found when it starts */
    uint32_t horizons_count;
    tbus_horizon_view_t *horizons[TBUS_STAGE_HORIZONS_MAX];
    bool source_done; /* a source: no more input will come */
    bool pending;     /* output kept because a ring was FULL */
    /* its next input is there, and it cannot take it before something is ready that is no ring and
     * rings no bell, as the recorder cannot without pages or a segment. It then brings a deadline,
     * to look again. A process with nothing else to do sleeps until then, also where it spins: what
     * the stage needs may be made on this CPU. Most stages never are. */
    bool stalled;
    /* Set by its poll, which has found nothing to do: it will have within TBUS_STAGE_SOON_NS, by
     * the clock. Until then its process does nothing that can wait: it looks again at once, and
     * stages that yield have no turn; they have one as soon as this stage did something. Else what
     * is due would wait for them. */
    bool imminent;
    bool yields; /* its turns can wait so long. Set by its constructor */
    /* why it failed; a text with code 0 is a note: said when the run has ended, and no failure */
    tbus_error_t error;
} tbus_stage_t;

/* For a stage's constructor: join a topic and have the process wait for it. `out` must live as long
 * as the stage. -TBUS_ENOTFOUND, -TBUS_EFULL, -TBUS_ESTALE when the stage's participant lives in
 * another process (this is its child), -EBUSY when the topic has its one publisher, and what the
 * joins of subscriber.h and publisher.h return. */
int tbus_stage_join_subscriber(tbus_stage_t *stage, const char *topic, const char *name,
                               tbus_subscriber_t *out, tbus_error_t *err);
int tbus_stage_join_publisher(tbus_stage_t *stage, const char *topic, tbus_publisher_t *out,
                              tbus_error_t *err);

/* For a stage's destroy, before it frees what `out` lay in: leave every topic that the stage has
 * joined, as tbus_subscriber_leave and tbus_publisher_leave do. Accepts a stage that is all zeros.
 * The right to publish stays with the participant until its process ends. Cold. */
void tbus_stage_leave(tbus_stage_t *stage);

/* For a stage's constructor: what it publishes on `topic` comes with a horizon (horizon.h), that of
 * its participant, which it raises from now on. Returns it; NULL: no such topic or participant.
 * `stream`: as in tbus_participant_t. */
tbus_horizon_t *tbus_stage_keep_horizon(tbus_stage_t *stage, const char *topic, uint32_t stream);

/* For a stage's `start`: the participant with the next higher number than `after` (0: the first)
 * whose messages on `topic` come with a horizon; 0: there is no more. */
uint32_t tbus_stage_next_with_horizon(const tbus_stage_t *stage, const char *topic, uint32_t after);

/* For a stage's `start`: look at the horizon of participant `owner` through `view`, which must live
 * as long as the stage, and have the process wait for it while it is awaited. -TBUS_EFULL, -EINVAL:
 * no such participant, or no view. */
int tbus_stage_watch_horizon(tbus_stage_t *stage, uint32_t owner, tbus_horizon_view_t *view);

typedef struct tbus_loop {
    tbus_bus_t *bus;
    tbus_stage_t **stages; /* in the order of the data path; not owned */
    uint32_t stages_count;
    uint32_t budget; /* messages a stage may take at a turn */
    tbus_waiter_t waiter;
    const tbus_atomic_u32_t *orphaned; /* becomes 1 when the supervisor is gone; may be NULL */
    /* Called when that is seen, before any stage's next turn and before it winds down; once or
     * more often. May be NULL. */
    void (*on_orphaned)(void *context);
    void *orphaned_context;
    /* Asked when the supervisor is gone and there is nothing to do: may the process end? Asked
     * again, until it may. NULL: at once. */
    bool (*may_leave)(void *context);
    void *leave_context;
    /* With each heartbeat, of a busy loop every 1024 turns; `now_ns`: CLOCK_MONOTONIC. May be
     * NULL. */
    void (*on_beat)(void *context, uint64_t now_ns);
    void *beat_context;
    uint64_t (*allocated_bytes)(void); /* of this thread, ever; NULL: not known */
    /* told of each turn, while somebody measures (bus/run/gaps.h); not owned. NULL: nobody does */
    struct tbus_gap_watch *gap_watch;
} tbus_loop_t;

/* Turn until every stage's command is STOP: sets READY, waits for RUN, polls, winds down, finishes,
 * sets HALT. A stage that fails sets FAIL with its reason and ends the loop. 0, or the negative
 * error of the stage that failed (its participant's reason has the text). */
int tbus_loop_run(tbus_loop_t *loop);

/* Ask whether the whole bus is drained, without stopping it. The supervisor calls it again and
 * again; `state` starts as all zeros. True when every message published had been taken by every
 * gating subscriber at one look (on a TBUS_MPMC topic: taken by a consumer and released, whether or
 * not that consumer is still there), and every participant made a full quiet pass since, and
 * nothing was published meanwhile. */
typedef struct tbus_quiescence {
    uint64_t published_sum;
    uint64_t quiet[TBUS_PARTICIPANTS_MAX];
    bool armed;
} tbus_quiescence_t;
bool tbus_bus_quiescent(tbus_bus_t *bus, tbus_quiescence_t *state);

/* Messages that were taken so far by all subscribers of all topics, as last flushed: it grows as
 * long as anything is taken, until one of them leaves. Any process. Cold. */
uint64_t tbus_bus_taken(const tbus_bus_t *bus);

#ifdef __cplusplus
}
#endif
#endif
