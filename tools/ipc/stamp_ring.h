/* SPDX-License-Identifier: Apache-2.0 */
/* stamp_ring.h - shared memory with spinning, as one writes it by hand: one producer, and the
 * sequence in the slot.
 *
 *    memory:  progress of each reader (a line pair each) | slot 0 | slot 1 | ...
 *    slot:    stamp, message; whole cache lines
 *
 * A reader spins on the line that it is going to read, and says how far it is only every sixteenth
 * of the ring. It is the fastest way that we measured; what it lacks against a tickbus ring: nobody
 * can sleep, nobody notices a death, and messages have one size.
 *
 * The mechanisms shm_spin and mmap_file (stamp_pair.h) are two of these with one reader each; the
 * benches take it as the bound of what the hardware can do (bench/peer_raw.c), with several readers
 * and with a way of their own to fill a slot.
 */
#ifndef TICKBUS_TOOLS_IPC_STAMP_RING_H
#define TICKBUS_TOOLS_IPC_STAMP_RING_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tickbus/atomic.h>

#define IPC_STAMP_RING_READER_BYTES 128u
#define IPC_STAMP_RING_NEVER        UINT64_MAX

/* The handle of either side. */
typedef struct ipc_stamp_ring {
    unsigned char *progress; /* of the first reader; of a reader: its own */
    unsigned char *slots;
    size_t slot_bytes;
    size_t message_bytes;
    uint64_t mask;
    uint64_t position; /* next slot */
    uint64_t edge;     /* producer: slots before it are free; reader: progress as last told */
    uint64_t each;     /* a reader tells its progress every so many */
    unsigned readers;
} ipc_stamp_ring_t;

static inline size_t ipc_stamp_ring_slot_bytes(size_t message_bytes)
{
    return (8 + message_bytes + 63) & ~(size_t)63;
}
/* About a mebibyte, and at least 16 slots; a power of two. */
static inline uint64_t ipc_stamp_ring_slots(size_t message_bytes)
{
    uint64_t slots = 8192;
    while (slots > 16 && slots * ipc_stamp_ring_slot_bytes(message_bytes) > (1u << 20))
        slots /= 2;
    return slots;
}
static inline size_t ipc_stamp_ring_bytes(size_t message_bytes, uint64_t slots, unsigned readers)
{
    return readers * IPC_STAMP_RING_READER_BYTES + slots * ipc_stamp_ring_slot_bytes(message_bytes);
}

/* A handle of the producer (reader 0 will do), or of one of the readers. `memory` was all zeros
 * when the first of them came; `slots` is a power of two. */
static inline ipc_stamp_ring_t ipc_stamp_ring_join(void *memory, size_t message_bytes,
                                                   uint64_t slots, unsigned readers,
                                                   unsigned reader)
{
    unsigned char *at = (unsigned char *)memory;
    return (ipc_stamp_ring_t){.progress = at + reader * IPC_STAMP_RING_READER_BYTES,
                              .slots = at + readers * IPC_STAMP_RING_READER_BYTES,
                              .slot_bytes = ipc_stamp_ring_slot_bytes(message_bytes),
                              .message_bytes = message_bytes,
                              .mask = slots - 1,
                              .each = slots / 16,
                              .readers = readers};
}

static inline void ipc_spin(void)
{
    for (int i = 0; i < 8; i++) /* eight: a fifth faster than one, by our measurements */
        tbus_pause();
}

TBUS_HOT tbus_atomic_u64_t *ipc_stamp_ring_slot(const ipc_stamp_ring_t *r)
{
    return (tbus_atomic_u64_t *)(void *)(r->slots + (r->position & r->mask) * r->slot_bytes);
}

/* How far the slowest reader is. */
TBUS_HOT uint64_t ipc_stamp_ring_slowest(const ipc_stamp_ring_t *r)
{
    uint64_t slowest = UINT64_MAX;
    for (unsigned i = 0; i < r->readers; i++) {
        const tbus_atomic_u64_t *progress =
            (tbus_atomic_u64_t *)(void *)(r->progress + i * IPC_STAMP_RING_READER_BYTES);
        /* F2 pairs F1 (give_back): else a message is overwritten that is still being read. */
        uint64_t here = tbus_load_acquire_u64(progress);
        slowest = here < slowest ? here : slowest;
    }
    return slowest;
}

/* Producer: the slot of the next message, whose first eight bytes are the stamp; NULL: no room.
 * Fill the rest, then stamp it. */
TBUS_HOT tbus_atomic_u64_t *ipc_stamp_ring_room(ipc_stamp_ring_t *r)
{
    if (TBUS_UNLIKELY(r->position >= r->edge)) {
        r->edge = ipc_stamp_ring_slowest(r) + r->mask + 1;
        if (r->position >= r->edge)
            return NULL;
    }
    return ipc_stamp_ring_slot(r);
}
TBUS_HOT void ipc_stamp_ring_stamp(ipc_stamp_ring_t *r, tbus_atomic_u64_t *slot)
{
    r->position++;
    /* M1 pairs M2 (look): else the stamp is seen before the message. */
    tbus_store_release_u64(slot, r->position);
}

/* Reader: the next message, in the ring; NULL: it is not there yet. */
TBUS_HOT const void *ipc_stamp_ring_look(const ipc_stamp_ring_t *r)
{
    const tbus_atomic_u64_t *slot = ipc_stamp_ring_slot(r);
    /* M2 pairs M1 (stamp) */
    return tbus_load_acquire_u64(slot) == r->position + 1 ? slot + 1 : NULL;
}
/* Go on to the next one. What lies behind is given back later: see below. */
TBUS_HOT void ipc_stamp_ring_pass(ipc_stamp_ring_t *r)
{
    r->position++;
}
/* Give back what lies behind, if it is time. */
TBUS_HOT void ipc_stamp_ring_give_back(ipc_stamp_ring_t *r)
{
    if (TBUS_UNLIKELY(r->position - r->edge >= r->each)) {
        r->edge = r->position;
        /* F1 pairs F2 (slowest) */
        tbus_store_release_u64((tbus_atomic_u64_t *)(void *)r->progress, r->position);
    }
}

/* ---- waiting, of one message of message_bytes */

TBUS_HOT void ipc_stamp_ring_send(ipc_stamp_ring_t *r, const void *message)
{
    tbus_atomic_u64_t *slot;
    while (TBUS_UNLIKELY(!(slot = ipc_stamp_ring_room(r))))
        ipc_spin();
    memcpy(slot + 1, message, r->message_bytes);
    ipc_stamp_ring_stamp(r, slot);
}

/* Points into the ring; given back by the next receive. */
TBUS_HOT const void *ipc_stamp_ring_receive(ipc_stamp_ring_t *r)
{
    const void *message;
    ipc_stamp_ring_give_back(r);
    while (!(message = ipc_stamp_ring_look(r)))
        ipc_spin();
    ipc_stamp_ring_pass(r);
    return message;
}

#endif
