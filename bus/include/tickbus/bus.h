/* SPDX-License-Identifier: Apache-2.0 */
/* bus.h - a running instance: its topics, its participants, its counters, in one directory segment
 * that everybody maps.
 *
 *    directory segment:      header | participants | topics | counters | histograms    (4 KiB pages will do)
 *    one segment per topic:  a ring
 *
 * The supervisor creates the bus and its topics before it forks the stages, which inherit the
 * mappings; anybody else attaches with the file descriptors that the supervisor hands over its
 * control socket, read-only. Participants are known by a small number, their *owner* number in slot
 * words; each holds an OFD lock on its own byte of the directory file, which the kernel drops when
 * it dies, whatever kills it: that is the proof of death.
 *
 *    participant:  VACANT -> BOOT -> READY -> RUN -> DONE (a source has no more) -> HALT
 *                              \-------\-------\--------\----> FAIL (reason says why)
 *    command:      HOLD -> RUN -> WIND_DOWN (cancel what is open, take no more from outside) -> STOP
 *
 * Written by: the supervisor (topics, commands, state of the bus) and each participant (its own
 * block, counters, histograms; who publishes on a topic).
 */
#ifndef TICKBUS_BUS_H
#define TICKBUS_BUS_H

#include <tickbus/clock.h>
#include <tickbus/histogram.h>
#include <tickbus/ring.h>
#include <tickbus/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TBUS_BUS_MAGIC        UINT64_C(0x3153554249425424) /* "$TBIBUS1" */
#define TBUS_BUS_ABI          1u
#define TBUS_PARTICIPANTS_MAX 32u
#define TBUS_TOPICS_MAX       16u
#define TBUS_COUNTERS_MAX     768u
#define TBUS_HISTOGRAMS_MAX   8u

enum tbus_participant_state {
    TBUS_VACANT = 0,
    TBUS_BOOT = 1,
    TBUS_READY = 2,
    TBUS_RUN = 3,
    TBUS_DONE = 4,
    TBUS_HALT = 5,
    TBUS_FAIL = 6
};
enum tbus_command {
    TBUS_CMD_HOLD = 0,
    TBUS_CMD_RUN = 1,
    TBUS_CMD_WIND_DOWN = 2,
    TBUS_CMD_STOP = 3
};

typedef struct tbus_participant {
    tbus_atomic_u32_t state;   /* enum tbus_participant_state */
    tbus_atomic_u32_t command; /* enum tbus_command; written by the supervisor */
    /* grows while its loop turns; ns of CLOCK_MONOTONIC of some recent turn */
    tbus_atomic_u64_t heartbeat;
    /* full passes of its loop that found nothing to do, all flushed: see tbus_bus_quiescent */
    tbus_atomic_u64_t quiet;
    tbus_atomic_u64_t parks;           /* times its process slept */
    tbus_atomic_u64_t hot_allocations; /* bytes its thread allocated while in RUN; must stay 0 */
    uint32_t pid;
    int32_t cpu;        /* pinned to, or -1 */
    uint32_t wait_mode; /* enum tbus_wait_mode of its process */
    uint32_t process;   /* which process of the layout it runs in, from 0 */
    char name[TBUS_NAME_MAX];
    tbus_atomic_u32_t publishes; /* bit i: it may publish on topic i; written by itself, buriers */
    uint32_t from_outside;       /* 1: nobody added it, it joined by itself and leaves a vacancy */
    uint8_t pad0[40];
    /* with FAIL, or with DONE when there is something to say about the source's input: one
     * sentence */
    char reason[TBUS_ERROR_TEXT_MAX];
    uint8_t pad1[32];
} tbus_participant_t;
TBUS_STATIC_ASSERT(sizeof(tbus_participant_t) == 640);

/* What a participant that the supervisor did not start itself may do on a topic beside looking. */
enum tbus_rights {
    TBUS_MAY_PUBLISH = 1,
    TBUS_MAY_GATE = 2 /* subscribe: publishers wait for it */
};

typedef struct tbus_topic {
    char name[TBUS_NAME_MAX];
    char type[TBUS_NAME_MAX]; /* message type: "tick", "bbo", "order", "report" */
    uint32_t kind;            /* enum tbus_ring_kind */
    uint32_t pages;           /* enum tbus_pages */
    uint64_t bytes;           /* of the segment */
    tbus_atomic_u32_t
        publisher; /* where there is one only: who has the right to publish; 0: nobody had it yet */
    /* grows whenever somebody takes the right to publish: tells a new publisher from the last */
    tbus_atomic_u32_t arrivals;
    uint32_t rights; /* enum tbus_rights of participants from outside */
    uint8_t pad[52];
} tbus_topic_t;
TBUS_STATIC_ASSERT(sizeof(tbus_topic_t) == 128);

/* Written by: whoever added it. Name and unit never change once `name_set` is 1. */
typedef struct tbus_counter {
    tbus_atomic_u64_t value;
    tbus_atomic_u32_t name_set;
    uint32_t owner;
    char name[36]; /* dotted: "feed.messages", "risk.rejects.price_collar" */
    char unit[12];
} tbus_counter_t;
TBUS_STATIC_ASSERT(sizeof(tbus_counter_t) == 64);

typedef struct tbus_directory {
    uint64_t magic;
    uint32_t abi;
    uint32_t topics_count;
    uint64_t bytes;
    /* digest of the headers that say what lies in shared memory: bus/include/tickbus, bus/msg */
    uint64_t build;
    uint64_t epoch_ns; /* CLOCK_MONOTONIC at creation: zero of all 48-bit stamps */
    uint64_t started_realtime_ns;
    char name[TBUS_NAME_MAX];
    uint32_t supervisor_pid;
    tbus_atomic_u32_t ended; /* 1: the run is over, nothing will be published any more */
    tbus_atomic_u32_t counters_count;
    tbus_atomic_u32_t halted; /* 1: kill switch; risk rejects everything */
    uint8_t pad[40];
    /* participant i has owner number i + 1 */
    tbus_participant_t participants[TBUS_PARTICIPANTS_MAX];
    tbus_topic_t topics[TBUS_TOPICS_MAX];
    tbus_counter_t counters[TBUS_COUNTERS_MAX];
    struct {
        char name[TBUS_NAME_MAX];
        tbus_histogram_t histogram;
    } histograms[TBUS_HISTOGRAMS_MAX];
} tbus_directory_t;

/* Local handle. Private to the process. That of the creator survives fork(2), so that the stages
 * inherit it; that of an attached client does not: in its children the mappings are missing. */
typedef struct tbus_bus {
    tbus_segment_t directory_segment;
    tbus_directory_t *directory;
    /* ours; the one in the directory may be overwritten by anybody who can write there */
    uint32_t topics_count;
    tbus_segment_t topic_segments[TBUS_TOPICS_MAX];
    tbus_ring_t rings[TBUS_TOPICS_MAX];
    /* the rest is for open.h */
    bool attached;  /* to a bus that another process made */
    uint32_t owner; /* our participant number; 0: none, we look on */
    int32_t life;   /* with `owner`: the descriptor that holds the life lock. Owned */
    uint32_t pid;   /* the process that attached or joined; not its children */
    uint32_t
        wait_mode; /* enum tbus_wait_mode of the waiting forms: TBUS_WAIT_PARK; set it freely */
    uint32_t publishing; /* topics on which we publish, as bits */
    /* `arrivals` of the topics when our subscriber, and our observer, was last told TBUS_NOBODY */
    uint32_t told[2][TBUS_TOPICS_MAX];
    uint64_t parks; /* times that a waiting form slept */
} tbus_bus_t;

/* Create an empty bus. Cold. */
int tbus_bus_create(const char *name, tbus_bus_t *out_bus, tbus_error_t *err);

/* Add a topic: its segment and its ring. `type`: name of what its messages are. Supervisor only,
 * before anybody joins. Returns its index. */
int tbus_bus_add_topic(tbus_bus_t *bus, const tbus_ring_spec_t *spec, const char *type,
                       enum tbus_pages pages, int node, tbus_error_t *err);

/* Attach to a bus from descriptors: fds[0] the directory, fds[1..] its topics in order. Read-only.
 * Owns the fds from then on, also when it fails. -TBUS_EMAGIC, -TBUS_EABI, -TBUS_EGEOMETRY,
 * -errno. */
int tbus_bus_attach(const int *fds, size_t fds_count, tbus_bus_t *out_bus, tbus_error_t *err);

void tbus_bus_close(tbus_bus_t *bus);

/* The ring of a topic, or NULL. */
tbus_ring_t *tbus_bus_ring(tbus_bus_t *bus, const char *topic);
int tbus_bus_topic_index(const tbus_bus_t *bus, const char *topic); /* or -TBUS_ENOTFOUND */

/* Add a participant (supervisor, before the fork): returns its owner number, 1.. . */
int tbus_participant_add(tbus_bus_t *bus, const char *name, tbus_error_t *err);
TBUS_INLINE tbus_participant_t *tbus_participant(tbus_bus_t *bus, uint32_t owner)
{
    return &bus->directory->participants[owner - 1];
}

/* In the participant's own process: take the life lock of `owner`, before it joins any topic:
 * whatever bears its number by then was left behind by a holder before, and is repaired. Returns
 * the descriptor that holds the lock: keep it open as long as you live. (Children made by fork(3)
 * have it closed first of all, as they would keep a dead parent alive.) -TBUS_EEXISTS when somebody
 * alive holds it; -EAGAIN when somebody is still burying the holder before and does not get on with
 * it. Cold; may wait up to a second for such a burial. */
int tbus_participant_live(tbus_bus_t *bus, uint32_t owner, tbus_error_t *err);

/* 1: somebody alive holds its life lock; 0: proven dead, or never joined; negative: -errno. A
 * system call. */
int tbus_participant_alive(const tbus_bus_t *bus, uint32_t owner);

/* The right to publish on topic `index`, where one participant at a time has it: `owner`, who holds
 * its life lock, has it from now on and for as long as it lives. Nobody need give it up: that of a
 * dead holder passes on to whoever asks first, and goes on where the dead one stopped. -EBUSY:
 * somebody else has it, and is not proven dead; err names it. -TBUS_EKIND: it is mapped read-only.
 * Topics of several publishers are everybody's. To be asked before tbus_publisher_join, which looks
 * at the ring alone and cannot know who lives; tbus_stage_join_publisher does both. Cold. */
int tbus_participant_take_topic(tbus_bus_t *bus, uint32_t owner, uint32_t index, tbus_error_t *err);

/* Bury participant `owner`, if it is proven dead: what it held on the rings is repaired, the topics
 * on which it published are told, and the block of one from outside is vacant again. While that
 * goes on nobody can take the number up; any number of processes may bury the same one at once, and
 * any of them may be killed over it. Returns how many slots and places were repaired; -EBUSY: it
 * lives, or was never there; -EINVAL: no such number, or mapped read-only. Cold; system calls. */
int tbus_bus_bury(tbus_bus_t *bus, uint32_t owner);

/* Bury every participant from outside that is dead, whether or not anybody waits for it. Returns
 * how many there were. For whoever keeps the bus. Cold; a system call for each that lives. */
uint32_t tbus_bus_bury_dead(tbus_bus_t *bus);

/* For whoever made the bus and keeps it for others: hold its own life lock, so that they can tell
 * whether it lives (tbus_participant_alive of TBUS_KEEPER). Returns the descriptor that holds it,
 * which closes with the process. -TBUS_EEXISTS, -errno. */
#define TBUS_KEEPER 0u
int tbus_bus_keep(tbus_bus_t *bus, tbus_error_t *err);

/* tbus_ring_heal for every topic, by life locks. Nobody can take up the number of a dead
 * participant while it is being buried. Returns how many slots and places were repaired. Cold;
 * needs no supervisor. */
int tbus_bus_heal(tbus_bus_t *bus);

/* Find or add a counter. Never fails: when the table is full it returns one that nobody sees. Any
 * process; cold, no allocation. */
tbus_atomic_u64_t *tbus_counter(tbus_bus_t *bus, uint32_t owner, const char *name,
                                const char *unit);

/* Value of a counter by name, summed over owners; 0 when there is none. */
uint64_t tbus_counter_value(const tbus_bus_t *bus, const char *name);
/* The same of one owner. */
uint64_t tbus_counter_value_of(const tbus_bus_t *bus, uint32_t owner, const char *name);

/* Find or add a histogram; like tbus_counter. Any one is written by one participant. */
tbus_histogram_t *tbus_bus_histogram(tbus_bus_t *bus, const char *name);

/* Now, in ns since the bus epoch. */
TBUS_INLINE uint64_t tbus_bus_now_ns(const tbus_bus_t *bus)
{
    return tbus_clock_ns() - bus->directory->epoch_ns;
}

const char *tbus_participant_state_name(uint32_t state);

#ifdef __cplusplus
}
#endif
#endif
