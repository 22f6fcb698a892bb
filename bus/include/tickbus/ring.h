/* SPDX-License-Identifier: Apache-2.0 */
/* ring.h - a ring of slots in shared memory: its layout, how it is formatted and how it is joined.
 *
 * All kinds of ring have the same layout (slot.h has the states of a slot). They differ in who may
 * claim a slot and in when a slot becomes free again:
 *
 *    kind                publishers  a message goes to    its slot is free again when
 *    TBUS_SPSC           1           the one subscriber   the subscriber's progress has passed it
 *    TBUS_MPSC           several     the one subscriber   the same
 *    TBUS_BROADCAST      1           every subscriber     the progress of all has passed it
 *    TBUS_BROADCAST_MP   several     every subscriber     the same
 *    TBUS_MPMC           several     one consumer         its consumer has released it and the
 *                                                         progress of all followers has passed it
 *
 * A *subscriber* (subscriber.h) gates: publishers wait for it. On a TBUS_MPMC ring a subscriber is
 * either a *consumer*, which competes for messages, or a *follower*, which sees all of them, as a
 * recorder does. An *observer* (observer.h) maps the ring read-only and cannot hold anybody back.
 * It may be lapped and is then told exactly how many messages it lost.
 *
 *    offset  written by
 *    0       header: tbus_ring_format, once, the magic last                      \
 *    128     tail: publishers                                                     |
 *    256     head: competing consumers                                            |
 *    384     sleep: processes that go to sleep, and those that wake them          |  8 KiB
 *    512     counts: repairers, and publishers whose policy drops or evicts       |
 *    4096    subscribers' places, 32 x 128 bytes: each by its own subscriber     /
 *    8192    slots: publishers; on competing rings consumers as well
 *    area_at area: publishers; only where messages may be longer than a slot
 *
 * The *area* holds the messages that do not fit in their slot, each in one piece, so that they are
 * written and read in place. The slot of such a message says where it lies.
 *
 *    One publisher: the area is a ring of bytes. Messages lie one behind the other, from 64-byte
 *    boundary to 64-byte boundary; one that would cross the end starts at the beginning instead. An
 *    *offset* in the area counts bytes since the ring was made, and does not wrap. Who frees it:
 *    the publisher takes bytes again when every subscriber has passed the messages that lay there,
 *    as it does with slots. So a slow subscriber holds the area up like the slots, and the ring is
 *    full when either of them is.
 *
 *    Several publishers: every slot has a cell of its own there, for the longest message. Whoever
 *    has claimed the slot writes the cell, and both become free at the same time. Nothing else
 *    need be claimed, buried or given back when somebody dies.
 *
 * Observers check after the copy that neither the slot nor the bytes were written meanwhile.
 *
 * On the data path: slot.h -> ring.h -> publisher.h, subscriber.h, observer.h -> wait.h. A ring
 * does not know what its messages mean. bus/README.md explains the words used here.
 */
#ifndef TICKBUS_RING_H
#define TICKBUS_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/slot.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tbus_ring_kind {
    TBUS_SPSC = 1,
    TBUS_BROADCAST = 2,
    TBUS_BROADCAST_MP = 3,
    TBUS_MPMC = 4,
    TBUS_MPSC = 5
};

/* "$TBRING1" in memory order on a little-endian host */
#define TBUS_RING_MAGIC    UINT64_C(0x31474e4952425424)
#define TBUS_RING_ABI      6u
#define TBUS_RING_SUBS_MAX 32u
#define TBUS_NAME_MAX      24u /* names of rings and participants, with the terminating zero */
/* Prints a name that lies in shared memory, where a peer may have overwritten its zero. */
#define TBUS_NAME_TEXT      "%.23s"
#define TBUS_SLOT_BYTES_MIN 64u
#define TBUS_SLOT_BYTES_MAX 8192u
#define TBUS_SLOT_COUNT_MIN 16u
#define TBUS_SLOT_COUNT_MAX (1u << 24)
#define TBUS_RING_SLOTS_AT  8192u
#define TBUS_MSG_BYTES_MAX  (1u << 30)
#define TBUS_AREA_BYTES_MIN 4096u
#define TBUS_AREA_BYTES_MAX (UINT64_C(1) << 40)

/* What tbus_publish does when a subscriber leaves no room. Example: bus/examples/slow_reader.c. */
enum tbus_policy {
    TBUS_BLOCK = 0,         /* it returns TBUS_FULL; nothing is lost */
    TBUS_DROP_NEWEST = 1,   /* it counts the message as dropped */
    TBUS_EVICT_SLOWEST = 2, /* the subscriber furthest behind loses its place and is told so */
};

/* What becomes of a message whose consumer dies between peek and advance. Nobody can tell how much
 * of its work was done. Orders are delivered at most once: a doubtful order can be looked into, but
 * an order that is sent twice is filled twice. At least once is for work that may be done again
 * without harm, and only for TBUS_MPMC. Example: bus/examples/work_queue.c. */
enum tbus_promise {
    TBUS_AT_MOST_ONCE = 0,  /* it is counted in doubt and not delivered again */
    TBUS_AT_LEAST_ONCE = 1, /* another consumer gets the same bytes under the same sequence */
};

typedef struct tbus_ring_spec {
    char name[TBUS_NAME_MAX];
    enum tbus_ring_kind kind;
    /* whole cache lines: a multiple of 64, 64..8192, including the 8 bytes of the slot word */
    uint32_t slot_bytes;
    uint32_t slot_count; /* a power of two, 16..2^24 */
    /* Longest message, up to 2^30; 0: what fits in one slot. Longer ones lie in the area. */
    uint32_t msg_bytes_max;
    uint64_t first_seq; /* sequence of the first message, usually 1 */
    enum tbus_policy policy;
    enum tbus_promise promise;
    /* One publisher: of the area, a power of two of 4096 or more, and at least twice the longest
     * message. 0: four of the longest messages, and a quarter of what the slots take. Several
     * publishers: 0, it is a cell for each slot. */
    uint64_t area_bytes;
} tbus_ring_spec_t;

enum tbus_sub_state {
    TBUS_SUB_VACANT = 0,
    TBUS_SUB_RESERVED = 1,
    TBUS_SUB_ACTIVE = 2,
    TBUS_SUB_EVICTED = 3
};
enum tbus_sub_role {
    /* gets the messages: one on TBUS_SPSC and TBUS_MPSC, any number on broadcast rings */
    TBUS_SUBSCRIBER = 1,
    TBUS_CONSUMER = 2, /* TBUS_MPMC: competes for the messages */
    /* on any ring: sees all messages, beside those above. A TBUS_SUBSCRIBER of a TBUS_MPMC ring is
     * a follower as well */
    TBUS_FOLLOWER = 3,
};

/* A place: what the ring knows of one subscriber.
 * Written by: its subscriber; `state` and `owner` also by publishers (to evict it) and repairers;
 * `bell` by whoever wakes it. The number in front of a comment is the offset. */
typedef struct tbus_ring_sub {
    tbus_atomic_u64_t progress; /*   0 the subscriber is done with slots below this position */
    /*   8 messages taken, for people; those before a late joiner count as taken */
    tbus_atomic_u64_t consumed;
    tbus_atomic_u64_t tombs; /*  16 sequences that were no message */
    tbus_atomic_u32_t state; /*  24 enum tbus_sub_state; changes together with `owner` */
    /*  28 bits 0..8: participant number; 0: nobody has it yet. Bit 9: it was displaced while it
     * joined. Bits 10..31: number of the tenure (bus/ring/place.h) */
    tbus_atomic_u32_t owner;
    tbus_atomic_u32_t role;   /*  32 enum tbus_sub_role */
    uint32_t pad0;            /*  36 */
    char name[TBUS_NAME_MAX]; /*  40 */
    tbus_atomic_u32_t bell;   /*  64 futex word: a sleeping subscriber waits for it to change */
    uint32_t pad1;            /*  68 */
    /*  72 sequence of the message at `progress` when the place was set up */
    tbus_atomic_u64_t first_seq;
    uint8_t pad2[48]; /*  80 */
} tbus_ring_sub_t;

typedef struct tbus_ring_shared {
    /* written by: tbus_ring_format, once */
    tbus_atomic_u64_t magic;  /*   0 stored last */
    uint32_t abi;             /*   8 */
    uint32_t kind;            /*  12 */
    uint32_t slot_bytes;      /*  16 */
    uint32_t slot_count;      /*  20 */
    uint32_t msg_bytes_max;   /*  24 */
    uint32_t subs_max;        /*  28 */
    uint64_t slots_at;        /*  32 offset of the first slot */
    uint64_t total_bytes;     /*  40 */
    uint64_t first_seq;       /*  48 */
    char name[TBUS_NAME_MAX]; /*  56 */
    uint32_t policy;          /*  80 enum tbus_policy */
    uint32_t promise;         /*  84 enum tbus_promise */
    uint64_t area_at;         /*  88 offset of the area; 0: there is none */
    uint64_t area_bytes;      /*  96 */
    uint8_t pad0[24];         /* 104 */

    /* written by: publishers */
    /* 128 one publisher: end of what is published, as last flushed. Several: near `claims` */
    tbus_atomic_u64_t tail;
    tbus_atomic_u64_t tail_seq;     /* 136 one publisher: the sequence that belongs to `tail` */
    tbus_atomic_u64_t tail_version; /* 144 one publisher: odd while the two above change */
    /* 152 one publisher: it has not written to any slot at or above this position */
    tbus_atomic_u64_t announce;
    /* 160 several publishers: a ticket, the next position to be claimed. Nobody has written to any
     * slot at or above it */
    tbus_atomic_u64_t claims;
    /* 168 one publisher: it has not written to the area at or above this offset */
    tbus_atomic_u64_t area_announce;
    uint8_t pad1[80]; /* 176 */

    /* written by: consumers */
    tbus_atomic_u64_t head;  /* 256 near `takes` */
    tbus_atomic_u64_t takes; /* 264 competing rings: a ticket, the next position to be taken */
    /* written by: repairers, and consumers that leave */
    tbus_atomic_u64_t again; /* 272 at least once: grows when messages wait to be taken again */
    uint8_t pad2[104];       /* 280 */

    /* written by: sleepers, and those that wake them */
    tbus_atomic_u32_t sleepers;     /* 384 bit i: subscriber i sleeps, or is about to */
    tbus_atomic_u32_t pubs_waiting; /* 388 not 0: a publisher waits for room */
    tbus_atomic_u32_t room_bell;    /* 392 futex word: publishers that wait for room sleep on it */
    /* 396 bit i: subscriber i sleeps often. While any is set, publishers execute a fence between
     * the slot and their look at `sleepers` (wait.h). Set and cleared by that subscriber */
    tbus_atomic_u32_t fences_wanted;
    uint8_t pad3[112]; /* 400 */

    /* written by: repairers, and publishers that abort */
    tbus_atomic_u64_t tombs; /* 512 claims whose owner died or aborted */
    /* written by: repairers, and consumers that leave */
    tbus_atomic_u64_t in_doubt; /* 520 at most once: messages whose consumer died, or left */
    /* written by: publishers, as their policy says */
    tbus_atomic_u64_t dropped; /* 528 messages that found no room */
    tbus_atomic_u64_t evicted; /* 536 subscribers that were too slow */
    /* written by: repairers, and consumers that leave */
    tbus_atomic_u64_t redelivered; /* 544 at least once: messages that were left to the next */
    uint8_t pad4[3544];            /* 552 */

    tbus_ring_sub_t subs[TBUS_RING_SUBS_MAX]; /* 4096 */
} tbus_ring_shared_t;

TBUS_STATIC_ASSERT(sizeof(tbus_ring_sub_t) == 128);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_sub_t, progress) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_sub_t, consumed) == 8);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_sub_t, tombs) == 16);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_sub_t, state) == 24);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_sub_t, owner) == 28);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_sub_t, role) == 32);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_sub_t, pad0) == 36);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_sub_t, name) == 40);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_sub_t, bell) == 64);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_sub_t, pad1) == 68);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_sub_t, first_seq) == 72);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_sub_t, pad2) == 80);

TBUS_STATIC_ASSERT(sizeof(tbus_ring_shared_t) == 8192);
TBUS_STATIC_ASSERT(sizeof(tbus_ring_shared_t) == TBUS_RING_SLOTS_AT);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, magic) == 0);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, abi) == 8);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, kind) == 12);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, slot_bytes) == 16);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, slot_count) == 20);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, msg_bytes_max) == 24);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, subs_max) == 28);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, slots_at) == 32);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, total_bytes) == 40);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, first_seq) == 48);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, name) == 56);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, policy) == 80);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, promise) == 84);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, area_at) == 88);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, area_bytes) == 96);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, pad0) == 104);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, tail) == 128);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, tail_seq) == 136);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, tail_version) == 144);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, announce) == 152);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, claims) == 160);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, area_announce) == 168);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, pad1) == 176);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, head) == 256);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, takes) == 264);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, again) == 272);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, pad2) == 280);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, sleepers) == 384);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, pubs_waiting) == 388);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, room_bell) == 392);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, fences_wanted) == 396);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, pad3) == 400);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, tombs) == 512);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, in_doubt) == 520);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, dropped) == 528);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, evicted) == 536);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, redelivered) == 544);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, pad4) == 552);
TBUS_STATIC_ASSERT(offsetof(tbus_ring_shared_t, subs) == 4096);

/* A joined ring. Its geometry was copied out of shared memory once and checked; it is never read
 * from there again. Private to the process; may be copied; owns nothing. */
typedef struct tbus_ring {
    tbus_ring_shared_t *shared;
    unsigned char *slots;
    uint64_t mask; /* slot_count - 1 */
    uint32_t slot_count;
    uint64_t slot_bytes;
    uint32_t payload_bytes; /* slot_bytes - 8 */
    uint32_t msg_bytes_max;
    uint64_t first_seq;
    enum tbus_ring_kind kind;
    enum tbus_policy policy;
    uint32_t slot_msg_bytes_max; /* longest message whose length fits in the slot word */
    unsigned char *area;         /* NULL: every message fits in its slot */
    uint64_t area_bytes;
    uint64_t cell_bytes; /* several publishers: of the area, for each slot */
    bool several_publishers;
    bool competing;
    bool redelivers; /* TBUS_AT_LEAST_ONCE */
    bool writable;
} tbus_ring_t;

/* Bytes that a ring of this shape needs; 0 when the spec is wrong. */
size_t tbus_ring_footprint(const tbus_ring_spec_t *spec);

/* Lay out a ring in `memory` (64-byte aligned, at least the footprint). The magic is stored last,
 * so a joiner sees a whole ring or none. -TBUS_EGEOMETRY: bad spec or too little memory. */
int tbus_ring_format(void *memory, size_t bytes, const tbus_ring_spec_t *spec, tbus_error_t *err);

/* Check a formatted ring and make a handle for it. The fields of the header are checked against
 * each other and against `bytes` before any of them is used. A handle needs no leave: it owns
 * nothing. -TBUS_EMAGIC, -TBUS_EABI, -TBUS_EGEOMETRY. */
int tbus_ring_join(void *memory, size_t bytes, bool writable, tbus_ring_t *out_ring,
                   tbus_error_t *err);

/* Keep a place for a subscriber that will join later: from now on publishers wait for it. Returns
 * its index; -TBUS_EFULL: all places are taken; -TBUS_EEXISTS: another one has that name;
 * -TBUS_EKIND: a TBUS_CONSUMER on a ring where nobody competes, or a second TBUS_SUBSCRIBER where
 * there may be one only; -TBUS_EGEOMETRY: bad name; -EINVAL: no such role, or the ring is mapped
 * read-only; -EAGAIN: as tbus_subscriber_join_late. Publishers may be at work. Cold;
 * one caller at a time (the supervisor). */
int tbus_ring_reserve(tbus_ring_t *ring, const char *name, enum tbus_sub_role role,
                      tbus_error_t *err);

/* Messages published so far: with one publisher as of its last flush, with several the number of
 * claims. */
uint64_t tbus_ring_published(const tbus_ring_t *ring);

/* The end of the ring: position and sequence of the next message; with one publisher as of its last
 * flush. False: the publisher was stopped or killed while it stored the two, so that they may not
 * belong together. */
bool tbus_ring_end(const tbus_ring_t *ring, uint64_t *out_position, uint64_t *out_seq);

/* Several publishers: the owner of the unfinished claim on `position`, which is of the last lap. 0:
 * there is none, or none any more. */
uint32_t tbus_ring_claimer(const tbus_ring_t *ring, uint64_t position);

/* The index of the gating subscriber that is furthest behind; -1: there is none. Its name is
 * ring->shared->subs[i].name. Those that were evicted gate nobody. Competing consumers are all as
 * far behind as the oldest message that none of them has taken, or that is to be taken again; the
 * one that has held a message for longest is as far behind as that. Looks at all slots of a
 * competing ring: cold. */
int tbus_ring_slowest(const tbus_ring_t *ring, uint64_t *out_lag);

/* The participant whose subscriber is active in place `index` of ring->shared->subs; 0: nobody's
 * is. */
uint32_t tbus_ring_sub_owner(const tbus_ring_t *ring, uint32_t index);

const char *tbus_ring_kind_name(enum tbus_ring_kind kind);

/* True for a name that a ring, a subscriber or a participant can have: not empty, short enough. */
bool tbus_name_fits(const char *name);

/* Several publishers: the next position to be claimed. Competing rings: the next one to be taken.
 * Exact, but it may have moved on by the time the caller looks at it. */
TBUS_INLINE uint64_t tbus_ring_claimed(const tbus_ring_t *ring)
{
    const tbus_ring_shared_t *s = ring->shared;
    /* K2 pairs K1 (claim): a caller that looks at the slots next finds there what the ticket no
     * longer names. */
    return tbus_ticket_position(tbus_load_acquire_u64(&s->claims), tbus_load_relaxed_u64(&s->tail));
}
TBUS_INLINE uint64_t tbus_ring_taken(const tbus_ring_t *ring)
{
    const tbus_ring_shared_t *s = ring->shared;
    /* K4 pairs K3 (move_takes): as above. */
    return tbus_ticket_position(tbus_load_acquire_u64(&s->takes), tbus_load_relaxed_u64(&s->head));
}

TBUS_INLINE tbus_atomic_u64_t *tbus_ring_slot(const tbus_ring_t *ring, uint64_t position)
{
    void *slot = ring->slots + (position & ring->mask) * ring->slot_bytes;
    return (tbus_atomic_u64_t *)__builtin_assume_aligned(slot, 64);
}

#ifdef __cplusplus
}
#endif
#endif
