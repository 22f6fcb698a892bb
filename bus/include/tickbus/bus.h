/* SPDX-License-Identifier: Apache-2.0 */
/* bus.h - a running instance: its topics, its participants, its counters, in one directory segment
 * that everybody maps.
 *
 *    directory segment (directory.h)   participants, topics, blocks, counters, histograms
 *    one segment for each topic        a ring (ring.h)
 *
 * The supervisor creates the bus and its topics before it forks the stages, which inherit the
 * mappings. Anybody else attaches, read-only, with the file descriptors that the supervisor hands
 * over its control socket. A participant is known by a small number, the *owner* number of slot
 * words. It holds an OFD lock on its own byte of the directory file; the kernel drops the lock when
 * the participant dies, whatever killed it. That is the proof of death; the other one, for a lock
 * that a child has inherited, is that the process that took it has ended.
 *
 *    participant:  VACANT -> BOOT -> READY -> RUN -> DONE (a source has no more) -> HALT
 *                              \-------\-------\--------\----> FAIL (reason says why)
 *    command:      HOLD -> RUN -> WIND_DOWN (cancel what is open, take no more from outside)
 *                  -> STOP
 *
 * Written by: the supervisor (topics, commands, state of the bus) and each participant (its own
 * block, counters, histograms; who publishes on a topic).
 */
#ifndef TICKBUS_BUS_H
#define TICKBUS_BUS_H

#include <tickbus/clock.h>
#include <tickbus/directory.h>
#include <tickbus/ring.h>
#include <tickbus/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

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
    /* enum tbus_wait_mode of the waiting forms: TBUS_WAIT_PARK; set it freely */
    uint32_t wait_mode;
    uint32_t publishing; /* topics on which we publish, as bits */
    /* `arrivals` of the topics when our subscriber, and our observer, was last told TBUS_NOBODY */
    uint32_t told[2][TBUS_TOPICS_MAX];
    uint64_t parks;     /* times that a waiting form slept */
    uint64_t healed_ns; /* when a dropped message last made us look for the dead */
    uint64_t syscalls;  /* that waiting forms made; waking somebody is not among them */
    bool shares_cpu;    /* when last looked, another participant was pinned to our only CPU */
    uint64_t shares_cpu_ns;
    /* Where stages note when each message took each step, while whoever made the bus measures it
     * (bus/run/stamps.h); not owned. NULL: nobody does */
    const struct tbus_stamps *stamps;
} tbus_bus_t;

#define TBUS_SESSION_NAME 10u /* characters */

/* Draw a name for a session: ten digits and capital letters, then zeros; 51 random bits. -errno:
 * the kernel gives none. Cold. */
int tbus_draw_session_name(char out_name[16], tbus_error_t *err);

/* Create an empty bus, with the name of a session that is new. Cold. */
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
 * have it closed first of all.) -TBUS_EEXISTS when somebody alive holds it, or a child that its
 * dead holder made by clone(2); -EAGAIN when somebody is still burying the holder before and does
 * not get on with it. Cold; may wait up to a second for such a burial. */
int tbus_participant_live(tbus_bus_t *bus, uint32_t owner, tbus_error_t *err);

/* 1: somebody alive holds its life lock; 0: proven dead, or never joined; negative: -errno. The
 * lock alone proves no life: a child of the dead holder may have inherited it. Then the end of the
 * holder itself is the proof, where both are in one PID namespace. Some system calls. */
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

/* Counters and histograms of the directory. They may be added by any number of processes at once,
 * each of which may be killed at any instruction: two that ask for the same owner and name get the
 * same one, and nobody waits for anybody. What is refused is counted in the directory, where
 * `busctl status` shows it. Adding and finding look at every entry in turn: cold, no allocation. */

/* Find or add the counter `name` of `owner` (0: nobody's in particular). `unit` is the same from
 * whoever asks for it. -EINVAL: a name or unit that is empty or too long, an owner above
 * TBUS_OWNERS_MAX; -TBUS_EFULL; -TBUS_EKIND: the directory is mapped read-only. */
int tbus_counter_add(tbus_bus_t *bus, uint32_t owner, const char *name, const char *unit,
                     tbus_atomic_u64_t **out_value, tbus_error_t *err);

/* The same for counters that a stage can do without: when it is refused, one that nobody sees. */
tbus_atomic_u64_t *tbus_counter(tbus_bus_t *bus, uint32_t owner, const char *name,
                                const char *unit);

/* All counters in turn, in the order in which they were added: *cursor is 0 at first. False: that
 * was the last. */
typedef struct tbus_counter_view {
    uint64_t value;
    uint32_t owner;
    char name[TBUS_COUNTER_NAME_MAX];
    char unit[TBUS_COUNTER_UNIT_MAX];
} tbus_counter_view_t;
bool tbus_counter_next(const tbus_bus_t *bus, uint32_t *cursor, tbus_counter_view_t *out_view);

/* Value of a counter by name, summed over owners; 0 when there is none. */
uint64_t tbus_counter_value(const tbus_bus_t *bus, const char *name);
/* The same of one owner. */
uint64_t tbus_counter_value_of(const tbus_bus_t *bus, uint32_t owner, const char *name);

/* Find or add a histogram, which one participant records in. Names are as long as TBUS_NAME_MAX
 * allows. Errors as tbus_counter_add. */
int tbus_bus_add_histogram(tbus_bus_t *bus, const char *name, tbus_histogram_t **out_histogram,
                           tbus_error_t *err);
/* When it is refused, one that nobody sees. */
tbus_histogram_t *tbus_bus_histogram(tbus_bus_t *bus, const char *name);
/* NULL: there is none. */
const tbus_histogram_t *tbus_bus_find_histogram(const tbus_bus_t *bus, const char *name);

/* A block is memory in the directory that has a name: for what programs share beside topics and
 * counters, such as a switch or a set of limits. It is all zeros at first. What it means, and who
 * writes what in it, the bus does not know. It lies at a multiple of 128 bytes, and no other block
 * begins in its last 128.
 *
 * Add one. Only whoever made the bus, and before others map it. -EINVAL: no name, or none that fits
 * TBUS_BLOCK_NAME_MAX, or 0 bytes; -TBUS_EEXISTS; -TBUS_EFULL; -TBUS_EKIND: the bus was made by
 * another process. Cold. */
int tbus_bus_add_block(tbus_bus_t *bus, const char *name, size_t bytes, void **out_block,
                       tbus_error_t *err);
/* Find one of exactly `bytes`. The pointer is good as long as the bus is mapped, and as writable as
 * the mapping of the directory. -TBUS_ENOTFOUND; -TBUS_EGEOMETRY: it has another size. Cold. */
int tbus_bus_find_block(const tbus_bus_t *bus, const char *name, size_t bytes, void **out_block,
                        tbus_error_t *err);

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
