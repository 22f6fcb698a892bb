/* SPDX-License-Identifier: Apache-2.0 */
/* directory.h - what lies where in the directory segment of a bus. bus.h has the calls.
 *
 *          0  header: written when the bus is created, magic last                   512 bytes
 *        512  participants, 32 x 1024 bytes: participant i has owner number i + 1
 *      33280  topics, 16 x 128 bytes
 *      35328  blocks, 16 x 64 bytes: names and places of what lies in the arena
 *      36352  counters, 8192 x 128 bytes
 *    1084928  histograms, 32 x 11776 bytes
 *    1462272  arena, 512 KiB: blocks, whose meaning the bus does not know
 *    1986560  end
 *
 * Whoever maps it must agree with its creator on every offset below, on those of a ring (ring.h)
 * and on those of the messages (tickbus/msg). So all of them are folded into one number, the
 * layout, which stands in the header; attaching compares it. A comment may change, a field may not
 * move. What the offsets cannot tell, a word that means something else than before, is told by
 * TBUS_PROTOCOL, which is raised by hand.
 *
 * No two roles write to the same 128 bytes while messages flow. Padding is zero and is room for
 * fields to come.
 */
#ifndef TICKBUS_DIRECTORY_H
#define TICKBUS_DIRECTORY_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/histogram.h>
#include <tickbus/horizon.h>
#include <tickbus/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TBUS_BUS_MAGIC UINT64_C(0x3153554249425424) /* "$TBIBUS1" */

/* To be raised when a word in shared memory changes its meaning though no offset changes: a bit of
 * the slot word, a state, who may write what, the unit of a field of a message. */
#define TBUS_PROTOCOL 3u

#define TBUS_PARTICIPANTS_MAX 32u
#define TBUS_TOPICS_MAX       16u
/* Positions in 2,048 symbols of two strategies, and as many counters again. */
#define TBUS_COUNTERS_MAX     8192u
#define TBUS_HISTOGRAMS_MAX   32u
#define TBUS_COUNTER_NAME_MAX 64u /* with the terminating zero, as the next */
#define TBUS_COUNTER_UNIT_MAX 16u
#define TBUS_BLOCKS_MAX       16u
#define TBUS_BLOCK_NAME_MAX   40u /* likewise */
#define TBUS_ARENA_BYTES      524288u

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
    /* written by: the supervisor */
    tbus_atomic_u32_t command; /*   0 enum tbus_command */
    uint32_t process;          /*   4 which process of the layout it runs in, from 0 */
    uint32_t wait_mode;        /*   8 enum tbus_wait_mode of its process */
    int32_t cpu;               /*  12 pinned to, or -1 */
    char name[TBUS_NAME_MAX];  /*  16 */
    uint8_t pad0[88];
    /* written by: the participant; `state` also by whoever adds it, `publishes` by buriers */
    tbus_atomic_u32_t state; /* 128 enum tbus_participant_state */
    uint32_t pid;            /* 132 who took its life lock last; 0: nobody ever did */
    /* 136 ns of CLOCK_MONOTONIC of some recent turn of its loop */
    tbus_atomic_u64_t heartbeat;
    /* 144 full passes of its loop that found nothing to do, all flushed (tbus_bus_quiescent) */
    tbus_atomic_u64_t quiet;
    tbus_atomic_u64_t parks; /* 152 times its process slept */
    /* 160 bytes that its thread allocated while in RUN; must stay 0 */
    tbus_atomic_u64_t hot_allocations;
    tbus_atomic_u32_t publishes; /* 168 bit i: it may publish on topic i */
    /* 172 1: nobody added it, it joined by itself and leaves a vacancy */
    uint32_t from_outside;
    /* 176 with `pid`: the PID namespace in which that is its number (inode of /proc/self/ns/pid);
     * 0: not known */
    uint32_t pid_namespace;
    /* 180 number of the stream that its messages belong to, where messages of several publishers
     * on one topic must be told apart: that of a strategy; 0: none */
    uint32_t stream;
    /* 184 bit i: what it publishes on topic i comes with its horizon */
    uint32_t horizon_topics;
    /* 188 1: it holds no ring up and has no part in what the others do: whether it comes to rest
     * does not count (tbus_bus_quiescent) */
    uint32_t bystander;
    uint8_t pad1[64];
    /* written by: the participant, and by those that bury it: how far it is in the time of its
     * messages (horizon.h) */
    tbus_horizon_t horizon; /* 256 */
    /* written by: the participant. With FAIL, or with DONE when there is something to say about the
     * source's input: one sentence */
    char reason[TBUS_ERROR_TEXT_MAX]; /* 384 */
    uint8_t pad3[160];
} tbus_participant_t;

TBUS_STATIC_ASSERT(sizeof(tbus_participant_t) == 1024);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, command) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, process) == 4);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, wait_mode) == 8);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, cpu) == 12);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, name) == 16);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, pad0) == 40);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, state) == 128);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, pid) == 132);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, heartbeat) == 136);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, quiet) == 144);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, parks) == 152);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, hot_allocations) == 160);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, publishes) == 168);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, from_outside) == 172);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, pid_namespace) == 176);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, stream) == 180);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, horizon_topics) == 184);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, bystander) == 188);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, pad1) == 192);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, horizon) == 256);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, reason) == 384);
TBUS_STATIC_ASSERT(offsetof(tbus_participant_t, pad3) == 864);

/* What a participant that the supervisor did not start itself may do on a topic beside looking. */
enum tbus_rights {
    TBUS_MAY_PUBLISH = 1,
    TBUS_MAY_GATE = 2 /* subscribe: publishers wait for it */
};

typedef struct tbus_topic {
    /* written by: tbus_bus_add_topic and whoever made the bus */
    char name[TBUS_NAME_MAX]; /*   0 */
    char type[TBUS_NAME_MAX]; /*  24 message type: "tick", "bbo", "order", "report" */
    uint32_t kind;            /*  48 enum tbus_ring_kind */
    uint32_t pages;           /*  52 enum tbus_pages */
    uint64_t bytes;           /*  56 of the segment */
    uint32_t rights;          /*  64 enum tbus_rights of participants from outside */
    uint32_t type_version;    /*  68 of that message type; 0: none was said */
    /* written by: whoever takes the right to publish, once in its life
     * (tbus_participant_take_topic) */
    /*  72 where one at a time has the right: who; 0: nobody had it yet */
    tbus_atomic_u32_t publisher;
    /*  76 grows with each that takes the right: tells a new publisher from the last */
    tbus_atomic_u32_t arrivals;
    /* written by: whoever made the bus, before anybody publishes (1); whoever hands the topic out
     * to another process, when it first does (0). Never 1 again */
    /*  80 1: nobody can read the topic so far, and its messages may be left out */
    tbus_atomic_u32_t left_out;
    uint8_t pad1[44];
} tbus_topic_t;

TBUS_STATIC_ASSERT(sizeof(tbus_topic_t) == 128);
TBUS_STATIC_ASSERT(offsetof(tbus_topic_t, name) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_topic_t, type) == 24);
TBUS_STATIC_ASSERT(offsetof(tbus_topic_t, kind) == 48);
TBUS_STATIC_ASSERT(offsetof(tbus_topic_t, pages) == 52);
TBUS_STATIC_ASSERT(offsetof(tbus_topic_t, bytes) == 56);
TBUS_STATIC_ASSERT(offsetof(tbus_topic_t, rights) == 64);
TBUS_STATIC_ASSERT(offsetof(tbus_topic_t, type_version) == 68);
TBUS_STATIC_ASSERT(offsetof(tbus_topic_t, publisher) == 72);
TBUS_STATIC_ASSERT(offsetof(tbus_topic_t, arrivals) == 76);
TBUS_STATIC_ASSERT(offsetof(tbus_topic_t, left_out) == 80);
TBUS_STATIC_ASSERT(offsetof(tbus_topic_t, pad1) == 84);

/* Written by: its owner; name and unit by whoever adds it, once. bus/run/entry.h has the states of
 * `word`. */
typedef struct tbus_counter {
    tbus_atomic_u64_t value; /*   0 */
    /*   8 0: free; hash of the name, owner, and whether the name is there */
    tbus_atomic_u64_t word;
    /*  16 dotted: "feed.messages", "risk.rejects.price_collar" */
    char name[TBUS_COUNTER_NAME_MAX];
    char unit[TBUS_COUNTER_UNIT_MAX]; /*  80 */
    uint8_t pad[32];
} tbus_counter_t;

TBUS_STATIC_ASSERT(sizeof(tbus_counter_t) == 128);
TBUS_STATIC_ASSERT(offsetof(tbus_counter_t, value) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_counter_t, word) == 8);
TBUS_STATIC_ASSERT(offsetof(tbus_counter_t, name) == 16);
TBUS_STATIC_ASSERT(offsetof(tbus_counter_t, unit) == 80);
TBUS_STATIC_ASSERT(offsetof(tbus_counter_t, pad) == 96);

typedef struct tbus_histogram_entry {
    /* written by: whoever adds it, once */
    tbus_atomic_u64_t word;   /*   0 as that of a counter, owner 0 */
    char name[TBUS_NAME_MAX]; /*   8 */
    uint8_t pad0[96];
    /* written by: the one participant that records */
    tbus_histogram_t histogram; /* 128 */
    uint8_t pad1[104];
} tbus_histogram_entry_t;

TBUS_STATIC_ASSERT(sizeof(tbus_histogram_entry_t) == 11776);
TBUS_STATIC_ASSERT(offsetof(tbus_histogram_entry_t, word) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_histogram_entry_t, name) == 8);
TBUS_STATIC_ASSERT(offsetof(tbus_histogram_entry_t, pad0) == 32);
TBUS_STATIC_ASSERT(offsetof(tbus_histogram_entry_t, histogram) == 128);
TBUS_STATIC_ASSERT(offsetof(tbus_histogram_entry_t, pad1) == 11672);

/* Written by: tbus_bus_add_block. */
typedef struct tbus_block {
    char name[TBUS_BLOCK_NAME_MAX]; /*   0 dotted: "risk.kill_switch" */
    uint32_t offset;                /*  40 in the arena; a multiple of 128 */
    uint32_t bytes;                 /*  44 */
    uint8_t pad[16];
} tbus_block_t;

TBUS_STATIC_ASSERT(sizeof(tbus_block_t) == 64);
TBUS_STATIC_ASSERT(offsetof(tbus_block_t, name) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_block_t, offset) == 40);
TBUS_STATIC_ASSERT(offsetof(tbus_block_t, bytes) == 44);
TBUS_STATIC_ASSERT(offsetof(tbus_block_t, pad) == 48);

typedef struct tbus_directory {
    /* written by: tbus_bus_create, tbus_bus_add_topic and tbus_bus_add_block (their counts) */
    tbus_atomic_u64_t magic;        /*   0 */
    uint32_t protocol;              /*   8 TBUS_PROTOCOL of the creator */
    uint32_t topics_count;          /*  12 */
    uint64_t bytes;                 /*  16 of this struct */
    uint64_t layout;                /*  24 tbus_layout() of the creator */
    uint64_t epoch_ns;              /*  32 CLOCK_MONOTONIC at creation: zero of all 48-bit stamps */
    uint64_t started_realtime_ns;   /*  40 CLOCK_REALTIME at creation */
    char name[TBUS_NAME_MAX];       /*  48 */
    uint32_t supervisor_pid;        /*  72 */
    tbus_atomic_u32_t blocks_count; /*  76 */
    /*  80 ten digits and capital letters, then zeros: the run, for people and protocols; no other
     * has had the same, as far as chance goes */
    char session_name[16];
    uint8_t pad0[32];
    /* written by: the supervisor */
    tbus_atomic_u32_t ended; /* 128 1: the run is over, nothing will be published any more */
    uint8_t pad1[124];
    /* written by: whoever asks for a counter or histogram and is refused */
    tbus_atomic_u32_t counters_refused;   /* 256 */
    tbus_atomic_u32_t histograms_refused; /* 260 */
    uint8_t pad2[248];
    tbus_participant_t participants[TBUS_PARTICIPANTS_MAX]; /*    512 */
    tbus_topic_t topics[TBUS_TOPICS_MAX];                   /*  33280 */
    tbus_block_t blocks[TBUS_BLOCKS_MAX];                   /*  35328 */
    tbus_counter_t counters[TBUS_COUNTERS_MAX];             /*  36352 */
    tbus_histogram_entry_t histograms[TBUS_HISTOGRAMS_MAX]; /*  1084928 */
    uint8_t pad3[512];
    /* written by: whoever the block's user says */
    unsigned char arena[TBUS_ARENA_BYTES]; /* 1462272 */
} tbus_directory_t;

TBUS_STATIC_ASSERT(sizeof(tbus_directory_t) == 1986560);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, magic) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, protocol) == 8);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, topics_count) == 12);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, bytes) == 16);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, layout) == 24);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, epoch_ns) == 32);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, started_realtime_ns) == 40);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, name) == 48);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, supervisor_pid) == 72);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, blocks_count) == 76);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, session_name) == 80);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, pad0) == 96);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, ended) == 128);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, pad1) == 132);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, counters_refused) == 256);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, histograms_refused) == 260);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, pad2) == 264);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, participants) == 512);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, topics) == 33280);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, blocks) == 35328);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, counters) == 36352);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, histograms) == 1084928);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, pad3) == 1461760);
TBUS_STATIC_ASSERT(offsetof(tbus_directory_t, arena) == 1462272);

/* The digest of every offset and size that programs on one bus must agree on, and of TBUS_PROTOCOL,
 * as this library was compiled. */
uint64_t tbus_layout(void);

/* The digest of one type of messages alone: what a journal notes of its topics. 0: no such type. */
uint64_t tbus_layout_of_type(const char *type);

#ifdef __cplusplus
}
#endif
#endif
