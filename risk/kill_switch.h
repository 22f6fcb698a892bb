/* SPDX-License-Identifier: Apache-2.0 */
/* kill_switch.h - two latches that stand before every order, thrown and released from outside:
 *
 *    halt         no order passes: risk rejects new orders, and the executor cancels what rests and
 *                 refuses what still arrives
 *    reduction    only orders that close a position pass (risk/gate.h); what rests stays
 *
 * Cancels always pass. Both may be thrown at a time; then the halt is what holds.
 *
 *    ACTIVE --reduce--> REDUCING --halt--> HALTED      each of them latched: it stands whatever
 *       \--------------- halt -------------^            becomes of what has caused it
 *    HALTED, REDUCING --release--> ACTIVE
 *    HALTED --release_halt, with the reduction thrown--> REDUCING
 *
 * They are words in a block of the bus directory, and so act at once in every process that maps it,
 * and need no process to be alive but those that they stop. Risk and executor look at them with
 * every order.
 *
 *    thrown by      an operator (`busctl halt`, `busctl reduce`, which write here themselves), the
 *                   supervisor when a run cannot go on, a stage whose supervisor has died, or was
 *                   not heard of; the reduction by risk, once the loss limit was reached
 *    answered by    the executor, a halt: nothing rests any more, or so many cancels are to come
 *    released by    the supervisor only (`busctl resume`)
 *
 * Beside them the loss latches that strategies have of their own (risk/gate.h): which of them a run
 * begins with, which there are, and what is known of each.
 *
 *    block "risk.kill_switch"     0  the halt                  384  the reduction
 *                               768  the last release         1152  the supervisor's heartbeat
 *                              1280  the executor's answer    1408  strategies that begin latched
 *                              1536  those that are latched    1664  why: one of 512 for each
 */
#ifndef TICKBUS_RISK_KILL_SWITCH_H
#define TICKBUS_RISK_KILL_SWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/bus.h>

#define KILL_SWITCH_BLOCK      "risk.kill_switch"
#define KILL_SWITCH_REASON_MAX 256u /* bytes, the terminating zero included */

#define KILL_SWITCH_STRATEGIES_MAX 32u
#define KILL_SWITCH_SECTION_MAX    96u

#define KILL_SWITCH_NO_REASON "no reason was given"

enum kill_switch_by {
    KILL_BY_NOBODY = 0,
    KILL_BY_OPERATOR = 1,
    KILL_BY_SUPERVISOR = 2, /* the run cannot go on */
    KILL_BY_ORPHAN = 3,     /* a stage: the supervisor has died */
    KILL_BY_SILENCE = 4,    /* a stage: the supervisor lives, and does nothing */
    KILL_BY_LOSS = 5        /* risk: the loss limit was reached */
};

typedef struct kill_switch_latch {
    tbus_atomic_u32_t thrown;     /*   0 1: thrown */
    tbus_atomic_u32_t generation; /*   4 grows with each throw, before `thrown` is stored */
    tbus_atomic_u64_t since_ns;   /*   8 CLOCK_REALTIME of the throw */
    tbus_atomic_u32_t by;         /*  16 enum kill_switch_by */
    tbus_atomic_u32_t uid;        /*  20 user of the process that threw it */
    tbus_atomic_u32_t pid;        /*  24 */
    uint8_t pad0[4];
    tbus_atomic_u64_t thrown_ns; /*  32 CLOCK_REALTIME of the last throw */
    uint8_t pad1[88];
    char reason[KILL_SWITCH_REASON_MAX]; /* 128 UTF-8 on one line, terminated */
} kill_switch_latch_t;

TBUS_STATIC_ASSERT(sizeof(kill_switch_latch_t) == 384);
TBUS_STATIC_ASSERT(offsetof(kill_switch_latch_t, thrown) == 0);
TBUS_STATIC_ASSERT(offsetof(kill_switch_latch_t, generation) == 4);
TBUS_STATIC_ASSERT(offsetof(kill_switch_latch_t, since_ns) == 8);
TBUS_STATIC_ASSERT(offsetof(kill_switch_latch_t, by) == 16);
TBUS_STATIC_ASSERT(offsetof(kill_switch_latch_t, uid) == 20);
TBUS_STATIC_ASSERT(offsetof(kill_switch_latch_t, pid) == 24);
TBUS_STATIC_ASSERT(offsetof(kill_switch_latch_t, thrown_ns) == 32);
TBUS_STATIC_ASSERT(offsetof(kill_switch_latch_t, reason) == 128);

/* What is known of the loss latch of a strategy alone. */
typedef struct kill_switch_strategy {
    kill_switch_latch_t latch; /*   0 `thrown` says nothing: the bits do (kill_switch_latched) */
    /* 384 of the configuration, where its limits stand */
    char section[KILL_SWITCH_SECTION_MAX];
    uint8_t pad[32];
} kill_switch_strategy_t;

TBUS_STATIC_ASSERT(sizeof(kill_switch_strategy_t) == 512);
TBUS_STATIC_ASSERT(offsetof(kill_switch_strategy_t, latch) == 0);
TBUS_STATIC_ASSERT(offsetof(kill_switch_strategy_t, section) == 384);

typedef struct kill_switch {
    /* written by: whoever throws or releases it */
    kill_switch_latch_t halt;      /*    0 */
    kill_switch_latch_t reduction; /*  384 */
    /* written by: the supervisor */
    tbus_atomic_u32_t releases;     /*  768 grows with each release, after `thrown` is stored */
    tbus_atomic_u32_t released_uid; /*  772 user of the process that asked for it */
    tbus_atomic_u32_t released_pid; /*  776 */
    uint8_t pad0[4];
    tbus_atomic_u64_t released_ns; /*  784 CLOCK_REALTIME of the last release */
    uint8_t pad1[104];
    char released_reason[KILL_SWITCH_REASON_MAX]; /* 896 as that of a latch */
    tbus_atomic_u64_t beat_ns; /* 1152 CLOCK_MONOTONIC of some recent turn; 0: none yet */
    uint8_t pad2[120];
    /* written by: the executor */
    tbus_atomic_u32_t answered;    /* 1280 generation of the halt that it has answered; 0: none */
    tbus_atomic_u32_t unconfirmed; /* 1284 orders that rest, and cancels not reported yet */
    tbus_atomic_u64_t cancelled;   /* 1288 orders that this halt has cancelled */
    tbus_atomic_u64_t answered_ns; /* 1296 CLOCK_REALTIME */
    uint8_t pad3[104];
    /* written by: the supervisor, before there are stages */
    tbus_atomic_u64_t strategies_before; /* 1408 bit N: strategy number N begins latched */
    uint8_t pad4[120];
    /* written by: risk */
    /* 1536 bits 0-31, bit N: strategy number N is latched; 32-63: the release taken last by then */
    tbus_atomic_u64_t strategies;
    uint8_t pad5[120];
    /* written by: the supervisor, of those that begin latched, before there are stages; then risk,
     * before it says that one is latched */
    kill_switch_strategy_t strategies_why[KILL_SWITCH_STRATEGIES_MAX]; /* 1664 */
} kill_switch_t;

TBUS_STATIC_ASSERT(sizeof(kill_switch_t) == 18048);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, halt) == 0);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, reduction) == 384);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, releases) == 768);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, released_uid) == 772);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, released_pid) == 776);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, released_ns) == 784);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, released_reason) == 896);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, beat_ns) == 1152);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, answered) == 1280);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, unconfirmed) == 1284);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, cancelled) == 1288);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, answered_ns) == 1296);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, strategies_before) == 1408);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, strategies) == 1536);
TBUS_STATIC_ASSERT(offsetof(kill_switch_t, strategies_why) == 1664);

/* Add the block, not thrown. For whoever makes the bus. Errors: tbus_bus_add_block. Cold. */
int kill_switch_add(tbus_bus_t *bus, kill_switch_t **out_kill_switch, tbus_error_t *err);

/* Find it: a pointer into the directory, good as long as the bus is mapped, and as writable as that
 * mapping. Errors: tbus_bus_find_block. Cold. */
int kill_switch_find(const tbus_bus_t *bus, kill_switch_t **out_kill_switch, tbus_error_t *err);

/* Is the halt thrown? Hot. A hint: whoever acts on more than this word looks again with
 * kill_switch_generation. */
static inline bool kill_switch_thrown(const kill_switch_t *kill_switch)
{
    return tbus_load_relaxed_u32(&kill_switch->halt.thrown) != 0;
}

/* ... and the reduction? */
static inline bool kill_switch_reduces(const kill_switch_t *kill_switch)
{
    return tbus_load_relaxed_u32(&kill_switch->reduction.thrown) != 0;
}

/* The generation of the halt, which is to be answered; 0: it is not thrown. */
uint32_t kill_switch_generation(const kill_switch_t *kill_switch);

/* In whose name somebody acts: a process and its user. */
typedef struct kill_switch_actor {
    uint32_t uid;
    uint32_t pid;
    uint64_t time_ns; /* CLOCK_REALTIME, of what is thrown again in a later run; 0: now */
} kill_switch_actor_t;

/* This process. */
kill_switch_actor_t kill_switch_self(void);

/* Throw the halt, in the name of this process. Any process, any number of times: the last reason
 * counts. `reason` is cut and made fit to be printed. Returns the generation that the executor is
 * to answer. */
uint32_t kill_switch_throw(kill_switch_t *kill_switch, enum kill_switch_by by, const char *reason);
/* The same in the name of another. */
uint32_t kill_switch_throw_as(kill_switch_t *kill_switch, enum kill_switch_by by,
                              kill_switch_actor_t actor, const char *reason);
/* Throw it unless it is: what was said before stands. */
void kill_switch_throw_once(kill_switch_t *kill_switch, enum kill_switch_by by, const char *reason);
/* Throw the reduction, likewise; a halt that is thrown stays. Nobody answers: risk shows its state.
 */
void kill_switch_reduce(kill_switch_t *kill_switch, enum kill_switch_by by, const char *reason);
void kill_switch_reduce_as(kill_switch_t *kill_switch, enum kill_switch_by by,
                           kill_switch_actor_t actor, const char *reason);
/* Release both; one process at a time. `reason` as above. */
void kill_switch_release(kill_switch_t *kill_switch, kill_switch_actor_t actor, const char *reason);
/* Release the halt alone; the reduction stands if it is thrown. */
void kill_switch_release_halt(kill_switch_t *kill_switch, kill_switch_actor_t actor,
                              const char *reason);

/* The executor's answer to `generation`. */
void kill_switch_answer(kill_switch_t *kill_switch, uint32_t generation, uint64_t cancelled,
                        uint32_t unconfirmed);

/* What is known of a latch, copied. */
typedef struct kill_switch_state {
    bool thrown;
    uint32_t generation;
    enum kill_switch_by by;
    uint32_t uid;
    uint32_t pid;
    uint64_t since_ns;  /* CLOCK_REALTIME: thrown since, */
    uint64_t thrown_ns; /* and thrown the last time */
    char reason[KILL_SWITCH_REASON_MAX];
    bool answered; /* of the halt: by the executor, of this generation: */
    uint32_t unconfirmed;
    uint64_t cancelled;
    uint64_t answered_ns;
} kill_switch_state_t;
void kill_switch_look(const kill_switch_t *kill_switch, kill_switch_state_t *out_state);
void kill_switch_look_reduction(const kill_switch_t *kill_switch, kill_switch_state_t *out_state);

/* What was said of a strategy that is latched, or begins latched. */
void kill_switch_look_why(const kill_switch_t *kill_switch, uint32_t number,
                          char out_section[KILL_SWITCH_SECTION_MAX],
                          kill_switch_state_t *out_state);

/* The last release, copied. Whoever looks at it before the latches finds them as that release has
 * left them, or thrown again. */
typedef struct kill_switch_release {
    uint32_t number; /* from 1; 0: there was none */
    uint32_t uid;
    uint32_t pid;
    uint64_t time_ns; /* CLOCK_REALTIME */
    char reason[KILL_SWITCH_REASON_MAX];
} kill_switch_release_t;
void kill_switch_look_release(const kill_switch_t *kill_switch, kill_switch_release_t *out_release);

/* Sets of strategies, bit N for number N, which is below KILL_SWITCH_STRATEGIES_MAX: those that
 * begin with their own loss latched, which the supervisor says before there are stages, and risk
 * asks for at its start; and those that are latched, which risk says whenever that changes, with
 * the number of the release that it has taken last. One that was latched before a release which
 * risk has not taken yet is not among them: that release ends it. */
void kill_switch_begin_latched(kill_switch_t *kill_switch, uint32_t strategies);
uint32_t kill_switch_latched_before(const kill_switch_t *kill_switch);
void kill_switch_tell_latched(kill_switch_t *kill_switch, uint32_t strategies, uint32_t release);
uint32_t kill_switch_latched(const kill_switch_t *kill_switch);

/* Say of strategy `number` why it is latched, in the name of `actor`; before the set that it is in
 * is told. Copied: `section`, of the configuration, where its limits stand. */
void kill_switch_tell_why(kill_switch_t *kill_switch, uint32_t number, const char *section,
                          kill_switch_actor_t actor, const char *reason);

/* "an operator", "the supervisor", ...: who threw it. */
const char *kill_switch_by_text(enum kill_switch_by by);

/* Text that can be printed and goes into `bytes`: cut at a character, line ends and other control
 * characters become blanks, what is not UTF-8 becomes '?'. True: something was changed. */
bool kill_switch_reason(const char *text, char *out_reason, size_t bytes);

/* The supervisor: I am here. */
void kill_switch_beat(kill_switch_t *kill_switch, uint64_t now_ns);
/* For how long nothing was heard of it; 0: it has not begun, or was just heard. */
uint64_t kill_switch_silence_ns(const kill_switch_t *kill_switch, uint64_t now_ns);

#endif
